//! What a pivot proposes to the book: a person takes it or leaves it (`methods.md` §7.3, rule g).
//!
//! | found | proposed |
//! |---|---|
//! | a node that nobody claims belongs to a core of one cluster | a claim, for when its traits were seen |
//! | a node of another cluster does | `overlaps`: two names may be of one hand. Never a union |
//! | the known nodes of a cluster fall apart | `part of`, for each core but the largest |
//!
//! Proposals and their acceptance stay in the book, with its versions: that is the history of a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rahdar_model::intelligence::{Claim, Cluster, ClusterId, Indicator, WindowBasis};
use rahdar_model::{Prefix, Window};

use super::candidate::{Candidate, Pivot, Reason};
use super::rarity::World;
use super::traits::{Kind, Node};
use crate::assertion::{Assertion, Proposal, Relation, Statement};
use crate::book::Kept;

/// Who says what a pivot says.
pub const SOURCE: &str = "rahdar intel pivot";

/// Nodes of a core that a sentence names; chosen here.
const NAMED_MAX: usize = 5;

/// What may be proposed, without what was proposed before: accepted or not, a person has it before them.
pub fn proposals(world: &World, pivot: &Pivot, clusters: &[Cluster], before: &[Kept]) -> Vec<Proposal> {
    let before: BTreeSet<(String, &str, String)> =
        before.iter().map(|kept| subject(&kept.proposal)).collect();
    let mut seen = BTreeSet::new();
    let all = pivot.candidates.iter().filter_map(|candidate| joined(candidate, clusters));
    let all = all.chain(splits(world, pivot, clusters));
    all.filter(|proposal| {
        let subject = subject(proposal);
        !before.contains(&subject) && seen.insert(subject)
    })
    .collect()
}

/// What a proposal is about, whatever its reasons.
fn subject(proposal: &Proposal) -> (String, &'static str, String) {
    match &proposal.statement {
        Statement::Claim(claim) => {
            let cluster = claim.cluster.as_ref().map(ToString::to_string).unwrap_or_default();
            (claim.indicator.to_string(), "indicates", cluster)
        }
        Statement::Assertion(said) => (said.subject.clone(), said.relation.word(), said.object.clone()),
    }
}

fn joined(candidate: &Candidate, clusters: &[Cluster]) -> Option<Proposal> {
    let mut known = candidate.core_clusters.iter();
    let (Some(cluster), None) = (known.next(), known.next()) else { return None };
    if !candidate.is_linked() || candidate.clusters.contains(cluster) {
        return None;
    }
    let statement = match candidate.clusters.first() {
        Some(other) => {
            Statement::Assertion(said(&name(clusters, cluster), Relation::Overlaps, &name(clusters, other)))
        }
        None => Statement::Claim(Claim {
            indicator: match &candidate.node {
                Node::Address(address) => Indicator::Network(Prefix::host(*address)),
                Node::Domain(name) => Indicator::Domain(name.to_string()),
            },
            port: None,
            protocol: None,
            validity: seen(candidate)?,
            // A guess from others' sightings weighs as one from a date of publication.
            basis: WindowBasis::Published,
            cluster: Some(cluster.clone()),
            tools: Vec::new(),
            source: SOURCE.into(),
            place: place(candidate),
            published: None,
            confidence: None,
            tlp: None,
            revoked: false,
        }),
    };
    let reasons: Vec<String> = candidate.reasons.iter().map(ToString::to_string).collect();
    Some(Proposal {
        statement,
        wording: String::new(),
        sentence: format!("{}: {}", candidate.node, reasons.join("; ")),
        place: place(candidate),
    })
}

fn place(candidate: &Candidate) -> String {
    let groups: Vec<&str> = candidate.groups.iter().map(|group| group.word()).collect();
    let bridge = candidate.bridge.as_ref().map_or_else(String::new, |rarity| {
        format!("; without {} `{}` too little is left", rarity.kind.word(), rarity.value)
    });
    format!(
        "{:.1} dB to a core of {}, by {}, {} from a confirmed node{bridge}",
        candidate.score_db,
        candidate.core.len(),
        groups.join(", "),
        if candidate.steps == 1 { "one step" } else { "two steps" },
    )
}

/// When the traits that carry a candidate were seen; none if nobody dates them.
fn seen(candidate: &Candidate) -> Option<Window> {
    let carrying = candidate.reasons.iter().filter(|reason| reason.rarity.kind.group().carries());
    carrying.map(|reason| reason.seen).reduce(|a, b| Window::new(a.from.min(b.from), a.until.max(b.until)))
}

/// Cores of one cluster that could be compared and share too little. A core of one node says nothing.
fn splits(world: &World, pivot: &Pivot, clusters: &[Cluster]) -> Vec<Proposal> {
    let mut cores: BTreeMap<&ClusterId, Vec<&[u32]>> = BTreeMap::new();
    for core in pivot.linkage.clusters.iter().filter(|core| core.len() > 1) {
        let shared = world
            .clusters(core[0])
            .filter(|id| core.iter().all(|node| world.clusters(*node).any(|one| one == *id)));
        for cluster in shared {
            cores.entry(cluster).or_default().push(core);
        }
    }
    let mut splits = Vec::new();
    for (cluster, mut cores) in cores {
        cores.sort_by_key(|core| (std::cmp::Reverse(core.len()), core[0]));
        let Some((largest, others)) = cores.split_first() else { continue };
        for core in
            others.iter().filter(|core| kinds(world, core).intersection(&kinds(world, largest)).count() > 1)
        {
            let cluster = name(clusters, cluster);
            let part = format!("{cluster} at {}", world.node(core[0]));
            let nodes = core.iter().map(|node| world.node(*node).to_string());
            let named: Vec<String> = nodes.take(NAMED_MAX).collect();
            let more = match core.len().saturating_sub(NAMED_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            splits.push(Proposal {
                statement: Statement::Assertion(said(&part, Relation::PartOf, &cluster)),
                wording: String::new(),
                sentence: format!(
                    "{}{more} share too little with the other nodes of {cluster}",
                    named.join(", ")
                ),
                place: format!("a core of {} beside one of {}", core.len(), largest.len()),
            });
        }
    }
    splits
}

/// The kinds of traits that may carry a link and are known of any of these nodes.
fn kinds(world: &World, nodes: &[u32]) -> BTreeSet<Kind> {
    let carried = nodes.iter().flat_map(|node| &world.known(*node).carried);
    carried.map(|carried| world.kind(carried.value)).filter(|kind| kind.group().carries()).collect()
}

fn said(subject: &str, relation: Relation, object: &str) -> Assertion {
    Assertion {
        subject: subject.to_owned(),
        relation,
        object: object.to_owned(),
        window: None,
        asserted_by: None,
        source: SOURCE.into(),
        published: None,
        confidence: None,
        tlp: None,
    }
}

fn name(clusters: &[Cluster], id: &ClusterId) -> String {
    clusters
        .iter()
        .find(|cluster| cluster.id == *id)
        .map_or_else(|| id.to_string(), |cluster| cluster.name.clone())
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rarity = &self.rarity;
        write!(
            f,
            "{} `{}` ({:.1} dB): on {} of {} nodes",
            rarity.kind.word(),
            rarity.value,
            self.db,
            rarity.carriers,
            rarity.of
        )?;
        if rarity.of_hostile > 0 {
            write!(f, ", {} of {} hostile ones", rarity.hostile, rarity.of_hostile)?;
        }
        write!(f, "; shared with {}", self.with)?;
        if self.shared_with > 1 {
            write!(f, " and {} more", self.shared_with - 1)?;
        }
        if self.seen != Window::ALL {
            write!(f, ", seen from {} until {}", self.seen.from.day(), self.seen.until.day())?;
        }
        Ok(())
    }
}
