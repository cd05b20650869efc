//! The logs of the unsampled sensor.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;

use flate2::read::GzDecoder;
use rahdar_model::{Day, Timestamp};

use crate::{UNSAMPLED, is_free};

/// A connection, as the test needs it.
struct Line {
    ts: Timestamp,
    uid: String,
    orig: IpAddr,
    resp: IpAddr,
    orig_octets: u64,
    resp_octets: u64,
    packets: u64,
}

/// Every log: its name, and its lines.
fn logs() -> Vec<(String, Vec<Line>)> {
    let paths = &UNSAMPLED.manifest.telemetry;
    paths
        .iter()
        .map(|path| {
            let mut text = String::new();
            GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
            let mut columns = BTreeMap::new();
            let mut lines = Vec::new();
            for line in text.lines() {
                if let Some(fields) = line.strip_prefix("#fields\t") {
                    columns = fields.split('\t').enumerate().map(|(n, name)| (name.to_owned(), n)).collect();
                }
                if line.starts_with('#') {
                    continue;
                }
                let cells: Vec<&str> = line.split('\t').collect();
                assert_eq!(cells.len(), columns.len());
                let cell = |name: &str| cells[columns[name]];
                let number = |name: &str| cell(name).parse::<u64>().unwrap();
                let (seconds, micros) = cell("ts").split_once('.').unwrap();
                let micros: i64 = format!("{seconds}{micros}").parse().unwrap();
                lines.push(Line {
                    ts: Timestamp::from_micros(micros),
                    uid: cell("uid").to_owned(),
                    orig: cell("id.orig_h").parse().unwrap(),
                    resp: cell("id.resp_h").parse().unwrap(),
                    orig_octets: number("orig_ip_bytes"),
                    resp_octets: number("resp_ip_bytes"),
                    packets: number("orig_pkts") + number("resp_pkts"),
                });
            }
            (path.file_name().unwrap().to_str().unwrap().to_owned(), lines)
        })
        .collect()
}

#[test]
fn logs_hold_what_the_truth_says() {
    let logs = logs();
    let truth = &UNSAMPLED.truth;
    assert_eq!((logs.len(), truth.telemetry.len()), (15, 15));
    let mut uids = Vec::new();
    for ((name, lines), told) in logs.iter().zip(&truth.telemetry) {
        assert_eq!(*name, told.file);
        assert_eq!(lines.len() as u64, told.records);
        assert_eq!(lines.iter().map(|line| line.packets).sum::<u64>(), told.packets);
        let octets = lines.iter().map(|line| line.orig_octets + line.resp_octets).sum::<u64>();
        assert_eq!(octets, told.octets);
        assert!(lines.is_sorted_by_key(|line| line.ts));
        let month = |day: Day| day.to_string()[..7].to_owned();
        assert!(lines.iter().all(|line| name.contains(&month(line.ts.day()))));
        assert!(lines.iter().all(|line| is_free(line.orig) && is_free(line.resp)));
        uids.extend(lines.iter().map(|line| line.uid.clone()));
    }
    let count = uids.len();
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), count, "every connection has an id of its own");
}

/// What an analyst with `awk` would sum up for a cluster: octets from the victim to its servers within
/// their windows.
#[test]
fn octets_to_servers_add_up_to_the_truth() {
    let logs = logs();
    let truth = &UNSAMPLED.truth;
    let mut total = 0;
    for pair in truth.pairs.iter().filter(|pair| pair.victim.to_string() == "203.0.113.25") {
        let cluster = truth.clusters.iter().find(|cluster| cluster.name == pair.cluster).unwrap();
        let mut octets = 0;
        let mut shared = 0;
        for line in logs.iter().flat_map(|(_, lines)| lines) {
            let (remote, out) = if line.orig == pair.victim.to_ip() {
                (line.resp, line.orig_octets)
            } else if line.resp == pair.victim.to_ip() {
                (line.orig, line.resp_octets)
            } else {
                continue;
            };
            let server = cluster.indicators.iter().find(|server| server.address.to_ip() == remote);
            match server {
                Some(server) if server.class == "shared" => shared += out,
                Some(_) => octets += out,
                None => {}
            }
        }
        let told = pair.real.octets_out;
        assert_eq!(pair.visible, pair.real);
        assert!(octets <= told && told <= octets + shared, "{}: {octets} + {shared}, {told}", pair.cluster);
        total += octets + if pair.cluster == "RedFoxtrot" { shared } else { 0 };
    }
    assert_eq!(total, 5_700_000_000);
}
