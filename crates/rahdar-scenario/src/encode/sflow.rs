//! sFlow v5 (sFlow.org, July 2004): exporter E3. It tells packets, not flows: the beginning of each
//! frame it took, with the length that the frame had on the wire.

use rahdar_model::flow::{protocol, tcp};
use rahdar_model::{Address, Timestamp};

use super::pcap::{COLLECTOR_MAC, ROUTER_MAC, checksum};
use super::{Announce, DATAGRAM_OCTETS, Protocol, Put, interfaces};
use crate::plan::origin_as;
use crate::sampling::Record;

const HEADER_OCTETS: usize = 28;
/// The longest sample: its head, a sampled header, a gateway record.
const SAMPLE_OCTETS: usize = 8 + 32 + (8 + 16 + SAMPLED_OCTETS) + (8 + GATEWAY_OCTETS);
/// Octets of a frame that are sent at most (§5: agents should send 128 or more).
const SAMPLED_OCTETS: usize = 128;
/// Octets of a gateway record with one neighbour's path of one system.
const GATEWAY_OCTETS: usize = 44;

/// Kinds of samples and records (§5).
const FLOW_SAMPLE: u32 = 1;
const SAMPLED_HEADER: u32 = 1;
const EXTENDED_GATEWAY: u32 = 1003;

/// An IPv4 address follows.
const IPV4: u32 = 1;
/// The sampled header begins with Ethernet.
const ETHERNET: u32 = 1;
/// A path segment whose order is that of the way.
const AS_SEQUENCE: u32 = 2;

/// Octets of an Ethernet header, of its check sequence, and of the shortest frame without that.
const ETHERNET_OCTETS: usize = 14;
const CHECK_OCTETS: usize = 4;
const FRAME_OCTETS_MIN: usize = 60;

const IPV4_OCTETS: usize = 20;
const IPV6_OCTETS: usize = 40;
/// A TCP header with timestamps, as all have that open nothing and refuse nothing.
const TCP_OCTETS: usize = 32;

/// The transit network's own system (RFC 5398).
const TRANSIT_AS: u32 = 64_510;

/// What one sFlow agent remembers.
pub(crate) struct Sflow {
    agent: Address,
    interval: u32,
    booted: Timestamp,
    /// Datagrams sent.
    sequence: u32,
    /// The data sources: the two interfaces, at the places of their numbers less one.
    sources: [Source; 2],
}

/// One interface on which packets are taken as they come in.
#[derive(Default)]
struct Source {
    /// Samples taken.
    sequence: u32,
    /// Packets they were taken from.
    pool: u32,
}

impl Sflow {
    pub(crate) fn new(agent: Address, interval: u32, booted: Timestamp) -> Self {
        Self { agent, interval, booted, sequence: 0, sources: Default::default() }
    }
}

impl Protocol for Sflow {
    fn port(&self) -> u16 {
        6343
    }

    fn capacity(&self) -> usize {
        (DATAGRAM_OCTETS - HEADER_OCTETS) / SAMPLE_OCTETS
    }

    fn datagram(&mut self, sent: Timestamp, records: &[Record], _announce: Announce) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_OCTETS + records.len() * SAMPLE_OCTETS);
        self.sequence = self.sequence.wrapping_add(1);
        out.u32(5);
        out.u32(IPV4);
        out.address(self.agent);
        out.u32(0); // sub-agent
        out.u32(self.sequence);
        out.u32((sent.since(self.booted) / 1_000) as u32);
        out.u32(records.len() as u32);
        for record in records {
            self.sample(record, &mut out);
        }
        out
    }
}

impl Sflow {
    fn sample(&mut self, record: &Record, out: &mut Vec<u8>) {
        let (input, output) = interfaces(record);
        let source = &mut self.sources[input as usize - 1];
        source.sequence = source.sequence.wrapping_add(1);
        // On the mean so many packets went by from one sample to the next.
        source.pool = source.pool.wrapping_add(self.interval);
        out.u32(FLOW_SAMPLE);
        counted(out, |out| {
            out.u32(source.sequence);
            out.u32(input); // the data source: an interface, by its number
            out.u32(self.interval);
            out.u32(source.pool);
            out.u32(0); // samples dropped
            out.u32(input);
            out.u32(output);
            out.u32(2); // records
            header(record, out);
            gateway(record, self.agent, out);
        });
    }
}

/// The record "sampled header".
fn header(record: &Record, out: &mut Vec<u8>) {
    let mut frame = frame(record);
    let octets = (ETHERNET_OCTETS + record.octets as usize).max(FRAME_OCTETS_MIN);
    out.u32(SAMPLED_HEADER);
    counted(out, |out| {
        out.u32(ETHERNET);
        out.u32((octets + CHECK_OCTETS) as u32);
        out.u32(CHECK_OCTETS as u32); // taken off
        // What follows the headers, payload or padding, is zeros.
        frame.resize(octets.min(SAMPLED_OCTETS), 0);
        out.u32(frame.len() as u32);
        out.extend(&frame);
    });
}

/// The headers of the frame.
fn frame(record: &Record) -> Vec<u8> {
    let is_v4 = record.src.address.is_v4();
    let ip_octets = if is_v4 { IPV4_OCTETS } else { IPV6_OCTETS };
    let transport_octets = record.octets as usize - ip_octets;
    let mut frame = Vec::with_capacity(SAMPLED_OCTETS);
    frame.extend(ROUTER_MAC);
    frame.extend(COLLECTOR_MAC);
    if is_v4 {
        frame.u16(0x0800);
        frame.extend([0x45, 0]);
        frame.u16(record.octets as u16);
        frame.u16(0); // identification
        frame.u16(0x4000); // not to be cut
        frame.extend([60, record.protocol]);
        let at = frame.len();
        frame.u16(0);
        frame.address(record.src.address);
        frame.address(record.dst.address);
        let sum = checksum(&frame[ETHERNET_OCTETS..], 0);
        frame[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    } else {
        frame.u16(0x86dd);
        frame.u32(6 << 28);
        frame.u16(transport_octets as u16);
        frame.extend([record.protocol, 60]);
        frame.address(record.src.address);
        frame.address(record.dst.address);
    }
    frame.u16(record.src.port);
    frame.u16(record.dst.port);
    // Checksums are left at zero, as where a network card works them out.
    if record.protocol == protocol::UDP {
        frame.u16(transport_octets as u16);
        frame.u16(0);
        return frame;
    }
    let opens = u16::from(record.flags) & tcp::SYN != 0;
    let header_octets = if opens { transport_octets } else { transport_octets.min(TCP_OCTETS) };
    frame.u32(0); // sequence number
    frame.u32(0); // acknowledgement
    frame.extend([(header_octets as u8 / 4) << 4, record.flags]);
    frame.u16(0xffff); // window
    frame.u32(0); // checksum, urgent pointer
    frame.resize(frame.len() + header_octets - 20, 0); // options, all of them "end of list"
    frame
}

/// The record "extended gateway": whose addresses these are.
fn gateway(record: &Record, agent: Address, out: &mut Vec<u8>) {
    let (src, dst) = (origin_as(record.src.address), origin_as(record.dst.address));
    out.u32(EXTENDED_GATEWAY);
    counted(out, |out| {
        out.u32(IPV4);
        out.address(agent); // next hop
        out.u32(TRANSIT_AS);
        out.u32(src);
        out.u32(src); // the neighbour that it came from
        out.u32(1); // segments of the path
        out.u32(AS_SEQUENCE);
        out.u32(1);
        out.u32(dst);
        out.u32(0); // communities
        out.u32(100); // local preference
    });
}

/// Writes what `write` does, with its length before it.
fn counted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.u32(0);
    write(out);
    while !out.len().is_multiple_of(4) {
        out.push(0);
    }
    let octets = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&octets.to_be_bytes());
}
