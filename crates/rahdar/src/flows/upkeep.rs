//! `rahdar flows compact`, and what `collect` and `follow` do of it by themselves: small files merged into few, and
//! replaced files removed when they have been kept for long enough.

use std::time::Duration;

use rahdar_lake::{Effort, Lake, Merged, REPLACED_KEPT_DAYS, Vacuumed};
use rahdar_model::store::{Cell, StoreError, Table};
use rahdar_model::time::{DAY_US, HOUR_US};
use rahdar_model::{Clock as _, Timestamp};

use crate::clock::SystemClock;
use crate::command::{FlowsCompact, Format};
use crate::home::Home;
use crate::{Outcome, failure, note, output};

/// How often commands that run all day merge what has come. Chosen here: twenty small files of each table come
/// meanwhile where flows are stored every 30 s.
pub(crate) const EVERY: Duration = Duration::from_secs(10 * 60);

/// How often they look for files that may go, which lists all folders.
const REMOVE_EVERY_US: i64 = 6 * HOUR_US;

/// Merges all small files, removes old ones, and prints what was done to each table.
pub(crate) fn run(home: &Home, args: &FlowsCompact, format: Format) -> anyhow::Result<Outcome> {
    let (lake, now) = (home.lake()?, SystemClock.now());
    let merged = lake.compact(now, Effort::WHOLE)?;
    let removed = lake.vacuum(days_before(now, args.keep_days))?;
    output::print(&table(&merged, &removed), format)?;
    Ok(Outcome::Done)
}

fn days_before(now: Timestamp, days: u16) -> Timestamp {
    now.plus_micros(-i64::from(days) * DAY_US)
}

fn table(merged: &[Merged], removed: &[Vacuumed]) -> Table {
    let count = |n: u64| Cell::Int(n.try_into().unwrap_or(i64::MAX));
    let columns = ["table", "rows_merged", "files_before", "files_after", "files_removed", "octets_removed"];
    let rows = merged.iter().map(|merged| {
        let removed = removed.iter().find(|removed| removed.table == merged.table);
        let counts = [
            merged.rows,
            merged.files_before,
            merged.files_after,
            removed.map_or(0, |removed| removed.files),
            removed.map_or(0, |removed| removed.octets),
        ];
        [Cell::Text(merged.table.to_owned())].into_iter().chain(counts.map(count)).collect()
    });
    Table { columns: columns.map(str::to_owned).to_vec(), rows: rows.collect() }
}

/// The upkeep of a lake by a command that runs all day.
#[derive(Default)]
pub(crate) struct Upkeep {
    /// When old files were last looked for.
    removed: Option<Timestamp>,
    /// What was last said of it.
    trouble: Option<String>,
}

impl Upkeep {
    /// Does a little of it. What fails is said once and tried again the next time: nothing that is stored needs it.
    pub(crate) fn tend(&mut self, lake: &Lake) {
        let now = SystemClock.now();
        let trouble = self.tend_at(lake, now).err().map(|error| failure::told(&error.into()));
        if let Some(trouble) = &trouble
            && self.trouble.as_ref() != Some(trouble)
        {
            note!("small files are not merged for now: {trouble}");
        }
        self.trouble = trouble;
    }

    fn tend_at(&mut self, lake: &Lake, now: Timestamp) -> Result<(), StoreError> {
        let merged = lake.compact(now, Effort::IN_PASSING);
        if self.removed.is_none_or(|last| now.since(last) >= REMOVE_EVERY_US) {
            lake.vacuum(days_before(now, REPLACED_KEPT_DAYS))?;
            self.removed = Some(now);
        }
        merged.map(|_| ())
    }
}
