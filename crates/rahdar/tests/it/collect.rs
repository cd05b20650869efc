//! The live collector over the real lake.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::process::{Command, Stdio};

use crate::harness::Home;

/// A NetFlow v5 datagram of one flow: 192.0.2.1:4000 to 203.0.113.9:443 by TCP, 5 packets, 500 octets.
fn datagram(sequence: u32) -> Vec<u8> {
    let mut datagram = vec![0, 5, 0, 1];
    for word in [60_000, 1_629_000_000, 0, sequence, 0_u32] {
        datagram.extend(word.to_be_bytes());
    }
    datagram.extend([192, 0, 2, 1, 203, 0, 113, 9, 0, 0, 0, 0, 0, 1, 0, 2]);
    for word in [5, 500, 58_000, 59_000_u32] {
        datagram.extend(word.to_be_bytes());
    }
    datagram.extend([0x0f, 0xa0, 0x01, 0xbb, 0, 0x1b, 6, 0, 0, 0, 0, 0, 24, 24, 0, 0]);
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
