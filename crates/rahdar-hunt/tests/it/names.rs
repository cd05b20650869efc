//! Evidence by name (G10): what was resolved, and what servers were called.

use rahdar_intel::benign::{Matching, Note};
use rahdar_model::Window;
use rahdar_model::column::Row as _;
use rahdar_model::fact::{Answer, Handshake, Resolution};
use rahdar_model::finding::{Finding, Hunt, Verdict};
use rahdar_model::intelligence::{Claim, Indicator};
use rahdar_model::time::SECOND_US;
use rahdar_testkit::flow;

use crate::world::{C2, TALK, VICTIM, World, claim, noon, talk};

const NAME: &str = "c2.example.org";
/// An address that no claim names.
const OTHER: &str = "192.0.2.250";

/// A claim on the name, of the same cluster as the claim on [`C2`].
fn name_claim() -> Claim {
    Claim {
        indicator: Indicator::Domain(NAME.to_owned()),
        port: None,
        protocol: None,
        ..claim(C2, "RedFoxtrot")
    }
}

/// The victim asks for `name` so many seconds before noon of the first day and is told an address,
/// for a minute.
fn asked(name: &str, seconds_before: i64, answer: &str) -> Resolution {
    Resolution {
        time: noon(0).plus_micros(-seconds_before * SECOND_US),
        client: VICTIM.parse().unwrap(),
        name: name.to_owned(),
        answer: Answer::Address(answer.parse().unwrap()),
        ttl_s: Some(60),
        ..Resolution::blank()
    }
}

fn world(resolutions: Vec<Resolution>) -> World {
    let claims = [claim(C2, "RedFoxtrot"), name_claim()];
    World { resolutions, ..World::of([talk(C2, 0)]).claims(claims) }
}

fn named(finding: &Finding) -> Option<(f64, &str)> {
    let reason = finding.reasons.iter().find(|reason| reason.kind == "named")?;
    Some((reason.weight, &reason.text))
}

#[test]
fn a_claimed_name_that_led_to_the_call_speaks_for_it() {
    let finding = world(vec![asked(NAME, 2, C2)]).finding();
    let (weight, text) = named(&finding).unwrap();
    // With +10 for the documented port the two count to 16 together.
    assert_eq!(weight, 6.0);
    assert!(text.contains("called it 2 s later"), "{text}");
    // A name below the claimed one is the cluster's too.
    assert!(named(&world(vec![asked("cdn.c2.example.org", 2, C2)]).finding()).is_some());
}

#[test]
fn an_answer_too_old_or_of_another_name_or_address_does_not() {
    assert!(named(&world(vec![asked(NAME, 360, C2)]).finding()).is_some());
    for (name, before, answer) in [(NAME, 361, C2), ("www.example.org", 2, C2), (NAME, 2, "192.0.2.250")] {
        assert_eq!(
            named(&world(vec![asked(name, before, answer)]).finding()),
            None,
            "{name} {before} {answer}"
        );
    }
}

#[test]
fn a_server_called_by_a_claimed_name_speaks_for_it() {
    let handshake = Handshake {
        time: noon(0),
        client: VICTIM.parse().unwrap(),
        server: C2.parse().unwrap(),
        server_port: 443,
        server_name: NAME.to_owned(),
        ..Handshake::blank()
    };
    let mut world = world(Vec::new());
    world.handshakes = vec![handshake.clone()];
    assert!(named(&world.finding()).unwrap().1.contains("called the address as `c2.example.org`"));
    world.handshakes = vec![Handshake { server_port: 8443, ..handshake }];
    assert_eq!(named(&world.finding()), None);
}

/// At noon of the first day one calls the other by the claimed name.
fn called(client: &str, server: &str) -> Handshake {
    Handshake {
        time: noon(0),
        client: client.parse().unwrap(),
        server: server.parse().unwrap(),
        server_port: 443,
        server_name: NAME.to_owned(),
        ..Handshake::blank()
    }
}

/// The victim talks to an address that nobody lists, and the name is claimed.
fn unlisted(handshake: Handshake) -> World {
    World { handshakes: vec![handshake], ..World::of([talk(OTHER, 0)]).claims([name_claim()]) }
}

/// What is told of this host.
fn of<'h>(hunt: &'h Hunt, victim: &str) -> Option<&'h Finding> {
    let mut all = hunt.findings.iter().chain(&hunt.discounted);
    all.find(|finding| finding.victim.address.to_string() == victim)
}

#[test]
fn a_server_that_was_called_by_a_claimed_name_is_found_without_its_address() {
    let mut world = unlisted(called(VICTIM, OTHER));
    let finding = world.finding();
    assert!(finding.verdict > Verdict::Discounted, "{:?}", finding.reasons);
    assert_eq!(named(&finding).unwrap().0, 9.0);
    let validity = finding.reasons.iter().find(|reason| reason.kind == "validity").unwrap();
    assert!(validity.text.contains("stood for this address"), "{}", validity.text);
    assert_eq!(finding.infrastructure[0].address.to_string(), OTHER);

    // The address that was met tells of the name.
    world.request.cluster = Some(finding.cluster.id.clone());
    assert!(world.hunt().not_seen.is_empty(), "{:#?}", world.hunt().not_seen);
    // Another name of the same line was not.
    let beside = Claim { indicator: Indicator::Domain("c3.example.net".to_owned()), ..name_claim() };
    let hunt = world.claims([name_claim(), beside]).hunt();
    let told: Vec<&str> = hunt.not_seen.iter().filter_map(|row| row.indicator.as_deref()).collect();
    assert_eq!(told, ["c3.example.net"]);
}

#[test]
fn who_knows_a_shared_server_by_another_name_is_not_accused_for_the_claimed_one() {
    const NEIGHBOUR: &str = "203.0.113.26";
    let talk = flow(&format!("{NEIGHBOUR}:50001 > {OTHER}:443")).at_time(noon(0)).lasting_s(30);
    let talk = talk.sent(20, 9_000).answered(18, 8_000).flags(TALK).answer_flags(TALK);
    let mut world = unlisted(called(VICTIM, OTHER)).flows([talk]);
    let weight = |world: &World| {
        let hunt = world.hunt();
        let reasons = of(&hunt, NEIGHBOUR).unwrap().reasons.clone();
        reasons.iter().find(|reason| reason.kind == "other_name").map(|reason| reason.weight)
    };
    assert_eq!(weight(&world), None);
    let shop = Handshake { server_name: "shop.example.net".to_owned(), ..called(NEIGHBOUR, OTHER) };
    world.handshakes.push(shop);
    assert_eq!(weight(&world), Some(-20.0));
    let hunt = world.hunt();
    assert!(of(&hunt, VICTIM).unwrap().verdict > of(&hunt, NEIGHBOUR).unwrap().verdict);
    // Nor is the name of a listed address another's.
    let listed = world.claims([claim(OTHER, "RedFoxtrot")]);
    assert_eq!(weight(&listed), None);
}

#[test]
fn each_of_many_sessions_is_known_by_its_name_in_any_order() {
    const SESSIONS: i64 = 700;
    let at = |n: i64| noon(0).plus_micros(n * 60 * SECOND_US);
    let talk = |n: i64| {
        let port = 20_000 + n;
        flow(&format!("{VICTIM}:{port} > {C2}:443")).at_time(at(n)).lasting_s(5).sent(20, 9_000)
    };
    let call =
        |n: i64| Handshake { time: at(n), server_name: format!("{n}.example.net"), ..called(VICTIM, C2) };
    let mut world = World::of((0..SESSIONS).map(talk)).claims([name_claim()]);
    world.handshakes = (0..SESSIONS).map(call).collect();
    // The address is claimed because another host called it by the claimed name.
    world.handshakes.push(called("203.0.113.26", C2));
    let told = |world: &World| {
        let hunt = world.hunt();
        let reasons = &of(&hunt, VICTIM).unwrap().reasons;
        reasons.iter().find(|reason| reason.kind == "other_name").map(|reason| reason.text.clone())
    };
    let text = "the victim knew the address as `0.example.net`, and the claim is about another name";
    assert_eq!(told(&world).as_deref(), Some(text));
    world.handshakes.reverse();
    assert_eq!(told(&world).as_deref(), Some(text));
}

#[test]
fn what_the_victim_called_by_another_name_is_not_the_clusters() {
    let quiet = flow(&format!("{VICTIM}:50002 > {OTHER}:443")).at_time(noon(0)).lasting_s(30);
    let quiet = quiet.sent(2_000, 2_900_000).answered(900, 40_000).flags(TALK).answer_flags(TALK);
    let later = |name: &str| Handshake { server_name: name.to_owned(), ..called(VICTIM, OTHER) };
    let world = |at_s: i64, name: &str| {
        let quiet = quiet.clone().at_time(noon(0).plus_micros(at_s * SECOND_US));
        let mut world = unlisted(called(VICTIM, OTHER)).flows([quiet]);
        let time = noon(0).plus_micros(at_s * SECOND_US);
        world.handshakes.push(Handshake { time, ..later(name) });
        world.finding()
    };
    let both = world(3_600, NAME);
    let one = world(3_600, "shop.example.net");
    assert_eq!((both.flows, one.flows), (2, 1));
    assert!(both.octets_out.low > 2_000_000.0 && one.octets_out.low < 100_000.0);
    let text = "1 session not counted: the victim knew the address by another name then";
    assert!(one.reasons.iter().any(|reason| reason.text == text), "{:#?}", one.reasons);
    assert!(named(&one).is_some());
}

#[test]
fn strangers_call_strangers_what_they_like() {
    let passing = Handshake { client: "198.51.100.77".parse().unwrap(), ..called(VICTIM, OTHER) };
    let hunt = unlisted(passing).hunt();
    assert!(hunt.findings.is_empty() && hunt.discounted.is_empty(), "{:#?}", hunt.findings);
    // A private server is a proxy, or our own.
    let proxy = "10.0.0.8";
    let world = World { handshakes: vec![called(VICTIM, proxy)], ..World::of([talk(proxy, 0)]) };
    let hunt = world.claims([name_claim()]).hunt();
    assert!(hunt.findings.is_empty() && hunt.discounted.is_empty(), "{:#?}", hunt.findings);
}

#[test]
fn strangers_call_our_hosts_what_they_like() {
    let is_quiet = |world: &World| {
        let hunt = world.hunt();
        hunt.findings.is_empty() && hunt.discounted.is_empty()
    };
    assert!(is_quiet(&unlisted(called(OTHER, VICTIM))));

    // Where nobody says which networks are ours, private hosts are.
    const PRIVATE: &str = "10.0.0.5";
    let mut unknown = unlisted(called(PRIVATE, OTHER));
    unknown.networks.clear();
    unknown.flows =
        vec![flow(&format!("{PRIVATE}:50001 > {OTHER}:443")).at_time(noon(0)).sent(20, 9_000).build()];
    assert!(!is_quiet(&unknown));
    unknown.handshakes = vec![called(OTHER, PRIVATE)];
    assert!(is_quiet(&unknown));
}

/// The hash of a certificate.
const CERTIFICATE: &str = "4e1243bd22c66e76c2ba9eddc1f91394e57f9f83";

/// At noon of the first day the victim is shown the certificate by an address.
fn presented(server: &str) -> Handshake {
    Handshake {
        time: noon(0),
        client: VICTIM.parse().unwrap(),
        server: server.parse().unwrap(),
        server_port: 443,
        certificate: CERTIFICATE.to_owned(),
        ..Handshake::blank()
    }
}

fn certificate_claim() -> Claim {
    Claim { indicator: Indicator::Certificate(CERTIFICATE.to_owned()), ..name_claim() }
}

#[test]
fn a_server_that_presented_a_claimed_certificate_is_found_without_its_address() {
    let world = World {
        handshakes: vec![presented(OTHER)],
        ..World::of([talk(OTHER, 0)]).claims([certificate_claim()])
    };
    let finding = world.finding();
    assert_eq!(finding.cluster.id.to_string(), "redfoxtrot");
    let (weight, text) = named(&finding).unwrap();
    assert_eq!(weight, 9.0);
    assert!(text.contains(CERTIFICATE), "{text}");
    let validity = finding.reasons.iter().find(|reason| reason.kind == "validity").unwrap();
    assert!(validity.text.contains("presented a certificate claimed by"), "{}", validity.text);
}

#[test]
fn a_claimed_certificate_speaks_for_a_claimed_address_and_a_failed_handshake_does_not() {
    let with = |handshake: Handshake| World {
        handshakes: vec![handshake],
        ..World::of([talk(C2, 0)]).claims([claim(C2, "RedFoxtrot"), certificate_claim()])
    };
    assert!(named(&with(presented(C2)).finding()).is_some());
    let failed = Handshake { established: Some(false), ..presented(C2) };
    assert_eq!(named(&with(failed).finding()), None);
    let elsewhere = Handshake { server_port: 8443, ..presented(C2) };
    assert_eq!(named(&with(elsewhere).finding()), None);
}

/// A list of names that everybody asks for.
fn popular(name: &str) -> Note {
    Note {
        matching: Matching::Above(name.to_owned()),
        validity: Window::ALL,
        source: "Top 1000 website from Example".into(),
    }
}

#[test]
fn an_address_that_was_called_by_a_name_of_everybody_is_not_believed() {
    let world = |name: &str, note: &str| World {
        resolutions: vec![asked(name, 2, C2)],
        notes: vec![popular(note)],
        ..World::of([talk(C2, 0)]).claims([claim(C2, "RedFoxtrot")])
    };
    let reason = |world: &World| {
        let finding = world.finding();
        finding.reasons.iter().find(|reason| reason.kind == "name_of_everybody").map(|reason| reason.weight)
    };
    assert_eq!(reason(&world("www.example.net", "example.net")), Some(-20.0));
    assert_eq!(world("www.example.net", "example.net").finding().rival.unwrap().kind, "service");
    // A name that no list knows, one that is rented out, and one that is claimed.
    assert_eq!(reason(&world("www.example.com", "example.net")), None);
    assert_eq!(reason(&world("x.duckdns.org", "duckdns.org")), None);
    let claimed = world(NAME, "example.org").claims([claim(C2, "RedFoxtrot"), name_claim()]);
    assert_eq!(reason(&claimed), None);
    // Most of the contact must be explained.
    let long = world("www.example.net", "example.net").flows([talk(C2, 1)]);
    assert_eq!(reason(&long), None);
}

#[test]
fn a_name_that_was_only_resolved_is_told_and_not_believed() {
    let unanswered = Resolution { answer: Answer::None, ..asked(NAME, 100, C2) };
    let mut world = world(vec![asked(NAME, 2, "192.0.2.250"), unanswered]);
    world.flows.clear();
    let finding = world.finding();
    assert_eq!((finding.verdict, finding.flows, finding.confidence), (Verdict::Discounted, 0, 1));
    assert_eq!((finding.reasons[0].kind, finding.reasons[0].weight), ("resolved", -6.0));
    assert_eq!(
        finding.reasons[0].text,
        "the host asked 2 times for c2.example.org; no flow with an answer was seen"
    );
    assert_eq!(finding.first_seen, Some(noon(0).plus_micros(-100 * SECOND_US)));
}

/// A sensor tells a question and its answers apart, Zeek in one row; of one message there are many rows.
#[test]
fn questions_are_counted_however_they_are_told() {
    let question = |seconds: i64| Resolution {
        answer: Answer::None,
        source_row: seconds as u64,
        ..asked(NAME, seconds, C2)
    };
    let answers = |seconds: i64| {
        let answer = move |address| Resolution {
            response: Some(0),
            source_row: seconds as u64,
            ..asked(NAME, seconds, address)
        };
        ["192.0.2.250", "192.0.2.251"].map(answer)
    };
    let told = |resolutions: Vec<Resolution>| {
        let mut world = world(resolutions);
        world.flows.clear();
        let text = world.finding().reasons[0].text.clone();
        text.strip_prefix("the host asked ").and_then(|text| text.split_once(" for ")).unwrap().0.to_owned()
    };
    assert_eq!(told(answers(9).to_vec()), "once");
    assert_eq!(told([&[question(10)][..], &answers(9)].concat()), "once");
    // The first question was not answered; in Zeek's rows, nor was the last.
    assert_eq!(told([&[question(12), question(10)][..], &answers(9)].concat()), "2 times");
    assert_eq!(told([&answers(60)[..], &answers(30), &[question(5)]].concat()), "3 times");
    let elsewhere = Resolution { source: "other".into(), ..question(10) };
    assert_eq!(told([&[question(10), elsewhere][..], &answers(9)].concat()), "2 times");
}

#[test]
fn a_name_that_was_resolved_in_our_network_accuses_the_address_it_had() {
    let world = World { resolutions: vec![asked(NAME, 2, OTHER)], ..World::of([talk(OTHER, 0)]) };
    let world = world.claims([name_claim()]);
    let finding = world.finding();
    assert!(finding.verdict > Verdict::Discounted, "{:?}", finding.reasons);
    let validity = finding.reasons.iter().find(|reason| reason.kind == "validity").unwrap();
    assert_eq!(validity.weight, 3.0);
    assert!(
        validity.text.contains("when a name claimed by a report stood for this address"),
        "{}",
        validity.text
    );

    // Three days later the address may be another's.
    let later = World { resolutions: vec![asked(NAME, 2, OTHER)], ..World::of([talk(OTHER, 3)]) };
    let later = later.claims([name_claim()]).finding();
    assert!(
        later.confidence < finding.confidence && later.verdict <= Verdict::Possible,
        "{:?}",
        later.reasons
    );
}

#[test]
fn many_addresses_of_one_name_do_not_corroborate_each_other() {
    let addresses = [OTHER, "192.0.2.251", "192.0.2.252"];
    let resolutions = addresses.map(|address| asked(NAME, 2, address)).to_vec();
    let world = World { resolutions, ..World::of(addresses.map(|address| talk(address, 0))) };
    let finding = world.claims([name_claim()]).finding();
    assert_eq!(finding.flows, 3);
    assert!(finding.reasons.iter().all(|reason| reason.kind != "corroboration"), "{:?}", finding.reasons);
}

#[test]
fn a_name_asked_outside_its_window_is_told_with_the_reason_and_speaks_for_nothing() {
    let lapsed = Claim { validity: rahdar_testkit::window("2021-02-01", "2021-03-01"), ..name_claim() };
    let led_to_a_call = world(vec![asked(NAME, 2, C2)]).claims([claim(C2, "RedFoxtrot"), lapsed.clone()]);
    assert_eq!(named(&led_to_a_call.finding()), None);

    let questions = vec![asked(NAME, 2, OTHER), asked(NAME, 9, OTHER)];
    let world = World { resolutions: questions.clone(), ..World::of([talk(OTHER, 0)]) };
    let finding = world.claims([lapsed.clone()]).finding();
    assert_eq!((finding.verdict, finding.flows), (Verdict::Discounted, 1));
    assert_eq!((finding.reasons[0].kind, finding.reasons[0].weight), ("before_window", -12.0));
    assert_eq!(
        finding.reasons[0].text,
        "the host asked 2 times for c2.example.org, 31 days before the window that a report states: 2021-02-01 \
         to 2021-02-28; no claim names the resolved addresses; 1 flow reached them"
    );
    assert_eq!(finding.first_seen, Some(noon(0).plus_micros(-9 * SECOND_US)));

    // Of two questions as near, the earlier tells, in whatever order they are stored.
    let around = Claim { validity: rahdar_testkit::window("2021-01-04", "2021-01-07"), ..name_claim() };
    let told = |days: [i64; 2]| {
        let at = |day: i64| Resolution {
            time: noon(0).plus_micros(day * 86_400 * SECOND_US),
            ..asked(NAME, 0, OTHER)
        };
        let world = World { resolutions: days.map(at).to_vec(), ..World::of([]) };
        world.claims([around.clone()]).finding().reasons[0].text.clone()
    };
    assert_eq!(told([0, 8]), told([8, 0]));

    // Where a claim held for one of the questions, that is told, and no more.
    let held = Claim { place: "line 2".to_owned(), ..name_claim() };
    let both = World { resolutions: questions, ..World::of([]) }.claims([lapsed, held]);
    assert_eq!(both.finding().reasons[0].kind, "resolved");
}

#[test]
fn a_name_asked_by_a_stranger_is_no_matter() {
    let stranger = Resolution { client: "198.51.100.1".parse().unwrap(), ..asked(NAME, 2, "192.0.2.250") };
    let world = World { resolutions: vec![stranger], ..World::of([]).claims([name_claim()]) };
    assert!(world.hunt().discounted.is_empty());
}
