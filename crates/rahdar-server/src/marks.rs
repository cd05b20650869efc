//! How far the kernel's drops are counted of sockets that outlive the collector, on disk beside the
//! spool.
//!
//! The kernel goes on counting while no collector runs, and the next one goes on from here: each drop is told
//! once. A loss goes into the spool first, with the counter up to which it counts; then the file is replaced. A collector
//! that is killed between the two left the later counter in the last segment of the spool. Nothing is synced:
//! a machine that stops takes its sockets with it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rahdar_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::segment::Counter;

/// How far the drops of sockets are counted, by their names.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Nowhere by default.
    path: Option<PathBuf>,
    /// This boot.
    boot: u128,
    of_sockets: BTreeMap<String, Mark>,
    is_stale: bool,
}

/// How far the drops of a socket are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) counter: Counter,
    /// When that was, in microseconds since 1970.
    pub(crate) at_us: i64,
}

impl Marks {
    /// The marks of boot `boot` in `folder`, and those that the last segment of its spool holds. A file that cannot be
    /// understood is none: all drops of its sockets are told again.
    ///
    /// # Errors
    /// What the disk fails with.
    pub(crate) fn open(folder: &Path, boot: u128, spooled: &[(String, Mark)]) -> io::Result<Self> {
        let path = folder.join("sockets");
        let of_sockets: BTreeMap<String, Mark> = match fs::read(&path) {
            Ok(octets) => serde_json::from_slice(&octets).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let mut marks = Self { path: Some(path), boot, of_sockets, is_stale: false };
        marks.of_sockets.retain(|_, mark| mark.counter.boot == boot);
        for (socket, mark) in spooled {
            let is_new = match marks.of(socket, mark.counter.inode) {
                Some(known) => is_later(mark.counter.drops, known.counter.drops),
                None => true,
            };
            if mark.counter.boot == boot && is_new {
                marks.set(socket, *mark);
            }
        }
        // Before anything else is spooled.
        marks.write()?;
        Ok(marks)
    }

    /// This boot.
    pub(crate) fn boot(&self) -> u128 {
        self.boot
    }

    /// How far the drops of the socket with this name and inode are counted.
    pub(crate) fn of(&self, socket: &str, inode: u64) -> Option<Mark> {
        self.of_sockets.get(socket).copied().filter(|mark| mark.counter.inode == inode)
    }

    /// They are counted up to here.
    pub(crate) fn count(&mut self, socket: &str, counter: Counter, at: Timestamp) {
        self.set(socket, Mark { counter, at_us: at.micros() });
    }

    fn set(&mut self, socket: &str, mark: Mark) {
        self.of_sockets.insert(socket.to_owned(), mark);
        self.is_stale = true;
    }

    /// Replaces the file, if anything is new.
    ///
    /// # Errors
    /// What the disk fails with; it is tried again next time.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let Some(path) = self.path.as_ref().filter(|_| self.is_stale) else { return Ok(()) };
        let next = path.with_extension("next");
        fs::write(&next, serde_json::to_vec(&self.of_sockets)?)?;
        fs::rename(next, path)?;
        self.is_stale = false;
        Ok(())
    }
}

/// Whether a counter that wraps is beyond another.
fn is_later(drops: u32, known: u32) -> bool {
    drops.wrapping_sub(known).cast_signed() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: u128 = u128::MAX - 5;

    fn mark(boot: u128, inode: u64, drops: u32) -> Mark {
        Mark { counter: Counter { boot, inode, drops }, at_us: 7 }
    }

    /// What is known of the socket with inode 1 when `file` was written, and the spool says `spooled`.
    fn known(file: Mark, spooled: Option<Mark>) -> Option<u32> {
        let folder = tempfile::tempdir().unwrap();
        let mut marks = Marks::open(folder.path(), file.counter.boot, &[]).unwrap();
        marks.count("udp 192.0.2.1:2055", file.counter, Timestamp::from_micros(file.at_us));
        marks.write().unwrap();
        let spooled: Vec<_> =
            spooled.map(|mark| ("udp 192.0.2.1:2055".to_owned(), mark)).into_iter().collect();
        let first = Marks::open(folder.path(), BOOT, &spooled).unwrap().of("udp 192.0.2.1:2055", 1);
        let again = Marks::open(folder.path(), BOOT, &[]).unwrap().of("udp 192.0.2.1:2055", 1);
        assert_eq!(first, again, "what the spool said is written down");
        first.map(|mark| mark.counter.drops)
    }

    #[test]
    fn the_later_of_file_and_spool_holds() {
        assert_eq!(known(mark(BOOT, 1, 40), None), Some(40));
        assert_eq!(known(mark(BOOT, 1, 40), Some(mark(BOOT, 1, 39))), Some(40));
        assert_eq!(known(mark(BOOT, 1, 40), Some(mark(BOOT, 1, 41))), Some(41));
        assert_eq!(known(mark(BOOT, 1, u32::MAX), Some(mark(BOOT, 1, 3))), Some(3), "it wraps");
    }

    #[test]
    fn another_boot_and_another_socket_tell_nothing() {
        assert_eq!(known(mark(BOOT - 1, 1, 40), None), None);
        assert_eq!(known(mark(BOOT, 2, 40), None), None);
        assert_eq!(known(mark(BOOT, 2, 40), Some(mark(BOOT, 1, 5))), Some(5));
        assert_eq!(known(mark(BOOT, 1, 40), Some(mark(BOOT - 1, 1, 50))), Some(40));
    }
}
