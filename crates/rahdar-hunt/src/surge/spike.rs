//! Single days far above the rest (`methods.md` §6.4).
//!
//! Day d is a spike if the lower bound of its octets is more than [`TIMES`] times the median of
//! the active days, and its estimate lies above the 99th percentile (nearest rank) of the
//! [`TRAILING_DAYS`] days before it. [`LEAST_ACTIVE`] active days are needed.
//!
//! The lower bound keeps a lucky sample from making a spike. No test and no p: the rule describes.
//! Wrong on the first days after a lasting rise, which all look like spikes until the trailing
//! days know of it; a confirmed increase from that day on says so.
//!
//! ```
//! use rahdar_hunt::surge::series::Series;
//! use rahdar_hunt::surge::spike::spikes;
//! use rahdar_model::Day;
//!
//! let contact = (0..60).map(|day| (Day(day), if day == 50 { 9e6 } else { 1e6 }));
//! let series = Series::of(contact, &|_| false).unwrap();
//! let found = spikes(&series, &|day| if day == Day(50) { 8e6 } else { 9e5 });
//! assert_eq!(found, [(Day(50), 9.0)]);
//! ```

use rahdar_model::Day;

use super::series::Series;

/// Times the median active day.
pub const TIMES: f64 = 5.0;
/// Days before that are compared with.
pub const TRAILING_DAYS: usize = 90;
/// Active days without which nothing is usual. Chosen here: as many as bursts for a test.
pub const LEAST_ACTIVE: usize = 8;
/// Days before without which nothing is rare. Chosen here: a month.
const LEAST_TRAILING: usize = 30;

/// The spikes, each with its octets over the median of active days. `low` gives the lower bound
/// of a day's octets.
pub fn spikes(series: &Series, low: &dyn Fn(Day) -> f64) -> Vec<(Day, f64)> {
    let (days, octets) = (series.days(), series.octets());
    let usual = series.median_active();
    if octets.iter().filter(|octets| **octets > 0.0).count() < LEAST_ACTIVE || usual <= 0.0 {
        return Vec::new();
    }
    let mut spikes = Vec::new();
    for (i, (day, octets_of_day)) in days.iter().zip(octets).enumerate() {
        let trailing = &octets[i.saturating_sub(TRAILING_DAYS)..i];
        let is_high = *octets_of_day > TIMES * usual && low(*day) > TIMES * usual;
        if is_high && trailing.len() >= LEAST_TRAILING && *octets_of_day > percentile_99(trailing) {
            spikes.push((*day, octets_of_day / usual));
        }
    }
    spikes
}

fn percentile_99(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * 0.99).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(octets: impl Fn(i32) -> f64, low: f64) -> Vec<(Day, f64)> {
        let series = Series::of((0..60).map(|day| (Day(day), octets(day))), &|_| false).unwrap();
        spikes(&series, &|day| low * octets(day.0))
    }

    #[test]
    fn a_high_estimate_with_a_low_bound_is_no_spike() {
        assert_eq!(found(|day| if day == 50 { 9.0 } else { 1.0 }, 0.5), []);
        assert_eq!(found(|day| if day == 50 { 11.0 } else { 1.0 }, 0.5), [(Day(50), 11.0)]);
    }

    #[test]
    fn what_happens_often_is_no_spike_and_the_first_month_has_none() {
        assert_eq!(found(|day| if day % 20 == 0 { 9.0 } else { 1.0 }, 1.0), []);
        assert_eq!(found(|day| if day == 20 { 9.0 } else { 1.0 }, 1.0), []);
    }
}
