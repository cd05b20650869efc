//! A book that is asked for one subject answers as the whole one does.

use rahdar_intel::book::Book;
use rahdar_intel::index::{Snapshot, Subject};
use rahdar_model::Timestamp;
use sqlx::{ConnectOptions, Connection};

use super::{book, file, reading};

/// All that a lookup tells.
fn told(book: &Snapshot, subject: &Subject, at: Timestamp) -> Vec<String> {
    let (claims, facts, name) = match subject {
        Subject::Address(address) => {
            let facts = book.facts_on(*address, at).map(|fact| format!("{fact:?}")).collect();
            (book.claims_on(*address).collect(), facts, address.to_string())
        }
        Subject::Name(name) => (book.claims_naming(name), Vec::new(), name.clone()),
    };
    let mut told: Vec<String> = facts;
    for claim in claims {
        let cluster = claim.cluster.as_ref().and_then(|id| book.cluster(id));
        told.push(format!("{claim:?} {cluster:?} {:?}", book.priority(claim, at)));
    }
    told.extend(book.notes_on(&name, at).iter().map(|note| format!("{note:?}")));
    told.push(format!("version {}", book.version()));
    told
}

const TABLE: &str = "\
indicator,port,cluster,valid_from,valid_until,malware
192.0.2.7,443,RedFoxtrot,2021-03-01,2021-05-31,PlugX
192.0.2.7,8443,Winnti cluster,2021-07-01,2021-07-31,
192.0.2.0/24,,,,,
198.51.0.0/16,,,,,
2001:db8::7,,Winnti cluster,,,
2001:db8::/32,,,,,
c2.example.org,,RedFoxtrot,,,
example.org,,,,,
duckdns.org,,,,,
http://c2.example.org:8080/gate,,Winnti cluster,,,
https://192.0.2.7/x,,,,,
d41d8cd98f00b204e9800998ecf8427e,,,,,
";

const RECORDS: &str = r#"{"rrname":"www.c2.example.org","rrtype":"A","rdata":"192.0.2.50","time_first":1620604800,"time_last":1620691200,"count":9}
{"rrname":"shop.example.net","rrtype":"A","rdata":"192.0.2.50","time_first":1620720000,"time_last":1621000000}
{"rrname":"front.example.org","rrtype":"CNAME","rdata":"edge.example.com","time_first":1620604800,"time_last":1620691200}
{"rrname":"edge.example.com","rrtype":"CNAME","rdata":"node.example.com","time_first":1620604800,"time_last":1620691200}
{"rrname":"node.example.com","rrtype":"A","rdata":"203.0.113.9","time_first":1620604800,"time_last":1620691200}
{"rrname":"shop.example.net","rrtype":"CNAME","rdata":"node.example.com","time_first":1620604800,"time_last":1620691200}
{"rrname":"warned.example.org","rrtype":"A","rdata":"192.0.2.51","time_first":1620604800,"time_last":1620691200}"#;

const EVENT: &str = r#"{"Event":{"date":"2021-05-12","Attribute":[
    {"type":"ip-dst","value":"192.0.2.7","Sighting":[{"type":"1","date_sighting":"1620900000"}]},
    {"type":"domain","value":"warned.example.org","Sighting":[{"type":"0","date_sighting":"1620900000"}]}]}}"#;

const NOTES: [&str; 3] = [
    r#"{"name":"Popular sites","type":"hostname","version":1,"list":["warned.example.org"]}"#,
    r#"{"name":"Parts","type":"substring","version":1,"list":["c2."]}"#,
    r#"{"name":"Sinkhole","type":"cidr","version":1,"list":["192.0.2.0/28"]}"#,
];

/// The second version of an object moves to another address.
const BUNDLE: &str = r#"{"type":"bundle","id":"bundle--7f1f1b9a-2a63-4d8e-8d3e-0d6a5b3b6a01","objects":[
    {"type":"indicator","spec_version":"2.1","id":"indicator--7f1f1b9a-2a63-4d8e-8d3e-0d6a5b3b6a02","created":"2021-05-01T00:00:00Z",
     "modified":"2021-05-01T00:00:00Z","valid_from":"2021-05-01T00:00:00Z","pattern_type":"stix","pattern":"[ipv4-addr:value = '203.0.113.1']"}]}"#;

#[test]
fn one_subject_is_answered_as_by_the_whole_book() {
    let folder = tempfile::tempdir().unwrap();
    let book = book(&folder);
    let moved = BUNDLE.replace("203.0.113.1", "203.0.113.2");
    let moved = moved.replace("\"modified\":\"2021-05-01", "\"modified\":\"2021-06-01");
    for text in [TABLE, RECORDS, EVENT, NOTES[0], NOTES[1], NOTES[2], BUNDLE, &moved] {
        book.record(&file(text), &reading(text)).unwrap();
    }
    let whole = book.snapshot().unwrap();
    let at: Timestamp = "2021-05-15".parse().unwrap();
    let check = |text: &str, is_known: bool| {
        let subject = Subject::of(text);
        let (expected, found) =
            (told(&whole, &subject, at), told(&book.about(&subject).unwrap(), &subject, at));
        assert_eq!(found, expected, "{text}");
        assert_eq!(found.len() > 1, is_known, "{text}: {found:?}");
    };
    check("192.0.2.7", true);
    check("192.0.2.50", true);
    check("192.0.2.51", true);
    check("192.0.2.99", true);
    check("198.51.100.1", true);
    check("2001:db8::7", true);
    check("203.0.113.9", true);
    check("10.0.0.1", false);
    check("C2.example.org.", true);
    check("www.c2.example.org", true);
    check("warned.example.org", true);
    check("duckdns.org", true);
    check("someone.duckdns.org", false);
    check("http://c2.example.org:8080/gate", true);
    check("d41d8cd98f00b204e9800998ecf8427e", true);
    check("203.0.113.1", false);
    check("203.0.113.2", true);
}

#[test]
fn an_older_book_learns_the_hosts_of_its_urls_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    book(&folder).record(&file(TABLE), &reading(TABLE)).unwrap();
    let path = folder.path().join("book.sqlite");
    let forget = async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let mut connection = options.connect().await.unwrap();
        sqlx::query("DELETE FROM url_hosts").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(forget);
    let subject = Subject::of("c2.example.org");
    let found = book(&folder).about(&subject).unwrap();
    assert_eq!(found.claims_naming("c2.example.org").len(), 3);
}
