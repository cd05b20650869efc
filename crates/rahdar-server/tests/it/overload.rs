//! More than the collector can take: every datagram is accounted for (reliability.md R4), and it goes
//! on.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rahdar_model::fact::{Loss, Unit, is_anybodys};
use rahdar_model::reserve::reserve_octets;
use rahdar_model::{Clock, FlowStore, Window};
use rahdar_server::Ledger;
use rahdar_testkit::NaiveStore;
use tempfile::TempDir;

use crate::made;
use crate::pace::paced;
use crate::process::{Process, Setup, free_port, get, since};
use crate::running::{RealClock, Running, Sender, flows, gaps, loopback, settings};
use crate::store::{Asleep, Panics};
use crate::tier::Tier;

/// What was sent must be what the books say, to the last datagram.
#[track_caller]
fn check(ledger: &Ledger, sent: u64) {
    let exporter = &ledger.exporters[&loopback()];
    let account = &exporter.account;
    let stored = account.understood;
    let lost: u64 = [
        Loss::KernelDrop,
        Loss::QueueDrop,
        Loss::RateLimited,
        Loss::Rejected,
        Loss::NoTemplate,
        Loss::DecodeError,
    ]
    .map(|cause| ledger.datagrams_lost(cause))
    .iter()
    .sum();
    assert_eq!(stored + lost, sent, "{ledger:#?}");
    assert_eq!(exporter.unread(), 0);
    assert!(account.balances());
}

#[test]
fn a_burst_that_the_kernel_cannot_hold_is_counted() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let mut settings = settings(spool.path());
    // The least that Linux gives.
    settings.buffer_octets = 1;
    let running = Running::start(settings, store.clone());
    let sender = Sender::new(running.udp[0]);
    let sent = 20_000;
    let begun = RealClock.now();
    for n in 0..sent {
        sender.send(&made::v5(n * 30, 30));
    }
    let took_us = RealClock.now().since(begun);
    let (ledger, _) = running.stop();
    check(&ledger, sent.into());
    let dropped = ledger.datagrams_lost(Loss::KernelDrop);
    assert!(dropped > 0, "the kernel took all of it");
    assert_eq!(ledger.rows, (u64::from(sent) - dropped) * 30);
    let gaps = store.gaps(Window::ALL).unwrap();
    assert!(gaps.iter().all(|gap| gap.cause == Loss::KernelDrop), "lost once, counted once: {gaps:?}");
    let (of_socket, of_exporter): (Vec<_>, Vec<_>) = gaps.iter().partition(|gap| is_anybodys(&gap.exporter));
    assert_eq!(of_socket.iter().map(|gap| gap.lost).sum::<u64>(), dropped);
    // Of the last ones no later number tells, and a second's drops are counted after it.
    let told: u64 = of_exporter.iter().map(|gap| gap.lost).sum();
    assert!(told > 0 && told.is_multiple_of(30) && told <= 30 * dropped, "{told} of {dropped}: {gaps:?}");
    assert!(of_exporter.iter().all(|gap| &*gap.exporter == "127.0.0.1" && gap.unit == Unit::Records));
    let longest_us = of_socket.iter().map(|gap| gap.window.until.since(gap.window.from)).max();
    // It looks once a second.
    assert!(longest_us >= Some((took_us / 2).min(900_000)), "since it was last looked: {of_socket:?}");
}

/// It ends, so that a service manager starts it again; it does not go on to listen in vain.
#[test]
fn a_store_that_panics_ends_the_collector() {
    let spool = tempfile::tempdir().unwrap();
    let running = Running::start(settings(spool.path()), Arc::new(NaiveStore::guarded(Arc::new(Panics))));
    Sender::new(running.udp[0]).send(&made::v5(0, 30));
    assert!(running.dies());
}

/// What it decodes for a store that fails, it decodes less and less often.
#[test]
fn a_store_that_fails_is_asked_less_and_less_often() {
    let (spool, asleep) = (tempfile::tempdir().unwrap(), Arc::new(Asleep::default()));
    let store = Arc::new(NaiveStore::guarded(asleep.clone()));
    let running = Running::start(settings(spool.path()), store);
    Sender::new(running.udp[0]).send(&made::v5(0, 30));
    running.until(|ledger| ledger.store_failures > 0);
    // Half a second, one, two.
    thread::sleep(Duration::from_secs(3));
    let failures = running.books.ledger().store_failures;
    assert!((1..=3).contains(&failures), "{failures}");
    asleep.wake();
    assert_eq!(running.stop().0.rows, 30, "at a stop it is asked at once");
}

#[test]
fn a_spool_that_is_full_is_counted_and_taken_up_again() {
    let (spool, asleep) = (tempfile::tempdir().unwrap(), Arc::new(Asleep::default()));
    let store = Arc::new(NaiveStore::guarded(asleep.clone()));
    let mut settings = settings(spool.path());
    settings.spool_octets_max = 300_000;
    settings.segment_octets = 50_000;
    let running = Running::start(settings, store.clone());
    let sender = Sender::new(running.udp[0]);
    let mut sent = 0;
    while sent < 1_000 {
        sender.send(&made::v5(sent * 30, 30));
        sent += 1;
        if sent % 50 == 0 {
            thread::sleep(Duration::from_millis(5));
        }
    }
    running.until(|ledger| ledger.datagrams_lost(Loss::QueueDrop) > 0 && ledger.store_failures > 0);
    assert!(running.books.ledger().spool_octets <= 300_000);
    asleep.wake();
    running.until(|ledger| ledger.spool_octets < 100_000);
    sender.send(&made::v5(sent * 30, 30));
    sent += 1;
    let (ledger, said) = running.stop();
    check(&ledger, sent.into());
    let dropped = ledger.datagrams_lost(Loss::QueueDrop);
    assert!(dropped > 100, "{ledger:?}");
    let gaps = gaps(&*store);
    let of_queue = |gap: &&String| gap.starts_with("127.0.0.1 queue_drop");
    let told: u64 =
        gaps.iter().filter(of_queue).filter_map(|gap| gap.split(' ').nth(2)?.parse::<u64>().ok()).sum();
    assert_eq!(told, dropped, "{gaps:?}");
    for line in ["the spool is full", "the spool takes datagrams again", "flows are stored again"] {
        assert!(said.iter().any(|said| said.contains(line)), "{line}: {said:?}");
    }
    check_once(&ledger, &store);
}

/// The store holds as many flows as the ledger says, each once.
#[track_caller]
fn check_once(ledger: &Ledger, store: &NaiveStore) {
    let mut octets: Vec<u64> = flows(store).iter().map(|flow| flow.octets).collect();
    assert_eq!(octets.len() as u64, ledger.rows);
    octets.sort_unstable();
    octets.dedup();
    assert_eq!(octets.len() as u64, ledger.rows, "a flow is stored twice");
}

/// A disk of its own, of which there is little. It is taken down at the end, when nothing is open on it.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// None if this user cannot have one, which is said.
    fn mount(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", options, "tmpfs", folder.path().to_str().unwrap()];
        if !Command::new("mount").args(mount).status().is_ok_and(|status| status.success()) {
            rahdar_testkit::skipped("only root can mount a small disk");
            return None;
        }
        Some(Self { folder })
    }

    fn free(&self) -> u64 {
        let disk = nix::sys::statvfs::statvfs(self.folder.path()).unwrap();
        disk.blocks_available() * disk.fragment_size()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).status();
    }
}

/// A disk that is full drops, says so, and is used again when there is room (reliability.md R8).
#[test]
fn a_disk_that_is_full_is_counted_and_used_again() {
    let Some(disk) = SmallDisk::mount("size=4m,nr_inodes=40") else { return };
    let store = Arc::new(NaiveStore::new());
    let mut settings = settings(&disk.folder.path().join("spool"));
    settings.http = Some("127.0.0.1:0".parse().unwrap());
    let running = Running::start(settings, store.clone());
    let is_ready = || get(running.http.unwrap(), "/readyz").0 == 200;
    // It has room for octets, and none for files.
    let filler = |n: u32| disk.folder.path().join(n.to_string());
    let fillers = (0..).take_while(|n| fs::write(filler(*n), "").is_ok()).count() as u32;
    let sender = Sender::new(running.udp[0]);
    let mut sent = 0;
    let mut send = |datagrams| {
        for _ in 0..datagrams {
            sender.send(&made::v5(sent * 30, 30));
            sent += 1;
        }
    };
    send(200);
    running.until(|ledger| ledger.datagrams_lost(Loss::QueueDrop) > 0);
    assert!(!is_ready());
    (0..fillers).for_each(|n| fs::remove_file(filler(n)).unwrap());
    running.until(|ledger| ledger.exporters[&loopback()].unread() == 0);
    running.until(|_| is_ready());
    let before = running.books.ledger().exporters[&loopback()].spooled;
    for _ in 0..40 {
        send(1);
        thread::sleep(Duration::from_millis(50));
    }
    let (ledger, said) = running.stop();
    check(&ledger, sent.into());
    check_once(&ledger, &store);
    assert!(ledger.exporters[&loopback()].spooled > before, "{ledger:?}");
    assert!(said.iter().any(|line| line.contains("the spool cannot be written")), "{said:?}");
    assert!(said.iter().any(|line| line.contains("takes datagrams again")), "{said:?}");
}

/// The spool leaves the reserve of its disk to others, and takes datagrams again when there is more (reliability.md R8).
#[test]
fn the_reserve_of_a_disk_is_left_free() {
    let Some(disk) = SmallDisk::mount("size=2m") else { return };
    let reserve = reserve_octets(2 << 20);
    let asleep = Arc::new(Asleep::default());
    let store = Arc::new(NaiveStore::guarded(asleep.clone()));
    let mut settings = settings(&disk.folder.path().join("spool"));
    settings.http = Some("127.0.0.1:0".parse().unwrap());
    let running = Running::start(settings, store.clone());
    let readyz = || get(running.http.unwrap(), "/readyz");
    let sender = Sender::new(running.udp[0]);
    let mut sent = 0;
    let mut send = || {
        sender.send(&made::v5(sent * 30, 30));
        sent += 1;
        thread::sleep(Duration::from_millis(1));
    };
    (0..2_000).for_each(|_| send());
    running.until(|ledger| ledger.datagrams_lost(Loss::QueueDrop) > 0);
    send();
    let (status, troubles) = readyz();
    assert!(status == 503 && troubles.contains("make room"), "{status} {troubles}");
    // Files take whole pages.
    assert!(disk.free() >= reserve * 3 / 4, "{} of {reserve} are left", disk.free());
    fs::write(disk.folder.path().join("case"), vec![0; reserve as usize / 2]).unwrap();
    asleep.wake();
    running.until(|ledger| ledger.exporters[&loopback()].unread() == 0);
    let before = running.books.ledger().exporters[&loopback()].spooled;
    (0..2_000).for_each(|_| send());
    let (ledger, said) = running.stop();
    check(&ledger, sent.into());
    check_once(&ledger, &store);
    assert!(ledger.exporters[&loopback()].spooled > before, "{ledger:?}");
    for line in ["are kept free: datagrams are dropped", "takes datagrams again"] {
        assert!(said.iter().any(|said| said.contains(line)), "{line}: {said:?}");
    }
    assert!(!said.iter().any(|said| said.contains("cannot be written")), "{said:?}");
}

/// Datagrams a second that the store takes, of 30 records each. It is slow on purpose, so that ten times as many
/// can be sent on a machine that has other things to do.
const CAPACITY: u64 = 200;

/// What the collector may take at most (reliability.md R5).
const MEMORY_MAX_KIB: u64 = 512 << 10;

/// At the capacity nothing is lost; at ten times as much it goes on, takes no more memory, still stores what it can,
/// and says that it sheds (reliability.md R5).
#[test]
fn ten_times_too_much_is_shed_and_counted_and_said() {
    let tier = Tier::of("overload");
    // In memory where there is such a place: the store is to be the slow one, not a disk that others use.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let setup = Setup { rows_per_second: Some(30 * CAPACITY), ..Setup::new(free_port()) };
    let process = Process::start(folder.path(), &setup, &[]);
    let sender = Sender::new(format!("127.0.0.1:{}", setup.port).parse().unwrap());
    let mut sent = 0;
    let mut send = |per_second, lasting| {
        let before = sent as u32;
        sent +=
            paced(per_second, lasting, |n| sender.send(&made::v5((before + n as u32).wrapping_mul(30), 30)));
    };

    send(CAPACITY, tier.choose(Duration::from_secs(3), Duration::from_secs(10)));
    assert_eq!(
        process.metrics().sum("messages_lost_total{"),
        0,
        "the capacity is less than it is said to be"
    );
    assert_eq!(process.get("/readyz").0, 200);

    let lasting = tier.lasting(Duration::from_secs(10), Duration::from_secs(60));
    let (degraded_in, stored) = thread::scope(|scope| {
        let overload = scope.spawn(|| send(10 * CAPACITY, lasting));
        let degraded_in = process.until_ready(503);
        // When rows were stored, and how many there were.
        let (begun, mut stored) = (RealClock.now(), Vec::new());
        while !overload.is_finished() {
            let rows = process.metrics().sum("rows_stored_total ");
            if stored.last().is_none_or(|(_, last)| *last != rows) {
                stored.push((since(begun), rows));
            }
            assert_eq!(process.get("/readyz").0, 503);
            thread::sleep(Duration::from_millis(20));
        }
        (degraded_in, stored)
    });
    let well = thread::scope(|scope| {
        scope.spawn(|| send(CAPACITY / 2, Duration::from_secs(6)));
        process.until_ready(200)
    });

    let (_, peak_kib) = process.memory_kib();
    let (_, metrics) = process.terminate();
    let lost = metrics.sum("messages_lost_total{");
    // Rows come with commits: from one to another, the first being cut off by the beginning.
    let [_, (first, before), .., (last, after)] = stored[..] else { panic!("too few commits: {stored:?}") };
    let goodput = (after - before) as f64 / (last - first).as_secs_f64() / 30.0;
    tier.say(&format!(
        "10x for {lasting:?}: {sent} sent, {} queue_drop, {} kernel_drop, {goodput:.0} of {CAPACITY} datagrams a second stored, \
         {peak_kib} KiB at most, degraded in {degraded_in:?}, ready in {well:?}",
        metrics.lost("queue_drop"),
        metrics.lost("kernel_drop")
    ));
    assert_eq!(metrics.sum("messages_understood_total{") + lost, sent, "residual 0");
    assert_eq!(metrics.lost("queue_drop") + metrics.lost("kernel_drop") + metrics.lost("rate_limited"), lost);
    assert!(degraded_in <= Duration::from_secs(2), "{degraded_in:?}");
    assert!(well <= Duration::from_secs(5), "{well:?}");
    assert!(peak_kib <= MEMORY_MAX_KIB, "{peak_kib} KiB");
    assert!(goodput >= 0.8 * CAPACITY as f64, "{goodput} of {CAPACITY}");
}
