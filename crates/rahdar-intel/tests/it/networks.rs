//! Files about networks in the corpus, asked for addresses whose networks are known.

use std::convert::Infallible;

use rahdar_intel::registry::packed;
use rahdar_intel::registry::{Dump, Label, Question, Shelf, ask, kind, read};
use rahdar_model::{Address, Day, Timestamp};

use crate::corpus::folder;

struct Dumps(Vec<Label>, Vec<Vec<u8>>);

impl Shelf for Dumps {
    type Error = Infallible;

    fn labels(&self) -> &[Label] {
        &self.0
    }

    fn take(&self, place: usize) -> Result<Dump, Infallible> {
        Ok(packed::unpack(&self.1[place]).unwrap())
    }
}

fn day(text: &str) -> Day {
    text.parse::<Timestamp>().unwrap().day()
}

/// Reads these files of the corpus as of 2026-06-17.
fn dumps(names: &[&str]) -> Option<Dumps> {
    let corpus = folder()?.join("..");
    let read = |name: &&str| {
        let bytes = std::fs::read(corpus.join(name)).unwrap();
        let bytes = rahdar_intel::unpack(&bytes).unwrap();
        let as_of = if name.ends_with("mmdb") { None } else { Some(day("2026-06-17")) };
        let read = read(kind(&bytes).unwrap(), name, &bytes, as_of).unwrap();
        assert_eq!(read.refused, 0, "{name}: {:?}", read.told);
        (Label::of(&read.dump), packed::pack(&read.dump))
    };
    let mut kept: Vec<(Label, Vec<u8>)> = names.iter().map(read).collect();
    kept.sort();
    let (labels, octets) = kept.into_iter().unzip();
    Some(Dumps(labels, octets))
}

#[test]
fn half_a_million_ranges_tell_the_as_of_an_afghan_telecom() {
    let Some(dumps) = dumps(&[
        "ipdb/npm-ip-location-db-asn/asn-ipv4.csv.gz",
        "ipdb/npm-ip-location-db-asn/asn-ipv6.csv.gz",
        "ipdb/npm-ip-location-db-asn-country/asn-country-ipv4.csv.gz",
        "ipdb/npm-ip-location-db-asn-country/asn-country-ipv6.csv.gz",
    ]) else {
        return;
    };
    let known = |address: &str, at: &str| {
        let address: Address = address.parse().unwrap();
        let question = Question { address, at: day(at), asn: None };
        let answer = ask(&dumps, &[question]).unwrap().remove(0);
        let asns: Vec<u32> = answer.origins.iter().flat_map(|said| said.value.asns.clone()).collect();
        let orgs: Vec<String> = answer.orgs.into_iter().map(|said| said.value).collect();
        let countries: Vec<String> = answer.countries.geolocated.into_iter().map(|said| said.value).collect();
        format!("{asns:?} {} {}", orgs.join(", "), countries.join(", "))
    };
    let telecom = "[45178] Telecom Development Company Afghanistan";
    for address in ["103.28.132.0", "103.28.135.255", "116.206.190.77", "203.174.27.9"] {
        assert!(
            known(address, "2026-07-01").starts_with(telecom),
            "{address}: {}",
            known(address, "2026-07-01")
        );
    }
    assert_eq!(known("103.28.132.1", "2026-06-16"), "[]  ", "the day before");
    assert!(
        known("116.206.191.0", "2026-07-01") != known("116.206.190.0", "2026-07-01"),
        "the range ends there"
    );
    assert!(known("2001:200::1", "2026-07-01").starts_with("[2500] WIDE Project"));
}

#[test]
fn databases_tell_countries_and_as() {
    let Some(dumps) = dumps(&[
        "bgp/zannotate/data-snapshots/ipinfo_core_sample.mmdb",
        "bgp/zannotate/data-snapshots/ipinfo_plus_sample.mmdb",
    ]) else {
        return;
    };
    for (label, octets) in dumps.0.iter().zip(&dumps.1) {
        let told: Vec<&str> =
            label.topics.iter().filter(|(_, rows)| *rows > 0).map(|(topic, _)| topic.word()).collect();
        assert_eq!(told, ["geolocated", "origin", "organisation"], "{label:?}");
        assert!(label.as_of > day("2025-01-01") && label.source.starts_with("ipinfo"), "{label:?}");
        assert_eq!(Label::of(&packed::unpack(octets).unwrap()), *label);
    }
}
