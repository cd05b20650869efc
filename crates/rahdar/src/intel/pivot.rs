//! `rahdar intel pivot`: from known infrastructure to what rare traits tie to it.

use anyhow::bail;
use rahdar_intel::book::{Book, ImportedFile};
use rahdar_intel::index::Snapshot;
use rahdar_intel::pivot::{Candidate, Node, Pivot, World, pivot, propose};
use rahdar_intel::reading::ReadOptions;
use rahdar_model::Clock;
use rahdar_model::intelligence::{Cluster, ClusterId};
use rahdar_model::store::{Cell, Table};
use rahdar_store::Database;
use serde::Serialize;

use super::proposal;
use crate::clock::SystemClock;
use crate::command::{Format, IntelPivot};
use crate::home::Home;
use crate::{Outcome, note, output};

/// Bridges between known nodes that are told. Chosen here: a person looks at a few.
const BRIDGES_SHOWN: usize = 10;

/// A candidate, as JSON has it.
#[derive(Debug, Serialize)]
struct Row {
    candidate: String,
    score_db: f64,
    groups: Vec<&'static str>,
    /// Whose the confirmed nodes of its core are said to be.
    cluster: Vec<String>,
    /// Whose it is said to be itself.
    claimed_of: Vec<String>,
    steps: u8,
    core: Vec<String>,
    /// The one trait without which too little is left, if there is one.
    bridge: Option<String>,
    reasons: Vec<Because>,
}

/// A trait that it shares with its core.
#[derive(Debug, Serialize)]
struct Because {
    r#trait: &'static str,
    value: String,
    db: f64,
    carriers: usize,
    of: usize,
    hostile_carriers: usize,
    hostile_of: usize,
    shared_with: String,
    nodes: usize,
    first_seen: Option<String>,
    last_seen: Option<String>,
    /// All of it in words.
    says: String,
}

/// Prints candidates, the highest score first; with `--propose`, asks a person to take them.
pub(crate) fn run(home: &Home, args: &IntelPivot, format: Format) -> anyhow::Result<Outcome> {
    let database = home.database()?;
    let book = database.snapshot()?;
    let now = SystemClock.now();
    let at = args.at.unwrap_or(now);
    let world = World::of_book(&book, &database.traits()?, &database.resolutions()?, at);
    let known = known(args, &world)?;
    let world = world.with_hostile(&known);
    let found = pivot(&world, &known, args.least);
    print(&found, &book, format)?;
    tell(&found, &world);
    if args.propose {
        let clusters: Vec<Cluster> = book.clusters().cloned().collect();
        propose(&database, &world, &found, &clusters, now)?;
    }
    Ok(Outcome::Done)
}

/// The numbers of the nodes that the command names.
fn known(args: &IntelPivot, world: &World) -> anyhow::Result<Vec<u32>> {
    if let Some(name) = &args.cluster {
        let known = world.members(&ClusterId::of_name(name));
        if known.is_empty() {
            bail!("no address or name was claimed of `{name}` at that time: see `rahdar intel list`");
        }
        return Ok(known);
    }
    let mut known = Vec::new();
    for text in &args.indicators {
        let Some(node) = Node::parse(&rahdar_intel::refanged(text)) else {
            bail!("`{text}` is neither an address nor a name");
        };
        let Some(number) = world.find(&node) else {
            bail!(
                "nothing was known of `{node}` at that time: import scans, passive DNS or a table of traits"
            );
        };
        known.push(number);
    }
    Ok(known)
}

fn print(found: &Pivot, book: &Snapshot, format: Format) -> anyhow::Result<()> {
    let rows: Vec<Row> = found.candidates.iter().map(|candidate| row(candidate, book)).collect();
    match format {
        Format::Json => output::line(&serde_json::to_string_pretty(&rows)?),
        Format::Ndjson => rows.iter().try_for_each(|row| output::line(&serde_json::to_string(row)?)),
        Format::Table | Format::Csv => output::print(&table(&rows), format),
    }
}

fn row(candidate: &Candidate, book: &Snapshot) -> Row {
    let name =
        |id: &ClusterId| book.cluster(id).map_or_else(|| id.to_string(), |cluster| cluster.name.clone());
    let reasons = candidate.reasons.iter().map(|reason| Because {
        r#trait: reason.rarity.kind.word(),
        value: reason.rarity.value.to_string(),
        db: tenths(reason.db),
        carriers: reason.rarity.carriers,
        of: reason.rarity.of,
        hostile_carriers: reason.rarity.hostile,
        hostile_of: reason.rarity.of_hostile,
        shared_with: reason.with.to_string(),
        nodes: reason.shared_with,
        first_seen: super::bound(reason.seen.from),
        last_seen: super::bound(reason.seen.until),
        says: reason.to_string(),
    });
    Row {
        candidate: candidate.node.to_string(),
        score_db: tenths(candidate.score_db),
        groups: candidate.groups.iter().map(|group| group.word()).collect(),
        cluster: candidate.core_clusters.iter().map(name).collect(),
        claimed_of: candidate.clusters.iter().map(name).collect(),
        steps: candidate.steps,
        core: candidate.core.iter().map(ToString::to_string).collect(),
        bridge: candidate.bridge.as_ref().map(|rarity| format!("{} {}", rarity.kind.word(), rarity.value)),
        reasons: reasons.collect(),
    }
}

/// Tenths of a deciban say enough.
fn tenths(db: f64) -> f64 {
    (db * 10.0).round() / 10.0
}

fn table(rows: &[Row]) -> Table {
    let columns = ["candidate", "score_db", "groups", "cluster", "claimed_of", "steps", "bridge", "reasons"];
    let words = |words: &[String]| Cell::Text(words.join(", "));
    let row = |row: &Row| {
        let reasons: Vec<&str> = row.reasons.iter().map(|reason| reason.says.as_str()).collect();
        vec![
            Cell::Text(row.candidate.clone()),
            Cell::Float(row.score_db),
            Cell::Text(row.groups.join(", ")),
            words(&row.cluster),
            words(&row.claimed_of),
            Cell::Int(row.steps.into()),
            row.bridge.clone().map_or(Cell::Null, Cell::Text),
            Cell::Text(reasons.join("\n")),
        ]
    };
    Table { columns: columns.map(str::to_owned).to_vec(), rows: rows.iter().map(row).collect() }
}

/// Says what stands behind the rows.
fn tell(found: &Pivot, world: &World) {
    for hub in &found.hubs {
        note!("`{hub}` is shared by many or on a warning list; skipped");
    }
    let cores = &found.linkage.clusters;
    let nodes: usize = cores.iter().map(Vec::len).sum();
    note!("{nodes} known nodes in {} cores", cores.len());
    for bridge in found.linkage.bridges.iter().take(BRIDGES_SHOWN) {
        let rarity = world.rarity(bridge.value);
        let first =
            |nodes: &[u32]| nodes.first().map_or_else(String::new, |node| world.node(*node).to_string());
        note!(
            "without {} `{}`, the cores of {} and {} would stand apart",
            rarity.kind.word(),
            rarity.value,
            first(&bridge.left),
            first(&bridge.right)
        );
    }
    if found.candidates.is_empty() {
        note!("no candidate; `--least 0` shows weaker ones");
    }
}

/// Keeps what is found as proposals.
fn propose(
    database: &Database,
    world: &World,
    found: &Pivot,
    clusters: &[Cluster],
    now: rahdar_model::Timestamp,
) -> anyhow::Result<()> {
    let proposals = propose::proposals(world, found, clusters, &database.proposals()?);
    let file = ImportedFile::new(propose::SOURCE, &[], &ReadOptions::default(), now);
    let proposed = database.propose(&file, &proposals)?;
    for (id, one) in proposed.ids.iter().zip(&proposals) {
        note!("{id}: {}", proposal::sentence(one));
        note!("    {}: {}", one.place, one.sentence);
    }
    match proposed.added {
        0 => note!("nothing new to propose"),
        added => note!("{added} proposals wait: take them with `rahdar intel accept ID…`"),
    }
    Ok(())
}
