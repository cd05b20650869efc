//! Many small files of a day into few: the same rows, in files as one import would have made them.
//!
//! Whoever stores flows every half minute makes thousands of small files a day, and every question opens each
//! of them. Here the small files of a day are read in the order of time, their rows go once more through
//! `rows` and `file`, and one entry of the log puts the new files in the place of the old. The day is what tables are
//! parted by, so a file never mixes days.
//!
//! **What stays.** Every row, and so every answer; which inputs are stored; every version, for as long as its
//! files are kept (`vacuum`). Files of other engines are left alone.
//!
//! **Beside others.** Imports go on: they only add files. The turn to commit is taken for the entry alone. Of two
//! that merge the same files one is refused by the log, and throws its files away. Killed before the entry has its
//! name, new files are leftovers; killed after, all is done.
//!
//! **Memory.** The rows of one new file, as of an import that writes it: about 80 MiB for flows.
//!
//! **Assumption.** Rows that are within an hour of each other may change places: no answer depends on the order of
//! rows in a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use deltalake::kernel::Add;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rahdar_model::FlowRecord;
use rahdar_model::fact::{Gap, Handshake, Resolution};
use rahdar_model::store::StoreError;
use rahdar_model::time::{DAY_US, Day, Timestamp};

use crate::batch::Records;
use crate::damage;
use crate::error::{Cause, failed};
use crate::file::DataFile;
use crate::ingest::{FACTS_BUFFERED, FLOWS_BUFFERED};
use crate::leftovers;
use crate::rows::Rows;
use crate::schema::Kept;
use crate::table::{Part, Table};
use crate::{Lake, turn};

const ACTION: &str = "merging files";

/// How long after its end little comes for a day. Chosen here: exporters tell of long flows within hours.
const SETTLED_US: i64 = DAY_US;

/// What is worth merging, and how much of it at once.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Small files that a day has at least, or it is left alone; two are enough once it has been over for a day.
    pub least_files: usize,
    /// Rows to write at most, over all tables; the rest is left to the next time.
    pub most_rows: u64,
}

impl Effort {
    /// Everything that can be merged.
    pub const WHOLE: Self = Self { least_files: 2, most_rows: u64::MAX };

    /// A little, beside other work: seconds of one core. Chosen here: where flows are stored twice a minute, eight
    /// files come in four minutes; and 2.6 million rows in ten minutes at most, for beyond that no file is small.
    pub const IN_PASSING: Self = Self { least_files: 8, most_rows: 4_000_000 };
}

/// What became of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// Its name.
    pub table: &'static str,
    /// Rows in files that were merged.
    pub rows: u64,
    /// Files that were merged.
    pub files_before: u64,
    /// Files that stand in their place.
    pub files_after: u64,
}

/// Merges small files in every table.
pub(crate) fn compact(lake: &Lake, now: Timestamp, effort: Effort) -> Result<Vec<Merged>, StoreError> {
    if lake.pinned.is_some() {
        return Err(failed(ACTION)("this lake stands still at one version"));
    }
    // New files are on their way into a table, as those of an import are.
    let _under_way = lake.wait(turn::to_import(&lake.folder(&lake.flows))).map_err(failed(ACTION))?;
    let mut work = Work { lake, now, effort, rows_left: effort.most_rows, trouble: None };
    let merged = vec![
        work.table::<Resolution>(&lake.resolutions, FACTS_BUFFERED)?,
        work.table::<Handshake>(&lake.handshakes, FACTS_BUFFERED)?,
        work.table::<Gap>(&lake.gaps, FACTS_BUFFERED)?,
        work.table::<FlowRecord>(&lake.flows, FLOWS_BUFFERED)?,
    ];
    work.trouble.map_or(Ok(merged), Err)
}

/// What is still to be done.
struct Work<'a> {
    lake: &'a Lake,
    now: Timestamp,
    effort: Effort,
    rows_left: u64,
    /// What failed first. A file that cannot be read keeps nobody from merging the others.
    trouble: Option<StoreError>,
}

impl Work<'_> {
    /// Merges the small files of a table whose files have `most` rows.
    fn table<R: Kept>(&mut self, table: &Table, most: usize) -> Result<Merged, StoreError> {
        let mut merged = Merged { table: table.layout().name, rows: 0, files_before: 0, files_after: 0 };
        let snapshot = self.lake.snapshot(table)?;
        let mut days: BTreeMap<Day, Vec<(u64, &Arc<Part>)>> = BTreeMap::new();
        for part in &snapshot.files {
            if let Some(rows) = small(part, most) {
                days.entry(part.day).or_default().push((rows, part));
            }
        }
        for (day, mut small) in days {
            let is_settled = self.now.since(day.window().until) >= SETTLED_US;
            if small.len() < if is_settled { 2 } else { self.effort.least_files.max(2) } {
                continue;
            }
            small.sort_by(|(_, a), (_, b)| {
                (a.window.from, a.window.until, &a.path).cmp(&(b.window.from, b.window.until, &b.path))
            });
            for old in self.groups(&small, most) {
                match self.merge::<R>(table, day, &old) {
                    Ok(None) => {}
                    Ok(Some((rows, files))) => {
                        merged.rows += rows;
                        merged.files_before += old.len() as u64;
                        merged.files_after += files;
                    }
                    Err(error) => _ = self.trouble.get_or_insert(error),
                }
            }
        }
        Ok(merged)
    }

    /// The small files of a day, two or more together, each group the rows of one new file. So whoever is killed, or
    /// comes second, loses the work of one file.
    fn groups(&mut self, small: &[(u64, &Arc<Part>)], most: usize) -> Vec<Vec<Arc<Part>>> {
        let (mut groups, mut own, mut sum) = (Vec::new(), Vec::new(), 0);
        for (rows, part) in small {
            if self.rows_left < *rows {
                self.rows_left = 0;
                break;
            }
            self.rows_left -= rows;
            if sum + rows > most as u64 {
                groups.push(std::mem::take(&mut own));
                sum = 0;
            }
            own.push((*part).clone());
            sum += rows;
        }
        groups.push(own);
        groups.retain(|group| group.len() >= 2);
        groups
    }

    /// Puts one file in the place of `old`. Returns its rows, and how many files it is; none if somebody else has
    /// replaced one of the old files.
    fn merge<R: Kept>(
        &self,
        table: &Table,
        day: Day,
        old: &[Arc<Part>],
    ) -> Result<Option<(u64, u64)>, StoreError> {
        let mut new = New { lake: self.lake, table, adds: Vec::new() };
        let rows = new.write::<R>(day, old)?;
        Ok(new.take_the_place_of(old, self.now)?.map(|files| (rows, files)))
    }
}

/// The rows of a file that is worth merging: one of ours, not half as large as an import would make it. Two such
/// files make one, so each time at least half of them go.
fn small(part: &Part, most: usize) -> Option<u64> {
    let is_ours = part.path.filename().is_some_and(leftovers::is_ours);
    part.rows.filter(|rows| is_ours && *rows < (most / 2) as u64)
}

/// Files that are not yet part of their table. Dropped, they are removed.
struct New<'a> {
    lake: &'a Lake,
    table: &'a Table,
    adds: Vec<Add>,
}

impl New<'_> {
    /// Writes the rows of the files `old` of a day; returns how many.
    fn write<R: Kept>(&mut self, day: Day, old: &[Arc<Part>]) -> Result<u64, StoreError> {
        let folder = self.lake.folder(self.table);
        let (mut rows, mut written) = (Rows::<R>::new(), 0);
        for part in old {
            let path = folder.join(part.path.as_ref());
            let read = damage::without_panic(|| take(&path, &mut rows));
            let count = read.map_err(|cause| damaged(&path, cause))?;
            if part.rows != Some(count) {
                let cause = format!("it has {count} rows, the log says {}", part.rows.unwrap_or(0));
                return Err(damaged(&path, cause.into()));
            }
            written += count;
        }
        self.end_file(day, rows)?;
        Ok(written)
    }

    fn end_file<R: Kept>(&mut self, day: Day, rows: Rows<R>) -> Result<(), StoreError> {
        if rows.len() > 0 {
            let columns = rows.into_columns().map_err(failed(ACTION))?;
            let file = DataFile::encode(R::layout(), day, columns).map_err(failed(ACTION))?;
            self.adds.push(self.lake.wait(self.table.write(file))?);
        }
        Ok(())
    }

    /// Makes the files part of the table instead of `old`. Returns how many they are; none if somebody else has
    /// replaced one of the old files.
    fn take_the_place_of(mut self, old: &[Arc<Part>], now: Timestamp) -> Result<Option<u64>, StoreError> {
        let adds = std::mem::take(&mut self.adds);
        let files = adds.len() as u64;
        let _turn = self.lake.turn();
        // Where it failed, the entry may be in the log although the disk did not say so: the files must stay.
        if self.lake.wait(self.table.replace(old, adds.clone(), now))? {
            return Ok(Some(files));
        }
        self.adds = adds;
        Ok(None)
    }
}

impl Drop for New<'_> {
    /// A file that cannot be removed takes space and does no other harm, so failure is no error here.
    fn drop(&mut self) {
        if !self.adds.is_empty() {
            let _ = self.lake.wait(self.table.discard(&self.adds));
        }
    }
}

/// Adds the rows of a file; returns how many it has.
fn take<R: Kept>(path: &Path, rows: &mut Rows<R>) -> Result<u64, Cause> {
    let mut count = 0;
    for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()? {
        let batch = batch?;
        let records = Records::<R>::of(&batch)?;
        for row in 0..batch.num_rows() {
            rows.push(&records.record(row))?;
        }
        count += batch.num_rows() as u64;
    }
    Ok(count)
}

fn damaged(path: &Path, cause: Cause) -> StoreError {
    StoreError::Damaged { path: path.display().to_string(), cause }
}
