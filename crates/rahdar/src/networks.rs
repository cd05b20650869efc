//! `rahdar networks import`: whose hosts may be victims, and what public files say of networks.

use std::fs::File;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, ensure};
use rahdar_intel::book::{Book, ImportedFile};
use rahdar_intel::reading::ReadOptions;
use rahdar_intel::registry::{self, DUMP_OCTETS_MAX, Dump, DumpError, Routes};
use rahdar_intel::sheet;
use rahdar_model::store::{Cell, Table};
use rahdar_model::{Address, Clock, Day};
use rahdar_wire::bgp::{self, Opened, Rib};

use crate::clock::SystemClock;
use crate::command::{Format, NetworksImport};
use crate::home::Home;
use crate::shelf::{HomeShelf, Put};
use crate::{Outcome, note, output, register};

const COLUMNS: [&str; 7] = ["rows", "added", "refused", "version", "file", "source", "as_of"];

/// Imports the files, and prints what became of each.
pub(crate) fn run(home: &Home, args: &NetworksImport, format: Format) -> anyhow::Result<Outcome> {
    let as_of = args.as_of.map(|at| at.day());
    let mut rows = Vec::new();
    let mut outcome = Outcome::Done;
    let mut taken = Ok(());
    for path in &args.files {
        match take(home, path, as_of) {
            Ok((row, Outcome::Done)) => rows.push(row),
            Ok((row, Outcome::Refused)) => {
                rows.push(row);
                outcome = Outcome::Refused;
            }
            Err(error) => {
                taken = Err(error);
                break;
            }
        }
    }
    if !rows.is_empty() {
        output::print(&Table { columns: COLUMNS.map(str::to_owned).to_vec(), rows }, format)?;
    }
    taken.map(|()| outcome)
}

/// Imports the operator's own table.
pub(crate) fn import(home: &Home, path: &Path) -> anyhow::Result<register::Summary> {
    let name = path.display().to_string();
    let content = std::fs::read(path).with_context(|| format!("cannot read `{name}`"))?;
    record(home, &name, &content)
}

/// Imports one file, told by its content.
fn take(home: &Home, path: &Path, as_of: Option<Day>) -> anyhow::Result<(Vec<Cell>, Outcome)> {
    let name = path.display().to_string();
    let mut file = File::open(path).with_context(|| format!("cannot open `{name}`"))?;
    let reader = match bgp::open(&mut file).with_context(|| name.clone())? {
        Opened::Rib(rib) => {
            let (dump, refused) = routes(&name, rib, as_of).with_context(|| name.clone())?;
            return keep(home, &name, &dump, refused);
        }
        Opened::Other(reader) => reader,
    };
    let mut content = Vec::new();
    let most = DUMP_OCTETS_MAX as u64 + 1;
    reader.take(most).read_to_end(&mut content).with_context(|| format!("cannot read `{name}`"))?;
    if let Some(kind) = registry::kind(&content) {
        let read = registry::read(kind, &name, &content, as_of).with_context(|| name.clone())?;
        for refusal in &read.told {
            note!("{name}: refused: {refusal}");
        }
        return keep(home, &name, &read.dump, read.refused);
    }
    ensure!(as_of.is_none(), "`{name}` is your own table and has no date: leave out --as-of");
    let summary = record(home, &name, &content)?;
    let mut row = summary.counts().to_vec();
    row.extend([Cell::Text(name), Cell::Text("the operator".to_owned()), Cell::Null]);
    Ok((row, summary.outcome()))
}

/// Records the operator's own table.
fn record(home: &Home, name: &str, content: &[u8]) -> anyhow::Result<register::Summary> {
    let sheet = sheet::networks(content).with_context(|| name.to_owned())?;
    let file = ImportedFile::new(name, content, &ReadOptions::default(), SystemClock.now());
    let recorded = home.database()?.record_networks(&file, &sheet.rows)?;
    Ok(register::Summary::new(name, &sheet, recorded))
}

/// Reads a routing table to its end.
fn routes(name: &str, rib: Rib<'_>, as_of: Option<Day>) -> anyhow::Result<(Dump, u64)> {
    let mut routes = Routes::default();
    let mut limit: Option<DumpError> = None;
    let read = rib.read(&mut |prefix, asns| match routes.add(prefix, asns) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            limit = Some(error);
            ControlFlow::Break(())
        }
    });
    if let Some(error) = limit {
        return Err(error.into());
    }
    let tally = read?;
    if routes.too_wide() > 0 {
        note!("{name}: routes left out, broader than IPv4 /8 or IPv6 /16: {}", routes.too_wide());
    }
    let named = tally.collector.filter(|id| *id != Address::UNSPECIFIED);
    let source = named.map_or_else(|| "routes".to_owned(), |id| format!("routes, collector {id}"));
    Ok((routes.finish(&source, as_of.unwrap_or(tally.at.day()))?, tally.refused))
}

/// Keeps what a public file says.
fn keep(home: &Home, name: &str, dump: &Dump, refused: u64) -> anyhow::Result<(Vec<Cell>, Outcome)> {
    let put = HomeShelf::put(home.path(), dump)?;
    if put == Put::Other {
        note!("{name}: replaces another file of {} as of {}", dump.source, dump.as_of);
    }
    if refused > 0 {
        note!("{name}: {refused} lines or routes refused");
    }
    let rows: u64 = dump.parts.iter().map(|part| part.table.len() as u64).sum();
    let added = if put == Put::Same { 0 } else { rows };
    let count = |n: u64| Cell::Int(n.try_into().unwrap_or(i64::MAX));
    let row = vec![
        count(rows),
        count(added),
        count(refused),
        Cell::Null,
        Cell::Text(name.to_owned()),
        Cell::Text(dump.source.clone()),
        Cell::Text(dump.as_of.to_string()),
    ];
    Ok((row, if refused > 0 { Outcome::Refused } else { Outcome::Done }))
}
