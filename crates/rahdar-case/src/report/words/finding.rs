//! Sentences about one finding.

use std::collections::{BTreeMap, BTreeSet};

use rahdar_figure::legible;
use rahdar_model::Window;
use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::finding::{EventTest, Finding, Reason, Surge, Verdict};

use super::phrase;

/// The finding in one sentence.
///
/// > 203.0.113.25 (mail server, telecom, AF) was in contact with infrastructure attributed to
/// > Calypso on 212 days between at least 2020-07-06 and at least 2021-09-26; at least 1 GB left
/// > for it.
pub fn headline(finding: &Finding) -> String {
    let victim = phrase::victim(&finding.victim);
    let infrastructure = phrase::infrastructure_of(&finding.cluster);
    let when = phrase::when(finding);
    let left = phrase::left_for_it(&finding.octets_out);
    match finding.verdict {
        Verdict::Confirmed => format!("{victim} was in contact with {infrastructure} {when}; {left}."),
        Verdict::Likely if is_silent(finding) => {
            let beside = if finding.octets_out.observed > 0 { format!("; {left}") } else { String::new() };
            format!("{victim} tried to reach {infrastructure} {when}; no call was accepted{beside}.")
        }
        Verdict::Likely => {
            format!(
                "{victim} had traffic {when} that is consistent with contact with {infrastructure}; {left}."
            )
        }
        Verdict::Possible => {
            format!(
                "{victim} had traffic {when} that may be contact with {infrastructure}; the evidence is weak."
            )
        }
        Verdict::Discounted => {
            format!("{victim} had traffic {when} that matched {infrastructure}, but is not believed.")
        }
    }
}

/// What the verdict means, and which requirements for a higher one are not met.
pub fn verdict_means(finding: &Finding) -> String {
    let means = match finding.verdict {
        Verdict::Confirmed if is_undated(finding) => {
            "The traffic is validated as communication with infrastructure that is claimed to be hostile; no source \
             says when it was."
        }
        Verdict::Confirmed => {
            "The traffic is validated as communication with infrastructure that was claimed to be hostile at \
             that time; the evidence says whether the time was stated or assumed."
        }
        Verdict::Likely => "The traffic fits such communication, and is not validated.",
        Verdict::Possible => "The match deserves a look. The evidence does not carry more than that.",
        Verdict::Discounted => "Something else explains the match better, or too little speaks for it.",
    };
    let lacks = finding.reasons.iter().find(|reason| reason.kind == "requirement");
    match lacks.map(|reason| phrase::capital(&legible::sentence(&reason.text))) {
        Some(lacks) => format!("{means} {lacks}."),
        None => means.to_owned(),
    }
}

/// The highest confidence that is unlikely, and the lowest that is likely. Between them the chance is roughly
/// even (ICD-203).
const UNLIKELY_MOST: u8 = 45;
const LIKELY_LEAST: u8 = 56;

/// How likely it is, in the words of ICD-203 (`methods.md` §2.5).
pub fn likelihood(finding: &Finding) -> String {
    let chance = match finding.confidence {
        0..=5 => "There is almost no chance that",
        6..=20 => "It is very unlikely that",
        21..=UNLIKELY_MOST => "It is unlikely that",
        46..LIKELY_LEAST => "There is a roughly even chance that",
        LIKELY_LEAST..=80 => "It is likely that",
        81..=95 => "It is very likely that",
        96.. => "It is almost certain that",
    };
    format!("{chance} this is command-and-control traffic.")
}

/// Decibans from which a reason counts as evidence of its own (`methods.md` §2.5).
const COUNTING_DB: f64 = 4.0;

/// Kinds of evidence that tell the same story: their weights are capped together (`rahdar-hunt`, `evidence`),
/// and they count as one kind.
const SAME_STORY: [[&str; 2]; 3] =
    [["persistence", "rhythm"], ["port", "named"], ["establishment", "asymmetry"]];

/// How good the evidence is, whatever it says: a different axis from likelihood, so a sentence
/// of its own (`methods.md` §2.5).
///
/// High needs three independent kinds of evidence of 4 dB or more, an exporter that sees both
/// directions, and known sampling rates: those of the exporters that recorded it. One kind alone, or one
/// direction alone, is low. The evidence is that for what [`likelihood`] says: of what is unlikely, the
/// evidence against it; of a roughly even chance, neither.
pub fn analytic_confidence(finding: &Finding, coverage: &[ExporterCoverage]) -> String {
    let speaks_for = |reason: &&Reason| match finding.confidence {
        ..=UNLIKELY_MOST => reason.weight <= -COUNTING_DB,
        LIKELY_LEAST.. => reason.weight >= COUNTING_DB,
        _ => reason.weight.abs() >= COUNTING_DB,
    };
    let is_evidence =
        |reason: &&Reason| !matches!(reason.kind, "calibration" | "base_rate" | "cap" | "prior");
    let kinds = finding.reasons.iter().filter(is_evidence).filter(speaks_for);
    let story = |kind: &'static str| {
        SAME_STORY.iter().find(|kinds| kinds.contains(&kind)).map_or(kind, |kinds| kinds[0])
    };
    let kinds: BTreeSet<&str> = kinds.map(|reason| story(reason.kind)).collect();
    let own = || coverage.iter().filter(|ledger| finding.exporters.contains(&ledger.exporter));
    let two_way = own().any(|exporter| {
        exporter.tcp_flows_two_way > 0 && exporter.tcp_flows_two_way >= exporter.tcp_flows.div_ceil(2)
    });
    let rates_known = own().all(|exporter| exporter.sampling.iter().all(Option::is_some));
    let is_even = (UNLIKELY_MOST + 1..LIKELY_LEAST).contains(&finding.confidence);
    let level = match kinds.len() {
        0 | 1 => "low",
        _ if is_even || !two_way => "low",
        2 => "moderate",
        _ if !rates_known => "moderate",
        _ => "high",
    };
    let mut why =
        phrase::counted(kinds.len(), "independent kind of evidence", "independent kinds of evidence");
    match finding.confidence {
        ..=UNLIKELY_MOST => why.push_str(" against it"),
        _ if is_even => why.push_str(" for or against it"),
        _ => {}
    }
    if !two_way {
        why.push_str(", most traffic seen in one direction only");
    }
    if !rates_known {
        why.push_str(", some sampling rates unknown");
    }
    format!("Analytic confidence is {level}: {why}.")
}

/// Whose word the attribution is, or that there is none.
pub fn attribution(finding: &Finding) -> String {
    let name = legible::name(&finding.cluster.name);
    if !finding.cluster.named {
        return format!("{name} is a cluster of activity. No source of this hunt ties it to a named group.");
    }
    let sources: BTreeSet<&str> = finding
        .infrastructure
        .iter()
        .map(|endpoint| &*endpoint.source)
        .filter(|source| !source.is_empty())
        .collect();
    let whose = match sources.len() {
        0 => "that of the imported intelligence".to_owned(),
        _ => format!("that of {}", phrase::list(sources.into_iter().map(legible::name).collect())),
    };
    format!("The attribution to {name} is {whose}. This hunt tested the traffic, not the attribution.")
}

/// The malware named with the infrastructure; none where none is.
pub fn tools(finding: &Finding) -> Option<String> {
    let tools = &finding.cluster.tools;
    (!tools.is_empty()).then(|| {
        let list = phrase::list(tools.iter().map(|tool| legible::name(tool)).collect());
        format!("Malware named with this infrastructure: {list}. Groups share malware; it identifies none.")
    })
}

/// What the tests say of increases: those confirmed, a sentence each; then, in one sentence each,
/// the events without one, and the events that could not be assessed.
pub fn changes(finding: &Finding) -> Vec<String> {
    let mut sentences: Vec<String> =
        finding.surges.iter().map(|surge| format!("{}.", phrase::capital(&change(surge)))).collect();
    let is_told = |test: &&EventTest| {
        finding.surges.iter().any(|surge| {
            surge.event.as_ref() == Some(&test.event) && surge.window.from.day() == test.at.day()
        })
    };
    let untold = || finding.event_tests.iter().filter(|test| !is_told(test));
    let of = |tests: Vec<&EventTest>| phrase::list(tests.into_iter().map(dated).collect());
    let none: Vec<&EventTest> = untold().filter(|test| test.assessed && test.why.is_empty()).collect();
    if !none.is_empty() {
        sentences.push(format!("No increase was shown after {}.", of(none)));
    }
    let same: Vec<&EventTest> = untold().filter(|test| test.assessed && !test.why.is_empty()).collect();
    if !same.is_empty() {
        sentences.push(format!("What lies after {} is explained by an increase at another date.", of(same)));
    }
    let mut open: BTreeMap<&str, Vec<&EventTest>> = BTreeMap::new();
    for test in untold().filter(|test| !test.assessed) {
        open.entry(&test.why).or_default().push(test);
    }
    sentences.extend(open.into_iter().map(|(why, tests)| {
        let why = legible::sentence(why);
        format!("Whether activity increased after {} is not assessable: {why}.", of(tests))
    }));
    if !finding.spikes.is_empty() {
        let days = finding.spikes.iter().map(|spike| format!("{} ({:.1} times)", spike.day, spike.ratio));
        let days = phrase::list(days.collect());
        sentences.push(format!("Days far above the median active day: {days}."));
    }
    sentences
}

/// `2021-08-15 (“Kabul falls”)`; `2021-08-15 (“Kabul falls”, exploratory)`.
fn dated(test: &EventTest) -> String {
    let exploratory = if test.is_exploratory { ", exploratory" } else { "" };
    format!("{} (“{}”{exploratory})", test.at.day(), legible::name(&test.event))
}

/// `activity increased after 2021-08-01 (registered event “…”; ratio 5.2 [3.1, 9.0]; adjusted p = 0.004)`.
pub(super) fn change(surge: &Surge) -> String {
    let (day, size) = (surge.window.from.day(), times(surge));
    let p = chance(surge.p_adjusted);
    match &surge.event {
        Some(event) => {
            let event = legible::name(event);
            let event = if surge.is_exploratory {
                format!("exploratory: event “{event}” was registered after the flows had been looked at")
            } else {
                format!("registered event “{event}”")
            };
            let told = format!("activity increased after {day} ({event}; {size}; {p}");
            let since = surge.since;
            match i64::from(since.0) - i64::from(day.0) {
                ..0 => format!(
                    "more activity after {day} than before ({event}; {size}; {p}); the data place the change at \
                     about {since}, before that event"
                ),
                0 => format!("{told})"),
                1..=SOON_DAYS => format!("{told}; by the data since about {since})"),
                days => format!("{told}); the data place the change at about {since}, {days} days after it"),
            }
        }
        None => format!("activity increased from about {day} on (date found by the test; {size}; {p})"),
    }
}

/// Days after an event within which an increase is one after it, without more words. Chosen here.
const SOON_DAYS: i64 = 14;

/// Whether, and how regularly, contacts recur.
pub fn rhythm(finding: &Finding) -> String {
    let rhythm = &finding.rhythm;
    let why = legible::sentence(&rhythm.why);
    let because = if why.is_empty() { String::new() } else { format!(": {}", why.trim_end_matches('.')) };
    match rhythm.period_s {
        Some(period_s) => {
            format!("Contacts are consistent with a beacon every {}{because}.", period(period_s))
        }
        None if rhythm.judged && rhythm.score.is_some_and(|score| score > 0.0) => {
            format!("Contacts are consistent with a beacon whose period is not known well{because}.")
        }
        None if rhythm.judged => format!("No rhythm was found{because}."),
        None => format!("Whether contacts have a rhythm is not assessable{because}."),
    }
}

/// Why a finding was discounted: the reason that stands first, where it does not speak for it.
pub fn objection(finding: &Finding) -> Option<&Reason> {
    finding.reasons.first().filter(|reason| reason.weight <= 0.0)
}

/// Whether all its infrastructure was claimed without a date.
fn is_undated(finding: &Finding) -> bool {
    finding.infrastructure.iter().all(|endpoint| endpoint.validity == Window::ALL)
}

/// Called often, answered never: `methods.md` §2.4.
fn is_silent(finding: &Finding) -> bool {
    finding.reasons.iter().any(|reason| reason.kind == "c2_silent")
}

fn times(surge: &Surge) -> String {
    let Surge { ratio, ratio_low, ratio_high, event, .. } = surge;
    if !ratio.is_finite() {
        return "from nothing".to_owned();
    }
    if event.is_none() {
        return format!("ratio {ratio:.1}, an overestimate, since the same days chose the date");
    }
    if *ratio_low <= 0.0 && !ratio_high.is_finite() {
        return format!("ratio {ratio:.1}, without an interval");
    }
    let most = if ratio_high.is_finite() { format!("{ratio_high:.1}") } else { "no upper end".to_owned() };
    format!("ratio {ratio:.1} [{ratio_low:.1}, {most}]")
}

/// The chance with regard to all tests of the hunt, rounded up: a chance is not made smaller than it was.
fn chance(p_adjusted: f64) -> String {
    let thousandths = (p_adjusted * 1000.0).ceil();
    match thousandths {
        ..=1.0 => "adjusted p ≤ 0.001".to_owned(),
        _ => format!("adjusted p = {:.3}", thousandths / 1000.0),
    }
}

/// `49 seconds`, `5 minutes`, `60 minutes`, `12 hours`; with a digit where it counts.
fn period(seconds: f64) -> String {
    let digits = |value: f64, unit: &str| {
        let text = format!("{value:.1}");
        format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
    };
    match seconds {
        s if s < 119.5 => format!("{s:.0} seconds"),
        s if s < 7_170.0 => digits(s / 60.0, "minutes"),
        s => digits(s / 3_600.0, "hours"),
    }
}
