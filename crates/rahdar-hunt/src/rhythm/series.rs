//! When contacts began: the times that are searched for a rhythm (`methods.md` §3.3, step 0).
//!
//! Calls closer than [`MERGE_S`] are one: a browser's parallel connections have no rhythm of
//! their own. Of a long history the busiest [`WEEK_S`] is searched, or where even that has fewer
//! than [`BUSY`] contacts and a month has more, the busiest [`MONTH_S`]. The window is chosen by counts alone, never
//! by rhythm, so that no test is made twice.
//!
//! Wrong where a rhythm was kept for a few hours alone, or contact is rarer than eight times a
//! month.
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

/// The shortest period that is looked for, in seconds. Chosen here: quicker check-ins are a
/// session that is held open.
pub const SHORTEST_S: f64 = 30.0;
/// Contacts closer than this are one, in seconds: a tenth of the shortest period.
pub const MERGE_S: f64 = SHORTEST_S / 10.0;
/// Contacts without which nothing can be said (`methods.md` §3.3).
pub const LEAST_CONTACTS: usize = 8;
/// The shortest span that says anything, in seconds: six hours (`methods.md` §3.3).
pub const LEAST_SPAN_S: f64 = 6.0 * 3_600.0;
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
}

/// Why there is nothing to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TooLittle {
    /// Fewer than [`LEAST_CONTACTS`].
    #[error("{0} contacts at most within 30 days; {least} are needed", least = LEAST_CONTACTS)]
    Contacts(usize),
    /// Shorter than [`LEAST_SPAN_S`].
    #[error("all contacts lie within six hours")]
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
        let mut last = None;
        starts.retain(|start| {
            let is_new = last.is_none_or(|last| seconds(last, *start) >= MERGE_S);
            if is_new {
                last = Some(*start);
            }
            is_new
        });
        let week = busiest(&starts, WEEK_S);
        let month = busiest(&starts, MONTH_S);
        // A longer window that holds no more would only blur what the week shows.
        let is_week_enough = week.len() >= BUSY || week.len() == month.len();
        let (times, window_s) = if is_week_enough { (week, WEEK_S) } else { (month, MONTH_S) };
        let [first, .., last] = times else { return Err(TooLittle::Contacts(times.len())) };
        if times.len() < LEAST_CONTACTS {
            return Err(TooLittle::Contacts(times.len()));
        }
        if seconds(*first, *last) < LEAST_SPAN_S {
            return Err(TooLittle::Span);
        }
        Ok(Self {
            times_s: times.iter().map(|time| seconds(*first, *time)).collect(),
            first: *first,
            window_s,
        })
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

    /// Seconds from each contact to the next.
    pub fn intervals(&self) -> Vec<f64> {
        self.times_s.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// The window that was searched, in seconds: [`WEEK_S`] or [`MONTH_S`].
    pub fn window_s(&self) -> f64 {
        self.window_s
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
        assert_eq!(at((0..20).map(|n| n * 60)), Err(TooLittle::Span));
        assert!(at((0..8).map(|day| day * 86_400)).is_ok());
    }

    #[test]
    fn calls_at_once_are_one_contact() {
        let pairs = (0..20).flat_map(|hour| [hour * 3_600, hour * 3_600 + 2]);
        assert_eq!(at(pairs).unwrap().len(), 20);
    }

    #[test]
    fn the_busiest_week_is_searched_and_else_the_busiest_month() {
        let quiet = (0..50).map(|n| n * 86_400);
        let busy = (0..100).map(|n| 60 * 86_400 + n * 3_600);
        let series = at(quiet.clone().chain(busy)).unwrap();
        assert_eq!((series.len(), series.window_s()), (100, WEEK_S));
        let series = at(quiet).unwrap();
        assert_eq!((series.len(), series.window_s()), (30, MONTH_S));
        let few = at((0..20).map(|n| n * 7_200)).unwrap();
        assert_eq!((few.len(), few.window_s()), (20, WEEK_S));
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_no_harm() {
        let far = [Timestamp::MIN, Timestamp::MAX];
        assert!(Series::of(far.into_iter().cycle().take(100)).is_err());
    }
}
