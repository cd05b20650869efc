//! An import killed at any moment and repeated: the same tables, not a row more (`docs/reliability.md` R6).

use std::path::Path;
use std::time::{Duration, Instant};

use rahdar_testkit::is_nightly;

use crate::harness::Home;

/// Rows of one log of flows, over three days.
const FLOWS: usize = 400;

/// Rows of one log of names.
const NAMES: usize = 20;

/// How soon a home opens after a kill.
const OPENS_IN: Duration = Duration::from_secs(5);

/// A folder of logs that no other round has.
fn logs(home: &Home, round: usize) -> String {
    let port = 1_024 + round;
    let mut flows = String::from(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
         #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n\
         #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tcount\tcount\tcount\tcount\n",
    );
    for row in 0..FLOWS {
        flows.push_str(&format!(
            "{}.5\tC{row}\t203.0.113.{}\t{port}\t192.0.2.{}\t443\ttcp\t10\t1000\t8\t800\n",
            1_621_468_800 + row * 600,
            row % 200,
            row % 250
        ));
    }
    let mut names = String::from(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n\
         #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tquery\tqtype\tanswers\tTTLs\n\
         #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tcount\tvector[string]\tvector[interval]\n",
    );
    for row in 0..NAMES {
        names.push_str(&format!(
            "{}.5\tC{row}\t203.0.113.{row}\t{port}\t192.0.2.53\t53\tudp\th{row}.example.org\t1\t192.0.2.{row}\t300\n",
            1_621_468_800 + row * 600,
        ));
    }
    home.file(&format!("round{round}/conn.log"), flows);
    let names = home.file(&format!("round{round}/dns.log"), names);
    Path::new(&names).parent().unwrap().to_str().unwrap().to_owned()
}

/// Flows and resolutions that are stored.
fn stored(home: &Home) -> (usize, usize) {
    let sql = "SELECT (SELECT count(*) FROM flows) AS flows, (SELECT count(*) FROM resolutions) AS names";
    let counts = &home.json(&["flows", "sql", sql])[0];
    let count = |key: &str| usize::try_from(counts[key].as_u64().unwrap()).unwrap();
    (count("flows"), count("names"))
}

/// Names below a folder that an import gives to files on their way, and forgets at its end.
fn staged(folder: &Path) -> usize {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| match path.is_dir() {
            true => staged(&path),
            false => usize::from(path.to_string_lossy().contains('#')),
        })
        .sum()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the kills are spread over the time that a whole import takes")]
fn a_killed_import_leaves_all_or_nothing_and_repeats_exactly_once() {
    let home = Home::new();
    let import = |logs: &str| {
        let start = Instant::now();
        home.done(&["flows", "import", logs]);
        start.elapsed()
    };
    // Of the last import that was left alone: it grows with the home.
    let mut whole = import(&logs(&home, 0));
    let kills = if is_nightly() { 500 } else { 8 };
    let (mut nothing, mut facts, mut all, mut slowest) = (0, 0, 0, Duration::ZERO);
    for round in 1..=kills {
        let logs = logs(&home, round);
        let before = (round * FLOWS, round * NAMES);
        let after = (before.0 + FLOWS, before.1 + NAMES);
        let mut killed = home.command(&["flows", "import", &logs]).spawn().unwrap();
        // Multiples of the golden ratio fall into all parts of an interval evenly, in no order.
        std::thread::sleep(whole.mul_f64(1.2 * (round as f64 * 0.618_034).fract()));
        killed.kill().unwrap();
        killed.wait().unwrap();
        let start = Instant::now();
        let found = stored(&home);
        slowest = slowest.max(start.elapsed());
        // Facts are committed first.
        match found {
            found if found == before => nothing += 1,
            found if found == (before.0, after.1) => facts += 1,
            found if found == after => all += 1,
            found => panic!("{found:?} after kill {round}, {before:?} before"),
        }
        let repeated = import(&logs);
        if found == before {
            whole = repeated;
        }
        assert_eq!(stored(&home), after, "after kill {round} and its repetition");
        assert_eq!(staged(&home.path().join("home")), 0, "left behind after kill {round}");
        std::fs::remove_dir_all(logs).unwrap();
    }
    eprintln!(
        "{kills} kills: {nothing} before any commit, {facts} between, {all} after; opened in {slowest:?}"
    );
    assert!(!is_nightly() || slowest < OPENS_IN, "opening took {slowest:?}");
}
