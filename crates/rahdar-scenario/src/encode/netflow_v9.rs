//! NetFlow v9 (RFC 3954): exporter E2, whose clock is wrong and whose uptime wraps.

use rahdar_model::Timestamp;
use rahdar_model::time::SECOND_US;

use super::{Announce, DATAGRAM_OCTETS, Protocol, Put, interfaces};
use crate::plan::origin_as;
use crate::sampling::Record;

/// Layout of an IPv4 record: field types and their octets (RFC 3954 §8).
const V4: [(u16, u16); 15] = fields(8, 12, 4);
/// Layout of an IPv6 record.
const V6: [(u16, u16); 15] = fields(27, 28, 16);

const fn fields(src: u16, dst: u16, octets: u16) -> [(u16, u16); 15] {
    [
        (22, 4), // FIRST_SWITCHED
        (21, 4), // LAST_SWITCHED
        (2, 4),  // IN_PKTS
        (1, 4),  // IN_BYTES
        (10, 2), // INPUT_SNMP
        (14, 2), // OUTPUT_SNMP
        (src, octets),
        (dst, octets),
        (4, 1),  // PROTOCOL
        (6, 1),  // TCP_FLAGS
        (7, 2),  // L4_SRC_PORT
        (11, 2), // L4_DST_PORT
        (16, 4), // SRC_AS
        (17, 4), // DST_AS
        (61, 1), // DIRECTION
    ]
}

/// What the announcement of sampling says.
const SAMPLING: [(u16, u16); 2] = [
    (34, 4), // SAMPLING_INTERVAL
    (35, 1), // SAMPLING_ALGORITHM
];

const V4_ID: u16 = 256;
const V6_ID: u16 = 257;
const SAMPLING_ID: u16 = 258;

/// FlowSet ids of templates and options templates (RFC 3954 §5.2, §6.1).
const TEMPLATES: u16 = 0;
const OPTIONS_TEMPLATES: u16 = 1;

/// Scope: the whole system (RFC 3954 §6.1).
const SYSTEM: u16 = 1;
/// Random sampling (RFC 3954 §8, SAMPLING_ALGORITHM).
const RANDOM: u8 = 2;

const SOURCE_ID: u32 = 7;

/// What one NetFlow v9 exporter remembers.
pub(crate) struct NetflowV9 {
    interval: u32,
    booted: Timestamp,
    /// How far its clock is ahead.
    clock_ahead_us: i64,
    /// Datagrams sent.
    sequence: u32,
}

impl NetflowV9 {
    pub(crate) fn new(interval: u32, booted: Timestamp, clock_ahead_us: i64) -> Self {
        Self { interval, booted, clock_ahead_us, sequence: 0 }
    }

    /// Milliseconds since it booted, in 32 bits.
    fn uptime(&self, at: Timestamp) -> u32 {
        (at.since(self.booted) / 1_000) as u32
    }
}

impl Protocol for NetflowV9 {
    fn port(&self) -> u16 {
        2055
    }

    fn capacity(&self) -> usize {
        let header = 20 + (4 + 2 * (4 + 4 * V4.len())) + (10 + 4 + 4 * SAMPLING.len()) + 4 + 9;
        let longest = V6.iter().map(|(_, octets)| usize::from(*octets)).sum::<usize>();
        // Two data sets have a header and padding each, the other sets padding.
        (DATAGRAM_OCTETS - header - 2 * 7 - 3 * 3) / longest
    }

    fn datagram(&mut self, sent: Timestamp, records: &[Record], announce: Announce) -> Vec<u8> {
        let templates = if announce.templates { 2 } else { 0 };
        let sampling = if announce.sampling { 2 } else { 0 };
        let mut out = Vec::with_capacity(DATAGRAM_OCTETS);
        out.u16(9);
        out.u16((records.len() + templates + sampling) as u16);
        out.u32(self.uptime(sent));
        out.u32(((sent.micros() + self.clock_ahead_us) / SECOND_US) as u32);
        out.u32(self.sequence);
        out.u32(SOURCE_ID);
        self.sequence = self.sequence.wrapping_add(1);
        if announce.templates {
            out.u16(TEMPLATES);
            let set = out.open();
            for (id, fields) in [(V4_ID, V4), (V6_ID, V6)] {
                out.u16(id);
                out.u16(fields.len() as u16);
                for (field, octets) in fields {
                    out.u16(field);
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
        out
    }
}

impl NetflowV9 {
    fn sampling(&self, out: &mut Vec<u8>) {
        out.u16(OPTIONS_TEMPLATES);
        let set = out.open();
        out.u16(SAMPLING_ID);
        out.u16(4); // octets of scope fields
        out.u16(4 * SAMPLING.len() as u16); // octets of option fields
        out.u16(SYSTEM);
        out.u16(4);
        for (field, octets) in SAMPLING {
            out.u16(field);
            out.u16(octets);
        }
        out.close(set);
        out.u16(SAMPLING_ID);
        let set = out.open();
        out.u32(0); // the system
        out.u32(self.interval);
        out.u8(RANDOM);
        out.close(set);
    }

    fn record(&self, record: &Record, out: &mut Vec<u8>) {
        let (inward, outward) = interfaces(record);
        out.u32(self.uptime(record.first));
        out.u32(self.uptime(record.last));
        out.u32(record.packets);
        out.u32(record.octets);
        out.u16(inward as u16);
        out.u16(outward as u16);
        out.address(record.src.address);
        out.address(record.dst.address);
        out.u8(record.protocol);
        out.u8(record.flags);
        out.u16(record.src.port);
        out.u16(record.dst.port);
        out.u32(origin_as(record.src.address));
        out.u32(origin_as(record.dst.address));
        out.u8(0); // ingress
    }
}
