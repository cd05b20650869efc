//! Requests of HTTP in clear (RFC 9112): the name by which a client calls its server.
//!
//! The `Host` header stands whole in the segment with which the request begins, or is not seen.

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
    /// The host that it asks for, perhaps with a port; empty if it names none.
    pub(super) host: &'s [u8],
}

impl<'s> Request<'s> {
    /// The request with which a segment begins.
    pub(super) fn of(segment: &'s [u8]) -> Option<Self> {
        let method = METHODS.iter().find(|method| segment.starts_with(method))?;
        let whole = segment.split_inclusive(|octet| *octet == b'\n').take_while(|line| line.ends_with(b"\n"));
        let mut lines = whole.map(<[u8]>::trim_ascii).take_while(|line| !line.is_empty());
        let (target, version) = lines.next()?.get(method.len()..)?.split_last_chunk::<8>()?;
        if !version.starts_with(b"HTTP/1.") || !version[7].is_ascii_digit() {
            return None;
        }
        let host = authority(target.trim_ascii()).or_else(|| {
            lines.find_map(|line| {
                let (name, value) = line.split_at_checked(5)?;
                name.eq_ignore_ascii_case(b"host:").then(|| value.trim_ascii())
            })
        });
        Some(Self { version, host: host.unwrap_or_default() })
    }
}

/// The host of a target in absolute form, which goes before that of the header (RFC 9112 §3.2.2).
fn authority(target: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = target.split_at_checked(7)?;
    let authority = rest.split(|octet| matches!(octet, b'/' | b'?')).next()?;
    let host = authority.rsplit(|octet| *octet == b'@').next()?;
    scheme.eq_ignore_ascii_case(b"http://").then_some(host)
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
        assert_eq!(
            host(b"GET http://a@c2.example.org:8080/x HTTP/1.1\r\nHost: other.example\r\n"),
            is("c2.example.org:8080")
        );
        for other in [
            "GET /",
            "GET / HTTP/2\r\n",
            "HTTP/1.1 200 OK\r\nHost: a\r\n",
            "GET / HTTP/1.1x\r\n",
            "GET \r\n",
            "",
        ] {
            assert_eq!(host(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_host_that_is_cut_is_not_told() {
        let whole = b"GET /a HTTP/1.1\r\nHost: c2.example.org\r\n\r\n";
        for end in 0..=whole.len() {
            let host = Request::of(&whole[..end]).map_or(&b""[..], |read| read.host);
            assert_eq!(host, if end < 39 { &b""[..] } else { b"c2.example.org" }, "{end}");
        }
    }
}
