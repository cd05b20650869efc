//! Packets of one 5-tuple become one biflow.
//!
//! A flow ends when it was idle for [`INACTIVE_US`], when it has lasted [`ACTIVE_US`] (what
//! follows is a new record of the same conversation), a little after both sides sent FIN or one
//! sent RST, or with the capture. The source of the record is who opened the conversation: the
//! sender of the SYN, the asker in ICMP, else the sender of the first packet, which is a guess
//! and marked so.
//!
//! Flows leave in sweeps, each ordered by end and key; a flow that the next packet of its
//! 5-tuple ends leaves at once. The order follows from the capture alone.
//!
//! When it is wrong: timestamps that jump ahead end flows early, and packets seen twice (two
//! taps, mirrored VLANs) are counted twice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rahdar_model::flow::{Initiator, SamplingSource, protocol, tcp};
use rahdar_model::sink::SinkError;
use rahdar_model::{Address, FlowRecord, Quality, Timestamp};

use super::frame::{IpPacket, Transport};
use crate::delivery::Delivery;

/// A conversation that lasts is cut into records of this length: 1800 s, the active timeout that
/// exporters have by default (Cisco, nProbe).
const ACTIVE_US: i64 = 1_800_000_000;

/// A pause this long ends a flow: 60 s. Chosen here: exporters have 15 to 60, and a beacon with a
/// shorter period stays one flow either way.
const INACTIVE_US: i64 = 60_000_000;

/// How long last acknowledgements and repeated FINs are waited for: 5 s (Zeek, `tcp_close_delay`).
const LINGER_US: i64 = 5_000_000;

/// Open flows are looked through for ended ones whenever the capture has moved on by this. Chosen
/// here: the same as the linger, so that none is kept much longer than it must be.
const SWEEP_US: i64 = 5_000_000;

/// The most open flows: what a hash table of 2^18 places holds, some 55 MiB.
const OPEN_FLOWS_MAX: usize = (1 << 18) / 8 * 7;

/// How many leave when there is no room: enough that finding them costs little for each.
const EVICTED_AT_ONCE: usize = OPEN_FLOWS_MAX / 16;

/// Why a record ended (IANA, IPFIX element 136).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndReason {
    Idle = 1,
    Active = 2,
    Closed = 3,
    EndOfCapture = 4,
    NoRoom = 5,
}

/// One IP packet on its way into a flow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet<'p> {
    pub(crate) number: u64,
    pub(crate) time: Timestamp,
    pub(crate) ip: &'p IpPacket<'p>,
    pub(crate) transport: Transport,
}

impl Packet<'_> {
    fn has_flags(&self, set: u16, clear: u16) -> bool {
        self.transport.tcp_flags.is_some_and(|flags| flags & set == set && flags & clear == 0)
    }

    fn exchange(&self) -> Option<Exchange> {
        self.transport.icmp.map(|(kind, code)| Exchange::of(kind, code, self.ip.protocol))
    }

    /// Whether the packet asks for a new TCP connection.
    fn opens(&self) -> bool {
        self.has_flags(tcp::SYN, tcp::ACK)
    }
}

/// One side of a conversation.
type Endpoint = (Address, u16);

/// A 5-tuple without direction.
///
/// For ICMP both ports are the kind of exchange, the same for question and answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    low: Endpoint,
    high: Endpoint,
    protocol: u8,
}

/// Which endpoint of a [`Key`], as an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Low = 0,
    High = 1,
}

impl Side {
    fn other(self) -> Self {
        if self == Self::Low { Self::High } else { Self::Low }
    }
}

/// The flow that a packet belongs to, and the side that sent it.
fn key_of(packet: &Packet<'_>) -> (Key, Side) {
    let (ip, transport) = (packet.ip, &packet.transport);
    let (src_port, dst_port) = match packet.exchange() {
        Some(exchange) => (exchange.number(), exchange.number()),
        None => (transport.src_port, transport.dst_port),
    };
    let (src, dst) = ((ip.src, src_port), (ip.dst, dst_port));
    let (low, high, side) = if src <= dst { (src, dst, Side::Low) } else { (dst, src, Side::High) };
    (Key { low, high, protocol: ip.protocol }, side)
}

/// An ICMP exchange: a question and its answer, or a message that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Exchange {
    kind: u8,
    code: u8,
    is_answer: bool,
}

impl Exchange {
    /// Questions and answers of RFC 792, RFC 950, RFC 1256, RFC 4443 and RFC 4861.
    fn of(kind: u8, code: u8, icmp: u8) -> Self {
        let question = match (icmp, kind) {
            (protocol::ICMP, 0) => 8,
            (protocol::ICMP, 9) => 10,
            (protocol::ICMP, 14 | 16 | 18) => kind - 1,
            (protocol::ICMPV6, 129 | 131 | 134 | 136 | 140) => kind - 1,
            _ => return Self { kind, code, is_answer: false },
        };
        Self { kind: question, code, is_answer: true }
    }

    fn number(self) -> u16 {
        u16::from_be_bytes([self.kind, self.code])
    }
}

/// What one side sent.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    packets: u64,
    octets: u64,
    payload_octets: u64,
    tcp_flags: u16,
}

/// A flow that may still grow.
#[derive(Debug, Clone, Copy)]
struct Flow {
    start: Timestamp,
    end: Timestamp,
    opener: Side,
    sent: [Sent; 2],
    first_packet: u64,
    icmp: Option<(u8, u8)>,
    /// Whether the length of the transport header is known, and with it the payload's.
    has_payload: bool,
    /// When both sides had sent FIN or one RST.
    closed: Option<Timestamp>,
    /// Whether a TCP connection began before the capture did.
    midstream: bool,
    /// Whether nothing but the order of packets says who opened it.
    guessed: bool,
    /// Whether payload was on the wire that is not in the capture.
    cut: bool,
}

impl Flow {
    /// A flow that begins with this packet of `side`.
    fn begin(packet: &Packet<'_>, side: Side) -> Self {
        let is_tcp = packet.ip.protocol == protocol::TCP;
        let exchange = packet.exchange();
        let answers = packet.has_flags(tcp::SYN | tcp::ACK, 0) || exchange.is_some_and(|e| e.is_answer);
        let mut flow = Self {
            start: packet.time,
            end: packet.time,
            opener: if answers { side.other() } else { side },
            sent: [Sent::default(); 2],
            first_packet: packet.number,
            icmp: exchange.map(|e| (e.kind, e.code)),
            has_payload: packet.transport.header_octets.is_some(),
            closed: None,
            midstream: is_tcp && !packet.opens(),
            guessed: !packet.opens() && !answers && exchange.is_none(),
            cut: false,
        };
        flow.add(packet, side);
        flow
    }

    /// The next record of the conversation that `self` is a record of.
    fn go_on(&self, packet: &Packet<'_>, side: Side) -> Self {
        let begun = Self::begin(packet, side);
        Self { opener: self.opener, icmp: self.icmp, guessed: self.guessed, midstream: false, ..begun }
    }

    fn add(&mut self, packet: &Packet<'_>, side: Side) {
        let ip = packet.ip;
        if packet.opens() && packet.time <= self.start && self.midstream {
            // The opening packet was captured behind its answer.
            self.opener = side;
            (self.midstream, self.guessed) = (false, false);
        }
        self.start = self.start.min(packet.time);
        self.end = self.end.max(packet.time);
        let sent = &mut self.sent[side as usize];
        sent.packets += 1;
        sent.octets += ip.octets;
        sent.payload_octets += ip.payload_octets.saturating_sub(packet.transport.header_octets.unwrap_or(0));
        sent.tcp_flags |= packet.transport.tcp_flags.unwrap_or(0);
        self.cut |= ip.is_cut();
        let finished = self.sent.iter().all(|sent| sent.tcp_flags & tcp::FIN != 0);
        if self.closed.is_none() && (finished || packet.has_flags(tcp::RST, 0)) {
            self.closed = Some(packet.time);
        }
    }

    /// Whether the flow was over before this packet, and why.
    fn ended_before(&self, packet: &Packet<'_>) -> Option<EndReason> {
        let apart_us = packet.time.since(self.end).max(self.start.since(packet.time));
        if self.closed.is_some_and(|closed| packet.opens() || packet.time.since(closed) > LINGER_US) {
            Some(EndReason::Closed)
        } else if apart_us > INACTIVE_US {
            Some(EndReason::Idle)
        } else if packet.time.since(self.start) > ACTIVE_US {
            Some(EndReason::Active)
        } else {
            None
        }
    }

    /// Whether the flow is over at `now`, and why.
    fn ended_at(&self, now: Timestamp) -> Option<EndReason> {
        if self.closed.is_some_and(|closed| now.since(closed) > LINGER_US) {
            Some(EndReason::Closed)
        } else if now.since(self.end) > INACTIVE_US {
            Some(EndReason::Idle)
        } else {
            None
        }
    }
}

/// The open flows of a capture.
pub(crate) struct Assembler {
    open: HashMap<Key, Flow>,
    /// The latest time seen. Packets may come out of order.
    now: Timestamp,
    swept: Timestamp,
    /// Flows about to leave. Kept for its memory.
    leaving: Vec<(Timestamp, Key, EndReason)>,
}

impl Assembler {
    pub(crate) fn new() -> Self {
        Self { open: HashMap::new(), now: Timestamp::MIN, swept: Timestamp::MIN, leaving: Vec::new() }
    }

    /// Takes one packet; gives the flows that are over to the sink.
    pub(crate) fn packet(
        &mut self,
        packet: &Packet<'_>,
        delivery: &mut Delivery<'_>,
    ) -> Result<(), SinkError> {
        self.now = self.now.max(packet.time);
        if self.now.since(self.swept) > SWEEP_US {
            self.swept = self.now;
            self.sweep(delivery)?;
        }
        let (key, side) = key_of(packet);
        if self.open.len() >= OPEN_FLOWS_MAX && !self.open.contains_key(&key) {
            self.make_room(delivery)?;
        }
        match self.open.entry(key) {
            Entry::Vacant(place) => {
                place.insert(Flow::begin(packet, side));
            }
            Entry::Occupied(mut place) => {
                let flow = place.get_mut();
                let Some(reason) = flow.ended_before(packet) else {
                    flow.add(packet, side);
                    return Ok(());
                };
                let next = match reason {
                    EndReason::Active => flow.go_on(packet, side),
                    _ => Flow::begin(packet, side),
                };
                let ended = std::mem::replace(flow, next);
                give(&key, &ended, reason, delivery)?;
            }
        }
        Ok(())
    }

    /// Gives every flow that is left to the sink.
    pub(crate) fn finish(&mut self, delivery: &mut Delivery<'_>) -> Result<(), SinkError> {
        let now = self.now;
        self.leaving.extend(self.open.iter().map(|(key, flow)| {
            let at_end = if flow.closed.is_some() { EndReason::Closed } else { EndReason::EndOfCapture };
            (flow.end, *key, flow.ended_at(now).unwrap_or(at_end))
        }));
        self.leave(delivery)
    }

    fn sweep(&mut self, delivery: &mut Delivery<'_>) -> Result<(), SinkError> {
        let now = self.now;
        let ended = self.open.iter().filter_map(|(key, flow)| Some((flow.end, *key, flow.ended_at(now)?)));
        self.leaving.extend(ended);
        self.leave(delivery)
    }

    /// Ends the flows that were idle for longest.
    fn make_room(&mut self, delivery: &mut Delivery<'_>) -> Result<(), SinkError> {
        self.leaving.extend(self.open.iter().map(|(key, flow)| (flow.end, *key, EndReason::NoRoom)));
        if self.leaving.len() > EVICTED_AT_ONCE {
            self.leaving.select_nth_unstable_by_key(EVICTED_AT_ONCE, |(end, key, _)| (*end, *key));
            self.leaving.truncate(EVICTED_AT_ONCE);
        }
        self.leave(delivery)
    }

    fn leave(&mut self, delivery: &mut Delivery<'_>) -> Result<(), SinkError> {
        self.leaving.sort_unstable_by_key(|(end, key, _)| (*end, *key));
        for (_, key, reason) in self.leaving.drain(..) {
            if let Some(flow) = self.open.remove(&key) {
                give(&key, &flow, reason, delivery)?;
            }
        }
        Ok(())
    }
}

/// Fills the record and gives it to the sink.
fn give(key: &Key, flow: &Flow, reason: EndReason, delivery: &mut Delivery<'_>) -> Result<(), SinkError> {
    delivery.record.reset();
    fill(key, flow, reason, &mut delivery.record);
    delivery.flow()
}

fn fill(key: &Key, flow: &Flow, reason: EndReason, record: &mut FlowRecord) {
    let (src, dst) = match flow.opener {
        Side::Low => (key.low, key.high),
        Side::High => (key.high, key.low),
    };
    let sent = &flow.sent[flow.opener as usize];
    let answered = &flow.sent[flow.opener.other() as usize];
    record.start_time = flow.start;
    record.end_time = flow.end;
    (record.src, record.dst) = (src.0, dst.0);
    record.protocol = key.protocol;
    match flow.icmp {
        Some((kind, code)) => (record.icmp_type, record.icmp_code) = (Some(kind), Some(code)),
        None => (record.src_port, record.dst_port) = (src.1, dst.1),
    }
    if key.protocol == protocol::TCP {
        record.tcp_flags = Some(sent.tcp_flags);
        record.rev_tcp_flags = Some(answered.tcp_flags);
    }
    record.packets = sent.packets;
    record.octets = sent.octets;
    record.rev_packets = Some(answered.packets);
    record.rev_octets = Some(answered.octets);
    if flow.has_payload {
        record.payload_octets = Some(sent.payload_octets);
        record.rev_payload_octets = Some(answered.payload_octets);
    }
    record.sampling_interval = Some(1);
    record.sampling_source = Some(SamplingSource::Assumed);
    record.initiator = Some(Initiator::Source);
    record.end_reason = Some(reason as u8);
    for (doubtful, mark) in [
        (flow.midstream, Quality::MIDSTREAM),
        (flow.guessed, Quality::DIRECTION_GUESSED),
        (flow.cut, Quality::TRUNCATED_CAPTURE),
    ] {
        if doubtful {
            record.quality |= mark;
        }
    }
    record.source_row = flow.first_packet;
}
