//! The judge: what a hunt says against what happened.
//!
//! The lines of `methods.md` §11.3 that concern one hunt: who and whose (here), how much and since
//! when (`traffic`), whether more since and how regularly (`habit`). A hunt passes if every line does,
//! but for those that a sound test must miss once in a while: they are counted over many seeds
//! ([`crate::grade`]).

mod habit;
mod traffic;

use std::collections::BTreeSet;
use std::fmt;

use rahdar_model::finding::{Finding, Hunt, Verdict};
use rahdar_model::{Address, Prefix};

use crate::Sampling;
use crate::truth::{Pair, Truth, Victim};

/// What a hunt is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Line by line.
    pub lines: Vec<Line>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What.
    pub item: String,
    /// What would be right.
    pub expected: String,
    /// What the hunt says.
    pub got: String,
    /// Whether that is right.
    pub pass: bool,
    /// Of 100 seeds, those in which it must be right: all, but where a miss may be bad luck, as of
    /// a test at 5 %, which is wrong in one case of twenty.
    pub least_percent: u32,
    /// Estimate over truth, where their mean over seeds counts.
    pub ratio: Option<f64>,
}

impl Line {
    /// Whether a miss may be bad luck.
    pub fn may_miss(&self) -> bool {
        self.least_percent < ALWAYS
    }

    /// The same line, which must hold in so many of 100 seeds only.
    fn in_percent(self, least_percent: u32) -> Self {
        Self { least_percent, ..self }
    }
}

/// In all seeds.
const ALWAYS: u32 = 100;

impl Score {
    /// Whether everything is right that must be each time.
    pub fn passed(&self) -> bool {
        self.lines.iter().all(|line| line.pass || line.may_miss())
    }
}

impl fmt::Display for Score {
    /// One line each: `ok`, `wrong` or `missed`, the item, what the hunt says, what would be right.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match (self.pass, self.may_miss()) {
            (true, _) => "ok",
            (false, true) => "missed",
            (false, false) => "wrong",
        };
        write!(f, "{word}: {}: {} (expected {})", self.item, self.got, self.expected)
    }
}

/// Judges a hunt.
pub fn score(hunt: &Hunt, truth: &Truth) -> Score {
    let judge = Judge {
        truth,
        believed: hunt.findings.iter().filter(|finding| finding.verdict >= Verdict::Likely).collect(),
    };
    let mut lines = vec![judge.victims(), judge.pairs(), judge.confirmed()];
    for victim in truth.victims.iter().filter(|victim| !victim.role.is_empty()) {
        lines.push(judge.clusters_on(victim));
        lines.push(judge.role_of(victim));
    }
    lines.extend(truth.clusters.iter().map(|cluster| judge.victims_of(&cluster.name)));
    lines.push(judge.decoys());
    lines.push(judge.decoy_hosts());
    lines.extend(judge.sessions());
    lines.push(judge.days());
    lines.push(judge.lower_bounds_of_days());
    lines.extend(judge.late_reports());
    for victim in &truth.victims {
        let total = hunt.victims.iter().find(|total| total.address == victim.address);
        lines.extend(judge.total(victim, total.map(|total| total.octets_out)));
    }
    for pair in &truth.pairs {
        lines.extend(judge.pair(pair));
        lines.extend(judge.change(pair));
        lines.extend(judge.rhythm(pair));
    }
    lines.push(judge.increases_elsewhere(hunt));
    Score { lines }
}

struct Judge<'a> {
    truth: &'a Truth,
    /// Findings that are confirmed or likely.
    believed: Vec<&'a Finding>,
}

impl Judge<'_> {
    fn victims(&self) -> Line {
        let expected: BTreeSet<Address> = self.truth.victims.iter().map(|victim| victim.address).collect();
        let got: BTreeSet<Address> = self.believed.iter().map(|finding| finding.victim.address).collect();
        line("victims", list(&expected), list(&got), got == expected)
    }

    fn pairs(&self) -> Line {
        let expected: BTreeSet<(Address, &str)> =
            self.truth.pairs.iter().map(|pair| (pair.victim, pair.cluster.as_str())).collect();
        let got: BTreeSet<(Address, &str)> = self
            .believed
            .iter()
            .map(|finding| (finding.victim.address, finding.cluster.name.as_str()))
            .collect();
        let count = |found, wrong| format!("{found} of {} found, {wrong} wrong", expected.len());
        let found = got.intersection(&expected).count();
        line("pairs", count(expected.len(), 0), count(found, got.len() - found), got == expected)
    }

    /// Pairs whose finding is confirmed: *likely* is no validated finding.
    fn confirmed(&self) -> Line {
        let is_confirmed = |pair: &&Pair| {
            let is_of_it = |finding: &&&Finding| {
                finding.victim.address == pair.victim && finding.cluster.name == pair.cluster
            };
            self.believed.iter().find(is_of_it).is_some_and(|finding| finding.verdict == Verdict::Confirmed)
        };
        let (expected, got) = (self.truth.pairs.len(), self.truth.pairs.iter().filter(is_confirmed).count());
        line("pairs confirmed", expected, got, got == expected)
    }

    fn clusters_on(&self, victim: &Victim) -> Line {
        let expected: BTreeSet<&str> = self
            .truth
            .pairs
            .iter()
            .filter(|pair| pair.victim == victim.address)
            .map(|pair| pair.cluster.as_str())
            .collect();
        let got: BTreeSet<&str> = self
            .believed
            .iter()
            .filter(|finding| finding.victim.address == victim.address)
            .map(|finding| finding.cluster.name.as_str())
            .collect();
        line(format!("clusters on {}", victim.address), expected.len(), got.len(), got == expected)
    }

    fn victims_of(&self, cluster: &str) -> Line {
        let expected: BTreeSet<Address> =
            self.truth.pairs.iter().filter(|pair| pair.cluster == cluster).map(|pair| pair.victim).collect();
        let got: BTreeSet<Address> = self
            .believed
            .iter()
            .filter(|finding| finding.cluster.name == cluster)
            .map(|finding| finding.victim.address)
            .collect();
        line(format!("victims of {cluster}"), expected.len(), got.len(), got == expected)
    }

    /// Whose host it is, and what it does: that shows in the traffic beside the clusters', if there is any.
    fn role_of(&self, victim: &Victim) -> Line {
        let item = format!("role of {}", victim.address);
        let expected = format!("{}, {}, {}", victim.role, victim.sector, victim.country);
        let Some(finding) = self.believed.iter().find(|finding| finding.victim.address == victim.address)
        else {
            return line(item, expected, "no finding", false);
        };
        let host = &finding.victim;
        let shows = self.truth.settings.flows > 0;
        let pass = (host.roles.contains(&victim.role) || !shows)
            && host.sector == victim.sector
            && host.country == victim.country;
        line(item, expected, format!("{}, {}, {}", host.roles.join(" and "), host.sector, host.country), pass)
    }

    /// What is listed and must not be believed: no believed finding rests on it.
    fn decoys(&self) -> Line {
        let network = |indicator: &str| indicator.parse::<Prefix>().ok();
        let listed: Vec<Prefix> = self
            .truth
            .decoys
            .iter()
            .filter_map(|decoy| decoy.indicator.as_deref().and_then(network))
            .collect();
        let believed: BTreeSet<&str> = self
            .believed
            .iter()
            .flat_map(|finding| &finding.infrastructure)
            .map(|endpoint| endpoint.indicator.as_str())
            .filter(|indicator| network(indicator).is_some_and(|network| listed.contains(&network)))
            .collect();
        line("decoys believed", "none", list(&believed), believed.is_empty())
    }

    /// Who only met decoys: no believed finding is about them.
    fn decoy_hosts(&self) -> Line {
        let accused: BTreeSet<Address> = self
            .believed
            .iter()
            .map(|finding| finding.victim.address)
            .filter(|address| self.truth.decoys.iter().any(|decoy| decoy.hosts.contains(address)))
            .collect();
        line("hosts accused for decoys", "none", list(&accused), accused.is_empty())
    }

    fn finding(&self, pair: &Pair) -> Option<&Finding> {
        let is_it = |finding: &&&Finding| {
            finding.victim.address == pair.victim && finding.cluster.name == pair.cluster
        };
        self.believed.iter().find(is_it).copied()
    }

    /// Whether the unsampled sensor watched, so that every octet is known.
    fn is_exact(&self) -> bool {
        self.truth.settings.sampling == Sampling::Unsampled
    }
}

fn line(item: impl Into<String>, expected: impl ToString, got: impl ToString, pass: bool) -> Line {
    Line {
        item: item.into(),
        expected: expected.to_string(),
        got: got.to_string(),
        pass,
        least_percent: ALWAYS,
        ratio: None,
    }
}

fn list<T: fmt::Display>(items: &BTreeSet<T>) -> String {
    match items.is_empty() {
        true => "none".to_owned(),
        false => items.iter().map(T::to_string).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests;
