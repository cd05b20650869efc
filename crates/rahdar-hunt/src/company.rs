//! Two clusters on one victim: one operation, one toolbox, or nothing but the victim
//! (`methods.md` §7.6).
//!
//! | what they share | when |
//! |---|---|
//! | infrastructure | claims of both name an address that the victim was in contact with then: they may be one |
//! | timing | q ≤ [`discovery::RATE`]: they are in contact on the same days more often than coincidence allows |
//! | tool | malware named with both: groups share malware, it ties nobody |
//! | coincidence | none of these: two that found the same victim |
//!
//! The first that holds is told. Timing: with days A and B of contact inside the time that both
//! lasted, of n days, the statistic is |A ∩ B|, and
//!
//! p = #{s : |A ∩ (B + s)| ≥ |A ∩ B|} / n over all rotations s, the true one included.
//!
//! Sessions that both claim are of neither day: they agree with themselves. Days of which an exporter of either did not
//! record half are left out, with or without contact, and the others follow one another: both are silent together
//! where nobody looks.
//!
//! q is p adjusted for all pairs of the hunt (Benjamini and Hochberg). Rotation keeps each cluster's own
//! bursts. Both must have [`LEAST_DAYS`] days of contact within [`LEAST_SPAN`] days in common, and n must
//! be so large that the least p there is, 1/n, would suffice beside all other pairs. Else timing is not
//! assessable, which is not the same as no agreement. Assumes that neither changed its habits meanwhile;
//! wrong where both keep the same working week, which is why timing alone merges nobody. Clusters are
//! never merged here: that is a person's to decide.
//!
//! ```
//! use std::collections::BTreeSet;
//!
//! use rahdar_hunt::company::{Timing, timing};
//! use rahdar_model::Day;
//!
//! // Three days on which both called, every thirty: none of the other 122 rotations agrees as well.
//! let bursts: BTreeSet<Day> = (0..123).filter(|n| n % 30 < 3).map(Day).collect();
//! let expected = Timing { common_days: 15, span: 123, p_value: 1.0 / 123.0 };
//! assert_eq!(timing(&bursts, &bursts, &|_| true), Some(expected));
//! ```

use std::collections::BTreeSet;

use rahdar_model::account::{Company, CompanyKind};
use rahdar_model::finding::{Finding, Verdict};
use rahdar_model::{Address, Day};

use crate::discovery;

/// Days of contact that each needs in the time that both lasted.
pub const LEAST_DAYS: usize = 8;
/// Days that both lasted. With fewer, no agreement could ever have p ≤ .01.
pub const LEAST_SPAN: usize = 100;
/// Rotations that are tried; of longer lives the last days count. Three years.
pub const MOST_SPAN: usize = 1_096;

/// How the days of two clusters agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Days on which both were in contact, of those compared.
    pub common_days: u32,
    /// Days compared: the number of rotations.
    pub span: usize,
    /// The chance of as many common days by coincidence.
    pub p_value: f64,
}

/// How these days agree, of those that were watched; none where that cannot be tested.
pub fn timing(a: &BTreeSet<Day>, b: &BTreeSet<Day>, is_watched: &dyn Fn(Day) -> bool) -> Option<Timing> {
    let first = a.first()?.max(b.first()?).0;
    let last = a.last()?.min(b.last()?).0;
    // Of absurd lives the end is looked at.
    let first = first.max(last.saturating_sub(2 * MOST_SPAN as i32));
    let watched = (first..=last).rev().map(Day).filter(|day| is_watched(*day));
    let days: Vec<Day> = watched.take(MOST_SPAN).collect();
    let span = days.len();
    if span < LEAST_SPAN {
        return None;
    }
    let marks = |own: &BTreeSet<Day>| days.iter().map(|day| own.contains(day)).collect::<Vec<bool>>();
    let (a, b) = (marks(a), marks(b));
    let count = |marks: &[bool]| marks.iter().filter(|mark| **mark).count();
    if count(&a).min(count(&b)) < LEAST_DAYS {
        return None;
    }
    let common = |shift: usize| (0..span).filter(|i| a[*i] && b[(i + shift) % span]).count();
    let observed = common(0);
    let as_many = (0..span).filter(|shift| common(*shift) >= observed).count();
    Some(Timing { common_days: observed as u32, span, p_value: as_many as f64 / span as f64 })
}

/// Every two clusters that are likely or better on one victim, in the order of victims and ids. `timing` tells how
/// the days of two findings agree.
pub(crate) fn companies(
    findings: &[Finding],
    timing: &dyn Fn(&Finding, &Finding) -> Option<Timing>,
) -> Vec<Company> {
    let mut firm: Vec<&Finding> =
        findings.iter().filter(|finding| finding.verdict >= Verdict::Likely).collect();
    firm.sort_by(|a, b| (a.victim.address, &a.cluster.id).cmp(&(b.victim.address, &b.cluster.id)));
    let mut pairs = Vec::new();
    for own in firm.chunk_by(|a, b| a.victim.address == b.victim.address) {
        // Of more, the first by id: a list of a hundred clusters has five thousand pairs.
        let own = &own[..own.len().min(MOST_CLUSTERS)];
        for (i, a) in own.iter().enumerate() {
            pairs.extend(own[i + 1..].iter().map(|b| (*a, *b)));
        }
    }
    let timings = assessable(pairs.iter().map(|(a, b)| timing(a, b)).collect());
    let tested: Vec<f64> = timings.iter().flatten().map(|timing| timing.p_value).collect();
    let mut adjusted = discovery::adjusted(&tested).into_iter();
    let company = |((a, b), timing): ((&Finding, &Finding), Option<Timing>)| {
        let tested = timing.and_then(|timing| Some((timing.p_value, adjusted.next()?)));
        company(a, b, tested)
    };
    pairs.into_iter().zip(timings).map(company).collect()
}

/// Without those that could not be found beside all the others, however well their days agree.
fn assessable(timings: Vec<Option<Timing>>) -> Vec<Option<Timing>> {
    let tests = timings.iter().flatten().count() as f64;
    let suffices = |timing: &Timing| tests / timing.span as f64 <= discovery::RATE;
    timings.into_iter().map(|timing| timing.filter(suffices)).collect()
}

fn days(finding: &Finding) -> BTreeSet<Day> {
    finding.daily.iter().map(|day| day.day).collect()
}

/// Clusters of one victim that are compared. Chosen here.
const MOST_CLUSTERS: usize = 20;

/// `tested` is the p of their timing, and the same adjusted for all pairs.
fn company(a: &Finding, b: &Finding, tested: Option<(f64, f64)>) -> Company {
    let addresses = |finding: &Finding| -> BTreeSet<Address> {
        finding.infrastructure.iter().map(|endpoint| endpoint.address).collect()
    };
    let shared_addresses: Vec<Address> = addresses(a).intersection(&addresses(b)).copied().collect();
    let shared_tools: Vec<String> =
        a.cluster.tools.iter().filter(|tool| b.cluster.tools.contains(tool)).cloned().collect();
    let common_days = days(a).intersection(&days(b)).count() as u32;
    let millionths = |p: f64| (p * 1e6).ceil() / 1e6;
    let is_timed = tested.is_some_and(|(_, adjusted)| adjusted <= discovery::RATE);
    let relation = match is_timed {
        _ if !shared_addresses.is_empty() => CompanyKind::SharedInfrastructure,
        true => CompanyKind::SharedTiming,
        false if !shared_tools.is_empty() => CompanyKind::SharedTool,
        false => CompanyKind::Coincidence,
    };
    let timing = match tested {
        Some(_) if is_timed => "their days agree more often than coincidence allows",
        Some(_) => "their days agree no more often than coincidence allows",
        None => "too few days of their own in common to assess their timing",
    };
    let why = match relation {
        CompanyKind::SharedInfrastructure => {
            let count = match shared_addresses.len() {
                1 => "1 address is".to_owned(),
                n => format!("{n} addresses are"),
            };
            format!("{count} claimed for both: they may be one operation; {timing}")
        }
        CompanyKind::SharedTiming => format!("{timing}: they may be one operation, or keep the same week"),
        CompanyKind::SharedTool => {
            format!("the same malware is named with both, which groups share; no address in common; {timing}")
        }
        CompanyKind::Coincidence => {
            format!("nothing in common but the victim: no address, no malware; {timing}")
        }
    };
    Company {
        victim: a.victim.address,
        clusters: [a.cluster.id.clone(), b.cluster.id.clone()],
        shared_addresses,
        shared_tools,
        common_days,
        p_value: tested.map(|(p_value, _)| millionths(p_value)),
        p_adjusted: tested.map(|(_, adjusted)| millionths(adjusted)),
        relation,
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    fn days(of: impl Fn(i32) -> bool, span: i32) -> BTreeSet<Day> {
        (0..span).filter(|n| of(*n)).map(Day).collect()
    }

    #[test]
    fn what_is_too_short_or_too_rare_is_not_tested() {
        let daily = days(|_| true, 99);
        assert_eq!(timing(&daily, &daily, &|_| true), None);
        let rare = days(|n| n % 30 == 0, 200);
        assert_eq!(timing(&rare, &rare, &|_| true), None);
        assert_eq!(timing(&BTreeSet::new(), &daily, &|_| true), None);
        let later: BTreeSet<Day> = (200..400).map(Day).collect();
        assert_eq!(timing(&daily, &later, &|_| true), None, "they never lasted together");
    }

    #[test]
    fn daily_contact_of_both_is_coincidence() {
        let daily = days(|_| true, 120);
        let expected = Timing { common_days: 120, span: 120, p_value: 1.0 };
        assert_eq!(timing(&daily, &daily, &|_| true), Some(expected));
    }

    #[test]
    fn bursts_that_fall_together_are_not() {
        let bursts = days(|n| [3, 4, 5, 17, 18, 40, 41, 42, 77, 78, 104].contains(&n), 105);
        let shifted: BTreeSet<Day> = bursts.iter().map(|day| Day(day.0 + 2)).collect();
        let together = timing(&bursts, &bursts, &|_| true).unwrap();
        assert_eq!((together.common_days, together.span), (11, 102));
        assert_eq!(together.p_value, 1.0 / 102.0);
        let apart = timing(&bursts, &shifted, &|_| true).unwrap();
        assert!(apart.p_value > 0.05, "{apart:?}");
    }

    #[test]
    fn what_could_not_be_found_beside_the_others_is_not_assessable() {
        let short = Timing { common_days: 9, span: 100, p_value: 0.01 };
        let long = Timing { span: 400, ..short };
        let (few, many) = (vec![Some(short); 5], vec![Some(short); 6]);
        assert_eq!(assessable(few.clone()), few);
        assert_eq!(assessable(many), [None; 6]);
        assert_eq!(assessable(vec![None, Some(long), Some(short)]), [None, Some(long), Some(short)]);
    }

    /// Two clusters by chance on half of 200 days, of which nobody recorded 80.
    #[test]
    fn silence_where_nobody_looked_is_no_agreement() {
        let is_dead = |day: i32| (60..140).contains(&day);
        let mut chance = Chance::of("two clusters", &[]);
        let mut draw = || -> BTreeSet<Day> {
            (0..200).filter(|day| chance.below(2) == 0 && !is_dead(*day)).map(Day).collect()
        };
        let alarms = |is_watched: &dyn Fn(Day) -> bool, pairs: &[(BTreeSet<Day>, BTreeSet<Day>)]| {
            let p = pairs.iter().filter_map(|(a, b)| timing(a, b, is_watched));
            p.filter(|timing| timing.p_value <= 0.05).count()
        };
        let pairs: Vec<_> = (0..200).map(|_| (draw(), draw())).collect();
        // Of 200 at 5 %, 22 are four standard errors above.
        assert!(alarms(&|day| !is_dead(day.0), &pairs) <= 22);
        assert!(alarms(&|_| true, &pairs) > 50, "which counting blind days would tell");
        let daily = days(|day| !is_dead(day), 200);
        let told = timing(&daily, &daily, &|day| !is_dead(day.0)).unwrap();
        assert_eq!((told.span, told.p_value), (120, 1.0));
    }

    #[test]
    fn a_life_of_centuries_is_cut() {
        let long = days(|n| n % 2 == 0, 100_000);
        assert_eq!(timing(&long, &long, &|_| true).unwrap().span, MOST_SPAN);
    }
}
