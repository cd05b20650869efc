//! Real exporters, of Debian's packages, feed a collector and nfcapd with the same datagrams: both
//! store the same.
//!
//! `packaging/test-tools.sh` installs them. What is not installed is skipped, aloud.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBuf;
use rahdar_testkit::{NaiveStore, corpus};

use crate::made;
use crate::running::{Running, flows, gaps, settings};

/// How long an exporter may take. They end when the capture does; some need to be told.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long nothing has come when everything has.
const SILENCE: Duration = Duration::from_millis(1_500);

fn is_installed(tool: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output();
    let is_there = found.is_ok_and(|output| output.status.success());
    if !is_there {
        rahdar_testkit::skipped(format_args!("{tool} not found; packaging/test-tools.sh installs it"));
    }
    is_there
}

/// Captures to export: one made here, and small ones of the corpus.
fn captures(folder: &Path) -> Vec<PathBuf> {
    let own = folder.join("made.pcap");
    fs::write(&own, made::capture()).unwrap();
    let mut all = vec![own];
    let of_corpus = [
        "captures/pcap/slips/test-cc/test-cc-capture-2.pcap",
        "captures/pcap/unit42/2023-01-Unit42-Wireshark-quiz.pcap",
    ];
    if let Some(corpus) = corpus() {
        all.extend(of_corpus.map(|name| corpus.join(name)));
    }
    all
}

/// Flows, packets and octets.
type Totals = (u64, u64, u64);

/// Hands every datagram on to two collectors, until nothing has come for a while after `exporter` has
/// ended.
fn tee(socket: &UdpSocket, to: [SocketAddr; 2], mut exporter: Child) -> u64 {
    let mut datagram = [0; 65_535];
    let mut handed = 0;
    let mut waited = Duration::ZERO;
    let mut has_ended = false;
    socket.set_read_timeout(Some(SILENCE / 10)).unwrap();
    let mut silence = Duration::ZERO;
    while waited < PATIENCE && !(has_ended && silence >= SILENCE) {
        match socket.recv(&mut datagram) {
            Ok(octets) => {
                silence = Duration::ZERO;
                handed += 1;
                // nfcapd must keep up: it is to be compared with, not overrun.
                thread::sleep(Duration::from_micros(200));
                for to in to {
                    // Nobody listening yet is told at the next call.
                    let _ = socket.send_to(&datagram[..octets], to);
                }
            }
            Err(_) => {
                silence += SILENCE / 10;
                waited += SILENCE / 10;
                has_ended = exporter.try_wait().unwrap().is_some();
            }
        }
    }
    let _ = exporter.kill();
    exporter.wait().unwrap();
    handed
}

/// Lets an exporter feed both collectors, and compares what they store.
///
/// sfcapd counts the octets of frames, rahdar those of packets: the header of Ethernet and its checksum
/// make the difference.
fn check(capturer: &str, name: &str, export: impl FnOnce(SocketAddr) -> Command) {
    let frame_octets = if capturer == "sfcapd" { 14 + 4 } else { 0 };
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("nfcapd");
    fs::create_dir(&theirs).unwrap();
    let (to_nfcapd, mut nfcapd) = listen(capturer, &theirs);
    let store = Arc::new(NaiveStore::new());
    let running = Running::start(settings(&folder.path().join("spool")), store.clone());

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    setsockopt(&socket, RcvBuf, &(4 << 20)).unwrap();
    let exporter = quiet(&mut export(socket.local_addr().unwrap()));
    let handed = tee(&socket, [running.udp[0], to_nfcapd], exporter);
    assert!(Command::new("kill").arg(nfcapd.id().to_string()).status().unwrap().success());
    nfcapd.wait().unwrap();
    let (ledger, said) = running.stop();

    let ours = flows(&*store);
    let packets: u64 = ours.iter().map(|flow| flow.total_packets()).sum();
    let octets: u64 = ours.iter().map(|flow| flow.total_octets()).sum();
    let ours: Totals = (ours.len() as u64, packets, octets + frame_octets * packets);
    let read: u64 = ledger.exporters.values().map(|exporter| exporter.account.understood).sum();
    assert!(ours.0 > 0, "{name}: {handed} datagrams, {said:?}");
    assert_eq!(read, handed, "{name}: {ledger:?} {said:?}");
    assert_eq!(ours, totals(&theirs), "{name}: {said:?}");
    assert_eq!(gaps(&*store), [""; 0], "{name}");
}

/// nfcapd or sfcapd, and where it listens; it writes into `folder` and never begins another file.
#[track_caller]
fn listen(capturer: &str, folder: &Path) -> (SocketAddr, Child) {
    let to = own_address();
    let (host, port) = (to.ip().to_string(), to.port().to_string());
    let mut command = Command::new(capturer);
    command.args(["-b", &host, "-p", &port, "-B", "4000000", "-t", "3600", "-w"]).arg(folder);
    let mut child = quiet(&mut command);
    wait_for(to, &mut child);
    (to, child)
}

/// An address that no other test of this process uses, so that nobody takes the port before nfcapd does.
fn own_address() -> SocketAddr {
    static HOST: AtomicU8 = AtomicU8::new(1);
    ([127, 9, 0, HOST.fetch_add(1, Ordering::Relaxed)], 9_995).into()
}

/// Waits until nfcapd listens. It says nothing when it is ready, but its socket is in the kernel's table; to try its
/// port would take it away.
#[track_caller]
fn wait_for(to: SocketAddr, nfcapd: &mut Child) {
    let IpAddr::V4(host) = to.ip() else { panic!("{to} is not of IPv4") };
    let socket = format!("{:08X}:{:04X}", u32::from_le_bytes(host.octets()), to.port());
    for _ in 0..500 {
        if fs::read_to_string("/proc/net/udp").unwrap().contains(&socket) {
            return;
        }
        assert!(nfcapd.try_wait().unwrap().is_none(), "the capturer ended before it listened at {to}");
        thread::sleep(Duration::from_millis(20));
    }
    panic!("the capturer never listened at {to}");
}

fn quiet(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// What nfcapd stored.
fn totals(folder: &Path) -> Totals {
    let output = Command::new("nfdump")
        .args(["-R", folder.to_str().unwrap(), "-q", "-N", "-o", "fmt:%pkt %byt"])
        .output()
        .unwrap();
    let mut totals = (0, 0, 0);
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        if let [packets, octets] = numbers[..] {
            totals = (totals.0 + 1, totals.1 + packets, totals.2 + octets);
        }
    }
    totals
}

fn softflowd(version: u8) {
    if !is_installed("softflowd") || !is_installed("nfcapd") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for capture in captures(folder.path()) {
        check("nfcapd", &format!("softflowd v{version} {}", capture.display()), |to| {
            let mut command = Command::new("softflowd");
            command.args(["-d", "-n", &to.to_string(), "-v", &version.to_string(), "-r"]).arg(&capture);
            command
        });
    }
}

#[test]
fn softflowd_in_version_5() {
    softflowd(5);
}

#[test]
fn softflowd_in_version_9() {
    softflowd(9);
}

#[test]
fn softflowd_in_ipfix() {
    softflowd(10);
}

/// pmacctd with one of its probes.
fn probe(capturer: &str, settings: &[&str]) {
    if !is_installed("pmacctd") || !is_installed(capturer) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for capture in captures(folder.path()) {
        check(capturer, &format!("{settings:?} {}", capture.display()), |to| {
            let mut lines = vec![
                "daemonize: false".to_owned(),
                format!("pcap_savefile: {}", capture.display()),
                "aggregate: src_host, dst_host, src_port, dst_port, proto, tos".to_owned(),
                "plugin_buffer_size: 20480".to_owned(),
                "plugin_pipe_size: 2048000".to_owned(),
            ];
            lines.extend(settings.iter().map(|line| line.replace("RECEIVER", &to.to_string())));
            let path = folder.path().join("pmacctd.conf");
            fs::write(&path, lines.join("\n") + "\n").unwrap();
            let mut command = Command::new("pmacctd");
            command.arg("-f").arg(path);
            command
        });
    }
}

#[test]
fn nfprobe_of_pmacct_in_version_5() {
    probe("nfcapd", &["plugins: nfprobe", "nfprobe_receiver: RECEIVER", "nfprobe_version: 5"]);
}

#[test]
fn nfprobe_of_pmacct_in_version_9() {
    probe("nfcapd", &["plugins: nfprobe", "nfprobe_receiver: RECEIVER", "nfprobe_version: 9"]);
}

#[test]
fn nfprobe_of_pmacct_in_ipfix() {
    probe("nfcapd", &["plugins: nfprobe", "nfprobe_receiver: RECEIVER", "nfprobe_version: 10"]);
}

#[test]
fn sfprobe_of_pmacct() {
    probe("sfcapd", &["plugins: sfprobe", "sfprobe_receiver: RECEIVER", "sampling_rate: 1"]);
}

#[test]
fn nfreplay_of_what_softflowd_told() {
    if !is_installed("softflowd") || !is_installed("nfcapd") || !is_installed("nfreplay") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for version in ["5", "9"] {
        for capture in captures(folder.path()) {
            let kept = tempfile::tempdir().unwrap();
            let (to, mut nfcapd) = listen("nfcapd", kept.path());
            let mut command = Command::new("softflowd");
            quiet(command.args(["-d", "-n", &to.to_string(), "-v", "9", "-r"]).arg(&capture)).wait().unwrap();
            thread::sleep(Duration::from_millis(500));
            assert!(Command::new("kill").arg(nfcapd.id().to_string()).status().unwrap().success());
            nfcapd.wait().unwrap();
            let files = fs::read_dir(kept.path()).unwrap().map(|found| found.unwrap().path());
            let kept_file = files.filter(|path| !path.to_str().unwrap().contains("stat")).max().unwrap();
            check("nfcapd", &format!("nfreplay v{version} {}", capture.display()), |to| {
                let (host, port) = (to.ip().to_string(), to.port().to_string());
                let mut command = Command::new("nfreplay");
                command.args(["-H", &host, "-p", &port, "-v", version, "-d", "200", "-r"]).arg(&kept_file);
                command
            });
        }
    }
}
