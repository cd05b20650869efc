//! The ports of packets that came in pieces: only the first piece has them.

use std::collections::{HashMap, VecDeque};

use rahdar_model::{Address, Timestamp};

use super::frame::{Fragment, IpPacket, Transport};

/// The most packets whose pieces are waited for. Chosen here: far above what a link has in
/// flight, far below what memory could hold.
const FRAGMENTED_MAX: usize = 4_096;

/// How long the pieces of a packet may be apart: 60 s (RFC 8200 §4.5).
const FRAGMENT_TIMEOUT_US: i64 = 60_000_000;

/// What first pieces said, for the pieces that follow.
///
/// A later piece whose first one was not seen, or not seen before it, has no ports; its octets
/// go to the port-less flow of the two addresses.
pub(crate) struct Fragments {
    seen: HashMap<Key, (Transport, Timestamp)>,
    /// The keys in the order of their coming: the oldest makes room.
    order: VecDeque<Key>,
}

type Key = (Address, Address, u8, u32);

impl Fragments {
    pub(crate) fn new() -> Self {
        Self { seen: HashMap::new(), order: VecDeque::new() }
    }

    /// The transport header of the packet that `ip` is a piece of.
    pub(crate) fn transport(&mut self, ip: &IpPacket<'_>, fragment: Fragment, time: Timestamp) -> Transport {
        let key = (ip.src, ip.dst, ip.protocol, fragment.id);
        if !fragment.first {
            let first =
                self.seen.get(&key).filter(|(_, then)| time.since(*then).abs() <= FRAGMENT_TIMEOUT_US);
            let first = first.map_or(Transport::default(), |(transport, _)| *transport);
            // The whole of a later piece stands above the transport header.
            return Transport { tcp_flags: None, header_octets: Some(0), ..first };
        }
        let transport = Transport::of(ip);
        if self.seen.insert(key, (transport, time)).is_none() {
            self.order.push_back(key);
            if self.order.len() > FRAGMENTED_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.seen.remove(&oldest);
            }
        }
        transport
    }
}
