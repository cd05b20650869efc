//! What is answered over HTTP, and what is not.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rahdar_server::{Inherited, Server, Settings};
use rahdar_testkit::NaiveStore;

use crate::made;
use crate::process::get;
use crate::running::{RealClock, Running, Sender, settings};
use crate::store::Asleep;

fn with_http(spool: &std::path::Path) -> Settings {
    Settings { http: Some("127.0.0.1:0".parse().unwrap()), ..settings(spool) }
}

fn answers(address: SocketAddr, path: &str) -> String {
    let (status, body) = get(address, path);
    format!("{status} {body}")
}

#[test]
fn three_questions_are_answered_and_no_other() {
    let spool = tempfile::tempdir().unwrap();
    let running = Running::start(with_http(spool.path()), Arc::new(NaiveStore::new()));
    let http = running.http.unwrap();
    Sender::new(running.udp[0]).send(&made::v5(0, 30));
    running.until(|ledger| ledger.rows == 30);
    assert_eq!(answers(http, "/healthz"), "200 ok\n");
    assert_eq!(answers(http, "/readyz"), "200 ready\n");
    assert_eq!(get(http, "/metrics"), (200, running.books.ledger().metrics()));
    for path in ["/", "/metrics/", "/healthz/../readyz", "/debug"] {
        assert_eq!(get(http, path).0, 404, "{path}");
    }
    running.stop();
    assert!(TcpStream::connect(http).is_err(), "it ends with the collector");
}

#[test]
fn a_store_that_fails_is_told_until_it_is_well() {
    let (spool, asleep) = (tempfile::tempdir().unwrap(), Arc::new(Asleep::default()));
    let running = Running::start(with_http(spool.path()), Arc::new(NaiveStore::guarded(asleep.clone())));
    let http = running.http.unwrap();
    Sender::new(running.udp[0]).send(&made::v5(0, 30));
    running.until(|ledger| ledger.store_failures > 0);
    assert_eq!(answers(http, "/readyz"), "503 degraded: the flows cannot be stored: the spool keeps them\n");
    assert_eq!(answers(http, "/healthz"), "200 ok\n", "starting it again would not help");
    asleep.wake();
    running.until(|ledger| ledger.rows == 30);
    assert_eq!(answers(http, "/readyz"), "200 ready\n");
    running.stop();
}

#[test]
fn an_address_that_is_taken_is_named() {
    let spool = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let settings = Settings { http: Some(address), ..settings(spool.path()) };
    let error = Server::open(settings, Inherited::default(), Arc::new(RealClock)).err().unwrap();
    assert_eq!(error.to_string(), format!("cannot listen on http `{address}`"));
}

#[test]
fn who_asks_nothing_keeps_nobody_out_for_long() {
    let spool = tempfile::tempdir().unwrap();
    let running = Running::start(with_http(spool.path()), Arc::new(NaiveStore::new()));
    let http = running.http.unwrap();
    let idle: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(http).unwrap()).collect();
    assert_eq!(answers(http, "/healthz"), "200 ok\n");
    drop(idle);
    running.stop();
}
