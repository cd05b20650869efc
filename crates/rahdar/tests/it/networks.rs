//! Public files about networks, and what a hunt tells of its victims by them.

use serde_json::json;

use crate::harness::Home;
use crate::road::telemetry;

const BEFORE: &str = "203.0.113.0\t24\t64500\n0.0.0.0\t0\t64511\n";
const AFTER: &str = "203.0.113.0\t24\t64501_64502\n";
const ORGANISATIONS: &str = "# format:org_id|changed|org_name|country|source\nORG-1|1|Example Telecom|AF|RIPE\n\
    # format:aut|changed|aut_name|org_id|source\n64500|1|X|ORG-1|RIPE\n";
const DELEGATED: &str = "2|ripencc|20210501|1|19830705|20210501|+0000\n\
    ripencc|AE|ipv4|203.0.113.0|256|20050101|allocated|id\n";

#[test]
fn a_victim_has_a_network_as_of_its_contact() {
    let home = Home::new();
    let file = |name: &str, text: &str| home.file(name, text);
    let own = file("networks.csv", "prefix,asn,org,sector,country\n203.0.113.0/24,,,telecom,AF\n");
    let rows = home.json(&["networks", "import", &own]);
    assert_eq!(
        (&rows[0]["rows"], &rows[0]["added"], &rows[0]["source"]),
        (&json!(1), &json!(1), &json!("the operator"))
    );
    let files = [
        file("routeviews-rv2-20210501-1200.pfx2as", BEFORE),
        file("routeviews-rv2-20210521-1200.pfx2as", AFTER),
        file("20210401.as-org2info.txt", ORGANISATIONS),
        file("delegated-ripencc-extended-latest", DELEGATED),
    ];
    let mut args = vec!["networks", "import"];
    args.extend(files.iter().map(String::as_str));
    let rows = home.json(&args);
    let shown: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {}", row["source"], row["as_of"], row["added"]))
        .collect();
    assert_eq!(
        shown,
        [
            "\"CAIDA pfx2as, IPv4\" \"2021-05-01\" 1",
            "\"CAIDA pfx2as, IPv4\" \"2021-05-21\" 1",
            "\"CAIDA as2org\" \"2021-04-01\" 2",
            "\"delegated, ripencc\" \"2021-05-01\" 1",
        ]
    );
    assert_eq!(home.json(&args)[0]["added"], 0, "the same again adds nothing");

    let log = home.file("conn.log", telemetry());
    let list = home.file("list.txt", "C2 IP Addresses (May-June 2021)\n192[.]0[.]2[.]7\n");
    home.done(&["flows", "import", &log]);
    home.done(&["intel", "import", &list, "--cluster", "Example Group"]);
    let hunt = home.json(&["hunt"]);
    let victim = &hunt["findings"][0]["victim"];
    assert_eq!(
        (&victim["asn"], &victim["org"], &victim["sector"], &victim["country"]),
        (&json!(64500), &json!("Example Telecom"), &json!("telecom"), &json!("AF"))
    );
    let profile = &victim["profile"];
    let origin = |asns: serde_json::Value, as_of: &str| json!({"prefix": "203.0.113.0/24", "asns": asns, "source": "CAIDA pfx2as, IPv4", "as_of": as_of});
    let moved = json!([origin(json!([64500]), "2021-05-01"), origin(json!([64501, 64502]), "2021-05-21")]);
    assert_eq!(profile["origins"], moved);
    let said =
        |value: &str, source: &str, as_of: &str| json!({"value": value, "source": source, "as_of": as_of});
    let countries = &profile["countries"];
    assert_eq!(
        countries["registered"],
        json!([said("AE", "delegated, ripencc", "2021-05-01"), said("AF", "CAIDA as2org", "2021-04-01")])
    );
    assert_eq!(countries["operating"], json!([{"value": "AF", "source": "the operator", "as_of": null}]));
    assert_eq!(countries["disagree"], true);
    assert_eq!(profile["role"]["top"]["role"], "endpoint");

    let page = home.path().join("report.html");
    home.done(&["report", "-o", page.to_str().unwrap()]);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("Where its network is, sources differ"), "the report has the sentence");
}

#[test]
fn a_table_of_a_later_day_says_nothing_of_an_earlier_contact() {
    let home = Home::new();
    let log = home.file("conn.log", telemetry());
    let list = home.file("list.txt", "C2 IP Addresses (May-June 2021)\n192[.]0[.]2[.]7\n");
    let later = home.file("routeviews-rv2-20210601-1200.pfx2as", BEFORE);
    home.done(&["flows", "import", &log]);
    home.done(&["intel", "import", &list, "--cluster", "Example Group"]);
    home.done(&["networks", "import", &later]);
    let ran = home.done(&["hunt", "--format", "json"]);
    let hunt: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(hunt["findings"][0]["victim"]["profile"]["origins"], json!([]));
    assert!(
        ran.stderr.contains("2021-06-01") && ran.stderr.contains("import an older one"),
        "{}",
        ran.stderr
    );
}

#[test]
fn files_that_cannot_be_taken_are_named_with_line_and_remedy() {
    let home = Home::new();
    let bad = home.file("20210501.pfx2as", "203.0.113.0\t24\t64500\n203.0.113.0\t33\t64500\n");
    let ran = home.run(&["networks", "import", &bad]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("line 2: `203.0.113.0/33` is not a prefix"), "{}", ran.stderr);

    let undated = home.file("pfx2as", BEFORE);
    let ran = home.run(&["networks", "import", &undated]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("pfx2as") && ran.stderr.contains("--as-of DATE"), "{}", ran.stderr);
    let rows = home.json(&["networks", "import", &undated, "--as-of", "2021-05-01"]);
    assert_eq!(rows[0]["as_of"], "2021-05-01");

    let own = home.file("networks.csv", "prefix,asn,org,sector,country\n203.0.113.0/24,64500,x,telecom,AF\n");
    let ran = home.run(&["networks", "import", &own, "--as-of", "2021-05-01"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("leave out --as-of"), "{}", ran.stderr);
}
