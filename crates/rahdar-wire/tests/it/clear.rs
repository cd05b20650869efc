//! What packets of a capture say in clear: names that are asked for and called, certificates.

use rahdar_model::time::Shift;
use rahdar_wire::{Format, Options};

use crate::kept::{Kept, decode_all, decoded, handshake_line, resolution_line};
use crate::made::{BEGIN_S, ETHERNET, ethernet, ip, pcap, segment, udp};

const HOST: &str = "192.0.2.10:50000";
const RESOLVER: &str = "192.0.2.53:53";
const SERVER: &str = "203.0.113.9:443";

/// The question for the addresses of a name.
fn question(name: &str) -> Vec<u8> {
    let mut octets = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        octets.push(label.len() as u8);
        octets.extend(label.as_bytes());
    }
    octets.extend([0, 0, 1, 0, 1]);
    octets
}

/// What comes back: addresses for a minute each.
fn response(name: &str, addresses: &[[u8; 4]]) -> Vec<u8> {
    let mut octets = question(name);
    octets[2..4].copy_from_slice(&[0x81, 0x80]);
    octets[7] = addresses.len() as u8;
    for address in addresses {
        octets.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        octets.extend(address);
    }
    octets
}

fn sized(length_octets: usize, octets: &[u8]) -> Vec<u8> {
    [&octets.len().to_be_bytes()[8 - length_octets..], octets].concat()
}

fn record(messages: &[u8]) -> Vec<u8> {
    [&[22, 3, 1][..], &sized(2, messages)].concat()
}

/// The first flight of a client that asks for a name, behind a key of so many octets.
fn client_hello(name: &str, key_octets: usize) -> Vec<u8> {
    let names = sized(2, &[&[0][..], &sized(2, name.as_bytes())].concat());
    let extensions = [&[0, 51][..], &sized(2, &vec![1; key_octets]), &[0, 0], &sized(2, &names)].concat();
    let body = [&[3, 3][..], &[7; 32], &[0], &sized(2, &[0x13, 1]), &[1, 0], &sized(2, &extensions)].concat();
    record(&[&[1][..], &sized(3, &body)].concat())
}

/// The first flight of a server of TLS 1.2 that presents a certificate.
fn server_hello(certificate: &[u8]) -> Vec<u8> {
    let body = [&[3, 3][..], &[7; 32], &[0, 0xc0, 0x2f, 0]].concat();
    let chain = sized(3, &sized(3, certificate));
    record(&[&[2][..], &sized(3, &body), &[11], &sized(3, &chain)].concat())
}

/// What packets say: answers, the first flights of a client and a server, a request.
pub(crate) fn payloads() -> [Vec<u8>; 4] {
    [
        response("c2.example.org", &[[203, 0, 113, 9]]),
        client_hello("c2.example.org", 4),
        server_hello(b"abc"),
        b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".to_vec(),
    ]
}

/// A small capture with one of each.
pub(crate) fn seed() -> Vec<u8> {
    let [answers, client, server, request] = payloads();
    let (beginning, end) = client.split_at(60);
    let frames = [
        udp(RESOLVER, HOST, &answers),
        segment(HOST, SERVER, 0x18, 1, beginning),
        segment(HOST, SERVER, 0x18, 61, end),
        segment(SERVER, HOST, 0x18, 1, &server),
        segment(HOST, SERVER, 0x18, 200, &request),
    ];
    pcap(ETHERNET, &frames.map(|frame| (0, frame)))
}

fn facts(kept: &Kept) -> Vec<String> {
    kept.resolutions.iter().map(resolution_line).chain(kept.handshakes.iter().map(handshake_line)).collect()
}

#[track_caller]
fn check(frames: &[Vec<u8>], expected: &[&str]) {
    let frames: Vec<(u64, Vec<u8>)> = (0..).map(|n| n * 10).zip(frames.iter().cloned()).collect();
    let (kept, tally) = decoded(&pcap(ETHERNET, &frames));
    assert_eq!(facts(&kept), expected);
    assert_eq!((tally.decoded, tally.facts), (frames.len() as u64, expected.len() as u64));
    assert_eq!(kept.problems(), [""; 0]);
}

const ASKED: &str = "192.0.2.10 asks 192.0.2.53 for c2.example.org 1: - nothing";
const ANSWERED: &str = "192.0.2.10 asks 192.0.2.53 for c2.example.org 1: 0 203.0.113.9 for 60 s";
const CALLED: &str = "192.0.2.10 50000 > 203.0.113.9 443, to c2.example.org";

#[test]
fn a_name_is_asked_for_and_answered() {
    let ask = udp(HOST, RESOLVER, &question("C2.example.org"));
    let answer = udp(RESOLVER, HOST, &response("C2.example.org", &[[203, 0, 113, 9], [203, 0, 113, 10]]));
    let second = ANSWERED.replace("113.9", "113.10");
    check(&[ask, answer], &[ASKED, ANSWERED, &second]);
    let none = udp(RESOLVER, HOST, &response("c2.example.org", &[]));
    check(&[none], &["192.0.2.10 asks 192.0.2.53 for c2.example.org 1: 0 nothing"]);
}

#[test]
fn a_name_is_asked_for_over_tcp() {
    let ask = segment(HOST, RESOLVER, 0x18, 1, &sized(2, &question("c2.example.org")));
    let answer =
        segment(RESOLVER, HOST, 0x18, 1, &sized(2, &response("c2.example.org", &[[203, 0, 113, 9]])));
    check(&[ask, answer], &[ASKED, ANSWERED]);
}

#[test]
fn what_does_not_go_to_a_name_server_is_no_question() {
    check(&[udp(HOST, "192.0.2.53:5300", &question("c2.example.org"))], &[]);
    // An answer goes from a name server, a question to one.
    check(&[udp(RESOLVER, HOST, &question("c2.example.org"))], &[]);
    check(&[udp(HOST, RESOLVER, &response("c2.example.org", &[]))], &[]);
    check(&[udp(HOST, RESOLVER, b"none of these octets is a question")], &[]);
    // Octets behind the datagram are nobody's.
    let mut answer = udp(RESOLVER, HOST, &response("c2.example.org", &[[203, 0, 113, 9]]));
    answer[39] -= 16;
    check(&[answer], &["192.0.2.10 asks 192.0.2.53 for c2.example.org 1: 0 nothing"]);
}

#[test]
fn a_server_is_called_by_a_name_and_presents_a_certificate() {
    let frames = [
        segment(HOST, SERVER, 0x18, 1, &client_hello("C2.example.org", 40)),
        segment(SERVER, HOST, 0x18, 1, &server_hello(b"abc")),
    ];
    // The hashes of `abc` of FIPS 180-4.
    let presented = "192.0.2.10 50000 > 203.0.113.9 443, by TLS 1.2, certificate";
    check(
        &frames,
        &[
            CALLED,
            &format!("{presented} ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            &format!("{presented} a9993e364706816aba3e25717850c26c9cd0d89d"),
        ],
    );
}

/// Whoever wants out of a network tries the port of name servers.
#[test]
fn a_server_at_the_port_of_name_servers_is_called_by_a_name_too() {
    check(
        &[segment(HOST, "203.0.113.9:53", 0x18, 1, &client_hello("c2.example.org", 40))],
        &["192.0.2.10 50000 > 203.0.113.9 53, to c2.example.org"],
    );
}

#[test]
fn a_flight_over_several_segments_is_joined_in_any_order() {
    let hello = client_hello("c2.example.org", 1_800);
    let numbers = (0u32..).map(|n| u32::MAX.wrapping_sub(700).wrapping_add(n * 700));
    let pieces: Vec<Vec<u8>> = hello
        .chunks(700)
        .zip(numbers)
        .map(|(piece, number)| segment(HOST, SERVER, 0x18, number, piece))
        .collect();
    let [first, second, third] = &pieces[..] else { panic!("{} pieces", pieces.len()) };
    let in_order = [first, second, third];
    for order in [in_order, [first, third, second]] {
        check(&order.map(Vec::clone), &[CALLED]);
    }
    check(&[first.clone(), third.clone()], &[]);
    // With the SYN, and cut where filters look.
    let (one, rest) = hello.split_at(1);
    check(&[segment(HOST, SERVER, 0x02, 8, one), segment(HOST, SERVER, 0x18, 10, rest)], &[CALLED]);
}

#[test]
fn a_request_in_clear_names_its_server() {
    let request = b"GET /x HTTP/1.1\r\nUser-Agent: a\r\nHost: C2.example.org:8080\r\n\r\n";
    let to = "203.0.113.9:8080";
    check(
        &[segment(HOST, to, 0x18, 1, request)],
        &["192.0.2.10 50000 > 203.0.113.9 8080, to c2.example.org, by HTTP/1.1"],
    );
    check(&[segment(HOST, to, 0x18, 1, b"GET /x HTTP/1.1\r\nHost: 203.0.113.9\r\n\r\n")], &[]);
}

/// Mirror ports and providers see tunnels; what is inside says the same.
#[test]
fn packets_in_tunnels_and_first_pieces_are_read_too() {
    let inside = udp(HOST, RESOLVER, &question("c2.example.org"));
    let (from, to) = ("203.0.113.1".parse().unwrap(), "203.0.113.2".parse().unwrap());
    check(&[ethernet(&ip(from, to, 4, &inside[14..]))], &[ASKED]);
    // More pieces follow: the later ones begin with anything.
    let mut first = inside.clone();
    first[14 + 6] = 0x20;
    let mut later = first.clone();
    later[14 + 7] = 9;
    check(&[first, later], &[ASKED]);
}

#[test]
fn facts_of_packets_have_the_time_the_exporter_and_the_number_of_their_packet() {
    let frames = [
        (0, segment(HOST, SERVER, 0x02, 0, b"")),
        (250, udp(HOST, RESOLVER, &question("c2.example.org"))),
        (500, segment(HOST, SERVER, 0x18, 1, &client_hello("c2.example.org", 40))),
    ];
    let shift = Shift::By(3_600_000_000);
    let options = Options {
        shift,
        exporter: Some("phone".into()),
        format: Some(Format::Packets),
        ..Options::default()
    };
    let (kept, result) = decode_all(&pcap(ETHERNET, &frames)[..], &options);
    result.unwrap();
    let (asked, called) = (&kept.resolutions[0], &kept.handshakes[0]);
    let begin_us = i64::from(BEGIN_S + 3_600) * 1_000_000;
    assert_eq!((asked.time.micros(), called.time.micros()), (begin_us + 250_000, begin_us + 500_000));
    assert_eq!((asked.source_row, called.source_row), (2, 3));
    assert_eq!((&*asked.exporter, &*called.exporter), ("phone", "phone"));
}

#[test]
fn the_seed_says_all_of_it() {
    assert_eq!(facts(&decoded(&seed()).0).len(), 5);
}

/// A capture with a small snap length holds the question and the first answers.
#[test]
fn a_message_that_the_capture_cut_is_read_as_far_as_it_goes() {
    let answer = udp(RESOLVER, HOST, &response("c2.example.org", &[[203, 0, 113, 9], [203, 0, 113, 10]]));
    let whole = pcap(ETHERNET, &[(0, answer.clone())]);
    let mut cut = whole[..whole.len() - 1].to_vec();
    cut[24 + 8..24 + 12].copy_from_slice(&(answer.len() as u32 - 1).to_le_bytes());
    let (kept, _) = decoded(&cut);
    assert_eq!(facts(&kept), [ANSWERED]);
}
