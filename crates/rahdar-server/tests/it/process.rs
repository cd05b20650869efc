//! A collector as a process of its own: it can be killed, measured and asked.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use rahdar_model::Clock;
use rahdar_server::{Exporters, Inherited, Server, stop_on_signals};
use rahdar_testkit::NaiveStore;

use crate::running::{RealClock, settings};
use crate::store::{OnDisk, Slow};

/// Where a child works, and what it is told.
const FOLDER: &str = "RAHDAR_TEST_COLLECTOR";
const PORT: &str = "RAHDAR_TEST_PORT";
const ALLOW: &str = "RAHDAR_TEST_ALLOW";
const ROWS_PER_SECOND: &str = "RAHDAR_TEST_ROWS_PER_SECOND";

/// Given: the child takes IPFIX over TCP as well, at the same port.
pub(crate) const TCP: &str = "RAHDAR_TEST_TCP";

/// Octets that the kernel is asked to keep for its socket.
pub(crate) const BUFFER: &str = "RAHDAR_TEST_BUFFER";

/// Hands over the socket that stands at descriptor 0, as `sd_listen_fds(3)` has it. A tracer would not have the number of the
/// collector, so none is told then.
const HAND_OVER: &str = r#"exec 3<&0 0</dev/null; LISTEN_FDS=1 exec "$@""#;
const HAND_OVER_TO: &str = r#"exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@""#;

/// What the spool of a slow collector holds.
const SLOW_SPOOL_OCTETS: u64 = 512 << 10;

/// How long to wait before the collector is looked at again.
const LOOK: Duration = Duration::from_millis(20);

/// Looks after which what was waited for does not come.
const LOOKS: usize = 1_500;

/// What a collector is told.
pub(crate) struct Setup {
    pub(crate) port: u16,
    /// Who may send.
    pub(crate) allow: &'static str,
    /// Rows a second that its store takes and forgets; without, it has a store on disk.
    pub(crate) rows_per_second: Option<u64>,
    /// The socket that it is handed; without, it opens one.
    pub(crate) handed: Option<UdpSocket>,
    /// What else stands in its environment.
    pub(crate) environment: &'static [(&'static str, &'static str)],
}

impl Setup {
    /// A collector with a store on disk that anybody on loopback may send to.
    pub(crate) fn new(port: u16) -> Self {
        Self { port, allow: "127.0.0.0/8", rows_per_second: None, handed: None, environment: &[] }
    }
}

/// Not a test by itself: the collector that others start.
#[test]
fn child() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let (folder, told) = (Path::new(&folder), |name| env::var(name).unwrap());
    let stop = stop_on_signals().unwrap();
    let mut settings = settings(&folder.join("spool"));
    settings.udp = vec![format!("127.0.0.1:{}", told(PORT)).parse().unwrap()];
    if env::var(TCP).is_ok() {
        settings.tcp.clone_from(&settings.udp);
    }
    if let Ok(octets) = env::var(BUFFER) {
        settings.buffer_octets = octets.parse().unwrap();
    }
    settings.http = Some("127.0.0.1:0".parse().unwrap());
    settings.exporters = Exporters::Only(vec![told(ALLOW).parse().unwrap()]);
    let store = match env::var(ROWS_PER_SECOND) {
        Ok(rows) => {
            settings.spool_octets_max = SLOW_SPOOL_OCTETS;
            settings.segment_octets = SLOW_SPOOL_OCTETS / 16;
            NaiveStore::guarded(Arc::new(Slow::new(rows.parse().unwrap())))
        }
        Err(_) => {
            settings.commit_every = Duration::from_millis(100);
            settings.segment_octets = 20_000;
            OnDisk::open(&folder.join("store"))
        }
    };
    let server = Server::open(settings, Inherited::take().unwrap(), Arc::new(RealClock)).unwrap();
    let own = format!("{} {}", process::id(), server.http_address().unwrap().unwrap());
    fs::write(folder.join("own"), own).unwrap();
    fs::rename(folder.join("own"), folder.join("ready")).unwrap();
    let ledger = server.run(&store, &stop, &mut |notice| eprintln!("{notice}"));
    fs::write(folder.join("ended"), ledger.metrics()).unwrap();
}

/// A collector that was started.
pub(crate) struct Process {
    child: Child,
    folder: PathBuf,
    /// Its own number, which is not that of its tracer, and where it answers; none if it died before.
    own: Option<(u32, SocketAddr)>,
    /// How long it took until it listened.
    pub(crate) started_in: Duration,
}

impl Process {
    /// Starts a collector, under `tracer` if there is one, and waits until it listens.
    pub(crate) fn start(folder: &Path, setup: &Setup, tracer: &[String]) -> Self {
        let ready = folder.join("ready");
        let _ = fs::remove_file(&ready);
        let program = env::current_exe().unwrap();
        let mut words: Vec<String> = Vec::new();
        if setup.handed.is_some() {
            let script = if tracer.is_empty() { HAND_OVER_TO } else { HAND_OVER };
            words.extend(["sh", "-c", script, "sh"].map(str::to_owned));
        }
        words.extend_from_slice(tracer);
        words.extend(
            [program.to_str().unwrap(), "--exact", "process::child", "--nocapture"].map(str::to_owned),
        );
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env(FOLDER, folder)
            .env(PORT, setup.port.to_string())
            .env(ALLOW, setup.allow);
        command.envs(setup.environment.iter().copied());
        if let Some(rows) = setup.rows_per_second {
            command.env(ROWS_PER_SECOND, rows.to_string());
        }
        if let Some(socket) = &setup.handed {
            command.stdin(OwnedFd::from(socket.try_clone().unwrap()));
        }
        let begun = RealClock.now();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut own = None;
        for _ in 0..LOOKS {
            own = fs::read_to_string(&ready).ok();
            if own.is_some() || child.try_wait().unwrap().is_some() {
                break;
            }
            thread::sleep(LOOK);
        }
        let own = own.map(|own| {
            let (number, http) = own.split_once(' ').unwrap();
            (number.parse().unwrap(), http.parse().unwrap())
        });
        Self { child, folder: folder.to_owned(), own, started_in: since(begun) }
    }

    /// Whether it has ended, or was killed.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Kills it, if it still runs.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Tells it to stop; returns how long that took, and its last word.
    #[track_caller]
    pub(crate) fn terminate(mut self) -> (Duration, Metrics) {
        let begun = RealClock.now();
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        let stopped_in = since(begun);
        (stopped_in, Metrics(fs::read_to_string(self.folder.join("ended")).unwrap()))
    }

    /// The status and the body of an answer.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        get(self.own.unwrap().1, path)
    }

    #[track_caller]
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics(self.get("/metrics").1)
    }

    /// Waits until the metrics say so; returns how long.
    #[track_caller]
    pub(crate) fn until(&self, holds: impl Fn(&Metrics) -> bool) -> Duration {
        self.wait(|| holds(&self.metrics()))
    }

    /// Waits until it answers `/readyz` like this; returns how long.
    #[track_caller]
    pub(crate) fn until_ready(&self, status: u16) -> Duration {
        self.wait(|| self.get("/readyz").0 == status)
    }

    #[track_caller]
    fn wait(&self, holds: impl Fn() -> bool) -> Duration {
        let begun = RealClock.now();
        for _ in 0..LOOKS {
            if holds() {
                return since(begun);
            }
            thread::sleep(LOOK);
        }
        panic!("it never came about: {}{}", self.get("/readyz").1, self.get("/metrics").1);
    }

    /// KiB of memory that it has now, and had at most.
    pub(crate) fn memory_kib(&self) -> (u64, u64) {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// Lets it open no file with a number from this one on.
    pub(crate) fn limit_files(&self, most: usize) {
        let (own, limit) = (self.own.unwrap().0.to_string(), format!("--nofile={most}:"));
        assert!(Command::new("prlimit").args(["--pid", &own, &limit]).status().unwrap().success());
    }

    /// Its open files, but for the connection that a question may have open, and its threads.
    pub(crate) fn files_and_threads(&self) -> (usize, usize) {
        let count = |what| fs::read_dir(self.proc(what)).unwrap().count();
        (count("fd"), count("task"))
    }

    fn proc(&self, what: &str) -> String {
        format!("/proc/{}/{what}", self.own.unwrap().0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        if let Some((number, _)) = self.own {
            let _ = Command::new("kill").args(["-9", &number.to_string()]).output();
        }
        // A tracer ends with what it traces.
        if self.own.is_none() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// What `/metrics` says.
pub(crate) struct Metrics(String);

impl Metrics {
    /// The sum of all metrics that begin so.
    pub(crate) fn sum(&self, name: &str) -> u64 {
        let name = format!("rahdar_collector_{name}");
        self.0.lines().filter(|line| line.starts_with(&name)).map(last_number).sum()
    }

    /// How many metrics there are.
    pub(crate) fn lines(&self) -> usize {
        self.0.lines().count()
    }

    /// What was lost for this reason.
    pub(crate) fn lost(&self, reason: &str) -> u64 {
        let reason = format!("reason=\"{reason}\"");
        self.0.lines().filter(|line| line.contains(&reason)).map(last_number).sum()
    }
}

fn last_number(line: &str) -> u64 {
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// Asks over HTTP: the status, and the body.
#[track_caller]
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// How long it is since.
pub(crate) fn since(begun: rahdar_model::Timestamp) -> Duration {
    Duration::from_micros(RealClock.now().since(begun).max(0) as u64)
}

/// A port that is free, and that the kernel gives to no socket that asks for any.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (process::id() % 100) as u16 * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::SeqCst) % 100;
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
