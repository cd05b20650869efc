//! What a hunt says: findings, with their reasons and bounds.
//!
//! These are the nouns; `rahdar-hunt` makes them, `rahdar-case` writes them down.

use std::sync::Arc;

use crate::account::{Chronology, ClusterAccount, Company, Rival, Upload};
use crate::address::Address;
use crate::coverage::ExporterCoverage;
use crate::estimate::Estimate;
use crate::intelligence::Cluster;
use crate::marking::Marking;
use crate::profile::Profile;
use crate::sight::{NotSeen, Witness};
use crate::time::{Day, Timestamp, Window};

/// Everything one hunt says.
#[derive(Debug, Clone, PartialEq)]
pub struct Hunt {
    /// The window that was swept.
    pub window: Window,
    /// Flows in it.
    pub flows_swept: u64,
    /// Claims that were asked for: all of the book, or those of one cluster.
    pub claims_asked: u64,
    /// The version of the book that the claims came from.
    pub intelligence_version: u64,
    /// The version of the flow table that was read.
    pub table_version: u64,
    /// Believed, in the order of confidence, then victim, then cluster.
    pub findings: Vec<Finding>,
    /// Matched but not believed, with the reason.
    pub discounted: Vec<Finding>,
    /// The pooled octets that left each victim, over all clusters, in the order of victims.
    pub victims: Vec<VictimTotal>,
    /// The pooled octets that left all victims: bounds are pooled first, then computed.
    pub octets_out: Estimate,
    /// Those of them that left for contact that is confirmed by itself.
    pub octets_out_confirmed: Estimate,
    /// What the telemetry could see.
    pub coverage: Vec<ExporterCoverage>,
    /// Clusters that no host was in contact with, in the order of ids; where one was asked for, its indicators that
    /// none was in contact with.
    pub not_seen: Vec<NotSeen>,
    /// Every believed cluster: where it was, and who may be behind it; in the order of ids.
    pub clusters: Vec<ClusterAccount>,
    /// Clusters that share a victim, two by two, in the order of victims and ids.
    pub companies: Vec<Company>,
    /// The calibration that weighed the evidence; none where the defaults did.
    pub calibration: Option<String>,
    /// How far all of it may travel: the marking of every finding, and of all that is told of clusters.
    pub marking: Marking,
}

/// The pooled octets that left one victim.
#[derive(Debug, Clone, PartialEq)]
pub struct VictimTotal {
    /// Which.
    pub address: Address,
    /// Clusters believed to be on it, as sources name them.
    pub clusters: usize,
    /// Octets to all of them together, each counted once.
    pub octets_out: Estimate,
    /// Those of them that left for contact that is confirmed by itself.
    pub octets_out_confirmed: Estimate,
}

/// One victim and one cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Stable over reruns: derived from victim and cluster.
    pub id: String,
    /// The monitored end.
    pub victim: Victim,
    /// Who is behind the other end, as far as anyone says.
    pub cluster: Cluster,
    /// How far it is believed.
    pub verdict: Verdict,
    /// 1–99 (STIX confidence).
    pub confidence: u8,
    /// Admiralty credibility of information: 1 confirmed to 5 improbable, 6 cannot be judged.
    pub credibility: u8,
    /// Reasons for and against, heaviest first.
    pub reasons: Vec<Reason>,
    /// First believed contact; none where no clock tells when that was.
    pub first_seen: Option<Timestamp>,
    /// Last packet of believed contact, likewise.
    pub last_seen: Option<Timestamp>,
    /// Whether contact may have begun earlier or gone on, and been on more days: coverage begins or ends
    /// there, has a hole there or between, or records are samples, which miss contact.
    pub at_least: bool,
    /// How well the exporters that recorded it could see it.
    pub witness: Witness,
    /// Whether some believed contact is with an address that no other believed cluster claims for that time.
    /// Without any, this cluster and another may be one under two names.
    pub is_distinct: bool,
    /// Days with believed contact, as far as clocks tell them.
    pub days_active: u32,
    /// Flow records of believed contact.
    pub flows: u64,
    /// The exporters that recorded them, in order.
    pub exporters: Vec<Arc<str>>,
    /// IP octets from the victim to believed indicators.
    pub octets_out: Estimate,
    /// Those of them that went to indicators with which contact is confirmed by itself.
    pub octets_out_confirmed: Estimate,
    /// IP octets from believed indicators to the victim.
    pub octets_in: Estimate,
    /// Calls of which nothing arrived; their octets are in neither of the two.
    pub attempts: Attempts,
    /// Flow records between them that are not counted: another input of their exporter holds the same.
    pub repeated: u64,
    /// Regularity of contact.
    pub rhythm: Rhythm,
    /// Confirmed increases.
    pub surges: Vec<Surge>,
    /// Every registered event that it was tested against, by date.
    pub event_tests: Vec<EventTest>,
    /// Single days far above the rest.
    pub spikes: Vec<Spike>,
    /// Day by day, in order, days without contact left out.
    pub daily: Vec<Daily>,
    /// The endpoints contacted, in the order of first contact.
    pub infrastructure: Vec<Infrastructure>,
    /// What else may explain it best; none where nothing speaks for anything else.
    pub rival: Option<Rival>,
    /// What may be said of octets that left.
    pub upload: Upload,
    /// First contact against each registered event, by date.
    pub chronology: Vec<Chronology>,
    /// How far it may travel: the marking of every claim that it rests on.
    pub marking: Marking,
}

/// Calls that were refused, or that nobody answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Flow records.
    pub flows: u64,
    /// IP octets of the victim's packets in them, as recorded.
    pub octets: u64,
}

/// A monitored host in contact with an indicator. What is told of it is the first of what is known:
/// [`Victim::profile`] has the rest, and who says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Victim {
    /// Its address.
    pub address: Address,
    /// Origin AS of its network.
    pub asn: Option<u32>,
    /// Whose network; empty where unknown.
    pub org: String,
    /// Sector; empty where unknown.
    pub sector: String,
    /// Country; empty where unknown.
    pub country: String,
    /// What it does, by its behaviour or by a person's word: `mail server`, …
    pub roles: Vec<String>,
    /// All that is known of it.
    pub profile: Profile,
}

/// How far a finding is believed (`architecture.md` §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Matched, not believed.
    Discounted,
    /// Weak: worth a look.
    Possible,
    /// Probable communication, or a silent command server.
    Likely,
    /// Validated communication.
    Confirmed,
}

impl Verdict {
    /// The word in output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Discounted => "discounted",
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Confirmed => "confirmed",
        }
    }
}

/// One reason, for (positive) or against (negative).
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// A stable word: `establishment`, `validity`, `sinkhole`, …
    pub kind: &'static str,
    /// Decibans: 10·log10 of a likelihood ratio.
    pub weight: f64,
    /// A sentence for people.
    pub text: String,
}

/// Regularity of contact.
#[derive(Debug, Clone, PartialEq)]
pub struct Rhythm {
    /// Seconds between contacts; none unless a rhythm was found, and its period is known well enough.
    pub period_s: Option<f64>,
    /// Strength, 0–1, and 0 where there is none; none unless judged. Each method measures another: to be compared
    /// only where `why` names the same.
    pub score: Option<f64>,
    /// The chance of contacts as regular as these without a rhythm; none where nothing was
    /// searched.
    pub p_value: Option<f64>,
    /// Whether the data allowed a judgement.
    pub judged: bool,
    /// Why, or why not.
    pub why: String,
}

/// An increase that a test confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct Surge {
    /// The registered event, or the localised change.
    pub window: Window,
    /// The day that separates low from high best: when the increase began, as far as the data
    /// tell.
    pub since: Day,
    /// Mean octets a day after over mean before; infinite where nothing was before. Too high where the
    /// date was found: the same days chose it.
    pub ratio: f64,
    /// The lower end of its 95 % interval; 0 where there is none, as of every date that was found, and of an event
    /// that was tested within a part of the life, on one side of another increase.
    pub ratio_low: f64,
    /// The upper end of its 95 % interval; infinite where there is none.
    pub ratio_high: f64,
    /// Probability of such an increase by chance, of this test alone.
    pub p_value: f64,
    /// The same, with regard to all tests of the hunt (Benjamini and Hochberg).
    pub p_adjusted: f64,
    /// The registered event it was tested against.
    pub event: Option<String>,
    /// Whether the event was registered after a look at the flows; never of a date that was found.
    pub is_exploratory: bool,
}

/// What the test of one registered event says of one finding.
#[derive(Debug, Clone, PartialEq)]
pub struct EventTest {
    /// The event.
    pub event: String,
    /// When it happened.
    pub at: Timestamp,
    /// Whether it was registered after a look at the flows.
    pub is_exploratory: bool,
    /// Whether the data tell if there was an increase: one is told, or one to twice as much would have been found.
    pub assessed: bool,
    /// Probability of such an increase after it by chance; none where no test could be made.
    pub p_value: Option<f64>,
    /// The same, with regard to all tests of the hunt (Benjamini and Hochberg).
    pub p_adjusted: Option<f64>,
    /// Why it was not assessed, or why it is not told as an increase though it is one.
    pub why: String,
}

/// One day far above the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Spike {
    /// Which.
    pub day: Day,
    /// Over the median active day.
    pub ratio: f64,
}

/// One day of contact.
#[derive(Debug, Clone, PartialEq)]
pub struct Daily {
    /// Which.
    pub day: Day,
    /// Octets from the victim.
    pub octets_out: Estimate,
    /// Octets to the victim.
    pub octets_in: Estimate,
    /// Flow records.
    pub flows: u64,
}

/// One endpoint that the victim was in contact with.
#[derive(Debug, Clone, PartialEq)]
pub struct Infrastructure {
    /// The address contacted.
    pub address: Address,
    /// Its port.
    pub port: u16,
    /// IP protocol.
    pub protocol: u8,
    /// The indicator that matched, as text.
    pub indicator: String,
    /// When the claim behind it holds.
    pub validity: Window,
    /// Who made the claim.
    pub source: Arc<str>,
    /// First contact; none where no clock tells when that was.
    pub first_seen: Option<Timestamp>,
    /// Last packet, likewise.
    pub last_seen: Option<Timestamp>,
    /// Flow records.
    pub flows: u64,
}
