//! Export in a capture that is not read: it is refused, and no traffic.

use super::message::{
    EXPORT_S, FLOW_FIELDS, FLOWS, Header, UPTIME_MS, flow, ipfix, ipfix_template, set, v5_record, v9,
};
use crate::kept::decoded;
use crate::made::{BEGIN_S, ETHERNET, ethernet, ip, pcap, tcp, udp};

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

/// The two pieces of a datagram.
fn pieces(datagram: &[u8]) -> [Vec<u8>; 2] {
    let segment = &udp(FROM, TO, datagram)[34..];
    let half = segment.len() / 16 * 8;
    let (src, dst) = ("192.0.2.1".parse().unwrap(), "203.0.113.1".parse().unwrap());
    let piece = |octets: &[u8], fragment: u16| {
        let mut packet = ip(src, dst, 17, octets);
        packet[6..8].copy_from_slice(&fragment.to_be_bytes());
        ethernet(&packet)
    };
    [piece(&segment[..half], 0x2000), piece(&segment[half..], (half / 8) as u16)]
}

#[test]
fn export_in_pieces_is_refused_once() {
    let problem = "packet 1: a datagram of flow export came in pieces, which are not joined";
    let [first, second] = messages();
    check(pieces(&second).to_vec(), 0, 1, problem);
    let known = [vec![udp(FROM, TO, &first)], pieces(&[0; 64]).to_vec()].concat();
    check(known, 1, 1, &problem.replace("packet 1", "packet 2"));
    check(pieces(&[b'x'; 64]).to_vec(), 1, 0, "");
}

#[test]
fn ipfix_over_tcp_is_refused() {
    let segment = |payload: &[u8]| {
        let mut frame = tcp(FROM, TO, 0x10, payload.len());
        let at = frame.len() - payload.len();
        frame[at..].copy_from_slice(payload);
        frame
    };
    let [message, _] = messages();
    let (begin, rest) = message.split_at(60);
    let problem = "packet 1: IPFIX over TCP is not read from captures";
    check(vec![segment(begin), segment(rest)], 0, 2, problem);
    let mut old = message.clone();
    old[4..8].copy_from_slice(&(EXPORT_S - 2 * 86_400).to_be_bytes());
    check(vec![segment(&old)], 1, 0, "");
}
