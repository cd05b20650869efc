//! Average linkage: nodes that belong together, and no chain of neighbours (`methods.md` §7.3, rules a, b, e).
//!
//! Every node begins alone. The two clusters with the highest mean weight over all pairs between them become one, as
//! long as that mean is a link. A pair that shares nothing weighs nothing, and pulls the mean down.
//!
//! A merge that would fall without one single trait is marked as a *bridge*: a person looks there first.
//!
//! Wrong where an operator changes everything at once: the halves share nothing, and stay two.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use super::link::{LINK_DB, Link, Weight};
use super::rarity::World;

/// What becomes of nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Linkage {
    /// Nodes that belong together, each in order; the clusters in the order of their first.
    pub clusters: Vec<Vec<u32>>,
    /// Merges that rest on one trait, in the order in which they were made.
    pub bridges: Vec<Bridge>,
}

/// Two clusters that one trait alone joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// One of them, as it was then.
    pub left: Vec<u32>,
    /// The other.
    pub right: Vec<u32>,
    /// The number of the trait's value.
    pub value: u32,
}

/// A merge that may be made: mean weight in millionths of a deciban, so that the order of sums tells nothing.
type Pending = (i64, std::cmp::Reverse<(usize, usize)>, (u32, u32));

/// Joins nodes that belong together. Hubs stay alone.
pub fn link(world: &World, nodes: &[u32]) -> Linkage {
    let distinct: BTreeSet<u32> = nodes.iter().copied().collect();
    let nodes: Vec<u32> = distinct.into_iter().collect();
    let mut joining = Joining::new(world, &nodes);
    joining.run();
    let mut clusters: Vec<Vec<u32>> =
        joining.clusters.into_iter().filter(|nodes| !nodes.is_empty()).collect();
    clusters.iter_mut().for_each(|nodes| nodes.sort_unstable());
    clusters.sort();
    Linkage { clusters, bridges: joining.bridges }
}

struct Joining {
    links: HashMap<(u32, u32), Link>,
    /// Nodes of each cluster; empty once it is part of another.
    clusters: Vec<Vec<u32>>,
    /// Sums of weights between clusters.
    sums: Vec<BTreeMap<usize, Weight>>,
    /// How often each cluster has grown: what was pending before counts no more.
    grown: Vec<u32>,
    pending: BinaryHeap<Pending>,
    bridges: Vec<Bridge>,
}

impl Joining {
    fn new(world: &World, nodes: &[u32]) -> Self {
        let links = links(world, nodes);
        let places: HashMap<u32, usize> = nodes.iter().copied().zip(0..).collect();
        let mut joining = Self {
            clusters: nodes.iter().map(|node| vec![*node]).collect(),
            sums: vec![BTreeMap::new(); nodes.len()],
            grown: vec![0; nodes.len()],
            pending: BinaryHeap::new(),
            bridges: Vec::new(),
            links: HashMap::new(),
        };
        for ((a, b), link) in &links {
            let (a, b) = (places[a], places[b]);
            joining.sums[a].insert(b, link.weight(None));
            joining.sums[b].insert(a, link.weight(None));
        }
        joining.links = links;
        for a in 0..nodes.len() {
            let beyond: Vec<usize> = joining.sums[a].range(a + 1..).map(|(b, _)| *b).collect();
            beyond.into_iter().for_each(|b| joining.await_merge(a, b));
        }
        joining
    }

    fn run(&mut self) {
        while let Some((_, std::cmp::Reverse((a, b)), grown)) = self.pending.pop() {
            if grown != (self.grown[a], self.grown[b]) {
                continue;
            }
            if let Some(value) = self.bridge(a, b) {
                let (left, right) = (self.clusters[a].clone(), self.clusters[b].clone());
                self.bridges.push(Bridge { left, right, value });
            }
            self.merge(a, b);
        }
    }

    /// Makes two clusters one.
    fn merge(&mut self, a: usize, b: usize) {
        let taken = std::mem::take(&mut self.clusters[b]);
        self.clusters[a].extend(taken);
        self.clusters[a].sort_unstable();
        self.grown[a] += 1;
        self.grown[b] += 1;
        for (other, sum) in std::mem::take(&mut self.sums[b]) {
            self.sums[other].remove(&b);
            if other != a {
                self.sums[a].entry(other).or_default().add(&sum);
                self.sums[other].entry(a).or_default().add(&sum);
            }
        }
        let others: Vec<usize> = self.sums[a].keys().copied().collect();
        others.into_iter().for_each(|other| self.await_merge(a.min(other), a.max(other)));
    }

    fn await_merge(&mut self, a: usize, b: usize) {
        let pairs = self.clusters[a].len() * self.clusters[b].len();
        let mean = self.sums[a][&b].mean(pairs).db();
        if mean >= LINK_DB {
            let grown = (self.grown[a], self.grown[b]);
            self.pending.push(((mean * 1e6) as i64, std::cmp::Reverse((a, b)), grown));
        }
    }

    fn bridge(&self, a: usize, b: usize) -> Option<u32> {
        let pairs =
            self.clusters[a].iter().flat_map(|one| self.clusters[b].iter().map(move |other| (*one, *other)));
        let links: Vec<&Link> = pairs
            .clone()
            .filter_map(|(one, other)| self.links.get(&(one.min(other), one.max(other))))
            .collect();
        rests_on(&links, pairs.count())
    }
}

/// The value without which the mean of these links over that many pairs is none; of several, the one whose loss
/// costs most.
pub(super) fn rests_on(links: &[&Link], pairs: usize) -> Option<u32> {
    let values: BTreeSet<u32> =
        links.iter().flat_map(|link| link.shared.iter().map(|shared| shared.value)).collect();
    let without =
        |value: u32| Weight::sum(links.iter().map(|link| link.weight(Some(value)))).mean(pairs).total();
    let left = values.into_iter().map(|value| (without(value), value));
    let least = left.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    least.filter(|(db, _)| *db < LINK_DB).map(|(_, value)| value)
}

/// The links between nodes that share something that may carry one.
fn links(world: &World, nodes: &[u32]) -> HashMap<(u32, u32), Link> {
    let wanted: BTreeSet<u32> = nodes.iter().copied().collect();
    let mut links = HashMap::new();
    for a in nodes.iter().filter(|node| !world.is_hub(**node)) {
        for b in near(world, *a).range(a + 1..).filter(|b| wanted.contains(b)) {
            links.insert((*a, *b), Link::between(world, *a, *b));
        }
    }
    links.retain(|_, link| link.db() > 0.0);
    links
}

/// The nodes that share something with this one that may carry a link.
pub(super) fn near(world: &World, node: u32) -> BTreeSet<u32> {
    let carried = world.known(node).carried.iter().map(|carried| carried.value);
    let usable = carried.filter(|value| world.kind(*value).group().carries() && world.db(*value).is_some());
    let mut near: BTreeSet<u32> = usable.flat_map(|value| world.carriers(value).iter().copied()).collect();
    near.remove(&node);
    near
}
