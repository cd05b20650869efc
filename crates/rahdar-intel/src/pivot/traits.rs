//! What is known of hosts and names that others may share with them: the traits of `methods.md` §7.3.

use std::fmt;
use std::sync::Arc;

use rahdar_model::{Address, Window};

use crate::name;

/// Something that may belong to somebody: a host or a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A host.
    Address(Address),
    /// A name, as the book keeps names.
    Domain(Arc<str>),
}

impl Node {
    /// The node of a text; none if it is neither an address nor a name.
    pub fn parse(text: &str) -> Option<Self> {
        let address = text.parse().ok().map(Self::Address);
        address.or_else(|| name::domain(text).map(|name| Self::Domain(name.into())))
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Domain(name) => f.write_str(name),
        }
    }
}

/// Somebody saw this of a host or a name, from then until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trait {
    /// Of what.
    pub subject: Node,
    /// What kind of trait.
    pub kind: Kind,
    /// Its value, as given.
    pub value: String,
    /// When it was seen: from the first sighting to the day of the last. Bounds what was observed.
    pub seen: Window,
    /// How far the source is to be believed, 0–100; none if nobody says.
    pub confidence: Option<u8>,
    /// Who saw it.
    pub source: Arc<str>,
    /// Where in the file.
    pub place: String,
}

/// The kinds of traits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The fingerprint of a TLS certificate.
    Certificate,
    /// The fingerprint of an SSH host key.
    SshKey,
    /// Who registered it: an e-mail address, an unusual text.
    Registrant,
    /// The name that stood for the address, in passive DNS.
    Name,
    /// The address that the name stood for.
    Resolved,
    /// JARM, computed elsewhere.
    Jarm,
    /// JA3S, computed elsewhere.
    Ja3s,
    /// JA4S, computed elsewhere.
    Ja4s,
    /// JA4X, computed elsewhere.
    Ja4x,
    /// HASSH of the server, computed elsewhere.
    Hassh,
    /// The hash of a page.
    Page,
    /// The /24 or /64 that it stands in; shared if both appeared there within a week.
    Neighbourhood,
    /// The AS that announces it.
    Asn,
    /// The registrar of the name.
    Registrar,
    /// A name server of the name.
    NameServer,
    /// Malware that a claim names with it.
    Family,
}

/// Traits of one group say the same thing twice: the strongest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Certificates.
    Certificate,
    /// SSH host keys.
    SshKey,
    /// Who registered it.
    Registration,
    /// Names and addresses.
    Resolution,
    /// How its software answers.
    Fingerprint,
    /// Where it stands, and since when.
    Neighbourhood,
    /// Of whom it is rented.
    Hosting,
    /// The malware it serves.
    Family,
}

impl Group {
    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::SshKey => "ssh key",
            Self::Registration => "registration",
            Self::Resolution => "resolution",
            Self::Fingerprint => "fingerprint",
            Self::Neighbourhood => "neighbourhood",
            Self::Hosting => "hosting",
            Self::Family => "malware",
        }
    }

    /// Whether it is one of the two that a link needs. Where a server is rented and which kit it runs is shared by a
    /// whole market: such traits add weight and carry nothing (`methods.md` §7.3: "never alone"). So do fingerprints: a
    /// kit brings its own beside its default certificate, and two traits of one kit are not two reasons.
    pub const fn carries(self) -> bool {
        matches!(self, Self::Certificate | Self::SshKey | Self::Registration | Self::Resolution)
    }
}

/// What a kind weighs (`methods.md` §7.3, the table).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weight {
    /// P(share | same operator).
    pub(super) stability: f64,
    /// Decibans at most.
    pub(super) cap_db: f64,
    /// Carriers beyond which it says nothing.
    pub(super) carriers_max: usize,
}

/// Carriers beyond which a trait is unusable (`methods.md` §7.3, rule c).
pub(crate) const CARRIERS_MAX: usize = 50;
/// Carriers beyond which a certificate is taken for a kit's own (`methods.md` §7.3, the table); the same for SSH keys,
/// which hosters clone with their images (there: "df check"; the number is chosen here).
pub(crate) const KEY_CARRIERS_MAX: usize = 20;

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::Certificate,
        Self::SshKey,
        Self::Registrant,
        Self::Name,
        Self::Resolved,
        Self::Jarm,
        Self::Ja3s,
        Self::Ja4s,
        Self::Ja4x,
        Self::Hassh,
        Self::Page,
        Self::Neighbourhood,
        Self::Asn,
        Self::Registrar,
        Self::NameServer,
        Self::Family,
    ];

    /// The word stored and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::SshKey => "ssh key",
            Self::Registrant => "registrant",
            Self::Name => "name",
            Self::Resolved => "address",
            Self::Jarm => "jarm",
            Self::Ja3s => "ja3s",
            Self::Ja4s => "ja4s",
            Self::Ja4x => "ja4x",
            Self::Hassh => "hassh",
            Self::Page => "page",
            Self::Neighbourhood => "network",
            Self::Asn => "asn",
            Self::Registrar => "registrar",
            Self::NameServer => "name server",
            Self::Family => "malware",
        }
    }

    /// The kind of this word, in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word.trim()))
    }

    /// Its group.
    pub const fn group(self) -> Group {
        match self {
            Self::Certificate => Group::Certificate,
            Self::SshKey => Group::SshKey,
            Self::Registrant => Group::Registration,
            Self::Name | Self::Resolved => Group::Resolution,
            Self::Jarm | Self::Ja3s | Self::Ja4s | Self::Ja4x | Self::Hassh | Self::Page => {
                Group::Fingerprint
            }
            Self::Neighbourhood => Group::Neighbourhood,
            Self::Asn | Self::Registrar | Self::NameServer => Group::Hosting,
            Self::Family => Group::Family,
        }
    }

    /// What it weighs.
    pub(super) const fn weight(self) -> Weight {
        let (stability, cap_db) = match self.group() {
            Group::Certificate => (0.9, 30.0),
            Group::SshKey => (0.9, 25.0),
            Group::Registration => (0.8, 20.0),
            Group::Resolution => (0.9, 20.0),
            Group::Fingerprint => (0.6, 8.0),
            Group::Neighbourhood => (0.3, 5.0),
            Group::Hosting => (0.3, 2.0),
            Group::Family => (0.5, 3.0),
        };
        let carriers_max = match self {
            Self::Certificate | Self::SshKey => KEY_CARRIERS_MAX,
            _ => CARRIERS_MAX,
        };
        Weight { stability, cap_db, carriers_max }
    }

    /// The value as it is compared; none if it says nothing of whom it belongs to.
    pub(crate) fn tidy(self, value: &str) -> Option<String> {
        let value = value.trim();
        let value = value[..value.floor_char_boundary(VALUE_MAX)].to_lowercase();
        let says_nothing = match self {
            Self::Registrant => PROXIES.iter().any(|word| value.contains(word)),
            // All zeroes: the host spoke no TLS.
            Self::Jarm => value.bytes().all(|b| b == b'0'),
            _ => false,
        };
        (!value.is_empty() && !says_nothing).then_some(value)
    }
}

/// Octets of a value that are kept; chosen here: fingerprints have 64, texts of registrations a few hundred.
const VALUE_MAX: usize = 512;

/// Words of registrations that hide who registered (`methods.md` §7.3: "privacy proxies = 0"); chosen here.
const PROXIES: [&str; 9] = [
    "privacy",
    "proxy",
    "redacted",
    "whoisguard",
    "withheld",
    "protect",
    "masked",
    "not disclosed",
    "anonymi",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.word()), Some(kind));
        }
    }

    #[test]
    fn values_that_name_nobody_are_left_out() {
        assert_eq!(Kind::Registrant.tidy(" Ops@Example.org "), Some("ops@example.org".to_owned()));
        assert_eq!(Kind::Registrant.tidy("REDACTED FOR PRIVACY"), None);
        assert_eq!(Kind::Jarm.tidy(&"0".repeat(62)), None);
        assert_eq!(Kind::Certificate.tidy("  "), None);
    }
}
