//! Real captures and lists that nobody here made.

use std::collections::BTreeMap;
use std::path::Path;

use rahdar_testkit::corpus;
use serde_json::Value;

use crate::harness::Home;

/// A capture, the endpoint that belongs to it, and the host that is labelled.
struct Labelled {
    telemetry: &'static str,
    indicator: &'static str,
    port: &'static str,
    from: &'static str,
    until: &'static str,
    victim: &'static str,
}

const LABELLED: &[Labelled] = &[
    Labelled {
        telemetry: "captures/pcap/corelight-asyncrat",
        indicator: "181.131.218.39",
        port: "4041",
        from: "2024-02-01",
        until: "2024-03-31",
        victim: "192.168.100.124",
    },
    Labelled {
        telemetry: "captures/pcap/corelight-asyncrat",
        indicator: "186.169.47.11",
        port: "7081",
        from: "2024-02-01",
        until: "2024-03-31",
        victim: "192.168.100.20",
    },
    Labelled {
        telemetry: "captures/pcap/corelight-asyncrat",
        indicator: "94.156.71.237",
        port: "4782",
        from: "2024-02-01",
        until: "2024-03-31",
        victim: "192.168.100.163",
    },
    Labelled {
        telemetry: "captures/pcap/corelight-quasarrat",
        indicator: "86.136.67.231",
        port: "1337",
        from: "",
        until: "",
        victim: "192.168.100.7",
    },
    Labelled {
        telemetry: "captures/zeek/stratosphere-003",
        indicator: "147.32.83.234",
        port: "1337",
        from: "2020-08-01",
        until: "2020-08-31",
        victim: "10.8.0.61",
    },
];

/// Telemetry in which the same endpoints mean nothing.
const BENIGN: &[&str] = &["captures/zeek/stratosphere-010", "captures/pcap/slips/test-cc"];

fn claims() -> String {
    let mut csv = String::from("indicator,port,cluster,valid_from,valid_until\n");
    for row in LABELLED {
        csv.push_str(&format!("{},{},Labelled,{},{}\n", row.indicator, row.port, row.from, row.until));
    }
    csv
}

fn hunt(corpus: &Path, telemetry: &str) -> Value {
    let home = Home::new();
    let list = home.file("claims.csv", claims());
    home.json(&["flows", "import", corpus.join(telemetry).to_str().unwrap()]);
    home.done(&["intel", "import", &list]);
    home.json(&["hunt"])
}

#[test]
fn labelled_hosts_are_found() {
    let Some(corpus) = corpus() else { return };
    let mut answers = BTreeMap::new();
    for row in LABELLED {
        let answer = answers.entry(row.telemetry).or_insert_with(|| hunt(&corpus, row.telemetry));
        let found =
            answer["findings"].as_array().unwrap().iter().any(|finding| {
                finding["victim"]["address"] == row.victim && finding["verdict"] != "possible"
            });
        assert!(found, "{} in {}: {:#}", row.victim, row.telemetry, answer);
    }
}

/// The names that the labelled hosts of captures ask for, and the hosts. The captures hold 128 octets of each packet.
const NAMED: [(&str, &str); 4] = [
    ("carlosenriquezdomin.con-ip.com", "192.168.100.124"),
    ("procesoexitos1.duckdns.org", "192.168.100.20"),
    ("kinggru.duckdns.org", "192.168.100.163"),
    ("tintopretzelmeister.ddns.net", "192.168.100.7"),
];

#[test]
fn names_alone_lead_to_the_labelled_hosts_of_captures() {
    let Some(corpus) = corpus() else { return };
    let home = Home::new();
    home.json(&["flows", "import", corpus.join("captures/pcap").to_str().unwrap()]);
    let list = NAMED.map(|(name, _)| name).join("\n");
    home.done(&["intel", "import", "--cluster", "Labelled", &home.file("names.txt", list)]);
    let answer = home.json(&["hunt"]);
    let verdict = |finding: &Value| finding["verdict"].as_str().unwrap().to_owned();
    let found: BTreeMap<&str, String> = answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["victim"]["address"].as_str().unwrap(), verdict(finding)))
        .collect();
    assert!(found.keys().eq(BTreeMap::from(NAMED.map(|(_, host)| (host, ()))).keys()), "{found:?}");
    assert!(found.values().all(|verdict| ["confirmed", "likely"].contains(&verdict.as_str())), "{found:?}");
}

#[test]
fn benign_captures_hold_no_findings() {
    let Some(corpus) = corpus() else { return };
    for telemetry in BENIGN {
        let answer = hunt(&corpus, telemetry);
        assert_eq!(answer["findings"].as_array().unwrap().len(), 0, "{telemetry}: {answer:#}");
    }
}

#[test]
fn every_capture_and_export_is_imported_and_accounted_for() {
    let Some(corpus) = corpus() else { return };
    let home = Home::new();
    for folder in ["captures", "flow-exports"] {
        let summary = home.json(&["flows", "import", corpus.join(folder).to_str().unwrap()]);
        let count = |name: &str| summary[0][name].as_u64().unwrap();
        assert!(count("received") > 0, "{folder}");
        assert_eq!(
            count("received"),
            count("decoded") + count("held") + count("refused"),
            "{folder}: {summary}"
        );
    }
}

#[test]
fn a_published_list_answers_for_its_window_and_not_beyond() {
    let Some(corpus) = corpus() else { return };
    let home = Home::new();
    home.json(&["intel", "import", corpus.join("intel/insikt").to_str().unwrap()]);
    let state = |at: &str| {
        let answer = home.json(&["intel", "lookup", "206.189.153.132", "--at", at]);
        let claims = answer["claims"].as_array().unwrap().clone();
        let claim =
            claims.into_iter().find(|claim| claim["cluster"] == "RedFoxtrot").expect("RedFoxtrot is named");
        assert_eq!(claim["valid_from"], "2021-05-01T00:00:00Z");
        claim["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state("2021-05-20"), "valid");
    assert_eq!(state("2023-01-01"), "lapsed");
}
