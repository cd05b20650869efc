//! Sampling: who says how packets were chosen, and when.

use rahdar_model::flow::{FlowRecord, Quality, Sampler, SamplingSource};
use rahdar_wire::Options;

use super::message::{
    FLOW_FIELDS, FLOWS, Header, flow, ipfix, ipfix_options_template, ipfix_template, record, set, v5_record,
    v9, v9_options_template, v9_template,
};
use super::{messages, messages_with, one};

/// The options template of these tests, with its number.
const OPTIONS: u16 = 300;

fn data() -> Vec<u8> {
    set(FLOWS, &flow(1_000))
}

/// A v9 message that says: one of `interval` packets, chosen at random.
fn announcement(header: Header, interval: u128) -> Vec<u8> {
    header.v9(&[
        v9_options_template(OPTIONS, &[(1, 4)], &[(34, 4), (35, 1)]),
        set(OPTIONS, &record(&[(0, 4), (interval, 4), (2, 1)])),
    ])
}

/// Interval, who gave it, how packets were chosen, and whether the rate is unknown.
type Sampled = (Option<u32>, Option<SamplingSource>, Option<Sampler>, bool);

const UNKNOWN: Sampled = (None, None, None, true);

fn sampled(flow: &FlowRecord) -> Sampled {
    let is_unknown = flow.quality.contains(Quality::RATE_UNKNOWN);
    (flow.sampling_interval, flow.sampling_source, flow.sampler, is_unknown)
}

fn told(interval: u32, sampler: Option<Sampler>) -> Sampled {
    (Some(interval), Some(SamplingSource::OptionTemplate), sampler, false)
}

#[test]
fn a_v5_header_tells_mode_and_interval() {
    let of = |sampling| {
        sampled(&one(&[Header::after(0).v5(sampling, &[v5_record(6, 443, (1, 40), (9_000_000, 9_000_000))])]))
    };
    let header = Some(SamplingSource::Header);
    assert_eq!(of(0x4064), (Some(100), header, Some(Sampler::Systematic), false));
    assert_eq!(of(0x8fa0), (Some(4_000), header, Some(Sampler::Random), false));
    assert_eq!(of(0x03e8), (Some(1_000), header, None, false), "Juniper sends no mode");
    assert_eq!(of(0x0001), (Some(1), header, None, false));
    assert_eq!(of(0x0000), UNKNOWN, "not sampled, or not told");
    assert_eq!(of(0x4000), UNKNOWN);
}

#[test]
fn options_may_come_eight_minutes_late() {
    let mut all = vec![v9(&[v9_template(FLOWS, FLOW_FIELDS), data()])];
    all.extend((1..48).map(|n| Header::after(10 * n).v9(&[data()])));
    all.push(announcement(Header::after(480), 512));
    all.extend((49..60).map(|n| Header::after(10 * n).v9(&[data()])));
    let (kept, tally) = messages(&all);
    assert_eq!((tally.decoded, tally.held, tally.beside), (59, 0, 3));
    assert!(kept.flows.iter().all(|flow| sampled(flow) == told(512, Some(Sampler::Random))));
    assert!(kept.problems.is_empty());
}

#[test]
fn who_says_nothing_for_ten_minutes_is_read_without_a_rate() {
    let mut all = vec![v9(&[v9_template(FLOWS, FLOW_FIELDS), data()])];
    all.extend((1..=70).map(|n| Header::after(10 * n).v9(&[data()])));
    all.push(announcement(Header::after(710), 512));
    all.push(Header::after(720).v9(&[data()]));
    let (kept, tally) = messages(&all);
    assert_eq!((tally.decoded, tally.held), (72, 0));
    assert!(kept.flows[..71].iter().all(|flow| sampled(flow) == UNKNOWN));
    assert_eq!(sampled(&kept.flows[71]), told(512, Some(Sampler::Random)), "late, but from then on");
}

#[test]
fn who_never_says_anything_is_read_at_the_end() {
    let (kept, tally) = messages(&[v9(&[v9_template(FLOWS, FLOW_FIELDS), data()])]);
    assert_eq!((tally.decoded, tally.held, sampled(&kept.flows[0])), (1, 0, UNKNOWN));
}

#[test]
fn options_may_stand_behind_the_data_of_the_same_message() {
    let mut message = v9(&[v9_template(FLOWS, FLOW_FIELDS), data()]);
    message.extend(&announcement(Header::after(0), 100)[20..]);
    message.extend(data());
    let (kept, _) = messages(&[message]);
    assert!(kept.flows.iter().all(|flow| sampled(flow) == told(100, Some(Sampler::Random))));
    assert_eq!(kept.flows.len(), 2);
}

#[test]
fn options_may_come_before_their_template() {
    let announced = announcement(Header::after(0), 100);
    let template_octets = usize::from(u16::from_be_bytes([announced[22], announced[23]]));
    let (template, options) = announced[20..].split_at(template_octets);
    let all =
        [v9(&[v9_template(FLOWS, FLOW_FIELDS), data()]), v9(&[options.to_vec()]), v9(&[template.to_vec()])];
    let (kept, tally) = messages(&all);
    assert_eq!(sampled(&kept.flows[0]), told(100, Some(Sampler::Random)));
    assert_eq!((tally.received, tally.decoded, tally.beside), (1, 1, 3));
}

#[test]
fn one_domain_says_nothing_about_another() {
    let mut other = Header::after(0);
    other.domain = 8;
    let (kept, _) = messages(&[announcement(other, 100), v9(&[v9_template(FLOWS, FLOW_FIELDS), data()])]);
    assert_eq!(sampled(&kept.flows[0]), UNKNOWN);
}

#[test]
fn a_new_interval_counts_from_then_on() {
    let (kept, _) = messages(&[
        announcement(Header::after(0), 100),
        v9(&[v9_template(FLOWS, FLOW_FIELDS), data()]),
        announcement(Header::after(1), 200),
        v9(&[data()]),
    ]);
    let intervals: Vec<_> = kept.flows.iter().map(|flow| flow.sampling_interval).collect();
    assert_eq!(intervals, [Some(100), Some(200)]);
}

#[test]
fn a_record_may_tell_its_own_rate() {
    let fields = [FLOW_FIELDS, &[(34, 4), (35, 1)]].concat();
    let records =
        [flow(1_000), record(&[(2_048, 4), (1, 1)]), flow(1_000), record(&[(0, 4), (0, 1)])].concat();
    let (kept, _) = messages(&[v9(&[v9_template(FLOWS, &fields), set(FLOWS, &records)])]);
    assert_eq!(sampled(&kept.flows[0]), told(2_048, Some(Sampler::Systematic)));
    assert_eq!(sampled(&kept.flows[1]), UNKNOWN);
    let all = [announcement(Header::after(0), 100), v9(&[v9_template(FLOWS, &fields), set(FLOWS, &records)])];
    let intervals: Vec<_> = messages(&all).0.flows.iter().map(|flow| flow.sampling_interval).collect();
    assert_eq!(intervals, [Some(2_048), Some(100)], "a 0 leaves it to the options");
}

#[test]
fn a_record_names_its_sampler() {
    let fields = [FLOW_FIELDS, &[(48, 2)]].concat();
    let records: Vec<u8> =
        [1, 2, 3].iter().flat_map(|id| [flow(1_000), record(&[(*id, 2)])].concat()).collect();
    let options = [
        v9_options_template(OPTIONS, &[(1, 4)], &[(48, 2), (50, 4), (49, 1)]),
        set(OPTIONS, &record(&[(0, 4), (1, 2), (2_000, 4), (2, 1), (0, 4), (2, 2), (4_000, 4), (1, 1)])),
    ];
    let (kept, _) = messages(&[v9(&[v9_template(FLOWS, &fields), set(FLOWS, &records)]), v9(&options)]);
    assert_eq!(sampled(&kept.flows[0]), told(2_000, Some(Sampler::Random)));
    assert_eq!(sampled(&kept.flows[1]), told(4_000, Some(Sampler::Systematic)));
    assert_eq!(sampled(&kept.flows[2]), UNKNOWN, "nobody told about sampler 3");
}

#[test]
fn ipfix_tells_packets_taken_and_left_out() {
    let of = |fields: &[(u16, u16)], values: &[(u128, usize)]| {
        let (kept, _) = messages(&[
            ipfix(&[ipfix_template(FLOWS, FLOW_FIELDS), data()]),
            ipfix(&[ipfix_options_template(OPTIONS, fields), set(OPTIONS, &record(values))]),
        ]);
        sampled(&kept.flows[0])
    };
    assert_eq!(
        of(&[(143, 4), (304, 2), (305, 4), (306, 4)], &[(0, 4), (1, 2), (1, 4), (9_999, 4)]),
        told(10_000, Some(Sampler::Systematic))
    );
    assert_eq!(
        of(&[(149, 4), (304, 2), (309, 4), (310, 4)], &[(0, 4), (3, 2), (10, 4), (1_000, 4)]),
        told(100, Some(Sampler::Random))
    );
    assert_eq!(of(&[(145, 2), (305, 4), (306, 4)], &[(FLOWS.into(), 2), (1, 4), (9, 4)]), told(10, None));
    assert_eq!(
        of(&[(145, 2), (305, 4), (306, 4)], &[(999, 2), (1, 4), (9, 4)]),
        UNKNOWN,
        "of another template"
    );
}

/// What a flow is said to be sampled like, after an options record of these elements.
fn announced(fields: &[(u16, u16)], values: &[(u128, usize)]) -> Sampled {
    let (kept, tally) = messages(&[
        ipfix(&[ipfix_options_template(OPTIONS, fields), set(OPTIONS, &record(values))]),
        ipfix(&[ipfix_template(FLOWS, FLOW_FIELDS), data()]),
    ]);
    assert_eq!((tally.decoded, tally.held), (1, 0));
    sampled(&kept.flows[0])
}

#[test]
fn an_exporter_that_announces_a_choice_of_flows_is_believed() {
    let flows = told(100, Some(Sampler::Flow));
    assert_eq!(
        announced(&[(144, 4), (390, 2), (396, 8), (397, 8)], &[(0, 4), (1, 2), (1, 8), (99, 8)]),
        flows
    );
    assert_eq!(
        announced(&[(302, 8), (390, 2), (309, 4), (310, 4)], &[(0, 8), (3, 2), (1, 4), (100, 4)]),
        flows
    );
    let probability = u128::from(0.01_f64.to_bits());
    assert_eq!(announced(&[(144, 4), (390, 2), (311, 8)], &[(0, 4), (4, 2), (probability, 8)]), flows);
}

#[test]
fn a_probability_is_a_rate() {
    let of = |bits: u128, octets: u16| {
        announced(&[(144, 4), (304, 2), (311, octets)], &[(0, 4), (4, 2), (bits, octets.into())])
    };
    assert_eq!(of(0.002_f64.to_bits().into(), 8), told(500, Some(Sampler::Random)));
    assert_eq!(of(0.002_f32.to_bits().into(), 4), told(500, Some(Sampler::Random)));
    let two_of_three = (Some(1), Some(SamplingSource::OptionTemplate), Some(Sampler::Random), true);
    assert_eq!(of((2.0_f64 / 3.0).to_bits().into(), 8), two_of_three, "more than one, less than two");
}

#[test]
fn what_a_filter_or_a_hash_let_through_is_scaled_by_nothing() {
    let itself = (None, None, Some(Sampler::Unknown), true);
    for algorithm in [5, 6, 7, 8, 9] {
        let of = |element| announced(&[(144, 4), (element, 2), (34, 4)], &[(0, 4), (algorithm, 2), (64, 4)]);
        assert_eq!((of(304), of(390)), (itself, itself), "{algorithm}");
    }
    // A tenth of a second in every second.
    let slots =
        announced(&[(144, 4), (304, 2), (307, 4), (308, 4)], &[(0, 4), (2, 2), (100_000, 4), (900_000, 4)]);
    assert_eq!(slots, itself);
}

#[test]
fn an_interface_may_have_a_rate_of_its_own() {
    let fields = [FLOW_FIELDS, &[(10, 4)]].concat();
    let records: Vec<u8> =
        [3, 4].iter().flat_map(|index| [flow(1_000), record(&[(*index, 4)])].concat()).collect();
    let options = [
        v9_options_template(OPTIONS, &[(2, 4)], &[(34, 4)]),
        set(OPTIONS, &record(&[(3, 4), (10, 4), (4, 4), (20, 4)])),
    ];
    let (kept, _) = messages(&[v9(&options), v9(&[v9_template(FLOWS, &fields), set(FLOWS, &records)])]);
    let intervals: Vec<_> = kept.flows.iter().map(|flow| flow.sampling_interval).collect();
    assert_eq!(intervals, [Some(10), Some(20)]);
}

#[test]
fn that_flows_were_sampled_the_operator_must_say() {
    let all = [announcement(Header::after(0), 100), v9(&[v9_template(FLOWS, FLOW_FIELDS), data()])];
    let options = Options { flows_sampled: true, ..Options::default() };
    let flow = messages_with(&all, options).0.flows.remove(0);
    assert_eq!(sampled(&flow), told(100, Some(Sampler::Flow)), "one flow in 100, though it said packets");
}

#[test]
fn the_operator_has_the_last_word() {
    let options = || Options { sampling: Some(64), ..Options::default() };
    let operator = (Some(64), Some(SamplingSource::Operator));
    let (kept, _) = messages_with(
        &[announcement(Header::after(0), 100), v9(&[v9_template(FLOWS, FLOW_FIELDS), data()])],
        options(),
    );
    assert_eq!((kept.flows[0].sampling_interval, kept.flows[0].sampling_source), operator);
    let (kept, _) = messages_with(&[v9(&[v9_template(FLOWS, FLOW_FIELDS), data()])], options());
    assert_eq!((kept.flows[0].sampling_interval, kept.flows[0].sampling_source), operator);
    assert!(!kept.flows[0].quality.contains(Quality::RATE_UNKNOWN));
}
