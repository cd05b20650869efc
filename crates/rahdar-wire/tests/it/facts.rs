//! Resolutions and handshakes of Zeek's `dns.log`, `ssl.log`, `http.log` and `files.log`, in both forms.

use std::fs::File;

use rahdar_model::fact::{Answer, Handshake};
use rahdar_model::time::Shift;
use rahdar_testkit::corpus;
use rahdar_wire::Options;

use crate::kept::{Kept, decode_all, decoded, handshake_line, resolution_line};
use crate::made::{
    CONN_JSON, DNS_HEADER, DNS_JSON, DNS_ROW, FILES_HEADER, FILES_JSON, FILES_ROW, SSL_HEADER, SSL_JSON,
    SSL_ROW,
};

/// Decodes a log and compares its facts and problems.
fn check(log: &str, facts: &[&str], problems: &[&str]) -> Kept {
    let (kept, _) = decoded(log.as_bytes());
    let resolutions = kept.resolutions.iter().map(resolution_line);
    let all: Vec<_> = resolutions.chain(kept.handshakes.iter().map(handshake_line)).collect();
    assert_eq!(all, facts, "{log}");
    assert_eq!(kept.problems(), problems);
    kept
}

const ALIAS: &str = "192.0.2.10 asks 192.0.2.53 for www.example.org 1: 0 `web.example.org` for 300 s";
const BEHIND: &str = "192.0.2.10 asks 192.0.2.53 for www.example.org 1: 0 198.51.100.7 for 60 s";
const SHAKEN: &str = "192.0.2.10 50000 > 198.51.100.7 443, to www.example.org, by TLSv12, \
                      ja3 e0ff89ed9185dfb09184797a4c3f2e1c, ja3s 15af977ce25de452b96affa2addb1036, \
                      certificate ee18ffe1230ec2dc9ca4d310b37bd5030de5594ba45581e8495e503858e38c28, \
                      subject CN=www.example.org, issuer CN=Example CA,O=Example, established";

#[test]
fn each_answer_is_one_of_the_name_that_was_asked_for() {
    for log in [format!("{DNS_HEADER}{DNS_ROW}"), DNS_JSON.to_owned(), DNS_JSON.replace("id.", "id_")] {
        let kept = check(&log, &[ALIAS, BEHIND], &[]);
        let resolution = &kept.resolutions[1];
        assert_eq!(resolution.time.to_string(), "2021-08-15T00:00:00.25Z");
        assert_eq!((&*resolution.exporter, &*resolution.source), ("zeek", "test"));
    }
    let (_, tally) = decoded(format!("{DNS_HEADER}{DNS_ROW}{DNS_ROW}").as_bytes());
    assert_eq!((tally.received, tally.decoded, tally.facts, tally.flows), (2, 2, 4, 0));
}

#[test]
fn a_question_without_an_answer_says_so() {
    let row = |from: &str, to: &str| format!("{DNS_HEADER}{}", DNS_ROW.replace(from, to));
    let answers = "web.example.org,198.51.100.7\t300.000000,60.000000";
    let nothing = "192.0.2.10 asks 192.0.2.53 for www.example.org 1: 0 nothing";
    check(&row(answers, "-\t-"), &[nothing], &[]);
    check(&row(answers, "(empty)\t(empty)"), &[nothing], &[]);
    check(&row(&format!("0\tNOERROR\t{answers}"), "-\t-\t-\t-"), &[&nothing.replace(": 0", ": -")], &[]);
    check(&DNS_JSON.replace(r#""web.example.org","198.51.100.7""#, ""), &[nothing], &[]);
}

#[test]
fn a_row_without_a_question_is_beside() {
    let row = DNS_ROW.replace("WWW.example.ORG.", "-");
    let object = DNS_JSON.replace(r#""query":"WWW.example.ORG.","#, "");
    for (log, beside) in [(format!("{DNS_HEADER}{row}"), 6), (format!("{DNS_JSON}{object}"), 1)] {
        let (_, tally) = decoded(log.as_bytes());
        assert_eq!((tally.beside, tally.refused), (beside, 0));
    }
}

#[test]
fn data_that_is_no_name_is_kept_as_it_is() {
    let log = format!("{DNS_HEADER}{}", DNS_ROW.replace("web.example.org", r"TXT 9 V=spf1\x2c -All"));
    let text = ALIAS.replace("web.example.org", "TXT 9 V=spf1, -All");
    check(&log, &[&text, BEHIND], &[]);
}

#[test]
fn lists_of_unequal_length_are_paired_as_far_as_they_go() {
    let row = |ttls: &str| format!("{DNS_HEADER}{}", DNS_ROW.replace("300.000000,60.000000", ttls));
    let without = BEHIND.replace(" for 60 s", "");
    check(&row("300.000000"), &[ALIAS, &without], &[]);
    check(&row("300.000000,-"), &[ALIAS, &without], &[]);
    check(&row("300,60,30"), &[ALIAS, BEHIND], &[]);
}

#[test]
fn a_handshake_has_the_first_certificate_of_its_chain() {
    for log in [format!("{SSL_HEADER}{SSL_ROW}"), SSL_JSON.to_owned()] {
        check(&log, &[SHAKEN], &[]);
    }
    let fuids = SSL_ROW
        .replace("ee18ffe1230ec2dc9ca4d310b37bd5030de5594ba45581e8495e503858e38c28", "FRBu481kCfyF0aScA1");
    let (kept, _) = decoded(format!("{SSL_HEADER}{fuids}").as_bytes());
    assert_eq!(kept.handshakes[0].certificate, "");
    let sha1 = SSL_JSON.replace(
        r#""cert_chain_fps":["#,
        r#""resp_certificate_sha1":"2dd19f809986fcac5f2a2afda3f37e967cdd2437","x":["#,
    );
    let (kept, _) = decoded(sha1.as_bytes());
    assert_eq!(kept.handshakes[0].certificate, "2dd19f809986fcac5f2a2afda3f37e967cdd2437");
}

/// What a certificate in `files.log` says: ends, and the SHA-256 or the SHA-1.
const PRESENTED: [&str; 2] = [
    "192.0.2.10 0 > 198.51.100.7 0, certificate ee18ffe1230ec2dc9ca4d310b37bd5030de5594ba45581e8495e503858e38c28",
    "192.0.2.10 0 > 198.51.100.7 0, certificate 2dd19f809986fcac5f2a2afda3f37e967cdd2437",
];

#[test]
fn a_certificate_among_files_was_presented_by_its_server() {
    for log in [format!("{FILES_HEADER}{FILES_ROW}"), FILES_JSON.to_owned()] {
        let kept = check(&log, &PRESENTED, &[]);
        assert_eq!(kept.handshakes[0].time.to_string(), "2021-08-15T00:00:00.25Z");
        assert_eq!((&*kept.handshakes[0].exporter, kept.handshakes[0].established), ("zeek", None));
    }
    let sha256 = "ee18ffe1230ec2dc9ca4d310b37bd5030de5594ba45581e8495e503858e38c28";
    check(&format!("{FILES_HEADER}{}", FILES_ROW.replace(sha256, "-")), &PRESENTED[1..], &[]);
    check(&FILES_JSON.replace("sha1", "md5"), &PRESENTED[..1], &[]);
    // Later Zeek has the ends in columns of their own.
    let ends = r#""id.orig_h":"192.0.2.10","id.orig_p":50000,"id.resp_h":"198.51.100.7","id.resp_p":443"#;
    let later = FILES_JSON.replace(r#""tx_hosts":["198.51.100.7"],"rx_hosts":["192.0.2.10"]"#, ends);
    let with_ports = PRESENTED.map(|line| line.replace(" 0 >", " 50000 >").replace(" 0,", " 443,"));
    check(&later, &with_ports.each_ref().map(String::as_str), &[]);
}

#[test]
fn files_that_are_no_certificate_of_a_server_are_beside() {
    let user = "application/x-x509-user-cert";
    for (from, to) in [
        (user, "application/x-x509-ca-cert"),
        (user, "text/html"),
        ("\tSSL\t", "\tHTTP\t"),
        ("\tF\t1638", "\tT\t1638"),
        ("\tF\t1638", "\t-\t1638"),
    ] {
        assert!(FILES_ROW.contains(from));
        let log = format!("{FILES_HEADER}{}{FILES_ROW}", FILES_ROW.replace(from, to));
        check(&log, &PRESENTED, &[]);
        let (_, tally) = decoded(log.as_bytes());
        assert_eq!((tally.received, tally.decoded, tally.beside, tally.facts), (1, 1, 6, 2), "{to}");
    }
    let object = FILES_JSON.replace(user, "text/html");
    check(&format!("{object}{CONN_JSON}"), &[], &[]);
}

#[test]
fn a_certificate_without_its_ends_is_refused() {
    let row = |from: &str, to: &str| format!("{FILES_HEADER}{}", FILES_ROW.replace(from, to));
    check(&row("198.51.100.7", "198.51.100.7,198.51.100.8"), &[], &["line 6: `id.resp_h` is missing"]);
    check(&row("198.51.100.7", "-"), &[], &["line 6: `id.resp_h` is missing"]);
    check(&row("192.0.2.10", "192.0.2.300"), &[], &["line 6: `rx_hosts` cannot be `192.0.2.300`"]);
}

#[test]
fn a_request_in_clear_says_by_which_name_the_server_was_called() {
    let header = "#separator \\x09\n#path\thttp\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tmethod\thost\tversion\n";
    let row = "1628985600.25\t192.0.2.10\t50000\t198.51.100.7\t8080\tGET\tWWW.Example.org:8080\t1.1\n";
    let json = r#"{"_path":"http","ts":1628985600.25,"id.orig_h":"192.0.2.10","id.orig_p":50000,"id.resp_h":"198.51.100.7","id.resp_p":8080,"method":"GET","host":"www.example.org","version":"1.1"}"#;
    let nameless = row.replace("WWW.Example.org:8080", "198.51.100.7");
    for log in [format!("{header}{row}{nameless}"), format!("{json}\n")] {
        let (kept, _) = decoded(log.as_bytes());
        let told: Vec<_> = kept
            .handshakes
            .iter()
            .map(|call| (&*call.server_name, &*call.version, call.server_port))
            .collect();
        assert_eq!(told, [("www.example.org", "HTTP/1.1", 8080)]);
    }
}

#[test]
fn wrong_rows_are_refused_by_line_and_field() {
    check(
        &format!("{DNS_HEADER}{}", DNS_ROW.replace("192.0.2.53", "x").replace("1628985600.25", "1")),
        &[],
        &["line 6: `id.resp_h` cannot be `x`"],
    );
    check(
        &format!("{SSL_HEADER}{}", SSL_ROW.replace("\tT\t", "\tyes\t")),
        &[],
        &["line 6: `established` cannot be `yes`"],
    );
    check(&DNS_JSON.replace(r#""ts":1628985600.25,"#, ""), &[], &["line 1: `ts` is missing"]);
}

#[test]
fn a_stream_of_mixed_logs_gives_flows_and_facts() {
    let named = |log: &str, object: &str| object.replacen('{', &format!("{{\"_path\":\"{log}\","), 1);
    for [conn, dns, ssl] in [
        [CONN_JSON.to_owned(), DNS_JSON.to_owned(), SSL_JSON.to_owned()],
        [named("conn", CONN_JSON), named("dns", DNS_JSON), named("ssl", SSL_JSON)],
    ] {
        let files = r#"{"_path":"files","ts":1628985600.25,"mime_type":"text/html"}"#;
        let kept = check(&format!("{dns}{conn}{files}\n{ssl}{conn}"), &[ALIAS, BEHIND, SHAKEN], &[]);
        assert_eq!(kept.flows.len(), 2);
    }
}

#[test]
fn an_object_that_names_two_logs_is_beside() {
    let log = format!("{CONN_JSON}{{\"_path\":\"dns\",\"@stream\":\"ssl\"}}\n");
    let (_, tally) = decoded(log.as_bytes());
    assert_eq!((tally.received, tally.beside), (1, 1));
}

#[test]
fn times_of_facts_move_with_the_others() {
    let options = Options { shift: Shift::By(86_400_000_000), ..Options::default() };
    let (kept, _) = decode_all(format!("{DNS_JSON}{SSL_JSON}").as_bytes(), &options);
    assert_eq!(kept.resolutions[0].time.to_string(), "2021-08-16T00:00:00.25Z");
    assert_eq!(kept.handshakes[0].time.to_string(), "2021-08-16T00:00:00.25Z");
}

/// Files under `captures/zeek`, their rows with a question or a handshake, and the facts in them, as a
/// script counts them that splits columns and lists.
const CORPUS: [(&str, u64, u64); 20] = [
    ("ctu-botnet-4/dns.log.labeled", 43, 54),
    ("ctu-botnet-4/files.log.labeled", 0, 0),
    ("otrf-apt29-day1/zeek/individual_zeek_logs/NASHUA_dns.log", 21, 32),
    ("otrf-apt29-day1/zeek/individual_zeek_logs/NASHUA_ssl.log.gz", 376, 376),
    ("otrf-apt29-day1/zeek/individual_zeek_logs/SCRANTON_dns.log", 32, 60),
    ("otrf-apt29-day1/zeek/individual_zeek_logs/SCRANTON_ssl.log", 2, 2),
    ("rita-proxy_rolling/dns.150000-160000.log.gz", 20, 34),
    ("rita-proxy_rolling/dns.160000-170000.log.gz", 3182, 8534),
    ("rita-proxy_rolling/ssl.150000-160000.log.gz", 2, 2),
    ("rita-proxy_rolling/ssl.160000-170000.log.gz", 2734, 2734),
    ("slips-test10-mixed-zeek-dir/dns.log", 85, 102),
    ("slips-test10-mixed-zeek-dir/files.log", 2, 4),
    ("slips-test10-mixed-zeek-dir/ssl.log", 13, 13),
    ("slips-test9-mixed-zeek-dir/dns.log", 239, 654),
    ("slips-test9-mixed-zeek-dir/files.log.gz", 154, 154),
    ("slips-test9-mixed-zeek-dir/ssl.log", 205, 205),
    ("stratosphere-003/dns.log", 1, 1),
    ("stratosphere-005/dns.log", 980, 1144),
    ("stratosphere-010/data/dns.log.labeled", 8, 8),
    ("stratosphere-010/data/ssl.log.labeled", 1039, 1039),
];

#[test]
fn logs_of_real_hosts_say_what_they_say() {
    let Some(corpus) = corpus() else { return };
    for (file, rows, facts) in CORPUS {
        let (kept, result) =
            decode_all(File::open(corpus.join("captures/zeek").join(file)).unwrap(), &Options::default());
        let tally = result.unwrap();
        assert_eq!((tally.received, tally.facts, kept.problems()), (rows, facts, vec![]), "{file}");
        assert!(kept.resolutions.iter().all(|r| r.name == r.name.to_lowercase() && !r.name.ends_with('.')));
    }
}

#[test]
fn certificates_of_real_hosts_are_those_that_their_sessions_name() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("captures/zeek/slips-test10-mixed-zeek-dir");
    let read = |name| decode_all(File::open(folder.join(name)).unwrap(), &Options::default()).0.handshakes;
    let (presented, sessions) = (read("files.log"), read("ssl.log"));
    for hash in [
        "fc85d5ae673d6d3befce84844d750aff3c8d3c9f041330017ed3c47b9c26c86e",
        "0a6b201a7bff643cc5dd6631e5940e858ee07d25",
    ] {
        let of_hash = presented.iter().filter(|one| one.certificate == hash);
        assert_eq!(of_hash.clone().count(), 2, "{hash}");
        for one in of_hash {
            let is_of = |session: &&Handshake| {
                (session.client, session.server) == (one.client, one.server) && session.time <= one.time
            };
            let session = sessions.iter().filter(is_of).max_by_key(|session| session.time).unwrap();
            assert_eq!(session.server_name, "virtual.secai.com");
            assert!(one.time.since(session.time) < 1_000_000);
        }
    }
}

#[test]
fn names_of_sinkholes_answer_with_their_addresses() {
    let Some(corpus) = corpus() else { return };
    let file = File::open(corpus.join("captures/zeek/stratosphere-005/dns.log")).unwrap();
    let (kept, _) = decode_all(file, &Options::default());
    for sinkhole in ["104.239.157.210", "23.253.126.58", "208.100.26.251"] {
        let answer = Answer::Address(sinkhole.parse().unwrap());
        assert!(kept.resolutions.iter().any(|resolution| resolution.answer == answer), "{sinkhole}");
    }
}
