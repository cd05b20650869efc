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
        // The date told first: that of the event's increase, or where there is none, of the one found.
        let nearest = finding.surges.first().map(|surge| surge.since);
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
        let is_right = rhythm.period_s.is_some_and(|got| (got / period_s - 1.0).abs() <= PERIOD_TOLERANCE);
        let item = format!("{} on {}, beacon", pair.cluster, pair.victim);
        let got = match rhythm.period_s {
            Some(got) => format!("{got:.0} s"),
            None if rhythm.judged => "none".to_owned(),
            None => "not assessable".to_owned(),
        };
        let exact = format!("{period_s} s within 2 %");
        Some(if self.is_exact() {
            line(item, exact, got, is_right)
        } else {
            line(item, format!("{exact}, or not assessable"), got, is_right || !rhythm.judged)
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
mod tests {
    use std::sync::LazyLock;

    use rahdar_model::Window;
    use rahdar_model::account::Upload;
    use rahdar_model::finding::{EventTest, Infrastructure, Rhythm, Surge, Victim as Host, VictimTotal};
    use rahdar_model::intelligence::{Cluster, ClusterId};
    use rahdar_model::time::DAY_US;

    use super::*;
    use crate::telemetry::World;
    use crate::{Settings, Truth};

    fn truth(sampling: Sampling) -> Truth {
        let settings = Settings { seed: 3, flows: 0, sampling };
        Truth::of(&World::new(&settings).unwrap(), Vec::new())
    }

    /// The truth for the exporters and for the unsampled sensor.
    static TRUTHS: LazyLock<[Truth; 2]> =
        LazyLock::new(|| [Sampling::Exporters, Sampling::Unsampled].map(truth));

    /// Bounds as a good estimator would give them.
    fn bounds(truth: &Truth, octets: u64) -> Estimate {
        match truth.settings.sampling {
            Sampling::Unsampled => Estimate::exact(octets),
            _ => {
                let octets = octets as f64;
                Estimate::new(0, octets * 0.87, octets * 0.99, Some(octets * 1.12))
            }
        }
    }

    fn finding(truth: &Truth, pair: &Pair) -> Finding {
        let host = truth.victims.iter().find(|victim| victim.address == pair.victim).unwrap();
        let cluster = truth.clusters.iter().find(|cluster| cluster.name == pair.cluster).unwrap();
        Finding {
            id: format!("{} {}", pair.victim, pair.cluster),
            victim: Host {
                address: host.address,
                asn: Some(host.asn),
                org: host.org.clone(),
                sector: host.sector.clone(),
                country: host.country.clone(),
                roles: [host.role.clone()].into_iter().filter(|role| !role.is_empty()).collect(),
            },
            cluster: Cluster {
                id: ClusterId::of_name(&cluster.name),
                name: cluster.name.clone(),
                named: cluster.named,
                tools: Vec::new(),
            },
            verdict: Verdict::Confirmed,
            confidence: 95,
            credibility: 1,
            reasons: Vec::new(),
            first_seen: pair.first_visible,
            last_seen: pair.last_visible,
            at_least: true,
            days_active: pair.days.len() as u32,
            flows: pair.visible.sessions,
            octets_out: bounds(truth, pair.visible.octets_out),
            octets_in: bounds(truth, pair.visible.octets_in),
            rhythm: rhythm(truth, cluster.beacon_s),
            surges: cluster.change.map(|day| surge(truth, day)).into_iter().collect(),
            event_tests: truth.events.iter().map(|event| tested(event, pair, cluster.change)).collect(),
            spikes: Vec::new(),
            daily: Vec::new(),
            infrastructure: cluster.indicators.iter().map(|i| endpoint(&i.address.to_string())).collect(),
            rival: None,
            upload: Upload::default(),
            chronology: Vec::new(),
        }
    }

    fn rhythm(truth: &Truth, beacon_s: Option<u64>) -> Rhythm {
        let is_judged = truth.settings.sampling == Sampling::Unsampled;
        Rhythm {
            period_s: beacon_s.map(|period_s| period_s as f64 * 1.01).filter(|_| is_judged),
            score: None,
            p_value: None,
            judged: is_judged,
            why: String::new(),
        }
    }

    fn surge(truth: &Truth, day: Day) -> Surge {
        Surge {
            window: Window::new(Day(day.0 + 2).start(), truth.last_day.start()),
            since: Day(day.0 + 2),
            ratio: 5.0,
            ratio_low: 3.0,
            ratio_high: 9.0,
            p_value: 0.001,
            p_adjusted: 0.001,
            event: None,
        }
    }

    fn tested(event: &Event, pair: &Pair, change: Option<Day>) -> EventTest {
        let assessed = pair.first_contact.day() < event.date && event.date < pair.last_contact.day();
        let p = if change.is_some() { 0.004 } else { 0.4 };
        EventTest {
            event: event.label.clone(),
            at: event.date.start(),
            assessed,
            p_value: assessed.then_some(p),
            p_adjusted: assessed.then_some(p),
            why: String::new(),
        }
    }

    fn endpoint(indicator: &str) -> Infrastructure {
        Infrastructure {
            address: indicator.split('/').next().unwrap().parse().unwrap(),
            port: 443,
            protocol: 6,
            indicator: indicator.to_owned(),
            validity: Window::ALL,
            source: "report".into(),
            first_seen: Timestamp::default(),
            last_seen: Timestamp::default(),
            flows: 1,
        }
    }

    /// What a hunt without fault would say.
    fn perfect(truth: &Truth) -> Hunt {
        let findings: Vec<Finding> = truth.pairs.iter().map(|pair| finding(truth, pair)).collect();
        let total = |victim: &Victim| {
            let on = || truth.pairs.iter().filter(|pair| pair.victim == victim.address);
            VictimTotal {
                address: victim.address,
                clusters: on().count(),
                octets_out: bounds(truth, on().map(|pair| pair.visible.octets_out).sum()),
            }
        };
        Hunt {
            window: Window::ALL,
            flows_swept: 0,
            intelligence_version: 1,
            table_version: 1,
            discounted: Vec::new(),
            victims: truth.victims.iter().map(total).collect(),
            octets_out: Estimate::exact(0),
            coverage: Vec::new(),
            clusters: Vec::new(),
            companies: Vec::new(),
            calibration: None,
            findings,
        }
    }

    fn scaled(estimate: Estimate, factor: f64) -> Estimate {
        Estimate {
            low: estimate.low * factor,
            point: estimate.point * factor,
            high: estimate.high.map(|high| high * factor),
            ..estimate
        }
    }

    /// Every octet of a hunt, times `factor`.
    fn scale(hunt: &mut Hunt, factor: f64) {
        for total in &mut hunt.victims {
            total.octets_out = scaled(total.octets_out, factor);
        }
        for finding in &mut hunt.findings {
            finding.octets_out = scaled(finding.octets_out, factor);
        }
    }

    /// Checks that one mistake makes exactly these items wrong (each by its beginning), whoever watched.
    #[track_caller]
    fn check(mistake: impl Fn(&mut Hunt, &Truth), wrong: &[&str]) {
        for truth in TRUTHS.iter() {
            let mut hunt = perfect(truth);
            mistake(&mut hunt, truth);
            let score = score(&hunt, truth);
            let failed: Vec<&str> =
                score.lines.iter().filter(|line| !line.pass).map(|line| line.item.as_str()).collect();
            assert!(failed.iter().all(|item| wrong.iter().any(|start| item.starts_with(start))), "{score}");
            assert!(wrong.iter().all(|start| failed.iter().any(|item| item.starts_with(start))), "{score}");
            assert_eq!(score.passed(), wrong.is_empty());
        }
    }

    /// Adds what `pair` would look like if its victim were `address`.
    fn accuse(hunt: &mut Hunt, address: &str, indicator: &str, cluster: usize) {
        let mut finding = hunt.findings[cluster].clone();
        finding.victim.address = address.parse().unwrap();
        finding.infrastructure = vec![endpoint(indicator)];
        hunt.findings.push(finding);
    }

    #[test]
    fn a_hunt_without_fault_passes() {
        check(|_, _| {}, &[]);
    }

    #[test]
    fn summing_exporters_fails() {
        check(|hunt, _| scale(hunt, 1.48), &["octets from", "Calypso", "PlugX", "Winnti", "RedFoxtrot"]);
    }

    #[test]
    fn counting_samples_as_octets_fails() {
        check(
            |hunt, _| scale(hunt, 1.0 / 512.0),
            &["octets from", "Calypso", "PlugX", "Winnti", "RedFoxtrot"],
        );
    }

    #[test]
    fn bounds_that_are_too_narrow_fail() {
        let narrow = |hunt: &mut Hunt, truth: &Truth| {
            let visible = truth.pairs[0].visible.octets_out as f64;
            hunt.findings[0].octets_out =
                Estimate::new(0, visible * 1.01, visible * 1.02, Some(visible * 1.03));
        };
        check(narrow, &["Calypso on 203.0.113.25, octets"]);
    }

    #[test]
    fn ignoring_validity_fails() {
        let late = |hunt: &mut Hunt, truth: &Truth| {
            let fox = truth.pairs.iter().position(|pair| pair.cluster == "RedFoxtrot").unwrap();
            hunt.findings[fox].infrastructure.push(endpoint("192.0.2.150"));
            hunt.findings[fox].last_seen = Day(truth.last_day.0).start();
            accuse(hunt, "203.0.113.43", "192.0.2.150", fox);
        };
        check(
            late,
            &[
                "victims",
                "pairs",
                "victims of RedFoxtrot",
                "decoys believed",
                "hosts accused",
                "RedFoxtrot on 203.0.113.25, last",
            ],
        );
    }

    #[test]
    fn counting_the_probes_of_a_scanner_fails() {
        check(|hunt, _| hunt.findings[0].infrastructure.push(endpoint("192.0.2.201")), &["decoys believed"]);
    }

    #[test]
    fn believing_a_typing_error_fails_however_it_is_written() {
        check(|hunt, _| hunt.findings[0].infrastructure.push(endpoint("198.0.0.0/8")), &["decoys believed"]);
    }

    #[test]
    fn believing_backscatter_fails() {
        let forged = |hunt: &mut Hunt, _: &Truth| accuse(hunt, "203.0.113.30", "192.0.2.37", 0);
        check(forged, &["victims", "pairs", "victims of Calypso", "hosts accused", "increases elsewhere"]);
    }

    #[test]
    fn merging_clusters_by_family_fails() {
        let merge = |hunt: &mut Hunt, _: &Truth| {
            for finding in hunt.findings.iter_mut().filter(|f| f.cluster.name == "PlugX cluster") {
                finding.cluster.name = "RedFoxtrot".to_owned();
            }
        };
        check(
            merge,
            &[
                "pairs",
                "clusters on",
                "victims of PlugX cluster",
                "PlugX cluster on",
                "RedFoxtrot on 203.0.113.25",
            ],
        );
    }

    #[test]
    fn missing_a_pair_fails_and_a_weak_or_discounted_one_does_not_count() {
        let weaken = |hunt: &mut Hunt, _: &Truth| hunt.findings[2].verdict = Verdict::Possible;
        check(weaken, &["pairs", "clusters on", "victims of Winnti cluster", "Winnti cluster on"]);
        let discount = |hunt: &mut Hunt, _: &Truth| {
            let mut aside = hunt.findings[0].clone();
            aside.victim.address = "203.0.113.77".parse().unwrap();
            aside.verdict = Verdict::Discounted;
            hunt.discounted.push(aside);
        };
        check(discount, &[]);
    }

    #[test]
    fn wrong_dates_and_roles_fail() {
        let early = |hunt: &mut Hunt, _: &Truth| {
            hunt.findings[0].first_seen = hunt.findings[0].first_seen.plus_micros(-3 * DAY_US);
        };
        check(early, &["Calypso on 203.0.113.25, first contact"]);
        let role = |hunt: &mut Hunt, _: &Truth| hunt.findings[0].victim.roles = vec!["endpoint".to_owned()];
        check(role, &["role of 203.0.113.25"]);
    }

    #[test]
    fn calling_what_ended_before_the_event_level_fails() {
        let level = |hunt: &mut Hunt, _: &Truth| {
            for test in hunt
                .findings
                .iter_mut()
                .filter(|f| f.cluster.name == "RedFoxtrot")
                .flat_map(|f| &mut f.event_tests)
            {
                (test.assessed, test.p_value, test.p_adjusted) = (true, Some(0.5), Some(0.5));
            }
        };
        check(level, &["RedFoxtrot on 203.0.113.25, after", "RedFoxtrot on 198.51.100.40, after"]);
    }

    #[test]
    fn a_false_none_and_a_wrong_period_fail() {
        let none = |hunt: &mut Hunt, _: &Truth| {
            (hunt.findings[0].rhythm.judged, hunt.findings[0].rhythm.period_s) = (true, None);
        };
        check(none, &["Calypso on 203.0.113.25, beacon"]);
        let half = |hunt: &mut Hunt, _: &Truth| {
            (hunt.findings[0].rhythm.judged, hunt.findings[0].rhythm.period_s) = (true, Some(150.0));
        };
        check(half, &["Calypso on 203.0.113.25, beacon"]);
    }

    #[test]
    fn what_a_sound_test_may_miss_is_counted_and_fails_nothing_alone() {
        for truth in TRUTHS.iter() {
            let mut hunt = perfect(truth);
            hunt.findings[0].surges.clear();
            for test in &mut hunt.findings[0].event_tests {
                test.p_adjusted = test.p_adjusted.map(|_| 0.2);
            }
            let score = score(&hunt, truth);
            let missed: Vec<&str> =
                score.lines.iter().filter(|line| !line.pass).map(|line| line.item.as_str()).collect();
            assert_eq!(
                missed,
                [
                    "Calypso on 203.0.113.25, after 2021-08-01",
                    "Calypso on 203.0.113.25, date of the increase"
                ]
            );
            assert!(score.passed());
        }
    }

    #[test]
    fn one_octet_too_few_fails_where_all_are_known() {
        let truth = &TRUTHS[1];
        let mut hunt = perfect(truth);
        assert!(score(&hunt, truth).passed());
        let total = hunt.victims.iter_mut().find(|total| total.address == crate::plan::V1).unwrap();
        assert_eq!(total.octets_out.point, 5.7e9);
        total.octets_out = Estimate::exact(5_699_999_999);
        assert!(!score(&hunt, truth).passed());
    }
}
