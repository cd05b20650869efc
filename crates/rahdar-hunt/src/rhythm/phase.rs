//! The phase of intervals: rhythm that survives lost check-ins (`methods.md` §3.3, step 3).
//!
//! For a period T, in seconds, over the intervals d with T/2 ≤ d ≤ 12·T:
//!
//! Z(T) = Σ w·cos(2π·d/T) / √(Σ w²/2), w = e^(−d/3T)
//!
//! A missed check-in leaves d ≈ 2T, a cosine of 1 all the same. Jitter does not accumulate: only
//! neighbours are compared. What it leaves of the phase over k missed cycles falls like
//! e^(−2π²kσ²/T²), and w with it: equal weights, as `methods.md` has them, drown the few intervals
//! that tell in the many that cannot (jitter of 25 % with nine in ten lost: Z 5.4, and 3.9). T runs from 30 s to 12 h in steps of 1 %; periods that fewer than
//! 8 intervals, or a fifth of all, could belong to are left out. The largest Z counts.
//!
//! **Significance**: up to 1999 surrogates, or 199 where another method leaves no doubt; where none of these
//! is as good and so many questions are asked at once that p is too large all the same, up to
//! [`MOST_SURROGATES`]. A surrogate multiplies each interval by exp(N(0, 0.35²)), which keeps rate and burstiness and destroys
//! rhythm. p = (1 + #{Z* ≥ Z}) / (1 + number of surrogates). Once [`ENOUGH`] surrogates are as
//! good, no more are drawn: p = [`ENOUGH`] / number drawn (Besag and Clifford, Biometrika 78:301,
//! 1991).
//!
//! Not asked of who calls less than every twelve hours, by the median interval ([`is_rare`]): the calendar makes the days of people
//! even, and a person at nine on each workday leaves multiples of 24 hours.
//!
//! Assumes that neighbouring intervals do not depend on one another beyond their rate. Wrong, and
//! then blind, where 98 of 100 check-ins are lost or jitter is half the period.
//!
//! **Several victims of one server** ([`search`] with several sets of intervals, `methods.md`
//! §3.4): Z = Σ Z_c(T) / √(clients), since their phases are independent. A fleet is found that no
//! member gives away.
//!
//! Cosines are taken from a table on a logarithmic grid, eight steps to 1 % of T, so that Z is a
//! sum of whole numbers: the same on every machine. At d = 12·T a step is 2.7° of phase.
//!
//! ```
//! use rahdar_hunt::rhythm::phase::{Phases, search};
//!
//! // A check-in every 5 minutes of which two in three are missed: intervals of 5, 10, 15, 20 min.
//! let intervals: Vec<f64> = (0..60).map(|n| 300.0 * f64::from(1 + n * 7 % 4)).collect();
//! let found = search(&Phases::new(), &[&intervals], 199, b"an example").unwrap();
//! assert!((found.period_s / 300.0 - 1.0).abs() < 0.01 && found.p_value <= 0.005);
//! ```

use std::f64::consts::PI;

use statrs::distribution::{ContinuousCDF, Normal};

use crate::chance::Chance;

use super::series::SHORTEST_S;

/// The longest period looked for, in seconds: twelve hours (`methods.md` §3.3).
pub const LONGEST_S: f64 = 12.0 * 3_600.0;
/// Intervals of one victim that are looked at; of more, every so-many-th of the sorted ones.
pub const MOST_INTERVALS: usize = 1_500;
/// Surrogates where p matters little.
pub const SURROGATES: usize = 199;
/// Surrogates at most, unless many questions are asked at once (`methods.md` §3.3).
pub const MORE_SURROGATES: usize = 1_999;
/// Surrogates at most. Chosen here: what a rhythm needs that is the only one among 1,000 questions.
pub const MOST_SURROGATES: usize = 59_999;
/// Surrogates as good as the data after which p is known well enough.
pub const ENOUGH: usize = 10;

/// Standard deviation of the logarithm of what a surrogate multiplies by.
const DITHER: f64 = 0.35;
/// Periods after which an interval weighs 1/e. Chosen here: what jitter of 25 % leaves of the phase by
/// then.
const FADE: f64 = 3.0;
/// Steps of the interval grid to one of the period grid.
const FINE: usize = 8;
/// Periods: 30 s · 1.01^k up to [`LONGEST_S`].
const PERIODS: usize = 731;
/// Periods that one interval speaks to: from d/12 to 2·d, a ratio of 23.9.
const REACH: usize = 319;
/// Places of the interval grid, from T_min/2 on.
const PLACES: usize = FINE * (PERIODS + REACH - 1);
/// Periods that an interval lasts at most.
const MOST_CYCLES: u32 = 12;
/// What 1 counts: 1500 of it stay far below 2^31.
const ONE: f64 = 16_384.0;
/// Draws of the normal distribution, at equal distances of probability.
const NORMALS: usize = 4_096;

/// The tables: made once, used for all.
#[derive(Debug, Clone)]
pub struct Phases {
    /// By phase of the interval grid.
    rows: Vec<Row>,
    /// Steps of the interval grid that a surrogate moves an interval by.
    dither: Vec<i32>,
}

/// What one interval says to each period that it speaks to, the longest first.
#[derive(Debug, Clone)]
struct Row {
    /// w·cos.
    waves: [i32; REACH],
    /// w².
    squares: [i32; REACH],
}

/// The best period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// In seconds.
    pub period_s: f64,
    /// Z: standard deviations above no rhythm.
    pub z: f64,
    /// The mean cosine, -1 to 1.
    pub strength: f64,
    /// The chance of such a Z without a rhythm.
    pub p_value: f64,
    /// Whether no surrogate was as good: with more of them p might be lower.
    pub is_least: bool,
}

impl Default for Phases {
    fn default() -> Self {
        Self::new()
    }
}

impl Phases {
    /// Makes the tables.
    pub fn new() -> Self {
        // Interval places count from T_min/2, so that place x of period 0 is the ratio e^(x·step)/2.
        let of = |phase: usize, say: &dyn Fn(f64) -> f64| {
            std::array::from_fn(|j| {
                let x = phase + FINE * (REACH - 1 - j);
                (say(libm::exp(step() * x as f64) / 2.0) * ONE).round() as i32
            })
        };
        let row = |phase| Row {
            waves: of(phase, &|ratio| weight(ratio) * libm::cos(2.0 * PI * ratio)),
            squares: of(phase, &|ratio| weight(ratio) * weight(ratio)),
        };
        let normal = Normal::standard();
        let draw = |i: usize| {
            let z = normal.inverse_cdf((i as f64 + 0.5) / NORMALS as f64);
            (DITHER * z / step()).round() as i32
        };
        Self { rows: (0..FINE).map(row).collect(), dither: (0..NORMALS).map(draw).collect() }
    }

    /// Where each interval lies on the grid. The intervals are thinned to [`MOST_INTERVALS`].
    fn places(&self, intervals_s: &[f64]) -> Vec<i32> {
        let mut sorted = intervals_s.to_vec();
        sorted.sort_by(f64::total_cmp);
        let kept = sorted.len().min(MOST_INTERVALS);
        let thinned = (0..kept).map(|i| sorted[i * sorted.len() / kept]);
        thinned.map(|d| (libm::log(2.0 * d / SHORTEST_S) / step()).round() as i32).collect()
    }

    /// Adds Z(T) of these intervals to `sum`.
    fn add(&self, places: impl Iterator<Item = i32>, sheet: &mut Sheet, sum: &mut [f64; PERIODS]) {
        sheet.waves.fill(0);
        sheet.squares.fill(0);
        sheet.counts.fill(0);
        let mut all = 0_u32;
        for place in places {
            all += 1;
            let Ok(place) = usize::try_from(place) else { continue };
            if place >= PLACES {
                continue;
            }
            let first = place / FINE;
            let row = &self.rows[place % FINE];
            for (sum, wave) in sheet.waves[first..first + REACH].iter_mut().zip(&row.waves) {
                *sum += wave;
            }
            for (sum, square) in sheet.squares[first..first + REACH].iter_mut().zip(&row.squares) {
                *sum += square;
            }
            sheet.counts[first] += 1;
        }
        let least = (f64::from(all) * 0.2).max(8.0);
        // Interval place k speaks to periods k − REACH + 1 ..= k: a sliding sum counts them.
        let mut count: u32 = sheet.counts[..REACH - 1].iter().sum();
        for (period, sum) in sum.iter_mut().enumerate() {
            count += sheet.counts[period + REACH - 1];
            if f64::from(count) >= least {
                let at = period + REACH - 1;
                let (wave, square) = (f64::from(sheet.waves[at]) / ONE, f64::from(sheet.squares[at]) / ONE);
                *sum += wave / (square / 2.0).sqrt();
            }
            count -= sheet.counts[period];
        }
    }
}

/// Room for one evaluation.
struct Sheet {
    waves: Vec<i32>,
    squares: Vec<i32>,
    counts: Vec<u32>,
}

impl Sheet {
    fn new() -> Self {
        let zeros = vec![0; PERIODS + 2 * REACH];
        Self { waves: zeros.clone(), squares: zeros, counts: vec![0; PERIODS + REACH] }
    }
}

/// What an interval of so many periods weighs.
fn weight(ratio: f64) -> f64 {
    libm::exp(-ratio / FADE)
}

/// The natural logarithm of one step of the interval grid.
fn step() -> f64 {
    libm::log(1.01) / FINE as f64
}

/// Whether half of the intervals, or more, are longer than any period that is looked for.
pub fn is_rare(intervals_s: &[f64]) -> bool {
    let mut sorted = intervals_s.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    !sorted.is_empty() && super::series::median(&sorted) > LONGEST_S
}

/// The period that the intervals of `clients` share, if any speaks to one. `most` surrogates are
/// drawn; `id` names the question, so that it gets the same surrogates again.
pub fn search(phases: &Phases, clients: &[&[f64]], most: usize, id: &[u8]) -> Option<Found> {
    let clients: Vec<&[f64]> = clients.iter().copied().filter(|own| !is_rare(own)).collect();
    let places: Vec<Vec<i32>> = clients.iter().map(|intervals| phases.places(intervals)).collect();
    let mut sheet = Sheet::new();
    let mut z = [0.0; PERIODS];
    for places in &places {
        phases.add(places.iter().copied(), &mut sheet, &mut z);
    }
    let (best, top) = highest(&z)?;
    let mut chance = Chance::of("phase of intervals", &[id]);
    let (mut as_good, mut drawn) = (0, 0);
    while drawn < most && as_good < ENOUGH {
        let mut surrogate = [0.0; PERIODS];
        for places in &places {
            let mut bits = Bits::of(&mut chance);
            let dithered = places.iter().map(|place| place.saturating_add(phases.dither[bits.next_twelve()]));
            phases.add(dithered, &mut sheet, &mut surrogate);
        }
        drawn += 1;
        as_good += usize::from(highest(&surrogate).is_some_and(|(_, z)| z >= top));
    }
    let p_value = if as_good >= ENOUGH {
        as_good as f64 / drawn as f64
    } else {
        (1 + as_good) as f64 / (1 + drawn) as f64
    };
    let period_s = refined(&clients, period(best));
    let all = || clients.iter().flat_map(|intervals| intervals.iter().copied());
    Some(Found {
        period_s,
        z: top / (clients.len() as f64).sqrt(),
        strength: strength(all(), period_s),
        p_value,
        is_least: as_good == 0,
    })
}

/// The largest Z of these intervals of several clients, all of whom are asked; 0 of none.
pub(super) fn top(phases: &Phases, clients: &[Vec<f64>]) -> f64 {
    let (mut sheet, mut z) = (Sheet::new(), [0.0; PERIODS]);
    for intervals in clients {
        phases.add(phases.places(intervals).into_iter(), &mut sheet, &mut z);
    }
    highest(&z).map_or(0.0, |(_, z)| z)
}

/// The highest positive sum, and where.
fn highest(z: &[f64; PERIODS]) -> Option<(usize, f64)> {
    let best = (0..PERIODS).rev().max_by(|a, b| z[*a].total_cmp(&z[*b]))?;
    (z[best] > 0.0).then_some((best, z[best]))
}

/// The period of a place on the grid, in seconds.
fn period(place: usize) -> f64 {
    SHORTEST_S * libm::exp(libm::log(1.01) * place as f64)
}

/// The period nearer than the grid has it: the median of d/k, with k the whole number of periods
/// that an interval d lasts. Of a beacon without jitter T/2 and T/3 are as good as T: where most k
/// have a divisor, the period is longer by it.
fn refined(clients: &[&[f64]], period_s: f64) -> f64 {
    let mut period_s = period_s;
    for _ in 0..2 {
        let cycles = cycles(clients, period_s);
        let divides = |m: u32| cycles.iter().filter(|(k, _)| k % m == 0).count() * 4 >= cycles.len() * 3;
        let divisor = (2..=MOST_CYCLES).rev().find(|m| divides(*m)).unwrap_or(1);
        let mut ratios: Vec<f64> =
            cycles.iter().map(|(k, d)| d * f64::from(divisor) / f64::from(*k)).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        if !ratios.is_empty() {
            period_s = super::series::median(&ratios);
        }
    }
    period_s
}

/// The intervals that last one period to [`MOST_CYCLES`], to the nearest whole number, and that
/// number.
pub(super) fn cycles(clients: &[&[f64]], period_s: f64) -> Vec<(u32, f64)> {
    let whole = |d: &f64| {
        let k = (d / period_s).round();
        (1.0..=f64::from(MOST_CYCLES)).contains(&k).then_some((k as u32, *d))
    };
    clients.iter().flat_map(|intervals| intervals.iter()).filter_map(whole).collect()
}

/// The mean cosine over the intervals that speak to this period.
fn strength(intervals: impl Iterator<Item = f64>, period_s: f64) -> f64 {
    let ratios = intervals.map(|d| d / period_s).filter(|ratio| (0.5..=12.0).contains(ratio));
    let (sum, count) =
        ratios.fold((0.0, 0.0), |(sum, count), ratio| (sum + libm::cos(2.0 * PI * ratio), count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// Twelve bits at a time.
struct Bits<'a> {
    chance: &'a mut Chance,
    left: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    fn of(chance: &'a mut Chance) -> Self {
        Self { chance, left: 0, count: 0 }
    }

    fn next_twelve(&mut self) -> usize {
        if self.count == 0 {
            (self.left, self.count) = (self.chance.bits(), 5);
        }
        let twelve = self.left % NORMALS as u64;
        self.left /= NORMALS as u64;
        self.count -= 1;
        twelve as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(intervals: &[f64], period_s: f64) {
        let found = search(&Phases::new(), &[intervals], SURROGATES, b"test").unwrap();
        assert!((found.period_s / period_s - 1.0).abs() < 0.02, "{found:?} is not {period_s}");
        assert!(found.p_value <= 0.01, "{found:?}");
    }

    #[test]
    fn a_rhythm_without_jitter_is_found_and_not_its_half() {
        check(&[300.0; 40], 300.0);
        check(&[3_600.0; 40], 3_600.0);
    }

    #[test]
    fn one_sided_jitter_has_its_mean_for_a_period() {
        let intervals: Vec<f64> = (0..200).map(|n| 38.0 + f64::from(n * 7 % 23)).collect();
        check(&intervals, 49.0);
    }

    #[test]
    fn the_table_agrees_with_the_cosines() {
        let intervals: Vec<f64> = (1..60).map(|n| 97.0 * f64::from(n)).collect();
        let phases = Phases::new();
        let mut z = [0.0; PERIODS];
        let mut sheet = Sheet::new();
        phases.add(phases.places(&intervals).into_iter(), &mut sheet, &mut z);
        for place in [150, 200, 250, 300] {
            let t = period(place);
            let inside: Vec<f64> =
                intervals.iter().map(|d| d / t).filter(|r| (0.5..=11.94).contains(r)).collect();
            let waves: f64 = inside.iter().map(|r| weight(*r) * (2.0 * PI * r).cos()).sum();
            let squares: f64 = inside.iter().map(|r| weight(*r) * weight(*r)).sum();
            let exact = waves / (squares / 2.0).sqrt();
            assert!((z[place] - exact).abs() < 0.35, "{place}: {} is not {exact}", z[place]);
        }
    }

    #[test]
    fn a_fleet_is_found_that_no_member_gives_away() {
        let phases = Phases::new();
        let mut chance = Chance::of("fleet", &[]);
        let member = |chance: &mut Chance| -> Vec<f64> {
            // Jitter of ±35 %: weak alone.
            (0..24).map(|_| 300.0 * (0.65 + 0.7 * (chance.below(1_000) as f64 / 1_000.0))).collect()
        };
        let fleet: Vec<Vec<f64>> = (0..20).map(|_| member(&mut chance)).collect();
        let together: Vec<&[f64]> = fleet.iter().map(Vec::as_slice).collect();
        let alone = search(&phases, &together[..1], SURROGATES, b"one").unwrap();
        let all = search(&phases, &together, SURROGATES, b"all").unwrap();
        assert!(all.z > alone.z && all.p_value <= 0.01, "{alone:?} {all:?}");
        assert!((all.period_s / 300.0 - 1.0).abs() < 0.05, "{all:?}");
    }

    #[test]
    fn a_person_once_a_workday_is_not_asked() {
        // At nine, give or take an hour, for four weeks.
        let off = |day: u32| f64::from(day * 37 % 61) * 60.0 - 1_800.0;
        let times: Vec<f64> =
            (0..26).filter(|day| day % 7 < 5).map(|day| 86_400.0 * f64::from(day) + off(day)).collect();
        let intervals: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(search(&Phases::new(), &[&intervals], SURROGATES, b"test"), None);
        assert!(is_rare(&intervals) && !is_rare(&[300.0; 40]) && !is_rare(&[]));
    }

    #[test]
    fn nothing_to_search_finds_nothing() {
        assert_eq!(search(&Phases::new(), &[&[]], SURROGATES, b""), None);
        assert_eq!(search(&Phases::new(), &[], SURROGATES, b""), None);
        assert_eq!(search(&Phases::new(), &[&[1e300, f64::INFINITY, 4.0]], SURROGATES, b""), None);
    }
}
