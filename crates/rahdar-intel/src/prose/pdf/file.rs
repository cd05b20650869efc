//! The file of a PDF: where its objects are, and what its streams hold.
//!
//! The table of offsets is not asked: files that were mended, cut or made to deceive disagree with
//! it. The file is passed once, and of two objects with one number the later counts.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::io::Read;

use super::object::{Dict, Lexer, Object, hex, is_space};
use crate::reading::ReadError;

/// Objects of one file; chosen here: a book of 2,000 pages has 100,000.
const OBJECTS_MAX: usize = 500_000;
/// Octets that all streams of one file may unpack to, together, each time that one is asked for
/// counted. Chosen here: the text of a long report takes a hundredth, and images are not unpacked.
const UNPACKED_MAX: usize = 128 << 20;
/// Octets of objects that are read, those read again counted; chosen here.
const READ_MAX: usize = 512 << 20;
/// Codes of fonts that are read, those read again counted; chosen here: a book has some hundred fonts of a few
/// thousand codes each.
const CODES_READ_MAX: usize = 4_000_000;
/// References that lead to references.
const CHAIN_MAX: usize = 16;
/// Filters of one stream.
const FILTERS_MAX: usize = 4;

/// An object's place.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// At this octet of the file.
    File(usize),
    /// At this octet of this unpacked stream of objects.
    Packed(usize, usize),
}

/// A file whose objects are known.
pub(super) struct File<'a> {
    bytes: &'a [u8],
    places: HashMap<u32, Place>,
    packed: Vec<Vec<u8>>,
    /// What trailers say, the later words first.
    trailer: Dict,
    unpacked: Cell<usize>,
    read: Cell<usize>,
    codes: Cell<usize>,
}

/// A stream: what it says of itself, and its octets as they lie in the file.
pub(super) struct Stream<'a> {
    pub(super) dict: Dict,
    raw: &'a [u8],
}

impl<'a> File<'a> {
    /// Finds the objects of a file.
    ///
    /// # Errors
    /// [`ReadError::Unsupported`] if it is encrypted.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ReadError> {
        let mut file = Self {
            bytes,
            places: HashMap::new(),
            packed: Vec::new(),
            trailer: Dict::new(),
            unpacked: Cell::new(0),
            read: Cell::new(0),
            codes: Cell::new(0),
        };
        let mut streams = Vec::new();
        let mut at = 0;
        while let Some(found) = find(&bytes[at..], b"obj") {
            let end = at + found + 3;
            if let Some(number) = object_number(bytes, at + found)
                && file.places.len() < OBJECTS_MAX
            {
                file.places.insert(number, Place::File(end));
                let head = &bytes[end..bytes.len().min(end + 400)];
                if find(head, b"/ObjStm").is_some() || find(head, b"/XRef").is_some() {
                    streams.push(end);
                }
            }
            at = end;
        }
        for offset in streams {
            file.open_stream(offset);
        }
        let mut at = 0;
        while let Some(found) = find(&bytes[at..], b"trailer") {
            at += found + 7;
            if let Some(Object::Dict(dict)) = file.parsed(bytes, at) {
                file.trailer.extend(dict);
            }
        }
        if file.trailer.contains_key("Encrypt") {
            return Err(ReadError::Unsupported {
                what: "an encrypted PDF",
                remedy: "save it without a password",
            });
        }
        Ok(file)
    }

    /// Takes in a stream of objects, or what a stream of offsets says of the file.
    fn open_stream(&mut self, offset: usize) {
        let Some(stream) = self.stream_at(offset) else { return };
        let kind = stream.dict.get("Type").and_then(Object::name);
        if kind == Some("XRef") {
            let words = ["Root", "Info", "Encrypt"];
            self.trailer.extend(stream.dict.into_iter().filter(|(key, _)| words.contains(&key.as_str())));
            return;
        }
        if kind != Some("ObjStm") {
            return;
        }
        let number = |key| stream.dict.get(key).and_then(Object::number).map_or(0, |number| number as usize);
        let (count, first) = (number("N"), number("First"));
        let data = self.unpack(&stream);
        let index = self.packed.len();
        let mut header = Lexer::new(&data, 0);
        for _ in 0..count.min(OBJECTS_MAX) {
            let (Some(Object::Number(id)), Some(Object::Number(offset))) = (header.object(), header.object())
            else {
                break;
            };
            if header.at > first.max(1) || self.places.len() >= OBJECTS_MAX {
                break;
            }
            self.places.insert(id as u32, Place::Packed(index, first.saturating_add(offset as usize)));
        }
        self.packed.push(data);
    }

    /// What the file says of itself under this key.
    pub(super) fn about(&self, key: &str) -> Object {
        self.trailer.get(key).map_or(Object::Null, |object| self.resolved(object))
    }

    /// Every number of an object, ascending.
    pub(super) fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.places.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    /// The object, or the one that it refers to.
    pub(super) fn resolved(&self, object: &Object) -> Object {
        let mut object = object.clone();
        for _ in 0..CHAIN_MAX {
            let Object::Reference(number) = object else { return object };
            object = match self.places.get(&number) {
                Some(Place::File(at)) => self.parsed(self.bytes, *at),
                Some(Place::Packed(stream, at)) => {
                    self.packed.get(*stream).and_then(|data| self.parsed(data, *at))
                }
                None => None,
            }
            .unwrap_or(Object::Null);
        }
        Object::Null
    }

    /// The dictionary that this is, or refers to; an empty one otherwise.
    pub(super) fn dict(&self, object: Option<&Object>) -> Dict {
        match object.map(|object| self.resolved(object)) {
            Some(Object::Dict(dict)) => dict,
            _ => Dict::new(),
        }
    }

    /// The value of a key.
    pub(super) fn value(&self, dict: &Dict, key: &str) -> Object {
        dict.get(key).map_or(Object::Null, |object| self.resolved(object))
    }

    /// The stream that this refers to.
    pub(super) fn stream(&self, object: &Object) -> Option<Stream<'a>> {
        let Object::Reference(number) = object else { return None };
        match self.places.get(number)? {
            Place::File(at) => self.stream_at(*at),
            Place::Packed(..) => None,
        }
    }

    /// Lets a map of codes be read that takes as many as it has room for, and no more than `most`.
    pub(super) fn codes<T>(&self, most: usize, read: impl FnOnce(&mut usize) -> T) -> T {
        let room = most.min(CODES_READ_MAX.saturating_sub(self.codes.get()));
        let mut left = room;
        let made = read(&mut left);
        self.codes.set(self.codes.get() + room - left);
        made
    }

    fn parsed(&self, bytes: &[u8], at: usize) -> Option<Object> {
        if self.read.get() > READ_MAX {
            return None;
        }
        let mut lexer = Lexer::new(bytes, at);
        let object = lexer.object();
        self.read.set(self.read.get() + 16 + lexer.at.saturating_sub(at));
        object
    }

    fn stream_at(&self, at: usize) -> Option<Stream<'a>> {
        if self.read.get() > READ_MAX {
            return None;
        }
        let mut lexer = Lexer::new(self.bytes, at);
        let Some(Object::Dict(dict)) = lexer.object() else { return None };
        lexer.skip_space();
        self.read.set(self.read.get() + 16 + lexer.at - at);
        let rest = self.bytes.get(lexer.at..)?.strip_prefix(b"stream")?;
        let rest = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
        let length = self.value(&dict, "Length").number().map(|length| length as usize);
        let ends = |length: &usize| {
            rest.get(*length..).is_some_and(|after| {
                let space = after.iter().take(4).take_while(|b| is_space(**b)).count();
                after[space..].starts_with(b"endstream")
            })
        };
        // A length that is wrong is found out by what stands behind it.
        let length = match length.filter(ends) {
            Some(length) => length,
            None => {
                let length = find(rest, b"endstream").unwrap_or(rest.len());
                self.read.set(self.read.get() + length);
                length
            }
        };
        Some(Stream { dict, raw: &rest[..length] })
    }

    /// The octets of a stream, its filters undone as far as they can be.
    pub(super) fn unpack(&self, stream: &Stream<'_>) -> Vec<u8> {
        let filters = match self.value(&stream.dict, "Filter") {
            Object::Array(filters) => filters,
            filter => vec![filter],
        };
        let parameters = match self.value(&stream.dict, "DecodeParms") {
            Object::Array(parameters) => parameters,
            parameters => vec![parameters],
        };
        let mut data = Cow::Borrowed(stream.raw);
        for (i, filter) in filters.iter().take(FILTERS_MAX).enumerate() {
            let room = UNPACKED_MAX.saturating_sub(self.unpacked.get());
            let filter = self.resolved(filter);
            let undone = match filter.name() {
                None => break,
                Some("FlateDecode" | "Fl") => {
                    unpredicted(inflated(&data, room), &self.dict(parameters.get(i)))
                }
                Some("LZWDecode" | "LZW") => {
                    let parameters = self.dict(parameters.get(i));
                    let early = self.value(&parameters, "EarlyChange").number() != Some(0.0);
                    unpredicted(unlzw(&data, early, room), &parameters)
                }
                Some("ASCIIHexDecode" | "AHx") => unhex(&data),
                Some("ASCII85Decode" | "A85") => un85(&data),
                // Images, and what nobody writes text with.
                Some(_) => Vec::new(),
            };
            self.unpacked.set(self.unpacked.get() + undone.len());
            data = Cow::Owned(undone);
        }
        if filters.len() <= 1 && matches!(data, Cow::Borrowed(_)) {
            self.unpacked.set(self.unpacked.get() + data.len());
            if self.unpacked.get() > UNPACKED_MAX {
                return Vec::new();
            }
        }
        data.into_owned()
    }
}

/// The number of the object whose word `obj` stands here.
fn object_number(bytes: &[u8], word: usize) -> Option<u32> {
    /// Octets that two numbers and the space around them take.
    const LOOK_BACK: usize = 24;
    let before = &bytes[word.saturating_sub(LOOK_BACK)..word];
    let text = std::str::from_utf8(
        &before[before.iter().rposition(|b| !is_space(*b) && !b.is_ascii_digit()).map_or(0, |at| at + 1)..],
    )
    .ok()?;
    let mut numbers = text.split_ascii_whitespace().rev();
    let (_generation, number) = (numbers.next()?, numbers.next()?);
    text.ends_with(|c: char| c.is_ascii_whitespace()).then(|| number.parse().ok()).flatten()
}

/// Where a word begins.
pub(super) fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    let first = *word.first()?;
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|b| *b == first) {
        at += found;
        if bytes[at..].starts_with(word) {
            return Some(at);
        }
        at += 1;
    }
    None
}

fn inflated(data: &[u8], room: usize) -> Vec<u8> {
    let mut out = Vec::new();
    // What was unpacked before the damage is kept.
    let _ = flate2::read::ZlibDecoder::new(data).take(room as u64).read_to_end(&mut out);
    out
}

/// Undoes the predictors of PNG (ISO 32000-1 §7.4.4.4), which streams of offsets and objects use.
fn unpredicted(data: Vec<u8>, parameters: &Dict) -> Vec<u8> {
    let number = |key: &str, other: usize| {
        parameters.get(key).and_then(Object::number).map_or(other, |number| number as usize)
    };
    if number("Predictor", 1) < 10 {
        return data;
    }
    let bits = number("Colors", 1).clamp(1, 32) * number("BitsPerComponent", 8).clamp(1, 16);
    let pixel = bits.div_ceil(8);
    let row = (number("Columns", 1).clamp(1, 1 << 16) * bits).div_ceil(8);
    let mut out: Vec<u8> = Vec::with_capacity(data.len());
    let mut above = vec![0; row];
    for line in data.chunks(row + 1) {
        let mut current = vec![0; row];
        for (i, byte) in line[1..].iter().enumerate() {
            let left = if i >= pixel { current[i - pixel] } else { 0 };
            let corner = if i >= pixel { above[i - pixel] } else { 0 };
            let add = match line[0] {
                1 => left,
                2 => above[i],
                3 => ((u16::from(left) + u16::from(above[i])) / 2) as u8,
                4 => paeth(left, above[i], corner),
                _ => 0,
            };
            current[i] = byte.wrapping_add(add);
        }
        out.extend(&current[..line.len() - 1]);
        above = current;
    }
    out
}

fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let guess = i16::from(left) + i16::from(above) - i16::from(corner);
    let off = |value: u8| (guess - i16::from(value)).abs();
    if off(left) <= off(above) && off(left) <= off(corner) {
        left
    } else if off(above) <= off(corner) {
        above
    } else {
        corner
    }
}

/// LZW with codes of 9 to 12 bits (ISO 32000-1 §7.4.4).
fn unlzw(data: &[u8], early: bool, room: usize) -> Vec<u8> {
    const CLEAR: usize = 256;
    const END: usize = 257;
    let mut out: Vec<u8> = Vec::new();
    // Each code as a part of what was written.
    let mut table: Vec<(usize, usize)> = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    let mut previous: Option<(usize, usize)> = None;
    for byte in data {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        let next = END + 1 + table.len() + usize::from(early);
        let width = match next {
            ..512 => 9,
            512..1024 => 10,
            1024..2048 => 11,
            _ => 12,
        };
        if bits < width {
            continue;
        }
        bits -= width;
        let code = (buffer >> bits) as usize & ((1 << width) - 1);
        buffer &= (1 << bits) - 1;
        match code {
            CLEAR => {
                table.clear();
                previous = None;
                continue;
            }
            END => break,
            _ => {}
        }
        if let Some((start, length)) = previous.filter(|_| table.len() < 4096 - END) {
            // The string before, and the octet that comes now.
            table.push((start, length + 1));
        }
        let start = out.len();
        match code {
            0..=255 => out.push(code as u8),
            _ => {
                let Some((from, length)) = table.get(code - END - 1).copied() else { break };
                if out.len() + length > room {
                    break;
                }
                for i in from..from + length {
                    let octet = out.get(i).copied().unwrap_or_default();
                    out.push(octet);
                }
            }
        }
        previous = Some((start, out.len() - start));
    }
    out
}

fn unhex(data: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = data.iter().take_while(|b| **b != b'>').filter_map(|b| hex(*b)).collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair.get(1).copied().unwrap_or(0)).collect()
}

fn un85(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut group = Vec::with_capacity(5);
    let mut put = |group: &mut Vec<u32>| {
        let count = group.len();
        if count > 1 {
            group.resize(5, 84);
            let word = group.iter().fold(0_u32, |word, digit| word.wrapping_mul(85).wrapping_add(*digit));
            out.extend(&word.to_be_bytes()[..count - 1]);
        }
        group.clear();
    };
    for byte in data.strip_prefix(b"<~").unwrap_or(data) {
        match byte {
            b'~' => break,
            b'z' if group.is_empty() => {
                group.resize(5, 0);
                put(&mut group);
            }
            b'!'..=b'u' => {
                group.push(u32::from(byte - b'!'));
                if group.len() == 5 {
                    put(&mut group);
                }
            }
            _ => {}
        }
    }
    put(&mut group);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_undone() {
        assert_eq!(un85(b"87cURD]i,\"Ebo80~>"), b"Hello World!");
        assert_eq!(unhex(b"48 65 6C6c6F>"), b"Hello");
        // ISO 32000-1 §7.4.4.2, the example.
        assert_eq!(
            unlzw(&[0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01], true, 100),
            [45, 45, 45, 45, 45, 65, 45, 45, 45, 66]
        );
        let parameters = Dict::from([
            ("Predictor".to_owned(), Object::Number(12.0)),
            ("Columns".to_owned(), Object::Number(2.0)),
        ]);
        assert_eq!(unpredicted(vec![2, 1, 2, 2, 1, 1], &parameters), [1, 2, 2, 3]);
    }

    #[test]
    fn an_encrypted_file_is_refused_by_name() {
        let error =
            File::open(b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<</Encrypt 2 0 R/Root 1 0 R>>").err();
        assert!(matches!(error, Some(ReadError::Unsupported { what: "an encrypted PDF", .. })));
    }

    #[test]
    fn of_two_objects_with_one_number_the_later_counts() {
        let file = File::open(b"1 0 obj (a) endobj 1 0 obj (b) endobj").unwrap();
        assert_eq!(file.resolved(&Object::Reference(1)), Object::Text(b"b".to_vec()));
        assert_eq!(file.resolved(&Object::Reference(2)), Object::Null);
        let endless = File::open(b"1 0 obj 2 0 R endobj 2 0 obj 1 0 R endobj").unwrap();
        assert_eq!(endless.resolved(&Object::Reference(1)), Object::Null);
    }
}
