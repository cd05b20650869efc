//! The first flight of either side of a TLS session, as far as it is in clear: the name that the client asks for, the
//! certificate that the server presents (RFC 8446 §4 and §5, RFC 5246 §7.4, RFC 6066 §3).
//!
//! From TLS 1.3 on certificates are encrypted; so is the name where the client hides it (ECH).

/// Records of the handshake (RFC 8446 §5.1), and messages in them (§4).
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// Extensions (IANA).
const SERVER_NAME: u16 = 0;
const SUPPORTED_VERSIONS: u16 = 43;

/// The longest record in clear (RFC 5246 §6.2.1).
const RECORD_OCTETS_MAX: usize = 1 << 14;

const RANDOM_OCTETS: usize = 32;

/// What one side said first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flight {
    /// A client's, with the name that it asks for; empty if it asks for none.
    Client { server_name: Vec<u8> },
    /// A server's: the version that it chose, and its own certificate, in DER.
    Server { version: &'static str, certificate: Vec<u8> },
}

/// Why nothing is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untold {
    /// It is not there yet.
    Unfinished,
    /// It is no such flight, or has no certificate in clear.
    Other,
}

/// Whether a segment begins with the first record of a flight, as far as it goes: some clients cut it within.
pub(super) fn begins(segment: &[u8]) -> bool {
    let is = |at: usize, fits: fn(u8) -> bool| segment.get(at).is_none_or(|octet| fits(*octet));
    !segment.is_empty()
        && is(0, |octet| octet == HANDSHAKE)
        && is(1, |octet| octet == 3)
        && is(2, |octet| octet <= 4)
        && is(5, |octet| matches!(octet, CLIENT_HELLO | SERVER_HELLO))
}

/// Reads a flight from its first record on.
pub(super) fn read(stream: &[u8]) -> Result<Flight, Untold> {
    let (messages, may_go_on) = messages(stream);
    let mut rest = Rest(&messages);
    let told = rest.message().and_then(|(kind, body, is_whole)| {
        // What is missing in a message that is all there never comes.
        let as_far = |why| if is_whole { Untold::Other } else { why };
        match kind {
            CLIENT_HELLO => client(body, is_whole).map_err(as_far),
            SERVER_HELLO if is_whole => {
                let version = server(body).map_err(as_far)?;
                let certificate = certificate(&mut rest)?;
                Ok(Flight::Server { version, certificate })
            }
            SERVER_HELLO => Err(Untold::Unfinished),
            _ => Err(Untold::Other),
        }
    });
    told.map_err(|why| if may_go_on { why } else { Untold::Other })
}

/// The octets of the handshake at the beginning of a stream, without the headers of its records; and whether what
/// comes next may be more of it.
fn messages(stream: &[u8]) -> (Vec<u8>, bool) {
    let (mut messages, mut rest) = (Vec::new(), stream);
    loop {
        let [kind, major, _, high, low, behind @ ..] = rest else { return (messages, true) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if (*kind, *major) != (HANDSHAKE, 3) || length > RECORD_OCTETS_MAX {
            return (messages, false);
        }
        let (record, behind) = behind.split_at(length.min(behind.len()));
        messages.extend_from_slice(record);
        rest = behind;
    }
}

/// The name that a client asks for.
fn client(body: &[u8], is_whole: bool) -> Result<Flight, Untold> {
    let mut rest = Rest(body);
    rest.version()?;
    rest.take(RANDOM_OCTETS)?;
    rest.short()?;
    rest.long()?;
    rest.short()?;
    let named = |server_name: &[u8]| Ok(Flight::Client { server_name: server_name.to_vec() });
    if is_whole && rest.0.is_empty() {
        return named(&[]);
    }
    rest.number()?;
    while !(is_whole && rest.0.is_empty()) {
        let (kind, mut value) = (rest.number()?, Rest(rest.long()?));
        if kind == SERVER_NAME {
            let mut names = Rest(value.long()?);
            return match names.take(1)? {
                [0] => named(names.long()?),
                _ => Err(Untold::Other),
            };
        }
    }
    named(&[])
}

/// The version that a server chose, if its certificate comes in clear.
fn server(body: &[u8]) -> Result<&'static str, Untold> {
    let mut rest = Rest(body);
    let version = rest.version()?;
    rest.take(RANDOM_OCTETS)?;
    rest.short()?;
    // The cipher and the compression.
    rest.take(3)?;
    if !rest.0.is_empty() {
        let mut extensions = Rest(rest.long()?);
        while !extensions.0.is_empty() {
            let (kind, _) = (extensions.number()?, extensions.long()?);
            if kind == SUPPORTED_VERSIONS {
                return Err(Untold::Other);
            }
        }
    }
    Ok(version)
}

/// The first certificate of the message that comes next.
fn certificate(rest: &mut Rest<'_>) -> Result<Vec<u8>, Untold> {
    let (kind, body, is_whole) = rest.message()?;
    if kind != CERTIFICATE {
        return Err(Untold::Other);
    }
    let mut chain = Rest(body);
    let own = chain.take(3).and_then(|_| chain.number_24()).and_then(|octets| chain.take(octets));
    match own {
        Ok([]) => Err(Untold::Other),
        Ok(own) => Ok(own.to_vec()),
        Err(_) if is_whole => Err(Untold::Other),
        Err(why) => Err(why),
    }
}

/// What is left to be read.
struct Rest<'r>(&'r [u8]);

impl<'r> Rest<'r> {
    fn take(&mut self, octets: usize) -> Result<&'r [u8], Untold> {
        let (taken, rest) = self.0.split_at_checked(octets).ok_or(Untold::Unfinished)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Untold> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Untold::Unfinished)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u16, Untold> {
        self.array().map(u16::from_be_bytes)
    }

    fn number_24(&mut self) -> Result<usize, Untold> {
        let [high, middle, low] = self.array()?;
        Ok(u32::from_be_bytes([0, high, middle, low]) as usize)
    }

    /// What stands behind a length of one octet.
    fn short(&mut self) -> Result<&'r [u8], Untold> {
        let [octets] = self.array()?;
        self.take(usize::from(octets))
    }

    /// What stands behind a length of two octets.
    fn long(&mut self) -> Result<&'r [u8], Untold> {
        let octets = self.number()?;
        self.take(usize::from(octets))
    }

    fn version(&mut self) -> Result<&'static str, Untold> {
        match self.array()? {
            [3, 0] => Ok("SSL 3.0"),
            [3, 1] => Ok("TLS 1.0"),
            [3, 2] => Ok("TLS 1.1"),
            [3, 3] => Ok("TLS 1.2"),
            _ => Err(Untold::Other),
        }
    }

    /// The next message: its type, its body as far as it is there, and whether all of it is.
    fn message(&mut self) -> Result<(u8, &'r [u8], bool), Untold> {
        let [kind] = self.array()?;
        let octets = self.number_24()?;
        let is_whole = self.0.len() >= octets;
        Ok((kind, self.take(octets.min(self.0.len()))?, is_whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector<const N: usize>(octets: &[u8]) -> Vec<u8> {
        [&octets.len().to_be_bytes()[8 - N..], octets].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind][..], &vector::<3>(body)].concat()
    }

    fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &vector::<2>(value)].concat()
    }

    fn record(octets: &[u8]) -> Vec<u8> {
        [&[HANDSHAKE, 3, 1][..], &vector::<2>(octets)].concat()
    }

    fn hello(kind: u8, middle: &[u8], extensions: Option<&[u8]>) -> Vec<u8> {
        let extensions = extensions.map_or(Vec::new(), vector::<2>);
        message(kind, &[&[3, 3][..], &[7; RANDOM_OCTETS], &vector::<1>(b"id"), middle, &extensions].concat())
    }

    /// The message of a client that asks for `name`, behind an extension of `padding` octets.
    fn client_hello(name: Option<&str>, padding: usize) -> Vec<u8> {
        let entry = |name: &str| [&[0][..], &vector::<2>(name.as_bytes())].concat();
        let name = name.map_or(Vec::new(), |name| extension(SERVER_NAME, &vector::<2>(&entry(name))));
        let extensions = [extension(51, &vec![1; padding]), name, extension(16, b"x")].concat();
        hello(
            CLIENT_HELLO,
            &[&vector::<2>(&[0xc0, 0x2f])[..], &vector::<1>(&[0])].concat(),
            Some(&extensions),
        )
    }

    fn server_hello(extensions: Option<&[u8]>) -> Vec<u8> {
        hello(SERVER_HELLO, &[0xc0, 0x2f, 0], extensions)
    }

    fn certificates(chain: &[&[u8]]) -> Vec<u8> {
        let chain: Vec<u8> = chain.iter().flat_map(|one| vector::<3>(one)).collect();
        message(CERTIFICATE, &vector::<3>(&chain))
    }

    fn named(name: &str) -> Result<Flight, Untold> {
        Ok(Flight::Client { server_name: name.into() })
    }

    fn presented(certificate: &[u8]) -> Result<Flight, Untold> {
        Ok(Flight::Server { version: "TLS 1.2", certificate: certificate.to_vec() })
    }

    #[test]
    fn a_client_asks_for_a_name_or_for_none() {
        assert_eq!(read(&record(&client_hello(Some("c2.example.org"), 5))), named("c2.example.org"));
        assert_eq!(read(&record(&client_hello(None, 0))), named(""));
        let old = hello(CLIENT_HELLO, &[0, 2, 0, 5, 1, 0], None);
        assert_eq!(read(&record(&old)), named(""));
    }

    #[test]
    fn a_server_presents_its_certificate_first() {
        let certificates = certificates(&[b"own", b"of the authority"]);
        for hello in [server_hello(None), server_hello(Some(&extension(23, b"")))] {
            let apart = [record(&hello), record(&certificates)].concat();
            assert_eq!(read(&apart), presented(b"own"));
            assert_eq!(read(&record(&[hello, certificates.clone()].concat())), presented(b"own"));
        }
    }

    #[test]
    fn servers_that_resume_or_encrypt_present_none() {
        let new = server_hello(Some(&extension(SUPPORTED_VERSIONS, &[3, 4])));
        assert_eq!(read(&record(&new)), Err(Untold::Other));
        let change_cipher = [20, 3, 3, 0, 1, 1];
        let resumed = [&record(&server_hello(None))[..], &change_cipher].concat();
        assert_eq!(read(&resumed), Err(Untold::Other));
        let key = message(12, b"key exchange");
        assert_eq!(read(&record(&[server_hello(None), key].concat())), Err(Untold::Other));
        assert_eq!(read(&record(&[server_hello(None), certificates(&[])].concat())), Err(Untold::Other));
    }

    /// Messages go over records, and records over segments: whatever is there is no more than unfinished.
    #[test]
    fn a_flight_is_told_once_what_tells_it_is_there() {
        let client = client_hello(Some("c2.example.org"), 1_700);
        let server = [server_hello(None), certificates(&[&[5; 3_000], b"of the authority"])].concat();
        for (messages, told) in [(client, named("c2.example.org")), (server, presented(&[5; 3_000]))] {
            let stream: Vec<u8> = messages.chunks(500).flat_map(record).collect();
            assert!((1..stream.len()).all(|end| begins(&stream[..end])));
            let until = (1..stream.len()).find(|until| read(&stream[..*until]) == told).unwrap();
            for end in 1..until {
                assert_eq!(read(&stream[..end]), Err(Untold::Unfinished), "{end} of {until}");
            }
            for end in until..=stream.len() {
                assert_eq!(read(&stream[..end]), told, "{end}");
            }
        }
    }

    #[test]
    fn what_contradicts_itself_is_no_flight() {
        let mut short = client_hello(Some("c2.example.org"), 0);
        // The message is longer than its extensions say, and so are the session id and the ciphers.
        for (at, octet) in [(4, 9), (38, 255), (41, 255)] {
            let known = std::mem::replace(&mut short[at], octet);
            assert_eq!(read(&record(&short)), Err(Untold::Other), "{at}");
            short[at] = known;
        }
        assert_eq!(read(&record(&short)), named("c2.example.org"));
        assert_eq!(read(&record(&message(14, b""))), Err(Untold::Other));
        assert_eq!(read(&[&record(&short[..9])[..], b"GET / HTTP/1.1"].concat()), Err(Untold::Other));
        assert_eq!(read(&[HANDSHAKE, 3, 1, 0xff, 0xff, CLIENT_HELLO]), Err(Untold::Other));
    }
}
