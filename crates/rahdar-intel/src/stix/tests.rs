//! Bundles as sources write them, and as they come broken.

use serde_json::{Value, json};

use rahdar_model::intelligence::{HostClass, Tlp};

use super::*;
use crate::assertion::Relation;
use crate::index::Snapshot;
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
fn whom_a_group_is_attributed_to_is_a_relation_of_their_names() {
    let attributed = |objects: &[Value]| -> Vec<_> {
        let said = reading(&bundle(objects)).assertions.into_iter();
        let said = said.filter(|said| said.relation == Relation::AttributedTo);
        said.map(|said| (said.subject, said.object, said.confidence)).collect()
    };
    let (group, unit) = (named("intrusion-set", 1, "RedNet"), named("threat-actor", 1, "Unit 99999"));
    let mut tie = link(1, "intrusion-set--1", "attributed-to", "threat-actor--1");
    tie["confidence"] = json!(60);
    let told = ("RedNet".to_owned(), "Unit 99999".to_owned(), Some(60));
    assert_eq!(attributed(&[group.clone(), unit.clone(), tie.clone()]), [told]);
    tie["revoked"] = json!(true);
    assert_eq!(attributed(&[group.clone(), unit, tie]), []);
    let lost = link(1, "intrusion-set--1", "attributed-to", "threat-actor--9");
    assert_eq!(attributed(&[group, lost]), []);
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
fn infrastructure_consists_of_certificates() {
    let sha1 = "c".repeat(40);
    let certificate = json!({
        "type": "x509-certificate", "id": "x509-certificate--1", "hashes": {"SHA-1": sha1, "MD5": "d".repeat(32)},
    });
    check(
        &[
            certificate,
            named("infrastructure", 1, "C2"),
            named("intrusion-set", 1, "A group"),
            link(1, "infrastructure--1", "consists-of", "x509-certificate--1"),
            link(2, "intrusion-set--1", "uses", "infrastructure--1"),
        ],
        &[&format!("{sha1} [2021-03-18T09:30:00Z, 2021-06-17) published a-group relationship--1")],
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
fn the_latest_version_speaks_and_earlier_ones_are_history() {
    let mut revoked = indicator(1, "192.0.2.1");
    revoked["modified"] = json!("2021-08-01T00:00:00Z");
    revoked["revoked"] = json!(true);
    for objects in [[revoked.clone(), indicator(1, "192.0.2.1")], [indicator(1, "192.0.2.1"), revoked]] {
        let Reading { claims, clusters, facts, .. } = reading(&bundle(&objects));
        let versions: Vec<_> =
            claims.iter().map(|claim| (claim.published.unwrap().to_string(), claim.revoked)).collect();
        assert_eq!(
            versions,
            [("2021-06-16T09:30:00Z".to_owned(), false), ("2021-08-01T00:00:00Z".to_owned(), true)]
        );
        let book = Snapshot::new(1, claims, clusters, facts);
        assert_eq!(book.claims_on("192.0.2.1".parse().unwrap()).count(), 0);
    }
}

#[test]
fn the_later_of_two_copies_of_one_version_counts() {
    check(&[indicator(1, "192.0.2.2"), indicator(1, "192.0.2.1")], &[&format!("{OPEN} indicator--1")]);
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
            "line 8: not a valid STIX object: invalid type: integer `7`, expected an object",
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

/// A relationship that holds from the first of one month of 2021 until the first of another.
fn dated(number: u32, from: &str, kind: &str, to: &str, months: [u32; 2]) -> Value {
    let mut link = link(number, from, kind, to);
    let [start, stop] = months.map(|month| json!(format!("2021-{month:02}-01T00:00:00Z")));
    link["start_time"] = start;
    link["stop_time"] = stop;
    link
}

#[test]
fn relationships_date_the_owner_and_what_they_leave_over_is_nobodys() {
    let mut year = indicator(1, "192.0.2.1");
    year["valid_until"] = json!("2021-12-01T00:00:00Z");
    let group = named("intrusion-set", 1, "A group");
    let used = |number, months| dated(number, "intrusion-set--1", "uses", "infrastructure--1", months);
    let infrastructure = named("infrastructure", 1, "C2");
    let indicates = link(9, "indicator--1", "indicates", "infrastructure--1");
    let objects = [year, group, infrastructure, indicates, used(1, [6, 7]), used(2, [9, 10])];
    let part = |months: &str, owner: &str| format!("192.0.2.1 [{months}) stated {owner}indicator--1");
    check(
        &objects,
        &[
            &part("2021-06-01, 2021-07-01", "a-group "),
            &part("2021-09-01, 2021-10-01", "a-group "),
            &part("2021-05-01, 2021-06-01", ""),
            &part("2021-07-01, 2021-09-01", ""),
            &part("2021-10-01, 2021-12-01", ""),
        ],
    );
    // An indicator that is not dated itself is dated by its owner.
    let mut undated = objects;
    undated[0]["valid_from"] = Value::Null;
    undated[0]["valid_until"] = Value::Null;
    check(
        &undated,
        &[&part("2021-06-01, 2021-07-01", "a-group "), &part("2021-09-01, 2021-10-01", "a-group ")],
    );
}

#[test]
fn the_strictest_marking_on_the_way_to_the_owner_binds_the_claim() {
    const RED: &str = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1";
    let tlp = |marked: usize, key: &str, value: Value| {
        let mut objects = [
            indicator(1, "192.0.2.1"),
            named("intrusion-set", 1, "A group"),
            named("malware", 1, "PlugX"),
            link(1, "indicator--1", "indicates", "intrusion-set--1"),
            link(2, "indicator--1", "indicates", "malware--1"),
        ];
        objects[marked][key] = value;
        reading(&bundle(&objects)).claims[0].tlp
    };
    for marked in 0..5 {
        assert_eq!(tlp(marked, "object_marking_refs", json!([RED])), Some(Tlp::Red), "object {marked}");
    }
    let part = |selector: &str| json!([{"marking_ref": RED, "selectors": [selector]}]);
    assert_eq!(tlp(0, "granular_markings", part("pattern")), Some(Tlp::Red));
    assert_eq!(tlp(0, "granular_markings", part("description")), None);
    assert_eq!(tlp(0, "granular_markings", json!([{"lang": "fa", "selectors": ["name"]}])), None);
}

#[test]
fn a_sighting_dates_what_it_saw_once_more() {
    let sighting = |more: Value| {
        let mut sighting = object("sighting", 1, json!({"sighting_of_ref": "indicator--1"}));
        for (key, value) in more.as_object().unwrap() {
            sighting[key] = value.clone();
        }
        [indicator(1, "192.0.2.1"), sighting]
    };
    let stated = format!("{OPEN} indicator--1");
    let seen = json!({"first_seen": "2021-06-02T08:00:00Z", "last_seen": "2021-06-05T00:00:00Z", "count": 4});
    check(&sighting(seen), &[&stated, "192.0.2.1 [2021-06-02T08:00:00Z, 2021-06-05) stated sighting--1"]);
    // Seen once, it speaks for that day.
    let once = json!({"first_seen": "2021-06-02T08:00:00Z", "last_seen": "2021-06-02T08:00:00Z"});
    check(&sighting(once), &[&stated, "192.0.2.1 [2021-06-02T08:00:00Z, 2021-06-03) stated sighting--1"]);
    let never =
        json!({"first_seen": "2021-06-02T08:00:00Z", "last_seen": "2021-06-05T00:00:00Z", "count": 0});
    check(&sighting(never), &[&stated]);
    check(&sighting(json!({})), &[&stated]);
}

fn observable(kind: &str, number: u32, more: Value) -> Value {
    let mut observable = json!({"type": kind, "id": format!("{kind}--{number}")});
    for (key, value) in more.as_object().unwrap() {
        observable[key] = value.clone();
    }
    observable
}

#[test]
fn infrastructure_that_was_observed_is_the_side_that_answers() {
    let address = |number, value: &str| observable("ipv4-addr", number, json!({"value": value}));
    let traffic = observable(
        "network-traffic",
        1,
        json!({"src_ref": "ipv4-addr--1", "dst_ref": "ipv4-addr--2", "dst_port": 8443, "protocols": ["ipv4", "tcp", "tls"]}),
    );
    let observed = object(
        "observed-data",
        1,
        json!({
            "first_observed": "2021-06-01T00:00:00Z", "last_observed": "2021-06-09T00:00:00Z", "number_observed": 3,
            "object_refs": ["ipv4-addr--1", "ipv4-addr--2", "domain-name--1", "network-traffic--1"],
        }),
    );
    let mut objects = vec![
        address(1, "198.51.100.7"),
        address(2, "192.0.2.1"),
        observable("domain-name", 1, json!({"value": "c2.example.org"})),
        traffic,
        observed,
        named("infrastructure", 1, "C2"),
    ];
    let unused = reading(&bundle(&objects));
    assert_eq!(unused.claims, []);
    assert_eq!(
        unused.set_aside.into_iter().map(|(kind, n)| format!("{n} {kind}")).collect::<Vec<_>>(),
        [
            "1 domain-name (nothing accuses it)",
            "2 ipv4-addr (nothing accuses it)",
            "1 network-traffic (nothing accuses it)",
        ]
    );
    objects.push(link(1, "infrastructure--1", "consists-of", "observed-data--1"));
    check(
        &objects,
        &[
            "c2.example.org [2021-06-01, 2021-06-09) stated relationship--1",
            "192.0.2.1 :8443 /6 [2021-06-01, 2021-06-09) stated relationship--1",
        ],
    );
}

#[test]
fn what_is_harmless_or_another_persons_way_out_is_not_accused() {
    let with = |types: Value| {
        let mut indicator = indicator(1, "192.0.2.1");
        indicator["indicator_types"] = types;
        reading(&bundle(&[indicator]))
    };
    assert_eq!(with(json!(["benign"])).claims, []);
    assert_eq!(with(json!(["benign", "malicious-activity"])).claims.len(), 1);
    let anonymizer = with(json!(["anonymization"]));
    assert_eq!((anonymizer.claims.len(), anonymizer.facts[0].class), (0, HostClass::Pool));
    let mut old = indicator(1, "192.0.2.1");
    old["labels"] = json!(["benign", 7]);
    assert_eq!(reading(&bundle(&[old])).claims, []);
}

#[test]
fn types_that_nobody_knows_are_kept_and_inert() {
    let strange = json!({"type": "x-beacon", "id": "x-beacon--1", "value": "192.0.2.9", "pattern": 7});
    let reading = reading(&bundle(&[strange, indicator(1, "192.0.2.1")]));
    assert_eq!((reading.claims.len(), reading.refused_count), (1, 0));
    assert_eq!(reading.set_aside["x-beacon (no type of STIX 2.1)"], 1);
}

/// One object for each thing that other readers were found to lose or to refuse
/// (`dependencies.md` B.2.1).
#[test]
fn eight_objects_are_read_and_written_as_they_stood() {
    let objects = [
        r#"{"type":"indicator","spec_version":"2.1","id":"indicator--1","created":"2021-06-16T09:30:00.1Z","modified":"2021-06-16T09:30:00.123456789Z","pattern":"[a:b = 1]","pattern_type":"stix","valid_from":"2021-06-16T09:30:00Z"}"#,
        r#"{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--1","created":"2022-10-01T00:00:00.000Z","name":"TLP:AMBER","extensions":{"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d":{"extension_type":"property-extension","tlp_2_0":"amber"}}}"#,
        r#"{"id":"x-beacon--1","type":"x-beacon","jitter":1.50,"big":123456789012345678901234567890,"exponent":1E+2,"none":null}"#,
        r#"{"type":"malware","id":"malware--1","created":"2021-01-01T00:00:00Z","modified":"2021-01-01T00:00:00Z","name":"PlugX","is_family":true,"x_note":"a/b \/ é"}"#,
        r#"{"type":"location","id":"location--1","latitude":34.520,"longitude":-0.0,"precision":1e3}"#,
        r#"{"type":"relationship","id":"relationship--1","relationship_type":"uses","source_ref":"malware--1","target_ref":"tool--1","start_time":"2021-01-01T00:00:00.000000Z"}"#,
        r#"{"type":"file","id":"file--1","hashes":{"SHA-256":"AA","md5":"BB"},"extensions":{"ntfs-ext":{"alternate_data_streams":[{"name":"a","size":0}]}}}"#,
        r#"{"type":"sighting","id":"sighting--1","sighting_of_ref":"indicator--1","count":0,"summary":false,"granular_markings":[{"lang":"fa","selectors":["description"]}],"description":"دیده شد"}"#,
    ];
    let text = format!(
        r#"{{"type": "bundle", "x_more": 1.0, "objects": [{}], "id": "bundle--1"}}"#,
        objects.join(",")
    );
    let bundle = Bundle::parse(&text).unwrap();
    let read: Vec<_> = bundle.objects().map(|object| object.unwrap()).collect();
    assert_eq!(read.iter().map(|object| object.raw().get()).collect::<Vec<_>>(), objects);
    assert_eq!(bundle.write().replace('\n', ""), text);
    assert_eq!(read[0].version().unwrap().to_string(), "2021-06-16T09:30:00.123456Z");
    let object::Body::Marking(marking) = &read[1].body else { panic!("{:?}", read[1]) };
    assert_eq!(marking.tlp(), Some(Tlp::Amber));
}

#[test]
fn properties_that_no_view_holds_are_read_when_asked_for() {
    let text = r#"{"type":"malware","id":"malware--1","kill_chain_phases":[{"kill_chain_name":"a-model","phase_name":"command-and-control"}],
        "external_references":[{"source_name":"a report","url":"https://example.org/a","external_id":"S0013"}],"lang":7}"#;
    let bundle = Bundle::parse(text).unwrap();
    let object = bundle.objects().next().unwrap().unwrap();
    let phases: Vec<object::KillChainPhase> = object.property("kill_chain_phases").unwrap().unwrap();
    assert_eq!(phases[0].phase_name, "command-and-control");
    let references: Vec<object::ExternalReference> = object.property("external_references").unwrap().unwrap();
    assert_eq!(references[0].external_id.as_deref(), Some("S0013"));
    assert_eq!(object.property::<String>("name").unwrap(), None);
    assert!(object.property::<String>("lang").is_err());
}

#[test]
fn limits_have_names_and_no_input_goes_beyond_them() {
    let check = |object: &str, reason: &str| {
        let reading = reading(&format!("{{\"type\":\"bundle\",\"objects\":[{object}]}}"));
        assert_eq!(reading.refused[0].reason.to_string(), format!("not a valid STIX object: {reason}"));
    };
    let object = |value: &str| format!("{{\"type\":\"x-a\",\"id\":\"x-a--1\",\"b\":{value}}}");
    let nested = |depth: usize| object(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    check(&nested(object::DEPTH_MAX), "it nests deeper than 64");
    check(&nested(100_000), "it nests deeper than 64");
    check(
        &object(&format!("\"{}\"", "a".repeat(object::STRING_MAX + 1))),
        "it holds a text of more than 1048576 octets",
    );
    check(
        &format!(
            "{{\"type\":\"report\",\"id\":\"report--1\",\"object_refs\":[{}\"\"]}}",
            "\"\",".repeat(object::LIST_MAX)
        ),
        "a list of more than 1000000 elements",
    );
    let keys: Vec<String> = (0..=bundle::ENVELOPE_MAX).map(|n| format!("\"{n}\":0")).collect();
    check_error(&format!("{{{}}}", keys.join(",")), "more than 1000 keys around the objects: split it");
    check_error(
        &format!("[{}0]", "0,".repeat(bundle::OBJECTS_MAX)),
        "more than 1000000 objects in one bundle: split it",
    );
}
