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
    /// None of a packet that was opened: the one inside is counted whole.
    seen: HashMap<Key, (Option<Transport>, Timestamp)>,
    /// The keys in the order of their coming: the oldest makes room.
    order: VecDeque<Key>,
}

type Key = (Address, Address, u8, u32);

impl Fragments {
    pub(crate) fn new() -> Self {
        Self { seen: HashMap::new(), order: VecDeque::new() }
    }

    /// The transport header of the packet that `ip` is a piece of; none if that was opened.
    pub(crate) fn transport(
        &mut self,
        ip: &IpPacket<'_>,
        fragment: Fragment,
        time: Timestamp,
    ) -> Option<Transport> {
        if fragment.first {
            let transport = Transport::of(ip);
            self.remember(ip, fragment, Some(transport), time);
            return Some(transport);
        }
        let first = self.seen.get(&key(ip, fragment));
        let first = first.filter(|(_, then)| time.since(*then).saturating_abs() <= FRAGMENT_TIMEOUT_US);
        let first = first.map_or(Some(Transport::default()), |(transport, _)| *transport)?;
        // The whole of a later piece stands above the transport header.
        Some(Transport { tcp_flags: None, header_octets: Some(0), ..first })
    }

    /// Takes note that the first piece was a tunnel and was opened.
    pub(crate) fn opened(&mut self, ip: &IpPacket<'_>, fragment: Fragment, time: Timestamp) {
        self.remember(ip, fragment, None, time);
    }

    fn remember(
        &mut self,
        ip: &IpPacket<'_>,
        fragment: Fragment,
        transport: Option<Transport>,
        time: Timestamp,
    ) {
        let key = key(ip, fragment);
        if self.seen.insert(key, (transport, time)).is_none() {
            self.order.push_back(key);
            if self.order.len() > FRAGMENTED_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.seen.remove(&oldest);
            }
        }
    }
}

fn key(ip: &IpPacket<'_>, fragment: Fragment) -> Key {
    (ip.src, ip.dst, ip.protocol, fragment.id)
}
