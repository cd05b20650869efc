//! All files: the same for the same seed, complete, of free addresses only.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rahdar_scenario::{Sampling, ScenarioError, Settings, Truth};
use serde_json::Value;

use crate::{Made, SAMPLED, UNSAMPLED, is_free, make, settings};

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn check_again(first: &Made, sampling: Sampling) {
    let again = make(settings(1, sampling));
    assert!(contents(&first.out) == contents(&again.out), "{sampling:?}: not the same octets");
}

#[test]
fn the_same_seed_makes_the_same_octets() {
    check_again(&SAMPLED, Sampling::Exporters);
    check_again(&UNSAMPLED, Sampling::Unsampled);
}

/// FNV-1a over the captures and the truth of seed 1. Another value means another scenario: say so in
/// the changelog. Compressed logs are left out, for a compressor may learn.
const SEED_1: u64 = 0xe759_3463_fc76_9183;

#[test]
fn a_seed_means_the_same_octets_on_every_machine() {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for path in SAMPLED.manifest.telemetry.iter().chain([&SAMPLED.manifest.truth]) {
        for octet in fs::read(path).unwrap() {
            hash = (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    assert_eq!(hash, SEED_1, "{hash:#x}");
}

#[test]
fn another_seed_makes_other_traffic_and_the_same_intelligence() {
    let (first, other) = (contents(&SAMPLED.out), contents(&make(settings(2, Sampling::Exporters)).out));
    assert!(first.keys().eq(other.keys()));
    for (path, octets) in &first {
        let drawn = path.starts_with("telemetry") || path.ends_with("truth.json");
        assert_eq!(octets != &other[path], drawn, "{}", path.display());
    }
}

#[test]
fn clusters_and_decoys_do_not_depend_on_the_background() {
    let more = make(Settings { flows: 4_000, ..settings(1, Sampling::Exporters) });
    assert_eq!(more.truth.pairs, SAMPLED.truth.pairs);
    assert_eq!(more.truth.decoys, SAMPLED.truth.decoys);
}

#[test]
fn the_manifest_names_every_file() {
    for made in [&*SAMPLED, &*UNSAMPLED] {
        let manifest = &made.manifest;
        let mut named: Vec<PathBuf> =
            manifest.telemetry.iter().chain(&manifest.intelligence).cloned().collect();
        named.extend([&manifest.networks, &manifest.events, &manifest.truth].map(Clone::clone));
        named.sort();
        let found: Vec<PathBuf> = contents(&made.out).into_keys().map(|path| made.out.join(path)).collect();
        assert_eq!(named, found);
    }
}

#[test]
fn a_folder_with_another_scenario_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("telemetry/conn.2020-07.log.gz");
    fs::create_dir(other.parent().unwrap()).unwrap();
    fs::write(&other, "kept").unwrap();
    let error = rahdar_scenario::write(&settings(1, Sampling::Exporters), folder.path(), &mut |_| {});
    assert!(matches!(error, Err(ScenarioError::Occupied { path }) if path == other));
    assert_eq!(contents(folder.path()).len(), 1);
}

#[test]
fn an_interval_that_cannot_be_exported_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = settings(1, Sampling::of_interval(Some(0)));
    let error = rahdar_scenario::write(&wrong, folder.path(), &mut |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a sampling interval of `0` is not possible here: choose 1, or 2 to 1000000"
    );
    assert!(contents(folder.path()).is_empty());
}

#[test]
fn a_truth_that_is_none_is_named() {
    let missing = Truth::read(&SAMPLED.out.join("nothing.json")).unwrap_err();
    assert!(matches!(missing, ScenarioError::Read { .. }));
    let other = Truth::read(&SAMPLED.manifest.events).unwrap_err();
    assert!(other.to_string().ends_with("events.csv` is not the truth of a scenario"), "{other}");
}

#[test]
fn the_truth_names_every_other_file_by_what_it_holds() {
    for made in [&*SAMPLED, &*UNSAMPLED] {
        let mut found = contents(&made.out);
        found.retain(|path, _| !path.ends_with("truth.json"));
        let told: BTreeMap<PathBuf, String> =
            made.truth.files.iter().map(|file| (file.file.clone().into(), file.blake3.clone())).collect();
        let held = found.into_iter().map(|(path, octets)| (path, blake3::hash(&octets).to_hex().to_string()));
        assert_eq!(told, held.collect());
    }
}

#[test]
fn the_truth_knows_every_host_in_use_and_what_exporters_see_twice() {
    let truth = &SAMPLED.truth;
    let role = |address: &str| truth.hosts.iter().find(|host| host.address.to_string() == address);
    let roles = ["203.0.113.25", "203.0.113.30", "203.0.113.33"].map(|address| role(address).unwrap());
    assert_eq!(roles.map(|host| host.role.as_str()), ["mail server", "web server", "client"]);
    for pair in &truth.pairs {
        let all: u64 = pair.paths.iter().map(|path| path.traffic.octets_out).sum();
        assert_eq!(all, pair.real.octets_out);
        let twice: u64 = pair
            .paths
            .iter()
            .filter(|path| ["E1", "E2"].iter().all(|name| path.exporters.iter().any(|on| on == name)))
            .map(|path| path.traffic.octets_out)
            .sum();
        let share = twice as f64 / all as f64;
        assert!((share - 0.42).abs() < 0.01, "{}: {share}", pair.cluster);
    }
    assert!(UNSAMPLED.truth.pairs.iter().all(|pair| pair.paths.is_empty()));
}

/// Everything in a text that reads as an IPv4 address.
fn addresses(text: &str) -> Vec<IpAddr> {
    text.replace("[.]", ".")
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .filter_map(|word| word.parse::<IpAddr>().ok())
        .collect()
}

#[test]
fn texts_name_free_addresses_only() {
    for made in [&*SAMPLED, &*UNSAMPLED] {
        let manifest = &made.manifest;
        let texts = manifest.intelligence.iter().chain([&manifest.networks, &manifest.truth]);
        for path in texts {
            let found = addresses(&fs::read_to_string(path).unwrap());
            assert!(!found.is_empty() || path.ends_with("events.csv"));
            let strange: Vec<_> = found.into_iter().filter(|address| !is_free(*address)).collect();
            assert!(strange.is_empty(), "{}: {strange:?}", path.display());
        }
    }
}

#[test]
fn the_bundle_is_consistent() {
    let path =
        SAMPLED.manifest.intelligence.iter().find(|path| path.ends_with("calypso-redfoxtrot.stix.json"));
    let bundle: Value = serde_json::from_slice(&fs::read(path.unwrap()).unwrap()).unwrap();
    let objects = bundle["objects"].as_array().unwrap();
    let ids: Vec<&str> = objects.iter().map(|object| object["id"].as_str().unwrap()).collect();
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len());
    for object in objects {
        assert!(
            object["id"].as_str().unwrap().starts_with(&format!("{}--", object["type"].as_str().unwrap()))
        );
        for key in ["source_ref", "target_ref", "created_by_ref"] {
            assert!(object[key].as_str().is_none_or(|id| ids.contains(&id)), "{object}");
        }
    }
    let named = |kind: &str| {
        let of_kind = objects.iter().filter(|object| object["type"] == kind);
        of_kind.map(|object| object["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(named("intrusion-set"), ["Calypso", "RedFoxtrot"]);
    // Of Calypso 5 servers, 6 domains, 4 decoys; of RedFoxtrot 2 domains, 2 decoys.
    assert_eq!(named("indicator").len(), 19);
}

#[test]
fn tables_have_as_many_cells_as_columns() {
    let manifest = &SAMPLED.manifest;
    let tables = manifest.intelligence.iter().chain([&manifest.networks, &manifest.events]);
    for path in tables.filter(|path| path.extension().is_some_and(|extension| extension == "csv")) {
        let text = fs::read_to_string(path).unwrap();
        let mut widths: Vec<usize> = text.lines().map(|line| line.split(',').count()).collect();
        assert!(widths.len() > 1);
        widths.dedup();
        assert_eq!(widths.len(), 1, "{}", path.display());
    }
}
