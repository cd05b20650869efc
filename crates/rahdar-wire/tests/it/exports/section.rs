//! Sampled packets: records that hold the beginning of a packet in place of addresses.

use rahdar_model::flow::{Direction, FlowRecord, Quality};

use super::message::{
    EXPORT_S, FLOWS, Header, ipfix, ipfix_options_template, ipfix_template, record, set, v9, v9_template,
};
use super::{messages, one};
use crate::made::{ip, tcp};

/// A length that the record tells.
const VARIABLE: u16 = 65_535;

/// Interface, direction, length of the frame, and the beginning of the frame: as Juniper has it.
const FRAME_FIELDS: &[(u16, u16)] = &[(10, 4), (61, 1), (312, 2), (315, VARIABLE)];

/// A frame of TCP from 192.0.2.10:50000 to 198.51.100.7:443: 1,040 octets of IP.
fn frame() -> Vec<u8> {
    tcp("192.0.2.10:50000", "198.51.100.7:443", 0x18, 1_000)
}

/// A record of [`FRAME_FIELDS`] with the first octets of the frame.
fn packet(frame: &[u8], octets: usize) -> Vec<u8> {
    let section = &frame[..octets.min(frame.len())];
    [record(&[(7, 4), (0, 1), (frame.len() as u128, 2)]), vec![section.len() as u8], section.to_vec()]
        .concat()
}

#[track_caller]
fn check_packet(flow: &FlowRecord) {
    assert_eq!(format!("{} {}", flow.src, flow.src_port), "192.0.2.10 50000");
    assert_eq!(format!("{} {}", flow.dst, flow.dst_port), "198.51.100.7 443");
    assert_eq!((flow.protocol, flow.tcp_flags), (6, Some(0x18)));
    assert_eq!((flow.packets, flow.octets, flow.payload_octets), (1, 1_040, Some(1_000)));
}

#[test]
fn the_section_of_a_frame_is_one_packet() {
    let data = set(FLOWS, &[packet(&frame(), 64), packet(&frame(), 128)].concat());
    let (kept, tally) = messages(&[ipfix(&[ipfix_template(FLOWS, FRAME_FIELDS), data])]);
    assert_eq!((kept.problems(), tally.decoded), (Vec::<String>::new(), 2));
    for flow in &kept.flows {
        check_packet(flow);
        assert_eq!((flow.in_if, flow.direction), (Some(7), Some(Direction::Ingress)));
        assert_eq!((flow.start_time, flow.end_time), (flow.end_time, flow.export_time.unwrap()));
        assert_eq!(flow.end_time.micros(), i64::from(EXPORT_S) * 1_000_000);
        assert_eq!(flow.quality, Quality::RATE_UNKNOWN, "its time is that of its message");
    }
}

#[test]
fn the_section_of_a_packet_begins_with_ip() {
    let packet = &frame()[14..74];
    let fields = [(313, 60), (10, 4)];
    let record = [packet, &[0, 0, 0, 9]].concat();
    let flow = one(&[ipfix(&[ipfix_template(FLOWS, &fields), set(FLOWS, &record)])]);
    check_packet(&flow);
    assert_eq!(flow.in_if, Some(9), "what stands behind the section is read");
}

#[test]
fn version_9_has_sections_of_its_own() {
    let message = v9(&[
        v9_template(FLOWS, &[(312, 2), (104, 96)]),
        set(FLOWS, &{
            let mut record = record(&[(frame().len() as u128, 2)]);
            record.extend(&frame()[..96]);
            record
        }),
    ]);
    check_packet(&one(&[message]));
}

#[test]
fn a_section_may_be_padded() {
    let mut section = frame()[..54].to_vec();
    section.resize(100, 0xee);
    let record = [record(&[(54, 2)]), section].concat();
    check_packet(&one(&[ipfix(&[ipfix_template(FLOWS, &[(410, 2), (315, 100)]), set(FLOWS, &record)])]));
}

#[test]
fn the_packet_inside_of_a_tunnel_counts() {
    let (src, dst) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let outer = ip(src, dst, 4, &frame()[14..]);
    let outer = [&[2; 12][..], &[0x86, 0xdd], &outer].concat();
    check_packet(&one(&[ipfix(&[ipfix_template(FLOWS, FRAME_FIELDS), set(FLOWS, &packet(&outer, 128))])]));
}

#[test]
fn addresses_in_the_record_go_before_those_of_the_packet() {
    let fields = [(8, 4), (12, 4), (1, 4), (313, 40)];
    let record =
        [record(&[(0xcb00_7101, 4), (0xcb00_7102, 4), (5_000, 4)]), frame()[14..54].to_vec()].concat();
    let flow = one(&[ipfix(&[ipfix_template(FLOWS, &fields), set(FLOWS, &record)])]);
    assert_eq!((flow.src.to_string(), flow.octets), ("203.0.113.1".into(), 5_000));
}

#[test]
fn what_the_record_counts_goes_before_the_length_of_the_packet() {
    let record = [record(&[(10, 4), (9_000, 4)]), frame()[14..54].to_vec()].concat();
    let fields = [(2, 4), (1, 4), (313, 40)];
    let flow = one(&[ipfix(&[ipfix_template(FLOWS, &fields), set(FLOWS, &record)])]);
    assert_eq!((flow.packets, flow.octets, flow.dst_port), (10, 9_000, 443));
}

#[test]
fn the_rate_of_a_packet_is_announced_like_that_of_flows() {
    let data = set(FLOWS, &packet(&frame(), 64));
    let options = [
        ipfix_options_template(300, &[(149, 4), (304, 2), (305, 4), (306, 4)]),
        set(300, &record(&[(0, 4), (1, 2), (1, 4), (999, 4)])),
    ];
    let (kept, tally) =
        messages(&[ipfix(&[ipfix_template(FLOWS, FRAME_FIELDS), data]), Header::after(1).ipfix(&options)]);
    assert_eq!((tally.decoded, kept.flows[0].sampling_interval), (1, Some(1_000)));
}

#[test]
fn a_packet_without_ip_is_beside_and_one_that_is_cut_is_refused() {
    let arp = [&[2; 12][..], &[0x08, 0x06], &[0; 28]].concat();
    let data = [packet(&arp, 64), packet(&frame(), 30), packet(&frame(), 64)].concat();
    let (kept, tally) = messages(&[ipfix(&[ipfix_template(FLOWS, FRAME_FIELDS), set(FLOWS, &data)])]);
    // The template is beside as well.
    assert_eq!((tally.received, tally.decoded, tally.refused, tally.beside), (2, 1, 1, 2));
    assert_eq!(
        kept.problems(),
        ["packet 1, octet 102 of the datagram: the IPv4 header is cut off"],
        "where the section begins"
    );
    check_packet(&kept.flows[0]);
}

#[test]
fn a_section_from_the_middle_of_a_packet_is_refused() {
    let record = [record(&[(20, 2)]), frame()[20..84].to_vec()].concat();
    let (kept, tally) =
        messages(&[ipfix(&[ipfix_template(FLOWS, &[(409, 2), (315, 64)]), set(FLOWS, &record)])]);
    assert_eq!((tally.refused, kept.flows.len()), (1, 0));
    assert!(kept.problems()[0].ends_with("the section does not begin where its packet begins"));
}

#[test]
fn a_section_that_ends_behind_its_set_is_refused() {
    let mut data = packet(&frame(), 64);
    data.truncate(40);
    let (_, tally) = messages(&[ipfix(&[ipfix_template(FLOWS, FRAME_FIELDS), set(FLOWS, &data)])]);
    assert_eq!((tally.decoded, tally.refused), (0, 1));
}
