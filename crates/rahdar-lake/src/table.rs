//! A table on disk: a Delta table that any engine can read. Each kind of record has its own.
//!
//! ```text
//! <table>/_delta_log/00000000000000000000.json              the log: one entry per commit
//!                   00000000000000000020.checkpoint.parquet    its sum, every 20 entries
//!        day=2021-08-15/part-<uuid>.parquet                the rows of one day, nearly in time order
//! ```
//!
//! A commit is one log entry: the files it adds, and one `txn` action per input whose rows are in
//! them, with the input's content hash as application id. The entry is made under its final name
//! in one step, and only if that name is free; so an import is in the table whole or not at all,
//! several inputs appear together, and the same content is never stored twice. Delta itself does
//! not refuse a `txn` that is there already (delta-rs #2580), so the ids are compared here, before
//! the first try and after every lost race.
//!
//! **What a torn commit looks like.** Killed before the entry has its name: data files that no
//! entry names, and names that end in `#1`; nothing reads them, and `leftovers` removes them. Killed
//! after: the commit is in, though nobody heard of it; the repeated import finds its inputs stored.
//! An entry with a name is complete on disk, because content is synced first (`durable`).
//!
//! **Who commits.** One process at a time takes its turn (`turn`), so nobody loses race after race. The
//! log does not rely on it: of two entries for one version, whichever comes second is refused.
//!
//! **When something fails.** No space, no rights, an object store that does not answer: the import
//! fails and stores nothing, the table stays whole, and the next one may succeed. An entry or a
//! file that cannot be understood is [`StoreError::Damaged`]: nothing is guessed.
//!
//! Log entries are never removed, so an old version can always be read again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use bytes::Bytes;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Add, LogicalFileView, Transaction};
use deltalake::logstore::{LogStore, LogStoreRef, get_actions};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError, checkpoints};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rahdar_model::store::{Input, StoreError};
use rahdar_model::time::{Day, Timestamp, Window};
use serde::Deserialize;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::damage;
use crate::error::{Place, failed};
use crate::file::DataFile;
use crate::schema::{Layout, PARTITION};

/// Log entries between two checkpoints. Delta itself says 10, delta-rs 100; in between, opening a
/// lake reads few entries and a commit seldom rewrites the sum.
const CHECKPOINT_EVERY: u64 = 20;

/// The folder of a table that holds its log.
pub(crate) const LOG: &str = "_delta_log";

/// Lost races before an import gives up: against writers that know nothing of turns. Fifteen, the
/// default of delta-rs, were too few for eight writers (`reliability.md` §4); with back-off a
/// hundred take about half a minute.
const COMMIT_TRIES: u32 = 100;

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// One table of the lake.
pub(crate) struct Table {
    layout: &'static Layout,
    place: Place,
    log: LogStoreRef,
    state: Mutex<State>,
}

struct State {
    delta: DeltaTable,
    snapshot: Arc<Snapshot>,
    inputs: Inputs,
}

/// A table at one version.
pub(crate) struct Snapshot {
    /// How it looks.
    pub(crate) layout: &'static Layout,
    /// Where it is, for messages.
    pub(crate) place: Place,
    /// The version.
    pub(crate) version: u64,
    /// Its files.
    pub(crate) files: Vec<Part>,
}

/// One file of the table.
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

/// The inputs stored.
#[derive(Debug, Default)]
struct Inputs {
    ids: HashSet<String>,
    /// The first log entry that is not in `ids`.
    next: u64,
    /// The newest version that has a checkpoint, as far as was seen.
    checkpoint: Option<u64>,
}

impl Table {
    /// Opens the table at `location`, or makes an empty one there.
    pub(crate) async fn open(
        layout: &'static Layout,
        place: Place,
        location: &str,
        store: Arc<dyn ObjectStore>,
    ) -> Result<Self, StoreError> {
        let opened = Self::open_unguarded(layout, place.clone(), location, store);
        damage::survive_log(&place, opened).await
    }

    async fn open_unguarded(
        layout: &'static Layout,
        place: Place,
        location: &str,
        store: Arc<dyn ObjectStore>,
    ) -> Result<Self, StoreError> {
        let open = |cause| place.log("opening a table", cause);
        let url = deltalake::ensure_table_uri(location).map_err(open)?;
        let builder =
            DeltaTableBuilder::from_url(url.clone()).map_err(open)?.with_storage_backend(store, url);
        let mut delta = builder.build().map_err(open)?;
        if !delta.verify_deltatable_existence().await.map_err(open)? {
            let created = create(layout, delta.clone()).await;
            // Whoever lost the race to create it finds the table of the winner.
            match (delta.load().await, created) {
                (Ok(()), _) => {}
                (Err(_), Err(cause)) => return Err(failed("creating a table")(cause)),
                (Err(cause), Ok(_)) => return Err(open(cause)),
            }
        } else {
            delta.load().await.map_err(open)?;
        }
        check_schema(layout, &place, &delta)?;
        let snapshot = Arc::new(Snapshot::of(layout, &place, &delta)?);
        let log = delta.log_store();
        let inputs = Inputs::find(&place, log.as_ref()).await?;
        let state = Mutex::new(State { delta, snapshot, inputs });
        Ok(Self { layout, place, log, state })
    }

    /// Where data files are, below the table's folder.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.log.object_store(None)
    }

    /// How it looks.
    pub(crate) fn layout(&self) -> &'static Layout {
        self.layout
    }

    /// The newest version.
    pub(crate) async fn newest(&self) -> Result<Arc<Snapshot>, StoreError> {
        let mut state = self.state.lock().await;
        self.refresh(&mut state).await?;
        Ok(state.snapshot.clone())
    }

    /// Whether an input is stored, as of the last look at the log.
    pub(crate) async fn holds(&self, input: &Input) -> bool {
        self.state.lock().await.inputs.ids.contains(&input.id)
    }

    /// Every data file that any entry of the log names; none if an entry is gone, so that nothing can
    /// be said of all.
    pub(crate) async fn ever_named(&self) -> Result<Option<HashSet<String>>, StoreError> {
        let read = |cause| self.place.log("reading the log", cause);
        let mut named = HashSet::new();
        for version in 0..=self.newest().await?.version {
            let Some(entry) = self.log.read_commit_entry(version).await.map_err(read)? else {
                return Ok(None);
            };
            named.extend(get_actions(version, &entry).map_err(read)?.into_iter().filter_map(|action| {
                match action {
                    Action::Add(add) => Some(add.path),
                    _ => None,
                }
            }));
        }
        Ok(Some(named))
    }

    /// Looks at the log again; returns whether it is due to be summed up.
    pub(crate) async fn look(&self) -> Result<bool, StoreError> {
        let mut state = self.state.lock().await;
        self.look_at(&mut state).await
    }

    async fn look_at(&self, state: &mut State) -> Result<bool, StoreError> {
        self.refresh(state).await?;
        let version = state.snapshot.version;
        state.inputs.read_to(&self.place, self.log.as_ref(), version).await?;
        Ok(version >= state.inputs.checkpoint.unwrap_or(0) + CHECKPOINT_EVERY)
    }

    /// Sums up the log, unless another process has. Whoever calls has the turn to commit.
    pub(crate) async fn sum_up(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock().await;
        state.inputs.checkpoint = newest_checkpoint(self.log.as_ref()).await?.map(|(version, _)| version);
        if self.look_at(&mut state).await? {
            // The log was just read, so what fails is the writing.
            checkpoints::create_checkpoint(&state.delta, None).await.map_err(failed("summing up the log"))?;
            state.inputs.checkpoint = Some(state.snapshot.version);
        }
        Ok(())
    }

    /// Writes a data file. It is no part of the table yet.
    pub(crate) async fn write(&self, mut file: DataFile) -> Result<Add, StoreError> {
        let path = Path::from(file.path.as_str());
        let content = std::mem::take(&mut file.content);
        let store = self.store();
        let written = async {
            store.put(&path, Bytes::from(content).into()).await?;
            store.head(&path).await
        };
        let meta = written.await.map_err(failed("writing flows"))?;
        Ok(file.into_add(meta.size, meta.last_modified.timestamp_millis()))
    }

    /// Deletes data files that never became part of the table.
    pub(crate) async fn discard(&self, adds: &[Add]) -> Result<(), StoreError> {
        let paths: Vec<_> = adds.iter().map(|add| Ok(Path::from(add.path.as_str()))).collect();
        let deleted = self.store().delete_stream(Box::pin(futures::stream::iter(paths)));
        deleted.try_for_each(|_| async { Ok(()) }).await.map_err(failed("removing files"))
    }

    /// Makes `adds` part of the table and `inputs` stored, both or neither.
    pub(crate) async fn commit(&self, adds: Vec<Add>, inputs: &[Input]) -> Result<u64, StoreError> {
        let mut state = self.state.lock().await;
        for attempt in 0..COMMIT_TRIES {
            if attempt > 0 {
                pause(attempt).await;
            }
            self.refresh(&mut state).await?;
            let version = state.snapshot.version;
            state.inputs.read_to(&self.place, self.log.as_ref(), version).await?;
            if let Some(stored) = inputs.iter().find(|input| state.inputs.ids.contains(&input.id)) {
                return Err(StoreError::Raced { input: stored.name.to_string() });
            }
            if let Some(version) = self.try_commit(&state.delta, &adds, inputs).await? {
                return Ok(version);
            }
        }
        Err(failed("storing flows")(format!("other imports were faster {COMMIT_TRIES} times; try again")))
    }

    /// Writes the log entry after the version of `delta`; none if another import has it.
    async fn try_commit(
        &self,
        delta: &DeltaTable,
        adds: &[Add],
        inputs: &[Input],
    ) -> Result<Option<u64>, StoreError> {
        let store = |cause| self.place.log("storing flows", cause);
        let transactions = inputs.iter().map(|input| Transaction::new(&input.id, 1)).collect();
        let properties = CommitProperties::default()
            .with_application_transactions(transactions)
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false))
            // Retries are ours, because only we compare inputs.
            .with_max_retries(0);
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![PARTITION.to_owned()]),
            predicate: None,
        };
        let commit = CommitBuilder::from(properties)
            .with_actions(adds.iter().cloned().map(Action::Add).collect())
            .build(Some(delta.snapshot().map_err(store)?), self.log.clone(), operation);
        match commit.into_prepared_commit_future().await.map_err(store)?.await {
            Ok(committed) => Ok(Some(committed.version)),
            Err(DeltaTableError::Transaction { source: TransactionError::MaxCommitAttempts(_) })
            | Err(DeltaTableError::VersionAlreadyExists(_)) => Ok(None),
            Err(cause) => Err(store(cause)),
        }
    }

    async fn refresh(&self, state: &mut State) -> Result<(), StoreError> {
        damage::survive_log(&self.place, self.refresh_unguarded(state)).await
    }

    async fn refresh_unguarded(&self, state: &mut State) -> Result<(), StoreError> {
        state.delta.update_state().await.map_err(|cause| self.place.log("reading the log", cause))?;
        if state.delta.version() != Some(state.snapshot.version) {
            state.snapshot = Arc::new(Snapshot::of(self.layout, &self.place, &state.delta)?);
        }
        Ok(())
    }
}

/// Waits before another try: longer each time, by a random part, so that rivals fall out of step.
async fn pause(attempt: u32) {
    let longest = LONGEST_PAUSE.as_millis().min(2 << attempt.min(20));
    let random = Uuid::new_v4().as_u128() % longest;
    tokio::time::sleep(Duration::from_millis(random as u64)).await;
}

async fn create(layout: &Layout, delta: DeltaTable) -> Result<DeltaTable, DeltaTableError> {
    delta
        .create()
        .with_table_name(layout.name)
        .with_columns(layout.delta_columns())
        .with_partition_columns([PARTITION])
        .with_configuration([
            ("delta.appendOnly", Some("true")),
            ("delta.enableExpiredLogCleanup", Some("false")),
        ])
        .with_commit_properties(CommitProperties::default().with_max_retries(0))
        .await
}

/// A table of other columns is not ours to write to.
fn check_schema(layout: &Layout, place: &Place, delta: &DeltaTable) -> Result<(), StoreError> {
    let snapshot = delta.snapshot().map_err(|cause| place.log("opening a table", cause))?;
    let schema = snapshot.schema();
    for (column, expected) in layout.columns.iter().zip(layout.delta_columns()) {
        match schema.field(column.name) {
            Some(found) if found.data_type == expected.data_type => {}
            Some(found) => {
                return Err(place.damaged(format!("column `{}` is {:?}", column.name, found.data_type)));
            }
            None => return Err(place.damaged(format!("column `{}` is missing", column.name))),
        }
    }
    Ok(())
}

impl Snapshot {
    /// The same version, as if it had these files alone.
    pub(crate) fn of_files(&self, files: Vec<Part>) -> Self {
        Self { layout: self.layout, place: self.place.clone(), version: self.version, files }
    }

    fn of(layout: &'static Layout, place: &Place, delta: &DeltaTable) -> Result<Self, StoreError> {
        let read = |cause| place.log("reading the log", cause);
        let state = delta.snapshot().map_err(read)?;
        let log_data = state.snapshot().try_log_data().map_err(read)?;
        let files = log_data.iter().map(|file| part(layout, place, &file)).collect::<Result<_, _>>()?;
        Ok(Self { layout, place: place.clone(), version: state.version(), files })
    }
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

fn part(layout: &Layout, place: &Place, file: &LogicalFileView) -> Result<Part, StoreError> {
    let damaged = |what: &str| place.damaged(format!("the log's entry for `{}` has {what}", file.path()));
    if file.deletion_vector_descriptor().is_some() {
        return Err(damaged("a deletion vector, which rahdar never writes"));
    }
    let day: Day = file
        .partition_values_map()
        .get(PARTITION)
        .and_then(|day| day.as_deref()?.parse().ok())
        .ok_or_else(|| damaged("no day"))?;
    let statistics: Statistics = match file.stats() {
        Some(text) => serde_json::from_str(&text).map_err(|_| damaged("statistics that are no JSON"))?,
        None => Statistics::default(),
    };
    let time = |bounds: &Bounds| bounds.get(layout.time)?.as_str()?.parse::<Timestamp>().ok();
    // Other writers cut bounds to milliseconds, downwards.
    let from = time(&statistics.least).unwrap_or(day.start());
    let until = time(&statistics.most).map(|last| last.plus_micros(1_000));
    Ok(Part {
        path: file.object_store_path(),
        size: u64::try_from(file.size()).map_err(|_| damaged("a negative size"))?,
        rows: statistics.rows,
        day,
        window: day.window().intersect(Window::new(from, until.unwrap_or(day.window().until))),
    })
}

impl Inputs {
    /// The inputs of the newest checkpoint; none if there is no checkpoint.
    async fn find(place: &Place, log: &dyn LogStore) -> Result<Self, StoreError> {
        let Some((version, path)) = newest_checkpoint(log).await? else {
            return Ok(Self::default());
        };
        let store = log.object_store(None);
        let content = store.get(&path).await.map_err(failed("reading the log"))?;
        let content = content.bytes().await.map_err(failed("reading the log"))?;
        let ids = application_ids(content).map_err(|cause| place.damaged_log(cause))?;
        Ok(Self { ids, next: version + 1, checkpoint: Some(version) })
    }

    /// Takes note of the inputs of all entries up to `version`.
    async fn read_to(&mut self, place: &Place, log: &dyn LogStore, version: u64) -> Result<(), StoreError> {
        while self.next <= version {
            let entry = log
                .read_commit_entry(self.next)
                .await
                .map_err(|cause| place.log("reading the log", cause))?;
            let entry = entry.ok_or_else(|| place.damaged(format!("log entry {} is missing", self.next)))?;
            let actions =
                get_actions(self.next, &entry).map_err(|cause| place.log("reading the log", cause))?;
            self.ids.extend(actions.into_iter().filter_map(|action| match action {
                Action::Txn(transaction) => Some(transaction.app_id),
                _ => None,
            }));
            self.next += 1;
        }
        Ok(())
    }
}

/// The newest version that has a checkpoint, and where that is.
async fn newest_checkpoint(log: &dyn LogStore) -> Result<Option<(u64, Path)>, StoreError> {
    let listed = log.object_store(None).list(Some(log.log_path())).try_collect::<Vec<_>>().await;
    let checkpoints = listed.map_err(failed("reading the log"))?.into_iter().filter_map(|entry| {
        let version = entry.location.filename()?.strip_suffix(".checkpoint.parquet")?.parse().ok()?;
        Some((version, entry.location))
    });
    Ok(checkpoints.max())
}

/// The `txn.appId` column of a checkpoint.
fn application_ids(checkpoint: Bytes) -> Result<HashSet<String>, Box<dyn std::error::Error + Send + Sync>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(checkpoint)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["txn.appId"]);
    let mut ids = HashSet::new();
    for batch in builder.with_projection(mask).build()? {
        let batch = batch?;
        let texts = batch
            .column_by_name("txn")
            .and_then(|txn| txn.as_struct_opt()?.column_by_name("appId")?.as_string_opt::<i32>().cloned());
        let texts = texts.ok_or("the checkpoint has no column `txn.appId`")?;
        ids.extend(texts.iter().flatten().map(str::to_owned));
    }
    Ok(ids)
}
