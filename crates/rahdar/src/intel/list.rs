//! `rahdar intel list`: every claim of the book, or what waits to be one.

use rahdar_hunt::HuntError;
use rahdar_intel::assertion::Statement;
use rahdar_intel::book::{Book, Kept};
use rahdar_intel::index::Snapshot;
use rahdar_model::intelligence::{Claim, ClusterId};
use rahdar_model::store::{Cell, Table};

use super::proposal;
use crate::command::{Format, IntelList};
use crate::home::Home;
use crate::{Outcome, output};

/// Prints one row per claim, in the order of the book.
pub(crate) fn run(home: &Home, args: &IntelList, format: Format) -> anyhow::Result<Outcome> {
    let database = home.database()?;
    let wanted = args.cluster.as_deref().map(ClusterId::of_name);
    if args.proposals || args.assertions {
        return statements(&database.proposals()?, wanted.as_ref(), args.assertions, format);
    }
    let book = database.snapshot()?;
    if let Some(cluster) = &wanted
        && !book.claims().iter().any(|claim| claim.cluster.as_ref() == Some(cluster))
    {
        return Err(HuntError::UnknownCluster(cluster.clone()).into());
    }
    let claims = book.claims().iter().filter(|claim| wanted.is_none() || claim.cluster == wanted);
    let columns = [
        "indicator",
        "type",
        "port",
        "protocol",
        "cluster",
        "valid_from",
        "valid_until",
        "basis",
        "tools",
        "confidence",
        "tlp",
        "published",
        "revoked",
        "source",
        "place",
    ];
    let table = Table {
        columns: columns.map(str::to_owned).to_vec(),
        rows: claims.map(|claim| row(&book, claim)).collect(),
    };
    output::print(&table, format)?;
    Ok(Outcome::Done)
}

/// Prints what waits, or what was accepted of assertions.
fn statements(
    kept: &[Kept],
    cluster: Option<&ClusterId>,
    accepted: bool,
    format: Format,
) -> anyhow::Result<Outcome> {
    let about = |kept: &&Kept| match &kept.proposal.statement {
        Statement::Claim(claim) => !accepted && cluster.is_none_or(|id| claim.cluster.as_ref() == Some(id)),
        Statement::Assertion(said) => {
            let named = |id: &ClusterId| {
                ClusterId::of_name(&said.subject) == *id || ClusterId::of_name(&said.object) == *id
            };
            cluster.is_none_or(named)
        }
    };
    let shown = kept.iter().filter(|kept| kept.accepted.is_some() == accepted).filter(about);
    output::print(&proposal::table(shown), format)?;
    Ok(Outcome::Done)
}

fn row(book: &Snapshot, claim: &Claim) -> Vec<Cell> {
    let text = |text: Option<String>| text.map_or(Cell::Null, Cell::Text);
    let number = |n: Option<i64>| n.map_or(Cell::Null, Cell::Int);
    vec![
        Cell::Text(claim.indicator.to_string()),
        Cell::Text(claim.indicator.kind().to_owned()),
        number(claim.port.map(i64::from)),
        number(claim.protocol.map(i64::from)),
        text(super::cluster_name(book, claim).map(str::to_owned)),
        text(super::bound(claim.validity.from)),
        text(super::bound(claim.validity.until)),
        Cell::Text(claim.basis.word().to_owned()),
        Cell::Text(claim.tools.join(" ")),
        number(claim.confidence.map(i64::from)),
        text(claim.tlp.map(|tlp| tlp.word().to_owned())),
        text(claim.published.map(|time| time.day().to_string())),
        Cell::Bool(claim.revoked),
        Cell::Text(claim.source.to_string()),
        Cell::Text(claim.place.clone()),
    ]
}
