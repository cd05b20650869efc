//! `rahdar intel sync`, against servers on loopback that keep to the rules, and some that do not.

mod history;
mod medallion;
mod web;

use serde_json::{Value, json};

use crate::harness::{Home, Ran};
use web::{Said, Web};

/// Writes the file of feeds: each a name, a kind, a URL and further lines.
fn configure(home: &Home, feeds: &[(&str, &str, &str, &str)]) {
    let mut text = String::from("feeds:\n");
    for (name, kind, url, more) in feeds {
        text += &format!("  - name: {name}\n    kind: {kind}\n    url: {url}\n    plain_http: true\n");
        text += "    private_hosts: [127.0.0.1]\n";
        text.extend(more.lines().map(|line| format!("    {line}\n")));
    }
    home.file("home/feeds.yaml", text);
}

/// Syncs, and gives the row of each feed beside what the command did.
fn sync(home: &Home) -> (Vec<Value>, Ran) {
    let ran = home.run(&["intel", "sync", "--format", "json"]);
    let rows = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    (rows, ran)
}

/// The distinct endpoints that the book claims.
fn claimed(home: &Home) -> Vec<String> {
    let claims = home.json(&["intel", "list"]);
    let claims = claims.as_array().unwrap().iter();
    let mut found: Vec<String> = claims.map(|c| c["indicator"].as_str().unwrap().to_owned()).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn without_a_feed_nothing_is_contacted_and_it_says_so() {
    let home = Home::new();
    let ran = home.done(&["intel", "sync"]);
    assert!(ran.stderr.contains("nothing was contacted"), "{}", ran.stderr);
    let ran = home.run(&["intel", "sync", "other"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("there is no feed `other`"), "{}", ran.stderr);
    assert_eq!(home.run(&["intel", "sync", "--every", "5s"]).code, Some(2));
}

#[test]
fn a_list_is_fetched_when_it_changed_and_what_left_it_ends() {
    let web = Web::new(|request, nth| match nth {
        0 => Said::of("text/plain", "192.0.2.1\n192.0.2.2\n").with("ETag", "\"1\""),
        1 if request.contains("if-none-match: \"1\"") => Said::status(304),
        2 => Said::of("text/plain", "192.0.2.2\n192.0.2.3\n").with("ETag", "\"2\""),
        _ => Said::status(304),
    });
    let home = Home::new();
    configure(
        &home,
        &[("example", "list", &web.url("/list.txt"), "tlp: amber\nsource: Example CERT\nconfidence: 60")],
    );
    let added = || {
        let (rows, ran) = sync(&home);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        (rows[0]["answers"].as_i64().unwrap(), rows[0]["added"].as_i64().unwrap())
    };
    assert_eq!(added(), (1, 2));
    assert_eq!(added(), (1, 0), "not modified");
    assert_eq!(added(), (1, 2), "one that is new, and the end of one");
    assert_eq!(added(), (1, 0));
    let state = |address: &str| {
        let answer = home.json(&["intel", "lookup", address]);
        let claims = answer["claims"].as_array().unwrap().clone();
        assert_eq!(claims.len(), 1, "{address}: {claims:?}");
        assert_eq!(claims[0]["source"], "Example CERT");
        claims[0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state("192.0.2.1"), "lapsed");
    assert_eq!(state("192.0.2.2"), "valid");
    assert_eq!(state("192.0.2.3"), "valid");
}

#[test]
fn one_feed_that_fails_stops_no_other() {
    let web = Web::new(|request, _| match request {
        request if request.contains("/good") => Said::of("text/plain", "192.0.2.1\n"),
        request if request.contains("/page") => Said::of("text/html", "<html><body>sign in</body></html>"),
        request if request.contains("/away") => Said::status(302).with("Location", "http://169.254.169.254/"),
        request if request.contains("/taxii") => Said::of("text/html", "<html>"),
        _ => Said::status(401),
    });
    let home = Home::new();
    let url = |path| web.url(path);
    configure(
        &home,
        &[
            ("closed", "list", &url("/closed"), "user: analyst\npassword: {env: RAHDAR_TEST_SECRET}"),
            ("page", "list", &url("/page"), ""),
            ("away", "list", &url("/away"), ""),
            ("taxii", "taxii", &url("/taxii2/"), ""),
            ("good", "list", &url("/good"), ""),
        ],
    );
    let ran = home
        .command(&["intel", "sync", "--format", "json"])
        .env("RAHDAR_TEST_SECRET", "hush-hush")
        .output()
        .unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert_eq!(ran.status.code(), Some(3), "{told}");
    for reason in [
        "closed: failed: `http://127.0.0.1",
        "status 401",
        "page: failed",
        "away: failed: `169.254.169.254` is at `169.254.169.254`, which is not public",
        "taxii: failed",
        "login page",
    ] {
        assert!(told.contains(reason), "{reason}: {told}");
    }
    assert!(!told.contains("hush-hush"), "{told}");
    assert!(
        web.asked().iter().any(|request| request.contains("authorization: basic yw5hbhlzddpodxnolwh1c2g="))
    );
    assert_eq!(claimed(&home), ["192.0.2.1"]);
}

#[test]
fn an_indicator_is_not_asked_even_if_it_is_a_feed() {
    let web = Web::new(|_, _| Said::of("text/plain", "192.0.2.1\n"));
    let home = Home::new();
    configure(&home, &[("odd", "list", &format!("http://feed.example.org:{}/", web.port()), "")]);
    let list = home.file("list.txt", "example.org\n");
    home.done(&["intel", "import", &list]);
    let (rows, ran) = sync(&home);
    assert_eq!((ran.code, &rows[0]["failures"]), (Some(3), &json!(1)));
    assert!(ran.stderr.contains("is an indicator"), "{}", ran.stderr);
    assert_eq!(web.asked().len(), 0);
}

const EVENT: &str = "5a0d5cac-2ef4-4bae-baa4-4a91950d210f";
const OTHER: &str = "5a0d5cac-2ef4-4bae-baa4-4a91950d2110";

fn event(address: &str, changed: u64) -> String {
    let attribute =
        json!({"type": "ip-dst", "value": address, "uuid": EVENT, "timestamp": changed.to_string()});
    json!({"Event": {"info": "x", "date": "2021-06-16", "Orgc": {"name": "Example CERT"}, "Attribute": [attribute]}})
        .to_string()
}

#[test]
fn of_a_misp_feed_only_what_changed_is_fetched() {
    let web = Web::new(|request, nth| {
        let manifest = |changed: u64| {
            let entry = |changed: u64| json!({"info": "x", "timestamp": changed.to_string()});
            json!({EVENT: entry(changed), OTHER: entry(1_600_000_000), "../../admin": entry(1)}).to_string()
        };
        match request {
            request if request.contains("/manifest.json") => {
                Said::of("application/json", &manifest(if nth == 0 { 1_600_000_000 } else { 1_700_000_000 }))
            }
            request if request.contains(EVENT) => Said::of(
                "application/json",
                &if nth == 1 { event("192.0.2.1", 1_600_000_000) } else { event("192.0.2.9", 1_700_000_000) },
            ),
            request if request.contains(OTHER) => {
                Said::of("application/json", &event("192.0.2.2", 1_500_000_000))
            }
            _ => Said::status(404),
        }
    });
    let home = Home::new();
    configure(&home, &[("partner", "misp", &web.url("/feed/"), "token: {file: TOKEN}\nscheme: ''")]);
    let token = home.file("token", "0123456789\n");
    let text = std::fs::read_to_string(home.path().join("home/feeds.yaml")).unwrap();
    home.file("home/feeds.yaml", text.replace("TOKEN", &token));
    let (rows, ran) = sync(&home);
    assert_eq!((&rows[0]["answers"], ran.code), (&json!(3), Some(3)), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 entries of the manifest have no valid event id"), "{}", ran.stderr);
    assert_eq!(claimed(&home), ["192.0.2.1", "192.0.2.2"]);
    let (rows, _) = sync(&home);
    assert_eq!(rows[0]["answers"], 2, "the manifest, and the event that changed");
    assert_eq!(
        home.json(&["intel", "lookup", "192.0.2.1"])["claims"].as_array().unwrap().len(),
        0,
        "superseded"
    );
    let (rows, _) = sync(&home);
    assert_eq!(rows[0]["answers"], 1);
    assert!(web.asked().iter().all(|request| request.contains("authorization: 0123456789")));
}

/// A TAXII server of two collections. What follows `broken` is never given; `stuck` keeps the line open.
fn taxii(request: &str, broken: Option<&str>) -> Said {
    let object = |n: u32| {
        json!({"type": "indicator", "spec_version": "2.1", "id": format!("indicator--00000000-0000-4000-8000-{n:012}"),
            "created": "2021-06-01T00:00:00Z", "modified": "2021-06-01T00:00:00Z", "valid_from": "2021-06-01T00:00:00Z",
            "pattern_type": "stix", "pattern": format!("[ipv4-addr:value = '192.0.2.{n}']")})
    };
    let of = |value: &Value| Said::of("application/taxii+json;version=2.1", &value.to_string());
    let page = |numbers: &[u32], next: Option<&str>| {
        let objects: Vec<Value> = numbers.iter().map(|n| object(*n)).collect();
        let last = numbers.last().copied().unwrap_or_default();
        of(&json!({"objects": objects, "more": next.is_some(), "next": next}))
            .with("X-TAXII-Date-Added-Last", &format!("2021-06-01T00:00:{last:02}.000000Z"))
    };
    if broken.is_some_and(|part| request.contains(part)) {
        return Said::status(404);
    }
    let after = |second: &str| request.contains(&format!("added_after=2021-06-01t00%3a00%3a{second}"));
    match request {
        r if r.starts_with("get /taxii2/ ") => of(&json!({"title": "x", "api_roots": ["/api/"]})),
        r if r.starts_with("get /api/collections/ ") => of(&json!({"collections": [
            {"id": "a", "title": "A", "can_read": true}, {"id": "b", "title": "B", "can_read": true}]})),
        // Objects 2 and 3 were added at the same moment as far as the position says.
        r if r.contains("/a/objects/") && r.contains("next=2") => page(&[3, 4], None),
        r if r.contains("/a/objects/") && after("01.999999z") => page(&[2, 3, 4], None),
        r if r.contains("/a/objects/") && after("04z") => of(&json!({})),
        r if r.contains("/a/objects/") => page(&[1, 2], Some("2")),
        r if r.contains("/b/objects/") && after("06z") => of(&json!({})),
        r if r.contains("/b/objects/") => page(&[5, 6], None),
        _ => Said::status(404),
    }
}

const ALL: [&str; 6] = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"];

#[test]
fn a_taxii_server_that_breaks_between_two_pages_is_read_on_from_there() {
    let web = Web::new(|request, nth| taxii(request, (nth < 5).then_some("next=2")));
    let home = Home::new();
    configure(&home, &[("server", "taxii", &web.url("/taxii2/"), "")]);
    let (_, ran) = sync(&home);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(claimed(&home), [ALL[0], ALL[1], ALL[4], ALL[5]], "the other collection was read");
    let (rows, ran) = sync(&home);
    assert_eq!((ran.code, &rows[0]["added"]), (Some(0), &json!(2)), "{}", ran.stderr);
    assert_eq!(claimed(&home), ALL);
    let (rows, _) = sync(&home);
    assert_eq!((&rows[0]["added"], &rows[0]["claims"]), (&json!(0), &json!(0)));
}

#[test]
fn a_sync_that_is_killed_goes_on_where_the_book_ends() {
    // The second collection is answered to nobody the first time.
    let web = Web::new(|request, nth| match nth {
        _ if request.contains("/b/objects/") && nth < 5 => Said::nothing(),
        _ => taxii(request, None),
    });
    let home = Home::new();
    configure(&home, &[("server", "taxii", &web.url("/taxii2/"), "")]);
    let mut killed = home.command(&["intel", "sync"]).spawn().unwrap();
    while !web.asked().iter().any(|request| request.contains("/b/objects/")) {
        std::thread::yield_now();
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(claimed(&home), ALL[..4]);
    let before = web.asked().len();
    let (rows, ran) = sync(&home);
    assert_eq!((ran.code, &rows[0]["added"]), (Some(0), &json!(2)), "{}", ran.stderr);
    assert_eq!(claimed(&home), ALL);
    assert!(
        web.asked()[before..].iter().any(|request| request.contains("/a/objects/?limit=1000&added_after="))
    );
    assert_eq!(home.json(&["intel", "list"]).as_array().unwrap().len(), 6, "nothing is doubled");
}
