//! `rahdar intel accept`: a person takes what reports propose into the book.

use std::ops::RangeInclusive;

use anyhow::bail;
use rahdar_intel::book::Book;
use rahdar_model::Clock;
use rahdar_model::store::{Cell, Table};

use crate::clock::SystemClock;
use crate::command::{Format, IntelAccept};
use crate::home::Home;
use crate::{Outcome, note, output};

/// Accepts the proposals that the command names, as one version of the book.
pub(crate) fn run(home: &Home, args: &IntelAccept, format: Format) -> anyhow::Result<Outcome> {
    let book = home.database()?;
    let kept = book.proposals()?;
    let wanted = |id: u64| args.all || args.ids.iter().any(|range| range.contains(&id));
    let unknown = |range: &&RangeInclusive<u64>| !kept.iter().any(|kept| range.contains(&kept.id));
    if let Some(range) = args.ids.iter().find(unknown) {
        bail!("no proposal has the number {}: see `rahdar intel list --proposals`", range.start());
    }
    let ids: Vec<u64> = kept.iter().map(|kept| kept.id).filter(|id| wanted(*id)).collect();
    let waited = kept.iter().filter(|kept| wanted(kept.id) && kept.accepted.is_none()).count();
    let recorded = book.accept(&ids, SystemClock.now())?;
    if waited == 0 {
        note!("nothing to accept: all of it is in the book");
    }
    let count = |n: usize| Cell::Int(n.try_into().unwrap_or(i64::MAX));
    let table = Table {
        columns: ["accepted", "claims_added", "version"].map(str::to_owned).to_vec(),
        rows: vec![vec![
            count(waited),
            count(recorded.added),
            count(usize::try_from(recorded.version).unwrap_or(usize::MAX)),
        ]],
    };
    output::print(&table, format)?;
    Ok(Outcome::Done)
}
