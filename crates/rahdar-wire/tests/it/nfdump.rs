//! Flows that nfdump prints.

use rahdar_model::flow::Direction;
use rahdar_wire::{Detection, Format, Options, WireError, detect};

use crate::kept::{decode_all, decoded, line};
use crate::tables::{OUT, ZONELESS, check};

pub(crate) const CSV: &str = "\
ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,sas,das,smk,dmk,dtos,dir,ra,eng,exid,tr
2021-08-15 00:00:00,2021-08-15 00:00:10,10.000,192.0.2.10,198.51.100.7,50000,443,TCP,...AP.SF,0,0,10,1520,0,0,9,0,64496,0,0,0,0,0,203.0.113.1,0/0,1,2021-08-15 00:01:00.039
2021-08-15 00:00:00,2021-08-15 00:00:00,0.000,192.0.2.10,198.51.100.7,0,3.1,ICMP,........,0,0,2,168,1,84,0,0,0,0,0,0,0,0,0.0.0.0,0/0,1,-
Summary
flows,bytes,packets,avg_bps,avg_pps,avg_bpp
2,1688,12,1,1,1
";

#[test]
fn a_row_of_nfdump_has_zeros_for_what_is_not_known() {
    assert_eq!(detect(CSV.as_bytes(), true), Detection::Known(Format::NfdumpCsv));
    let flow = format!("{OUT}, rate unknown");
    let icmp = "192.0.2.10 > 198.51.100.7 icmp 3/1: 168 in 2, back 84 in 1, rate unknown";
    let kept = check(CSV, &[&flow, icmp], &[ZONELESS]);
    let flow = &kept.flows[0];
    assert_eq!(flow.end_time.since(flow.start_time), 10_000_000);
    assert_eq!(flow.received_time.unwrap().to_string(), "2021-08-15T00:01:00.039Z");
    assert_eq!((flow.in_if, flow.out_if, flow.src_as, flow.dst_as), (Some(9), None, Some(64_496), None));
    assert_eq!((flow.tcp_flags, flow.sampling_interval, &*flow.exporter), (Some(0x1b), None, "203.0.113.1"));
}

#[test]
fn a_router_of_zeros_is_none() {
    let (kept, _) = decoded(CSV.as_bytes());
    assert_eq!(&*kept.flows[1].exporter, "nfdump");
    let (kept, _) = decoded(CSV.replace("203.0.113.1", "::").as_bytes());
    assert_eq!(&*kept.flows[0].exporter, "nfdump");
}

/// A table of sums: [`CSV`] without what `-A srcip,dstip` takes away.
fn sums() -> String {
    CSV.replace("50000,443,TCP,...AP.SF", "0,0,0,........").replace("0,3.1,ICMP", "0,0,0")
}

#[test]
fn sums_of_flows_are_known_and_not_read() {
    const KIND: &str = "nfdump CSV of sums (print flows: `nfdump -o csv`, without `-a`, `-A` and `-s`)";
    let header = "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,bps,bpp,flows\n";
    let row = "2021-08-15 00:00:00.250,1.500,6,192.0.2.10,50000,198.51.100.7,443,10,1520,1,1,";
    for table in [
        sums(),
        CSV.replace(",50000,443,TCP,", ",0,0,TCP,").replace("0,3.1,ICMP", "0,0,UDP"),
        "firstSeen,duration,srcAddr,dstAddr,packets,bytes,bps,bpp,flows\n\
         2021-08-15 00:00:00.250,1.500,192.0.2.10,198.51.100.7,7000,883000,1,1,1\n"
            .to_owned(),
        format!("{header}{row}1\n{row}812\n"),
    ] {
        assert_eq!(detect(table.as_bytes(), true), Detection::Unsupported(KIND), "{table}");
        let options = Options { format: Some(Format::NfdumpCsv), ..Options::default() };
        let (kept, result) = decode_all(table.as_bytes(), &options);
        assert!(matches!(result, Err(WireError::Unsupported { kind: KIND })), "{result:?}");
        assert!(kept.flows.is_empty());
    }
    // A sum behind so many rows that nobody looked at it first.
    let rows = 2_000;
    let table = format!("{header}{}{row}812\n", format!("{row}1\n").repeat(rows));
    let (kept, tally) = decoded(table.as_bytes());
    assert_eq!((kept.flows.len(), tally.refused), (rows, 1));
    let problem =
        "line 2002: `flows` cannot be `812` (print flows: `nfdump -o csv`, without `-a`, `-A` and `-s`)";
    assert_eq!(kept.problems(), [ZONELESS, problem]);
}

#[test]
fn one_flow_without_ports_makes_no_table_of_sums() {
    let table = CSV.replace("0,3.1,ICMP", "0,0,0");
    assert_eq!(detect(table.as_bytes(), true), Detection::Known(Format::NfdumpCsv));
    let (kept, _) = decoded(table.as_bytes());
    assert_eq!((kept.flows.len(), kept.flows[1].protocol), (2, 0));
}

#[test]
fn nfdump_1_7_names_its_columns_in_words() {
    let table = "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,bps,bpp,flows\n\
                 2021-08-15 00:00:00.250,1.500,6,192.0.2.10,50000,198.51.100.7,443,10,1520,1,1,1\n\
                 2021-08-15 00:00:00.250,1.500,1,192.0.2.10,0,198.51.100.7,2048,1,84,1,1,1\n";
    assert_eq!(detect(table.as_bytes(), true), Detection::Known(Format::NfdumpCsv));
    let icmp = "192.0.2.10 > 198.51.100.7 icmp 8/0: 84 in 1, rate unknown";
    let kept = check(table, &[&format!("{OUT}, rate unknown"), icmp], &[ZONELESS]);
    assert_eq!(kept.flows[0].end_time.to_string(), "2021-08-15T00:00:01.75Z");
}

#[test]
fn counters_out_that_routers_keep_are_no_reverse_direction() {
    for (counters, expected) in [
        ("10,1520,12,2640", "1520 in 10, back 2640 in 12"),
        ("10,1520,10,1520", "1520 in 10"),
        ("0,0,10,1520", "1520 in 10"),
    ] {
        let (kept, _) = decoded(CSV.replace("10,1520,0,0", counters).as_bytes());
        assert_eq!(line(&kept.flows[0]), format!("{}, rate unknown", OUT.replace("1520 in 10", expected)));
    }
}

#[test]
fn an_end_before_its_start_is_mended() {
    let table = CSV.replace("2021-08-15 00:00:10,10.000", "2021-08-14 23:59:50,18446744073709540.000");
    let (kept, _) = decoded(table.as_bytes());
    assert_eq!(line(&kept.flows[0]), format!("{OUT}, rate unknown, end before start"));
}

#[test]
fn an_interval_that_the_operator_gives_is_known() {
    let options = Options { sampling: Some(100), ..Options::default() };
    let (kept, _) = decode_all(CSV.as_bytes(), &options);
    assert_eq!((line(&kept.flows[0]), kept.flows[0].sampling_interval), (OUT.to_owned(), Some(100)));
}

#[test]
fn csv_fast_counts_milliseconds() {
    let table = "cnt,af,firstSeen,lastSeen,proto,srcAddr,srcPort,dstAddr,dstPort,srcAS,dstAS,input,output,flags,srcTos,packets,bytes\n\
                 1,2,1628985600250,1628985601750,6,192.0.2.10,50000,198.51.100.7,443,0,64496,0,9,...AP.SF,0,10,1520\n";
    assert_eq!(detect(table.as_bytes(), true), Detection::Known(Format::NfdumpCsv));
    let kept = check(table, &[&format!("{OUT}, rate unknown")], &[]);
    let flow = &kept.flows[0];
    assert_eq!(flow.start_time.to_string(), "2021-08-15T00:00:00.25Z");
    assert_eq!((flow.dst_as, flow.out_if, flow.tcp_flags), (Some(64_496), Some(9), Some(0x1b)));
}

/// What nfdump 1.7.1 prints with `-o json`.
pub(crate) const JSON: &str = "\
[
{
\t\"type\" : \"FLOW\",
\t\"sampled\" : 0,
\t\"export_sysid\" : 1,
\t\"first\" : \"2021-08-15T00:00:00.250\",
\t\"last\" : \"2021-08-15T00:00:01.750\",
\t\"received\" : \"2021-08-15T00:01:00.039\",
\t\"in_packets\" : 10,
\t\"in_bytes\" : 1520,
\t\"proto\" : 6,
\t\"tcp_flags\" : \"...AP.SF\",
\t\"src_port\" : 50000,
\t\"dst_port\" : 443,
\t\"src4_addr\" : \"192.0.2.10\",
\t\"dst4_addr\" : \"198.51.100.7\",
\t\"input_snmp\" : 0,
\t\"output_snmp\" : 9,
\t\"dst_as\" : 64496,
\t\"out_packets\" : 12,
\t\"out_bytes\" : 2640,
\t\"direction\" : 1,
\t\"ip4_router\" : \"203.0.113.1\",
\t\"label\" : \"<none>\"
},
{
\t\"type\" : \"FLOW\",
\t\"sampled\" : 1,
\t\"first\" : \"2021-08-15T00:00:00.250\",
\t\"last\" : \"2021-08-15T00:00:00.250\",
\t\"in_packets\" : 1000,
\t\"in_bytes\" : 84000,
\t\"proto\" : 58,
\t\"icmp_type\" : 128,
\t\"icmp_code\" : 0,
\t\"src6_addr\" : \"2001:db8::1\",
\t\"dst6_addr\" : \"2001:db8::2\"
}]
";

const BIFLOW: &str = "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 1520 in 10, back 2640 in 12, rate unknown";
const ECHO: &str = "2001:db8::1 > 2001:db8::2 icmp 128/0: 84000 in 1000, already scaled, rate unknown";

#[test]
fn an_object_of_nfdump_is_read_by_its_names() {
    let lines = JSON.replace(['\n', '\t'], "").replace("},{", "}\n{");
    let lines = format!("{}\n", lines.trim_matches(['[', ']']));
    let of_1_6 =
        JSON.replace("\"first", "\"t_first").replace("\"last", "\"t_last").replace("\"rec", "\"t_rec");
    for log in [JSON, &lines, &of_1_6] {
        assert_eq!(detect(log.as_bytes(), true), Detection::Known(Format::NfdumpJson), "{log}");
        let kept = check(log, &[BIFLOW, ECHO], &[ZONELESS]);
        let flow = &kept.flows[0];
        assert_eq!(flow.start_time.to_string(), "2021-08-15T00:00:00.25Z");
        assert_eq!(flow.end_time.since(flow.start_time), 1_500_000);
        assert_eq!(flow.received_time.unwrap().to_string(), "2021-08-15T00:01:00.039Z");
        assert_eq!((flow.in_if, flow.out_if, flow.dst_as), (None, Some(9), Some(64_496)));
        assert_eq!((&*flow.exporter, flow.tcp_flags), ("203.0.113.1", Some(0x1b)));
        assert_eq!((flow.direction, &*kept.flows[1].exporter), (Some(Direction::Egress), "nfdump"));
    }
}

#[test]
fn objects_without_ip_are_beside_and_wrong_ones_refused_where_they_begin() {
    let lines = "{\"type\":\"FLOW\",\"first\":\"2021-08-15T00:00:00.250\",\"src4_addr\":\"192.0.2.10\",\"in_bytes\":1}\n\
                 {\"type\":\"FLOW\",\"first\":\"2021-08-15T00:00:00.250\",\"in_bytes\":60}\n\
                 {\"type\":\"FLOW\",\"first\":\"2021-08-15T00:00:00.250\",\"src4_a\n";
    let kept =
        check(lines, &[], &["line 1: `dst4_addr` is missing", "line 3: octet 56 of the line is no JSON"]);
    assert!(kept.flows.is_empty());
}

/// What nfdump 1.7.1 prints with `-o pipe`.
pub(crate) const PIPE: &str = "\
2|1628985600250|1628985601750|6|0|0|0|3221225994|50000|0|0|0|3325256711|443|0|64496|0|9|27|0|10|1520
10|1628985600250|1628985600250|58|536939960|0|0|1|0|536939960|0|0|2|32768|0|0|0|0|0|0|1|84
";

#[test]
fn a_row_between_bars_has_addresses_in_four_numbers() {
    let of_1_6 = PIPE
        .replace("1628985600250|1628985601750", "1628985600|250|1628985601|750")
        .replace("1628985600250|1628985600250", "1628985600|250|1628985600|250");
    for rows in [PIPE, &of_1_6] {
        assert_eq!(detect(rows.as_bytes(), true), Detection::Known(Format::NfdumpPipe), "{rows}");
        let echo = "2001:db8::1 > 2001:db8::2 icmp 128/0: 84 in 1, rate unknown";
        let kept = check(rows, &[&format!("{OUT}, rate unknown"), echo], &[]);
        let flow = &kept.flows[0];
        assert_eq!(flow.start_time.to_string(), "2021-08-15T00:00:00.25Z");
        assert_eq!(flow.end_time.since(flow.start_time), 1_500_000);
        assert_eq!((flow.dst_as, flow.out_if, flow.tcp_flags), (Some(64_496), Some(9), Some(0x1b)));
    }
    let unspecified = "10|1628985600250|1628985600250|58|0|0|0|0|0|4278321152|0|0|2|32768|0|0|0|0|0|0|1|84\n";
    check(unspecified, &[":: > ff02::2 icmp 128/0: 84 in 1, rate unknown"], &[]);
    let cut = format!("{PIPE}2|1628985600250|17\n{}", PIPE.trim_end());
    let (kept, _) = decoded(cut.as_bytes());
    assert_eq!(
        kept.problems(),
        ["line 3: the row has 3 columns, not 22 or 24", "line 5: the last row has no end, and may be cut"]
    );
}

#[test]
fn what_nfdump_prints_for_people_is_known_and_not_read() {
    let kind = "what nfdump prints for people (print it so: `nfdump -o csv`)";
    for text in [
        "Date first seen             Duration     Proto      Src IP Addr:Port          Dst IP Addr:Port   Packets\n",
        "Date flow start          Duration Proto      Src IP Addr:Port          Dst IP Addr:Port   Packets\n",
        "\nFlow Record: \n  RecordCount  =  1\n",
    ] {
        assert_eq!(detect(text.as_bytes(), true), Detection::Unsupported(kind), "{text}");
    }
}
