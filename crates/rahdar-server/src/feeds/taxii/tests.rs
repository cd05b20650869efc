//! The protocol from values: a server made of answers, which remembers what it was asked.

use super::*;

const HOME: &str = "https://example.org/taxii2/";

fn answer(body: &str) -> Answer {
    Answer {
        status: 200,
        content_type: Some(MEDIA_TYPE.to_owned()),
        body: body.as_bytes().to_vec(),
        ..Answer::default()
    }
}

/// A page of objects with these ids, and when the last of them was added.
fn page(ids: &[&str], last: &str, rest: &str) -> Answer {
    let objects: Vec<String> = ids.iter().map(|id| format!("{{\"id\": \"{id}\"}}")).collect();
    let body = format!("{{{rest}\"objects\": [{}]}}", objects.join(", "));
    Answer { added_last: Some(last.to_owned()), ..answer(&body) }
}

const DISCOVERY: &str =
    r#"{"title": "x", "default": "https://example.org/api/", "api_roots": ["https://example.org/api/"]}"#;
const COLLECTIONS: &str = r#"{"collections": [
    {"id": "a", "title": "One", "can_read": true, "can_write": false},
    {"id": "b", "alias": "two", "title": "Two", "can_read": true, "can_write": false},
    {"id": "c", "title": "Closed", "can_read": false, "can_write": true}]}"#;
const A: &str = "https://example.org/api/collections/a/objects/";
const B: &str = "https://example.org/api/collections/b/objects/";

/// What was asked, what was to be recorded, and the faults.
type Walked = (Vec<String>, Vec<(String, usize, String)>, Vec<Fault>);

/// Walks with these answers; none is none.
fn walked(wanted: &[&str], reached: &[(&str, &str)], answers: Vec<Option<Answer>>) -> Walked {
    let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    let reached = reached.iter().map(|(part, at)| ((*part).to_owned(), (*at).to_owned())).collect();
    let mut walk = Walk::new(Url::parse(HOME).unwrap(), &wanted, reached);
    let (mut asked, mut batches) = (Vec::new(), Vec::new());
    let mut answers = answers.into_iter();
    while let Some(ask) = walk.ask() {
        assert_eq!(ask.accept, MEDIA_TYPE);
        asked.push(ask.url.as_str().replace("https://example.org", "").replace("limit=1000", ""));
        let batch = match answers.next().expect("an answer to each question") {
            Some(answer) => walk.answer(&answer),
            None => walk.give_up(),
        };
        if let Some(Batch { part, objects, position, text, .. }) = batch {
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read["objects"].as_array().unwrap().len(), objects);
            batches.push((part, objects, position));
        }
    }
    (asked, batches, walk.faults())
}

fn found(part: &str, objects: usize, position: &str) -> (String, usize, String) {
    (part.to_owned(), objects, position.to_owned())
}

#[test]
fn a_server_is_walked_from_its_discovery_to_the_last_page() {
    let (asked, batches, faults) = walked(
        &[],
        &[(B, "2021-06-01T00:00:00Z")],
        vec![
            Some(answer(DISCOVERY)),
            Some(answer(COLLECTIONS)),
            Some(page(&["1", "2"], "2021-06-01T00:00:00.5Z", "\"more\": true, \"next\": \"n 1\", ")),
            Some(page(&["3"], "2021-06-02T00:00:00Z", "\"more\": false, ")),
            Some(answer("{}")),
        ],
    );
    assert_eq!(
        asked,
        [
            "/taxii2/",
            "/api/collections/",
            "/api/collections/a/objects/?",
            "/api/collections/a/objects/?&next=n+1",
            "/api/collections/b/objects/?&added_after=2021-06-01T00%3A00%3A00Z",
        ]
    );
    assert_eq!(batches, [found(A, 3, "2021-06-02T00:00:00Z")], "both pages are one batch");
    assert_eq!(faults, []);
}

#[test]
fn a_collection_left_in_between_is_asked_again_for_its_last_moment() {
    let (_, batches, _) = walked(
        &["One"],
        &[],
        vec![
            Some(answer(DISCOVERY)),
            Some(answer(COLLECTIONS)),
            Some(page(&["1"], "2021-06-01T00:00:00.5Z", "\"more\": true, \"next\": \"2\", ")),
            None,
        ],
    );
    assert_eq!(batches, [found(A, 1, "2021-06-01T00:00:00.499999Z")]);
    let position = "2021-06-01T00:00:00.499999Z";
    let (asked, batches, _) = walked(
        &["a"],
        &[(A, position)],
        vec![
            Some(answer(DISCOVERY)),
            Some(answer(COLLECTIONS)),
            Some(page(&["1"], "2021-06-01T00:00:00.5Z", "\"more\": true, \"next\": \"2\", ")),
            Some(page(&["2"], "2021-06-01T00:00:00.5Z", "")),
        ],
    );
    assert!(asked[2].ends_with("added_after=2021-06-01T00%3A00%3A00.499999Z"), "{asked:?}");
    assert!(asked[3].ends_with("added_after=2021-06-01T00%3A00%3A00.499999Z&next=2"), "{asked:?}");
    assert_eq!(batches, [found(A, 2, "2021-06-01T00:00:00.5Z")]);
}

#[test]
fn the_url_may_be_that_of_an_api_root_or_of_a_collection() {
    let root =
        r#"{"title": "x", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 1}"#;
    let (asked, ..) = walked(&[], &[], vec![Some(answer(root)), Some(answer("{}"))]);
    assert_eq!(asked, ["/taxii2/", "/taxii2/collections/"]);
    let collection = r#"{"id": "a", "title": "x", "can_read": true, "can_write": false}"#;
    let (asked, ..) = walked(&["one"], &[], vec![Some(answer(collection)), Some(answer("{}"))]);
    assert_eq!(asked, ["/taxii2/", "/taxii2/objects/?"]);
}

#[test]
fn collections_are_chosen_by_id_alias_or_title() {
    let answers = || vec![Some(answer(DISCOVERY)), Some(answer(COLLECTIONS)), Some(answer("{}"))];
    for name in ["b", "two", "Two"] {
        let (asked, _, faults) = walked(&[name], &[], answers());
        assert_eq!((asked.len(), asked[2].contains("/b/"), faults), (3, true, vec![]), "{name}");
    }
    let (_, _, faults) = walked(&["Closed"], &[], answers());
    assert_eq!(faults, [Fault::NoCollection("Closed".to_owned())]);
}

#[test]
fn a_server_without_names_for_pages_is_asked_by_time() {
    let (asked, batches, faults) = walked(
        &["a"],
        &[],
        vec![
            Some(answer(DISCOVERY)),
            Some(answer(COLLECTIONS)),
            Some(page(&["1"], "2021-06-01T00:00:00Z", "\"more\": true, ")),
            Some(page(&["2"], "2021-06-02T00:00:00Z", "")),
        ],
    );
    assert!(asked[3].ends_with("?&added_after=2021-05-31T23%3A59%3A59.999999Z"), "{asked:?}");
    assert_eq!((batches.len(), faults), (1, vec![]));
}

fn check(first: Vec<Answer>, expected: &str) {
    let count = first.len();
    let mut answers: Vec<_> = first.into_iter().map(Some).collect();
    answers.extend(std::iter::repeat_with(|| None).take(10));
    let (asked, _, faults) = walked(&[], &[], answers);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].to_string().contains(expected), "{}", faults[0]);
    assert!(asked.len() <= count + 2);
}

#[test]
fn hostile_and_broken_answers_are_faults() {
    let of_type = |kind: &str| Answer { content_type: Some(kind.to_owned()), ..answer(DISCOVERY) };
    check(vec![of_type("text/html; charset=utf-8")], "login page");
    check(vec![of_type("application/json")], "no TAXII 2.1");
    check(vec![of_type("application/vnd.oasis.taxii+json; version=2.0")], "TAXII 2.0");
    check(vec![of_type("application/taxii+json; version=3.0")], "TAXII 2.0");
    check(vec![answer("{\"api_roots\": [")], "cut off");
    check(vec![answer("{}")], "no discovery");
    check(vec![answer(&format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)))], "broken");
    for root in [
        "http://169.254.169.254/",
        "https://evil.example.net/api/",
        "file:///etc/passwd",
        "//evil.example.net/",
    ] {
        check(vec![answer(&format!("{{\"api_roots\": [\"{root}\"]}}"))], "another host");
    }
    let many = vec!["\"/a/\""; ROOTS_MAX + 1].join(",");
    check(vec![answer(&format!("{{\"api_roots\": [{many}]}}"))], "more than 100 API roots");
    let collections =
        || vec![answer(DISCOVERY), answer(r#"{"collections": [{"id": "a", "can_read": true}]}"#)];
    let with = |last: Answer| collections().into_iter().chain([last]).collect();
    check(with(answer("{\"more\": true, \"objects\": [{}]}")), "announces another page but gives no `next`");
    check(with(answer("{\"objects\": [{]}")), "broken");
    let mut empty = collections();
    empty.extend(vec![answer("{\"more\": true, \"next\": \"1\"}"); EMPTY_PAGES_MAX]);
    check(empty, "pages without an object");
}

#[test]
fn ids_of_collections_stay_below_their_root() {
    let list =
        r#"{"collections": [{"id": "../../admin?x=1#", "can_read": true}, {"id": "..", "can_read": true}]}"#;
    let (asked, ..) = walked(
        &[],
        &[],
        vec![Some(answer(DISCOVERY)), Some(answer(list)), Some(answer("{}")), Some(answer("{}"))],
    );
    assert!(asked[2..].iter().all(|url| url.starts_with("/api/collections/")), "{asked:?}");
}

#[test]
fn what_a_batch_names_and_does_not_hold_is_asked_for_by_its_id() {
    let relation = r#"{"objects": [{"id": "relationship--1", "source_ref": "indicator--1", "target_ref": "malware--1",
        "created_by_ref": "identity--1"}, {"id": "indicator--1"}]}"#;
    let relation = Answer { added_last: Some("2021-06-01T00:00:00Z".to_owned()), ..answer(relation) };
    let collections = || vec![Some(answer(DISCOVERY)), Some(answer(COLLECTIONS)), Some(relation.clone())];
    let malware = || Some(answer(r#"{"objects": [{"id": "malware--1"}], "more": true, "next": "x"}"#));
    let whole = [found(A, 3, "2021-06-01T00:00:00Z")];
    // One object at once, and the last of them is not there.
    let (asked, batches, faults) =
        walked(&["a"], &[], collections().into_iter().chain([malware(), Some(answer("{}"))]).collect());
    assert_eq!(
        asked[3..],
        [
            "/api/collections/a/objects/?&match%5Bid%5D=identity--1%2Cmalware--1",
            "/api/collections/a/objects/?&match%5Bid%5D=identity--1",
        ]
    );
    assert_eq!((batches, faults), (whole.to_vec(), vec![]));
    // A server that breaks here has told all of the collection.
    let (_, batches, faults) =
        walked(&["a"], &[], collections().into_iter().chain([malware(), None]).collect());
    assert_eq!((batches, faults), (whole.to_vec(), vec![]));
}
