//! The newest snapshot, for those who ask all day.

use std::sync::{Arc, PoisonError, RwLock};

use super::Snapshot;
use crate::book::{Book, BookError};

/// Holds the newest snapshot of a book while others ask it.
///
/// Who has taken one goes on with it, whatever comes after. A lookup takes no lock; taking the
/// snapshot waits for no more than the exchange of a pointer. While a version is replaced there are
/// two, until the last who holds the old one lets it go.
#[derive(Debug, Default)]
pub struct Live(RwLock<Arc<Snapshot>>);

impl Live {
    /// Begins with this snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        Self(RwLock::new(Arc::new(snapshot)))
    }

    /// The newest snapshot.
    pub fn get(&self) -> Arc<Snapshot> {
        // A pointer is exchanged whole or not at all: nothing is broken by who panicked beside it.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a snapshot in the place of the present one, unless that is newer.
    pub fn replace(&self, snapshot: Snapshot) {
        let mut new = Arc::new(snapshot);
        let mut present = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if present.version() <= new.version() {
            std::mem::swap(&mut *present, &mut new);
        }
        // The old one may be large: it is let go after the lock.
        drop(present);
    }

    /// The snapshot of the book's present version: read only if the book went on since the last.
    ///
    /// # Errors
    /// Those of the book. The snapshot stays as it was.
    pub fn refresh(&self, book: &dyn Book) -> Result<Arc<Snapshot>, BookError> {
        if self.get().version() != book.version()? {
            self.replace(book.snapshot()?);
        }
        Ok(self.get())
    }
}
