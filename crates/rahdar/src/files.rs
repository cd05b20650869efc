//! Files to import: those named, and those in the folders named.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tempfile::{NamedTempFile, TempPath};

use crate::note;

/// Octets that show what a file is.
const HEAD_OCTETS: u64 = 16;

/// The path that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// A file to import.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its name for people: the path as given, or below the folder as given.
    pub(crate) name: Arc<str>,
    /// Its size.
    pub(crate) octets: u64,
    /// Whether it was named itself, not found in a folder.
    pub(crate) named: bool,
    /// The part of it that is meant; none: all of it.
    pub(crate) part: Option<Part>,
    /// What came through a pipe is kept here, for a pipe is read once; removed with the last who knows of it.
    pub(crate) kept: Option<Arc<TempPath>>,
}

/// What was found at some paths.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// The files, in the order of the paths, each folder sorted by name.
    pub(crate) files: Vec<Found>,
    /// What could not be looked at, and why.
    pub(crate) unseen: Vec<String>,
}

/// A part of a text that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Octets at the beginning of the file that say how to read it; they are read before the part.
    pub(crate) header: u64,
    /// Where the part begins.
    pub(crate) from: u64,
    /// Where it ends.
    pub(crate) until: u64,
    /// Whether the file is compressed. Places are those of its content.
    pub(crate) is_packed: bool,
}

impl Part {
    /// The part, of the content that it is a part of.
    pub(crate) fn of<'a>(self, mut content: impl Read + 'a) -> io::Result<impl Read + 'a> {
        let mut header = Vec::new();
        content.by_ref().take(self.header.min(self.from)).read_to_end(&mut header)?;
        io::copy(&mut content.by_ref().take(self.from - header.len() as u64), &mut io::sink())?;
        Ok(io::Cursor::new(header).chain(content.take(self.until - self.from)))
    }
}

impl Found {
    /// Where it is, in words.
    pub(crate) fn told(&self) -> String {
        match self.kept {
            Some(_) => self.name.to_string(),
            None => self.path.display().to_string(),
        }
    }

    /// Whether its first octets are such.
    pub(crate) fn begins_with(&self, are_such: fn(&[u8]) -> bool) -> anyhow::Result<bool> {
        let mut head = Vec::new();
        let read = self.open()?.take(HEAD_OCTETS).read_to_end(&mut head);
        read.with_context(|| format!("cannot read `{}`", self.path.display()))?;
        Ok(are_such(&head))
    }

    /// Opens it for reading. Of a compressed file all of it is read: its parts are parts of the content. What is
    /// appended after the file was found is not read: what is stored is what its hash was taken of.
    pub(crate) fn open(&self) -> anyhow::Result<Box<dyn Read>> {
        let context = || format!("cannot open `{}`", self.path.display());
        let file = File::open(&self.path).with_context(context)?;
        let part = match self.part {
            // Files of the system tell no size.
            None if self.octets == 0 => return Ok(Box::new(file)),
            None => return Ok(Box::new(file.take(self.octets))),
            Some(part) if part.is_packed => return Ok(Box::new(file)),
            Some(part) => part,
        };
        let mut rest = File::open(&self.path).with_context(context)?;
        rest.seek(SeekFrom::Start(part.from)).with_context(context)?;
        let header = file.take(part.header.min(part.from));
        Ok(Box::new(header.chain(rest.take(part.until - part.from))))
    }
}

impl Search {
    /// Says what could not be looked at; how much that is.
    pub(crate) fn tell_unseen(&self) -> usize {
        for unseen in &self.unseen {
            note!("{unseen}");
        }
        self.unseen.len()
    }
}

/// Every file under these paths; `-` is standard input. Hidden files, sockets and pipes in folders are left out; links
/// are followed once.
pub(crate) fn find(paths: &[PathBuf]) -> anyhow::Result<Search> {
    let search = list(paths)?;
    if search.files.is_empty() && search.unseen.is_empty() {
        let shown: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        bail!("{} holds no files", shown.join(", "));
    }
    Ok(search)
}

/// As [`find`], and empty folders are no error.
pub(crate) fn list(paths: &[PathBuf]) -> anyhow::Result<Search> {
    let mut search = Search::default();
    let mut seen = BTreeSet::new();
    for path in paths {
        if path.as_os_str() == STANDARD_INPUT {
            search.files.push(stream(io::stdin(), "standard input")?);
            continue;
        }
        let shown = path.display();
        let meta = fs::metadata(path).with_context(|| format!("cannot find `{shown}`"))?;
        if meta.is_dir() {
            folder(path, &mut seen, &mut search).with_context(|| format!("cannot list `{shown}`"))?;
        } else if meta.is_file() {
            search.files.push(file(path, meta.len(), true));
        } else {
            let opened = File::open(path).with_context(|| format!("cannot open `{shown}`"))?;
            search.files.push(stream(opened, &path.to_string_lossy())?);
        }
    }
    Ok(search)
}

fn folder(path: &Path, seen: &mut BTreeSet<PathBuf>, search: &mut Search) -> io::Result<()> {
    if !seen.insert(fs::canonicalize(path)?) {
        return Ok(());
    }
    let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for entry in entries {
        if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        let looked = fs::metadata(&entry).and_then(|meta| {
            if meta.is_dir() {
                folder(&entry, seen, search)?;
            } else if meta.is_file() {
                search.files.push(file(&entry, meta.len(), false));
            }
            Ok(())
        });
        if let Err(error) = looked {
            search.unseen.push(format!("{}: cannot look at it: {error}", entry.display()));
        }
    }
    Ok(())
}

fn file(path: &Path, octets: u64, named: bool) -> Found {
    Found {
        path: path.to_owned(),
        name: path.to_string_lossy().into(),
        octets,
        named,
        part: None,
        kept: None,
    }
}

/// A file of all that comes through a pipe.
fn stream(mut input: impl Read, name: &str) -> anyhow::Result<Found> {
    let mut kept =
        NamedTempFile::new().context("cannot make a temporary file for what comes through a pipe")?;
    let octets = io::copy(&mut input, &mut kept).with_context(|| format!("cannot read {name} to its end"))?;
    let found = file(kept.path(), octets, true);
    Ok(Found { name: name.into(), kept: Some(Arc::new(kept.into_temp_path())), ..found })
}

/// A progress bar over the octets of these files; hidden unless someone watches.
pub(crate) fn bar(found: &[Found]) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(found.iter().map(|file| file.octets).sum());
    match ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_in_order_and_hidden_files_left_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["c.log", "a.log", "b/x.log", ".hidden"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let found = find(&[folder.path().to_owned()]).unwrap().files;
        let names: Vec<_> = found
            .iter()
            .map(|file| file.path.strip_prefix(folder.path()).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["a.log", "b/x.log", "c.log"]);
        assert!(found.iter().all(|file| !file.named));
    }

    #[test]
    fn what_cannot_be_looked_at_is_told_and_the_rest_is_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.log"), "x").unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        let search = find(&[folder.path().to_owned()]).unwrap();
        assert_eq!(search.files.len(), 1);
        assert!(search.unseen[0].contains("dangling: cannot look at it"), "{:?}", search.unseen);
    }

    #[test]
    fn what_comes_through_a_pipe_is_read_more_than_once_and_then_gone() {
        let found = stream(&b"one"[..], "standard input").unwrap();
        let path = found.path.clone();
        for _ in 0..2 {
            let mut text = String::new();
            found.open().unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "one");
        }
        drop(found);
        assert!(!path.try_exists().unwrap());
    }

    #[test]
    fn what_is_written_to_a_file_after_it_was_found_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conn.log");
        fs::write(&path, "one\n").unwrap();
        let found = find(std::slice::from_ref(&path)).unwrap().files.remove(0);
        fs::write(&path, "one\ntwo\n").unwrap();
        let mut text = String::new();
        found.open().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\n");
    }

    #[test]
    fn a_part_is_read_behind_its_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conn.log");
        fs::write(&path, "#h\none\ntwo\n").unwrap();
        let read = |header, from, until| {
            let part = Some(Part { header, from, until, is_packed: false });
            let mut text = String::new();
            Found { part, ..file(&path, 11, true) }.open().unwrap().read_to_string(&mut text).unwrap();
            text
        };
        assert_eq!(read(3, 7, 11), "#h\ntwo\n");
        assert_eq!(read(3, 0, 7), "#h\none\n");
    }

    #[test]
    fn a_folder_without_files_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(&[folder.path().to_owned()]).unwrap_err();
        assert!(error.to_string().ends_with("holds no files"), "{error}");
    }
}
