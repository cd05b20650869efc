//! Products with a fault (`methods.md` §11.5), each of which the scorer must fail.
//!
//! Every fault is put in where such a product would have it, in what is fed to the hunt: no finding is
//! altered. Which lines notice is told; a product without the fault passes these.
//!
//! (g), a rolling median of seven days for traffic, is a fault of the national series, which the
//! scenario does not have yet.

use rahdar_intel::Reading;
use rahdar_model::flow::{protocol, tcp};
use rahdar_model::intelligence::{Cluster, ClusterId};
use rahdar_model::{Address, FlowRecord, Window};
use rahdar_scenario::Score;

use crate::road::{Product, SOUND};
use crate::{Made, SAMPLED, UNSAMPLED};

/// The lines that do not hold.
fn wrong(score: &Score) -> Vec<&str> {
    score.lines.iter().filter(|line| !line.pass).map(|line| line.item.as_str()).collect()
}

/// Checks that the fault makes these lines wrong, each by its beginning.
#[track_caller]
fn check(made: &Made, product: &Product<'_>, noticed: &[&str]) {
    let score = product.scored(made);
    let wrong = wrong(&score);
    let is_noticed = |start: &&&str| wrong.iter().any(|item| item.starts_with(**start));
    let missed: Vec<&&str> = noticed.iter().filter(|start| !is_noticed(start)).collect();
    assert!(missed.is_empty(), "{missed:?} did not notice\n{score}");
    assert!(!score.passed(), "{score}");
}

/// (a) All exporters are one, so that what two saw is counted twice.
#[test]
fn who_sums_exporters_fails() {
    let summed = |mut records: Vec<FlowRecord>| {
        records.iter_mut().for_each(|record| record.exporter = "all".into());
        records
    };
    let items = ["octets from 203.0.113.25, estimate", "octets from 203.0.113.25, lower bound"];
    check(&SAMPLED, &Product { records: &summed, ..SOUND }, &items);
}

/// (b) Once hostile, always hostile.
#[test]
fn who_ignores_validity_fails() {
    let endless = |reading: &mut Reading| {
        reading.claims.iter_mut().for_each(|claim| claim.validity = Window::ALL);
        reading.resolutions.clear();
    };
    check(&UNSAMPLED, &Product { reading: &endless, ..SOUND }, &["victims", "decoys believed"]);
}

/// What the storage of the backup is, is not looked up: the backup is taken for a cluster's, and its doubling for an
/// increase (`methods.md` §11.3, the line on events). Other hosts are known, for of many pairs that are tested at once
/// one must stand out more.
#[test]
fn who_does_not_know_the_storage_of_the_backup_fails() {
    let storage: Address = "198.18.250.20".parse().unwrap();
    let unknown = |reading: &mut Reading| reading.facts.retain(|fact| !fact.network.contains(storage));
    check(&UNSAMPLED, &Product { reading: &unknown, ..SOUND }, &["decoys believed", "increases elsewhere"]);
}

/// (c) A knock from outside is taken for a conversation.
#[test]
fn who_counts_knocks_from_outside_fails() {
    let answered = |mut records: Vec<FlowRecord>| {
        for record in records.iter_mut().filter(|record| is_knock(record)) {
            record.tcp_flags = Some(tcp::SYN | tcp::ACK | tcp::PSH | tcp::FIN);
            record.rev_tcp_flags = record.tcp_flags;
            (record.packets, record.octets, record.payload_octets) = (8, 1_200, Some(800));
            (record.rev_packets, record.rev_octets) = (Some(8), Some(1_200));
            record.rev_payload_octets = Some(800);
            "SF".clone_into(&mut record.state);
        }
        records
    };
    check(&UNSAMPLED, &Product { records: &answered, ..SOUND }, &["decoys believed"]);
}

/// A SYN to a server of the mail server that nothing followed.
fn is_knock(record: &FlowRecord) -> bool {
    record.protocol == protocol::TCP
        && record.dst == "203.0.113.25".parse().unwrap()
        && record.rev_payload_octets.unwrap_or(0) == 0
        && record.packets <= 3
}

/// All records at this interval, for no exporter's announcement came.
fn untold(interval: Option<u32>) -> impl Fn(Vec<FlowRecord>) -> Vec<FlowRecord> {
    move |mut records: Vec<FlowRecord>| {
        records.iter_mut().for_each(|record| record.sampling_interval = interval);
        records
    }
}

/// (d) An unknown sampling interval is taken for counters that are scaled already. Nobody can estimate
/// without it; but who knows that it is not known calls no silence a silence.
#[test]
fn who_takes_an_unknown_rate_for_scaled_counters_fails() {
    let beacons = ["Calypso on 203.0.113.25, beacon", "RedFoxtrot on 203.0.113.25, beacon"];
    let careful = Product { records: &untold(None), ..SOUND }.scored(&SAMPLED);
    let is_broken = |item: &&str| beacons.contains(item) || item.ends_with("bound of octets");
    assert!(!wrong(&careful).iter().any(is_broken), "{careful}");
    let items = [&beacons[..], &["octets from 203.0.113.25, estimate"]].concat();
    check(&SAMPLED, &Product { records: &untold(Some(1)), ..SOUND }, &items);
}

/// (e) Every packet of a record is as large as their mean: the record is told as so many packets of that size,
/// which makes the variance Σ B²/p. Through tunnels come small packets with a full one now and then, so that
/// the lower bounds of days hold too seldom.
#[test]
fn who_takes_variance_from_the_mean_of_a_record_fails() {
    let by_mean = |records: Vec<FlowRecord>| records.into_iter().flat_map(packets_of_one_size).collect();
    let items = ["days of 2 MB or more received, lower bound"];
    check(&SAMPLED, &Product { records: &by_mean, ..SOUND }, &items);
}

/// The packets of a sampled record, each in a record of its own, evenly in time.
fn packets_of_one_size(record: FlowRecord) -> Vec<FlowRecord> {
    let (packets, octets) = (record.packets, record.octets);
    let lasted_us = record.end_time.since(record.start_time);
    let until = |n: u64| octets * n / packets;
    let one = |n: u64| {
        let at = record.start_time.plus_micros(lasted_us * n as i64 / packets as i64);
        let octets = until(n + 1) - until(n);
        FlowRecord { packets: 1, octets, start_time: at, end_time: at, ..record.clone() }
    };
    if packets < 2 { vec![record] } else { (0..packets).map(one).collect() }
}

/// (f) Who uses PlugX is one cluster.
#[test]
fn who_merges_clusters_by_family_fails() {
    let family = ClusterId::of_name("PlugX");
    let merged = |reading: &mut Reading| {
        let members = ["Calypso", "PlugX cluster", "RedFoxtrot"].map(ClusterId::of_name);
        for claim in &mut reading.claims {
            if claim.cluster.as_ref().is_some_and(|id| members.contains(id)) {
                claim.cluster = Some(family.clone());
            }
        }
        reading.clusters.retain(|cluster| !members.contains(&cluster.id));
        let name = "PlugX".to_owned();
        reading.clusters.push(Cluster { id: family.clone(), name, named: false, tools: Vec::new() });
    };
    let items = ["pairs", "clusters on 203.0.113.25", "victims of Calypso", "victims of RedFoxtrot"];
    check(&SAMPLED, &Product { reading: &merged, ..SOUND }, &items);
}
