//! The columns of a flow.

use std::sync::Arc;

use super::{Column, Kind, Origin, Row, Stored, Value};
use crate::address::Address;
use crate::flow::FlowRecord;
use crate::time::Timestamp;

impl Row for FlowRecord {
    const TABLE: &'static str = "flows";
    const ROW: &'static str = "flow";
    const TIME: &'static str = "start_time";
    const COLUMNS: &'static [Column<Self>] = COLUMNS;

    fn blank() -> Self {
        Self::new(Arc::default(), Arc::default())
    }

    fn time(&self) -> Timestamp {
        self.start_time
    }

    fn origin(&self) -> String {
        format!("record {} of `{}`", self.source_row, self.source)
    }
}

/// Every column, in the order of the table. Day, times and addresses come first: Delta keeps
/// statistics on the first 32.
pub const COLUMNS: &[Column<FlowRecord>] = &[
    column!(
        "day",
        Date,
        required,
        "UTC day of `start_time`; the table is partitioned by it",
        "",
        "",
        "",
        "",
        |r| Value::Int(i64::from(r.start_time.day().0)),
        |_, _| {}
    ),
    column!(
        start_time,
        Timestamp,
        required,
        "first packet",
        "first, sys_uptime, unix_secs",
        "21, 22, 150–159, 160–162, 322–325",
        "ts",
        "first packet"
    ),
    column!(
        end_time,
        Timestamp,
        required,
        "last packet",
        "last, sys_uptime, unix_secs",
        "21, 22, 150–159, 160–162, 322–325",
        "ts + duration",
        "last packet"
    ),
    half!(
        "src_hi",
        src,
        0,
        "upper half of the source address, order-preserving",
        "srcaddr",
        "8, 27",
        "id.orig_h",
        "IP header"
    ),
    half!("src_lo", src, 1, "lower half of the source address", "srcaddr", "8, 27", "id.orig_h", "IP header"),
    half!(
        "dst_hi",
        dst,
        0,
        "upper half of the destination address",
        "dstaddr",
        "12, 28",
        "id.resp_h",
        "IP header"
    ),
    half!(
        "dst_lo",
        dst,
        1,
        "lower half of the destination address",
        "dstaddr",
        "12, 28",
        "id.resp_h",
        "IP header"
    ),
    column!(
        src_port,
        Int32,
        required,
        "port of the source, 0 where there is none",
        "srcport",
        "7, 180, 182",
        "id.orig_p",
        "transport header"
    ),
    column!(
        dst_port,
        Int32,
        required,
        "port of the destination, 0 where there is none",
        "dstport",
        "11, 181, 183",
        "id.resp_p",
        "transport header"
    ),
    column!(protocol, Int16, required, "IP protocol number (IANA)", "prot", "4", "proto", "IP header"),
    column!(
        export_time,
        Timestamp,
        nullable,
        "the exporter's clock at export",
        "unix_secs, unix_nsecs",
        "message header",
        "",
        ""
    ),
    column!(
        received_time,
        Timestamp,
        nullable,
        "arrival at the collector or capture point",
        "capture",
        "capture",
        "",
        ""
    ),
    column!(
        tcp_flags,
        Int16,
        nullable,
        "union of forward TCP flags",
        "tcp_flags",
        "6",
        "history",
        "TCP header"
    ),
    column!(
        rev_tcp_flags,
        Int16,
        nullable,
        "union of reverse TCP flags",
        "",
        "6 (reverse)",
        "history",
        "TCP header"
    ),
    column!(
        packets,
        Int64,
        required,
        "forward packets as exported, not scaled",
        "dPkts",
        "2, 86, else 24, 298",
        "orig_pkts",
        "counted"
    ),
    column!(
        octets,
        Int64,
        required,
        "forward IP octets as exported, not scaled",
        "dOctets",
        "1, 85, else 23, 352, 353, 231",
        "orig_ip_bytes",
        "IP total length"
    ),
    column!(
        rev_packets,
        Int64,
        nullable,
        "reverse packets; null for a uniflow",
        "",
        "2, 86, 24 (reverse), 299; in v9 24 beside 2",
        "resp_pkts",
        "counted"
    ),
    column!(
        rev_octets,
        Int64,
        nullable,
        "reverse IP octets; null for a uniflow",
        "",
        "1, 85, 23, 352, 353 (reverse), 232; in v9 23 beside 1",
        "resp_ip_bytes",
        "IP total length"
    ),
    column!(
        payload_octets,
        Int64,
        nullable,
        "forward octets above the transport header",
        "",
        "231",
        "orig_bytes",
        "IP length − headers"
    ),
    column!(
        rev_payload_octets,
        Int64,
        nullable,
        "reverse octets above the transport header",
        "",
        "232",
        "resp_bytes",
        "IP length − headers"
    ),
    column!(
        sampling_interval,
        Int32,
        nullable,
        "one in so many packets was metered, or flows where `sampler` is 3: 1 unsampled, null unknown",
        "sampling",
        "34, 50, 305 / 306, 309 / 310, 311, 396 / 397",
        "1",
        "1"
    ),
    column!(
        sampling_source,
        Text,
        nullable,
        "who gave the interval: header, option template, operator, assumed",
        "header",
        "options",
        "assumed",
        "assumed"
    ),
    column!(
        exporter,
        Text,
        required,
        "the device that saw the packets: its address, or the name given at import",
        "sender",
        "sender, 130, 131",
        "--exporter",
        "--exporter"
    ),
    column!(
        observation_domain,
        Int64,
        required,
        "the exporter's own subdivision",
        "engine type and id",
        "message header",
        "",
        ""
    ),
    column!(in_if, Int64, nullable, "interface in (SNMP index)", "input", "10, 252", "", ""),
    column!(out_if, Int64, nullable, "interface out (SNMP index)", "output", "14, 253", "", ""),
    column!(src_as, Int64, nullable, "origin AS of the source, as exported", "src_as", "16", "", ""),
    column!(dst_as, Int64, nullable, "origin AS of the destination, as exported", "dst_as", "17", "", ""),
    column!(direction, Int16, nullable, "0 ingress, 1 egress", "", "61", "", ""),
    column!(
        initiator,
        Int16,
        nullable,
        "0 arbitrary, 1 source, 2 destination, 3 perimeter",
        "",
        "239",
        "source; marked as guessed where history has `^`, or shows neither a SYN nor the responder's SYN+ACK",
        "opening packet"
    ),
    column!(
        end_reason,
        Int16,
        nullable,
        "why the record ended (IANA element 136)",
        "",
        "136, 36",
        "",
        "1 idle, 2 active, 3 FIN or RST, 4 end of capture, 5 no room"
    ),
    column!(
        icmp_type,
        Int16,
        nullable,
        "ICMP type",
        "dstport",
        "32, 139, 176, 178",
        "id.orig_p",
        "ICMP header"
    ),
    column!(
        icmp_code,
        Int16,
        nullable,
        "ICMP code",
        "dstport",
        "32, 139, 177, 179",
        "id.resp_p",
        "ICMP header"
    ),
    column!(
        sampler,
        Int16,
        nullable,
        "0 unknown, 1 random, 2 systematic, 3 flow",
        "sampling",
        "35, 49, 304, 390",
        "",
        ""
    ),
    column!(community_id, Text, nullable, "Community ID v1", "", "", "community_id", ""),
    column!(uid, Text, nullable, "the source's own id of the flow", "", "148", "uid", ""),
    column!(service, Text, nullable, "application protocol as the source detected it", "", "", "service", ""),
    column!(state, Text, nullable, "connection state as the source names it", "", "233", "conn_state", ""),
    column!(
        quality,
        Int32,
        required,
        "what is doubtful: a bit set",
        "decoder",
        "decoder",
        "decoder",
        "decoder"
    ),
    column!(
        source,
        Text,
        required,
        "the file or spool segment that the record came from",
        "file",
        "file",
        "file",
        "file"
    ),
    column!(
        source_row,
        Int64,
        required,
        "the record's number in it, from 1",
        "record",
        "record",
        "line",
        "first packet"
    ),
];

/// The column of this name, if there is one.
pub fn column(name: &str) -> Option<&'static Column<FlowRecord>> {
    COLUMNS.iter().find(|column| column.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Initiator, Quality, SamplingSource};

    #[test]
    fn a_record_survives_the_way_through_its_columns() {
        let mut record = FlowRecord::new("r1".into(), "conn.log".into());
        record.start_time = Timestamp::from_seconds(1_629_000_000);
        record.end_time = Timestamp::from_seconds(1_629_000_060);
        record.src = "203.0.113.25".parse().unwrap();
        record.dst = "2001:db8::7".parse().unwrap();
        record.src_port = 65_535;
        record.tcp_flags = Some(0x1b);
        record.octets = 1 << 40;
        record.rev_octets = Some(0);
        record.sampling_interval = Some(512);
        record.sampling_source = Some(SamplingSource::OptionTemplate);
        record.initiator = Some(Initiator::Destination);
        record.quality = Quality::CLOCK_SUSPECT | Quality::RATE_UNKNOWN;
        record.uid = "CAbc".to_owned();
        record.source_row = 9;

        let mut copy = FlowRecord::new("".into(), "".into());
        for column in COLUMNS {
            (column.set)(&mut copy, (column.get)(&record));
        }
        assert_eq!(copy, record);
    }

    #[test]
    fn statistics_reach_times_and_addresses() {
        for name in ["day", "start_time", "end_time", "src_hi", "dst_lo", "octets"] {
            let position = COLUMNS.iter().position(|c| c.name == name).unwrap();
            assert!(position < 32, "{name}");
        }
    }

    #[test]
    fn a_counter_beyond_the_stored_range_saturates() {
        let mut record = FlowRecord::new("r1".into(), "s".into());
        record.octets = u64::MAX;
        record.sampling_interval = Some(u32::MAX);
        assert_eq!(column("octets").unwrap().stored(&record), Value::Int(i64::MAX));
        assert_eq!(column("sampling_interval").unwrap().stored(&record), Value::Int(i64::from(i32::MAX)));
    }
}
