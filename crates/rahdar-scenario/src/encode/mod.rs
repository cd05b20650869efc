//! How sensors write what they saw: Zeek's log, three export protocols, captures that hold them.

pub(crate) mod ipfix;
pub(crate) mod netflow_v9;
pub(crate) mod pcap;
pub(crate) mod sflow;
pub(crate) mod zeek;

use rahdar_model::{Address, Timestamp};

use crate::plan::is_local;
use crate::sampling::Record;

/// Most octets of an export datagram, well below what a path with tunnels carries whole.
pub(crate) const DATAGRAM_OCTETS: usize = 1_400;

/// Interface of the exporters that faces the monitored networks.
const INSIDE: u32 = 1;
/// Interface of the exporters that faces the Internet.
const OUTSIDE: u32 = 2;

/// An export protocol: records into datagrams, with its own sequence numbers.
pub(crate) trait Protocol {
    /// UDP port of its collectors.
    fn port(&self) -> u16;

    /// How many records fit into one datagram beside everything that may be announced.
    fn capacity(&self) -> usize;

    /// One datagram, sent at `sent`. Its records are complete by then.
    fn datagram(&mut self, sent: Timestamp, records: &[Record], announce: Announce) -> Vec<u8>;
}

/// What a datagram tells beside records. sFlow has nothing to announce.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Announce {
    /// How records are laid out.
    pub(crate) templates: bool,
    /// How packets are sampled.
    pub(crate) sampling: bool,
}

/// By which interfaces a record's packets came in and left.
fn interfaces(record: &Record) -> (u32, u32) {
    if is_local(record.src.address) { (INSIDE, OUTSIDE) } else { (OUTSIDE, INSIDE) }
}

/// Appends big-endian numbers.
trait Put {
    fn u8(&mut self, n: u8);
    fn u16(&mut self, n: u16);
    fn u32(&mut self, n: u32);
    fn u64(&mut self, n: u64);
    /// An address: four octets of IPv4, sixteen of IPv6.
    fn address(&mut self, address: Address);
    /// A count of octets, for [`Put::close`] to set right.
    fn open(&mut self) -> usize;
    /// Pads with zeros to a multiple of four octets, then writes the octets since two before
    /// `at` into it: the length of a set, whose header is an id and this.
    fn close(&mut self, at: usize);
}

impl Put for Vec<u8> {
    fn u8(&mut self, n: u8) {
        self.push(n);
    }

    fn u16(&mut self, n: u16) {
        self.extend(n.to_be_bytes());
    }

    fn u32(&mut self, n: u32) {
        self.extend(n.to_be_bytes());
    }

    fn u64(&mut self, n: u64) {
        self.extend(n.to_be_bytes());
    }

    fn address(&mut self, address: Address) {
        match address.v4_bits() {
            Some(bits) => self.u32(bits),
            None => self.extend(address.bits().to_be_bytes()),
        }
    }

    fn open(&mut self) -> usize {
        self.u16(0);
        self.len() - 2
    }

    fn close(&mut self, at: usize) {
        let begin = at - 2;
        while !(self.len() - begin).is_multiple_of(4) {
            self.push(0);
        }
        let length = (self.len() - begin) as u16;
        self[at..at + 2].copy_from_slice(&length.to_be_bytes());
    }
}
