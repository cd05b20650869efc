//! Suricata EVE.

use std::fs::File;

use rahdar_model::fact::{Loss, Unit};
use rahdar_model::flow::{Initiator, SamplingSource};
use rahdar_testkit::corpus;
use rahdar_wire::{Detection, Format, Options, detect};

use crate::kept::{Kept, decode_all, decoded, handshake_line, line, resolution_line};

/// An event of the two ends that all of these tests use.
fn event(kind: &str, rest: &str) -> String {
    format!(
        "{{\"timestamp\":\"2021-08-15T02:00:02.000000+0200\",\"flow_id\":7,\"event_type\":\"{kind}\",\
         \"src_ip\":\"192.0.2.10\",\"src_port\":50000,\"dest_ip\":\"198.51.100.7\",\"dest_port\":443,{rest}}}\n"
    )
}

/// A `flow` event.
pub(crate) fn flow() -> String {
    event(
        "flow",
        r#""proto":"TCP","app_proto":"tls","flow":{"pkts_toserver":10,"pkts_toclient":12,"bytes_toserver":1520,"bytes_toclient":2640,"start":"2021-08-15T02:00:00.250000+0200","end":"2021-08-15T02:00:01.750000+0200","state":"closed","reason":"timeout","alerted":false},"community_id":"1:x","tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"13","syn":true},"host":"border""#,
    )
}

fn netflow(packets: u32) -> String {
    let rest = format!(
        "\"proto\":\"TCP\",\"netflow\":{{\"pkts\":{packets},\"bytes\":1520,\"start\":\"2021-08-15T02:00:00.250000+0200\",\
         \"end\":\"2021-08-15T02:00:01.750000+0200\",\"age\":1}},\"tcp\":{{\"tcp_flags\":\"1b\"}}"
    );
    event("netflow", &rest)
}

fn dns(dns: &str) -> String {
    event("dns", &format!("\"proto\":\"UDP\",\"dns\":{{{dns}}}"))
}

fn tls() -> String {
    event(
        "tls",
        r#""proto":"TCP","tls":{"subject":"CN=www.example.org","issuerdn":"C=BE, O=Example","serial":"17:8E","fingerprint":"2D:d1:9f:80:99:86:fc:ac:5f:2a:2a:fd:a3:f3:7e:96:7c:dd:24:37","sni":"WWW.example.org.","version":"TLS 1.2","ja3":{"hash":"b7202231ff2db28363c109cedc6d1642","string":"770"},"ja3s":{"hash":"ad90cab724fafab2660fbf61673c91a9","string":"771"},"ja4":"t13d1516h2_8daaf6152771_b186095e22b6"}"#,
    )
}

/// One event of every kind that is read.
pub(crate) fn sample() -> String {
    let answer = dns(
        r#""version":2,"type":"answer","rrname":"example.org","rrtype":"A","rcode":"NOERROR","answers":[{"rrname":"example.org","rrtype":"A","ttl":91,"rdata":"198.51.100.7"}],"grouped":{"A":["198.51.100.7"]}"#,
    );
    [flow(), netflow(3), answer, tls()].concat()
}

/// Decodes events and compares what they give, and the problems.
fn check(log: &str, given: &[&str], problems: &[&str]) -> Kept {
    let (kept, _) = decoded(log.as_bytes());
    let flows = kept.flows.iter().map(line);
    let facts =
        kept.resolutions.iter().map(resolution_line).chain(kept.handshakes.iter().map(handshake_line));
    assert_eq!(flows.chain(facts).collect::<Vec<_>>(), given, "{log}");
    assert_eq!(kept.problems(), problems);
    kept
}

const FLOW: &str = "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 1520 in 10, back 2640 in 12, flags 0x1b 0x13, end 3, \
                    layer-2 length";

#[test]
fn a_protocol_may_have_any_registered_name() {
    for (name, number) in
        [("VRRP", 112), ("SSCOPMCE", 128), ("RSVP-E2E-IGNORE", 134), ("PGM", 113), ("089", 89)]
    {
        let (kept, _) = decoded(flow().replace("\"TCP\"", &format!("\"{name}\"")).as_bytes());
        assert_eq!((kept.problems(), kept.flows[0].protocol), (Vec::<String>::new(), number), "{name}");
    }
}

#[test]
fn a_flow_event_is_a_biflow() {
    assert_eq!(detect(flow().as_bytes(), true), Detection::Known(Format::Eve));
    let kept = check(&flow(), &[FLOW], &[]);
    let flow = &kept.flows[0];
    assert_eq!(flow.start_time.to_string(), "2021-08-15T00:00:00.25Z");
    assert_eq!(flow.end_time.since(flow.start_time), 1_500_000);
    assert_eq!(
        (&*flow.uid, &*flow.service, &*flow.state, &*flow.community_id),
        ("7", "tls", "closed", "1:x")
    );
    assert_eq!((&*flow.exporter, flow.source_row, flow.initiator), ("border", 1, Some(Initiator::Source)));
    assert_eq!((flow.sampling_interval, flow.sampling_source), (Some(1), Some(SamplingSource::Assumed)));
}

#[test]
fn a_flow_whose_packets_were_dropped_says_so() {
    let state = |action: &str| {
        let log = flow().replace("\"reason\"", &format!("\"action\":\"{action}\",\"reason\""));
        let kept = check(&log, &[FLOW], &[]);
        (kept.flows[0].state.clone(), kept.flows[0].is_dropped())
    };
    assert_eq!(state("drop"), ("closed drop".into(), true));
    assert_eq!(state("pass"), ("closed".into(), false));
}

#[test]
fn octets_that_an_event_does_not_tell_are_not_none() {
    let marked = |line: &str| format!("{line}, content gap");
    for (name, told) in [("bytes_toserver", "1520 in 10"), ("bytes_toclient", "back 2640 in")] {
        let untold = told.replace("1520", "0").replace("2640", "0");
        check(&flow().replace(name, "x"), &[&marked(&FLOW.replace(told, &untold))], &[]);
    }
}

#[test]
fn why_a_flow_ended_is_told_by_state_and_reason() {
    for (state, reason, end) in [
        ("closed", "timeout", "3"),
        ("established", "timeout", "1"),
        ("established", "tcp_reuse", "3"),
        ("new", "shutdown", "4"),
        ("new", "forced", "4"),
    ] {
        let log = flow().replace("closed", state).replace("timeout", reason);
        check(&log, &[&FLOW.replace("end 3", &format!("end {end}"))], &[]);
    }
}

#[test]
fn a_connection_without_its_opening_is_marked() {
    let log = flow().replace("\"1b\"", "\"18\"").replace("\"13\"", "\"10\"");
    let marked = FLOW.replace("0x1b 0x13", "0x18 0x10") + ", direction guessed, midstream";
    check(&log, &[&marked], &[]);
}

#[test]
fn icmp_has_a_type_and_a_code() {
    let log = flow()
        .replace("\"TCP\"", "\"IPv6-ICMP\",\"icmp_type\":128,\"icmp_code\":0")
        .replace("192.0.2.10", "2001:db8::1")
        .replace("198.51.100.7", "2001:db8::2")
        .replace("\"tcp\"", "\"x\"");
    let expected = "2001:db8::1 > 2001:db8::2 icmp 128/0: 1520 in 10, back 2640 in 12, end 3, layer-2 length";
    check(&log, &[expected], &[]);
}

#[test]
fn a_netflow_event_is_a_uniflow() {
    let expected = "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 1520 in 10, layer-2 length";
    let kept = check(&netflow(10), &[expected], &[]);
    let flow = &kept.flows[0];
    assert_eq!((flow.rev_packets, flow.rev_octets, flow.tcp_flags), (None, None, Some(0x1b)));
    assert_eq!(&*flow.exporter, "suricata");
}

#[test]
fn of_a_flow_that_is_told_twice_the_first_kind_counts() {
    for (log, flows) in [
        ([flow(), netflow(10), netflow(9)].concat(), 1),
        ([netflow(10), netflow(9), flow()].concat(), 2),
        ([flow(), netflow(10).replace(":7,", ":8,")].concat(), 2),
        ([flow(), flow()].concat(), 2),
    ] {
        let (kept, tally) = decoded(log.as_bytes());
        assert_eq!((kept.flows.len(), tally.refused), (flows, 0));
        assert_eq!(tally.beside + tally.received, log.lines().count() as u64);
    }
}

const ASKED: &str = "192.0.2.10 asks 198.51.100.7 for www.example.org 1: - nothing";
const ALIAS: &str = "192.0.2.10 asks 198.51.100.7 for www.example.org 1: 0 `web.example.org` for 300 s";
const BEHIND: &str = "192.0.2.10 asks 198.51.100.7 for www.example.org 1: 0 203.0.113.9 for 60 s";

#[test]
fn a_question_is_a_resolution_without_an_answer() {
    check(&dns(r#""type":"query","id":2,"rrname":"www.example.org","rrtype":"A","tx_id":0"#), &[ASKED], &[]);
    let v3 = r#""version":3,"type":"request","queries":[{"rrname":"WWW.example.org","rrtype":"A"}]"#;
    check(&dns(v3), &[ASKED], &[]);
}

#[test]
fn answers_of_every_version_are_of_the_name_that_was_asked_for() {
    let records = r#""answers":[{"rrname":"www.example.org","rrtype":"CNAME","ttl":300,"rdata":"WEB.example.org"},{"rrname":"web.example.org","rrtype":"A","ttl":60,"rdata":"203.0.113.9"}]"#;
    let asked = r#""rrname":"www.example.org","rrtype":"A""#;
    let v2 = format!(
        r#""version":2,"type":"answer",{asked},"rcode":"NOERROR",{records},"grouped":{{"A":["203.0.113.9"]}}"#
    );
    check(&dns(&v2), &[ALIAS, BEHIND], &[]);
    let v3 = format!(r#""version":3,"type":"response","rcode":"NOERROR","queries":[{{{asked}}}],{records}"#);
    check(&dns(&v3), &[ALIAS, BEHIND], &[]);
    let grouped = format!(
        r#""version":2,"type":"answer",{asked},"rcode":"NOERROR","grouped":{{"CNAME":["web.example.org"],"A":["203.0.113.9"]}}"#
    );
    let timeless = [ALIAS.replace(" for 300 s", ""), BEHIND.replace(" for 60 s", "")];
    check(&dns(&grouped), &[&timeless[0], &timeless[1]], &[]);
    let v1 = format!(r#""type":"answer",{asked},"rcode":"NOERROR","ttl":60,"rdata":"203.0.113.9""#);
    check(&dns(&v1), &[&BEHIND.replace("org 1:", "org -:")], &[]);
}

#[test]
fn an_answer_of_nothing_says_why() {
    let none = r#""version":2,"type":"answer","rrname":"www.example.org","rrtype":"A","rcode":"NXDOMAIN""#;
    check(&dns(none), &[&ASKED.replace(": -", ": 3")], &[]);
    check(&dns(r#""type":"answer","rcode":"NOERROR""#), &[], &[]);
}

#[test]
fn of_services_and_zones_the_name_is_the_answer() {
    let asked = r#""type":"answer","rrname":"www.example.org","rrtype":"SRV","rcode":"NOERROR""#;
    let records = r#""answers":[{"rrtype":"SRV","ttl":1,"srv":{"priority":1,"port":443,"name":"a.example.org"}},{"rrtype":"SOA","soa":{"mname":"b.example.org"}},{"rrtype":"TXT","rdata":"V=spf1 -all"}]"#;
    let expected = ["33: 0 `a.example.org` for 1 s", "33: 0 `b.example.org`", "33: 0 `V=spf1 -all`"]
        .map(|rest| format!("192.0.2.10 asks 198.51.100.7 for www.example.org {rest}"));
    check(&dns(&format!("{asked},{records}")), &expected.each_ref().map(|line| &**line), &[]);
}

#[test]
fn an_answer_logged_from_the_servers_side_is_turned_round() {
    let log = dns(r#""type":"answer","rrname":"www.example.org","rrtype":"A","rcode":"NXDOMAIN""#)
        .replace("50000", "53");
    check(&log, &["198.51.100.7 asks 192.0.2.10 for www.example.org 1: 3 nothing"], &[]);
}

#[test]
fn a_tls_event_is_a_handshake() {
    let expected = "192.0.2.10 50000 > 198.51.100.7 443, to www.example.org, by TLS 1.2, \
                    ja3 b7202231ff2db28363c109cedc6d1642, ja3s ad90cab724fafab2660fbf61673c91a9, \
                    ja4 t13d1516h2_8daaf6152771_b186095e22b6, certificate 2dd19f809986fcac5f2a2afda3f37e967cdd2437, \
                    subject CN=www.example.org, issuer C=BE, O=Example";
    let kept = check(&tls(), &[expected], &[]);
    assert_eq!(kept.handshakes[0].time.to_string(), "2021-08-15T00:00:02Z");
}

#[test]
fn events_may_stand_in_an_array_or_over_several_lines() {
    let (one, two) = (flow(), netflow(10).replace(":7,", ":8,"));
    let (one, two) = (one.trim_end(), two.trim_end());
    let second = "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 1520 in 10, layer-2 length";
    let pretty = |object: &str| object.replacen('{', "{\n  ", 1).replace(",\"", ",\n  \"");
    for log in [
        format!("[{one},{two}]"),
        format!("[\n{one},\n{two}\n]\n"),
        format!("\u{feff}[\r\n{one},\r\n{two}\r\n]\r\n"),
        format!("{}\n{}\n", pretty(one), pretty(two)),
    ] {
        assert_eq!(detect(log.as_bytes(), true), Detection::Known(Format::Eve), "{log}");
        let kept = check(&log, &[FLOW, second], &[]);
        assert_eq!(kept.flows[1].source_row, 2);
    }
    let cut = format!("[{one},{}", &two[..two.len() - 9]);
    let problem = format!("octet {}: the input ends within the object that begins here", one.len() + 2);
    check(&cut, &[FLOW], &[&problem]);
}

#[test]
fn a_byte_order_mark_and_returns_change_nothing() {
    let log = format!("\u{feff}{}{}", flow(), netflow(10)).replace('\n', "\r\n");
    assert_eq!(detect(log.as_bytes(), true), Detection::Known(Format::Eve));
    check(&log, &[FLOW], &[]);
}

#[test]
fn a_last_line_that_is_cut_is_refused() {
    let log = format!("{}{}", flow(), flow());
    let problem = format!("line 2: octet {} of the line is no JSON", flow().len() - 9);
    check(&log[..log.len() - 9], &[FLOW], &[&problem]);
}

/// An event as shippers wrap it.
pub(crate) fn wrapped() -> String {
    let original = serde_json::to_string(flow().trim_end()).unwrap();
    format!(
        "{{\"@timestamp\":\"2021-08-15T00:00:02.000Z\",\"event\":{{\"original\":{original},\"kind\":\"event\"}},\
         \"host\":{{\"name\":\"x\"}},\"agent\":{{\"type\":\"filebeat\"}}}}\n"
    )
}

#[test]
fn events_are_taken_out_of_what_shipped_them() {
    let log = wrapped().repeat(2);
    assert_eq!(detect(log.as_bytes(), true), Detection::Known(Format::Eve));
    let kept = check(&log, &[FLOW, FLOW], &[]);
    assert_eq!((&*kept.flows[0].exporter, kept.flows[1].source_row), ("border", 2));
    check(&format!("[{},{}]", wrapped(), wrapped()), &[FLOW, FLOW], &[]);
    let event = wrapped();
    let answer = format!(
        "{{\"took\":3,\"timed_out\":false,\"hits\":{{\"total\":{{\"value\":2}},\"hits\":[{{\"_id\":\"1\",\"_source\":{event}}},\
         {{\"_id\":\"2\",\"_source\":{event}}}]}}}}"
    );
    assert_eq!(detect(answer.as_bytes(), true), Detection::Known(Format::Eve));
    check(&answer, &[FLOW, FLOW], &[]);
    let rest = "{\"@timestamp\":\"2021-08-15T00:00:02.000Z\",\"message\":\"hello\"}\n";
    check(&format!("{}{rest}", wrapped()), &[FLOW], &["line 2: `event_type` is missing"]);
}

/// An event as syslog delivers it.
pub(crate) fn prefixed() -> String {
    format!("<134>1 2021-08-15T00:00:02Z fw suricata 7 - - {}", flow())
}

#[test]
fn events_are_taken_out_of_syslog() {
    let log = format!("{}Aug 15 00:00:02 fw suricata[7]: {}", prefixed(), flow());
    assert_eq!(detect(log.as_bytes(), true), Detection::Known(Format::Eve));
    check(&log, &[FLOW, FLOW], &[]);
    let other = format!("Aug 15 00:00:01 fw systemd[1]: Started a service\n{log}");
    assert_eq!(detect(other.as_bytes(), true), Detection::Known(Format::Eve));
    check(&other, &[FLOW, FLOW], &["line 1: octet 0 of the line is no JSON"]);
    let cut = format!("{log}{}", &prefixed()[..100]);
    check(&cut, &[FLOW, FLOW], &["line 3: octet 0 of the line is no JSON"]);
}

#[test]
fn events_that_were_rearranged_are_known_and_not_read() {
    let document = r#"{"@timestamp":"2021-08-15T00:00:02.000Z","source":{"ip":"192.0.2.10"},"suricata":{"eve":{"event_type":"flow"}}}"#;
    let kind = "Suricata events that Elastic rearranged (keep and export `event.original`)";
    for document in [document.to_owned(), format!("{{\"_id\":\"1\",\"_source\":{document}}}")] {
        assert_eq!(detect(document.as_bytes(), true), Detection::Unsupported(kind));
    }
}

#[test]
fn other_events_are_beside() {
    let alert = event("alert", r#""proto":"TCP","alert":{"signature":"x"},"flow":{"pkts_toserver":1}"#);
    let stats = "{\"timestamp\":\"2021-08-15T02:00:02.000000+0200\",\"event_type\":\"stats\"}\n";
    let (kept, tally) = decoded(format!("{alert}{stats}\n{}", flow()).as_bytes());
    assert_eq!((kept.flows.len(), tally.received, tally.beside), (1, 1, 3));
}

#[test]
fn wrong_events_are_refused_by_line_and_field() {
    let log = [
        flow().replace("192.0.2.10", "host"),
        flow().replace("\"start\"", "\"begin\""),
        flow().replace(":1520", ":-1"),
        flow().replace("TCP", "X"),
        "{\"event_type\":\"flow\"\n".to_owned(),
        tls().replace("\"tls\":", "\"tsl\":"),
        dns(r#""type":"rumour""#),
        "{\"timestamp\":\"2021-08-15T02:00:02.000000+0200\"}\n".to_owned(),
        flow(),
    ];
    check(
        &log.concat(),
        &[FLOW],
        &[
            "line 1: `src_ip` cannot be `host`",
            "line 2: `start` is missing",
            "line 3: `bytes_toserver` cannot be `-1`",
            "line 4: `proto` cannot be `X`",
            "line 5: octet 20 of the line is no JSON",
            "line 6: `tls` is missing",
            "line 7: `type` cannot be `rumour`",
            "line 8: `event_type` is missing",
        ],
    );
}

#[test]
fn events_of_a_real_sensor_are_those_of_the_manifest() {
    let Some(corpus) = corpus() else { return };
    let file = File::open(corpus.join("captures/eve/test6-malicious.suricata.json.gz")).unwrap();
    let (kept, result) = decode_all(file, &Options::default());
    let tally = result.unwrap();
    assert_eq!(
        (tally.received, tally.beside, kept.problems()),
        (3_512 + 680 + 1, 5_000 - 3_512 - 680 - 1, vec![])
    );
    // Sums and counts of a script that reads the JSON.
    assert_eq!((kept.packets(), kept.octets()), (30_191 + 8_980, 4_381_935 + 648_694));
    let asked = kept.resolutions.iter().filter(|resolution| resolution.response.is_none()).count();
    assert_eq!((kept.flows.len(), asked, kept.handshakes.len()), (3_512, 340, 1));
    assert!(kept.flows.iter().all(|flow| &*flow.exporter == "stratosphere.org"));
}

/// A `stats` event of a sensor that has run for so many seconds, `second` seconds after the beginning of the log.
fn stats(second: u32, uptime: u32, drops: &str) -> String {
    format!(
        "{{\"timestamp\":\"2021-08-15T00:{:02}:{:02}.000000+0000\",\"event_type\":\"stats\",\"stats\":{{\"uptime\":{uptime},\
         \"capture\":{{\"kernel_packets\":90000,{drops},\"errors\":0}},\"decoder\":{{\"pkts\":90000}}}}}}\n",
        second / 60,
        second % 60
    )
}

/// A log of a sensor that drops packets.
pub(crate) fn dropping() -> String {
    [stats(8, 5_000, "\"kernel_drops\":1"), stats(16, 5_008, "\"kernel_drops\":2"), flow(), flow()].concat()
}

/// The gaps of a log: who, when, how many.
fn gaps(log: &str) -> Vec<String> {
    let (kept, tally) = decoded(log.as_bytes());
    assert_eq!((kept.problems(), tally.received), (Vec::<String>::new(), 0));
    assert_eq!(tally.beside, log.lines().count() as u64);
    assert!(kept.gaps.iter().all(|gap| (gap.cause, gap.unit) == (Loss::KernelDrop, Unit::Packets)));
    kept.gaps.iter().map(|gap| format!("{} {:?} {}", gap.exporter, gap.window, gap.lost)).collect()
}

#[test]
fn packets_that_the_kernel_dropped_between_two_counts_are_a_gap() {
    let drops = |n: u32| format!("\"kernel_drops\":{n}");
    let log = [stats(8, 5_000, &drops(100)), stats(16, 5_008, &drops(100)), stats(24, 5_016, &drops(107))];
    let window = "[2021-08-15T00:00:16Z, 2021-08-15T00:00:24Z)";
    assert_eq!(gaps(&log.concat()), [format!("suricata {window} 7")]);
    let interface = "\"kernel_drops\":107,\"kernel_ifdrops\":3";
    let log = [stats(16, 5_008, &drops(100)), stats(24, 5_016, interface)];
    assert_eq!(gaps(&log.concat()), [format!("suricata {window} 10")]);
    // What was dropped before the log begins, no line of it says when.
    assert_eq!(gaps(&stats(8, 5_000, &drops(100))), [""; 0]);
}

#[test]
fn what_was_counted_before_a_part_of_a_log_goes_on_in_it_and_is_none_of_it() {
    let drops = |n: u32| format!("\"kernel_drops\":{n}");
    let host = |event: String| event.replace("\"stats\",", "\"stats\",\"host\":\"s1\",");
    let before = host(stats(8, 5_000, &drops(100)));
    for before in [format!("<134>Aug 15 00:00:08 fw suricata[7]: {before}"), before] {
        let options = Options { counted_before: Some(before.as_bytes().into()), ..Options::default() };
        let part = [host(stats(16, 5_008, &drops(107))), flow()].concat();
        let (kept, tally) = decode_all(part.as_bytes(), &options);
        let [gap] = &kept.gaps[..] else { panic!("{:?}", kept.gaps) };
        assert_eq!((&*gap.exporter, gap.lost), ("s1", 7));
        assert_eq!((tally.unwrap().beside, kept.flows[0].source_row), (1, 2));
    }
}

#[test]
fn a_sensor_that_starts_anew_counts_from_nothing() {
    let drops = |n: u32| format!("\"kernel_drops\":{n}");
    let log = [stats(8, 5_000, &drops(100)), stats(76, 16, &drops(4)), stats(84, 24, &drops(5))].concat();
    let expected = [
        "suricata [2021-08-15T00:01:00Z, 2021-08-15T00:01:16Z) 4",
        "suricata [2021-08-15T00:01:16Z, 2021-08-15T00:01:24Z) 1",
    ];
    assert_eq!(gaps(&log), expected);
}

#[test]
fn sensors_that_share_a_log_are_counted_apart() {
    let drops = |n: u32| format!("\"kernel_drops\":{n}");
    let one = |second, n| stats(second, 5_000 + second, &drops(n));
    let other = |second, n| stats(second, 900 + second, &drops(n));
    let log = [one(8, 100), other(9, 7), one(16, 100), other(17, 9), one(24, 100)].concat();
    assert_eq!(gaps(&log), ["suricata [2021-08-15T00:00:09Z, 2021-08-15T00:00:17Z) 2"]);
    let named = |host: &str, second, n| {
        one(second, n).replace("\"stats\",", &format!("\"stats\",\"host\":\"{host}\","))
    };
    let log = [named("a", 8, 100), named("b", 9, 7), named("a", 16, 100), named("b", 17, 9)].concat();
    assert_eq!(gaps(&log), ["b [2021-08-15T00:00:09Z, 2021-08-15T00:00:17Z) 2"]);
}

#[test]
fn counts_that_are_none_make_no_gap() {
    for drops in ["\"x\":1", "\"kernel_drops\":\"x\"", "\"kernel_drops\":-1"] {
        assert_eq!(gaps(&[stats(8, 8, drops), stats(16, 16, drops)].concat()), [""; 0]);
    }
    let back = [stats(16, 5_008, "\"kernel_drops\":9"), stats(8, 5_000, "\"kernel_drops\":5")].concat();
    assert_eq!(gaps(&back), [""; 0]);
}
