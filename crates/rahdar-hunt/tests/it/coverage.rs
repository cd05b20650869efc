//! What exporters did not record: dates that stay open, holes that are told, contact that could not be seen.

use rahdar_model::fact::{Gap, Loss, Unit};
use rahdar_model::finding::Finding;
use rahdar_model::intelligence::{Claim, ClusterId, Indicator, Tlp};
use rahdar_model::sight::{NotSeen, Sight};
use rahdar_model::time::{DAY_US, HOUR_US};
use rahdar_model::{Quality, Window};
use rahdar_testkit::builder::FlowBuilder;
use rahdar_testkit::{flow, window};

use crate::world::{C2, OTHER_C2, World, claim, noon, talk, valid};

/// Other traffic, a flow an hour on the first sixty days of 2021, but on these.
fn lively(exporter: &'static str, down: &'static [i32]) -> impl Iterator<Item = FlowBuilder> {
    (0..60).filter(|day| !down.contains(day)).flat_map(move |day| {
        (0..24).map(move |hour| {
            let at = noon(day).plus_micros((hour - 12) * HOUR_US);
            flow("203.0.113.9:1 > 198.51.100.1:2").udp().at_time(at).exporter(exporter)
        })
    })
}

/// Contact on every third of fifteen days, by an exporter that was down on these days.
fn contact(down: &'static [i32]) -> World {
    World::of((33..48).step_by(3).map(|day| talk(C2, day))).flows(lively("r1", down))
}

fn gap(from: i32, until: i32, unit: Unit, lost: u64) -> Gap {
    Gap {
        exporter: "r1".into(),
        observation_domain: 0,
        window: Window::new(noon(from), noon(until)),
        cause: Loss::Sequence,
        unit,
        lost,
        source: "r1.ipfix".into(),
    }
}

fn told(finding: &Finding) -> Vec<&str> {
    let coverage = finding.reasons.iter().filter(|reason| reason.kind == "coverage");
    coverage.map(|reason| reason.text.as_str()).collect()
}

#[test]
fn dates_are_open_where_their_exporter_was_down_just_before_or_just_after() {
    assert!(!contact(&[]).finding().at_least);
    assert!(contact(&[31, 32]).finding().at_least, "down until half a day before");
    assert!(contact(&[46, 47]).finding().at_least, "down from the day after");
    assert!(!contact(&[20, 21, 55]).finding().at_least, "contact would have come again before");
    let other = contact(&[]).flows(lively("r2", &[31, 32]));
    assert!(!other.finding().at_least, "another exporter never saw the contact");
}

#[test]
fn a_hole_between_is_told_with_its_count_and_leaves_the_number_of_days_open() {
    let finding = contact(&[37, 38]).finding();
    assert!(finding.at_least);
    let holes: Vec<(Window, u64)> = finding.witness.holes.iter().map(|h| (h.window, h.usual_flows)).collect();
    assert_eq!(holes, [(window("2021-02-07", "2021-02-09"), 48)]);
    let text = "exporter `r1` recorded nothing from 2021-02-07T00:00:00Z to 2021-02-09T00:00:00Z \
                (48 flow records are usual): that is no time without contact";
    assert_eq!(told(&finding), [text]);
    assert!(told(&contact(&[]).finding()).is_empty());
}

#[test]
fn where_all_was_lost_the_loss_tells_of_the_hole() {
    let sparse = |day| flow("203.0.113.9:1 > 198.51.100.1:2").udp().at_time(noon(day));
    let mut world = World::of((33..48).step_by(3).map(|day| talk(C2, day))).flows([0, 59].map(sparse));
    assert!(!world.finding().at_least, "who records so little is silent by chance");
    world.gaps = vec![gap(30, 32, Unit::Datagrams, 7)];
    let finding = world.finding();
    assert!(finding.at_least);
    assert!(told(&finding)[0].ends_with("(7 datagrams lost (sequence)): that is no time without contact"));
}

#[track_caller]
fn check(finding: &Finding, packets: u64, detection: f64) {
    let witness = &finding.witness;
    assert_eq!((witness.contact_packets, witness.detection), (Some(packets), Some(detection)), "{witness:?}");
}

#[test]
fn the_chance_of_a_record_counts_sampling_loss_and_holes() {
    check(&contact(&[]).finding(), 35, 1.0);
    // Two of the twelve days and an hour from first to last contact.
    check(&contact(&[37, 38]).finding(), 35, ((289.0 - 48.0) / 289.0 * 1_000.0_f64).floor() / 1_000.0);
    // As much was lost as came: all of twelve days and an hour.
    let mut lossy = contact(&[]);
    let came = 289 + 5;
    lossy.gaps = vec![gap(33, 45, Unit::Records, came)];
    check(&lossy.finding(), 35, 0.5);
    assert_eq!(lossy.finding().witness.sight.least_packets, None, "half of all records never come");
}

#[test]
fn small_contacts_in_a_sample_tell_how_small_they_are() {
    let sampled = |counts: &[u64]| {
        let days = (0..counts.len() as i32).zip(counts);
        let seen = days.flat_map(|(day, packets)| {
            let out = talk(C2, day).sent(*packets, packets * 500).answered(0, 0).sampled(100);
            [out.exporter("edge")]
        });
        World::of(seen).finding().witness
    };
    // Two of three left one packet, one left two: one was sampled of a hundred packets, on average.
    let small = sampled(&[1, 1, 2].repeat(5));
    assert_eq!((small.contact_packets, small.detection), (Some(100), Some(0.633)));
    assert_eq!(small.sight.least_packets, Some(299));
    let large = sampled(&[40, 50, 60]);
    assert_eq!((large.contact_packets, large.detection), (Some(5_000), Some(1.0)));
    let few = sampled(&[1, 1, 2].repeat(4));
    assert_eq!((few.contact_packets, few.detection), (None, None));
    let why = "fewer than five contacts left two sampled packets, so too little tells how many left none";
    assert_eq!(few.why, why);
    let single = sampled(&[1, 1, 1]);
    assert_eq!((single.contact_packets, single.detection), (None, None));
    assert_eq!(single.why, "each contact left one sampled packet, so nothing tells how many left none");
}

#[test]
fn a_template_of_two_meanings_is_told_with_every_finding_of_its_exporter() {
    let told = |here: &[i32], elsewhere: bool| {
        let conflict = |is: bool, flow: FlowBuilder| match is {
            true => flow.marked(Quality::TEMPLATE_CONFLICT),
            false => flow,
        };
        let other = flow("203.0.113.9:1 > 198.51.100.1:2").udp().at_time(noon(9));
        let talks = (0..5).map(|day| conflict(here.contains(&day), talk(C2, day)));
        let finding = World::of(talks).flows([conflict(elsewhere, other)]).finding();
        let reason = finding.reasons.into_iter().find(|reason| reason.kind == "template_conflict");
        reason.map(|reason| reason.text)
    };
    let text = |all, here| {
        format!(
            "exporter `r1` announced templates anew with another meaning: {all} of 6 flow records may be misread, \
             {here} of them here"
        )
    };
    assert_eq!(told(&[], false), None);
    assert_eq!(told(&[], true), Some(text(1, 0)));
    assert_eq!(told(&[1, 3], true), Some(text(3, 2)));
}

fn not_seen(world: &World) -> Vec<NotSeen> {
    world.hunt().not_seen
}

#[test]
fn a_cluster_without_contact_is_told_with_what_could_have_been_seen() {
    let claims = [claim(C2, "RedFoxtrot"), valid("2021-01-21", "2021-03-22", claim(OTHER_C2, "Calypso"))];
    let told = not_seen(&contact(&[25, 26]).claims(claims.clone()));
    let [calypso] = &told[..] else { panic!("{told:?}") };
    assert_eq!((calypso.cluster.id.clone(), calypso.claims), (ClusterId::of_name("Calypso"), 1));
    // Forty of its sixty days were recorded, but for two days, and for the hour after the last flow.
    let sight = Sight {
        hours: 60 * 24,
        hours_recorded: 38 * 24,
        arrived: Some(1.0),
        least_packets: Some(1),
        why: String::new(),
    };
    assert_eq!(calypso.sight, sight);
    assert!(not_seen(&contact(&[]).claims([claim(C2, "RedFoxtrot")])).is_empty());
}

#[test]
fn what_could_not_be_seen_is_not_assessable() {
    let why = |claim: Claim| {
        let told = not_seen(&contact(&[]).claims([claim]));
        (told[0].sight.least_packets, told[0].sight.why.clone())
    };
    let before = valid("2020-01-01", "2020-02-01", claim(OTHER_C2, "Calypso"));
    assert_eq!(why(before), (None, "no exporter recorded then".to_owned()));
    let name = Indicator::Domain("c2.example.org".to_owned());
    let named = Claim { indicator: name, ..claim(OTHER_C2, "Calypso") };
    assert_eq!(why(named), (None, "no claim names an address".to_owned()));
    let mut unknown = contact(&[]).claims([claim(OTHER_C2, "Calypso")]);
    unknown.flows.iter_mut().for_each(|flow| flow.sampling_interval = None);
    let sight = not_seen(&unknown).remove(0).sight;
    assert_eq!(
        (sight.least_packets, sight.why.as_str()),
        (None, "at which rate exporter `r1` sampled is not known")
    );
}

#[test]
fn of_a_cluster_that_is_asked_for_its_indicators_are_told() {
    let mut world = contact(&[]).claims([C2, OTHER_C2].map(|address| claim(address, "RedFoxtrot")));
    assert!(not_seen(&world).is_empty(), "the cluster was met");
    world.request.cluster = Some(ClusterId::of_name("RedFoxtrot"));
    let told = not_seen(&world);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].indicator.as_deref(), Some(OTHER_C2));
}

#[test]
fn a_cluster_without_contact_closes_no_hunt_that_did_not_ask_for_it() {
    let red = Claim { tlp: Some(Tlp::Red), ..claim(OTHER_C2, "Calypso") };
    let mut world = contact(&[]).claims([claim(C2, "RedFoxtrot"), red]);
    let hunt = world.hunt();
    assert_eq!((hunt.not_seen.len(), hunt.marking.tlp), (0, None));
    world.request.cluster = Some(ClusterId::of_name("Calypso"));
    let hunt = world.hunt();
    assert_eq!((hunt.not_seen.len(), hunt.marking.tlp), (1, Some(Tlp::Red)));
}

#[test]
fn a_day_in_a_hole_is_no_day_of_a_series() {
    use rahdar_hunt::holes::ledgers;
    use rahdar_hunt::watch::is_holed;
    use rahdar_model::FlowStore;

    let coverage = rahdar_testkit::NaiveStore::of(lively("r1", &[37, 38])).coverage(Window::ALL).unwrap();
    let ledgers = ledgers(&coverage);
    let exporters = std::collections::BTreeSet::from(["r1"]);
    let holed: Vec<i32> = (30..45).filter(|day| is_holed(noon(*day).day(), &exporters, &ledgers)).collect();
    assert_eq!(holed, [37, 38]);
    assert_eq!(noon(38).since(noon(37)), DAY_US);
}
