//! IPFIX over TCP: sessions, and what they may not do.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rahdar_model::fact::Loss;
use rahdar_server::{Exporters, Settings};
use rahdar_testkit::NaiveStore;

use crate::made::{flows, ipfix, template};
use crate::process::{Process, Setup, TCP, free_port};
use crate::running::{Running, gaps, loopback, settings};

fn with_tcp(spool: &std::path::Path) -> Settings {
    let mut settings = settings(spool);
    settings.tcp = vec!["127.0.0.1:0".parse().unwrap()];
    settings
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

#[test]
fn messages_are_found_however_they_are_cut() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(with_tcp(spool.path()), store.clone());
    let messages = [ipfix(0, 1, &[template(), flows(3)]), ipfix(3, 1, &[flows(2)]), ipfix(5, 1, &[flows(1)])];
    let mut stream = connect(running.tcp[0]);
    for octets in messages.concat().chunks(7) {
        stream.write_all(octets).unwrap();
    }
    drop(stream);
    running.until(|ledger| ledger.rows == 6);
    let (ledger, _) = running.stop();
    assert_eq!((ledger.exporters[&loopback()].account.understood, ledger.broken_streams), (3, 0));
    assert_eq!(gaps(&*store), [""; 0]);
}

#[test]
fn a_template_belongs_to_its_connection() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(with_tcp(spool.path()), store.clone());
    let mut first = connect(running.tcp[0]);
    first.write_all(&ipfix(0, 1, &[template(), flows(3)])).unwrap();
    let mut second = connect(running.tcp[0]);
    second.write_all(&ipfix(0, 1, &[flows(2)])).unwrap();
    drop(second);
    running.until(|ledger| {
        let exporter = ledger.exporters.get(&loopback());
        exporter.is_some_and(|exporter| exporter.account.no_template == 1) && ledger.rows == 3
    });
    first.write_all(&ipfix(3, 1, &[flows(1)])).unwrap();
    running.until(|ledger| ledger.rows == 4);
    drop(first);
    let (ledger, _) = running.stop();
    assert!(ledger.exporters[&loopback()].account.balances());
    assert_eq!(gaps(&*store), ["127.0.0.1 no_template 1 records"]);
}

#[test]
fn what_is_no_ipfix_ends_its_connection_and_no_other() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(with_tcp(spool.path()), store.clone());
    for broken in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 10, 0, 15, 0, 0], &[0, 9, 0, 1]] {
        connect(running.tcp[0]).write_all(broken).unwrap();
    }
    running.until(|ledger| ledger.broken_streams == 3);
    connect(running.tcp[0]).write_all(&ipfix(0, 1, &[template(), flows(1)])).unwrap();
    running.until(|ledger| ledger.rows == 1);
    running.stop();
}

#[test]
fn a_message_that_is_cut_short_is_counted() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(with_tcp(spool.path()), store.clone());
    let whole = ipfix(0, 1, &[template(), flows(1)]);
    let half = &whole[..whole.len() / 2];
    let mut stream = connect(running.tcp[0]);
    stream.write_all(&whole).unwrap();
    stream.write_all(half).unwrap();
    drop(stream);
    running.until(|ledger| ledger.datagrams_lost(Loss::DecodeError) == 1);
    let mut open = connect(running.tcp[0]);
    open.write_all(half).unwrap();
    running.until(|ledger| ledger.rows == 1);
    let (ledger, _) = running.stop();
    assert_eq!(gaps(&*store), ["127.0.0.1 decode_error 1 datagrams", "127.0.0.1 queue_drop 1 datagrams"]);
    let of = &ledger.exporters[&loopback()];
    assert_eq!((of.account.in_error, of.queue_drop, of.unread()), (1, 1, 0));
}

#[test]
fn who_may_not_send_may_not_connect() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let mut settings = with_tcp(spool.path());
    settings.exporters = Exporters::Only(vec!["192.0.2.0/24".parse().unwrap()]);
    let running = Running::start(settings, store.clone());
    let _ = connect(running.tcp[0]).write_all(&ipfix(0, 1, &[template(), flows(1)]));
    running.until(|ledger| ledger.rejected == 1);
    assert_eq!(running.stop().0.rows, 0);
}

#[test]
fn one_peer_has_so_many_connections_and_no_more() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(with_tcp(spool.path()), store.clone());
    let mut open = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(running.tcp[0]);
        // The ones beyond are closed at once.
        let _ = stream.write_all(&ipfix(0, 1, &[template(), flows(1)]));
        open.push(stream);
    }
    running.until(|ledger| ledger.rows == 16);
    drop(open);
    let (ledger, said) = running.stop();
    assert_eq!(ledger.rows, 16);
    assert_eq!(said.iter().filter(|line| line.contains("could not be accepted")).count(), 4, "{said:?}");
}

#[test]
fn a_connection_that_cannot_be_accepted_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let setup = Setup { environment: &[(TCP, "")], ..Setup::new(free_port()) };
    let keeping_what_is_said = ["sh", "-c", r#"exec "$@" 2>"$0""#, said.to_str().unwrap()];
    let process = Process::start(folder.path(), &setup, &keeping_what_is_said.map(str::to_owned));
    process.limit_files(1);
    let mut stream = connect(([127, 0, 0, 1], setup.port).into());
    stream.write_all(&ipfix(0, 1, &[template(), flows(3)])).unwrap();
    let times = || fs::read_to_string(&said).unwrap().matches("could not be accepted: Too many open").count();
    for _ in 0..400 {
        if times() > 1 {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(times() > 1, "it tries again, after a pause: {:?}", fs::read_to_string(&said));
    process.limit_files(1_000);
    process.until(|metrics| metrics.sum("rows_stored_total") == 3);
    assert!(times() <= 10, "a flood of words: {}", times());
}

#[test]
fn what_was_sent_before_the_stop_is_stored() {
    let (spool, store) = (tempfile::tempdir().unwrap(), Arc::new(NaiveStore::new()));
    let running = Running::start(with_tcp(spool.path()), store.clone());
    let mut stream = connect(running.tcp[0]);
    stream.write_all(&ipfix(0, 1, &[template(), flows(1)])).unwrap();
    running.until(|ledger| ledger.exporters.contains_key(&loopback()));
    for n in 0..200 {
        stream.write_all(&ipfix(1 + n, 1, &[flows(1)])).unwrap();
    }
    assert_eq!(running.stop().0.rows, 201);
}
