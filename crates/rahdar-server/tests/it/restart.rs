//! What survives a restart.

use std::fs;
use std::sync::Arc;

use rahdar_testkit::NaiveStore;

use crate::made::{self, flows, ipfix, template};
use crate::running::{Running, Sender, gaps, loopback, settings};

#[test]
fn templates_are_known_after_a_restart() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(settings(spool.path()), store.clone());
    let sender = Sender::new(running.udp[0]);
    sender.send(&ipfix(0, 7, &[template(), flows(2)]));
    let port = running.udp[0];
    assert_eq!(running.stop().0.rows, 2);

    let mut again = settings(spool.path());
    again.udp = vec![port];
    let running = Running::start(again, store.clone());
    sender.send(&ipfix(2, 7, &[flows(3)]));
    let (ledger, said) = running.stop();
    assert_eq!((ledger.rows, ledger.exporters[&loopback()].account.waiting), (3, 0));
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(gaps(&*store), [""; 0], "the sequence goes on");
}

#[test]
fn what_waits_for_a_template_waits_across_a_restart() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(settings(spool.path()), store.clone());
    let (sender, port) = (Sender::new(running.udp[0]), running.udp[0]);
    sender.send(&ipfix(0, 7, &[flows(2)]));
    let (ledger, _) = running.stop();
    assert_eq!((ledger.rows, ledger.exporters[&loopback()].account.waiting), (0, 1));

    let mut again = settings(spool.path());
    again.udp = vec![port];
    let running = Running::start(again, store.clone());
    sender.send(&ipfix(2, 7, &[template()]));
    let (ledger, _) = running.stop();
    let exporter = ledger.exporters[&loopback()];
    assert_eq!((ledger.rows, exporter.recovered, exporter.unread()), (2, 1, 0));
    assert_eq!((exporter.account.waiting, exporter.account.understood), (0, 2));
    assert!(exporter.account.balances(), "{exporter:?}");
}

#[test]
fn what_was_lost_while_nobody_listened_is_a_gap() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(settings(spool.path()), store.clone());
    let (sender, port) = (Sender::new(running.udp[0]), running.udp[0]);
    sender.send(&made::v5(0, 30));
    sender.send(&made::v5(30, 30));
    running.stop();
    let mut again = settings(spool.path());
    again.udp = vec![port];
    let running = Running::start(again, store.clone());
    sender.send(&made::v5(960, 30));
    running.stop();
    assert_eq!(gaps(&*store), ["127.0.0.1 sequence 900 records"]);
}

#[test]
fn a_state_that_is_damaged_is_said_and_templates_come_again() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(settings(spool.path()), store.clone());
    let (sender, port) = (Sender::new(running.udp[0]), running.udp[0]);
    sender.send(&ipfix(0, 7, &[template(), flows(2)]));
    running.stop();
    let path = spool.path().join("state");
    let mut state = fs::read(&path).unwrap();
    *state.last_mut().unwrap() ^= 1;
    fs::write(&path, state).unwrap();

    let mut again = settings(spool.path());
    again.udp = vec![port];
    let running = Running::start(again, store.clone());
    sender.send(&ipfix(2, 7, &[flows(1)]));
    sender.send(&ipfix(3, 7, &[template(), flows(1)]));
    let (ledger, said) = running.stop();
    assert_eq!(ledger.rows, 2);
    assert!(said.iter().any(|line| line.contains("templates have to come again")), "{said:?}");
}
