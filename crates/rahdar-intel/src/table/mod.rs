//! Tables: rows and columns with a header that says what they hold ([`header`]).

mod header;

use rahdar_model::intelligence::{HostClass, Indicator, Tlp, WindowBasis};
use rahdar_model::{Timestamp, Window};

use crate::date::{Instant, NumberOrder, day_end, instant, needs_order, number_order};
use crate::draft::{Draft, Terms, tidy_name};
use crate::find::{Endpoint, Names, What, find, protocol};
use crate::reading::{Format, LINE_MAX, Origin, ReadError, ReadOptions, Reading, Reason, quote};
use crate::refang::refang;
use crate::rows::Row;
use crate::source::Source;

use header::{Column, Edge, Kind, body};
pub(crate) use header::{Layout, layout};

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
        if [column, typed].contains(&Kind::Certificate) {
            return self.certificate(place, cell, meaning);
        }
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

    fn certificate(&mut self, place: &str, cell: &str, meaning: &Meaning) {
        match Indicator::certificate(cell) {
            Some(indicator) => {
                self.endpoint(place, Endpoint { indicator, port: None, protocol: None }, meaning)
            }
            None => self.draft.refuse(place, cell, Reason::NotOfType("certificate".to_owned())),
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
            Kind::Certificate => "certificate",
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
        if endpoint.port.is_some()
            || matches!(endpoint.indicator, Indicator::Hash(..) | Indicator::Certificate(_))
        {
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
        "certificate"
        | "cert"
        | "certsha1"
        | "certsha256"
        | "certificatesha1"
        | "certificatesha256"
        | "sslcert"
        | "sslcertfingerprint"
        | "tlscert"
        | "tlsfingerprint"
        | "x509"
        | "x509fingerprint"
        | "x509fingerprintsha1"
        | "x509fingerprintsha256" => Ok(Kind::Certificate),
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
    fn hashes_of_certificates_are_known_by_the_column_the_type_or_the_title() {
        let sha1 = "4e1243bd22c66e76c2ba9eddc1f91394e57f9f83";
        let undated = |line: u8| format!("{sha1} [the beginning, the end) undated line {line}");
        let colons: Vec<&str> = (0..20).map(|octet| &sha1[2 * octet..2 * octet + 2]).collect();
        check(
            &format!("ip,ssl_cert_sha1\n192.0.2.1,{}\n", colons.join(":")),
            &["192.0.2.1 [the beginning, the end) undated line 2", &undated(2)],
            &[],
        );
        check(&format!("type,value\nSSLCertFingerprint,{sha1}\n"), &[&undated(2)], &[]);
        let reading = reading(&format!(
            "# SSL Certificate Blacklist\n# Listingdate,SHA1,Listingreason\n2021-05-10 10:00:00,{sha1},AsyncRAT C&C\n"
        ));
        let [claim] = &reading.claims[..] else { panic!("{reading:?}") };
        assert_eq!(claim.indicator, Indicator::Certificate(sha1.to_owned()));
        assert_eq!(claim.published, Some("2021-05-10".parse().unwrap()));
        assert_eq!(claim.tools, ["AsyncRAT C&C"]);
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
        fn any_text_under_a_header_is_read_without_panic(text in "[0-9a-z.,;\"\\n:/\\- ]{0,120}") {
            let text = format!("indicator,type,cluster,valid_from,valid_until,port\n{text}");
            if let Some(layout) = layout(&text) {
                let _ = read(&Source::default(), &text, &layout, &ReadOptions::default());
            }
        }
    }
}
