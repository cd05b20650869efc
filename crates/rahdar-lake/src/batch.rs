//! Records as Arrow columns, and back.

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, Int16Builder, Int32Builder, Int64Builder, RecordBatch,
    StringArray, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::buffer::ScalarBuffer;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Date32Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use rahdar_model::column::{Column, Kind, Value};

use crate::file::PAGE_ROWS;
use crate::schema::{Kept, file_columns};

/// Rows of a chunk: whole pages, small enough that the memory of one is used again for the next instead of
/// being fetched from the system (measured here: half of the time of collecting rows went into fresh memory).
const CHUNK_ROWS: usize = 4 * PAGE_ROWS;

/// How long a chunk may last on average before rows are put in the order of time: the hour, the finest
/// window that hunts and reports ask for.
const NEARLY_US: i64 = 3_600 * 1_000_000;

/// Rows on their way into a file, in chunks: one builder per column of the table.
pub(crate) struct Rows<R: Kept> {
    full: Vec<RecordBatch>,
    columns: Vec<(&'static Column<R>, Builder)>,
    /// Rows in `columns`.
    begun: usize,
}

enum Builder {
    Timestamp(TimestampMicrosecondBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Text(StringBuilder),
}

impl<R: Kept> Rows<R> {
    /// No rows. Nothing is allocated until the first comes.
    pub(crate) fn new() -> Self {
        Self { full: Vec::new(), columns: builders(0), begun: 0 }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.full.len() * CHUNK_ROWS + self.begun
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, record: &R) -> Result<(), ArrowError> {
        for (column, builder) in &mut self.columns {
            builder.push(column.stored(record));
        }
        self.begun += 1;
        if self.begun == CHUNK_ROWS { self.end_chunk(builders(CHUNK_ROWS)) } else { Ok(()) }
    }

    fn end_chunk(&mut self, next: Vec<(&'static Column<R>, Builder)>) -> Result<(), ArrowError> {
        let ended = std::mem::replace(&mut self.columns, next);
        let columns = ended.into_iter().map(|(_, mut builder)| builder.finish()).collect();
        self.full.push(RecordBatch::try_new(R::layout().file_schema.clone(), columns)?);
        self.begun = 0;
        Ok(())
    }

    /// The rows, in chunks: as they came if that is nearly the order of time, else in the order of time.
    ///
    /// Exporters and loggers write as conversations end, so a page spans minutes and its bounds keep most
    /// queries out. Both directions of a conversation lie together, which is worth more than perfect order:
    /// 16.0 octets a row instead of 22.6, and no work (`docs/decisions/0008-rows-as-they-came.md`).
    pub(crate) fn into_batches(mut self) -> Result<Vec<RecordBatch>, ArrowError> {
        if self.begun > 0 {
            self.end_chunk(Vec::new())?;
        }
        let time = R::layout().file_schema.index_of(R::TIME)?;
        let times: Vec<&[i64]> = self
            .full
            .iter()
            .map(|batch| &**batch.column(time).as_primitive::<TimestampMicrosecondType>().values())
            .collect();
        let spans = times.iter().map(|times| span(times)).sum::<i64>();
        if spans <= NEARLY_US.saturating_mul(times.len() as i64) {
            return Ok(self.full);
        }
        let mut order: Vec<(usize, usize)> =
            (0..times.len()).flat_map(|chunk| (0..times[chunk].len()).map(move |row| (chunk, row))).collect();
        order.sort_by_key(|(chunk, row)| times[*chunk][*row]);
        let chunks: Vec<_> = self.full.iter().collect();
        order.chunks(CHUNK_ROWS).map(|rows| interleave_record_batch(&chunks, rows)).collect()
    }
}

/// From the first to the last of some times.
fn span(times: &[i64]) -> i64 {
    let (first, last) = (times.iter().min(), times.iter().max());
    first.zip(last).map_or(0, |(first, last)| last.saturating_sub(*first))
}

/// One builder per column, with room for so many rows.
fn builders<R: Kept>(rows: usize) -> Vec<(&'static Column<R>, Builder)> {
    file_columns().map(|column| (column, Builder::of(column.kind, rows))).collect()
}

impl Builder {
    fn of(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Timestamp => {
                Self::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"))
            }
            Kind::Int16 => Self::Int16(Int16Builder::with_capacity(rows)),
            Kind::Date | Kind::Int32 => Self::Int32(Int32Builder::with_capacity(rows)),
            Kind::Int64 => Self::Int64(Int64Builder::with_capacity(rows)),
            Kind::Text => Self::Text(StringBuilder::with_capacity(rows, 0)),
        }
    }

    /// Numbers are within the range of their kind ([`Column::stored`]), so the casts keep them.
    fn push(&mut self, value: Value<'_>) {
        let number = match value {
            Value::Int(n) => Some(n),
            Value::Null | Value::Text(_) => None,
        };
        match self {
            Self::Timestamp(builder) => builder.append_option(number),
            Self::Int16(builder) => builder.append_option(number.map(|n| n as i16)),
            Self::Int32(builder) => builder.append_option(number.map(|n| n as i32)),
            Self::Int64(builder) => builder.append_option(number),
            Self::Text(builder) => match value {
                Value::Text(text) => builder.append_value(text),
                Value::Null | Value::Int(_) => builder.append_null(),
            },
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Timestamp(builder) => ArrayBuilder::finish(builder),
            Self::Int16(builder) => ArrayBuilder::finish(builder),
            Self::Int32(builder) => ArrayBuilder::finish(builder),
            Self::Int64(builder) => ArrayBuilder::finish(builder),
            Self::Text(builder) => ArrayBuilder::finish(builder),
        }
    }
}

/// Reads the records of a batch that has all columns of files, in any order.
pub(crate) struct Records<'a, R: Kept> {
    columns: Vec<(&'static Column<R>, Cells<'a>)>,
    blank: R,
}

enum Cells<'a> {
    Timestamp(&'a dyn Array, &'a ScalarBuffer<i64>),
    Int16(&'a dyn Array, &'a ScalarBuffer<i16>),
    Int32(&'a dyn Array, &'a ScalarBuffer<i32>),
    Int64(&'a dyn Array, &'a ScalarBuffer<i64>),
    Text(&'a StringArray),
}

impl<'a, R: Kept> Records<'a, R> {
    /// # Errors
    /// If a column is missing or of another type.
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let column = |column: &'static Column<R>| {
            let array = batch
                .column_by_name(column.name)
                .ok_or_else(|| ArrowError::SchemaError(format!("column `{}` is missing", column.name)))?;
            let cells = Cells::of(column.kind, array).ok_or_else(|| {
                ArrowError::SchemaError(format!("column `{}` is {}", column.name, array.data_type()))
            })?;
            Ok((column, cells))
        };
        Ok(Self {
            columns: file_columns().map(column).collect::<Result<_, ArrowError>>()?,
            blank: R::blank(),
        })
    }

    /// The record of one row.
    pub(crate) fn record(&self, row: usize) -> R {
        let mut record = self.blank.clone();
        for (column, cells) in &self.columns {
            match cells.value(row) {
                Value::Null => {}
                value => (column.set)(&mut record, value),
            }
        }
        record
    }
}

impl<'a> Cells<'a> {
    fn of(kind: Kind, array: &'a ArrayRef) -> Option<Self> {
        Some(match kind {
            Kind::Timestamp => {
                Self::Timestamp(array, array.as_primitive_opt::<TimestampMicrosecondType>()?.values())
            }
            Kind::Int16 => Self::Int16(array, array.as_primitive_opt::<Int16Type>()?.values()),
            Kind::Int32 => Self::Int32(array, array.as_primitive_opt::<Int32Type>()?.values()),
            Kind::Date => Self::Int32(array, array.as_primitive_opt::<Date32Type>()?.values()),
            Kind::Int64 => Self::Int64(array, array.as_primitive_opt::<Int64Type>()?.values()),
            Kind::Text => Self::Text(array.as_string_opt()?),
        })
    }

    fn value(&self, row: usize) -> Value<'_> {
        let (array, number): (&dyn Array, i64) = match self {
            Self::Timestamp(array, values) | Self::Int64(array, values) => (*array, values[row]),
            Self::Int32(array, values) => (*array, i64::from(values[row])),
            Self::Int16(array, values) => (*array, i64::from(values[row])),
            Self::Text(array) if array.is_null(row) => return Value::Null,
            Self::Text(array) => return Value::Text(array.value(row)),
        };
        if array.is_null(row) { Value::Null } else { Value::Int(number) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rahdar_model::FlowRecord;
    use rahdar_testkit::naive::stored;
    use rahdar_testkit::{flow, strategy};

    use super::*;

    fn batches(flows: &[FlowRecord]) -> Vec<RecordBatch> {
        let mut rows = Rows::new();
        for flow in flows {
            rows.push(flow).unwrap();
        }
        rows.into_batches().unwrap()
    }

    fn read_back(batches: &[RecordBatch]) -> Vec<FlowRecord> {
        let mut read = Vec::new();
        for batch in batches {
            let records = Records::of(batch).unwrap();
            read.extend((0..batch.num_rows()).map(|row| records.record(row)));
        }
        read
    }

    fn at(time: &str) -> FlowRecord {
        flow("192.0.2.1 > 192.0.2.2").at(time).build()
    }

    #[test]
    fn rows_stay_as_they_came_within_the_hour() {
        let flows = [at("2021-08-15T12:40:00Z"), at("2021-08-15T12:00:00Z"), at("2021-08-15T12:40:00Z")];
        assert_eq!(read_back(&batches(&flows)), flows);
    }

    #[test]
    fn rows_that_jump_about_the_day_are_put_in_order_across_chunks() {
        let flows: Vec<FlowRecord> = (0..CHUNK_ROWS + 1)
            .map(|n| at(if n % 2 == 0 { "2021-08-15T23:00:00Z" } else { "2021-08-15T01:00:00Z" }))
            .collect();
        let read = read_back(&batches(&flows));
        assert_eq!(read.len(), flows.len());
        assert!(read.is_sorted_by_key(|flow| flow.start_time));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_record_survives_the_way_through_arrow(flow in strategy::flow()) {
            let batches = batches(std::slice::from_ref(&flow));
            prop_assert_eq!(read_back(&batches), [stored(&flow)]);
        }
    }
}
