//! The client against servers that mean it no good. All of them listen on loopback.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rahdar_intel::index::Snapshot;

use super::guard::{Allowed, Lookup, SystemLookup};
use super::*;

/// A server that answers every connection with octets of its own, and remembers what it was asked.
struct Server {
    url: Url,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// `answer` is given the request and writes octets until the other side has enough.
    fn new(answer: impl Fn(&str, &mut dyn FnMut(&[u8]) -> bool) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}/a", listener.local_addr().unwrap())).unwrap();
        let (asked, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (heard, counted) = (asked.clone(), connections.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                counted.fetch_add(1, Ordering::SeqCst);
                let mut request = Vec::new();
                let mut octet = [0];
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut octet).is_ok_and(|n| n > 0) {
                    request.push(octet[0]);
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                heard.lock().unwrap().push(request.clone());
                answer(&request, &mut |octets| stream.write_all(octets).is_ok());
            }
        });
        Self { url, asked, connections }
    }

    /// A server that says this, and nothing else.
    fn saying(head: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        let whole = [head.as_bytes(), body].concat();
        Self::new(move |_, write| {
            write(&whole);
        })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn port(&self) -> u16 {
        self.url.port().unwrap()
    }
}

const LIMITS: Limits = Limits {
    octets: 1 << 20,
    connect: Duration::from_secs(2),
    silence: Duration::from_millis(300),
    whole: Duration::from_millis(1_500),
};

fn client(home: &Url, private_hosts: &[&str], lookup: impl Lookup) -> Outbound {
    let allowed = Allowed {
        home: home.clone(),
        private_hosts: private_hosts.iter().map(|host| (*host).to_owned()).collect(),
        plain_http: true,
    };
    let credentials = Credentials::Basic { user: "analyst".to_owned(), password: "secret".to_owned() };
    let guard = Guard::new(allowed, Arc::new(Snapshot::default()), Box::new(lookup));
    Outbound::new(guard, Some(credentials), LIMITS).unwrap()
}

fn ask(url: &Url) -> Ask {
    Ask { url: url.clone(), accept: "text/plain", known: Known::default() }
}

fn get(server: &Server) -> Result<Answer, OutboundError> {
    client(&server.url, &["127.0.0.1"], SystemLookup).ask(&ask(&server.url))
}

#[test]
fn an_answer_comes_whole_and_says_who_asked() {
    let head =
        "200 OK\r\nContent-Type: text/plain\r\nETag: \"1\"\r\nRetry-After: 7\r\nX-TAXII-Date-Added-Last: t";
    let server = Server::saying(head, b"192.0.2.1\n");
    let mut asking = ask(&server.url);
    asking.known = Known { etag: Some("\"0\"".to_owned()), last_modified: Some("x".to_owned()) };
    let answer = client(&server.url, &["127.0.0.1"], SystemLookup).ask(&asking).unwrap();
    assert_eq!((answer.status, &*answer.body), (200, &b"192.0.2.1\n"[..]));
    assert_eq!(answer.known.etag.as_deref(), Some("\"1\""));
    assert_eq!((answer.retry_after.as_deref(), answer.added_last.as_deref()), (Some("7"), Some("t")));
    let asked = server.asked().remove(0).to_lowercase();
    for header in [
        "user-agent: rahdar/",
        "accept: text/plain",
        "if-none-match: \"0\"",
        "if-modified-since: x",
        "authorization: basic yw5hbhlzddpzzwnyzxq=",
    ] {
        assert!(asked.contains(header), "{header}: {asked}");
    }
}

#[test]
fn what_is_packed_is_unpacked_and_a_bomb_is_not() {
    let pack = |octets: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(octets).unwrap();
        packer.finish().unwrap()
    };
    let head = "200 OK\r\nContent-Encoding: gzip";
    assert_eq!(get(&Server::saying(head, &pack(b"x"))).unwrap().body, b"x");
    let bomb = pack(&vec![0; 64 << 20]);
    assert!(bomb.len() < LIMITS.octets);
    assert!(matches!(get(&Server::saying(head, &bomb)), Err(OutboundError::TooLarge { .. })));
    assert!(matches!(get(&Server::saying(head, b"\x1f\x8bxx")), Err(OutboundError::Packed { .. })));
    let other = "200 OK\r\nContent-Encoding: br";
    assert!(matches!(get(&Server::saying(other, b"x")), Err(OutboundError::Packed { .. })));
}

#[test]
fn a_body_without_end_is_left() {
    let server = Server::new(|_, write| {
        write(b"HTTP/1.1 200 OK\r\n\r\n");
        while write(&[b'x'; 65_536]) {}
    });
    assert!(matches!(get(&server), Err(OutboundError::TooLarge { .. })));
}

#[test]
fn a_body_that_drips_is_left() {
    let server = Server::new(|_, write| {
        write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while write(b"x") {
            thread::sleep(Duration::from_millis(50));
        }
    });
    assert!(matches!(get(&server), Err(OutboundError::Slow { .. })));
}

#[test]
fn silence_and_a_broken_line_are_no_answer() {
    let silent = Server::new(|_, _| thread::sleep(Duration::from_secs(5)));
    assert!(matches!(get(&silent), Err(OutboundError::Unreachable { .. })));
    let broken = Server::new(|_, write| {
        write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    });
    assert!(matches!(get(&broken), Err(OutboundError::Unreachable { .. })));
    let nobody = Url::parse("http://127.0.0.1:9/").unwrap();
    let error = client(&nobody, &["127.0.0.1"], SystemLookup).ask(&ask(&nobody)).unwrap_err();
    assert!(matches!(error, OutboundError::Unreachable { .. }), "{error}");
}

#[test]
fn a_redirect_is_followed_where_it_may_go_and_credentials_stay() {
    let there = Server::saying("200 OK", b"there");
    // The same host by another port is another origin, and private: refused before it is asked.
    let here = Server::saying(&format!("302 Found\r\nLocation: {}", there.url), b"");
    assert!(matches!(get(&here), Err(OutboundError::Refused(Refused::Port { .. }))));
    assert_eq!(there.connections(), 0);
    // Within the origin it is followed with credentials.
    let moved = Server::new(|request, write| {
        write(match request.starts_with("GET /a ") {
            true => {
                &b"HTTP/1.1 301 Moved\r\nLocation: /b?x=1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"[..]
            }
            false => b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nb",
        });
    });
    assert_eq!(get(&moved).unwrap().body, b"b");
    assert!(moved.asked()[1].to_lowercase().contains("authorization"), "{:?}", moved.asked());
    let circle = Server::saying("302 Found\r\nLocation: /a", b"");
    assert!(matches!(get(&circle), Err(OutboundError::Redirects { .. })));
    assert_eq!(circle.connections(), REDIRECTS_MAX + 1);
}

/// Sends each name to loopback.
struct Loopback;

impl Lookup for Loopback {
    fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec![IpAddr::from([127, 0, 0, 1])])
    }
}

#[test]
fn credentials_do_not_follow_to_another_host() {
    let server = Server::new(|request, write| {
        let host = request.lines().find(|line| line.to_lowercase().starts_with("host:")).unwrap();
        let port = host.rsplit(':').next().unwrap();
        let answer = match request.starts_with("GET /a ") {
            true => format!("302 Found\r\nLocation: http://other.example.org:{port}/b\r\nContent-Length: 0"),
            false => "200 OK\r\nContent-Length: 0".to_owned(),
        };
        write(format!("HTTP/1.1 {answer}\r\nConnection: close\r\n\r\n").as_bytes());
    });
    let home = Url::parse(&format!("http://feed.example.org:{}/a", server.port())).unwrap();
    let client = client(&home, &["feed.example.org", "other.example.org"], Loopback);
    assert_eq!(client.ask(&ask(&home)).unwrap().status, 200);
    let asked: Vec<String> = server.asked().iter().map(|request| request.to_lowercase()).collect();
    assert!(asked[0].contains("authorization") && !asked[1].contains("authorization"), "{asked:?}");
}

#[test]
fn no_redirect_reaches_what_is_private() {
    let hidden = Server::saying("200 OK", b"secret");
    let port = hidden.port();
    for host in [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "169.254.169.254",
        "other.example.org",
    ] {
        // Each name leads to loopback, and only the feed's own host may.
        let here = Server::saying(&format!("307 Elsewhere\r\nLocation: http://{host}:{port}/"), b"");
        let home = Url::parse(&format!("http://feed.example.org:{}/", here.port())).unwrap();
        let refused = client(&home, &["feed.example.org"], Loopback).ask(&ask(&home)).unwrap_err();
        assert!(matches!(refused, OutboundError::Refused(Refused::Private { .. })), "{host}: {refused}");
        assert_eq!(here.connections(), 1);
    }
    assert_eq!(hidden.connections(), 0);
}

/// Answers with a public address and loopback behind it.
struct Two;

impl Lookup for Two {
    fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec![IpAddr::from([8, 8, 8, 8]), IpAddr::from([127, 0, 0, 1])])
    }
}

#[test]
fn a_private_address_behind_a_public_one_is_not_connected_to() {
    let hidden = Server::saying("200 OK", b"secret");
    let home = Url::parse(&format!("http://feed.example.org:{}/", hidden.port())).unwrap();
    let refused = client(&home, &[], Two).ask(&ask(&home)).unwrap_err();
    assert!(matches!(refused, OutboundError::Refused(Refused::Private { .. })), "{refused}");
    assert_eq!(hidden.connections(), 0);
}

#[test]
fn a_refusal_says_no_secret() {
    let home = Url::parse("http://127.0.0.1:9/a?key=secret").unwrap();
    let error = client(&home, &["127.0.0.1"], SystemLookup).ask(&ask(&home)).unwrap_err();
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    assert!(!told.contains("secret"), "{told}");
}
