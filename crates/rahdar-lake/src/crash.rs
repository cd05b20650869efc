//! Imports that are killed, cut off or refused by the disk at every step (`reliability.md` R6, R7,
//! R8), and the helpers that lake tests share.
//!
//! `RAHDAR_TIER=nightly` takes every step and every cut; else some are passed over, and the
//! figures in `docs/reliability.md` say which.

mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rahdar_model::column::Row as _;
use rahdar_model::fact::{Fact, Gap, Handshake, Resolution};
use rahdar_model::sink::SinkError;
use rahdar_model::store::{Admission, Cell, Commit, HandshakesAsked, Input, StoreError};
use rahdar_model::{FlowRecord, FlowStore, Window};
use rahdar_testkit::{flow, is_nightly};

use crate::Lake;
use crate::disk::{Disk, RealDisk};
use crate::leftovers;
use crate::table::Table;

/// The name that is resolved in every import.
const NAME: &str = "c2.example.org";

/// A lake that holds `flows` as one input, in a folder that lives as long as the first value.
pub(crate) fn lake_of(flows: &[FlowRecord]) -> (tempfile::TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    import(&lake, "a", flows).unwrap();
    (folder, lake)
}

/// Imports `flows` as the input `id`, unless that is stored, and with them one fact of each kind.
pub(crate) fn import(lake: &Lake, id: &str, flows: &[FlowRecord]) -> Result<Commit, StoreError> {
    let mut import = lake.import()?;
    if import.begin(&Input { id: id.to_owned(), name: id.into() })? == Admission::New {
        let failing = |error: SinkError| match error.into_cause().downcast::<StoreError>() {
            Ok(error) => *error,
            Err(cause) => StoreError::Failed { action: "importing", cause },
        };
        for flow in flows {
            import.flow(flow).map_err(failing)?;
        }
        let resolution = Resolution { name: NAME.to_owned(), ..Resolution::blank() };
        import.fact(Fact::Resolution(&resolution)).map_err(failing)?;
        import.fact(Fact::Handshake(&Handshake::blank())).map_err(failing)?;
        import.fact(Fact::Gap(&Gap { lost: 1, ..Gap::blank() })).map_err(failing)?;
    }
    import.commit()
}

/// Three flows of two days.
fn flows() -> Vec<FlowRecord> {
    ["2021-08-15T12:00:00Z", "2021-08-15T12:00:01Z", "2021-08-17"]
        .map(|start| flow("192.0.2.1:5 > 203.0.113.9:443").at(start).build())
        .to_vec()
}

/// Flows and facts of each kind, as they are read from their files: one question, because questions are
/// what takes long here.
fn rows(lake: &Lake) -> [u64; 4] {
    let of_table = |table: &Arc<Table>| {
        let (name, time) = (table.layout().name, table.layout().time);
        // A sum of what is in files: a bare count would be taken from the log.
        format!(
            "SELECT '{name}' AS name, sum(CASE WHEN \"{time}\" IS NULL THEN 0 ELSE 1 END) AS n FROM {name}"
        )
    };
    let sql = lake.tables().map(of_table).join(" UNION ALL ");
    let answer = lake.query(&sql, Default::default()).unwrap_or_else(|error| panic!("{}", chain(&error)));
    lake.tables().map(|table| {
        let name = Cell::Text(table.layout().name.to_owned());
        match answer.rows.iter().find(|row| row[0] == name).map(|row| &row[1]) {
            Some(Cell::Int(n)) => *n as u64,
            _ => 0,
        }
    })
}

/// A step of an import, as far as a disk knows.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    MakeFolder(PathBuf),
    Create(PathBuf),
    Write(PathBuf, Vec<u8>),
    Sync(PathBuf),
    SyncFolder(PathBuf),
    Link(PathBuf, PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// The import of so many inputs was acknowledged. No step of the disk, but of the story.
    Acknowledged(u64),
}

/// What happens at one step.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Killed before it: it and all later ones do nothing.
    Killed,
    /// This error of the operating system, at that step alone.
    Error(i32),
    /// No space from that step on, for whatever needs any, until there is some again.
    Full,
}

/// `reliability.md` R6.
const OPENS_IN: Duration = Duration::from_secs(5);

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A disk with a fault at the `at`-th step. It keeps a log of the steps that were done.
#[derive(Debug)]
struct FaultyDisk {
    fault: Fault,
    at: usize,
    /// Steps asked for, done or not.
    asked: Mutex<usize>,
    done: Arc<Mutex<Vec<Step>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FaultyDisk {
    fn new(fault: Fault, at: usize) -> Self {
        Self { fault, at, asked: Mutex::new(0), done: Arc::default() }
    }

    /// Does a step, or what the fault makes of it. Steps are done one after another.
    fn step<T>(&self, step: Step, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let mut asked = lock(&self.asked);
        *asked += 1;
        let needs_space = matches!(step, Step::MakeFolder(_) | Step::Create(_) | Step::Write(..));
        match self.fault {
            Fault::Killed if *asked >= self.at => Err(io::Error::other("killed")),
            Fault::Error(code) if *asked == self.at => Err(io::Error::from_raw_os_error(code)),
            Fault::Full if *asked >= self.at && needs_space => Err(io::Error::from_raw_os_error(ENOSPC)),
            _ => {
                let ran = run()?;
                lock(&self.done).push(step);
                Ok(ran)
            }
        }
    }

    fn has_struck(&self) -> bool {
        *lock(&self.asked) >= self.at
    }
}

impl Disk for FaultyDisk {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let missing: Vec<&Path> =
            folder.ancestors().take_while(|folder| !folder.try_exists().unwrap_or(true)).collect();
        missing.into_iter().rev().try_for_each(|folder| {
            self.step(Step::MakeFolder(folder.to_owned()), || RealDisk.make_folder(folder))
        })
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        self.step(Step::Create(path.to_owned()), || RealDisk.create(path))
    }

    /// A write that fails has written half.
    fn write(&self, file: &File, path: &Path, octets: &[u8]) -> io::Result<()> {
        let done =
            self.step(Step::Write(path.to_owned(), octets.to_owned()), || RealDisk.write(file, path, octets));
        if done.is_err() && *lock(&self.asked) == self.at {
            RealDisk.write(file, path, &octets[..octets.len() / 2])?;
        }
        done
    }

    fn sync(&self, _file: &File, path: &Path) -> io::Result<()> {
        // Nobody cuts the power of this machine.
        self.step(Step::Sync(path.to_owned()), || Ok(()))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step(Step::SyncFolder(folder.to_owned()), || Ok(()))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(Step::Link(from.to_owned(), to.to_owned()), || RealDisk.link(from, to))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(Step::Rename(from.to_owned(), to.to_owned()), || RealDisk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(Step::Remove(path.to_owned()), || RealDisk.remove(path))
    }
}

/// What a lake held before the import that goes wrong.
#[derive(Debug, Clone, Copy)]
enum Before {
    /// There was none: the tables are made too.
    Nothing,
    /// So many entries that the log is summed up too.
    TwentyCommits,
}

impl Before {
    const INPUTS: u64 = 20;

    fn inputs(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::TwentyCommits => Self::INPUTS,
        }
    }

    /// A folder that lakes of this kind are copied from.
    fn template(self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::new(Fault::None, 0));
        if self.inputs() > 0 {
            let lake = Lake::open_on(disk, folder.path()).unwrap();
            for n in 0..self.inputs() {
                import(&lake, &n.to_string(), &flows()).unwrap();
            }
        }
        folder
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Opens a lake that something went wrong with; it must not take long. By night only is there a machine
/// that has nothing else to do.
#[expect(clippy::disallowed_methods, reason = "how long it takes is asserted")]
fn reopen(folder: &Path) -> Lake {
    let begun = Instant::now();
    // Nobody cuts the power of this machine, and syncing takes most of the time.
    let lake = Lake::open_on(Arc::new(FaultyDisk::new(Fault::None, 0)), folder).unwrap();
    assert!(!is_nightly() || begun.elapsed() < OPENS_IN, "opening took {:?}", begun.elapsed());
    lake
}

/// Runs an import with the fault at its first step, and on in strides until it gets by.
fn fail_in_strides(before: Before, fault: Fault, stride: usize) {
    let template = before.template();
    let old = before.inputs();
    for (struck, at) in (1..).step_by(if is_nightly() { 1 } else { stride }).enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        copy(template.path(), &home);
        let disk = Arc::new(FaultyDisk::new(fault, at));
        let opened = Lake::open_on(disk.clone(), &home);
        let outcome = opened.and_then(|lake| import(&lake, "new", &flows()));
        let context = format!("{fault:?} at step {at} after {before:?}");

        let lake = reopen(&home);
        let found = lake.count(Window::ALL).unwrap();
        assert!(found == old * 3 || found == old * 3 + 3, "{context}: {found} rows");
        match &outcome {
            Ok(_) => assert_eq!(found, old * 3 + 3, "{context}: what was acknowledged is there"),
            Err(error) if matches!(fault, Fault::Error(_) | Fault::Full) => {
                let told = chain(error);
                let named = told.contains(folder.path().to_str().unwrap());
                assert!(named && told.contains("os error"), "{context}: the path is named: {told}");
            }
            Err(_) => {}
        }
        import(&lake, "new", &flows()).unwrap();
        assert_eq!(rows(&lake), [old * 3 + 3, old + 1, old + 1, old + 1], "{context}: stored once");
        let left = leftovers::all(&lake).unwrap();
        assert!(left.is_empty(), "{context}: left behind: {left:?}");
        if !disk.has_struck() {
            assert!(outcome.is_ok());
            eprintln!("{before:?}, {fault:?}: {struck} faults in {} steps", at - 1);
            return;
        }
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    told
}

#[test]
fn an_import_killed_at_any_step_is_whole_or_nothing() {
    fail_in_strides(Before::Nothing, Fault::Killed, 1);
}

#[test]
fn an_import_that_sums_up_the_log_may_be_killed_too() {
    fail_in_strides(Before::TwentyCommits, Fault::Killed, 6);
}

#[test]
fn an_error_of_the_disk_at_any_step_leaves_the_table_whole() {
    fail_in_strides(Before::Nothing, Fault::Error(EIO), 1);
    fail_in_strides(Before::TwentyCommits, Fault::Error(EIO), 12);
}

#[test]
fn a_disk_that_is_full_from_any_step_on_leaves_the_table_whole() {
    fail_in_strides(Before::Nothing, Fault::Full, 1);
    fail_in_strides(Before::TwentyCommits, Fault::Full, 14);
}

/// What a disk holds when the power is cut: all that was synced, and of the rest what `Kept` says.
struct Cut<'a> {
    /// Content of files: as written, and as synced.
    files: Vec<(Vec<u8>, Vec<u8>)>,
    /// Names as programs see them; none is a folder.
    seen: BTreeMap<&'a Path, Option<usize>>,
    /// Names that are on disk.
    synced: BTreeMap<&'a Path, Option<usize>>,
}

/// What a disk made of changes that were not synced.
#[derive(Debug, Clone, Copy)]
enum Unsynced {
    /// They are lost.
    Lost,
    /// Names arrived; content is zeros.
    Zeros,
    /// Some names arrived, others not.
    Some(u64),
}

impl<'a> Cut<'a> {
    fn after(steps: &'a [Step]) -> Self {
        let mut cut = Self { files: Vec::new(), seen: BTreeMap::new(), synced: BTreeMap::new() };
        for step in steps {
            cut.take(step);
        }
        cut
    }

    fn take(&mut self, step: &'a Step) {
        match step {
            Step::MakeFolder(path) => _ = self.seen.insert(path, None),
            Step::Create(path) => {
                self.seen.insert(path, Some(self.files.len()));
                self.files.push(Default::default());
            }
            Step::Write(path, octets) => {
                let file = self.seen[path.as_path()].unwrap();
                self.files[file].0.extend(octets);
            }
            Step::Sync(path) => {
                let file = self.seen[path.as_path()].unwrap();
                self.files[file].1 = self.files[file].0.clone();
            }
            Step::SyncFolder(folder) => {
                let is_in = |path: &&Path| path.parent() == Some(folder);
                self.synced.retain(|path, _| !is_in(path));
                self.synced.extend(self.seen.iter().filter(|(path, _)| is_in(path)));
            }
            Step::Link(from, to) => _ = self.seen.insert(to, self.seen[from.as_path()]),
            Step::Rename(from, to) => {
                let file = self.seen.remove(from.as_path()).unwrap();
                self.seen.insert(to, file);
            }
            Step::Remove(path) => _ = self.seen.remove(path.as_path()),
            Step::Acknowledged(_) => {}
        }
    }

    /// Makes the folder `base`, as it is after the cut, in the folder `to`.
    fn write(&self, unsynced: Unsynced, base: &Path, to: &Path) {
        let names: BTreeSet<&Path> = self.seen.keys().chain(self.synced.keys()).copied().collect();
        // Folders come before what is in them.
        for (number, name) in names.into_iter().enumerate() {
            let (seen, synced) = (self.seen.get(name), self.synced.get(name));
            let arrived = match unsynced {
                Unsynced::Lost => synced,
                Unsynced::Zeros => seen,
                Unsynced::Some(seed) if random(seed, number as u64) & 1 == 0 => seen,
                Unsynced::Some(_) => synced,
            };
            let (Some(node), Ok(below)) = (arrived, name.strip_prefix(base)) else { continue };
            let target = to.join(below);
            if !target.parent().is_some_and(Path::is_dir) {
                continue;
            }
            match node {
                None => _ = fs::create_dir_all(&target),
                Some(file) => {
                    let (written, synced) = &self.files[*file];
                    let mut content = synced.clone();
                    if !matches!(unsynced, Unsynced::Lost) {
                        content.resize(written.len(), 0);
                    }
                    fs::write(&target, content).unwrap();
                }
            }
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014), of two numbers.
pub(crate) fn random(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Cuts the power after steps of a story, the first of them after so many, and looks at what is left. Returns how often.
fn cut_in_strides(base: &Path, steps: &[Step], from: usize, stride: usize) -> usize {
    let kinds = [Unsynced::Lost, Unsynced::Zeros, Unsynced::Some(1), Unsynced::Some(2)];
    let mut cuts = 0;
    for end in (from..=steps.len()).rev().step_by(stride) {
        let acknowledged = steps[..end].iter().rev().find_map(|step| match step {
            Step::Acknowledged(inputs) => Some(*inputs),
            _ => None,
        });
        let acknowledged = acknowledged.unwrap_or(0);
        let cut = Cut::after(&steps[..end]);
        let kinds = if is_nightly() { &kinds[..] } else { &kinds[cuts % kinds.len()..][..1] };
        for kind in kinds {
            let folder = tempfile::tempdir().unwrap();
            cut.write(*kind, base, folder.path());
            let context = format!("{kind:?} after {end} steps of {}", steps.len());
            let lake = reopen(folder.path());
            let found = lake.count(Window::ALL).unwrap();
            assert!(found >= acknowledged * 3, "{context}: {found} rows of {acknowledged} inputs");
            assert_eq!(found % 3, 0, "{context}: whole or nothing");
            for input in 0..2_u64 {
                import(&lake, &input.to_string(), &flows()).unwrap();
            }
            assert_eq!(rows(&lake), [6, 2, 2, 2], "{context}");
            cuts += 1;
        }
    }
    cuts
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_after_any_step() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let disk = Arc::new(FaultyDisk::new(Fault::None, 0));
    let lake = Lake::open_on(disk.clone(), &base).unwrap();
    for input in 0..2_u64 {
        import(&lake, &input.to_string(), &flows()).unwrap();
        lock(&disk.done).push(Step::Acknowledged(input + 1));
    }
    let steps = lock(&disk.done).clone();
    let cuts = cut_in_strides(&base, &steps, 0, if is_nightly() { 1 } else { 12 });
    eprintln!("{cuts} power cuts in {} steps", steps.len());
}

/// Killed after the entry has its name and before that is synced; then repeated, and told that all is
/// stored; then the power is cut.
#[test]
fn what_was_found_stored_survives_a_power_cut_too() {
    let whole = Arc::new(FaultyDisk::new(Fault::None, 0));
    let folder = tempfile::tempdir().unwrap();
    import(&Lake::open_on(whole.clone(), folder.path()).unwrap(), "0", &flows()).unwrap();
    let steps = *lock(&whole.asked);
    // The entry of the flows comes last.
    let mut found_stored = 0;
    for at in if is_nightly() { 1 } else { steps - 8 }..=steps {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let first = Arc::new(FaultyDisk::new(Fault::Killed, at));
        let outcome = Lake::open_on(first.clone(), &base).and_then(|lake| import(&lake, "0", &flows()));
        let second = FaultyDisk { done: first.done.clone(), ..FaultyDisk::new(Fault::None, 0) };
        let lake = Lake::open_on(Arc::new(second), &base).unwrap();
        let added = import(&lake, "0", &flows()).unwrap().rows;
        if outcome.is_err() && added == 0 {
            found_stored += 1;
        }
        let after = tempfile::tempdir().unwrap();
        Cut::after(&lock(&first.done)).write(Unsynced::Lost, &base, after.path());
        let lake = reopen(after.path());
        assert_eq!(rows(&lake), [3, 1, 1, 1], "killed at step {at}");
    }
    assert!(found_stored > 0, "no kill came between name and sync");
}

/// Damage in one file: an octet that is another, or an end that is missing (`reliability.md` R16).
#[test]
fn a_damaged_file_ends_no_process_and_is_named() {
    let template = Before::TwentyCommits.template();
    let lake = reopen(template.path());
    // The log is summed up, and goes on.
    import(&lake, "20", &flows()).unwrap();
    import(&lake, "21", &flows()).unwrap();
    drop(lake);
    let mut kinds: [Vec<PathBuf>; 4] = Default::default();
    for path in files_below(template.path()) {
        let name = path.to_str().unwrap();
        let kind = match name {
            _ if name.ends_with(".checkpoint.parquet") => 0,
            _ if name.ends_with(".parquet") => 1,
            _ if name.ends_with(".json") => 2,
            _ => 3,
        };
        kinds[kind].push(path);
    }
    let (mut flips, mut cuts) = ([0_u32; 3], [0_u32; 3]);
    let trials = if is_nightly() { 1_200 } else { 50 };
    for trial in 0..trials {
        let draw = |n| random(trial, n) as usize;
        let files = &kinds[trial as usize % 4];
        let victim = files[draw(1) % files.len()].strip_prefix(template.path()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        copy(template.path(), folder.path());
        let path = folder.path().canonicalize().unwrap().join(victim);
        let mut content = fs::read(&path).unwrap();
        let place = draw(2) % content.len();
        let counts = if trial % 6 == 5 {
            content.truncate(place);
            &mut cuts
        } else {
            content[place] ^= 1 << (draw(3) % 8);
            &mut flips
        };
        fs::write(&path, &content).unwrap();

        let context = || format!("trial {trial}: octet {place} of {}", victim.display());
        match ask_everything(folder.path()) {
            Ok(()) => counts[0] += 1,
            Err(StoreError::Damaged { path: named, cause }) => {
                assert!(!cause.to_string().is_empty());
                let is_it = Path::new(&named) == path;
                counts[if is_it { 1 } else { 2 }] += 1;
                let base = folder.path().canonicalize().unwrap();
                assert!(Path::new(&named).starts_with(base), "{}: {named}", context());
                if !is_it {
                    eprintln!("{}: named `{named}`: {cause}", context());
                }
            }
            Err(error) => panic!("{}: {}", context(), chain(&error)),
        }
    }
    eprintln!("unnoticed, named, other named: {flips:?} of flips, {cuts:?} of cuts");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// Reads every column of every row.
fn ask_everything(folder: &Path) -> Result<(), StoreError> {
    let lake = Lake::open_on(Arc::new(FaultyDisk::new(Fault::None, 0)), folder)?;
    lake.sightings(&["192.0.2.1".parse().unwrap()], Window::ALL, &mut drop)?;
    lake.resolutions(&[NAME], &[], Window::ALL, &mut drop)?;
    let anywhere = ["::/0".parse().unwrap()];
    lake.handshakes(&HandshakesAsked { networks: &anywhere, ..Default::default() }, Window::ALL, &mut drop)?;
    lake.gaps(Window::ALL)?;
    lake.coverage(Window::ALL)?;
    lake.import()?;
    Ok(())
}

#[test]
fn a_pinned_lake_stands_still_while_others_import() {
    let (folder, lake) = lake_of(&flows());
    let pinned = lake.pinned().unwrap();
    let other = Lake::open(folder.path()).unwrap();
    for number in 0..3 {
        assert_eq!((pinned.version().unwrap(), pinned.count(Window::ALL).unwrap()), (1, 3));
        assert_eq!(rows(&pinned), [3, 1, 1, 1]);
        import(&other, &format!("b{number}"), &flows()).unwrap();
    }
    let mut sighted = 0;
    pinned.sightings(&["192.0.2.1".parse().unwrap()], Window::ALL, &mut |_| sighted += 1).unwrap();
    assert_eq!((sighted, pinned.gaps(Window::ALL).unwrap().len()), (3, 1));
    assert_eq!((lake.version().unwrap(), rows(&lake)), (4, [12, 4, 4, 4]));
    assert!(pinned.import().is_err(), "what stands still takes no imports");
}
