//! One data file: its Parquet encoding and what the log says about it.

use std::collections::HashMap;

use deltalake::kernel::Add;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::compute_leaves;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;
use rahdar_model::column::Kind;
use rahdar_model::time::{Day, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::batch::Cells;
use crate::rows::{Built, Columns};
use crate::same;
use crate::schema::{Layout, PARTITION, Shape};

/// Rows of a page: what a sighting costs is whole pages (`performance.md` §2: 2.4 times less
/// than with 20,000, for 5 % more octets).
pub(crate) const PAGE_ROWS: usize = 2_000;

/// Columns that the log has statistics of, by Delta's default.
const INDEXED_COLUMNS: usize = 32;

/// Texts longer than this have no bounds in the log, which every reader holds in memory.
pub(crate) const BOUND_OCTETS: usize = 64;

/// How files of these columns are written.
pub(crate) fn properties(columns: &[Shape]) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        // Level 1: 15 % less time than level 3 for 0.5 % more octets (`performance.md` §2).
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_data_page_row_count_limit(PAGE_ROWS)
        // Pages end between batches only.
        .set_write_batch_size(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(Some(BOUND_OCTETS));
    for column in columns {
        let path = ColumnPath::from(column.name);
        if let Some(encoding) = without_dictionary(column) {
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), encoding);
        }
        if is_count(column) {
            // Packed is small: zstd finds 2 % more in it, and takes half of the time.
            properties = properties.set_column_compression(path.clone(), Compression::UNCOMPRESSED);
        }
        if is_identifier(column) || ["service", "state"].contains(&column.name) {
            // Identifiers are random and words few: the bounds of a page keep no query out.
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
    }
    properties.build()
}

/// How the values of a column are encoded where a dictionary does not pay; none where it does: addresses,
/// interfaces, words. Figures in `docs/decisions/0010-dictionaries-where-they-pay.md`.
fn without_dictionary(column: &Shape) -> Option<Encoding> {
    match column.kind {
        // They go up a little from row to row and seldom come again.
        Kind::Timestamp => Some(Encoding::DELTA_BINARY_PACKED),
        Kind::Int64 if is_count(column) => Some(Encoding::DELTA_BINARY_PACKED),
        // Small already.
        Kind::Int16 | Kind::Int32 | Kind::Date => Some(Encoding::PLAIN),
        // No two are the same.
        Kind::Text if is_identifier(column) => Some(Encoding::DELTA_LENGTH_BYTE_ARRAY),
        Kind::Int64 | Kind::Text => None,
    }
}

fn is_count(column: &Shape) -> bool {
    let counts = ["packets", "octets", "source_row"];
    column.kind == Kind::Int64 && counts.iter().any(|count| column.name.ends_with(count))
}

fn is_identifier(column: &Shape) -> bool {
    ["uid", "community_id"].contains(&column.name)
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
    /// Encodes the rows of one day, as one row group.
    pub(crate) fn encode(layout: &Layout, day: Day, rows: Columns) -> Result<Self, ParquetError> {
        let count = u32::try_from(rows.rows).map_err(|error| ParquetError::External(error.into()))?;
        let mut content = Vec::new();
        let properties = Some(layout.properties.clone());
        let writer = ArrowWriter::try_new(&mut content, layout.file_schema.clone(), properties)?;
        let (mut writer, encoders) = writer.into_serialized_writer()?;
        let encoders = encoders.create_column_writers(0)?;
        let descriptions = writer.schema_descr().columns().to_vec();
        let mut group = writer.next_row_group()?;
        let columns = layout.file_columns().zip(rows.columns).zip(encoders);
        for (at, ((column, cells), mut encoder)) in columns.enumerate() {
            match cells {
                Built::Same(cell) => {
                    let cell = Cells::of(column.kind, &cell).ok_or_else(|| unlike(column))?;
                    same::append(&mut group, descriptions[at].clone(), cell.value(0), count)?;
                }
                Built::Each(chunks) => {
                    for chunk in chunks {
                        for leaf in compute_leaves(layout.file_schema.field(at), &chunk)? {
                            encoder.write(&leaf)?;
                        }
                    }
                    encoder.close()?.append_to_row_group(&mut group)?;
                }
            }
        }
        group.close()?;
        let written = writer.close()?;
        Ok(Self {
            path: format!("{PARTITION}={day}/part-{}.parquet", Uuid::new_v4()),
            content,
            day,
            statistics: statistics(layout, &written).to_string(),
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

fn unlike(column: &Shape) -> ParquetError {
    ParquetError::General(format!("column `{}` was collected as another type", column.name))
}

/// Rows, bounds and nulls as Delta's log has them ("Per-file Statistics" of its protocol), from those of
/// the file. A text longer than the file's own bounds has none.
fn statistics(layout: &Layout, written: &ParquetMetaData) -> Value {
    let (mut least, mut most, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (at, column) in layout.file_columns().enumerate().take(INDEXED_COLUMNS - 1) {
        let groups = || written.row_groups().iter().map(move |group| group.column(at).statistics());
        if let Some(count) = groups().map(|found| found?.null_count_opt()).sum::<Option<u64>>() {
            nulls.insert(column.name.to_owned(), json!(count));
        }
        if let Some((low, high)) = bounds(column, groups().flatten()) {
            least.insert(column.name.to_owned(), low);
            most.insert(column.name.to_owned(), high);
        }
    }
    let rows = written.file_metadata().num_rows();
    json!({ "numRecords": rows, "minValues": least, "maxValues": most, "nullCount": nulls })
}

/// The least and the greatest value of a column; none where all are null or one is not exact.
fn bounds<'a>(column: &Shape, groups: impl Iterator<Item = &'a Statistics>) -> Option<(Value, Value)> {
    let mut numbers: Option<(i64, i64)> = None;
    let mut texts: Option<(&str, &str)> = None;
    for group in groups {
        match group {
            Statistics::Int32(found) => {
                let found = found.min_opt().zip(found.max_opt());
                numbers = widened(numbers, found.map(|(low, high)| (i64::from(*low), i64::from(*high))));
            }
            Statistics::Int64(found) => {
                numbers = widened(numbers, found.min_opt().copied().zip(found.max_opt().copied()));
            }
            Statistics::ByteArray(found) => {
                let exact = found.min_is_exact() && found.max_is_exact();
                let found = found.min_opt().zip(found.max_opt());
                let Some((low, high)) = found else { continue };
                texts = widened(texts, Some((low.as_utf8().ok()?, high.as_utf8().ok()?))).filter(|_| exact);
                texts?;
            }
            _ => return None,
        }
    }
    match column.kind {
        Kind::Text => texts.map(|(low, high)| (json!(low), json!(high))),
        Kind::Timestamp => {
            let text = |us| json!(Timestamp::from_micros(us).to_string());
            numbers.map(|(low, high)| (text(low), text(high)))
        }
        Kind::Int16 | Kind::Int32 | Kind::Int64 | Kind::Date => {
            numbers.map(|(low, high)| (json!(low), json!(high)))
        }
    }
}

/// Bounds that hold both.
fn widened<T: Ord>(known: Option<(T, T)>, more: Option<(T, T)>) -> Option<(T, T)> {
    match (known, more) {
        (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
        (known, more) => known.or(more),
    }
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::FileReader;
    use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
    use rahdar_model::FlowRecord;
    use rahdar_testkit::flow;

    use super::*;
    use crate::rows::Rows;
    use crate::schema::Kept;

    fn file(flows: impl IntoIterator<Item = rahdar_testkit::builder::FlowBuilder>) -> DataFile {
        let mut rows = Rows::new();
        for flow in flows {
            rows.push(&flow.build()).unwrap();
        }
        DataFile::encode(FlowRecord::layout(), Day(18_854), rows.into_columns().unwrap()).unwrap()
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
    fn pages_hold_two_thousand_rows_unless_all_are_the_same() {
        let file = file((0..5_000).map(|n| flow(&format!("192.0.2.{} > 192.0.2.255", n % 100))));
        let options = ReadOptionsBuilder::new().with_page_index().build();
        let reader =
            SerializedFileReader::new_with_options(bytes::Bytes::from(file.content), options).unwrap();
        let pages = |name: &str| {
            let at = FlowRecord::layout().file_schema.index_of(name).unwrap();
            let pages = &reader.metadata().offset_index().unwrap()[0][at].page_locations;
            pages.iter().map(|page| page.first_row_index).collect::<Vec<i64>>()
        };
        assert_eq!(pages("src_lo"), [0, 2_000, 4_000]);
        assert_eq!(pages("dst_lo"), [0]);
    }
}
