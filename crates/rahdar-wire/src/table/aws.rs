//! AWS VPC flow logs, versions 2 to 8, as S3 and CloudWatch have them.
//!
//! A row is a uniflow at one network interface, which is the exporter: two interfaces that see the same
//! packets are two exporters. The log is not sampled, and counts IP octets.
//!
//! `pkt-srcaddr` and `pkt-dstaddr` stand before `srcaddr` and `dstaddr` where the log has them: those are
//! the addresses in the packets, these of the interface that the packets pass, such as a NAT gateway's or
//! that of the node of a pod. A hunt asks who talked to whom.
//!
//! `NODATA` is beside. `SKIPDATA` says that records of its time were skipped, not how many: a gap of at least one.
//!
//! Source: Amazon VPC user guide, "Flow log records".

use rahdar_model::fact::{Fact, Gap, Loss, Unit};
use rahdar_model::flow::{Direction, protocol, tcp};
use rahdar_model::sink::SinkError;
use rahdar_model::time::SECOND_US;
use rahdar_model::{FlowRecord, Window};

use super::{Field, Kind, Layout, Row, Tool, values};
use crate::delivery::Delivery;
use crate::value::{ValueError, address, moment, short, time};

/// The columns of version 2, which a log has that does not name them.
const VERSION_2: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
                         action log-status";

pub(crate) struct Aws;

impl Aws {
    /// Whether a row, or a row behind a time, is of version 2.
    pub(crate) fn is_version_2(row: &[u8]) -> bool {
        let mut columns = values(row, b' ').skip(usize::from(is_timed(row)));
        let (version, action, status) = (columns.next(), columns.nth(11), columns.next());
        version == Some(b"2")
            && matches!(action, Some(b"ACCEPT" | b"REJECT" | b"-"))
            && matches!(status, Some(b"OK" | b"NODATA" | b"SKIPDATA"))
            && columns.next().is_none()
    }
}

/// Whether a row begins with the time that CloudWatch puts there.
fn is_timed(row: &[u8]) -> bool {
    values(row, b' ').next().is_some_and(|first| moment(first).is_some())
}

impl Tool for Aws {
    const EXPORTER: &'static str = "aws";
    const NAME: &'static str = "an AWS VPC flow log";
    const IS_UNSAMPLED: bool = true;
    const IS_ZONELESS: bool = false;

    const SEPARATORS: &'static [u8] = b"\t|,; ";

    /// Tables of Athena have `_` for `-`, or the longer names of its first manuals.
    fn field(name: &[u8]) -> Option<Field> {
        Some(match name {
            b"interface-id" | b"interface_id" | b"interfaceid" => Field::Exporter,
            b"srcaddr" | b"sourceaddress" => Field::Src,
            b"dstaddr" | b"destinationaddress" => Field::Dst,
            b"pkt-srcaddr" | b"pkt_srcaddr" => Field::PacketSrc,
            b"pkt-dstaddr" | b"pkt_dstaddr" => Field::PacketDst,
            b"srcport" | b"sourceport" => Field::SrcPort,
            b"dstport" | b"destinationport" => Field::DstPort,
            b"protocol" => Field::Protocol,
            b"packets" | b"numpackets" => Field::Packets,
            b"bytes" | b"numbytes" => Field::Octets,
            b"start" | b"starttime" => Field::Start,
            b"end" | b"endtime" => Field::End,
            b"tcp-flags" | b"tcp_flags" => Field::Flags,
            b"flow-direction" | b"flow_direction" => Field::Direction,
            b"action" => Field::State,
            b"log-status" | b"log_status" | b"logstatus" => Field::Status,
            _ => return None,
        })
    }

    fn suffices(layout: &Layout) -> bool {
        let has = |field| layout.has(field);
        has(Field::Start)
            && (has(Field::Src) || has(Field::PacketSrc))
            && (has(Field::Dst) || has(Field::PacketDst))
    }

    /// Version 2, and before it the time that an export from CloudWatch puts at the beginning of a line.
    fn unnamed(row: &[u8]) -> Option<Layout> {
        let is_timed = is_timed(row);
        let time = is_timed.then_some((None, &b"timestamp"[..]));
        let named = values(VERSION_2.as_bytes(), b' ').map(|name| (Self::field(name), name));
        Self::is_version_2(row).then(|| Layout::new(b' ', time.into_iter().chain(named)))
    }

    fn kind(row: &Row<'_>) -> Result<Kind, ValueError> {
        Ok(match row.raw(Field::Status) {
            b"NODATA" => Kind::Beside,
            b"SKIPDATA" => Kind::Gap,
            _ => Kind::Flow,
        })
    }

    fn fill(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
        let (src, dst) = (row.get(Field::PacketSrc, address)?, row.get(Field::PacketDst, address)?);
        row.fill::<Self>(src, dst, record)?;
        // There is no type and no code of ICMP in the log: its ports are 0.
        record.src_port = row.get(Field::SrcPort, short)?.unwrap_or(0);
        record.dst_port = row.get(Field::DstPort, short)?.unwrap_or(0);
        let flags = row.get(Field::Flags, short)?.filter(|_| record.protocol == protocol::TCP);
        record.tcp_flags = flags.map(|flags| tcp::with_ack(flags, record.packets, record.octets));
        record.direction = row.get(Field::Direction, |text| match text {
            b"ingress" => Some(Direction::Ingress),
            b"egress" => Some(Direction::Egress),
            _ => None,
        })?;
        Ok(())
    }
}

/// Gives the gap of a row to the sink, if the row says when it was.
pub(super) fn give_gap(row: &Row<'_>, delivery: &mut Delivery<'_>) -> Result<(), SinkError> {
    let (Ok(Some(start)), Ok(end)) = (row.get(Field::Start, time), row.get(Field::End, time)) else {
        return Ok(());
    };
    // The last second of the interval is inside.
    let until = end.unwrap_or(start).max(start).plus_micros(SECOND_US);
    let gap = Gap {
        exporter: delivery.record.exporter.clone(),
        observation_domain: 0,
        window: Window::new(delivery.moved(start), delivery.moved(until)),
        cause: Loss::Sequence,
        unit: Unit::Records,
        lost: 1,
        source: delivery.record.source.clone(),
    };
    delivery.fact(Fact::Gap(&gap))
}
