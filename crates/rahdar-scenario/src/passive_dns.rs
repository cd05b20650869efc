//! Passive DNS of the scenario, in the Common Output Format (draft-dulaunoy-dnsop-passive-dns-cof): who
//! had which address when, true servers and decoys alike.
//!
//! A cluster that reports know by its domains alone is found through it. Strangers have names under
//! `.example` (RFC 2606), each a domain of its own.

use rahdar_model::Timestamp;
use rahdar_model::time::{DAY_US, HOUR_US, SECOND_US};
use serde_json::json;

use crate::actors::{CLUSTERS, Known};
use crate::plan::window;

/// Names beside the hostile one on the shared host (`methods.md` §11.1).
const SHARED_NAMES: u32 = 300;
/// Names beside the hostile one in front of which the content network stands; chosen here.
const FRONTED_NAMES: u32 = 100;
/// Names of others at the sinkhole; chosen here.
const SINKHOLED_NAMES: u32 = 40;
/// How long after a server's first day its name points there, and before its end no more.
const FIRST_US: i64 = 2 * HOUR_US;
const LAST_US: i64 = 3 * HOUR_US;
/// Sightings a day.
const DAILY: i64 = 4;

/// Under this name the content network serves its customers.
const FRONT: &str = "front.cdn.example";

/// A name, and what it stood for from one day until another.
struct Held<'a> {
    name: &'a str,
    kind: &'static str,
    data: &'a str,
    from: &'static str,
    until: &'static str,
}

/// What held beside the servers of clusters.
const OTHERS: [Held<'static>; 6] = [
    // The first server of RedFoxtrot is let to a shop when it is given up.
    held("www.flower-shop.example", "A", "192.0.2.101", "2021-04-08", "2021-09-20"),
    held("mail.webmail.example", "A", "192.0.2.150", "2021-02-20", "2021-09-27"),
    held("static.front-door.example.org", "CNAME", FRONT, "2020-07-06", "2021-09-27"),
    held(FRONT, "A", "198.18.200.10", "2020-07-01", "2021-09-28"),
    held(FRONT, "A", "198.18.200.11", "2020-07-01", "2021-09-28"),
    held("files.draft-exchange.example.net", "A", "192.0.2.66", "2020-12-02", "2021-09-27"),
];

const fn held(
    name: &'static str,
    kind: &'static str,
    data: &'static str,
    from: &'static str,
    until: &'static str,
) -> Held<'static> {
    Held { name, kind, data, from, until }
}

/// The file: a record a line.
pub(crate) fn records() -> String {
    let mut text = String::new();
    for cluster in CLUSTERS.iter().filter(|cluster| cluster.known_by == Known::Domains) {
        for (server, name) in cluster.servers.iter().zip(cluster.domains.iter().cycle()) {
            let (from, until) = (server.from, server.until);
            put(&mut text, &Held { name, kind: "A", data: server.address, from, until });
        }
    }
    for held in &OTHERS {
        put(&mut text, held);
    }
    let mut many = |count: u32, label: &str, held: Held<'_>| {
        for n in 1..=count {
            put(&mut text, &Held { name: &format!("{label}-{n:03}.example"), ..held });
        }
    };
    many(SHARED_NAMES, "site", held("", "A", "198.18.210.80", "2020-07-01", "2021-09-28"));
    many(FRONTED_NAMES, "shop", held("", "CNAME", FRONT, "2020-07-01", "2021-09-28"));
    many(SINKHOLED_NAMES, "family", held("", "A", "192.0.2.66", "2021-06-01", "2021-09-28"));
    text
}

fn put(text: &mut String, held: &Held<'_>) {
    let window = window(held.from, held.until);
    let (first, last) = (window.from.plus_micros(FIRST_US), window.until.plus_micros(-LAST_US));
    let seconds = |at: Timestamp| at.micros() / SECOND_US;
    let record = json!({
        "rrname": held.name,
        "rrtype": held.kind,
        "rdata": held.data,
        "time_first": seconds(first),
        "time_last": seconds(last),
        "count": last.since(first) / DAY_US * DAILY + 1,
        "origin": "https://pdns.example.org",
    });
    text.push_str(&record.to_string());
    text.push('\n');
}
