//! The JSON form of what could have been seen.

use rahdar_model::coverage::Lost;
use rahdar_model::sight::{Hole, NotSeen, Sight, Witness};
use serde::Serialize;

use super::json::{ClusterJson, time};

#[derive(Debug, Serialize)]
pub(super) struct WitnessJson<'a> {
    hours: u64,
    hours_recorded: u64,
    arrived: Option<f64>,
    least_packets: Option<u64>,
    contact_packets: Option<u64>,
    detection: Option<f64>,
    why: &'a str,
    holes: Vec<HoleJson<'a>>,
}

#[derive(Debug, Serialize)]
struct HoleJson<'a> {
    exporter: &'a str,
    observation_domain: u32,
    from: Option<String>,
    until: Option<String>,
    usual_flows: u64,
    lost: Vec<LostJson>,
}

#[derive(Debug, Serialize)]
struct LostJson {
    cause: &'static str,
    unit: &'static str,
    count: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct NotSeenJson<'a> {
    cluster: ClusterJson<'a>,
    indicator: Option<&'a str>,
    claims: u64,
    from: Option<String>,
    until: Option<String>,
    hours: u64,
    hours_recorded: u64,
    arrived: Option<f64>,
    assessable: bool,
    least_packets: Option<u64>,
    why: &'a str,
}

impl<'a> From<&'a Witness> for WitnessJson<'a> {
    fn from(witness: &'a Witness) -> Self {
        let Sight { hours, hours_recorded, arrived, least_packets, ref why } = witness.sight;
        Self {
            hours,
            hours_recorded,
            arrived,
            least_packets,
            contact_packets: witness.contact_packets,
            detection: witness.detection,
            why: if witness.why.is_empty() { why } else { &witness.why },
            holes: witness.holes.iter().map(HoleJson::from).collect(),
        }
    }
}

impl<'a> From<&'a Hole> for HoleJson<'a> {
    fn from(hole: &'a Hole) -> Self {
        let lost =
            |lost: &Lost| LostJson { cause: lost.cause.word(), unit: lost.unit.word(), count: lost.count };
        Self {
            exporter: &hole.exporter,
            observation_domain: hole.observation_domain,
            from: time(hole.window.from),
            until: time(hole.window.until),
            usual_flows: hole.usual_flows,
            lost: hole.lost.iter().map(lost).collect(),
        }
    }
}

impl<'a> From<&'a NotSeen> for NotSeenJson<'a> {
    fn from(not_seen: &'a NotSeen) -> Self {
        let NotSeen { cluster, indicator, claims, window, sight, .. } = not_seen;
        Self {
            cluster: cluster.into(),
            indicator: indicator.as_deref(),
            claims: *claims,
            from: window.and_then(|window| time(window.from)),
            until: window.and_then(|window| time(window.until)),
            hours: sight.hours,
            hours_recorded: sight.hours_recorded,
            arrived: sight.arrived,
            assessable: sight.least_packets.is_some(),
            least_packets: sight.least_packets,
            why: &sight.why,
        }
    }
}
