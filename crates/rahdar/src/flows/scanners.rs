//! `rahdar flows scanners`: which addresses scan, and which answer calls that others forged.

use rahdar_hunt::scanner::{self, Fact, Facts, Kind};
use rahdar_intel::book::Book;
use rahdar_intel::index::Snapshot;
use rahdar_model::FlowStore;
use rahdar_model::intelligence::HostClass;
use rahdar_model::store::{Cell, Table};

use crate::clock;
use crate::command::{FlowsScanners, Format};
use crate::home::Home;
use crate::{Outcome, note, output};

/// Prints one row per address and kind.
pub(crate) fn run(home: &Home, args: &FlowsScanners, format: Format) -> anyhow::Result<Outcome> {
    let (lake, window) = (home.lake()?, clock::window(&args.period)?);
    let coverage = lake.coverage(window)?;
    let told = scanner::facts(&lake, &args.source, window, &coverage)?;
    output::print(&table(&told.facts, &home.database()?.snapshot()?), format)?;
    say_what_is_missing(&told, coverage.is_empty());
    Ok(Outcome::Done)
}

fn table(facts: &[Fact], book: &Snapshot) -> Table {
    let columns = [
        "address",
        "kind",
        "protocol",
        "port",
        "first_seen",
        "last_seen",
        "destinations",
        "flows",
        "times",
        "statistic",
        "why",
        "listed",
    ];
    let row = |fact: &Fact| {
        let mut lists: Vec<&str> = book
            .facts_on(fact.address, fact.last_seen)
            .filter(|known| known.class == HostClass::Scanner)
            .map(|known| &*known.source)
            .collect();
        lists.sort_unstable();
        lists.dedup();
        vec![
            Cell::Text(fact.address.to_string()),
            Cell::Text(fact.kind.word().to_owned()),
            Cell::Int(fact.protocol.into()),
            fact.port.map_or(Cell::Null, |port| Cell::Int(port.into())),
            Cell::Text(fact.first_seen.to_string()),
            Cell::Text(fact.last_seen.to_string()),
            count(fact.destinations),
            count(fact.flows),
            count(fact.times),
            Cell::Float(fact.statistic),
            Cell::Text(fact.why.clone()),
            Cell::Text(lists.join(", ")),
        ]
    };
    Table { columns: columns.map(str::to_owned).to_vec(), rows: facts.iter().map(row).collect() }
}

/// Silence about a kind is no statement that nobody did it.
fn say_what_is_missing(told: &Facts, is_empty: bool) {
    if told.left_out > 0 {
        note!(
            "{} more addresses are left out, the weakest; hint: narrow with --source or --from",
            told.left_out
        );
    }
    if is_empty {
        note!("no flow is stored in this period");
        return;
    }
    if !told.is_walked {
        note!("`{}` was not looked for: no exporter is known to be unsampled", Kind::Slow);
    }
    if !told.is_backscatter_seen {
        note!(
            "`{}` was not looked for: every exporter samples, or sees one direction only",
            Kind::Backscatter
        );
    }
}

fn count(n: u64) -> Cell {
    Cell::Int(n.try_into().unwrap_or(i64::MAX))
}
