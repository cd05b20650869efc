//! From sightings to contacts: each flow turned so that the victim stands on one side and the
//! address that a claim is about on the other.
//!
//! The victim is the end that is not the indicator. Where both ends are indicators, the flow is a
//! contact for each of them. Octets *out* leave the victim, whichever end opened the flow.
//!
//! What comes out is sorted by its whole content: the order in which a store answers changes
//! nothing that is judged.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use rahdar_intel::index::Snapshot;
use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::flow::{Direction, Initiator, Sampler, protocol};
use rahdar_model::store::{End, StoreError};
use rahdar_model::{Address, FlowRecord, FlowStore, Quality, Sighting, Timestamp, Window};

use crate::arrival::{By, When};
use crate::mend::mend;
use crate::repeats::{drop_repeated, tell_observers};

/// What an Ethernet frame adds to an IP packet at least: its header (IEEE 802.3).
const FRAME_OCTETS_MIN: u64 = 14;
/// What it adds at most: header 14, one VLAN tag 4, checksum 4. Taken from octets that include layer
/// 2, or may, so that a lower bound stays one.
const FRAME_OCTETS_MAX: u64 = 22;
/// The smallest and the largest IP packet (RFC 791): a header alone, and all that its length can say.
const PACKET_OCTETS_MIN: u64 = 20;
const PACKET_OCTETS_MAX: u64 = 65_535;

/// One side of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// The monitored host.
    Victim,
    /// The address that a claim is about.
    Remote,
}

/// How many packets stand behind a recorded one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    /// One: nothing was sampled.
    Every,
    /// This many.
    OneIn(u32),
    /// Nobody knows; one at least.
    Unknown,
}

/// What one party sent, as one record has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Side {
    /// Recorded packets; 0 if this direction was not seen. A guess where a record counts those of
    /// both directions together.
    pub packets: u64,
    /// Recorded packets, at most.
    pub most_packets: u64,
    /// Recorded IP octets; at most, where octets of frames were recorded.
    pub octets: u64,
    /// Recorded IP octets, at least.
    pub least_octets: u64,
    /// Octets above the transport header, where known.
    pub payload: Option<u64>,
    /// Union of TCP flags, where known.
    pub flags: Option<u16>,
}

/// One flow record between a victim and an address that a claim is about.
///
/// Ordered by victim, remote, protocol, ports, kind of ICMP and time first, so that the records of one
/// conversation are neighbours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// The monitored end.
    pub victim: Address,
    /// The other end.
    pub remote: Address,
    /// IP protocol.
    pub protocol: u8,
    /// The victim's port.
    pub victim_port: u16,
    /// The other port.
    pub remote_port: u16,
    /// Whether its forward packets are ICMP errors: answers to other packets.
    pub icmp_error: bool,
    /// First packet, by arrival where the record's clock is not to be trusted.
    pub start: Timestamp,
    /// Last packet, likewise.
    pub end: Timestamp,
    /// Who saw it.
    pub exporter: Arc<str>,
    /// How it was sampled.
    pub rate: Rate,
    /// Whether whole flows were sampled, not packets.
    pub flow_sampled: bool,
    /// Whether every N-th packet was sampled, not each by chance.
    pub systematic: bool,
    /// Sent by the victim.
    pub out: Side,
    /// Sent by the remote.
    pub back: Side,
    /// Who sent the forward packets.
    pub forward: Party,
    /// Who opened it, if the exporter said.
    pub opener: Option<Party>,
    /// On which side of an interface the forward packets were metered.
    pub metered: Option<Direction>,
    /// ICMP type of the forward packets.
    pub icmp_type: Option<u8>,
    /// Why the record ended (IPFIX element 136).
    pub end_reason: Option<u8>,
    /// Whether its times cannot be compared with those of a claim.
    pub clock_suspect: bool,
    /// Whether its times are those of its arrival.
    pub by_arrival: bool,
    /// Whether its octets are surely no more than were sent.
    pub has_floor: bool,
    /// Whether its octets are surely no fewer than were recorded.
    pub has_ceiling: bool,
    /// Whether its counters were multiplied by the interval, and are divided here.
    pub is_divided: bool,
    /// Whether a firewall refused it: nothing of it arrived.
    pub is_refused: bool,
    /// Whether the template that it was read by had been announced with another meaning.
    pub has_conflict: bool,
    /// The exporter's own id of the flow, empty where it has none.
    pub uid: Box<str>,
    /// Whether its times were derived from the time in the header of an export datagram.
    pub is_exported: bool,
    /// By how many microseconds the exporter's clock was ahead of the arrival when it was exported.
    pub clock_ahead_us: Option<i64>,
    /// The file or spool segment it came from.
    pub source: Arc<str>,
    /// The record in it.
    pub source_row: u64,
    /// Which of the exporter's observers saw it: inputs that hold the same packets are several
    /// ([`crate::repeats`]).
    pub observer: u32,
}

impl Contact {
    /// The sighted flow, seen from the victim. Octets are brought to what the exporter recorded
    /// of IP packets: scaling undone, frames taken off.
    pub fn of(sighting: &Sighting) -> Self {
        let flow = &sighting.flow;
        let marked = |mark| flow.quality.intersects(mark);
        let rate = match flow.sampling_interval {
            None | Some(0) => Rate::Unknown,
            Some(1) => Rate::Every,
            Some(n) => Rate::OneIn(n),
        };
        let scale = match rate {
            Rate::OneIn(n) if marked(Quality::ALREADY_SCALED) => u64::from(n),
            _ => 1,
        };
        let (frame_min, frame_max) = if marked(Quality::LAYER2_LENGTH) {
            (FRAME_OCTETS_MIN, FRAME_OCTETS_MAX)
        } else if marked(Quality::LAYER_UNKNOWN) {
            (0, FRAME_OCTETS_MAX)
        } else {
            (0, 0)
        };
        let side = |packets: Packets, octets: u64, payload, flags| {
            let packets = packets.map(|count| count.div_ceil(scale));
            let octets = octets / scale;
            let without = |packets: u64, each| octets.saturating_sub(packets.saturating_mul(each));
            Side {
                packets: packets.guess,
                most_packets: packets.most,
                octets: without(packets.least, frame_min),
                least_octets: without(packets.most, frame_max),
                payload,
                flags,
            }
        };
        let (there, back) = Packets::of(flow);
        let sent = side(there, flow.octets, flow.payload_octets, flow.tcp_flags);
        let answered = side(back, flow.rev_octets.unwrap_or(0), flow.rev_payload_octets, flow.rev_tcp_flags);
        let (forward, other) = match sighting.end {
            End::Destination => (Party::Victim, Party::Remote),
            End::Source => (Party::Remote, Party::Victim),
        };
        let ((out, victim_port), (back, remote_port)) = match forward {
            Party::Victim => ((sent, flow.src_port), (answered, flow.dst_port)),
            Party::Remote => ((answered, flow.dst_port), (sent, flow.src_port)),
        };
        let When { start, end, by } = When::of(flow);
        Self {
            victim: sighting.local(),
            remote: sighting.remote(),
            protocol: flow.protocol,
            victim_port,
            remote_port,
            icmp_error: is_icmp_error(flow),
            start,
            end,
            exporter: flow.exporter.clone(),
            rate,
            flow_sampled: flow.sampler == Some(Sampler::Flow),
            systematic: flow.sampler == Some(Sampler::Systematic),
            out,
            back,
            forward,
            opener: match flow.initiator {
                Some(Initiator::Source) => Some(forward),
                Some(Initiator::Destination) => Some(other),
                Some(Initiator::Arbitrary | Initiator::Perimeter) | None => None,
            },
            metered: flow.direction,
            icmp_type: flow.icmp_type,
            end_reason: flow.end_reason,
            is_divided: scale > 1,
            is_refused: flow.is_refused(),
            has_conflict: marked(Quality::TEMPLATE_CONFLICT),
            uid: flow.uid.as_str().into(),
            is_exported: flow.export_time.is_some() || flow.received_time.is_some(),
            clock_ahead_us: flow
                .export_time
                .zip(flow.received_time)
                .map(|(export, received)| export.since(received)),
            clock_suspect: by == By::Nobody,
            by_arrival: by == By::Arrival,
            has_floor: !(flow.is_dropped() || marked(Quality::ALREADY_SCALED) && rate == Rate::Unknown),
            has_ceiling: rate != Rate::Unknown
                && !marked(Quality::COUNTER_CLAMPED | Quality::COUNTER_WRAPPED)
                && !marked(Quality::CONTENT_GAP | Quality::RATE_UNKNOWN),
            source: flow.source.clone(),
            source_row: flow.source_row,
            observer: 0,
        }
    }

    /// Who saw it: the exporter, and which of its observers.
    pub fn seen_by(&self) -> (&str, u32) {
        (&self.exporter, self.observer)
    }

    /// What `party` sent.
    pub fn side(&self, party: Party) -> &Side {
        match party {
            Party::Victim => &self.out,
            Party::Remote => &self.back,
        }
    }

    /// Whether packets or flows were sampled.
    pub fn is_sampled(&self) -> bool {
        matches!(self.rate, Rate::OneIn(_))
    }
}

/// Destination unreachable, source quench, time exceeded (RFC 792); unreachable, packet too big,
/// time exceeded, parameter problem (RFC 4443 §2.1).
fn is_icmp_error(flow: &FlowRecord) -> bool {
    match flow.protocol {
        protocol::ICMP => matches!(flow.icmp_type, Some(3 | 4 | 11)),
        protocol::ICMPV6 => matches!(flow.icmp_type, Some(1..=4)),
        _ => false,
    }
}

/// How many packets of one direction were recorded.
#[derive(Debug, Clone, Copy)]
struct Packets {
    least: u64,
    guess: u64,
    most: u64,
}

impl Packets {
    /// Those of both directions. Where a record counts them together (Argus without `SrcPkts`), the
    /// sizes of packets bound each, and half of them is guessed.
    fn of(flow: &FlowRecord) -> (Self, Self) {
        let exact = |count| Self { least: count, guess: count, most: count };
        let (None, Some(rev_octets)) = (flow.rev_packets, flow.rev_octets) else {
            return (exact(flow.packets), exact(flow.rev_packets.unwrap_or(0)));
        };
        // No packets at all is a table without a column for them.
        let total = if flow.packets == 0 { u64::MAX } else { flow.packets };
        let least = |octets: u64| octets.div_ceil(PACKET_OCTETS_MAX + FRAME_OCTETS_MAX);
        let of = |octets: u64| {
            let most = total.min(octets / PACKET_OCTETS_MIN);
            let least = least(octets).min(most);
            Self { least, guess: (flow.packets / 2).clamp(least, most), most }
        };
        (of(flow.octets), of(rev_octets))
    }

    fn map(self, each: impl Fn(u64) -> u64) -> Self {
        Self { least: each(self.least), guess: each(self.guess), most: each(self.most) }
    }
}

/// What a sweep met.
#[derive(Debug, Default)]
pub struct Swept {
    /// Sorted.
    pub contacts: Vec<Contact>,
    /// Records that cannot be true, by victim and remote: their counters are impossible
    /// ([`Quality::UNUSABLE`]), or both ends are one.
    pub unusable: BTreeMap<(Address, Address), Tally>,
    /// Records that another input of their exporter holds too and that are not counted, by victim
    /// and remote.
    pub repeated: BTreeMap<(Address, Address), u64>,
}

impl Swept {
    /// The addresses that claims are about and that were met.
    pub(crate) fn met(&self) -> BTreeSet<Address> {
        let unusable = self.unusable.keys().map(|(_, remote)| *remote);
        self.contacts.iter().map(|contact| contact.remote).chain(unusable).collect()
    }
}

/// How much was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Flow records.
    pub flows: u64,
    /// First packet; none where no clock tells when that was.
    pub first: Option<Timestamp>,
    /// Last packet, likewise.
    pub last: Option<Timestamp>,
}

impl Tally {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            flows: self.flows + other.flows,
            first: [self.first, other.first].into_iter().flatten().min(),
            last: self.last.max(other.last),
        }
    }
}

/// Everything in `window` that met a claim of the book. What exporters got wrong is put right by all that
/// they recorded ([`mend`]).
///
/// # Errors
/// Those of the store.
pub fn sweep(
    store: &dyn FlowStore,
    book: &Snapshot,
    window: Window,
    coverage: &[ExporterCoverage],
) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    store.sightings(&book.networks(), window, &mut |sighting| {
        let (victim, remote) = (sighting.local(), sighting.remote());
        let flow = &sighting.flow;
        if victim != remote && !flow.quality.intersects(Quality::UNUSABLE) {
            swept.contacts.push(Contact::of(&sighting));
            return;
        }
        let When { start, end, by } = When::of(flow);
        let known = |time: Timestamp| (by != By::Nobody).then_some(time);
        let one = Tally { flows: 1, first: known(start), last: known(end) };
        swept.unusable.entry((victim, remote)).and_modify(|sum| *sum = sum.and(one)).or_insert(one);
    })?;
    swept.repeated = settle(&mut swept.contacts, coverage);
    Ok(swept)
}

/// Puts right what records tell only together, and sorts them: each packet is left once for every
/// observer. Tells how many records fell away because another input holds them too, by victim and
/// remote.
pub(crate) fn settle(
    contacts: &mut Vec<Contact>,
    coverage: &[ExporterCoverage],
) -> BTreeMap<(Address, Address), u64> {
    let repeated = drop_repeated(contacts);
    mend(contacts, coverage);
    contacts.sort_unstable();
    drop_egress_twins(contacts);
    tell_observers(contacts);
    repeated
}

/// Where an exporter metered one direction of a pair both as it came in and as it left, keeps the
/// ingress records: the others are the same packets again (`methods.md` §1.6).
fn drop_egress_twins(contacts: &mut Vec<Contact>) {
    type Key = (Address, Address, Arc<str>, Party);
    let key = |c: &Contact| -> Key { (c.victim, c.remote, c.exporter.clone(), c.forward) };
    let ingress: HashSet<Key> =
        contacts.iter().filter(|c| c.metered == Some(Direction::Ingress)).map(key).collect();
    if ingress.is_empty() {
        return;
    }
    contacts.retain(|c| c.metered != Some(Direction::Egress) || !ingress.contains(&key(c)));
}

#[cfg(test)]
mod tests {
    use rahdar_testkit::builder::FlowBuilder;
    use rahdar_testkit::flow;

    use super::*;

    fn contact(flow: FlowBuilder, end: End) -> Contact {
        Contact::of(&Sighting { end, flow: flow.build() })
    }

    #[test]
    fn octets_out_leave_the_victim_whoever_sent_first() {
        let asked = contact(
            flow("203.0.113.25:50000 > 192.0.2.9:443").sent(3, 300).answered(4, 4_000),
            End::Destination,
        );
        let called =
            contact(flow("192.0.2.9:50000 > 203.0.113.25:443").sent(3, 300).answered(4, 4_000), End::Source);
        assert_eq!((asked.victim, asked.out.octets, asked.back.octets), (called.victim, 300, 4_000));
        assert_eq!((called.out.octets, called.back.octets), (4_000, 300));
        assert_eq!((asked.remote_port, called.remote_port), (443, 50_000));
    }

    #[test]
    fn scaled_counters_and_frames_are_brought_back_to_recorded_ip_octets() {
        let scaled = flow("192.0.2.1 > 192.0.2.9").sampled(100).sent(200, 300_000);
        let scaled = contact(scaled.marked(Quality::ALREADY_SCALED), End::Destination);
        assert_eq!((scaled.out.packets, scaled.out.octets), (2, 3_000));
        for mark in [Quality::LAYER2_LENGTH, Quality::LAYER_UNKNOWN] {
            let framed = flow("192.0.2.1 > 192.0.2.9").sent(2, 144).marked(mark);
            assert_eq!(contact(framed, End::Destination).out.least_octets, 100);
        }
    }

    #[test]
    fn a_direction_metered_twice_is_kept_once() {
        let metered = |direction, row| {
            let mut record: FlowRecord = flow("203.0.113.25:5 > 192.0.2.9:443").from("s", row).build();
            record.direction = Some(direction);
            Contact::of(&Sighting { end: End::Destination, flow: record })
        };
        let mut both = vec![metered(Direction::Ingress, 1), metered(Direction::Egress, 2)];
        drop_egress_twins(&mut both);
        assert_eq!(both.iter().map(|c| c.source_row).collect::<Vec<_>>(), [1]);
        let mut egress = vec![metered(Direction::Egress, 2)];
        drop_egress_twins(&mut egress);
        assert_eq!(egress.len(), 1);
    }
}
