//! Text, line by line, with a limit on the length of one.

use std::io::{self, Read};

use memchr::memchr;
use rahdar_model::Tally;
use rahdar_model::sink::Place;

use crate::WireError;
use crate::delivery::Delivery;
use crate::window::Window;

/// The longest line that is read. Chosen here: a `conn.log` row has some hundred octets, and
/// one with every optional column and label stays below a few thousand.
pub(crate) const LINE_OCTETS_MAX: usize = 1 << 20;

/// What Windows programs write before a text in UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of an input.
pub(crate) struct Lines<'a> {
    window: Window<'a>,
    /// Octets of the view that the last line used.
    used: usize,
    number: u64,
}

/// One line, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line<'l> {
    /// As it is.
    Whole(&'l [u8]),
    /// The last one, which has no line end: it may be cut.
    Unended(&'l [u8]),
    /// Longer than [`LINE_OCTETS_MAX`], passed over.
    TooLong,
}

/// A line, or an object of a document, on its way to a decoder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'l> {
    /// Without its end.
    pub(crate) line: &'l [u8],
    /// Its number, from 1.
    pub(crate) number: u64,
    /// Where it is.
    pub(crate) place: Place,
    /// Whether it has an end. The last line may have none, and may be cut.
    pub(crate) ended: bool,
}

/// Gives every line of `input` to `take`, which counts and delivers what is in it. Lines that
/// are too long are refused here.
pub(crate) fn read<'a>(
    input: &mut dyn Read,
    mut delivery: Delivery<'a>,
    mut take: impl FnMut(&mut Delivery<'a>, Text<'_>) -> Result<(), WireError>,
) -> Result<Tally, WireError> {
    let mut lines = Lines::new(input);
    loop {
        let number = lines.number() + 1;
        let place = Place::Line(number);
        match lines.next() {
            Ok(Some(Line::Whole(line))) => take(&mut delivery, Text { line, number, place, ended: true })?,
            Ok(Some(Line::Unended(line))) => take(&mut delivery, Text { line, number, place, ended: false })?,
            Ok(Some(Line::TooLong)) => {
                let why = format_args!("the line is longer than {LINE_OCTETS_MAX} octets");
                delivery.refuse(place, why);
            }
            Ok(None) => return Ok(delivery.close()),
            Err(source) => return Err(WireError::Read { tally: delivery.close(), source }),
        }
    }
}

impl<'a> Lines<'a> {
    /// The lines of `input`, from 1.
    pub(crate) fn new(input: &'a mut dyn Read) -> Self {
        Self { window: Window::new(input), used: 0, number: 0 }
    }

    /// The number of the line that was read last, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next line; none at the end. A byte-order mark before the first is passed over.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.window.pass(self.used);
        self.used = 0;
        if self.number == 0 {
            self.window.reach(BYTE_ORDER_MARK.len())?;
            let is_marked = self.window.view().starts_with(BYTE_ORDER_MARK);
            self.window.pass(if is_marked { BYTE_ORDER_MARK.len() } else { 0 });
        }
        let mut searched = 0;
        let (length, is_ended) = loop {
            if let Some(at) = memchr(b'\n', &self.window.view()[searched..]) {
                break (searched + at, true);
            }
            searched = self.window.view().len();
            if searched > LINE_OCTETS_MAX || !self.window.more()? {
                break (searched, false);
            }
        };
        if length == 0 && !is_ended {
            return Ok(None);
        }
        self.number += 1;
        if length > LINE_OCTETS_MAX {
            self.pass_line()?;
            return Ok(Some(Line::TooLong));
        }
        self.used = length + usize::from(is_ended);
        let line = without_return(&self.window.view()[..length]);
        Ok(Some(if is_ended { Line::Whole(line) } else { Line::Unended(line) }))
    }

    fn pass_line(&mut self) -> io::Result<()> {
        loop {
            let view = self.window.view();
            match memchr(b'\n', view) {
                Some(at) => {
                    self.window.pass(at + 1);
                    return Ok(());
                }
                None => {
                    let all = view.len();
                    self.window.pass(all);
                }
            }
            if !self.window.more()? {
                return Ok(());
            }
        }
    }
}

/// The lines of a beginning that are not blank, without blanks around them. The last may be cut.
pub(crate) fn of(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    text.split(|c| *c == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: &[Line<'_>]) {
        let mut input = text;
        let mut lines = Lines::new(&mut input);
        for (i, line) in expected.iter().enumerate() {
            assert_eq!(lines.next().unwrap(), Some(*line));
            assert_eq!(lines.number(), i as u64 + 1);
        }
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn line_ends_of_both_kinds_are_taken_off() {
        check(b"a\r\n\nb\n", &[Line::Whole(b"a"), Line::Whole(b""), Line::Whole(b"b")]);
    }

    #[test]
    fn a_byte_order_mark_is_none_of_the_first_line() {
        check(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", &[Line::Whole(b"a"), Line::Whole(b"\xef\xbb\xbfb")]);
        check(b"\xef\xbb", &[Line::Unended(b"\xef\xbb")]);
    }

    #[test]
    fn a_last_line_without_end_is_told_apart() {
        check(b"a\nb", &[Line::Whole(b"a"), Line::Unended(b"b")]);
    }

    #[test]
    fn an_endless_line_is_passed_over() {
        let mut text = vec![b'x'; 3 * LINE_OCTETS_MAX];
        text.extend(b"\nb\n");
        check(&text, &[Line::TooLong, Line::Whole(b"b")]);
        check(&text[2 * LINE_OCTETS_MAX - 1..], &[Line::TooLong, Line::Whole(b"b")]);
        check(&text[..2 * LINE_OCTETS_MAX], &[Line::TooLong]);
    }
}
