//! One file, from its first block to its last.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;

use rahdar_model::correction::Correction;
use rahdar_model::flow::Quality;
use rahdar_model::sink::{FlowSink, Place, SinkError, Tally};
use rahdar_model::time::{self, Timestamp};

use super::block::{self, BLOCK_OCTETS_MAX, Block, Compression, Content, Damaged, Unpacker};
use super::exporter::Exporters;
use super::flow::{Seen, Values};
use super::header::{Header, Statistics, u16_at};
use super::v1::{self, Maps};
use super::{EXPORTER, v2};
use crate::Options;
use crate::delivery::Delivery;
use crate::peel::{is_beyond_reason, judge_growth};
use crate::window::Window;

/// Octets of the header of every record: its type and its length.
const RECORD_HEADER: usize = 4;

/// Types of records that hold a flow: of nfdump 1.7, of 1.6, and of 1.6 when it numbered its
/// exporters in one octet.
const V2_FLOW: u16 = 11;
const V1_FLOW: u16 = 10;
const V1_SHORT_FLOW: u16 = 1;

/// Types of records that say something about flows.
const MAP: u16 = 2;
const EXPORTER_INFO: u16 = 7;
const EXPORTER_STATISTICS: u16 = 8;
const V1_SAMPLER: u16 = 9;
const V2_SAMPLER: u16 = 15;
const FILE_STATISTICS: u16 = 0x8002;

/// Blocks that wait for their exporters. nfdump 1.7 compresses blocks in several threads and
/// writes whichever is done first; by itself it starts no more than 8.
const WAITING_MAX: usize = 8;

/// From 1970 to 2106: the times that the clock of nfdump 1.6 has. Others are none.
const CLOCK: time::Window =
    time::Window::new(Timestamp::from_seconds(0), Timestamp::from_seconds(u32::MAX as i64));

/// One reading of a file.
pub(super) struct Reading<'a> {
    delivery: Delivery<'a>,
    correction: Correction,
    header: Header,
    exporters: Exporters,
    maps: Maps,
    values: Values,
    seen: Seen,
    /// The mark of a flow whose rate nobody told.
    untold: Quality,
    blocks: u64,
    /// Octets of blocks so far, as they are stored, and unpacked.
    stored: u64,
    unpacked: u64,
    /// Octets that blocks would have had which cannot be unpacked, each counted as the largest.
    wasted: u64,
    /// Flow records so far, read or waiting.
    rows: u64,
    /// The row of the next flow record.
    row: u64,
    waiting: VecDeque<Unpacked<'static>>,
    /// Records of the block that are not read, and why: the first of them, and how many.
    unread: BTreeMap<Unread, (u64, u64)>,
    /// The first block with flows without addresses, and how many there are.
    unaddressed: Option<(u64, u64)>,
    /// The first block with addresses that stand for others.
    anonymised: Option<u64>,
}

/// Why reading stops before the end.
pub(super) enum Stop {
    Read(io::Error),
    Sink(SinkError),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<SinkError> for Stop {
    fn from(error: SinkError) -> Self {
        Self::Sink(error)
    }
}

/// A block that can be read.
struct Unpacked<'b> {
    /// Where it stands in the file.
    at: u64,
    /// How many records it should hold.
    promised: u32,
    /// Whether the file does not end in it.
    is_whole: bool,
    /// The row of its first flow record.
    first_row: u64,
    octets: Cow<'b, [u8]>,
}

/// Why records are not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unread {
    /// It does not hold what it should.
    Malformed { kind: u16 },
    /// It is laid out by a map that is not there, or cannot be used.
    NoMap(u16),
    /// nfdump 1.5 wrote it.
    Old,
    /// nfdump 1.8 writes it.
    New,
    /// Nobody knows it.
    Unknown { kind: u16 },
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { kind } => write!(f, "a record of type `{kind}` does not hold what it should"),
            Self::NoMap(map) => {
                write!(f, "a record needs the map `{map}`, which the file has not told by then")
            }
            Self::Old => f.write_str("a record of nfdump 1.5 is not read"),
            Self::New => f.write_str("a record of nfdump 1.8 is not read"),
            Self::Unknown { kind } => write!(f, "a record of type `{kind}` is not known"),
        }
    }
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        header: Header,
        source: Arc<str>,
        options: &Options,
        sink: &'a mut dyn FlowSink,
    ) -> Self {
        let unnamed: Arc<str> = header.ident.as_deref().unwrap_or(EXPORTER).into();
        let is_rate_given = options.sampling.is_some_and(|interval| interval > 0);
        Self {
            delivery: Delivery::new(&unnamed, source, options, sink),
            correction: options.correction(),
            exporters: Exporters::new(options.exporter.clone(), unnamed),
            header,
            maps: Maps::default(),
            values: Values::default(),
            seen: Seen::default(),
            untold: if is_rate_given { Quality::NONE } else { Quality::RATE_UNKNOWN },
            blocks: 0,
            stored: 0,
            unpacked: 0,
            wasted: 0,
            rows: 0,
            row: 1,
            waiting: VecDeque::new(),
            unread: BTreeMap::new(),
            unaddressed: None,
            anonymised: None,
        }
    }

    /// Reads all blocks.
    pub(super) fn blocks(&mut self, window: &mut Window<'_>) -> Result<(), Stop> {
        let mut packed = Unpacker::new(self.header.compression);
        let mut plain = Unpacker::new(Compression::None);
        while self.header.blocks.is_none_or(|blocks| self.blocks < u64::from(blocks)) {
            let at = window.offset();
            window.reach(block::HEADER)?;
            let Some(block) = Block::read(window.view()) else {
                self.end(at, window.view().len());
                return Ok(());
            };
            window.pass(block::HEADER);
            self.blocks += 1;
            let goes_on = match block.content(self.header.layout) {
                Content::Records if (1..=BLOCK_OCTETS_MAX).contains(&block.octets) => {
                    let unpacker = if block.is_plain(self.header.layout) { &mut plain } else { &mut packed };
                    let is_whole = window.reach(block.octets)?;
                    let there = window.view().len().min(block.octets);
                    let goes_on = self.block(at, &block, &window.view()[..there], is_whole, unpacker)?;
                    window.pass(there);
                    goes_on && is_whole
                }
                Content::Other => {
                    self.delivery.tally.beside += 1;
                    self.skip(at, &block, window)?
                }
                Content::Old => {
                    let why = format_args!("a block of nfdump 1.5 is not read");
                    self.delivery.refuse(Place::Octet(at), why);
                    self.skip(at, &block, window)?
                }
                Content::Records | Content::Unknown => {
                    let why = format_args!("there is no block where one should be; nothing after it is read");
                    self.delivery.refuse(Place::Octet(at), why);
                    false
                }
            };
            if !goes_on {
                return Ok(());
            }
        }
        if window.reach(1)? {
            let blocks = self.blocks;
            let what = format_args!("what follows the `{blocks}` blocks of the file is not read");
            self.delivery.note(Place::Octet(window.offset()), what);
        }
        Ok(())
    }

    /// Passes over a block that holds nothing to be read; false if the file ends in it.
    fn skip(&mut self, at: u64, block: &Block, window: &mut Window<'_>) -> io::Result<bool> {
        let is_whole = window.skip(block.octets as u64)?;
        if !is_whole {
            self.delivery.refuse(Place::Octet(at), format_args!("the file is cut off in a block"));
        }
        Ok(is_whole)
    }

    /// Unpacks one block, or what is there of it, and reads it or lets it wait. False if so much of the
    /// file cannot be unpacked that nothing more is read.
    ///
    /// # Errors
    /// [`Stop::Read`] if the file unpacks to more than it should: it is refused as a whole.
    fn block(
        &mut self,
        at: u64,
        block: &Block,
        stored: &[u8],
        is_whole: bool,
        unpacker: &mut Unpacker,
    ) -> Result<bool, Stop> {
        let promised = block.records;
        let place = Place::Octet(at);
        if !is_whole && unpacker.needs_all() {
            let why = format_args!("the file is cut off in a compressed block of `{promised}` records");
            self.delivery.refuse(place, why);
            return Ok(true);
        }
        let unpacked = unpacker.unpack(stored);
        self.stored += stored.len() as u64;
        let octets = match unpacked {
            Ok(octets) => octets,
            Err(Damaged(compression)) => {
                let why =
                    format_args!("a block of `{promised}` records cannot be unpacked from {compression}");
                self.delivery.refuse(place, why);
                // It may have cost as much as the largest. Damage is no bomb: what is sound is kept.
                self.wasted += BLOCK_OCTETS_MAX as u64;
                if !is_beyond_reason(self.stored, self.wasted) {
                    return Ok(true);
                }
                let why = format_args!("too many blocks cannot be unpacked; nothing after them is read");
                self.delivery.refuse(place, why);
                return Ok(false);
            }
        };
        self.unpacked += octets.len() as u64;
        judge_growth(self.stored, self.unpacked)?;
        let (flows, waits) = self.survey(octets);
        let first_row = self.rows + 1;
        self.rows += flows;
        let block = Unpacked { at, promised, is_whole, first_row, octets: octets.into() };
        if !waits {
            self.read(&block)?;
            self.read_waiting(false)?;
            return Ok(true);
        }
        if self.waiting.len() == WAITING_MAX
            && let Some(first) = self.waiting.pop_front()
        {
            self.read(&first)?;
        }
        self.waiting.push_back(Unpacked { octets: block.octets.into_owned().into(), ..block });
        Ok(true)
    }

    /// Takes in the exporters of a block. Says how many flow records it holds, and whether one of
    /// them comes from an exporter that has not been announced.
    fn survey(&mut self, octets: &[u8]) -> (u64, bool) {
        let (mut flows, mut waits) = (0, false);
        for (kind, record) in Records(octets) {
            match kind {
                V2_FLOW => {
                    flows += 1;
                    waits |= v2::exporter(record).is_some_and(|number| !self.exporters.is_announced(number));
                }
                V1_FLOW | V1_SHORT_FLOW => flows += 1,
                // Once more in its turn, when it may be told that it is cut.
                EXPORTER_INFO => {
                    let _ = self.exporters.announce(record);
                }
                _ => {}
            }
        }
        (flows, waits)
    }

    /// Reads the blocks that wait, as far as they need not wait any longer, or all.
    fn read_waiting(&mut self, all: bool) -> Result<(), SinkError> {
        while let Some(block) = self.waiting.pop_front() {
            if !all && self.survey(&block.octets).1 {
                self.waiting.push_front(block);
                break;
            }
            self.read(&block)?;
        }
        Ok(())
    }

    /// Reads a block.
    fn read(&mut self, block: &Unpacked<'_>) -> Result<(), SinkError> {
        let Unpacked { at, promised, is_whole, first_row, .. } = *block;
        let place = Place::Octet(at);
        self.row = first_row;
        let mut records = Records(&block.octets);
        let mut read = 0;
        for (kind, record) in records.by_ref() {
            read += 1;
            self.record(at, read, kind, record)?;
        }
        for (why, (first, count)) in std::mem::take(&mut self.unread) {
            let why = format_args!("{why}, first in record `{first}` of the block");
            self.delivery.refuse_all(place, why, count);
        }
        if !is_whole {
            let why = format_args!(
                "the file is cut off in a block; `{read}` of its `{promised}` records are there"
            );
            self.delivery.refuse(place, why);
        } else if !records.0.is_empty() {
            let why = format_args!(
                "what follows record `{read}` of the block is no record; the block promises `{promised}`"
            );
            self.delivery.refuse(place, why);
        } else if read != u64::from(promised) {
            let what = format_args!("the block promises `{promised}` records and holds `{read}`");
            self.delivery.note(place, what);
        }
        Ok(())
    }

    /// Reads one record, of a flow or of what belongs to flows.
    #[inline]
    fn record(&mut self, at: u64, number: u64, kind: u16, record: &[u8]) -> Result<(), SinkError> {
        let malformed = Unread::Malformed { kind };
        let of_map = |unread| match unread {
            v1::Unread::Cut => malformed,
            v1::Unread::NoMap(map) => Unread::NoMap(map),
        };
        let read = match kind {
            V2_FLOW => v2::read(record, &mut self.values).ok_or(malformed),
            V1_FLOW => self.maps.read_long(record, &mut self.values).map_err(of_map),
            V1_SHORT_FLOW => self.maps.read_short(record, &mut self.values).map_err(of_map),
            _ => {
                self.beside(at, number, kind, record);
                return Ok(());
            }
        };
        let row = self.row;
        self.row += 1;
        match read {
            Ok(()) => self.flow(at, row),
            Err(why) => {
                self.leave(number, why);
                Ok(())
            }
        }
    }

    /// Takes in a record that is no flow.
    fn beside(&mut self, at: u64, number: u64, kind: u16, record: &[u8]) {
        let whole = match kind {
            MAP => self.maps.announce(record),
            EXPORTER_INFO => self.exporters.announce(record),
            EXPORTER_STATISTICS => self.exporters.statistics(record),
            V1_SAMPLER => self.exporters.sampler_v1(record),
            V2_SAMPLER => self.exporters.sampler_v2(record),
            FILE_STATISTICS => {
                Statistics::read(&record[RECORD_HEADER..]).map(|told| self.header.statistics = told)
            }
            // Histograms; names of applications, interfaces and networks; filling; the name of the
            // source, which comes too late to name anything.
            3 | 4 | 12..=14 | 256 | 0x8001 => Some(()),
            5 | 6 => return self.leave(number, Unread::Old),
            16 => return self.leave(number, Unread::New),
            _ => return self.leave(number, Unread::Unknown { kind }),
        };
        self.delivery.tally.beside += 1;
        if whole.is_none() {
            let what =
                format_args!("record `{number}` of the block, type `{kind}`, does not hold what it should");
            self.delivery.note(Place::Octet(at), what);
        }
    }

    /// Leaves a record of the block unread.
    fn leave(&mut self, number: u64, why: Unread) {
        self.unread.entry(why).or_insert((number, 0)).1 += 1;
    }

    /// Gives the flow in the values to the sink.
    fn flow(&mut self, at: u64, row: u64) -> Result<(), SinkError> {
        let delivery = &mut self.delivery;
        if self.values.addresses.is_none() {
            delivery.tally.beside += 1;
            self.unaddressed.get_or_insert((at, 0)).1 += 1;
            return Ok(());
        }
        delivery.tally.received += 1;
        delivery.tally.decoded += 1;
        self.values.settle(&mut self.exporters, self.untold, &mut delivery.record);
        delivery.record.source_row = row;
        if self.values.is_anonymised || self.header.is_anonymised {
            self.anonymised.get_or_insert(at);
        }
        delivery.flow()?;
        self.seen.flow(&delivery.record);
        Ok(())
    }

    /// Says what is missing where the file ends, `left` octets behind the last block.
    fn end(&mut self, at: u64, left: usize) {
        let blocks = self.blocks;
        match self.header.blocks {
            _ if left > 0 => {
                self.delivery
                    .refuse(Place::Octet(at), format_args!("the file is cut off in the header of a block"));
            }
            Some(promised) => {
                let why =
                    format_args!("the file ends here; it promises `{promised}` blocks and holds `{blocks}`");
                self.delivery.refuse(Place::Octet(at), why);
            }
            None => {}
        }
    }

    /// Tells what is told once, and hands back the counts.
    pub(super) fn finish(mut self) -> Result<Tally, SinkError> {
        self.read_waiting(true)?;
        if let Some((at, records)) = self.unaddressed {
            let what = format_args!("`{records}` records from here on have no addresses; they are no flows");
            self.delivery.note(Place::Octet(at), what);
        }
        if let Some(at) = self.anonymised {
            let what = format_args!("the addresses of flows from here on are anonymised: they are nobody's");
            self.delivery.note(Place::Octet(at), what);
        }
        let (read, told) = (self.delivery.tally.decoded, self.header.statistics.flows);
        if self.delivery.tally.refused > 0 && told > read {
            let what = format_args!("the file says that it holds `{told}` flows; `{read}` are read");
            self.delivery.note(Place::Input, what);
        }
        self.gaps()?;
        Ok(self.delivery.close())
    }

    fn gaps(&mut self) -> Result<(), SinkError> {
        let lost = self.exporters.losses().max(self.header.statistics.sequence_failures);
        if lost == 0 {
            return Ok(());
        }
        let told = self.header.statistics.window().filter(|told| CLOCK.intersect(*told) == *told);
        let told = told.map(|told| self.correction.moved(told));
        let Some(window) = told.or(self.seen.window()) else {
            let what = format_args!("`{lost}` datagrams were lost; the file does not say when");
            self.delivery.note(Place::Input, what);
            return Ok(());
        };
        let source = self.delivery.record.source.clone();
        self.exporters.tell_gaps(lost, window, &source, self.delivery.sink)
    }
}

/// The records of a block: types and octets, as far as they can be told apart. What is left holds
/// the octets behind the last.
struct Records<'b>(&'b [u8]);

impl<'b> Iterator for Records<'b> {
    type Item = (u16, &'b [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (kind, length) = (u16_at(self.0, 0)?, usize::from(u16_at(self.0, 2)?));
        if length < RECORD_HEADER || length > self.0.len() {
            return None;
        }
        let (record, rest) = self.0.split_at(length);
        self.0 = rest;
        Some((kind, record))
    }
}
