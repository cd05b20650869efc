//! What an input is, seen by its first octets.

use memchr::memmem;

use crate::json::{Members, Value};
use crate::lines::{self, BYTE_ORDER_MARK};
use crate::table::argus::Argus;
use crate::table::aws::Aws;
use crate::table::nfdump::{self as nfdump_csv, Nfdump};
use crate::table::silk::{self, Silk};
use crate::table::{Layout, Tool, cloudwatch, nfdump_json, nfdump_pipe};
use crate::value::{address, moment, seconds};
use crate::zeek::{self, other_log, tsv};
use crate::{Detection, Format, capture, cloud, json_log, netflow, nfdump, sflow, suricata};

/// Sees by content what an input is. `head` is its beginning, uncompressed; `whole` says that
/// nothing follows.
///
/// Some kilobytes are enough: the header lines of a log, one message of an export.
pub fn detect(head: &[u8], whole: bool) -> Detection {
    if capture::is_capture(head) {
        return Detection::Known(Format::Packets);
    }
    if let Some(detection) = nfdump::detect(head) {
        return detection;
    }
    if let Some(kind) = by_magic(head) {
        return Detection::Unsupported(kind);
    }
    if let Some(format) = netflow::detect(head, whole) {
        return Detection::Known(format);
    }
    if sflow::detect(head, whole) {
        return Detection::Known(Format::Sflow);
    }
    if is_mrt(head) {
        return Detection::Unsupported("BGP in MRT");
    }
    by_text(head)
}

/// What the first octets look like, in words, for a message about an input of no known kind.
pub(crate) fn looks(head: &[u8]) -> String {
    /// Octets of the beginning that are shown. Chosen here: enough to tell one file from another.
    const SHOWN_OCTETS: usize = 32;
    let head = head.trim_ascii_start();
    let shown = &head[..head.len().min(SHOWN_OCTETS)];
    let text = String::from_utf8_lossy(shown);
    let remedy = likeliest(head).map_or(String::new(), |remedy| format!(": {remedy}"));
    if shown.contains(&0) {
        return format!("the input begins with the octets `{}`{remedy}", shown.escape_ascii());
    }
    let line: String = text.chars().take_while(|c| !matches!(c, '\n' | '\r')).collect();
    let line = line.replace(char::is_control, " ");
    format!("the input begins with the text `{line}`{remedy}")
}

/// What a beginning of no known kind may be, and what to do then.
fn likeliest(head: &[u8]) -> Option<&'static str> {
    let mut lines = lines::of(head);
    let (first, second) = (lines.next()?, lines.next().unwrap_or_default());
    match first {
        [0, 5 | 7 | 9 | 10, ..] => {
            Some("an export datagram that is damaged (`--as netflow` reads what there is)")
        }
        [b'<', ..] => Some("a page of the web, not a file (fetch the file itself)"),
        [b'{' | b'[', ..] => Some(
            "JSON without the keys of a log that is read (export it as the tool that logged it wrote it)",
        ),
        _ if are_addresses(first) => Some(
            "rows without the names of their columns (print them with the names, or put a line with these first)",
        ),
        _ if are_addresses(second) => Some(
            "a table whose columns have names that are not known (name them as one of the tools below does)",
        ),
        _ => None,
    }
}

/// Whether two values of a row are addresses, whatever stands between them.
fn are_addresses(row: &[u8]) -> bool {
    let values = row.split(|c| matches!(c, b',' | b';' | b'|' | b'\t' | b' '));
    values.filter(|value| is_end(value.trim_ascii())).nth(1).is_some()
}

/// Whether a value is an address, with or without a port behind it.
fn is_end(value: &[u8]) -> bool {
    let port = value.iter().rposition(|c| matches!(c, b':' | b'.'));
    address(value).is_some() || port.is_some_and(|at| address(&value[..at]).is_some())
}

/// Kinds that say what they are, and are not read.
fn by_magic(head: &[u8]) -> Option<&'static str> {
    Some(match head {
        [0xde, 0xad, 0xbe, 0xef, ..] => "SiLK",
        [0xcf, 0x10, ..] => "flow-tools",
        [b's', b'n', b'o', b'o', b'p', 0, ..] => "a snoop capture (convert it: `editcap -F pcap`)",
        [0xa1, 0xb2, 0xcd, 0x34, ..] | [0x34, 0xcd, 0xb2, 0xa1, ..] => {
            "a capture of the modified pcap kind (convert it: `editcap -F pcap`)"
        }
        [b'G', b'M', b'B', b'U', ..] | [b'R', b'T', b'S', b'S', ..] => {
            "a capture of Microsoft Network Monitor (convert it: `editcap -F pcap`)"
        }
        [b'P', b'A', b'R', b'1', ..] => "Parquet",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            "text in UTF-16 (make it UTF-8 first: `iconv -f utf-16 -t utf-8`)"
        }
        [b'P', b'K', 3, 4, ..] => "a zip archive (unpack it first)",
        _ if head.get(8..12) == Some(&[0xe5, 0x71, 0x2d, 0xcb]) => {
            "data of Argus (print it so: `ra -nn -u -c , -s +ltime +dur +spkts +dpkts +sbytes +dbytes`)"
        }
        _ if head.get(257..262) == Some(b"ustar") => "a tar archive (unpack it first)",
        _ => return None,
    })
}

/// MRT (RFC 6396 §2): a time, a type and subtype that exist, a length.
fn is_mrt(head: &[u8]) -> bool {
    let Some([_, _, _, _, 0, kind, 0, subtype, 0, _, _, _]) = head.first_chunk::<12>() else { return false };
    matches!((kind, subtype), (12, 1..=2) | (13, 1..=9) | (16 | 17, 0..=9))
}

/// A beginning without byte-order mark and blanks before it.
pub(crate) fn text(head: &[u8]) -> &[u8] {
    head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head).trim_ascii_start()
}

fn by_text(head: &[u8]) -> Detection {
    let text = text(head);
    match text {
        [b'#', ..] => zeek_log(text),
        _ if tsv::are_names(text) => zeek_log(text),
        [b'{' | b'[', ..] => json(text),
        _ if json_log::is_prefixed(text) => match json(text) {
            Detection::Unknown => table(text),
            known => known,
        },
        _ => table(text),
    }
}

fn zeek_log(text: &[u8]) -> Detection {
    let mut header = tsv::Header::default();
    for line in text.split(|c| *c == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if tsv::are_names(line) {
            header.take_names(line);
        }
        let Some(directive) = tsv::directive(line) else { break };
        header.take(directive);
    }
    let path = header.path.as_deref().unwrap_or_default();
    match header.rows {
        tsv::Rows::Of(_) => Detection::Known(Format::ZeekTsv),
        tsv::Rows::Other => Detection::Unsupported(other_log(path)),
        tsv::Rows::Unsaid => Detection::Unknown,
    }
}

fn json(text: &[u8]) -> Detection {
    if let Some(format) = cloud::detect(text) {
        return Detection::Known(format);
    }
    // Streams of mixed logs are read if one of the first objects is.
    let known = json_log::first_seen(text, |object| {
        let is_zeek = || matches!(zeek::json::kind(object), Some(zeek::json::Kind::Read));
        if suricata::is_event(object) {
            return Some(Format::Eve);
        }
        if nfdump_json::is_flow(object) {
            return Some(Format::NfdumpJson);
        }
        if cloudwatch::is_log(object) {
            return Some(Format::Aws);
        }
        is_zeek().then_some(Format::ZeekJson)
    });
    let other = || {
        json_log::first_seen(text, |object| match zeek::json::kind(object) {
            Some(zeek::json::Kind::OtherZeek(log)) => Some(log),
            _ => rearranged(object),
        })
    };
    match known {
        Some(format) => Detection::Known(format),
        None => other().map_or(Detection::Unknown, Detection::Unsupported),
    }
}

/// Documents of Elastic whose fields its pipelines renamed, and which lost the event as it was logged.
fn rearranged(object: &[u8]) -> Option<&'static str> {
    let mut members = Members::new(object).filter_map(Result::ok);
    let of = |key: &[u8]| match key {
        b"suricata" => Some("Suricata events that Elastic rearranged (keep and export `event.original`)"),
        b"zeek" => Some("Zeek logs that Elastic rearranged (keep and export `event.original`)"),
        _ => None,
    };
    members.find_map(|(key, value)| match value {
        Value::Nested(object) if key == b"_source" => rearranged(object),
        Value::Nested(_) => of(key),
        _ => None,
    })
}

/// Tables are known by the names of their columns, of AWS also by the first row.
fn table(text: &[u8]) -> Detection {
    let line = lines::of(text).next().unwrap_or_default();
    if Layout::read::<Aws>(line).or_else(|| Aws::unnamed(line)).is_some() {
        return Detection::Known(Format::Aws);
    }
    if Layout::read::<Nfdump>(line).is_some() {
        return match Nfdump::is_of_sums(text) {
            true => Detection::Unsupported(nfdump_csv::SUMS),
            false => Detection::Known(Format::NfdumpCsv),
        };
    }
    if nfdump_pipe::is_row(line) {
        return Detection::Known(Format::NfdumpPipe);
    }
    if Layout::read::<Silk<16>>(line).or_else(|| Silk::<16>::unnamed(line)).is_some() {
        return Detection::Known(Format::Silk);
    }
    if Layout::read::<Argus>(line).is_some() {
        return Detection::Known(Format::Argus);
    }
    if line.starts_with(b"ts,te,td,") || line.starts_with(b"firstSeen,") {
        return Detection::Unsupported(nfdump_csv::SUMS);
    }
    if line.starts_with(b"ts,") && memmem::find(line, b"orig_h").is_some() {
        return Detection::Unsupported("Zeek logs as CSV (import the logs themselves)");
    }
    if is_row_of_zeek(line) {
        return Detection::Unsupported("rows of Zeek without their header (cut logs with `zeek-cut -C`)");
    }
    if line.starts_with(b"StartTime") {
        let is_table = Argus::SEPARATORS.iter().any(|c| line.contains(c));
        return Detection::Unsupported(match is_table {
            true => {
                "Argus CSV without SrcBytes (print it so: `ra -nn -u -c , -s +ltime +dur +spkts +dpkts +sbytes +dbytes`)"
            }
            false => {
                "columns of Argus for people (print them so: `ra -nn -u -c , -s +ltime +dur +spkts +dpkts +sbytes +dbytes`)"
            }
        });
    }
    if is_for_people(line) {
        return Detection::Unsupported("what nfdump prints for people (print it so: `nfdump -o csv`)");
    }
    if is_unnamed_csv(line) {
        return Detection::Unsupported(
            "rows of nfdump's CSV without the names of their columns (print these: leave `-q` out)",
        );
    }
    if silk::is_untitled(line) {
        return Detection::Unsupported("rows of rwcut without titles (print these: leave `--no-titles` out)");
    }
    if is_row_of_aws(line) {
        return Detection::Unsupported(
            "rows of an AWS VPC flow log with columns of its own (put a line with their names before them)",
        );
    }
    Detection::Unknown
}

/// Whether nfdump prints a line for people: the names of columns, or a row, which begins with a date of milliseconds
/// and has blanks between its values.
fn is_for_people(line: &[u8]) -> bool {
    const NAMES: [&[u8]; 4] = [b"Date first seen", b"Date flow start", b"Event time  ", b"Flow Record:"];
    const DATE_OCTETS: usize = "2021-08-15 00:00:00.250".len();
    let is_row = || {
        let Some((date, rest)) = line.split_at_checked(DATE_OCTETS) else { return false };
        moment(date).is_some() && rest.starts_with(b" ") && !rest.contains(&b',') && are_addresses(rest)
    };
    NAMES.iter().any(|names| line.starts_with(names)) || is_row()
}

/// Whether a line is a row of nfdump's CSV: a date, and two addresses behind it.
fn is_unnamed_csv(line: &[u8]) -> bool {
    let mut values = line.split(|c| *c == b',');
    values.next().is_some_and(|first| moment(first).is_some())
        && values.filter(|value| address(value.trim_ascii()).is_some()).nth(1).is_some()
}

/// Whether a line holds words of AWS alone: what became of the packets, and of the row.
fn is_row_of_aws(line: &[u8]) -> bool {
    let has = |words: &[&[u8]]| line.split(|c| *c == b' ').any(|value| words.contains(&value));
    has(&[b"ACCEPT", b"REJECT"]) && has(&[b"OK", b"SKIPDATA"])
}

/// Whether a line begins as a row of Zeek: a time with a fraction, then the letter and digits of a connection.
fn is_row_of_zeek(line: &[u8]) -> bool {
    let mut values = line.split(|c| *c == b'\t');
    let (Some(time), Some([b'C', digits @ ..]), Some(_)) = (values.next(), values.next(), values.next())
    else {
        return false;
    };
    seconds(time).is_some() && time.contains(&b'.') && digits.iter().all(u8::is_ascii_alphanumeric)
}
