//! What an input is, seen by its first octets.

use crate::table::argus::Argus;
use crate::table::aws::Aws;
use crate::table::nfdump::Nfdump;
use crate::table::silk::Silk;
use crate::table::{Layout, Tool};
use crate::zeek::{self, other_log, tsv};
use crate::{Detection, Format, capture, cloud, netflow, nfdump, sflow, suricata};

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
    by_text(head, whole)
}

/// What the first octets look like, in words, for a message about an input of no known kind.
pub(crate) fn looks(head: &[u8]) -> String {
    /// Octets of the beginning that are shown. Chosen here: enough to tell one file from another.
    const SHOWN_OCTETS: usize = 32;
    let head = head.trim_ascii_start();
    let shown = &head[..head.len().min(SHOWN_OCTETS)];
    let text = String::from_utf8_lossy(shown);
    if shown.contains(&0) {
        return format!("the input begins with the octets `{}`", shown.escape_ascii());
    }
    let line: String = text.chars().take_while(|c| !matches!(c, '\n' | '\r')).collect();
    let line = line.replace(char::is_control, " ");
    format!("the input begins with the text `{line}`")
}

/// Kinds that say what they are, and are not read.
fn by_magic(head: &[u8]) -> Option<&'static str> {
    Some(match head {
        [0xde, 0xad, 0xbe, 0xef, ..] => "SiLK",
        [0xcf, 0x10, ..] => "flow-tools",
        [b's', b'n', b'o', b'o', b'p', 0, ..] => "a snoop capture",
        [0xa1, 0xb2, 0xcd, 0x34, ..] | [0x34, 0xcd, 0xb2, 0xa1, ..] => "a capture of the modified pcap kind",
        [b'P', b'A', b'R', b'1', ..] => "Parquet",
        [b'P', b'K', 3, 4, ..] => "a zip archive (unpack it first)",
        _ if head.get(257..262) == Some(b"ustar") => "a tar archive (unpack it first)",
        _ => return None,
    })
}

/// MRT (RFC 6396 §2): a time, a type and subtype that exist, a length.
fn is_mrt(head: &[u8]) -> bool {
    let Some([_, _, _, _, 0, kind, 0, subtype, 0, _, _, _]) = head.first_chunk::<12>() else { return false };
    matches!((kind, subtype), (12, 1..=2) | (13, 1..=9) | (16 | 17, 0..=9))
}

fn by_text(head: &[u8], whole: bool) -> Detection {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    match text {
        [b'#', ..] => zeek_log(text),
        [b'{' | b'[', ..] => json(text, whole),
        _ => table(text),
    }
}

fn zeek_log(text: &[u8]) -> Detection {
    let mut header = tsv::Header::default();
    for line in text.split(|c| *c == b'\n') {
        let Some(directive) = tsv::directive(line.strip_suffix(b"\r").unwrap_or(line)) else { break };
        header.take(directive);
    }
    let path = header.path.as_deref().unwrap_or_default();
    match header.rows {
        tsv::Rows::Of(_) => Detection::Known(Format::ZeekTsv),
        tsv::Rows::Other => Detection::Unsupported(other_log(path)),
        tsv::Rows::Unsaid => Detection::Unknown,
    }
}

fn json(text: &[u8], whole: bool) -> Detection {
    match cloud::detect(text) {
        Some(format) => Detection::Known(format),
        None => json_lines(text, whole),
    }
}

/// Streams of mixed logs are read if one of the first lines is.
fn json_lines(text: &[u8], whole: bool) -> Detection {
    let mut first = None;
    let mut lines = text.split(|c| *c == b'\n').peekable();
    while let Some(line) = lines.next() {
        // The head may end within its last line.
        if lines.peek().is_none() && !whole {
            break;
        }
        if suricata::is_event(line) {
            return Detection::Known(Format::Eve);
        }
        match zeek::json::kind(line) {
            Some(zeek::json::Kind::Read) => return Detection::Known(Format::ZeekJson),
            Some(zeek::json::Kind::OtherZeek(log)) => first = first.or(Some(log)),
            Some(zeek::json::Kind::Other) | None => {}
        }
    }
    first.map_or(Detection::Unknown, Detection::Unsupported)
}

/// Tables are known by the names of their columns, of AWS also by the first row.
fn table(text: &[u8]) -> Detection {
    let line = text.split(|c| *c == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if Layout::read::<Aws>(line).or_else(|| Aws::unnamed(line)).is_some() {
        return Detection::Known(Format::Aws);
    }
    if Layout::read::<Nfdump>(line).is_some() {
        return Detection::Known(Format::NfdumpCsv);
    }
    if Layout::read::<Silk>(line).is_some() {
        return Detection::Known(Format::Silk);
    }
    if Layout::read::<Argus>(line).is_some() {
        return Detection::Known(Format::Argus);
    }
    if line.starts_with(b"ts,te,td,") || line.starts_with(b"firstSeen,") {
        return Detection::Unsupported("nfdump CSV of sums (print flows: `nfdump -o csv`)");
    }
    if line.starts_with(b"StartTime") {
        return Detection::Unsupported("Argus CSV without SrcBytes (print it: `ra -c , -s +sbytes +dbytes`)");
    }
    Detection::Unknown
}
