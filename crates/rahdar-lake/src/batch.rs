//! Records as Arrow columns, and back.

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, Int16Builder, Int32Builder, Int64Builder, RecordBatch,
    StringArray, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::buffer::ScalarBuffer;
use arrow::compute::{sort_to_indices, take_record_batch};
use arrow::datatypes::{Date32Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use rahdar_model::column::{Column, Kind, Value};

use crate::schema::{Kept, file_columns};

/// Rows on their way into a file: one builder per column of the table.
pub(crate) struct Rows<R: Kept> {
    columns: Vec<(&'static Column<R>, Builder)>,
    len: usize,
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
        Self { columns: file_columns().map(|column| (column, Builder::of(column.kind))).collect(), len: 0 }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, record: &R) {
        for (column, builder) in &mut self.columns {
            builder.push(column.stored(record));
        }
        self.len += 1;
    }

    /// The rows in the order of time; as they came where times are equal.
    pub(crate) fn into_batch(mut self) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns.iter_mut().map(|(_, builder)| builder.finish()).collect();
        let schema = &R::layout().file_schema;
        let batch = RecordBatch::try_new(schema.clone(), columns)?;
        let time = batch.column(schema.index_of(R::TIME)?);
        if time.as_primitive::<TimestampMicrosecondType>().values().is_sorted() {
            return Ok(batch);
        }
        take_record_batch(&batch, &sort_to_indices(time, None, None)?)
    }
}

impl Builder {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Timestamp => {
                Self::Timestamp(TimestampMicrosecondBuilder::with_capacity(0).with_timezone("UTC"))
            }
            Kind::Int16 => Self::Int16(Int16Builder::with_capacity(0)),
            Kind::Date | Kind::Int32 => Self::Int32(Int32Builder::with_capacity(0)),
            Kind::Int64 => Self::Int64(Int64Builder::with_capacity(0)),
            Kind::Text => Self::Text(StringBuilder::with_capacity(0, 0)),
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

    fn batch(flows: &[FlowRecord]) -> RecordBatch {
        let mut rows = Rows::new();
        for flow in flows {
            rows.push(flow);
        }
        rows.into_batch().unwrap()
    }

    #[test]
    fn rows_are_in_the_order_of_time() {
        let late = flow("192.0.2.1 > 192.0.2.2").at("2021-08-15T12:00:01Z").build();
        let early = flow("192.0.2.1 > 192.0.2.2").at("2021-08-15T12:00:00Z").build();
        let batch = batch(&[late.clone(), early.clone()]);
        let records = Records::<FlowRecord>::of(&batch).unwrap();
        assert_eq!([records.record(0), records.record(1)], [early, late]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_record_survives_the_way_through_arrow(flow in strategy::flow()) {
            let batch = batch(std::slice::from_ref(&flow));
            prop_assert_eq!(Records::<FlowRecord>::of(&batch).unwrap().record(0), stored(&flow));
        }
    }
}
