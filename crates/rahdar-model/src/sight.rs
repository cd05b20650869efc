//! What telemetry could have seen: how much of a time was recorded, and what leaves no record.
//!
//! Nouns alone; `rahdar-hunt` makes them, `rahdar-case` writes them down.

use std::sync::Arc;

use crate::coverage::Lost;
use crate::intelligence::Cluster;
use crate::marking::Marking;
use crate::time::Window;

/// A time in which an exporter did not record, though it should have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hole {
    /// Whole hours, neighbours joined.
    pub window: Window,
    /// Which exporter.
    pub exporter: Arc<str>,
    /// Its subdivision.
    pub observation_domain: u32,
    /// Flow records that it would usually have begun in that time.
    pub usual_flows: u64,
    /// What is known to be missing of that time, per cause and unit, in that order; of a gap that is longer, all of
    /// it. Empty where the exporter was merely silent.
    pub lost: Vec<Lost>,
}

/// How well some exporters could see during some time.
#[derive(Debug, Clone, PartialEq)]
pub struct Sight {
    /// Hours of the time, rounded up.
    pub hours: u64,
    /// Of these, hours in which at least one of them was recording.
    pub hours_recorded: u64,
    /// The share of what they sent that arrived, 0–1: of the exporter that lost most; none where none recorded.
    pub arrived: Option<f64>,
    /// Packets from which on a contact in a recorded hour leaves a record with a chance of 95 %; none where
    /// that is not assessable.
    pub least_packets: Option<u64>,
    /// Why it is not; empty where it is.
    pub why: String,
}

impl Sight {
    /// None at all, for this reason.
    pub fn none(why: &str) -> Self {
        Self { hours: 0, hours_recorded: 0, arrived: None, least_packets: None, why: why.to_owned() }
    }
}

/// How well the exporters that recorded a finding could see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Witness {
    /// From first to last contact.
    pub sight: Sight,
    /// Packets of a typical contact, both ways together; none where that is not assessable.
    pub contact_packets: Option<u64>,
    /// The chance that such a contact, at any moment from first to last, leaves a record; none likewise.
    pub detection: Option<f64>,
    /// Why it is not assessable; empty where it is.
    pub why: String,
    /// When they did not record: from the time just before first contact to that just after last, sorted.
    pub holes: Vec<Hole>,
}

impl Witness {
    /// Nobody, for this reason.
    pub fn none(why: &str) -> Self {
        let sight = Sight::none(why);
        Self { why: sight.why.clone(), sight, contact_packets: None, detection: None, holes: Vec::new() }
    }
}

/// A cluster, or one indicator of it, that no host was in contact with, and what that says.
#[derive(Debug, Clone, PartialEq)]
pub struct NotSeen {
    /// Whose it is said to be.
    pub cluster: Cluster,
    /// The indicator; none where all of the cluster's are meant.
    pub indicator: Option<String>,
    /// Claims on addresses: flows show contact with these alone.
    pub claims: u64,
    /// From when to when claims held and exporters are known to exist; none where these times do not meet.
    pub window: Option<Window>,
    /// How well contact would have been seen while they held.
    pub sight: Sight,
    /// How far it may travel: the marking of its claims.
    pub marking: Marking,
}
