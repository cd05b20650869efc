//! Datagrams: stored, or counted.

use std::sync::Arc;

use rahdar_model::flow::Sampler;
use rahdar_model::{FlowRecord, Quality};
use rahdar_server::{Exporters, Rate, Told};
use rahdar_testkit::NaiveStore;

use crate::made::{self, EXPORTED_S};
use crate::running::{Running, Sender, flows, gaps, loopback, octets, settings};

#[test]
fn what_is_sent_is_stored_at_the_stop() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(settings(spool.path()), store.clone());
    let sender = Sender::new(running.udp[0]);
    for n in 0..10 {
        sender.send(&made::v5(n * 30, 30));
    }
    let (ledger, said) = running.stop();
    let exporter = ledger.exporters[&loopback()];
    assert_eq!((exporter.spooled, exporter.account.understood, exporter.unread()), (10, 10, 0));
    assert_eq!((ledger.rows, octets(&*store)), (300, made::v5_octets(0..300)));
    assert_eq!(gaps(&*store), [""; 0]);
    assert!(said.iter().all(|line| line.starts_with("listening on udp")), "{said:?}");
    let first = &flows(&*store)[0];
    assert_eq!((&*first.exporter, first.source_row), ("127.0.0.1", 1));
    assert!(first.source.starts_with("spool/"), "{}", first.source);
    assert!(first.received_time.unwrap().micros() > i64::from(EXPORTED_S) * 1_000_000);
}

#[test]
fn flows_are_stored_while_it_runs() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(settings(spool.path()), store.clone());
    let sender = Sender::new(running.udp[0]);
    for n in 0..3 {
        sender.send(&made::v5(n * 30, 30));
        running.until(|ledger| ledger.rows == u64::from(n + 1) * 30);
    }
    let segments = || {
        let names = std::fs::read_dir(spool.path()).unwrap().map(|found| found.unwrap().file_name());
        names.filter(|name| name.to_str().unwrap().ends_with(".segment")).count()
    };
    let (ledger, _) = running.stop();
    assert_eq!((ledger.rows, segments()), (90, 0));
    assert!(ledger.commits >= 3, "{ledger:?}");
}

#[test]
fn who_may_not_send_is_counted_and_leaves_nothing() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let mut settings = settings(spool.path());
    settings.exporters = Exporters::Only(vec!["127.0.0.1/32".parse().unwrap()]);
    let running = Running::start(settings, store.clone());
    for host in 2..12 {
        let stranger = Sender::from(&format!("127.0.0.{host}:0"), running.udp[0]);
        for n in 0..5 {
            stranger.send(&made::v5(n * 30, 30));
        }
    }
    Sender::new(running.udp[0]).send(&made::v5(0, 1));
    let (ledger, said) = running.stop();
    assert_eq!((ledger.rejected, ledger.rows, ledger.exporters.len()), (50, 1, 1));
    assert_eq!(gaps(&*store), ["strangers rejected 50 datagrams"]);
    assert_eq!(said.iter().filter(|line| line.contains("--exporter-allow")).count(), 1, "{said:?}");
}

#[test]
fn who_sends_too_much_is_limited_exactly() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let mut settings = settings(spool.path());
    settings.rate = Rate { per_second: 1, burst: 20 };
    let running = Running::start(settings, store.clone());
    let sender = Sender::new(running.udp[0]);
    for n in 0..100 {
        sender.send(&made::v5(n * 30, 30));
    }
    let (ledger, _) = running.stop();
    let exporter = ledger.exporters[&loopback()];
    // A slow machine may earn the exporter a second or two more.
    assert_eq!(exporter.spooled + exporter.rate_limited, 100);
    assert!((20..30).contains(&exporter.spooled), "{exporter:?}");
    assert_eq!(gaps(&*store), [format!("127.0.0.1 rate_limited {} datagrams", exporter.rate_limited)]);
}

#[test]
fn a_gap_in_the_sequence_is_stored() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(settings(spool.path()), store.clone());
    let sender = Sender::new(running.udp[0]);
    for n in (0..20).filter(|n| *n != 7 && *n != 12) {
        sender.send(&made::v5(n * 30, 30));
    }
    let (ledger, _) = running.stop();
    assert_eq!(ledger.exporters[&loopback()].account.lost_records, 60);
    assert_eq!(gaps(&*store), ["127.0.0.1 sequence 60 records"]);
}

#[test]
fn what_is_no_export_is_counted() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(settings(spool.path()), store.clone());
    let sender = Sender::new(running.udp[0]);
    sender.send(b"GET / HTTP/1.1");
    sender.send(b"");
    sender.send(&made::v5(0, 2));
    let (ledger, said) = running.stop();
    let account = ledger.exporters[&loopback()].account;
    assert_eq!((account.messages, account.understood, account.in_error), (3, 1, 2));
    assert!(account.balances(), "{account:?}");
    assert_eq!(gaps(&*store), ["127.0.0.1 decode_error 2 records"]);
    assert!(said.iter().any(|line| line.contains("is no export that is read")), "{said:?}");
}

#[test]
fn one_collector_has_several_sockets_of_both_families() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let mut settings = settings(spool.path());
    settings.udp = vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
    settings.exporters = Exporters::Any;
    let running = Running::start(settings, store.clone());
    Sender::new(running.udp[0]).send(&made::v5(0, 1));
    Sender::from("[::1]:0", running.udp[1]).send(&made::v5(0, 2));
    let (ledger, _) = running.stop();
    let rows: Vec<_> =
        ledger.exporters.iter().map(|(who, of)| (who.to_string(), of.account.tally.flows)).collect();
    assert_eq!(rows, [("::1".to_owned(), 2), ("127.0.0.1".to_owned(), 1)]);
}

#[test]
fn an_exporter_is_called_and_scaled_as_the_operator_says() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let mut settings = settings(spool.path());
    let told = Told { name: Some("kabul-1".into()), sampling: Some(512), ..Told::default() };
    settings.told.insert(loopback(), told);
    let running = Running::start(settings, store.clone());
    let (named, other) = (Sender::new(running.udp[0]), Sender::from("127.0.0.2:0", running.udp[0]));
    for n in [0, 2] {
        named.send(&made::v5(n * 30, 30));
    }
    other.send(&made::v5(0, 30));
    let (ledger, _) = running.stop();
    let mut seen: Vec<_> =
        flows(&*store).iter().map(|flow| (flow.exporter.to_string(), flow.sampling_interval)).collect();
    seen.dedup();
    assert_eq!(seen, [("kabul-1".to_owned(), Some(512)), ("127.0.0.2".to_owned(), None)]);
    assert_eq!(gaps(&*store), ["kabul-1 sequence 30 records"]);
    assert!(ledger.exporters.contains_key(&loopback()), "the books know it by its address");
}

#[test]
fn flows_of_a_rate_that_the_operator_told_are_stored_at_once() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let mut settings = settings(spool.path());
    settings.told.insert(loopback(), Told { sampling: Some(512), ..Told::default() });
    let running = Running::start(settings, store.clone());
    let (told, other) = (Sender::new(running.udp[0]), Sender::from("127.0.0.2:0", running.udp[0]));
    for sender in [other, told] {
        sender.send(&made::ipfix(0, 7, &[made::template_of_no_rate(), made::flows_of_no_rate(3)]));
    }
    running.until(|ledger| ledger.exporters.get(&loopback()).is_some_and(|of| of.account.tally.flows == 3));
    running.until(|ledger| ledger.rows == 3);
    let (ledger, _) = running.stop();
    assert_eq!(ledger.rows, 6, "what waits for a word is stored at the stop");
    let unknown = |flow: &&FlowRecord| flow.quality.contains(Quality::RATE_UNKNOWN);
    let stored = flows(&*store);
    let of_others: Vec<_> = stored.iter().filter(unknown).map(|flow| &*flow.exporter).collect();
    assert_eq!(of_others, ["127.0.0.2"; 3]);
}

#[test]
fn that_an_exporter_samples_flows_the_operator_says() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let mut settings = settings(spool.path());
    settings.told.insert(loopback(), Told { flows_sampled: true, ..Told::default() });
    let running = Running::start(settings, store.clone());
    let (told, other) = (Sender::new(running.udp[0]), Sender::from("127.0.0.2:0", running.udp[0]));
    for sender in [other, told] {
        sender.send(&made::ipfix(0, 7, &[made::template(), made::flows_sampled(1, 100)]));
    }
    running.stop();
    let mut seen: Vec<_> = flows(&*store)
        .iter()
        .map(|flow| (flow.exporter.to_string(), flow.sampling_interval, flow.sampler))
        .collect();
    seen.sort_by(|one, other| one.0.cmp(&other.0));
    let expected =
        [("127.0.0.1".into(), Some(100), Some(Sampler::Flow)), ("127.0.0.2".into(), Some(100), None)];
    assert_eq!(seen, expected);
}
