//! The one JSON form of a hunt (`architecture.md` §5, `docs/hunt.schema.json`).
//!
//! Numbers are numbers. Octets are whole: `low` rounded down, `high` up, `point` to the nearest.
//! Times are RFC 3339 in UTC, days ISO 8601; null where there is none, or where a clock lied
//! beyond the calendar. Text is as it was imported: whoever shows it must escape it.
//!
//! Fields are added, never renamed.

use std::net::IpAddr;

use rahdar_figure::octets::Whole;
use rahdar_model::finding::{
    Daily, EventTest, Finding, Hunt, Infrastructure, Reason, Rhythm, Spike, Surge, Victim, VictimTotal,
};
use rahdar_model::intelligence::Cluster;
use rahdar_model::{Day, Estimate, Timestamp};
use serde::Serialize;

use super::account::{ChronologyJson, ClusterAccountJson, CompanyJson, RivalJson, UploadJson};
use super::marking::{self, LEAST};
use super::profile::ProfileJson;
use super::sight::{NotSeenJson, WitnessJson};

/// The JSON form of `hunt`, which took `seconds`.
pub fn json(hunt: &Hunt, seconds: f64) -> HuntJson<'_> {
    HuntJson {
        hunt: Head {
            from: time(hunt.window.from),
            until: time(hunt.window.until),
            flows_swept: hunt.flows_swept,
            claims_asked: hunt.claims_asked,
            intelligence_version: hunt.intelligence_version,
            table_version: hunt.table_version,
            calibration: hunt.calibration.as_deref(),
            tlp: marking::tlp(&hunt.marking, LEAST).word(),
            tlp_sources: marking::sources(&hunt.marking, LEAST).collect(),
            seconds,
        },
        totals: Totals {
            octets_out: (&hunt.octets_out).into(),
            octets_out_confirmed: (&hunt.octets_out_confirmed).into(),
            victims: hunt.victims.iter().map(TotalJson::from).collect(),
        },
        findings: hunt.findings.iter().map(FindingJson::from).collect(),
        discounted: hunt.discounted.iter().map(FindingJson::from).collect(),
        clusters: hunt.clusters.iter().map(ClusterAccountJson::from).collect(),
        companies: hunt.companies.iter().map(CompanyJson::from).collect(),
        not_seen: hunt.not_seen.iter().map(NotSeenJson::from).collect(),
    }
}

/// A hunt, ready to be serialized.
#[derive(Debug, Serialize)]
pub struct HuntJson<'a> {
    hunt: Head<'a>,
    totals: Totals,
    findings: Vec<FindingJson<'a>>,
    discounted: Vec<FindingJson<'a>>,
    clusters: Vec<ClusterAccountJson<'a>>,
    companies: Vec<CompanyJson<'a>>,
    not_seen: Vec<NotSeenJson<'a>>,
}

#[derive(Debug, Serialize)]
struct Head<'a> {
    from: Option<String>,
    until: Option<String>,
    flows_swept: u64,
    claims_asked: u64,
    intelligence_version: u64,
    table_version: u64,
    calibration: Option<&'a str>,
    tlp: &'static str,
    tlp_sources: Vec<&'a str>,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Totals {
    octets_out: OctetsJson,
    octets_out_confirmed: OctetsJson,
    victims: Vec<TotalJson>,
}

#[derive(Debug, Serialize)]
struct TotalJson {
    address: IpAddr,
    clusters: usize,
    octets_out: OctetsJson,
    octets_out_confirmed: OctetsJson,
}

/// One finding, ready to be serialized.
#[derive(Debug, Serialize)]
struct FindingJson<'a> {
    id: &'a str,
    victim: VictimJson<'a>,
    cluster: ClusterJson<'a>,
    verdict: &'static str,
    confidence: u8,
    credibility: u8,
    reasons: Vec<ReasonJson<'a>>,
    rival: Option<RivalJson<'a>>,
    first_seen: Option<String>,
    last_seen: Option<String>,
    at_least: bool,
    coverage: WitnessJson<'a>,
    is_distinct: bool,
    days_active: u32,
    flows: u64,
    exporters: Vec<&'a str>,
    tools: &'a [String],
    octets_out: OctetsJson,
    octets_out_confirmed: OctetsJson,
    octets_in: OctetsJson,
    attempts: AttemptsJson,
    repeated: u64,
    upload: UploadJson<'a>,
    chronology: Vec<ChronologyJson<'a>>,
    rhythm: RhythmJson<'a>,
    surges: Vec<SurgeJson<'a>>,
    event_tests: Vec<EventTestJson<'a>>,
    spikes: Vec<SpikeJson>,
    daily: Vec<DailyJson>,
    infrastructure: Vec<InfrastructureJson<'a>>,
    tlp: &'static str,
    tlp_sources: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct VictimJson<'a> {
    address: IpAddr,
    asn: Option<u32>,
    org: &'a str,
    sector: &'a str,
    country: &'a str,
    roles: &'a [String],
    profile: ProfileJson<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct ClusterJson<'a> {
    id: &'a str,
    name: &'a str,
    named: bool,
}

#[derive(Debug, Serialize)]
struct ReasonJson<'a> {
    kind: &'static str,
    weight: f64,
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct OctetsJson {
    observed: u64,
    low: u64,
    point: u64,
    high: Option<u64>,
}

#[derive(Debug, Serialize)]
struct RhythmJson<'a> {
    period_s: Option<f64>,
    score: Option<f64>,
    p_value: Option<f64>,
    judged: bool,
    why: &'a str,
}

#[derive(Debug, Serialize)]
struct SurgeJson<'a> {
    from: Option<String>,
    until: Option<String>,
    since: Option<String>,
    ratio: f64,
    ratio_low: Option<f64>,
    ratio_high: f64,
    p_value: f64,
    p_adjusted: f64,
    event: Option<&'a str>,
    exploratory: bool,
}

#[derive(Debug, Serialize)]
struct EventTestJson<'a> {
    event: &'a str,
    at: Option<String>,
    exploratory: bool,
    assessed: bool,
    p_value: Option<f64>,
    p_adjusted: Option<f64>,
    why: &'a str,
}

#[derive(Debug, Serialize)]
struct SpikeJson {
    date: Option<String>,
    ratio: f64,
}

#[derive(Debug, Serialize)]
struct AttemptsJson {
    flows: u64,
    octets: u64,
}

#[derive(Debug, Serialize)]
struct DailyJson {
    date: Option<String>,
    octets_out: OctetsJson,
    octets_in: OctetsJson,
    flows: u64,
}

#[derive(Debug, Serialize)]
struct InfrastructureJson<'a> {
    address: IpAddr,
    port: u16,
    protocol: u8,
    indicator: &'a str,
    first_seen: Option<String>,
    last_seen: Option<String>,
    flows: u64,
}

impl<'a> From<&'a Finding> for FindingJson<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            id: &finding.id,
            victim: (&finding.victim).into(),
            cluster: (&finding.cluster).into(),
            verdict: finding.verdict.word(),
            confidence: finding.confidence,
            credibility: finding.credibility,
            reasons: finding.reasons.iter().map(ReasonJson::from).collect(),
            rival: finding.rival.as_ref().map(RivalJson::from),
            first_seen: finding.first_seen.and_then(time),
            last_seen: finding.last_seen.and_then(time),
            at_least: finding.at_least,
            coverage: (&finding.witness).into(),
            is_distinct: finding.is_distinct,
            days_active: finding.days_active,
            flows: finding.flows,
            exporters: finding.exporters.iter().map(|exporter| &**exporter).collect(),
            tools: &finding.cluster.tools,
            octets_out: (&finding.octets_out).into(),
            octets_out_confirmed: (&finding.octets_out_confirmed).into(),
            octets_in: (&finding.octets_in).into(),
            attempts: AttemptsJson { flows: finding.attempts.flows, octets: finding.attempts.octets },
            repeated: finding.repeated,
            upload: (&finding.upload).into(),
            chronology: finding.chronology.iter().map(ChronologyJson::from).collect(),
            rhythm: (&finding.rhythm).into(),
            surges: finding.surges.iter().map(SurgeJson::from).collect(),
            event_tests: finding.event_tests.iter().map(EventTestJson::from).collect(),
            spikes: finding.spikes.iter().map(SpikeJson::from).collect(),
            daily: finding.daily.iter().map(DailyJson::from).collect(),
            infrastructure: finding.infrastructure.iter().map(InfrastructureJson::from).collect(),
            tlp: marking::tlp(&finding.marking, LEAST).word(),
            tlp_sources: marking::sources(&finding.marking, LEAST).collect(),
        }
    }
}

impl From<&VictimTotal> for TotalJson {
    fn from(total: &VictimTotal) -> Self {
        Self {
            address: total.address.to_ip(),
            clusters: total.clusters,
            octets_out: (&total.octets_out).into(),
            octets_out_confirmed: (&total.octets_out_confirmed).into(),
        }
    }
}

impl<'a> From<&'a Victim> for VictimJson<'a> {
    fn from(victim: &'a Victim) -> Self {
        Self {
            address: victim.address.to_ip(),
            asn: victim.asn,
            org: &victim.org,
            sector: &victim.sector,
            country: &victim.country,
            roles: &victim.roles,
            profile: (&victim.profile).into(),
        }
    }
}

impl<'a> From<&'a Cluster> for ClusterJson<'a> {
    fn from(cluster: &'a Cluster) -> Self {
        Self { id: &cluster.id.0, name: &cluster.name, named: cluster.named }
    }
}

impl<'a> From<&'a Reason> for ReasonJson<'a> {
    fn from(reason: &'a Reason) -> Self {
        // A hundredth of a deciban changes no odds that anyone could tell.
        let weight = (reason.weight * 100.0).round() / 100.0;
        Self { kind: reason.kind, weight, text: &reason.text }
    }
}

impl From<&Estimate> for OctetsJson {
    fn from(estimate: &Estimate) -> Self {
        let Whole { observed, low, point, high } = estimate.into();
        Self { observed, low, point, high }
    }
}

impl<'a> From<&'a Rhythm> for RhythmJson<'a> {
    fn from(rhythm: &'a Rhythm) -> Self {
        let Rhythm { period_s, score, p_value, judged, why } = rhythm;
        Self { period_s: *period_s, score: *score, p_value: *p_value, judged: *judged, why }
    }
}

impl<'a> From<&'a Surge> for SurgeJson<'a> {
    fn from(surge: &'a Surge) -> Self {
        Self {
            from: time(surge.window.from),
            until: time(surge.window.until),
            since: date(surge.since),
            ratio: surge.ratio,
            ratio_low: (surge.ratio_low > 0.0 || surge.ratio_high.is_finite()).then_some(surge.ratio_low),
            ratio_high: surge.ratio_high,
            p_value: surge.p_value,
            p_adjusted: surge.p_adjusted,
            event: surge.event.as_deref(),
            exploratory: surge.is_exploratory,
        }
    }
}

impl<'a> From<&'a EventTest> for EventTestJson<'a> {
    fn from(test: &'a EventTest) -> Self {
        Self {
            event: &test.event,
            at: time(test.at),
            exploratory: test.is_exploratory,
            assessed: test.assessed,
            p_value: test.p_value,
            p_adjusted: test.p_adjusted,
            why: &test.why,
        }
    }
}

impl From<&Spike> for SpikeJson {
    fn from(spike: &Spike) -> Self {
        Self { date: date(spike.day), ratio: spike.ratio }
    }
}

impl From<&Daily> for DailyJson {
    fn from(daily: &Daily) -> Self {
        Self {
            date: date(daily.day),
            octets_out: (&daily.octets_out).into(),
            octets_in: (&daily.octets_in).into(),
            flows: daily.flows,
        }
    }
}

impl<'a> From<&'a Infrastructure> for InfrastructureJson<'a> {
    fn from(endpoint: &'a Infrastructure) -> Self {
        Self {
            address: endpoint.address.to_ip(),
            port: endpoint.port,
            protocol: endpoint.protocol,
            indicator: &endpoint.indicator,
            first_seen: endpoint.first_seen.and_then(time),
            last_seen: endpoint.last_seen.and_then(time),
            flows: endpoint.flows,
        }
    }
}

/// RFC 3339; none outside the years that it can write.
pub(super) fn time(time: Timestamp) -> Option<String> {
    date(time.day()).map(|_| time.to_string())
}

/// ISO 8601; none outside the years that RFC 3339 can write.
pub(super) fn date(day: Day) -> Option<String> {
    day.to_date().filter(|(year, ..)| (0..=9999).contains(year)).map(|_| day.to_string())
}
