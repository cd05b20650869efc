//! Flow logs of Google Cloud and Azure.

use rahdar_model::flow::{Direction, Initiator, SamplingSource};
use rahdar_model::{Quality, Timestamp};
use rahdar_testkit::alone::most_memory;
use rahdar_testkit::{alone, skipped};
use rahdar_wire::{Detection, Format, Options, detect};

use crate::kept::{Kept, decode_all, decoded, line};

/// Decodes a log and compares its flows and problems.
fn check(log: &str, flows: &[&str], problems: &[&str]) -> Kept {
    let (kept, _) = decoded(log.as_bytes());
    assert_eq!(kept.flows.iter().map(line).collect::<Vec<_>>(), flows, "{log}");
    assert_eq!(kept.problems(), problems, "{log}");
    kept
}

/// An entry as Cloud Logging exports it: numbers of 64 bits are texts.
pub(crate) const GCP: &str = concat!(
    r#"{"insertId":"a1","jsonPayload":{"bytes_sent":"1520","connection":{"dest_ip":"198.51.100.7","dest_port":443,"#,
    r#""protocol":6,"src_ip":"192.0.2.10","src_port":50000},"end_time":"2021-08-15T00:00:01.750000000Z","#,
    r#""packets_sent":"10","reporter":"SRC","rtt_msec":"7","src_instance":{"vm_name":"a"},"#,
    r#""start_time":"2021-08-15T00:00:00.250000000Z"},"#,
    r#""logName":"projects/example/logs/compute.googleapis.com%2Fvpc_flows","timestamp":"2021-08-15T00:00:05Z"}"#,
    "\n"
);

const GCP_LINE: &str =
    "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 1520 in 10, already scaled, rate unknown, layer unknown";

#[test]
fn an_entry_of_gcp_is_a_uniflow_seen_from_one_side() {
    assert_eq!(detect(GCP.as_bytes(), true), Detection::Known(Format::Gcp));
    let other = GCP.replace("SRC", "DEST_GATEWAY");
    let kept = check(&format!("{GCP}{other}"), &[GCP_LINE, GCP_LINE], &[]);
    let [from, to] = &kept.flows[..] else { panic!() };
    assert_eq!((&*from.exporter, from.direction), ("gcp src", Some(Direction::Egress)));
    assert_eq!((&*to.exporter, to.direction), ("gcp dest_gateway", Some(Direction::Ingress)));
    assert_eq!((to.source_row, to.sampling_interval, to.rev_octets), (2, None, None));
    assert_eq!(from.end_time.since(from.start_time), 1_500_000);
}

#[test]
fn an_entry_of_gcp_without_its_octets_is_not_one_of_none() {
    let log = GCP.replace("bytes_sent", "other");
    assert_ne!(log, GCP);
    let line = GCP_LINE.replace("1520 in 10", "0 in 10").replace("rate unknown", "rate unknown, content gap");
    check(&log, &[&line], &[]);
}

#[test]
fn an_entry_of_gcp_without_its_packets_is_not_one_of_an_impossible_size() {
    let log = GCP.replace("packets_sent", "other");
    assert_ne!(log, GCP);
    let line =
        GCP_LINE.replace("1520 in 10", "1520 in 0").replace("rate unknown", "rate unknown, content gap");
    check(&log, &[&line], &[]);
}

#[test]
fn entries_of_gcp_may_stand_in_an_array_and_have_numbers() {
    let array = format!("[\n  {},\n  {}\n]\n", GCP.trim_end(), GCP.trim_end().replace("\"1520\"", "1520"));
    assert_eq!(detect(array.as_bytes(), true), Detection::Known(Format::Gcp));
    check(&array, &[GCP_LINE, GCP_LINE], &[]);
}

#[test]
fn entries_of_firewall_rules_are_beside_and_named_once() {
    let entry = concat!(
        r#"{"insertId":"b","jsonPayload":{"connection":{"dest_ip":"198.51.100.7","dest_port":443,"protocol":6,"#,
        r#""src_ip":"192.0.2.10","src_port":50000},"disposition":"ALLOWED","rule_details":{"action":"ALLOW"}},"#,
        r#""logName":"projects/example/logs/compute.googleapis.com%2Ffirewall"}"#,
        "\n"
    );
    let log = [entry, GCP, &entry.replace("ALLOWED", "DENIED")].concat();
    let named = "input: not read, and beside: entries of firewall rules (2)";
    check(&log, &[GCP_LINE], &[named]);
    let (_, tally) = decoded(log.as_bytes());
    assert_eq!((tally.received, tally.beside), (1, 2));
}

#[test]
fn entries_of_gcp_may_have_come_through_bigquery() {
    let log = GCP.replace(":443", ":\"443.0\"").replace(":50000", ":\"50000\"").replace(":6,", ":\"6.0\",");
    for (from, until) in [
        ("2021-08-15 00:00:00.250000 UTC", "2021-08-15 00:00:01.750000 UTC"),
        ("2021-08-15T00:00:00.250000Z", "2021-08-15T00:00:01.750000Z"),
        ("2021-08-15 00:00:00.25+00", "2021-08-15 00:00:01.75+00:00"),
    ] {
        let log = log
            .replace("2021-08-15T00:00:00.250000000Z", from)
            .replace("2021-08-15T00:00:01.750000000Z", until);
        let kept = check(&log, &[GCP_LINE], &[]);
        let flow = &kept.flows[0];
        assert_eq!(flow.start_time.to_string(), "2021-08-15T00:00:00.25Z", "{from}");
        assert_eq!(flow.end_time.since(flow.start_time), 1_500_000, "{from}");
    }
}

/// What Firehose writes of a subscription to CloudWatch Logs: rows of version 2 in messages.
pub(crate) const MESSAGES: &str = concat!(
    r#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"eni-1-all","subscriptionFilters":["f"],"#,
    r#""logEvents":[{"id":"1","timestamp":1628985600000,"message":"2 1 eni-1 192.0.2.10 198.51.100.7 50000 443 6 10 1520 "#,
    r#"1628985600 1628985660 ACCEPT OK","extractedFields":{"version":"2"}},{"id":"2","timestamp":1628985600000,"#,
    r#""message":"2 1 eni-1 - - - - - - - 1628985600 1628985660 - NODATA"}]}"#,
    r#"{"messageType":"DATA_MESSAGE","logEvents":[{"id":"3","timestamp":1628985600000,"message":"2 1 eni-1 192.0.2.10 "#,
    r#"198.51.100.7 50000 443 6 10 1520 1628985600 1628985660 ACCEPT OK"}]}"#,
    "\n"
);

#[test]
fn rows_of_aws_stand_in_messages_of_cloudwatch() {
    const ROW: &str = "2 1 eni-1 192.0.2.10 198.51.100.7 50000 443 6 10 1520 1628985600 1628985660 ACCEPT OK";
    const FLOW: &str = "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 1520 in 10";
    for log in [
        MESSAGES.to_owned(),
        format!("{{\"message\":\"{ROW}\"}}\n{{\"message\":\"{ROW}\"}}\n"),
        format!("[{{\"@timestamp\":\"x\",\"@message\":\"{ROW}\"}},{{\"@message\":\"{ROW}\"}}]"),
        format!(
            "{{\n \"events\": [{{\"message\":\"{ROW}\"}},\n{{\"message\":\"{ROW}\"}}],\"nextToken\":\"t\"}}"
        ),
    ] {
        assert_eq!(detect(log.as_bytes(), true), Detection::Known(Format::Aws), "{log}");
        let kept = check(&log, &[FLOW, FLOW], &[]);
        assert_eq!((&*kept.flows[0].exporter, &*kept.flows[0].state), ("eni-1", "ACCEPT"));
    }
    let insights = |lines: &str| {
        let row = format!(
            "[{{{lines}\"field\":\"@timestamp\",\"value\":\"2021-08-15 00:00:00.000\"}},{lines}\
             {{\"field\":\"@message\",\"value\":\"{ROW}\"}},{{\"field\":\"@ptr\",\"value\":\"x\"}}]"
        );
        format!("\"results\":{lines}[{row},{lines}{row}{lines}],\"statistics\":{{\"recordsMatched\":2.0}},")
    };
    for log in [
        format!("{{{}\"status\":\"Complete\"}}", insights("")),
        format!("{{\n\"queryLanguage\": \"CWLI\",\n{}\n\"status\":\"Complete\"\n}}\n", insights("\n  ")),
    ] {
        assert_eq!(detect(log.as_bytes(), true), Detection::Known(Format::Aws), "{log}");
        check(&log, &[FLOW, FLOW], &[]);
    }
    let problem = "the message is no row of version 2, and nothing names the columns of another";
    let of_3 = "{\"message\":\"3 vpc-1 subnet-1 198.51.100.1 203.0.113.1 443 5000 6 840 10 1629000000 1629000060 ACCEPT OK\"}\n";
    let row = format!("{{\"message\":\"{ROW}\"}}\n");
    check(&format!("{row}{of_3}{row}"), &[FLOW, FLOW], &[&format!("octet {}: {problem}", row.len())]);
    let other = MESSAGES.replace("2 1 eni-1 192", "eni-1 192");
    let options = Options { format: Some(Format::Aws), ..Options::default() };
    let (kept, _) = decode_all(other.as_bytes(), &options);
    assert_eq!(kept.problems()[0], format!("octet 0: {problem}"));
}

#[test]
fn an_interval_that_the_operator_gives_is_known() {
    let options = Options { sampling: Some(30), ..Options::default() };
    let (kept, _) = decode_all(GCP.as_bytes(), &options);
    assert_eq!(line(&kept.flows[0]), GCP_LINE.replace(", rate unknown", ""));
}

#[test]
fn wrong_entries_of_gcp_are_refused_where_they_begin() {
    let audit = "{\"jsonPayload\":{\"who\":\"x\"},\"logName\":\"audit\"}\n";
    let log = [GCP, audit, &GCP.replace("192.0.2.10", "x"), &GCP.replace("start_time", "s"), "7\n"].concat();
    let at = |n: usize| n * GCP.len() + audit.len();
    let problems = [
        format!("octet {}: `src_ip` cannot be `x`", at(1)),
        format!("octet {}: `start_time` is missing", at(2) - 9),
        format!("octet {}: no object begins here", at(3) - 9 - 9),
    ];
    check(&log, &[GCP_LINE], &problems.each_ref().map(|problem| &**problem));
    let (_, tally) = decoded(log.as_bytes());
    assert_eq!((tally.received, tally.beside), (4, 1));
}

/// Tuples of a security group, version 2: begun, ended, denied.
pub(crate) const TUPLES: [&str; 3] = [
    "1628985600,192.0.2.10,198.51.100.7,50000,443,T,O,A,B,,,,",
    "1628985602,192.0.2.10,198.51.100.7,50000,443,T,O,A,E,10,1520,12,2640",
    "1628985603,203.0.113.9,192.0.2.10,4000,53,U,I,D,B,,,,",
];

/// A log of a security group.
pub(crate) fn nsg(version: u32, tuples: &[&str]) -> String {
    let tuples = tuples.join("\",\"");
    format!(
        "{{\"records\":[\n{{\"time\":\"2021-08-15T00:01:00.1Z\",\"category\":\"NetworkSecurityGroupFlowEvent\",\
         \"properties\":{{\"Version\":{version},\"flows\":[{{\"rule\":\"r\",\"flows\":[{{\"mac\":\"0200005E1001\",\
         \"flowTuples\":[\"{tuples}\"]}}]}}]}}}}\n]}}\n"
    )
}

const BEGUN: &str = "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 0 in 0, back 0 in 0";
const ENDED: &str =
    "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 1520 in 10, back 2640 in 12, layer-2 length";
const DENIED: &str = "203.0.113.9 4000 > 192.0.2.10 53 proto 17: 0 in 0, back 0 in 0";

#[test]
fn a_tuple_of_a_security_group_is_a_biflow() {
    let log = nsg(2, &TUPLES);
    assert_eq!(detect(log.as_bytes(), true), Detection::Known(Format::Azure));
    let kept = check(&log, &[BEGUN, ENDED, DENIED], &[]);
    let flow = &kept.flows[1];
    let times = [flow.start_time, flow.end_time].map(|time| time.to_string());
    assert_eq!(times, ["2021-08-15T00:00:00Z", "2021-08-15T00:00:02Z"]);
    assert_eq!((&*flow.exporter, &*flow.state, flow.source_row), ("0200005E1001", "A E", 2));
    assert_eq!((flow.direction, flow.initiator), (Some(Direction::Egress), Some(Initiator::Source)));
    assert_eq!((flow.sampling_interval, flow.sampling_source), (Some(1), Some(SamplingSource::Assumed)));
    assert_eq!((&*kept.flows[2].state, kept.flows[2].direction), ("D B", Some(Direction::Ingress)));
}

#[test]
fn version_1_counts_nothing_and_is_marked() {
    let kept = check(
        &nsg(1, &["1628985600,192.0.2.10,198.51.100.7,50000,443,T,O,A"]),
        &["192.0.2.10 50000 > 198.51.100.7 443 proto 6: 0 in 0, content gap"],
        &[],
    );
    assert_eq!((&*kept.flows[0].state, kept.flows[0].rev_octets), ("A", None));
    assert!(kept.flows[0].quality.contains(Quality::CONTENT_GAP));
}

#[test]
fn a_tuple_of_a_virtual_network_has_milliseconds_and_a_number_for_the_protocol() {
    let log = r#"{"records":[{"time":"2021-08-15T00:00:52.5Z","flowLogVersion":4,"macAddress":"0200005E1001",
        "category":"FlowLogFlowEvent","flowRecords":{"flows":[{"aclID":"x","flowGroups":[{"rule":"r","flowTuples":[
        "1628985600250,192.0.2.10,198.51.100.7,50000,443,6,O,B,NX,0,0,0,0",
        "1628985602,192.0.2.10,198.51.100.7,50000,443,6,O,E,NX,10,1520,12,2640",
        "1628985603000,203.0.113.9,192.0.2.10,4000,53,17,I,D,NX,0,0,0,0"]}]}]}}]}"#;
    assert_eq!(detect(log.as_bytes(), true), Detection::Known(Format::Azure));
    let kept = check(log, &[BEGUN, ENDED, DENIED], &[]);
    let times: Vec<_> = kept.flows.iter().map(|flow| flow.start_time.to_string()).collect();
    assert_eq!(times, ["2021-08-15T00:00:00.25Z", "2021-08-15T00:00:00.25Z", "2021-08-15T00:00:03Z"]);
    assert_eq!((&*kept.flows[2].state, &*kept.flows[2].exporter), ("D", "0200005E1001"));
}

#[test]
fn a_tuple_begins_where_the_one_before_of_its_flow_was() {
    let flow = "192.0.2.10,198.51.100.7,50000,443,T,O,A";
    let tuples = [
        format!("1628985600,{flow},B,,,,"),
        "1628985610,192.0.2.10,198.51.100.7,50001,443,T,O,A,C,1,60,1,60".to_owned(),
        format!("1628985900,{flow},C,10,1520,12,2640"),
        format!("1628985960,{flow},E,1,60,1,60"),
        format!("1628986000,{flow},E,1,60,1,60"),
    ];
    let (kept, _) =
        decode_all(nsg(2, &tuples.each_ref().map(String::as_str)).as_bytes(), &Options::default());
    let seconds = |time: Timestamp| time.micros() / 1_000_000 - 1_628_985_600;
    let times: Vec<_> = kept.flows.iter().map(|f| (seconds(f.start_time), seconds(f.end_time))).collect();
    assert_eq!(times, [(0, 0), (10, 10), (0, 300), (300, 360), (400, 400)]);
}

#[test]
fn a_flow_goes_on_however_its_ends_are_written() {
    let tuples = [
        "1628985600,2001:db8::a,2001:DB8:0::7,050000,00443,T,O,A,B,,,,",
        "1628985602,2001:db8:0::a,2001:db8::7,50000,443,T,O,A,E,10,1520,12,2640",
    ];
    let (kept, _) = decoded(nsg(2, &tuples).as_bytes());
    assert_eq!(kept.flows[1].end_time.since(kept.flows[1].start_time), 2_000_000);
}

#[test]
fn no_more_of_an_interface_is_kept_with_a_flow_than_a_hardware_address_takes() {
    let of = |tuple: &str, name: &str| nsg(2, &[tuple]).replace("0200005E1001", name);
    let lasted = |other: &str| {
        let log = of(TUPLES[0], "02-00-00-00-00-5E-10-01 and more") + &of(TUPLES[1], other);
        let (kept, _) = decoded(log.as_bytes());
        kept.flows[1].end_time.since(kept.flows[1].start_time)
    };
    assert_eq!(lasted("02-00-00-00-00-5E-10-01 or less"), 2_000_000);
    assert_eq!(lasted("02-00-00-00-00-5E-10-02 and more"), 0);
}

#[test]
fn a_name_of_any_length_takes_no_memory_with_every_flow() {
    alone("cloud::a_name_of_any_length_takes_no_memory_with_every_flow", || {
        let tuple = |port: u32| format!("1628985600,192.0.2.10,198.51.100.7,{port},443,T,O,A,B,,,,");
        let tuples: Vec<String> = (1..=2_000).map(tuple).collect();
        let log = nsg(2, &tuples.iter().map(String::as_str).collect::<Vec<_>>());
        let log = log.replace("0200005E1001", &"x".repeat(128 << 10));
        let before = most_memory();
        let (kept, _) = decoded(log.as_bytes());
        assert_eq!(kept.flows.len(), 2_000);
        let Some((before, after)) = before.zip(most_memory()) else {
            return skipped("nobody tells the memory in use");
        };
        assert!(after - before < 64 << 20, "{} octets more", after - before);
    });
}

#[test]
fn wrong_tuples_are_refused_and_other_records_are_beside() {
    let tuples = [
        "1628985600,x,198.51.100.7,1,2,T,O,A",
        "1628985600,192.0.2.10",
        TUPLES[1],
        "1,192.0.2.10,192.0.2.1,1,2,Q,O,A",
    ];
    check(
        &nsg(1, &tuples),
        &[ENDED],
        &[
            "octet 182: `source address` cannot be `x`",
            "octet 220: the tuple has 2 of 8 columns",
            "octet 315: `protocol` cannot be `Q`",
        ],
    );
    let other = "{\"time\":\"x\",\"category\":\"AuditEvent\"}\n";
    let (kept, tally) = decoded(format!("{}{other}", nsg(2, &TUPLES)).as_bytes());
    assert_eq!((kept.flows.len(), tally.received, tally.beside), (3, 3, 1));
}

#[test]
fn a_tuple_that_is_cut_is_refused_where_it_begins() {
    let (whole, octets) = (TUPLES[1], "octet 182");
    let columns: Vec<&str> = whole.split(',').collect();
    for columns_left in 1..columns.len() {
        let cut = columns[..columns_left].join(",");
        let problem = format!("{octets}: the tuple has {columns_left} of 13 columns");
        check(&nsg(2, &[&cut]), &[], &[&problem]);
    }
    let log = "{\"records\":[{\"macAddress\":\"0200005E1001\",\"category\":\"FlowLogFlowEvent\",\
               \"flowRecords\":{\"flows\":[{\"flowGroups\":[{\"flowTuples\":[\
               \"1628985602,192.0.2.10,198.51.100.7,50000,443,6,O,E,NX,10,1520,12\"]}]}]}}]}";
    check(log, &[], &["octet 126: the tuple has 12 of 13 columns"]);
}

#[test]
fn a_document_that_is_cut_keeps_what_came_before() {
    let log = [nsg(2, &TUPLES), nsg(2, &TUPLES)].concat();
    let (kept, tally) = decoded(&log.as_bytes()[..log.len() - 40]);
    assert_eq!((kept.flows.len(), tally.refused), (3, 1));
    let text = kept.problems().pop().unwrap();
    assert!(text.ends_with(": the input ends within the object that begins here"), "{text}");
}
