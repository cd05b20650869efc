//! What is known of a victim's network, and who says so.

use std::fmt::Display;

use rahdar_figure::legible;
use rahdar_model::finding::Victim;
use rahdar_model::profile::{Behaviour, Countries, Origin, Stated};

use super::phrase;

/// Rows of a table of facts: what, and every statement of it with its source and day. Rows of which nothing is
/// known are left out.
pub(crate) fn facts(victim: &Victim) -> Vec<(&'static str, String)> {
    let profile = &victim.profile;
    let countries = &profile.countries;
    let mut facts = vec![
        ("Network of", statements(&profile.orgs)),
        (
            "Prefix and origin",
            phrase::list(profile.origins.iter().map(|said| stated(origin(&said.value), said)).collect()),
        ),
        ("Sector", statements(&profile.sectors)),
        ("Operating in", statements(&countries.operating)),
        ("Registered in", statements(&countries.registered)),
        ("Geolocated in", statements(&countries.geolocated)),
        ("Role by behaviour", profile.behaviour.as_ref().map_or_else(String::new, behaviour)),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

/// What a reader must know before a country or an AS is named: sources that differ, and prefixes that
/// several announced.
pub(super) fn caveats(victim: &Victim) -> Vec<String> {
    let profile = &victim.profile;
    let mut sentences = Vec::new();
    if profile.countries.disagree() {
        sentences.push(format!("Where its network is, sources differ: {}.", where_it_is(&profile.countries)));
    } else if profile.countries.moved() {
        let moved = where_it_is(&profile.countries);
        sentences.push(format!("Where its network is changed while contact lasted: {moved}."));
    }
    for said in profile.origins.iter().filter(|said| said.value.asns.len() > 1) {
        let asns = phrase::list(said.value.asns.iter().map(|asn| format!("AS{asn}")).collect());
        let (prefix, by) = (said.value.prefix, source(said));
        sentences.push(format!("Several announced {prefix}: {asns} ({by})."));
    }
    let mut moved = profile.origins.chunk_by(|a, b| a.source == b.source).filter(|same| same.len() > 1);
    if let Some(same) = moved.next() {
        let ways: Vec<String> = same.iter().map(|said| stated(origin(&said.value), said)).collect();
        sentences.push(format!("Its prefix moved while contact lasted: {}.", ways.join(", then ")));
    }
    sentences
}

/// `operating in AF, registered in AE`.
fn where_it_is(countries: &Countries) -> String {
    let ways = [
        ("operating in", &countries.operating),
        ("registered in", &countries.registered),
        ("geolocated in", &countries.geolocated),
    ];
    let said = ways.into_iter().filter(|(_, said)| !said.is_empty());
    said.map(|(way, said)| format!("{way} {}", in_turn(said))).collect::<Vec<_>>().join("; ")
}

/// `AF (places, 2021-02-01), then PK (places, 2021-04-01)`: what a source says of two days, in turn.
fn in_turn(said: &[Stated<String>]) -> String {
    let by_source = said.chunk_by(Stated::is_of_source_of);
    let ways = by_source.map(|same| {
        let days: Vec<String> = same.chunk_by(|a, b| a.as_of == b.as_of).map(statements).collect();
        days.join(", then ")
    });
    phrase::list(ways.collect())
}

fn statements(said: &[Stated<String>]) -> String {
    phrase::list(said.iter().map(|said| stated(legible::name(&said.value), said)).collect())
}

/// `AF (delegated, ripencc, 2021-08-01)`.
fn stated<T>(value: impl Display, said: &Stated<T>) -> String {
    format!("{value} ({})", source(said))
}

fn source<T>(said: &Stated<T>) -> String {
    let source = legible::name(&said.source);
    said.as_of.map_or(source.clone(), |day| format!("{source}, {day}"))
}

/// `203.0.113.0/24 of AS64500`.
fn origin(origin: &Origin) -> String {
    let asns: Vec<String> = origin.asns.iter().map(|asn| format!("AS{asn}")).collect();
    format!("{} of {}", origin.prefix, asns.join(" and "))
}

/// `mail server (p 0.95), else web server (p 0.05), by what was seen until 2021-09-29`.
fn behaviour(behaviour: &Behaviour) -> String {
    let Behaviour { top, runner_up, until, .. } = behaviour;
    let chance = |role: &str, p: f64| format!("{} (p {p:.2})", legible::name(role));
    format!(
        "{}, else {}, by what was seen until {until}",
        chance(&top.role, top.p),
        chance(&runner_up.role, runner_up.p)
    )
}
