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

/// Imports the scenario, its logs unpacked by `rewrite`.
fn home_of(scenario: &Path, rewrite: fn(&str) -> String) -> Home {
    let home = Home::new();
    let mut logs: Vec<String> = Vec::new();
    for log in fs::read_dir(scenario.join("telemetry")).unwrap() {
        let path = log.unwrap().path();
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        logs.push(home.file(path.file_stem().unwrap().to_str().unwrap(), rewrite(&text)));
    }
    logs.sort_by_key(|path| digest(&rewrite(path)));
    let mut import = vec!["flows", "import"];
    import.extend(logs.iter().map(String::as_str));
    home.done(&import);
    home.json(&["intel", "import", scenario.join("intelligence").to_str().unwrap()]);
    home.done(&["networks", "import", scenario.join("networks.csv").to_str().unwrap()]);
    home
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
    let as_written = home_of(&scenario, str::to_owned);
    let hunt = ["hunt", "--format", "json"];
    let first = told(as_written.done(&hunt).stdout.as_bytes());
    assert!(first.contains("Calypso"), "{first}");
    assert_eq!(told(as_written.done(&hunt).stdout.as_bytes()), first, "a second time");

    let one = as_written.command(&hunt);
    let alone =
        Command::new("taskset").args(["-c", "0"]).arg(one.get_program()).args(one.get_args()).output();
    match alone {
        Ok(alone) => assert_eq!(told(&alone.stdout), first, "in one thread"),
        Err(error) => eprintln!("skipped: no taskset to take a thread away: {error}"),
    }

    let other = home_of(&scenario, shuffled);
    assert_eq!(told(other.done(&hunt).stdout.as_bytes()), first, "in another order");
}
