//! More than the collector can take: every datagram is accounted for (reliability.md R4), and it goes
//! on.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rahdar_model::fact::Loss;
use rahdar_server::Ledger;
use rahdar_testkit::NaiveStore;

use crate::made;
use crate::running::{Running, Sender, flows, gaps, loopback, settings};
use crate::store::Asleep;

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
    for n in 0..sent {
        sender.send(&made::v5(n * 30, 30));
    }
    let (ledger, _) = running.stop();
    check(&ledger, sent.into());
    let dropped = ledger.datagrams_lost(Loss::KernelDrop);
    assert!(dropped > 0, "the kernel took all of it");
    assert_eq!(ledger.rows, (u64::from(sent) - dropped) * 30);
    let gaps = gaps(&*store);
    let told: u64 = gaps.iter().filter_map(|gap| gap.split(' ').rev().nth(1)?.parse::<u64>().ok()).sum();
    assert!(gaps.iter().all(|gap| gap.contains("kernel_drop")), "lost once, counted once: {gaps:?}");
    assert_eq!(told, dropped);
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

/// A disk that is full drops, says so, and is used again when there is room (reliability.md R8).
#[test]
fn a_disk_that_is_full_is_counted_and_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().to_str().unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk];
    if !Command::new("mount").args(mount).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: only root can mount a small disk");
        return;
    }
    let store = Arc::new(NaiveStore::new());
    let filler = folder.path().join("filler");
    fs::write(&filler, vec![0; 128 << 10]).unwrap();
    let running = Running::start(settings(&folder.path().join("spool")), store.clone());
    let sender = Sender::new(running.udp[0]);
    let mut sent = 0;
    let mut send = |datagrams| {
        for _ in 0..datagrams {
            sender.send(&made::v5(sent * 30, 30));
            sent += 1;
        }
    };
    // All in less than a beat: more than the disk holds.
    send(200);
    running.until(|ledger| ledger.datagrams_lost(Loss::QueueDrop) > 0);
    fs::remove_file(&filler).unwrap();
    running.until(|ledger| ledger.exporters[&loopback()].unread() == 0);
    let before = running.books.ledger().exporters[&loopback()].spooled;
    for _ in 0..40 {
        send(1);
        thread::sleep(Duration::from_millis(50));
    }
    let (ledger, said) = running.stop();
    assert!(Command::new("umount").arg(disk).status().unwrap().success());
    check(&ledger, sent.into());
    check_once(&ledger, &store);
    assert!(ledger.exporters[&loopback()].spooled > before, "{ledger:?}");
    assert!(said.iter().any(|line| line.contains("the spool cannot be written")), "{said:?}");
    assert!(said.iter().any(|line| line.contains("takes datagrams again")), "{said:?}");
}
