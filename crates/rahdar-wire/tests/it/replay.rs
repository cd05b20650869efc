//! Every fuzz target of flows without libFuzzer: its seeds, and ten thousand damaged inputs of each format, through
//! the same checks (reliability.md R1 and R2).

use rahdar_model::{Address, Timestamp};
use rahdar_testkit::alone::{most_addresses, run_us};
use rahdar_testkit::aloud::told;
use rahdar_testkit::{alone, skipped};
use rahdar_wire::{Arrival, Collector, Format, Options};

use crate::kept::Kept;
use crate::{clear, exports, hostile, sflow};

#[expect(unreachable_pub, reason = "in the workspace of the fuzz targets the same file is a library")]
#[path = "../../../../fuzz/src/flows.rs"]
mod fuzz;

/// Damaged inputs of each format, at least.
const DAMAGED_MIN: usize = 10_000;

/// How long a core may take over one input.
const RUN_US_MAX: u64 = 10_000;

/// Octets that a datagram may make the reader take, beside what the first of its format took.
const GROWTH_MAX: u64 = 4 << 20;

/// Small inputs of every format, made by the tests of each.
fn seeds() -> Vec<(Format, Vec<u8>)> {
    let mut seeds = hostile::seeds();
    for seed in exports::seeds() {
        let format = if seed.starts_with(&[0, 10]) { Format::Ipfix } else { Format::Datagram };
        seeds.push((format, seed));
    }
    seeds.push((Format::Sflow, sflow::seed()));
    seeds.push((Format::Packets, clear::seed()));
    seeds
}

/// The next number of a row that is the same in every run (SplitMix64: Steele and others, 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// Gives every damaged form of the seeds, and returns how many there were: cut at every octet; every octet none,
/// full, and with a bit flipped; every two octets as a length of 0, 1, a wrap and the most; then several octets
/// changed at random.
fn damaged(seeds: &[Vec<u8>], mut each: impl FnMut(&[u8])) -> usize {
    let mut given = 0;
    for seed in seeds {
        for at in 0..seed.len() {
            each(&seed[..at]);
            for octet in [0, 0xff, seed[at] ^ 1 << (at % 8)] {
                let mut changed = seed.clone();
                changed[at] = octet;
                each(&changed);
            }
            given += 4;
            for length in [0u16, 1, 0x8000, 0xfffc] {
                let mut changed = seed.clone();
                let Some(place) = changed.get_mut(at..at + 2) else { break };
                place.copy_from_slice(&length.to_be_bytes());
                each(&changed);
                given += 1;
            }
        }
    }
    let mut state = 1;
    while given < DAMAGED_MIN {
        let mut changed = seeds[given % seeds.len()].clone();
        for _ in 0..1 + next(&mut state) % 8 {
            let at = next(&mut state) as usize % changed.len();
            changed[at] = next(&mut state) as u8;
        }
        changed.truncate(1 + next(&mut state) as usize % changed.len());
        each(&changed);
        given += 1;
    }
    given
}

/// Checks an input, and how long that takes.
fn check_in_time(input: &[u8], format: Format) {
    let before = run_us();
    fuzz::check(input, Some(format));
    let took = |before: Option<u64>| before.zip(run_us()).map_or(0, |(before, after)| after - before);
    if took(before) > RUN_US_MAX {
        // The kernel counts in ticks of that length: what is slow is slow again.
        const AGAIN: u64 = 20;
        let before = run_us();
        for _ in 0..AGAIN {
            fuzz::check(input, Some(format));
        }
        let mean = took(before) / AGAIN;
        assert!(mean <= RUN_US_MAX, "{format}: {mean} µs for `{}`", input.escape_ascii());
    }
}

#[test]
fn ten_thousand_damaged_inputs_of_each_format_are_survived() {
    alone("replay::ten_thousand_damaged_inputs_of_each_format_are_survived", || {
        let mut all = 0;
        for format in Format::ALL {
            let seeds = seeds().into_iter().filter(|(of, _)| *of == format);
            let seeds: Vec<Vec<u8>> = seeds.map(|(_, seed)| seed).collect();
            for seed in &seeds {
                fuzz::check(seed, Some(format));
            }
            let before = most_addresses();
            let given = damaged(&seeds, |input| check_in_time(input, format));
            assert!(given >= DAMAGED_MIN, "{given} inputs of {format}");
            all += given;
            if matches!(format, Format::Ipfix | Format::Datagram | Format::Sflow) {
                match before.zip(most_addresses()) {
                    Some((before, after)) => {
                        assert!(after - before <= GROWTH_MAX, "{format}: {} octets more", after - before);
                    }
                    None => skipped("nobody tells the memory that is asked for"),
                }
            }
        }
        assert!(all >= Format::ALL.len() * DAMAGED_MIN);
        told(format_args!("{all} damaged inputs"));
    });
}

#[test]
fn the_seeds_of_every_target_are_replayed() {
    let all = seeds();
    for format in Format::ALL {
        assert!(all.iter().any(|(of, _)| *of == format), "no seed of {format}");
    }
    for (format, seed) in &all {
        fuzz::check(seed, Some(*format));
        fuzz::check(seed, None);
    }
}

/// What the target of the collector is given: which version, whether in a stream too, and two datagrams without it.
fn live(kind: u8, magic_octets: usize, first: &[u8], second: &[u8]) -> Vec<u8> {
    let (first, second) = (&first[magic_octets..], &second[magic_octets..]);
    [&[kind][..], &(first.len() as u16).to_be_bytes(), first, second].concat()
}

#[test]
fn the_collector_is_replayed_with_a_restart_between_two_datagrams() {
    let [v5, v9, ipfix] = exports::seeds().try_into().unwrap();
    let sflow = sflow::a_datagram();
    for (kind, octets, datagram) in [(0, 2, v5), (1, 2, v9), (2, 2, ipfix), (3, 4, sflow)] {
        for kind in [kind, kind | 0x80] {
            let input = live(kind, octets, &datagram, &datagram);
            damaged_by_one(&input, fuzz::check_live);
        }
    }
}

#[test]
fn what_a_collector_saved_may_be_damaged() {
    let mut collector = Collector::new(&Options::default());
    collector.begin("a".into());
    let exporter = "192.0.2.1".parse::<Address>().unwrap();
    let received = Some(Timestamp::from_seconds(1_628_985_600));
    for (datagram, packet) in exports::live_pair().iter().chain([&sflow::a_datagram()]).zip(1..) {
        let arrival = Arrival { exporter, port: 9, received, packet };
        collector.datagram(datagram, &arrival, &mut Kept::default()).unwrap();
    }
    damaged_by_one(&collector.save()[1..], fuzz::check_saved);
}

#[test]
fn what_packets_say_in_clear_may_be_damaged() {
    for said in clear::payloads() {
        damaged_by_one(&[&[40][..], &said].concat(), fuzz::check_clear);
    }
}

/// Gives an input whole, and with each octet in turn none, full and flipped.
fn damaged_by_one(input: &[u8], each: impl Fn(&[u8])) {
    each(input);
    for at in 0..input.len() {
        for octet in [0, 0xff, input[at] ^ 1 << (at % 8)] {
            let mut changed = input.to_vec();
            changed[at] = octet;
            each(&changed);
        }
    }
}
