//! Whether sources sample as they say, by their own count of packets.

use rahdar_model::flow::{FlowRecord, Quality, SamplingSource};
use rahdar_wire::Options;

use super::message::{Flow, datagram, tcp_frame};
use super::{datagrams, datagrams_with};
use crate::kept::Kept;

/// The rate that every source here tells.
const TOLD: u32 = 1_000;

/// A datagram with one sample of source 3.
fn sample(datagram_number: u32, number: u32, pool: u32) -> Vec<u8> {
    datagram(datagram_number, &[Flow { number, pool, rate: TOLD, ..Flow::default() }.sample(&[tcp_frame()])])
}

/// So many samples, one for every `each` packets, numbered and counted from these.
fn steady(count: u32, each: u32, first: u32, pool: u32) -> Vec<Vec<u8>> {
    (0..count)
        .map(|n| sample(n + 1, first.wrapping_add(n), pool.wrapping_add(n.wrapping_mul(each))))
        .collect()
}

/// Interval, and whether the rate is unknown.
fn rate(flow: &FlowRecord) -> (Option<u32>, bool) {
    assert_eq!(flow.sampling_source, Some(SamplingSource::Header));
    (flow.sampling_interval, flow.quality.contains(Quality::RATE_UNKNOWN))
}

fn last(all: &[Vec<u8>]) -> (Option<u32>, bool) {
    let (kept, _) = datagrams(all);
    assert_eq!(kept.flows.len(), all.len());
    rate(kept.flows.last().unwrap())
}

fn notes(kept: &Kept) -> usize {
    kept.problems().iter().filter(|text| text.contains("by its count")).count()
}

const AS_TOLD: (Option<u32>, bool) = (Some(TOLD), false);

#[test]
fn a_source_that_samples_as_it_says_is_believed() {
    assert_eq!(last(&steady(2_000, 1_000, 1, 0)), AS_TOLD);
    assert_eq!(last(&steady(2_000, 950, 1, 0)), AS_TOLD, "within what chance does");
    assert_eq!(last(&steady(400, 500, 1, 0)), AS_TOLD, "too few to tell");
}

#[test]
fn chance_alone_contradicts_nobody() {
    // Each packet by itself, one in a thousand: the steps between samples are exponential.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for run in 0..20 {
        let mut pool = 0_u32;
        let all = (0..3_000).map(|n| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let uniform = (state >> 11) as f64 / (1_u64 << 53) as f64;
            pool = pool.wrapping_add((-(1.0 - uniform).ln() * f64::from(TOLD)).ceil() as u32);
            sample(n + 1, n + 1, pool)
        });
        assert_eq!(notes(&datagrams(&all.collect::<Vec<_>>()).0), 0, "run {run}");
    }
}

#[test]
fn a_source_that_samples_more_than_it_says_counts_for_less() {
    let (kept, _) = datagrams(&steady(1_000, 500, 1, 0));
    assert_eq!(rate(&kept.flows[399]), AS_TOLD);
    let (interval, is_unknown) = rate(&kept.flows[999]);
    assert!(is_unknown && interval.is_some_and(|n| (460..500).contains(&n)), "{interval:?}");
    assert_eq!(notes(&kept), 1);
}

#[test]
fn a_source_that_samples_less_than_it_says_has_no_upper_bound() {
    let (kept, _) = datagrams(&steady(1_000, 2_000, 1, 0));
    assert_eq!(rate(&kept.flows[999]), (Some(TOLD), true));
    assert_eq!(notes(&kept), 1);
}

#[test]
fn a_pool_and_numbers_may_wrap() {
    assert_eq!(last(&steady(1_000, 1_000, u32::MAX - 500, u32::MAX - 300_000)), AS_TOLD);
    // At ten million packets a second and one sample in a thousand, eleven wraps an hour.
    assert_eq!(last(&steady(5_000, 1_000, 1, u32::MAX - 1)), AS_TOLD);
}

#[test]
fn an_agent_that_does_not_count_is_believed() {
    assert_eq!(last(&steady(1_000, 0, 1, 7)), AS_TOLD, "its pool stands still");
    let in_samples: Vec<_> = (0..1_000).map(|n| sample(n + 1, n + 1, n / 2)).collect();
    assert_eq!(last(&in_samples), AS_TOLD);
}

#[test]
fn an_agent_that_starts_again_counts_anew() {
    let mut all = steady(1_000, 1_000, 5_000_000, 4_000_000_000);
    all.extend((0..1_000).map(|n| sample(1_001 + n, n + 1, n * 1_000)));
    assert_eq!(last(&all), AS_TOLD);
}

#[test]
fn lost_datagrams_change_no_rate() {
    // Every second datagram is lost: numbers and pool both jump.
    let all: Vec<_> = steady(2_000, 1_000, 1, 0).into_iter().step_by(2).collect();
    assert_eq!(last(&all), AS_TOLD);
}

#[test]
fn a_new_rate_is_judged_by_itself() {
    let of = |number: u32, pool, rate| {
        datagram(number, &[Flow { number, pool, rate, ..Flow::default() }.sample(&[tcp_frame()])])
    };
    let slow = (0..500).map(|n| of(n + 1, n * 1_000, 1_000));
    let fast = (0..500).map(|n| of(n + 501, 500_000 + n * 100, 100));
    let (kept, _) = datagrams(&slow.chain(fast).collect::<Vec<_>>());
    assert_eq!(rate(kept.flows.last().unwrap()), (Some(100), false));
    assert_eq!(notes(&kept), 0);
}

#[test]
fn the_operator_knows_better() {
    let options = Options { sampling: Some(64), ..Options::default() };
    let (kept, _) = datagrams_with(&steady(1_000, 2_000, 1, 0), options);
    let flow = kept.flows.last().unwrap();
    assert_eq!((flow.sampling_interval, flow.quality.contains(Quality::RATE_UNKNOWN)), (Some(64), false));
}
