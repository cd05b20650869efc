//! Proposals as rows, for those who decide about them.

use rahdar_intel::assertion::{Proposal, Statement};
use rahdar_intel::book::Kept;
use rahdar_model::Window;
use rahdar_model::store::{Cell, Table};

const COLUMNS: [&str; 14] = [
    "id",
    "subject",
    "relation",
    "object",
    "from",
    "until",
    "wording",
    "asserted_by",
    "source",
    "published",
    "place",
    "sentence",
    "port",
    "accepted",
];

/// One row a statement, in the order of numbers.
pub(super) fn table<'a>(kept: impl Iterator<Item = &'a Kept>) -> Table {
    Table { columns: COLUMNS.map(str::to_owned).to_vec(), rows: kept.map(row).collect() }
}

fn row(kept: &Kept) -> Vec<Cell> {
    let text = |text: Option<String>| text.filter(|text| !text.is_empty()).map_or(Cell::Null, Cell::Text);
    let number =
        |number: Option<u64>| number.map_or(Cell::Null, |n| Cell::Int(n.try_into().unwrap_or(i64::MAX)));
    let Proposal { statement, wording, sentence, place } = &kept.proposal;
    let (subject, relation, object, window, port) = parts(statement);
    let (asserted_by, source, published) = match statement {
        Statement::Claim(claim) => (None, &claim.source, claim.published),
        Statement::Assertion(said) => (said.asserted_by.clone(), &said.source, said.published),
    };
    vec![
        number(Some(kept.id)),
        Cell::Text(subject),
        Cell::Text(relation.to_owned()),
        text(Some(object)),
        text(window.and_then(|window| super::bound(window.from))),
        text(window.and_then(|window| super::bound(window.until))),
        text(Some(wording.clone())),
        text(asserted_by),
        Cell::Text(source.to_string()),
        text(published.map(|time| time.day().to_string())),
        text(Some(place.clone())),
        text(Some(sentence.clone())),
        number(port.map(u64::from)),
        number(kept.accepted),
    ]
}

/// Subject, relation, object, window and port. Of a claim the object is whose it is.
fn parts(statement: &Statement) -> (String, &'static str, String, Option<Window>, Option<u16>) {
    match statement {
        Statement::Claim(claim) => {
            let whose = claim.cluster.as_ref().map(ToString::to_string).unwrap_or_default();
            (claim.indicator.to_string(), "indicates", whose, Some(claim.validity), claim.port)
        }
        Statement::Assertion(said) => {
            (said.subject.clone(), said.relation.word(), said.object.clone(), said.window, None)
        }
    }
}

/// A statement in one line: `Calypso targets Roshan, since at least July 2020 (2020-07-01 – 2021-09-28)`.
pub(super) fn sentence(proposal: &Proposal) -> String {
    let (subject, relation, object, window, port) = parts(&proposal.statement);
    let mut line = format!("{subject} {relation}");
    for (before, part) in [(" ", object), (" port ", port.map(|port| port.to_string()).unwrap_or_default())] {
        if !part.is_empty() {
            line.push_str(before);
            line.push_str(&part);
        }
    }
    if let Some(window) = window {
        let day = |time| super::bound(time).map_or(String::new(), |time| time[..10].to_owned());
        line.push_str(&format!(" [{} – {})", day(window.from), day(window.until)));
    }
    if !proposal.wording.is_empty() {
        line.push_str(&format!(" “{}”", proposal.wording));
    }
    if let Statement::Assertion(said) = &proposal.statement
        && let Some(who) = &said.asserted_by
    {
        line.push_str(&format!(", says {who}"));
    }
    line
}
