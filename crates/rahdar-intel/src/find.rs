//! Finds indicators in a line of text.
//!
//! A line is cut into URLs first and into words then; each word is an indicator, a mistyped one,
//! or text. What cannot be decided by looking at the word alone (is `1.2.3` a version or a typing
//! error?) is left to the reader of the list, who knows the line around it.

use std::sync::LazyLock;

use rahdar_model::intelligence::{HashKind, Indicator};
use rahdar_model::{Address, Prefix};
use regex::Regex;

use crate::name;
use crate::reading::Reason;
use crate::refang::Refanged;

/// Something found in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it starts in the refanged text.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// Whether the author had defanged it: nobody defangs what is harmless.
    pub(crate) defanged: bool,
    /// What it is.
    pub(crate) what: What,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// An indicator.
    Endpoint(Endpoint),
    /// Surely meant as an indicator, and wrong.
    Wrong(Reason),
    /// An indicator with a typing error, if nothing else stands on its line; else text.
    Doubtful(Reason),
    /// Of a kind that flows cannot answer.
    Aside(&'static str),
}

/// An indicator with the port and protocol that stood beside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) indicator: Indicator,
    pub(crate) port: Option<u16>,
    pub(crate) protocol: Option<u8>,
}

/// Which bare names count as domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// All that have the form of one: a column of domains.
    Trusted,
    /// Those under a known public suffix, and all that were defanged: text, where `file.dll` has
    /// the form of a name too.
    Known,
}

/// TCP.
pub(crate) const TCP: u8 = 6;
/// UDP.
pub(crate) const UDP: u8 = 17;

/// Finds everything in one line, in the order of its place.
pub(crate) fn find(line: &Refanged, names: Names) -> Vec<Found> {
    let text = &line.text;
    let mut finder = Finder { line, names, found: Vec::new() };
    let mut from = 0;
    while let Some(url) = next_url(text, from) {
        finder.words(from, url.start);
        finder.url(url.start, url.end);
        from = url.end;
    }
    finder.words(from, text.len());
    finder.attach_ports();
    finder.found
}

/// The endpoints that a URL names: the URL, and before it the address in it if there is one; none
/// if it is no URL.
pub(crate) fn of_url(url: &str) -> Option<Vec<Endpoint>> {
    let line = Refanged::plain(url);
    let found = find(&line, Names::Known).into_iter().map(|found| match found.what {
        What::Endpoint(endpoint) if (found.start, found.end) == (0, url.len()) => Some(endpoint),
        _ => None,
    });
    found.collect::<Option<Vec<_>>>().filter(|endpoints| !endpoints.is_empty())
}

/// The IP protocol of this word: `tcp`, `HTTPS`, `17`, …; none where it does not tell.
pub(crate) fn protocol(word: &str) -> Option<u8> {
    match word.trim().to_ascii_lowercase().as_str() {
        "tcp" | "http" | "https" | "tls" | "ssl" | "ftp" | "ftps" | "ssh" | "sftp" | "ws" | "wss" | "smb"
        | "smtp" => Some(TCP),
        "udp" | "quic" => Some(UDP),
        "icmp" => Some(1),
        number => number.parse().ok(),
    }
}

/// The port that a URL of this scheme means when it names none.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ftp" => Some(21),
        _ => None,
    }
}

/// The next URL at or after `from`: a scheme, `://`, and all up to a character that no URL holds.
fn next_url(text: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let mut search = from;
    loop {
        let sign = search + text.get(search..)?.find("://")?;
        let scheme = text[from..sign].bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
        if (2..=16).contains(&scheme) {
            return Some(sign - scheme..url_end(text, sign - scheme, sign + 3));
        }
        search = sign + 3;
    }
}

/// Where a URL ends that starts at `start` and whose part after `://` starts at `body`.
fn url_end(text: &str, start: usize, body: usize) -> usize {
    let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'<>`|\\^{}«»“”".contains(c);
    let rest = &text[body..];
    let mut rest = &rest[..rest.find(ends).unwrap_or(rest.len())];
    // `http://a,http://b`, `http://a,/path`, `(http://a)` and `[http://a]` end where the next begins.
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let after_host = host.find(',');
    let next = rest.find(",http");
    let opened = text[..start].trim_end_matches(['<', '"', '`']);
    let close = match opened.chars().next_back() {
        Some('(') => rest.find(')'),
        Some('[') => rest.find(']'),
        _ => None,
    };
    if let Some(end) = [after_host, next, close].into_iter().flatten().min() {
        rest = &rest[..end];
    }
    body + rest.trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '+']).len()
}

/// Octets of a link's text that are searched for its end; chosen here.
const LINK_TEXT: usize = 300;

/// Whether a URL is the target of a link in Markdown or AsciiDoc, `[text](url)` or `url[text]`:
/// authors link to what they want read.
fn is_link(text: &str, start: usize, end: usize) -> bool {
    let linked = text[start..end].find('[').filter(|at| !text[start..start + at].ends_with("://"));
    let closed = linked.is_some_and(|at| {
        let rest = &text[start + at..];
        let rest = &rest[..rest.floor_char_boundary(LINK_TEXT)];
        rest.find(']').is_none_or(|close| {
            !rest[close + 1..].starts_with(|c: char| c.is_alphanumeric() || "=&/".contains(c))
        })
    });
    closed || text[..start].ends_with("](") || text[end..].starts_with('[')
}

struct Finder<'a> {
    line: &'a Refanged,
    names: Names,
    found: Vec<Found>,
}

impl Finder<'_> {
    fn push(&mut self, start: usize, end: usize, what: What) {
        let defanged = self.line.was_defanged(start, end);
        self.found.push(Found { start, end, defanged, what });
    }

    fn endpoint(
        &mut self,
        start: usize,
        end: usize,
        indicator: Indicator,
        port: Option<u16>,
        protocol: Option<u8>,
    ) {
        self.push(start, end, What::Endpoint(Endpoint { indicator, port, protocol }));
    }

    /// A URL, and the address it names if it names one.
    fn url(&mut self, start: usize, end: usize) {
        let url = &self.line.text[start..end];
        if is_link(&self.line.text, start, end) && !self.line.was_defanged(start, end) {
            return;
        }
        let scheme = url.split("://").next().unwrap_or_default().to_ascii_lowercase();
        if scheme == "file" {
            return self.push(start, end, What::Aside("file path"));
        }
        let Some((host, port)) = name::url_authority(url) else { return };
        let authority =
            url.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        let port_text = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.is_empty());
        if port.is_none() && port_text.is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit())) {
            return self.push(start, end, What::Wrong(Reason::Port));
        }
        let protocol = protocol(&scheme);
        let port = port.or_else(|| default_port(&scheme));
        let whole = Indicator::Url(url.to_owned());
        if let Ok(address) = host.parse::<Address>() {
            self.endpoint(start, end, Indicator::Network(address.into()), port, protocol);
            self.endpoint(start, end, whole, port, protocol);
        } else if name::domain(host).is_some() {
            self.endpoint(start, end, whole, port, protocol);
        } else if host.contains('.') && !host.contains(['*', '%', '[', '$']) {
            self.push(start, end, What::Wrong(Reason::UrlHost));
        }
    }

    fn words(&mut self, from: usize, until: usize) {
        let text = &self.line.text;
        let divides = |c: char| {
            c.is_whitespace() || c.is_control() || ",;|\"'<>()[]{}`=–—•·“”‘’«»→\u{fffd}".contains(c)
        };
        let mut at = from;
        let mut previous = "";
        for word in text[from..until].split(divides) {
            let start = at;
            at += word.len();
            self.word(start, word, previous);
            if !word.is_empty() {
                previous = word;
            }
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        }
    }

    fn word(&mut self, start: usize, word: &str, previous: &str) {
        let head =
            word.trim_start_matches(['-', '*', '+', '~', '#', '@', '$', '&', '.', '/', '!', '?', '_', '^']);
        // A leading underscore belongs to a name such as `_dmarc.example.org`.
        let head = if word[..word.len() - head.len()].ends_with('_') {
            &word[word.len() - head.len() - 1..]
        } else {
            head
        };
        let mut start = start + word.len() - head.len();
        let mut head = head.trim_end_matches(['.', ':', '!', '?', '*', '/', '-', '+', '~', '^', '&', '$']);
        if let Some(unc) = head.strip_prefix("\\\\") {
            start += 2;
            head = unc.split('\\').next().unwrap_or_default();
        }
        let rooted = word.starts_with('/') && !word.starts_with("//");
        if head.is_empty() || head.contains('\\') || rooted {
            return;
        }
        let skipped = past_label(head);
        start += skipped;
        self.bare_word(start, &head[skipped..], previous);
    }

    fn bare_word(&mut self, start: usize, word: &str, previous: &str) {
        let end = start + word.len();
        if word.bytes().all(|b| b.is_ascii_hexdigit()) && word.len() >= LEAST_HASH_DIGITS {
            return self.hash(start, word);
        }
        if let Some((_, host)) = word.split_once('@') {
            if name::domain(host).is_some() {
                self.push(start, end, What::Aside("e-mail address"));
            }
            return;
        }
        let (host, tail) = word.split_once('/').map_or((word, None), |(host, tail)| (host, Some(tail)));
        // `192.0.2.1:80:443` is one address with two ports.
        let mut ports = host.split(':');
        let address = ports.next().filter(|address| is_dotted(address));
        if let Some(address) = address.filter(|_| ports.clone().count() >= 2 && ports.clone().all(is_number))
        {
            for port in ports.take(PORTS_MAX) {
                self.numeric(start, end, word, (address, Some(port), tail), previous);
            }
            return;
        }
        if host.bytes().filter(|b| *b == b':').count() >= 2 {
            return self.ipv6(start, word, host, tail);
        }
        let (host, port) = match host.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host, None),
        };
        let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.') && host.contains('.');
        let range = host.split_once('-').is_some_and(|(a, b)| is_dotted(a) && is_dotted(b));
        if range {
            self.range(start, host);
        } else if numeric {
            self.numeric(start, end, word, (host, port, tail), previous);
        } else {
            self.domain(start, word, host, port, tail);
        }
    }

    fn hash(&mut self, start: usize, word: &str) {
        let before = &self.line.text[..start];
        let before = &before[before.ceil_char_boundary(start.saturating_sub(LABEL))..];
        let what = match [HashKind::Md5, HashKind::Sha1, HashKind::Sha256]
            .into_iter()
            .find(|k| k.digits() == word.len())
        {
            _ if NO_FLOW.is_match(before) => What::Aside("fingerprint that flows cannot show"),
            _ if is_of_certificate(before) => match Indicator::certificate(word) {
                Some(indicator) => What::Endpoint(Endpoint { indicator, port: None, protocol: None }),
                None => What::Aside("other hash of a certificate"),
            },
            Some(kind) => What::Endpoint(Endpoint {
                indicator: Indicator::Hash(kind, word.to_ascii_lowercase()),
                port: None,
                protocol: None,
            }),
            None if word.len() == JARM_DIGITS => What::Aside("JARM fingerprint"),
            None if matches!(word.len(), 56 | 96 | 128) => What::Aside("other hash"),
            None => What::Doubtful(Reason::HashLength(word.len())),
        };
        self.push(start, start + word.len(), what);
    }

    fn ipv6(&mut self, start: usize, word: &str, host: &str, tail: Option<&str>) {
        // `a::b` is a path of some programming languages: an address shows a longer first group.
        let first_group = host.split(':').next().map_or(0, str::len);
        if first_group < 3 && !host.starts_with("::ffff:") {
            return;
        }
        let end = start + word.len();
        match (host.parse::<Address>(), tail) {
            (Ok(address), None) => {
                let after = &self.line.text[end..];
                let port =
                    after.strip_prefix("]:").map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
                let port = port.flatten().and_then(|port| port.parse().ok());
                self.endpoint(start, end, Indicator::Network(address.into()), port, None);
            }
            (Ok(_), Some(_)) => self.network(start, end, word),
            (Err(_), _) => self.push(start, end, What::Doubtful(Reason::NotAddress)),
        }
    }

    fn network(&mut self, start: usize, end: usize, word: &str) {
        match word.parse::<Prefix>() {
            Ok(prefix) => self.endpoint(start, end, Indicator::Network(prefix), None, None),
            Err(_) => self.push(start, end, What::Wrong(Reason::PrefixLength)),
        }
    }

    fn numeric(
        &mut self,
        start: usize,
        end: usize,
        word: &str,
        split: (&str, Option<&str>, Option<&str>),
        previous: &str,
    ) {
        let (host, port, tail) = split;
        let parts: Vec<&str> = host.split('.').collect();
        let padded = parts.iter().all(|part| part.len() == 3);
        let octets: Option<Vec<u8>> = parts
            .iter()
            .map(|part| part.parse().ok().filter(|_| padded || part.len() == 1 || !part.starts_with('0')))
            .collect();
        let version = VERSION.is_match(previous);
        let octets = match octets.as_deref() {
            _ if version => return,
            Some(&[a, b, c, d]) => [a, b, c, d],
            _ if parts.len() == 4 && parts.iter().all(|part| (1..=3).contains(&part.len())) => {
                return self.push(start, end, What::Wrong(Reason::NotAddress));
            }
            _ if parts.len() == 2 || parts.iter().any(|part| part.len() > 3) => return,
            _ => return self.push(start, end, What::Doubtful(Reason::NotAddress)),
        };
        let address = Address::from(std::net::Ipv4Addr::from(octets));
        let indicator = Indicator::Network(address.into());
        let port = match port.filter(|port| port.bytes().all(|b| b.is_ascii_digit())).map(str::parse::<u16>) {
            Some(Ok(port)) => Some(port).filter(|port| *port > 0),
            Some(Err(_)) => return self.push(start, end, What::Wrong(Reason::Port)),
            None => None,
        };
        match tail {
            None => self.endpoint(start, end, indicator, port, None),
            Some(length) if port.is_none() && length.bytes().all(|b| b.is_ascii_digit()) => {
                self.network(start, end, &format!("{address}/{length}"));
            }
            Some(tail) => match protocol(tail) {
                Some(protocol) => self.endpoint(start, end, indicator, port, Some(protocol)),
                None => {
                    self.endpoint(start, end, indicator, port, None);
                    self.endpoint(start, end, Indicator::Url(word.to_owned()), port, None);
                }
            },
        }
    }

    /// `192.0.2.8-192.0.2.15` as the networks that cover it.
    fn range(&mut self, start: usize, text: &str) {
        let end = start + text.len();
        let ends: Option<Vec<Address>> = text.split('-').map(|end| end.parse().ok()).collect();
        match ends.as_deref() {
            Some([first, last]) if first <= last => {
                let networks = cover(*first, *last);
                if networks.len() > RANGE_NETWORKS_MAX {
                    return self.push(start, end, What::Wrong(Reason::TooBroad));
                }
                for network in networks {
                    self.endpoint(start, end, Indicator::Network(network), None, None);
                }
            }
            _ => self.push(start, end, What::Wrong(Reason::NotAddress)),
        }
    }

    fn domain(&mut self, start: usize, word: &str, host: &str, port: Option<&str>, tail: Option<&str>) {
        let end = start + word.len();
        let defanged = self.line.was_defanged(start, end);
        let Some(domain) = name::domain(host) else {
            if is_almost_address(host) {
                self.push(start, end, What::Doubtful(Reason::NotAddress));
            }
            return;
        };
        let known = name::has_known_suffix(&domain) && !is_file_name(&domain);
        if !(known || defanged || self.names == Names::Trusted) {
            return;
        }
        let port = match port {
            Some(text) if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => {
                match text.parse() {
                    Ok(port) if port > 0 => Some(port),
                    _ => return self.push(start, end, What::Wrong(Reason::Port)),
                }
            }
            Some(_) => return,
            None => None,
        };
        match tail {
            Some(tail) if !tail.is_empty() && protocol(tail).is_none() => {
                self.endpoint(start, end, Indicator::Url(word.to_owned()), port, None);
            }
            tail => {
                let protocol = tail.and_then(protocol);
                if let Some(address) = name::embedded_address(&domain) {
                    self.endpoint(start, end, Indicator::Network(address.into()), port, protocol);
                }
                self.endpoint(start, end, Indicator::Domain(domain), port, protocol);
            }
        }
    }

    /// Gives `192.0.2.1 port 80`, `192.0.2.1 (tcp/443)` and the like their port.
    fn attach_ports(&mut self) {
        let text = &self.line.text;
        for found in &mut self.found {
            let What::Endpoint(endpoint) = &mut found.what else { continue };
            if endpoint.port.is_some() || !matches!(endpoint.indicator, Indicator::Network(_)) {
                continue;
            }
            let Some(beside) = PORT_BESIDE.captures(&text[found.end..]) else { continue };
            let part = |i: usize| beside.get(i).map(|part| part.as_str());
            endpoint.port = part(2).or(part(4)).and_then(|port| port.parse().ok()).filter(|port| *port > 0);
            endpoint.protocol = endpoint.protocol.or(part(1).or(part(3)).and_then(protocol));
        }
    }
}

/// Fewer hexadecimal digits are words, numbers and short ids.
const LEAST_HASH_DIGITS: usize = 30;
/// Digits of a JARM fingerprint (Salesforce, 2020).
const JARM_DIGITS: usize = 62;
/// Octets before a hash that are searched for what it is of; chosen here.
const LABEL: usize = 100;
/// Ports that one word may name; chosen here.
const PORTS_MAX: usize = 16;
/// Networks that one range may need; the worst range inside a /16 needs 30.
const RANGE_NETWORKS_MAX: usize = 30;

/// Words after which four numbers are a version.
static VERSION: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(r"(?i)^(v|ver|vers|version|versions|build|release|rev|revision|firmware|update)[.:]*$")
});
/// Words that make a hash one of something that flows cannot answer.
static NO_FLOW: LazyLock<Regex> =
    LazyLock::new(|| crate::pattern(r"(?i)\b(ja3s?|imphash|pubkey|public key|code[- ]sign(ing|ed)?)\b"));
/// Words that make a hash that of a certificate.
static OF_CERTIFICATE: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(r"(?i)\b(certificates?|(ssl|tls)[ _-]?certs?|x\.?509|thumbprints?|sslbl)\b")
});
/// A port in the words after an address.
static PORT_BESIDE: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)^\s*[,;\-–]?\s*(?:(?:over|on|via)\s+)?\(?(?:(tcp|udp)[\s/]*)?ports?\s*:?\s*(\d{1,5})\b|^\s*\(?(tcp|udp)\s*[/:]\s*(\d{1,5})\b",
    )
});

/// Whether hashes under these words are of certificates.
pub(crate) fn is_of_certificate(words: &str) -> bool {
    OF_CERTIFICATE.is_match(words)
}

/// How long the label before an indicator is: `md5:0123…`, `C2:192.0.2.1`. 0 if there is none.
fn past_label(word: &str) -> usize {
    let Some((label, rest)) = word.split_once(':') else { return 0 };
    let is_label = !label.is_empty()
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && label.bytes().any(|b| b.is_ascii_alphabetic())
        && !rest.is_empty();
    let host = word.split('/').next().unwrap_or_default();
    let v6 = rest.contains(':') && host.parse::<Address>().is_ok();
    if is_label && !v6 { label.len() + 1 } else { 0 }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_dotted(text: &str) -> bool {
    text.split('.').count() == 4 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Whether four numbers have a letter among them that slipped in: `C192.0.2.1`, `192.O.2.1`.
fn is_almost_address(host: &str) -> bool {
    let letters = host.bytes().filter(u8::is_ascii_alphabetic).count();
    let numbers = host.split('.').filter(|part| part.bytes().any(|b| b.is_ascii_digit())).count();
    let parts = host.split('.').filter(|part| (1..=4).contains(&part.len())).count();
    (1..=2).contains(&letters) && numbers >= 3 && parts == 4 && !host.starts_with(['v', 'V'])
}

/// Whether an undefanged name of two labels is more likely a file: `schedule.zip`.
///
/// Chosen here: these top-level names are younger or rarer than the file types.
fn is_file_name(domain: &str) -> bool {
    let mut labels = domain.rsplit('.');
    matches!(labels.next(), Some("zip" | "mov" | "py" | "sh" | "app" | "md")) && labels.count() == 1
}

/// The fewest networks that hold exactly the addresses from `first` to `last`, in order.
fn cover(first: Address, last: Address) -> Vec<Prefix> {
    let mut networks = Vec::new();
    let (mut at, last) = (first.bits(), last.bits());
    while at <= last && networks.len() <= RANGE_NETWORKS_MAX {
        let mut host_bits = at.trailing_zeros().min(32);
        while host_bits > 0 && at + ((1u128 << host_bits) - 1) > last {
            host_bits -= 1;
        }
        networks.push(Prefix::new(Address::from_bits(at), 128 - host_bits as u8));
        match at.checked_add(1u128 << host_bits) {
            Some(next) => at = next,
            None => break,
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::refang::refang;

    fn shown(text: &str, names: Names) -> Vec<String> {
        find(&refang(text), names)
            .into_iter()
            .map(|found| match found.what {
                What::Endpoint(Endpoint { indicator, port, protocol }) => {
                    let port = port.map(|port| format!(" :{port}")).unwrap_or_default();
                    let protocol = protocol.map(|protocol| format!(" /{protocol}")).unwrap_or_default();
                    format!("{} {indicator}{port}{protocol}", indicator.kind())
                }
                What::Wrong(reason) => format!("wrong: {reason}"),
                What::Doubtful(reason) => format!("doubtful: {reason}"),
                What::Aside(what) => format!("aside: {what}"),
            })
            .collect()
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(shown(text, Names::Known), expected, "{text}");
    }

    #[test]
    fn addresses_come_with_their_ports() {
        check("192.0.2.1", &["ipv4 192.0.2.1"]);
        check("* 192.0.2[.]1,", &["ipv4 192.0.2.1"]);
        check("192.0.2.1.", &["ipv4 192.0.2.1"]);
        check("\"192.0.2.1:8080\"", &["ipv4 192.0.2.1 :8080"]);
        check("192.0.2[.]1[:]53/udp", &["ipv4 192.0.2.1 :53 /17"]);
        check("192.0.2.1 port 80 - example[.]org - GET /", &["ipv4 192.0.2.1 :80", "domain example.org"]);
        check("192.0.2.1 over TCP port 443", &["ipv4 192.0.2.1 :443 /6"]);
        check("192.0.2.1 (udp/53)", &["ipv4 192.0.2.1 :53 /17"]);
        check("192.0.2.1:0", &["ipv4 192.0.2.1"]);
        check("192.0.2.1:80:443", &["ipv4 192.0.2.1 :80", "ipv4 192.0.2.1 :443"]);
        check("C2:192.0.2.1:443", &["ipv4 192.0.2.1 :443"]);
        check("192.000.002.001", &["ipv4 192.0.2.1"]);
        check("\\\\192.0.2.1\\share", &["ipv4 192.0.2.1"]);
        check("2001:db8::1 and [2001:db8::2]:443", &["ipv6 2001:db8::1", "ipv6 2001:db8::2 :443"]);
    }

    #[test]
    fn networks_and_ranges_are_networks() {
        check("192.0.2.0/24", &["cidr 192.0.2.0/24"]);
        check("2001:db8::/48 2a06:e480::/32", &["cidr 2001:db8::/48", "cidr 2a06:e480::/32"]);
        check("192.0.2.8-192.0.2.18", &["cidr 192.0.2.8/29", "cidr 192.0.2.16/31", "ipv4 192.0.2.18"]);
        check("192.0.2.0/33", &["wrong: the prefix length is out of range"]);
    }

    #[test]
    fn urls_name_their_address_too() {
        check(
            "hxxp://192.0.2[.]1:8080/x?y=1.",
            &["ipv4 192.0.2.1 :8080 /6", "url http://192.0.2.1:8080/x?y=1 :8080 /6"],
        );
        check("hxxps://c2.example[.]org/a", &["url https://c2.example.org/a :443 /6"]);
        check(
            "(http://example.org/a) <http://example.org/b>,",
            &["url http://example.org/a :80 /6", "url http://example.org/b :80 /6"],
        );
        check("http://c2.example.org,/ga.js", &["url http://c2.example.org :80 /6"]);
        check("http://example.org/a?b[0]=1", &["url http://example.org/a?b[0]=1 :80 /6"]);
        check("[text](http://example.org/a) https://example.org/b[text] https://example.org/c[more", &[]);
        check("[text](hxxp://example.org/a)", &["url http://example.org/a :80 /6"]);
        check("udp://192.0.2.1:53", &["ipv4 192.0.2.1 :53 /17", "url udp://192.0.2.1:53 :53 /17"]);
        check(
            "http://a.example.org/x,http://b.example.org/y",
            &["url http://a.example.org/x :80 /6", "url http://b.example.org/y :80 /6"],
        );
        check("http://www..example.org/", &["wrong: the URL has no valid host"]);
        check("http://192.0.2.1:99999/", &["wrong: the port is out of range"]);
        check("example[.]org/gate.php", &["url example.org/gate.php"]);
        check("file://server/share", &["aside: file path"]);
    }

    #[test]
    fn names_need_a_known_suffix_or_brackets() {
        check(
            "c2.example.org and C2.Example[.]ORG:443",
            &["domain c2.example.org", "domain c2.example.org :443"],
        );
        check("vcruntime140.dll schedule.zip 7za.exe x.y Mozilla/5.0 and/or", &[]);
        check("evil[.]zip", &["domain evil.zip"]);
        check("192.0.2.1.sslip.io:443", &["ipv4 192.0.2.1 :443", "domain 192.0.2.1.sslip.io :443"]);
        check("*.example.org", &["domain example.org"]);
        check("C:\\Users\\example.org\\x /usr/lib/example.org", &[]);
        check("someone@example[.]org", &["aside: e-mail address"]);
        assert_eq!(shown("host.internalname", Names::Trusted), ["domain host.internalname"]);
    }

    #[test]
    fn hashes_are_lower_case_and_of_a_known_length() {
        let (md5, sha1, sha256) = ("A".repeat(32), "b".repeat(40), "c".repeat(64));
        check(&format!("md5:{md5} {sha1}"), &[&format!("md5 {}", "a".repeat(32)), &format!("sha1 {sha1}")]);
        check(&format!("{sha256} (C2: example[.]org)"), &[&format!("sha256 {sha256}"), "domain example.org"]);
        check(&"d".repeat(62), &["aside: JARM fingerprint"]);
        check(&"d".repeat(63), &["doubtful: 63 hexadecimal digits are no MD5, SHA-1 or SHA-256"]);
        check(&format!("Certificate (SHA1): {sha1}"), &[&format!("certificate {sha1}")]);
        check(&format!("TLS certificate md5: {}", "d".repeat(32)), &["aside: other hash of a certificate"]);
        check(&format!("imphash {}", "d".repeat(32)), &["aside: fingerprint that flows cannot show"]);
    }

    #[test]
    fn typing_errors_are_told_from_versions() {
        check("192.0.2.256", &["wrong: not an IP address"]);
        check("300.1.1.1", &["wrong: not an IP address"]);
        check("192.0.2", &["doubtful: not an IP address"]);
        check("192.0.2.1.5", &["doubtful: not an IP address"]);
        check("192..2.1", &["doubtful: not an IP address"]);
        check("C192.0.2.1", &["doubtful: not an IP address"]);
        check("192.0.2.1:70000", &["wrong: the port is out of range"]);
        check("version 4.1.0.0, Chrome/105.0.0.0 v1.2.3.4 4.0 10.0.19041.1288", &[]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_places_lie_in_it(text in "\\PC{0,100}") {
            let line = refang(&text);
            for found in find(&line, Names::Trusted) {
                prop_assert!(line.text.get(found.start..found.end).is_some());
            }
        }

        #[test]
        fn text_made_of_the_parts_of_indicators_is_read_without_panic(text in "[0-9a-f.:/\\[\\]()@\\-, hxtp\\\\]{0,60}") {
            find(&refang(&text), Names::Known);
        }

        #[test]
        fn a_range_is_covered_exactly(first in 0u32..=u32::MAX, length in 0u32..65_536) {
            let last = first.saturating_add(length);
            let networks = cover(Address::from_v4_bits(first), Address::from_v4_bits(last));
            let mut at = Address::from_v4_bits(first);
            for network in &networks {
                prop_assert_eq!(network.first(), at);
                at = Address::from_bits(network.last().bits() + 1);
            }
            prop_assert!(networks.len() > RANGE_NETWORKS_MAX || at.bits() == Address::from_v4_bits(last).bits() + 1);
        }
    }
}
