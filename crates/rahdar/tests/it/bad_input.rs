//! Bad input gets an error that names file, place and remedy, and loses nothing that was good.

use crate::harness::Home;

fn check(args: &[&str], code: i32, says: &[&str]) {
    let home = Home::new();
    let ran = home.run(args);
    assert_eq!(ran.code, Some(code), "{args:?}\n{}", ran.stderr);
    for word in says {
        assert!(ran.stderr.contains(word), "{args:?}: `{word}` is not in\n{}", ran.stderr);
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    check(&["flows", "import"], 2, &["PATH"]);
    check(&["hunt", "--victim", "nowhere"], 2, &["nowhere"]);
}

#[test]
fn a_missing_file_is_named() {
    check(&["flows", "import", "/nowhere/conn.log"], 1, &["/nowhere/conn.log"]);
    check(&["intel", "import", "/nowhere/list.txt"], 1, &["/nowhere/list.txt"]);
}

#[test]
fn a_folder_without_flows_says_what_is_read() {
    let home = Home::new();
    let text = home.file("folder/notes.txt", "nothing to see\n");
    let folder = text.trim_end_matches("/notes.txt");
    let ran = home.run(&["flows", "import", folder]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("no flows") && ran.stderr.contains("Zeek"), "{}", ran.stderr);
}

#[test]
fn a_text_file_given_as_packets_is_refused_by_name() {
    let home = Home::new();
    let text = home.file("notes.pcap", "nothing to see\n");
    for args in [vec!["flows", "import", &text], vec!["flows", "import", "--as", "packets", &text]] {
        let ran = home.run(&args);
        assert_eq!(ran.code, Some(1));
        assert!(ran.stderr.contains("notes.pcap"), "{}", ran.stderr);
    }
}

#[test]
fn an_unknown_format_word_lists_the_known_ones() {
    let home = Home::new();
    let text = home.file("notes.txt", "x");
    let ran = home.run(&["flows", "import", "--as", "netflux", &text]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("netflux") && ran.stderr.contains("zeek"), "{}", ran.stderr);
}

#[test]
fn a_list_without_indicators_is_refused_by_name() {
    let home = Home::new();
    let list = home.file("prose.txt", "There is nothing hostile in this text.\n");
    let ran = home.run(&["intel", "import", &list]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("prose.txt") && ran.stderr.contains("indicator"), "{}", ran.stderr);
}

#[test]
fn a_bundle_that_is_cut_off_is_refused_with_its_place() {
    let home = Home::new();
    let bundle = home.file(
        "cut.json",
        "{\"type\":\"bundle\",\"id\":\"bundle--1\",\"objects\":[{\"type\":\"indicator\",\n\"id\":",
    );
    let ran = home.run(&["intel", "import", &bundle]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("cut.json") && ran.stderr.contains("line 2"), "{}", ran.stderr);
}

#[test]
fn good_lines_survive_beside_bad_ones_and_the_exit_code_says_so() {
    let home = Home::new();
    let list = home.file(
        "list.csv",
        "indicator,valid_from\n192.0.2.7,2021-05-01\n192.0.2.300,2021-05-01\n192.0.2.8,soon\n",
    );
    let ran = home.run(&["intel", "import", &list]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("line 3") && ran.stderr.contains("line 4"), "{}", ran.stderr);
    assert!(home.done(&["intel", "list", "--format", "csv"]).stdout.contains("192.0.2.7"));
}

#[test]
fn a_query_that_writes_is_refused() {
    check(&["flows", "sql", "DROP TABLE flows"], 1, &["SELECT"]);
    check(&["flows", "sql", "SELECT nothing FROM flows"], 1, &["nothing"]);
}
