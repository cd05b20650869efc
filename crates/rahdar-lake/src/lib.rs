//! The lake: flows in a Delta table, and the answers that a hunt asks of them.
//!
//! The only room that knows Arrow, Parquet, Delta and DataFusion; it hides them behind
//! [`FlowStore`]. In reading order:
//!
//! * `schema`, `batch`: the column table as Arrow columns, and flow records in and out of them.
//! * `file`, `durable`: one Parquet file; the disk, synced before anything is acknowledged.
//! * `table`: the log on disk, what a commit is, what is left when one is killed.
//! * `ingest`: an import, buffered by day and committed once.
//! * `networks`, `scan`, `session`: sets of networks, the table as a scan, the engine.
//! * `plan`: the questions, one a file.
//! * `sql`: the view `flows` for analysts, read-only and bounded.
//!
//! The lake never reads the clock, decodes nothing and judges nothing. It knows the model and no
//! other room.

mod batch;
#[cfg(test)]
mod crash;
mod durable;
mod error;
mod file;
mod ingest;
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
use rahdar_model::finding::ExporterCoverage;
use rahdar_model::store::{
    Contact, FanOut, FlowStore, Import, QueryLimits, Service, Sighting, StoreError, Table as Answered, Volume,
};
use rahdar_model::{Address, Prefix, Window};
use tokio::runtime::Runtime;

use crate::durable::{DurableStore, sync_folder};
use crate::error::{Place, failed};
use crate::ingest::LakeImport;
use crate::plan::Answer;
use crate::session::Engine;
use crate::table::{Snapshot, Table};

/// Threads of the engine, and parts that a plan is split into.
const THREADS: usize = 2;

/// A flow table on a local disk, and the engine that reads it.
///
/// Calls block on a runtime of the lake's own; do not call from asynchronous code. Every call
/// looks at the log first, so it sees what other processes have committed.
pub struct Lake {
    table: Arc<Table>,
    engine: Engine,
    runtime: Threads,
}

impl Lake {
    /// Opens the lake in the folder `path`; an empty one if there is none.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the folder cannot be made or read, [`StoreError::Damaged`] if
    /// what is in it is no flow table.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let opening = "opening the flow table";
        fs::create_dir_all(path).map_err(failed(opening))?;
        let base = path.canonicalize().map_err(failed(opening))?;
        base.parent().map_or(Ok(()), sync_folder).map_err(failed(opening))?;
        let store = Arc::new(DurableStore::new(base.clone()));
        Self::open_on(store, &base)
    }

    /// Opens the lake of a folder that exists, through `store`.
    fn open_on(store: Arc<dyn ObjectStore>, base: &Path) -> Result<Self, StoreError> {
        let opening = "opening the flow table";
        let location = base.to_str().ok_or("its path is not UTF-8").map_err(failed(opening))?;
        let runtime = Threads::start()?;
        let table = runtime.wait(Table::open(Place(location.to_owned()), location, store))?;
        let engine = Engine::new(table.store(), THREADS).map_err(failed(opening))?;
        Ok(Self { table: Arc::new(table), engine, runtime })
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.wait(future)
    }

    /// Asks `sql` of the flows that start in `window`, and hands on the answer batch by batch.
    fn answer(
        &self,
        action: &'static str,
        window: Window,
        functions: impl IntoIterator<Item = ScalarUDF>,
        sql: &str,
        read: impl FnMut(Answer<'_>) -> Result<(), ArrowError>,
    ) -> Result<(), StoreError> {
        let snapshot = self.wait(self.table.newest())?;
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
            let failing = |cause| self.table.place().data(action, cause);
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
        Ok(self.wait(self.table.newest())?.version)
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

    fn services(&self, hosts: &[Address], window: Window) -> Result<Vec<Service>, StoreError> {
        plan::services(self, hosts, window)
    }

    fn fan_outs(
        &self,
        sources: &[Address],
        window: Window,
        least_destinations: u64,
    ) -> Result<Vec<FanOut>, StoreError> {
        plan::fan_outs(self, sources, window, least_destinations)
    }

    fn active_hosts(&self, networks: &[Prefix], window: Window) -> Result<u64, StoreError> {
        plan::active_hosts(self, networks, window)
    }

    fn query(&self, sql: &str, limits: QueryLimits) -> Result<Answered, StoreError> {
        sql::query(self, sql, limits)
    }
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
