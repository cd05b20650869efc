//! One flow record, as the rest of rahdar knows it.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};
use std::sync::Arc;

use crate::address::Address;
use crate::time::Timestamp;

/// A flow, normalised: what some exporter said about packets of one 5-tuple.
///
/// Decoders keep one record and refill it for each flow ([`FlowRecord::reset`]); nothing is
/// allocated per flow. Source and destination are who sent and who received the *forward*
/// packets. Reverse counters are present only in biflows (RFC 5103) and are `None`, not zero,
/// in uniflows. Text that a source does not have is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowRecord {
    /// First packet.
    pub start_time: Timestamp,
    /// Last packet. Not before `start_time`; decoders mend and mark what is.
    pub end_time: Timestamp,
    /// The exporter's clock when it exported the record.
    pub export_time: Option<Timestamp>,
    /// When the record reached the collector, or the capture point.
    pub received_time: Option<Timestamp>,
    /// Sender of the forward packets.
    pub src: Address,
    /// Receiver of the forward packets.
    pub dst: Address,
    /// Port of the sender; 0 where the protocol has none.
    pub src_port: u16,
    /// Port of the receiver; 0 where the protocol has none.
    pub dst_port: u16,
    /// IP protocol number (IANA): 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6.
    pub protocol: u8,
    /// Union of the TCP flags of all forward packets (RFC 9293 §3.1 bit order, FIN is 1).
    pub tcp_flags: Option<u16>,
    /// Union of the TCP flags of all reverse packets.
    pub rev_tcp_flags: Option<u16>,
    /// Forward packets as exported: not multiplied by the sampling interval.
    pub packets: u64,
    /// Forward IP octets as exported: not multiplied by the sampling interval.
    pub octets: u64,
    /// Reverse packets as exported.
    pub rev_packets: Option<u64>,
    /// Reverse IP octets as exported.
    pub rev_octets: Option<u64>,
    /// Forward octets above the transport header, where the source counts them (Zeek `orig_bytes`).
    pub payload_octets: Option<u64>,
    /// Reverse octets above the transport header.
    pub rev_payload_octets: Option<u64>,
    /// One in so many packets was metered, or flows where the sampler is [`Sampler::Flow`]: 1 is unsampled, `None` is
    /// unknown.
    pub sampling_interval: Option<u32>,
    /// Who said so.
    pub sampling_source: Option<SamplingSource>,
    /// The name or address of the device that saw the packets.
    pub exporter: Arc<str>,
    /// The exporter's own subdivision (RFC 7011 §2: Observation Domain ID; v9: Source ID).
    pub observation_domain: u32,
    /// SNMP index of the interface the packets came in by.
    pub in_if: Option<u32>,
    /// SNMP index of the interface the packets left by.
    pub out_if: Option<u32>,
    /// Origin AS of the source, as exported.
    pub src_as: Option<u32>,
    /// Origin AS of the destination, as exported.
    pub dst_as: Option<u32>,
    /// On which side of the interface the flow was metered.
    pub direction: Option<Direction>,
    /// Which end opened the conversation.
    pub initiator: Option<Initiator>,
    /// Why the record ended (IPFIX element 136): as exported, or 2 where it lasted as long as its exporter
    /// announced that records do.
    pub end_reason: Option<u8>,
    /// ICMP type.
    pub icmp_type: Option<u8>,
    /// ICMP code.
    pub icmp_code: Option<u8>,
    /// How packets were chosen.
    pub sampler: Option<Sampler>,
    /// Community ID v1, empty where unknown.
    pub community_id: String,
    /// The source's own id of the flow (Zeek `uid`), empty where it has none.
    pub uid: String,
    /// Application protocol as the source detected it, empty where unknown.
    pub service: String,
    /// Connection state as the source names it (Zeek `conn_state`), empty where unknown.
    pub state: String,
    /// What is doubtful about this record.
    pub quality: Quality,
    /// The file or spool segment that the record came from.
    pub source: Arc<str>,
    /// The record's number in it, from 1: line, packet or data record.
    pub source_row: u64,
}

impl FlowRecord {
    /// An empty record of this exporter and source.
    pub fn new(exporter: Arc<str>, source: Arc<str>) -> Self {
        Self {
            start_time: Timestamp::default(),
            end_time: Timestamp::default(),
            export_time: None,
            received_time: None,
            src: Address::UNSPECIFIED,
            dst: Address::UNSPECIFIED,
            src_port: 0,
            dst_port: 0,
            protocol: 0,
            tcp_flags: None,
            rev_tcp_flags: None,
            packets: 0,
            octets: 0,
            rev_packets: None,
            rev_octets: None,
            payload_octets: None,
            rev_payload_octets: None,
            sampling_interval: None,
            sampling_source: None,
            exporter,
            observation_domain: 0,
            in_if: None,
            out_if: None,
            src_as: None,
            dst_as: None,
            direction: None,
            initiator: None,
            end_reason: None,
            icmp_type: None,
            icmp_code: None,
            sampler: None,
            community_id: String::new(),
            uid: String::new(),
            service: String::new(),
            state: String::new(),
            quality: Quality::NONE,
            source,
            source_row: 0,
        }
    }

    /// Empties every field but exporter and source. Texts keep their buffers.
    pub fn reset(&mut self) {
        let mut empty = Self::new(self.exporter.clone(), self.source.clone());
        for (kept, fresh) in [
            (&mut self.community_id, &mut empty.community_id),
            (&mut self.uid, &mut empty.uid),
            (&mut self.service, &mut empty.service),
            (&mut self.state, &mut empty.state),
        ] {
            std::mem::swap(kept, fresh);
            fresh.clear();
        }
        *self = empty;
    }

    /// Whether its source says that a firewall refused it, so that none of it arrived: `REJECT`
    /// (AWS), `D` first (Azure, network security groups and virtual networks), `denied` (element 233
    /// of IPFIX).
    pub fn is_refused(&self) -> bool {
        matches!(self.state.as_str(), "REJECT" | "denied" | "D" | "D B" | "D C" | "D E")
    }

    /// Whether its source says that it dropped packets of it (`flow.action` of Suricata): those before
    /// may have arrived, and all are counted.
    pub fn is_dropped(&self) -> bool {
        self.state.ends_with(DROPPED)
    }

    /// Octets both ways as exported, saturating.
    pub fn total_octets(&self) -> u64 {
        self.octets.saturating_add(self.rev_octets.unwrap_or(0))
    }

    /// Packets both ways as exported, saturating.
    pub fn total_packets(&self) -> u64 {
        self.packets.saturating_add(self.rev_packets.unwrap_or(0))
    }
}

/// The last word of the state of a flow of which packets were dropped.
pub const DROPPED: &str = "drop";

/// TCP flag bits, as in [`FlowRecord::tcp_flags`].
pub mod tcp {
    /// No more data from this side.
    pub const FIN: u16 = 0x01;
    /// Opens a connection.
    pub const SYN: u16 = 0x02;
    /// Refuses or aborts.
    pub const RST: u16 = 0x04;
    /// Data to be handed on at once.
    pub const PSH: u16 = 0x08;
    /// Acknowledges.
    pub const ACK: u16 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u16 = 0x20;

    /// Packets that open a connection, one way, at most: retries of an opening (RFC 9293 §3.8.3). Chosen here.
    const OPENINGS: u64 = 8;
    /// Octets of IP of an opening at most: both headers of IPv6 and TCP with all options in use.
    const OPENING_OCTETS: u64 = 80;

    /// The flags of a record one way whose exporter leaves out those of packets that neither open nor end a connection,
    /// as flow logs of AWS do: with [`ACK`] where some packet must have had it. All have but openings and some aborts
    /// (RFC 9293 §3.10.7): so one that ends a connection, one with data, and more than any opening takes.
    ///
    /// ```
    /// use rahdar_model::flow::tcp::{ACK, FIN, SYN, with_ack};
    ///
    /// assert_eq!(with_ack(SYN | FIN, 10, 1_520), SYN | FIN | ACK);
    /// assert_eq!((with_ack(0, 4, 2_000), with_ack(SYN, 3, 180)), (ACK, SYN));
    /// ```
    pub const fn with_ack(flags: u16, packets: u64, octets: u64) -> u16 {
        let is_neither = flags & (SYN | RST) == 0;
        let carries = packets > OPENINGS || octets > packets.saturating_mul(OPENING_OCTETS);
        if flags & FIN != 0 || is_neither || carries { flags | ACK } else { flags }
    }
}

pub mod protocol;
pub mod size;

/// Declares a field-less enum that is stored as a small integer and shown as a word.
macro_rules! coded {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $code:literal, $word:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// The stored number.
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The variant stored as `code`, if there is one.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The word shown to people, and stored where the column is text.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The variant of this word, if there is one.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

coded! {
    /// Who gave the sampling interval.
    SamplingSource {
        /// The header of the export datagram (NetFlow v5, sFlow).
        Header = 0, "header";
        /// An options record of the exporter (NetFlow v9, IPFIX), or a field of the record itself.
        OptionTemplate = 1, "option template";
        /// The person who imported it.
        Operator = 2, "operator";
        /// Nobody: the kind of source is unsampled by nature (Zeek, packets).
        Assumed = 3, "assumed";
    }
}

coded! {
    /// On which side of an interface a flow was metered (IPFIX element 61).
    Direction {
        /// As packets came in.
        Ingress = 0, "ingress";
        /// As packets left.
        Egress = 1, "egress";
    }
}

coded! {
    /// Which end opened the conversation (IPFIX element 239, RFC 5103 §6.3).
    Initiator {
        /// The exporter chose the direction freely.
        Arbitrary = 0, "arbitrary";
        /// The source of the record opened it.
        Source = 1, "source";
        /// The destination of the record opened it.
        Destination = 2, "destination";
        /// Direction follows a network perimeter, not the opening.
        Perimeter = 3, "perimeter";
    }
}

coded! {
    /// How packets were chosen for metering (RFC 5475).
    Sampler {
        /// Not told.
        Unknown = 0, "unknown";
        /// Each packet with the same probability.
        Random = 1, "random";
        /// Every n-th packet.
        Systematic = 2, "systematic";
        /// Whole flows, not packets.
        Flow = 3, "flow";
    }
}

/// What is doubtful about a record: a set of marks.
///
/// A doubtful record is stored and marked, never dropped. Judgement leaves out those of
/// [`Quality::UNUSABLE`]. Ordered by the stored bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quality(u32);

impl Quality {
    /// Nothing is doubtful.
    pub const NONE: Self = Self(0);
    /// A counter stands at the largest value it can hold: the truth is this or more.
    pub const COUNTER_CLAMPED: Self = Self(1);
    /// A 32-bit counter seems to have wrapped.
    pub const COUNTER_WRAPPED: Self = Self(1 << 1);
    /// Octets per packet are below 20 or above 65,535.
    pub const IMPOSSIBLE_SIZE: Self = Self(1 << 2);
    /// The exporter seems to have multiplied counters by the sampling interval.
    pub const ALREADY_SCALED: Self = Self(1 << 3);
    /// Octets include layer-2 headers.
    pub const LAYER2_LENGTH: Self = Self(1 << 4);
    /// The initiator was inferred, not exported.
    pub const DIRECTION_GUESSED: Self = Self(1 << 5);
    /// Times are relative, near 1970 or in the future of their export.
    pub const CLOCK_SUSPECT: Self = Self(1 << 6);
    /// Packets may have been sampled at a rate that nobody told, or chosen by no rate at all.
    pub const RATE_UNKNOWN: Self = Self(1 << 7);
    /// The end lay before the start and was mended.
    pub const END_BEFORE_START: Self = Self(1 << 8);
    /// Times were moved by the operator (`--time-offset`).
    pub const TIME_SHIFTED: Self = Self(1 << 9);
    /// Octets were counted from captured frames that were cut; lengths come from IP headers.
    pub const TRUNCATED_CAPTURE: Self = Self(1 << 10);
    /// Octets of this flow are not counted: the source says that it missed packets (Zeek
    /// `missed_bytes`), counts no octets or no packets, or only octets above the transport header.
    pub const CONTENT_GAP: Self = Self(1 << 11);
    /// The first packet seen was not the opening one: the flow began before the source did.
    pub const MIDSTREAM: Self = Self(1 << 12);
    /// The exporter's template had lately been announced with another meaning: one of the two may be forged.
    pub const TEMPLATE_CONFLICT: Self = Self(1 << 13);
    /// Nobody told whether octets include layer-2 headers.
    pub const LAYER_UNKNOWN: Self = Self(1 << 14);

    /// The marks with which a record says nothing that a judgement may rest on.
    pub const UNUSABLE: Self = Self(Self::IMPOSSIBLE_SIZE.0);

    /// Every mark, with its name in output.
    pub const NAMES: [(Self, &'static str); 15] = [
        (Self::COUNTER_CLAMPED, "counter clamped"),
        (Self::COUNTER_WRAPPED, "counter wrapped"),
        (Self::IMPOSSIBLE_SIZE, "impossible size"),
        (Self::ALREADY_SCALED, "already scaled"),
        (Self::LAYER2_LENGTH, "layer-2 length"),
        (Self::DIRECTION_GUESSED, "direction guessed"),
        (Self::CLOCK_SUSPECT, "clock suspect"),
        (Self::RATE_UNKNOWN, "rate unknown"),
        (Self::END_BEFORE_START, "end before start"),
        (Self::TIME_SHIFTED, "time shifted"),
        (Self::TRUNCATED_CAPTURE, "truncated capture"),
        (Self::CONTENT_GAP, "content gap"),
        (Self::MIDSTREAM, "midstream"),
        (Self::TEMPLATE_CONFLICT, "template conflict"),
        (Self::LAYER_UNKNOWN, "layer unknown"),
    ];

    /// The stored bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set with these bits.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether all marks of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any mark of `other` is set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The names of the marks that are set, in the order of [`Quality::NAMES`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(mark, _)| self.contains(*mark)).map(|(_, name)| *name)
    }
}

impl BitOr for Quality {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Quality {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
