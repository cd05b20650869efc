//! JSON as logs write it: the members of an object, the items of an array, one pass, nothing built.

use thiserror::Error;

use crate::value::ValueError;

/// Why an object is refused.
#[derive(Debug, Error)]
pub(crate) enum ObjectError {
    /// It is no JSON object.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A value in it is missing or wrong.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// The octet of the line at which it is no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("octet {0} of the line is no JSON")]
pub(crate) struct Malformed(usize);

/// What a number or a word ends before.
const ENDS_BARE: [bool; 256] = {
    let mut ends = [false; 256];
    let mut octets: &[u8] = b",}] \t\n\r";
    while let [octet, rest @ ..] = octets {
        ends[*octet as usize] = true;
        octets = rest;
    }
    ends
};

/// What stood before the values of an object like the next: most objects of a log have the same keys in the same
/// order, so a key is mostly known by a look at what follows the value before it.
pub(crate) struct Keys<T> {
    /// What stands between two values, the key in it, and what the key means.
    known: Vec<(Box<[u8]>, T)>,
    /// The one that comes next if the object is like those before.
    next: usize,
}

impl<T: Copy> Keys<T> {
    /// The most keys that are kept. Chosen here: logs have some twenty.
    const KNOWN_MAX: usize = 64;
    /// The longest that is kept. Chosen here: longer than any key of a log.
    const OCTETS_MAX: usize = 64;

    pub(crate) fn new() -> Self {
        Self { known: Vec::new(), next: 0 }
    }

    /// An object begins.
    pub(crate) fn begin(&mut self) {
        self.next = 0;
    }

    /// What the key means with which `rest` begins, and its octets. The one after the last is tried first; values
    /// that are unset are left out with their keys, so those after it come next.
    #[inline(always)]
    fn find(&mut self, rest: &[u8]) -> Option<(T, usize)> {
        let (before, after) = self.known.split_at(self.next);
        let at = after.iter().chain(before).position(|(text, _)| rest.starts_with(text))?;
        let at = if at < after.len() { self.next + at } else { at - after.len() };
        self.next = at + 1;
        let (text, meaning) = &self.known[at];
        Some((*meaning, text.len()))
    }

    #[cold]
    fn learn(&mut self, text: &[u8], meaning: T) {
        if self.known.len() < Self::KNOWN_MAX && text.len() <= Self::OCTETS_MAX {
            self.known.insert(self.next, (text.into(), meaning));
            self.next += 1;
        }
    }
}

/// One value of an object, as it stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'l> {
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
pub(crate) struct Members<'l> {
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
    pub(crate) fn new(line: &'l [u8]) -> Self {
        Self { line, at: 0, state: State::Before }
    }

    fn step(&mut self) -> Result<Option<(&'l [u8], Value<'l>)>, Malformed> {
        match self.key()? {
            Some(key) => Ok(Some((key, self.value()?))),
            None => Ok(None),
        }
    }

    /// Goes to the next value and returns its key; none after the last.
    fn key(&mut self) -> Result<Option<&'l [u8]>, Malformed> {
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
        self.peek();
        Ok(Some(key))
    }

    /// The next value, and what its key means: `meaning` tells of keys that were not met before.
    #[inline(always)]
    pub(crate) fn next_of<T: Copy>(
        &mut self,
        keys: &mut Keys<T>,
        meaning: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<(T, Value<'l>)>, Malformed> {
        // What stands before the first key does not stand before another.
        let is_first = self.state == State::Before;
        if !is_first && let Some((meaning, octets)) = keys.find(&self.line[self.at..]) {
            self.at += octets;
            return Ok(Some((meaning, self.value()?)));
        }
        let start = self.at;
        let Some(key) = self.key()? else { return Ok(None) };
        let meaning = meaning(key);
        if !is_first {
            keys.learn(&self.line[start..self.at], meaning);
        }
        Ok(Some((meaning, self.value()?)))
    }

    fn value(&mut self) -> Result<Value<'l>, Malformed> {
        match self.peek() {
            Some(b'"') => self.text().map(Value::Text),
            Some(b'{' | b'[') => self.nested().map(Value::Nested),
            Some(_) => {
                let start = self.at;
                let rest = &self.line[start..];
                let length = rest.iter().position(|c| ENDS_BARE[usize::from(*c)]);
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

/// The items of an array, with its brackets.
pub(crate) struct Items<'l>(Members<'l>);

impl<'l> Items<'l> {
    pub(crate) fn new(array: &'l [u8]) -> Self {
        Self(Members::new(array))
    }

    /// The items up to the first that is no JSON.
    pub(crate) fn readable(array: &'l [u8]) -> impl Iterator<Item = Value<'l>> {
        Self::new(array).map_while(Result::ok)
    }

    fn step(&mut self) -> Result<Option<Value<'l>>, Malformed> {
        let members = &mut self.0;
        let first = members.state == State::Before;
        if first {
            members.expect(b'[')?;
            members.state = State::Between;
        }
        match members.peek() {
            Some(b']') => return Ok(None),
            Some(b',') if !first => members.at += 1,
            Some(_) if first => {}
            _ => return Err(members.wrong()),
        }
        members.peek();
        members.value().map(Some)
    }
}

impl<'l> Iterator for Items<'l> {
    type Item = Result<Value<'l>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.state == State::Done {
            return None;
        }
        let step = self.step();
        if !matches!(step, Ok(Some(_))) {
            self.0.state = State::Done;
        }
        step.transpose()
    }
}

impl<'l> Value<'l> {
    /// The octets of a text, a number, `true` or `false`.
    pub(crate) fn scalar(self) -> Option<&'l [u8]> {
        match self {
            Self::Text(text) | Self::Bare(text) => Some(text),
            Self::Null | Self::Nested(_) => None,
        }
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
pub(crate) fn unescape(text: &[u8], into: &mut String) {
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

    #[test]
    fn known_keys_are_those_that_would_be_read() {
        let mut keys = Keys::new();
        for line in [
            r#"{"a": 1, "b": "x", "c": [1], "d": null}"#,
            r#"{"a": 2, "b": "y", "c": [2], "d": true}"#,
            r#"{"a": 2, "d": 1}"#,
            r#"{"b": 3, "a" : 4,"c":  5, "e": 6}"#,
            r#"{"a": 2, "b": "y", "bb": 7, "c": {}, "e": 8}"#,
            r#"{"a": 2, "b": "y"; "c": 3}"#,
            r#"{"a": 2, "b": }"#,
            r#"{"a": 2, "b": 1,}"#,
            "{}",
        ] {
            let read: Result<Vec<_>, _> = Members::new(line.as_bytes())
                .map(|member| member.map(|(key, value)| ((key.len(), key[0]), value)))
                .collect();
            let mut members = Members::new(line.as_bytes());
            keys.begin();
            let mut known = Vec::new();
            let known = loop {
                match members.next_of(&mut keys, |key| (key.len(), key[0])) {
                    Ok(Some(member)) => known.push(member),
                    Ok(None) => break Ok(known),
                    Err(error) => break Err(error),
                }
            };
            assert_eq!(known, read, "{line}");
        }
    }

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
    fn items_end_where_json_does() {
        for (array, expected) in [
            ("[]", vec![]),
            ("[1,\"a\", null ,[2],{\"b\":[]}]", vec!["1", "a", "-", "[2]", "{\"b\":[]}"]),
            ("[1 2]", vec!["1"]),
            ("[1,", vec!["1"]),
            ("{\"a\":1}", vec![]),
            ("", vec![]),
        ] {
            let items = Items::readable(array.as_bytes()).map(|item| match item {
                Value::Text(text) | Value::Bare(text) | Value::Nested(text) => {
                    std::str::from_utf8(text).unwrap()
                }
                Value::Null => "-",
            });
            assert_eq!(items.collect::<Vec<_>>(), expected, "{array}");
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
