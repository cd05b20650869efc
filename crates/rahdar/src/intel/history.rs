//! `rahdar intel import --history`: the versions of a list that git keeps, each for the time it stood.
//!
//! The program `git` is asked, for reading alone: nothing is fetched, checked out or written, and no program
//! that a repository names is run. The first-parent line counts: what stood on the branch, when it stood
//! there. Times are those of the commits; one before its parent's is taken for the parent's.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use rahdar_intel::reading::{ReadError, ReadOptions, Reading};
use rahdar_intel::scan::history::{self, Version};
use rahdar_model::Timestamp;

/// Versions of one file that are read; chosen here: ten years of an hourly list.
const VERSIONS_MAX: usize = 100_000;

/// Files of one repository whose history is read; chosen here.
const FILES_MAX: usize = 100_000;

/// A file in a repository.
#[derive(Debug)]
pub(crate) struct Kept {
    repository: PathBuf,
    /// Its path in the repository.
    path: String,
    /// The commit that the branch stands at.
    head: String,
    /// For people, and for what its name says.
    name: String,
    is_named: bool,
}

/// The files of these paths that git keeps, also those that it kept once. A folder stands for all in it.
pub(crate) fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<Kept>> {
    let mut found = Vec::new();
    for path in paths {
        let folder = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let context = || format!("`{}` has no history that git can read", path.display());
        let top = line(folder, &["rev-parse", "--show-toplevel"]).with_context(context)?;
        let repository = PathBuf::from(top);
        let head = line(&repository, &["rev-parse", "HEAD"]).with_context(context)?;
        let whole = std::fs::canonicalize(path).with_context(context)?;
        let below = whole.strip_prefix(std::fs::canonicalize(&repository)?).unwrap_or(Path::new(""));
        let below = if below.as_os_str().is_empty() { ".".to_owned() } else { below.display().to_string() };
        let listed = git(
            &repository,
            &[
                "log",
                "--first-parent",
                "--diff-merges=first-parent",
                "--format=",
                "--name-only",
                "--no-renames",
                "-z",
                "--",
                &below,
            ],
        )?;
        let listed: BTreeSet<&str> = listed.split(['\0', '\n']).filter(|path| !path.is_empty()).collect();
        if listed.len() > FILES_MAX {
            bail!("`{}` holds more than {FILES_MAX} files; name some of them", path.display());
        }
        let called = repository.file_name().map(|name| name.to_string_lossy().into_owned());
        let called = called.unwrap_or_default();
        found.extend(listed.into_iter().map(|file| Kept {
            repository: repository.clone(),
            path: file.to_owned(),
            head: head.clone(),
            name: format!("{called}/{file}"),
            is_named: !path.is_dir(),
        }));
    }
    if found.is_empty() {
        bail!("git keeps no history of what was named: commit it first, or import it without --history");
    }
    Ok(found)
}

impl Kept {
    /// The name of the repository and the path in it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What the history is known by: another commit is another history.
    pub(crate) fn content(&self) -> String {
        format!("the history of {} until {}", self.path, self.head)
    }

    /// Whether it was named itself, not found in a folder.
    pub(crate) fn is_named(&self) -> bool {
        self.is_named
    }

    /// Reads all versions as windows.
    pub(crate) fn read(&self, options: &ReadOptions) -> anyhow::Result<Result<Reading, ReadError>> {
        let commits = self.commits()?;
        let blobs = RefCell::new(Blobs::open(&self.repository)?);
        let failed = RefCell::new(None);
        let mut last: Option<Version> = None;
        let versions = commits.into_iter().map_while(|(at, commit)| {
            // At the end of the branch it stands as it last stood; where it was removed, it stood until then.
            let bytes = match blobs.borrow_mut().get(&format!("{commit}:{}", self.path)) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => last.take().map(|last| last.bytes).unwrap_or_default(),
                Err(error) => {
                    *failed.borrow_mut() = Some(error);
                    return None;
                }
            };
            let version = Version { at, bytes };
            last = Some(version.clone());
            Some(version)
        });
        let reading = history::read(&self.name, versions, options);
        match failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(reading),
        }
    }

    /// The commits that changed the file, oldest first, and the end of the branch if the file is there.
    fn commits(&self) -> anyhow::Result<Vec<(Timestamp, String)>> {
        let format = "--format=%ct %H";
        let line =
            ["log", "--first-parent", "--diff-merges=first-parent", "--no-renames", format, "--reverse"];
        let changed = git(&self.repository, &[&line[..], &["--", &self.path]].concat())?;
        let is_there =
            !git(&self.repository, &["ls-tree", "--name-only", "HEAD", "--", &self.path])?.is_empty();
        let end = match is_there {
            true => git(&self.repository, &["log", "-1", format, "HEAD"])?,
            false => String::new(),
        };
        let mut commits: Vec<(Timestamp, String)> = Vec::new();
        for row in changed.lines().chain(end.lines()) {
            let parts = row.split_once(' ').and_then(|(at, commit)| Some((at.parse().ok()?, commit)));
            let (at, commit) = parts.with_context(|| format!("git says `{row}`, which is no commit"))?;
            let before = commits.last().map_or(Timestamp::MIN, |(before, _)| *before);
            commits.push((Timestamp::from_seconds(at).max(before), commit.to_owned()));
        }
        if commits.len() > VERSIONS_MAX {
            bail!("{} has more than {VERSIONS_MAX} versions", self.name);
        }
        Ok(commits)
    }
}

/// A git that hands out files of commits.
struct Blobs {
    child: Child,
    asked: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Blobs {
    fn open(repository: &Path) -> anyhow::Result<Self> {
        let mut command = command(repository, &["cat-file", "--batch"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("cannot run `git`")?;
        let asked = child.stdin.take().context("cannot write to `git`")?;
        let told = BufReader::new(child.stdout.take().context("cannot read from `git`")?);
        Ok(Self { child, asked, told })
    }

    /// The octets of a file in a commit; none if it is not in it, or is no file.
    fn get(&mut self, object: &str) -> anyhow::Result<Option<Vec<u8>>> {
        if object.contains('\n') {
            bail!("git cannot look up `{object}`");
        }
        writeln!(self.asked, "{object}").context("cannot write to `git`")?;
        let mut head = String::new();
        self.told.read_line(&mut head).context("cannot read from `git`")?;
        let mut words = head.trim_end().rsplit(' ');
        let (size, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Ok(size) = size.parse::<u64>() else { return Ok(None) };
        if size > rahdar_intel::FILE_MAX as u64 {
            bail!("`{object}` is larger than {} MiB", rahdar_intel::FILE_MAX >> 20);
        }
        let mut bytes = Vec::new();
        // A line break follows.
        (&mut self.told).take(size + 1).read_to_end(&mut bytes).context("cannot read from `git`")?;
        if bytes.len() as u64 != size + 1 {
            bail!("git ended in the middle of `{object}`");
        }
        bytes.pop();
        Ok((kind == "blob").then_some(bytes))
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A git that reads, and runs, fetches and asks nothing.
fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder);
    command.args(["--no-pager", "--no-optional-locks", "--literal-pathspecs"]);
    command.args(["-c", "core.fsmonitor=false", "-c", "protocol.allow=never", "-c", "core.quotePath=false"]);
    command.args(args);
    command.env("GIT_NO_LAZY_FETCH", "1").env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null());
    command
}

/// What git says.
fn git(folder: &Path, args: &[&str]) -> anyhow::Result<String> {
    let output = command(folder, args).output().context("cannot run `git`: is it installed?")?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("git: {}", told.lines().next().unwrap_or("it failed").trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The one line that git says.
fn line(folder: &Path, args: &[&str]) -> anyhow::Result<String> {
    Ok(git(folder, args)?.trim_end().to_owned())
}
