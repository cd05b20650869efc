//! Exports that nobody should send: cut anywhere, changed anywhere, random. Nothing may panic, and the
//! counts must add up. The shapes that broke other collectors are in `cases`.

use proptest::prelude::*;
use rahdar_wire::{Format, Options};

use super::message::{
    FLOW_FIELDS, FLOWS, Header, UPTIME_MS, capture, enterprise, flow, ipfix, ipfix_options_template,
    ipfix_template, record, set, v5_record, v9, v9_options_template, v9_template,
};
use crate::kept::decode_all;

/// Small exports that between them use every part of the decoders.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let record_v5 = || v5_record(6, 443, (10, 4_000), (UPTIME_MS - 9_000, UPTIME_MS));
    let options = set(300, &record(&[(0, 4), (100, 4)]));
    let named = [record(&[(0xc000_020a, 4), (3, 1)]), b"abc".to_vec(), record(&[(0xc633_6407, 4)])].concat();
    vec![
        [Header::after(0).v5(0x4064, &[record_v5(), record_v5()]), Header::after(1).v5(0, &[record_v5()])]
            .concat(),
        [
            v9(&[
                set(FLOWS, &flow(1)),
                v9_template(FLOWS, FLOW_FIELDS),
                set(FLOWS, &[flow(2), flow(3)].concat()),
            ]),
            v9(&[v9_options_template(300, &[(1, 4)], &[(34, 4)]), options.clone(), vec![0; 8]]),
        ]
        .concat(),
        [
            ipfix(&[ipfix_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1))]),
            ipfix(&[ipfix_options_template(300, &[(143, 4), (34, 4)]), options]),
            ipfix(&[
                ipfix_template(257, &[(8, 4), (82, 65_535), (12, 4), (enterprise(1), 65_535), (0, 9)]),
                set(257, &[named, vec![0]].concat()),
            ]),
        ]
        .concat(),
    ]
}

/// Decodes octets as a file, as they are and as they seem to be, and as the payload of a packet.
fn decode_every_way(octets: &[u8]) {
    for format in [None, Some(Format::Ipfix), Some(Format::Datagram)] {
        let _ = decode_all(octets, &Options { format, ..Options::default() });
    }
    if octets.len() <= 60_000 {
        let _ = decode_all(&*capture("192.0.2.1:9000", &[octets.to_vec()]), &Options::default());
    }
}

#[test]
fn an_export_may_end_anywhere() {
    for seed in seeds() {
        let mut before = 0;
        for end in 0..=seed.len() {
            decode_every_way(&seed[..end]);
            let options = Options { format: Some(Format::Datagram), ..Options::default() };
            let (_, result) = decode_all(&seed[..end], &options);
            let decoded = result.map_or(0, |tally| tally.decoded);
            assert!(decoded >= before, "cut at {end}: what came before is kept");
            before = decoded;
        }
        assert!(before >= 2);
    }
}

#[test]
fn an_octet_of_an_export_may_be_anything() {
    for seed in seeds() {
        for at in 0..seed.len() {
            for octet in [0, 0xff, seed[at] ^ 1, seed[at] ^ 0x80, seed[at].wrapping_add(4)] {
                let mut changed = seed.clone();
                changed[at] = octet;
                decode_every_way(&changed);
            }
        }
    }
}

#[test]
fn c7_a_flood_of_problems_is_cut_short() {
    let broken = Header::after(0).v5(0, &[]);
    let mut broken = broken;
    broken[3] = 1;
    let file: Vec<Vec<u8>> = vec![broken; 5_000];
    let frames = capture("192.0.2.1:9000", &file);
    let _ = decode_all(&*frames, &Options::default());
    let bad = v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &[1; 20])]);
    let (kept, result) = decode_all(
        &*vec![bad; 5_000].concat(),
        &Options { format: Some(Format::Datagram), ..Options::default() },
    );
    assert_eq!(result.unwrap().refused, 5_000);
    assert_eq!(kept.problems.len(), 1_001);
    assert!(kept.problems[1_000].text.starts_with("4000 more records are refused from here on"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_octets_behind_a_good_header_are_survived(
        version in prop::sample::select(vec![5u8, 9, 10]),
        octets in prop::collection::vec(any::<u8>(), 0..1_500),
    ) {
        let mut octets = [vec![0, version], octets].concat();
        decode_every_way(&octets);
        if version == 10 && octets.len() >= 16 {
            let length = octets.len() as u16;
            octets[2..4].copy_from_slice(&length.to_be_bytes());
            decode_every_way(&octets);
        }
    }

    #[test]
    fn random_sets_are_survived(
        sets in prop::collection::vec((0u16..6, prop::collection::vec(0u8..6, 0..60)), 1..12),
    ) {
        let sets: Vec<_> = sets.iter().map(|(id, body)| set(if *id > 3 { 252 + id } else { *id }, body)).collect();
        decode_every_way(&v9(&sets));
        decode_every_way(&ipfix(&sets));
    }

    #[test]
    fn good_exports_that_were_changed_are_survived(
        seed in 0usize..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut octets = seeds().swap_remove(seed);
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        decode_every_way(&octets);
        decode_every_way(&octets[cut.index(octets.len())..]);
    }
}
