//! A collector that runs for long needs no more than at first (reliability.md R11).

use std::time::Duration;

use rahdar_model::Clock;

use crate::made;
use crate::pace::paced;
use crate::process::{Process, Setup, free_port, since};
use crate::running::{RealClock, Sender};
use crate::tier::Tier;

/// Datagrams a second, of each of two exporters.
const PER_SECOND: u64 = 100;

/// Datagrams of each after which the collector is looked at.
const LOOK_EVERY: u64 = 10;

/// Seconds of the exporters' time in one second: a day in 24 minutes.
const HASTE: u64 = 60;

/// KiB that memory may grow by in an hour, once it is warm.
const GROWTH_KIB_PER_HOUR: f64 = 1024.0;

/// KiB below which growth cannot be told from noise. Chosen here: a few dozen pages come and go.
const NOISE_KIB: f64 = 512.0;

/// Parts that a run is looked at in, of which the first third warm up.
const PARTS: usize = 12;

/// What is freed goes back to the system at once, so that memory shows what is kept (mallopt(3)).
const GIVE_BACK: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_TRIM_THRESHOLD_", "65536")];

/// Memory, open files and threads at a time, or the least of each over some time: a commit takes some
/// and gives it back; what leaks never goes below.
#[derive(Debug, Clone, Copy)]
struct Sample {
    hours: f64,
    memory_kib: u64,
    files: usize,
    threads: usize,
}

impl Sample {
    fn least(samples: &[Self]) -> Self {
        samples
            .iter()
            .copied()
            .reduce(|least, next| Self {
                hours: least.hours,
                memory_kib: least.memory_kib.min(next.memory_kib),
                files: least.files.min(next.files),
                threads: least.threads.min(next.threads),
            })
            .unwrap()
    }
}

#[test]
fn a_day_of_traffic_needs_no_more_than_its_first_hours() {
    let tier = Tier::of("soak");
    let lasting = tier.lasting(Duration::from_secs(20), Duration::from_secs(24 * 60));
    let folder = tempfile::tempdir().unwrap();
    let setup =
        Setup { rows_per_second: Some(1_000_000), environment: &GIVE_BACK, ..Setup::new(free_port()) };
    let process = Process::start(folder.path(), &setup, &[]);
    let to = format!("127.0.0.1:{}", setup.port).parse().unwrap();
    let (netflow, ipfix) = (Sender::from("127.0.0.1:0", to), Sender::from("127.0.0.2:0", to));
    let (begun, mut samples) = (RealClock.now(), Vec::new());
    let sent = 2 * paced(PER_SECOND, lasting, |n| {
        let (before, later_s) = (30 * n as u32, (n * HASTE / PER_SECOND) as u32);
        let mut datagram = made::v5(before, 30);
        made::later(&mut datagram, 8, later_s);
        netflow.send(&datagram);
        let mut message = made::ipfix(before, 1, &[made::template(), made::flows(30)]);
        made::later(&mut message, 4, later_s);
        ipfix.send(&message);
        if n % LOOK_EVERY == 0 {
            let (files, threads) = process.files_and_threads();
            let hours = since(begun).as_secs_f64() / 3600.0;
            samples.push(Sample { hours, memory_kib: process.memory_kib().0, files, threads });
        }
    });
    let (_, metrics) = process.terminate();
    let accounted = metrics.sum("messages_understood_total{") + metrics.sum("messages_lost_total{");
    assert_eq!(accounted, sent, "residual 0");

    let parts: Vec<Sample> = samples.chunks(samples.len().div_ceil(PARTS)).map(Sample::least).collect();
    let warm = &parts[PARTS / 3..];
    let slope = slope(warm);
    let (early, late) = warm.split_at(warm.len() / 2);
    let (early, late) = (Sample::least(early), Sample::least(late));
    let memory: Vec<u64> = parts.iter().map(|part| part.memory_kib).collect();
    tier.say(&format!(
        "{sent} datagrams in {lasting:?}, memory {memory:?} KiB, {slope:.0} KiB/h, files {} then {}, threads {} then {}",
        early.files, late.files, early.threads, late.threads
    ));
    let hours = warm[warm.len() - 1].hours - warm[0].hours;
    assert!(slope * hours <= (GROWTH_KIB_PER_HOUR * hours).max(NOISE_KIB), "{slope} KiB/h");
    assert!(late.files <= early.files, "open files grow");
    assert!(late.threads <= early.threads, "threads grow");
}

/// KiB an hour, by least squares.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (at, memory) = (mean(|sample| sample.hours), mean(|sample| sample.memory_kib as f64));
    let (mut both, mut square) = (0.0, 0.0);
    for sample in samples {
        both += (sample.hours - at) * (sample.memory_kib as f64 - memory);
        square += (sample.hours - at) * (sample.hours - at);
    }
    both / square
}
