//! `conn.log` as JSON, one object a line.
//!
//! Field names come as Zeek writes them (`id.orig_h`), with `_` for `.` as log shippers have
//! it, or nested (`"id": {"orig_h": …}`). Objects of another Zeek log in the same stream, told
//! by `_path` or `@stream`, are beside.

use std::io::Read;
use std::sync::Arc;

use rahdar_model::sink::Place;
use rahdar_model::{FlowSink, Tally};
use thiserror::Error;

use super::row::{Field, Row, RowError};
use super::{EXPORTER, other_log};
use crate::delivery::Delivery;
use crate::lines::{LINE_OCTETS_MAX, Line, Lines};
use crate::{Options, WireError};

/// Reads a log to its end.
pub(crate) fn decode(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let mut delivery = Delivery::new(EXPORTER, source, options, sink);
    let mut lines = Lines::new(input);
    loop {
        let number = lines.number() + 1;
        match lines.next() {
            Ok(Some(Line::Whole(line) | Line::Unended(line))) => object(line, number, &mut delivery)?,
            Ok(Some(Line::TooLong)) => {
                let why = format_args!("the line is longer than {LINE_OCTETS_MAX} octets");
                delivery.refuse(Place::Line(number), why);
            }
            Ok(None) => return Ok(delivery.close()),
            Err(source) => return Err(WireError::Read { tally: delivery.close(), source }),
        }
    }
}

/// Reads one object and gives its flow to the sink, or refuses it.
fn object(line: &[u8], number: u64, delivery: &mut Delivery<'_>) -> Result<(), WireError> {
    if line.trim_ascii().is_empty() {
        delivery.tally.beside += 1;
        return Ok(());
    }
    let place = Place::Line(number);
    let row = match read(line) {
        Ok(Some(row)) => row,
        Ok(None) => {
            delivery.tally.beside += 1;
            return Ok(());
        }
        Err(error) => {
            delivery.refuse(place, format_args!("{error}"));
            return Ok(());
        }
    };
    delivery.record.reset();
    if let Err(error) = row.fill(&mut delivery.record, unescape) {
        delivery.refuse(place, format_args!("{error}"));
        return Ok(());
    }
    delivery.record.source_row = number;
    delivery.tally.received += 1;
    delivery.tally.decoded += 1;
    delivery.flow()?;
    Ok(())
}

/// The row of an object; none if the object says that it is of another log.
fn read(line: &[u8]) -> Result<Option<Row<'_>>, ObjectError> {
    let mut row = Row::default();
    for member in Members::new(line) {
        match member? {
            (_, Value::Null) => {}
            (b"id", Value::Nested(endpoints)) => {
                for member in Members::new(endpoints) {
                    let (key, value) = member?;
                    if let (Some(field), Value::Text(value) | Value::Bare(value)) = (endpoint(key), value) {
                        row.set(field, value)?;
                    }
                }
            }
            (key, Value::Text(stream)) if is_stream_key(key) => {
                if stream != b"conn" {
                    return Ok(None);
                }
            }
            (key, Value::Text(value) | Value::Bare(value)) => {
                if let Some(field) = Field::from_name(key) {
                    row.set(field, value)?;
                }
            }
            (_, Value::Nested(_)) => {}
        }
    }
    Ok(Some(row))
}

/// Keys under which log shippers say which Zeek log an object is of.
fn is_stream_key(key: &[u8]) -> bool {
    matches!(key, b"_path" | b"@stream")
}

/// The field of a member of a nested `id`.
fn endpoint(key: &[u8]) -> Option<Field> {
    Some(match key {
        b"orig_h" => Field::OrigH,
        b"orig_p" => Field::OrigP,
        b"resp_h" => Field::RespH,
        b"resp_p" => Field::RespP,
        _ => return None,
    })
}

/// What an object is, by its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A connection of Zeek.
    Conn,
    /// Of another Zeek log, in words.
    OtherZeek(&'static str),
    /// An event of Suricata.
    Eve,
    /// Something else.
    Other,
}

/// Sees what the object in `line` is; none if it is no JSON object.
pub(crate) fn kind(line: &[u8]) -> Option<Kind> {
    let (mut endpoints, mut conn, mut eve, mut scripts) = (false, false, false, false);
    let (mut stream, mut first) = (None, None);
    for member in Members::new(line) {
        let (key, value) = member.ok()?;
        first = first.or(Some(key));
        match (key, value) {
            (b"id", Value::Nested(_)) => endpoints = true,
            (b"event_type", Value::Text(_)) => eve = true,
            (b"name", Value::Text(name)) => scripts = name.ends_with(b".zeek"),
            (key, Value::Text(path)) if is_stream_key(key) => stream = Some(path),
            _ => {}
        }
        match Field::from_name(key) {
            Some(Field::OrigH) => endpoints = true,
            Some(Field::ConnState | Field::OrigPkts) => conn = true,
            _ => {}
        }
    }
    Some(match stream {
        Some(b"conn") => Kind::Conn,
        Some(path) => Kind::OtherZeek(other_log(path)),
        None if eve => Kind::Eve,
        None if endpoints && conn => Kind::Conn,
        // Zeek writes the time first, in every log that has one.
        None if first == Some(b"ts") => Kind::OtherZeek(other_log(b"")),
        None if scripts => Kind::OtherZeek(other_log(b"loaded_scripts")),
        None => Kind::Other,
    })
}

/// Why an object is refused.
#[derive(Debug, Error)]
enum ObjectError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Row(#[from] RowError),
}

/// The octet of the line at which it is no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("octet {0} of the line is no JSON")]
struct Malformed(usize);

/// One value of an object, as it stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value<'l> {
    Null,
    /// Between its quotes, escapes and all.
    Text(&'l [u8]),
    /// A number, `true` or `false`.
    Bare(&'l [u8]),
    /// An object or array with its brackets, not looked into.
    Nested(&'l [u8]),
}

/// The members of one object that is all of a line.
///
/// It checks no more than it needs to find every key and value again; what is nested is passed
/// over by counting brackets, so depth costs nothing.
struct Members<'l> {
    line: &'l [u8],
    at: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Between,
    Done,
}

impl<'l> Members<'l> {
    fn new(line: &'l [u8]) -> Self {
        Self { line, at: 0, state: State::Before }
    }

    fn step(&mut self) -> Result<Option<(&'l [u8], Value<'l>)>, Malformed> {
        let first = self.state == State::Before;
        if first {
            self.expect(b'{')?;
            self.state = State::Between;
        }
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                self.state = State::Done;
                return match self.peek() {
                    None => Ok(None),
                    Some(_) => Err(self.wrong()),
                };
            }
            Some(b',') if !first => {
                self.at += 1;
                self.peek();
            }
            Some(_) if first => {}
            _ => return Err(self.wrong()),
        }
        let key = self.text()?;
        self.expect(b':')?;
        Ok(Some((key, self.value()?)))
    }

    fn value(&mut self) -> Result<Value<'l>, Malformed> {
        match self.peek() {
            Some(b'"') => self.text().map(Value::Text),
            Some(b'{' | b'[') => self.nested().map(Value::Nested),
            Some(_) => {
                let start = self.at;
                let rest = &self.line[start..];
                let length = rest.iter().position(|c| matches!(c, b',' | b'}' | b' ' | b'\t'));
                self.at = start + length.unwrap_or(rest.len());
                match &self.line[start..self.at] {
                    b"" => Err(self.wrong()),
                    b"null" => Ok(Value::Null),
                    bare => Ok(Value::Bare(bare)),
                }
            }
            None => Err(self.wrong()),
        }
    }

    /// A text, without its quotes.
    fn text(&mut self) -> Result<&'l [u8], Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = self.line.get(self.at..).unwrap_or_default();
            match quote_or_escape(rest) {
                Some(found) if rest[found] == b'"' => {
                    let end = self.at + found;
                    self.at = end + 1;
                    return Ok(&self.line[start..end]);
                }
                Some(found) => self.at += found + 2,
                None => {
                    self.at = self.line.len();
                    return Err(self.wrong());
                }
            }
        }
    }

    /// An object or array, with its brackets.
    fn nested(&mut self) -> Result<&'l [u8], Malformed> {
        let start = self.at;
        let mut depth = 0usize;
        while let Some(c) = self.line.get(self.at) {
            match c {
                b'"' => {
                    self.text()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(&self.line[start..self.at]);
            }
        }
        Err(self.wrong())
    }

    fn expect(&mut self, octet: u8) -> Result<(), Malformed> {
        if self.peek() != Some(octet) {
            return Err(self.wrong());
        }
        self.at += 1;
        Ok(())
    }

    /// The next octet that is no blank.
    fn peek(&mut self) -> Option<u8> {
        while let Some(c) = self.line.get(self.at) {
            if !c.is_ascii_whitespace() {
                return Some(*c);
            }
            self.at += 1;
        }
        None
    }

    fn wrong(&self) -> Malformed {
        Malformed(self.at)
    }
}

impl<'l> Iterator for Members<'l> {
    type Item = Result<(&'l [u8], Value<'l>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Done {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.state = State::Done;
        }
        step.transpose()
    }
}

/// Where the first quote or backslash stands.
///
/// Keys and most values are a few octets long: eight at a time beats both a plain loop and a
/// search by vectors.
fn quote_or_escape(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    /// The highest bit of each octet that is zero, exact up to the first one.
    const fn zeros(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word & (ONES << 7)
    }
    let (words, rest) = text.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64));
        if found != 0 {
            return Some(n * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let found = rest.iter().position(|c| matches!(c, b'"' | b'\\'))?;
    Some(words.len() * 8 + found)
}

/// Appends a text of the log, its escapes resolved.
fn unescape(text: &[u8], into: &mut String) {
    if let Ok(plain) = std::str::from_utf8(text)
        && !text.contains(&b'\\')
    {
        into.push_str(plain);
        return;
    }
    let plain = String::from_utf8_lossy(text);
    match serde_json::from_str::<String>(&format!("\"{plain}\"")) {
        Ok(resolved) => into.push_str(&resolved),
        Err(_) => into.push_str(&plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&[(&str, Value<'_>)]>) {
        let members: Result<Vec<_>, _> = Members::new(line.as_bytes()).collect();
        let expected = expected.map(|e| e.iter().map(|(k, v)| (k.as_bytes(), *v)).collect::<Vec<_>>());
        assert_eq!(members.ok(), expected, "{line}");
    }

    #[test]
    fn members_are_found_whatever_their_values_hold() {
        check("{}", Some(&[]));
        check(
            r#" { "a" : 1.5e3, "b":"x\"y\\", "c":null,"d":[{"e":"]}"}],"f":true } "#,
            Some(&[
                ("a", Value::Bare(b"1.5e3")),
                ("b", Value::Text(br#"x\"y\\"#)),
                ("c", Value::Null),
                ("d", Value::Nested(br#"[{"e":"]}"}]"#)),
                ("f", Value::Bare(b"true")),
            ]),
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for line in [
            "",
            "[]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1,}",
            "{\"a\":1}x",
            "{\"a\":\"\\",
            "{,}",
            "{\"a\":[}",
        ] {
            check(line, None);
        }
    }

    #[test]
    fn escapes_are_resolved_and_broken_ones_kept() {
        for (text, plain) in [("a\\u00e9\\n", "aé\n"), ("cut \\u00", "cut \\u00"), ("plain", "plain")] {
            let mut into = String::new();
            unescape(text.as_bytes(), &mut into);
            assert_eq!(into, plain);
        }
    }
}
