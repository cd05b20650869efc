//! Who calls many, who is called first, and who answers what nobody asked.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::flow::{protocol, tcp};
use rahdar_model::store::{FanOut, FirstContact, Outcome, PortSweep, StoreError, UnaskedReplies};
use rahdar_model::{Address, FlowRecord, Prefix, Window};

use super::{NaiveStore, distinct, is_among};

pub(super) fn fan_outs(
    store: &NaiveStore,
    sources: &[Prefix],
    window: Window,
    least_destinations: u64,
    visit: &mut dyn FnMut(FanOut),
) -> Result<(), StoreError> {
    let flows = store.usable(window);
    let is_call = |flow: &FlowRecord| match flow.protocol {
        protocol::ICMP | protocol::ICMPV6 => matches!(flow.icmp_type, None | Some(8 | 128)),
        own => !is_mere_reply(own, flow.tcp_flags),
    };
    let mut groups: BTreeMap<_, Vec<&FlowRecord>> = BTreeMap::new();
    for flow in flows.iter().filter(|flow| flow.packets > 0 && is_call(flow)) {
        if !is_among(sources, flow.src) {
            continue;
        }
        let key = (flow.src, flow.start_time.hour(), flow.protocol, flow.dst_port);
        groups.entry(key).or_default().push(flow);
    }
    let is_answer =
        |flow: &&FlowRecord| flow.protocol != protocol::TCP && flow.packets > 0 && flow.rev_packets.is_none();
    let answers: BTreeSet<_> = flows
        .iter()
        .filter(is_answer)
        .map(|flow| (flow.dst, flow.start_time.hour(), flow.protocol, flow.src_port, flow.src))
        .collect();
    for ((source, hour, protocol, port), flows) in groups {
        let heard = |flow: &&&FlowRecord| {
            protocol != protocol::TCP
                && (flow.rev_packets.is_some_and(|packets| packets > 0)
                    || answers.contains(&(source, hour, protocol, port, flow.dst)))
        };
        let found = FanOut {
            source,
            hour,
            protocol,
            port,
            destinations: distinct(flows.iter().map(|flow| flow.dst)),
            answered: distinct(flows.iter().filter(heard).map(|flow| flow.dst)),
            flows: flows.len() as u64,
            small_flows: flows.iter().filter(|flow| is_small(flow)).count() as u64,
            start_time: flows.iter().map(|flow| flow.start_time).min().unwrap_or_default(),
            end_time: flows.iter().map(|flow| flow.end_time).max().unwrap_or_default(),
        };
        if found.destinations >= least_destinations {
            visit(found);
        }
    }
    Ok(())
}

pub(super) fn port_sweeps(
    store: &NaiveStore,
    sources: &[Prefix],
    window: Window,
    least_ports: u64,
    visit: &mut dyn FnMut(PortSweep),
) -> Result<(), StoreError> {
    let flows = store.usable(window);
    let answers: BTreeSet<_> = flows
        .iter()
        .filter(|flow| flow.protocol == protocol::UDP && flow.packets > 0)
        .map(|flow| (flow.dst, flow.start_time.day(), flow.src, flow.src_port))
        .collect();
    let is_vain = |flow: &&FlowRecord| match flow.protocol {
        protocol::TCP => flow.packets > 0 && is_opening(flow.tcp_flags),
        protocol::UDP => {
            let answer = (flow.src, flow.start_time.day(), flow.dst, flow.dst_port);
            flow.packets > 0
                && flow.sampling_interval == Some(1)
                && !(1..1024).contains(&flow.src_port)
                && !answers.contains(&answer)
        }
        _ => false,
    };
    let heard: BTreeSet<_> = flows
        .iter()
        .filter(|flow| flow.protocol == protocol::UDP && flow.rev_packets.is_some_and(|n| n > 0))
        .map(|flow| (flow.src, flow.start_time.day(), flow.dst, flow.dst_port))
        .collect();
    let mut groups: BTreeMap<_, Vec<&FlowRecord>> = BTreeMap::new();
    for flow in flows.iter().filter(is_vain).filter(|flow| is_among(sources, flow.src)) {
        let day = flow.start_time.day();
        let is_heard = heard.contains(&(flow.src, day, flow.dst, flow.dst_port));
        if flow.protocol == protocol::TCP || !is_heard {
            groups.entry((flow.src, day, flow.protocol, flow.dst)).or_default().push(flow);
        }
    }
    for ((source, day, protocol, destination), flows) in groups {
        let found = PortSweep {
            source,
            day,
            protocol,
            destination,
            ports: flows.iter().map(|flow| flow.dst_port).collect::<BTreeSet<_>>().len() as u64,
            flows: flows.len() as u64,
            start_time: flows.iter().map(|flow| flow.start_time).min().unwrap_or_default(),
            end_time: flows.iter().map(|flow| flow.end_time).max().unwrap_or_default(),
        };
        if found.ports >= least_ports {
            visit(found);
        }
    }
    Ok(())
}

pub(super) fn first_contacts(
    store: &NaiveStore,
    sources: &[Prefix],
    window: Window,
    least_failures: u64,
    most_sources: usize,
    visit: &mut dyn FnMut(FirstContact),
) -> Result<u64, StoreError> {
    let tells = |flow: &&FlowRecord| {
        let says = flow.tcp_flags.is_some_and(|flags| flags & (tcp::SYN | tcp::ACK) != 0);
        flow.protocol == protocol::TCP && flow.sampling_interval == Some(1) && flow.packets > 0 && says
    };
    let flows = store.usable(window);
    let flows: Vec<_> = flows.iter().filter(tells).filter(|flow| is_among(sources, flow.src)).collect();
    let mut vain: BTreeMap<(Address, u16), BTreeSet<Address>> = BTreeMap::new();
    for flow in flows.iter().filter(|flow| is_opening(flow.tcp_flags)) {
        vain.entry((flow.src, flow.dst_port)).or_default().insert(flow.dst);
    }
    let mut worst: BTreeMap<Address, u64> = BTreeMap::new();
    for ((source, _), destinations) in vain {
        let most = worst.entry(source).or_default();
        *most = (*most).max(destinations.len() as u64);
    }
    let (told, left_out) = strongest(worst, least_failures, most_sources);
    let mut groups: BTreeMap<_, Vec<&FlowRecord>> = BTreeMap::new();
    for flow in flows.into_iter().filter(|flow| told.contains(&flow.src)) {
        groups.entry((flow.src, flow.dst_port, flow.dst)).or_default().push(flow);
    }
    let contact = |((source, port, destination), flows): (_, Vec<&FlowRecord>)| FirstContact {
        source,
        port,
        start_time: flows.iter().map(|flow| flow.start_time).min().unwrap_or_default(),
        destination,
        outcome: match flows.iter().all(|flow| is_opening(flow.tcp_flags)) {
            true => Outcome::Failed,
            false => Outcome::Established,
        },
        flows: flows.len() as u64,
    };
    let mut contacts: Vec<FirstContact> = groups.into_iter().map(contact).collect();
    contacts.sort();
    contacts.into_iter().for_each(visit);
    Ok(left_out)
}

pub(super) fn unasked_replies(
    store: &NaiveStore,
    sources: &[Prefix],
    exporters: &[&str],
    window: Window,
    least_replies: u64,
    most_sources: usize,
    visit: &mut dyn FnMut(UnaskedReplies),
) -> Result<u64, StoreError> {
    let flows: Vec<FlowRecord> = store
        .usable(window)
        .into_iter()
        .filter(|flow| flow.sampling_interval == Some(1) && exporters.contains(&&*flow.exporter))
        .collect();
    let halves: Vec<Half<'_>> = flows.iter().flat_map(halves).collect();
    let replies = || halves.iter().filter(|half| half.is_reply() && is_among(sources, half.from));
    let mut counts: BTreeMap<Address, u64> = BTreeMap::new();
    for half in replies() {
        *counts.entry(half.from).or_default() += 1;
    }
    let (told, left_out) = strongest(counts, least_replies, most_sources);
    let talk: BTreeSet<_> = halves
        .iter()
        .filter(|half| half.flow.protocol == protocol::TCP && !half.is_reply())
        .map(|half| (half.from, half.from_port, half.to, half.to_port))
        .collect();
    let tcp: BTreeSet<_> = halves
        .iter()
        .filter(|half| half.flow.protocol == protocol::TCP)
        .map(|half| (half.from, half.from_port, half.to, half.to_port))
        .collect();
    let any: BTreeSet<_> = halves.iter().map(|half| (half.from, half.to)).collect();
    let is_asked = |half: &Half<'_>| match half.flow.protocol {
        protocol::TCP => {
            talk.contains(&(half.from, half.from_port, half.to, half.to_port))
                || tcp.contains(&(half.to, half.to_port, half.from, half.from_port))
        }
        _ => any.contains(&(half.to, half.from)),
    };
    let mut services: BTreeMap<_, BTreeMap<_, Vec<&FlowRecord>>> = BTreeMap::new();
    for half in replies().filter(|half| told.contains(&half.from) && !is_asked(half)) {
        let is_tcp = half.flow.protocol == protocol::TCP;
        let (port, to_port) = if is_tcp { (half.from_port, half.to_port) } else { (0, 0) };
        let service = services.entry((half.from, half.flow.protocol, port)).or_default();
        service.entry((half.to, to_port)).or_default().push(half.flow);
    }
    for ((source, protocol, port), receivers) in services {
        let mut spread: BTreeMap<u64, u64> = BTreeMap::new();
        for replies in receivers.values() {
            *spread.entry(replies.len() as u64).or_default() += 1;
        }
        let flows = || receivers.values().flatten();
        visit(UnaskedReplies {
            source,
            protocol,
            port,
            spread: spread.into_iter().collect(),
            start_time: flows().map(|flow| flow.start_time).min().unwrap_or_default(),
            end_time: flows().map(|flow| flow.end_time).max().unwrap_or_default(),
        });
    }
    Ok(left_out)
}

/// Of the sources that reach `least`, the `most` with the highest counts; and how many are not among them.
fn strongest(counts: BTreeMap<Address, u64>, least: u64, most: usize) -> (BTreeSet<Address>, u64) {
    let mut ranked: Vec<_> = counts.into_iter().filter(|(_, count)| *count >= least).collect();
    ranked.sort_by_key(|(address, count)| (Reverse(*count), *address));
    let left_out = ranked.len().saturating_sub(most) as u64;
    (ranked.into_iter().take(most).map(|(address, _)| address).collect(), left_out)
}

fn is_opening(flags: Option<u16>) -> bool {
    flags.is_some_and(|flags| flags & tcp::SYN != 0 && flags & tcp::ACK == 0)
}

/// Whether TCP flags are those of a reply and nothing else. Congestion bits say nothing.
fn is_mere_reply(ip_protocol: u8, flags: Option<u16>) -> bool {
    let known = tcp::FIN | tcp::SYN | tcp::RST | tcp::PSH | tcp::ACK | tcp::URG;
    let replies = [tcp::SYN | tcp::ACK, tcp::RST, tcp::RST | tcp::ACK, tcp::SYN | tcp::RST | tcp::ACK];
    ip_protocol == protocol::TCP && flags.is_some_and(|flags| replies.contains(&(flags & known)))
}

fn is_small(flow: &FlowRecord) -> bool {
    let acknowledges = flow.tcp_flags.is_some_and(|flags| flags & tcp::ACK != 0);
    let is_large = flow.octets > flow.packets.saturating_mul(FanOut::HEADERS_OCTETS);
    flow.packets <= FanOut::SMALL_PACKETS && !(flow.protocol == protocol::TCP && acknowledges && is_large)
}

/// One direction of a flow.
struct Half<'a> {
    from: Address,
    from_port: u16,
    to: Address,
    to_port: u16,
    flags: Option<u16>,
    forward: bool,
    flow: &'a FlowRecord,
}

impl Half<'_> {
    fn is_reply(&self) -> bool {
        let (kind, code) = (self.flow.icmp_type, self.flow.icmp_code);
        match self.flow.protocol {
            protocol::ICMP if self.forward => {
                kind == Some(4) || kind == Some(3) && matches!(code, Some(2 | 3))
            }
            protocol::ICMPV6 if self.forward => kind == Some(1) && code == Some(4),
            own => is_mere_reply(own, self.flags),
        }
    }
}

/// The directions of a flow in which packets went.
fn halves(flow: &FlowRecord) -> impl Iterator<Item = Half<'_>> {
    let forward = Half {
        from: flow.src,
        from_port: flow.src_port,
        to: flow.dst,
        to_port: flow.dst_port,
        flags: flow.tcp_flags,
        forward: true,
        flow,
    };
    let reverse = Half {
        from: flow.dst,
        from_port: flow.dst_port,
        to: flow.src,
        to_port: flow.src_port,
        flags: flow.rev_tcp_flags,
        forward: false,
        flow,
    };
    let rev_packets = flow.rev_packets.unwrap_or(0);
    [(forward, flow.packets), (reverse, rev_packets)]
        .into_iter()
        .filter_map(|(half, packets)| (packets > 0).then_some(half))
}
