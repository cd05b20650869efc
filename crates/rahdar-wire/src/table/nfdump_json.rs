//! JSON of nfdump: an array (`-o json`, of 1.6 and of 1.7, whose times have other names), or lines (`-o ndjson`).
//!
//! An object is a row whose columns are named in it; what they hold, and what zeros mean, is as in [`super::nfdump`].
//! `sampled` says that nfcapd multiplied the counters by an interval, and not by which.
//!
//! Source: the output of nfdump 1.7.8; of 1.6.25, `bin/output_json.c`.

use std::io::Read;
use std::sync::Arc;

use rahdar_model::flow::Direction;
use rahdar_model::{FlowRecord, FlowSink, Quality, Tally};

use super::{FIELDS, Field, Kind, Layout, Row, Rows, Tool, nfdump};
use crate::delivery::Delivery;
use crate::json::{Malformed, Members};
use crate::value::ValueError;
use crate::{Options, WireError, json_log};

/// The names of what is read.
const NAMES: &[&str] = &[
    "first",
    "t_first",
    "last",
    "t_last",
    "received",
    "t_received",
    "src4_addr",
    "src6_addr",
    "dst4_addr",
    "dst6_addr",
    "src_port",
    "dst_port",
    "icmp_type",
    "icmp_code",
    "proto",
    "tcp_flags",
    "in_packets",
    "in_bytes",
    "out_packets",
    "out_bytes",
    "input_snmp",
    "output_snmp",
    "src_as",
    "dst_as",
    "direction",
    "event",
    "ip4_router",
    "ip6_router",
    "sampled",
];

pub(crate) struct NfdumpJson;

impl Tool for NfdumpJson {
    const EXPORTER: &'static str = "nfdump";
    const NAME: &'static str = "nfdump JSON";
    const IS_UNSAMPLED: bool = false;
    const IS_ZONELESS: bool = true;

    fn field(name: &[u8]) -> Option<Field> {
        Some(match name {
            b"first" | b"t_first" => Field::Start,
            b"last" | b"t_last" => Field::End,
            b"received" | b"t_received" => Field::Received,
            b"src4_addr" | b"src6_addr" => Field::Src,
            b"dst4_addr" | b"dst6_addr" => Field::Dst,
            b"src_port" => Field::SrcPort,
            b"dst_port" => Field::DstPort,
            b"icmp_type" => Field::IcmpType,
            b"icmp_code" => Field::IcmpCode,
            b"proto" => Field::Protocol,
            b"tcp_flags" => Field::Flags,
            b"in_packets" => Field::Packets,
            b"in_bytes" => Field::Octets,
            b"out_packets" => Field::RevPackets,
            b"out_bytes" => Field::RevOctets,
            b"input_snmp" => Field::InIf,
            b"output_snmp" => Field::OutIf,
            b"src_as" => Field::SrcAs,
            b"dst_as" => Field::DstAs,
            b"direction" => Field::Direction,
            b"event" => Field::State,
            b"ip4_router" | b"ip6_router" => Field::Exporter,
            b"sampled" => Field::Status,
            _ => return None,
        })
    }

    /// Of frames without IP nfdump knows counters only.
    fn kind(row: &Row<'_>) -> Result<Kind, ValueError> {
        let is_without_ip = row.raw(Field::Src).is_empty() && row.raw(Field::Dst).is_empty();
        Ok(if is_without_ip { Kind::Beside } else { Kind::Flow })
    }

    fn fill(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
        row.fill::<Self>(None, None, record)?;
        nfdump::fill_rest(row, record)?;
        // 0 stands for ingress, and for nothing told.
        record.direction = (row.raw(Field::Direction) == b"1").then_some(Direction::Egress);
        if row.raw(Field::Status) == b"1" {
            record.quality |= Quality::ALREADY_SCALED;
        }
        Ok(())
    }
}

/// Reads an export to its end.
pub(crate) fn decode(
    form: json_log::Form,
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let delivery = Delivery::new(NfdumpJson::EXPORTER, source, options, sink);
    let mut rows = Rows::<NfdumpJson>::new(options);
    let named = NAMES.iter().map(|name| (NfdumpJson::field(name.as_bytes()), name.as_bytes()));
    let layout = Layout::new(b',', named);
    json_log::read(form, input, delivery, |delivery, text| {
        if text.line.trim_ascii().is_empty() {
            delivery.tally.beside += 1;
            return Ok(());
        }
        match values(text.line) {
            Ok(values) => rows.row(&Row { layout: &layout, values }, text, delivery)?,
            Err(error) => delivery.refuse(text.place, format_args!("{error}")),
        }
        Ok(())
    })
}

/// The values of an object, in the order of their fields.
fn values(object: &[u8]) -> Result<[&[u8]; FIELDS], Malformed> {
    let mut values: [&[u8]; FIELDS] = [b""; FIELDS];
    for member in Members::new(object) {
        let (key, value) = member?;
        if let (Some(field), Some(value)) = (NfdumpJson::field(key), value.scalar()) {
            values[field as usize] = value;
        }
    }
    Ok(values)
}

/// Whether an object is a flow of nfdump.
pub(crate) fn is_flow(object: &[u8]) -> bool {
    let (mut is_timed, mut has_end) = (false, false);
    for (key, _) in Members::new(object).map_while(Result::ok) {
        is_timed |= matches!(key, b"first" | b"t_first");
        has_end |= matches!(key, b"src4_addr" | b"src6_addr");
    }
    is_timed && has_end
}
