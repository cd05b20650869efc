//! The same files read by nfdump itself, where it is installed: record by record.

use std::path::Path;
use std::process::Command;

use rahdar_model::{FlowRecord, Quality, Timestamp};
use rahdar_testkit::corpus;
use rahdar_wire::Options;
use serde_json::Value;

use super::corpus::FILES;
use super::made::{
    COMMON, COMPRESSIONS, Common, HEAD, exporter, generic, longs, map, v1, v1_flow, v1_flow_of, v2, v2_flow,
    v4, v6, words,
};
use crate::kept::decode_all;

/// What nfdump and rahdar both say of a flow.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    start: String,
    end: String,
    src: String,
    dst: String,
    ports: (u64, u64),
    protocol: u64,
    forward: (u64, u64),
    reverse: (u64, u64),
    interfaces: (u64, u64),
    systems: (u64, u64),
}

/// Whether there is an nfdump that reads both layouts.
fn has_nfdump() -> bool {
    let version = Command::new("nfdump").arg("-V").output();
    let version = version.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
    let is_there = version.contains("1.7.");
    if !is_there {
        rahdar_testkit::skipped("nfdump 1.7 is not installed");
    }
    is_there
}

/// What nfdump says of a file.
fn by_nfdump(file: &Path) -> Vec<Said> {
    let printed =
        Command::new("nfdump").arg("-r").arg(file).args(["-q", "-o", "json"]).env("TZ", "UTC").output();
    let text = String::from_utf8(printed.unwrap().stdout).unwrap();
    // An object a flow, nothing nested; brackets and commas differ between versions.
    let objects = text.split_inclusive('}').filter_map(|piece| piece.find('{').map(|from| &piece[from..]));
    objects.map(|object| said_by_nfdump(&serde_json::from_str(object).unwrap())).collect()
}

fn said_by_nfdump(flow: &Value) -> Said {
    let number = |key: &str| flow[key].as_u64().unwrap_or(0);
    let text =
        |keys: [&str; 2]| keys.iter().find_map(|key| flow[*key].as_str()).unwrap_or_default().to_owned();
    let (mut start, mut end) = (text(["first", "t_first"]), text(["last", "t_last"]));
    if end < start {
        (start, end) = mended(&start, &end);
    }
    let forward = (number("in_packets"), number("in_bytes"));
    let leaving = (number("out_packets"), number("out_bytes"));
    let is_icmp = matches!(number("proto"), 1 | 58);
    Said {
        start,
        end,
        src: text(["src4_addr", "src6_addr"]),
        dst: text(["dst4_addr", "dst6_addr"]),
        ports: if is_icmp { (0, 0) } else { (number("src_port"), number("dst_port")) },
        protocol: number("proto"),
        forward,
        reverse: if leaving == forward { (0, 0) } else { leaving },
        interfaces: (number("input_snmp"), number("output_snmp")),
        systems: (number("src_as"), number("dst_as")),
    }
}

/// An end before its start, as rahdar mends it.
fn mended(start: &str, end: &str) -> (String, String) {
    let time = |text: &str| format!("{text}Z").parse::<Timestamp>().unwrap();
    let is_near = time(start).since(time(end)) < 2_000_000;
    if is_near { (end.to_owned(), start.to_owned()) } else { (start.to_owned(), start.to_owned()) }
}

fn said(flow: &FlowRecord) -> Said {
    let time = |time: Timestamp| {
        let second = Timestamp::from_seconds(time.micros().div_euclid(1_000_000));
        let text = second.to_string();
        format!("{}.{:03}", text.trim_end_matches('Z'), time.since(second) / 1_000)
    };
    let number = |value: Option<u32>| u64::from(value.unwrap_or(0));
    Said {
        start: time(flow.start_time),
        end: time(flow.end_time),
        src: flow.src.to_string(),
        dst: flow.dst.to_string(),
        ports: (flow.src_port.into(), flow.dst_port.into()),
        protocol: flow.protocol.into(),
        forward: (flow.packets, flow.octets),
        reverse: (flow.rev_packets.unwrap_or(0), flow.rev_octets.unwrap_or(0)),
        interfaces: (number(flow.in_if), number(flow.out_if)),
        systems: (number(flow.src_as), number(flow.dst_as)),
    }
}

/// Checks a file beside nfdump.
fn check(file: &Path) {
    let expected = by_nfdump(file);
    let (kept, result) = decode_all(std::fs::File::open(file).unwrap(), &Options::default());
    result.unwrap();
    assert_eq!(kept.flows.len(), expected.len(), "{}: {:?}", file.display(), kept.problems);
    for (flow, expected) in kept.flows.iter().zip(expected) {
        assert_eq!(said(flow), expected, "{}, record {}", file.display(), flow.source_row);
    }
}

#[test]
fn made_files_are_what_nfdump_reads() {
    if !has_nfdump() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("rahdar-nfcapd-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let udp = |src_port| Common { protocol: 17, tcp_flags: 0, src_port, ..COMMON };
    let misc = [words(&[3, 4]), vec![0; 8]].concat();
    let new: Vec<_> = (1..2_000)
        .map(|port| {
            let addresses = if port % 3 == 0 { v6() } else { v4() };
            let counts = (5, longs(&[1, u64::from(port), 64 * u64::from(port)]));
            let systems = (7, words(&[64_496, 64_497]));
            v2_flow(HEAD, &[generic(udp(port)), addresses, (4, misc.clone()), counts, systems])
        })
        .collect();
    let extensions = |port: u16| {
        let port = u64::from(port);
        [words(&[3, 4, 64_496, 64_497]), longs(&[port, 64 * port, COMMON.received_ms])].concat()
    };
    let old: Vec<_> = (1..2_000)
        .map(|port| match port % 3 {
            0 => v1_flow_of(0x07, 1, udp(port), &v6().1, &longs(&[10, 1_520]), &extensions(port)),
            _ => v1_flow(1, udp(port), &extensions(port)),
        })
        .collect();
    let new = [vec![exporter(1, 9, 7)], new].concat();
    let old = [vec![exporter(1, 9, 7), map(1, &[5, 7, 15, 17, 27])], old].concat();
    // nfdump 1.7.1 does not know zstd.
    for (compression, name) in COMPRESSIONS.into_iter().filter(|(_, name)| *name != "zstd") {
        let file = folder.join(name);
        for octets in [v1(compression, &old), v2(compression, &new)] {
            std::fs::write(&file, octets).unwrap();
            check(&file);
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn real_files_are_what_nfdump_reads() {
    let Some(corpus) = corpus().filter(|_| has_nfdump()) else { return };
    for (file, _) in FILES {
        if !file.starts_with("Net-NfDump") && !file.ends_with("corrupt") {
            check(&corpus.join("flow-exports").join(file));
        }
    }
}

/// What every form of output says of a flow. Where it ends before it starts, only the file is mended by a swap.
fn brief(flow: &FlowRecord) -> (String, String, (u16, u16), u8, u64, u64, i64) {
    let is_mended = flow.quality.contains(Quality::END_BEFORE_START);
    let second = if is_mended { 0 } else { flow.start_time.micros().div_euclid(1_000_000) };
    let (src, dst, ports) = (flow.src.to_string(), flow.dst.to_string(), (flow.src_port, flow.dst_port));
    (src, dst, ports, flow.protocol, flow.packets, flow.octets, second)
}

#[test]
fn what_nfdump_prints_of_a_file_is_read_as_the_file_itself() {
    let Some(corpus) = corpus().filter(|_| has_nfdump()) else { return };
    for (file, _) in FILES {
        if file.starts_with("Net-NfDump") || file.ends_with("corrupt") || file.ends_with("empty") {
            continue;
        }
        let file = corpus.join("flow-exports").join(file);
        let (kept, _) = decode_all(std::fs::File::open(&file).unwrap(), &Options::default());
        let mut forms = 0;
        for form in ["csv", "csv-fast", "json", "ndjson", "pipe"] {
            let printed = Command::new("nfdump")
                .arg("-r")
                .arg(&file)
                .args(["-o", form])
                .env("TZ", "UTC")
                .output()
                .unwrap();
            // Versions have different forms.
            if !printed.status.success() || printed.stdout.is_empty() {
                continue;
            }
            forms += 1;
            let (read, result) = decode_all(&*printed.stdout, &Options::default());
            assert_eq!(result.unwrap().refused, 0, "{} as {form}: {:?}", file.display(), read.problems);
            assert_eq!(read.flows.len(), kept.flows.len(), "{} as {form}", file.display());
            for (read, flow) in read.flows.iter().zip(&kept.flows) {
                if read.quality.contains(Quality::END_BEFORE_START)
                    == flow.quality.contains(Quality::END_BEFORE_START)
                {
                    assert_eq!(brief(read), brief(flow), "{} as {form}", file.display());
                }
            }
        }
        assert!(forms >= 3, "{forms} forms of {}", file.display());
    }
}
