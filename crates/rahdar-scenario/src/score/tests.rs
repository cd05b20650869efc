//! Each mistake a hunt can make, and the lines that must notice.

use std::sync::LazyLock;

use rahdar_model::account::Upload;
use rahdar_model::finding::{
    Attempts, Daily, EventTest, Infrastructure, Rhythm, Surge, Victim as Host, VictimTotal,
};
use rahdar_model::intelligence::{Cluster, ClusterId};
use rahdar_model::sight::Witness;
use rahdar_model::time::DAY_US;
use rahdar_model::{Day, Estimate, Window};

use super::*;
use crate::telemetry::World;
use crate::truth::{ClusterTruth, Event, ServerTruth};
use crate::{Settings, Truth};

fn truth(sampling: Sampling) -> Truth {
    let settings = Settings { seed: 3, flows: 1_000, sampling };
    Truth::of(&World::new(&settings).unwrap(), Vec::new())
}

/// The truth for the exporters and for the unsampled sensor.
static TRUTHS: LazyLock<[Truth; 2]> = LazyLock::new(|| [Sampling::Exporters, Sampling::Unsampled].map(truth));

/// Bounds as a good estimator would give them.
fn bounds(truth: &Truth, octets: u64) -> Estimate {
    match truth.settings.sampling {
        Sampling::Unsampled => Estimate::exact(octets),
        _ => {
            let octets = octets as f64;
            Estimate::new(0, octets * 0.87, octets * 0.99, Some(octets * 1.12))
        }
    }
}

fn finding(truth: &Truth, pair: &Pair) -> Finding {
    let host = truth.victims.iter().find(|victim| victim.address == pair.victim).unwrap();
    let cluster = truth.clusters.iter().find(|cluster| cluster.name == pair.cluster).unwrap();
    Finding {
        id: format!("{} {}", pair.victim, pair.cluster),
        victim: Host {
            address: host.address,
            asn: Some(host.asn),
            org: host.org.clone(),
            sector: host.sector.clone(),
            country: host.country.clone(),
            roles: [host.role.clone()].into_iter().filter(|role| !role.is_empty()).collect(),
            profile: Default::default(),
        },
        cluster: Cluster {
            id: ClusterId::of_name(&cluster.name),
            name: cluster.name.clone(),
            named: cluster.named,
            tools: Vec::new(),
        },
        verdict: Verdict::Confirmed,
        confidence: 95,
        credibility: 1,
        reasons: Vec::new(),
        first_seen: Some(pair.first_visible),
        last_seen: Some(pair.last_visible),
        at_least: true,
        witness: Witness::none("no flow was asked for"),
        is_distinct: true,
        days_active: pair.days.len() as u32,
        flows: pair.visible.sessions,
        exporters: Vec::new(),
        octets_out: shared_out(truth, pair),
        octets_out_confirmed: shared_out(truth, pair),
        octets_in: bounds(truth, pair.visible.octets_in),
        attempts: Attempts::default(),
        repeated: 0,
        rhythm: rhythm(truth, cluster),
        surges: cluster.change.map(|day| surge(truth, day)).into_iter().collect(),
        event_tests: truth.events.iter().map(|event| tested(event, pair, cluster.change)).collect(),
        spikes: Vec::new(),
        daily: pair.days.iter().filter(|day| day.visible.sessions > 0).map(|day| daily(day.day)).collect(),
        infrastructure: pair.servers.iter().map(server).collect(),
        rival: None,
        upload: Upload::default(),
        chronology: Vec::new(),
        marking: Default::default(),
    }
}

/// Bounds that leave open whose the uploads to shared servers are.
fn shared_out(truth: &Truth, pair: &Pair) -> Estimate {
    let bounds = bounds(truth, pair.visible.octets_out);
    let of = |name: &str| -> u64 {
        let shared = |pair: &&Pair| pair.victim == crate::plan::V1 && pair.cluster == name;
        let servers = truth.pairs.iter().filter(shared).flat_map(|pair| &pair.servers);
        let servers = servers.filter(|server| server.address.to_string() == crate::actors::SHARED);
        servers.map(|server| server.visible.octets_out).sum()
    };
    let is_sharing = pair.servers.iter().any(|server| server.address.to_string() == crate::actors::SHARED);
    if truth.settings.sampling != Sampling::Unsampled || !is_sharing {
        return bounds;
    }
    let own = bounds.point - of(&pair.cluster) as f64;
    let both = (of("RedFoxtrot") + of("PlugX cluster")) as f64;
    Estimate { low: own, high: Some(own + both), ..bounds }
}

fn daily(day: Day) -> Daily {
    Daily { day, octets_out: Estimate::exact(1), octets_in: Estimate::exact(1), flows: 1 }
}

fn server(server: &ServerTruth) -> Infrastructure {
    Infrastructure {
        first_seen: Some(server.first_visible),
        last_seen: Some(server.last_visible),
        flows: server.visible.sessions,
        ..endpoint(&server.address.to_string())
    }
}

fn rhythm(truth: &Truth, cluster: &ClusterTruth) -> Rhythm {
    let is_judged = truth.settings.sampling == Sampling::Unsampled;
    Rhythm {
        period_s: cluster.beacon_s.map(|period_s| period_s as f64 * 1.01).filter(|_| is_judged),
        score: None,
        p_value: None,
        judged: is_judged,
        why: String::new(),
    }
}

fn surge(truth: &Truth, day: Day) -> Surge {
    Surge {
        window: Window::new(Day(day.0 + 2).start(), truth.last_day.start()),
        since: Day(day.0 + 2),
        ratio: 5.0,
        ratio_low: 3.0,
        ratio_high: 9.0,
        p_value: 0.001,
        p_adjusted: 0.001,
        event: None,
        is_exploratory: false,
    }
}

fn tested(event: &Event, pair: &Pair, change: Option<Day>) -> EventTest {
    let assessed = pair.first_contact.day() < event.date && event.date < pair.last_contact.day();
    let p = if change.is_some() { 0.004 } else { 0.4 };
    EventTest {
        event: event.label.clone(),
        at: event.date.start(),
        is_exploratory: false,
        assessed,
        p_value: assessed.then_some(p),
        p_adjusted: assessed.then_some(p),
        why: String::new(),
    }
}

fn endpoint(indicator: &str) -> Infrastructure {
    Infrastructure {
        address: indicator.split('/').next().unwrap().parse().unwrap(),
        port: 443,
        protocol: 6,
        indicator: indicator.to_owned(),
        validity: Window::ALL,
        source: "report".into(),
        first_seen: None,
        last_seen: None,
        flows: 1,
    }
}

/// What a hunt without fault would say.
fn perfect(truth: &Truth) -> Hunt {
    let findings: Vec<Finding> = truth.pairs.iter().map(|pair| finding(truth, pair)).collect();
    let total = |victim: &Victim| {
        let on = || truth.pairs.iter().filter(|pair| pair.victim == victim.address);
        VictimTotal {
            address: victim.address,
            clusters: on().count(),
            octets_out: bounds(truth, on().map(|pair| pair.visible.octets_out).sum()),
            octets_out_confirmed: bounds(truth, on().map(|pair| pair.visible.octets_out).sum()),
        }
    };
    Hunt {
        window: Window::ALL,
        flows_swept: 0,
        claims_asked: 0,
        intelligence_version: 1,
        table_version: 1,
        discounted: Vec::new(),
        victims: truth.victims.iter().map(total).collect(),
        octets_out: Estimate::exact(0),
        octets_out_confirmed: Estimate::exact(0),
        coverage: Vec::new(),
        not_seen: Vec::new(),
        clusters: Vec::new(),
        companies: Vec::new(),
        calibration: None,
        marking: Default::default(),
        findings,
    }
}

fn scaled(estimate: Estimate, factor: f64) -> Estimate {
    Estimate {
        low: estimate.low * factor,
        point: estimate.point * factor,
        high: estimate.high.map(|high| high * factor),
        ..estimate
    }
}

/// Every octet of a hunt, times `factor`.
fn scale(hunt: &mut Hunt, factor: f64) {
    for total in &mut hunt.victims {
        total.octets_out = scaled(total.octets_out, factor);
    }
    for finding in &mut hunt.findings {
        finding.octets_out = scaled(finding.octets_out, factor);
    }
}

/// Checks that one mistake makes exactly these items wrong (each by its beginning), whoever watched.
#[track_caller]
fn check(mistake: impl Fn(&mut Hunt, &Truth), wrong: &[&str]) {
    for truth in TRUTHS.iter() {
        let mut hunt = perfect(truth);
        mistake(&mut hunt, truth);
        let score = score(&hunt, truth);
        let failed: Vec<&str> =
            score.lines.iter().filter(|line| !line.pass).map(|line| line.item.as_str()).collect();
        assert!(failed.iter().all(|item| wrong.iter().any(|start| item.starts_with(start))), "{score}");
        assert!(wrong.iter().all(|start| failed.iter().any(|item| item.starts_with(start))), "{score}");
        let has_failed = score.lines.iter().any(|line| !line.pass && !line.may_miss());
        assert_eq!(score.passed(), !has_failed);
    }
}

/// Adds what `pair` would look like if its victim were `address`.
fn accuse(hunt: &mut Hunt, address: &str, indicator: &str, cluster: usize) {
    let mut finding = hunt.findings[cluster].clone();
    finding.victim.address = address.parse().unwrap();
    finding.infrastructure = vec![endpoint(indicator)];
    hunt.findings.push(finding);
}

#[test]
fn a_hunt_without_fault_passes() {
    check(|_, _| {}, &[]);
}

#[test]
fn summing_exporters_fails() {
    check(|hunt, _| scale(hunt, 1.48), &["octets from", "Calypso", "PlugX", "Winnti", "RedFoxtrot"]);
}

#[test]
fn counting_samples_as_octets_fails() {
    check(|hunt, _| scale(hunt, 1.0 / 512.0), &["octets from", "Calypso", "PlugX", "Winnti", "RedFoxtrot"]);
}

#[test]
fn bounds_that_are_too_narrow_fail() {
    let narrow = |hunt: &mut Hunt, truth: &Truth| {
        let visible = truth.pairs[0].visible.octets_out as f64;
        hunt.findings[0].octets_out = Estimate::new(0, visible * 1.01, visible * 1.02, Some(visible * 1.03));
    };
    let items = ["octets from 203.0.113.25, sum", "Calypso on 203.0.113.25"];
    check(narrow, &items);
}

#[test]
fn an_upper_end_is_judged_where_one_is_told() {
    let truth = &TRUTHS[0];
    let upper_ends = |high: &dyn Fn(f64) -> Option<f64>| -> Vec<bool> {
        let mut hunt = perfect(truth);
        for (finding, pair) in hunt.findings.iter_mut().zip(&truth.pairs) {
            finding.octets_out.high = high(pair.visible.octets_out as f64);
        }
        let lines = score(&hunt, truth).lines.into_iter();
        lines.filter(|line| line.item.ends_with("upper end of octets")).map(|line| line.pass).collect()
    };
    assert!(upper_ends(&|_| None).is_empty());
    assert_eq!(upper_ends(&|visible| Some(visible + 1.0)), [true; 5]);
    assert_eq!(upper_ends(&|visible| Some(visible - 1.0)), [false; 5]);
}

#[test]
fn ignoring_validity_fails() {
    let late = |hunt: &mut Hunt, truth: &Truth| {
        let fox = truth.pairs.iter().position(|pair| pair.cluster == "RedFoxtrot").unwrap();
        hunt.findings[fox].infrastructure.push(endpoint("192.0.2.150"));
        hunt.findings[fox].last_seen = Some(Day(truth.last_day.0).start());
        accuse(hunt, "203.0.113.43", "192.0.2.150", fox);
    };
    check(
        late,
        &[
            "victims",
            "pairs",
            "victims of RedFoxtrot",
            "decoys believed",
            "hosts accused",
            "RedFoxtrot on 203.0.113.25, last",
        ],
    );
}

#[test]
fn counting_the_probes_of_a_scanner_fails() {
    check(|hunt, _| hunt.findings[0].infrastructure.push(endpoint("192.0.2.201")), &["decoys believed"]);
}

#[test]
fn believing_a_typing_error_fails_however_it_is_written() {
    check(|hunt, _| hunt.findings[0].infrastructure.push(endpoint("198.0.0.0/8")), &["decoys believed"]);
}

#[test]
fn believing_backscatter_fails() {
    let forged = |hunt: &mut Hunt, _: &Truth| accuse(hunt, "203.0.113.30", "192.0.2.37", 0);
    check(forged, &["victims", "pairs", "victims of Calypso", "hosts accused", "increases elsewhere"]);
}

#[test]
fn merging_clusters_by_family_fails() {
    let merge = |hunt: &mut Hunt, _: &Truth| {
        for finding in hunt.findings.iter_mut().filter(|f| f.cluster.name == "PlugX cluster") {
            finding.cluster.name = "RedFoxtrot".to_owned();
        }
    };
    check(
        merge,
        &[
            "pairs",
            "clusters on",
            "victims of PlugX cluster",
            "days of 5 MB",
            "octets from 203.0.113.25, sum",
            "PlugX cluster on",
            "RedFoxtrot on 203.0.113.25",
        ],
    );
}

#[test]
fn missing_a_pair_fails_and_a_weak_or_discounted_one_does_not_count() {
    let weaken = |hunt: &mut Hunt, _: &Truth| hunt.findings[2].verdict = Verdict::Possible;
    check(
        weaken,
        &[
            "pairs",
            "clusters on",
            "victims of Winnti cluster",
            "days of 5 MB",
            "sessions of the late report",
            "octets from 203.0.113.25, sum",
            "Winnti cluster on",
        ],
    );
    let discount = |hunt: &mut Hunt, _: &Truth| {
        let mut aside = hunt.findings[0].clone();
        aside.victim.address = "203.0.113.77".parse().unwrap();
        aside.verdict = Verdict::Discounted;
        hunt.discounted.push(aside);
    };
    check(discount, &[]);
}

#[test]
fn wrong_dates_and_roles_fail() {
    let early = |hunt: &mut Hunt, _: &Truth| {
        hunt.findings[0].first_seen = hunt.findings[0].first_seen.map(|at| at.plus_micros(-3 * DAY_US));
    };
    check(early, &["Calypso on 203.0.113.25, first contact"]);
    let role = |hunt: &mut Hunt, _: &Truth| hunt.findings[0].victim.roles = vec!["endpoint".to_owned()];
    check(role, &["role of 203.0.113.25"]);
}

#[test]
fn calling_what_ended_before_the_event_level_fails() {
    let level = |hunt: &mut Hunt, _: &Truth| {
        for test in hunt
            .findings
            .iter_mut()
            .filter(|f| f.cluster.name == "RedFoxtrot")
            .flat_map(|f| &mut f.event_tests)
        {
            (test.assessed, test.p_value, test.p_adjusted) = (true, Some(0.5), Some(0.5));
        }
    };
    check(level, &["RedFoxtrot on 203.0.113.25, after", "RedFoxtrot on 198.51.100.40, after"]);
}

#[test]
fn a_false_none_and_a_wrong_period_fail() {
    let none = |hunt: &mut Hunt, _: &Truth| {
        (hunt.findings[0].rhythm.judged, hunt.findings[0].rhythm.period_s) = (true, None);
    };
    check(none, &["Calypso on 203.0.113.25, beacon"]);
    let half = |hunt: &mut Hunt, _: &Truth| {
        (hunt.findings[0].rhythm.judged, hunt.findings[0].rhythm.period_s) = (true, Some(150.0));
    };
    check(half, &["Calypso on 203.0.113.25, beacon"]);
}

#[test]
fn a_period_of_sleeps_that_samples_cannot_tell_fails() {
    let truth = &TRUTHS[0];
    let mut hunt = perfect(truth);
    for (finding, passes) in [(0, false), (2, true)] {
        (hunt.findings[finding].rhythm.judged, hunt.findings[finding].rhythm.period_s) = (true, Some(300.0));
        let beacon_s =
            truth.clusters.iter().find(|c| c.name == truth.pairs[finding].cluster).unwrap().beacon_s;
        hunt.findings[finding].rhythm.period_s = beacon_s.map(|s| s as f64);
        assert_eq!(score(&hunt, truth).passed(), passes);
        hunt = perfect(truth);
    }
}

#[test]
fn dense_samples_may_tell_sleeps_and_thin_ones_need_not_reach_four_gigabytes() {
    let dense = truth(Sampling::Uniform(100));
    let mut hunt = perfect(&dense);
    for (finding, pair) in hunt.findings.iter_mut().zip(&dense.pairs) {
        let beacon_s = dense.clusters.iter().find(|cluster| cluster.name == pair.cluster).unwrap().beacon_s;
        (finding.rhythm.judged, finding.rhythm.period_s) = (true, beacon_s.map(|s| s as f64));
    }
    assert!(score(&hunt, &dense).passed());
    hunt.findings[0].rhythm.period_s = Some(150.0);
    assert!(!score(&hunt, &dense).passed());

    for (interval, passes) in [(1_000, false), (4_000, true)] {
        let thin = truth(Sampling::Uniform(interval));
        let mut hunt = perfect(&thin);
        hunt.victims.iter_mut().for_each(|total| total.octets_out.low = 3.9e9);
        let lines = score(&hunt, &thin).lines;
        let line = lines.iter().find(|line| line.item.ends_with("at least"));
        assert_eq!(line.is_none_or(|line| line.pass), passes);
    }
}

#[test]
fn without_other_traffic_no_role_is_asked_for() {
    let settings = Settings { seed: 3, flows: 0, sampling: Sampling::Exporters };
    let truth = Truth::of(&World::new(&settings).unwrap(), Vec::new());
    let mut hunt = perfect(&truth);
    hunt.findings[0].victim.roles.clear();
    assert!(score(&hunt, &truth).passed());
}

#[test]
fn sessions_that_were_none_fail_and_so_do_too_many_of_a_late_report() {
    let truth = &TRUTHS[1];
    let items = |mistake: &dyn Fn(&mut Hunt)| -> Vec<String> {
        let mut hunt = perfect(truth);
        mistake(&mut hunt);
        let wrong = score(&hunt, truth).lines.into_iter().filter(|line| !line.pass);
        wrong.map(|line| line.item).collect()
    };
    let invent = |hunt: &mut Hunt| hunt.findings[0].infrastructure[0].flows += 5_000;
    assert_eq!(items(&invent), ["sessions told that were"]);
    let miss = |hunt: &mut Hunt| hunt.findings[3].infrastructure.truncate(1);
    assert_eq!(items(&miss), ["sessions that were told"]);
    let more = |hunt: &mut Hunt| hunt.findings[2].infrastructure.iter_mut().for_each(|one| one.flows += 1);
    assert_eq!(items(&more), ["sessions of the late report of 192.0.2.183"]);
}

#[test]
fn what_a_sound_test_may_miss_is_counted_and_fails_nothing_alone() {
    for truth in TRUTHS.iter() {
        let mut hunt = perfect(truth);
        hunt.findings[0].surges.clear();
        for test in &mut hunt.findings[0].event_tests {
            test.p_adjusted = test.p_adjusted.map(|_| 0.2);
        }
        let score = score(&hunt, truth);
        let missed: Vec<&str> =
            score.lines.iter().filter(|line| !line.pass).map(|line| line.item.as_str()).collect();
        assert_eq!(
            missed,
            ["Calypso on 203.0.113.25, after 2021-08-01", "Calypso on 203.0.113.25, date of the increase"]
        );
        assert!(score.passed());
    }
}

#[test]
fn an_increase_that_nobody_planted_is_counted() {
    let truth = &TRUTHS[0];
    let mut hunt = perfect(truth);
    let told = hunt.findings.iter().find_map(|finding| finding.surges.first()).cloned().unwrap();
    for finding in hunt.findings.iter_mut().filter(|finding| finding.surges.is_empty()) {
        finding.surges.push(told.clone());
    }
    let score = score(&hunt, truth);
    let missed: Vec<&str> =
        score.lines.iter().filter(|line| !line.pass).map(|line| line.item.as_str()).collect();
    assert_eq!(
        missed,
        [
            "PlugX cluster on 203.0.113.25, increases",
            "RedFoxtrot on 203.0.113.25, increases",
            "RedFoxtrot on 198.51.100.40, increases"
        ]
    );
}

#[test]
fn one_octet_too_few_fails_where_all_are_known() {
    let truth = &TRUTHS[1];
    let mut hunt = perfect(truth);
    assert!(score(&hunt, truth).passed());
    let total = hunt.victims.iter_mut().find(|total| total.address == crate::plan::V1).unwrap();
    assert_eq!(total.octets_out.point, 5.7e9);
    total.octets_out = Estimate::exact(5_699_999_999);
    assert!(!score(&hunt, truth).passed());
}
