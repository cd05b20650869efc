//! Files to import: those named, and those in the folders named.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{IsTerminal as _, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// Octets that show what a file is.
const HEAD_OCTETS: u64 = 16;

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
}

/// A part of a log that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Octets at the beginning of the file that say how to read it; they are read before the part.
    pub(crate) header: u64,
    /// Where the part begins.
    pub(crate) from: u64,
    /// Where it ends.
    pub(crate) until: u64,
}

impl Found {
    /// Whether its first octets are such.
    pub(crate) fn begins_with(&self, are_such: fn(&[u8]) -> bool) -> anyhow::Result<bool> {
        let mut head = Vec::new();
        let read = self.open()?.take(HEAD_OCTETS).read_to_end(&mut head);
        read.with_context(|| format!("cannot read `{}`", self.path.display()))?;
        Ok(are_such(&head))
    }

    /// Opens it for reading.
    pub(crate) fn open(&self) -> anyhow::Result<Box<dyn Read>> {
        let context = || format!("cannot open `{}`", self.path.display());
        let file = File::open(&self.path).with_context(context)?;
        let Some(part) = self.part else { return Ok(Box::new(file)) };
        let mut body = File::open(&self.path).with_context(context)?;
        body.seek(SeekFrom::Start(part.from)).with_context(context)?;
        Ok(Box::new(file.take(part.header.min(part.from)).chain(body.take(part.until - part.from))))
    }
}

/// Every file under these paths, in the order of the paths, each folder sorted by name. Hidden
/// files and what is not a file (sockets, pipes) are left out; links are followed once.
pub(crate) fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<Found>> {
    let found = list(paths)?;
    if found.is_empty() {
        let shown: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        bail!("{} holds no files", shown.join(", "));
    }
    Ok(found)
}

/// As [`find`], and empty folders are no error.
pub(crate) fn list(paths: &[PathBuf]) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        let meta = fs::metadata(path).with_context(|| format!("cannot find `{}`", path.display()))?;
        if meta.is_dir() {
            folder(path, &mut seen, &mut found)?;
        } else {
            found.push(file(path, meta.len(), true));
        }
    }
    Ok(found)
}

fn folder(path: &Path, seen: &mut BTreeSet<PathBuf>, found: &mut Vec<Found>) -> anyhow::Result<()> {
    let context = || format!("cannot list `{}`", path.display());
    if !seen.insert(fs::canonicalize(path).with_context(context)?) {
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).with_context(context)? {
        entries.push(entry.with_context(context)?.path());
    }
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let Ok(meta) = fs::metadata(&entry) else { continue };
        if hidden {
            continue;
        }
        if meta.is_dir() {
            folder(&entry, seen, found)?;
        } else if meta.is_file() {
            found.push(file(&entry, meta.len(), false));
        }
    }
    Ok(())
}

fn file(path: &Path, octets: u64, named: bool) -> Found {
    Found { path: path.to_owned(), name: path.to_string_lossy().into(), octets, named, part: None }
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
        let found = find(&[folder.path().to_owned()]).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|file| file.path.strip_prefix(folder.path()).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["a.log", "b/x.log", "c.log"]);
        assert!(found.iter().all(|file| !file.named));
    }

    #[test]
    fn a_part_is_read_behind_its_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conn.log");
        fs::write(&path, "#h\none\ntwo\n").unwrap();
        let read = |header, from, until| {
            let part = Some(Part { header, from, until });
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
