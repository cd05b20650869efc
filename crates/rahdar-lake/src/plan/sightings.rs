//! Flows that have an end in one of many networks.
//!
//! One scan for both ends: the set of networks is a function of the four address columns, so
//! other columns are decoded for the rows that meet it. A first form; the caller sees no
//! difference when an index from addresses to pages takes the place of the scan.

use std::sync::Arc;

use rahdar_model::store::{End, Sighting, StoreError};
use rahdar_model::{FlowRecord, Prefix, Window};

use crate::Lake;
use crate::networks::{NetworkSet, inside};

pub(crate) fn sightings(
    lake: &Lake,
    networks: &[Prefix],
    window: Window,
    visit: &mut dyn FnMut(Sighting),
) -> Result<(), StoreError> {
    if networks.is_empty() || window.is_empty() {
        return Ok(());
    }
    let set = Arc::new(NetworkSet::of(networks));
    let sql = "SELECT * FROM flow WHERE sighted(src_hi, src_lo, dst_hi, dst_lo)";
    let functions = [inside("sighted", set.clone())];
    lake.answer(&lake.flows, "looking for sightings", window, functions, sql, |answer| {
        answer.each(|flow: FlowRecord| match (set.contains(flow.src), set.contains(flow.dst)) {
            (true, true) => {
                visit(Sighting { end: End::Source, flow: flow.clone() });
                visit(Sighting { end: End::Destination, flow });
            }
            (true, false) => visit(Sighting { end: End::Source, flow }),
            (false, _) => visit(Sighting { end: End::Destination, flow }),
        })
    })
}
