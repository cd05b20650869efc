//! What speaks for and against a contact being command traffic, in decibans (`methods.md` §2).
//!
//! The unit is one victim, one address, one cluster. Each group of evidence is in one state, and
//! each state weighs 10·log10 of a likelihood ratio:
//!
//! log-odds = prior + Σ weights, p = 1 / (1 + 10^(−log-odds/10))
//!
//! The prior is [`PRIOR`] times the quality of the claim. Groups that tell the same story twice
//! are capped together ([`CAPS`]), and the whole at [`MOST_DB`]. (The specification caps what
//! speaks for it, before the prior, and counts past that cap in the first of its known answers;
//! with the prior inside, both hold.)
//!
//! All weights are judgement until they are calibrated on local traffic; that is why no
//! confidence above 95 is given ([`crate::grade`]). Wrong where groups depend on one another in
//! ways that no cap knows.
//!
//! * [`establishment`] (G1), [`port`] (G2), [`validity`] (G3), [`host`] (G4), [`persistence`]
//!   (G5), [`mod@rhythm`] (G6), [`asymmetry`] (G7), [`peers`] (G8), [`scanning`] (G9), [`naming`]
//!   (G10), [`corroboration`] (G11)
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
pub mod naming;
pub mod peers;
pub mod persistence;
pub mod port;
pub mod prober;
pub mod rhythm;
pub mod scanning;
pub mod validity;

use rahdar_model::finding::Reason;

/// The share of matched pairs that are command traffic, before anything else is known.
pub const PRIOR: f64 = 0.05;

/// Log-odds count to this, in decibans.
pub const MOST_DB: f64 = 45.0;

/// Groups that tell the same story, and what they count to together, in decibans.
pub const CAPS: [([Group; 2], f64); 3] = [
    ([Group::Persistence, Group::Rhythm], 12.0),
    ([Group::Port, Group::Naming], 16.0),
    ([Group::Establishment, Group::Asymmetry], 15.0),
];

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
    /// G10: whether it was called by a claimed name.
    Naming,
    /// G11: other addresses of the same cluster.
    Corroboration,
    /// Whether the host probes.
    Prober,
}

impl Group {
    /// The word stored and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Establishment => "establishment",
            Self::Port => "port",
            Self::Validity => "validity",
            Self::Host => "host",
            Self::Persistence => "persistence",
            Self::Rhythm => "rhythm",
            Self::Asymmetry => "asymmetry",
            Self::Peers => "peers",
            Self::Scanning => "scanning",
            Self::Naming => "naming",
            Self::Corroboration => "corroboration",
            Self::Prober => "prober",
        }
    }
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

/// Log-odds with the reasons that make them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sum {
    /// In the order of the rows; the prior last. Their weights add up to the log-odds.
    pub reasons: Vec<Reason>,
    /// In decibans.
    pub log_odds: f64,
}

/// Adds up rows on a prior, a probability, within [`CAPS`] and [`MOST_DB`].
pub fn sum(prior: f64, rows: Vec<Row>) -> Sum {
    let mut rows = rows;
    for (groups, most) in CAPS {
        let mut left = most;
        for row in rows.iter_mut().filter(|row| groups.contains(&row.group) && row.reason.weight > 0.0) {
            row.reason.weight = row.reason.weight.min(left);
            left -= row.reason.weight;
        }
    }
    let mut reasons: Vec<Reason> = rows.into_iter().map(|row| row.reason).collect();
    let weight = decibans(prior);
    let log_odds = weight + reasons.iter().map(|reason| reason.weight).sum::<f64>();
    if log_odds > MOST_DB {
        let text = format!("the sum is capped at {MOST_DB} dB");
        reasons.push(Reason { kind: "cap", weight: MOST_DB - log_odds, text });
    }
    let text = format!(
        "before the traffic is looked at, {:.1} of 100 such matches are taken to be real",
        prior * 100.0
    );
    reasons.push(Reason { kind: "prior", weight, text });
    Sum { reasons, log_odds: log_odds.min(MOST_DB) }
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

/// Names that a sentence lists; the others are counted. A list may hold a thousand.
const MOST_LISTED: usize = 8;

/// `a, b and 5 more`.
pub(crate) fn listed<T: ToString>(names: &[T]) -> String {
    let shown: Vec<String> = names.iter().take(MOST_LISTED).map(T::to_string).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
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

    fn check(rows: &[(Group, f64)], expected: f64, p: f64) {
        let rows = rows.iter().map(|(group, weight)| row(*group, *weight)).collect();
        let log_odds = super::sum(PRIOR, rows).log_odds;
        assert!((log_odds - expected).abs() < 0.005, "{log_odds} is not {expected}");
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
        let Sum { reasons, log_odds } =
            sum(PRIOR, vec![row(Group::Establishment, 15.0), row(Group::Host, 50.0)]);
        assert_eq!(log_odds, MOST_DB);
        assert_eq!(
            reasons.iter().map(|reason| reason.kind).collect::<Vec<_>>(),
            ["test", "test", "cap", "prior"]
        );
        assert!((reasons.iter().map(|reason| reason.weight).sum::<f64>() - log_odds).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn one_more_reason_for_it_never_lowers_the_odds(
            weights in vec((group(), -30.0..15.0), 0..8),
            more in (group(), 0.0..15.0),
            at in 0_usize..8,
        ) {
            let mut rows: Vec<Row> = weights.into_iter().map(|(group, weight)| row(group, weight)).collect();
            let before = sum(PRIOR, rows.clone()).log_odds;
            rows.insert(at.min(rows.len()), row(more.0, more.1));
            let after = sum(PRIOR, rows).log_odds;
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
            Naming,
            Corroboration,
            Prober,
        ])
    }
}
