//! The calls that change the disk, each in one place: the steps of a commit, and what tests let fail.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::statvfs::statvfs;
use object_store::Error;
use rahdar_model::reserve::reserve_octets;
use thiserror::Error;

/// The name in messages.
pub(crate) const NAME: &str = "disk";

/// A disk as the operating system shows it. Tests put one in its place that fails, is full, or dies.
pub(crate) trait Disk: fmt::Debug + Send + Sync {
    /// Makes a folder, and those above it, unless they are there.
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    /// Makes an empty file, unless the name is taken.
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    /// Writes where the file stands.
    fn write(&self, mut file: &File, _path: &Path, octets: &[u8]) -> io::Result<()> {
        file.write_all(octets)
    }

    /// Puts the content of a file on disk.
    fn sync(&self, file: &File, _path: &Path) -> io::Result<()> {
        file.sync_all()
    }

    /// Puts the names in a folder on disk.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    /// Gives a file a second name, unless that is taken.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    /// Gives a file another name, whoever had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Takes a name away.
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// The disk itself, of which the [reserve](rahdar_model::reserve) is left alone.
#[derive(Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        has_room(path.parent().unwrap_or(path))?;
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    fn write(&self, mut file: &File, path: &Path, octets: &[u8]) -> io::Result<()> {
        has_room(path)?;
        file.write_all(octets)
    }
}

/// Fails as a full disk does where only the reserve is left. A file system that does not tell its size may be written to.
fn has_room(path: &Path) -> io::Result<()> {
    let Ok(disk) = statvfs(path) else { return Ok(()) };
    let octets = |blocks: u64| blocks.saturating_mul(disk.fragment_size());
    is_left(octets(disk.blocks()), octets(disk.blocks_available()))
}

/// Whether flows may take some of these free octets of a disk of this size.
fn is_left(size: u64, free: u64) -> io::Result<()> {
    let reserve = reserve_octets(size);
    if size == 0 || free > reserve {
        return Ok(());
    }
    let (free, reserve) = (free / 1_000_000, reserve / 1_000_000);
    let told = format!("{free} MB are free, and {reserve} MB are kept for the book and counts of losses");
    Err(io::Error::new(io::ErrorKind::StorageFull, told))
}

/// A disk that can be handed on.
pub(crate) type AnyDisk = Arc<dyn Disk>;

/// A call of the operating system that failed. It tells its cause itself, because libraries above print
/// what they were given and let go of it.
#[derive(Debug, Error)]
#[error("{action} `{path}` failed: {source}", path = path.display())]
pub(crate) struct DiskError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl DiskError {
    /// Names what was done, and to which path.
    pub(crate) fn of(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}

impl From<DiskError> for Error {
    fn from(error: DiskError) -> Self {
        match error.source.kind() {
            io::ErrorKind::NotFound => {
                Self::NotFound { path: error.path.display().to_string(), source: error.into() }
            }
            _ => Self::Generic { store: NAME, source: error.into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_leave_the_reserve_where_a_disk_tells_its_size() {
        assert!(is_left(1_000, 51).is_ok());
        assert_eq!(is_left(1_000, 50).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(is_left(0, 0).is_ok());
    }
}
