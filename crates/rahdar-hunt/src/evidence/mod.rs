//! What speaks for and against a contact being command traffic, in decibans (`methods.md` §2).
//!
//! The unit is one victim, one address, one cluster. Each group of evidence is in one state, and
//! each state weighs 10·log10 of a likelihood ratio:
//!
//! log-odds = prior + Σ weights, p = 1 / (1 + 10^(−log-odds/10))
//!
//! The prior is [`PRIOR`] times the quality of the claim. Groups that tell the same story twice
//! are capped together ([`CAPS`]), and all that speaks for it at [`MOST_FOR_DB`].
//!
//! All weights are judgement until they are calibrated on local traffic; that is why no
//! confidence above 95 is given ([`crate::grade`]). Wrong where groups depend on one another in
//! ways that no cap knows.
//!
//! * [`establishment`] (G1), [`port`] (G2), [`validity`] (G3), [`host`] (G4), [`persistence`]
//!   (G5), [`asymmetry`] (G7), [`peers`] (G8), [`scanning`] (G9), [`corroboration`] (G11)
//! * [`prober`]: a host that touches many clusters in an hour
//!
//! ```
//! use rahdar_hunt::evidence::{self, PRIOR};
//!
//! // A single session with payload, no port in the claim, inside the window, a dedicated host,
//! // up to three peers: 19.21 dB.
//! let sum = evidence::decibans(PRIOR) + 12.0 + 3.0 + 8.0 + 5.0 + 4.0;
//! assert!((evidence::probability(sum) - 0.988154).abs() < 1e-6);
//! ```

pub mod asymmetry;
pub mod corroboration;
pub mod establishment;
pub mod host;
pub mod peers;
pub mod persistence;
pub mod port;
pub mod prober;
pub mod scanning;
pub mod validity;

use rahdar_model::finding::Reason;

/// The share of matched pairs that are command traffic, before anything else is known.
pub const PRIOR: f64 = 0.05;

/// All that speaks for it counts to this, in decibans.
pub const MOST_FOR_DB: f64 = 45.0;

/// Groups that tell the same story, and what they count to together, in decibans.
pub const CAPS: [([Group; 2], f64); 2] =
    [([Group::Persistence, Group::Rhythm], 12.0), ([Group::Establishment, Group::Asymmetry], 15.0)];

/// A group of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// G1: whether anything was exchanged.
    Establishment,
    /// G2: who called, on which port.
    Port,
    /// G3: whether the claim held then.
    Validity,
    /// G4: what kind of host the address is.
    Host,
    /// G5: on how many days.
    Persistence,
    /// G6: how regularly.
    Rhythm,
    /// G7: which way the octets went.
    Asymmetry,
    /// G8: who else talks to it.
    Peers,
    /// G9: whether one of them scans.
    Scanning,
    /// G11: other addresses of the same cluster.
    Corroboration,
    /// Amendment (b): whether the host probes.
    Prober,
}

/// The state of one group, as a reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which group.
    pub group: Group,
    /// What is said of it. A negative reason is named for the rival explanation.
    pub reason: Reason,
}

impl Row {
    /// A row of this group.
    pub fn new(group: Group, kind: &'static str, weight: f64, text: String) -> Self {
        Self { group, reason: Reason { kind, weight, text } }
    }
}

/// Lowers weights to [`CAPS`] and adds a reason where [`MOST_FOR_DB`] is exceeded. Returns the
/// reasons and the sum of their weights.
pub fn settle(rows: Vec<Row>) -> (Vec<Reason>, f64) {
    let mut rows = rows;
    for (groups, most) in CAPS {
        let mut left = most;
        for row in rows.iter_mut().filter(|row| groups.contains(&row.group) && row.reason.weight > 0.0) {
            row.reason.weight = row.reason.weight.min(left);
            left -= row.reason.weight;
        }
    }
    let mut reasons: Vec<Reason> = rows.into_iter().map(|row| row.reason).collect();
    let positive: f64 = reasons.iter().map(|reason| reason.weight.max(0.0)).sum();
    if positive > MOST_FOR_DB {
        reasons.push(Reason {
            kind: "cap",
            weight: MOST_FOR_DB - positive,
            text: format!("all that speaks for it counts to {MOST_FOR_DB} dB"),
        });
    }
    let sum = reasons.iter().map(|reason| reason.weight).sum();
    (reasons, sum)
}

/// 10·log10 of the odds of `probability`.
pub fn decibans(probability: f64) -> f64 {
    10.0 * (probability / (1.0 - probability)).log10()
}

/// The probability of odds of 10^(`log_odds`/10).
pub fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + 10_f64.powf(-log_odds / 10.0))
}

/// `1 day`, `2 days`.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn row(group: Group, weight: f64) -> Row {
        Row::new(group, "test", weight, String::new())
    }

    fn check(rows: &[(Group, f64)], sum: f64, p: f64) {
        let (_, weight) = settle(rows.iter().map(|(group, weight)| row(*group, *weight)).collect());
        let log_odds = decibans(PRIOR) + weight;
        assert!((log_odds - sum).abs() < 0.005, "{log_odds} is not {sum}");
        assert!((probability(log_odds) - p).abs() < 1e-6, "{} is not {p}", probability(log_odds));
    }

    #[test]
    fn the_known_answers_hold() {
        use Group::*;
        let steady = [(Persistence, 7.0), (Rhythm, 7.0)];
        let command = [(Establishment, 12.0), (Port, 10.0), (Validity, 8.0), (Host, 5.0)];
        check(&[&command[..], &steady].concat(), 34.21, 0.999621);
        check(&[(Establishment, -15.0), (Scanning, -15.0)], -42.79, 0.000053);
        let cdn = [(Establishment, 12.0), (Port, 3.0), (Validity, 3.0), (Host, -25.0), (Peers, -12.0)];
        check(&cdn, -31.79, 0.000662);
        let reassigned =
            [(Establishment, 12.0), (Port, 3.0), (Validity, -25.0), (Host, 5.0), (Persistence, 3.0)];
        check(&reassigned, -14.79, 0.032141);
        let silent = [(Establishment, 4.0), (Port, 10.0), (Validity, 8.0)];
        check(&[&silent[..], &steady].concat(), 21.21, 0.992493);
        let single = [(Establishment, 12.0), (Port, 3.0), (Validity, 8.0), (Host, 5.0), (Peers, 4.0)];
        check(&single, 19.21, 0.988154);
    }

    #[test]
    fn the_whole_is_capped_with_a_reason() {
        let (reasons, sum) = settle(vec![row(Group::Establishment, 15.0), row(Group::Port, 40.0)]);
        assert_eq!(sum, MOST_FOR_DB);
        assert_eq!(reasons.last().map(|reason| reason.kind), Some("cap"));
    }

    proptest! {
        #[test]
        fn one_more_reason_for_it_never_lowers_the_odds(
            weights in vec((group(), -30.0..15.0), 0..8),
            more in (group(), 0.0..15.0),
            at in 0_usize..8,
        ) {
            let mut rows: Vec<Row> = weights.into_iter().map(|(group, weight)| row(group, weight)).collect();
            let (_, before) = settle(rows.clone());
            rows.insert(at.min(rows.len()), row(more.0, more.1));
            let (_, after) = settle(rows);
            prop_assert!(after >= before - 1e-9, "{after} < {before}");
        }
    }

    fn group() -> impl Strategy<Value = Group> {
        use Group::*;
        select(vec![
            Establishment,
            Port,
            Validity,
            Host,
            Persistence,
            Rhythm,
            Asymmetry,
            Peers,
            Scanning,
            Corroboration,
            Prober,
        ])
    }
}
