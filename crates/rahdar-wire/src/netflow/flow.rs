//! Records of a data set into flows: what the template's plan read, settled and handed on.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use rahdar_model::address::Address;
use rahdar_model::correction::Correction;
use rahdar_model::flow::size::{PACKET_OCTETS, doubt};
use rahdar_model::flow::{Direction, FlowRecord, Initiator, Quality, SamplingSource, protocol};
use rahdar_model::sink::{FlowSink, Place, SinkError, Tally};
use rahdar_model::time::{SECOND_US, Timestamp, Window};

use super::clock::Clock;
use super::message::SET_HEADER;
use super::read::{READ_BEHIND, Values};
use super::recent::Recent;
use super::sampling::{Rate, Rates};
use super::saved::{Damaged, Reader, Writer};
use super::template::{Icmp, Plan, Purpose, Rest};
use crate::Options;
use crate::account::Accounts;
use crate::capture::sampled::{self, Content};
use crate::problems::Problems;

/// Names of exporters that are remembered, so that none is written twice. Chosen here: more than
/// a country has.
const NAMES_MAX: usize = 4_096;

/// Octets per packet on a link of the usual size: what a counter that wrapped is measured by
/// (methods.md §1.7).
const LINK_OCTETS_MAX: u64 = 1_500;

/// The kind of frame that is Ethernet (RFC 7133, element 408). Who tells none means it.
const ETHERNET_KIND: u64 = 1;

/// Where a set comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) export: Timestamp,
    pub(super) received: Option<Timestamp>,
    pub(super) clock: Clock,
    /// The packet, from 1.
    pub(super) packet: u64,
    /// The octet of the datagram where the set begins.
    pub(super) octet: usize,
}

impl Origin {
    /// When the set came or, where nobody took the time, was exported.
    pub(super) fn moment(&self) -> Timestamp {
        self.received.unwrap_or(self.export)
    }

    /// The place of an octet of the set, counted from its header.
    pub(super) fn place(&self, octet: usize) -> Place {
        Place::Datagram { packet: self.packet, octet: self.octet + octet }
    }

    /// Whether it is of IPFIX, the only kind of message whose header has no uptime.
    fn is_ipfix(&self) -> bool {
        self.clock.uptime_ms().is_none()
    }

    /// Writes all of it.
    pub(super) fn save(&self, to: &mut Writer) {
        to.i64(self.export.micros());
        to.option(self.received, |to, received| to.i64(received.micros()));
        to.option(self.clock.uptime_ms(), Writer::u32);
        to.u64(self.packet);
        to.u32(self.octet as u32);
    }

    /// Reads what [`Origin::save`] wrote.
    pub(super) fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let time = |from: &mut Reader<'_>| from.i64().map(Timestamp::from_micros);
        let export = time(from)?;
        let received = from.option(time)?;
        let clock = Clock::new(export, from.option(Reader::u32)?, received);
        Ok(Self { export, received, clock, packet: from.u64()?, octet: from.u32()? as usize })
    }
}

/// What is known of an exporter beside its templates.
pub(super) struct Known<'a> {
    pub(super) exporter: &'a Arc<str>,
    pub(super) domain: u32,
    pub(super) sampling: Sampling<'a>,
    /// When the exporter started, if it told so in an options record.
    pub(super) system_init_ms: Option<u64>,
    /// The active timeout that it announced in an options record; 0 if in none.
    pub(super) active_timeout_s: u64,
}

/// Who says how packets were sampled, unless the record does.
#[derive(Clone, Copy)]
pub(super) enum Sampling<'a> {
    /// The header of the datagram.
    Header(Option<Rate>),
    /// The options records of the observation domain.
    Options(&'a Rates),
}

/// Where everything goes that was read, and its counts.
pub(crate) struct Out<'a> {
    pub(crate) record: &'a mut FlowRecord,
    pub(crate) sink: &'a mut dyn FlowSink,
    pub(crate) tally: &'a mut Tally,
    pub(crate) books: &'a mut Books,
}

/// What a collector keeps over all exporters.
pub(crate) struct Books {
    pub(crate) correction: Correction,
    /// The mark of a record whose rate nobody told.
    pub(crate) untold: Quality,
    /// Exporters whose rate need not be told.
    sampling_known: BTreeSet<Address>,
    names: Names,
    /// Data records so far: the number of the last one.
    rows: u64,
    /// What became of what each exporter sent.
    pub(super) accounts: Accounts,
    problems: Problems,
}

impl Books {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            correction: options.correction(),
            untold: if is_rate_given(options) { Quality::NONE } else { Quality::RATE_UNKNOWN },
            sampling_known: options.sampling_known.clone(),
            names: Names { given: options.exporter.clone(), known: Recent::new(NAMES_MAX) },
            rows: 0,
            accounts: Accounts::default(),
            problems: Problems::default(),
        }
    }

    /// Names problems from the beginning again.
    pub(crate) fn begin(&mut self) {
        self.problems.begin();
    }

    /// The number of the last data record.
    pub(crate) fn rows_mut(&mut self) -> &mut u64 {
        &mut self.rows
    }

    /// A window, moved as the operator moves every time.
    pub(super) fn moved(&self, window: Window) -> Window {
        self.correction.moved(window)
    }

    /// Whose rate the operator knows, of the flows that the exporter at `address` sends.
    pub(super) fn rate_known(&self, address: Address) -> RateKnown {
        if self.untold == Quality::NONE {
            RateKnown::OfAll
        } else if self.sampling_known.contains(&address) {
            RateKnown::OfSender
        } else {
            RateKnown::No
        }
    }

    /// The name of the exporter at `address`, or of the kind of file where there is no address.
    pub(crate) fn name(&mut self, address: Address, version: u16) -> Arc<str> {
        self.names.of(address, version)
    }
}

/// The flows of which the operator knows the rate, so that none of them waits until it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RateKnown {
    /// It knows none.
    No,
    /// Of those that the sender metered itself, not of those that it hands on for others.
    OfSender,
    /// Of all.
    OfAll,
}

impl RateKnown {
    /// Whether it is known of the records of this template.
    pub(super) fn is_of(self, plan: &Plan) -> bool {
        match self {
            Self::No => false,
            Self::OfSender => !plan.has_exporter,
            Self::OfAll => true,
        }
    }
}

/// Whether the operator tells the rate, so that nobody else need.
fn is_rate_given(options: &Options) -> bool {
    options.sampling.is_some_and(|interval| interval > 0)
}

/// The exporters' names.
struct Names {
    /// The operator's name for all of them.
    given: Option<Arc<str>>,
    known: Recent<Address, Arc<str>>,
}

impl Names {
    fn of(&mut self, address: Address, version: u16) -> Arc<str> {
        if let Some(name) = &self.given {
            return name.clone();
        }
        if address == Address::UNSPECIFIED {
            return if version == 10 { "ipfix" } else { "netflow" }.into();
        }
        if let Some(name) = self.known.get(address) {
            return name.clone();
        }
        let name: Arc<str> = address.to_string().into();
        self.known.insert(address, name.clone());
        name
    }
}

impl Out<'_> {
    /// Reads the flows of a data set. `body` is the set without its header, and what is read
    /// behind it.
    pub(super) fn flows(
        &mut self,
        template: u16,
        plan: &Plan,
        origin: &Origin,
        body: &[u8],
        known: &Known<'_>,
    ) -> Result<Rest, SinkError> {
        let Self { record, sink, tally, books } = self;
        record.reset();
        record.exporter.clone_from(known.exporter);
        record.observation_domain = known.domain;
        if plan.has_initiator_counters {
            record.initiator = Some(Initiator::Source);
        }
        let mut marks = if plan.has_layer2 { Quality::LAYER2_LENGTH } else { Quality::NONE };
        if plan.has_content_gap {
            marks |= Quality::CONTENT_GAP;
        }
        if plan.contested_until.is_some_and(|until| origin.moment() < until) {
            marks |= Quality::TEMPLATE_CONFLICT;
        }

        // What all records of the set have in common is settled once.
        let common_rate = match known.sampling {
            _ if plan.has_rate => None,
            Sampling::Header(rate) => Some(rate.map(|rate| (rate, SamplingSource::Header))),
            Sampling::Options(rates) if plan.has_sampler || !rates.is_uniform() => None,
            Sampling::Options(rates) => {
                Some(rates.of(template, None, record).map(|rate| (rate, SamplingSource::OptionTemplate)))
            }
        };
        let marks = marks | common_rate.map_or(Quality::NONE, |rate| sampled(rate, books.untold, record));
        record.quality = marks;
        let clock = origin.clock.for_set(known.system_init_ms);

        let counts_answer = plan.counts_apart && !origin.is_ipfix();
        let mut values = Values::default();
        plan.records(body, record, &mut values, |record, values| {
            if plan.purpose == Purpose::Packets {
                let set = &body[READ_BEHIND..];
                let (begin, end) = values.section;
                match packet(plan, values, &set[begin..end], record) {
                    Content::Flow => {}
                    Content::NoFlow => {
                        tally.beside += 1;
                        return Ok(());
                    }
                    Content::Unreadable(why) => {
                        let mut out = Out { record, sink: &mut **sink, tally, books };
                        out.refuse(origin.place(SET_HEADER + begin), 1, format_args!("{why}"));
                        return Ok(());
                    }
                }
            }
            match values.exporter {
                None => {}
                Some(address) if is_unset(address) => record.exporter.clone_from(known.exporter),
                Some(address) => record.exporter = books.names.of(address, 0),
            }
            let span = clock.span(plan, values);
            record.start_time = span.start;
            record.end_time = span.end;
            record.export_time = Some(origin.export);
            record.received_time = origin.received;
            if record.direction == Some(Direction::Egress) && record.packets == 0 && record.octets == 0 {
                record.packets = values.left_packets;
                record.octets = values.left_octets;
            }
            if counts_answer {
                answer(values, record);
            }
            record.quality |= span.quality | sizes(plan, record);
            if plan.purpose == Purpose::Flows {
                transport(plan, values, record);
                if !plan.has_end_reason {
                    record.end_reason = cut(record, values.active_timeout_s.max(known.active_timeout_s));
                }
            }
            if common_rate.is_none() {
                let rate = Rate::of(values).or_else(|| match known.sampling {
                    Sampling::Options(rates) => rates.of(template, values.sampler_id, record),
                    Sampling::Header(rate) => rate,
                });
                let rate = rate.map(|rate| (rate, SamplingSource::OptionTemplate));
                let mark = sampled(rate, books.untold, record);
                record.quality |= mark;
            }
            books.rows += 1;
            record.source_row = books.rows;
            books.correction.apply(record);
            tally.received += 1;
            tally.decoded += 1;
            tally.flows += 1;
            sink.flow(record)?;
            record.quality = marks;
            Ok(())
        })
    }

    /// Numbers and corrects the record, counts it and gives it to the sink.
    pub(crate) fn give(&mut self) -> Result<(), SinkError> {
        self.books.rows += 1;
        self.record.source_row = self.books.rows;
        self.books.correction.apply(self.record);
        self.tally.received += 1;
        self.tally.decoded += 1;
        self.tally.flows += 1;
        self.sink.flow(self.record)
    }

    /// Counts records as refused, and says why.
    pub(crate) fn refuse(&mut self, place: Place, records: u64, why: fmt::Arguments<'_>) {
        self.tally.received += records;
        self.tally.refused += records;
        self.books.problems.tell(place, why, records, self.sink);
    }

    /// Says something that cost no record.
    pub(crate) fn note(&mut self, place: Place, what: fmt::Arguments<'_>) {
        self.books.problems.tell(place, what, 0, self.sink);
    }

    /// Counts a set that has to wait as one record: how many it holds is known when it is read.
    pub(super) fn hold(&mut self) {
        self.tally.received += 1;
        self.tally.held += 1;
    }

    /// Takes back [`Out::hold`], as the set is read or refused now.
    pub(super) fn release(&mut self) {
        self.tally.received -= 1;
        self.tally.held -= 1;
    }

    /// Tells what was counted and not named.
    pub(crate) fn tell_unnamed(&mut self) {
        self.books.problems.tell_unnamed(self.sink);
    }
}

/// Writes how packets were sampled into a record. Returns the mark that it deserves.
fn sampled(rate: Option<(Rate, SamplingSource)>, untold: Quality, record: &mut FlowRecord) -> Quality {
    record.sampling_interval = rate.and_then(|(rate, _)| rate.interval);
    record.sampling_source = record.sampling_interval.and(rate).map(|(_, source)| source);
    record.sampler = rate.and_then(|(rate, _)| rate.sampler);
    let is_whole = rate.is_some_and(|(rate, _)| rate.interval.is_some() && !rate.has_more);
    if is_whole { Quality::NONE } else { untold }
}

/// Why a record ended that does not say it: by the active timeout that its exporter announced (elements 36
/// and 136), if it lasted nine tenths of it (methods.md §1.4).
fn cut(record: &FlowRecord, active_timeout_s: u64) -> Option<u8> {
    const ACTIVE: u8 = 2;
    let lasted_us = record.end_time.since(record.start_time);
    let timeout_us = i64::try_from(active_timeout_s).ok()?.checked_mul(SECOND_US)?;
    (timeout_us > 0 && lasted_us >= timeout_us / 10 * 9).then_some(ACTIVE)
}

/// Fills the record with the packet of which it holds a section. What the template counts goes before what
/// the packet says of its length.
fn packet(plan: &Plan, values: &Values, section: &[u8], record: &mut FlowRecord) -> Content {
    if values.section_offset != 0 {
        return Content::Unreadable("the section does not begin where its packet begins");
    }
    if values.frame_kind > ETHERNET_KIND {
        return Content::Unreadable("the section is of a frame that is not Ethernet");
    }
    let section = match usize::try_from(values.section_octets) {
        Ok(octets @ 1..) if octets < section.len() => &section[..octets],
        _ => section,
    };
    let length = match usize::try_from(values.frame_octets) {
        Ok(octets @ 1..) => octets,
        _ => section.len(),
    };
    let (packets, octets) = (record.packets, record.octets);
    let content = sampled::fill(plan.link, section, length, record);
    if plan.has_counters {
        (record.packets, record.octets) = (packets, octets);
    } else {
        record.packets = 1;
    }
    content
}

/// Whether an exporter's address is all zeros, in either family.
fn is_unset(address: Address) -> bool {
    address == Address::UNSPECIFIED || address.v4_bits() == Some(0)
}

/// Flags belong to TCP, types and codes to ICMP, and ICMP has no ports.
fn transport(plan: &Plan, values: &Values, record: &mut FlowRecord) {
    if record.protocol != protocol::TCP {
        record.tcp_flags = None;
        record.rev_tcp_flags = None;
    }
    if !matches!(record.protocol, protocol::ICMP | protocol::ICMPV6) {
        record.icmp_type = None;
        record.icmp_code = None;
        return;
    }
    let both = match plan.icmp {
        Icmp::Absent => None,
        Icmp::InElements => Some(values.icmp),
        Icmp::InElementOrPort if values.icmp != 0 => Some(values.icmp),
        Icmp::InElementOrPort => Some(record.dst_port),
        Icmp::InPort => Some(record.dst_port).filter(|both| *both != 0),
    };
    // Type 0 has but one code, 0, in both versions: a number below 256 is the type alone, as
    // IOS XR and Procera write it.
    let (kind, code) = match both {
        Some(kind @ 1..=255) if plan.icmp != Icmp::InElements => (Some(kind as u8), None),
        Some(both) => (Some((both >> 8) as u8), Some(both as u8)),
        None => (None, None),
    };
    record.icmp_type = kind;
    record.icmp_code = code;
    record.src_port = 0;
    record.dst_port = 0;
}

/// Takes what left for the answer, as probes mean it in v9 (nProbe: octets and packets of the way back).
/// Routers count the same packets twice, as they come and as they leave: what equals the flow is no answer.
/// IPFIX has elements for each way (RFC 5103), and 23 and 24 are what a middlebox let through.
fn answer(values: &Values, record: &mut FlowRecord) {
    let left = (values.left_packets, values.left_octets);
    let is_answer = left != (0, 0) && left != (record.packets, record.octets);
    record.rev_packets = is_answer.then_some(left.0);
    record.rev_octets = is_answer.then_some(left.1);
}

/// What is doubtful about the sizes of both directions.
fn sizes(plan: &Plan, record: &FlowRecord) -> Quality {
    let mut quality = Quality::NONE;
    if plan.has_sizes {
        quality |= size(record.packets, record.octets, plan.short_octets);
    }
    if plan.has_rev_sizes || plan.counts_apart {
        quality |= doubt(Some(record.rev_packets.unwrap_or(0)), Some(record.rev_octets.unwrap_or(0)));
    }
    quality
}

/// What is doubtful about a size. Where its octets were counted in four (`is_short`), are too few for its packets,
/// and some number of wraps would make them right, they have wrapped: what is there is less than the truth, and stays.
#[inline]
pub(crate) fn size(packets: u64, octets: u64, is_short: bool) -> Quality {
    match doubt(Some(packets), Some(octets)) {
        Quality::IMPOSSIBLE_SIZE if is_short && has_wrapped(packets, octets) => Quality::COUNTER_WRAPPED,
        doubt => doubt,
    }
}

/// Whether some number of wraps at 2³² would make octets right that are too few for their packets.
fn has_wrapped(packets: u64, octets: u64) -> bool {
    let least = packets.saturating_mul(PACKET_OCTETS.0);
    let most = packets.saturating_mul(LINK_OCTETS_MAX);
    let wraps = least.saturating_sub(octets).div_ceil(1 << 32);
    wraps > 0 && octets.saturating_add(wraps.saturating_mul(1 << 32)) <= most
}
