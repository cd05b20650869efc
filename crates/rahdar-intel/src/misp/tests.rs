//! Events as MISP writes them, and as they come broken.

use super::*;
use crate::tests::shown;

const ID: &str = "5a0d5cac-2ef4-4bae-baa4-4a91950d210f";

/// The event of these fields, dated 16 June 2021, by an organisation.
fn event(fields: &str) -> String {
    format!(
        r#"{{"Event":{{"info":"x","date":"2021-06-16","published":false,"Orgc":{{"name":"Example CERT"}},{fields}}}}}"#
    )
}

fn reading(text: &str) -> Reading {
    crate::read("event.json", text.as_bytes(), &ReadOptions::default()).unwrap()
}

fn check(fields: &str, claims: &[&str]) -> Reading {
    let reading = reading(&event(fields));
    assert_eq!(reading.format, Format::Misp);
    let told: Vec<String> = reading.claims.iter().map(shown).collect();
    assert_eq!(told, claims, "{fields}");
    reading
}

fn check_value(kind: &str, value: &str, indicators: &str) {
    let reading = reading(&event(&format!(r#""Attribute":[{{"type":"{kind}","value":"{value}"}}]"#)));
    let claim = |claim: &rahdar_model::intelligence::Claim| {
        let port = claim.port.map_or(String::new(), |port| format!(":{port}"));
        format!("{} {}{port}", claim.indicator.kind(), claim.indicator)
    };
    let mut told: Vec<String> = reading.claims.iter().map(claim).collect();
    told.extend(reading.refused.iter().map(|refusal| refusal.reason.to_string()));
    told.extend(reading.set_aside.into_keys().map(|kind| format!("aside {kind}")));
    assert_eq!(told.join(", "), indicators, "{kind} {value}");
}

#[test]
fn types_of_attributes_become_indicators() {
    check_value("ip-dst", "192.0.2.1", "ipv4 192.0.2.1");
    check_value("ip-src", "2001:db8::1", "ipv6 2001:db8::1");
    check_value("ip-dst", "192.0.2.0/24", "cidr 192.0.2.0/24");
    check_value("ip-dst|port", "192.0.2.1|443", "ipv4 192.0.2.1:443");
    check_value("ip-src|port", "192.0.2.1:8080", "ipv4 192.0.2.1:8080");
    check_value("domain", "C2.Example.org.", "domain c2.example.org");
    check_value("hostname|port", "c2.example.org|443", "domain c2.example.org:443");
    check_value("domain|ip", "c2.example.org|192.0.2.1", "domain c2.example.org, ipv4 192.0.2.1");
    check_value("url", "hxxp://c2[.]example.org/a", "url http://c2.example.org/a:80");
    check_value("url", "https://192.0.2.1/a", "ipv4 192.0.2.1:443, url https://192.0.2.1/a:443");
    check_value("url", "c2.example.org/a", "url c2.example.org/a");
    let md5 = "0123456789abcdef0123456789ABCDEF";
    check_value("md5", md5, "md5 0123456789abcdef0123456789abcdef");
    check_value("filename|md5", &format!("a.exe|{md5}"), "md5 0123456789abcdef0123456789abcdef");
    let sha1 = "0123456789abcdef0123456789abcdef01234567";
    check_value("x509-fingerprint-sha1", sha1, &format!("certificate {sha1}"));
    for kind in ["mutex", "link", "ssdeep", "no-such-type"] {
        check_value(kind, "x", &format!("aside {kind}"));
    }
}

#[test]
fn values_that_are_none_of_their_type_are_refused_with_the_reason() {
    check_value("ip-dst", "192.0.2.999", "not an IP address");
    check_value("ip-dst", "192.0.2.0/64", "the prefix length is out of range");
    check_value("ip-dst|port", "192.0.2.1|99999", "the port is out of range");
    check_value("domain", "not a name", "not of the type `domain`");
    check_value("md5", "123", "3 hexadecimal digits are no MD5, SHA-1 or SHA-256");
    check_value(
        "ip-dst",
        "127.0.0.1",
        "the address is unspecified, loopback, link-local, multicast or reserved",
    );
}

#[test]
fn who_tags_markings_and_the_date_of_the_event_stand_on_every_claim() {
    let fields = r#""Tag":[{"name":"tlp:amber"},{"name":"misp-galaxy:threat-actor=\"RedFoxtrot\""},
        {"name":"misp-galaxy:malpedia=\"PlugX\""},{"name":"misp:confidence-level=\"fairly-confident\""},{"name":"type:OSINT"}],
        "Attribute":[{"type":"ip-dst","value":"192.0.2.1"},
          {"type":"ip-dst","value":"192.0.2.2","Tag":[{"name":"tlp:red"}],
           "Galaxy":[{"type":"mitre-intrusion-set","GalaxyCluster":[{"value":"TAG-22 - G0999"}]},
                     {"type":"exploit-kit","GalaxyCluster":[{"value":"an exploit kit"}]}]}]"#;
    let reading = check(
        fields,
        &[
            "192.0.2.1 [2021-03-18, 2021-06-17) published redfoxtrot PlugX 50 AMBER attribute 1",
            "192.0.2.2 [2021-03-18, 2021-06-17) published tag-22 PlugX 50 RED attribute 2",
        ],
    );
    assert_eq!(&*reading.claims[0].source, "Example CERT");
    assert_eq!(reading.namings[0].origin, Origin::Tag);
}

#[test]
fn an_event_of_many_groups_names_none() {
    let tags: Vec<String> =
        (0..9).map(|i| format!(r#"{{"name":"misp-galaxy:threat-actor=\"Group {i}\""}}"#)).collect();
    check(
        &format!(r#""Tag":[{}],"Attribute":[{{"type":"ip-dst","value":"192.0.2.1"}}]"#, tags.join(",")),
        &["192.0.2.1 [2021-03-18, 2021-06-17) published attribute 1"],
    );
}

#[test]
fn first_and_last_seen_are_the_window() {
    let attribute = |seen: &str| format!(r#""Attribute":[{{"type":"ip-dst","value":"192.0.2.1",{seen}}}]"#);
    check(
        &attribute(r#""first_seen":"2021-05-01T00:00:00.000000+00:00","last_seen":"2021-05-03""#),
        &["192.0.2.1 [2021-05-01, 2021-05-04) stated attribute 1"],
    );
    check(
        &attribute(r#""first_seen":"1619827200","last_seen":null"#),
        &["192.0.2.1 [2021-05-01, 2021-05-02) stated attribute 1"],
    );
    let wrong = reading(&event(&attribute(r#""first_seen":"yesterday""#)));
    assert_eq!(
        wrong.refused[0].to_string(),
        "attribute 1: `192.0.2.1`: `yesterday` is not a time: write 2021-08-15 or 2021-08-15T12:30:00Z"
    );
}

#[test]
fn an_object_binds_address_port_and_time() {
    let fields = r#""Object":[{"name":"ip-port","Attribute":[
        {"type":"port","object_relation":"dst-port","value":"443"},{"type":"port","object_relation":"dst-port","value":8443},
        {"type":"ip-dst","object_relation":"ip","value":"192.0.2.1"},
        {"type":"datetime","object_relation":"first-seen","value":"2021-05-01"},
        {"type":"datetime","object_relation":"last-seen","value":"2021-05-02"}]}]"#;
    check(
        fields,
        &[
            "192.0.2.1 :443 [2021-05-01, 2021-05-03) stated attribute 3",
            "192.0.2.1 :8443 [2021-05-01, 2021-05-03) stated attribute 3",
        ],
    );
}

#[test]
fn to_ids_counts_where_the_author_used_it() {
    let attribute =
        |address: &str, flag: &str| format!(r#"{{"type":"ip-dst","value":"{address}","to_ids":{flag}}}"#);
    let unused = [attribute("192.0.2.1", "false"), attribute("192.0.2.2", "\"0\"")].join(",");
    assert_eq!(reading(&event(&format!(r#""Attribute":[{unused}]"#))).claims.len(), 2);
    let used = [attribute("192.0.2.1", "false"), attribute("192.0.2.2", "\"1\"")].join(",");
    let reading = reading(&event(&format!(r#""Attribute":[{used}]"#)));
    assert_eq!(reading.claims[0].indicator.to_string(), "192.0.2.2");
    let aside: Vec<_> = reading.set_aside.into_iter().collect();
    assert_eq!(aside, [("ip-dst that is not for detection (to_ids)".to_owned(), 1)]);
}

#[test]
fn a_deleted_attribute_takes_its_claim_back() {
    let of = |deleted: &str, timestamp: u32| {
        let fields = format!(
            r#""Attribute":[{{"uuid":"{ID}","type":"ip-dst","value":"192.0.2.1","deleted":{deleted},"timestamp":"{timestamp}"}}]"#
        );
        reading(&event(&fields)).claims
    };
    let before = of("false", 1_623_801_600);
    let after = of("\"1\"", 1_623_801_601);
    assert_eq!((before[0].revoked, after[0].revoked), (false, true));
    let book = |claims| crate::index::Snapshot::new(1, claims, Vec::new(), Vec::new());
    let address = "192.0.2.1".parse().unwrap();
    assert_eq!(book(before.clone()).claims_on(address).count(), 1);
    assert_eq!(book([before, after].concat()).claims_on(address).count(), 0);
}

#[test]
fn sightings_claim_their_day_and_expirations_end_the_window() {
    let fields = r#""Attribute":[{"type":"ip-dst","value":"192.0.2.1","first_seen":"2021-05-01","last_seen":"2021-12-31",
        "Sighting":[{"type":"0","date_sighting":"1625745600","Organisation":{"name":"Example ISP"}},
                    {"type":"1","date_sighting":1625745601},{"type":2,"date_sighting":"1627776000"},{"type":"0","date_sighting":"0"}]}]"#;
    let reading = check(
        fields,
        &[
            "192.0.2.1 [2021-05-01, 2021-08-01) stated attribute 1",
            "192.0.2.1 [2021-07-08, 2021-07-09) stated attribute 1, sighting 1",
        ],
    );
    assert_eq!((&*reading.claims[0].source, &*reading.claims[1].source), ("Example CERT", "Example ISP"));
    let reports: Vec<_> = reading.reports.iter().map(|report| report.kind.word()).collect();
    assert_eq!(reports, ["sighting", "false positive", "expiration"]);
}

#[test]
fn lists_answers_and_bare_attributes_are_read_alike() {
    let attribute = r#"{"type":"ip-dst","category":"Network activity","value":"192.0.2.1"}"#;
    for text in [
        format!(r#"{{"Attribute":[{attribute}],"info":"x"}}"#),
        format!(r#"[{{"Event":{{"Attribute":[{attribute}]}}}}]"#),
        format!(r#"{{"response":[{{"Event":{{"Attribute":[{attribute}]}}}}]}}"#),
        format!(r#"{{"response":{{"Attribute":[{attribute}]}}}}"#),
        format!(r#"{{"Event":{{"Object":[{{"Attribute":[{attribute}]}}]}}}}"#),
    ] {
        assert_eq!(reading(&text).claims.len(), 1, "{text}");
    }
}

#[test]
fn what_is_malformed_is_refused_beside_what_is_read() {
    let fields = r#""Attribute":[7,{"value":"192.0.2.1"},{"type":"ip-dst","value":["192.0.2.1"]},{"type":"ip-dst","value":"192.0.2.2"}]"#;
    let reading = check(fields, &["192.0.2.2 [2021-03-18, 2021-06-17) published attribute 3"]);
    assert_eq!(
        reading.refused[0].to_string(),
        "attribute 1: ``: it cannot be read: it has no type or no value"
    );
}

#[test]
fn an_event_is_written_as_it_was_read() {
    let text = event(
        r#""attribute_count":"2","unknown":{"a":[1,null]},"threat_level_id":"3","timestamp":1623801600,
           "Attribute":[{"type":"ip-dst","value":"192.0.2.1","to_ids":"1","extra":1.50,"Galaxy":[]}]"#,
    );
    let events = Event::all(&text).unwrap();
    assert_eq!(events[0].to_json(), serde_json::from_str::<serde_json::Value>(&text).unwrap());
}

#[test]
fn the_files_of_a_feed_beside_its_events_claim_nothing() {
    let text = format!(
        r#"{{"{ID}":{{"info":"an event","date":"2021-06-16","timestamp":"1623801600","Orgc":{{"name":"Example CERT"}}}}}}"#
    );
    let told = manifest(&text).unwrap();
    let changed = Some("2021-06-16".parse().unwrap());
    assert_eq!(told, [FeedEvent { uuid: ID.to_owned(), changed, info: "an event".to_owned() }]);
    assert!(reading(&text).claims.is_empty());
    let hashes = format!("0123456789abcdef0123456789abcdef,{ID}\n");
    let error = crate::read("hashes.csv", hashes.as_bytes(), &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, ReadError::Unsupported { .. }), "{error}");
}

#[test]
fn a_galaxy_makes_groups_and_malware_known_and_others_are_set_aside() {
    let galaxy =
        |kind: &str| format!(r#"{{"type":"{kind}","uuid":"{ID}","values":[{{"value":"RedFoxtrot"}}]}}"#);
    let groups = reading(&galaxy("threat-actor"));
    assert_eq!((groups.clusters[0].name.as_str(), groups.clusters[0].named), ("RedFoxtrot", true));
    let tools = reading(&galaxy("rat"));
    assert!(tools.clusters.is_empty());
    let said = &tools.assertions[0];
    assert_eq!(
        (said.subject.as_str(), said.relation.word(), said.object.as_str()),
        ("RedFoxtrot", "is", "malware")
    );
    assert_eq!(reading(&galaxy("sector")).set_aside["sector of a galaxy"], 1);
}
