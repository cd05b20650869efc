//! Sentences about one finding.

use std::collections::BTreeSet;

use rahdar_figure::legible;
use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::finding::{Finding, Reason, Surge, Verdict};

use super::phrase;

/// The finding in one sentence.
///
/// > 203.0.113.25 (mail server, telecom, AF) was in contact with infrastructure attributed to
/// > Calypso on 212 days between at least 2020-07-06 and at least 2021-09-26; at least 1 GB left
/// > for it.
pub fn headline(finding: &Finding) -> String {
    let victim = phrase::victim(&finding.victim);
    let infrastructure = phrase::infrastructure_of(&finding.cluster);
    let when = phrase::when(finding.days_active, finding.first_seen, finding.last_seen, finding.at_least);
    let left = phrase::left_for_it(&finding.octets_out);
    match finding.verdict {
        Verdict::Confirmed => format!("{victim} was in contact with {infrastructure} {when}; {left}."),
        Verdict::Likely if is_silent(finding) => {
            format!("{victim} tried to reach {infrastructure} {when}; no answer was seen.")
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

/// What a verdict means.
pub const fn verdict_means(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Confirmed => {
            "The traffic is validated as communication with infrastructure that was claimed to be hostile at \
             that time."
        }
        Verdict::Likely => {
            "The traffic fits such communication, and one requirement for validating it is not met."
        }
        Verdict::Possible => "The match deserves a look. The evidence does not carry more than that.",
        Verdict::Discounted => "Something else explains the match better, or too little speaks for it.",
    }
}

/// How likely it is, in the words of ICD-203 (`methods.md` §2.5).
pub fn likelihood(finding: &Finding) -> String {
    let chance = match finding.confidence {
        0..=5 => "There is almost no chance that",
        6..=20 => "It is very unlikely that",
        21..=45 => "It is unlikely that",
        46..=55 => "There is a roughly even chance that",
        56..=80 => "It is likely that",
        81..=95 => "It is very likely that",
        96.. => "It is almost certain that",
    };
    format!("{chance} this is command-and-control traffic.")
}

/// Decibans from which a reason counts as evidence of its own (`methods.md` §2.5).
const COUNTING_DB: f64 = 4.0;

/// How good the evidence is, whatever it says: a different axis from likelihood, so a sentence
/// of its own (`methods.md` §2.5).
///
/// High needs three independent kinds of evidence of 4 dB or more, an exporter that sees both
/// directions, and known sampling rates. One kind alone, or one direction alone, is low.
pub fn analytic_confidence(finding: &Finding, coverage: &[ExporterCoverage]) -> String {
    let kinds: BTreeSet<&str> = finding
        .reasons
        .iter()
        .filter(|reason| reason.weight >= COUNTING_DB)
        .map(|reason| reason.kind)
        .collect();
    let two_way = coverage.iter().any(|exporter| {
        exporter.tcp_flows_two_way > 0 && exporter.tcp_flows_two_way >= exporter.tcp_flows.div_ceil(2)
    });
    let rates_known = coverage.iter().all(|exporter| exporter.sampling.iter().all(Option::is_some));
    let level = match kinds.len() {
        0 | 1 => "low",
        _ if !two_way => "low",
        2 => "moderate",
        _ if !rates_known => "moderate",
        _ => "high",
    };
    let mut why =
        phrase::counted(kinds.len(), "independent kind of evidence", "independent kinds of evidence");
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

/// The increases that a test confirmed, a sentence each. Nothing is said where there are none:
/// a hunt does not tell an increase that was not found from one that could not be judged.
pub fn changes(finding: &Finding) -> Vec<String> {
    finding.surges.iter().map(|surge| format!("{}.", phrase::capital(&change(surge)))).collect()
}

/// `activity increased after 2021-08-01 (registered event; 5.2 times the mean before; p = 0.004)`.
pub(super) fn change(surge: &Surge) -> String {
    let (day, size) = (surge.window.from.day(), times(surge.ratio));
    let p = chance(surge.p_value);
    match &surge.event {
        Some(event) => {
            let event = legible::name(event);
            format!("activity increased after {day} (registered event “{event}”; {size}; {p})")
        }
        None => format!("activity increased from about {day} on (date found by the test; {size}; {p})"),
    }
}

/// Whether, and how regularly, contacts recur.
pub fn rhythm(finding: &Finding) -> String {
    let rhythm = &finding.rhythm;
    let why = legible::sentence(&rhythm.why);
    let because = if why.is_empty() { String::new() } else { format!(": {}", why.trim_end_matches('.')) };
    match rhythm.period_s {
        Some(period_s) => format!("Contacts recur every {} or so{because}.", period(period_s)),
        None if rhythm.judged => format!("No rhythm was found{because}."),
        None => format!("Whether contacts have a rhythm was not judged{because}."),
    }
}

/// Why a finding was discounted: the reason that stands first, where it does not speak for it.
pub fn objection(finding: &Finding) -> Option<&Reason> {
    finding.reasons.first().filter(|reason| reason.weight <= 0.0)
}

/// Called often, answered never: `methods.md` §2.4.
fn is_silent(finding: &Finding) -> bool {
    finding.reasons.iter().any(|reason| reason.kind == "c2_silent")
}

fn times(ratio: f64) -> String {
    if ratio.is_finite() { format!("{ratio:.1} times the mean before") } else { "from nothing".to_owned() }
}

/// Rounded up: a chance is not made smaller than it was.
fn chance(p_value: f64) -> String {
    let thousandths = (p_value * 1000.0).ceil();
    if thousandths <= 1.0 { "p ≤ 0.001".to_owned() } else { format!("p = {:.3}", thousandths / 1000.0) }
}

fn period(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} seconds"),
        s if s < 7_200.0 => format!("{:.0} minutes", s / 60.0),
        s => format!("{:.0} hours", s / 3_600.0),
    }
}
