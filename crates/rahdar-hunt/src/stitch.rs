//! From contacts to sessions: what several records, directions and exporters say about one
//! conversation (`methods.md` §1.2 and §1.4).
//!
//! A session is a run of records with the same ends and ports, without a silence of more than
//! [`LONGEST_SILENCE_US`], that no new opening cuts after a close. After a day a new one begins:
//! claims have windows, and a connection that never ends must not be judged by its first hour. Uniflows of both directions
//! meet in it, records split by timeouts are joined again, and records of several exporters stand
//! side by side: each direction is told as the exporter saw it that saw most of it, unsampled
//! before sampled. So a path whose directions pass different routers is still seen both ways.
//!
//! Wrong where a port is drawn again within the silence and no flags tell of the new opening: two
//! sessions then count as one, never one as two.
//!
//! ```
//! use rahdar_hunt::stitch::{FanIn, stitch};
//! use rahdar_hunt::sweep::Contact;
//! use rahdar_model::store::{End, Sighting};
//! use rahdar_testkit::flow;
//!
//! // A request and its answer, each a record of its own: one session.
//! let asked = flow("203.0.113.25:50000 > 192.0.2.9:443").sent(6, 600).build();
//! let answered = flow("192.0.2.9:443 > 203.0.113.25:50000").sent(5, 5_000).build();
//! let mut contacts = vec![
//!     Contact::of(&Sighting { end: End::Destination, flow: asked }),
//!     Contact::of(&Sighting { end: End::Source, flow: answered }),
//! ];
//! contacts.sort();
//! let sessions = stitch(&contacts, &FanIn::of(&contacts), &|_, _| false);
//! assert_eq!(sessions.len(), 1);
//! assert_eq!((sessions[0].out.octets, sessions[0].back.octets), (600, 5_000));
//! ```

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use rahdar_model::flow::{protocol, tcp};
use rahdar_model::time::{DAY_US, SECOND_US};
use rahdar_model::{Address, Day, Timestamp};

use crate::initiator;
use crate::sweep::{Contact, Party, Rate, Side};

/// The longest silence inside a session: the active timeout that Cisco devices come with, 1800 s.
/// Under sampling, records of one transfer can lie this far apart.
pub const LONGEST_SILENCE_US: i64 = 1_800 * SECOND_US;

/// An unanswered SYN with ACK is sent up to six times (Linux `tcp_synack_retries`, 5, and the
/// first). More packets than this are more than a reply.
pub const REPLY_PACKETS: u64 = 6;

/// Packets of this many octets or fewer on average carry headers alone: IPv4, TCP and their
/// options (`methods.md` §2.2, G1).
pub const HEADERS_OCTETS: u64 = 64;

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its records, by their places among the contacts it was stitched from.
    pub records: Range<usize>,
    /// IP protocol.
    pub protocol: u8,
    /// The victim's port.
    pub victim_port: u16,
    /// The other port.
    pub remote_port: u16,
    /// First packet.
    pub start: Timestamp,
    /// Last packet.
    pub end: Timestamp,
    /// Sent by the victim.
    pub out: Half,
    /// Sent by the remote.
    pub back: Half,
    /// Who opened it, where that can be told.
    pub opener: Option<Party>,
    /// Whether its times cannot be compared with those of a claim.
    pub clock_suspect: bool,
    /// Whether its packets are ICMP errors: answers to other packets.
    pub icmp_error: bool,
    /// Whether a firewall refused all of it.
    pub is_refused: bool,
    /// The UTC days on which its records began, sorted and distinct.
    pub days: Vec<Day>,
}

/// One direction of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Half {
    /// Recorded packets; 0 if this direction was not seen.
    pub packets: u64,
    /// Recorded IP octets.
    pub octets: u64,
    /// Octets above the transport header, where every record knows them.
    pub payload: Option<u64>,
    /// Union of the TCP flags that any exporter saw.
    pub flags: Option<u16>,
    /// Whether the numbers are those of a sample.
    pub sampled: bool,
    /// Records that show more than an opening, a refusal or a reply.
    pub carrying_records: u64,
    /// Packets of these records.
    pub carrying_packets: u64,
    /// Octets of these records.
    pub carrying_octets: u64,
}

impl Half {
    /// Whether anything of this direction was seen.
    pub fn seen(&self) -> bool {
        self.packets > 0
    }

    /// Whether its packets are on average larger than headers.
    pub fn is_large(&self) -> bool {
        is_large(self.packets, self.octets)
    }
}

/// Whether packets are on average larger than headers.
pub fn is_large(packets: u64, octets: u64) -> bool {
    octets > packets.saturating_mul(HEADERS_OCTETS)
}

/// Whether these flags open a connection and do nothing else.
pub fn is_opening(flags: u16) -> bool {
    flags & tcp::SYN != 0 && flags & tcp::ACK == 0
}

/// Whether these flags may be those of a mere reply: SYN with ACK, or a refusal.
pub fn is_reply(flags: u16) -> bool {
    let answers = flags & (tcp::SYN | tcp::ACK) == tcp::SYN | tcp::ACK || flags & tcp::RST != 0;
    answers && flags & (tcp::PSH | tcp::FIN) == 0
}

/// Whether a record, or what was seen of one direction, is a few small replies and no more.
pub fn is_mere_reply(packets: u64, octets: u64, flags: u16) -> bool {
    is_reply(flags) && packets <= REPLY_PACKETS && !is_large(packets, octets)
}

fn carries(ip_protocol: u8, side: &Side) -> bool {
    if side.packets == 0 {
        return false;
    }
    match side.flags {
        Some(flags) if ip_protocol == protocol::TCP => {
            !is_opening(flags) && !is_mere_reply(side.packets, side.least_octets, flags)
        }
        _ => true,
    }
}

/// How many counterparts each end has, over all contacts of a hunt.
#[derive(Debug, Default)]
pub struct FanIn {
    victims: HashMap<(Address, u8, u16), u32>,
    remotes: HashMap<(Address, u8, u16), u32>,
}

impl FanIn {
    /// Counts over contacts that are sorted.
    pub fn of(contacts: &[Contact]) -> Self {
        let mut fan_in = Self::default();
        for flows in contacts.chunk_by(same_flow) {
            let c = &flows[0];
            *fan_in.victims.entry((c.victim, c.protocol, c.victim_port)).or_default() += 1;
            *fan_in.remotes.entry((c.remote, c.protocol, c.remote_port)).or_default() += 1;
        }
        fan_in
    }
}

pub(crate) fn same_flow(a: &Contact, b: &Contact) -> bool {
    let key = |c: &Contact| (c.victim, c.remote, c.protocol, c.victim_port, c.remote_port);
    key(a) == key(b)
}

/// The sessions of sorted contacts, in their order. `is_documented` tells whether a claim names
/// this port of this address.
pub fn stitch(
    contacts: &[Contact],
    fan_in: &FanIn,
    is_documented: &dyn Fn(Address, u16) -> bool,
) -> Vec<Session> {
    let mut sessions = Vec::new();
    let mut begin = 0;
    for flows in contacts.chunk_by(same_flow) {
        let mut from = begin;
        let mut end = flows[0].end;
        for (i, record) in (begin..).zip(flows) {
            let is_new = record.start.since(end) > LONGEST_SILENCE_US
                || record.start.since(contacts[from].start) >= DAY_US
                || reopens(&contacts[from..i], record);
            if i > from && is_new {
                sessions.push(session(contacts, from..i, fan_in, is_documented));
                from = i;
                end = record.end;
            }
            end = end.max(record.end);
        }
        begin += flows.len();
        sessions.push(session(contacts, from..begin, fan_in, is_documented));
    }
    sessions
}

/// Whether `next` opens anew what its exporter saw closed.
fn reopens(before: &[Contact], next: &Contact) -> bool {
    let closed = tcp::FIN | tcp::RST;
    [Party::Victim, Party::Remote].into_iter().any(|party| {
        let flags = |c: &Contact| match c.side(party) {
            Side { packets: 0, .. } => 0,
            side => side.flags.unwrap_or(0),
        };
        flags(next) & tcp::SYN != 0
            && before
                .iter()
                .rev()
                .find(|c| c.exporter == next.exporter && c.side(party).packets > 0)
                .is_some_and(|last| flags(last) & closed != 0 && last.end <= next.start)
    })
}

fn session(
    contacts: &[Contact],
    range: Range<usize>,
    fan_in: &FanIn,
    is_documented: &dyn Fn(Address, u16) -> bool,
) -> Session {
    let records = &contacts[range.clone()];
    let first = &records[0];
    let (out, back) = (half(records, Party::Victim), half(records, Party::Remote));
    let said = |party| records.iter().any(|c| c.opener == Some(party));
    let opener = match (said(Party::Victim), said(Party::Remote)) {
        (true, false) => Some(Party::Victim),
        (false, true) => Some(Party::Remote),
        _ => {
            let victim = initiator::End {
                counterparts: count(&fan_in.victims, (first.victim, first.protocol, first.victim_port)),
                ..end(records, Party::Victim, first.victim_port, false)
            };
            let documented = is_documented(first.remote, first.remote_port);
            let remote = initiator::End {
                counterparts: count(&fan_in.remotes, (first.remote, first.protocol, first.remote_port)),
                ..end(records, Party::Remote, first.remote_port, documented)
            };
            initiator::opener(&victim, &remote)
        }
    };
    let mut days: Vec<Day> = records.iter().map(|c| c.start.day()).collect();
    days.dedup();
    Session {
        protocol: first.protocol,
        victim_port: first.victim_port,
        remote_port: first.remote_port,
        start: first.start,
        end: records.iter().map(|c| c.end).max().unwrap_or(first.end),
        out,
        back,
        opener,
        clock_suspect: records.iter().any(|c| c.clock_suspect),
        icmp_error: records.iter().any(is_icmp_error),
        is_refused: is_all_refused(records),
        days,
        records: range,
    }
}

/// Destination unreachable, source quench, time exceeded (RFC 792); unreachable, packet too big,
/// time exceeded, parameter problem (RFC 4443 §2.1).
fn is_icmp_error(contact: &Contact) -> bool {
    match contact.protocol {
        protocol::ICMP => matches!(contact.icmp_type, Some(3 | 4 | 11)),
        protocol::ICMPV6 => matches!(contact.icmp_type, Some(1..=4)),
        _ => false,
    }
}

fn count(counts: &HashMap<(Address, u8, u16), u32>, key: (Address, u8, u16)) -> u32 {
    counts.get(&key).copied().unwrap_or(0)
}

fn is_all_refused(records: &[Contact]) -> bool {
    records.iter().all(|record| record.is_refused)
}

/// One direction as the exporter saw it that saw most, unsampled before sampled. Of what a firewall
/// refused nothing is told where other records tell more.
fn half(records: &[Contact], party: Party) -> Half {
    let is_all_refused = is_all_refused(records);
    let mut halves: BTreeMap<(&str, u32), Half> = BTreeMap::new();
    let mut flags = None;
    for record in records {
        let side = record.side(party);
        if side.packets == 0 || (record.is_refused && !is_all_refused) {
            continue;
        }
        if let Some(seen) = side.flags {
            flags = Some(flags.unwrap_or(0) | seen);
        }
        let half = halves.entry(record.seen_by()).or_insert(Half { payload: Some(0), ..Half::default() });
        half.packets = half.packets.saturating_add(side.packets);
        half.octets = half.octets.saturating_add(side.least_octets);
        half.payload = half.payload.zip(side.payload).map(|(sum, next)| sum.saturating_add(next));
        half.sampled |= record.rate != Rate::Every;
        if !record.is_refused && carries(record.protocol, side) {
            half.carrying_records += 1;
            half.carrying_packets = half.carrying_packets.saturating_add(side.packets);
            half.carrying_octets = half.carrying_octets.saturating_add(side.least_octets);
        }
    }
    // Of equals the first by name: `max_by_key` takes the last.
    let most = halves.values().rev().max_by_key(|half| (!half.sampled, half.packets, half.octets));
    most.map(|half| Half { flags, ..*half }).unwrap_or_default()
}

/// What the records say of one party as the opener.
fn end(records: &[Contact], party: Party, port: u16, documented: bool) -> initiator::End {
    let other = match party {
        Party::Victim => Party::Remote,
        Party::Remote => Party::Victim,
    };
    let all_flags = || records.iter().filter_map(|c| c.side(party).flags);
    let is_tcp = records[0].protocol == protocol::TCP;
    initiator::End {
        port,
        documented,
        opening: is_tcp && all_flags().any(is_opening),
        syn: is_tcp && all_flags().any(|flags| flags & tcp::SYN != 0),
        syn_ack: is_tcp && all_flags().any(|flags| flags & tcp::SYN != 0 && flags & tcp::ACK != 0),
        first: is_first(records, party, other),
        counterparts: 0,
    }
}

/// Whether one unsampled exporter saw packets of `party` before any of `other`. The forward side
/// of a biflow is the side of its first packet.
fn is_first(records: &[Contact], party: Party, other: Party) -> bool {
    let Some(first) = records.iter().find(|c| c.rate == Rate::Every) else {
        return false;
    };
    if first.out.packets > 0 && first.back.packets > 0 {
        return first.forward == party;
    }
    let start = |party: Party| {
        let own = records.iter().filter(|c| c.rate == Rate::Every && c.exporter == first.exporter);
        own.filter(|c| c.side(party).packets > 0).map(|c| c.start).min()
    };
    match (start(party), start(other)) {
        (Some(this), Some(that)) => this < that,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rahdar_model::store::{End, Sighting};
    use rahdar_testkit::builder::FlowBuilder;
    use rahdar_testkit::{flow, strategy};

    use super::*;

    const SYN: u16 = tcp::SYN;
    const ACK: u16 = tcp::ACK;
    const FIN: u16 = tcp::FIN;

    fn out(start: &str) -> FlowBuilder {
        flow("203.0.113.25:50000 > 192.0.2.9:443").at(start)
    }

    fn back(start: &str) -> FlowBuilder {
        flow("192.0.2.9:443 > 203.0.113.25:50000").at(start)
    }

    fn sessions(flows: impl IntoIterator<Item = FlowBuilder>) -> Vec<Session> {
        let mut contacts: Vec<Contact> = flows
            .into_iter()
            .map(|flow| {
                let flow = flow.build();
                let remote: Address = "192.0.2.9".parse().unwrap();
                let end = if flow.src == remote { End::Source } else { End::Destination };
                Contact::of(&Sighting { end, flow })
            })
            .collect();
        contacts.sort();
        stitch(&contacts, &FanIn::of(&contacts), &|_, _| false)
    }

    #[test]
    fn a_transfer_split_by_timeouts_is_one_session() {
        let parts = ["2021-08-15T10:00:00Z", "2021-08-15T10:01:00Z", "2021-08-15T10:20:00Z"];
        let one = sessions(parts.map(|at| out(at).flags(ACK).lasting_s(60)));
        assert_eq!((one.len(), one[0].out.octets), (1, 3_000));
    }

    #[test]
    fn a_long_silence_or_a_new_opening_begins_a_session() {
        let apart = sessions(["2021-08-15T10:00:00Z", "2021-08-15T11:00:00Z"].map(|at| out(at).flags(ACK)));
        assert_eq!(apart.len(), 2);
        let closed = out("2021-08-15T10:00:00Z").flags(SYN | ACK | FIN);
        let reopened = out("2021-08-15T10:00:05Z").flags(SYN | ACK);
        assert_eq!(sessions([closed, reopened]).len(), 2);
    }

    #[test]
    fn a_connection_that_never_ends_is_cut_after_a_day() {
        let start = Timestamp::from_seconds(1_600_000_000);
        let alive = |n: i64| out("2021-08-15").flags(ACK).at_time(start.plus_micros(n * 600 * SECOND_US));
        assert_eq!(sessions((0..300).map(alive)).len(), 3);
    }

    #[test]
    fn a_direction_is_told_by_who_saw_most_of_it_and_never_twice() {
        let start = "2021-08-15T10:00:00Z";
        let seen = sessions([
            out(start).exporter("a").sent(10, 9_000),
            out(start).exporter("b").sent(8, 7_000),
            back(start).exporter("b").sent(5, 400),
        ]);
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].out.octets, seen[0].back.octets), (9_000, 400));
    }

    #[test]
    fn an_unsampled_exporter_goes_before_a_sampled_one() {
        let start = "2021-08-15T10:00:00Z";
        let seen = sessions([
            out(start).exporter("a").sent(4, 300),
            out(start).exporter("b").sent(9, 9_000).sampled(100),
        ]);
        assert_eq!((seen[0].out.octets, seen[0].out.sampled), (300, false));
    }

    #[test]
    fn openings_and_replies_carry_nothing() {
        let start = "2021-08-15T10:00:00Z";
        let seen = sessions([out(start).flags(SYN).sent(1, 60), back(start).flags(SYN | ACK).sent(1, 60)]);
        assert_eq!((seen[0].out.carrying_packets, seen[0].back.carrying_packets), (0, 0));
        assert_eq!(seen[0].opener, Some(Party::Victim));
    }

    proptest! {
        #[test]
        fn sessions_hold_every_record_once_in_any_order(flows in strategy::flows(24)) {
            let mut contacts: Vec<Contact> =
                flows.into_iter().map(|flow| Contact::of(&Sighting { end: End::Source, flow })).collect();
            contacts.sort();
            let stitched = stitch(&contacts, &FanIn::of(&contacts), &|_, _| false);
            let mut next = 0;
            for session in &stitched {
                prop_assert_eq!(session.records.start, next);
                next = session.records.end;
                let records = &contacts[session.records.clone()];
                prop_assert_eq!(session.start, records.iter().map(|c| c.start).min().unwrap());
                prop_assert_eq!(session.end, records.iter().map(|c| c.end).max().unwrap());
            }
            prop_assert_eq!(next, contacts.len());
        }
    }
}
