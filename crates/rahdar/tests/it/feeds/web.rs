//! A server of HTTP on loopback that answers as a test says.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// An answer.
pub(super) struct Said {
    octets: Option<(u16, String, Vec<u8>)>,
}

impl Said {
    pub(super) fn of(kind: &str, body: &str) -> Self {
        Self { octets: Some((200, format!("Content-Type: {kind}\r\n"), body.as_bytes().to_vec())) }
    }

    pub(super) fn status(status: u16) -> Self {
        Self { octets: Some((status, String::new(), Vec::new())) }
    }

    /// No answer: the line stays open.
    pub(super) fn nothing() -> Self {
        Self { octets: None }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        if let Some((_, head, _)) = &mut self.octets {
            *head += &format!("{name}: {value}\r\n");
        }
        self
    }
}

/// The server. It remembers what it was asked, in lower case.
pub(super) struct Web {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// `answer` is given each request and how many came before it.
    pub(super) fn new(answer: impl Fn(&str, usize) -> Said + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        thread::spawn(move || {
            let mut open: Vec<TcpStream> = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let request = request(&mut stream).to_lowercase();
                let nth = {
                    let mut heard = heard.lock().unwrap();
                    heard.push(request.clone());
                    heard.len() - 1
                };
                match answer(&request, nth).octets {
                    Some((status, head, body)) => {
                        let length = body.len();
                        let head = format!(
                            "HTTP/1.1 {status} x\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n"
                        );
                        // Who was killed does not listen.
                        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
                    }
                    None => open.push(stream),
                }
            }
        });
        Self { port, asked }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut octet = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut octet).is_ok_and(|n| n > 0) {
        request.push(octet[0]);
    }
    String::from_utf8_lossy(&request).into_owned()
}
