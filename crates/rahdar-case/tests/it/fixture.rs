//! A hunt that resembles Roshan-2021: four clusters on one mail server, one of them on a second
//! telecom too, and a few matches that are not believed.

use rahdar_model::account::{
    Attribution, Chronology, ClusterAccount, Company, CompanyKind, Hypothesis, Order, Relation, Rival,
    Touched, Unseen, Upload, UploadClaim,
};
use rahdar_model::coverage::{ExporterCoverage, Lost};
use rahdar_model::fact::{Loss, Unit};
use rahdar_model::finding::{
    Attempts, Daily, EventTest, Finding, Hunt, Infrastructure, Reason, Rhythm, Spike, Surge, Verdict, Victim,
    VictimTotal,
};
use rahdar_model::intelligence::{Cluster, ClusterId, Event, Tlp};
use rahdar_model::marking::Marking;
use rahdar_model::profile::{Behaviour, Chance, Countries, Origin, Profile, Stated};
use rahdar_model::sight::{Hole, NotSeen, Sight, Witness};
use rahdar_model::{Day, Estimate, Timestamp, Window};

use rahdar_case::report::Context;

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn span(from: &str, until: &str) -> Window {
    Window::new(time(from), time(until))
}

/// The events that a person registered.
pub(crate) fn events() -> Vec<Event> {
    let event = |at: &str, label: &str| Event::new(time(at), label);
    vec![
        event("2021-03-02", "mail server flaw disclosed"),
        event("2021-08-01", "withdrawal in its last month"),
        event("2021-08-15", "government falls"),
    ]
}

pub(crate) fn context(events: &[Event]) -> Context<'_> {
    Context {
        title: "Contact with adversary infrastructure",
        tlp: Tlp::Amber,
        events,
        generated: time("2026-11-22T01:02:03Z"),
        version: "0.1.0",
        rerun: "rahdar hunt --from 2020-07-01 --until 2021-09-28",
    }
}

/// The whole hunt.
pub(crate) fn roshan() -> Hunt {
    let (mail, other) = (mail_server(), second_telecom());
    let mut calypso = finding(&mail, &group("Calypso"), "2020-07-06", "2021-09-26", 5, 212);
    calypso.octets_out = estimate(1_551_200_000.0, 1_804_100_000.0, None);
    calypso.octets_out_confirmed = calypso.octets_out;
    calypso.surges = vec![Surge {
        window: span("2021-08-01", "2021-09-28"),
        since: "2021-08-02".parse().unwrap(),
        ratio: 5.23,
        ratio_low: 3.12,
        ratio_high: 9.06,
        p_value: 0.0022,
        p_adjusted: 0.0041,
        event: Some("withdrawal in its last month".to_owned()),
        is_exploratory: false,
    }];
    calypso.event_tests = vec![
        tested("ProxyLogon disclosed", "2021-03-02", Some((0.31, 0.4)), ""),
        tested("withdrawal in its last month", "2021-08-01", Some((0.0022, 0.0041)), ""),
        tested(
            "Kabul falls",
            "2021-08-15",
            Some((0.02, 0.03)),
            "an earlier or later event explains the same increase better",
        ),
    ];
    calypso.chronology = vec![
        came("ProxyLogon disclosed", "2021-03-02", Order::Before, -239, ""),
        came("withdrawal in its last month", "2021-08-01", Order::Before, -391, ""),
    ];
    calypso.spikes = vec![Spike { day: "2021-08-16".parse().unwrap(), ratio: 9.4 }];
    calypso.infrastructure = vec![
        endpoint("192.0.2.11", 443, "2020-06-20", "2020-10-01", "2020-07-06", "2020-09-30"),
        endpoint("192.0.2.12", 8080, "2020-09-20", "2021-01-05", "2020-10-02", "2021-01-03"),
        endpoint("192.0.2.13", 443, "2021-01-01", "2021-05-02", "2021-01-05", "2021-04-30"),
        endpoint("192.0.2.14", 443, "2021-04-25", "2021-10-01", "2021-05-02", "2021-09-26"),
    ];
    let mut winnti = finding(&mail, &cluster("Winnti cluster", "Winnti"), "2021-01-11", "2021-09-26", 7, 171);
    winnti.octets_out = estimate(1_470_000_000.0, 1_722_000_000.0, None);
    winnti.octets_out_confirmed = winnti.octets_out;
    winnti.surges = vec![Surge {
        window: span("2021-08-09", "2021-09-28"),
        since: "2021-08-09".parse().unwrap(),
        ratio: 6.9,
        ratio_low: 3.3,
        ratio_high: f64::INFINITY,
        p_value: 0.0002,
        p_adjusted: 0.0002,
        event: None,
        is_exploratory: false,
    }];
    winnti.rhythm = Rhythm {
        period_s: Some(3_600.0),
        score: Some(0.93),
        p_value: Some(0.000_03),
        judged: true,
        why: "168 contacts, jitter 1 %, p ≤ 0.0001 (phase of intervals)".to_owned(),
    };
    let mut plugx = finding(&mail, &cluster("PlugX cluster", "PlugX"), "2020-11-02", "2021-09-26", 8, 144);
    plugx.octets_out = estimate(701_000_000.0, 915_000_000.0, None);
    plugx.octets_out_confirmed = plugx.octets_out;
    plugx.at_least = false;
    plugx.chronology = vec![came(
        "an older flaw disclosed",
        "2020-06-15",
        Order::NotCovered,
        140,
        "the telemetry begins on 2020-07-01",
    )];
    plugx.upload = Upload {
        claim: UploadClaim::Volume,
        why: "only 61 of 100 octets of payload went out".to_owned(),
        is_shared: true,
        unseen: Some(Unseen { days: 1, high: None }),
        ..plugx.upload
    };
    plugx.event_tests = vec![tested("withdrawal in its last month", "2021-08-01", Some((0.4, 0.5)), "")];
    let mut fox = finding(&mail, &group("RedFoxtrot"), "2021-03-08", "2021-05-23", 9, 46);
    fox.octets_out = estimate(433_000_000.0, 572_000_000.0, None);
    fox.octets_out_confirmed = fox.octets_out;
    fox.rival = None;
    fox.chronology = vec![came(
        "ProxyLogon disclosed",
        "2021-03-02",
        Order::After,
        6,
        "packets were sampled, and earlier contact may have left no record",
    )];
    fox.cluster.tools = vec!["PCShare".to_owned(), "PlugX".to_owned()];
    fox.infrastructure =
        vec![endpoint("192.0.2.31", 8080, "2021-02-01", "2021-06-16", "2021-03-08", "2021-05-23")];
    fox.event_tests = vec![tested(
        "withdrawal in its last month",
        "2021-08-01",
        None,
        "believed contact is on record only until 2021-05-23, before the event",
    )];
    let mut fox_too = finding(&other, &group("RedFoxtrot"), "2021-03-15", "2021-05-30", 11, 31);
    fox_too.octets_out = estimate(121_000_000.0, 202_000_000.0, None);
    fox_too.octets_out_confirmed = fox_too.octets_out;
    fox_too.infrastructure =
        vec![endpoint("192.0.2.31", 8080, "2021-02-01", "2021-06-16", "2021-03-15", "2021-05-30")];

    Hunt {
        window: span("2020-07-01", "2021-09-28"),
        flows_swept: 1_204_331,
        claims_asked: 24,
        intelligence_version: 17,
        table_version: 42,
        findings: vec![calypso, plugx, winnti, fox, fox_too],
        discounted: discounted(&mail),
        victims: vec![
            VictimTotal {
                address: other.address,
                clusters: 1,
                octets_out: estimate(121e6, 202e6, None),
                octets_out_confirmed: estimate(121e6, 202e6, None),
            },
            VictimTotal {
                address: mail.address,
                clusters: 4,
                octets_out: estimate(4_310_900_000.0, 5.02e9, None),
                octets_out_confirmed: estimate(4_310_900_000.0, 5.02e9, None),
            },
        ],
        octets_out: estimate(4_433_000_000.0, 5.22e9, None),
        octets_out_confirmed: estimate(4_433_000_000.0, 5.22e9, None),
        coverage: vec![
            exporter("border-1", Some(512), &[span("2021-08-20T06:00:00Z", "2021-08-20T12:00:00Z")]),
            exporter("border-2", Some(1000), &[span("2021-08-20T10:00:00Z", "2021-08-20T12:00:00Z")]),
            exporter("transit", Some(4000), &[span("2021-08-20T05:00:00Z", "2021-08-20T13:00:00Z")]),
        ],
        clusters: accounts(),
        companies: companies(),
        not_seen: vec![quiet()],
        calibration: None,
        marking: Marking::default(),
    }
}

/// A cluster that nobody was in contact with.
fn quiet() -> NotSeen {
    let id = ClusterId::of_name("Quiet cluster");
    NotSeen {
        cluster: Cluster { name: "Quiet cluster".to_owned(), id, named: false, tools: Vec::new() },
        indicator: None,
        claims: 12,
        window: Some(span("2021-01-01", "2021-07-01")),
        sight: Sight {
            hours: 4_344,
            hours_recorded: 4_340,
            arrived: Some(0.998),
            least_packets: Some(12_460),
            why: String::new(),
        },
        marking: Marking::default(),
    }
}

/// What three exporters saw of a finding, one of which was down for a while.
fn witness() -> Witness {
    let hole = Hole {
        window: span("2021-03-03T10:00:00Z", "2021-03-05T02:00:00Z"),
        exporter: "transit".into(),
        observation_domain: 1,
        usual_flows: 1_520,
        lost: vec![Lost { cause: Loss::Sequence, unit: Unit::Datagrams, count: 80 }],
    };
    Witness {
        sight: Sight {
            hours: 10_700,
            hours_recorded: 10_694,
            arrived: Some(0.998),
            least_packets: Some(12_460),
            why: String::new(),
        },
        contact_packets: Some(900),
        detection: Some(0.827),
        why: String::new(),
        holes: vec![hole],
    }
}

fn came(event: &str, at: &str, order: Order, days: i64, why: &str) -> Chronology {
    Chronology { event: event.to_owned(), at: time(at), order, days, why: why.to_owned() }
}

/// What is known of Calypso and RedFoxtrot over all victims.
fn accounts() -> Vec<ClusterAccount> {
    let said = |cluster: &str, relation, source: &str, published: Option<&str>| Attribution {
        cluster: ClusterId::of_name(cluster),
        actor: cluster.to_owned(),
        relation,
        source: source.into(),
        published: published.map(time),
        confidence: None,
        tlp: None,
    };
    let hypothesis = |actor: &str, weight, statements| Hypothesis {
        actor: (!actor.is_empty()).then(|| actor.to_owned()),
        weight,
        statements,
    };
    let touched = |address: &str, verdict| Touched {
        address: address.parse().unwrap(),
        verdict,
        first_seen: Some(time("2021-03-08")),
        last_seen: Some(time("2021-05-30")),
    };
    let account = |name: &str, hypotheses, touched| ClusterAccount {
        id: ClusterId::of_name(name),
        name: name.to_owned(),
        hypotheses,
        touched,
        endpoints_claimed: 6,
        endpoints_met: 4,
    };
    vec![
        account(
            "Calypso",
            vec![
                hypothesis(
                    "Calypso",
                    0.906,
                    vec![said("Calypso", Relation::Same, "Example Lab", Some("2021-03-15"))],
                ),
                hypothesis("", 0.094, Vec::new()),
            ],
            vec![touched("203.0.113.25", Verdict::Confirmed), touched("203.0.113.26", Verdict::Discounted)],
        ),
        account(
            "RedFoxtrot",
            vec![
                hypothesis("RedFoxtrot", 0.7, vec![said("RedFoxtrot", Relation::Same, "Example Lab", None)]),
                hypothesis(
                    "Nomad Panda",
                    0.22,
                    vec![said("Nomad Panda", Relation::Overlaps, "Another Lab", None)],
                ),
                hypothesis("", 0.08, Vec::new()),
            ],
            vec![touched("198.51.100.7", Verdict::Confirmed), touched("203.0.113.25", Verdict::Confirmed)],
        ),
    ]
}

fn companies() -> Vec<Company> {
    vec![Company {
        victim: mail_server().address,
        clusters: [ClusterId::of_name("Calypso"), ClusterId::of_name("RedFoxtrot")],
        shared_addresses: Vec::new(),
        shared_tools: vec!["PlugX".to_owned()],
        common_days: 40,
        p_value: Some(0.31),
        p_adjusted: Some(0.31),
        relation: CompanyKind::SharedTool,
        why:
            "the same malware is named with both, which groups share; no address in common; their days agree \
              no more often than coincidence allows"
                .to_owned(),
    }]
}

fn tested(event: &str, at: &str, p: Option<(f64, f64)>, why: &str) -> EventTest {
    EventTest {
        event: event.to_owned(),
        at: time(at),
        is_exploratory: false,
        assessed: p.is_some(),
        p_value: p.map(|(p, _)| p),
        p_adjusted: p.map(|(_, p)| p),
        why: why.to_owned(),
    }
}

/// A hunt over nothing.
pub(crate) fn empty() -> Hunt {
    Hunt {
        window: Window::ALL,
        flows_swept: 0,
        claims_asked: 0,
        intelligence_version: 0,
        table_version: 0,
        findings: Vec::new(),
        discounted: Vec::new(),
        victims: Vec::new(),
        octets_out: Estimate::exact(0),
        octets_out_confirmed: Estimate::exact(0),
        coverage: Vec::new(),
        not_seen: Vec::new(),
        clusters: Vec::new(),
        companies: Vec::new(),
        calibration: None,
        marking: Marking::default(),
    }
}

pub(crate) fn mail_server() -> Victim {
    Victim {
        address: "203.0.113.25".parse().unwrap(),
        asn: Some(64500),
        org: "Example Telecom".to_owned(),
        sector: "telecom".to_owned(),
        country: "AF".to_owned(),
        roles: vec!["mail server".to_owned()],
        profile: profile(),
    }
}

/// What is known of the mail server's network.
fn profile() -> Profile {
    let day = |text: &str| time(text).day();
    let said = |value: &str, source: &str, as_of: Option<&str>| Stated {
        value: value.to_owned(),
        source: source.into(),
        as_of: as_of.map(day),
    };
    let origin = Origin { prefix: "203.0.113.0/24".parse().unwrap(), asns: vec![64500] };
    let chance = |role: &str, p| Chance { role: role.to_owned(), p };
    Profile {
        origins: vec![Stated {
            value: origin,
            source: "CAIDA pfx2as, IPv4".into(),
            as_of: Some(day("2020-07-01")),
        }],
        orgs: vec![
            said("Example Telecom", "the operator", None),
            said("EXTEL", "CAIDA as2org", Some("2020-07-01")),
        ],
        sectors: vec![said("telecom", "the operator", None)],
        countries: Countries {
            registered: vec![said("AF", "delegated, ripencc", Some("2020-07-01"))],
            geolocated: Vec::new(),
            operating: vec![said("AF", "the operator", None)],
        },
        role: None,
        behaviour: Some(Behaviour {
            top: chance("mail server", 0.95),
            runner_up: chance("web server", 0.04),
            reasons: vec!["mail server: 40 networks called port 25 (+8 dB)".to_owned()],
            until: day("2021-09-29"),
        }),
    }
}

fn second_telecom() -> Victim {
    Victim {
        address: "198.51.100.7".parse().unwrap(),
        asn: Some(64501),
        org: "Second Telecom".to_owned(),
        roles: Vec::new(),
        profile: Profile::default(),
        ..mail_server()
    }
}

/// A named group.
pub(crate) fn group(name: &str) -> Cluster {
    Cluster { id: ClusterId::of_name(name), name: name.to_owned(), named: true, tools: Vec::new() }
}

/// A cluster that nobody names, known by its malware.
fn cluster(name: &str, tool: &str) -> Cluster {
    Cluster { named: false, tools: vec![tool.to_owned()], ..group(name) }
}

pub(crate) fn estimate(low: f64, point: f64, high: Option<f64>) -> Estimate {
    Estimate::new((point / 700.0) as u64, low, point, high)
}

/// A confirmed finding with `days` days of contact between two dates.
pub(crate) fn finding(
    victim: &Victim,
    cluster: &Cluster,
    first: &str,
    last: &str,
    seed: u64,
    days: u32,
) -> Finding {
    let daily = daily(first, last, seed, days);
    let reason = |kind, weight, text: &str| Reason { kind, weight, text: text.to_owned() };
    Finding {
        id: format!("{}-{}", victim.address, cluster.id),
        victim: victim.clone(),
        cluster: cluster.clone(),
        verdict: Verdict::Confirmed,
        confidence: 95,
        credibility: 1,
        reasons: vec![
            reason("establishment", 12.0, "payload went both ways in 300 sessions"),
            reason("port", 10.0, "the victim opened the connections, to the port that was claimed"),
            reason("validity", 8.0, "every contact lies inside the window of its claim"),
            reason("persistence", 7.0, "contact on more than fifteen days"),
            reason("exclusivity", 5.0, "the server hosts few names"),
            reason("scanning", -2.5, "one of the servers scanned other hosts of the network in 2020"),
        ],
        first_seen: Some(time(first).plus_micros(3_723_000_000)),
        last_seen: Some(time(last).plus_micros(80_000_000_000)),
        at_least: true,
        witness: witness(),
        is_distinct: true,
        days_active: days,
        flows: 3_000,
        exporters: ["border-1", "border-2", "transit"].map(Into::into).to_vec(),
        octets_out: estimate(100e6, 150e6, None),
        octets_out_confirmed: estimate(100e6, 150e6, None),
        octets_in: estimate(9e6, 12e6, None),
        attempts: Attempts::default(),
        repeated: 0,
        rhythm: Rhythm {
            period_s: None,
            score: None,
            p_value: None,
            judged: false,
            why: "sampled 1:1000, about 1.5 % of check-ins leave a record".to_owned(),
        },
        surges: Vec::new(),
        event_tests: Vec::new(),
        spikes: Vec::new(),
        daily,
        infrastructure: vec![endpoint("192.0.2.21", 443, "2020-07-01", "2021-12-01", first, last)],
        rival: Some(Rival {
            kind: "scanner",
            text: "the contact was part of a scan".to_owned(),
            weight: 2.5,
        }),
        upload: Upload {
            payload_low: 96e6,
            balance: Some(0.86),
            claim: UploadClaim::Exfiltration,
            why: "at least 10 MB left, and 93 of 100 octets of payload went out".to_owned(),
            is_shared: false,
            unseen: Some(Unseen { days: 12, high: Some(4_493_599.0) }),
        },
        chronology: Vec::new(),
        marking: Marking::default(),
    }
}

/// `days` days between two dates, the first and the last among them, of uneven size.
fn daily(first: &str, last: &str, seed: u64, days: u32) -> Vec<Daily> {
    let (Day(first), Day(last)) = (first.parse().unwrap(), last.parse().unwrap());
    let surge: Day = "2021-08-02".parse().unwrap();
    (0..days)
        .map(|n| {
            let day = first + ((last - first) as i64 * i64::from(n) / i64::from(days.max(2) - 1)) as i32;
            // Some spread that is the same everywhere: a product of primes, folded.
            let spread = (u64::from(n) + 3) * seed * 7_919 % 97;
            let growth = if day >= surge.0 && seed < 8 { 5.0 } else { 1.0 };
            let point = (spread * spread) as f64 * 1_700.0 * growth + 400_000.0;
            Daily {
                day: Day(day),
                octets_out: estimate(point * 0.62, point, Some(point * 1.45 + 2e6)),
                octets_in: estimate(point / 30.0, point / 20.0, None),
                flows: 1 + spread / 3,
            }
        })
        .collect()
}

pub(crate) fn endpoint(
    address: &str,
    port: u16,
    from: &str,
    until: &str,
    first: &str,
    last: &str,
) -> Infrastructure {
    Infrastructure {
        address: address.parse().unwrap(),
        port,
        protocol: 6,
        indicator: address.to_owned(),
        validity: span(from, until),
        source: "Example Lab, indicator list of 2021".into(),
        first_seen: Some(time(first)),
        last_seen: Some(time(last).plus_micros(70_000_000_000)),
        flows: 512,
    }
}

fn discounted(mail: &Victim) -> Vec<Finding> {
    let scan = |n: u64| {
        let mut match_ = finding(mail, &group("Calypso"), "2021-02-01", "2021-02-03", n, 2);
        match_.id = format!("scan-{n}");
        match_.verdict = Verdict::Discounted;
        match_.confidence = 1;
        match_.reasons = vec![Reason {
            kind: "indicator_scans",
            weight: -15.0,
            text: "the indicator knocked on 300 hosts in that hour and nobody answered".to_owned(),
        }];
        match_
    };
    let mut shared = scan(9);
    shared.reasons = vec![Reason {
        kind: "cdn",
        weight: -25.0,
        text: "the address belongs to a content delivery network that 40 hosts here use".to_owned(),
    }];
    vec![scan(1), scan(2), shared, scan(3)]
}

fn exporter(name: &str, rate: Option<u32>, silent: &[Window]) -> ExporterCoverage {
    ExporterCoverage {
        exporter: name.into(),
        observation_domain: 1,
        window: span("2020-07-01", "2021-09-28"),
        flows: 400_000,
        sampling: vec![rate],
        tcp_flows: 250_000,
        tcp_flows_two_way: 210_000,
        marked: 12,
        silent: silent.to_vec(),
        lost: Vec::new(),
        gaps: Vec::new(),
        losses: Vec::new(),
        hours: Vec::new(),
        flow_sampled: 0,
        template_conflicts: 0,
    }
}
