//! Reports as web pages: the text of the article, without what surrounds it.
//!
//! The page is passed once, tag by tag, and no tree is built: time and memory grow with the text,
//! however deep its tags are. What browsers repair matters for looks, and not for sentences.

use rahdar_model::Window;

use super::document::{Block, BlockKind, Document, day};
use crate::name;

/// Elements whose content no reader sees, or that surround the article.
const HIDDEN: [&str; 16] = [
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "nav", "footer",
    "aside", "form", "button", "select", "dialog",
];
/// Elements whose content is no markup (HTML Standard §13.2.5).
const RAW: [&str; 4] = ["script", "style", "textarea", "title"];
/// Roles of what surrounds the article (WAI-ARIA 1.2 §5.3).
const ROLES: [&str; 7] =
    ["navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog"];
/// Words of classes and ids of what surrounds the article; chosen here, by how sites are made.
const AROUND: [&str; 32] = [
    "nav",
    "navbar",
    "navigation",
    "menu",
    "breadcrumb",
    "breadcrumbs",
    "cookie",
    "cookies",
    "consent",
    "gdpr",
    "footer",
    "sidebar",
    "share",
    "sharing",
    "social",
    "related",
    "recommended",
    "newsletter",
    "subscribe",
    "subscription",
    "comments",
    "comment",
    "advert",
    "advertisement",
    "ads",
    "promo",
    "popup",
    "modal",
    "onetrust",
    "skip",
    "pagination",
    "masthead",
];
/// Elements that begin a block.
const BLOCKS: [&str; 34] = [
    "p",
    "div",
    "section",
    "article",
    "main",
    "header",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "table",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "caption",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "pre",
    "blockquote",
    "figure",
    "figcaption",
    "hr",
    "address",
    "details",
    "summary",
    "body",
    "html",
];
/// Elements without content (HTML Standard §13.1.2).
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];
/// Octets of a tag that are looked at; chosen here.
const TAG_OCTETS: usize = 16 << 10;
/// Octets of a script that are searched for the date of publication.
const SCRIPT_OCTETS: usize = 256 << 10;

/// Reads a page.
pub(crate) fn read(page: &str) -> Document {
    let mut reader = Reader { line: 1, ..Reader::default() };
    let mut rest = page;
    while let Some(open) = rest.find('<') {
        reader.text(&rest[..open]);
        rest = &rest[open..];
        let used = reader.markup(rest);
        reader.count_lines(&rest[..used]);
        rest = &rest[used..];
    }
    reader.text(rest);
    reader.finish()
}

#[derive(Default)]
struct Reader {
    document: Document,
    /// The block so far, its references still in it.
    text: String,
    kind: Option<BlockKind>,
    line: usize,
    /// The line on which the block began.
    began: usize,
    /// What is left out, and how deep inside elements of that name.
    hidden: Option<(String, usize)>,
    /// How deep inside `main` or `article`, and which blocks were there.
    inside: usize,
    inner: Vec<bool>,
    /// Whether inside a row of a table, or in `pre`.
    row: bool,
    pre: bool,
    /// The first time that the page marks, if nothing says that it is that of publication.
    marked: Option<Window>,
    full: bool,
}

impl Reader {
    fn count_lines(&mut self, part: &str) {
        self.line += part.bytes().filter(|b| *b == b'\n').count();
    }

    fn text(&mut self, part: &str) {
        if self.hidden.is_none() && !self.full {
            if self.text.trim().is_empty() {
                let before = part.len() - part.trim_start().len();
                self.began = self.line + part[..before].bytes().filter(|b| *b == b'\n').count();
            }
            if self.pre {
                self.text.push_str(part);
            } else {
                // Line breaks of the file are spaces; those of the text come from `br`.
                self.text.extend(part.chars().map(|c| if c.is_whitespace() { ' ' } else { c }));
            }
        }
        self.count_lines(part);
    }

    /// Takes what begins with `<`; returns how many octets that is.
    fn markup(&mut self, rest: &str) -> usize {
        if let Some(comment) = rest.strip_prefix("<!--") {
            return comment.find("-->").map_or(rest.len(), |end| end + 7);
        }
        if rest.starts_with("<!") || rest.starts_with("<?") {
            return rest.find('>').map_or(rest.len(), |end| end + 1);
        }
        let name = rest[1..].trim_start_matches('/');
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            // A sign, and no tag.
            self.text("<");
            return 1;
        }
        let end = tag_end(rest);
        let tag = Tag::of(&rest[..end.min(rest.floor_char_boundary(TAG_OCTETS))]);
        if rest.starts_with("</") {
            self.close(&tag.name);
            return end;
        }
        self.open(&tag);
        if RAW.contains(&tag.name.as_str()) {
            let inner = &rest[end..];
            let length = raw_end(inner, &tag.name);
            self.raw(&tag, &inner[..length]);
            return end + length;
        }
        end
    }

    fn raw(&mut self, tag: &Tag<'_>, inner: &str) {
        if tag.name == "title" && self.document.title.is_none() {
            let title = unescaped(inner);
            // `The title | The site` and `The title - The site`
            let title = title.split(" | ").next().unwrap_or_default().trim().to_owned();
            self.document.title = Some(title).filter(|title| !title.is_empty());
        } else if tag.name == "script" && tag.value("type").is_some_and(|kind| kind.contains("ld+json")) {
            let inner = &inner[..inner.floor_char_boundary(SCRIPT_OCTETS)];
            if let Some((_, after)) = inner.split_once("\"datePublished\"") {
                let value = after.split('"').nth(1).unwrap_or_default();
                self.publish(value);
            }
        }
    }

    fn publish(&mut self, text: &str) {
        if self.document.published.is_none() {
            let text = text.trim();
            let text = text.split_once('T').filter(|(day, _)| day.len() == 10).map_or(text, |(day, _)| day);
            self.document.published = day(text);
        }
    }

    fn open(&mut self, tag: &Tag<'_>) {
        let name = tag.name.as_str();
        if matches!(name, "meta" | "link") {
            return self.about(tag);
        }
        let first_article = name == "article" && self.inside == 0 && !self.inner.contains(&true);
        if name == "main" || first_article {
            // The text ends what was never closed around it.
            self.hidden = None;
        }
        if let Some((hidden, depth)) = &mut self.hidden {
            *depth += usize::from(hidden == name);
            return;
        }
        if name == "time"
            && let Some(at) = tag.value("datetime")
        {
            let at = at.get(..10).unwrap_or(at);
            self.marked = self.marked.or_else(|| day(at));
        }
        if name == "a"
            && let Some(host) = tag.value("href").filter(|href| href.contains("://")).and_then(name::url_host)
        {
            self.document.hosts.push(host);
        }
        if !VOID.contains(&name) && is_around(tag, self.inside > 0) {
            self.flush();
            self.hidden = Some((name.to_owned(), 1));
            return;
        }
        match name {
            "br" => self.text.push('\n'),
            "td" | "th" if !self.text.trim().is_empty() => self.text.push_str(" | "),
            _ if BLOCKS.contains(&name) => self.begin(name),
            _ => {}
        }
    }

    fn begin(&mut self, name: &str) {
        // Paragraphs in a cell are parts of the row.
        if self.row && !matches!(name, "tr" | "table") {
            self.text.push(' ');
            return;
        }
        self.flush();
        self.inside += usize::from(matches!(name, "main" | "article"));
        self.row = name == "tr";
        self.pre |= name == "pre";
        self.kind = match name {
            "tr" => Some(BlockKind::Row),
            "li" | "dt" | "dd" | "pre" => Some(BlockKind::Item),
            "p" | "blockquote" => {
                Some(self.kind.filter(|kind| *kind == BlockKind::Item).unwrap_or(BlockKind::Paragraph))
            }
            _ => name
                .strip_prefix('h')
                .and_then(|level| level.parse().ok())
                .filter(|level| (1..=6).contains(level))
                .map(BlockKind::Heading),
        };
    }

    fn close(&mut self, name: &str) {
        if let Some((hidden, depth)) = &mut self.hidden {
            if hidden == name {
                *depth -= 1;
                if *depth == 0 {
                    self.hidden = None;
                }
            }
            return;
        }
        if !BLOCKS.contains(&name) {
            return;
        }
        if self.row && !matches!(name, "tr" | "table" | "tbody" | "thead" | "tfoot") {
            self.text.push(' ');
            return;
        }
        self.flush();
        self.row = false;
        self.pre &= name != "pre";
        self.kind = None;
        self.inside -= usize::from(matches!(name, "main" | "article") && self.inside > 0);
    }

    /// What the head of the page says of it.
    fn about(&mut self, tag: &Tag<'_>) {
        let value = tag.value("content").or_else(|| tag.value("href")).unwrap_or_default();
        let names = ["property", "name", "itemprop", "rel"];
        let name = names.iter().find_map(|name| tag.value(name)).unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "article:published_time"
            | "og:published_time"
            | "datepublished"
            | "date"
            | "dc.date"
            | "dc.date.issued"
            | "dcterms.created"
            | "dcterms.issued"
            | "pubdate"
            | "publishdate"
            | "publish-date"
            | "publish_date"
            | "parsely-pub-date"
            | "citation_publication_date"
            | "sailthru.date" => {
                self.publish(value);
            }
            "og:site_name" | "application-name" | "publisher" => {
                self.document.publisher.get_or_insert_with(|| unescaped(value));
            }
            "og:title" => self.document.title = Some(unescaped(value)).filter(|title| !title.is_empty()),
            "og:url" | "canonical" => self.document.hosts.extend(name::url_host(value)),
            _ => {}
        }
    }

    fn flush(&mut self) {
        let text = unescaped(&std::mem::take(&mut self.text));
        let kind = self.kind.unwrap_or(BlockKind::Paragraph);
        let place = format!("line {}", self.began);
        let room = if kind == BlockKind::Row {
            self.document.push(kind, text.trim_matches([' ', '|']), &place)
        } else if text.contains('\n') {
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            match kind {
                BlockKind::Paragraph => super::lines::put(&mut self.document, &lines, |_| place.clone()),
                _ => lines.iter().all(|line| self.document.push(kind, line, &place)),
            }
        } else {
            self.document.push(kind, &text, &place)
        };
        self.full |= !room;
        self.inner.resize(self.document.blocks.len(), self.inside > 0);
    }

    fn finish(mut self) -> Document {
        self.flush();
        let mut document = self.document;
        document.published = document.published.or(self.marked);
        // Of a page that marks its article, the article; unless the text stands elsewhere.
        let octets = |wanted: bool, blocks: &[Block]| -> usize {
            blocks
                .iter()
                .zip(&self.inner)
                .filter(|(_, inner)| **inner == wanted)
                .map(|(block, _)| block.text.len())
                .sum()
        };
        if octets(true, &document.blocks) > octets(false, &document.blocks) {
            let mut inner = self.inner.iter();
            document.blocks.retain(|_| inner.next().is_none_or(|inner| *inner));
        }
        document
    }
}

/// Whether an element surrounds the article, or cannot be seen.
fn is_around(tag: &Tag<'_>, inside: bool) -> bool {
    let name = tag.name.as_str();
    if matches!(name, "html" | "body" | "main" | "article" | "head") {
        return false;
    }
    // The header of a page holds its menus, that of an article its title.
    if HIDDEN.contains(&name) || (name == "header" && !inside) {
        return true;
    }
    if tag.value("role").is_some_and(|role| ROLES.contains(&role.to_ascii_lowercase().as_str()))
        || tag.value("aria-hidden") == Some("true")
        || tag.value("hidden").is_some()
        || tag.value("style").is_some_and(|style| style.replace(' ', "").contains("display:none"))
    {
        return true;
    }
    if !matches!(name, "div" | "section" | "ul" | "ol" | "p" | "span" | "table") {
        return false;
    }
    let words = |value: &str| {
        value
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| AROUND.iter().any(|around| word.eq_ignore_ascii_case(around)))
    };
    ["class", "id"].iter().filter_map(|name| tag.value(name)).any(words)
}

/// A start tag: its name in lower case, and its attributes.
struct Tag<'a> {
    name: String,
    attributes: Vec<(&'a str, &'a str)>,
}

/// Attributes of one tag that are read; chosen here.
const ATTRIBUTES_MAX: usize = 64;

impl<'a> Tag<'a> {
    fn of(tag: &'a str) -> Self {
        let tag = tag.trim_start_matches(['<', '/']).trim_end_matches('>');
        let end = tag.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(tag.len());
        let mut attributes = Vec::new();
        let mut rest = &tag[end..];
        while attributes.len() < ATTRIBUTES_MAX {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            let name_end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
            if rest.is_empty() {
                break;
            }
            let name = &rest[..name_end];
            rest = rest[name_end..].trim_start();
            let Some(after) = rest.strip_prefix('=') else {
                attributes.push((name, ""));
                continue;
            };
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (value, next) = match quote {
                Some(quote) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
            };
            attributes.push((name, value));
            rest = next;
        }
        Self { name: tag[..end].to_ascii_lowercase(), attributes }
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// Where a tag ends: after the first `>` outside quotes; after the next `>` at all, if a quote never closes.
fn tag_end(rest: &str) -> usize {
    let mut quote = None;
    let looked = rest.floor_char_boundary(TAG_OCTETS);
    for (i, byte) in rest.as_bytes()[..looked].iter().enumerate() {
        match (byte, quote) {
            (b'>', None) => return i + 1,
            (b'"' | b'\'', None) if rest.as_bytes()[..i].last() == Some(&b'=') => quote = Some(*byte),
            (byte, Some(open)) if *byte == open => quote = None,
            _ => {}
        }
    }
    rest.find('>').map_or(rest.len(), |end| end + 1)
}

/// How long the content of a raw element is.
fn raw_end(inner: &str, name: &str) -> usize {
    let mut at = 0;
    while let Some(found) = inner[at..].find("</") {
        let tag = &inner.as_bytes()[at + found + 2..];
        if tag.len() >= name.len() && tag[..name.len()].eq_ignore_ascii_case(name.as_bytes()) {
            return at + found;
        }
        at += found + 2;
    }
    inner.len()
}

/// References by name that reports use (HTML Standard §13.5).
const REFERENCES: [(&str, &str); 36] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("ensp", " "),
    ("emsp", " "),
    ("thinsp", " "),
    ("shy", "\u{ad}"),
    ("zwnj", "\u{200c}"),
    ("zwj", "\u{200d}"),
    ("ndash", "–"),
    ("mdash", "—"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("hellip", "…"),
    ("bull", "•"),
    ("middot", "·"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("period", "."),
    ("lsqb", "["),
    ("rsqb", "]"),
    ("lpar", "("),
    ("rpar", ")"),
    ("colon", ":"),
    ("sol", "/"),
    ("commat", "@"),
    ("uuml", "ü"),
    ("eacute", "é"),
];
/// The longest reference, in octets.
const REFERENCE_OCTETS: usize = 12;

/// The text with its references resolved; those that nobody knows stay as they are.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.as_bytes().iter().take(REFERENCE_OCTETS).position(|b| *b == b';');
        let character = end.and_then(|end| reference(&rest[1..end]));
        match (character, end) {
            (Some(character), Some(end)) => {
                out.push_str(&character);
                rest = &rest[end + 1..];
            }
            _ => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn reference(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| !c.is_control() || *c == '\n').map(String::from);
    }
    REFERENCES.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, blocks: &[(BlockKind, &str)]) {
        let document = read(page);
        let found: Vec<_> = document.blocks.iter().map(|block| (block.kind, block.text.as_str())).collect();
        assert_eq!(found, blocks, "{page}");
    }

    #[test]
    fn a_page_is_its_article() {
        check(
            "<html><head><title>A title | The site</title><style>p{}</style></head><body class='has-sidebar'>\
             <header><a href='/'>The site</a></header><nav>Home<nav>Deep</nav></nav>\
             <div class=\"cookie-banner\"><div>We use cookies</div></div>\
             <article><header><h1>A &ldquo;title&rdquo;</h1></header><p>It was\nso&nbsp;&#8211; <b>there</b>.</p>\
             <ul><li>one<li>two</ul><pre>a\nb</pre></article>\
             <aside>Related</aside><footer>example.org</footer></body></html>",
            &[
                (BlockKind::Heading(1), "A “title”"),
                (BlockKind::Paragraph, "It was so – there."),
                (BlockKind::Item, "one"),
                (BlockKind::Item, "two"),
                (BlockKind::Item, "a"),
                (BlockKind::Item, "b"),
            ],
        );
    }

    #[test]
    fn rows_hold_their_cells() {
        check(
            "<table><tr><th>Indicator</th><th>Type</th></tr><tr><td><p>c2[.]example[.]org</p></td><td>domain</td></tr></table>",
            &[(BlockKind::Row, "Indicator | Type"), (BlockKind::Row, "c2[.]example[.]org | domain")],
        );
    }

    #[test]
    fn lines_of_a_paragraph_that_are_indicators_are_items() {
        check(
            "<p>c2[.]example[.]org<br>192[.]0[.]2[.]1</p>",
            &[(BlockKind::Item, "c2[.]example[.]org"), (BlockKind::Item, "192[.]0[.]2[.]1")],
        );
    }

    #[test]
    fn the_head_says_when_and_where() {
        let page = "<meta property=\"article:published_time\" content=\"2021-09-28T10:00:00Z\">\
            <meta property='og:site_name' content='The Example'><link rel=canonical href=\"https://news.example.org/a\">";
        let document = read(page);
        assert_eq!(document.published.unwrap().from.day().to_string(), "2021-09-28");
        assert_eq!(document.publisher.as_deref(), Some("The Example"));
        assert_eq!(document.hosts, ["news.example.org"]);
        let page = "<script type=\"application/ld+json\">{\"datePublished\": \"2021-09-28\"}</script>";
        assert!(read(page).published.is_some());
    }

    #[test]
    fn what_is_no_markup_is_text() {
        check("<p>a < b & c &unknown; 1 <2</p>", &[(BlockKind::Paragraph, "a < b & c &unknown; 1 <2")]);
        check("<p title='a>b'>c", &[(BlockKind::Paragraph, "c")]);
        for open in ["<", "</", "<!--", "<a href='", "<p ", "&#", "<script>", "<p title=\""] {
            read(open);
            read(&open.repeat(1_000));
        }
    }

    #[test]
    fn depth_costs_nothing() {
        let page = format!("{}x{}", "<div>".repeat(200_000), "</div>".repeat(200_000));
        check(&page, &[(BlockKind::Paragraph, "x")]);
    }
}
