//! Rules over what scanners saw, and the endpoints they make.

use super::*;
use crate::tests::shown;

const RULES: &str = "
rules:
  - name: panel
    cluster: Example Group
    tools: [ExampleRAT]
    confidence: 70
    when:
      all:
        - http.title: sign in
        - not: {http.header.server: nginx}
  - name: kit
    gap_days: 3
    when:
      any:
        - jarm: 07d14d16d21d21d07c42d41d00041d24a458a375eef0c576d23a7bab9a9fb1
        - tls.cert.subject: {regex: '^CN=[a-z]{8}$'}
        - banner: {contains: teamserver}
";

fn reading(text: &str, rules: Option<&str>) -> Reading {
    let rules = rules.map(|rules| Rules::parse(rules).unwrap());
    crate::read("scan.json", text.as_bytes(), &ReadOptions { rules, ..ReadOptions::default() }).unwrap()
}

fn check(lines: &[String], claims: &[&str]) {
    let reading = reading(&lines.join("\n"), Some(RULES));
    assert_eq!(reading.format, Format::Scan);
    let told: Vec<String> = reading.claims.iter().map(shown).collect();
    assert_eq!(told, claims, "{lines:?}");
}

fn zgrab(day: &str, title: &str) -> String {
    format!(
        r#"{{"ip":"192.0.2.1","data":{{"http":{{"status":"success","protocol":"http","port":8443,"timestamp":"{day}T12:00:00Z",
        "result":{{"response":{{"status_code":200,"headers":{{"server":["Apache"],"unknown":[{{"key":"x_a","value":["1"]}}]}},
        "body":"<html><TITLE>{title}</title></html>"}}}}}}}}}}"#
    )
    .replace('\n', "")
}

#[test]
fn a_rule_over_zgrab2_claims_the_day_and_the_port() {
    check(
        &[zgrab("2021-05-10", "Sign in"), zgrab("2021-05-10", "Welcome")],
        &[
            "192.0.2.1 :8443 /6 [2021-05-10, 2021-05-11) stated example-group ExampleRAT 70 line 1, rule panel",
        ],
    );
}

#[test]
fn observations_join_until_a_gap_or_until_something_else_is_seen() {
    let window = |from: &str, until: &str, line: u8| {
        format!(
            "192.0.2.1 :8443 /6 [{from}, {until}) stated example-group ExampleRAT 70 line {line}, rule panel"
        )
    };
    let of = |days: &[(&str, &str)]| days.iter().map(|(day, title)| zgrab(day, title)).collect::<Vec<_>>();
    let (sign, other) = ("Sign in", "Welcome");
    // In any order.
    check(
        &of(&[("2021-05-15", sign), ("2021-05-01", sign), ("2021-05-08", sign)]),
        &[&window("2021-05-01", "2021-05-16", 2)],
    );
    check(
        &of(&[("2021-05-01", sign), ("2021-05-16", sign)]),
        &[&window("2021-05-01", "2021-05-02", 1), &window("2021-05-16", "2021-05-17", 2)],
    );
    check(
        &of(&[("2021-05-01", sign), ("2021-05-02", other), ("2021-05-03", sign)]),
        &[&window("2021-05-01", "2021-05-02", 1), &window("2021-05-03", "2021-05-04", 3)],
    );
}

#[test]
fn shodan_banners_and_hosts_are_read() {
    let banner = r#"{"ip_str":"192.0.2.2","port":443,"transport":"tcp","timestamp":"2021-05-10T01:02:03.371273","data":"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n",
        "ssl":{"jarm":"07d14d16d21d21d07c42d41d00041d24a458a375eef0c576d23a7bab9a9fb1","cert":{"subject":{"CN":"a","O":"b"}}},"http":{"title":"Sign in"}}"#
        .replace('\n', "");
    let expected = "192.0.2.2 :443 /6 [2021-05-10, 2021-05-11) stated";
    let lines = [
        format!("{expected} example-group ExampleRAT 70 value 1, rule panel"),
        format!("{expected} value 1, rule kit"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    check(std::slice::from_ref(&banner), &lines);
    check(&[format!(r#"{{"ip_str":"192.0.2.2","data":[{banner}]}}"#)], &lines);
}

#[test]
fn censys_hosts_of_both_generations_are_read() {
    let service = r#"{"port":50050,"transport_protocol":"TCP","observed_at":"2021-05-10T01:02:03Z","tls":{"certificates":{"leaf_data":{"subject_dn":"CN=abcdefgh"}}}}"#;
    let expected = ["192.0.2.3 :50050 /6 [2021-05-10, 2021-05-11) stated value 1, rule kit"];
    check(&[format!(r#"{{"ip":"192.0.2.3","services":[{service}]}}"#)], &expected);
    check(&[format!(r#"{{"code":200,"result":{{"ip":"192.0.2.3","services":[{service}]}}}}"#)], &expected);
    let service = r#"{"port":50050,"protocol":"HTTP","transport_protocol":"tcp","scan_time":"2021-05-10T01:02:03Z","cert":{"parsed":{"subject_dn":"CN=abcdefgh"}},
        "endpoints":[{"http":{"html_title":"x","headers":{"Server":{"headers":["y"]}}}}]}"#
        .replace('\n', "");
    check(&[format!(r#"{{"host":{{"ip":"192.0.2.3","services":[{service}]}}}}"#)], &expected);
}

#[test]
fn what_no_rule_matches_is_counted_and_what_is_no_host_refused() {
    let text = [
        zgrab("2021-05-10", "Welcome"),
        r#"{"ip":"192.0.2.1","data":{"ssh":{"status":"success","result":{}}}}"#.to_owned(),
        r#"{"ip":"192.0.2","data":{"ssh":{"status":"success","timestamp":"2021-05-10T00:00:00Z"}}}"#
            .to_owned(),
        r#"{"ip":"192.0.2.1","data":{"ssh":{"status":"connection-timeout"}}}"#.to_owned(),
        "{".to_owned(),
    ]
    .join("\n");
    let with = reading(&text, Some(RULES));
    assert_eq!(with.set_aside["host observation that no rule matches"], 1);
    let told: Vec<String> =
        with.refused.iter().map(|refusal| format!("{}: {}", refusal.place, refusal.reason)).collect();
    assert_eq!(
        told,
        [
            "line 2: it cannot be read: it is not dated",
            "line 3: not an IP address",
            "line 5: it cannot be read: EOF while parsing an object"
        ]
    );
    let without = reading(&text, None);
    assert_eq!(without.set_aside["host observation, and no rules were given"], 1);
}

fn check_wrong(rules: &str, message: &str) {
    let told = Rules::parse(rules).unwrap_err().to_string();
    assert!(told.contains(message), "{rules}: {told}");
}

#[test]
fn wrong_rules_are_told_with_their_place_or_name() {
    let rule = |when: &str| format!("rules:\n  - name: r\n    when: {when}\n");
    check_wrong("rules:\n  - name: [", "line ");
    check_wrong("rules:\n  - name: r\n    wen: {}\n", "line ");
    check_wrong(&rule("{}"), "rule `r`: `{}` is no condition: write `field: value`");
    check_wrong(&rule("{all: x}"), "rule `r`: `all` and `any` take a list of conditions");
    check_wrong(
        &rule("{jarm: {is: x}}"),
        "rule `r`: `jarm` takes a text, a list, `equals`, `contains` or `regex`",
    );
    check_wrong(&rule("{jarm: {regex: '('}}"), "is no pattern: error: unclosed group");
    check_wrong(&rule("{jarm: {regex: '(a{1000}){1000}'}}"), "is no pattern: ");
    check_wrong(
        &rule(&format!("{{jarm: {{regex: {}}}}}", "a".repeat(2_000))),
        "a pattern is longer than 1024 octets",
    );
    let deep = format!("{}{{jarm: x}}{}", "{not: ".repeat(40), "}".repeat(40));
    check_wrong(&rule(&deep), "nested more than 32 deep");
    check_wrong(&"[".repeat(100_000), "line 1");
    check_wrong(&"x".repeat(2 << 20), "more than 1048576 octets in one file of rules: split it");
}

#[test]
fn fields_are_lists_numbers_and_names() {
    let matches = |when: &str| {
        let rules = format!("rules:\n  - name: r\n    when: {when}\n");
        reading(&zgrab("2021-05-10", "Sign in"), Some(&rules)).claims.len() == 1
    };
    assert!(matches("{port: 8443}"));
    assert!(matches("{port: [443, 8443], http.status: 200}"));
    assert!(!matches("{port: 8443, http.status: 404}"));
    assert!(matches("{http.header.x-a: {equals: 1}}"));
    assert!(matches("{address: 192.0.2.1, service: http}"));
    assert!(!matches("{no.such.field: x}"));
    assert!(matches("{not: {no.such.field: x}}"));
}
