//! Who scans, told by the real binary from a log of connections.

use serde_json::Value;

use crate::harness::Home;

const HEADER: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
    #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n\
    #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tstring\tcount\tcount\tcount\tcount\n";

const SCANNER: &str = "192.0.2.66";
const SLOW: &str = "192.0.2.67";
const SWEEPER: &str = "192.0.2.68";
const MAIL: &str = "203.0.113.25";
const ATTACKED: &str = "198.51.100.80";

/// A connection `second` seconds after midnight.
fn line(second: u32, ends: (&str, u16, &str, u16), meets: &str) -> String {
    let (client, own, server, port) = ends;
    let rest = match meets {
        "service" => "SF\tShADadFf\t9\t2000\t8\t3000",
        "nobody" => "S0\tS\t1\t60\t0\t0",
        "forged" => "OTH\t^h\t0\t0\t1\t44",
        other => panic!("nothing meets `{other}`"),
    };
    let at = 1_628_985_600 + second;
    format!("{at}.0\tC{second}\t{client}\t{own}\t{server}\t{port}\ttcp\t{rest}\n")
}

fn log() -> String {
    let mut log = HEADER.to_owned();
    for n in 0..150_u32 {
        let target = format!("203.0.113.{n}");
        log += &line(3_600 + n, (SCANNER, 40_000, &target, 445), "nobody");
        log += &line(7_200 + n, (SWEEPER, 40_000, MAIL, 1_000 + n as u16), "nobody");
        let meets = if n % 3 == 0 { "nobody" } else { "service" };
        log += &line(n * 20, (MAIL, 41_000 + n as u16, &format!("198.51.100.{n}"), 25), meets);
        let client = format!("198.51.100.{}", 100 + n);
        log += &line(9_000 + n, (&client, 42_000, MAIL, [25, 587, 993][n as usize % 3]), "service");
        log += &line(10_000 + n, (&format!("203.0.113.{n}"), 30_000 + n as u16 * 7, ATTACKED, 80), "forged");
    }
    for n in 0..12_u32 {
        log += &line(n * 6_000, (SLOW, 40_000, &format!("203.0.113.{n}"), 22), "nobody");
    }
    log
}

/// The rows as `address kind port`.
fn told(rows: &Value) -> Vec<String> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let mut told: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {}", text(row, "address"), text(row, "kind"), row["port"]))
        .collect();
    told.sort_unstable();
    told
}

#[test]
fn scanners_are_told_with_reasons_and_a_mail_server_is_not() {
    let home = Home::new();
    let log = home.file("conn.log", log());
    home.done(&["flows", "import", &log]);
    let rows = home.json(&["flows", "scanners"]);
    let expected = [
        format!("{SCANNER} horizontal 445"),
        format!("{SLOW} slow 22"),
        format!("{SWEEPER} vertical null"),
        format!("{ATTACKED} backscatter 80"),
    ];
    assert_eq!(told(&rows), expected, "{rows:#}");
    let scanner = rows.as_array().unwrap().iter().find(|row| row["address"] == SCANNER).unwrap();
    assert_eq!(scanner["why"], "150 addresses in one hour, 150 of 150 records small");
    assert_eq!(scanner["first_seen"], "2021-08-15T01:00:00Z");

    let one = home.json(&["flows", "scanners", "--source", "192.0.2.67/32", "--from", "2021-08-15"]);
    assert_eq!(told(&one), [format!("{SLOW} slow 22")]);
    let later = home.run(&["flows", "scanners", "--from", "2021-08-16"]);
    assert_eq!(later.code, Some(0));
    assert!(later.stderr.contains("no flow is stored in this period"), "{}", later.stderr);
}
