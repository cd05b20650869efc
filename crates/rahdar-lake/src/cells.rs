//! One column of a Parquet file of another program, read as what ours is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt64Type};
use arrow::error::ArrowError;
use rahdar_model::Address;
use rahdar_model::column::{Kind, Value};
use rahdar_model::flow::protocol;

/// The cells of a column in one batch.
pub(crate) enum Cells {
    /// Addresses as text.
    AddressText(ArrayRef),
    /// IPv4 addresses as numbers.
    AddressNumber(ArrayRef),
    /// Addresses as 4 or 16 octets.
    AddressOctets(ArrayRef),
    Number(ArrayRef),
    /// Numbers that may have names.
    Named(ArrayRef, fn(&str) -> Option<i64>),
    Text(ArrayRef),
}

impl Cells {
    /// Addresses.
    pub(crate) fn addresses(array: &ArrayRef) -> Result<Self, ArrowError> {
        let array = values(array)?;
        let kind = array.data_type();
        if is_text(kind) {
            Ok(Self::AddressText(cast(&array, &DataType::Utf8)?))
        } else if kind.is_integer() {
            Ok(Self::AddressNumber(cast(&array, &DataType::Int64)?))
        } else {
            let array = cast(&array, &DataType::Binary)?;
            Ok(if holds_text(&array) { Self::AddressText(utf8(&array)?) } else { Self::AddressOctets(array) })
        }
    }

    /// Values of the column of this name and kind.
    pub(crate) fn of(name: &str, kind: Kind, array: &ArrayRef) -> Result<Self, ArrowError> {
        let array = values(array)?;
        let array = if is_binary(array.data_type()) { utf8(&array)? } else { array };
        let is_text = is_text(array.data_type());
        Ok(match kind {
            Kind::Timestamp => Self::Number(times(&array)?),
            Kind::Text => Self::Text(cast(&array, &DataType::Utf8)?),
            _ if name == "protocol" && is_text => {
                Self::Named(cast(&array, &DataType::Utf8)?, protocol_number)
            }
            _ if name == "direction" && is_text => {
                Self::Named(cast(&array, &DataType::Utf8)?, direction_number)
            }
            _ if *array.data_type() == DataType::UInt64 => Self::Number(clamped(&array)),
            _ => Self::Number(cast(&array, &DataType::Int64)?),
        })
    }

    /// Spans in microseconds, of a column that gives its unit or counts seconds.
    pub(crate) fn durations(array: &ArrayRef) -> Result<Self, ArrowError> {
        let array = values(array)?;
        if let DataType::Duration(_) = array.data_type() {
            let spans = cast(&array, &DataType::Duration(TimeUnit::Microsecond))?;
            return Ok(Self::Number(cast(&spans, &DataType::Int64)?));
        }
        let seconds = cast(&array, &DataType::Float64)?;
        let micros =
            seconds.as_primitive::<Float64Type>().iter().map(|seconds| Some((seconds? * 1e6) as i64));
        Ok(Self::Number(Arc::new(micros.collect::<arrow::array::Int64Array>())))
    }

    /// The address in a row; none if there is none, or if it cannot be told.
    pub(crate) fn address(&self, row: usize) -> Option<Address> {
        match self {
            Self::AddressText(array) => {
                let texts = array.as_string::<i32>();
                if texts.is_null(row) { None } else { texts.value(row).trim().parse().ok() }
            }
            Self::AddressNumber(array) => {
                let numbers = array.as_primitive::<Int64Type>();
                if numbers.is_null(row) {
                    return None;
                }
                // Below 0 it was taken for a number with a sign.
                let number = numbers.value(row);
                let bits = u32::try_from(number).or_else(|_| i32::try_from(number).map(i32::cast_unsigned));
                Some(Address::from_v4_bits(bits.ok()?))
            }
            Self::AddressOctets(array) => {
                let octets = array.as_binary::<i32>();
                if octets.is_null(row) { None } else { address_of(octets.value(row)) }
            }
            Self::Number(_) | Self::Named(..) | Self::Text(_) => None,
        }
    }

    /// What is written in a row of addresses as text.
    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        let Self::AddressText(array) = self else { return None };
        let texts = array.as_string::<i32>();
        (!texts.is_null(row)).then(|| texts.value(row))
    }

    /// The value in a row that is no address.
    pub(crate) fn value(&self, row: usize) -> Option<Value<'_>> {
        match self {
            Self::AddressText(_) | Self::AddressNumber(_) | Self::AddressOctets(_) => None,
            Self::Number(array) => {
                let numbers = array.as_primitive::<Int64Type>();
                (!numbers.is_null(row)).then(|| Value::Int(numbers.value(row)))
            }
            Self::Named(array, number) => {
                let names = array.as_string::<i32>();
                (!names.is_null(row)).then(|| number(names.value(row))).flatten().map(Value::Int)
            }
            Self::Text(array) => {
                let texts = array.as_string::<i32>();
                (!texts.is_null(row)).then(|| Value::Text(texts.value(row)))
            }
        }
    }
}

/// A column without its dictionary.
fn values(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Dictionary(_, values) => cast(array, values),
        _ => Ok(array.clone()),
    }
}

/// Octets as text; what is no UTF-8 becomes nothing.
fn utf8(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let octets = cast(array, &DataType::Binary)?;
    let texts = octets.as_binary::<i32>().iter().map(|octets| octets.and_then(|o| str::from_utf8(o).ok()));
    Ok(Arc::new(texts.collect::<arrow::array::StringArray>()))
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_binary(kind: &DataType) -> bool {
    use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
    matches!(kind, Binary | LargeBinary | BinaryView | FixedSizeBinary(_))
}

/// Whether a column of octets holds addresses written out: some of them are as long as no address is. 16 octets that
/// read as the text of an address are such a text, for no address is assigned whose octets are all letters of one.
fn holds_text(array: &ArrayRef) -> bool {
    let is_text = |octets: &[u8]| match octets.len() {
        4 => false,
        16 => written(octets).is_some(),
        _ => true,
    };
    array.as_binary::<i32>().iter().flatten().any(is_text)
}

/// An address written out.
fn written(octets: &[u8]) -> Option<Address> {
    str::from_utf8(octets).ok()?.trim().parse().ok()
}

/// An address of 4 or 16 octets. Four that could as well be the text of one (`::12`) are not taken for either.
fn address_of(octets: &[u8]) -> Option<Address> {
    match octets.len() {
        4 if written(octets).is_some() => None,
        4 => Some(Address::from_v4_bits(u32::from_be_bytes(octets.try_into().ok()?))),
        16 => Some(Address::from_bits(u128::from_be_bytes(octets.try_into().ok()?))),
        _ => None,
    }
}

/// Counts of 64 bits without a sign; what is beyond ours becomes the greatest.
fn clamped(array: &ArrayRef) -> ArrayRef {
    let counts = array.as_primitive::<UInt64Type>().iter();
    let counts = counts.map(|count| Some(i64::try_from(count?).unwrap_or(i64::MAX)));
    Arc::new(counts.collect::<arrow::array::Int64Array>())
}

/// Times in microseconds, as integers.
fn times(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    match array.data_type() {
        DataType::Timestamp(_, _) | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let times = cast(array, &micros)?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            Ok(Arc::new(times.reinterpret_cast::<Int64Type>()))
        }
        kind => {
            let is_floating = kind.is_floating();
            let numbers = cast(array, &DataType::Float64)?;
            let whole = if is_floating { None } else { Some(cast(array, &DataType::Int64)?) };
            let micros = numbers.as_primitive::<Float64Type>().iter().enumerate().map(|(row, number)| {
                let number = number?;
                // Seconds until the year 5138, then milliseconds, microseconds, nanoseconds.
                let (times, divided) = match number.abs() {
                    size if size < 1e11 => (1_000_000, 1),
                    size if size < 1e14 => (1_000, 1),
                    size if size < 1e17 => (1, 1),
                    _ => (1, 1_000),
                };
                match &whole {
                    Some(whole) => {
                        let whole = whole.as_primitive::<Int64Type>().value(row);
                        whole.checked_mul(times).map(|scaled| scaled / divided)
                    }
                    None => Some((number * times as f64 / divided as f64) as i64),
                }
            });
            Ok(Arc::new(micros.collect::<arrow::array::Int64Array>()))
        }
    }
}

/// The number of a protocol that is named or written as a number.
fn protocol_number(name: &str) -> Option<i64> {
    let name = name.trim();
    protocol::named(name.as_bytes()).map(i64::from).or_else(|| name.parse().ok())
}

/// The number of a direction that is named or written as a number.
fn direction_number(name: &str) -> Option<i64> {
    match name.trim() {
        "ingress" | "0" => Some(0),
        "egress" | "1" => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryArray, DictionaryArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    #[track_caller]
    fn check(cells: Vec<&[u8]>, expected: &[Option<&str>]) {
        let array: ArrayRef = Arc::new(BinaryArray::from(cells));
        let cells = Cells::addresses(&array).unwrap();
        let read: Vec<_> =
            (0..array.len()).map(|row| cells.address(row).map(|address| address.to_string())).collect();
        let read: Vec<_> = read.iter().map(Option::as_deref).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn octets_are_addresses_or_the_text_of_some() {
        check(vec![&[192, 0, 2, 1], &[203, 0, 113, 9]], &[Some("192.0.2.1"), Some("203.0.113.9")]);
        check(vec![b"192.0.2.1", b"203.0.113.9"], &[Some("192.0.2.1"), Some("203.0.113.9")]);
        // Sixteen characters, and four.
        check(vec![b"2001:db8:85a3::1"], &[Some("2001:db8:85a3::1")]);
        check(vec![b"::12", b"192.0.2.1"], &[Some("::12"), Some("192.0.2.1")]);
        // Nobody knows what this is.
        check(vec![b"::12", &[192, 0, 2, 1]], &[None, Some("192.0.2.1")]);
        check(vec![b"example", b"host"], &[None, None]);
    }

    #[test]
    fn protocols_are_numbers_or_names() {
        assert_eq!(["GRE", " 47 ", "nothing"].map(protocol_number), [Some(47), Some(47), None]);
    }

    #[test]
    fn a_dictionary_stands_for_its_values() {
        let array: ArrayRef =
            Arc::new(DictionaryArray::<Int32Type>::from_iter(["192.0.2.1", "2001:db8::1", "192.0.2.1"]));
        let cells = Cells::addresses(&array).unwrap();
        assert_eq!(cells.address(2).unwrap().to_string(), "192.0.2.1");
        let array: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter(["TCP", "udp"]));
        let cells = Cells::of("protocol", Kind::Int16, &array).unwrap();
        assert!(matches!((cells.value(0), cells.value(1)), (Some(Value::Int(6)), Some(Value::Int(17)))));
    }
}
