//! Undoes defanging: `hxxp[:]//c2[.]example(dot)org` becomes `http://c2.example.org`.

/// A text without its defanging, and where that was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refanged {
    /// The text.
    pub(crate) text: String,
    /// Offsets into `text` of what had been defanged, ascending.
    marks: Vec<usize>,
}

impl Refanged {
    /// A text that was never defanged.
    pub(crate) fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), marks: Vec::new() }
    }

    /// Whether something between these offsets had been defanged.
    pub(crate) fn was_defanged(&self, start: usize, end: usize) -> bool {
        let first = self.marks.partition_point(|mark| *mark < start);
        self.marks.get(first).is_some_and(|mark| *mark < end)
    }

    fn put(&mut self, text: &str) {
        self.marks.push(self.text.len());
        self.text.push_str(text);
    }

    fn after_word(&self) -> bool {
        self.text.ends_with(|c: char| c.is_alphanumeric())
    }
}

/// What stands between brackets of any kind, and what it stands for.
const BRACKETED: [(&str, &str); 10] = [
    (".", "."),
    ("dot", "."),
    ("d0t", "."),
    ("punkt", "."),
    ("://", "://"),
    (":", ":"),
    ("at", "@"),
    ("@", "@"),
    ("/", "/"),
    ("-", "-"),
];

/// Schemes as they are spoilt, and what they were.
const SCHEMES: [(&str, &str); 12] = [
    ("hxxps", "https"),
    ("hxxp", "http"),
    ("h**ps", "https"),
    ("h**p", "http"),
    ("htxps", "https"),
    ("htxp", "http"),
    ("hxtps", "https"),
    ("hxtp", "http"),
    ("h__ps", "https"),
    ("h__p", "http"),
    ("fxps", "ftps"),
    ("fxp", "ftp"),
];

/// Undoes the usual forms: `[.]`, `(.)`, `{.}`, the same around `dot`, `:`, `://`, `at` and `/`,
/// brackets that lost their other half, `\.`, `hxxp` in any case, and ` dot ` at the start of a line.
/// Invisible characters that come with copied text are dropped.
pub(crate) fn refang(line: &str) -> Refanged {
    let line = &spelled_dots(line);
    let mut out = Refanged { text: String::with_capacity(line.len()), marks: Vec::new() };
    let mut rest: &str = line;
    while let Some(c) = rest.chars().next() {
        rest = match c {
            '[' | '(' | '{' | '<' => bracket(&mut out, rest),
            '.' | ':' | ']' => half_bracket(&mut out, rest),
            '\\' => backslash(&mut out, rest),
            'h' | 'H' | 'f' | 'F' if !out.after_word() => scheme(&mut out, rest),
            '\u{200b}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => {
                &rest[c.len_utf8()..]
            }
            '\u{a0}' => plain(&mut out, rest, ' '),
            _ => plain(&mut out, rest, c),
        };
    }
    out
}

fn plain<'a>(out: &mut Refanged, rest: &'a str, put: char) -> &'a str {
    out.text.push(put);
    let mut chars = rest.chars();
    chars.next();
    chars.as_str()
}

/// `[.]` and its kin; a bracket that never closes, as in `c2[.example`, too.
fn bracket<'a>(out: &mut Refanged, rest: &'a str) -> &'a str {
    let inner = rest[1..].trim_start_matches([' ', '\\']);
    for (between, meant) in BRACKETED {
        let Some(after) = strip_prefix_ignoring_case(inner, between) else { continue };
        let Some(after) = after.trim_start_matches([' ', '\\']).strip_prefix([']', ')', '}', '>']) else {
            continue;
        };
        let spaced = out.text.ends_with(' ') && after.starts_with(' ');
        if spaced {
            out.text.truncate(out.text.trim_end().len());
        }
        out.put(meant);
        return if spaced { after.trim_start() } else { after };
    }
    let alone = rest[1..].strip_prefix('.').filter(|after| out.after_word() && starts_with_word(after));
    match alone {
        Some(after) => {
            out.put(".");
            after
        }
        None => plain(out, rest, rest.as_bytes()[0] as char),
    }
}

/// `.]`, `:]` and `]]:` without an opening bracket.
fn half_bracket<'a>(out: &mut Refanged, rest: &'a str) -> &'a str {
    let c = rest.as_bytes()[0] as char;
    if c == ']' {
        if out.text.ends_with("http") || out.text.ends_with("https") {
            let after = rest.trim_start_matches(']');
            if let Some(after) = after.strip_prefix("://") {
                out.put("://");
                return after;
            }
        }
    } else if let Some(after) = rest[1..].strip_prefix([']', ')', '}'])
        && out.after_word()
        && (starts_with_word(after) && c == '.' || after.starts_with("//"))
    {
        out.put(&rest[..1]);
        return after;
    }
    plain(out, rest, c)
}

/// `\.` and the backslashes of Markdown, `\[.\]`.
fn backslash<'a>(out: &mut Refanged, rest: &'a str) -> &'a str {
    let after = &rest[1..];
    if let Some(word) = after.strip_prefix('.')
        && out.after_word()
        && starts_with_word(word)
    {
        out.put(".");
        return word;
    }
    if after.starts_with(['[', ']', '_']) {
        return after;
    }
    plain(out, rest, '\\')
}

fn scheme<'a>(out: &mut Refanged, rest: &'a str) -> &'a str {
    for (spoilt, meant) in SCHEMES {
        if let Some(after) = strip_prefix_ignoring_case(rest, spoilt)
            && after.starts_with([':', '[', '(', '{', ']'])
        {
            out.put(meant);
            return after;
        }
    }
    plain(out, rest, rest.as_bytes()[0] as char)
}

/// Joins `c2 dot example dot org` at the start of a line; prose that says "dot" stays as it is.
fn spelled_dots(line: &str) -> std::borrow::Cow<'_, str> {
    let start = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    let mut words = start.split(' ');
    let mut joined = words.next().unwrap_or_default().to_owned();
    let (mut used, mut dots) = (joined.len(), 0);
    while let (Some(dot), Some(word)) = (words.next(), words.next()) {
        if !dot.eq_ignore_ascii_case("dot") || !starts_with_word(word) {
            break;
        }
        joined.push_str("[.]");
        joined.push_str(word);
        used += dot.len() + word.len() + 2;
        dots += 1;
    }
    // One dot with a word after it is prose: `the dot com years`.
    let prose =
        dots == 1 && start[used..].starts_with([' ', '-']) && starts_with_word(start[used..].trim_start());
    if dots == 0 || prose || joined.starts_with('[') {
        return line.into();
    }
    format!("{}{joined}{}", &line[..line.len() - start.len()], &start[used..]).into()
}

fn starts_with_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphanumeric())
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(defanged: &str, text: &str) {
        let refanged = refang(defanged);
        assert_eq!(refanged.text, text, "{defanged}");
        assert_eq!(refanged.was_defanged(0, text.len()), defanged != text, "{defanged}");
    }

    #[test]
    fn every_usual_form_is_undone() {
        for dots in [
            "[.]", "(.)", "{.}", "[dot]", "(dot)", "[DOT]", "{dot}", "[.", ".]", "\\.", "[ . ]", "\\[.\\]",
            " [.] ",
        ] {
            check(&format!("c2.example{dots}org"), "c2.example.org");
            check(&format!("192.0.2{dots}7"), "192.0.2.7");
        }
        for scheme in [
            "hxxp://",
            "hXXp://",
            "HXXP://",
            "h**p://",
            "http[:]//",
            "hxxp[:]//",
            "http[://]",
            "hxxp[://]",
            "http]]://",
            "http:]//",
        ] {
            check(&format!("{scheme}example.org/x"), "http://example.org/x");
        }
        check("hxxps://example[.]org", "https://example.org");
        check("fxp://example[.]org", "ftp://example.org");
        check("198.51.100[.]7[:]443", "198.51.100.7:443");
        check("someone[at]example[.]org", "someone@example.org");
        check("someone[@]example.org", "someone@example.org");
        check("c2 dot example dot org", "c2.example.org");
        check("- 192 dot 0 dot 2 dot 7 port 80", "- 192.0.2.7 port 80");
    }

    #[test]
    fn what_is_not_defanged_stays() {
        for text in [
            "the dot com years",
            "(see below)",
            "a [b] c",
            "C:\\temp\\x.exe",
            "[2001:db8::1]:443",
            "hxxp",
            "1.2",
            "x.)",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn invisible_characters_are_dropped() {
        assert_eq!(refang("192.0\u{200b}.2.7\u{a0}x").text, "192.0.2.7 x");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_a_refanged_text_stays_as_it_is(text in "\\PC{0,80}") {
            refang(&text);
        }

        #[test]
        fn marks_lie_in_the_text(text in "[a-z0-9.:\\[\\](){}\\\\ hxpdot/]{0,60}") {
            let refanged = refang(&text);
            prop_assert!(refanged.marks.is_sorted());
            prop_assert!(refanged.marks.iter().all(|mark| *mark < refanged.text.len()));
        }
    }
}
