//! What exporters saw, and did not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rahdar_model::coverage::{CoverageHour, ExporterCoverage, Lost, RecordedHour, joined};
use rahdar_model::fact::Gap;
use rahdar_model::flow::{Sampler, protocol};
use rahdar_model::store::StoreError;
use rahdar_model::time::{DAY_US, HOUR_US};
use rahdar_model::{Address, FlowRecord, FlowStore, Quality, Timestamp, Window};

use super::NaiveStore;

pub(super) fn coverage(store: &NaiveStore, window: Window) -> Result<Vec<ExporterCoverage>, StoreError> {
    let (flows, gaps) = (store.flows(window), store.gaps(window)?);
    let observers: BTreeSet<_> = flows.iter().map(observer).chain(gaps.iter().map(observer_of)).collect();
    let coverage = observers.into_iter().map(|own| {
        let gaps: Vec<&Gap> = gaps.iter().filter(|gap| observer_of(gap) == own).collect();
        let flows: Vec<&FlowRecord> = flows.iter().filter(|flow| observer(flow) == own).collect();
        let tcp = large_tcp(&flows);
        let sampling: BTreeSet<Option<u32>> = flows.iter().map(|flow| flow.sampling_interval).collect();
        let (exporter, observation_domain) = own;
        ExporterCoverage {
            window: span(&flows).unwrap_or_else(|| {
                let from = gaps.iter().map(|gap| gap.window.from).min().unwrap_or_default();
                Window::new(from, gaps.iter().map(|gap| gap.window.until).max().unwrap_or_default())
            }),
            flows: flows.len() as u64,
            sampling: sampling.into_iter().collect(),
            tcp_flows: tcp.len() as u64,
            tcp_flows_two_way: two_way(&tcp, &flows, DAY_US),
            marked: flows.iter().filter(|flow| flow.quality != Quality::NONE).count() as u64,
            silent: silent(&flows),
            lost: Lost::of(gaps.iter().copied()),
            gaps: joined(gaps.iter().map(|gap| gap.window)),
            losses: Lost::each(gaps.iter().copied()),
            hours: begun(&flows),
            flow_sampled: flows.iter().filter(|flow| flow.sampler == Some(Sampler::Flow)).count() as u64,
            template_conflicts: flows
                .iter()
                .filter(|flow| flow.quality.contains(Quality::TEMPLATE_CONFLICT))
                .count() as u64,
            exporter,
            observation_domain,
        }
    });
    Ok(coverage.collect())
}

pub(super) fn coverage_hours(store: &NaiveStore, window: Window) -> Result<Vec<CoverageHour>, StoreError> {
    let flows = store.flows(window);
    let hour_of = |flow: &FlowRecord| (observer(flow), flow.start_time.hour());
    let hours: BTreeSet<_> = flows.iter().map(hour_of).collect();
    let hours = hours.into_iter().map(|own| {
        let flows: Vec<&FlowRecord> = flows.iter().filter(|flow| hour_of(flow) == own).collect();
        let tcp = large_tcp(&flows);
        let sampling: BTreeSet<_> =
            flows.iter().map(|flow| (flow.sampling_interval, flow.sampling_source)).collect();
        let behind = flows.iter().filter_map(|flow| Some(flow.received_time?.since(flow.export_time?))).min();
        let marks = Quality::NAMES.iter().map(|(mark, _)| {
            (*mark, flows.iter().filter(|flow| flow.quality.contains(*mark)).count() as u64)
        });
        let ((exporter, observation_domain), hour) = own.clone();
        CoverageHour {
            exporter,
            observation_domain,
            hour,
            flows: flows.len() as u64,
            sampling: sampling.into_iter().collect(),
            tcp_flows: tcp.len() as u64,
            tcp_flows_two_way: two_way(&tcp, &flows, HOUR_US),
            clock_behind_us: behind,
            marks: marks.filter(|(_, flows)| *flows > 0).collect(),
        }
    });
    Ok(hours.collect())
}

fn observer(flow: &FlowRecord) -> (Arc<str>, u32) {
    (flow.exporter.clone(), flow.observation_domain)
}

fn observer_of(gap: &Gap) -> (Arc<str>, u32) {
    (gap.exporter.clone(), gap.observation_domain)
}

fn large_tcp<'a>(flows: &[&'a FlowRecord]) -> Vec<&'a FlowRecord> {
    let is_large = |flow: &&FlowRecord| flow.protocol == protocol::TCP && flow.total_packets() >= 3;
    flows.iter().copied().filter(is_large).collect()
}

/// How many flows of each sampling interval started in each hour.
fn begun(flows: &[&FlowRecord]) -> Vec<RecordedHour> {
    let mut hours: BTreeMap<(Timestamp, Option<u32>), (u64, u64)> = BTreeMap::new();
    for flow in flows {
        let (records, multiples) = hours.entry((flow.start_time.hour(), flow.sampling_interval)).or_default();
        *records += 1;
        *multiples += u64::from(is_multiple(flow));
    }
    let recorded = |((hour, interval), (flows, multiples))| RecordedHour { hour, interval, flows, multiples };
    hours.into_iter().map(recorded).collect()
}

/// Whether a record that nobody marked as scaled counts packets in multiples of its interval.
fn is_multiple(flow: &FlowRecord) -> bool {
    let Some(interval) = flow.sampling_interval.filter(|interval| *interval > 0) else { return false };
    let counts = [flow.packets, flow.rev_packets.unwrap_or(0)];
    !flow.quality.contains(Quality::ALREADY_SCALED)
        && counts.iter().all(|packets| packets.is_multiple_of(interval.into()))
}

fn span(flows: &[&FlowRecord]) -> Option<Window> {
    let from = flows.iter().map(|flow| flow.start_time).min()?;
    let until = flows.iter().map(|flow| flow.end_time).max()?;
    Some(Window::new(from, until))
}

/// What tells a one-way flow from others in its bin: protocol, bin, sender, receiver.
type OneWay = (u8, i64, (Address, u16), (Address, u16));

fn one_way(flow: &FlowRecord, bin_us: i64) -> OneWay {
    let bin = flow.start_time.micros().div_euclid(bin_us);
    (flow.protocol, bin, (flow.src, flow.src_port), (flow.dst, flow.dst_port))
}

/// How many of `flows` have a reverse direction, in themselves or in another of `all` that starts in
/// the same bin.
fn two_way(flows: &[&FlowRecord], all: &[&FlowRecord], bin_us: i64) -> u64 {
    let alone = all.iter().filter(|flow| flow.rev_packets.is_none());
    let alone: BTreeSet<OneWay> = alone.map(|flow| one_way(flow, bin_us)).collect();
    let is_two_way = |flow: &&&FlowRecord| match flow.rev_packets {
        Some(packets) => packets > 0,
        None => {
            let (ip_protocol, bin, src, dst) = one_way(flow, bin_us);
            src != dst && alone.contains(&(ip_protocol, bin, dst, src))
        }
    };
    flows.iter().filter(is_two_way).count() as u64
}

/// The hours in which no flow was active.
fn silent(flows: &[&FlowRecord]) -> Vec<Window> {
    let mut silent: Vec<Window> = Vec::new();
    let Some(window) = span(flows) else { return silent };
    let mut begun = flows.to_vec();
    begun.sort_by_key(|flow| flow.start_time);
    let mut begun = begun.into_iter().peekable();
    let mut last_end = Timestamp::MIN;
    let mut hour = window.from.hour();
    while hour <= window.until {
        let next = hour.plus_micros(HOUR_US);
        while let Some(flow) = begun.next_if(|flow| flow.start_time < next) {
            last_end = last_end.max(flow.end_time);
        }
        if last_end < hour {
            match silent.last_mut() {
                Some(last) if last.until == hour => last.until = next,
                _ => silent.push(Window::new(hour, next)),
            }
        }
        hour = next;
    }
    silent
}
