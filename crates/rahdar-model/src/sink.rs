//! Where decoders hand what they read: flows on one side, problems beside them, counts for both.

use std::error::Error;
use std::fmt;
use std::ops::AddAssign;

use thiserror::Error;

use crate::fact::Fact;
use crate::flow::FlowRecord;

/// Takes flows from a decoder, one reused record at a time.
pub trait FlowSink {
    /// Takes one flow. The record is the decoder's and changes after the call.
    ///
    /// # Errors
    /// [`SinkError`] if the flow cannot be kept. The decoder stops and passes the error on.
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError>;

    /// Takes what the input says beside flows. The fact is the decoder's and changes after the call.
    ///
    /// # Errors
    /// As [`FlowSink::flow`].
    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError>;

    /// Takes note of input that was not understood, or only in part. Decoding goes on.
    fn problem(&mut self, problem: Problem);
}

/// The sink cannot take more: the disk is full, the store is gone, a limit is reached.
#[derive(Debug, Error)]
#[error("the flow could not be kept")]
pub struct SinkError(#[source] Box<dyn Error + Send + Sync>);

impl SinkError {
    /// Wraps what stopped the sink.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }

    /// What stopped the sink.
    pub fn into_cause(self) -> Box<dyn Error + Send + Sync> {
        self.0
    }
}

/// Input that a decoder did not understand, and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the input.
    pub place: Place,
    /// What is wrong, in one clause: lower case, values quoted, no final stop.
    pub text: String,
    /// Records refused because of it; 0 if everything was kept all the same.
    pub refused: u64,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// A place in an input, in the unit that people can look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A line of text, from 1.
    Line(u64),
    /// A packet of a capture, from 1.
    Packet(u64),
    /// An octet of a packet's export datagram, from 0.
    Datagram {
        /// The packet, from 1.
        packet: u64,
        /// The octet in the UDP payload, from 0.
        octet: usize,
    },
    /// An octet of the file, from 0.
    Octet(u64),
    /// The input as a whole.
    Input,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Packet(packet) => write!(f, "packet {packet}"),
            Self::Datagram { packet, octet } => write!(f, "packet {packet}, octet {octet} of the datagram"),
            Self::Octet(octet) => write!(f, "octet {octet}"),
            Self::Input => f.write_str("input"),
        }
    }
}

/// What became of the records of an input. `received = decoded + held + refused`, always.
///
/// A record is a log line, a packet, or a data record of an export. Lines that hold no record,
/// templates and frames without IP are not records; they are counted in `beside`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records found in the input.
    pub received: u64,
    /// Records understood.
    pub decoded: u64,
    /// Records that still wait for their template.
    pub held: u64,
    /// Records not understood. Each has a [`Problem`].
    pub refused: u64,
    /// What was in the input beside records: comments, templates, frames without IP.
    pub beside: u64,
    /// Flows given to the sink. Fewer than `decoded` where packets are assembled.
    pub flows: u64,
    /// Resolutions and handshakes given to the sink.
    pub facts: u64,
}

impl Tally {
    /// Whether every record is accounted for.
    pub const fn balances(&self) -> bool {
        self.received == self.decoded + self.held + self.refused
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.decoded += other.decoded;
        self.held += other.held;
        self.refused += other.refused;
        self.beside += other.beside;
        self.flows += other.flows;
        self.facts += other.facts;
    }
}
