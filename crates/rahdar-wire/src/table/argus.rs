//! Argus flows as `ra` prints them with a separator (`-c ,`), binetflow files among them. What it prints without one
//! is for people: columns run into each other, and some are empty.
//!
//! A row is a biflow. `TotBytes` are octets of frames, both ways; `SrcBytes` are those of the source, and
//! the difference is the destination's. A table without `SrcBytes` is not read: octets of two
//! directions in one number would be laid on the source. Packets come with `SrcPkts` or `DstPkts`. Without
//! them `TotPkts` cannot be divided, unless one side sent nothing: then `packets` counts both
//! ways, and the reverse is unknown.
//!
//! `Dir` tells who began: `->` the source, `<-` the destination; with a `?` Argus is not sure. Ports
//! may have the names of common services. Those of ICMP are hexadecimal, type and code in the source's as `256 × code + type`. Rows of protocols
//! without IP, and Argus' own, are beside. Times are of the zone of the machine that printed them.
//!
//! Source: Argus clients, `ra(1)`; the binetflow files of CTU-13.

use rahdar_model::flow::size::doubt;
use rahdar_model::flow::{Initiator, protocol as ip};
use rahdar_model::{FlowRecord, Quality};

use super::{Field, Kind, Layout, Row, Tool, is_icmp, service};
use crate::value::{ValueError, address, count, flag_letters, hexadecimal, protocol, short};

pub(crate) struct Argus;

impl Tool for Argus {
    const EXPORTER: &'static str = "argus";
    const NAME: &'static str = "Argus CSV";
    const IS_UNSAMPLED: bool = true;
    const IS_ZONELESS: bool = true;

    fn field(name: &[u8]) -> Option<Field> {
        Some(match name {
            b"StartTime" => Field::Start,
            b"LastTime" => Field::End,
            b"Dur" => Field::Duration,
            b"Proto" => Field::Protocol,
            b"SrcAddr" => Field::Src,
            b"DstAddr" => Field::Dst,
            b"Sport" => Field::SrcPort,
            b"Dport" => Field::DstPort,
            b"Dir" => Field::Direction,
            b"State" => Field::State,
            b"TotPkts" => Field::TotalPackets,
            b"TotBytes" => Field::TotalOctets,
            b"SrcPkts" => Field::Packets,
            b"DstPkts" => Field::RevPackets,
            b"SrcBytes" => Field::Octets,
            b"DstBytes" => Field::RevOctets,
            b"SAppBytes" => Field::Payload,
            b"DAppBytes" => Field::RevPayload,
            b"SrcId" | b"Sensor" => Field::Exporter,
            _ => return None,
        })
    }

    fn suffices(layout: &Layout) -> bool {
        let has = |field| layout.has(field);
        [Field::Start, Field::Src, Field::Dst, Field::Protocol].into_iter().all(has)
            && has(Field::Octets)
            && (has(Field::TotalOctets) || has(Field::RevOctets))
    }

    fn kind(row: &Row<'_>) -> Result<Kind, ValueError> {
        let is_without_ip = match row.raw(Field::Protocol) {
            b"man" | b"arp" | b"rarp" | b"llc" | b"lldp" | b"stp" | b"loop" | b"eth" | b"isis" | b"ipx" => {
                true
            }
            // In numbers, what is not IP is its ethertype.
            number if count(number).is_some_and(|number| number > 0xff) => true,
            _ => is_hardware(row.raw(Field::Src)),
        };
        Ok(if is_without_ip { Kind::Beside } else { Kind::Flow })
    }

    fn fill(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
        // Without a date there is no telling when it was.
        row.need(Field::Start, Self::time).map_err(|error| printed(error, "have `ra` print dates: `-u`"))?;
        row.fill::<Self>(None, None, record)?;
        fill_ports(row, record).map_err(|error| printed(error, "have `ra` print numbers: `-nn`"))?;
        fill_direction(row, record);
        if record.protocol == ip::TCP {
            (record.tcp_flags, record.rev_tcp_flags) = flags(row.raw(Field::State));
        }
        record.payload_octets = row.get(Field::Payload, count)?;
        record.rev_payload_octets = row.get(Field::RevPayload, count)?;
        Ok(())
    }

    fn protocol(text: &[u8]) -> Option<u8> {
        match text {
            // Protocols above UDP that Argus recognises.
            b"rtp" | b"rtcp" | b"udt" => Some(ip::UDP),
            text => protocol(text),
        }
    }

    fn fill_counters(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
        record.quality |= Quality::LAYER2_LENGTH;
        let octets = row.need(Field::Octets, count)?;
        let total_octets = row.get(Field::TotalOctets, count)?;
        let rev_octets = match row.get(Field::RevOctets, count)? {
            Some(back) => back,
            None => rest(row, Field::TotalOctets, octets)?.unwrap_or(0),
        };
        let total_octets = total_octets.unwrap_or(octets.saturating_add(rev_octets));
        record.octets = octets;
        record.rev_octets = Some(rev_octets);

        let total = row.get(Field::TotalPackets, count)?;
        let (there, back) = match (row.get(Field::Packets, count)?, row.get(Field::RevPackets, count)?) {
            (Some(there), None) => (Some(there), rest(row, Field::TotalPackets, there)?),
            (None, Some(back)) => (rest(row, Field::TotalPackets, back)?, Some(back)),
            (None, None) if rev_octets == 0 => (total, Some(0)),
            (None, None) if octets == 0 => (Some(0), total),
            both => both,
        };
        record.packets = there.or(total).unwrap_or(0);
        record.rev_packets = back;
        let is_counted = there.is_some() || total.is_some();
        record.quality |= match (back, total) {
            (Some(back), _) if is_counted => {
                doubt(Some(record.packets), Some(octets)) | doubt(Some(back), Some(rev_octets))
            }
            (None, Some(total)) => doubt(Some(total), Some(total_octets)),
            _ => Quality::NONE,
        };
        Ok(())
    }
}

/// The error, with the options of `ra` that prevent it.
fn printed(error: ValueError, how: &'static str) -> ValueError {
    ValueError::Printed(Box::new(error), how)
}

/// What is left of the total when one direction's share is taken off.
fn rest(row: &Row<'_>, total: Field, share: u64) -> Result<Option<u64>, ValueError> {
    row.get(total, |text| count(text)?.checked_sub(share))
}

/// Ports, in decimal, in hexadecimal or by name; type and code of ICMP.
fn fill_ports(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
    let port = |text: &[u8]| match text.strip_prefix(b"0x") {
        Some(_) => hexadecimal(text).and_then(|port| u16::try_from(port).ok()),
        None => short(text).or_else(|| service::port(text)),
    };
    if is_icmp(record.protocol) {
        let [code, kind] = row.get(Field::SrcPort, port)?.unwrap_or(0).to_be_bytes();
        (record.icmp_type, record.icmp_code) = (Some(kind), Some(code));
    } else {
        record.src_port = row.get(Field::SrcPort, port)?.unwrap_or(0);
        record.dst_port = row.get(Field::DstPort, port)?.unwrap_or(0);
    }
    Ok(())
}

/// Who began, by the arrow: a point at one end only, at both ends (both sent, the source first), or a doubt.
fn fill_direction(row: &Row<'_>, record: &mut FlowRecord) {
    let arrow = row.raw(Field::Direction);
    if arrow.contains(&b'?') {
        record.quality |= Quality::DIRECTION_GUESSED;
    } else if arrow.contains(&b'>') {
        record.initiator = Some(Initiator::Source);
    } else if arrow.contains(&b'<') {
        record.initiator = Some(Initiator::Destination);
    }
}

/// The flags of both sides in a state such as `FSPA_SRA`; none in states that are words.
fn flags(state: &[u8]) -> (Option<u16>, Option<u16>) {
    let Some(line) = state.iter().position(|c| *c == b'_') else { return (None, None) };
    (flag_letters(&state[..line]), flag_letters(&state[line + 1..]))
}

/// Whether an address is one of Ethernet.
fn is_hardware(text: &[u8]) -> bool {
    text.len() == 17 && text.iter().filter(|c| **c == b':').count() == 5 && address(text).is_none()
}
