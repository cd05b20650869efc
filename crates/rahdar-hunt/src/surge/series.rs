//! Octets a day over the active life of a cluster on a victim (`methods.md` §6.1).
//!
//! From the first day with contact to the last, a value for each day, in octets: the point
//! estimate of what left the victim, 0 on days without contact. Days on which no exporter of the
//! contact recorded anything at all are left out: what was not measured is not a zero.
//!
//! **Winsorised**: no value above the 95th percentile of the active days (nearest rank), so that
//! one day cannot carry a test.
//!
//! **Bursts**: runs of active days. Where more than [`DENSE`] of the days are active and runs
//! would not end, a day must also carry the median of its part of the series. Their number says
//! how much the series really knows; neighbouring days do not count as many.
//!
//! ```
//! use rahdar_hunt::surge::series::Series;
//! use rahdar_model::Day;
//!
//! let series = Series::of([(Day(10), 5.0), (Day(12), 7.0), (Day(13), 1.0)], &|_| false).unwrap();
//! assert_eq!(series.octets(), [5.0, 0.0, 7.0, 1.0]);
//! assert_eq!((series.bursts(0..4), series.place(Day(12))), (vec![0..1, 2..4], 2));
//! ```

use std::ops::Range;

use rahdar_model::Day;

/// Values above this part of the active days are cut to it.
pub const WINSOR: f64 = 0.95;
/// Above this part of active days, activity has no gaps to speak of. Chosen here.
pub const DENSE: f64 = 0.75;
/// A life longer than this many days is not judged: clocks of hostile records reach far, and
/// every test walks the series many times. Twenty years.
pub const MOST_DAYS: i32 = 7_305;

/// A value for each day that was observed, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    days: Vec<Day>,
    octets: Vec<f64>,
}

impl Series {
    /// From the first of these days with contact to the last. `is_blind` says that nobody saw a
    /// day. None where there is no contact, or where the life is longer than [`MOST_DAYS`].
    pub fn of(contact: impl IntoIterator<Item = (Day, f64)>, is_blind: &dyn Fn(Day) -> bool) -> Option<Self> {
        let mut contact: Vec<(Day, f64)> = contact.into_iter().collect();
        contact.sort_by_key(|(day, _)| *day);
        let (first, last) = (contact.first()?.0, contact.last()?.0);
        if last.0.checked_sub(first.0)? > MOST_DAYS {
            return None;
        }
        let mut series = Self { days: Vec::new(), octets: Vec::new() };
        let mut known = contact.into_iter().peekable();
        for day in (first.0..=last.0).map(Day) {
            let mut sum = None;
            while let Some((_, octets)) = known.next_if(|(at, _)| *at == day) {
                sum = Some(sum.unwrap_or(0.0) + octets);
            }
            if sum.is_some() || !is_blind(day) {
                series.days.push(day);
                series.octets.push(sum.unwrap_or(0.0));
            }
        }
        Some(series)
    }

    /// The same days with more octets, given for each, on these places.
    pub(super) fn plus(&self, octets: &[f64], places: Range<usize>) -> Self {
        let mut more = self.clone();
        for (own, other) in more.octets[places.clone()].iter_mut().zip(&octets[places]) {
            *own += other;
        }
        more
    }

    /// The days observed.
    pub fn days(&self) -> &[Day] {
        &self.days
    }

    /// Octets of each.
    pub fn octets(&self) -> &[f64] {
        &self.octets
    }

    /// The place of the first day that is not before `day`.
    pub fn place(&self, day: Day) -> usize {
        self.days.partition_point(|own| *own < day)
    }

    /// The values, none above the [`WINSOR`] part of those above 0.
    pub fn winsorised(&self) -> Vec<f64> {
        winsorised(&self.octets)
    }

    /// The bursts of this part of the series, by their places, in order.
    pub fn bursts(&self, part: Range<usize>) -> Vec<Range<usize>> {
        let own = &self.octets[part.clone()];
        let mut sorted = own.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let active = own.iter().filter(|octets| **octets > 0.0).count();
        let is_dense = active as f64 > DENSE * own.len() as f64;
        let level = if is_dense { sorted[sorted.len() / 2] } else { 0.0 };
        let mut bursts: Vec<Range<usize>> = Vec::new();
        for place in part.filter(|i| self.octets[*i] > 0.0 && self.octets[*i] >= level) {
            match bursts.last_mut() {
                Some(last) if last.end == place => last.end += 1,
                _ => bursts.push(place..place + 1),
            }
        }
        bursts
    }

    /// The median of the days above 0.
    pub(super) fn median_active(&self) -> f64 {
        let mut active: Vec<f64> = self.octets.iter().copied().filter(|octets| *octets > 0.0).collect();
        active.sort_unstable_by(f64::total_cmp);
        active.get(active.len() / 2).copied().unwrap_or(0.0)
    }
}

/// These values, none above the [`WINSOR`] part of those above 0.
pub(super) fn winsorised(octets: &[f64]) -> Vec<f64> {
    let mut active: Vec<f64> = octets.iter().copied().filter(|octets| *octets > 0.0).collect();
    active.sort_unstable_by(f64::total_cmp);
    let rank = (active.len() as f64 * WINSOR).ceil() as usize;
    let most = active.get(rank.saturating_sub(1)).copied().unwrap_or(0.0);
    octets.iter().map(|octets| octets.min(most)).collect()
}

/// The mean; 0 of none.
pub(super) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blind_days_are_no_zeros_and_contact_is_kept_though_the_day_was_called_blind() {
        let blind = |day: Day| day == Day(11) || day == Day(12);
        let series = Series::of([(Day(10), 5.0), (Day(12), 7.0)], &blind).unwrap();
        assert_eq!((series.days(), series.octets()), (&[Day(10), Day(12)][..], &[5.0, 7.0][..]));
    }

    #[test]
    fn the_largest_days_are_cut_to_the_95th_part() {
        let series = Series::of((1..=40).map(|day| (Day(day), f64::from(day))), &|_| false).unwrap();
        assert_eq!(series.winsorised()[36..], [37.0, 38.0, 38.0, 38.0]);
    }

    #[test]
    fn a_dense_series_has_bursts_too() {
        let dense = (0..40).map(|day| (Day(day), if day % 4 == 0 { 9.0 } else { 1.0 }));
        assert_eq!(Series::of(dense, &|_| false).unwrap().bursts(0..40).len(), 1);
        let wild = (0..40).map(|day| (Day(day), f64::from(1 + day * day % 7)));
        assert!(Series::of(wild, &|_| false).unwrap().bursts(0..40).len() >= 5);
    }

    #[test]
    fn absurd_lives_are_not_judged() {
        assert_eq!(Series::of([], &|_| false), None);
        assert_eq!(Series::of([(Day(i32::MIN), 1.0), (Day(i32::MAX), 1.0)], &|_| false), None);
    }
}
