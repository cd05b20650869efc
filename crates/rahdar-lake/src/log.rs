//! What the log of a table says, and how that is kept up to date.
//!
//! The library reads the log whole once, when a table is opened. From then on each new entry is read here, by
//! its name: the next number, until there is none. So a commit costs the same however many came before it. The
//! library itself would list the log and go through all files of the table for every commit
//! (`docs/performance.md`, "What a commit costs").

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, StructArray};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use deltalake::kernel::transaction::PROTOCOL;
use deltalake::kernel::{Action, Add};
use deltalake::logstore::{LogStore, get_actions};
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rahdar_model::store::StoreError;
use rahdar_model::time::{Day, Timestamp, Window};
use serde::Deserialize;

use crate::error::{Cause, Place, failed};
use crate::schema::{Layout, PARTITION};
use crate::table::KEPT_IN_CHECKPOINTS_US;

/// Log entries between two checkpoints, at least. Delta itself says 10, delta-rs 100; in between, opening a
/// lake reads few entries and a commit seldom rewrites the sum.
const CHECKPOINT_EVERY: u64 = 20;

/// The part of a table's sum that may come anew before it is written again: a fiftieth. So writing sums costs each
/// commit the same, however large they grow: an input is remembered for ever. Chosen here: after a million
/// inputs, opening a lake reads 20,000 small entries at most, a second's work.
const CHECKPOINT_PART: u64 = 50;

const READING: &str = "reading the log";

/// One file of a table.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// Where, below the table's folder.
    pub(crate) path: Path,
    /// Octets.
    pub(crate) size: u64,
    /// Rows, if the log knows.
    pub(crate) rows: Option<u64>,
    /// The day of all its rows.
    pub(crate) day: Day,
    /// No row starts before this window or after it; the day, if the log knows no better.
    pub(crate) window: Window,
}

/// What the log of a table says, up to a version.
pub(crate) struct Known {
    /// The version.
    pub(crate) version: u64,
    /// The files in it, by path.
    pub(crate) files: BTreeMap<String, Arc<Part>>,
    /// Files that were replaced, and when: those that checkpoints remember ([`KEPT_IN_CHECKPOINTS`]), and those
    /// of the entries after.
    ///
    /// [`KEPT_IN_CHECKPOINTS`]: crate::table::KEPT_IN_CHECKPOINTS
    pub(crate) replaced: HashMap<String, Timestamp>,
    /// The inputs stored.
    pub(crate) inputs: HashSet<String>,
    /// Why nothing may be written to this table, if so: another engine uses features that rahdar does not know.
    pub(crate) read_only: Option<String>,
    /// The newest version that has a checkpoint, as far as was seen.
    checkpoint: Option<u64>,
}

/// What has happened in the log since it was last looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing.
    None,
    /// Other files, or other inputs.
    Entries,
    /// The table itself was changed, by another engine: it has to be opened again.
    Table,
}

impl Known {
    /// Reads the whole log.
    pub(crate) async fn load(
        layout: &'static Layout,
        place: &Place,
        delta: &DeltaTable,
    ) -> Result<Self, StoreError> {
        let read = |cause| place.log(READING, cause);
        let log = delta.log_store();
        let state = delta.snapshot().map_err(read)?;
        let mut known = Self {
            version: state.version(),
            files: files_of(layout, place, delta)?.map(|part| (part.path.to_string(), part)).collect(),
            replaced: HashMap::new(),
            inputs: HashSet::new(),
            read_only: PROTOCOL.can_write_to(state).err().map(|cause| cause.to_string()),
            checkpoint: None,
        };
        let mut next = 0;
        if let Some((version, path)) = newest_checkpoint(log.as_ref()).await? {
            let content = log.object_store(None).get(&path).await.map_err(failed(READING))?;
            let content = content.bytes().await.map_err(failed(READING))?;
            known.take_checkpoint(content).map_err(|cause| place.damaged_log(cause))?;
            known.checkpoint = Some(version);
            next = version + 1;
        }
        for version in next..=known.version {
            let entry = entry(place, log.as_ref(), version).await?;
            let actions = entry.ok_or_else(|| place.damaged(format!("log entry {version} is missing")))?;
            for action in actions {
                match action {
                    Action::Txn(transaction) => _ = known.inputs.insert(transaction.app_id),
                    Action::Remove(remove) => known.take_removal(remove.path, remove.deletion_timestamp),
                    _ => {}
                }
            }
        }
        known.replaced.retain(|path, _| !known.files.contains_key(path));
        Ok(known)
    }

    /// Reads the entries that have come since.
    pub(crate) async fn follow(
        &mut self,
        layout: &'static Layout,
        place: &Place,
        log: &dyn LogStore,
    ) -> Result<News, StoreError> {
        let mut news = News::None;
        while let Some(actions) = entry(place, log, self.version + 1).await? {
            if actions.iter().any(|action| matches!(action, Action::Metadata(_) | Action::Protocol(_))) {
                return Ok(News::Table);
            }
            // All of an entry or nothing of it.
            let added = actions.iter().filter_map(|action| match action {
                Action::Add(add) => Some(part_of(layout, place, add)),
                _ => None,
            });
            let added: Vec<Part> = added.collect::<Result<_, _>>()?;
            for action in actions {
                match action {
                    Action::Txn(transaction) => _ = self.inputs.insert(transaction.app_id),
                    Action::Remove(remove) => {
                        let path = path(&remove.path).to_string();
                        self.files.remove(&path);
                        self.take_removal(path, remove.deletion_timestamp);
                    }
                    _ => {}
                }
            }
            for part in added {
                let path = part.path.to_string();
                self.replaced.remove(&path);
                self.files.insert(path, Arc::new(part));
            }
            self.version += 1;
            news = News::Entries;
        }
        Ok(news)
    }

    /// Whether the log is due to be summed up.
    pub(crate) fn is_sum_due(&self) -> bool {
        let sum = (self.files.len() + self.replaced.len() + self.inputs.len()) as u64;
        self.version >= self.checkpoint.unwrap_or(0) + CHECKPOINT_EVERY.max(sum / CHECKPOINT_PART)
    }

    /// Looks for checkpoints that others have made.
    pub(crate) async fn find_checkpoint(&mut self, log: &dyn LogStore) -> Result<(), StoreError> {
        self.checkpoint = newest_checkpoint(log).await?.map(|(version, _)| version);
        Ok(())
    }

    /// Takes note of a checkpoint of this version.
    pub(crate) fn is_summed_up(&mut self) {
        self.checkpoint = Some(self.version);
        // What checkpoints forget is forgotten here too.
        if let Some(newest) = self.replaced.values().max().copied() {
            self.replaced.retain(|_, replaced| newest.since(*replaced) <= KEPT_IN_CHECKPOINTS_US);
        }
    }

    fn take_removal(&mut self, path: String, deleted_ms: Option<i64>) {
        let time = Timestamp::from_micros(deleted_ms.unwrap_or(0).saturating_mul(1_000));
        self.replaced.insert(path, time);
    }

    /// Takes the inputs and the removals of a checkpoint. Its files are known already.
    fn take_checkpoint(&mut self, checkpoint: Bytes) -> Result<(), Cause> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(checkpoint)?;
        let columns = ["txn.appId", "remove.path", "remove.deletionTimestamp"];
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
        for batch in builder.with_projection(mask).build()? {
            let batch = batch?;
            let part = |name: &str| batch.column_by_name(name)?.as_struct_opt();
            let texts = |part: &StructArray, name: &str| {
                Some(part.column_by_name(name)?.as_string_opt::<i32>()?.clone())
            };
            let ids = part("txn").and_then(|txn| texts(txn, "appId"));
            let ids = ids.ok_or("the checkpoint has no column `txn.appId`")?;
            self.inputs.extend(ids.iter().flatten().map(str::to_owned));
            let Some(removed) = part("remove") else { continue };
            let paths = texts(removed, "path").ok_or("the checkpoint has no column `remove.path`")?;
            let times = removed.column_by_name("deletionTimestamp");
            let times = times.and_then(|times| times.as_primitive_opt::<Int64Type>());
            for (row, removed) in paths.iter().enumerate() {
                let time = times.filter(|times| times.is_valid(row)).map(|times| times.value(row));
                if let Some(removed) = removed {
                    self.take_removal(removed.to_owned(), time);
                }
            }
        }
        Ok(())
    }
}

/// The actions of an entry; none if there is no such entry.
pub(crate) async fn entry(
    place: &Place,
    log: &dyn LogStore,
    version: u64,
) -> Result<Option<Vec<Action>>, StoreError> {
    let read = |cause| place.log(READING, cause);
    match log.read_commit_entry(version).await.map_err(read)? {
        Some(entry) => Ok(Some(get_actions(version, &entry).map_err(read)?)),
        None => Ok(None),
    }
}

/// The newest version that has a checkpoint, and where that is.
async fn newest_checkpoint(log: &dyn LogStore) -> Result<Option<(u64, Path)>, StoreError> {
    let listed = log.object_store(None).list(Some(log.log_path())).try_collect::<Vec<_>>().await;
    let checkpoints = listed.map_err(failed(READING))?.into_iter().filter_map(|entry| {
        let version = entry.location.filename()?.strip_suffix(".checkpoint.parquet")?.parse().ok()?;
        Some((version, entry.location))
    });
    Ok(checkpoints.max())
}

/// The files of a version that the library has read.
pub(crate) fn files_of(
    layout: &'static Layout,
    place: &Place,
    delta: &DeltaTable,
) -> Result<impl Iterator<Item = Arc<Part>>, StoreError> {
    let read = |cause: DeltaTableError| place.log(READING, cause);
    let log_data = delta.snapshot().map_err(read)?.snapshot().try_log_data().map_err(read)?;
    let parts = log_data.iter().map(|file| {
        let days = file.partition_values_map();
        let told = Told {
            path: file.object_store_path(),
            size: file.size(),
            day: days.get(PARTITION).and_then(|day| day.as_deref()),
            statistics: file.stats().map(|text| text.to_string()),
            has_deletion_vector: file.deletion_vector_descriptor().is_some(),
        };
        told.part(layout, place).map(Arc::new)
    });
    Ok(parts.collect::<Result<Vec<_>, _>>()?.into_iter())
}

fn part_of(layout: &Layout, place: &Place, add: &Add) -> Result<Part, StoreError> {
    let told = Told {
        path: path(&add.path),
        size: add.size,
        day: add.partition_values.get(PARTITION).and_then(|day| day.as_deref()),
        statistics: add.stats.clone(),
        has_deletion_vector: add.deletion_vector.is_some(),
    };
    told.part(layout, place)
}

/// A path of the log, as the library reads it.
fn path(path: &str) -> Path {
    Path::parse(path).unwrap_or_else(|_| Path::from(path))
}

/// What the log tells of a file.
struct Told<'a> {
    path: Path,
    size: i64,
    day: Option<&'a str>,
    statistics: Option<String>,
    has_deletion_vector: bool,
}

/// What the log says of rows and times; all of it may be missing where another engine has written.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Statistics {
    #[serde(rename = "numRecords")]
    rows: Option<u64>,
    #[serde(rename = "minValues")]
    least: Bounds,
    #[serde(rename = "maxValues")]
    most: Bounds,
}

type Bounds = serde_json::Map<String, serde_json::Value>;

impl Told<'_> {
    fn part(self, layout: &Layout, place: &Place) -> Result<Part, StoreError> {
        let damaged = |what: &str| place.damaged(format!("the log's entry for `{}` has {what}", self.path));
        if self.has_deletion_vector {
            return Err(damaged("a deletion vector, which rahdar never writes"));
        }
        let day: Day = self.day.and_then(|day| day.parse().ok()).ok_or_else(|| damaged("no day"))?;
        let statistics: Statistics = match &self.statistics {
            Some(text) => serde_json::from_str(text).map_err(|_| damaged("statistics that are no JSON"))?,
            None => Statistics::default(),
        };
        let time = |bounds: &Bounds| bounds.get(layout.time)?.as_str()?.parse::<Timestamp>().ok();
        // Other writers cut bounds to milliseconds, downwards.
        let from = time(&statistics.least).unwrap_or(day.start());
        let until = time(&statistics.most).map(|last| last.plus_micros(1_000));
        let window = Window::new(from, until.unwrap_or(day.window().until));
        Ok(Part {
            size: u64::try_from(self.size).map_err(|_| damaged("a negative size"))?,
            rows: statistics.rows,
            day,
            window: day.window().intersect(window),
            path: self.path,
        })
    }
}
