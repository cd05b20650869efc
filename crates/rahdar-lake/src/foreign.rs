//! Flows in Parquet files of other programs, by a map of columns.
//!
//! Columns are found by name: first those that the map names, then ours, then names in common use. An
//! address is text, a number (IPv4) or 4 or 16 octets; a time is a timestamp, or seconds,
//! milliseconds, microseconds or nanoseconds since 1970, told apart by their size; a protocol is a
//! number or a name. A row without both addresses and a start is refused.

use std::fs::File;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rahdar_model::column::flow::{COLUMNS, column};
use rahdar_model::column::{Column, Kind, Value};
use rahdar_model::flow::{Sampler, protocol};
use rahdar_model::sink::{Place, SinkError};
use rahdar_model::time::Shift;
use rahdar_model::{Address, FlowRecord, FlowSink, Problem, Quality, Tally, Timestamp};
use thiserror::Error;

/// Rows read at a time.
const BATCH_ROWS: usize = 8_192;

/// Refused rows that are named; the rest are counted. Chosen here, as decoders have it.
const PROBLEMS_NAMED_MAX: u64 = 1_000;

/// The exporter's name unless somebody gives one.
const EXPORTER: &str = "parquet";

/// The addresses as columns of their own, in the words of the view `flows`.
const ENDS: [&str; 2] = ["src", "dst"];

/// How our columns go by elsewhere, in lower case: the usual names of IPFIX, NetFlow collectors,
/// cloud logs, Zeek and nfdump.
const ALIASES: [(&str, &[&str]); 14] = [
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
    ("tcp_flags", &["flags", "flg", "tcpcontrolbits"]),
    ("exporter", &["sampler_address", "router", "ra", "exporteripv4address"]),
    ("sampling_interval", &["sampling_rate", "samplinginterval"]),
];

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

/// Our columns and theirs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnMap(Vec<(String, String)>);

/// Why a map or a file is of no use.
#[derive(Debug, Error)]
pub enum ForeignError {
    /// The map does not say what is what.
    #[error(
        "`{0}` maps no column: write OURS=THEIRS, with `src`, `dst` or a column of docs/schema.md as OURS"
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
            if theirs.is_empty() || !(ENDS.contains(&ours) || column(ours).is_some()) {
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
    let reader =
        builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(|e| damaged(e.into()))?;
    let mut rows = Rows {
        record: FlowRecord::new(EXPORTER.into(), source),
        exporter: foreign.exporter.clone().unwrap_or_else(|| EXPORTER.into()),
        foreign,
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
    Other(&'static Column<FlowRecord>),
}

impl Ours {
    fn of(name: &str) -> Option<Self> {
        match name {
            "src" => Some(Self::Src),
            "dst" => Some(Self::Dst),
            name => column(name).map(Self::Other),
        }
    }
}

/// Which column of the file is which of ours: the map first, then our names, then usual ones.
fn find(schema: &SchemaRef, map: &ColumnMap) -> Result<Vec<(Ours, usize)>, ForeignError> {
    let has = || schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ");
    let position =
        |name: &str| schema.fields().iter().position(|field| field.name().eq_ignore_ascii_case(name));
    let mut found = Vec::new();
    let computed = ["day", "source", "source_row"];
    let ours = ENDS.into_iter().chain(COLUMNS.iter().map(|column| column.name));
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
    let is_there = |wanted: &str| {
        found.iter().any(|(ours, _)| match ours {
            Ours::Src => matches!(wanted, "src"),
            Ours::Dst => matches!(wanted, "dst"),
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
        let unread = |cause: arrow::error::ArrowError| ForeignError::Parquet(cause.into());
        let mut columns = Vec::with_capacity(names.len());
        for (ours, name) in names {
            let array = batch.column_by_name(name).ok_or_else(|| ForeignError::Map(name.clone()))?;
            columns.push((*ours, Cells::of(*ours, array).map_err(unread)?));
        }
        for row in 0..batch.num_rows() {
            self.row += 1;
            self.tally.received += 1;
            match self.fill(&columns, row) {
                Ok(()) => {
                    self.tally.decoded += 1;
                    self.tally.flows += 1;
                    sink.flow(&self.record)?;
                }
                Err(why) => {
                    self.tally.refused += 1;
                    self.named += 1;
                    if self.named <= PROBLEMS_NAMED_MAX {
                        sink.problem(Problem {
                            place: Place::Line(self.row),
                            text: why.to_owned(),
                            refused: 1,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    fn fill(&mut self, columns: &[(Ours, Cells)], row: usize) -> Result<(), &'static str> {
        let record = &mut self.record;
        record.reset();
        record.exporter = self.exporter.clone();
        record.source_row = self.row;
        record.end_time = Timestamp::MIN;
        let mut ends = [false; 2];
        let mut start = false;
        for (ours, cells) in columns {
            match ours {
                Ours::Src | Ours::Dst => {
                    let Some(address) = cells.address(row) else { continue };
                    match ours {
                        Ours::Src => (record.src, ends[0]) = (address, true),
                        _ => (record.dst, ends[1]) = (address, true),
                    }
                }
                Ours::Other(column) => {
                    let Some(value) = cells.value(row) else { continue };
                    start |= column.name == "start_time";
                    ends[0] |= column.name == "src_lo";
                    ends[1] |= column.name == "dst_lo";
                    (column.set)(record, value);
                }
            }
        }
        if ends != [true; 2] {
            return Err("the row has not both addresses");
        }
        if !start {
            return Err("the row has no start");
        }
        if record.end_time == Timestamp::MIN {
            record.end_time = record.start_time;
        }
        let shift = self.foreign.shift;
        if shift.moves(record.start_time) {
            record.quality |= Quality::TIME_SHIFTED;
        }
        record.start_time = shift.moved(record.start_time);
        record.end_time = shift.moved(record.end_time);
        if record.end_time < record.start_time {
            record.end_time = record.start_time;
            record.quality |= Quality::END_BEFORE_START;
        }
        if self.foreign.flows_sampled {
            record.sampler = Some(Sampler::Flow);
        }
        if self.foreign.exporter.is_some() {
            record.exporter = self.exporter.clone();
        }
        if let Some(interval) = self.foreign.sampling {
            record.sampling_interval = Some(interval);
            record.sampling_source = Some(rahdar_model::flow::SamplingSource::Operator);
        } else if record.sampling_interval.is_none() {
            record.quality |= Quality::RATE_UNKNOWN;
        }
        Ok(())
    }
}

/// One column of a batch, as what ours is.
enum Cells {
    Address(ArrayRef),
    Number(ArrayRef),
    Protocol(ArrayRef),
    Text(ArrayRef),
}

impl Cells {
    fn of(ours: Ours, array: &ArrayRef) -> Result<Self, arrow::error::ArrowError> {
        let kind = array.data_type();
        let is_text = matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        Ok(match ours {
            Ours::Src | Ours::Dst if is_text => Self::Address(cast(array, &DataType::Utf8)?),
            Ours::Src | Ours::Dst if kind.is_integer() => Self::Address(cast(array, &DataType::Int64)?),
            Ours::Src | Ours::Dst => Self::Address(cast(array, &DataType::Binary)?),
            Ours::Other(column) => match column.kind {
                Kind::Timestamp => Self::Number(times(array)?),
                Kind::Text => Self::Text(cast(array, &DataType::Utf8)?),
                _ if column.name == "protocol" && is_text => Self::Protocol(cast(array, &DataType::Utf8)?),
                _ => Self::Number(cast(array, &DataType::Int64)?),
            },
        })
    }

    fn address(&self, row: usize) -> Option<Address> {
        let Self::Address(array) = self else { return None };
        if array.is_null(row) {
            return None;
        }
        match array.data_type() {
            DataType::Utf8 => array.as_string::<i32>().value(row).trim().parse().ok(),
            DataType::Int64 => {
                let bits = array.as_primitive::<Int64Type>().value(row);
                Some(Address::from_v4_bits(u32::try_from(bits).ok()?))
            }
            _ => {
                let octets = array.as_binary::<i32>().value(row);
                match octets.len() {
                    4 => Some(Address::from_v4_bits(u32::from_be_bytes(octets.try_into().ok()?))),
                    16 => Some(Address::from_bits(u128::from_be_bytes(octets.try_into().ok()?))),
                    _ => None,
                }
            }
        }
    }

    fn value(&self, row: usize) -> Option<Value<'_>> {
        match self {
            Self::Address(_) => None,
            Self::Number(array) => {
                let numbers = array.as_primitive::<Int64Type>();
                (!numbers.is_null(row)).then(|| Value::Int(numbers.value(row)))
            }
            Self::Protocol(array) => {
                let names = array.as_string::<i32>();
                (!names.is_null(row)).then(|| protocol_number(names.value(row))).flatten().map(Value::Int)
            }
            Self::Text(array) => {
                let texts = array.as_string::<i32>();
                (!texts.is_null(row)).then(|| Value::Text(texts.value(row)))
            }
        }
    }
}

/// Times in microseconds, as integers.
fn times(array: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    match array.data_type() {
        DataType::Timestamp(_, _) | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let times = cast(array, &micros)?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            Ok(Arc::new(times.reinterpret_cast::<Int64Type>()))
        }
        kind => {
            let is_floating = kind.is_floating();
            let numbers = cast(array, &DataType::Float64)?;
            let whole = if is_floating { None } else { Some(cast(array, &DataType::Int64)?) };
            let micros = numbers.as_primitive::<Float64Type>().iter().enumerate().map(|(row, number)| {
                let number = number?;
                // Seconds until the year 5138, then milliseconds, microseconds, nanoseconds.
                let (times, divided) = match number.abs() {
                    size if size < 1e11 => (1_000_000, 1),
                    size if size < 1e14 => (1_000, 1),
                    size if size < 1e17 => (1, 1),
                    _ => (1, 1_000),
                };
                match &whole {
                    Some(whole) => {
                        let whole = whole.as_primitive::<Int64Type>().value(row);
                        whole.checked_mul(times).map(|scaled| scaled / divided)
                    }
                    None => Some((number * times as f64 / divided as f64) as i64),
                }
            });
            Ok(Arc::new(micros.collect::<arrow::array::Int64Array>()))
        }
    }
}

/// The number of a protocol that is named or written as a number.
fn protocol_number(name: &str) -> Option<i64> {
    let number = match name.trim().to_ascii_lowercase().as_str() {
        "tcp" => protocol::TCP,
        "udp" => protocol::UDP,
        "icmp" => protocol::ICMP,
        "icmp6" | "icmpv6" | "ipv6-icmp" => protocol::ICMPV6,
        text => text.parse().ok()?,
    };
    Some(number.into())
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BinaryArray, Float64Array, Int32Array, Int64Array, StringArray, TimestampMillisecondArray,
        UInt32Array,
    };
    use parquet::arrow::ArrowWriter;
    use rahdar_model::fact::Fact;

    use super::*;

    #[derive(Default)]
    struct Kept(Vec<FlowRecord>, Vec<String>);

    impl FlowSink for Kept {
        fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
            self.0.push(record.clone());
            Ok(())
        }

        fn fact(&mut self, _fact: Fact<'_>) -> Result<(), SinkError> {
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
        assert_eq!(flow.quality, Quality::TIME_SHIFTED);
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
        assert_eq!((flow.sampling_interval, flow.quality), (Some(512), Quality::NONE));
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
