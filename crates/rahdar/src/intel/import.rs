//! `rahdar intel import`: whatever says something of infrastructure, into the book.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, bail};
use rahdar_intel::Names;
use rahdar_intel::assertion::{Assertion, Statement};
use rahdar_intel::book::{Book, ImportedFile};
use rahdar_intel::reading::{Format as ReadFormat, ReadError, ReadOptions, Reading};
use rahdar_intel::scan::rule::Rules;
use rahdar_model::Clock;
use rahdar_model::store::{Cell, Table};
use rahdar_store::Database;

use super::proposal;
use crate::clock::SystemClock;
use crate::command::{Format, IntelImport};
use crate::files::{self, Found};
use crate::home::Home;
use crate::intel::history::{self, Kept};
use crate::{Outcome, failure, note, output};

/// Octets of the largest file that is read.
const FILE_OCTETS: u64 = rahdar_intel::FILE_MAX as u64;

/// Proposals shown per file; the rest are counted. Chosen here: a person reads no more at once.
const PROPOSALS_SHOWN: usize = 60;

/// Refusals shown per file; the rest are counted. Chosen here: two screens.
const REFUSALS_SHOWN: usize = 50;

/// Imports what the command names, and prints what became of it.
pub(crate) fn run(home: &Home, args: &IntelImport, format: Format) -> anyhow::Result<Outcome> {
    let options = ReadOptions {
        cluster: args.cluster.clone(),
        source: args.source.clone(),
        published: args.published,
        valid_from: args.valid_from,
        valid_until: args.valid_until,
        tlp: args.tlp,
        confidence: args.confidence,
        rules: args.rules.as_deref().map(rules).transpose()?,
    };
    let summary = match args.history {
        true => import_histories(home, &history::find(&args.paths)?, &options)?,
        false => {
            let search = files::find(&args.paths)?;
            let mut summary = import(home, &search.files, &options, args.accept)?;
            summary.failed += search.tell_unseen();
            summary
        }
    };
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
    traits: usize,
    notes: usize,
    assertions: usize,
    proposals: usize,
    accepted: usize,
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
            ("traits", self.traits),
            ("notes", self.notes),
            ("assertions", self.assertions),
            ("proposals", self.proposals),
            ("accepted", self.accepted),
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

    /// Takes what was read of a file into the book, and says it. A file that was named must hold something.
    fn add(
        &mut self,
        book: &Database,
        file: &ImportedFile,
        reading: Result<Reading, ReadError>,
        named: bool,
        accept: bool,
    ) -> anyhow::Result<()> {
        match reading {
            Ok(reading) => {
                match reading.format {
                    ReadFormat::Report => self.report(book, file, &reading, accept)?,
                    _ => self.record(book, file, &reading)?,
                }
                tell(&file.name, &reading);
            }
            Err(error @ (ReadError::Nothing | ReadError::Unsupported { .. })) if !named => {
                self.left_alone += 1;
                note!("{}: left alone: {error}", file.name);
            }
            Err(error) => {
                self.failed += 1;
                note!("{}: {error}", file.name);
            }
        }
        Ok(())
    }

    fn outcome(&self) -> anyhow::Result<Outcome> {
        if self.files + self.already == 0 {
            bail!(
                "nothing was imported: rahdar reads indicator lists, CSV with a header, STIX bundles, MISP events, \
                 galaxies and warning lists, passive DNS, scans, and reports in text, Markdown, HTML and PDF"
            );
        }
        Ok(if self.failed + self.refused > 0 { Outcome::Refused } else { Outcome::Done })
    }
}

/// Imports files. Those that were named must hold indicators; those found in a folder may be
/// anything. What reports say waits, unless it is to be accepted at once.
pub(crate) fn import(
    home: &Home,
    found: &[Found],
    options: &ReadOptions,
    accept: bool,
) -> anyhow::Result<Summary> {
    let book = home.database()?;
    let mut summary = Summary { version: book.version()?, ..Summary::default() };
    let mut names = known_names(&book)?;
    for file in found {
        let content = match read(file) {
            Ok(content) => content,
            Err(error) => {
                summary.failed += 1;
                note!("{}: {}", file.name, failure::told(&error));
                continue;
            }
        };
        let reading = rahdar_intel::read_knowing(&file.name, &content, options, &names);
        let imported = ImportedFile::new(&file.name, &content, options, SystemClock.now());
        let tells_names = reading.as_ref().is_ok_and(|reading| !reading.assertions.is_empty());
        summary.add(&book, &imported, reading, file.named, accept)?;
        if tells_names {
            names = known_names(&book)?;
        }
    }
    Ok(summary)
}

/// Imports what git keeps of files: claims for as long as each version stood.
fn import_histories(home: &Home, found: &[Kept], options: &ReadOptions) -> anyhow::Result<Summary> {
    let book = home.database()?;
    let mut summary = Summary { version: book.version()?, ..Summary::default() };
    for file in found {
        let reading = file.read(options)?;
        let imported = ImportedFile::new(file.name(), file.content().as_bytes(), options, SystemClock.now());
        summary.add(&book, &imported, reading, file.is_named(), false)?;
    }
    Ok(summary)
}

impl Summary {
    fn record(&mut self, book: &Database, file: &ImportedFile, reading: &Reading) -> anyhow::Result<()> {
        let recorded = book.record(file, reading)?;
        self.version = recorded.version;
        if recorded.already {
            self.already += 1;
            note!("{}: already stored", file.name);
            return Ok(());
        }
        self.files += 1;
        self.claims += reading.claims.len();
        self.facts += reading.facts.len();
        self.resolutions += reading.resolutions.len();
        self.traits += reading.traits.len();
        self.notes += reading.notes.len();
        self.assertions += reading.assertions.len();
        self.added += recorded.added;
        self.refused += reading.refused_count;
        Ok(())
    }

    fn report(
        &mut self,
        book: &Database,
        file: &ImportedFile,
        reading: &Reading,
        accept: bool,
    ) -> anyhow::Result<()> {
        let proposed = book.propose(file, &reading.proposals)?;
        if proposed.added == 0 && !reading.proposals.is_empty() {
            self.already += 1;
            note!("{}: already stored", file.name);
        } else {
            self.files += 1;
            self.proposals += proposed.added;
            self.refused += reading.refused_count;
        }
        for (id, proposal) in proposed.ids.iter().zip(&reading.proposals).take(PROPOSALS_SHOWN) {
            note!("{}: {id}: {}", file.name, proposal::sentence(proposal));
            note!("    {}: {}", proposal.place, proposal.sentence);
        }
        let more = proposed.ids.len().saturating_sub(PROPOSALS_SHOWN);
        if more > 0 {
            note!("{}: and {more} more; see `rahdar intel list --proposals`", file.name);
        }
        if accept {
            let waiting = waiting(book, &proposed.ids)?;
            let recorded = book.accept(&waiting, file.imported_at)?;
            self.version = recorded.version;
            self.accepted += waiting.len();
            self.added += recorded.added;
        } else if proposed.added > 0 {
            note!(
                "{}: {} proposals wait: take them with `rahdar intel accept ID…`",
                file.name,
                proposed.added
            );
        }
        Ok(())
    }
}

/// Those of these proposals that nobody has accepted.
fn waiting(book: &Database, ids: &[u64]) -> anyhow::Result<Vec<u64>> {
    let ids: HashSet<u64> = ids.iter().copied().collect();
    let kept = book.proposals()?;
    Ok(kept
        .iter()
        .filter(|kept| kept.accepted.is_none() && ids.contains(&kept.id))
        .map(|kept| kept.id)
        .collect())
}

/// The names that the book knows.
fn known_names(book: &Database) -> anyhow::Result<Names> {
    let accepted = book.proposals()?.into_iter().filter(|kept| kept.accepted.is_some());
    let assertions: Vec<Assertion> = accepted
        .filter_map(|kept| match kept.proposal.statement {
            Statement::Assertion(assertion) => Some(assertion),
            Statement::Claim(_) => None,
        })
        .collect();
    Ok(Names::of(&book.clusters()?, &assertions))
}

fn read(file: &Found) -> anyhow::Result<Vec<u8>> {
    if file.octets > FILE_OCTETS {
        bail!("it is larger than {} MiB; split it", FILE_OCTETS >> 20);
    }
    std::fs::read(&file.path).context("cannot read it")
}

/// The rules of a file.
fn rules(path: &Path) -> anyhow::Result<Rules> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Rules::parse(&text).with_context(|| format!("`{}` is no file of rules", path.display()))
}

/// Says whose claims were read, where the name came from, what was not used and what was refused.
fn tell(name: &str, reading: &Reading) {
    for (cluster, count) in super::per_cluster(&reading.claims) {
        let claims = if count == 1 { "1 claim".to_owned() } else { format!("{count} claims") };
        let Some(id) = cluster else {
            note!("{name}: {claims} of no cluster; name it with --cluster");
            continue;
        };
        let origin = reading.namings.iter().find(|naming| naming.cluster == *id);
        let origin = origin.map_or(String::new(), |naming| format!(" (named by {})", naming.origin.word()));
        note!("{name}: {claims} of `{id}`{origin}");
    }
    for remark in &reading.remarks {
        note!("{name}: {remark}");
    }
    for (count, what) in [
        (reading.facts.len(), "host facts"),
        (reading.resolutions.len(), "names with their addresses"),
        (reading.traits.len(), "traits of hosts and names"),
        (reading.notes.len(), "names to be warned of"),
        (reading.aliases.len(), "names that stand for names"),
        (reading.reports.len(), "reports about indicators"),
        (reading.assertions.len(), "assertions about names"),
    ] {
        if count > 0 {
            note!("{name}: {count} {what}");
        }
    }
    for (kind, count) in &reading.set_aside {
        note!("{name}: not used, flows cannot match it: {count} × {kind}");
    }
    for refusal in reading.refused.iter().take(REFUSALS_SHOWN) {
        note!("{name}: refused: {refusal}");
    }
    if reading.refused_count > REFUSALS_SHOWN {
        note!("{name}: and {} more refused", reading.refused_count - REFUSALS_SHOWN);
    }
}
