//! What each exporter could see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::error::ArrowError;
use rahdar_model::coverage::{ExporterCoverage, Lost, RecordedHour, joined};
use rahdar_model::fact::Gap;
use rahdar_model::flow::Sampler;
use rahdar_model::flow::protocol::TCP;
use rahdar_model::store::StoreError;
use rahdar_model::time::{DAY_US, HOUR_US, Timestamp};
use rahdar_model::{Quality, Window};

use super::{Answer, Names};
use crate::Lake;

/// An exporter and its observation domain.
pub(super) type Observer = (Arc<str>, u32);

const ACTION: &str = "measuring coverage";

/// Whether a record has three packets or more, both ways together, whatever the counters hold.
pub(super) const LARGE: &str = "least(packets, 3) + least(coalesce(rev_packets, 0), 3) >= 3";

pub(crate) fn coverage(lake: &Lake, window: Window) -> Result<Vec<ExporterCoverage>, StoreError> {
    let mut observers = BTreeMap::new();
    let mut names = Names::default();
    lake.answer(&lake.flows, ACTION, window, [], &hourly(), |answer| {
        read_hours(&answer, &mut names, &mut observers)
    })?;
    if observers.values().any(|observer| observer.tcp_uniflows > 0) {
        lake.answer(&lake.flows, ACTION, window, [], &answered(DAY_US), |answer| {
            read_answered(&answer, &mut names, &mut observers)
        })?;
    }
    for gap in super::gaps(lake, window)? {
        observers.entry((gap.exporter.clone(), gap.observation_domain)).or_default().gaps.push(gap);
    }
    Ok(observers.into_iter().map(|(observer, seen)| seen.coverage(observer)).collect())
}

/// Counts per observer, sampling interval, and the hours of first and last packet.
fn hourly() -> String {
    format!(
        "SELECT exporter, observation_domain, sampling_interval,
             floor_us(start_time, {HOUR_US}) AS first_hour, floor_us(end_time, {HOUR_US}) AS last_hour,
             min(start_time) AS first_packet, max(end_time) AS last_packet, count(*) AS flows,
             count(CASE WHEN protocol = {TCP} AND {LARGE} THEN 1 END) AS tcp_flows,
             count(CASE WHEN protocol = {TCP} AND {LARGE} AND rev_packets IS NULL THEN 1 END) AS tcp_uniflows,
             count(CASE WHEN protocol = {TCP} AND {LARGE} AND rev_packets > 0 THEN 1 END) AS tcp_biflows,
             count(CASE WHEN quality <> 0 THEN 1 END) AS marked,
             count(CASE WHEN quality & {} <> 0 THEN 1 END) AS conflicts,
             count(CASE WHEN sampler = {} THEN 1 END) AS flow_sampled,
             count(CASE WHEN quality & {} = 0 AND packets % nullif(sampling_interval, 0) = 0
                        AND coalesce(rev_packets, 0) % nullif(sampling_interval, 0) = 0 THEN 1 END) AS multiples
         FROM flow
         GROUP BY exporter, observation_domain, sampling_interval, first_hour, last_hour",
        Quality::TEMPLATE_CONFLICT.bits(),
        Sampler::Flow.code(),
        Quality::ALREADY_SCALED.bits(),
    )
}

/// TCP uniflows between ends that both sent in the same bin of this many microseconds, per
/// observer and bin.
///
/// The ends of a record are put in order, so that both directions fall in one group; a record
/// counts if the other direction is not empty.
pub(super) fn answered(bin_us: i64) -> String {
    let before = |a: &str, b: &str| {
        format!(
            "({a}_hi < {b}_hi OR {a}_hi = {b}_hi AND ({a}_lo < {b}_lo OR {a}_lo = {b}_lo AND {a}_port < {b}_port))"
        )
    };
    let ends = ["hi", "lo", "port"].map(|part| {
        format!(
            "CASE WHEN downward THEN dst_{part} ELSE src_{part} END AS low_{part},
             CASE WHEN downward THEN src_{part} ELSE dst_{part} END AS high_{part}"
        )
    });
    format!(
        "SELECT exporter, observation_domain, bin, CAST(sum(large) AS BIGINT) AS answered
         FROM (SELECT exporter, observation_domain, bin,
                   count(CASE WHEN upward THEN 1 END) AS up, count(CASE WHEN downward THEN 1 END) AS down,
                   count(CASE WHEN large THEN 1 END) AS large
               FROM (SELECT exporter, observation_domain, bin, upward, downward, large, {}
                     FROM (SELECT *, floor_us(start_time, {bin_us}) AS bin, {} AS upward, {} AS downward, {LARGE} AS large
                           FROM flow
                           WHERE protocol = {TCP} AND rev_packets IS NULL))
               GROUP BY exporter, observation_domain, bin,
                   low_hi, low_lo, low_port, high_hi, high_lo, high_port)
         WHERE up > 0 AND down > 0
         GROUP BY exporter, observation_domain, bin",
        ends.join(", "),
        before("src", "dst"),
        before("dst", "src"),
    )
}

/// What is known of one observer while its hours come in.
#[derive(Default)]
struct Seen {
    window: Option<Window>,
    flows: u64,
    sampling: BTreeSet<Option<u32>>,
    tcp_flows: u64,
    tcp_uniflows: u64,
    tcp_two_way: u64,
    marked: u64,
    conflicts: u64,
    flow_sampled: u64,
    /// First and last hour of records, in any order.
    hours: BTreeSet<(Timestamp, Timestamp)>,
    /// Flows that started in an hour, and those that count in multiples, by sampling interval.
    begun: BTreeMap<(Timestamp, Option<u32>), (u64, u64)>,
    gaps: Vec<Gap>,
}

fn read_hours(
    answer: &Answer<'_>,
    names: &mut Names,
    observers: &mut BTreeMap<Observer, Seen>,
) -> Result<(), ArrowError> {
    let (exporter, domain) = (answer.texts("exporter")?, answer.integers("observation_domain")?);
    let sampling = answer.integers("sampling_interval")?;
    let (first_hour, last_hour) = (answer.integers("first_hour")?, answer.integers("last_hour")?);
    let (first_packet, last_packet) = (answer.integers("first_packet")?, answer.integers("last_packet")?);
    let (flows, tcp_flows) = (answer.integers("flows")?, answer.integers("tcp_flows")?);
    let (uniflows, biflows) = (answer.integers("tcp_uniflows")?, answer.integers("tcp_biflows")?);
    let marked = answer.integers("marked")?;
    let (conflicts, flow_sampled) = (answer.integers("conflicts")?, answer.integers("flow_sampled")?);
    let multiples = answer.integers("multiples")?;
    for row in 0..answer.rows() {
        let seen = observers.entry((names.get(&exporter, row), domain.count(row))).or_default();
        let window = seen.window.get_or_insert(Window::new(first_packet.time(row), last_packet.time(row)));
        window.from = window.from.min(first_packet.time(row));
        window.until = window.until.max(last_packet.time(row));
        seen.flows += flows.count::<u64>(row);
        seen.sampling.insert(sampling.interval(row));
        seen.tcp_flows += tcp_flows.count::<u64>(row);
        seen.tcp_uniflows += uniflows.count::<u64>(row);
        seen.tcp_two_way += biflows.count::<u64>(row);
        seen.marked += marked.count::<u64>(row);
        seen.conflicts += conflicts.count::<u64>(row);
        seen.flow_sampled += flow_sampled.count::<u64>(row);
        let begun = seen.begun.entry((first_hour.time(row), sampling.interval(row))).or_default();
        begun.0 += flows.count::<u64>(row);
        begun.1 += multiples.count::<u64>(row);
        seen.hours.insert((first_hour.time(row), last_hour.time(row)));
    }
    Ok(())
}

fn read_answered(
    answer: &Answer<'_>,
    names: &mut Names,
    observers: &mut BTreeMap<Observer, Seen>,
) -> Result<(), ArrowError> {
    let (exporter, domain) = (answer.texts("exporter")?, answer.integers("observation_domain")?);
    let answered = answer.integers("answered")?;
    for row in 0..answer.rows() {
        let seen = observers.entry((names.get(&exporter, row), domain.count(row))).or_default();
        seen.tcp_two_way += answered.count::<u64>(row);
    }
    Ok(())
}

impl Seen {
    fn coverage(self, (exporter, observation_domain): Observer) -> ExporterCoverage {
        ExporterCoverage {
            exporter,
            observation_domain,
            window: self.window.unwrap_or_else(|| {
                let from = self.gaps.iter().map(|gap| gap.window.from).min().unwrap_or_default();
                Window::new(from, self.gaps.iter().map(|gap| gap.window.until).max().unwrap_or_default())
            }),
            flows: self.flows,
            silent: silent(&self.hours),
            sampling: self.sampling.into_iter().collect(),
            tcp_flows: self.tcp_flows,
            tcp_flows_two_way: self.tcp_two_way,
            marked: self.marked,
            lost: Lost::of(&self.gaps),
            gaps: joined(self.gaps.iter().map(|gap| gap.window)),
            losses: Lost::each(&self.gaps),
            hours: self
                .begun
                .into_iter()
                .map(|((hour, interval), (flows, multiples))| RecordedHour {
                    hour,
                    interval,
                    flows,
                    multiples,
                })
                .collect(),
            flow_sampled: self.flow_sampled,
            template_conflicts: self.conflicts,
        }
    }
}

/// The gaps between spans of hours, which come in the order of their first hour.
fn silent(hours: &BTreeSet<(Timestamp, Timestamp)>) -> Vec<Window> {
    let mut silent = Vec::new();
    let mut heard_until = None;
    for (first, last) in hours {
        let until = last.plus_micros(HOUR_US);
        match heard_until {
            Some(heard) if heard < *first => silent.push(Window::new(heard, *first)),
            _ => {}
        }
        heard_until = heard_until.max(Some(until));
    }
    silent
}
