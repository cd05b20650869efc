//! NetFlow v5 (Cisco): exporter E3. It has no templates, no IPv6, and 16-bit AS numbers.

use rahdar_model::Timestamp;
use rahdar_model::time::SECOND_US;

use super::{Announce, DATAGRAM_OCTETS, Protocol, Put, interfaces};
use crate::plan::origin_as;
use crate::sampling::Record;

const HEADER_OCTETS: usize = 24;
const RECORD_OCTETS: usize = 48;

/// Random sampling, in the two highest bits of the header's sampling field; the interval is in the
/// other fourteen.
const RANDOM: u16 = 2 << 14;

/// Prefix length of the routes that the exporter knows.
const MASK: u8 = 24;

/// What one NetFlow v5 exporter remembers.
pub(crate) struct NetflowV5 {
    interval: u16,
    booted: Timestamp,
    /// Records sent.
    sequence: u32,
}

impl NetflowV5 {
    /// `interval` fits into 14 bits.
    pub(crate) fn new(interval: u32, booted: Timestamp) -> Self {
        Self { interval: interval as u16, booted, sequence: 0 }
    }

    /// Milliseconds since it booted, in 32 bits.
    fn uptime(&self, at: Timestamp) -> u32 {
        (at.since(self.booted) / 1_000) as u32
    }
}

impl Protocol for NetflowV5 {
    fn port(&self) -> u16 {
        2055
    }

    fn capacity(&self) -> usize {
        (DATAGRAM_OCTETS - HEADER_OCTETS) / RECORD_OCTETS
    }

    fn datagram(&mut self, sent: Timestamp, records: &[Record], _announce: Announce) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_OCTETS + records.len() * RECORD_OCTETS);
        out.u16(5);
        out.u16(records.len() as u16);
        out.u32(self.uptime(sent));
        out.u32((sent.micros() / SECOND_US) as u32);
        out.u32((sent.micros() % SECOND_US) as u32 * 1_000);
        out.u32(self.sequence);
        out.u8(0); // engine type
        out.u8(3); // engine id
        out.u16(RANDOM | self.interval);
        for record in records {
            self.record(record, &mut out);
        }
        self.sequence = self.sequence.wrapping_add(records.len() as u32);
        out
    }
}

impl NetflowV5 {
    fn record(&self, record: &Record, out: &mut Vec<u8>) {
        let (inward, outward) = interfaces(record);
        out.address(record.src.address);
        out.address(record.dst.address);
        out.u32(0); // next hop
        out.u16(inward as u16);
        out.u16(outward as u16);
        out.u32(record.packets);
        out.u32(record.octets);
        out.u32(self.uptime(record.first));
        out.u32(self.uptime(record.last));
        out.u16(record.src.port);
        out.u16(record.dst.port);
        out.u8(0);
        out.u8(record.flags);
        out.u8(record.protocol);
        out.u8(0); // type of service
        out.u16(origin_as(record.src.address) as u16);
        out.u16(origin_as(record.dst.address) as u16);
        out.u8(MASK);
        out.u8(MASK);
        out.u16(0);
    }
}
