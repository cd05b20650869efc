//! Untrusted bytes into flow records.
//!
//! The room is handed a reader and a [`FlowSink`]. It peels compression, sees by content what
//! the input is, and pushes one reused [`FlowRecord`](rahdar_model::FlowRecord) per flow, problems beside them, counts
//! for both. In reading order:
//!
//! * [`open`], [`decode`] and [`detect()`]: the doors.
//! * `zeek`: `conn.log`, `dns.log`, `ssl.log`, `http.log` and `files.log`, as tab-separated text and as JSON lines.
//! * `suricata`: EVE events, JSON as lines or as a document.
//! * `json_log`, `objects`: how JSON stands in an input: as lines or documents, wrapped or not.
//! * `table`: rows of AWS VPC flow logs, nfdump, SiLK and Argus.
//! * `cloud`: flow logs of Google Cloud and Azure, JSON documents.
//! * `capture`: pcap and pcapng, packets assembled into biflows; names and certificates in them.
//! * `netflow`: export datagrams of NetFlow v5, v7, v9 and IPFIX, from captures and from files.
//! * `sflow`: datagrams of sFlow v5, from captures and from files.
//! * `nfdump`: the files of nfcapd and its siblings.
//! * [`bgp`]: routing tables, which are no flows: who announced which prefix.
//! * [`Collector`]: export datagrams live, as they come; [`Account`]: what became of them.
//!
//! It opens no file and no socket, reads no clock, never panics on input, allocates nothing
//! per flow, and holds no more memory than its named limits say. Wrong input is data: what was
//! understood goes to the sink, the rest is counted and named.

mod account;
pub mod bgp;
mod capture;
mod cloud;
mod collector;
mod delivery;
mod detect;
mod exporters;
mod facts;
mod json;
mod json_log;
mod lines;
mod netflow;
mod nfdump;
mod objects;
mod peel;
mod problems;
mod sflow;
mod suricata;
mod table;
mod value;
mod window;
mod zeek;

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use rahdar_model::correction::Correction;
use rahdar_model::sink::{Place, SinkError};
use rahdar_model::time::Shift;
use rahdar_model::{Address, FlowSink, Problem, Tally};
use thiserror::Error;

use table::Layout;
use table::argus::Argus;
use table::aws::Aws;
use table::nfdump::Nfdump;
use table::silk::{Silk, UNKNOWN};

pub use account::Account;
pub use collector::Collector;
pub use detect::detect;
pub use netflow::{Arrival, Damaged};
pub use peel::is_damage;

/// A kind of input that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Zeek `conn.log`, `dns.log`, `ssl.log`, `http.log` or `files.log`, tab-separated with header directives.
    ZeekTsv,
    /// The same logs, or several of them in one stream, one JSON object a line.
    ZeekJson,
    /// pcap or pcapng.
    Packets,
    /// A file of IPFIX messages (RFC 5655).
    Ipfix,
    /// Export datagrams of NetFlow v5, v7 or v9, or one of IPFIX, as they were on the wire.
    Datagram,
    /// Datagrams of sFlow v5 as they were on the wire.
    Sflow,
    /// A file of nfdump 1.6 or 1.7, as nfcapd writes them.
    Nfcapd,
    /// Suricata EVE, one JSON object a line.
    Eve,
    /// AWS VPC flow logs.
    Aws,
    /// VPC flow logs of Google Cloud, as Cloud Logging exports them.
    Gcp,
    /// Flow logs of Azure, of network security groups and of virtual networks.
    Azure,
    /// CSV of nfdump.
    NfdumpCsv,
    /// JSON of nfdump, as an array or one object a line.
    NfdumpJson,
    /// Rows of nfdump's `-o pipe`.
    NfdumpPipe,
    /// Text of SiLK's `rwcut`.
    Silk,
    /// CSV of Argus.
    Argus,
}

impl Format {
    /// Every format, in the order in which they are listed to people.
    pub const ALL: [Self; 16] = [
        Self::ZeekTsv,
        Self::ZeekJson,
        Self::Packets,
        Self::Ipfix,
        Self::Datagram,
        Self::Sflow,
        Self::Nfcapd,
        Self::Eve,
        Self::Aws,
        Self::Gcp,
        Self::Azure,
        Self::NfdumpCsv,
        Self::NfdumpJson,
        Self::NfdumpPipe,
        Self::Silk,
        Self::Argus,
    ];

    /// The word for `--as`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ZeekTsv => "zeek",
            Self::ZeekJson => "zeek-json",
            Self::Packets => "packets",
            Self::Ipfix => "ipfix",
            Self::Datagram => "netflow",
            Self::Sflow => "sflow",
            Self::Nfcapd => "nfcapd",
            Self::Eve => "eve",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::NfdumpCsv => "nfdump-csv",
            Self::NfdumpJson => "nfdump-json",
            Self::NfdumpPipe => "nfdump-pipe",
            Self::Silk => "silk",
            Self::Argus => "argus",
        }
    }

    /// The format of this word. `zeek` stands for both forms: which one it is, the input says.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    /// What it is, for people.
    pub const fn about(self) -> &'static str {
        match self {
            Self::ZeekTsv => "Zeek conn.log, dns.log, ssl.log, http.log or files.log",
            Self::ZeekJson => "Zeek logs in JSON lines",
            Self::Packets => "pcap or pcapng",
            Self::Ipfix => "file of IPFIX messages",
            Self::Datagram => "NetFlow v5, v7, v9 or IPFIX datagram",
            Self::Sflow => "sFlow v5 datagram",
            Self::Nfcapd => "nfcapd file of nfdump",
            Self::Eve => "Suricata EVE",
            Self::Aws => "AWS VPC flow log",
            Self::Gcp => "Google Cloud VPC flow log",
            Self::Azure => "Azure flow log",
            Self::NfdumpCsv => "CSV of nfdump",
            Self::NfdumpJson => "JSON of nfdump",
            Self::NfdumpPipe => "pipe output of nfdump",
            Self::Silk => "text of SiLK's rwcut",
            Self::Argus => "CSV of Argus",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.about())
    }
}

/// What the operator says about an input.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The format; none: seen by content.
    pub format: Option<Format>,
    /// The exporter's name, in place of what the input says: its address, its name, or, where nothing is said,
    /// a word for what wrote it (`zeek`, `suricata`, `packets`, `nfdump`, `silk`, `argus`, `aws`, `gcp`, `azure`).
    pub exporter: Option<Arc<str>>,
    /// The sampling interval, in place of what the input says. 0 says nothing.
    pub sampling: Option<u32>,
    /// Whether one *flow* in the interval was kept, whole, in place of one packet. No exporter says so
    /// (ipt-netflow announces both alike), and octets are estimated differently.
    pub flows_sampled: bool,
    /// Exporters whose sampling interval the caller sets later, by the address that they send from: their
    /// flows need not wait until they announce it.
    pub sampling_known: BTreeSet<Address>,
    /// Moves the times of the input.
    pub shift: Shift,
    /// The `stats` event of Suricata before the input, where that is a part of a log: its counts go on in the input. It
    /// is none of it.
    pub counted_before: Option<Arc<[u8]>>,
}

impl Options {
    /// What is corrected in every record.
    pub(crate) const fn correction(&self) -> Correction {
        Correction::new(self.shift, self.sampling, self.flows_sampled)
    }
}

/// What an input is, by its first octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    /// A format that is read.
    Known(Format),
    /// A kind that is known and not read (yet), in words.
    Unsupported(&'static str),
    /// Anything else.
    Unknown,
}

/// Why an input was not decoded, or not to its end.
#[derive(Debug, Error)]
pub enum WireError {
    /// Nothing in it. Skip it.
    #[error("the input is empty")]
    Empty,
    /// A known kind that is not read. List it and go on.
    #[error("rahdar does not read {kind}")]
    Unsupported {
        /// The kind, in words.
        kind: &'static str,
    },
    /// Nothing that is known. A person must look, or name the format.
    #[error("{looks}; rahdar reads {}", Readable)]
    Unknown {
        /// What the first octets look like, in words.
        looks: String,
    },
    /// The reader failed: the flows given to the sink before are good, but not all, so read it again. Or the
    /// input is a bomb ([`is_damage`] is false for both): drop what it gave.
    #[error("the input could not be read to its end")]
    Read {
        /// What had been read before.
        tally: Tally,
        /// What failed.
        #[source]
        source: io::Error,
    },
    /// The sink takes no more. Stop.
    #[error("the sink takes no more flows")]
    Sink(#[from] SinkError),
}

/// The list of formats, for messages.
struct Readable;

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, format) in Format::ALL.into_iter().enumerate() {
            write!(f, "{}{format} (`{}`)", if i == 0 { "" } else { ", " }, format.word())?;
        }
        Ok(())
    }
}

/// Takes the compression (gzip, zstd, bzip2, xz, lz4) off an input and sees what it is: by content, unless
/// `options` name the format. The reader gives the content from its beginning; where it fails,
/// [`is_damage`] says whether reading the input again could help.
///
/// # Errors
/// [`WireError`], by what the caller can do; never [`WireError::Sink`].
pub fn open<'a>(input: &'a mut dyn Read, options: &Options) -> Result<(Format, impl Read + 'a), WireError> {
    let peeled = peel::peel(input)?;
    let format = format(&peeled, options)?;
    Ok((format, peeled.into_reader()))
}

/// Whether a line names the columns of the rows below it, in a text of this format that is a table.
pub fn is_header(format: Format, line: &[u8]) -> bool {
    let layout = match format {
        Format::Aws => Layout::read::<Aws>(line),
        Format::NfdumpCsv => Layout::read::<Nfdump>(line),
        Format::Silk => Layout::read::<Silk<16>>(line),
        Format::Argus => Layout::read::<Argus>(line),
        _ => None,
    };
    layout.is_some()
}

/// Whether a text that begins so, and is read, has one record a line, so that it can be read as it grows. JSON may
/// be a document instead: then no part of it can be read alone.
pub fn is_by_line(head: &[u8]) -> bool {
    json_log::Form::of(head).is_by_line
}

/// Reads an input to its end and gives every flow to the sink.
///
/// Compression (gzip, zstd, bzip2, xz, lz4) is peeled, the format is seen by content unless `options` name it.
/// An input that is cut or broken midway is no error: what came before is kept, the rest is
/// refused as one record, and a problem says where it ends. A compressed one that grows beyond reason is
/// [`WireError::Read`]: nothing of it may be kept. `source` becomes
/// [`FlowRecord::source`](rahdar_model::FlowRecord::source).
///
/// # Errors
/// [`WireError`], by what the caller can do.
pub fn decode(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let peeled = peel::peel(input)?;
    let format = format(&peeled, options)?;
    let form = json_log::Form::of(&peeled.head);
    let base = if format == Format::Silk { table::silk::base(&peeled.head) } else { UNKNOWN };
    let mut reader = peeled.into_reader();
    let decoded = match format {
        Format::ZeekTsv => zeek::tsv::decode(&mut reader, source, options, sink),
        Format::ZeekJson => zeek::json::decode(form, &mut reader, source, options, sink),
        Format::Packets => capture::decode(&mut reader, source, options, sink),
        Format::Ipfix | Format::Datagram => netflow::file(&mut reader, source, options, sink),
        Format::Sflow => sflow::file(&mut reader, source, options, sink),
        Format::Nfcapd => nfdump::decode(&mut reader, source, options, sink),
        Format::Eve => suricata::decode(form, &mut reader, source, options, sink),
        Format::Aws if form.is_json => table::cloudwatch::decode(&mut reader, source, options, sink),
        Format::Aws => table::decode::<Aws>(&mut reader, source, options, sink),
        Format::Gcp => cloud::gcp::decode(&mut reader, source, options, sink),
        Format::Azure => cloud::azure::decode(&mut reader, source, options, sink),
        Format::NfdumpCsv => table::decode::<Nfdump>(&mut reader, source, options, sink),
        Format::NfdumpJson => table::nfdump_json::decode(form, &mut reader, source, options, sink),
        Format::NfdumpPipe => table::nfdump_pipe::decode(&mut reader, source, options, sink),
        Format::Silk if base == 16 => table::decode::<Silk<16>>(&mut reader, source, options, sink),
        Format::Silk if base == 10 => table::decode::<Silk<10>>(&mut reader, source, options, sink),
        Format::Silk => table::decode::<Silk<UNKNOWN>>(&mut reader, source, options, sink),
        Format::Argus => table::decode::<Argus>(&mut reader, source, options, sink),
    };
    match decoded {
        // Reading it again would not help: keep what came before.
        Err(WireError::Read { mut tally, source }) if is_damage(&source) && tally.decoded > 0 => {
            tally.received += 1;
            tally.refused += 1;
            let text = format!("the compressed input is damaged: {source}; what came before is kept");
            sink.problem(Problem { place: Place::Input, text, refused: 1 });
            Ok(tally)
        }
        decoded => decoded,
    }
}

/// The format to decode as.
fn format(peeled: &peel::Peeled<'_>, options: &Options) -> Result<Format, WireError> {
    let head = &peeled.head;
    let unknown = || WireError::Unknown { looks: detect::looks(head) };
    match options.format {
        None => match detect(head, peeled.whole) {
            Detection::Known(format) => Ok(format),
            Detection::Unsupported(kind) => Err(WireError::Unsupported { kind }),
            Detection::Unknown => Err(unknown()),
        },
        // The word of the operator says `zeek`; the input says which form.
        Some(Format::ZeekTsv | Format::ZeekJson) => match detect::text(head).first() {
            Some(b'{' | b'[') => Ok(Format::ZeekJson),
            _ if json_log::is_prefixed(head) => Ok(Format::ZeekJson),
            _ => Ok(Format::ZeekTsv),
        },
        // No word makes flows of what has only sums of them.
        Some(Format::NfdumpCsv) => match detect(head, peeled.whole) {
            Detection::Unsupported(kind @ table::nfdump::SUMS) => Err(WireError::Unsupported { kind }),
            _ => Ok(Format::NfdumpCsv),
        },
        Some(Format::Packets) if !capture::is_capture(head) => Err(unknown()),
        Some(format) => Ok(format),
    }
}
