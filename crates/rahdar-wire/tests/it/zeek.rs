//! Zeek `conn.log` in its two forms.

use rahdar_model::Timestamp;
use rahdar_model::flow::{Initiator, SamplingSource};
use rahdar_model::time::Shift;
use rahdar_wire::{Detection, Format, Options, WireError, detect};

use crate::kept::{decode_all, decoded, line};
use crate::made::{BEGIN_S, CONN_HEADER, CONN_JSON, CONN_ROW};

/// Decodes a log and compares its flows, line by line, and its problems.
fn check(log: &str, flows: &[&str], problems: &[&str]) {
    let (kept, tally) = decoded(log.as_bytes());
    assert_eq!(kept.flows.iter().map(line).collect::<Vec<_>>(), flows);
    assert_eq!(kept.problems(), problems);
    assert_eq!(tally.decoded, flows.len() as u64);
}

/// Reads [`CONN_ROW`] with some of its columns changed.
fn check_row(columns: &[(usize, &str)], flow: &str) {
    let mut row: Vec<&str> = CONN_ROW.trim_end().split('\t').collect();
    for (column, value) in columns {
        row[*column] = value;
    }
    check(&format!("{CONN_HEADER}{}\n", row.join("\t")), &[flow], &[]);
}

const ROW_LINE: &str =
    "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 1520 in 10, back 2640 in 12, flags 0x13 0x13";

const TS: usize = 0;
const ORIG_H: usize = 2;
const ORIG_P: usize = 3;
const RESP_H: usize = 4;
const RESP_P: usize = 5;
const PROTO: usize = 6;
const DURATION: usize = 8;
const MISSED: usize = 14;
const HISTORY: usize = 15;
const ORIG_PKTS: usize = 16;
const ORIG_IP: usize = 17;
const RESP_IP: usize = 19;

#[test]
fn every_field_of_a_row_arrives() {
    let (kept, tally) = decoded(format!("{CONN_HEADER}{CONN_ROW}").as_bytes());
    let flow = &kept.flows[0];
    assert_eq!(flow.start_time, Timestamp::from_seconds(BEGIN_S.into()).plus_micros(250_000));
    assert_eq!(flow.end_time.since(flow.start_time), 1_500_000);
    assert_eq!((flow.payload_octets, flow.rev_payload_octets), (Some(1_000), Some(2_000)));
    assert_eq!((flow.sampling_interval, flow.sampling_source), (Some(1), Some(SamplingSource::Assumed)));
    assert_eq!(flow.initiator, Some(Initiator::Source));
    assert_eq!((&*flow.uid, &*flow.service, &*flow.state), ("CAbc1", "ssl", "SF"));
    assert_eq!((&*flow.exporter, &*flow.source, flow.source_row), ("zeek", "test", 9));
    assert_eq!(tally.beside, 8);
    assert_eq!(line(flow), ROW_LINE);
}

#[test]
fn protocols_have_their_registered_names() {
    for (name, number) in [("sctp", 132), ("gre", 47), ("ETHERIP", 97)] {
        let flow = format!("192.0.2.10 50000 > 198.51.100.7 443 proto {number}: 1520 in 10, back 2640 in 12");
        check_row(&[(PROTO, name)], &flow);
    }
}

#[test]
fn a_transport_that_nobody_names_is_not_protocol_0() {
    let row = |proto: &str| format!("{CONN_HEADER}{}", CONN_ROW.replace("\ttcp\t", &format!("\t{proto}\t")));
    check(&row("unknown_transport"), &[], &["line 9: `ip_proto` is missing"]);
    check(&row("x"), &[], &["line 9: `proto` cannot be `x`"]);
}

#[test]
fn a_time_in_milliseconds_is_read_so_and_told_once() {
    let row = CONN_JSON.replace("1628985600.25", "1628985600250");
    assert_ne!(row, CONN_JSON);
    let (kept, _) = decoded(format!("{row}{row}").as_bytes());
    let begin = Timestamp::from_seconds(BEGIN_S.into()).plus_micros(250_000);
    assert!(kept.flows.iter().all(|flow| flow.start_time == begin));
    assert_eq!(kept.problems(), ["input: some times count milliseconds, not seconds: they are read so"]);
}

#[test]
fn names_with_dots_underscores_and_nesting_mean_the_same() {
    let nested = CONN_JSON
        .replace(r#""id.orig_h""#, r#""id":{"orig_h""#)
        .replace("id.orig_p", "orig_p")
        .replace("id.resp_h", "resp_h")
        .replace(r#""id.resp_p":443"#, r#""resp_p":443}"#);
    let (tsv, _) = decoded(format!("{CONN_HEADER}{CONN_ROW}").as_bytes());
    for json in [
        CONN_JSON.to_owned(),
        CONN_JSON.replace("id.", "id_"),
        nested,
        CONN_JSON.replace(r#"{"ts""#, r#"{"_path":"conn","_write_ts":"x","ts""#),
        CONN_JSON.replace("1628985600.25", r#""2021-08-15T00:00:00.250000Z""#),
        CONN_JSON.replace(":1000,", ":1000.0,").replace(":12,", r#":"12","#),
        CONN_JSON.trim_end().to_owned(),
    ] {
        let (mut kept, _) = decoded(json.as_bytes());
        kept.flows[0].source_row = 9;
        assert_eq!(kept.flows, tsv.flows, "{json}");
    }
}

#[test]
fn history_tells_flags_and_doubts() {
    let flow = |flags| ROW_LINE.replace("0x13 0x13", flags);
    check_row(&[(HISTORY, "S")], &flow("0x02 0x00"));
    check_row(&[(HISTORY, "Sr")], &flow("0x02 0x04"));
    check_row(&[(HISTORY, "^hADd")], &flow("0x10 0x12, direction guessed, midstream"));
    check_row(&[(HISTORY, "DadA")], &flow("0x10 0x10, direction guessed, midstream"));
    check_row(&[(HISTORY, "^Sh")], &flow("0x02 0x12, direction guessed"));
    check_row(&[(HISTORY, "-")], &ROW_LINE.replace(", flags 0x13 0x13", ""));
}

#[test]
fn doubtful_rows_are_kept_and_marked() {
    check_row(&[(MISSED, "512")], &format!("{ROW_LINE}, content gap"));
    check_row(&[(TS, "19.981745")], &format!("{ROW_LINE}, clock suspect"));
    check_row(&[(DURATION, "-1.0")], &format!("{ROW_LINE}, end before start"));
    check_row(&[(ORIG_IP, "199")], &format!("{}, impossible size", ROW_LINE.replace("1520 in", "199 in")));
}

#[test]
fn where_ip_octets_are_not_logged_payload_stands_for_them() {
    let payload = |line: String| format!("{line}, content gap");
    check_row(&[(ORIG_IP, "-")], &payload(ROW_LINE.replace("1520 in", "1000 in")));
    check_row(&[(RESP_IP, "-")], &payload(ROW_LINE.replace("2640 in", "2000 in")));
    check_row(&[(ORIG_IP, "-"), (ORIG_PKTS, "-")], &payload(ROW_LINE.replace("1520 in 10", "1000 in 0")));
}

#[test]
fn a_row_that_counts_nothing_is_not_one_of_no_octets() {
    let log = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\n\
               1628985600\tCx\t192.0.2.10\t50000\t198.51.100.7\t443\ttcp\tSF\n";
    let flow = "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 0 in 0, back 0 in 0, content gap";
    check(log, &[flow], &[]);
}

#[test]
fn icmp_has_types_and_codes_in_place_of_ports() {
    let rest = ": 1520 in 10, back 2640 in 12";
    let columns = |kind, code| [(PROTO, "icmp"), (ORIG_P, kind), (RESP_P, code), (HISTORY, "-")];
    check_row(&columns("3", "1"), &format!("192.0.2.10 > 198.51.100.7 icmp 3/1{rest}"));
    check_row(&columns("13", "14"), &format!("192.0.2.10 > 198.51.100.7 icmp 13/0{rest}"));
    let mut six = columns("135", "136").to_vec();
    six.extend([(ORIG_H, "2001:db8::1"), (RESP_H, "2001:db8::2")]);
    check_row(&six, &format!("2001:db8::1 > 2001:db8::2 icmp 135/0{rest}"));
}

#[test]
fn the_header_says_how_rows_are_read() {
    let log = "#separator ;\n#unset_field;?\n#fields;conn_state;proto;id.resp_h;id.orig_h;ts;orig_pkts\n\
               ?;udp;198.51.100.7;192.0.2.10;1628985600;3\n";
    check(log, &["192.0.2.10 0 > 198.51.100.7 0 proto 17: 0 in 3, back 0 in 0, content gap"], &[]);
}

#[test]
fn a_header_midway_holds_for_the_rows_after_it() {
    let other = "#path\tdns\n#fields\tts\tuid\tquery\n1628985600\tCx\texample.org\n";
    let again = CONN_HEADER.replace("#separator \\x09\n", "\t#separator \\x09\r\n");
    let log = format!("{CONN_HEADER}{CONN_ROW}#close\t2021\n{other}{again}{CONN_ROW}");
    check(&log, &[ROW_LINE, ROW_LINE], &["input: not read, and beside: dns (1)"]);
}

#[test]
fn a_row_of_names_stands_for_the_directives() {
    let names = CONN_HEADER.lines().find_map(|line| line.strip_prefix("#fields\t")).unwrap();
    let log = format!("{names}\n{CONN_ROW}{names}\n{CONN_ROW}");
    assert_eq!(detect(log.as_bytes(), true), Detection::Known(Format::ZeekTsv));
    check(&log, &[ROW_LINE, ROW_LINE], &[]);
}

#[test]
fn separators_are_those_of_the_header() {
    let log = format!("{CONN_HEADER}{CONN_ROW}")
        .replace("\t-\n", "\t~\n")
        .replace("#separator \\x09", "#separator \\x7c")
        .replace("(empty)", "EMPTY")
        .replace("#unset_field\t-", "#unset_field\t~")
        .replace('\t', "|");
    assert_eq!(detect(log.as_bytes(), true), Detection::Known(Format::ZeekTsv));
    check(&log, &[ROW_LINE], &[]);
}

#[test]
fn objects_may_be_streamed_wrapped_or_in_an_array() {
    let streamed = CONN_JSON.replace(
        r#"{"ts":1628985600.25"#,
        r#"{"_path":"conn","_system_name":"a","_write_ts":"2021-08-15T00:00:02.000000Z","ts":"2021-08-15T00:00:00.250000Z""#,
    );
    let message = serde_json::to_string(CONN_JSON.trim_end()).unwrap();
    for log in [
        streamed.clone(),
        format!("[{},\n{}]", CONN_JSON.trim_end(), streamed.trim_end()),
        format!("[{{\"_path\":\"files\",\"ts\":1}},\n{}]", streamed.trim_end()),
        format!("{{\"@timestamp\":\"2021-08-15T00:00:02.000Z\",\"message\":{message}}}\n"),
        format!("\u{feff}{CONN_JSON}"),
    ] {
        assert_eq!(detect(log.as_bytes(), true), Detection::Known(Format::ZeekJson), "{log}");
        let (kept, tally) = decoded(log.as_bytes());
        assert!(kept.flows.iter().all(|flow| line(flow) == ROW_LINE), "{log}");
        assert!(tally.decoded > 0 && tally.refused == 0, "{log}");
        let begin = Timestamp::from_seconds(BEGIN_S.into()).plus_micros(250_000);
        assert!(kept.flows.iter().all(|flow| flow.start_time == begin), "{log}");
    }
}

#[test]
fn rows_behind_half_a_header_are_refused() {
    let log = format!("{CONN_HEADER}{CONN_ROW}#separator \\x09\n{CONN_ROW}");
    check(&log, &[ROW_LINE], &["line 11: no `#fields` line of its header stands before it"]);
}

#[test]
fn labels_are_passed_over() {
    // Tab-separated, and three columns in one as label tools write them, in header and row.
    let fields = |name: &str| CONN_HEADER.replace("\ttunnel_parents\n", name);
    let row = |value: &str| CONN_ROW.replace("\t-\n", value);
    for (name, value) in [
        ("\ttunnel_parents\tlabel\tdetailedlabel\n", "\t-\tMalicious\tC&C\n"),
        ("\ttunnel_parents   label   detailed-label\n", "\t(empty)   Malicious   C&C\n"),
        ("\ttunnel_parents\tlabel\tdetailedlabel\n", "\t-   Malicious   C&C\n"),
    ] {
        check(&format!("{}{}", fields(name), row(value)), &[ROW_LINE], &[]);
    }
}

#[test]
fn a_wrong_row_is_refused_by_line_and_field() {
    let log = format!(
        "{CONN_HEADER}{CONN_ROW}{}{}1628985600\tCx\n{CONN_ROW}",
        CONN_ROW.replace("192.0.2.10", "192.0.2.300"),
        CONN_ROW.replace("\ttcp\t", "\t-\t")
    );
    check(
        &log,
        &[ROW_LINE, ROW_LINE],
        &[
            "line 10: `id.orig_h` cannot be `192.0.2.300`",
            "line 11: `proto` is missing",
            "line 12: the row has 2 of 21 columns",
        ],
    );
}

#[test]
fn a_flood_of_wrong_rows_is_counted_and_not_named() {
    let log = format!("{CONN_HEADER}{}{CONN_ROW}", "x\n".repeat(1_500));
    let (kept, tally) = decoded(log.as_bytes());
    assert_eq!((tally.decoded, tally.refused, kept.problems.len()), (1, 1_500, 1_001));
    let last = kept.problems().pop().unwrap();
    assert_eq!(last, "line 1009: 500 more records are refused from here on; they are not named");
}

#[test]
fn a_last_row_that_is_cut_is_refused() {
    let whole = format!("{CONN_HEADER}{CONN_ROW}{CONN_ROW}");
    check(whole.trim_end(), &[ROW_LINE, ROW_LINE], &[]);
    check(
        whole.trim_end().strip_suffix("\t-").unwrap(),
        &[ROW_LINE],
        &["line 10: the row has 20 of 21 columns"],
    );
}

#[test]
fn wrong_objects_are_refused_by_line() {
    let log = format!("{CONN_JSON}\n{{\"ts\":1}}\n{}[]\n{CONN_JSON}", CONN_JSON.replace("443,", "443443,"));
    check(
        &log,
        &[ROW_LINE, ROW_LINE],
        &[
            "line 3: `id.orig_h` is missing",
            "line 4: `id.resp_p` cannot be `443443`",
            "line 5: octet 0 of the line is no JSON",
        ],
    );
}

#[test]
fn other_logs_in_a_stream_are_beside() {
    let log = format!(
        "{{\"_path\":\"files\",\"ts\":1}}\n{}",
        CONN_JSON.replace(r#"{"ts""#, r#"{"@stream":"conn","ts""#)
    );
    let (kept, tally) = decoded(log.as_bytes());
    assert_eq!((kept.flows.len(), tally.received, tally.beside), (1, 1, 1));
}

#[test]
fn other_logs_in_a_stream_are_named_once() {
    let of = |path: &str| format!("{{\"_path\":\"{path}\",\"ts\":1628985600.25,\"note\":\"x\"}}\n");
    let log = [CONN_JSON, &of("weird"), &of("notice"), &of("weird"), &of("a\\n\u{1b}`")].concat();
    let named = "input: not read, and beside: a?n?? (1), notice (1), weird (2)";
    let (kept, tally) = decoded(log.as_bytes());
    assert_eq!((kept.problems(), tally.received, tally.beside), (vec![named.to_owned()], 1, 4));
    // They are named after as many problems as are named.
    let (kept, tally) = decoded([&"{\n".repeat(1_000), &*log].concat().as_bytes());
    assert_eq!((kept.problems().split_off(1_000), tally.refused), (vec![named.to_owned()], 1_000));
    let logs: String = (0..70).map(|n| of(&format!("log{n:02}"))).collect();
    let (kept, tally) = decoded(format!("{CONN_JSON}{logs}").as_bytes());
    let problem = kept.problems().pop().unwrap();
    assert!(problem.ends_with(", log63 (1), others (6)"), "{problem}");
    assert_eq!((kept.problems().len(), tally.beside), (1, 70));
    let header = |path: &str| {
        format!("#fields\tts\tnote\n#path\t{path}\n").replace("#fields", "#separator \\x09\n#fields")
    };
    let rows = format!("{CONN_HEADER}{CONN_ROW}{}1\tx\n2\tx\n", header("weird"));
    assert_eq!(decoded(rows.as_bytes()).0.problems(), ["input: not read, and beside: weird (2)"]);
}

#[test]
fn escapes_become_what_they_stand_for() {
    let (kept, _) =
        decoded(format!("{CONN_HEADER}{}", CONN_ROW.replace("CAbc1", r"a\x2db\xc3\xa9\xZZ")).as_bytes());
    assert_eq!(kept.flows[0].uid, r"a-bé\xZZ");
    let (kept, _) = decoded(CONN_JSON.replace("CAbc1", r#"a\"bé\\"#).as_bytes());
    assert_eq!(kept.flows[0].uid, r#"a"bé\"#);
}

#[test]
fn the_operator_has_the_last_word() {
    let options = Options {
        exporter: Some("border".into()),
        sampling: Some(100),
        shift: Shift::By(86_400_000_000),
        ..Options::default()
    };
    let (kept, _) = decode_all(format!("{CONN_HEADER}{CONN_ROW}").as_bytes(), &options);
    let flow = &kept.flows[0];
    assert_eq!(&*flow.exporter, "border");
    assert_eq!((flow.sampling_interval, flow.sampling_source), (Some(100), Some(SamplingSource::Operator)));
    assert_eq!(flow.start_time.to_string(), "2021-08-16T00:00:00.25Z");
    assert_eq!(flow.end_time.since(flow.start_time), 1_500_000);
    assert_eq!(line(flow), format!("{ROW_LINE}, time shifted"));
}

#[test]
fn relative_times_can_be_placed() {
    let log = format!("{CONN_HEADER}{}", CONN_ROW.replace("1628985600.25", "16.25"));
    let options = Options { shift: Shift::By(i64::from(BEGIN_S) * 1_000_000), ..Options::default() };
    let (kept, _) = decode_all(log.as_bytes(), &options);
    assert_eq!(line(&kept.flows[0]), format!("{ROW_LINE}, time shifted"));
}

#[test]
fn rows_without_a_header_are_an_error_that_says_so() {
    let options = Options { format: Format::from_word("zeek"), ..Options::default() };
    let (_, result) = decode_all(CONN_ROW.as_bytes(), &options);
    let Err(WireError::Unknown { looks }) = result else { panic!("{result:?}") };
    assert_eq!(
        looks,
        "line 1 is a row, and no `#fields` line stands before it (cut logs with `zeek-cut -C`)"
    );
}

#[test]
fn other_kinds_of_log_are_known_but_not_read() {
    for (head, kind) in [
        (
            "#separator \\x09\n#path\tdns\n#fields\tts\tuid\tid.orig_h\tproto\tquery\n",
            "a Zeek dns.log without ts, id.orig_h, id.resp_h or query",
        ),
        (
            "#separator \\x09\n#path\tfiles\n#fields\tts\tuid\tid.orig_h\turi\n",
            "a Zeek files.log without ts, its hosts, mime_type, seen_bytes or hashes",
        ),
        (
            "#separator \\x09\n#path\tmine\n#fields\tts\n",
            "a Zeek log other than conn, dns, ssl, http and files",
        ),
        (
            "#separator \\x09\n#path\tconn\n#fields\tts\tuid\n",
            "a Zeek conn.log without ts, id.orig_h, id.resp_h, proto or conn_state",
        ),
        (r#"{"_path":"weird","ts":1}"#, "Zeek weird.log"),
        ("#path\tquic\n#fields\tts\tuid\tid.orig_h\tid.resp_h\tserver_name\n", "Zeek quic.log"),
        (r#"{"_path":"x509","_write_ts":"2021-08-15T00:00:00.2Z","ts":1}"#, "Zeek x509.log"),
        ("ts,uid,id.orig_h,id.orig_p,proto\n", "Zeek logs as CSV (import the logs themselves)"),
        (CONN_ROW, "rows of Zeek without their header (cut logs with `zeek-cut -C`)"),
        (
            "#path\tconn_long\n#fields\tts\tid.orig_h\tid.resp_h\tproto\tconn_state\n",
            "Zeek conn_long.log (its connections come again in conn.log)",
        ),
        (
            r#"{"ts":1,"id.orig_h":"192.0.2.1","proto":"udp","uri":"x"}"#,
            "a Zeek log other than conn, dns, ssl, http and files",
        ),
    ] {
        assert_eq!(detect(head.as_bytes(), true), Detection::Unsupported(kind), "{head}");
    }
    for head in ["", "# a README\n", "{}", "{\"type\":\"bundle\"}", "hello", "1628985600\tx\t192.0.2.10\n"] {
        assert_eq!(detect(head.as_bytes(), true), Detection::Unknown, "{head}");
    }
}
