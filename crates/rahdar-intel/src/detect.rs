//! From octets to text, and what kind of text it is.

use std::borrow::Cow;
use std::io::Read;

use crate::reading::ReadError;

/// Octets of a file at most, unpacked (`reliability.md` §3).
pub const FILE_MAX: usize = 256 << 20;
/// How many times its size a packed file may unpack to, once beyond [`RATIO_FREE`]
/// (`reliability.md` §3).
const RATIO_MAX: usize = 200;
/// Octets that a packed file may unpack to at any ratio.
const RATIO_FREE: usize = 16 << 20;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    /// A web page.
    Html,
    Plain,
}

/// Unpacks gzip; other octets stay as they are.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, ReadError> {
    let too_large = |most| ReadError::TooLarge { most, what: "octets in one file" };
    if !bytes.starts_with(b"\x1f\x8b") {
        return if bytes.len() > FILE_MAX { Err(too_large(FILE_MAX)) } else { Ok(Cow::Borrowed(bytes)) };
    }
    let most = FILE_MAX.min(RATIO_FREE.max(bytes.len().saturating_mul(RATIO_MAX)));
    let mut unpacked = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(bytes).take(most as u64 + 1).read_to_end(&mut unpacked);
    match read {
        Ok(length) if length > most => Err(too_large(most)),
        Ok(_) => Ok(Cow::Owned(unpacked)),
        Err(_) => Err(ReadError::Unsupported { what: "a damaged gzip file", remedy: "fetch it again" }),
    }
}

/// The text of a file: UTF-8 or UTF-16 by its byte-order mark, else UTF-8 with replacements for
/// what is none.
pub(crate) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ReadError> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        Cow::Owned(String::from_utf16_lossy(&units))
    };
    if let Some(rest) = bytes.strip_prefix(b"\xff\xfe") {
        return Ok(utf16(rest, u16::from_le_bytes));
    }
    if let Some(rest) = bytes.strip_prefix(b"\xfe\xff") {
        return Ok(utf16(rest, u16::from_be_bytes));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match known_binary(bytes) {
        Some((what, remedy)) => Err(ReadError::Unsupported { what, remedy }),
        None => Ok(String::from_utf8_lossy(bytes)),
    }
}

/// Kinds of files that are no text, by their first octets.
fn known_binary(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const KINDS: [(&[u8], &str, &str); 9] = [
        (b"%PDF", "a PDF", "save the table as CSV"),
        (b"PK\x03\x04", "a ZIP archive or a spreadsheet", "unpack it, or save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0", "an Office document", "save it as text or CSV"),
        (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it"),
        (b"BZh", "a bzip2 file", "unpack it"),
        (b"\xfd7zXZ", "an xz file", "unpack it"),
        (b"\xd4\xc3\xb2\xa1", "a packet capture", "import it with `rahdar flows import`"),
        (b"\x0a\x0d\x0d\x0a", "a packet capture", "import it with `rahdar flows import`"),
        (b"SQLite format 3", "a SQLite database", "export the table as CSV"),
    ];
    let named =
        KINDS.iter().find(|(magic, ..)| bytes.starts_with(magic)).map(|(_, what, remedy)| (*what, *remedy));
    let start = &bytes[..bytes.len().min(BINARY_SAMPLE)];
    let tar = bytes.get(257..262) == Some(b"ustar");
    let named = named.or(tar.then_some(("a tar archive", "unpack it")));
    named.or_else(|| start.contains(&0).then_some(("a binary file", "give a text, a CSV or a STIX bundle")))
}

/// Octets searched for the zeros of a binary file.
const BINARY_SAMPLE: usize = 8 << 10;

/// What a text is; an error for kinds that are known and not read.
pub(crate) fn kind(text: &str) -> Result<Kind, ReadError> {
    let start = text.trim_start();
    let mut signs = start.chars().filter(|c| !c.is_whitespace());
    let json = matches!(
        (signs.next(), signs.next()),
        (Some('{'), Some('"' | '}') | None) | (Some('['), Some('{') | None)
    );
    if json {
        return Ok(Kind::Json);
    }
    let head: String = start.chars().take(512).collect::<String>().to_ascii_lowercase();
    let unsupported = |what, remedy| Err(ReadError::Unsupported { what, remedy });
    let page = ["<!doctype html", "<html", "<head", "<body", "<table", "<article", "<div", "<meta"];
    let later = (head.starts_with("<?xml") || head.starts_with("<!--")) && head.contains("<html");
    if later || page.iter().any(|tag| head.starts_with(tag)) {
        return Ok(Kind::Html);
    }
    if head.starts_with("<?xml") || head.starts_with("<stix") || head.starts_with("<ioc") {
        return unsupported("an XML file, such as OpenIOC or STIX 1", "convert it to STIX 2.1 or CSV");
    }
    if is_rules(start) {
        return unsupported("a file of Suricata or Snort rules", "copy the addresses into a list");
    }
    Ok(Kind::Plain)
}

/// Whether the first lines are detection rules.
fn is_rules(text: &str) -> bool {
    let rule = |line: &str| {
        let mut words = line.trim_start_matches(['#', ' ']).split_whitespace();
        let action = matches!(words.next(), Some("alert" | "drop" | "reject" | "pass"));
        action && line.contains("->") && line.contains("sid:")
    };
    text.lines().filter(|line| !line.trim().is_empty()).take(20).any(rule)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn texts_come_in_utf_8_and_utf_16_with_marks() {
        let le: Vec<u8> =
            std::iter::once(0xfeff).chain("é1".encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> =
            std::iter::once(0xfeff).chain("é1".encode_utf16()).flat_map(u16::to_be_bytes).collect();
        for bytes in [&le[..], &be, "\u{feff}é1".as_bytes(), "é1".as_bytes()] {
            assert_eq!(decode(bytes).unwrap(), "é1");
        }
        assert_eq!(decode(b"192.0.2.1 \xe9").unwrap(), "192.0.2.1 \u{fffd}");
    }

    #[test]
    fn gzip_is_unpacked_and_a_bomb_is_refused() {
        let pack = |bytes: &[u8]| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap()
        };
        let packed = pack(b"192.0.2.1\n");
        assert_eq!(&*unpack(&packed).unwrap(), b"192.0.2.1\n");
        assert!(matches!(unpack(&pack(&vec![0; RATIO_FREE + 1])), Err(ReadError::TooLarge { .. })));
        assert!(matches!(unpack(&packed[..packed.len() - 3]), Err(ReadError::Unsupported { .. })));
    }

    fn check(text: &str, expected: &str) {
        let shown = match decode(text.as_bytes()).and_then(|text| kind(&text)) {
            Ok(kind) => format!("{kind:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn kinds_are_told_by_content() {
        check(" {\n \"type\": \"bundle\"", "Json");
        check("[{\"a\": 1}]", "Json");
        check("[\"192.0.2.1\"]", "Plain");
        check("[2001:db8::1]:443", "Plain");
        check("192.0.2.1", "Plain");
        check("<!DOCTYPE html><html>", "Html");
        check("a\0b", "a binary file: not read yet; give a text, a CSV or a STIX bundle");
        check(
            "<?xml version",
            "an XML file, such as OpenIOC or STIX 1: not read yet; convert it to STIX 2.1 or CSV",
        );
        check(
            "alert tcp any any -> 192.0.2.1 443 (msg:\"x\"; sid:1;)",
            "a file of Suricata or Snort rules: not read yet; copy the addresses into a list",
        );
    }
}
