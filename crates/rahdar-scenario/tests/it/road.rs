//! The whole road without the lake: the scenario's files are decoded, kept in the naive store, hunted
//! and scored. A [`Product`] may have a fault, so that the scorer can be seen to find it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rahdar_hunt::{Request, hunt};
use rahdar_intel::index::Snapshot;
use rahdar_intel::{Reading, sheet};
use rahdar_model::fact::Fact;
use rahdar_model::finding::Hunt;
use rahdar_model::intelligence::{Event, Network};
use rahdar_model::sink::SinkError;
use rahdar_model::store::{Import, Input};
use rahdar_model::{FlowRecord, FlowSink, FlowStore, Problem, Window};
use rahdar_scenario::Score;
use rahdar_testkit::NaiveStore;

use crate::Made;

/// What stands between the files and the hunt. Without a fault nothing is changed.
pub(crate) struct Product<'a> {
    /// What becomes of the records of a file.
    pub(crate) records: &'a dyn Fn(Vec<FlowRecord>) -> Vec<FlowRecord>,
    /// What becomes of what a file of intelligence says.
    pub(crate) reading: &'a dyn Fn(&mut Reading),
}

/// Nothing is changed.
pub(crate) const SOUND: Product<'_> = Product { records: &|records| records, reading: &|_| {} };

impl Product<'_> {
    pub(crate) fn hunted(&self, made: &Made) -> Hunt {
        let mut readings = readings(made);
        readings.iter_mut().for_each(self.reading);
        let store = store_of(made, self.records);
        hunt(&store, &book(&readings), &networks(made), &events(made), &everything()).unwrap()
    }

    pub(crate) fn scored(&self, made: &Made) -> Score {
        rahdar_scenario::score(&self.hunted(made), &made.truth)
    }
}

/// All of the telemetry.
pub(crate) fn store(made: &Made) -> NaiveStore {
    store_of(made, SOUND.records)
}

/// All of the telemetry, its records changed file by file.
fn store_of(made: &Made, change: &dyn Fn(Vec<FlowRecord>) -> Vec<FlowRecord>) -> NaiveStore {
    let store = NaiveStore::new();
    import(made, &store, change).commit().unwrap();
    store
}

/// An import that holds all of the telemetry and is not committed.
pub(crate) fn import<'s>(
    made: &Made,
    store: &'s NaiveStore,
    change: &dyn Fn(Vec<FlowRecord>) -> Vec<FlowRecord>,
) -> Box<dyn Import + 's> {
    let mut import = store.import().unwrap();
    import.begin(&Input { id: "scenario".to_owned(), name: "scenario".into() }).unwrap();
    for path in made.manifest.telemetry.iter().flat_map(|path| files(path)) {
        let mut sink = Sink { records: Vec::new(), import: &mut *import };
        let name = path.display().to_string();
        let mut file = File::open(&path).unwrap();
        rahdar_wire::decode(&mut file, name.into(), &Default::default(), &mut sink).unwrap();
        for record in change(sink.records) {
            import.flow(&record).unwrap();
        }
    }
    import
}

/// What each file of intelligence says.
pub(crate) fn readings(made: &Made) -> Vec<Reading> {
    let paths = made.manifest.intelligence.iter().flat_map(|path| files(path));
    let read = |path: PathBuf| {
        rahdar_intel::read(&path.display().to_string(), &fs::read(&path).unwrap(), &Default::default())
            .unwrap()
    };
    paths.map(read).collect()
}

/// All of it in one book.
pub(crate) fn book(readings: &[Reading]) -> Snapshot {
    fn all<T: Clone>(readings: &[Reading], part: fn(&Reading) -> &Vec<T>) -> Vec<T> {
        readings.iter().flat_map(part).cloned().collect()
    }
    let (claims, clusters) = (all(readings, |read| &read.claims), all(readings, |read| &read.clusters));
    Snapshot::new(1, claims, clusters, all(readings, |read| &read.facts))
        .with_aliases(&all(readings, |read| &read.aliases))
        .with_resolutions(&all(readings, |read| &read.resolutions))
}

pub(crate) fn networks(made: &Made) -> Vec<Network> {
    sheet::networks(&fs::read(&made.manifest.networks).unwrap()).unwrap().rows
}

pub(crate) fn events(made: &Made) -> Vec<Event> {
    sheet::events(&fs::read(&made.manifest.events).unwrap()).unwrap().rows
}

pub(crate) fn everything() -> Request {
    Request { window: Window::ALL, victims: Vec::new(), cluster: None, calibration: None }
}

/// A file, or what a folder holds.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut inside: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    inside.sort();
    inside.iter().flat_map(|path| files(path)).collect()
}

/// Keeps the records of a file, and hands facts on to the import; problems are no matter here.
struct Sink<'a> {
    records: Vec<FlowRecord>,
    import: &'a mut dyn Import,
}

impl FlowSink for Sink<'_> {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        self.records.push(record.clone());
        Ok(())
    }

    fn problem(&mut self, _: Problem) {}

    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        self.import.fact(fact)
    }
}
