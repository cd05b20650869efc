//! What a sample says of its packet.

use std::net::IpAddr;
use std::slice;

use rahdar_model::flow::{Direction, Sampler, SamplingSource};
use rahdar_model::{FlowRecord, Quality, Timestamp};
use rahdar_wire::{Format, Options};

use super::message::{
    AGENT, Flow, UPTIME_MS, arrival_s, capture, datagram, datagram_of, frame, header, of_kind, tcp_frame,
    words,
};
use super::{datagrams, datagrams_with, flow_of, one};
use crate::kept::{decode_all, decoded};
use crate::made::{ethernet, icmp, ip, tcp, udp};

/// Who, to whom, how much.
fn talk(flow: &FlowRecord) -> String {
    let FlowRecord { src, src_port, dst, dst_port, protocol, octets, .. } = flow;
    format!("{src} {src_port} > {dst} {dst_port} proto {protocol}: {octets}")
}

const TCP: &str = "192.0.2.10 50000 > 198.51.100.7 443 proto 6: 1040";

#[test]
fn a_sampled_frame_is_one_flow() {
    for sample in [Flow::default().sample(&[tcp_frame()]), Flow::default().expanded(&[tcp_frame()])] {
        let flow = flow_of(&sample);
        assert_eq!(talk(&flow), TCP);
        assert_eq!((flow.packets, flow.payload_octets, flow.tcp_flags), (1, Some(1_000), Some(0x18)));
        assert_eq!((flow.rev_packets, flow.rev_octets), (None, None));
        assert_eq!((flow.sampling_interval, flow.sampling_source), (Some(512), Some(SamplingSource::Header)));
        assert_eq!(flow.sampler, Some(Sampler::Random));
        assert_eq!((&*flow.exporter, flow.observation_domain, flow.source_row), ("192.0.2.1", 7, 1));
        assert_eq!((flow.in_if, flow.out_if, flow.direction), (Some(3), Some(4), Some(Direction::Ingress)));
        assert_eq!(flow.export_time, None);
    }
}

#[test]
fn headers_of_every_read_protocol_give_the_same_flow() {
    let frame = tcp("192.0.2.10:50000", "198.51.100.7:443", 0x18, 1_000);
    let packet = &frame[14..];
    let under = |head: &[u8]| [head, packet].concat();
    let tagged = |tags: &[u8]| under(&[&frame[..12], tags].concat());
    for (protocol, octets) in [
        (1, frame.clone()),
        (1, tagged(&[0x81, 0, 0, 5, 0x08, 0])),
        (1, tagged(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x08, 0])),
        (7, under(&[0xff, 0x03, 0x00, 0x21])),
        (7, under(&[0x21])),
        (11, packet.to_vec()),
        (13, under(&[0, 1, 0, 64, 0, 1, 1, 64])),
    ] {
        let record = header(protocol, octets.len() as u32, 0, &octets[..64]);
        assert_eq!(talk(&one(&[record])), TCP, "protocol {protocol}");
    }
    let datagram = &udp("[2001:db8::1]:1000", "[2001:db8::2]:53", b"question")[14..];
    let flow = one(&[header(12, datagram.len() as u32, 0, datagram)]);
    assert_eq!(talk(&flow), "2001:db8::1 1000 > 2001:db8::2 53 proto 17: 56");
}

#[test]
fn octets_are_those_of_the_ip_header() {
    // 40 octets of IP in the shortest frame, padded, with its check sequence.
    let mut short = tcp("192.0.2.10:50000", "198.51.100.7:443", 0x10, 0);
    short.resize(64, 0);
    assert_eq!(one(&[header(1, 64, 0, &short)]).octets, 40);
    assert_eq!(one(&[header(1, 68, 4, &short)]).octets, 40);
}

#[test]
fn a_length_left_to_the_network_card_is_that_of_the_frame_without_what_stands_before_ip() {
    let mut frame = tcp("192.0.2.10:50000", "198.51.100.7:443", 0x10, 100);
    frame[16..18].fill(0);
    let tagged = [&frame[..12], &[0x81, 0, 0, 5], &frame[12..]].concat();
    assert_eq!(one(&[header(1, 14 + 3_000 + 4, 4, &frame)]).octets, 3_000);
    assert_eq!(one(&[header(1, 18 + 3_000 + 4, 4, &tagged)]).octets, 3_000);
}

#[test]
fn an_agent_may_tell_the_addresses_in_place_of_the_header() {
    let v4 = words(&[1_040, 6, 0xc000_020a, 0xc633_6407, 50_000, 443, 0x118, 0]);
    let flow = one(&[of_kind(3, &v4)]);
    assert_eq!((talk(&flow), flow.tcp_flags), (TCP.to_owned(), Some(0x118)));
    let v6 = words(&[80, 17, 0x2001_0db8, 0, 0, 1, 0x2001_0db8, 0, 0, 2, 1_000, 53, 0, 0]);
    let flow = one(&[of_kind(4, &v6)]);
    assert_eq!(talk(&flow), "2001:db8::1 1000 > 2001:db8::2 53 proto 17: 80");
    assert_eq!((flow.tcp_flags, flow.quality), (None, Quality::CLOCK_SUSPECT));
    // A header that can be read says more.
    assert_eq!(one(&[of_kind(4, &v6), tcp_frame()]).payload_octets, Some(1_000));
    // One that cannot says less.
    assert_eq!(one(&[header(1, 1_058, 4, &[0; 8]), of_kind(3, &v4)]).octets, 1_040);
}

#[test]
fn a_length_that_only_the_frame_tells_is_marked() {
    let v4 = words(&[0, 17, 0xc000_020a, 0xc633_6407, 1_000, 53, 0, 0]);
    let flow = one(&[of_kind(2, &words(&[118, 0, 0, 0, 0, 0x0800])), of_kind(3, &v4)]);
    assert_eq!(flow.octets, 118);
    assert!(flow.quality.contains(Quality::LAYER2_LENGTH));
}

#[test]
fn systems_are_the_source_and_the_end_of_the_way() {
    let check = |gateway: &[u32], systems| {
        let flow = one(&[tcp_frame(), of_kind(1003, &words(gateway))]);
        assert_eq!((flow.src_as, flow.dst_as), systems, "{gateway:?}");
    };
    let (own, src, peer, dst) = (64_500, 64_496, 64_501, 64_511);
    let hop = [1, 0xc000_0202];
    let of = |src: u32, path: &[u32]| [&hop[..], &[own, src, peer], path, &[0, 100]].concat();
    check(&of(src, &[1, 2, 2, peer, dst]), (Some(src), Some(dst)));
    check(&of(src, &[2, 2, 1, peer, 2, 1, dst]), (Some(src), Some(dst)));
    check(&of(0, &[1, 2, 1, dst]), (Some(own), Some(dst)));
    check(&of(src, &[0]), (Some(src), Some(own)));
    check(&of(src, &[1, 1, 1, dst]), (Some(src), Some(dst)));
    check(&of(src, &[2, 2, 1, peer, 1, 2, dst, 64_510]), (Some(src), None));
    check(&of(src, &[1, 2, 9, dst]), (Some(src), None));
    check(&[2, 0x2001_0db8, 0, 0, 1, own, src, peer, 1, 2, 1, dst, 0, 100], (Some(src), Some(dst)));
    check(&[9, 9], (None, None));
    check(&[1, 0xc000_0202, 0, 0, 0, 0], (None, None));
}

#[test]
fn an_interface_is_an_index_and_nothing_else() {
    let check = |input: u32, output: u32, of: (Option<u32>, Option<u32>)| {
        for flow in [
            flow_of(&Flow { input, output, ..Flow::default() }.sample(&[tcp_frame()])),
            flow_of(&Flow { input, output, ..Flow::default() }.expanded(&[tcp_frame()])),
        ] {
            assert_eq!((flow.in_if, flow.out_if), of, "{input:#x} {output:#x}");
        }
    };
    check(3, 4, (Some(3), Some(4)));
    check(0, 4, (None, Some(4)));
    // The agent itself; discarded, with its reason; three interfaces; an unknown number of them.
    check(0x3fff_ffff, 0x3fff_ffff, (None, None));
    check(3, 0x4000_0001, (Some(3), None));
    check(3, 0x8000_0003, (Some(3), None));
    check(3, 0x8000_0000, (Some(3), None));
    let head = words(&[1, 0, 3, 512, 0, 0, 0, 3, 0, 0xffff_ffff, 1]);
    let flow = flow_of(&of_kind(3, &[head, tcp_frame()].concat()));
    assert_eq!((flow.in_if, flow.out_if), (Some(3), None));
}

#[test]
fn the_source_says_on_which_side_a_packet_was_sampled() {
    let check = |source: u32, input: u32, output: u32, direction: Option<Direction>| {
        let flow = flow_of(&Flow { source, input, output, ..Flow::default() }.sample(&[tcp_frame()]));
        assert_eq!(flow.direction, direction, "{source} {input} {output}");
    };
    check(3, 3, 4, Some(Direction::Ingress));
    check(4, 3, 4, Some(Direction::Egress));
    check(3, 3, 3, None);
    check(5, 3, 4, None);
    // A VLAN is no interface, even of the same number.
    check(1 << 24 | 3, 3, 4, None);
}

#[test]
fn flags_have_twelve_bits_and_icmp_has_a_type() {
    let mut accurate = tcp("192.0.2.10:50000", "198.51.100.7:443", 0xd2, 0);
    accurate[14 + 20 + 12] |= 0x01;
    assert_eq!(one(&[frame(&accurate)]).tcp_flags, Some(0x1d2));
    let flow = one(&[frame(&icmp("192.0.2.10", "198.51.100.7", 3, 1, 28))]);
    assert_eq!((flow.icmp_type, flow.icmp_code, flow.src_port, flow.dst_port), (Some(3), Some(1), 0, 0));
}

#[test]
fn a_later_piece_of_a_packet_has_no_ports() {
    let mut piece = udp("192.0.2.10:1000", "198.51.100.7:53", &[0xff; 100]);
    piece[14 + 6..14 + 8].copy_from_slice(&[0, 100]);
    let flow = one(&[frame(&piece)]);
    assert_eq!(
        (talk(&flow), flow.payload_octets),
        ("192.0.2.10 0 > 198.51.100.7 0 proto 17: 128".to_owned(), Some(108))
    );
}

#[test]
fn a_tunnel_is_opened() {
    let inner = tcp("192.0.2.10:50000", "198.51.100.7:443", 0x18, 1_000);
    let vxlan = [&[0x08, 0, 0, 0, 0, 0, 42, 0][..], &inner].concat();
    let outer = udp("203.0.113.1:60000", "203.0.113.2:4789", &vxlan);
    let record = header(1, outer.len() as u32 + 4, 4, &outer[..128]);
    assert_eq!(talk(&one(&[record])), TCP);
    // What is cut within the inner header stays the outer flow.
    let record = header(1, outer.len() as u32 + 4, 4, &outer[..70]);
    assert_eq!(talk(&one(&[record])), "203.0.113.1 60000 > 203.0.113.2 4789 proto 17: 1090");
}

#[test]
fn what_is_no_flow_is_beside() {
    let arp = [&[2; 12][..], &[0x08, 0x06], &[0; 28]].concat();
    let samples = [
        of_kind(2, &[0; 100]),
        of_kind(4, &[0; 100]),
        // A discarded packet, a sample of a vendor, a frame without IP, one without any header.
        of_kind(5, &[0; 100]),
        of_kind(8_800 << 12 | 1, &[0; 100]),
        Flow { number: 1, ..Flow::default() }.sample(&[frame(&arp)]),
        Flow { number: 2, ..Flow::default() }.sample(&[of_kind(1001, &words(&[1, 0, 1, 0]))]),
        Flow { number: 3, ..Flow::default() }.sample(&[]),
    ];
    let (kept, tally) = datagrams(&[datagram(1, &samples)]);
    assert_eq!((tally.received, tally.beside, kept.problems()), (0, 7, vec![]));
}

#[test]
fn records_that_are_not_read_are_stepped_over() {
    let switch = of_kind(1001, &words(&[100, 0, 100, 0]));
    let router = of_kind(1002, &words(&[1, 0xc000_0202, 24, 24]));
    let vendor = of_kind(8_800 << 12 | 1, b"odd");
    assert_eq!(talk(&one(&[switch, router, vendor, tcp_frame()])), TCP);
}

#[test]
fn what_cannot_be_used_is_refused() {
    let check = |sample: Vec<u8>, problem: &str| {
        let good = Flow { number: 2, ..Flow::default() }.sample(&[tcp_frame()]);
        let (kept, tally) = datagrams(&[datagram(1, &[sample, good])]);
        assert_eq!((tally.received, tally.decoded, tally.refused), (2, 1, 1));
        assert_eq!(kept.problems(), [format!("packet 1, octet 28 of the datagram: {problem}")]);
    };
    let of = |record| Flow::default().sample(&[record]);
    check(of_kind(1, &[0; 28]), "the flow sample is shorter than its own head");
    check(
        of(header(1, 1_058, 4, &tcp("192.0.2.10:1", "198.51.100.7:1", 0, 0)[..33])),
        "the IPv4 header is cut off",
    );
    check(of(header(2, 100, 4, &[0; 60])), "sampled headers of protocol `2` are not read");
    check(of(of_kind(1, &words(&[1, 100, 4, 90, 0]))), "the flow sample ends within a record");
    check(of(words(&[1, 90])), "the flow sample ends within a record");
}

#[test]
fn what_stands_before_a_break_in_a_sample_is_used() {
    assert_eq!(talk(&one(&[tcp_frame(), words(&[1003, 400])])), TCP);
}

#[test]
fn a_datagram_that_ends_too_early_keeps_its_first_samples() {
    let sample = |number| Flow { number, ..Flow::default() }.sample(&[tcp_frame()]);
    let mut datagram = datagram(1, &[sample(1), sample(2), sample(3)]);
    datagram.truncate(datagram.len() - 1);
    let (kept, tally) = datagrams(&[datagram]);
    assert_eq!((tally.received, tally.decoded, tally.refused), (3, 2, 1));
    assert_eq!(
        kept.problems(),
        ["packet 1, octet 468 of the datagram: the header says `3` samples, `2` are whole"]
    );
}

#[test]
fn the_exporter_is_the_agent_or_else_the_sender() {
    let exporter = |agent: &[u32]| {
        let sample = Flow::default().sample(&[tcp_frame()]);
        // One that names its agent first: the stream is then known.
        let stream = [datagram(1, &[of_kind(2, &[])]), datagram_of(agent, 1, &[sample])];
        let (kept, _) = decoded(&capture(&stream));
        kept.flows[0].exporter.to_string()
    };
    assert_eq!(exporter(&[1, AGENT]), "192.0.2.1");
    assert_eq!(exporter(&[2, 0x2001_0db8, 0, 0, 1]), "2001:db8::1");
    assert_eq!(exporter(&[0]), "198.51.100.1");

    let nameless = [datagram_of(&[0], 1, &[Flow::default().sample(&[tcp_frame()])])];
    assert_eq!(&*datagrams(&nameless).0.flows[0].exporter, "sflow");
    let named = Options { exporter: Some("edge".into()), ..Options::default() };
    assert_eq!(&*datagrams_with(&nameless, named.clone()).0.flows[0].exporter, "edge");
    let datagram = datagram(1, &[Flow::default().sample(&[tcp_frame()])]);
    assert_eq!(&*datagrams_with(&[datagram], named).0.flows[0].exporter, "edge");
}

#[test]
fn a_rate_that_is_not_told_is_unknown_unless_the_operator_tells_it() {
    let of = |rate, options| {
        let sample = Flow { rate, ..Flow::default() }.sample(&[tcp_frame()]);
        let flow = datagrams_with(&[datagram(1, &[sample])], options).0.flows.remove(0);
        (flow.sampling_interval, flow.sampling_source, flow.quality.contains(Quality::RATE_UNKNOWN))
    };
    let told = || Options { sampling: Some(100), ..Options::default() };
    assert_eq!(of(0, Options::default()), (None, None, true));
    assert_eq!(of(0, told()), (Some(100), Some(SamplingSource::Operator), false));
    assert_eq!(of(512, told()), (Some(100), Some(SamplingSource::Operator), false));
    assert_eq!(of(u32::MAX, Options::default()).0, Some(i32::MAX as u32));
}

#[test]
fn a_sample_is_as_old_as_its_datagram() {
    let datagram = datagram(1, &[Flow::default().sample(&[tcp_frame()])]);
    let (kept, _) = decoded(&capture(slice::from_ref(&datagram)));
    let flow = &kept.flows[0];
    let arrival = Timestamp::from_seconds(arrival_s(0));
    assert_eq!((flow.start_time, flow.end_time, flow.received_time), (arrival, arrival, Some(arrival)));
    assert_eq!(flow.quality, Quality::NONE);
    // In a file nobody took the time: the agent had been up for so long.
    let flow = datagrams(&[datagram]).0.flows.remove(0);
    assert_eq!(flow.start_time, Timestamp::from_micros(i64::from(UPTIME_MS + 1_000) * 1_000));
    assert_eq!((flow.received_time, flow.quality), (None, Quality::CLOCK_SUSPECT));
}

#[test]
fn sflow_in_a_capture_is_decoded_in_place_of_its_packets() {
    let sample = || Flow::default().sample(&[tcp_frame()]);
    let broken = datagram(2, &[sample()])[..100].to_vec();
    let octets = capture(&[broken.clone(), datagram(1, &[sample()]), broken]);
    let (kept, tally) = decoded(&octets);
    // What is broken is broken export, before the stream is known and behind it.
    assert_eq!((tally.received, tally.decoded, tally.refused, tally.beside), (3, 1, 2, 3));
    assert!(kept.flows.iter().all(|flow| &*flow.exporter != "packets"));
    let options = Options { format: Some(Format::Packets), ..Options::default() };
    let (kept, result) = decode_all(&*octets, &options);
    assert_eq!((result.unwrap().decoded, kept.packets()), (3, 3));
}

#[test]
fn a_file_of_datagrams_is_seen_by_content_and_read_to_its_last() {
    let sample = |number| Flow { number, ..Flow::default() }.sample(&[tcp_frame()]);
    let file = [datagram(1, &[sample(1)]), datagram(2, &[sample(2), sample(3)])].concat();
    let (kept, tally) = decoded(&file);
    assert_eq!((tally.decoded, kept.problems()), (3, vec![]));
    assert_eq!(kept.flows.iter().map(|flow| flow.source_row).collect::<Vec<_>>(), [1, 2, 3]);
    let (kept, tally) = decoded(&[&file[..], b"something else"].concat());
    assert_eq!((tally.decoded, tally.refused), (3, 1));
    assert_eq!(
        kept.problems(),
        [format!(
            "octet {}: no datagram of sFlow begins here: the file is not read from here on",
            file.len()
        )]
    );
}

#[test]
fn the_packet_inside_and_the_outer_one_have_different_families() {
    let inner = tcp("192.0.2.10:50000", "198.51.100.7:443", 0x18, 1_000)[14..].to_vec();
    let (src, dst): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    assert_eq!(talk(&one(&[frame(&ethernet(&ip(src, dst, 4, &inner)))])), TCP);
}
