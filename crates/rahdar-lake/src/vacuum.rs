//! Files that were merged into others, removed when they have been kept for long enough.
//!
//! Until then every version can be read again. After that, a version that needs them is refused
//! (`versions`); the log itself stays whole. `docs/decisions/0017-what-is-kept-how-long.md` says why, and what then.
//!
//! A file goes if the log says that it was replaced before the given time, and is in the newest version no
//! more. Nothing can bring it back into the table, so nobody has to wait: imports and merging go on. Killed in
//! between, the rest goes the next time.

use std::fs;
use std::io::ErrorKind;

use rahdar_model::store::StoreError;
use rahdar_model::time::Timestamp;

use crate::Lake;
use crate::disk::DiskError;
use crate::error::failed;
use crate::leftovers;

/// Days for which replaced files are kept unless the operator says otherwise. Chosen here: an inquiry that began with
/// an answer of some version takes weeks, and that answer can be asked for again meanwhile. Delta's own default is
/// seven. It costs the room of a month's small files.
pub const REPLACED_KEPT_DAYS: u16 = 30;

const ACTION: &str = "removing replaced files";

/// What was removed from one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vacuumed {
    /// Its name.
    pub table: &'static str,
    /// Files removed.
    pub files: u64,
    /// Their octets.
    pub octets: u64,
}

/// Removes the files of every table that were replaced before this time.
pub(crate) fn vacuum(lake: &Lake, replaced_before: Timestamp) -> Result<Vec<Vacuumed>, StoreError> {
    let tables = lake.tables().into_iter();
    let vacuumed = tables.map(|table| {
        let mut vacuumed = Vacuumed { table: table.layout().name, files: 0, octets: 0 };
        for path in leftovers::replaced_in(lake, table, replaced_before)? {
            let octets = fs::metadata(&path).map_or(0, |meta| meta.len());
            match lake.folders.disk().remove(&path) {
                Ok(()) => {
                    vacuumed.files += 1;
                    vacuumed.octets += octets;
                }
                // Somebody else was faster.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(ACTION)(DiskError::of("removing", &path)(error))),
            }
        }
        Ok(vacuumed)
    });
    vacuumed.collect()
}
