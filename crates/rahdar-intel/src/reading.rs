//! What comes of reading one file: claims, clusters and facts, and what was refused.

use std::collections::BTreeMap;
use std::fmt;

use rahdar_model::intelligence::{Claim, Cluster, ClusterId, HostFact, Tlp};
use rahdar_model::{Timestamp, Window};
use thiserror::Error;

use crate::age::Report;
use crate::alias::Alias;
use crate::assertion::{Assertion, Proposal};
use crate::benign::Note;
use crate::pdns::Record;
use crate::pivot::Trait;
use crate::scan::rule::Rules;
use crate::stix::object::ObjectError;
use crate::stix::pattern::PatternError;

/// What the person who imports a file says about it. What they say wins over what the file says,
/// but for the marking: of two markings the stricter holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Whose infrastructure it is.
    pub cluster: Option<String>,
    /// Who says so.
    pub source: Option<String>,
    /// When it was published.
    pub published: Option<Timestamp>,
    /// When the claims begin to hold.
    pub valid_from: Option<Timestamp>,
    /// When the claims cease to hold.
    pub valid_until: Option<Timestamp>,
    /// How far it may travel.
    pub tlp: Option<Tlp>,
    /// Confidence in the claims, 0–100.
    pub confidence: Option<u8>,
    /// What makes a host of a scan hostile; without it a scan claims nothing.
    pub rules: Option<Rules>,
}

/// What one file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What kind of file it is.
    pub format: Format,
    /// Claims, in the order of the file, none twice.
    pub claims: Vec<Claim>,
    /// The clusters that the claims name and the groups that the file describes, in the order of
    /// ids.
    pub clusters: Vec<Cluster>,
    /// Host facts, in the order of the file.
    pub facts: Vec<HostFact>,
    /// What was meant as an indicator and refused, in the order of the file: at most
    /// [`REFUSALS_KEPT`].
    pub refused: Vec<Refusal>,
    /// How many were refused in all.
    pub refused_count: usize,
    /// How much was understood but is of a kind that flows cannot answer, by kind.
    pub set_aside: BTreeMap<String, usize>,
    /// What the file as a whole decided about its rows, in words.
    pub remarks: Vec<String>,
    /// Where the names of clusters came from, in the order of the file, each once.
    pub namings: Vec<Naming>,
    /// Reports about indicators, in the order of the file.
    pub reports: Vec<Report>,
    /// Names and the addresses that they stood for, in the order of the file.
    pub resolutions: Vec<Record>,
    /// What was seen of hosts and names, in the order of the file.
    pub traits: Vec<Trait>,
    /// Names that stood for other names, in the order of the file.
    pub aliases: Vec<Alias>,
    /// Names that a list warns of, in the order of the file.
    pub notes: Vec<Note>,
    /// What a galaxy, a bundle or a table says of names, in the order of the file.
    pub assertions: Vec<Assertion>,
    /// What a report says, in its order. It waits for a person, and is all that a report makes.
    pub proposals: Vec<Proposal>,
}

/// Refusals kept with their text; chosen here: nobody reads more, and a hostile file is all errors.
pub const REFUSALS_KEPT: usize = 10_000;
/// Claims that one file may make; chosen here: the largest public feeds hold a tenth.
pub const CLAIMS_MAX: usize = 5_000_000;
/// Traits that one file may tell; chosen here, as for claims.
pub const TRAITS_MAX: usize = 5_000_000;
/// The longest text that a refusal quotes, in characters.
const QUOTE_MAX: usize = 120;

/// The kinds of files that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One indicator a line, more or less, with headings.
    List,
    /// Rows and columns, with a header.
    Table,
    /// A STIX bundle, 2.1 or 2.0.
    Stix,
    /// MISP events, a galaxy, or the manifest of a feed.
    Misp,
    /// Passive DNS.
    PassiveDns,
    /// Results of zgrab2, Shodan or Censys.
    Scan,
    /// A MISP warning list.
    WarningList,
    /// A report: text, Markdown, HTML or PDF.
    Report,
    /// A table of who is said to be behind clusters.
    Attributions,
}

impl Format {
    /// The word for it: `list`, `table`, `stix`, `misp`, `passive dns`, `scan`,
    /// `warning list`, `report`, `attributions`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Table => "table",
            Self::Stix => "stix",
            Self::Misp => "misp",
            Self::PassiveDns => "passive dns",
            Self::Scan => "scan",
            Self::WarningList => "warning list",
            Self::Report => "report",
            Self::Attributions => "attributions",
        }
    }
}

/// Something that was meant as an indicator and is none that can be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where: `line 12`, or the id of a STIX object.
    pub place: String,
    /// The text, cut at 120 characters.
    pub text: String,
    /// Why.
    pub reason: Reason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`: {}", self.place, self.text, self.reason)
    }
}

/// Why an indicator was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Reason {
    /// A statement about a cluster that lacks what it needs.
    #[error(
        "a statement needs a cluster, an actor and a relation: same as, part of, overlaps, suspected or attributed \
         to; a date and a confidence of 0 to 100 may follow"
    )]
    Attribution,
    /// It looks like an address and is none.
    #[error("not an IP address")]
    NotAddress,
    /// A prefix longer than its family allows.
    #[error("the prefix length is out of range")]
    PrefixLength,
    /// A network so large that the length must be a typing error.
    #[error(
        "the network is too broad to accuse: IPv4 /{IPV4_BROADEST} and IPv6 /{IPV6_BROADEST} are the broadest"
    )]
    TooBroad,
    /// A network so large that it says nothing of its hosts.
    #[error(
        "the network is too broad to belong to one owner: IPv4 /{IPV4_OWNED} and IPv6 /{IPV6_OWNED} are the broadest"
    )]
    TooBroadToOwn,
    /// Nobody can answer at that address.
    #[error("the address is unspecified, loopback, link-local, multicast or reserved")]
    Unroutable,
    /// A port beyond 1–65535.
    #[error("the port is out of range")]
    Port,
    /// A URL without a host name or address.
    #[error("the URL has no valid host")]
    UrlHost,
    /// Hexadecimal digits, but not as many as a hash has.
    #[error("{0} hexadecimal digits are no MD5, SHA-1 or SHA-256")]
    HashLength(usize),
    /// A column says one kind and the cell holds another.
    #[error("not of the type `{0}`")]
    NotOfType(String),
    /// A cell of an indicator column without an indicator.
    #[error("no indicator")]
    NoIndicator,
    /// A time that cannot be read.
    #[error("`{0}` is not a time: write 2021-08-15 or 2021-08-15T12:30:00Z")]
    Time(String),
    /// A date whose day may be its month.
    #[error("`{0}` may be two days, and no other row tells which number is the day: write 2021-08-15")]
    Order(String),
    /// A window that ends before it begins.
    #[error("the window ends before it begins: {0:?}")]
    Window(Window),
    /// A confidence beyond 0–100.
    #[error("`{0}` is no confidence from 0 to 100")]
    Confidence(String),
    /// A TLP word that is none.
    #[error("`{0}` is no TLP marking")]
    Tlp(String),
    /// A host class that is none.
    #[error("`{0}` is no host class: dedicated, pool, cloud, shared, cdn, sinkhole or scanner")]
    Class(String),
    /// A host class on something that is no address.
    #[error("a host class needs an address or a network")]
    ClassOfName,
    /// A row with more cells than the header has columns, or with broken quotes.
    #[error("the row does not fit the header")]
    Row,
    /// A line or a cell longer than any list needs.
    #[error("it is longer than {LINE_MAX} octets")]
    LongLine,
    /// A STIX object that lacks what its type requires, or has it in a wrong form.
    #[error("not a valid STIX object: {0}")]
    Object(ObjectError),
    /// A record that lacks what its kind requires, or has it in a wrong form.
    #[error("it cannot be read: {0}")]
    Malformed(String),
    /// A STIX pattern that does not follow the grammar.
    #[error("the pattern cannot be read: {0}")]
    Pattern(PatternError),
}

/// The broadest IPv4 network that is believed; chosen here: a shorter prefix holds networks of
/// many owners.
pub(crate) const IPV4_BROADEST: u8 = 16;
/// The broadest IPv6 network that is believed; chosen here: what one provider is given.
pub(crate) const IPV6_BROADEST: u8 = 32;
/// The broadest IPv4 network of which a fact is believed: the largest block of one owner.
pub(crate) const IPV4_OWNED: u8 = 8;
/// The broadest IPv6 network of which a fact is believed; chosen here: a provider holds a /19 at most.
pub(crate) const IPV6_OWNED: u8 = 16;
/// The longest line of a list, and the longest cell of a table, in octets (`reliability.md` §3: strings of 1 MiB).
pub(crate) const LINE_MAX: usize = 1 << 20;

/// Where the name of a cluster was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// The cluster.
    pub cluster: ClusterId,
    /// Where its name stood.
    pub origin: Origin,
}

/// The places where a cluster's name is looked for, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The person who imports named it.
    Operator,
    /// A column of the table.
    Column,
    /// An object of the bundle.
    Object,
    /// A tag or a galaxy of the event.
    Tag,
    /// The rule that a host of a scan matched.
    Rule,
    /// A heading above the indicator.
    Heading,
    /// The sentence, or the one before it.
    Sentence,
    /// The first lines of the file.
    FirstLines,
    /// The name of the file.
    FileName,
    /// The name of a folder it lies in.
    Folder,
}

impl Origin {
    /// The place in words.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Operator => "the operator",
            Self::Column => "a column",
            Self::Object => "an object of the bundle",
            Self::Tag => "a tag of the event",
            Self::Rule => "a rule over scans",
            Self::Heading => "a heading",
            Self::Sentence => "the sentence",
            Self::FirstLines => "the first lines",
            Self::FileName => "the name of the file",
            Self::Folder => "the name of the folder",
        }
    }
}

/// Why nothing could be read at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// A list or a table in which nothing has the form of an indicator.
    #[error("no indicator in it: neither an address, a domain, a URL nor a file hash")]
    Nothing,
    /// A kind of file that is known and not read.
    #[error("{what}: not read yet; {remedy}")]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A bundle that ends before it is complete. Nothing of it was taken.
    #[error("the bundle is cut off at line {line}, column {column} (octet {octet}): fetch it again")]
    CutOff {
        /// Line of the end, from 1.
        line: usize,
        /// Column of the end, from 1.
        column: usize,
        /// Octets before the end.
        octet: usize,
    },
    /// JSON with an error of form. Nothing of it was taken.
    #[error("not valid JSON at line {line}, column {column}: {detail}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        detail: String,
    },
    /// Versions of a list that were not given in the order of time.
    #[error("a version is older than the one before it")]
    Order,
    /// More than a named limit allows. Nothing of it was taken.
    #[error("more than {most} {what}: split it")]
    TooLarge {
        /// The most that is taken.
        most: usize,
        /// Of what.
        what: &'static str,
    },
}

/// A text as a refusal quotes it.
pub(crate) fn quote(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(QUOTE_MAX).collect()
}
