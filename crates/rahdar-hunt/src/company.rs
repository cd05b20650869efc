//! Two clusters on one victim: one operation, one toolbox, or nothing but the victim
//! (`methods.md` §7.6).
//!
//! | what they share | when |
//! |---|---|
//! | infrastructure | claims of both name an address that the victim was in contact with then: they may be one |
//! | timing | p ≤ [`ALPHA`]: they are in contact on the same days more often than coincidence allows |
//! | tool | malware named with both: groups share malware, it ties nobody |
//! | coincidence | none of these: two that found the same victim |
//!
//! The first that holds is told. Timing: with days A and B of contact inside the time that both
//! lasted, of n days, the statistic is |A ∩ B|, and
//!
//! p = #{s : |A ∩ (B + s)| ≥ |A ∩ B|} / n over all rotations s, the true one included.
//!
//! Rotation keeps each cluster's own bursts. Both must have [`LEAST_DAYS`] days of contact within
//! [`LEAST_SPAN`] days in common, else timing is not tested. Assumes that neither changed its habits
//! meanwhile; wrong where both keep the same working week, which is why timing alone merges nobody.
//! Clusters are never merged here: that is a person's to decide.
//!
//! ```
//! use std::collections::BTreeSet;
//!
//! use rahdar_hunt::company::coincidence;
//! use rahdar_model::Day;
//!
//! // Three days on which both called, every thirty: none of the other 62 rotations agrees as well.
//! let bursts: BTreeSet<Day> = (0..63).filter(|n| n % 30 < 3).map(Day).collect();
//! assert_eq!(coincidence(&bursts, &bursts), Some((9, 1.0 / 63.0)));
//! ```

use std::collections::BTreeSet;

use rahdar_model::account::{Company, CompanyKind};
use rahdar_model::finding::{Finding, Verdict};
use rahdar_model::{Address, Day};

/// The chance of coincidence at which timing counts as shared. Chosen here: a victim with five
/// clusters has ten pairs.
pub const ALPHA: f64 = 0.01;
/// Days of contact that each needs in the time that both lasted.
pub const LEAST_DAYS: usize = 8;
/// Days that both lasted.
pub const LEAST_SPAN: usize = 28;
/// Rotations that are tried; of longer lives the last days count. Three years.
pub const MOST_SPAN: usize = 1_096;

/// Days in common, and the chance of as many by coincidence; none where that cannot be tested.
pub fn coincidence(a: &BTreeSet<Day>, b: &BTreeSet<Day>) -> Option<(u32, f64)> {
    let first = a.first()?.max(b.first()?).0;
    let last = a.last()?.min(b.last()?).0;
    let span = usize::try_from(last.checked_sub(first)?.checked_add(1)?).ok()?;
    if span < LEAST_SPAN {
        return None;
    }
    let (first, span) = match span {
        ..=MOST_SPAN => (first, span),
        _ => (last - MOST_SPAN as i32 + 1, MOST_SPAN),
    };
    let marks = |days: &BTreeSet<Day>| {
        let mut marks = vec![false; span];
        for day in days.range(Day(first)..=Day(last)) {
            marks[(day.0 - first) as usize] = true;
        }
        marks
    };
    let (a, b) = (marks(a), marks(b));
    let count = |marks: &[bool]| marks.iter().filter(|mark| **mark).count();
    if count(&a).min(count(&b)) < LEAST_DAYS {
        return None;
    }
    let common = |shift: usize| (0..span).filter(|i| a[*i] && b[(i + shift) % span]).count();
    let observed = common(0);
    let as_many = (0..span).filter(|shift| common(*shift) >= observed).count();
    Some((observed as u32, as_many as f64 / span as f64))
}

/// Every two clusters that are likely or better on one victim, in the order of victims and ids.
pub(crate) fn companies(findings: &[Finding]) -> Vec<Company> {
    let mut firm: Vec<&Finding> =
        findings.iter().filter(|finding| finding.verdict >= Verdict::Likely).collect();
    firm.sort_by(|a, b| (a.victim.address, &a.cluster.id).cmp(&(b.victim.address, &b.cluster.id)));
    let mut companies = Vec::new();
    for own in firm.chunk_by(|a, b| a.victim.address == b.victim.address) {
        // Of more, the first by id: a list of a hundred clusters has five thousand pairs.
        let own = &own[..own.len().min(MOST_CLUSTERS)];
        for (i, a) in own.iter().enumerate() {
            companies.extend(own[i + 1..].iter().map(|b| company(a, b)));
        }
    }
    companies
}

/// Clusters of one victim that are compared. Chosen here.
const MOST_CLUSTERS: usize = 20;

fn company(a: &Finding, b: &Finding) -> Company {
    let addresses = |finding: &Finding| -> BTreeSet<Address> {
        finding.infrastructure.iter().map(|endpoint| endpoint.address).collect()
    };
    let days = |finding: &Finding| -> BTreeSet<Day> { finding.daily.iter().map(|day| day.day).collect() };
    let shared_addresses: Vec<Address> = addresses(a).intersection(&addresses(b)).copied().collect();
    let shared_tools: Vec<String> =
        a.cluster.tools.iter().filter(|tool| b.cluster.tools.contains(tool)).cloned().collect();
    let (a_days, b_days) = (days(a), days(b));
    let common_days = a_days.intersection(&b_days).count() as u32;
    let tested = coincidence(&a_days, &b_days);
    let p_value = tested.map(|(_, p_value)| (p_value * 1e6).ceil() / 1e6);
    let relation = match p_value {
        _ if !shared_addresses.is_empty() => CompanyKind::SharedInfrastructure,
        Some(p_value) if p_value <= ALPHA => CompanyKind::SharedTiming,
        _ if !shared_tools.is_empty() => CompanyKind::SharedTool,
        _ => CompanyKind::Coincidence,
    };
    let timing = match p_value {
        Some(p_value) if p_value <= ALPHA => "their days agree more often than coincidence allows",
        Some(_) => "their days agree no more often than coincidence allows",
        None => "too few days in common to compare their timing",
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
        p_value,
        relation,
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(of: impl Fn(i32) -> bool, span: i32) -> BTreeSet<Day> {
        (0..span).filter(|n| of(*n)).map(Day).collect()
    }

    #[test]
    fn what_is_too_short_or_too_rare_is_not_tested() {
        let daily = days(|_| true, 27);
        assert_eq!(coincidence(&daily, &daily), None);
        let rare = days(|n| n % 30 == 0, 200);
        assert_eq!(coincidence(&rare, &rare), None);
        assert_eq!(coincidence(&BTreeSet::new(), &daily), None);
        let later: BTreeSet<Day> = (100..200).map(Day).collect();
        assert_eq!(coincidence(&daily, &later), None, "they never lasted together");
    }

    #[test]
    fn daily_contact_of_both_is_coincidence() {
        let daily = days(|_| true, 90);
        assert_eq!(coincidence(&daily, &daily), Some((90, 1.0)));
    }

    #[test]
    fn bursts_that_fall_together_are_not() {
        let bursts = days(|n| [3, 4, 5, 17, 18, 40, 41, 42, 77, 78, 99].contains(&n), 100);
        let shifted: BTreeSet<Day> = bursts.iter().map(|day| Day(day.0 + 9)).collect();
        let together = coincidence(&bursts, &bursts).unwrap();
        assert_eq!(together.0, 11);
        assert!(together.1 <= ALPHA + 1e-3, "{together:?}");
        let apart = coincidence(&bursts, &shifted).unwrap();
        assert!(apart.1 > 0.2, "{apart:?}");
    }

    #[test]
    fn a_life_of_centuries_is_cut() {
        let long = days(|n| n % 2 == 0, 100_000);
        assert!(coincidence(&long, &long).is_some());
    }
}
