//! `rahdar flows import`: files and folders into the lake.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use rahdar_lake::foreign::{self, ColumnMap, Foreign, ForeignError};
use rahdar_model::fact::Fact;
use rahdar_model::sink::SinkError;
use rahdar_model::store::{Admission, Cell, FlowStore, Import, Input, StoreError, Table};
use rahdar_model::time::{DAY_US, HOUR_US, SECOND_US, Shift};
use rahdar_model::{FlowRecord, FlowSink, Problem, Quality, Tally, Timestamp};
use rahdar_wire::{Format, Options, WireError};

use super::content::{Hashing, Mark};
use crate::Outcome;
use crate::clock::Stopwatch;
use crate::command::{self, FlowsImport, Reading};
use crate::failure::Usage;
use crate::files::{self, Found};
use crate::home::Home;
use crate::{note, output};

/// Flows after which the inputs at hand are committed. Chosen here: a commit then covers seconds
/// of work, and a killed import repeats no more than that.
const FLOWS_A_COMMIT: u64 = 1_000_000;

/// Problems shown per input; the rest are counted. Chosen here: a screen.
const PROBLEMS_SHOWN: usize = 5;

/// Octets of the lines at the beginning of a text that say how to read it, at most. Zeek writes one.
pub(super) const HEADER_OCTETS: u64 = 64 << 10;

/// Files of a kind that are named where they are left alone. Chosen here: a line or two.
const LEFT_ALONE_SHOWN: usize = 5;

/// Imports what the command names, and prints what became of it.
pub(crate) fn run(home: &Home, args: &FlowsImport, format: command::Format) -> anyhow::Result<Outcome> {
    let how = How::of(&args.reading)?;
    let search = files::find(&args.paths)?;
    let watch = Stopwatch::start();
    let mut summary = import(&home.lake()?, &search.files, &how, &files::bar(&search.files))?;
    summary.failed += search.tell_unseen() as u64;
    if summary.already > 0 && args.reading.is_told() {
        note!(
            "what was stored already stays as it was read then: the options of this import do not change it"
        );
    }
    output::print(&summary.table(watch.elapsed().as_secs_f64()), format)?;
    summary.outcome()
}

/// What became of the inputs of one import.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Inputs that are now stored.
    imported: u64,
    /// Inputs whose content was stored before.
    pub(super) already: u64,
    /// Files that hold no flows, or flows of a kind that is not read yet.
    pub(super) left_alone: u64,
    /// Inputs that could not be read.
    pub(super) failed: u64,
    /// Records of the inputs imported.
    tally: Tally,
}

impl Summary {
    /// Rows added to the table.
    pub(crate) fn rows(&self) -> u64 {
        self.tally.flows
    }

    pub(crate) fn table(&self, seconds: f64) -> Table {
        let count = |n: u64| Cell::Int(n.try_into().unwrap_or(i64::MAX));
        let columns: [(&str, Cell); 12] = [
            ("inputs", count(self.imported)),
            ("already_stored", count(self.already)),
            ("left_alone", count(self.left_alone)),
            ("failed", count(self.failed)),
            ("received", count(self.tally.received)),
            ("decoded", count(self.tally.decoded)),
            ("held", count(self.tally.held)),
            ("refused", count(self.tally.refused)),
            ("beside", count(self.tally.beside)),
            ("rows", count(self.tally.flows)),
            ("facts", count(self.tally.facts)),
            ("seconds", Cell::Float((seconds * 1000.0).round() / 1000.0)),
        ];
        let (names, row): (Vec<_>, Vec<_>) =
            columns.into_iter().map(|(name, cell)| (name.to_owned(), cell)).unzip();
        Table { columns: names, rows: vec![row] }
    }

    /// Whether any input was refused, whole or in part.
    pub(crate) fn is_refused(&self) -> bool {
        self.failed + self.tally.refused > 0
    }

    fn outcome(&self) -> anyhow::Result<Outcome> {
        if self.imported + self.already == 0 {
            if self.failed > 0 {
                bail!("nothing was imported");
            }
            bail!("no flows were found; rahdar reads {}", readable());
        }
        Ok(if self.is_refused() { Outcome::Refused } else { Outcome::Done })
    }
}

/// Imports files, several to a commit. Files that were named must be flows; those found in a
/// folder may be anything.
pub(crate) fn import(
    store: &dyn FlowStore,
    found: &[Found],
    how: &How,
    bar: &ProgressBar,
) -> anyhow::Result<Summary> {
    let mut summary = Summary::default();
    let mut left_alone = BTreeMap::<String, Vec<&str>>::new();
    let mut known = Vec::new();
    for file in found {
        match identify(file, how, &BTreeSet::new()) {
            Ok(identified) => known.push((file, identified.input)),
            Err(Reject::NoFlows(kind)) if !file.named => {
                summary.left_alone += 1;
                left_alone.entry(kind).or_default().push(&file.name);
            }
            Err(Reject::NoFlows(kind)) => {
                summary.failed += 1;
                note!("{}: {kind}", file.told());
            }
            Err(Reject::Failed(error)) => {
                summary.failed += 1;
                note!("{}: {error:#}", file.told());
            }
        }
    }
    store_all(store, &known, how, bar, &mut summary)?;
    bar.finish_and_clear();
    for (kind, files) in left_alone {
        let (shown, rest) = files.split_at(files.len().min(LEFT_ALONE_SHOWN));
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        note!("left alone: {} × {kind}: {}{more}", files.len(), shown.join(", "));
    }
    Ok(summary)
}

/// Stores inputs that are known to be flows, several to a commit.
pub(crate) fn store_all(
    store: &dyn FlowStore,
    known: &[(&Found, Input)],
    how: &How,
    bar: &ProgressBar,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let mut rest = known;
    while !rest.is_empty() {
        let taken = group(store, rest, how, bar, summary)?;
        rest = &rest[taken..];
    }
    Ok(())
}

/// Imports as many inputs as one commit takes; returns how many.
fn group(
    store: &dyn FlowStore,
    inputs: &[(&Found, Input)],
    how: &How,
    bar: &ProgressBar,
    summary: &mut Summary,
) -> anyhow::Result<usize> {
    let before = bar.position();
    let mut left_out = BTreeMap::new();
    loop {
        bar.set_position(before);
        match attempt(store, inputs, &left_out, how, bar)? {
            Attempt::Stored(part) => {
                let taken = part.inputs;
                part.add_to(summary);
                return Ok(taken);
            }
            Attempt::Without(input, reason) => _ = left_out.insert(input, reason),
            // One of the inputs is stored that was not, so this comes to an end.
            Attempt::Raced => {}
        }
    }
}

/// How one attempt at a commit ended.
enum Attempt {
    /// All of it is stored.
    Stored(Part),
    /// This input cannot be stored whole, for this reason. Nothing is stored: begin again without it.
    Without(usize, String),
    /// Another process stored one of the inputs. Nothing is stored: begin again.
    Raced,
}

/// What a commit holds.
#[derive(Default)]
struct Part {
    inputs: usize,
    imported: u64,
    already: u64,
    failed: u64,
    tally: Tally,
    notes: Vec<String>,
}

impl Part {
    fn add_to(self, summary: &mut Summary) {
        summary.imported += self.imported;
        summary.already += self.already;
        summary.failed += self.failed;
        summary.tally += self.tally;
        for text in self.notes {
            note!("{text}");
        }
    }
}

fn attempt(
    store: &dyn FlowStore,
    inputs: &[(&Found, Input)],
    left_out: &BTreeMap<usize, String>,
    how: &How,
    bar: &ProgressBar,
) -> anyhow::Result<Attempt> {
    let mut part = Part::default();
    let mut import = store.import()?;
    for (position, (file, input)) in inputs.iter().enumerate() {
        part.inputs += 1;
        if let Some(reason) = left_out.get(&position) {
            part.failed += 1;
            part.notes.push(format!("{}: nothing of it is stored: {reason}", input.name));
            continue;
        }
        if import.begin(input)? == Admission::Stored {
            part.already += 1;
            bar.inc(file.octets);
            continue;
        }
        let mut sink = Noting::new(import.as_mut());
        let decoded = decode(file, input, how, bar, &mut sink);
        let has_given = sink.has_given;
        part.notes.extend(sink.notes(&input.name));
        if how.places_clocks() && sink.unmoved > 0 {
            let unmoved = sink.unmoved;
            part.notes.push(format!(
                "{}: flows not shifted: {unmoved}; they already have dates, and a date in --time-offset only anchors \
                 clocks that count from their own zero; a span such as -2d moves every time",
                input.name
            ));
        }
        let taken = match decoded {
            // Were it taken for stored, it could not be given again with what reads it. Of a log that grows, a part may
            // hold nothing.
            Ok(tally) if file.part.is_none() && !has_given && tally.held == 0 && tally.refused > 0 => {
                Err("nothing of it was understood, nothing is stored".to_owned())
            }
            Ok(tally) => Ok(tally),
            Err(Undecoded::Never(error)) => Err(format!("{error:#}")),
            Err(Undecoded::Stopped(StoreError::Limit { limit, detail })) => {
                return Ok(Attempt::Without(position, format!("{limit}: {detail}")));
            }
            Err(Undecoded::Stopped(error)) => return Err(error.into()),
            Err(Undecoded::Midway(error)) => {
                return Ok(Attempt::Without(position, format!("reading it failed midway: {error:#}")));
            }
        };
        match taken {
            Ok(tally) => {
                part.imported += 1;
                part.tally += tally;
            }
            Err(reason) => {
                if !import.withdraw() {
                    return Ok(Attempt::Without(position, reason));
                }
                part.failed += 1;
                part.notes.push(format!("{}: {reason}", input.name));
            }
        }
        if import.flows() >= FLOWS_A_COMMIT {
            break;
        }
    }
    match import.commit() {
        Ok(_) => Ok(Attempt::Stored(part)),
        Err(StoreError::Raced { .. }) => Ok(Attempt::Raced),
        Err(error) => Err(error.into()),
    }
}

/// Why an input was not decoded to its end.
enum Undecoded {
    /// The store takes no more.
    Stopped(StoreError),
    /// Some of it may have been taken.
    Midway(anyhow::Error),
    /// None of it was taken.
    Never(anyhow::Error),
}

/// Decodes a file of any format.
fn decode(
    file: &Found,
    input: &Input,
    how: &How,
    bar: &ProgressBar,
    sink: &mut dyn FlowSink,
) -> Result<Tally, Undecoded> {
    if file.begins_with(foreign::is_parquet).map_err(Undecoded::Never)? {
        let opened = File::open(&file.path).map_err(|error| Undecoded::Never(error.into()))?;
        bar.inc(file.octets);
        return foreign::decode(opened, input.name.clone(), &how.foreign, sink).map_err(
            |error| match error {
                ForeignError::Sink(error) => Undecoded::Stopped(stopped(error)),
                error @ ForeignError::Parquet(_) => Undecoded::Midway(error.into()),
                error => Undecoded::Never(error.into()),
            },
        );
    }
    let mut opened = bar.wrap_read(file.open().map_err(Undecoded::Never)?);
    let decoded = match file.part {
        Some(part) if part.is_packed => part_of(&mut opened, part, input, how, sink),
        _ => rahdar_wire::decode(&mut opened, input.name.clone(), &how.options, sink),
    };
    decoded.map_err(|error| match error {
        WireError::Sink(error) => Undecoded::Stopped(stopped(error)),
        error @ WireError::Read { .. } => Undecoded::Midway(error.into()),
        error => Undecoded::Never(error.into()),
    })
}

/// Decodes a part of a compressed file.
fn part_of(
    file: &mut dyn Read,
    part: files::Part,
    input: &Input,
    how: &How,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let (_, content) = rahdar_wire::open(file, &how.options)?;
    let unread = |source| WireError::Read { tally: Tally::default(), source };
    rahdar_wire::decode(&mut part.of(content).map_err(unread)?, input.name.clone(), &how.options, sink)
}

/// Whether the first octets of a file hold a flow.
pub(super) fn holds_flows(file: &Found, octets: u64, how: &How) -> bool {
    /// Ends at the first flow.
    struct First(bool);
    impl FlowSink for First {
        fn flow(&mut self, _record: &FlowRecord) -> Result<(), SinkError> {
            self.0 = true;
            Err(SinkError::new("one flow is enough"))
        }

        fn fact(&mut self, _fact: Fact<'_>) -> Result<(), SinkError> {
            self.0 = true;
            Err(SinkError::new("one fact is enough"))
        }

        fn problem(&mut self, _problem: Problem) {}
    }
    let input = Input { id: String::new(), name: file.name.clone() };
    let part = files::Part { header: 0, from: 0, until: octets, is_packed: true };
    let mut first = First(false);
    let file = Found { part: Some(part), ..file.clone() };
    let decoded = decode(&file, &input, how, &ProgressBar::hidden(), &mut first);
    // What cannot be read was stored once: it held something.
    first.0 || decoded.is_err()
}

/// The store's own words for why it stopped.
fn stopped(error: SinkError) -> StoreError {
    match error.into_cause().downcast::<StoreError>() {
        Ok(error) => *error,
        Err(cause) => StoreError::Failed { action: "storing flows", cause },
    }
}

/// Hands flows on and keeps the first problems, and the last: that an input ends early is told at its end.
struct Noting<'a> {
    import: &'a mut dyn Import,
    /// Whether a flow or a fact was handed on; gaps are counted in no tally.
    has_given: bool,
    problems: Vec<Problem>,
    /// Problems after these.
    unseen: usize,
    last: Option<Problem>,
    /// Flows whose times the operator did not move.
    unmoved: u64,
}

impl<'a> Noting<'a> {
    fn new(import: &'a mut dyn Import) -> Self {
        Self { import, has_given: false, problems: Vec::new(), unseen: 0, last: None, unmoved: 0 }
    }

    fn notes(&self, name: &str) -> Vec<String> {
        let mut notes: Vec<String> =
            self.problems.iter().map(|problem| format!("{name}: {problem}")).collect();
        if let Some(last) = &self.last {
            notes.push(format!("{name}: and {} more, the last of them: {last}", self.unseen));
        }
        notes
    }
}

impl FlowSink for Noting<'_> {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        self.has_given = true;
        self.unmoved += u64::from(!record.quality.contains(Quality::TIME_SHIFTED));
        self.import.flow(record)
    }

    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        self.has_given = true;
        self.import.fact(fact)
    }

    fn problem(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_SHOWN {
            self.problems.push(problem);
        } else {
            self.unseen += 1;
            self.last = Some(problem);
        }
    }
}

/// Why a file is not imported.
pub(super) enum Reject {
    /// It holds nothing that rahdar reads; in a folder, that is no fault.
    NoFlows(String),
    /// It could not be read.
    Failed(anyhow::Error),
}

/// A file that holds flows.
pub(super) struct Identified {
    /// Its content by its hash: the same whether it is compressed or not. A damaged stream is named by what can be
    /// read of it.
    pub(super) input: Input,
    /// Its format; none: Parquet.
    pub(super) format: Option<Format>,
    /// The first octets of its content.
    pub(super) head: Vec<u8>,
    /// All of its content.
    pub(super) content: Mark,
    /// The longest mark that was asked for and that its content begins with.
    pub(super) met: Option<Mark>,
}

/// Sees that a file holds flows, and names it by its content. Looks for these marks on the way.
pub(super) fn identify(file: &Found, how: &How, marks: &BTreeSet<Mark>) -> Result<Identified, Reject> {
    let mut opened = file.open().map_err(Reject::Failed)?;
    if file.begins_with(foreign::is_parquet).map_err(Reject::Failed)? {
        return hashed(file, &mut opened, None, marks);
    }
    match rahdar_wire::open(&mut opened, &how.options) {
        Ok((format, mut content)) => hashed(file, &mut content, Some(format), marks),
        // A folder holds much else: that each file begins differently is no news.
        Err(WireError::Unknown { .. }) if !file.named => {
            Err(Reject::NoFlows("a file that holds no telemetry that rahdar knows".to_owned()))
        }
        Err(error @ (WireError::Empty | WireError::Unsupported { .. } | WireError::Unknown { .. })) => {
            Err(Reject::NoFlows(error.to_string()))
        }
        Err(error) => Err(Reject::Failed(error.into())),
    }
}

fn hashed(
    file: &Found,
    content: &mut dyn Read,
    format: Option<Format>,
    marks: &BTreeSet<Mark>,
) -> Result<Identified, Reject> {
    let unread = |error: io::Error| Reject::Failed(anyhow::Error::from(error).context("cannot read it"));
    let mut head = Vec::new();
    match content.take(HEADER_OCTETS).read_to_end(&mut head) {
        Err(error) if !rahdar_wire::is_damage(&error) => return Err(unread(error)),
        _ => {}
    }
    let mut hashing = Hashing::default();
    let met = hashing.read_past(&mut head.as_slice().chain(content), marks).map_err(unread)?;
    let input = Input { id: hashing.id(), name: file.name.clone() };
    Ok(Identified { input, format, content: hashing.mark(), met, head })
}

/// How inputs are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct How {
    /// What decoders are told.
    pub(crate) options: Options,
    /// What the reader of Parquet is told.
    foreign: Foreign,
}

impl How {
    /// What the command line says.
    pub(crate) fn of(args: &Reading) -> anyhow::Result<Self> {
        let format = match args.read_as.as_deref() {
            Some(word) => Some(
                Format::from_word(word)
                    .ok_or_else(|| Usage(format!("`{word}` is no format; rahdar reads {}", readable())))?,
            ),
            None => None,
        };
        let shift = args.time_offset.unwrap_or_default();
        let exporter = args.exporter.as_deref().map(Arc::from);
        let foreign = Foreign {
            columns: match args.columns.as_deref() {
                Some(text) => text.parse().map_err(|error: ForeignError| Usage(error.to_string()))?,
                None => ColumnMap::default(),
            },
            exporter: exporter.clone(),
            sampling: args.sampling,
            flows_sampled: args.flows_sampled,
            shift,
        };
        let (sampling, flows_sampled) = (args.sampling, args.flows_sampled);
        let options = Options { format, exporter, sampling, flows_sampled, shift, ..Options::default() };
        Ok(Self { options, foreign })
    }

    /// The same, for a part of a log whose format is known, and what a sensor counted before it.
    pub(crate) fn going_on(&self, format: Format, counted_before: Option<Arc<[u8]>>) -> Self {
        Self {
            options: Options { format: Some(format), counted_before, ..self.options.clone() },
            foreign: self.foreign.clone(),
        }
    }

    /// Whether the operator said when the zero of relative clocks was.
    fn places_clocks(&self) -> bool {
        matches!(self.options.shift, Shift::Zero(_))
    }
}

/// Reads how times are to be moved: a time that stands for second 0 of the input, or a span with sign and unit.
pub(crate) fn shift(text: &str) -> anyhow::Result<Shift> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Shift::Zero(time));
    }
    let error = || format!("`{text}` is no offset: write 2021-08-15T12:00:00Z, 90m or -2d");
    let (sign, span) = match text.strip_prefix('-') {
        Some(span) => (-1, span),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let unit_us = match span.chars().next_back() {
        Some('s') => SECOND_US,
        Some('m') => 60 * SECOND_US,
        Some('h') => HOUR_US,
        Some('d') => DAY_US,
        _ => bail!(error()),
    };
    let count: i64 = span[..span.len() - 1].parse().ok().with_context(error)?;
    count.checked_mul(sign * unit_us).map(Shift::By).with_context(error)
}

fn readable() -> String {
    let formats: Vec<String> =
        Format::ALL.iter().map(|format| format!("{} (`--as {}`)", format.about(), format.word())).collect();
    format!("{}, Parquet with --columns", formats.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_a_time_or_a_span() {
        assert_eq!(shift("1970-01-02").unwrap(), Shift::Zero(Timestamp::from_micros(DAY_US)));
        assert_eq!(shift("90m").unwrap(), Shift::By(90 * 60 * SECOND_US));
        assert_eq!(shift("-2d").unwrap(), Shift::By(-2 * DAY_US));
        assert_eq!(shift("+5s").unwrap(), Shift::By(5 * SECOND_US));
        for wrong in ["", "d", "7", "7y", "9223372036854775807d"] {
            assert!(shift(wrong).is_err(), "{wrong}");
        }
    }
}
