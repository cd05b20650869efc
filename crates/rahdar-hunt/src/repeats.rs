//! One record, one count: what several inputs of one exporter hold is counted once
//! (`methods.md` §1.6).
//!
//! A log is imported again after it grew, a log lies beside its labelled copy, a capture beside a
//! cut of it. An exporter is known by its name, so that the store holds the same packets twice:
//!
//! * **Repeated records.** Records with equal ends, times, counters, flags and uid are one record
//!   in as many copies as the input that has most of it. Within one input equal records are the
//!   exporter's own, as two sampled packets of one datagram are; with a uid they are one.
//! * **Told twice.** A sensor that logs connections and their directions (Suricata: `flow` and `netflow`)
//!   tells of the same packets twice, under one uid. Within one input its reader keeps one of the two;
//!   a log that is read as it grows is several inputs. The records that name no opener fall away where
//!   one that does covers their time.
//! * **Inputs that overlap.** Two connections of the same ends and ports cannot be at the same
//!   time. Where unsampled records of two inputs that tell of one direction are, their inputs are
//!   two observers of the same packets, and the one that recorded more counts
//!   ([`crate::exporters`]). Inputs that follow one another are one observer: the pieces of a flow
//!   that an active timeout cut touch and do not overlap.
//!
//! Records overlap if the later one begins before the other ends. Times of NetFlow are counted from
//! the second of an export and jump by as much: there it takes [`EXPORT_JUMP_US`], or half of the
//! later record. What an exporter sends is a record for good, which no other cut divides.
//!
//! Assumes that an input is known by its name, and a record in it by its number. Wrong where one
//! name stood for two inputs in which the same record without a uid has two numbers, and for records
//! of a single packet that two sensors of one name saw at times of their own: both count. Name
//! sensors apart. Wrong the other way where an exporter splits one conversation over two links and
//! each goes to a file of its own: at least is then the larger, and at most still the sum.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use rahdar_model::time::SECOND_US;
use rahdar_model::{Address, Timestamp};

use crate::stitch::{LONGEST_SILENCE_US, same_flow};
use crate::sweep::{Contact, Party};

/// By how much times of one exporter may jump: NetFlow v9 tells the time of an export in whole
/// seconds (RFC 3954 §5.1).
pub const EXPORT_JUMP_US: i64 = SECOND_US;

/// Observers that a record is compared with before its input stands alone. Chosen here: nobody cuts
/// one flow so often, and each costs time for every record.
const COMPARED_MAX: usize = 16;

/// Leaves of every record as many copies as one input holds, and tells how many fell away, by
/// victim and remote. Leaves the contacts sorted.
pub(crate) fn drop_repeated(contacts: &mut Vec<Contact>) -> BTreeMap<(Address, Address), u64> {
    contacts.sort_unstable();
    let mut keep = Vec::with_capacity(contacts.len());
    let mut dropped = BTreeMap::new();
    for flows in contacts.chunk_by(same_flow) {
        let begin = keep.len();
        keep.resize(begin + flows.len(), true);
        if flows.len() == 1 {
            continue;
        }
        mark_repeated(flows, &mut keep[begin..]);
        mark_told_twice(flows, &mut keep[begin..]);
        let fallen = keep[begin..].iter().filter(|kept| !**kept).count() as u64;
        if fallen > 0 {
            *dropped.entry((flows[0].victim, flows[0].remote)).or_default() += fallen;
        }
    }
    let mut kept = keep.into_iter();
    contacts.retain(|_| kept.next().unwrap_or(true));
    dropped
}

/// Marks the copies that fall away among the records of the same ends and ports.
fn mark_repeated(flows: &[Contact], keep: &mut [bool]) {
    // Of two inputs the larger is kept, so that what was of one input stays so.
    let mut sizes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for flow in flows {
        *sizes.entry((&flow.exporter, &flow.source)).or_default() += 1;
    }
    let mut begin = 0;
    for copies in flows.chunk_by(is_same_record) {
        let own = &mut keep[begin..begin + copies.len()];
        begin += copies.len();
        if copies.len() > 1 {
            keep_one_input(copies, &|source| sizes[&(&*copies[0].exporter, source)], own);
        }
    }
}

/// Marks the records of one direction whose connection another record tells of.
fn mark_told_twice(flows: &[Contact], keep: &mut [bool]) {
    let mut whole: BTreeMap<(&str, &str), (Timestamp, Timestamp)> = BTreeMap::new();
    for flow in flows.iter().filter(|flow| flow.opener.is_some() && !flow.uid.is_empty()) {
        let (start, end) = whole.entry((&flow.exporter, &flow.uid)).or_insert((flow.start, flow.end));
        (*start, *end) = (flow.start.min(*start), flow.end.max(*end));
    }
    for (flow, kept) in flows.iter().zip(keep).filter(|(flow, _)| flow.opener.is_none()) {
        let within = whole.get(&(&*flow.exporter, &*flow.uid));
        *kept &= !within.is_some_and(|(start, end)| *start <= flow.start && flow.end <= *end);
    }
}

/// Keeps the copies of the input that has most of them; of equals that of the larger, or of the
/// first by name.
fn keep_one_input(copies: &[Contact], size: &dyn Fn(&str) -> usize, keep: &mut [bool]) {
    let mut inputs: BTreeMap<&str, BTreeMap<u64, usize>> = BTreeMap::new();
    for (i, copy) in copies.iter().enumerate() {
        inputs.entry(&copy.source).or_default().entry(copy.source_row).or_insert(i);
    }
    let most = if copies[0].uid.is_empty() { usize::MAX } else { 1 };
    let rank = |(source, rows): &(&&str, &BTreeMap<u64, usize>)| (rows.len().min(most), size(source));
    // `max_by_key` takes the last of equals.
    let Some((_, rows)) = inputs.iter().rev().max_by_key(rank) else { return };
    keep.fill(false);
    for i in rows.values().take(most) {
        keep[*i] = true;
    }
}

/// Whether nothing but the place of the two differs.
fn is_same_record(a: &Contact, b: &Contact) -> bool {
    let ends = |c: &Contact| (c.victim, c.remote, c.protocol, c.victim_port, c.remote_port, c.start, c.end);
    let sampling = |c: &Contact| (c.rate, c.flow_sampled, c.systematic);
    let said = |c: &Contact| (c.forward, c.opener, c.metered, c.icmp_type, c.is_refused);
    let marks = |c: &Contact| (c.clock_suspect, c.has_floor, c.has_ceiling);
    ends(a) == ends(b)
        && a.exporter == b.exporter
        && sampling(a) == sampling(b)
        && (a.out, a.back) == (b.out, b.back)
        && said(a) == said(b)
        && marks(a) == marks(b)
        && a.uid == b.uid
}

/// Numbers the observers of every exporter: its unsampled records that overlap have different
/// numbers if they are of different inputs. The contacts are sorted.
pub(crate) fn tell_observers(contacts: &mut [Contact]) {
    for flows in contacts.chunk_by_mut(same_flow) {
        if flows.iter().all(|flow| flow.source == flows[0].source) {
            continue;
        }
        let mut begin = 0;
        while begin < flows.len() {
            let end = begin + until_silence(&flows[begin..]);
            number(&mut flows[begin..end]);
            begin = end;
        }
    }
}

/// How many of these records follow one another without a silence that ends a session.
fn until_silence(flows: &[Contact]) -> usize {
    let mut until = flows[0].end;
    for (i, flow) in flows.iter().enumerate() {
        if flow.start.since(until) > LONGEST_SILENCE_US {
            return i;
        }
        until = until.max(flow.end);
    }
    flows.len()
}

fn number(flows: &mut [Contact]) {
    let mut exporters: BTreeMap<Arc<str>, Observers> = BTreeMap::new();
    for flow in flows.iter_mut().filter(|flow| !flow.is_sampled()) {
        flow.observer = exporters.entry(flow.exporter.clone()).or_default().place(flow);
    }
}

/// The observers of one exporter.
#[derive(Default)]
struct Observers {
    /// Every input: its number, and where its last record went.
    inputs: BTreeMap<Arc<str>, (usize, usize)>,
    past: Vec<Past>,
}

impl Observers {
    /// The observer of a record that began no earlier than those before: that of its input, else the
    /// first on which nothing of another input overlaps it.
    fn place(&mut self, flow: &Contact) -> u32 {
        let next = self.inputs.len();
        let (input, last) = self.inputs.entry(flow.source.clone()).or_insert((next, 0));
        let fits = |place: &usize| self.past.get(*place).is_none_or(|past| !past.overlaps(flow, *input));
        let place = std::iter::once(*last).chain(0..COMPARED_MAX).find(fits);
        let place = place.unwrap_or(COMPARED_MAX + *input);
        *last = place;
        if place < COMPARED_MAX {
            self.past.resize_with(self.past.len().max(place + 1), Past::default);
            self.past[place].add(flow, *input);
        }
        u32::try_from(place).unwrap_or(u32::MAX)
    }
}

/// Until when each direction was seen, by the two inputs that saw it last, the last first.
#[derive(Default)]
struct Past {
    until: [Vec<(usize, Timestamp)>; 2],
}

/// The directions that a record tells of.
fn directions(flow: &Contact) -> impl Iterator<Item = usize> {
    let parties = [Party::Victim, Party::Remote].into_iter().enumerate();
    parties.filter(|(_, party)| flow.side(*party).octets > 0).map(|(direction, _)| direction)
}

impl Past {
    /// Whether another input than this saw what the record tells of.
    fn overlaps(&self, flow: &Contact, input: usize) -> bool {
        directions(flow).any(|direction| {
            let mut others = self.until[direction].iter().filter(|(own, _)| *own != input);
            others.next().is_some_and(|(_, until)| is_before(*until, flow))
        })
    }

    fn add(&mut self, flow: &Contact, input: usize) {
        // A single packet lasts a moment.
        let end = flow.end.max(flow.start.plus_micros(1));
        for direction in directions(flow) {
            let until = &mut self.until[direction];
            match until.iter_mut().find(|(own, _)| *own == input) {
                Some((_, own)) => *own = end.max(*own),
                None => until.push((input, end)),
            }
            until.sort_by_key(|(input, end)| (Reverse(*end), *input));
            until.truncate(2);
        }
    }
}

/// Whether the record began before `until`, by more than its clock may jump.
fn is_before(until: Timestamp, flow: &Contact) -> bool {
    let lasting_us = flow.end.since(flow.start);
    let shared_us = flow.end.min(until).since(flow.start);
    let least_us = match flow.is_exported {
        true => EXPORT_JUMP_US.min((lasting_us / 2).max(1)),
        false => lasting_us.min(1),
    };
    shared_us >= least_us
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rahdar_model::flow::Initiator;
    use rahdar_model::store::{End, Sighting};
    use rahdar_testkit::builder::FlowBuilder;
    use rahdar_testkit::flow;

    use super::*;

    fn contacts(flows: impl IntoIterator<Item = FlowBuilder>) -> Vec<Contact> {
        let contact =
            |flow: FlowBuilder| Contact::of(&Sighting { end: End::Destination, flow: flow.build() });
        flows.into_iter().map(contact).collect()
    }

    /// A record of so many packets, from second `from` to second `until`.
    fn record(source: &str, row: u64, from: i64, until: i64, packets: u64) -> FlowBuilder {
        let start = Timestamp::from_seconds(1_600_000_000 + from);
        let flow = flow("203.0.113.25:50000 > 192.0.2.9:443").sent(packets, packets * 1_000);
        flow.at_time(start).lasting_s(until - from).from(source, row)
    }

    #[track_caller]
    fn check_kept(flows: &[FlowBuilder], kept: usize) {
        let mut contacts = contacts(flows.to_vec());
        let dropped: u64 = drop_repeated(&mut contacts).values().sum();
        assert_eq!((contacts.len(), dropped as usize), (kept, flows.len() - kept));
    }

    #[test]
    fn a_record_that_two_inputs_hold_is_one() {
        check_kept(&[record("a", 1, 0, 9, 5), record("b", 7, 0, 9, 5)], 1);
        check_kept(&[record("grown", 1, 0, 9, 5), record("grown", 1, 0, 9, 5)], 1);
        check_kept(&[record("a", 1, 0, 9, 5), record("b", 1, 0, 9, 6)], 2);
        check_kept(&[record("a", 1, 0, 9, 5), record("b", 1, 0, 9, 5).exporter("r2")], 2);
    }

    #[test]
    fn equal_records_of_one_input_are_its_own() {
        let twice = [record("a", 1, 0, 0, 1), record("a", 2, 0, 0, 1)];
        check_kept(&twice, 2);
        check_kept(&[&twice[..], &[record("b", 1, 0, 0, 1)]].concat(), 2);
        check_kept(&twice.map(|flow| flow.uid("C1")), 1);
    }

    #[test]
    fn a_direction_of_a_connection_that_another_record_tells_of_falls_away() {
        let whole = || record("log", 1, 0, 60, 5).answered(4, 4_000).opened_by(Initiator::Source).uid("7");
        let half = |from, until| record("log", 2, from, until, 5).uid("7");
        check_kept(&[whole(), half(0, 60)], 1);
        check_kept(&[whole(), half(0, 60), half(10, 50)], 1);
        check_kept(&[whole(), half(0, 61)], 2);
        check_kept(&[whole(), half(0, 60).uid("8")], 2);
        check_kept(&[whole(), half(0, 60).exporter("r2")], 2);
        check_kept(&[whole().uid(""), half(0, 60).uid("")], 2);
        check_kept(&[half(0, 60), half(10, 50)], 2);
    }

    #[track_caller]
    fn check_observers(flows: &[FlowBuilder], expected: &[u32]) {
        let mut contacts = contacts(flows.to_vec());
        contacts.sort();
        tell_observers(&mut contacts);
        assert_eq!(contacts.iter().map(|c| c.observer).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn inputs_that_follow_one_another_are_one_observer() {
        check_observers(&[record("a", 1, 0, 60, 5), record("b", 1, 60, 120, 5)], &[0, 0]);
        check_observers(&[record("a", 1, 0, 60, 5), record("a", 2, 30, 90, 5)], &[0, 0]);
    }

    #[test]
    fn inputs_that_overlap_are_two_observers() {
        check_observers(&[record("a", 1, 0, 60, 5), record("b", 1, 59, 120, 5)], &[0, 1]);
        check_observers(&[record("a", 1, 0, 60, 5), record("b", 1, 0, 60, 6)], &[0, 1]);
        check_observers(&[record("a", 1, 0, 60, 5), record("b", 1, 60, 60, 1)], &[0, 1]);
        let three = [record("a", 1, 0, 60, 5), record("c", 1, 30, 90, 5), record("b", 1, 60, 120, 5)];
        check_observers(&three, &[0, 1, 0]);
    }

    #[test]
    fn samples_other_directions_and_other_exporters_do_not_overlap() {
        check_observers(&[record("a", 1, 0, 60, 5), record("b", 1, 5, 60, 5).sampled(100)], &[0, 0]);
        check_observers(&[record("a", 1, 0, 60, 5), record("b", 1, 5, 60, 5).exporter("r2")], &[0, 0]);
        let back = record("b", 1, 5, 60, 0).answered(5, 5_000);
        check_observers(&[record("a", 1, 0, 60, 5), back], &[0, 0]);
    }

    #[test]
    fn the_jump_of_an_exporters_clock_is_no_overlap() {
        let start = Timestamp::from_seconds(1_600_000_000);
        let piece = |source: &str, from_ms: i64, until_ms: i64, is_exported: bool| {
            let mut flow = record(source, 1, 0, 1, 5).build();
            flow.start_time = start.plus_micros(from_ms * 1_000);
            flow.end_time = start.plus_micros(until_ms * 1_000);
            flow.export_time = is_exported.then_some(flow.end_time);
            Contact::of(&Sighting { end: End::Destination, flow })
        };
        let overlap = |from_ms: i64, is_exported: bool| {
            let mut contacts =
                [piece("a", 0, 60_000, is_exported), piece("b", from_ms, 120_000, is_exported)];
            tell_observers(&mut contacts);
            contacts[1].observer == 1
        };
        assert_eq!([59_400, 59_000].map(|from_ms| overlap(from_ms, true)), [false, true]);
        assert_eq!([59_400, 60_000].map(|from_ms| overlap(from_ms, false)), [true, false]);
    }

    proptest! {
        #[test]
        fn whatever_the_order_the_same_records_are_kept(
            (flows, shuffled) in vec((0_u8..3, 1_u64..4, 0_i64..5, 0_i64..5, 1_u64..3), 0..20)
                .prop_flat_map(|flows| (Just(flows.clone()), Just(flows).prop_shuffle())),
        ) {
            let kept = |flows: Vec<(u8, u64, i64, i64, u64)>| {
                let build = |(source, row, from, lasting, packets): (u8, u64, i64, i64, u64)| {
                    record(&source.to_string(), row, from, from + lasting, packets)
                };
                let mut contacts = contacts(flows.into_iter().map(build));
                let dropped = drop_repeated(&mut contacts);
                tell_observers(&mut contacts);
                (contacts, dropped)
            };
            prop_assert_eq!(kept(flows), kept(shuffled));
        }
    }
}
