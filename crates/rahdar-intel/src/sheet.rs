//! The small tables that people keep themselves: the networks they watch, the events they know of, and
//! labels of traffic that they have looked into.
//!
//! All are CSV with a header, columns in any order. A line that cannot be read is named and left
//! out; the others are kept.

use std::collections::HashMap;

use rahdar_model::intelligence::{Event, Network};
use rahdar_model::{Address, Prefix};
use thiserror::Error;

use crate::date::{NumberOrder, instant};
use crate::detect;
use crate::reading::ReadError;
use crate::rows::{Delimiter, Row, rows};

/// What a table holds: its rows in their order, and the lines refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet<T> {
    /// What was read, in the order of the table, none twice.
    pub rows: Vec<T>,
    /// What was refused, in the order of the table.
    pub refused: Vec<BadLine>,
}

/// A line that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct BadLine {
    /// Which, from 1.
    pub line: usize,
    /// Why.
    pub reason: LineError,
}

/// Why a line was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineError {
    /// The prefix is none.
    #[error("`{0}` is not a prefix such as 192.0.2.0/24")]
    Prefix(String),
    /// The AS number is none.
    #[error("`{0}` is not an AS number such as 64496")]
    Asn(String),
    /// The victim is no address.
    #[error("`{0}` is not an address such as 192.0.2.1")]
    Address(String),
    /// The label says neither yes nor no.
    #[error("`{0}` is not a label: write c2 or benign")]
    Label(String),
    /// The country is no two-letter code.
    #[error("`{0}` is not a two-letter country code such as AF")]
    Country(String),
    /// The date is none.
    #[error("`{0}` is not a date such as 2021-08-15")]
    Date(String),
    /// An event without a label.
    #[error("the label is empty")]
    NoLabel,
    /// A prefix that stood above already, with another description.
    #[error("the prefix was described otherwise on line {0}")]
    Twice(usize),
    /// A quote that never closes.
    #[error("a quote in it does not close")]
    Quote,
}

/// Why nothing could be read at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SheetError {
    /// The file is no text.
    #[error("it is no table")]
    NoText(#[source] ReadError),
    /// The header lacks a column that must be there.
    #[error("the header has no column `{missing}`: the first line must be `{header}`")]
    Header {
        /// The column.
        missing: &'static str,
        /// What the header should be.
        header: &'static str,
    },
    /// A header and no rows.
    #[error("it holds no rows")]
    Empty,
}

/// Reads networks: `prefix,asn,org,sector,country[,role]`. Only the prefix must be given.
///
/// # Errors
/// [`SheetError`] if it is no such table.
pub fn networks(bytes: &[u8]) -> Result<Sheet<Network>, SheetError> {
    let mut known: HashMap<Prefix, (usize, Network)> = HashMap::new();
    read(bytes, "prefix,asn,org,sector,country,role", &["prefix"], |line, cells| {
        let network = network(cells)?;
        if let Some((above, described)) = known.get(&network.prefix) {
            return if *described == network { Ok(None) } else { Err(LineError::Twice(*above)) };
        }
        known.insert(network.prefix, (line, network.clone()));
        Ok(Some(network))
    })
}

/// Reads events: `date,label`. A date without a clock is the first moment of its day.
///
/// # Errors
/// [`SheetError`] if it is no such table.
pub fn events(bytes: &[u8]) -> Result<Sheet<Event>, SheetError> {
    let mut sheet = read(bytes, "date,label", &["date", "label"], |_, cells| event(cells).map(Some))?;
    let mut seen = std::collections::HashSet::new();
    sheet.rows.retain(|event: &Event| seen.insert((event.at, event.label.clone())));
    Ok(sheet)
}

/// What somebody found out about one host and one indicator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The monitored host.
    pub victim: Address,
    /// The address, or its network.
    pub indicator: Prefix,
    /// Whether what passed between them was command traffic.
    pub is_real: bool,
}

/// Reads labels: `victim,indicator,label`, the label `c2` or `benign` (or yes and no, true and false,
/// 1 and 0).
///
/// # Errors
/// [`SheetError`] if it is no such table.
pub fn labels(bytes: &[u8]) -> Result<Sheet<Label>, SheetError> {
    read(bytes, "victim,indicator,label", &["victim", "indicator", "label"], |_, cells| {
        label(cells).map(Some)
    })
}

/// The cells of one row by the names of their columns.
struct Cells<'a> {
    columns: &'a [String],
    row: &'a Row,
}

impl Cells<'_> {
    /// The cell in this column; empty where it is missing.
    fn get(&self, column: &str) -> &str {
        let at = self.columns.iter().position(|name| name == column);
        at.and_then(|at| self.row.cells.get(at)).map_or("", String::as_str)
    }
}

fn network(cells: &Cells<'_>) -> Result<Network, LineError> {
    let quoted = |column: &str| cells.get(column).to_owned();
    let prefix = cells.get("prefix").parse().map_err(|_| LineError::Prefix(quoted("prefix")))?;
    let asn = cells.get("asn");
    let number = asn.strip_prefix("AS").or_else(|| asn.strip_prefix("as")).unwrap_or(asn).trim();
    let asn = match number {
        "" => None,
        number => Some(number.parse().map_err(|_| LineError::Asn(quoted("asn")))?),
    };
    let country = cells.get("country").to_ascii_uppercase();
    if !(country.is_empty() || country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase())) {
        return Err(LineError::Country(quoted("country")));
    }
    Ok(Network { prefix, asn, org: quoted("org"), sector: quoted("sector"), country, role: quoted("role") })
}

fn label(cells: &Cells<'_>) -> Result<Label, LineError> {
    let quoted = |column: &str| cells.get(column).to_owned();
    let victim = cells.get("victim").parse().map_err(|_| LineError::Address(quoted("victim")))?;
    let indicator = cells.get("indicator").parse().map_err(|_| LineError::Prefix(quoted("indicator")))?;
    let is_real = match cells.get("label").to_ascii_lowercase().as_str() {
        "c2" | "yes" | "true" | "1" => true,
        "benign" | "no" | "false" | "0" => false,
        _ => return Err(LineError::Label(quoted("label"))),
    };
    Ok(Label { victim, indicator, is_real })
}

fn event(cells: &Cells<'_>) -> Result<Event, LineError> {
    let date = cells.get("date");
    let at = instant(date, NumberOrder::Untold).ok_or_else(|| LineError::Date(date.to_owned()))?.at;
    let label = cells.get("label").to_owned();
    if label.is_empty() { Err(LineError::NoLabel) } else { Ok(Event::new(at, label)) }
}

/// Reads a table whose header names `required`; `one` makes a row, or none for a copy.
fn read<T>(
    bytes: &[u8],
    header: &'static str,
    required: &[&'static str],
    mut one: impl FnMut(usize, &Cells<'_>) -> Result<Option<T>, LineError>,
) -> Result<Sheet<T>, SheetError> {
    let bytes = detect::unpack(bytes).map_err(SheetError::NoText)?;
    let text = detect::decode(&bytes).map_err(SheetError::NoText)?;
    let first = text.lines().map(str::trim).find(|line| !is_remark(line)).unwrap_or_default();
    let delimiter = [',', ';', '\t'].into_iter().max_by_key(|delimiter| first.matches(*delimiter).count());
    let mut rows =
        rows(&text, Delimiter::Char(delimiter.unwrap_or(','))).filter(|row| !is_remark(&row.cells[0]));
    let columns: Vec<String> = rows
        .next()
        .map(|row| row.cells.iter().map(|cell| cell.to_ascii_lowercase()).collect())
        .unwrap_or_default();
    if let Some(missing) = required.iter().find(|column| !columns.iter().any(|name| name == *column)) {
        return Err(SheetError::Header { missing, header });
    }
    let mut sheet = Sheet { rows: Vec::new(), refused: Vec::new() };
    for row in rows {
        let made = if row.broken {
            Err(LineError::Quote)
        } else {
            one(row.line, &Cells { columns: &columns, row: &row })
        };
        match made {
            Ok(made) => sheet.rows.extend(made),
            Err(reason) => sheet.refused.push(BadLine { line: row.line, reason }),
        }
    }
    if sheet.rows.is_empty() && sheet.refused.is_empty() { Err(SheetError::Empty) } else { Ok(sheet) }
}

/// Whether a line holds no row: blank, or a comment.
fn is_remark(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_bad_lines_named() {
        let text = "\u{feff}Prefix,ASN,org,sector,country,role\r\n\
            203.0.113.0/24,64500,\"Telecom, the first\",telecom,af,mail server\r\n\
            # a remark\r\n\
            198.51.100.0/24,AS64501,Second,,AF\r\n\
            2001:db8::/32,,,,,\r\n\
            203.0.113.0/24,64500,Another,,,\r\n\
            192.0.2.0/33,,,,,\r\n\
            192.0.2.0/24,x,,,,\r\n\
            192.0.2.0/24,,,,Afghanistan,\r\n\
            192.0.2.0/24,,\"open,,,\r\n";
        let sheet = networks(text.as_bytes()).unwrap();
        let first = &sheet.rows[0];
        assert_eq!(
            (first.asn, first.org.as_str(), first.country.as_str(), first.role.as_str()),
            (Some(64500), "Telecom, the first", "AF", "mail server")
        );
        assert_eq!(sheet.rows.len(), 3);
        let refused: Vec<String> = sheet.refused.iter().map(ToString::to_string).collect();
        assert_eq!(
            refused,
            [
                "line 6: the prefix was described otherwise on line 2",
                "line 7: `192.0.2.0/33` is not a prefix such as 192.0.2.0/24",
                "line 8: `x` is not an AS number such as 64496",
                "line 9: `Afghanistan` is not a two-letter country code such as AF",
                "line 10: a quote in it does not close",
            ],
        );
    }

    #[test]
    fn events_are_read_once_each() {
        let text = "date;label\n2021-08-15;Kabul falls\n2021-08-15;Kabul falls\n2021-08-15T12:00:00+04:30;noon\nsoon;x\n2021-01-01;\n";
        let sheet = events(text.as_bytes()).unwrap();
        let shown: Vec<String> =
            sheet.rows.iter().map(|event| format!("{} {}", event.at, event.label)).collect();
        assert_eq!(shown, ["2021-08-15T00:00:00Z Kabul falls", "2021-08-15T07:30:00Z noon"]);
        let refused: Vec<String> = sheet.refused.iter().map(ToString::to_string).collect();
        assert_eq!(
            refused,
            ["line 5: `soon` is not a date such as 2021-08-15", "line 6: the label is empty"]
        );
    }

    #[test]
    fn labels_say_yes_or_no() {
        let text = "victim,indicator,label\n203.0.113.25,192.0.2.9,C2\n203.0.113.25,192.0.2.0/24,benign\n\
            x,192.0.2.9,c2\n203.0.113.25,y,c2\n203.0.113.25,192.0.2.9,perhaps\n";
        let sheet = labels(text.as_bytes()).unwrap();
        assert_eq!(sheet.rows.iter().map(|row| row.is_real).collect::<Vec<_>>(), [true, false]);
        let refused: Vec<String> = sheet.refused.iter().map(ToString::to_string).collect();
        assert_eq!(
            refused,
            [
                "line 4: `x` is not an address such as 192.0.2.1",
                "line 5: `y` is not a prefix such as 192.0.2.0/24",
                "line 6: `perhaps` is not a label: write c2 or benign",
            ]
        );
    }

    #[test]
    fn what_is_no_such_table_says_what_the_first_line_must_be() {
        let check = |text: &str, message: &str| {
            assert_eq!(networks(text.as_bytes()).unwrap_err().to_string(), message)
        };
        let header =
            "the header has no column `prefix`: the first line must be `prefix,asn,org,sector,country,role`";
        check("192.0.2.0/24,64496,x\n", header);
        check("", header);
        check("prefix,asn\n", "it holds no rows");
        check("%PDF-1.7", "it is no table");
    }
}
