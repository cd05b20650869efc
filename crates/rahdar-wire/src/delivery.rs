//! What leaves the room: flows and problems to the sink, and the counts of both.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rahdar_model::correction::Correction;
use rahdar_model::fact::Fact;
use rahdar_model::sink::{Place, SinkError};
use rahdar_model::{FlowRecord, FlowSink, Problem, Tally, Timestamp};

use crate::Options;
use crate::problems::Problems;

/// Kinds of records beside that are named; later ones are only counted. Chosen here: Zeek writes some sixty logs.
const KINDS_NAMED_MAX: usize = 64;

/// The longest name of a kind; the rest of a longer one is cut off. Chosen here: those of logs are a word.
const KIND_OCTETS_MAX: usize = 64;

/// The one record of a decoder and the way it takes to the sink.
pub(crate) struct Delivery<'a> {
    /// Refilled for each flow.
    pub(crate) record: FlowRecord,
    /// Where flows and problems go.
    pub(crate) sink: &'a mut dyn FlowSink,
    /// What became of the records so far.
    pub(crate) tally: Tally,
    correction: Correction,
    problems: Problems,
    has_told_unit: bool,
    /// Kinds of records that are not read, and how many of each.
    beside: BTreeMap<Box<[u8]>, u64>,
    /// Records of kinds beyond [`KINDS_NAMED_MAX`].
    beside_unnamed: u64,
}

impl<'a> Delivery<'a> {
    /// A delivery of records that say `exporter`, unless the operator names another, and `source`.
    pub(crate) fn new(
        exporter: &str,
        source: Arc<str>,
        options: &Options,
        sink: &'a mut dyn FlowSink,
    ) -> Self {
        let exporter = options.exporter.clone().unwrap_or_else(|| exporter.into());
        Self {
            record: FlowRecord::new(exporter, source),
            sink,
            tally: Tally::default(),
            correction: options.correction(),
            problems: Problems::default(),
            has_told_unit: false,
            beside: BTreeMap::new(),
            beside_unnamed: 0,
        }
    }

    /// Corrects the record and gives it to the sink.
    pub(crate) fn flow(&mut self) -> Result<(), SinkError> {
        self.correction.apply(&mut self.record);
        self.tally.flows += 1;
        self.sink.flow(&self.record)
    }

    /// Gives a fact about the input to the sink.
    pub(crate) fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        self.tally.facts += u64::from(!matches!(fact, Fact::Gap(_)));
        self.sink.fact(fact)
    }

    /// `time`, moved as the operator says: for facts, whose times nobody else corrects.
    pub(crate) fn moved(&self, time: Timestamp) -> Timestamp {
        self.correction.moved_time(time)
    }

    /// Counts one record as understood.
    pub(crate) fn decode(&mut self) {
        self.tally.received += 1;
        self.tally.decoded += 1;
    }

    /// Counts one record as beside, of a kind that is named at the end.
    pub(crate) fn pass(&mut self, kind: &[u8]) {
        let kind = &kind[..kind.len().min(KIND_OCTETS_MAX)];
        self.tally.beside += 1;
        if let Some(records) = self.beside.get_mut(kind) {
            *records += 1;
        } else if self.beside.len() < KINDS_NAMED_MAX {
            self.beside.insert(kind.into(), 1);
        } else {
            self.beside_unnamed += 1;
        }
    }

    /// Counts one record as refused and says why.
    pub(crate) fn refuse(&mut self, place: Place, why: fmt::Arguments<'_>) {
        self.refuse_all(place, why, 1);
    }

    /// Counts records as refused for one reason that was first met at `place`.
    pub(crate) fn refuse_all(&mut self, place: Place, why: fmt::Arguments<'_>, records: u64) {
        self.tally.received += records;
        self.tally.refused += records;
        self.problems.tell(place, why, records, self.sink);
    }

    /// Says, once, that times of the input count another unit than seconds.
    pub(crate) fn counted_in(&mut self, unit: Option<&'static str>) {
        if let Some(unit) = unit
            && !self.has_told_unit
        {
            self.has_told_unit = true;
            self.note(Place::Input, format_args!("some times count {unit}, not seconds: they are read so"));
        }
    }

    /// Says something about the input that cost no record.
    pub(crate) fn note(&mut self, place: Place, what: fmt::Arguments<'_>) {
        self.problems.tell(place, what, 0, self.sink);
    }

    /// Names what was only counted and hands back the counts.
    pub(crate) fn close(mut self) -> Tally {
        let kinds = std::mem::take(&mut self.beside);
        let named = kinds.iter().map(|(kind, records)| format!("{} ({records})", shown(kind)));
        let others = (self.beside_unnamed > 0).then(|| format!("others ({})", self.beside_unnamed));
        let all: Vec<_> = named.chain(others).collect();
        if !all.is_empty() {
            let text = format!("not read, and beside: {}", all.join(", "));
            self.sink.problem(Problem { place: Place::Input, text, refused: 0 });
        }
        self.problems.tell_unnamed(self.sink);
        debug_assert!(self.tally.balances(), "{:?}", self.tally);
        self.tally
    }
}

/// The name of a kind as people may see it: it comes from the input.
fn shown(kind: &[u8]) -> String {
    let is_plain = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b' ' | b'_' | b'-' | b'.');
    kind.iter().map(|c| if is_plain(c) { char::from(*c) } else { '?' }).collect()
}
