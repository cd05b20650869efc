//! Which file is damaged, looked for once something could not be read; and panics of the libraries
//! below, as errors.
//!
//! The engine says what is wrong with a table, seldom with which file. So after a failure every file
//! that may have to do with it is read here, whole, until one cannot be: that costs as long as
//! the question did, and the name is what the operator needs. Damage that leaves a file readable is
//! not found here: Parquet pages have no checksums.

use std::any::Any;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use datafusion::error::DataFusionError;
use deltalake::kernel::Action;
use deltalake::logstore::get_actions;
use futures::FutureExt as _;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use rahdar_model::Window;
use rahdar_model::store::StoreError;

use crate::REPLACED_KEPT_DAYS;
use crate::error::{Cause, Place};
use crate::table::{LOG, Part, Snapshot};

/// An answer whose decoder may panic on damaged content, as arrow does (arrow-rs #9705).
pub(crate) async fn survive<T>(
    answer: impl Future<Output = Result<T, DataFusionError>>,
) -> Result<T, DataFusionError> {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|panic| {
        Err(DataFusionError::ParquetError(Box::new(ParquetError::General(told(panic.as_ref())))))
    })
}

/// As [`survive`], of the log of the table at `place`.
pub(crate) async fn survive_log<T>(
    place: &Place,
    read: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    AssertUnwindSafe(read)
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Err(place.damaged_log(told(panic.as_ref()))))
}

/// What a panic said.
fn told(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("for reasons of its own");
    format!("the decoder panicked: {text}")
}

/// The error of an answer from these tables and windows, by what can be done about it.
pub(crate) fn of_data(
    action: &'static str,
    cause: DataFusionError,
    read: &[(&Snapshot, Window)],
) -> StoreError {
    if matches!(cause.find_root(), DataFusionError::ResourcesExhausted(_)) {
        return StoreError::Failed { action, cause: cause.into() };
    }
    let files = || {
        read.iter().flat_map(|(snapshot, window)| {
            let in_window = snapshot.files.iter().filter(|file| file.window.overlaps(*window));
            in_window.map(|file| (*snapshot, file))
        })
    };
    // What was cut or lost shows at once.
    let cut =
        files().find_map(|(snapshot, file)| has_size(snapshot, file).err().map(|cut| (cut, snapshot, file)));
    if let Some((_, snapshot, file)) = &cut
        && let Some(error) = replaced(snapshot, file)
    {
        return error;
    }
    let cut = cut.map(|(cut, ..)| cut);
    match cut.or_else(|| files().find_map(|(snapshot, file)| is_readable(snapshot, file).err())) {
        Some((path, cause)) => StoreError::Damaged { path: path.display().to_string(), cause },
        None => StoreError::Failed { action, cause: cause.into() },
    }
}

fn path_of(snapshot: &Snapshot, file: &Part) -> PathBuf {
    Path::new(&snapshot.place.0).join(file.path.as_ref())
}

/// Whether all files of an old version are there.
///
/// # Errors
/// [`StoreError::Limit`] if one was merged into others and then removed, [`StoreError::Damaged`] if it was lost.
pub(crate) fn check_kept(snapshot: &Snapshot) -> Result<(), StoreError> {
    for file in &snapshot.files {
        let path = path_of(snapshot, file);
        if let Err(error) = fs::metadata(&path) {
            let lost = || StoreError::Damaged { path: path.display().to_string(), cause: error.into() };
            return Err(replaced(snapshot, file).unwrap_or_else(lost));
        }
    }
    Ok(())
}

/// The error of a version that needs a file which was replaced and then removed; none if the file is there, or the log
/// does not say so.
fn replaced(snapshot: &Snapshot, file: &Part) -> Option<StoreError> {
    if path_of(snapshot, file).try_exists().unwrap_or(true) {
        return None;
    }
    let later = (snapshot.version + 1..).map_while(|version| {
        let entry = Path::new(&snapshot.place.0).join(LOG).join(format!("{version:020}.json"));
        get_actions(version, &Bytes::from(fs::read(entry).ok()?)).ok()
    });
    let is_removal =
        |action: &Action| matches!(action, Action::Remove(remove) if remove.path == file.path.as_ref());
    later.flatten().any(|action| is_removal(&action)).then(|| StoreError::Limit {
        limit: "the time for which old versions are kept",
        detail: format!(
            "version {} of `{}` needs `{}`, which was merged into another file and then removed: such files are kept for \
             {REPLACED_KEPT_DAYS} days, or as long as `flows compact --keep-days` says; ask the newest version, which has \
             the same rows and those that came later, or restore a backup of that time",
            snapshot.version, snapshot.layout.name, file.path
        ),
    })
}

fn has_size(snapshot: &Snapshot, file: &Part) -> Result<(), (PathBuf, Cause)> {
    let path = path_of(snapshot, file);
    match fs::metadata(&path) {
        Ok(meta) if meta.len() == file.size => Ok(()),
        Ok(meta) => Err((path, format!("it has {} octets, the log says {}", meta.len(), file.size).into())),
        Err(error) => Err((path, error.into())),
    }
}

/// Decodes all of a data file.
fn is_readable(snapshot: &Snapshot, file: &Part) -> Result<(), (PathBuf, Cause)> {
    let path = path_of(snapshot, file);
    let read = || -> Result<u64, Cause> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path)?)?;
        let expected = &snapshot.layout.file_schema;
        let is_known = |name: &str| reader.schema().field_with_name(name).is_ok();
        if let Some(field) =
            expected.fields().iter().find(|field| !field.is_nullable() && !is_known(field.name()))
        {
            return Err(format!("column `{}` is missing", field.name()).into());
        }
        let mut rows = 0;
        for batch in reader.build()? {
            rows += batch?.num_rows() as u64;
        }
        Ok(rows)
    };
    match (without_panic(read), file.rows) {
        (Ok(found), Some(logged)) if found != logged => {
            Err((path, format!("it has {found} rows, the log says {logged}").into()))
        }
        (Ok(_), _) => Ok(()),
        (Err(cause), _) => Err((path, cause)),
    }
}

/// The file of a table's log that cannot be understood, if one is found.
pub(crate) fn in_log(place: &Place) -> Option<(PathBuf, Cause)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(Path::new(&place.0).join(LOG)).ok()?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.into_iter().find_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        let version = name.split_once('.').and_then(|(version, _)| version.parse().ok());
        let read = || -> Result<(), Cause> {
            let content = Bytes::from(fs::read(&path)?);
            if name == "_last_checkpoint" {
                return Ok(serde_json::from_slice::<serde_json::Value>(&content).map(drop)?);
            }
            match (version, name.rsplit_once('.')) {
                (Some(version), Some((_, "json"))) => Ok(get_actions(version, &content).map(drop)?),
                (Some(_), Some((_, "parquet"))) => {
                    for batch in ParquetRecordBatchReaderBuilder::try_new(content)?.build()? {
                        batch?;
                    }
                    Ok(())
                }
                _ => Ok(()),
            }
        };
        let cause = without_panic(read).err()?;
        let is_sum = name == "_last_checkpoint" || name.ends_with(".parquet");
        let remedy = if is_sum {
            "it sums up entries that are beside it: move it and `_last_checkpoint` away"
        } else {
            "restore it from a backup"
        };
        Some((path, format!("{cause}; {remedy}").into()))
    })
}

/// Runs what may panic on damaged content.
pub(crate) fn without_panic<T>(read: impl FnOnce() -> Result<T, Cause>) -> Result<T, Cause> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| Err(told(panic.as_ref()).into()))
}
