//! What flows can answer of a pattern: endpoints with port, protocol and window. The rest is
//! named, with the reason.
//!
//! A comparison that flows cannot answer neither adds nor excludes an endpoint: of
//! `[file:name = 'a.exe' AND ipv4-addr:value = '192.0.2.1']` the address is kept. All
//! observations of a pattern name endpoints of the same activity, whichever operator joins them.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use rahdar_model::intelligence::{HashKind, Indicator};
use rahdar_model::{Address, Prefix, Window};

use super::{
    Comparison, Junction, Literal, Observation, Order, Path, Pattern, PatternError, Qualifier, Relation,
    Step, TERMS_MAX, Test, TextOperator,
};
use crate::find::{self, Endpoint, protocol};
use crate::name;
use crate::refang::refang;

/// What flows can answer of a pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Compiled {
    /// Endpoints, in the order of the pattern, each once; with the window of the `START … STOP …`
    /// around it.
    pub(crate) endpoints: Vec<Dated>,
    /// What no claim can hold.
    pub(crate) left: BTreeSet<Left>,
    /// Values that are none of what their object path holds, after that path.
    pub(crate) wrong: Vec<(String, String)>,
}

/// An endpoint, and when it was one where that is known for it alone.
pub(crate) type Dated = (Endpoint, Option<Window>);

/// A part of a pattern that no claim can hold, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Left {
    /// The object path, and the operator where it is not `=`; or the qualifier.
    pub(crate) part: String,
    pub(crate) why: Why,
}

/// Why no claim can hold a part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// It speaks of what flows do not carry.
    NotInFlows,
    /// It asks more of a name or an address than to be equal.
    Operator,
    /// It excludes, and nothing stands beside it that it excludes from.
    Excludes,
    /// A port or a protocol without an endpoint.
    Alone,
    /// It names who asked, beside who answered.
    Asks,
    /// It counts or orders observations.
    Course,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Why::NotInFlows => "flows carry none",
            Why::Operator => "a claim names endpoints",
            Why::Excludes => "it excludes from nothing",
            Why::Alone => "it stands without an endpoint",
            Why::Asks => "it names the side that asks",
            Why::Course => "a claim counts and orders nothing",
        };
        write!(f, "{} ({why})", self.part)
    }
}

/// Takes from a pattern what flows can answer.
///
/// # Errors
/// [`PatternError::Terms`].
pub(crate) fn compile(pattern: &Pattern) -> Result<Compiled, PatternError> {
    let mut compiler = Compiler { compiled: Compiled::default(), seen: HashSet::new() };
    compiler.observation(&pattern.0, None)?;
    Ok(compiler.compiled)
}

/// One way to satisfy a comparison: the endpoints and what is said of their ports.
#[derive(Debug, Clone, Default)]
struct Way {
    endpoints: Vec<Indicator>,
    /// Endpoints said to be the source: hostile only where no destination is named.
    sources: Vec<Indicator>,
    /// Networks said to be excepted.
    excluded: Vec<Prefix>,
    port: Option<u16>,
    source_port: Option<u16>,
    protocol: Option<u8>,
}

impl Way {
    fn and(&mut self, other: &Self) {
        self.endpoints.extend_from_slice(&other.endpoints);
        self.sources.extend_from_slice(&other.sources);
        self.excluded.extend_from_slice(&other.excluded);
        self.port = self.port.or(other.port);
        self.source_port = self.source_port.or(other.source_port);
        self.protocol = self.protocol.or(other.protocol);
    }

    fn len(&self) -> usize {
        1 + self.endpoints.len() + self.sources.len() + self.excluded.len()
    }
}

struct Compiler {
    compiled: Compiled,
    seen: HashSet<Dated>,
}

impl Compiler {
    fn observation(&mut self, observation: &Observation, window: Option<Window>) -> Result<(), PatternError> {
        match observation {
            Observation::Of(comparison) => {
                self.ways(comparison)?.into_iter().try_for_each(|way| self.keep(way, window))
            }
            Observation::Joined(_, parts) => parts.iter().try_for_each(|part| self.observation(part, window)),
            Observation::Qualified(inner, Qualifier::StartStop(start, stop)) => {
                let own = Window::new(start.at, stop.at);
                self.observation(inner, Some(window.map_or(own, |window| window.intersect(own))))
            }
            Observation::Qualified(inner, qualifier) => {
                self.leave(qualifier.word().to_owned(), Why::Course);
                self.observation(inner, window)
            }
        }
    }

    fn leave(&mut self, part: String, why: Why) {
        self.compiled.left.insert(Left { part, why });
    }

    fn ways(&mut self, comparison: &Comparison) -> Result<Vec<Way>, PatternError> {
        match comparison {
            Comparison::Test(test) => Ok(self.test(test)),
            Comparison::Joined(Junction::Or, parts) => {
                let mut ways = Vec::new();
                for part in parts {
                    ways.extend(self.ways(part)?);
                }
                Ok(ways)
            }
            Comparison::Joined(Junction::And, parts) => {
                let mut ways = vec![Way::default()];
                for part in parts {
                    ways = product(ways, &self.ways(part)?)?;
                }
                Ok(ways)
            }
        }
    }

    /// A test that no claim can hold: it neither adds nor excludes an endpoint.
    fn left(&mut self, part: String, why: Why) -> Vec<Way> {
        self.leave(part, why);
        vec![Way::default()]
    }

    /// The ways to satisfy one test.
    fn test(&mut self, test: &Test) -> Vec<Way> {
        let path = Asked::of(&test.path);
        let shown = test.path.to_string();
        let Some(asked) = path else { return self.left(family(&test.path), Why::NotInFlows) };
        let values: Vec<&Literal> = match &test.relation {
            Relation::Order(Order::Equal, literal) if !test.negated => vec![literal],
            Relation::Order(Order::Unequal, literal) if test.negated => vec![literal],
            Relation::In(literals) if !test.negated => literals.iter().collect(),
            Relation::Order(Order::Equal | Order::Unequal, literal) => {
                return self.except(asked, shown, &[literal]);
            }
            Relation::In(literals) => {
                return self.except(asked, shown, &literals.iter().collect::<Vec<_>>());
            }
            Relation::Text(operator, text) => return self.text(asked, shown, test.negated, *operator, text),
            Relation::Order(order, _) => {
                return self.left(format!("{shown} {}", order.sign()), Why::Operator);
            }
            Relation::Exists => return self.left(format!("EXISTS {shown}"), Why::Operator),
        };
        let mut ways = Vec::new();
        for value in values {
            let Some(text) = words(value) else {
                self.compiled.wrong.push((shown.clone(), value.to_string()));
                continue;
            };
            match asked.way(&refang(text.trim()).text) {
                Some(way) => {
                    if asked == Asked::Protocol && way.protocol.is_none() {
                        self.leave(format!("{shown} = {value}"), Why::NotInFlows);
                    }
                    ways.push(way);
                }
                None => self.compiled.wrong.push((shown.clone(), text.to_owned())),
            }
        }
        if ways.is_empty() { vec![Way::default()] } else { ways }
    }

    /// The ways to satisfy `LIKE` and its like, as far as they say no more than `=` does.
    fn text(
        &mut self,
        asked: Asked,
        shown: String,
        negated: bool,
        operator: TextOperator,
        text: &str,
    ) -> Vec<Way> {
        let wanted = refang(text.trim()).text;
        let networks = asked.holds_networks();
        match operator {
            TextOperator::Subset if negated && networks => match wanted.parse() {
                Ok(prefix) => return vec![Way { excluded: vec![prefix], ..Way::default() }],
                Err(_) => self.compiled.wrong.push((shown.clone(), text.to_owned())),
            },
            // A flow holds addresses: none but the network of one address lies above one.
            TextOperator::Subset | TextOperator::Superset if !negated && networks => {
                match wanted.parse::<Prefix>() {
                    Ok(prefix) if operator == TextOperator::Subset || prefix.is_host() => {
                        return asked.way(&wanted).into_iter().collect();
                    }
                    Ok(_) => {}
                    Err(_) => self.compiled.wrong.push((shown.clone(), text.to_owned())),
                }
            }
            TextOperator::Like if !negated => {
                if let Some(way) = like(asked, &wanted) {
                    return vec![way];
                }
            }
            _ => {}
        }
        let not = if negated { "NOT " } else { "" };
        self.left(format!("{shown} {not}{}", operator.word()), Why::Operator)
    }

    /// The way to satisfy that a path has none of these values.
    fn except(&mut self, asked: Asked, shown: String, values: &[&Literal]) -> Vec<Way> {
        let networks =
            || values.iter().map(|value| words(value)?.trim().parse().ok()).collect::<Option<Vec<Prefix>>>();
        match networks().filter(|_| asked.holds_networks()) {
            Some(excluded) => vec![Way { excluded, ..Way::default() }],
            None => self.left(format!("{shown} !="), Why::Operator),
        }
    }

    fn keep(&mut self, way: Way, window: Option<Window>) -> Result<(), PatternError> {
        let told = |port: Option<u16>, name: &str| port.map(|_| name.to_owned());
        if way.endpoints.is_empty() && way.sources.is_empty() {
            let parts = [
                told(way.port, "network-traffic:dst_port"),
                told(way.source_port, "network-traffic:src_port"),
                way.protocol.map(|_| "network-traffic:protocols[*]".to_owned()),
            ];
            for part in parts.into_iter().flatten() {
                self.leave(part, Why::Alone);
            }
            if !way.excluded.is_empty() {
                self.leave("an address !=".to_owned(), Why::Excludes);
            }
            return Ok(());
        }
        let (indicators, port) = if way.endpoints.is_empty() {
            (way.sources, way.source_port)
        } else {
            if !way.sources.is_empty() {
                self.leave("network-traffic:src_ref".to_owned(), Why::Asks);
            }
            (way.endpoints, way.port)
        };
        for indicator in indicators {
            match indicator {
                Indicator::Network(network) if !way.excluded.is_empty() => {
                    match without(network, &way.excluded) {
                        Some(rest) => {
                            for network in rest {
                                self.endpoint(Indicator::Network(network), port, way.protocol, window)?;
                            }
                        }
                        None => self.leave("an address !=".to_owned(), Why::Operator),
                    }
                }
                Indicator::Hash(..) | Indicator::Certificate(_) => {
                    self.endpoint(indicator, None, None, window)?;
                }
                indicator => self.endpoint(indicator, port, way.protocol, window)?,
            }
        }
        Ok(())
    }

    fn endpoint(
        &mut self,
        indicator: Indicator,
        port: Option<u16>,
        protocol: Option<u8>,
        window: Option<Window>,
    ) -> Result<(), PatternError> {
        let dated = (Endpoint { indicator, port, protocol }, window);
        if self.seen.insert(dated.clone()) {
            if self.compiled.endpoints.len() == TERMS_MAX {
                return Err(PatternError::Terms);
            }
            self.compiled.endpoints.push(dated);
        }
        Ok(())
    }
}

/// Every way of the one with every way of the other.
fn product(mut ways: Vec<Way>, more: &[Way]) -> Result<Vec<Way>, PatternError> {
    let size = |ways: &[Way]| ways.iter().map(Way::len).sum::<usize>();
    if size(&ways).saturating_mul(more.len()) + size(more).saturating_mul(ways.len()) > TERMS_MAX {
        return Err(PatternError::Terms);
    }
    if let [one] = more {
        ways.iter_mut().for_each(|way| way.and(one));
        return Ok(ways);
    }
    let joined = ways.iter().flat_map(|way| {
        more.iter().map(|other| {
            let mut both = way.clone();
            both.and(other);
            both
        })
    });
    Ok(joined.collect())
}

/// The properties that flows, the names they resolve and the hosts they ask for can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Address,
    Domain,
    Url,
    /// Whom a connection goes to.
    Destination,
    /// Whom a connection comes from.
    Source,
    DestinationPort,
    SourcePort,
    Protocol,
    /// The type of either end, which its value tells as well.
    EndType,
    /// The host that an HTTP request names.
    HttpHost,
    Hash(HashKind),
    /// The hash of a certificate, SHA-1 or SHA-256.
    Certificate(HashKind),
}

impl Asked {
    fn of(path: &Path) -> Option<Self> {
        let steps: Vec<String> = path.steps.iter().map(plain).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        Some(match (path.object.to_ascii_lowercase().as_str(), steps.as_slice()) {
            ("ipv4-addr" | "ipv6-addr", ["value"]) => Self::Address,
            ("domain-name", ["value"]) => Self::Domain,
            ("domain-name", ["resolves_to_refs", "*", "value"]) => Self::Destination,
            ("url", ["value"]) => Self::Url,
            ("network-traffic", ["dst_ref", "value"]) => Self::Destination,
            ("network-traffic", ["src_ref", "value"]) => Self::Source,
            ("network-traffic", ["dst_ref" | "src_ref", "type"]) => Self::EndType,
            ("network-traffic", ["dst_port"]) => Self::DestinationPort,
            ("network-traffic", ["src_port"]) => Self::SourcePort,
            ("network-traffic", ["protocols"] | ["protocols", "*"]) => Self::Protocol,
            ("network-traffic", ["extensions", "http-request-ext", "request_header", "host"]) => {
                Self::HttpHost
            }
            ("file", ["hashes", name]) => Self::Hash(hash_kind(name)?),
            ("x509-certificate", ["hashes", name]) => {
                Self::Certificate(hash_kind(name).filter(|kind| *kind != HashKind::Md5)?)
            }
            _ => return None,
        })
    }

    fn holds_networks(self) -> bool {
        matches!(self, Self::Address | Self::Destination | Self::Source)
    }

    /// The way to satisfy that the property has this value; none if it can have no such value.
    fn way(self, text: &str) -> Option<Way> {
        let one = |indicator| Way { endpoints: vec![indicator], ..Way::default() };
        match self {
            Self::Address => network(text).map(one),
            Self::Domain => name::domain(text).map(|name| one(Indicator::Domain(name))),
            Self::Url => {
                let plain = !text.is_empty() && !text.contains(char::is_control);
                plain.then(|| one(Indicator::Url(text.to_owned())))
            }
            Self::Destination => host(text).map(one),
            Self::HttpHost => {
                let (host_text, port) = name::url_authority(text)?;
                host(host_text).map(|indicator| Way { port, ..one(indicator) })
            }
            Self::Source => host(text).map(|source| Way { sources: vec![source], ..Way::default() }),
            Self::DestinationPort => text.parse().ok().map(|port| Way { port: Some(port), ..Way::default() }),
            Self::SourcePort => {
                text.parse().ok().map(|port| Way { source_port: Some(port), ..Way::default() })
            }
            Self::Protocol => Some(Way { protocol: protocol(text), ..Way::default() }),
            Self::EndType => Some(Way::default()),
            Self::Hash(kind) => {
                let valid = text.len() == kind.digits() && text.bytes().all(|b| b.is_ascii_hexdigit());
                valid.then(|| one(Indicator::Hash(kind, text.to_ascii_lowercase())))
            }
            Self::Certificate(kind) => {
                Indicator::certificate(text).filter(|_| text.len() == kind.digits()).map(one)
            }
        }
    }
}

/// The hash function of this name (STIX 2.1 §10.6), if it is one that is compared.
fn hash_kind(name: &str) -> Option<HashKind> {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    match name.as_str() {
        "md5" => Some(HashKind::Md5),
        "sha1" => Some(HashKind::Sha1),
        "sha256" => Some(HashKind::Sha256),
        _ => None,
    }
}

/// The way to satisfy a `LIKE` that says no more than a claim can: `192.0.2.%` is a network,
/// `%.example.org` are the names under a domain, `http://192.0.2.1/%` is at an address.
fn like(asked: Asked, text: &str) -> Option<Way> {
    let fixed = &text[..text.find(['%', '_']).unwrap_or(text.len())];
    if fixed.len() == text.len() {
        return asked.way(text);
    }
    match asked {
        Asked::Address | Asked::Destination | Asked::Source if text.strip_suffix('%') == Some(fixed) => {
            let octets = fixed.strip_suffix('.')?.split('.').count();
            let bits = 8 * octets;
            let zeros = ".0".repeat(4usize.checked_sub(octets).filter(|zeros| *zeros > 0)?);
            asked.way(&format!("{}{zeros}/{bits}", fixed.strip_suffix('.')?))
        }
        Asked::Domain => {
            // A claim on a domain covers the names under it; on a public suffix it would accuse
            // the customers of a registry.
            let domain = name::domain(text.strip_prefix("%.").filter(|rest| !rest.contains('%'))?)?;
            psl::domain_str(&domain)?;
            Some(Way { endpoints: vec![Indicator::Domain(domain)], ..Way::default() })
        }
        Asked::Url => {
            let (_, rest) = fixed.split_once("://")?;
            rest.contains('/').then_some(())?;
            // Of a host that has a name only the URLs are accused, and those are not known whole.
            let mut endpoints = find::of_url(fixed)?.into_iter();
            let address = endpoints.find(|endpoint| matches!(endpoint.indicator, Indicator::Network(_)))?;
            Some(Way {
                endpoints: vec![address.indicator],
                port: address.port,
                protocol: address.protocol,
                ..Way::default()
            })
        }
        _ => None,
    }
}

/// Exceptions that one way may hold; chosen here.
const EXCEPTIONS_MAX: usize = 1_000;
/// Networks that one network may be cut into; chosen here: sixteen exceptions from a /16.
const PIECES_MAX: usize = 256;

/// A network without those excepted, as networks; none if those are too many.
fn without(network: Prefix, excluded: &[Prefix]) -> Option<Vec<Prefix>> {
    if excluded.len() > EXCEPTIONS_MAX {
        return None;
    }
    let mut pieces = vec![network];
    let overlaps = |hole: &&Prefix| hole.contains(network.first()) || network.contains(hole.first());
    for hole in excluded.iter().filter(overlaps) {
        let mut rest = Vec::new();
        for piece in pieces {
            if hole.contains(piece.first()) && hole.bits() <= piece.bits() {
                continue;
            }
            let mut kept = piece;
            if piece.contains(hole.first()) {
                // Halve until the half is the hole; what is left over stays.
                while kept.bits() < hole.bits() {
                    let (low, high) = halves(kept);
                    let (with, other) = if low.contains(hole.first()) { (low, high) } else { (high, low) };
                    rest.push(other);
                    kept = with;
                }
            } else {
                rest.push(kept);
            }
        }
        if rest.len() > PIECES_MAX {
            return None;
        }
        pieces = rest;
    }
    pieces.sort();
    Some(pieces)
}

/// The two halves of a network of more than one address.
fn halves(network: Prefix) -> (Prefix, Prefix) {
    let bits = network.bits() + 1;
    let high = network.first().bits() | (1u128 << (128 - u32::from(bits)));
    (Prefix::new(network.first(), bits), Prefix::new(Address::from_bits(high), bits))
}

/// A step as paths are compared: any element of a list is like another.
fn plain(step: &Step) -> String {
    match step {
        Step::Key(key) => key.to_ascii_lowercase(),
        Step::Index(_) | Step::Any => "*".to_owned(),
    }
}

/// The text of a value that may be an endpoint or a number.
fn words(literal: &Literal) -> Option<&str> {
    match literal {
        Literal::Text(text) | Literal::Number(text) => Some(text),
        _ => None,
    }
}

/// A path as it is counted among others: all hashes are one.
fn family(path: &Path) -> String {
    match (path.object.as_str(), path.steps.first()) {
        ("file", Some(Step::Key(key))) if key == "hashes" => "file:hashes".to_owned(),
        _ => path.to_string(),
    }
}

fn network(text: &str) -> Option<Indicator> {
    text.parse::<Prefix>().ok().map(Indicator::Network)
}

fn host(text: &str) -> Option<Indicator> {
    network(text).or_else(|| name::domain(text).map(Indicator::Domain))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, expected: &[&str]) {
        let compiled = pattern.parse().and_then(|pattern| compile(&pattern));
        let compiled = compiled.unwrap_or_else(|error| panic!("{pattern}: {error}"));
        let mut shown: Vec<String> = compiled
            .endpoints
            .iter()
            .map(|(endpoint, window)| {
                let port = endpoint.port.map(|port| format!(" :{port}")).unwrap_or_default();
                let protocol = endpoint.protocol.map(|protocol| format!(" /{protocol}")).unwrap_or_default();
                let window = window.map(|window| format!(" {window:?}").replace("T00:00:00Z", ""));
                format!("{}{port}{protocol}{}", endpoint.indicator, window.unwrap_or_default())
            })
            .collect();
        shown.extend(compiled.left.iter().map(|left| format!("left: {left}")));
        shown.extend(compiled.wrong.iter().map(|(path, value)| format!("wrong: {path} {value}")));
        assert_eq!(shown, expected, "{pattern}");
    }

    #[test]
    fn endpoints_of_equalities_and_sets_are_kept() {
        check("[ipv4-addr:value = '192.0.2.1']", &["192.0.2.1"]);
        check("[ipv4-addr:value NOT != '192.0.2.1']", &["192.0.2.1"]);
        check("[ipv4-addr:'value' ISSUBSET '198.51.100.0/24']", &["198.51.100.0/24"]);
        check(
            "[ipv6-addr:value = '2001:db8::1' OR ipv4-addr:value IN ('192.0.2.1','192.0.2.2')]",
            &["2001:db8::1", "192.0.2.1", "192.0.2.2"],
        );
        check(
            "[domain-name:value='C2.Example.org'] AND [url:value = 'http://example.org/a']",
            &["c2.example.org", "http://example.org/a"],
        );
        check("[domain-name:value = 'c2[.]example[.]org']", &["c2.example.org"]);
        let sha256 = "a".repeat(64);
        check(&format!("[file:hashes.'SHA-256' = '{sha256}']"), &[&sha256]);
        check(&format!("[file:hashes.MD5 = '{}']", "B".repeat(32)), &[&"b".repeat(32)]);
        let sha1 = "c".repeat(40);
        check(&format!("[x509-certificate:hashes.'SHA-1' = '{sha1}']"), &[&sha1]);
        check(
            &format!("[x509-certificate:hashes.'SHA-256' = '{sha1}']"),
            &[&format!("wrong: x509-certificate:hashes.'SHA-256' {sha1}")],
        );
        check("[ipv4-addr:value = '192.0.2.1' OR ipv4-addr:value = '192.0.2.1']", &["192.0.2.1"]);
    }

    #[test]
    fn ports_and_protocols_belong_to_the_endpoint_beside_them() {
        check(
            "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 8443 AND network-traffic:protocols[*] = 'tcp']",
            &["192.0.2.1 :8443 /6"],
        );
        check(
            "[ipv4-addr:value = '192.0.2.1' AND (network-traffic:dst_port = 80 OR network-traffic:dst_port = 443)]",
            &["192.0.2.1 :80", "192.0.2.1 :443"],
        );
        check(
            "[network-traffic:src_ref.value = '192.0.2.9' AND network-traffic:src_port = 53]",
            &["192.0.2.9 :53"],
        );
        check(
            "[network-traffic:src_ref.value = '10.0.0.1' AND network-traffic:dst_ref.value = '192.0.2.1']",
            &["192.0.2.1", "left: network-traffic:src_ref (it names the side that asks)"],
        );
        check(
            "[network-traffic:extensions.'http-request-ext'.request_header.Host = 'c2.example.org:8080']",
            &["c2.example.org :8080"],
        );
        check(
            "[network-traffic:dst_port = 4444]",
            &["left: network-traffic:dst_port (it stands without an endpoint)"],
        );
    }

    #[test]
    fn a_like_that_says_no_more_than_a_claim_is_one() {
        check("[ipv4-addr:value LIKE '198.51.100.%']", &["198.51.100.0/24"]);
        check("[ipv4-addr:value LIKE '192.0.2.7']", &["192.0.2.7"]);
        check("[domain-name:value LIKE '%.c2.example.org']", &["c2.example.org"]);
        check("[url:value LIKE 'http://192.0.2.1:8080/gate%']", &["192.0.2.1 :8080 /6"]);
        for left in [
            "ipv4-addr:value LIKE '198.51.100._'",
            "ipv4-addr:value LIKE '198.51.100.0.%'",
            "domain-name:value LIKE '%.duckdns.org'",
            "domain-name:value LIKE '%example.org'",
            "url:value LIKE 'http://example.org/%'",
            "url:value LIKE 'http://192.0.2.1%'",
        ] {
            let path = left.split(' ').next().unwrap();
            check(&format!("[{left}]"), &[&format!("left: {path} LIKE (a claim names endpoints)")]);
        }
    }

    #[test]
    fn what_is_excepted_is_not_accused() {
        check(
            "[ipv4-addr:value ISSUBSET '198.51.100.0/30' AND ipv4-addr:value != '198.51.100.1']",
            &["198.51.100.0", "198.51.100.2/31"],
        );
        check(
            "[ipv4-addr:value ISSUBSET '198.51.100.0/24' AND ipv4-addr:value NOT ISSUBSET '198.51.0.0/16']",
            &[],
        );
        check(
            "[ipv4-addr:value = '192.0.2.1' AND ipv4-addr:value NOT IN ('192.0.2.2', '192.0.2.3')]",
            &["192.0.2.1"],
        );
        check("[ipv4-addr:value != '192.0.2.1']", &["left: an address != (it excludes from nothing)"]);
    }

    #[test]
    fn what_flows_cannot_answer_is_named_and_no_error() {
        check(
            "[file:name = 'a.exe' AND ipv4-addr:value = '192.0.2.1']",
            &["192.0.2.1", "left: file:name (flows carry none)"],
        );
        check(
            "[domain-name:value != 'example.org' OR domain-name:value MATCHES '^a']",
            &[
                "left: domain-name:value != (a claim names endpoints)",
                "left: domain-name:value MATCHES (a claim names endpoints)",
            ],
        );
        check(
            "[EXISTS url:value AND network-traffic:dst_port > 1024]",
            &[
                "left: EXISTS url:value (a claim names endpoints)",
                "left: network-traffic:dst_port > (a claim names endpoints)",
            ],
        );
        check("[file:hashes.SHA512 = 'aa']", &["left: file:hashes (flows carry none)"]);
        check(
            "[windows-registry-key:key = 'HKLM\\\\x' AND process:pid > 1 AND file:size = h'ff' AND a:b.c[0].d = true]",
            &[
                "left: a:b.c[0].d (flows carry none)",
                "left: file:size (flows carry none)",
                "left: process:pid (flows carry none)",
                "left: windows-registry-key:key (flows carry none)",
            ],
        );
        check(
            "([domain-name:value = 'a.example.org'] FOLLOWEDBY [domain-name:value = 'b.example.org']) WITHIN 300 SECONDS",
            &["a.example.org", "b.example.org", "left: WITHIN (a claim counts and orders nothing)"],
        );
    }

    #[test]
    fn wrong_values_are_named() {
        check("[ipv4-addr:value = '192.0.2.256']", &["wrong: ipv4-addr:value 192.0.2.256"]);
        check("[ipv4-addr:value = h'c0000201']", &["wrong: ipv4-addr:value h'c0000201'"]);
        check(
            "[domain-name:value IN ('a b', 'example.org')]",
            &["example.org", "wrong: domain-name:value a b"],
        );
        check("[file:hashes.'SHA-256' = 'f00']", &["wrong: file:hashes.'SHA-256' f00"]);
    }

    #[test]
    fn start_and_stop_date_the_observation_they_stand_behind() {
        check(
            "[ipv4-addr:value = '192.0.2.1'] START t'2021-05-01T00:00:00Z' STOP t'2021-06-01T00:00:00Z' OR [ipv4-addr:value = '192.0.2.2']",
            &["192.0.2.1 [2021-05-01, 2021-06-01)", "192.0.2.2"],
        );
        check(
            "([ipv4-addr:value = '192.0.2.1'] START t'2021-05-01T00:00:00Z' STOP t'2021-06-01T00:00:00Z') START t'2021-05-20T00:00:00Z' STOP t'2021-07-01T00:00:00Z'",
            &["192.0.2.1 [2021-05-20, 2021-06-01)"],
        );
    }

    #[test]
    fn alternatives_that_multiply_without_measure_are_an_error() {
        let ports = (1..=400).map(|port| port.to_string()).collect::<Vec<_>>().join(",");
        let product = ["network-traffic:dst_port", "network-traffic:src_port"]
            .map(|path| format!("{path} IN ({ports})"));
        let pattern: Pattern = format!("[{}]", product.join(" AND ")).parse().unwrap();
        assert_eq!(compile(&pattern), Err(PatternError::Terms));
    }

    fn network() -> impl Strategy<Value = Prefix> {
        (any::<u8>(), 24u8..=32)
            .prop_map(|(last, length)| format!("198.51.100.{last}/{length}").parse().unwrap())
    }

    proptest! {
        #[test]
        fn a_network_without_others_holds_exactly_what_they_do_not(
            whole in network(), holes in prop::collection::vec(network(), 0..6),
        ) {
            let pieces = without(whole, &holes).unwrap();
            for last in 0..=255u32 {
                let address = Address::from_v4_bits(0xc633_6400 | last);
                let expected = whole.contains(address) && !holes.iter().any(|hole| hole.contains(address));
                let found = pieces.iter().filter(|piece| piece.contains(address)).count();
                prop_assert_eq!(found, usize::from(expected), "{}", address);
            }
        }
    }
}
