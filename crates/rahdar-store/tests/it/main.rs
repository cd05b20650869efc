//! The book on disk: what goes in comes out, once, whatever is opened again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod lookup;
mod scale;

use std::path::Path;

use rahdar_intel::assertion::Statement;
use rahdar_intel::book::{Book, BookError, ImportedFile, Reached};
use rahdar_intel::reading::{ReadOptions, Reading};
use rahdar_model::intelligence::{ClusterId, Event, HostClass, Network, Tlp, WindowBasis};
use rahdar_model::{Day, Timestamp};
use rahdar_store::Database;
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

const TABLE: &str = "\
indicator,port,cluster,valid_from,valid_until,tlp,confidence,malware
192.0.2.7,443,RedFoxtrot,2021-03-01,2021-05-31,amber,80,PlugX
192.0.2.7,8443,RedFoxtrot,2021-07-01,2021-07-31,,,
2001:db8::7,,Winnti cluster,,,,,
198.51.100.0/24,,,,,,,
c2.example.org,,RedFoxtrot,,,,,
d41d8cd98f00b204e9800998ecf8427e,,,,,,,
";

fn book(folder: &TempDir) -> Database {
    Database::open(&folder.path().join("book.sqlite")).unwrap()
}

fn reading(text: &str) -> Reading {
    rahdar_intel::read("feed.csv", text.as_bytes(), &ReadOptions::default()).unwrap()
}

fn file(text: &str) -> ImportedFile {
    ImportedFile::new("feed.csv", text.as_bytes(), &ReadOptions::default(), Day(18_000).start())
}

#[test]
fn every_field_survives_the_way_to_disk_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let read = reading(TABLE);
    assert_eq!(read.claims.len(), 6);
    book(&folder).record(&file(TABLE), &read).unwrap();

    let snapshot = book(&folder).snapshot().unwrap();
    assert_eq!(snapshot.claims(), read.claims);
    assert_eq!(snapshot.clusters().cloned().collect::<Vec<_>>(), read.clusters);
    assert_eq!(snapshot.claims()[0].tlp, Some(Tlp::Amber));
    assert_eq!(snapshot.claims()[0].tools, ["PlugX"]);
    assert!(snapshot.cluster(&ClusterId::of_name("RedFoxtrot")).is_some());
    assert_eq!(snapshot.claims_on("192.0.2.7".parse().unwrap()).count(), 2);
}

#[test]
fn a_book_that_was_closed_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    book(&folder).record(&file(TABLE), &reading(TABLE)).unwrap();
    let files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["book.sqlite"]);
}

#[test]
fn the_same_content_adds_nothing_again() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    let first = book.record(&file(TABLE), &reading(TABLE)).unwrap();
    assert_eq!((first.version, first.added, first.already), (1, 6, false));
    let again = book.record(&file(TABLE), &reading(TABLE)).unwrap();
    assert_eq!((again.version, again.added, again.already), (1, 0, true));

    let grown = format!("{TABLE}192.0.2.8,,,,,,,\n");
    let third = book.record(&file(&grown), &reading(&grown)).unwrap();
    assert_eq!((third.version, third.added), (2, 1), "only the new claim");
    assert_eq!(book.version().unwrap(), 2);
    assert_eq!(book.imports().unwrap().iter().map(|entry| entry.added).collect::<Vec<_>>(), [6, 1]);
}

#[test]
fn host_facts_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let text = "indicator,class,valid_from\n192.0.2.9,sinkhole,2021-06-01\n";
    let book = book(&folder);
    book.record(&file(text), &reading(text)).unwrap();
    let snapshot = book.snapshot().unwrap();
    let at: Timestamp = "2021-07-01".parse().unwrap();
    let classes: Vec<_> =
        snapshot.facts_on("192.0.2.9".parse().unwrap(), at).map(|fact| fact.class).collect();
    assert_eq!(classes, [HostClass::Sinkhole]);
}

#[test]
fn traits_and_passive_dns_survive_the_way_to_disk_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let text = "indicator,trait,value,first_seen,last_seen,confidence\n\
        192.0.2.7,certificate,cafe,2021-03-01,2021-03-09,80\nc2.example.org,registrant,ops@example.org,2021-03-01,,\n";
    let read = reading(text);
    let recorded = book(&folder).record(&file(text), &read).unwrap();
    assert_eq!((recorded.added, read.traits.len()), (2, 2));
    assert_eq!(book(&folder).traits().unwrap(), read.traits);
    let text = r#"{"rrname":"c2.example.org","rrtype":"A","rdata":"192.0.2.50","time_first":1620604800,"time_last":1620691200}"#;
    let read = reading(text);
    book(&folder).record(&file(text), &read).unwrap();
    assert_eq!(book(&folder).resolutions().unwrap(), read.resolutions);
}

#[test]
fn passive_dns_notes_and_reports_are_kept_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    let import = |name: &str, text: &str| {
        let reading = rahdar_intel::read(name, text.as_bytes(), &ReadOptions::default()).unwrap();
        book.record(&file(text), &reading).unwrap().added
    };
    // Passive DNS comes first: what is claimed later is found in it too.
    let records = r#"{"rrname":"c2.example.org","rrtype":"A","rdata":"192.0.2.50","time_first":1620604800,"time_last":1620691200,"count":9}
{"rrname":"shop.example.net","rrtype":"A","rdata":"192.0.2.50","time_first":1620720000,"time_last":1621000000}
{"rrname":"www.example.com","rrtype":"A","rdata":"192.0.2.60","time_first":1620604800,"time_last":1620691200}"#;
    assert_eq!(import("cof.json", records), 3);
    let event = r#"{"Event":{"date":"2021-05-12","Attribute":[
        {"type":"domain","value":"c2.example.org","Sighting":[{"type":"1","date_sighting":"1620900000"}]},
        {"type":"domain","value":"www.example.com"}]}}"#;
    assert_eq!(import("event.json", event), 3);
    let list = r#"{"name":"Popular sites","type":"string","version":1,"list":["www.example.com"]}"#;
    assert_eq!((import("list.json", list), import("list.json", list)), (1, 0));

    let snapshot = book.snapshot().unwrap();
    let derived: Vec<_> = snapshot.claims_on("192.0.2.50".parse().unwrap()).collect();
    assert_eq!(derived[0].basis, WindowBasis::Resolved);
    // From a day before to the arrival of another name.
    let window = "[2021-05-09T00:00:00Z, 2021-05-11T08:00:00Z)";
    assert_eq!(format!("{:?}", derived[0].validity), window);
    let at: Timestamp = "2021-05-15".parse().unwrap();
    assert_eq!(snapshot.claims_on("192.0.2.60".parse().unwrap()).count(), 0);
    assert_eq!(&*snapshot.notes_on("www.example.com", at)[0].source, "Popular sites");
    let priority = |name| snapshot.priority(snapshot.claims_naming(name)[0], at).unwrap();
    assert!((priority("c2.example.org") * 2.0 - priority("www.example.com")).abs() < 1e-9);
}

#[test]
fn proposals_wait_until_a_person_accepts_them() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    let report = "Date: 2021-09-28\n\nThe threat group UNC9999 has targeted Example Net since May 2021. It used the server \
        c2[.]example[.]org for that. The report links UNC9999 to a unit of the GRU. One other was a PlugX cluster.\n";
    let reading = rahdar_intel::read("report.txt", report.as_bytes(), &ReadOptions::default()).unwrap();
    let kept = book.propose(&file(report), &reading.proposals).unwrap();
    assert_eq!(
        (kept.added, book.version().unwrap()),
        (reading.proposals.len(), 0),
        "{:#?}",
        reading.proposals
    );
    assert_eq!(book.propose(&file(report), &reading.proposals).unwrap().added, 0);
    let proposals: Vec<_> = book.proposals().unwrap().into_iter().map(|kept| kept.proposal).collect();
    assert_eq!(proposals, reading.proposals);

    let claim = kept.ids
        [reading.proposals.iter().position(|it| matches!(it.statement, Statement::Claim(_))).unwrap()];
    let accepted = book.accept(&[claim], Day(18_900).start()).unwrap();
    assert_eq!((accepted.version, accepted.added), (1, 1));
    let snapshot = book.snapshot().unwrap();
    let claims = snapshot.claims_naming("c2.example.org");
    assert_eq!(claims[0].cluster, Some(ClusterId::of_name("UNC9999")));
    assert_eq!(snapshot.cluster(&ClusterId::of_name("UNC9999")).unwrap().name, "UNC9999");

    let rest = book.accept(&kept.ids, Day(18_900).start()).unwrap();
    assert_eq!((rest.version, rest.added), (2, 0));
    let snapshot = book.snapshot().unwrap();
    assert!(snapshot.cluster(&ClusterId::of_name("UNC9999")).unwrap().named);
    let cluster = snapshot.cluster(&ClusterId::of_name("PlugX cluster")).unwrap();
    assert_eq!((cluster.named, cluster.tools.as_slice()), (false, &["PlugX".to_owned()][..]));
    assert!(book.proposals().unwrap().iter().all(|kept| kept.accepted.is_some()));
    assert_eq!(book.accept(&kept.ids, Day(18_901).start()).unwrap().version, 2);
}

#[test]
fn statements_about_clusters_are_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    let import = |text: &str| {
        let reading = rahdar_intel::read("names.csv", text.as_bytes(), &ReadOptions::default()).unwrap();
        book.record(&file(text), &reading).unwrap().version
    };
    let header = "cluster,actor,relation,source,published,confidence";
    let line = "RedFoxtrot,Nomad Panda,overlaps,Example Lab,2021-06-16,60";
    let undated = "RedFoxtrot,X,suspected,Example Lab,,";
    assert_eq!(import(&format!("{header}\n{line}\n{undated}\n")), 1);
    assert_eq!(import(&format!("{header}\n{undated}\n{line}\n")), 1, "the same statements");
    let snapshot = book.snapshot().unwrap();
    let said: Vec<_> = snapshot.attributions(&ClusterId::of_name("RedFoxtrot")).collect();
    assert_eq!((said.len(), &*said[0].actor, said[0].confidence), (2, "Nomad Panda", Some(60)));
    assert_eq!(said[1].published, None);
}

#[test]
fn what_a_report_says_of_a_cluster_counts_once_a_person_accepts_it() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    let text = "Example Labs on UNC9999\n\nDate: 2021-09-28\n\nThe threat group UNC9999 has targeted Example Net since \
        May 2021. The threat group UNC9999 is linked to PLA Unit 00000. It worked on by night.\n";
    let reading = rahdar_intel::read("report.txt", text.as_bytes(), &ReadOptions::default()).unwrap();
    let ids = book.propose(&file(text), &reading.proposals).unwrap().ids;
    let behind = || {
        let snapshot = book.snapshot().unwrap();
        let said: Vec<String> =
            snapshot.attributions(&ClusterId::of_name("UNC9999")).map(|said| said.actor.clone()).collect();
        said
    };
    assert!(behind().is_empty());
    book.accept(&ids, Day(18_900).start()).unwrap();
    assert_eq!(behind(), ["PLA Unit 00000"]);
}

#[test]
fn aliases_of_passive_dns_lead_to_addresses_whatever_came_first() {
    let cof = |name: &str, kind: &str, data: &str| {
        format!(
            r#"{{"rrname":"{name}","rrtype":"{kind}","rdata":"{data}","time_first":1620720000,"time_last":1621000000}}"#
        )
    };
    let files = [
        ("a.json", cof("c2.example.org", "CNAME", "front.example.net")),
        ("b.json", cof("front.example.net", "A", "192.0.2.50")),
        ("list.csv", "domain,cluster\nc2.example.org,UNC9999\n".to_owned()),
    ];
    for order in [[0, 1, 2], [2, 1, 0]] {
        let folder = tempfile::tempdir().unwrap();
        let book = book(&folder);
        for (name, text) in order.map(|at| &files[at]) {
            let reading = rahdar_intel::read(name, text.as_bytes(), &ReadOptions::default()).unwrap();
            assert_eq!(book.record(&file(text), &reading).unwrap().added, 1);
        }
        let snapshot = book.snapshot().unwrap();
        let claims: Vec<_> = snapshot.claims_on("192.0.2.50".parse().unwrap()).collect();
        assert_eq!(claims.len(), 1);
        assert_eq!(claims[0].cluster, Some(ClusterId::of_name("UNC9999")));
    }
}

#[test]
fn another_name_on_a_claimed_address_shows_that_it_changed_hands() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    let import = |name: &str, text: &str| {
        let reading = rahdar_intel::read(name, text.as_bytes(), &ReadOptions::default()).unwrap();
        book.record(&file(text), &reading).unwrap();
    };
    import("list.csv", "ip,valid_from,valid_until\n192.0.2.50,2021-03-01,2021-04-30\n");
    let record = r#"{"rrname":"shop.example.net","rrtype":"A","rdata":"192.0.2.50","time_first":1620720000,"time_last":1621000000}"#;
    import("cof.json", record);
    let snapshot = book.snapshot().unwrap();
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let tenant =
        |until| snapshot.later_tenant("192.0.2.50".parse().unwrap(), time("2021-05-01"), time(until));
    assert_eq!(tenant("2021-05-20"), Some("example.net"));
    assert_eq!(tenant("2021-05-05"), None);
}

#[test]
fn a_network_described_anew_has_the_newer_words() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    let network = |role: &str| Network {
        prefix: "203.0.113.0/24".parse().unwrap(),
        asn: Some(64_500),
        org: "Example Telecom".to_owned(),
        sector: "telecom".to_owned(),
        country: "AF".to_owned(),
        role: role.to_owned(),
    };
    book.record_networks(&file("a"), &[network("")]).unwrap();
    let second = book.record_networks(&file("b"), &[network("mail server")]).unwrap();
    assert_eq!(second.added, 1);
    assert_eq!(book.networks().unwrap(), [network("mail server")]);
    assert_eq!(book.record_networks(&file("c"), &[network("mail server")]).unwrap().added, 0);
}

#[test]
fn events_are_kept_in_the_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    let event = |day: &str, label: &str| Event::new(day.parse().unwrap(), label);
    let (later, earlier) = (event("2021-08-15", "Kabul falls"), event("2021-03-02", "ProxyLogon disclosed"));
    book.record_events(&file("a"), &[later.clone(), earlier.clone()]).unwrap();
    assert_eq!(book.events().unwrap(), [earlier, later]);
}

#[test]
fn an_event_registered_after_a_look_at_later_flows_is_exploratory() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    let at = |day: &str| day.parse::<Timestamp>().unwrap();
    let register = |on: &str, days: &[&str]| {
        let events: Vec<Event> = days.iter().map(|day| Event::new(at(day), "an event")).collect();
        book.record_events(&ImportedFile { imported_at: at(on), ..file(on) }, &events).unwrap();
    };
    register("2021-09-01", &["2021-08-01"]);
    book.record_look(at("2021-09-02"), at("2021-08-20")).unwrap();
    book.record_look(at("2021-09-03"), at("2021-08-10")).unwrap();
    register("2021-09-04", &["2021-08-01", "2021-08-15", "2021-08-25"]);
    let told: Vec<(String, bool)> = book
        .events()
        .unwrap()
        .into_iter()
        .map(|event| (event.at.day().to_string(), event.is_exploratory))
        .collect();
    let expected = [("2021-08-01", false), ("2021-08-15", true), ("2021-08-25", false)];
    assert_eq!(told, expected.map(|(day, explores)| (day.to_owned(), explores)));
}

#[test]
fn a_file_that_is_no_book_is_named_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.sqlite");
    std::fs::write(&path, "this is a shopping list, and long enough to be looked at as a database header")
        .unwrap();
    let Err(error) = Database::open(&path) else { panic!("it opened") };
    assert!(matches!(error, BookError::Damaged { .. }), "{error:?}");
    assert!(
        error.to_string().contains("book.sqlite") && error.to_string().contains("move it away"),
        "{error}"
    );
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    assert!(Database::open(Path::new("/nowhere/book.sqlite")).is_err());
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.sqlite");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::query("CREATE TABLE recipes (name TEXT)").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    let Err(error) = Database::open(&path) else { panic!("it opened") };
    assert!(error.to_string().contains("another program"), "{error}");
}

#[test]
fn one_file_may_hold_claims_and_networks() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    let networks = rahdar_intel::sheet::networks(b"prefix,org\n203.0.113.0/24,Example\n").unwrap().rows;
    assert_eq!(book.record(&file("a"), &reading(TABLE)).unwrap().version, 1);
    assert_eq!(book.record_networks(&file("a"), &networks).unwrap().version, 2);
    assert!(book.record_networks(&file("a"), &networks).unwrap().already);
}

#[test]
fn what_holds_nothing_new_makes_no_version() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    book.record(&file(TABLE), &reading(TABLE)).unwrap();
    let shorter =
        TABLE.lines().filter(|line| !line.contains("c2.example.org")).collect::<Vec<_>>().join("\n");
    let again = book.record(&file(&shorter), &reading(&shorter)).unwrap();
    assert_eq!((again.version, again.added, again.already), (1, 0, false));
    assert_eq!(book.imports().unwrap().len(), 1);
}

#[test]
fn a_hundred_thousand_claims_come_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (0..100_000).map(|n| format!("198.51.100.{},{}\n", n % 256, 1 + n / 256));
    let text = format!("ip,port\n{}", rows.collect::<String>());
    let read = reading(&text);
    let book = book(&folder);
    assert_eq!(book.record(&file(&text), &read).unwrap().added, 100_000);
    assert_eq!(book.snapshot().unwrap().claims(), read.claims);
}

#[test]
fn two_processes_may_write_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (book(&folder), book(&folder));
    std::thread::scope(|scope| {
        for (book, host) in [(&one, 1), (&two, 101)] {
            scope.spawn(move || {
                for n in host..host + 20 {
                    let text = format!("indicator\n198.51.100.{n}\n");
                    book.record(&file(&text), &reading(&text)).unwrap();
                }
            });
        }
    });
    assert_eq!(one.version().unwrap(), 40);
    assert_eq!(two.snapshot().unwrap().claims().len(), 40);
}

fn reached(position: &str) -> Reached {
    Reached { feed: "example".to_owned(), part: "a".to_owned(), position: position.to_owned() }
}

#[test]
fn what_a_feed_says_and_how_far_it_was_read_come_together() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    let position = || book.reached("example").unwrap().get("a").cloned();
    assert_eq!(position(), None);
    let first = book.record_from(&file(TABLE), Some(&reading(TABLE)), &reached("1")).unwrap();
    assert_eq!((first.version, first.added, position().as_deref()), (1, 6, Some("1")));
    // Nothing new, in the same octets and in others: no version, and the feed goes on.
    let same = book.record_from(&file(TABLE), Some(&reading(TABLE)), &reached("2")).unwrap();
    assert_eq!((same.version, same.already, position().as_deref()), (1, true, Some("2")));
    let other = format!("{TABLE}\n");
    let other = book.record_from(&file(&other), Some(&reading(&other)), &reached("3")).unwrap();
    assert_eq!((other.version, other.added, position().as_deref()), (1, 0, Some("3")));
    let none = book.record_from(&file("x"), None, &reached("4")).unwrap();
    assert_eq!((none.version, none.added, position().as_deref()), (1, 0, Some("4")));
    assert_eq!(book.imports().unwrap().len(), 1);
    assert!(book.reached("another").unwrap().is_empty());
}
