//! The narrow waist: all that the rest of rahdar knows of the place where flows are kept.
//!
//! Two implementations exist: the lake, and `NaiveStore` of `rahdar-testkit`, which answers with
//! nested loops. For any flows, networks and window both give the same answers.
//!
//! Calls block. The lake drives its asynchronous engine on threads of its own; a server calls
//! from a blocking thread (`docs/decisions/0003-blocking-store.md`).

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::address::{Address, Prefix};
use crate::coverage::{CoverageHour, ExporterCoverage};
use crate::fact::{Gap, Handshake, Resolution};
use crate::flow::{FlowRecord, Quality, Sampler};
use crate::sink::FlowSink;
use crate::time::{Day, Timestamp, Window};

/// Where flows are kept.
pub trait FlowStore: Send + Sync {
    /// Opens an import. Nothing of it can be read before [`Import::commit`].
    fn import(&self) -> Result<Box<dyn Import + '_>, StoreError>;

    /// The version of the table that answers now come from.
    fn version(&self) -> Result<u64, StoreError>;

    /// Flows that started in `window`.
    fn count(&self, window: Window) -> Result<u64, StoreError>;

    /// Visits every flow that started in `window` and has an end in one of `networks`: once for
    /// the source if that is inside, once for the destination if that is. Order is not defined.
    ///
    /// Ports, protocols and validity are not asked here: contact on another port, or outside the
    /// window of a claim, is evidence against it that a hunt must see
    /// (`docs/decisions/0004-match-by-address.md`).
    fn sightings(
        &self,
        networks: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Sighting),
    ) -> Result<(), StoreError>;

    /// Every flow that started in `window` between two networks, either way, in the order of
    /// [`Contact`]. A flow with both ends in both networks is seen forward, and once.
    ///
    /// Records marked [`Quality::UNUSABLE`] are left out here and in
    /// [`FlowStore::volumes`]: their counters say nothing.
    fn contacts(&self, pair: (Prefix, Prefix), window: Window) -> Result<Vec<Contact>, StoreError>;

    /// Octets, packets and flows to and from `key`, per exporter and bin of `bin_us` microseconds
    /// (aligned to the epoch, by start time), in the order of bin, exporter, sampling interval.
    /// A flow with both ends inside counts both ways and is one flow. Sums saturate.
    /// A bin is at least a microsecond long.
    fn volumes(&self, key: Prefix, window: Window, bin_us: i64) -> Result<Vec<Volume>, StoreError>;

    /// Visits what hosts in `hosts` and each address exchanged hour by hour, in the order of
    /// [`Exchange`]. With no networks, every address is a host. A flow belongs to the hour in which
    /// it started; one with both ends inside is told of each, one whose ends are one address of
    /// none. Records marked [`Quality::UNUSABLE`] are left out. Sums saturate.
    fn exchanges(
        &self,
        hosts: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Exchange),
    ) -> Result<(), StoreError>;

    /// What each exporter could see, by the flows that started in `window` and the gaps that begin
    /// in it, in the order of exporter and observation domain.
    fn coverage(&self, window: Window) -> Result<Vec<ExporterCoverage>, StoreError>;

    /// How they recorded, hour by hour, in the order of exporter, observation domain and hour. Hours in
    /// which no flow started are left out.
    fn coverage_hours(&self, window: Window) -> Result<Vec<CoverageHour>, StoreError>;

    /// What `hosts` serve: flows to their ports that started in `window`, in the order of
    /// [`Service`].
    fn services(&self, hosts: &[Address], window: Window) -> Result<Vec<Service>, StoreError>;

    /// Visits the hours in which an address of `sources` reached many destinations on one port, in
    /// the order of [`FanOut`] (`methods.md` §4). With no networks, every address is one of them.
    /// Hours below `least_destinations` are left out. A flow belongs to the hour in which it
    /// started; flows that started outside `window` are not counted, nor are records that call
    /// nobody: without forward packets, TCP with the flags of a reply (SYN and ACK, or RST, and
    /// nothing else), ICMP of another type than echo request.
    fn fan_outs(
        &self,
        sources: &[Prefix],
        window: Window,
        least_destinations: u64,
        visit: &mut dyn FnMut(FanOut),
    ) -> Result<(), StoreError>;

    /// Visits the days on which an address of `sources` tried many ports of one destination in vain,
    /// in the order of [`PortSweep`]. With no networks, every address is one of them. Days below
    /// `least_ports` are left out. A flow belongs to the UTC day on which it started.
    ///
    /// In vain is, for TCP, a record with SYN and without ACK; for UDP an unsampled record from port
    /// 0, 1024 or above whose destination sent nothing back from that port on that day.
    fn port_sweeps(
        &self,
        sources: &[Prefix],
        window: Window,
        least_ports: u64,
        visit: &mut dyn FnMut(PortSweep),
    ) -> Result<(), StoreError>;

    /// Visits what an address of `sources` met at each destination and TCP port, once for all of
    /// `window`, in the order of [`FirstContact`]. With no networks, every address is one of them.
    /// Sources that called fewer than `least_failures` destinations of some port in vain, by a record
    /// with SYN and without ACK, are left out.
    ///
    /// Only unsampled records that tell their flags and have forward packets are read: the caller's
    /// own flags say how a call ended, so one direction is enough. Of more than `most_sources`
    /// sources those with the most such destinations on one port are told, of equals the lowest;
    /// returns how many were not.
    fn first_contacts(
        &self,
        sources: &[Prefix],
        window: Window,
        least_failures: u64,
        most_sources: usize,
        visit: &mut dyn FnMut(FirstContact),
    ) -> Result<u64, StoreError>;

    /// Visits the services of `sources` that sent replies which nobody asked for, as `exporters` saw
    /// it, in the order of [`UnaskedReplies`]. With no networks, every address is one of them. Sources
    /// that sent fewer than `least_replies` replies, asked for or not, are left out, and so are
    /// sampled records: a call that was not sampled was still made.
    ///
    /// A reply is a direction of a TCP record with the flags SYN and ACK, or RST, and nothing else, or
    /// an ICMP error that a host sends itself: protocol or port unreachable, source quench. A TCP reply
    /// is asked for if anything went the other way between the two ports in `window`, an ICMP error if
    /// anything went to its sender from its receiver. What a source sent beside replies between the
    /// same ports makes a conversation of them.
    ///
    /// Of more than `most_sources` sources those with the most replies are told, of equals the lowest;
    /// returns how many were not.
    fn unasked_replies(
        &self,
        sources: &[Prefix],
        exporters: &[&str],
        window: Window,
        least_replies: u64,
        most_sources: usize,
        visit: &mut dyn FnMut(UnaskedReplies),
    ) -> Result<u64, StoreError>;

    /// How many addresses of `networks` are an end of a flow that started in `window`. With no
    /// networks, all addresses.
    fn active_hosts(&self, networks: &[Prefix], window: Window) -> Result<u64, StoreError>;

    /// Visits every resolution seen in `window` that asked for one of `names` or a name below it
    /// (`www.example.org` is below `example.org`), or was answered with an address in one of `networks`,
    /// once. Order is not defined. Names are compared as they are stored: lower case, no final dot.
    fn resolutions(
        &self,
        names: &[&str],
        networks: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Resolution),
    ) -> Result<(), StoreError>;

    /// Visits every handshake seen in `window` that is asked for, once. Order is not defined.
    fn handshakes(
        &self,
        asked: &HandshakesAsked<'_>,
        window: Window,
        visit: &mut dyn FnMut(Handshake),
    ) -> Result<(), StoreError>;

    /// What is known to be missing in `window`: gaps that begin in it, in the order of [`Gap`].
    fn gaps(&self, window: Window) -> Result<Vec<Gap>, StoreError>;

    /// Runs one read-only `SELECT` over the views `flows`, `resolutions`, `handshakes` and `gaps`.
    fn query(&self, sql: &str, limits: QueryLimits) -> Result<Table, StoreError>;
}

/// Which handshakes are asked for: those that any of these holds for.
#[derive(Debug, Clone, Copy, Default)]
pub struct HandshakesAsked<'a> {
    /// The server was called by one of these names, or a name below it.
    pub names: &'a [&'a str],
    /// The server is in one of these networks.
    pub networks: &'a [Prefix],
    /// The server presented a certificate of one of these hashes, in lower-case hexadecimal.
    pub certificates: &'a [&'a str],
}

/// An import under way. Dropped without [`Import::commit`], it leaves nothing behind that can be
/// read. Once a call has failed, the import can only be dropped: every later call fails too.
pub trait Import: FlowSink {
    /// Begins the next input: the rows that follow are its rows. An input that this import has
    /// begun before is [`Admission::Stored`].
    fn begin(&mut self, input: &Input) -> Result<Admission, StoreError>;

    /// Undoes the last [`Import::begin`]: its input could not be read. False if a row of it was taken; the
    /// import can only be dropped then.
    fn withdraw(&mut self) -> bool;

    /// Flows taken since the import was opened.
    fn flows(&self) -> u64;

    /// Writes everything and makes it readable, all at once.
    ///
    /// # Errors
    /// [`StoreError::Raced`] if another process stored one of the inputs meanwhile: nothing was
    /// stored; open a new import and begin again.
    fn commit(self: Box<Self>) -> Result<Commit, StoreError>;
}

/// An input, known by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Hash of the content: the same content is stored once, whatever its name.
    pub id: String,
    /// Its name, for people.
    pub name: Arc<str>,
}

/// Whether an input is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Its rows are awaited.
    New,
    /// The same content is stored already: skip it.
    Stored,
}

/// What a commit added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// The version of the table that holds the rows.
    pub version: u64,
    /// Rows added.
    pub rows: u64,
}

/// A flow that met one of the networks asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Which end of the flow is inside the network.
    pub end: End,
    /// The flow.
    pub flow: FlowRecord,
}

impl Sighting {
    /// The address inside the network.
    pub fn remote(&self) -> Address {
        match self.end {
            End::Source => self.flow.src,
            End::Destination => self.flow.dst,
        }
    }

    /// The other address.
    pub fn local(&self) -> Address {
        match self.end {
            End::Source => self.flow.dst,
            End::Destination => self.flow.src,
        }
    }
}

/// One end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Who sent the forward packets.
    Source,
    /// Who received them.
    Destination,
}

/// One flow between two networks, seen from the first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// First packet.
    pub start_time: Timestamp,
    /// Last packet.
    pub end_time: Timestamp,
    /// Who saw it.
    pub exporter: Arc<str>,
    /// At which sampling interval; none is unknown.
    pub sampling_interval: Option<u32>,
    /// Octets from the first network to the second, as exported.
    pub octets_out: u64,
    /// Octets from the second network to the first, as exported.
    pub octets_in: u64,
}

/// Traffic of one network in one bin, as one exporter saw it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Volume {
    /// Start of the bin.
    pub bin: Timestamp,
    /// Who saw it.
    pub exporter: Arc<str>,
    /// At which sampling interval; none is unknown.
    pub sampling_interval: Option<u32>,
    /// Octets from the network, as exported.
    pub octets_out: u64,
    /// Octets to the network, as exported.
    pub octets_in: u64,
    /// Packets from the network, as exported.
    pub packets_out: u64,
    /// Packets to the network, as exported.
    pub packets_in: u64,
    /// Flow records.
    pub flows: u64,
}

/// What one host and one address exchanged in one hour, as one exporter saw it in one way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchange {
    /// The host.
    pub host: Address,
    /// Start of the hour.
    pub hour: Timestamp,
    /// The address at the other end.
    pub remote: Address,
    /// Who saw it.
    pub exporter: Arc<str>,
    /// At which sampling interval; none is unknown.
    pub sampling_interval: Option<u32>,
    /// How packets were chosen.
    pub sampler: Option<Sampler>,
    /// What is doubtful about these records, as far as it is in [`Exchange::MARKS`].
    pub marks: Quality,
    /// Octets from the host, as exported.
    pub octets_out: u64,
    /// Octets to the host, as exported.
    pub octets_in: u64,
    /// Packets from the host, as exported.
    pub packets_out: u64,
    /// Packets to the host, as exported.
    pub packets_in: u64,
    /// Whether the host acknowledged over TCP, so that it was answered.
    pub acknowledged: bool,
}

impl Exchange {
    /// Marks that part records of one hour: those that say how counters and times are to be read.
    pub const MARKS: Quality = Quality::from_bits(
        Quality::ALREADY_SCALED.bits()
            | Quality::LAYER2_LENGTH.bits()
            | Quality::LAYER_UNKNOWN.bits()
            | Quality::CLOCK_SUSPECT.bits(),
    );
}

/// What others did on one port of a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// The host.
    pub host: Address,
    /// IP protocol.
    pub protocol: u8,
    /// The host's port.
    pub port: u16,
    /// Flow records in which the host was the destination, or, if it was not, answered as source
    /// from a port of 1–1023.
    pub flows: u64,
    /// Distinct addresses at the other end.
    pub peers: u64,
}

/// One hour in which one source reached many destinations on one port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FanOut {
    /// The source.
    pub source: Address,
    /// Start of the hour.
    pub hour: Timestamp,
    /// IP protocol.
    pub protocol: u8,
    /// Destination port.
    pub port: u16,
    /// Distinct destinations.
    pub destinations: u64,
    /// Of these, destinations from whose port something came back in the hour. Always 0 for TCP,
    /// where a refusal comes back too.
    pub answered: u64,
    /// Flow records.
    pub flows: u64,
    /// Of these, records of [`FanOut::SMALL_PACKETS`] forward packets or fewer that do not carry
    /// payload after an ACK.
    pub small_flows: u64,
    /// First packet.
    pub start_time: Timestamp,
    /// Last packet.
    pub end_time: Timestamp,
}

impl FanOut {
    /// Forward packets of a small record: as many as a call that is not answered, or not meant.
    pub const SMALL_PACKETS: u64 = 3;
    /// Packets of more octets than this on average carry payload: IPv4, TCP and their options are
    /// 64 at most in practice (`methods.md` §2.2, G1).
    pub const HEADERS_OCTETS: u64 = 64;
}

/// One day on which one source tried many ports of one destination in vain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortSweep {
    /// The source.
    pub source: Address,
    /// The day.
    pub day: Day,
    /// IP protocol: TCP or UDP.
    pub protocol: u8,
    /// The destination.
    pub destination: Address,
    /// Distinct ports tried in vain.
    pub ports: u64,
    /// Flow records that did.
    pub flows: u64,
    /// First packet.
    pub start_time: Timestamp,
    /// Last packet.
    pub end_time: Timestamp,
}

/// What one source met at one TCP port of one destination.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FirstContact {
    /// The source.
    pub source: Address,
    /// The destination's port.
    pub port: u16,
    /// When the first record began.
    pub start_time: Timestamp,
    /// The destination.
    pub destination: Address,
    /// How it ended.
    pub outcome: Outcome,
    /// Flow records.
    pub flows: u64,
}

/// How a call ended, by the caller's flags over all its records to one destination and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The caller acknowledged, so it was answered.
    Established,
    /// The caller sent SYN and never acknowledged: silence, a refusal, or no wish to talk.
    Failed,
}

/// Replies of one service that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnaskedReplies {
    /// Who replies.
    pub source: Address,
    /// IP protocol.
    pub protocol: u8,
    /// The source's port; 0 for ICMP.
    pub port: u16,
    /// How many receivers, an address and a port each, got how many replies: (replies, receivers),
    /// the fewest replies first.
    pub spread: Vec<(u64, u64)>,
    /// First packet.
    pub start_time: Timestamp,
    /// Last packet.
    pub end_time: Timestamp,
}

/// How much a query may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// Rows returned at most; one more is an error, not a cut.
    pub rows: usize,
    /// Octets of memory.
    pub memory: usize,
    /// Time.
    pub time: Duration,
}

impl Default for QueryLimits {
    /// A million rows, 2 GiB, ten minutes: guesses that suit a laptop.
    fn default() -> Self {
        Self { rows: 1_000_000, memory: 2 << 30, time: Duration::from_secs(600) }
    }
}

/// The answer to a query: named columns, rows of cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
}

/// One cell of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// SQL null.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number with a fraction; never NaN.
    Float(f64),
    /// A text; times are RFC 3339.
    Text(String),
}

/// Why the store did not do what was asked, by what the caller can do about it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process stored one of the inputs meanwhile. Open a new import and begin again.
    #[error("another import stored `{input}` meanwhile")]
    Raced {
        /// The input.
        input: String,
    },
    /// The input breaks a named limit. Nothing of it was stored.
    #[error("{limit} is exceeded: {detail}")]
    Limit {
        /// The limit's name.
        limit: &'static str,
        /// How, and what to do.
        detail: String,
    },
    /// The query is wrong or not allowed; its author must change it.
    #[error("the query was refused: {0}")]
    Query(String),
    /// What is stored cannot be read as a table of rahdar.
    #[error("the table at `{path}` is damaged")]
    Damaged {
        /// Where.
        path: String,
        /// How that shows.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The disk, the object store or the engine failed. Trying again may help.
    #[error("{action} failed")]
    Failed {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
}
