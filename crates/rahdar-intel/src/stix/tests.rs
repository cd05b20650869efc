//! Bundles as sources write them, and as they come broken.

use serde_json::{Value, json};

use super::*;
use crate::tests::shown;

const TIME: &str = "2021-06-16T09:30:00.000Z";

fn object(kind: &str, number: u32, more: Value) -> Value {
    let mut object = json!({
        "type": kind, "spec_version": "2.1", "id": format!("{kind}--{number}"), "created": TIME, "modified": TIME,
    });
    for (key, value) in more.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

fn indicator(number: u32, address: &str) -> Value {
    let pattern = format!("[ipv4-addr:value = '{address}']");
    object(
        "indicator",
        number,
        json!({"pattern": pattern, "pattern_type": "stix", "valid_from": "2021-05-01T00:00:00Z"}),
    )
}

fn link(number: u32, from: &str, kind: &str, to: &str) -> Value {
    object("relationship", number, json!({"relationship_type": kind, "source_ref": from, "target_ref": to}))
}

fn named(kind: &str, number: u32, name: &str) -> Value {
    object(kind, number, json!({"name": name}))
}

fn bundle(objects: &[Value]) -> String {
    json!({"type": "bundle", "id": "bundle--1", "objects": objects}).to_string()
}

fn reading(text: &str) -> Reading {
    read(&Source::of_path("a.json"), text, &ReadOptions::default()).unwrap()
}

fn check(objects: &[Value], claims: &[&str]) {
    let reading = reading(&bundle(objects));
    assert_eq!(reading.claims.iter().map(shown).collect::<Vec<_>>(), claims);
    assert_eq!(reading.refused, []);
}

const OPEN: &str = "192.0.2.1 [2021-05-01, the end) stated";

#[test]
fn an_indicator_gets_its_cluster_and_tools_from_the_relationships() {
    let expected = format!("{OPEN} redfoxtrot PlugX indicator--1");
    let plugx = named("malware", 1, "PlugX");
    let group = named("intrusion-set", 1, "RedFoxtrot");
    check(
        &[
            indicator(1, "192.0.2.1"),
            group.clone(),
            plugx.clone(),
            link(1, "indicator--1", "indicates", "intrusion-set--1"),
            link(2, "indicator--1", "indicates", "malware--1"),
        ],
        &[&expected],
    );
    check(
        &[
            indicator(1, "192.0.2.1"),
            group,
            plugx,
            named("infrastructure", 1, "C2"),
            named("campaign", 1, "June"),
            link(1, "indicator--1", "indicates", "infrastructure--1"),
            link(2, "malware--1", "beacons-to", "infrastructure--1"),
            link(3, "campaign--1", "uses", "infrastructure--1"),
            link(4, "campaign--1", "attributed-to", "intrusion-set--1"),
        ],
        &[&expected],
    );
}

#[test]
fn groups_are_known_as_groups_and_campaigns_are_not() {
    let reading = reading(&bundle(&[
        indicator(1, "192.0.2.1"),
        named("intrusion-set", 1, "RedFoxtrot"),
        named("campaign", 1, "June"),
        named("malware", 1, "PlugX"),
        link(1, "indicator--1", "indicates", "campaign--1"),
        link(2, "intrusion-set--1", "uses", "malware--1"),
    ]));
    let known: Vec<_> =
        reading.clusters.iter().map(|c| (c.name.as_str(), c.named, c.tools.join(","))).collect();
    assert_eq!(known, [("June", false, String::new()), ("RedFoxtrot", true, "PlugX".to_owned())]);
    assert_eq!(&*reading.claims[0].cluster.as_ref().unwrap().0, "june");
}

#[test]
fn malware_that_several_groups_use_names_none_of_them() {
    let shared = [
        indicator(1, "192.0.2.1"),
        named("malware", 1, "PlugX"),
        named("intrusion-set", 1, "A group"),
        named("intrusion-set", 2, "Another"),
        link(1, "indicator--1", "indicates", "malware--1"),
        link(2, "intrusion-set--1", "uses", "malware--1"),
        link(3, "intrusion-set--2", "uses", "malware--1"),
    ];
    check(&shared, &[&format!("{OPEN} PlugX indicator--1")]);
    check(&shared[..6], &[&format!("{OPEN} a-group PlugX indicator--1")]);
}

#[test]
fn the_one_group_of_a_report_stands_behind_its_indicators() {
    let report =
        object("report", 1, json!({"name": "r", "object_refs": ["indicator--1", "threat-actor--1"]}));
    let expected = format!("{OPEN} an-actor indicator--1");
    check(&[indicator(1, "192.0.2.1"), named("threat-actor", 1, "An actor"), report], &[&expected]);
}

#[test]
fn infrastructure_consists_of_addresses() {
    let address = json!({"type": "ipv4-addr", "id": "ipv4-addr--1", "value": "192.0.2.1"});
    let infrastructure = object(
        "infrastructure",
        1,
        json!({
            "name": "C2", "first_seen": "2021-05-01T00:00:00Z", "last_seen": "2021-07-01T00:00:00Z",
        }),
    );
    let claim = "192.0.2.1 [2021-05-01, 2021-07-01) stated a-group relationship--1";
    check(
        &[
            address,
            infrastructure,
            named("intrusion-set", 1, "A group"),
            link(1, "infrastructure--1", "consists-of", "ipv4-addr--1"),
            link(2, "intrusion-set--1", "uses", "infrastructure--1"),
        ],
        &[claim],
    );
}

#[test]
fn a_valid_from_that_a_tool_filled_in_is_a_date_of_publication() {
    let mut filled = indicator(1, "192.0.2.1");
    filled["valid_from"] = json!(TIME);
    check(&[filled.clone()], &["192.0.2.1 [2021-03-18T09:30:00Z, 2021-06-17) published indicator--1"]);
    filled["valid_until"] = json!("2021-07-01T00:00:00Z");
    check(&[filled], &["192.0.2.1 [2021-06-16T09:30:00Z, 2021-07-01) stated indicator--1"]);
}

#[test]
fn the_latest_version_wins_and_a_revoked_one_says_so() {
    let mut revoked = indicator(1, "192.0.2.1");
    revoked["modified"] = json!("2021-08-01T00:00:00Z");
    revoked["revoked"] = json!(true);
    for objects in [[revoked.clone(), indicator(1, "192.0.2.1")], [indicator(1, "192.0.2.1"), revoked]] {
        let reading = reading(&bundle(&objects));
        assert_eq!(reading.claims.len(), 1);
        assert!(reading.claims[0].revoked);
        assert_eq!(reading.claims[0].published.unwrap().to_string(), "2021-08-01T00:00:00Z");
    }
}

#[test]
fn markings_of_both_generations_are_read_and_the_strictest_holds() {
    let check = |marking: Value, refs: &[&str], tlp: Option<Tlp>| {
        let mut marked = indicator(1, "192.0.2.1");
        marked["object_marking_refs"] = json!(refs);
        assert_eq!(reading(&bundle(&[marking, marked])).claims[0].tlp, tlp, "{refs:?}");
    };
    let first =
        object("marking-definition", 1, json!({"definition_type": "tlp", "definition": {"tlp": "green"}}));
    let second = object(
        "marking-definition",
        2,
        json!({"extensions": {
            "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {"extension_type": "property-extension", "tlp_2_0": "amber+strict"},
        }}),
    );
    check(first.clone(), &["marking-definition--1"], Some(Tlp::Green));
    check(
        second,
        &["marking-definition--2", "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"],
        Some(Tlp::AmberStrict),
    );
    check(first.clone(), &["marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"], Some(Tlp::Red));
    check(first, &["marking-definition--unknown"], None);
}

#[test]
fn the_author_is_the_source_and_confidence_is_kept() {
    let mut signed = indicator(1, "192.0.2.1");
    signed["created_by_ref"] = json!("identity--1");
    signed["confidence"] = json!(85);
    let reading = reading(&bundle(&[named("identity", 1, "A laboratory"), signed]));
    assert_eq!((&*reading.claims[0].source, reading.claims[0].confidence), ("A laboratory", Some(85)));
}

#[test]
fn malformed_objects_are_refused_one_by_one() {
    let mut wrong_time = indicator(2, "192.0.2.2");
    wrong_time["valid_from"] = json!("soon");
    let mut wrong_id = indicator(3, "192.0.2.3");
    wrong_id["id"] = json!("3");
    let mut wrong_pattern = indicator(4, "192.0.2.4");
    wrong_pattern["pattern"] = json!("[ipv4-addr:value = ");
    let mut wrong_type = indicator(5, "192.0.2.5");
    wrong_type["revoked"] = json!("no");
    let mut backwards = indicator(6, "192.0.2.6");
    backwards["valid_until"] = json!("2020-01-01T00:00:00Z");
    let objects =
        [indicator(1, "192.0.2.1"), wrong_time, wrong_id, wrong_pattern, wrong_type, backwards, json!(7)];
    let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
    let reading = reading(&format!("{{\"type\":\"bundle\",\"objects\":[\n{}\n]}}", lines.join(",\n")));
    assert_eq!(reading.claims.iter().map(shown).collect::<Vec<_>>(), [format!("{OPEN} indicator--1")]);
    let refused: Vec<String> = reading.refused.iter().map(|r| format!("{}: {}", r.place, r.reason)).collect();
    assert_eq!(
        refused,
        [
            "line 3: not a valid STIX object: `valid_from` is not a time: `soon`",
            "line 4: not a valid STIX object: its id `3` is none of a `indicator`",
            "line 6: not a valid STIX object: invalid type: string \"no\", expected a boolean",
            "line 8: not a valid STIX object: invalid type: integer `7`, expected struct Fields",
            "indicator--4: the pattern cannot be read: it ends where a value is expected",
            "indicator--6: the window ends before it begins: [2021-05-01T00:00:00Z, 2020-01-01T00:00:00Z)",
        ],
    );
}

#[test]
fn envelopes_lists_and_single_objects_are_read_too() {
    let one = indicator(1, "192.0.2.1");
    for text in [json!({"more": false, "objects": [one]}), json!([one]), one] {
        assert_eq!(reading(&text.to_string()).claims.len(), 1, "{text}");
    }
}

fn check_error(text: &str, message: &str) {
    let error = read(&Source::default(), text, &ReadOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), message, "{text}");
}

#[test]
fn a_bundle_that_is_cut_off_anywhere_says_where() {
    check_error(
        "{\"type\": \"bundle\",\n \"objects\": [",
        "the bundle is cut off at line 2, column 13 (octet 32): fetch it again",
    );
    let whole = bundle(&[indicator(1, "192.0.2.1"), named("intrusion-set", 1, "é")]);
    for end in (1..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        let error = read(&Source::default(), &whole[..end], &ReadOptions::default()).unwrap_err();
        assert!(matches!(error, ReadError::CutOff { octet, .. } if octet == end), "{end}: {error}");
    }
}

#[test]
fn other_json_is_named() {
    check_error("{\"Event\": {\"info\": \"x\"}}", "a MISP event: not read yet; export it as STIX 2.1 or CSV");
    check_error(
        "{\"response\": [{\"Event\": {}}]}",
        "a MISP event: not read yet; export it as STIX 2.1 or CSV",
    );
    check_error(
        "[{\"ip\": \"192.0.2.1\"}]",
        "JSON that is no STIX bundle: not read yet; convert it to STIX 2.1 or CSV",
    );
    check_error("{\"a\": 1}\n{\"a\": 2}\n", "JSON lines: not read yet; convert it to STIX 2.1 or CSV");
    check_error("{\"a\": 1,}", "not valid JSON at line 1, column 9: trailing comma");
    check_error(
        "{\"type\": \"bundle\", \"id\": \"bundle--1\"}",
        "no indicator in it: neither an address, a domain, a URL nor a file hash",
    );
}

#[test]
fn nesting_without_end_is_an_error_and_no_overflow() {
    let deep = format!(
        "{{\"type\":\"bundle\",\"objects\":[{{\"type\":\"x\",\"id\":\"x--1\",\"extensions\":{}{}}}]}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let reading = reading(&deep);
    assert_eq!(reading.refused_count, 1);
}
