//! The live collector over the real lake.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rahdar_testkit::is_nightly;

use crate::disk::has_strace;
use crate::harness::Home;

/// Datagrams in the spool of the collector that is killed again and again.
const SPOOLED: u32 = 40;

/// A NetFlow v5 datagram of one flow: 192.0.2.1, port 4000 and on, to 203.0.113.9:443 by TCP, 5 packets, 500 octets.
fn datagram(sequence: u32) -> Vec<u8> {
    let mut datagram = vec![0, 5, 0, 1];
    for word in [60_000, 1_629_000_000, 0, sequence, 0_u32] {
        datagram.extend(word.to_be_bytes());
    }
    datagram.extend([192, 0, 2, 1, 203, 0, 113, 9, 0, 0, 0, 0, 0, 1, 0, 2]);
    for word in [5, 500, 58_000, 59_000_u32] {
        datagram.extend(word.to_be_bytes());
    }
    datagram.extend((4_000 + sequence as u16).to_be_bytes());
    datagram.extend([0x01, 0xbb, 0, 0x1b, 6, 0, 0, 0, 0, 0, 24, 24, 0, 0]);
    datagram
}

#[test]
fn what_exporters_send_is_stored_when_the_collector_ends_and_losses_are_told() {
    let home = Home::new();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let mut collector = home
        .command(&["flows", "collect", "--netflow", &address, "--http", "127.0.0.1:0", "--format", "json"])
        .args(["--exporter", "kabul-1=127.0.0.1", "--sampling", "127.0.0.1=100"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(collector.stderr.take().unwrap()).lines();
    let listens = said.find(|line| line.as_ref().unwrap().contains(&address));
    assert!(listens.is_some(), "the collector says where it listens");
    let answers = said.find(|line| line.as_ref().unwrap().contains("listening on http")).unwrap().unwrap();
    let mut asked = TcpStream::connect(answers.rsplit(' ').next().unwrap()).unwrap();
    asked.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    asked.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ready\n"), "{answer}");

    let exporter = UdpSocket::bind("127.0.0.1:0").unwrap();
    // The third and fourth are lost on the way.
    for sequence in [0, 1, 4] {
        exporter.send_to(&datagram(sequence), &address).unwrap();
    }
    let pid = collector.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    let ended = collector.wait_with_output().unwrap();
    assert!(ended.status.success(), "{rest:?}");

    let ledger: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((&ledger[0]["understood"], &ledger[0]["flows"]), (&3.into(), &3.into()), "{ledger}");
    assert_eq!(home.rows(), 3);
    let gaps = home.json(&["flows", "sql", "SELECT cause, unit, lost FROM gaps"]);
    assert_eq!(gaps[0], serde_json::json!({ "cause": "sequence", "unit": "records", "lost": 2 }));
    let coverage = home.json(&["flows", "coverage"]);
    assert_eq!(
        (&coverage[0]["exporter"], &coverage[0]["lost"]),
        (&"kabul-1".into(), &"sequence: 2 records".into())
    );
    assert_eq!(
        (&coverage[0]["sampling_source"], &coverage[0]["clock_known_by"], &coverage[0]["hole_hours"]),
        (&"operator".into(), &"arrival in 1 hour".into(), &0.into())
    );
    let sampling = home.json(&["flows", "sql", "SELECT DISTINCT exporter, sampling_interval FROM flows"]);
    assert_eq!(sampling, serde_json::json!([{ "exporter": "kabul-1", "sampling_interval": 100 }]));
}

#[test]
fn who_may_send_has_to_be_said() {
    let home = Home::new();
    let ran = home.run(&["flows", "collect", "--netflow", "127.0.0.1:0"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("--exporter-allow"), "{}", ran.stderr);
}

/// What the collector answers at a path.
fn ask(http: &str, path: &str) -> String {
    let mut asked = TcpStream::connect(http).unwrap();
    asked
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
        .unwrap();
    let mut answer = String::new();
    asked.read_to_string(&mut answer).unwrap();
    answer
}

/// A collector in this home that stores nothing until it is told to end.
fn collector(home: &Home, netflow: &str) -> Command {
    let mut collector = home.command(&["flows", "collect", "--netflow", netflow, "--http", "127.0.0.1:0"]);
    collector.args(["--exporter-allow", "127.0.0.0/8", "--commit-every", "3600"]);
    collector.stdout(Stdio::null()).stderr(Stdio::piped());
    collector
}

/// Waits until it listens; returns where it answers. Nothing if it ended before.
fn listening(collector: &mut Child) -> Option<String> {
    let mut said = BufReader::new(collector.stderr.as_mut().unwrap()).lines().map(Result::unwrap);
    let line = said.find(|line| line.contains("listening on http"))?;
    Some(line.rsplit(' ').next().unwrap().to_owned())
}

/// Tells the collector of this process id to end in order.
fn terminate(pid: &str) {
    Command::new("kill").args(["-TERM", pid]).stderr(Stdio::null()).status().unwrap();
}

/// A home whose collector was killed with all of its datagrams in the spool.
fn home_with_a_spool() -> Home {
    let home = Home::new();
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut running = collector(&home, &address).spawn().unwrap();
    let http = listening(&mut running).unwrap();
    let exporter = UdpSocket::bind("127.0.0.1:0").unwrap();
    (0..SPOOLED).for_each(|sequence| _ = exporter.send_to(&datagram(sequence), &address).unwrap());
    let spooled = format!("messages_spooled_total{{exporter=\"127.0.0.1\"}} {SPOOLED}\n");
    let is_spooled = (0..10_000).any(|_| ask(&http, "/metrics").contains(&spooled));
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(is_spooled);
    home
}

/// Starts a collector under strace that is killed at the n-th such call of a thread; whether it was.
fn is_killed(home: &Home, call: &str, n: usize) -> bool {
    let plain = collector(home, "127.0.0.1:0");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    strace.args(["-e", &format!("inject={call}:signal=SIGKILL:when={n}"), "--"]);
    strace.arg(plain.get_program()).args(plain.get_args()).env_remove("RAHDAR_HOME");
    let mut strace = strace.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    if listening(&mut strace).is_some() {
        let children = format!("/proc/{0}/task/{0}/children", strace.id());
        let child = std::fs::read_to_string(children).unwrap_or_default();
        child.split_whitespace().for_each(terminate);
    }
    !strace.wait().unwrap().success()
}

/// Starts a collector and lets it end in order: all that was spooled is stored, and once.
#[track_caller]
fn check_stored(home: &Home, context: &str) {
    let mut running = collector(home, "127.0.0.1:0").spawn().unwrap();
    assert!(listening(&mut running).is_some(), "{context}");
    terminate(&running.id().to_string());
    assert!(running.wait().unwrap().success(), "{context}");
    let sql = "SELECT count(*) AS n, count(DISTINCT src_port) AS ports FROM flows";
    let stored = home.json(&["flows", "sql", sql])[0].clone();
    assert_eq!(stored, serde_json::json!({ "n": SPOOLED, "ports": SPOOLED }), "{context}");
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// Kills a collector that stores its spool, at the n-th call of each kind that any of its threads makes, for n = 1 and
/// on until it ends by itself.
#[test]
fn a_collector_may_be_killed_at_every_call_while_it_stores() {
    if !has_strace() {
        return;
    }
    let (step, mut killed) = (if is_nightly() { 1 } else { 9 }, BTreeMap::new());
    let spooled = home_with_a_spool();
    for call in ["mkdir", "write", "fsync", "fdatasync", "linkat", "rename", "unlink"] {
        for n in (1..).step_by(step) {
            let home = Home::new();
            copy(&spooled.path().join("home"), &home.path().join("home"));
            let is_killed = is_killed(&home, call, n);
            check_stored(&home, &format!("killed at {call} {n}"));
            if !is_killed {
                break;
            }
            *killed.entry(call).or_insert(0) += 1;
        }
    }
    eprintln!("kills: {killed:?}");
    for call in ["write", "fsync", "linkat", "rename"] {
        assert!(killed.contains_key(call), "never killed at {call}");
    }
}
