//! Files of nfdump (`nfcapd.…`): flows as nfcapd, sfcapd, nfpcapd and nfdump itself store them.
//!
//! In reading order:
//!
//! * [`header`]: what the file says about itself; which files are read.
//! * [`block`], [`lzo`]: blocks of records, and their compression.
//! * [`v1`]: the records of nfdump 1.6, laid out by extension maps.
//! * [`v2`]: the records of nfdump 1.7, each a list of elements.
//! * [`exporter`]: who exported, at which sampling, with which losses.
//! * [`flow`]: what the values of a record mean, whichever layout they came in.
//!
//! Source: the headers of nfdump 1.6.13 to 1.7.8, and what those versions write.
//!
//! # What is counted
//! A flow record is a record, also one that nfdump aggregated from several flows. Maps,
//! exporters, samplers, statistics, names and tables are beside, and so is a flow record without
//! addresses. A block that cannot be unpacked, or what is left of one whose records cannot be
//! told apart, is refused as one record, and reading goes on with the next block: blocks do not
//! depend on each other but for maps and exporters. What is missing at the end of a file is
//! refused as one record.

mod block;
mod exporter;
mod flow;
mod header;
mod lzo;
mod v1;
mod v2;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use rahdar_model::flow::Quality;
use rahdar_model::sink::{FlowSink, Place, SinkError, Tally};
use rahdar_model::time::{self, Timestamp};

use crate::delivery::Delivery;
use crate::window::Window;
use crate::{Detection, Options, WireError};
use block::{BLOCK_OCTETS_MAX, Block, Compression, Content, Damaged, Unpacker};
use exporter::Exporters;
use flow::{Seen, Values};
pub(crate) use header::detect;
use header::{Header, Statistics, u16_at};
use v1::Maps;

/// The exporter's name where neither the records nor the file tell one.
const EXPORTER: &str = "nfdump";

/// Octets of the header of every record: its type and its length.
const RECORD_HEADER: usize = 4;

/// Types of records that hold a flow: of nfdump 1.7, of 1.6, and of 1.6 when it numbered its
/// exporters in one octet.
const V2_FLOW: u16 = 11;
const V1_FLOW: u16 = 10;
const V1_SHORT_FLOW: u16 = 1;

/// Reads a file to its end.
///
/// # Errors
/// [`WireError::Unsupported`] and [`WireError::Unknown`] if it is no file that is read,
/// [`WireError::Read`] and [`WireError::Sink`] as they come.
pub(crate) fn decode(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let mut window = Window::new(input);
    let failed = |source| WireError::Read { tally: Tally::default(), source };
    window.reach(header::OCTETS_MAX).map_err(failed)?;
    match detect(window.view()) {
        Some(Detection::Known(_)) => {}
        Some(Detection::Unsupported(kind)) => return Err(WireError::Unsupported { kind }),
        _ => return Err(WireError::Unknown { looks: crate::detect::looks(window.view()) }),
    }
    let Some(header) = Header::read(window.view()) else {
        let mut delivery = Delivery::new(EXPORTER, source, options, sink);
        delivery.refuse(Place::Octet(0), format_args!("the file is cut off in its header"));
        return Ok(delivery.close());
    };
    window.pass(header.octets);
    let mut reading = Reading::new(header, source, options, sink);
    let failure = reading.blocks(&mut window)?;
    let tally = reading.finish()?;
    match failure {
        None => Ok(tally),
        Some(source) => Err(WireError::Read { tally, source }),
    }
}

/// One reading of a file.
struct Reading<'a> {
    delivery: Delivery<'a>,
    options: &'a Options,
    header: Header,
    exporters: Exporters,
    maps: Maps,
    values: Values,
    seen: Seen,
    /// The mark of a flow whose rate nobody told.
    untold: Quality,
    blocks: u32,
    /// Records of the block that are not read, and why: the first of them, and how many.
    unread: BTreeMap<Unread, (u64, u64)>,
    /// The first block with flows without addresses, and how many there are.
    unaddressed: Option<(u64, u64)>,
    /// The first block with addresses that stand for others.
    anonymised: Option<u64>,
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
    fn new(header: Header, source: Arc<str>, options: &'a Options, sink: &'a mut dyn FlowSink) -> Self {
        let unnamed: Arc<str> = header.ident.as_deref().unwrap_or(EXPORTER).into();
        let is_rate_given = options.sampling.is_some_and(|interval| interval > 0);
        Self {
            delivery: Delivery::new(&unnamed, source, options, sink),
            options,
            exporters: Exporters::new(options.exporter.clone(), unnamed),
            header,
            maps: Maps::default(),
            values: Values::default(),
            seen: Seen::default(),
            untold: if is_rate_given { Quality::NONE } else { Quality::RATE_UNKNOWN },
            blocks: 0,
            unread: BTreeMap::new(),
            unaddressed: None,
            anonymised: None,
        }
    }

    /// Reads all blocks. Gives back what failed, if reading did.
    fn blocks(&mut self, window: &mut Window<'_>) -> Result<Option<io::Error>, SinkError> {
        let mut unpacker = Unpacker::new(self.header.compression);
        let mut plain = Unpacker::new(Compression::None);
        while self.header.blocks.is_none_or(|blocks| self.blocks < blocks) {
            match window.reach(block::HEADER) {
                Ok(true) => {}
                Ok(false) => {
                    self.end(window.offset(), window.view().len());
                    return Ok(None);
                }
                Err(error) => return Ok(Some(error)),
            }
            let at = window.offset();
            let Some(block) = Block::read(window.view()) else { break };
            let unpacker = if block.is_plain(self.header.layout) { &mut plain } else { &mut unpacker };
            window.pass(block::HEADER);
            self.blocks += 1;
            let is_whole = match block.content(self.header.layout) {
                Content::Records if (1..=BLOCK_OCTETS_MAX).contains(&block.octets) => {
                    match window.reach(block.octets) {
                        Ok(is_whole) => {
                            let there = window.view().len().min(block.octets);
                            self.block(at, &block, &window.view()[..there], is_whole, unpacker)?;
                            window.pass(there);
                            Ok(is_whole)
                        }
                        Err(error) => Err(error),
                    }
                }
                Content::Other => {
                    self.delivery.tally.beside += 1;
                    self.skip(at, &block, window)
                }
                Content::Old => {
                    let why = "a block of nfdump 1.5 is not read";
                    self.delivery.refuse(Place::Octet(at), format_args!("{why}"));
                    self.skip(at, &block, window)
                }
                Content::Records | Content::Unknown => {
                    let why = "there is no block where one should be; nothing after it is read";
                    self.delivery.refuse(Place::Octet(at), format_args!("{why}"));
                    Ok(false)
                }
            };
            match is_whole {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => return Ok(Some(error)),
            }
        }
        self.tail(window)
    }

    /// Passes over a block that holds nothing to be read; false if the file ends in it.
    fn skip(&mut self, at: u64, block: &Block, window: &mut Window<'_>) -> io::Result<bool> {
        let is_whole = window.skip(block.octets as u64)?;
        if !is_whole {
            self.delivery.refuse(Place::Octet(at), format_args!("the file is cut off in a block"));
        }
        Ok(is_whole)
    }

    /// Reads one block, or what is there of it.
    fn block(
        &mut self,
        at: u64,
        block: &Block,
        stored: &[u8],
        is_whole: bool,
        unpacker: &mut Unpacker,
    ) -> Result<(), SinkError> {
        let promised = block.records;
        let place = Place::Octet(at);
        if !is_whole && unpacker.needs_all() {
            self.delivery.refuse(
                place,
                format_args!("the file is cut off in a compressed block of `{promised}` records"),
            );
            return Ok(());
        }
        let octets = match unpacker.unpack(stored) {
            Ok(octets) => octets,
            Err(Damaged(compression)) => {
                let why =
                    format_args!("a block of `{promised}` records cannot be unpacked from {compression}");
                self.delivery.refuse(place, why);
                return Ok(());
            }
        };
        let (read, left) = self.records(at, octets)?;
        for (why, (first, records)) in std::mem::take(&mut self.unread) {
            self.delivery.refuse_all(
                place,
                format_args!("{why}, first in record `{first}` of the block"),
                records,
            );
        }
        if !is_whole {
            let why = format_args!(
                "the file is cut off in a block; `{read}` of its `{promised}` records are there"
            );
            self.delivery.refuse(place, why);
        } else if left > 0 {
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

    /// Reads the records of a block; how many there are, and how many octets are left behind them.
    fn records(&mut self, at: u64, mut octets: &[u8]) -> Result<(u64, usize), SinkError> {
        let mut records = 0;
        while let (Some(kind), Some(length)) = (u16_at(octets, 0), u16_at(octets, 2)) {
            let length = usize::from(length);
            if length < RECORD_HEADER || length > octets.len() {
                break;
            }
            let (record, rest) = octets.split_at(length);
            records += 1;
            if let Err(why) = self.record(at, records, kind, record)? {
                self.unread.entry(why).or_insert((records, 0)).1 += 1;
            }
            octets = rest;
        }
        Ok((records, octets.len()))
    }

    /// Reads one record, of a flow or of what belongs to flows.
    #[inline]
    fn record(
        &mut self,
        at: u64,
        number: u64,
        kind: u16,
        record: &[u8],
    ) -> Result<Result<(), Unread>, SinkError> {
        let malformed = Unread::Malformed { kind };
        let of_map = |unread| match unread {
            v1::Unread::Cut => malformed,
            v1::Unread::NoMap(map) => Unread::NoMap(map),
        };
        let read = match kind {
            V2_FLOW => v2::read(record, &mut self.values).ok_or(malformed),
            V1_FLOW => self.maps.read_long(record, &mut self.values).map_err(of_map),
            V1_SHORT_FLOW => self.maps.read_short(record, &mut self.values).map_err(of_map),
            5 | 6 => Err(Unread::Old),
            16 => Err(Unread::New),
            _ => match self.beside(kind, record) {
                Some(is_good) => {
                    self.delivery.tally.beside += 1;
                    if is_good.is_none() {
                        let what = format_args!(
                            "record `{number}` of the block, type `{kind}`, does not hold what it should"
                        );
                        self.delivery.note(Place::Octet(at), what);
                    }
                    return Ok(Ok(()));
                }
                None => Err(Unread::Unknown { kind }),
            },
        };
        match read {
            Ok(()) => self.flow(at).map(Ok),
            Err(why) => Ok(Err(why)),
        }
    }

    /// Takes in a record that is no flow. None if its type is unknown, then whether it was whole.
    fn beside(&mut self, kind: u16, record: &[u8]) -> Option<Option<()>> {
        Some(match kind {
            2 => self.maps.announce(record),
            7 => self.exporters.announce(record),
            8 => self.exporters.statistics(record),
            9 => self.exporters.sampler_v1(record),
            15 => self.exporters.sampler_v2(record),
            0x8002 => Statistics::read(&record[RECORD_HEADER..]).map(|told| self.header.statistics = told),
            // Histograms; names of applications, interfaces and networks; filling; the name of the
            // source, which comes too late to name anything.
            3 | 4 | 12..=14 | 256 | 0x8001 => Some(()),
            _ => return None,
        })
    }

    /// Gives the flow in the values to the sink.
    fn flow(&mut self, at: u64) -> Result<(), SinkError> {
        let delivery = &mut self.delivery;
        if self.values.addresses.is_none() {
            delivery.tally.beside += 1;
            self.unaddressed.get_or_insert((at, 0)).1 += 1;
            return Ok(());
        }
        delivery.tally.received += 1;
        delivery.tally.decoded += 1;
        self.values.settle(&mut self.exporters, self.untold, &mut delivery.record);
        delivery.record.source_row = delivery.tally.received;
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

    /// Says if something follows the last block.
    fn tail(&mut self, window: &mut Window<'_>) -> Result<Option<io::Error>, SinkError> {
        match window.reach(1) {
            Ok(true) => {
                let blocks = self.blocks;
                let what = format_args!("what follows the `{blocks}` blocks of the file is not read");
                self.delivery.note(Place::Octet(window.offset()), what);
                Ok(None)
            }
            Ok(false) => Ok(None),
            Err(error) => Ok(Some(error)),
        }
    }

    /// Tells what is told once, and hands back the counts.
    fn finish(mut self) -> Result<Tally, SinkError> {
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
        let moved = |time: Timestamp| time.plus_micros(self.options.time_offset_us);
        let told = self.header.statistics.window();
        let told = told.map(|told| time::Window::new(moved(told.from), moved(told.until)));
        let Some(window) = told.or(self.seen.window()) else {
            let what = format_args!("`{lost}` datagrams were lost; the file does not say when");
            self.delivery.note(Place::Input, what);
            return Ok(());
        };
        let source = self.delivery.record.source.clone();
        self.exporters.tell_gaps(lost, window, &source, self.delivery.sink)
    }
}
