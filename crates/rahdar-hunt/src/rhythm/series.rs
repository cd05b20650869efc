//! When contacts began: the times that are searched for a rhythm (`methods.md` §3.3, step 0).
//!
//! Calls closer than [`MERGE_S`] are one: a browser's parallel connections have no rhythm of
//! their own. Of a long history the busiest [`WEEK_S`] is searched, or where even that has fewer
//! than [`BUSY`] contacts and a month has more, the busiest [`MONTH_S`]. The window is chosen by counts alone, never
//! by rhythm, so that no test is made twice.
//!
//! **A recording of less than [`LEAST_SPAN_S`]** is searched as if it had run [`PACE`] times slower: for
//! periods from a second on, calls closer than a tenth of one being the same, if it has
//! [`LEAST_SHORT`] contacts over [`LEAST_SHORT_SPAN_S`] or more. So many make as many periods, whichever is
//! found. Clocks that stamp whole seconds would be a rhythm themselves: with those, from ten seconds on, and
//! each contact at a place within its second that is drawn by chance.
//!
//! Wrong where a rhythm was kept for a few hours of a long history alone, or contact is rarer than
//! eight times a month.
//!
//! ```
//! use rahdar_hunt::rhythm::series::Series;
//! use rahdar_model::Timestamp;
//!
//! let hourly = (0..48).map(|hour| Timestamp::from_seconds(hour * 3_600));
//! let series = Series::of(hourly).unwrap();
//! assert_eq!((series.len(), series.intervals()[0]), (48, 3_600.0));
//! ```

use rahdar_model::Timestamp;
use rahdar_model::time::SECOND_US;
use thiserror::Error;

use crate::chance::Chance;

/// The shortest period that is looked for, in seconds. Chosen here: quicker check-ins are a
/// session that is held open.
pub const SHORTEST_S: f64 = 30.0;
/// Contacts closer than this are one, in seconds: a tenth of the shortest period.
pub const MERGE_S: f64 = SHORTEST_S / 10.0;
/// Contacts without which nothing can be said (`methods.md` §3.3).
pub const LEAST_CONTACTS: usize = 8;
/// A shorter span is a short recording, in seconds: six hours (`methods.md` §3.3).
pub const LEAST_SPAN_S: f64 = 6.0 * 3_600.0;
/// How many times faster than others a short recording is searched. Chosen here: the tools that wait
/// between two tries to connect wait a second or more.
pub const PACE: f64 = 30.0;
/// The same where all stamps are whole seconds: a period of ten of them is little blurred.
pub const COARSE_PACE: f64 = 3.0;
/// Contacts without which a short recording says nothing. Chosen here: below, chance alone makes even
/// intervals too often for the hundreds of pairs of a network.
pub const LEAST_SHORT: usize = 20;
/// The shortest span that says anything, in seconds. Chosen here: longer than TCP tries to connect (127 s
/// by default in Linux), so that one call that fails is no rhythm.
pub const LEAST_SHORT_SPAN_S: f64 = 180.0;
/// What is searched, in seconds.
pub const WEEK_S: f64 = 7.0 * 86_400.0;
/// What is searched where a week holds little, in seconds.
pub const MONTH_S: f64 = 30.0 * 86_400.0;
/// Contacts that make a week enough. Chosen here: the powers of `methods.md` §3.2 were measured
/// on 40 contacts and more.
pub const BUSY: usize = 64;

/// Contacts inside one window, in order, no two closer than [`MERGE_S`].
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Seconds since the first.
    times_s: Vec<f64>,
    first: Timestamp,
    window_s: f64,
    /// Whether other contacts lie outside the window.
    is_part: bool,
    pace: f64,
}

/// Why there is nothing to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TooLittle {
    /// Fewer than [`LEAST_CONTACTS`].
    #[error("{0} contacts at most within 30 days; {least} are needed", least = LEAST_CONTACTS)]
    Contacts(usize),
    /// Shorter than [`LEAST_SPAN_S`], and too little for that.
    #[error("all contacts lie within six hours; {LEAST_SHORT} over three minutes are needed then")]
    Span,
}

impl Series {
    /// The contacts that began at these times, in any order.
    ///
    /// # Errors
    /// [`TooLittle`] says what is missing.
    pub fn of(starts: impl IntoIterator<Item = Timestamp>) -> Result<Self, TooLittle> {
        let mut starts: Vec<Timestamp> = starts.into_iter().collect();
        starts.sort_unstable();
        let calls = apart(&starts, MERGE_S);
        let week = busiest(&calls, WEEK_S);
        let month = busiest(&calls, MONTH_S);
        // A longer window that holds no more would only blur what the week shows.
        let is_week_enough = week.len() >= BUSY || week.len() == month.len();
        let (times, window_s) = if is_week_enough { (week, WEEK_S) } else { (month, MONTH_S) };
        let is_part = times.len() < calls.len();
        let [first, .., last] = times else { return Err(TooLittle::Contacts(times.len())) };
        if seconds(*first, *last) < LEAST_SPAN_S {
            let inside = starts.iter().filter(|start| (first..=last).contains(start)).copied();
            let short = Self::short(&inside.collect::<Vec<_>>(), is_part);
            let is_few = times.len() < LEAST_CONTACTS;
            return short.ok_or(if is_few { TooLittle::Contacts(times.len()) } else { TooLittle::Span });
        }
        if times.len() < LEAST_CONTACTS {
            return Err(TooLittle::Contacts(times.len()));
        }
        Ok(Self::new(times, window_s, is_part, 1.0))
    }

    /// A short recording, if it has enough.
    fn short(starts: &[Timestamp], is_part: bool) -> Option<Self> {
        let is_coarse = starts.iter().all(|start| start.micros() % SECOND_US == 0);
        let pace = if is_coarse { COARSE_PACE } else { PACE };
        let times = apart(starts, MERGE_S / pace);
        let span_s = seconds(*times.first()?, *times.last()?);
        if times.len() < LEAST_SHORT || span_s < LEAST_SHORT_SPAN_S {
            return None;
        }
        let mut series = Self::new(&times, LEAST_SPAN_S, is_part, pace);
        if is_coarse {
            let mut chance = Chance::of("part of a second", &[&times[0].micros().to_le_bytes()]);
            series.times_s.iter_mut().for_each(|time| *time += chance.below(1_000) as f64 / 1e3);
        }
        Some(series)
    }

    /// Of two times at least.
    fn new(times: &[Timestamp], window_s: f64, is_part: bool, pace: f64) -> Self {
        let first = times[0];
        let times_s = times.iter().map(|time| seconds(first, *time)).collect();
        Self { times_s, first, window_s, is_part, pace }
    }

    /// How many contacts: [`LEAST_CONTACTS`] at least.
    pub fn len(&self) -> usize {
        self.times_s.len()
    }

    /// Never: there are [`LEAST_CONTACTS`] at least.
    pub fn is_empty(&self) -> bool {
        self.times_s.is_empty()
    }

    /// Seconds since the first contact, in order.
    pub fn times_s(&self) -> &[f64] {
        &self.times_s
    }

    /// What is searched, in words: `168 contacts of the busiest week`, `20 contacts` if there are no others.
    pub fn searched(&self) -> String {
        let of = match (self.is_part, self.window_s) {
            (false, _) => "",
            (true, LEAST_SPAN_S) => " of the busiest six hours",
            (true, WEEK_S) => " of the busiest week",
            (true, _) => " of the busiest 30 days",
        };
        format!("{} contacts{of}", self.len())
    }

    /// Whether contacts come so rarely that no method judges them ([`is_rare`](super::phase::is_rare)).
    pub fn is_rare(&self) -> bool {
        super::phase::is_rare(&self.slowed())
    }

    /// Seconds from each contact to the next.
    pub fn intervals(&self) -> Vec<f64> {
        self.times_s.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// The same as if it had run [`pace`](Self::pace) times slower, which is how they are searched.
    pub(crate) fn slowed(&self) -> Vec<f64> {
        self.intervals().into_iter().map(|interval| interval * self.pace).collect()
    }

    /// The window that was searched, in seconds: [`WEEK_S`] or [`MONTH_S`], [`LEAST_SPAN_S`] of a short
    /// recording.
    pub fn window_s(&self) -> f64 {
        self.window_s
    }

    /// 1; [`PACE`] or [`COARSE_PACE`] of a short recording. The shortest period searched for is
    /// [`SHORTEST_S`] over this.
    pub fn pace(&self) -> f64 {
        self.pace
    }

    /// Whether all contacts lie within [`LEAST_SPAN_S`]: silence then says nothing of slower rhythms.
    pub fn is_short(&self) -> bool {
        self.pace > 1.0
    }

    /// The first contact in it.
    pub fn first(&self) -> Timestamp {
        self.first
    }

    /// The last contact in it.
    pub fn last(&self) -> Timestamp {
        let span_s = self.times_s.last().copied().unwrap_or(0.0);
        self.first.plus_micros((span_s * SECOND_US as f64) as i64)
    }
}

/// Those no closer to the last one than so many seconds.
fn apart(sorted: &[Timestamp], least_s: f64) -> Vec<Timestamp> {
    let mut kept: Vec<Timestamp> = Vec::new();
    for start in sorted {
        if kept.last().is_none_or(|last| seconds(*last, *start) >= least_s) {
            kept.push(*start);
        }
    }
    kept
}

/// The run within `span_s` that holds most; of equals the first.
fn busiest(sorted: &[Timestamp], span_s: f64) -> &[Timestamp] {
    let mut best = 0..0;
    let mut from = 0;
    for to in 0..sorted.len() {
        while seconds(sorted[from], sorted[to]) >= span_s {
            from += 1;
        }
        if to + 1 - from > best.len() {
            best = from..to + 1;
        }
    }
    &sorted[best]
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.since(from) as f64 / SECOND_US as f64
}

/// The median of sorted numbers; 0 of none.
pub(super) fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: impl IntoIterator<Item = i64>) -> Result<Series, TooLittle> {
        Series::of(seconds.into_iter().map(Timestamp::from_seconds))
    }

    #[test]
    fn too_little_is_told_with_what_is_missing() {
        assert_eq!(at(0..0), Err(TooLittle::Contacts(0)));
        assert_eq!(at((0..7).map(|day| day * 86_400)), Err(TooLittle::Contacts(7)));
        assert_eq!(at((0..19).map(|n| n * 60)), Err(TooLittle::Span));
        assert_eq!(at((0..40).map(|n| n * 4)), Err(TooLittle::Span));
        assert!(at((0..8).map(|day| day * 86_400)).is_ok());
    }

    #[test]
    fn calls_at_once_are_one_contact() {
        let pairs = (0..20).flat_map(|hour| [hour * 3_600, hour * 3_600 + 2]);
        assert_eq!(at(pairs).unwrap().len(), 20);
    }

    #[test]
    fn a_short_recording_is_searched_for_quicker_rhythms() {
        let whole = at((0..20).map(|n| n * 60)).unwrap();
        assert_eq!((whole.is_short(), whole.pace(), whole.window_s()), (true, COARSE_PACE, LEAST_SPAN_S));
        let tries = (0..77).map(|n| Timestamp::from_micros(n * 3_500_001));
        let series = Series::of(tries).unwrap();
        assert_eq!((series.len(), series.pace()), (77, PACE));
        assert!(!at((0..20).map(|hour| hour * 3_600)).unwrap().is_short());
    }

    #[test]
    fn the_busiest_week_is_searched_and_else_the_busiest_month() {
        let quiet = (0..50).map(|n| n * 86_400);
        let busy = (0..100).map(|n| 60 * 86_400 + n * 3_600);
        let series = at(quiet.clone().chain(busy)).unwrap();
        assert_eq!((series.len(), series.window_s()), (100, WEEK_S));
        assert_eq!(series.searched(), "100 contacts of the busiest week");
        let series = at(quiet).unwrap();
        assert_eq!((series.len(), series.window_s()), (30, MONTH_S));
        assert_eq!(series.searched(), "30 contacts of the busiest 30 days");
        let few = at((0..20).map(|n| n * 7_200)).unwrap();
        assert_eq!((few.len(), few.window_s()), (20, WEEK_S));
        assert_eq!(few.searched(), "20 contacts");
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_no_harm() {
        let far = [Timestamp::MIN, Timestamp::MAX];
        assert!(Series::of(far.into_iter().cycle().take(100)).is_err());
    }
}
