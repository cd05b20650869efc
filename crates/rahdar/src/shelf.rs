//! Public files about networks, as the home keeps them: `networks/SOURCE-DAY.dump`, one for each source and
//! day (`docs/decisions/0014-dumps-beside-the-book.md`).

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rahdar_intel::registry::packed::{self, HEAD_OCTETS};
use rahdar_intel::registry::{Dump, Label, Shelf};

const FOLDER: &str = "networks";
const SUFFIX: &str = ".dump";

/// What the home keeps.
pub(crate) struct HomeShelf {
    labels: Vec<Label>,
    /// Where the dump of each label is.
    paths: Vec<PathBuf>,
}

/// What became of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It was not there.
    New,
    /// The same was there.
    Same,
    /// Another of the same source and day was there, and is no more.
    Other,
}

impl HomeShelf {
    /// Reads the labels of what the home in this folder keeps.
    pub(crate) fn open(home: &Path) -> anyhow::Result<Self> {
        let folder = home.join(FOLDER);
        let mut kept: Vec<(Label, PathBuf)> = Vec::new();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { labels: Vec::new(), paths: Vec::new() });
            }
            Err(error) => return Err(error).with_context(|| format!("cannot list `{}`", folder.display())),
        };
        for entry in entries {
            let path = entry.with_context(|| format!("cannot list `{}`", folder.display()))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Hidden: on its way, or left by an import that was killed.
            if name.starts_with('.') || !name.ends_with(SUFFIX) {
                continue;
            }
            let mut head = Vec::new();
            let read =
                File::open(&path).and_then(|file| file.take(HEAD_OCTETS as u64).read_to_end(&mut head));
            read.with_context(|| format!("cannot read `{}`", path.display()))?;
            let label = packed::label(&head).with_context(|| path.display().to_string())?;
            kept.push((label, path));
        }
        kept.sort();
        let (labels, paths) = kept.into_iter().unzip();
        Ok(Self { labels, paths })
    }

    /// Keeps a dump in the home in this folder. It is on disk when this returns; another of the same source and
    /// day makes room for it in one step.
    pub(crate) fn put(home: &Path, dump: &Dump) -> anyhow::Result<Put> {
        let folder = home.join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        let slug = Label::of(dump).slug();
        let path = folder.join(format!("{slug}{SUFFIX}"));
        let octets = packed::pack(dump);
        let put = match fs::read(&path) {
            Ok(kept) if kept == octets => return Ok(Put::Same),
            Ok(_) => Put::Other,
            Err(error) if error.kind() == ErrorKind::NotFound => Put::New,
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        let part = folder.join(format!(".{slug}.{}", std::process::id()));
        let written = write(&part, &octets).and_then(|()| fs::rename(&part, &path));
        if written.is_err() {
            // What is left of it is hidden, and in nobody's way.
            let _ = fs::remove_file(&part);
        }
        written
            .and_then(|()| File::open(&folder)?.sync_all())
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(put)
    }
}

impl Shelf for HomeShelf {
    type Error = anyhow::Error;

    fn labels(&self) -> &[Label] {
        &self.labels
    }

    fn take(&self, place: usize) -> anyhow::Result<Dump> {
        let path = self.paths.get(place).context("no dump has this place")?;
        let octets = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        packed::unpack(&octets).with_context(|| path.display().to_string())
    }
}

fn write(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(octets)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use rahdar_intel::registry::Routes;
    use rahdar_model::Day;

    use super::*;

    fn dump(asn: u32, day: i32) -> Dump {
        let mut routes = Routes::default();
        routes.add("203.0.113.0/24".parse().unwrap(), &[asn]).unwrap();
        routes.finish("routes", Day(day)).unwrap()
    }

    #[test]
    fn what_is_put_is_taken_by_its_label() {
        let home = tempfile::tempdir().unwrap();
        assert!(HomeShelf::open(home.path()).unwrap().labels().is_empty());
        assert_eq!(HomeShelf::put(home.path(), &dump(64_500, 18_800)).unwrap(), Put::New);
        assert_eq!(HomeShelf::put(home.path(), &dump(64_500, 18_700)).unwrap(), Put::New);
        assert_eq!(HomeShelf::put(home.path(), &dump(64_500, 18_800)).unwrap(), Put::Same);
        assert_eq!(HomeShelf::put(home.path(), &dump(64_501, 18_800)).unwrap(), Put::Other);
        let shelf = HomeShelf::open(home.path()).unwrap();
        let days: Vec<i32> = shelf.labels().iter().map(|label| label.as_of.0).collect();
        assert_eq!(days, [18_700, 18_800]);
        assert_eq!(shelf.take(1).unwrap(), dump(64_501, 18_800));
    }

    #[test]
    fn what_is_damaged_is_named_with_its_remedy() {
        let home = tempfile::tempdir().unwrap();
        HomeShelf::put(home.path(), &dump(64_500, 18_800)).unwrap();
        let path = HomeShelf::open(home.path()).unwrap().paths[0].clone();
        let mut octets = fs::read(&path).unwrap();
        *octets.last_mut().unwrap() ^= 1;
        fs::write(&path, &octets).unwrap();
        let error = format!("{:#}", HomeShelf::open(home.path()).unwrap().take(0).unwrap_err());
        assert!(error.contains(".dump") && error.contains("import its file again"), "{error}");
        fs::write(&path, &octets[..20]).unwrap();
        assert!(HomeShelf::open(home.path()).is_err());
    }
}
