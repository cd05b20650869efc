//! How rare a trait is among hosts of adversaries.
//!
//! ```text
//! LR = s · min( N_ref / (df_ref + 1), N_all / (df_all + 1) )        decibans = 10 · log10 LR, in [0, cap]
//! ```
//!
//! `N_ref` counts the claimed hosts of which a trait of the kind is known, `df_ref` those among them that carry
//! this value; `N_all` and `df_all` count all hosts that are known so. The commoner rate counts: a default of a
//! kit is rare on the Internet and common among adversaries, a default of a web server the other way round.
//!
//! Assumes that the hosts of which a trait is known are like those of which none is. Wrong where they were looked
//! at because they carry it: a search for one certificate finds nothing but that certificate, so it weighs nothing.
//! A small book proves little: of ten hosts, none is rarer than one in ten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rahdar_model::intelligence::{Claim, ClusterId, HostClass, Indicator};
use rahdar_model::time::DAY_US;
use rahdar_model::{Address, Prefix, Timestamp, Window};

use super::traits::{Kind, Node, Trait};
use crate::index::Snapshot;
use crate::pdns::Record;
use crate::rented::registrable;

/// Registrable domains beyond which an address serves everyone: its names say nothing of each other, and it is no
/// candidate. Chosen here: an operator's own server holds a handful.
pub const SHARED_NAMES: usize = 10;
/// Room beside a resolution (`methods.md` §7.5).
const MARGIN_US: i64 = DAY_US;

/// All that is known of hosts and names, ready to be compared. Nodes and values have numbers in their own order,
/// so that nothing depends on the order in which they were told.
#[derive(Debug, Clone)]
pub struct World {
    nodes: Vec<Known>,
    values: Vec<Value>,
    populations: BTreeMap<Kind, Population>,
}

/// What is known of one node.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) node: Node,
    /// Who is said to have it.
    pub(super) clusters: BTreeSet<ClusterId>,
    /// It serves everyone, or nobody: parking, content network, sinkhole, resolver.
    pub(super) hub: bool,
    /// What it carries, in the order of values.
    pub(super) carried: Vec<Carried>,
    hostile: bool,
}

/// A value, as one node carries it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carried {
    pub(super) value: u32,
    pub(super) seen: Window,
    /// How far the source is believed, 0–1.
    pub(super) reliability: f64,
}

/// One value of a trait.
#[derive(Debug, Clone)]
struct Value {
    kind: Kind,
    text: Arc<str>,
    carriers: Vec<u32>,
    hostile: usize,
    db: Option<f64>,
}

/// How many nodes have any trait of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Population {
    all: usize,
    hostile: usize,
}

/// How rare a value is.
#[derive(Debug, Clone, PartialEq)]
pub struct Rarity {
    /// What kind of trait.
    pub kind: Kind,
    /// Its value.
    pub value: Arc<str>,
    /// Nodes that carry it.
    pub carriers: usize,
    /// Nodes of which a trait of the kind is known.
    pub of: usize,
    /// Claimed nodes that carry it.
    pub hostile: usize,
    /// Claimed nodes of which a trait of the kind is known.
    pub of_hostile: usize,
}

impl World {
    /// All that the book says until a time. What begins later is left out, what goes on is cut: so one can ask what
    /// could have been found then.
    pub fn of_book(book: &Snapshot, traits: &[Trait], records: &[Record], at: Timestamp) -> Self {
        let mut telling = Telling::default();
        for network in book.networks() {
            let claims = book.claims_on(network.first());
            for claim in claims.filter(|claim| claim.indicator == Indicator::Network(network)) {
                telling.claim(claim, at);
            }
        }
        for name in book.domains() {
            book.claims_naming(&name).into_iter().for_each(|claim| telling.claim(claim, at));
        }
        for one in traits.iter().filter(|one| one.seen.from < at) {
            telling.trait_seen(one, at);
        }
        telling.resolutions(records, at);
        for (node, told) in &mut telling.nodes {
            told.hub |= match node {
                Node::Address(address) => {
                    let when = told.last.unwrap_or(at).min(at);
                    book.facts_on(*address, when).any(|fact| serves_everyone(fact.class))
                }
                Node::Domain(name) => !book.notes_on(name, at).is_empty(),
            };
        }
        telling.world()
    }

    /// The same, with these nodes among the hostile: somebody asks because they are.
    #[must_use]
    pub fn with_hostile(mut self, nodes: &[u32]) -> Self {
        for node in nodes {
            self.nodes[*node as usize].hostile = true;
        }
        self.count();
        self
    }

    /// The number of a node.
    pub fn find(&self, node: &Node) -> Option<u32> {
        let at = self.nodes.binary_search_by(|known| known.node.cmp(node)).ok()?;
        u32::try_from(at).ok()
    }

    /// The node of a number.
    pub fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize].node
    }

    /// Whose a node is said to be.
    pub fn clusters(&self, node: u32) -> impl Iterator<Item = &ClusterId> {
        self.nodes[node as usize].clusters.iter()
    }

    /// Whether it serves everyone, or nobody, and so links nothing.
    pub(crate) fn is_hub(&self, node: u32) -> bool {
        self.nodes[node as usize].hub
    }

    /// Numbers of the nodes that are said to be of a cluster, in order.
    pub fn members(&self, cluster: &ClusterId) -> Vec<u32> {
        (0..).zip(&self.nodes).filter(|(_, known)| known.clusters.contains(cluster)).map(|(n, _)| n).collect()
    }

    /// How rare a value is.
    pub fn rarity(&self, value: u32) -> Rarity {
        let Value { kind, text, carriers, hostile, .. } = &self.values[value as usize];
        let of = self.populations.get(kind).copied().unwrap_or_default();
        Rarity {
            kind: *kind,
            value: text.clone(),
            carriers: carriers.len(),
            of: of.all,
            hostile: *hostile,
            of_hostile: of.hostile,
        }
    }

    pub(super) fn known(&self, node: u32) -> &Known {
        &self.nodes[node as usize]
    }

    pub(super) fn kind(&self, value: u32) -> Kind {
        self.values[value as usize].kind
    }

    /// Nodes that carry a value, in order.
    pub(super) fn carriers(&self, value: u32) -> &[u32] {
        &self.values[value as usize].carriers
    }

    /// Decibans that sharing a value is worth at most; none if it is too common to say anything.
    pub(super) fn db(&self, value: u32) -> Option<f64> {
        self.values[value as usize].db
    }

    fn count(&mut self) {
        self.populations.clear();
        for known in self.nodes.iter().filter(|known| !known.hub) {
            let kinds: BTreeSet<Kind> =
                known.carried.iter().map(|carried| self.values[carried.value as usize].kind).collect();
            for kind in kinds {
                let population = self.populations.entry(kind).or_default();
                population.all += 1;
                population.hostile += usize::from(known.hostile);
            }
        }
        for value in &mut self.values {
            let hostile = |node: &&u32| self.nodes[**node as usize].hostile;
            value.hostile = value.carriers.iter().filter(hostile).count();
            let of = self.populations.get(&value.kind).copied().unwrap_or_default();
            value.db = decibans(value.kind, value.carriers.len(), of.all, value.hostile, of.hostile);
        }
    }
}

/// Decibans of sharing a value, before time and source; none where it is too common to be used.
pub(super) fn decibans(kind: Kind, df_all: usize, n_all: usize, df_ref: usize, n_ref: usize) -> Option<f64> {
    let weight = kind.weight();
    if df_all > weight.carriers_max {
        return None;
    }
    let rate = |n: usize, df: usize| n as f64 / (df + 1) as f64;
    let all = rate(n_all, df_all);
    let rate = if n_ref == 0 { all } else { all.min(rate(n_ref, df_ref)) };
    Some((10.0 * (weight.stability * rate).log10()).clamp(0.0, weight.cap_db))
}

/// Whether hosts of this kind are removed before anything is linked (`methods.md` §7.3, rule f).
const fn serves_everyone(class: HostClass) -> bool {
    match class {
        HostClass::Pool | HostClass::Shared | HostClass::Cdn | HostClass::Sinkhole | HostClass::Scanner => {
            true
        }
        HostClass::Dedicated | HostClass::Cloud => false,
    }
}

/// A world in the making.
#[derive(Debug, Default)]
pub(super) struct Telling {
    nodes: BTreeMap<Node, Told>,
}

#[derive(Debug, Default)]
struct Told {
    clusters: BTreeSet<ClusterId>,
    hostile: bool,
    hub: bool,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    carried: BTreeMap<(Kind, Arc<str>), (Window, f64)>,
}

impl Telling {
    fn claim(&mut self, claim: &Claim, at: Timestamp) {
        let node = match &claim.indicator {
            Indicator::Network(prefix) if prefix.is_host() => Node::Address(prefix.first()),
            Indicator::Domain(name) => Node::Domain(name.as_str().into()),
            _ => return,
        };
        if claim.validity.from >= at {
            return;
        }
        let told = self.nodes.entry(node.clone()).or_default();
        told.hostile = true;
        told.clusters.extend(claim.cluster.clone());
        for tool in &claim.tools {
            let value = Kind::Family.tidy(tool);
            let reliability = reliability(claim.confidence);
            if let Some(value) = value {
                self.see(&node, Kind::Family, &value, claim.validity, reliability);
            }
        }
    }

    /// Says that a node is claimed of a cluster.
    #[cfg(test)]
    pub(super) fn hostile(&mut self, node: &Node, cluster: Option<ClusterId>) {
        let told = self.nodes.entry(node.clone()).or_default();
        told.hostile = true;
        told.clusters.extend(cluster);
    }

    fn trait_seen(&mut self, one: &Trait, at: Timestamp) {
        let Some(value) = one.kind.tidy(&one.value) else { return };
        let seen = Window::new(one.seen.from, one.seen.until.min(at));
        self.see(&one.subject, one.kind, &value, seen, reliability(one.confidence));
    }

    /// Adds a trait of a node; one that is known is widened.
    pub(super) fn see(&mut self, node: &Node, kind: Kind, value: &str, seen: Window, reliability: f64) {
        let told = self.nodes.entry(node.clone()).or_default();
        if seen.from != Timestamp::MIN {
            told.first = Some(told.first.map_or(seen.from, |first| first.min(seen.from)));
            told.last = told.last.max(Some(seen.from));
        }
        let carried = told.carried.entry((kind, value.into())).or_insert((seen, reliability));
        carried.0 = Window::new(carried.0.from.min(seen.from), carried.0.until.max(seen.until));
        carried.1 = carried.1.max(reliability);
    }

    /// Adds names and addresses. Addresses that serve everyone are hubs, and their names say nothing.
    pub(super) fn resolutions(&mut self, records: &[Record], at: Timestamp) {
        let mut served: BTreeMap<Address, BTreeSet<&str>> = BTreeMap::new();
        let until = |record: &&Record| record.first < at && !record.address.is_unroutable();
        for record in records.iter().filter(until) {
            let names = served.entry(record.address).or_default();
            if names.len() <= SHARED_NAMES {
                names.insert(registrable(&record.name));
            }
        }
        for record in records.iter().filter(until) {
            let address = Node::Address(record.address);
            if served[&record.address].len() > SHARED_NAMES {
                self.nodes.entry(address).or_default().hub = true;
                continue;
            }
            let last = record.last.min(at).plus_micros(MARGIN_US);
            let seen = Window::new(record.first.plus_micros(-MARGIN_US), last);
            let name = Node::Domain(record.name.as_str().into());
            for node in [&address, &name] {
                self.see(node, Kind::Name, &record.name, seen, 1.0);
                self.see(node, Kind::Resolved, &record.address.to_string(), seen, 1.0);
            }
        }
    }

    pub(super) fn world(mut self) -> World {
        let week = |first: Timestamp| Window::new(first, first.plus_micros(DAY_US));
        for (node, told) in &mut self.nodes {
            let (Node::Address(address), Some(first)) = (node, told.first) else { continue };
            let network = neighbourhood(*address).to_string();
            told.carried.insert((Kind::Neighbourhood, network.into()), (week(first), 1.0));
        }
        let values: BTreeSet<(Kind, Arc<str>)> =
            self.nodes.values().flat_map(|told| told.carried.keys().cloned()).collect();
        let numbers: BTreeMap<&(Kind, Arc<str>), u32> = values.iter().zip(0..).collect();
        let nodes: Vec<Known> = self
            .nodes
            .into_iter()
            .map(|(node, told)| {
                let carried = told.carried.iter().map(|(key, (seen, reliability))| Carried {
                    value: numbers[key],
                    seen: *seen,
                    reliability: *reliability,
                });
                let carried = carried.collect();
                Known { node, clusters: told.clusters, hub: told.hub, carried, hostile: told.hostile }
            })
            .collect();
        let empty = |(kind, text)| Value { kind, text, carriers: Vec::new(), hostile: 0, db: None };
        let mut values: Vec<Value> = values.iter().cloned().map(empty).collect();
        for (n, known) in (0..).zip(&nodes).filter(|(_, known)| !known.hub) {
            for carried in &known.carried {
                values[carried.value as usize].carriers.push(n);
            }
        }
        let mut world = World { nodes, values, populations: BTreeMap::new() };
        world.count();
        world
    }
}

/// The network that counts as one place: what a small customer is given.
fn neighbourhood(address: Address) -> Prefix {
    Prefix::new(address, if address.is_v4() { 120 } else { 64 })
}

/// A confidence as a factor; a source that gives none is believed.
fn reliability(confidence: Option<u8>) -> f64 {
    f64::from(confidence.unwrap_or(100).min(100)) / 100.0
}
