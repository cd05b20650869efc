//! Collectors whose socket is held by somebody else and handed over at each start (reliability.md R10).

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBuf;

use crate::killed::{Exporters, RECORDS, check};
use crate::made;
use crate::process::{BUFFER, Process, Setup};
use crate::running::Sender;
use crate::store::Stored;
use crate::tier::Tier;

/// Datagrams that are read from a socket at once: what a kill can take.
const BATCH: u64 = 64;

/// A socket as a service manager holds it, and what a collector is told that gets it.
fn held() -> Setup {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    Setup { handed: Some(socket.try_clone().unwrap()), ..Setup::new(socket.local_addr().unwrap().port()) }
}

/// Sends to collectors that follow each other until so many were told to end by `end`; returns the records
/// sent, and how many ended.
fn follow_each_other(folder: &Path, tier: Tier, end: impl Fn(Process)) -> (u64, u64) {
    let setup = held();
    let mut exporters = Exporters::new(setup.port);
    let datagrams = 100 * tier.choose(5, 100);
    let ended = thread::scope(|scope| {
        let sending = scope.spawn(|| exporters.send(datagrams, Duration::from_millis(10)));
        let mut ended = 0;
        while !sending.is_finished() {
            let process = Process::start(folder, &setup, &[]);
            // Not in step with the beat of the collector.
            thread::sleep(Duration::from_millis(300 + 170 * (ended % 7)));
            end(process);
            ended += 1;
        }
        ended
    });
    let (_, metrics) = Process::start(folder, &setup, &[]).terminate();
    assert_eq!(metrics.sum("messages_waiting{") + metrics.lost("no_template"), 0);
    (exporters.records(), ended)
}

#[test]
fn nothing_is_lost_while_no_collector_runs() {
    let tier = Tier::of("handed over, stopped");
    let folder = tempfile::tempdir().unwrap();
    let (records, stops) = follow_each_other(folder.path(), tier, |process| {
        let (_, metrics) = process.terminate();
        assert_eq!(metrics.sum("messages_lost_total{"), 0);
    });
    let lost = check(folder.path(), records);
    tier.say(&format!("{stops} stops, {records} records sent, {lost} lost"));
    assert!(stops >= 3, "{stops}");
    assert_eq!(lost, 0);
}

#[test]
fn a_kill_takes_no_more_than_what_was_being_read() {
    let tier = Tier::of("handed over, killed");
    let folder = tempfile::tempdir().unwrap();
    let (records, kills) = follow_each_other(folder.path(), tier, Process::kill);
    let lost = check(folder.path(), records);
    tier.say(&format!("{kills} kills, {records} records sent, {lost} lost and told"));
    assert!(lost <= kills * BATCH * u64::from(RECORDS), "{lost}");
}

/// A sender, and a socket that can hold but a few datagrams, so that bursts are dropped.
struct Narrow {
    setup: Setup,
    sender: Sender,
    sent: u32,
}

impl Narrow {
    fn new() -> Self {
        let setup = Setup { environment: &[(BUFFER, "1")], ..held() };
        // The least that Linux gives.
        setsockopt(setup.handed.as_ref().unwrap(), RcvBuf, &1).unwrap();
        let sender = Sender::new(format!("127.0.0.1:{}", setup.port).parse().unwrap());
        Self { setup, sender, sent: 0 }
    }

    /// Sends more at once than the socket can hold, and waits until what it holds is read, if somebody reads.
    fn burst(&mut self) {
        for _ in 0..40 {
            self.sender.send(&made::v5(self.sent * RECORDS, RECORDS as u16));
            self.sent += 1;
        }
        thread::sleep(Duration::from_millis(100));
    }

    /// What is not stored is told as dropped, once.
    #[track_caller]
    fn check(&self, folder: &Path, case: &str) {
        let stored = Stored::read(&folder.join("store"));
        let datagrams = stored.flows.len() as u64 / u64::from(RECORDS);
        assert_eq!(datagrams + stored.dropped, u64::from(self.sent), "{case}: {} dropped", stored.dropped);
        assert!(
            stored.dropped > 0 && datagrams > 0,
            "{case}: {datagrams} stored, {} dropped",
            stored.dropped
        );
    }
}

/// Before the first collector, while one runs, and between two, whether it was stopped or killed.
#[test]
fn what_the_kernel_drops_of_a_socket_that_lives_on_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut narrow = Narrow::new();
    for round in 0..4 {
        narrow.burst();
        let process = Process::start(folder.path(), &narrow.setup, &[]);
        narrow.burst();
        match round {
            // Before the first beat, and after it.
            0 => process.kill(),
            1 => {
                process.until(|metrics| metrics.lost("kernel_drop") > 0);
                process.kill();
            }
            _ => _ = process.terminate(),
        }
    }
    narrow.burst();
    Process::start(folder.path(), &narrow.setup, &[]).terminate();
    narrow.check(folder.path(), "stopped and killed");
    let (_, metrics) = Process::start(folder.path(), &narrow.setup, &[]).terminate();
    assert_eq!(metrics.lost("kernel_drop"), 0, "it was all told before");
}

/// Killed when a loss is in the spool and the mark of how far is counted is not yet replaced, among others.
#[test]
fn a_kill_at_any_rename_does_not_tell_drops_twice() {
    let Ok(true) = Command::new("strace").arg("-V").output().map(|output| output.status.success()) else {
        rahdar_testkit::skipped("strace not found; packaging/test-tools.sh installs it");
        return;
    };
    let mut killed = 0;
    for n in 2..=7 {
        let folder = tempfile::tempdir().unwrap();
        let mut narrow = Narrow::new();
        let inject = format!("inject=rename:signal=SIGKILL:when={n}");
        let tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject].map(str::to_owned);
        let mut process = Process::start(folder.path(), &narrow.setup, &tracer);
        narrow.burst();
        killed += u32::from((0..60).any(|_| {
            thread::sleep(Duration::from_millis(50));
            process.has_ended()
        }));
        process.kill();
        narrow.burst();
        Process::start(folder.path(), &narrow.setup, &[]).terminate();
        narrow.check(folder.path(), &format!("rename {n}"));
    }
    assert!(killed >= 4, "only {killed} were killed");
}
