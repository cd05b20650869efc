//! `rahdar intel lookup`: what was claimed of it, and whether the claim held.

use rahdar_intel::book::Book;
use rahdar_intel::index::{Snapshot, Subject};
use rahdar_model::intelligence::Claim;
use rahdar_model::store::{Cell, Table};
use rahdar_model::{Address, Clock, Timestamp};
use serde::Serialize;

use crate::clock::SystemClock;
use crate::command::Format;
use crate::home::Home;
use crate::{Outcome, note, output};

/// The answer, as JSON has it.
#[derive(Serialize)]
struct Answer<'a> {
    subject: &'a str,
    at: String,
    intelligence_version: u64,
    claims: Vec<Claimed<'a>>,
    host_facts: Vec<Fact<'a>>,
    /// Lists that warn of the name.
    noted_by: Vec<&'a str>,
}

/// One claim, seen from the time asked about.
#[derive(Serialize)]
struct Claimed<'a> {
    indicator: String,
    cluster: Option<&'a str>,
    valid_from: Option<String>,
    valid_until: Option<String>,
    basis: &'static str,
    port: Option<u16>,
    protocol: Option<u8>,
    tools: &'a [String],
    source: &'a str,
    place: &'a str,
    tlp: Option<&'static str>,
    state: &'static str,
    /// How urgent it was then, 0–100; says nothing of whether it held.
    priority: Option<f64>,
}

/// What kind of host it is known to be.
#[derive(Serialize)]
struct Fact<'a> {
    network: String,
    class: &'static str,
    source: &'a str,
}

/// Prints every claim on the subject, valid or not.
pub(crate) fn run(
    home: &Home,
    subject: &str,
    at: Option<Timestamp>,
    format: Format,
) -> anyhow::Result<Outcome> {
    let at = at.unwrap_or_else(|| SystemClock.now());
    let subject = rahdar_intel::refanged(subject);
    let book = home.database()?.about(&Subject::of(&subject))?;
    let answer = answer(&book, &subject, at);
    match format {
        Format::Json => output::line(&serde_json::to_string_pretty(&answer)?)?,
        _ => output::print(&table(&answer), format)?,
    }
    for list in &answer.noted_by {
        note!("`{subject}` is in the list `{list}`");
    }
    if answer.claims.is_empty() {
        note!("nobody claimed anything of `{subject}`");
    }
    Ok(Outcome::Done)
}

fn answer<'a>(book: &'a Snapshot, subject: &'a str, at: Timestamp) -> Answer<'a> {
    let address = subject.parse::<Address>().ok();
    let claims: Vec<&Claim> = match address {
        Some(address) => book.claims_on(address).collect(),
        None => book.claims_naming(subject),
    };
    let facts = address.into_iter().flat_map(|address| book.facts_on(address, at));
    Answer {
        subject,
        at: at.to_string(),
        intelligence_version: book.version(),
        claims: claims.into_iter().map(|claim| claimed(book, claim, at)).collect(),
        host_facts: facts
            .map(|fact| Fact {
                network: fact.network.to_string(),
                class: fact.class.word(),
                source: &fact.source,
            })
            .collect(),
        noted_by: book.notes_on(subject, at).into_iter().map(|note| &*note.source).collect(),
    }
}

fn claimed<'a>(book: &'a Snapshot, claim: &'a Claim, at: Timestamp) -> Claimed<'a> {
    Claimed {
        indicator: claim.indicator.to_string(),
        cluster: super::cluster_name(book, claim),
        valid_from: super::bound(claim.validity.from),
        valid_until: super::bound(claim.validity.until),
        basis: claim.basis.word(),
        port: claim.port,
        protocol: claim.protocol,
        tools: &claim.tools,
        source: &claim.source,
        place: &claim.place,
        tlp: claim.tlp.map(|tlp| tlp.word()),
        state: state(claim, at),
        priority: book.priority(claim, at).map(f64::round),
    }
}

fn state(claim: &Claim, at: Timestamp) -> &'static str {
    if claim.validity.contains(at) {
        "valid"
    } else if at < claim.validity.from {
        "not yet"
    } else {
        "lapsed"
    }
}

fn table(answer: &Answer<'_>) -> Table {
    let columns = [
        "indicator",
        "state",
        "priority",
        "cluster",
        "valid_from",
        "valid_until",
        "basis",
        "port",
        "source",
        "place",
    ];
    let text = |text: Option<&str>| text.map_or(Cell::Null, |text| Cell::Text(text.to_owned()));
    let row = |claim: &Claimed<'_>| {
        vec![
            text(Some(&claim.indicator)),
            text(Some(claim.state)),
            claim.priority.map_or(Cell::Null, |priority| Cell::Int(priority as i64)),
            text(claim.cluster),
            text(claim.valid_from.as_deref()),
            text(claim.valid_until.as_deref()),
            text(Some(claim.basis)),
            claim.port.map_or(Cell::Null, |port| Cell::Int(port.into())),
            text(Some(claim.source)),
            text(Some(claim.place)),
        ]
    };
    Table { columns: columns.map(str::to_owned).to_vec(), rows: answer.claims.iter().map(row).collect() }
}
