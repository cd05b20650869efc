//! The same flows and the same book give the same findings, octet for octet.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::Home;

/// Everything that a hunt says of what was met. The versions of table and book are not among it: they
/// count imports.
fn told(answer: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(answer).unwrap();
    let parts = ["findings", "discounted", "totals", "clusters", "companies"];
    parts.map(|part| answer[part].to_string()).join("\n")
}

/// The rows of a log, each at a place that only its content decides; the header stays above them.
fn shuffled(log: &str) -> String {
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_by_key(|line| (!line.starts_with('#'), if line.starts_with('#') { 0 } else { digest(line) }));
    lines.join("\n") + "\n"
}

/// FNV-1a.
fn digest(line: &str) -> u64 {
    line.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Months of the scenario that are imported: two of these logs hold every cluster.
const MONTHS: [&str; 2] = ["conn.2021-05.log", "conn.2021-08.log"];

/// Imports a part of the scenario, its logs unpacked by `rewrite`, in the order of these months.
fn home_of(scenario: &Path, months: &[&str], rewrite: fn(&str) -> String) -> Home {
    let home = Home::new();
    let unpacked = |month: &str| {
        let packed = fs::File::open(scenario.join(format!("telemetry/{month}.gz"))).unwrap();
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut text).unwrap();
        home.file(month, rewrite(&text))
    };
    for month in months {
        home.done(&["flows", "import", &unpacked(month)]);
    }
    home.json(&["intel", "import", scenario.join("intelligence").to_str().unwrap()]);
    home.done(&["networks", "import", scenario.join("networks.csv").to_str().unwrap()]);
    home
}

/// What a command answers on one core, so with one thread; where that cannot be tried, with all.
fn on_one_core(home: &Home, args: &[&str]) -> Vec<u8> {
    let command = home.command(args);
    let alone = Command::new("taskset")
        .args(["-c", "0"])
        .arg(command.get_program())
        .args(command.get_args())
        .output();
    let ran = alone.unwrap_or_else(|error| {
        rahdar_testkit::skipped(format_args!(
            "fewer threads, for taskset does not run ({error}); the order of rows is tried alone"
        ));
        home.command(args).output().unwrap()
    });
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    ran.stdout
}

#[test]
fn threads_and_the_order_of_rows_and_files_change_no_finding() {
    let making = Home::new();
    let scenario = making.path().join("scenario");
    let path = scenario.to_str().unwrap();
    making.done(&[
        "scenario",
        "roshan-2021",
        "--seed",
        "4",
        "--sampling",
        "1",
        "--flows",
        "4000",
        "--out",
        path,
    ]);
    let as_written = home_of(&scenario, &MONTHS, str::to_owned);
    let [may, august] = MONTHS;
    let other = home_of(&scenario, &[august, may], shuffled);

    let hunt = ["hunt", "--format", "json"];
    let first = told(&on_one_core(&as_written, &hunt));
    for cluster in ["Calypso", "RedFoxtrot", "Winnti cluster", "PlugX cluster"] {
        assert!(first.contains(cluster), "{cluster}: {first}");
    }
    assert_eq!(told(other.done(&hunt).stdout.as_bytes()), first);

    let listless = ["hunt", "--rhythm", "--format", "json"];
    let first = String::from_utf8(on_one_core(&as_written, &listless)).unwrap();
    assert!(first.contains("203.0.113.25"), "{first}");
    assert_eq!(other.done(&listless).stdout, first);
}
