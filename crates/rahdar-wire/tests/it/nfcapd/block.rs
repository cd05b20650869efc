//! Files as a whole: blocks, compression, what is cut, broken or lies.

use rahdar_wire::{Detection, Format, Options, WireError, detect, is_damage};

use super::made::{
    COMMON, COMPRESSIONS, Common, HEAD, block, exporter, generic, map, record, sampler_v2, v1, v1_flow,
    v1_of, v2, v2_flow, v2_of, v4, words,
};
use crate::kept::{BOMB, Kept, decode_all, decoded};

/// So many flow records of nfdump 1.7, each of its own port.
fn flows(count: u16) -> Vec<Vec<u8>> {
    let of = |src_port| v2_flow(HEAD, &[generic(Common { src_port, ..COMMON }), v4()]);
    (1..=count).map(of).collect()
}

/// The same in nfdump 1.6, behind their map.
fn old_flows(count: u16) -> Vec<Vec<u8>> {
    let of = |src_port| v1_flow(0, Common { src_port, ..COMMON }, &[]);
    [map(0, &[])].into_iter().chain((1..=count).map(of)).collect()
}

fn ports(kept: &Kept) -> Vec<u16> {
    kept.flows.iter().map(|flow| flow.src_port).collect()
}

/// Checks how many flows are kept and what is said of the rest; every refusal costs one record.
#[track_caller]
fn check(file: &[u8], flows: usize, problems: &[&str]) {
    let (kept, tally) = decoded(file);
    assert_eq!(kept.flows.len(), flows, "{:?}", kept.problems);
    assert_eq!(kept.problems(), problems);
    assert_eq!(tally.decoded, flows as u64);
}

#[test]
fn every_compression_gives_the_same_flows() {
    let expected: Vec<u16> = (1..=3_000).collect();
    for (compression, name) in COMPRESSIONS {
        let (kept, tally) = decoded(&v2(compression, &flows(3_000)));
        assert_eq!((ports(&kept), tally.refused), (expected.clone(), 0), "{name}");
        if name != "zstd" {
            let (kept, tally) = decoded(&v1(compression, &old_flows(3_000)));
            assert_eq!((ports(&kept), tally.refused), (expected.clone(), 0), "{name}");
        }
    }
}

#[test]
fn a_block_may_be_plain_in_a_compressed_file() {
    let mut plain = block(3, &flows(2), 0);
    plain[10] = 1;
    check(&v2_of(4, &[plain, block(3, &flows(1), 4)], 0), 3, &[]);
}

#[test]
fn a_file_without_flows_is_fine() {
    check(&v1_of(0, "none", &[], 0), 0, &[]);
    check(&v2_of(0, &[], 0), 0, &[]);
    check(&v2(3, &[exporter(1, 9, 7)]), 0, &[]);
}

#[test]
fn a_file_that_is_still_written_is_read_to_its_end() {
    let blocks = [block(3, &flows(2), 3), block(3, &flows(1), 3)];
    let mut open = v2_of(3, &blocks, 0);
    open.truncate(40 + blocks.concat().len());
    open[18] = 0;
    open[36] = 0;
    check(&open, 3, &[]);
    let mut open = v1_of(0, "none", &[block(2, &old_flows(2), 0)], 0);
    open[8] = 0;
    check(&open, 2, &[]);
}

#[test]
fn blocks_that_were_written_out_of_order_wait_for_their_exporters() {
    let late = [block(3, &flows(3), 1), block(3, &[exporter(1, 9, 7), sampler_v2(1, -1, 1, 99)], 1)];
    let (kept, tally) = decoded(&v2_of(1, &[late.as_slice(), &[block(3, &flows(2), 1)]].concat(), 0));
    assert_eq!((ports(&kept), tally.refused), (vec![1, 2, 3, 1, 2], 0));
    let rows: Vec<_> = kept.flows.iter().map(|flow| flow.source_row).collect();
    assert_eq!(rows, [1, 2, 3, 4, 5]);
    for flow in &kept.flows {
        assert_eq!((&*flow.exporter, flow.sampling_interval), ("192.0.2.200", Some(100)));
    }
}

#[test]
fn an_exporter_that_is_never_announced_keeps_nothing_back() {
    let blocks: Vec<_> = (0..20).map(|_| block(3, &flows(2), 4)).collect();
    let mut cut = v2_of(4, &blocks, 0);
    cut.truncate(40 + blocks.concat().len() - 1);
    let (kept, tally) = decoded(&cut);
    assert_eq!((tally.decoded, tally.refused), (38, 1));
    let rows: Vec<_> = kept.flows.iter().map(|flow| flow.source_row).collect();
    assert_eq!(rows, (1..=38).collect::<Vec<_>>());
}

#[test]
fn what_came_before_a_cut_is_kept() {
    let plain = v2(0, &flows(10));
    // Behind the header of the file and of the block stand records of 76 octets.
    let in_eighth = 40 + 12 + 7 * 76 + 30;
    let why = "octet 40: the file is cut off in a block; `7` of its `10` records are there";
    check(&plain[..in_eighth], 7, &[why]);
    let packed = v2_of(1, &[block(3, &flows(4), 1), block(3, &flows(10), 1)], 0);
    let second = 40 + block(3, &flows(4), 1).len();
    let why = format!("octet {second}: the file is cut off in a compressed block of `10` records");
    check(&packed[..second + 40], 4, &[&why]);
    let why = format!("octet {second}: the file is cut off in the header of a block");
    check(&packed[..second + 7], 4, &[&why]);
    let why = format!("octet {second}: the file ends here; it promises `3` blocks and holds `1`");
    check(&packed[..second], 4, &[&why]);
    for header in [&plain[..20], &v1(0, &old_flows(1))[..200]] {
        check(header, 0, &["octet 0: the file is cut off in its header"]);
    }
}

#[test]
fn the_file_says_how_many_flows_are_missing() {
    let mut file = v1(0, &old_flows(10));
    file[140] = 10;
    let cut = file.len() - 4;
    let problems = [
        "octet 276: the file is cut off in a block; `10` of its `11` records are there",
        "input: the file says that it holds `10` flows; `9` are read",
    ];
    check(&file[..cut], 9, &problems);
}

#[test]
fn a_broken_block_costs_only_itself() {
    for (compression, name) in &COMPRESSIONS[1..] {
        let mut broken = block(3, &flows(10), *compression);
        broken[13..30].fill(0xa5);
        let file = v2_of(
            *compression,
            &[block(3, &flows(2), *compression), broken, block(3, &flows(1), *compression)],
            0,
        );
        let (kept, tally) = decoded(&file);
        assert_eq!((ports(&kept), tally.refused), (vec![1, 2, 1], 1), "{:?}", kept.problems);
        let problem = &kept.problems()[0];
        assert!(
            problem.ends_with(&format!("a block of `10` records cannot be unpacked from {name}")),
            "{problem}"
        );
    }
}

#[test]
fn compressed_octets_may_be_cut_and_changed_anywhere() {
    for (compression, _) in &COMPRESSIONS[1..] {
        let file = v2(*compression, &flows(6));
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 0xff;
            for input in [&file[..at], &changed] {
                let _ = decode_all(input, &Options::default());
            }
        }
    }
}

#[test]
fn records_that_cannot_be_told_apart_cost_one() {
    for length in [0u16, 3, 60_000] {
        let mut records = flows(4);
        records[2][2..4].copy_from_slice(&length.to_le_bytes());
        let why = "octet 40: what follows record `2` of the block is no record; the block promises `4`";
        check(&v2(0, &records), 2, &[why]);
    }
}

#[test]
fn a_block_beyond_every_size_is_refused_and_not_believed() {
    // CVE-2022-2529: a small input that asks for a huge allocation.
    for size in [0u32, (5 << 20) + 1, u32::MAX] {
        let mut file = v2(0, &flows(2));
        file[44..48].copy_from_slice(&size.to_le_bytes());
        check(&file, 0, &["octet 40: there is no block where one should be; nothing after it is read"]);
    }
}

#[test]
fn a_block_that_unpacks_to_too_much_is_refused() {
    let zeros = vec![0; (5 << 20) + 1];
    for (compression, name) in &COMPRESSIONS[1..] {
        let bomb = block(3, std::slice::from_ref(&zeros), *compression);
        assert!(bomb.len() < zeros.len() / 100, "{name}");
        let why = format!("octet 40: a block of `1` records cannot be unpacked from {name}");
        check(&v2_of(*compression, &[bomb, block(3, &flows(1), *compression)], 0), 1, &[&why]);
    }
}

#[test]
fn a_file_that_grows_beyond_reason_is_refused_as_a_whole() {
    let filling = record(256, &[0; 60_000]);
    for compression in [2, 3, 4] {
        let bomb = block(3, &vec![filling.clone(); 80], compression);
        let blocks = [vec![block(3, &flows(1), compression)], vec![bomb; 200]].concat();
        let (_, result) = decode_all(&*v2_of(compression, &blocks, 0), &Options::default());
        let Err(WireError::Read { tally, source }) = result else { panic!("{result:?}") };
        assert!(!is_damage(&source));
        assert_eq!(source.to_string(), BOMB);
        assert!(tally.beside < 5 * 80, "{}", tally.beside);
    }
}

#[test]
fn blocks_that_cannot_be_unpacked_count_as_the_largest() {
    for (compression, name) in &COMPRESSIONS[1..] {
        let broken = block(3, &[vec![0; (5 << 20) + 1]], *compression);
        let blocks = [vec![block(3, &flows(1), *compression)], vec![broken; 500]].concat();
        let (kept, tally) = decoded(&v2_of(*compression, &blocks, 0));
        assert_eq!(kept.flows.len(), 1, "{name}: what is sound is kept");
        assert!(tally.refused < 500, "{name}: {}", tally.refused);
        let last = kept.problems().pop().unwrap();
        assert!(last.ends_with("too many blocks cannot be unpacked; nothing after them is read"), "{last}");
    }
}

#[test]
fn c7_a_count_that_lies_moves_nothing() {
    // nfdump 0b0f40ea: a count of records in the appendix that made it loop.
    let mut file = v2(0, &[vec![exporter(1, 9, 7)], flows(2)].concat());
    let appendix = u64::from_le_bytes(*file[24..].first_chunk().unwrap()) as usize;
    file[appendix..appendix + 4].fill(0xff);
    file[40] = 9;
    let why = format!("octet {appendix}: the block promises `4294967295` records and holds `2`");
    check(&file, 2, &["octet 40: the block promises `9` records and holds `3`", &why]);
}

#[test]
fn c3_c4_elements_that_do_not_fit_their_record_cost_it() {
    // nfdump d5e8887d: an element without length, read for ever.
    for length in [0u16, 3, 4, 200] {
        let mut broken = flows(1).remove(0);
        broken[18..20].copy_from_slice(&length.to_le_bytes());
        broken[14..16].copy_from_slice(&length.to_le_bytes());
        let file = v2(0, &[flows(1), vec![broken]].concat());
        let why =
            "octet 40: a record of type `11` does not hold what it should, first in record `2` of the block";
        check(&file, 1, &[why]);
    }
    // nfdump 2022a246: more elements than a record has room for.
    let mut broken = flows(1).remove(0);
    broken[4..6].fill(0xff);
    let why =
        "octet 40: a record of type `11` does not hold what it should, first in record `1` of the block";
    check(&v2(0, &[broken]), 0, &[why]);
}

#[test]
fn records_without_their_map_are_counted_together() {
    let file = v1(0, &old_flows(5)[1..]);
    let (kept, tally) = decoded(&file);
    assert_eq!((tally.received, tally.refused), (5, 5));
    let why = "octet 276: a record needs the map `0`, which the file has not told by then, first in record `1` of the block";
    assert_eq!(kept.problems(), [why]);
    let unusable = v1(0, &[vec![map(0, &[5, 30])], old_flows(1)[1..].to_vec()].concat());
    let said = "octet 276: record `1` of the block, type `2`, does not hold what it should";
    let (kept, tally) = decoded(&unusable);
    assert_eq!((tally.refused, &*kept.problems()[0]), (1, said));
    let mut lying = map(0, &[5]);
    lying[6] = 4;
    assert_eq!(decoded(&v1(0, &[vec![lying], old_flows(1)[1..].to_vec()].concat())).1.refused, 1);
    let endless = v1(0, &[vec![map(0, &[5; 65])], old_flows(1)[1..].to_vec()].concat());
    assert_eq!(decoded(&endless).1.refused, 1);
}

#[test]
fn a_record_shorter_than_its_map_is_refused() {
    let file = v1(0, &[map(0, &[22]), v1_flow(0, COMMON, &[0; 39]), v1_flow(0, COMMON, &[0; 40])]);
    let why =
        "octet 276: a record of type `10` does not hold what it should, first in record `2` of the block";
    check(&file, 1, &[why]);
}

#[test]
fn records_of_other_times_and_nobodys_are_refused() {
    let file = v2(0, &[flows(1).remove(0), record(5, &[0; 40]), record(16, &[0; 40]), record(999, &[0; 40])]);
    let problems = [
        "octet 40: a record of nfdump 1.5 is not read, first in record `2` of the block",
        "octet 40: a record of nfdump 1.8 is not read, first in record `3` of the block",
        "octet 40: a record of type `999` is not known, first in record `4` of the block",
    ];
    check(&file, 1, &problems);
}

#[test]
fn what_is_no_flow_is_beside() {
    let names = [record(12, &[0; 8]), record(13, &[0; 8]), record(14, &[0; 8]), record(256, &[0; 8])];
    let (kept, tally) = decoded(&v2(0, &[&names[..], &flows(1)].concat()));
    // The appendix holds two more.
    assert_eq!((tally.received, tally.beside, kept.problems.len()), (1, 6, 0));
    let table = block(4, &[vec![0; 400]], 0);
    check(&v2_of(0, &[table, block(3, &flows(1), 0)], 0), 1, &[]);
    let histogram = block(3, &[vec![0; 400]], 0);
    check(&v1_of(0, "none", &[histogram, block(2, &old_flows(1), 0)], 0), 1, &[]);
}

#[test]
fn a_block_of_nfdump_1_5_is_refused_and_passed_over() {
    let old = block(1, &[vec![0; 400]], 0);
    let file = v1_of(0, "none", &[old, block(2, &old_flows(1), 0)], 0);
    check(&file, 1, &["octet 276: a block of nfdump 1.5 is not read"]);
}

#[test]
fn what_follows_the_last_block_is_told() {
    let file = [v2(0, &flows(1)), b"left over".to_vec()].concat();
    let end = file.len() - 9;
    let why = format!("octet {end}: what follows the `2` blocks of the file is not read");
    check(&file, 1, &[&why]);
}

#[test]
fn cut_records_beside_the_flows_are_told_and_cost_nothing() {
    let cut = [record(7, &[0; 20]), record(8, &words(&[3, 1])), record(9, &[0; 8]), record(15, &[0; 8])];
    let (kept, tally) = decoded(&v2(0, &[&cut[..], &flows(1)].concat()));
    assert_eq!((tally.decoded, tally.refused, kept.problems.len()), (1, 0, 4), "{:?}", kept.problems);
}

#[test]
fn what_is_not_read_is_named() {
    let of = |at: usize, octet: u8| {
        let mut file = v2(0, &flows(1));
        file[at] = octet;
        file
    };
    for (file, kind) in [
        (of(17, 1), "an encrypted nfcapd file"),
        (of(16, 5), "nfcapd of an unknown compression"),
        (of(2, 3), "nfcapd of nfdump 1.8 (write it with nfdump 1.7)"),
        (vec![0xa5, 0x0c, 0, 1, 0, 0, 0, 0], "nfcapd of a big-endian machine"),
        (vec![0xa5, 0x0c, 0, 2, 1, 7, 8, 0], "nfcapd of a big-endian machine"),
    ] {
        assert_eq!(detect(&file, true), Detection::Unsupported(kind));
        let forced = Options { format: Format::from_word("nfcapd"), ..Options::default() };
        for options in [Options::default(), forced] {
            let (_, result) = decode_all(&*file, &options);
            assert!(matches!(result, Err(WireError::Unsupported { kind: named }) if named == kind), "{kind}");
        }
    }
    let forced = Options { format: Format::from_word("nfcapd"), ..Options::default() };
    let (_, result) = decode_all(&b"no nfcapd"[..], &forced);
    assert!(matches!(result, Err(WireError::Unknown { .. })));
}

#[test]
fn files_of_both_layouts_are_detected() {
    for file in [v1(0, &old_flows(1)), v2(4, &flows(1))] {
        for head in [&file[..], &file[..4]] {
            assert_eq!(detect(head, false), Detection::Known(Format::Nfcapd));
        }
    }
    assert_eq!((Format::Nfcapd.word(), Format::from_word("nfcapd")), ("nfcapd", Some(Format::Nfcapd)));
}
