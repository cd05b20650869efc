//! The questions of [`FlowStore`](rahdar_model::FlowStore), one a file, as SQL over `flow`: the
//! flows that started in the window, as they are stored; or over `resolution`, `handshake`, `gap`.

mod active_hosts;
mod contacts;
mod count;
mod coverage;
mod coverage_hours;
mod exchanges;
mod fan_outs;
mod first_contacts;
mod gaps;
mod handshakes;
mod port_sweeps;
mod resolutions;
mod services;
mod sightings;
mod sources;
mod unasked_replies;
mod volumes;

pub(crate) use active_hosts::active_hosts;
pub(crate) use contacts::contacts;
pub(crate) use count::count;
pub(crate) use coverage::coverage;
pub(crate) use coverage_hours::coverage_hours;
pub(crate) use exchanges::exchanges;
pub(crate) use fan_outs::fan_outs;
pub(crate) use first_contacts::first_contacts;
pub(crate) use gaps::gaps;
pub(crate) use handshakes::handshakes;
pub(crate) use port_sweeps::port_sweeps;
pub(crate) use resolutions::resolutions;
pub(crate) use services::services;
pub(crate) use sightings::sightings;
pub(crate) use unasked_replies::unasked_replies;
pub(crate) use volumes::volumes;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use arrow::error::ArrowError;
use rahdar_model::time::Timestamp;
use rahdar_model::{Address, Quality};

use crate::batch::Records;
use crate::schema::Kept;

/// The SQL condition that keeps records whose counters mean something.
fn usable() -> String {
    format!("quality & {} = 0", Quality::UNUSABLE.bits())
}

/// A batch of an answer, its columns read by name.
///
/// A column that is missing or of another type is a defect of the plan, and an error.
pub(crate) struct Answer<'a>(pub(crate) &'a RecordBatch);

impl Answer<'_> {
    fn rows(&self) -> usize {
        self.0.num_rows()
    }

    /// Visits the records of an answer that has all columns of its table.
    fn each<R: Kept>(&self, mut visit: impl FnMut(R)) -> Result<(), ArrowError> {
        let records = Records::of(self.0)?;
        (0..self.rows()).for_each(|row| visit(records.record(row)));
        Ok(())
    }

    fn column(&self, name: &str) -> Result<&ArrayRef, ArrowError> {
        self.0
            .column_by_name(name)
            .ok_or_else(|| ArrowError::SchemaError(format!("the answer has no column `{name}`")))
    }

    /// Integers of any width, and times in microseconds.
    fn integers(&self, name: &str) -> Result<Integers, ArrowError> {
        let array = cast(self.column(name)?, &DataType::Int64)?;
        Ok(Integers(array.as_primitive::<Int64Type>().clone()))
    }

    /// Sums of counters, which may be beyond 64 bits.
    fn sums(&self, name: &str) -> Result<Sums, ArrowError> {
        let array = cast(self.column(name)?, &DataType::Decimal128(38, 0))?;
        Ok(Sums(array.as_primitive::<Decimal128Type>().clone()))
    }

    fn texts(&self, name: &str) -> Result<Texts, ArrowError> {
        let array = cast(self.column(name)?, &DataType::Utf8)?;
        Ok(Texts(array.as_string::<i32>().clone()))
    }

    fn flags(&self, name: &str) -> Result<&arrow::array::BooleanArray, ArrowError> {
        self.column(name)?
            .as_boolean_opt()
            .ok_or_else(|| ArrowError::SchemaError(format!("column `{name}` is no condition")))
    }

    fn addresses(&self, hi: &str, lo: &str) -> Result<Addresses, ArrowError> {
        Ok(Addresses(self.integers(hi)?, self.integers(lo)?))
    }
}

struct Integers(arrow::array::Int64Array);

impl Integers {
    fn get(&self, row: usize) -> Option<i64> {
        (!self.0.is_null(row)).then(|| self.0.value(row))
    }

    /// Zero where null; the nearest value that fits.
    fn count<N: TryFrom<i64> + Default>(&self, row: usize) -> N {
        self.get(row).and_then(|n| N::try_from(n).ok()).unwrap_or_default()
    }

    fn time(&self, row: usize) -> Timestamp {
        Timestamp::from_micros(self.count(row))
    }

    fn interval(&self, row: usize) -> Option<u32> {
        self.get(row).and_then(|n| u32::try_from(n).ok())
    }
}

struct Sums(arrow::array::Decimal128Array);

impl Sums {
    /// Zero where null; saturates.
    fn get(&self, row: usize) -> u64 {
        if self.0.is_null(row) { 0 } else { u64::try_from(self.0.value(row)).unwrap_or(u64::MAX) }
    }
}

struct Texts(arrow::array::StringArray);

impl Texts {
    fn get(&self, row: usize) -> Option<&str> {
        (!self.0.is_null(row)).then(|| self.0.value(row))
    }
}

struct Addresses(Integers, Integers);

impl Addresses {
    fn get(&self, row: usize) -> Address {
        Address::from_halves(self.0.count(row), self.1.count(row))
    }
}

/// Names that come again and again, each held once.
#[derive(Default)]
struct Names(HashSet<Arc<str>>);

impl Names {
    fn get(&mut self, texts: &Texts, row: usize) -> Arc<str> {
        let text = texts.0.value(row);
        if let Some(name) = self.0.get(text) {
            return name.clone();
        }
        let name: Arc<str> = text.into();
        self.0.insert(name.clone());
        name
    }
}
