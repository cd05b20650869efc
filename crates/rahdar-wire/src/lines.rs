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

/// A line on its way to a decoder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'l> {
    /// Without its end.
    pub(crate) line: &'l [u8],
    /// Its number, from 1.
    pub(crate) number: u64,
    /// Whether it has an end. The last line may have none, and may be cut.
    pub(crate) ended: bool,
}

impl Text<'_> {
    /// Where the line is.
    pub(crate) fn place(&self) -> Place {
        Place::Line(self.number)
    }
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
        match lines.next() {
            Ok(Some(Line::Whole(line))) => take(&mut delivery, Text { line, number, ended: true })?,
            Ok(Some(Line::Unended(line))) => take(&mut delivery, Text { line, number, ended: false })?,
            Ok(Some(Line::TooLong)) => {
                let why = format_args!("the line is longer than {LINE_OCTETS_MAX} octets");
                delivery.refuse(Place::Line(number), why);
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

    /// The next line; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.window.pass(self.used);
        self.used = 0;
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
