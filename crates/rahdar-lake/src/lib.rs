//! The lake: flows, and what was said beside them, in Delta tables; and the answers that a hunt
//! asks of them.
//!
//! The only room that knows Arrow, Parquet, Delta and DataFusion; it hides them behind
//! [`FlowStore`]. In reading order:
//!
//! * `schema`, `rows`, `batch`: the column tables as Arrow columns, records into them and out of them.
//! * `file`, `same`, `disk`, `durable`: one Parquet file, and its columns that say one thing; the calls that change the disk, and in which order they
//!   come: synced before anything is acknowledged.
//! * `log`, `table`: what the log of a table says; one table on disk: what a commit is, what is left when one is killed.
//! * `ingest`, `turn`, `leftovers`: an import, buffered by day and committed once; who may go on
//!   while others work; what killed imports leave.
//! * `compact`, `vacuum`, `versions`: small files into few; files that were replaced long ago; the lake as it was.
//! * `damage`: which file cannot be read.
//! * [`foreign`], `cells`: flows in Parquet files of other programs, and their columns.
//! * `networks`, `names`, `scan`, `session`: sets of networks and of names, a table as a scan, the
//!   engine.
//! * `plan`: the questions, one a file.
//! * `sql`: the views for analysts, read-only and bounded.
//!
//! The lake never reads the clock, decodes nothing but Parquet, and judges nothing. It knows the
//! model and no other room.

mod batch;
mod cells;
mod compact;
#[cfg(test)]
mod crash;
mod damage;
mod disk;
mod durable;
mod error;
mod file;
pub mod foreign;
mod ingest;
mod leftovers;
mod log;
mod names;
mod networks;
mod plan;
mod rows;
mod same;
mod scan;
mod schema;
mod session;
mod sql;
mod table;
mod turn;
mod vacuum;
mod versions;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use arrow::error::ArrowError;
use datafusion::logical_expr::ScalarUDF;
use futures::TryStreamExt;
use object_store::ObjectStore;
use rahdar_model::coverage::{CoverageHour, ExporterCoverage};
use rahdar_model::fact::{Gap, Handshake, Resolution};
use rahdar_model::store::{
    Contact, Exchange, FanOut, FirstContact, FlowStore, HandshakesAsked, Import, PortSweep, QueryLimits,
    Service, Sighting, StoreError, Table as Answered, UnaskedReplies, Volume,
};
use rahdar_model::time::Timestamp;
use rahdar_model::{Address, FlowRecord, Prefix, Window};
use tokio::runtime::Runtime;

use crate::disk::{AnyDisk, DiskError, RealDisk};
use crate::durable::{DurableStore, Folders};
use crate::error::{Place, failed};
use crate::ingest::LakeImport;
use crate::plan::Answer;
use crate::schema::Kept;
use crate::session::Engine;
use crate::table::{LOG, Snapshot, Table};
use crate::turn::Held;

pub use crate::compact::{Effort, Merged};
pub use crate::vacuum::{REPLACED_KEPT_DAYS, Vacuumed};

/// Threads of the engine at most, and parts that a plan is split into; chosen here: each part holds
/// buffers of its own.
const THREADS_MAX: usize = 8;

/// As many threads as the process may use at once.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |most| most.get().min(THREADS_MAX))
}

const OPENING: &str = "opening the lake";

/// The tables in a folder of a local disk, and the engine that reads them.
///
/// Calls block on a runtime of the lake's own; do not call from asynchronous code. Every call
/// looks at the log first, so it sees what other processes have committed; [`Lake::pinned`] is for
/// questions that belong together.
pub struct Lake {
    flows: Arc<Table>,
    resolutions: Arc<Table>,
    handshakes: Arc<Table>,
    gaps: Arc<Table>,
    base: PathBuf,
    folders: Arc<Folders>,
    engine: Arc<Engine>,
    runtime: Arc<Threads>,
    /// One version of each table, for a lake that stands still.
    pinned: Option<[Arc<Snapshot>; 4]>,
    /// Done once the leftovers of killed imports are removed.
    tidied: Once,
}

impl Lake {
    /// Opens the lake in the folder `path`, one folder a table; empty tables where there are none.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the folder cannot be made or read, [`StoreError::Damaged`] if
    /// what is in it are not the tables of rahdar.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(RealDisk), path)
    }

    /// Opens the lake of a folder of `disk`.
    fn open_on(disk: AnyDisk, path: &Path) -> Result<Self, StoreError> {
        disk.make_folder(path).map_err(DiskError::of("making", path)).map_err(failed(OPENING))?;
        let base = path.canonicalize().map_err(DiskError::of("finding", path)).map_err(failed(OPENING))?;
        if let Some(parent) = base.parent() {
            disk.sync_folder(parent).map_err(DiskError::of("syncing", parent)).map_err(failed(OPENING))?;
        }
        let store = DurableStore::new(base.clone(), disk);
        let folders = store.folders().clone();
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        let runtime = Threads::start()?;
        let open = Opening { runtime: &runtime, store, folders: &folders, base: &base };
        let flows = open.table::<FlowRecord>()?;
        let resolutions = open.table::<Resolution>()?;
        let handshakes = open.table::<Handshake>()?;
        let gaps = open.table::<Gap>()?;
        let stores = [&flows, &resolutions, &handshakes, &gaps]
            .map(|table| (table.layout().url.clone(), table.store()))
            .into();
        let engine = Engine::new(stores, threads()).map_err(failed(OPENING))?;
        Ok(Self {
            flows,
            resolutions,
            handshakes,
            gaps,
            base,
            folders,
            engine: Arc::new(engine),
            runtime: Arc::new(runtime),
            pinned: None,
            tidied: Once::new(),
        })
    }

    /// The lake as it is now, whatever is imported from now on: every answer comes from one version of
    /// each table. It takes no imports.
    ///
    /// The facts are at least as new as the flows, as they are after every import.
    ///
    /// # Errors
    /// As of [`FlowStore::version`].
    pub fn pinned(&self) -> Result<Self, StoreError> {
        let [flows, resolutions, handshakes, gaps] = self.tables();
        let snapshots = [
            self.snapshot(flows)?,
            self.snapshot(resolutions)?,
            self.snapshot(handshakes)?,
            self.snapshot(gaps)?,
        ];
        Ok(self.standing_at(snapshots))
    }

    /// The lake as it was when its flows were of this version; it takes no imports.
    ///
    /// The facts are those that stood beside them then.
    ///
    /// # Errors
    /// [`StoreError::Limit`] if that version needs files that were replaced and then removed, which is said; and as of
    /// [`FlowStore::version`].
    pub fn at(&self, version: u64) -> Result<Self, StoreError> {
        Ok(self.standing_at(versions::at(self, version)?))
    }

    /// Merges small files of each day, in every table, at the time `now`. No answer changes; imports and questions
    /// go on meanwhile, in this process and in others.
    ///
    /// # Errors
    /// As of [`FlowStore::import`]. What was merged before stays so.
    pub fn compact(&self, now: Timestamp, effort: Effort) -> Result<Vec<Merged>, StoreError> {
        compact::compact(self, now, effort)
    }

    /// Removes files that were merged into others before this time. Versions that need them cannot be asked
    /// any more, nor can a [`Lake::pinned`] that is older; choose [`REPLACED_KEPT_DAYS`] ago.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if a file cannot be removed; the rest is left to the next time.
    pub fn vacuum(&self, replaced_before: Timestamp) -> Result<Vec<Vacuumed>, StoreError> {
        vacuum::vacuum(self, replaced_before)
    }

    fn standing_at(&self, snapshots: [Arc<Snapshot>; 4]) -> Self {
        let [flows, resolutions, handshakes, gaps] = self.tables();
        Self {
            flows: flows.clone(),
            resolutions: resolutions.clone(),
            handshakes: handshakes.clone(),
            gaps: gaps.clone(),
            base: self.base.clone(),
            folders: self.folders.clone(),
            engine: self.engine.clone(),
            runtime: self.runtime.clone(),
            pinned: Some(snapshots),
            tidied: Once::new(),
        }
    }

    fn tables(&self) -> [&Arc<Table>; 4] {
        [&self.flows, &self.resolutions, &self.handshakes, &self.gaps]
    }

    /// Where a table is.
    fn folder(&self, table: &Table) -> PathBuf {
        self.base.join(table.layout().name)
    }

    /// The turn to commit.
    fn turn(&self) -> Held {
        self.wait(turn::to_commit(&self.folder(&self.flows).join(LOG)))
    }

    /// The version of a table that answers come from.
    fn snapshot(&self, table: &Table) -> Result<Arc<Snapshot>, StoreError> {
        let of_table = |snapshot: &&Arc<Snapshot>| std::ptr::eq(snapshot.layout, table.layout());
        match self.pinned.iter().flatten().find(of_table) {
            Some(snapshot) => Ok(snapshot.clone()),
            None => self.wait(table.newest()),
        }
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.wait(future)
    }

    /// Asks `sql` of the rows of `table` whose time is in `window`, and hands on the answer batch by batch.
    fn answer(
        &self,
        table: &Table,
        action: &'static str,
        window: Window,
        functions: impl IntoIterator<Item = ScalarUDF>,
        sql: &str,
        read: impl FnMut(Answer<'_>) -> Result<(), ArrowError>,
    ) -> Result<(), StoreError> {
        let snapshot = self.snapshot(table)?;
        self.answer_of(&snapshot, action, window, functions, sql, read)
    }

    /// As [`Lake::answer`], of the files of `snapshot`.
    fn answer_of(
        &self,
        snapshot: &Snapshot,
        action: &'static str,
        window: Window,
        functions: impl IntoIterator<Item = ScalarUDF>,
        sql: &str,
        mut read: impl FnMut(Answer<'_>) -> Result<(), ArrowError>,
    ) -> Result<(), StoreError> {
        self.wait(async {
            let failing = |cause| damage::of_data(action, cause, &[(snapshot, window)]);
            let asked = self.engine.run(snapshot, window, functions, sql);
            let mut batches = damage::survive(asked).await.map_err(failing)?;
            while let Some(batch) = damage::survive(batches.try_next()).await.map_err(failing)? {
                read(Answer(&batch)).map_err(failed(action))?;
            }
            Ok(())
        })
    }
}

impl FlowStore for Lake {
    fn import(&self) -> Result<Box<dyn Import + '_>, StoreError> {
        if self.pinned.is_some() {
            return Err(failed("importing")("this lake stands still at one version"));
        }
        Ok(Box::new(LakeImport::open(self)?))
    }

    fn version(&self) -> Result<u64, StoreError> {
        match &self.pinned {
            Some(_) => Ok(self.snapshot(&self.flows)?.version),
            None => self.wait(self.flows.version()),
        }
    }

    fn count(&self, window: Window) -> Result<u64, StoreError> {
        plan::count(self, window)
    }

    fn sightings(
        &self,
        networks: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Sighting),
    ) -> Result<(), StoreError> {
        plan::sightings(self, networks, window, visit)
    }

    fn contacts(&self, pair: (Prefix, Prefix), window: Window) -> Result<Vec<Contact>, StoreError> {
        plan::contacts(self, pair, window)
    }

    fn volumes(&self, key: Prefix, window: Window, bin_us: i64) -> Result<Vec<Volume>, StoreError> {
        plan::volumes(self, key, window, bin_us)
    }

    fn exchanges(
        &self,
        hosts: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Exchange),
    ) -> Result<(), StoreError> {
        plan::exchanges(self, hosts, window, visit)
    }

    fn coverage(&self, window: Window) -> Result<Vec<ExporterCoverage>, StoreError> {
        plan::coverage(self, window)
    }

    fn coverage_hours(&self, window: Window) -> Result<Vec<CoverageHour>, StoreError> {
        plan::coverage_hours(self, window)
    }

    fn services(&self, hosts: &[Address], window: Window) -> Result<Vec<Service>, StoreError> {
        plan::services(self, hosts, window)
    }

    fn fan_outs(
        &self,
        sources: &[Prefix],
        window: Window,
        least_destinations: u64,
        visit: &mut dyn FnMut(FanOut),
    ) -> Result<(), StoreError> {
        plan::fan_outs(self, sources, window, least_destinations, visit)
    }

    fn port_sweeps(
        &self,
        sources: &[Prefix],
        window: Window,
        least_ports: u64,
        visit: &mut dyn FnMut(PortSweep),
    ) -> Result<(), StoreError> {
        plan::port_sweeps(self, sources, window, least_ports, visit)
    }

    fn first_contacts(
        &self,
        sources: &[Prefix],
        window: Window,
        least_failures: u64,
        most_sources: usize,
        visit: &mut dyn FnMut(FirstContact),
    ) -> Result<u64, StoreError> {
        plan::first_contacts(self, sources, window, least_failures, most_sources, visit)
    }

    fn unasked_replies(
        &self,
        sources: &[Prefix],
        exporters: &[&str],
        window: Window,
        least_replies: u64,
        most_sources: usize,
        visit: &mut dyn FnMut(UnaskedReplies),
    ) -> Result<u64, StoreError> {
        plan::unasked_replies(self, sources, exporters, window, least_replies, most_sources, visit)
    }

    fn active_hosts(&self, networks: &[Prefix], window: Window) -> Result<u64, StoreError> {
        plan::active_hosts(self, networks, window)
    }

    fn resolutions(
        &self,
        names: &[&str],
        networks: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Resolution),
    ) -> Result<(), StoreError> {
        plan::resolutions(self, names, networks, window, visit)
    }

    fn handshakes(
        &self,
        asked: &HandshakesAsked<'_>,
        window: Window,
        visit: &mut dyn FnMut(Handshake),
    ) -> Result<(), StoreError> {
        plan::handshakes(self, asked, window, visit)
    }

    fn gaps(&self, window: Window) -> Result<Vec<Gap>, StoreError> {
        plan::gaps(self, window)
    }

    fn query(&self, sql: &str, limits: QueryLimits) -> Result<Answered, StoreError> {
        sql::query(self, sql, limits)
    }
}

/// What it takes to open a table.
struct Opening<'a> {
    runtime: &'a Threads,
    store: Arc<dyn ObjectStore>,
    folders: &'a Folders,
    base: &'a Path,
}

impl Opening<'_> {
    fn table<R: Kept>(&self) -> Result<Arc<Table>, StoreError> {
        let layout = R::layout();
        let folder = self.base.join(layout.name);
        let made = self.folders.disk().make_folder(&folder);
        made.map_err(DiskError::of("making", &folder)).map_err(failed(OPENING))?;
        self.folders.settle_parent(&folder).map_err(failed(OPENING))?;
        let location = folder.to_str().ok_or("its path is not UTF-8").map_err(failed(OPENING))?;
        let opened = Table::open(layout, Place(location.to_owned()), location, self.store.clone());
        Ok(Arc::new(self.runtime.wait(opened)?))
    }
}

/// The lake's own threads. They can be let go from anywhere, asynchronous code included, where a
/// bare runtime would panic.
struct Threads(Option<Runtime>);

impl Threads {
    fn start() -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads())
            .thread_name("lake")
            .enable_time()
            .build()
            .map_err(failed("starting threads"))?;
        Ok(Self(Some(runtime)))
    }

    fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("it is taken when dropped, never before")
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime().block_on(future)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
