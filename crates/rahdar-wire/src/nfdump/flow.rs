//! What the values of a record mean, whichever layout they came in.
//!
//! # Sampling
//! nfcapd multiplies packets and octets by the sampling interval where it knows one, marks the
//! record and writes the interval down apart. The counters stay as they are; the record keeps
//! interval and mark, so that estimates can divide. A record that is marked and whose interval is
//! nowhere is both scaled and of unknown rate.

use std::sync::Arc;

use rahdar_model::address::Address;
use rahdar_model::flow::{Direction, FlowRecord, Initiator, Quality, Sampler, SamplingSource, protocol};
use rahdar_model::time::{Timestamp, Window};

use super::exporter::{Exporter, Exporters, INTERVAL_MAX, Rate};
use super::header::from_ms;
use crate::netflow::{AHEAD_US, SWAP_US, decimal, firewall_event, size};

/// What a record says. Numbers that are 0 where nobody told them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Values {
    pub(super) addresses: Option<(Address, Address)>,
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
    pub(super) received_ms: u64,
    /// When a firewall or translator did what the record tells.
    pub(super) event_ms: u64,
    pub(super) packets: u64,
    pub(super) octets: u64,
    /// Whether these counters had four octets on the way.
    pub(super) is_packets_short: bool,
    pub(super) is_octets_short: bool,
    pub(super) out_packets: u64,
    pub(super) out_octets: u64,
    /// Flows that the record was aggregated from.
    pub(super) flows: u64,
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    /// ICMP type and code where they do not stand in the port.
    pub(super) icmp: u16,
    pub(super) protocol: u8,
    pub(super) tcp_flags: u8,
    pub(super) out_tcp_flags: u8,
    pub(super) input: u32,
    pub(super) output: u32,
    pub(super) src_as: u32,
    pub(super) dst_as: u32,
    pub(super) is_egress: bool,
    pub(super) biflow_direction: u8,
    pub(super) end_reason: u8,
    pub(super) firewall_event: u8,
    pub(super) flow_id: u64,
    pub(super) domain: u32,
    /// The number by which the file knows the exporter.
    pub(super) exporter: u16,
    /// The address of the router that sent the record.
    pub(super) router: Option<Address>,
    pub(super) origin: Origin,
    pub(super) scaled: Scaled,
    /// Whether the addresses stand for others.
    pub(super) is_anonymised: bool,
    /// The sampler that the record names.
    pub(super) sampler: Option<u64>,
}

/// Whether nfcapd multiplied the counters of a record by the sampling interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Scaled {
    /// It is not marked so.
    #[default]
    No,
    /// It is marked so by nfdump 1.6: by an interval that is not 1.
    Yes,
    /// It is marked so by nfdump 1.7: by that of a sampler, which may be 1.
    BySampler,
    /// nfdump 1.7 rewrote a file of 1.6, and dropped the mark.
    MarkLost,
}

/// What the record was made from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// The file does not say, which is what nfdump 1.6 does.
    #[default]
    Untold,
    /// Flow export of this version: 1, 5, 7, 9, 10.
    Export(u8),
    /// Packets that nfpcapd saw.
    Packets,
    /// An sFlow sample.
    Sflow,
}

impl Origin {
    /// The origin by the version octet of a record.
    pub(super) fn of(version: u8) -> Self {
        match version {
            0 => Self::Untold,
            0x80.. => Self::Sflow,
            0x40.. => Self::Packets,
            version => Self::Export(version),
        }
    }

    /// Whether its counters have four octets.
    pub(super) fn is_short(self) -> bool {
        matches!(self, Self::Export(1 | 5 | 7))
    }
}

impl Values {
    /// Writes the record. `untold` is the mark of a flow whose rate nobody told.
    pub(super) fn settle(&self, exporters: &mut Exporters, untold: Quality, record: &mut FlowRecord) {
        let (src, dst) = self.addresses.unwrap_or_default();
        record.src = src;
        record.dst = dst;
        self.name(exporters, record);
        let exporter = exporters.of(self.exporter);
        record.observation_domain = match (self.domain, exporter) {
            (0, Some(exporter)) => exporter.domain,
            (domain, _) => domain,
        };
        record.quality = Quality::NONE;
        self.times(record);
        self.counters(record);
        self.transport(record);
        self.sampling(exporter, untold, record);
        (record.in_if, record.out_if) = pair(self.input, self.output);
        (record.src_as, record.dst_as) = pair(self.src_as, self.dst_as);
        // 0 stands for ingress, and for nothing told.
        record.direction = self.is_egress.then_some(Direction::Egress);
        record.initiator = match self.biflow_direction {
            0 => None,
            code => Initiator::from_code(code),
        };
        record.end_reason = Some(self.end_reason).filter(|reason| *reason > 0);
        firewall_event(self.firewall_event.into(), &mut record.state);
        if self.flow_id == 0 { record.uid.clear() } else { decimal(self.flow_id, &mut record.uid) }
    }

    fn name(&self, exporters: &mut Exporters, record: &mut FlowRecord) {
        let name = exporters.name(self);
        if !Arc::ptr_eq(name, &record.exporter) {
            record.exporter = name.clone();
        }
    }

    /// A time of 0 is none. What is left of the two stands for both; without either, the flow is
    /// placed where it was received.
    fn times(&self, record: &mut FlowRecord) {
        let told = |ms: u64| (ms > 0).then(|| from_ms(ms));
        record.received_time = told(self.received_ms);
        let first = told(self.first_ms).or(told(self.event_ms));
        let last = told(self.last_ms);
        let (mut start, mut end) = match (first, last) {
            (Some(first), Some(last)) => (first, last),
            (Some(one), None) | (None, Some(one)) => (one, one),
            (None, None) => {
                record.quality |= Quality::CLOCK_SUSPECT;
                let instead = record.received_time.unwrap_or_default();
                (instead, instead)
            }
        };
        if end < start {
            record.quality |= Quality::END_BEFORE_START;
            (start, end) = if start.since(end) < SWAP_US { (end, start) } else { (start, start) };
        }
        if record.received_time.is_some_and(|received| end.since(received) > AHEAD_US) {
            record.quality |= Quality::CLOCK_SUSPECT;
        }
        record.start_time = start;
        record.end_time = end;
    }

    /// nfdump counts what the exporter saw leaving as the answer: probes and firewalls send
    /// biflows so. But routers count the same packets twice, as they come and as they leave: what
    /// equals the flow to the octet is no answer. And of a flow that was metered only as it left,
    /// it is the flow itself.
    fn counters(&self, record: &mut FlowRecord) {
        let is_echo = (self.out_packets, self.out_octets) == (self.packets, self.octets);
        let has_out = (self.out_packets > 0 || self.out_octets > 0) && !is_echo;
        let is_only_out = has_out && self.is_egress && self.packets == 0 && self.octets == 0;
        let quality = &mut record.quality;
        let out = (counter(self.out_packets, false, quality), counter(self.out_octets, false, quality));
        (record.packets, record.octets) = if is_only_out {
            out
        } else {
            (
                counter(self.packets, self.is_packets_short, quality),
                counter(self.octets, self.is_octets_short, quality),
            )
        };
        let reverse = (has_out && !is_only_out).then_some(out);
        record.rev_packets = reverse.map(|(packets, _)| packets);
        record.rev_octets = reverse.map(|(_, octets)| octets);
        record.quality |= size(record.packets, record.octets, self.is_octets_short);
        if let Some((packets, octets)) = reverse {
            record.quality |= size(packets, octets, false);
        }
    }

    /// Flags belong to TCP, types and codes to ICMP, and ICMP has no ports.
    fn transport(&self, record: &mut FlowRecord) {
        record.protocol = self.protocol;
        record.src_port = self.src_port;
        record.dst_port = self.dst_port;
        let is_tcp = self.protocol == protocol::TCP;
        record.tcp_flags = is_tcp.then_some(self.tcp_flags.into());
        let has_out_flags = is_tcp && record.rev_packets.is_some() && self.out_tcp_flags > 0;
        record.rev_tcp_flags = has_out_flags.then_some(self.out_tcp_flags.into());
        record.icmp_type = None;
        record.icmp_code = None;
        if matches!(self.protocol, protocol::ICMP | protocol::ICMPV6) {
            let both = if self.icmp > 0 { self.icmp } else { self.dst_port };
            // Type 0 has but one code, 0: a number below 256 is the type alone, as some routers
            // write it.
            (record.icmp_type, record.icmp_code) = match both {
                kind @ 1..=255 => (Some(kind as u8), None),
                both => (Some((both >> 8) as u8), Some(both as u8)),
            };
            record.src_port = 0;
            record.dst_port = 0;
        }
    }

    fn sampling(&self, exporter: Option<&Exporter>, untold: Quality, record: &mut FlowRecord) {
        let is_sflow = self.origin == Origin::Sflow || exporter.is_some_and(Exporter::is_sflow);
        let rate = match self.origin {
            Origin::Packets => Some((Rate { interval: 1, sampler: None }, SamplingSource::Assumed)),
            _ if is_sflow && self.flows <= 1 => self.sample_rate(),
            _ => exporter
                .and_then(|exporter| exporter.rate(self.sampler, self.scaled))
                // An interval of 1 is not what these counters were multiplied by.
                .filter(|(rate, _)| rate.interval > 1 || self.scaled != Scaled::Yes),
        };
        record.sampling_interval = rate.map(|(rate, _)| rate.interval);
        record.sampling_source = rate.map(|(_, source)| source);
        record.sampler = rate.and_then(|(rate, _)| rate.sampler);
        if is_sflow {
            record.quality |= Quality::LAYER2_LENGTH;
        }
        record.quality |= match (record.sampling_interval, self.scaled) {
            (None, Scaled::Yes | Scaled::BySampler) => Quality::ALREADY_SCALED | untold,
            (None, Scaled::No | Scaled::MarkLost) => untold,
            (Some(1), _) | (Some(_), Scaled::No) => Quality::NONE,
            (Some(_), _) => Quality::ALREADY_SCALED,
        };
    }

    /// The rate of an sFlow sample: sfcapd writes one packet, multiplied.
    fn sample_rate(&self) -> Option<(Rate, SamplingSource)> {
        let interval = u32::try_from(self.packets).ok()?;
        if !(1..=INTERVAL_MAX).contains(&interval) {
            return None;
        }
        Some((Rate { interval, sampler: Some(Sampler::Random) }, SamplingSource::Header))
    }
}

/// A counter as it is stored. One that stands at the end of its range says "this or more".
fn counter(value: u64, is_short: bool, quality: &mut Quality) -> u64 {
    if value > i64::MAX as u64 || (is_short && value == u64::from(u32::MAX)) {
        *quality |= Quality::COUNTER_CLAMPED;
    }
    value.min(i64::MAX as u64)
}

/// Two numbers that stand side by side; if both are 0, nobody told them.
fn pair(first: u32, second: u32) -> (Option<u32>, Option<u32>) {
    if first == 0 && second == 0 { (None, None) } else { (Some(first), Some(second)) }
}

/// The time from the first to the last flow that was read, as far as its clock can be believed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen(Option<(Timestamp, Timestamp)>);

impl Seen {
    pub(super) fn flow(&mut self, record: &FlowRecord) {
        if record.quality.contains(Quality::CLOCK_SUSPECT) {
            return;
        }
        let (first, last) = self.0.unwrap_or((record.start_time, record.end_time));
        self.0 = Some((first.min(record.start_time), last.max(record.end_time)));
    }

    /// Half-open, to the millisecond after the last.
    pub(super) fn window(&self) -> Option<Window> {
        self.0.map(|(first, last)| Window::new(first, last.plus_micros(1_000)))
    }
}
