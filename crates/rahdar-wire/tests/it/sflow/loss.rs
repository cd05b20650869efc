//! What the numbers of datagrams and samples say is missing.

use proptest::prelude::*;
use rahdar_model::fact::{Loss, Unit};
use rahdar_model::time::Shift;
use rahdar_model::{Timestamp, Window};
use rahdar_wire::Options;

use super::message::{Flow, arrival_s, capture, datagram, datagram_of, of_kind, tcp_frame};
use super::{datagrams, datagrams_with};
use crate::kept::{Kept, decoded};

/// What is lost, by unit.
fn lost(kept: &Kept, unit: Unit) -> u64 {
    kept.gaps.iter().filter(|gap| gap.unit == unit).map(|gap| gap.lost).sum()
}

/// Decodes datagrams of these numbers, each with a counter sample, and compares how many are lost.
fn check(numbers: &[u32], expected: u64) {
    let all: Vec<_> = numbers.iter().map(|number| datagram(*number, &[of_kind(2, &[])])).collect();
    let (kept, _) = datagrams(&all);
    assert_eq!(lost(&kept, Unit::Datagrams), expected, "{numbers:?}");
    assert_eq!(lost(&kept, Unit::Samples), 0);
}

#[test]
fn numbers_that_are_left_out_are_lost() {
    check(&[1, 2, 3, 4], 0);
    check(&[1, 2, 5, 6], 2);
    check(&[7, 1_000], 992);
    check(&[u32::MAX - 1, u32::MAX, 1, 2], 1);
}

#[test]
fn late_and_repeated_datagrams_are_not_lost() {
    check(&[1, 3, 2, 4], 0);
    check(&[1, 2, 2, 3, 3], 0);
    check(&[5, 6, 4, 3, 7], 0);
    check(&[1, 40, 20, 41], 37);
}

#[test]
fn a_restart_is_no_loss() {
    check(&[1_000_000, 1_000_001, 1, 2, 3, 5], 1);
    check(&[1_000_000, 1_000_002, 1, 2, 3], 1);
    check(&[10, 11, 1, 2, 3], 0);
    check(&[1, 2, 3_000_000_000, 3_000_000_001], 0);
    // One number out of nowhere changes nothing.
    check(&[1, 2, 3_000_000_000, 3, 4], 0);
    // Nor does an agent that does not count.
    check(&[0, 0, 0, 0], 0);
}

#[test]
fn a_gap_says_whose_it_is_and_when_it_was() {
    let numbers = [1, 2, 5, 6];
    let all: Vec<_> = numbers.iter().map(|number| datagram(*number, &[of_kind(2, &[])])).collect();
    let (kept, tally) = decoded(&capture(&all));
    let [gap] = &kept.gaps[..] else { panic!("{:?}", kept.gaps) };
    assert_eq!((&*gap.exporter, gap.observation_domain, gap.cause), ("192.0.2.1", 7, Loss::Sequence));
    assert_eq!((gap.unit, gap.lost, &*gap.source), (Unit::Datagrams, 2, "test"));
    let (from, until) = (Timestamp::from_seconds(arrival_s(1)), Timestamp::from_seconds(arrival_s(2)));
    assert_eq!(gap.window, Window::new(from, until.plus_micros(1)));
    assert_eq!(tally.facts, 0, "gaps are no facts of the traffic");
}

#[test]
fn a_gap_is_moved_with_the_times_of_records() {
    let all = [1, 3].map(|number| datagram(number, &[of_kind(2, &[])]));
    let still = datagrams(&all).0.gaps.remove(0).window;
    let options = Options { shift: Shift::By(1_000_000), ..Options::default() };
    let moved = datagrams_with(&all, options).0.gaps.remove(0).window;
    assert_eq!(moved.from.since(still.from), 1_000_000);
    assert_eq!(moved.until.since(still.until), 1_000_000);
}

#[test]
fn steady_losses_are_told_minute_by_minute() {
    // Every second datagram is lost, for five minutes.
    let all: Vec<_> = (0..150).map(|n| datagram(2 * n + 1, &[of_kind(2, &[])])).collect();
    let (kept, _) = datagrams(&all);
    assert_eq!(lost(&kept, Unit::Datagrams), 149);
    assert!((2..=6).contains(&kept.gaps.len()), "{:?}", kept.gaps);
}

#[test]
fn agents_and_sub_agents_count_for_themselves() {
    let all: Vec<_> = (1..20)
        .flat_map(|n| {
            let sample = [of_kind(2, &[])];
            [datagram(n, &sample), datagram_of(&[1, 0xc000_0202], 5_000 + n, &sample)]
        })
        .collect();
    assert_eq!(datagrams(&all).0.gaps, []);
}

/// Decodes datagrams of one sample each: the datagram's number, the sample's, its drops.
fn check_samples(all: &[(u32, u32, u32)], expected: (u64, u64)) {
    let all: Vec<_> = all
        .iter()
        .map(|(datagram_number, number, drops)| {
            let flow = Flow { number: *number, drops: *drops, ..Flow::default() };
            datagram(*datagram_number, &[flow.sample(&[tcp_frame()])])
        })
        .collect();
    let (kept, _) = datagrams(&all);
    assert_eq!((lost(&kept, Unit::Datagrams), lost(&kept, Unit::Samples)), expected);
}

#[test]
fn samples_that_an_agent_dropped_are_lost_once() {
    check_samples(&[(1, 10, 0), (2, 11, 0), (3, 12, 0)], (0, 0));
    check_samples(&[(1, 10, 100), (2, 11, 104), (3, 12, 104)], (0, 4));
    // Numbered or not, they are the same samples.
    check_samples(&[(1, 10, 100), (2, 15, 104), (3, 16, 104)], (0, 4));
    check_samples(&[(1, 10, 100), (2, 15, 100), (3, 16, 100)], (0, 4));
}

#[test]
fn samples_of_a_lost_datagram_are_counted_as_the_datagram() {
    check_samples(&[(1, 10, 0), (3, 30, 0), (4, 31, 0)], (1, 0));
    // What was dropped meanwhile never was in it.
    check_samples(&[(1, 10, 0), (3, 30, 5), (4, 31, 5)], (1, 5));
    // A late one explains nothing that was not explained.
    check_samples(&[(1, 10, 0), (3, 12, 0), (2, 11, 0), (4, 13, 0)], (0, 0));
}

#[test]
fn two_samplers_under_one_name_lose_nothing() {
    let both =
        [(1, 10, 0), (2, 5_000, 70), (3, 11, 0), (4, 5_001, 70), (5, 12, 0), (6, 5_002, 70), (7, 13, 0)];
    check_samples(&both, (0, 0));
    // Nor does a source that counts anew with its agent.
    check_samples(&[(9_000, 500, 80), (1, 1, 0), (2, 2, 0), (3, 3, 0)], (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is lost, repeated, or late by up to 30: what is told is what is missing.
    #[test]
    fn the_lost_are_those_that_never_came(
        first in any::<u32>(),
        fates in prop::collection::vec((0u8..10, 0usize..30), 0..300),
    ) {
        let end = fates.len() as u32 + 100;
        let mut sent: Vec<(usize, u32)> = Vec::new();
        let mut missing = 0;
        for (n, (fate, delay)) in fates.iter().enumerate() {
            match fate {
                0 | 1 => missing += 1,
                2 => sent.extend([(n + delay, n as u32 + 1), (n, n as u32 + 1)]),
                3 => sent.push((n + delay, n as u32 + 1)),
                _ => sent.push((n, n as u32 + 1)),
            }
        }
        sent.sort();
        let numbers = [0].into_iter().chain(sent.iter().map(|(_, n)| *n)).chain(fates.len() as u32 + 1..=end);
        let all: Vec<_> =
            numbers.map(|number| datagram(first.wrapping_add(number), &[of_kind(2, &[])])).collect();
        prop_assert_eq!(lost(&datagrams(&all).0, Unit::Datagrams), missing);
    }
}
