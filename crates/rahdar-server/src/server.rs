//! The collector as a whole: its threads, how they start and how they end.
//!
//! Each socket and each connection has a thread that writes to the spool. Another wakes every second: it
//! writes losses, ends segments that are old, and syncs. The calling thread stores the segments that have
//! ended. At a stop, sockets are read until they are empty, and everything is stored.

use std::collections::{BTreeMap, HashMap};
use std::fs::TryLockError;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rahdar_model::time::SECOND_US;
use rahdar_model::{Address, Clock, FlowStore, Timestamp};
use rahdar_wire::Options;
use thiserror::Error;

use crate::decoder::Decoder;
use crate::gate::{Exporters, Gate, Rate};
use crate::health::Trouble;
use crate::http::Http;
use crate::inbox::Inbox;
use crate::inherited::{Inherited, Place, places};
use crate::kernel;
use crate::ledger::Ledger;
use crate::marks::Marks;
use crate::notice::{Notice, Origin};
use crate::operator::{Operator, Told};
use crate::segment::{Entry, Received};
use crate::spool::{Damage, Limits, Spool};
use crate::tcp::{CONNECTIONS_MAX, CONNECTIONS_OF_PEER_MAX, Connection, Next, Tcp};
use crate::udp::{Buffers, Udp};

/// How often the spool is synced, losses are written and counters are read.
const BEAT: Duration = Duration::from_secs(1);

/// How long sockets are read at a stop, if they never get empty.
const DRAIN_US: i64 = 2 * SECOND_US;

/// How long to wait before something that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// How long to wait at most for a store that fails again and again: each time a million flows are decoded for it.
/// Twice as long each time until then. Chosen here: what the spool holds lasts for longer.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Octets that a spool must be allowed to hold, so that any datagram fits into one of its segments.
const SPOOL_OCTETS_LEAST: u64 = 256 << 10;

/// Times that the store is asked at a stop before the rest is left in the spool.
const LAST_TRIES: usize = 3;

/// How a collector is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// UDP sockets, for any protocol.
    pub udp: Vec<SocketAddr>,
    /// TCP sockets, for IPFIX.
    pub tcp: Vec<SocketAddr>,
    /// Who may send.
    pub exporters: Exporters,
    /// How much each of them may send.
    pub rate: Rate,
    /// The folder of the spool.
    pub spool: PathBuf,
    /// Octets that the spool may hold: 256 KiB at least.
    pub spool_octets_max: u64,
    /// Octets after which a segment ends; an eighth of what the spool may hold, if that is less.
    pub segment_octets: u64,
    /// How often flows are stored.
    pub commit_every: Duration,
    /// Octets that the kernel is asked to keep for each UDP socket.
    pub buffer_octets: usize,
    /// What the operator says about all exporters.
    pub options: Options,
    /// What the operator says about single ones.
    pub told: BTreeMap<Address, Told>,
    /// Where metrics and the state of health are asked for; nowhere without.
    pub http: Option<SocketAddr>,
}

impl Settings {
    /// Settings with a spool in this folder, without sockets, that let nobody send: 4 GiB of spool, segments of
    /// 64 MiB, a commit every 30 seconds, 64 MiB for the kernel. Chosen here: half an hour of a
    /// full store at a thousand datagrams a second; files that are large against a seek; flows half a minute
    /// old at most; a second of a full link (reliability.md §4).
    pub fn new(spool: PathBuf) -> Self {
        Self {
            udp: Vec::new(),
            tcp: Vec::new(),
            exporters: Exporters::Only(Vec::new()),
            rate: Rate::default(),
            spool,
            spool_octets_max: 4 << 30,
            segment_octets: 64 << 20,
            commit_every: Duration::from_secs(30),
            buffer_octets: 64 << 20,
            options: Options::default(),
            told: BTreeMap::new(),
            http: None,
        }
    }
}

/// Why a collector cannot run.
#[derive(Debug, Error)]
pub enum ServerError {
    /// Another process has the spool. End it, or take another spool.
    #[error("another collector uses the spool `{}`", folder.display())]
    InUse {
        /// The spool.
        folder: PathBuf,
    },
    /// The spool cannot be used. Look at the disk and its rights.
    #[error("the spool `{}` cannot be opened", folder.display())]
    Spool {
        /// The spool.
        folder: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The spool may hold too little. Allow more.
    #[error("a spool of {octets} octets is too small: {least} are needed")]
    SmallSpool {
        /// What it may hold.
        octets: u64,
        /// What it needs.
        least: u64,
    },
    /// There is nothing to listen on. Give an address, or have sockets handed over.
    #[error(
        "no socket to listen on; hint: --netflow, --sflow or --ipfix-tcp, or start it by the unit of its sockets"
    )]
    NoSocket,
    /// What was handed over is no UDP socket and no TCP socket that listens. Look at the unit of the sockets.
    #[error("descriptor {descriptor}, which was handed over, is no UDP socket and no listening TCP socket")]
    Inherited {
        /// Its number.
        descriptor: usize,
    },
    /// A socket was handed over at an address that is not among those given. Give it, or none at all.
    #[error("a socket on {transport} `{address}` was handed over, and no option names that address")]
    Unnamed {
        /// `udp` or `tcp`.
        transport: &'static str,
        /// Its address.
        address: SocketAddr,
    },
    /// Two sockets were handed over that listen on one address. Hand over one.
    #[error("two sockets on {transport} `{address}` were handed over")]
    Twice {
        /// `udp` or `tcp`.
        transport: &'static str,
        /// Their address.
        address: SocketAddr,
    },
    /// What the kernel dropped of sockets that were handed over cannot be told from what was counted. Let the collector read `/proc`.
    #[error("the drops of sockets that were handed over cannot be counted")]
    Drops {
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The address cannot be listened on. Take another, or end who has it.
    #[error("cannot listen on {transport} `{address}`")]
    Listen {
        /// `udp`, `tcp` or `http`.
        transport: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

/// Tells a server to end. Clones tell the same server.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Not told yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells it.
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// What is set when it is told.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }

    fn is_told(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Waits, and says whether it may go on: it was not told to stop meanwhile.
    pub fn wait(&self, duration: Duration) -> bool {
        let mut left = duration;
        while !left.is_zero() && !self.is_told() {
            let step = left.min(BEAT / 4);
            thread::sleep(step);
            left -= step;
        }
        !self.is_told()
    }
}

/// The books of a running collector, to be read at any time.
#[derive(Debug, Clone)]
pub struct Books(Arc<Shared>);

impl Books {
    /// The counts as they are now.
    pub fn ledger(&self) -> Ledger {
        let inbox = self.0.inbox();
        Ledger { spool_octets: inbox.spool.octets(), ..inbox.ledger.clone() }
    }

    /// Why datagrams are lost, or wait, at `now`.
    pub(crate) fn troubles(&self, now: Timestamp) -> Vec<Trouble> {
        self.0.inbox().health.troubles(now)
    }
}

/// What all threads share.
#[derive(Debug)]
struct Shared {
    inbox: Mutex<Inbox>,
    /// A segment may have ended.
    ended: Condvar,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Counts and files stay whole whatever thread died holding them.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A collector whose sockets and spool are open.
pub struct Server {
    clock: Arc<dyn Clock>,
    udp: Vec<Udp>,
    tcp: Vec<Tcp>,
    http: Option<Http>,
    shared: Arc<Shared>,
    decoder: Decoder,
    /// The first segment that is of this process.
    first_own: u64,
}

impl Server {
    /// Opens the spool, recovers what is in it, and opens the sockets that were not handed over. Datagrams wait in
    /// the kernel from here on.
    ///
    /// # Errors
    /// [`ServerError`], by what the operator can do.
    pub fn open(
        settings: Settings,
        inherited: Inherited,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServerError> {
        let folder = || settings.spool.clone();
        let (octets, least) = (settings.spool_octets_max, SPOOL_OCTETS_LEAST);
        if octets < least {
            return Err(ServerError::SmallSpool { octets, least });
        }
        let has_named = !settings.udp.is_empty() || !settings.tcp.is_empty();
        if !has_named && inherited.is_empty() {
            return Err(ServerError::NoSocket);
        }
        let mut ledger = Ledger { spool_octets_max: settings.spool_octets_max, ..Ledger::default() };
        let limits = Limits {
            octets: settings.spool_octets_max,
            segment_octets: settings.segment_octets,
            segment_age_us: i64::try_from(settings.commit_every.as_micros()).unwrap_or(i64::MAX),
        };
        let (mut spool, cut) = Spool::open(&settings.spool, limits).map_err(|error| match error {
            TryLockError::WouldBlock => ServerError::InUse { folder: folder() },
            TryLockError::Error(cause) => ServerError::Spool { folder: folder(), cause },
        })?;
        let (decoder, notice) =
            Decoder::open(&settings.spool, &settings.options, Operator::new(&settings.told), &mut ledger);
        let gone_on = spool.go_on_after(decoder.applied());
        gone_on.map_err(|cause| ServerError::Spool { folder: folder(), cause })?;
        let marks = match kernel::boot() {
            Ok(boot) => Marks::open(&settings.spool, boot, spool.marks())
                .map_err(|cause| ServerError::Spool { folder: folder(), cause })?,
            Err(_) if inherited.is_empty() => Marks::default(),
            Err(cause) => return Err(ServerError::Drops { cause }),
        };
        let named = (has_named.then_some(&*settings.udp), has_named.then_some(&*settings.tcp));
        let mut udp = Vec::new();
        for place in places("udp", inherited.udp, UdpSocket::local_addr, named.0)? {
            let (address, socket) = match place {
                Place::Inherited(address, socket) => {
                    (address, Udp::inherit(socket, settings.buffer_octets, &marks))
                }
                Place::Own(address) => (address, Udp::bind(address, settings.buffer_octets, clock.now())),
            };
            udp.push(socket.map_err(listen("udp", address))?);
        }
        let (mut tcp, mut tcp_origins) = (Vec::new(), Vec::new());
        for place in places("tcp", inherited.tcp, TcpListener::local_addr, named.1)? {
            let (address, socket, origin) = match place {
                Place::Inherited(address, socket) => (address, Tcp::inherit(socket), Origin::Inherited),
                Place::Own(address) => (address, Tcp::bind(address), Origin::Own),
            };
            tcp.push(socket.map_err(listen("tcp", address))?);
            tcp_origins.push(origin);
        }
        let http = match settings.http {
            Some(address) => Some(Http::bind(address).map_err(listen("http", address))?),
            None => None,
        };
        let first_own = spool.next_number();
        let gate = Gate::new(settings.exporters.clone(), settings.rate);
        let mut inbox = Inbox::new(spool, gate, ledger, marks);
        notice.into_iter().for_each(|notice| inbox.announce(notice));
        if let Some(cut) = cut {
            inbox.damaged(&Damage { window: cut.window, messages: vec![(None, cut.messages)] });
            inbox.announce(Notice::Cut { octets: cut.octets });
        }
        for socket in &udp {
            if let Ok(address) = socket.address() {
                let buffer_octets = socket.buffer_octets();
                let origin = if socket.is_inherited() { Origin::Inherited } else { Origin::Own };
                inbox.announce(Notice::Listening { transport: "udp", address, origin, buffer_octets });
            }
        }
        for (socket, origin) in tcp.iter().zip(tcp_origins) {
            if let Ok(address) = socket.address() {
                inbox.announce(Notice::Listening { transport: "tcp", address, origin, buffer_octets: None });
            }
        }
        if let Some(address) = http.as_ref().and_then(|http| http.address().ok()) {
            let (origin, buffer_octets) = (Origin::Own, None);
            inbox.announce(Notice::Listening { transport: "http", address, origin, buffer_octets });
        }
        let shared = Arc::new(Shared { inbox: Mutex::new(inbox), ended: Condvar::new() });
        Ok(Self { clock, udp, tcp, http, shared, decoder, first_own })
    }

    /// Where the UDP sockets listen, in the order of the settings.
    ///
    /// # Errors
    /// What the kernel fails with.
    pub fn udp_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.udp.iter().map(Udp::address).collect()
    }

    /// Where the TCP sockets listen, in the order of the settings.
    ///
    /// # Errors
    /// What the kernel fails with.
    pub fn tcp_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.tcp.iter().map(Tcp::address).collect()
    }

    /// Where it answers `/healthz`, `/readyz` and `/metrics`; none if nowhere.
    ///
    /// # Errors
    /// What the kernel fails with.
    pub fn http_address(&self) -> io::Result<Option<SocketAddr>> {
        self.http.as_ref().map(Http::address).transpose()
    }

    /// The books, for as long as anybody wants to read them.
    pub fn books(&self) -> Books {
        Books(self.shared.clone())
    }

    /// Runs until it is told to stop, then takes in what has come, stores everything and returns
    /// the books. `say` is told what people should know, on this thread.
    pub fn run(mut self, store: &dyn FlowStore, stop: &Stop, say: &mut dyn FnMut(Notice)) -> Ledger {
        let _answering = self.http.take().map(|http| http.start(self.books(), self.clock.clone()));
        let is_quiet = AtomicBool::new(false);
        let open_sockets = AtomicUsize::new(self.udp.len() + self.tcp.len());
        let rim = Rim { shared: &self.shared, clock: &*self.clock, stop };
        if !self.tcp.is_empty() {
            self.shared.inbox().mark(Entry::Started, self.clock.now());
        }
        thread::scope(|scope| {
            for socket in &mut self.udp {
                let open = Open { sockets: &open_sockets, stop };
                scope.spawn(move || {
                    let _open = open;
                    rim.receive(socket);
                });
            }
            for socket in &self.tcp {
                let open = Open { sockets: &open_sockets, stop };
                scope.spawn(move || {
                    let _open = open;
                    rim.accept(socket);
                });
            }
            let beat = scope.spawn(|| {
                let _ends = Ends { stop, is_quiet: &is_quiet };
                rim.beat(&is_quiet);
            });
            let _ends = Ends { stop, is_quiet: &is_quiet };
            let mut storing = Storing {
                rim,
                decoder: &mut self.decoder,
                store,
                first_own: self.first_own,
                failed: None,
                say,
            };
            while !stop.is_told() || open_sockets.load(Ordering::SeqCst) > 0 {
                storing.step(BEAT / 4);
            }
            // Nothing more comes.
            is_quiet.store(true, Ordering::SeqCst);
            beat.thread().unpark();
            // That it panicked, if it did, was said.
            let _ = beat.join();
            storing.finish();
        });
        self.books().ledger()
    }
}

fn listen(transport: &'static str, address: SocketAddr) -> impl FnOnce(io::Error) -> ServerError {
    move |cause| ServerError::Listen { transport, address, cause }
}

/// A socket that is being read. A thread that dies takes the collector with it, in order: a
/// service manager starts it again, and nobody listens in vain.
struct Open<'a> {
    sockets: &'a AtomicUsize,
    stop: &'a Stop,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.sockets.fetch_sub(1, Ordering::SeqCst);
        if thread::panicking() {
            self.stop.stop();
        }
    }
}

/// A thread without which nothing is stored. If it dies, the others end: nobody collects what is not stored.
struct Ends<'a> {
    stop: &'a Stop,
    is_quiet: &'a AtomicBool,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.stop.stop();
            self.is_quiet.store(true, Ordering::SeqCst);
        }
    }
}

/// What the threads at the sockets need.
#[derive(Clone, Copy)]
struct Rim<'a> {
    shared: &'a Shared,
    clock: &'a dyn Clock,
    stop: &'a Stop,
}

impl Rim<'_> {
    /// Reads a UDP socket until the stop, and then until it is empty.
    fn receive(self, socket: &mut Udp) {
        let mut buffers = Buffers::new();
        let mut counted_at = self.clock.now();
        let mut stopped_at = None;
        loop {
            let now = self.clock.now();
            if self.stop.is_told() {
                stopped_at.get_or_insert(now);
            }
            let received = socket.receive(&mut buffers, now, |batch| {
                let mut inbox = self.shared.inbox();
                inbox.datagrams(batch, now);
                if !inbox.spool.is_writing() {
                    self.shared.ended.notify_all();
                }
            });
            let is_drained = received.as_ref().map_or(true, |came| socket.is_drained(*came));
            if is_beat_over(counted_at, now) {
                counted_at = now;
                self.count_drops(socket, now);
            }
            if let Err(cause) = received {
                let socket = socket.name().to_owned();
                self.shared.inbox().say(Notice::SocketFailed { socket, cause }, now);
                thread::sleep(RETRY);
            }
            if stopped_at.is_some_and(|at| is_drained || now.since(at).saturating_abs() > DRAIN_US) {
                break;
            }
        }
        self.count_drops(socket, self.clock.now());
    }

    fn count_drops(self, socket: &mut Udp, now: Timestamp) {
        let dropped = socket.dropped(now);
        let mut inbox = self.shared.inbox();
        match dropped {
            Ok(dropped) => inbox.kernel_dropped(socket.name(), &dropped),
            Err(error) => inbox.say(Notice::DropsUnknown(error), now),
        }
    }

    /// Accepts connections until the stop.
    fn accept(self, socket: &Tcp) {
        let peers: Mutex<HashMap<Address, usize>> = Mutex::default();
        let lock = || peers.lock().unwrap_or_else(PoisonError::into_inner);
        thread::scope(|scope| {
            while !self.stop.is_told() {
                let mut connection = match socket.accept() {
                    Ok(Some(connection)) => connection,
                    Ok(None) => continue,
                    // Whatever it was, the next connection may be well.
                    Err(cause) => {
                        self.shared.inbox().say(Notice::NotAccepted(cause), self.clock.now());
                        thread::sleep(RETRY);
                        continue;
                    }
                };
                let peer = Address::from(connection.peer().0);
                if !self.shared.inbox().welcomes(peer, self.clock.now()) {
                    continue;
                }
                {
                    let mut peers = lock();
                    let all: usize = peers.values().sum();
                    let of_peer = peers.entry(peer).or_default();
                    if all >= CONNECTIONS_MAX || *of_peer >= CONNECTIONS_OF_PEER_MAX {
                        let cause = io::Error::other(format!("`{peer}` has too many, or all have"));
                        self.shared.inbox().say(Notice::NotAccepted(cause), self.clock.now());
                        continue;
                    }
                    *of_peer += 1;
                }
                scope.spawn(move || {
                    self.read(&mut connection);
                    let mut peers = lock();
                    if let Some(of_peer) = peers.get_mut(&peer) {
                        *of_peer -= 1;
                    }
                    peers.retain(|_, connections| *connections > 0);
                });
            }
        });
    }

    /// Reads a connection until it ends, or until the stop and nothing more is there.
    fn read(self, connection: &mut Connection) {
        let (peer, port) = connection.peer();
        let peer = Address::from(peer);
        let mut stopped_at = None;
        let mut has_ended = false;
        loop {
            let now = self.clock.now();
            if self.stop.is_told() {
                stopped_at.get_or_insert(now);
            }
            if stopped_at.is_some_and(|at| now.since(at).saturating_abs() > DRAIN_US) {
                break;
            }
            match connection.next() {
                Next::Message(octets) => {
                    let payload = &connection.buffer()[..octets];
                    let received = Received { time: now, peer, port, payload };
                    if self.shared.inbox().message(received, now) {
                        connection.pass(octets);
                    } else {
                        thread::sleep(RETRY);
                    }
                }
                Next::Silence if stopped_at.is_some() => break,
                Next::Silence => {}
                Next::End => {
                    has_ended = true;
                    break;
                }
                Next::Broken => {
                    self.shared.inbox().ledger.broken_streams += 1;
                    has_ended = true;
                    break;
                }
            }
        }
        if !connection.buffer().is_empty() {
            self.shared.inbox().cut_short(peer, has_ended, self.clock.now());
        }
        while !self.shared.inbox().mark(Entry::Closed { peer, port }, self.clock.now()) {
            if self.stop.is_told() {
                // The next start ends all streams.
                break;
            }
            thread::sleep(RETRY);
        }
    }

    /// Does every second what has to be done every second.
    fn beat(self, is_quiet: &AtomicBool) {
        while !is_quiet.load(Ordering::SeqCst) {
            thread::park_timeout(BEAT);
            let now = self.clock.now();
            let mut unsynced = {
                let mut inbox = self.shared.inbox();
                if self.stop.is_told() {
                    inbox.health.lasts(Trouble::Stopping, true);
                }
                inbox.spool.look_at_disk();
                inbox.write_losses(now);
                inbox.spool.seal_by_age(now);
                inbox.spool.unsynced()
            };
            self.shared.ended.notify_all();
            if let Err(error) = unsynced.sync() {
                let mut inbox = self.shared.inbox();
                inbox.spool.take_back(unsynced);
                inbox.health.met(Trouble::SpoolFailed, now);
                inbox.say(Notice::NotSynced(error), now);
            }
        }
    }
}

fn is_beat_over(since: Timestamp, now: Timestamp) -> bool {
    now.since(since).saturating_abs() >= BEAT.as_micros() as i64
}

/// What the calling thread does: segments into the store.
struct Storing<'a> {
    rim: Rim<'a>,
    decoder: &'a mut Decoder,
    store: &'a dyn FlowStore,
    first_own: u64,
    /// When the store failed last, and how long to wait from then.
    failed: Option<(Timestamp, Duration)>,
    say: &'a mut dyn FnMut(Notice),
}

impl Storing<'_> {
    /// Waits for a segment to end and stores it; says what is to be said. False if there was none,
    /// or it could not be stored.
    fn step(&mut self, wait: Duration) -> bool {
        let notices = {
            let is_waiting = self.is_waiting();
            let mut inbox = self.rim.shared.inbox();
            let has_nothing = inbox.spool.ended_after(self.decoder.applied()).is_none();
            if !wait.is_zero() && (is_waiting || has_nothing) {
                let waited = self.rim.shared.ended.wait_timeout(inbox, wait);
                inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            inbox.take_notices()
        };
        notices.into_iter().for_each(&mut *self.say);
        !self.is_waiting() && self.apply()
    }

    /// Whether the store failed a moment ago, and there is time to wait.
    fn is_waiting(&self) -> bool {
        let Some((at, wait)) = self.failed.filter(|_| !self.rim.stop.is_told()) else { return false };
        self.rim.clock.now().since(at).unsigned_abs() < wait.as_micros() as u64
    }

    fn apply(&mut self) -> bool {
        let applied = self.decoder.applied();
        let shared = self.rim.shared;
        let next = |last| shared.inbox().spool.ended_after(last);
        if next(applied).is_none() {
            return false;
        }
        // The books are shared with the sockets, so what is learnt while decoding is entered after.
        let mut ledger = Ledger::default();
        match self.decoder.apply(self.store, next, self.first_own, &mut ledger) {
            Ok(done) => {
                let released = {
                    let mut inbox = shared.inbox();
                    inbox.ledger.add(&ledger);
                    for damaged in &done.damaged {
                        let damage = inbox.spool.damage(damaged.number, damaged.octets, &damaged.senders);
                        damage.iter().for_each(|damage| inbox.damaged(damage));
                    }
                    if !done.damaged.is_empty() {
                        // Before the segment goes.
                        inbox.write_losses(self.rim.clock.now());
                    }
                    inbox.spool.release(done.saved)
                };
                done.notices.into_iter().for_each(&mut *self.say);
                if self.failed.take().is_some() {
                    shared.inbox().health.lasts(Trouble::StoreFailed, false);
                    (self.say)(Notice::StoreWell);
                }
                if let Some(error) = done.not_saved.or(released.err()) {
                    (self.say)(Notice::NotSynced(error));
                    thread::sleep(RETRY);
                }
                true
            }
            Err(error) => {
                {
                    let mut inbox = shared.inbox();
                    inbox.ledger.store_failures += 1;
                    inbox.health.lasts(Trouble::StoreFailed, true);
                }
                let before = self.failed.map(|(_, wait)| wait);
                let wait = before.map_or(RETRY, |wait| RETRY_MAX.min(2 * wait));
                self.failed = Some((self.rim.clock.now(), wait));
                if before.is_none() {
                    (self.say)(Notice::StoreFailed(error));
                }
                if self.rim.stop.is_told() {
                    thread::sleep(RETRY);
                }
                false
            }
        }
    }

    /// Stores what is left. What cannot be stored stays in the spool.
    fn finish(&mut self) {
        {
            let mut inbox = self.rim.shared.inbox();
            let now = self.rim.clock.now();
            inbox.write_losses(now);
            inbox.mark(Entry::Drained, now);
            inbox.spool.seal();
        }
        let mut tries = 0;
        while tries < LAST_TRIES {
            if self.step(Duration::ZERO) {
                continue;
            }
            if self.failed.is_none() {
                break;
            }
            tries += 1;
        }
        let mut unsynced = self.rim.shared.inbox().spool.unsynced();
        if let Err(error) = unsynced.sync() {
            (self.say)(Notice::NotSynced(error));
        }
        let notices = self.rim.shared.inbox().take_notices();
        notices.into_iter().for_each(&mut *self.say);
    }
}
