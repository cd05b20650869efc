//! G10: whether the victim knew the address by a claimed name (`methods.md` §2.2), or it presented a claimed certificate.
//!
//! | state | dB |
//! |---|---|
//! | the victim asked for a name of the cluster, was told this address, and called it while the answer could be kept, or 5 minutes longer | +9 |
//! | the victim called the address by a name of the cluster (TLS SNI) | +9 |
//! | the server presented a certificate of the cluster in the handshake | +9 |
//! | it knew the address by a name that everybody asks for, whenever most of the contact began, and never by one of the cluster | −20 |
//! | likewise by another name that no claim is about, and the claim follows from a name | −20 |
//! | neither was seen | 0 |
//!
//! A question that no flow follows is −6 and told by itself: the name was resolved, that is all.
//! The certificate is chosen here, to weigh as much as a name: whoever presents it holds its key. The name of everybody is
//! chosen here too: published lists hold addresses of Bing, of update servers and
//! of content networks, which every host calls by names that warning lists know. Names that are rented
//! out are not among them. A claim that follows for an address from a name is about those who knew the address by that name: on a shared
//! server others have other names. Absence says nothing, since few networks log every resolver and every handshake. Wrong where a
//! security product resolves names out of reports, for names that share one front with
//! thousands of others, where an attacker hides behind a front whose names everybody asks for or calls its server by a name of its own that no
//! claim is about, and where a certificate comes
//! with a tool that others run too.
//!
//! ```
//! use rahdar_hunt::evidence::naming::{Naming, row};
//!
//! let named = Naming::Called { name: "c2.example.org".to_owned() };
//! assert_eq!(row(&named).reason.weight, 9.0);
//! ```

use rahdar_model::intelligence::WindowBasis;

use super::{Group, Row};

/// Decibans of a call by a claimed name.
const NAMED_DB: f64 = 9.0;

/// Decibans of a question that no flow follows.
pub const RESOLVED_ONLY_DB: f64 = -6.0;

/// Seconds beyond its time to live for which an answer may still be used.
pub const LATE_S: i64 = 300;

/// Decibans of a name that everybody asks for.
const OF_EVERYBODY_DB: f64 = -20.0;

/// Decibans of another name where the claim follows from a name. Chosen here, as that of everybody.
const UNCLAIMED_DB: f64 = -20.0;

/// How the victim knew the address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Naming {
    /// The server presented this certificate.
    Presented {
        /// The hash, SHA-1 or SHA-256.
        certificate: String,
    },
    /// It called it by this name.
    Called {
        /// The name.
        name: String,
    },
    /// It was told the address of this name shortly before.
    Resolved {
        /// The name.
        name: String,
        /// Seconds between answer and call.
        after_s: i64,
    },
}

impl Naming {
    /// The name, or the hash of the certificate: what the claim is about.
    pub fn subject(&self) -> &str {
        match self {
            Self::Presented { certificate } => certificate,
            Self::Called { name } | Self::Resolved { name, .. } => name,
        }
    }

    /// Whether the handshake itself shows it, so that it holds behind a front of many hosts too.
    pub fn is_of_handshake(&self) -> bool {
        matches!(self, Self::Presented { .. } | Self::Called { .. })
    }
}

/// The reason.
pub fn row(naming: &Naming) -> Row {
    let text = match naming {
        Naming::Presented { certificate } => {
            format!("the server presented the certificate `{certificate}`, one of the cluster")
        }
        Naming::Called { name } => {
            format!("the victim called the address as `{name}`, a name of the cluster")
        }
        Naming::Resolved { name, after_s } => format!(
            "the victim asked for `{name}`, a name of the cluster, was told this address and called it {after_s} s later"
        ),
    };
    Row::new(Group::Naming, "named", NAMED_DB, text)
}

/// Another name by which the victim knew the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherName<'n> {
    /// Everybody asks for it.
    OfEverybody(&'n str),
    /// No claim is about it.
    Unclaimed(&'n str),
}

impl OtherName<'_> {
    /// The reason against a claim, which is that of a name that no claim is about only if it follows from a name.
    pub fn row(self, basis: WindowBasis) -> Option<Row> {
        match self {
            Self::OfEverybody(name) => {
                let text = format!("the victim knew the address as `{name}`, which everybody asks for");
                Some(Row::new(Group::Naming, "name_of_everybody", OF_EVERYBODY_DB, text))
            }
            Self::Unclaimed(name) if basis == WindowBasis::Resolved => {
                let text =
                    format!("the victim knew the address as `{name}`, and the claim is about another name");
                Some(Row::new(Group::Naming, "other_name", UNCLAIMED_DB, text))
            }
            Self::Unclaimed(_) => None,
        }
    }
}
