//! Following a folder that others write to.

use std::io::{BufRead as _, BufReader, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

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
    look_as(home, &[])
}

/// As [`look`], and files that were written just now are taken to rest.
fn look_at_rest(home: &Home) -> (i64, i64) {
    look_as(home, &["--settle", "0"])
}

fn look_as(home: &Home, args: &[&str]) -> (i64, i64) {
    let folder = home.path().join("logs");
    let args = [&["flows", "follow", folder.to_str().unwrap(), "--once"], args].concat();
    let summary = home.json(&args);
    (summary[0]["rows"].as_i64().unwrap(), summary[0]["already_stored"].as_i64().unwrap())
}

/// Each of so many rows is stored, and stored once.
#[track_caller]
fn check_rows(home: &Home, rows: i64) {
    let sql = "SELECT count(*) AS n, count(DISTINCT start_time) AS distinct_n FROM flows";
    assert_eq!(home.json(&["flows", "sql", sql])[0], json!({ "n": rows, "distinct_n": rows }));
}

/// Takes the place of a file: its content, compressed.
fn compress(from: &str, to: &str) {
    let mut encoder = GzEncoder::new(std::fs::File::create(to).unwrap(), Compression::default());
    encoder.write_all(&std::fs::read(from).unwrap()).unwrap();
    encoder.finish().unwrap();
    std::fs::remove_file(from).unwrap();
}

/// What the follower knows of files: all that it knew, and the pages that it noted since.
fn notebook(home: &Home) -> Value {
    let text = std::fs::read_to_string(home.path().join("home/follow.json")).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut known = lines.next().unwrap();
    for page in lines {
        let pages = known["files"].as_array_mut().unwrap();
        pages.retain(|known| known["file"] != page["file"]);
        pages.push(page);
    }
    known
}

/// As if the follower had been killed after the rows of its last part were stored, and before that was noted.
fn kill_before_the_note(home: &Home, mut before: Value) {
    before["files"][0]["planned"] = notebook(home)["files"][0]["read"].clone();
    std::fs::write(home.path().join("home/follow.json"), before.to_string()).unwrap();
}

/// A capture of raw IP, without packets.
fn empty_capture() -> Vec<u8> {
    [0xa1b2_c3d4_u32, 2 | 4 << 16, 0, 0, 65_535, 101].into_iter().flat_map(u32::to_le_bytes).collect()
}

/// An UDP packet without payload, as captures have it.
fn packet(second: u32) -> Vec<u8> {
    let mut packet: Vec<u8> =
        [1_629_000_000 + second, 0, 28, 28].into_iter().flat_map(u32::to_le_bytes).collect();
    packet.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 203, 0, 113, 9]);
    packet.extend([0x10, 0, 0x20, 0, 0, 8, 0, 0]);
    packet
}

fn capture_of_one_packet() -> Vec<u8> {
    [empty_capture(), packet(0)].concat()
}

/// A file of nfdump 1.7 with one flow from 192.0.2.1 to 198.51.100.7.
fn nfcapd() -> Vec<u8> {
    let sized = |kind: u16, body: &[u8]| {
        let octets = (body.len() + 4) as u16;
        [&kind.to_le_bytes()[..], &octets.to_le_bytes(), body].concat()
    };
    let mut generic = Vec::new();
    for number in [1_629_000_000_000_u64, 1_629_000_001_000, 1_629_000_002_000, 10, 1_520] {
        generic.extend(number.to_le_bytes());
    }
    generic.extend([0x50, 0xc3, 0xbb, 1, 6, 0x1b, 0, 0]);
    let elements = [sized(1, &generic), sized(2, &[1, 2, 0, 192, 7, 100, 51, 198])].concat();
    let flow = sized(11, &[&[2, 0, 0, 0, 1, 0, 0, 9][..], &elements].concat());
    let mut file = vec![0x0c, 0xa5, 2, 0, 0, 8, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0];
    file.extend([0; 12]);
    for word in [1, 1, flow.len() as u32, 3] {
        file.extend(word.to_le_bytes());
    }
    file.extend(flow);
    file
}

#[test]
fn a_log_is_read_as_it_grows_and_each_line_once() {
    let home = Home::new();
    let log = home.file("logs/current/conn.log", format!("{HEADER}{}{}1629", line(1), line(2)));
    assert_eq!(look(&home), (2, 0));
    assert_eq!(look(&home), (0, 0));
    append(&log, &line(3)[4..]);
    append(&log, &line(4));
    let before = notebook(&home);
    assert_eq!(look(&home), (2, 0));
    kill_before_the_note(&home, before);
    assert_eq!(look(&home), (0, 1), "the same part comes again");

    // Rotated: closed, and moved out of the way.
    append(&log, "#close\t2021-08-15-05-00-00\n");
    assert_eq!(look(&home), (0, 0));
    std::fs::rename(&log, home.path().join("logs/conn.00:00:00-01:00:00.log")).unwrap();
    assert_eq!(look(&home), (0, 0));
    home.file("logs/current/conn.log", format!("{HEADER}{}", line(5)));
    assert_eq!(look(&home), (1, 0));
    check_rows(&home, 5);
}

#[test]
fn a_log_that_gets_another_name_goes_on_where_it_was() {
    let home = Home::new();
    let log = home.file("logs/current/conn.log", format!("{HEADER}{}{}", line(1), line(2)));
    assert_eq!(look(&home), (2, 0));
    append(&log, &line(3));
    std::fs::rename(&log, home.path().join("logs/conn.00.log")).unwrap();
    home.file("logs/current/conn.log", format!("{HEADER}{}", line(4)));
    assert_eq!(look(&home), (2, 0));
    check_rows(&home, 4);
}

#[test]
fn a_log_that_is_compressed_goes_on_where_it_was() {
    let home = Home::new();
    let log = home.file("logs/current/conn.log", format!("{HEADER}{}{}", line(1), line(2)));
    assert_eq!(look(&home), (2, 0));
    append(&log, &line(3));
    compress(&log, &format!("{log}.gz"));
    home.file("logs/current/conn.log", format!("{HEADER}{}", line(4)));
    assert_eq!(look_at_rest(&home), (2, 0));
    check_rows(&home, 4);
    assert_eq!(look_at_rest(&home), (0, 0));

    // Another that has nothing new.
    append(&log, &line(5));
    assert_eq!(look(&home), (1, 0));
    compress(&log, &format!("{log}.1.gz"));
    assert_eq!(look_at_rest(&home), (0, 1));
    check_rows(&home, 5);
}

#[test]
fn a_log_that_is_compressed_after_a_kill_goes_on_where_it_was() {
    let home = Home::new();
    let log = home.file("logs/conn.log", format!("{HEADER}{}", line(1)));
    assert_eq!(look(&home), (1, 0));
    append(&log, &line(2));
    let before = notebook(&home);
    assert_eq!(look(&home), (1, 0));
    kill_before_the_note(&home, before);
    append(&log, &line(3));
    compress(&log, &home.path().join("logs/archive.gz").to_string_lossy());
    assert_eq!(look_at_rest(&home), (1, 1));
    check_rows(&home, 3);
}

#[test]
fn a_log_that_is_copied_and_cut_is_read_on_in_its_copy_and_from_the_beginning() {
    let home = Home::new();
    let log = home.file("logs/conn.log", format!("{HEADER}{}{}", line(1), line(2)));
    assert_eq!(look(&home), (2, 0));
    append(&log, &line(3));
    // The copy comes before it in the order of names, and after it.
    for copy in ["logs/conn-1.log", "logs/conn.log.1"] {
        std::fs::copy(&log, home.path().join(copy)).unwrap();
    }
    std::fs::write(&log, format!("{HEADER}{}{}{}", line(4), line(5), line(6))).unwrap();
    look_at_rest(&home);
    check_rows(&home, 6);
}

/// As if what was just written had been written so many seconds ago.
fn written_before(path: &str, seconds: u64) {
    let file = std::fs::File::options().append(true).open(path).unwrap();
    let at = file.metadata().unwrap().modified().unwrap() - std::time::Duration::from_secs(seconds);
    file.set_modified(at).unwrap();
}

#[test]
fn a_line_whose_writer_pauses_within_it_is_not_cut() {
    let home = Home::new();
    let (begun, rest) = (&line(2)[..30], &line(2)[30..]);
    let log = home.file("logs/conn.log", format!("{HEADER}{}{begun}", line(1)));
    written_before(&log, 100);
    assert_eq!(look(&home), (1, 0));
    append(&log, rest);
    assert_eq!(look(&home), (1, 0));
    check_rows(&home, 2);

    // Who ends no line for ten minutes ends none.
    append(&log, line(3).trim_end());
    written_before(&log, 100);
    assert_eq!(look(&home), (0, 0));
    written_before(&log, 1_000);
    assert_eq!(look(&home), (1, 0));
    check_rows(&home, 3);
}

#[test]
fn a_last_line_that_is_a_whole_object_is_read_once_the_log_has_settled() {
    let home = Home::new();
    let event = |second: u32| {
        format!(
            r#"{{"timestamp":"2021-08-15T04:00:0{second}.0+0000","flow_id":{second},"event_type":"flow","src_ip":"192.0.2.1","src_port":4000,"dest_ip":"203.0.113.9","dest_port":443,"proto":"TCP","flow":{{"pkts_toserver":5,"pkts_toclient":4,"bytes_toserver":500,"bytes_toclient":400,"start":"2021-08-15T04:00:0{second}.0+0000","end":"2021-08-15T04:00:0{second}.0+0000"}}}}"#
        )
    };
    let log = home.file("logs/eve.json", format!("{}\n{}", event(1), event(2)));
    written_before(&log, 100);
    assert_eq!(look(&home), (2, 0));
}

/// An event in which Suricata counts what it dropped.
fn stats(second: u32, drops: u32) -> String {
    format!(
        r#"{{"timestamp":"2021-08-15T04:00:{second:02}.0+0000","event_type":"stats","host":"s1","stats":{{"uptime":{second},"capture":{{"kernel_packets":900,"kernel_drops":{drops}}}}}}}"#
    ) + "\n"
}

#[test]
fn what_was_counted_before_a_part_is_none_of_it() {
    let home = Home::new();
    let log = home.file("logs/eve.json", stats(8, 10));
    assert_eq!(look(&home), (0, 0));
    append(&log, &format!("{{\"x\n{}", stats(16, 25)));
    let folder = home.path().join("logs");
    let ran = home.run(&["flows", "follow", folder.to_str().unwrap(), "--once", "--format", "json"]);
    let summary: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&summary[0]["refused"], &summary[0]["beside"]), (&json!(1), &json!(1)), "{summary}");
    assert!(ran.stderr.contains(": line 1: "), "{}", ran.stderr);
}

#[test]
fn packets_that_a_followed_sensor_dropped_between_two_parts_are_a_gap() {
    let home = Home::new();
    let log = home.file("logs/eve.json", stats(8, 10));
    assert_eq!(look(&home), (0, 0));
    append(&log, &stats(16, 25));
    assert_eq!(look(&home), (0, 0));
    append(&log, &stats(24, 25));
    assert_eq!(look(&home), (0, 0));
    let gaps = home.json(&["flows", "sql", "SELECT exporter, unit, lost FROM gaps"]);
    assert_eq!(gaps, json!([{ "exporter": "s1", "unit": "packets", "lost": 15 }]));
}

#[test]
fn who_is_asked_to_stop_ends_in_order() {
    let home = Home::new();
    let log = home.file("logs/conn.log", format!("{HEADER}{}", line(1)));
    written_before(&log, 100);
    let folder = home.path().join("logs");
    let mut follow = home.command(&["flows", "follow", folder.to_str().unwrap()]);
    let mut running = follow.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(running.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().ends_with("1 rows")));
    let pid = running.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(running.wait().unwrap().code(), Some(0));
    check_rows(&home, 1);
}

#[test]
fn a_log_that_is_moved_away_is_told_once() {
    let home = Home::new();
    let log = home.file("logs/conn.log", format!("{HEADER}{}", line(1)));
    assert_eq!(look(&home), (1, 0));
    append(&log, &line(2));
    std::fs::rename(&log, home.path().join("conn.log.away")).unwrap();
    let folder = home.path().join("logs");
    let look =
        |settle| home.done(&["flows", "follow", folder.to_str().unwrap(), "--once", "--settle", settle]);
    assert!(!look("60").stderr.contains("moved away"), "it may come back, compressed");
    let told = look("0").stderr;
    let octets = HEADER.len() + line(1).len();
    assert!(
        told.contains(&format!("conn.log: this log was moved away or overwritten after {octets} octets")),
        "{told}"
    );
    assert!(!look("0").stderr.contains("moved away"));

    // It does come back.
    compress(&home.path().join("conn.log.away").to_string_lossy(), &format!("{log}.gz"));
    assert_eq!(look_at_rest(&home), (1, 0));
    check_rows(&home, 2);
}

#[test]
fn a_file_is_imported_once_it_rests() {
    let home = Home::new();
    home.file("logs/router.pcap", capture_of_one_packet());
    assert_eq!(look(&home), (0, 0));
    assert_eq!(look_at_rest(&home), (1, 0));
    assert_eq!(look_at_rest(&home), (0, 0), "what is done is not read again");
}

#[test]
fn what_nfcapd_is_writing_is_left_until_it_has_its_name() {
    let home = Home::new();
    let current = home.file("logs/nfcapd.current.4711", nfcapd());
    assert_eq!(look_at_rest(&home), (0, 0));
    std::fs::rename(current, home.path().join("logs/nfcapd.202108150400")).unwrap();
    assert_eq!(look_at_rest(&home), (1, 0));
}

#[test]
fn a_table_that_grows_after_it_rested_goes_on_where_it_ended() {
    let home = Home::new();
    let row =
        |n: u32| format!("192.0.2.1|203.0.113.9|4000|443|6|10|1000|2021/08/15T04:00:{n:02}.000|1.000|\n");
    let names = "sIP|dIP|sPort|dPort|protocol|packets|bytes|sTime|duration|\n";
    let silk = home.file("logs/silk.txt", format!("{names}{}{}", row(1), row(2)));
    let unnamed = |n: u32| {
        format!(
            "2 123456789012 eni-1 192.0.2.1 203.0.113.9 4000 443 6 10 1000 16290001{n:02} 1629000160 ACCEPT OK\n"
        )
    };
    let aws = home.file("logs/aws.log", [unnamed(1), unnamed(2)].concat());
    assert_eq!(look_at_rest(&home), (4, 0));
    append(&silk, &row(3));
    append(&aws, &unnamed(3));
    assert_eq!(look(&home), (0, 0), "they do not rest");
    assert_eq!(look_at_rest(&home), (2, 0));
    append(&aws, &unnamed(4));
    compress(&aws, &format!("{aws}.gz"));
    assert_eq!(look_at_rest(&home), (1, 0));
    check_rows(&home, 7);
}

#[test]
fn a_capture_that_grows_after_it_was_imported_is_told() {
    let home = Home::new();
    let capture = home.file("logs/router.pcap", empty_capture());
    assert_eq!(look_at_rest(&home), (0, 0));
    home.file("logs/other.pcap", empty_capture());
    assert_eq!(look_at_rest(&home), (0, 1));
    // Nothing of it is stored, so nothing can be stored twice.
    std::fs::write(&capture, capture_of_one_packet()).unwrap();
    assert_eq!(look_at_rest(&home), (1, 0));

    let grown = [capture_of_one_packet(), packet(600)].concat();
    std::fs::write(&capture, &grown).unwrap();
    let folder = home.path().join("logs");
    let args = ["flows", "follow", folder.to_str().unwrap(), "--once", "--settle", "0"];
    let ran = home.run(&args);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("router.pcap: it grew from 68 to 112 octets after it was imported"),
        "{}",
        ran.stderr
    );
    assert_eq!(home.done(&args).stderr, "", "once");
    assert_eq!(home.rows(), 1);

    // Another content is another capture.
    std::fs::write(&capture, [empty_capture(), packet(1_200), packet(1_800)].concat()).unwrap();
    look_at_rest(&home);
    assert_eq!(home.rows(), 3);
}

#[test]
fn a_folder_that_is_none_is_named() {
    let home = Home::new();
    let ran = home.run(&["flows", "follow", "/no/such/folder", "--once"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("`/no/such/folder` is no folder"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_looked_at_is_named_and_the_rest_is_read() {
    let home = Home::new();
    home.file("logs/one.pcap", capture_of_one_packet());
    std::os::unix::fs::symlink("nowhere", home.path().join("logs/dangling")).unwrap();
    let folder = home.path().join("logs");
    let ran = home.run(&["flows", "follow", folder.to_str().unwrap(), "--once", "--settle", "0"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("dangling: cannot look at it"), "{}", ran.stderr);
    assert_eq!(home.rows(), 1);
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_rest_is_read() {
    let home = Home::new();
    home.file("logs/one.pcap", capture_of_one_packet());
    home.file("logs/two.log", format!("{HEADER}{}", line(1)));
    // Its first octets belong to nobody: reading them fails, whoever asks.
    std::os::unix::fs::symlink("/proc/self/mem", home.path().join("logs/a.log")).unwrap();
    let folder = home.path().join("logs");
    let ran = home.run(&["flows", "follow", folder.to_str().unwrap(), "--once", "--settle", "0"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot read") && ran.stderr.contains("a.log"), "{}", ran.stderr);
    assert_eq!(home.rows(), 2);
}

#[test]
fn what_the_lake_refuses_is_told_once_and_tried_again() {
    let home = Home::new();
    home.file("logs/one.log", format!("{HEADER}{}", line(1)));
    std::os::unix::fs::symlink("/proc/self/mem", home.path().join("logs/a.log")).unwrap();
    let folder = home.path().join("logs");
    let mut follow = home.command(&["flows", "follow", folder.to_str().unwrap(), "--every", "1"]);
    let mut follow = follow.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(follow.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut hear = |end: &str| said.by_ref().take_while(|line| !line.ends_with(end)).collect::<Vec<_>>();
    let mut heard = hear("1 rows");

    let entries = home.path().join("home/flows/_delta_log");
    let away = home.path().join("away");
    std::fs::rename(&entries, &away).unwrap();
    std::fs::write(&entries, "no folder").unwrap();
    home.file("logs/two.log", format!("{HEADER}{}", line(2)));
    heard.extend(hear("tried again every 1 s"));
    std::fs::remove_file(&entries).unwrap();
    std::fs::rename(&away, &entries).unwrap();
    heard.extend(hear("1 rows"));
    follow.kill().unwrap();
    follow.wait().unwrap();
    let unread = heard.iter().filter(|line| line.contains("a.log")).count();
    assert_eq!(unread, 1, "a file that cannot be read is told once: {heard:?}");
    check_rows(&home, 2);
}

/// A flow of Suricata as syslog delivers it.
fn event(number: u32) -> String {
    format!(
        "<134>Aug 15 04:00:{number:02} fw suricata[7]: {{\"timestamp\":\"2021-08-15T04:00:{number:02}.000000+0000\",\
         \"event_type\":\"flow\",\"src_ip\":\"192.0.2.1\",\"src_port\":4000,\"dest_ip\":\"203.0.113.9\",\"dest_port\":443,\
         \"proto\":\"TCP\",\"flow\":{{\"pkts_toserver\":5,\"pkts_toclient\":4,\"bytes_toserver\":500,\"bytes_toclient\":400,\
         \"start\":\"2021-08-15T04:00:{number:02}.000000+0000\",\"end\":\"2021-08-15T04:00:{number:02}.500000+0000\"}}}}\n"
    )
}

#[test]
fn a_part_that_shows_nothing_of_its_format_stops_nothing() {
    let home = Home::new();
    let log = home.file("logs/suricata.log", format!("{}{}", event(1), event(2)));
    assert_eq!(look(&home), (2, 0));
    append(&log, "<134>Aug 15 04:00:03 fw suricata[7]: <Notice> rule reload complete\n");
    look(&home);
    append(&log, &event(4));
    assert_eq!(look(&home), (1, 0));
    check_rows(&home, 3);
}
