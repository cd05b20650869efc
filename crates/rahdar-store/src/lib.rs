//! The book on disk: the only room that knows SQL databases.
//!
//! [`Database`] implements [`Book`] in one SQLite file. In reading order:
//!
//! * `migrations/`: the tables. Append-only: every row names the version that added it.
//! * `write`: one import, in one transaction.
//! * `statement`: what reports propose, and what a person accepts of it.
//! * `read`: rows back into the nouns of the model.
//! * `claim`: claims both ways, many at once.
//! * `lookup`: no more of the book than one subject needs.
//!
//! The room judges nothing and reads no clock. It knows neither flows nor files other than its own.

mod claim;
mod lookup;
mod read;
mod statement;
mod write;

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use rahdar_intel::assertion::Proposal;
use rahdar_intel::book::{Book, BookError, Entry, ImportedFile, Kept, Proposed, Reached, Recorded};
use rahdar_intel::index::{Snapshot, Subject};
use rahdar_intel::pdns::Record;
use rahdar_intel::pivot::Trait;
use rahdar_intel::reading::Reading;
use rahdar_model::Timestamp;
use rahdar_model::intelligence::{Cluster, Event, Network};
use sqlx::SqlitePool;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::runtime::Runtime;

/// How long a call waits for another process to end its transaction. Chosen here: an import of a
/// hundred thousand claims takes seconds.
const BUSY_WAIT: Duration = Duration::from_secs(30);

/// Connections kept: one writes, one reads.
const CONNECTIONS: u32 = 2;

/// Pages kept by a connection, in KiB (negative, as SQLite has it): 64 MiB. Chosen here: the identities of a million
/// claims, which an import meets in no order.
const CACHE: &str = "-65536";

/// The book in a SQLite file. Calls block; do not call from asynchronous code.
pub struct Database {
    path: String,
    pool: SqlitePool,
    runtime: Runtime,
}

impl Database {
    /// Opens the book at `path`; an empty one if there is no file. A committed import survives a
    /// loss of power: the journal is synced before a call returns.
    ///
    /// # Errors
    /// [`BookError::Damaged`] if the file is no book of this or an earlier release,
    /// [`BookError::Failed`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, BookError> {
        let failed = |cause: std::io::Error| BookError::Failed {
            action: "starting the database",
            cause: cause.into(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", CACHE)
            .busy_timeout(BUSY_WAIT);
        let shown = path.display().to_string();
        let pool = runtime.block_on(async {
            let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await;
            let pool = pool.map_err(|cause| error("opening the book", &shown, cause))?;
            let ours = is_ours(&pool).await.map_err(|cause| error("opening the book", &shown, cause))?;
            if !ours {
                let remedy = "it is a database of another program; give another --home".to_owned();
                let cause = "its application id is not that of a book".into();
                return Err(BookError::Damaged { path: shown.clone(), remedy, cause });
            }
            sqlx::migrate!().run(&pool).await.map_err(|cause| unmigrated(&shown, cause))?;
            lookup::complete(&pool).await.map_err(|cause| error("opening the book", &shown, cause))?;
            Ok(pool)
        })?;
        Ok(Self { path: shown, pool, runtime })
    }

    /// Waits for a query; its failure is worded by what the caller can do.
    fn wait<T>(
        &self,
        action: &'static str,
        query: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, BookError> {
        self.runtime.block_on(query).map_err(|cause| error(action, &self.path, cause))
    }
}

/// The last connection that closes writes the journal back: the book is then one file, which may be copied.
impl Drop for Database {
    fn drop(&mut self) {
        self.runtime.block_on(self.pool.close());
    }
}

impl Book for Database {
    fn record(&self, file: &ImportedFile, reading: &Reading) -> Result<Recorded, BookError> {
        self.wait("recording claims", write::reading(&self.pool, file, reading))
    }

    fn record_from(
        &self,
        file: &ImportedFile,
        reading: Option<&Reading>,
        reached: &Reached,
    ) -> Result<Recorded, BookError> {
        self.wait("recording what a feed says", write::from_feed(&self.pool, file, reading, reached))
    }

    fn reached(&self, feed: &str) -> Result<BTreeMap<String, String>, BookError> {
        self.wait("reading how far a feed was read", read::reached(&self.pool, feed))
    }

    fn record_networks(&self, file: &ImportedFile, networks: &[Network]) -> Result<Recorded, BookError> {
        self.wait("recording networks", write::networks(&self.pool, file, networks))
    }

    fn record_events(&self, file: &ImportedFile, events: &[Event]) -> Result<Recorded, BookError> {
        self.wait("recording events", write::events(&self.pool, file, events))
    }

    fn record_look(&self, at: Timestamp, until: Timestamp) -> Result<(), BookError> {
        self.wait("noting that a hunt ran", write::look(&self.pool, at, until))
    }

    fn propose(&self, file: &ImportedFile, proposals: &[Proposal]) -> Result<Proposed, BookError> {
        self.wait("keeping proposals", statement::propose(&self.pool, file, proposals))
    }

    fn proposals(&self) -> Result<Vec<Kept>, BookError> {
        self.wait("reading proposals", async { statement::all(&mut *self.pool.acquire().await?).await })
    }

    fn accept(&self, ids: &[u64], at: Timestamp) -> Result<Recorded, BookError> {
        self.wait("accepting proposals", statement::accept(&self.pool, ids, at))
    }

    fn version(&self) -> Result<u64, BookError> {
        self.wait("reading the version", read::version(&self.pool))
    }

    fn snapshot(&self) -> Result<Snapshot, BookError> {
        self.wait("reading claims", read::snapshot(&self.pool))
    }

    fn about(&self, subject: &Subject) -> Result<Snapshot, BookError> {
        self.wait("looking up claims", lookup::about(&self.pool, subject))
    }

    fn traits(&self) -> Result<Vec<Trait>, BookError> {
        self.wait("reading traits", async { read::traits(&mut *self.pool.acquire().await?).await })
    }

    fn resolutions(&self) -> Result<Vec<Record>, BookError> {
        self.wait("reading passive DNS", async { read::records(&mut *self.pool.acquire().await?).await })
    }

    fn clusters(&self) -> Result<Vec<Cluster>, BookError> {
        self.wait("reading clusters", async { read::clusters(&mut *self.pool.acquire().await?).await })
    }

    fn networks(&self) -> Result<Vec<Network>, BookError> {
        self.wait("reading networks", async { read::networks(&mut *self.pool.acquire().await?).await })
    }

    fn events(&self) -> Result<Vec<Event>, BookError> {
        self.wait("reading events", read::events(&self.pool))
    }

    fn imports(&self) -> Result<Vec<Entry>, BookError> {
        self.wait("reading imports", read::imports(&self.pool))
    }
}

/// The mark of a book in the header of its file: `rhdr`. The first migration sets it.
const APPLICATION_ID: i64 = 0x7268_6472;

/// Whether the file is empty or a book.
async fn is_ours(pool: &SqlitePool) -> Result<bool, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(pool).await?;
    let mark: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(pool).await?;
    Ok(tables == 0 || mark == APPLICATION_ID)
}

/// SQLite's primary result codes (sqlite.org/rescode.html).
mod code {
    pub(super) const BUSY: i64 = 5;
    pub(super) const LOCKED: i64 = 6;
    pub(super) const CORRUPT: i64 = 11;
    pub(super) const NOT_A_DATABASE: i64 = 26;
}

/// A failure of the database, by what the caller can do about it.
fn error(action: &'static str, path: &str, cause: sqlx::Error) -> BookError {
    let result_code =
        cause.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<i64>().ok());
    let undecodable = matches!(cause, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_));
    match result_code.map(|extended| extended & 0xff) {
        Some(code::BUSY | code::LOCKED) => BookError::Busy { cause: cause.into() },
        Some(code::CORRUPT | code::NOT_A_DATABASE) => damaged(path, cause.into()),
        None if undecodable => damaged(path, cause.into()),
        _ => BookError::Failed { action, cause: cause.into() },
    }
}

fn unmigrated(path: &str, cause: MigrateError) -> BookError {
    match cause {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => {
            error("opening the book", path, cause)
        }
        cause => BookError::Damaged {
            path: path.to_owned(),
            remedy: "it was made by a later release of rahdar; use that, or give another --home".to_owned(),
            cause: cause.into(),
        },
    }
}

fn damaged(path: &str, cause: Box<dyn Error + Send + Sync>) -> BookError {
    let remedy = "move it away and import the intelligence again, or restore a copy".to_owned();
    BookError::Damaged { path: path.to_owned(), remedy, cause }
}
