//! The same flows and the same book give the same answer, in any order, and the same later if all of it was later.

use proptest::prelude::*;
use rahdar_model::finding::Surge;
use rahdar_model::intelligence::{Event, HostClass};
use rahdar_model::time::DAY_US;
use rahdar_model::{Timestamp, Window};
use rahdar_testkit::{NaiveStore, strategy};

use crate::world::{C2, World, claim, fact, noon, talk, valid};

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
fn what_happens_four_weeks_later_is_told_four_weeks_later() {
    // Ten times as much from day 201 on; an event on that day.
    let story = |later_us: i64| {
        let packets = |day| if day < 201 { 30 } else { 300 } * if day * day % 7 < 3 { 5 } else { 1 };
        let mut world = World::of((0..270).map(|day| talk(C2, day).sent(packets(day), 1_000 * packets(day))));
        for flow in &mut world.flows {
            flow.start_time = flow.start_time.plus_micros(later_us);
            flow.end_time = flow.end_time.plus_micros(later_us);
        }
        for claim in &mut world.claims {
            let Window { from, until } = claim.validity;
            claim.validity = Window::new(from.plus_micros(later_us), until.plus_micros(later_us));
        }
        world.events = vec![Event::new(noon(201).plus_micros(later_us), "an event")];
        world.finding()
    };
    let later_us = 28 * DAY_US;
    let (now, then) = (story(0), story(later_us));
    assert!(!now.surges.is_empty(), "{now:#?}");
    assert_eq!(
        (now.verdict, now.confidence, now.octets_out),
        (then.verdict, then.confidence, then.octets_out)
    );
    assert_eq!(now.rhythm, then.rhythm);
    let later = |time: Option<Timestamp>| time.map(|time| time.plus_micros(later_us));
    assert_eq!((later(now.first_seen), later(now.last_seen)), (then.first_seen, then.last_seen));
    let told =
        |surge: &Surge| (surge.ratio, surge.ratio_low, surge.ratio_high, surge.p_value, surge.p_adjusted);
    assert_eq!(
        now.surges.iter().map(told).collect::<Vec<_>>(),
        then.surges.iter().map(told).collect::<Vec<_>>()
    );
    for (now, then) in now.surges.iter().zip(&then.surges) {
        assert_eq!((now.since.0 + 28, later(Some(now.window.from))), (then.since.0, Some(then.window.from)));
    }
}

#[test]
fn a_store_without_flows_is_no_error() {
    let world = world();
    let hunt = rahdar_hunt::hunt(&NaiveStore::new(), &world.book(), &[], &[], &world.request).unwrap();
    assert!(hunt.findings.is_empty() && hunt.victims.is_empty());
}
