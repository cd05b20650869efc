//! A table as the engine scans it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use rahdar_model::time::Window;

use crate::schema::Layout;
use crate::table::{Part, Snapshot};

/// The files of one version that may hold rows of a window.
pub(crate) struct Scan {
    files: Vec<Arc<Part>>,
    layout: &'static Layout,
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scan of {} files of {}", self.files.len(), self.layout.name)
    }
}

impl Scan {
    /// Leaves out files whose rows are all outside `window`; the others hold any.
    pub(crate) fn of(snapshot: &Snapshot, window: Window) -> Self {
        let files = snapshot.files.iter().filter(|file| file.window.overlaps(window)).cloned().collect();
        Self { files, layout: snapshot.layout }
    }

    fn partitioned(&self, part: &Part) -> PartitionedFile {
        let rows = part.rows.and_then(|rows| usize::try_from(rows).ok());
        let mut statistics = Statistics::new_unknown(&self.layout.file_schema);
        statistics.num_rows = rows.map_or(Precision::Absent, Precision::Exact);
        PartitionedFile::new(part.path.to_string(), part.size)
            .with_partition_values(vec![ScalarValue::Date32(Some(part.day.0))])
            .with_statistics(Arc::new(statistics))
    }
}

#[async_trait]
impl TableProvider for Scan {
    fn schema(&self) -> SchemaRef {
        self.layout.table_schema.table_schema().clone()
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
            let schema = project_schema(self.layout.table_schema.table_schema(), projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let options = state.table_options().parquet.clone();
        let source = ParquetSource::new(self.layout.table_schema.clone()).with_table_parquet_options(options);
        let files: Vec<_> = self.files.iter().map(|part| self.partitioned(part)).collect();
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(self.layout.url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
