//! MISP, warning lists, scans and passive DNS of the corpus.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use rahdar_intel::index::Snapshot;
use rahdar_intel::misp::Event;
use rahdar_intel::scan::rule::Rules;
use rahdar_intel::{Format, ReadError, ReadOptions, Reading, read};
use rahdar_model::intelligence::{HostClass, WindowBasis};
use serde_json::Value;

use crate::corpus::{files, folder, reading};
use crate::python;

fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_none_or(|e| e != "gz") {
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    text
}

/// The files of events: by the fields that only events have.
fn event_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = files(&folder.join("eset"));
    found.extend(files(&folder.join("PyMISP-testevents")));
    found.extend(files(&folder.join("intelmq-testdata/intelmq/tests/bots/parsers/misp")));
    found.retain(|path| path.extension().is_some_and(|e| e == "json"));
    found.retain(|path| {
        let Ok(value) = serde_json::from_str::<Value>(&text(path)) else { return false };
        let event = value.pointer("/response/0/Event").or_else(|| value.get("Event")).unwrap_or(&value);
        ["Attribute", "Object", "ShadowAttribute"].iter().any(|name| event.get(name).is_some())
    });
    found
}

#[test]
fn every_misp_event_is_read_and_written_again_as_it_was() {
    let Some(folder) = folder() else { return };
    let events = event_files(&folder);
    assert_eq!(events.len(), 50);
    let mut told = 0;
    for path in &events {
        let own: Value = serde_json::from_str(&text(path)).unwrap();
        let inner = own.pointer("/response/0").unwrap_or(&own);
        let inner = inner.get("Event").unwrap_or(inner);
        let written = Event::all(&text(path)).unwrap()[0].to_json();
        if inner.get("value").is_none() {
            assert_eq!(&written["Event"], inner, "{}", path.display());
        }
        match reading(path) {
            Ok(reading) => {
                assert_eq!(reading.format, Format::Misp, "{}", path.display());
                told +=
                    reading.claims.len() + reading.refused_count + reading.set_aside.values().sum::<usize>();
            }
            // An event without attributes.
            Err(ReadError::Nothing) => {}
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
    assert!(told > 2_000, "{told}");
}

#[test]
fn published_events_name_their_group_and_their_author() {
    let Some(folder) = folder() else { return };
    let machete = reading(&folder.join("eset/machete/misp-machete-event.json")).unwrap();
    let claim = machete.claims.iter().find(|claim| claim.indicator.kind() == "ipv4").unwrap();
    assert_eq!(claim.cluster.as_ref().unwrap().to_string(), "el-machete");
    assert_eq!(&*claim.source, "ESET");
    assert_eq!(claim.basis, WindowBasis::Published);
    let fallchill = folder.join("PyMISP-testevents/tests/reportlab_testfiles/to_delete2.json");
    let fallchill = reading(&fallchill).unwrap();
    let mut claims = fallchill.claims.iter();
    let bound =
        claims.find(|claim| claim.indicator.to_string() == "125.212.132.222" && claim.port == Some(443));
    assert_eq!(bound.unwrap().tools, ["FALLCHILL"], "the port of the object");
    let sighted = folder.join("PyMISP-testevents/tests/reportlab_testfiles/sighting_1.json");
    assert_eq!(reading(&sighted).unwrap().reports.len(), 6);
}

#[test]
fn the_python_library_reads_events_that_are_written() {
    let (Some(folder), Some(python)) = (folder(), python::with("pymisp")) else { return };
    let script = "import sys,json,pymisp\n\
        for line in open(sys.argv[1]):\n \
          own=json.loads(line); event=own['Event']; info=event['info']\n \
          n=len(event.get('Attribute') or []); o=len(event.get('Object') or [])\n \
          e=pymisp.MISPEvent(); e.load(own)\n \
          assert (len(e.attributes),len(e.objects))==(n,o), info\n";
    let mut lines = String::new();
    for path in event_files(&folder) {
        let event = Event::all(&text(&path)).unwrap()[0].to_json();
        // What the library itself refuses: fragments of events that its own tests complete.
        if event["Event"].get("info").is_some() && event["Event"].get("date").is_some() {
            lines.push_str(&event.to_string());
            lines.push('\n');
        }
    }
    let input = std::env::temp_dir().join(format!("rahdar-misp-{}.jsonl", std::process::id()));
    std::fs::write(&input, lines).unwrap();
    let told = python::run(&python, script, std::slice::from_ref(&input));
    std::fs::remove_file(&input).unwrap();
    told.unwrap();
}

#[test]
fn every_warning_list_is_read_to_its_last_entry() {
    let Some(folder) = folder() else { return };
    let (mut lists, mut entries, mut notes) = (0, 0, 0);
    let mut classes = BTreeMap::<HostClass, usize>::new();
    for path in files(&folder.join("misp-warninglists")).iter().filter(|path| path.ends_with("list.json")) {
        let own: Value = serde_json::from_str(&text(path)).unwrap();
        let reading = reading(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(reading.format, Format::WarningList);
        assert!(reading.claims.is_empty(), "a warning list accuses nobody");
        let told = reading.facts.len()
            + reading.notes.len()
            + reading.refused_count
            + reading.set_aside.values().sum::<usize>();
        assert_eq!(told, own["list"].as_array().unwrap().len(), "{}", path.display());
        assert!(reading.refused_count * 100 <= told, "{}: {:?}", path.display(), reading.refused.first());
        for fact in &reading.facts {
            *classes.entry(fact.class).or_default() += 1;
        }
        notes += reading.notes.len();
        entries += told;
        lists += 1;
    }
    assert_eq!((lists, entries), (125, 117_488));
    assert!(notes > 60_000, "{notes}");
    for (class, least) in [
        (HostClass::Cdn, 2_000),
        (HostClass::Cloud, 8_000),
        (HostClass::Scanner, 3_000),
        (HostClass::Sinkhole, 100),
        (HostClass::Pool, 1_000),
        (HostClass::Shared, 1_000),
    ] {
        assert!(classes[&class] >= least, "{classes:?}");
    }
}

#[test]
fn galaxies_of_groups_are_known_by_name() {
    let Some(folder) = folder() else { return };
    let clusters = folder.join("misp-galaxy/clusters");
    let groups = |file: &str| reading(&clusters.join(file)).unwrap().clusters;
    let actors = groups("threat-actor.json.gz");
    assert!(actors.iter().all(|cluster| cluster.named));
    assert!(actors.iter().any(|cluster| cluster.name == "DAGGER PANDA"));
    // 1,041 entries: names that differ in case or signs alone are one.
    assert!((1_030..=1_041).contains(&actors.len()), "{}", actors.len());
    assert_eq!(groups("mitre-intrusion-set.json.gz").len(), 191);
    assert!(groups("tool.json.gz").is_empty());
}

#[test]
fn scans_of_the_corpus_are_read_and_published_fingerprints_find_their_servers() {
    let Some(folder) = folder() else { return };
    let scans = folder.join("../scans/zgrab2");
    let (mut read_files, mut observed) = (0, 0);
    for path in files(&scans).iter().filter(|path| path.extension().is_some_and(|e| e == "json")) {
        match reading(path) {
            Ok(reading) => {
                assert_eq!(reading.format, Format::Scan, "{}", path.display());
                observed += reading.set_aside.values().sum::<usize>();
            }
            // A module that did not answer.
            Err(ReadError::Nothing) => {}
            Err(error) => panic!("{}: {error}", path.display()),
        }
        read_files += 1;
    }
    assert!(read_files > 40 && observed > 40, "{read_files} files, {observed} observations");

    let shodan = folder.join("intelmq-testdata/intelmq/tests/bots/parsers/shodan/tests.json");
    let rules = Rules::parse("rules: [{name: FileZilla, when: {banner: {contains: filezilla}}}]").unwrap();
    let options = ReadOptions { rules: Some(rules), ..ReadOptions::default() };
    let found = read("tests.json", &std::fs::read(shodan).unwrap(), &options).unwrap();
    assert_eq!(found.claims.len() + found.refused_count, 1, "{found:?}");

    let list = text(&folder.join("active-c2/cobaltstrike/JARM/jarm_cs_202107_uniq_sorted.txt"));
    let known: Vec<&str> = list.lines().map(str::trim).filter(|line| line.len() == 62).collect();
    let rules = format!("rules:\n  - name: Cobalt Strike\n    when: {{jarm: {known:?}}}\n");
    let options = ReadOptions { rules: Some(Rules::parse(&rules).unwrap()), ..ReadOptions::default() };
    let host = |jarm: &str| {
        format!(
            r#"{{"ip_str":"192.0.2.1","port":443,"transport":"tcp","timestamp":"2021-07-01T00:00:00","ssl":{{"jarm":"{jarm}"}}}}"#
        )
    };
    let claims = |jarm: &str| read("a.json", host(jarm).as_bytes(), &options).unwrap().claims.len();
    assert_eq!((claims(known[0]), claims(&"0".repeat(62))), (1, 0));
}

/// Passive DNS made of a Zeek log: a record for each name and address.
fn passive_dns(log: &str) -> String {
    let fields = log.lines().find_map(|line| line.strip_prefix("#fields\t")).unwrap();
    let column = |name: &str| fields.split('\t').position(|field| field == name).unwrap();
    let (time, query, answers) = (column("ts"), column("query"), column("answers"));
    let mut records: BTreeMap<(&str, &str), (f64, f64, u64)> = BTreeMap::new();
    for line in log.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let Ok(at) = cells[time].parse::<f64>() else { continue };
        for answer in cells.get(answers).into_iter().flat_map(|answers| answers.split(',')) {
            if answer.parse::<std::net::IpAddr>().is_ok() {
                let seen = records.entry((cells[query], answer)).or_insert((at, at, 0));
                *seen = (seen.0.min(at), seen.1.max(at), seen.2 + 1);
            }
        }
    }
    let line = |((name, address), (first, last, count)): (&(&str, &str), &(f64, f64, u64))| {
        let kind = if address.contains(':') { "AAAA" } else { "A" };
        format!(
            r#"{{"rrname":"{name}","rrtype":"{kind}","rdata":"{address}","time_first":{first},"time_last":{last},"count":{count}}}"#
        )
    };
    records.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn claimed_domains_become_the_addresses_of_a_log() {
    let Some(folder) = folder() else { return };
    let log = folder.join("../captures/zeek/slips-test10-mixed-zeek-dir/dns.log");
    let passive = read("cof.json", passive_dns(&text(&log)).as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(passive.format, Format::PassiveDns);
    assert!(passive.resolutions.len() > 20, "{}", passive.resolutions.len());
    let names: BTreeSet<&str> = passive.resolutions.iter().map(|record| record.name.as_str()).collect();
    let one = names.first().unwrap();

    let book = |list: Reading| {
        Snapshot::new(1, list.claims, list.clusters, Vec::new()).with_resolutions(&passive.resolutions)
    };
    let list = read("list.txt", one.as_bytes(), &ReadOptions::default()).unwrap();
    let book = book(list);
    let derived: Vec<_> = book.claims().iter().filter(|claim| claim.basis == WindowBasis::Resolved).collect();
    assert!(!derived.is_empty(), "{one}");
    for record in passive.resolutions.iter().filter(|record| record.name == *one) {
        assert!(book.claims_on(record.address).any(|claim| claim.validity.contains(record.last)));
    }
    // The published list of RedFoxtrot: none of its names stands in the log, so no address is claimed.
    let redfoxtrot = files(&folder.join("insikt"))
        .into_iter()
        .find(|path| path.to_string_lossy().contains("RedFoxtrot") && path.ends_with("Indicators"));
    let list = reading(&redfoxtrot.unwrap()).unwrap();
    let claims = list.claims.len();
    let book = Snapshot::new(1, list.claims, list.clusters, Vec::new());
    assert_eq!(book.with_resolutions(&passive.resolutions).claims().len(), claims);
}

#[test]
fn dynamic_names_of_a_published_list_become_short_windows() {
    let Some(folder) = folder() else { return };
    let redfoxtrot = files(&folder.join("insikt"))
        .into_iter()
        .find(|path| path.to_string_lossy().contains("RedFoxtrot") && path.ends_with("Indicators"));
    let list = reading(&redfoxtrot.unwrap()).unwrap();
    let names: Vec<String> = list
        .claims
        .iter()
        .filter(|claim| claim.indicator.kind() == "domain")
        .map(|claim| claim.indicator.to_string())
        .collect();
    assert_eq!(names.len(), 106);
    // Each name once, an hour of 1 June 2021 apart, on an address of its own.
    let record = |(i, name): (usize, &String)| {
        let at = 1_622_505_600 + i * 3_600;
        format!(
            r#"{{"rrname":"{name}","rrtype":"A","rdata":"192.0.2.{}","time_first":{at},"time_last":{at},"count":1}}"#,
            i + 1
        )
    };
    let lines: Vec<String> = names.iter().enumerate().map(record).collect();
    let passive = read("cof.json", lines.join("\n").as_bytes(), &ReadOptions::default()).unwrap();
    let book =
        Snapshot::new(1, list.claims, list.clusters, Vec::new()).with_resolutions(&passive.resolutions);
    let derived: Vec<_> = book.claims().iter().filter(|claim| claim.basis == WindowBasis::Resolved).collect();
    assert_eq!(derived.len(), 106);
    let hours = |claim: &&&rahdar_model::intelligence::Claim| {
        claim.validity.until.since(claim.validity.from) / rahdar_model::time::HOUR_US
    };
    // Most of the names are rented from providers of dynamic DNS (`field.md` §3, 4).
    let short = derived.iter().filter(|claim| hours(claim) == 1).count();
    assert!(short > 80, "{short}");
    assert!(derived.iter().all(|claim| hours(&claim) <= 48));
}
