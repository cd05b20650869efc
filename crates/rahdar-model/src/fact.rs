//! What telemetry says beside flows: names that were resolved, handshakes that were seen, and
//! what was lost on the way.
//!
//! Decoders keep one fact of each kind and refill it, as they do with the flow record. Text
//! that a source does not have is empty.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::address::Address;
use crate::time::{Timestamp, Window};

/// One fact, on its way from a decoder to a sink.
#[derive(Debug, Clone, Copy)]
pub enum Fact<'a> {
    /// A name was asked for, and perhaps answered.
    Resolution(&'a Resolution),
    /// A TLS session was begun, or a request sent in clear.
    Handshake(&'a Handshake),
    /// Something that an exporter sent is missing.
    Gap(&'a Gap),
}

/// One answer to one DNS question (RFC 1035 §4.1), or a question that nobody answered.
///
/// A response with several answers makes several resolutions of the same question; an alias
/// (CNAME) is an answer like any other, and the addresses behind it are answers to the name that was
/// asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// When it was seen.
    pub time: Timestamp,
    /// Who asked.
    pub client: Address,
    /// Who was asked.
    pub server: Address,
    /// The name in question: lower case, no final dot, as on the wire (A-labels).
    pub name: String,
    /// The type in question (IANA DNS RR TYPE): 1 A, 28 AAAA, 5 CNAME, 16 TXT.
    pub question: Option<u16>,
    /// How the server answered (IANA DNS RCODE): 0 no error, 3 no such name.
    pub response: Option<u16>,
    /// The answer.
    pub answer: Answer,
    /// How long the answer may be kept, in seconds.
    pub ttl_s: Option<u32>,
    /// Who saw it.
    pub exporter: Arc<str>,
    /// The file or spool segment that it came from.
    pub source: Arc<str>,
    /// The record's number in it, from 1.
    pub source_row: u64,
}

/// What a resolution says of the name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Answer {
    /// Nothing: no answer was given, or none was seen.
    #[default]
    None,
    /// The name stands for this address.
    Address(Address),
    /// Other data: an alias, a mail host, a text. A name is lower case, without final dot.
    Text(String),
}

impl Resolution {
    /// An empty resolution of this exporter and source.
    pub fn new(exporter: Arc<str>, source: Arc<str>) -> Self {
        Self {
            time: Timestamp::default(),
            client: Address::UNSPECIFIED,
            server: Address::UNSPECIFIED,
            name: String::new(),
            question: None,
            response: None,
            answer: Answer::None,
            ttl_s: None,
            exporter,
            source,
            source_row: 0,
        }
    }
}

/// One TLS handshake, as far as it was in clear, or one HTTP request in clear: a server was called,
/// perhaps by a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// When it was seen.
    pub time: Timestamp,
    /// Who began it.
    pub client: Address,
    /// The client's port.
    pub client_port: u16,
    /// Who was called.
    pub server: Address,
    /// The server's port; 0 where the log tells none.
    pub server_port: u16,
    /// The name that the client asked for (SNI, RFC 6066 §3; `Host`, RFC 9110 §7.2): lower case, no
    /// final dot.
    pub server_name: String,
    /// The version that was agreed on, as the source names it; `HTTP/…` of a request in clear.
    pub version: String,
    /// JA3 fingerprint of the client, in hexadecimal.
    pub ja3: String,
    /// JA3S fingerprint of the server, in hexadecimal.
    pub ja3s: String,
    /// JA4 fingerprint of the client.
    pub ja4: String,
    /// Hash of the server's own certificate in lower-case hexadecimal: 40 digits are SHA-1, 64 SHA-256.
    pub certificate: String,
    /// The certificate's subject, as the source writes it.
    pub subject: String,
    /// The certificate's issuer, as the source writes it.
    pub issuer: String,
    /// Whether the session came about.
    pub established: Option<bool>,
    /// Who saw it.
    pub exporter: Arc<str>,
    /// The file or spool segment that it came from.
    pub source: Arc<str>,
    /// The record's number in it, from 1.
    pub source_row: u64,
}

impl Handshake {
    /// An empty handshake of this exporter and source.
    pub fn new(exporter: Arc<str>, source: Arc<str>) -> Self {
        Self {
            time: Timestamp::default(),
            client: Address::UNSPECIFIED,
            client_port: 0,
            server: Address::UNSPECIFIED,
            server_port: 0,
            server_name: String::new(),
            version: String::new(),
            ja3: String::new(),
            ja3s: String::new(),
            ja4: String::new(),
            certificate: String::new(),
            subject: String::new(),
            issuer: String::new(),
            established: None,
            exporter,
            source,
            source_row: 0,
        }
    }
}

/// Something that an exporter sent, or says that it sent, and that is not stored.
///
/// Of one exporter, what one gap counts, no other does. What is known of a socket alone, or of a sender that
/// speaks for several exporters, counts beside them: the shares of exporters whose sequence numbers show it are
/// gaps of theirs as well, in the unit of these numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Whose telemetry it is, by the name that its flows have; or where it was lost ([`is_anybodys`]).
    pub exporter: Arc<str>,
    /// The exporter's own subdivision; 0 where the loss cannot be told apart by it.
    pub observation_domain: u32,
    /// Between which times it was lost, by the clock of who noticed.
    pub window: Window,
    /// Why.
    pub cause: Loss,
    /// In what `lost` counts.
    pub unit: Unit,
    /// How many are missing. Never 0.
    pub lost: u64,
    /// The file or spool segment that showed it.
    pub source: Arc<str>,
}

/// Whether a gap under this name may be of any exporter that was recorded at the time: that of a socket, `udp ADDRESS`,
/// or of all, `udp *`; of a sender of several exporters' flows, `sender ADDRESS`; of the collector's own `spool`.
pub fn is_anybodys(exporter: &str) -> bool {
    let is_place =
        |place: &str| place == "*" || place.parse::<SocketAddr>().is_ok() || place.parse::<IpAddr>().is_ok();
    let mut places = ["udp ", "sender "].into_iter().filter_map(|kind| exporter.strip_prefix(kind));
    exporter == "spool" || places.any(is_place)
}

/// Why telemetry is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// The exporter's sequence numbers jump: lost before it came to us, by the network or the exporter itself.
    Sequence,
    /// A buffer of the kernel was full: that of our socket, or that from which a sensor takes its packets.
    KernelDrop,
    /// Our queue was full.
    QueueDrop,
    /// The exporter sent more than it may.
    RateLimited,
    /// The exporter is not on the list of those who may send.
    Rejected,
    /// The template never came.
    NoTemplate,
    /// It was not understood.
    DecodeError,
}

impl Loss {
    /// Every cause, in the order in which a datagram can meet them.
    pub const ALL: [Self; 7] = [
        Self::Sequence,
        Self::KernelDrop,
        Self::Rejected,
        Self::RateLimited,
        Self::QueueDrop,
        Self::NoTemplate,
        Self::DecodeError,
    ];

    /// The word for it in tables and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::KernelDrop => "kernel_drop",
            Self::QueueDrop => "queue_drop",
            Self::RateLimited => "rate_limited",
            Self::Rejected => "rejected",
            Self::NoTemplate => "no_template",
            Self::DecodeError => "decode_error",
        }
    }

    /// The cause of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.word() == word)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a gap counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// UDP datagrams, or messages of a stream.
    Datagrams,
    /// Flow records.
    Records,
    /// Sampled packets.
    Samples,
    /// Packets that a sensor or a capture did not see.
    Packets,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 4] = [Self::Datagrams, Self::Records, Self::Samples, Self::Packets];

    /// The word for it in tables and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Datagrams => "datagrams",
            Self::Records => "records",
            Self::Samples => "samples",
            Self::Packets => "packets",
        }
    }

    /// The unit of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.word() == word)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_anybodys_under_the_name_of_a_place_alone() {
        for place in [
            "spool",
            "udp *",
            "udp 192.0.2.1:2055",
            "udp [::]:2055",
            "sender 192.0.2.1",
            "sender 2001:db8::1",
        ] {
            assert!(is_anybodys(place), "{place}");
        }
        for exporter in ["spool-west", "spool01", "udp probe", "sender", "192.0.2.1", ""] {
            assert!(!is_anybodys(exporter), "{exporter}");
        }
    }
}
