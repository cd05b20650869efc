//! Segments of the spool into the store.
//!
//! # The order of things
//! 1. A segment has ended and is synced.
//! 2. Its rows are committed, under the hash of its content.
//! 3. The state of the decoder after it is written beside the spool, synced, and renamed into place.
//! 4. The segment is removed.
//!
//! Whatever is killed when, the state on disk is that before some segment, and every segment after
//! it is there. They are read again from that state. A segment that the store knows gives no rows a
//! second time, and teaches its templates all the same. Sets that wait for a template or a rate are part
//! of the state; their rows belong to the segment in which they can be read at last. The same state and
//! the same segments give the same rows, so none is lost and none is doubled.

mod reading;
mod storing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rahdar_model::Address;
use rahdar_model::store::{FlowStore, Input, StoreError};
use rahdar_wire::{Account, Collector, Options};

use self::reading::Reading;
use self::storing::{Storing, stopped};
use crate::ledger::Ledger;
use crate::notice::Notice;
use crate::operator::Operator;
use crate::state::{self, State};
use crate::voices::Voices;

/// Reads segments in their order.
pub(crate) struct Decoder {
    options: Options,
    operator: Arc<Operator>,
    folder: PathBuf,
    collector: Collector,
    /// The accounts as they were when they were last entered in the ledger.
    entered: BTreeMap<Address, Account>,
    /// The state after the last segment that is stored.
    state: State,
    /// The last segment that the state on disk knows.
    saved: u64,
}

/// What became of segments.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Segments up to this number need not be kept.
    pub(crate) saved: u64,
    /// What has to be said.
    pub(crate) notices: Vec<Notice>,
    /// Segments that could not be read to their end.
    pub(crate) damaged: Vec<Damaged>,
    /// Why the state could not be written. The segments have to be kept.
    pub(crate) not_saved: Option<io::Error>,
}

/// A segment that could not be read to its end.
#[derive(Debug)]
pub(crate) struct Damaged {
    pub(crate) number: u64,
    /// Octets that could be read.
    pub(crate) octets: u64,
    /// How many messages of each sender they hold.
    pub(crate) senders: HashMap<Address, u64>,
}

impl Decoder {
    /// A decoder that knows what the state in `folder` says. Returns what has to be said, and enters
    /// in the ledger what waited.
    pub(crate) fn open(
        folder: &Path,
        options: &Options,
        operator: Operator,
        ledger: &mut Ledger,
    ) -> (Self, Option<Notice>) {
        let options = operator.options(options);
        let nothing = || {
            let nothing = State { applied: 0, voices: Voices::default(), decoder: Vec::new() };
            (nothing, Collector::new(&options))
        };
        let (read, notice) = match state::read(folder) {
            Ok(None) => (nothing(), None),
            Ok(Some(state)) => match restored(&options, &state) {
                Ok(collector) => ((state, collector), None),
                Err(damaged) => {
                    let (fresh, collector) = nothing();
                    let state = State { applied: state.applied, ..fresh };
                    ((state, collector), Some(Notice::StateLost(damaged.to_string())))
                }
            },
            Err(error) => (nothing(), Some(Notice::StateLost(error.to_string()))),
        };
        let (state, collector) = read;
        let mut decoder = Self {
            options,
            operator: Arc::new(operator),
            folder: folder.to_owned(),
            collector,
            entered: BTreeMap::new(),
            saved: state.applied,
            state,
        };
        for (exporter, account) in decoder.collector.accounts() {
            ledger.of(exporter).recovered += account.messages;
        }
        decoder.enter(ledger);
        (decoder, notice)
    }

    /// The last segment that is stored.
    pub(crate) fn applied(&self) -> u64 {
        self.state.applied
    }

    /// Stores the segments that `next` gives, each after the one of the number it is called with, until
    /// there are enough for one commit. `first_own` is the number of the first segment that was not in
    /// the spool already when the collector was started.
    ///
    /// # Errors
    /// What the store fails with, or that the first segment cannot be read. Nothing is stored then, and
    /// nothing has changed: it may be tried again.
    pub(crate) fn apply(
        &mut self,
        store: &dyn FlowStore,
        mut next: impl FnMut(u64) -> Option<(u64, PathBuf)>,
        first_own: u64,
        ledger: &mut Ledger,
    ) -> Result<Applied, StoreError> {
        let mut applied = Applied { saved: self.saved, ..Applied::default() };
        let mut storing = Storing::new(store.import()?, self.operator.clone(), self.state.voices.clone());
        let mut last = self.state.applied;
        let mut recovered: BTreeMap<Address, u64> = BTreeMap::new();
        while !storing.is_enough() {
            let Some((number, path)) = next(last) else { break };
            let content = match content(&path) {
                Ok(content) => content,
                // What was read before is stored first. The next call begins with this segment.
                Err(_) if last > self.state.applied => break,
                Err(cause) => {
                    return Err(StoreError::Failed { action: "reading the spool", cause: cause.into() });
                }
            };
            match self.segment(number, &path, &content, &mut storing, &mut applied) {
                Ok(senders) if number < first_own => {
                    for (sender, messages) in senders {
                        *recovered.entry(sender).or_default() += messages;
                    }
                }
                Ok(_) => {}
                Err(error) => return Err(self.undo(error)),
            }
            last = number;
        }
        if last > self.state.applied {
            let scattered = storing.scattered_in_all;
            let voices = std::mem::take(&mut storing.voices);
            let (rows, commits) = match storing.commit() {
                Ok(stored) => stored,
                Err(error) => return Err(self.undo(error)),
            };
            ledger.rows += rows;
            ledger.commits += commits;
            ledger.scattered += scattered;
            for (sender, messages) in recovered {
                ledger.of(sender).recovered += messages;
            }
            self.enter(ledger);
            self.state = State { applied: last, voices, decoder: self.collector.save() };
        }
        if self.saved < self.state.applied {
            match state::write(&self.folder, &self.state) {
                Ok(()) => self.saved = self.state.applied,
                Err(error) => applied.not_saved = Some(error),
            }
        }
        applied.saved = self.saved;
        Ok(applied)
    }

    /// Goes back to the last segment that is stored.
    fn undo(&mut self, error: StoreError) -> StoreError {
        // The state is our own, of this moment: what cannot be read of it was never known.
        self.collector =
            restored(&self.options, &self.state).unwrap_or_else(|_| Collector::new(&self.options));
        self.entered = self.collector.accounts();
        error
    }

    /// Enters in the ledger what became of what was read.
    fn enter(&mut self, ledger: &mut Ledger) {
        for (exporter, account) in self.collector.accounts() {
            let entered = self.entered.entry(exporter).or_default();
            if *entered != account {
                ledger.of(exporter).account.add_growth(entered, &account);
                *entered = account;
            }
        }
    }

    /// Reads a segment. Returns how many messages of each sender are in it.
    fn segment(
        &mut self,
        number: u64,
        path: &Path,
        content: &[u8],
        storing: &mut Storing<'_>,
        applied: &mut Applied,
    ) -> Result<HashMap<Address, u64>, StoreError> {
        let input = Input {
            id: format!("blake3:{}", blake3::hash(content).to_hex()),
            name: format!("spool/{number}").into(),
        };
        let before = self.collector.accounts();
        let source = input.name.clone();
        self.collector.begin(source.clone());
        storing.begin(input);
        let mut reading = Reading {
            collector: &mut self.collector,
            sink: storing,
            source: &source,
            senders: HashMap::new(),
            entries: 0,
            span: None,
            dropped: BTreeMap::new(),
        };
        let whole = reading.entries(content).and_then(|octets| {
            reading.tell_losses(&before)?;
            Ok(octets)
        });
        let senders = reading.senders;
        let octets = whole.map_err(stopped)?;
        let problems = std::mem::take(&mut storing.problems);
        let problems = problems.into_iter().map(|problem| Notice::Problem { segment: number, problem });
        applied.notices.extend(problems);
        if octets < content.len() as u64 || content.is_empty() {
            applied.damaged.push(Damaged { number, octets, senders: senders.clone() });
            applied.notices.push(Notice::SegmentDamaged { path: path.display().to_string(), octets });
        }
        Ok(senders)
    }
}

/// A collector that knows what the state says.
fn restored(options: &Options, state: &State) -> Result<Collector, rahdar_wire::Damaged> {
    if state.decoder.is_empty() {
        return Ok(Collector::new(options));
    }
    Collector::restore(options, &state.decoder)
}

/// The octets of a segment, after they have reached the disk: its hash must stay the same. None, if the
/// segment was removed: it does not come back.
///
/// # Errors
/// What the system or the disk fails with. It may be well again later.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(content),
        opened => opened?,
    };
    file.sync_all()?;
    file.read_to_end(&mut content)?;
    Ok(content)
}
