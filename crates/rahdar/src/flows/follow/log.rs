//! A log of lines that somebody writes: how far it was read, and where its next line ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use serde::de::IgnoredAny;

use super::now_us;
use crate::flows::content::{Hashing, Mark};
use crate::flows::notebook::modified_us;

/// Octets of a part of a growing log at most: what one commit may cost, and what a killed follower repeats.
/// Chosen here.
pub(super) const PART_OCTETS: u64 = 64 << 20;

/// Octets before the end of what was read of a log that are looked at again. Chosen here: some lines, each with its
/// time; who writes another log over this one writes others.
const TAIL_OCTETS: u64 = 4 << 10;

/// Octets before a part of a log of Suricata in which its last counts are looked for. Chosen here: by default it writes them
/// every eight seconds.
const STATS_OCTETS: u64 = 4 << 20;

/// What Suricata writes in an event with its counts.
const STATS: &[u8] = b"\"event_type\":\"stats\"";

/// A log that is gone is told after so many times the span for which a file must rest: whoever rotates logs compresses
/// them meanwhile. As long, whoever writes a line may pause within it. Chosen here: ten minutes, unless `--settle` is
/// given.
pub(super) const GONE_SETTLES: i64 = 10;

/// For how long nothing was written to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rest {
    /// Less than `--settle`.
    Written,
    /// As long.
    Settled,
    /// [`GONE_SETTLES`] times as long: nobody will end its last line.
    Left,
}

impl Rest {
    pub(super) fn of(meta: &Metadata, settle_us: i64) -> Self {
        let idle_us = now_us() - modified_us(meta);
        if idle_us >= settle_us.saturating_mul(GONE_SETTLES) {
            Self::Left
        } else if idle_us >= settle_us {
            Self::Settled
        } else {
            Self::Written
        }
    }
}

/// The end of what was read of a log, so that no look reads all of it again.
struct End {
    hashing: Hashing,
    /// The last octets of it.
    tail: Vec<u8>,
}

/// Where logs were read to, by device and inode.
#[derive(Default)]
pub(super) struct Ends(BTreeMap<(u64, u64), End>);

impl Ends {
    /// Takes note that a log was read to its first `octets`, unless more or less of it was hashed.
    pub(super) fn note(&mut self, log: &mut Log, octets: u64) -> io::Result<()> {
        if octets > 0 && log.hashing.octets() == octets {
            let end = End { tail: log.tail(octets)?, hashing: log.hashing.clone() };
            self.0.insert((log.meta.dev(), log.meta.ino()), end);
        }
        Ok(())
    }

    /// Forgets all but these files, by device and inode.
    pub(super) fn keep(&mut self, files: &BTreeSet<(u64, u64)>) {
        self.0.retain(|file, _| files.contains(file));
    }
}

/// A log that is being read, and the hash of it so far.
pub(super) struct Log {
    file: File,
    pub(super) meta: Metadata,
    hashing: Hashing,
}

impl Log {
    /// The log at this path. What was read of it is not hashed again if it still ends as it did.
    pub(super) fn open(path: &Path, ends: &Ends) -> io::Result<Self> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        let mut log = Self { file, meta, hashing: Hashing::default() };
        if let Some(end) = ends.0.get(&(log.meta.dev(), log.meta.ino()))
            && end.hashing.octets() <= log.meta.size()
            && log.tail(end.hashing.octets())? == end.tail
        {
            log.hashing = end.hashing.clone();
        }
        Ok(log)
    }

    /// The last octets before `until`.
    fn tail(&mut self, until: u64) -> io::Result<Vec<u8>> {
        let from = until.saturating_sub(TAIL_OCTETS);
        let mut tail = Vec::new();
        self.file.seek(SeekFrom::Start(from))?;
        (&mut self.file).take(until - from).read_to_end(&mut tail)?;
        Ok(tail)
    }

    /// The last `stats` event of Suricata before `until`: its counts are those of the sensor's whole life. None if none is
    /// near.
    pub(super) fn counted_before(&mut self, until: u64) -> io::Result<Option<Arc<[u8]>>> {
        let from = until.saturating_sub(STATS_OCTETS);
        let mut before = Vec::new();
        self.file.seek(SeekFrom::Start(from))?;
        (&mut self.file).take(until - from).read_to_end(&mut before)?;
        // The first line may have begun before what was read.
        let lines = before.split_inclusive(|c| *c == b'\n').skip(usize::from(from > 0));
        let stats = lines.filter(|line| line.windows(STATS.len()).any(|part| part == STATS)).last();
        Ok(stats.map(Arc::from))
    }

    /// The mark of so many octets, no fewer than were asked for before.
    pub(super) fn mark(&mut self, octets: u64) -> io::Result<Mark> {
        self.file.seek(SeekFrom::Start(self.hashing.octets()))?;
        if self.hashing.read_to(&mut self.file, octets)? {
            return Ok(self.hashing.mark());
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it was cut while it was read"))
    }

    /// Whether it begins so. The mark is no shorter than those that were asked for before.
    pub(super) fn begins_with(&mut self, mark: &Mark) -> io::Result<bool> {
        Ok(mark.octets <= self.meta.size() && self.mark(mark.octets)? == *mark)
    }

    /// The longest of these marks that it begins with.
    pub(super) fn met(&mut self, marks: &BTreeSet<Mark>) -> io::Result<Option<Mark>> {
        self.hashing = Hashing::default();
        self.file.rewind()?;
        Hashing::default().read_past(&mut (&mut self.file).take(self.meta.size()), marks)
    }

    /// The end of the last whole line after `from`, at most a part further; the end of the log if nobody will end
    /// its last line, or if the log has settled and that line is whole: a JSON object.
    pub(super) fn end_of_line(&mut self, from: u64, rest: Rest) -> io::Result<u64> {
        let most = self.meta.size().min(from + PART_OCTETS);
        if most == self.meta.size() && rest == Rest::Left {
            return Ok(most);
        }
        let mut until = from;
        let mut at = from;
        self.file.seek(SeekFrom::Start(from))?;
        let mut buffer = vec![0; 1 << 16];
        while at < most {
            let wanted = buffer.len().min(usize::try_from(most - at).unwrap_or(usize::MAX));
            let read = self.file.read(&mut buffer[..wanted])?;
            if read == 0 {
                break;
            }
            if let Some(end) = buffer[..read].iter().rposition(|c| *c == b'\n') {
                until = at + end as u64 + 1;
            }
            at += read as u64;
        }
        if most == self.meta.size() && rest == Rest::Settled {
            self.file.seek(SeekFrom::Start(until))?;
            let mut line = Vec::new();
            (&mut self.file).take(most - until).read_to_end(&mut line)?;
            if line.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(&line).is_ok() {
                return Ok(most);
            }
        }
        Ok(until)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use rahdar_model::time::SECOND_US;

    use super::*;

    /// Octets that are known without being read again, of a log that was read to its end and then holds this.
    fn known(then: &str) -> u64 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eve.json");
        fs::write(&path, "one\ntwo\n").unwrap();
        let mut ends = Ends::default();
        let mut log = Log::open(&path, &ends).unwrap();
        log.mark(8).unwrap();
        ends.note(&mut log, 8).unwrap();
        fs::write(&path, then).unwrap();
        Log::open(&path, &ends).unwrap().hashing.octets()
    }

    #[test]
    fn a_log_that_is_written_to_after_it_was_found_does_not_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conn.log");
        fs::write(&path, "one\n").unwrap();
        let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        File::options().append(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        let found = fs::metadata(&path).unwrap();
        fs::write(&path, "one\ntw").unwrap();
        let mut log = Log::open(&path, &Ends::default()).unwrap();
        let rest = Rest::of(&log.meta, 60 * SECOND_US);
        assert_eq!((Rest::of(&found, 60 * SECOND_US), rest), (Rest::Left, Rest::Written));
        assert_eq!(log.end_of_line(0, rest).unwrap(), 4);
    }

    #[test]
    fn what_was_read_of_a_log_is_not_read_again_while_it_grows() {
        assert_eq!(known("one\ntwo\nthree\n"), 8);
    }

    #[test]
    fn a_log_that_was_written_over_is_read_from_its_beginning() {
        assert_eq!(known("six\nfive\nfour\n"), 0);
        assert_eq!(known("one\n"), 0);
    }
}
