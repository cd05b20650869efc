//! Under-dispersion: contacts more even than chance (`methods.md` §3.3, step 1).
//!
//! CV = standard deviation / mean of the intervals, both over all of them, no unit. Contacts by
//! chance (a Poisson process) have exponential intervals and a CV near 1; people and bursts have
//! more; a beacon with jitter j has about j/√3.
//!
//! **Dead time**: calls closer than [`MERGE_S`] are one, so that no interval is shorter, and contacts by
//! chance have intervals of [`MERGE_S`] and an exponential rest. The CV that is judged is that of the
//! rest: standard deviation / (mean − [`MERGE_S`]). Without this, of contacts by chance every 40 s more than
//! half were told at 1 %.
//!
//! p is the chance that as many exponential intervals have a CV as low, from a table by
//! simulation ([`TABLE`]; the test `the_table_of_even_intervals` measures it again, down to 10⁻⁴). Between its rows
//! and columns it is read in straight lines of CV over ln n, and of ln p over CV; p is never
//! below 10⁻⁵, the last column.
//!
//! Not asked where the median interval is below ten times [`MERGE_S`]: too much of what is seen is dead time
//! then. Nor above twelve hours: the calendar makes the days of people
//! even. Those of a short recording are handed over as [`series`](super::series) slows them. Assumes intervals that do not depend on one another. Wrong, and
//! blind, where check-ins are lost: with half of them missing CV rises to 0.7, with nine in ten
//! to 0.95.
//!
//! ```
//! use rahdar_hunt::rhythm::dispersion::{cv, p_value};
//!
//! // A sleep of 5 minutes ± 50 %: CV 0.29.
//! let intervals: Vec<f64> = (0..101).map(|n| 150.0 + 3.0 * f64::from(n * 37 % 101)).collect();
//! assert!((cv(&intervals) - 0.29).abs() < 0.01);
//! assert_eq!(p_value(&intervals), Some(1e-5));
//! ```

use super::series::{MERGE_S, median};

/// The probabilities of the columns of [`TABLE`].
pub const COLUMNS: [f64; 11] = [1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9];

/// The CV below which that share of sets of n exponential intervals lies. Simulated 2026-11 with
/// 300,000 sets in the last row and 4,000,000 in the first.
pub const TABLE: [(usize, [f64; 11]); 14] = [
    (7, [0.1183, 0.1709, 0.2499, 0.3669, 0.4809, 0.5453, 0.6278, 0.7201, 0.8050, 0.9334, 1.1519]),
    (8, [0.1517, 0.2060, 0.2887, 0.4026, 0.5110, 0.5728, 0.6521, 0.7414, 0.8236, 0.9476, 1.1600]),
    (10, [0.2092, 0.2751, 0.3524, 0.4563, 0.5575, 0.6153, 0.6897, 0.7734, 0.8508, 0.9681, 1.1692]),
    (12, [0.2615, 0.3235, 0.3988, 0.4972, 0.5924, 0.6469, 0.7177, 0.7972, 0.8707, 0.9819, 1.1735]),
    (15, [0.3279, 0.3779, 0.4500, 0.5415, 0.6309, 0.6819, 0.7480, 0.8224, 0.8910, 0.9949, 1.1732]),
    (20, [0.3943, 0.4462, 0.5083, 0.5934, 0.6752, 0.7222, 0.7826, 0.8506, 0.9133, 1.0078, 1.1698]),
    (30, [0.4792, 0.5278, 0.5835, 0.6570, 0.7293, 0.7706, 0.8239, 0.8834, 0.9378, 1.0197, 1.1581]),
    (50, [0.5695, 0.6137, 0.6620, 0.7248, 0.7859, 0.8205, 0.8650, 0.9146, 0.9594, 1.0264, 1.1377]),
    (80, [0.6473, 0.6798, 0.7214, 0.7756, 0.8274, 0.8569, 0.8944, 0.9357, 0.9729, 1.0279, 1.1179]),
    (120, [0.7021, 0.7283, 0.7652, 0.8128, 0.8570, 0.8825, 0.9145, 0.9497, 0.9812, 1.0272, 1.1010]),
    (200, [0.7497, 0.7803, 0.8116, 0.8508, 0.8881, 0.9088, 0.9348, 0.9631, 0.9881, 1.0243, 1.0818]),
    (400, [0.8213, 0.8393, 0.8620, 0.8920, 0.9198, 0.9354, 0.9546, 0.9756, 0.9939, 1.0199, 1.0603]),
    (800, [0.8664, 0.8821, 0.8994, 0.9219, 0.9428, 0.9543, 0.9685, 0.9836, 0.9968, 1.0153, 1.0436]),
    (1500, [0.9007, 0.9122, 0.9253, 0.9419, 0.9578, 0.9665, 0.9772, 0.9885, 0.9982, 1.0119, 1.0323]),
];

/// A window that is searched has a median interval of this or more, in seconds.
const LEAST_MEDIAN_S: f64 = 10.0 * MERGE_S;
/// And of this or less: the longest period of [`phase`](super::phase).
const MOST_MEDIAN_S: f64 = super::phase::LONGEST_S;

/// The standard deviation of the intervals over their mean; infinite of none.
pub fn cv(intervals_s: &[f64]) -> f64 {
    let n = intervals_s.len() as f64;
    let mean = intervals_s.iter().sum::<f64>() / n;
    let variance = intervals_s.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / n;
    if mean > 0.0 { variance.sqrt() / mean } else { f64::INFINITY }
}

/// The chance of intervals as even as these; none where there are too few or too short ones.
pub fn p_value(intervals_s: &[f64]) -> Option<f64> {
    let n = intervals_s.len();
    if n < TABLE[0].0 {
        return None;
    }
    let mut sorted = intervals_s.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rest: Vec<f64> = intervals_s.iter().map(|d| d - MERGE_S).collect();
    (LEAST_MEDIAN_S..=MOST_MEDIAN_S).contains(&median(&sorted)).then(|| probability(n, cv(&rest)))
}

/// The share of sets of `n` exponential intervals whose CV is `cv` or lower.
fn probability(n: usize, cv: f64) -> f64 {
    let row = row(n);
    let above = row.partition_point(|bound| *bound < cv);
    if above == 0 {
        return COLUMNS[0];
    }
    let Some(bound) = row.get(above) else { return 1.0 };
    let (low, high) = (row[above - 1], *bound);
    let part = (cv - low) / (high - low);
    let (least, most) = (libm::log(COLUMNS[above - 1]), libm::log(COLUMNS[above]));
    libm::exp(least + part * (most - least))
}

/// The row of `n` intervals: of more than the last row has, the last, which is too cautious.
fn row(n: usize) -> [f64; 11] {
    let above = TABLE.partition_point(|(rows, _)| *rows < n);
    let Some((most, high)) = TABLE.get(above) else { return TABLE[TABLE.len() - 1].1 };
    if *most == n || above == 0 {
        return *high;
    }
    let (least, low) = TABLE[above - 1];
    let log = |n: usize| libm::log(n as f64);
    let part = (log(n) - log(least)) / (log(*most) - log(least));
    std::array::from_fn(|i| low[i] + part * (high[i] - low[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_read_between_rows_and_columns() {
        for (n, row) in TABLE {
            assert!((probability(n, row[3]) / 0.01 - 1.0).abs() < 1e-9, "{n}");
        }
        let (between, below) = (probability(25, 0.65), probability(25, 0.60));
        assert!(probability(20, 0.65) > between && between > probability(30, 0.65));
        assert!(below < between);
        assert_eq!((probability(50, 0.0), probability(50, 3.0)), (1e-5, 1.0));
        assert_eq!(probability(5_000, 0.9), probability(1_500, 0.9));
    }

    #[test]
    fn no_contact_within_the_dead_time_is_no_rhythm() {
        // The quantiles of exponential intervals of 40 s, each after a dead time of 3 s.
        let quantile = |i: u32| -40.0 * (1.0 - (f64::from(i) + 0.5) / 1_500.0).ln();
        let intervals: Vec<f64> = (0..1_500).map(|i| MERGE_S + quantile(i)).collect();
        assert!(cv(&intervals) < 0.94);
        assert!(p_value(&intervals).is_some_and(|p| p > 0.2), "{:?}", p_value(&intervals));
    }

    #[test]
    fn few_crowded_or_rare_contacts_are_not_judged() {
        assert_eq!(p_value(&[60.0; 6]), None);
        assert_eq!(p_value(&[29.0; 20]), None);
        assert_eq!(p_value(&[30.0; 20]), Some(1e-5));
        assert_eq!(p_value(&[13.0 * 3_600.0; 20]), None);
        assert_eq!(p_value(&[]), None);
    }
}
