//! Who may go on while others work: locks of the operating system on folders of the lake.
//!
//! * **A turn** to commit, one process at a time, so that no import loses race after race.
//! * **A place** among the imports under way. Whoever is alone there may tidy up: no file is on its
//!   way into a table.
//!
//! Such a lock ends with its process, however that dies, and needs no room on a full disk. What is
//! stored does not rest on it: the log refuses whoever comes second. So a turn that does not come in time
//! is done without, as are all locks on a file system that has none; there, nothing is tidied.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

/// The longest wait for a lock. Chosen here: a commit takes well below a second; who holds a lock for
/// longer was stopped, or has a disk that stands.
const PATIENCE: Duration = Duration::from_secs(60);

/// A lock, until it is dropped; none on a file system without locks.
#[derive(Debug)]
pub(crate) struct Held(#[expect(dead_code, reason = "held, not read")] Option<File>);

/// Waits for the turn to commit; goes on without it when it does not come.
pub(crate) async fn to_commit(log: &Path) -> Held {
    wait(log, File::lock).await.unwrap_or(Held(None))
}

/// Takes a place among the imports under way.
///
/// # Errors
/// [`ErrorKind::TimedOut`] if another process has been tidying all the while.
pub(crate) async fn to_import(table: &Path) -> io::Result<Held> {
    wait(table, File::lock_shared).await
}

/// The only place, if no import is under way anywhere.
pub(crate) fn alone(table: &Path) -> Option<Held> {
    let folder = File::open(table).ok()?;
    match folder.try_lock() {
        Ok(()) => Some(Held(Some(folder))),
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
    }
}

async fn wait(folder: &Path, lock: fn(&File) -> io::Result<()>) -> io::Result<Held> {
    let opened = File::open(folder)?;
    // A wait that is given up ends on its thread, and lets go of the lock.
    let locked = tokio::task::spawn_blocking(move || lock(&opened).map(|()| opened));
    match tokio::time::timeout(PATIENCE, locked).await {
        Ok(Ok(Ok(held))) => Ok(Held(Some(held))),
        Ok(Ok(Err(_)) | Err(_)) => Ok(Held(None)),
        Err(_) => {
            let text = format!("another process has held `{}` for too long", folder.display());
            Err(io::Error::new(ErrorKind::TimedOut, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_imports_keeps_tidying_away_and_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let first = to_import(folder.path()).await.unwrap();
        let second = to_import(folder.path()).await.unwrap();
        assert!(alone(folder.path()).is_none());
        drop((first, second));
        let tidying = alone(folder.path());
        assert!(tidying.is_some() && alone(folder.path()).is_none());
    }
}
