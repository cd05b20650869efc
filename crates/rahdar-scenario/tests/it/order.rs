//! The same findings in whatever order records come, after an import that was broken off, and by brute
//! force (`methods.md` §11.3, the lines on determinism and retro-hunt).

use std::cell::RefCell;

use rahdar_hunt::hunt;
use rahdar_model::{Estimate, FlowRecord};
use rahdar_scenario::Sampling;
use rahdar_testkit::NaiveStore;

use crate::road::{SOUND, book, events, everything, import, networks, readings};
use crate::{Made, SAMPLED, UNSAMPLED};

/// The records of a file in an order that has nothing to do with theirs, the same each time.
fn shuffled(mut records: Vec<FlowRecord>) -> Vec<FlowRecord> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for place in (1..records.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        records.swap(place, (state >> 33) as usize % (place + 1));
    }
    records
}

#[test]
fn shuffled_records_and_a_broken_off_import_change_no_finding() {
    for made in [&*SAMPLED, &*UNSAMPLED] {
        let straight = SOUND.hunted(made);
        let store = NaiveStore::new();
        drop(import(made, &store, SOUND.records));
        import(made, &store, &shuffled).commit().unwrap();
        let book = book(&readings(made));
        let other = hunt(&store, &book, &networks(made), &events(made), &everything()).unwrap();
        assert!(straight == other, "the order of records changes what is found");
    }
}

/// Hunts with the late report alone, and counts the records that it names one by one.
#[track_caller]
fn check_late(made: &Made) {
    let late = made.truth.clusters.iter().flat_map(|cluster| &cluster.indicators);
    let late = late.clone().find(|indicator| indicator.class == "late").unwrap().address;
    let mut readings = readings(made);
    for reading in &mut readings {
        reading.claims.retain(|claim| claim.indicator.to_string() == late.to_string());
    }
    let named = RefCell::new((0, 0));
    let count = |records: Vec<FlowRecord>| {
        for record in &records {
            let (out, back) = (record.octets, record.rev_octets.unwrap_or(0));
            let octets = match (record.src == late, record.dst == late) {
                (false, false) => continue,
                (true, _) => back,
                (_, true) => out,
            };
            let mut named = named.borrow_mut();
            *named = (named.0 + 1, named.1 + octets);
        }
        records
    };
    let store = NaiveStore::new();
    import(made, &store, &count).commit().unwrap();
    let hunt = hunt(&store, &book(&readings), &networks(made), &events(made), &everything()).unwrap();
    let [finding] = &hunt.findings[..] else { panic!("{} findings", hunt.findings.len()) };
    let (records, octets) = *named.borrow();
    assert_eq!(finding.flows, records);
    if made.truth.settings.sampling == Sampling::Unsampled {
        assert_eq!(finding.octets_out, Estimate::exact(octets));
    }
}

#[test]
fn a_late_report_finds_what_brute_force_finds() {
    check_late(&UNSAMPLED);
    check_late(&SAMPLED);
}
