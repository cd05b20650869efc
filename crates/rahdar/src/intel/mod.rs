//! `rahdar intel`: import, sync, accept, list, look up, pivot.

pub(crate) mod accept;
mod history;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod lookup;
pub(crate) mod pivot;
mod proposal;
pub(crate) mod sync;

use std::collections::BTreeMap;

use rahdar_intel::index::Snapshot;
use rahdar_model::Timestamp;
use rahdar_model::intelligence::{Claim, ClusterId};

/// The name of a claim's cluster, if it has one.
fn cluster_name<'a>(book: &'a Snapshot, claim: &'a Claim) -> Option<&'a str> {
    let id = claim.cluster.as_ref()?;
    Some(book.cluster(id).map_or(&id.0, |cluster| &cluster.name))
}

/// An end of a window as output has it; none where the window is open.
fn bound(time: Timestamp) -> Option<String> {
    (time != Timestamp::MIN && time != Timestamp::MAX).then(|| time.to_string())
}

/// Claims per cluster, for a summary.
fn per_cluster(claims: &[Claim]) -> BTreeMap<Option<&ClusterId>, usize> {
    let mut counts = BTreeMap::new();
    for claim in claims {
        *counts.entry(claim.cluster.as_ref()).or_default() += 1;
    }
    counts
}
