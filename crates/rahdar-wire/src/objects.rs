//! The objects of JSON documents, one at a time: lines of them, an array of them, or the array of an object that
//! wraps them (`records` of Azure, `hits` of Elasticsearch). An object may go over several lines.

use std::io::{self, Read};

use memchr::memmem;
use rahdar_model::Tally;
use rahdar_model::sink::Place;

use crate::WireError;
use crate::delivery::Delivery;
use crate::lines::Text;
use crate::window::Window;

/// The longest object that is read. Chosen here: Azure writes one a minute and interface, with a hundred octets
/// a flow; this is more than 100,000 flows in one.
const OBJECT_OCTETS_MAX: usize = 16 << 20;

/// Gives every object of `input` to `take`: its number, from 1, and the place of its first octet. What is no object
/// is refused here.
pub(crate) fn read<'a>(
    input: &mut dyn Read,
    mut delivery: Delivery<'a>,
    mut take: impl FnMut(&mut Delivery<'a>, Text<'_>) -> Result<(), WireError>,
) -> Result<Tally, WireError> {
    let mut objects = Objects::new(input);
    let mut number = 0;
    loop {
        match objects.next() {
            Ok(Some((place, Object::Whole(line)))) => {
                number += 1;
                take(&mut delivery, Text { line, number, place, ended: true })?;
            }
            Ok(Some((place, Object::TooLong))) => {
                let why = format_args!("the object is longer than {OBJECT_OCTETS_MAX} octets");
                delivery.refuse(place, why);
            }
            Ok(Some((place, Object::Cut))) => {
                delivery.refuse(place, format_args!("the input ends within the object that begins here"));
            }
            Ok(Some((place, Object::None))) => delivery.refuse(place, format_args!("no object begins here")),
            Ok(None) => return Ok(delivery.close()),
            Err(source) => return Err(WireError::Read { tally: delivery.close(), source }),
        }
    }
}

/// What `see` says of the first object of a beginning that it says anything of.
pub(crate) fn find_map<T>(head: &[u8], see: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let mut input = head;
    let mut objects = Objects::new(&mut input);
    loop {
        match objects.next() {
            Ok(Some((_, Object::Whole(object)))) => {
                let seen = see(object);
                if seen.is_some() {
                    return seen;
                }
            }
            Ok(Some((_, Object::None | Object::TooLong))) => {}
            Ok(Some((_, Object::Cut)) | None) | Err(_) => return None,
        }
    }
}

/// Octets in which a wrapper opens. Chosen here: Azure writes a line break and some blanks, Elasticsearch some numbers.
const OPENING_OCTETS: usize = 1_024;

/// The octets up to the first object in an array that an object wraps, if a beginning is one: `{"records":[` of Azure,
/// or what a search of Elasticsearch answers, which begins with one of its own keys.
pub(crate) fn opening(head: &[u8]) -> Option<usize> {
    let head = &head[..head.len().min(OPENING_OCTETS)];
    let (key, at) = token(head, 0, b"{").and_then(|at| name(head, at))?;
    match key {
        b"records" => token(head, at, b":").and_then(|at| token(head, at, b"[")),
        b"took" | b"timed_out" | b"hits" | b"_scroll_id" | b"pit_id" | b"_shards" => {
            let mut keys = memmem::find_iter(head, b"\"hits\"").map(|at| at + b"\"hits\"".len());
            keys.find_map(|at| token(head, token(head, at, b":")?, b"["))
        }
        _ => None,
    }
}

/// Where `token` ends, if it stands at some place, blanks before it apart.
fn token(text: &[u8], at: usize, token: &[u8]) -> Option<usize> {
    let rest = text.get(at..)?;
    let blanks = rest.iter().take_while(|c| c.is_ascii_whitespace()).count();
    rest[blanks..].starts_with(token).then_some(at + blanks + token.len())
}

/// The name in quotes at some place, and where it ends.
fn name(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let from = token(text, at, b"\"")?;
    let octets = text[from..].iter().position(|c| *c == b'"')?;
    Some((&text[from..from + octets], from + octets + 1))
}

/// The objects of an input.
struct Objects<'a> {
    window: Window<'a>,
    /// Octets of the view that the last object used.
    used: usize,
}

/// What stands at one place.
#[derive(Debug, PartialEq, Eq)]
enum Object<'v> {
    /// An object, with its brackets.
    Whole(&'v [u8]),
    /// An object longer than [`OBJECT_OCTETS_MAX`], passed over.
    TooLong,
    /// An object that the input ends in.
    Cut,
    /// Something else, passed over.
    None,
}

impl<'a> Objects<'a> {
    fn new(input: &'a mut dyn Read) -> Self {
        Self { window: Window::new(input), used: 0 }
    }

    fn next(&mut self) -> io::Result<Option<(Place, Object<'_>)>> {
        self.window.pass(self.used);
        self.used = 0;
        loop {
            self.pass_while(|c| {
                c.is_ascii_whitespace() || matches!(c, b',' | b'[' | b']' | b'}' | 0xef | 0xbb | 0xbf)
            })?;
            let place = Place::Octet(self.window.offset());
            match self.window.view().first().copied() {
                None => return Ok(None),
                Some(b'{') if self.opens_records()? => {}
                Some(b'{') => return self.object().map(|object| Some((place, object))),
                Some(_) => {
                    self.pass_while(|c| c != b'{')?;
                    return Ok(Some((place, Object::None)));
                }
            }
        }
    }

    /// Moves to the first octet that is not meant.
    fn pass_while(&mut self, is_meant: impl Fn(u8) -> bool) -> io::Result<()> {
        loop {
            let view = self.window.view();
            if let Some(at) = view.iter().position(|c| !is_meant(*c)) {
                self.window.pass(at);
                return Ok(());
            }
            let all = view.len();
            self.window.pass(all);
            if !self.window.more()? {
                return Ok(());
            }
        }
    }

    /// Moves behind the opening of an object that wraps an array of objects, if the view begins so.
    fn opens_records(&mut self) -> io::Result<bool> {
        self.window.reach(OPENING_OCTETS)?;
        let opening = opening(self.window.view());
        self.window.pass(opening.unwrap_or(0));
        Ok(opening.is_some())
    }

    /// The object at the beginning of the view. Brackets are counted outside of texts.
    fn object(&mut self) -> io::Result<Object<'_>> {
        let (mut at, mut depth, mut is_text, mut is_long) = (0, 0usize, false, false);
        loop {
            let view = self.window.view();
            while let Some(c) = view.get(at) {
                at += 1;
                match c {
                    // Whatever follows a backslash is no end of the text, even if it is not in view yet.
                    b'\\' if is_text => at += 1,
                    b'"' => is_text = !is_text,
                    b'{' | b'[' if !is_text => depth += 1,
                    b'}' | b']' if !is_text => {
                        depth -= 1;
                        if depth == 0 {
                            self.used = at;
                            return Ok(if is_long {
                                Object::TooLong
                            } else {
                                Object::Whole(&self.window.view()[..at])
                            });
                        }
                    }
                    _ => {}
                }
            }
            if at > OBJECT_OCTETS_MAX || is_long {
                is_long = true;
                let passed = at.min(self.window.view().len());
                self.window.pass(passed);
                at -= passed;
            }
            if !self.window.more()? {
                self.used = self.window.view().len();
                return Ok(if is_long { Object::TooLong } else { Object::Cut });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` in pieces of a few octets, and compares what stands where.
    fn check(text: &[u8], expected: &[(u64, Object<'_>)]) {
        let mut pieces = Pieces(text);
        let mut objects = Objects::new(&mut pieces);
        for (octet, object) in expected {
            let (place, found) = objects.next().unwrap().unwrap();
            assert_eq!((place, &found), (Place::Octet(*octet), object));
        }
        assert!(objects.next().unwrap().is_none());
    }

    struct Pieces<'t>(&'t [u8]);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.len().min(3).min(buffer.len());
            let (here, rest) = self.0.split_at(piece);
            buffer[..piece].copy_from_slice(here);
            self.0 = rest;
            Ok(piece)
        }
    }

    #[test]
    fn objects_stand_in_lines_in_arrays_and_in_records() {
        let (one, two) = (&br#"{"a":"}\"{"}"#[..], &br#"{"b":[{}]}"#[..]);
        let expected = |first, second| [(first, Object::Whole(one)), (second, Object::Whole(two))];
        check(&[one, b"\n", two, b"\n"].concat(), &expected(0, 13));
        check(&[b"[", one, b",\n ", two, b"]"].concat(), &expected(1, 16));
        check(&[b"{ \"records\" : [\n", one, b",", two, b"]}"].concat(), &expected(16, 29));
        let again = [b"{\"records\":[", one, b"]}\n{\"records\":[", two, b"]}"].concat();
        check(&again, &expected(12, 39));
        check(b"{\"records\":[]}", &[]);
        let answer =
            [b"{\"took\":1,\"hits\":{\"total\":{\"value\":2},\"hits\" : [", one, b",", two, b"]}}"].concat();
        check(&answer, &expected(48, 61));
        check(b"", &[]);
    }

    #[test]
    fn what_is_no_object_is_passed_over() {
        check(
            b"x, y {\"a\":1} 7",
            &[(0, Object::None), (5, Object::Whole(b"{\"a\":1}")), (13, Object::None)],
        );
        check(b"{\"a\":1}{\"b\":[", &[(0, Object::Whole(b"{\"a\":1}")), (7, Object::Cut)]);
        check(b"{\"a\\", &[(0, Object::Cut)]);
    }

    #[test]
    fn an_endless_object_takes_no_more_than_its_limit() {
        let mut text = b"{\"a\":\"".to_vec();
        text.resize(OBJECT_OCTETS_MAX + (1 << 20), b'x');
        text.extend(b"\"}{\"b\":2}");
        let mut input = &*text;
        let mut objects = Objects::new(&mut input);
        assert_eq!(objects.next().unwrap(), Some((Place::Octet(0), Object::TooLong)));
        let at = text.len() as u64 - 7;
        assert_eq!(objects.next().unwrap(), Some((Place::Octet(at), Object::Whole(b"{\"b\":2}"))));
    }
}
