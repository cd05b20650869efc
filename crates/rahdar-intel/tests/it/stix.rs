//! STIX: bundles of others, written again without loss; patterns of others; and what is broken.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use rahdar_intel::reading::Reason;
use rahdar_intel::stix::pattern::{Pattern, PatternError};
use rahdar_intel::stix::{Bundle, object::Body};
use rahdar_intel::{ReadError, ReadOptions, read};
use serde_json::{Value, json};

use crate::corpus::{files, folder};
use crate::python;

/// Every STIX text of the corpus with its name: bundles, lists and single objects.
fn texts() -> Vec<(String, String)> {
    let Some(folder) = folder() else { return Vec::new() };
    let mut texts: Vec<(String, String)> = files(&folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .filter_map(|path| Some((path.display().to_string(), std::fs::read_to_string(path).ok()?)))
        .collect();
    let archive = folder.join("mitre-cti/enterprise-attack_intrusion-set_malware_tool_campaign.tar.gz");
    texts.extend(unpacked(&archive));
    texts.retain(|(_, text)| Bundle::parse(text).is_ok_and(|bundle| !bundle.is_empty()));
    texts
}

/// The JSON files of a packed tar archive (POSIX.1-1988: a header of 512 octets before each file,
/// its length in octal at octet 124).
fn unpacked(archive: &Path) -> Vec<(String, String)> {
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(archive).unwrap()).read_to_end(&mut tar).unwrap();
    let mut texts = Vec::new();
    let mut at = 0;
    while tar.get(at).is_some_and(|first| *first != 0) {
        let field = |range: std::ops::Range<usize>| {
            String::from_utf8_lossy(&tar[at..][range]).trim_matches(['\0', ' ']).to_owned()
        };
        let (name, length) = (field(0..100), usize::from_str_radix(&field(124..135), 8).unwrap());
        let body = &tar[at + 512..][..length];
        if name.ends_with(".json") {
            texts.push((name, String::from_utf8(body.to_vec()).unwrap()));
        }
        at += 512 + length.next_multiple_of(512);
    }
    texts
}

/// A JSON text without the white space between its tokens.
fn bare(text: &str) -> String {
    let mut inside = false;
    let mut escaped = false;
    let keep = |c: &char| {
        let outside = !inside;
        inside ^= *c == '"' && !escaped;
        escaped = inside && *c == '\\' && !escaped;
        !outside || !c.is_ascii_whitespace()
    };
    text.trim_start_matches('\u{feff}').chars().filter(keep).collect()
}

#[test]
fn what_others_wrote_is_written_again_without_loss() {
    let texts = texts();
    let mut objects = 0;
    for (name, text) in &texts {
        let bundle = Bundle::parse(text).unwrap();
        let written = bundle.write();
        assert!(bare(&written) == bare(text), "{name}");
        let again = Bundle::parse(&written).unwrap();
        assert_eq!(again.write(), written, "{name}");
        objects += bundle.len();
    }
    if !texts.is_empty() {
        assert_eq!((texts.len(), objects), (TEXTS, OBJECTS));
    }
}

/// Texts of the corpus that hold STIX objects, and how many they hold: MITRE's 1,026 files of one
/// object among them.
const TEXTS: usize = 1_085;
const OBJECTS: usize = 3_310;

#[test]
fn the_typed_view_says_what_the_text_says() {
    for (name, text) in texts() {
        for object in Bundle::parse(&text).unwrap().objects() {
            let object = object.unwrap_or_else(|flaw| panic!("{name}: {flaw:?}"));
            assert!(
                !matches!(object.body, Body::Unknown) || object.kind().starts_with("x-"),
                "{name}: {}",
                object.kind()
            );
            let whole: Value = serde_json::from_str(object.raw().get()).unwrap();
            let views = [serde_json::to_value(&object.common), serde_json::to_value(&object.body)];
            for view in views.map(Result::unwrap) {
                for (key, value) in view.as_object().into_iter().flatten() {
                    assert_eq!(*value, whole[key], "{name}: {}: {key}", object.id());
                }
            }
        }
    }
}

#[test]
fn every_pattern_of_the_corpus_is_read() {
    let mut count = 0;
    for (name, text) in texts() {
        for object in Bundle::parse(&text).unwrap().objects() {
            let Body::Indicator(indicator) = object.unwrap().body else { continue };
            let pattern = indicator.pattern.unwrap();
            let read: Pattern = pattern.parse().unwrap_or_else(|error| panic!("{name}: {pattern}: {error}"));
            assert_eq!(read.to_string().parse(), Ok(read), "{name}: {pattern}");
            count += 1;
        }
    }
    assert!(count == 0 || count == PATTERNS, "{count}");
}

/// Indicators of the corpus.
const PATTERNS: usize = 938;

#[test]
fn python_reads_the_examples_of_oasis_as_we_write_them() {
    let (Some(folder), Some(python)) = (folder(), python::with("stix2")) else { return };
    let mut examples = files(&folder.join("cti-documentation"));
    examples.extend(files(&folder.join("cti-stix2-json-schemas/examples")));
    examples.retain(|path| path.extension().is_some_and(|e| e == "json"));
    assert_eq!(examples.len(), 19);
    let place = std::env::temp_dir().join(format!("rahdar-stix-{}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    let mut written = Vec::new();
    for (i, example) in examples.iter().enumerate() {
        let text = std::fs::read_to_string(example).unwrap();
        let path = place.join(format!("{i}.json"));
        std::fs::write(&path, Bundle::parse(&text).unwrap().write()).unwrap();
        written.push(path);
    }
    let script = "import sys, stix2\nfor path in sys.argv[1:]:\n    stix2.parse(open(path, encoding='utf-8'), allow_custom=False)";
    let result = python::run(&python, script, &written);
    std::fs::remove_dir_all(&place).unwrap();
    assert_eq!(result, Ok(()));
}

/// A source of numbers that is the same in every run (xorshift64*, Vigna 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

/// A text with one to three things wrong: octets changed, cut out, doubled or put in, or the end
/// missing.
fn damaged(seed: &str, put_in: &[&str], dice: &mut Dice) -> String {
    let mut octets = seed.as_bytes().to_vec();
    for _ in 0..=dice.below(3) {
        let at = dice.below(octets.len().max(1));
        let end = (at + 1 + dice.below(24)).min(octets.len());
        match dice.below(6) {
            0 if !octets.is_empty() => octets[at] ^= 1 << dice.below(7),
            1 => drop(octets.drain(at.min(end)..end)),
            2 => octets.extend_from_within(at.min(end)..end),
            3 => octets.truncate(at),
            _ => {
                let part = put_in[dice.below(put_in.len())];
                octets.splice(at.min(octets.len())..at.min(octets.len()), part.bytes());
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

const BUNDLE: &str = r#"{"type": "bundle", "id": "bundle--1", "objects": [
{"type":"identity","spec_version":"2.1","id":"identity--1","created":"2021-06-16T00:00:00.000Z","modified":"2021-06-16T00:00:00.000Z","name":"A laboratory"},
{"type":"indicator","id":"indicator--1","created":"2021-06-16T00:00:00Z","modified":"2021-06-16T00:00:00Z","created_by_ref":"identity--1","pattern":"[ipv4-addr:value = '192.0.2.1' OR domain-name:value = 'c2.example.org']","pattern_type":"stix","valid_from":"2021-05-01T00:00:00Z","valid_until":"2021-07-01T00:00:00Z","confidence":85},
{"type":"intrusion-set","id":"intrusion-set--1","created":"2021-06-16T00:00:00Z","name":"A group","first_seen":"2021-01-01T00:00:00Z"},
{"type":"relationship","id":"relationship--1","relationship_type":"indicates","source_ref":"indicator--1","target_ref":"intrusion-set--1","start_time":"2021-05-01T00:00:00Z","stop_time":"2021-06-01T00:00:00Z"},
{"type":"infrastructure","id":"infrastructure--1","name":"C2","object_marking_refs":["marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"]},
{"type":"ipv4-addr","id":"ipv4-addr--1","value":"192.0.2.9"},
{"type":"network-traffic","id":"network-traffic--1","dst_ref":"ipv4-addr--1","dst_port":443,"protocols":["tcp"]},
{"type":"observed-data","id":"observed-data--1","first_observed":"2021-06-01T00:00:00Z","last_observed":"2021-06-09T00:00:00Z","object_refs":["ipv4-addr--1","network-traffic--1"]},
{"type":"relationship","id":"relationship--2","relationship_type":"consists-of","source_ref":"infrastructure--1","target_ref":"observed-data--1"},
{"type":"sighting","id":"sighting--1","sighting_of_ref":"indicator--1","first_seen":"2021-06-02T00:00:00Z","last_seen":"2021-06-03T00:00:00Z","count":2}
]}"#;

#[test]
fn ten_thousand_malformed_bundles_say_where_and_why() {
    const PUT_IN: [&str; 18] = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "-1e999",
        "\\u0000",
        "\\ud800",
        "true",
        "[[[[[[[[",
        "{\"a\":",
        "\u{202e}",
        "--",
        "\"valid_until\":\"1970-01-01T00:00:00Z\",",
        "99999999999999999999",
    ];
    let whole = read("a.json", BUNDLE.as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!((whole.claims.len(), whole.refused_count), (7, 0));
    let mut dice = Dice(2021);
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..10_000 {
        let text = damaged(BUNDLE, &PUT_IN, &mut dice);
        let outcome = match read("a.json", text.as_bytes(), &ReadOptions::default()) {
            Ok(reading) => {
                for refusal in &reading.refused {
                    let place = refusal.place.starts_with("line ") || refusal.place.contains("--");
                    assert!(place && !refusal.reason.to_string().is_empty(), "{refusal}: {text}");
                }
                match (reading.refused_count, reading.format.word()) {
                    (0, "stix") => "harmless",
                    (_, "stix") => "refused in part",
                    _ => "read as something else",
                }
            }
            Err(ReadError::CutOff { line, octet, .. }) => {
                assert!(line >= 1 && octet <= text.len(), "{text}");
                "cut off"
            }
            Err(ReadError::NotJson { line, detail, .. }) => {
                assert!(line >= 1 && !detail.is_empty(), "{text}");
                "no JSON"
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                "refused whole"
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    assert_eq!(outcomes.values().sum::<usize>(), 10_000);
    for outcome in ["harmless", "refused in part", "cut off", "no JSON"] {
        assert!(outcomes.get(outcome).is_some_and(|n| *n > 100), "{outcomes:?}");
    }
}

#[test]
fn ten_thousand_malformed_patterns_say_where_and_why() {
    const SEEDS: [&str; 5] = [
        "[ipv4-addr:value = '192.0.2.1' AND network-traffic:dst_port IN (443, 8443)]",
        "([domain-name:value LIKE '%.example.org'] FOLLOWEDBY [file:hashes.'SHA-256' = 'aa']) WITHIN 5.5 SECONDS",
        "[a:b = t'2021-05-01T00:00:00Z'] START t'2021-05-01T00:00:00Z' STOP t'2021-06-01T00:00:00Z'",
        "[NOT EXISTS a:b[*].c OR (a:b = b'AAAA' AND a:c != h'00ff')] REPEATS 5 TIMES OR [a:b >= -7.50]",
        "[url:value MATCHES '^\\\\w+\\'' /* a note */] // another",
    ];
    const PUT_IN: [&str; 16] = [
        "'",
        "[",
        "]",
        "(",
        ")",
        "((((((((",
        " AND ",
        " NOT ",
        "\\",
        ",",
        ":",
        "*",
        "t'",
        "-",
        " WITHIN ",
        "99999999999999999999",
    ];
    let mut dice = Dice(2021);
    let mut read = 0;
    for i in 0..10_000 {
        let text = damaged(SEEDS[i % SEEDS.len()], &PUT_IN, &mut dice);
        match text.parse::<Pattern>() {
            Ok(pattern) => {
                read += 1;
                assert_eq!(pattern.to_string().parse(), Ok(pattern), "{text}");
            }
            Err(error) => {
                let error = error.to_string();
                let placed = error.contains("at octet")
                    || error.starts_with("it ends")
                    || error.starts_with("it nests");
                assert!(placed, "{text}: {error}");
            }
        }
    }
    assert!((500..5_000).contains(&read), "{read}");
}

/// Folders of pattern tests of OASIS: of `RAHDAR_STIX_PATTERNS`, else of the corpus.
fn pattern_tests() -> Vec<PathBuf> {
    let given = std::env::var_os("RAHDAR_STIX_PATTERNS").map(|paths| std::env::split_paths(&paths).collect());
    let folders: Vec<PathBuf> = given.unwrap_or_else(|| {
        let intel = folder();
        let of = |name: &str| intel.as_ref().map(|intel| intel.join(name));
        ["cti-pattern-matcher", "cti-pattern-validator"].into_iter().filter_map(of).collect()
    });
    let is_test = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("test_") && name.ends_with(".py") && path.to_string_lossy().contains("v21")
            || name == "spec_examples.txt" && path.to_string_lossy().contains("v21")
    };
    folders.iter().filter(|folder| folder.is_dir()).flat_map(|folder| files(folder)).filter(is_test).collect()
}

/// The patterns among the string literals of a Python file, each with whether its tests refuse
/// it. Those that are refused only when they are matched, and those put together from parts, are
/// left out.
fn python_patterns(text: &str) -> Vec<(String, bool)> {
    let mut patterns = Vec::new();
    for part in text.split("\n@pytest").flat_map(|part| part.split_inclusive("_CASES = [")) {
        // A table ends where the next one is named.
        let table = part.trim_end().rsplit('\n').next().unwrap_or_default();
        let part = part.strip_suffix(table).unwrap_or(part);
        let refused = part.contains("ParseException") || part.contains("\"FAIL: ");
        if part.contains("MatcherException") {
            continue;
        }
        let is_pattern =
            |text: &String| text.starts_with(['[', '(']) && text.contains(':') && !text.contains("{}");
        patterns.extend(literals(part).into_iter().filter(is_pattern).map(|text| (text, refused)));
    }
    patterns
}

/// Python's string literals, neighbours joined.
fn literals(text: &str) -> Vec<String> {
    let mut literals: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    let (mut before, mut joined) = (' ', false);
    while let Some(c) = chars.next() {
        match c {
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            '"' => {
                let raw = before == 'r';
                let mut literal = String::new();
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' if !raw => match chars.next() {
                            Some(kind @ ('x' | 'u')) => {
                                let digits: String =
                                    chars.by_ref().take(if kind == 'x' { 2 } else { 4 }).collect();
                                literal
                                    .extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
                            }
                            Some('n') => literal.push('\n'),
                            other => literal.extend(other),
                        },
                        c => literal.push(c),
                    }
                }
                match literals.last_mut() {
                    Some(last) if joined => last.push_str(&literal),
                    _ => literals.push(literal),
                }
                joined = true;
            }
            c if c.is_whitespace() || c == 'r' || c == 'u' => {}
            _ => joined = false,
        }
        before = c;
    }
    literals
}

/// Whether an import refuses an indicator of this pattern.
fn is_refused(pattern: &str) -> bool {
    let id = "indicator--1";
    let text = json!({"type": "indicator", "id": id, "pattern": pattern, "pattern_type": "stix"}).to_string();
    match read("a.json", text.as_bytes(), &ReadOptions::default()) {
        // That a loopback address accuses nobody is no matter of patterns.
        Ok(reading) => reading.refused.iter().any(|refusal| refusal.reason != Reason::Unroutable),
        Err(error) => error != ReadError::Nothing,
    }
}

/// Patterns that the tests of OASIS read and we refuse, for the reason that `docs/stix.md` gives.
const REFUSED_BY_US: usize = 5;

#[test]
fn the_pattern_tests_of_oasis_hold() {
    let mut patterns = Vec::new();
    for path in pattern_tests() {
        let text = std::fs::read_to_string(&path).unwrap();
        let of_file = match path.extension().is_some_and(|e| e == "py") {
            true => python_patterns(&text),
            false => text.lines().map(|line| (line.trim().to_owned(), false)).collect(),
        };
        patterns
            .extend(of_file.into_iter().filter(|(text, _)| !text.is_empty()).map(|one| (path.clone(), one)));
    }
    if patterns.is_empty() {
        rahdar_testkit::aloud::told("the pattern tests of OASIS are not in the corpus");
        return;
    }
    let mut otherwise = Vec::new();
    let mut twice = 0;
    for (path, (text, refused)) in &patterns {
        let read = text.parse::<Pattern>();
        if let Ok(pattern) = &read {
            assert_eq!(pattern.to_string().parse::<Pattern>().as_ref(), Ok(pattern), "{text}");
        }
        match read {
            Err(PatternError::Twice { .. }) if !refused => twice += 1,
            read if is_refused(text) != *refused => {
                otherwise.push(format!("{}: {text}: {read:?}", path.display()));
            }
            _ => {}
        }
    }
    assert!(otherwise.is_empty(), "{} of {}:\n{}", otherwise.len(), patterns.len(), otherwise.join("\n"));
    assert!(twice <= REFUSED_BY_US, "{twice}");
    eprintln!(
        "{} patterns, {} of them refused",
        patterns.len(),
        patterns.iter().filter(|(_, (_, r))| *r).count()
    );
}
