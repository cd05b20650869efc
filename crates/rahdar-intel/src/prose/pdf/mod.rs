//! Reports as PDF.
//!
//! A small reader of our own: text needs a tenth of the format, and what arrives may be made to
//! harm. Objects, octets unpacked and read, lines, forms and depth are bounded by named limits; no
//! font program, image, script or attachment is opened.

mod file;
mod font;
mod object;
mod page;

use std::collections::{HashMap, HashSet};

use super::document::{BlockKind, Document, day};
use super::lines;
use crate::reading::ReadError;
use file::File;
use object::{Dict, Object};
use page::{Line, Pages};

/// Pages of one file at most; chosen here.
const PAGES_MAX: usize = 10_000;
/// Nodes of the tree of pages at most.
const NODES_MAX: usize = 4 * PAGES_MAX;
/// Pages on which a line stands that is no text but their head or foot.
const REPEATS: usize = 3;
/// How much larger than the text a heading is.
const HEADING: f64 = 1.12;
/// How far apart, in sizes, the lines of one paragraph are at most.
const PARAGRAPH: f64 = 1.75;
/// Octets of a heading at most.
const HEADING_OCTETS: usize = 200;

/// Reads a PDF.
///
/// # Errors
/// [`ReadError::Unsupported`] if it is encrypted, or shows no text: a scan.
pub(super) fn read(bytes: &[u8]) -> Result<Document, ReadError> {
    let file = File::open(bytes)?;
    let mut pages = Pages::new(&file);
    for (page, resources) in page_list(&file) {
        pages.read(&page, &resources);
    }
    let lines = pages.lines;
    if lines.is_empty() {
        return Err(ReadError::Unsupported {
            what: "a PDF without text",
            remedy: "it may be a scan: recognise its text first, or copy its indicators into a text file",
        });
    }
    let mut document = laid_out(&lines);
    let info = file.about("Info");
    if let Object::Dict(info) = info {
        document.title = text(&file.value(&info, "Title")).or(document.title);
        document.read_top();
        // `D:20210928…`: when the file was made, if the text does not say more.
        let made = text(&file.value(&info, "CreationDate")).unwrap_or_default();
        let digits: String = made.chars().filter(char::is_ascii_digit).take(8).collect();
        if document.published.is_none() && digits.len() == 8 {
            document.published = day(&format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]));
        }
    }
    Ok(document)
}

/// A text of the dictionary of information: UTF-16 with a mark, else Latin-1.
fn text(object: &Object) -> Option<String> {
    let Object::Text(bytes) = object else { return None };
    let text = match bytes.strip_prefix(b"\xfe\xff") {
        Some(rest) => {
            let units: Vec<u16> =
                rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        None => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let text = text.trim().to_owned();
    (text.contains(' ') || text.starts_with("D:")).then_some(text)
}

/// Every page with its resources, in order; where the tree is broken, in the order of numbers.
fn page_list(file: &File<'_>) -> Vec<(Dict, Dict)> {
    let root = match file.about("Root") {
        Object::Dict(root) => root,
        _ => Dict::new(),
    };
    let mut pages = Vec::new();
    let mut seen = HashSet::new();
    let mut left: Vec<(Object, Dict)> =
        root.get("Pages").map(|pages| (pages.clone(), Dict::new())).into_iter().collect();
    while let Some((object, inherited)) = left.pop() {
        let new = match &object {
            Object::Reference(number) => seen.insert(*number),
            _ => true,
        };
        if !new || pages.len() >= PAGES_MAX || seen.len() > NODES_MAX {
            continue;
        }
        let node = file.dict(Some(&object));
        let own = file.dict(node.get("Resources"));
        let resources = if own.is_empty() { inherited } else { own };
        match file.value(&node, "Kids") {
            Object::Array(kids) if left.len() + kids.len() <= NODES_MAX => {
                left.extend(kids.into_iter().rev().map(|kid| (kid, resources.clone())));
            }
            _ if !node.is_empty() => pages.push((node, resources)),
            _ => {}
        }
    }
    if pages.iter().any(|(page, _)| page.contains_key("Contents")) {
        return pages;
    }
    let is_page = |dict: &Dict| file.value(dict, "Type").name() == Some("Page");
    let all = file.numbers().into_iter().map(|number| file.dict(Some(&Object::Reference(number))));
    all.filter(is_page)
        .take(PAGES_MAX)
        .map(|page| {
            let resources = file.dict(page.get("Resources"));
            (page, resources)
        })
        .collect()
}

/// Lines as blocks.
fn laid_out(lines: &[Line]) -> Document {
    let lines = without_repeats(lines);
    let body = body_size(&lines);
    let mut document = Document::default();
    let mut from = 0;
    while from < lines.len() {
        let mut until = from + 1;
        while until < lines.len() && belong(lines[until - 1], lines[until]) {
            until += 1;
        }
        let group = &lines[from..until];
        let place = format!("page {}", group[0].page);
        let texts: Vec<&str> = group.iter().map(|line| line.text.trim()).collect();
        let whole = lines::joined(&texts);
        let room = if group[0].size > body * HEADING && whole.len() <= HEADING_OCTETS {
            let level = if group[0].size > body * 1.6 { 1 } else { 2 };
            document.push(BlockKind::Heading(level), &whole, &place)
        } else if texts.iter().any(|text| text.contains(" | ")) {
            texts.iter().all(|text| {
                let kind = if text.contains(" | ") { BlockKind::Row } else { BlockKind::Item };
                document.push(kind, text, &place)
            })
        } else {
            lines::put(&mut document, &texts, |_| place.clone())
        };
        if !room {
            break;
        }
        from = until;
    }
    document
}

/// Whether a line goes on with the paragraph of the one before, on the next page too.
fn belong(line: &Line, next: &Line) -> bool {
    let alike = (line.size - next.size).abs() <= 0.6;
    if line.page != next.page {
        let ended = line.text.trim_end().ends_with(['.', '!', '?', ':', '”']);
        return alike && !ended && next.text.trim_start().starts_with(|c: char| c.is_lowercase());
    }
    let gap = line.y - next.y;
    // Upwards is the next column.
    alike
        && (gap < 0.0 && !line.text.trim_end().ends_with(['.', '!', '?', ':'])
            || (0.0..=PARAGRAPH * line.size.max(1.0)).contains(&gap))
}

/// The lines but for those that stand on many pages.
fn without_repeats(lines: &[Line]) -> Vec<&Line> {
    // But for numbers: those of pages change.
    let key = |line: &Line| -> String {
        line.text.split_whitespace().filter(|word| !word.bytes().all(|b| b.is_ascii_digit())).collect()
    };
    let mut pages: HashMap<String, HashSet<usize>> = HashMap::new();
    for line in lines {
        pages.entry(key(line)).or_default().insert(line.page);
    }
    let count = lines.iter().map(|line| line.page).collect::<HashSet<_>>().len();
    let repeated = |line: &Line| {
        pages.get(&key(line)).is_some_and(|pages| pages.len() >= REPEATS && pages.len() * 2 > count)
    };
    lines.iter().filter(|line| !repeated(line)).collect()
}

/// The size that most of the text has.
fn body_size(lines: &[&Line]) -> f64 {
    let mut sizes: HashMap<i64, usize> = HashMap::new();
    for line in lines {
        *sizes.entry((line.size * 10.0).round() as i64).or_default() += line.text.len();
    }
    sizes
        .into_iter()
        .max_by_key(|(size, octets)| (*octets, -size))
        .map_or(0.0, |(size, _)| size as f64 / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PDF of one page a content, in Helvetica.
    fn pdf(contents: &[&str]) -> Vec<u8> {
        let mut file = String::from("%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n");
        let kids: String = (0..contents.len()).map(|i| format!("{} 0 R ", 10 + 2 * i)).collect();
        file.push_str(&format!(
            "2 0 obj <</Type/Pages/Kids[{kids}]/Resources<</Font<</F 3 0 R>>>>>> endobj\n"
        ));
        file.push_str("3 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</Differences[1/fi/ffl]>>>> endobj\n");
        for (i, content) in contents.iter().enumerate() {
            let (page, stream) = (10 + 2 * i, 11 + 2 * i);
            file.push_str(&format!(
                "{page} 0 obj <</Type/Page/Parent 2 0 R/Contents {stream} 0 R>> endobj\n"
            ));
            file.push_str(&format!(
                "{stream} 0 obj <</Length {}>> stream\n{content}\nendstream endobj\n",
                content.len()
            ));
        }
        file.push_str("trailer <</Root 1 0 R>>\n%%EOF");
        file.into_bytes()
    }

    fn check(contents: &[&str], blocks: &[(BlockKind, &str, &str)]) {
        let document = read(&pdf(contents)).unwrap();
        let found: Vec<_> = document
            .blocks
            .iter()
            .map(|block| (block.kind, block.text.as_str(), block.place.as_str()))
            .collect();
        assert_eq!(found, blocks);
    }

    #[test]
    fn lines_words_and_ligatures_are_put_together() {
        let text = "BT /F 20 Tf 72 720 Td (A heading) Tj /F 10 Tf 0 -40 Td (The group was seen in the net-) Tj \
            0 -12 Td (works of a provider and took \\001les from it; it was) Tj 0 -12 Td [(o\\002ine)-300(later.)] TJ ET";
        check(
            &[text],
            &[
                (BlockKind::Heading(1), "A heading", "page 1"),
                (
                    BlockKind::Paragraph,
                    "The group was seen in the networks of a provider and took files from it; it was offline later.",
                    "page 1",
                ),
            ],
        );
    }

    #[test]
    fn rows_have_cells_and_heads_of_pages_are_left_out() {
        let page = |row: &str| {
            format!(
                "BT /F 8 Tf 72 780 Td (Example report) Tj /F 10 Tf 0 -60 Td ({row}) Tj 200 0 Td (443) Tj ET"
            )
        };
        let pages: Vec<String> = (1..=3).map(|n| page(&format!("192[.]0[.]2[.]{n}"))).collect();
        check(
            &pages.iter().map(String::as_str).collect::<Vec<_>>(),
            &[
                (BlockKind::Row, "192[.]0[.]2[.]1 | 443", "page 1"),
                (BlockKind::Row, "192[.]0[.]2[.]2 | 443", "page 2"),
                (BlockKind::Row, "192[.]0[.]2[.]3 | 443", "page 3"),
            ],
        );
    }

    #[test]
    fn a_file_without_text_is_refused_by_name() {
        for file in [
            &b"%PDF-1.4"[..],
            b"%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 1 0 R/Kids[1 0 R]>> endobj trailer <</Root 1 0 R>>",
        ] {
            assert!(matches!(read(file), Err(ReadError::Unsupported { what: "a PDF without text", .. })));
        }
    }

    #[test]
    fn what_shows_itself_ends() {
        let form = "%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj 2 0 obj <</Kids[3 0 R 3 0 R 2 0 R]>> endobj \
            3 0 obj <</Type/Page/Contents 4 0 R/Resources<</XObject<</X 4 0 R>>>>>> endobj \
            4 0 obj <</Subtype/Form/Length 9 0 R>> stream\n/X Do /X Do /X Do /X Do /X Do /X Do\nendstream endobj trailer <</Root 1 0 R>>";
        assert!(read(form.as_bytes()).is_err());
    }
}
