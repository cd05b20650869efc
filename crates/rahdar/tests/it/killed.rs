//! An import killed at any moment and repeated: the same table, not a row more.

use std::time::{Duration, Instant};

use crate::harness::Home;

const ROWS: usize = 4_000;

/// A day's log with enough rows that the import takes a moment.
fn log() -> String {
    let mut log = String::from(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
         #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n\
         #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tcount\tcount\tcount\tcount\n",
    );
    for row in 0..ROWS {
        log.push_str(&format!(
            "{}.5\tC{row}\t203.0.113.{}\t40000\t192.0.2.{}\t443\ttcp\t10\t1000\t8\t800\n",
            1_621_468_800 + row * 60,
            row % 200,
            row % 250
        ));
    }
    log
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the kills are spread over the time that a whole import takes")]
fn a_killed_import_leaves_all_or_nothing_and_repeats_exactly_once() {
    let whole = {
        let home = Home::new();
        let log = home.file("conn.log", log());
        let start = Instant::now();
        home.done(&["flows", "import", &log]);
        start.elapsed()
    };
    let home = Home::new();
    let log = home.file("conn.log", log());
    for part in 1..=8 {
        let mut import = home.command(&["flows", "import", &log]).spawn().unwrap();
        std::thread::sleep(whole * part / 8 + Duration::from_millis(u64::from(part) * 3));
        import.kill().unwrap();
        import.wait().unwrap();
        let rows = home.rows();
        assert!(rows == 0 || rows == ROWS as i64, "{rows} rows after a kill at {part}/8");
    }
    home.done(&["flows", "import", &log]);
    assert_eq!(home.rows(), ROWS as i64);
}
