//! The command line, as `architecture.md` fixes it: scripts call exactly this.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use rahdar_lake::REPLACED_KEPT_DAYS;
use rahdar_model::intelligence::Tlp;
use rahdar_model::time::Shift;
use rahdar_model::{Address, Prefix, Timestamp};

use crate::clock;
use crate::flows::import;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

/// Finds the hosts that talk to adversary infrastructure, in flow records that networks already keep.
#[derive(Debug, Parser)]
#[command(name = "rahdar", version, styles = STYLES, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done; 1 failed; 2 usage; 3 done, but some input was refused.\n\
    Times: 2021-08-15, 2021-08-15T12:30:00Z, or -7d.")]
pub(crate) struct Command {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options that stand anywhere on the line.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Where flows and the book are kept [default: the XDG data folder].
    #[arg(long, global = true, value_name = "DIR", env = "RAHDAR_HOME")]
    pub(crate) home: Option<PathBuf>,
    /// How rows are printed.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns, for people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// RFC 4180, with a header.
    Csv,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make the Roshan-2021 scenario, hunt in it, score the hunt, write report.html.
    Demo(Demo),
    /// Write a scenario's telemetry, intelligence and truth as files.
    #[command(subcommand)]
    Scenario(Scenario),
    /// Flow records: import, query, coverage.
    #[command(subcommand)]
    Flows(Flows),
    /// Intelligence: import, accept, list, look up, pivot.
    #[command(subcommand)]
    Intel(Intel),
    /// Networks whose hosts may be victims.
    #[command(subcommand)]
    Networks(Networks),
    /// Events of the world, registered before anyone looks.
    #[command(subcommand)]
    Events(Events),
    /// Sweep all history for every claim, and judge what was met.
    Hunt(Hunt),
    /// Learn the weights of evidence from labelled traffic.
    Calibrate(Calibrate),
    /// Write the report of a hunt.
    Report(Report),
    /// Print shell completions.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Write man pages into a folder.
    Man {
        /// The folder.
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Open the report in the browser.
    #[arg(long)]
    pub(crate) open: bool,
}

/// What a scenario is made from.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Settings {
    /// The same seed gives the same octets everywhere.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Background conversations; clusters and decoys do not depend on it.
    #[arg(long, default_value_t = rahdar_scenario::Settings::default().flows)]
    pub(crate) flows: u64,
    /// 1: one unsampled sensor; N: exporters at 1:N [default: 1:512, 1:1000 and 1:4000].
    #[arg(long, value_name = "N")]
    pub(crate) sampling: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Four clusters on one mail server of an Afghan telecom, one of them on a second.
    #[command(name = "roshan-2021")]
    Roshan2021 {
        /// The folder to write into.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Flows {
    /// Import files and folders; the format is found by content.
    Import(FlowsImport),
    /// Import what appears in a folder, and what is appended to the logs in it.
    Follow(FlowsFollow),
    /// Take what exporters send, until SIGTERM or SIGINT.
    Collect(FlowsCollect),
    /// Run one read-only SELECT over the views `flows`, `resolutions`, `handshakes`, `gaps`.
    ///
    /// Functions: in_cidr(src_hi, src_lo, '192.0.2.0/24'), ip_text(src_hi, src_lo), ip('192.0.2.1')['hi'] and ['lo'].
    /// docs/schema.md has the columns.
    Sql(FlowsSql),
    /// Say which exporter saw what, when, at which sampling, by which clock, and what was lost.
    Coverage(FlowsCoverage),
    /// Say which addresses scan, and which answer calls that others forged.
    Scanners(FlowsScanners),
    /// Merge small files into few, and remove files that were merged long ago; no answer changes.
    ///
    /// `collect` and `follow` do it by themselves, a little at a time.
    Compact(FlowsCompact),
}

#[derive(Debug, Args)]
pub(crate) struct FlowsCompact {
    /// Days for which merged files are kept: versions of the tables that need them can be asked for as long.
    #[arg(long, value_name = "N", default_value_t = REPLACED_KEPT_DAYS)]
    #[arg(value_parser = clap::value_parser!(u16).range(7..=30))]
    pub(crate) keep_days: u16,
}

#[derive(Debug, Args)]
pub(crate) struct FlowsScanners {
    #[command(flatten)]
    pub(crate) period: Period,
    /// Only addresses in this network.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) source: Vec<Prefix>,
}

#[derive(Debug, Args)]
pub(crate) struct FlowsCoverage {
    #[command(flatten)]
    pub(crate) period: Period,
    /// One row an hour: the coverage ledger.
    #[arg(long)]
    pub(crate) hourly: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FlowsImport {
    /// Files and folders; `-` is standard input.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

#[derive(Debug, Args)]
pub(crate) struct FlowsFollow {
    /// The folder.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Seconds between two looks.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) every: u64,
    /// Seconds for which a file must rest before it is taken to be complete. Logs are read as they grow.
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub(crate) settle: u64,
    /// Look once, import what is there, and end.
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// What `--as` says, with the word of every format.
fn format_help() -> String {
    let words = rahdar_wire::Format::ALL.map(rahdar_wire::Format::word).join(", ");
    format!("Take every file as this format instead of finding out: {words}")
}

/// How inputs are to be read.
#[derive(Debug, Args)]
pub(crate) struct Reading {
    #[arg(long = "as", value_name = "FORMAT", help = format_help())]
    pub(crate) read_as: Option<String>,
    /// The name of the exporter that saw these flows.
    #[arg(long, value_name = "NAME")]
    pub(crate) exporter: Option<String>,
    /// The sampling interval: one packet in N was metered.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sampling: Option<u32>,
    /// The sampling interval counts flows: one flow in N was kept, whole.
    #[arg(long)]
    pub(crate) flows_sampled: bool,
    /// Which column of a Parquet file is which: src=client_ip,dst=server_ip,start_time=ts. Usual names are known.
    #[arg(long, value_name = "MAP")]
    pub(crate) columns: Option<String>,
    /// Move times: a date places clocks that count from their own zero, a span such as 90m or -2d moves all.
    #[arg(long, value_name = "T", allow_hyphen_values = true, value_parser = import::shift)]
    pub(crate) time_offset: Option<Shift>,
}

impl Reading {
    /// Whether it changes what is read of an input.
    pub(crate) fn is_told(&self) -> bool {
        let texts = [&self.read_as, &self.exporter, &self.columns];
        let is_clock_or_rate = self.sampling.is_some() || self.flows_sampled || self.time_offset.is_some();
        is_clock_or_rate || texts.into_iter().any(Option::is_some)
    }
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("senders").required(true).multiple(true))]
pub(crate) struct FlowsCollect {
    /// Listen here for NetFlow v5, v7, v9 and IPFIX over UDP, such as 0.0.0.0:2055. Sockets that a service manager hands
    /// over at such an address are used; without any address, all of them are.
    #[arg(long, value_name = "ADDR")]
    pub(crate) netflow: Vec<SocketAddr>,
    /// Listen here for sFlow v5 over UDP, such as 0.0.0.0:6343.
    #[arg(long, value_name = "ADDR")]
    pub(crate) sflow: Vec<SocketAddr>,
    /// Listen here for IPFIX over TCP, such as 0.0.0.0:4739.
    #[arg(long, value_name = "ADDR")]
    pub(crate) ipfix_tcp: Vec<SocketAddr>,
    /// Exporters in this network may send.
    #[arg(long, value_name = "PREFIX", group = "senders")]
    pub(crate) exporter_allow: Vec<Prefix>,
    /// An exporter that may send, and its name in flows: kabul-1=192.0.2.1. One name may have many addresses.
    #[arg(long, value_name = "NAME=ADDR", group = "senders", value_parser = named)]
    pub(crate) exporter: Vec<(String, Address)>,
    /// Anybody may send: for loopback, and for networks that filter.
    #[arg(long, group = "senders", conflicts_with = "exporter_allow")]
    pub(crate) accept_any: bool,
    /// The sampling interval, one packet in N: of one exporter, 192.0.2.1=512, or of all others.
    #[arg(long, value_name = "[ADDR=]N", value_parser = sampling)]
    pub(crate) sampling: Vec<(Option<Address>, u32)>,
    /// The sampling interval counts flows, one flow in N was kept, whole: of one exporter, or of all.
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "all", value_parser = whose)]
    pub(crate) flows_sampled: Vec<Option<Address>>,
    /// Datagrams a second that each exporter may send; ten times as many at once.
    #[arg(long, value_name = "N", default_value_t = rahdar_server::Rate::default().per_second)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate_limit: u32,
    /// What the spool may hold: octets, or with KiB, MiB, GiB or TiB.
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = octets)]
    pub(crate) spool_max: u64,
    /// Store flows every so many seconds.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) commit_every: u64,
    /// Answer /metrics, /healthz and /readyz here, such as 127.0.0.1:9055 [default: nowhere].
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct FlowsSql {
    /// The query.
    #[arg(value_name = "SELECT")]
    pub(crate) sql: String,
    /// Ask the tables as they were at this version of the flows [default: as they are now].
    #[arg(long, value_name = "N")]
    pub(crate) table_version: Option<u64>,
    /// Rows at most.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(crate) max_rows: usize,
    /// Seconds at most.
    #[arg(long = "timeout", value_name = "N", default_value_t = 600)]
    pub(crate) max_seconds: u64,
    /// Memory at most, in MiB.
    #[arg(long, value_name = "N", default_value_t = 2048)]
    pub(crate) max_memory: usize,
}

/// A period of time, all history by default.
#[derive(Debug, Clone, Args)]
pub(crate) struct Period {
    /// From this time.
    #[arg(long, value_name = "T", allow_hyphen_values = true, value_parser = clock::time)]
    pub(crate) from: Option<Timestamp>,
    /// Until before this time.
    #[arg(long, value_name = "T", allow_hyphen_values = true, value_parser = clock::time)]
    pub(crate) until: Option<Timestamp>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Intel {
    /// Import lists, CSV files, STIX bundles, MISP events, reports and more.
    Import(IntelImport),
    /// Fetch what is new from the feeds of `feeds.yaml` in the home; none is contacted without it.
    Sync(IntelSync),
    /// Take what reports propose into the book.
    Accept(IntelAccept),
    /// Print every claim of the book, or what waits to be one.
    List(IntelList),
    /// Say what was claimed of an address, a name or a hash, and whether it held at a time.
    Lookup {
        /// Address, domain, URL or hash; defanged is fine.
        #[arg(value_name = "ADDRESS-OR-NAME")]
        subject: String,
        /// At this time [default: now].
        #[arg(long, value_name = "T", allow_hyphen_values = true, value_parser = clock::time)]
        at: Option<Timestamp>,
    },
    /// Find what shares rare traits with known infrastructure: certificates, keys, names, fingerprints.
    Pivot(IntelPivot),
}

#[derive(Debug, Args)]
pub(crate) struct IntelPivot {
    /// Addresses and names to begin with; defanged is fine.
    #[arg(value_name = "INDICATOR", required_unless_present = "cluster", conflicts_with = "cluster")]
    pub(crate) indicators: Vec<String>,
    /// All that is claimed of this cluster.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Use only what had been seen by this time [default: now].
    #[arg(long, value_name = "T", allow_hyphen_values = true, value_parser = clock::time)]
    pub(crate) at: Option<Timestamp>,
    /// The lowest score shown, in decibans; a link needs 15.
    #[arg(long, value_name = "DB", default_value_t = 15.0)]
    pub(crate) least: f64,
    /// Keep the candidates as proposals, to be accepted with `intel accept`.
    #[arg(long)]
    pub(crate) propose: bool,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(crate) struct IntelAccept {
    /// Numbers of proposals, such as 3 or 5-9.
    #[arg(value_name = "ID", group = "which", value_parser = ids)]
    pub(crate) ids: Vec<RangeInclusive<u64>>,
    /// All that wait.
    #[arg(long, group = "which")]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct IntelList {
    /// Only this cluster.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// What reports propose and nobody has accepted, with the sentences it came from.
    #[arg(long)]
    pub(crate) proposals: bool,
    /// What was said of names: accepted from reports, or given by galaxies and bundles.
    #[arg(long, conflicts_with = "proposals")]
    pub(crate) assertions: bool,
}

#[derive(Debug, Args)]
pub(crate) struct IntelImport {
    /// Files and folders; `-` is standard input.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Whose infrastructure it is.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Who says so [default: the file's name].
    #[arg(long, value_name = "TEXT")]
    pub(crate) source: Option<String>,
    /// When it was published.
    #[arg(long, value_name = "DATE", allow_hyphen_values = true, value_parser = clock::time)]
    pub(crate) published: Option<Timestamp>,
    /// The claims hold from this time.
    #[arg(long, value_name = "T", allow_hyphen_values = true, value_parser = clock::time)]
    pub(crate) valid_from: Option<Timestamp>,
    /// The claims hold until this time; a date alone: to the end of that day.
    #[arg(long, value_name = "T", allow_hyphen_values = true, value_parser = clock::validity_end)]
    pub(crate) valid_until: Option<Timestamp>,
    /// Traffic Light Protocol: clear, green, amber, amber+strict, red.
    #[arg(long, value_name = "L", value_parser = tlp)]
    pub(crate) tlp: Option<Tlp>,
    /// The source's confidence, 0 to 100.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) confidence: Option<u8>,
    /// Read every version that git keeps of the files, each for the time it stood.
    #[arg(long, conflicts_with_all = ["published", "valid_from", "valid_until", "accept"])]
    pub(crate) history: bool,
    /// Rules in YAML that say which hosts of a scan are hostile.
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,
    /// Take what reports propose into the book at once: for scripts.
    #[arg(long)]
    pub(crate) accept: bool,
}

#[derive(Debug, Args)]
pub(crate) struct IntelSync {
    /// Only these feeds [default: all].
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Repeat after so long: 30m, 1h, 1d.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) every: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Networks {
    /// Import your own table, or public files about networks, recognised by their content.
    ///
    /// Your own is CSV: prefix,asn,org,sector,country[,role]. Public files are of a day: routing tables (CAIDA pfx2as,
    /// MRT), CAIDA as2org, ASdb, PeeringDB, delegated statistics of registries, MaxMind databases, ranges.
    Import(NetworksImport),
}

#[derive(Debug, Args)]
pub(crate) struct NetworksImport {
    /// The files, packed or not.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The day for which the public files hold [default: taken from them or from their names].
    #[arg(long, value_name = "DATE", allow_hyphen_values = true, value_parser = clock::time)]
    pub(crate) as_of: Option<Timestamp>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Import CSV: date,label.
    Import {
        /// The file.
        file: PathBuf,
    },
}

/// Which part of history, and of the book, a hunt covers.
#[derive(Debug, Clone, Args)]
pub(crate) struct Scope {
    #[command(flatten)]
    pub(crate) period: Period,
    /// Only victims in this network.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) victim: Vec<Prefix>,
    /// Only this cluster.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Read the tables as they were at this version, which an earlier hunt has named [default: as they are now].
    #[arg(long, value_name = "N")]
    pub(crate) table_version: Option<u64>,
    /// Weigh the evidence by this calibration [default: calibration.json in the home, if there is one].
    #[arg(long, value_name = "FILE")]
    pub(crate) calibration: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Calibrate {
    #[command(flatten)]
    pub(crate) period: Period,
    /// Labels: the truth.json of a scenario, or CSV: victim,indicator,label.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) truth: Vec<PathBuf>,
    /// The file to write [default: calibration.json in the home].
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Hunt {
    #[command(flatten)]
    pub(crate) scope: Scope,
    /// Print the reasons for and against under each finding, and what would have been seen of clusters without contact.
    #[arg(long)]
    pub(crate) explain: bool,
    /// Without any indicator: print all hosts and addresses whose contacts have a rhythm.
    #[arg(long, conflicts_with_all = ["cluster", "calibration", "explain"])]
    pub(crate) rhythm: bool,
    /// Without any indicator: print all hours in which a host uploaded more than is usual for it to networks that
    /// are new to it. To know what is usual takes four weeks of telemetry, eight to know it well.
    #[arg(long, conflicts_with_all = ["cluster", "calibration", "explain", "rhythm"])]
    pub(crate) uploads: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) scope: Scope,
    /// The kind of document.
    #[arg(long = "as", value_enum, default_value_t = ReportKind::Html)]
    pub(crate) kind: ReportKind,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// The kind of document a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportKind {
    /// One self-contained page.
    Html,
}

/// Reads a number of octets.
fn octets(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err("write octets, or a number with KiB, MiB, GiB or TiB".to_owned()),
    };
    let octets = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    octets.ok_or_else(|| "that is no number of octets".to_owned())
}

/// Reads the number of a proposal, or a range of them.
fn ids(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err("write a number, or a range such as 5-9".to_owned()),
    }
}

/// The shortest time between two syncs; chosen here: feeds change by the hour, and servers count.
const EVERY_MIN: Duration = Duration::from_secs(60);

/// Reads a time between two syncs.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number with s, m, h or d, such as 30m".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let count: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let duration = Duration::from_secs(count.checked_mul(seconds).ok_or_else(wrong)?);
    if duration < EVERY_MIN { Err("one minute is the least".to_owned()) } else { Ok(duration) }
}

/// Reads the name of an exporter and its address.
fn named(text: &str) -> Result<(String, Address), String> {
    match text.rsplit_once('=') {
        Some(("", _)) | None => Err("write the name, `=`, and the address".to_owned()),
        Some((name, address)) => Ok((name.to_owned(), self::address(address)?)),
    }
}

/// Reads a sampling interval, and of which exporter it is.
fn sampling(text: &str) -> Result<(Option<Address>, u32), String> {
    let (of, interval) = match text.split_once('=') {
        Some((of, interval)) => (Some(address(of)?), interval),
        None => (None, text),
    };
    match interval.parse() {
        Ok(0) | Err(_) => Err(format!("`{interval}` is no interval: write N of one packet in N")),
        Ok(interval) => Ok((of, interval)),
    }
}

/// Reads whose word it is: that of one exporter, or of all.
fn whose(text: &str) -> Result<Option<Address>, String> {
    if text == "all" { Ok(None) } else { address(text).map(Some) }
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|_| format!("`{text}` is no address"))
}

fn tlp(text: &str) -> Result<Tlp, String> {
    Tlp::from_word(text).ok_or_else(|| "one of clear, green, amber, amber+strict, red".to_owned())
}
