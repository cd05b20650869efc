//! The append-only register of all that was ever claimed, as a trait; `rahdar-store` keeps it.

use std::collections::BTreeMap;
use std::error::Error;

use rahdar_model::Timestamp;
use rahdar_model::intelligence::{Claim, Cluster, ClusterId, Event, Network};
use thiserror::Error;

use crate::assertion::{Assertion, Kind, Proposal, Relation, Statement};
use crate::draft::tidy_name;
use crate::index::{Snapshot, Subject, absorb, is_object_id};
use crate::pdns::Record;
use crate::pivot::Trait;
use crate::reading::{ReadOptions, Reading};

/// The append-only register. One counter versions everything in it: whatever adds anything
/// raises it by one, and nothing is ever removed or changed.
///
/// Calls block.
pub trait Book: Send + Sync {
    /// Adds what a file says, once: the same content read with the same options adds nothing
    /// again, and neither does a claim that the book already holds ([`Identity`]). Proposals are
    /// not added: see [`Book::propose`].
    ///
    /// # Errors
    /// See [`BookError`]. On an error nothing was added.
    fn record(&self, file: &ImportedFile, reading: &Reading) -> Result<Recorded, BookError>;

    /// Adds what a part of a feed says, as [`Book::record`] does, and where that part was read to: both or neither.
    /// Without a reading, the position alone.
    ///
    /// # Errors
    /// As [`Book::record`].
    fn record_from(
        &self,
        file: &ImportedFile,
        reading: Option<&Reading>,
        reached: &Reached,
    ) -> Result<Recorded, BookError>;

    /// Where each part of a feed was read to.
    ///
    /// # Errors
    /// See [`BookError`].
    fn reached(&self, feed: &str) -> Result<BTreeMap<String, String>, BookError>;

    /// Adds networks whose hosts may be victims, or newer words about known ones. The prefix
    /// names a network.
    ///
    /// # Errors
    /// As [`Book::record`].
    fn record_networks(&self, file: &ImportedFile, networks: &[Network]) -> Result<Recorded, BookError>;

    /// Adds events. The day and the label together name an event. Whether they explore is for the book to say.
    ///
    /// # Errors
    /// As [`Book::record`].
    fn record_events(&self, file: &ImportedFile, events: &[Event]) -> Result<Recorded, BookError>;

    /// Keeps what a report proposes, each once, for a person to accept. The book stays as it is.
    ///
    /// # Errors
    /// As [`Book::record`].
    fn propose(&self, file: &ImportedFile, proposals: &[Proposal]) -> Result<Proposed, BookError>;

    /// Every proposal, and every assertion that came with other files, in the order in which they
    /// came.
    ///
    /// # Errors
    /// See [`BookError`].
    fn proposals(&self) -> Result<Vec<Kept>, BookError>;

    /// Takes proposals into the book: claims as claims, names of groups and clusters as such, the
    /// rest as assertions. Those that are in it already, and ids of none, add nothing.
    ///
    /// # Errors
    /// As [`Book::record`].
    fn accept(&self, ids: &[u64], at: Timestamp) -> Result<Recorded, BookError>;

    /// The present version; zero while the book is empty.
    ///
    /// # Errors
    /// See [`BookError`].
    fn version(&self) -> Result<u64, BookError>;

    /// All claims, clusters and facts, in the order in which they were recorded.
    ///
    /// # Errors
    /// See [`BookError`].
    fn snapshot(&self) -> Result<Snapshot, BookError>;

    /// As much of the snapshot as one subject needs: asked for the claims, facts, notes and priorities of that
    /// subject, it answers as the whole one does. Of anything else it may know nothing.
    ///
    /// # Errors
    /// See [`BookError`].
    fn about(&self, subject: &Subject) -> Result<Snapshot, BookError>;

    /// What was seen of hosts and names, in the order in which it was recorded.
    ///
    /// # Errors
    /// See [`BookError`].
    fn traits(&self) -> Result<Vec<Trait>, BookError>;

    /// All of passive DNS, in the order in which it was recorded. [`Book::snapshot`] keeps what follows for claims.
    ///
    /// # Errors
    /// See [`BookError`].
    fn resolutions(&self) -> Result<Vec<Record>, BookError>;

    /// What was said of clusters, in the order in which it was recorded: one may stand there often.
    ///
    /// # Errors
    /// See [`BookError`].
    fn clusters(&self) -> Result<Vec<Cluster>, BookError>;

    /// The networks as last described, in the order of prefixes.
    ///
    /// # Errors
    /// See [`BookError`].
    fn networks(&self) -> Result<Vec<Network>, BookError>;

    /// Notes that a hunt ran at `at`, over flows that reach to `until`.
    ///
    /// # Errors
    /// As [`Book::record`].
    fn record_look(&self, at: Timestamp, until: Timestamp) -> Result<(), BookError>;

    /// The events, in the order of time, then label. One explores if it was registered after a hunt had swept flows
    /// of later than it.
    ///
    /// # Errors
    /// See [`BookError`].
    fn events(&self) -> Result<Vec<Event>, BookError>;

    /// Every import that added something, oldest first.
    ///
    /// # Errors
    /// See [`BookError`].
    fn imports(&self) -> Result<Vec<Entry>, BookError>;
}

/// A file that is being imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedFile {
    /// Its name, for people.
    pub name: String,
    /// BLAKE3 of its octets and of the options it was read with, in hexadecimal.
    pub content: String,
    /// When it is imported.
    pub imported_at: Timestamp,
}

impl ImportedFile {
    /// The file of this name and these octets, read with these options.
    pub fn new(name: &str, bytes: &[u8], options: &ReadOptions, imported_at: Timestamp) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(blake3::hash(bytes).as_bytes());
        // The debug form holds every field and cannot forget a new one.
        hasher.update(format!("{options:?}").as_bytes());
        Self { name: name.to_owned(), content: hasher.finalize().to_hex().to_string(), imported_at }
    }
}

/// A proposal as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its number, by which a person accepts it.
    pub id: u64,
    /// The file it came from.
    pub file: String,
    /// What it says.
    pub proposal: Proposal,
    /// The version of the book that took it in; none while it waits.
    pub accepted: Option<u64>,
}

/// What became of the proposals of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// The ids of all of them, in their order.
    pub ids: Vec<u64>,
    /// How many are new.
    pub added: usize,
}

/// The clusters that accepted proposals name: groups and clusters by their name, and those of
/// claims by the name that some proposal gives them.
pub fn clusters_of(accepted: &[&Proposal], all: &[Kept]) -> Vec<Cluster> {
    let mut clusters: BTreeMap<ClusterId, Cluster> = BTreeMap::new();
    let mut add = |cluster: Cluster| match clusters.get_mut(&cluster.id) {
        Some(known) => absorb(known, cluster),
        None => {
            clusters.insert(cluster.id.clone(), cluster);
        }
    };
    let named = |name: &str, named: bool, tools: Vec<String>| {
        let name = tidy_name(name);
        Cluster { id: ClusterId::of_name(&name), name, named, tools }
    };
    for proposal in accepted {
        match &proposal.statement {
            Statement::Assertion(Assertion { subject, relation: Relation::Is, object, .. }) => {
                match Kind::from_word(object) {
                    Some(Kind::Group) => add(named(subject, true, Vec::new())),
                    Some(Kind::Cluster) => add(named(subject, false, Vec::new())),
                    _ => {}
                }
            }
            Statement::Assertion(Assertion { subject, relation: Relation::Uses, object, .. }) => {
                add(named(subject, false, vec![object.clone()]));
            }
            Statement::Claim(Claim { cluster: Some(id), tools, .. }) => {
                let name = all.iter().find_map(|kept| match &kept.proposal.statement {
                    Statement::Assertion(said) if ClusterId::of_name(&said.subject) == *id => {
                        Some(&said.subject)
                    }
                    _ => None,
                });
                let name = name.map_or_else(|| id.0.to_string(), Clone::clone);
                add(Cluster { id: id.clone(), ..named(&name, false, tools.clone()) });
            }
            Statement::Claim(_) | Statement::Assertion(_) => {}
        }
    }
    clusters.into_values().collect()
}

/// How far a part of a feed was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The name of the feed.
    pub feed: String,
    /// Which part of it: a collection, an event, a file.
    pub part: String,
    /// Where in it. Only the reader of that kind of feed knows what it means.
    pub position: String,
}

/// What an import added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The version of the book that holds it.
    pub version: u64,
    /// Claims, networks or events added or described anew.
    pub added: usize,
    /// Whether the same content had been imported before.
    pub already: bool,
}

/// One import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The version it made.
    pub version: u64,
    /// The name of the file.
    pub name: String,
    /// See [`ImportedFile::content`].
    pub content: String,
    /// When.
    pub imported_at: Timestamp,
    /// Claims, networks or events added or described anew.
    pub added: usize,
    /// Texts refused.
    pub refused: usize,
}

/// Why the book did not do what was asked, by what the caller can do about it.
#[derive(Debug, Error)]
pub enum BookError {
    /// What is stored is no book, or is damaged.
    #[error("`{path}` is not a book that can be read: {remedy}")]
    Damaged {
        /// Where.
        path: String,
        /// What to do.
        remedy: String,
        /// How that shows.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// Another process holds the book. Trying again may help.
    #[error("another process is writing to the book: try again")]
    Busy {
        /// What the database says.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The disk or the database failed.
    #[error("{action} failed")]
    Failed {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
}

/// What makes two claims the same statement: 128 bits of BLAKE3 over every field.
///
/// The line of a list is left out, because lists grow at the top; the id of a STIX object counts,
/// because its later versions replace it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub [u8; 16]);

impl Identity {
    /// The identity of a claim.
    pub fn of(claim: &Claim) -> Self {
        let Claim {
            indicator,
            port,
            protocol,
            validity,
            basis,
            cluster,
            tools,
            source,
            place,
            published,
            confidence,
            tlp,
            revoked,
        } = claim;
        let mut hasher = blake3::Hasher::new();
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        text(indicator.kind());
        text(&indicator.to_string());
        text(source);
        text(cluster.as_ref().map_or("", |id| &id.0));
        text(if is_object_id(place) { place } else { "" });
        for tool in tools {
            text(tool);
        }
        text(basis.word());
        text(tlp.map_or("", |tlp| tlp.word()));
        let number = |number: Option<i64>| {
            number.map_or([0; 9], |n| {
                let mut octets = [1; 9];
                octets[1..].copy_from_slice(&n.to_le_bytes());
                octets
            })
        };
        for part in [
            port.map(i64::from),
            protocol.map(i64::from),
            Some(validity.from.micros()),
            Some(validity.until.micros()),
            published.map(Timestamp::micros),
            confidence.map(i64::from),
            Some(i64::from(*revoked)),
        ] {
            hasher.update(&number(part));
        }
        let mut identity = [0; 16];
        identity.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(identity)
    }
}

#[cfg(test)]
mod tests {
    use rahdar_model::intelligence::{ClusterId, Indicator, Tlp, WindowBasis};
    use rahdar_model::{Day, Window};

    use super::*;

    fn claim() -> Claim {
        Claim {
            indicator: Indicator::Domain("c2.example.org".to_owned()),
            port: None,
            protocol: None,
            validity: Window::ALL,
            basis: WindowBasis::Undated,
            cluster: None,
            tools: Vec::new(),
            source: "a report".into(),
            place: "line 1".to_owned(),
            published: None,
            confidence: None,
            tlp: None,
            revoked: false,
        }
    }

    #[test]
    fn every_field_but_the_line_makes_another_statement() {
        let changes: [fn(&mut Claim); 12] = [
            |c| c.indicator = Indicator::Url("c2.example.org".to_owned()),
            |c| c.port = Some(0),
            |c| c.protocol = Some(0),
            |c| c.validity = Day(1).window(),
            |c| c.basis = WindowBasis::Stated,
            |c| c.cluster = Some(ClusterId::of_name("a")),
            |c| c.tools = vec!["a".to_owned()],
            |c| c.source = "another".into(),
            |c| c.place = "indicator--1".to_owned(),
            |c| c.published = Some(Day(0).start()),
            |c| c.confidence = Some(0),
            |c| c.tlp = Some(Tlp::Clear),
        ];
        let mut identities = vec![Identity::of(&claim())];
        for change in changes {
            let mut changed = claim();
            change(&mut changed);
            identities.push(Identity::of(&changed));
        }
        identities.push(Identity::of(&Claim { revoked: true, ..claim() }));
        let distinct: std::collections::BTreeSet<_> = identities.iter().collect();
        assert_eq!(distinct.len(), identities.len());
        assert_eq!(Identity::of(&Claim { place: "line 2".to_owned(), ..claim() }), Identity::of(&claim()));
    }

    #[test]
    fn content_depends_on_octets_and_options_and_on_nothing_else() {
        let options = ReadOptions::default();
        let other = ReadOptions { cluster: Some("RedFoxtrot".to_owned()), ..ReadOptions::default() };
        let content = |name, bytes: &[u8], options, at| {
            ImportedFile::new(name, bytes, options, Day(at).start()).content
        };
        assert_eq!(content("a", b"x", &options, 1), content("b", b"x", &options, 2));
        assert_ne!(content("a", b"x", &options, 1), content("a", b"y", &options, 1));
        assert_ne!(content("a", b"x", &options, 1), content("a", b"x", &other, 1));
    }
}
