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

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rahdar_model::fact::{Fact, Gap, Loss, Unit};
use rahdar_model::sink::SinkError;
use rahdar_model::store::{Admission, FlowStore, Import, Input, StoreError};
use rahdar_model::time::Day;
use rahdar_model::{Address, FlowRecord, FlowSink, Problem, Timestamp, Window};
use rahdar_wire::{Account, Arrival, Collector, Options};

use crate::ledger::{Ledger, STRANGERS};
use crate::notice::Notice;
use crate::operator::Operator;
use crate::segment::{Dropped, Entries, Entry, Received, Whose};
use crate::state::{self, State};
use crate::voices::Voices;

/// Days that the flows of one segment may start on. Chosen here: exporters tell of the last days;
/// somebody who replays an archive tells of a year at a time.
const DAYS_OF_SEGMENT: usize = 366;

/// Days after which an import is committed, so that it stays below what the store takes at once.
const DAYS_OF_IMPORT: usize = 1_000;

/// Flows after which an import is committed. Chosen here: a commit then covers seconds of work.
const FLOWS_OF_IMPORT: u64 = 1_000_000;

/// Problems told of one segment; the decoder counts all. Chosen here: a few lines a minute.
const PROBLEMS_TOLD: usize = 5;

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

/// The reading of one segment.
struct Reading<'a, 'b> {
    collector: &'a mut Collector,
    sink: &'a mut Storing<'b>,
    source: &'a Arc<str>,
    /// Messages of each sender.
    senders: HashMap<Address, u64>,
    entries: u64,
    /// Between which times everything came.
    span: Option<Window>,
    /// Datagrams that never came to be read, by whose they were and why, and between which times.
    dropped: BTreeMap<(Arc<str>, Loss), (Window, u64)>,
}

impl Reading<'_, '_> {
    /// Reads all entries, and returns the octets of those that are whole.
    fn entries(&mut self, content: &[u8]) -> Result<u64, SinkError> {
        // Reading from memory does not fail.
        let Ok(Some(mut entries)) = Entries::open(content) else { return Ok(0) };
        while let Ok(Some(entry)) = entries.next() {
            self.entries += 1;
            self.sink.sender = None;
            match entry {
                Entry::Datagram(received) => {
                    let arrival = self.arrival(&received);
                    self.collector.datagram(received.payload, &arrival, self.sink)?;
                }
                Entry::Message(received) => {
                    let arrival = self.arrival(&received);
                    self.collector.message(received.payload, &arrival, self.sink)?;
                }
                Entry::Closed { peer, port } => self.collector.close(peer, port, self.sink)?,
                Entry::Started => self.collector.close_all(self.sink)?,
                Entry::Dropped(dropped) => self.dropped(dropped),
                Entry::Drained => self.collector.finish(self.sink)?,
            }
        }
        self.collector.end(self.sink);
        Ok(entries.octets())
    }

    fn arrival(&mut self, received: &Received<'_>) -> Arrival {
        *self.senders.entry(received.peer).or_default() += 1;
        self.sink.sender = Some(received.peer);
        let end = received.time.plus_micros(1);
        let span = self.span.get_or_insert(Window::new(received.time, end));
        span.from = span.from.min(received.time);
        span.until = span.until.max(end);
        Arrival {
            exporter: received.peer,
            port: received.port,
            received: Some(received.time),
            packet: self.entries,
        }
    }

    /// Takes note of datagrams that never came to be read.
    fn dropped(&mut self, dropped: Dropped) {
        let exporter: Arc<str> = match &dropped.whose {
            Whose::Exporter(address) => {
                self.collector.dropped(Some(*address), dropped.datagrams, dropped.window.until);
                address.to_string().into()
            }
            Whose::Socket(name) => {
                if dropped.cause == Loss::KernelDrop {
                    self.collector.dropped(None, dropped.datagrams, dropped.window.until);
                }
                name.as_str().into()
            }
            Whose::Strangers => STRANGERS.into(),
        };
        let (window, lost) = self.dropped.entry((exporter, dropped.cause)).or_insert((dropped.window, 0));
        window.from = window.from.min(dropped.window.from);
        window.until = window.until.max(dropped.window.until);
        *lost = lost.saturating_add(dropped.datagrams);
    }

    /// What was dropped is a gap, one for each exporter and cause; so are records that could not be read.
    fn tell_losses(&mut self, before: &BTreeMap<Address, Account>) -> Result<(), SinkError> {
        for ((exporter, cause), (window, lost)) in std::mem::take(&mut self.dropped) {
            self.gap(exporter, window, cause, Unit::Datagrams, lost)?;
        }
        let none = Account::default();
        let lost: Vec<(Address, u64, u64)> = self
            .collector
            .accounts()
            .into_iter()
            .map(|(exporter, account)| {
                let before = before.get(&exporter).unwrap_or(&none);
                let untold = account.untold - before.untold;
                (exporter, account.tally.refused - before.tally.refused - untold, untold)
            })
            .collect();
        let span = self.span.unwrap_or(Window::new(Timestamp::default(), Timestamp::default()));
        for (exporter, in_error, untold) in lost {
            for (cause, lost) in [(Loss::DecodeError, in_error), (Loss::NoTemplate, untold)] {
                self.gap(exporter.to_string().into(), span, cause, Unit::Records, lost)?;
            }
        }
        for (exporter, lost) in std::mem::take(&mut self.sink.scattered) {
            self.gap(exporter, span, Loss::DecodeError, Unit::Records, lost)?;
        }
        Ok(())
    }

    fn gap(
        &mut self,
        exporter: Arc<str>,
        window: Window,
        cause: Loss,
        unit: Unit,
        lost: u64,
    ) -> Result<(), SinkError> {
        if lost == 0 {
            return Ok(());
        }
        let source = self.source.clone();
        let gap = Gap { exporter, observation_domain: 0, window, cause, unit, lost, source };
        self.sink.fact(Fact::Gap(&gap))
    }
}

/// One import under way: takes the rows of its segments, unless the store has them already.
struct Storing<'a> {
    import: Box<dyn Import + 'a>,
    operator: Arc<Operator>,
    voices: Voices,
    /// Who sent what is being read; none if it was sent before.
    sender: Option<Address>,
    input: Input,
    /// Whether the segment is new; none until it gives its first row.
    admission: Option<Admission>,
    /// Whether there is anything to commit.
    has_rows: bool,
    /// Days of the segment, and of the import.
    days: BTreeSet<Day>,
    all_days: BTreeSet<Day>,
    /// Flows refused for their days, by exporter.
    scattered: BTreeMap<Arc<str>, u64>,
    scattered_in_all: u64,
    /// The first problems of the segment.
    problems: Vec<Problem>,
}

impl<'a> Storing<'a> {
    fn new(import: Box<dyn Import + 'a>, operator: Arc<Operator>, voices: Voices) -> Self {
        Self {
            import,
            operator,
            voices,
            sender: None,
            input: Input { id: String::new(), name: "".into() },
            admission: None,
            has_rows: false,
            days: BTreeSet::new(),
            all_days: BTreeSet::new(),
            scattered: BTreeMap::new(),
            scattered_in_all: 0,
            problems: Vec::new(),
        }
    }

    fn is_enough(&self) -> bool {
        self.import.flows() >= FLOWS_OF_IMPORT || self.all_days.len() >= DAYS_OF_IMPORT
    }

    /// Begins a segment. The store hears of it with its first row.
    fn begin(&mut self, input: Input) {
        self.input = input;
        self.admission = None;
        self.days.clear();
    }

    fn is_new(&mut self) -> Result<bool, SinkError> {
        let admission = match self.admission {
            Some(admission) => admission,
            None => *self.admission.insert(self.import.begin(&self.input).map_err(SinkError::new)?),
        };
        self.has_rows |= admission == Admission::New;
        Ok(admission == Admission::New)
    }

    /// Stores all of it. Returns the rows and the commits.
    fn commit(self) -> Result<(u64, u64), StoreError> {
        if self.has_rows { self.import.commit().map(|commit| (commit.rows, 1)) } else { Ok((0, 0)) }
    }
}

impl FlowSink for Storing<'_> {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        if let Some(sender) = self.sender {
            self.voices.learn(sender, &record.exporter);
        }
        let day = record.start_time.day();
        if !self.days.contains(&day) {
            if self.days.len() == DAYS_OF_SEGMENT {
                *self.scattered.entry(record.exporter.clone()).or_default() += 1;
                self.scattered_in_all += 1;
                return Ok(());
            }
            self.days.insert(day);
            self.all_days.insert(day);
        }
        if self.is_new()? { self.import.flow(&self.operator.flow(record)) } else { Ok(()) }
    }

    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        if !self.is_new()? {
            return Ok(());
        }
        match fact {
            Fact::Gap(gap) => self.import.fact(Fact::Gap(&self.operator.gap(&self.voices.gap(gap)))),
            fact => self.import.fact(fact),
        }
    }

    fn problem(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_TOLD {
            self.problems.push(problem);
        }
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

/// The store's own words for why it stopped.
fn stopped(error: SinkError) -> StoreError {
    match error.into_cause().downcast::<StoreError>() {
        Ok(error) => *error,
        Err(cause) => StoreError::Failed { action: "storing flows", cause },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use rahdar_model::store::End;
    use rahdar_testkit::NaiveStore;

    use super::*;
    use crate::segment::write_head;

    /// 2021-08-15T00:00:00Z.
    const BEGIN_S: u32 = 1_628_985_600;

    /// What an exporter of IPFIX does.
    #[derive(Debug, Clone)]
    enum Step {
        /// It announces the template of its flows; one of two.
        Template(bool),
        /// It says at which rate it samples.
        Rate,
        /// It sends so many flows.
        Flows(u8),
        /// It sends so many that never arrive.
        Lost(u8),
        /// Minutes pass.
        Pause(u8),
        /// The segment ends.
        Seal,
        /// The collector is told to stop, and started again.
        Drained,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => any::<bool>().prop_map(Step::Template),
            1 => Just(Step::Rate),
            8 => (1..5u8).prop_map(Step::Flows),
            1 => (1..5u8).prop_map(Step::Lost),
            2 => (1..7u8).prop_map(Step::Pause),
            3 => Just(Step::Seal),
            1 => Just(Step::Drained),
        ]
    }

    /// What goes wrong while segments are applied.
    #[derive(Debug, Clone, Copy)]
    enum Fault {
        None,
        /// Killed after the commit, before the state was written.
        KilledUnsaved,
        /// Killed after the state was written.
        Killed,
    }

    fn fault() -> impl Strategy<Value = Fault> {
        prop_oneof![Just(Fault::None), Just(Fault::KilledUnsaved), Just(Fault::Killed)]
    }

    fn set(id: u16, body: &[u8]) -> Vec<u8> {
        [&id.to_be_bytes()[..], &(4 + body.len() as u16).to_be_bytes(), body].concat()
    }

    fn shorts(numbers: &[u16]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    /// Writes what an exporter does as segments, and returns how many there are.
    fn spool(steps: &[Step], folder: &Path) -> u64 {
        let (mut number, mut now_s, mut sequence, mut flow) = (1, BEGIN_S, 0u32, 0u32);
        let mut octets = Vec::new();
        let begin = |number, octets: &mut Vec<u8>| {
            octets.clear();
            write_head(number, Timestamp::from_seconds(0), octets);
        };
        begin(number, &mut octets);
        let seal = |number: &mut u64, octets: &mut Vec<u8>| {
            fs::write(folder.join(number.to_string()), &octets).unwrap();
            *number += 1;
            begin(*number, octets);
        };
        for step in steps {
            let (records, body) = match step {
                Step::Template(long) => {
                    let mut body = shorts(&[256, 5, 8, 4, 12, 4, 1, 4, 2, 4, 150, 4]);
                    if *long {
                        body[3] = 6;
                        body.extend(shorts(&[151, 4]));
                    }
                    (0, set(2, &body))
                }
                Step::Rate => {
                    let template = set(3, &shorts(&[257, 2, 1, 149, 4, 34, 4]));
                    (1, [template, set(257, &[0, 0, 0, 7, 0, 0, 0, 100])].concat())
                }
                Step::Flows(count) => {
                    let mut body = Vec::new();
                    for _ in 0..6 * count {
                        flow += 1;
                        body.extend([192, 0, 2, 10, 198, 51, 100, 7]);
                        for word in [100 + flow, 1, now_s - 5] {
                            body.extend(word.to_be_bytes());
                        }
                    }
                    (u32::from(*count) * 6, set(256, &body))
                }
                Step::Lost(count) => {
                    sequence += u32::from(*count);
                    continue;
                }
                Step::Pause(minutes) => {
                    now_s += 60 * u32::from(*minutes);
                    continue;
                }
                Step::Seal => {
                    seal(&mut number, &mut octets);
                    continue;
                }
                Step::Drained => {
                    Entry::Drained.write(&mut octets);
                    seal(&mut number, &mut octets);
                    continue;
                }
            };
            let mut message = shorts(&[10, 16 + body.len() as u16]);
            for word in [now_s, sequence, 7] {
                message.extend(word.to_be_bytes());
            }
            message.extend(body);
            sequence += records;
            let received = Received {
                time: Timestamp::from_seconds(now_s.into()),
                peer: Address::from_v4_bits(0xc000_0201),
                port: 9,
                payload: &message,
            };
            Entry::Datagram(received).write(&mut octets);
        }
        Entry::Drained.write(&mut octets);
        seal(&mut number, &mut octets);
        number - 1
    }

    /// Everything that a store holds, in words.
    fn all(store: &NaiveStore) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let mut visit = |sighting: rahdar_model::Sighting| {
            if sighting.end == End::Source {
                all.push(format!("{:?}", sighting.flow));
            }
        };
        store.sightings(&["::/0".parse().unwrap()], Window::ALL, &mut visit).unwrap();
        all.extend(store.gaps(Window::ALL).unwrap().iter().map(|gap| format!("{gap:?}")));
        all.sort();
        all
    }

    /// Applies all segments, in groups of so many, with these faults one after the other.
    fn applied(folder: &Path, segments: u64, group: u64, faults: &[Fault]) -> (Vec<String>, Ledger) {
        let state = tempfile::tempdir().unwrap();
        let store = NaiveStore::new();
        let options = Options::default();
        let mut ledger = Ledger::default();
        let (mut decoder, _) = Decoder::open(state.path(), &options, Operator::default(), &mut ledger);
        let mut faults = faults.iter();
        while decoder.applied() < segments {
            let (first, unsaved) = (decoder.applied(), fs::read(state.path().join("state")).ok());
            let next = |last: u64| {
                let number = last + 1;
                (last < segments.min(first + group)).then(|| (number, folder.join(number.to_string())))
            };
            let done = decoder.apply(&store, next, 1, &mut ledger).unwrap();
            assert!(done.not_saved.is_none() && done.saved == decoder.applied());
            match faults.next() {
                None | Some(Fault::None) => continue,
                Some(Fault::Killed) => {}
                Some(Fault::KilledUnsaved) => {
                    match unsaved {
                        Some(unsaved) => fs::write(state.path().join("state"), unsaved).unwrap(),
                        None => fs::remove_file(state.path().join("state")).unwrap(),
                    };
                }
            }
            ledger = Ledger::default();
            decoder = Decoder::open(state.path(), &options, Operator::default(), &mut ledger).0;
        }
        (all(&store), ledger)
    }

    /// A segment that cannot be read for a while is read later, and those before it need not wait for it.
    #[test]
    fn a_segment_that_cannot_be_read_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let steps = [Step::Template(false), Step::Flows(1), Step::Seal, Step::Flows(2), Step::Seal];
        let segments = spool(&steps, folder.path());
        let (expected, _) = applied(folder.path(), segments, 1, &[]);

        let state = tempfile::tempdir().unwrap();
        let store = NaiveStore::new();
        let mut ledger = Ledger::default();
        let (mut decoder, _) =
            Decoder::open(state.path(), &Options::default(), Operator::default(), &mut ledger);
        let file = |number: u64| folder.path().join(number.to_string());
        // A folder can be opened, and not be read.
        let broken = |last| {
            let path = if last == 0 { file(1) } else { folder.path().to_owned() };
            Some((last + 1, path))
        };
        let done = decoder.apply(&store, broken, 1, &mut ledger).unwrap();
        assert_eq!((done.saved, done.notices.len()), (1, 0));
        for _ in 0..2 {
            let failed = decoder.apply(&store, broken, 1, &mut ledger).unwrap_err();
            assert!(matches!(failed, StoreError::Failed { action: "reading the spool", .. }), "{failed:?}");
            assert_eq!(decoder.applied(), 1);
        }
        let whole = |last| (last < segments).then(|| (last + 1, file(last + 1)));
        let done = decoder.apply(&store, whole, 1, &mut ledger).unwrap();
        assert_eq!((done.saved, done.notices.len()), (segments, 0));
        assert_eq!(all(&store), expected);
    }

    /// The gaps of segments of these entries, with a restart between any two, as `exporter cause lost`.
    fn gaps_of(segments: &[&[Entry<'_>]]) -> Vec<String> {
        let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = NaiveStore::new();
        for (number, entries) in (1..).zip(segments) {
            let mut octets = Vec::new();
            write_head(number, Timestamp::from_seconds(0), &mut octets);
            entries.iter().for_each(|entry| entry.write(&mut octets));
            fs::write(folder.path().join(number.to_string()), octets).unwrap();
            // What is known of senders survives a restart.
            let mut ledger = Ledger::default();
            let (mut decoder, _) =
                Decoder::open(state.path(), &Options::default(), Operator::default(), &mut ledger);
            let next = |last| (last < number).then(|| (number, folder.path().join(number.to_string())));
            decoder.apply(&store, next, 1, &mut ledger).unwrap();
        }
        let line = |gap: Gap| format!("{} {} {}", gap.exporter, gap.cause, gap.lost);
        store.gaps(Window::ALL).unwrap().into_iter().map(line).collect()
    }

    fn dropped(cause: Loss, whose: Whose, at_s: i64) -> Entry<'static> {
        let at = Timestamp::from_seconds(i64::from(BEGIN_S) + at_s);
        let window = Window::new(at, at.plus_micros(1));
        Entry::Dropped(Dropped { cause, whose, window, datagrams: 5, counter: None })
    }

    #[test]
    fn a_segment_has_one_gap_of_an_exporter_and_a_cause() {
        let sender: Address = "192.0.2.1".parse().unwrap();
        let seconds: Vec<Entry<'_>> = (0..30)
            .flat_map(|s| {
                [
                    dropped(Loss::Rejected, Whose::Strangers, s),
                    dropped(Loss::KernelDrop, Whose::Socket("udp 192.0.2.9:2055".to_owned()), s),
                    dropped(Loss::QueueDrop, Whose::Exporter(sender), s),
                    dropped(Loss::RateLimited, Whose::Exporter(sender), s),
                ]
            })
            .collect();
        let expected = [
            "192.0.2.1 queue_drop 150",
            "192.0.2.1 rate_limited 150",
            "strangers rejected 150",
            "udp 192.0.2.9:2055 kernel_drop 150",
        ];
        let mut found = gaps_of(&[&seconds]);
        found.sort();
        assert_eq!(found, expected);
    }

    /// An IPFIX message of a template with exporterIPv4Address (130) and a rate, and of a flow of each of these.
    fn relayed(exporters: &[[u8; 4]]) -> Vec<u8> {
        let template = set(2, &shorts(&[256, 7, 8, 4, 12, 4, 1, 4, 2, 4, 150, 4, 34, 4, 130, 4]));
        let mut flows = Vec::new();
        for exporter in exporters {
            flows.extend([192, 0, 2, 10, 198, 51, 100, 7, 0, 0, 0, 100, 0, 0, 0, 1]);
            flows.extend((BEGIN_S - 5).to_be_bytes());
            flows.extend([0, 0, 0, 1]);
            flows.extend(exporter);
        }
        let body = [template, set(256, &flows)].concat();
        let mut message = shorts(&[10, 16 + body.len() as u16]);
        for word in [BEGIN_S, 0, 7] {
            message.extend(word.to_be_bytes());
        }
        [message, body].concat()
    }

    #[test]
    fn losses_of_a_sender_have_the_name_of_its_flows() {
        let peer: Address = "192.0.2.1".parse().unwrap();
        let time = Timestamp::from_seconds(BEGIN_S.into());
        let check = |exporters: &[[u8; 4]], expected: &str| {
            let payload = relayed(exporters);
            let came = Entry::Datagram(Received { time, peer, port: 9, payload: &payload });
            let lost = dropped(Loss::QueueDrop, Whose::Exporter(peer), 60);
            let found = gaps_of(&[&[came], &[lost]]);
            assert_eq!(found, [expected], "{exporters:?}");
        };
        check(&[[203, 0, 113, 5]], "203.0.113.5 queue_drop 5");
        check(&[[192, 0, 2, 1]], "192.0.2.1 queue_drop 5");
        check(&[[203, 0, 113, 5], [203, 0, 113, 6]], "sender 192.0.2.1 queue_drop 5");
    }

    /// A segment that somebody removed does not come back: that is told, and what follows is stored.
    #[test]
    fn a_segment_that_is_gone_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let segments = spool(&[Step::Seal, Step::Template(false), Step::Flows(1)], folder.path());
        fs::remove_file(folder.path().join("1")).unwrap();
        let state = tempfile::tempdir().unwrap();
        let store = NaiveStore::new();
        let mut ledger = Ledger::default();
        let (mut decoder, _) =
            Decoder::open(state.path(), &Options::default(), Operator::default(), &mut ledger);
        let next =
            |last: u64| (last < segments).then(|| (last + 1, folder.path().join((last + 1).to_string())));
        let done = decoder.apply(&store, next, 1, &mut ledger).unwrap();
        assert_eq!(done.saved, segments);
        assert!(matches!(done.notices[..], [Notice::SegmentDamaged { octets: 0, .. }]), "{:?}", done.notices);
        assert_eq!(all(&store).len(), 6);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever is killed when, and however segments are grouped, the store holds the same.
        #[test]
        fn kills_change_nothing(
            steps in proptest::collection::vec(step(), 1..60),
            group in 1..4u64,
            faults in proptest::collection::vec(fault(), 0..12),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let segments = spool(&steps, folder.path());
            let (expected, whole) = applied(folder.path(), segments, u64::MAX >> 1, &[]);
            let (found, ledger) = applied(folder.path(), segments, group, &faults);
            prop_assert_eq!(found, expected);
            for exporter in whole.exporters.values().chain(ledger.exporters.values()) {
                prop_assert!(exporter.account.balances(), "{:?}", exporter);
            }
        }
    }
}
