//! IPFIX over TCP in a capture (RFC 7011 §10.4).

use proptest::prelude::*;
use rahdar_model::Tally;
use rahdar_model::fact::{Loss, Unit};

use super::message::{EXPORT_S, FLOW_FIELDS, FLOWS, Header, flow, ipfix_template, set};
use crate::kept::{Kept, decoded};
use crate::made::{self, BEGIN_S, ETHERNET, pcap};

const FROM: &str = "192.0.2.1:9000";
const TO: &str = "203.0.113.1:4739";
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// Where the numbers of a connection begin: they wrap within it.
const FIRST: u32 = u32::MAX - 100;

const BROKEN: &str = "octets of a stream of IPFIX are missing: it is read on at the next message that begins";

/// A frame of a segment: from where, its flags, its number, what it carries.
fn segment(from: &str, flags: u8, number: u32, payload: &[u8]) -> Vec<u8> {
    made::segment(from, TO, flags, number, payload)
}

/// Messages of one flow each, of which the first announces the template.
fn messages(count: u32) -> Vec<Vec<u8>> {
    let numbered = |number: u32| {
        let data = set(FLOWS, &flow(u128::from(number) + 1));
        let sets = if number == 0 { vec![ipfix_template(FLOWS, FLOW_FIELDS), data] } else { vec![data] };
        let mut message = Header::after(0).ipfix(&sets);
        message[8..12].copy_from_slice(&number.to_be_bytes());
        message
    };
    (0..count).map(numbered).collect()
}

/// The segments of a stream, each with so many octets.
fn cut(stream: &[u8], octets: usize) -> Vec<Vec<u8>> {
    let numbers = (0u32..).map(|n| FIRST.wrapping_add(n * octets as u32));
    stream.chunks(octets).zip(numbers).map(|(piece, number)| segment(FROM, ACK, number, piece)).collect()
}

/// A capture of a stream in three segments, the second of which comes last.
pub(crate) fn over_tcp() -> Vec<u8> {
    let mut frames = cut(&messages(2).concat(), 60);
    frames.swap(1, 2);
    capture(frames.into_iter().map(|frame| (0, frame)))
}

fn capture(frames: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Vec<u8> {
    let begin = u64::from(EXPORT_S - BEGIN_S);
    let frames: Vec<_> = frames.into_iter().map(|(s, frame)| ((begin + s) * 1_000, frame)).collect();
    pcap(ETHERNET, &frames)
}

/// Decodes frames that come at these seconds.
fn at(frames: impl IntoIterator<Item = (u64, Vec<u8>)>) -> (Kept, Tally) {
    decoded(&capture(frames))
}

fn at_once(frames: &[Vec<u8>]) -> (Kept, Tally) {
    at(frames.iter().map(|frame| (0, frame.clone())))
}

/// The octets of the flows, which number them.
fn flows(kept: &Kept) -> Vec<u64> {
    let mut octets: Vec<_> = kept.flows.iter().map(|flow| flow.octets).collect();
    octets.sort_unstable();
    octets
}

#[test]
fn messages_are_read_wherever_segments_end() {
    let stream = messages(4).concat();
    for octets in [20, 21, 60, 61, 97, 1_000] {
        let frames = cut(&stream, octets);
        let (kept, tally) = at_once(&frames);
        assert_eq!((flows(&kept), kept.problems()), (vec![1, 2, 3, 4], vec![]), "{octets}");
        assert!(tally.beside >= frames.len() as u64 && kept.gaps.is_empty());
        assert_eq!((&*kept.flows[0].exporter, tally.received), ("192.0.2.1", 4));
    }
}

#[test]
fn what_does_not_begin_with_a_message_of_today_is_traffic() {
    let mut old = messages(1).concat();
    old[4..8].copy_from_slice(&(EXPORT_S - 2 * 86_400).to_be_bytes());
    let (kept, tally) = at_once(&cut(&old, 1_000));
    assert_eq!((kept.flows[0].dst_port, tally.received), (4739, 1));
}

#[test]
fn octets_that_never_came_cost_the_messages_that_they_were_of() {
    // One is lost, and its record missed by the numbers of those around it.
    let messages = messages(4);
    let (before, after) = (messages[..1].concat(), messages[..2].concat());
    let number = |octets: &[u8]| FIRST.wrapping_add(octets.len() as u32);
    let first = segment(FROM, ACK, FIRST, &before);
    let half = segment(FROM, ACK, number(&before), &messages[1][..30]);
    let third = segment(FROM, ACK, number(&after), &messages[2]);
    let last = segment(FROM, ACK, number(&messages[..3].concat()), &messages[3]);
    for (seconds, packet) in [([0, 1, 2, 3], 4), ([0, 1, 2, 30], 4)] {
        let frames = [first.clone(), half.clone(), third.clone(), last.clone()];
        let (kept, tally) = at(seconds.into_iter().zip(frames));
        assert_eq!(flows(&kept), [1, 3, 4]);
        assert_eq!((kept.problems(), tally.refused), (vec![format!("packet {packet}: {BROKEN}")], 1));
        let [gap] = &kept.gaps[..] else { panic!("{:?}", kept.gaps) };
        assert_eq!((gap.cause, gap.unit, gap.lost), (Loss::Sequence, Unit::Records, 1));
    }
    // What comes after all is read, and the end is named if it is missing.
    let (kept, _) =
        at_once(&[first.clone(), third.clone(), segment(FROM, ACK, number(&before), &messages[1])]);
    assert_eq!((flows(&kept), kept.problems()), (vec![1, 2, 3], vec![]));
    let (kept, _) = at_once(&[first, half]);
    assert_eq!((flows(&kept), kept.problems()), (vec![1], vec![format!("packet 2: {BROKEN}")]));
}

#[test]
fn what_is_no_message_costs_itself() {
    let messages = messages(3);
    let stream = [&messages[0][..], b"GET / HTTP/1.1\r\n\0\x0a\0\x0a", &messages[1], &messages[2]].concat();
    let (kept, _) = at_once(&cut(&stream, 50));
    assert_eq!(flows(&kept), [1, 2, 3]);
    assert_eq!(kept.problems(), [format!("packet 3: {BROKEN}")]);
}

#[test]
fn a_stream_that_waits_for_too_much_goes_on() {
    let stream = messages(8_000).concat();
    let mut frames = cut(&stream, 1_400);
    frames.remove(1);
    let (kept, tally) = at_once(&frames);
    let lost: u64 = kept.gaps.iter().map(|gap| gap.lost).sum();
    assert_eq!((tally.refused, tally.decoded + lost), (1, 8_000));
    assert!((1..30).contains(&lost), "{lost}");
}

#[test]
fn what_a_connection_said_ends_with_it() {
    let messages = messages(2);
    let first = segment(FROM, ACK, FIRST, &messages[0]);
    let other = segment(FROM, ACK, 5_001, &messages[1]);
    let (kept, tally) = at_once(&[first.clone(), segment(FROM, SYN, 5_000, b""), other]);
    // The packet that opens a connection is traffic.
    assert_eq!((flows(&kept), tally.held), (vec![1, 40], 1));
    let apart = segment("192.0.2.1:9001", ACK, 5_001, &messages[1]);
    let (kept, tally) = at_once(&[first.clone(), apart]);
    assert_eq!((flows(&kept), tally.held), (vec![1], 1));
    let unknown = segment(FROM, ACK, FIRST, &messages[1]);
    let (kept, tally) = at_once(&[unknown, segment(FROM, SYN, FIRST, b""), first]);
    assert_eq!((flows(&kept), tally.held, tally.refused), (vec![1, 40], 0, 1));
}

#[test]
fn a_connection_that_only_begins_as_export_is_traffic_again() {
    const UNREAD: &str = "segments of a connection that began as one of IPFIX hold no message";
    for (octets, is_given_up) in [(600_000, true), (60_000, false)] {
        let frames = cut(&[&messages(1)[0][..], &vec![b'x'; octets]].concat(), 1_400);
        let (kept, tally) = at_once(&frames);
        let unread: u64 = kept
            .problems
            .iter()
            .filter(|problem| problem.text == UNREAD)
            .map(|problem| problem.refused)
            .sum();
        // The first segment holds the message, and is beside, as is its template.
        assert_eq!((tally.beside, kept.flows[0].octets), (2, 1), "{octets}");
        let traffic = kept.packets() - kept.flows[0].packets;
        assert_eq!((unread + traffic, traffic > 0), (frames.len() as u64 - 1, is_given_up), "{octets}");
        assert!(unread < 150, "{unread}");
    }
}

#[test]
fn a_connection_that_begins_anew_behind_the_numbers_of_the_one_before_is_read() {
    let messages = messages(2);
    let first = segment(FROM, ACK, FIRST, &messages[0]);
    for behind in [16 << 20, 1 << 29, 1 << 30] {
        let anew = segment(FROM, ACK, FIRST - behind, &messages.concat());
        let (kept, tally) = at_once(&[first.clone(), anew]);
        assert_eq!((flows(&kept), tally.refused), (vec![1, 1, 2], 0), "{behind}");
    }
    // What comes again is none.
    let again = segment(FROM, ACK, FIRST, &messages[0]);
    let (kept, _) = at_once(&[first, again]);
    assert_eq!(flows(&kept), [1]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// The first segment tells that the connection is one of export: it comes first.
    #[test]
    fn any_segments_in_any_order_are_read_as_the_whole(
        octets in 20_usize..200,
        order in prop::collection::vec(any::<u64>(), 32),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut frames = cut(&messages(8).concat(), octets);
        let first = frames.remove(0);
        let mut all: Vec<_> = order.into_iter().zip(frames).collect();
        all.sort();
        let mut all: Vec<_> = all.into_iter().map(|(_, frame)| frame).collect();
        all.insert(0, first);
        for index in again {
            all.insert(1 + index.index(all.len()), all[index.index(all.len())].clone());
        }
        let (kept, tally) = at_once(&all);
        prop_assert_eq!((flows(&kept), tally.refused), ((1..=8).collect::<Vec<_>>(), 0));
        prop_assert!(kept.gaps.is_empty());
    }
}
