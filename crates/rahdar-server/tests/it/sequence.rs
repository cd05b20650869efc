//! What the sequence numbers say was lost is what was lost, to one in a hundred: across wraps, messages
//! that overtake each other, an exporter that starts again, and a sampling rate that changes
//! (reliability.md R4).

use rahdar_model::fact::{Fact, Loss, Unit};
use rahdar_model::sink::SinkError;
use rahdar_model::{FlowRecord, FlowSink, Problem, Timestamp};
use rahdar_wire::{Arrival, Collector, Options};

use crate::made::{self, EXPORTED_S};
use crate::running::loopback;

/// Datagrams of a run, each a millisecond after the last.
const DATAGRAMS: u32 = 60_000;

/// Records of each.
const RECORDS: u32 = 10;

/// Where the exporter starts again, and where it begins to sample otherwise.
const REBOOT: u32 = 40_000;
const RESAMPLED: u32 = 20_000;

/// Datagrams around the start, the reboot and the end that are not lost. Nobody can tell what was lost before the
/// first number, across a restart, or after the last.
const KEPT: u32 = 32;

/// One datagram of an exporter.
struct Sent {
    /// Records before it, or datagrams; it begins anew at the reboot.
    records: u32,
    datagrams: u32,
    /// Milliseconds since the exporter started.
    uptime_ms: u32,
    sampling: u16,
}

/// Makes a datagram.
type Make = fn(&Sent) -> Vec<u8>;

/// What gaps say.
#[derive(Default)]
struct Told(u64);

impl FlowSink for Told {
    fn flow(&mut self, _: &FlowRecord) -> Result<(), SinkError> {
        Ok(())
    }

    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        if let Fact::Gap(gap) = fact
            && gap.cause == Loss::Sequence
        {
            self.0 += if gap.unit == Unit::Datagrams { gap.lost * u64::from(RECORDS) } else { gap.lost };
        }
        Ok(())
    }

    fn problem(&mut self, problem: Problem) {
        panic!("{problem}");
    }
}

#[track_caller]
fn check(make: Make, per_mille: u64) {
    // Knuth's MMIX generator: fixed, and random enough to lose datagrams by.
    let mut state = 7u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    // It wraps long before the reboot.
    let mut sent = Sent {
        records: u32::MAX - 100_000,
        datagrams: u32::MAX - 10_000,
        uptime_ms: 86_400_000,
        sampling: 100,
    };
    let (mut arrivals, mut lost) = (Vec::new(), 0);
    for n in 0..DATAGRAMS {
        if n == REBOOT {
            sent = Sent { records: 0, datagrams: 0, uptime_ms: 1_000, ..sent };
        }
        if n == RESAMPLED {
            sent.sampling = 1_000;
        }
        let is_kept = [0, REBOOT, DATAGRAMS].iter().any(|at| n.abs_diff(*at) <= KEPT);
        if is_kept || random(1_000) >= per_mille {
            arrivals.push((n, make(&sent)));
        } else {
            lost += u64::from(RECORDS);
        }
        sent.records = sent.records.wrapping_add(RECORDS);
        sent.datagrams = sent.datagrams.wrapping_add(1);
        sent.uptime_ms += 1;
    }
    for pair in arrivals.chunks_exact_mut(2).filter(|_| random(50) == 0) {
        pair.swap(0, 1);
    }
    let (mut collector, mut told) = (Collector::new(&Options::default()), Told::default());
    collector.begin("test".into());
    for (n, datagram) in &arrivals {
        let received = Timestamp::from_seconds(EXPORTED_S.into()).plus_micros(i64::from(*n) * 1_000);
        let arrival =
            Arrival { exporter: loopback(), port: 9, received: Some(received), packet: u64::from(*n) + 1 };
        collector.datagram(datagram, &arrival, &mut told).unwrap();
    }
    collector.finish(&mut told).unwrap();
    eprintln!("{per_mille} per mille: {lost} records lost, {} told", told.0);
    assert!(told.0.abs_diff(lost) * 100 <= lost, "{per_mille} per mille: {} told, {lost} lost", told.0);
}

fn check_all(make: Make) {
    for per_mille in [1, 10, 100, 500] {
        check(make, per_mille);
    }
}

#[test]
fn of_netflow_5_in_records() {
    check_all(|sent| {
        let mut datagram = made::v5(sent.records, RECORDS as u16);
        datagram[4..8].copy_from_slice(&sent.uptime_ms.to_be_bytes());
        // The lower 14 bits are the interval (Cisco, NetFlow Export Datagram Format).
        datagram[22..24].copy_from_slice(&sent.sampling.to_be_bytes());
        datagram
    });
}

#[test]
fn of_netflow_9_in_datagrams() {
    check_all(|sent| made::v9(sent.datagrams, sent.uptime_ms, RECORDS, sent.sampling));
}

#[test]
fn of_ipfix_in_records() {
    check_all(|sent| {
        let sets = [made::template(), made::flows_sampled(RECORDS, sent.sampling)];
        made::ipfix(sent.records, 1, &sets)
    });
}
