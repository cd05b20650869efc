//! What the records of a file become.

use rahdar_model::flow::{Direction, Initiator};
use rahdar_model::time::Shift;
use rahdar_model::{FlowRecord, Quality, Timestamp};
use rahdar_wire::Options;

use super::made::{
    BEGIN_MS, COMMON, Common, EXTENSIONS, HEAD, Head, exporter, generic, longs, map, record, v1, v1_common,
    v1_flow, v1_flow_of, v2, v2_flow, v4, v6, v6_number, words,
};
use crate::kept::{decode_all, decoded};
use crate::nfdump::CSV;

/// The one flow of a file of nfdump 1.7 with these elements.
fn flow(elements: &[(u16, Vec<u8>)]) -> FlowRecord {
    flow_of(HEAD, elements)
}

fn flow_of(head: Head, elements: &[(u16, Vec<u8>)]) -> FlowRecord {
    let (kept, tally) = decoded(&v2(0, &[exporter(1, 9, 7), v2_flow(head, elements)]));
    assert_eq!((tally.decoded, tally.refused, kept.flows.len()), (1, 0, 1), "{:?}", kept.problems);
    kept.flows[0].clone()
}

/// The one flow of a file of nfdump 1.6 whose map lists these extensions.
fn old_flow(extensions: &[u16], common: Common, body: &[u8]) -> FlowRecord {
    let (kept, tally) = decoded(&v1(0, &[map(0, extensions), exporter(1, 9, 7), v1_flow(0, common, body)]));
    assert_eq!((tally.decoded, tally.refused, kept.flows.len()), (1, 0, 1), "{:?}", kept.problems);
    kept.flows[0].clone()
}

fn ms(ms: u64) -> Timestamp {
    Timestamp::from_micros(ms as i64 * 1_000)
}

#[test]
fn both_layouts_give_the_same_flow() {
    let misc = [words(&[3, 4]), vec![0, 0, 1, 0, 0, 0, 0, 0]].concat();
    let new = flow(&[generic(COMMON), v4(), (4, misc), (7, words(&[64_496, 64_497]))]);
    let body =
        [words(&[3, 4]), words(&[64_496, 64_497]), vec![0, 1, 0, 0], longs(&[COMMON.received_ms])].concat();
    let old = old_flow(&[5, 7, 8, 27], COMMON, &body);
    assert_eq!(old, new);
    assert_eq!((new.src.to_string(), new.src_port), ("192.0.2.1".into(), 50_000));
    assert_eq!((new.dst.to_string(), new.dst_port), ("198.51.100.7".into(), 443));
    assert_eq!((new.start_time, new.end_time), (ms(BEGIN_MS + 250), ms(BEGIN_MS + 1_750)));
    assert_eq!((new.received_time, new.export_time), (Some(ms(BEGIN_MS + 9_000)), None));
    assert_eq!((new.packets, new.octets, new.rev_packets, new.rev_octets), (10, 1_520, None, None));
    assert_eq!((new.protocol, new.tcp_flags, new.icmp_type), (6, Some(0x1b), None));
    assert_eq!(
        (new.in_if, new.out_if, new.src_as, new.dst_as),
        (Some(3), Some(4), Some(64_496), Some(64_497))
    );
    assert_eq!((&*new.exporter, new.observation_domain), ("192.0.2.200", 7));
    assert_eq!((new.direction, new.source_row), (Some(Direction::Egress), 1));
    assert_eq!(new.quality, Quality::RATE_UNKNOWN);
}

#[test]
fn addresses_of_both_versions_are_read() {
    let new = flow(&[generic(COMMON), v6()]);
    let counters = words(&[10, 1_520]);
    let records = [map(0, &[]), v1_flow_of(0x01, 0, COMMON, &v6().1, &counters, &[])];
    let old = decoded(&v1(0, &records)).0.flows[0].clone();
    for flow in [new, old] {
        assert_eq!(
            (flow.src.to_string(), flow.dst.to_string()),
            ("2001:db8::1".into(), "2001:db8::2".into())
        );
    }
}

#[test]
fn of_addresses_of_both_versions_those_are_taken_that_are_meant() {
    let no_v4 = (2, vec![0; 8]);
    let layer2 = |version| (38, [vec![0; 26], vec![version]].concat());
    for (elements, src) in [
        (vec![generic(COMMON), v4(), v6()], "192.0.2.1"),
        (vec![generic(COMMON), no_v4.clone(), v6()], "2001:db8::1"),
        (vec![generic(COMMON), v4(), v6(), layer2(6)], "2001:db8::1"),
        (vec![generic(COMMON), no_v4, v6(), layer2(4)], "0.0.0.0"),
    ] {
        assert_eq!(flow(&elements).src.to_string(), src);
    }
}

#[test]
fn a_record_without_addresses_is_beside() {
    let (kept, tally) = decoded(&v2(0, &[v2_flow(HEAD, &[generic(COMMON)]), v2_flow(HEAD, &[v4()])]));
    assert_eq!((tally.received, tally.decoded, kept.flows.len()), (1, 1, 1));
    assert_eq!(kept.problems(), ["octet 40: `1` records from here on have no addresses; they are no flows"]);
    // A flow is one even if it counts nothing, and nobody told when.
    assert_eq!((kept.flows[0].packets, kept.flows[0].start_time), (0, Timestamp::default()));
    assert!(kept.flows[0].quality.contains(Quality::CLOCK_SUSPECT));
}

#[test]
fn counters_of_leaving_packets_are_the_answer() {
    let answered = flow(&[generic(COMMON), v4(), (5, longs(&[1, 12, 2_640]))]);
    let old = old_flow(&[14, 16], COMMON, &words(&[12, 2_640]));
    let old_long = old_flow(&[15, 17], COMMON, &longs(&[12, 2_640]));
    for flow in [answered, old, old_long] {
        assert_eq!((flow.rev_packets, flow.rev_octets), (Some(12), Some(2_640)));
        assert_eq!((flow.packets, flow.octets), (10, 1_520));
    }
    let silent = flow(&[generic(COMMON), v4(), (5, longs(&[1, 0, 0]))]);
    assert_eq!((silent.rev_packets, silent.rev_octets), (None, None));
}

#[test]
fn packets_counted_again_as_they_leave_are_no_answer() {
    let flow = flow(&[generic(COMMON), v4(), (5, longs(&[1, 10, 1_520]))]);
    assert_eq!((flow.packets, flow.rev_packets), (10, None));
}

#[test]
fn packets_counted_only_as_they_leave_are_the_flow() {
    let nothing = Common { packets: 0, octets: 0, ..COMMON };
    let egress = (4, vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    let flow = flow(&[generic(nothing), v4(), egress, (5, longs(&[1, 12, 2_640]))]);
    assert_eq!((flow.packets, flow.octets, flow.rev_packets), (12, 2_640, None));
}

#[test]
fn octets_beside_no_packets_are_marked_alike_in_a_file_and_in_its_text() {
    let file = flow(&[generic(Common { packets: 0, ..COMMON }), v4()]);
    let (text, _) = decoded(CSV.replace(",10,1520,", ",0,1520,").as_bytes());
    for flow in [&file, &text.flows[0]] {
        assert_eq!((flow.packets, flow.octets), (0, 1_520));
        assert_eq!(flow.quality, Quality::RATE_UNKNOWN | Quality::CONTENT_GAP);
    }
}

#[test]
fn flags_of_the_answer_come_with_an_answer() {
    let misc = (4, [vec![0; 14], vec![0x12, 0]].concat());
    let answered = flow(&[generic(COMMON), v4(), misc.clone(), (5, longs(&[2, 12, 2_640]))]);
    assert_eq!(answered.rev_tcp_flags, Some(0x12));
    assert_eq!(flow(&[generic(COMMON), v4(), misc]).rev_tcp_flags, None);
}

#[test]
fn long_counters_are_read_in_both_layouts() {
    let big = Common { packets: 5_000_000_000, octets: 700_000_000_000, ..COMMON };
    let new = flow(&[generic(big), v4()]);
    let counters = longs(&[big.packets, big.octets]);
    let records = [map(0, &[]), v1_flow_of(0x06, 0, big, &v4().1, &counters, &[])];
    let old = decoded(&v1(0, &records)).0.flows[0].clone();
    for flow in [new, old] {
        assert_eq!((flow.packets, flow.octets), (5_000_000_000, 700_000_000_000));
        assert_eq!(flow.quality, Quality::RATE_UNKNOWN);
    }
}

#[test]
fn counters_at_the_end_of_their_range_are_marked() {
    let full = Common { packets: 4_000_000, octets: u32::MAX.into(), ..COMMON };
    assert!(old_flow(&[], full, &[]).quality.contains(Quality::COUNTER_CLAMPED));
    assert!(!flow(&[generic(full), v4()]).quality.contains(Quality::COUNTER_CLAMPED));
    let v5 = Head { version: 5, ..HEAD };
    assert!(flow_of(v5, &[generic(full), v4()]).quality.contains(Quality::COUNTER_CLAMPED));
    let beyond = flow(&[generic(Common { octets: u64::MAX, ..COMMON }), v4()]);
    assert_eq!(beyond.octets, i64::MAX as u64);
    assert!(beyond.quality.contains(Quality::COUNTER_CLAMPED | Quality::IMPOSSIBLE_SIZE));
}

#[test]
fn sizes_that_cannot_be_are_marked() {
    let small = Common { packets: 1_000_000_000, octets: 5_000, ..COMMON };
    assert!(flow(&[generic(small), v4()]).quality.contains(Quality::IMPOSSIBLE_SIZE));
    let v5 = flow_of(Head { version: 5, ..HEAD }, &[generic(small), v4()]);
    assert!(v5.quality.contains(Quality::COUNTER_WRAPPED), "{}", v5.quality.bits());
    assert!(old_flow(&[], small, &[]).quality.contains(Quality::COUNTER_WRAPPED));
}

#[test]
fn icmp_has_a_type_and_a_code_and_no_ports() {
    for (dst_port, kind, code) in
        [(0x0301, Some(3), Some(1)), (0x0800, Some(8), Some(0)), (8, Some(8), None), (0, Some(0), Some(0))]
    {
        let icmp = Common { protocol: 1, src_port: 9, dst_port, ..COMMON };
        let flow = flow(&[generic(icmp), v4()]);
        assert_eq!((flow.icmp_type, flow.icmp_code), (kind, code), "{dst_port}");
        assert_eq!((flow.src_port, flow.dst_port, flow.tcp_flags), (0, 0, None));
    }
}

#[test]
fn an_end_before_its_start_is_mended() {
    for (last_ms, start, end) in [(-1_000, -1_000, 0), (-60_000, 0, 0)] {
        let last_ms = COMMON.first_ms.checked_add_signed(last_ms).unwrap();
        let flow = flow(&[generic(Common { last_ms, ..COMMON }), v4()]);
        let after = |time: Timestamp| time.since(ms(COMMON.first_ms)) / 1_000;
        assert_eq!((after(flow.start_time), after(flow.end_time)), (start, end));
        assert!(flow.quality.contains(Quality::END_BEFORE_START));
    }
}

#[test]
fn a_time_that_nobody_told_is_taken_from_another() {
    let at = |common| {
        let flow = flow(&[generic(common), v4()]);
        (flow.start_time, flow.end_time, flow.quality.contains(Quality::CLOCK_SUSPECT))
    };
    let (first, last, received) = (ms(COMMON.first_ms), ms(COMMON.last_ms), ms(COMMON.received_ms));
    assert_eq!(at(Common { last_ms: 0, ..COMMON }), (first, first, false));
    assert_eq!(at(Common { first_ms: 0, ..COMMON }), (last, last, false));
    assert_eq!(at(Common { first_ms: 0, last_ms: 0, ..COMMON }), (received, received, true));
}

#[test]
fn a_flow_that_ends_long_after_it_was_received_is_marked() {
    let late = |seconds: u64| {
        let last_ms = COMMON.received_ms + seconds * 1_000;
        flow(&[generic(Common { last_ms, ..COMMON }), v4()]).quality.contains(Quality::CLOCK_SUSPECT)
    };
    assert!(!late(299));
    assert!(late(301));
    // As nfcapd wrote flows when the uptime of the router had wrapped.
    assert!(late(4_294_967));
}

#[test]
fn what_a_firewall_says_is_kept() {
    let untimed = Common { first_ms: 0, last_ms: 0, ..COMMON };
    let event = [longs(&[BEGIN_MS + 500]), words(&[42]), vec![0, 0, 3, 0]].concat();
    let new = flow(&[generic(untimed), v4(), (19, event)]);
    let event = [longs(&[BEGIN_MS + 500]), words(&[42]), vec![0, 0, 3, 0, 0, 0, 0, 0]].concat();
    let old = old_flow(&[37], untimed, &event);
    for flow in [new, old] {
        assert_eq!((&*flow.state, &*flow.uid), ("denied", "42"));
        assert_eq!(flow.start_time, ms(BEGIN_MS + 500));
    }
    let translated = flow(&[generic(untimed), v4(), (25, longs(&[BEGIN_MS + 500, 0]))]);
    assert_eq!((translated.start_time, &*translated.state), (ms(BEGIN_MS + 500), ""));
}

#[test]
fn nothing_is_left_over_from_the_record_before() {
    let misc = [words(&[3, 4]), vec![0, 0, 1, 0, 1, 3, 2, 0]].concat();
    let event = [longs(&[BEGIN_MS]), words(&[42]), vec![0, 0, 1, 0]].concat();
    let full =
        [generic(COMMON), v6(), (4, misc), (5, longs(&[1, 12, 2_640])), (7, words(&[1, 2])), (19, event)];
    let bare = v2_flow(Head { exporter: 9, ..HEAD }, &[generic(Common { protocol: 17, ..COMMON }), v4()]);
    let alone = decoded(&v2(0, std::slice::from_ref(&bare))).0.flows[0].clone();
    let (kept, _) = decoded(&v2(0, &[exporter(1, 9, 7), v2_flow(HEAD, &full), bare]));
    assert_eq!((kept.flows[0].end_reason, kept.flows[0].initiator), (Some(3), Some(Initiator::Source)));
    assert_eq!(kept.flows[1], FlowRecord { source_row: 2, ..alone });
}

#[test]
fn an_exporter_is_named_by_its_address_however_it_is_written() {
    let record_of = |address: Vec<u8>, family: u16| {
        let mut body = words(&[10]);
        body.extend(address);
        body.extend(family.to_le_bytes());
        body.extend(1u16.to_le_bytes());
        body.extend(words(&[5]));
        record(7, &body)
    };
    let wire_v4 = [vec![0; 10], vec![0xff; 2], vec![192, 0, 2, 200]].concat();
    let wire_v6 = [vec![0x20, 0x01, 0x0d, 0xb8], vec![0; 11], vec![9]].concat();
    for (exporter, name) in [
        (exporter(1, 10, 5), "192.0.2.200"),
        (record_of(v6_number(9), 10), "2001:db8::9"),
        (record_of(wire_v4, 0), "192.0.2.200"),
        (record_of(wire_v6, 0), "2001:db8::9"),
        (record_of(vec![0; 16], 2), "nfdump"),
    ] {
        let (kept, _) = decoded(&v2(0, &[exporter, v2_flow(HEAD, &[generic(COMMON), v4()])]));
        assert_eq!((&*kept.flows[0].exporter, kept.flows[0].observation_domain), (name, 5));
    }
}

#[test]
fn an_unannounced_exporter_is_named_by_its_router_or_by_the_source() {
    let head = Head { exporter: 4, ..HEAD };
    let router = |element| v2_flow(head, &[generic(COMMON), v4(), element]);
    let records = [
        router((12, words(&[0xc000_02c9]))),
        router((13, v6_number(9))),
        router((12, words(&[0]))),
        v2_flow(head, &[generic(COMMON), v4()]),
    ];
    let (kept, _) = decoded(&v2(0, &records));
    let names: Vec<_> = kept.flows.iter().map(|flow| &*flow.exporter).collect();
    assert_eq!(names, ["192.0.2.201", "2001:db8::9", "nfdump", "nfdump"]);
    let old =
        [map(0, &[23]), v1_flow(0, COMMON, &words(&[0xc000_02c9])), map(1, &[]), v1_flow(1, COMMON, &[])];
    let (kept, _) = decoded(&v1(0, &old));
    let names: Vec<_> = kept.flows.iter().map(|flow| &*flow.exporter).collect();
    assert_eq!(names, ["192.0.2.201", "here"]);
}

#[test]
fn the_operator_names_time_and_exporter() {
    let options =
        Options { exporter: Some("edge".into()), shift: Shift::By(3_600_000_000), ..Options::default() };
    let file = v2(0, &[exporter(1, 9, 7), v2_flow(HEAD, &[generic(COMMON), v4()])]);
    let (kept, _) = decode_all(&*file, &options);
    let flow = &kept.flows[0];
    assert_eq!((&*flow.exporter, flow.start_time), ("edge", ms(COMMON.first_ms + 3_600_000)));
    assert!(flow.quality.contains(Quality::TIME_SHIFTED));
}

#[test]
fn every_extension_of_nfdump_1_6_has_its_length() {
    for (id, length) in EXTENSIONS {
        // What comes behind it is found.
        let body = [vec![0; length], words(&[3, 4])].concat();
        let flow = old_flow(&[id, 5], COMMON, &body);
        assert_eq!((flow.in_if, flow.out_if), (Some(3), Some(4)), "extension {id}");
    }
}

#[test]
fn a_record_of_the_oldest_kind_is_read() {
    let body = [v1_common(0, 1, 0, COMMON), v4().1, words(&[10, 1_520]), words(&[3, 4])].concat();
    let (kept, tally) = decoded(&v1(0, &[map(0, &[5]), exporter(1, 9, 7), record(1, &body)]));
    assert_eq!((tally.decoded, tally.refused), (1, 0));
    let flow = &kept.flows[0];
    assert_eq!((&*flow.exporter, flow.octets, flow.out_if), ("192.0.2.200", 1_520, Some(4)));
}

#[test]
fn anonymised_addresses_are_told() {
    let said = "the addresses of flows from here on are anonymised: they are nobody's";
    let flow = v2_flow(Head { flags: 0x04, ..HEAD }, &[generic(COMMON), v4()]);
    assert_eq!(decoded(&v2(0, &[flow])).0.problems(), [format!("octet 40: {said}")]);
    let file = super::made::v1_of(
        0x02,
        "none",
        &[super::made::block(2, &[map(0, &[]), v1_flow(0, COMMON, &[])], 0)],
        0,
    );
    assert_eq!(decoded(&file).0.problems(), [format!("octet 276: {said}")]);
}
