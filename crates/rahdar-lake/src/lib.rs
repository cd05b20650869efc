//! The lake: flows, and what was said beside them, in Delta tables; and the answers that a hunt
//! asks of them.
//!
//! The only room that knows Arrow, Parquet, Delta and DataFusion; it hides them behind
//! [`FlowStore`]. In reading order:
//!
//! * `schema`, `batch`: the column tables as Arrow columns, and records in and out of them.
//! * `file`, `durable`: one Parquet file; the disk, synced before anything is acknowledged.
//! * `table`: one table on disk: its log, what a commit is, what is left when one is killed.
//! * `ingest`: an import, buffered by day and committed once.
//! * [`foreign`]: flows in Parquet files of other programs.
//! * `networks`, `names`, `scan`, `session`: sets of networks and of names, a table as a scan, the
//!   engine.
//! * `plan`: the questions, one a file.
//! * `sql`: the views for analysts, read-only and bounded.
//!
//! The lake never reads the clock, decodes nothing and judges nothing. It knows the model and no
//! other room.

mod batch;
#[cfg(test)]
mod crash;
mod durable;
mod error;
mod file;
pub mod foreign;
mod ingest;
mod names;
mod networks;
mod plan;
mod scan;
mod schema;
mod session;
mod sql;
mod table;

use std::fs;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::logical_expr::ScalarUDF;
use futures::TryStreamExt;
use object_store::ObjectStore;
use rahdar_model::coverage::{CoverageHour, ExporterCoverage};
use rahdar_model::fact::{Gap, Handshake, Resolution};
use rahdar_model::store::{
    Contact, FanOut, FirstContact, FlowStore, Import, PortSweep, QueryLimits, Service, Sighting, StoreError,
    Table as Answered, UnaskedReplies, Volume,
};
use rahdar_model::{Address, FlowRecord, Prefix, Window};
use tokio::runtime::Runtime;

use crate::durable::{DurableStore, sync_folder};
use crate::error::{Place, failed};
use crate::ingest::LakeImport;
use crate::plan::Answer;
use crate::schema::Kept;
use crate::session::Engine;
use crate::table::{Snapshot, Table};

/// Threads of the engine, and parts that a plan is split into.
const THREADS: usize = 2;

const OPENING: &str = "opening the lake";

/// The tables in a folder of a local disk, and the engine that reads them.
///
/// Calls block on a runtime of the lake's own; do not call from asynchronous code. Every call
/// looks at the log first, so it sees what other processes have committed.
pub struct Lake {
    flows: Arc<Table>,
    resolutions: Arc<Table>,
    handshakes: Arc<Table>,
    gaps: Arc<Table>,
    engine: Engine,
    runtime: Threads,
}

impl Lake {
    /// Opens the lake in the folder `path`, one folder a table; empty tables where there are none.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the folder cannot be made or read, [`StoreError::Damaged`] if
    /// what is in it are not the tables of rahdar.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(path).map_err(failed(OPENING))?;
        let base = path.canonicalize().map_err(failed(OPENING))?;
        base.parent().map_or(Ok(()), sync_folder).map_err(failed(OPENING))?;
        let store = Arc::new(DurableStore::new(base.clone()));
        Self::open_on(store, &base)
    }

    /// Opens the lake of a folder that exists, through `store`.
    fn open_on(store: Arc<dyn ObjectStore>, base: &Path) -> Result<Self, StoreError> {
        let runtime = Threads::start()?;
        let flows = open_table::<FlowRecord>(&runtime, &store, base)?;
        let resolutions = open_table::<Resolution>(&runtime, &store, base)?;
        let handshakes = open_table::<Handshake>(&runtime, &store, base)?;
        let gaps = open_table::<Gap>(&runtime, &store, base)?;
        let stores = [&flows, &resolutions, &handshakes, &gaps]
            .map(|table| (table.layout().url.clone(), table.store()))
            .into();
        let engine = Engine::new(stores, THREADS).map_err(failed(OPENING))?;
        Ok(Self { flows, resolutions, handshakes, gaps, engine, runtime })
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
        let snapshot = self.wait(table.newest())?;
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
            let failing = |cause| snapshot.place.data(action, cause);
            let mut batches = self.engine.run(snapshot, window, functions, sql).await.map_err(failing)?;
            while let Some(batch) = batches.try_next().await.map_err(failing)? {
                read(Answer(&batch)).map_err(failed(action))?;
            }
            Ok(())
        })
    }
}

impl FlowStore for Lake {
    fn import(&self) -> Result<Box<dyn Import + '_>, StoreError> {
        Ok(Box::new(LakeImport::open(self)?))
    }

    fn version(&self) -> Result<u64, StoreError> {
        Ok(self.wait(self.flows.newest())?.version)
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
        names: &[&str],
        networks: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Handshake),
    ) -> Result<(), StoreError> {
        plan::handshakes(self, names, networks, window, visit)
    }

    fn gaps(&self, window: Window) -> Result<Vec<Gap>, StoreError> {
        plan::gaps(self, window)
    }

    fn query(&self, sql: &str, limits: QueryLimits) -> Result<Answered, StoreError> {
        sql::query(self, sql, limits)
    }
}

fn open_table<R: Kept>(
    runtime: &Threads,
    store: &Arc<dyn ObjectStore>,
    base: &Path,
) -> Result<Arc<Table>, StoreError> {
    let layout = R::layout();
    let folder = base.join(layout.name);
    fs::create_dir_all(&folder).map_err(failed(OPENING))?;
    sync_folder(base).map_err(failed(OPENING))?;
    let location = folder.to_str().ok_or("its path is not UTF-8").map_err(failed(OPENING))?;
    let table = runtime.wait(Table::open(layout, Place(location.to_owned()), location, store.clone()))?;
    Ok(Arc::new(table))
}

/// The lake's own threads. They can be let go from anywhere, asynchronous code included, where a
/// bare runtime would panic.
struct Threads(Option<Runtime>);

impl Threads {
    fn start() -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
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
