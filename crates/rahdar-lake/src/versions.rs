//! The lake as it was: old versions, for as long as their files are kept.
//!
//! An answer names the version of the flows that it came from. The facts of that version are those that were stored
//! with the same inputs: an import commits facts first and flows last (`ingest`), so each facts table is taken as it was
//! just before the first input that the flows do not have yet.
//!
//! Of files that were merged into others, those are gone that were replaced long ago (`vacuum`). A version that
//! needs one of them is refused.

use std::collections::HashSet;
use std::sync::Arc;

use rahdar_model::store::StoreError;

use crate::error::failed;
use crate::table::{Snapshot, Table};
use crate::{Lake, damage};

/// Every table as it was when the flows were of this version.
pub(crate) fn at(lake: &Lake, version: u64) -> Result<[Arc<Snapshot>; 4], StoreError> {
    let newest = lake.wait(lake.flows.version())?;
    if version > newest {
        let text = format!("there is no version {version} of the flows; the newest is {newest}");
        return Err(failed("reading an old version")(text));
    }
    let mut later = HashSet::new();
    for version in version + 1..=newest {
        later.extend(lake.wait(lake.flows.inputs_of(version))?);
    }
    let [_, facts @ ..] = lake.tables();
    let flows = whole(lake, &lake.flows, version)?;
    let [resolutions, handshakes, gaps] = facts.map(|table| {
        let version = before(lake, table, &later)?;
        whole(lake, table, version)
    });
    Ok([flows, resolutions?, handshakes?, gaps?])
}

/// The version of a table of facts before the first of these inputs.
fn before(lake: &Lake, table: &Table, later: &HashSet<String>) -> Result<u64, StoreError> {
    let newest = lake.wait(table.version())?;
    let (mut version, mut left) = (newest, later.len());
    for entry in (1..=newest).rev() {
        if left == 0 {
            break;
        }
        let inputs = lake.wait(table.inputs_of(entry))?;
        let count = inputs.iter().filter(|input| later.contains(*input)).count();
        if count > 0 {
            version = entry - 1;
            left -= count;
        } else if lake.wait(lake.flows.holds_any(&inputs)) {
            break;
        }
    }
    Ok(version)
}

/// A version of a table all of whose files are there.
fn whole(lake: &Lake, table: &Table, version: u64) -> Result<Arc<Snapshot>, StoreError> {
    let snapshot = lake.wait(table.at(version))?;
    damage::check_kept(&snapshot)?;
    Ok(Arc::new(snapshot))
}
