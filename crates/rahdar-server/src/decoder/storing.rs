//! What was decoded into one import of the store, within limits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rahdar_model::fact::Fact;
use rahdar_model::sink::SinkError;
use rahdar_model::store::{Admission, Import, Input, StoreError};
use rahdar_model::time::Day;
use rahdar_model::{Address, FlowRecord, FlowSink, Problem};

use crate::operator::Operator;
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

/// One import under way: takes the rows of its segments, unless the store has them already.
pub(super) struct Storing<'a> {
    import: Box<dyn Import + 'a>,
    operator: Arc<Operator>,
    pub(super) voices: Voices,
    /// Who sent what is being read; none if it was sent before.
    pub(super) sender: Option<Address>,
    input: Input,
    /// Whether the segment is new; none until it gives its first row.
    admission: Option<Admission>,
    /// Whether there is anything to commit.
    has_rows: bool,
    /// Days of the segment, and of the import.
    days: BTreeSet<Day>,
    all_days: BTreeSet<Day>,
    /// Flows refused for their days, by exporter.
    pub(super) scattered: BTreeMap<Arc<str>, u64>,
    pub(super) scattered_in_all: u64,
    /// The first problems of the segment.
    pub(super) problems: Vec<Problem>,
}

impl<'a> Storing<'a> {
    pub(super) fn new(import: Box<dyn Import + 'a>, operator: Arc<Operator>, voices: Voices) -> Self {
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

    pub(super) fn is_enough(&self) -> bool {
        self.import.flows() >= FLOWS_OF_IMPORT || self.all_days.len() >= DAYS_OF_IMPORT
    }

    /// Begins a segment. The store hears of it with its first row.
    pub(super) fn begin(&mut self, input: Input) {
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
    pub(super) fn commit(self) -> Result<(u64, u64), StoreError> {
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

/// The store's own words for why it stopped.
pub(super) fn stopped(error: SinkError) -> StoreError {
    match error.into_cause().downcast::<StoreError>() {
        Ok(error) => *error,
        Err(cause) => StoreError::Failed { action: "storing flows", cause },
    }
}
