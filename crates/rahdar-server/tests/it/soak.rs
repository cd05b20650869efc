//! A collector that runs for long needs no more than at first (reliability.md R11).

use std::thread;
use std::time::Duration;

use rahdar_model::Clock;

use crate::made;
use crate::pace::paced;
use crate::process::{Metrics, Process, Setup, free_port, since};
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

/// How long to wait between two looks at a collector that should be at rest; how many alike show that it is, and how
/// many there are at most.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS_AT_REST: usize = 10;
const MOST_LOOKS: usize = 200;

/// Parts that a run is looked at in, of which the first third warm up.
const PARTS: usize = 12;

/// What is freed goes back to the system at once, so that memory shows what is kept (mallopt(3)).
const GIVE_BACK: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_TRIM_THRESHOLD_", "65536")];

/// Memory at a time, or the least over some time: a commit takes some and gives it back; what leaks never goes
/// below.
#[derive(Debug, Clone, Copy)]
struct Sample {
    hours: f64,
    memory_kib: u64,
}

impl Sample {
    fn least(samples: &[Self]) -> Self {
        samples
            .iter()
            .copied()
            .reduce(|least, next| Self {
                hours: least.hours,
                memory_kib: least.memory_kib.min(next.memory_kib),
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
    let mut send = |n: u64| {
        let (before, later_s) = (30 * n as u32, (n * HASTE / PER_SECOND) as u32);
        let mut datagram = made::v5(before, 30);
        made::later(&mut datagram, 8, later_s);
        netflow.send(&datagram);
        let mut message = made::ipfix(before, 1, &[made::template(), made::flows(30)]);
        made::later(&mut message, 4, later_s);
        ipfix.send(&message);
        if n.is_multiple_of(LOOK_EVERY) {
            let hours = since(begun).as_secs_f64() / 3600.0;
            samples.push(Sample { hours, memory_kib: process.memory_kib().0 });
        }
    };
    // Files and threads are counted where nothing is under way: each segment of the spool is an open file meanwhile.
    let first = paced(PER_SECOND, lasting / 3, &mut send);
    let early = at_rest(&process, 2 * first);
    let sent = 2 * (first + paced(PER_SECOND, lasting - lasting / 3, |n| send(first + n)));
    let late = at_rest(&process, sent);
    let (_, metrics) = process.terminate();
    assert_eq!(accounted(&metrics), sent, "residual 0");

    let parts: Vec<Sample> = samples.chunks(samples.len().div_ceil(PARTS)).map(Sample::least).collect();
    let warm = &parts[PARTS / 3..];
    let slope = slope(warm);
    let memory: Vec<u64> = parts.iter().map(|part| part.memory_kib).collect();
    tier.say(&format!(
        "{sent} datagrams in {lasting:?}, memory {memory:?} KiB, {slope:.0} KiB/h, files and threads {early:?}, then \
         {late:?}"
    ));
    let hours = warm[warm.len() - 1].hours - warm[0].hours;
    assert!(slope * hours <= (GROWTH_KIB_PER_HOUR * hours).max(NOISE_KIB), "{slope} KiB/h");
    assert!(late.0 <= early.0, "open files grow");
    assert!(late.1 <= early.1, "threads grow");
}

fn accounted(metrics: &Metrics) -> u64 {
    metrics.sum("messages_understood_total{") + metrics.sum("messages_lost_total{")
}

/// Open files and threads, once all that was sent is accounted for and both have been the same for a while.
fn at_rest(process: &Process, sent: u64) -> (usize, usize) {
    process.until(|metrics| accounted(metrics) == sent);
    let mut counts = vec![process.files_and_threads()];
    while counts.len() < LOOKS_AT_REST
        || counts[counts.len() - LOOKS_AT_REST..].windows(2).any(|two| two[0] != two[1])
    {
        assert!(counts.len() < MOST_LOOKS, "it never came to rest: {counts:?}");
        thread::sleep(LOOK);
        counts.push(process.files_and_threads());
    }
    counts[counts.len() - 1]
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
