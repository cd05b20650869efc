//! At which rate the flows of a file were sampled, whether nfcapd multiplied them, and what it lost.

use rahdar_model::fact::{Loss, Unit};
use rahdar_model::flow::SamplingSource::{self, Assumed, Header, Operator, OptionTemplate};
use rahdar_model::time::{Timestamp, Window};
use rahdar_model::{FlowRecord, Quality};
use rahdar_wire::Options;

use super::made::{
    BEGIN_MS, COMMON, Common, HEAD, Head, block, exporter, exporter_statistics, generic, longs, map,
    sampler_v1, sampler_v2, v1, v1_flow_of, v1_of, v2, v2_flow, v2_of, v4, words,
};
use crate::kept::{decode_all, decoded};

/// Multiplied by nfcapd, in either layout.
const SCALED_V1: u8 = 0x80;
const SCALED_V2: u8 = 0x02;

/// What is known of a rate: the interval, who told it, multiplied or not, unknown or not.
type Known = (Option<u32>, Option<SamplingSource>, bool, bool);

fn known(flow: &FlowRecord) -> Known {
    let marked = |mark| flow.quality.contains(mark);
    let marks = (marked(Quality::ALREADY_SCALED), marked(Quality::RATE_UNKNOWN));
    (flow.sampling_interval, flow.sampling_source, marks.0, marks.1)
}

/// Checks the rate of a flow of nfdump 1.7 behind these records.
#[track_caller]
fn check_v2(before: &[Vec<u8>], head: Head, elements: &[(u16, Vec<u8>)], expected: Known) {
    let elements = [&[generic(COMMON), v4()], elements].concat();
    let records = [before, &[v2_flow(head, &elements)]].concat();
    assert_eq!(known(&decoded(&v2(0, &records)).0.flows[0]), expected);
}

/// Checks the rate of a flow of nfdump 1.6 behind these records.
#[track_caller]
fn check_v1(before: &[Vec<u8>], flags: u8, expected: Known) {
    let flow = v1_flow_of(flags, 0, COMMON, &v4().1, &words(&[10, 1_520]), &[]);
    let records = [before, &[map(0, &[]), flow]].concat();
    assert_eq!(known(&decoded(&v1(0, &records)).0.flows[0]), expected);
}

#[test]
fn what_nfcapd_multiplied_keeps_its_interval_and_a_mark() {
    let scaled = Head { flags: SCALED_V2, ..HEAD };
    let expected = (Some(100), Some(OptionTemplate), true, false);
    check_v2(&[exporter(1, 9, 0), sampler_v2(1, -1, 1, 99)], scaled, &[], expected);
    check_v1(&[exporter(1, 9, 0), sampler_v1(1, -1, 100, 1)], SCALED_V1, expected);
}

#[test]
fn what_it_did_not_multiply_has_no_mark() {
    let expected = (Some(100), Some(OptionTemplate), false, false);
    check_v2(&[exporter(1, 9, 0), sampler_v2(1, -1, 1, 99)], HEAD, &[], expected);
    check_v1(&[exporter(1, 9, 0), sampler_v1(1, -1, 100, 1)], 0, expected);
}

#[test]
fn who_says_nothing_is_of_unknown_rate() {
    let untold = (None, None, false, true);
    check_v2(&[exporter(1, 9, 0)], HEAD, &[], untold);
    check_v1(&[exporter(1, 9, 0)], 0, untold);
    // The sampler of somebody else says nothing.
    check_v2(&[exporter(1, 9, 0), sampler_v2(2, -1, 1, 99)], HEAD, &[], untold);
}

#[test]
fn what_was_multiplied_by_an_interval_that_nobody_wrote_down_has_both_marks() {
    let expected = (None, None, true, true);
    check_v2(&[exporter(1, 9, 0)], Head { flags: SCALED_V2, ..HEAD }, &[], expected);
    check_v1(&[exporter(1, 9, 0)], SCALED_V1, expected);
    // 1.6 marks what it multiplied, so it was not by 1.
    check_v1(&[exporter(1, 9, 0), sampler_v1(1, 0, 1, 1)], SCALED_V1, expected);
}

#[test]
fn an_interval_of_one_is_unsampled() {
    let expected = (Some(1), Some(OptionTemplate), false, false);
    check_v2(&[exporter(1, 9, 0), sampler_v2(1, -1, 1, 0)], Head { flags: SCALED_V2, ..HEAD }, &[], expected);
    check_v1(&[exporter(1, 9, 0), sampler_v1(1, -1, 1, 1)], 0, expected);
}

#[test]
fn of_version_5_an_interval_of_one_is_what_nfcapd_writes_if_nobody_told() {
    check_v1(&[exporter(1, 5, 0), sampler_v1(1, -1, 1, 0)], 0, (None, None, false, true));
    check_v1(
        &[exporter(1, 5, 0), sampler_v1(1, -1, 50, 1)],
        SCALED_V1,
        (Some(50), Some(Header), true, false),
    );
}

#[test]
fn packets_taken_and_left_out_are_a_rate() {
    let scaled = Head { flags: SCALED_V2, ..HEAD };
    for (taken, left_out, interval) in [(1, 9_999, 10_000), (2, 98, 50), (3, 7, 3)] {
        let expected = (Some(interval), Some(OptionTemplate), true, false);
        check_v2(&[exporter(1, 9, 0), sampler_v2(1, -1, taken, left_out)], scaled, &[], expected);
    }
    check_v2(&[exporter(1, 9, 0), sampler_v2(1, -1, 0, 99)], HEAD, &[], (None, None, false, true));
}

#[test]
fn a_record_that_names_its_sampler_has_its_rate() {
    let samplers = [exporter(1, 9, 0), sampler_v2(1, 7, 1, 999), sampler_v2(1, 8, 1, 1_999)];
    let scaled = Head { flags: SCALED_V2, ..HEAD };
    for (id, expected) in [
        (7, (Some(1_000), Some(OptionTemplate), true, false)),
        (8, (Some(2_000), Some(OptionTemplate), true, false)),
        (9, (None, None, true, true)),
    ] {
        check_v2(&samplers, scaled, &[(18, longs(&[id, 0])[..12].to_vec())], expected);
    }
}

#[test]
fn a_record_that_names_none_has_the_rate_of_all_if_they_agree() {
    let scaled = Head { flags: SCALED_V2, ..HEAD };
    let one = [exporter(1, 9, 0), sampler_v2(1, 7, 1, 999)];
    let two = [&one[..], &[sampler_v2(1, 8, 1, 1_999)]].concat();
    check_v2(&one, scaled, &[], (Some(1_000), Some(OptionTemplate), true, false));
    check_v2(&two, scaled, &[], (None, None, true, true));
    let again = [&two[..], &[sampler_v2(1, 7, 1, 1_999)]].concat();
    check_v2(&again, scaled, &[], (Some(2_000), Some(OptionTemplate), true, false));
    // nfcapd multiplied nothing: the flow did not come by that sampler.
    check_v2(&one, HEAD, &[], (None, None, false, true));
}

#[test]
fn what_the_operator_of_nfcapd_ordered_counts_as_the_operator() {
    let scaled = Head { flags: SCALED_V2, ..HEAD };
    let said = [exporter(1, 9, 0), sampler_v2(1, -1, 1, 99)];
    let ordered = [&said[..], &[sampler_v2(1, -3, 1, 499)]].concat();
    check_v2(&ordered, scaled, &[], (Some(500), Some(Operator), true, false));
    let assumed = [exporter(1, 9, 0), sampler_v2(1, -2, 1, 499)];
    check_v2(&assumed, scaled, &[], (Some(500), Some(Operator), true, false));
    let both = [&said[..], &[sampler_v2(1, -2, 1, 499)]].concat();
    check_v2(&both, scaled, &[], (Some(100), Some(OptionTemplate), true, false));
}

#[test]
fn the_operator_of_the_import_has_the_last_word() {
    let options = Options { sampling: Some(64), ..Options::default() };
    let file = v2(0, &[v2_flow(HEAD, &[generic(COMMON), v4()])]);
    let (kept, _) = decode_all(&*file, &options);
    assert_eq!(known(&kept.flows[0]), (Some(64), Some(Operator), false, false));
}

#[test]
fn packets_that_nfpcapd_saw_are_unsampled() {
    check_v2(&[], Head { version: 0x41, ..HEAD }, &[], (Some(1), Some(Assumed), false, false));
}

#[test]
fn an_sflow_sample_is_one_packet_multiplied() {
    let sample = Common { packets: 2_048, octets: 2_048 * 1_518, ..COMMON };
    let head = Head { version: 0x85, flags: SCALED_V2, ..HEAD };
    let expected = (Some(2_048), Some(Header), true, false);
    // The file keeps one interval for an agent; its interfaces may differ.
    let before = [exporter(1, 9_999, 0), sampler_v2(1, -1, 1, 1_023)];
    let flow = v2_flow(head, &[generic(sample), v4()]);
    let (kept, _) = decoded(&v2(0, &[&before[..], &[flow]].concat()));
    assert_eq!(known(&kept.flows[0]), expected);
    assert!(kept.flows[0].quality.contains(Quality::LAYER2_LENGTH));
    // Joined samples have the interval of the agent.
    let joined = v2_flow(head, &[generic(sample), v4(), (5, longs(&[2, 0, 0]))]);
    let (kept, _) = decoded(&v2(0, &[&before[..], &[joined]].concat()));
    assert_eq!(known(&kept.flows[0]), (Some(1_024), Some(Header), true, false));
}

#[test]
fn an_sflow_sample_of_1_6_is_known_by_its_exporter() {
    for (packets, expected) in [
        (512, (Some(512), Some(Header), true, false)),
        (1, (Some(1), Some(Header), false, false)),
        (u32::MAX, (None, None, true, true)),
    ] {
        let common = Common { packets: packets.into(), ..COMMON };
        let flow = v1_flow_of(SCALED_V1, 0, common, &v4().1, &words(&[packets, 1_520]), &[]);
        let records = [exporter(1, 9_999, 0), sampler_v1(1, -1, 512, 0), map(0, &[]), flow];
        assert_eq!(known(&decoded(&v1(0, &records)).0.flows[0]), expected);
    }
}

#[test]
fn a_file_of_1_6_that_was_rewritten_lost_its_marks() {
    let head = Head { version: 0, ..HEAD };
    let expected = (Some(100), Some(OptionTemplate), true, false);
    check_v2(&[exporter(1, 9, 0), sampler_v1(1, -1, 100, 1)], head, &[], expected);
    check_v2(&[exporter(1, 9, 0)], head, &[], (None, None, false, true));
}

#[test]
fn sequence_failures_are_gaps_of_their_exporter() {
    let flow = v2_flow(HEAD, &[generic(COMMON), v4()]);
    let statistics = exporter_statistics(&[(1, 3), (2, 0)]);
    let blocks = [block(3, &[exporter(1, 9, 7), flow.clone(), statistics.clone()], 0)];
    let (kept, _) = decoded(&v2_of(0, &blocks, 5));
    let told: Vec<_> =
        kept.gaps.iter().map(|gap| (&*gap.exporter, gap.observation_domain, gap.lost)).collect();
    // What the file counts beyond its exporters, it counts for itself.
    assert_eq!(told, [("192.0.2.200", 7, 3), ("nfdump", 0, 2)]);
    let at = |ms| Timestamp::from_micros((BEGIN_MS + ms) as i64 * 1_000);
    let gap = &kept.gaps[0];
    assert_eq!(
        (gap.cause, gap.unit, gap.window),
        (Loss::Sequence, Unit::Datagrams, Window::new(at(0), at(60_001)))
    );
    assert_eq!(&*gap.source, "test");
}

#[test]
fn a_file_of_1_6_counts_its_losses_too() {
    let records = [map(0, &[]), v1_flow_of(0, 0, COMMON, &v4().1, &words(&[10, 1_520]), &[])];
    let (kept, _) = decoded(&v1_of(0, "here", &[block(2, &records, 0)], 4));
    assert_eq!((&*kept.gaps[0].exporter, kept.gaps[0].lost), ("here", 4));
    assert_eq!(decoded(&v1_of(0, "here", &[block(2, &records, 0)], 0)).0.gaps, []);
}

#[test]
fn a_gap_without_a_time_in_the_file_spans_its_flows() {
    let flow = v2_flow(HEAD, &[generic(COMMON), v4()]);
    let mut open = v2_of(0, &[block(3, &[flow, exporter_statistics(&[(1, 3)])], 0)], 0);
    // A file that was not closed has no appendix.
    open[18] = 0;
    let appendix_from = u64::from_le_bytes(*open[24..].first_chunk().unwrap()) as usize;
    let (kept, tally) = decoded(&open[..appendix_from]);
    let at = |ms: u64| Timestamp::from_micros(ms as i64 * 1_000);
    assert_eq!((tally.decoded, tally.refused), (1, 0));
    assert_eq!(kept.gaps[0].window, Window::new(at(COMMON.first_ms), at(COMMON.last_ms + 1)));
}
