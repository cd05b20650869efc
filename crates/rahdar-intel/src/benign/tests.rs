//! Lists of known good hosts, and what they mean for a verdict.

use super::*;
use crate::index::Snapshot;

fn list(name: &str, kind: &str, version: &str, entries: &[&str]) -> String {
    let entries = entries.iter().map(|entry| format!("{entry:?}")).collect::<Vec<_>>().join(",");
    format!(
        r#"{{"name":"{name}","type":"{kind}","version":{version},"matching_attributes":["domain","ip-dst"],"list":[{entries}]}}"#
    )
}

fn reading(text: &str) -> Reading {
    let reading = crate::read("list.json", text.as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(reading.format, Format::WarningList);
    reading
}

#[test]
fn the_name_of_a_list_tells_the_kind_of_host() {
    let check = |name: &str, expected: &str| {
        let reading = reading(&list(name, "cidr", "3", &["192.0.2.0/24"]));
        let told = match reading.facts.first() {
            Some(fact) => fact.class.word().to_owned(),
            None => reading.set_aside.into_keys().next().unwrap(),
        };
        assert_eq!(told, expected, "{name}");
    };
    check("List of known sinkholes", "sinkhole");
    check("cisco-umbrella-blockpage-ipv4", "sinkhole");
    check("List of known Cloudflare IP ranges", "cdn");
    check("List of known IPv4 public DNS resolvers", "cdn");
    check("List of known SMTP sending IP ranges", "cdn");
    check("List of known GCP (Google Cloud Platform) IP address ranges", "cloud");
    check("List of known Amazon AWS IP address ranges", "cloud");
    check("List of known OVH Cluster IPs", "shared");
    check("Censys IP Ranges Used for Scanning", "scanner");
    check("Tenable Cloud Sensors IPv4", "scanner");
    check("List of known Googlebot IP ranges", "scanner");
    check("Specialized list of IPv4 addresses belonging to common VPN providers and datacenters", "pool");
    check("List of RFC 1918 CIDR blocks", "network of no host of the Internet");
    check("Networks of somebody", "network of a list whose name tells no kind of host");
}

fn check_window(name: &str, version: &str, window: &str) {
    let reading = reading(&list(name, "cidr", version, &["192.0.2.1"]));
    assert_eq!(format!("{:?}", reading.facts[0].validity).replace("T00:00:00Z", ""), window, "{version}");
}

#[test]
fn hosts_that_change_hands_are_known_from_before_the_date_of_their_list_on() {
    check_window("Sinkholes", "20240422", "[2024-01-23, the end)");
    check_window("Sinkholes", "\"20240422\"", "[2024-01-23, the end)");
    check_window("Example IP Ranges Used for Scanning", "26081010", "[2026-05-12, the end)");
    check_window("Sinkholes", "2", "[the beginning, the end)");
    check_window("Sinkholes", "20249999", "[the beginning, the end)");
    check_window("Cloudflare", "20240422", "[the beginning, the end)");
}

#[test]
fn broad_networks_of_providers_are_taken_and_the_whole_internet_is_not() {
    let reading =
        reading(&list("Cloudflare", "cidr", "1", &["104.16.0.0/12", "0.0.0.0/0", "x", "2a06:98c0::/29"]));
    assert_eq!(reading.facts.len(), 2);
    let told: Vec<String> = reading.refused.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "entry 2: `0.0.0.0/0`: the network is too broad to belong to one owner: IPv4 /8 and IPv6 /16 are the broadest",
            "entry 3: `x`: not an IP address"
        ]
    );
}

fn check_names(kind: &str, entry: &str, names: &[(&str, bool)]) {
    let reading = reading(&list("Popular sites", kind, "1", &[entry]));
    let book = Snapshot::default().with_notes(reading.notes);
    for (name, expected) in names {
        let found = book.notes_on(name, Timestamp::default());
        assert_eq!(found.len() == 1, *expected, "{kind} {entry}: {name}");
        assert!(found.iter().all(|note| &*note.source == "Popular sites"));
    }
}

#[test]
fn names_are_met_as_the_type_of_the_list_says() {
    check_names("string", "example.org", &[("example.org", true), ("www.example.org", false)]);
    check_names("string", ".example.org", &[("example.org", true), ("www.example.org", true)]);
    check_names(
        "hostname",
        "Example.org",
        &[("example.org", true), ("a.b.example.org", true), ("notexample.org", false)],
    );
    check_names("substring", "example", &[("www.example.org", true), ("www.org", false)]);
    check_names("regex", r"/^www\./i", &[("www.example.org", true), ("example.org", false)]);
    check_names("string", "https://example.org/a", &[("example.org", true)]);
}

#[test]
fn entries_of_other_things_are_set_aside_and_bad_ones_refused() {
    let hashes = r#"{"name":"x","type":"string","version":1,"matching_attributes":["md5"],"list":["0123"]}"#;
    assert_eq!(reading(hashes).set_aside["entry of a list of md5"], 1);
    let bad = reading(r#"{"name":"x","type":"string","version":1,"list":["a b","example.org",7]}"#);
    assert_eq!((bad.notes.len(), bad.refused_count), (1, 2));
    let pattern = reading(&list("x", "regex", "1", &["("]));
    assert_eq!(pattern.refused[0].to_string(), "entry 1: `(`: not of the type `regex`");
}
