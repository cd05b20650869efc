//! The judge: what a hunt says against what happened.
//!
//! The lines of `methods.md` §11.3 that concern one hunt: who, whose, how much, since when, whether
//! more since, how regularly. A hunt passes if every line does, but for those that a sound test
//! must miss once in a while: they are counted over many seeds ([`Line::mostly`]).

use std::collections::BTreeSet;
use std::fmt;

use rahdar_model::finding::{Finding, Hunt, Verdict};
use rahdar_model::{Address, Day, Estimate, Prefix, Timestamp};

use crate::Sampling;
use crate::truth::{Event, Pair, Truth, Victim};

/// What a hunt is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// Line by line.
    pub lines: Vec<Line>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What.
    pub item: String,
    /// What would be right.
    pub expected: String,
    /// What the hunt says.
    pub got: String,
    /// Whether that is right.
    pub pass: bool,
    /// Whether a miss may be bad luck: a test at 5 % is wrong in one case of twenty. Over twenty
    /// seeds, eighteen must be right.
    pub mostly: bool,
}

impl Score {
    /// Whether everything is right that must be each time.
    pub fn passed(&self) -> bool {
        self.lines.iter().all(|line| line.pass || line.mostly)
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
        let word = match (self.pass, self.mostly) {
            (true, _) => "ok",
            (false, true) => "missed",
            (false, false) => "wrong",
        };
        write!(f, "{word}: {}: {} (expected {})", self.item, self.got, self.expected)
    }
}

/// "At least 4 GB" is what was published; the sampled telemetry supports it.
const AT_LEAST_OCTETS: f64 = 4e9;
/// How far an estimate may lie from what was visible.
const POINT_TOLERANCE: f64 = 0.10;
/// How far dates may be off: sampling misses first packets. At 1:4000 and above much longer.
const DATE_TOLERANCE_DAYS: u32 = 2;
const THIN_DATE_TOLERANCE_DAYS: u32 = 12;
const THIN_INTERVAL: u32 = 4_000;
/// How far the date of an increase may be off.
const CHANGE_TOLERANCE_DAYS: u32 = 7;
/// Increases are told at this rate of false discoveries.
const DISCOVERY: f64 = 0.05;
/// How far the period of a beacon may be off.
const PERIOD_TOLERANCE: f64 = 0.02;
/// The same where packets were sampled, if one is told at all. Chosen here: what few check-ins can
/// tell of sleeps with jitter; a half or a double is still wrong.
const SAMPLED_PERIOD_TOLERANCE: f64 = 0.05;

/// Judges a hunt.
pub fn score(hunt: &Hunt, truth: &Truth) -> Score {
    let judge = Judge {
        truth,
        believed: hunt.findings.iter().filter(|finding| finding.verdict >= Verdict::Likely).collect(),
    };
    let mut lines = vec![judge.victims(), judge.pairs()];
    for victim in truth.victims.iter().filter(|victim| !victim.role.is_empty()) {
        lines.push(judge.clusters_on(victim));
        lines.push(judge.role_of(victim));
    }
    lines.extend(truth.clusters.iter().map(|cluster| judge.victims_of(&cluster.name)));
    lines.push(judge.decoys());
    lines.push(judge.decoy_hosts());
    for victim in truth.victims.iter().filter(|victim| !victim.role.is_empty()) {
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

    fn role_of(&self, victim: &Victim) -> Line {
        let item = format!("role of {}", victim.address);
        let expected = format!("{}, {}, {}", victim.role, victim.sector, victim.country);
        let Some(finding) = self.believed.iter().find(|finding| finding.victim.address == victim.address)
        else {
            return line(item, expected, "no finding", false);
        };
        let host = &finding.victim;
        let pass = host.roles.contains(&victim.role)
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

    /// All octets that left a victim, over all clusters.
    fn total(&self, victim: &Victim, got: Option<Estimate>) -> Vec<Line> {
        let item = format!("octets from {}", victim.address);
        let visible: u64 = self
            .truth
            .pairs
            .iter()
            .filter(|pair| pair.victim == victim.address)
            .map(|pair| pair.visible.octets_out)
            .sum();
        let Some(got) = got else { return vec![line(item, gigabytes(visible as f64), "no total", false)] };
        let truth = visible as f64;
        let mut lines = vec![
            line(
                format!("{item}, lower bound"),
                format!("{} or less", gigabytes(truth)),
                gigabytes(got.low),
                got.low <= truth,
            ),
            line(
                format!("{item}, at least"),
                format!("{} or more", gigabytes(AT_LEAST_OCTETS)),
                gigabytes(got.low),
                got.low >= AT_LEAST_OCTETS,
            ),
        ];
        lines.push(if self.is_exact() {
            let exact = [Some(got.low), Some(got.point), got.high].iter().all(|bound| *bound == Some(truth));
            line(format!("{item}, exactly"), visible, interval(got), exact)
        } else {
            line(
                format!("{item}, estimate"),
                format!("{} within 10 %", gigabytes(truth)),
                gigabytes(got.point),
                (got.point / truth - 1.0).abs() <= POINT_TOLERANCE,
            )
        });
        lines
    }

    /// How much, since when and until when one cluster was on one victim.
    fn pair(&self, pair: &Pair) -> Vec<Line> {
        let item = |what| format!("{} on {}, {what}", pair.cluster, pair.victim);
        let Some(finding) = self.finding(pair) else {
            return vec![line(item("finding"), "one", "none", false)];
        };
        let visible = pair.visible.octets_out;
        let bounds = finding.octets_out;
        let inside = bounds.low <= visible as f64 && bounds.high.is_none_or(|high| high >= visible as f64);
        vec![
            line(item("octets"), format!("{visible} inside"), interval(bounds), inside),
            self.date(item("first contact"), pair.first_visible, finding.first_seen),
            self.date(item("last contact"), pair.last_visible, finding.last_seen),
        ]
    }

    fn finding(&self, pair: &Pair) -> Option<&Finding> {
        let is_it = |finding: &&&Finding| {
            finding.victim.address == pair.victim && finding.cluster.name == pair.cluster
        };
        self.believed.iter().find(is_it).copied()
    }

    /// The day of a planted increase.
    fn planted(&self, pair: &Pair) -> Option<Day> {
        self.truth.clusters.iter().find(|cluster| cluster.name == pair.cluster)?.change
    }

    /// The last registered event before all planted increases: the one that they follow.
    fn event(&self) -> Option<&Event> {
        let first = self.truth.clusters.iter().filter_map(|cluster| cluster.change).min()?;
        self.truth.events.iter().filter(|event| event.date <= first).max_by_key(|event| event.date)
    }

    /// Whether there was more after the event, and since when.
    fn change(&self, pair: &Pair) -> Vec<Line> {
        let (Some(finding), Some(event)) = (self.finding(pair), self.event()) else { return Vec::new() };
        let item = |what: &str| format!("{} on {}, {what}", pair.cluster, pair.victim);
        let after = item(&format!("after {}", event.date));
        let test = finding.event_tests.iter().find(|test| test.at.day() == event.date);
        let got = match test {
            None => "not tested".to_owned(),
            Some(test) => match test.p_adjusted {
                Some(p) => format!("p = {p:.4}"),
                None => "not assessable".to_owned(),
            },
        };
        let p = test.and_then(|test| test.p_adjusted);
        let Some(planted) = self.planted(pair) else {
            if pair.last_contact.day() < event.date {
                let pass = test.is_some_and(|test| !test.assessed);
                return vec![line(after, "not assessable", got, pass)];
            }
            let pass = p.is_some_and(|p| p > DISCOVERY);
            return vec![mostly(line(after, format!("p > {DISCOVERY}"), got, pass))];
        };
        // That of the event's increase, or where there is none, of the one found.
        let told = |label: Option<&str>| finding.surges.iter().find(|surge| surge.event.as_deref() == label);
        let nearest = told(Some(&event.label)).or_else(|| told(None)).map(|surge| surge.since);
        let pass = nearest.is_some_and(|day| day.0.abs_diff(planted.0) <= CHANGE_TOLERANCE_DAYS);
        let got_day = nearest.map_or_else(|| "none".to_owned(), |day| day.to_string());
        let expected = format!("{planted} ± {CHANGE_TOLERANCE_DAYS} d");
        vec![
            mostly(line(after, format!("p ≤ {DISCOVERY}"), got, p.is_some_and(|p| p <= DISCOVERY))),
            mostly(line(item("date of the increase"), expected, got_day, pass)),
        ]
    }

    /// How regularly the cluster called. Where packets were sampled, "none" would be false.
    fn rhythm(&self, pair: &Pair) -> Option<Line> {
        let finding = self.finding(pair)?;
        let cluster = self.truth.clusters.iter().find(|cluster| cluster.name == pair.cluster)?;
        let period_s = cluster.beacon_s? as f64;
        let rhythm = &finding.rhythm;
        let tolerance = if self.is_exact() { PERIOD_TOLERANCE } else { SAMPLED_PERIOD_TOLERANCE };
        let is_right = rhythm.period_s.is_some_and(|got| (got / period_s - 1.0).abs() <= tolerance);
        let item = format!("{} on {}, beacon", pair.cluster, pair.victim);
        let got = match rhythm.period_s {
            Some(got) => format!("{got:.1} s"),
            None if rhythm.judged => "none".to_owned(),
            None => "not assessable".to_owned(),
        };
        let expected = format!("{period_s} s within {:.0} %", tolerance * 100.0);
        Some(if self.is_exact() {
            line(item, expected, got, is_right)
        } else {
            line(item, format!("{expected}, or not assessable"), got, is_right || !rhythm.judged)
        })
    }

    /// Increases are told of no other host: not of a backup that doubled.
    fn increases_elsewhere(&self, hunt: &Hunt) -> Line {
        let is_pair = |finding: &&Finding| {
            let pairs = &self.truth.pairs;
            pairs.iter().any(|p| p.victim == finding.victim.address && p.cluster == finding.cluster.name)
        };
        let others = hunt.findings.iter().filter(|finding| !is_pair(finding) && !finding.surges.is_empty());
        let told: BTreeSet<&str> = others.map(|finding| finding.id.as_str()).collect();
        line("increases elsewhere", "none", list(&told), told.is_empty())
    }

    fn date(&self, item: String, expected: Timestamp, got: Timestamp) -> Line {
        let tolerance_days = match self.truth.settings.sampling {
            Sampling::Unsampled => 0,
            Sampling::Uniform(interval) if interval >= THIN_INTERVAL => THIN_DATE_TOLERANCE_DAYS,
            Sampling::Uniform(_) | Sampling::Exporters => DATE_TOLERANCE_DAYS,
        };
        let (expected, got) = (expected.day(), got.day());
        let pass = expected.0.abs_diff(got.0) <= tolerance_days;
        line(item, format!("{expected} ± {tolerance_days} d"), got, pass)
    }

    /// Whether the unsampled sensor watched, so that every octet is known.
    fn is_exact(&self) -> bool {
        self.truth.settings.sampling == Sampling::Unsampled
    }
}

fn line(item: impl Into<String>, expected: impl ToString, got: impl ToString, pass: bool) -> Line {
    Line { item: item.into(), expected: expected.to_string(), got: got.to_string(), pass, mostly: false }
}

/// The line of a test that may miss.
fn mostly(line: Line) -> Line {
    Line { mostly: true, ..line }
}

fn list<T: fmt::Display>(items: &BTreeSet<T>) -> String {
    match items.is_empty() {
        true => "none".to_owned(),
        false => items.iter().map(T::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn gigabytes(octets: f64) -> String {
    format!("{:.3} GB", octets / 1e9)
}

fn interval(estimate: Estimate) -> String {
    let high = estimate.high.map_or_else(|| "unknown".to_owned(), |high| format!("{high:.0}"));
    format!("{:.0} to {high}", estimate.low)
}

#[cfg(test)]
mod tests;
