//! Collectors that are killed, and told to stop, as processes of their own.

use std::collections::BTreeSet;
use std::env;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{self, Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use rahdar_server::{Server, stop_on_signals};

use crate::made;
use crate::running::{RealClock, Sender, settings};
use crate::store::{Stored, TestStore};

/// Where a child works, and the port it listens on.
const FOLDER: &str = "RAHDAR_TEST_COLLECTOR";
const PORT: &str = "RAHDAR_TEST_PORT";

/// Records of one datagram.
const RECORDS: u32 = 30;

/// Not a test by itself: the collector that the others start and kill.
#[test]
fn child() {
    let (Ok(folder), Ok(port)) = (env::var(FOLDER), env::var(PORT)) else { return };
    let folder = Path::new(&folder);
    let stop = stop_on_signals().unwrap();
    let store = TestStore::open(&folder.join("store"));
    let mut settings = settings(&folder.join("spool"));
    settings.udp = vec![format!("127.0.0.1:{port}").parse().unwrap()];
    settings.commit_every = Duration::from_millis(100);
    settings.segment_octets = 20_000;
    let server = Server::open(settings, Arc::new(RealClock)).unwrap();
    std::fs::write(folder.join("own"), process::id().to_string()).unwrap();
    std::fs::rename(folder.join("own"), folder.join("ready")).unwrap();
    server.run(&store, &stop, &mut |notice| eprintln!("{notice}"));
    std::fs::write(folder.join("ended"), "").unwrap();
}

/// Starts a child, under `tracer` if there is one, and waits until it listens.
fn start(folder: &Path, port: u16, tracer: &[String]) -> Child {
    let ready = folder.join("ready");
    let _ = std::fs::remove_file(&ready);
    let own = env::current_exe().unwrap();
    let mut words: Vec<String> = tracer.to_vec();
    words.extend([own.to_str().unwrap(), "--exact", "killed::child", "--nocapture"].map(str::to_owned));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env(FOLDER, folder).env(PORT, port.to_string());
    command.stdout(process::Stdio::null()).stderr(process::Stdio::null());
    let mut child = command.spawn().unwrap();
    for _ in 0..400 {
        if ready.try_exists().unwrap() || child.try_wait().unwrap().is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(25));
    }
    child
}

/// Tells a child to stop, and waits until it has.
#[track_caller]
fn terminate(mut child: Child) {
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

/// Kills a child that runs under a tracer, if it still runs.
fn kill_traced(folder: &Path, mut child: Child) {
    if let Ok(own) = std::fs::read_to_string(folder.join("ready")) {
        let _ = Command::new("kill").args(["-9", &own]).output();
    }
    child.wait().unwrap();
}

/// A port that is free, and that the kernel gives to no socket that asks for any.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (process::id() % 100) as u16 * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::SeqCst) % 100;
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Sends the datagrams of these numbers, not all at once.
fn send(sender: &Sender, datagrams: std::ops::Range<u32>) {
    for n in datagrams {
        // Nobody listening is an error of the socket, told at the next call.
        sender.try_send(&made::v5(n * RECORDS, RECORDS as u16));
        thread::sleep(Duration::from_millis(2));
    }
}

/// Every record is stored once or known to be lost.
#[track_caller]
fn check(folder: &Path, sent: u32) {
    let stored = Stored::read(&folder.join("store"));
    let distinct: BTreeSet<u64> = stored.flows.iter().copied().collect();
    assert_eq!(distinct.len(), stored.flows.len(), "records are stored twice");
    let inputs: BTreeSet<&String> = stored.inputs.iter().collect();
    assert_eq!(inputs.len(), stored.inputs.len(), "segments are stored twice");
    assert_eq!(stored.flows.len() as u64 + stored.lost, u64::from(sent * RECORDS), "lost {}", stored.lost);
}

#[test]
fn a_collector_that_is_killed_again_and_again_loses_nothing_that_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let sender = Sender::new(format!("127.0.0.1:{port}").parse().unwrap());
    let mut sent = 0;
    for round in 0..5 {
        let mut child = start(folder.path(), port, &[]);
        send(&sender, sent..sent + 150 + 20 * round);
        sent += 150 + 20 * round;
        child.kill().unwrap();
        child.wait().unwrap();
        send(&sender, sent..sent + 10);
        sent += 10;
    }
    let child = start(folder.path(), port, &[]);
    send(&sender, sent..sent + 50);
    sent += 50;
    terminate(child);
    check(folder.path(), sent);
    let stored = Stored::read(&folder.path().join("store"));
    assert!(
        stored.lost >= 5 * 10 * u64::from(RECORDS),
        "what was sent to nobody is missing: {}",
        stored.lost
    );
}

#[test]
fn a_stop_by_signal_stores_everything() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let sender = Sender::new(format!("127.0.0.1:{port}").parse().unwrap());
    let child = start(folder.path(), port, &[]);
    for n in 0..100 {
        sender.send(&made::v5(n * RECORDS, RECORDS as u16));
    }
    terminate(child);
    assert!(folder.path().join("ended").try_exists().unwrap());
    check(folder.path(), 100);
    assert_eq!(Stored::read(&folder.path().join("store")).lost, 0);
}

/// Kills the collector at the n-th call of each kind that changes the disk (reliability.md R6). A
/// process opens and writes some things before it is a collector, so these begin later.
#[test]
fn a_collector_may_be_killed_at_every_step() {
    let Ok(true) = Command::new("strace").arg("-V").output().map(|output| output.status.success()) else {
        eprintln!("skipped: strace not found");
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
    let port = free_port();
    let sender = Sender::new(format!("127.0.0.1:{port}").parse().unwrap());
    let inject = format!("inject={call}:signal=SIGKILL:when={n}");
    let tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject].map(str::to_owned);
    let mut child = start(folder.path(), port, &tracer);
    send(&sender, 0..60);
    // Segments end, and are stored, within two beats.
    let was_killed = (0..50).any(|_| {
        thread::sleep(Duration::from_millis(50));
        child.try_wait().unwrap().is_some()
    });
    kill_traced(folder.path(), child);
    let child = start(folder.path(), port, &[]);
    send(&sender, 60..70);
    terminate(child);
    let stored = Stored::read(&folder.path().join("store"));
    let distinct: BTreeSet<u64> = stored.flows.iter().copied().collect();
    assert_eq!(distinct.len(), stored.flows.len(), "{call} {n}");
    // Before the first record nobody knew the sequence: what was lost then is the distance to it.
    let first = stored.flows.iter().min().unwrap() - 40;
    let all = stored.flows.len() as u64 + stored.lost + first;
    assert_eq!(all, 70 * u64::from(RECORDS), "{call} {n}: {} lost", stored.lost);
    was_killed
}
