//! A folder on a local disk as object store, whose every acknowledgement survives a power cut.
//!
//! The store of the `object_store` crate (0.13) never syncs: a commit that it has acknowledged
//! may be gone, or full of zeros, after a power cut (`reliability.md` §0.1). This one writes to a
//! name beside the target that listings hide, syncs the content, gives it its real name in one
//! step, and syncs the folder. So a name never shows content that is not on disk, and what was
//! acknowledged stays. Folders can be synced on Unix only; so far rahdar runs there only.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path as DiskPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use thiserror::Error;

/// The name in messages.
const NAME: &str = "disk";

/// A local disk below one folder.
#[derive(Debug, Clone)]
pub(crate) struct DurableStore {
    disk: LocalFileSystem,
    folders: Arc<Folders>,
}

/// A call of the operating system that failed.
#[derive(Debug, Error)]
#[error("{action} `{path}` failed", path = path.display())]
struct DiskError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl From<DiskError> for Error {
    fn from(error: DiskError) -> Self {
        Self::Generic { store: NAME, source: error.into() }
    }
}

impl DurableStore {
    /// A store whose paths begin at the root of the file system and lie below `base`, a folder
    /// that exists.
    pub(crate) fn new(base: PathBuf) -> Self {
        Self {
            disk: LocalFileSystem::new(),
            folders: Arc::new(Folders { base, settled: Mutex::new(HashSet::new()) }),
        }
    }
}

impl fmt::Display for DurableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableStore({})", self.folders.base.display())
    }
}

#[async_trait]
impl ObjectStore for DurableStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let target = self.disk.path_to_filesystem(location)?;
        let folders = self.folders.clone();
        blocking(move || {
            let mut staged = Staged::beside(&target, &folders)?;
            for part in &payload {
                staged.write(part)?;
            }
            match opts.mode {
                PutMode::Create => staged.link(&folders)?,
                PutMode::Overwrite => staged.rename(&folders)?,
                PutMode::Update(_) => {
                    return Err(Error::NotImplemented {
                        operation: "conditional update".to_owned(),
                        implementer: NAME.to_owned(),
                    });
                }
            }
            Ok(PutResult { e_tag: None, version: None })
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let target = self.disk.path_to_filesystem(location)?;
        let folders = self.folders.clone();
        let staged = blocking(move || Staged::beside(&target, &folders)).await?;
        Ok(Box::new(Upload {
            staged: Some(Arc::new(Mutex::new(staged))),
            length: 0,
            folders: self.folders.clone(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.disk.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.disk.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.disk.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.disk.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.disk.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.disk.list_with_delimiter(prefix).await
    }

    /// The source is on disk already: whatever this store has named is.
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.disk.copy_opts(from, to, options).await?;
        self.settle_parent(to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.disk.rename_opts(from, to, options).await?;
        self.settle_parent(to).await?;
        self.settle_parent(from).await
    }
}

impl DurableStore {
    async fn settle_parent(&self, location: &Path) -> Result<()> {
        let target = self.disk.path_to_filesystem(location)?;
        let folders = self.folders.clone();
        blocking(move || folders.settle_parent(&target)).await
    }
}

/// The folders whose own names are known to be on disk.
#[derive(Debug)]
struct Folders {
    base: PathBuf,
    settled: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    /// Puts the names in the folder of `target` on disk, and the folder's own name, up to the
    /// base.
    fn settle_parent(&self, target: &DiskPath) -> Result<()> {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let due = self.due(target, &settled);
        for folder in &due {
            sync_folder(folder)?;
        }
        // The name of each is in the next, which is synced now.
        settled.extend(due.iter().take(due.len().saturating_sub(1)).map(|folder| folder.to_path_buf()));
        Ok(())
    }

    /// The folders to sync: that of `target`, and each above one whose name is not settled.
    fn due<'a>(&self, target: &'a DiskPath, settled: &HashSet<PathBuf>) -> Vec<&'a DiskPath> {
        let mut due = Vec::new();
        for folder in target.ancestors().skip(1) {
            due.push(folder);
            if folder == self.base || settled.contains(folder) {
                break;
            }
        }
        due
    }
}

/// Puts the names in `folder` on disk.
pub(crate) fn sync_folder(folder: &DiskPath) -> Result<()> {
    let failed = |source| DiskError { action: "syncing", path: folder.to_owned(), source };
    Ok(File::open(folder).and_then(|file| file.sync_all()).map_err(failed)?)
}

/// A file without its real name. Dropped, it is removed.
#[derive(Debug)]
struct Staged {
    file: File,
    path: PathBuf,
    target: PathBuf,
}

impl Staged {
    /// Opens `target#1`, or the next number that is free: names that `object_store` hides from
    /// listings.
    fn beside(target: &DiskPath, folders: &Folders) -> Result<Self> {
        let parent = target.parent().unwrap_or(&folders.base);
        let failed = |source| DiskError { action: "creating", path: target.to_owned(), source };
        fs::create_dir_all(parent).map_err(failed)?;
        let mut number = 1_u64;
        loop {
            let mut name = target.as_os_str().to_owned();
            name.push(format!("#{number}"));
            match OpenOptions::new().write(true).create_new(true).open(&name) {
                Ok(file) => return Ok(Self { file, path: name.into(), target: target.to_owned() }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(failed(error).into()),
            }
        }
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> DiskError + use<> {
        let path = self.target.clone();
        move |source| DiskError { action, path, source }
    }

    fn write(&mut self, part: &[u8]) -> Result<()> {
        Ok(self.file.write_all(part).map_err(self.failed("writing"))?)
    }

    fn write_at(&mut self, offset: u64, payload: &PutPayload) -> Result<()> {
        self.file.seek(SeekFrom::Start(offset)).map_err(self.failed("writing"))?;
        payload.iter().try_for_each(|part| self.write(part))
    }

    /// Gives the file its name, unless that is taken.
    fn link(&self, folders: &Folders) -> Result<()> {
        self.file.sync_all().map_err(self.failed("syncing"))?;
        fs::hard_link(&self.path, &self.target).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => {
                Error::AlreadyExists { path: self.target.display().to_string(), source: source.into() }
            }
            _ => self.failed("naming")(source).into(),
        })?;
        folders.settle_parent(&self.target)
    }

    /// Gives the file its name, whoever had it.
    fn rename(&self, folders: &Folders) -> Result<()> {
        self.file.sync_all().map_err(self.failed("syncing"))?;
        fs::rename(&self.path, &self.target).map_err(self.failed("naming"))?;
        folders.settle_parent(&self.target)
    }
}

impl Drop for Staged {
    /// A second name that stays behind is hidden and harms nobody, so failure is no error here.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A file that comes in parts.
#[derive(Debug)]
struct Upload {
    staged: Option<Arc<Mutex<Staged>>>,
    length: u64,
    folders: Arc<Folders>,
}

impl Upload {
    fn take(&mut self) -> Result<Arc<Mutex<Staged>>> {
        self.staged.take().ok_or_else(|| Error::Generic { store: NAME, source: "the upload is over".into() })
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let offset = self.length;
        self.length += payload.content_length() as u64;
        let staged = self.staged.clone();
        Box::pin(blocking(move || {
            let staged =
                staged.ok_or_else(|| Error::Generic { store: NAME, source: "the upload is over".into() })?;
            let mut staged = staged.lock().unwrap_or_else(PoisonError::into_inner);
            staged.write_at(offset, &payload)
        }))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.take()?;
        let folders = self.folders.clone();
        blocking(move || {
            staged.lock().unwrap_or_else(PoisonError::into_inner).rename(&folders)?;
            Ok(PutResult { e_tag: None, version: None })
        })
        .await
    }

    async fn abort(&mut self) -> Result<()> {
        self.take().map(drop)
    }
}

/// Runs `work` on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|source| Error::JoinError { source })?
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    struct Disk {
        folder: tempfile::TempDir,
        store: DurableStore,
    }

    impl Disk {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = DurableStore::new(folder.path().to_owned());
            Self { folder, store }
        }

        fn path(&self, name: &str) -> Path {
            Path::from_absolute_path(self.folder.path().join(name)).unwrap()
        }

        fn names(&self, folder: &str) -> Vec<String> {
            let entries = fs::read_dir(self.folder.path().join(folder)).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    #[test]
    fn a_new_folder_is_synced_with_the_one_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders { base: folder.path().to_owned(), settled: Mutex::default() };
        let due = |name: &str| {
            let target = folder.path().join(name);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            let due = folders.due(&target, &folders.settled.lock().unwrap()).len();
            folders.settle_parent(&target).unwrap();
            due
        };
        assert_eq!(due("log/0.json"), 2);
        assert_eq!(due("log/1.json"), 1);
        assert_eq!(due("day/part"), 2);
        assert_eq!(due("version"), 1);
    }

    #[tokio::test]
    async fn a_name_is_given_once_and_nothing_is_left_beside_it() {
        let disk = Disk::new();
        let create = || PutOptions::from(PutMode::Create);
        disk.store.put_opts(&disk.path("log/0.json"), "first".into(), create()).await.unwrap();
        let again = disk.store.put_opts(&disk.path("log/0.json"), "second".into(), create()).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })));
        assert_eq!(disk.names("log"), ["0.json"]);
        let content = disk.store.get(&disk.path("log/0.json")).await.unwrap().bytes().await.unwrap();
        assert_eq!(content, "first");
    }

    #[tokio::test]
    async fn an_upload_has_its_name_only_when_complete() {
        let disk = Disk::new();
        let mut upload = disk.store.put_multipart(&disk.path("part")).await.unwrap();
        let (second, first) = {
            let first = upload.put_part("one ".into());
            (upload.put_part("two".into()), first)
        };
        second.await.unwrap();
        first.await.unwrap();
        assert!(disk.store.head(&disk.path("part")).await.is_err());
        upload.complete().await.unwrap();
        let content = disk.store.get(&disk.path("part")).await.unwrap().bytes().await.unwrap();
        assert_eq!(content, "one two");
        assert_eq!(disk.names("."), ["part"]);
    }

    #[tokio::test]
    async fn an_upload_that_is_given_up_leaves_nothing() {
        let disk = Disk::new();
        let mut upload = disk.store.put_multipart(&disk.path("part")).await.unwrap();
        upload.put_part("one".into()).await.unwrap();
        drop(upload);
        assert!(disk.names(".").is_empty());
    }

    #[tokio::test]
    async fn a_failure_names_the_file() {
        let disk = Disk::new();
        fs::write(disk.folder.path().join("file"), "").unwrap();
        let error = disk.store.put(&disk.path("file/below"), "x".into()).await.unwrap_err();
        assert!(error.to_string().contains("file/below"), "{error}");
    }
}
