//! Ten thousand damaged inputs: never a panic, and an error names its place.

use rahdar_intel::scan::rule::Rules;
use rahdar_intel::{ReadError, ReadOptions, read};

const EVENT: &str = r#"{"Event":{"info":"x","date":"2021-06-16","Orgc":{"name":"Example CERT"},"Tag":[{"name":"misp-galaxy:threat-actor=\"RedFoxtrot\""}],
 "Attribute":[{"uuid":"5a0d5cac-2ef4-4bae-baa4-4a91950d210f","type":"ip-dst|port","value":"192.0.2.1|443","to_ids":true,"first_seen":"2021-05-01",
  "timestamp":"1623801600","Sighting":[{"type":"0","date_sighting":"1625745600"}]}],
 "Object":[{"name":"ip-port","Attribute":[{"type":"ip-dst","object_relation":"ip","value":"192.0.2.2"}]}]}}"#;
const RECORDS: &str = r#"{"rrname":"c2.example.org.","rrtype":"A","rdata":"192.0.2.1","time_first":1620604800,"time_last":"1620691200","count":14}
{"rrname":"c2.example.org","rrtype":28,"rdata":["2001:db8::1"],"zone_time_first":1620604800,"zone_time_last":1620691200}"#;
const SCAN: &str = r#"{"ip":"192.0.2.1","data":{"http":{"status":"success","timestamp":"2021-05-10T12:00:00Z","result":{"response":{"status_code":200,"headers":{"server":["x"]},"body":"<title>x</title>"}}}}}
{"ip_str":"192.0.2.2","port":443,"transport":"tcp","timestamp":"2021-05-10T01:02:03","data":"HTTP/1.1 200 OK\r\nServer: x","ssl":{"jarm":"0"},"http":{}}
{"ip":"192.0.2.3","services":[{"port":1,"observed_at":"2021-05-10T01:02:03Z","http":{"response":{"body_hash":"sha1:0"}}}]}"#;
const LIST: &str = r#"{"name":"Sinkholes","type":"cidr","version":20240422,"matching_attributes":["ip-dst"],"list":["192.0.2.0/24","2001:db8::/32"]}"#;
const GALAXY: &str = r#"{"type":"threat-actor","uuid":"5a0d5cac-2ef4-4bae-baa4-4a91950d210f","values":[{"value":"RedFoxtrot"}]}"#;
const RULES: &str = "rules:\n  - name: r\n    tools: [x]\n    when:\n      all:\n        - http.title: x\n        - not: {banner: {regex: '^[a-z]+$'}}\n        - any: [{port: [1, 2]}]\n";

/// Numbers without order, the same in every run (Knuth's constants).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// The text with a part cut out, doubled or overwritten, one to three times.
fn damaged(text: &str, draw: &mut Draw) -> Vec<u8> {
    const PARTS: [&str; 14] = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "null",
        "-1",
        "1e999",
        "\\u0000",
        "\u{fffd}",
        "99999999999999999999",
        "--",
    ];
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=draw.below(3) {
        let from = draw.below(bytes.len());
        let to = (from + 1 + draw.below(24)).min(bytes.len());
        let part = match draw.below(4) {
            0 => Vec::new(),
            1 => bytes[from..to].repeat(2),
            2 => PARTS[draw.below(PARTS.len())].as_bytes().to_vec(),
            _ => vec![draw.below(256) as u8],
        };
        bytes.splice(from..to, part);
    }
    bytes
}

#[test]
fn ten_thousand_damaged_inputs_are_read_or_refused_with_their_place() {
    let options = ReadOptions { rules: Some(Rules::parse(RULES).unwrap()), ..ReadOptions::default() };
    let mut draw = Draw(1);
    let mut errors = 0;
    for round in 0..2_000 {
        for text in [EVENT, RECORDS, SCAN, LIST, GALAXY] {
            let bytes = damaged(text, &mut draw);
            let shown = String::from_utf8_lossy(&bytes);
            match read("damaged.json", &bytes, &options) {
                Ok(reading) => {
                    assert!(
                        reading.refused.iter().all(|refusal| !refusal.place.is_empty()),
                        "{round}: {shown}"
                    );
                }
                Err(ReadError::CutOff { line, column, .. } | ReadError::NotJson { line, column, .. }) => {
                    assert!(
                        line > 0 && line <= shown.split('\n').count() && column <= shown.len(),
                        "{shown}"
                    );
                    errors += 1;
                }
                Err(_) => errors += 1,
            }
        }
        let rules = String::from_utf8_lossy(&damaged(RULES, &mut draw)).into_owned();
        if let Err(error) = Rules::parse(&rules) {
            assert!(!error.to_string().is_empty(), "{rules}");
        }
    }
    assert!(errors > 1_000, "{errors}");
}

#[test]
fn what_is_nested_without_end_is_an_error() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    let event = format!(r#"{{"Event":{{"Attribute":{}}}}}"#, deep("[", "]"));
    let scan = format!(r#"{{"ip":"192.0.2.1","data":{{"http":{}}}}}"#, deep(r#"{"a":"#, "}"));
    let list = format!(r#"{{"name":"x","list":[{}]}}"#, deep("[", "]"));
    for text in [event, list] {
        let error = read("deep.json", text.as_bytes(), &ReadOptions::default()).unwrap_err();
        assert!(matches!(error, ReadError::NotJson { .. }), "{error}");
    }
    let reading = read("deep.json", scan.as_bytes(), &ReadOptions::default());
    assert!(reading.is_err() || reading.is_ok_and(|reading| reading.refused_count == 1));
}
