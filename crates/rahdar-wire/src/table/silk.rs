//! SiLK flows as `rwcut` prints them: columns by name, between bars or what `--column-separator` says, padded or not.
//!
//! Without titles the columns are known only if they are those that `rwcut` prints when nobody asks for others, and
//! all values fit. The sensor is the exporter, by name or number. Times are UTC, as a date in three orders or as
//! seconds since the epoch. Addresses are text, zero-padded or not, or numbers. A number may be hexadecimal: that, the
//! first rows say together, for one alone may have no letter in it. Where they do not, numbers are refused. Rows are uniflows. Whether packets were sampled,
//! SiLK does not know.
//!
//! Source: SiLK, `rwcut(1)`: `--fields`, `--ip-format`, `--timestamp-format`, `--no-titles`.

use rahdar_model::flow::protocol;
use rahdar_model::flow::size::doubt;
use rahdar_model::{Address, FlowRecord, Quality, Timestamp};

use super::{Field, Layout, Row, Tool, open_values, values};
use crate::lines;
use crate::value::{ValueError, address, count, flag_letters, moment, seconds, short, time};

/// The titles of the columns that `rwcut` prints when nobody asks for others.
const TITLES: [&str; 12] = [
    "sIP", "dIP", "sPort", "dPort", "pro", "packets", "bytes", "flags", "sTime", "duration", "eTime",
    "sensor",
];

/// Addresses that are numbers are to this base; to none, if nobody knows.
pub(crate) struct Silk<const BASE: u32>;

impl<const BASE: u32> Tool for Silk<BASE> {
    const EXPORTER: &'static str = "silk";
    const NAME: &'static str = "rwcut (SiLK)";
    const IS_UNSAMPLED: bool = false;
    const IS_ZONELESS: bool = false;

    /// The columns that are printed when nobody asks for others, without their titles.
    fn unnamed(row: &[u8]) -> Option<Layout> {
        let mut row_values: Vec<_> = open_values(row, b'|').collect();
        // A bar behind the last of them closes it.
        let is_closed =
            row_values.len() > TITLES.len() && row_values.pop_if(|value| value.is_empty()).is_some();
        let [src, dst, src_port, dst_port, protocol, packets, octets, _, start, duration, end, _] =
            row_values[..]
        else {
            return None;
        };
        let are_numbers =
            [src_port, dst_port, protocol, packets, octets].into_iter().all(|n| count(n).is_some());
        let are_addresses = [src, dst].into_iter().all(|value| number_or_address(value, BASE).is_some());
        let are_times =
            Self::time(start).is_some() && Self::time(end).is_some() && seconds(duration).is_some();
        let named = TITLES.iter().map(|title| (Self::field(title.as_bytes()), title.as_bytes()));
        let layout = || Layout { is_closed, ..Layout::new(b'|', named) };
        (are_numbers && are_addresses && are_times).then(layout)
    }

    /// A date may have its year last (`--timestamp-format=m/d/y`).
    fn time(text: &[u8]) -> Option<Timestamp> {
        match text {
            [m, mm, b'/', d, dd, b'/', a, b, c, y, rest @ ..] if rest.len() <= TIME_OCTETS_MAX => {
                let mut turned = [0; 10 + TIME_OCTETS_MAX];
                turned[..10].copy_from_slice(&[*a, *b, *c, *y, b'/', *m, *mm, b'/', *d, *dd]);
                turned[10..10 + rest.len()].copy_from_slice(rest);
                moment(&turned[..10 + rest.len()])
            }
            text => time(text),
        }
    }

    /// Titles are cut to the width of their column.
    fn field(name: &[u8]) -> Option<Field> {
        Some(match name {
            b"sIP" => Field::Src,
            b"dIP" => Field::Dst,
            b"sPort" => Field::SrcPort,
            b"dPort" => Field::DstPort,
            b"pro" | b"protocol" => Field::Protocol,
            b"packets" | b"pkts" => Field::Packets,
            b"bytes" => Field::Octets,
            b"flags" => Field::Flags,
            b"sTime" | b"sTime+msec" => Field::Start,
            b"eTime" | b"eTime+msec" => Field::End,
            b"dur" | b"durat" | b"duration" | b"dur+msec" | b"duration+msec" => Field::Duration,
            b"sen" | b"sensor" => Field::Exporter,
            b"in" => Field::InIf,
            b"out" => Field::OutIf,
            b"iTy" | b"iType" => Field::IcmpType,
            b"iCo" | b"iCode" => Field::IcmpCode,
            b"attribut" | b"attributes" => Field::EndCause,
            _ => return None,
        })
    }

    /// SiLK keeps counters in 32 bits, and cuts what is more.
    fn fill_counters(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
        let (packets, octets) = (row.get(Field::Packets, count)?, row.get(Field::Octets, count)?);
        (record.packets, record.octets) = (packets.unwrap_or(0), octets.unwrap_or(0));
        record.quality |= match doubt(packets, octets) {
            Quality::CONTENT_GAP => Quality::CONTENT_GAP,
            _ if [record.packets, record.octets].contains(&COUNTER_MAX) => Quality::COUNTER_CLAMPED,
            doubt => doubt,
        };
        Ok(())
    }

    fn fill(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
        let read = |text: &[u8]| number_or_address(text, BASE);
        let (src, dst) = (row.get(Field::Src, read)?, row.get(Field::Dst, read)?);
        row.fill::<Self>(src, dst, record)?;
        row.fill_ports(record)?;
        if record.protocol == protocol::TCP {
            record.tcp_flags = row.get(Field::Flags, |text| flag_letters(text).or_else(|| short(text)))?;
        }
        // T: cut because it lasted too long (IPFIX element 136: 2, active timeout).
        if row.raw(Field::EndCause).contains(&b'T') {
            record.end_reason = Some(2);
        }
        Ok(())
    }
}

/// The largest counter of a record (SiLK 3, `skipfix.c`: "clamping counts to 32 bits").
const COUNTER_MAX: u64 = u32::MAX as u64;

/// Octets of a time of day that are looked at. Chosen here: nine digits behind the second need 19.
const TIME_OCTETS_MAX: usize = 24;

/// No base.
pub(crate) const UNKNOWN: u32 = 0;

/// An address, or the number that `--ip-format` prints for one.
fn number_or_address(text: &[u8], base: u32) -> Option<Address> {
    if let Some(address) = address(text) {
        return Some(address);
    }
    if base == UNKNOWN {
        return None;
    }
    let number = u128::from_str_radix(std::str::from_utf8(text).ok()?, base).ok()?;
    Some(u32::try_from(number).map_or(Address::from_bits(number), Address::from_v4_bits))
}

/// The base of addresses that are numbers: 16 if one of the first rows has a letter, 10 if one has more digits than
/// an address of its kind has in hexadecimal. Else nothing tells, and a guess would give other addresses.
pub(crate) fn base(head: &[u8]) -> u32 {
    let mut lines = lines::of(head);
    let Some(first) = lines.next() else { return UNKNOWN };
    let titled = Layout::read::<Silk<16>>(first);
    let Some(layout) = titled.clone().or_else(|| Silk::<16>::unnamed(first)) else { return UNKNOWN };
    let rows = titled.is_none().then_some(first).into_iter().chain(lines);
    let numbers = rows.take(ROWS_LOOKED_AT).flat_map(|row| {
        let columns = values(row, layout.separator).zip(&layout.columns);
        let own = columns.filter(|(_, column)| matches!(column, Some(Field::Src | Field::Dst)));
        own.map(|(value, _)| value).filter(|value| address(value).is_none())
    });
    let mut base = UNKNOWN;
    for number in numbers.filter(|number| number.iter().all(u8::is_ascii_hexdigit)) {
        if number.iter().any(u8::is_ascii_alphabetic) {
            return 16;
        }
        if matches!(number.len(), 9..=10 | 33..) {
            base = 10;
        }
    }
    base
}

/// Rows that are asked how addresses are written. Chosen here.
const ROWS_LOOKED_AT: usize = 100;

/// Whether a line is a row of columns that nobody can know.
pub(crate) fn is_untitled(line: &[u8]) -> bool {
    let mut addresses = values(line, b'|').map(|value| address(value).is_some());
    line.contains(&b'|') && addresses.next() == Some(true) && addresses.next() == Some(true)
}
