//! The objects of a PDF (ISO 32000-1 §7.3), read from octets that may be anything.

use std::collections::BTreeMap;

/// Arrays and dictionaries inside each other; deeper ones are null. Chosen here: real files need 10.
const DEPTH_MAX: usize = 32;
/// Octets of one string; chosen here.
const STRING_MAX: usize = 1 << 20;

/// An object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    Null,
    Number(f64),
    Name(String),
    Text(Vec<u8>),
    Array(Vec<Object>),
    Dict(Dict),
    /// Another object, by its number.
    Reference(u32),
    /// A word of a content stream, or `true`, `false`.
    Word(String),
}

pub(super) type Dict = BTreeMap<String, Object>;

impl Object {
    pub(super) fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(super) fn name(&self) -> Option<&str> {
        if let Self::Name(name) = self { Some(name) } else { None }
    }

    pub(super) fn array(&self) -> &[Object] {
        if let Self::Array(items) = self { items } else { &[] }
    }
}

/// Reads objects one after the other.
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: at.min(bytes.len()) }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'%' => {
                    let rest = &self.bytes[self.at..];
                    self.at += rest.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(rest.len());
                }
                _ if is_space(byte) => self.at += 1,
                _ => break,
            }
        }
    }

    /// The next object, with references of two numbers and `R`; none at the end.
    pub(super) fn object(&mut self) -> Option<Object> {
        self.nested(0)
    }

    fn nested(&mut self, depth: usize) -> Option<Object> {
        self.skip_space();
        let byte = self.peek()?;
        Some(match byte {
            b'/' => {
                self.at += 1;
                Object::Name(self.name())
            }
            b'(' => Object::Text(self.literal()),
            b'<' if self.bytes.get(self.at + 1) == Some(&b'<') => {
                self.at += 2;
                self.dict(depth + 1)
            }
            b'<' => Object::Text(self.hex()),
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                loop {
                    self.skip_space();
                    match self.peek() {
                        Some(b']') => {
                            self.at += 1;
                            break;
                        }
                        None | Some(b'>') => break,
                        _ if depth >= DEPTH_MAX => self.at += 1,
                        _ => items.push(self.nested(depth + 1)?),
                    }
                }
                Object::Array(items)
            }
            b'+' | b'-' | b'.' | b'0'..=b'9' => self.number(),
            b']' | b'>' | b'{' | b'}' | b')' => {
                self.at += 1;
                Object::Null
            }
            _ => {
                let start = self.at;
                while self.peek().is_some_and(is_regular) {
                    self.at += 1;
                }
                match &self.bytes[start..self.at] {
                    b"null" => Object::Null,
                    word => Object::Word(String::from_utf8_lossy(word).into_owned()),
                }
            }
        })
    }

    fn dict(&mut self, depth: usize) -> Object {
        let mut dict = Dict::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'>') => {
                    self.at += 1 + usize::from(self.bytes.get(self.at + 1) == Some(&b'>'));
                    break;
                }
                Some(b'/') if depth < DEPTH_MAX => {
                    self.at += 1;
                    let key = self.name();
                    let Some(value) = self.nested(depth) else { break };
                    // `/Key >>`
                    dict.insert(key, value);
                }
                Some(_) => self.at += 1,
                None => break,
            }
        }
        Object::Dict(dict)
    }

    fn name(&mut self) -> String {
        let mut name = Vec::new();
        while let Some(byte) = self.peek().filter(|byte| is_regular(*byte)) {
            let coded = self
                .bytes
                .get(self.at + 1..self.at + 3)
                .and_then(|pair| Some(hex(pair[0])? * 16 + hex(pair[1])?));
            match coded.filter(|_| byte == b'#') {
                Some(code) => {
                    name.push(code);
                    self.at += 3;
                }
                None => {
                    name.push(byte);
                    self.at += 1;
                }
            }
        }
        String::from_utf8_lossy(&name).into_owned()
    }

    /// A number; with another number and `R` behind it, a reference.
    fn number(&mut self) -> Object {
        let number = self.plain_number();
        let back = self.at;
        let whole = number >= 0.0 && number.fract() == 0.0 && number <= f64::from(u32::MAX);
        if whole && self.peek().is_some_and(is_space) {
            self.skip_space();
            let digits = self.bytes[self.at..].iter().take(6).take_while(|b| b.is_ascii_digit()).count();
            if digits > 0 {
                self.at += digits;
                self.skip_space();
                let after = self.bytes.get(self.at + 1).copied().unwrap_or(b' ');
                if self.peek() == Some(b'R') && !is_regular(after) {
                    self.at += 1;
                    return Object::Reference(number as u32);
                }
            }
            self.at = back;
        }
        Object::Number(number)
    }

    fn plain_number(&mut self) -> f64 {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.')) {
            self.at += 1;
        }
        let text = String::from_utf8_lossy(&self.bytes[start..self.at]);
        text.parse().ok().filter(|number: &f64| number.is_finite()).unwrap_or(0.0)
    }

    /// `(text)`, with its escapes.
    fn literal(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'(' => {
                    depth += 1;
                    if depth > 1 {
                        text.push(byte);
                    }
                }
                b')' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                    text.push(byte);
                }
                b'\\' => self.escape(&mut text),
                _ => text.push(byte),
            }
            if text.len() > STRING_MAX {
                break;
            }
        }
        text
    }

    fn escape(&mut self, text: &mut Vec<u8>) {
        let Some(byte) = self.peek() else { return };
        self.at += 1;
        match byte {
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'b' | b'f' | b'\n' => {}
            b'\r' => self.at += usize::from(self.peek() == Some(b'\n')),
            b'0'..=b'7' => {
                let mut code = u32::from(byte - b'0');
                for _ in 0..2 {
                    let Some(digit) = self.peek().filter(|b| (b'0'..=b'7').contains(b)) else { break };
                    code = code * 8 + u32::from(digit - b'0');
                    self.at += 1;
                }
                text.push((code & 0xff) as u8);
            }
            other => text.push(other),
        }
    }

    /// `<hexadecimal>`
    fn hex(&mut self) -> Vec<u8> {
        self.at += 1;
        let mut digits = Vec::new();
        while let Some(byte) = self.peek() {
            self.at += 1;
            if byte == b'>' || digits.len() > STRING_MAX {
                break;
            }
            digits.extend(hex(byte));
        }
        digits.chunks(2).map(|pair| pair[0] * 16 + pair.get(1).copied().unwrap_or(0)).collect()
    }
}

pub(super) fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b'\0' | b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

fn is_regular(byte: u8) -> bool {
    !is_space(byte) && !b"()<>[]{}/%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let object = Lexer::new(text.as_bytes(), 0).object();
        assert_eq!(object.map_or_else(String::new, |object| format!("{object:?}")), expected, "{text}");
    }

    #[test]
    fn objects_are_read_in_all_their_forms() {
        check("12 0 R", "Reference(12)");
        check("12 0 obj", "Number(12.0)");
        check("-.5", "Number(-0.5)");
        check("/A#20B", "Name(\"A B\")");
        check("(a\\(b\\)(c)\\101\\\n)", "Text([97, 40, 98, 41, 40, 99, 41, 65])");
        check("<4 1 42 5>", "Text([65, 66, 80])");
        check(
            "<</A[1 /B]/C<</D null>>>>",
            "Dict({\"A\": Array([Number(1.0), Name(\"B\")]), \"C\": Dict({\"D\": Null})})",
        );
        check("% all\n true", "Word(\"true\")");
        check("", "");
    }

    #[test]
    fn depth_and_damage_are_read_without_panic() {
        for text in ["[", "<<", "(", "<<[(", "<</A", "]", ">>", "\\", "[>>", "<</A>>", "<</"] {
            Lexer::new(text.as_bytes(), 0).object();
            Lexer::new(text.repeat(100_000).as_bytes(), 0).object();
        }
    }
}
