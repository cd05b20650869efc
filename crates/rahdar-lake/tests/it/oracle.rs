//! For any flows, networks and window, the lake answers as nested loops do.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rahdar_lake::{Effort, Lake};
use rahdar_model::fact::Fact;
use rahdar_model::store::{End, Exchange, FlowStore, HandshakesAsked, Input};
use rahdar_model::time::{DAY_US, HOUR_US, Timestamp};
use rahdar_model::{FlowRecord, Prefix, Window};
use rahdar_testkit::{NaiveStore, strategy};

/// Stores `flows` as two inputs in two commits, so that days have more than one file.
fn fill(store: &dyn FlowStore, flows: &[FlowRecord]) {
    for (number, part) in flows.chunks(flows.len().div_ceil(2).max(1)).enumerate() {
        let mut import = store.import().unwrap();
        import.begin(&Input { id: number.to_string(), name: "test".into() }).unwrap();
        for flow in part {
            import.flow(flow).unwrap();
        }
        assert_eq!(import.commit().unwrap().rows, part.len() as u64);
    }
}

/// Sightings in an order of their own; the store's is not defined.
fn sightings(store: &dyn FlowStore, networks: &[Prefix], window: Window) -> Vec<String> {
    let mut sightings = Vec::new();
    store
        .sightings(networks, window, &mut |sighting| {
            let end = if sighting.end == End::Source { "source" } else { "destination" };
            sightings.push(format!("{end} {:?}", sighting.flow));
        })
        .unwrap();
    sightings.sort_unstable();
    sightings
}

/// What hosts exchanged, in the order in which it is told.
fn exchanges(store: &dyn FlowStore, hosts: &[Prefix], window: Window) -> Vec<Exchange> {
    let mut told = Vec::new();
    store.exchanges(hosts, window, &mut |one| told.push(one)).unwrap();
    told
}

/// All that is told of scanners, in the order in which it is told.
fn scans(
    store: &dyn FlowStore,
    networks: &[Prefix],
    window: Window,
    (least, most_sources): (u64, usize),
) -> Vec<String> {
    let mut told = Vec::new();
    store.fan_outs(networks, window, least, &mut |one| told.push(format!("{one:?}"))).unwrap();
    store.port_sweeps(networks, window, least, &mut |one| told.push(format!("{one:?}"))).unwrap();
    let mut visit = |one| told.push(format!("{one:?}"));
    let left_out = store.first_contacts(networks, window, least, most_sources, &mut visit).unwrap();
    told.push(format!("{left_out} callers are left out"));
    let exporters = ["r1", "it's"];
    let mut visit = |one| told.push(format!("{one:?}"));
    let left_out =
        store.unasked_replies(networks, &exporters, window, least, most_sources, &mut visit).unwrap();
    told.push(format!("{left_out} repliers are left out"));
    told
}

proptest! {
    // Few lakes and many questions: a lake costs syncs, a question does not.
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn the_lake_answers_as_the_naive_store_does(
        flows in strategy::flows(50),
        questions in vec(
            (strategy::networks(6), strategy::network(), strategy::address(), strategy::window()),
            5,
        ),
        bin_us in select(vec![HOUR_US, DAY_US, 7, i64::MAX]),
        least in 0_u64..3,
        most_sources in 0_usize..4,
        is_merged in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (naive, lake) = (NaiveStore::new(), Lake::open(folder.path()).unwrap());
        fill(&naive, &flows);
        fill(&lake, &flows);
        prop_assert_eq!(lake.version().unwrap(), naive.version().unwrap());
        // Merged or not, the answers are the same (`docs/reliability.md` R12).
        if is_merged {
            lake.compact(Timestamp::from_micros(0), Effort::WHOLE).unwrap();
            lake.vacuum(Timestamp::MAX).unwrap();
        }
        for (networks, key, address, window) in questions {
            let pair = (key, Prefix::host(address));
            prop_assert_eq!(lake.count(window).unwrap(), naive.count(window).unwrap());
            prop_assert_eq!(sightings(&lake, &networks, window), sightings(&naive, &networks, window));
            prop_assert_eq!(lake.contacts(pair, window).unwrap(), naive.contacts(pair, window).unwrap());
            prop_assert_eq!(
                lake.volumes(key, window, bin_us).unwrap(),
                naive.volumes(key, window, bin_us).unwrap()
            );
            prop_assert_eq!(exchanges(&lake, &networks, window), exchanges(&naive, &networks, window));
            prop_assert_eq!(lake.coverage(window).unwrap(), naive.coverage(window).unwrap());
            prop_assert_eq!(lake.coverage_hours(window).unwrap(), naive.coverage_hours(window).unwrap());
            let sources = [address, key.first()];
            prop_assert_eq!(lake.services(&sources, window).unwrap(), naive.services(&sources, window).unwrap());
            prop_assert_eq!(
                scans(&lake, &networks, window, (least, most_sources)),
                scans(&naive, &networks, window, (least, most_sources))
            );
            prop_assert_eq!(
                lake.active_hosts(&networks, window).unwrap(),
                naive.active_hosts(&networks, window).unwrap()
            );
        }
    }

    #[test]
    fn the_lake_tells_facts_as_the_naive_store_does(
        resolutions in vec(strategy::resolution(), 0..20),
        handshakes in vec(strategy::handshake(), 0..20),
        gaps in vec(strategy::gap(), 0..20),
        questions in vec(
            (
                vec(strategy::name(), 0..3),
                vec(strategy::certificate().prop_filter("a hash", |text| !text.is_empty()), 0..2),
                strategy::networks(4),
                strategy::window(),
            ),
            5,
        ),
        is_merged in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (naive, lake) = (NaiveStore::new(), Lake::open(folder.path()).unwrap());
        for store in [&naive as &dyn FlowStore, &lake] {
            for number in 0..2 {
                let is_of = |n: usize| n % 2 == number;
                let mut import = store.import().unwrap();
                import.begin(&Input { id: number.to_string(), name: "test".into() }).unwrap();
                for (_, resolution) in resolutions.iter().enumerate().filter(|(n, _)| is_of(*n)) {
                    import.fact(Fact::Resolution(resolution)).unwrap();
                }
                for (_, handshake) in handshakes.iter().enumerate().filter(|(n, _)| is_of(*n)) {
                    import.fact(Fact::Handshake(handshake)).unwrap();
                }
                for (_, gap) in gaps.iter().enumerate().filter(|(n, _)| is_of(*n)) {
                    import.fact(Fact::Gap(gap)).unwrap();
                }
                import.commit().unwrap();
            }
        }
        if is_merged {
            lake.compact(Timestamp::from_micros(0), Effort::WHOLE).unwrap();
        }
        for (names, certificates, networks, window) in questions {
            let told = |store: &dyn FlowStore| {
                let mut told = Vec::new();
                store.resolutions(&names, &networks, window, &mut |one| told.push(format!("{one:?}"))).unwrap();
                let asked = HandshakesAsked { names: &names, networks: &networks, certificates: &certificates };
                store.handshakes(&asked, window, &mut |one| told.push(format!("{one:?}"))).unwrap();
                told.sort_unstable();
                (told, store.gaps(window).unwrap())
            };
            prop_assert_eq!(told(&lake), told(&naive));
            prop_assert_eq!(lake.coverage(window).unwrap(), naive.coverage(window).unwrap());
            prop_assert_eq!(lake.coverage_hours(window).unwrap(), naive.coverage_hours(window).unwrap());
        }
    }
}
