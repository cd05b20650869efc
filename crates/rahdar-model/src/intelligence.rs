//! What is claimed about infrastructure: indicators, dated claims, clusters.

use std::fmt;
use std::sync::Arc;

use crate::address::Prefix;
use crate::time::{Timestamp, Window};

/// Something that a report calls hostile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Indicator {
    /// An address or a network.
    Network(Prefix),
    /// A domain name: lower case, ASCII (IDNA), no final dot.
    Domain(String),
    /// A URL, refanged, otherwise as given.
    Url(String),
    /// The hash of a file: lower-case hexadecimal.
    Hash(HashKind, String),
    /// The hash of a certificate that a server presents: lower-case hexadecimal, of which 40 digits are SHA-1 and
    /// 64 SHA-256.
    Certificate(String),
}

impl Indicator {
    /// The word for its kind, as the `type` column of a CSV has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Network(prefix) if !prefix.is_host() => "cidr",
            Self::Network(prefix) if prefix.first().is_v4() => "ipv4",
            Self::Network(_) => "ipv6",
            Self::Domain(_) => "domain",
            Self::Url(_) => "url",
            Self::Hash(kind, _) => kind.word(),
            Self::Certificate(_) => "certificate",
        }
    }

    /// The hash of a certificate as it is written: in any case, with or without colons or blanks between the octets.
    ///
    /// ```
    /// use rahdar_model::intelligence::Indicator;
    ///
    /// let sha1 = "0F:".repeat(19) + "0f";
    /// assert_eq!(Indicator::certificate(&sha1), Some(Indicator::Certificate("0f".repeat(20))));
    /// assert_eq!(Indicator::certificate("0f:0f"), None);
    /// ```
    pub fn certificate(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
        let is_hash = [HashKind::Sha1, HashKind::Sha256].iter().any(|kind| kind.digits() == digits.len())
            && digits.bytes().all(|b| b.is_ascii_hexdigit());
        is_hash.then(|| Self::Certificate(digits.to_ascii_lowercase()))
    }
}

impl fmt::Display for Indicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(prefix) => prefix.fmt(f),
            Self::Domain(text) | Self::Url(text) | Self::Hash(_, text) | Self::Certificate(text) => {
                f.write_str(text)
            }
        }
    }
}

/// Which hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashKind {
    /// 32 hexadecimal digits.
    Md5,
    /// 40 hexadecimal digits.
    Sha1,
    /// 64 hexadecimal digits.
    Sha256,
}

impl HashKind {
    /// `md5`, `sha1` or `sha256`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// Hexadecimal digits of its text.
    pub const fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha256 => 64,
        }
    }
}

/// Where a claim's window came from. An answer always says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WindowBasis {
    /// The source gives this window for this indicator.
    Stated,
    /// A date in the heading above the indicator, such as "C2 IP Addresses (May-June 2021)".
    Heading,
    /// Derived from the date of publication by the default of `methods.md` §7.4.
    Published,
    /// Given by the person who imported it.
    Operator,
    /// From when a claimed name stood for the address, seen in passive DNS, in our own, or in calls of servers by
    /// that name (`methods.md` §7.5).
    Resolved,
    /// From when a server presented a claimed certificate, seen in our own networks.
    Presented,
    /// Nobody dated it: it holds for all time, and is weak for that reason.
    Undated,
}

impl WindowBasis {
    /// The word stored and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Heading => "heading",
            Self::Published => "published",
            Self::Operator => "operator",
            Self::Resolved => "resolved",
            Self::Presented => "presented",
            Self::Undated => "undated",
        }
    }

    /// The basis of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Stated,
            Self::Heading,
            Self::Published,
            Self::Operator,
            Self::Resolved,
            Self::Presented,
            Self::Undated,
        ]
        .into_iter()
        .find(|basis| basis.word() == word)
    }

    /// Whether the claim is about a name or a certificate, and follows for the address from where that was seen.
    pub const fn is_derived(self) -> bool {
        matches!(self, Self::Resolved | Self::Presented)
    }
}

/// Traffic Light Protocol 2.0 (FIRST): how far a claim may travel. Ordered from open to closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tlp {
    /// To the world.
    Clear,
    /// Within the community.
    Green,
    /// Within the organisation and its clients.
    Amber,
    /// Within the organisation.
    AmberStrict,
    /// For the named recipients alone.
    Red,
}

impl Tlp {
    /// `CLEAR`, `GREEN`, `AMBER`, `AMBER+STRICT` or `RED`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clear => "CLEAR",
            Self::Green => "GREEN",
            Self::Amber => "AMBER",
            Self::AmberStrict => "AMBER+STRICT",
            Self::Red => "RED",
        }
    }

    /// Reads the word, in any case, with or without `TLP:`; TLP 1.0's `WHITE` is `CLEAR`.
    pub fn from_word(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_uppercase();
        match word.strip_prefix("TLP:").unwrap_or(&word).trim() {
            "CLEAR" | "WHITE" => Some(Self::Clear),
            "GREEN" => Some(Self::Green),
            "AMBER" => Some(Self::Amber),
            "AMBER+STRICT" => Some(Self::AmberStrict),
            "RED" => Some(Self::Red),
            _ => None,
        }
    }
}

/// The id of a cluster: a slug of the name it was imported under, such as `redfoxtrot`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub Arc<str>);

impl ClusterId {
    /// The id for this name: lower-case letters and digits of any script, other runs become `-`.
    pub fn of_name(name: &str) -> Self {
        let mut slug = String::with_capacity(name.len());
        for c in name.chars() {
            if c.is_alphanumeric() {
                slug.extend(c.to_lowercase());
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        Self(slug.trim_end_matches('-').into())
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set of activity that someone follows. A cluster is an id, not an actor: tools such as
/// PlugX or Winnti are shared, and a cluster that uses them is not thereby anyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its id.
    pub id: ClusterId,
    /// Its name as imported.
    pub name: String,
    /// Whether the book knows the name as that of a group (STIX `intrusion-set` or
    /// `threat-actor`), not merely of a cluster of activity.
    pub named: bool,
    /// Malware that its infrastructure serves, sorted.
    pub tools: Vec<String>,
}

/// One dated, sourced statement: this endpoint was hostile in this window, says this source.
///
/// Many claims about one endpoint stand side by side. A claim is never edited; a later one
/// may supersede it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What is called hostile.
    pub indicator: Indicator,
    /// The port on which it was; none if the source does not say.
    pub port: Option<u16>,
    /// The IP protocol; none if the source does not say.
    pub protocol: Option<u8>,
    /// When.
    pub validity: Window,
    /// How that is known.
    pub basis: WindowBasis,
    /// Whose it is said to be.
    pub cluster: Option<ClusterId>,
    /// Malware named with it, sorted.
    pub tools: Vec<String>,
    /// Who says so.
    pub source: Arc<str>,
    /// Where in the imported file: `line 12`, `indicator--…`.
    pub place: String,
    /// When it was published, if known.
    pub published: Option<Timestamp>,
    /// The source's own confidence, 0–100 (STIX scale).
    pub confidence: Option<u8>,
    /// How far it may travel.
    pub tlp: Option<Tlp>,
    /// Whether the source took it back.
    pub revoked: bool,
}

/// What kind of host an address is, beside anything hostile (`methods.md` §2.2, G4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostClass {
    /// Serves few names: whoever talks to it talks to its owner.
    Dedicated,
    /// VPN exit, Tor exit or dynamic pool: its user changes.
    Pool,
    /// A cloud: rented by the hour, a host of its own while it is.
    Cloud,
    /// Shared hosting: many names behind one address.
    Shared,
    /// Content delivery network, anycast resolver or large mail provider.
    Cdn,
    /// Held by defenders: contact shows infection, not control.
    Sinkhole,
    /// Probes the Internet for research.
    Scanner,
}

impl HostClass {
    /// Every class.
    pub const ALL: [Self; 7] =
        [Self::Dedicated, Self::Pool, Self::Cloud, Self::Shared, Self::Cdn, Self::Sinkhole, Self::Scanner];

    /// The word stored and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dedicated => "dedicated",
            Self::Pool => "pool",
            Self::Cloud => "cloud",
            Self::Shared => "shared",
            Self::Cdn => "cdn",
            Self::Sinkhole => "sinkhole",
            Self::Scanner => "scanner",
        }
    }

    /// The class of this word, in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word().eq_ignore_ascii_case(word.trim()))
    }
}

/// A dated statement of what kind of host an address is. It accuses nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFact {
    /// Which addresses.
    pub network: Prefix,
    /// What they are.
    pub class: HostClass,
    /// When.
    pub validity: Window,
    /// Who says so.
    pub source: Arc<str>,
}

/// A network whose hosts may be victims, from `networks import`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Which addresses.
    pub prefix: Prefix,
    /// The AS that originates it.
    pub asn: Option<u32>,
    /// Whose it is.
    pub org: String,
    /// Sector, such as `telecom`; empty where unknown.
    pub sector: String,
    /// ISO 3166-1 alpha-2 code; empty where unknown.
    pub country: String,
    /// Role given by a person, such as `mail server`; empty where none.
    pub role: String,
}

/// Something that happened on a day (`events import`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub label: String,
    /// Whether it was registered only after a hunt had swept flows of later than it: then the flows may have
    /// suggested the date, and a test of it explores (`methods.md` §6.5).
    pub is_exploratory: bool,
}

impl Event {
    /// An event that was registered before anyone looked.
    pub fn new(at: Timestamp, label: impl Into<String>) -> Self {
        Self { at, label: label.into(), is_exploratory: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_id_is_a_slug_of_its_name() {
        for (name, id) in [
            ("RedFoxtrot", "redfoxtrot"),
            ("Winnti cluster", "winnti-cluster"),
            (" TAG-22 / Winnti! ", "tag-22-winnti"),
        ] {
            assert_eq!(ClusterId::of_name(name).to_string(), id);
        }
    }

    #[test]
    fn tlp_orders_from_open_to_closed_and_reads_the_old_word() {
        assert_eq!(Tlp::from_word("tlp:white"), Some(Tlp::Clear));
        assert_eq!(Tlp::from_word("TLP:AMBER+STRICT"), Some(Tlp::AmberStrict));
        assert!(Tlp::Clear < Tlp::Red);
        assert_eq!(Tlp::from_word("purple"), None);
    }

    #[test]
    fn an_indicator_names_its_kind() {
        let network = |text: &str| Indicator::Network(text.parse().unwrap());
        assert_eq!(network("192.0.2.1").kind(), "ipv4");
        assert_eq!(network("192.0.2.0/24").kind(), "cidr");
        assert_eq!(network("2001:db8::1").kind(), "ipv6");
        assert_eq!(Indicator::Hash(HashKind::Md5, String::new()).kind(), "md5");
    }
}
