//! Flows as rows of a text table whose first line names the columns.
//!
//! Each tool has a [`Tool`]: what its columns are called, and what is odd about its rows. All
//! else is the same. Columns come in any order, separated by a comma, a semicolon, a bar or a tab; those
//! that are not known are passed over. Values may be padded with blanks; `-` and nothing are unset.
//! Two tools print the same values without a line that names them: [`nfdump_json`], [`nfdump_pipe`].

pub(crate) mod argus;
pub(crate) mod aws;
pub(crate) mod cloudwatch;
pub(crate) mod nfdump;
pub(crate) mod nfdump_json;
pub(crate) mod nfdump_pipe;
mod service;
pub(crate) mod silk;

use std::io::Read;
use std::marker::PhantomData;
use std::sync::Arc;

use rahdar_model::flow::size::doubt;
use rahdar_model::flow::{SamplingSource, protocol as ip};
use rahdar_model::sink::{Place, SinkError};
use rahdar_model::{Address, FlowRecord, FlowSink, Quality, Tally, Timestamp};

use crate::delivery::Delivery;
use crate::exporters::Exporters;
use crate::lines::{self, Text};
use crate::value::{ValueError, address, count, moment, protocol, seconds, short, time};
use crate::{Options, WireError};

/// The most columns of a table that are looked at. Chosen here: nfdump has 48, AWS 40.
const COLUMNS_MAX: usize = 256;

/// The longest text of a row that is kept; the rest of a longer one is cut off. Chosen here: states and
/// names of services are a word.
const TEXT_OCTETS_MAX: usize = 256;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Start,
    End,
    Duration,
    Received,
    Src,
    Dst,
    /// The addresses in the packets, where the others are of a middle box.
    PacketSrc,
    PacketDst,
    SrcPort,
    DstPort,
    Protocol,
    Flags,
    Packets,
    Octets,
    RevPackets,
    RevOctets,
    /// Both ways.
    TotalPackets,
    TotalOctets,
    Payload,
    RevPayload,
    InIf,
    OutIf,
    SrcAs,
    DstAs,
    Direction,
    State,
    Service,
    Exporter,
    IcmpType,
    IcmpCode,
    /// How many flows the row sums up.
    Flows,
    /// Why the record ended.
    EndCause,
    /// What the row is, where not every row is a flow.
    Status,
}

/// How many kinds of column there are.
const FIELDS: usize = Field::Status as usize + 1;

/// A tool that prints flows.
pub(crate) trait Tool {
    /// The exporter's name where the row has none, unless the operator gives one.
    const EXPORTER: &'static str;
    /// The tool, in words.
    const NAME: &'static str;
    /// Whether it saw every packet; if not, it does not tell how many.
    const IS_UNSAMPLED: bool;
    /// Whether it prints dates without their zone.
    const IS_ZONELESS: bool;
    /// What may stand between its columns; the first that a header holds.
    const SEPARATORS: &'static [u8] = b"\t|,;";

    /// What the column of this name holds.
    fn field(name: &[u8]) -> Option<Field>;

    /// Whether the columns suffice to make flows.
    fn suffices(layout: &Layout) -> bool {
        [Field::Start, Field::Src, Field::Dst].into_iter().all(|field| layout.has(field))
    }

    /// The layout of a table that has no header, by its first row.
    fn unnamed(_row: &[u8]) -> Option<Layout> {
        None
    }

    /// Whether a line is not part of the table, and neither is what follows it up to the next header.
    fn ends(_line: &[u8]) -> bool {
        false
    }

    /// Sees what a row is before it is read.
    fn kind(_row: &Row<'_>) -> Result<Kind, ValueError> {
        Ok(Kind::Flow)
    }

    /// The time of this count or date.
    fn time(text: &[u8]) -> Option<Timestamp> {
        time(text)
    }

    /// The IP protocol of this number or name.
    fn protocol(text: &[u8]) -> Option<u8> {
        protocol(text)
    }

    /// Fills what all tools print, with [`Row::fill`], and what this one alone does.
    fn fill(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError>;

    /// Fills counters.
    fn fill_counters(row: &Row<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
        let (packets, octets) = (row.get(Field::Packets, count)?, row.get(Field::Octets, count)?);
        (record.packets, record.octets) = (packets.unwrap_or(0), octets.unwrap_or(0));
        record.quality |= doubt(packets, octets);
        Ok(())
    }
}

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A flow.
    Flow,
    /// No flow of IP.
    Beside,
    /// A notice that records of its time were lost.
    Gap,
}

/// What is known of the packets that the tool did not see.
#[derive(Debug, Clone, Copy)]
enum Sampling {
    /// It saw all.
    None,
    /// The operator tells the interval.
    Given,
    /// Nobody does.
    Unknown,
}

/// Reads a table to its end.
pub(crate) fn decode<T: Tool>(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let delivery = Delivery::new(T::EXPORTER, source, options, sink);
    let mut rows = Rows::<T>::new(options);
    let mut layout: Option<Layout> = None;
    let mut is_ended = false;
    lines::read(input, delivery, |delivery, text| {
        if text.line.trim_ascii().is_empty() {
            delivery.tally.beside += 1;
            return Ok(());
        }
        if layout.as_ref().is_none_or(|layout| layout.is_header(text.line))
            && let Some(named) = Layout::read::<T>(text.line)
        {
            layout = Some(named);
            is_ended = false;
            delivery.tally.beside += 1;
            return Ok(());
        }
        if is_ended || T::ends(text.line) {
            is_ended = true;
            delivery.tally.beside += 1;
            return Ok(());
        }
        if layout.is_none() {
            layout = T::unnamed(text.line);
        }
        let Some(layout) = &layout else {
            let looks =
                format!("line {} is no header of {} with the columns of a flow", text.number, T::NAME);
            return Err(WireError::Unknown { looks });
        };
        Ok(rows.text(text, layout, delivery)?)
    })
}

/// The way of rows to the sink.
struct Rows<T> {
    sampling: Sampling,
    exporters: Exporters,
    /// Whether it was said that dates have no zone.
    is_said: bool,
    tool: PhantomData<T>,
}

impl<T: Tool> Rows<T> {
    fn new(options: &Options) -> Self {
        let sampling = match options.sampling {
            _ if T::IS_UNSAMPLED => Sampling::None,
            Some(interval) if interval > 0 => Sampling::Given,
            _ => Sampling::Unknown,
        };
        Self { sampling, exporters: Exporters::new(options), is_said: false, tool: PhantomData }
    }

    /// Splits a row and gives its flow to the sink, or refuses it.
    fn text(
        &mut self,
        text: Text<'_>,
        layout: &Layout,
        delivery: &mut Delivery<'_>,
    ) -> Result<(), SinkError> {
        match Row::read(text, layout) {
            Ok(row) => self.row(&row, text, delivery),
            Err(columns) => {
                let all = layout.columns.len();
                delivery.refuse(text.place, format_args!("the row has {columns} of {all} columns"));
                Ok(())
            }
        }
    }

    /// Gives the flow of a row to the sink, or refuses it.
    fn row(&mut self, row: &Row<'_>, text: Text<'_>, delivery: &mut Delivery<'_>) -> Result<(), SinkError> {
        delivery.record.reset();
        delivery.record.source_row = text.number;
        let exporter = match row.raw(Field::Exporter) {
            b"" | b"0.0.0.0" | b"::" => T::EXPORTER.as_bytes(),
            named => named,
        };
        self.exporters.name(exporter, &mut delivery.record);
        let filled = T::kind(row).and_then(|kind| {
            if kind == Kind::Flow {
                T::fill(row, &mut delivery.record)?;
            }
            Ok(kind)
        });
        match filled {
            Ok(Kind::Flow) => {
                let record = &mut delivery.record;
                match self.sampling {
                    Sampling::None => {
                        record.sampling_interval = Some(1);
                        record.sampling_source = Some(SamplingSource::Assumed);
                    }
                    Sampling::Given => {}
                    Sampling::Unknown => record.quality |= Quality::RATE_UNKNOWN,
                }
                delivery.decode();
                delivery.flow()?;
                if T::IS_ZONELESS && !self.is_said && moment(row.raw(Field::Start)).is_some() {
                    self.is_said = true;
                    let what = "times have no zone and are taken as UTC; `--time-offset` moves them";
                    delivery.note(Place::Input, format_args!("{what}"));
                }
            }
            Ok(Kind::Beside) => delivery.tally.beside += 1,
            Ok(Kind::Gap) => {
                delivery.tally.beside += 1;
                aws::give_gap(row, delivery)?;
            }
            Err(error) => delivery.refuse(text.place, format_args!("{error}")),
        }
        Ok(())
    }
}

/// Which column holds what.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    separator: u8,
    /// Whether a bar closes the last column of a row too.
    is_closed: bool,
    columns: Vec<Option<Field>>,
    names: Vec<Box<str>>,
    /// Columns up to the last one that is read.
    needed: usize,
}

impl Layout {
    /// The layout that a header line gives; none if the line is no header of the tool.
    pub(crate) fn read<T: Tool>(line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let separator = T::SEPARATORS.iter().copied().find(|c| line.contains(c))?;
        let is_closed = is_closed(line, separator);
        let names = values(line, separator).map(|name| (T::field(name), name));
        let layout = Self { is_closed, ..Self::new(separator, names) };
        T::suffices(&layout).then_some(layout)
    }

    /// The layout of these columns, the last of which nothing closes.
    fn new<'n>(separator: u8, columns: impl Iterator<Item = (Option<Field>, &'n [u8])>) -> Self {
        let (columns, names): (Vec<_>, Vec<_>) = columns
            .take(COLUMNS_MAX)
            .map(|(field, name)| (field, String::from_utf8_lossy(name).into()))
            .unzip();
        let needed = columns.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        Self { separator, is_closed: false, columns, names, needed }
    }

    fn has(&self, field: Field) -> bool {
        self.columns.contains(&Some(field))
    }

    /// Whether a line begins with the name of the first column.
    fn is_header(&self, line: &[u8]) -> bool {
        let first = values(line, self.separator).next();
        first == self.names.first().map(|name| name.as_bytes())
    }

    /// What the column of `field` is called.
    fn name(&self, field: Field) -> String {
        let column = self.columns.iter().position(|column| *column == Some(field));
        column.map_or_else(|| format!("{field:?}").to_lowercase(), |column| self.names[column].to_string())
    }
}

/// The values of a line. A bar at the end closes the last one.
fn values(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let end = line.len() - usize::from(is_closed(line, separator));
    open_values(&line[..end], separator)
}

/// Whether a bar closes the last value of a line, or stands before an empty one.
fn is_closed(line: &[u8], separator: u8) -> bool {
    separator == b'|' && line.ends_with(b"|")
}

/// The values of a line whose last one nothing closes, without the blanks and quotes around them.
fn open_values(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    line.split(move |c| *c == separator).map(|value| match value.trim_ascii() {
        [b'"', quoted @ .., b'"'] => quoted,
        value => value,
    })
}

/// The values of one row, as they stand in it; unset ones are empty.
pub(crate) struct Row<'r> {
    layout: &'r Layout,
    values: [&'r [u8]; FIELDS],
}

impl<'r> Row<'r> {
    /// Splits a row; the number of its columns if they are too few. A last line without its end must
    /// be complete, or its last number may be half of one.
    fn read(text: Text<'r>, layout: &'r Layout) -> Result<Self, usize> {
        let mut row = Self { layout, values: [b""; FIELDS] };
        let mut columns = 0;
        let closing = usize::from(layout.is_closed && is_closed(text.line, layout.separator));
        for value in open_values(&text.line[..text.line.len() - closing], layout.separator) {
            if let Some(Some(field)) = layout.columns.get(columns)
                && value != b"-"
            {
                row.values[*field as usize] = value;
            }
            columns += 1;
        }
        let needed = if text.ended { layout.needed } else { layout.columns.len() };
        if columns < needed { Err(columns) } else { Ok(row) }
    }

    /// The value as it stands in the row; empty if it is unset.
    fn raw(&self, field: Field) -> &'r [u8] {
        self.values[field as usize]
    }

    /// The value, if it is set.
    fn get<V>(&self, field: Field, read: impl Fn(&[u8]) -> Option<V>) -> Result<Option<V>, ValueError> {
        let raw = self.raw(field);
        if raw.is_empty() {
            return Ok(None);
        }
        read(raw).map(Some).ok_or_else(|| ValueError::wrong(self.layout.name(field), raw))
    }

    /// The value, which must be set.
    fn need<V>(&self, field: Field, read: impl Fn(&[u8]) -> Option<V>) -> Result<V, ValueError> {
        self.get(field, read)?.ok_or_else(|| ValueError::missing(self.layout.name(field)))
    }

    /// Fills what all tools print alike: ends (from their columns, where they are not given), protocol,
    /// times, counters, interfaces, systems, texts.
    fn fill<T: Tool>(
        &self,
        src: Option<Address>,
        dst: Option<Address>,
        record: &mut FlowRecord,
    ) -> Result<(), ValueError> {
        record.src = src.map_or_else(|| self.need(Field::Src, address), Ok)?;
        record.dst = dst.map_or_else(|| self.need(Field::Dst, address), Ok)?;
        record.protocol = self.get(Field::Protocol, T::protocol)?.unwrap_or(0);
        record.start_time = self.need(Field::Start, T::time)?;
        record.end_time = match self.get(Field::End, T::time)? {
            Some(end) => end,
            None => record.start_time.plus_micros(self.get(Field::Duration, seconds)?.unwrap_or(0)),
        };
        record.received_time = self.get(Field::Received, T::time)?;
        T::fill_counters(self, record)?;
        let number = |text: &[u8]| count(text).and_then(|n| u32::try_from(n).ok());
        record.in_if = self.get(Field::InIf, number)?.filter(|n| *n > 0);
        record.out_if = self.get(Field::OutIf, number)?.filter(|n| *n > 0);
        record.src_as = self.get(Field::SrcAs, number)?.filter(|n| *n > 0);
        record.dst_as = self.get(Field::DstAs, number)?.filter(|n| *n > 0);
        for (field, into) in [(Field::State, &mut record.state), (Field::Service, &mut record.service)] {
            let text = self.raw(field);
            into.push_str(&String::from_utf8_lossy(&text[..text.len().min(TEXT_OCTETS_MAX)]));
        }
        Ok(())
    }

    /// Fills ports, or the type and code of ICMP where they stand in the destination's port as
    /// `256 × type + code`.
    fn fill_ports(&self, record: &mut FlowRecord) -> Result<(), ValueError> {
        let src_port = self.get(Field::SrcPort, short)?.unwrap_or(0);
        let dst_port = self.get(Field::DstPort, short)?.unwrap_or(0);
        if is_icmp(record.protocol) {
            let octet = |text: &[u8]| count(text).and_then(|n| u8::try_from(n).ok());
            record.icmp_type = Some(self.get(Field::IcmpType, octet)?.unwrap_or((dst_port >> 8) as u8));
            record.icmp_code = Some(self.get(Field::IcmpCode, octet)?.unwrap_or(dst_port as u8));
        } else {
            record.src_port = src_port;
            record.dst_port = dst_port;
        }
        Ok(())
    }
}

fn is_icmp(number: u8) -> bool {
    matches!(number, ip::ICMP | ip::ICMPV6)
}
