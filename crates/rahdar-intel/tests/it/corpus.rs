//! Every list, table and bundle of the corpus, against the independent totals.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rahdar_intel::{Format, ReadError, ReadOptions, Reading, read};
use rahdar_model::intelligence::{HashKind, Indicator, WindowBasis};
use rahdar_model::{Timestamp, Window};
use rahdar_testkit::corpus;

/// The folder of intelligence in the corpus, if the corpus is there.
pub(crate) fn folder() -> Option<PathBuf> {
    corpus().map(|corpus| corpus.join("intel"))
}

/// Every file below a folder, in the order of paths.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

pub(crate) fn reading(path: &Path) -> Result<Reading, ReadError> {
    read(&path.to_string_lossy(), &std::fs::read(path).unwrap(), &ReadOptions::default())
}

/// Distinct IPv4 addresses and networks, SHA-256 and MD5 hashes.
fn counts(reading: &Reading) -> [usize; 3] {
    let kinds: [fn(&Indicator) -> bool; 3] = [
        |i| matches!(i, Indicator::Network(network) if network.first().is_v4()),
        |i| matches!(i, Indicator::Hash(HashKind::Sha256, _)),
        |i| matches!(i, Indicator::Hash(HashKind::Md5, _)),
    ];
    // What a list of harmless hosts holds is no claim, and counts as well.
    let facts: Vec<Indicator> = reading.facts.iter().map(|fact| Indicator::Network(fact.network)).collect();
    let all = || reading.claims.iter().map(|claim| &claim.indicator).chain(&facts);
    kinds.map(|keep| all().filter(|i| keep(i)).collect::<BTreeSet<_>>().len())
}

/// Where our reading differs from the independent one, which counts every text of the form: the
/// file, our counts of IPv4, SHA-256 and MD5, and why.
const DIFFERENCES: &[(&str, [usize; 3], &str)] = &[
    (
        "active-c2/cobaltstrike/actor-specific/cobaltstrike_luckymouse_ta428.csv",
        [268, 0, 0],
        "two rows are broken in the middle: their second halves (14 addresses) are refused as rows; MD5s are of public keys",
    ),
    (
        "active-c2/cobaltstrike/actor-specific/cobaltstrike_pyxie.csv",
        [161, 0, 0],
        "the MD5 is of a public key",
    ),
    (
        "active-c2/cobaltstrike/actor-specific/cobaltstrike_sodinokibi.csv",
        [21, 0, 0],
        "the MD5s are of public keys",
    ),
    (
        "active-c2/cobaltstrike/domain_fronting/cobaltstrike_df_azure.csv",
        [139, 0, 0],
        "the MD5s are of public keys",
    ),
    (
        "active-c2/cobaltstrike/domain_fronting/cobaltstrike_df_fastly.csv",
        [19, 0, 0],
        "the MD5s are of public keys",
    ),
    (
        "active-c2/cobaltstrike/leak_crack_ids/cobaltstrike_id0_cracked.csv",
        [412, 0, 0],
        "the MD5s are of public keys",
    ),
    (
        "active-c2/cobaltstrike/leak_crack_ids/cobaltstrike_id1359593325.csv",
        [45, 0, 0],
        "the MD5s are of public keys",
    ),
    (
        "active-c2/cobaltstrike/leak_crack_ids/cobaltstrike_id16777216.csv",
        [58, 0, 0],
        "the unspecified and a loopback address are refused; MD5s are of public keys",
    ),
    (
        "active-c2/cobaltstrike/leak_crack_ids/cobaltstrike_id1873433027.csv",
        [344, 0, 0],
        "the MD5s are of public keys",
    ),
    ("eset/kryptocibule/misp-kryptocibule.json", [1, 0, 0], "versions of programs in the names of torrents"),
    ("eset/oceanlotus/oceanlotus-rtf_ocx_campaigns.misp.event.json", [0, 0, 0], "digits in registry keys"),
    ("eset/oceanlotus/oceanlotus.misp.event.json", [25, 0, 0], "digits in a registry key"),
    (
        "eset/telebots/misp-telebots.json",
        [3, 15, 15],
        "legitimate servers, which the author did not mark for detection",
    ),
    (
        "insikt/BlueBravo Uses Ambassador Lure to Deploy GraphicalNeutrino Malware/BlueBravo January 2023 Indicators.txt",
        [0, 5, 0],
        "the version of a browser",
    ),
    (
        "insikt/Continued Targeting of Indian Power Grid Assets by China State-Sponsored Activity Group/TAG-38 Indicators.csv",
        [21, 0, 0],
        "one row is seen last before it is seen first: refused",
    ),
    (
        "maltrail/_benign_or_sinkhole/mass_scanner.txt",
        [16_854, 0, 0],
        "three addresses with a letter in front: refused",
    ),
    (
        "maltrail/_benign_or_sinkhole/mass_scanner_cidr.txt",
        [1_102, 0, 0],
        "addresses in the comments behind their networks",
    ),
    ("maltrail/agenttesla.txt", [347, 0, 0], "parts of URL paths"),
    ("maltrail/apt_barium.txt", [1_163, 0, 0], "labels of domains"),
    ("maltrail/apt_blindeagle.txt", [27, 0, 0], "labels of domains"),
    ("maltrail/apt_greyenergy.txt", [3, 0, 0], "part of a URL path"),
    ("maltrail/apt_lazarus.txt", [688, 0, 0], "parts of URL paths"),
    ("maltrail/apt_patchwork.txt", [95, 0, 0], "part of a URL path"),
    ("maltrail/apt_sidewinder.txt", [63, 0, 0], "labels of domains and parts of URL paths"),
    ("maltrail/apt_sofacy.txt", [287, 0, 0], "labels of domains"),
    ("maltrail/apt_venomspider.txt", [12, 0, 0], "label of a domain"),
    (
        "maltrail/apt_voidarachne.txt",
        [0, 0, 0],
        "labels of domains, at a provider whose names say nothing of the address",
    ),
    ("maltrail/dcrat.txt", [3_035, 0, 0], "labels of domains and parts of URL paths"),
    ("unit42-notes/2020-09-01-IOCs-for-Raccoon-Stealer.txt", [3, 2, 0], "relays in mail headers"),
    (
        "unit42-notes/2020-11-23-IOCs-for-SmokeLoader-Dridex-and-Webshell.txt",
        [9, 6, 0],
        "relays in mail headers",
    ),
    ("unit42-notes/2021-01-06-SystemBC-domain-list.txt", [0, 0, 0], "part of the URL of a reference"),
    (
        "unit42-notes/2021-01-20-IOCs-from-Emotet-epoch1-infection.txt",
        [11, 4, 0],
        "relays in mail headers, and a time in one",
    ),
    (
        "unit42-notes/2022-02-17-IOCs-for-Bazil-targeted-malware-infection.txt",
        [2, 5, 0],
        "relays in mail headers",
    ),
    (
        "unit42-notes/2022-03-01-IOCs-for-Emotet-epoch4-with-Cobalt-Strike.txt",
        [4, 3, 0],
        "relays in mail headers",
    ),
    (
        "unit42-notes/2022-03-14-IOCs-from-Emotet-epoch5-with-Cobalt-Strike.txt",
        [15, 11, 0],
        "relays in mail headers",
    ),
    (
        "unit42-notes/2022-04-19-IOCS-for-infection-from-Brazil-malspam.txt",
        [2, 3, 0],
        "relays in mail headers",
    ),
    (
        "unit42-notes/2022-09-29-IOCs-for-Obama207-Qakbot-and-Cobalt-Strike.txt",
        [5, 7, 0],
        "relays in mail headers",
    ),
    (
        "unit42-notes/2023-01-05-IOCs-from-Agent-Tesla-variant-infection.txt",
        [2, 4, 0],
        "relays in mail headers",
    ),
    ("unit42-notes/2023-04-05-IOCs-for-STRRAT-activity.txt", [1, 4, 1], "the name of a file in a path"),
    (
        "unit42-notes/2023-11-29-IOCs-for-JinxLoader-to-Formbook-XLoader.txt",
        [1, 6, 0],
        "relays in mail headers",
    ),
    ("unit42-notes/2023-12-07-IOCs-for-DarkGate-infection.txt", [3, 9, 0], "the version of a program"),
    ("unit42-notes/2024-01-17-IOCs-for-WikiLoader-activity.txt", [1, 17, 0], "the name of a file in a path"),
    ("unit42-notes/2024-01-25-IOCs-for-DarkGate-activity.txt", [2, 7, 0], "the version of a program"),
    ("unit42-notes/2024-05-21-IOCs-for-Deepfake-scam-campaigns.txt", [0, 0, 0], "parts of URL paths"),
    ("unit42-notes/2024-06-27-deepfake-scams.txt", [0, 0, 0], "parts of URL paths"),
];

#[test]
fn distinct_addresses_and_hashes_equal_the_independent_totals() {
    let Some(folder) = folder() else { return };
    let totals = std::fs::read_to_string(folder.join("../INTEL-TOTALS.csv")).unwrap();
    let mut differences: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for line in totals.lines().skip(1) {
        let mut cells = line.rsplitn(4, ',');
        let [md5, sha256, v4]: [usize; 3] = [(); 3].map(|()| cells.next().unwrap().parse().unwrap());
        let file = cells.next().unwrap().trim_matches('"');
        let ours = match reading(&folder.join(file)) {
            Ok(reading) => counts(&reading),
            Err(ReadError::Nothing) => [0; 3],
            // A list of another tool in JSON, and one file of rules that counts nothing: named, and
            // not read.
            Err(ReadError::Unsupported { .. }) if file.ends_with(".json") || v4 + sha256 + md5 == 0 => {
                continue;
            }
            Err(error) => panic!("{file}: {error}"),
        };
        if ours != [v4, sha256, md5] {
            differences.insert(file, ours);
        }
    }
    let explained: BTreeMap<&str, [usize; 3]> =
        DIFFERENCES.iter().map(|(file, ours, _)| (*file, *ours)).collect();
    assert_eq!(differences, explained);
}

/// Claims of each kind that a part of the corpus must hold (`MANIFEST.md`).
fn check(folder: &Path, file: &str, kind: &str, expected: usize) -> Reading {
    let reading = reading(&folder.join(file)).unwrap();
    let distinct: BTreeSet<_> =
        reading.claims.iter().filter(|c| c.indicator.kind() == kind).map(|c| &c.indicator).collect();
    assert_eq!(distinct.len(), expected, "{file}: {kind}");
    reading
}

#[test]
fn published_lists_hold_what_the_manifest_counts() {
    let Some(folder) = folder() else { return };
    let of = |part: &str| {
        let mut found =
            files(&folder.join("insikt")).into_iter().filter(|path| path.to_string_lossy().contains(part));
        let path = found.find(|path| path.extension().is_none_or(|e| e != "md")).unwrap();
        path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned()
    };
    for (part, addresses, names) in [("Calypso", 6, 19), ("RedFoxtrot", 24, 106), ("TA428", 4, 16)] {
        check(&folder, &of(part), "ipv4", addresses);
        check(&folder, &of(part), "domain", names);
    }
    check(&folder, &of("TAG-22"), "ipv4", 41);
    // The manifest counts the 36 names that are defanged; one is not.
    check(&folder, &of("TAG-22"), "domain", 37);
}

#[test]
fn dated_server_lists_keep_every_window() {
    let Some(folder) = folder() else { return };
    let check = |file: &str, claims: usize| {
        let reading = reading(&folder.join(file)).unwrap();
        assert_eq!(reading.format, Format::Table, "{file}");
        let addresses = reading.claims.iter().filter(|claim| claim.indicator.kind() == "ipv4");
        assert!(addresses.clone().all(|claim| claim.basis == WindowBasis::Stated), "{file}");
        assert_eq!(addresses.count(), claims, "{file}");
        reading
    };
    let winnti = check("active-c2/winnti40/winnti40_202210.tsv", 55);
    check("active-c2/shadowpad/shadowpad_202210.tsv", 85);
    check("active-c2/dacls/dacls_202211.tsv", 121);
    check("cobaltstrike-extraneous-space/cobaltstrike-servers.csv.gz", 9_586);
    check("c2-tracker/intervals.csv.gz", 95_634);
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let period = Window::new(time("2020-07-01"), time("2021-10-01"));
    assert_eq!(winnti.claims.iter().filter(|claim| claim.validity.overlaps(period)).count(), 27);
}

#[test]
fn every_bundle_is_read_as_one() {
    let Some(folder) = folder() else { return };
    let mut bundles = 0;
    for path in files(&folder).iter().filter(|path| path.extension().is_some_and(|e| e == "json")) {
        let text = std::fs::read_to_string(path).unwrap();
        let json: Result<serde_json::Value, _> = serde_json::from_str(&text);
        let Ok(Some(objects)) = json.as_ref().map(|json| json["objects"].as_array()) else { continue };
        let kinds: Vec<&str> = objects.iter().filter_map(|object| object["type"].as_str()).collect();
        if !kinds.iter().any(|kind| matches!(*kind, "indicator" | "intrusion-set" | "threat-actor")) {
            continue;
        }
        bundles += 1;
        let reading = reading(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(reading.format, Format::Stix, "{}", path.display());
        let indicators = kinds.iter().filter(|kind| **kind == "indicator").count();
        let told = reading.claims.len() + reading.refused_count + reading.set_aside.values().sum::<usize>();
        assert!(told >= indicators.min(1), "{}: {indicators} indicators, {told} told", path.display());
    }
    assert_eq!(bundles, 55);
}

#[test]
fn files_that_nobody_counted_are_read_or_named_too() {
    let Some(folder) = folder() else { return };
    let totals = std::fs::read_to_string(folder.join("../INTEL-TOTALS.csv")).unwrap();
    for path in files(&folder) {
        let name = path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
        if totals.contains(&name) {
            continue;
        }
        match reading(&path) {
            Ok(_) | Err(ReadError::Nothing | ReadError::Unsupported { .. }) => {}
            Err(error) => panic!("{name}: {error}"),
        }
    }
}
