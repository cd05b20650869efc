//! Following a folder that others write to.

use std::io::Write as _;

use crate::harness::Home;

const HEADER: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
    #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n\
    #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tcount\tcount\tcount\tcount\n";

fn line(number: u32) -> String {
    format!("16290000{number:02}.0\tC{number}\t192.0.2.1\t4000\t203.0.113.9\t443\ttcp\tSF\t5\t500\t4\t400\n")
}

fn append(path: &str, text: &str) {
    std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Looks once; returns the rows added, and the inputs that were stored already.
fn look(home: &Home) -> (i64, i64) {
    let folder = home.path().join("logs");
    let summary = home.json(&["flows", "follow", folder.to_str().unwrap(), "--once"]);
    (summary[0]["rows"].as_i64().unwrap(), summary[0]["already_stored"].as_i64().unwrap())
}

/// A capture of raw IP that holds one UDP packet without payload.
fn capture_of_one_packet() -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 203, 0, 113, 9];
    packet.extend([0x10, 0, 0x20, 0, 0, 8, 0, 0]);
    let mut capture = Vec::new();
    for word in [0xa1b2_c3d4_u32, 2 | 4 << 16, 0, 0, 65_535, 101, 1_629_000_000, 0, 28, 28] {
        capture.extend(word.to_le_bytes());
    }
    capture.extend(packet);
    capture
}

#[test]
fn a_log_is_read_as_it_grows_and_each_line_once() {
    let home = Home::new();
    let log = home.file("logs/current/conn.log", format!("{HEADER}{}{}1629", line(1), line(2)));
    assert_eq!(look(&home), (2, 0));
    assert_eq!(look(&home), (0, 0));
    append(&log, &line(3)[4..]);
    append(&log, &line(4));
    let before = std::fs::read(home.path().join("home/follow.json")).unwrap();
    assert_eq!(look(&home), (2, 0));

    // Killed after the rows were stored and before that was noted: the same part comes again.
    let read = format!("\"read\":{}", HEADER.len() + line(1).len() * 2);
    let planned = format!("\"planned\":{}", std::fs::metadata(&log).unwrap().len());
    let note = String::from_utf8(before).unwrap().replace("\"planned\":null", &planned);
    assert!(note.contains(&read) && note.contains(&planned), "{note}");
    std::fs::write(home.path().join("home/follow.json"), note).unwrap();
    assert_eq!(look(&home), (0, 1));

    // Rotated: closed, and moved out of the way.
    append(&log, "#close\t2021-08-15-05-00-00\n");
    assert_eq!(look(&home), (0, 0));
    std::fs::rename(&log, home.path().join("logs/conn.00:00:00-01:00:00.log")).unwrap();
    assert_eq!(look(&home), (0, 1));
    home.file("logs/current/conn.log", format!("{HEADER}{}", line(5)));
    assert_eq!(look(&home), (1, 0));
    assert_eq!(home.rows(), 5);
}

#[test]
fn a_file_is_imported_once_it_rests() {
    let home = Home::new();
    let folder = home.path().join("logs");
    home.file("logs/nfcapd.current.4711", "unfinished");
    home.file("logs/router.pcap", capture_of_one_packet());
    let args = ["flows", "follow", folder.to_str().unwrap(), "--once"];
    assert_eq!(home.json(&args)[0]["rows"], 0);
    let args = [&args[..], &["--settle", "0"]].concat();
    assert_eq!(home.json(&args)[0]["rows"], 1);
    assert_eq!(home.json(&args)[0]["already_stored"], 0, "what is done is not read again");
}

#[test]
fn a_folder_that_is_none_is_named() {
    let home = Home::new();
    let ran = home.run(&["flows", "follow", "/no/such/folder", "--once"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("`/no/such/folder` is no folder"), "{}", ran.stderr);
}
