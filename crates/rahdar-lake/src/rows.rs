//! Records into the columns of a file.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, StringArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{interleave, take};
use arrow::datatypes::{ArrowPrimitiveType, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use rahdar_model::column::{Column, Kind, Value};
use rahdar_model::time::{CALENDAR, Timestamp};

use crate::file::PAGE_ROWS;
use crate::schema::{Kept, file_columns};

/// Rows of a chunk: whole pages, small enough that the memory of one is used again for the next instead of
/// being fetched from the system (measured here: half of the time of collecting rows went into fresh memory).
const CHUNK_ROWS: usize = 4 * PAGE_ROWS;

/// A row that begins so long before one that came earlier is late: the hour, the finest window that hunts and
/// reports ask for.
const LATE_US: i64 = 3_600 * 1_000_000;

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

/// Rows on their way into a file.
///
/// They stay as they came. Exporters and loggers write as conversations end, so a page spans minutes and its
/// bounds keep most queries out. Both directions of a conversation lie together, which is worth more than perfect
/// order: 16.0 octets a row instead of 22.6, and no work (`docs/decisions/0008-rows-as-they-came.md`).
/// Rows that come late go before the others, in the order of time.
pub(crate) struct Rows<R: Kept> {
    in_turn: Lot<R>,
    late: Lot<R>,
    /// The latest time of a row.
    latest: Timestamp,
}

/// Rows that are ready to be written, by column.
pub(crate) struct Columns {
    pub(crate) rows: usize,
    /// Those of files, in order.
    pub(crate) columns: Vec<Built>,
}

/// All cells of a column.
pub(crate) enum Built {
    /// They are equal: one of them.
    Same(ArrayRef),
    /// They are not; in chunks.
    Each(Vec<ArrayRef>),
}

impl<R: Kept> Rows<R> {
    /// No rows. Nothing is allocated until the first comes.
    pub(crate) fn new() -> Self {
        Self { in_turn: Lot::new(), late: Lot::new(), latest: Timestamp::from_micros(i64::MIN) }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.in_turn.len() + self.late.len()
    }

    /// Adds a row.
    #[inline]
    pub(crate) fn push(&mut self, record: &R) -> Result<(), ArrowError> {
        let time = record.time();
        self.latest = self.latest.max(time);
        let is_late = time < self.latest.plus_micros(-LATE_US);
        if is_late { self.late.push(record) } else { self.in_turn.push(record) }
    }

    /// The rows by column.
    pub(crate) fn into_columns(self) -> Result<Columns, ArrowError> {
        let rows = self.len();
        let (late, in_turn) = (self.late.finish()?, self.in_turn.finish()?);
        let order = order::<R>(&late)?;
        let column = |at: usize| {
            if let Some(cell) = same(late.iter().chain(&in_turn).map(|chunk| &chunk.columns[at])) {
                return Ok(Built::Same(cell.clone()));
            }
            let mut chunks = ordered(&late, at, &order)?;
            for chunk in &in_turn {
                chunks.push(chunk.column(at)?);
            }
            Ok(Built::Each(chunks))
        };
        let columns = (0..R::layout().file_schema.fields().len()).map(column);
        Ok(Columns { rows, columns: columns.collect::<Result<_, ArrowError>>()? })
    }
}

/// The one cell of columns that have but one, and all the same.
fn same<'a>(mut columns: impl Iterator<Item = &'a ArrayRef>) -> Option<&'a ArrayRef> {
    let first = columns.next().filter(|first| first.len() == 1)?;
    columns.all(|column| column == first).then_some(first)
}

/// The rows of chunks in the order of time: of each its chunk, and its place in it.
fn order<R: Kept>(chunks: &[Chunk]) -> Result<Vec<(usize, usize)>, ArrowError> {
    let at = R::layout().file_schema.index_of(R::TIME)?;
    let times = chunks.iter().map(|chunk| chunk.column(at)).collect::<Result<Vec<_>, _>>()?;
    let times: Vec<&[i64]> =
        times.iter().map(|times| &**times.as_primitive::<TimestampMicrosecondType>().values()).collect();
    let rows = |chunk: usize| (0..times[chunk].len()).map(move |row| (chunk, row));
    let mut order: Vec<(usize, usize)> = (0..times.len()).flat_map(rows).collect();
    order.sort_by_key(|(chunk, row)| times[*chunk][*row]);
    Ok(order)
}

/// A column of chunks, its rows in this order.
fn ordered(chunks: &[Chunk], at: usize, order: &[(usize, usize)]) -> Result<Vec<ArrayRef>, ArrowError> {
    let columns = chunks.iter().map(|chunk| chunk.column(at)).collect::<Result<Vec<_>, _>>()?;
    let columns: Vec<&dyn Array> = columns.iter().map(|column| &**column).collect();
    order.chunks(CHUNK_ROWS).map(|rows| interleave(&columns, rows)).collect()
}

/// Rows in the order in which they came, in chunks.
struct Lot<R: Kept> {
    full: Vec<Chunk>,
    columns: Vec<Building>,
    /// Rows in `columns`.
    begun: usize,
    record: PhantomData<R>,
}

struct Chunk {
    rows: usize,
    /// A column whose cells are all the same has one cell.
    columns: Vec<ArrayRef>,
}

impl Chunk {
    /// A column with all its cells.
    fn column(&self, at: usize) -> Result<ArrayRef, ArrowError> {
        let column = &self.columns[at];
        if column.len() == self.rows {
            return Ok(column.clone());
        }
        take(column, &UInt32Array::from_value(0, self.rows), None)
    }
}

impl<R: Kept> Lot<R> {
    fn new() -> Self {
        Self { full: Vec::new(), columns: Vec::new(), begun: 0, record: PhantomData }
    }

    fn len(&self) -> usize {
        self.full.len() * CHUNK_ROWS + self.begun
    }

    fn push(&mut self, record: &R) -> Result<(), ArrowError> {
        if self.begun == 0 {
            let first = |column: &Column<R>| Building::new(column.kind, column.stored(record));
            self.columns = file_columns::<R>().map(first).collect();
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
        self.full.push(Chunk { rows: self.begun, columns });
        self.begun = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Chunk>, ArrowError> {
        if self.begun > 0 {
            self.end_chunk()?;
        }
        Ok(self.full)
    }
}

/// A column of a record with a time that the tables cannot hold, and that time.
pub(crate) fn beyond_calendar<R: Kept>(record: &R) -> Option<(&'static Column<R>, Timestamp)> {
    macro_rules! check {
        ($at:literal, $column:expr) => {
            if $column.kind == Kind::Timestamp
                && let Value::Int(us) = $column.stored(record)
                && !CALENDAR.contains(Timestamp::from_micros(us))
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
    /// No cells; the first will be of this value.
    fn new(kind: Kind, first: Value<'_>) -> Self {
        let number = number(first);
        match kind {
            Kind::Timestamp => Self::Timestamp(Numbers::new(number)),
            Kind::Int16 => Self::Int16(Numbers::new(number.map(|n| n as i16))),
            Kind::Date | Kind::Int32 => Self::Int32(Numbers::new(number.map(|n| n as i32))),
            Kind::Int64 => Self::Int64(Numbers::new(number)),
            Kind::Text => Self::Text(Texts::new(text(first))),
        }
    }

    /// Adds a cell of the kind of the first. Numbers are within its range ([`Column::stored`]), so the casts keep
    /// them. Where the caller knows the kind when it is compiled, one branch is left.
    #[inline(always)]
    fn push(&mut self, kind: Kind, value: Value<'_>) -> Result<(), ArrowError> {
        let number = number(value);
        match (kind, self) {
            (Kind::Timestamp, Self::Timestamp(cells)) => cells.push(number),
            (Kind::Int16, Self::Int16(cells)) => cells.push(number.map(|n| n as i16)),
            (Kind::Date | Kind::Int32, Self::Int32(cells)) => cells.push(number.map(|n| n as i32)),
            (Kind::Int64, Self::Int64(cells)) => cells.push(number),
            (Kind::Text, Self::Text(cells)) => return cells.push(text(value)),
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

#[inline(always)]
fn number(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number),
        Value::Null | Value::Text(_) => None,
    }
}

#[inline(always)]
fn text(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Null | Value::Int(_) => None,
    }
}

/// Numbers, some of them null. Half of all columns are the same from end to end: what the protocol does not have,
/// what the exporter is. So cells are only counted until one differs from the first.
struct Numbers<T: ArrowPrimitiveType> {
    first: Option<T::Native>,
    same: usize,
    /// Empty as long as all are the same.
    values: Vec<T::Native>,
    /// Which values are no nulls; empty as long as none is null.
    known: Vec<bool>,
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    fn new(first: Option<T::Native>) -> Self {
        Self { first, same: 0, values: Vec::new(), known: Vec::new() }
    }

    #[inline(always)]
    fn push(&mut self, value: Option<T::Native>) {
        if self.values.is_empty() {
            if value == self.first {
                self.same += 1;
                return;
            }
            self.differ();
        }
        self.values.push(value.unwrap_or_default());
        push_known(&mut self.known, value.is_some(), self.values.len());
    }

    #[cold]
    fn differ(&mut self) {
        self.values.reserve_exact(CHUNK_ROWS);
        self.values.resize(self.same, self.first.unwrap_or_default());
        if self.first.is_none() {
            self.known.resize(self.same, false);
        }
    }

    /// One cell if all are the same.
    fn finish(self) -> PrimitiveArray<T> {
        if self.values.is_empty() {
            return PrimitiveArray::from_iter([self.first]);
        }
        PrimitiveArray::new(self.values.into(), nulls(self.known))
    }
}

/// Texts, some of them null, as [`Numbers`] are.
struct Texts {
    first: Option<String>,
    same: usize,
    octets: Vec<u8>,
    /// Where the texts end in `octets`.
    ends: Vec<i32>,
    known: Vec<bool>,
}

impl Texts {
    fn new(first: Option<&str>) -> Self {
        let first = first.map(str::to_owned);
        Self { first, same: 0, octets: Vec::new(), ends: Vec::new(), known: Vec::new() }
    }

    #[inline(always)]
    fn push(&mut self, value: Option<&str>) -> Result<(), ArrowError> {
        if self.ends.is_empty() {
            if value == self.first.as_deref() {
                self.same += 1;
                return Ok(());
            }
            self.differ()?;
        }
        self.octets.extend_from_slice(value.unwrap_or_default().as_bytes());
        self.ends.push(end(&self.octets)?);
        push_known(&mut self.known, value.is_some(), self.ends.len());
        Ok(())
    }

    #[cold]
    fn differ(&mut self) -> Result<(), ArrowError> {
        self.ends.reserve_exact(CHUNK_ROWS);
        let first = self.first.as_deref().unwrap_or_default();
        for _ in 0..self.same {
            self.octets.extend_from_slice(first.as_bytes());
            self.ends.push(end(&self.octets)?);
        }
        if self.first.is_none() {
            self.known.resize(self.same, false);
        }
        Ok(())
    }

    /// One cell if all are the same.
    fn finish(self) -> Result<StringArray, ArrowError> {
        if self.ends.is_empty() {
            return Ok(StringArray::from_iter([self.first]));
        }
        let offsets = OffsetBuffer::new(std::iter::once(0).chain(self.ends).collect());
        StringArray::try_new(offsets, self.octets.into(), nulls(self.known))
    }
}

/// Notes whether the last of so many values is known.
#[inline(always)]
fn push_known(known: &mut Vec<bool>, is_known: bool, values: usize) {
    if !known.is_empty() {
        known.push(is_known);
    } else if !is_known {
        known.resize(values - 1, true);
        known.push(false);
    }
}

fn nulls(known: Vec<bool>) -> Option<NullBuffer> {
    (!known.is_empty()).then(|| NullBuffer::from(known))
}

fn end(octets: &[u8]) -> Result<i32, ArrowError> {
    i32::try_from(octets.len()).map_err(|_| {
        ArrowError::InvalidArgumentError(format!("more than 2 GiB of text in {CHUNK_ROWS} rows"))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use arrow::array::RecordBatch;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rahdar_model::FlowRecord;
    use rahdar_model::time::Day;
    use rahdar_testkit::naive::stored;
    use rahdar_testkit::{flow, strategy};

    use super::*;
    use crate::batch::Records;
    use crate::file::DataFile;

    /// The flows as a file holds them.
    pub(crate) fn batches(flows: &[FlowRecord]) -> Vec<RecordBatch> {
        let mut rows = Rows::new();
        for flow in flows {
            rows.push(flow).unwrap();
        }
        let columns = rows.into_columns().unwrap();
        let file = DataFile::encode(FlowRecord::layout(), Day(18_854), columns).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file.content)).unwrap();
        reader.build().unwrap().map(Result::unwrap).collect()
    }

    fn read_back(flows: &[FlowRecord]) -> Vec<FlowRecord> {
        let mut read = Vec::new();
        for batch in batches(flows) {
            let records = Records::of(&batch).unwrap();
            read.extend((0..batch.num_rows()).map(|row| records.record(row)));
        }
        read
    }

    fn at(time: &str) -> FlowRecord {
        flow("192.0.2.1 > 192.0.2.2").at(&format!("2021-08-15T{time}:00Z")).build()
    }

    #[test]
    fn rows_stay_as_they_came_within_the_hour() {
        let flows = [at("12:40"), at("12:00"), at("12:40")];
        assert_eq!(read_back(&flows), flows);
    }

    #[test]
    fn rows_that_come_late_go_before_the_others_in_the_order_of_time() {
        let flows = [at("12:00"), at("14:00"), at("12:30"), at("13:00"), at("11:00")];
        assert_eq!(read_back(&flows), [at("11:00"), at("12:30"), at("12:00"), at("14:00"), at("13:00")]);
    }

    #[test]
    fn rows_that_jump_about_the_day_are_put_in_order_across_chunks() {
        let flows: Vec<FlowRecord> =
            (0..CHUNK_ROWS + 1).map(|n| at(if n % 2 == 0 { "23:00" } else { "01:00" })).collect();
        let read = read_back(&flows);
        assert_eq!(read.len(), flows.len());
        assert!(read.is_sorted_by_key(|flow| flow.start_time));
    }

    #[test]
    fn a_column_may_differ_in_the_last_row_alone() {
        let mut flows = vec![at("12:00"); 2 * CHUNK_ROWS + 1];
        flows[2 * CHUNK_ROWS] =
            flow("[2001:db8::9]:9 > 192.0.2.7:80").at("2021-08-15T12:01:00Z").answered(2, 80).build();
        assert_eq!(read_back(&flows), flows);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_record_survives_the_way_through_the_file(flow in strategy::flow()) {
            prop_assert_eq!(read_back(std::slice::from_ref(&flow)), [stored(&flow)]);
        }

        #[test]
        fn so_do_many(mut flows in vec(strategy::flow(), 2..6)) {
            let start_time = flows[0].start_time;
            flows.iter_mut().for_each(|flow| flow.start_time = start_time);
            let expected: Vec<FlowRecord> = flows.iter().map(stored).collect();
            prop_assert_eq!(read_back(&flows), expected);
        }
    }
}
