//! Imports at once, as processes of their own, in one home.

use rahdar_testkit::is_nightly;

use crate::harness::Home;

const ROWS: usize = 20;

/// A log of its own for each number.
fn log(number: usize) -> String {
    let mut log = String::from(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
         #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n\
         #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tcount\tcount\tcount\tcount\n",
    );
    for row in 0..ROWS {
        log.push_str(&format!(
            "{}.5\tC{number}-{row}\t203.0.113.7\t{}\t192.0.2.9\t443\ttcp\t10\t1000\t8\t800\n",
            1_621_468_800 + row,
            10_000 + number
        ));
    }
    log
}

#[test]
fn imports_at_once_see_no_error_and_store_each_log_once() {
    let (processes, own) = if is_nightly() { (12, 10) } else { (6, 2) };
    let home = Home::new();
    // A log that all import, and some that one imports each.
    let shared = home.file("shared.log", log(0));
    let mut running = Vec::new();
    for process in 0..processes {
        let own = (0..own).map(|n| 1 + process * own + n);
        let own: Vec<String> = own.map(|n| home.file(&format!("{n}.log"), log(n))).collect();
        // One process for each log, so that all of them commit again and again.
        let script = own.iter().chain([&shared]).map(|log| format!("\"$@\" '{log}'")).collect::<Vec<_>>();
        let import = home.command(&["flows", "import"]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script.join(" && "), "sh"]).arg(import.get_program()).args(import.get_args());
        shell.env_remove("RAHDAR_HOME").stdout(std::process::Stdio::null());
        running.push(shell.stderr(std::process::Stdio::piped()).spawn().unwrap());
    }
    for process in running {
        let ended = process.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success() && said.is_empty(), "{said}");
    }
    assert_eq!(home.rows() as usize, (1 + processes * own) * ROWS);
}
