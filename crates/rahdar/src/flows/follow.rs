//! `rahdar flows follow`: imports what appears in a folder, and what is appended to the logs in it.
//!
//! A file is imported as a whole once it rests. A log of lines is imported as it grows, part by part:
//! each part ends with a line, and goes by the hash of all that comes before its end. So the last
//! part of a log has the name of the whole log, and the same log, rotated and compressed
//! elsewhere in the folder, is found to be stored.
//!
//! Where a part ends is written down before it is imported. Killed in between, the follower repeats
//! that very part, which the lake refuses a second time if it had been stored.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use rahdar_lake::Lake;
use rahdar_model::Clock as _;
use rahdar_model::store::Input;
use rahdar_model::time::SECOND_US;
use rahdar_wire::{Detection, Format, Options};
use serde::{Deserialize, Serialize};

use super::import::{self, How, Summary};
use crate::clock::{Stopwatch, SystemClock};
use crate::command::{self, FlowsFollow};
use crate::files::{self, Found, Part};
use crate::home::Home;
use crate::{Outcome, note, output};

/// Octets of a part at most: what one commit may cost, and what a killed follower repeats. Chosen here.
const PART_OCTETS: u64 = 64 << 20;

/// Octets of the lines at the beginning of a log that say how to read it, at most. Zeek writes one.
const HEADER_OCTETS: usize = 64 << 10;

/// Beginnings of names of files that another program is still writing, whole: nfcapd's.
const UNFINISHED: [&str; 1] = ["nfcapd.current"];

/// Follows a folder until it is stopped, or looks once.
pub(crate) fn run(home: &Home, args: &FlowsFollow, format: command::Format) -> anyhow::Result<Outcome> {
    let follower = Follower {
        lake: home.lake()?,
        how: How::of(&args.reading)?,
        settle_us: i64::try_from(args.settle).unwrap_or(i64::MAX).saturating_mul(SECOND_US),
    };
    let mut notebook = Notebook::open(&home.path().join("follow.json"))?;
    if !args.dir.is_dir() {
        bail!("`{}` is no folder", args.dir.display());
    }
    let watch = Stopwatch::start();
    loop {
        let summary = follower.look(&args.dir, &mut notebook)?;
        if args.once {
            output::print(&summary.table(watch.elapsed().as_secs_f64()), format)?;
            return Ok(if summary.is_refused() { Outcome::Refused } else { Outcome::Done });
        }
        if summary.rows() > 0 {
            note!("{}: {} rows", args.dir.display(), summary.rows());
        }
        std::thread::sleep(Duration::from_secs(args.every));
    }
}

struct Follower {
    lake: Lake,
    how: How,
    settle_us: i64,
}

impl Follower {
    /// Imports what is new in the folder.
    fn look(&self, dir: &Path, notebook: &mut Notebook) -> anyhow::Result<Summary> {
        let mut summary = Summary::default();
        let found = files::list(&[dir.to_owned()])?.files;
        notebook.keep_only(&found);
        for file in found {
            let Ok(meta) = fs::metadata(&file.path) else { continue };
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            if UNFINISHED.iter().any(|start| name.starts_with(start)) || notebook.is_done(&file.path, &meta) {
                continue;
            }
            let rests = SystemClock.now().micros() - modified_us(&meta) >= self.settle_us;
            match header(&file, &self.how.options)? {
                Some(header) => self.grow(&file, header, rests, notebook, &mut summary)?,
                None if rests => {
                    summary.add(import::import(
                        &self.lake,
                        std::slice::from_ref(&file),
                        &self.how,
                        &ProgressBar::hidden(),
                    )?);
                    notebook.note(&file.path, Page::done(&meta))?;
                }
                None => {}
            }
        }
        Ok(summary)
    }

    /// Imports what was appended to a log. Its last line is read once it ends, or once the log rests.
    fn grow(
        &self,
        file: &Found,
        header: u64,
        rests: bool,
        notebook: &mut Notebook,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        let mut log = Log::open(&file.path)?;
        let mut page = notebook.page(&file.path, &log.meta);
        loop {
            let until = match page.planned.filter(|planned| *planned <= log.meta.size()) {
                Some(planned) => planned,
                None => log.end_of_line(page.read, rests)?,
            };
            if until == page.read {
                return Ok(());
            }
            page.planned = Some(until);
            notebook.note(&file.path, page)?;
            log.hash_to(until)?;
            let part = Found {
                part: Some(Part { header, from: page.read, until }),
                octets: until - page.read,
                ..file.clone()
            };
            let name = if page.read == 0 {
                file.name.clone()
            } else {
                format!("{}@{}", file.name, page.read).into()
            };
            let input = Input { id: import::input_id(&log.hasher), name };
            import::store_all(&self.lake, &[(&part, input)], &self.how, &ProgressBar::hidden(), summary)?;
            page = Page { read: until, planned: None, ..page };
            notebook.note(&file.path, page)?;
        }
    }
}

/// The octets that say how to read a log that grows; none if the file is no such log.
fn header(file: &Found, options: &Options) -> anyhow::Result<Option<u64>> {
    let mut head = Vec::new();
    file.open()?.take(HEADER_OCTETS as u64).read_to_end(&mut head)?;
    let is_whole = head.len() < HEADER_OCTETS;
    let format = match rahdar_wire::detect(&head, is_whole) {
        Detection::Known(format) => format,
        Detection::Unsupported(_) | Detection::Unknown => return Ok(None),
    };
    let grows = matches!(options.format.unwrap_or(format), Format::ZeekTsv | Format::ZeekJson | Format::Eve);
    let directives = head.split_inclusive(|c| *c == b'\n').take_while(|line| line.starts_with(b"#"));
    Ok(grows.then(|| directives.map(|line| line.len() as u64).sum()))
}

/// A log that is being read, and the hash of it so far.
struct Log {
    file: File,
    meta: Metadata,
    hasher: blake3::Hasher,
    hashed: u64,
}

impl Log {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let context = || format!("cannot open `{}`", path.display());
        let file = File::open(path).with_context(context)?;
        let meta = file.metadata().with_context(context)?;
        Ok(Self { file, meta, hasher: blake3::Hasher::new(), hashed: 0 })
    }

    /// Hashes on to this octet.
    fn hash_to(&mut self, until: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.hashed))?;
        let taken = (&mut self.file).take(until - self.hashed);
        io::copy(&mut io::BufReader::new(taken), &mut self.hasher)?;
        self.hashed = until;
        Ok(())
    }

    /// The end of the last whole line after `from`, at most a part further; the end of the log if
    /// nobody will end its last line.
    fn end_of_line(&mut self, from: u64, rests: bool) -> io::Result<u64> {
        let most = self.meta.size().min(from + PART_OCTETS);
        if most == self.meta.size() && rests {
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
        Ok(until)
    }
}

/// What is known of each file. One follower at a time writes it.
struct Notebook {
    path: PathBuf,
    pages: BTreeMap<PathBuf, Page>,
    _lock: File,
}

/// What is known of one file.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Page {
    device: u64,
    inode: u64,
    /// Its size and time when it was imported as a whole; nothing for a log that grows.
    whole: Option<(u64, i64)>,
    /// Octets of a log that are imported.
    read: u64,
    /// The end of the part that is being imported.
    planned: Option<u64>,
}

impl Page {
    fn of(meta: &Metadata) -> Self {
        Self { device: meta.dev(), inode: meta.ino(), whole: None, read: 0, planned: None }
    }

    fn done(meta: &Metadata) -> Self {
        Self { whole: Some((meta.size(), modified_us(meta))), ..Self::of(meta) }
    }

    fn is_of(&self, meta: &Metadata) -> bool {
        (self.device, self.inode) == (meta.dev(), meta.ino())
    }
}

impl Notebook {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let lock_path = path.with_extension("lock");
        let lock =
            File::create(&lock_path).with_context(|| format!("cannot make `{}`", lock_path.display()))?;
        if lock.try_lock().is_err() {
            bail!(
                "another `rahdar flows follow` is at work in this home; one can follow a folder of folders"
            );
        }
        let pages = match fs::read(path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| {
                format!(
                    "`{}` is damaged; remove it, and what is stored already is passed over",
                    path.display()
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        Ok(Self { path: path.to_owned(), pages, _lock: lock })
    }

    /// The page of a log; an empty one if the file is new, was replaced or was cut.
    fn page(&self, path: &Path, meta: &Metadata) -> Page {
        let known = self.pages.get(path).filter(|page| page.is_of(meta) && page.read <= meta.size());
        known.copied().unwrap_or(Page::of(meta))
    }

    fn is_done(&self, path: &Path, meta: &Metadata) -> bool {
        let is_same = |page: &Page| page.is_of(meta) && page.whole == Some((meta.size(), modified_us(meta)));
        self.pages.get(path).is_some_and(is_same)
    }

    /// Forgets files that are gone.
    fn keep_only(&mut self, found: &[Found]) {
        let here: std::collections::BTreeSet<&Path> = found.iter().map(|file| file.path.as_path()).collect();
        self.pages.retain(|path, _| here.contains(path.as_path()));
    }

    /// Writes a page down, durably.
    fn note(&mut self, path: &Path, page: Page) -> anyhow::Result<()> {
        self.pages.insert(path.to_owned(), page);
        let context = || format!("cannot write `{}`", self.path.display());
        let beside = self.path.with_extension("new");
        let mut file = File::create(&beside).with_context(context)?;
        file.write_all(&serde_json::to_vec(&self.pages)?).with_context(context)?;
        file.sync_all().with_context(context)?;
        fs::rename(&beside, &self.path).with_context(context)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).with_context(context)
    }
}

fn modified_us(meta: &Metadata) -> i64 {
    meta.mtime().saturating_mul(SECOND_US).saturating_add(meta.mtime_nsec() / 1_000)
}
