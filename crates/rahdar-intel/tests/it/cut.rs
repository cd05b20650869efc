//! Files cut at every octet, and octets at random: never a panic, never a claim that the whole
//! file does not make but for the line that was cut.

use proptest::prelude::*;
use rahdar_intel::{ReadOptions, read};
use rahdar_testkit::alone::run_us;
use rahdar_testkit::skipped;

fn check(name: &str, whole: &[u8]) {
    let options = ReadOptions::default();
    let claims = read(name, whole, &options).unwrap().claims;
    for end in 0..whole.len() {
        let Ok(cut) = read(name, &whole[..end], &options) else { continue };
        let strange = cut.claims.iter().filter(|claim| !claims.contains(claim)).count();
        assert!(strange <= 1, "{name} cut at {end}: {:?}", cut.claims);
    }
}

#[test]
fn a_list_cut_anywhere() {
    check(
        "a.txt",
        "\u{feff}# RedFoxtrot, May-June 2021\r\n192.0.2[.]1:443\r\nc2(.)example[.]org\r\n2001:db8::1\r\n"
            .as_bytes(),
    );
    let utf16 = std::iter::once(0xfeff).chain("C2 (May 2021):\n192.0.2.1\n".encode_utf16());
    check("b.txt", &utf16.flat_map(u16::to_le_bytes).collect::<Vec<_>>());
}

#[test]
fn a_table_cut_anywhere() {
    check(
        "a.csv",
        b"ip,first_seen,last_seen,port\n192.0.2.1,2021-05-01,2021-06-01,443\n\"192.0.2.2\",\"May 3, 2021\",,\n",
    );
}

#[test]
fn a_bundle_cut_anywhere() {
    let bundle = br#"{"type":"bundle","id":"bundle--1","objects":[
        {"type":"indicator","id":"indicator--1","created":"2021-06-16T00:00:00Z","modified":"2021-06-16T00:00:00Z",
         "pattern":"[ipv4-addr:value = '192.0.2.1']","pattern_type":"stix","valid_from":"2021-05-01T00:00:00Z"}]}"#;
    check("a.json", bundle);
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read("a", &bytes, &ReadOptions::default());
    }

    #[test]
    fn any_text_is_read_without_panic(text in "(\\PC|\\n){0,200}") {
        let _ = read("a", text.as_bytes(), &ReadOptions::default());
    }

    #[test]
    fn text_made_of_the_parts_of_lists_is_read_without_panic(parts in prop::collection::vec(prop::sample::select(vec![
        "\n", "# ", "C2 IPs (May-June 2021):", "192.0.2[.]1", ":443", ",", "\"", "example(.)org", "hxxp://", "/x", "ip,port\n",
        "first_seen\tlast_seen\tip\n", "2021-05-01", "\t", " port 80", "[", "]", "{\"type\":\"bundle\",\"objects\":[", "0", "a", ".", " ",
    ]), 0..40)) {
        let _ = read("a", parts.concat().as_bytes(), &ReadOptions::default());
    }
}

/// How many times longer four times as much may take: 16 where it is quadratic (reliability.md, R1).
const GROWTH_MAX: u64 = 7;
/// Microseconds by which two counts of the kernel may be wrong: ticks of 10 ms, and some.
const TICKS_US: u64 = 50_000;

/// Reads an input, then one of four times the size.
fn check_linear(what: &str, size: usize, input: impl Fn(usize) -> String) {
    let took = |size: usize| {
        let input = input(size);
        let before = run_us();
        let _ = read("a", input.as_bytes(), &ReadOptions::default());
        before.zip(run_us()).map(|(before, after)| after - before)
    };
    match took(size).zip(took(4 * size)) {
        Some((small, large)) => {
            let told = format!("{what}: {small} µs, and {large} µs for four times as much");
            assert!(large <= GROWTH_MAX * small + TICKS_US, "{told}");
        }
        None => skipped("nobody tells how long a thread has run"),
    }
}

/// Long lines of one thing over and over.
#[test]
fn long_lines_of_one_thing_are_read_in_linear_time() {
    for part in [
        "]",
        "[",
        "[.",
        ".]",
        "[ ",
        "\\[",
        "http]",
        "http://",
        "http://a ",
        "http://a[",
        "(http://a",
        "a dot ",
        "1.",
        "1.2.3.4 ",
        "1.2.3.4:",
        "a:",
        "a@",
        "0123456789abcdef0123456789abcdef ",
        "\"",
        ",",
        "#",
        "# ",
        "- ",
        "2021-",
        "May ",
        "x://",
    ] {
        let line = |octets: usize| part.repeat(octets / part.len());
        check_linear(part, 1 << 16, line);
        let table = |octets| format!("ip,first_seen,notes\n192.0.2.1,2021-01-01,{}\n", line(octets));
        check_linear(part, 1 << 16, table);
    }
}

/// A bundle in which so many indicators hang on one object.
fn hub(indicators: usize) -> String {
    let time = r#""created":"2021-06-16T00:00:00Z","modified":"2021-06-16T00:00:00Z""#;
    let mut objects = vec![
        format!(r#"{{"type":"infrastructure","id":"infrastructure--1",{time},"name":"C2"}}"#),
        format!(r#"{{"type":"intrusion-set","id":"intrusion-set--1",{time},"name":"A group"}}"#),
    ];
    let link = |n: usize, from: &str, kind: &str, to: &str| {
        format!(
            r#"{{"type":"relationship","id":"relationship--{n}",{time},"relationship_type":"{kind}","source_ref":"{from}","target_ref":"{to}"}}"#
        )
    };
    objects.push(link(0, "intrusion-set--1", "uses", "infrastructure--1"));
    for n in 1..=indicators {
        let pattern = format!("[ipv4-addr:value = '198.51.{}.{}']", n / 256, n % 256);
        objects.push(format!(r#"{{"type":"indicator","id":"indicator--{n}",{time},"pattern":"{pattern}","valid_from":"2021-05-01T00:00:00Z"}}"#));
        objects.push(link(n, &format!("indicator--{n}"), "indicates", "infrastructure--1"));
        objects.push("7".to_owned());
    }
    let refs: Vec<String> = (1..=indicators).map(|n| format!(r#""indicator--{n}""#)).collect();
    objects
        .push(format!(r#"{{"type":"report","id":"report--1",{time},"object_refs":[{}]}}"#, refs.join(",")));
    format!(r#"{{"type":"bundle","id":"bundle--1","objects":[{}]}}"#, objects.join(",\n"))
}

#[test]
fn a_hub_that_everything_names_is_read_in_linear_time() {
    check_linear("a hub", 5_000, hub);
    let reading = read("a", hub(20_000).as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(reading.claims.len(), 20_000);
    assert!(reading.claims.iter().all(|claim| claim.cluster.is_some()));
    assert_eq!(reading.refused_count, 20_000);
}
