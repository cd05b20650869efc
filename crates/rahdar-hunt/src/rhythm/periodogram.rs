//! The whitened periodogram: a schedule that is kept by the clock (`methods.md` §3.3, step 2).
//!
//! The window is cut into [`BINS`] bins (5 s in a week), contacts are counted in each, and
//!
//! P(f) = |Σ (x_t − x̄)·e^(−2πi·f·t)|² / n
//!
//! for frequencies f, in 1/s, from one in six hours to one in six bins. Each block of [`BLOCK`]
//! frequencies is divided by its median / ln 2, which makes P exponential with mean 1 where there
//! is no line, and takes away what a day's routine or bursts leak over many frequencies. The
//! smallest of three counts:
//!
//! * P, whitened;
//! * P as it is: contacts at any phase have a mean of 1 as well. Where they fill a small part of the
//!   window, neighbours in frequency are no independent ones, and their median is a matter of luck:
//!   without this, contacts by chance in two bursts of two hours had a line in every case (measured 2026-11);
//! * |Σ v|² / Σ |v|², v the mean phase vector of one period's contacts: a burst is one witness, not many.
//!
//! Over M frequencies the largest of these has
//!
//! p = 1.5 · (1 − (1 − e^(−P))^M)
//!
//! (1.5: whitening by neighbours makes it a little liberal; `methods.md` §3.3, step 4).
//!
//! **Under sampling**, where a share r of check-ins leaves a record, a line claims a share of its own:
//! |Σ e^(−2πi·f·t)| contacts on time, of span · f that were due. A line counts only if that is not less than
//! r / [`SLACK`], and not more than all check-ins ([`ALL`]), or r · [`SLACK`] where that is more: r is that of short
//! check-ins, and long ones leave a record nearly always. A schedule of 52 s would have left eight times as many records
//! as there were. M stays as it is, so that fewer lines are told by chance.
//!
//! **Period**: overtones of one line are all high. The lowest of f/k, k ≤ 12, whose P is above
//! ln(24 / 0.001) is the fundamental: at most two places each are looked at.
//!
//! Assumes that a schedule is kept for the whole window. Wrong for sleeps with jitter, which lose
//! the beat within a few cycles ([`super::phase`] is for those). Loss does little harm: two of
//! 100 check-ins are enough at 10 % jitter.
//!
//! ```
//! use rahdar_hunt::rhythm::periodogram::Periodogram;
//! use rahdar_hunt::rhythm::series::Series;
//! use rahdar_model::Timestamp;
//!
//! // One in four of hourly check-ins, by no rule.
//! let hours = (0..160_i64).filter(|hour| hour * hour % 13 < 3).map(|hour| 3_600 * hour);
//! let series = Series::of(hours.map(Timestamp::from_seconds)).unwrap();
//! let line = Periodogram::new().search(&series, None);
//! assert!((line.period_s / 3_600.0 - 1.0).abs() < 0.01 && line.p_value < 1e-4);
//! ```

use std::cmp::Reverse;
use std::f64::consts::{LN_2, TAU};
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::series::{SHORTEST_S, Series, median};

/// Bins of a window: 5 s in a week, 21 s in a month. 2⁷·3³·5·7, which transforms fast.
pub const BINS: usize = 120_960;
/// The longest period looked for, in seconds: six hours (`methods.md` §3.3).
pub const LONGEST_S: f64 = 6.0 * 3_600.0;
/// Bins of the shortest period.
pub const SHORTEST_BINS: usize = 6;
/// Frequencies that are whitened together.
pub const BLOCK: usize = 256;
/// Overtones among which the fundamental is looked for.
pub const OVERTONES: usize = 12;
/// How far the share of check-ins that a line claims may be from the one that sampling leaves. Chosen here:
/// office hours are a quarter of a week, and a check-in of 4 to 60 packets is within four times
/// [`CHECK_IN_PACKETS`](super::CHECK_IN_PACKETS).
pub const SLACK: f64 = 4.0;
/// The share of check-ins that a line may claim in any case: all of them, and some that left two records. Longer check-ins
/// than assumed leave a record nearly always; without this an overtone of theirs would be told.
pub const ALL: f64 = 1.25;
/// Lines that are looked at period by period, the highest. Chosen here: overtones and neighbours of one false
/// line are some dozens.
const CANDIDATES: usize = 64;
/// What whitening by neighbours makes p too small by (`methods.md` §3.3).
const LIBERAL: f64 = 1.5;
/// The chance that a frequency without a line is taken for the fundamental. Chosen here.
const FUNDAMENTAL: f64 = 0.001;

/// The transform: planned once, used for all.
pub struct Periodogram {
    transform: Arc<dyn RealToComplex<f64>>,
    bins: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    power: Vec<f64>,
}

/// The strongest line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Its fundamental's period, in seconds.
    pub period_s: f64,
    /// Its whitened power.
    pub power: f64,
    /// The length of the mean phase vector of the contacts at the fundamental, 0–1.
    pub strength: f64,
    /// The chance of such a line without a rhythm. Never 0, however small.
    pub p_value: f64,
}

impl Default for Periodogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Periodogram {
    /// Plans the transform.
    pub fn new() -> Self {
        let transform = RealFftPlanner::new().plan_fft_forward(BINS);
        let (bins, spectrum) = (transform.make_input_vec(), transform.make_output_vec());
        Self { transform, bins, spectrum, power: Vec::new() }
    }

    /// The strongest line of this series. `seen` is the share of check-ins that leave a record, where a line
    /// must agree with it.
    pub fn search(&mut self, series: &Series, seen: Option<f64>) -> Line {
        let window_s = series.window_s();
        let bin_s = window_s / BINS as f64;
        let n = series.len() as f64;
        self.bins.fill(-n / BINS as f64);
        for time in series.times_s() {
            self.bins[((time / bin_s) as usize).min(BINS - 1)] += 1.0;
        }
        self.transform
            .process(&mut self.bins, &mut self.spectrum)
            .expect("both buffers have the length of the plan");
        let lowest = (window_s * series.pace() / LONGEST_S).ceil() as usize;
        let highest = ((window_s * series.pace() / SHORTEST_S) as usize).min(BINS / SHORTEST_BINS);
        let band = lowest..=highest;
        self.power.clear();
        self.power.extend(self.spectrum[band.clone()].iter().map(|value| value.norm_sqr() / n));
        whiten(&mut self.power);
        for (power, value) in self.power.iter_mut().zip(&self.spectrum[band.clone()]) {
            *power = power.min(value.norm_sqr() / n);
        }
        let span_s = series.times_s().last().copied().unwrap_or(0.0);
        let claims = |place: usize| self.spectrum[place].norm() * window_s / (span_s * place as f64);
        // Check-ins may be longer than is assumed: more of them may be seen, but not more than there are.
        let agrees = |place: &usize| {
            seen.is_none_or(|seen| (seen / SLACK..=(seen * SLACK).max(ALL)).contains(&claims(*place)))
        };
        let mut places: Vec<usize> = band.filter(agrees).collect();
        places.sort_unstable_by_key(|place| (Reverse(height(self.power[place - lowest])), *place));
        let of_periods = |place: usize| by_periods(series.times_s(), window_s / place as f64);
        let lines = places.iter().take(CANDIDATES);
        let lines = lines.map(|place| (*place, self.power[place - lowest].min(of_periods(*place))));
        let strongest = lines.rev().max_by_key(|(_, power)| height(*power));
        let Some((top, power)) = strongest else {
            return Line { period_s: window_s / highest as f64, power: 0.0, strength: 0.0, p_value: 1.0 };
        };
        let tests = self.power.len() as f64;
        let least = libm::log(2.0 * OVERTONES as f64 / FUNDAMENTAL);
        let is_line = |place: &usize| self.power[place - lowest] > least && agrees(place);
        let fundamental = self.fundamental(lowest, top, &is_line);
        // 1 − (1 − e^−P)^M without the loss of digits where e^−P is tiny.
        let p_value = -libm::expm1(tests * libm::log1p(-libm::exp(-power)));
        Line {
            period_s: window_s / fundamental as f64,
            power,
            strength: (self.spectrum[fundamental].norm() / n).min(1.0),
            p_value: (LIBERAL * p_value).clamp(f64::MIN_POSITIVE, 1.0),
        }
    }

    /// The lowest place of which `top` is an overtone, and that has a line too; and of which that is one, and
    /// so on: of a sharp line the hundredth overtone is as high as itself.
    fn fundamental(&self, lowest: usize, top: usize, is_line: &dyn Fn(&usize) -> bool) -> usize {
        let below = |top: usize| {
            (2..=OVERTONES).rev().find_map(|overtone| {
                // The place of f/k is off by up to half a bin over k.
                let near = (top / overtone).max(lowest)..=top.div_ceil(overtone);
                near.max_by(|a, b| self.power[a - lowest].total_cmp(&self.power[b - lowest])).filter(is_line)
            })
        };
        let mut place = top;
        while let Some(lower) = below(place).filter(|lower| *lower < place) {
            place = lower;
        }
        place
    }
}

/// A power to compare. The overtones of a schedule that is kept to the second are equally high but for rounding, and the
/// lowest of them is meant.
fn height(power: f64) -> i64 {
    (power * 1e6).round() as i64
}

/// The power of one line, as it is.
pub(super) fn power_at(times_s: &[f64], period_s: f64) -> f64 {
    let vectors = times_s.iter().map(|time| {
        let (sin, cos) = libm::sincos(TAU * time / period_s);
        Complex::new(cos, sin)
    });
    vectors.sum::<Complex<f64>>().norm_sqr() / times_s.len().max(1) as f64
}

/// The power of a line where the contacts of one period count once.
fn by_periods(times_s: &[f64], period_s: f64) -> f64 {
    let (mut sum, mut squares) = (Complex::new(0.0, 0.0), 0.0);
    let cycle = |time: &f64| (time / period_s) as u64;
    for own in times_s.chunk_by(|a, b| cycle(a) == cycle(b)) {
        let vectors = own.iter().map(|time| {
            let (sin, cos) = libm::sincos(TAU * time / period_s);
            Complex::new(cos, sin)
        });
        let mean = vectors.sum::<Complex<f64>>() / own.len() as f64;
        sum += mean;
        squares += mean.norm_sqr();
    }
    if squares > 0.0 { sum.norm_sqr() / squares } else { 0.0 }
}

/// Divides each block by its median / ln 2.
fn whiten(power: &mut [f64]) {
    for block in power.chunks_mut(BLOCK) {
        let mut sorted = block.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let level = median(&sorted) / LN_2;
        if level > 0.0 {
            block.iter_mut().for_each(|power| *power /= level);
        }
    }
}

#[cfg(test)]
mod tests {
    use rahdar_model::Timestamp;
    use rahdar_model::time::SECOND_US;

    use super::*;
    use crate::chance::Chance;

    fn line(seconds: impl IntoIterator<Item = f64>) -> Line {
        let starts = seconds.into_iter().map(|s| Timestamp::from_micros((s * SECOND_US as f64) as i64));
        Periodogram::new().search(&Series::of(starts).unwrap(), None)
    }

    #[test]
    fn a_kept_schedule_is_found_with_its_fundamental() {
        let mut chance = Chance::of("clock", &[]);
        let mut off = || chance.below(1_000) as f64 / 1_000.0 - 0.5;
        let minutes = line((0..500).map(|n| 300.0 * f64::from(n) + 60.0 * off()));
        assert!((minutes.period_s / 300.0 - 1.0).abs() < 0.01 && minutes.p_value < 1e-9, "{minutes:?}");
        let long = line((0..3_000).map(|n| 600.0 * f64::from(n)));
        assert!(long.p_value > 0.0, "no chance is none: {long:?}");
        let sharp = line((0..160).map(|n| 3_600.0 * f64::from(n)));
        assert!((sharp.period_s / 3_600.0 - 1.0).abs() < 0.01, "overtones are no period: {sharp:?}");
    }

    #[test]
    fn a_schedule_of_which_more_is_seen_than_short_check_ins_leave_is_told_itself() {
        let starts = (0..336).map(|n| Timestamp::from_micros(n * 3_600 * SECOND_US));
        let line = Periodogram::new().search(&Series::of(starts).unwrap(), Some(0.07));
        assert!((line.period_s / 3_600.0 - 1.0).abs() < 0.01, "a quarter of it agrees too: {line:?}");
    }

    #[test]
    fn contacts_by_chance_have_no_line() {
        let mut chance = Chance::of("poisson", &[]);
        let mut low = 0;
        for _ in 0..20 {
            let seconds: Vec<f64> = (0..300).map(|_| chance.below(604_800) as f64).collect();
            low += usize::from(line(seconds).p_value <= 0.05);
        }
        assert!(low <= 4, "{low} of 20");
    }

    #[test]
    fn bursts_by_chance_have_no_line() {
        let mut chance = Chance::of("bursts", &[]);
        let mut low = 0;
        for _ in 0..20 {
            let mut seconds: Vec<f64> =
                (0..120).map(|n| (n % 2 * 300_000) as f64 + chance.below(7_200_000) as f64 / 1e3).collect();
            seconds.sort_by(f64::total_cmp);
            low += usize::from(line(seconds).p_value <= 0.05);
        }
        assert!(low <= 4, "{low} of 20");
    }

    #[test]
    fn a_line_agrees_with_what_sampling_leaves() {
        // One in twenty of hourly check-ins of four months, thinned to those that a month sees.
        let mut chance = Chance::of("sampled", &[]);
        let hours: Vec<i64> = (0..700).filter(|_| chance.below(20) == 0).collect();
        let series = Series::of(hours.iter().map(|hour| Timestamp::from_seconds(hour * 3_600))).unwrap();
        let search = |seen| Periodogram::new().search(&series, Some(seen));
        let line = search(0.05);
        assert!((line.period_s / 3_600.0 - 1.0).abs() < 0.01 && line.p_value < 1e-4, "{line:?}");
        // Were all recorded, hourly ones would have left twenty times as many.
        assert!((search(1.0).period_s / 3_600.0 - 1.0).abs() > 0.5);
    }
}
