//! A folder on a local disk as object store, whose every acknowledgement survives a power cut.
//!
//! The store of the `object_store` crate (0.13) never syncs: a commit that it has acknowledged
//! may be gone, or full of zeros, after a power cut (`reliability.md` §0.1). This one writes to a
//! name beside the target that listings hide, syncs the content, gives it its real name in one
//! step, and syncs the folder. So a name never shows content that is not on disk, and what was
//! acknowledged stays. Folders can be synced on Unix only; so far rahdar runs there only.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path as DiskPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use crate::disk::{AnyDisk, DiskError, NAME};

/// A local disk below one folder.
#[derive(Debug, Clone)]
pub(crate) struct DurableStore {
    reader: LocalFileSystem,
    folders: Arc<Folders>,
}

impl DurableStore {
    /// A store whose paths begin at the root of the file system and lie below `base`, a folder
    /// that exists. What it changes, it changes through `disk`.
    pub(crate) fn new(base: PathBuf, disk: AnyDisk) -> Self {
        Self {
            reader: LocalFileSystem::new(),
            folders: Arc::new(Folders { base, disk, settled: Mutex::new(HashSet::new()) }),
        }
    }

    /// The folders that hold the names.
    pub(crate) fn folders(&self) -> &Arc<Folders> {
        &self.folders
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
        let target = self.reader.path_to_filesystem(location)?;
        let folders = self.folders.clone();
        blocking(move || {
            let staged = Staged::beside(target, folders)?;
            for part in &payload {
                staged.write(part)?;
            }
            match opts.mode {
                PutMode::Create => staged.link()?,
                PutMode::Overwrite => staged.rename()?,
                PutMode::Update(_) => return Err(not_implemented("conditional update")),
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
        let target = self.reader.path_to_filesystem(location)?;
        let folders = self.folders.clone();
        let staged = blocking(move || Staged::beside(target, folders)).await?;
        Ok(Box::new(Upload { staged: Some(Arc::new(Mutex::new(staged))), length: 0 }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.reader.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.reader.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (reader, folders) = (self.reader.clone(), self.folders.clone());
        locations
            .then(move |location| {
                let (reader, folders) = (reader.clone(), folders.clone());
                async move {
                    let location = location?;
                    let path = reader.path_to_filesystem(&location)?;
                    blocking(move || {
                        Ok(folders.disk.remove(&path).map_err(DiskError::of("removing", &path))?)
                    })
                    .await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.reader.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.reader.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.reader.list_with_delimiter(prefix).await
    }

    /// Nothing of a Delta table that only grows is ever copied or renamed.
    async fn copy_opts(&self, _from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        Err(not_implemented("copying"))
    }
}

fn not_implemented(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: NAME.to_owned() }
}

/// The folders below a base, and which of their own names are known to be on disk.
#[derive(Debug)]
pub(crate) struct Folders {
    base: PathBuf,
    disk: AnyDisk,
    settled: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    /// The disk that they are on.
    pub(crate) fn disk(&self) -> &AnyDisk {
        &self.disk
    }

    /// Puts the names in the folder of `target` on disk, and the folder's own name, up to the
    /// base.
    pub(crate) fn settle_parent(&self, target: &DiskPath) -> Result<()> {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let due = self.due(target, &settled);
        for folder in &due {
            self.disk.sync_folder(folder).map_err(DiskError::of("syncing", folder))?;
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

/// What the name of a file ends in until it has its real one; names that `object_store` hides from
/// listings.
pub(crate) fn is_staged(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|octet| octet.is_ascii_digit()))
}

/// A file without its real name. Dropped, it is removed.
#[derive(Debug)]
struct Staged {
    file: File,
    path: PathBuf,
    target: PathBuf,
    folders: Arc<Folders>,
}

impl Staged {
    /// Opens `target#1`, or the next number that is free.
    fn beside(target: PathBuf, folders: Arc<Folders>) -> Result<Self> {
        let parent = target.parent().unwrap_or(&folders.base);
        folders.disk.make_folder(parent).map_err(DiskError::of("making", parent))?;
        let mut number = 1_u64;
        loop {
            let mut name = target.as_os_str().to_owned();
            name.push(format!("#{number}"));
            let path = PathBuf::from(name);
            match folders.disk.create(&path) {
                Ok(file) => return Ok(Self { file, path, target, folders }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(DiskError::of("creating", &target)(error).into()),
            }
        }
    }

    fn write(&self, part: &[u8]) -> Result<()> {
        let written = self.folders.disk.write(&self.file, &self.path, part);
        Ok(written.map_err(DiskError::of("writing", &self.target))?)
    }

    fn write_at(&self, offset: u64, payload: &PutPayload) -> Result<()> {
        (&self.file).seek(SeekFrom::Start(offset)).map_err(DiskError::of("writing", &self.target))?;
        payload.iter().try_for_each(|part| self.write(part))
    }

    fn sync(&self) -> Result<()> {
        let synced = self.folders.disk.sync(&self.file, &self.path);
        Ok(synced.map_err(DiskError::of("syncing", &self.target))?)
    }

    /// Gives the file its name, unless that is taken.
    fn link(&self) -> Result<()> {
        self.sync()?;
        self.folders.disk.link(&self.path, &self.target).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => {
                Error::AlreadyExists { path: self.target.display().to_string(), source: source.into() }
            }
            _ => DiskError::of("naming", &self.target)(source).into(),
        })?;
        self.folders.settle_parent(&self.target)
    }

    /// Gives the file its name, whoever had it.
    fn rename(&self) -> Result<()> {
        self.sync()?;
        let renamed = self.folders.disk.rename(&self.path, &self.target);
        renamed.map_err(DiskError::of("naming", &self.target))?;
        self.folders.settle_parent(&self.target)
    }
}

impl Drop for Staged {
    /// A second name that stays behind is hidden and harms nobody, so failure is no error here.
    fn drop(&mut self) {
        let _ = self.folders.disk.remove(&self.path);
    }
}

/// A file that comes in parts.
#[derive(Debug)]
struct Upload {
    staged: Option<Arc<Mutex<Staged>>>,
    length: u64,
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
            let staged = staged.lock().unwrap_or_else(PoisonError::into_inner);
            staged.write_at(offset, &payload)
        }))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.take()?;
        blocking(move || {
            staged.lock().unwrap_or_else(PoisonError::into_inner).rename()?;
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
    use std::fs;

    use object_store::ObjectStoreExt;

    use super::*;
    use crate::disk::RealDisk;

    struct Disk {
        folder: tempfile::TempDir,
        store: DurableStore,
    }

    impl Disk {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = DurableStore::new(folder.path().to_owned(), Arc::new(RealDisk));
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
        let folders =
            Folders { base: folder.path().to_owned(), disk: Arc::new(RealDisk), settled: Mutex::default() };
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

    #[test]
    fn a_name_that_is_not_given_yet_is_told_from_others() {
        assert!(is_staged("0.json#1") && is_staged("part-1.parquet#12"));
        assert!(!is_staged("0.json") && !is_staged("0.json#") && !is_staged("a#b"));
    }

    #[tokio::test]
    async fn a_failure_names_the_file() {
        let disk = Disk::new();
        fs::write(disk.folder.path().join("file"), "").unwrap();
        let error = disk.store.put(&disk.path("file/below"), "x".into()).await.unwrap_err();
        assert!(error.to_string().contains("/file` failed: "), "{error}");
    }
}
