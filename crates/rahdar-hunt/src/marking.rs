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
//! and on what is said of who is behind them.
//!
//! Too strict where a source marked what another published openly. Then the sources are named: whoever
//! wants to tell more widely hunts without them.

use std::collections::BTreeMap;

use rahdar_intel::index::Snapshot;
use rahdar_model::account::ClusterAccount;
use rahdar_model::finding::Finding;
use rahdar_model::intelligence::{Claim, ClusterId};
use rahdar_model::marking::Marking;

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
