//! Which line of a text is the header of a table, and what each of its columns holds.

use rahdar_model::Address;
use rahdar_model::intelligence::Indicator;

use crate::find::{Names, What, find, is_of_certificate};
use crate::naming;
use crate::refang::refang;
use crate::rows::{Delimiter, Row, rows};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Indicators of this kind.
    Indicator(Kind),
    /// The kind of the indicator in this row.
    Type,
    Cluster,
    Tool,
    /// The start of the window; or the first sighting.
    From(Edge),
    /// The end of the window; or the last sighting.
    Until(Edge),
    /// When it was seen.
    Seen,
    /// When it was published.
    Published,
    Port,
    Protocol,
    Confidence,
    Source,
    Tlp,
    Class,
    /// The first and the last address of a range.
    RangeFirst,
    RangeLast,
    /// Anything else.
    Text,
}

/// Whether a time bounds validity or is that of a sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Validity,
    Sighting,
}

/// Which indicators a column or a type allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Ipv4,
    Ipv6,
    Network,
    Domain,
    Url,
    Hash,
    Certificate,
}

impl Kind {
    pub(super) fn allows(self, indicator: &Indicator) -> bool {
        match (self, indicator) {
            (Self::Any, _) => true,
            (Self::Ipv4, Indicator::Network(network)) => network.first().is_v4(),
            (Self::Ipv6, Indicator::Network(network)) => !network.first().is_v4(),
            (Self::Network, Indicator::Network(_))
            | (Self::Hash, Indicator::Hash(..))
            | (Self::Certificate, Indicator::Certificate(_)) => true,
            // Columns of hosts and of URLs hold each other, and addresses, all the time.
            (Self::Domain | Self::Url, Indicator::Hash(..) | Indicator::Certificate(_)) => false,
            (Self::Domain | Self::Url, _) => true,
            _ => false,
        }
    }
}

/// A header and how to split the rows below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(super) delimiter: Delimiter,
    pub(super) columns: Vec<Column>,
    pub(super) header: Row,
    /// The cluster that the lines above the header name.
    pub(super) cluster: Option<String>,
}

impl Layout {
    fn take_hashes_for_certificates(&mut self) {
        let hashes = self.columns.iter_mut().filter(|column| **column == Column::Indicator(Kind::Hash));
        hashes.for_each(|column| *column = Column::Indicator(Kind::Certificate));
    }
}

/// Lines at the start of a file among which the header must stand.
const HEADER_LINES: usize = 60;
/// Octets of a header at most; chosen here.
const HEADER_OCTETS: usize = 64 << 10;
/// Rows under a header that are looked at to see whether they are rows.
const SAMPLE_ROWS: usize = 10;
/// Cells of a header at most; chosen here: the widest public feed has some ninety.
const COLUMNS_MAX: usize = 500;

/// The layout of a text that is a table; none if it is not. Above the header there may be
/// comments, one of which may be the header itself, and a title.
pub(crate) fn layout(text: &str) -> Option<Layout> {
    let mut above: Vec<&str> = Vec::new();
    let mut last_comment = None;
    for (i, line) in text.lines().take(HEADER_LINES).enumerate() {
        let line = line.trim();
        let bare = line.trim_start_matches(['#', ';', ' ']);
        if bare.len() < line.len() {
            last_comment = Some((i, bare));
        } else if !line.is_empty() {
            let found =
                header(text, i, line).or_else(|| last_comment.and_then(|(i, bare)| header(text, i, bare)));
            if let Some(layout) = found {
                let mut layout =
                    Layout { cluster: above.iter().find_map(|line| naming::in_text(line)), ..layout };
                if above.iter().any(|line| is_of_certificate(line)) {
                    layout.take_hashes_for_certificates();
                }
                return Some(layout);
            }
            if line.len() > HEADER_OCTETS || holds_indicator(line) {
                return None;
            }
        }
        above.push(line);
    }
    None
}

fn holds_indicator(text: &str) -> bool {
    find(&refang(text), Names::Known).iter().any(|found| matches!(found.what, What::Endpoint(_)))
}

fn header(text: &str, at: usize, line: &str) -> Option<Layout> {
    if line.len() > HEADER_OCTETS {
        return None;
    }
    let delimiters = [
        Delimiter::Char(','),
        Delimiter::Char('\t'),
        Delimiter::Char(';'),
        Delimiter::Char('|'),
        Delimiter::Spaces,
        Delimiter::Blanks,
    ];
    delimiters.into_iter().find_map(|delimiter| {
        let mut header = rows(line, delimiter).next()?;
        header.line = at + 1;
        let columns: Vec<Column> = header.cells.iter().map(|cell| column(cell)).collect();
        let fits =
            (2..=COLUMNS_MAX).contains(&columns.len()) && says_enough(&header.cells, &columns, delimiter);
        let mut layout = Layout { delimiter, columns, header, cluster: None };
        let found = fits && has_rows(text, &layout);
        mark_ranges(text, &mut layout);
        found.then_some(layout)
    })
}

/// `start` and `end` are times, unless the first row has addresses there.
fn mark_ranges(text: &str, layout: &mut Layout) {
    let Some(row) = body(text, layout).next() else { return };
    for (column, cell) in layout.columns.iter_mut().zip(&row.cells) {
        match column {
            _ if cell.parse::<Address>().is_err() => {}
            Column::From(Edge::Validity) => *column = Column::RangeFirst,
            Column::Until(Edge::Validity) => *column = Column::RangeLast,
            _ => {}
        }
    }
}

/// Whether these cells are names of columns rather than a first row or a heading.
fn says_enough(cells: &[String], columns: &[Column], delimiter: Delimiter) -> bool {
    let known = columns.iter().filter(|column| **column != Column::Text).count();
    let indicators = columns.iter().filter(|column| matches!(column, Column::Indicator(_))).count();
    let names = cells.iter().all(|cell| cell.split_whitespace().count() <= 5 && cell.len() <= 60);
    // Words divided by single blanks are a header only if each is a name, and not all alike.
    let all_known = delimiter != Delimiter::Blanks || known == columns.len() && indicators < known;
    let says = names && all_known && (indicators > 0 || known >= 2);
    says && !cells.iter().any(|cell| holds_indicator(cell))
}

/// Whether most of the first lines below the header are divided as it is.
fn has_rows(text: &str, layout: &Layout) -> bool {
    let below = body(text, layout).take(SAMPLE_ROWS).map(|row| row.cells.len() >= 2).collect::<Vec<_>>();
    let divided = below.iter().filter(|divided| **divided).count();
    divided > 0 && divided * 2 >= below.len()
}

/// The rows below the header, comments left out.
pub(super) fn body<'a>(text: &'a str, layout: &'a Layout) -> impl Iterator<Item = Row> + 'a {
    let start = text.split_inclusive('\n').take(layout.header.line).map(str::len).sum();
    rows(&text[start..], layout.delimiter)
        .map(|row| Row { line: row.line + layout.header.line, ..row })
        .filter(|row| !row.cells[0].starts_with('#'))
}

/// What a column of this name holds.
fn column(name: &str) -> Column {
    let lower = name.trim().trim_start_matches(['#', ';', '\u{feff}']).to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let joined = words.join("_");
    match joined.as_str() {
        "type" | "indicator_type" | "ioc_type" | "kind" | "observable_type" => Column::Type,
        "cluster" | "actor" | "threat_actor" | "group" | "threat_group" | "apt" | "adversary"
        | "intrusion_set" | "activity_group" | "attribution" | "actor_name" | "cluster_name"
        | "group_name" | "campaign" => Column::Cluster,
        "malware" | "family" | "malware_family" | "tool" | "tools" | "threat" | "threat_name" | "botnet"
        | "botname" | "malware_name" | "malware_printable" | "trojan" | "listingreason"
        | "listing_reason" => Column::Tool,
        "valid_from" | "from" | "start" | "start_date" | "start_time" | "begin" | "active_from" => {
            Column::From(Edge::Validity)
        }
        "valid_until" | "valid_to" | "until" | "end" | "end_date" | "end_time" | "expires" | "expiration"
        | "expiry" | "expiration_date" | "active_until" | "to" => Column::Until(Edge::Validity),
        "first" | "firstseen" | "first_time" | "time_first" | "date_first" => Column::From(Edge::Sighting),
        "last" | "lastseen" | "last_time" | "time_last" | "date_last" => Column::Until(Edge::Sighting),
        "date" | "seen" | "timestamp" | "utc" | "time" | "observed" | "datetime" | "source_time"
        | "detected" | "date_seen" | "observation_time" => Column::Seen,
        "published" | "created" | "added" | "date_added" | "reported" | "dateadded" | "publication_date"
        | "date_published" | "report_date" | "add_date" | "listingdate" | "listing_date" => Column::Published,
        "port" | "ports" | "dst_port" | "dport" | "dest_port" | "destination_port" | "c2_port"
        | "remote_port" | "target_port" | "server_port" => Column::Port,
        "protocol" | "proto" | "transport" | "l4_proto" => Column::Protocol,
        "confidence" | "confidence_level" => Column::Confidence,
        "source" | "reference" | "references" | "ref" | "feed" | "reporter" | "report" | "source_name" => {
            Column::Source
        }
        "tlp" | "marking" => Column::Tlp,
        "class" | "host_class" => Column::Class,
        _ => sighting_or_indicator(&words),
    }
}

fn sighting_or_indicator(words: &[&str]) -> Column {
    // Fingerprints of keys and handshakes, addresses of victims, and counts are no indicators.
    const NEVER: [&str; 22] = [
        "pubkey",
        "jarm",
        "ja3",
        "ja3s",
        "ja4",
        "imphash",
        "ssdeep",
        "watermark",
        "cert",
        "certificate",
        "local",
        "victim",
        "asn",
        "country",
        "count",
        "header",
        "version",
        "name",
        "family",
        "image",
        "gateway",
        "target",
    ];
    let last = words.last().copied().unwrap_or_default();
    if last == "seen" || words.contains(&"seen") {
        return match words.first() {
            Some(&"first") => Column::From(Edge::Sighting),
            Some(&"last") => Column::Until(Edge::Sighting),
            _ => Column::Text,
        };
    }
    if is_certificate(words) {
        return Column::Indicator(Kind::Certificate);
    }
    if words.len() > 5 || words.iter().any(|word| NEVER.contains(word)) {
        return Column::Text;
    }
    let ends_in_port = words.len() >= 2 && last == "port" && words.contains(&"ip");
    match last {
        _ if ends_in_port => Column::Indicator(Kind::Network),
        "ip" | "ips" | "ipaddress" | "addr" | "saddr" | "daddr" | "address" | "addresses" | "cidr"
        | "network" | "netblock" | "sourceip" | "targetip" => Column::Indicator(Kind::Network),
        "ipv4" => Column::Indicator(Kind::Ipv4),
        "ipv6" => Column::Indicator(Kind::Ipv6),
        "domain" | "domains" | "hostname" | "hostnames" | "host" | "hosts" | "fqdn" => {
            Column::Indicator(Kind::Domain)
        }
        "url" | "urls" | "uri" => Column::Indicator(Kind::Url),
        "md5" | "sha1" | "sha256" | "hash" | "hashes" | "sha" => Column::Indicator(Kind::Hash),
        "indicator" | "indicators" | "ioc" | "iocs" | "value" | "observable" | "artifact" | "c2" | "c2s"
        | "cnc" | "c" | "server" | "endpoint" => Column::Indicator(Kind::Any),
        _ => Column::Text,
    }
}

/// Whether a column of these words holds hashes of certificates: `ssl_cert_sha1`, `x509_fingerprint_sha256`.
fn is_certificate(words: &[&str]) -> bool {
    let is_one_of = |words: &[&str], known: &[&str]| words.iter().any(|word| known.contains(word));
    is_one_of(words, &["cert", "certs", "certificate", "certificates", "ssl", "tls", "x509"])
        && is_one_of(words, &["sha1", "sha256", "hash", "fingerprint", "thumbprint"])
        && !is_one_of(words, &["ja3", "ja3s", "ja4", "jarm", "pubkey", "key"])
}
