//! Rows of nfdump for machines (`-o pipe`): numbers between bars, without a header.
//!
//! Address family, first, last, protocol, source in four numbers of 32 bits, its port, destination likewise, AS of
//! both, input, output, flags, type of service, packets, octets. nfdump 1.7 counts milliseconds since the epoch;
//! 1.6 has seconds and milliseconds in two columns. Zeros mean what they mean in [`super::nfdump`].
//!
//! Source: the output of nfdump 1.7.1; of 1.6.25, `bin/output_pipe.c`.

use std::io::Read;
use std::sync::Arc;

use rahdar_model::{Address, FlowRecord, FlowSink, Tally, Timestamp};

use super::{FIELDS, Field, Layout, Row, Rows, Tool, nfdump};
use crate::delivery::Delivery;
use crate::lines;
use crate::value::{ValueError, count, time};
use crate::{Options, WireError};

/// The address family of IPv4, which all systems number alike.
const IPV4: &[u8] = b"2";

/// Columns of a row of nfdump 1.7, and of 1.6.
const COLUMNS: usize = 22;
const COLUMNS_1_6: usize = 24;

/// What stands in a row behind the address family, and in how many columns.
const FIELDS_OF_ROW: [(Field, usize, &str); 15] = [
    (Field::Start, 1, "first"),
    (Field::End, 1, "last"),
    (Field::Protocol, 1, "protocol"),
    (Field::Src, 4, "source address"),
    (Field::SrcPort, 1, "source port"),
    (Field::Dst, 4, "destination address"),
    (Field::DstPort, 1, "destination port"),
    (Field::SrcAs, 1, "source AS"),
    (Field::DstAs, 1, "destination AS"),
    (Field::InIf, 1, "input"),
    (Field::OutIf, 1, "output"),
    (Field::Flags, 1, "flags"),
    (Field::Status, 1, "type of service"),
    (Field::Packets, 1, "packets"),
    (Field::Octets, 1, "octets"),
];

pub(crate) struct NfdumpPipe;

impl Tool for NfdumpPipe {
    const EXPORTER: &'static str = "nfdump";
    const NAME: &'static str = "nfdump's pipe output";
    const IS_UNSAMPLED: bool = false;
    const IS_ZONELESS: bool = false;

    /// Its columns have no names.
    fn field(_: &[u8]) -> Option<Field> {
        None
    }

    /// Milliseconds since the epoch, or seconds and milliseconds.
    fn time(text: &[u8]) -> Option<Timestamp> {
        let Some(bar) = text.iter().position(|c| *c == b'|') else { return time(text) };
        let (seconds, ms) = (count(&text[..bar])?, count(&text[bar + 1..])?);
        let ms = seconds.checked_mul(1_000)?.checked_add(ms)?;
        Some(Timestamp::from_micros(i64::try_from(ms).ok()?.checked_mul(1_000)?))
    }

    fn fill(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
        let (src, dst) = (row.need(Field::Src, address)?, row.need(Field::Dst, address)?);
        row.fill::<Self>(Some(src), Some(dst), record)?;
        nfdump::fill_rest(row, record)
    }
}

/// An address of IPv6 in four numbers, of IPv4 in one.
fn address(text: &[u8]) -> Option<Address> {
    let mut bits = 0u128;
    for part in text.split(|c| *c == b'|') {
        bits = bits << 32 | u128::from(count(part).and_then(|part| u32::try_from(part).ok())?);
    }
    if text.contains(&b'|') {
        Some(Address::from_bits(bits))
    } else {
        u32::try_from(bits).ok().map(Address::from_v4_bits)
    }
}

/// Reads rows to their end.
pub(crate) fn decode(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let delivery = Delivery::new(NfdumpPipe::EXPORTER, source, options, sink);
    let mut rows = Rows::<NfdumpPipe>::new(options);
    let named = FIELDS_OF_ROW.iter().map(|(field, _, name)| (Some(*field), name.as_bytes()));
    let layout = Layout::new(b'|', named);
    lines::read(input, delivery, |delivery, text| {
        if text.line.trim_ascii().is_empty() {
            delivery.tally.beside += 1;
            return Ok(());
        }
        // The last number of a line without its end may be half of one.
        if !text.ended {
            delivery.refuse(text.place, format_args!("the last row has no end, and may be cut"));
            return Ok(());
        }
        match values(text.line) {
            Ok(values) => rows.row(&Row { layout: &layout, values }, text, delivery)?,
            Err(columns) => {
                let why = format_args!("the row has {columns} columns, not {COLUMNS} or {COLUMNS_1_6}");
                delivery.refuse(text.place, why);
            }
        }
        Ok(())
    })
}

/// The values of a row, those of several columns with the bars between them; the number of its columns if it is
/// none.
fn values(row: &[u8]) -> Result<[&[u8]; FIELDS], usize> {
    let columns = row.split(|c| *c == b'|').count();
    let of_time = match columns {
        COLUMNS => 1,
        COLUMNS_1_6 => 2,
        _ => return Err(columns),
    };
    let mut values: [&[u8]; FIELDS] = [b""; FIELDS];
    let (family, mut rest) = behind(row, 1);
    for (field, columns, _) in FIELDS_OF_ROW {
        let columns = match field {
            Field::Start | Field::End => of_time,
            // Three numbers of an address of IPv4 are 0.
            Field::Src | Field::Dst if family == IPV4 => {
                rest = behind(rest, 3).1;
                1
            }
            _ => columns,
        };
        (values[field as usize], rest) = behind(rest, columns);
    }
    Ok(values)
}

/// The first columns, and what follows them.
fn behind(row: &[u8], columns: usize) -> (&[u8], &[u8]) {
    let mut bars = row.iter().enumerate().filter(|(_, c)| **c == b'|').map(|(at, _)| at);
    match bars.nth(columns - 1) {
        Some(bar) => (&row[..bar], &row[bar + 1..]),
        None => (row, b""),
    }
}

/// Whether a line is such a row: so many numbers, the first an address family (of Linux, BSD or macOS).
pub(crate) fn is_row(line: &[u8]) -> bool {
    let columns = line.split(|c| *c == b'|').count();
    let family = line.split(|c| *c == b'|').next().and_then(count);
    matches!(columns, COLUMNS | COLUMNS_1_6)
        && matches!(family, Some(2 | 10 | 24 | 28 | 30))
        && line.iter().all(|c| c.is_ascii_digit() || *c == b'|')
}
