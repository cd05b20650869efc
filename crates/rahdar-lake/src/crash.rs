//! An import that dies at every step (`reliability.md` R6, R8), and the helpers that lake tests
//! share.

use std::fmt;
use std::ops::Range;
use std::path::Path as DiskPath;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use rahdar_model::column::Row as _;
use rahdar_model::fact::{Fact, Gap, Handshake, Resolution};
use rahdar_model::sink::SinkError;
use rahdar_model::store::{Admission, Commit, Input, StoreError};
use rahdar_model::{FlowRecord, FlowStore, Window};
use rahdar_testkit::flow;

use crate::Lake;
use crate::durable::DurableStore;

/// The name that is resolved in every import.
const NAME: &str = "c2.example.org";

/// A lake that holds `flows` as one input, in a folder that lives as long as the first value.
pub(crate) fn lake_of(flows: &[FlowRecord]) -> (tempfile::TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    import(&lake, "a", flows).unwrap();
    (folder, lake)
}

/// Imports `flows` as the input `id`, unless that is stored, and with them one fact of each kind.
pub(crate) fn import(lake: &Lake, id: &str, flows: &[FlowRecord]) -> Result<Commit, StoreError> {
    let mut import = lake.import()?;
    if import.begin(&Input { id: id.to_owned(), name: id.into() })? == Admission::New {
        let failing = |error: SinkError| StoreError::Failed { action: "importing", cause: error.into() };
        for flow in flows {
            import.flow(flow).map_err(failing)?;
        }
        let resolution = Resolution { name: NAME.to_owned(), ..Resolution::blank() };
        import.fact(Fact::Resolution(&resolution)).map_err(failing)?;
        import.fact(Fact::Handshake(&Handshake::blank())).map_err(failing)?;
        import.fact(Fact::Gap(&Gap { lost: 1, ..Gap::blank() })).map_err(failing)?;
    }
    import.commit()
}

/// What happens at one operation of the store.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Killed before it: that operation and all later ones do nothing.
    KilledBefore,
    /// Killed after it: it is done, but nobody hears of it, and later ones do nothing.
    KilledAfter,
    /// The disk is full for that one operation.
    Full,
}

/// A store that fails at the `at`-th operation that changes something.
#[derive(Debug)]
struct FailingStore {
    inner: DurableStore,
    fault: Fault,
    at: u64,
    done: AtomicU64,
}

impl fmt::Display for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failing {}", self.inner)
    }
}

impl FailingStore {
    async fn change<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        let failure = || Error::Generic { store: "test", source: "no space left on device".into() };
        let number = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fault {
            _ if number < self.at => operation.await,
            Fault::KilledAfter if number == self.at => {
                operation.await?;
                Err(failure())
            }
            Fault::Full if number > self.at => operation.await,
            _ => Err(failure()),
        }
    }
}

#[async_trait]
impl ObjectStore for FailingStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.change(self.inner.put_opts(location, payload, opts)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.change(self.inner.put_multipart_opts(location, opts)).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let number = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        if number < self.at || (self.fault == Fault::Full && number > self.at) {
            return self.inner.delete_stream(locations);
        }
        futures::stream::iter([Err(Error::Generic { store: "test", source: "killed".into() })]).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.change(self.inner.copy_opts(from, to, options)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.change(self.inner.rename_opts(from, to, options)).await
    }
}

fn flows() -> Vec<FlowRecord> {
    ["2021-08-15T12:00:00Z", "2021-08-15T12:00:01Z", "2021-08-17"]
        .map(|start| flow("192.0.2.1:5 > 203.0.113.9:443").at(start).build())
        .to_vec()
}

fn count(lake: &Lake) -> u64 {
    let counted = lake.count(Window::ALL).unwrap();
    let mut read = 0;
    lake.sightings(&["192.0.2.1".parse().unwrap()], Window::ALL, &mut |_| read += 1).unwrap();
    assert_eq!(read, counted, "what the log counts can be read");
    counted
}

/// How many facts of each kind can be read.
fn facts(lake: &Lake) -> [usize; 3] {
    let (mut resolutions, mut handshakes) = (0, 0);
    lake.resolutions(&[NAME], &[], Window::ALL, &mut |_| resolutions += 1).unwrap();
    lake.handshakes(&[], &["::/0".parse().unwrap()], Window::ALL, &mut |_| handshakes += 1).unwrap();
    [resolutions, handshakes, lake.gaps(Window::ALL).unwrap().len()]
}

/// Opens a lake in `folder` and imports into it, with a fault at the `at`-th change.
fn import_with(fault: Fault, at: u64, folder: &DiskPath) -> Result<Commit, StoreError> {
    let inner = DurableStore::new(folder.to_owned());
    let store = FailingStore { inner, fault, at, done: AtomicU64::new(0) };
    import(&Lake::open_on(Arc::new(store), folder)?, "a", &flows())
}

/// Runs an import with the fault at its first step, its second, and so on until it gets by.
fn fail_at_every_step(fault: Fault) {
    for at in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let outcome = import_with(fault, at, &base);

        let lake = Lake::open(&base).unwrap();
        let found = count(&lake);
        assert!(found == 0 || found == 3, "{fault:?} at step {at} left {found} rows");
        if outcome.is_ok() {
            assert_eq!(found, 3, "{fault:?} at step {at}: what was acknowledged is there");
        }
        import(&lake, "a", &flows()).unwrap();
        assert_eq!(count(&lake), 3, "{fault:?} at step {at}: repeating stores the rows once");
        assert_eq!(facts(&lake), [1; 3], "{fault:?} at step {at}: and so the facts");
        if outcome.is_ok() {
            assert!(at > 13, "an import has four logs, four entries and five files at least");
            return;
        }
    }
}

#[test]
fn an_import_killed_before_any_step_is_whole_or_nothing() {
    fail_at_every_step(Fault::KilledBefore);
}

#[test]
fn an_import_killed_after_any_step_is_whole_or_nothing() {
    fail_at_every_step(Fault::KilledAfter);
}

#[test]
fn a_full_disk_at_any_step_is_an_error_and_leaves_the_table_whole() {
    fail_at_every_step(Fault::Full);
}
