//! SiLK flows as `rwcut` prints them: columns by name, between bars, padded or not.
//!
//! The sensor is the exporter. Times are UTC, as text or as seconds since the epoch. Rows are uniflows. Whether
//! packets were sampled, SiLK does not know.
//!
//! Source: SiLK, `rwcut(1)`.

use rahdar_model::flow::protocol;
use rahdar_model::{Address, FlowRecord};

use super::{Field, Row, Tool};
use crate::value::{ValueError, address, flag_letters, short};

pub(crate) struct Silk;

impl Tool for Silk {
    const EXPORTER: &'static str = "silk";
    const NAME: &'static str = "rwcut (SiLK)";
    const IS_UNSAMPLED: bool = false;
    const IS_ZONELESS: bool = false;

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

    fn fill(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
        let (src, dst) = (row.get(Field::Src, address_or_number)?, row.get(Field::Dst, address_or_number)?);
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

/// An address, or the number that `--ip-format=decimal` prints for one.
fn address_or_number(text: &[u8]) -> Option<Address> {
    if let Some(address) = address(text) {
        return Some(address);
    }
    let number: u128 = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(u32::try_from(number).map_or(Address::from_bits(number), Address::from_v4_bits))
}
