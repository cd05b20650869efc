//! Flows in Parquet files of other programs, by a map of columns.
//!
//! Columns are found by name: first those that the map names, then ours, then names in common use. An
//! address is text, a number (IPv4), or 4 or 16 octets; a time is a timestamp, or seconds,
//! milliseconds, microseconds or nanoseconds since 1970, told apart by their size; a protocol is a
//! number or a name. A row without both addresses and a start is refused. Octets that no column tells are
//! marked as missing, not counted as none.
//!
//! VPC flow logs that AWS writes as Parquet are read as their text is: unsampled, the interface is the
//! exporter, the addresses in the packets stand before those of the interface, `action` is the state, rows
//! without data are no flows, skipped ones are gaps.

use std::fs::File;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rahdar_model::column::flow::{COLUMNS, column};
use rahdar_model::column::{Column, Kind, Value};
use rahdar_model::correction::Correction;
use rahdar_model::fact::{Fact, Gap, Loss, Unit};
use rahdar_model::flow::size::doubt;
use rahdar_model::flow::{SamplingSource, protocol, tcp};
use rahdar_model::sink::{Place, SinkError};
use rahdar_model::time::{SECOND_US, Shift};
use rahdar_model::{FlowRecord, FlowSink, Problem, Quality, Tally, Timestamp, Window};
use thiserror::Error;

use crate::cells::Cells;

/// Rows read at a time.
const BATCH_ROWS: usize = 8_192;

/// Refused rows that are named; the rest are counted. Chosen here, as decoders have it.
const PROBLEMS_NAMED_MAX: u64 = 1_000;

/// The exporter's name unless somebody gives one.
const EXPORTER: &str = "parquet";

/// The addresses as columns of their own, in the words of the view `flows`.
const ENDS: [&str; 2] = ["src", "dst"];

/// How long a flow lasted, where its end is not told; in seconds, unless the file gives a unit.
const DURATION: &str = "duration";

/// Without these a row is a flow of which little can be said.
const WANTED: [&str; 5] = ["protocol", "dst_port", "end_time", "packets", "octets"];

/// What logs write where they tell nothing.
const UNTOLD: &str = "-";

/// Columns that count. They are never negative, and the greatest number stands for all greater ones.
const COUNTERS: [&str; 6] =
    ["packets", "octets", "rev_packets", "rev_octets", "payload_octets", "rev_payload_octets"];

/// How our columns go by elsewhere, in lower case: the usual names of IPFIX, NetFlow collectors,
/// cloud logs, Zeek and nfdump.
const ALIASES: [(&str, &[&str]); 19] = [
    (
        "src",
        &[
            "src_ip",
            "srcip",
            "src_addr",
            "srcaddr",
            "sa",
            "source_ip",
            "source_address",
            "sourceipv4address",
            "id.orig_h",
            "id_orig_h",
        ],
    ),
    (
        "dst",
        &[
            "dst_ip",
            "dstip",
            "dst_addr",
            "dstaddr",
            "da",
            "dest_ip",
            "destination_ip",
            "destination_address",
            "destinationipv4address",
            "id.resp_h",
            "id_resp_h",
        ],
    ),
    (
        "start_time",
        &[
            "start",
            "ts",
            "first",
            "flow_start",
            "first_switched",
            "flowstartmilliseconds",
            "time_received",
            "timestamp",
        ],
    ),
    ("end_time", &["end", "te", "last", "flow_end", "last_switched", "flowendmilliseconds"]),
    ("src_port", &["srcport", "sp", "sport", "source_port", "sourcetransportport", "id.orig_p", "id_orig_p"]),
    (
        "dst_port",
        &[
            "dstport",
            "dp",
            "dport",
            "dest_port",
            "destination_port",
            "destinationtransportport",
            "id.resp_p",
            "id_resp_p",
        ],
    ),
    ("protocol", &["proto", "pr", "ip_protocol", "protocolidentifier"]),
    ("packets", &["pkts", "ipkt", "in_pkts", "packetdeltacount", "orig_pkts"]),
    ("octets", &["bytes", "ibyt", "in_bytes", "octetdeltacount", "orig_ip_bytes"]),
    ("rev_packets", &["opkt", "out_pkts", "resp_pkts"]),
    ("rev_octets", &["obyt", "out_bytes", "resp_ip_bytes"]),
    ("payload_octets", &["orig_bytes"]),
    ("rev_payload_octets", &["resp_bytes"]),
    (DURATION, &["td"]),
    ("tcp_flags", &["flags", "flg", "tcpcontrolbits"]),
    ("exporter", &["sampler_address", "router", "ra", "exporteripv4address"]),
    ("sampling_interval", &["sampling_rate", "samplinginterval"]),
    ("direction", &["flow_direction", "flow-direction"]),
    ("state", &["action", "conn_state"]),
];

/// Columns of AWS that stand before others of ours, or say what a row is. Its Parquet writes `_` where its text
/// writes `-`.
const OF_AWS: [(&str, Ours); 4] = [
    ("pkt_srcaddr", Ours::PacketSrc),
    ("pkt_dstaddr", Ours::PacketDst),
    ("interface_id", Ours::Interface),
    ("log_status", Ours::Status),
];

/// The exporter's name in flow logs of AWS that do not tell the interface, as in their text.
const AWS: &str = "aws";

/// What the reader of a file of another program is told.
#[derive(Debug, Clone, Default)]
pub struct Foreign {
    /// Which of their columns is ours: `src=client_ip,octets=total_bytes`.
    pub columns: ColumnMap,
    /// Who saw the flows; none: a column says so, or it is `parquet`.
    pub exporter: Option<Arc<str>>,
    /// The sampling interval, in place of what the file says.
    pub sampling: Option<u32>,
    /// Whether one flow in the interval was kept, whole, in place of one packet.
    pub flows_sampled: bool,
    /// Moves the times.
    pub shift: Shift,
}

impl Foreign {
    /// What is corrected in every record.
    const fn correction(&self) -> Correction {
        Correction::new(self.shift, self.sampling, self.flows_sampled)
    }
}

/// Our columns and theirs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnMap(Vec<(String, String)>);

/// Why a map or a file is of no use.
#[derive(Debug, Error)]
pub enum ForeignError {
    /// The map does not say what is what.
    #[error(
        "`{0}` maps no column: write OURS=THEIRS, with `src`, `dst`, `duration` or a column of docs/schema.md as OURS"
    )]
    Map(String),
    /// The map names a column that is not there.
    #[error("there is no column `{theirs}`; the file has {has}")]
    NoColumn {
        /// The column.
        theirs: String,
        /// Those that are there.
        has: String,
    },
    /// A column without which no row is a flow.
    #[error("no column is `{ours}`; name it with --columns {ours}=THEIRS; the file has {has}")]
    Missing {
        /// Our name.
        ours: &'static str,
        /// Those that are there.
        has: String,
    },
    /// A column whose values cannot be what it is to be read as.
    #[error(
        "column `{theirs}` ({kind}) cannot be read as `{ours}`: name another with --columns {ours}=THEIRS, or convert it"
    )]
    Column {
        /// Its name.
        theirs: String,
        /// What it holds, in the words of Arrow.
        kind: String,
        /// Our name.
        ours: &'static str,
        /// Why not.
        #[source]
        cause: arrow::error::ArrowError,
    },
    /// The file is no Parquet, or damaged.
    #[error("the file cannot be read as Parquet")]
    Parquet(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The sink takes no more. Stop.
    #[error("the sink takes no more flows")]
    Sink(#[from] SinkError),
}

impl FromStr for ColumnMap {
    type Err = ForeignError;

    fn from_str(text: &str) -> Result<Self, ForeignError> {
        let pair = |part: &str| {
            let wrong = || ForeignError::Map(part.to_owned());
            let (ours, theirs) = part.split_once('=').ok_or_else(wrong)?;
            let (ours, theirs) = (ours.trim(), theirs.trim());
            if theirs.is_empty() || Ours::of(ours).is_none() {
                return Err(wrong());
            }
            Ok((ours.to_owned(), theirs.to_owned()))
        };
        text.split(',').map(pair).collect::<Result<_, _>>().map(Self)
    }
}

/// Whether a file that begins so is Parquet.
pub fn is_parquet(head: &[u8]) -> bool {
    head.starts_with(b"PAR1")
}

/// Reads a Parquet file to its end and gives every flow to the sink. A row is a record, and its
/// number is that in the file.
///
/// # Errors
/// [`ForeignError`]; flows given before it are good.
pub fn decode(
    file: File,
    source: Arc<str>,
    foreign: &Foreign,
    sink: &mut dyn FlowSink,
) -> Result<Tally, ForeignError> {
    let damaged = |cause: Box<dyn std::error::Error + Send + Sync>| ForeignError::Parquet(cause);
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| damaged(e.into()))?;
    let found = find(builder.schema(), &foreign.columns)?;
    let roots = found.iter().map(|(_, index)| *index);
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let names: Vec<(Ours, String)> =
        found.iter().map(|(ours, index)| (*ours, builder.schema().field(*index).name().clone())).collect();
    if let Some(text) = lacking(builder.schema(), &found) {
        sink.problem(Problem { place: Place::Input, text, refused: 0 });
    }
    let reader =
        builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(|e| damaged(e.into()))?;
    let is_aws = found.iter().any(|(ours, _)| matches!(ours, Ours::Interface | Ours::Status));
    let exporter = if is_aws { AWS } else { EXPORTER };
    let mut rows = Rows {
        record: FlowRecord::new(exporter.into(), source),
        exporter: foreign.exporter.clone().unwrap_or_else(|| exporter.into()),
        foreign,
        correction: foreign.correction(),
        is_aws,
        tally: Tally::default(),
        row: 0,
        named: 0,
    };
    for batch in reader {
        rows.read(&batch.map_err(|e| damaged(e.into()))?, &names, sink)?;
    }
    if rows.named > PROBLEMS_NAMED_MAX {
        let refused = rows.named - PROBLEMS_NAMED_MAX;
        let text = format!("{refused} more rows are refused; they are not named");
        sink.problem(Problem { place: Place::Input, text, refused });
    }
    Ok(rows.tally)
}

/// One of our columns.
#[derive(Clone, Copy)]
enum Ours {
    Src,
    Dst,
    /// The address in the packets, where the other is of a middle box.
    PacketSrc,
    PacketDst,
    /// Which exporter it is, if no other column says so.
    Interface,
    /// Whether the row is a flow.
    Status,
    /// From the first packet to the last.
    Duration,
    Other(&'static Column<FlowRecord>),
}

impl Ours {
    fn of(name: &str) -> Option<Self> {
        match name {
            "src" => Some(Self::Src),
            "dst" => Some(Self::Dst),
            DURATION => Some(Self::Duration),
            name => column(name).map(Self::Other),
        }
    }

    /// What a map calls it.
    const fn name(self) -> &'static str {
        match self {
            Self::Src | Self::PacketSrc => "src",
            Self::Dst | Self::PacketDst => "dst",
            Self::Interface => "exporter",
            Self::Status => "state",
            Self::Duration => DURATION,
            Self::Other(column) => column.name,
        }
    }
}

/// What the rows will lack, where the file has columns that were not read: one of them may be it.
fn lacking(schema: &SchemaRef, found: &[(Ours, usize)]) -> Option<String> {
    let is_there = |wanted: &&str| {
        let is_it =
            |ours: &Ours| ours.name() == *wanted || (*wanted == "end_time" && ours.name() == DURATION);
        found.iter().any(|(ours, _)| is_it(ours))
    };
    let missing: Vec<&str> = WANTED.into_iter().filter(|wanted| !is_there(wanted)).collect();
    let fields = schema.fields().iter().enumerate();
    let unread = fields.filter(|(index, _)| !found.iter().any(|(_, read)| read == index));
    let unread: Vec<&str> = unread.map(|(_, field)| field.name().as_str()).collect();
    let first = missing.first().filter(|_| !unread.is_empty())?;
    Some(format!(
        "no column is {}: name one with --columns {first}=THEIRS; not read: {}",
        missing.join(", "),
        unread.join(", ")
    ))
}

/// Which column of the file is which of ours: the map first, then our names, then usual ones.
fn find(schema: &SchemaRef, map: &ColumnMap) -> Result<Vec<(Ours, usize)>, ForeignError> {
    let has = || schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ");
    let position =
        |name: &str| schema.fields().iter().position(|field| field.name().eq_ignore_ascii_case(name));
    let mut found = Vec::new();
    let computed = ["day", "source", "source_row"];
    let ours = ENDS.into_iter().chain([DURATION]).chain(COLUMNS.iter().map(|column| column.name));
    for name in ours.filter(|name| !computed.contains(name)) {
        let mapped = map.0.iter().find(|(ours, _)| ours == name);
        let index = match mapped {
            Some((_, theirs)) => Some(
                position(theirs)
                    .ok_or_else(|| ForeignError::NoColumn { theirs: theirs.clone(), has: has() })?,
            ),
            None => {
                let usual =
                    ALIASES.iter().find(|(ours, _)| *ours == name).map_or(&[][..], |(_, names)| names);
                position(name).or_else(|| usual.iter().find_map(|usual| position(usual)))
            }
        };
        if let (Some(ours), Some(index)) = (Ours::of(name), index) {
            found.push((ours, index));
        }
    }
    // They come last: they stand before the others. What the map names is what the operator wants.
    let any = |names: [&str; 2]| names.into_iter().any(|name| position(name).is_some());
    let is_aws = any(["log_status", "interface_id"]) && any(["srcaddr", "pkt_srcaddr"]);
    for (name, ours) in OF_AWS.into_iter().filter(|_| is_aws) {
        let mapped = match ours {
            Ours::PacketSrc => "src",
            Ours::PacketDst => "dst",
            _ => "exporter",
        };
        let is_mapped = !matches!(ours, Ours::Status) && map.0.iter().any(|(ours, _)| ours == mapped);
        if let Some(index) = position(name).filter(|_| !is_mapped) {
            found.push((ours, index));
        }
    }
    let is_there = |wanted: &str| {
        found.iter().any(|(ours, _)| match ours {
            Ours::Src | Ours::PacketSrc => matches!(wanted, "src"),
            Ours::Dst | Ours::PacketDst => matches!(wanted, "dst"),
            Ours::Interface | Ours::Status | Ours::Duration => false,
            Ours::Other(column) => column.name == wanted || column.name.strip_suffix("_lo") == Some(wanted),
        })
    };
    for ours in ["src", "dst", "start_time"] {
        if !is_there(ours) {
            return Err(ForeignError::Missing { ours, has: has() });
        }
    }
    Ok(found)
}

/// Rows on their way to the sink.
struct Rows<'a> {
    record: FlowRecord,
    /// The exporter of rows that name none.
    exporter: Arc<str>,
    foreign: &'a Foreign,
    correction: Correction,
    /// Whether these are flow logs of AWS.
    is_aws: bool,
    tally: Tally,
    row: u64,
    /// Rows refused.
    named: u64,
}

impl Rows<'_> {
    fn read(
        &mut self,
        batch: &RecordBatch,
        names: &[(Ours, String)],
        sink: &mut dyn FlowSink,
    ) -> Result<(), ForeignError> {
        let mut columns = Vec::with_capacity(names.len());
        for (ours, name) in names {
            let array = batch.column_by_name(name).ok_or_else(|| ForeignError::Map(name.clone()))?;
            let cells = match ours {
                Ours::Src | Ours::Dst | Ours::PacketSrc | Ours::PacketDst => Cells::addresses(array),
                Ours::Interface | Ours::Status => Cells::of(name, Kind::Text, array),
                Ours::Duration => Cells::durations(array),
                Ours::Other(column) => Cells::of(column.name, column.kind, array),
            };
            let unread = |cause| ForeignError::Column {
                theirs: name.clone(),
                kind: array.data_type().to_string(),
                ours: ours.name(),
                cause,
            };
            columns.push((*ours, cells.map_err(unread)?));
        }
        for row in 0..batch.num_rows() {
            self.row += 1;
            match status(&columns, row) {
                Some("NODATA") => {
                    self.tally.beside += 1;
                    continue;
                }
                Some("SKIPDATA") => {
                    self.tally.beside += 1;
                    if let Some(gap) = self.gap(&columns, row) {
                        sink.fact(Fact::Gap(&gap))?;
                    }
                    continue;
                }
                _ => {}
            }
            self.tally.received += 1;
            match self.fill(&columns, names, row) {
                Ok(()) => {
                    self.tally.decoded += 1;
                    self.tally.flows += 1;
                    sink.flow(&self.record)?;
                }
                Err(why) => {
                    self.tally.refused += 1;
                    self.named += 1;
                    if self.named <= PROBLEMS_NAMED_MAX {
                        sink.problem(Problem { place: Place::Line(self.row), text: why, refused: 1 });
                    }
                }
            }
        }
        Ok(())
    }

    fn fill(
        &mut self,
        columns: &[(Ours, Cells)],
        names: &[(Ours, String)],
        row: usize,
    ) -> Result<(), String> {
        let record = &mut self.record;
        record.reset();
        record.exporter = self.exporter.clone();
        record.source_row = self.row;
        record.end_time = Timestamp::MIN;
        let mut ends = [false; 2];
        let (mut start, mut packets, mut octets, mut duration_us) = (false, false, false, 0);
        for ((ours, cells), (_, name)) in columns.iter().zip(names) {
            match ours {
                Ours::Src | Ours::PacketSrc | Ours::Dst | Ours::PacketDst => {
                    let Some(address) = cells.address(row) else {
                        match cells.text(row) {
                            None | Some("" | UNTOLD) => continue,
                            Some(text) => return Err(format!("`{name}` cannot be `{text}`")),
                        }
                    };
                    match ours {
                        Ours::Src | Ours::PacketSrc => (record.src, ends[0]) = (address, true),
                        _ => (record.dst, ends[1]) = (address, true),
                    }
                }
                Ours::Duration => {
                    if let Some(Value::Int(us)) = cells.value(row) {
                        duration_us = us.max(0);
                    }
                }
                Ours::Interface => {
                    if let Some(Value::Text(interface)) = cells.value(row) {
                        record.exporter = interface.into();
                    }
                }
                Ours::Status => {}
                Ours::Other(column) => {
                    let Some(value) = cells.value(row) else { continue };
                    start |= column.name == "start_time";
                    packets |= column.name == "packets";
                    octets |= column.name == "octets";
                    match value {
                        Value::Int(count) if count < 0 && COUNTERS.contains(&column.name) => {
                            return Err(format!("`{name}` cannot be `{count}`"));
                        }
                        Value::Int(i64::MAX) if COUNTERS.contains(&column.name) => {
                            record.quality |= Quality::COUNTER_CLAMPED;
                        }
                        _ => {}
                    }
                    ends[0] |= column.name == "src_lo";
                    ends[1] |= column.name == "dst_lo";
                    (column.set)(record, value);
                }
            }
        }
        if ends != [true; 2] {
            return Err("the row has not both addresses".to_owned());
        }
        if !start {
            return Err("the row has no start".to_owned());
        }
        if record.end_time == Timestamp::MIN {
            record.end_time = record.start_time.plus_micros(duration_us);
        }
        record.quality |= doubt(packets.then_some(record.packets), octets.then_some(record.octets));
        if record.rev_packets.is_some() || record.rev_octets.is_some() {
            record.quality |= doubt(record.rev_packets, record.rev_octets);
        }
        if self.is_aws {
            let flags = record.tcp_flags.filter(|_| record.protocol == protocol::TCP);
            record.tcp_flags = flags.map(|flags| tcp::with_ack(flags, record.packets, record.octets));
        }
        self.correction.apply(record);
        if self.foreign.exporter.is_some() {
            record.exporter = self.exporter.clone();
        }
        if self.is_aws && self.foreign.sampling.is_none() {
            record.sampling_interval = Some(1);
            record.sampling_source = Some(SamplingSource::Assumed);
        } else if record.sampling_interval.is_none() {
            record.quality |= Quality::RATE_UNKNOWN;
        }
        Ok(())
    }

    /// What a row of AWS says that was skipped: at least one record.
    fn gap(&self, columns: &[(Ours, Cells)], row: usize) -> Option<Gap> {
        let time = |wanted: &str| {
            columns.iter().find_map(|(ours, cells)| match (ours, cells.value(row)) {
                (Ours::Other(column), Some(Value::Int(micros))) if column.name == wanted => {
                    Some(Timestamp::from_micros(micros))
                }
                _ => None,
            })
        };
        let start = time("start_time")?;
        // The last second of the interval is inside.
        let until = time("end_time").unwrap_or(start).max(start).plus_micros(SECOND_US);
        let interface = columns.iter().find_map(|(ours, cells)| match (ours, cells.value(row)) {
            (Ours::Interface, Some(Value::Text(interface))) => Some(Arc::from(interface)),
            _ => None,
        });
        Some(Gap {
            exporter: self.foreign.exporter.clone().or(interface).unwrap_or_else(|| self.exporter.clone()),
            observation_domain: 0,
            window: self.correction.moved(Window::new(start, until)),
            cause: Loss::Sequence,
            unit: Unit::Records,
            lost: 1,
            source: self.record.source.clone(),
        })
    }
}

/// What a row is, in the words of AWS.
fn status(columns: &[(Ours, Cells)], row: usize) -> Option<&str> {
    columns.iter().find_map(|(ours, cells)| match (ours, cells.value(row)) {
        (Ours::Status, Some(Value::Text(status))) => Some(status),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        ArrayRef, BinaryArray, Date32Array, DurationMillisecondArray, Float64Array, Int32Array, Int64Array,
        StringArray, TimestampMillisecondArray, UInt32Array, UInt64Array,
    };
    use parquet::arrow::ArrowWriter;
    use rahdar_model::flow::{Direction, Sampler};
    use rahdar_model::time::CALENDAR;

    use super::*;

    /// Flows, problems, gaps.
    #[derive(Default)]
    struct Kept(Vec<FlowRecord>, Vec<String>, Vec<Gap>);

    impl FlowSink for Kept {
        fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
            self.0.push(record.clone());
            Ok(())
        }

        fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
            if let Fact::Gap(gap) = fact {
                self.2.push(gap.clone());
            }
            Ok(())
        }

        fn problem(&mut self, problem: Problem) {
            self.1.push(problem.to_string());
        }
    }

    fn read(columns: Vec<(&str, ArrayRef)>, map: &str) -> Result<(Kept, Tally), ForeignError> {
        let map = if map.is_empty() { ColumnMap::default() } else { map.parse()? };
        read_as(columns, &Foreign { columns: map, exporter: Some("theirs".into()), ..Foreign::default() })
    }

    fn read_as(columns: Vec<(&str, ArrayRef)>, foreign: &Foreign) -> Result<(Kept, Tally), ForeignError> {
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, array, true)),
        )
        .unwrap();
        let mut file = tempfile::tempfile().unwrap();
        let mut writer = ArrowWriter::try_new(file.try_clone().unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let mut kept = Kept::default();
        let tally = decode(file, "their.parquet".into(), foreign, &mut kept)?;
        assert!(tally.balances());
        Ok((kept, tally))
    }

    fn texts(texts: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(texts.to_vec()))
    }

    #[test]
    fn usual_names_are_understood() {
        let (kept, tally) = read(
            vec![
                ("SrcAddr", texts(&[Some("192.0.2.1"), Some("2001:db8::1"), None])),
                ("dst_ip", texts(&[Some("203.0.113.9"), Some("2001:db8::2"), Some("203.0.113.9")])),
                ("ts", Arc::new(TimestampMillisecondArray::from(vec![1_629_000_000_250; 3]))),
                ("dport", Arc::new(Int32Array::from(vec![443; 3]))),
                ("proto", texts(&[Some("TCP"), Some("17"), Some("tcp")])),
                ("bytes", Arc::new(Int64Array::from(vec![1_500; 3]))),
            ],
            "",
        )
        .unwrap();
        assert_eq!((tally.flows, tally.refused), (2, 1));
        let first = &kept.0[0];
        assert_eq!(
            (first.src.to_string(), first.dst.to_string()),
            ("192.0.2.1".into(), "203.0.113.9".into())
        );
        assert_eq!((first.dst_port, first.protocol, first.octets), (443, 6, 1_500));
        assert_eq!(first.start_time.to_string(), "2021-08-15T04:00:00.25Z");
        assert_eq!((first.end_time, &*first.exporter, first.source_row), (first.start_time, "theirs", 1));
        assert!(first.quality.contains(Quality::RATE_UNKNOWN));
        assert_eq!(kept.0[1].protocol, 17);
        assert_eq!(kept.1, ["line 3: the row has not both addresses"]);
    }

    #[test]
    fn a_duration_tells_the_end() {
        let ends = |columns: Vec<(&str, ArrayRef)>, map: &str| {
            let mut all = vec![
                ("src", texts(&[Some("192.0.2.1")])),
                ("dst", texts(&[Some("203.0.113.9")])),
                ("ts", Arc::new(Int64Array::from(vec![1_629_000_000])) as ArrayRef),
            ];
            all.extend(columns);
            read(all, map).unwrap().0.0[0].end_time.to_string()
        };
        let seconds = || Arc::new(Float64Array::from(vec![2.5])) as ArrayRef;
        let millis = Arc::new(DurationMillisecondArray::from(vec![2_500])) as ArrayRef;
        for told in [
            ends(vec![("duration", seconds())], ""),
            ends(vec![("duration", millis)], ""),
            ends(vec![("lasted", seconds())], "duration=lasted"),
        ] {
            assert_eq!(told, "2021-08-15T04:00:02.5Z");
        }
        // CICFlowMeter counts microseconds under this name: the operator says which column it is.
        let micros = Arc::new(Int64Array::from(vec![2_500_000]));
        assert_eq!(ends(vec![("flow_duration", micros)], ""), "2021-08-15T04:00:00Z");
        let end: ArrayRef = Arc::new(Int64Array::from(vec![1_629_000_009]));
        assert_eq!(ends(vec![("duration", seconds()), ("end", end)], ""), "2021-08-15T04:00:09Z");
    }

    #[test]
    fn counts_that_cannot_be_are_refused_or_marked() {
        let (kept, tally) = read(
            vec![
                ("src", texts(&[Some("192.0.2.1"), Some("192.0.2.1"), Some("192.0.2.300")])),
                ("dst", texts(&[Some("203.0.113.9"); 3])),
                ("ts", Arc::new(Int64Array::from(vec![1_629_000_000; 3]))),
                ("packets", Arc::new(Int64Array::from(vec![1, -1, 1]))),
                ("octets", Arc::new(UInt64Array::from(vec![u64::MAX, 1, 1]))),
            ],
            "",
        )
        .unwrap();
        assert_eq!((tally.flows, tally.refused), (1, 2));
        assert_eq!(kept.0[0].octets, i64::MAX.unsigned_abs());
        assert!(kept.0[0].quality.contains(Quality::COUNTER_CLAMPED));
        assert_eq!(kept.1, ["line 2: `packets` cannot be `-1`", "line 3: `src` cannot be `192.0.2.300`"]);
    }

    #[test]
    fn sizes_that_cannot_be_are_marked_as_those_of_text_are() {
        let (kept, _) = read(
            vec![
                ("src", texts(&[Some("192.0.2.1"); 4])),
                ("dst", texts(&[Some("203.0.113.9"); 4])),
                ("ts", Arc::new(Int64Array::from(vec![1_629_000_000; 4]))),
                ("packets", Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(0), None]))),
                ("octets", Arc::new(Int64Array::from(vec![1, 80, 900, 900]))),
                ("rev_packets", Arc::new(Int64Array::from(vec![None, Some(1), None, None]))),
                ("rev_octets", Arc::new(Int64Array::from(vec![None, Some(65_536), None, None]))),
                ("sampling_rate", Arc::new(Int32Array::from(vec![1; 4]))),
            ],
            "",
        )
        .unwrap();
        let marks: Vec<Quality> = kept.0.iter().map(|flow| flow.quality).collect();
        let (impossible, gap) = (Quality::IMPOSSIBLE_SIZE, Quality::CONTENT_GAP);
        assert_eq!(marks, [impossible, impossible, gap, gap]);
    }

    #[test]
    fn times_that_no_clock_has_are_marked_and_those_of_no_calendar_stop_at_its_end() {
        let (kept, tally) = read(
            vec![
                ("src", texts(&[Some("192.0.2.1"); 3])),
                ("dst", texts(&[Some("203.0.113.9"); 3])),
                (
                    "ts",
                    Arc::new(TimestampMillisecondArray::from(vec![
                        7,
                        300_000_000_000_000,
                        1_629_000_000_000,
                    ])),
                ),
            ],
            "",
        )
        .unwrap();
        assert_eq!((tally.flows, tally.refused), (3, 0));
        let is_suspect = |flow: &FlowRecord| flow.quality.contains(Quality::CLOCK_SUSPECT);
        assert_eq!(kept.0.iter().map(is_suspect).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(kept.0[1].end_time, CALENDAR.until.plus_micros(-1));
    }

    #[test]
    fn an_address_may_be_a_number_with_a_sign() {
        let (kept, _) = read(
            vec![
                ("src", Arc::new(Int32Array::from(vec![-1_073_741_311]))),
                ("dst", texts(&[Some("203.0.113.9")])),
                ("ts", Arc::new(Int64Array::from(vec![1_629_000_000]))),
            ],
            "",
        )
        .unwrap();
        assert_eq!(kept.0[0].src.to_string(), "192.0.2.1");
    }

    #[test]
    fn what_the_operator_says_of_sampling_and_clocks_goes_into_every_row() {
        let columns = vec![
            ("src", texts(&[Some("192.0.2.1")])),
            ("dst", texts(&[Some("203.0.113.9")])),
            ("ts", Arc::new(TimestampMillisecondArray::from(vec![250])) as ArrayRef),
        ];
        let zero = "2021-08-15".parse().unwrap();
        let foreign = Foreign {
            sampling: Some(64),
            flows_sampled: true,
            shift: Shift::Zero(zero),
            ..Foreign::default()
        };
        let flow = &read_as(columns, &foreign).unwrap().0.0[0];
        assert_eq!((flow.sampling_interval, flow.sampler), (Some(64), Some(Sampler::Flow)));
        assert_eq!(flow.start_time.to_string(), "2021-08-15T00:00:00.25Z");
        assert_eq!(flow.quality, Quality::TIME_SHIFTED | Quality::CONTENT_GAP);
    }

    #[test]
    fn a_map_goes_before_names_and_octets_are_addresses_too() {
        let (kept, _) = read(
            vec![
                ("src", texts(&[Some("192.0.2.77")])),
                ("a", Arc::new(UInt32Array::from(vec![0xc000_0201]))),
                ("b", Arc::new(BinaryArray::from(vec![&[203, 0, 113, 9][..]]))),
                ("seconds", Arc::new(Float64Array::from(vec![1_629_000_000.5]))),
                ("nanos", Arc::new(Int64Array::from(vec![1_629_000_001_000_000_000]))),
                ("rate", Arc::new(Int32Array::from(vec![512]))),
            ],
            "src=a, dst=b, start_time=seconds, end_time=nanos, sampling_interval=rate",
        )
        .unwrap();
        let flow = &kept.0[0];
        assert_eq!((flow.src.to_string(), flow.dst.to_string()), ("192.0.2.1".into(), "203.0.113.9".into()));
        assert_eq!(flow.end_time.since(flow.start_time), 500_000);
        // No column tells octets: that is not none.
        assert_eq!((flow.sampling_interval, flow.quality), (Some(512), Quality::CONTENT_GAP));
    }

    #[test]
    fn flow_logs_of_aws_are_read_as_their_text_is() {
        let (flow, node, skipped) = (Some("192.0.2.1"), Some("192.0.2.99"), Some("-"));
        let columns = vec![
            ("interface_id", texts(&[Some("eni-1"), Some("eni-2"), Some("eni-1"), Some("eni-2")])),
            ("srcaddr", texts(&[node, node, None, None])),
            ("dstaddr", texts(&[Some("203.0.113.9"), Some("203.0.113.9"), None, None])),
            ("pkt_srcaddr", texts(&[flow, skipped, None, None])),
            ("packets", Arc::new(Int64Array::from(vec![Some(10), None, None, None]))),
            ("bytes", Arc::new(Int64Array::from(vec![Some(1_500), None, None, None]))),
            ("start", Arc::new(Int64Array::from(vec![1_629_000_000; 4]))),
            ("end", Arc::new(Int64Array::from(vec![1_629_000_059; 4]))),
            ("action", texts(&[Some("REJECT"), Some("ACCEPT"), None, None])),
            ("flow_direction", texts(&[Some("egress"), None, None, None])),
            ("log_status", texts(&[Some("OK"), Some("OK"), Some("NODATA"), Some("SKIPDATA")])),
        ];
        let (kept, tally) = read_as(columns, &Foreign::default()).unwrap();
        assert_eq!((tally.flows, tally.refused, tally.beside), (2, 0, 2));
        let [first, second] = &kept.0[..] else { panic!("two flows") };
        assert_eq!((first.src.to_string().as_str(), &*first.exporter), ("192.0.2.1", "eni-1"));
        assert_eq!((first.state.as_str(), first.direction), ("REJECT", Some(Direction::Egress)));
        assert_eq!((first.sampling_interval, first.quality, first.octets), (Some(1), Quality::NONE, 1_500));
        assert_eq!((second.src.to_string().as_str(), second.quality), ("192.0.2.99", Quality::CONTENT_GAP));
        let [gap] = &kept.2[..] else { panic!("one gap") };
        assert_eq!((&*gap.exporter, gap.lost), ("eni-2", 1));
        assert_eq!(gap.window.until.to_string(), "2021-08-15T04:01:00Z");
    }

    #[test]
    fn a_column_of_another_kind_is_named_with_the_remedy() {
        let columns = vec![
            ("src", texts(&[Some("192.0.2.1")])),
            ("dst", texts(&[Some("203.0.113.9")])),
            ("day", Arc::new(Date32Array::from(vec![18_854])) as ArrayRef),
        ];
        let error = read(columns, "start_time=day").err().unwrap();
        assert_eq!(
            error.to_string(),
            "column `day` (Date32) cannot be read as `start_time`: name another with --columns start_time=THEIRS, \
             or convert it"
        );
    }

    #[test]
    fn columns_that_were_not_read_are_named_where_something_lacks() {
        let columns = |octets: &'static str| {
            let numbers = |n| Arc::new(Int64Array::from(vec![n])) as ArrayRef;
            let mut columns = vec![
                ("src", texts(&[Some("192.0.2.1")])),
                ("dst", texts(&[Some("203.0.113.9")])),
                (octets, numbers(900)),
                ("note", texts(&[None])),
            ];
            columns.extend(["ts", "end", "protocol", "dst_port", "packets"].map(|name| (name, numbers(6))));
            columns
        };
        let told = |octets: &'static str| read(columns(octets), "").unwrap().0.1;
        assert_eq!(told("octets"), <[String; 0]>::default());
        let told = told("volume");
        assert_eq!(told.len(), 1);
        assert!(
            told[0].ends_with(
                "no column is octets: name one with --columns octets=THEIRS; not read: volume, note"
            ),
            "{told:?}"
        );
    }

    #[test]
    fn what_is_missing_is_named_with_what_is_there() {
        let columns = || vec![("src", texts(&[Some("192.0.2.1")])), ("x", texts(&[None]))];
        let error = |map: &str| read(columns(), map).err().unwrap().to_string();
        assert_eq!(error(""), "no column is `dst`; name it with --columns dst=THEIRS; the file has src, x");
        assert_eq!(error("dst=y"), "there is no column `y`; the file has src, x");
        assert!(error("nothing").starts_with("`nothing` maps no column"));
        assert!(error("colour=x").starts_with("`colour=x` maps no column"));
    }

    #[test]
    fn our_own_tables_are_read_back() {
        let flow =
            rahdar_testkit::flow("192.0.2.1:5 > [2001:db8::9]:443").sent(3, 900).answered(2, 80).build();
        let batch = crate::rows::tests::batches(std::slice::from_ref(&flow)).remove(0);
        let schema = batch.schema();
        let columns = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(f, a)| (f.name().as_str(), a.clone()))
            .collect();
        let (kept, _) = read(columns, "").unwrap();
        let read = &kept.0[0];
        assert_eq!((read.src, read.dst, read.octets, read.rev_octets), (flow.src, flow.dst, 900, Some(80)));
        assert_eq!((read.start_time, &*read.exporter), (flow.start_time, "theirs"));
    }
}
