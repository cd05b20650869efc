//! The engine: DataFusion over one version of a table.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider,
};
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::{Expr, SessionConfig, SessionContext, col, lit};
use datafusion::scalar::ScalarValue;
use object_store::ObjectStore;
use rahdar_model::time::Window;

use crate::scan::Scan;
use crate::table::Snapshot;

/// Memory of one plan of ours before it writes to the disk. Chosen here: a laptop has it.
const PLAN_MEMORY: usize = 1 << 30;

/// What all sessions share: the functions and the settings, which take long to make.
pub(crate) struct Engine {
    state: SessionState,
    stores: Vec<(ObjectStoreUrl, Arc<dyn ObjectStore>)>,
}

impl Engine {
    /// An engine that finds the data files of each table in its store.
    pub(crate) fn new(stores: Vec<(ObjectStoreUrl, Arc<dyn ObjectStore>)>, threads: usize) -> Result<Self> {
        let mut config = SessionConfig::new().with_target_partitions(threads).with_information_schema(false);
        let options = config.options_mut();
        // Columns that the filter does not need are decoded for the rows that pass.
        options.execution.parquet.pushdown_filters = true;
        options.execution.parquet.reorder_filters = true;
        options.execution.time_zone = Some("UTC".to_owned());
        let mut state = SessionStateBuilder::new().with_config(config).with_default_features().build();
        // Nothing but the views can be named, so no file can.
        state.table_factories_mut().clear();
        Ok(Self { state, stores })
    }

    /// A session that may spill to the disk, for plans of ours.
    pub(crate) fn session(&self) -> Result<SessionContext> {
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(PLAN_MEMORY)));
        self.session_with(runtime)
    }

    /// A session of at most `memory` octets, and no disk, for queries of others.
    pub(crate) fn bounded_session(&self, memory: usize) -> Result<SessionContext> {
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
            .with_disk_manager_builder(disk);
        self.session_with(runtime)
    }

    fn session_with(&self, runtime: RuntimeEnvBuilder) -> Result<SessionContext> {
        let runtime: Arc<RuntimeEnv> = runtime.build_arc()?;
        for (url, store) in &self.stores {
            runtime.register_object_store(url.as_ref(), store.clone());
        }
        let state = SessionStateBuilder::new_from_existing(self.state.clone())
            .with_catalog_list(catalogs()?)
            .with_runtime_env(runtime)
            .build();
        Ok(SessionContext::new_with_state(state))
    }

    /// Runs `sql` over the rows of `snapshot` whose time is in `window`, as they are stored. They go
    /// by the name of one of them: `flow`, `resolution`, `handshake`, `gap`.
    pub(crate) async fn run(
        &self,
        snapshot: &Snapshot,
        window: Window,
        functions: impl IntoIterator<Item = ScalarUDF>,
        sql: &str,
    ) -> Result<SendableRecordBatchStream> {
        let session = self.session()?;
        for function in functions.into_iter().chain([floor()]) {
            session.register_udf(function);
        }
        let rows = session.read_table(Arc::new(Scan::of(snapshot, window)))?;
        let rows = rows.filter(is_in(window, snapshot.layout.time))?;
        session.register_table(snapshot.layout.row, rows.into_view())?;
        session.sql(sql).await?.execute_stream().await
    }
}

/// One empty schema where a session's views go. DataFusion makes none for a state that is used again.
fn catalogs() -> Result<Arc<dyn CatalogProviderList>> {
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema("public", Arc::new(MemorySchemaProvider::new()))?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog("datafusion".to_owned(), Arc::new(catalog));
    Ok(Arc::new(catalogs))
}

fn is_in(window: Window, column: &str) -> Expr {
    let time = |us| lit(ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into())));
    match window {
        Window::ALL => lit(true),
        _ => col(column).gt_eq(time(window.from.micros())).and(col(column).lt(time(window.until.micros()))),
    }
}

/// `floor_us(time, unit)`: the start of the unit of that many microseconds, counted from the
/// epoch, that holds the time; in microseconds.
fn floor() -> ScalarUDF {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let run = |arguments: &[ColumnarValue]| {
        let columns: Vec<ArrayRef> = ColumnarValue::values_to_arrays(arguments)?;
        let times = columns[0].as_primitive::<TimestampMicrosecondType>();
        let units = columns[1].as_primitive::<Int64Type>();
        let floors = times.iter().zip(units).map(|(time, unit)| {
            let unit = unit?.max(1);
            Some(time?.div_euclid(unit).saturating_mul(unit))
        });
        Ok(ColumnarValue::Array(Arc::new(floors.collect::<Int64Array>())))
    };
    create_udf("floor_us", vec![time, DataType::Int64], DataType::Int64, Volatility::Immutable, Arc::new(run))
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use futures::TryStreamExt;
    use rahdar_testkit::{flow, prefix, window};

    use crate::crash::lake_of;
    use crate::networks::{NetworkSet, inside};

    #[test]
    fn the_scan_itself_asks_for_networks_and_times() {
        let (_folder, lake) = lake_of(&[flow("192.0.2.1 > 192.0.2.2").build()]);
        let functions = [inside("sighted", NetworkSet::of(&[prefix("192.0.2.1")]).into())];
        let sql = "EXPLAIN SELECT * FROM flow WHERE sighted(src_hi, src_lo, dst_hi, dst_lo)";
        let plan = lake.wait(async {
            let snapshot = lake.flows.newest().await.unwrap();
            let window = window("2021-08-15", "2021-08-16");
            let plan = lake.engine.run(&snapshot, window, functions, sql).await.unwrap();
            plan.try_collect::<Vec<_>>().await.unwrap()
        });
        let plan = pretty_format_batches(&plan).unwrap().to_string();
        assert!(!plan.contains("FilterExec"), "{plan}");
        assert!(plan.contains("sighted(src_hi") && plan.contains("start_time@"), "{plan}");
    }
}
