//! Logs as tab-separated text, read as its header directives say.
//!
//! Directives may change midway: concatenated logs repeat them. Where Zeek was told to write no directives
//! (`tsv` in the configuration of a filter), the first row names the columns. Columns that rahdar does not
//! know, such as labels, are passed over, also where several of them share one column.
//!
//! Source: Zeek, `src/logging/writers/ascii` and the book "Log Formats and Inspection".

use std::io::Read;
use std::sync::Arc;

use rahdar_model::{FlowSink, Tally};

use super::field::Field;
use super::{EXPORTER, Form, Log, conn, deliver, dns, files, http, ssl};
use crate::delivery::Delivery;
use crate::facts::Facts;
use crate::lines::{self, Text};
use crate::{Options, WireError};

/// The most columns of a log that are looked at. Chosen here: `conn.log` has 22, packages add a few.
const COLUMNS_MAX: usize = 1_024;

/// The path of the log that a package of Zeek writes of connections that last.
const STILL_OPEN: &[u8] = b"conn_long";

/// Reads a log to its end.
pub(crate) fn decode(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let delivery = Delivery::new(EXPORTER, source, options, sink);
    let mut facts = Facts::new(&delivery);
    let mut header = Header::default();
    lines::read(input, delivery, |delivery, text| {
        if let Some(directive) = directive(text.line) {
            header.take(directive);
            delivery.tally.beside += 1;
        } else if are_names(text.line) {
            header.take_names(text.line);
            delivery.tally.beside += 1;
        } else if text.line.is_empty() {
            delivery.tally.beside += 1;
        } else if header.rows == Rows::Other {
            delivery.pass(header.path.as_deref().unwrap_or(b"logs without a path"));
        } else if let Rows::Of(log) = header.rows {
            match log {
                Log::Conn => row::<conn::Row<'_>>(text, &header, delivery, &mut facts)?,
                Log::Dns => row::<dns::Row<'_>>(text, &header, delivery, &mut facts)?,
                Log::Ssl => row::<ssl::Row<'_>>(text, &header, delivery, &mut facts)?,
                Log::Http => row::<http::Row<'_>>(text, &header, delivery, &mut facts)?,
                Log::Files => row::<files::Row<'_>>(text, &header, delivery, &mut facts)?,
            }
        } else if delivery.tally.received == 0 {
            let looks = format!(
                "line {} is a row, and no `#fields` line stands before it (cut logs with `zeek-cut -C`)",
                text.number
            );
            return Err(WireError::Unknown { looks });
        } else {
            delivery.refuse(text.place, format_args!("no `#fields` line of its header stands before it"));
        }
        Ok(())
    })
}

/// Reads one row and gives what it says to the sink, or refuses it.
fn row<'l, R: super::Row<'l>>(
    text: Text<'l>,
    header: &Header,
    delivery: &mut Delivery<'_>,
    facts: &mut Facts,
) -> Result<(), WireError> {
    let mut row = R::default();
    let mut columns = 0;
    for value in Columns::of(text.line, header.separator) {
        if let Some(Some(field)) = header.columns.get(columns)
            && !value.is_empty()
            && value != header.unset
            && value != header.empty
            && let Err(error) = row.set(*field, value)
        {
            delivery.refuse(text.place, format_args!("{error}"));
            return Ok(());
        }
        columns += 1;
    }
    // Trailing columns that are not read may be missing (label tools write fewer or more), but a
    // last line without its end must be complete, or its last number may be half of one.
    if columns < header.needed || !text.ended && columns < header.columns.len() {
        let all = header.columns.len();
        delivery.refuse(text.place, format_args!("the row has {columns} of {all} columns"));
        return Ok(());
    }
    deliver(&row, text, &header, delivery, facts)
}

/// What the directives say.
pub(crate) struct Header {
    /// What the rows are.
    pub(crate) rows: Rows,
    /// The value of `#path`, if there was one.
    pub(crate) path: Option<Vec<u8>>,
    separator: u8,
    set_separator: u8,
    empty: Vec<u8>,
    unset: Vec<u8>,
    columns: Vec<Option<Field>>,
    /// Columns up to the last one that is read.
    needed: usize,
}

/// What the rows of a log are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// No `#fields` yet.
    Unsaid,
    /// Those of a log that is read.
    Of(Log),
    /// Something else.
    Other,
}

impl Default for Header {
    /// Zeek's own defaults.
    fn default() -> Self {
        Self {
            rows: Rows::Unsaid,
            path: None,
            separator: b'\t',
            set_separator: b',',
            empty: b"(empty)".to_vec(),
            unset: b"-".to_vec(),
            columns: Vec::new(),
            needed: 0,
        }
    }
}

impl Header {
    /// Takes one directive, the line without its `#`. Those that do not matter are passed over.
    pub(crate) fn take(&mut self, directive: &[u8]) {
        // `#separator` itself is followed by a space: the separator is not known before.
        if let Some(separator) = directive.strip_prefix(b"separator ") {
            *self = Self { separator: one_octet(separator).unwrap_or(b'\t'), ..Self::default() };
            return;
        }
        let mut values = Columns::of(directive, self.separator);
        match values.next() {
            Some(b"empty_field") => self.empty = values.next().unwrap_or_default().to_vec(),
            Some(b"unset_field") => self.unset = values.next().unwrap_or_default().to_vec(),
            Some(b"set_separator") => {
                self.set_separator = values.next().and_then(one_octet).unwrap_or(b',');
            }
            Some(b"path") => self.path = values.next().map(<[u8]>::to_vec),
            Some(b"fields") => {
                let columns = values.take(COLUMNS_MAX).map(Field::from_name).collect();
                self.set_columns(columns);
            }
            _ => {}
        }
    }

    /// Takes the names of the columns from a row that holds nothing else.
    pub(crate) fn take_names(&mut self, row: &[u8]) {
        *self = Self::default();
        self.set_columns(Columns::of(row, b'\t').take(COLUMNS_MAX).map(Field::from_name).collect());
    }

    fn set_columns(&mut self, columns: Vec<Option<Field>>) {
        self.columns = columns;
        self.needed = self.columns.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.rows = self.log().map_or(Rows::Other, Rows::Of);
    }

    /// The log that has these columns, whatever the path is called. Connections that are still open are logged with
    /// the columns of `conn.log`, and there once more when they end.
    fn log(&self) -> Option<Log> {
        if self.path.as_deref() == Some(STILL_OPEN) {
            return None;
        }
        let has = |field| self.columns.contains(&Some(field));
        let has_ends = has(Field::OrigH) && has(Field::RespH);
        if !has(Field::Ts) || !(has_ends || has(Field::Senders) && has(Field::Receivers)) {
            return None;
        }
        if has(Field::SeenBytes) && has(Field::Kind) && (has(Field::Sha1) || has(Field::Sha256)) {
            return Some(Log::Files);
        }
        if !has_ends {
            return None;
        }
        if has(Field::Proto) && (has(Field::ConnState) || has(Field::OrigPkts)) {
            return Some(Log::Conn);
        }
        if has(Field::Query) && (has(Field::Qtype) || has(Field::Answers)) {
            return Some(Log::Dns);
        }
        if has(Field::Established) {
            return Some(Log::Ssl);
        }
        (has(Field::Method) && has(Field::Host)).then_some(Log::Http)
    }
}

impl Form for &Header {
    fn text(&self, text: &[u8], into: &mut String) {
        unescape(text, into);
    }

    fn items<'v>(&self, list: &'v [u8]) -> impl Iterator<Item = &'v [u8]> {
        Columns { rest: (!list.is_empty()).then_some(list), separator: self.set_separator }
    }
}

/// Whether a row holds the names of columns. Zeek writes the time first, in every log that has one.
pub(crate) fn are_names(row: &[u8]) -> bool {
    row.starts_with(b"ts\t")
}

/// The directive in a line, without its `#`; none if the line is a row. Byte-order marks and
/// blanks before the sign are forgiven.
pub(crate) fn directive(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii_start().strip_prefix(b"#")
}

/// The columns of a line.
struct Columns<'l> {
    rest: Option<&'l [u8]>,
    separator: u8,
}

impl<'l> Columns<'l> {
    fn of(line: &'l [u8], separator: u8) -> Self {
        Self { rest: Some(line), separator }
    }
}

impl<'l> Iterator for Columns<'l> {
    type Item = &'l [u8];

    fn next(&mut self) -> Option<&'l [u8]> {
        let rest = self.rest?;
        // Columns are a few octets long: a plain loop beats a search by vectors.
        match rest.iter().position(|c| *c == self.separator) {
            Some(at) => {
                self.rest = Some(&rest[at + 1..]);
                Some(&rest[..at])
            }
            None => self.rest.take(),
        }
    }
}

/// The octet that a separator names: itself, or `\x09`.
fn one_octet(text: &[u8]) -> Option<u8> {
    match text.trim_ascii_end() {
        [b'\\', b'x', high, low] => hex(*high, *low),
        _ => text.first().copied(),
    }
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |c: u8| (c as char).to_digit(16);
    Some((digit(high)? << 4 | digit(low)?) as u8)
}

/// Appends a text of the log, its `\x` escapes resolved.
fn unescape(text: &[u8], into: &mut String) {
    if let Ok(plain) = std::str::from_utf8(text)
        && !text.contains(&b'\\')
    {
        into.push_str(plain);
        return;
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        match rest {
            [b'\\', b'x', high, low, after @ ..] if hex(*high, *low).is_some() => {
                octets.extend(hex(*high, *low));
                rest = after;
            }
            _ => {
                octets.push(*first);
                rest = after;
            }
        }
    }
    into.push_str(&String::from_utf8_lossy(&octets));
}
