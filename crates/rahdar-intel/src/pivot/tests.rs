//! Known answers, and laws of the score.

use proptest::prelude::*;
use rahdar_model::intelligence::{Cluster, ClusterId};
use rahdar_model::{Address, Day, Timestamp, Window};

use super::link::{LINK_DB, Link, ONE_GROUP_DB, overlap};
use super::linkage::link;
use super::propose::proposals;
use super::rarity::{Telling, World, decibans};
use super::traits::{Kind, Node};
use super::{Candidate, pivot};
use crate::assertion::Statement;
use crate::pdns::Record;
use crate::reading::ReadOptions;

fn days(from: i32, until: i32) -> Window {
    Window::new(Day(from).start(), Day(until).start())
}

fn host(n: u32) -> Node {
    Node::Address(Address::from_bits(0x2001_0db8 << 96 | u128::from(n) << 64 | 1))
}

/// A market of this many hostile hosts that share nothing, to be rare among.
fn market(hosts: u32) -> Telling {
    let mut telling = Telling::default();
    for n in 1_000..1_000 + hosts {
        for kind in [Kind::Certificate, Kind::SshKey, Kind::Jarm, Kind::Registrant] {
            telling.see(&host(n), kind, &format!("own {n}"), days(0, 30), 1.0);
        }
        telling.hostile(&host(n), Some(ClusterId::of_name("others")));
    }
    telling
}

fn share(telling: &mut Telling, nodes: &[u32], kind: Kind, value: &str) {
    for n in nodes {
        telling.see(&host(*n), kind, value, days(0, 30), 1.0);
    }
}

fn number(world: &World, n: u32) -> u32 {
    world.find(&host(n)).unwrap()
}

#[test]
fn known_answers_of_the_formula() {
    let close =
        |db: Option<f64>, known: f64| assert!((db.unwrap() - known).abs() < 0.005, "{db:?}, not {known}");
    // 0.9 · 1000 / 3 = 300.
    close(decibans(Kind::Certificate, 2, 1_000, 2, 1_000), 24.77);
    // Nobody else among a hundred thousand hosts, but one of ten hostile ones: 0.9 · 10 / 2.
    close(decibans(Kind::Certificate, 2, 100_000, 1, 10), 6.53);
    close(decibans(Kind::Certificate, 2, 100_000, 1, 100_000), 30.0);
    close(decibans(Kind::Jarm, 2, 1_000, 2, 1_000), 8.0);
    // 0.3 · 100 / 41, and less than nothing is nothing.
    close(decibans(Kind::Asn, 40, 100, 40, 100), 0.0);
    assert_eq!(decibans(Kind::Certificate, 21, 1_000, 21, 1_000), None);
    assert_eq!(decibans(Kind::SshKey, 21, 1_000, 21, 1_000), None);
    assert_eq!(decibans(Kind::Registrant, 51, 1_000, 51, 1_000), None);
}

#[test]
fn overlap_is_a_share_of_the_shorter_and_ends_after_a_month() {
    let close = |a, b, known: f64| assert!((overlap(a, b) - known).abs() < 1e-9, "{a:?} {b:?}");
    close(days(0, 10), days(0, 100), 1.0);
    close(days(0, 10), days(2, 12), 0.8);
    close(days(0, 10), days(10, 20), 0.5);
    close(days(0, 10), days(25, 30), 0.25);
    close(days(0, 10), days(40, 50), 0.0);
    close(Window::ALL, days(0, 1), 1.0);
}

#[test]
fn a_link_takes_two_groups_and_of_a_group_the_strongest_counts() {
    let mut telling = market(200);
    share(&mut telling, &[1, 2], Kind::Certificate, "cert");
    share(&mut telling, &[1, 2], Kind::Family, "plugx");
    share(&mut telling, &[1, 2], Kind::Asn, "64500");
    share(&mut telling, &[3, 4], Kind::Certificate, "other");
    share(&mut telling, &[3, 4], Kind::SshKey, "key");
    share(&mut telling, &[3, 4], Kind::Jarm, "jarm");
    share(&mut telling, &[3, 4], Kind::Ja4s, "ja4s");
    share(&mut telling, &[5, 6], Kind::Family, "plugx");
    let world = telling.world();
    let db = |a, b| Link::between(&world, number(&world, a), number(&world, b)).db();
    assert_eq!(db(1, 2), ONE_GROUP_DB, "where it stands and what it runs carry nothing");
    let cert = decibans(Kind::Certificate, 2, 204, 0, 200).unwrap();
    let key = decibans(Kind::SshKey, 2, 202, 0, 200).unwrap();
    assert!((db(3, 4) - cert - key - 8.0).abs() < 1e-9, "{}", db(3, 4));
    assert_eq!(db(5, 6), 0.0);
}

#[test]
fn parking_and_shared_hosts_link_nothing() {
    let mut telling = market(200);
    let address = |n| match host(n) {
        Node::Address(address) => address,
        Node::Domain(_) => unreachable!("hosts are addresses"),
    };
    let record = |name: String, n: u32| Record {
        name,
        address: address(n),
        first: Day(0).start(),
        last: Day(30).start(),
        count: None,
        source: "pdns".into(),
        place: String::new(),
    };
    let mut records: Vec<Record> = (0..11).map(|n| record(format!("c{n}.d{n}.example"), 1)).collect();
    records.extend([record("a.one.example".to_owned(), 2), record("a.one.example".to_owned(), 3)]);
    records.extend((1_000..1_100).map(|n| record(format!("a.d{n}.example"), n)));
    telling.resolutions(&records, Timestamp::MAX);
    let world = telling.world();
    assert!(world.is_hub(number(&world, 1)));
    assert!(world.find(&Node::parse("c0.d0.example").unwrap()).is_none());
    let link = Link::between(&world, number(&world, 2), number(&world, 3));
    assert_eq!(link.shared.len(), 1, "{link:?}");
}

/// A cluster of two hosts; a third that shares two rare traits with both; a fourth that shares a certificate with one
/// of them, and a fingerprint with both.
fn around() -> World {
    let mut telling = market(300);
    share(&mut telling, &[1, 2, 3], Kind::Certificate, "cert");
    share(&mut telling, &[1, 2, 3], Kind::SshKey, "key");
    share(&mut telling, &[1, 4], Kind::Certificate, "default");
    share(&mut telling, &[1, 2, 4], Kind::Jarm, "kit");
    telling.hostile(&host(1), Some(ClusterId::of_name("Example Group")));
    telling.hostile(&host(2), Some(ClusterId::of_name("Example Group")));
    telling.world()
}

fn found(world: &World, least_db: f64) -> Vec<Candidate> {
    pivot(world, &world.members(&ClusterId::of_name("Example Group")), least_db).candidates
}

#[test]
fn a_candidate_tells_why_and_what_one_group_carries_is_no_link() {
    let world = around();
    let candidates = found(&world, 0.0);
    let nodes: Vec<&Node> = candidates.iter().map(|candidate| &candidate.node).collect();
    assert_eq!(nodes, [&host(3), &host(4)]);
    assert!(candidates[0].is_linked() && candidates[0].steps == 1);
    let told = candidates[0].reasons[0].to_string();
    assert!(told.starts_with("certificate `cert` (") && told.contains("on 3 of 304 nodes"), "{told}");
    assert!(told.contains("and 1 more, seen from 1970-01-01 until 1970-01-31"), "{told}");
    // A certificate and the fingerprint of its kit are one reason.
    assert!(candidates[1].score_db <= ONE_GROUP_DB && !candidates[1].is_linked());
    assert_eq!(found(&world, LINK_DB).len(), 1);
}

#[test]
fn a_candidate_is_proposed_once_as_a_claim() {
    let world = around();
    let clusters = [Cluster {
        id: ClusterId::of_name("Example Group"),
        name: "Example Group".to_owned(),
        named: true,
        tools: Vec::new(),
    }];
    let pivot = pivot(&world, &world.members(&clusters[0].id), 15.0);
    let proposed = proposals(&world, &pivot, &clusters, &[]);
    assert_eq!(proposed.len(), 1);
    let Statement::Claim(claim) = &proposed[0].statement else { panic!("{proposed:?}") };
    assert_eq!(
        (claim.indicator.to_string(), claim.cluster.as_ref()),
        (host(3).to_string(), Some(&clusters[0].id))
    );
    assert_eq!(claim.validity, days(0, 30));
    let kept =
        crate::book::Kept { id: 1, file: String::new(), proposal: proposed[0].clone(), accepted: None };
    assert_eq!(proposals(&world, &pivot, &clusters, &[kept]), []);
}

#[test]
fn two_clusters_that_share_rare_traits_overlap_and_one_that_falls_apart_has_parts() {
    let mut telling = market(300);
    let ours = ClusterId::of_name("A");
    share(&mut telling, &[1, 2, 3], Kind::Certificate, "cert");
    share(&mut telling, &[1, 2, 3], Kind::SshKey, "key");
    share(&mut telling, &[5, 6], Kind::Certificate, "cert 2");
    share(&mut telling, &[5, 6], Kind::SshKey, "key 2");
    for n in [1, 2, 5, 6] {
        telling.hostile(&host(n), Some(ours.clone()));
    }
    telling.hostile(&host(3), Some(ClusterId::of_name("B")));
    let world = telling.world();
    let pivot = pivot(&world, &world.members(&ours), 15.0);
    let told: Vec<String> = proposals(&world, &pivot, &[], &[])
        .iter()
        .map(|proposal| match &proposal.statement {
            Statement::Assertion(said) => {
                format!("{} {} {}", said.subject, said.relation.word(), said.object)
            }
            Statement::Claim(claim) => claim.indicator.to_string(),
        })
        .collect();
    assert_eq!(told, ["a overlaps b", &format!("a at {} part of a", host(5))]);
}

#[test]
fn two_steps_and_no_third() {
    let mut telling = market(1_000);
    for n in 1..=4 {
        share(&mut telling, &[n, n + 1], Kind::Certificate, &format!("cert {n}"));
        share(&mut telling, &[n, n + 1], Kind::SshKey, &format!("key {n}"));
    }
    telling.hostile(&host(1), Some(ClusterId::of_name("Example Group")));
    let world = telling.world();
    let steps: Vec<(Node, u8)> = found(&world, 15.0).into_iter().map(|one| (one.node, one.steps)).collect();
    assert_eq!(steps, [(host(2), 1), (host(3), 2)]);
}

#[test]
fn what_the_book_holds_becomes_a_world_cut_at_a_time() {
    let scan = |n: u32, day: &str| {
        format!(
            r#"{{"ip_str":"192.0.2.{n}","port":443,"transport":"tcp","timestamp":"{day}T01:02:03","ssl":{{"jarm":"ab","cert":{{"fingerprint":{{"sha256":"CAFE"}}}}}},"asn":"AS64500"}}"#
        )
    };
    let text = [scan(1, "2021-05-10"), scan(2, "2021-06-10"), scan(1, "2021-05-12")].join("\n");
    let reading = crate::read("scan.json", text.as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(reading.traits.len(), 6);
    assert_eq!(format!("{:?}", reading.traits[0].seen), "[2021-05-10T00:00:00Z, 2021-05-13T00:00:00Z)");
    let book = crate::index::Snapshot::default();
    let world = |at: &str| World::of_book(&book, &reading.traits, &[], at.parse().unwrap());
    let later = |at: &str| world(at).find(&Node::parse("192.0.2.2").unwrap()).is_some();
    assert!(later("2021-07-01") && !later("2021-06-01"));
}

/// Traits of twelve hosts: host, kind, value, first day.
fn told() -> impl Strategy<Value = Vec<(u32, usize, u8, i32)>> {
    prop::collection::vec((0u32..12, 0usize..Kind::ALL.len(), 0u8..4, 0i32..60), 1..80)
}

fn telling(told: &[(u32, usize, u8, i32)]) -> Telling {
    let mut telling = market(100);
    for (n, kind, value, day) in told {
        telling.see(&host(*n), Kind::ALL[*kind], &value.to_string(), days(*day, day + 20), 1.0);
    }
    telling
}

proptest! {
    #[test]
    fn a_score_is_the_same_from_both_sides_and_in_any_order(told in told(), turn in 0usize..80) {
        let world = telling(&told).world();
        let mut turned = told.clone();
        turned.rotate_left(turn % told.len());
        turned.reverse();
        let other = telling(&turned).world();
        let nodes: Vec<u32> = (0..12).filter_map(|n| world.find(&host(n))).collect();
        for a in &nodes {
            for b in &nodes {
                let link = Link::between(&world, *a, *b);
                prop_assert_eq!(&link, &Link::between(&world, *b, *a));
                prop_assert_eq!(link.db(), Link::between(&other, *a, *b).db());
                prop_assert!(link.db() >= 0.0);
            }
        }
        prop_assert_eq!(link(&world, &nodes), link(&other, &nodes.iter().rev().copied().collect::<Vec<_>>()));
    }

    #[test]
    fn a_rarer_trait_never_weighs_less(kind in 0usize..Kind::ALL.len(), df in 2usize..60, n in 60usize..100_000) {
        let kind = Kind::ALL[kind];
        let db = |df| decibans(kind, df, n, df, n).unwrap_or(0.0);
        prop_assert!(db(df) >= db(df + 1));
        prop_assert!(decibans(kind, df, n, df, n) <= decibans(kind, df, n + 1, df, n + 1));
    }
}
