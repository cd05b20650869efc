//! What a snapshot answers, and that its index answers as a plain map does.

use std::sync::Arc;

use rahdar_model::intelligence::{HashKind, HostClass, WindowBasis};
use rahdar_model::{Day, Window};

use proptest::prelude::*;

use super::*;
use crate::age::ReportKind;

fn claim(indicator: Indicator, place: &str) -> Claim {
    Claim {
        indicator,
        port: None,
        protocol: None,
        validity: Window::ALL,
        basis: WindowBasis::Undated,
        cluster: None,
        tools: Vec::new(),
        source: "a report".into(),
        place: place.to_owned(),
        published: None,
        confidence: None,
        tlp: None,
        revoked: false,
    }
}

fn on(network: &str, place: &str) -> Claim {
    claim(Indicator::Network(network.parse().unwrap()), place)
}

fn snapshot(claims: Vec<Claim>) -> Snapshot {
    Snapshot::new(1, claims, Vec::new(), Vec::new())
}

fn check_address(claims: Vec<Claim>, address: &str, places: &[&str]) {
    let snapshot = snapshot(claims);
    let found: Vec<_> = snapshot.claims_on(address.parse().unwrap()).map(|c| &*c.place).collect();
    assert_eq!(found, places, "{address}");
}

#[test]
fn every_nested_network_answers_the_narrowest_first() {
    let claims = || vec![on("192.0.2.0/24", "wide"), on("192.0.2.7", "host"), on("192.0.2.0/28", "narrow")];
    check_address(claims(), "192.0.2.7", &["host", "narrow", "wide"]);
    check_address(claims(), "192.0.2.16", &["wide"]);
    check_address(claims(), "192.0.3.7", &[]);
    check_address(vec![on("2001:db8::/32", "v6")], "2001:db8::1", &["v6"]);
}

#[test]
fn many_dated_claims_on_one_address_stand_side_by_side_in_order_of_time() {
    let mut late = on("192.0.2.7", "late");
    late.validity = Day(100).window();
    let mut early = on("192.0.2.7", "early");
    early.validity = Day(1).window();
    check_address(vec![late, early], "192.0.2.7", &["early", "late"]);
}

#[test]
fn a_revoked_claim_answers_no_lookup_but_stays_in_the_book() {
    let mut gone = on("192.0.2.7", "line 1");
    gone.revoked = true;
    check_address(vec![gone.clone()], "192.0.2.7", &[]);
    assert_eq!(snapshot(vec![gone]).claims().len(), 1);
}

#[test]
fn the_newest_version_of_a_stix_object_speaks_for_it_whatever_came_first() {
    let version =
        |network: &str, day: i32| Claim { published: Some(Day(day).start()), ..on(network, "indicator--1") };
    let mut revoked = version("192.0.2.7", 3);
    revoked.revoked = true;
    check_address(vec![version("192.0.2.7", 2), version("192.0.2.7", 1)], "192.0.2.7", &["indicator--1"]);
    check_address(vec![version("192.0.2.7", 1), version("192.0.2.8", 2)], "192.0.2.7", &[]);
    check_address(vec![revoked, version("192.0.2.7", 1)], "192.0.2.7", &[]);
}

#[test]
fn names_are_found_by_themselves_their_parents_and_the_host_of_a_url() {
    let domain = |name: &str| claim(Indicator::Domain(name.to_owned()), name);
    let url = claim(Indicator::Url("http://c2.example.org:8080/x".to_owned()), "url");
    let hash = claim(Indicator::Hash(HashKind::Md5, "0".repeat(32)), "hash");
    let book =
        snapshot(vec![domain("example.org"), domain("c2.example.org"), domain("duckdns.org"), url, hash]);
    let check = |name: &str, places: &[&str]| {
        let found: Vec<_> = book.claims_naming(name).iter().map(|c| c.place.as_str()).collect();
        assert_eq!(found, places, "{name}");
    };
    check("C2.Example.ORG.", &["c2.example.org", "url", "example.org"]);
    check("http://c2.example.org:8080/x", &["url", "c2.example.org", "example.org"]);
    check("www.example.org", &["example.org"]);
    check("duckdns.org", &["duckdns.org"]);
    check("someone.duckdns.org", &[]);
    check(&"0".repeat(32), &["hash"]);
    check("example.net", &[]);
}

#[test]
fn clusters_of_one_id_are_one() {
    let cluster = |name: &str, named, tools: &[&str]| Cluster {
        id: ClusterId::of_name(name),
        name: name.to_owned(),
        named,
        tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
    };
    let clusters =
        vec![cluster("redfoxtrot", false, &["PlugX"]), cluster("RedFoxtrot", true, &["Icefog", "PlugX"])];
    let snapshot = Snapshot::new(1, Vec::new(), clusters, Vec::new());
    let known: Vec<_> = snapshot.clusters().cloned().collect();
    assert_eq!(known, [cluster("RedFoxtrot", true, &["Icefog", "PlugX"])]);
    assert!(snapshot.cluster(&ClusterId::of_name("RedFoxtrot")).is_some());
}

#[test]
fn reports_move_the_priority_of_a_claim_and_no_answer_about_history() {
    let held = Claim { validity: Window::new(Day(0).start(), Day(30).start()), ..on("192.0.2.7", "line 1") };
    let report = |kind| Report {
        indicator: held.indicator.clone(),
        kind,
        at: Day(40).start(),
        source: "another".into(),
    };
    let reports = vec![report(ReportKind::FalsePositive), report(ReportKind::Expiration)];
    let (without, with) = (snapshot(vec![held.clone()]), snapshot(vec![held.clone()]).with_reports(reports));
    let address = "192.0.2.7".parse().unwrap();
    let told = |book: &Snapshot| -> Vec<Claim> { book.claims_on(address).cloned().collect() };
    assert_eq!(told(&without), told(&with));
    assert_eq!(without.networks(), with.networks());
    let priority = |book: &Snapshot, day| book.priority(&held, Day(day).start());
    assert_eq!((priority(&without, 60), priority(&with, 60)), (Some(40.0), Some(0.0)));
    assert_eq!(priority(&without, 35), priority(&with, 35));
}

#[test]
fn facts_hold_in_their_window_only() {
    let fact = HostFact {
        network: "192.0.2.0/24".parse().unwrap(),
        class: HostClass::Pool,
        validity: Day(5).window(),
        source: Arc::from("a list"),
    };
    let snapshot = Snapshot::new(1, Vec::new(), Vec::new(), vec![fact]);
    let at = |day: i32| snapshot.facts_on("192.0.2.9".parse().unwrap(), Day(day).start()).count();
    assert_eq!((at(4), at(5), at(6)), (0, 1, 0));
}

#[test]
fn a_sweep_looks_for_each_network_once() {
    let claims = vec![on("192.0.2.7", "a"), on("198.51.100.0/24", "b"), on("192.0.2.7", "c")];
    let networks: Vec<_> = snapshot(claims).networks().iter().map(Prefix::to_string).collect();
    assert_eq!(networks, ["192.0.2.7", "198.51.100.0/24"]);
}

/// What is claimed in the model: a network and days.
type Said = (Prefix, i32, i32);

/// Addresses and networks that meet each other all the time, of both families.
fn any_prefix() -> impl Strategy<Value = Prefix> {
    let v4 = (0..2_u32, 0..3_u32, 0..4_u32, 16..=32_u8).prop_map(|(a, b, c, bits)| {
        (Address::from_v4_bits(0xc000_0200 + (a << 16) + (b << 8) + c), 96 + bits)
    });
    let v6 = (0..3_u128, 0..3_u128, 24..=128_u8)
        .prop_map(|(a, b, bits)| (Address::from_bits(0x2001_0db8 << 96 | a << 64 | b), bits));
    prop_oneof![4 => v4.clone().prop_map(|(address, _)| (address, 128)), 3 => v4, 2 => v6]
        .prop_map(|(address, bits)| Prefix::new(address, bits))
}

#[derive(Debug, Clone)]
enum Step {
    Add(Said),
    Remove(usize),
    Ask(Address),
}

fn any_step() -> impl Strategy<Value = Step> {
    let said = (any_prefix(), 0..20_i32, 1..20_i32);
    prop_oneof![
        3 => said.prop_map(|(prefix, from, days)| Step::Add((prefix, from, from + days))),
        1 => any::<usize>().prop_map(Step::Remove),
        4 => any_prefix().prop_map(|prefix| Step::Ask(prefix.last())),
        4 => any_prefix().prop_map(|prefix| Step::Ask(prefix.first())),
    ]
}

/// Claims as they stand in the model: by the order in which a lookup tells them.
fn model_answer(model: &BTreeMap<usize, Said>, address: Address) -> Vec<String> {
    let mut met: Vec<_> = model.iter().filter(|(_, (prefix, ..))| prefix.contains(address)).collect();
    met.sort_by_key(|(id, (prefix, from, until))| (std::cmp::Reverse(prefix.bits()), *from, *until, **id));
    met.into_iter().map(|(id, _)| id.to_string()).collect()
}

proptest! {
    /// Each change makes a new version; every answer is that of a plain map, in the whole book and in
    /// one that holds no more than the keys of what is asked (`methods.md` §10.2).
    #[test]
    fn versions_answer_as_a_plain_map_does(steps in proptest::collection::vec(any_step(), 1..60)) {
        let live = Live::default();
        let mut model: BTreeMap<usize, Said> = BTreeMap::new();
        let claims = |model: &BTreeMap<usize, Said>| -> Vec<Claim> {
            let claim = |(id, (prefix, from, until)): (&usize, &Said)| Claim {
                validity: Window::new(Day(*from).start(), Day(*until).start()),
                ..claim(Indicator::Network(*prefix), &id.to_string())
            };
            model.iter().map(claim).collect()
        };
        let told = |book: &Snapshot, address| -> Vec<String> {
            book.claims_on(address).map(|claim| claim.place.clone()).collect()
        };
        for (version, step) in (1..).zip(steps) {
            match step {
                Step::Add(said) => {
                    model.insert(version as usize, said);
                }
                Step::Remove(nth) => {
                    let id = model.keys().nth(nth % model.len().max(1)).copied();
                    id.map(|id| model.remove(&id));
                }
                Step::Ask(address) => {
                    let expected = model_answer(&model, address);
                    prop_assert_eq!(&told(&live.get(), address), &expected);
                    let keys = Subject::Address(address).keys();
                    let mut some = claims(&model);
                    some.retain(|claim| keys.contains(&claim.indicator.to_string()));
                    prop_assert_eq!(told(&snapshot(some), address), expected);
                    continue;
                }
            }
            live.replace(Snapshot::new(version, claims(&model), Vec::new(), Vec::new()));
            let networks: std::collections::BTreeSet<_> = model.values().map(|said| said.0).collect();
            prop_assert_eq!(live.get().networks(), networks.into_iter().collect::<Vec<_>>());
        }
    }

    /// Names are found under themselves and the names above, none by chance, none above the guard.
    #[test]
    fn names_answer_as_a_plain_list_does(
        known in proptest::collection::vec("([ab]\\.){0,3}(example\\.org|duckdns\\.org|co\\.uk)", 0..20),
        asked in "([ab]\\.){0,4}(example\\.org|duckdns\\.org|co\\.uk)",
    ) {
        let claims = known.iter().map(|name| claim(Indicator::Domain(name.clone()), name)).collect();
        let book = snapshot(claims);
        let mut expected = Vec::new();
        let registrable = psl::domain_str(&asked).map_or(usize::MAX, str::len);
        for name in std::iter::successors(Some(&*asked), |name| Some(name.split_once('.')?.1)) {
            if name == asked || name.len() >= registrable {
                expected.extend(known.iter().filter(|known| *known == name));
            }
        }
        let found: Vec<&String> = book.claims_naming(&asked).iter().map(|claim| &claim.place).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn lookups_go_on_while_versions_are_replaced() {
    // Every claim of a version names it, so that a mixture would show.
    let version = |n: u64| {
        let claims = (0..200).map(|i| on(&format!("10.0.{}.7", i % 100), &n.to_string())).collect();
        Snapshot::new(n, claims, Vec::new(), Vec::new())
    };
    let live = Live::new(version(1));
    let first = live.get();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ask = || {
            let (mut seen, mut last) = (0, false);
            while !last {
                last = is_over.load(std::sync::atomic::Ordering::Acquire);
                let book = live.get();
                let told: Vec<_> =
                    book.claims_on("10.0.42.7".parse().unwrap()).map(|claim| claim.place.as_str()).collect();
                assert_eq!(told, [book.version().to_string(), book.version().to_string()]);
                assert!(seen <= book.version(), "an older version came after a newer one");
                seen = book.version();
            }
            assert_eq!(seen, 100, "the last version is seen");
        };
        let readers = [scope.spawn(ask), scope.spawn(ask)];
        (2..=100).for_each(|n| live.replace(version(n)));
        is_over.store(true, std::sync::atomic::Ordering::Release);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    live.replace(version(50));
    assert_eq!(live.get().version(), 100, "an older version takes no one's place");
    assert_eq!(first.version(), 1, "who holds a version keeps it");
}
