//! Flows that SiLK's rwcut prints.

use rahdar_wire::{Detection, Format, Options, WireError, detect};

use crate::kept::decode_all;
use crate::tables::{OUT, check};

pub(crate) const SILK: &str = "\
            sIP|            dIP|sPort|dPort|pro|   packets|     bytes|   flags|                  sTime| duration|                  eTime|sen|
     192.0.2.10|   198.51.100.7|50000|  443|  6|        10|      1520|FS PA   |2021/08/15T00:00:00.250|    1.500|2021/08/15T00:00:01.750| S1|
     192.0.2.10|   198.51.100.7|    0|  769|  1|         2|       168|        |2021/08/15T00:00:00.250|    0.000|2021/08/15T00:00:00.250| S0|
";

#[test]
fn a_row_of_rwcut_is_read_by_its_titles() {
    assert_eq!(detect(SILK.as_bytes(), true), Detection::Known(Format::Silk));
    let icmp = "192.0.2.10 > 198.51.100.7 icmp 3/1: 168 in 2, rate unknown";
    let kept = check(SILK, &[&format!("{OUT}, rate unknown"), icmp], &[]);
    let flow = &kept.flows[0];
    assert_eq!((&*flow.exporter, flow.tcp_flags), ("S1", Some(0x1b)));
    assert_eq!(
        (flow.start_time.to_string(), flow.end_time.since(flow.start_time)),
        ("2021-08-15T00:00:00.25Z".into(), 1_500_000)
    );
}

#[test]
fn rwcut_prints_in_many_ways() {
    let numbers = "sTime|sIP|dIP|pro|dPort|sPort|bytes|packets|flags|attributes|iTy|iCo\n\
                   1628985600.250|3221225994|3325256711|6|443|50000|1520|10|27|T|0|0\n\
                   1628985600.250|42540766411282592856903984951653826561|2001:db8::2|58|0|0|84|1|0||128|0\n";
    let six = "2001:db8::1 > 2001:db8::2 icmp 128/0: 84 in 1, rate unknown";
    let kept = check(numbers, &[&format!("{OUT}, end 2, rate unknown"), six], &[]);
    assert_eq!((kept.flows[0].tcp_flags, &*kept.flows[0].exporter), (Some(27), "silk"));
    let padded = SILK.replace("     192.0.2.10", "192.000.002.010").replace('|', ",");
    assert_eq!(detect(padded.as_bytes(), true), Detection::Known(Format::Silk));
}

#[test]
fn a_counter_that_silk_clamped_is_this_or_more() {
    let clamped = |packets: &str, octets: &str| {
        let line = SILK.lines().nth(1).unwrap().replace("        10", packets).replace("      1520", octets);
        format!("{}\n{line}\n", SILK.lines().next().unwrap())
    };
    for (packets, octets) in
        [("3000000", "4294967295"), ("400000000", "4294967295"), ("4294967295", "4294967295")]
    {
        let flow = OUT.replace("1520 in 10", &format!("{octets} in {packets}"));
        check(&clamped(packets, octets), &[&format!("{flow}, counter clamped, rate unknown")], &[]);
    }
    let flow = OUT.replace("1520 in 10", "4294967294 in 3000000");
    check(&clamped("3000000", "4294967294"), &[&format!("{flow}, rate unknown")], &[]);
}

/// The rows of [`SILK`] as one `rwcut` prints them that was told to print other characters between columns.
fn separated(by: &str, ends: &str) -> String {
    let row = |line: &str| {
        let values: Vec<_> = line.trim_end_matches('|').split('|').map(str::trim).collect();
        format!("{}{ends}\n", values.join(by))
    };
    SILK.lines().map(row).collect()
}

#[test]
fn columns_may_be_separated_by_other_characters() {
    let icmp = "192.0.2.10 > 198.51.100.7 icmp 3/1: 168 in 2, rate unknown";
    for (by, ends) in [("|", "|"), ("|", ""), (",", ""), (",", ","), (";", ";"), (";", ""), ("\t", "")] {
        let table = separated(by, ends);
        assert_eq!(detect(table.as_bytes(), true), Detection::Known(Format::Silk), "{table}");
        check(&table, &[&format!("{OUT}, rate unknown"), icmp], &[]);
    }
    check(&separated("|", "|").replace("|S1|", "|17|"), &[&format!("{OUT}, rate unknown"), icmp], &[]);
}

#[test]
fn the_last_column_may_be_empty() {
    let icmp = "192.0.2.10 > 198.51.100.7 icmp 3/1: 168 in 2, rate unknown";
    for (by, ends) in [("|", ""), ("|", "|"), (",", ""), (",", ",")] {
        let table = separated(by, ends).replace(&format!("{by}S1{ends}"), &format!("{by}{ends}"));
        let kept = check(&table, &[&format!("{OUT}, rate unknown"), icmp], &[]);
        assert_eq!(&*kept.flows[0].exporter, "silk");
        let (_, rows) = table.split_once('\n').unwrap();
        if by == "|" {
            check(rows, &[&format!("{OUT}, rate unknown"), icmp], &[]);
        }
    }
    let table = separated("|", "").replace("|2021/08/15T00:00:01.750|S1", "");
    check(&table, &[icmp], &["line 2: the row has 10 of 12 columns"]);
}

/// Addresses as `--ip-format=hexadecimal` prints them. Most have a letter; one alone has none.
pub(crate) const HEXADECIMAL: &str = "\
sIP|dIP|sPort|dPort|pro|packets|bytes|flags|sTime|duration|eTime|sensor
10000001|c6336407|50000|443|6|10|1520|FS PA|1628985600.250|1.500|1628985601.750|1
c000020a|c6336407|50000|443|6|10|1520|FS PA|1628985600.250|1.500|1628985601.750|1
20010db8000000000000000000000001|20010db8000000000000000000000002|50000|443|6|10|1520|FS PA|1628985600.250|1.500|1628985601.750|1
";

#[test]
fn addresses_may_be_hexadecimal() {
    let rest = "50000 > 198.51.100.7 443 proto 6: 1520 in 10, rate unknown";
    let flows = [
        format!("16.0.0.1 {rest}"),
        format!("192.0.2.10 {rest}"),
        "2001:db8::1 50000 > 2001:db8::2 443 proto 6: 1520 in 10, rate unknown".to_owned(),
    ];
    let flows = flows.each_ref().map(|flow| &**flow);
    check(HEXADECIMAL, &flows, &[]);
    let rows = HEXADECIMAL.split_once('\n').unwrap().1;
    assert_eq!(detect(rows.as_bytes(), true), Detection::Known(Format::Silk));
    check(rows, &flows, &[]);
}

#[test]
fn a_number_without_a_sign_of_its_base_is_refused() {
    // 20.1.2.3 in hexadecimal, 0.213.201.59 in decimal.
    let table = "sIP|dIP|pro|bytes|sTime|\n14010203|14010204|17|84|1628985600.250|\n";
    check(table, &[], &["line 2: `sIP` cannot be `14010203`"]);
}

#[test]
fn addresses_may_be_padded_with_zeros() {
    let table =
        SILK.replace("     192.0.2.10", "192.000.002.010").replace("   198.51.100.7", "198.051.100.007");
    let icmp = "192.0.2.10 > 198.51.100.7 icmp 3/1: 168 in 2, rate unknown";
    check(&table, &[&format!("{OUT}, rate unknown"), icmp], &[]);
    let table = "sIP|dIP|pro|bytes|packets|sTime|\n\
                 2001:0db8:0000:0000:0000:0000:0000:0001|2001:0db8:0000:0000:0000:0000:0000:0002|17|84|1|2021/08/15T00:00:00.250|\n";
    check(table, &["2001:db8::1 0 > 2001:db8::2 0 proto 17: 84 in 1, rate unknown"], &[]);
}

#[test]
fn times_are_dates_in_three_orders_or_counts() {
    for time in [
        "2021/08/15T00:00:00.250",
        "2021-08-15 00:00:00.250",
        "08/15/2021 00:00:00.250",
        "1628985600.250",
        "2021/08/15T00:00:00.250000000",
    ] {
        let table =
            format!("sIP|dIP|pro|bytes|sTime|dur+msec|\n192.0.2.10|198.51.100.7|17|84|{time}|1.500|\n");
        let kept = check(
            &table,
            &["192.0.2.10 0 > 198.51.100.7 0 proto 17: 84 in 0, rate unknown, content gap"],
            &[],
        );
        assert_eq!(kept.flows[0].start_time.to_string(), "2021-08-15T00:00:00.25Z", "{time}");
        assert_eq!(kept.flows[0].end_time.to_string(), "2021-08-15T00:00:01.75Z", "{time}");
    }
}

#[test]
fn without_titles_the_columns_are_known_if_nobody_asked_for_others() {
    let icmp = "192.0.2.10 > 198.51.100.7 icmp 3/1: 168 in 2, rate unknown";
    let rows = SILK.split_once('\n').unwrap().1;
    assert_eq!(detect(rows.as_bytes(), true), Detection::Known(Format::Silk));
    check(rows, &[&format!("{OUT}, rate unknown"), icmp], &[]);
    let other = "192.0.2.10|198.51.100.7|17|84|1628985600.250|\n";
    let kind = "rows of rwcut without titles (print these: leave `--no-titles` out)";
    assert_eq!(detect(other.as_bytes(), true), Detection::Unsupported(kind));
    let options = Options { format: Some(Format::Silk), ..Options::default() };
    let (_, result) = decode_all(other.as_bytes(), &options);
    assert!(matches!(result, Err(WireError::Unknown { .. })));
}
