//! Warning lists (MISP): what is known to be harmless, and what that means for a verdict.
//!
//! A list of networks says what kind of host an address is (`methods.md` §2.2, G4); its name tells
//! the kind, by the words of `KINDS`. A list of names only warns: each match is told beside
//! a claim and kills nothing, because attackers live on popular services too. No address window
//! is derived from such a name, since its addresses serve others ([`crate::pdns`]).
//!
//! Plain lists of such hosts are told by their file's name ([`lists`]), and public resolvers are known to
//! every book ([`resolvers`]).
//!
//! Scanners, sinkholes and pools change hands: a list that is dated speaks from ninety days
//! before its date on. Networks of providers are taken for all time, and so is a list without a date.

pub(crate) mod lists;
mod names;
pub(crate) mod resolvers;

use rahdar_model::intelligence::{HostClass, WindowBasis};
use rahdar_model::time::DAY_US;
use rahdar_model::{Day, Prefix, Timestamp, Window};
use serde::Deserialize;

pub(crate) use names::Notes;
pub use names::{Matching, Note};

use crate::draft::{Draft, Terms, tidy_name};
use crate::json;
use crate::reading::{Format, ReadError, ReadOptions, Reading, Reason};
use crate::source::Source;

/// The fields of a list (misp-warninglists, `schema.json`).
#[derive(Deserialize)]
struct List {
    name: String,
    #[serde(default)]
    r#type: String,
    version: Option<serde_json::Value>,
    #[serde(default)]
    matching_attributes: Vec<String>,
    list: Vec<serde_json::Value>,
}

/// Entries of a list at most; chosen here: the largest public list has a million.
const ENTRIES_MAX: usize = 2_000_000;

/// What a list of networks says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Class(HostClass),
    /// Networks of no host of the Internet: private, multicast, documentation.
    SpecialUse,
    Unknown,
}

/// Words in the names of lists and what they mean; the first that occurs counts.
const KINDS: [(&str, Meaning); 31] = [
    ("sinkhole", Meaning::Class(HostClass::Sinkhole)),
    // A filtering resolver answers with it in place of a hostile name.
    ("blockpage", Meaning::Class(HostClass::Sinkhole)),
    ("rfc ", Meaning::SpecialUse),
    ("link local", Meaning::SpecialUse),
    ("scann", Meaning::Class(HostClass::Scanner)),
    ("connection-attempt", Meaning::Class(HostClass::Scanner)),
    ("check-host", Meaning::Class(HostClass::Scanner)),
    ("xpanse", Meaning::Class(HostClass::Scanner)),
    ("cortex", Meaning::Class(HostClass::Scanner)),
    ("tenable", Meaning::Class(HostClass::Scanner)),
    ("bot ", Meaning::Class(HostClass::Scanner)),
    ("vpn", Meaning::Class(HostClass::Pool)),
    ("tor exit", Meaning::Class(HostClass::Pool)),
    ("dynamic pool", Meaning::Class(HostClass::Pool)),
    ("zscaler", Meaning::Class(HostClass::Pool)),
    ("resolver", Meaning::Class(HostClass::Cdn)),
    ("smtp", Meaning::Class(HostClass::Cdn)),
    ("gmail", Meaning::Class(HostClass::Cdn)),
    ("office 365", Meaning::Class(HostClass::Cdn)),
    ("cdn", Meaning::Class(HostClass::Cdn)),
    ("akamai", Meaning::Class(HostClass::Cdn)),
    ("cloudflare", Meaning::Class(HostClass::Cdn)),
    ("fastly", Meaning::Class(HostClass::Cdn)),
    ("aws", Meaning::Class(HostClass::Cloud)),
    ("azure", Meaning::Class(HostClass::Cloud)),
    ("github", Meaning::Class(HostClass::Cloud)),
    ("cloud", Meaning::Class(HostClass::Cloud)),
    ("ovh cluster", Meaning::Class(HostClass::Shared)),
    ("parking", Meaning::Class(HostClass::Shared)),
    ("crl", Meaning::Class(HostClass::Shared)),
    ("telegram", Meaning::Class(HostClass::Shared)),
];

impl Meaning {
    fn of(name: &str) -> Self {
        let name = format!("{} ", name.to_ascii_lowercase());
        KINDS.iter().find(|(word, _)| name.contains(word)).map_or(Self::Unknown, |(_, meaning)| *meaning)
    }
}

/// Words in the names of lists of names that everybody asks for: the most visited, and those that
/// systems and browsers call by themselves. Not among them: hosting, link shorteners and whatever else
/// strangers can put content under.
const OF_EVERYBODY: [&str; 9] = [
    "top ",
    "captive portal",
    "crl and ocsp",
    "known microsoft domains",
    "office 365 urls",
    "windows 10 connection",
    "known google domains",
    "bank domains",
    "dax30",
];

/// Whether the names of the list are those that everybody asks for, by its own name.
pub fn is_of_everybody(list: &str) -> bool {
    let list = list.to_ascii_lowercase();
    OF_EVERYBODY.iter().any(|words| list.contains(words))
}

/// Reads a warning list.
pub(crate) fn read(source: &Source, text: &str, options: &ReadOptions) -> Result<Reading, ReadError> {
    let list: List = json::parse(text)?;
    if list.list.len() > ENTRIES_MAX {
        return Err(ReadError::TooLarge { most: ENTRIES_MAX, what: "entries in one warning list" });
    }
    let mut draft = Draft::new(Format::WarningList, &source.shown, options);
    let terms = Terms {
        source: Some(tidy_name(&list.name).into()),
        window: window(&list).map(|window| (window, WindowBasis::Published)),
        ..Terms::default()
    };
    for (n, entry) in (1..).zip(&list.list) {
        let terms = Terms { place: format!("entry {n}"), ..terms.clone() };
        match entry.as_str().map(str::trim).filter(|entry| !entry.is_empty()) {
            Some(entry) if list.r#type == "cidr" => network(&mut draft, &list, entry, &terms),
            Some(entry) => name(&mut draft, &list, entry, &terms),
            None => draft.refuse(&terms.place, &entry.to_string(), Reason::NoIndicator),
        }
    }
    draft.finish()
}

fn network(draft: &mut Draft<'_>, list: &List, entry: &str, terms: &Terms) {
    let class = match Meaning::of(&list.name) {
        Meaning::Class(class) => class,
        Meaning::SpecialUse => return draft.set_aside("network of no host of the Internet"),
        Meaning::Unknown => return draft.set_aside("network of a list whose name tells no kind of host"),
    };
    match entry.parse::<Prefix>() {
        Ok(network) => draft.fact(network, class, terms),
        Err(_) => draft.refuse(&terms.place, entry, Reason::NotAddress),
    }
}

fn name(draft: &mut Draft<'_>, list: &List, entry: &str, terms: &Terms) {
    let of_names = |kind: &String| {
        matches!(kind.as_str(), "domain" | "hostname" | "domain|ip" | "url" | "hostname|port")
    };
    if !list.matching_attributes.is_empty() && !list.matching_attributes.iter().any(of_names) {
        return draft.set_aside(&format!("entry of a list of {}", list.matching_attributes[0]));
    }
    match Matching::of(&list.r#type, entry) {
        Ok(matching) => draft.note(matching, terms),
        Err(reason) => draft.refuse(&terms.place, entry, reason),
    }
}

/// How far before its date a list of hosts that change hands is believed (`methods.md` §7.4: what is
/// published speaks of the ninety days before).
const REACH_US: i64 = 90 * DAY_US;

/// When the list speaks, if that is limited.
fn window(list: &List) -> Option<Window> {
    use HostClass::{Pool, Scanner, Sinkhole};
    let at = dated(&list.version.as_ref()?.to_string())?;
    let moves = matches!(Meaning::of(&list.name), Meaning::Class(Pool | Scanner | Sinkhole));
    moves.then(|| Window::new(at.plus_micros(-REACH_US), Timestamp::MAX))
}

/// The date of a version: `20260811`, or with two digits of the year and the hour, `26081010`. Other
/// versions are counters.
fn dated(version: &str) -> Option<Timestamp> {
    let digits = version.trim_matches('"');
    if digits.len() != 8 || !digits.is_ascii() {
        return None;
    }
    let part = |from: usize, to: usize| digits[from..to].parse::<i16>().ok();
    let day = |year: i16, month: i16, day: i16| {
        let plausible = (2010..2100).contains(&year);
        Day::from_date(year, month.try_into().ok()?, day.try_into().ok()?).filter(|_| plausible)
    };
    let whole = day(part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let short = || day(2000 + part(0, 2)?, part(2, 4)?, part(4, 6)?).filter(|_| part(6, 8) < Some(24));
    whole.or_else(short).map(Day::start)
}

#[cfg(test)]
mod tests;
