//! IPFIX (RFC 7011): exporter E1.

use rahdar_model::Timestamp;
use rahdar_model::time::SECOND_US;

use super::{Announce, DATAGRAM_OCTETS, Protocol, Put, interfaces};
use crate::plan::origin_as;
use crate::sampling::Record;

/// Layout of an IPv4 record: information elements (IANA) and their octets.
const V4: [(u16, u16); 16] = fields(8, 12, 4);
/// Layout of an IPv6 record.
const V6: [(u16, u16); 16] = fields(27, 28, 16);

const fn fields(src: u16, dst: u16, octets: u16) -> [(u16, u16); 16] {
    [
        (src, octets),
        (dst, octets),
        (7, 2),   // sourceTransportPort
        (11, 2),  // destinationTransportPort
        (4, 1),   // protocolIdentifier
        (6, 2),   // tcpControlBits
        (2, 8),   // packetDeltaCount
        (1, 8),   // octetDeltaCount
        (152, 8), // flowStartMilliseconds
        (153, 8), // flowEndMilliseconds
        (10, 4),  // ingressInterface
        (14, 4),  // egressInterface
        (16, 4),  // bgpSourceAsNumber
        (17, 4),  // bgpDestinationAsNumber
        (61, 1),  // flowDirection
        (136, 1), // flowEndReason
    ]
}

/// Layout of the announcement of sampling: its scope, then what holds in it (RFC 5477).
const SAMPLING: [(u16, u16); 4] = [
    (149, 4), // observationDomainId, the scope
    (304, 2), // selectorAlgorithm
    (305, 4), // samplingPacketInterval
    (306, 4), // samplingPacketSpace
];

const V4_ID: u16 = 256;
const V6_ID: u16 = 257;
const SAMPLING_ID: u16 = 258;

/// Set ids of templates and options templates (RFC 7011 §3.3.2).
const TEMPLATES: u16 = 2;
const OPTIONS_TEMPLATES: u16 = 3;

/// Uniform probabilistic sampling (IANA, PSAMP selector algorithms).
const PROBABILISTIC: u16 = 4;

const DOMAIN: u32 = 1;

/// What one IPFIX exporter remembers.
pub(crate) struct Ipfix {
    interval: u32,
    /// Data records sent.
    sequence: u32,
}

impl Ipfix {
    pub(crate) fn new(interval: u32) -> Self {
        Self { interval, sequence: 0 }
    }
}

impl Protocol for Ipfix {
    fn port(&self) -> u16 {
        4739
    }

    fn capacity(&self) -> usize {
        let header = 16 + 2 * (8 + 4 * V4.len()) + (10 + 4 * SAMPLING.len()) + 4 + 14;
        let longest = V6.iter().map(|(_, octets)| usize::from(*octets)).sum::<usize>();
        // Two data sets have a header and padding each, the other sets padding.
        (DATAGRAM_OCTETS - header - 2 * 7 - 3 * 3) / longest
    }

    fn datagram(&mut self, sent: Timestamp, records: &[Record], announce: Announce) -> Vec<u8> {
        let mut out = Vec::with_capacity(DATAGRAM_OCTETS);
        out.u16(10);
        let length = out.open();
        out.u32((sent.micros() / SECOND_US) as u32);
        out.u32(self.sequence);
        out.u32(DOMAIN);
        if announce.templates {
            out.u16(TEMPLATES);
            let set = out.open();
            for (id, fields) in [(V4_ID, V4), (V6_ID, V6)] {
                out.u16(id);
                out.u16(fields.len() as u16);
                for (element, octets) in fields {
                    out.u16(element);
                    out.u16(octets);
                }
            }
            out.close(set);
        }
        if announce.sampling {
            self.sampling(&mut out);
        }
        for (id, v4) in [(V4_ID, true), (V6_ID, false)] {
            let mut family = records.iter().filter(|record| record.src.address.is_v4() == v4).peekable();
            if family.peek().is_some() {
                out.u16(id);
                let set = out.open();
                for record in family {
                    self.record(record, &mut out);
                }
                out.close(set);
            }
        }
        let whole = out.len() as u16;
        out[length..length + 2].copy_from_slice(&whole.to_be_bytes());
        out
    }
}

impl Ipfix {
    fn sampling(&mut self, out: &mut Vec<u8>) {
        out.u16(OPTIONS_TEMPLATES);
        let set = out.open();
        out.u16(SAMPLING_ID);
        out.u16(SAMPLING.len() as u16);
        out.u16(1); // fields of the scope
        for (element, octets) in SAMPLING {
            out.u16(element);
            out.u16(octets);
        }
        out.close(set);
        out.u16(SAMPLING_ID);
        let set = out.open();
        out.u32(DOMAIN);
        out.u16(PROBABILISTIC);
        out.u32(1);
        out.u32(self.interval - 1);
        out.close(set);
        self.sequence = self.sequence.wrapping_add(1);
    }

    fn record(&mut self, record: &Record, out: &mut Vec<u8>) {
        let (inward, outward) = interfaces(record);
        out.address(record.src.address);
        out.address(record.dst.address);
        out.u16(record.src.port);
        out.u16(record.dst.port);
        out.u8(record.protocol);
        out.u16(u16::from(record.flags));
        out.u64(u64::from(record.packets));
        out.u64(u64::from(record.octets));
        out.u64((record.first.micros() / 1_000) as u64);
        out.u64((record.last.micros() / 1_000) as u64);
        out.u32(inward);
        out.u32(outward);
        out.u32(origin_as(record.src.address));
        out.u32(origin_as(record.dst.address));
        out.u8(0); // ingress
        out.u8(record.end_reason);
        self.sequence = self.sequence.wrapping_add(1);
    }
}
