//! What is said when a finding is denied: the claim's age, who had the address, the rival, the upload,
//! what came first, who is behind it, who else was there.

use rahdar_hunt::calibrate::{Calibration, Learned, Proof, Scores};
use rahdar_hunt::evidence::Group;
use rahdar_intel::age::{Report, ReportKind};
use rahdar_intel::assertion::{Assertion, Relation};
use rahdar_intel::pdns::Record;
use rahdar_model::account::{CompanyKind, Order, UploadClaim};
use rahdar_model::column::Row as _;
use rahdar_model::fact::Handshake;
use rahdar_model::finding::{Finding, Verdict};
use rahdar_model::intelligence::{ClusterId, Event, HostClass, Indicator};
use rahdar_testkit::{prefix, time};

use crate::world::{C2, OTHER_C2, VICTIM, World, call, claim, fact, noon, talk, valid};

/// The weight of the reason of this kind.
fn weight(finding: &Finding, kind: &str) -> Option<f64> {
    finding.reasons.iter().find(|reason| reason.kind == kind).map(|reason| reason.weight)
}

fn report(kind: ReportKind, at: &str) -> Report {
    Report { indicator: Indicator::Network(prefix(C2)), kind, at: time(at), source: "another".into() }
}

/// Contact on three days of March, and a claim that held until `until`.
fn lapsed(until: &str) -> World {
    World::of([70, 71, 72].map(|day| talk(C2, day))).claims([valid("2021-01-01", until, claim(C2, "A"))])
}

#[test]
fn the_prior_falls_with_the_age_of_the_claim() {
    let prior = |world: &World| weight(&world.finding(), "prior").unwrap();
    assert!((prior(&lapsed("2021-12-31")) - -12.79).abs() < 0.01);
    // 10 March, ten days after the window: 1 - sqrt(10.5/120) of it is left.
    let aged = prior(&lapsed("2021-03-01"));
    assert!((aged - -14.4).abs() < 0.1, "{aged}");
    let mut doubted = lapsed("2021-12-31");
    doubted.reports = vec![report(ReportKind::FalsePositive, "2024-01-01")];
    assert!((prior(&doubted) - -15.9).abs() < 0.1);
}

#[test]
fn an_address_that_another_name_has_taken_over_is_no_evidence() {
    let mut world = lapsed("2021-03-01");
    assert_eq!(weight(&world.finding(), "outside_window"), Some(-5.0));
    world.records = vec![Record {
        name: "shop.example.net".to_owned(),
        address: C2.parse().unwrap(),
        first: time("2021-03-05"),
        last: time("2021-09-01"),
        count: Some(40),
        source: "passive DNS".into(),
        place: "line 1".to_owned(),
    }];
    let finding = world.finding();
    assert_eq!((finding.verdict, weight(&finding, "reassigned")), (Verdict::Discounted, Some(-25.0)));
    assert_eq!(finding.rival.map(|rival| rival.kind), Some("reassigned"));
    // Who came before the claim ended was there all along.
    world.records[0].first = time("2021-02-01");
    assert_eq!(weight(&world.finding(), "reassigned"), None);
}

#[test]
fn contact_before_the_window_may_be_that_of_who_had_the_address_before() {
    let rival = |from, until| {
        let world = World::of([70, 71, 72].map(|day| talk(C2, day)));
        let finding = world.claims([valid(from, until, claim(C2, "A"))]).finding();
        finding.rival.map(|rival| (rival.kind, rival.text.contains("not yet theirs")))
    };
    assert_eq!(rival("2021-03-25", "2021-12-31"), Some(("earlier holder", true)));
    assert_eq!(rival("2021-01-01", "2021-03-01"), Some(("reassigned", false)));
}

#[test]
fn what_lowers_a_verdict_is_a_reason_against_it() {
    let cap = |finding: &Finding| {
        let cap = finding.reasons.iter().find(|reason| reason.kind == "cap");
        cap.map(|cap| (cap.weight < 0.0, cap.text.clone()))
    };
    let mut stale = lapsed("2021-02-01");
    stale.flows.extend((73..90).map(|day| talk(C2, day).build()));
    let text = "possible at most: the claim had lapsed, and nothing else of its cluster is fresh";
    assert_eq!(cap(&stale.finding()), Some((true, text.to_owned())), "{:#?}", stale.finding().reasons);
    let expired = stale.claims([valid("2020-01-01", "2020-10-01", claim(C2, "A"))]).finding();
    let text = "not believed, whatever else speaks for it: the first reason rules it out";
    assert_eq!(cap(&expired), Some((true, text.to_owned())), "{:#?}", expired.reasons);
    assert_eq!(cap(&lapsed("2021-12-31").finding()), None);
}

#[test]
fn a_claim_that_lapsed_needs_something_fresh() {
    let mut world = lapsed("2021-02-01");
    let stale = world.finding();
    assert!(stale.verdict <= Verdict::Possible && weight(&stale, "outside_window") == Some(-12.0));
    world.reports = vec![report(ReportKind::Sighting, "2021-03-05")];
    let fresh = world.finding();
    assert!(fresh.confidence > stale.confidence, "{} {}", fresh.confidence, stale.confidence);
}

#[test]
fn a_front_of_a_content_network_is_believed_only_by_the_name_called() {
    let mut world = World::of([3, 4, 7].map(|day| talk(C2, day))).fact(fact(C2, HostClass::Cdn));
    let mut named = claim("192.0.2.200/32", "RedFoxtrot");
    named.indicator = Indicator::Domain("c2.example.org".to_owned());
    world.claims.push(named);
    assert_eq!(world.finding().verdict, Verdict::Discounted, "an address alone");
    world.handshakes = [3, 4, 7]
        .map(|day| Handshake {
            time: noon(day),
            client: VICTIM.parse().unwrap(),
            server: C2.parse().unwrap(),
            server_port: 443,
            server_name: "c2.example.org".to_owned(),
            ..Handshake::blank()
        })
        .to_vec();
    let finding = world.finding();
    assert_eq!(weight(&finding, "cdn"), Some(-25.0));
    assert!(finding.verdict > Verdict::Discounted, "{:#?}", finding.reasons);
}

#[test]
fn an_upload_has_the_pattern_and_small_talk_has_not() {
    let upload =
        World::of([3, 4, 7].map(|day| call(C2, day).sent(9_000, 12_000_000).answered(4_000, 220_000)));
    let finding = upload.finding();
    assert_eq!(finding.upload.claim, UploadClaim::Exfiltration, "{:?}", finding.upload);
    assert_eq!(finding.upload.payload_low, 36e6 - 27_000.0 * 52.0);
    assert!(finding.upload.balance.unwrap() > 0.99);
    let talk = World::of([3, 4, 7].map(|day| talk(C2, day))).finding();
    assert_eq!(talk.upload.claim, UploadClaim::Volume);
    assert_eq!(talk.upload.why, "less than 10 MB can be shown to have left");
}

#[test]
fn contact_is_dated_against_events() {
    let mut world = World::of([2, 30, 31, 40].map(|day| talk(if day == 2 { OTHER_C2 } else { C2 }, day)));
    world.events = vec![
        Event::new(time("2021-02-10"), "later"),
        Event::new(time("2021-01-05"), "earlier"),
        Event::new(time("2020-12-01"), "long before"),
    ];
    world.flows.push(talk("192.0.2.123", 0).build());
    world.claims = vec![claim(C2, "A")];
    let finding = world.finding();
    let told: Vec<(&str, Order, i64)> =
        finding.chronology.iter().map(|one| (one.event.as_str(), one.order, one.days)).collect();
    assert_eq!(
        told,
        [
            ("long before", Order::NotCovered, 61),
            ("earlier", Order::After, 26),
            ("later", Order::Before, -10)
        ]
    );
}

#[test]
fn the_test_of_an_event_claims_no_more_of_the_order_than_is_known() {
    let claims = [valid("2021-03-01", "2021-06-01", claim(C2, "RedFoxtrot"))];
    let mut world = World::of([40, 60, 61, 62].map(|day| talk(C2, day))).claims(claims);
    world.events = vec![Event::new(time("2021-02-20"), "an event")];
    let finding = world.finding();
    let order = &finding.chronology[0];
    assert_eq!(order.order, Order::NotCovered, "{order:?}");
    assert!(order.why.contains("is on record since 2021-02-10"), "{order:?}");
    assert_eq!(
        finding.event_tests[0].why,
        "believed contact is on record only since 2021-03-02, after the event"
    );
}

#[test]
fn who_is_behind_a_cluster_is_told_by_source() {
    let mut world = World::of([3, 4, 7].map(|day| talk(C2, day)));
    let said = |relation, object: &str| Assertion {
        subject: "RedFoxtrot".to_owned(),
        relation,
        object: object.to_owned(),
        window: None,
        asserted_by: Some("another lab".to_owned()),
        source: "a newspaper".into(),
        published: None,
        confidence: None,
        tlp: None,
    };
    world.assertions = vec![said(Relation::Overlaps, "Nomad Panda"), said(Relation::Uses, "PlugX")];
    let hunt = world.hunt();
    let account = &hunt.clusters[0];
    let told: Vec<(Option<&str>, f64)> =
        account.hypotheses.iter().map(|one| (one.actor.as_deref(), one.weight)).collect();
    assert_eq!(told, [(Some("redfoxtrot"), 0.706), (Some("Nomad Panda"), 0.223), (None, 0.071)]);
    assert_eq!(&*account.hypotheses[1].statements[0].source, "another lab");
    assert_eq!((account.touched.len(), account.endpoints_claimed, account.endpoints_met), (1, 1, 1));
}

#[test]
fn two_clusters_on_one_victim_are_compared() {
    let world = |other: &str| {
        World::of((0..10).flat_map(|day| [talk(C2, day), talk(OTHER_C2, day)]))
            .claims([claim(C2, "A"), claim(other, "B")])
    };
    let apart = world(OTHER_C2).hunt();
    assert_eq!(apart.companies.len(), 1);
    assert_eq!(apart.companies[0].relation, CompanyKind::Coincidence);
    assert_eq!((apart.companies[0].common_days, apart.companies[0].p_value), (10, None));
    let together = world(C2).hunt();
    assert_eq!(together.companies[0].relation, CompanyKind::SharedInfrastructure);
    assert!(together.findings.iter().all(|finding| finding.upload.is_shared && !finding.is_distinct));
    assert!(apart.findings.iter().all(|finding| finding.is_distinct));
}

#[test]
fn when_contact_was_that_no_other_cluster_claims_is_told() {
    const BOTH: &str = "192.0.2.78";
    let flows = (0..40).map(|day| talk(if (10..13).contains(&day) { C2 } else { BOTH }, day));
    let claims = [claim(C2, "A"), claim(BOTH, "A"), claim(BOTH, "B")];
    let hunt = World::of(flows).claims(claims).hunt();
    let alone = |name: &str| {
        let finding =
            hunt.findings.iter().find(|finding| finding.cluster.id == ClusterId::of_name(name)).unwrap();
        let alone = finding.reasons.iter().find(|reason| reason.text.contains("no other cluster claims"));
        alone.map(|reason| reason.text.as_str())
    };
    let expected =
        "contact with addresses that no other cluster claims was on 3 days, 2021-01-11 to 2021-01-13";
    assert_eq!(alone("A"), Some(expected));
    assert_eq!(alone("B"), None);
}

#[test]
fn a_session_that_two_clusters_claim_does_not_agree_with_itself() {
    const BOTH: &str = "192.0.2.78";
    let is_both = |day: i32| day * day % 97 < 12;
    let days = (0..120).flat_map(|day| {
        let of_a = (day % 10 == 0).then(|| talk(C2, day));
        let of_b = (day % 10 == 5).then(|| talk(OTHER_C2, day));
        of_a.into_iter().chain(of_b).chain(is_both(day).then(|| talk(BOTH, day)))
    });
    let claims = [claim(C2, "A"), claim(OTHER_C2, "B"), claim(BOTH, "A"), claim(BOTH, "B")];
    let hunt = World::of(days).claims(claims).hunt();
    let company = &hunt.companies[0];
    assert_eq!(company.relation, CompanyKind::SharedInfrastructure);
    assert_eq!(company.p_value, Some(1.0), "{company:?}");
}

#[test]
fn two_clusters_that_an_exporter_did_not_see_have_no_days_in_common_for_that() {
    let days = (0..220).filter(|day| !(70..150).contains(day));
    let others = days.clone().flat_map(|day| {
        (0..24).map(move |hour| {
            let at = noon(day).plus_micros((hour - 12) * rahdar_model::time::HOUR_US);
            rahdar_testkit::flow("203.0.113.9:1 > 198.51.100.1:2").udp().at_time(at)
        })
    });
    let contact = days.flat_map(|day| [talk(C2, day), talk(OTHER_C2, day)]);
    let world = World::of(contact).flows(others).claims([claim(C2, "A"), claim(OTHER_C2, "B")]);
    let company = world.hunt().companies.remove(0);
    assert_eq!((company.relation, company.p_value), (CompanyKind::Coincidence, Some(1.0)), "{company:?}");
}

#[test]
fn a_calibration_is_named_and_weighs_and_lifts_the_cap_once_it_is_proven() {
    let mut world = World::of((0..20).map(|day| talk(C2, day)));
    assert_eq!(world.finding().confidence, 95);
    let learned = Learned { group: Group::Persistence, default: 7.0, weight: 9.5, real: 40, other: 2 };
    let scores = |log_loss| Scores { brier: 0.0, log_loss, ece: 0.0 };
    let proof = Proof { tried: [299; 2], wrong: [0; 2], gain: 0.1, gain_error: 0.01 };
    let calibration = Calibration {
        name: "of this network".to_owned(),
        states: vec![learned],
        alpha: 0.5,
        beta: 1.0,
        share: Some(0.5),
        examples: [0; 3],
        proof,
        held_out: scores(0.1),
        defaults: scores(0.2),
    };
    world.request.calibration =
        Some(Calibration { proof: Proof { tried: [299, 9], ..proof }, ..calibration.clone() });
    assert_eq!(world.finding().confidence, 95);
    world.request.calibration = Some(calibration);
    let hunt = world.hunt();
    let finding = &hunt.findings[0];
    assert_eq!((hunt.calibration.as_deref(), finding.confidence), (Some("of this network"), 99));
    assert_eq!(weight(finding, "persistence"), Some(9.5));
    let shift = weight(finding, "calibration").unwrap();
    assert!((shift - 0.5 * 10.0 / std::f64::consts::LN_10).abs() < 1e-9, "{shift}");
    // Of twenty more addresses of the list, nearly none looks like command traffic.
    let flows = (20..40).map(|host| call(&format!("198.51.100.{host}"), 4));
    let claims = (20..40).map(|host| claim(&format!("198.51.100.{host}"), "another")).chain([claim(C2, "A")]);
    let worse = World { request: world.request.clone(), ..World::of((0..20).map(|day| talk(C2, day))) };
    let worse = worse.flows(flows).claims(claims).hunt();
    let finding = worse.findings.iter().find(|finding| finding.cluster.name == "a").unwrap();
    let fall = weight(finding, "base_rate").unwrap();
    assert!((-8.0..-2.0).contains(&fall), "{fall}");
    // What kills a finding kills it all the same.
    let killed = World { facts: vec![fact(C2, HostClass::Sinkhole)], ..world };
    assert_eq!(killed.finding().verdict, Verdict::Discounted);
}

#[test]
fn examples_are_what_a_hunt_judges() {
    let world = World::of([3, 4, 7].map(|day| talk(C2, day)));
    let store = rahdar_testkit::NaiveStore::of(world.flows.clone());
    let examples =
        rahdar_hunt::examples(&store, &world.book(), &world.networks, world.request.window).unwrap();
    assert_eq!(examples.len(), 1);
    let example = &examples[0];
    assert_eq!((example.cluster.to_string().as_str(), example.first), ("redfoxtrot", noon(3)));
    let sum: f64 = example.prior + example.states.iter().map(|(_, weight)| weight).sum::<f64>();
    assert!((sum - 21.2).abs() < 0.1, "{example:?}");
}
