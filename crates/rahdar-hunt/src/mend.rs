//! What exporters got wrong, as their records tell only together, put right before anything is judged
//! (`methods.md` §1.7).
//!
//! * **Clocks.** Of every exporter and hour, θ is the median of export time less arrival over the
//!   contacts that have both. Times are moved by −θ if θ is more than [`CLOCK_LEAST_US`], at most
//!   [`CLOCK_MOST_US`], and the median deviation from it less than [`CLOCK_SPREAD_US`]. A larger θ is
//!   left alone: files are exported again years after, and their times are right.
//! * **Counters that were multiplied.** Where more than [`SCALED_SHARE`] of all records of one exporter
//!   and sampling interval N count packets in multiples of N, the exporter multiplied already: both counters are
//!   divided by N. It takes [`SCALED_LEAST_RECORDS`] records, and N ≥ [`SCALED_LEAST_INTERVAL`]; where
//!   the exporter has no more than that in the whole window, those that were met are asked. Of fewer, or of a
//!   smaller N, nobody can tell: the lower bound takes them for multiplied, the upper one for not.
//! * **Flags.** Every segment but the first has ACK (RFC 9293 §3.1). Where more than [`UNFLAGGED_SHARE`] of the TCP
//!   records of one exporter have no flag at all, and one of them carries more than headers, as no
//!   probe does, the exporter does not tell flags: they are unknown, not 0 (`methods.md` §1.4; R. Hofstede et al.,
//!   "Measurement artifacts in NetFlow data", PAM 2013).
//!
//! Assumes that an exporter keeps one clock, and one habit. Wrong where an exporter holds datagrams back
//! for seconds (it then seems behind), and where nearly all sampled flows happen to have multiples of N
//! packets: both bounds are then too low.
//!
//! ```
//! use rahdar_hunt::mend::mend;
//! use rahdar_hunt::sweep::Contact;
//! use rahdar_model::store::{End, Sighting};
//! use rahdar_testkit::{flow, time};
//!
//! // The exporter's clock is 40 seconds ahead: it exported at 12:01:40 what arrived at 12:01:00.
//! let mut record = flow("203.0.113.25:50000 > 192.0.2.9:443").at("2021-08-15T12:01:10Z").build();
//! record.export_time = Some(time("2021-08-15T12:01:40Z"));
//! record.received_time = Some(time("2021-08-15T12:01:00Z"));
//! let mut contacts = [Contact::of(&Sighting { end: End::Destination, flow: record })];
//! mend(&mut contacts, &[]);
//! assert_eq!(contacts[0].start, time("2021-08-15T12:00:30Z"));
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use rahdar_model::Timestamp;
use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::flow::protocol;
use rahdar_model::time::SECOND_US;

use crate::stitch::is_large;
use crate::sweep::{Contact, Rate, Side};

/// A clock that is off by less is right (`methods.md` §1.7).
pub const CLOCK_LEAST_US: i64 = 2 * SECOND_US;
/// A clock that is off by more tells another story than that of its exporter (`methods.md` §1.7).
pub const CLOCK_MOST_US: i64 = 300 * SECOND_US;
/// How far apart what one clock says may lie (`methods.md` §1.7).
pub const CLOCK_SPREAD_US: i64 = SECOND_US;

/// The share of records that count in multiples of the interval where somebody multiplied
/// (`methods.md` §1.7).
pub const SCALED_SHARE: f64 = 0.99;
/// Records that it takes to tell. Chosen here: by chance, ten in ten thousand are multiples of 1,000.
pub const SCALED_LEAST_RECORDS: u64 = 20;
/// The smallest interval for which it is told. Chosen here: of smaller ones, small counts are multiples
/// too often.
pub const SCALED_LEAST_INTERVAL: u64 = 10;

/// The share of TCP records without any flag where nobody tells flags (`methods.md` §1.4).
pub const UNFLAGGED_SHARE: f64 = 0.99;

/// Puts right what the contacts of one sweep tell, and all that their exporters recorded meanwhile. Their
/// order does not matter, and may be another after.
pub fn mend(contacts: &mut [Contact], coverage: &[ExporterCoverage]) {
    set_clocks(contacts);
    undo_scaling(contacts, coverage);
    forget_flags(contacts);
}

fn set_clocks(contacts: &mut [Contact]) {
    let key = |c: &Contact| (c.exporter.clone(), c.start.hour());
    let mut ahead_us: HashMap<(Arc<str>, Timestamp), Vec<i64>> = HashMap::new();
    for contact in contacts.iter() {
        if let Some(us) = contact.clock_ahead_us {
            ahead_us.entry(key(contact)).or_default().push(us);
        }
    }
    let offsets_us: HashMap<_, i64> =
        ahead_us.into_iter().filter_map(|(key, all)| Some((key, offset_us(all)?))).collect();
    if offsets_us.is_empty() {
        return;
    }
    for contact in contacts {
        if let Some(us) = offsets_us.get(&key(contact)) {
            contact.start = contact.start.plus_micros(-us);
            contact.end = contact.end.plus_micros(-us);
        }
    }
}

/// By how much a clock is off that says this; none if it is right, or is no clock.
fn offset_us(mut ahead_us: Vec<i64>) -> Option<i64> {
    let offset = median(&mut ahead_us)?;
    let mut deviations: Vec<i64> =
        ahead_us.iter().map(|us| us.saturating_sub(offset).saturating_abs()).collect();
    let is_one_clock = median(&mut deviations)? < CLOCK_SPREAD_US;
    let size = offset.saturating_abs();
    (is_one_clock && CLOCK_LEAST_US < size && size <= CLOCK_MOST_US).then_some(offset)
}

/// The lower median.
fn median(numbers: &mut [i64]) -> Option<i64> {
    let middle = numbers.len().checked_sub(1)? / 2;
    Some(*numbers.select_nth_unstable(middle).1)
}

/// Whether an exporter multiplied its counters by the interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    Plain,
    Multiplied,
    /// Its records are too few to tell, or its interval too small.
    Untold,
}

/// Records, and how many of them count in multiples of the interval.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    records: u64,
    multiples: u64,
}

impl Counts {
    /// Of an exporter that samples one in `n`.
    fn habit(self, n: u64) -> Habit {
        let are_multiples = self.multiples as f64 > SCALED_SHARE * self.records as f64;
        let tells = self.records >= SCALED_LEAST_RECORDS && n >= SCALED_LEAST_INTERVAL;
        match (are_multiples, tells) {
            (false, _) => Habit::Plain,
            (true, true) => Habit::Multiplied,
            (true, false) => Habit::Untold,
        }
    }
}

/// TCP records of one exporter.
#[derive(Default)]
struct Segments {
    records: usize,
    unflagged: usize,
    /// Whether one without flags carries more than headers.
    is_talk: bool,
}

fn forget_flags(contacts: &mut [Contact]) {
    let seen = |side: &&Side| side.packets > 0 && side.flags.is_some();
    let is_unflagged = |side: &&Side| side.flags == Some(0);
    let mut exporters: HashMap<Arc<str>, Segments> = HashMap::new();
    for contact in contacts.iter().filter(|contact| contact.protocol == protocol::TCP) {
        for side in [&contact.out, &contact.back].into_iter().filter(seen) {
            let segments = match exporters.get_mut(&contact.exporter) {
                Some(segments) => segments,
                None => exporters.entry(contact.exporter.clone()).or_default(),
            };
            segments.records += 1;
            if is_unflagged(&side) {
                segments.unflagged += 1;
                segments.is_talk |= is_large(side.packets, side.octets);
            }
        }
    }
    exporters.retain(|_, segments| {
        segments.is_talk && segments.unflagged as f64 > UNFLAGGED_SHARE * segments.records as f64
    });
    if exporters.is_empty() {
        return;
    }
    for contact in contacts.iter_mut().filter(|contact| exporters.contains_key(&contact.exporter)) {
        for side in [&mut contact.out, &mut contact.back] {
            side.flags = side.flags.filter(|flags| *flags != 0);
        }
    }
}

/// An exporter and a sampling interval.
type Sampled = (Arc<str>, u64);

fn undo_scaling(contacts: &mut [Contact], coverage: &[ExporterCoverage]) {
    let interval = |contact: &Contact| match contact.rate {
        Rate::OneIn(n) if n > 1 && !contact.flow_sampled && !contact.is_divided => Some(u64::from(n)),
        _ => None,
    };
    let mut met: HashMap<Sampled, Counts> = HashMap::new();
    for contact in contacts.iter() {
        let Some(n) = interval(contact) else { continue };
        let counts = met.entry((contact.exporter.clone(), n)).or_default();
        counts.records += 1;
        let are_multiples = [contact.out, contact.back].iter().all(|side| side.packets % n == 0);
        counts.multiples += u64::from(are_multiples);
    }
    let habits: HashMap<Sampled, Habit> = met
        .into_iter()
        .map(|(own, met)| {
            let all = recorded(&own, coverage);
            let counts = if all.records >= SCALED_LEAST_RECORDS { all } else { met };
            let habit = counts.habit(own.1);
            (own, habit)
        })
        .collect();
    for contact in contacts {
        let Some(n) = interval(contact) else { continue };
        let habit = habits.get(&(contact.exporter.clone(), n)).copied().unwrap_or(Habit::Plain);
        for side in [&mut contact.out, &mut contact.back] {
            if habit == Habit::Multiplied {
                side.packets = side.packets.div_ceil(n);
                side.most_packets = side.most_packets.div_ceil(n);
                side.octets /= n;
            }
            if habit != Habit::Plain {
                side.least_octets /= n;
            }
        }
    }
}

/// What an exporter recorded at one interval.
fn recorded((exporter, n): &Sampled, coverage: &[ExporterCoverage]) -> Counts {
    let own = coverage.iter().filter(|own| own.exporter == *exporter).flat_map(|own| &own.hours);
    own.filter(|hour| hour.interval.map(u64::from) == Some(*n)).fold(Counts::default(), |sum, hour| Counts {
        records: sum.records + hour.flows,
        multiples: sum.multiples + hour.multiples,
    })
}

#[cfg(test)]
mod tests {
    use rahdar_model::store::{End, Sighting};
    use rahdar_model::{FlowStore, Quality, Window};
    use rahdar_testkit::builder::FlowBuilder;
    use rahdar_testkit::{NaiveStore, flow, time};

    use super::*;

    const NOON: &str = "2021-08-15T12:00:00Z";

    /// A contact at noon by a clock that was so much ahead when it was exported.
    fn exported(exporter: &str, ahead_ms: i64) -> Contact {
        let mut record = flow("203.0.113.25:50000 > 192.0.2.9:443").at(NOON).exporter(exporter).build();
        record.received_time = Some(time("2021-08-15T12:02:00Z"));
        record.export_time = record.received_time.map(|time| time.plus_micros(ahead_ms * 1_000));
        Contact::of(&Sighting { end: End::Destination, flow: record })
    }

    /// By how many milliseconds contacts with such clocks are moved.
    #[track_caller]
    fn check_clock(ahead_ms: &[i64], moved_ms: i64) {
        let mut contacts: Vec<Contact> = ahead_ms.iter().map(|ms| exported("a", *ms)).collect();
        contacts.push(exported("right", 0));
        mend(&mut contacts, &[]);
        let moved = |contact: &Contact| contact.start.since(time(NOON)) / 1_000;
        let (right, off) = contacts.split_last().unwrap();
        assert!(off.iter().all(|contact| moved(contact) == moved_ms), "{off:?}");
        assert_eq!(moved(right), 0, "another exporter has another clock");
    }

    #[test]
    fn an_exporters_clock_is_set_by_what_arrived() {
        check_clock(&[40_000, 40_020, 39_990], -40_000);
        check_clock(&[-8_000], 8_000);
        check_clock(&[40_000, 40_000, 90_000], -40_000);
    }

    #[test]
    fn a_clock_that_is_right_or_no_clock_is_left_alone() {
        check_clock(&[1_900, -100], 0);
        check_clock(&[40_000, 90_000, 140_000], 0);
        check_clock(&[-3_600_000], 0);
        check_clock(&[i64::MIN / 1_000, i64::MAX / 1_000], 0);
    }

    fn sampled(packets: u64, interval: u32) -> FlowBuilder {
        flow("203.0.113.25:50000 > 192.0.2.9:443").sampled(interval).sent(packets, packets * 1_000)
    }

    /// Packets, octets and least octets out of records of these packets, sampled one in so many. Their exporter
    /// recorded others too, of those packets.
    fn mended_among(packets: &[u64], interval: u32, others: &[u64]) -> Vec<(u64, u64, u64)> {
        let contact =
            |flow: FlowBuilder| Contact::of(&Sighting { end: End::Destination, flow: flow.build() });
        let all = packets.iter().chain(others).map(|packets| sampled(*packets, interval));
        let coverage = NaiveStore::of(all).coverage(Window::ALL).unwrap();
        let mut contacts: Vec<Contact> =
            packets.iter().map(|packets| contact(sampled(*packets, interval))).collect();
        mend(&mut contacts, if others.is_empty() { &[] } else { &coverage });
        contacts.iter().map(|c| (c.out.packets, c.out.octets, c.out.least_octets)).collect()
    }

    /// The same of an exporter that recorded nothing else.
    fn mended(packets: &[u64], interval: u32) -> Vec<(u64, u64, u64)> {
        mended_among(packets, interval, &[])
    }

    #[test]
    fn counters_that_are_all_multiples_of_the_interval_were_multiplied() {
        assert_eq!(mended(&[300; 20], 100), [(3, 3_000, 3_000); 20]);
        let most = [&[100; 199][..], &[7]].concat();
        assert_eq!(mended(&most, 100)[198..], [(1, 1_000, 1_000), (1, 70, 70)]);
    }

    #[test]
    fn counters_that_happen_to_be_multiples_are_left_alone() {
        let some = [&[100; 98][..], &[7, 7]].concat();
        assert_eq!(mended(&some, 100)[0], (100, 100_000, 100_000));
        assert_eq!(mended(&[1; 40], 100), [(1, 1_000, 1_000); 40]);
    }

    #[test]
    fn of_a_small_interval_the_lower_bound_takes_the_worse() {
        assert_eq!(
            mended(&[2; 40], 2),
            [(2, 2_000, 1_000); 40],
            "small counts are even, and may be multiplied"
        );
        assert_eq!(mended(&[[2; 39].as_slice(), &[1]].concat(), 2)[0], (2, 2_000, 2_000));
    }

    #[test]
    fn all_that_an_exporter_recorded_tells_its_habit() {
        assert_eq!(mended_among(&[300], 100, &[700; 19]), [(3, 3_000, 3_000)]);
        assert_eq!(mended_among(&[300; 40], 100, &[1; 40]), [(300, 300_000, 300_000); 40]);
    }

    #[test]
    fn of_few_records_the_lower_bound_takes_the_worse_and_the_upper_too() {
        assert_eq!(mended(&[300; 19], 100), [(300, 300_000, 3_000); 19]);
        assert_eq!(mended_among(&[300], 100, &[700; 18]), [(300, 300_000, 3_000)]);
        assert_eq!(mended(&[300, 7], 100)[0], (300, 300_000, 300_000));
    }

    #[test]
    fn counters_that_were_marked_are_divided_once() {
        let marked = |_| {
            let flow = sampled(30_000, 100).marked(Quality::ALREADY_SCALED).build();
            Contact::of(&Sighting { end: End::Destination, flow })
        };
        let mut contacts: Vec<Contact> = (0..20).map(marked).collect();
        mend(&mut contacts, &[]);
        assert_eq!(contacts[0].out.packets, 300);
    }

    /// The flags that are left of records with these, each of ten packets of so many octets.
    fn flags_of(records: &[(u16, u64)]) -> Vec<Option<u16>> {
        let contact = |(flags, each): &(u16, u64)| {
            let flow = flow("203.0.113.25:50000 > 192.0.2.9:443").flags(*flags).sent(10, 10 * each);
            Contact::of(&Sighting { end: End::Destination, flow: flow.build() })
        };
        let mut contacts: Vec<Contact> = records.iter().map(contact).collect();
        mend(&mut contacts, &[]);
        contacts.iter().map(|contact| contact.out.flags).collect()
    }

    #[test]
    fn an_exporter_that_tells_no_flags_has_none() {
        assert_eq!(flags_of(&[(0, 900)]), [None]);
        let one_of_200 = [&[(0, 900); 199][..], &[(2, 60)]].concat();
        assert_eq!(flags_of(&one_of_200)[198..], [None, Some(2)]);
    }

    #[test]
    fn segments_without_flags_among_others_are_what_they_are() {
        assert_eq!(flags_of(&[(0, 40); 30]), [Some(0); 30], "probes without flags carry nothing");
        assert_eq!(flags_of(&[(0, 900), (0x1b, 900)]), [Some(0), Some(0x1b)]);
    }
}
