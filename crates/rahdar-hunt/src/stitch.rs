//! From contacts to sessions: what several records, directions and exporters say about one
//! conversation (`methods.md` §1.2 and §1.4).
//!
//! A session is a run of records with the same ends and ports; ICMP errors, which answer other packets, are
//! apart from what asks and is answered. Uniflows of both directions
//! meet in it, records split by timeouts are joined again, and records of several exporters stand
//! side by side: each direction is told as the exporter saw it that saw most of it, unsampled
//! before sampled. So a path whose directions pass different routers is still seen both ways.
//!
//! A record begins a new session where one of these holds:
//!
//! * It is a day after the first: claims have windows, and a connection that never ends must not
//!   be judged by its first hour. It goes on with the same connection ([`Session::connection`]): its days count
//!   each, but it is one contact, opened once, and where it was cut says nothing of a rhythm.
//! * It begins after a silence of more than [`LONGEST_SILENCE_US`].
//! * It opens anew: it has SYN, and its exporter saw the same side close or carry something before.
//! * The connection is over, and it begins after a silence of more than [`CLOSED_US`]: one side sent RST, or
//!   both ended, by FIN or by element 136 (3, end detected). Until then it is what follows a close: the last
//!   acknowledgement, which many exporters send as a record of its own.
//! * It is of no TCP, and begins after a silence of more than [`PAUSE_US`] that is one: an exporter that counts every
//!   packet saw what was before, does not say that it cut it for its age, and has no record with so long a
//!   silence inside.
//!
//! So an idle timeout (element 136 is 1) ends no TCP session: a connection is silent as long as it likes
//! (RFC 9293 has no timeout for it), and its next packet without SYN goes on with it. Where nothing opens
//! and closes, a longer silence is all that there is to tell two exchanges apart. After an active timeout (2) the
//! conversation went on, and where packets were sampled a silence is none. Reasons 4 and 5 are the
//! exporter's own and say nothing.
//!
//! Wrong where a port is drawn again within the silence and no flags tell of the new opening: two
//! sessions then count as one. Wrong the other way for datagrams that one conversation sends more than two
//! minutes apart: each is a session. No octet depends on it.
//!
//! ```
//! use rahdar_hunt::stitch::{Habits, stitch};
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
//! let sessions = stitch(&contacts, &Habits::of(&contacts), &|_, _| false);
//! assert_eq!(sessions.len(), 1);
//! assert_eq!((sessions[0].out.octets, sessions[0].back.octets), (600, 5_000));
//! ```

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use rahdar_model::flow::{protocol, tcp};
use rahdar_model::store::FanOut;
use rahdar_model::time::{DAY_US, SECOND_US};
use rahdar_model::{Address, Day, Timestamp};

use crate::initiator;
use crate::repeats::EXPORT_JUMP_US;
use crate::sweep::{Contact, Party, Rate, Side};
use crate::timeouts::{ACTIVE, Timeouts};

/// The longest silence inside a session: the active timeout that Cisco devices come with, 1800 s.
/// Under sampling, records of one transfer can lie this far apart.
pub const LONGEST_SILENCE_US: i64 = 1_800 * SECOND_US;

/// What belongs to a closed connection comes within twice the longest life of a segment, which is two
/// minutes (RFC 9293 §3.4.2).
pub const CLOSED_US: i64 = 240 * SECOND_US;

/// A longer silence ends an exchange without TCP. A NAT must not forget one sooner (RFC 4787 §4.3, REQ-5),
/// so that those who keep one alive send more often.
pub const PAUSE_US: i64 = 120 * SECOND_US;

/// Element 136 of a record whose conversation closed (IANA, IPFIX).
const END_DETECTED: u8 = 3;

/// An unanswered SYN with ACK is sent up to six times (Linux `tcp_synack_retries`, 5, and the
/// first). More packets than this are more than a reply.
pub const REPLY_PACKETS: u64 = 6;

/// Packets of this many octets or fewer on average carry headers alone: IPv4, TCP and their
/// options (`methods.md` §2.2, G1).
pub const HEADERS_OCTETS: u64 = FanOut::HEADERS_OCTETS;

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
    /// The place of the first record of its connection: sessions that one connection was cut into share it.
    pub connection: usize,
}

impl Session {
    /// Whether its connection began with it; else it goes on with one that was cut for its age.
    pub fn begins(&self) -> bool {
        self.connection == self.records.start
    }
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

/// What all contacts of a hunt say of their ends and of their exporters.
#[derive(Debug, Default)]
pub struct Habits {
    /// How many counterparts each end has.
    victims: HashMap<(Address, u8, u16), u32>,
    remotes: HashMap<(Address, u8, u16), u32>,
    timeouts: Timeouts,
}

impl Habits {
    /// Those of contacts that are sorted.
    pub fn of(contacts: &[Contact]) -> Self {
        let mut habits = Self { timeouts: Timeouts::of(contacts), ..Self::default() };
        for flows in contacts.chunk_by(same_flow) {
            let c = &flows[0];
            *habits.victims.entry((c.victim, c.protocol, c.victim_port)).or_default() += 1;
            *habits.remotes.entry((c.remote, c.protocol, c.remote_port)).or_default() += 1;
        }
        habits
    }
}

pub(crate) fn same_flow(a: &Contact, b: &Contact) -> bool {
    let key = |c: &Contact| (c.victim, c.remote, c.protocol, c.victim_port, c.remote_port, c.icmp_error);
    key(a) == key(b)
}

/// The sessions of sorted contacts, in their order. `is_documented` tells whether a claim names
/// this port of this address.
pub fn stitch(
    contacts: &[Contact],
    habits: &Habits,
    is_documented: &dyn Fn(Address, u16) -> bool,
) -> Vec<Session> {
    let mut sessions = Vec::new();
    let mut begin = 0;
    for flows in contacts.chunk_by(same_flow) {
        let (mut connection, mut from) = (begin, begin);
        // The last packet of the connection, and of the session.
        let (mut last, mut end) = (flows[0].end, flows[0].end);
        let mut push = |records: Range<usize>, connection| {
            let session = Session { connection, ..session(contacts, records, habits, is_documented) };
            let before = sessions.last().filter(|_| !session.begins());
            let opener = before.and_then(|before: &Session| before.opener).or(session.opener);
            sessions.push(Session { opener, ..session });
        };
        for (i, record) in (begin..).zip(flows) {
            let before = &contacts[from..i];
            if i > from && (is_old(before, record) || is_new(before, end, record, &habits.timeouts)) {
                push(from..i, connection);
                if is_new(before, last, record, &habits.timeouts) {
                    (connection, last) = (i, record.end);
                }
                (from, end) = (i, record.end);
            }
            (last, end) = (last.max(record.end), end.max(record.end));
        }
        begin += flows.len();
        push(from..begin, connection);
    }
    sessions
}

/// Whether the records `before` `next` are a day old, so that a session ends though its connection goes on.
fn is_old(before: &[Contact], next: &Contact) -> bool {
    next.start.since(before[0].start) >= DAY_US
}

/// Whether `next` is of another connection than the records `before` it, whose last packet was at `end`.
fn is_new(before: &[Contact], end: Timestamp, next: &Contact, timeouts: &Timeouts) -> bool {
    let silence_us = next.start.since(end);
    silence_us > LONGEST_SILENCE_US
        || reopens(before, next)
        || match next.protocol {
            protocol::TCP => silence_us > CLOSED_US && is_closed(before, timeouts),
            _ => silence_us > PAUSE_US && is_witnessed(before, silence_us, next, timeouts),
        }
}

/// Whether `next` opens anew what its exporter saw closed, or long open.
fn reopens(before: &[Contact], next: &Contact) -> bool {
    [Party::Victim, Party::Remote].into_iter().any(|party| {
        if flags(next, party) & tcp::SYN == 0 {
            return false;
        }
        let own = |c: &&Contact| c.seen_by() == next.seen_by() && c.side(party).packets > 0;
        before.iter().rev().find(own).is_some_and(|last| {
            let since_us = next.start.since(last.end);
            let is_open = flags(last, party) != 0 && carries(last.protocol, last.side(party));
            (since_us >= 0 && flags(last, party) & (tcp::FIN | tcp::RST) != 0)
                || (since_us > EXPORT_JUMP_US && is_open)
        })
    })
}

/// Whether the records of a TCP session show its end.
fn is_closed(records: &[Contact], timeouts: &Timeouts) -> bool {
    let parties = [Party::Victim, Party::Remote];
    // What was cut for its age went on after its flags.
    let last_words = || records.iter().filter(|c| !timeouts.is_cut(c));
    let is_reset = |c: &Contact| parties.iter().any(|party| flags(c, *party) & tcp::RST != 0);
    let has_ended = |c: &Contact, party| {
        c.end_reason == Some(END_DETECTED) && c.side(party).packets > 0 || flags(c, party) & tcp::FIN != 0
    };
    last_words().any(is_reset)
        || parties.into_iter().all(|party| {
            last_words().any(|c| has_ended(c, party)) || records.iter().all(|c| c.side(party).packets == 0)
        })
}

/// Whether somebody watched the silence before `next` who would have told of every packet.
fn is_witnessed(before: &[Contact], silence_us: i64, next: &Contact, timeouts: &Timeouts) -> bool {
    let own = |c: &&Contact| c.seen_by() == next.seen_by();
    next.rate == Rate::Every
        && silence_us > timeouts.idle_us(&next.exporter)
        && before
            .iter()
            .rev()
            .find(own)
            .is_some_and(|last| last.rate == Rate::Every && last.end_reason != Some(ACTIVE))
}

/// The TCP flags of what `party` sent; none where nothing was seen of it, or no flags.
fn flags(contact: &Contact, party: Party) -> u16 {
    match contact.side(party) {
        Side { packets: 0, .. } => 0,
        side => side.flags.unwrap_or(0),
    }
}

fn session(
    contacts: &[Contact],
    range: Range<usize>,
    habits: &Habits,
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
                counterparts: count(&habits.victims, (first.victim, first.protocol, first.victim_port)),
                ..end(records, Party::Victim, first.victim_port, false)
            };
            let documented = is_documented(first.remote, first.remote_port);
            let remote = initiator::End {
                counterparts: count(&habits.remotes, (first.remote, first.protocol, first.remote_port)),
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
        icmp_error: first.icmp_error,
        is_refused: is_all_refused(records),
        days,
        connection: range.start,
        records: range,
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

/// Whether one unsampled exporter saw packets of `party` before any of `other`, by more than its times
/// jump. The forward side of a biflow is the side of its first packet.
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
    let jump_us = if first.is_exported { EXPORT_JUMP_US } else { 0 };
    match (start(party), start(other)) {
        (Some(this), Some(that)) => that.since(this) > jump_us,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rahdar_model::FlowRecord;
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
        stitch(&contacts, &Habits::of(&contacts), &|_, _| false)
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
        let cut = sessions((0..300).map(alive));
        let told: Vec<_> = cut.iter().map(|session| (session.connection, session.begins())).collect();
        assert_eq!(told, [(0, true), (0, false), (0, false)]);
        // Ports tell nothing here: who opened it is known from its first packet alone.
        let opened = |n: i64| {
            let flags = if n == 0 { SYN } else { ACK };
            flow("203.0.113.25:50000 > 192.0.2.9:40000")
                .flags(flags)
                .at_time(start.plus_micros(n * 600 * SECOND_US))
        };
        let openers: Vec<_> = sessions((0..300).map(opened)).iter().map(|session| session.opener).collect();
        assert_eq!(openers, [Some(Party::Victim); 3]);
    }

    #[test]
    fn a_silence_within_a_long_record_opens_no_connection() {
        let start = Timestamp::from_seconds(1_600_000_000);
        let whole = out("2021-08-15").flags(ACK).at_time(start).lasting_s(3 * 86_400).exporter("a");
        let part = |n: i64| out("2021-08-15").flags(ACK).at_time(start.plus_micros(n * 3_600 * SECOND_US));
        let cut = sessions((1..70).map(|n| part(n).exporter("b")).chain([whole]));
        assert!(cut.len() > 2 && cut.iter().all(|session| session.connection == 0), "{cut:#?}");
        let later = part(100).exporter("b");
        assert!(sessions([part(1), part(2), later]).iter().all(Session::begins));
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
    fn icmp_errors_are_no_part_of_what_was_asked() {
        let icmp = |at, kind| {
            let flow = FlowRecord {
                icmp_type: Some(kind),
                ..flow("203.0.113.25 > 192.0.2.9").at(at).protocol(1).build()
            };
            Contact::of(&Sighting { end: End::Destination, flow })
        };
        let mut contacts = vec![
            icmp("2021-08-15T10:00:00Z", 8),
            icmp("2021-08-15T10:00:10Z", 3),
            icmp("2021-08-15T10:00:20Z", 8),
        ];
        contacts.sort();
        let apart = stitch(&contacts, &Habits::of(&contacts), &|_, _| false);
        let told: Vec<_> = apart.iter().map(|session| (session.icmp_error, session.records.len())).collect();
        assert_eq!(told, [(false, 2), (true, 1)]);
    }

    #[test]
    fn uniflows_tell_who_was_first_only_beyond_what_times_of_exports_jump() {
        // Cumulative flags, and no port of a service: order is all there is.
        let opener = |ahead_ms: i64, is_exported: bool| {
            let start = Timestamp::from_seconds(1_629_028_800);
            let first = flow("203.0.113.25:50000 > 192.0.2.9:40000").flags(SYN | ACK).at_time(start);
            let later = start.plus_micros(ahead_ms * 1_000);
            let second = flow("192.0.2.9:40000 > 203.0.113.25:50000").flags(SYN | ACK).at_time(later);
            let mut contacts = [(first, End::Destination), (second, End::Source)].map(|(flow, end)| {
                let mut flow = flow.build();
                flow.export_time = is_exported.then_some(flow.end_time);
                Contact::of(&Sighting { end, flow })
            });
            contacts.sort();
            stitch(&contacts, &Habits::of(&contacts), &|_, _| false)[0].opener
        };
        assert_eq!(opener(50, false), Some(Party::Victim));
        assert_eq!(opener(50, true), None);
        assert_eq!(opener(-50, true), None);
        assert_eq!(opener(1_500, true), Some(Party::Victim));
    }

    #[test]
    fn openings_and_replies_carry_nothing() {
        let start = "2021-08-15T10:00:00Z";
        let seen = sessions([out(start).flags(SYN).sent(1, 60), back(start).flags(SYN | ACK).sent(1, 60)]);
        assert_eq!((seen[0].out.carrying_packets, seen[0].back.carrying_packets), (0, 0));
        assert_eq!(seen[0].opener, Some(Party::Victim));
    }

    /// A datagram at so many seconds after noon, out or back, and the answer to it.
    fn datagrams(seconds: i64) -> FlowBuilder {
        let noon = Timestamp::from_seconds(1_629_028_800);
        out("2021-08-15")
            .udp()
            .sent(1, 80)
            .answered(1, 90)
            .lasting_s(0)
            .at_time(noon.plus_micros(seconds * SECOND_US))
    }

    /// How many sessions flows make that ended for a reason, by element 136.
    fn count_with(flows: impl IntoIterator<Item = (FlowBuilder, Option<u8>)>) -> usize {
        let mut contacts: Vec<Contact> = flows
            .into_iter()
            .map(|(flow, end_reason)| {
                let flow = FlowRecord { end_reason, ..flow.build() };
                Contact::of(&Sighting { end: End::Destination, flow })
            })
            .collect();
        contacts.sort();
        stitch(&contacts, &Habits::of(&contacts), &|_, _| false).len()
    }

    #[test]
    fn a_connection_may_be_silent_as_long_as_it_likes() {
        let idle = |at| (out(at).flags(ACK), Some(1));
        assert_eq!(count_with([idle("2021-08-15T10:00:00Z"), idle("2021-08-15T10:25:00Z")]), 1);
    }

    #[test]
    fn an_opening_after_data_is_another_connection() {
        let data = || out("2021-08-15T10:00:00Z").flags(ACK);
        assert_eq!(sessions([data(), out("2021-08-15T10:02:00Z").flags(SYN | ACK)]).len(), 2);
        assert_eq!(
            sessions([data(), out("2021-08-15T10:00:02Z").flags(SYN)]).len(),
            1,
            "within a clock's jump"
        );
        assert_eq!(sessions([data(), out("2021-08-15T10:02:00Z").flags(SYN).exporter("b")]).len(), 1);
        // Calls that are repeated because nobody answers are one.
        let calls = ["2021-08-15T10:00:00Z", "2021-08-15T10:00:31Z", "2021-08-15T10:01:03Z"];
        assert_eq!(sessions(calls.map(|at| out(at).flags(SYN).sent(1, 60))).len(), 1);
    }

    #[test]
    fn what_follows_a_close_belongs_to_it_for_four_minutes() {
        let closed = |reason| (out("2021-08-15T10:00:00Z").flags(SYN | ACK | FIN), reason);
        let last = |at| (out(at).flags(ACK).sent(1, 40), Some(1));
        assert_eq!(count_with([closed(Some(3)), last("2021-08-15T10:00:02Z")]), 1);
        assert_eq!(count_with([closed(Some(3)), last("2021-08-15T10:04:00Z")]), 1);
        assert_eq!(count_with([closed(Some(3)), last("2021-08-15T10:04:02Z")]), 2);
        assert_eq!(count_with([closed(None), last("2021-08-15T10:04:02Z")]), 2);
        assert_eq!(count_with([closed(Some(2)), last("2021-08-15T10:04:02Z")]), 1, "it went on");
        let unflagged = (out("2021-08-15T10:00:00Z"), Some(3));
        assert_eq!(count_with([unflagged, last("2021-08-15T10:04:02Z")]), 2);
    }

    #[test]
    fn one_side_that_ends_closes_nothing() {
        let asked = out("2021-08-15T10:00:00Z").flags(SYN | ACK | FIN);
        let answers = ["2021-08-15T10:00:00Z", "2021-08-15T10:10:00Z"].map(|at| back(at).flags(ACK));
        let [first, later] = answers;
        assert_eq!(sessions([asked.clone(), first.clone(), later.clone()]).len(), 1);
        assert_eq!(sessions([asked, first.flags(ACK | tcp::RST), later]).len(), 2);
    }

    #[test]
    fn datagrams_after_a_silence_are_another_exchange() {
        let count = |seconds: &[i64]| sessions(seconds.iter().map(|s| datagrams(*s))).len();
        assert_eq!(count(&[0, 120, 240]), 1);
        assert_eq!(count(&[0, 121, 242]), 3);
        assert_eq!(count(&[0, 300, 600, 900]), 4, "a call every five minutes from one port");
    }

    #[test]
    fn a_silence_that_nobody_watched_is_none() {
        let count = |flows: [FlowBuilder; 2]| sessions(flows).len();
        assert_eq!(count([datagrams(0).sampled(100), datagrams(900).sampled(100)]), 1);
        assert_eq!(count([datagrams(0).rate_unknown(), datagrams(900).rate_unknown()]), 1);
        assert_eq!(count([datagrams(0).exporter("a"), datagrams(900).exporter("b")]), 1);
        // Cut for its age, by the exporter's word; or ended by one that waits longer.
        assert_eq!(count_with([(datagrams(0), Some(2)), (datagrams(900), Some(1))]), 1);
        assert_eq!(count_with([(datagrams(0), Some(1)), (datagrams(900), Some(1))]), 2);
        let patient = datagrams(0).lasting_s(400).answered(1, 90);
        assert_eq!(sessions([patient.clone(), datagrams(700)]).len(), 1);
        assert_eq!(sessions([patient, datagrams(900)]).len(), 2);
    }

    proptest! {
        #[test]
        fn stitching_changes_no_sum_and_depends_on_no_order(
            flows in strategy::flows(24).prop_shuffle(),
            reasons in prop::collection::vec(prop::option::of(0_u8..6), 24),
        ) {
            let mut contacts: Vec<Contact> = flows
                .into_iter()
                .zip(reasons)
                .map(|(flow, end_reason)| FlowRecord { end_reason, ..flow })
                .map(|flow| Contact::of(&Sighting { end: End::Source, flow }))
                .collect();
            contacts.sort();
            let habits = Habits::of(&contacts);
            let stitched = stitch(&contacts, &habits, &|_, _| false);
            let sums = |records: &[Contact]| {
                let sides = || records.iter().flat_map(|c| [&c.out, &c.back]);
                let packets: u128 = sides().map(|side| u128::from(side.packets)).sum();
                (packets, sides().map(|side| u128::from(side.octets)).sum::<u128>())
            };
            let of_sessions = stitched.iter().map(|session| sums(&contacts[session.records.clone()]));
            let total = of_sessions.fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
            prop_assert_eq!(total, sums(&contacts));
            let first = stitched.iter().map(|session| session.start).min();
            let last = stitched.iter().map(|session| session.end).max();
            prop_assert_eq!(first, contacts.iter().map(|c| c.start).min());
            prop_assert_eq!(last, contacts.iter().map(|c| c.end).max());

            // A session by itself is one session.
            let mut before: Option<&Session> = None;
            for session in &stitched {
                let goes_on = before.is_some_and(|before| before.connection == session.connection);
                prop_assert_eq!(session.begins(), !goes_on);
                prop_assert!(same_flow(&contacts[session.connection], &contacts[session.records.start]));
                before = Some(session);
                let records = &contacts[session.records.clone()];
                let again = stitch(records, &habits, &|_, _| false);
                prop_assert_eq!(again.len(), 1);
                prop_assert_eq!(&again[0].records, &(0..records.len()));
            }

            let mut reversed: Vec<Contact> = contacts.iter().rev().cloned().collect();
            reversed.sort();
            let again = stitch(&reversed, &Habits::of(&reversed), &|_, _| false);
            prop_assert_eq!(again, stitched);
        }

        #[test]
        fn sessions_hold_every_record_once_in_any_order(flows in strategy::flows(24)) {
            let mut contacts: Vec<Contact> =
                flows.into_iter().map(|flow| Contact::of(&Sighting { end: End::Source, flow })).collect();
            contacts.sort();
            let stitched = stitch(&contacts, &Habits::of(&contacts), &|_, _| false);
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
