//! The whole road on three small files: telemetry, a list, a hunt.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::Home;

/// Two days of conversation between 203.0.113.25 and a listed server, and one stranger.
pub(crate) fn telemetry() -> String {
    let mut log = String::from(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
         #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n\
         #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tstring\tcount\tcount\tcount\tcount\n",
    );
    let mut row = |seconds: u64, uid: usize, remote: &str| {
        log.push_str(&format!(
            "{seconds}.000000\tC{uid}\t203.0.113.25\t{}\t{remote}\t443\ttcp\tssl\t12.5\t500000\t8000\tSF\tShADadFf\t420\t516800\t300\t20000\n",
            40_000 + uid
        ));
    };
    for (uid, hour) in [0, 5, 9, 26, 31, 40].into_iter().enumerate() {
        row(1_621_468_800 + hour * 3_600, uid, "192.0.2.7");
    }
    row(1_621_468_900, 90, "192.0.2.99");
    log
}

#[test]
fn a_listed_server_is_found_with_its_bytes_dates_and_reasons() {
    let home = Home::new();
    let log = home.file("conn.log", telemetry());
    let list = home.file("list.txt", "Actor: Example\nC2 IP Addresses (May-June 2021)\n192[.]0[.]2[.]7\n");

    let imported = home.json(&["flows", "import", &log]);
    assert_eq!(imported[0]["received"], 7);
    assert_eq!(imported[0]["rows"], 7);
    home.done(&["intel", "import", &list, "--cluster", "Example Group"]);

    let answer = home.json(&["hunt"]);
    assert_eq!(answer["hunt"]["flows_swept"], 7);
    let findings = answer["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{answer:#}");
    let finding = &findings[0];
    assert_eq!(finding["victim"]["address"], "203.0.113.25");
    assert_eq!(finding["cluster"]["name"], "Example Group");
    assert_eq!(finding["verdict"], "confirmed");
    assert_eq!(finding["octets_out"]["low"], 6 * 516_800);
    assert_eq!(finding["octets_out"]["point"], 6 * 516_800);
    assert_eq!(finding["first_seen"], "2021-05-20T00:00:00Z");
    assert_eq!(finding["days_active"], 2);
    assert_eq!(finding["infrastructure"][0]["address"], "192.0.2.7");
    assert!(
        finding["reasons"].as_array().unwrap().iter().any(|reason| reason["weight"].as_f64() > Some(0.0))
    );
}

#[test]
fn the_same_content_is_stored_once_whatever_its_name_or_wrapping() {
    let home = Home::new();
    let log = home.file("conn.log", telemetry());
    let again = home.file("again/conn.log", telemetry());
    home.done(&["flows", "import", &log]);
    assert_eq!(home.json(&["flows", "import", &log, &again])[0]["already_stored"], 2);
    assert_eq!(home.rows(), 7);
}

#[test]
fn a_hunt_that_finds_nothing_ends_well() {
    let home = Home::new();
    let log = home.file("conn.log", telemetry());
    home.done(&["flows", "import", &log]);
    let answer = home.json(&["hunt"]);
    assert_eq!(answer["findings"].as_array().unwrap().len(), 0);
}

#[test]
fn an_event_imported_after_a_hunt_is_told_as_exploratory() {
    let home = Home::new();
    let log = home.file("conn.log", telemetry());
    let list = home.file("list.txt", "C2 IP Addresses (May-June 2021)\n192[.]0[.]2[.]7\n");
    let (before, after) = ("date,label\n2021-05-20,before\n", "date,label\n2021-05-21,after\n");
    home.done(&["flows", "import", &log]);
    home.done(&["intel", "import", &list, "--cluster", "Example Group"]);
    home.done(&["events", "import", &home.file("before.csv", before)]);
    home.done(&["hunt"]);
    home.done(&["events", "import", &home.file("after.csv", after)]);
    let answer = home.json(&["hunt"]);
    let tests = answer["findings"][0]["event_tests"].as_array().unwrap();
    let told: Vec<(&str, bool)> = tests
        .iter()
        .map(|test| (test["event"].as_str().unwrap(), test["exploratory"].as_bool().unwrap()))
        .collect();
    assert_eq!(told, [("before", false), ("after", true)]);
}

#[test]
fn a_lookup_says_whether_the_claim_held() {
    let home = Home::new();
    let list = home.file("list.txt", "C2 IP Addresses (May-June 2021)\n192[.]0[.]2[.]7\n");
    home.done(&["intel", "import", &list, "--cluster", "Example Group"]);
    for (at, state) in [("2021-04-01", "not yet"), ("2021-05-20", "valid"), ("2023-01-01", "lapsed")] {
        let answer = home.json(&["intel", "lookup", "192.0.2.7", "--at", at]);
        assert_eq!(answer["claims"][0]["state"], state, "{answer:#}");
        assert_eq!(answer["claims"][0]["cluster"], "Example Group");
        assert_eq!(answer["claims"][0]["valid_from"], "2021-05-01T00:00:00Z");
        assert_eq!(answer["claims"][0]["valid_until"], "2021-07-01T00:00:00Z");
    }
}

#[test]
fn a_lookup_in_rows_tells_the_priority_of_then() {
    let home = Home::new();
    let list = home.file("list.txt", "C2 IP Addresses (May-June 2021)\n192[.]0[.]2[.]7\n");
    home.done(&["intel", "import", &list]);
    for (at, row) in [
        ("2021-04-01", "192.0.2.7,not yet,,"),
        ("2021-05-20", "192.0.2.7,valid,80,"),
        ("2021-08-01", "192.0.2.7,lapsed,39,"),
    ] {
        let shown = home.done(&["intel", "lookup", "192.0.2.7", "--at", at, "--format", "csv"]).stdout;
        assert!(shown.starts_with("indicator,state,priority,") && shown.contains(row), "{shown}");
    }
}

#[test]
fn every_form_of_rows_is_printed() {
    let home = Home::new();
    let log = home.file("conn.log", telemetry());
    home.done(&["flows", "import", &log]);
    let query = ["flows", "sql", "SELECT src, dst_port FROM flows ORDER BY start_time LIMIT 1", "--format"];
    let shown = |format: &str| home.done(&[&query[..], &[format]].concat()).stdout;
    assert_eq!(shown("csv"), "src,dst_port\n203.0.113.25,443\n");
    assert_eq!(shown("ndjson"), "{\"src\":\"203.0.113.25\",\"dst_port\":443}\n");
    assert!(shown("table").contains("203.0.113.25"));
}

#[test]
fn the_report_is_one_page_that_asks_the_network_for_nothing() {
    let home = Home::new();
    let log = home.file("conn.log", telemetry());
    let list = home.file("list.csv", "indicator,cluster,valid_from,valid_until\n192.0.2.7,<script>alert(1)</script>,2021-05-01,2021-06-30\n");
    home.done(&["flows", "import", &log]);
    home.done(&["intel", "import", &list]);
    let page = home.path().join("report.html");
    home.done(&["report", "--as", "html", "-o", page.to_str().unwrap()]);
    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.contains("203.0.113.25"));
    assert!(!html.contains("<script"), "foreign text is escaped and there are no scripts");
    assert!(!html.contains("src=\"http") && !html.contains("href=\"http"));
}

#[test]
fn the_command_in_a_report_finds_the_same_again() {
    let home = Home::new();
    let claims =
        "indicator,cluster,valid_from\n192.0.2.7,Example 'Group',2021-05-01\n192.0.2.99,Others,2021-05-01\n";
    home.done(&["intel", "import", &home.file("list.csv", claims)]);
    home.done(&["flows", "import", &home.file("conn.log", telemetry())]);
    let scope = [
        "--from=2021-05-20T00:00:00.5Z",
        "--until=2021-05-21",
        "--victim=203.0.113.0/24",
        "--cluster=Example 'Group'",
    ];
    let told = home.json(&[&["hunt"][..], &scope].concat());
    let page = home.path().join("report.html");
    home.done(&[&["report", "-o", page.to_str().unwrap()][..], &scope].concat());
    // What comes later is in no version that the report names.
    home.done(&["flows", "import", &home.file("later.log", telemetry().replace("500000", "600000"))]);

    let html = std::fs::read_to_string(page).unwrap();
    let line = html.split("Compute again").nth(1).unwrap().split("</code>").next().unwrap();
    let line = &line[line.find("rahdar").unwrap()..].replace("&#39;", "'");
    let folder = Path::new(env!("CARGO_BIN_EXE_rahdar")).parent().unwrap();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", line]).env("PATH", folder).env("RAHDAR_HOME", home.path().join("home"));
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    let again: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(again["findings"].as_array().unwrap().len(), 1, "{line}");
    assert_eq!(again["findings"], told["findings"], "{line}");
    assert_eq!(again["hunt"]["flows_swept"], told["hunt"]["flows_swept"]);
}
