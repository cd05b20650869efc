//! What makes a finding stand up to a denial: what else could explain it, what may be said of
//! octets that left, what came first, who may be behind it, and who else was there.
//!
//! Nouns alone; `rahdar-hunt` makes them, `rahdar-case` writes them down.

use std::sync::Arc;

use crate::address::Address;
use crate::finding::Verdict;
use crate::intelligence::{ClusterId, Tlp};
use crate::time::Timestamp;

/// The explanation other than command traffic for which most speaks.
#[derive(Debug, Clone, PartialEq)]
pub struct Rival {
    /// A stable word: `scanner`, `reassigned`, `service`, …
    pub kind: &'static str,
    /// What it would mean, in words: `the address had passed to somebody else`.
    pub text: String,
    /// Decibans by which the evidence speaks for it: positive.
    pub weight: f64,
}

/// What may be said of octets that left for a cluster (`methods.md` §5).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Upload {
    /// Octets of payload that left, at least: without headers and acknowledgements.
    pub payload_low: f64,
    /// Producer/consumer ratio of payload, −1 (all came) to 1 (all left); none without payload.
    pub balance: Option<f64>,
    /// What the conditions allow to say.
    pub claim: UploadClaim,
    /// Which condition holds, or which does not.
    pub why: String,
    /// Whether part of the octets may belong to another cluster: low counts none of that, high all.
    pub is_shared: bool,
    /// Days between first and last contact of which no record is; none where each has one.
    pub unseen: Option<Unseen>,
}

/// What a volume may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum UploadClaim {
    /// Nothing but traffic of some volume.
    #[default]
    Volume,
    /// Traffic with exfiltration's pattern.
    Exfiltration,
}

impl UploadClaim {
    /// The word in output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Exfiltration => "exfiltration",
        }
    }
}

/// Days without a record, which are not days without contact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unseen {
    /// How many.
    pub days: u32,
    /// Octets that may have left on each without leaving a record, at 95 %; none where nothing
    /// bounds them.
    pub high: Option<f64>,
}

/// First contact against one registered event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chronology {
    /// The event.
    pub event: String,
    /// When it happened.
    pub at: Timestamp,
    /// What came first.
    pub order: Order,
    /// Whole UTC days from the event to first contact; negative if contact came first.
    pub days: i64,
    /// What keeps the order from being known; empty where it is.
    pub why: String,
}

/// What came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// Contact, before the event.
    Before,
    /// Contact began on the day of the event.
    SameDay,
    /// The event; telemetry covers the time between, and some before.
    After,
    /// Contact was seen after the event, and nobody watched before or in between.
    NotCovered,
}

impl Order {
    /// The word in output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::SameDay => "same day",
            Self::After => "after",
            Self::NotCovered => "not covered",
        }
    }
}

/// How one name stands to another (`methods.md` §7.2). Names are never merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// Two names of one thing.
    Same,
    /// Part of it.
    Subset,
    /// They have something in common.
    Overlaps,
    /// Suspected.
    Suspected,
    /// It is said to work for this state, organ or unit: no name of its own.
    AttributedTo,
}

impl Relation {
    /// Every relation.
    pub const ALL: [Self; 5] =
        [Self::Same, Self::Subset, Self::Overlaps, Self::Suspected, Self::AttributedTo];

    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Subset => "subset",
            Self::Overlaps => "overlaps",
            Self::Suspected => "suspected",
            Self::AttributedTo => "attributed to",
        }
    }
}

/// One dated, sourced statement that a cluster is, or may be, somebody's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribution {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Whose it is said to be.
    pub actor: String,
    /// How the two are said to stand.
    pub relation: Relation,
    /// Who says so.
    pub source: Arc<str>,
    /// When it was said, if known.
    pub published: Option<Timestamp>,
    /// The source's own confidence, 0–100.
    pub confidence: Option<u8>,
    /// How far it may travel.
    pub tlp: Option<Tlp>,
}

/// One answer to the question who is behind a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// Whose it would be; none is somebody whom no source names.
    pub actor: Option<String>,
    /// Its share of belief, 0–1; those of one cluster add up to 1.
    pub weight: f64,
    /// The statements behind it, by source.
    pub statements: Vec<Attribution>,
}

/// One cluster, over all victims.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterAccount {
    /// Its id.
    pub id: ClusterId,
    /// Its name as imported.
    pub name: String,
    /// Who may be behind it, the likeliest first.
    pub hypotheses: Vec<Hypothesis>,
    /// What it touched: every host with a finding of it, believed or not, in the order of addresses.
    pub touched: Vec<Touched>,
    /// Addresses and networks claimed for it in the book, each once, whatever the port.
    pub endpoints_claimed: usize,
    /// Of these, those that a believed contact met, on whatever port.
    pub endpoints_met: usize,
}

/// A host that a cluster touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touched {
    /// Which.
    pub address: Address,
    /// How far that is believed.
    pub verdict: Verdict,
    /// First contact; none where no clock tells when that was.
    pub first_seen: Option<Timestamp>,
    /// Last packet, likewise.
    pub last_seen: Option<Timestamp>,
}

/// Two clusters on one victim, and what they have in common (`methods.md` §7.6).
#[derive(Debug, Clone, PartialEq)]
pub struct Company {
    /// The victim.
    pub victim: Address,
    /// The two clusters, in order.
    pub clusters: [ClusterId; 2],
    /// Addresses that claims of both name for the time of contact.
    pub shared_addresses: Vec<Address>,
    /// Malware named with both.
    pub shared_tools: Vec<String>,
    /// Days on which both were in contact.
    pub common_days: u32,
    /// The chance of as many common days by coincidence; none where that cannot be tested.
    pub p_value: Option<f64>,
    /// The same, with regard to all pairs of the hunt (Benjamini and Hochberg).
    pub p_adjusted: Option<f64>,
    /// What that amounts to.
    pub relation: CompanyKind,
    /// The same in words, without names.
    pub why: String,
}

/// What two clusters on one victim have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CompanyKind {
    /// Addresses: they may be one.
    SharedInfrastructure,
    /// Days beyond coincidence.
    SharedTiming,
    /// Malware alone, which groups share.
    SharedTool,
    /// Nothing but the victim.
    Coincidence,
}

impl CompanyKind {
    /// The word in output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SharedInfrastructure => "shared infrastructure",
            Self::SharedTiming => "shared timing",
            Self::SharedTool => "shared tool",
            Self::Coincidence => "coincidence",
        }
    }
}
