//! Packets become flows.

use std::net::IpAddr;

use proptest::prelude::*;
use rahdar_model::Timestamp;
use rahdar_model::fact::{Loss, Unit};
use rahdar_wire::{Format, Options};

use crate::kept::{Kept, decode_all, decoded, line};
use crate::made::{
    BEGIN_S, ETHERNET, ISB_END, ISB_IFDROP, ISB_OSDROP, ISB_START, block, enhanced, ethernet, icmp,
    interface, ip, pcap, section, statistics, tcp, udp,
};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

const ASKER: &str = "192.0.2.1:1000";
const SERVER: &str = "198.51.100.7:80";

/// Decodes an Ethernet capture of these frames, times in milliseconds, and compares its flows.
fn check(frames: &[(u64, Vec<u8>)], flows: &[&str]) {
    let (kept, _) = decoded(&pcap(ETHERNET, frames));
    assert_eq!(lines(&kept), flows);
    assert_eq!(kept.problems(), [""; 0]);
}

fn lines(kept: &Kept) -> Vec<String> {
    kept.flows.iter().map(line).collect()
}

/// A frame from the asker, and one back.
fn ask(flags: u8, payload: usize) -> Vec<u8> {
    tcp(ASKER, SERVER, flags, payload)
}

fn answer(flags: u8, payload: usize) -> Vec<u8> {
    tcp(SERVER, ASKER, flags, payload)
}

#[test]
fn a_connection_is_one_flow_of_who_opened_it() {
    let frames = [
        (0, ask(SYN, 0)),
        (10, answer(SYN | ACK, 0)),
        (20, ask(ACK, 100)),
        (30, answer(ACK, 1_000)),
        (40, ask(FIN | ACK, 0)),
        (50, answer(FIN | ACK, 0)),
        (60, ask(ACK, 0)),
    ];
    check(
        &frames,
        &["192.0.2.1 1000 > 198.51.100.7 80 proto 6: 260 in 4, back 1120 in 3, flags 0x13 0x13, end 3"],
    );
    let (kept, tally) = decoded(&pcap(ETHERNET, &frames));
    let flow = &kept.flows[0];
    assert_eq!((flow.payload_octets, flow.rev_payload_octets), (Some(100), Some(1_000)));
    assert_eq!(flow.start_time, Timestamp::from_seconds(BEGIN_S.into()));
    assert_eq!(flow.end_time.since(flow.start_time), 60_000);
    assert_eq!((&*flow.exporter, flow.source_row, flow.sampling_interval), ("packets", 1, Some(1)));
    assert_eq!((tally.received, tally.decoded, tally.flows), (7, 7, 1));
}

#[test]
fn an_answer_seen_first_still_tells_who_asked() {
    check(
        &[(0, answer(SYN | ACK, 0)), (1, ask(ACK, 0))],
        &[
            "192.0.2.1 1000 > 198.51.100.7 80 proto 6: 40 in 1, back 40 in 1, flags 0x10 0x12, end 4, midstream",
        ],
    );
}

#[test]
fn a_connection_that_was_there_before_is_a_guess() {
    check(
        &[(0, answer(ACK, 10)), (1, ask(ACK, 0))],
        &["198.51.100.7 80 > 192.0.2.1 1000 proto 6: 50 in 1, back 40 in 1, flags 0x10 0x10, end 4, \
           direction guessed, midstream"],
    );
}

#[test]
fn an_opening_packet_captured_behind_its_answer_counts() {
    check(
        &[(5, answer(SYN | ACK, 0)), (4, ask(SYN, 0))],
        &["192.0.2.1 1000 > 198.51.100.7 80 proto 6: 40 in 1, back 40 in 1, flags 0x02 0x12, end 4"],
    );
}

#[test]
fn a_refused_attempt_and_the_next_are_two_flows() {
    let attempt = "192.0.2.1 1000 > 198.51.100.7 80 proto 6: 40 in 1, back 40 in 1, flags 0x02 0x14, end 3";
    check(
        &[(0, ask(SYN, 0)), (1, answer(RST | ACK, 0)), (500, ask(SYN, 0)), (501, answer(RST | ACK, 0))],
        &[attempt, attempt],
    );
}

#[test]
fn a_pause_ends_a_flow_and_a_long_one_is_cut() {
    let half = "192.0.2.1 1000 > 198.51.100.7 53 proto 17: 30 in 1, back 0 in 0";
    let frame = || udp(ASKER, "198.51.100.7:53", b"ab");
    check(
        &[(0, frame()), (60_001, frame())],
        &[&format!("{half}, end 1, direction guessed"), &format!("{half}, end 4, direction guessed")],
    );
    // 62 packets, one every 30 s, the server's first in the second half.
    let mut frames = vec![(0, ask(SYN, 0)), (1, answer(SYN | ACK, 0))];
    frames.extend((1..=62).map(|n| (n * 30_000, answer(ACK, 0))));
    check(
        &frames,
        &[
            "192.0.2.1 1000 > 198.51.100.7 80 proto 6: 40 in 1, back 2440 in 61, flags 0x02 0x12, end 2",
            "192.0.2.1 1000 > 198.51.100.7 80 proto 6: 0 in 0, back 80 in 2, flags 0x00 0x10, end 4",
        ],
    );
}

#[test]
fn times_out_of_order_break_nothing() {
    let frame = || udp(ASKER, SERVER, b"ab");
    check(
        &[(1_000, frame()), (0, frame()), (2_000, frame())],
        &["192.0.2.1 1000 > 198.51.100.7 80 proto 17: 90 in 3, back 0 in 0, end 4, direction guessed"],
    );
}

#[test]
fn a_question_and_its_answer_are_one_flow() {
    let (a, b) = ("192.0.2.1", "198.51.100.7");
    check(
        &[(0, icmp(a, b, 8, 0, 56)), (1, icmp(b, a, 0, 0, 56))],
        &["192.0.2.1 > 198.51.100.7 icmp 8/0: 84 in 1, back 84 in 1, end 4"],
    );
    check(
        &[(0, icmp("2001:db8::2", "2001:db8::1", 129, 0, 0))],
        &["2001:db8::1 > 2001:db8::2 icmp 128/0: 0 in 0, back 48 in 1, end 4"],
    );
    check(
        &[(0, icmp(b, a, 3, 1, 28)), (0, icmp(b, a, 3, 3, 28))],
        &[
            "198.51.100.7 > 192.0.2.1 icmp 3/1: 56 in 1, back 0 in 0, end 4",
            "198.51.100.7 > 192.0.2.1 icmp 3/3: 56 in 1, back 0 in 0, end 4",
        ],
    );
}

/// A UDP packet in two pieces, its identification `id`.
fn pieces(id: u8) -> [Vec<u8>; 2] {
    let whole = udp("192.0.2.1:1000", "198.51.100.7:53", &[b'x'; 92]);
    let piece = |from: usize, until: usize, flags: [u8; 2]| {
        let mut packet = whole[14..34].to_vec();
        packet.extend(&whole[34 + from..34 + until]);
        let length = packet.len() as u8;
        packet[3..8].copy_from_slice(&[length, 0, id, flags[0], flags[1]]);
        ethernet(&packet)
    };
    [piece(0, 48, [0x20, 0]), piece(48, 100, [0, 6])]
}

#[test]
fn later_pieces_belong_to_the_flow_of_the_first() {
    let [first, second] = pieces(7);
    let frames = [(0, first.clone()), (1, second.clone())];
    check(
        &frames,
        &["192.0.2.1 1000 > 198.51.100.7 53 proto 17: 140 in 2, back 0 in 0, end 4, direction guessed"],
    );
    let (kept, _) = decoded(&pcap(ETHERNET, &frames));
    assert_eq!(kept.flows[0].payload_octets, Some(92));
    // The first piece may come last.
    check(
        &[(0, second.clone()), (1, first)],
        &["192.0.2.1 1000 > 198.51.100.7 53 proto 17: 140 in 2, back 0 in 0, end 4, direction guessed"],
    );
    let [other, _] = pieces(8);
    check(
        &[(0, second), (1, other)],
        &[
            "192.0.2.1 0 > 198.51.100.7 0 proto 17: 72 in 1, back 0 in 0, end 4, direction guessed",
            "192.0.2.1 1000 > 198.51.100.7 53 proto 17: 68 in 1, back 0 in 0, end 4, direction guessed",
        ],
    );
}

#[test]
fn the_same_packet_is_found_under_every_link() {
    let packet = ask(SYN, 0)[14..].to_vec();
    let under = |header: &[u8]| [header, &packet].concat();
    let macs = [2; 12];
    let tagged = |tags: &[u8]| under(&[&macs[..], tags].concat());
    for (link, frame) in [
        (1, tagged(&[0x81, 0, 0, 5, 0x08, 0])),
        (1, tagged(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x08, 0])),
        (1, tagged(&[0x88, 0x47, 0, 1, 0, 64, 0, 1, 1, 64])),
        (1, tagged(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, 0x21])),
        (1, tagged(&[0, 48, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0])),
        (0, under(&[2, 0, 0, 0])),
        (9, under(&[0xff, 3, 0, 0x21])),
        (12, packet.clone()),
        (50, under(&[0xff, 3, 0, 0x21])),
        (50, under(&[0x0f, 0, 0x08, 0])),
        (51, under(&[0x11, 0, 0, 1, 0, 42, 0, 0x21])),
        (100, under(&[0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0])),
        (104, under(&[0x8f, 0, 0x08, 0])),
        (109, under(&[2, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0])),
        (166, under(&[1, 3, 0, 0x21])),
        (204, under(&[1, 0xff, 3, 0, 0x21])),
        (205, under(&[1, 0x0f, 0, 0x08, 0])),
        (101, packet.clone()),
        (108, under(&[0, 0, 0, 2])),
        (113, under(&[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 0x08, 0])),
        (228, packet.clone()),
        (276, under(&[0x08, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0])),
    ] {
        let (kept, _) = decoded(&pcap(link, &[(0, frame)]));
        let expected =
            "192.0.2.1 1000 > 198.51.100.7 80 proto 6: 40 in 1, back 0 in 0, flags 0x02 0x00, end 4";
        assert_eq!(lines(&kept), [expected], "link type {link}");
    }
}

#[test]
fn extension_headers_are_looked_through() {
    let (src, dst): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let datagram = &udp("192.0.2.1:1000", "198.51.100.7:53", b"ab")[34..];
    // Hop by hop, destination options of 16 octets, a fragment header of a packet that is whole.
    let headers =
        [60, 0, 0, 0, 0, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 9];
    check(
        &[(0, ethernet(&ip(src, dst, 0, &[&headers[..], datagram].concat())))],
        &["2001:db8::1 1000 > 2001:db8::2 53 proto 17: 82 in 1, back 0 in 0, end 4, direction guessed"],
    );
}

#[test]
fn frames_that_were_cut_count_in_full_and_are_marked() {
    let mut capture = pcap(ETHERNET, &[(0, ask(SYN, 0)), (1, answer(ACK, 1_000))]);
    // The second frame is 54 octets of 1,054.
    let second = capture.len() - 1_054 - 16;
    capture.truncate(capture.len() - 1_000);
    capture[second + 8..second + 12].copy_from_slice(&54u32.to_le_bytes());
    let (kept, _) = decoded(&capture);
    assert_eq!(
        lines(&kept),
        [
            "192.0.2.1 1000 > 198.51.100.7 80 proto 6: 40 in 1, back 1040 in 1, flags 0x02 0x10, end 4, truncated capture"
        ]
    );
    assert_eq!(kept.flows[0].rev_payload_octets, Some(1_000));
}

#[test]
fn a_length_left_to_the_network_card_is_that_of_the_frame() {
    let mut frame = ask(ACK | SYN, 3_000);
    frame[16..18].copy_from_slice(&[0, 0]);
    let (kept, _) = decoded(&pcap(ETHERNET, &[(0, frame)]));
    assert_eq!(kept.octets(), 3_040);
}

#[test]
fn frames_without_ip_are_beside_and_broken_ones_refused() {
    let arp = [&[2; 12][..], &[0x08, 0x06], &[0; 28]].concat();
    let mut short = ask(SYN, 0);
    short.truncate(30);
    let mut contradictory = ask(SYN, 0);
    contradictory[17] = 19;
    let (kept, tally) =
        decoded(&pcap(ETHERNET, &[(0, arp), (1, short), (2, contradictory), (3, ask(SYN, 0))]));
    assert_eq!((tally.received, tally.decoded, tally.refused, tally.beside), (3, 1, 2, 1));
    assert_eq!(
        kept.problems(),
        [
            "packet 2: the IPv4 header is cut off",
            "packet 3: the lengths of the IPv4 header contradict each other"
        ]
    );
}

#[test]
fn link_types_that_are_not_read_are_named_once() {
    for (link, named) in [(117, " (pflog)"), (250, "")] {
        let (kept, tally) = decoded(&pcap(link, &[(0, vec![0; 60]), (1, vec![0; 60])]));
        assert_eq!((tally.received, tally.refused), (2, 2));
        assert_eq!(kept.problems(), [format!("packet 1: frames of link type `{link}`{named} are not read")]);
    }
}

/// A frame of Wi-Fi: its first two octets, what follows its three addresses, and the packet of [`ask`].
fn over_wifi(control: [u8; 2], rest: &[u8]) -> Vec<u8> {
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0];
    [&control[..], &[0; 2], &[2; 18], &[0, 0], rest, &snap, &ask(SYN, 0)[14..]].concat()
}

/// What monitors of Wi-Fi capture: a link type, and a frame with the packet of [`ask`] in it.
pub(crate) fn wifi() -> Vec<(u16, Vec<u8>)> {
    let plain = || over_wifi([0x08, 0x01], &[]);
    let behind = |header: &[u8], frame: Vec<u8>| [header, &frame].concat();
    // A clock and flags: padded to four octets.
    let padded = [0, 0, 18, 0, 3, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x20, 0];
    let two_words = [0, 0, 14, 0, 2, 0, 0, 0x80, 0, 0, 0, 0, 0x00, 0];
    let prism = [&[0x44, 0, 0, 0, 144, 0, 0, 0][..], &[0; 136]].concat();
    let avs = [&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64][..], &[0; 56]].concat();
    vec![
        (105, plain()),
        (105, over_wifi([0x08, 0x03], &[2; 6])),
        (105, over_wifi([0x88, 0x02], &[0, 0])),
        (105, over_wifi([0x88, 0x83], &[2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0])),
        (127, behind(&[0, 0, 8, 0, 0, 0, 0, 0], plain())),
        (127, behind(&padded, over_wifi([0x88, 0x01], &[0, 0, 9, 9]))),
        (127, behind(&two_words, plain())),
        (119, behind(&prism, plain())),
        (119, behind(&avs, plain())),
        (163, behind(&avs, plain())),
        (192, behind(&[0, 0, 12, 0, 105, 0, 0, 0, 9, 9, 9, 9], plain())),
    ]
}

#[test]
fn packets_are_found_in_frames_of_wifi() {
    for (link, frame) in wifi() {
        let (kept, _) = decoded(&pcap(link, &[(0, frame.clone())]));
        let expected =
            "192.0.2.1 1000 > 198.51.100.7 80 proto 6: 40 in 1, back 0 in 0, flags 0x02 0x00, end 4";
        assert_eq!(lines(&kept), [expected], "link type {link}: {}", frame.escape_ascii());
        for end in 0..frame.len() {
            decoded(&pcap(link, &[(0, frame[..end].to_vec())]));
        }
    }
}

#[test]
fn frames_of_wifi_that_hold_no_packet_are_beside_and_several_are_refused() {
    let beacon = over_wifi([0x80, 0x00], &[]);
    let empty = over_wifi([0x48, 0x01], &[]);
    let encrypted = over_wifi([0x08, 0x41], &[1, 2, 3, 4, 5, 6, 7, 8]);
    let mut piece = over_wifi([0x08, 0x01], &[]);
    piece[22] = 1;
    let frames = [beacon, empty, encrypted, piece, over_wifi([0x88, 0x01], &[0x80, 0])];
    let frames: Vec<_> = frames.into_iter().map(|frame| (0, frame)).collect();
    let (kept, tally) = decoded(&pcap(105, &frames));
    assert_eq!((tally.beside, tally.refused), (4, 1));
    let problem = "packet 5: the frame holds several packets (A-MSDU), which are not read";
    assert_eq!(kept.problems(), [problem]);
    let failed = [&[0, 0, 10, 0, 2, 0, 0, 0, 0x40, 0][..], &over_wifi([0x08, 0x01], &[])].concat();
    let (kept, _) = decoded(&pcap(127, &[(0, failed)]));
    assert_eq!(kept.problems(), ["packet 1: the check sequence of the frame is wrong"]);
}

#[test]
fn the_magic_number_tells_order_and_resolution() {
    let frame = ask(SYN, 0);
    for (magic, big, fraction) in [
        ([0xa1, 0xb2, 0xc3, 0xd4], true, 250_000u32),
        ([0xa1, 0xb2, 0x3c, 0x4d], true, 250_000_999),
        ([0x4d, 0x3c, 0xb2, 0xa1], false, 250_000_999),
    ] {
        let word = |word: u32| if big { word.to_be_bytes() } else { word.to_le_bytes() };
        let mut file = magic.to_vec();
        file.extend([0; 16]);
        let length = frame.len() as u32;
        // The upper bits of the link type hold the length of a frame check sequence.
        for number in [0x1000_0001, BEGIN_S, fraction, length, length] {
            file.extend(word(number));
        }
        file.extend(&frame);
        let (kept, _) = decoded(&file);
        assert_eq!(kept.flows[0].start_time.to_string(), "2021-08-15T00:00:00.25Z");
    }
}

#[test]
fn pcapng_interfaces_have_their_own_clocks() {
    let seconds = u64::from(BEGIN_S);
    let interfaces = [
        interface(ETHERNET, &[]),
        interface(ETHERNET, &[(2, b"eth0"), (9, &[9])]),
        interface(ETHERNET, &[(9, &[0x80 | 10]), (14, &100i64.to_le_bytes())]),
        interface(101, &[(9, &[0])]),
    ];
    let times = [seconds * 1_000_000, seconds * 1_000_000_000, (seconds - 100) << 10, seconds];
    for (number, units) in times.into_iter().enumerate() {
        let frame = ask(SYN, 0);
        let frame = if number == 3 { &frame[14..] } else { &frame[..] };
        let file = [section(), interfaces.concat(), enhanced(number as u32, units, frame)].concat();
        let (kept, _) = decoded(&file);
        assert_eq!(kept.flows[0].start_time, Timestamp::from_seconds(seconds as i64), "interface {number}");
    }
}

#[test]
fn pcapng_sections_and_packet_blocks_of_every_kind_are_read() {
    let frame = ask(SYN, 0);
    let length = (frame.len() as u32).to_le_bytes();
    let simple = block(3, &[&length[..], &frame].concat());
    let old = block(2, &[&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &length, &length, &frame].concat());
    let statistics = block(5, &[0; 12]);
    let file = [
        section(),
        interface(ETHERNET, &[]),
        simple,
        old,
        statistics,
        section(),
        interface(101, &[]),
        enhanced(0, 0, &frame[14..]),
    ]
    .concat();
    let (kept, tally) = decoded(&file);
    assert_eq!(tally.decoded, 3);
    assert_eq!(
        lines(&kept),
        [
            "192.0.2.1 1000 > 198.51.100.7 80 proto 6: 120 in 3, back 0 in 0, flags 0x02 0x00, end 4, clock suspect"
        ]
    );
}

#[test]
fn a_big_endian_section_is_read_too() {
    let swap =
        |block: Vec<u8>| -> Vec<u8> { block.chunks(4).flat_map(|word| word.iter().rev().copied()).collect() };
    let raw = ask(SYN, 0)[14..].to_vec();
    // Words are swapped whole: the two halves of a description's first word trade places.
    let mut description = swap(interface(101, &[]));
    description[8..12].copy_from_slice(&[0, 101, 0, 0]);
    let mut packet = swap(enhanced(0, 0, &[]));
    packet.truncate(20);
    packet.extend([0, 0, 0, 40, 0, 0, 0, 40]);
    packet.extend(&raw);
    packet.extend([0, 0, 0, 72]);
    packet[7] = 72;
    let (kept, _) = decoded(&[swap(section()), description, packet].concat());
    assert_eq!(kept.octets(), 40);
}

#[test]
fn a_packet_of_an_unknown_interface_costs_only_itself() {
    let frame = ask(SYN, 0);
    let file = [section(), interface(ETHERNET, &[]), enhanced(7, 0, &frame), enhanced(0, 0, &frame)].concat();
    let (kept, tally) = decoded(&file);
    assert_eq!((tally.received, tally.decoded, tally.refused), (2, 1, 1));
    assert_eq!(kept.problems(), ["packet 1: the packet block is inconsistent or of an unknown interface"]);
    assert_eq!(kept.flows[0].source_row, 2);
}

/// Microseconds so many seconds after made captures begin.
fn us(seconds: u64) -> u64 {
    (u64::from(BEGIN_S) + seconds) * 1_000_000
}

/// Two captures, one after the other, the first of which counts what it dropped.
pub(crate) fn with_statistics() -> Vec<u8> {
    let options = [(ISB_START, us(0)), (ISB_END, us(8)), (ISB_IFDROP, 3), (ISB_OSDROP, 4)];
    let blocks = [section(), interface(ETHERNET, &[]), statistics(0, us(9), &options)].concat();
    [blocks, pcap(ETHERNET, &[(0, ask(SYN, 0)), (1, answer(SYN | ACK, 0))])].concat()
}

/// The gaps of a capture: when, how many.
fn gaps(capture: &[u8]) -> Vec<String> {
    let (kept, _) = decoded(capture);
    assert_eq!(kept.problems(), [""; 0]);
    for gap in &kept.gaps {
        assert_eq!((&*gap.exporter, gap.cause, gap.unit), ("packets", Loss::KernelDrop, Unit::Packets));
    }
    kept.gaps.iter().map(|gap| format!("{:?} {}", gap.window, gap.lost)).collect()
}

#[test]
fn packets_that_a_capture_dropped_are_a_gap() {
    let head = [section(), interface(ETHERNET, &[]), enhanced(0, us(1), &ask(SYN, 0))].concat();
    let of = |blocks: &[Vec<u8>]| gaps(&[head.clone(), blocks.concat()].concat());
    let both =
        statistics(0, us(9), &[(ISB_START, us(0)), (ISB_END, us(8)), (ISB_IFDROP, 3), (ISB_OSDROP, 4)]);
    assert_eq!(of(&[both]), ["[2021-08-15T00:00:00Z, 2021-08-15T00:00:08Z) 7"]);
    let counted = |second, drops| statistics(0, us(second), &[(ISB_OSDROP, drops)]);
    let rising = [counted(5, 2), counted(6, 2), counted(9, 5)];
    let expected =
        ["[2021-08-15T00:00:01Z, 2021-08-15T00:00:05Z) 2", "[2021-08-15T00:00:06Z, 2021-08-15T00:00:09Z) 3"];
    assert_eq!(of(&rising), expected);
    // All ones stand for unknown; a count that falls began anew.
    assert_eq!(of(&[statistics(0, us(9), &[(ISB_IFDROP, u64::MAX)])]), [""; 0]);
    assert_eq!(of(&[counted(5, 2), counted(9, 1)])[1], "[2021-08-15T00:00:05Z, 2021-08-15T00:00:09Z) 1");
    assert_eq!(of(&[statistics(1, us(9), &[(ISB_IFDROP, 1)]), statistics(0, us(9), &[])]), [""; 0]);
    // A second section counts by itself, and its clock may have another unit.
    let milliseconds = interface(ETHERNET, &[(9, &[3])]);
    let other = statistics(0, us(9) / 1_000, &[(ISB_START, us(7) / 1_000), (ISB_IFDROP, 1)]);
    let expected = "[2021-08-15T00:00:07Z, 2021-08-15T00:00:09Z) 1";
    assert_eq!(of(&[counted(5, 2), section(), milliseconds, other])[1], expected);
}

#[test]
fn a_gap_of_untold_beginning_begins_with_the_first_time_of_its_own_section() {
    let frame = ask(SYN, 0);
    let of = |head: &[Vec<u8>], second: u64| {
        let dropped = [
            interface(ETHERNET, &[]),
            enhanced(0, us(second), &frame),
            statistics(0, us(second + 8), &[(ISB_OSDROP, 4)]),
        ];
        gaps(&[head.concat(), dropped.concat()].concat())
    };
    let window = |from, until| [format!("[2021-08-15T00:{from}Z, 2021-08-15T00:{until}Z) 4")];
    let timeless = block(3, &[&(frame.len() as u32).to_le_bytes()[..], &frame].concat());
    assert_eq!(of(&[section(), interface(ETHERNET, &[]), timeless.clone()], 1), window("00:01", "00:09"));
    let file = pcap(ETHERNET, &[(0, frame.clone())]);
    assert_eq!(of(&[file, section()], 60), window("01:00", "01:08"));
    let other = [section(), interface(ETHERNET, &[]), enhanced(0, us(1), &frame), section()];
    assert_eq!(of(&other, 60), window("01:00", "01:08"));
    // Without any time, only its end is known.
    let alone = [section(), interface(ETHERNET, &[]), timeless, statistics(0, us(8), &[(ISB_OSDROP, 4)])];
    assert_eq!(gaps(&alone.concat()), ["[2021-08-15T00:00:08Z, 2021-08-15T00:00:08.000001Z) 4"]);
}

#[test]
fn captures_one_after_the_other_are_read_one_after_the_other() {
    let first = pcap(ETHERNET, &[(0, ask(SYN, 0))]);
    let bare =
        ip("192.0.2.2".parse().unwrap(), "198.51.100.7".parse().unwrap(), 17, &[0, 1, 0, 2, 0, 8, 0, 0]);
    let second = pcap(101, &[(10, bare)]);
    let flows = [
        "192.0.2.1 1000 > 198.51.100.7 80 proto 6: 40 in 1, back 0 in 0, flags 0x02 0x00, end 4",
        "192.0.2.2 1 > 198.51.100.7 2 proto 17: 28 in 1, back 0 in 0, end 4, direction guessed",
    ];
    let (kept, tally) = decoded(&[first.clone(), second].concat());
    assert_eq!((lines(&kept), kept.problems()), (flows.map(str::to_owned).to_vec(), vec![]));
    assert_eq!(tally.received, 2);
    let blocks = [section(), interface(ETHERNET, &[]), enhanced(0, us(1), &ask(SYN, 0))].concat();
    for joined in [[first.clone(), blocks.clone()].concat(), [blocks, first.clone()].concat()] {
        let (kept, tally) = decoded(&joined);
        assert_eq!((kept.problems(), tally.received), (vec![], 2));
    }
    let (kept, tally) = decoded(&[first.clone(), first[..20].to_vec()].concat());
    let problem =
        format!("octet {}: the header of a second capture is cut off; nothing after it is read", first.len());
    assert_eq!((kept.problems(), kept.flows.len(), tally.received), (vec![problem], 1, 2));
}

#[test]
fn open_flows_are_bounded_and_the_idle_ones_leave_first() {
    let flows = (1 << 18) / 8 * 7 + 1;
    let frames: Vec<_> = (0..flows)
        .map(|n| {
            (
                n / 10_000,
                udp(&format!("192.0.2.1:{}", n & 0xffff), &format!("198.51.100.{}:53", n >> 16), b""),
            )
        })
        .collect();
    let (kept, tally) = decoded(&pcap(ETHERNET, &frames));
    assert_eq!((tally.decoded, tally.flows), (flows, flows));
    let evicted = kept.flows.iter().filter(|flow| flow.end_reason == Some(5)).count();
    assert_eq!(evicted as u64, (flows - 1) / 16);
    assert!(kept.flows.is_sorted_by_key(|flow| flow.end_time));
}

/// A NetFlow v5 datagram of one flow of 10 packets and 1,000 octets.
fn v5() -> Vec<u8> {
    let mut datagram = vec![0, 5, 0, 1, 0, 1, 0, 0];
    datagram.extend(BEGIN_S.to_be_bytes());
    datagram.extend([0; 12]);
    datagram.extend([192, 0, 2, 77, 203, 0, 113, 5, 0, 0, 0, 0, 0, 1, 0, 2]);
    datagram.extend([0, 0, 0, 10, 0, 0, 3, 232, 0, 0, 0, 100, 0, 0, 0, 200]);
    datagram.extend([0, 80, 1, 187, 0, 0x10, 6, 0, 0, 0, 0, 0, 24, 24, 0, 0]);
    datagram
}

#[test]
fn export_in_a_capture_is_decoded_in_place_of_its_packets() {
    let frame = udp("192.0.2.1:5000", "198.51.100.7:2055", &v5());
    let capture = pcap(ETHERNET, &[(0, ask(SYN, 0)), (1, frame)]);
    let (kept, tally) = decoded(&capture);
    assert_eq!((tally.received, tally.decoded, tally.beside, tally.flows), (2, 2, 1, 2));
    assert_eq!((kept.octets(), kept.packets()), (1_040, 11));
    let export = kept.flows.iter().find(|flow| flow.octets == 1_000).unwrap();
    assert_eq!((&*export.exporter, export.src.to_string()), ("192.0.2.1", "192.0.2.77".to_owned()));

    let options = Options { format: Some(Format::Packets), ..Options::default() };
    let (kept, result) = decode_all(&*capture, &options);
    assert_eq!((result.unwrap().decoded, kept.packets()), (2, 2));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever packets come in whatever order: none is lost, none counted twice.
    #[test]
    fn octets_and_packets_are_those_of_the_capture(
        packets in prop::collection::vec((0u64..4_000_000, 0u8..3, 0u8..3, 0u8..64, 0usize..64, any::<bool>()), 0..200)
    ) {
        let frames: Vec<_> = packets
            .into_iter()
            .map(|(ms, src, dst, flags, payload, is_tcp)| {
                let (src, dst) = (format!("192.0.2.{src}:{src}"), format!("192.0.2.{dst}:{dst}"));
                (ms, if is_tcp { tcp(&src, &dst, flags, payload) } else { udp(&src, &dst, &vec![0; payload]) })
            })
            .collect();
        let (kept, tally) = decoded(&pcap(ETHERNET, &frames));
        prop_assert_eq!(kept.octets(), frames.iter().map(|(_, frame)| frame.len() as u64 - 14).sum::<u64>());
        prop_assert_eq!(kept.packets(), frames.len() as u64);
        prop_assert_eq!(tally.decoded, frames.len() as u64);
    }
}
