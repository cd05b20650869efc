//! Roshan-2021: a scenario with a known truth.
//!
//! Two newspaper articles of September 2021 say that four clusters of activity were on one Afghan
//! telecom's mail server, one of them on a second telecom too, and that at least four gigabytes
//! left. This room makes fifteen months of telemetry in which that happens, with what misleads
//! around it, the intelligence a defender would have, and a truth file; and it scores what a hunt
//! says against that truth. Labels carry the articles' names; what the articles do not say is
//! invented; every address is one of documentation or benchmarks.
//!
//! In reading order:
//!
//! * `plan`: when, where, who watches. `draw`: chance, one sub-stream per subject.
//! * `session`: one conversation, packet by packet. `path`: which exporters it passes.
//! * `actors`, `decoys`, `background`: what happens.
//! * `sampling`: what an exporter records of it. `encode`: how it is written.
//! * `telemetry`, `intelligence` and `passive_dns`: the files.
//! * [`truth`]: what really happened. [`score`](mod@score): the judge. [`grade`]: over many seeds.
//!
//! The same settings make the same octets on every machine. The crate writes where it is told to and
//! knows no clock, no network and nothing of how findings are made.

mod actors;
mod background;
mod decoys;
mod draw;
mod encode;
pub mod grade;
mod intelligence;
mod passive_dns;
mod path;
mod plan;
mod sampling;
pub mod score;
mod session;
mod telemetry;
pub mod truth;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rahdar_model::Day;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use grade::Grade;
pub use score::{Score, score};
pub use truth::Truth;

use telemetry::World;

/// What a scenario is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Chooses everything that is drawn.
    pub seed: u64,
    /// Background conversations that leave a record, about, at all sensors together. Clusters, decoys
    /// and what runs by the clock come on top and do not depend on it.
    pub flows: u64,
    /// Who watches.
    pub sampling: Sampling,
}

impl Default for Settings {
    /// Seed 1, 120,000 background conversations, the sampling exporters.
    fn default() -> Self {
        Self { seed: 1, flows: 120_000, sampling: Sampling::Exporters }
    }
}

/// Who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sampling {
    /// E1 (IPFIX, 1:512), E2 (NetFlow v9, 1:1000) and E3 (sFlow v5, 1:4000).
    Exporters,
    /// The same three, all at this interval, 2–1,000,000.
    Uniform(u32),
    /// E0, one unsampled sensor that sees everything (Zeek).
    Unsampled,
}

impl Sampling {
    /// What `--sampling N` asks for: none the exporters as they are, 1 the unsampled sensor, any
    /// other number that interval on all three exporters.
    pub const fn of_interval(interval: Option<u32>) -> Self {
        match interval {
            None => Self::Exporters,
            Some(1) => Self::Unsampled,
            Some(interval) => Self::Uniform(interval),
        }
    }
}

/// How far the making is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The day that is being made.
    pub day: Day,
    /// Days done.
    pub done: usize,
    /// Days in all.
    pub total: usize,
}

/// The files of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// For `flows import`.
    pub telemetry: Vec<PathBuf>,
    /// For `intel import`, in the order of publication.
    pub intelligence: Vec<PathBuf>,
    /// For `networks import`.
    pub networks: PathBuf,
    /// For `events import`.
    pub events: PathBuf,
    /// For the scorer alone.
    pub truth: PathBuf,
}

/// Why a scenario was not made, or a truth not read, by what the caller can do.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// Choose another interval.
    #[error(
        "a sampling interval of `{interval}` is not possible here: choose 1, or 2 to {}",
        plan::MOST_INTERVAL
    )]
    Interval {
        /// The interval asked for.
        interval: u32,
    },
    /// Choose an empty folder.
    #[error("`{}` is in the way and is not of this scenario: choose an empty folder", path.display())]
    Occupied {
        /// The file in the way.
        path: PathBuf,
    },
    /// The disk failed or is full.
    #[error("`{}` could not be written", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What failed.
        #[source]
        source: io::Error,
    },
    /// The file is not there or cannot be opened.
    #[error("`{}` could not be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What failed.
        #[source]
        source: io::Error,
    },
    /// The file is no truth of this version. Make the scenario again.
    #[error("`{}` is not the truth of a scenario", path.display())]
    NoTruth {
        /// The file.
        path: PathBuf,
        /// Where it differs.
        #[source]
        source: serde_json::Error,
    },
}

/// Makes the scenario and writes its files into `out`, which is created where it is missing.
///
/// `out/telemetry/` and `out/intelligence/` may be handed to an import as folders.
///
/// # Errors
/// [`ScenarioError::Interval`], [`ScenarioError::Occupied`] before anything is written,
/// [`ScenarioError::Write`], and [`ScenarioError::Read`] where what was written cannot be read back.
pub fn write(
    settings: &Settings,
    out: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Manifest, ScenarioError> {
    let world = World::new(settings)?;
    let telemetry = folder(out.join("telemetry"), &world.files())?;
    let intelligence = folder(out.join("intelligence"), &intelligence::files())?;
    let done = world.write(&telemetry, progress)?;
    for (name, text) in intelligence::all() {
        put(&intelligence.join(name), &text)?;
    }
    let manifest = Manifest {
        telemetry: done.iter().map(|file| telemetry.join(&file.file)).collect(),
        intelligence: intelligence::files().iter().map(|name| intelligence.join(name)).collect(),
        networks: out.join("networks.csv"),
        events: out.join("events.csv"),
        truth: out.join("truth.json"),
    };
    put(&manifest.networks, &intelligence::networks())?;
    put(&manifest.events, &intelligence::events())?;
    let made = manifest.telemetry.iter().chain(&manifest.intelligence);
    let made = made.chain([&manifest.networks, &manifest.events]).map(|path| content(out, path));
    let truth = Truth { files: made.collect::<Result<_, _>>()?, ..Truth::of(&world, done) };
    let truth = serde_json::to_string_pretty(&truth).expect("keys are texts");
    put(&manifest.truth, &(truth + "\n"))?;
    Ok(manifest)
}

/// Makes a folder that may hold these files and no others.
fn folder(path: PathBuf, names: &[String]) -> Result<PathBuf, ScenarioError> {
    let entries = fs::create_dir_all(&path).and_then(|()| fs::read_dir(&path)).map_err(failed(&path))?;
    for entry in entries {
        let entry = entry.map_err(failed(&path))?;
        if !names.iter().any(|name| **name == *entry.file_name()) {
            return Err(ScenarioError::Occupied { path: entry.path() });
        }
    }
    Ok(path)
}

/// What a file that was written holds, by its hash.
fn content(out: &Path, path: &Path) -> Result<truth::Content, ScenarioError> {
    let read = |source| ScenarioError::Read { path: path.to_owned(), source };
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(path).map_err(read)?).map_err(read)?;
    let name = path.strip_prefix(out).unwrap_or(path).display().to_string();
    Ok(truth::Content { file: name, blake3: hasher.finalize().to_hex().to_string() })
}

fn put(path: &Path, text: &str) -> Result<(), ScenarioError> {
    fs::write(path, text).map_err(failed(path))
}

/// Names the file of a failed write.
fn failed(path: &Path) -> impl Fn(io::Error) -> ScenarioError {
    move |source| ScenarioError::Write { path: path.to_owned(), source }
}
