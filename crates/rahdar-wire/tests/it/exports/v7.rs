//! NetFlow version 7.

use rahdar_model::{Quality, Timestamp};
use rahdar_wire::{Detection, Format, detect};

use super::message::{EXPORT_S, Header, UPTIME_MS, capture, v5_record};
use super::{messages, one};
use crate::kept::decoded;

/// A datagram of version 7: the header of version 5 with nothing at its end, records with the
/// router 192.0.2.254 at theirs.
fn v7(records: &[Vec<u8>]) -> Vec<u8> {
    let records: Vec<_> = records.iter().map(|record| [&record[..], &[192, 0, 2, 254]].concat()).collect();
    let mut datagram = Header::after(0).v5(0, &records);
    datagram[1] = 7;
    datagram[20..24].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    datagram
}

fn record(octets: u32) -> Vec<u8> {
    v5_record(6, 443, (10, octets), (UPTIME_MS - 60_000, UPTIME_MS - 50_000))
}

#[test]
fn a_v7_record_has_all_that_v5_has_but_engine_and_sampling() {
    let mut seven = one(&[v7(&[record(4_000)])]);
    let mut five = one(&[Header::after(0).v5(0, &[record(4_000)])]);
    assert_eq!((seven.observation_domain, five.observation_domain), (0, 0x0102));
    assert_eq!((seven.sampling_interval, seven.quality), (None, Quality::RATE_UNKNOWN));
    assert_eq!(seven.start_time, Timestamp::from_seconds(i64::from(EXPORT_S) - 60));
    (seven.observation_domain, five.observation_domain) = (0, 0);
    assert_eq!(seven, five);
}

#[test]
fn every_v7_record_of_a_datagram_is_read() {
    let (kept, tally) = messages(&[v7(&[record(1_000), record(2_000)]), v7(&[record(3_000)])]);
    assert_eq!((tally.decoded, kept.octets(), kept.problems()), (3, 6_000, vec![]));
    let mut cut = v7(&[record(1_000), record(2_000), record(3_000)]);
    cut.truncate(24 + 52 + 51);
    let (kept, tally) = messages(&[cut]);
    assert_eq!((tally.decoded, tally.refused), (1, 2));
    assert_eq!(
        kept.problems(),
        ["packet 1, octet 2 of the datagram: the header says `3` records, `1` are there"]
    );
}

#[test]
fn v7_is_seen_by_content_in_files_and_captures() {
    let datagram = v7(&[record(1_000), record(2_000)]);
    assert_eq!(detect(&datagram, true), Detection::Known(Format::Datagram));
    assert_eq!(detect(&datagram[..100], true), Detection::Unknown);
    let (kept, tally) = decoded(&capture("192.0.2.1:9000", &[datagram]));
    assert_eq!((tally.decoded, tally.beside, kept.octets()), (2, 1, 3_000));
    assert_eq!(&*kept.flows[0].exporter, "192.0.2.1");
}

#[test]
fn a_v7_datagram_may_end_anywhere() {
    let datagram = v7(&[record(1_000), record(2_000)]);
    for end in 4..datagram.len() {
        let (kept, tally) = messages(&[datagram[..end].to_vec()]);
        assert_eq!(kept.flows.len(), end.saturating_sub(24) / 52, "cut at {end}");
        assert!(tally.refused > 0, "cut at {end}");
    }
}
