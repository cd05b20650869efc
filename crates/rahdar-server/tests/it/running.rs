//! A collector that runs while a test does something to it.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use rahdar_model::fact::Gap;
use rahdar_model::store::FlowStore;
use rahdar_model::{Address, Clock, FlowRecord, Prefix, Timestamp, Window};
use rahdar_server::{Books, Exporters, Inherited, Ledger, Server, Settings, Stop};

/// The machine's clock. The kernel stamps datagrams with it, so no other one will do.
pub(crate) struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "a collector on real sockets needs the time of the kernel")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp::from_micros(since.as_micros() as i64)
    }
}

/// Settings for one UDP socket on loopback that anybody on it may send to.
pub(crate) fn settings(spool: &Path) -> Settings {
    let mut settings = Settings::new(spool.to_owned());
    settings.udp = vec!["127.0.0.1:0".parse().unwrap()];
    settings.exporters = Exporters::Only(vec!["127.0.0.0/8".parse().unwrap()]);
    settings.commit_every = Duration::from_millis(300);
    settings
}

/// A collector that runs.
pub(crate) struct Running {
    pub(crate) udp: Vec<SocketAddr>,
    pub(crate) tcp: Vec<SocketAddr>,
    pub(crate) http: Option<SocketAddr>,
    pub(crate) books: Books,
    stop: Stop,
    thread: JoinHandle<(Ledger, Vec<String>)>,
}

impl Running {
    pub(crate) fn start(settings: Settings, store: Arc<dyn FlowStore>) -> Self {
        let server = Server::open(settings, Inherited::default(), Arc::new(RealClock)).unwrap();
        let (udp, tcp) = (server.udp_addresses().unwrap(), server.tcp_addresses().unwrap());
        let http = server.http_address().unwrap();
        let (books, stop) = (server.books(), Stop::new());
        let told = stop.clone();
        let thread = thread::spawn(move || {
            let mut said = Vec::new();
            let ledger = server.run(&*store, &told, &mut |notice| said.push(notice.to_string()));
            (ledger, said)
        });
        Self { udp, tcp, http, books, stop, thread }
    }

    /// Waits until the books say so.
    #[track_caller]
    pub(crate) fn until(&self, holds: impl Fn(&Ledger) -> bool) {
        for _ in 0..400 {
            if holds(&self.books.ledger()) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("it never came about: {:#?}", self.books.ledger());
    }

    /// Whether it ends in a panic, without being told to stop.
    pub(crate) fn dies(self) -> bool {
        for _ in 0..400 {
            if self.thread.is_finished() {
                return self.thread.join().is_err();
            }
            thread::sleep(Duration::from_millis(50));
        }
        false
    }

    /// Stops it; returns the books and what it said.
    pub(crate) fn stop(self) -> (Ledger, Vec<String>) {
        self.stop.stop();
        self.thread.join().unwrap()
    }
}

/// An exporter on loopback.
pub(crate) struct Sender {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Sender {
    pub(crate) fn new(to: SocketAddr) -> Self {
        Self::from("127.0.0.1:0", to)
    }

    pub(crate) fn from(from: &str, to: SocketAddr) -> Self {
        Self { socket: UdpSocket::bind(from).unwrap(), to }
    }

    /// Sends, whether anybody listens or not.
    pub(crate) fn try_send(&self, datagram: &[u8]) {
        let _ = self.socket.send_to(datagram, self.to);
    }

    pub(crate) fn send(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.to).unwrap();
    }
}

/// The exporter that all senders on 127.0.0.1 are.
pub(crate) fn loopback() -> Address {
    "127.0.0.1".parse().unwrap()
}

/// All flows of a store.
pub(crate) fn flows(store: &dyn FlowStore) -> Vec<FlowRecord> {
    let mut flows = Vec::new();
    let everywhere: Prefix = "::/0".parse().unwrap();
    store
        .sightings(&[everywhere], Window::ALL, &mut |sighting| {
            if sighting.end == rahdar_model::store::End::Source {
                flows.push(sighting.flow);
            }
        })
        .unwrap();
    flows
}

/// Octets of all flows of a store.
pub(crate) fn octets(store: &dyn FlowStore) -> u64 {
    flows(store).iter().map(|flow| flow.octets).sum()
}

/// The gaps of a store as `exporter cause lost unit`.
pub(crate) fn gaps(store: &dyn FlowStore) -> Vec<String> {
    let line = |gap: Gap| format!("{} {} {} {}", gap.exporter, gap.cause, gap.lost, gap.unit);
    store.gaps(Window::ALL).unwrap().into_iter().map(line).collect()
}
