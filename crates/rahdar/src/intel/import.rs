//! `rahdar intel import`: whatever says something of infrastructure, into the book.

use std::path::Path;

use anyhow::{Context, bail};
use rahdar_intel::book::{Book, ImportedFile};
use rahdar_intel::reading::{ReadError, ReadOptions, Reading};
use rahdar_intel::scan::rule::Rules;
use rahdar_model::Clock;
use rahdar_model::store::{Cell, Table};

use crate::clock::{self, SystemClock};
use crate::command::{Format, IntelImport};
use crate::files::{self, Found};
use crate::home::Home;
use crate::{Outcome, note, output};

/// Octets of the largest file that is read.
const FILE_OCTETS: u64 = rahdar_intel::FILE_MAX as u64;

/// Refusals shown per file; the rest are counted. Chosen here: two screens.
const REFUSALS_SHOWN: usize = 50;

/// Imports what the command names, and prints what became of it.
pub(crate) fn run(home: &Home, args: &IntelImport, format: Format) -> anyhow::Result<Outcome> {
    let options = ReadOptions {
        cluster: args.cluster.clone(),
        source: args.source.clone(),
        published: clock::time(args.published.as_deref())?,
        valid_from: clock::time(args.valid_from.as_deref())?,
        valid_until: clock::validity_end(args.valid_until.as_deref())?,
        tlp: args.tlp,
        confidence: args.confidence,
        rules: args.rules.as_deref().map(rules).transpose()?,
    };
    let summary = import(home, &files::find(&args.paths)?, &options)?;
    output::print(&summary.table(), format)?;
    summary.outcome()
}

/// What became of the files of one import.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    files: usize,
    already: usize,
    left_alone: usize,
    failed: usize,
    claims: usize,
    facts: usize,
    resolutions: usize,
    notes: usize,
    added: usize,
    refused: usize,
    version: u64,
}

impl Summary {
    fn table(&self) -> Table {
        let columns = [
            ("files", self.files),
            ("already_stored", self.already),
            ("left_alone", self.left_alone),
            ("failed", self.failed),
            ("claims", self.claims),
            ("host_facts", self.facts),
            ("resolutions", self.resolutions),
            ("notes", self.notes),
            ("added", self.added),
            ("refused", self.refused),
            ("version", usize::try_from(self.version).unwrap_or(usize::MAX)),
        ];
        let count = |n: usize| Cell::Int(n.try_into().unwrap_or(i64::MAX));
        Table {
            columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
            rows: vec![columns.iter().map(|(_, n)| count(*n)).collect()],
        }
    }

    fn outcome(&self) -> anyhow::Result<Outcome> {
        if self.files + self.already == 0 {
            bail!(
                "nothing was imported: rahdar reads indicator lists, CSV with a header, STIX bundles, MISP events and \
                 warning lists, passive DNS and scans"
            );
        }
        Ok(if self.failed + self.refused > 0 { Outcome::Refused } else { Outcome::Done })
    }
}

/// Imports files. Those that were named must hold indicators; those found in a folder may be anything.
pub(crate) fn import(home: &Home, found: &[Found], options: &ReadOptions) -> anyhow::Result<Summary> {
    let book = home.database()?;
    let mut summary = Summary { version: book.version()?, ..Summary::default() };
    for file in found {
        let content = read(file)?;
        match rahdar_intel::read(&file.name, &content, options) {
            Ok(reading) => {
                let imported = ImportedFile::new(&file.name, &content, options, SystemClock.now());
                let recorded = book.record(&imported, &reading)?;
                summary.version = recorded.version;
                if recorded.already {
                    summary.already += 1;
                    note!("{}: already stored", file.name);
                } else {
                    summary.files += 1;
                    summary.claims += reading.claims.len();
                    summary.facts += reading.facts.len();
                    summary.resolutions += reading.resolutions.len();
                    summary.notes += reading.notes.len();
                    summary.added += recorded.added;
                    summary.refused += reading.refused_count;
                }
                tell(&file.name, &reading);
            }
            Err(error @ (ReadError::Nothing | ReadError::Unsupported { .. })) if !file.named => {
                summary.left_alone += 1;
                note!("{}: left alone: {error}", file.name);
            }
            Err(error) => {
                summary.failed += 1;
                note!("{}: {error}", file.name);
            }
        }
    }
    Ok(summary)
}

fn read(file: &Found) -> anyhow::Result<Vec<u8>> {
    if file.octets > FILE_OCTETS {
        bail!("`{}` is larger than {} MiB; split it", file.name, FILE_OCTETS >> 20);
    }
    std::fs::read(&file.path).with_context(|| format!("cannot read `{}`", file.name))
}

/// The rules of a file.
fn rules(path: &Path) -> anyhow::Result<Rules> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Rules::parse(&text).with_context(|| format!("`{}` is no file of rules", path.display()))
}

/// Says whose claims were read, where the name came from, what was set aside and what refused.
fn tell(name: &str, reading: &Reading) {
    for (cluster, claims) in super::per_cluster(&reading.claims) {
        let Some(id) = cluster else {
            note!("{name}: {claims} claims of no cluster; name it with --cluster");
            continue;
        };
        let origin = reading.namings.iter().find(|naming| naming.cluster == *id);
        let origin = origin.map_or(String::new(), |naming| format!(" (named by {})", naming.origin.word()));
        note!("{name}: {claims} claims of `{id}`{origin}");
    }
    for (count, what) in [
        (reading.facts.len(), "networks whose kind of host is known"),
        (reading.resolutions.len(), "names with their addresses"),
        (reading.notes.len(), "names to be warned of"),
        (reading.attributions.len(), "statements of who is behind a cluster"),
        (reading.reports.len(), "reports about indicators"),
    ] {
        if count > 0 {
            note!("{name}: {count} {what}");
        }
    }
    for (kind, count) in &reading.set_aside {
        note!("{name}: set aside, no claim comes of it: {count} × {kind}");
    }
    for refusal in reading.refused.iter().take(REFUSALS_SHOWN) {
        note!("{name}: refused: {refusal}");
    }
    if reading.refused_count > REFUSALS_SHOWN {
        note!("{name}: and {} more refused", reading.refused_count - REFUSALS_SHOWN);
    }
}
