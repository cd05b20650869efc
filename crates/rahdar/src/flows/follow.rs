//! `rahdar flows follow`: imports what appears in a folder, and what is appended to the files in it.
//!
//! A log of lines is imported as it grows, part by part. Any other file is imported once it rests; if it is a
//! text that grows later, what is new of it is a part too. Each part of a growing log ends with a line. A part goes by
//! the hash of all that comes before its end, so the last part has the name of the whole file.
//!
//! A log that is renamed, copied or compressed in the folder is recognised by what was read of it,
//! and goes on from there.
//!
//! Where a part ends is written down before it is imported. Killed in between, the follower repeats
//! that very part, which the lake refuses a second time if it had been stored.

mod log;

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use rahdar_lake::Lake;
use rahdar_model::Clock as _;
use rahdar_model::store::Input;
use rahdar_model::time::SECOND_US;
use rahdar_server::{Stop, stop_on_signals};
use rahdar_wire::{Detection, Format, Options};

use self::log::{Ends, GONE_SETTLES, Log, PART_OCTETS, Rest};
use super::content::Mark;
use super::import::{self, HEADER_OCTETS, How, Identified, Reject, Summary};
use super::notebook::{Notebook, Page};
use super::upkeep::{self, Upkeep};
use crate::clock::{Stopwatch, SystemClock};
use crate::command::{self, FlowsFollow};
use crate::files::{self, Found, Part, Search};
use crate::home::Home;
use crate::{Outcome, failure, note, output};

/// Beginnings of names of files that another program is still writing, whole: nfcapd's.
const UNFINISHED: [&str; 1] = ["nfcapd.current"];

/// Follows a folder until SIGTERM or SIGINT, or looks once. What is being stored then is stored first.
pub(crate) fn run(home: &Home, args: &FlowsFollow, format: command::Format) -> anyhow::Result<Outcome> {
    let mut follower = Follower {
        lake: home.lake()?,
        how: How::of(&args.reading)?,
        settle_us: i64::try_from(args.settle).unwrap_or(i64::MAX).saturating_mul(SECOND_US),
        notebook: Notebook::open(&home.path().join("follow.json"))?,
        summary: Summary::default(),
        told: Told::default(),
        ends: Ends::default(),
        stop: stop_on_signals().context("signals cannot be caught")?,
    };
    if !args.dir.is_dir() {
        bail!("`{}` is no folder", args.dir.display());
    }
    let watch = Stopwatch::start();
    let (mut upkeep, mut tended) = (Upkeep::default(), Stopwatch::start());
    let mut trouble = None;
    loop {
        let looked = follower.look(&args.dir);
        let summary = std::mem::take(&mut follower.summary);
        if args.once {
            looked?;
            output::print(&summary.table(watch.elapsed().as_secs_f64()), format)?;
            return Ok(if summary.is_refused() { Outcome::Refused } else { Outcome::Done });
        }
        if summary.rows() > 0 {
            note!("{}: {} rows", args.dir.display(), summary.rows());
        }
        trouble = looked.err().map(|error| tell_trouble(&error, trouble.as_deref(), args.every));
        if tended.elapsed() >= upkeep::EVERY {
            upkeep.tend(&follower.lake);
            tended = Stopwatch::start();
        }
        if !follower.stop.wait(Duration::from_secs(args.every)) {
            return Ok(Outcome::Done);
        }
    }
}

/// Says why nothing more can be imported for now, unless that was said of the last look; returns what was said.
fn tell_trouble(error: &anyhow::Error, before: Option<&str>, every: u64) -> String {
    let trouble = failure::told(error);
    if before != Some(&trouble) {
        note!("{trouble}; it is tried again every {every} s");
        if let Some(hint) = failure::hint(error) {
            note!("hint: {hint}");
        }
    }
    trouble
}

struct Follower {
    lake: Lake,
    how: How,
    settle_us: i64,
    notebook: Notebook,
    /// What became of the files of this look.
    summary: Summary,
    told: Told,
    /// Where logs were read to.
    ends: Ends,
    /// Asked before each file, and each part of one.
    stop: Stop,
}

/// What was told of the last look and of this one, so that what goes on is told once.
#[derive(Default)]
struct Told {
    before: BTreeSet<String>,
    now: BTreeSet<String>,
}

impl Told {
    fn begin(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }

    fn tell(&mut self, text: String) {
        if !self.before.contains(&text) {
            note!("{text}");
        }
        self.now.insert(text);
    }
}

/// Why a file is not imported for now.
enum Trouble {
    /// It cannot be read. Others can.
    File(anyhow::Error),
    /// The lake or the notebook cannot be written. Nothing else can be imported.
    Home(anyhow::Error),
}

impl Trouble {
    fn file(name: &str) -> impl Fn(io::Error) -> Self {
        move |error| Self::File(anyhow::Error::from(error).context(format!("cannot read `{name}`")))
    }
}

impl Follower {
    /// Imports what is new in the folder. What cannot be read is told when it is met first.
    fn look(&mut self, dir: &Path) -> anyhow::Result<()> {
        let Search { files, unseen } = files::list(&[dir.to_owned()])?;
        self.told.begin();
        self.summary.failed += unseen.len() as u64;
        unseen.into_iter().for_each(|unseen| self.told.tell(unseen));
        let is_finished = |file: &Found| {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            UNFINISHED.iter().all(|start| !name.starts_with(start))
        };
        let files: Vec<(Found, Metadata)> = files
            .into_iter()
            .filter(is_finished)
            .filter_map(|file| fs::metadata(&file.path).ok().map(|meta| (file, meta)))
            .collect();
        self.notebook.see(files.iter().map(|(_, meta)| meta), now_us());
        let here: BTreeSet<_> = files.iter().map(|(_, meta)| (meta.dev(), meta.ino())).collect();
        self.ends.keep(&here);
        for (file, meta) in &files {
            if self.notebook.is_done(meta) {
                continue;
            }
            if self.is_stopped() {
                return Ok(());
            }
            match self.take(file, meta) {
                Ok(()) => {}
                Err(Trouble::File(error)) => {
                    self.summary.failed += 1;
                    self.told.tell(failure::told(&error));
                }
                Err(Trouble::Home(error)) => return Err(error),
            }
        }
        let names = files.iter().map(|(file, _)| &*file.name).collect();
        let patience_us = self.settle_us.saturating_mul(GONE_SETTLES);
        for (name, octets) in self.notebook.missed(&names, patience_us, now_us())? {
            note!(
                "{name}: this log was moved away or overwritten after {octets} octets of it were read; if lines were \
                 written to it after that, they are not stored: follow a folder that rotated logs stay in, or import \
                 them there"
            );
        }
        Ok(())
    }

    fn take(&mut self, file: &Found, meta: &Metadata) -> Result<(), Trouble> {
        let mut head = Vec::new();
        let opened = file.open().map_err(Trouble::File)?;
        opened.take(HEADER_OCTETS).read_to_end(&mut head).map_err(Trouble::file(&file.name))?;
        match growing(&head, &self.how.options) {
            Some(format) => self.grow(file, format, header(format, &head)),
            None if Rest::of(meta, self.settle_us) > Rest::Written => self.settle(file, meta, &head),
            None => Ok(()),
        }
    }

    /// Imports what was appended to a log. Its last line is read once it ends, or as [`Log::end_of_line`] says.
    fn grow(&mut self, file: &Found, format: Format, header: u64) -> Result<(), Trouble> {
        let unread = Trouble::file(&file.name);
        let mut log = Log::open(&file.path, &self.ends).map_err(&unread)?;
        // Since the look began, minutes may have passed in which somebody wrote on.
        let rest = Rest::of(&log.meta, self.settle_us);
        let mut page = self.page(file, &mut log).map_err(&unread)?;
        loop {
            let until = match &page.planned {
                Some(planned) => planned.octets,
                None => log.end_of_line(page.read.octets, rest).map_err(&unread)?,
            };
            if self.is_stopped() {
                return Ok(());
            }
            if until == page.read.octets {
                if log.meta.size() - until >= PART_OCTETS {
                    self.summary.failed += 1;
                    self.told.tell(format!(
                        "{}: the line at octet {until} is longer than {} MiB: nothing after it is read; mend the log, or \
                         import the rest as a file of its own",
                        file.name,
                        PART_OCTETS >> 20
                    ));
                }
                break;
            }
            let until = log.mark(until).map_err(&unread)?;
            let from = page.read.octets;
            let counted =
                if format == Format::Eve { log.counted_before(from).map_err(&unread)? } else { None };
            let how = self.how.going_on(format, counted);
            let part = Part { header, from, until: until.octets, is_packed: false };
            if !self.store(file, &how, part, &mut page, until)? {
                self.notebook.refuse(&log.meta);
                return Ok(());
            }
        }
        self.ends.note(&mut log, page.read.octets).map_err(&unread)?;
        if rest > Rest::Written && page.read.octets == log.meta.size() {
            self.notebook.note(&page.at_rest(&log.meta)).map_err(Trouble::Home)?;
        } else if rest == Rest::Settled {
            self.told.tell(format!(
                "{}: its last line does not end; it is read as it is once nothing was written for {} s",
                file.name,
                self.settle_us.saturating_mul(GONE_SETTLES) / SECOND_US
            ));
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        !self.stop.wait(Duration::ZERO)
    }

    /// What is known of a log: by its inode if its beginning is what was read of it, else by its beginning.
    fn page(&mut self, file: &Found, log: &mut Log) -> io::Result<Page> {
        if let Some(page) = self.notebook.page(&log.meta)
            && page.is_begun()
            && log.begins_with(&page.read)?
        {
            let mut page = page.clone();
            page.name = file.name.to_string();
            if let Some(planned) = &page.planned
                && !log.begins_with(planned)?
            {
                page.planned = None;
            }
            return Ok(page);
        }
        let marks = self.notebook.marks(&log.meta);
        let met = log.met(&marks)?.unwrap_or_default();
        Ok(self.notebook.recognise(&met, &log.meta, &file.name, now_us()))
    }

    /// Imports a file that rests: all of it, or what is new of it.
    fn settle(&mut self, file: &Found, meta: &Metadata, head: &[u8]) -> Result<(), Trouble> {
        let marks = self.notebook.marks(meta);
        let known = match import::identify(file, &self.how, &marks) {
            Ok(known) => known,
            Err(Reject::NoFlows(kind)) => {
                self.summary.left_alone += 1;
                self.told.tell(format!("left alone: {kind}: {}", file.name));
                return self.notebook.note(&Page::new(meta, &file.name).at_rest(meta)).map_err(Trouble::Home);
            }
            Err(Reject::Failed(error)) => {
                // A disk may recover; a file that is wrong changes first.
                let is_of_the_system = |error: &io::Error| error.raw_os_error().is_some();
                if !error.chain().filter_map(|cause| cause.downcast_ref()).any(is_of_the_system) {
                    self.notebook.refuse(meta);
                }
                return Err(Trouble::File(error));
            }
        };
        let page = match known.format.filter(|format| goes_on(*format, &known.head)) {
            Some(format) => self.go_on(file, meta, known, format, head)?,
            None => self.whole(file, meta, known)?,
        };
        match page {
            Some(page) => self.notebook.note(&page.at_rest(meta)).map_err(Trouble::Home),
            None => {
                self.notebook.refuse(meta);
                Ok(())
            }
        }
    }

    /// Imports a text that rests, from where it was read before. None if that failed.
    fn go_on(
        &mut self,
        file: &Found,
        meta: &Metadata,
        known: Identified,
        format: Format,
        head: &[u8],
    ) -> Result<Option<Page>, Trouble> {
        let header = header(format, &known.head);
        let Identified { content, met, .. } = known;
        let met = met.unwrap_or_default();
        let mut page = self.notebook.recognise(&met, meta, &file.name, now_us());
        if page.read == content {
            self.summary.already += 1;
            return Ok(Some(page));
        }
        let is_packed = known.head != head;
        let how = self.how.going_on(format, None);
        for until in [page.planned.clone(), Some(content)].into_iter().flatten() {
            if until.octets > page.read.octets {
                let from = page.read.octets;
                let part = Part { header, from, until: until.octets, is_packed };
                if !self.store(file, &how, part, &mut page, until)? {
                    return Ok(None);
                }
            }
        }
        Ok(Some(page))
    }

    /// Imports a file that rests, and that can be read from its beginning only. None if that failed.
    fn whole(&mut self, file: &Found, meta: &Metadata, known: Identified) -> Result<Option<Page>, Trouble> {
        let Identified { input, content, met, .. } = known;
        let mut page = Page::new(meta, &file.name);
        let stored = self.notebook.page(meta).and_then(|page| page.whole.clone());
        if let Some(stored) = stored
            && met.as_ref() == Some(&stored)
            && stored != content
            && import::holds_flows(file, stored.octets, &self.how)
        {
            self.summary.failed += 1;
            self.told.tell(format!(
                "{}: it grew from {} to {} octets after it was imported; what came later is not stored, for no part of \
                 such a file can be read alone: import that part as a file of its own, and give --settle more than the \
                 pauses of whoever writes here",
                file.name, stored.octets, content.octets
            ));
            page.whole = Some(stored);
            return Ok(Some(page));
        }
        page.whole = Some(content);
        let how = self.how.clone();
        Ok(self.import(file, input, &how)?.then_some(page))
    }

    /// Imports an input. False if it could not be imported.
    fn import(&mut self, file: &Found, input: Input, how: &How) -> Result<bool, Trouble> {
        let (bar, failed) = (ProgressBar::hidden(), self.summary.failed);
        import::store_all(&self.lake, &[(file, input)], how, &bar, &mut self.summary)
            .map_err(Trouble::Home)?;
        Ok(self.summary.failed == failed)
    }

    /// Imports a part of a text, and takes note of it before and after. False if it could not be imported.
    /// `how` names the format of the text: a part may hold nothing that shows it.
    fn store(
        &mut self,
        file: &Found,
        how: &How,
        part: Part,
        page: &mut Page,
        until: Mark,
    ) -> Result<bool, Trouble> {
        page.planned = Some(until.clone());
        self.notebook.note(page).map_err(Trouble::Home)?;
        let name = match part.from {
            0 => file.name.clone(),
            from => format!("{}@{from}", file.name).into(),
        };
        let input = Input { id: until.hash.clone(), name };
        let file = Found { octets: part.until - part.from, part: Some(part), ..file.clone() };
        if !self.import(&file, input, how)? {
            return Ok(false);
        }
        page.read = until;
        page.planned = None;
        self.notebook.note(page).map_err(Trouble::Home)?;
        Ok(true)
    }
}

/// The format of a log that is read while it grows; none if the file is no such log.
fn growing(head: &[u8], options: &Options) -> Option<Format> {
    let is_whole = (head.len() as u64) < HEADER_OCTETS;
    let format = match rahdar_wire::detect(head, is_whole) {
        Detection::Known(format) => options.format.unwrap_or(format),
        Detection::Unsupported(_) | Detection::Unknown => return None,
    };
    (matches!(format, Format::ZeekTsv | Format::ZeekJson | Format::Eve) && goes_on(format, head))
        .then_some(format)
}

/// Whether a file that begins so can be read on from the end of any of its lines.
fn goes_on(format: Format, head: &[u8]) -> bool {
    match format {
        // JSON may be an array, of which no part can be read alone.
        Format::ZeekJson | Format::Eve | Format::Aws | Format::NfdumpJson => rahdar_wire::is_by_line(head),
        Format::ZeekTsv | Format::NfdumpCsv | Format::NfdumpPipe | Format::Silk | Format::Argus => true,
        Format::Packets
        | Format::Ipfix
        | Format::Datagram
        | Format::Sflow
        | Format::Nfcapd
        | Format::Gcp
        | Format::Azure => false,
    }
}

/// The octets at the beginning of a text that say how to read it: the directives of Zeek or its row of names, the
/// names of the columns of a table.
fn header(format: Format, head: &[u8]) -> u64 {
    let lines = || head.split_inclusive(|c| *c == b'\n');
    match format {
        Format::ZeekTsv | Format::ZeekJson | Format::Eve => {
            octets(lines().take_while(|line| line.starts_with(b"#") || line.starts_with(b"ts\t")))
        }
        _ => {
            let blank = lines().take_while(|line| line.trim_ascii().is_empty()).count();
            let is_named =
                lines().nth(blank).is_some_and(|line| rahdar_wire::is_header(format, line.trim_ascii_end()));
            if is_named { octets(lines().take(blank + 1)) } else { 0 }
        }
    }
}

fn octets<'a>(lines: impl Iterator<Item = &'a [u8]>) -> u64 {
    lines.map(|line| line.len() as u64).sum()
}

fn now_us() -> i64 {
    SystemClock.now().micros()
}
