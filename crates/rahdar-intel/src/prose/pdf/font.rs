//! What the codes of a font mean, and how wide they are (ISO 32000-1 §9.6–9.10).

use std::collections::HashMap;

use super::file::File;
use super::object::{Dict, Lexer, Object};

/// Codes of one font that are mapped, and that have widths, those told again counted; chosen here: the largest
/// scripts have as many.
const CODES_MAX: usize = 100_000;
/// Characters that one code may stand for.
const TEXT_MAX: usize = 16;

/// A font, as far as text needs it.
#[derive(Debug, Default)]
pub(super) struct Font {
    two_octets: bool,
    to_unicode: HashMap<u32, String>,
    /// Of fonts with codes of one octet.
    encoding: Vec<String>,
    widths: HashMap<u32, f64>,
    default_width: f64,
}

impl Font {
    pub(super) fn read(file: &File<'_>, dict: &Dict) -> Self {
        let two_octets = file.value(dict, "Subtype").name() == Some("Type0");
        let mut font =
            Self { two_octets, default_width: if two_octets { 1000.0 } else { 500.0 }, ..Self::default() };
        if let Some(stream) = dict.get("ToUnicode").and_then(|object| file.stream(object)) {
            let map = file.unpack(&stream);
            font.to_unicode = file.codes(CODES_MAX, |room| mapped(&map, room));
        }
        if two_octets {
            let descendants = file.value(dict, "DescendantFonts");
            let inner = file.dict(descendants.array().first());
            font.default_width = file.value(&inner, "DW").number().unwrap_or(1000.0);
            let widths = file.value(&inner, "W");
            file.codes(CODES_MAX, |room| font.wide(file, widths.array(), room));
        } else {
            font.encoding = encoding(file, dict);
            let first = file.value(dict, "FirstChar").number().unwrap_or(0.0) as u32;
            // Fonts of type 3 have a scale of their own.
            let scale =
                file.value(dict, "FontMatrix").array().first().and_then(Object::number).unwrap_or(0.001)
                    * 1000.0;
            let widths = file.value(dict, "Widths");
            let widths = widths.array().iter().take(256).map(|width| file.resolved(width).number());
            font.widths =
                (first..).zip(widths).filter_map(|(code, width)| Some((code, width? * scale))).collect();
        }
        font
    }

    /// The widths of a font with codes of two octets: `first [w w …]` or `first last w`.
    fn wide(&mut self, file: &File<'_>, parts: &[Object], room: &mut usize) {
        let mut at = 0;
        while let Some(first) = parts.get(at).and_then(Object::number) {
            let first = first as u32;
            match parts.get(at + 1).map(|part| file.resolved(part)) {
                Some(Object::Array(widths)) => {
                    let count = take(room, widths.len());
                    let widths = (first..).zip(&widths).take(count);
                    self.widths.extend(widths.filter_map(|(code, width)| Some((code, width.number()?))));
                    at += 2;
                }
                Some(Object::Number(last)) => {
                    let width = parts.get(at + 2).and_then(Object::number).unwrap_or(self.default_width);
                    let last = (last as u32).min(first.saturating_add(0xffff));
                    let count = take(room, between(first, last));
                    self.widths.extend((first..=last).take(count).map(|code| (code, width)));
                    at += 3;
                }
                _ => return,
            }
        }
    }

    /// The text of a string, its width in thousandths of its size, and how many spaces and codes it has.
    pub(super) fn text(&self, string: &[u8]) -> Shown {
        let mut shown = Shown::default();
        let codes: Vec<u32> = match self.two_octets {
            true => string
                .chunks(2)
                .map(|pair| pair.iter().fold(0, |code, octet| code << 8 | u32::from(*octet)))
                .collect(),
            false => string.iter().map(|octet| u32::from(*octet)).collect(),
        };
        for code in codes {
            shown.codes += 1;
            shown.spaces += usize::from(!self.two_octets && code == 32);
            shown.width += self.widths.get(&code).copied().unwrap_or(self.default_width);
            match self.to_unicode.get(&code) {
                Some(text) => shown.text.push_str(text),
                None => shown.text.push_str(self.encoding.get(code as usize).map_or("", String::as_str)),
            }
        }
        shown
    }
}

/// A string as it is shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) width: f64,
    pub(super) codes: usize,
    pub(super) spaces: usize,
}

/// The codes of a map to Unicode (ISO 32000-1 §9.10.3): `bfchar` and `bfrange`.
fn mapped(map: &[u8], room: &mut usize) -> HashMap<u32, String> {
    let mut codes = HashMap::new();
    let mut lexer = Lexer::new(map, 0);
    let mut operands: Vec<Object> = Vec::new();
    while let Some(object) = lexer.object() {
        let Object::Word(word) = &object else {
            if operands.len() < CODES_MAX {
                operands.push(object);
            }
            continue;
        };
        match word.as_str() {
            "endbfchar" => {
                for pair in operands.chunks_exact(2).take(take(room, operands.len() / 2)) {
                    if let (Object::Text(code), Object::Text(text)) = (&pair[0], &pair[1]) {
                        codes.insert(number(code), utf16(text, 0));
                    }
                }
            }
            "endbfrange" => {
                for part in operands.chunks_exact(3) {
                    range(part, &mut codes, room);
                }
            }
            _ => {}
        }
        operands.clear();
        if *room == 0 {
            break;
        }
    }
    codes
}

fn range(part: &[Object], codes: &mut HashMap<u32, String>, room: &mut usize) {
    let (Object::Text(first), Object::Text(last)) = (&part[0], &part[1]) else { return };
    let (first, last) = (number(first), number(last));
    match &part[2] {
        Object::Text(text) => {
            let count = take(room, between(first, last).min(1 << 16));
            let all = (first..=last).zip(0..=0xffff).take(count);
            codes.extend(all.map(|(code, add)| (code, utf16(text, add))));
        }
        Object::Array(texts) => {
            let count = take(room, between(first, last).min(texts.len()));
            for (code, text) in (first..=last).zip(texts).take(count) {
                if let Object::Text(text) = text {
                    codes.insert(code, utf16(text, 0));
                }
            }
        }
        _ => {}
    }
}

/// How many codes there are from the first to the last.
fn between(first: u32, last: u32) -> usize {
    if first > last { 0 } else { (last - first) as usize + 1 }
}

/// As many as there is room for, which is less then.
fn take(room: &mut usize, wanted: usize) -> usize {
    let count = wanted.min(*room);
    *room -= count;
    count
}

fn number(code: &[u8]) -> u32 {
    code.iter().take(4).fold(0, |number, octet| number << 8 | u32::from(*octet))
}

/// Text in UTF-16, its last unit raised.
fn utf16(text: &[u8], add: u16) -> String {
    let mut units: Vec<u16> = text
        .chunks(2)
        .take(TEXT_MAX)
        .map(|pair| pair.iter().fold(0, |unit, octet| unit << 8 | u16::from(*octet)))
        .collect();
    if let Some(last) = units.last_mut() {
        *last = last.wrapping_add(add);
    }
    String::from_utf16_lossy(&units).replace(['\u{fffd}', '\0'], "")
}

/// Windows 1252, from 0x80 to 0x9f.
const WINDOWS: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
/// Mac OS Roman, from 0x80 on.
const MAC: &str = "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»… ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ";
/// Where Adobe's standard encoding is neither ASCII nor Latin-1 (ISO 32000-1 annex D.2).
const STANDARD: [(u8, &str); 22] = [
    (0x27, "’"),
    (0x60, "‘"),
    (0xa4, "/"),
    (0xa6, "ƒ"),
    (0xa8, "¤"),
    (0xa9, "'"),
    (0xaa, "“"),
    (0xac, "‹"),
    (0xad, "›"),
    (0xae, "fi"),
    (0xaf, "fl"),
    (0xb1, "–"),
    (0xb2, "†"),
    (0xb3, "‡"),
    (0xb4, "·"),
    (0xb7, "•"),
    (0xb8, "‚"),
    (0xb9, "„"),
    (0xba, "”"),
    (0xbc, "…"),
    (0xbd, "‰"),
    (0xd0, "—"),
];
/// Ligatures where fonts of TeX have them, in codes that no other encoding uses.
const TEX: [(u8, &str); 5] = [(0x0b, "ff"), (0x0c, "fi"), (0x0d, "fl"), (0x0e, "ffi"), (0x0f, "ffl")];

fn encoding(file: &File<'_>, dict: &Dict) -> Vec<String> {
    let described = file.value(dict, "Encoding");
    let (base, differences) = match &described {
        Object::Name(name) => (Some(name.clone()), Vec::new()),
        Object::Dict(inner) => {
            let base = file.value(inner, "BaseEncoding").name().map(str::to_owned);
            (base, file.value(inner, "Differences").array().to_vec())
        }
        _ => (None, Vec::new()),
    };
    let mut codes: Vec<String> = (0..=255_u8)
        .map(|code| if code < 0x20 { String::new() } else { char::from(code).to_string() })
        .collect();
    let mut put = |first: usize, text: &str| {
        for (i, c) in text.chars().enumerate() {
            codes[first + i] = c.to_string();
        }
    };
    match base.as_deref() {
        Some("MacRomanEncoding") => put(0x80, MAC),
        Some("StandardEncoding") => {
            STANDARD.iter().for_each(|(code, text)| codes[usize::from(*code)] = (*text).to_owned())
        }
        _ => put(0x80, WINDOWS),
    }
    if base.is_none() {
        TEX.iter().for_each(|(code, text)| codes[usize::from(*code)] = (*text).to_owned());
    }
    let mut code = 0_usize;
    for part in differences.iter().take(1_024) {
        match file.resolved(part) {
            Object::Number(number) => code = number as usize,
            Object::Name(name) => {
                if let (Some(place), Some(text)) = (codes.get_mut(code), glyph(&name)) {
                    *place = text;
                }
                code = code.saturating_add(1);
            }
            _ => {}
        }
    }
    codes
}

/// Names of glyphs that are no letters (Adobe Glyph List), as far as reports need them.
const GLYPHS: [(&str, &str); 76] = [
    ("space", " "),
    ("nbspace", " "),
    ("exclam", "!"),
    ("quotedbl", "\""),
    ("numbersign", "#"),
    ("dollar", "$"),
    ("percent", "%"),
    ("ampersand", "&"),
    ("quotesingle", "'"),
    ("quoteright", "’"),
    ("quoteleft", "‘"),
    ("parenleft", "("),
    ("parenright", ")"),
    ("asterisk", "*"),
    ("plus", "+"),
    ("comma", ","),
    ("hyphen", "-"),
    ("sfthyphen", "\u{ad}"),
    ("minus", "-"),
    ("period", "."),
    ("slash", "/"),
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("colon", ":"),
    ("semicolon", ";"),
    ("less", "<"),
    ("equal", "="),
    ("greater", ">"),
    ("question", "?"),
    ("at", "@"),
    ("bracketleft", "["),
    ("backslash", "\\"),
    ("bracketright", "]"),
    ("asciicircum", "^"),
    ("underscore", "_"),
    ("grave", "`"),
    ("braceleft", "{"),
    ("bar", "|"),
    ("braceright", "}"),
    ("asciitilde", "~"),
    ("ff", "ff"),
    ("fi", "fi"),
    ("fl", "fl"),
    ("ffi", "ffi"),
    ("ffl", "ffl"),
    ("f_f", "ff"),
    ("f_i", "fi"),
    ("f_l", "fl"),
    ("f_f_i", "ffi"),
    ("f_f_l", "ffl"),
    ("endash", "–"),
    ("emdash", "—"),
    ("quotedblleft", "“"),
    ("quotedblright", "”"),
    ("quotedblbase", "„"),
    ("bullet", "•"),
    ("ellipsis", "…"),
    ("periodcentered", "·"),
    ("copyright", "©"),
    ("registered", "®"),
    ("trademark", "™"),
    ("germandbls", "ß"),
    ("dotlessi", "ı"),
    ("ae", "æ"),
    ("oe", "œ"),
    ("oslash", "ø"),
    ("lslash", "ł"),
    ("section", "§"),
];
/// Accents behind a letter in the name of a glyph.
const ACCENTS: [(&str, char); 8] = [
    ("acute", '\u{301}'),
    ("grave", '\u{300}'),
    ("circumflex", '\u{302}'),
    ("dieresis", '\u{308}'),
    ("tilde", '\u{303}'),
    ("cedilla", '\u{327}'),
    ("caron", '\u{30c}'),
    ("ring", '\u{30a}'),
];

fn glyph(name: &str) -> Option<String> {
    let name = name.split('.').next().unwrap_or_default();
    if let Some((_, text)) = GLYPHS.iter().find(|(known, _)| *known == name) {
        return Some((*text).to_owned());
    }
    if name.len() == 1 {
        return Some(name.to_owned());
    }
    let code = name.strip_prefix("uni").filter(|code| code.len() == 4).or_else(|| name.strip_prefix('u'));
    if let Some(c) = code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32) {
        return Some(c.to_string());
    }
    let mut letters = name.chars();
    let letter = letters.next()?;
    let accent = ACCENTS.iter().find(|(accent, _)| *accent == letters.as_str());
    accent.map(|(_, accent)| format!("{letter}{accent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_glyphs_give_text() {
        let map = mapped_in(b"2 beginbfchar <01> <00660066> <02> <D83DDE00> endbfchar 1 beginbfrange <10> <12> <0041> <20> <21> [<0061> <0062>] endbfrange");
        assert_eq!((map[&1].as_str(), map[&0x11].as_str(), map[&0x21].as_str()), ("ff", "B", "b"));
        assert_eq!(glyph("f_i").as_deref(), Some("fi"));
        assert_eq!(glyph("uni00E9").as_deref(), Some("é"));
        assert_eq!(glyph("a.sc").as_deref(), Some("a"));
        assert_eq!(MAC.chars().count(), 127);
        assert_eq!(WINDOWS.chars().count(), 32);
    }

    fn mapped_in(map: &[u8]) -> HashMap<u32, String> {
        let mut room = CODES_MAX;
        mapped(map, &mut room)
    }

    #[test]
    fn a_range_without_end_is_cut() {
        let map = mapped_in(b"beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange");
        assert!(map.len() <= CODES_MAX);
    }

    #[test]
    fn codes_that_are_told_again_and_again_are_read_no_more() {
        let all = b"beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange ";
        let after = b"beginbfchar <00> <0042> endbfchar ";
        let told = |times| [&all.repeat(times)[..], after].concat();
        assert_eq!(mapped_in(&told(1))[&0], "B");
        assert_eq!(mapped_in(&told(2))[&0], "A", "of each range 65,536 are read");

        let file = File::open(b"").unwrap();
        let mut font = Font::default();
        let all: Vec<_> = [0.0, 65_535.0, 500.0].repeat(1_000).into_iter().map(Object::Number).collect();
        let mut room = CODES_MAX;
        font.wide(&file, &all, &mut room);
        assert_eq!((font.widths.len(), room), (65_536, 0));
    }

    #[test]
    fn the_fonts_of_a_file_share_what_is_read() {
        let file = File::open(b"").unwrap();
        let read = || file.codes(CODES_MAX, |room| take(room, CODES_MAX));
        assert_eq!((0..50).map(|_| read()).sum::<usize>(), 4_000_000);
    }
}
