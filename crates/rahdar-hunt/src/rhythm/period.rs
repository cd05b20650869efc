//! How long the period is, where a rhythm is held: by likelihood, not by who is loudest.
//!
//! [`phase`](super::phase) tells that there is a rhythm. With sleeps of T·(1 ± 0.5) its loudest period is 2T/3, of
//! which all intervals are 0.75 to 2.25; half of the check-ins would be unseen then. What is likelier is told here.
//!
//! An interval d lasts k periods with chance r·(1 − r)^(k−1), where a part r of all check-ins is seen, each by chance.
//! Given k it is normal about k·T, with a variance of k·σ² (sleeps, whose drift accumulates) or σ² (a clock). A part
//! o of all intervals is none of these, and has density 1/(d·ln(range)). T, σ, r and o are fitted by expectation and
//! maximization from [`STARTS`] periods, two spreads and both kinds: all of them on few of the intervals, the best to the
//! end on more; the highest likelihood is told.
//!
//! **How sure**: [`Told::within_s`] holds the periods that a likelihood ratio does not refuse: 2·ln < [`REFUSED`]
//! about the best, and all rivals (2/3, 1/2, 2×) whose ln is less than [`RIVAL`] below it. Where more than
//! [`MOST_OTHER`] of the intervals fit none, it reaches to what the phase says too.
//!
//! Assumes that check-ins are lost one by one, and sleeps that are about normal. Those of most tools are uniform: with
//! jitter of half the period and half of the check-ins lost the likeliest is up to a tenth too long. So the range is wider by
//! (1 − r)·(σ/T)² at either end. Wrong where losses have a rhythm of their own.
//!
//! ```
//! use rahdar_hunt::rhythm::period::told;
//!
//! // A sleep of 5 minutes ± 50 %, all seen.
//! let intervals: Vec<f64> = (0..505).map(|n| 150.0 + 3.0 * f64::from(n * 37 % 101)).collect();
//! let told = told(&intervals, 200.0).unwrap();
//! assert!((told.period_s / 300.0 - 1.0).abs() < 0.02 && told.seen > 0.95);
//! ```

use std::f64::consts::TAU;

use super::series::median;

/// Periods that the search begins from, at equal ratios.
pub const STARTS: u32 = 24;
/// Twice the logarithm of a likelihood ratio that refuses a period: χ² of one degree at 1 %.
pub const REFUSED: f64 = 6.6;
/// The logarithm of a likelihood ratio that refuses another period altogether. Chosen here: 1 in 150.
pub const RIVAL: f64 = 5.0;
/// Periods that differ by more are rivals, not neighbours.
const APART: f64 = 0.1;
/// The part of intervals that fit no period above which the fit is not trusted alone. Chosen here.
pub const MOST_OTHER: f64 = 0.2;

/// Periods that an interval lasts at most.
const MOST_CYCLES: usize = 64;
/// Intervals that are looked at to find where to begin, and then: of more, every so-many-th of the sorted ones.
const FEW: usize = 100;
/// See [`FEW`].
const MANY: usize = 400;
/// Intervals that the likelihood counts at most: of more, how sleeps are not normal would be told as sure.
const COUNTED: usize = 1_500;
/// Fits that are followed: from all starts, from the best of these, and to their end.
const FOLLOWED: [usize; 2] = [16, 8];
/// A step that changes less, as a part, is the last.
const STILL: f64 = 1e-5;
/// The least spread, in seconds and as a part of the period.
const LEAST_SPREAD: (f64, f64) = (0.3, 0.002);

/// The likeliest period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// In seconds.
    pub period_s: f64,
    /// The periods that are not refused, in seconds: from, to.
    pub within_s: (f64, f64),
    /// The part of check-ins that was seen, 0–1.
    pub seen: f64,
}

/// The likeliest period of these intervals, in any order; `phase_s` is what their phase says. None of fewer than eight.
pub fn told(intervals_s: &[f64], phase_s: f64) -> Option<Told> {
    let mut sorted: Vec<f64> = intervals_s.iter().copied().filter(|d| d.is_finite() && *d > 0.0).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    if sorted.len() < 8 {
        return None;
    }
    let (few, all) = (Intervals::of(&sorted, FEW), Intervals::of(&sorted, MANY));
    let begun = few.followed(&few.begun(phase_s), FOLLOWED[0], 10);
    let fits = all.followed(&begun, FOLLOWED[1], 25);
    let best = *fits.first()?;
    let rivals = fits.iter().filter(|fit| {
        (fit.period_s / best.period_s - 1.0).abs() > APART && best.likelihood - fit.likelihood < RIVAL
    });
    let mut others: Vec<f64> = rivals.map(|fit| fit.period_s).collect();
    others.extend((best.other > MOST_OTHER).then_some(phase_s));
    // Sleeps are not normal: where some are lost, that moves the likeliest.
    let blur = (1.0 - best.seen) * (best.spread_s / best.period_s).powi(2);
    let near = (all.edge(&best, -1.0) * (1.0 - blur), all.edge(&best, 1.0) * (1.0 + blur));
    let within_s = others.iter().fold(near, |(from, to), other| (from.min(*other), to.max(*other)));
    Some(Told { period_s: best.period_s, within_s, seen: best.seen })
}

/// One hypothesis.
#[derive(Debug, Clone, Copy)]
struct Fit {
    period_s: f64,
    spread_s: f64,
    seen: f64,
    other: f64,
    /// Whether drift accumulates.
    adds: bool,
    /// The logarithm of it, before the last step.
    likelihood: f64,
}

impl Fit {
    /// What a variance of one period becomes over `k`.
    fn grown(&self, k: f64) -> f64 {
        if self.adds { k } else { 1.0 }
    }

    fn is_near(&self, other: &Self) -> bool {
        let is = |a: f64, b: f64| (a - b).abs() <= STILL * b;
        is(self.period_s, other.period_s) && is(self.spread_s, other.spread_s) && is(self.seen, other.seen)
    }
}

/// Sums over all intervals and numbers of periods, by how likely these are.
#[derive(Default)]
struct Sums {
    one: f64,
    cycles: f64,
    /// Of k·d, k² and d², each over the growth of its variance.
    product: f64,
    squares: f64,
    lengths: f64,
    likelihood: f64,
}

struct Intervals {
    sorted: Vec<f64>,
    /// How many each stands for.
    weight: f64,
    ln_range: f64,
}

impl Intervals {
    /// So many of the sorted ones at most, at equal distances.
    fn of(sorted: &[f64], most: usize) -> Self {
        let (n, kept) = (sorted.len(), sorted.len().min(most));
        let range = sorted[n - 1] / sorted[0];
        Self {
            sorted: (0..kept).map(|i| sorted[(2 * i + 1) * n / (2 * kept)]).collect(),
            weight: n.min(COUNTED) as f64 / kept as f64,
            ln_range: libm::log(range) + 0.5,
        }
    }

    /// Fits from all starts, the likeliest first.
    fn begun(&self, phase_s: f64) -> Vec<Fit> {
        let n = self.sorted.len();
        let mean = self.sorted.iter().sum::<f64>() / n as f64;
        let low = (self.sorted[n / 50] * 0.7).max(mean / 40.0);
        let high = (median(&self.sorted).max(mean) * 1.2).max(low);
        let ratio = libm::log(high / low) / f64::from(STARTS - 1);
        let starts = (0..STARTS).map(|i| low * libm::exp(ratio * f64::from(i))).chain([phase_s]);
        let mut fits = Vec::new();
        for period_s in starts {
            for (adds, spread) in [(true, 0.05), (true, 0.25), (false, 0.05), (false, 0.25)] {
                let seen = (period_s / mean).clamp(0.03, 0.98);
                let spread_s = spread * period_s;
                let start = Fit { period_s, spread_s, seen, other: 0.02, adds, likelihood: 0.0 };
                fits.push(self.fitted(start, 3, false));
            }
        }
        fits.sort_by(|a, b| b.likelihood.total_cmp(&a.likelihood));
        fits
    }

    /// The likeliest of each period and kind, so many at most, after so many more steps, the likeliest first.
    fn followed(&self, fits: &[Fit], most: usize, steps: u32) -> Vec<Fit> {
        let mut kept: Vec<Fit> = Vec::new();
        for fit in fits {
            let is_kept = |other: &Fit| {
                other.adds == fit.adds && (other.period_s / fit.period_s - 1.0).abs() < APART / 3.0
            };
            if kept.len() < most && !kept.iter().any(is_kept) {
                kept.push(*fit);
            }
        }
        let mut fits: Vec<Fit> = kept.into_iter().map(|fit| self.fitted(fit, steps, false)).collect();
        fits.sort_by(|a, b| b.likelihood.total_cmp(&a.likelihood));
        fits
    }

    /// After so many steps at most, the period held if `is_held`.
    fn fitted(&self, start: Fit, steps: u32, is_held: bool) -> Fit {
        let mut fit = start;
        for _ in 0..steps {
            let next = self.step(&fit, is_held);
            let is_still = next.is_near(&fit);
            fit = next;
            if is_still {
                break;
            }
        }
        Fit { likelihood: self.weight * self.sums(&fit).likelihood, ..fit }
    }

    fn step(&self, fit: &Fit, is_held: bool) -> Fit {
        let sums = self.sums(fit);
        if sums.one < 4.0 {
            return *fit;
        }
        let period_s = if is_held { fit.period_s } else { sums.product / sums.squares };
        let variance =
            (sums.lengths - 2.0 * period_s * sums.product + period_s * period_s * sums.squares) / sums.one;
        let least = LEAST_SPREAD.0.max(LEAST_SPREAD.1 * period_s);
        Fit {
            period_s,
            spread_s: variance.max(0.0).sqrt().min(0.6 * period_s).max(least),
            seen: (sums.one / sums.cycles).clamp(0.02, 1.0 - 1e-6),
            other: (1.0 - sums.one / self.sorted.len() as f64).clamp(0.002, 0.3),
            ..*fit
        }
    }

    fn sums(&self, fit: &Fit) -> Sums {
        let t = fit.period_s;
        let unit = fit.spread_s * fit.spread_s;
        let weights: [f64; MOST_CYCLES + 1] = std::array::from_fn(|k| {
            let chance = fit.seen * (1.0 - fit.seen).powi(k as i32 - 1);
            (1.0 - fit.other) * chance / (TAU * unit * fit.grown(k as f64)).sqrt()
        });
        let mut sums = Sums::default();
        for d in &self.sorted {
            let reach = 4.0 * fit.spread_s * fit.grown((d / t).max(1.0)).sqrt() / t;
            let from = (d / t - reach).floor().max(1.0) as usize;
            let to = (d / t + reach).ceil().min(MOST_CYCLES as f64) as usize;
            let mut own = Sums::default();
            for (k, weight) in weights.iter().enumerate().take(to + 1).skip(from) {
                let k = k as f64;
                let (off, grown) = (d - k * t, fit.grown(k));
                let density = weight * libm::exp(-0.5 * off * off / (unit * grown));
                own.one += density;
                own.cycles += density * k;
                own.product += density * k * d / grown;
                own.squares += density * k * k / grown;
                own.lengths += density * d * d / grown;
            }
            let density = own.one + fit.other / (d * self.ln_range);
            sums.one += own.one / density;
            sums.cycles += own.cycles / density;
            sums.product += own.product / density;
            sums.squares += own.squares / density;
            sums.lengths += own.lengths / density;
            sums.likelihood += libm::log(density);
        }
        sums
    }

    /// Where on this side of the best periods begin to be refused; half of it away at the most.
    fn edge(&self, best: &Fit, side: f64) -> f64 {
        let held = |from: &Fit, off: f64| {
            self.fitted(Fit { period_s: best.period_s * (1.0 + side * off), ..*from }, 4, true)
        };
        let is_refused = |fit: &Fit| 2.0 * (best.likelihood - fit.likelihood) > REFUSED;
        let (mut inside, mut off) = ((0.0, *best), 0.000_5);
        while off < 0.5 {
            let fit = held(&inside.1, off);
            if is_refused(&fit) {
                break;
            }
            inside = (off, fit);
            off *= 1.6;
        }
        let mut outside = off.min(0.5);
        for _ in 0..4 {
            let between = 0.5 * (inside.0 + outside);
            let fit = held(&inside.1, between);
            if is_refused(&fit) { outside = between } else { inside = (between, fit) }
        }
        best.period_s * (1.0 + side * outside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_half_a_period_are_told_apart() {
        // Two in three unseen, no jitter; one in two of T = 2 · 150 is another thing than all of 300.
        let lossy: Vec<f64> = (0..60).map(|n| 300.0 * f64::from(1 + n * 7 % 4)).collect();
        let lossy = told(&lossy, 150.0).unwrap();
        assert!((lossy.period_s / 300.0 - 1.0).abs() < 0.01 && lossy.within_s.0 > 290.0, "{lossy:?}");
        assert!((0.3..0.5).contains(&lossy.seen), "{lossy:?}");
    }

    #[test]
    fn few_and_spread_out_intervals_leave_a_wide_range() {
        let few: Vec<f64> = (0..12).map(|n| 150.0 + 300.0 * f64::from(n * 5 % 12) / 11.0).collect();
        let few = told(&few, 200.0).unwrap();
        assert!(few.within_s.1 / few.within_s.0 > 1.1, "{few:?}");
        assert!((few.within_s.0..few.within_s.1).contains(&300.0), "{few:?}");
        assert_eq!(told(&[300.0; 7], 300.0), None);
    }
}
