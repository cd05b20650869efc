//! Whether contacts have a rhythm (`methods.md` §3).
//!
//! [`Finder::assess`] is the door: it needs the times of one pair and nothing else, neither an
//! indicator nor a verdict, so that all pairs of a network may be handed to it.
//!
//! * [`series`]: which contacts are searched;
//! * [`dispersion`]: intervals more even than chance;
//! * [`periodogram`]: a schedule kept by the clock;
//! * [`phase`]: intervals that are multiples of one; also pooled over several victims;
//! * [`period`]: how long the period is, and how sure that is;
//! * [`calendar`]: whether the hours of people's days explain what was found;
//! * [`rita`]: the score of RITA, for comparison.
//!
//! No single method is best (`methods.md` §3.2; the test `the_table_of_methods` measures it again): each
//! has a p of its own, and p = 3 · min (Bonferroni). Over all pairs of a hunt the false-discovery
//! rate is held ([`crate::discovery`]).
//!
//! **Sampling.** That no rhythm was found says something only where a part of [`LEAST_SEEN`] of all
//! check-ins leaves a record; else it is *not assessable*. Below [`LEAST_TELLING`] intervals tell no
//! rhythm either: so many check-ins are missed from one contact to the next that a sleep has lost its
//! phase, and what looks even is something else. Only a schedule that is kept by the clock is looked for
//! then ([`Finder::assess_schedule`]), and told only if it agrees with how much is missed.
//!
//! **Short recordings**, of less than six hours, are searched for quicker rhythms ([`series`]). That none was
//! found says nothing there: the slow ones had no time to show.
//!
//! **Hours of the day**: what is found of contact that keeps to hours of the day must also be more than these explain
//! ([`calendar`]); else it is *not assessable*.
//!
//! **Rare contacts**, most of which are more than twelve hours apart, are not judged by any method: those of people
//! are even by the calendar. A person at nine on each workday, give or take half an hour, has a line at six hours and
//! a phase at twelve (the test `people_at_their_hours_are_called_so`).
//!
//! Clocks, updates and monitors have rhythms too: a rhythm alone is no evidence of command
//! traffic.
//!
//! ```
//! use rahdar_hunt::rhythm::Finder;
//! use rahdar_hunt::rhythm::series::Series;
//! use rahdar_model::Timestamp;
//!
//! // A sleep of 60 s ± 20 %, drawn by a rule that has no rhythm of its own.
//! let (mut at, mut state) = (0, 1_u32);
//! let starts = (0..600).map(|_| {
//!     state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
//!     at += 48 + i64::from(state >> 16) % 25;
//!     Timestamp::from_seconds(at)
//! });
//! let series = Series::of(starts).unwrap();
//! let found = Finder::new().assess(&series, b"host and server");
//! assert!((found.beat.period_s / 60.0 - 1.0).abs() < 0.02 && found.p_value <= 1e-4);
//! ```

pub mod calendar;
pub mod dispersion;
pub mod period;
pub mod periodogram;
pub mod phase;
pub mod rita;
pub mod series;

use crate::sweep::Rate;

use periodogram::Periodogram;
use phase::{MORE_SURROGATES, Phases, SURROGATES};
use series::{Series, median};

/// Methods that are asked, each a test of its own.
pub(crate) const METHODS: f64 = 3.0;
/// The method that gives the period has a p of its own at this or below.
const TELLING: f64 = 0.05;
/// Below this, more surrogates would change nothing that is said ([`crate::evidence::rhythm`]).
const BEYOND_DOUBT: f64 = 1e-4;

/// Packets of a check-in, both ways. Measured for the methods: 10–20 (`methods.md` §3.2).
pub const CHECK_IN_PACKETS: i32 = 15;
/// The share of check-ins that must leave a record before silence says anything. With half of
/// them lost sleeps of any jitter are still found, with nine in ten those of 25 % in 95 of 100
/// cases and those of 50 % in 1 (measured by the test `the_table_of_methods`); chosen between.
pub const LEAST_SEEN: f64 = 0.2;
/// The share of check-ins that must leave a record before their intervals tell a period. With nine in
/// ten lost sleeps are found, and with their own period; with 98 in 100 none is (`methods.md` §3.2,
/// measured again by `the_table_of_methods`). In the scenario, where three in a hundred are seen, periods
/// were told in half of the cases, nearly all within 2 % of the true one; but once 300 s as 662 s.
pub const LEAST_TELLING: f64 = 0.1;

/// How far the ends of [`Beat::within_s`] are from the middle at most where a period is told, as a part of it. Chosen
/// here: their level is 99 %, so that nine in ten are within the 2 % of `methods.md` §3.5.
pub const MOST_OFF: f64 = 0.03;

/// Searches for rhythms. Holds what is planned once.
#[derive(Default)]
pub struct Finder {
    phases: Phases,
    periodogram: Periodogram,
}

/// What was found in one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assessment {
    /// The chance of contacts as regular as these without a rhythm, of this series alone.
    pub p_value: f64,
    /// Whether a method could tell no lower chance: with more surrogates it might be lower.
    pub is_least: bool,
    /// Whether p is that of the hours of the day, which explain the rhythm better than chance does ([`calendar`]).
    pub is_daily: bool,
    /// The best rhythm, for what it is worth.
    pub beat: Beat,
}

/// A rhythm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beat {
    /// Which method tells it.
    pub method: Method,
    /// The likeliest, in seconds. Not to be told by itself: [`Beat::told_s`].
    pub period_s: f64,
    /// The periods that could be meant, in seconds: from, to. Of a schedule that is kept by the clock, the period.
    pub within_s: (f64, f64),
    /// 0–1: the mean cosine of the intervals, the length of the mean phase vector, or 1 − CV, by
    /// method.
    pub score: f64,
    /// The median distance of an interval from a whole number of periods, as a part of one.
    pub jitter: f64,
    /// The part of check-ins that was seen: by [`period`], of a schedule by the median number of periods between two.
    pub seen: f64,
}

/// Who tells a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// [`phase`].
    Phase,
    /// [`phase`], over several victims of one server.
    Fleet,
    /// [`periodogram`].
    Periodogram,
    /// [`dispersion`].
    Dispersion,
}

impl Method {
    /// A word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Phase => "phase of intervals",
            Self::Fleet => "phase of intervals, all hosts together",
            Self::Periodogram => "periodogram",
            Self::Dispersion => "even intervals",
        }
    }
}

impl Finder {
    /// Plans the transform and makes the tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks for a rhythm in one series. `id` names it, so that the same question gets the same
    /// surrogates.
    pub fn assess(&mut self, series: &Series, id: &[u8]) -> Assessment {
        self.assess_by(series, MORE_SURROGATES, id)
    }

    /// The same with up to `most` surrogates.
    pub(crate) fn assess_by(&mut self, series: &Series, most: usize, id: &[u8]) -> Assessment {
        let (intervals, slowed) = (series.intervals(), series.slowed());
        let even = dispersion::p_value(&slowed);
        let line = self.periodogram.search(series, None);
        if series.is_rare() {
            let beat = Beat::new(Method::Periodogram, line.period_s, line.strength, &[&intervals]);
            return Assessment { p_value: 1.0, is_least: false, is_daily: false, beat };
        }
        let least = even.unwrap_or(1.0).min(line.p_value);
        let is_sure = METHODS * least <= BEYOND_DOUBT && most == MORE_SURROGATES;
        let enough = if is_sure { SURROGATES } else { most };
        let found = phase::search(&self.phases, &[&slowed], enough, id);
        let least = least.min(found.map_or(1.0, |found| found.p_value));
        let (method, period_s, score) = match (found, even) {
            (Some(found), _) if METHODS * found.p_value <= TELLING => {
                (Method::Phase, found.period_s / series.pace(), found.strength)
            }
            (_, Some(p_value)) if METHODS * p_value <= TELLING && p_value < line.p_value => {
                let mut sorted = intervals.clone();
                sorted.sort_unstable_by(f64::total_cmp);
                (Method::Dispersion, median(&sorted), 1.0 - dispersion::cv(&intervals))
            }
            _ => (Method::Periodogram, line.period_s, line.strength),
        };
        let is_least = found.is_some_and(|found| found.is_least) || even == Some(dispersion::COLUMNS[0]);
        let beat = Beat::new(method, period_s, score, &[&intervals]);
        let own = Assessment { p_value: (METHODS * least).min(1.0), is_least, is_daily: false, beat };
        own.unless_daily(&self.phases, &[series], (METHODS, most), id).timed(&slowed, series.pace())
    }

    /// Looks for a schedule alone, where too little is seen for intervals to tell anything. `seen` is the
    /// share of check-ins that leave a record, if it is known: a schedule must agree with it. It must be more than the hours
    /// of the day explain, too, with up to `most` orders of the days; `id` names the question.
    pub fn assess_schedule(
        &mut self,
        series: &Series,
        seen: Option<f64>,
        most: usize,
        id: &[u8],
    ) -> Assessment {
        let line = self.periodogram.search(series, seen);
        let beat = Beat::new(Method::Periodogram, line.period_s, line.strength, &[&series.intervals()]);
        let own = Assessment { p_value: line.p_value, is_least: false, is_daily: false, beat };
        own.unless_daily(&self.phases, &[series], (1.0, most), id)
    }

    /// Looks for a rhythm that several victims of one server share (`methods.md` §3.4), with up to `most`
    /// surrogates.
    pub fn assess_fleet(&mut self, victims: &[Series], most: usize, id: &[u8]) -> Option<Assessment> {
        let intervals: Vec<Vec<f64>> = victims.iter().map(Series::intervals).collect();
        let intervals: Vec<&[f64]> = intervals.iter().map(Vec::as_slice).collect();
        let found = phase::search(&self.phases, &intervals, most, id)?;
        let beat = Beat::new(Method::Fleet, found.period_s, found.strength, &intervals);
        let own = Assessment { p_value: found.p_value, is_least: found.is_least, is_daily: false, beat };
        let members: Vec<&Series> = victims.iter().filter(|series| !series.is_rare()).collect();
        let own = own.unless_daily(&self.phases, &members, (1.0, most), id);
        Some(own.timed(&intervals.concat(), 1.0))
    }
}

impl Assessment {
    /// The same with its likeliest period, where a rhythm of intervals is held. p stays as it is.
    fn timed(self, slowed: &[f64], pace: f64) -> Self {
        let Beat { method, period_s, score, .. } = self.beat;
        if self.p_value > TELLING || method == Method::Periodogram {
            return self;
        }
        let Some(told) = period::told(slowed, period_s * pace) else { return self };
        let beat = Beat::new(method, told.period_s, score, &[slowed]);
        let within_s = (told.within_s.0 / pace, told.within_s.1 / pace);
        Self { beat: Beat { period_s: told.period_s / pace, within_s, seen: told.seen, ..beat }, ..self }
    }

    /// The same, its p no smaller than what the hours of the day leave of it, where people could be meant: from up to `most`
    /// orders of the days, and so many `tests` that it may come from.
    fn unless_daily(
        self,
        phases: &Phases,
        clients: &[&Series],
        (tests, most): (f64, usize),
        id: &[u8],
    ) -> Self {
        let Beat { method, period_s, jitter, .. } = self.beat;
        let times: Vec<&[f64]> = clients.iter().map(|series| series.times_s()).collect();
        let may_explain = |times: &&[f64]| calendar::may_explain(times, jitter * period_s);
        if self.p_value > TELLING || !times.iter().any(may_explain) {
            return self;
        }
        let intervals = |times: &Vec<f64>| times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mut statistic = |clients: &[Vec<f64>]| match method {
            Method::Phase | Method::Fleet => {
                phase::top(phases, &clients.iter().map(intervals).collect::<Vec<Vec<f64>>>())
            }
            Method::Periodogram => clients.iter().map(|times| periodogram::power_at(times, period_s)).sum(),
            Method::Dispersion => -clients.iter().map(|times| dispersion::cv(&intervals(times))).sum::<f64>(),
        };
        let (by_days, is_least) = calendar::p_value(&times, most, id, &mut statistic);
        let by_days = (tests * by_days).min(1.0);
        match by_days > self.p_value {
            true => Self { p_value: by_days, is_least, is_daily: true, ..self },
            false => self,
        }
    }
}

impl Beat {
    /// The period, in seconds, where it is known within [`MOST_OFF`].
    pub fn told_s(&self) -> Option<f64> {
        let (from, to) = self.within_s;
        ((to - from) / 2.0 <= MOST_OFF * self.period_s).then_some(self.period_s)
    }

    fn new(method: Method, period_s: f64, score: f64, clients: &[&[f64]]) -> Self {
        let cycles = phase::cycles(clients, period_s);
        let mut off: Vec<f64> =
            cycles.iter().map(|(k, d)| (d - f64::from(*k) * period_s).abs() / period_s).collect();
        off.sort_unstable_by(f64::total_cmp);
        let mut between: Vec<f64> = cycles.iter().map(|(k, _)| f64::from(*k)).collect();
        between.sort_unstable_by(f64::total_cmp);
        let seen = if between.is_empty() { 0.0 } else { 1.0 / median(&between) };
        let (within_s, score) = ((period_s, period_s), score.clamp(0.0, 1.0));
        Self { method, period_s, within_s, score, jitter: median(&off), seen }
    }
}

/// The share of check-ins that leave a record where exporters look at these rates, each at its
/// own: 1 − Π (1 − 1/N)^[`CHECK_IN_PACKETS`]. A rate that nobody knows leaves nothing that could
/// be said of what is missing.
///
/// ```
/// use rahdar_hunt::rhythm::seen;
/// use rahdar_hunt::sweep::Rate;
///
/// assert_eq!(seen([Rate::Every]), 1.0);
/// assert!((seen([Rate::OneIn(1_000)]) - 0.0149).abs() < 1e-4);
/// assert_eq!(seen([Rate::Unknown]), 0.0);
/// ```
pub fn seen(rates: impl IntoIterator<Item = Rate>) -> f64 {
    let missed = |rate| match rate {
        Rate::Every => 0.0,
        Rate::OneIn(interval) => (1.0 - 1.0 / f64::from(interval.max(1))).powi(CHECK_IN_PACKETS),
        Rate::Unknown => 1.0,
    };
    1.0 - rates.into_iter().map(missed).product::<f64>()
}
