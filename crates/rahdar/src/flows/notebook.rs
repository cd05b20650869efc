//! What `rahdar flows follow` knows of each file, on disk before it is needed.
//!
//! A file is known by its inode, and what was read of it by its content. So a log that gets another
//! name goes on where it was; one that was copied or compressed is recognised by its first octets;
//! and a new file on an old inode is not taken for the old one. Logs that are gone are kept in mind for
//! a while, for they mostly turn up again, compressed.
//!
//! On disk the first line holds all that is known, and each line after it a page that was noted since. A line that does
//! not end was not noted. All is written anew when a log went, or when more pages were noted than are known.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rahdar_model::time::SECOND_US;
use serde::{Deserialize, Serialize};

use super::content::Mark;

/// Logs that are gone and kept in mind, at most; the first that went are forgotten first. Chosen here: Zeek
/// rotates some twenty logs an hour, so a week of them.
const GONE_MAX: usize = 4_096;

/// Pages noted after which all is written anew, at least. Chosen here: some hundred kilobytes.
const NOTED_MIN: usize = 1_000;

/// What is known of each file. One follower at a time writes it.
pub(super) struct Notebook {
    path: PathBuf,
    pages: BTreeMap<FileId, Page>,
    gone: Vec<Gone>,
    /// Files that are as they were when they were read to their end.
    done: BTreeSet<FileId>,
    /// Files that could not be imported, as they were then. It is not written down: the next follower tries again.
    refused: BTreeMap<FileId, State>,
    /// Where the next page is noted; none until all was written once.
    noting: Option<File>,
    /// Pages noted since all was written.
    noted: usize,
    _lock: File,
}

/// Device and inode.
type FileId = (u64, u64);

/// Octets, and when it was modified (µs).
type State = (u64, i64);

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Page {
    file: FileId,
    /// The name that it had when it was read last.
    pub(super) name: String,
    /// What of it is stored, if it can be read on from there.
    pub(super) read: Mark,
    /// The end of the part that is being imported.
    pub(super) planned: Option<Mark>,
    /// What of it is stored, if it can be read from its beginning only.
    pub(super) whole: Option<Mark>,
    /// How it was when nothing more was to be read of it, and it rested.
    rested: Option<State>,
}

/// A log that is no longer in the folder, or that was overwritten.
#[derive(Debug, Serialize, Deserialize)]
struct Gone {
    page: Page,
    /// When it was missed.
    since_us: i64,
    is_told: bool,
}

/// The notebook on disk, as it is read.
#[derive(Deserialize)]
struct Saved {
    files: Vec<Page>,
    gone: Vec<Gone>,
}

/// The notebook on disk, as it is written.
#[derive(Serialize)]
struct Saving<'a> {
    files: Vec<&'a Page>,
    gone: &'a [Gone],
}

impl Page {
    /// The page of a file of which nothing is known.
    pub(super) fn new(meta: &Metadata, name: &str) -> Self {
        Self {
            file: id(meta),
            name: name.to_owned(),
            read: Mark::default(),
            planned: None,
            whole: None,
            rested: None,
        }
    }

    /// The page of a file of which nothing more is to be read as it is now.
    pub(super) fn at_rest(self, meta: &Metadata) -> Self {
        Self { rested: Some(state(meta)), ..self }
    }

    /// Whether a part of it is stored, or was about to be.
    pub(super) fn is_begun(&self) -> bool {
        self.marks().next().is_some()
    }

    /// The marks by which its content is recognised elsewhere.
    fn marks(&self) -> impl Iterator<Item = &Mark> {
        [&self.read].into_iter().chain(&self.planned).filter(|mark| mark.octets > 0)
    }
}

impl Notebook {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let lock_path = path.with_extension("lock");
        let lock =
            File::create(&lock_path).with_context(|| format!("cannot make `{}`", lock_path.display()))?;
        if lock.try_lock().is_err() {
            bail!(
                "another `rahdar flows follow` is at work in this home; one can follow a folder of folders"
            );
        }
        let (Saved { files, gone }, noted) = match fs::read(path) {
            Ok(text) => read(&text).with_context(|| {
                format!(
                    "`{}` is damaged; if you remove it, what is stored already is passed over, but logs that were \
                     read in part are read again from their beginning",
                    path.display()
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (Saved { files: Vec::new(), gone: Vec::new() }, Vec::new())
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        Ok(Self {
            path: path.to_owned(),
            pages: files.into_iter().chain(noted).map(|page| (page.file, page)).collect(),
            gone,
            done: BTreeSet::new(),
            refused: BTreeMap::new(),
            noting: None,
            noted: 0,
            _lock: lock,
        })
    }

    /// Takes note of which files are there now.
    pub(super) fn see<'a>(&mut self, metas: impl Iterator<Item = &'a Metadata>, now_us: i64) {
        let here: BTreeMap<FileId, State> = metas.map(|meta| (id(meta), state(meta))).collect();
        self.refused.retain(|file, state| here.get(file) == Some(state));
        let is_done = |page: &Page| page.rested.is_some() && page.rested.as_ref() == here.get(&page.file);
        self.done = self.pages.values().filter(|page| is_done(page)).map(|page| page.file).collect();
        self.done.extend(self.refused.keys());
        for page in self.pages.extract_if(.., |file, _| !here.contains_key(file)).map(|(_, page)| page) {
            put_away(&mut self.gone, page, now_us);
            self.noting = None;
        }
    }

    /// Whether nothing is to be read of this file as it was when it was seen.
    pub(super) fn is_done(&self, meta: &Metadata) -> bool {
        self.done.contains(&id(meta))
    }

    /// The page of the file on this inode.
    pub(super) fn page(&self, meta: &Metadata) -> Option<&Page> {
        self.pages.get(&id(meta))
    }

    /// The marks of all logs that may go on elsewhere, and what is stored of the file on this inode.
    pub(super) fn marks(&self, meta: &Metadata) -> BTreeSet<Mark> {
        let live = self.pages.values().filter(|page| !self.done.contains(&page.file));
        let logs = live.chain(self.gone.iter().map(|gone| &gone.page)).flat_map(Page::marks);
        logs.chain(self.page(meta).and_then(|page| page.whole.as_ref())).cloned().collect()
    }

    /// The page of a file whose content begins with this mark. If another content was on its inode, that one is gone.
    pub(super) fn recognise(&mut self, met: &Mark, meta: &Metadata, name: &str, now_us: i64) -> Page {
        let is_other = |_: &FileId, page: &mut Page| page.marks().all(|mark| mark != met);
        for (_, page) in self.pages.extract_if(id(meta)..=id(meta), is_other) {
            put_away(&mut self.gone, page, now_us);
            self.noting = None;
        }
        let mut page = Page::new(meta, name);
        let mut pages = self.gone.iter().map(|gone| &gone.page).chain(self.pages.values());
        if let Some(known) = pages.find(|page| page.marks().any(|mark| mark == met)) {
            page.read = known.read.clone();
            page.planned = known.planned.clone().filter(|planned| planned == met);
        }
        let gone = self.gone.len();
        self.gone.retain(|gone| gone.page.marks().all(|mark| mark != met));
        if self.gone.len() < gone {
            self.noting = None;
        }
        page
    }

    /// Takes note that a file cannot be imported as it is now.
    pub(super) fn refuse(&mut self, meta: &Metadata) {
        self.refused.insert(id(meta), state(meta));
    }

    /// Logs whose end was perhaps not seen, each once, with the octets read: gone for so long, and not at rest when
    /// they were seen last, or out of the way of another log of their name.
    pub(super) fn missed(
        &mut self,
        names: &BTreeSet<&str>,
        patience_us: i64,
        now_us: i64,
    ) -> anyhow::Result<Vec<(String, u64)>> {
        let mut missed = Vec::new();
        for gone in &mut self.gone {
            let Page { name, read, rested, .. } = &gone.page;
            let is_open = rested.is_none() || names.contains(name.as_str());
            if !gone.is_told && is_open && now_us - gone.since_us >= patience_us {
                gone.is_told = true;
                missed.push((name.clone(), read.octets));
            }
        }
        if !missed.is_empty() {
            self.write()?;
        }
        Ok(missed)
    }

    /// Writes a page down, durably.
    pub(super) fn note(&mut self, page: &Page) -> anyhow::Result<()> {
        self.pages.insert(page.file, page.clone());
        if self.noted >= self.pages.len().max(NOTED_MIN) {
            self.noting = None;
        }
        let Some(file) = &mut self.noting else { return self.write() };
        let mut line = serde_json::to_vec(page)?;
        line.push(b'\n');
        let noted = file.write_all(&line).and_then(|()| file.sync_data());
        if noted.is_err() {
            // Half a line may stand there.
            self.noting = None;
        }
        noted.with_context(|| format!("cannot write `{}`", self.path.display()))?;
        self.noted += 1;
        Ok(())
    }

    /// Writes all down anew, durably.
    fn write(&mut self) -> anyhow::Result<()> {
        let context = || format!("cannot write `{}`", self.path.display());
        let beside = self.path.with_extension("new");
        let mut file = File::create(&beside).with_context(context)?;
        let saving = Saving { files: self.pages.values().collect(), gone: &self.gone };
        let mut text = serde_json::to_vec(&saving)?;
        text.push(b'\n');
        file.write_all(&text).with_context(context)?;
        file.sync_all().with_context(context)?;
        fs::rename(&beside, &self.path).with_context(context)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).with_context(context)?;
        self.noting = Some(OpenOptions::new().append(true).open(&self.path).with_context(context)?);
        self.noted = 0;
        Ok(())
    }
}

/// All that was known, and the pages noted since, in their order.
fn read(text: &[u8]) -> serde_json::Result<(Saved, Vec<Page>)> {
    let end = text.iter().rposition(|c| *c == b'\n').map_or(text.len(), |end| end + 1);
    let mut lines = text[..end].split(|c| *c == b'\n').filter(|line| !line.is_empty());
    let saved = serde_json::from_slice(lines.next().unwrap_or_default())?;
    Ok((saved, lines.map(serde_json::from_slice).collect::<serde_json::Result<_>>()?))
}

/// Keeps a log in mind that is gone.
fn put_away(gone: &mut Vec<Gone>, page: Page, now_us: i64) {
    if page.is_begun() {
        gone.push(Gone { page, since_us: now_us, is_told: false });
        let over = gone.len().saturating_sub(GONE_MAX);
        gone.drain(..over);
    }
}

fn id(meta: &Metadata) -> FileId {
    (meta.dev(), meta.ino())
}

fn state(meta: &Metadata) -> State {
    (meta.size(), modified_us(meta))
}

/// When a file was modified (µs).
pub(super) fn modified_us(meta: &Metadata) -> i64 {
    meta.mtime().saturating_mul(SECOND_US).saturating_add(meta.mtime_nsec() / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(octets: u64) -> Mark {
        Mark { octets, hash: format!("blake3:{octets}") }
    }

    /// The notebook of a folder, and the page of a file in it.
    fn opened(folder: &Path) -> (Notebook, Page) {
        let log = folder.join("conn.log");
        fs::write(&log, "a line\n").unwrap();
        let page = Page::new(&fs::metadata(&log).unwrap(), "conn.log");
        (Notebook::open(&folder.join("follow.json")).unwrap(), page)
    }

    fn read_of(folder: &Path) -> u64 {
        let (notebook, page) = opened(folder);
        notebook.pages[&page.file].read.octets
    }

    #[test]
    fn what_is_noted_is_known_to_the_next_and_half_a_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (mut notebook, page) = opened(folder.path());
        for octets in 1..=3 {
            notebook.note(&Page { read: mark(octets), ..page.clone() }).unwrap();
        }
        drop(notebook);
        let path = folder.path().join("follow.json");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3, "all, and two pages");
        assert_eq!(read_of(folder.path()), 3);
        fs::write(&path, &text[..text.len() - 5]).unwrap();
        assert_eq!(read_of(folder.path()), 2);
    }

    #[test]
    fn a_notebook_does_not_grow_with_what_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let (mut notebook, page) = opened(folder.path());
        for octets in 1..=2 * NOTED_MIN as u64 + 5 {
            notebook.note(&Page { read: mark(octets), ..page.clone() }).unwrap();
        }
        drop(notebook);
        let text = fs::read_to_string(folder.path().join("follow.json")).unwrap();
        assert!(text.lines().count() <= NOTED_MIN + 1, "{}", text.lines().count());
        assert_eq!(read_of(folder.path()), 2 * NOTED_MIN as u64 + 5);
    }
}
