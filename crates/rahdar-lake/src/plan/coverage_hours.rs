//! How each exporter recorded, hour by hour.

use std::collections::{BTreeMap, BTreeSet};

use arrow::error::ArrowError;
use rahdar_model::coverage::CoverageHour;
use rahdar_model::flow::SamplingSource;
use rahdar_model::flow::protocol::TCP;
use rahdar_model::store::StoreError;
use rahdar_model::time::{HOUR_US, Timestamp};
use rahdar_model::{Quality, Window};

use super::coverage::{LARGE, Observer, answered};
use super::{Answer, Names};
use crate::Lake;

const ACTION: &str = "measuring coverage by hour";

pub(crate) fn coverage_hours(lake: &Lake, window: Window) -> Result<Vec<CoverageHour>, StoreError> {
    let mut hours = BTreeMap::new();
    let mut names = Names::default();
    lake.answer(&lake.flows, ACTION, window, [], &counts(), |answer| {
        read_counts(&answer, &mut names, &mut hours)
    })?;
    lake.answer(&lake.flows, ACTION, window, [], &answered(HOUR_US), |answer| {
        read_answered(&answer, &mut names, &mut hours)
    })?;
    Ok(hours.into_iter().map(|(hour, seen)| seen.hour(hour)).collect())
}

/// Counts per observer, hour and sampling.
fn counts() -> String {
    let marks: Vec<String> = Quality::NAMES
        .iter()
        .enumerate()
        .map(|(i, (mark, _))| {
            format!("count(CASE WHEN quality & {} <> 0 THEN 1 END) AS mark_{i}", mark.bits())
        })
        .collect();
    format!(
        "SELECT exporter, observation_domain, floor_us(start_time, {HOUR_US}) AS hour,
             sampling_interval, sampling_source, count(*) AS flows,
             count(CASE WHEN protocol = {TCP} AND {LARGE} THEN 1 END) AS tcp_flows,
             count(CASE WHEN protocol = {TCP} AND {LARGE} AND rev_packets > 0 THEN 1 END) AS tcp_biflows,
             min(CAST(received_time AS BIGINT) - CAST(export_time AS BIGINT)) AS behind, {}
         FROM flow
         GROUP BY exporter, observation_domain, hour, sampling_interval, sampling_source",
        marks.join(", ")
    )
}

/// What is known of one hour of an observer.
#[derive(Default)]
struct Seen {
    flows: u64,
    sampling: BTreeSet<(Option<u32>, Option<SamplingSource>)>,
    tcp_flows: u64,
    tcp_two_way: u64,
    behind_us: Option<i64>,
    marks: [u64; Quality::NAMES.len()],
}

type Hours = BTreeMap<(Observer, Timestamp), Seen>;

fn read_counts(answer: &Answer<'_>, names: &mut Names, hours: &mut Hours) -> Result<(), ArrowError> {
    let (exporter, domain) = (answer.texts("exporter")?, answer.integers("observation_domain")?);
    let (hour, flows) = (answer.integers("hour")?, answer.integers("flows")?);
    let (interval, source) = (answer.integers("sampling_interval")?, answer.texts("sampling_source")?);
    let (tcp_flows, biflows) = (answer.integers("tcp_flows")?, answer.integers("tcp_biflows")?);
    let behind = answer.integers("behind")?;
    let marks = (0..Quality::NAMES.len())
        .map(|i| answer.integers(&format!("mark_{i}")))
        .collect::<Result<Vec<_>, _>>()?;
    for row in 0..answer.rows() {
        let observer = (names.get(&exporter, row), domain.count(row));
        let seen = hours.entry((observer, hour.time(row))).or_default();
        seen.flows += flows.count::<u64>(row);
        let said = source.get(row).and_then(SamplingSource::from_word);
        seen.sampling.insert((interval.interval(row), said));
        seen.tcp_flows += tcp_flows.count::<u64>(row);
        seen.tcp_two_way += biflows.count::<u64>(row);
        seen.behind_us = seen.behind_us.into_iter().chain(behind.get(row)).min();
        for (sum, mark) in seen.marks.iter_mut().zip(&marks) {
            *sum += mark.count::<u64>(row);
        }
    }
    Ok(())
}

fn read_answered(answer: &Answer<'_>, names: &mut Names, hours: &mut Hours) -> Result<(), ArrowError> {
    let (exporter, domain) = (answer.texts("exporter")?, answer.integers("observation_domain")?);
    let (hour, answered) = (answer.integers("bin")?, answer.integers("answered")?);
    for row in 0..answer.rows() {
        let observer = (names.get(&exporter, row), domain.count(row));
        let seen = hours.entry((observer, hour.time(row))).or_default();
        seen.tcp_two_way += answered.count::<u64>(row);
    }
    Ok(())
}

impl Seen {
    fn hour(self, ((exporter, observation_domain), hour): (Observer, Timestamp)) -> CoverageHour {
        let marks = Quality::NAMES.iter().zip(self.marks).map(|((mark, _), flows)| (*mark, flows));
        CoverageHour {
            exporter,
            observation_domain,
            hour,
            flows: self.flows,
            sampling: self.sampling.into_iter().collect(),
            tcp_flows: self.tcp_flows,
            tcp_flows_two_way: self.tcp_two_way,
            clock_behind_us: self.behind_us,
            marks: marks.filter(|(_, flows)| *flows > 0).collect(),
        }
    }
}
