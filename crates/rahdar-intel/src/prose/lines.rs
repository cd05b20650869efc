//! Lines of plain text, as files and pages have them, put together into blocks.

use super::document::{BlockKind, Document};
use crate::list;

/// A shorter line was ended by its author.
const WRAPPED_LEAST: usize = 24;
/// Words of a line that may stand for itself; longer ones are text.
const SHORT_WORDS: usize = 8;

/// Reads a text: blank lines divide paragraphs.
pub(crate) fn read(text: &str) -> Document {
    let mut document = Document::default();
    let mut group: Vec<&str> = Vec::new();
    let mut first = 1;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            if !group.is_empty() && !put(&mut document, &group, |i| format!("line {}", first + i)) {
                return document;
            }
            group.clear();
        } else {
            if group.is_empty() {
                first = number;
            }
            group.push(line);
        }
    }
    put(&mut document, &group, |i| format!("line {}", first + i));
    document
}

/// Adds lines that stand together: a heading, a paragraph, or items.
pub(crate) fn put(document: &mut Document, lines: &[&str], place: impl Fn(usize) -> String) -> bool {
    if let [line] = lines
        && list::is_heading(line.trim(), document.blocks.is_empty())
        && !(is_bullet(line) || is_entry(line))
    {
        let level = if document.blocks.is_empty() { 1 } else { 2 };
        return document.push(BlockKind::Heading(level), line, &place(0));
    }
    let width = lines.iter().map(|line| line.trim().len()).max().unwrap_or(0);
    let mut from = 0;
    while from < lines.len() {
        let mut until = from + 1;
        while until < lines.len() && flows_on(lines[until - 1], lines[until], width) {
            until += 1;
        }
        let text = joined(&lines[from..until]);
        let kind =
            if until - from == 1 && is_item(lines[from]) { BlockKind::Item } else { BlockKind::Paragraph };
        if !document.push(kind, &text, &place(from)) {
            return false;
        }
        from = until;
    }
    true
}

/// Whether the next line goes on with this one, in a paragraph of this width.
fn flows_on(line: &str, next: &str, width: usize) -> bool {
    let (line, next) = (line.trim_end(), next.trim_start());
    if is_bullet(next) || is_entry(next) || is_entry(line) {
        return false;
    }
    let full = line.len() >= WRAPPED_LEAST && line.len() * 3 >= width * 2;
    let goes_on = next.starts_with(|c: char| c.is_lowercase()) || line.ends_with([',', '-', '\u{ad}', '(']);
    goes_on || (full && !line.ends_with(':'))
}

/// Lines as one text; a word that was divided is whole again.
pub(crate) fn joined(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        let line = line.trim();
        let divided = text.ends_with('-')
            && text[..text.len() - 1].ends_with(char::is_alphabetic)
            && line.starts_with(|c: char| c.is_lowercase());
        let word = text.rsplit(' ').next().unwrap_or_default();
        // A hyphen in a name of a host is its own.
        let host = |word: &str| word.contains(['.', '/', '[', '@', '_']) && !word.ends_with('.');
        if text.ends_with('\u{ad}') {
            text.pop();
        } else if divided {
            if !host(word) && !host(line.split(' ').next().unwrap_or_default()) {
                text.pop();
            }
        } else if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line);
    }
    text
}

/// Whether a line stands for itself.
pub(crate) fn is_item(line: &str) -> bool {
    is_bullet(line)
        || is_entry(line)
        || line.split_whitespace().count() <= SHORT_WORDS && !ends_a_sentence(line)
}

fn is_bullet(line: &str) -> bool {
    let line = line.trim_start();
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    list::is_bullet(line)
        || (rest.len() < line.len() && rest.starts_with([')', '.']) && rest[1..].starts_with(' '))
}

/// Whether a line is little else than something that looks like an indicator.
fn is_entry(line: &str) -> bool {
    let odd = |word: &str| {
        let hex = word.len() >= 30 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let dotted = word.trim_end_matches('.').contains('.') && !word.contains("...");
        hex || dotted || word.contains("[.]") || word.contains("://")
    };
    let mut words = line.split_whitespace();
    let count = words.clone().count();
    count <= 4 && (words.clone().next().is_some_and(odd) || count <= 2 && words.any(odd))
}

fn ends_a_sentence(line: &str) -> bool {
    line.trim_end().ends_with(['.', '!', '?', '”'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, blocks: &[(BlockKind, &str)]) {
        let document = read(text);
        let found: Vec<_> = document.blocks.iter().map(|block| (block.kind, block.text.as_str())).collect();
        assert_eq!(found, blocks, "{text}");
    }

    #[test]
    fn wrapped_lines_are_one_paragraph_and_divided_words_are_whole() {
        check(
            "The title\n\nThe group has been seen in the net-\nworks of a provider since the spring of that year, and\nit was still there later.\n",
            &[
                (BlockKind::Heading(1), "The title"),
                (
                    BlockKind::Paragraph,
                    "The group has been seen in the networks of a provider since the spring of that year, and it was still there later.",
                ),
            ],
        );
    }

    #[test]
    fn indicators_stay_on_their_lines() {
        check(
            "Servers:\n192.0.2.1\nc2[.]example[.]org\n",
            &[
                (BlockKind::Item, "Servers:"),
                (BlockKind::Item, "192.0.2.1"),
                (BlockKind::Item, "c2[.]example[.]org"),
            ],
        );
    }

    #[test]
    fn a_hyphen_of_a_host_stays() {
        assert_eq!(
            joined(&["it called evil-", "host[.]example[.]org daily"]),
            "it called evil-host[.]example[.]org daily"
        );
    }
}
