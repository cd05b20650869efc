//! Tables: rows and columns with a header that says what they hold.

use rahdar_model::intelligence::{HostClass, Indicator, Tlp, WindowBasis};
use rahdar_model::{Address, Timestamp, Window};

use crate::date::{Instant, NumberOrder, day_end, instant, needs_order, number_order};
use crate::find::{Endpoint, Names, What, find, protocol};
use crate::naming;
use crate::reading::{
    Draft, Format, LINE_MAX, Origin, ReadError, ReadOptions, Reading, Reason, Terms, quote, tidy_name,
};
use crate::refang::refang;
use crate::rows::{Delimiter, Row, rows};
use crate::source::Source;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
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
enum Edge {
    Validity,
    Sighting,
}

/// Which indicators a column or a type allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    Ipv4,
    Ipv6,
    Network,
    Domain,
    Url,
    Hash,
}

impl Kind {
    fn allows(self, indicator: &Indicator) -> bool {
        match (self, indicator) {
            (Self::Any, _) => true,
            (Self::Ipv4, Indicator::Network(network)) => network.first().is_v4(),
            (Self::Ipv6, Indicator::Network(network)) => !network.first().is_v4(),
            (Self::Network, Indicator::Network(_)) | (Self::Hash, Indicator::Hash(..)) => true,
            // Columns of hosts and of URLs hold each other, and addresses, all the time.
            (Self::Domain | Self::Url, Indicator::Hash(..)) => false,
            (Self::Domain | Self::Url, _) => true,
            _ => false,
        }
    }
}

/// A header and how to split the rows below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    delimiter: Delimiter,
    columns: Vec<Column>,
    header: Row,
    /// The cluster that the lines above the header name.
    cluster: Option<String>,
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
                return Some(Layout {
                    cluster: above.iter().find_map(|line| naming::in_text(line)),
                    ..layout
                });
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
fn body<'a>(text: &'a str, layout: &'a Layout) -> impl Iterator<Item = Row> + 'a {
    let start = text.split_inclusive('\n').take(layout.header.line).map(str::len).sum();
    rows(&text[start..], layout.delimiter)
        .map(|row| Row { line: row.line + layout.header.line, ..row })
        .filter(|row| !row.cells[0].starts_with('#'))
}

/// Reads a table of this layout.
pub(crate) fn read(
    source: &Source,
    text: &str,
    layout: &Layout,
    options: &ReadOptions,
) -> Result<Reading, ReadError> {
    let times = |row: Row| {
        let cells = layout.columns.iter().zip(row.cells);
        cells.filter(|(column, _)| is_time(**column)).map(|(_, cell)| cell).collect::<Vec<_>>()
    };
    let dates: Vec<String> = body(text, layout).flat_map(times).take(DATES_SEEN).collect();
    let order = number_order(dates.iter().map(String::as_str));
    let holds = |column: &Column| matches!(column, Column::Indicator(_) | Column::RangeFirst);
    let has_indicators = layout.columns.iter().any(holds);
    let mut reader = Reader {
        source,
        layout,
        order,
        ordered: None,
        has_indicators,
        cluster: layout
            .cluster
            .clone()
            .map(|name| (name, Origin::FirstLines))
            .or_else(|| source.cluster.clone()),
        draft: Draft::new(Format::Table, &source.shown, options),
    };
    for row in body(text, layout) {
        reader.row(&row);
    }
    if let Some(date) = reader.ordered {
        let first = if reader.order == NumberOrder::DayFirst { "day" } else { "month" };
        let text = format!("dates such as `{date}` are read {first} first, as other rows show");
        reader.draft.remark(text);
    }
    reader.draft.finish()
}

/// Dates looked at to learn the order of their numbers; chosen here.
const DATES_SEEN: usize = 10_000;

/// Why this is no time.
fn no_time(cell: &str) -> Reason {
    if needs_order(cell) { Reason::Order(quote(cell)) } else { Reason::Time(quote(cell)) }
}

fn is_time(column: Column) -> bool {
    matches!(column, Column::From(_) | Column::Until(_) | Column::Seen | Column::Published)
}

struct Reader<'a> {
    source: &'a Source,
    layout: &'a Layout,
    order: NumberOrder,
    /// The first date that the order of its numbers decided.
    ordered: Option<String>,
    has_indicators: bool,
    /// Whose the claims are where no column says.
    cluster: Option<(String, Origin)>,
    draft: Draft<'a>,
}

/// One row, understood.
struct Meaning {
    terms: Terms,
    ports: Vec<Option<u16>>,
    protocol: Option<u8>,
    class: Option<HostClass>,
    kind: Result<Kind, String>,
}

impl Reader<'_> {
    fn row(&mut self, row: &Row) {
        let place = format!("line {}", row.line);
        if row.broken {
            return self.draft.refuse(&place, &row.cells.join(" "), Reason::Row);
        }
        if row.cells == self.layout.header.cells || is_subheading(row) {
            return;
        }
        let meaning = match self.meaning(row, &place) {
            Ok(meaning) => meaning,
            Err(reason) => return self.draft.refuse(&place, &row.cells.join(","), reason),
        };
        let at = |wanted: Column| self.layout.columns.iter().position(|column| *column == wanted);
        if let (Some(first), Some(last)) = (at(Column::RangeFirst), at(Column::RangeLast)) {
            let cell = |i: usize| row.cells.get(i).map_or("", String::as_str);
            self.cell(&place, &format!("{}-{}", cell(first), cell(last)), Kind::Network, &meaning);
        }
        for (column, cell) in self.layout.columns.iter().zip(&row.cells) {
            let kind = match column {
                Column::Indicator(kind) => *kind,
                Column::Text if !self.has_indicators => Kind::Any,
                _ => continue,
            };
            self.cell(&place, cell, kind, &meaning);
        }
    }

    /// The indicators of one cell.
    fn cell(&mut self, place: &str, cell: &str, column: Kind, meaning: &Meaning) {
        if is_blank(cell) {
            return;
        }
        if cell.len() > LINE_MAX {
            return self.draft.refuse(place, &cell[..cell.floor_char_boundary(80)], Reason::LongLine);
        }
        let typed = match &meaning.kind {
            Ok(kind) => *kind,
            Err(word) if is_aside(word) => return self.draft.set_aside(word),
            Err(_) => Kind::Any,
        };
        let trusted = [column, typed].iter().any(|kind| matches!(kind, Kind::Domain | Kind::Url));
        let prose = !self.has_indicators;
        let found = find(&refang(cell), if trusted { Names::Trusted } else { Names::Known });
        let mut reason = Reason::NoIndicator;
        let mut any = false;
        for found in found {
            match found.what {
                What::Endpoint(endpoint) if prose && is_bare_name(&endpoint) && !found.defanged => {}
                What::Endpoint(endpoint)
                    if column.allows(&endpoint.indicator) && typed.allows(&endpoint.indicator) =>
                {
                    any = true;
                    self.endpoint(place, endpoint, meaning);
                }
                What::Endpoint(_) => reason = Reason::NotOfType(self.type_word(column, meaning)),
                What::Wrong(wrong) | What::Doubtful(wrong) => reason = wrong,
                What::Aside(kind) => {
                    any = true;
                    self.draft.set_aside(kind);
                }
            }
        }
        if any || prose {
            return;
        }
        match &meaning.kind {
            Err(word) if reason == Reason::NoIndicator => self.draft.set_aside(word),
            _ => self.draft.refuse(place, cell, reason),
        }
    }

    fn type_word(&self, column: Kind, meaning: &Meaning) -> String {
        let kind = match &meaning.kind {
            Ok(Kind::Any) => column,
            Ok(kind) => *kind,
            Err(word) => return word.clone(),
        };
        let word = match kind {
            Kind::Any => "indicator",
            Kind::Ipv4 => "ipv4",
            Kind::Ipv6 => "ipv6",
            Kind::Network => "ip",
            Kind::Domain => "domain",
            Kind::Url => "url",
            Kind::Hash => "hash",
        };
        word.to_owned()
    }

    fn endpoint(&mut self, place: &str, endpoint: Endpoint, meaning: &Meaning) {
        if let Some(class) = meaning.class {
            return match &endpoint.indicator {
                Indicator::Network(network) => self.draft.fact(*network, class, &meaning.terms),
                other => self.draft.refuse(place, &other.to_string(), Reason::ClassOfName),
            };
        }
        if endpoint.port.is_some() || matches!(endpoint.indicator, Indicator::Hash(..)) {
            return self.draft.claim(endpoint, &meaning.terms);
        }
        for port in &meaning.ports {
            let endpoint = Endpoint { port: *port, protocol: meaning.protocol, ..endpoint.clone() };
            self.draft.claim(endpoint, &meaning.terms);
        }
    }

    fn meaning(&mut self, row: &Row, place: &str) -> Result<Meaning, Reason> {
        let mut meaning = Meaning {
            terms: Terms {
                place: place.to_owned(),
                published: self.source.published,
                cluster: self.cluster.clone(),
                ..Terms::default()
            },
            ports: vec![None],
            protocol: None,
            class: None,
            kind: Ok(Kind::Any),
        };
        let mut times = Times::default();
        for (column, cell) in self.layout.columns.iter().zip(&row.cells) {
            if is_blank(cell) {
                continue;
            }
            match column {
                Column::Indicator(_) | Column::RangeFirst | Column::RangeLast | Column::Text => {}
                Column::Type => meaning.kind = kind_of(cell),
                Column::Cluster => meaning.terms.cluster = Some((cell.clone(), Origin::Column)),
                Column::Tool => meaning.terms.tools.extend(cell.split([';', '|']).map(str::to_owned)),
                Column::Port => meaning.ports = ports(cell)?,
                Column::Protocol => meaning.protocol = protocol(cell),
                Column::Confidence => meaning.terms.confidence = Some(confidence(cell)?),
                Column::Source => meaning.terms.source = Some(tidy_name(cell).into()),
                Column::Tlp => {
                    meaning.terms.tlp = Some(Tlp::from_word(cell).ok_or_else(|| Reason::Tlp(quote(cell)))?);
                }
                Column::Class => {
                    meaning.class =
                        Some(HostClass::from_word(cell).ok_or_else(|| Reason::Class(quote(cell)))?);
                }
                Column::From(_) | Column::Until(_) | Column::Seen | Column::Published => {
                    let time = instant(cell, self.order).ok_or_else(|| no_time(cell))?;
                    if needs_order(cell) {
                        self.ordered.get_or_insert_with(|| quote(cell));
                    }
                    times.put(*column, time);
                }
            }
        }
        meaning.terms.window = times.window().map(|window| (window, WindowBasis::Stated));
        meaning.terms.published = times.published.map(|at| at.day().window()).or(meaning.terms.published);
        Ok(meaning)
    }
}

/// The times of one row.
#[derive(Default)]
struct Times {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    first: Option<Timestamp>,
    last: Option<Instant>,
    published: Option<Timestamp>,
}

impl Times {
    fn put(&mut self, column: Column, time: Instant) {
        match column {
            Column::From(Edge::Validity) => self.from = self.from.or(Some(time.at)),
            Column::Until(Edge::Validity) => self.until = self.until.or(Some(time.end())),
            Column::From(Edge::Sighting) | Column::Seen => self.first = self.first.or(Some(time.at)),
            Column::Until(Edge::Sighting) => self.last = self.last.or(Some(time)),
            Column::Published => self.published = self.published.or(Some(time.at)),
            _ => {}
        }
    }

    /// The window: validity where it is given, else from the first to the last sighting. One
    /// sighting alone speaks for its day.
    fn window(&self) -> Option<Window> {
        if self.from.is_some() || self.until.is_some() {
            let first = self.from.or(self.first).unwrap_or(Timestamp::MIN);
            let last = self.until.or(self.last.map(Instant::end_of_sighting)).unwrap_or(Timestamp::MAX);
            return Some(Window::new(first, last));
        }
        match (self.first, self.last) {
            (Some(first), Some(last)) => Some(Window::new(first, last.end_of_sighting())),
            (Some(first), None) => Some(Window::new(first, day_end(first))),
            (None, Some(last)) => Some(Window::new(last.at.day().start(), last.end_of_sighting())),
            (None, None) => None,
        }
    }
}

/// A row that is a heading inside the table: one cell of words.
fn is_subheading(row: &Row) -> bool {
    let mut filled = row.cells.iter().filter(|cell| !cell.is_empty());
    let (Some(only), None) = (filled.next(), filled.next()) else { return false };
    !only.contains(|c: char| c.is_ascii_digit() || ".[:/".contains(c)) || only.ends_with(':')
}

fn is_bare_name(endpoint: &Endpoint) -> bool {
    matches!(endpoint.indicator, Indicator::Domain(_) | Indicator::Url(_))
}

/// The words for "nothing" that tables use.
fn is_blank(cell: &str) -> bool {
    matches!(
        cell.to_ascii_lowercase().as_str(),
        "" | "-"
            | "--"
            | "none"
            | "null"
            | "nil"
            | "n/a"
            | "na"
            | "nan"
            | "unknown"
            | "?"
            | "any"
            | "*"
            | "[]"
    )
}

/// The ports of a cell: `443`, `80, 443`, `443/tcp`.
fn ports(cell: &str) -> Result<Vec<Option<u16>>, Reason> {
    let numbers = cell
        .split([',', ';', ' ', '/', '|'])
        .filter(|part| !part.is_empty() && protocol_word(part).is_none());
    let mut ports = Vec::new();
    for number in numbers.take(PORTS_MAX) {
        match number.parse::<u32>() {
            Ok(0) => {}
            Ok(port) => ports.push(Some(u16::try_from(port).map_err(|_| Reason::Port)?)),
            Err(_) => return Err(Reason::Port),
        }
    }
    Ok(if ports.is_empty() { vec![None] } else { ports })
}

/// Ports that one row may claim; chosen here.
const PORTS_MAX: usize = 64;

fn protocol_word(word: &str) -> Option<u8> {
    protocol(word).filter(|_| word.contains(|c: char| c.is_ascii_alphabetic()))
}

/// A confidence as STIX has it, 0–100; words by the None/Low/Medium/High scale of STIX 2.1
/// appendix A.
fn confidence(cell: &str) -> Result<u8, Reason> {
    let wrong = || Reason::Confidence(quote(cell));
    match cell.trim_end_matches('%').trim().to_ascii_lowercase().as_str() {
        "low" => Ok(15),
        "medium" | "moderate" | "med" => Ok(50),
        "high" => Ok(85),
        number => {
            let value: f64 = number.parse().map_err(|_| wrong())?;
            let value = if number.contains('.') && value <= 1.0 { value * 100.0 } else { value };
            if (0.0..=100.0).contains(&value) { Ok(value.round() as u8) } else { Err(wrong()) }
        }
    }
}

/// The kind that a word of a type column means; the word itself if it is none of ours.
fn kind_of(cell: &str) -> Result<Kind, String> {
    let word: String = cell.to_ascii_lowercase().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    match word.as_str() {
        "ipv4" | "ipv4addr" | "ipv4address" | "ip4" => Ok(Kind::Ipv4),
        "ipv6" | "ipv6addr" | "ipv6address" | "ip6" => Ok(Kind::Ipv6),
        "ip" | "ipaddr" | "ipaddress" | "address" | "ipdst" | "ipsrc" | "ipport" | "ipdstport"
        | "ipsrcport" | "cidr" | "network" | "netblock" | "subnet" | "iprange" | "ipcidr" | "c2" | "c2ip" => {
            Ok(Kind::Network)
        }
        "domain" | "domainname" | "hostname" | "host" | "fqdn" | "domainip" | "dns" => Ok(Kind::Domain),
        "url" | "uri" | "link" => Ok(Kind::Url),
        "md5" | "sha1" | "sha256" | "hash" | "filehash" | "md5hash" | "sha1hash" | "sha256hash"
        | "filehashmd5" | "filehashsha1" | "filehashsha256" | "filenamemd5" | "filenamesha1"
        | "filenamesha256" => Ok(Kind::Hash),
        "" | "indicator" | "ioc" => Ok(Kind::Any),
        _ => Err(cell.trim().chars().take(32).collect::<String>().to_lowercase()),
    }
}

/// Types that are known and that flows cannot answer.
fn is_aside(word: &str) -> bool {
    const ASIDE: [&str; 18] = [
        "email",
        "e-mail",
        "mail",
        "filename",
        "file",
        "file name",
        "file path",
        "filepath",
        "path",
        "mutex",
        "registry",
        "yara",
        "user-agent",
        "useragent",
        "cve",
        "jarm",
        "sha512",
        "ssdeep",
    ];
    ASIDE.contains(&word)
        || word.starts_with("email")
        || word.starts_with("registry")
        || word.starts_with("ja3")
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
        | "botname" | "malware_name" | "malware_printable" | "trojan" => Column::Tool,
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
        | "date_published" | "report_date" | "add_date" => Column::Published,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reading::Reading;

    fn reading(text: &str) -> Reading {
        let layout = layout(text).unwrap_or_else(|| panic!("no table: {text}"));
        read(&Source::of_path("feeds/a.csv"), text, &layout, &ReadOptions::default()).unwrap()
    }

    fn check(text: &str, claims: &[&str], refused: &[&str]) {
        let reading = reading(text);
        let shown: Vec<String> = reading.claims.iter().map(crate::tests::shown).collect();
        assert_eq!(shown, claims, "{text}");
        let refusals: Vec<String> = reading.refused.iter().map(ToString::to_string).collect();
        assert_eq!(refusals, refused, "{text}");
    }

    #[test]
    fn the_documented_columns_are_read() {
        check(
            "indicator,type,cluster,valid_from,valid_until,port,confidence\n\
             192.0.2.1,ipv4,RedFoxtrot,2021-05-01,2021-06-30,443,80\n\
             c2.example.org,domain,RedFoxtrot,2021-05-01T00:00:00+04:30,2021-06-30T23:59:59Z,,\n\
             198.51.100.0/24,cidr,Winnti cluster,,,,\n",
            &[
                "192.0.2.1 :443 [2021-05-01, 2021-07-01) stated redfoxtrot 80 line 2",
                "c2.example.org [2021-04-30T19:30:00Z, 2021-07-01) stated redfoxtrot line 3",
                "198.51.100.0/24 [the beginning, the end) undated winnti-cluster line 4",
            ],
            &[],
        );
    }

    #[test]
    fn dated_server_lists_are_read_in_every_delimiter() {
        for d in ["\t", ",", ";", "|", "   ", " "] {
            let text =
                "c2_ip\tfirst_seen\tlast_seen\tprotocol\tport\n192.0.2.1\t2021/10/03\t2021/10/25\tHTTP\t80\n";
            check(&text.replace('\t', d), &["192.0.2.1 :80 /6 [2021-10-03, 2021-10-26) stated line 2"], &[]);
        }
    }

    #[test]
    fn times_of_sightings_include_their_last_second() {
        check(
            "ip,first_seen,last_seen\n192.0.2.1,2020-09-04 23:32:24,2020-09-04 23:32:24\n192.0.2.2,2020-09-04,\n192.0.2.3,,2020-09-04\n",
            &[
                "192.0.2.1 [2020-09-04T23:32:24Z, 2020-09-04T23:32:25Z) stated line 2",
                "192.0.2.2 [2020-09-04, 2020-09-05) stated line 3",
                "192.0.2.3 [2020-09-04, 2020-09-05) stated line 4",
            ],
            &[],
        );
    }

    #[test]
    fn rows_that_cannot_be_right_are_refused_one_by_one() {
        check(
            "ip,first_seen,last_seen,port,confidence,tlp\n\
             192.0.2.1,\"Dec 29, 2021\",\"Feb 17, 2021\",,,\n\
             192.0.2.2,soon,,,,\n\
             192.0.2.3,,,70000,,\n\
             192.0.2.4,,,,140,\n\
             192.0.2.5,,,,,purple\n\
             192.0.2.256,,,,,\n\
             example.org,,,,,\n\
             192.0.2.6,,,0,high,amber\n\
             192.0.2.7,\"2021-01-01\n",
            &["192.0.2.6 [the beginning, the end) undated 85 AMBER line 9"],
            &[
                "line 2: `192.0.2.1`: the window ends before it begins: [2021-12-29T00:00:00Z, 2021-02-18T00:00:00Z)",
                "line 3: `192.0.2.2,soon,,,,`: `soon` is not a time: write 2021-08-15 or 2021-08-15T12:30:00Z",
                "line 4: `192.0.2.3,,,70000,,`: the port is out of range",
                "line 5: `192.0.2.4,,,,140,`: `140` is no confidence from 0 to 100",
                "line 6: `192.0.2.5,,,,,purple`: `purple` is no TLP marking",
                "line 7: `192.0.2.256`: not an IP address",
                "line 8: `example.org`: not of the type `ip`",
                "line 10: `192.0.2.7 2021-01-01`: the row does not fit the header",
            ],
        );
    }

    #[test]
    fn a_cell_may_hold_several_indicators_and_a_row_several_ports() {
        check(
            "ip;ports\n\"192.0.2[.]1\n192.0.2[.]2\";80, 443/tcp\n",
            &[
                "192.0.2.1 :80 [the beginning, the end) undated line 2",
                "192.0.2.1 :443 [the beginning, the end) undated line 2",
                "192.0.2.2 :80 [the beginning, the end) undated line 2",
                "192.0.2.2 :443 [the beginning, the end) undated line 2",
            ],
            &[],
        );
    }

    #[test]
    fn prose_cells_are_searched_if_no_column_holds_indicators() {
        check(
            "date,family,notes\n2021-05-03,PlugX,beacons to 192.0.2[.]1:443 and c2.example[.]org like www.example.com\n",
            &[
                "192.0.2.1 :443 [2021-05-03, 2021-05-04) stated PlugX line 2",
                "c2.example.org [2021-05-03, 2021-05-04) stated PlugX line 2",
            ],
            &[],
        );
    }

    #[test]
    fn a_class_makes_a_fact_and_no_claim() {
        let reading = reading(
            "address,class,valid_from,valid_until\n192.0.2.0/24,CDN,2021-01-01,\n192.0.2.1,,,\nexample.org,pool,,\n192.0.2.2,castle,,\n",
        );
        assert_eq!(reading.claims.len(), 1);
        assert_eq!(reading.facts.len(), 1);
        assert_eq!(
            (reading.facts[0].class, reading.facts[0].network.to_string().as_str()),
            (HostClass::Cdn, "192.0.2.0/24")
        );
        assert_eq!(reading.refused_count, 2);
    }

    #[test]
    fn types_that_flows_cannot_answer_are_counted() {
        let reading = reading(
            "Type,Value\nFilename,atexec.exe\nFilename,detect.vbs\nIPv4,192.0.2.1\nmd5,xyz\ndomain,host.internal\n",
        );
        assert_eq!(reading.set_aside["filename"], 2);
        assert_eq!(reading.claims.len(), 2);
        assert_eq!(reading.refused[0].to_string(), "line 5: `xyz`: no indicator");
    }

    #[test]
    fn what_only_looks_like_a_header_is_none() {
        for text in [
            "Domains, addresses and hashes\nexample[.]org\n",
            "192.0.2.1,443\n192.0.2.2,80\n",
            "C2 IPs\n192.0.2.1\n\nPoison Ivy\n",
            "a,b\nc,d\n",
            "",
        ] {
            assert_eq!(layout(text), None, "{text}");
        }
    }

    #[test]
    fn a_title_may_stand_above_the_header() {
        check(
            "Infrastructure of TAG-28\n\nip,port\n192.0.2.1,443\n",
            &["192.0.2.1 :443 [the beginning, the end) undated tag-28 line 4"],
            &[],
        );
    }

    #[test]
    fn a_range_of_addresses_is_its_networks() {
        check(
            "Start\tEnd\tNetmask\n192.0.2.0\t192.0.2.255\t24\n",
            &["192.0.2.0/24 [the beginning, the end) undated line 2"],
            &[],
        );
    }

    #[test]
    fn a_commented_header_is_a_header() {
        check(
            "# a feed\n#category|address|timestamp\n\nbot|192.0.2.1|2019-03-22 11:18:52\n",
            &["192.0.2.1 [2019-03-22T11:18:52Z, 2019-03-23) stated line 4"],
            &[],
        );
    }

    proptest! {
        #[test]
        fn any_text_under_a_header_is_taken(text in "[0-9a-z.,;\"\\n:/\\- ]{0,120}") {
            let text = format!("indicator,type,cluster,valid_from,valid_until,port\n{text}");
            if let Some(layout) = layout(&text) {
                let _ = read(&Source::default(), &text, &layout, &ReadOptions::default());
            }
        }
    }
}
