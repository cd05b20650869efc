//! Patterns of STIX 2.1 §9 (and 2.0): what flows can answer of them.
//!
//! A pattern is read whole, by the grammar, with a bounded depth. Of its comparisons the
//! equalities, `IN` and `ISSUBSET` on endpoints are kept; others cannot be answered by flows and
//! are named.

use std::collections::BTreeSet;

use rahdar_model::intelligence::{HashKind, Indicator};
use rahdar_model::{Prefix, Timestamp, Window};

use crate::find::{Endpoint, protocol};
use crate::name;
use crate::refang::refang;

/// What a pattern says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Endpoints, in the order of the pattern, each once.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Object paths that flows cannot answer, such as `file:name`.
    pub(crate) unanswerable: BTreeSet<String>,
    /// Values that are none of what their object path holds, after that path.
    pub(crate) wrong: Vec<(String, String)>,
    /// The window of a `START … STOP …` qualifier.
    pub(crate) window: Option<Window>,
}

/// Brackets and parentheses within each other at most (`reliability.md` §3).
const DEPTH_MAX: usize = 32;
/// Octets of a pattern at most; chosen here: a pattern of a thousand hashes is 80 kB.
const PATTERN_MAX: usize = 1 << 20;
/// Comparisons that the alternatives of one pattern may multiply to; chosen here.
const TERMS_MAX: usize = 100_000;

/// Reads a pattern.
///
/// # Errors
/// A sentence that says what was expected, and at which octet.
pub(crate) fn read(pattern: &str) -> Result<Reading, String> {
    if pattern.len() > PATTERN_MAX {
        return Err(format!("it is longer than {PATTERN_MAX} octets"));
    }
    let tokens = tokens(pattern)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, reading: Reading::default() };
    parser.observations()?;
    match parser.tokens.get(parser.at) {
        None => Ok(parser.reading),
        Some((at, token)) => Err(format!("{token} is not expected at octet {at}")),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A keyword, in capitals.
    Word(String),
    /// `ipv4-addr:value`, `file:hashes.'SHA-256'`.
    Path(String),
    Text(String),
    Number(String),
    Time(String),
    /// Hexadecimal or Base64 octets.
    Octets,
    Sign(&'static str),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(text) | Self::Path(text) | Self::Number(text) => write!(f, "`{text}`"),
            Self::Text(text) | Self::Time(text) => write!(f, "`'{text}'`"),
            Self::Octets => f.write_str("a binary value"),
            Self::Sign(sign) => write!(f, "`{sign}`"),
        }
    }
}

const SIGNS: [&str; 13] = ["!=", "<>", "<=", ">=", "==", "=", "<", ">", "(", ")", "[", "]", ","];
const KEYWORDS: [&str; 21] = [
    "AND",
    "OR",
    "NOT",
    "FOLLOWEDBY",
    "IN",
    "LIKE",
    "MATCHES",
    "ISSUBSET",
    "ISSUPERSET",
    "EXISTS",
    "WITHIN",
    "REPEATS",
    "TIMES",
    "SECONDS",
    "START",
    "STOP",
    "TRUE",
    "FALSE",
    "HOURS",
    "MINUTES",
    "DAYS",
];

fn tokens(pattern: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = pattern[at..].chars().next() {
        let rest = &pattern[at..];
        let (token, length) = if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        } else if c == '\'' {
            let (text, length) = quoted(rest, at)?;
            (Token::Text(text), length)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else if let Some(tail) = rest.strip_prefix(['t', 'h', 'b']).filter(|tail| tail.starts_with('\'')) {
            let (text, length) = quoted(tail, at + 1)?;
            (if c == 't' { Token::Time(text) } else { Token::Octets }, length + 1)
        } else if c.is_ascii_digit()
            || (matches!(c, '-' | '+') && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            let length =
                1 + rest[1..].find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len() - 1);
            (Token::Number(rest[..length].to_owned()), length)
        } else if c.is_alphabetic() || c == '_' {
            word_or_path(rest, at)?
        } else {
            return Err(format!("`{c}` is not expected at octet {at}"));
        };
        tokens.push((at, token));
        at += length;
    }
    Ok(tokens)
}

fn word_or_path(rest: &str, at: usize) -> Result<(Token, usize), String> {
    let word_end = rest.find(|c: char| !c.is_alphanumeric() && !"_-".contains(c)).unwrap_or(rest.len());
    if !rest[word_end..].starts_with(':') {
        let word = rest[..word_end].to_ascii_uppercase();
        return match KEYWORDS.contains(&word.as_str()) {
            true => Ok((Token::Word(word), word_end)),
            false => {
                Err(format!("`{}` at octet {at} is neither a keyword nor an object path", &rest[..word_end]))
            }
        };
    }
    let mut end = word_end + 1;
    while let Some(c) = rest[end..].chars().next() {
        if c == '\'' {
            end += quoted(&rest[end..], at + end)?.1;
        } else if c == '[' {
            end +=
                rest[end..].find(']').ok_or_else(|| format!("the index at octet {} has no end", at + end))?
                    + 1;
        } else if c.is_alphanumeric() || "_-.".contains(c) {
            end += c.len_utf8();
        } else {
            break;
        }
    }
    Ok((Token::Path(rest[..end].to_owned()), end))
}

/// A text between single quotes, and the octets it took; `\'` and `\\` are unescaped.
fn quoted(rest: &str, at: usize) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => text.extend(chars.next().map(|(_, c)| c)),
            '\'' => return Ok((text, i + 1)),
            c => text.push(c),
        }
    }
    Err(format!("the text at octet {at} has no end"))
}

/// One way to satisfy a comparison expression: the endpoints and what was said of their ports.
#[derive(Debug, Clone, Default)]
struct Way {
    endpoints: Vec<Indicator>,
    /// Endpoints said to be the source: hostile only where no destination is named.
    sources: Vec<Indicator>,
    port: Option<u16>,
    source_port: Option<u16>,
    protocol: Option<u8>,
}

impl Way {
    fn and(&mut self, other: &Self) {
        self.endpoints.extend_from_slice(&other.endpoints);
        self.sources.extend_from_slice(&other.sources);
        self.port = self.port.or(other.port);
        self.source_port = self.source_port.or(other.source_port);
        self.protocol = self.protocol.or(other.protocol);
    }

    fn len(&self) -> usize {
        1 + self.endpoints.len() + self.sources.len()
    }
}

struct Parser<'a> {
    tokens: &'a [(usize, Token)],
    at: usize,
    depth: usize,
    reading: Reading,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn next(&mut self, expected: &str) -> Result<Token, String> {
        let token =
            self.tokens.get(self.at).ok_or_else(|| format!("it ends where {expected} is expected"))?;
        self.at += 1;
        Ok(token.1.clone())
    }

    fn wrong<T>(&self, expected: &str) -> Result<T, String> {
        match self.tokens.get(self.at) {
            Some((at, token)) => Err(format!("{token} at octet {at} stands where {expected} is expected")),
            None => Err(format!("it ends where {expected} is expected")),
        }
    }

    fn take(&mut self, token: &Token) -> bool {
        let is = self.peek() == Some(token);
        self.at += usize::from(is);
        is
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), String> {
        if self.take(&Token::Sign(sign)) { Ok(()) } else { self.wrong(&format!("`{sign}`")) }
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(format!("it nests deeper than {DEPTH_MAX}")) } else { Ok(()) }
    }

    /// Observation expressions joined by `AND`, `OR`, `FOLLOWEDBY`: whichever it is, each names
    /// endpoints of the same activity.
    fn observations(&mut self) -> Result<(), String> {
        loop {
            self.observation()?;
            if !(self.take_word("AND") || self.take_word("OR") || self.take_word("FOLLOWEDBY")) {
                return Ok(());
            }
        }
    }

    fn observation(&mut self) -> Result<(), String> {
        if self.take(&Token::Sign("(")) {
            self.deeper()?;
            self.observations()?;
            self.expect(")")?;
            self.depth -= 1;
        } else {
            self.expect("[")?;
            let ways = self.either()?;
            self.expect("]")?;
            for way in ways {
                self.keep(way);
            }
        }
        self.qualifiers()
    }

    fn qualifiers(&mut self) -> Result<(), String> {
        loop {
            if self.take_word("START") {
                let from = self.time()?;
                if !self.take_word("STOP") {
                    return self.wrong("`STOP`");
                }
                let window = Window::new(from, self.time()?);
                let known = self.reading.window.unwrap_or(window);
                let hull = Window::new(known.from.min(window.from), known.until.max(window.until));
                self.reading.window = Some(hull);
            } else if self.take_word("WITHIN") || self.take_word("REPEATS") {
                self.next("a number")?;
                if !matches!(self.next("a unit")?, Token::Word(_)) {
                    return self.wrong("a unit");
                }
            } else {
                return Ok(());
            }
        }
    }

    fn time(&mut self) -> Result<Timestamp, String> {
        match self.next("a time")? {
            Token::Time(text) | Token::Text(text) => {
                text.parse().map_err(|_| format!("`{text}` is not a time"))
            }
            token => Err(format!("{token} is not a time")),
        }
    }

    fn either(&mut self) -> Result<Vec<Way>, String> {
        let mut ways = self.all()?;
        while self.take_word("OR") {
            ways.extend(self.all()?);
        }
        Ok(ways)
    }

    fn all(&mut self) -> Result<Vec<Way>, String> {
        let mut ways = self.comparison()?;
        while self.take_word("AND") {
            let more = self.comparison()?;
            let size = |ways: &[Way]| ways.iter().map(Way::len).sum::<usize>();
            if size(&ways) * more.len() + size(&more) * ways.len() > TERMS_MAX {
                return Err(format!("its alternatives multiply to more than {TERMS_MAX} terms"));
            }
            match more.as_slice() {
                [one] => ways.iter_mut().for_each(|way| way.and(one)),
                many => {
                    let joined = ways.iter().flat_map(|way| {
                        many.iter().map(|other| {
                            let mut both = way.clone();
                            both.and(other);
                            both
                        })
                    });
                    ways = joined.collect();
                }
            }
        }
        Ok(ways)
    }

    fn comparison(&mut self) -> Result<Vec<Way>, String> {
        if self.take(&Token::Sign("(")) {
            self.deeper()?;
            let ways = self.either()?;
            self.expect(")")?;
            self.depth -= 1;
            return Ok(ways);
        }
        let negated = self.take_word("NOT");
        if self.take_word("EXISTS") {
            let Token::Path(path) = self.next("an object path")? else { return self.wrong("an object path") };
            return Ok(self.unanswerable(&path));
        }
        let Token::Path(path) = self.next("an object path")? else {
            self.at -= 1;
            return self.wrong("an object path");
        };
        let negated = self.take_word("NOT") || negated;
        let operator = self.next("an operator")?;
        let values = match &operator {
            Token::Word(word) if word == "IN" => self.set()?,
            Token::Word(word) if matches!(word.as_str(), "LIKE" | "MATCHES" | "ISSUBSET" | "ISSUPERSET") => {
                vec![self.value()?]
            }
            Token::Sign("=" | "==" | "!=" | "<>" | "<" | ">" | "<=" | ">=") => vec![self.value()?],
            _ => {
                self.at -= 1;
                return self.wrong("an operator");
            }
        };
        let equal = match &operator {
            Token::Sign(sign) => matches!(*sign, "=" | "=="),
            Token::Word(word) => matches!(word.as_str(), "IN" | "ISSUBSET"),
            _ => false,
        };
        if negated || !equal {
            return Ok(self.unanswerable(&path));
        }
        Ok(self.ways(&path, &values))
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        self.expect("(")?;
        let mut values = vec![self.value()?];
        while self.take(&Token::Sign(",")) {
            values.push(self.value()?);
        }
        self.expect(")")?;
        Ok(values)
    }

    fn value(&mut self) -> Result<String, String> {
        match self.next("a value")? {
            Token::Text(text) | Token::Number(text) | Token::Time(text) => Ok(text),
            Token::Word(word) if word == "TRUE" || word == "FALSE" => Ok(word),
            Token::Octets => Ok(String::new()),
            _ => {
                self.at -= 1;
                self.wrong("a value")
            }
        }
    }

    /// A comparison that flows cannot answer: it neither adds nor excludes an endpoint.
    fn unanswerable(&mut self, path: &str) -> Vec<Way> {
        self.reading.unanswerable.insert(path.to_owned());
        vec![Way::default()]
    }

    /// The ways to satisfy that a path has one of these values.
    fn ways(&mut self, path: &str, values: &[String]) -> Vec<Way> {
        let lower = path.to_ascii_lowercase();
        let one = |endpoint| Way { endpoints: vec![endpoint], ..Way::default() };
        let mut ways = Vec::new();
        for value in values {
            let text = refang(value.trim()).text;
            let way = match lower.as_str() {
                "ipv4-addr:value" | "ipv6-addr:value" => network(&text).map(one),
                "domain-name:value" => name::domain(&text).map(|name| one(Indicator::Domain(name))),
                "url:value" => (!text.is_empty() && !text.contains(char::is_control))
                    .then(|| one(Indicator::Url(text.clone()))),
                "network-traffic:dst_ref.value" | "domain-name:resolves_to_refs[*].value" => {
                    host(&text).map(one)
                }
                "network-traffic:src_ref.value" => {
                    host(&text).map(|source| Way { sources: vec![source], ..Way::default() })
                }
                "network-traffic:dst_port" => {
                    text.parse().ok().map(|port| Way { port: Some(port), ..Way::default() })
                }
                "network-traffic:src_port" => {
                    text.parse().ok().map(|port| Way { source_port: Some(port), ..Way::default() })
                }
                "network-traffic:dst_ref.type" | "network-traffic:src_ref.type" => Some(Way::default()),
                path if path.starts_with("network-traffic:protocols") => {
                    Some(Way { protocol: protocol(&text), ..Way::default() })
                }
                path if path.starts_with("file:hashes") => match hash(path, &text) {
                    Some(hash) => hash.map(one),
                    None => return self.unanswerable("file:hashes"),
                },
                _ => return self.unanswerable(path),
            };
            match way {
                Some(way) => ways.push(way),
                None => self.reading.wrong.push((path.to_owned(), value.clone())),
            }
        }
        if ways.is_empty() { vec![Way::default()] } else { ways }
    }

    fn keep(&mut self, way: Way) {
        let (indicators, port) =
            if way.endpoints.is_empty() { (way.sources, way.source_port) } else { (way.endpoints, way.port) };
        for indicator in indicators {
            let is_hash = matches!(indicator, Indicator::Hash(..));
            let mut endpoint = Endpoint { indicator, port, protocol: way.protocol };
            if is_hash {
                (endpoint.port, endpoint.protocol) = (None, None);
            }
            if !self.reading.endpoints.contains(&endpoint) || self.reading.endpoints.len() > EASY_SEARCH {
                self.reading.endpoints.push(endpoint);
            }
        }
    }
}

/// Endpoints searched one by one for a copy; beyond it the draft drops copies.
const EASY_SEARCH: usize = 64;

fn network(text: &str) -> Option<Indicator> {
    text.parse::<Prefix>().ok().map(Indicator::Network)
}

fn host(text: &str) -> Option<Indicator> {
    network(text).or_else(|| name::domain(text).map(Indicator::Domain))
}

/// The hash that a path such as `file:hashes.'SHA-256'` speaks of. The outer none: a hash of
/// another kind; the inner none: a wrong one.
fn hash(path: &str, text: &str) -> Option<Option<Indicator>> {
    let word: String = path["file:hashes".len()..].chars().filter(char::is_ascii_alphanumeric).collect();
    let kind = match word.as_str() {
        "md5" => HashKind::Md5,
        "sha1" => HashKind::Sha1,
        "sha256" => HashKind::Sha256,
        _ => return None,
    };
    let valid = text.len() == kind.digits() && text.bytes().all(|b| b.is_ascii_hexdigit());
    Some(valid.then(|| Indicator::Hash(kind, text.to_ascii_lowercase())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, expected: &[&str]) {
        let reading = read(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        let mut shown: Vec<String> = reading
            .endpoints
            .iter()
            .map(|endpoint| {
                let port = endpoint.port.map(|port| format!(" :{port}")).unwrap_or_default();
                let protocol = endpoint.protocol.map(|protocol| format!(" /{protocol}")).unwrap_or_default();
                format!("{}{port}{protocol}", endpoint.indicator)
            })
            .collect();
        shown.extend(reading.unanswerable.iter().map(|path| format!("no {path}")));
        shown.extend(reading.wrong.iter().map(|(path, value)| format!("wrong {path} {value}")));
        shown.extend(reading.window.map(|window| format!("{window:?}").replace("T00:00:00Z", "")));
        assert_eq!(shown, expected, "{pattern}");
    }

    #[test]
    fn endpoints_of_equalities_and_sets_are_kept() {
        check("[ipv4-addr:value = '192.0.2.1']", &["192.0.2.1"]);
        check("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", &["198.51.100.0/24"]);
        check(
            "[ipv6-addr:value = '2001:db8::1' OR ipv4-addr:value IN ('192.0.2.1','192.0.2.2')]",
            &["2001:db8::1", "192.0.2.1", "192.0.2.2"],
        );
        check(
            "[domain-name:value='C2.Example.org'] AND [url:value = 'http://example.org/a']",
            &["c2.example.org", "http://example.org/a"],
        );
        check("[domain-name:value = 'c2[.]example[.]org']", &["c2.example.org"]);
        check(
            "([domain-name:value = 'a.example.org'] FOLLOWEDBY [domain-name:value = 'b.example.org']) WITHIN 300 SECONDS",
            &["a.example.org", "b.example.org"],
        );
        let sha256 = "a".repeat(64);
        check(&format!("[file:hashes.'SHA-256' = '{sha256}']"), &[&sha256]);
        check(&format!("[file:hashes.\u{4d}D5 = '{}']", "B".repeat(32)), &[&"b".repeat(32)]);
    }

    #[test]
    fn ports_and_protocols_belong_to_the_endpoint_beside_them() {
        check(
            "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 8443 AND network-traffic:protocols[*] = 'tcp']",
            &["192.0.2.1 :8443 /6"],
        );
        check(
            "[ipv4-addr:value = '192.0.2.1' AND (network-traffic:dst_port = 80 OR network-traffic:dst_port = 443)]",
            &["192.0.2.1 :80", "192.0.2.1 :443"],
        );
        check(
            "[network-traffic:src_ref.value = '192.0.2.9' AND network-traffic:src_port = 53]",
            &["192.0.2.9 :53"],
        );
        check(
            "[network-traffic:src_ref.value = '10.0.0.1' AND network-traffic:dst_ref.value = '192.0.2.1']",
            &["192.0.2.1"],
        );
    }

    #[test]
    fn what_flows_cannot_answer_is_named_and_no_error() {
        check("[file:name = 'a.exe' AND ipv4-addr:value = '192.0.2.1']", &["192.0.2.1", "no file:name"]);
        check(
            "[ipv4-addr:value != '192.0.2.1' OR domain-name:value LIKE '%.example.org']",
            &["no domain-name:value", "no ipv4-addr:value"],
        );
        check(
            "[NOT domain-name:value NOT = 'example.org' OR EXISTS url:value]",
            &["no domain-name:value", "no url:value"],
        );
        check("[file:hashes.SHA512 = 'aa']", &["no file:hashes"]);
        check(
            "[windows-registry-key:key = 'HKLM\\\\x' AND process:pid > 1 AND file:size = h'ff' AND a:b.c[0].d = true]",
            &["no a:b.c[0].d", "no file:size", "no process:pid", "no windows-registry-key:key"],
        );
    }

    #[test]
    fn wrong_values_are_named() {
        check("[ipv4-addr:value = '192.0.2.256']", &["wrong ipv4-addr:value 192.0.2.256"]);
        check(
            "[domain-name:value IN ('a b', 'example.org')]",
            &["example.org", "wrong domain-name:value a b"],
        );
    }

    #[test]
    fn start_and_stop_narrow_the_window() {
        check(
            "[ipv4-addr:value = '192.0.2.1'] START t'2021-05-01T00:00:00Z' STOP t'2021-06-01T00:00:00Z'",
            &["192.0.2.1", "[2021-05-01, 2021-06-01)"],
        );
    }

    fn check_error(pattern: &str, error: &str) {
        assert_eq!(read(pattern).unwrap_err(), error, "{pattern}");
    }

    #[test]
    fn what_breaks_the_grammar_is_an_error_with_its_place() {
        check_error("", "it ends where `[` is expected");
        check_error("[ipv4-addr:value = '192.0.2.1'", "it ends where `]` is expected");
        check_error("[ipv4-addr:value = '192.0.2.1", "the text at octet 19 has no end");
        check_error(
            "ipv4-addr:value = '192.0.2.1'",
            "`ipv4-addr:value` at octet 0 stands where `[` is expected",
        );
        check_error(
            "[ipv4-addr:value '192.0.2.1']",
            "`'192.0.2.1'` at octet 17 stands where an operator is expected",
        );
        check_error(
            "[ipv4-addr = '192.0.2.1']",
            "`ipv4-addr` at octet 1 is neither a keyword nor an object path",
        );
        check_error("[a:b = 1] x", "`x` at octet 10 is neither a keyword nor an object path");
        let ports = (1..=400).map(|port| port.to_string()).collect::<Vec<_>>().join(",");
        let product = ["network-traffic:dst_port", "network-traffic:src_port"]
            .map(|path| format!("{path} IN ({ports})"));
        check_error(
            &format!("[{}]", product.join(" AND ")),
            "its alternatives multiply to more than 100000 terms",
        );
        check_error(&format!("{}[a:b = 1]{}", "(".repeat(40), ")".repeat(40)), "it nests deeper than 32");
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "\\PC{0,60}") {
            let _ = read(&text);
        }

        #[test]
        fn text_made_of_the_parts_of_patterns_is_taken(parts in prop::collection::vec(prop::sample::select(vec![
            "[", "]", "(", ")", " AND ", " OR ", "ipv4-addr:value", " = ", "'192.0.2.1'", " IN ", ",", " NOT ", "file:hashes.'MD5'",
            " START ", " STOP ", "t'2021-01-01T00:00:00Z'", " FOLLOWEDBY ", "network-traffic:dst_port", "443", "'", "\\",
        ]), 0..24)) {
            let _ = read(&parts.concat());
        }
    }
}
