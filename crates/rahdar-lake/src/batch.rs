//! Batches of stored rows, back into records.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{Date32Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use rahdar_model::column::{Column, Kind, Value};

use crate::schema::{Kept, file_columns};

/// Reads the records of a batch that has all columns of files, in any order.
pub(crate) struct Records<'a, R: Kept> {
    columns: Vec<(&'static Column<R>, Cells<'a>)>,
    blank: R,
}

/// The cells of a column.
pub(crate) enum Cells<'a> {
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
    /// None if the array is not of this kind.
    pub(crate) fn of(kind: Kind, array: &'a ArrayRef) -> Option<Self> {
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

    pub(crate) fn value(&self, row: usize) -> Value<'_> {
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
