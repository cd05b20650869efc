//! Reports: proposed on import, taken into the book by a person.

use rahdar_testkit::corpus;
use serde_json::Value;

use crate::harness::Home;

const REPORT: &str = "Example Labs on UNC9999\n\nDate: 2021-09-28\n\n\
    The threat group UNC9999 has targeted Example Net since at least May 2021. It controlled its implants by the server \
    c2[.]example[.]org on port 443. Our site www.example.com has more on that.\n";

/// A column of rows where another column has a value.
fn texts<'a>(rows: &'a Value, of: &str, is: &str, column: &str) -> Vec<&'a str> {
    let rows = rows.as_array().unwrap().iter().filter(|row| row[of] == is);
    rows.map(|row| row[column].as_str().unwrap_or_default()).collect()
}

#[test]
fn what_a_report_says_waits_for_a_person() {
    let home = Home::new();
    let report = home.file("report.txt", REPORT);
    let ran = home.done(&["intel", "import", &report]);
    assert!(
        ran.stderr.contains("UNC9999 targets Example Net") && ran.stderr.contains("line 5"),
        "{}",
        ran.stderr
    );
    assert_eq!(home.json(&["intel", "list"]), serde_json::json!([]));

    let waiting = home.json(&["intel", "list", "--proposals"]);
    assert_eq!(texts(&waiting, "relation", "indicates", "subject"), ["c2.example.org"]);
    let row = waiting.as_array().unwrap().iter().find(|row| row["relation"] == "indicates").unwrap();
    assert!(row["sentence"].as_str().unwrap().starts_with("It controlled"), "{row}");
    let accepted = home.json(&["intel", "accept", &row["id"].to_string()]);
    assert_eq!((&accepted[0]["accepted"], &accepted[0]["claims_added"]), (&1.into(), &1.into()));
    let claims = home.json(&["intel", "list"]);
    assert_eq!(
        (&claims[0]["indicator"], &claims[0]["cluster"]),
        (&"c2.example.org".into(), &"UNC9999".into())
    );
    let left = home.json(&["intel", "list", "--proposals"]).as_array().unwrap().len();
    assert_eq!(left, waiting.as_array().unwrap().len() - 1);

    assert_eq!(home.json(&["intel", "import", "--accept", &report])[0]["accepted"], left);
    assert_eq!(home.json(&["intel", "list", "--proposals"]), serde_json::json!([]));
    let said = home.json(&["intel", "list", "--assertions"]);
    assert_eq!(texts(&said, "relation", "targets", "object"), ["Example Net"]);
    assert!(home.done(&["intel", "import", &report]).stderr.contains("already stored"));
}

#[test]
fn a_number_of_no_proposal_is_named() {
    let home = Home::new();
    let ran = home.run(&["intel", "accept", "7"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("number 7") && ran.stderr.contains("--proposals"), "{}", ran.stderr);
    assert_eq!(home.run(&["intel", "accept"]).code, Some(2));
}

#[test]
fn the_two_articles_end_as_assertions_of_the_book() {
    let Some(corpus) = corpus() else { return };
    let home = Home::new();
    let articles = corpus.join("articles");
    let summary = home.json(&["intel", "import", "--accept", articles.to_str().unwrap()]);
    assert_eq!(summary[0]["files"], 2);
    let said = home.json(&["intel", "list", "--assertions"]);
    let kinds = texts(&said, "object", "unattributed cluster", "subject");
    assert!(kinds.contains(&"Winnti cluster") && kinds.contains(&"PlugX cluster"), "{kinds:?}");
    let groups = texts(&said, "object", "group", "subject");
    assert!(groups.contains(&"Calypso") && groups.contains(&"RedFoxtrot"), "{groups:?}");
    assert!(!groups.contains(&"Winnti") && !groups.contains(&"PlugX"), "{groups:?}");
    assert_eq!(texts(&said, "object", "PLA Unit 69010", "relation"), ["attributed to"]);
    assert_eq!(texts(&said, "object", "PLA Unit 69010", "source"), ["The Record"]);
    assert!(texts(&said, "subject", "Calypso", "object").contains(&"Roshan"));
    assert!(texts(&said, "subject", "Calypso", "object").contains(&"ProxyLogon"));
    assert!(said.as_array().unwrap().iter().any(|row| row["object"] == "Afghanistan"));
    let window = |subject: &str, from: &str, until: &str| {
        said.as_array().unwrap().iter().any(|row| {
            row["subject"] == subject
                && row["from"].as_str().is_some_and(|time| time.starts_with(from))
                && row["until"].as_str().is_some_and(|time| time.starts_with(until))
        })
    };
    assert!(
        window("Calypso", "2020-07-01", "2021-10-01") && window("RedFoxtrot", "2021-03-01", "2021-06-01")
    );
    assert_eq!(
        home.json(&["intel", "list"]),
        serde_json::json!([]),
        "no publisher, link or reference is an indicator"
    );
}
