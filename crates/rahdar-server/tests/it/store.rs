//! A store that fails, takes its time, or survives its process: the guard of a `NaiveStore`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rahdar_model::fact::{Gap, Loss, is_anybodys};
use rahdar_model::store::{Input, StoreError};
use rahdar_model::{Clock, FlowRecord, Timestamp};
use rahdar_testkit::{Guard, Keep, NaiveStore};

use crate::running::RealClock;

/// How much a slow store catches up after it had nothing to do, because the machine had.
const CREDIT_US: i64 = 5_000_000;

/// What is stored, read back from disk.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) inputs: Vec<String>,
    /// The octets of each flow, which tell flows apart.
    pub(crate) flows: Vec<u64>,
    /// Lost records by sequence number.
    pub(crate) lost: u64,
    /// Datagrams that sockets dropped.
    pub(crate) dropped: u64,
}

impl Stored {
    pub(crate) fn read(folder: &Path) -> Self {
        let mut stored = Self::default();
        for path in commits(folder) {
            for line in fs::read_to_string(path).unwrap().lines() {
                match line.split_once(' ').unwrap() {
                    ("input", id) => stored.inputs.push(id.to_owned()),
                    ("flow", octets) => stored.flows.push(octets.parse().unwrap()),
                    ("lost", records) => stored.lost += records.parse::<u64>().unwrap(),
                    ("dropped", datagrams) => stored.dropped += datagrams.parse::<u64>().unwrap(),
                    other => panic!("{other:?}"),
                }
            }
        }
        stored
    }
}

/// The commits of a store on disk. A draft may be left of one that was killed.
fn commits(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|found| found.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "commit"))
}

/// A store on disk: every commit is a file that appears at once.
#[derive(Debug)]
pub(crate) struct OnDisk {
    folder: PathBuf,
    /// What was stored before this process.
    inputs: BTreeSet<String>,
}

impl OnDisk {
    pub(crate) fn open(folder: &Path) -> NaiveStore {
        fs::create_dir_all(folder).unwrap();
        let mut inputs = BTreeSet::new();
        for path in commits(folder) {
            // The inputs stand first, and a start must not wait for what stands behind.
            let lines = BufReader::new(File::open(path).unwrap()).lines().map(Result::unwrap);
            inputs.extend(lines.map_while(|line| Some(line.strip_prefix("input ")?.to_owned())));
        }
        NaiveStore::guarded(Arc::new(Self { folder: folder.to_owned(), inputs }))
    }
}

impl Guard for OnDisk {
    fn has(&self, input: &Input) -> bool {
        self.inputs.contains(&input.id)
    }

    fn commit(&self, inputs: &[&str], flows: &[FlowRecord], gaps: &[Gap]) -> Result<Keep, StoreError> {
        let mut text: String = inputs.iter().map(|id| format!("input {id}\n")).collect();
        text.extend(flows.iter().map(|flow| format!("flow {}\n", flow.octets)));
        let lost = gaps.iter().filter(|gap| gap.cause == Loss::Sequence);
        text.extend(lost.map(|gap| format!("lost {}\n", gap.lost)));
        let of_socket = |gap: &&Gap| gap.cause == Loss::KernelDrop && is_anybodys(&gap.exporter);
        text.extend(gaps.iter().filter(of_socket).map(|gap| format!("dropped {}\n", gap.lost)));
        let number = commits(&self.folder).count();
        let (draft, path) = (self.folder.join("draft"), self.folder.join(format!("{number:08}.commit")));
        fs::write(&draft, text).unwrap();
        assert!(!path.try_exists().unwrap());
        fs::rename(draft, path).unwrap();
        Ok(Keep::Inputs)
    }
}

/// A store that fails until it is woken.
#[derive(Debug, Default)]
pub(crate) struct Asleep(AtomicBool);

impl Asleep {
    pub(crate) fn wake(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Guard for Asleep {
    fn import(&self) -> Result<(), StoreError> {
        if self.0.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(StoreError::Failed { action: "storing", cause: "the store is asleep".into() })
    }
}

/// A store with a bug.
#[derive(Debug)]
pub(crate) struct Panics;

impl Guard for Panics {
    fn commit(&self, _: &[&str], _: &[FlowRecord], _: &[Gap]) -> Result<Keep, StoreError> {
        panic!("a bug of the store, on purpose");
    }
}

/// A store that takes so many rows a second and keeps nothing; of gaps it keeps the sums.
#[derive(Debug)]
pub(crate) struct Slow {
    rows_per_second: u64,
    /// When it has stored what it was given.
    ready: Mutex<Timestamp>,
    /// By cause, in total; of what the kernel dropped, what is told of sockets.
    lost: Mutex<BTreeMap<Loss, u64>>,
}

impl Slow {
    pub(crate) fn new(rows_per_second: u64) -> Self {
        Self { rows_per_second, ready: Mutex::default(), lost: Mutex::default() }
    }

    /// What gaps of this cause say, together.
    pub(crate) fn lost(&self, cause: Loss) -> u64 {
        self.lost.lock().unwrap().get(&cause).copied().unwrap_or_default()
    }
}

impl Guard for Slow {
    fn commit(&self, _: &[&str], flows: &[FlowRecord], gaps: &[Gap]) -> Result<Keep, StoreError> {
        let is_share = |gap: &&Gap| gap.cause == Loss::KernelDrop && !is_anybodys(&gap.exporter);
        for gap in gaps.iter().filter(|gap| !is_share(gap)) {
            *self.lost.lock().unwrap().entry(gap.cause).or_default() += gap.lost;
        }
        let now = RealClock.now();
        let mut ready = self.ready.lock().unwrap();
        let takes_us = flows.len() as u64 * 1_000_000 / self.rows_per_second;
        *ready = (*ready).max(now.plus_micros(-CREDIT_US)).plus_micros(takes_us as i64);
        thread::sleep(Duration::from_micros(ready.since(now).max(0) as u64));
        Ok(Keep::Nothing)
    }
}
