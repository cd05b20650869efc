//! The store that answers with nested loops.
//!
//! * `import`: how flows come in.
//! * `coverage`: what exporters saw.
//! * `scans`: who calls many.

mod coverage;
mod import;
mod scans;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use rahdar_model::column::flow::COLUMNS;
use rahdar_model::coverage::{CoverageHour, ExporterCoverage};
use rahdar_model::fact::{Answer, Fact, Gap, Handshake, Resolution};
use rahdar_model::flow::{protocol, tcp};
use rahdar_model::store::{
    Contact, End, Exchange, FanOut, FirstContact, HandshakesAsked, Import, Input, PortSweep, QueryLimits,
    Service, Sighting, StoreError, Table, UnaskedReplies, Volume,
};
use rahdar_model::{Address, FlowRecord, FlowStore, Prefix, Quality, Timestamp, Window};

use import::NaiveImport;

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
        coverage::coverage(self, window)
    }

    fn coverage_hours(&self, window: Window) -> Result<Vec<CoverageHour>, StoreError> {
        coverage::coverage_hours(self, window)
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
        scans::fan_outs(self, sources, window, least_destinations, visit)
    }

    fn port_sweeps(
        &self,
        sources: &[Prefix],
        window: Window,
        least_ports: u64,
        visit: &mut dyn FnMut(PortSweep),
    ) -> Result<(), StoreError> {
        scans::port_sweeps(self, sources, window, least_ports, visit)
    }

    fn first_contacts(
        &self,
        sources: &[Prefix],
        window: Window,
        least_failures: u64,
        most_sources: usize,
        visit: &mut dyn FnMut(FirstContact),
    ) -> Result<u64, StoreError> {
        scans::first_contacts(self, sources, window, least_failures, most_sources, visit)
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
        scans::unasked_replies(self, sources, exporters, window, least_replies, most_sources, visit)
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
        asked: &HandshakesAsked<'_>,
        window: Window,
        visit: &mut dyn FnMut(Handshake),
    ) -> Result<(), StoreError> {
        for one in &self.read().facts.handshakes {
            let is_asked = is_at_or_below(&one.server_name, asked.names)
                || asked.networks.iter().any(|network| network.contains(one.server))
                || asked.certificates.contains(&one.certificate.as_str());
            if is_asked && window.contains(one.time) {
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

#[cfg(test)]
mod tests {
    use rahdar_model::store::Admission;

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
