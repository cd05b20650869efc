//! Real inputs, read in place. Skipped where the corpus is not there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rahdar_model::Quality;
use rahdar_testkit::corpus;
use rahdar_wire::{Format, Options, WireError};

use crate::kept::{Kept, decode_all};

fn files_under(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_under(&path, found) } else { found.push(path) }
    }
}

/// One line of `TOTALS.csv`.
struct Total {
    file: String,
    kind: String,
    records: u64,
    ip_octets: u64,
}

fn totals(corpus: &Path) -> Vec<Total> {
    let text = fs::read_to_string(corpus.join("TOTALS.csv")).unwrap();
    let read = |line: &str| {
        let columns: Vec<_> = line.split(',').collect();
        Total {
            file: columns[0].to_owned(),
            kind: columns[1].to_owned(),
            records: columns[3].parse().unwrap(),
            ip_octets: columns[5].parse().unwrap(),
        }
    };
    text.lines().skip(1).map(read).collect()
}

#[test]
fn octets_and_records_are_those_of_the_totals() {
    let Some(corpus) = corpus() else { return };
    // Records that we do not have, and why.
    let differences = BTreeMap::from([
        // The first line is a directive behind a tab; the totals counted it as a row.
        ("captures/zeek/slips-test10-mixed-zeek-dir/conn.log", 1),
    ]);
    let mut checked = 0;
    for total in totals(&corpus) {
        let format = match &*total.kind {
            "pcap" => Format::Packets,
            "zeek conn" => Format::ZeekTsv,
            _ => continue,
        };
        let (kept, result) = decode_all(File::open(corpus.join(&total.file)).unwrap(), &Options::default());
        let tally = result.unwrap();
        let missing = differences.get(&*total.file).copied().unwrap_or(0);
        // Of a capture every frame is a record of the totals; those without IP are beside here.
        let records = if format == Format::Packets { tally.received + tally.beside } else { tally.received };
        assert_eq!(records + missing, total.records, "{}", total.file);
        assert_eq!(kept.octets(), total.ip_octets, "{}", total.file);
        assert_eq!((tally.refused, kept.problems()), (0, vec![]), "{}", total.file);
        checked += 1;
    }
    assert_eq!(checked, 19);
}

#[test]
fn every_file_is_read_or_refused_with_a_reason() {
    let Some(corpus) = corpus() else { return };
    let mut files = Vec::new();
    files_under(&corpus.join("captures"), &mut files);
    files_under(&corpus.join("flow-exports"), &mut files);
    for file in files {
        let (_, result) = decode_all(File::open(&file).unwrap(), &Options::default());
        let extension = file.extension().and_then(|e| e.to_str());
        match result {
            Ok(_) | Err(WireError::Unsupported { .. } | WireError::Unknown { .. }) => {}
            Err(error) => panic!("{}: {error}", file.display()),
        }
        if extension == Some("pcap") {
            for word in ["packets", "zeek", "ipfix", "netflow"] {
                let options = Options { format: Format::from_word(word), ..Options::default() };
                let _ = decode_all(File::open(&file).unwrap(), &options);
            }
        }
    }
}

/// Decodes one file of the corpus.
fn read(corpus: &Path, file: &str) -> Kept {
    let (kept, result) = decode_all(File::open(corpus.join(file)).unwrap(), &Options::default());
    result.unwrap();
    kept
}

/// Payload octets between two addresses, forward and back, and the flows that carried them.
fn exchanged(kept: &Kept, src: &str, dst: &str, port: u16) -> (u64, u64, usize) {
    let flows = kept
        .flows
        .iter()
        .filter(|flow| flow.src.to_string() == src && flow.dst.to_string() == dst && flow.dst_port == port);
    flows.fold((0, 0, 0), |(out, back, count), flow| {
        let payload = |octets: Option<u64>| octets.unwrap();
        (out + payload(flow.payload_octets), back + payload(flow.rev_payload_octets), count + 1)
    })
}

#[test]
fn what_victims_sent_is_what_the_manifest_says() {
    let Some(corpus) = corpus() else { return };
    let traces = "captures/pcap/corelight-asyncrat/testing/Traces";
    for (file, src, dst, port, payload) in [
        ("30a385ed-171e-4f15-ac3f-08c96be7bfd1", "192.168.100.20", "186.169.47.11", 7084, 60_919),
        ("9596cf60-0da6-47a7-a375-1f25ae32d843", "192.168.100.163", "94.156.71.237", 4782, 12_863),
        ("cd010953-5faf-4054-86be-58c020c3a532", "192.168.100.124", "181.131.218.39", 4041, 8_275),
    ] {
        let kept = read(&corpus, &format!("{traces}/{file}.pcap"));
        assert_eq!(exchanged(&kept, src, dst, port).0, payload, "{file}");
    }
    let kept = read(&corpus, "captures/pcap/unit42/2023-01-Unit42-Wireshark-quiz.pcap");
    assert_eq!(exchanged(&kept, "192.168.1.27", "45.56.99.101", 80), (76, 664_921, 1));
    assert_eq!(exchanged(&kept, "192.168.1.27", "204.11.58.28", 587).0, 2_067);
    let traces = "captures/pcap/corelight-quasarrat/testing/Traces";
    let kept = read(&corpus, &format!("{traces}/09ffabf7-774a-43a3-8c97-68f2046fd385.pcap"));
    assert_eq!(exchanged(&kept, "192.168.100.7", "86.136.67.231", 1337).2, 77);
    let kept = read(&corpus, "captures/zeek/stratosphere-003/conn.log");
    assert_eq!(exchanged(&kept, "10.8.0.61", "147.32.83.234", 1337), (41_968_113, 5_845, 12));
}

#[test]
fn relative_times_are_marked() {
    let Some(corpus) = corpus() else { return };
    for (file, suspect) in [
        ("captures/zeek/stratosphere-001/conn.log", true),
        ("captures/zeek/stratosphere-005/conn.log", true),
        ("captures/zeek/ctu-botnet-4/conn.log.labeled.gz", true),
        ("captures/zeek/stratosphere-003/conn.log", false),
    ] {
        let kept = read(&corpus, file);
        assert!(
            kept.flows.iter().all(|flow| flow.quality.contains(Quality::CLOCK_SUSPECT) == suspect),
            "{file}"
        );
    }
}
