//! Whether activity was higher after a registered event (`methods.md` §6.1).
//!
//! Statistic: the mean of the winsorised octets a day after the event, less the mean before.
//! The days of the active life are laid in a circle; p is the share of all rotations of the
//! post-event window that have as large a statistic, the true one included:
//!
//! p = #{s : mean after(s) ≥ mean after(0)} / n, of n days
//!
//! Rotation keeps each day beside its neighbours, so that bursts and autocorrelation do no harm:
//! the test has 5 % of false alarms at 5 % where a rank test has 25 (the test
//! `the_table_of_event_tests` measures it again).
//!
//! Assumes that without an increase the series is much the same all along its life, that the
//! event was chosen before anybody looked, and that what the exporters could see did not change.
//! Not assessable unless [`LEAST_BURSTS`] bursts lie before the event, [`LEAST_DAYS_AFTER`] days
//! after it, and both inside the life. Wrong for a series with a steady trend: every date then
//! looks like an increase.
//!
//! ```
//! use rahdar_hunt::surge::event::p_value;
//!
//! // 396 quiet days, 61 busy ones: no other rotation is as high.
//! let octets: Vec<f64> = (0..457).map(|day| if day < 396 { 0.0 } else { 1.0 }).collect();
//! assert_eq!(p_value(&octets, 396), 1.0 / 457.0);
//! assert_eq!(p_value(&[5.0; 457], 396), 1.0);
//! ```

use rahdar_model::Day;
use thiserror::Error;

use super::series::{Series, mean};

/// Bursts before the event without which the rotations say nothing (`methods.md` §6.1).
pub const LEAST_BURSTS: usize = 8;
/// Days after the event. Chosen here: a week, so that every weekday counts once.
pub const LEAST_DAYS_AFTER: usize = 7;

/// What the test of one event says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// The place of the first day after the event.
    pub place: usize,
    /// Mean after less mean before, in octets a day, winsorised.
    pub difference: f64,
    /// The chance of as large a difference without an increase.
    pub p_value: f64,
}

/// Why an event cannot be tested.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAssessable {
    /// The event came first.
    #[error("contact began on {0}, after the event")]
    Before(Day),
    /// The event came last.
    #[error("contact ended on {0}, before the event")]
    After(Day),
    /// Too few days after it.
    #[error("{0} days of contact's life lie after the event; {least} are needed", least = LEAST_DAYS_AFTER)]
    Days(usize),
    /// Too little before it.
    #[error("{0} bursts of activity before the event; {least} are needed", least = LEAST_BURSTS)]
    Bursts(usize),
}

/// Tests one event, which counts from the day it happened on.
///
/// # Errors
/// [`NotAssessable`] says why nothing can be said.
pub fn test(series: &Series, event: Day) -> Result<Test, NotAssessable> {
    let (days, place) = (series.days(), series.place(event));
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return Err(NotAssessable::Bursts(0));
    };
    if place == 0 {
        return Err(NotAssessable::Before(*first));
    }
    if place == days.len() {
        return Err(NotAssessable::After(*last));
    }
    if days.len() - place < LEAST_DAYS_AFTER {
        return Err(NotAssessable::Days(days.len() - place));
    }
    let bursts = series.bursts(0..place).len();
    if bursts < LEAST_BURSTS {
        return Err(NotAssessable::Bursts(bursts));
    }
    let octets = series.winsorised();
    let difference = mean(&octets[place..]) - mean(&octets[..place]);
    Ok(Test { place, difference, p_value: p_value(&octets, place) })
}

/// The share of rotations whose window of `octets.len() - place` days is as high as the one that
/// begins at `place`. 1 where there is nothing before or after.
pub fn p_value(octets: &[f64], place: usize) -> f64 {
    let (n, width) = (octets.len(), octets.len() - place.min(octets.len()));
    if width == 0 || width == n {
        return 1.0;
    }
    let mut sum: f64 = octets[place..].iter().sum();
    // Sums that differ by rounding alone are equal.
    let least = sum - 1e-9 * octets.iter().sum::<f64>();
    let mut as_high = 0;
    for shift in 0..n {
        as_high += usize::from(sum >= least);
        sum += octets[(place + shift + width) % n] - octets[(place + shift) % n];
    }
    as_high as f64 / n as f64
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A life of 100 days from day 0, active on every third, tenfold from `rise` on.
    fn life(rise: i32) -> Series {
        let octets = |day: i32| if day >= rise { 10.0 } else { 1.0 };
        Series::of((0..100).filter(|day| day % 3 == 0).map(|day| (Day(day), octets(day))), &|_| false)
            .unwrap()
    }

    #[test]
    fn an_increase_is_found_at_its_date_and_none_where_there_is_none() {
        assert!(test(&life(70), Day(70)).unwrap().p_value <= 0.03);
        assert!(test(&life(1_000), Day(70)).unwrap().p_value > 0.2);
    }

    #[test]
    fn what_cannot_be_assessed_is_told_with_the_reason() {
        assert_eq!(test(&life(70), Day(0)), Err(NotAssessable::Before(Day(0))));
        assert_eq!(test(&life(70), Day(120)), Err(NotAssessable::After(Day(99))));
        assert_eq!(test(&life(70), Day(97)), Err(NotAssessable::Days(3)));
        assert_eq!(test(&life(70), Day(12)), Err(NotAssessable::Bursts(4)));
        assert_eq!(
            NotAssessable::After(Day(99)).to_string(),
            "contact ended on 1970-04-10, before the event"
        );
    }

    proptest! {
        #[test]
        fn p_is_a_share_of_rotations_that_holds_the_true_one(
            octets in vec(0.0..1e9_f64, 2..80),
            place in 0_usize..80,
        ) {
            let p = p_value(&octets, place);
            prop_assert!(p >= 1.0 / octets.len() as f64 && p <= 1.0);
        }
    }
}
