//! A group that is known by names alone: passive DNS tells where they pointed, and when.

use std::collections::BTreeSet;

use rahdar_hunt::hunt;
use rahdar_intel::Reading;
use rahdar_model::finding::{Finding, Verdict};
use rahdar_model::intelligence::{ClusterId, Indicator, WindowBasis};
use rahdar_model::{Address, Timestamp};

use crate::SAMPLED;
use crate::road::{book, everything, networks, readings, store};

/// What the scenario's files say of RedFoxtrot's names, and passive DNS.
fn names_alone() -> Vec<Reading> {
    let mut readings = readings(&SAMPLED);
    for reading in &mut readings {
        let id = ClusterId::of_name("RedFoxtrot");
        reading.claims.retain(|claim| {
            claim.cluster.as_ref() == Some(&id) && matches!(claim.indicator, Indicator::Domain(_))
        });
        reading.facts.clear();
    }
    readings
}

#[test]
fn names_and_passive_dns_find_both_victims_within_the_dates_and_names_alone_nobody() {
    let (store, networks) = (store(&SAMPLED), networks(&SAMPLED));
    let believed = |readings: &[Reading]| -> BTreeSet<(Address, String, Timestamp, Timestamp)> {
        let hunt = hunt(&store, &book(readings), &networks, &[], &everything()).unwrap();
        let believed = hunt.findings.into_iter().filter(|finding| finding.verdict >= Verdict::Likely);
        let seen = |one: Finding| {
            (one.victim.address, one.cluster.name, one.first_seen.unwrap(), one.last_seen.unwrap())
        };
        believed.map(seen).collect()
    };
    let mut readings = names_alone();
    let found = believed(&readings);
    let pairs: Vec<(String, &str)> =
        found.iter().map(|(victim, cluster, ..)| (victim.to_string(), cluster.as_str())).collect();
    let expected = ["198.51.100.40", "203.0.113.25"].map(|victim| (victim.to_owned(), "RedFoxtrot"));
    assert_eq!(pairs, expected);
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    for (victim, _, first, last) in &found {
        assert!(*first >= time("2021-03-08") && *last < time("2021-05-31"), "{victim}: {first} {last}");
    }

    readings.iter_mut().for_each(|reading| reading.resolutions.clear());
    assert_eq!(believed(&readings), BTreeSet::new());
}

#[test]
fn an_address_that_was_let_again_is_claimed_until_then() {
    let book = book(&readings(&SAMPLED));
    let id = ClusterId::of_name("RedFoxtrot");
    let windows = |address: &str| -> Vec<String> {
        let claims = book.claims_on(address.parse().unwrap());
        let derived = claims
            .filter(|claim| claim.basis == WindowBasis::Resolved && claim.cluster.as_ref() == Some(&id));
        derived.map(|claim| format!("{:?}", claim.validity)).collect()
    };
    // A shop has it from two o'clock on; the next server is nobody's afterwards.
    assert_eq!(windows("192.0.2.101"), ["[2021-03-08T00:00:00Z, 2021-04-08T02:00:00Z)"]);
    assert_eq!(windows("192.0.2.118"), ["[2021-04-04T02:00:00Z, 2021-05-06T21:00:00Z)"]);
    // The name in front of which a content network stands leads to it by an alias.
    let front = book.claims_on("198.18.200.10".parse().unwrap());
    assert!(front.into_iter().any(|claim| claim.place.contains("alias of front.cdn.example")));
}
