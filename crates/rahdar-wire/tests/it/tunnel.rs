//! Tunnels: the packet inside is the flow.

use std::net::IpAddr;

use rahdar_testkit::corpus;

use crate::kept::{Kept, decoded, line};
use crate::made::{ETHERNET, ethernet, ip, pcap, tcp, udp};

/// The frame inside: 52 octets of IP.
fn inner() -> Vec<u8> {
    tcp("192.0.2.1:1000", "198.51.100.7:80", 0x02, 12)
}

const INNER: &str = "192.0.2.1 1000 > 198.51.100.7 80 proto 6: 52 in 1, back 0 in 0, flags 0x02 0x00, end 4";

/// An outer packet of this protocol, between the ends of the tunnel.
fn outer(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let (src, dst): (IpAddr, IpAddr) = ("203.0.113.1".parse().unwrap(), "203.0.113.2".parse().unwrap());
    ethernet(&ip(src, dst, protocol, payload))
}

/// An outer UDP packet to this port.
fn over_udp(port: u16, payload: &[u8]) -> Vec<u8> {
    udp("203.0.113.1:60000", &format!("203.0.113.2:{port}"), payload)
}

fn lines(kept: &Kept) -> Vec<String> {
    kept.flows.iter().map(line).collect()
}

#[track_caller]
fn check(frame: Vec<u8>, expected: &str) {
    let (kept, tally) = decoded(&pcap(ETHERNET, &[(0, frame)]));
    assert_eq!(lines(&kept), [expected]);
    assert_eq!((tally.received, tally.decoded, kept.problems()), (1, 1, vec![]));
}

fn under(head: &[u8], octets: &[u8]) -> Vec<u8> {
    [head, octets].concat()
}

#[test]
fn the_flow_inside_is_found_in_every_tunnel() {
    let frame = inner();
    let packet = &frame[14..];
    let length = packet.len() as u8;
    let label = [0, 1, 0, 64, 0, 1, 1, 64];
    let vxlan = |head: [u8; 8]| under(&head, &frame);
    let gre = |head: &[u8], octets: &[u8]| outer(47, &under(head, octets));
    for (of, frame) in [
        ("IP in IP", outer(4, packet)),
        ("MPLS in IP", outer(137, &under(&label, packet))),
        ("EtherIP", outer(97, &under(&[0x30, 0], &frame))),
        ("GRE", gre(&[0, 0, 0x08, 0], packet)),
        ("GRE with key", gre(&[0x20, 0, 0x08, 0, 0, 0, 0, 7], packet)),
        ("GRE with all", gre(&[0xb0, 0, 0x08, 0, 1, 2, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1], packet)),
        ("GRE of Ethernet", gre(&[0, 0, 0x65, 0x58], &frame)),
        ("GRE of MPLS", gre(&[0, 0, 0x88, 0x47], &under(&label, packet))),
        ("ERSPAN", gre(&[0, 0, 0x88, 0xbe], &frame)),
        ("ERSPAN II", gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 7, 0, 0, 0, 0], &frame)),
        (
            "ERSPAN III",
            gre(&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0], &frame),
        ),
        (
            "ERSPAN III with more",
            gre(
                &[
                    0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9,
                    9, 9,
                ],
                &frame,
            ),
        ),
        (
            "PPTP",
            gre(&[0x30, 0x81, 0x88, 0x0b, 0, 56, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 3, 0, 0x21], packet),
        ),
        ("PPTP, short", gre(&[0x20, 0x01, 0x88, 0x0b, 0, 53, 0, 1, 0x21], packet)),
        ("VXLAN", over_udp(4789, &vxlan([8, 0, 0, 0, 0, 0, 42, 0]))),
        ("VXLAN with policy", over_udp(4789, &vxlan([0x88, 0x08, 0x12, 0x34, 0, 0, 42, 0]))),
        ("VXLAN whose reserved bits are set", over_udp(4789, &vxlan([0xfb, 1, 2, 3, 0, 0, 42, 4]))),
        ("VXLAN of Linux", over_udp(8472, &vxlan([8, 0, 0, 0, 0, 0, 42, 0]))),
        ("Geneve", over_udp(6081, &under(&[0, 0, 0x65, 0x58, 0, 0, 42, 0], &frame))),
        ("Geneve of IP", over_udp(6081, &under(&[1, 0x40, 0x08, 0, 0, 0, 42, 0, 1, 2, 3, 0], packet))),
        ("GTP-U", over_udp(2152, &under(&[0x30, 0xff, 0, length, 0, 0, 0, 7], packet))),
        (
            "GTP-U with a number",
            over_udp(2152, &under(&[0x32, 0xff, 0, length + 4, 0, 0, 0, 7, 0, 1, 0, 0], packet)),
        ),
        (
            "GTP-U with extensions",
            over_udp(
                2152,
                &under(
                    &[
                        0x34,
                        0xff,
                        0,
                        length + 16,
                        0,
                        0,
                        0,
                        7,
                        0,
                        0,
                        0,
                        0x85,
                        1,
                        0x10,
                        0,
                        0xc0,
                        2,
                        0,
                        0,
                        0,
                        0,
                        0,
                        0,
                        0,
                    ],
                    packet,
                ),
            ),
        ),
        ("MPLS in UDP", over_udp(6635, &under(&label, packet))),
        ("Ethernet in MPLS", under(&[&[2; 12][..], &[0x88, 0x47], &label, &[0; 4]].concat(), &frame)),
        (
            "tagged Ethernet in MPLS",
            [&[2; 12][..], &[0x88, 0x47], &label, &[0; 4], &[2; 12], &[0x81, 0, 0, 5, 0x08, 0], packet]
                .concat(),
        ),
        ("PPPoE", under(&[&[2; 12][..], &[0x88, 0x64, 0x11, 0, 0, 1, 0, 54, 0, 0x21]].concat(), packet)),
        (
            "MPLS in PPPoE",
            under(&[&[2; 12][..], &[0x88, 0x64, 0x11, 0, 0, 1, 0, 62, 2, 0x81], &label].concat(), packet),
        ),
    ] {
        let (kept, _) = decoded(&pcap(ETHERNET, &[(0, frame)]));
        assert_eq!(lines(&kept), [INNER], "{of}");
    }
}

#[test]
fn the_families_inside_and_outside_may_differ() {
    let (src, dst): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let six = &udp("[2001:db8::8]:1000", "[2001:db8::9]:53", b"ab")[14..];
    let expected =
        "2001:db8::8 1000 > 2001:db8::9 53 proto 17: 50 in 1, back 0 in 0, end 4, direction guessed";
    check(outer(41, six), expected);
    check(ethernet(&ip(src, dst, 41, six)), expected);
    check(ethernet(&ip(src, dst, 47, &under(&[0, 0, 0x86, 0xdd], six))), expected);
    check(ethernet(&ip(src, dst, 4, &inner()[14..])), INNER);
    // SRv6: a routing header of one segment stands between.
    let routing = [&[41, 2, 4, 0, 0, 0, 0, 0][..], &[0xfd; 16]].concat();
    check(ethernet(&ip(src, dst, 43, &under(&routing, six))), expected);
}

#[test]
fn tunnels_are_opened_to_a_depth() {
    let nested = |depth| (0..depth).fold(inner(), |frame, _| outer(4, &frame[14..]));
    check(nested(4), INNER);
    // The fifth is what is left, and it is said once.
    let (kept, _) = decoded(&pcap(ETHERNET, &[(0, inner()), (1, nested(5)), (2, nested(6))]));
    let left = "203.0.113.1 0 > 203.0.113.2 0 proto 4: 164 in 2, back 0 in 0, end 4, direction guessed";
    assert!(lines(&kept).contains(&left.to_owned()), "{:?}", lines(&kept));
    assert_eq!(kept.problems(), ["packet 2: tunnels are nested deeper than `4`: the rest is not opened"]);
}

#[test]
fn what_is_no_tunnel_stays_the_outer_flow() {
    let frame = inner();
    let packet = &frame[14..];
    let gre = |head: &[u8], octets: &[u8]| outer(47, &under(head, octets));
    let mut longer = frame.clone();
    longer[16..18].copy_from_slice(&[0xff, 0xff]);
    let policy = |head: [u8; 8]| over_udp(4789, &under(&head, &frame));
    for (of, frame) in [
        ("another port", over_udp(4790, &under(&[8, 0, 0, 0, 0, 0, 42, 0], &frame))),
        ("no flag of VXLAN", policy([0, 0, 0, 0, 0, 0, 42, 0])),
        (
            "VXLAN of ARP",
            over_udp(4789, &under(&[8, 0, 0, 0, 0, 0, 42, 0], &[&[2; 12][..], &[8, 6], &[0; 28]].concat())),
        ),
        ("a message of Geneve", over_udp(6081, &under(&[0, 0x80, 0x65, 0x58, 0, 0, 42, 0], &frame))),
        (
            "options of Geneve beyond the end",
            over_udp(6081, &under(&[0x3f, 0, 0x65, 0x58, 0, 0, 42, 0], &frame)),
        ),
        ("an echo of GTP-U", over_udp(2152, &under(&[0x30, 1, 0, 20, 0, 0, 0, 7], packet))),
        ("GTP-U of another version", over_udp(2152, &under(&[0x50, 0xff, 0, 20, 0, 0, 0, 7], packet))),
        (
            "GTP-U that is longer than its packet",
            over_udp(2152, &under(&[0x30, 0xff, 9, 0, 0, 0, 0, 7], packet)),
        ),
        (
            "an extension of GTP-U without length",
            over_udp(2152, &under(&[0x34, 0xff, 0, 20, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0], packet)),
        ),
        ("source routes in GRE", gre(&[0x40, 0, 0x08, 0, 0, 0, 0, 0], packet)),
        ("GRE of another version", gre(&[0, 2, 0x08, 0], packet)),
        ("compressed PPTP", gre(&[0x20, 0x01, 0x88, 0x0b, 0, 54, 0, 1, 0, 0xfd], packet)),
        ("a length beyond the outer packet", outer(4, &longer[14..])),
        ("a header that is cut", outer(4, &packet[..19])),
        ("nothing", outer(47, &[])),
    ] {
        let (kept, tally) = decoded(&pcap(ETHERNET, &[(0, frame)]));
        assert_eq!((tally.decoded, tally.refused), (1, 0), "{of}");
        assert_eq!(kept.flows[0].src.to_string(), "203.0.113.1", "{of}");
    }
}

#[test]
fn a_pseudowire_without_ip_is_beside() {
    let arp = [&[2; 12][..], &[0x88, 0x47, 0, 1, 1, 64, 0, 0, 0, 0], &[2; 12], &[8, 6], &[0; 28]].concat();
    // Read with a control word, which this one does not have, the frame seems to be IP and is not.
    let other = [&[2; 12][..], &[0x88, 0x47, 0, 1, 1, 64], &[0; 16], &[8, 0], &[0; 28]].concat();
    // Without one, an address may begin as IP does; the length that it would have is none.
    let address = [&[2; 12][..], &[0x88, 0x47, 0, 1, 1, 64, 0x45], &[9; 60]].concat();
    let (kept, tally) = decoded(&pcap(ETHERNET, &[(0, arp), (1, other), (2, address)]));
    assert_eq!((tally.received, tally.beside, kept.problems()), (0, 3, vec![]));
}

#[test]
fn pieces_of_a_tunnel_are_one_packet_inside() {
    let frame = tcp("192.0.2.1:1000", "198.51.100.7:80", 0x10, 1_400);
    let whole = outer(47, &under(&[0, 0, 0x08, 0], &frame[14..]));
    let piece = |from: usize, until: usize, offset: [u8; 2]| {
        let mut piece = [&whole[..34], &whole[34 + from..34 + until]].concat();
        piece[16..18].copy_from_slice(&(20 + (until - from) as u16).to_be_bytes());
        piece[20..22].copy_from_slice(&offset);
        piece
    };
    let first = piece(0, 800, [0x20, 0]);
    let second = piece(800, 1_444, [0, 100]);
    for frames in [[(0, first.clone()), (1, second.clone())], [(0, second.clone()), (1, first)]] {
        let (kept, tally) = decoded(&pcap(ETHERNET, &frames));
        assert_eq!((kept.octets(), kept.packets()), (1_440, 1));
        assert_eq!((tally.received, tally.decoded, tally.beside), (1, 1, 1));
    }
    // Without the first piece, the second is a packet of the tunnel.
    let (kept, tally) = decoded(&pcap(ETHERNET, &[(0, second)]));
    assert_eq!((kept.octets(), tally.decoded, tally.beside), (664, 1, 0));
}

#[test]
fn export_inside_a_tunnel_is_export() {
    let mut v5 = vec![0, 5, 0, 1];
    v5.extend([0; 20 + 48]);
    let carrier = udp("192.0.2.1:5000", "198.51.100.7:2055", &v5);
    let (kept, tally) = decoded(&pcap(ETHERNET, &[(0, outer(4, &carrier[14..]))]));
    assert_eq!((tally.decoded, tally.beside), (1, 1));
    assert_eq!(&*kept.flows[0].exporter, "192.0.2.1");
}

/// Captures of tunnels, and the flow inside as `tshark` (4.0.17) shows it.
const CAPTURES: &[(&str, &str)] = &[
    ("gre-v4-key", "192.168.1.101 > 192.168.2.102 icmp 8/0: 100 in 1, back 100 in 1"),
    ("gre-v4-plain", "66.59.111.190 123 > 66.59.111.182 123 proto 17: 76 in 1, back 0 in 0"),
    ("gre-v6-plain", "2001:db8::2 18716 > 2001:db8::1 23 proto 6: 62 in 1, back 0 in 0"),
    ("ipv4-ipv4", "192.168.0.1 > 192.168.0.2 icmp 8/0: 100 in 1, back 0 in 0"),
    (
        "ipv4-ipv6",
        "2001:610:1908:a000::149:20 80 > 2002:2470:9ffa:fa9:0:dd:ed00:2 35673 proto 6: 60 in 1, back 0 in 0",
    ),
    ("mpls-eompls-cw", "10.31.0.1 11001 > 10.34.0.1 23 proto 6: 40 in 1, back 0 in 0"),
    ("mpls-explicit-null-ipv4", "10.31.0.1 11001 > 10.34.0.1 23 proto 6: 40 in 1, back 0 in 0"),
    ("mpls-explicit-null-ipv6", "2001:db8::1 11001 > 2001:db8::2 80 proto 6: 60 in 1, back 0 in 0"),
    ("mpls-ipv4", "10.31.0.1 11001 > 10.34.0.1 23 proto 6: 40 in 1, back 0 in 0"),
    ("mpls-ipv6", "2001:db8::1 11001 > 2001:db8::2 80 proto 6: 60 in 1, back 0 in 0"),
    ("srv6-end-dt6", "1:2:1::1 50701 > b::2 5001 proto 17: 64 in 1, back 0 in 0"),
    ("vlan-ipv6", "172.16.44.3 40768 > 8.8.8.8 53 proto 17: 99 in 1, back 0 in 0"),
];

#[test]
fn tunnels_of_the_corpus_hold_the_flows_that_tshark_shows() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("flow-exports/akvorado/outlet/flow/decoder/testdata");
    for (name, expected) in CAPTURES {
        let octets = std::fs::read(folder.join(format!("{name}.pcap"))).unwrap();
        let (kept, tally) = decoded(&octets);
        let lines = lines(&kept);
        assert!(lines.len() == 1 && lines[0].starts_with(expected), "{name}: {lines:?}");
        assert_eq!(tally.refused, 0, "{name}");
    }
}
