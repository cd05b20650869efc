//! What is believed, what is not, and the reason that comes first.

use rahdar_hunt::HuntError;
use rahdar_model::finding::Verdict;
use rahdar_model::flow::{Initiator, protocol, tcp};
use rahdar_model::intelligence::{Claim, ClusterId, HostClass, HostFact, Indicator, WindowBasis};
use rahdar_model::{Quality, Window};
use rahdar_testkit::builder::FlowBuilder;
use rahdar_testkit::{NaiveStore, flow, prefix, time, window};

use crate::world::{C2, OTHER_C2, TALK, VICTIM, World, call, claim, fact, noon, talk, valid};

const SYN: u16 = tcp::SYN;
const ACK: u16 = tcp::ACK;
const RST: u16 = tcp::RST;

/// The only finding has this verdict, and its first reason this kind.
fn check(world: &World, verdict: Verdict, kind: &str) {
    let finding = world.finding();
    assert_eq!((finding.verdict, finding.reasons[0].kind), (verdict, kind), "{:#?}", finding.reasons);
}

/// The remote calls the victim's port 25 on the n-th day.
fn knock(day: i32) -> FlowBuilder {
    flow(&format!("{C2}:{} > {VICTIM}:25", 40_000 + day))
        .at_time(noon(day))
        .lasting_s(1)
        .opened_by(Initiator::Source)
}

#[test]
fn a_beacon_with_payload_is_confirmed() {
    let world = World::of([3, 4, 7].map(|day| talk(C2, day)));
    let finding = world.finding();
    assert_eq!(finding.verdict, Verdict::Confirmed, "{:#?}", finding.reasons);
    assert_eq!((finding.confidence, finding.days_active, finding.flows), (95, 3, 3));
    assert_eq!(finding.id, "redfoxtrot@203.0.113.25");
    assert_eq!((finding.victim.org.as_str(), finding.victim.asn), ("Example Telecom", Some(64500)));
    let seen = (Some(noon(3)), Some(noon(7).plus_micros(30_000_000)));
    assert_eq!((finding.first_seen, finding.last_seen), seen);
    assert_eq!(finding.infrastructure.len(), 1);
    assert_eq!(finding.infrastructure[0].port, 443);
    let sum: f64 = finding.reasons.iter().map(|reason| reason.weight).sum();
    assert!((sum - 21.2).abs() < 0.1, "12 + 10 + 8 + 3 + 1 and the prior make {sum}");
}

#[test]
fn one_session_inside_a_dated_claim_is_likely() {
    check(&World::of([talk(C2, 3)]), Verdict::Likely, "establishment");
}

#[test]
fn an_exporter_that_tells_no_flags_says_nothing_against_a_contact() {
    let weight = |flow: FlowBuilder| {
        let finding = World::of([flow]).finding();
        assert_eq!(finding.verdict, Verdict::Likely, "{:#?}", finding.reasons);
        finding.reasons.iter().find(|reason| reason.kind == "establishment").unwrap().weight
    };
    assert_eq!(weight(talk(C2, 3)), 12.0);
    assert_eq!(weight(talk(C2, 3).flags(0).answer_flags(0)), 8.0, "both ways, flags unknown");
}

#[test]
fn a_rhythm_shows_where_every_call_comes_from_one_port() {
    // Every five minutes for two days, a datagram and its answer; the exporter's idle timeout is 15 s.
    let call = |n: i64| {
        flow(&format!("{VICTIM}:40000 > {C2}:443"))
            .udp()
            .sent(2, 300)
            .answered(2, 300)
            .opened_by(Initiator::Source)
            .lasting_s(1)
            .ended(1)
            .at_time(noon(3).plus_micros(n * 300_000_000))
    };
    let finding = World::of((0..576).map(call)).finding();
    assert!(finding.reasons.iter().any(|reason| reason.kind == "rhythm"), "{:#?}", finding.reasons);
}

#[test]
fn another_port_than_the_list_names_is_still_found() {
    let world = |days: &[i32]| {
        let mut claim = claim(C2, "DcRAT");
        claim.port = Some(7081);
        World::of(days.iter().map(|day| talk(C2, *day))).claims([claim])
    };
    check(&world(&[3]), Verdict::Likely, "establishment");
    check(&world(&[3, 4, 5, 6, 7]), Verdict::Confirmed, "establishment");
    assert!(world(&[3]).finding().reasons.iter().any(|reason| reason.kind == "other_port"));
}

#[test]
fn a_protocol_without_ports_has_no_port_that_speaks_for_it() {
    let ping = |day| talk(C2, day).protocol(1).opened_by(Initiator::Source);
    let finding = World::of((0..5).map(ping)).finding();
    let port = finding.reasons.iter().find(|reason| reason.kind == "port");
    assert!(port.is_none_or(|reason| reason.weight == 0.0), "{port:?}");
}

#[test]
fn an_address_that_only_knocks_is_a_scanner() {
    let world = World::of(
        (0..20).map(|day| knock(day).sent(1, 60).flags(SYN).answered(1, 60).answer_flags(SYN | ACK)),
    );
    check(&world, Verdict::Discounted, "scanner");
    assert_eq!(world.finding().confidence, 1);
}

#[test]
fn an_address_that_reads_a_banner_is_no_better() {
    let grab = |day| knock(day).sent(5, 260).flags(SYN | ACK | tcp::FIN).answered(4, 600).answer_flags(TALK);
    let finding = World::of((0..20).map(grab)).finding();
    assert_eq!(finding.verdict, Verdict::Discounted, "{:#?}", finding.reasons);
}

#[test]
fn replies_to_forged_packets_are_backscatter() {
    let reply = |day| flow(&format!("{C2}:443 > {VICTIM}:{}", 1_024 + day)).at_time(noon(day));
    let world = World::of((0..20).map(|day| reply(day).sent(2, 120).flags(SYN | ACK)));
    check(&world, Verdict::Discounted, "backscatter");
    let world = World::of((0..20).map(|day| reply(day).sent(1, 40).flags(RST | ACK)));
    check(&world, Verdict::Discounted, "backscatter");
    let mut world = World::of((0..20).map(|day| reply(day).protocol(protocol::ICMP).sent(1, 56)));
    for unreachable in &mut world.flows {
        unreachable.icmp_type = Some(3);
    }
    check(&world, Verdict::Discounted, "backscatter");
}

#[test]
fn backscatter_from_a_real_c2_neither_dates_nor_fills_the_finding() {
    let reply = flow(&format!("{C2}:443 > {VICTIM}:1024")).at_time(noon(1)).sent(2, 120).flags(SYN | ACK);
    let finding = World::of([3, 4, 5].map(|day| talk(C2, day))).flows([reply]).finding();
    assert_eq!((finding.first_seen, finding.octets_in.observed, finding.flows), (Some(noon(3)), 9_000, 3));
}

#[test]
fn a_host_that_calls_in_vain_for_days_has_a_silent_c2() {
    let silent = |days: i32| World::of((0..days).map(|day| call(C2, day).sent(3, 180).flags(SYN)));
    let finding = silent(5).finding();
    assert_eq!(finding.verdict, Verdict::Likely, "{:#?}", finding.reasons);
    assert!(finding.reasons.iter().any(|reason| reason.kind == "c2_silent"));
    check(&silent(2), Verdict::Possible, "port");
    let persistent = (0..40).map(|n| call(C2, 3).at_time(noon(3).plus_micros(n * 3_600_000_000)));
    let finding = World::of(persistent.map(|flow| flow.sent(3, 180).flags(SYN))).finding();
    assert_eq!(finding.verdict, Verdict::Likely, "{:#?}", finding.reasons);
}

#[test]
fn datagrams_that_need_no_answer_are_no_silent_c2() {
    let sent = |day: i32| call(C2, day).udp().sent(400, 500_000);
    let finding = World::of((0..6).map(sent)).finding();
    assert_eq!(finding.verdict, Verdict::Possible, "{:#?}", finding.reasons);
    let why = finding.reasons.iter().find(|reason| reason.kind == "one_way").unwrap();
    assert_eq!(
        (why.weight, &*why.text),
        (0.0, "datagrams went out, and none came back: 6 sessions on 6 days")
    );
    assert!(finding.reasons.iter().all(|reason| reason.kind != "c2_silent"), "{:#?}", finding.reasons);
    assert_eq!((finding.octets_out.observed, finding.attempts.flows), (3_000_000, 0));
}

#[test]
fn an_address_that_lapsed_long_ago_is_not_believed() {
    let reassigned = |from, until| {
        World::of((200..230).map(|day| talk(C2, day))).claims([valid(from, until, claim(C2, "RedFoxtrot"))])
    };
    check(&reassigned("2020-01-01", "2020-06-01"), Verdict::Discounted, "outside_window");
    let lately = reassigned("2021-03-01", "2021-06-01").finding();
    assert_eq!(lately.verdict, Verdict::Possible, "48 days: {:#?}", lately.reasons);
}

#[test]
fn traffic_after_the_window_neither_helps_nor_counts() {
    let claims = [valid("2021-01-01", "2021-01-08", claim(C2, "RedFoxtrot"))];
    let world = World::of((3..60).map(|day| talk(C2, day))).claims(claims);
    let finding = world.finding();
    assert_eq!((finding.verdict, finding.days_active), (Verdict::Confirmed, 4));
    assert!(finding.at_least, "contact went on");
    assert!(finding.reasons.iter().any(|reason| reason.text.contains("53 sessions outside")));
}

#[test]
fn each_claim_has_its_own_window() {
    let claims = [
        valid("2021-01-01", "2021-01-05", claim(C2, "RedFoxtrot")),
        valid("2021-03-01", "2021-03-05", claim(C2, "RedFoxtrot")),
    ];
    let finding = World::of([2, 3, 30, 60, 61].map(|day| talk(C2, day))).claims(claims).finding();
    assert_eq!((finding.verdict, finding.days_active), (Verdict::Confirmed, 4));
}

#[test]
fn an_undated_claim_is_weak_and_holds_for_all_time() {
    let mut undated = claim(C2, "RedFoxtrot");
    (undated.basis, undated.validity, undated.port) = (WindowBasis::Undated, Window::ALL, None);
    let world = |days: &[i32]| World::of(days.iter().map(|day| talk(C2, *day))).claims([undated.clone()]);
    check(&world(&[3]), Verdict::Likely, "establishment");
    check(&world(&[3, 400]), Verdict::Likely, "establishment");
    let often: Vec<i32> = (0..15).map(|n| 30 * n).collect();
    check(&world(&often), Verdict::Confirmed, "establishment");
    assert!(world(&often).finding().confidence < 95);
}

#[test]
fn a_service_that_the_network_uses_is_no_command_server() {
    let user = |host: i32, day: i32| {
        flow(&format!("203.0.113.{host}:50000 > {C2}:443"))
            .at_time(noon(day))
            .opened_by(Initiator::Source)
            .sent(20, 4_000)
            .answered(15, 3_000)
            .flags(TALK)
            .answer_flags(TALK)
    };
    let idle = |host: i32| flow(&format!("203.0.113.{host}:50000 > 198.51.100.7:443"));
    let hunt = |users: i32, all: i32| {
        let users = (1..=users).flat_map(|host| (0..9).map(move |day| user(host, day)));
        World::of(users).flows((1..=all).map(idle)).hunt()
    };
    let common = hunt(12, 40);
    assert!(common.findings.is_empty());
    assert_eq!(common.discounted.len(), 12);
    assert!(common.discounted.iter().all(|finding| finding.reasons[0].kind == "prevalence"));
    assert_eq!(hunt(2, 40).findings.len(), 2);
}

#[test]
fn a_content_network_is_no_command_server() {
    let world = World::of((0..9).map(|day| talk(C2, day))).fact(fact("192.0.2.0/24", HostClass::Cdn));
    check(&world, Verdict::Discounted, "cdn");
}

#[test]
fn a_sinkhole_shows_infection_and_no_control() {
    let held = |from: i32| HostFact {
        validity: Window::new(noon(from), time("2022-01-01")),
        ..fact(C2, HostClass::Sinkhole)
    };
    let talks = || World::of((0..9).map(|day| talk(C2, day)));
    check(&talks().fact(held(-1)), Verdict::Discounted, "sinkhole");
    let before = talks().fact(held(4)).finding();
    assert_eq!((before.verdict, before.days_active), (Verdict::Confirmed, 4));
    assert!(before.reasons.iter().any(|reason| reason.text.contains("5 sessions not counted")));
}

#[test]
fn a_host_that_knocks_at_many_clusters_within_the_hour_is_a_prober() {
    let knocks = (1..=5).map(|n| call(&format!("192.0.2.{n}"), 3).sent(1, 60).flags(SYN));
    let claims = (1..=5).map(|n| claim(&format!("192.0.2.{n}"), &format!("cluster {n}")));
    let hunt = World::of(knocks).claims(claims).hunt();
    assert!(hunt.findings.is_empty());
    assert_eq!(hunt.discounted.len(), 5);
    assert!(hunt.discounted.iter().all(|finding| finding.reasons[0].kind == "prober"));
}

#[test]
fn a_sandbox_that_comes_back_day_after_day_is_a_prober_still() {
    let calls = |n: i32, day| call(&format!("192.0.2.{n}"), day).sent(3, 180).flags(SYN);
    let sandbox = || World::of((0..5).flat_map(|day| (1..=3).map(move |n| calls(n, day))));
    let claims = (1..=3).map(|n| claim(&format!("192.0.2.{n}"), &format!("cluster {n}")));
    let hunt = sandbox().claims(claims).hunt();
    assert!(hunt.findings.iter().all(|finding| finding.verdict < Verdict::Likely), "{:#?}", hunt.findings);
    let told = hunt.findings.iter().chain(&hunt.discounted);
    assert!(told.clone().all(|finding| finding.reasons.iter().any(|reason| reason.kind == "prober")));
    // Malware goes through the dead servers of its own group.
    let own = World::of((0..5).flat_map(|day| (1..=6).map(move |n| calls(n, day))));
    let finding = own.claims((1..=6).map(|n| claim(&format!("192.0.2.{n}"), "one"))).finding();
    assert!(finding.reasons.iter().all(|reason| reason.kind != "prober"));
    assert_eq!(finding.verdict, Verdict::Likely);
}

#[test]
fn what_left_in_confirmed_contact_stands_apart() {
    let doubted = Claim { confidence: Some(10), port: Some(7081), ..claim(OTHER_C2, "A") };
    let world = World::of((0..9).map(|day| talk(C2, day)).chain([talk(OTHER_C2, 3)]));
    let hunt = world.claims([claim(C2, "A"), doubted]).hunt();
    let finding = &hunt.findings[0];
    assert_eq!(finding.verdict, Verdict::Confirmed);
    assert_eq!((finding.octets_out.low, finding.octets_out_confirmed.low), (40_000.0, 36_000.0));
    assert_eq!(hunt.victims[0].octets_out_confirmed, finding.octets_out_confirmed);
    assert_eq!(hunt.octets_out_confirmed, finding.octets_out_confirmed);
}

#[test]
fn samples_miss_contact_so_dates_are_at_least() {
    let around = |day| flow("203.0.113.9:1 > 198.51.100.1:2").at_time(noon(day));
    let world = |interval| {
        let contact = (50..90).map(move |day| talk(C2, day).sampled(interval));
        World::of(contact).flows([around(1), around(150)])
    };
    assert!(!world(1).finding().at_least);
    assert!(world(100).finding().at_least);
}

#[test]
fn only_watched_hosts_are_victims() {
    let other = |day| flow(&format!("198.51.100.8:50000 > {C2}:443")).at_time(noon(day)).sent(20, 4_000);
    let world = World::of((0..9).map(|day| other(day).answered(15, 3_000).flags(TALK).answer_flags(TALK)));
    check(&world, Verdict::Discounted, "foreign");
    let unwatched = World { networks: Vec::new(), ..world };
    assert_eq!(unwatched.finding().verdict, Verdict::Confirmed);
}

#[test]
fn a_scanning_victim_touches_every_address_once() {
    let scan =
        |n: i32| flow(&format!("{VICTIM}:50000 > 192.0.2.{n}:443")).at_time(noon(3)).sent(1, 60).flags(SYN);
    check(&World::of((1..150).map(scan)), Verdict::Discounted, "scanner");
}

#[test]
fn one_direction_alone_is_never_more_than_possible() {
    let upload = |day| {
        flow(&format!("{VICTIM}:{} > {C2}:443", 40_000 + day))
            .at_time(noon(day))
            .sent(2_000, 2_800_000)
            .flags(ACK | tcp::PSH)
    };
    check(&World::of((0..30).map(upload)), Verdict::Possible, "port");
}

#[test]
fn two_directions_of_two_exporters_make_one_conversation() {
    let out = |day| {
        let flow = flow(&format!("{VICTIM}:{} > {C2}:443", 40_000 + day)).at_time(noon(day));
        flow.sent(20, 4_000).flags(TALK).exporter("east")
    };
    let back = |day| {
        let flow =
            flow(&format!("{C2}:443 > {VICTIM}:{}", 40_000 + day)).at_time(noon(day).plus_micros(20_000));
        flow.sent(15, 3_000).flags(TALK).exporter("west")
    };
    let finding = World::of((0..5).flat_map(|day| [out(day), back(day)])).finding();
    assert_eq!(finding.verdict, Verdict::Confirmed, "{:#?}", finding.reasons);
    assert_eq!((finding.octets_out.point, finding.octets_in.point), (20_000.0, 15_000.0));
}

#[test]
fn sampled_packets_each_way_are_pooled() {
    let out = |day| {
        let flow = flow(&format!("{VICTIM}:{} > {C2}:443", 40_000 + day)).at_time(noon(day));
        flow.sent(1, 1_400).flags(ACK).sampled(1_000)
    };
    let back = |day| {
        let flow =
            flow(&format!("{C2}:443 > {VICTIM}:{}", 40_000 + day)).at_time(noon(day).plus_micros(20_000));
        flow.sent(1, 52).flags(ACK).sampled(1_000)
    };
    let world =
        World::of((0..30).flat_map(|day| [Some(out(day)), (day % 3 == 0).then(|| back(day))]).flatten());
    check(&world, Verdict::Confirmed, "establishment");
}

#[test]
fn without_a_time_a_claim_with_a_window_proves_little_and_one_without_says_what_it_said() {
    let old = |n: i64| talk(C2, 3).at_time(time("1970-01-01").plus_micros(n * 3_600_000_000));
    let mut world = World::of((1..5).map(|n| old(n).marked(Quality::CLOCK_SUSPECT)));
    let finding = world.finding();
    assert_eq!(finding.verdict, Verdict::Possible, "{:#?}", finding.reasons);
    assert!(finding.reasons.iter().any(|reason| reason.kind == "clock"));
    assert_eq!((finding.first_seen, finding.last_seen, finding.days_active), (None, None, 0));
    assert_eq!((finding.daily.len(), finding.chronology.len(), finding.flows), (0, 0, 4));
    assert!(finding.infrastructure.iter().all(|one| one.first_seen.is_none() && one.flows == 4));
    assert_eq!(finding.octets_out.high, None, "nobody knows whether the exporter saw all of that time");
    // Two such addresses do not vouch for each other.
    let other = |n: i64| talk(OTHER_C2, 3).at_time(time("1970-01-01").plus_micros(n * 3_600_000_000));
    let both = world.flows((1..5).map(|n| other(n).marked(Quality::CLOCK_SUSPECT)));
    let both = both.claims([claim(C2, "RedFoxtrot"), claim(OTHER_C2, "RedFoxtrot")]);
    assert_eq!(both.finding().verdict, Verdict::Possible);

    world = World::of((1..5).map(|n| old(n).marked(Quality::CLOCK_SUSPECT)));
    world.claims[0].basis = WindowBasis::Undated;
    world.claims[0].validity = Window::ALL;
    let finding = world.finding();
    assert_eq!((finding.verdict > Verdict::Possible, finding.first_seen), (true, None), "{finding:#?}");
}

#[test]
fn a_doubtful_clock_gives_way_to_the_arrival() {
    let world = |arrival: &str| {
        let flow = |n: i64| talk(C2, 3).at_time(time("1970-01-01").plus_micros(n * 3_600_000_000));
        let mut world = World::of((1..5).map(|n| flow(n).marked(Quality::CLOCK_SUSPECT)));
        let arrivals = (0..).map(|n| time(arrival).plus_micros(n * 3_600_000_000));
        for (flow, arrival) in world.flows.iter_mut().zip(arrivals) {
            flow.received_time = Some(arrival);
        }
        world.finding()
    };
    let inside = world("2021-08-15T12:00:00Z");
    assert!(inside.verdict >= Verdict::Likely, "{:#?}", inside.reasons);
    assert_eq!(inside.last_seen, Some(time("2021-08-15T15:00:00Z")));
    assert!(inside.reasons.iter().any(|reason| reason.kind == "clock" && reason.weight == 0.0));
    let stale = world("2026-11-22T12:00:00Z");
    assert_eq!((stale.verdict, stale.reasons[0].kind), (Verdict::Discounted, "outside_window"));
}

#[test]
fn an_exporter_with_one_absurd_record_did_not_watch_until_then() {
    let absurd = flow("203.0.113.9:1 > 198.51.100.1:2").at("9999-12-30").marked(Quality::CLOCK_SUSPECT);
    let mut world = World::of([3, 4, 5].map(|day| talk(C2, day))).flows([absurd]);
    let hunt = world.hunt();
    let window = hunt.coverage[0].window;
    assert!(window.until <= noon(5).plus_micros(3_600_000_000), "{window:?}");
    let met = talk(C2, 5).at("9999-12-30").marked(Quality::CLOCK_SUSPECT);
    world = world.flows([met]);
    let finding = world.finding();
    assert_eq!(finding.last_seen.map(|at| at.day()), Some(noon(5).day()));
    assert_eq!((finding.days_active, finding.flows), (3, 4));
    assert!(finding.reasons.iter().any(|reason| reason.text.starts_with("1 flow of 4 had no usable time")));
}

#[test]
fn a_record_that_cannot_be_true_is_left_out_and_told() {
    let absurd = call(C2, 20).sent(1, 1 << 40).marked(Quality::IMPOSSIBLE_SIZE);
    let finding = World::of([3, 4, 5].map(|day| talk(C2, day))).flows([absurd.clone()]).finding();
    assert_eq!((finding.octets_out.observed, finding.flows), (12_000, 3));
    assert!(finding.reasons.iter().any(|reason| reason.kind == "unusable"));
    check(&World::of([absurd]), Verdict::Discounted, "unusable");
}

#[test]
fn claims_without_a_cluster_are_told_under_their_source() {
    let lists = ["list a", "list b"].map(|name| {
        let mut loose = claim(C2, "");
        loose.source = name.into();
        loose
    });
    let mut also = lists[1].clone();
    also.indicator = Indicator::Network(prefix(OTHER_C2));
    let world = World::of((0..5).flat_map(|day| [talk(C2, day), talk(OTHER_C2, day)]));
    let finding = world.claims([lists[0].clone(), lists[1].clone(), also]).finding();
    assert_eq!(finding.cluster.id, ClusterId("unattributed-list-b".into()));
    assert_eq!((finding.cluster.name.as_str(), finding.cluster.named), ("list b", false));
    assert_eq!(finding.infrastructure.len(), 2);
}

#[test]
fn a_cluster_goes_before_a_list_that_names_none() {
    let world = World::of((0..5).map(|day| talk(C2, day)));
    let finding = world.claims([claim(C2, "RedFoxtrot"), claim(C2, "")]).finding();
    assert_eq!(finding.cluster.id, ClusterId::of_name("RedFoxtrot"));
}

#[test]
fn coverage_cuts_what_it_does_not_outlast() {
    let other = |day| flow("203.0.113.9:1 > 198.51.100.1:2").at_time(noon(day));
    let seen = |from: i32, until: i32| {
        World::of([50, 53, 56].map(|day| talk(C2, day))).flows([other(from), other(until)]).finding().at_least
    };
    assert!(!seen(20, 90));
    assert!(seen(48, 90), "the record begins two days before, and silences are three days long");
    assert!(seen(20, 58));
}

#[test]
fn what_is_asked_narrows_what_is_told_and_not_how_it_is_judged() {
    let knocks = (1..=5).map(|n| call(&format!("192.0.2.{n}"), 3).sent(1, 60).flags(SYN));
    let claims = (1..=5).map(|n| claim(&format!("192.0.2.{n}"), &format!("cluster {n}")));
    let mut world = World::of(knocks).claims(claims);
    world.request.cluster = Some(ClusterId::of_name("cluster 3"));
    check(&world, Verdict::Discounted, "prober");
    world.request.victims = vec![prefix("198.51.100.0/24")];
    let hunt = world.hunt();
    assert!(hunt.findings.is_empty() && hunt.discounted.is_empty());
}

#[test]
fn an_unknown_cluster_is_an_error_and_no_empty_answer() {
    let mut world = World::of([talk(C2, 3)]);
    world.request.cluster = Some(ClusterId::of_name("RedFoxtrott"));
    let store = NaiveStore::of(world.flows.clone());
    let error = rahdar_hunt::hunt(&store, &world.book(), &[], &[], &world.request).unwrap_err();
    assert!(matches!(error, HuntError::UnknownCluster(_)));
}

#[test]
fn nothing_met_is_nothing_found() {
    let mut world = World::of([talk("198.51.100.7", 3)]);
    assert_eq!(world.hunt().findings, []);
    world.request.window = window("2020-01-01", "2020-02-01");
    let hunt = world.hunt();
    assert_eq!((hunt.flows_swept, hunt.intelligence_version, hunt.octets_out.high), (0, 7, None));
}

#[test]
fn clients_may_stand_behind_a_relay_of_their_protocol() {
    let told = |role: &str, port: u16| {
        let to = |day: i32| {
            let flow = flow(&format!("{VICTIM}:{} > {C2}:{port}", 40_000 + day)).at_time(noon(day));
            let flow = flow.opened_by(Initiator::Source).sent(20, 4_000).answered(15, 3_000);
            flow.flags(TALK).answer_flags(TALK)
        };
        let of_any_port = Claim { port: None, protocol: None, ..claim(C2, "RedFoxtrot") };
        let mut world = World::of((0..5).map(to)).claims([of_any_port]);
        world.networks[0].role = role.to_owned();
        let finding = world.finding();
        let text = finding.reasons.iter().find(|reason| reason.kind == "clients").map(|r| r.text.clone());
        (finding.confidence, text)
    };
    let (confidence, text) = told("DNS resolver", 53);
    let expected = "the victim's role is DNS resolver and the traffic is by its ports DNS, so clients behind it may \
                    have asked for it, and these flows do not show which";
    assert_eq!(text.as_deref(), Some(expected));
    assert_eq!(told("endpoint", 53), (confidence, None), "words without weight");
    assert_eq!(told("DNS resolver", 443).1, None);
    assert!(told("mail relay", 25).1.is_some_and(|text| text.contains("by its ports mail")));
}

#[test]
fn the_mail_server_of_two_telecoms_clusters_is_named_with_both() {
    let mail = |n: i32, port: u16| flow(&format!("198.18.{n}.1:50000 > {VICTIM}:{port}")).at_time(noon(3));
    let users = (1..30).flat_map(|n| [mail(n, 25), mail(n, 993)]);
    let talks = (0..5).flat_map(|day| [talk(C2, day), talk(OTHER_C2, day)]);
    let hunt =
        World::of(talks).flows(users).claims([claim(C2, "RedFoxtrot"), claim(OTHER_C2, "Calypso")]).hunt();
    assert_eq!(hunt.findings.len(), 2);
    for (finding, other) in hunt.findings.iter().zip(["redfoxtrot", "calypso"]) {
        assert_eq!(finding.victim.roles, ["mail server"]);
        assert!(finding.reasons.iter().any(|reason| reason.kind == "overlap" && reason.text.contains(other)));
    }
    assert_eq!((hunt.victims.len(), hunt.victims[0].clusters), (1, 2));
}
