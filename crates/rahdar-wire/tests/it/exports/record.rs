//! Records: what their values mean, and what is doubtful about them.

use std::io::Read;

use rahdar_model::flow::{Direction, FlowRecord, Initiator, Quality};
use rahdar_model::time::{SECOND_US, Shift};
use rahdar_wire::{Format, Options, WireError};

use super::message::{
    EXPORT_S, FLOW_FIELDS, FLOWS, Header, UPTIME_MS, capture, flow, ipfix, ipfix_template, record, set,
    v5_record, v9, v9_options_template, v9_template,
};
use super::{messages, messages_with, one};
use crate::kept::{decode_all, decoded};

/// A flow of these values behind both addresses and the protocol, TCP if it is not among them:
/// each an element, what it says, and its octets.
fn flow_of(values: &[(u16, u128, usize)]) -> FlowRecord {
    let addresses = [(8, 0xc000_020a, 4), (12, 0xc633_6407, 4)];
    let has_protocol = values.iter().any(|(element, ..)| *element == 4);
    let protocol: &[_] = if has_protocol { &[] } else { &[(4, 6, 1)] };
    let all = [&addresses, protocol, values].concat();
    let fields: Vec<_> = all.iter().map(|(element, _, octets)| (*element, *octets as u16)).collect();
    let values: Vec<_> = all.iter().map(|(_, value, octets)| (*value, *octets)).collect();
    one(&[ipfix(&[ipfix_template(FLOWS, &fields), set(FLOWS, &record(&values))])])
}

fn seconds_before_export(flow: &FlowRecord) -> (i64, i64) {
    let before = |time: rahdar_model::Timestamp| i64::from(EXPORT_S) - time.micros() / SECOND_US;
    (before(flow.start_time), before(flow.end_time))
}

#[test]
fn a_v5_record_has_all_that_v5_has() {
    let datagram = Header::after(0)
        .v5(0x4064, &[v5_record(6, 443, (10, 4_000), (UPTIME_MS - 60_000, UPTIME_MS - 50_000))]);
    let (kept, tally) = decoded(&capture("192.0.2.1:9000", &[datagram]));
    let flow = &kept.flows[0];
    assert_eq!((tally.decoded, kept.problems().len()), (1, 0));
    assert_eq!(format!("{} {}", flow.src, flow.src_port), "192.0.2.10 50000");
    assert_eq!(format!("{} {}", flow.dst, flow.dst_port), "198.51.100.7 443");
    assert_eq!((flow.protocol, flow.tcp_flags), (6, Some(0x1b)));
    assert_eq!((flow.packets, flow.octets), (10, 4_000));
    assert_eq!((flow.rev_packets, flow.rev_octets), (None, None), "v5 has no biflows");
    assert_eq!((flow.in_if, flow.out_if), (Some(3), Some(4)));
    assert_eq!((flow.src_as, flow.dst_as), (Some(64_496), Some(64_497)));
    assert_eq!(seconds_before_export(flow), (60, 50));
    assert_eq!((flow.observation_domain, &*flow.exporter), (0x0102, "192.0.2.1"));
    assert_eq!(flow.export_time.unwrap().micros(), i64::from(EXPORT_S) * SECOND_US);
    assert_eq!(flow.received_time, flow.export_time);
    assert_eq!((&*flow.source, flow.source_row), ("test", 1));
    assert_eq!(flow.quality, Quality::NONE);
}

#[test]
fn what_an_address_was_translated_to_changes_no_end() {
    let flow = flow_of(&[
        (7, 50_000, 2),
        (11, 443, 2),
        (225, 0xcb00_7101, 4),
        (226, 0xcb00_7102, 4),
        (227, 1_024, 2),
        (228, 8_443, 2),
    ]);
    assert_eq!(format!("{} {}", flow.src, flow.src_port), "192.0.2.10 50000");
    assert_eq!(format!("{} {}", flow.dst, flow.dst_port), "198.51.100.7 443");
}

#[test]
fn records_that_a_v5_header_promises_and_that_are_not_there_are_refused() {
    let mut datagram = Header::after(0).v5(0, &vec![v5_record(6, 443, (1, 40), (UPTIME_MS, UPTIME_MS)); 3]);
    datagram.truncate(24 + 48 + 20);
    let (kept, tally) = messages(&[datagram.clone()]);
    assert_eq!((tally.received, tally.decoded, tally.refused), (3, 1, 2));
    assert_eq!(
        kept.problems(),
        ["packet 1, octet 2 of the datagram: the header says `3` records, `1` are there"]
    );
    datagram[2..4].copy_from_slice(&60_000u16.to_be_bytes());
    assert_eq!(messages(&[datagram]).1.refused, 1, "no datagram holds so many");
}

#[test]
fn type_and_code_of_icmp_are_in_the_port_of_v5() {
    for (port, kind, code) in [(0x0800, Some(8), Some(0)), (0x0301, Some(3), Some(1)), (0, Some(0), Some(0))]
    {
        let flow = one(&[Header::after(0).v5(0, &[v5_record(1, port, (1, 84), (UPTIME_MS, UPTIME_MS))])]);
        assert_eq!((flow.icmp_type, flow.icmp_code), (kind, code), "{port}");
        assert_eq!((flow.src_port, flow.dst_port, flow.tcp_flags), (0, 0, None));
    }
}

#[test]
fn type_and_code_of_icmp_are_where_the_template_has_them() {
    let icmp = |values: &[(u16, u128, usize)]| {
        let flow = flow_of(values);
        assert_eq!((flow.src_port, flow.dst_port), (0, 0));
        (flow.icmp_type, flow.icmp_code)
    };
    assert_eq!(icmp(&[(4, 1, 1), (32, 0x0303, 2)]), (Some(3), Some(3)));
    assert_eq!(icmp(&[(4, 58, 1), (139, 0x8000, 2)]), (Some(128), Some(0)));
    assert_eq!(icmp(&[(4, 1, 1), (176, 8, 1), (177, 0, 1)]), (Some(8), Some(0)));
    assert_eq!(
        icmp(&[(4, 1, 1), (11, 17_549, 2), (176, 0, 1), (177, 0, 1)]),
        (Some(0), Some(0)),
        "Cisco ASA"
    );
    assert_eq!(icmp(&[(4, 1, 1), (7, 9, 2), (11, 0x0800, 2)]), (Some(8), Some(0)));
    assert_eq!(icmp(&[(4, 58, 1), (11, 136, 2)]), (Some(136), None), "IOS XR");
    assert_eq!(icmp(&[(4, 1, 1), (11, 0, 2)]), (None, None));
    assert_eq!(icmp(&[(4, 1, 1)]), (None, None));
    let tcp = flow_of(&[(32, 0x0800, 2)]);
    assert_eq!((tcp.icmp_type, tcp.icmp_code), (None, None));
}

#[test]
fn every_column_has_its_element() {
    let flow = flow_of(&[
        (10, 11, 4),
        (14, 12, 4),
        (16, 64_496, 4),
        (17, 4_200_000_000, 4),
        (61, 1, 1),
        (136, 3, 1),
        (148, 18_446_744_073_709_551_615, 8),
        (130, 0xcb00_7109, 4),
        (182, 1_024, 2),
        (183, 25, 2),
        (6, 0x5012, 2),
    ]);
    assert_eq!((flow.in_if, flow.out_if), (Some(11), Some(12)));
    assert_eq!((flow.src_as, flow.dst_as), (Some(64_496), Some(4_200_000_000)));
    assert_eq!((flow.direction, flow.end_reason), (Some(Direction::Egress), Some(3)));
    assert_eq!((&*flow.uid, &*flow.exporter), ("18446744073709551615", "203.0.113.9"));
    assert_eq!((flow.src_port, flow.dst_port), (1_024, 25));
    assert_eq!(flow.tcp_flags, Some(0x012), "the data offset is no flag");
}

#[test]
fn a_record_as_long_as_the_announced_timeout_was_cut() {
    let ended = |values: &[(u16, u128, usize)]| {
        let begin_ms = u128::from(EXPORT_S - 20) * 1_000;
        flow_of(&[&[(152, begin_ms, 8), (153, begin_ms + 10_000, 8)], values].concat()).end_reason
    };
    assert_eq!(ended(&[(36, 11, 2), (37, 15, 2)]), Some(2), "ten seconds are nine tenths of eleven");
    assert_eq!(ended(&[(36, 12, 2)]), None);
    assert_eq!(ended(&[(36, 0, 2)]), None);
    assert_eq!(ended(&[(36, 10, 2), (136, 1, 1)]), Some(1), "what a record says goes first");

    let options = [v9_options_template(300, &[(1, 4)], &[(36, 2)]), set(300, &record(&[(0, 4), (10, 2)]))];
    let data = || v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]);
    assert_eq!(one(&[v9(&options), data()]).end_reason, Some(2));
    assert_eq!(one(&[data()]).end_reason, None);
}

#[test]
fn the_better_element_counts() {
    assert_eq!(flow_of(&[(85, 9_000, 4), (1, 900, 4)]).octets, 900, "since the last record, not in total");
    assert_eq!(flow_of(&[(85, 9_000, 4)]).octets, 9_000);
    assert_eq!(flow_of(&[(23, 800, 4), (24, 8, 4)]).octets, 800);
    assert_eq!(flow_of(&[(23, 800, 4), (1, 0, 4)]).octets, 0);
    let physical = flow_of(&[(252, 5, 4), (10, 6, 4)]);
    assert_eq!(physical.in_if, Some(6));
    let ports = flow_of(&[(182, 5, 2), (7, 6, 2)]);
    assert_eq!(ports.src_port, 6);
}

#[test]
fn what_left_counts_for_a_flow_metered_as_it_left() {
    let counters = |direction| [(61, direction, 1), (1, 0, 4), (2, 0, 4), (23, 320, 4), (24, 2, 4)];
    let left = flow_of(&counters(1));
    assert_eq!((left.octets, left.packets), (320, 2));
    assert_eq!(flow_of(&counters(0)).octets, 0);
}

#[test]
fn what_a_v9_probe_counts_apart_is_the_answer() {
    let flow = |out: (u128, u128)| {
        let fields = &[(8, 4), (12, 4), (1, 4), (2, 4), (23, 4), (24, 4)];
        let values = [(0xc000_020a, 4), (0xc633_6407, 4), (1_520, 4), (10, 4), (out.0, 4), (out.1, 4)];
        one(&[v9(&[v9_template(FLOWS, fields), set(FLOWS, &record(&values))])])
    };
    let answer = |out| {
        let flow = flow(out);
        assert_eq!((flow.octets, flow.packets), (1_520, 10));
        (flow.rev_octets, flow.rev_packets)
    };
    assert_eq!(answer((2_640, 12)), (Some(2_640), Some(12)));
    assert_eq!(answer((1_520, 10)), (None, None), "the same packets, as they left");
    assert_eq!(answer((0, 0)), (None, None));
    assert!(flow((100, 12)).quality.contains(Quality::IMPOSSIBLE_SIZE));
    assert!(flow((u128::from(u32::MAX), 3_000_000)).quality.contains(Quality::COUNTER_CLAMPED));
}

#[test]
fn what_a_middlebox_let_through_is_no_answer() {
    let after = flow_of(&[(1, 1_520, 4), (2, 10, 4), (23, 1_400, 4), (24, 9, 4)]);
    assert_eq!((after.rev_octets, after.rev_packets), (None, None), "IPFIX names the direction");
    let half = one(&[v9(&[
        v9_template(FLOWS, &[(8, 4), (12, 4), (1, 4), (2, 4), (23, 4)]),
        set(FLOWS, &record(&[(0xc000_020a, 4), (0xc633_6407, 4), (1_520, 4), (10, 4), (700, 4)])),
    ])]);
    assert_eq!((half.rev_octets, half.rev_packets), (None, None));
}

#[test]
fn octets_that_a_template_does_not_count_are_not_none() {
    let is_gap = |values: &[_]| flow_of(values).quality.contains(Quality::CONTENT_GAP);
    assert!(is_gap(&[(2, 10, 4)]));
    assert!(is_gap(&[(231, 81, 4), (298, 3, 4)]), "octets above the transport header");
    assert!(!is_gap(&[(1, 900, 4)]));
    assert!(!is_gap(&[(233, 1, 1)]), "what a firewall tells before anything passed");
}

#[test]
fn of_two_families_the_one_that_is_not_zero_counts() {
    let v6 = 0x2001_0db8_0000_0000_0000_0000_0000_0001;
    let fields = &[(8, 4), (27, 16), (12, 4), (28, 16)];
    let both = |src4, src6| {
        let values = [(src4, 4), (src6, 16), (src4, 4), (src6, 16)];
        one(&[v9(&[v9_template(FLOWS, fields), set(FLOWS, &record(&values))])]).src.to_string()
    };
    assert_eq!(both(0xc000_020a, 0), "192.0.2.10");
    assert_eq!(both(0, v6), "2001:db8::1");
}

#[test]
fn of_a_tunnel_the_inner_packet_counts() {
    let outer = 0x2001_0db8_0000_0000_0000_0000_0000_0001;
    let flow = one(&[ipfix(&[
        ipfix_template(
            FLOWS,
            &[(27, 16), (28, 16), (7, 2), (11, 2), (4, 1), (8, 4), (12, 4), (7, 2), (11, 2), (4, 1)],
        ),
        set(
            FLOWS,
            &record(&[
                (outer, 16),
                (outer, 16),
                (0, 2),
                (0, 2),
                (4, 1),
                (0xc000_020a, 4),
                (0xc633_6407, 4),
                (50_000, 2),
                (443, 2),
                (6, 1),
            ]),
        ),
    ])]);
    assert_eq!((flow.src.to_string(), flow.src_port, flow.dst_port), ("192.0.2.10".to_owned(), 50_000, 443));
    assert_eq!(flow.protocol, 6);
}

#[test]
fn a_firewall_counts_for_initiator_and_responder() {
    let flow = flow_of(&[(231, 81, 4), (232, 763, 4), (298, 3, 4), (299, 2, 4), (233, 2, 1), (148, 5, 4)]);
    assert_eq!((flow.octets, flow.rev_octets), (81, Some(763)));
    assert_eq!((flow.payload_octets, flow.rev_payload_octets), (Some(81), Some(763)));
    assert_eq!((flow.packets, flow.rev_packets), (3, Some(2)));
    assert_eq!((flow.initiator, &*flow.state, &*flow.uid), (Some(Initiator::Source), "deleted", "5"));
    assert!(!flow.quality.contains(Quality::IMPOSSIBLE_SIZE), "octets above the transport may be few");
    assert_eq!(flow_of(&[(233, 3, 1)]).state, "denied");
}

#[test]
fn the_responder_alone_says_nothing() {
    let flow = flow_of(&[(1, 200, 4), (2, 4, 4), (232, 7, 2)]);
    assert_eq!(
        (flow.rev_octets, flow.rev_payload_octets, flow.initiator),
        (None, None, None),
        "Huawei's 232"
    );
}

#[test]
fn sizes_that_cannot_be_are_marked_and_kept() {
    let marks = |packets, octets, width| {
        let flow = flow_of(&[(2, packets, 8), (1, octets, width)]);
        assert_eq!((u128::from(flow.packets), u128::from(flow.octets)), (packets, octets));
        flow.quality
    };
    let usual = Quality::CLOCK_SUSPECT | Quality::RATE_UNKNOWN;
    assert_eq!(marks(10, 200, 4), usual);
    assert_eq!(marks(10, 199, 4), usual | Quality::IMPOSSIBLE_SIZE);
    assert_eq!(marks(10, 655_351, 4), usual | Quality::IMPOSSIBLE_SIZE);
    assert_eq!(marks(0, 5_000, 4), usual | Quality::CONTENT_GAP, "packets are not told");
    assert_eq!(marks(10_000_000, 1_000, 4), usual | Quality::COUNTER_WRAPPED, "4.3 GB in 10 M packets");
    assert_eq!(marks(10_000_000, 1_000, 8), usual | Quality::IMPOSSIBLE_SIZE, "eight octets do not wrap");
}

#[test]
fn counters_at_their_end_are_marked() {
    let octets = |value, width| {
        let flow = flow_of(&[(1, value, width)]);
        (flow.octets, flow.quality.contains(Quality::COUNTER_CLAMPED))
    };
    assert_eq!(octets(u128::from(u64::MAX), 8), (i64::MAX as u64, true));
    assert_eq!(octets(1 << 63, 8), (i64::MAX as u64, true));
    assert_eq!(octets(u128::from(u32::MAX), 4), (u64::from(u32::MAX), true));
    assert_eq!(octets(u128::from(u32::MAX), 8), (u64::from(u32::MAX), false));
    assert_eq!(octets(255, 1), (255, false));
}

#[test]
fn octets_of_the_link_are_marked() {
    let flow = flow_of(&[(352, 1_400, 4), (2, 10, 4)]);
    assert_eq!((flow.octets, flow.quality.contains(Quality::LAYER2_LENGTH)), (1_400, true));
    let flow = flow_of(&[(352, 1_400, 4), (1, 1_260, 4)]);
    assert_eq!((flow.octets, flow.quality.contains(Quality::LAYER2_LENGTH)), (1_260, false));
}

#[test]
fn uptimes_are_right_across_their_wrap() {
    let mut header = Header::after(0);
    header.uptime_ms = 20_000;
    let first = 0u32.wrapping_sub(40_000);
    let flow = one(&[header.v5(1, &[v5_record(6, 443, (1, 40), (first, 10_000))])]);
    assert_eq!((seconds_before_export(&flow), flow.quality), ((60, 10), Quality::NONE));
}

#[test]
fn times_that_cannot_be_are_those_of_arrival() {
    let record = v5_record(6, 443, (1, 40), (UPTIME_MS.wrapping_mul(7), UPTIME_MS.wrapping_mul(7) + 5_000));
    let datagram = Header::after(0).v5(1, &[record]);
    let (kept, _) = decoded(&capture("192.0.2.1:9000", &[Header::after(0).v5(1, &[]), datagram]));
    assert_eq!(seconds_before_export(&kept.flows[0]), (4, -1), "it arrived a second later");
    assert_eq!(kept.flows[0].quality, Quality::CLOCK_SUSPECT);
}

#[test]
fn an_end_before_its_start_is_mended_and_marked() {
    let of = |first, last| one(&[Header::after(0).v5(1, &[v5_record(6, 443, (1, 40), (first, last))])]);
    let swapped = of(UPTIME_MS - 9_000, UPTIME_MS - 10_000);
    assert_eq!((seconds_before_export(&swapped), swapped.quality), ((10, 9), Quality::END_BEFORE_START));
    let clamped = of(UPTIME_MS - 9_000, UPTIME_MS - 20_000);
    assert_eq!((seconds_before_export(&clamped), clamped.quality), ((9, 9), Quality::END_BEFORE_START));
}

#[test]
fn uptimes_of_ipfix_count_from_a_start_that_an_option_tells() {
    let start_ms = u128::from(EXPORT_S) * 1_000 - 100_000;
    let template = || ipfix_template(FLOWS, &[(8, 4), (12, 4), (22, 4), (21, 4)]);
    let data = || set(FLOWS, &record(&[(0xc000_020a, 4), (0xc633_6407, 4), (40_000, 4), (90_000, 4)]));
    let options = [
        super::message::ipfix_options_template(300, &[(143, 4), (160, 8)]),
        set(300, &record(&[(0, 4), (start_ms, 8)])),
    ]
    .concat();
    let told = one(&[ipfix(&[options, template(), data()])]);
    let marks = Quality::RATE_UNKNOWN | Quality::CONTENT_GAP;
    assert_eq!((seconds_before_export(&told), told.quality), ((60, 10), marks));
    let untold = one(&[ipfix(&[template(), data()])]);
    assert_eq!(seconds_before_export(&untold), (50, 0), "how long it took is known all the same");
    assert!(untold.quality.contains(Quality::CLOCK_SUSPECT));
}

#[test]
fn the_operator_moves_times_and_names_the_exporter() {
    let message = v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]);
    let options = Options {
        exporter: Some("edge-1".into()),
        shift: Shift::By(3_600 * SECOND_US),
        ..Options::default()
    };
    let (kept, _) = messages_with(&[message], options);
    let flow = &kept.flows[0];
    assert_eq!((seconds_before_export(flow), &*flow.exporter), ((60 - 3_600, 50 - 3_600), "edge-1"));
    assert!(flow.quality.contains(Quality::TIME_SHIFTED));
}

#[test]
fn a_record_may_name_its_exporter() {
    let records =
        [0xcb00_7109, 0].map(|exporter| record(&[(0xc000_020a, 4), (0xc633_6407, 4), (exporter, 4)]));
    let message =
        ipfix(&[ipfix_template(FLOWS, &[(8, 4), (12, 4), (130, 4)]), set(FLOWS, &records.concat())]);
    let (kept, _) = decoded(&capture("192.0.2.1:9000", std::slice::from_ref(&message)));
    let names: Vec<_> = kept.flows.iter().map(|flow| &*flow.exporter).collect();
    assert_eq!(names, ["203.0.113.9", "192.0.2.1"]);
    let options = Options { exporter: Some("edge-1".into()), ..Options::default() };
    assert_eq!(&*messages_with(&[message], options).0.flows[0].exporter, "edge-1");
}

#[test]
fn what_a_file_holds_before_it_fails_is_kept() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let message = v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]);
    let options = Options { format: Some(Format::Datagram), ..Options::default() };
    let (kept, result) = decode_all((&*message).chain(Failing), &options);
    assert_eq!(kept.flows.len(), 1);
    assert!(matches!(result, Err(WireError::Read { tally, .. }) if tally.decoded == 1), "{result:?}");
}

#[test]
fn a_record_that_is_cut_is_refused_once() {
    let sets = [ipfix_template(FLOWS, FLOW_FIELDS), set(FLOWS, &[flow(1), flow(2)].concat())];
    let of_v9 = [v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &[flow(1), flow(2)].concat())];
    for message in [ipfix(&sets), v9(&of_v9)] {
        // Within the second record, and between the two.
        let record = flow(1).len();
        for (missing, decoded) in [(1, 1), (record - 1, 1), (record, 1), (record + 1, 0), (2 * record, 0)] {
            let (kept, tally) = messages(&[message[..message.len() - missing].to_vec()]);
            let problems = kept.problems();
            assert_eq!(
                (tally.decoded, tally.refused, tally.held),
                (decoded, 1, 0),
                "{missing}: {problems:?}"
            );
        }
    }
    // Of a set that waits for its template nobody can say where it was cut.
    let unknown = ipfix(&[set(FLOWS, &[flow(1), flow(2)].concat())]);
    let (_, tally) = messages(&[unknown[..unknown.len() - 1].to_vec()]);
    assert_eq!((tally.received, tally.refused, tally.held), (1, 1, 0));
}

#[test]
fn a_message_is_as_long_as_it_says() {
    let whole = ipfix(&[ipfix_template(FLOWS, FLOW_FIELDS), set(FLOWS, &[flow(1), flow(2)].concat())]);
    let said = |length: usize| {
        let mut message = whole.clone();
        message[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        let (kept, tally) = decoded(&capture("192.0.2.1:9000", &[whole.clone(), message]));
        (tally.decoded - 2, tally.refused, kept.problems())
    };
    assert_eq!(said(whole.len()), (2, 0, vec![]));
    let (decoded, refused, problems) = said(whole.len() - 30);
    assert_eq!((decoded, refused), (1, 1));
    assert_eq!(
        problems,
        [
            "packet 2, octet 98 of the datagram: `30` octets follow the end of the message",
            "packet 2, octet 64 of the datagram: the last `30` octets of the set are missing"
        ]
    );
    let (decoded, refused, problems) = said(whole.len() + 30);
    assert_eq!((decoded, refused), (2, 1));
    assert_eq!(
        problems,
        ["packet 2, octet 128 of the datagram: the last `30` octets of the message are missing"]
    );
    let (decoded, refused, problems) = said(3);
    assert_eq!((decoded, refused), (0, 1));
    assert_eq!(problems, ["packet 2, octet 2 of the datagram: a message cannot have `3` octets"]);
}

#[test]
fn records_are_numbered_through_the_input() {
    let message = v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &[flow(1), flow(2)].concat())]);
    let (kept, _) = messages(&[message.clone(), message]);
    assert_eq!(kept.flows.iter().map(|flow| flow.source_row).collect::<Vec<_>>(), [1, 2, 3, 4]);
}
