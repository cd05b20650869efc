//! Names become dated addresses: published lists, and passive DNS made from real DNS logs.

use std::collections::BTreeMap;
use std::path::Path;

use rahdar_testkit::corpus;
use serde_json::{Value, json};

use crate::harness::Home;

/// A name, the type of what it stood for, and that.
type Stood = (String, &'static str, String);

/// What a Zeek log shows names to have stood for: first and last time in seconds, and how often. An
/// answer's addresses belong to the last of its aliases.
fn stood(log: &Path) -> BTreeMap<Stood, (f64, f64, u64)> {
    let log = std::fs::read_to_string(log).unwrap();
    let header = log.lines().find_map(|line| line.strip_prefix("#fields\t")).unwrap();
    let column = |name: &str| header.split('\t').position(|field| field == name).unwrap();
    let (time, query, kind, answers) =
        (column("ts"), column("query"), column("qtype_name"), column("answers"));
    let mut stood: BTreeMap<Stood, (f64, f64, u64)> = BTreeMap::new();
    for line in log.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let Ok(at) = cells[time].parse::<f64>() else { continue };
        if !matches!(cells[kind], "A" | "AAAA") || !cells[query].contains('.') || cells[query].contains(' ') {
            continue;
        }
        let mut name = cells[query].to_owned();
        for answer in cells[answers].split(',').filter(|answer| *answer != "-") {
            let is_address = answer.parse::<std::net::IpAddr>().is_ok();
            let kind = if is_address { cells[kind] } else { "CNAME" };
            let kind = ["A", "AAAA", "CNAME"].into_iter().find(|known| *known == kind).unwrap();
            let seen = stood.entry((name.clone(), kind, answer.to_owned())).or_insert((at, at, 0));
            *seen = (seen.0.min(at), seen.1.max(at), seen.2 + 1);
            if !is_address {
                name = answer.to_owned();
            }
        }
    }
    stood
}

fn record(name: &str, kind: &str, data: &str, (first, last, count): (f64, f64, u64)) -> String {
    json!({
        "rrname": name, "rrtype": kind, "rdata": data, "time_first": first, "time_last": last, "count": count,
    })
    .to_string()
}

/// The claims on a subject that follow from names.
fn resolved(home: &Home, subject: &str) -> Vec<Value> {
    let answer = home.json(&["intel", "lookup", subject]);
    let claims = answer["claims"].as_array().unwrap().iter();
    claims.filter(|claim| claim["basis"] == "resolved").cloned().collect()
}

#[test]
fn listed_names_become_address_windows_by_passive_dns() {
    let Some(corpus) = corpus() else { return };
    let home = Home::new();
    let insikt = std::fs::read_dir(corpus.join("intel/insikt")).unwrap();
    let list = insikt
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("RedFoxtrot"))
        .unwrap();
    home.json(&["intel", "import", list.to_str().unwrap()]);
    let listed = home.json(&["intel", "list"]);
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|claim| claim["type"] == "domain")
        .map(|claim| claim["indicator"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 106);

    // The log has none of the names: its records alone claim nothing. Two records of ours do.
    let stood = stood(&corpus.join("captures/zeek/slips-test10-mixed-zeek-dir/dns.log"));
    let mut records: Vec<String> =
        stood.iter().map(|((name, kind, data), seen)| record(name, kind, data, *seen)).collect();
    assert!(records.len() > 20, "{}", records.len());
    let cof = home.file("log.jsonl", records.join("\n"));
    home.json(&["intel", "import", &cof]);
    assert_eq!(home.json(&["intel", "list"]).as_array().unwrap().len(), listed.as_array().unwrap().len());
    let rented = names.iter().find(|name| name.ends_with(".mooo.com")).unwrap();
    let own = names.iter().find(|name| **name == "adobesupport.net").unwrap();
    // 10 May 2021, and five days later.
    let seen = (1_620_604_800.0, 1_621_036_800.0, 60);
    records = vec![record(rented, "A", "192.0.2.1", seen), record(own, "A", "192.0.2.2", seen)];
    // Somebody else arrives at the second after half a day.
    records.push(record("shop.example.com", "A", "192.0.2.2", (1_621_080_000.0, 1_630_000_000.0, 9)));
    let cof = home.file("names.jsonl", records.join("\n"));
    home.json(&["intel", "import", &cof]);
    for (address, from, until) in [
        ("192.0.2.1", "2021-05-10T00:00:00Z", "2021-05-15T01:00:00Z"),
        ("192.0.2.2", "2021-05-09T00:00:00Z", "2021-05-15T12:00:00Z"),
    ] {
        let claims = resolved(&home, address);
        assert_eq!(claims.len(), 1, "{address}: {claims:#?}");
        assert_eq!(claims[0]["cluster"], "RedFoxtrot");
        assert_eq!((&claims[0]["valid_from"], &claims[0]["valid_until"]), (&from.into(), &until.into()));
    }
}

#[test]
fn a_name_of_a_real_log_leads_to_its_addresses_by_way_of_an_alias() {
    let Some(corpus) = corpus() else { return };
    let stood = stood(&corpus.join("captures/zeek/slips-test10-mixed-zeek-dir/dns.log"));
    let address_of = |target: &str| {
        let is_of = |(name, kind, _): &&Stood| name == target && matches!(*kind, "A" | "AAAA");
        stood.keys().find(is_of).map(|(.., address)| address.clone())
    };
    let aliases = stood.keys().filter(|(_, kind, _)| *kind == "CNAME");
    let (name, target, address) = aliases
        .filter_map(|(name, _, target)| Some((name, target, address_of(target)?)))
        .next()
        .expect("the log has aliases");
    let home = Home::new();
    let lines: Vec<String> =
        stood.iter().map(|((name, kind, data), seen)| record(name, kind, data, *seen)).collect();
    home.json(&["intel", "import", &home.file("log.jsonl", lines.join("\n"))]);
    assert_eq!(resolved(&home, &address), Vec::<Value>::new());
    home.json(&["intel", "import", "--cluster", "Example Group", &home.file("list.txt", name)]);
    let claims = resolved(&home, &address);
    let by = format!("{name}, alias of {target}");
    assert!(claims.iter().any(|claim| claim["place"].as_str().unwrap().contains(&by)), "{by}: {claims:#?}");
}

#[test]
fn a_dated_list_claims_by_address_port_and_period() {
    let Some(corpus) = corpus() else { return };
    let home = Home::new();
    for list in ["winnti40", "shadowpad"] {
        home.json(&["intel", "import", corpus.join("intel/active-c2").join(list).to_str().unwrap()]);
    }
    let claims = |address: &str, at: &str| -> Vec<(i64, String, String, String)> {
        let answer = home.json(&["intel", "lookup", address, "--at", at]);
        let text = |claim: &Value, name: &str| claim[name].as_str().unwrap()[..10].to_owned();
        let row = |claim: &Value| {
            let state = claim["state"].as_str().unwrap().to_owned();
            (claim["port"].as_i64().unwrap(), text(claim, "valid_from"), text(claim, "valid_until"), state)
        };
        answer["claims"].as_array().unwrap().iter().map(row).collect()
    };
    let row = |port, from: &str, until: &str, state: &str| {
        (port, from.to_owned(), until.to_owned(), state.to_owned())
    };
    // One address, two ports, a period each.
    assert_eq!(
        claims("91.235.129.63", "2021-09-30T12:00:00Z"),
        [row(80, "2021-09-30", "2021-10-01", "valid"), row(443, "2021-10-07", "2021-10-08", "not yet")]
    );
    assert_eq!(
        claims("45.76.152.71", "2022-06-18T12:00:00Z"),
        [row(443, "2022-06-14", "2022-06-15", "lapsed"), row(53, "2022-06-18", "2022-06-19", "valid")]
    );
    // One address, one port, two periods.
    assert_eq!(
        claims("213.59.118.124", "2022-10-01"),
        [row(443, "2022-03-06", "2022-09-28", "lapsed"), row(443, "2022-03-06", "2022-10-05", "valid")]
    );
}
