//! Export in a capture that came in pieces, or that is not read: then it is refused, and no traffic.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use rahdar_model::{FlowRecord, Tally};
use rahdar_wire::{Format, Options};

use super::message::{
    EXPORT_S, FLOW_FIELDS, FLOWS, Header, UPTIME_MS, flow, ipfix, ipfix_template, set, v5_record, v9,
};
use crate::kept::{Kept, decode_all, decoded};
use crate::made::{BEGIN_S, ETHERNET, ethernet, ip, pcap, udp};

const FROM: &str = "192.0.2.1:9000";
const TO: &str = "203.0.113.1:2055";

/// A message that announces a template and has a flow, and one that has flows only.
fn messages() -> [Vec<u8>; 2] {
    [
        ipfix(&[ipfix_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]),
        v9(&[set(FLOWS, &flow(1_000).repeat(4))]),
    ]
}

/// Decodes frames, a second apart, and compares the flows that come of them, how many were refused, and the
/// first problem.
#[track_caller]
fn check(frames: Vec<Vec<u8>>, flows: usize, refused: u64, problem: &str) {
    let ms = u64::from(EXPORT_S - BEGIN_S) * 1_000;
    let frames: Vec<_> = frames.into_iter().zip(0..).map(|(frame, s)| (ms + s * 1_000, frame)).collect();
    let (kept, tally) = decoded(&pcap(ETHERNET, &frames));
    assert_eq!((kept.flows.len(), tally.refused), (flows, refused), "{:?}", kept.problems());
    assert_eq!(kept.problems().first().map_or("", String::as_str), problem);
}

/// A frame of which the capture has so many octets.
fn cut(frames: Vec<Vec<u8>>, octets: usize) -> Vec<u8> {
    let mut capture = pcap(ETHERNET, &[]);
    for frame in frames {
        let kept = octets.min(frame.len());
        for word in [EXPORT_S, 0, kept as u32, frame.len() as u32] {
            capture.extend(word.to_le_bytes());
        }
        capture.extend(&frame[..kept]);
    }
    capture
}

#[test]
fn export_that_the_capture_cut_is_refused() {
    let v5 = Header::after(0).v5(0, &vec![v5_record(6, 443, (10, 4_000), (UPTIME_MS, UPTIME_MS)); 3]);
    let cases = [messages()[0].clone(), messages()[1].clone(), v5];
    for message in cases {
        let (kept, tally) = decoded(&cut(vec![udp(FROM, TO, &message)], 96));
        assert_eq!((kept.flows.len(), tally.refused), (0, 1), "{:?}", message[1]);
        assert_eq!(
            kept.problems(),
            ["packet 1: the capture has only the beginning of a datagram of flow export"]
        );
    }
    let (kept, tally) = decoded(&cut(vec![udp(FROM, "203.0.113.1:53", &[b'x'; 200])], 96));
    assert_eq!((kept.flows.len(), tally.refused), (1, 0), "traffic may be cut");
}

/// Export whose lengths or counts lie: what a collector reads of each, as flows and refusals.
fn lies() -> Vec<(Vec<u8>, usize, u64)> {
    let v5 = |count: u16| {
        let record = v5_record(6, 443, (10, 4_000), (UPTIME_MS, UPTIME_MS));
        let mut datagram = Header::after(0).v5(0, &[record]);
        datagram[2..4].copy_from_slice(&count.to_be_bytes());
        datagram
    };
    let sets = [ipfix_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))];
    let mut long = ipfix(&sets);
    let octets = long.len() as u16 + 30;
    long[2..4].copy_from_slice(&octets.to_be_bytes());
    let endless = ipfix(&[sets.concat(), vec![1, 2, 0, 0]]);
    vec![(v5(3), 1, 2), (long, 1, 1), (endless, 1, 1)]
}

#[test]
fn export_that_lies_is_no_traffic_whatever_came_before_it() {
    let good = ipfix(&[ipfix_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]);
    for (lie, flows, refused) in lies() {
        for to in [TO, "203.0.113.1:4739", "203.0.113.1:9995", "203.0.113.1:6343"] {
            let (lie, good) = (udp(FROM, to, &lie), udp(FROM, to, &good));
            for frames in [vec![lie.clone()], vec![lie.clone(), good.clone()], vec![good, lie]] {
                let all = frames.len();
                let frames: Vec<_> = frames.into_iter().map(|frame| (3_600_000, frame)).collect();
                let (kept, tally) = decoded(&pcap(ETHERNET, &frames));
                let problems = kept.problems();
                assert_eq!((kept.flows.len(), tally.refused), (flows + all - 1, refused), "{problems:?}");
                assert_eq!(tally.received, tally.decoded + tally.refused);
            }
        }
        // Elsewhere these may be the octets of anything.
        for (from, to) in [(FROM, "203.0.113.1:9000"), ("192.0.2.1:53", TO), (FROM, "203.0.113.1:53")] {
            check(vec![udp(from, to, &lie)], 1, 0, "");
        }
    }
    check(vec![udp(FROM, TO, &[b'x'; 200])], 1, 0, "");
    check(vec![udp(FROM, TO, &[0, 5, 0, 1])], 1, 0, "");
}

const FROM6: &str = "[2001:db8::1]:9000";
const TO6: &str = "[2001:db8::2]:2055";

/// A message of 40 flows, too large for most links.
fn large() -> Vec<u8> {
    large_after(0)
}

fn large_after(seconds: u32) -> Vec<u8> {
    let flows: Vec<u8> = (1..=40).flat_map(|n| flow(n * 1_000)).collect();
    Header::after(seconds).ipfix(&[ipfix_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flows)])
}

/// A piece of a packet: its number, where it begins, whether more follow.
fn piece(
    from: IpAddr,
    to: IpAddr,
    next: u8,
    (id, begin, more): (u16, usize, bool),
    octets: &[u8],
) -> Vec<u8> {
    if from.is_ipv6() {
        let place = (begin as u16 | u16::from(more)).to_be_bytes();
        let head = [&[next, 0][..], &place, &[0, 0], &id.to_be_bytes()].concat();
        return ethernet(&ip(from, to, 44, &[&head, octets].concat()));
    }
    let mut packet = ip(from, to, next, octets);
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    packet[6..8].copy_from_slice(&((begin / 8) as u16 | u16::from(more) << 13).to_be_bytes());
    ethernet(&packet)
}

/// The pieces of what stands behind the IP header, which is one of `next`, cut at these octets.
fn cut_up(from: &str, to: &str, next: u8, id: u16, whole: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let [from, to] = [from, to].map(|end| end.parse::<SocketAddr>().unwrap().ip());
    let begins = [&[0], cuts].concat();
    let ends = [cuts, &[whole.len()]].concat();
    let places = begins.into_iter().zip(ends);
    places
        .map(|(begin, end)| piece(from, to, next, (id, begin, end < whole.len()), &whole[begin..end]))
        .collect()
}

/// The pieces of a UDP datagram, cut at these octets of its segment.
fn pieces_at(from: &str, id: u16, datagram: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let to = if from.starts_with('[') { TO6 } else { TO };
    let frame = udp(from, to, datagram);
    let behind = if from.starts_with('[') { 54 } else { 34 };
    cut_up(from, to, 17, id, &frame[behind..], cuts)
}

/// Three pieces of a large message from [`FROM`].
fn three(id: u16) -> [Vec<u8>; 3] {
    pieces_at(FROM, id, &large(), &[480, 960]).try_into().unwrap()
}

/// Decodes frames that come at once, from [`EXPORT_S`] on.
fn at_once(frames: &[Vec<u8>]) -> (Kept, Tally) {
    let ms = u64::from(EXPORT_S - BEGIN_S) * 1_000;
    let frames: Vec<_> = frames.iter().map(|frame| (ms, frame.clone())).collect();
    decoded(&pcap(ETHERNET, &frames))
}

/// What is beside when a message with a template comes in so many pieces.
const fn beside(pieces: u64) -> u64 {
    pieces + 1
}

/// The flows, without the number of the packet that they were in.
fn unnumbered(kept: Kept) -> Vec<FlowRecord> {
    kept.flows.into_iter().map(|flow| FlowRecord { source_row: 0, ..flow }).collect()
}

#[test]
fn export_in_pieces_is_read_as_the_whole() {
    let whole = unnumbered(at_once(&[udp(FROM, TO, &large())]).0);
    assert_eq!(whole.len(), 40);
    let [a, b, c] = three(7);
    let tagged = |frame: &[u8]| [&frame[..12], &[0x81, 0, 0, 5], &frame[12..]].concat();
    for order in [
        vec![a.clone(), b.clone(), c.clone()],
        vec![c.clone(), b.clone(), a.clone()],
        vec![b.clone(), a.clone(), c.clone()],
        vec![tagged(&a), tagged(&b), tagged(&c)],
        vec![a.clone(), a.clone(), b.clone(), b.clone(), c.clone(), c.clone()],
    ] {
        let (kept, tally) = at_once(&order);
        let expected = (beside(order.len() as u64), 0, vec![]);
        assert_eq!((tally.beside, tally.refused, kept.problems()), expected);
        assert_eq!(unnumbered(kept), whole);
    }
}

#[test]
fn export_in_pieces_of_ipv6_is_read_as_the_whole() {
    let whole = unnumbered(at_once(&[udp(FROM6, TO6, &large())]).0);
    assert_eq!(whole.len(), 40);
    let pieces = pieces_at(FROM6, 7, &large(), &[480, 960]);
    assert_eq!(unnumbered(at_once(&pieces).0), whole);
    // With destination options in what came in pieces (RFC 8200 §4.5).
    let behind = [&[17, 0, 1, 4, 0, 0, 0, 0], &udp(FROM6, TO6, &large())[54..]].concat();
    let mut pieces = cut_up(FROM6, TO6, 60, 7, &behind, &[480, 960]);
    assert_eq!(unnumbered(at_once(&pieces).0), whole);
    pieces.reverse();
    assert_eq!(unnumbered(at_once(&pieces).0), whole);
}

#[test]
fn pieces_are_told_apart_by_their_ends_and_number() {
    let [a, b, c] = three(7);
    let [d, e, f] = three(8);
    let other = pieces_at("192.0.2.2:9000", 7, &large(), &[480, 960]);
    let [g, h, i] = <[Vec<u8>; 3]>::try_from(other).unwrap();
    let (kept, tally) = at_once(&[a, d, g, e, b, h, i, c, f]);
    assert_eq!((kept.flows.len(), tally.beside, kept.problems()), (120, 3 * beside(3), vec![]));
}

#[test]
fn export_of_which_a_piece_is_missing_is_refused_once() {
    let problem = "packet 1: a datagram of flow export came in pieces, and some of them are missing";
    let [a, b, c] = three(7);
    check(vec![a.clone(), b.clone()], 0, 1, problem);
    check(vec![c.clone(), a.clone()], 0, 1, problem);
    // Without the first piece nothing says what the others are.
    check(vec![b.clone(), c.clone()], 1, 0, "");
    // Numbers come again: another first piece begins another datagram.
    let other = pieces_at(FROM, 7, &large_after(1), &[480, 960]);
    assert_ne!(other[0], a);
    let again = [vec![a.clone(), b.clone()], three(7).to_vec()].concat();
    check(again, 40, 0, "");
    check([vec![other[0].clone(), other[2].clone()], three(7).to_vec()].concat(), 40, 1, problem);
    // What comes too late is of no datagram that is known.
    let frames = [vec![a, b], vec![udp(FROM, "203.0.113.1:53", b"x"); 20], vec![c]].concat();
    check(frames, 2, 1, problem);
}

#[test]
fn pieces_that_overlap_are_refused() {
    let problem = "packet 1: the pieces of a datagram of flow export overlap or contradict each other";
    let [a, b, c] = three(7);
    let ends = ["192.0.2.1", "203.0.113.1"].map(|end| end.parse::<IpAddr>().unwrap());
    let wrong = |begin, more, octets: usize| piece(ends[0], ends[1], 17, (7, begin, more), &vec![9; octets]);
    for overlapping in [
        wrong(472, true, 488),
        wrong(952, true, 16),
        wrong(8, true, 8),
        wrong(2_000, true, 8),
        wrong(960, false, 8),
    ] {
        let frames = vec![a.clone(), c.clone(), overlapping, b.clone()];
        let (kept, tally) = at_once(&frames);
        let found = (kept.flows.len(), tally.refused, tally.beside, kept.problems());
        assert_eq!(found, (0, 1, 3, vec![problem.to_owned()]));
    }
    // One that fits where another is missing is known for a wrong one when that comes.
    let (kept, _) = at_once(&[a, wrong(480, true, 480), b, c]);
    assert_eq!(kept.problems(), [problem]);
}

#[test]
fn pieces_that_the_capture_cut_are_refused() {
    let (kept, tally) = decoded(&cut(three(7).to_vec(), 300));
    assert_eq!((kept.flows.len(), tally.refused, tally.beside), (0, 1, 2));
    assert_eq!(
        kept.problems(),
        ["packet 1: the capture has only the beginning of a datagram of flow export"]
    );
}

#[test]
fn pieces_that_carry_no_export_are_traffic() {
    let [message, _] = messages();
    let other = |datagram: &[u8]| pieces_at(FROM, 7, datagram, &[32]);
    check(other(&[b'x'; 64]), 1, 0, "");
    check([vec![udp(FROM, TO, &message)], other(&[0; 64])].concat(), 2, 0, "");
    let options = Options { format: Some(Format::Packets), ..Options::default() };
    let mut pieces = three(7);
    for _ in 0..2 {
        let frames: Vec<_> = pieces.iter().map(|piece| (0, piece.clone())).collect();
        let (kept, _) = decode_all(&*pcap(ETHERNET, &frames), &options);
        let flows: Vec<_> =
            kept.flows.iter().map(|flow| (flow.src_port, flow.dst_port, flow.packets)).collect();
        assert_eq!(flows, [(9_000, 2_055, 3)]);
        pieces.reverse();
    }
}

#[test]
fn a_flood_of_pieces_loses_none() {
    let [first, ..] = three(7);
    let ends = ["192.0.2.9", "203.0.113.1"].map(|end| end.parse::<IpAddr>().unwrap());
    // The first has more pieces than are kept, the second more octets.
    for (count, octets) in [(5_000, 8), (300, 60_000)] {
        let later = |id| piece(ends[0], ends[1], 17, (id, 800, false), &vec![b'x'; octets]);
        let (kept, tally) = at_once(&[vec![first.clone()], (0..count).map(later).collect()].concat());
        let flows: Vec<_> = kept.flows.iter().map(|flow| (flow.src_port, flow.packets)).collect();
        assert_eq!((flows, tally.refused), (vec![(0, count.into())], 1));
        assert_eq!(
            kept.problems(),
            ["packet 1: a datagram of flow export came in more pieces at once than are kept"]
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// No link carries less than 68 octets (RFC 791 §3.2): the first piece has 40 or more of a datagram.
    #[test]
    fn any_pieces_in_any_order_are_read_as_the_whole(
        steps in prop::collection::vec(1_usize..60, 1..20),
        is_v6: bool,
        order in prop::collection::vec(any::<u64>(), 24),
    ) {
        let from = if is_v6 { FROM6 } else { FROM };
        let to = if is_v6 { TO6 } else { TO };
        let octets = large().len() + 8;
        let mut at = 40;
        let mut cuts = Vec::new();
        for step in steps {
            at += step * 8;
            if at < octets {
                cuts.push(at);
            }
        }
        let mut pieces: Vec<_> = order.into_iter().zip(pieces_at(from, 7, &large(), &cuts)).collect();
        pieces.sort();
        let pieces: Vec<_> = pieces.into_iter().map(|(_, piece)| piece).collect();
        let whole = unnumbered(at_once(&[udp(from, to, &large())]).0);
        let (kept, tally) = at_once(&pieces);
        prop_assert_eq!((tally.beside, tally.refused), (beside(pieces.len() as u64), 0));
        prop_assert_eq!(unnumbered(kept), whole);
    }
}
