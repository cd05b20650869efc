//! From known nodes to others that may be of the same hand (`methods.md` §7.3, rules b, d, f).
//!
//! The known nodes fall into *cores* by average linkage: what was run together. A candidate's score is its mean
//! weight to the nodes of one core, the best of all. Those that reach a link extend
//! their core for a second step; there is no third.

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::Window;
use rahdar_model::intelligence::ClusterId;

use super::link::{LINK_DB, Link, Weight};
use super::linkage::{self, Linkage, near, rests_on};
use super::rarity::{Rarity, World};
use super::traits::{Group, Node};

/// Steps from a confirmed node (`methods.md` §7.3, rule d).
const STEPS_MAX: u8 = 2;

/// What comes of looking around known nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Pivot {
    /// How the known nodes fall into cores.
    pub linkage: Linkage,
    /// Known nodes that serve everyone: nothing was asked of them.
    pub hubs: Vec<Node>,
    /// The highest score first.
    pub candidates: Vec<Candidate>,
}

/// A node that may belong to known ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Which.
    pub node: Node,
    /// Mean weight to the core, in decibans.
    pub score_db: f64,
    /// The groups of traits that it rests on.
    pub groups: BTreeSet<Group>,
    /// Steps from a confirmed node.
    pub steps: u8,
    /// The core, in order.
    pub core: Vec<Node>,
    /// Whose the confirmed nodes of the core are said to be.
    pub core_clusters: BTreeSet<ClusterId>,
    /// The one trait that carries it, if one does: look at that first.
    pub bridge: Option<Rarity>,
    /// Whose it is said to be.
    pub clusters: BTreeSet<ClusterId>,
    /// Why, the strongest first.
    pub reasons: Vec<Reason>,
}

/// A trait that a candidate shares with its core.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// Which, and how rare it is.
    pub rarity: Rarity,
    /// What it weighs, between the candidate and the node where it weighs most.
    pub db: f64,
    /// That node.
    pub with: Node,
    /// Nodes of the core that share it.
    pub shared_with: usize,
    /// When it was seen of any of them.
    pub seen: Window,
}

impl Candidate {
    /// Whether it may be proposed.
    pub(crate) fn is_linked(&self) -> bool {
        self.score_db >= LINK_DB
    }
}

/// Nodes that share rare traits with these, with a score of at least so many decibans.
pub fn pivot(world: &World, known: &[u32], least_db: f64) -> Pivot {
    let (hubs, known): (Vec<u32>, Vec<u32>) = known.iter().partition(|node| world.is_hub(**node));
    let linkage = linkage::link(world, &known);
    let known: BTreeSet<u32> = known.into_iter().collect();
    let mut cores: Vec<Vec<u32>> = linkage.clusters.clone();
    let mut found: BTreeMap<u32, Candidate> = BTreeMap::new();
    for step in 1..=STEPS_MAX {
        let mut joined: Vec<Vec<u32>> = vec![Vec::new(); cores.len()];
        for (node, nearby) in around(world, &cores) {
            if known.contains(&node) || found.get(&node).is_some_and(Candidate::is_linked) {
                continue;
            }
            let to = |core: &usize| Candidate::new(world, node, &cores[*core], &known, step);
            let best = nearby.into_iter().map(|core| (core, to(&core)));
            let best = best.max_by(|a, b| a.1.score_db.total_cmp(&b.1.score_db).then(b.0.cmp(&a.0)));
            let Some((core, candidate)) = best else { continue };
            if candidate.is_linked() {
                joined[core].push(node);
            }
            let before = found.get(&node).map_or(0.0, |candidate| candidate.score_db);
            if candidate.score_db > before {
                found.insert(node, candidate);
            }
        }
        for (core, nodes) in cores.iter_mut().zip(joined) {
            core.extend(nodes);
            core.sort_unstable();
        }
    }
    let mut candidates: Vec<Candidate> =
        found.into_values().filter(|candidate| candidate.score_db >= least_db).collect();
    candidates.sort_by(|a, b| b.score_db.total_cmp(&a.score_db).then_with(|| a.node.cmp(&b.node)));
    let hubs = hubs.into_iter().map(|node| world.node(node).clone()).collect();
    Pivot { linkage, hubs, candidates }
}

/// The nodes around the cores, each with the cores it is near.
fn around(world: &World, cores: &[Vec<u32>]) -> BTreeMap<u32, BTreeSet<usize>> {
    let mut around: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
    for (core, nodes) in cores.iter().enumerate() {
        for node in nodes.iter().flat_map(|node| near(world, *node)).filter(|node| !nodes.contains(node)) {
            around.entry(node).or_default().insert(core);
        }
    }
    around
}

impl Candidate {
    fn new(world: &World, node: u32, core: &[u32], known: &BTreeSet<u32>, steps: u8) -> Self {
        let links: Vec<(u32, Link)> =
            core.iter().map(|other| (*other, Link::between(world, node, *other))).collect();
        let weight = Weight::sum(links.iter().map(|(_, link)| link.weight(None))).mean(core.len());
        let score_db = weight.db();
        let only: Vec<&Link> = links.iter().map(|(_, link)| link).collect();
        let bridge = if score_db >= LINK_DB { rests_on(&only, core.len()) } else { None };
        let confirmed = core.iter().filter(|node| known.contains(node));
        Self {
            node: world.node(node).clone(),
            score_db,
            groups: weight.groups(),
            steps,
            core: core.iter().map(|node| world.node(*node).clone()).collect(),
            core_clusters: confirmed.flat_map(|node| world.clusters(*node).cloned()).collect(),
            bridge: bridge.map(|value| world.rarity(value)),
            clusters: world.clusters(node).cloned().collect(),
            reasons: reasons(world, &links),
        }
    }
}

fn reasons(world: &World, links: &[(u32, Link)]) -> Vec<Reason> {
    let mut reasons: BTreeMap<u32, Reason> = BTreeMap::new();
    for (other, link) in links {
        for shared in &link.shared {
            let reason = reasons.entry(shared.value).or_insert_with(|| Reason {
                rarity: world.rarity(shared.value),
                db: 0.0,
                with: world.node(*other).clone(),
                shared_with: 0,
                seen: shared.seen,
            });
            if shared.db > reason.db {
                (reason.db, reason.with) = (shared.db, world.node(*other).clone());
            }
            reason.shared_with += 1;
            reason.seen =
                Window::new(reason.seen.from.min(shared.seen.from), reason.seen.until.max(shared.seen.until));
        }
    }
    let mut reasons: Vec<Reason> = reasons.into_values().collect();
    reasons.sort_by(|a, b| b.db.total_cmp(&a.db));
    reasons
}
