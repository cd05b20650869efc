//! The beacon score of RITA v5, for comparison alone: nothing here weighs in a verdict.
//!
//! The four parts, each 0–1, count a quarter each (facts from its repository, `methods.md` §3.1):
//!
//! * **timestamps**: ½·[(1 − |Bowley skew of the intervals|) + (median − MAD)/median]. Intervals
//!   of 0 s are dropped. The skew is 0 where Q3 − Q1 is below 10 or the median is a quartile.
//! * **sizes**: the same of octets; where their median is below 1, the second term is 0.
//! * **histogram**: of the dataset's span in 24 equal bars, the larger of 1 − CV of all bars and
//!   the share of bars with contact whose height is one of the two commonest. Heights are
//!   rounded down to 5 % of the highest; one bar may be off; 11 bars with contact are needed.
//! * **duration**: the larger of the share of the dataset's span from first contact to last, and
//!   the longest run of bars, round midnight too, over 12; 6 bars with contact are needed.
//!
//! Wrong as soon as half of the check-ins are lost: the score collapses (`methods.md` §3.2). It
//! has no error rate.
//!
//! ```
//! use rahdar_hunt::rhythm::rita::Scores;
//!
//! let times: Vec<u32> = (0..24).map(|hour| 1_517_338_924 + hour * 3_600).collect();
//! let scores = Scores::of(&times, &[60.0; 24], 1_517_338_924, 1_517_338_924 + 24 * 3_600).unwrap();
//! assert_eq!(scores.total(), 1.0);
//! ```

use std::collections::BTreeMap;

use super::series::median;

/// Bars of the histogram.
const BARS: usize = 24;
/// Bars that a run must have for a duration of 1.
const IDEAL_RUN: f64 = 12.0;
/// Bars with contact that a duration needs.
const DURATION_BARS: usize = 6;
/// Bars with contact that a bimodal fit needs.
const FIT_BARS: usize = 11;
/// Bars that may be off a bimodal fit.
const OUTLIERS: usize = 1;
/// Heights of bars count as equal within this part of the highest.
const HEIGHT: f64 = 0.05;
/// The least distance of the quartiles that has a skew.
const LEAST_SPREAD: f64 = 10.0;

/// The four parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// How even the intervals are.
    pub timestamps: f64,
    /// How even the octets are.
    pub sizes: f64,
    /// How even the hours are.
    pub histogram: f64,
    /// How much of the day is covered.
    pub duration: f64,
}

impl Scores {
    /// The score of contacts at `times_s`, sorted, of so many `octets`, in a dataset from
    /// `from_s` to `until_s`, all in whole seconds. None where the rule does not apply: fewer than
    /// three intervals or sizes, or a dataset without a span.
    pub fn of(times_s: &[u32], octets: &[f64], from_s: i64, until_s: i64) -> Option<Self> {
        let (Some(first), Some(last)) = (times_s.first(), times_s.last()) else { return None };
        if until_s <= from_s {
            return None;
        }
        let bars = bars::<BARS>(times_s, from_s, until_s);
        Some(Self {
            timestamps: timestamps(times_s)?,
            sizes: evenness(octets, 0.0)?,
            histogram: histogram(&bars, FIT_BARS),
            duration: duration(&bars, f64::from(last - first) / (until_s - from_s) as f64),
        })
    }

    /// The four, weighted alike.
    pub fn total(&self) -> f64 {
        thousandths((self.timestamps + self.sizes + self.histogram + self.duration) / 4.0)
    }
}

fn timestamps(times_s: &[u32]) -> Option<f64> {
    let intervals: Vec<f64> =
        times_s.windows(2).map(|pair| f64::from(pair[1] - pair[0])).filter(|d| *d > 0.0).collect();
    evenness(&intervals, 1.0)
}

/// Skew and spread of three values or more. `flat` is the second term where the median is below 1.
fn evenness(values: &[f64], flat: f64) -> Option<f64> {
    if values.len() < 3 {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let (q1, q2, q3) = (median(&sorted[..half]), median(&sorted), median(&sorted[sorted.len() - half..]));
    let has_skew = q3 - q1 >= LEAST_SPREAD && q2 != q1 && q2 != q3;
    let skew = if has_skew { (q1 + q3 - 2.0 * q2) / (q3 - q1) } else { 0.0 };
    let mut deviations: Vec<f64> = sorted.iter().map(|value| (value - q2).abs()).collect();
    deviations.sort_unstable_by(f64::total_cmp);
    let spread = if q2 >= 1.0 { ((q2 - median(&deviations)) / q2).max(0.0) } else { flat };
    Some(thousandths((1.0 - skew.abs() + spread) / 2.0))
}

/// How many contacts fall into each of `N` equal parts of the span. What lies outside counts with
/// the nearest.
fn bars<const N: usize>(times_s: &[u32], from_s: i64, until_s: i64) -> [u64; N] {
    let mut bars = [0; N];
    let width_s = (until_s - from_s) as f64 / N as f64;
    for time in times_s {
        let place = ((i64::from(*time) - from_s) as f64 / width_s).floor();
        bars[(place.max(0.0) as usize).min(N - 1)] += 1;
    }
    bars
}

fn histogram(bars: &[u64], fit_bars: usize) -> f64 {
    let n = bars.len() as f64;
    let mean = bars.iter().sum::<u64>() as f64 / n;
    let variance = bars.iter().map(|bar| (*bar as f64 - mean).powi(2)).sum::<f64>() / n;
    let flat = if mean > 0.0 { thousandths((1.0 - variance.sqrt() / mean).max(0.0)) } else { 0.0 };
    flat.max(bimodal(bars, fit_bars))
}

fn bimodal(bars: &[u64], fit_bars: usize) -> f64 {
    let filled: Vec<u64> = bars.iter().copied().filter(|bar| *bar > 0).collect();
    if filled.len() < fit_bars {
        return 0.0;
    }
    let highest = filled.iter().copied().max().unwrap_or(1) as f64;
    let step = (highest * HEIGHT).ceil();
    let mut heights: BTreeMap<u64, usize> = BTreeMap::new();
    for bar in &filled {
        *heights.entry((*bar as f64 / step).floor() as u64).or_default() += 1;
    }
    let mut counts: Vec<usize> = heights.into_values().collect();
    counts.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
    let top: usize = counts.iter().take(2).sum();
    thousandths(top as f64 / (filled.len() - OUTLIERS).max(1) as f64).min(1.0)
}

fn duration(bars: &[u64], span: f64) -> f64 {
    if bars.iter().filter(|bar| **bar > 0).count() < DURATION_BARS {
        return 0.0;
    }
    let coverage = (span * 1_000.0).ceil() / 1_000.0;
    let consistency = (longest_run(bars) as f64 / IDEAL_RUN * 1_000.0).ceil() / 1_000.0;
    coverage.max(consistency).min(1.0)
}

/// The longest run of bars with contact, from the last on to the first.
fn longest_run(bars: &[u64]) -> usize {
    let (mut run, mut longest) = (0, 0);
    for bar in bars.iter().chain(bars) {
        run = if *bar > 0 { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest.min(bars.len())
}

fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equal within 0.001, the rounding of RITA's own tests.
    fn check(got: Option<f64>, expected: f64) {
        assert!(got.is_some_and(|got| (got - expected).abs() < 1.01e-3), "{got:?} is not {expected}");
    }

    /// Inputs and scores of RITA's own tests, as published with its source.
    #[test]
    fn the_published_intervals_have_the_published_scores() {
        let from = |offsets: &[u32]| -> Option<f64> {
            let mut time = 1_517_338_924;
            let mut times = vec![time];
            for offset in offsets {
                time += offset;
                times.push(time);
            }
            timestamps(&times)
        };
        check(from(&[1; 9]), 1.0);
        check(from(&[60; 9]), 1.0);
        check(from(&[98, 99, 99, 100, 100, 100, 101, 101, 102]), 0.995);
        check(from(&[98, 300, 98, 300, 98, 300, 98, 300, 98, 300]), 0.746);
        check(from(&[1, 299, 25, 4_975, 90, 2, 42, 500, 1_500]), 0.083);
        assert_eq!(from(&[0; 8]), None);
        assert_eq!(from(&[1]), None);
    }

    #[test]
    fn the_published_sizes_have_the_published_scores() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        check(evenness(&ten, 0.0), 0.773);
        check(evenness(&[60.0; 9], 0.0), 1.0);
        check(evenness(&[98.0, 99.0, 99.0, 100.0, 100.0, 100.0, 101.0, 101.0, 102.0], 0.0), 0.995);
        check(evenness(&[524_885.0, 1.0, 5_000.0, 98_654.0, 50.0, 41.0, 965_842.0, 3.0], 0.0), 0.009);
        check(evenness(&[0.0; 10], 0.0), 0.5);
        check(evenness(&[0.0; 10], 1.0), 1.0);
        check(evenness(&[7.0, 8.0, 7.0, 8.0, 7.0, 8.0, 7.0, 8.0, 7.0], 1.0), 1.0);
        check(evenness(&[1.0, 1.0, 2.0, 2.0, 2.0, 2.0], 1.0), 1.0);
        assert_eq!(evenness(&[100.0, 200.0], 0.0), None);
    }

    #[test]
    fn the_published_histograms_have_the_published_scores() {
        let stairs: Vec<u32> = (1..=10).flat_map(|n| std::iter::repeat_n(n, n as usize)).collect();
        let heights = bars::<10>(&stairs, 1, 11);
        check(Some(histogram(&heights, 6)), 0.478);
        let near = [98, 99, 99, 100, 100, 100, 101, 101, 102];
        let heights = bars::<8>(&near, 98, 102);
        assert_eq!((heights, longest_run(&heights)), ([1, 0, 2, 0, 3, 0, 2, 1], 3));
        check(Some(histogram(&heights, 6)), 0.064);
        let chance = [524_885, 1, 5_000, 98_654, 50, 41, 965_842, 3, 12_001, 200_400, 104_001, 199_999];
        let heights = bars::<10>(&chance, 0, 1_000_000);
        assert_eq!((heights, longest_run(&heights)), ([7, 2, 1, 0, 0, 1, 0, 0, 0, 1], 4));
        check(Some(histogram(&heights, 6)), 0.0);
        check(Some(histogram(&[4, 1, 4, 1, 4, 1, 4, 1, 4, 1], 6)), 1.0);
        let round = bars::<5>(&[10, 20, 100, 110, 110, 220], 0, 250);
        assert_eq!((round, longest_run(&round)), ([2, 0, 3, 0, 1], 2));
        check(Some(histogram(&round, 6)), 0.028);
        let mut single = [0; BARS];
        single[0] = 10;
        check(Some(histogram(&single, FIT_BARS)), 0.0);
    }

    #[test]
    fn the_published_durations_have_the_published_scores() {
        let run = |filled: usize, of: usize| {
            let mut bars = vec![0; of];
            bars[..filled].fill(1);
            bars
        };
        let scattered: Vec<u64> = (0..24).map(|n| u64::from(n % 4 == 0)).collect();
        check(Some(duration(&run(24, 24), 1.0)), 1.0);
        check(Some(duration(&scattered, 0.5)), 0.5);
        check(Some(duration(&scattered, 0.75)), 0.75);
        check(Some(duration(&run(12, 24), 0.5)), 1.0);
        check(Some(duration(&run(6, 24), 0.25)), 0.5);
        check(Some(duration(&run(3, 24), 0.5)), 0.0);
    }
}
