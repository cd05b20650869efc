//! What a defender would know: reports as STIX and CSV, an open list, facts about hosts, passive DNS,
//! networks, events.
//!
//! The same for every seed. True servers and decoys are mixed, as they are in life.

use std::fmt::Write;

use rahdar_model::Window;
use serde_json::{Value, json};

use crate::actors::{CLUSTERS, Cluster, Known, Role, Server};
use crate::decoys::{DECOYS, Kind, Listed};
use crate::draw::{hash, hash_on};
use crate::passive_dns;
use crate::plan::{EVENTS, NETWORKS, window};

const STIX: &str = "calypso-redfoxtrot.stix.json";
const CSV: &str = "winnti-plugx.csv";
const LATE: &str = "late-2021-09-20.csv";
const LIST: &str = "open-list.txt";
const FACTS: &str = "host-facts.csv";
const PASSIVE_DNS: &str = "passive-dns.jsonl";

/// The names of the files, in the order of publication.
pub(crate) fn files() -> Vec<String> {
    [FACTS, PASSIVE_DNS, LIST, STIX, CSV, LATE].map(str::to_owned).to_vec()
}

/// The files and what they hold.
pub(crate) fn all() -> [(&'static str, String); 6] {
    [
        (FACTS, facts()),
        (PASSIVE_DNS, passive_dns::records()),
        (LIST, list()),
        (STIX, stix()),
        (CSV, csv()),
        (LATE, late()),
    ]
}

/// `networks.csv`.
pub(crate) fn networks() -> String {
    let mut text = String::from("prefix,asn,org,sector,country\n");
    for net in NETWORKS {
        line(&mut text, format_args!("{},{},{},telecom,AF", net.prefix, net.asn, net.org));
    }
    text
}

/// `events.csv`.
pub(crate) fn events() -> String {
    let mut text = String::from("date,label\n");
    for (date, label) in EVENTS {
        line(&mut text, format_args!("{date},{label}"));
    }
    text
}

const COLUMNS: &str = "indicator,type,cluster,malware,valid_from,valid_until,port,confidence,published\n";

/// The report on the two clusters without a name, with the decoys that it has in it.
fn csv() -> String {
    let mut text = String::from(COLUMNS);
    for cluster in CLUSTERS.iter().filter(|cluster| !cluster.named) {
        for server in cluster.servers.iter().filter(|server| server.role != Role::Late) {
            row(&mut text, cluster, server, "2021-08-24");
        }
        for decoy in listed_for(cluster.name) {
            let kind = if decoy.indicator.contains('/') { "cidr" } else { "ipv4" };
            let port = decoy.port.map_or(String::new(), |port| port.to_string());
            let Window { from, until } = window(decoy.claimed.0, decoy.claimed.1);
            let (indicator, name) = (decoy.indicator, cluster.name);
            line(&mut text, format_args!("{indicator},{kind},{name},,{from},{until},{port},60,2021-08-24"));
        }
    }
    text
}

/// The server that became known a week before publication.
fn late() -> String {
    let mut text = String::from(COLUMNS);
    for cluster in &CLUSTERS {
        for server in cluster.servers.iter().filter(|server| server.role == Role::Late) {
            row(&mut text, cluster, server, "2021-09-20");
        }
    }
    text
}

/// The decoys that are listed as a cluster's.
fn listed_for(cluster: &str) -> impl Iterator<Item = &'static Listed> {
    DECOYS
        .iter()
        .filter(move |decoy| decoy.cluster == Some(cluster))
        .filter_map(|decoy| decoy.listed.as_ref())
}

fn row(text: &mut String, cluster: &Cluster, server: &Server, published: &str) {
    let Window { from, until } = window(server.claimed.0, server.claimed.1);
    let (address, port, name) = (server.address, server.port, cluster.name);
    let tools = cluster.tools.join(";");
    line(text, format_args!("{address},ipv4,{name},{tools},{from},{until},{port},80,{published}"));
}

/// A list as volunteers keep it: defanged, dated by headings, without clusters.
fn list() -> String {
    let mut text = String::from(
        "# Open list of hostile hosts, defanged by hand.\n\nScanning IP Addresses (May-June 2021)\n",
    );
    list_decoys(&mut text, Kind::ResearchScanner);
    text.push_str("\nCloud Storage (July 2020 - September 2021)\n");
    list_decoys(&mut text, Kind::CloudStorage);
    text.push_str("\nDomains (March-June 2021)\n");
    for domain in CLUSTERS.iter().filter(|cluster| cluster.name == "RedFoxtrot").flat_map(|c| c.domains) {
        line(&mut text, format_args!("{}", domain.replace('.', "[.]")));
    }
    text.push_str("hxxp://www[.]tool-drop[.]example[.]org/a.bin\n\nFile hashes\n");
    text.push_str("00112233445566778899aabbccddeeff\n");
    text.push_str("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n");
    text
}

fn list_decoys(text: &mut String, kind: Kind) {
    for listed in DECOYS.iter().filter(|decoy| decoy.kind == kind).filter_map(|decoy| decoy.listed.as_ref()) {
        line(text, format_args!("{}", listed.indicator.replace('.', "[.]")));
    }
}

/// What a defender can look up about hosts. Nothing about the content network that only its many
/// users give away, and nothing about the reassigned address.
fn facts() -> String {
    let mut text = String::from("indicator,type,class,valid_from,valid_until\n");
    for decoy in &DECOYS {
        let Some(listed) = &decoy.listed else { continue };
        let (class, (from, until)) = match decoy.kind {
            Kind::Cdn | Kind::CloudStorage => ("cdn", listed.claimed),
            Kind::SharedHosting => ("shared", listed.claimed),
            Kind::Sinkhole => ("sinkhole", ("2021-06-01", "2021-09-28")),
            Kind::ResearchScanner => ("scanner", ("2020-01-01", "2021-12-31")),
            _ => continue,
        };
        let Window { from, until } = window(from, until);
        line(&mut text, format_args!("{},ipv4,{class},{from},{until}", listed.indicator));
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes every text");
}

/// TLP:AMBER (STIX 2.1 §7.2.1.4).
const AMBER: &str = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82";
/// When the report on the two named groups was published.
const STIX_PUBLISHED: &str = "2021-08-24T08:00:00.000Z";

/// The report on the two named groups as a STIX 2.1 bundle.
fn stix() -> String {
    let author = id("identity", "author");
    let mut objects = vec![
        json!({
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": AMBER,
            "created": "2017-01-20T00:00:00.000Z",
            "definition_type": "tlp",
            "name": "TLP:AMBER",
            "definition": { "tlp": "amber" },
        }),
        json!({
            "type": "identity",
            "spec_version": "2.1",
            "id": author,
            "created": STIX_PUBLISHED,
            "modified": STIX_PUBLISHED,
            "name": "Example Research",
            "identity_class": "organization",
        }),
    ];
    let mut tools: Vec<&str> = Vec::new();
    for cluster in CLUSTERS.iter().filter(|cluster| cluster.named) {
        let group = id("intrusion-set", cluster.name);
        objects.push(object("intrusion-set", &group, &author, json!({ "name": cluster.name })));
        for tool in cluster.tools {
            let malware = id("malware", tool);
            if !tools.contains(tool) {
                tools.push(tool);
                let about = json!({ "name": tool, "is_family": true });
                objects.push(object("malware", &malware, &author, about));
            }
            objects.push(relation("uses", &group, &malware, &author));
        }
        let mut patterns: Vec<(String, Window, u8)> = Vec::new();
        let servers = cluster.servers.iter().filter(|_| cluster.known_by == Known::Servers);
        for server in servers {
            let claimed = window(server.claimed.0, server.claimed.1);
            patterns.push((endpoint(server.address, Some(server.port)), claimed, 85));
        }
        for domain in cluster.domains {
            let known = window(cluster.campaigns[0].first, "2021-09-28");
            patterns.push((format!("[domain-name:value = '{domain}']"), known, 75));
        }
        for decoy in listed_for(cluster.name) {
            let claimed = window(decoy.claimed.0, decoy.claimed.1);
            patterns.push((endpoint(decoy.indicator, decoy.port), claimed, 60));
        }
        for (pattern, claimed, confidence) in patterns {
            let indicator = id("indicator", &format!("{} {pattern}", cluster.name));
            let about = json!({
                "name": format!("{} infrastructure", cluster.name),
                "indicator_types": ["malicious-activity"],
                "pattern": pattern,
                "pattern_type": "stix",
                "valid_from": claimed.from.to_string(),
                "valid_until": claimed.until.to_string(),
                "confidence": confidence,
            });
            objects.push(object("indicator", &indicator, &author, about));
            objects.push(relation("indicates", &indicator, &group, &author));
        }
    }
    let bundle = json!({ "type": "bundle", "id": id("bundle", "bundle"), "objects": objects });
    serde_json::to_string_pretty(&bundle).expect("keys are texts") + "\n"
}

/// A pattern for a server, and for its port if that is known.
fn endpoint(address: &str, port: Option<u16>) -> String {
    let Some(port) = port else {
        return format!("[ipv4-addr:value = '{address}']");
    };
    format!(
        "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '{address}' AND \
         network-traffic:dst_port = {port}]"
    )
}

fn relation(kind: &str, from: &str, to: &str, author: &str) -> Value {
    let about = json!({ "relationship_type": kind, "source_ref": from, "target_ref": to });
    object("relationship", &id("relationship", &format!("{from} {kind} {to}")), author, about)
}

/// An object with what all objects have, and what this one has beside.
fn object(kind: &str, id: &str, author: &str, about: Value) -> Value {
    let mut object = json!({
        "type": kind,
        "spec_version": "2.1",
        "id": id,
        "created_by_ref": author,
        "created": STIX_PUBLISHED,
        "modified": STIX_PUBLISHED,
    });
    if let (Value::Object(object), Value::Object(about)) = (&mut object, about) {
        object.extend(about);
        object.insert("object_marking_refs".to_owned(), json!([AMBER]));
    }
    object
}

/// An id whose UUID (version 8, RFC 9562: made in a way of one's own) follows from the name.
fn id(kind: &str, name: &str) -> String {
    let high = hash_on(hash(kind.as_bytes()), name.as_bytes());
    let low = hash_on(high, b"low");
    let bits = u128::from(high) << 64 | u128::from(low);
    let bits = bits & !(0xf << 76) & !(0b11 << 62) | 8 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    format!("{kind}--{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
