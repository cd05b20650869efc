//! What is said of names: who is whom, who uses what, who was where and when. Always by somebody,
//! never as a fact.
//!
//! Aliases are relations, not unions: each stands for itself, with who claims it (`methods.md` §7.2).

use std::sync::Arc;

use rahdar_model::account;
use rahdar_model::intelligence::{Claim, Tlp};
use rahdar_model::{Timestamp, Window};

use crate::book::Identity;

/// One statement about a name, by somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// Of what: the name of a group, a cluster, malware, or a vulnerability.
    pub subject: String,
    /// What is said.
    pub relation: Relation,
    /// The other name; for [`Relation::Is`] a kind ([`Kind::word`]); empty for [`Relation::Active`].
    pub object: String,
    /// When that held; none if nobody says.
    pub window: Option<Window>,
    /// Whom the source names as the one who says so; none if it speaks for itself.
    pub asserted_by: Option<String>,
    /// The document that says so.
    pub source: Arc<str>,
    /// When it was published, if known.
    pub published: Option<Timestamp>,
    /// The source's own confidence, 0–100; none if it gives no number.
    pub confidence: Option<u8>,
    /// How far it may travel.
    pub tlp: Option<Tlp>,
}

/// What is said of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// It is a group, an unattributed cluster, malware, a vulnerability.
    Is,
    /// Another name of the same.
    SameAs,
    /// It has something in common with the other, who knows how much.
    Overlaps,
    /// It is a part of the other.
    PartOf,
    /// It may be the same as the other, or have to do with it.
    Suspected,
    /// It works with this malware.
    Uses,
    /// It makes use of this vulnerability.
    Exploits,
    /// This organisation or country is its victim.
    Targets,
    /// It was at work.
    Active,
    /// It works for this state, organ or unit.
    AttributedTo,
}

impl Relation {
    /// Every relation.
    pub const ALL: [Self; 10] = [
        Self::Is,
        Self::SameAs,
        Self::Overlaps,
        Self::PartOf,
        Self::Suspected,
        Self::Uses,
        Self::Exploits,
        Self::Targets,
        Self::Active,
        Self::AttributedTo,
    ];

    /// The words stored and shown, such as `attributed to`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::SameAs => "same as",
            Self::Overlaps => "overlaps",
            Self::PartOf => "part of",
            Self::Suspected => "suspected",
            Self::Uses => "uses",
            Self::Exploits => "exploits",
            Self::Targets => "targets",
            Self::Active => "active",
            Self::AttributedTo => "attributed to",
        }
    }

    /// The relation of these words.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|relation| relation.word() == word)
    }

    /// What that makes of the other name as an answer to who is behind a cluster; none if it answers
    /// something else.
    pub const fn behind(self) -> Option<account::Relation> {
        match self {
            Self::SameAs => Some(account::Relation::Same),
            Self::PartOf => Some(account::Relation::Subset),
            Self::Overlaps => Some(account::Relation::Overlaps),
            Self::Suspected => Some(account::Relation::Suspected),
            Self::AttributedTo => Some(account::Relation::AttributedTo),
            Self::Is | Self::Uses | Self::Exploits | Self::Targets | Self::Active => None,
        }
    }

    /// Whether it says of either name what it says of the other.
    pub(crate) const fn is_mutual(self) -> bool {
        matches!(self, Self::SameAs | Self::Overlaps | Self::Suspected)
    }

    /// Whether it says that two names may be of one.
    pub(crate) const fn is_alias(self) -> bool {
        matches!(self, Self::SameAs | Self::Overlaps | Self::PartOf | Self::Suspected)
    }
}

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A group that somebody follows under this name.
    Group,
    /// A set of activity that nobody has attached to a group.
    Cluster,
    /// Malware or a tool: it says of nobody who uses it.
    Malware,
    /// A vulnerability.
    Vulnerability,
}

impl Kind {
    /// The word stored and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Cluster => "unattributed cluster",
            Self::Malware => "malware",
            Self::Vulnerability => "vulnerability",
        }
    }

    /// The kind of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Group, Self::Cluster, Self::Malware, Self::Vulnerability]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// What a report says in one place. It waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What is proposed.
    pub statement: Statement,
    /// The author's words for how sure that is; empty where there are none.
    pub wording: String,
    /// The sentence, the row or the line it came from, as the author wrote it.
    pub sentence: String,
    /// Where that stands: `line 12`, `page 3`.
    pub place: String,
}

/// What may enter the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// An endpoint was hostile.
    Claim(Claim),
    /// Something is said of a name.
    Assertion(Assertion),
}

impl Proposal {
    /// What makes two proposals the same: the statement and its sentence.
    pub fn identity(&self) -> Identity {
        let mut hasher = blake3::Hasher::new();
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        match &self.statement {
            Statement::Claim(claim) => {
                text("claim");
                Identity::of(claim).0.iter().for_each(|octet| text(&octet.to_string()));
            }
            Statement::Assertion(assertion) => {
                let Assertion {
                    subject,
                    relation,
                    object,
                    window,
                    asserted_by,
                    source,
                    published,
                    confidence,
                    tlp,
                } = assertion;
                for part in [
                    subject.as_str(),
                    relation.word(),
                    object,
                    &window.map_or_else(String::new, |window| format!("{window:?}")),
                    asserted_by.as_deref().unwrap_or_default(),
                    source,
                    &published.map_or_else(String::new, |time| time.to_string()),
                    &confidence.map_or_else(String::new, |percent| percent.to_string()),
                    tlp.map_or("", |tlp| tlp.word()),
                ] {
                    text(part);
                }
            }
        }
        text(&self.sentence);
        let mut identity = [0; 16];
        identity.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Identity(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_and_kinds_are_read_as_they_are_written() {
        for relation in Relation::ALL {
            assert_eq!(Relation::from_word(relation.word()), Some(relation));
        }
        for kind in [Kind::Group, Kind::Cluster, Kind::Malware, Kind::Vulnerability] {
            assert_eq!(Kind::from_word(kind.word()), Some(kind));
        }
    }
}
