//! Records as Arrow columns, and back.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use rahdar_model::column::{Column, Kind, Value};
use rahdar_model::time::Timestamp;

use crate::file::PAGE_ROWS;
use crate::ingest::TIMES;
use crate::schema::{Kept, file_columns};

/// Rows of a chunk: whole pages, small enough that the memory of one is used again for the next instead of
/// being fetched from the system (measured here: half of the time of collecting rows went into fresh memory).
const CHUNK_ROWS: usize = 4 * PAGE_ROWS;

/// How long a chunk may last on average before rows are put in the order of time: the hour, the finest
/// window that hunts and reports ask for.
const NEARLY_US: i64 = 3_600 * 1_000_000;

/// Does the same for every column of files of `R`, written out one by one: where the compiler knows the column,
/// reading a field is a load and not a call (measured here: a third of the time). The partition, at 0, is in no file.
macro_rules! for_each_file_column {
    ($R:ident, $do:ident) => {
        const { assert!($R::COLUMNS.len() <= 48) };
        for_each_file_column!($R, $do: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24
            25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47)
    };
    ($R:ident, $do:ident: $($at:literal)*) => {
        $(if $at < $R::COLUMNS.len() { $do!($at, &$R::COLUMNS[$at]) })*
    };
}

/// Rows on their way into a file, in chunks: the cells of one per column of files.
pub(crate) struct Rows<R: Kept> {
    full: Vec<RecordBatch>,
    columns: Vec<Building>,
    /// Rows in `columns`.
    begun: usize,
    record: PhantomData<R>,
}

impl<R: Kept> Rows<R> {
    /// No rows. Nothing is allocated until the first comes.
    pub(crate) fn new() -> Self {
        Self { full: Vec::new(), columns: Vec::new(), begun: 0, record: PhantomData }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.full.len() * CHUNK_ROWS + self.begun
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, record: &R) -> Result<(), ArrowError> {
        if self.begun == 0 {
            self.columns = file_columns::<R>().map(|column| Building::of(column.kind)).collect();
        }
        let columns = &mut self.columns[..];
        macro_rules! push {
            ($at:literal, $column:expr) => {
                columns[$at - 1].push($column.kind, $column.stored(record))?
            };
        }
        for_each_file_column!(R, push);
        self.begun += 1;
        if self.begun == CHUNK_ROWS { self.end_chunk() } else { Ok(()) }
    }

    fn end_chunk(&mut self) -> Result<(), ArrowError> {
        let columns = self.columns.drain(..).map(Building::finish).collect::<Result<_, _>>()?;
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
            self.end_chunk()?;
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

/// A column of a record with a time that the tables cannot hold, and that time.
pub(crate) fn beyond_calendar<R: Kept>(record: &R) -> Option<(&'static Column<R>, Timestamp)> {
    macro_rules! check {
        ($at:literal, $column:expr) => {
            if $column.kind == Kind::Timestamp
                && let Value::Int(us) = $column.stored(record)
                && !TIMES.contains(&us)
            {
                return Some(($column, Timestamp::from_micros(us)));
            }
        };
    }
    for_each_file_column!(R, check);
    None
}

/// The cells of a column, as far as they have come.
enum Building {
    Timestamp(Numbers<TimestampMicrosecondType>),
    Int16(Numbers<Int16Type>),
    Int32(Numbers<Int32Type>),
    Int64(Numbers<Int64Type>),
    Text(Texts),
}

impl Building {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Timestamp => Self::Timestamp(Numbers::new()),
            Kind::Int16 => Self::Int16(Numbers::new()),
            Kind::Date | Kind::Int32 => Self::Int32(Numbers::new()),
            Kind::Int64 => Self::Int64(Numbers::new()),
            Kind::Text => Self::Text(Texts::new()),
        }
    }

    /// Adds a cell of the kind that these cells are [of](Self::of). Numbers are within its range ([`Column::stored`]),
    /// so the casts keep them. Where the caller knows the kind when it is compiled, one branch is left.
    #[inline(always)]
    fn push(&mut self, kind: Kind, value: Value<'_>) -> Result<(), ArrowError> {
        let number = match value {
            Value::Int(n) => Some(n),
            Value::Null | Value::Text(_) => None,
        };
        match (kind, self) {
            (Kind::Timestamp, Self::Timestamp(cells)) => cells.push(number),
            (Kind::Int16, Self::Int16(cells)) => cells.push(number.map(|n| n as i16)),
            (Kind::Date | Kind::Int32, Self::Int32(cells)) => cells.push(number.map(|n| n as i32)),
            (Kind::Int64, Self::Int64(cells)) => cells.push(number),
            (Kind::Text, Self::Text(cells)) => match value {
                Value::Text(text) => return cells.push(Some(text)),
                Value::Null | Value::Int(_) => return cells.push(None),
            },
            _ => unreachable!("cells are of the kind of their column"),
        }
        Ok(())
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Timestamp(cells) => Arc::new(cells.finish().with_timezone("UTC")),
            Self::Int16(cells) => Arc::new(cells.finish()),
            Self::Int32(cells) => Arc::new(cells.finish()),
            Self::Int64(cells) => Arc::new(cells.finish()),
            Self::Text(cells) => Arc::new(cells.finish()?),
        })
    }
}

/// Numbers, some of them null. Most columns of a protocol that does not have them are null from end to end, so
/// nulls before the first number are only counted.
struct Numbers<T: ArrowPrimitiveType> {
    leading_nulls: usize,
    values: Vec<T::Native>,
    /// Which values are no nulls; empty as long as none is null.
    known: Vec<bool>,
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    fn new() -> Self {
        Self { leading_nulls: 0, values: Vec::new(), known: Vec::new() }
    }

    #[inline(always)]
    fn push(&mut self, value: Option<T::Native>) {
        match value {
            Some(value) => {
                if self.values.is_empty() {
                    self.begin();
                }
                if !self.known.is_empty() {
                    self.known.push(true);
                }
                self.values.push(value);
            }
            None if self.values.is_empty() => self.leading_nulls += 1,
            None => {
                self.values.push(T::Native::default());
                push_null(&mut self.known, self.values.len());
            }
        }
    }

    #[cold]
    fn begin(&mut self) {
        self.values.reserve_exact(CHUNK_ROWS);
        self.values.resize(self.leading_nulls, T::Native::default());
        self.known.resize(self.leading_nulls, false);
    }

    fn finish(self) -> PrimitiveArray<T> {
        if self.values.is_empty() {
            return PrimitiveArray::new_null(self.leading_nulls);
        }
        PrimitiveArray::new(self.values.into(), nulls(self.known))
    }
}

/// Texts, some of them null, as [`Numbers`] are.
struct Texts {
    leading_nulls: usize,
    octets: Vec<u8>,
    /// Where the texts end in `octets`.
    ends: Vec<i32>,
    known: Vec<bool>,
}

impl Texts {
    fn new() -> Self {
        Self { leading_nulls: 0, octets: Vec::new(), ends: Vec::new(), known: Vec::new() }
    }

    #[inline(always)]
    fn push(&mut self, value: Option<&str>) -> Result<(), ArrowError> {
        match value {
            Some(text) => {
                if self.ends.is_empty() {
                    self.begin();
                }
                if !self.known.is_empty() {
                    self.known.push(true);
                }
                self.octets.extend_from_slice(text.as_bytes());
                self.ends.push(i32::try_from(self.octets.len()).map_err(|_| too_much_text())?);
            }
            None if self.ends.is_empty() => self.leading_nulls += 1,
            None => {
                self.ends.push(self.ends.last().copied().unwrap_or_default());
                push_null(&mut self.known, self.ends.len());
            }
        }
        Ok(())
    }

    #[cold]
    fn begin(&mut self) {
        self.ends.reserve_exact(CHUNK_ROWS);
        self.ends.resize(self.leading_nulls, 0);
        self.known.resize(self.leading_nulls, false);
    }

    fn finish(self) -> Result<StringArray, ArrowError> {
        if self.ends.is_empty() {
            return Ok(StringArray::new_null(self.leading_nulls));
        }
        let offsets = OffsetBuffer::new(std::iter::once(0).chain(self.ends).collect());
        StringArray::try_new(offsets, self.octets.into(), nulls(self.known))
    }
}

/// The last of so many values is null.
fn push_null(known: &mut Vec<bool>, values: usize) {
    known.resize(values - 1, true);
    known.push(false);
}

fn nulls(known: Vec<bool>) -> Option<NullBuffer> {
    (!known.is_empty()).then(|| NullBuffer::from(known))
}

#[cold]
fn too_much_text() -> ArrowError {
    ArrowError::InvalidArgumentError(format!("more than 2 GiB of text in {CHUNK_ROWS} rows"))
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
