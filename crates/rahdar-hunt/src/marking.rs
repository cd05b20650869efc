//! How far what is told may travel: as far as the strictest of the claims that it rests on (TLP 2.0, FIRST).
//!
//! A finding rests on
//!
//! * every claim of its cluster on an address that its host met, whether it spoke loudest or not: each had a
//!   part in the verdict;
//! * the claims on names that it tells of;
//! * the claims that name malware of its cluster, for that is told too;
//! * the findings that its reasons mention: other clusters on its host, other hosts of its cluster.
//!
//! A hunt rests on its findings, believed or not, and on all claims of the clusters that it gives account of
//! and on what is said of who is behind them. Of clusters that nobody was in contact with it tells only those
//! that leave its marking as it is, and that of the cluster that was asked for.
//!
//! Too strict where a source marked what another published openly. Then the sources are named: whoever
//! wants to tell more widely hunts without them.

use std::collections::BTreeMap;

use rahdar_intel::index::Snapshot;
use rahdar_model::Address;
use rahdar_model::account::ClusterAccount;
use rahdar_model::finding::Finding;
use rahdar_model::intelligence::{Claim, ClusterId, Tlp};
use rahdar_model::marking::Marking;
use rahdar_model::sight::NotSeen;

/// What every hunt is marked at least, for it names victims.
const ANY_HUNT: Tlp = Tlp::Amber;

/// What the reasons of a firm finding mention: the other firm findings of its host and of its cluster.
#[derive(Default)]
pub(crate) struct Mentioned {
    on_host: BTreeMap<Address, Marking>,
    of_cluster: BTreeMap<ClusterId, Marking>,
}

impl Mentioned {
    /// Adds the marking of a claim that a firm finding rests on.
    pub(crate) fn add(&mut self, host: Address, cluster: ClusterId, marking: &Marking) {
        self.on_host.entry(host).or_default().and(marking);
        self.of_cluster.entry(cluster).or_default().and(marking);
    }

    /// What a firm finding of this host and cluster mentions, its own claims among them.
    pub(crate) fn by(&self, host: Address, cluster: &ClusterId) -> impl Iterator<Item = &Marking> {
        self.on_host.get(&host).into_iter().chain(self.of_cluster.get(cluster))
    }
}

/// The marking of the claims by which malware of each cluster is known.
pub(crate) fn of_tools(book: &Snapshot) -> BTreeMap<ClusterId, Marking> {
    by_cluster(book, |claim| !claim.tools.is_empty())
}

/// The marking of a whole hunt.
pub(crate) fn of_hunt<'a>(
    findings: impl IntoIterator<Item = &'a Finding>,
    clusters: &[ClusterAccount],
    book: &Snapshot,
) -> Marking {
    let mut marking = Marking::default();
    findings.into_iter().for_each(|finding| marking.and(&finding.marking));
    let claimed = by_cluster(book, |_| true);
    for account in clusters {
        claimed.get(&account.id).into_iter().for_each(|claims| marking.and(claims));
        let statements = account.hypotheses.iter().flat_map(|hypothesis| &hypothesis.statements);
        statements.for_each(|said| marking.add(said.tlp, &said.source));
    }
    marking
}

/// Leaves out the clusters without contact that would close the hunt further. One that was asked for stays, and
/// does.
pub(crate) fn keep_open(marking: &mut Marking, not_seen: &mut Vec<NotSeen>, is_asked: bool) {
    if is_asked {
        not_seen.iter().for_each(|row| marking.and(&row.marking));
        return;
    }
    let most = marking.tlp.max(Some(ANY_HUNT));
    not_seen.retain(|row| row.marking.tlp <= most);
}

/// The marking of the claims that stand, of each cluster.
fn by_cluster(book: &Snapshot, counts: impl Fn(&Claim) -> bool) -> BTreeMap<ClusterId, Marking> {
    let mut markings: BTreeMap<ClusterId, Marking> = BTreeMap::new();
    for claim in book.claims().iter().filter(|claim| claim.tlp.is_some() && !claim.revoked && counts(claim)) {
        let Some(id) = &claim.cluster else { continue };
        match markings.get_mut(id) {
            Some(known) => known.add(claim.tlp, &claim.source),
            None => drop(markings.insert(id.clone(), Marking::of([claim]))),
        }
    }
    markings
}
