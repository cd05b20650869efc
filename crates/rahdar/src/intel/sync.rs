//! `rahdar intel sync`: what the feeds of `feeds.yaml` have to say, into the book.

use std::collections::BTreeMap;

use anyhow::Context;
use rahdar_intel::index::Live;
use rahdar_model::store::{Cell, Table};
use rahdar_server::feeds::{Feed, FeedSync, Synced, every};
use rahdar_server::{Stop, stop_on_signals};

use crate::clock::SystemClock;
use crate::command::{Format, IntelSync};
use crate::home::Home;
use crate::{Outcome, failure, note, output};

/// The file of feeds in the home. Without it, nothing is contacted.
const FILE: &str = "feeds.yaml";

/// Reads what is new in the feeds, once or again and again, and prints what became of each.
pub(crate) fn run(home: &Home, args: &IntelSync, format: Format) -> anyhow::Result<Outcome> {
    let path = home.path().join(FILE);
    let context = || format!("`{}`", path.display());
    let feeds = Feed::all(&path).with_context(context)?;
    if feeds.is_empty() && args.names.is_empty() {
        note!(
            "no feed is configured, so nothing was contacted; docs/intelligence.md says what `{}` holds",
            path.display()
        );
        return Ok(Outcome::Done);
    }
    let feeds = Feed::named(feeds, &args.names).with_context(context)?;
    let stop = stop_on_signals().context("signals cannot be caught")?;
    let mut totals = Totals::default();
    match args.every {
        None => totals.round(home, &feeds, &stop)?,
        Some(period) => every(period, &stop, || totals.round(home, &feeds, &stop))?,
    }
    output::print(&totals.table(&feeds), format)?;
    Ok(totals.outcome())
}

/// What became of each feed, over all rounds.
#[derive(Default)]
struct Totals {
    feeds: BTreeMap<String, Synced>,
    /// What the book says, kept from round to round.
    live: Live,
}

impl Totals {
    /// Reads each feed once. One that fails stops no other.
    fn round(&mut self, home: &Home, feeds: &[Feed], stop: &Stop) -> anyhow::Result<()> {
        let book = home.database()?;
        let environment = |name: &str| std::env::var(name).ok();
        let sync =
            FeedSync { book: &book, live: &self.live, clock: &SystemClock, environment: &environment, stop };
        for feed in feeds {
            let mut synced = sync.feed(feed)?;
            tell(feed.name(), &synced);
            if let Some(before) = self.feeds.get(feed.name()) {
                synced.answers += before.answers;
                synced.claims += before.claims;
                synced.added += before.added;
                synced.refused += before.refused;
            }
            self.feeds.insert(feed.name().to_owned(), synced);
        }
        Ok(())
    }

    fn table(&self, feeds: &[Feed]) -> Table {
        let columns = ["feed", "answers", "claims", "added", "refused", "failures", "version"];
        let count = |n: usize| Cell::Int(n.try_into().unwrap_or(i64::MAX));
        let rows = feeds.iter().filter_map(|feed| {
            let synced = self.feeds.get(feed.name())?;
            let version = Cell::Int(synced.version.try_into().unwrap_or(i64::MAX));
            Some(vec![
                Cell::Text(feed.name().to_owned()),
                count(synced.answers),
                count(synced.claims),
                count(synced.added),
                count(synced.refused),
                count(synced.failures.len()),
                version,
            ])
        });
        Table { columns: columns.map(str::to_owned).to_vec(), rows: rows.collect() }
    }

    fn outcome(&self) -> Outcome {
        let is_whole = |synced: &Synced| synced.failures.is_empty() && synced.refused == 0;
        if self.feeds.values().all(is_whole) { Outcome::Done } else { Outcome::Refused }
    }
}

/// Says what a feed added, and why it was not read to its end.
fn tell(name: &str, synced: &Synced) {
    let Synced { answers, claims, added, refused, version, failures } = synced;
    note!("{name}: {answers} answers, {claims} claims, {added} added, {refused} refused; version {version}");
    for failure in failures {
        note!("{name}: failed: {}", failure::chain(&**failure));
    }
}
