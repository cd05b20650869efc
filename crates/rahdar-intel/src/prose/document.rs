//! A report as a sequence of blocks, whatever file it came in.

use rahdar_model::Window;

use crate::date;

/// A report, without what surrounds it on its page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Document {
    /// Its title.
    pub(crate) title: Option<String>,
    /// Who published it, as it says itself.
    pub(crate) publisher: Option<String>,
    /// The day it was published on.
    pub(crate) published: Option<Window>,
    /// Hosts that it was published on or that it links to: references, and no indicators.
    pub(crate) hosts: Vec<String>,
    /// Its text, in reading order.
    pub(crate) blocks: Vec<Block>,
    /// Octets of text so far.
    octets: usize,
}

/// A part of a report that stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) kind: BlockKind,
    /// On one line.
    pub(crate) text: String,
    /// Where, for people.
    pub(crate) place: String,
}

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockKind {
    /// A heading of this level, from 1.
    Heading(u8),
    /// Sentences.
    Paragraph,
    /// An item of a list, a line of code, or another short line.
    Item,
    /// A row of a table, its cells divided by ` | `.
    Row,
}

/// Latin ligatures (Unicode, U+FB00–U+FB06), and the hyphen that no reader sees.
const LIGATURES: [(char, &str); 8] = [
    ('ﬀ', "ff"),
    ('ﬁ', "fi"),
    ('ﬂ', "fl"),
    ('ﬃ', "ffi"),
    ('ﬄ', "ffl"),
    ('ﬅ', "st"),
    ('ﬆ', "st"),
    ('\u{ad}', ""),
];
/// Blocks that one report may have; chosen here: a book of 2,000 pages has a tenth.
pub(crate) const BLOCKS_MAX: usize = 200_000;
/// Octets of one block; the rest is another block. Chosen here: ten pages without a break.
const BLOCK_OCTETS: usize = 32 << 10;
/// Octets of text of one report; chosen here: the longest reports have a hundredth.
pub(crate) const TEXT_OCTETS: usize = 16 << 20;
/// A cell longer than this is laid out by a table and is no cell.
const ROW_OCTETS: usize = 1_000;
/// Blocks at the top of a report that are searched for a date and who published it; chosen here.
const TOP_BLOCKS: usize = 30;
/// Octets of a line at the top that may be a date; longer ones are text.
const BYLINE_OCTETS: usize = 160;

impl Document {
    /// Adds a block, its spaces made single and its ligatures letters, if it holds anything. False
    /// if there is no more room.
    pub(crate) fn push(&mut self, kind: BlockKind, text: &str, place: &str) -> bool {
        let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (ligature, letters) in LIGATURES {
            if text.contains(ligature) {
                text = text.replace(ligature, letters);
            }
        }
        let mut rest = text.as_str();
        while !rest.is_empty() {
            if self.blocks.len() >= BLOCKS_MAX || self.octets >= TEXT_OCTETS {
                return false;
            }
            let mut end = rest.floor_char_boundary(BLOCK_OCTETS);
            if end < rest.len() {
                end = rest[..end].rfind(' ').map_or(end, |space| space + 1);
            }
            let kind =
                if kind == BlockKind::Row && rest.len() > ROW_OCTETS { BlockKind::Paragraph } else { kind };
            self.octets += end;
            self.blocks.push(Block { kind, text: rest[..end].trim().to_owned(), place: place.to_owned() });
            rest = &rest[end..];
        }
        true
    }

    /// Learns title, publisher and date from the first lines, where the file did not tell them.
    pub(crate) fn read_top(&mut self) {
        let top = &self.blocks[..self.blocks.len().min(TOP_BLOCKS)];
        if self.title.is_none() {
            let heading = top.iter().find(|block| matches!(block.kind, BlockKind::Heading(_)));
            let title = heading.or(top.first()).filter(|block| block.text.len() <= 2 * BYLINE_OCTETS);
            self.title = title.map(|block| block.text.clone());
        }
        let label = |names: &[&str], text: &str| -> Option<String> {
            let (label, value) = text.split_once(':')?;
            let label = label.trim_matches(['*', '_', ' ', '-', '+']).to_ascii_lowercase();
            names.contains(&label.as_str()).then(|| value.trim_matches(['*', '_', ' ']).to_owned())
        };
        for block in top.iter().filter(|block| block.text.len() <= BYLINE_OCTETS) {
            let text = &block.text;
            if self.publisher.is_none() {
                let names = ["source", "publisher", "published by", "publication"];
                self.publisher = label(&names, text).filter(|name| !name.is_empty() && !name.contains("://"));
            }
            if let Some(url) = label(&["link", "url", "original", "permalink"], text) {
                self.hosts.extend(url.split_whitespace().filter_map(crate::name::url_host));
            }
        }
        let dated = |block: &&Block| {
            let text = block.text.trim_start_matches(|c: char| !c.is_alphanumeric());
            let lower = text.to_ascii_lowercase();
            let labelled =
                ["date", "published", "posted", "last updated", "updated", "by ", "written by", "release"]
                    .iter()
                    .any(|word| lower.starts_with(word));
            let short = text.len() <= BYLINE_OCTETS && !text.ends_with('.');
            short && (labelled || date::is_only_date(text) || text.contains(['|', '·', '•']))
        };
        if self.published.is_none() {
            let found = top.iter().filter(dated).find_map(|block| day(&block.text));
            self.published = found;
        }
    }
}

/// The one day of a text, if it speaks of one.
pub(crate) fn day(text: &str) -> Option<Window> {
    date::span(text).filter(|span| span.single).map(|span| span.window)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], published: &str, publisher: Option<&str>) {
        let mut document = Document::default();
        for line in lines {
            document.push(BlockKind::Paragraph, line, "line 1");
        }
        document.read_top();
        let day = document.published.map(|window| window.from.day().to_string()).unwrap_or_default();
        assert_eq!((day.as_str(), document.publisher.as_deref()), (published, publisher), "{lines:?}");
    }

    #[test]
    fn the_top_tells_when_and_by_whom() {
        check(&["A title", "Date: September 28, 2021"], "2021-09-28", None);
        check(
            &["A title", "Source: The Example", "By A. Writer on 3 March 2021"],
            "2021-03-03",
            Some("The Example"),
        );
        check(&["A title", "Research | Mar 3, 2021 | 5 min read"], "2021-03-03", None);
        check(&["A title", "The group was first seen on March 3, 2019."], "", None);
    }

    #[test]
    fn no_report_is_larger_than_its_limits() {
        let mut document = Document::default();
        let long = "word ".repeat(BLOCK_OCTETS);
        while document.push(BlockKind::Paragraph, &long, "line 1") {}
        assert!(document.octets <= TEXT_OCTETS + BLOCK_OCTETS);
        assert!(document.blocks.iter().all(|block| block.text.len() <= BLOCK_OCTETS));
    }
}
