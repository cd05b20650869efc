//! Merging and removing that is killed, cut off or refused by the disk at every step (`docs/reliability.md` R6, R7, R8).

use rahdar_model::time::Timestamp;

use super::*;
use crate::Effort;

/// Inputs of the lake that is tended.
const INPUTS: u64 = 3;

/// Merges all files, and removes those that were replaced.
fn tend(lake: &Lake) -> Result<(), StoreError> {
    lake.compact(Timestamp::from_micros(0), Effort::WHOLE)?;
    lake.vacuum(Timestamp::MAX)?;
    Ok(())
}

fn template() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_on(Arc::new(FaultyDisk::new(Fault::None, 0)), folder.path()).unwrap();
    for n in 0..INPUTS {
        import(&lake, &n.to_string(), &flows()).unwrap();
    }
    folder
}

/// Data files of all tables.
fn data_files(home: &Path) -> usize {
    files_below(home).iter().filter(|path| path.to_string_lossy().contains("/part-")).count()
}

/// Tends a lake with the fault at its first step, and on in strides until it gets by. Whatever happens, no row goes
/// and none comes twice; the next time all is done, and nothing is left behind.
fn tend_in_strides(fault: Fault, stride: usize) {
    let template = template();
    for (struck, at) in (1..).step_by(if is_nightly() { 1 } else { stride }).enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        copy(template.path(), &home);
        let disk = Arc::new(FaultyDisk::new(fault, at));
        let outcome = Lake::open_on(disk.clone(), &home).and_then(|lake| tend(&lake));
        let context = format!("{fault:?} at step {at} of merging");
        if let (Err(error), Fault::Error(_) | Fault::Full) = (&outcome, fault) {
            let told = chain(error);
            let named = told.contains(folder.path().to_str().unwrap());
            assert!(named && told.contains("os error"), "{context}: the path is named: {told}");
        }

        let lake = reopen(&home);
        assert_eq!(rows(&lake), [INPUTS * 3, INPUTS, INPUTS, INPUTS], "{context}: no row goes");
        import(&lake, "new", &flows()).unwrap();
        tend(&lake).unwrap();
        assert_eq!(rows(&lake), [INPUTS * 3 + 3, INPUTS + 1, INPUTS + 1, INPUTS + 1], "{context}");
        let left = leftovers::all(&lake).unwrap();
        assert!(left.is_empty(), "{context}: left behind: {left:?}");
        assert_eq!(data_files(&home), 5, "{context}: a file for each day of each table");
        if !disk.has_struck() {
            assert!(outcome.is_ok());
            eprintln!("{fault:?}: {struck} faults in {} steps of merging", at - 1);
            return;
        }
    }
}

#[test]
fn merging_that_is_killed_at_any_step_loses_no_row() {
    tend_in_strides(Fault::Killed, 5);
}

#[test]
fn an_error_of_the_disk_while_files_are_merged_loses_no_row() {
    tend_in_strides(Fault::Error(EIO), 9);
}

#[test]
fn a_disk_that_is_full_while_files_are_merged_loses_no_row() {
    tend_in_strides(Fault::Full, 13);
}

/// The old files are removed for good while what names the new ones may not be on disk: it must be.
#[test]
fn merged_rows_survive_a_power_cut_after_any_step() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let disk = Arc::new(FaultyDisk::new(Fault::None, 0));
    let lake = Lake::open_on(disk.clone(), &base).unwrap();
    for input in 0..2_u64 {
        import(&lake, &input.to_string(), &flows()).unwrap();
    }
    lock(&disk.done).push(Step::Acknowledged(2));
    let imported = lock(&disk.done).len();
    tend(&lake).unwrap();
    let steps = lock(&disk.done).clone();
    let cuts = cut_in_strides(&base, &steps, imported, if is_nightly() { 1 } else { 6 });
    eprintln!("{cuts} power cuts in {} steps of merging", steps.len() - imported);
}
