//! Whether there is an increase where nobody named a date: the split that separates low from high
//! best (`methods.md` §6.3).
//!
//! On y = √(winsorised octets a day), for each split t with [`LEAST_SEGMENT`] days on either side:
//!
//! S(t) = (mean after t − mean before t) · √(t·(n − t)/n)
//!
//! The largest S is the evidence; the change is dated by its [`onset`]. **Significance** by
//! burst-shuffle surrogates: the series is cut into pieces of an idle gap and the burst that follows
//! it, and the pieces are shuffled; p = (1 + #{max S* ≥ max S}) / (1 + surrogates), 199 of them, 1999
//! where these leave p at 1 % or below. Where none of these is as high and a hunt asks so many questions that p
//! is too large all the same, up to [`MOST_SURROGATES`] ([`again`]), until [`ENOUGH`] are as high. What is less by rounding alone is as high:
//! bursts of equal length often tie. Rotations would not do: the maximum over all t barely changes under them.
//!
//! Needs [`LEAST_BURSTS`] bursts. Assumes that bursts come in no order of their own; where large days follow large
//! ones, 5.2 % of 2,000 level series had a p of 5 % or less. The date is
//! off by 2 days on the median and 12 in one case of ten where activity rises fivefold (the test
//! `the_table_of_unknown_dates` measures it again). Wrong for slow growth, which has no date.
//!
//! **More than one**: what lies before and after a change with p ≤ 5 % is searched in its turn,
//! [`MOST_LEVELS`] deep. Increases alone are looked for. Each search is a test more: all are handed over,
//! so that the false-discovery rate is held over all ([`super::tell`]).
//!
//! ```
//! use rahdar_hunt::surge::change::changes;
//! use rahdar_hunt::surge::series::Series;
//! use rahdar_model::Day;
//!
//! // Every third day; tenfold from day 100 on.
//! let contact = (0..160).filter(|day| day % 3 == 0);
//! let contact = contact.map(|day| (Day(day), if day < 100 { 1e6 } else { 1e7 }));
//! let series = Series::of(contact, &|_| false).unwrap();
//! let found = changes(&series, b"an example");
//! assert!(found[0].p_value < 0.01 && found[0].parent.is_none());
//! assert!((99..=102).contains(&series.days()[found[0].place].0));
//! ```

use std::ops::Range;

use crate::chance::Chance;

use super::onset::onset;
use super::series::Series;

/// Days on either side of a split (`methods.md` §6.3).
pub const LEAST_SEGMENT: usize = 21;
/// Bursts without which a shuffle says nothing (`methods.md` §6.3).
pub const LEAST_BURSTS: usize = 12;
/// Surrogates at first.
pub const SURROGATES: usize = 199;
/// Surrogates where the first ones leave p at 1 % or below.
pub const MORE_SURROGATES: usize = 1_999;
/// Surrogates at most. Chosen here: what an increase needs that is the only one among 5,000 tests; less than a
/// second of work.
pub const MOST_SURROGATES: usize = 99_999;
/// Of more than [`MORE_SURROGATES`], as many as high as the data leave p well enough known.
pub const ENOUGH: usize = 10;
/// How deep the parts of a series are searched (`methods.md` §6.3).
pub const MOST_LEVELS: usize = 3;
/// The parts of a change are searched if it has this p or less.
const SEARCHED: f64 = 0.05;

/// A rise.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The part of the series that it divides.
    pub part: Range<usize>,
    /// The place of its first day.
    pub place: usize,
    /// The chance of such a rise without a change.
    pub p_value: f64,
    /// Whether no surrogate was as high: with more of them p might be lower.
    pub is_least: bool,
    /// The change whose part this one divides, by its place among all.
    pub parent: Option<usize>,
}

/// The highest rise of a series, of each of the parts that it divides, and so on: one for each test that
/// was made, whatever its p. A parent comes before its parts. `id` names the question, so that it gets the
/// same surrogates again.
pub fn changes(series: &Series, id: &[u8]) -> Vec<Change> {
    let octets = series.winsorised();
    let mut found = Vec::new();
    let mut open = vec![(0..octets.len(), 1, None)];
    while let Some((part, depth, parent)) = open.pop() {
        let Some(mut change) = change(series, &octets, part, MORE_SURROGATES, id) else { continue };
        change.parent = parent;
        if change.p_value <= SEARCHED && depth < MOST_LEVELS {
            let parent = Some(found.len());
            open.push((change.part.start..change.place, depth + 1, parent));
            open.push((change.place..change.part.end, depth + 1, parent));
        }
        found.push(change);
    }
    found
}

/// The same change, its p from up to `most` surrogates.
pub fn again(series: &Series, known: &Change, most: usize, id: &[u8]) -> Change {
    let found = change(series, &series.winsorised(), known.part.clone(), most.min(MOST_SURROGATES), id);
    found.map_or_else(|| known.clone(), |found| Change { parent: known.parent, ..found })
}

/// The chance of as high a rise at `place`, of the same part of another series. 1 where there is too little to split.
pub fn p_at(series: &Series, part: Range<usize>, place: usize, id: &[u8]) -> f64 {
    let own = roots(&series.winsorised()[part.clone()]);
    let rise = rise(own.len(), own.iter().sum(), own[..place - part.start].iter().sum(), place - part.start);
    chance(series, part, rise, MORE_SURROGATES, id).map_or(1.0, |(p_value, _)| p_value)
}

/// The best split of one part; none where there is too little to split.
fn change(series: &Series, octets: &[f64], part: Range<usize>, most: usize, id: &[u8]) -> Option<Change> {
    let (place, best) = split(&roots(&octets[part.clone()]))?;
    let place = onset(&octets[part.clone()]).unwrap_or(place);
    let (p_value, is_least) = chance(series, part.clone(), best, most, id)?;
    Some(Change { place: part.start + place, part, p_value, is_least, parent: None })
}

fn roots(octets: &[f64]) -> Vec<f64> {
    octets.iter().copied().map(f64::sqrt).collect()
}

/// The chance of a rise as high as `best` anywhere in this part, and whether no surrogate was as high; none where
/// there is too little to split.
fn chance(series: &Series, part: Range<usize>, best: f64, most: usize, id: &[u8]) -> Option<(f64, bool)> {
    let bursts = series.bursts(part.clone());
    if part.len() < 2 * LEAST_SEGMENT || bursts.len() < LEAST_BURSTS {
        return None;
    }
    let own = roots(&series.winsorised()[part.clone()]);
    let mut pieces = pieces(&bursts, &part);
    let mut chance = Chance::of("change of level", &[id, &(part.start as u64).to_le_bytes()]);
    let mut shuffled = Vec::with_capacity(own.len());
    // What differs by rounding alone is equal.
    let least = best - 1e-9 * own.iter().sum::<f64>() / (own.len() as f64).sqrt();
    let (mut as_high, mut drawn) = (0, 0);
    while drawn < MORE_SURROGATES || (drawn < most && as_high < ENOUGH) {
        chance.shuffle(&mut pieces);
        shuffled.clear();
        pieces.iter().for_each(|piece| shuffled.extend_from_slice(&own[piece.clone()]));
        as_high += usize::from(split(&shuffled).is_some_and(|(_, high)| high >= least));
        drawn += 1;
        if drawn == SURROGATES && (1 + as_high) * 100 > 1 + SURROGATES {
            break;
        }
    }
    Some(((1 + as_high) as f64 / (1 + drawn) as f64, as_high == 0))
}

/// The place of the highest S and S; none if nothing rises.
fn split(octets: &[f64]) -> Option<(usize, f64)> {
    let n = octets.len();
    let all: f64 = octets.iter().sum();
    let mut before = 0.0;
    let mut best = None;
    for (t, octets) in (1..n).zip(octets) {
        before += octets;
        if t < LEAST_SEGMENT || n - t < LEAST_SEGMENT {
            continue;
        }
        let high = rise(n, all, before, t);
        if high > 0.0 && best.is_none_or(|(_, most)| high > most) {
            best = Some((t, high));
        }
    }
    best
}

/// S(t), of n days with these sums, of all and of those before.
fn rise(n: usize, all: f64, before: f64, t: usize) -> f64 {
    let (t_days, rest) = (t as f64, (n - t) as f64);
    ((all - before) / rest - before / t_days) * (t_days * rest / n as f64).sqrt()
}

/// What precedes each burst, with it; the last takes what follows too. Places count from the
/// start of `part`.
fn pieces(bursts: &[Range<usize>], part: &Range<usize>) -> Vec<Range<usize>> {
    let mut ends: Vec<usize> = bursts.iter().map(|burst| burst.end - part.start).collect();
    if let Some(last) = ends.last_mut() {
        *last = part.len();
    }
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(&ends).map(|(from, to)| from..*to).collect()
}

#[cfg(test)]
mod tests {
    use rahdar_model::Day;

    use super::*;

    fn series(octets: impl Fn(i32) -> f64, days: i32) -> Series {
        let contact = (0..days).filter(|day| day * day % 7 < 3).map(|day| (Day(day), octets(day)));
        Series::of(contact, &|_| false).unwrap()
    }

    #[test]
    fn a_level_series_has_no_change() {
        let level = changes(&series(|day| 1e6 + f64::from(day * 7_919 % 1_000) * 1e3, 300), b"level");
        assert!(level.len() == 1 && level[0].p_value > 0.05, "{level:?}");
    }

    #[test]
    fn two_rises_are_two_changes() {
        let stairs = |day: i32| [1e5, 1e6, 1e7][(day / 150) as usize];
        let mut found = changes(&series(stairs, 450), b"stairs");
        assert!(found.iter().enumerate().all(|(i, change)| change.parent.is_none_or(|parent| parent < i)));
        found.retain(|change| change.p_value <= SEARCHED);
        let mut places: Vec<usize> = found.iter().map(|change| change.place).collect();
        places.sort_unstable();
        assert_eq!(places.len(), 2, "{found:?}");
        assert!(places[0].abs_diff(150) <= 3 && places[1].abs_diff(300) <= 3, "{places:?}");
    }

    #[test]
    fn more_surrogates_tell_a_lower_chance() {
        let risen = series(|day| if day < 200 { 1e5 } else { 1e7 }, 300);
        let found = &changes(&risen, b"risen")[0];
        assert!(found.is_least && found.p_value == 1.0 / 2_000.0, "{found:?}");
        let told = again(&risen, found, 9_999, b"risen");
        assert!(told.p_value <= 2.0 / 10_000.0 && told.place == found.place, "{told:?}");
    }

    /// The cost of a partition is what the squares of its parts leave, as `ruptures` has it for l2.
    #[test]
    fn the_split_is_the_partition_of_least_cost() {
        let octets: Vec<f64> =
            (0..120).map(|day| f64::from(day * 37 % 11) + if day < 70 { 0.0 } else { 4.0 }).collect();
        let cost = |part: &[f64]| {
            let mean = part.iter().sum::<f64>() / part.len() as f64;
            part.iter().map(|octets| (octets - mean).powi(2)).sum::<f64>()
        };
        let of = |t: usize| cost(&octets[..t]) + cost(&octets[t..]);
        let least = (LEAST_SEGMENT..=120 - LEAST_SEGMENT).map(of).fold(f64::INFINITY, f64::min);
        let (place, high) = split(&octets).unwrap();
        assert!((of(place) / least - 1.0).abs() < 1e-9 && place.abs_diff(70) <= 1, "{place}");
        assert!(((cost(&octets) - high * high) / least - 1.0).abs() < 1e-9);
    }

    /// Bursts of equal length that are shuffled into the same split tie. Roots that are whole numbers add up exactly
    /// in any order, tenths of them do not.
    #[test]
    fn ties_are_ties_in_every_unit() {
        let p_of = |seed: i32, unit: f64| {
            let burst = |day: i32| (day / 8 * (7 + 2 * seed) + seed) % 12 + if day < 48 { 1 } else { 9 };
            let root = |day: i32| f64::from(burst(day)) * unit;
            let contact = (0..96).filter(|day| day % 8 < 4).map(|day| (Day(day), root(day).powi(2)));
            changes(&Series::of(contact, &|_| false).unwrap(), b"ties")[0].p_value
        };
        for seed in 0..30 {
            assert_eq!(p_of(seed, 0.1), p_of(seed, 1.0), "{seed}");
        }
    }

    #[test]
    fn too_little_is_not_split() {
        assert!(changes(&series(|_| 1.0, 40), b"").is_empty());
        let one_burst = Series::of((0..100).map(|day| (Day(day), 1.0)), &|_| false).unwrap();
        assert!(changes(&one_burst, b"").is_empty());
    }
}
