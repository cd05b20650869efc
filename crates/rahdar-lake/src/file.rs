//! One data file: its Parquet encoding and what the log says about it.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{max, max_string, min, min_string};
use arrow::datatypes::{Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use deltalake::kernel::Add;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use rahdar_model::column::Kind;
use rahdar_model::time::{Day, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::schema::{Layout, PARTITION, Shape};

/// Rows of a page: what a sighting costs is whole pages (`performance.md` §2: 2.4 times less
/// than with 20,000, for 5 % more octets).
const PAGE_ROWS: usize = 2_000;

/// Columns that the log has statistics of, by Delta's default.
const INDEXED_COLUMNS: usize = 32;

/// Texts longer than this have no bounds in the log, which every reader holds in memory.
const BOUND_OCTETS: usize = 64;

/// How files of these columns are written.
pub(crate) fn properties(columns: &[Shape]) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        // Level 1: 15 % less time than level 3 for 0.5 % more octets (`performance.md` §2).
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_data_page_row_count_limit(PAGE_ROWS)
        // Pages end between batches only.
        .set_write_batch_size(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page);
    for column in columns.iter().filter(|column| climbs(column)) {
        let path = ColumnPath::from(column.name);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

/// Whether values mostly go up a little from row to row and seldom come again: they are stored as
/// differences, and a dictionary of them would be as long as the column.
fn climbs(column: &Shape) -> bool {
    column.kind == Kind::Timestamp || column.name == "source_row"
}

/// A file that is ready to be written.
pub(crate) struct DataFile {
    /// Below the table's folder.
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
    day: Day,
    statistics: String,
}

impl DataFile {
    /// Encodes the rows of one day.
    pub(crate) fn encode(layout: &Layout, day: Day, batch: &RecordBatch) -> Result<Self, ParquetError> {
        let properties = Some(layout.properties.clone());
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), properties)?;
        writer.write(batch)?;
        Ok(Self {
            path: format!("{PARTITION}={day}/part-{}.parquet", Uuid::new_v4()),
            content: writer.into_inner()?,
            day,
            statistics: statistics(layout, batch).to_string(),
        })
    }

    /// The log's entry for the file, once it is written.
    pub(crate) fn into_add(self, size: u64, modified_ms: i64) -> Add {
        Add {
            path: self.path,
            partition_values: HashMap::from([(PARTITION.to_owned(), Some(self.day.to_string()))]),
            size: i64::try_from(size).unwrap_or(i64::MAX),
            modification_time: modified_ms,
            data_change: true,
            stats: Some(self.statistics),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        }
    }
}

/// Rows, bounds and nulls as Delta's log has them ("Per-file Statistics" of its protocol).
fn statistics(layout: &Layout, batch: &RecordBatch) -> Value {
    let (mut least, mut most, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (column, array) in layout.file_columns().zip(batch.columns()).take(INDEXED_COLUMNS - 1) {
        nulls.insert(column.name.to_owned(), json!(array.null_count()));
        if let Some((low, high)) = bounds(column, array) {
            least.insert(column.name.to_owned(), low);
            most.insert(column.name.to_owned(), high);
        }
    }
    json!({ "numRecords": batch.num_rows(), "minValues": least, "maxValues": most, "nullCount": nulls })
}

fn bounds(column: &Shape, array: &ArrayRef) -> Option<(Value, Value)> {
    Some(match column.kind {
        Kind::Int16 => {
            let array = array.as_primitive::<Int16Type>();
            (json!(min(array)?), json!(max(array)?))
        }
        Kind::Int32 | Kind::Date => {
            let array = array.as_primitive::<Int32Type>();
            (json!(min(array)?), json!(max(array)?))
        }
        Kind::Int64 => {
            let array = array.as_primitive::<Int64Type>();
            (json!(min(array)?), json!(max(array)?))
        }
        Kind::Timestamp => {
            let array = array.as_primitive::<TimestampMicrosecondType>();
            let text = |us| json!(Timestamp::from_micros(us).to_string());
            (text(min(array)?), text(max(array)?))
        }
        Kind::Text => {
            let array = array.as_string::<i32>();
            let (low, high) = (min_string(array)?, max_string(array)?);
            if low.len().max(high.len()) > BOUND_OCTETS {
                return None;
            }
            (json!(low), json!(high))
        }
    })
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::FileReader;
    use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
    use rahdar_model::FlowRecord;
    use rahdar_testkit::flow;

    use super::*;
    use crate::batch::Rows;
    use crate::schema::Kept;

    fn file(flows: impl IntoIterator<Item = rahdar_testkit::builder::FlowBuilder>) -> DataFile {
        let mut rows = Rows::new();
        for flow in flows {
            rows.push(&flow.build());
        }
        DataFile::encode(FlowRecord::layout(), Day(18_854), &rows.into_batch().unwrap()).unwrap()
    }

    #[test]
    fn the_log_bounds_what_the_file_holds() {
        let file = file([
            flow("192.0.2.1:5 > 192.0.2.2:443").at("2021-08-15T12:00:00.000001Z").exporter("r1"),
            flow("192.0.2.3:6 > 192.0.2.2:443").at("2021-08-15T12:30:00Z").exporter("r2").rate_unknown(),
        ]);
        let statistics: Value = serde_json::from_str(&file.statistics).unwrap();
        assert_eq!(statistics["numRecords"], 2);
        assert_eq!(statistics["minValues"]["start_time"], "2021-08-15T12:00:00.000001Z");
        assert_eq!(statistics["maxValues"]["start_time"], "2021-08-15T12:30:00Z");
        assert_eq!(statistics["maxValues"]["src_port"], 6);
        assert_eq!(statistics["minValues"]["exporter"], "r1");
        assert_eq!(statistics["nullCount"]["sampling_interval"], 1);
        assert_eq!(statistics["minValues"]["rev_octets"], Value::Null);
        assert!(file.path.starts_with("day=2021-08-15/part-"), "{}", file.path);
    }

    #[test]
    fn a_long_text_has_no_bounds() {
        let file = file([flow("192.0.2.1 > 192.0.2.2").exporter(&"x".repeat(65))]);
        let statistics: Value = serde_json::from_str(&file.statistics).unwrap();
        assert_eq!(statistics["minValues"]["exporter"], Value::Null);
        assert_eq!(statistics["nullCount"]["exporter"], 0);
    }

    #[test]
    fn pages_hold_two_thousand_rows() {
        let file = file((0..5_000).map(|_| flow("192.0.2.1 > 192.0.2.2")));
        let options = ReadOptionsBuilder::new().with_page_index().build();
        let reader =
            SerializedFileReader::new_with_options(bytes::Bytes::from(file.content), options).unwrap();
        let offsets = reader.metadata().offset_index().unwrap();
        let first_rows: Vec<i64> =
            offsets[0][0].page_locations().iter().map(|page| page.first_row_index).collect();
        assert_eq!(first_rows, [0, 2_000, 4_000]);
    }
}
