//! How far what is told may travel.

use rahdar_intel::assertion::{Assertion, Relation};
use rahdar_model::column::Row as _;
use rahdar_model::fact::{Answer, Resolution};
use rahdar_model::finding::Finding;
use rahdar_model::intelligence::{Claim, Indicator, Tlp};
use rahdar_model::marking::Marking;
use rahdar_testkit::flow;

use crate::world::{C2, OTHER_C2, VICTIM, World, claim, noon, talk};

/// The claim, marked so by a source of that name.
fn marked(tlp: Tlp, source: &str, claim: Claim) -> Claim {
    Claim { tlp: Some(tlp), source: source.into(), ..claim }
}

fn of(finding: &Finding) -> (Option<Tlp>, Vec<&str>) {
    told(&finding.marking)
}

fn told(marking: &Marking) -> (Option<Tlp>, Vec<&str>) {
    (marking.tlp, marking.sources.iter().map(|source| &**source).collect())
}

fn days() -> impl Iterator<Item = rahdar_testkit::builder::FlowBuilder> {
    (0..5).map(|day| talk(C2, day))
}

#[test]
fn a_finding_is_as_closed_as_the_strictest_claim_on_its_addresses() {
    let red = marked(Tlp::Red, "CERT X", claim(C2, "RedFoxtrot"));
    let open = marked(Tlp::Clear, "a lab", claim(C2, "RedFoxtrot"));
    let world = World::of(days()).claims([open.clone(), red.clone()]);
    assert_eq!(of(&world.finding()), (Some(Tlp::Red), vec!["CERT X"]));
    assert_eq!(told(&world.hunt().marking), (Some(Tlp::Red), vec!["CERT X"]));
    // A claim on an address that nobody met has no part in the finding; of its cluster all is told.
    let elsewhere = marked(Tlp::Red, "CERT X", claim(OTHER_C2, "RedFoxtrot"));
    let world = World::of(days()).claims([open.clone(), elsewhere]);
    assert_eq!(of(&world.finding()), (Some(Tlp::Clear), vec!["a lab"]));
    assert_eq!(told(&world.hunt().marking), (Some(Tlp::Red), vec!["CERT X"]));
    // A claim on behalf of somebody else has none in either.
    let stranger = marked(Tlp::Red, "CERT X", claim("198.51.100.250", "Calypso"));
    let world = World::of(days()).claims([open, stranger]);
    assert_eq!(told(&world.hunt().marking), (Some(Tlp::Clear), vec!["a lab"]));
    assert_eq!(told(&World::of(days()).hunt().marking), (None, vec![]));
}

#[test]
fn what_is_not_believed_is_told_too_and_marked() {
    let knock = flow(&format!("{C2}:6 > {VICTIM}:22")).at_time(noon(3)).sent(1, 60);
    let red = marked(Tlp::Red, "CERT X", claim(C2, "RedFoxtrot"));
    let hunt = World::of([knock]).claims([red]).hunt();
    assert_eq!((hunt.findings.len(), hunt.discounted.len()), (0, 1));
    assert_eq!(told(&hunt.marking), (Some(Tlp::Red), vec!["CERT X"]));
}

#[test]
fn a_name_that_is_told_brings_its_marking() {
    let name = Claim { indicator: Indicator::Domain("c2.example.org".to_owned()), ..claim(C2, "RedFoxtrot") };
    let asked = |answer: &str| Resolution {
        time: noon(0),
        client: VICTIM.parse().unwrap(),
        name: "c2.example.org".to_owned(),
        answer: Answer::Address(answer.parse().unwrap()),
        ttl_s: Some(60),
        ..Resolution::blank()
    };
    let claims = [claim(C2, "RedFoxtrot"), marked(Tlp::AmberStrict, "CERT X", name)];
    let world = World { resolutions: vec![asked(C2)], ..World::of([talk(C2, 0)]).claims(claims.clone()) };
    assert_eq!(of(&world.finding()), (Some(Tlp::AmberStrict), vec!["CERT X"]));
    let world = World { resolutions: vec![asked("192.0.2.250")], ..World::of([]).claims(claims) };
    assert_eq!(of(&world.finding()), (Some(Tlp::AmberStrict), vec!["CERT X"]));
}

#[test]
fn clusters_that_a_finding_mentions_and_malware_bring_theirs() {
    let red = marked(Tlp::Red, "CERT X", claim(OTHER_C2, "Calypso"));
    let both = (0..5).flat_map(|day| [talk(C2, day), talk(OTHER_C2, day)]);
    let hunt = World::of(both).claims([claim(C2, "RedFoxtrot"), red]).hunt();
    assert_eq!(hunt.findings.len(), 2);
    assert!(hunt.findings.iter().all(|finding| of(finding).0 == Some(Tlp::Red)));

    let mut tool = marked(Tlp::Red, "CERT X", claim(OTHER_C2, "RedFoxtrot"));
    tool.tools = vec!["PlugX".to_owned()];
    let world = World::of(days()).claims([claim(C2, "RedFoxtrot"), tool]);
    assert_eq!(of(&world.finding()), (Some(Tlp::Red), vec!["CERT X"]));
}

#[test]
fn who_is_said_to_be_behind_a_cluster_marks_the_hunt() {
    let said = Assertion {
        subject: "RedFoxtrot".to_owned(),
        relation: Relation::SameAs,
        object: "Nomad Panda".to_owned(),
        window: None,
        asserted_by: None,
        source: "CERT X".into(),
        published: None,
        confidence: None,
        tlp: Some(Tlp::Red),
    };
    let hunt = World { assertions: vec![said], ..World::of(days()) }.hunt();
    assert_eq!(told(&hunt.marking), (Some(Tlp::Red), vec!["CERT X"]));
    assert_eq!(of(&hunt.findings[0]), (None, vec![]));
}
