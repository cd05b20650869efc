//! Flows as rows of text: AWS and Argus, and what all tables have.

use std::fs::File;

use rahdar_model::Quality;
use rahdar_model::fact::{Loss, Unit};
use rahdar_model::flow::{Direction, Initiator, SamplingSource};
use rahdar_testkit::corpus;
use rahdar_wire::{Detection, Format, Options, WireError, detect};

use crate::kept::{Kept, decode_all, decoded, line};

/// Decodes a table and compares its flows, row by row, and its problems.
pub(crate) fn check(table: &str, flows: &[&str], problems: &[&str]) -> Kept {
    let (kept, _) = decoded(table.as_bytes());
    assert_eq!(kept.flows.iter().map(line).collect::<Vec<_>>(), flows, "{table}");
    assert_eq!(kept.problems(), problems, "{table}");
    kept
}

pub(crate) const ZONELESS: &str =
    "input: times have no zone and are taken as UTC; `--time-offset` moves them";

pub(crate) const AWS: &str = "\
version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
2 123456789010 eni-1 192.0.2.10 198.51.100.7 50000 443 6 10 1520 1628985600 1628985660 ACCEPT OK
2 123456789010 eni-2 198.51.100.7 192.0.2.10 443 50000 6 12 2640 1628985600 1628985660 REJECT OK
";

pub(crate) const OUT: &str = "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 1520 in 10";
const BACK: &str = "198.51.100.7 443 > 192.0.2.10 50000 proto 6: 2640 in 12";

#[test]
fn a_row_of_aws_is_a_uniflow_at_an_interface() {
    assert_eq!(detect(AWS.as_bytes(), true), Detection::Known(Format::Aws));
    let kept = check(AWS, &[OUT, BACK], &[]);
    let flow = &kept.flows[1];
    assert_eq!(
        (flow.start_time.to_string(), flow.end_time.to_string()),
        ("2021-08-15T00:00:00Z".into(), "2021-08-15T00:01:00Z".into())
    );
    assert_eq!((&*flow.exporter, &*flow.state, flow.source_row), ("eni-2", "REJECT", 3));
    assert_eq!((flow.sampling_interval, flow.sampling_source), (Some(1), Some(SamplingSource::Assumed)));
    assert_eq!((flow.rev_octets, flow.rev_packets, flow.tcp_flags, flow.direction), (None, None, None, None));
}

#[test]
fn aws_without_a_header_is_version_2() {
    let rows: String = AWS.split_inclusive('\n').skip(1).collect();
    assert_eq!(detect(rows.as_bytes(), true), Detection::Known(Format::Aws));
    check(&rows, &[OUT, BACK], &[]);
    let timed: String =
        rows.split_inclusive('\n').map(|row| format!("2021-08-15T00:01:02.000Z {row}")).collect();
    assert_eq!(detect(timed.as_bytes(), true), Detection::Known(Format::Aws));
    check(&timed, &[OUT, BACK], &[]);
}

#[test]
fn aws_leaves_out_that_packets_acknowledge() {
    let log = "srcaddr dstaddr srcport dstport protocol packets bytes start end action tcp-flags\n";
    let row = |packets: u64, octets: u64, flags: &str| {
        let log = format!(
            "{log}192.0.2.10 198.51.100.7 50000 443 6 {packets} {octets} 1628985600 1628985660 ACCEPT {flags}\n"
        );
        let (kept, _) = decode_all(log.as_bytes(), &Options::default());
        kept.flows[0].tcp_flags
    };
    assert_eq!(row(10, 1_520, "3"), Some(0x13));
    assert_eq!((row(12, 2_640, "19"), row(4, 2_000, "0")), (Some(0x13), Some(0x10)));
    // Calls in vain stay what they are.
    assert_eq!((row(3, 180, "2"), row(1, 40, "4"), row(3, 180, "-")), (Some(2), Some(4), None));
}

#[test]
fn aws_names_its_columns_in_any_order() {
    let table = "flow-direction tcp-flags bytes packets protocol dstport srcport dstaddr srcaddr end start new-field\n\
                 egress 19 1520 10 6 443 50000 198.51.100.7 192.0.2.10 1628985660 1628985600 x\n";
    let kept = check(table, &[OUT], &[]);
    assert_eq!((kept.flows[0].tcp_flags, kept.flows[0].direction), (Some(19), Some(Direction::Egress)));
    assert_eq!(&*kept.flows[0].exporter, "aws");
}

#[test]
fn packets_that_a_table_does_not_tell_are_not_none() {
    let table = "srcaddr dstaddr srcport dstport protocol bytes start end\n\
                 192.0.2.10 198.51.100.7 50000 443 6 1520 1628985600 1628985660\n";
    check(table, &[&format!("{}, content gap", OUT.replace("in 10", "in 0"))], &[]);
    let unset = AWS.replace(" 10 1520 ", " - 1520 ").replace(" 12 2640 ", " - - ");
    let gap =
        |flow: &str, counters: &str, told: &str| format!("{}, content gap", flow.replace(counters, told));
    check(&unset, &[&gap(OUT, "in 10", "in 0"), &gap(BACK, "2640 in 12", "0 in 0")], &[]);
}

#[test]
fn addresses_in_the_packets_stand_before_those_of_a_gateway() {
    let header = "srcaddr dstaddr pkt-srcaddr pkt-dstaddr srcport dstport protocol packets bytes start end\n";
    let rest = "50000 443 6 10 1520 1628985600 1628985660";
    check(&format!("{header}192.0.2.10 192.0.2.1 192.0.2.10 198.51.100.7 {rest}\n"), &[OUT], &[]);
    check(&format!("{header}192.0.2.10 198.51.100.7 - - {rest}\n"), &[OUT], &[]);
}

#[test]
fn no_data_is_beside_and_skipped_data_is_a_gap() {
    let row = |status: &str| format!("2 1 eni-1 - - - - - - - 1628985600 1628985660 - {status}\n");
    let table = format!("{AWS}{}{}", row("NODATA"), row("SKIPDATA"));
    let kept = check(&table, &[OUT, BACK], &[]);
    let [gap] = &kept.gaps[..] else { panic!("{:?}", kept.gaps) };
    assert_eq!((&*gap.exporter, gap.cause, gap.unit, gap.lost), ("eni-1", Loss::Sequence, Unit::Records, 1));
    assert_eq!(format!("{:?}", gap.window), "[2021-08-15T00:00:00Z, 2021-08-15T00:01:01Z)");
    let (_, tally) = decoded(table.as_bytes());
    assert_eq!((tally.received, tally.beside), (2, 3));
}

#[test]
fn tables_of_athena_have_other_names() {
    let header = "\"version\",\"account_id\",\"interface_id\",\"srcaddr\",\"dstaddr\",\"srcport\",\"dstport\",\"protocol\",\"packets\",\"bytes\",\"start\",\"end\",\"action\",\"log_status\",\"pkt_dstaddr\"";
    let first = "version,account,interfaceid,sourceaddress,destinationaddress,sourceport,destinationport,protocol,numpackets,numbytes,starttime,endtime,action,logstatus,x";
    for header in [header, first] {
        let table = format!(
            "{header}\n\"2\",\"1\",\"eni-1\",\"192.0.2.10\",\"198.51.100.7\",\"50000\",\"443\",\"6\",\"10\",\"1520\",\
             \"1628985600\",\"1628985660\",\"ACCEPT\",\"OK\",\"\"\n"
        );
        assert_eq!(detect(table.as_bytes(), true), Detection::Known(Format::Aws), "{table}");
        let kept = check(&table, &[OUT], &[]);
        assert_eq!((&*kept.flows[0].exporter, &*kept.flows[0].state), ("eni-1", "ACCEPT"));
    }
}

#[test]
fn logs_one_after_the_other_each_have_their_header() {
    let other = "version bytes packets protocol srcport dstport srcaddr dstaddr start\n\
                 5 1520 10 6 50000 443 192.0.2.10 198.51.100.7 1628985600\n";
    check(&format!("{AWS}{other}{AWS}"), &[OUT, BACK, OUT, OUT, BACK], &[]);
}

#[test]
fn values_may_be_quoted() {
    let quote = |line: &str| format!("\"{}\"\n", line.replace(' ', "\",\""));
    let table: String = AWS.lines().map(quote).collect();
    assert_eq!(detect(table.as_bytes(), true), Detection::Known(Format::Aws));
    check(&table, &[OUT, BACK], &[]);
}

#[test]
fn wrong_rows_are_refused_by_line_and_column() {
    let row = AWS.lines().nth(1).unwrap();
    let table = format!(
        "{AWS}{}\n{}\n{}\n2 1 eni-1\n{}",
        row.replace("192.0.2.10", "host"),
        row.replace("192.0.2.10", "-"),
        row.replace(" 1520 ", " many "),
        row.strip_suffix(" OK").unwrap(),
    );
    check(
        &table,
        &[OUT, BACK],
        &[
            "line 4: `srcaddr` cannot be `host`",
            "line 5: `srcaddr` is missing",
            "line 6: `bytes` cannot be `many`",
            "line 7: the row has 3 of 14 columns",
            "line 8: the row has 13 of 14 columns",
        ],
    );
}

pub(crate) const ARGUS: &str = "\
StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,SrcPkts,Label
2021/08/15 00:00:00.250000,1.500000,tcp,192.0.2.10,50000,   ->,198.51.100.7,443,FSPA_FSA,0,0,22,4160,1520,10,flow=From
2021/08/15 00:00:00.250000,0.000000,icmp,192.0.2.10,0x0103,  <->,198.51.100.7,0x7208,URH,0,,2,144,144,2,
";

const ARGUS_OUT: &str = "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 1520 in 10, back 2640 in 12, flags 0x1b 0x13, \
                         layer-2 length";

#[test]
fn a_row_of_argus_is_a_biflow() {
    assert_eq!(detect(ARGUS.as_bytes(), true), Detection::Known(Format::Argus));
    let icmp = "192.0.2.10 > 198.51.100.7 icmp 3/1: 144 in 2, back 0 in 0, layer-2 length";
    let kept = check(ARGUS, &[ARGUS_OUT, icmp], &[ZONELESS]);
    let flow = &kept.flows[0];
    assert_eq!((&*flow.state, flow.initiator), ("FSPA_FSA", Some(Initiator::Source)));
    assert_eq!((flow.sampling_interval, &*flow.exporter), (Some(1), "argus"));
    check(&ARGUS.replace(',', "\t"), &[ARGUS_OUT, icmp], &[ZONELESS]);
}

/// Reads one row of Argus with these columns.
fn argus(columns: &str, values: &str) -> Kept {
    let table = format!(
        "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,{columns}\n\
         2021/08/15 00:00:00,1.0,tcp,192.0.2.10,50000,->,198.51.100.7,443,CON,{values}\n"
    );
    decoded(table.as_bytes()).0
}

#[test]
fn packets_of_argus_are_divided_only_where_that_is_known() {
    for (columns, values, packets) in [
        ("TotPkts,TotBytes,SrcBytes", "22,4160,1520", (22, None)),
        ("TotPkts,TotBytes,SrcBytes", "22,4160,4160", (22, Some(0))),
        ("TotPkts,TotBytes,SrcBytes", "22,4160,0", (0, Some(22))),
        ("TotPkts,TotBytes,SrcBytes,DstPkts", "22,4160,1520,12", (10, Some(12))),
        ("SrcPkts,DstPkts,SrcBytes,DstBytes", "10,12,1520,2640", (10, Some(12))),
    ] {
        let kept = argus(columns, values);
        let flow = &kept.flows[0];
        assert_eq!((flow.packets, flow.rev_packets), packets, "{columns} {values}");
        assert_eq!(flow.total_octets(), 4_160);
        assert!(!flow.quality.contains(Quality::IMPOSSIBLE_SIZE), "{columns} {values}");
    }
    let kept = argus("TotPkts,TotBytes,SrcBytes", "22,22,10");
    assert!(kept.flows[0].quality.contains(Quality::IMPOSSIBLE_SIZE));
    assert_eq!(
        argus("TotPkts,TotBytes,SrcBytes", "2,100,101").problems(),
        ["line 2: `TotBytes` cannot be `100`"]
    );
}

#[test]
fn the_arrow_of_argus_tells_who_began() {
    for (arrow, initiator, is_guessed) in [
        ("->", Some(Initiator::Source), false),
        ("<->", Some(Initiator::Source), false),
        ("<-", Some(Initiator::Destination), false),
        ("?>", None, true),
        ("<?>", None, true),
        ("", None, false),
    ] {
        let (kept, _) = decoded(ARGUS.replace("   ->", arrow).as_bytes());
        let flow = &kept.flows[0];
        assert_eq!(flow.initiator, initiator, "{arrow}");
        assert_eq!(flow.quality.contains(Quality::DIRECTION_GUESSED), is_guessed, "{arrow}");
    }
}

#[test]
fn ports_of_argus_may_have_names_and_times_must_have_dates() {
    let table = ARGUS.replace(",443,FSPA", ",https,FSPA").replace(',', ";");
    assert_eq!(detect(table.as_bytes(), true), Detection::Known(Format::Argus));
    let icmp = "192.0.2.10 > 198.51.100.7 icmp 3/1: 144 in 2, back 0 in 0, layer-2 length";
    check(&table, &[ARGUS_OUT, icmp], &[ZONELESS]);
    check(
        &ARGUS.replace(",443,FSPA", ",kpop,FSPA").replacen(
            "2021/08/15 00:00:00.250000,0.0",
            "00:00:00.250000,0.0",
            1,
        ),
        &[],
        &[
            "line 2: `Dport` cannot be `kpop` (have `ra` print numbers: `-nn`)",
            "line 3: `StartTime` cannot be `00:00:00.250000` (have `ra` print dates: `-u`)",
        ],
    );
    let counted = ARGUS.replace("2021/08/15 00:00:00.250000", "1628985600.250000");
    let kept = check(&counted, &[ARGUS_OUT, icmp], &[]);
    assert_eq!(kept.flows[0].start_time.to_string(), "2021-08-15T00:00:00.25Z");
}

#[test]
fn rows_of_argus_without_ip_are_beside() {
    let rows = "2021/08/15 00:00:00,0,man,0,0,,0,0,STA,,,0,0,0,0,\n\
                2021/08/15 00:00:00,0,arp,192.0.2.10,,who,192.0.2.1,,INT,,,1,60,60,1,\n\
                1628985600.25,0,2054,192.0.2.10,,who,192.0.2.1,,INT,,,1,60,60,1,\n\
                1628985600.25,0,0,02:00:00:00:00:01,66,->,02:00:00:00:00:02,66,INT,,,1,60,60,1,\n\
                2021/08/15 00:00:00,0,x,02:00:00:00:00:01,0,->,02:00:00:00:00:02,0,INT,,,1,60,60,1,\n";
    let (kept, tally) = decoded(format!("{ARGUS}{rows}").as_bytes());
    assert_eq!((kept.flows.len(), tally.received, tally.beside), (2, 2, 6));
}

#[test]
fn tables_that_do_not_suffice_are_known_and_not_read() {
    for (header, kind) in [
        (
            "StartTime,Dur,Proto,SrcAddr,DstAddr,TotPkts,TotBytes\n",
            "Argus CSV without SrcBytes (print it so: `ra -nn -u -c , -s +ltime +dur +spkts +dpkts +sbytes +dbytes`)",
        ),
        (
            "         StartTime      Flgs  Proto            SrcAddr  Sport   Dir            DstAddr  Dport  SrcBytes   DstBytes State \n",
            "columns of Argus for people (print them so: `ra -nn -u -c , -s +ltime +dur +spkts +dpkts +sbytes +dbytes`)",
        ),
        (
            "5 eni-1 192.0.2.10 198.51.100.7 10 1520 1628985600 1628985660 ACCEPT OK vpc-1\n",
            "rows of an AWS VPC flow log with columns of its own (put a line with their names before them)",
        ),
        (
            "ts,te,td,pr,val,fl,flP,pkt,pktP,byt\n",
            "nfdump CSV of sums (print flows: `nfdump -o csv`, without `-a`, `-A` and `-s`)",
        ),
        (
            "firstSeen,duration,proto,packets,bytes,flows\n",
            "nfdump CSV of sums (print flows: `nfdump -o csv`, without `-a`, `-A` and `-s`)",
        ),
    ] {
        assert_eq!(detect(header.as_bytes(), true), Detection::Unsupported(kind), "{header}");
    }
    for word in ["aws", "nfdump-csv", "silk", "argus"] {
        let options = Options { format: Format::from_word(word), ..Options::default() };
        let (_, result) = decode_all(&b"hello\n"[..], &options);
        let Err(WireError::Unknown { looks }) = result else { panic!("{result:?}") };
        assert!(looks.starts_with("line 1 is no header of "), "{looks}");
    }
}

#[test]
fn binetflow_files_are_read_row_by_row() {
    let Some(corpus) = corpus() else { return };
    // Rows, those without IP, and sums, as a script reads them that splits the columns.
    for (file, rows, beside, packets, octets) in CORPUS {
        let path = corpus.join("captures/argus").join(file);
        let (kept, result) = decode_all(File::open(path).unwrap(), &Options::default());
        let tally = result.unwrap();
        assert_eq!(
            (tally.received, tally.beside - 1, kept.problems()),
            (rows - beside, beside, vec![ZONELESS.to_owned()]),
            "{file}"
        );
        assert_eq!((kept.packets(), kept.octets()), (packets, octets), "{file}");
    }
}

const CORPUS: [(&str, u64, u64, u64, u64); 3] = [
    ("test11-portscan.binetflow", 66, 0, 712, 181904),
    ("test3-mixed.binetflow", 89, 0, 186, 39779),
    ("test5-mixed.binetflow", 300, 4, 29639, 2825007),
];
