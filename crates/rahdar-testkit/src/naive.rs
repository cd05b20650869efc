//! The store that answers with nested loops.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use rahdar_model::column::flow::COLUMNS;
use rahdar_model::coverage::{CoverageHour, ExporterCoverage, Lost, joined};
use rahdar_model::fact::{Answer, Fact, Gap, Handshake, Resolution};
use rahdar_model::flow::{protocol, tcp};
use rahdar_model::sink::SinkError;
use rahdar_model::store::{
    Admission, Commit, Contact, End, Exchange, FanOut, FirstContact, Import, Input, Outcome, PortSweep,
    QueryLimits, Service, Sighting, StoreError, Table, UnaskedReplies, Volume,
};
use rahdar_model::time::{DAY_US, HOUR_US};
use rahdar_model::{Address, FlowRecord, FlowSink, FlowStore, Prefix, Problem, Quality, Timestamp, Window};

/// Flows in memory. Every answer is a loop over all of them, written as the contract reads.
#[derive(Debug, Default)]
pub struct NaiveStore {
    state: RwLock<State>,
    guard: Option<Arc<dyn Guard>>,
}

/// Who stands before the imports of a [`NaiveStore`]: one that fails, takes its time, or keeps a
/// copy. Each answer is that of a store nobody guards, unless a test says otherwise.
pub trait Guard: fmt::Debug + Send + Sync {
    /// Whether something may be imported now.
    ///
    /// # Errors
    /// What the import is to fail with.
    fn import(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether an input is stored already, somewhere else.
    fn has(&self, _input: &Input) -> bool {
        false
    }

    /// Whether these flows and gaps of these inputs, sorted, may be committed, and are to be kept.
    ///
    /// # Errors
    /// What the commit is to fail with.
    fn commit(&self, _inputs: &[&str], _flows: &[FlowRecord], _gaps: &[Gap]) -> Result<Keep, StoreError> {
        Ok(Keep::All)
    }
}

/// What a [`NaiveStore`] keeps of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of it.
    All,
    /// That the inputs are stored.
    Inputs,
    /// Nothing, so that a test can run for long in little memory.
    Nothing,
}

#[derive(Debug, Default)]
struct State {
    flows: Vec<FlowRecord>,
    facts: Facts,
    inputs: BTreeSet<String>,
    version: u64,
}

/// What was said beside flows.
#[derive(Debug, Default)]
struct Facts {
    resolutions: Vec<Resolution>,
    handshakes: Vec<Handshake>,
    gaps: Vec<Gap>,
}

impl Facts {
    fn take(&mut self, fact: Fact<'_>) {
        match fact {
            Fact::Resolution(resolution) => self.resolutions.push(resolution.clone()),
            Fact::Handshake(handshake) => self.handshakes.push(handshake.clone()),
            Fact::Gap(gap) => self.gaps.push(gap.clone()),
        }
    }

    fn append(&mut self, mut other: Self) {
        self.resolutions.append(&mut other.resolutions);
        self.handshakes.append(&mut other.handshakes);
        self.gaps.append(&mut other.gaps);
    }
}

impl NaiveStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that holds `flows`, as one input.
    pub fn of<F: Into<FlowRecord>>(flows: impl IntoIterator<Item = F>) -> Self {
        let flows = flows.into_iter().map(|flow| stored(&flow.into())).collect();
        let state =
            State { flows, facts: Facts::default(), inputs: BTreeSet::from(["test".to_owned()]), version: 1 };
        Self { state: RwLock::new(state), guard: None }
    }

    /// An empty store that is guarded.
    pub fn guarded(guard: Arc<dyn Guard>) -> Self {
        Self { guard: Some(guard), ..Self::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The flows that started in `window` and whose counters mean something.
    fn usable(&self, window: Window) -> Vec<FlowRecord> {
        let is_usable = |flow: &FlowRecord| !flow.quality.intersects(Quality::UNUSABLE);
        self.flows(window).into_iter().filter(is_usable).collect()
    }

    /// The flows that started in `window`, in the order of import.
    fn flows(&self, window: Window) -> Vec<FlowRecord> {
        self.read().flows.iter().filter(|flow| window.contains(flow.start_time)).cloned().collect()
    }
}

/// The record as a store gives it back: numbers beyond the range of their column saturate.
pub fn stored(record: &FlowRecord) -> FlowRecord {
    let mut copy = FlowRecord::new("".into(), "".into());
    for column in COLUMNS {
        (column.set)(&mut copy, column.stored(record));
    }
    copy
}

impl FlowStore for NaiveStore {
    fn import(&self) -> Result<Box<dyn Import + '_>, StoreError> {
        if let Some(guard) = &self.guard {
            guard.import()?;
        }
        Ok(Box::new(NaiveImport {
            store: self,
            flows: Vec::new(),
            facts: Facts::default(),
            inputs: BTreeSet::new(),
            admitted: false,
            begun: None,
            failed: false,
        }))
    }

    fn version(&self) -> Result<u64, StoreError> {
        Ok(self.read().version)
    }

    fn count(&self, window: Window) -> Result<u64, StoreError> {
        Ok(self.flows(window).len() as u64)
    }

    fn sightings(
        &self,
        networks: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Sighting),
    ) -> Result<(), StoreError> {
        let inside = |address| networks.iter().any(|network| network.contains(address));
        for flow in self.flows(window) {
            if inside(flow.src) {
                visit(Sighting { end: End::Source, flow: flow.clone() });
            }
            if inside(flow.dst) {
                visit(Sighting { end: End::Destination, flow });
            }
        }
        Ok(())
    }

    fn contacts(&self, (near, far): (Prefix, Prefix), window: Window) -> Result<Vec<Contact>, StoreError> {
        let mut contacts = Vec::new();
        for flow in self.flows(window) {
            let (octets_out, octets_in) = if flow.quality.intersects(Quality::UNUSABLE) {
                continue;
            } else if near.contains(flow.src) && far.contains(flow.dst) {
                (flow.octets, flow.rev_octets.unwrap_or(0))
            } else if far.contains(flow.src) && near.contains(flow.dst) {
                (flow.rev_octets.unwrap_or(0), flow.octets)
            } else {
                continue;
            };
            contacts.push(Contact {
                start_time: flow.start_time,
                end_time: flow.end_time,
                exporter: flow.exporter,
                sampling_interval: flow.sampling_interval,
                octets_out,
                octets_in,
            });
        }
        contacts.sort();
        Ok(contacts)
    }

    fn volumes(&self, key: Prefix, window: Window, bin_us: i64) -> Result<Vec<Volume>, StoreError> {
        let bin_us = bin_us.max(1);
        let mut volumes = BTreeMap::new();
        for flow in self.flows(window) {
            let (leaves, arrives) = (key.contains(flow.src), key.contains(flow.dst));
            if !(leaves || arrives) || flow.quality.intersects(Quality::UNUSABLE) {
                continue;
            }
            let bin = Timestamp::from_micros(flow.start_time.micros().div_euclid(bin_us) * bin_us);
            let volume =
                volumes.entry((bin, flow.exporter.clone(), flow.sampling_interval)).or_insert(Volume {
                    bin,
                    exporter: flow.exporter.clone(),
                    sampling_interval: flow.sampling_interval,
                    octets_out: 0,
                    octets_in: 0,
                    packets_out: 0,
                    packets_in: 0,
                    flows: 0,
                });
            let (rev_octets, rev_packets) = (flow.rev_octets.unwrap_or(0), flow.rev_packets.unwrap_or(0));
            if leaves {
                add(&mut volume.octets_out, flow.octets);
                add(&mut volume.octets_in, rev_octets);
                add(&mut volume.packets_out, flow.packets);
                add(&mut volume.packets_in, rev_packets);
            }
            if arrives {
                add(&mut volume.octets_in, flow.octets);
                add(&mut volume.octets_out, rev_octets);
                add(&mut volume.packets_in, flow.packets);
                add(&mut volume.packets_out, rev_packets);
            }
            volume.flows += 1;
        }
        Ok(volumes.into_values().collect())
    }

    fn exchanges(
        &self,
        hosts: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Exchange),
    ) -> Result<(), StoreError> {
        let is_host = |address| hosts.is_empty() || hosts.iter().any(|network| network.contains(address));
        let mut exchanges: BTreeMap<_, Exchange> = BTreeMap::new();
        for flow in self.usable(window) {
            let sent = (flow.octets, flow.packets, flow.tcp_flags);
            let answered = (flow.rev_octets.unwrap_or(0), flow.rev_packets.unwrap_or(0), flow.rev_tcp_flags);
            for (host, remote, (out, back)) in
                [(flow.src, flow.dst, (sent, answered)), (flow.dst, flow.src, (answered, sent))]
            {
                if !is_host(host) || host == remote {
                    continue;
                }
                let empty = Exchange {
                    host,
                    hour: flow.start_time.hour(),
                    remote,
                    exporter: flow.exporter.clone(),
                    sampling_interval: flow.sampling_interval,
                    sampler: flow.sampler,
                    marks: Quality::from_bits(flow.quality.bits() & Exchange::MARKS.bits()),
                    octets_out: 0,
                    octets_in: 0,
                    packets_out: 0,
                    packets_in: 0,
                    acknowledged: false,
                };
                let exchange = exchanges.entry(empty.clone()).or_insert(empty);
                add(&mut exchange.octets_out, out.0);
                add(&mut exchange.packets_out, out.1);
                add(&mut exchange.octets_in, back.0);
                add(&mut exchange.packets_in, back.1);
                let is_ack = out.2.is_some_and(|flags| flags & tcp::ACK != 0);
                exchange.acknowledged |= flow.protocol == protocol::TCP && is_ack;
            }
        }
        exchanges.into_values().for_each(visit);
        Ok(())
    }

    fn coverage(&self, window: Window) -> Result<Vec<ExporterCoverage>, StoreError> {
        let (flows, gaps) = (self.flows(window), self.gaps(window)?);
        let observers: BTreeSet<_> = flows.iter().map(observer).chain(gaps.iter().map(observer_of)).collect();
        let coverage = observers.into_iter().map(|own| {
            let gaps: Vec<&Gap> = gaps.iter().filter(|gap| observer_of(gap) == own).collect();
            let flows: Vec<&FlowRecord> = flows.iter().filter(|flow| observer(flow) == own).collect();
            let tcp = large_tcp(&flows);
            let sampling: BTreeSet<Option<u32>> = flows.iter().map(|flow| flow.sampling_interval).collect();
            let (exporter, observation_domain) = own;
            ExporterCoverage {
                window: span(&flows).unwrap_or_else(|| {
                    let from = gaps.iter().map(|gap| gap.window.from).min().unwrap_or_default();
                    Window::new(from, gaps.iter().map(|gap| gap.window.until).max().unwrap_or_default())
                }),
                flows: flows.len() as u64,
                sampling: sampling.into_iter().collect(),
                tcp_flows: tcp.len() as u64,
                tcp_flows_two_way: two_way(&tcp, &flows, DAY_US),
                marked: flows.iter().filter(|flow| flow.quality != Quality::NONE).count() as u64,
                silent: silent(&flows),
                lost: Lost::of(gaps.iter().copied()),
                gaps: joined(gaps.iter().map(|gap| gap.window)),
                exporter,
                observation_domain,
            }
        });
        Ok(coverage.collect())
    }

    fn coverage_hours(&self, window: Window) -> Result<Vec<CoverageHour>, StoreError> {
        let (flows, gaps) = (self.flows(window), self.gaps(window)?);
        let hour_of = |flow: &FlowRecord| (observer(flow), flow.start_time.hour());
        let hour_of_gap = |gap: &Gap| (observer_of(gap), gap.window.from.hour());
        let hours: BTreeSet<_> = flows.iter().map(hour_of).chain(gaps.iter().map(hour_of_gap)).collect();
        let hours = hours.into_iter().map(|own| {
            let gaps = gaps.iter().filter(|gap| hour_of_gap(gap) == own);
            let flows: Vec<&FlowRecord> = flows.iter().filter(|flow| hour_of(flow) == own).collect();
            let tcp = large_tcp(&flows);
            let sampling: BTreeSet<_> =
                flows.iter().map(|flow| (flow.sampling_interval, flow.sampling_source)).collect();
            let behind =
                flows.iter().filter_map(|flow| Some(flow.received_time?.since(flow.export_time?))).min();
            let marks = Quality::NAMES.iter().map(|(mark, _)| {
                (*mark, flows.iter().filter(|flow| flow.quality.contains(*mark)).count() as u64)
            });
            let ((exporter, observation_domain), hour) = own.clone();
            CoverageHour {
                exporter,
                observation_domain,
                hour,
                flows: flows.len() as u64,
                sampling: sampling.into_iter().collect(),
                tcp_flows: tcp.len() as u64,
                tcp_flows_two_way: two_way(&tcp, &flows, HOUR_US),
                clock_behind_us: behind,
                marks: marks.filter(|(_, flows)| *flows > 0).collect(),
                lost: Lost::of(gaps),
            }
        });
        Ok(hours.collect())
    }

    fn services(&self, hosts: &[Address], window: Window) -> Result<Vec<Service>, StoreError> {
        let mut services: BTreeMap<(Address, u8, u16), Vec<Address>> = BTreeMap::new();
        for flow in self.flows(window) {
            if hosts.contains(&flow.dst) {
                services.entry((flow.dst, flow.protocol, flow.dst_port)).or_default().push(flow.src);
            }
            if hosts.contains(&flow.src) && flow.src != flow.dst && (1..1024).contains(&flow.src_port) {
                services.entry((flow.src, flow.protocol, flow.src_port)).or_default().push(flow.dst);
            }
        }
        let service = |((host, protocol, port), peers): (_, Vec<Address>)| Service {
            host,
            protocol,
            port,
            flows: peers.len() as u64,
            peers: distinct(peers),
        };
        Ok(services.into_iter().map(service).collect())
    }

    fn fan_outs(
        &self,
        sources: &[Prefix],
        window: Window,
        least_destinations: u64,
        visit: &mut dyn FnMut(FanOut),
    ) -> Result<(), StoreError> {
        let flows = self.usable(window);
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
        let is_answer = |flow: &&FlowRecord| {
            flow.protocol != protocol::TCP && flow.packets > 0 && flow.rev_packets.is_none()
        };
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

    fn port_sweeps(
        &self,
        sources: &[Prefix],
        window: Window,
        least_ports: u64,
        visit: &mut dyn FnMut(PortSweep),
    ) -> Result<(), StoreError> {
        let flows = self.usable(window);
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

    fn first_contacts(
        &self,
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
        let flows = self.usable(window);
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

    fn unasked_replies(
        &self,
        sources: &[Prefix],
        exporters: &[&str],
        window: Window,
        least_replies: u64,
        most_sources: usize,
        visit: &mut dyn FnMut(UnaskedReplies),
    ) -> Result<u64, StoreError> {
        let flows: Vec<FlowRecord> = self
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

    fn active_hosts(&self, networks: &[Prefix], window: Window) -> Result<u64, StoreError> {
        let inside = |address: &Address| networks.is_empty() || networks.iter().any(|n| n.contains(*address));
        Ok(distinct(self.flows(window).iter().flat_map(|flow| [flow.src, flow.dst]).filter(inside)))
    }

    fn resolutions(
        &self,
        names: &[&str],
        networks: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Resolution),
    ) -> Result<(), StoreError> {
        let inside = |answer: &Answer| match answer {
            Answer::Address(address) => networks.iter().any(|network| network.contains(*address)),
            Answer::None | Answer::Text(_) => false,
        };
        for one in &self.read().facts.resolutions {
            let asked = is_at_or_below(&one.name, names) || inside(&one.answer);
            if asked && window.contains(one.time) {
                visit(one.clone());
            }
        }
        Ok(())
    }

    fn handshakes(
        &self,
        names: &[&str],
        networks: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Handshake),
    ) -> Result<(), StoreError> {
        for one in &self.read().facts.handshakes {
            let called = is_at_or_below(&one.server_name, names)
                || networks.iter().any(|network| network.contains(one.server));
            if called && window.contains(one.time) {
                visit(one.clone());
            }
        }
        Ok(())
    }

    fn gaps(&self, window: Window) -> Result<Vec<Gap>, StoreError> {
        let mut gaps: Vec<Gap> =
            self.read().facts.gaps.iter().filter(|gap| window.contains(gap.window.from)).cloned().collect();
        gaps.sort();
        Ok(gaps)
    }

    fn query(&self, _sql: &str, _limits: QueryLimits) -> Result<Table, StoreError> {
        Err(StoreError::Query("the naive store has no SQL".to_owned()))
    }
}

/// Whether an address is in one of the networks; with none, every address is.
fn is_among(networks: &[Prefix], address: Address) -> bool {
    networks.is_empty() || networks.iter().any(|network| network.contains(address))
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

fn add(sum: &mut u64, n: u64) {
    *sum = sum.saturating_add(n);
}

fn distinct(addresses: impl IntoIterator<Item = Address>) -> u64 {
    addresses.into_iter().collect::<BTreeSet<_>>().len() as u64
}

fn is_at_or_below(name: &str, names: &[&str]) -> bool {
    names
        .iter()
        .any(|above| name.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

fn observer(flow: &FlowRecord) -> (Arc<str>, u32) {
    (flow.exporter.clone(), flow.observation_domain)
}

fn observer_of(gap: &Gap) -> (Arc<str>, u32) {
    (gap.exporter.clone(), gap.observation_domain)
}

fn large_tcp<'a>(flows: &[&'a FlowRecord]) -> Vec<&'a FlowRecord> {
    let is_large = |flow: &&FlowRecord| flow.protocol == protocol::TCP && flow.total_packets() >= 3;
    flows.iter().copied().filter(is_large).collect()
}

fn span(flows: &[&FlowRecord]) -> Option<Window> {
    let from = flows.iter().map(|flow| flow.start_time).min()?;
    let until = flows.iter().map(|flow| flow.end_time).max()?;
    Some(Window::new(from, until))
}

/// What tells a one-way flow from others in its bin: protocol, bin, sender, receiver.
type OneWay = (u8, i64, (Address, u16), (Address, u16));

fn one_way(flow: &FlowRecord, bin_us: i64) -> OneWay {
    let bin = flow.start_time.micros().div_euclid(bin_us);
    (flow.protocol, bin, (flow.src, flow.src_port), (flow.dst, flow.dst_port))
}

/// How many of `flows` have a reverse direction, in themselves or in another of `all` that starts in
/// the same bin.
fn two_way(flows: &[&FlowRecord], all: &[&FlowRecord], bin_us: i64) -> u64 {
    let alone = all.iter().filter(|flow| flow.rev_packets.is_none());
    let alone: BTreeSet<OneWay> = alone.map(|flow| one_way(flow, bin_us)).collect();
    let is_two_way = |flow: &&&FlowRecord| match flow.rev_packets {
        Some(packets) => packets > 0,
        None => {
            let (ip_protocol, bin, src, dst) = one_way(flow, bin_us);
            src != dst && alone.contains(&(ip_protocol, bin, dst, src))
        }
    };
    flows.iter().filter(is_two_way).count() as u64
}

/// The hours in which no flow was active.
fn silent(flows: &[&FlowRecord]) -> Vec<Window> {
    let mut silent: Vec<Window> = Vec::new();
    let Some(window) = span(flows) else { return silent };
    let mut begun = flows.to_vec();
    begun.sort_by_key(|flow| flow.start_time);
    let mut begun = begun.into_iter().peekable();
    let mut last_end = Timestamp::MIN;
    let mut hour = window.from.hour();
    while hour <= window.until {
        let next = hour.plus_micros(HOUR_US);
        while let Some(flow) = begun.next_if(|flow| flow.start_time < next) {
            last_end = last_end.max(flow.end_time);
        }
        if last_end < hour {
            match silent.last_mut() {
                Some(last) if last.until == hour => last.until = next,
                _ => silent.push(Window::new(hour, next)),
            }
        }
        hour = next;
    }
    silent
}

struct NaiveImport<'a> {
    store: &'a NaiveStore,
    flows: Vec<FlowRecord>,
    facts: Facts,
    inputs: BTreeSet<String>,
    admitted: bool,
    /// The input begun last, and the rows there were before it.
    begun: Option<(String, usize)>,
    failed: bool,
}

impl NaiveImport<'_> {
    fn rows(&self) -> usize {
        let Facts { resolutions, handshakes, gaps } = &self.facts;
        self.flows.len() + resolutions.len() + handshakes.len() + gaps.len()
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Failed {
                action: "importing",
                cause: "an earlier call of this import failed".into(),
            });
        }
        Ok(())
    }
}

impl FlowSink for NaiveImport<'_> {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        self.check().map_err(SinkError::new)?;
        if !self.admitted {
            self.failed = true;
            return Err(SinkError::new("no new input was begun"));
        }
        self.flows.push(stored(record));
        Ok(())
    }

    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        self.check().map_err(SinkError::new)?;
        if !self.admitted {
            self.failed = true;
            return Err(SinkError::new("no new input was begun"));
        }
        self.facts.take(fact);
        Ok(())
    }

    fn problem(&mut self, _problem: Problem) {}
}

impl Import for NaiveImport<'_> {
    fn begin(&mut self, input: &Input) -> Result<Admission, StoreError> {
        self.check()?;
        let is_stored = self.store.read().inputs.contains(&input.id)
            || self.store.guard.as_ref().is_some_and(|guard| guard.has(input));
        self.admitted = !is_stored && self.inputs.insert(input.id.clone());
        self.begun = self.admitted.then(|| (input.id.clone(), self.rows()));
        Ok(if self.admitted { Admission::New } else { Admission::Stored })
    }

    fn withdraw(&mut self) -> bool {
        self.admitted = false;
        if let Some((input, rows)) = self.begun.take() {
            self.inputs.remove(&input);
            self.failed |= rows != self.rows();
        }
        !self.failed
    }

    fn flows(&self) -> u64 {
        self.flows.len() as u64
    }

    fn commit(self: Box<Self>) -> Result<Commit, StoreError> {
        self.check()?;
        let keep = match &self.store.guard {
            Some(guard) => {
                let inputs: Vec<&str> = self.inputs.iter().map(String::as_str).collect();
                guard.commit(&inputs, &self.flows, &self.facts.gaps)?
            }
            None => Keep::All,
        };
        let mut state = self.store.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(input) = self.inputs.intersection(&state.inputs).next() {
            return Err(StoreError::Raced { input: input.clone() });
        }
        if !self.inputs.is_empty() {
            state.version += 1;
        }
        let rows = self.flows.len() as u64;
        if keep != Keep::Nothing {
            state.inputs.extend(self.inputs);
        }
        if keep == Keep::All {
            state.flows.extend(self.flows);
            state.facts.append(self.facts);
        }
        Ok(Commit { version: state.version, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{FlowBuilder, flow, prefix, time, window};

    const DAY: (&str, &str) = ("2021-08-15", "2021-08-16");

    fn day() -> Window {
        window(DAY.0, DAY.1)
    }

    fn input(id: &str) -> Input {
        Input { id: id.to_owned(), name: id.into() }
    }

    fn sightings(flow: FlowBuilder, network: &str) -> Vec<End> {
        let mut ends = Vec::new();
        NaiveStore::of([flow])
            .sightings(&[prefix(network)], day(), &mut |sighting| ends.push(sighting.end))
            .unwrap();
        ends
    }

    #[test]
    fn a_flow_is_sighted_once_per_end_inside() {
        let inner = flow("192.0.2.1:1 > 192.0.2.2:2");
        assert_eq!(sightings(inner.clone(), "192.0.2.1"), [End::Source]);
        assert_eq!(sightings(inner.clone(), "192.0.2.0/24"), [End::Source, End::Destination]);
        assert_eq!(sightings(inner.at(DAY.1), "192.0.2.0/24"), []);
    }

    #[test]
    fn a_contact_is_seen_from_the_first_network() {
        let store = NaiveStore::of([flow("192.0.2.1:1 > 203.0.113.9:443").sent(1, 10).answered(2, 20)]);
        let pair = (prefix("203.0.113.9"), prefix("192.0.2.0/24"));
        let contacts = store.contacts(pair, day()).unwrap();
        assert_eq!(contacts.iter().map(|c| (c.octets_out, c.octets_in)).collect::<Vec<_>>(), [(20, 10)]);
    }

    #[test]
    fn hours_without_an_active_record_are_silent() {
        let store = NaiveStore::of([
            flow("192.0.2.1 > 192.0.2.2").at("2021-08-15T01:30:00Z").lasting_s(3_600),
            flow("192.0.2.1 > 192.0.2.2").at("2021-08-15T05:00:00Z"),
        ]);
        let coverage = store.coverage(day()).unwrap();
        assert_eq!(coverage[0].silent, [window("2021-08-15T03:00:00Z", "2021-08-15T05:00:00Z")]);
        assert_eq!(coverage[0].window.from, time("2021-08-15T01:30:00Z"));
    }

    #[test]
    fn two_uniflows_make_a_two_way_flow() {
        let coverage = |flows: [FlowBuilder; 2]| NaiveStore::of(flows).coverage(Window::ALL).unwrap();
        let there = flow("192.0.2.1:1 > 192.0.2.2:2");
        let back = flow("192.0.2.2:2 > 192.0.2.1:1").sent(1, 40);
        let both = coverage([there.clone(), back.clone()]);
        assert_eq!((both[0].tcp_flows, both[0].tcp_flows_two_way), (1, 1));
        let apart = coverage([there, back.at("2021-08-16")]);
        assert_eq!((apart[0].tcp_flows, apart[0].tcp_flows_two_way), (1, 0));
    }

    #[test]
    fn the_same_input_is_stored_once() {
        let store = NaiveStore::new();
        for expected in [1, 0] {
            let mut import = store.import().unwrap();
            if import.begin(&input("a")).unwrap() == Admission::New {
                import.flow(&flow("192.0.2.1 > 192.0.2.2").build()).unwrap();
            }
            assert_eq!(import.commit().unwrap().rows, expected);
        }
        assert_eq!((store.count(Window::ALL).unwrap(), store.version().unwrap()), (1, 1));
    }

    #[test]
    fn of_two_racing_imports_one_wins() {
        let store = NaiveStore::new();
        let mut imports = [store.import().unwrap(), store.import().unwrap()];
        for import in &mut imports {
            assert_eq!(import.begin(&input("a")).unwrap(), Admission::New);
        }
        let [first, second] = imports;
        first.commit().unwrap();
        assert!(matches!(second.commit(), Err(StoreError::Raced { input }) if input == "a"));
    }

    #[test]
    fn an_import_that_failed_stores_nothing() {
        let store = NaiveStore::new();
        let mut import = store.import().unwrap();
        assert!(import.flow(&flow("192.0.2.1 > 192.0.2.2").build()).is_err());
        assert!(import.begin(&input("a")).is_err());
        assert!(import.commit().is_err());
    }
}
