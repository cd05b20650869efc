//! How often bounds hold (`methods.md` §11.3), over 200 seeds in the nightly tier, over two in every run.
//!
//! Uploads and check-ins alone, with no other conversation and no judgement: all that was recorded
//! between a victim and the servers of a cluster. No hunt prints an upper bound of these totals, since
//! an exporter was down and datagrams were lost; here it is asked for all the same. What was lost on
//! the way counts as visible.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rahdar_hunt::exporters::{Part, Weight, estimate};
use rahdar_hunt::sweep::{Contact, Party};
use rahdar_model::store::{End, Sighting};
use rahdar_model::{Address, Estimate, FlowRecord};
use rahdar_scenario::{Sampling, Settings};
use rahdar_testkit::{NaiveStore, is_nightly};

use crate::road::import;
use crate::{Made, make};

/// Seeds that the share below allows for.
const NIGHTLY: u64 = 200;
const USUAL: u64 = 2;
/// Seeds after which a run that lasts says how far it is.
const TELL_EVERY: u64 = 20;
/// Bounds of 95 % hold in so many of 100 seeds, with slack for 200 of them.
const LEAST_PERCENT: u64 = 92;

/// In how many seeds the lower bound held, and both did.
#[derive(Debug, Default)]
struct Held {
    low: u64,
    both: u64,
}

#[test]
fn bounds_hold_in_as_many_seeds_as_they_promise() {
    let seeds = if is_nightly() { NIGHTLY } else { USUAL };
    let mut held: BTreeMap<String, Held> = BTreeMap::new();
    for seed in 1..=seeds {
        let made = make(Settings { seed, flows: 0, sampling: Sampling::Exporters });
        for (item, visible, bounds) in totals(&made) {
            let held = held.entry(item).or_default();
            let is_below = bounds.low <= visible as f64;
            held.low += u64::from(is_below);
            held.both += u64::from(is_below && bounds.high.is_some_and(|high| visible as f64 <= high));
        }
        if seed.is_multiple_of(TELL_EVERY) {
            eprintln!("{seed} seeds: {held:?}");
        }
    }
    for (item, Held { low, both }) in &held {
        eprintln!("| {item} | {low} of {seeds} | {both} of {seeds} |");
    }
    assert_eq!(held.len(), 7);
    let is_enough = |n: u64| n >= (seeds * LEAST_PERCENT).div_ceil(100);
    assert!(held.values().all(|held| is_enough(held.low) && is_enough(held.both)), "{held:?}");
}

/// Of each victim and each pair: what passed a sensor, and its bounds by the records.
fn totals(made: &Made) -> Vec<(String, u64, Estimate)> {
    let contacts = contacts(made);
    let mut totals = Vec::new();
    for victim in &made.truth.victims {
        let pairs = made.truth.pairs.iter().filter(|pair| pair.victim == victim.address);
        let visible = pairs.map(|pair| pair.visible.octets_out).sum();
        let own = |contact: &&Contact| contact.victim == victim.address;
        totals.push((victim.address.to_string(), visible, bounds(contacts.iter().filter(own))));
    }
    for pair in &made.truth.pairs {
        let cluster = made.truth.clusters.iter().find(|one| one.name == pair.cluster).unwrap();
        // What a shared server took may be another's.
        let servers = |class: &[&str]| -> BTreeSet<Address> {
            let own = cluster.indicators.iter().filter(|i| class.contains(&i.class.as_str()));
            own.map(|indicator| indicator.address).collect()
        };
        let (sure, all) = (servers(&["own", "late"]), servers(&["own", "late", "shared"]));
        let with = |servers: &BTreeSet<Address>| {
            let is_it = |c: &&Contact| c.victim == pair.victim && servers.contains(&c.remote);
            bounds(contacts.iter().filter(is_it))
        };
        let estimate = Estimate { low: with(&sure).low, ..with(&all) };
        totals.push((format!("{} on {}", pair.cluster, pair.victim), pair.visible.octets_out, estimate));
    }
    totals
}

fn bounds<'a>(contacts: impl Iterator<Item = &'a Contact>) -> Estimate {
    let weight = Weight::default();
    estimate(contacts.map(|contact| Part::whole(contact, &weight)), Party::Victim, true)
}

/// What was recorded between the victims and the servers of clusters while these used them.
fn contacts(made: &Made) -> Vec<Contact> {
    let windows: BTreeMap<Address, (_, _)> = made
        .truth
        .clusters
        .iter()
        .flat_map(|cluster| &cluster.indicators)
        .map(|indicator| (indicator.address, (indicator.valid_from.start(), indicator.valid_until.start())))
        .collect();
    let victims: BTreeSet<Address> = made.truth.victims.iter().map(|victim| victim.address).collect();
    let contacts = RefCell::new(Vec::new());
    let take = |records: Vec<FlowRecord>| {
        for flow in records {
            let (end, remote, victim) = match windows.contains_key(&flow.src) {
                true => (End::Source, flow.src, flow.dst),
                false => (End::Destination, flow.dst, flow.src),
            };
            let is_inside =
                windows.get(&remote).is_some_and(|(from, until)| (from..until).contains(&&flow.start_time));
            if is_inside && victims.contains(&victim) {
                contacts.borrow_mut().push(Contact::of(&Sighting { end, flow }));
            }
        }
        Vec::new()
    };
    drop(import(made, &NaiveStore::new(), &take));
    contacts.into_inner()
}
