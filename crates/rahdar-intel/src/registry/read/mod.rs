//! Files about networks, told by their content.

mod as2org;
mod asdb;
mod delegated;
mod mmdb;
mod peeringdb;
mod pfx2as;
mod ranges;

use rahdar_model::{Address, Day};

use crate::detect;
use crate::registry::error::{BadLine, DumpError, LineError};
use crate::registry::{Dump, date};

/// Octets of a file at most, unpacked: it is read at once. Chosen here: the largest database of places has
/// 130 MB, PeeringDB and all tables of AS less.
pub const DUMP_OCTETS_MAX: usize = 512 << 20;
/// Lines that are looked at to tell a file.
const HEAD_LINES: usize = 40;
/// Refused lines that are kept to be told; the others are counted.
const TOLD_MAX: usize = 20;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// CAIDA RouteViews prefix-to-AS: prefix, length, origins.
    Pfx2As,
    /// CAIDA AS-to-organisation, JSON lines.
    As2OrgJson,
    /// CAIDA AS-to-organisation, fields between bars.
    As2OrgText,
    /// ASdb: sectors by NAICSlite.
    Asdb,
    /// PeeringDB: networks as its API gives them, or CAIDA's daily dump.
    PeeringDb,
    /// Delegated (extended) statistics of a regional registry, or of the NRO.
    Delegated,
    /// A MaxMind database.
    Mmdb,
    /// Ranges: first and last address, then an AS and its name, or a country.
    Ranges,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// What it says.
    pub dump: Dump,
    /// Lines that were refused.
    pub refused: u64,
    /// The first of them.
    pub told: Vec<BadLine>,
}

/// What kind of file this is; none if it is none of these. Packed files are unpacked first.
pub fn kind(bytes: &[u8]) -> Option<Kind> {
    if mmdb::is_database(bytes) {
        return Some(Kind::Mmdb);
    }
    let mut start = &bytes[..bytes.len().min(HEAD_OCTETS)];
    start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let head = String::from_utf8_lossy(start);
    let lines = || head.lines().map(str::trim).filter(|line| !line.is_empty()).take(HEAD_LINES);
    if lines().any(as2org::is_format) {
        return Some(Kind::As2OrgText);
    }
    let first = lines().find(|line| !line.starts_with('#'))?;
    match first {
        line if line.starts_with('{') && as2org::is_json(line) => Some(Kind::As2OrgJson),
        line if line.starts_with('{') && peeringdb::is_dump(&head) => Some(Kind::PeeringDb),
        line if delegated::is_line(line) => Some(Kind::Delegated),
        line if asdb::is_header(line) => Some(Kind::Asdb),
        line if pfx2as::is_line(line) => Some(Kind::Pfx2As),
        line if ranges::is_line(line) => Some(Kind::Ranges),
        _ => None,
    }
}

/// Octets that a text is told by.
const HEAD_OCTETS: usize = 16 << 10;

/// Reads a file of this kind. The day is `as_of`, else that in the file, else that in its name.
///
/// # Errors
/// [`DumpError`]: nothing of it was taken.
pub fn read(kind: Kind, name: &str, bytes: &[u8], as_of: Option<Day>) -> Result<Read, DumpError> {
    if bytes.len() > DUMP_OCTETS_MAX {
        return Err(DumpError::TooLarge { most: DUMP_OCTETS_MAX, what: "octets" });
    }
    let named = date::in_name(name);
    let day = |inside: Option<Day>| as_of.or(inside).or(named).ok_or(DumpError::Undated);
    let text =
        || detect::decode(bytes).map_err(|error| DumpError::Damaged { what: "text", why: error.to_string() });
    match kind {
        Kind::Mmdb => mmdb::read(bytes, day),
        Kind::Pfx2As => pfx2as::read(&text()?, day(None)?),
        Kind::As2OrgJson => as2org::read_json(&text()?, day(None)?),
        Kind::As2OrgText => as2org::read_text(&text()?, day(None)?),
        Kind::Asdb => asdb::read(&text()?, day(None)?),
        Kind::PeeringDb => peeringdb::read(&text()?, day),
        Kind::Delegated => delegated::read(&text()?, day),
        Kind::Ranges => ranges::read(&text()?, day(None)?),
    }
}

/// Lines that were refused, on their way.
#[derive(Debug, Default)]
struct Refusals {
    count: u64,
    told: Vec<BadLine>,
}

impl Refusals {
    /// The value, unless the line is refused for it.
    fn take<T>(&mut self, line: usize, made: Result<T, LineError>) -> Option<T> {
        match made {
            Ok(value) => Some(value),
            Err(reason) => {
                self.count += 1;
                if self.told.len() < TOLD_MAX {
                    self.told.push(BadLine { line, reason });
                }
                None
            }
        }
    }

    fn with(self, dump: Dump) -> Read {
        Read { dump, refused: self.count, told: self.told }
    }
}

/// Lines that hold something, with their numbers from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = (1..).zip(text.lines().map(str::trim));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn asn(text: &str) -> Result<u32, LineError> {
    let digits = text.trim();
    let digits = digits.strip_prefix("AS").or_else(|| digits.strip_prefix("as")).unwrap_or(digits);
    digits.parse().map_err(|_| LineError::Asn(text.to_owned()))
}

/// A country in capitals.
fn country(text: &str) -> Result<String, LineError> {
    let code = text.trim().to_ascii_uppercase();
    let is_code = code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
    if is_code { Ok(code) } else { Err(LineError::Country(text.to_owned())) }
}

/// Two ends of a range, of one family.
fn range(first: &str, last: &str) -> Result<(Address, Address), LineError> {
    let wrong = || LineError::Range(format!("{first} to {last}"));
    let (from, to): (Address, Address) =
        (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?);
    if from <= to && from.is_v4() == to.is_v4() { Ok((from, to)) } else { Err(wrong()) }
}
