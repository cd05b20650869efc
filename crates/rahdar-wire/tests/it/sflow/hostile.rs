//! Datagrams that nobody should send: cut anywhere, changed anywhere, random, and the shapes that
//! broke other collectors. Nothing may panic, and the counts must add up.

use proptest::prelude::*;
use rahdar_testkit::alone::most_addresses;
use rahdar_testkit::{alone, skipped};
use rahdar_wire::{Format, Options};

use super::datagrams;
use super::message::{Flow, capture, datagram, datagram_of, header, of_kind, tcp_frame, words};
use crate::kept::decode_all;
use crate::made::{tcp, udp};

/// A small file of datagrams that between them use every part of the decoder.
pub(crate) fn seed() -> Vec<u8> {
    let gateway =
        of_kind(1003, &words(&[1, 0xc000_0202, 64_500, 0, 64_501, 1, 2, 2, 64_501, 64_511, 0, 100]));
    let v4 = of_kind(3, &words(&[0, 6, 0xc000_020a, 0xc633_6407, 50_000, 443, 0x18, 0]));
    let ethernet = of_kind(2, &words(&[118, 0, 0, 0, 0, 0x0800]));
    let v6 = of_kind(4, &words(&[80, 17, 0x2001_0db8, 0, 0, 1, 0x2001_0db8, 0, 0, 2, 1_000, 53, 0, 0]));
    let inner = tcp("192.0.2.10:50000", "198.51.100.7:443", 0x18, 4);
    let vxlan =
        udp("203.0.113.1:60000", "203.0.113.2:4789", &[&[8, 0, 0, 0, 0, 0, 1, 0], &inner[..]].concat());
    let first = Flow::default().sample(&[tcp_frame(), gateway]);
    let second = Flow { number: 2, drops: 3, ..Flow::default() }.expanded(&[ethernet, v4]);
    let third = Flow { number: 4, drops: 3, ..Flow::default() }.sample(&[v6]);
    let fourth =
        Flow { number: 5, drops: 3, ..Flow::default() }.sample(&[header(1, vxlan.len() as u32, 0, &vxlan)]);
    [
        datagram(1, &[first, of_kind(2, &[0; 20]), second]),
        datagram(3, &[third]),
        datagram_of(&[2, 0x2001_0db8, 0, 0, 1], 9, &[fourth]),
    ]
    .concat()
}

/// Decodes octets as a file, as they are and as they seem to be, and as the payload of a packet.
fn decode_every_way(octets: &[u8]) {
    for format in [None, Some(Format::Sflow)] {
        let _ = decode_all(octets, &Options { format, ..Options::default() });
    }
    if octets.len() <= 60_000 {
        let _ =
            decode_all(&*capture(&[datagram(1, &[of_kind(2, &[])]), octets.to_vec()]), &Options::default());
    }
}

#[test]
fn a_datagram_may_end_anywhere() {
    let seed = seed();
    let mut before = 0;
    for end in 0..=seed.len() {
        decode_every_way(&seed[..end]);
        let options = Options { format: Some(Format::Sflow), ..Options::default() };
        let (_, result) = decode_all(&seed[..end], &options);
        let decoded = result.map_or(0, |tally| tally.decoded);
        assert!(decoded >= before, "cut at {end}: what came before is kept");
        before = decoded;
    }
    assert_eq!(before, 4);
}

#[test]
fn an_octet_of_a_datagram_may_be_anything() {
    let seed = seed();
    for at in 0..seed.len() {
        for octet in [0, 0xff, seed[at] ^ 1, seed[at] ^ 0x80, seed[at].wrapping_add(4)] {
            let mut changed = seed.clone();
            changed[at] = octet;
            decode_every_way(&changed);
        }
    }
}

#[test]
fn c9_counts_of_systems_labels_and_tags_that_overflow_are_survived() {
    // nfdump fa1dd526, c0bb6602: counts whose product with four wraps to a small number.
    for count in [u32::MAX, 1 << 30, (1 << 30) + 1, 1 << 31, 0x4000_0002] {
        let path_of = |segments: u32, systems: u32| {
            of_kind(1003, &words(&[1, 0xc000_0202, 64_500, 64_496, 64_501, segments, 2, systems, 64_511, 0]))
        };
        let labels = of_kind(1006, &words(&[1, 0xc000_0202, count, 1, count]));
        let tags = of_kind(1012, &words(&[count, 1, 2]));
        for record in [path_of(count, 1), path_of(1, count), labels, tags] {
            let (kept, tally) = datagrams(&[datagram(1, &[Flow::default().sample(&[record, tcp_frame()])])]);
            assert_eq!((tally.decoded, kept.flows[0].octets), (1, 1_040), "{count:#x}");
            assert_ne!(kept.flows[0].dst_as, Some(64_511), "{count:#x}");
        }
    }
}

/// The most octets that a datagram may make the collector take (reliability.md R1).
const GROWTH_MAX: u64 = 4 << 20;

#[test]
fn c12_a_small_datagram_cannot_ask_for_much() {
    // CVE-2022-2529: counts and lengths that nothing stands behind. Each of them, in turn, is as
    // large as it can be: what is counted is what is there.
    alone("sflow::hostile::c12_a_small_datagram_cannot_ask_for_much", || {
        let good = datagram(1, &[Flow::default().sample(&[tcp_frame()])]);
        decode_every_way(&good);
        let before = most_addresses();
        let sample = 28;
        let record = sample + 8 + 32;
        let counts = [
            ("samples", 24),
            ("octets of the sample", sample + 4),
            ("records", sample + 8 + 28),
            ("octets of the record", record + 4),
            ("octets of the header", record + 8 + 12),
        ];
        for (of, at) in counts {
            for huge in [u32::MAX, u32::MAX - 3, 1 << 31, 1 << 28] {
                let mut datagram = good.clone();
                datagram[at..at + 4].copy_from_slice(&huge.to_be_bytes());
                let (kept, tally) = datagrams(&[datagram.clone()]);
                assert!(tally.received <= 2 && kept.flows.len() <= 1, "{of}: {tally:?}");
                assert!(tally.refused == 1 || at == counts[2].1, "{of}: {tally:?}");
                decode_every_way(&datagram);
            }
        }
        match before.zip(most_addresses()) {
            Some((before, after)) => assert!(after - before <= GROWTH_MAX, "{} octets more", after - before),
            None => skipped("nobody tells the memory that is asked for"),
        }
    });
}

#[test]
fn a_flood_of_agents_and_of_problems_is_bounded() {
    let file: Vec<_> = (0..70_000u32)
        .map(|n| datagram_of(&[1, 0xc000_0200 ^ n], n, &[Flow::default().sample(&[])]))
        .collect();
    let (_, tally) = datagrams(&file);
    assert_eq!(tally.beside, 70_000);
    let file: Vec<_> = (0..5_000).map(|n| datagram(n, &[of_kind(1, &[])])).collect();
    let (kept, tally) = datagrams(&file);
    assert_eq!((tally.refused, kept.problems.len()), (5_000, 1_001));
    assert!(kept.problems[1_000].text.starts_with("4000 more records are refused from here on"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_octets_behind_a_good_header_are_survived(octets in prop::collection::vec(any::<u8>(), 0..1_500)) {
        decode_every_way(&[&datagram(1, &[])[..24], &octets].concat());
    }

    #[test]
    fn random_records_are_survived(
        records in prop::collection::vec((0u32..6, prop::collection::vec(0u8..6, 0..80)), 1..8),
        expanded in any::<bool>(),
    ) {
        let records: Vec<_> = records
            .iter()
            .map(|(kind, body)| of_kind(if *kind == 5 { 1003 } else { *kind }, body))
            .collect();
        let flow = Flow::default();
        let sample = if expanded { flow.expanded(&records) } else { flow.sample(&records) };
        decode_every_way(&datagram(1, &[sample]));
    }

    #[test]
    fn good_datagrams_that_were_changed_are_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut octets = seed();
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        decode_every_way(&octets);
        decode_every_way(&octets[cut.index(octets.len())..]);
    }
}
