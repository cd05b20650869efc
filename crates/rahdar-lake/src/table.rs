//! A table on disk: a Delta table that any engine can read. Each kind of record has its own.
//!
//! ```text
//! <table>/_delta_log/00000000000000000000.json              the log: one entry per commit
//!                   00000000000000000020.checkpoint.parquet    its sum, every 20 entries or more
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
//! **What goes.** Log entries never do. Files do that were merged into others long ago (`compact`, `vacuum`). A
//! version that needs them is then refused (`versions`); every other version can be read again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deltalake::kernel::transaction::{CommitData, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Add, Remove, Transaction};
use deltalake::logstore::{CommitOrBytes, LogStoreRef};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError, checkpoints};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use rahdar_model::store::{Input, StoreError};
use rahdar_model::time::{DAY_US, Timestamp};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::damage;
use crate::error::{Place, failed};
use crate::file::DataFile;
use crate::log::{self, Known, News};
use crate::schema::{Layout, PARTITION};

pub(crate) use crate::log::Part;

/// The folder of a table that holds its log.
pub(crate) const LOG: &str = "_delta_log";

/// How long checkpoints remember which files were replaced: a day longer than these are kept
/// ([`REPLACED_KEPT_DAYS`](crate::REPLACED_KEPT_DAYS)), so that nobody has to read the whole log to find what may go.
/// Other engines keep replaced files for as long.
pub(crate) const KEPT_IN_CHECKPOINTS: &str = "interval 31 days";

/// [`KEPT_IN_CHECKPOINTS`] in microseconds.
pub(crate) const KEPT_IN_CHECKPOINTS_US: i64 = 31 * DAY_US;

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
    known: Known,
    /// What is known, for readers; made when one asks.
    snapshot: Option<Arc<Snapshot>>,
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
    pub(crate) files: Vec<Arc<Part>>,
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
        let known = Known::load(layout, &place, &delta).await?;
        let state = Mutex::new(State { known, snapshot: None });
        Ok(Self { layout, place, log: delta.log_store(), state })
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
        let State { known, snapshot } = &mut *state;
        // A look that failed midway may have read some entries.
        if snapshot.as_ref().is_some_and(|made| made.version != known.version) {
            *snapshot = None;
        }
        let made = snapshot.get_or_insert_with(|| {
            Arc::new(Snapshot {
                layout: self.layout,
                place: self.place.clone(),
                version: known.version,
                files: known.files.values().cloned().collect(),
            })
        });
        Ok(made.clone())
    }

    /// The number of the newest version.
    pub(crate) async fn version(&self) -> Result<u64, StoreError> {
        let mut state = self.state.lock().await;
        self.refresh(&mut state).await?;
        Ok(state.known.version)
    }

    /// An old version, or the newest.
    pub(crate) async fn at(&self, version: u64) -> Result<Snapshot, StoreError> {
        let delta = self.load(Some(version)).await?;
        let files = log::files_of(self.layout, &self.place, &delta)?.collect();
        Ok(Snapshot { layout: self.layout, place: self.place.clone(), version, files })
    }

    /// The inputs that a version added.
    pub(crate) async fn inputs_of(&self, version: u64) -> Result<Vec<String>, StoreError> {
        let entry = log::entry(&self.place, self.log.as_ref(), version).await?;
        let missing = || self.place.damaged(format!("log entry {version} is missing"));
        let ids = entry.ok_or_else(missing)?.into_iter().filter_map(|action| match action {
            Action::Txn(transaction) => Some(transaction.app_id),
            _ => None,
        });
        Ok(ids.collect())
    }

    /// Whether one of these inputs is stored, as of the last look at the log.
    pub(crate) async fn holds_any(&self, inputs: &[String]) -> bool {
        let state = self.state.lock().await;
        inputs.iter().any(|input| state.known.inputs.contains(input))
    }

    /// Whether an input is stored, as of the last look at the log.
    pub(crate) async fn holds(&self, input: &Input) -> bool {
        self.state.lock().await.known.inputs.contains(&input.id)
    }

    /// Files that were replaced in the last weeks, by path, and when.
    pub(crate) async fn replaced(&self) -> HashMap<String, Timestamp> {
        self.state.lock().await.known.replaced.clone()
    }

    /// Every data file that any entry of the log names, by path, and when it was last replaced, if it was; none if
    /// an entry is gone, so that nothing can be said of all. Reads the whole log.
    pub(crate) async fn ever_named(&self) -> Result<Option<HashMap<String, Option<Timestamp>>>, StoreError> {
        let mut named = HashMap::new();
        for version in 0..=self.version().await? {
            let Some(actions) = log::entry(&self.place, self.log.as_ref(), version).await? else {
                return Ok(None);
            };
            named.extend(actions.into_iter().filter_map(|action| match action {
                Action::Add(add) => Some((add.path, None)),
                Action::Remove(remove) => {
                    let ms = remove.deletion_timestamp.unwrap_or(0);
                    Some((remove.path, Some(Timestamp::from_micros(ms.saturating_mul(1_000)))))
                }
                _ => None,
            }));
        }
        Ok(Some(named))
    }

    /// Looks at the log again; returns whether it is due to be summed up.
    pub(crate) async fn look(&self) -> Result<bool, StoreError> {
        let mut state = self.state.lock().await;
        self.refresh(&mut state).await?;
        Ok(state.known.is_sum_due())
    }

    /// Sums up the log, unless another process has. Whoever calls has the turn to commit.
    pub(crate) async fn sum_up(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock().await;
        state.known.find_checkpoint(self.log.as_ref()).await?;
        self.refresh(&mut state).await?;
        if state.known.is_sum_due() {
            let delta = self.load(Some(state.known.version)).await?;
            // The log was just read, so what fails is the writing.
            checkpoints::create_checkpoint(&delta, None).await.map_err(failed("summing up the log"))?;
            state.known.is_summed_up();
        }
        Ok(())
    }

    /// The table as the library reads it.
    async fn load(&self, version: Option<u64>) -> Result<DeltaTable, StoreError> {
        let read = async {
            let mut delta = DeltaTable::new(self.log.clone());
            let loaded = match version {
                Some(version) => delta.load_version(version).await,
                None => delta.load().await,
            };
            loaded.map_err(|cause| self.place.log("reading the log", cause))?;
            Ok(delta)
        };
        damage::survive_log(&self.place, read).await
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
        let operation = || DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![PARTITION.to_owned()]),
            predicate: None,
        };
        let added = adds.into_iter().map(Action::Add);
        let stored = inputs.iter().map(|input| Action::Txn(Transaction::new(&input.id, 1)));
        let actions: Vec<Action> = added.chain(stored).collect();
        let entered = self.enter("storing flows", &actions, operation, |known| {
            match inputs.iter().find(|input| known.inputs.contains(&input.id)) {
                Some(stored) => Err(StoreError::Raced { input: stored.name.to_string() }),
                None => Ok(()),
            }
        });
        entered.await
    }

    /// Puts `adds` in the place of `old` at the time `now`: the same rows in other files. Returns whether it was
    /// done; if not, one of them was replaced by somebody else meanwhile.
    pub(crate) async fn replace(
        &self,
        old: &[Arc<Part>],
        adds: Vec<Add>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let operation = || DeltaOperation::Optimize { predicate: None, target_size: 0 };
        let removed = old.iter().map(|part| Action::Remove(removal(part, now)));
        let added = adds.into_iter().map(|add| Action::Add(Add { data_change: false, ..add }));
        let actions: Vec<Action> = removed.chain(added).collect();
        let entered = self.enter("merging files", &actions, operation, |known| {
            match old.iter().find(|part| !known.files.contains_key(part.path.as_ref())) {
                Some(gone) => Err(StoreError::Raced { input: gone.path.to_string() }),
                None => Ok(()),
            }
        });
        match entered.await {
            Ok(_) => Ok(true),
            Err(StoreError::Raced { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes an entry of the log after the newest, if `check` lets it: before the first try, and after every
    /// lost race. Returns its version.
    async fn enter(
        &self,
        action: &'static str,
        actions: &[Action],
        operation: impl Fn() -> DeltaOperation,
        check: impl Fn(&Known) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let mut state = self.state.lock().await;
        for attempt in 0..COMMIT_TRIES {
            if attempt > 0 {
                pause(attempt).await;
            }
            self.refresh(&mut state).await?;
            if let Some(why) = &state.known.read_only {
                return Err(failed(action)(why.clone()));
            }
            check(&state.known)?;
            let version = state.known.version + 1;
            if self.try_to_enter(action, actions.to_vec(), operation(), version).await? {
                return Ok(version);
            }
        }
        Err(failed(action)(format!("other imports were faster {COMMIT_TRIES} times; try again")))
    }

    /// Makes the log entry of this version; false if there is one.
    async fn try_to_enter(
        &self,
        action: &'static str,
        actions: Vec<Action>,
        operation: DeltaOperation,
        version: u64,
    ) -> Result<bool, StoreError> {
        let failing = |cause: TransactionError| self.place.log(action, cause.into());
        let entry = CommitData::new(actions, operation, HashMap::new(), Vec::new());
        let octets = CommitOrBytes::LogBytes(entry.get_bytes().map_err(failing)?);
        match self.log.write_commit_entry(version, octets, Uuid::new_v4()).await {
            Ok(()) => Ok(true),
            Err(TransactionError::VersionAlreadyExists(_)) => Ok(false),
            Err(cause) => Err(failing(cause)),
        }
    }

    async fn refresh(&self, state: &mut State) -> Result<(), StoreError> {
        damage::survive_log(&self.place, self.refresh_unguarded(state)).await
    }

    async fn refresh_unguarded(&self, state: &mut State) -> Result<(), StoreError> {
        let before = state.known.version;
        let news = state.known.follow(self.layout, &self.place, self.log.as_ref()).await?;
        if news == News::Table {
            let delta = self.load(None).await?;
            check_schema(self.layout, &self.place, &delta)?;
            state.known = Known::load(self.layout, &self.place, &delta).await?;
        }
        if state.known.version != before {
            state.snapshot = None;
        }
        Ok(())
    }
}

/// The log's entry for a file that others stand in for.
fn removal(part: &Part, now: Timestamp) -> Remove {
    Remove {
        path: part.path.to_string(),
        data_change: false,
        deletion_timestamp: Some(now.micros() / 1_000),
        extended_file_metadata: Some(true),
        partition_values: Some(HashMap::from([(PARTITION.to_owned(), Some(part.day.to_string()))])),
        size: i64::try_from(part.size).ok(),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
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
            // Rows are never changed or removed; files may be merged.
            ("delta.appendOnly", Some("true")),
            ("delta.enableExpiredLogCleanup", Some("false")),
            ("delta.deletedFileRetentionDuration", Some(KEPT_IN_CHECKPOINTS)),
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
    pub(crate) fn of_files(&self, files: Vec<Arc<Part>>) -> Self {
        Self { layout: self.layout, place: self.place.clone(), version: self.version, files }
    }
}
