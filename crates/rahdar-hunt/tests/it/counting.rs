//! What is counted once, what is not counted at all, and what bounds hold.

use proptest::collection::vec;
use proptest::prelude::*;
use rahdar_model::finding::{Attempts, Finding, Verdict};
use rahdar_model::flow::{Initiator, tcp};
use rahdar_model::intelligence::Claim;
use rahdar_model::time::SECOND_US;
use rahdar_model::{FlowRecord, Quality, Window};
use rahdar_testkit::builder::FlowBuilder;
use rahdar_testkit::{flow, strategy};

use crate::world::{C2, TALK, VICTIM, World, call, claim, noon, talk};

/// One piece of an upload on the n-th day: its `n`th minute, as an active timeout of a minute cuts it.
fn piece(day: i32, minute: i64, packets: u64) -> FlowBuilder {
    let start = noon(day).plus_micros(minute * 60 * SECOND_US);
    talk(C2, day).at_time(start).lasting_s(60).sent(packets, packets * 1_400)
}

/// All that is told in figures.
fn figures(finding: &Finding) -> impl PartialEq + std::fmt::Debug + use<> {
    let judged = (finding.verdict, finding.confidence, finding.first_seen, finding.last_seen);
    let octets = (finding.octets_out, finding.octets_in, finding.upload.clone(), finding.daily.clone());
    (judged, octets, finding.flows, finding.attempts, finding.rhythm.clone(), finding.infrastructure.clone())
}

fn lively(flows: impl IntoIterator<Item = FlowBuilder>) -> World {
    let alive = (0..40).flat_map(|day| (0..24).map(move |hour| (day, hour)));
    let alive = alive.map(|(day, hour): (i32, i64)| {
        flow("203.0.113.9:1 > 198.51.100.1:2").at_time(noon(day).plus_micros((hour - 12) * 3_600 * SECOND_US))
    });
    World::of(flows).flows(alive)
}

#[test]
fn a_log_beside_its_labelled_copy_is_counted_once() {
    let log = |name: &'static str| {
        (0..5).map(move |day| talk(C2, day).uid(&format!("C{day}")).from(name, 9 + day as u64))
    };
    let once = World::of(log("conn.log")).finding();
    let twice = World::of(log("conn.log").chain(log("conn.log.labeled"))).finding();
    assert_eq!(figures(&twice), figures(&once));
    assert_eq!((once.repeated, twice.repeated), (0, 5));
    let why = "5 flow records not counted: another input of the same exporter holds the same";
    assert!(twice.reasons.iter().any(|reason| reason.text == why), "{:#?}", twice.reasons);
}

#[test]
fn a_log_that_grew_and_was_imported_again_is_counted_once() {
    let log = |days: i32| (0..days).map(|day| talk(C2, day).from("cur.log", day as u64));
    assert_eq!(figures(&World::of(log(3).chain(log(5))).finding()), figures(&World::of(log(5)).finding()));
}

/// A connection held from noon of the first day, a record of a minute in every ten, for so many days.
fn held(days: i64) -> impl Iterator<Item = FlowBuilder> {
    let at = |n: i64| noon(0).plus_micros(n * 600 * SECOND_US);
    (0..days * 144).map(move |n| {
        let own = if n == 0 { TALK & !tcp::FIN } else { tcp::ACK | tcp::PSH };
        let record = talk(C2, 0).at_time(at(n)).lasting_s(60).flags(own).answer_flags(own);
        record.from("test", n as u64)
    })
}

#[test]
fn a_connection_held_for_weeks_is_one_contact_on_many_days() {
    let finding = lively(held(30)).finding();
    let says = |text: &str| finding.reasons.iter().any(|reason| reason.text == text);
    assert!(says("payload went both ways: 1 session on 31 days"), "{:#?}", finding.reasons);
    assert!(says("contact on 31 days"), "{:#?}", finding.reasons);
    assert_eq!(finding.rhythm.period_s, None, "{:?}", finding.rhythm);
    let daily: Vec<u64> = finding.daily.iter().map(|day| day.octets_out.observed).collect();
    assert_eq!((daily.len(), daily[0], daily[1], daily[30]), (31, 72 * 4_000, 144 * 4_000, 72 * 4_000));
    assert_eq!(finding.octets_out.observed, 30 * 144 * 4_000);
}

#[test]
fn what_lies_outside_the_windows_is_told_by_connections() {
    let until = noon(10).day().start();
    let claim = Claim { validity: Window::new(noon(0).day().start(), until), ..claim(C2, "RedFoxtrot") };
    let finding = lively(held(30)).claims([claim]).finding();
    let says = |text: &str| finding.reasons.iter().any(|reason| reason.text == text);
    assert!(says("payload went both ways: 1 session on 11 days"), "{:#?}", finding.reasons);
    assert!(says("1 session outside the windows not counted"), "{:#?}", finding.reasons);
}

#[test]
fn a_call_that_was_denied_without_a_packet_is_the_victims_all_the_same() {
    let denied = |initiator| {
        let call =
            move |day| call(C2, day).sent(0, 0).state("D").opened_by(initiator).from("nsg", day as u64);
        World::of((0..5).map(call)).finding()
    };
    let kinds = |finding: &Finding| finding.reasons.iter().map(|reason| reason.kind).collect::<Vec<_>>();
    let own = denied(Initiator::Source);
    assert!(kinds(&own).contains(&"c2_silent") && !kinds(&own).contains(&"scanner"), "{:#?}", own.reasons);
    assert_eq!(own.witness.why, "no record of contact counts packets");
    assert!(kinds(&denied(Initiator::Destination)).contains(&"scanner"));
}

#[test]
fn two_cuts_of_one_capture_are_two_observers() {
    let upload = |source: &str, seconds: i64, packets: u64| {
        talk(C2, 1).lasting_s(seconds).sent(packets, packets * 1_400).from(source, 1)
    };
    let finding = lively([upload("all.pcap", 100, 1_000), upload("cut.pcap", 50, 500)]).finding();
    let out = finding.octets_out;
    assert_eq!((out.observed, out.low, out.point), (1_400_000, 1.4e6, 1.4e6));
    assert_eq!(out.high, Some(2.1e6), "the two may be two links");
    assert_eq!(finding.upload.payload_low, 1_348_000.0);
}

#[test]
fn what_each_of_two_exporters_alone_saw_is_observed_together() {
    let seen = |days: std::ops::Range<i32>, exporter: &'static str| {
        days.map(move |day| talk(C2, day).sent(100, 140_000).exporter(exporter))
    };
    let finding = World::of(seen(0..10, "a").chain(seen(10..20, "b"))).finding();
    let out = finding.octets_out;
    assert_eq!((out.observed, out.low, out.point), (2_800_000, 2.8e6, 2.8e6));
    assert_eq!(finding.upload.payload_low, 2.8e6 - 20.0 * 100.0 * 52.0);
}

#[test]
fn octets_of_frames_bound_from_both_sides() {
    let out = |mark| lively([talk(C2, 1).sent(100, 150_000).marked(mark)]).finding().octets_out;
    let layer2 = out(Quality::LAYER2_LENGTH);
    assert_eq!((layer2.low, layer2.point, layer2.high), (147_800.0, 148_600.0, Some(148_600.0)));
    let unknown = out(Quality::LAYER_UNKNOWN);
    assert_eq!((unknown.low, unknown.point, unknown.high), (147_800.0, 150_000.0, Some(150_000.0)));
}

#[test]
fn frames_of_samples_are_bounded_likewise() {
    let out = |mark| {
        let days = (0..20).map(|day| talk(C2, day).sent(50, 75_000).sampled(100).marked(mark));
        lively(days).finding().octets_out
    };
    let (bare, framed) = (out(Quality::NONE), out(Quality::LAYER2_LENGTH));
    assert_eq!(framed.point, 20.0 * 50.0 * 1_486.0 * 100.0);
    assert!(framed.low < bare.low && framed.high < bare.high);
    assert!(framed.low > bare.low * 0.98 && framed.high > bare.high.map(|high| high * 0.98));
}

/// A row of Argus with packets of both directions in one number.
fn argus(packets: u64, out: u64, back: u64) -> FlowRecord {
    let mut record = talk(C2, 1).sent(packets, out).marked(Quality::LAYER2_LENGTH).build();
    (record.rev_packets, record.rev_octets) = (None, Some(back));
    record
}

#[test]
fn packets_of_both_directions_in_one_number_leave_every_bound_true() {
    let mut world = lively([]);
    world.flows.push(argus(180, 150_000, 9_000));
    let finding = world.finding();
    assert!(finding.verdict >= Verdict::Possible, "{finding:#?}");
    assert!(finding.reasons.iter().any(|reason| reason.text.starts_with("payload went both ways")));
    for (of, truth) in [(finding.octets_out, 148_600.0), (finding.octets_in, 7_880.0)] {
        assert!(of.low <= truth && of.high.is_some_and(|high| truth <= high), "{of:?}");
    }
    assert!(finding.upload.payload_low <= 148_600.0 - 100.0 * 52.0);
    assert!(finding.upload.payload_low > 100_000.0);
}

#[test]
fn what_a_firewall_refused_did_not_leave() {
    for state in ["REJECT", "D", "D B", "denied"] {
        let refused = (0..20)
            .map(|day| call(C2, day).sent(20, 30_000).answered(0, 0).state(state).from("aws", day as u64));
        let finding = lively(refused).finding();
        let out = finding.octets_out;
        assert_eq!((out.observed, out.low, out.point, out.high), (0, 0.0, 0.0, Some(0.0)), "{state}");
        assert_eq!((finding.upload.payload_low, finding.upload.balance), (0.0, None));
        assert_eq!(finding.attempts, Attempts { flows: 20, octets: 600_000 });
        assert!(finding.reasons.iter().all(|reason| reason.kind != "asymmetry"));
        assert!(finding.reasons.iter().any(|reason| reason.kind == "c2_silent"), "{:#?}", finding.reasons);
    }
}

#[test]
fn what_was_refused_beside_what_was_not_counts_alone() {
    let refused = (0..5).map(|day| call(C2, day).sent(20, 30_000).state("REJECT").from("nacl", day as u64));
    let finding = World::of((0..5).map(|day| talk(C2, day)).chain(refused)).finding();
    assert_eq!((finding.octets_out.low, finding.octets_out.observed), (20_000.0, 20_000));
    assert_eq!(finding.attempts, Attempts { flows: 5, octets: 150_000 });
}

#[test]
fn openings_that_nobody_answered_left_nothing() {
    let syn = |day: i32| call(C2, day).sent(2, 120).flags(tcp::SYN);
    let finding = lively((0..30).map(syn)).finding();
    assert_eq!((finding.octets_out.low, finding.octets_out.high), (0.0, Some(0.0)));
    assert_eq!(finding.attempts, Attempts { flows: 30, octets: 3_600 });
    let why =
        "30 flow records refused or not answered; the 3600 octets of these calls are not counted as sent";
    assert!(finding.reasons.iter().any(|reason| reason.text == why), "{:#?}", finding.reasons);
    let both = World::of((0..30).map(syn).chain([talk(C2, 31)])).finding();
    assert_eq!((both.octets_out.low, both.attempts.flows), (4_000.0, 30));
}

#[test]
fn an_opening_in_a_sample_of_a_talk_counts_and_datagrams_need_no_answer() {
    let syn = (0..3).map(|day| call(C2, day).sent(1, 60).flags(tcp::SYN).sampled(100));
    let back = (3..20).map(|day| talk(C2, day).sampled(100));
    let finding = World::of(syn.chain(back)).finding();
    assert_eq!(finding.attempts, Attempts::default());
    let datagrams = World::of((0..3).map(|day| call(C2, day).udp().sent(100, 140_000))).finding();
    assert_eq!(datagrams.octets_out.low, 420_000.0);
}

#[test]
fn a_caller_to_whom_much_left_is_no_scanner() {
    let called = |day: i32, octets: u64| {
        let port = 50_000 + day;
        let flow = flow(&format!("{C2}:{port} > {VICTIM}:443")).at_time(noon(day)).lasting_s(30);
        flow.sent(10_000, 520_000).answered(70_000, octets).flags(0x1b).answer_flags(0x1b)
    };
    let scan = |host: u32| {
        let ends = format!("{C2}:{} > 203.0.113.{}:22", 40_000 + host, 100 + host);
        flow(&ends).at_time(noon(0)).sent(1, 44).flags(tcp::SYN)
    };
    let finding = |octets: u64| {
        let hunt = World::of((0..5).map(|day| called(day, octets)).chain((0..100).map(scan))).hunt();
        let mut all = hunt.findings.into_iter().chain(hunt.discounted);
        all.find(|finding| finding.victim.address.to_string() == VICTIM).unwrap()
    };
    let is_scanned = |finding: &Finding| finding.reasons.iter().any(|reason| reason.kind == "scanner");
    assert!(is_scanned(&finding(180_000)));
    assert!(!is_scanned(&finding(20_600_000)));
}

/// Pieces of uploads, by day and minute; each with its number of packets.
fn pieces() -> impl Strategy<Value = Vec<(i32, i64, u64)>> {
    let day = (0..20_i32, vec(1_u64..1_000, 1..6));
    vec(day, 1..6).prop_map(|days| {
        let days: std::collections::BTreeMap<i32, Vec<u64>> = days.into_iter().collect();
        let of_day = |(day, packets): (i32, Vec<u64>)| {
            (0..).zip(packets).map(move |(minute, packets)| (day, minute, packets))
        };
        days.into_iter().flat_map(of_day).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_input_in_rotated_files_is_the_same_input(pieces in pieces(), minutes in 1_i64..4) {
        let flows = |name: &dyn Fn(i32, i64) -> String| {
            let flow = |(row, (day, minute, packets)): (usize, &(i32, i64, u64))| {
                piece(*day, *minute, *packets).from(&name(*day, *minute), row as u64)
            };
            lively(pieces.iter().enumerate().map(flow)).finding()
        };
        let whole = flows(&|_, _| "conn.log".to_owned());
        let rotated = flows(&|day, minute| format!("conn.{day:02}.{:02}.log", minute / minutes));
        prop_assert_eq!(figures(&rotated), figures(&whole));
        prop_assert_eq!(rotated.repeated, 0);
    }

    #[test]
    fn any_part_imported_again_changes_no_figure(
        pieces in pieces(),
        again in vec((any::<prop::sample::Index>(), 0..4_usize, 0..100_u64), 0..12),
    ) {
        let row = |row: usize, (day, minute, packets): (i32, i64, u64)| {
            piece(day, minute, packets).from("conn.log", row as u64)
        };
        let once: Vec<FlowBuilder> = pieces.iter().enumerate().map(|(n, one)| row(n, *one)).collect();
        let copies: std::collections::BTreeMap<(usize, usize), u64> =
            again.into_iter().map(|(at, input, row)| ((at.index(once.len()), input), row)).collect();
        let copies: Vec<FlowBuilder> = copies
            .into_iter()
            .map(|((at, input), row)| match ["conn.log", "a.log", "conn.log.labeled", "z.log"][input] {
                "conn.log" => once[at].clone(),
                other => once[at].clone().from(other, row),
            })
            .collect();
        let repeated = copies.len() as u64;
        let whole = lively(once.clone()).finding();
        let twice = lively(once.into_iter().chain(copies)).finding();
        prop_assert_eq!(figures(&twice), figures(&whole));
        prop_assert_eq!(twice.repeated, repeated);
    }

    #[test]
    fn whatever_is_imported_again_no_octet_is_added(flows in strategy::flows(16), every in 1_usize..4) {
        let octets = |flows: Vec<FlowRecord>| {
            let mut world = World::of([]).claims([crate::world::claim("192.0.2.0/24", "PlugX cluster")]);
            world.networks.clear();
            world.flows = flows;
            let hunt = world.hunt();
            let all = hunt.findings.into_iter().chain(hunt.discounted);
            all.map(|finding| (finding.id.clone(), finding.octets_out, finding.octets_in)).collect::<Vec<_>>()
        };
        let again = flows.iter().step_by(every).cloned();
        let twice: Vec<FlowRecord> = flows.iter().cloned().chain(again).collect();
        prop_assert_eq!(octets(twice), octets(flows));
    }

    #[test]
    fn without_samples_what_was_observed_lies_between_the_bounds(flows in strategy::flows(30)) {
        let mut world = World::of([]).claims([crate::world::claim("192.0.2.0/24", "PlugX cluster")]);
        world.networks.clear();
        world.flows = flows;
        world.flows.iter_mut().for_each(|flow| flow.sampling_interval = Some(1));
        let hunt = world.hunt();
        for finding in hunt.findings.iter().chain(&hunt.discounted) {
            for of in [finding.octets_out, finding.octets_in] {
                prop_assert!(of.low <= of.observed as f64 && of.observed as f64 <= of.point, "{:?}", of);
                prop_assert!(of.high.is_none_or(|high| of.point <= high));
            }
        }
    }
}
