//! Sentences about a whole hunt.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rahdar_figure::legible;
use rahdar_figure::octets::{self, Whole};
use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::finding::{EventTest, Finding, Hunt, Verdict, Victim};
use rahdar_model::time::CLOCK_PLAUSIBLE;
use rahdar_model::{Address, Estimate, Window};

use super::finding::change;
use super::phrase::{self, counted};
use super::profile;
use crate::report::blind;

/// A hunt in sentences.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary<'a> {
    /// How much was looked at and found, and how much is not worded here.
    pub opening: Vec<String>,
    /// Victim by victim, in the order of the findings.
    pub victims: Vec<VictimSummary<'a>>,
}

/// What is said of one victim.
#[derive(Debug, Clone, PartialEq)]
pub struct VictimSummary<'a> {
    /// Which.
    pub victim: &'a Victim,
    /// Which clusters, how much left in total, and what sources of its network disagree on.
    pub sentences: Vec<String>,
    /// A line for each cluster: since when, until when, and whether it grew.
    pub clusters: Vec<String>,
}

/// Victims that a summary puts into sentences. Chosen here: more is no summary.
pub const MOST_VICTIMS: usize = 25;
/// Clusters of one victim that have a line. Chosen here, likewise.
pub const MOST_LINES: usize = 25;

/// What `hunt` says, in the order in which a reader asks. Victims on whom nothing better than
/// weak evidence was found are counted, and put into sentences only if there are no others.
pub fn summary(hunt: &Hunt) -> Summary<'_> {
    let all = victims_of(hunt);
    let (mut told, mut weak): (Vec<_>, Vec<_>) =
        all.iter().copied().partition(|victim| firmest_on(hunt, victim.address) > Verdict::Possible);
    if told.is_empty() {
        std::mem::swap(&mut told, &mut weak);
    }
    let victims = told.iter().copied().take(MOST_VICTIMS).map(|victim| {
        let findings = findings_on(hunt, victim.address);
        let mut sentences = clusters_on(victim, &findings);
        sentences.extend(left_in_total(hunt, victim, &findings));
        sentences.extend(profile::caveats(victim));
        let mut clusters: Vec<String> =
            findings.iter().take(MOST_LINES).map(|finding| life(hunt, finding)).collect();
        if findings.len() > MOST_LINES {
            let rest = counted(findings.len() - MOST_LINES, "more cluster is", "more clusters are");
            clusters.push(format!("{} in the table alone.", phrase::capital(&rest)));
        }
        VictimSummary { victim, sentences, clusters }
    });
    Summary { opening: opening(hunt, told.len(), weak.len()), victims: victims.collect() }
}

/// The believed victims, each once: those with the most clusters first, then in the order of the
/// findings.
pub(crate) fn victims_of(hunt: &Hunt) -> Vec<&Victim> {
    let mut clusters = BTreeMap::<Address, usize>::new();
    let mut victims = Vec::new();
    for finding in &hunt.findings {
        let count = clusters.entry(finding.victim.address).or_default();
        if *count == 0 {
            victims.push(&finding.victim);
        }
        *count += 1;
    }
    victims.sort_by_key(|victim| Reverse(clusters[&victim.address]));
    victims
}

/// How far the best finding on a victim is believed.
fn firmest_on(hunt: &Hunt, victim: Address) -> Verdict {
    let verdicts = hunt.findings.iter().filter(|finding| finding.victim.address == victim);
    verdicts.map(|finding| finding.verdict).max().unwrap_or(Verdict::Discounted)
}

/// The believed findings on one victim, in the order of the hunt.
pub(crate) fn findings_on(hunt: &Hunt, victim: Address) -> Vec<&Finding> {
    hunt.findings.iter().filter(|finding| finding.victim.address == victim).collect()
}

/// The time from the first exporter's first packet to the last one's last, inside the hunt, as far as clocks
/// tell it.
pub(crate) fn observed(hunt: &Hunt) -> Option<Window> {
    let dated = || hunt.coverage.iter().filter(|exporter| CLOCK_PLAUSIBLE.contains(exporter.window.from));
    let from = dated().map(|exporter| exporter.window.from).min()?;
    let until = dated().map(|exporter| exporter.window.until).max()?;
    let observed = Window::new(from, until).intersect(hunt.window);
    (!observed.is_empty()).then_some(observed)
}

/// Why the truth may be much higher than what these findings say together; none where it has an upper bound.
///
/// What counts is what the exporters that recorded them saw, from their first contact to their last. What
/// others saw, or all of them at other times, stands with the coverage of the hunt.
pub fn may_be_higher(hunt: &Hunt, findings: &[&Finding], estimate: &Estimate) -> Option<String> {
    if estimate.high.is_some() {
        return None;
    }
    let mut why = vec!["what share of the traffic the exporters saw is not known".to_owned()];
    let first = findings.iter().filter_map(|finding| finding.first_seen).min();
    let last = findings.iter().filter_map(|finding| finding.last_seen).max();
    let Some((first, last)) = first.zip(last) else {
        return Some(format!("The true figure may be much higher: {}.", phrase::clauses(&why)));
    };
    let span = Window::new(first, last);
    let is_own = |name: &Arc<str>| findings.iter().any(|finding| finding.exporters.contains(name));
    let own: Vec<ExporterCoverage> =
        hunt.coverage.iter().filter(|ledger| is_own(&ledger.exporter)).cloned().collect();
    let blind = blind::blind(&own, span);
    let dark = blind::hours(&blind);
    if dark > 0 {
        let hours = if dark == 1 { "hour" } else { "hours" };
        let holes = || findings.iter().flat_map(|finding| &finding.witness.holes);
        let is_usual = !blind.iter().any(|dark| holes().any(|hole| hole.window.overlaps(*dark)));
        let usual = if is_usual { ", as they often do at such times" } else { "" };
        why.push(format!(
            "the exporters concerned recorded nothing for {} {hours}{usual}",
            octets::count(dark)
        ));
    }
    let is_lossy = |ledger: &&ExporterCoverage| ledger.gaps.iter().any(|gap| gap.overlaps(span));
    let lossy = own.iter().filter(is_lossy).count();
    if lossy > 0 {
        let exporters = counted(lossy, "exporter", "exporters");
        why.push(format!("part of what {exporters} sent meanwhile was lost"));
    }
    Some(format!("The true figure may be much higher: {}.", phrase::clauses(&why)))
}

fn opening(hunt: &Hunt, told: usize, weak: usize) -> Vec<String> {
    let victims = told + weak;
    let mut sentences = Vec::new();
    let swept = format!("{} flow records", octets::count(hunt.flows_swept));
    let span = observed(hunt).map_or_else(String::new, |observed| {
        format!(" from {} to {}", observed.from.day(), observed.until.plus_micros(-1).day())
    });
    if victims == 0 {
        sentences.push(format!("In {swept}{span}, no contact with claimed infrastructure is believed."));
    } else {
        let findings = phrase::capital(&counted(hunt.findings.len(), "finding", "findings"));
        let hosts = counted(victims, "host", "hosts");
        sentences.push(format!("{findings} on {hosts}, in {swept}{span}."));
    }
    if weak > 0 {
        let hosts = counted(weak, "of these hosts", "of these hosts");
        sentences.push(format!("On {hosts} the evidence is weak; the table has them."));
    }
    if told > MOST_VICTIMS {
        let rest = counted(told - MOST_VICTIMS, "host is", "hosts are");
        sentences.push(format!("{} in the table alone.", phrase::capital(&rest)));
    }
    if !hunt.discounted.is_empty() {
        let matches = counted(hunt.discounted.len(), "further match is", "further matches are");
        sentences.push(format!("{} not believed; the reasons are given.", phrase::capital(&matches)));
    }
    sentences
}

/// Which clusters were on the victim, by how far they are believed.
fn clusters_on(victim: &Victim, findings: &[&Finding]) -> Vec<String> {
    let mut sentences = Vec::new();
    let with = |verdict: Verdict| {
        findings.iter().copied().filter(|finding| finding.verdict == verdict).collect::<Vec<_>>()
    };
    let confirmed = with(Verdict::Confirmed);
    if !confirmed.is_empty() {
        let clusters = phrase::capital(&count(&confirmed));
        let names = by_attribution(&confirmed);
        sentences.push(format!("{clusters} ({names}) communicated with one {}.", role_of(victim)));
        if confirmed.iter().any(|finding| !finding.is_distinct) {
            let why =
                "Some cannot be told apart, for all their addresses are claimed for another cluster too.";
            sentences.push(why.to_owned());
        }
    }
    for (verdict, words) in [
        (Verdict::Likely, "is consistent with contact with infrastructure of"),
        (Verdict::Possible, "may, on weak evidence, be contact with infrastructure of"),
    ] {
        let lesser = with(verdict);
        if !lesser.is_empty() {
            let clusters = counted(lesser.len(), "cluster", "clusters");
            let (host, names) = (role_of(victim), by_attribution(&lesser));
            sentences.push(format!("Traffic of one {host} {words} {clusters} ({names})."));
        }
    }
    sentences
}

/// `four activity clusters`; `two to four` where some have no address of their own on this victim, and may be
/// another under a second name (`methods.md` §7.6).
fn count(findings: &[&Finding]) -> String {
    let distinct = findings.iter().filter(|finding| finding.is_distinct).count();
    match (distinct.max(1), findings.len()) {
        (least, most) if least == most => counted(most, "activity cluster", "activity clusters"),
        (least, most) => format!("{} to {} activity clusters", phrase::number(least), phrase::number(most)),
    }
}

/// `2 attributed with caveats: Calypso, RedFoxtrot; 2 unattributed: PlugX cluster, Winnti cluster`.
fn by_attribution(findings: &[&Finding]) -> String {
    let names = |named: bool| {
        let of_kind = findings.iter().filter(|finding| finding.cluster.named == named);
        of_kind.map(|finding| legible::name(&finding.cluster.name)).collect::<Vec<_>>()
    };
    let groups = [(names(true), "attributed with caveats"), (names(false), "unattributed")];
    let mixed = groups.iter().all(|(names, _)| !names.is_empty());
    let words = groups.into_iter().filter(|(names, _)| !names.is_empty()).map(|(names, kind)| {
        let count = if mixed { format!("{} ", names.len()) } else { String::new() };
        format!("{count}{kind}: {}", phrase::list(names))
    });
    words.collect::<Vec<_>>().join("; ")
}

/// `mail server (203.0.113.25, telecom, AF)`.
fn role_of(victim: &Victim) -> String {
    let mut traits = phrase::traits(victim);
    let role = if victim.roles.first().is_some_and(|role| !role.is_empty()) {
        traits.remove(0)
    } else {
        "host".to_owned()
    };
    traits.insert(0, victim.address.to_string());
    format!("{role} ({})", traits.join(", "))
}

/// How much left the victim, over all clusters: pooled, not added.
fn left_in_total(hunt: &Hunt, victim: &Victim, findings: &[&Finding]) -> Vec<String> {
    let Some(total) = hunt.victims.iter().find(|total| total.address == victim.address) else {
        return Vec::new();
    };
    let (octets, host) = (Whole::from(&total.octets_out), phrase::host(victim));
    if octets.low == 0 {
        return vec![format!("What left the {host} has no lower bound.")];
    }
    let across = match total.clusters {
        0 | 1 => "for this cluster".to_owned(),
        clusters => format!("in total across the {} clusters", phrase::number(clusters)),
    };
    let (least, bound) = (octets::in_prose(octets.low), octets::low(octets.low));
    // What was counted in full has no chance in it.
    let is_counted = octets.low <= total.octets_out.observed;
    let bound =
        if is_counted { format!("{bound} were counted") } else { format!("95 % lower bound {bound}") };
    let mut sentences = vec![format!("At least {least} left the {host} {across} ({bound}).")];
    let is_mixed = firmest_on(hunt, victim.address) == Verdict::Confirmed
        && total.octets_out_confirmed != total.octets_out;
    if is_mixed {
        let confirmed = match Whole::from(&total.octets_out_confirmed).low {
            0 => "Of that, what left in confirmed contact has no lower bound".to_owned(),
            low => format!("Of that, at least {} left in confirmed contact", octets::in_prose(low)),
        };
        sentences.push(format!("{confirmed}; the rest is merely likely to be such contact."));
    }
    let pooled: Vec<&Finding> =
        findings.iter().copied().filter(|finding| finding.verdict > Verdict::Possible).collect();
    sentences.extend(may_be_higher(hunt, &pooled, &total.octets_out));
    sentences
}

/// `RedFoxtrot: from at least 2021-03 until at least 2021-05; also on …`.
fn life(hunt: &Hunt, finding: &Finding) -> String {
    let month = |day: String| day.get(..7).map_or(day.clone(), str::to_owned);
    let at_least = if finding.at_least { "at least " } else { "" };
    let verdict = match finding.verdict {
        Verdict::Confirmed => String::new(),
        verdict => format!(" ({})", verdict.word()),
    };
    let when = match finding.first_seen.zip(finding.last_seen) {
        Some((first, last)) => match (month(first.day().to_string()), month(last.day().to_string())) {
            (first, last) if first == last => {
                format!("in {first}{}", if finding.at_least { ", at least" } else { "" })
            }
            (first, last) => format!("from {at_least}{first} until {at_least}{last}"),
        },
        None => "at times that no clock tells".to_owned(),
    };
    let mut parts = vec![format!("{}{verdict}: {when}", legible::name(&finding.cluster.name))];
    parts.extend(finding.surges.iter().map(change));
    if finding.surges.is_empty() {
        parts.extend(unchanged(&finding.event_tests));
    }
    parts.extend(also_on(hunt, finding));
    parts.join("; ") + "."
}

/// `no increase shown after 2021-07-02; not assessable after 2021-08-01`: of events within its life.
fn unchanged(tests: &[EventTest]) -> Option<String> {
    let days = |assessed: bool| {
        let tests = tests.iter().filter(|test| test.p_value.is_some() && test.assessed == assessed);
        tests.map(|test| test.at.day().to_string()).collect::<BTreeSet<String>>()
    };
    let told = |days: &BTreeSet<String>| phrase::list(days.iter().cloned().collect());
    let (level, open) = (days(true), days(false));
    match ((!level.is_empty()).then(|| told(&level)), (!open.is_empty()).then(|| told(&open))) {
        (Some(level), Some(open)) => Some(format!(
            "no increase shown after {level}; whether there was one after {open} is not assessable"
        )),
        (Some(_), None) => Some("no increase shown".to_owned()),
        (None, Some(_)) if open.len() > 1 => {
            let events = phrase::number(open.len());
            Some(format!("whether activity increased after any of {events} events is not assessable"))
        }
        (None, Some(open)) => Some(format!("whether activity increased after {open} is not assessable")),
        (None, None) => None,
    }
}

/// Where else the cluster was, beyond doubt.
fn also_on(hunt: &Hunt, finding: &Finding) -> Option<String> {
    let others: Vec<&Victim> = hunt
        .findings
        .iter()
        .filter(|other| other.verdict == Verdict::Confirmed && other.cluster.id == finding.cluster.id)
        .filter(|other| other.victim.address != finding.victim.address)
        .map(|other| &other.victim)
        .collect();
    match others[..] {
        [] => None,
        [other] if other.org == finding.victim.org && !other.org.is_empty() => {
            Some(format!("also on {} of the same network", phrase::victim(other)))
        }
        [other] if !other.org.is_empty() => {
            Some(format!("also on one host of {}, {}", legible::name(&other.org), phrase::victim(other)))
        }
        [other] => Some(format!("also on {}", phrase::victim(other))),
        _ => Some(format!("also on {} other hosts", phrase::number(others.len()))),
    }
}
