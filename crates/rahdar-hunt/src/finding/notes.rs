//! What is said of a finding without weight, in sentences: what was not counted, whose clock was wrong, who did not record.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::finding::{Infrastructure, Reason, Victim};
use rahdar_model::sight::Hole;

use super::untrue::Unusable;
use crate::evidence::naming::RESOLVED_ONLY_DB;
use crate::evidence::{counted, listed};
use crate::exporters::Part;
use crate::names::Asked;

/// Holes in the record that a finding has a sentence for. Chosen here: its JSON has them all.
const MOST_HOLES_TOLD: usize = 3;

/// Roles of hosts that call for others, by a part of their word: the ports on which they do, and what passes there.
const RELAYS: [(&str, &[u16], &str); 2] =
    [("resolver", &[53, 853], "DNS"), ("mail", &[25, 465, 587], "mail")];

/// That clients of the victim may stand behind the contact; none where it does not call for others on these ports.
pub(super) fn clients(victim: &Victim, infrastructure: &[Infrastructure]) -> Option<Reason> {
    let relays = |word: &str, ports: &[u16]| {
        let role = victim.roles.iter().find(|role| role.to_lowercase().contains(word))?;
        infrastructure.iter().any(|endpoint| ports.contains(&endpoint.port)).then_some(role)
    };
    let told = |(word, ports, what)| {
        let role = relays(word, ports)?;
        let text = format!(
            "the victim's role is {role} and the traffic is by its ports {what}, so clients behind it may have asked \
             for it, and these flows do not show which"
        );
        Some(Reason { kind: "clients", weight: 0.0, text })
    };
    RELAYS.into_iter().find_map(told)
}

pub(super) fn held_twice(repeated: u64) -> Reason {
    let text = format!(
        "{} not counted: another input of the same exporter holds the same",
        counted(repeated, "flow record")
    );
    Reason { kind: "not_counted", weight: 0.0, text }
}

pub(super) fn left_out(unusable: &Unusable) -> Reason {
    let flows = counted(unusable.tally.flows, "flow");
    let text = format!("{flows} left out: the records cannot be true");
    Reason { kind: "unusable", weight: 0.0, text }
}

pub(super) fn resolved_only(asked: &Asked) -> Reason {
    let names: Vec<&String> = asked.names.iter().collect();
    let seen = match asked.flows {
        0 => "no flow with an answer was seen".to_owned(),
        flows => format!("no claim names the resolved addresses; {} reached them", counted(flows, "flow")),
    };
    let text = format!("the host asked {} for {}", times(asked.questions()), listed(&names));
    match &asked.standing {
        (validity, ..) if validity.is_open() => {
            Reason { kind: "resolved", weight: RESOLVED_ONLY_DB, text: format!("{text}; {seen}") }
        }
        (.., outside) => Reason { text: format!("{text}, {}; {seen}", outside.text), ..outside.clone() },
    }
}

/// What is to be said of clocks, without weight.
pub(super) fn clocks(parts: &[Part<'_>]) -> impl Iterator<Item = Reason> {
    let undated = parts.iter().filter(|part| part.contact().clock_suspect).count() as u64;
    let arrived = parts.iter().filter(|part| part.contact().by_arrival).count() as u64;
    let notes = [
        (undated, "had no usable time and counted towards no date"),
        (arrived, "dated by arrival, for their own clock is not to be trusted"),
    ];
    let told = notes.into_iter().filter(|(flows, _)| *flows > 0);
    told.map(|(flows, text)| {
        let text = format!("{} of {} {text}", counted(flows, "flow"), parts.len());
        Reason { kind: "clock", weight: 0.0, text }
    })
}

/// What is to be said of exporters whose templates have two meanings, without weight: what was read by them may
/// be something else.
pub(super) fn conflicts<'a>(
    parts: &'a [Part<'_>],
    exporters: &'a BTreeSet<&str>,
    coverage: &'a [ExporterCoverage],
) -> impl Iterator<Item = Reason> {
    exporters.iter().filter_map(|exporter| {
        let ledgers = || coverage.iter().filter(|ledger| &*ledger.exporter == *exporter);
        let all: u64 = ledgers().map(|ledger| ledger.template_conflicts).sum();
        let is_own = |part: &&Part<'_>| part.contact().has_conflict && &*part.contact().exporter == *exporter;
        let own = parts.iter().filter(is_own).count() as u64;
        let flows: u64 = ledgers().map(|ledger| ledger.flows).sum();
        let text = format!(
            "exporter `{exporter}` announced templates anew with another meaning: {all} of {} may be misread, {own} \
             of them here",
            counted(flows, "flow record")
        );
        (all > 0).then_some(Reason { kind: "template_conflict", weight: 0.0, text })
    })
}

/// What is to be said of holes in the record, without weight: the longest of them.
pub(super) fn holes(holes: &[Hole]) -> impl Iterator<Item = Reason> {
    let mut longest: Vec<&Hole> = holes.iter().collect();
    longest.sort_by_key(|hole| {
        (Reverse(hole.window.until.since(hole.window.from)), hole.window, &hole.exporter)
    });
    let rest = longest.len().saturating_sub(MOST_HOLES_TOLD) as u64;
    longest.truncate(MOST_HOLES_TOLD);
    longest.sort_unstable();
    let note = |text| Reason { kind: "coverage", weight: 0.0, text };
    let more = (rest > 0).then(|| format!("{} likewise", counted(rest, "shorter time")));
    longest.into_iter().map(hole_told).chain(more).map(note).collect::<Vec<_>>().into_iter()
}

/// One hole in words: when, whose, and by which count it is known.
fn hole_told(hole: &Hole) -> String {
    let Hole { window, exporter, usual_flows, lost, .. } = hole;
    let lost: Vec<String> =
        lost.iter().map(|lost| format!("{} {} lost ({})", lost.count, lost.unit, lost.cause)).collect();
    let by = match (lost.is_empty(), usual_flows) {
        (true, flows) => format!("{flows} flow records are usual"),
        (false, _) => listed(&lost.iter().collect::<Vec<_>>()),
    };
    let (from, until) = (window.from, window.until);
    format!(
        "exporter `{exporter}` recorded nothing from {from} to {until} ({by}): that is no time without contact"
    )
}

/// `once`, `7 times`.
fn times(n: u64) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}
