//! The functions that views and queries use.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Int16Type, Int32Type, Int64Type};
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use rahdar_model::{Address, Prefix, Quality};

use super::community_id;

fn halves() -> Fields {
    Fields::from(vec![Field::new("hi", DataType::Int64, true), Field::new("lo", DataType::Int64, true)])
}

/// `ip(text)`: the halves of an address.
pub(super) fn ip() -> ScalarUDF {
    let run = |arguments: &[ColumnarValue]| {
        let columns: Vec<ArrayRef> = ColumnarValue::values_to_arrays(arguments)?;
        let texts = columns[0].as_string::<i32>();
        let halves: Vec<Option<(i64, i64)>> = texts
            .iter()
            .map(|text| text.map(|text| Ok(parse::<Address>(text)?.halves())).transpose())
            .collect::<Result<_>>()?;
        let his: Int64Array = halves.iter().map(|pair| pair.map(|(hi, _)| hi)).collect();
        let los: Int64Array = halves.iter().map(|pair| pair.map(|(_, lo)| lo)).collect();
        let nulls = texts.nulls().cloned();
        let pair = StructArray::try_new(self::halves(), vec![Arc::new(his), Arc::new(los)], nulls)?;
        Ok(ColumnarValue::Array(Arc::new(pair)))
    };
    let answer = DataType::Struct(halves());
    create_udf("ip", vec![DataType::Utf8], answer, Volatility::Immutable, Arc::new(run))
}

/// `ip_text(hi, lo)`: an address as text.
pub(super) fn ip_text() -> ScalarUDF {
    let run = |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let texts: StringArray =
            addresses(&columns).map(|address| address.map(|address| address.to_string())).collect();
        Ok(ColumnarValue::Array(Arc::new(texts)))
    };
    let arguments = vec![DataType::Int64, DataType::Int64];
    create_udf("ip_text", arguments, DataType::Utf8, Volatility::Immutable, Arc::new(run))
}

/// `in_cidr(hi, lo, text)`: whether an address is in a network, or is that address.
pub(super) fn in_cidr() -> ScalarUDF {
    let run = |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let texts = columns[2].as_string::<i32>();
        let mut last: Option<(&str, Prefix)> = None;
        let mut answers = Vec::with_capacity(texts.len());
        for (address, text) in addresses(&columns).zip(texts) {
            let (Some(address), Some(text)) = (address, text) else {
                answers.push(None);
                continue;
            };
            let network = match last {
                Some((same, network)) if same == text => network,
                _ => parse(text)?,
            };
            last = Some((text, network));
            answers.push(Some(network.contains(address)));
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(answers))))
    };
    let arguments = vec![DataType::Int64, DataType::Int64, DataType::Utf8];
    create_udf("in_cidr", arguments, DataType::Boolean, Volatility::Immutable, Arc::new(run))
}

/// `quality_names(bits)`: marks in words.
pub(super) fn quality_names() -> ScalarUDF {
    let run = |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let names = |bits: i32| {
            let marks = Quality::from_bits(u32::try_from(bits).unwrap_or(0));
            marks.names().collect::<Vec<_>>().join(", ")
        };
        let texts: StringArray =
            columns[0].as_primitive::<Int32Type>().iter().map(|bits| bits.map(names)).collect();
        Ok(ColumnarValue::Array(Arc::new(texts)))
    };
    create_udf("quality_names", vec![DataType::Int32], DataType::Utf8, Volatility::Immutable, Arc::new(run))
}

/// `community_id_of(src_hi, src_lo, dst_hi, dst_lo, protocol, src_port, dst_port, icmp_type,
/// icmp_code)`: the Community ID of a flow.
pub(super) fn community_id_of() -> ScalarUDF {
    let run = |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let protocols = columns[4].as_primitive::<Int16Type>();
        let (src_ports, dst_ports) =
            (columns[5].as_primitive::<Int32Type>(), columns[6].as_primitive::<Int32Type>());
        let (types, codes) = (columns[7].as_primitive::<Int16Type>(), columns[8].as_primitive::<Int16Type>());
        let ends = addresses(&columns[..2]).zip(addresses(&columns[2..4]));
        let ids = ends.enumerate().map(|(row, (src, dst))| {
            let number = |array: &dyn Array, value: i64| {
                if array.is_null(row) { None } else { u16::try_from(value).ok() }
            };
            let protocol = u8::try_from(protocols.value(row)).ok()?;
            let icmp_type = number(types, i64::from(types.value(row)));
            let ports = match icmp_type {
                Some(kind) => (kind, number(codes, i64::from(codes.value(row))).unwrap_or(0)),
                None => (
                    number(src_ports, i64::from(src_ports.value(row)))?,
                    number(dst_ports, i64::from(dst_ports.value(row)))?,
                ),
            };
            Some(community_id::of(protocol, (src?, ports.0), (dst?, ports.1)))
        });
        Ok(ColumnarValue::Array(Arc::new(ids.collect::<StringArray>())))
    };
    use DataType::{Int16, Int32, Int64};
    let arguments = vec![Int64, Int64, Int64, Int64, Int16, Int32, Int32, Int16, Int16];
    create_udf("community_id_of", arguments, DataType::Utf8, Volatility::Immutable, Arc::new(run))
}

/// The addresses whose halves are the first two columns.
fn addresses(columns: &[ArrayRef]) -> impl Iterator<Item = Option<Address>> {
    let halves = |column: &ArrayRef| column.as_primitive::<Int64Type>().clone();
    let (his, los) = (halves(&columns[0]), halves(&columns[1]));
    (0..his.len()).map(move |row| {
        (his.is_valid(row) && los.is_valid(row)).then(|| Address::from_halves(his.value(row), los.value(row)))
    })
}

fn parse<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T> {
    text.parse().map_err(|error| exec_datafusion_err!("{error}"))
}
