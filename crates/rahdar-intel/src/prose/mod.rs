//! Reports in prose: text, Markdown, HTML and PDF, into proposals that wait for a person.
//!
//! * `html`, `markdown`, `lines`, `pdf`: a file becomes a [`document::Document`], blocks of text
//!   without what surrounds them.
//! * `sentence`, `when`, `names`, `victim`, `saying`: what one sentence holds.
//! * `proposing`: sentences become proposals, each with its sentence and its place.
//!
//! Indicators are found by the reader of lists ([`crate::list`]): there is one extractor. What is
//! read here is a guess about English sentences. It is wrong where a sentence speaks of two
//! things at once, and blind where nothing it knows is said; so nothing of it enters the book
//! unseen.

mod country;
mod document;
mod html;
mod lines;
mod markdown;
mod names;
mod pdf;
mod proposing;
mod saying;
mod sentence;
mod victim;
mod when;

pub use names::Names;

use std::sync::LazyLock;

use regex::Regex;

use crate::reading::{ReadError, ReadOptions, Reading};
use crate::source::Source;

/// Octets of a report at most; chosen here: the largest published PDFs have a half.
pub(crate) const REPORT_MAX: usize = 64 << 20;

/// Whether these octets are a PDF: the mark stands in the first 1,024 (PDF 1.7, implementation
/// note 13 of annex H).
pub(crate) fn is_pdf(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(1 << 10)].windows(5).any(|mark| mark == b"%PDF-")
}

/// Whether a text is a report rather than a list: most of its words stand in sentences, and neither
/// its name nor its first line nor its title calls it a list of indicators.
pub(crate) fn is_report(name: &str, text: &str) -> bool {
    let text = &text[..text.floor_char_boundary(SAMPLE_OCTETS)];
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).take(TITLE_LINES);
    let first = lines.next().unwrap_or_default();
    let title = lines.find(|line| line.starts_with("# ") || line.starts_with("= ")).unwrap_or_default();
    let is_list = |line: &str| LISTED.is_match(&line[..line.floor_char_boundary(ITEM_OCTETS)]);
    if LISTED.is_match(name) || is_list(first) || is_list(title) {
        return false;
    }
    let document = if is_markdown(text) { markdown::read(text) } else { lines::read(text) };
    let (mut told, mut listed, mut sentences) = (0, 0, 0);
    for block in &document.blocks {
        let words = block.text.split_whitespace().count();
        match block.kind {
            document::BlockKind::Paragraph
                if words > ITEM_WORDS && (block.text.contains(". ") || block.text.ends_with(['.', '”'])) =>
            {
                told += words;
                sentences += sentence::sentences(&block.text).len();
            }
            document::BlockKind::Heading(_) => {}
            _ => listed += words,
        }
    }
    sentences >= REPORT_SENTENCES && told > listed
}

/// Words by which a list calls itself one.
static LISTED: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(r"(?i)(?:^|[^a-z])(?:IOCs?|indicators(?: of compromise)?|blocklist|blacklist)(?:[^a-z]|$)")
});
/// Lines, empty ones aside, in which a title may stand; chosen here: attributes of AsciiDoc and front
/// matter of Markdown come before it.
const TITLE_LINES: usize = 20;
/// Octets of a first line that are looked at.
const ITEM_OCTETS: usize = 200;
/// Octets of a text that tell whether it is a report; chosen here.
const SAMPLE_OCTETS: usize = 256 << 10;
/// Sentences of the shortest report; chosen here: notes above lists have fewer.
const REPORT_SENTENCES: usize = 3;
/// Words of an item at most; longer ones are text.
pub(crate) const ITEM_WORDS: usize = 8;

/// Whether a text is written in Markdown: it has marks that plain text does not.
fn is_markdown(text: &str) -> bool {
    let marked = |line: &str| {
        let hashes = line.bytes().take_while(|b| *b == b'#').count();
        (1..=6).contains(&hashes) && line[hashes..].starts_with(' ')
            || line.contains("](")
            || line.starts_with("```")
            || line.contains("**")
    };
    text.lines().any(marked)
}

/// Reads a report in text or Markdown.
pub(crate) fn read_text(
    source: &Source,
    text: &str,
    options: &ReadOptions,
    names: &Names,
) -> Result<Reading, ReadError> {
    fits(text.len())?;
    let document = if is_markdown(text) { markdown::read(text) } else { lines::read(text) };
    proposing::read(source, document, options, names)
}

/// Reads a web page.
pub(crate) fn read_html(
    source: &Source,
    text: &str,
    options: &ReadOptions,
    names: &Names,
) -> Result<Reading, ReadError> {
    fits(text.len())?;
    proposing::read(source, html::read(text), options, names)
}

/// Reads a PDF.
pub(crate) fn read_pdf(
    source: &Source,
    bytes: &[u8],
    options: &ReadOptions,
    names: &Names,
) -> Result<Reading, ReadError> {
    fits(bytes.len())?;
    proposing::read(source, pdf::read(bytes)?, options, names)
}

fn fits(octets: usize) -> Result<(), ReadError> {
    if octets > REPORT_MAX {
        return Err(ReadError::TooLarge { most: REPORT_MAX, what: "octets in one report" });
    }
    Ok(())
}
