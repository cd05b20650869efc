//! Reports in Markdown.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::document::{BlockKind, Document};
use crate::name;

/// Reads a report in Markdown. Images are left out; of links the text is kept, and their hosts as
/// references.
pub(crate) fn read(text: &str) -> Document {
    let mut reader =
        Reader { document: Document::default(), text: String::new(), kind: BlockKind::Paragraph, hidden: 0 };
    let mut lines = Lines { text, at: 0, line: 1 };
    let mut place = "line 1".to_owned();
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        if reader.text.trim().is_empty() {
            place = format!("line {}", lines.of(range.start));
        }
        if !reader.event(event, &place) {
            break;
        }
    }
    reader.flush(&place);
    reader.document
}

/// Lines by offset; offsets mostly grow.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn of(&mut self, offset: usize) -> usize {
        if offset > self.at {
            self.line += self.text.as_bytes()[self.at..offset].iter().filter(|b| **b == b'\n').count();
            self.at = offset;
        }
        self.line
    }
}

struct Reader {
    document: Document,
    text: String,
    kind: BlockKind,
    /// How deep inside images.
    hidden: usize,
}

impl Reader {
    /// Takes one event; false if there is no more room.
    fn event(&mut self, event: Event<'_>, place: &str) -> bool {
        match event {
            Event::Start(Tag::Image { .. }) => self.hidden += 1,
            Event::End(TagEnd::Image) => self.hidden = self.hidden.saturating_sub(1),
            Event::Start(Tag::Link { dest_url, .. }) => self.document.hosts.extend(name::url_host(&dest_url)),
            Event::Start(tag) => return self.start(&tag, place),
            Event::End(TagEnd::TableCell) => self.text.push_str(" | "),
            Event::End(
                TagEnd::Paragraph
                | TagEnd::Heading(_)
                | TagEnd::Item
                | TagEnd::TableRow
                | TagEnd::TableHead
                | TagEnd::CodeBlock,
            ) => return self.flush(place),
            Event::Text(text) if self.hidden == 0 && self.kind == BlockKind::Item && text.contains('\n') => {
                for line in text.lines() {
                    self.text.push_str(line);
                    if !self.flush_as(BlockKind::Item, place) {
                        return false;
                    }
                }
            }
            Event::Text(text) | Event::Code(text) if self.hidden == 0 => self.text.push_str(&text),
            Event::SoftBreak if self.hidden == 0 && self.kind == BlockKind::Paragraph => {
                self.text.push(if is_entries(&self.text) { '\n' } else { ' ' });
            }
            Event::SoftBreak => self.text.push(' '),
            Event::HardBreak => self.text.push('\n'),
            // What a page in HTML would show: its tags are no text.
            Event::InlineHtml(tag) if tag.starts_with("<br") => self.text.push('\n'),
            Event::Html(html) => {
                let inner = super::html::read(&html);
                self.text.push_str(
                    &inner.blocks.iter().map(|block| block.text.as_str()).collect::<Vec<_>>().join(" "),
                );
            }
            _ => {}
        }
        true
    }

    fn start(&mut self, tag: &Tag<'_>, place: &str) -> bool {
        let kind = match tag {
            Tag::Heading { level, .. } => BlockKind::Heading(depth(*level)),
            Tag::Paragraph if self.kind == BlockKind::Item => return true,
            Tag::Paragraph | Tag::BlockQuote(_) | Tag::HtmlBlock => BlockKind::Paragraph,
            Tag::Item | Tag::CodeBlock(_) => BlockKind::Item,
            Tag::TableHead | Tag::TableRow => BlockKind::Row,
            _ => return true,
        };
        let room = self.flush(place);
        self.kind = kind;
        room
    }

    fn flush(&mut self, place: &str) -> bool {
        let room = self.flush_as(self.kind, place);
        self.kind = BlockKind::Paragraph;
        room
    }

    fn flush_as(&mut self, kind: BlockKind, place: &str) -> bool {
        let text = std::mem::take(&mut self.text);
        if kind == BlockKind::Paragraph && text.contains('\n') {
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            return super::lines::put(&mut self.document, &lines, |_| place.to_owned());
        }
        self.document.push(kind, text.trim_end_matches([' ', '|']), place)
    }
}

/// Whether the last line so far is an entry of a list that was not marked as one.
fn is_entries(text: &str) -> bool {
    super::lines::is_item(text.rsplit('\n').next().unwrap_or_default())
}

fn depth(level: HeadingLevel) -> u8 {
    level as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, blocks: &[(BlockKind, &str, &str)]) {
        let document = read(text);
        let found: Vec<_> = document
            .blocks
            .iter()
            .map(|block| (block.kind, block.text.as_str(), block.place.as_str()))
            .collect();
        assert_eq!(found, blocks, "{text}");
    }

    #[test]
    fn headings_paragraphs_items_and_rows_are_blocks() {
        check(
            "# Title\n\nThe *group* [said](https://example.org/a?b)\nso. ![x](y.png)\n\n- c2\\[.\\]example\\[.\\]org\n- `192[.]0[.]2[.]1`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\none\ntwo\n```\n",
            &[
                (BlockKind::Heading(1), "Title", "line 1"),
                (BlockKind::Paragraph, "The group said so.", "line 3"),
                (BlockKind::Item, "c2[.]example[.]org", "line 6"),
                (BlockKind::Item, "192[.]0[.]2[.]1", "line 7"),
                (BlockKind::Row, "a | b", "line 9"),
                (BlockKind::Row, "1 | 2", "line 11"),
                (BlockKind::Item, "one", "line 14"),
                (BlockKind::Item, "two", "line 14"),
            ],
        );
        assert_eq!(read("[a](https://example.org/b)").hosts, ["example.org"]);
    }
}
