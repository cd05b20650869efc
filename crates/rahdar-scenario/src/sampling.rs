//! What a sampling exporter makes of a conversation: records of the packets it happened to take.
//!
//! Each packet is taken with probability `1 / interval`, alone. Taken packets fill a cache that
//! ends a record after an idle or an active timeout (RFC 7011 §5.1.1), so that most records of a slow
//! transfer hold one packet; or each is told by itself. Counters are those of the packets taken, not
//! multiplied.

use rahdar_model::flow::tcp;
use rahdar_model::time::SECOND_US;
use rahdar_model::{Address, Timestamp, Window};

use crate::draw::Draw;
use crate::path::Path;
use crate::session::{Packets, Session, Socket};

/// A router that samples packets and exports what it took.
#[derive(Debug, Clone)]
pub(crate) struct Exporter {
    /// Its number: 0 is E1.
    pub(crate) index: usize,
    /// Its name in the truth.
    pub(crate) name: &'static str,
    /// Where its datagrams come from.
    pub(crate) address: Address,
    /// One packet in this many is taken.
    pub(crate) interval: u32,
    /// What it makes of the packets it took.
    pub(crate) metering: Metering,
    /// When it was down.
    pub(crate) outage: Window,
}

/// What an exporter makes of the packets it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metering {
    /// Flow records.
    Flows {
        /// A record ends when no packet was taken for so long.
        idle_us: i64,
        /// A record ends when it is this old.
        active_us: i64,
    },
    /// Each packet is a record.
    Packets,
}

/// One flow record as exported: one direction, sampled counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// When the record is complete and may be sent.
    pub(crate) ready: Timestamp,
    /// First packet taken.
    pub(crate) first: Timestamp,
    /// Last packet taken.
    pub(crate) last: Timestamp,
    /// Who sent.
    pub(crate) src: Socket,
    /// Who received.
    pub(crate) dst: Socket,
    /// IP protocol.
    pub(crate) protocol: u8,
    /// Union of the flags of the packets taken.
    pub(crate) flags: u8,
    /// Packets taken.
    pub(crate) packets: u32,
    /// IP octets of these.
    pub(crate) octets: u32,
    /// Why it ended (IPFIX element 136).
    pub(crate) end_reason: u8,
}

/// Element 136: no packet for a while.
const IDLE: u8 = 1;
/// Element 136: the record became too old.
const ACTIVE: u8 = 2;
/// Element 136: the conversation was closed.
const END: u8 = 3;

/// One packet that was taken.
struct Taken {
    at: Timestamp,
    octets: u32,
    flags: u8,
}

impl Exporter {
    /// The records of a conversation that passes this exporter, in no order.
    ///
    /// `certain` takes one packet beforehand: for conversations of which only those are generated
    /// that left a record.
    pub(crate) fn observe(&self, session: &Session, certain: bool, draw: &mut Draw, out: &mut Vec<Record>) {
        if !session.path.passes(self.index) {
            return;
        }
        let forward = session.forward.count();
        let packets = forward + session.reverse.count();
        let beforehand = u64::from(certain).min(packets);
        let count = beforehand + draw.sampled(packets - beforehand, self.interval);
        if count == 0 {
            return;
        }
        let chosen = draw.choose(count, packets);
        let split = chosen.partition_point(|&n| n < forward);
        let answers: Vec<u64> = chosen[split..].iter().map(|n| n - forward).collect();
        let (client, server) = (session.client, session.server);
        self.direction(session, &session.forward, &chosen[..split], (client, server), out);
        self.direction(session, &session.reverse, &answers, (server, client), out);
    }

    /// The records of one direction, from the numbers of the packets taken.
    fn direction(
        &self,
        session: &Session,
        packets: &Packets,
        chosen: &[u64],
        (src, dst): (Socket, Socket),
        out: &mut Vec<Record>,
    ) {
        let mut taken = Vec::with_capacity(chosen.len());
        let mut chosen = chosen.iter().copied().peekable();
        let mut before = 0;
        for burst in packets.bursts() {
            let after = before + u64::from(burst.packets);
            while let Some(n) = chosen.next_if(|&n| n < after) {
                let at = session.packet_time(burst, n - before);
                taken.push(Taken { at, octets: u32::from(burst.octets), flags: burst.flags });
            }
            before = after;
        }
        taken.retain(|packet| !self.outage.contains(packet.at));
        taken.sort_by_key(|packet| packet.at);

        let mut open: Option<Record> = None;
        for packet in taken {
            let fits = |record: &Record| match self.metering {
                Metering::Flows { idle_us, active_us } => {
                    packet.at.since(record.last) <= idle_us && packet.at.since(record.first) < active_us
                }
                Metering::Packets => false,
            };
            let mut record = match open.take() {
                Some(record) if fits(&record) => record,
                other => {
                    out.extend(other.map(|record| self.ended(record)));
                    Record {
                        ready: packet.at,
                        first: packet.at,
                        last: packet.at,
                        src,
                        dst,
                        protocol: session.protocol,
                        flags: 0,
                        packets: 0,
                        octets: 0,
                        end_reason: IDLE,
                    }
                }
            };
            record.last = packet.at;
            record.flags |= packet.flags;
            record.packets += 1;
            record.octets += packet.octets;
            open = Some(record);
        }
        out.extend(open.map(|record| self.ended(record)));
    }

    /// The record with the reason and the time of its end.
    fn ended(&self, mut record: Record) -> Record {
        let Metering::Flows { idle_us, active_us } = self.metering else { return record };
        let idle = record.last.plus_micros(idle_us);
        let active = record.first.plus_micros(active_us);
        (record.end_reason, record.ready) =
            if u16::from(record.flags) & (tcp::FIN | tcp::RST) != 0 && idle < active {
                (END, record.last.plus_micros(SECOND_US))
            } else if idle < active {
                (IDLE, idle)
            } else {
                (ACTIVE, active)
            };
        record
    }

    /// How much of a conversation passed while the exporter was up, in millionths. None of one
    /// that takes another path.
    pub(crate) fn saw_millionths(&self, session: &Session) -> u64 {
        const WHOLE: i64 = 1_000_000;
        if !session.path.passes(self.index) {
            return 0;
        }
        let span = Window::new(session.start, session.end().plus_micros(1));
        let lost = span.intersect(self.outage);
        if lost.is_empty() {
            return WHOLE as u64;
        }
        let lost = i128::from(lost.until.since(lost.from)) * i128::from(WHOLE)
            / i128::from(span.until.since(span.from));
        (WHOLE - lost as i64) as u64
    }
}

/// Chooses the exporter that certainly recorded a conversation, and a path that passes it.
///
/// An exporter records a small conversation with a probability that goes with its share of
/// traffic over its interval.
pub(crate) fn recorder(exporters: &[Exporter], session: &mut Session, draw: &mut Draw) -> usize {
    const SCALE: u64 = 1_000_000_000;
    let weight = |exporter: &Exporter| Path::share_of(exporter.index) * SCALE / u64::from(exporter.interval);
    let mut point = draw.below(exporters.iter().map(weight).sum());
    let mut chosen = 0;
    for exporter in exporters {
        if point < weight(exporter) {
            chosen = exporter.index;
            break;
        }
        point -= weight(exporter);
    }
    loop {
        session.path = Path::of_hash(draw.bits());
        if session.path.passes(chosen) {
            return chosen;
        }
    }
}
