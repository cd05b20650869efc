//! The same flows and the same book give the same answer, in any order.

use proptest::prelude::*;
use rahdar_model::intelligence::HostClass;
use rahdar_testkit::{NaiveStore, strategy};

use crate::world::{World, claim, fact, talk, valid};

/// Claims on the addresses that the strategy draws.
fn world() -> World {
    let claims = [
        claim("192.0.2.1", "RedFoxtrot"),
        claim("192.0.2.0/24", "PlugX cluster"),
        claim("198.51.100.7", "Calypso"),
        valid("2021-08-14", "2021-08-15", claim("2001:db8::1", "RedFoxtrot")),
        claim("2001:db8::/32", ""),
        claim("0.0.0.0/0", "everything"),
    ];
    World::of([]).claims(claims).fact(fact("192.0.2.255", HostClass::Sinkhole))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_flows_changes_nothing(
        (flows, shuffled) in strategy::flows(40)
            .prop_flat_map(|flows| (Just(flows.clone()), Just(flows).prop_shuffle())),
        watched: bool,
    ) {
        let mut world = world();
        if !watched {
            world.networks.clear();
        }
        world.flows = flows;
        let hunt = world.hunt();
        world.flows = shuffled;
        prop_assert_eq!(&hunt, &world.hunt());

        for finding in hunt.findings.iter().chain(&hunt.discounted) {
            let out = finding.octets_out;
            prop_assert!(out.low <= out.point && out.high.is_none_or(|high| out.point <= high));
            prop_assert!(out.point.is_finite() && (1..=95).contains(&finding.confidence));
            prop_assert!(finding.first_seen <= finding.last_seen);
            prop_assert!(!finding.reasons.is_empty());
        }
    }

    #[test]
    fn more_days_of_payload_never_lower_the_verdict(days in 1_i32..20) {
        let verdict = |days: i32| World::of((0..days).map(|day| talk("192.0.2.9", day))).finding().confidence;
        prop_assert!(verdict(days + 1) >= verdict(days));
    }
}

#[test]
fn a_store_without_flows_is_no_error() {
    let world = world();
    let hunt = rahdar_hunt::hunt(&NaiveStore::new(), &world.book(), &[], &[], &world.request).unwrap();
    assert!(hunt.findings.is_empty() && hunt.victims.is_empty());
}
