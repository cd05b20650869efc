//! When an exporter did not record, though it should have (`methods.md` §1.4; `field.md` §3, 18).
//!
//! A *silence* is a run of whole hours in which no record of an exporter was active. It is a hole where either
//!
//! * something that the exporter sent of it is known to be missing, so that all of it was lost; or
//! * Σ u ≥ [`USUAL_FLOWS`] over its hours, where u is what three in four comparable hours reach, in flow
//!   records that begin: a night without records is no hole where nights are quiet.
//!
//! Comparable are the same hours of other weeks; where there are fewer than [`LEAST_COMPARABLE`] of them, the
//! same hours of other days; where there are fewer of these too, all other hours. "Other" leaves out the
//! silence itself.
//!
//! Assumes that an exporter has habits of a week, and is up for three weeks in four. Were records to come by
//! chance at the rate u, a hole would be one in e²⁰ silences. Wrong for a day that is quieter than its kind, a
//! holiday for example: it is taken for a hole, and dates beside it for *at least*, which is never false. A silence
//! of an exporter that records little is no hole, for nothing tells it from its other silences.
//!
//! ```
//! use rahdar_hunt::holes::holes;
//! use rahdar_model::{FlowStore, Window};
//! use rahdar_testkit::{NaiveStore, flow, time, window};
//!
//! // Ten flows an hour for three days, but for two hours of the second.
//! let begin = time("2021-08-15");
//! let hours = (0..72).filter(|hour| ![30, 31].contains(hour));
//! let flows = hours.flat_map(|hour| {
//!     (0..10).map(move |n| {
//!         flow("192.0.2.1:1 > 192.0.2.2:2").at_time(begin.plus_micros((hour * 60 + n) * 60_000_000))
//!     })
//! });
//! let coverage = NaiveStore::of(flows).coverage(Window::ALL).unwrap();
//! let holes = holes(&coverage[0]);
//! assert_eq!(holes[0].window, window("2021-08-16T06:00:00Z", "2021-08-16T08:00:00Z"));
//! assert_eq!(holes[0].usual_flows, 20);
//! ```

use std::collections::BTreeMap;

use rahdar_model::coverage::{ExporterCoverage, Lost};
use rahdar_model::sight::Hole;
use rahdar_model::time::HOUR_US;
use rahdar_model::{Timestamp, Window};

use crate::watch::under_way;

/// Flow records that an exporter would usually have begun in a silence that is a hole. Chosen here: by chance
/// one silence in e²⁰ is as empty, fewer than any exporter has.
pub const USUAL_FLOWS: u64 = 20;
/// Comparable hours from which on there is a habit. Chosen here: a month of weeks.
pub const LEAST_COMPARABLE: u64 = 4;

const HOURS_OF_A_WEEK: i64 = 7 * 24;
const HOURS_OF_A_DAY: i64 = 24;

/// What an exporter could see, and when it did not.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger<'a> {
    /// As the store tells it.
    pub coverage: &'a ExporterCoverage,
    /// Its holes, in order.
    pub holes: Vec<Hole>,
}

/// The ledgers of a hunt, in the order of their coverage.
pub fn ledgers(coverage: &[ExporterCoverage]) -> Vec<Ledger<'_>> {
    coverage.iter().map(|coverage| Ledger { coverage, holes: holes(coverage) }).collect()
}

impl Ledger<'_> {
    /// When it recorded, in order.
    pub fn spans(&self) -> impl Iterator<Item = Window> {
        let begins =
            std::iter::once(self.coverage.window.from).chain(self.holes.iter().map(|h| h.window.until));
        let ends = self.holes.iter().map(|h| h.window.from).chain([self.coverage.window.until]);
        begins.zip(ends).map(|(from, until)| Window::new(from, until))
    }
}

/// The holes of one exporter, in order.
pub fn holes(coverage: &ExporterCoverage) -> Vec<Hole> {
    if coverage.silent.is_empty() {
        return Vec::new();
    }
    let habits = [HOURS_OF_A_WEEK, HOURS_OF_A_DAY, 1].map(|period| Habit::of(coverage, period));
    let hole = |silent: &Window| {
        let usual_flows = usual(&habits, *silent);
        let mut lost: BTreeMap<_, u64> = BTreeMap::new();
        let losses = coverage.losses.iter().map(|(window, loss)| (under_way(*window), loss));
        let meanwhile = losses.take_while(|(window, _)| window.from < silent.until);
        for (_, loss) in meanwhile.filter(|(window, _)| silent.from < window.until) {
            let sum = lost.entry((loss.cause, loss.unit)).or_default();
            *sum = sum.saturating_add(loss.count);
        }
        let lost: Vec<Lost> =
            lost.into_iter().map(|((cause, unit), count)| Lost { cause, unit, count }).collect();
        (usual_flows >= USUAL_FLOWS || !lost.is_empty()).then(|| Hole {
            window: *silent,
            exporter: coverage.exporter.clone(),
            observation_domain: coverage.observation_domain,
            usual_flows,
            lost,
        })
    };
    coverage.silent.iter().filter_map(hole).collect()
}

/// How many flow records begin in each hour of a period.
struct Habit {
    /// In hours.
    period: i64,
    /// The hours that were looked at: from the first to before the last, in hours since the epoch.
    first: i64,
    last: i64,
    /// Counts above 0, sorted, by the place in the period.
    counts: BTreeMap<i64, Vec<u64>>,
}

impl Habit {
    fn of(coverage: &ExporterCoverage, period: i64) -> Self {
        let window = coverage.window;
        let mut sums: BTreeMap<i64, u64> = BTreeMap::new();
        for hour in &coverage.hours {
            let sum = sums.entry(number(hour.hour)).or_default();
            *sum = sum.saturating_add(hour.flows);
        }
        let (first, last) = (number(window.from), number(window.until).saturating_add(1));
        let mut counts: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
        for (hour, sum) in sums.into_iter().filter(|(hour, _)| (first..last).contains(hour)) {
            counts.entry(hour.rem_euclid(period)).or_default().push(sum);
        }
        counts.values_mut().for_each(|counts| counts.sort_unstable());
        Self { period, first, last, counts }
    }

    /// How many hours from `first` to before `last` stand at this place of the period.
    fn hours_at(&self, place: i64, (first, last): (i64, i64)) -> u64 {
        let before = |end: i64| end.saturating_sub(place + 1).div_euclid(self.period).saturating_add(1);
        before(last).saturating_sub(before(first)).max(0).unsigned_abs()
    }

    /// What three in four hours at this place reach, without those of the silence; none where they are too few.
    fn usual(&self, place: i64, silence: (i64, i64)) -> Option<u64> {
        let place = place.rem_euclid(self.period);
        let all = self.hours_at(place, (self.first, self.last));
        let comparable = all.saturating_sub(self.hours_at(place, silence));
        if comparable < LEAST_COMPARABLE {
            return None;
        }
        let counts = self.counts.get(&place).map_or(&[][..], Vec::as_slice);
        let zeros = comparable.saturating_sub(counts.len() as u64);
        let rank = (comparable / 4).checked_sub(zeros);
        Some(rank.and_then(|rank| counts.get(rank as usize)).copied().unwrap_or(0))
    }
}

/// What an exporter with these habits, the narrowest first, would usually have begun in a silence.
fn usual(habits: &[Habit; 3], silent: Window) -> u64 {
    let silence @ (first, last) = (number(silent.from), number(silent.until));
    let places = first..last.min(first.saturating_add(HOURS_OF_A_WEEK));
    let each = places.map(|hour| {
        let usual = habits.iter().find_map(|habit| habit.usual(hour, silence)).unwrap_or(0);
        let weeks = habits[0].hours_at(hour.rem_euclid(HOURS_OF_A_WEEK), silence);
        usual.saturating_mul(weeks)
    });
    each.fold(0, u64::saturating_add)
}

/// The hour of a time, counted from the epoch.
fn number(time: Timestamp) -> i64 {
    time.micros().div_euclid(HOUR_US)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rahdar_model::FlowStore;
    use rahdar_model::coverage::RecordedHour;
    use rahdar_model::fact::{Loss, Unit};
    use rahdar_testkit::{NaiveStore, flow};

    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_micros(hour * HOUR_US)
    }

    /// An exporter that begins so many flows in each hour, from a Thursday on.
    fn exporter(hours: i64, flows: impl Fn(i64) -> u64) -> ExporterCoverage {
        let flow = flow("192.0.2.1:1 > 192.0.2.2:2").at_time(at(0)).build();
        let mut coverage = NaiveStore::of([flow]).coverage(Window::ALL).unwrap().remove(0);
        let recorded =
            |hour| RecordedHour { hour: at(hour), interval: Some(1), flows: flows(hour), multiples: 0 };
        coverage.hours = (0..hours).map(recorded).filter(|hour| hour.flows > 0).collect();
        coverage.window = Window::new(at(0), at(hours).plus_micros(-1));
        coverage.silent = rahdar_model::coverage::joined(
            (0..hours).filter(|hour| flows(*hour) == 0).map(|hour| Window::new(at(hour), at(hour + 1))),
        );
        coverage
    }

    #[track_caller]
    fn check(coverage: &ExporterCoverage, expected: &[(i64, i64, u64)]) {
        let hour = |time: Timestamp| time.micros() / HOUR_US;
        let found = holes(coverage);
        let told: Vec<(i64, i64, u64)> =
            found.iter().map(|h| (hour(h.window.from), hour(h.window.until), h.usual_flows)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn an_exporter_that_is_never_silent_has_a_hole_in_any_silent_hour() {
        check(&exporter(24 * 70, |hour| if hour == 500 { 0 } else { 40 }), &[(500, 501, 40)]);
        check(&exporter(24, |hour| if hour == 7 { 0 } else { 40 }), &[(7, 8, 40)]);
    }

    #[test]
    fn quiet_nights_and_weekends_are_no_holes() {
        let office = |hour: i64| match (hour / 24 % 7, hour % 24) {
            (2 | 3, _) | (_, ..7 | 19..) => 0,
            _ => 50,
        };
        check(&exporter(24 * 70, office), &[]);
        check(&exporter(24 * 70, |hour| if hour / 24 == 35 { 0 } else { office(hour) }), &[(835, 871, 600)]);
    }

    #[test]
    fn a_silence_of_weeks_is_not_its_own_habit() {
        let down = 24 * 21..24 * 42;
        check(&exporter(24 * 70, |hour| u64::from(!down.contains(&hour))), &[(504, 1_008, 504)]);
    }

    #[test]
    fn who_records_little_is_silent_by_chance() {
        check(&exporter(24 * 70, |hour| u64::from(hour % 7 == 0)), &[]);
        check(&exporter(24 * 70, |hour| if (100..119).contains(&hour) { 0 } else { 1 }), &[]);
    }

    #[test]
    fn where_all_was_lost_the_count_of_the_loss_tells() {
        let mut lossy = exporter(24 * 70, |hour| u64::from(hour % 7 == 0));
        let lost = Lost { cause: Loss::Sequence, unit: Unit::Datagrams, count: 9 };
        lossy.losses = vec![(Window::new(at(15), at(18)), lost), (Window::new(at(16), at(17)), lost)];
        assert_eq!(holes(&lossy)[0].lost, [Lost { count: 18, ..lost }]);
        check(&lossy, &[(15, 21, 0)]);
    }

    #[test]
    fn a_clock_of_any_size_is_survived() {
        let mut coverage = exporter(24 * 70, |hour| if hour == 500 { 0 } else { 40 });
        coverage.window = Window::ALL;
        coverage.silent = vec![Window::ALL];
        assert!(holes(&coverage).is_empty(), "all hours are silent, and none is comparable");
    }

    proptest! {
        /// Place by place, as counting hour by hour gives it.
        #[test]
        fn hours_are_counted_as_one_by_one(
            first in -500_i64..500, length in 0_i64..600, place in 0_i64..HOURS_OF_A_WEEK,
        ) {
            let habit = Habit { period: HOURS_OF_A_WEEK, first: 0, last: 0, counts: BTreeMap::new() };
            let counted = (first..first + length).filter(|hour| hour.rem_euclid(HOURS_OF_A_WEEK) == place).count();
            prop_assert_eq!(habit.hours_at(place, (first, first + length)), counted as u64);
        }
    }
}
