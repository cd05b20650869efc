//! Bad input gets an error that names file, place and remedy, and loses nothing that was good.

use std::io::Write as _;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::Home;

/// A log of one flow.
const LOG: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
    #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_pkts\torig_ip_bytes\n\
    #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tcount\tcount\n\
    1621468800.5\tC1\t203.0.113.1\t5000\t192.0.2.1\t443\ttcp\t10\t1000\n";

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
    check(&["hunt", "--from", "banana"], 2, &["banana", "2021-08-15"]);
    check(&["hunt", "--from", "2022-01-01", "--until", "2021-01-01"], 2, &["nothing lies between"]);
    check(&["flows", "import", "--time-offset", "soon", "x"], 2, &["soon", "-2d"]);
    check(&["flows", "collect", "--accept-any"], 2, &["no socket to listen on", "--netflow"]);
    check(&["flows", "import", "--as", "telex", "x"], 2, &["telex", "zeek"]);
    check(&["flows", "import", "--columns", "src", "x"], 2, &["OURS=THEIRS"]);
}

#[test]
fn a_missing_file_is_named() {
    check(&["flows", "import", "/nowhere/conn.log"], 1, &["/nowhere/conn.log"]);
    check(&["intel", "import", "/nowhere/list.txt"], 1, &["/nowhere/list.txt"]);
}

#[test]
fn a_hunt_in_nothing_does_not_pass_for_a_clean_bill_of_health() {
    let home = Home::new();
    let ran = home.done(&["hunt"]);
    for said in [
        "did not exist; created an empty home there",
        "no flow of this period is stored",
        "the book holds no matching claim",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    assert_eq!(home.json(&["hunt"])["hunt"]["claims_asked"], 0);
}

#[test]
fn what_could_not_be_read_may_be_imported_by_its_right_name() {
    let home = Home::new();
    let log = home.file("conn.log", LOG);
    for wrong in ["silk", "eve"] {
        let refused = home.run(&["flows", "import", &log, "--as", wrong]);
        assert_eq!(refused.code, Some(1), "{wrong}: {}", refused.stderr);
    }
    home.done(&["flows", "import", &log]);
    assert_eq!(home.rows(), 1);
    let again = home.done(&["flows", "import", &log, "--sampling", "512"]);
    assert!(again.stderr.contains("the options of this import do not change it"), "{}", again.stderr);
}

#[test]
fn an_input_that_gives_only_gaps_ends_no_import() {
    let home = Home::new();
    let stats = |second: u32, drops: u32| {
        format!(
            "{{\"timestamp\":\"2021-05-20T00:00:{second:02}Z\",\"event_type\":\"stats\",\"stats\":\
             {{\"uptime\":{second},\"capture\":{{\"kernel_drops\":{drops}}}}}}}\n"
        )
    };
    let cut = "{\"timestamp\":\"2021-05-20T00:0";
    home.file("logs/a-eve.json", [&stats(8, 1), &stats(16, 7), cut].concat());
    home.file("logs/b-conn.log", LOG);
    let ran = home.run(&["flows", "import", home.path().join("logs").to_str().unwrap()]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let gaps = home.json(&["flows", "sql", "SELECT lost FROM gaps"]);
    assert_eq!((home.rows(), &gaps[0]["lost"]), (1, &serde_json::json!(6)), "{gaps}");
}

#[test]
fn that_an_input_ends_early_is_told_after_any_number_of_other_problems() {
    let home = Home::new();
    let wrong = "1621468800.5\tC1\t203.0.113.1\tx\t192.0.2.1\t443\ttcp\t10\t1000\n";
    let right = (0..20_000).map(|n: u64| {
        let port = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49;
        format!("{}.5\tC{n}\t203.0.113.1\t{port}\t192.0.2.1\t443\ttcp\t10\t1000\n", 1_621_468_800 + n)
    });
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    write!(packed, "{LOG}{}{}", wrong.repeat(20), right.collect::<String>()).unwrap();
    let packed = packed.finish().unwrap();
    let log = home.file("conn.log.gz", &packed[..packed.len() / 2]);
    let ran = home.run(&["flows", "import", &log]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains(" more, the last of them: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("the compressed input is damaged"), "{}", ran.stderr);
    assert!(home.rows() > 1_000);
}

#[test]
fn a_log_comes_through_a_pipe() {
    let home = Home::new();
    let piped = |path: &str| {
        let mut import = home.command(&["flows", "import", path]).stdin(Stdio::piped()).spawn().unwrap();
        import.stdin.take().unwrap().write_all(LOG.as_bytes()).unwrap();
        assert!(import.wait().unwrap().success(), "{path}");
    };
    piped("-");
    assert_eq!(home.rows(), 1);
    piped("/dev/stdin");
    assert_eq!(home.rows(), 1, "the same content is stored once");
}

#[test]
fn what_is_left_alone_and_what_cannot_be_looked_at_is_named() {
    let home = Home::new();
    home.file("logs/conn.log", LOG);
    home.file("logs/notes.txt", "nothing to see\n");
    std::os::unix::fs::symlink("nowhere", home.path().join("logs/dangling")).unwrap();
    let ran = home.run(&["flows", "import", home.path().join("logs").to_str().unwrap()]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("notes.txt") && ran.stderr.contains("dangling"), "{}", ran.stderr);
    assert_eq!(home.rows(), 1);
}

#[test]
fn a_date_moves_no_clock_that_tells_dates() {
    let home = Home::new();
    let log = home.file("conn.log", LOG);
    let ran = home.done(&["flows", "import", &log, "--time-offset", "2022-01-01"]);
    assert!(ran.stderr.contains("flows not shifted: 1;"), "{}", ran.stderr);
    let rows = home.json(&["flows", "sql", "SELECT CAST(start_time AS VARCHAR) AS start FROM flows"]);
    assert!(rows[0]["start"].as_str().unwrap().starts_with("2021-05-20"), "{rows}");
}

#[test]
fn a_cluster_that_nobody_claims_is_named() {
    check(&["intel", "list", "--cluster", "nobody"], 1, &["nobody"]);
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
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("netflux") && ran.stderr.contains("zeek"), "{}", ran.stderr);
}

/// What is proposed with a history waits for a person, and what needs no indicator weighs no evidence.
#[test]
fn options_that_could_do_nothing_are_refused() {
    let home = Home::new();
    let file = home.file("list.txt", "192.0.2.7\n");
    for args in [
        &["intel", "import", "--history", "--accept", &file][..],
        &["hunt", "--rhythm", "--calibration", &file],
        &["hunt", "--uploads", "--calibration", &file],
    ] {
        let ran = home.run(args);
        assert_eq!(ran.code, Some(2), "{args:?}");
        assert!(ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
    }
}

#[test]
fn a_time_may_be_counted_back() {
    let home = Home::new();
    for option in ["--published", "--valid-from", "--valid-until"] {
        let list = home.file(&format!("{option}.txt"), "192.0.2.7\n");
        home.done(&["intel", "import", option, "-7d", &list]);
    }
}

#[test]
fn the_help_of_import_and_follow_names_every_format() {
    for verb in ["import", "follow"] {
        let help = Home::new().done(&["flows", verb, "--help"]).stdout;
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = "zeek, zeek-json, packets, ipfix, netflow, sflow, nfcapd, eve, aws, gcp, azure, nfdump-csv, nfdump-json, nfdump-pipe, silk, argus";
        assert!(help.contains(words), "{help}");
    }
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
