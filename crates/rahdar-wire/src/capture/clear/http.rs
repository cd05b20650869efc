//! Requests of HTTP in clear (RFC 9112): the name by which a client calls its server.
//!
//! The `Host` header stands in the segment with which the request begins, or is not seen.

use memchr::memmem;

/// Beginnings of request lines (RFC 9110 §9.3, RFC 5789, RFC 4918 §9).
const METHODS: [&[u8]; 11] = [
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"CONNECT ",
    b"OPTIONS ",
    b"TRACE ",
    b"PATCH ",
    b"PROPFIND ",
    b"REPORT ",
];

/// The beginning of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request<'s> {
    /// `HTTP/1.1`, as it stands there.
    pub(super) version: &'s [u8],
    /// The value of its `Host` header; empty if there is none.
    pub(super) host: &'s [u8],
}

impl<'s> Request<'s> {
    /// The request with which a segment begins.
    pub(super) fn of(segment: &'s [u8]) -> Option<Self> {
        METHODS.iter().find(|method| segment.starts_with(method))?;
        let head = &segment[..memmem::find(segment, b"\r\n\r\n").unwrap_or(segment.len())];
        let mut lines = head.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii);
        let version = lines.next()?.rsplit(|octet| *octet == b' ').next()?;
        if !version.starts_with(b"HTTP/1.") {
            return None;
        }
        let host = lines.find_map(|line| {
            let (name, value) = line.split_at_checked(5)?;
            name.eq_ignore_ascii_case(b"host:").then(|| value.trim_ascii())
        });
        Some(Self { version, host: host.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_tells_its_host() {
        let host =
            |segment: &[u8]| Request::of(segment).map(|read| String::from_utf8(read.host.to_vec()).unwrap());
        let is = |host: &str| Some(host.to_owned());
        assert_eq!(
            host(b"GET / HTTP/1.1\r\nAccept: */*\r\nHOST:  c2.example.org:8080 \r\n\r\n"),
            is("c2.example.org:8080")
        );
        assert_eq!(
            host(b"POST /a b HTTP/1.0\r\nHost: a.example\r\nHost: b.example\r\n\r\nx"),
            is("a.example")
        );
        assert_eq!(host(b"GET / HTTP/1.1\r\n\r\nHost: body.example"), is(""));
        for other in
            ["GET /", "GET / HTTP/2\r\nHost: a", "HTTP/1.1 200 OK\r\nHost: a", "GETS / HTTP/1.1\r\n", ""]
        {
            assert_eq!(host(other.as_bytes()), None, "{other}");
        }
    }
}
