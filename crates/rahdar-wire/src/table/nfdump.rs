//! CSV of nfdump (`-o csv`), of 1.6 and early 1.7 (`ts,te,td,sa,…`) and of later 1.7 (`firstSeen,duration,…`, or
//! with `-o csv-fast` `cnt,af,firstSeen,…`).
//!
//! nfdump prints 0 where a record has no value: an interface or AS of 0, and a reverse direction without
//! packets, are unknown. Counters out are the reverse direction, unless routers count with them: then they equal
//! those in, or stand alone where a flow was metered as it left. Times are of the zone of the machine that printed them, which the table does not name.
//! Whether packets were sampled, it does not tell either; nfdump multiplies by an interval that it knows.
//!
//! Source: nfdump 1.7, `nfdump(1)` and its output.

use rahdar_model::FlowRecord;
use rahdar_model::flow::protocol;
use rahdar_model::sink::Place;

use super::{Field, Kind, Layout, Row, Tool, is_icmp};
use crate::lines::{self, Text};
use crate::value::{ValueError, count, flag_letters, hexadecimal, short};

/// What sums are, and what to print in their place.
pub(crate) const SUMS: &str =
    "nfdump CSV of sums (print flows: `nfdump -o csv`, without `-a`, `-A` and `-s`)";

/// What to print in place of a sum.
const FLOWS: &str = "print flows: `nfdump -o csv`, without `-a`, `-A` and `-s`";

pub(crate) struct Nfdump;

impl Nfdump {
    /// Whether the first rows of a table are sums of flows (`-a`, `-A`). They say so by their number of flows. nfdump
    /// 1.6 does not print it, but prints 0 for what it summed over: then none has a protocol, or none has a port.
    pub(crate) fn is_of_sums(head: &[u8]) -> bool {
        let mut lines = lines::of(head);
        let Some(layout) = lines.next().and_then(Layout::read::<Self>) else { return false };
        let (mut rows, mut without_protocol, mut with_ports, mut without_ports) = (0, 0, 0, 0);
        for line in lines.take_while(|line| !Self::ends(line)) {
            let text = Text { line, number: 0, place: Place::Input, ended: true };
            let Ok(row) = Row::read(text, &layout) else { continue };
            if row.raw(Field::Flows) != b"" && Self::kind(&row).is_err() {
                return true;
            }
            rows += 1;
            let is_zero = |field| row.raw(field) == b"0";
            match row.get(Field::Protocol, Self::protocol) {
                Ok(Some(0)) => without_protocol += 1,
                Ok(Some(protocol::TCP | protocol::UDP)) => {
                    let is_without = is_zero(Field::SrcPort) || is_zero(Field::DstPort);
                    *if is_without { &mut without_ports } else { &mut with_ports } += 1;
                }
                _ => {}
            }
        }
        rows > 0 && (without_protocol == rows || (with_ports == 0 && without_ports > 0))
    }
}

impl Tool for Nfdump {
    const EXPORTER: &'static str = "nfdump";
    const NAME: &'static str = "nfdump CSV";
    const IS_UNSAMPLED: bool = false;
    const IS_ZONELESS: bool = true;

    fn field(name: &[u8]) -> Option<Field> {
        Some(match name {
            b"ts" | b"firstSeen" => Field::Start,
            b"te" | b"lastSeen" => Field::End,
            b"td" | b"duration" => Field::Duration,
            b"tr" | b"received" => Field::Received,
            b"sa" | b"srcAddr" => Field::Src,
            b"da" | b"dstAddr" => Field::Dst,
            b"sp" | b"srcPort" => Field::SrcPort,
            b"dp" | b"dstPort" => Field::DstPort,
            b"pr" | b"proto" => Field::Protocol,
            b"flg" | b"flags" | b"tcpFlags" => Field::Flags,
            b"ipkt" | b"pkt" | b"packets" | b"inPackets" => Field::Packets,
            b"ibyt" | b"byt" | b"bytes" | b"inBytes" => Field::Octets,
            b"opkt" | b"outPackets" => Field::RevPackets,
            b"obyt" | b"outBytes" => Field::RevOctets,
            b"in" | b"input" => Field::InIf,
            b"out" | b"output" => Field::OutIf,
            b"sas" | b"srcAS" => Field::SrcAs,
            b"das" | b"dstAS" => Field::DstAs,
            b"ra" | b"routerIP" | b"router" => Field::Exporter,
            // So nfdump spells it.
            b"icmpTYpe" | b"icmpType" => Field::IcmpType,
            b"icmpCode" => Field::IcmpCode,
            b"flows" => Field::Flows,
            _ => return None,
        })
    }

    /// A table of sums lacks what it sums over.
    fn suffices(layout: &Layout) -> bool {
        const ALL: [Field; 6] =
            [Field::Start, Field::Src, Field::Dst, Field::Protocol, Field::SrcPort, Field::DstPort];
        ALL.into_iter().all(|field| layout.has(field))
    }

    /// A row may sum up several flows.
    fn kind(row: &Row<'_>) -> Result<Kind, ValueError> {
        match row.get(Field::Flows, count)? {
            Some(2..) => {
                let wrong = ValueError::wrong("flows", row.raw(Field::Flows));
                Err(ValueError::Printed(Box::new(wrong), FLOWS))
            }
            _ => Ok(Kind::Flow),
        }
    }

    /// A table ends with sums, or says that it is empty.
    fn ends(line: &[u8]) -> bool {
        line.starts_with(b"Summary") || line.starts_with(b"No matching flows")
    }

    fn fill(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
        row.fill::<Self>(None, None, record)?;
        fill_rest(row, record)
    }
}

/// Fills what nfdump prints in all of its forms: ports, flags, and counters out.
pub(super) fn fill_rest(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
    if is_icmp(record.protocol) && row.raw(Field::DstPort).contains(&b'.') {
        let (kind, code) = row.need(Field::DstPort, type_and_code)?;
        (record.icmp_type, record.icmp_code) = (Some(kind), Some(code));
    } else {
        row.fill_ports(record)?;
    }
    if record.protocol == protocol::TCP {
        record.tcp_flags = row.get(Field::Flags, flags)?;
    }
    let there = (record.packets, record.octets);
    let back =
        (row.get(Field::RevPackets, count)?.unwrap_or(0), row.get(Field::RevOctets, count)?.unwrap_or(0));
    if there == (0, 0) {
        (record.packets, record.octets) = back;
    } else if back != (0, 0) && back != there {
        (record.rev_packets, record.rev_octets) = (Some(back.0), Some(back.1));
    }
    Ok(())
}

/// Flags as letters, or in hexadecimal where there are others.
fn flags(text: &[u8]) -> Option<u16> {
    match text.strip_prefix(b"0x") {
        Some(_) => hexadecimal(text).and_then(|flags| u16::try_from(flags).ok()),
        None => flag_letters(text).or_else(|| short(text)),
    }
}

/// Type and code of ICMP, `3.1`.
fn type_and_code(text: &[u8]) -> Option<(u8, u8)> {
    let dot = text.iter().position(|c| *c == b'.')?;
    let octet = |text: &[u8]| count(text).and_then(|n| u8::try_from(n).ok());
    Some((octet(&text[..dot])?, octet(&text[dot + 1..])?))
}
