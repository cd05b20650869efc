//! How much left, for whom, and how sure that is.

use rahdar_hunt::sampling::gamma_low;
use rahdar_model::fact::{Gap, Loss, Unit};
use rahdar_model::flow::{Sampler, tcp};
use rahdar_model::{Estimate, Quality, Timestamp, Window};
use rahdar_testkit::builder::FlowBuilder;
use rahdar_testkit::flow;

use crate::world::{C2, OTHER_C2, VICTIM, World, claim, noon, talk, valid};

/// An upload on the n-th day, as a biflow.
fn upload(remote: &str, day: i32, packets: u64) -> FlowBuilder {
    talk(remote, day).sent(packets, packets * 1_400)
}

/// One direction of a sampled upload.
fn sampled(day: i32, packets: u64, interval: u32, exporter: &str) -> [FlowBuilder; 2] {
    let out = flow(&format!("{VICTIM}:{} > {C2}:443", 40_000 + day)).at_time(noon(day));
    let back = flow(&format!("{C2}:443 > {VICTIM}:{}", 40_000 + day)).at_time(noon(day));
    let seen = |flow: FlowBuilder| flow.flags(tcp::ACK).sampled(interval).exporter(exporter);
    [seen(out.sent(packets, packets * 1_400)), seen(back.sent(packets, packets * 52))]
}

#[test]
fn an_unsampled_sensor_counts_to_the_octet() {
    let hunt = World::of((0..5).map(|day| upload(C2, day, 1_000_003))).hunt();
    let exact = 5 * 1_000_003 * 1_400;
    let out = hunt.findings[0].octets_out;
    assert_eq!((out.observed, out.low, out.point), (exact, exact as f64, exact as f64));
    assert_eq!(hunt.octets_out.point, exact as f64);
    assert_eq!(hunt.victims[0].octets_out, hunt.octets_out);
    assert_eq!(hunt.findings[0].octets_in.point, 15_000.0);
}

#[test]
fn sizes_of_contact_that_said_nothing_say_nothing() {
    let bare = |day: i32| {
        let [out, back] = sampled(day, 1, 1_000, "test");
        [out.sent(1, 56), back.sent(1, 56)]
    };
    let finding = World::of((0..6).flat_map(bare)).finding();
    let has = |kind: &str| finding.reasons.iter().any(|reason| reason.kind == kind);
    assert!(has("no_payload") && !has("asymmetry"), "{:#?}", finding.reasons);
}

#[test]
fn inbound_bulk_is_no_exfiltration() {
    let download = |day| talk(C2, day).sent(400, 20_800).answered(10_000, 14_000_000);
    let finding = World::of((0..5).map(download)).finding();
    assert_eq!((finding.octets_out.point, finding.octets_in.point), (104_000.0, 70_000_000.0));
    assert!(finding.reasons.iter().any(|reason| reason.kind == "download" && reason.weight < 0.0));
}

#[test]
fn the_upper_bound_needs_a_record_without_gaps() {
    let lively = |day: i32| {
        (0..24).map(move |hour| {
            flow("203.0.113.9:1 > 198.51.100.1:2").at_time(noon(day).plus_micros((hour - 12) * 3_600_000_000))
        })
    };
    let gapless = World::of((1..4).map(|day| talk(C2, day))).flows((0..6).flat_map(lively)).finding();
    assert_eq!(gapless.octets_out, Estimate::exact(12_000));
    assert!(gapless.daily.iter().all(|day| day.octets_out == Estimate::exact(4_000)));
    let gap = World::of((1..4).map(|day| talk(C2, day))).finding();
    assert_eq!(gap.octets_out.high, None);
}

/// A hunt on three days of contact in an unbroken record, with this gap of `exporter`, so many minutes after the
/// second contact began, and an event of the day before.
fn with_gap(exporter: &str, cause: Loss, minutes: i64) -> World {
    let lively = |day: i32| {
        (0..24).map(move |hour| {
            flow("203.0.113.9:1 > 198.51.100.1:2").at_time(noon(day).plus_micros((hour - 12) * 3_600_000_000))
        })
    };
    let mut world = World::of((1..4).map(|day| talk(C2, day))).flows((0..6).flat_map(lively));
    let at = noon(2).plus_micros(minutes * 60_000_000);
    world.gaps = vec![Gap {
        exporter: exporter.into(),
        observation_domain: 0,
        window: Window::new(at, at.plus_micros(1)),
        cause,
        unit: Unit::Datagrams,
        lost: 70,
        source: "spool/1".into(),
    }];
    world
}

#[test]
fn what_a_socket_dropped_may_have_been_any_exporters() {
    for name in ["udp 0.0.0.0:2055", "sender 192.0.2.7"] {
        let finding = with_gap(name, Loss::KernelDrop, 0).finding();
        assert_eq!((finding.octets_out.low, finding.octets_out.high), (12_000.0, None), "{name}");
        let highs: Vec<bool> = finding.daily.iter().map(|day| day.octets_out.high.is_some()).collect();
        assert_eq!(highs, [true, false, true], "of the day on which it dropped");
    }
    let other = with_gap("r2", Loss::KernelDrop, 0).finding();
    assert_eq!(other.octets_out, Estimate::exact(12_000), "another exporter never saw the contact");
    let strangers = with_gap("strangers", Loss::Rejected, 0).finding();
    assert_eq!(strangers.octets_out, Estimate::exact(12_000), "they are no exporters of ours");
}

#[test]
fn a_datagram_that_was_lost_later_may_have_told_of_contact_before() {
    let on_last_day = |minutes: i64| {
        let mut world = with_gap("r1", Loss::Sequence, 24 * 60 + minutes);
        world.request.window = Window::new(noon(0), noon(3).plus_micros(5 * 60_000_000));
        [world.finding().octets_out.high, {
            world.request.window = Window::ALL;
            world.finding().octets_out.high
        }]
    };
    assert_eq!(on_last_day(30), [None, None], "what went on until 12:00:30 may come at 12:30");
    assert_eq!(on_last_day(31), [Some(12_000.0), Some(12_000.0)]);
}

#[test]
fn what_two_unsampled_exporters_saw_is_counted_once() {
    let seen_by = |exporter: &'static str| (0..5).map(move |day| upload(C2, day, 1_000).exporter(exporter));
    let finding = World::of(seen_by("east").chain(seen_by("west"))).finding();
    assert_eq!(finding.octets_out.point, 7_000_000.0);
    assert_eq!((finding.octets_out.low, finding.octets_out.observed), (7_000_000.0, 7_000_000));
    assert_eq!(finding.flows, 10);
}

#[test]
fn a_sampled_total_has_the_bounds_of_the_formula() {
    let finding = World::of((0..20).flat_map(|day| sampled(day, 20, 1_000, "edge"))).finding();
    let out = finding.octets_out;
    assert_eq!((out.observed, out.point), (20 * 20 * 1_400, 20.0 * 20.0 * 1_400.0 * 1_000.0));
    // 28,000 octets in 20 packets allow 18 full packets, one of 244 and one of 40.
    let squares = 20.0 * (18.0 * 1_500.0_f64.powi(2) + 960.0_f64.powi(2) + 40.0_f64.powi(2));
    let low = gamma_low(out.point, 1_000.0 * 999.0 * squares, 0.025);
    assert!((out.low / low - 1.0).abs() < 1e-9, "{} is not {low}", out.low);
    assert!(out.low < out.point);
}

#[test]
fn two_samples_of_the_same_packets_are_not_summed() {
    let both = (0..20)
        .flat_map(|day| sampled(day, 40, 500, "edge").into_iter().chain(sampled(day, 20, 1_000, "core")));
    let out = World::of(both).finding().octets_out;
    assert_eq!(out.point, 20.0 * 40.0 * 1_400.0 * 500.0);
    assert_eq!(out.observed, 20 * 40 * 1_400);
}

#[test]
fn what_only_the_second_exporter_saw_is_added() {
    // The edge sees 16 of 20 sessions, the core 10, of which 8 are seen by both.
    let edge = (0..16).flat_map(|day| sampled(day, 40, 500, "edge"));
    let core = (8..16).chain(18..20).flat_map(|day| sampled(day, 20, 1_000, "core"));
    let out = World::of(edge.chain(core)).finding().octets_out;
    assert_eq!(out.point, 18.0 * 40.0 * 1_400.0 * 500.0);
}

#[test]
fn an_unknown_rate_bounds_from_below_only() {
    let seen = |day| sampled(day, 20, 1_000, "edge").map(FlowBuilder::rate_unknown);
    let out = World::of((0..20).flat_map(seen)).finding().octets_out;
    let exact = 20.0 * 20.0 * 1_400.0;
    assert_eq!((out.low, out.point, out.high), (exact, exact, None));
}

#[test]
fn a_rate_that_the_exporters_own_count_contradicts_bounds_from_below_only() {
    let out = |doubt| {
        let seen = |day| sampled(day, 20, 100, "edge").map(|flow| flow.marked(doubt));
        World::of((0..20).flat_map(seen)).finding().octets_out
    };
    let (told, doubted) = (out(Quality::NONE), out(Quality::RATE_UNKNOWN));
    assert_eq!((doubted.low, doubted.high), (told.low, None));
    assert!(told.low > 20.0 * 20.0 * 1_400.0 * 90.0);
}

#[test]
fn what_was_lost_is_made_up_for_in_the_estimate_alone() {
    let check = |interval, unit, times: f64| {
        let whole = World::of((0..20).flat_map(|day| sampled(day, 20, interval, "edge")));
        let mut lossy = World::of((0..20).flat_map(|day| sampled(day, 20, interval, "edge")));
        lossy.gaps = vec![Gap {
            exporter: "edge".into(),
            observation_domain: 0,
            window: Window::new(noon(0), noon(20)),
            cause: Loss::Sequence,
            unit,
            lost: lossy.flows.len() as u64 / 4,
            source: "edge.ipfix".into(),
        }];
        let (whole, lossy) = (whole.finding().octets_out, lossy.finding().octets_out);
        assert_eq!((lossy.observed, lossy.low, lossy.high), (whole.observed, whole.low, None));
        assert!((lossy.point / whole.point - times).abs() < 1e-9, "{lossy:?} {whole:?}");
    };
    check(1_000, Unit::Records, 1.25);
    check(1, Unit::Records, 1.25);
    check(1_000, Unit::Datagrams, 1.0);
}

#[test]
fn whole_flows_that_were_sampled_vary_by_their_own_size() {
    let mut world = World::of((0..20).flat_map(|day| sampled(day, 20, 100, "edge")));
    world.flows.iter_mut().for_each(|flow| flow.sampler = Some(Sampler::Flow));
    let out = world.finding().octets_out;
    assert_eq!(out.point, 20.0 * 28_000.0 * 100.0);
    let low = gamma_low(out.point, 100.0 * 99.0 * 20.0 * 28_000.0_f64.powi(2), 0.025);
    assert!((out.low / low - 1.0).abs() < 1e-9, "{} is not {low}", out.low);
}

#[test]
fn a_counter_that_wrapped_or_stood_still_or_missed_octets_bounds_from_below_only() {
    for mark in [Quality::COUNTER_WRAPPED, Quality::COUNTER_CLAMPED, Quality::CONTENT_GAP] {
        let out = World::of((0..5).map(|day| upload(C2, day, 1_000).marked(mark))).finding().octets_out;
        assert_eq!((out.low, out.point, out.high), (7_000_000.0, 7_000_000.0, None), "{mark:?}");
    }
}

#[test]
fn octets_that_nobody_counted_are_not_none() {
    let uncounted = |day| {
        let flow = flow(&format!("203.0.113.25:50000 > {C2}:443")).at_time(noon(day));
        flow.sent(0, 0).marked(Quality::CONTENT_GAP)
    };
    let out = World::of((0..5).map(|day| upload(C2, day, 1_000)).chain((5..9).map(uncounted)));
    let out = out.finding().octets_out;
    assert_eq!((out.low, out.high), (7_000_000.0, None));
}

#[test]
fn octets_that_were_dropped_on_the_way_are_no_lower_bound() {
    let mut world = World::of((0..5).map(|day| upload(C2, day, 1_000)));
    let whole = world.finding().octets_out;
    world.flows[0].state = "established drop".into();
    let out = world.finding().octets_out;
    assert_eq!((out.low, out.high), (whole.low * 0.8, whole.high));
}

#[test]
fn octets_that_were_multiplied_untold_are_not_multiplied_again() {
    let scaled = (0..20).flat_map(|day| sampled(day, 20_000, 1_000, "edge"));
    let told = (0..20).flat_map(|day| sampled(day, 20, 1_000, "edge"));
    assert_eq!(World::of(scaled).finding().octets_out, World::of(told).finding().octets_out);
}

#[test]
fn two_clocks_of_one_session_are_brought_together() {
    let seen = |ahead_s: i64| {
        let mut world = World::of((0..5).map(|day| upload(C2, day, 1_000)));
        for flow in &mut world.flows {
            let by_its_clock = |time: Timestamp| time.plus_micros(ahead_s * 1_000_000);
            flow.received_time = Some(flow.end_time);
            flow.export_time = Some(by_its_clock(flow.end_time));
            (flow.start_time, flow.end_time) = (by_its_clock(flow.start_time), by_its_clock(flow.end_time));
        }
        let finding = world.finding();
        (finding.first_seen, finding.last_seen)
    };
    assert_eq!(seen(40), seen(0));
    assert_ne!(seen(3_600), seen(0), "another year's export is no wrong clock");
}

#[test]
fn days_add_up_to_the_whole() {
    let finding = World::of((0..9).map(|day| upload(C2, day, 777).lasting_s(3 * 86_400 / 2))).finding();
    let sum: f64 = finding.daily.iter().map(|day| day.octets_out.point).sum();
    assert_eq!(sum, finding.octets_out.point);
    assert_eq!(finding.daily.iter().map(|day| day.flows).sum::<u64>(), finding.flows);
    assert_eq!(finding.days_active as usize, finding.daily.len());
    assert!(finding.daily.iter().map(|day| day.octets_out.low).sum::<f64>() <= finding.octets_out.low);
}

#[test]
fn clusters_that_share_an_address_share_its_octets() {
    let shared = "192.0.2.200";
    let talks = (0..30).map(|day| upload(C2, day, 1_000));
    let others = (0..10).map(|day| upload(OTHER_C2, day, 500));
    let both = (5..8).map(|day| upload(shared, day, 301));
    let claims = [
        claim(C2, "RedFoxtrot"),
        claim(OTHER_C2, "PlugX cluster"),
        claim(shared, "RedFoxtrot"),
        valid("2021-01-01", "2021-03-01", claim(shared, "PlugX cluster")),
    ];
    let hunt = World::of(talks.chain(others).chain(both)).claims(claims).hunt();
    assert_eq!(hunt.findings.len(), 2);
    let sum: f64 = hunt.findings.iter().map(|finding| finding.octets_out.point).sum();
    assert_eq!(sum, hunt.victims[0].octets_out.point);
    assert_eq!(hunt.octets_out.point, f64::from((30 * 1_000 + 10 * 500 + 3 * 301) * 1_400));
    for (finding, exclusive) in hunt.findings.iter().zip([10 * 500 * 1_400, 30 * 1_000 * 1_400]) {
        let out = finding.octets_out;
        assert_eq!(out.low, f64::from(exclusive), "{}", finding.id);
        assert!(out.low < out.point && out.point <= f64::from(exclusive + 3 * 301 * 1_400));
        assert!(finding.reasons.iter().any(|reason| reason.text.contains("another cluster claims too")));
    }
}

#[test]
fn one_cluster_on_two_victims_is_pooled_over_both() {
    let second = |day| {
        let flow = flow(&format!("203.0.113.99:{} > {C2}:443", 40_000 + day)).at_time(noon(day));
        flow.sent(20, 4_000).answered(15, 3_000).flags(0x1b).answer_flags(0x1b)
    };
    let hunt = World::of((0..5).flat_map(|day| [talk(C2, day), second(day)])).hunt();
    assert_eq!(hunt.victims.iter().map(|victim| victim.octets_out.point).collect::<Vec<_>>(), [20_000.0; 2]);
    assert_eq!(hunt.octets_out.point, 40_000.0);
    let told = |kind: &str, text: &str| {
        hunt.findings.iter().all(|f| f.reasons.iter().any(|r| r.kind == kind && r.text.contains(text)))
    };
    assert!(told("overlap", "1 other victim"));
}

#[test]
fn an_exporter_that_records_jumbo_packets_has_wider_bounds_for_all() {
    let calls = || (0..5).flat_map(|day| sampled(day, 40, 1_000, "edge"));
    let low = |size: u64| {
        let other = talk(OTHER_C2, 9).sent(2, 2 * size).sampled(1_000).exporter("edge");
        let world = World::of(calls()).flows([other]).claims([claim(C2, "A"), claim(OTHER_C2, "B")]);
        let own = world.hunt().findings.into_iter().find(|finding| finding.flows == 10);
        own.unwrap().octets_out.low
    };
    assert!(low(4_530) < 0.8 * low(1_400), "{} {}", low(4_530), low(1_400));
}
