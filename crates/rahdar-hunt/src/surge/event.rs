//! Whether activity was higher after a registered event (`methods.md` §6.1;
//! `docs/decisions/0011-events-by-order-of-blocks.md`).
//!
//! Statistic: the mean of the winsorised octets a day after the event, less the mean before. The
//! days are cut into blocks, and the blocks are put in random order (`blocks.rs`). p is the share of
//! orders, the true one included, that leave as much after the event:
//!
//! p = 5/4 · (1 + #{difference* ≥ difference}) / (1 + orders)
//!
//! A block keeps neighbouring days together, as long as they depend on one another: it lasts
//! twice as long as a burst and the silence before it do on average, [`LEAST_BLOCK`] days or
//! more, and a [`LEAST_BLOCKS`]th of the life or less. One block alone would be the circular shift
//! ([`super::shift`]). 5/4 makes up for what blocks cut apart: the test then has 3–7 % of false alarms at 5 %
//! (where a rank test has 25) and finds what began a week after the event, which no shift can
//! (the test `the_table_of_event_tests` measures both again).
//!
//! Up to [`ORDERS`] orders are drawn. Once [`ENOUGH`] leave as much, no more are: p = 5/4 ·
//! [`ENOUGH`] / number drawn (Besag and Clifford, Biometrika 78:301, 1991). Where none leaves as much and a hunt asks
//! so many questions that p is too large all the same, up to [`MOST_ORDERS`] ([`again`]).
//!
//! **Power.** Silence says something only where an increase would have been found: to twice as much, with a chance of
//! [`LEAST_POWER`] at the level that one more discovery of the hunt needs ([`power`]). That chance is simulated: the days are
//! put in [`LIVES`] orders of blocks, each order is a life that might have been, twice as much is put after the event, and
//! the test is made. Power is the share of lives in which the increase is found; fewer are tried where it is too low already. Else
//! no increase is *not assessable* (`methods.md` §0). Power is that of the event's own day: an increase that began later, or on fewer days, is found less often.
//! It takes the series for one without an increase; one that has a hidden one has more spread, and less power by it. The test
//! `the_power_of_event_tests_is_what_is_found` holds it, on eleven kinds of series, to 5 in 100 above what is found, and to 75
//! found of 100 where it says [`LEAST_POWER`]. Until 2026-11 it was a formula, which claimed 97 where 60 were found. Wrong where bursts last longer than blocks.
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
//! // 396 quiet days, 61 busy ones; and the same registered a week too early.
//! let octets: Vec<f64> = (0..457).map(|day| if day < 396 { 0.0 } else { 1.0 }).collect();
//! assert!(p_value(&octets, 396, 28, b"an example") <= 0.01);
//! assert!(p_value(&octets, 389, 28, b"an example") <= 0.01);
//! assert_eq!(p_value(&[5.0; 457], 396, 28, b"an example"), 1.0);
//! ```

use std::ops::Range;

use rahdar_model::Day;
use thiserror::Error;

use crate::chance::Chance;
use crate::evidence::counted;

use super::blocks::{Circle, Orders};
use super::series::{Series, mean, winsorised};

/// Bursts before the event without which the order of blocks says nothing (`methods.md` §6.1).
pub const LEAST_BURSTS: usize = 8;
/// Days after the event. Chosen here: a week, so that every weekday counts once.
pub const LEAST_DAYS_AFTER: usize = 7;
/// The shortest block, in days. Measured 2026-11: with 14 a test at 5 % errs in up to 11 % of
/// bursty series, with 28 in up to 8 %.
pub const LEAST_BLOCK: usize = 28;
/// The blocks that a life is cut into at least, if they can be [`LEAST_BLOCK`] days long. Chosen
/// here: six have 720 orders.
pub const LEAST_BLOCKS: usize = 6;
/// Bursts to a block, each with the silence before it. Chosen here: so that most of what hangs
/// together stays together.
const BURSTS_A_BLOCK: usize = 2;
/// Orders drawn at first. Chosen here: a p of 0.0002 can still be told, of some hundred tests.
pub const ORDERS: usize = 9_999;
/// Orders drawn at most. Chosen here: what an increase needs that is the only one among 4,000 tests; less than a
/// second of work.
pub const MOST_ORDERS: usize = 99_999;
/// The chance of finding an increase to twice as much below which its absence is not told (`methods.md` §0).
pub const LEAST_POWER: f64 = 0.8;
/// Lives that [`power`] tries. Chosen here: a share of 80 in 100 is known to 4 in 100 by them.
pub const LIVES: usize = 99;
/// Orders that [`power`] holds against each life, as many as the level needs. Chosen here: hundredths of a second of work.
/// Levels below 0.0006 are taken for that.
const POWER_ORDERS: std::ops::RangeInclusive<usize> = 499..=1_999;
/// Orders that leave as much after which p is known well enough.
pub const ENOUGH: usize = 20;
/// What cutting makes p too small by. Measured 2026-11, on ten kinds of series.
pub(super) const LIBERAL: f64 = 1.25;

/// What the test of one event says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// The place of the first day after the event.
    pub place: usize,
    /// Mean after less mean before, in octets a day, winsorised.
    pub difference: f64,
    /// The chance of as large a difference without an increase.
    pub p_value: f64,
    /// Whether no order leaves as much: with more of them p might be lower.
    pub is_least: bool,
}

/// Why an event cannot be tested.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAssessable {
    /// The event came first, of all contact that is believed: what else came before it, or was not seen, is open.
    #[error("believed contact is on record only since {0}, after the event")]
    Before(Day),
    /// The event came last, likewise.
    #[error("believed contact is on record only until {0}, before the event")]
    After(Day),
    /// Too few days after it.
    #[error("{} of contact's life after the event; {LEAST_DAYS_AFTER} are needed", counted(*.0 as u64, "day"))]
    Days(usize),
    /// Too little before it.
    #[error("{} of activity before the event; {LEAST_BURSTS} are needed", counted(*.0 as u64, "burst"))]
    Bursts(usize),
    /// None was found, nor would it have been: in so many of 100 cases.
    #[error("an increase to twice as much would have been found in {0} of 100 cases")]
    Power(u64),
    /// The windows of claims may have made it, or hidden it.
    #[error("contact with the same hosts outside the windows of claims would decide it")]
    Windows,
    /// So many tests at once.
    #[error("{0} tests were made at once, and more random orders would be needed than are drawn")]
    Tests(usize),
}

/// Tests one event, which counts from the day it happened on. `id` names the question, so that it
/// gets the same orders again.
///
/// # Errors
/// [`NotAssessable`] says why nothing can be said.
pub fn test(series: &Series, event: Day, id: &[u8]) -> Result<Test, NotAssessable> {
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
    Ok(drawn(series, place, ORDERS, id))
}

/// The same test, its p from up to `most` orders.
pub fn again(series: &Series, known: Test, most: usize, id: &[u8]) -> Test {
    drawn(series, known.place, most.min(MOST_ORDERS), id)
}

fn drawn(series: &Series, place: usize, most: usize, id: &[u8]) -> Test {
    let octets = series.winsorised();
    let difference = mean(&octets[place..]) - mean(&octets[..place]);
    let (p_value, is_least) = chance(&octets, place, block(series, 0..octets.len()), most, id);
    Test { place, difference, p_value, is_least }
}

/// The chance that twice as much from `place` on would be found, at this level of p.
pub fn power(series: &Series, place: usize, level: f64, id: &[u8]) -> f64 {
    let octets = series.octets();
    let (n, width) = (octets.len(), octets.len() - place.min(octets.len()));
    if width == 0 || width == n {
        return 0.0;
    }
    let block = block(series, 0..n);
    let drawn = ((2.0 * LIBERAL / level) as usize).clamp(*POWER_ORDERS.start(), *POWER_ORDERS.end());
    // As many orders may leave as much as the true one, which is one of them.
    let most = ((level / LIBERAL * (1 + drawn) as f64) as usize).max(1);
    let place_id = (place as u64).to_le_bytes();
    let mut lives = Orders::new(n, block, n, Chance::of("lives of an event", &[id, &place_id]));
    let mut orders = Orders::new(n, block, width, Chance::of("power of an event", &[id, &place_id]));
    let mut is_found = || {
        let days = lives.draw().iter().flat_map(|(from, run)| (0..*run).map(move |day| (from + day) % n));
        let mut life: Vec<f64> = days.map(|day| octets[day]).collect();
        life[place..].iter_mut().for_each(|octets| *octets *= 2.0);
        let circle = Circle::of(&winsorised(&life));
        let least = least_sum(&circle, place, n);
        let mut as_high = 1;
        for _ in 0..drawn {
            as_high += usize::from(circle.sum(orders.draw()) >= least);
            if as_high > most {
                return false;
            }
        }
        true
    };
    let (mut found, mut tried) = (0, 0);
    // Once the rest cannot make it enough, no more are tried.
    while tried < LIVES && (found + LIVES - tried) as f64 >= LEAST_POWER * LIVES as f64 {
        tried += 1;
        found += usize::from(is_found());
    }
    found as f64 / tried as f64
}

/// What lies from `place` on in a circle of `n` days, less what rounding alone may take away: such sums are equal.
fn least_sum(circle: &Circle, place: usize, n: usize) -> f64 {
    circle.sum(&[(place, n - place)]) - 1e-9 * circle.sum(&[(0, n)])
}

/// How many days of this part of a series stay together.
pub(super) fn block(series: &Series, part: Range<usize>) -> usize {
    let days = part.len();
    let bursts = series.bursts(part).len().max(1);
    (BURSTS_A_BLOCK * days).div_ceil(bursts).clamp(LEAST_BLOCK, LEAST_BLOCK.max(days / LEAST_BLOCKS))
}

/// The chance that blocks of so many days, in any order, leave as much from `place` on. 1 where
/// there is nothing before or after.
pub fn p_value(octets: &[f64], place: usize, block: usize, id: &[u8]) -> f64 {
    chance(octets, place, block, ORDERS, id).0
}

/// The same of up to `most` orders, and whether none of them leaves as much.
fn chance(octets: &[f64], place: usize, block: usize, most: usize, id: &[u8]) -> (f64, bool) {
    let (n, width) = (octets.len(), octets.len() - place.min(octets.len()));
    if width == 0 || width == n || block == 0 {
        return (1.0, false);
    }
    let circle = Circle::of(octets);
    let least = least_sum(&circle, place, n);
    let chance = Chance::of("order of blocks", &[id, &(place as u64).to_le_bytes()]);
    let mut orders = Orders::new(n, block, width, chance);
    let (mut as_high, mut drawn) = (0, 0);
    while drawn < most && as_high < ENOUGH {
        drawn += 1;
        as_high += usize::from(circle.sum(orders.draw()) >= least);
    }
    let share = if as_high >= ENOUGH {
        as_high as f64 / drawn as f64
    } else {
        (1 + as_high) as f64 / (1 + drawn) as f64
    };
    ((LIBERAL * share).min(1.0), as_high == 0)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A life of 200 days from day 0, active on every third, tenfold from `rise` on.
    fn life(rise: i32) -> Series {
        let octets = |day: i32| if day >= rise { 10.0 } else { 1.0 };
        Series::of((0..200).filter(|day| day % 3 == 0).map(|day| (Day(day), octets(day))), &|_| false)
            .unwrap()
    }

    fn p(rise: i32, event: i32) -> f64 {
        test(&life(rise), Day(event), b"").unwrap().p_value
    }

    #[test]
    fn an_increase_is_found_though_it_came_late_and_none_where_there_is_none() {
        assert!(p(150, 150) <= 0.05, "{}", p(150, 150));
        assert!(p(158, 150) <= 0.05, "{}", p(158, 150));
        assert!(p(1_000, 150) > 0.2);
        assert!(p(20, 150) > 0.2);
    }

    #[test]
    fn what_cannot_be_assessed_is_told_with_the_reason() {
        let of = |event| test(&life(150), Day(event), b"");
        assert_eq!(of(0), Err(NotAssessable::Before(Day(0))));
        assert_eq!(of(220), Err(NotAssessable::After(Day(198))));
        assert_eq!(of(196), Err(NotAssessable::Days(3)));
        assert_eq!(of(12), Err(NotAssessable::Bursts(4)));
        assert_eq!(
            NotAssessable::After(Day(99)).to_string(),
            "believed contact is on record only until 1970-04-10, before the event"
        );
        for (why, text) in [
            (NotAssessable::Bursts(1), "1 burst of activity before the event; 8 are needed"),
            (NotAssessable::Bursts(2), "2 bursts of activity before the event; 8 are needed"),
            (NotAssessable::Days(1), "1 day of contact's life after the event; 7 are needed"),
        ] {
            assert_eq!(why.to_string(), text);
        }
    }

    #[test]
    fn more_orders_tell_a_lower_chance() {
        // A year and a half, so that few orders leave as much.
        let octets = |day: i32| if day >= 500 { 9.0 } else { 1.0 };
        let contact = (0..600).filter(|day| day % 3 == 0).map(|day| (Day(day), octets(day)));
        let series = Series::of(contact, &|_| false).unwrap();
        let known = test(&series, Day(500), b"").unwrap();
        let told = again(&series, known, MOST_ORDERS, b"");
        assert!(known.is_least && told.p_value < known.p_value / 2.0, "{known:?} {told:?}");
    }

    #[test]
    fn silence_says_something_where_contact_is_even_and_nothing_where_it_is_rare() {
        let of = |step: i32, level: f64| {
            let contact = (0..400).filter(|day| day % step == 0).map(|day| (Day(day), 1.0));
            let series = Series::of(contact, &|_| false).unwrap();
            power(&series, series.place(Day(300)), level, b"")
        };
        assert!(of(2, 0.05) > 0.99 && of(2, 0.0001) > 0.9, "{} {}", of(2, 0.05), of(2, 0.0001));
        assert!(of(45, 0.05) < LEAST_POWER, "{}", of(45, 0.05));
    }

    #[test]
    fn blocks_are_as_long_as_what_hangs_together() {
        let every = |step: i32, days: i32| {
            let contact = (0..days).filter(|day| day % (2 * step) < step).map(|day| (Day(day), 1.0));
            let series = Series::of(contact, &|_| false).unwrap();
            block(&series, 0..series.days().len())
        };
        assert_eq!([every(1, 400), every(10, 400), every(30, 400), every(1, 40)], [28, 39, 65, 28]);
    }

    proptest! {
        #[test]
        fn p_is_a_chance_and_one_block_is_a_shift(octets in vec(0.0..1e9_f64, 2..60), place in 0_usize..60) {
            let p = p_value(&octets, place, 28, b"");
            prop_assert!(p > 0.0 && p <= 1.0);
            let (one, shift) = (p_value(&octets, place, 60, b""), super::super::shift::p_value(&octets, place));
            // Twenty hits leave p uncertain by a quarter of itself.
            prop_assert!(one >= (LIBERAL * shift / 4.0).min(1.0) && one <= (LIBERAL * shift * 4.0).min(1.0));
        }
    }
}
