//! The TAXII server of OASIS, `medallion`, synced, paged and resumed. `packaging/test-tools.sh` installs it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{claimed, configure, sync};
use crate::harness::Home;

/// Its collection.
const COLLECTION: &str = "91a7b528-80eb-42ed-a74d-c6fbd5a26116";

/// Objects on a page: fewer than any object's relations.
const PAGE: usize = 2;

/// `analyst:hush-hush`, as HTTP basic has it.
const BASIC: &str = "YW5hbHlzdDpodXNoLWh1c2g=";

/// Tries until it answers, with a tenth of a second between two.
const TRIES: usize = 300;

/// A running server.
struct Medallion {
    child: Child,
    port: u16,
}

impl Drop for Medallion {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Medallion {
    /// Starts it with these objects; none if this machine has it not. Its absence is said aloud.
    fn start(home: &Home, objects: &[Value]) -> Option<Self> {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
        let program = cache.map(|cache| cache.join("rahdar-test-tools/bin/medallion"));
        let Some(program) = program.filter(|program| program.is_file()) else {
            rahdar_testkit::skipped("medallion not found; packaging/test-tools.sh installs it");
            return None;
        };
        // Nobody else takes it in the moment between.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let manifest: Vec<Value> = (0..)
            .zip(objects)
            .map(|(second, object)| {
                json!({"id": object["id"], "version": object["modified"], "media_type": "application/stix+json;version=2.1",
                    "date_added": format!("2021-06-01T00:00:{second:02}.000000Z")})
            })
            .collect();
        let data = json!({
            "/discovery": {"title": "Example", "api_roots": [format!("http://127.0.0.1:{port}/api/")]},
            "api": {
                "information": {"title": "Example", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 1_000_000},
                "status": [],
                "collections": [{
                    "id": COLLECTION, "title": "Example", "can_read": true, "can_write": true,
                    "media_types": ["application/stix+json;version=2.1"], "objects": objects, "manifest": manifest,
                }],
            },
        });
        let data = home.file("medallion-data.json", data.to_string());
        let backend = json!({"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": data});
        let config =
            json!({"backend": backend, "users": {"analyst": "hush-hush"}, "taxii": {"max_page_size": PAGE}});
        let config = home.file("medallion.json", config.to_string());
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), &config]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let medallion = Self { child, port };
        for _ in 0..TRIES {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(medallion);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("medallion does not answer");
    }

    /// Adds objects.
    fn post(&self, objects: &[Value]) {
        let body = json!({"objects": objects}).to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let kind = "application/taxii+json;version=2.1";
        write!(
            stream,
            "POST /api/collections/{COLLECTION}/objects/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {BASIC}\r\n\
             Accept: {kind}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 202 "), "{answer}");
    }
}

fn id(kind: &str, n: usize) -> String {
    format!("{kind}--00000000-0000-4000-8000-{n:012}")
}

fn object(kind: &str, n: usize, fields: Value) -> Value {
    let mut object = json!({"type": kind, "spec_version": "2.1", "id": id(kind, n),
        "created": "2021-06-01T00:00:00.000Z", "modified": "2021-06-01T00:00:00.000Z"});
    object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    object
}

fn indicator(n: usize) -> Value {
    object(
        "indicator",
        n,
        json!({"pattern": format!("[ipv4-addr:value = '192.0.2.{n}']"), "pattern_type": "stix",
            "valid_from": "2021-06-01T00:00:00Z", "valid_until": "2021-07-01T00:00:00Z"}),
    )
}

/// An indicator indicates the group.
fn relation(n: usize, of: usize) -> Value {
    let names = json!({"relationship_type": "indicates", "source_ref": id("indicator", of), "target_ref": id("intrusion-set", 1)});
    object("relationship", n, names)
}

#[test]
fn medallion_is_synced_paged_and_resumed() {
    let home = Home::new();
    // The group stands on the last page, and the indicators on the first ones.
    let mut objects: Vec<Value> = (1..=5).map(indicator).collect();
    objects.push(relation(1, 1));
    objects.push(object("intrusion-set", 1, json!({"name": "Calypso"})));
    let Some(server) = Medallion::start(&home, &objects) else { return };
    let url = format!("http://127.0.0.1:{}/taxii2/", server.port);
    let secret = home.file("secret", "hush-hush\n");
    configure(
        &home,
        &[("medallion", "taxii", &url, &format!("user: analyst\npassword: {{file: {secret}}}\ntlp: amber"))],
    );

    let (rows, ran) = sync(&home);
    eprintln!("{}", ran.stderr);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let pages = objects.len().div_ceil(PAGE);
    assert_eq!(rows[0]["answers"], 2 + pages, "discovery, collections and pages");
    assert_eq!((&rows[0]["claims"], &rows[0]["added"]), (&json!(5), &json!(5)));
    let claims = home.json(&["intel", "lookup", "192.0.2.1"])["claims"].clone();
    assert_eq!((&claims[0]["cluster"], &claims[0]["tlp"]), (&json!("Calypso"), &json!("AMBER")), "{claims}");

    // Nothing new: one page without an object, and no version.
    let (again, _) = sync(&home);
    assert_eq!((&again[0]["answers"], &again[0]["added"]), (&json!(3), &json!(0)));
    assert_eq!(again[0]["version"], rows[0]["version"]);

    // The group that the new relation names is old: it is asked for by its id.
    server.post(&[indicator(6), indicator(7), indicator(8), relation(2, 6)]);
    let (later, ran) = sync(&home);
    assert_eq!((&later[0]["claims"], &later[0]["added"]), (&json!(3), &json!(3)), "{}", ran.stderr);
    assert_eq!(later[0]["answers"], 2 + 2 + 1, "from where it was read to");
    let claims = home.json(&["intel", "lookup", "192.0.2.6"])["claims"].clone();
    assert_eq!(claims[0]["cluster"], "Calypso", "{claims}");
    let expected: Vec<String> = (1..=8).map(|n| format!("192.0.2.{n}")).collect();
    assert_eq!(claimed(&home), expected);

    // Without the secret it says what to do, and nothing else changes.
    home.file("secret", "wrong\n");
    let (_, ran) = sync(&home);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("check the entry's credentials"), "{}", ran.stderr);
}
