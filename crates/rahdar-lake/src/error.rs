//! What the engine says, sorted by what the caller can do.

use std::error::Error;
use std::io;

use deltalake::DeltaTableError;
use rahdar_model::store::StoreError;

use crate::damage;

/// Why something failed.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// Where the table is, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Place(pub(crate) String);

impl Place {
    /// The log could not be read or written.
    pub(crate) fn log(&self, action: &'static str, cause: DeltaTableError) -> StoreError {
        match cause {
            cause if is_of_the_disk(&cause) => StoreError::Failed { action, cause: cause.into() },
            cause => self.damaged_log(cause),
        }
    }

    /// The log holds what cannot be understood: the file that holds it, or else the table, is named.
    pub(crate) fn damaged_log(&self, cause: impl Into<Cause>) -> StoreError {
        match damage::in_log(self) {
            Some((path, cause)) => StoreError::Damaged { path: path.display().to_string(), cause },
            None => self.damaged(cause),
        }
    }

    /// The table is not what it should be.
    pub(crate) fn damaged(&self, cause: impl Into<Cause>) -> StoreError {
        StoreError::Damaged { path: self.0.clone(), cause: cause.into() }
    }
}

/// Something beside the stored content failed.
pub(crate) fn failed<E: Into<Cause>>(action: &'static str) -> impl FnOnce(E) -> StoreError {
    move |cause| StoreError::Failed { action, cause: cause.into() }
}

fn is_missing(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. })
}

/// Whether a cause, at any depth, is a disk or an object store that did not do its part. A file
/// that the log names and that is not there is damage, not that.
fn is_of_the_disk(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<object_store::Error>() {
            return !is_missing(error);
        }
        if error.is::<io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}
