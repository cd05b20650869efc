//! Collectors that are killed, and told to stop (reliability.md R6, R10).

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::made;
use crate::process::{Process, Setup, free_port};
use crate::running::Sender;
use crate::store::Stored;
use crate::tier::Tier;

/// Records of one NetFlow datagram, and of one IPFIX message.
pub(crate) const RECORDS: u32 = 30;

/// How long a start, and a stop, may take (reliability.md R10).
const START_MAX: Duration = Duration::from_secs(2);
const STOP_MAX: Duration = Duration::from_secs(5);

/// Two exporters of one address each: one of NetFlow v5, and one of IPFIX that announces its template once.
pub(crate) struct Exporters {
    netflow: Sender,
    ipfix: Sender,
    /// Datagrams of each so far.
    sent: u32,
}

impl Exporters {
    pub(crate) fn new(port: u16) -> Self {
        let to = format!("127.0.0.1:{port}").parse().unwrap();
        let (netflow, ipfix) = (Sender::from("127.0.0.1:0", to), Sender::from("127.0.0.2:0", to));
        Self { netflow, ipfix, sent: 0 }
    }

    /// Each sends so many datagrams, not all at once, whether anybody listens or not.
    pub(crate) fn send(&mut self, datagrams: u32, pause: Duration) {
        for _ in 0..datagrams {
            let before = self.sent * RECORDS;
            let flows = made::numbered_flows(before, RECORDS);
            let sets = if self.sent == 0 { vec![made::template(), flows] } else { vec![flows] };
            self.netflow.try_send(&made::v5(before, RECORDS as u16));
            self.ipfix.try_send(&made::ipfix(before, 1, &sets));
            self.sent += 1;
            thread::sleep(pause);
        }
    }

    /// Records of both.
    pub(crate) fn records(&self) -> u64 {
        u64::from(2 * self.sent * RECORDS)
    }
}

/// Every record is stored once or known to be lost. Returns how many were lost.
#[track_caller]
pub(crate) fn check(folder: &Path, records: u64) -> u64 {
    let stored = Stored::read(&folder.join("store"));
    let distinct: BTreeSet<u64> = stored.flows.iter().copied().collect();
    assert_eq!(distinct.len(), stored.flows.len(), "records are stored twice");
    let inputs: BTreeSet<&String> = stored.inputs.iter().collect();
    assert_eq!(inputs.len(), stored.inputs.len(), "segments are stored twice");
    assert_eq!(stored.flows.len() as u64 + stored.lost, records, "lost {}", stored.lost);
    stored.lost
}

/// Killed 5 times, or 100 times in an hour: it is back at once, knows its templates, and what was sent
/// meanwhile is a gap.
#[test]
fn a_collector_that_is_killed_again_and_again_loses_nothing_that_it_had() {
    let tier = Tier::of("killed");
    let kills = tier.choose(5, 100);
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(free_port());
    let mut exporters = Exporters::new(setup.port);
    let mut slowest = Duration::ZERO;
    let mut to_nobody = 0;
    for kill in 0..kills {
        let process = Process::start(folder.path(), &setup, &[]);
        slowest = slowest.max(process.started_in);
        // Not in step with the beat of the collector.
        let datagrams = 150 + 20 * (kill % 7);
        let round = tier.lasting(Duration::from_millis(400), Duration::from_secs(36));
        exporters.send(datagrams, round / datagrams);
        process.until(|metrics| metrics.sum("messages_understood_total{") > 0);
        let metrics = process.metrics();
        assert_eq!(metrics.sum("messages_waiting{"), 0, "a template is not known any more");
        assert_eq!(metrics.lost("no_template"), 0);
        process.kill();
        exporters.send(10, Duration::from_millis(1));
        to_nobody += 10;
    }
    let process = Process::start(folder.path(), &setup, &[]);
    exporters.send(50, Duration::from_millis(2));
    let (stopped_in, metrics) = process.terminate();
    assert_eq!(metrics.sum("messages_waiting{") + metrics.lost("no_template"), 0);
    let lost = check(folder.path(), exporters.records());
    tier.say(&format!(
        "{kills} kills, slowest start {slowest:?}, last stop {stopped_in:?}, {} records sent, {lost} lost and told",
        exporters.records()
    ));
    assert!(slowest <= START_MAX, "{slowest:?}");
    assert!(lost >= 2 * to_nobody * u64::from(RECORDS), "what was sent to nobody is missing: {lost}");
}

#[test]
fn a_stop_by_signal_stores_everything() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(free_port());
    let process = Process::start(folder.path(), &setup, &[]);
    let mut exporters = Exporters::new(setup.port);
    exporters.send(500, Duration::ZERO);
    let (stopped_in, metrics) = process.terminate();
    assert!(stopped_in <= STOP_MAX, "{stopped_in:?}");
    assert_eq!(metrics.sum("messages_lost_total{"), 0);
    assert_eq!(check(folder.path(), exporters.records()), 0);
}

/// Kills the collector at the n-th call of each kind that changes the disk (reliability.md R6). A
/// process opens and writes some things before it is a collector, so these begin later.
#[test]
fn a_collector_may_be_killed_at_every_step() {
    let Ok(true) = Command::new("strace").arg("-V").output().map(|output| output.status.success()) else {
        rahdar_testkit::skipped("strace not found; packaging/test-tools.sh installs it");
        return;
    };
    let steps: [(&str, &[u32]); 6] = [
        ("openat", &[24, 28, 32, 36, 40, 44, 48]),
        ("write", &[3, 6, 9, 12, 15, 18, 21]),
        ("fdatasync", &[1]),
        ("fsync", &[1, 2, 3, 4, 5, 6, 7]),
        ("rename", &[2, 3, 4]),
        ("unlink", &[1, 2, 3]),
    ];
    let mut killed = 0;
    for (call, when) in steps {
        for n in when {
            killed += u32::from(is_killed_at(call, *n));
        }
    }
    assert!(killed >= 20, "only {killed} were killed");
}

/// Runs a collector that is killed at the n-th `call`, then another to the end. Returns whether the first
/// was killed.
fn is_killed_at(call: &str, n: u32) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(free_port());
    let sender = Sender::new(format!("127.0.0.1:{}", setup.port).parse().unwrap());
    let inject = format!("inject={call}:signal=SIGKILL:when={n}");
    let tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject].map(str::to_owned);
    let mut process = Process::start(folder.path(), &setup, &tracer);
    send(&sender, 0..60);
    // Segments end, and are stored, within two beats.
    let was_killed = (0..50).any(|_| {
        thread::sleep(Duration::from_millis(50));
        process.has_ended()
    });
    process.kill();
    let process = Process::start(folder.path(), &setup, &[]);
    send(&sender, 60..70);
    process.terminate();
    let stored = Stored::read(&folder.path().join("store"));
    let distinct: BTreeSet<u64> = stored.flows.iter().copied().collect();
    assert_eq!(distinct.len(), stored.flows.len(), "{call} {n}");
    // Before the first record nobody knew the sequence: what was lost then is the distance to it.
    let first = stored.flows.iter().min().unwrap() - 40;
    let all = stored.flows.len() as u64 + stored.lost + first;
    assert_eq!(all, 70 * u64::from(RECORDS), "{call} {n}: {} lost", stored.lost);
    was_killed
}

/// Sends the datagrams of these numbers, not all at once.
fn send(sender: &Sender, datagrams: std::ops::Range<u32>) {
    for n in datagrams {
        // Nobody listening is an error of the socket, told at the next call.
        sender.try_send(&made::v5(n * RECORDS, RECORDS as u16));
        thread::sleep(Duration::from_millis(2));
    }
}
