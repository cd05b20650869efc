//! The flow table as the engine scans it.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use rahdar_model::time::Window;

use crate::schema::table_schema;
use crate::table::{Part, Snapshot};

/// Where sessions find the folder of the table.
pub(crate) static TABLE_URL: LazyLock<ObjectStoreUrl> = LazyLock::new(|| {
    ObjectStoreUrl::parse("lake://flows").expect("it is a scheme and a host, as the parser wants")
});

/// The files of one version that may hold flows of a window.
#[derive(Debug)]
pub(crate) struct FlowScan {
    files: Vec<Part>,
    schema: TableSchema,
}

impl FlowScan {
    /// Leaves out files whose flows all start outside `window`; the others hold any.
    pub(crate) fn of(snapshot: &Snapshot, window: Window) -> Self {
        let files = snapshot.files.iter().filter(|file| file.window.overlaps(window)).cloned().collect();
        Self { files, schema: table_schema() }
    }

    fn partitioned(&self, part: &Part) -> PartitionedFile {
        let rows = part.rows.and_then(|rows| usize::try_from(rows).ok());
        let mut statistics = Statistics::new_unknown(self.schema.file_schema());
        statistics.num_rows = rows.map_or(Precision::Absent, Precision::Exact);
        PartitionedFile::new(part.path.to_string(), part.size)
            .with_partition_values(vec![ScalarValue::Date32(Some(part.day.0))])
            .with_statistics(Arc::new(statistics))
    }
}

#[async_trait]
impl TableProvider for FlowScan {
    fn schema(&self) -> SchemaRef {
        self.schema.table_schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Every filter is worth a look at a file's statistics; none is answered by them alone.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            let schema = project_schema(self.schema.table_schema(), projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let options = state.table_options().parquet.clone();
        let source = ParquetSource::new(self.schema.clone()).with_table_parquet_options(options);
        let files: Vec<_> = self.files.iter().map(|part| self.partitioned(part)).collect();
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(TABLE_URL.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
