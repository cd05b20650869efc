//! What the flows of one host show of it: who called which port of it, and whom it called.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;

use rahdar_model::flow::{Initiator, protocol, tcp};
use rahdar_model::time::SECOND_US;
use rahdar_model::{Address, FlowRecord, Prefix};

use crate::stitch::is_large;

/// Addresses, networks or ports of one kind that are told apart; chosen here: no feature asks for more. Only
/// how many there are is ever used, so that the order of flows does not matter.
pub(super) const DISTINCT_MAX: usize = 512;
const MINUTE_US: i64 = 60 * SECOND_US;
/// A stay of this long on a port is one of a client that waits for news; chosen here: ActiveSync asks every
/// eight to thirty minutes.
const LONG_S: i64 = 300;

/// Ports above 1023 at which hosts serve something here.
const HIGH_SERVICES: [u16; 6] = [1194, 1701, 1723, 8080, 8443, 51820];

/// Ports whose callers are told apart: those of roles, telnet and SMB.
const WATCHED: [u16; 20] =
    [25, 465, 587, 993, 995, 143, 110, 80, 443, 8080, 8443, 53, 500, 4500, 1194, 1701, 1723, 51820, 23, 445];

/// ESP and GRE.
const TUNNELS: [u8; 2] = [50, 47];
/// EIGRP, OSPF, PIM, VRRP.
const ROUTING: [u8; 4] = [88, 89, 103, 112];
const BGP: u16 = 179;

/// What was seen of one host.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Whether a record was sampled, or may have been.
    pub(super) is_sampled: bool,
    /// Who used a watched port of the host, by protocol and port.
    callers: BTreeMap<(u8, u16), HashSet<Address>>,
    /// Networks that used port 25.
    pub(super) mailed_by: HashSet<Prefix>,
    /// Who used any port at which hosts serve something.
    pub(super) used_by: HashSet<Address>,
    /// Networks whose ports 25 and 53 the host called.
    pub(super) mailed_to: HashSet<Prefix>,
    pub(super) asked: HashSet<Prefix>,
    /// All networks that it called, and all kinds of service.
    pub(super) reached: HashSet<Prefix>,
    pub(super) services: BTreeSet<u16>,
    /// Client flows by the minute.
    minutes: HashMap<i64, u32>,
    /// Who sent ESP or GRE.
    pub(super) tunnels: HashSet<Address>,
    /// To whom it said that time was exceeded.
    pub(super) expired: HashSet<Address>,
    /// Whether it speaks a routing protocol.
    pub(super) routes: bool,
    /// Who stayed on port 443.
    pub(super) stayed: HashSet<Address>,
    /// Octets that it sent to port 25 of others, and that came back.
    pub(super) mailed: (u64, u64),
    /// Who sent anything to it, used or not: networks, and ports.
    pub(super) tried_by: HashSet<Prefix>,
    pub(super) tried_ports: BTreeSet<u16>,
    /// Whether it ever sent a packet.
    pub(super) sent: bool,
}

/// One flow as the host sees it.
struct Seen<'a> {
    flow: &'a FlowRecord,
    other: Address,
    own_port: u16,
    other_port: u16,
    /// Packets, octets and flags that it sent.
    out: (u64, u64, Option<u16>),
    /// Packets, octets and flags that came.
    back: (u64, u64, Option<u16>),
}

impl Activity {
    /// Adds a flow; the host is its source or its destination.
    pub(super) fn add(&mut self, flow: &FlowRecord, is_source: bool) {
        let forward = (flow.packets, flow.octets, flow.tcp_flags);
        let reverse = (flow.rev_packets.unwrap_or(0), flow.rev_octets.unwrap_or(0), flow.rev_tcp_flags);
        let seen = if is_source {
            Seen {
                flow,
                other: flow.dst,
                own_port: flow.src_port,
                other_port: flow.dst_port,
                out: forward,
                back: reverse,
            }
        } else {
            Seen {
                flow,
                other: flow.src,
                own_port: flow.dst_port,
                other_port: flow.src_port,
                out: reverse,
                back: forward,
            }
        };
        self.is_sampled |= flow.sampling_interval != Some(1);
        self.sent |= seen.out.0 > 0;
        match flow.protocol {
            protocol::TCP | protocol::UDP => self.talk(&seen, is_source),
            protocol::ICMP | protocol::ICMPV6 => {
                let exceeded = if flow.protocol == protocol::ICMP { 11 } else { 3 };
                if is_source && flow.icmp_type == Some(exceeded) {
                    insert(&mut self.expired, seen.other);
                }
            }
            number if TUNNELS.contains(&number) => insert(&mut self.tunnels, seen.other),
            number if ROUTING.contains(&number) => self.routes |= seen.out.0 > 0,
            _ => {}
        }
    }

    fn talk(&mut self, seen: &Seen<'_>, is_source: bool) {
        let Some(is_client) = seen.is_client(is_source) else { return };
        if is_client {
            if seen.out.0 == 0 {
                // The way back of a call, in a record of its own.
                if seen.other_port == 25 {
                    self.mailed.1 = self.mailed.1.saturating_add(seen.back.1);
                }
                return;
            }
            let network = network(seen.other);
            insert(&mut self.reached, network);
            if is_service(seen.other_port) {
                self.services.insert(seen.other_port);
            }
            *self.minutes.entry(seen.flow.start_time.micros().div_euclid(MINUTE_US)).or_default() += 1;
            if seen.other_port == 25 {
                insert(&mut self.mailed_to, network);
                self.mailed.0 = self.mailed.0.saturating_add(seen.out.1);
                self.mailed.1 = self.mailed.1.saturating_add(seen.back.1);
            }
            if seen.other_port == 53 {
                insert(&mut self.asked, network);
            }
            self.routes |= seen.other_port == BGP && seen.is_used();
            return;
        }
        if seen.back.0 > 0 {
            insert(&mut self.tried_by, network(seen.other));
            if self.tried_ports.len() < DISTINCT_MAX {
                self.tried_ports.insert(seen.own_port);
            }
        }
        if !seen.is_used() {
            return;
        }
        self.routes |= seen.own_port == BGP;
        if is_service(seen.own_port) {
            insert(&mut self.used_by, seen.other);
        }
        if WATCHED.contains(&seen.own_port) {
            insert(self.callers.entry((seen.flow.protocol, seen.own_port)).or_default(), seen.other);
        }
        if seen.own_port == 25 {
            insert(&mut self.mailed_by, network(seen.other));
        }
        if seen.own_port == 443 && seen.flow.end_time.since(seen.flow.start_time) >= LONG_S * SECOND_US {
            insert(&mut self.stayed, seen.other);
        }
    }

    /// How many used this port of the host, over TCP or UDP, whichever more did.
    pub(super) fn callers(&self, port: u16) -> usize {
        let of = |number| self.callers.get(&(number, port)).map_or(0, HashSet::len);
        of(protocol::TCP).max(of(protocol::UDP))
    }

    /// The most client flows of one minute.
    pub(super) fn busiest_minute(&self) -> u32 {
        self.minutes.values().copied().max().unwrap_or(0)
    }
}

impl Seen<'_> {
    /// Whether the host opened the flow; none where nobody can tell.
    fn is_client(&self, is_source: bool) -> Option<bool> {
        let opened_by_source = match self.flow.initiator {
            Some(Initiator::Source) => Some(true),
            Some(Initiator::Destination) => Some(false),
            _ => None,
        };
        if let Some(opened) = opened_by_source {
            return Some(opened == is_source);
        }
        match (is_service(self.own_port), is_service(self.other_port)) {
            (true, false) => Some(false),
            (false, true) => Some(true),
            // A biflow is written from who opened it; of a uniflow with two such ports, who sends asks.
            _ if self.flow.rev_packets.is_some() => Some(is_source),
            (true, true) => Some(is_source),
            (false, false) => None,
        }
    }

    /// Whether more passed than a call in vain. Of UDP, the host answered; of TCP, the flags of one side are
    /// those of a conversation, or where there are no flags, packets carry payload.
    fn is_used(&self) -> bool {
        if self.flow.protocol == protocol::UDP {
            return self.out.0 > 0;
        }
        let is_talk = |flags: u16| {
            let has = |bits: u16| flags & bits == bits;
            has(tcp::ACK) && (has(tcp::PSH) || has(tcp::FIN) || flags & (tcp::SYN | tcp::RST) == 0)
        };
        let used = |(packets, octets, flags): (u64, u64, Option<u16>)| match flags {
            Some(flags) => packets > 0 && is_talk(flags),
            None => is_large(packets, octets),
        };
        used(self.out) || used(self.back)
    }
}

fn is_service(port: u16) -> bool {
    (1..1024).contains(&port) || HIGH_SERVICES.contains(&port)
}

/// The network of an address: IPv4 /24, IPv6 /48.
fn network(address: Address) -> Prefix {
    Prefix::new(address, if address.is_v4() { 120 } else { 48 })
}

fn insert<T: Hash + Eq>(set: &mut HashSet<T>, value: T) {
    if set.len() < DISTINCT_MAX {
        set.insert(value);
    }
}

#[cfg(test)]
mod tests {
    use rahdar_testkit::flow;

    use super::*;

    const HOST: &str = "203.0.113.25";

    fn activity(flows: &[FlowRecord]) -> Activity {
        let mut activity = Activity::default();
        for flow in flows {
            activity.add(flow, flow.src == HOST.parse().unwrap());
        }
        activity
    }

    #[test]
    fn a_call_in_vain_is_no_use_of_a_port() {
        let call = |flags: u16| flow(&format!("192.0.2.9:50000 > {HOST}:25")).flags(flags).build();
        let used = |flags: u16| activity(&[call(flags)]).callers(25) == 1;
        assert!(!used(tcp::SYN) && !used(tcp::RST) && !used(tcp::SYN | tcp::RST | tcp::ACK));
        assert!(used(tcp::SYN | tcp::ACK | tcp::PSH) && used(tcp::ACK));
        let reply = |flags: u16| flow(&format!("{HOST}:25 > 192.0.2.9:50000")).flags(flags).build();
        assert_eq!(activity(&[reply(tcp::SYN | tcp::ACK)]).callers(25), 0);
        assert_eq!(activity(&[reply(tcp::PSH | tcp::ACK)]).callers(25), 1);
    }

    #[test]
    fn without_flags_packets_that_are_larger_than_headers_on_average_are_a_use() {
        let called = |octets: u64| flow(&format!("192.0.2.9:50000 > {HOST}:25")).sent(2, octets).build();
        assert_eq!([128, 129].map(|octets| activity(&[called(octets)]).callers(25)), [0, 1]);
    }

    #[test]
    fn a_datagram_counts_where_the_host_answered() {
        let asked = flow(&format!("192.0.2.9:50000 > {HOST}:53")).udp();
        assert_eq!(activity(&[asked.clone().build()]).callers(53), 0);
        assert_eq!(activity(&[asked.answered(1, 200).build()]).callers(53), 1);
        assert_eq!(activity(&[flow(&format!("{HOST}:53 > 192.0.2.9:50000")).udp().build()]).callers(53), 1);
    }

    #[test]
    fn who_opened_a_flow_is_told_by_the_record_or_by_ports() {
        let out = activity(&[flow(&format!("{HOST}:50000 > 192.0.2.9:25")).build()]);
        assert_eq!((out.mailed_to.len(), out.callers(25), out.sent), (1, 0, true));
        let reply = activity(&[flow(&format!("192.0.2.9:25 > {HOST}:50000")).build()]);
        assert_eq!((reply.mailed_to.len(), reply.tried_ports.len(), reply.sent), (0, 0, false));
        let told = flow(&format!("192.0.2.9:25 > {HOST}:50000")).opened_by(Initiator::Source).build();
        assert_eq!(activity(&[told]).tried_ports.len(), 1);
    }
}
