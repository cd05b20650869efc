//! The demo: what it promises, and the same again.

use rahdar_testkit::prose::{mixed, text_of_html};
use serde_json::Value;

use crate::harness::Home;

/// Few background records: the story of the clusters is whole at any size.
const FLOWS: &str = "20000";

fn findings(home: &Home) -> Value {
    let mut answer = home.json(&["hunt"]);
    answer["hunt"]["seconds"] = Value::Null;
    answer
}

#[test]
fn four_clusters_on_one_server_and_one_of_them_on_a_second() {
    let home = Home::new();
    let first = home.done(&["demo", "--flows", FLOWS]);
    assert!(first.stdout.contains("At least 4 GB"), "{}", first.stdout);
    assert!(!first.stdout.contains(" no\n"), "{}", first.stdout);
    assert!(home.path().join("home/report.html").is_file());

    let answer = findings(&home);
    let mut pairs: Vec<_> = answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["verdict"] == "confirmed")
        .map(|finding| {
            format!("{} {}", finding["victim"]["address"], finding["cluster"]["name"]).replace('"', "")
        })
        .collect();
    pairs.sort();
    assert_eq!(pairs.len(), 5, "{pairs:?}");
    assert_eq!(pairs.iter().filter(|pair| pair.contains("RedFoxtrot")).count(), 2, "{pairs:?}");

    let again = home.done(&["demo", "--flows", FLOWS]);
    assert_eq!(first.stdout, again.stdout, "the same numbers");
    assert_eq!(answer["findings"], findings(&home)["findings"]);
    assert_eq!(answer["discounted"], findings(&home)["discounted"]);
    no_sentence_mixes_likelihood_with_confidence(&home, &answer);
    what_the_truth_teaches_weighs_and_is_named(&home);
}

/// ICD-203, over everything that the hunt and the report say.
fn no_sentence_mixes_likelihood_with_confidence(home: &Home, answer: &Value) {
    let mut open = vec![answer];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => assert_eq!(mixed(text), None),
            Value::Array(values) => open.extend(values),
            Value::Object(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    let page = std::fs::read_to_string(home.path().join("home/report.html")).unwrap();
    assert_eq!(mixed(&text_of_html(&page)), None);
}

/// The truth of one scenario is enough to learn from, and too little to lift the cap of confidence.
fn what_the_truth_teaches_weighs_and_is_named(home: &Home) {
    assert_eq!(home.json(&["hunt"])["hunt"]["calibration"], Value::Null);
    let truth = home.path().join("home/scenario/truth.json");
    let learned = home.done(&["calibrate", "--truth", truth.to_str().unwrap()]);
    assert!(learned.stderr.contains("calibration "), "{}", learned.stderr);
    let hunt = home.json(&["hunt"]);
    let name = hunt["hunt"]["calibration"].as_str().unwrap();
    assert!(learned.stderr.contains(name), "{name}: {}", learned.stderr);
    let findings = hunt["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["confidence"].as_u64().unwrap() <= 95));
    let confirmed = findings.iter().filter(|finding| finding["verdict"] == "confirmed");
    assert_eq!(confirmed.count(), 5);
}

#[test]
fn the_unsampled_sensor_counts_to_the_octet() {
    let home = Home::new();
    let ran = home.done(&["demo", "--flows", FLOWS, "--sampling", "1"]);
    assert!(!ran.stdout.contains(" no\n"), "{}", ran.stdout);
}

#[test]
fn a_home_with_other_flows_is_left_alone() {
    let home = Home::new();
    home.done(&["demo", "--flows", "1000"]);
    let other = home.run(&["demo", "--flows", "1000", "--seed", "2"]);
    assert_eq!(other.code, Some(1));
    assert!(other.stderr.contains("--home"), "{}", other.stderr);
}
