//! Pivots: from claimed hosts, by what scans saw of them and of others, to candidates with reasons.

use serde_json::Value;

use crate::harness::Home;

/// A host of a scan, as Shodan has it.
fn host(address: &str, certificate: &str, key: &str, jarm: &str) -> String {
    format!(
        r#"{{"ip_str":"{address}","data":[{{"port":443,"transport":"tcp","timestamp":"2021-05-10T01:02:03","ssl":{{"jarm":"{jarm}","cert":{{"fingerprint":{{"sha256":"{certificate}"}}}}}}}},{{"port":22,"transport":"tcp","timestamp":"2021-05-11T01:02:03","ssh":{{"fingerprint":"{key}"}}}}]}}"#
    )
}

/// A home with two hundred claimed hosts that share a kit, two of `Example Group`, and two unclaimed ones: one with the
/// group's certificate and key, one with a certificate that one of them shares and the kit's fingerprint.
fn home() -> Home {
    let home = Home::new();
    let mut scan: Vec<String> = (10..210)
        .map(|n| {
            let jarm = format!("jarm-{}", n % 40);
            host(&format!("192.0.2.{n}"), &format!("cert-{n}"), &format!("key-{n}"), &jarm)
        })
        .collect();
    let others: Vec<String> = (10..210).map(|n| format!("192.0.2.{n}\n")).collect();
    scan.push(host("198.51.100.1", "cert-g", "key-g", "jarm-g"));
    scan.push(host("198.51.100.2", "cert-g", "key-g", "jarm-g"));
    scan.push(host("198.51.100.3", "cert-g", "key-g", "jarm-1"));
    scan.push(host("198.51.100.4", "cert-12", "key-4", "jarm-12"));
    let scan = home.file("scan.json", scan.join("\n"));
    let others = home.file("others.txt", others.concat());
    let group = home.file("group.txt", "198.51.100.1\n198.51.100.2\n");
    let imported = home.json(&["intel", "import", &scan]);
    assert_eq!(imported[0]["traits"], 204 * 3, "{imported}");
    home.json(&["intel", "import", "--cluster", "Others", &others]);
    home.json(&["intel", "import", "--cluster", "Example Group", &group]);
    home
}

fn candidates(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["candidate"].as_str().unwrap()).collect()
}

#[test]
fn a_host_with_the_traits_of_a_cluster_is_proposed_and_joins_by_a_person() {
    let home = home();
    let rows = home.json(&["intel", "pivot", "--cluster", "Example Group", "--propose"]);
    assert_eq!(candidates(&rows), ["198.51.100.3"]);
    let row = &rows[0];
    assert!(row["score_db"].as_f64().unwrap() > 30.0, "{row}");
    assert_eq!(row["groups"], serde_json::json!(["certificate", "ssh key", "neighbourhood"]));
    assert_eq!((&row["bridge"], &row["cluster"][0]), (&Value::Null, &"Example Group".into()));
    let reason = &row["reasons"][0];
    assert_eq!(
        (&reason["carriers"], &reason["of"], &reason["hostile_of"]),
        (&3.into(), &204.into(), &202.into())
    );
    assert_eq!(home.json(&["intel", "lookup", "198.51.100.3"])["claims"], serde_json::json!([]));

    let waiting = home.json(&["intel", "list", "--proposals"]);
    assert_eq!(
        (&waiting[0]["subject"], &waiting[0]["source"]),
        (&"198.51.100.3".into(), &"rahdar intel pivot".into())
    );
    let again = home.done(&["intel", "pivot", "--cluster", "Example Group", "--propose"]);
    assert!(again.stderr.contains("nothing new to propose"), "{}", again.stderr);
    home.json(&["intel", "accept", &waiting[0]["id"].to_string()]);
    let claims = home.json(&["intel", "lookup", "198.51.100.3"]);
    assert_eq!(claims["claims"][0]["cluster"], "Example Group");
    assert_eq!(claims["claims"][0]["valid_from"], "2021-05-10T00:00:00Z");
    assert_eq!(home.json(&["intel", "pivot", "--cluster", "Example Group"]), serde_json::json!([]));
}

#[test]
fn a_certificate_and_the_fingerprint_of_its_kit_are_no_link() {
    let home = home();
    assert_eq!(home.json(&["intel", "pivot", "192.0.2[.]12"]), serde_json::json!([]));
    let rows = home.json(&["intel", "pivot", "192.0.2.12", "--least", "0"]);
    assert_eq!((candidates(&rows), &rows[0]["score_db"]), (vec!["198.51.100.4"], &14.0.into()));
    let ran = home.done(&["intel", "pivot", "192.0.2.12", "--propose"]);
    assert!(ran.stderr.contains("nothing new to propose"), "{}", ran.stderr);
}

#[test]
fn what_was_not_seen_yet_is_not_found_and_unknown_hosts_are_named() {
    let home = home();
    assert_eq!(candidates(&home.json(&["intel", "pivot", "198.51.100.1", "--at", "2021-05-20"])).len(), 2);
    assert_eq!(home.json(&["intel", "pivot", "198.51.100.1", "--at", "2021-05-01"]), serde_json::json!([]));
    let ran = home.run(&["intel", "pivot", "203.0.113.1"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("nothing was known of `203.0.113.1`"), "{}", ran.stderr);
    assert_eq!(home.run(&["intel", "pivot"]).code, Some(2));
}
