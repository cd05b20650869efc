//! How many times as much: the ratio of means with its interval (`methods.md` §6.1).
//!
//! ratio = mean octets a day after / mean octets a day before
//!
//! The 95 % interval is that of the moving-block bootstrap (Künsch, Annals of Statistics 17:1217,
//! 1989): days before and days after are drawn anew, each in blocks of [`BLOCK_DAYS`] neighbours
//! (a third of the days where there are fewer than three blocks), [`REPLICATES`] times; the 2.5th
//! and the 97.5th percentile of the ratios bound it. Blocks keep what neighbouring days share.
//!
//! Not winsorised: it tells the size, the tests tell whether there is one. Too narrow where few
//! blocks lie on one side, as every bootstrap is. Infinite where nothing came before.
//!
//! ```
//! use rahdar_hunt::surge::ratio::ratio;
//!
//! let octets: Vec<f64> = (0..200).map(|day| if day < 120 { 1.0 } else { 3.0 }).collect();
//! let times = ratio(&octets, 120, b"an example");
//! assert_eq!((times.low, times.point, times.high), (3.0, 3.0, 3.0));
//! ```

use crate::chance::Chance;

use super::series::mean;

/// Days that are drawn together (`methods.md` §6.1).
pub const BLOCK_DAYS: usize = 14;
/// Bootstrap replicates. Chosen here: the ends of a 95 % interval then move by a hundredth.
pub const REPLICATES: usize = 999;

/// A ratio with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Its lower end.
    pub low: f64,
    /// Mean after over mean before.
    pub point: f64,
    /// Its upper end.
    pub high: f64,
}

/// The ratio of the mean from `place` on to the mean before. `id` names the question, so that it
/// gets the same draws again.
pub fn ratio(octets: &[f64], place: usize, id: &[u8]) -> Ratio {
    let (before, after) = octets.split_at(place.min(octets.len()));
    let mut chance = Chance::of("ratio of means", &[id]);
    let mut ratios: Vec<f64> =
        (0..REPLICATES).map(|_| over(drawn(after, &mut chance), drawn(before, &mut chance))).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let point = over(mean(after), mean(before));
    let at = |part: f64| ratios[(part * (REPLICATES + 1) as f64) as usize - 1];
    Ratio { low: at(0.025).min(point), point, high: at(0.975).max(point) }
}

/// Infinite over nothing; 0 of nothing.
fn over(after: f64, before: f64) -> f64 {
    match (after > 0.0, before > 0.0) {
        (true, true) => after / before,
        (true, false) => f64::INFINITY,
        (false, _) => 0.0,
    }
}

/// The mean of as many days, drawn in blocks.
fn drawn(octets: &[f64], chance: &mut Chance) -> f64 {
    if octets.is_empty() {
        return 0.0;
    }
    let block = BLOCK_DAYS.min(octets.len().div_ceil(3));
    let (mut sum, mut left) = (0.0, octets.len());
    while left > 0 {
        let from = chance.below(octets.len() - block + 1);
        let take = block.min(left);
        sum += octets[from..from + take].iter().sum::<f64>();
        left -= take;
    }
    sum / octets.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_ratio_and_is_wider_for_wilder_days() {
        let series = |spread: usize| -> Vec<f64> {
            (0..200).map(|day| (1 + day * 7 % spread) as f64 * if day < 150 { 1.0 } else { 4.0 }).collect()
        };
        let (calm, wild) = (ratio(&series(3), 150, b"calm"), ratio(&series(97), 150, b"wild"));
        for times in [calm, wild] {
            assert!(times.low <= times.point && times.point <= times.high);
        }
        assert!(wild.high - wild.low > calm.high - calm.low);
    }

    #[test]
    fn nothing_before_is_told_as_infinite() {
        let times = ratio(&[0.0, 0.0, 0.0, 2.0, 2.0, 2.0], 3, b"");
        assert_eq!((times.low, times.point, times.high), (f64::INFINITY, f64::INFINITY, f64::INFINITY));
        assert_eq!(ratio(&[], 0, b"").point, 0.0);
    }
}
