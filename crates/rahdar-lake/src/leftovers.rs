//! What killed imports leave, and how it is removed.
//!
//! Nothing reads it: names that end in `#1`, of files that were being written, and data files that
//! no log entry names. It takes space. The first import of a [`Lake`] removes it, if no other import
//! is under way in any process (`turn`): then no file is on its way into a table.
//!
//! A data file is removed if it has a name of ours and no entry has ever named it: old versions stay
//! readable. Files of other programs are left alone.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rahdar_model::store::StoreError;
use rahdar_model::time::Timestamp;
use uuid::Uuid;

use crate::durable::is_staged;
use crate::schema::PARTITION;
use crate::table::{LOG, Table};
use crate::{Lake, turn};

/// Removes what is left in every table, unless an import is under way. Returns how many files.
///
/// A file that cannot be removed is left to the next process, so failure is no error here.
pub(crate) fn remove(lake: &Lake) -> Result<usize, StoreError> {
    let Some(_alone) = turn::alone(&lake.folder(&lake.flows)) else { return Ok(0) };
    let left = all(lake)?;
    Ok(left.iter().filter(|path| lake.folders.disk().remove(path).is_ok()).count())
}

/// All that is left, while no import is under way.
pub(crate) fn all(lake: &Lake) -> Result<Vec<PathBuf>, StoreError> {
    let mut left = Vec::new();
    for table in lake.tables() {
        left.extend(left_in(lake, table)?);
    }
    Ok(left)
}

fn left_in(lake: &Lake, table: &Table) -> Result<Vec<PathBuf>, StoreError> {
    let Stray { staged: mut left, mut unknown } = stray_in(lake, table)?;
    for path in lake.wait(table.replaced()).keys() {
        unknown.remove(file_name(path));
    }
    // Seldom: reading the whole log is worth it only for a file that neither the living version nor the last weeks have.
    if !unknown.is_empty()
        && let Some(named) = lake.wait(table.ever_named())?
    {
        for path in named.keys() {
            unknown.remove(file_name(path));
        }
        left.extend(unknown.into_values());
    }
    Ok(left)
}

/// The files of a table that others replaced before this time and that are still there.
pub(crate) fn replaced_in(lake: &Lake, table: &Table, before: Timestamp) -> Result<Vec<PathBuf>, StoreError> {
    let Stray { mut unknown, .. } = stray_in(lake, table)?;
    let mut found = Vec::new();
    for (path, replaced) in lake.wait(table.replaced()) {
        found.extend(unknown.remove(file_name(&path)).filter(|_| replaced < before));
    }
    // Seldom, as above. What was written later cannot have been replaced before.
    unknown.retain(|_, path| written(path).is_some_and(|written| written < before));
    if !unknown.is_empty()
        && let Some(named) = lake.wait(table.ever_named())?
    {
        for (path, replaced) in named {
            let is_due = replaced.is_some_and(|replaced| replaced < before);
            found.extend(unknown.remove(file_name(&path)).filter(|_| is_due));
        }
    }
    found.sort();
    Ok(found)
}

/// When a file was last written.
fn written(path: &Path) -> Option<Timestamp> {
    let since = fs::metadata(path).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_micros(i64::try_from(since.as_micros()).ok()?))
}

/// What is in the folders of a table and in no file list.
struct Stray {
    /// Files that have not got their names.
    staged: Vec<PathBuf>,
    /// Data files with names of ours that the newest version does not have.
    unknown: BTreeMap<OsString, PathBuf>,
}

fn stray_in(lake: &Lake, table: &Table) -> Result<Stray, StoreError> {
    let folder = lake.folder(table);
    let mut staged: Vec<PathBuf> = entries(&folder.join(LOG)).filter(|path| is_staged(name(path))).collect();
    let mut unknown = BTreeMap::<OsString, PathBuf>::new();
    for day in entries(&folder).filter(|path| name(path).starts_with(PARTITION)) {
        for path in entries(&day) {
            if is_staged(name(&path)) {
                staged.push(path);
            } else if is_ours(name(&path)) {
                unknown.extend(path.file_name().map(|name| (name.to_owned(), path.clone())));
            }
        }
    }
    // After the folders: a file that an import adds meanwhile is in both.
    for file in &lake.wait(table.newest())?.files {
        unknown.remove(file_name(file.path.as_ref()));
    }
    Ok(Stray { staged, unknown })
}

/// The name of a file of the log.
fn file_name(path: &str) -> &OsStr {
    Path::new(path).file_name().unwrap_or_default()
}

/// What is in a folder; nothing if it cannot be listed.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// A name in UTF-8, as all of ours are; empty for any other.
fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Whether a data file has a name as `file` gives them.
pub(crate) fn is_ours(name: &str) -> bool {
    let id = name.strip_prefix("part-").and_then(|rest| rest.strip_suffix(".parquet"));
    id.is_some_and(|id| id.len() == uuid::fmt::Hyphenated::LENGTH && Uuid::try_parse(id).is_ok())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rahdar_model::{FlowStore as _, Window};
    use rahdar_testkit::flow;

    use super::*;
    use crate::crash::{import, lake_of};

    #[test]
    fn what_nobody_names_is_removed_and_nothing_else() {
        let (folder, lake) = lake_of(&[flow("192.0.2.1 > 192.0.2.2").at("2021-08-15").build()]);
        drop(lake);
        let day = folder.path().join("flows/day=2021-08-15");
        let ours = format!("part-{}.parquet", Uuid::new_v4());
        let theirs = format!("part-00000-{}-c000.snappy.parquet", Uuid::new_v4());
        let left =
            [day.join(&ours), day.join(format!("{ours}#1")), folder.path().join("gaps/_delta_log/7.json#2")];
        let kept = [day.join(theirs), day.join("part-1.parquet"), folder.path().join("flows/notes#x")];
        for path in left.iter().chain(&kept) {
            fs::write(path, "").unwrap();
        }

        let lake = Lake::open(folder.path()).unwrap();
        let under_way = lake.wait(turn::to_import(&lake.folder(&lake.flows))).unwrap();
        assert_eq!(remove(&lake).unwrap(), 0, "an import is under way");
        drop(under_way);
        import(&lake, "b", &[]).unwrap();
        assert!(left.iter().all(|path| !path.try_exists().unwrap()));
        assert!(kept.iter().all(|path| path.try_exists().unwrap()));
        assert_eq!(lake.count(Window::ALL).unwrap(), 1);
        let mut read = 0;
        lake.sightings(&["192.0.2.1".parse().unwrap()], Window::ALL, &mut |_| read += 1).unwrap();
        assert_eq!(read, 1, "what the log names is there");
    }
}
