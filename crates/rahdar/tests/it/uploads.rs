//! Uploads that are unusual for their host, told by the real binary without any indicator.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::Home;

const HEADER: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
    #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n\
    #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tstring\tcount\tcount\tcount\tcount\n";

const HOST: &str = "203.0.113.25";
/// 2021-06-01.
const BEGIN: u64 = 1_622_505_600;

/// An upload over a connection that was opened and closed.
fn upload(host: &str, remote: &str, second: u64, octets: u64) -> String {
    let packets = octets.div_ceil(1_400);
    format!(
        "{second}.0\tC{second}\t{host}\t50000\t{remote}\t443\ttcp\tSF\tShADadFf\t{packets}\t{octets}\t{}\t{}\n",
        packets / 2,
        packets / 2 * 52
    )
}

/// Sixty days of a host that every noon uploads some 100 kB to somebody new, and at night 25 MB to its backup. On
/// the last night 60 MB go to `new`.
fn log(new: &str) -> String {
    let mut log = HEADER.to_owned();
    for day in 0..60 {
        let midnight = BEGIN + day * 86_400;
        log += &upload(HOST, &format!("198.18.{day}.9"), midnight + 43_200, 100_000 + 2_000 * (day * 7 % 50));
        log += &upload(HOST, "192.0.2.20", midnight + 75_600, 25_000_000);
    }
    log + &upload(HOST, new, BEGIN + 59 * 86_400 + 10_800, 60_000_000)
}

fn home(log: &str) -> Home {
    let home = Home::new();
    let networks = home.file("networks.csv", "prefix,asn,org,sector,country\n203.0.113.0/24,,,telecom,AF\n");
    let log = home.file("conn.log", log);
    home.done(&["networks", "import", &networks]);
    home.done(&["flows", "import", &log]);
    home
}

#[test]
fn an_upload_to_somebody_new_is_told_with_what_is_usual_and_the_backup_is_not() {
    let home = home(&log("198.51.100.9"));
    let ran = home.done(&["hunt", "--uploads", "--format", "json"]);
    let rows: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows:#}");
    let row = &rows[0];
    let expected = json!({
        "host": HOST, "hour": "2021-07-30T03:00:00Z",
        "octets_at_least": 60_000_000, "octets": 60_000_000, "octets_at_most": 60_000_000,
        "networks": "198.51.100.0/24", "addresses": "198.51.100.9", "opened_by": "host",
        "compared_with": "all hours of the host", "hours": 42, "weeks": 6.0, "record_of": 42,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&row[name], value, "{name}: {row:#}");
    }
    assert!(row["z"].as_f64() > Some(5.0) && row["q_value"].as_f64() < Some(0.05), "{row:#}");
    assert!(row["ewma_z"].is_number() && row["median_octets"].is_number() && row["mad_factor"].is_number());
    assert!(
        ran.stderr.contains("places to look") && ran.stderr.contains("no routing table"),
        "{}",
        ran.stderr
    );

    let other = home.json(&["hunt", "--uploads", "--until", "2021-07-29"]);
    assert_eq!(other, json!([]));
    let narrow = home.json(&["hunt", "--uploads", "--victim", HOST, "--from", "2021-07-30"]);
    assert_eq!((&narrow[0]["z"], &narrow[0]["hour"]), (&row["z"], &row["hour"]));
    let csv = home.done(&["hunt", "--uploads", "--format", "csv"]).stdout;
    assert!(csv.starts_with("host,hour,octets_at_least,") && csv.lines().count() == 2, "{csv}");
    assert_eq!(home.run(&["hunt", "--uploads", "--rhythm"]).code, Some(2));
}

#[test]
fn a_routing_table_says_whose_networks_are_one() {
    let home = home(&log("198.51.100.9"));
    let table = "192.0.2.0\t24\t64500\n198.51.100.0\t24\t64501\n";
    let table = home.file("routeviews-rv2-20210501-1200.pfx2as", table);
    home.done(&["networks", "import", &table]);
    assert_eq!(home.json(&["hunt", "--uploads"])[0]["networks"], "AS64501");
    // By a newer table, both are networks of one.
    let table = "192.0.2.0\t24\t64500\n198.51.100.0\t24\t64500\n";
    let table = home.file("routeviews-rv2-20210715-1200.pfx2as", table);
    home.done(&["networks", "import", &table]);
    let ran = home.done(&["hunt", "--uploads", "--format", "json"]);
    assert_eq!(ran.stdout.trim(), "[]", "{}", ran.stderr);
    assert!(ran.stderr.contains("2021-05-01"), "{}", ran.stderr);
}

#[test]
fn threads_and_the_order_of_rows_change_nothing() {
    let text = log("198.51.100.9");
    let mut rows: Vec<&str> = text.lines().skip(HEADER.lines().count()).collect();
    rows.reverse();
    let shuffled = format!("{HEADER}{}\n", rows.join("\n"));
    let hunt = ["hunt", "--uploads", "--format", "csv"];
    let expected = home(&text).done(&hunt).stdout;
    let other = home(&shuffled);
    assert_eq!(other.done(&hunt).stdout, expected);
    let one = other.command(&hunt);
    let alone =
        Command::new("taskset").args(["-c", "0"]).arg(one.get_program()).args(one.get_args()).output();
    match alone {
        Ok(ran) => assert_eq!(String::from_utf8(ran.stdout).unwrap(), expected),
        Err(error) => rahdar_testkit::skipped(format_args!(
            "fewer threads, for taskset does not run ({error}); the order of rows is tried alone"
        )),
    }
}

#[test]
fn in_the_scenario_the_nightly_backup_is_known_and_a_planted_upload_is_told() {
    let home = Home::new();
    let scenario = home.path().join("scenario");
    let path = scenario.to_str().unwrap();
    home.done(&["scenario", "roshan-2021", "--sampling", "1", "--flows", "20000", "--out", path]);
    let file = |name: &str| scenario.join(name).to_str().unwrap().to_owned();
    home.done(&["flows", "import", &file("telemetry")]);
    home.done(&["networks", "import", &file("networks.csv")]);
    let hunt = ["hunt", "--uploads", "--from", "2021-08-01", "--until", "2021-09-15"];
    let before = home.json(&hunt);
    let is_backup = |row: &Value| row["addresses"].as_str().unwrap().contains("198.18.250.20");
    assert!(!before.as_array().unwrap().iter().any(is_backup), "{before:#}");

    // 2021-09-01T10:00:00Z, by a workstation that only browses.
    let planted = upload("203.0.113.77", "198.19.44.9", 1_630_490_400, 300_000_000);
    let planted = home.file("planted.log", format!("{HEADER}{planted}"));
    home.done(&["flows", "import", &planted]);
    let after = home.json(&hunt);
    let told: Vec<&Value> = after
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["host"] == "203.0.113.77" && row["hour"] == "2021-09-01T10:00:00Z")
        .collect();
    assert_eq!(told.len(), 1, "{after:#}");
    assert_eq!(told[0]["addresses"], "198.19.44.9");
    assert!(told[0]["record_of"].is_number());
    assert_eq!(after.as_array().unwrap().len(), before.as_array().unwrap().len() + 1, "{after:#}");
}
