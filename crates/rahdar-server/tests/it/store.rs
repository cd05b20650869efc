//! A store that can fail, and that survives its process: it answers as `NaiveStore` does, and every
//! commit is also a file that appears at once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rahdar_model::coverage::{CoverageHour, ExporterCoverage};
use rahdar_model::fact::{Fact, Gap, Handshake, Loss, Resolution};
use rahdar_model::sink::SinkError;
use rahdar_model::store::{
    Admission, Commit, Contact, FanOut, FirstContact, Import, Input, PortSweep, QueryLimits, Service,
    Sighting, StoreError, Table, UnaskedReplies, Volume,
};
use rahdar_model::{Address, FlowRecord, FlowSink, FlowStore, Prefix, Problem, Window};
use rahdar_testkit::NaiveStore;

/// What is stored, read back from disk.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) inputs: Vec<String>,
    /// The octets of each flow, which tell flows apart.
    pub(crate) flows: Vec<u64>,
    /// Lost records by sequence number.
    pub(crate) lost: u64,
}

impl Stored {
    pub(crate) fn read(folder: &Path) -> Self {
        let mut stored = Self::default();
        for found in fs::read_dir(folder).unwrap() {
            let path = found.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "commit") {
                for line in fs::read_to_string(path).unwrap().lines() {
                    match line.split_once(' ').unwrap() {
                        ("input", id) => stored.inputs.push(id.to_owned()),
                        ("flow", octets) => stored.flows.push(octets.parse().unwrap()),
                        ("lost", records) => stored.lost += records.parse::<u64>().unwrap(),
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
        stored
    }
}

pub(crate) struct TestStore {
    /// What was stored in this process.
    pub(crate) naive: NaiveStore,
    folder: Option<PathBuf>,
    /// What was stored before.
    inputs: BTreeSet<String>,
    is_asleep: AtomicBool,
}

impl TestStore {
    /// A store on disk.
    pub(crate) fn open(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let inputs = Stored::read(folder).inputs.into_iter().collect();
        let folder = Some(folder.to_owned());
        Self { naive: NaiveStore::new(), folder, inputs, is_asleep: AtomicBool::new(false) }
    }

    /// A store in memory that fails until it is woken.
    pub(crate) fn asleep() -> Self {
        let (naive, inputs) = (NaiveStore::new(), BTreeSet::new());
        Self { naive, folder: None, inputs, is_asleep: AtomicBool::new(true) }
    }

    pub(crate) fn wake(&self) {
        self.is_asleep.store(false, Ordering::SeqCst);
    }
}

struct TestImport<'a> {
    store: &'a TestStore,
    inner: Box<dyn Import + 'a>,
    text: String,
}

impl FlowSink for TestImport<'_> {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        self.text += &format!("flow {}\n", record.octets);
        self.inner.flow(record)
    }

    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        if let Fact::Gap(gap) = fact
            && gap.cause == Loss::Sequence
        {
            self.text += &format!("lost {}\n", gap.lost);
        }
        self.inner.fact(fact)
    }

    fn problem(&mut self, _: Problem) {}
}

impl Import for TestImport<'_> {
    fn begin(&mut self, input: &Input) -> Result<Admission, StoreError> {
        if self.store.inputs.contains(&input.id) {
            return Ok(Admission::Stored);
        }
        self.text += &format!("input {}\n", input.id);
        self.inner.begin(input)
    }

    fn flows(&self) -> u64 {
        self.inner.flows()
    }

    fn commit(self: Box<Self>) -> Result<Commit, StoreError> {
        if let Some(folder) = &self.store.folder {
            let names = fs::read_dir(folder).unwrap().map(|found| found.unwrap().file_name());
            // A draft may be left of one that was killed.
            let commits = names.filter(|name| name != "draft").count();
            let (draft, path) = (folder.join("draft"), folder.join(format!("{commits:08}.commit")));
            fs::write(&draft, &self.text).unwrap();
            assert!(!path.try_exists().unwrap());
            fs::rename(draft, path).unwrap();
        }
        self.inner.commit()
    }
}

impl FlowStore for TestStore {
    fn import(&self) -> Result<Box<dyn Import + '_>, StoreError> {
        if self.is_asleep.load(Ordering::SeqCst) {
            return Err(StoreError::Failed { action: "storing", cause: "the store is asleep".into() });
        }
        Ok(Box::new(TestImport { store: self, inner: self.naive.import()?, text: String::new() }))
    }

    fn version(&self) -> Result<u64, StoreError> {
        self.naive.version()
    }

    fn count(&self, window: Window) -> Result<u64, StoreError> {
        self.naive.count(window)
    }

    fn sightings(
        &self,
        networks: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Sighting),
    ) -> Result<(), StoreError> {
        self.naive.sightings(networks, window, visit)
    }

    fn contacts(&self, pair: (Prefix, Prefix), window: Window) -> Result<Vec<Contact>, StoreError> {
        self.naive.contacts(pair, window)
    }

    fn volumes(&self, key: Prefix, window: Window, bin_us: i64) -> Result<Vec<Volume>, StoreError> {
        self.naive.volumes(key, window, bin_us)
    }

    fn coverage(&self, window: Window) -> Result<Vec<ExporterCoverage>, StoreError> {
        self.naive.coverage(window)
    }

    fn coverage_hours(&self, window: Window) -> Result<Vec<CoverageHour>, StoreError> {
        self.naive.coverage_hours(window)
    }

    fn services(&self, hosts: &[Address], window: Window) -> Result<Vec<Service>, StoreError> {
        self.naive.services(hosts, window)
    }

    fn fan_outs(
        &self,
        sources: &[Prefix],
        window: Window,
        least: u64,
        visit: &mut dyn FnMut(FanOut),
    ) -> Result<(), StoreError> {
        self.naive.fan_outs(sources, window, least, visit)
    }

    fn port_sweeps(
        &self,
        sources: &[Prefix],
        window: Window,
        least: u64,
        visit: &mut dyn FnMut(PortSweep),
    ) -> Result<(), StoreError> {
        self.naive.port_sweeps(sources, window, least, visit)
    }

    fn first_contacts(
        &self,
        sources: &[Prefix],
        window: Window,
        least: u64,
        most: usize,
        visit: &mut dyn FnMut(FirstContact),
    ) -> Result<u64, StoreError> {
        self.naive.first_contacts(sources, window, least, most, visit)
    }

    fn unasked_replies(
        &self,
        sources: &[Prefix],
        exporters: &[&str],
        window: Window,
        least: u64,
        most: usize,
        visit: &mut dyn FnMut(UnaskedReplies),
    ) -> Result<u64, StoreError> {
        self.naive.unasked_replies(sources, exporters, window, least, most, visit)
    }

    fn active_hosts(&self, networks: &[Prefix], window: Window) -> Result<u64, StoreError> {
        self.naive.active_hosts(networks, window)
    }

    fn resolutions(
        &self,
        names: &[&str],
        networks: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Resolution),
    ) -> Result<(), StoreError> {
        self.naive.resolutions(names, networks, window, visit)
    }

    fn handshakes(
        &self,
        names: &[&str],
        networks: &[Prefix],
        window: Window,
        visit: &mut dyn FnMut(Handshake),
    ) -> Result<(), StoreError> {
        self.naive.handshakes(names, networks, window, visit)
    }

    fn gaps(&self, window: Window) -> Result<Vec<Gap>, StoreError> {
        self.naive.gaps(window)
    }

    fn query(&self, sql: &str, limits: QueryLimits) -> Result<Table, StoreError> {
        self.naive.query(sql, limits)
    }
}
