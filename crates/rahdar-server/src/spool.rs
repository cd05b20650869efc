//! The spool: what came, on disk before anybody reads it, in segments that are bounded in size and
//! age, and together in octets.
//!
//! Segments are numbered as they are begun; the one with the highest number is being written. A
//! segment is removed when what it holds is stored. One process at a time has the spool: a lock file says so.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rahdar_model::time::SECOND_US;
use rahdar_model::{Address, Timestamp, Window};

use crate::disk::Space;
use crate::marks::Mark;
use crate::segment::{Dropped, Entries, Entry, HEAD_OCTETS, Whose, write_head};

/// Octets beyond the limit of the spool that entries about losses may take, so that a full spool
/// can still say what it lost. Chosen here: some ten thousand of them.
const RESERVE_OCTETS: u64 = 1 << 20;

/// How long a disk that failed is left alone.
const RETRY_US: i64 = SECOND_US;

/// Segments that the spool has room for, at least: one is stored while others are written. Chosen here.
const SEGMENTS_LEAST: u64 = 8;

/// Octets of an entry where nothing tells how long those were that are lost. Chosen here: what fits into an Ethernet
/// frame.
const ENTRY_OCTETS: u64 = 1_500;

/// Octets that are written again at once where a disk had failed.
const AGAIN_OCTETS: usize = 1 << 20;

/// The name that follows the number of a segment.
const SUFFIX: &str = ".segment";

/// How much the spool may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Octets of all segments.
    pub(crate) octets: u64,
    /// Octets after which a segment ends.
    pub(crate) segment_octets: u64,
    /// Microseconds after which a segment ends.
    pub(crate) segment_age_us: i64,
}

/// A spool that is open.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    limits: Limits,
    /// Held as long as the spool is open.
    _lock: File,
    writing: Option<Segment>,
    /// The segments that have ended, by number.
    ended: BTreeMap<u64, Ended>,
    next_number: u64,
    /// Segments that have ended and were written to since they were last synced, or could not be synced.
    ended_stale: Vec<Stale>,
    /// Whether a segment was begun since the folder was last synced.
    is_folder_stale: bool,
    retry_at: Option<Timestamp>,
    /// The space of its disk when it was last looked at, less what was appended since.
    space: Space,
    buffer: Vec<u8>,
    /// How far drops of sockets are counted in what was the last segment at the start.
    marks: Vec<(String, Mark)>,
}

/// The segment that is being written.
#[derive(Debug)]
struct Segment {
    number: u64,
    file: Arc<File>,
    octets: u64,
    begun: Timestamp,
    /// Between which times it was written to.
    written: Window,
    /// Whether something was written since it was last synced.
    is_stale: bool,
    /// How many messages of each sender are in it.
    senders: HashMap<Address, u64>,
}

/// A segment that has ended.
#[derive(Debug)]
struct Ended {
    octets: u64,
    /// When it was written.
    written: Window,
    /// How many messages of each sender are in it; none where a process before this one wrote it.
    senders: Option<HashMap<Address, u64>>,
}

/// What was cut off the last segment because no whole entry was left in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) octets: u64,
    /// How many messages that may have been, and when they came.
    pub(crate) messages: u64,
    pub(crate) window: Window,
}

/// What is lost with the rest of a segment: of whom, as far as that is known, how many messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) window: Window,
    pub(crate) messages: Vec<(Option<Address>, u64)>,
}

/// A segment that has to be synced.
#[derive(Debug)]
struct Stale {
    file: Arc<File>,
    path: PathBuf,
    /// Whether it could not be synced before. The kernel then takes it for written, so that it has to be written
    /// again.
    has_failed: bool,
}

impl Stale {
    fn sync(&self) -> io::Result<()> {
        if self.has_failed {
            match write_again(&self.path) {
                // It is stored, and removed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                written => written?,
            }
        }
        self.file.sync_data()
    }
}

/// What must reach the disk so that all that was appended is there.
pub(crate) struct Unsynced {
    files: Vec<Stale>,
    folder: Option<PathBuf>,
}

impl Unsynced {
    /// Waits until it is on disk. What could not be synced is left ([`Spool::take_back`]).
    ///
    /// # Errors
    /// What the disk failed with first.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let mut failed = None;
        self.files.retain_mut(|stale| {
            let synced = stale.sync();
            stale.has_failed = synced.is_err();
            failed = failed.take().or(synced.err());
            stale.has_failed
        });
        if let Some(folder) = &self.folder {
            match sync_folder(folder) {
                Ok(()) => self.folder = None,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Why entries were not appended.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The spool holds as much as it may.
    Full,
    /// The disk has no more than its reserve left.
    Low(Space),
    /// The disk failed, now or a moment ago.
    Failed(Option<io::Error>),
}

impl Spool {
    /// Opens the spool in `folder`, which is made if it is not there. Returns what was cut off the last
    /// segment, if anything.
    ///
    /// # Errors
    /// [`TryLockError::WouldBlock`] if another process has it, or what the disk fails with.
    pub(crate) fn open(folder: &Path, limits: Limits) -> Result<(Self, Option<Cut>), TryLockError> {
        fs::create_dir_all(folder).map_err(TryLockError::Error)?;
        let lock = File::create(folder.join("lock")).map_err(TryLockError::Error)?;
        lock.try_lock()?;
        Self::recover(folder, limits, lock).map_err(TryLockError::Error)
    }

    fn recover(folder: &Path, limits: Limits, lock: File) -> io::Result<(Self, Option<Cut>)> {
        let segment_octets = limits.segment_octets.min(limits.octets / SEGMENTS_LEAST);
        let limits = Limits { segment_octets, ..limits };
        let mut ended = BTreeMap::new();
        for found in fs::read_dir(folder)? {
            let found = found?;
            if let Some(number) = found.file_name().to_str().and_then(number) {
                let metadata = found.metadata()?;
                let until = Timestamp::from_seconds(metadata.mtime() + 1);
                let written = Window::new(until.plus_micros(-limits.segment_age_us), until);
                ended.insert(number, Ended { octets: metadata.len(), written, senders: None });
            }
        }
        let (mut cut, mut marks) = (None, Vec::new());
        if let Some(mut last) = ended.last_entry() {
            let (number, last) = (*last.key(), last.get_mut());
            let (whole, entries) = cut_tail(&path(folder, number), &mut marks)?;
            let octets = last.octets - whole;
            // A head that was being written had nothing behind it.
            let is_head = whole == 0 && octets <= HEAD_OCTETS as u64;
            let messages = if is_head { 0 } else { messages(octets, whole, entries) };
            cut = (octets > 0).then_some(Cut { octets, messages, window: last.written });
            last.octets = whole;
        }
        let next_number = ended.last_key_value().map_or(0, |(last, _)| *last) + 1;
        let spool = Self {
            folder: folder.to_owned(),
            limits,
            _lock: lock,
            writing: None,
            ended,
            next_number,
            ended_stale: Vec::new(),
            is_folder_stale: false,
            retry_at: None,
            space: Space::of(folder),
            buffer: Vec::new(),
            marks,
        };
        Ok((spool, cut))
    }

    /// How far drops of sockets are counted in what was the last segment at the start, in the order of counting.
    pub(crate) fn marks(&self) -> &[(String, Mark)] {
        &self.marks
    }

    /// Goes on after segment `applied`: it and those before it are stored and are removed.
    ///
    /// # Errors
    /// What the disk fails with.
    pub(crate) fn go_on_after(&mut self, applied: u64) -> io::Result<()> {
        self.next_number = self.next_number.max(applied + 1);
        self.release(applied)
    }

    /// Appends entries in their order, as many as fit, in one write. Returns how many were written,
    /// and why not all.
    pub(crate) fn append(&mut self, entries: &[Entry<'_>], now: Timestamp) -> (usize, Option<Refusal>) {
        let (limit, room) = (self.limits.octets, self.space.room());
        self.append_within(limit, room, entries, now)
    }

    /// The same for entries about losses, which may take a little more, and half of the reserve of the disk.
    pub(crate) fn append_losses(
        &mut self,
        entries: &[Entry<'_>],
        now: Timestamp,
    ) -> (usize, Option<Refusal>) {
        let limit = self.limits.octets.saturating_add(RESERVE_OCTETS);
        self.append_within(limit, self.space.room_for_losses(), entries, now)
    }

    fn append_within(
        &mut self,
        limit: u64,
        disk_room: u64,
        entries: &[Entry<'_>],
        now: Timestamp,
    ) -> (usize, Option<Refusal>) {
        if entries.is_empty() {
            return (0, None);
        }
        if self.retry_at.is_some_and(|at| now < at && at.since(now) <= RETRY_US) {
            return (0, Some(Refusal::Failed(None)));
        }
        let own_room = limit.saturating_sub(self.octets());
        let mut room = own_room.min(disk_room);
        if self.writing.is_none() {
            room = room.saturating_sub(HEAD_OCTETS as u64);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut count = 0;
        for entry in entries {
            let before = buffer.len();
            entry.write(&mut buffer);
            if buffer.len() as u64 > room {
                buffer.truncate(before);
                break;
            }
            count += 1;
        }
        let written = if count > 0 { self.write(&buffer, &entries[..count], now) } else { Ok(()) };
        self.buffer = buffer;
        match written {
            Ok(()) if count < entries.len() => {
                // What it holds can be stored only when it has ended.
                self.seal();
                let refusal = if own_room <= disk_room { Refusal::Full } else { Refusal::Low(self.space) };
                (count, Some(refusal))
            }
            Ok(()) => (count, None),
            Err(error) => {
                self.retry_at = Some(now.plus_micros(RETRY_US));
                (0, Some(Refusal::Failed(Some(error))))
            }
        }
    }

    fn write(&mut self, octets: &[u8], entries: &[Entry<'_>], now: Timestamp) -> io::Result<()> {
        self.retry_at = None;
        if self.writing.is_none() {
            self.begin(now)?;
        }
        let Some(segment) = &mut self.writing else { return Ok(()) };
        let written = segment.file.as_ref().write_all(octets);
        if written.is_err() {
            // What was written of it must go: a reader would stop there. If it cannot, the segment
            // ends here.
            let _ = segment.file.set_len(segment.octets);
            self.seal();
            return written;
        }
        segment.octets += octets.len() as u64;
        self.space.free = self.space.free.saturating_sub(octets.len() as u64);
        segment.is_stale = true;
        segment.written.from = segment.written.from.min(now);
        segment.written.until = segment.written.until.max(now.plus_micros(1));
        for entry in entries {
            if let Entry::Datagram(received) | Entry::Message(received) = entry {
                *segment.senders.entry(received.peer).or_default() += 1;
            }
        }
        if segment.octets >= self.limits.segment_octets {
            self.seal();
        }
        Ok(())
    }

    fn begin(&mut self, now: Timestamp) -> io::Result<()> {
        let (number, path) = (self.next_number, path(&self.folder, self.next_number));
        let file = OpenOptions::new().append(true).create_new(true).open(&path)?;
        let mut head = Vec::with_capacity(HEAD_OCTETS);
        write_head(number, now, &mut head);
        if let Err(error) = (&file).write_all(&head) {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        self.next_number += 1;
        self.is_folder_stale = true;
        let octets = HEAD_OCTETS as u64;
        self.writing = Some(Segment {
            number,
            file: Arc::new(file),
            octets,
            begun: now,
            written: Window::new(now, now.plus_micros(1)),
            is_stale: true,
            senders: HashMap::new(),
        });
        Ok(())
    }

    /// Looks at how much of its disk is free. Between two looks, what is appended counts.
    pub(crate) fn look_at_disk(&mut self) {
        self.space = Space::of(&self.folder);
    }

    /// Whether a segment is being written. If not, the last one has just ended.
    pub(crate) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Ends the segment that is being written.
    pub(crate) fn seal(&mut self) {
        if let Some(segment) = self.writing.take() {
            let Segment { number, file, octets, written, senders, .. } = segment;
            self.ended.insert(number, Ended { octets, written, senders: Some(senders) });
            if segment.is_stale {
                self.ended_stale.push(Stale { file, path: path(&self.folder, number), has_failed: false });
            }
        }
    }

    /// Ends the segment that is being written if it is old enough.
    pub(crate) fn seal_by_age(&mut self, now: Timestamp) {
        let age_us = |segment: &Segment| now.since(segment.begun).saturating_abs();
        if self.writing.as_ref().is_some_and(|segment| age_us(segment) >= self.limits.segment_age_us) {
            self.seal();
        }
    }

    /// What was written and not synced. It is taken as synced from here on, unless it is given back.
    pub(crate) fn unsynced(&mut self) -> Unsynced {
        let mut files = std::mem::take(&mut self.ended_stale);
        if let Some(segment) = self.writing.as_mut().filter(|segment| segment.is_stale) {
            segment.is_stale = false;
            let path = path(&self.folder, segment.number);
            // If it failed before, it is there already.
            if files.iter().all(|stale| stale.path != path) {
                files.push(Stale { file: segment.file.clone(), path, has_failed: false });
            }
        }
        Unsynced { files, folder: std::mem::take(&mut self.is_folder_stale).then(|| self.folder.clone()) }
    }

    /// Takes back what could not be synced, for the next time.
    pub(crate) fn take_back(&mut self, left: Unsynced) {
        self.ended_stale.extend(left.files);
        self.is_folder_stale |= left.folder.is_some();
    }

    /// What is lost with the rest of a segment that ended, of which `whole` octets, with so many messages of each sender,
    /// could be read.
    pub(crate) fn damage(&self, number: u64, whole: u64, read: &HashMap<Address, u64>) -> Option<Damage> {
        let ended = self.ended.get(&number)?;
        let messages = match &ended.senders {
            Some(senders) => {
                let left = |(sender, written): (&Address, &u64)| {
                    let lost = written - read.get(sender).copied().unwrap_or(0).min(*written);
                    (lost > 0).then_some((Some(*sender), lost))
                };
                senders.iter().filter_map(left).collect()
            }
            None => vec![(None, messages(ended.octets.saturating_sub(whole), whole, read.values().sum()))],
        };
        Some(Damage { window: ended.written, messages })
    }

    /// The number and place of the first segment after `applied` that has ended.
    pub(crate) fn ended_after(&self, applied: u64) -> Option<(u64, PathBuf)> {
        let (number, _) = self.ended.range(applied + 1..).next()?;
        Some((*number, path(&self.folder, *number)))
    }

    /// Removes the segments up to number `applied`.
    ///
    /// # Errors
    /// What the disk fails with; the segments that are left are removed next time.
    pub(crate) fn release(&mut self, applied: u64) -> io::Result<()> {
        while let Some(first) = self.ended.first_entry().filter(|first| *first.key() <= applied) {
            match fs::remove_file(path(&self.folder, *first.key())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => _ = first.remove(),
            }
        }
        Ok(())
    }

    /// Octets of all segments.
    pub(crate) fn octets(&self) -> u64 {
        let writing = self.writing.as_ref().map_or(0, |segment| segment.octets);
        self.ended.values().map(|ended| ended.octets).sum::<u64>() + writing
    }

    /// The number of the next segment to be begun.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }
}

/// Makes what was created, renamed or removed in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}{SUFFIX}"))
}

fn number(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}

/// Cuts off what follows the last whole entry, and returns how long the segment is then, and how many entries it
/// has. `marks` gets how far they count the drops of sockets.
fn cut_tail(path: &Path, marks: &mut Vec<(String, Mark)>) -> io::Result<(u64, u64)> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let whole = match Entries::open(io::BufReader::new(&file))? {
        None => (0, 0),
        Some(mut entries) => {
            let mut count = 0;
            while let Some(entry) = entries.next()? {
                count += 1;
                if let Entry::Dropped(Dropped { whose: Whose::Socket(socket), window, counter, .. }) = entry {
                    let at_us = window.until.micros();
                    marks.extend(counter.map(|counter| (socket, Mark { counter, at_us })));
                }
            }
            (entries.octets(), count)
        }
    };
    file.set_len(whole.0)?;
    file.sync_all()?;
    Ok(whole)
}

/// How many messages so many octets held, if they were as those that can be read; one at least.
fn messages(lost: u64, whole: u64, read: u64) -> u64 {
    let each = whole.saturating_sub(HEAD_OCTETS as u64).checked_div(read).filter(|each| *each > 0);
    lost.div_ceil(each.unwrap_or(ENTRY_OCTETS)).max(1)
}

/// Writes what a file holds to where it is, so that the kernel writes it to the disk again. What is appended meanwhile
/// is not touched.
fn write_again(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut buffer = vec![0; AGAIN_OCTETS];
    let mut at = 0;
    loop {
        let read = file.read_at(&mut buffer, at)?;
        if read == 0 {
            return Ok(());
        }
        file.write_all_at(&buffer[..read], at)?;
        at += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;
    use rahdar_model::Address;

    use super::*;
    use crate::segment::Received;

    const LIMITS: Limits = Limits { octets: 4_000, segment_octets: 400, segment_age_us: 10_000_000 };

    fn entry(payload: &[u8]) -> Entry<'_> {
        let (time, peer) = (Timestamp::from_seconds(0), Address::from_v4_bits(0xc000_0201));
        Entry::Datagram(Received { time, peer, port: 9, payload })
    }

    /// The payloads of everything in the spool, in order.
    fn payloads(folder: &Path) -> Vec<u64> {
        let mut numbers: Vec<u64> = fs::read_dir(folder)
            .unwrap()
            .filter_map(|found| number(found.unwrap().file_name().to_str().unwrap()))
            .collect();
        numbers.sort_unstable();
        let mut all = Vec::new();
        for number in numbers {
            let mut octets = Vec::new();
            File::open(path(folder, number)).unwrap().read_to_end(&mut octets).unwrap();
            let Some(mut entries) = Entries::open(&octets[..]).unwrap() else { continue };
            while let Some(entry) = entries.next().unwrap() {
                let Entry::Datagram(received) = entry else { panic!("{entry:?}") };
                all.push(u64::from_be_bytes(received.payload.try_into().unwrap()));
            }
        }
        all
    }

    #[test]
    fn a_spool_belongs_to_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let (first, _) = Spool::open(folder.path(), LIMITS).unwrap();
        assert!(matches!(Spool::open(folder.path(), LIMITS), Err(TryLockError::WouldBlock)));
        drop(first);
        Spool::open(folder.path(), LIMITS).unwrap();
    }

    #[test]
    fn a_full_spool_refuses_and_a_released_one_takes_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), LIMITS).unwrap();
        let now = Timestamp::from_seconds(0);
        let mut taken = 0;
        let refusal = loop {
            match spool.append(&[entry(&[0; 100])], now) {
                (1, None) => taken += 1,
                (_, refusal) => break refusal,
            }
        };
        assert!(matches!(refusal, Some(Refusal::Full)), "{refusal:?}");
        assert!(spool.octets() <= LIMITS.octets && taken > 20, "{taken}");
        assert_eq!(spool.append_losses(&[Entry::Drained], now).0, 1, "losses still fit");
        spool.seal();
        let (first, _) = spool.ended_after(0).unwrap();
        spool.release(first).unwrap();
        assert_eq!(spool.append(&[entry(&[0; 100])], now).0, 1);
    }

    /// Losses are told when nothing else fits any more, and half of the reserve is never taken (reliability.md R8).
    #[test]
    fn the_reserve_of_the_disk_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { octets: 1 << 30, ..LIMITS };
        let (mut spool, _) = Spool::open(folder.path(), limits).unwrap();
        spool.space = Space { size: 20_000, free: 2_500 };
        let now = Timestamp::from_seconds(0);
        let refusal = loop {
            if let (0, refusal) = spool.append(&[entry(&[0; 100])], now) {
                break refusal;
            }
        };
        let Some(Refusal::Low(space)) = refusal else { panic!("{refusal:?}") };
        assert_eq!(space.reserve(), 1_000);
        assert!((1_000..1_200).contains(&space.free), "{space:?}");
        assert!(!spool.is_writing(), "what it holds is to be stored");
        while spool.append_losses(&[Entry::Drained], now).0 == 1 {}
        assert!((500..600).contains(&spool.space.free), "{:?}", spool.space);
        spool.look_at_disk();
        assert_eq!(spool.append(&[entry(&[0; 100])], now).0, 1, "there is room");
        spool.space = Space { size: 0, free: 0 };
        assert_eq!(spool.append(&[entry(&[0; 100])], now).0, 1, "a disk that does not tell has no reserve");
    }

    #[test]
    fn segments_end_by_age() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), LIMITS).unwrap();
        spool.append(&[entry(b"12345678")], Timestamp::from_seconds(5));
        spool.seal_by_age(Timestamp::from_seconds(14));
        assert!(spool.ended_after(0).is_none());
        spool.seal_by_age(Timestamp::from_seconds(15));
        assert_eq!(spool.ended_after(0).unwrap().0, 1);
    }

    #[test]
    fn a_head_that_was_cut_is_no_segment() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(path(folder.path(), 3), b"rahdarSP\0").unwrap();
        let (spool, cut) = Spool::open(folder.path(), LIMITS).unwrap();
        let cut = cut.unwrap();
        assert_eq!((cut.octets, cut.messages, spool.next_number()), (9, 0, 4), "nothing came before it");
    }

    /// As much of a spool that is smaller than a segment can be stored and removed as of any other.
    #[test]
    fn a_small_spool_ends_its_segments() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { octets: 4_000, segment_octets: 1 << 20, segment_age_us: i64::MAX };
        let (mut spool, _) = Spool::open(folder.path(), limits).unwrap();
        let now = Timestamp::from_seconds(0);
        for _ in 0..40 {
            spool.append(&[entry(&[0; 100])], now);
        }
        assert!(spool.ended.len() >= 7 && spool.ended.values().all(|ended| ended.octets < 800));
        assert!(!spool.is_writing(), "what it was full with is to be stored");
    }

    /// A file that has no disk to reach does not keep the others from it, and is not forgotten.
    #[test]
    fn what_could_not_be_synced_is_synced_later() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), LIMITS).unwrap();
        spool.append(&[entry(b"12345678")], Timestamp::from_seconds(0));
        let mut unsynced = spool.unsynced();
        let null = Arc::new(OpenOptions::new().write(true).open("/dev/null").unwrap());
        let broken = Stale { file: null, path: unsynced.files[0].path.clone(), has_failed: false };
        unsynced.files.insert(0, broken);
        unsynced.sync().unwrap_err();
        assert_eq!((unsynced.files.len(), &unsynced.folder), (1, &None), "all others are on disk");
        spool.append(&[entry(b"87654321")], Timestamp::from_seconds(0));
        spool.take_back(unsynced);
        let mut again = spool.unsynced();
        let paths: Vec<_> = again.files.iter().map(|stale| (&*stale.path, stale.has_failed)).collect();
        assert_eq!(paths, [(&*path(folder.path(), 1), true)]);
        again.files[0].file = spool.writing.as_ref().unwrap().file.clone();
        again.sync().unwrap();
        assert_eq!(payloads(folder.path()).len(), 2, "it was written again as it was");
    }

    #[test]
    fn what_is_lost_with_a_damaged_segment_is_known_or_estimated() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), LIMITS).unwrap();
        for _ in 0..5 {
            spool.append(&[entry(b"12345678")], Timestamp::from_seconds(0));
        }
        spool.seal();
        let (sender, whole) = (Address::from_v4_bits(0xc000_0201), HEAD_OCTETS as u64 + 2 * (8 + 35));
        let read = HashMap::from([(sender, 2)]);
        assert_eq!(spool.damage(1, whole, &read).unwrap().messages, [(Some(sender), 3)]);
        drop(spool);
        let octets = fs::read(path(folder.path(), 1)).unwrap();
        fs::write(path(folder.path(), 2), &octets[..octets.len() - 50]).unwrap();
        let (spool, cut) = Spool::open(folder.path(), LIMITS).unwrap();
        assert_eq!(
            spool.damage(1, whole, &read).unwrap().messages,
            [(None, 3)],
            "whose is not known any more"
        );
        assert_eq!(cut.unwrap().messages, 1, "what was being written");
    }

    /// What happens to a spool.
    #[derive(Debug, Clone)]
    enum Step {
        Append(u8),
        Sync,
        Seal,
        /// The first segment is stored.
        Release,
        /// The machine stops; of what was not synced, this share of 255 is left.
        Crash(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (1..9u8).prop_map(Step::Append),
            2 => Just(Step::Sync),
            1 => Just(Step::Seal),
            1 => Just(Step::Release),
            1 => any::<u8>().prop_map(Step::Crash),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// After any steps, what is there are the numbers appended, in order, without those
        /// released, and without a tail that was never synced.
        #[test]
        fn what_was_synced_is_kept_and_nothing_else_appears(
            steps in proptest::collection::vec(step(), 1..60)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let limits = Limits { octets: u64::MAX, ..LIMITS };
            let (mut spool, _) = Spool::open(folder.path(), limits).unwrap();
            let now = Timestamp::from_seconds(0);
            // What was appended to the segments that are there: (number of segment, value).
            let mut expected: Vec<(u64, u64)> = Vec::new();
            let mut synced = HEAD_OCTETS as u64;
            let (mut value, mut applied) = (0, 0);
            for step in steps {
                let segment = spool.writing.as_ref().map(|segment| segment.number);
                match step {
                    Step::Append(count) => {
                        let number = segment.unwrap_or(spool.next_number());
                        let values: Vec<[u8; 8]> = (value..).take(count.into()).map(u64::to_be_bytes).collect();
                        let entries: Vec<Entry<'_>> = values.iter().map(|value| entry(value)).collect();
                        prop_assert_eq!(spool.append(&entries, now).0, entries.len());
                        expected.extend(values.iter().map(|value| (number, u64::from_be_bytes(*value))));
                        value += u64::from(count);
                        if segment.is_none() {
                            synced = HEAD_OCTETS as u64;
                        }
                    }
                    Step::Sync => {
                        spool.unsynced().sync().unwrap();
                        synced = spool.writing.as_ref().map_or(0, |segment| segment.octets);
                    }
                    Step::Seal => spool.seal(),
                    Step::Release => {
                        if let Some((number, _)) = spool.ended_after(applied) {
                            applied = number;
                            spool.release(applied).unwrap();
                            expected.retain(|(segment, _)| *segment > applied);
                        }
                    }
                    Step::Crash(share) => {
                        let writing = spool.writing.as_ref().map(|segment| (segment.number, segment.octets));
                        drop(spool);
                        if let Some((number, octets)) = writing {
                            let left = synced + (octets - synced) * u64::from(share) / 255;
                            let file = OpenOptions::new().write(true).open(path(folder.path(), number)).unwrap();
                            file.set_len(left).unwrap();
                            let found = payloads(folder.path());
                            let others = expected.iter().filter(|(segment, _)| *segment != number).count();
                            prop_assert!(found.len() >= others);
                            expected.truncate(found.len());
                        }
                        spool = Spool::open(folder.path(), limits).unwrap().0;
                        spool.go_on_after(applied).unwrap();
                    }
                }
            }
            let values: Vec<u64> = expected.iter().map(|(_, value)| *value).collect();
            prop_assert_eq!(payloads(folder.path()), values);
        }
    }
}
