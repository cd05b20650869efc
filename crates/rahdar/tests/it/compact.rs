//! Small files merged by the real binary, and old versions asked for.

use serde_json::Value;

use crate::harness::Home;

/// A log of one connection.
fn log(number: u32) -> String {
    format!(
        "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\n\
         #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\n\
         {}.0\tC{number}\t192.0.2.{number}\t40000\t203.0.113.9\t443\ttcp\tSF\n",
        1_629_000_000 + number
    )
}

fn rows(home: &Home, args: &[&str]) -> Vec<Value> {
    let args = [&["--format", "json"], args].concat();
    serde_json::from_str(&home.done(&args).stdout).unwrap()
}

#[test]
fn small_files_are_merged_and_no_answer_changes() {
    let home = Home::new();
    for number in 1..=3 {
        let file = home.file(&format!("{number}/conn.log"), log(number));
        home.done(&["flows", "import", &file]);
    }
    let asked = "SELECT src, src_port, start_time FROM flows ORDER BY src";
    let before = rows(&home, &["flows", "sql", asked]);
    let merged = rows(&home, &["flows", "compact"]);
    let flows = merged.iter().find(|row| row["table"] == "flows").unwrap();
    let counts =
        ["rows_merged", "files_before", "files_after", "files_removed"].map(|name| flows[name].clone());
    assert_eq!(counts, [3, 3, 1, 0].map(Value::from));
    assert_eq!(rows(&home, &["flows", "sql", asked]), before);
    assert_eq!(rows(&home, &["flows", "sql", asked, "--table-version", "2"]), before[..2]);

    let later = home.run(&["flows", "sql", asked, "--table-version", "9"]);
    assert_eq!(later.code, Some(1));
    assert!(later.stderr.contains("the newest is 4"), "{}", later.stderr);
    let hasty = home.run(&["flows", "compact", "--keep-days", "1"]);
    assert_eq!(hasty.code, Some(2), "a week at least: {}", hasty.stderr);
}
