//! Messages in a file, one after the other: an IPFIX file (RFC 5655 §6), or datagrams of any of
//! the four protocols as they were on the wire.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use rahdar_model::address::Address;
use rahdar_model::flow::FlowRecord;
use rahdar_model::sink::{FlowSink, Place, SinkError, Tally};

use super::domain::Transport;
use super::message::{self, At, Protocol};
use super::{Arrival, Collector, ipfix, v5, v9};
use crate::{Format, Options, WireError};

/// Octets of the longest message: the length field of IPFIX has two, a UDP payload is shorter.
const MESSAGE_OCTETS_MAX: usize = 65_535;

/// Octets that are read at once: enough that moving what is left over to the front costs little.
const WINDOW_OCTETS: usize = 1 << 20;

/// Reads a file of messages.
///
/// There is no sender: the exporter is `ipfix` or `netflow`, unless the records or the operator
/// name one. Nobody took the time of arrival. NetFlow v9 does not say where a message ends: it
/// ends where the next begins.
///
/// # Errors
/// [`WireError::Empty`], [`WireError::Unknown`] if not even the first message is one,
/// [`WireError::Read`] and [`WireError::Sink`] as they come.
pub(crate) fn file(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let mut collector = Collector::new(options);
    collector.transport = Transport::Stream;
    let mut reading = Reading {
        collector,
        record: FlowRecord::new("".into(), source),
        sink,
        tally: Tally::default(),
        messages: 0,
    };
    let mut window = Window::new(input);
    loop {
        window.fill();
        let octets = match window.next_message() {
            Next::Message(octets) => octets,
            Next::End => break,
            Next::Other { version } if reading.messages == 0 => {
                let looks = format!("the input begins with version `{version}`, which is no export");
                return Err(WireError::Unknown { looks });
            }
            Next::Other { version } => {
                reading.refuse_rest(window.at, version);
                break;
            }
        };
        reading.message(&window.buffer[window.start..window.start + octets])?;
        window.advance(octets);
    }
    reading.finish()?;
    let tally = reading.tally;
    match window.failure {
        Some(source) => Err(WireError::Read { tally, source }),
        None if reading.messages == 0 => Err(WireError::Empty),
        None => Ok(tally),
    }
}

/// One reading of a file.
struct Reading<'a> {
    collector: Collector,
    record: FlowRecord,
    sink: &'a mut dyn FlowSink,
    tally: Tally,
    messages: u64,
}

impl Reading<'_> {
    fn message(&mut self, message: &[u8]) -> Result<(), SinkError> {
        self.messages += 1;
        let arrival =
            Arrival { exporter: Address::UNSPECIFIED, port: 0, received: None, packet: self.messages };
        self.collector.datagram(message, &arrival, &mut self.record, self.sink, &mut self.tally)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.collector.finish(&mut self.record, self.sink, &mut self.tally)
    }

    /// Refuses what follows the last message, as one record.
    fn refuse_rest(&mut self, at: u64, version: u16) {
        self.tally.received += 1;
        self.tally.refused += 1;
        let text = format!("version `{version}` is no export: the file is not read from here on");
        self.sink.problem(rahdar_model::Problem { place: Place::Octet(at), text, refused: 1 });
    }
}

/// The part of the file that is in memory: at least one message, or all that is left.
struct Window<'a> {
    input: &'a mut dyn Read,
    buffer: Vec<u8>,
    /// The first octet of the buffer that was not read as a message yet.
    start: usize,
    /// Where the buffer holds nothing more.
    end: usize,
    /// The place of `start` in the file.
    at: u64,
    is_ended: bool,
    /// What ended it, if not its end. What came before is read all the same.
    failure: Option<io::Error>,
}

/// What begins at the window's start.
enum Next {
    /// A message of so many octets, or what is left of one.
    Message(usize),
    /// Nothing more.
    End,
    /// Something else.
    Other { version: u16 },
}

impl<'a> Window<'a> {
    fn new(input: &'a mut dyn Read) -> Self {
        let buffer = vec![0; WINDOW_OCTETS];
        Self { input, buffer, start: 0, end: 0, at: 0, is_ended: false, failure: None }
    }

    /// Reads on until the longest message, and the beginning of the one after it, would fit.
    fn fill(&mut self) {
        const WANTED: usize = MESSAGE_OCTETS_MAX + 4;
        if self.is_ended || self.end - self.start >= WANTED {
            return;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < self.buffer.len() && !self.is_ended {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_ended = true,
                Ok(read) => self.end += read,
                Err(failure) if failure.kind() == ErrorKind::Interrupted => {}
                Err(failure) => {
                    self.is_ended = true;
                    self.failure = Some(failure);
                }
            }
        }
    }

    fn advance(&mut self, octets: usize) {
        self.start += octets;
        self.at += octets as u64;
    }

    fn next_message(&self) -> Next {
        let left = &self.buffer[self.start..self.end];
        let left = &left[..left.len().min(MESSAGE_OCTETS_MAX)];
        match message_octets(left) {
            _ if left.is_empty() => Next::End,
            Some(octets) => Next::Message(octets),
            None => Next::Other { version: message::u16_at(left, 0).unwrap_or_default() },
        }
    }
}

/// Sees by content whether an input is a file of messages. `head` is its beginning; `whole` says
/// that nothing follows.
pub(crate) fn detect(head: &[u8], whole: bool) -> Option<Format> {
    let octets = message_octets(head)?;
    // Where a v9 message ends is seen by what follows.
    let is_ended = whole || octets < head.len();
    let format = if head.starts_with(&[0, 10]) { Format::Ipfix } else { Format::Datagram };
    (is_ended && Collector::recognises(&head[..octets])).then_some(format)
}

/// How long the message is that `octets` begin with, or what is there of it. None if they begin
/// with something else.
fn message_octets(octets: &[u8]) -> Option<usize> {
    let most = octets.len();
    let promised = match message::u16_at(octets, 0)? {
        5 | 7 => v5::Header::read(octets)
            .map_or(most, |header| v5::HEADER + header.record * usize::from(header.count)),
        9 => v9_octets(octets),
        10 => message::u16_at(octets, 2).map_or(most, usize::from).max(ipfix::HEADER),
        _ => return None,
    };
    Some(promised.min(most))
}

/// How long the NetFlow v9 message is that `octets` begin with.
///
/// A set has the number 0, 1 or of a template. Where 5, 7, 9 or 10 stands instead, the next message
/// begins.
fn v9_octets(octets: &[u8]) -> usize {
    let mut at = v9::HEADER.min(octets.len());
    loop {
        if matches!(message::u16_at(octets, at), Some(5 | 7 | 9 | 10)) {
            return at;
        }
        match message::set_at(Protocol::V9, octets, at) {
            At::Set(set) => at = set.end,
            // Padding before the next message.
            At::Broken { length: 0 } if message::u16_at(octets, at) == Some(0) => at += 4,
            At::End | At::Broken { .. } => return octets.len(),
        }
    }
}
