//! Which of the JSON formats a text is in, and how its errors are told.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::reading::ReadError;

/// The formats that come as JSON or as a JSON value a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// MISP events, attributes, or the answer of a MISP server.
    MispEvents,
    /// The manifest of a MISP feed.
    MispManifest,
    /// A MISP galaxy: the clusters of one kind.
    MispGalaxy,
    /// A MISP warning list.
    WarningList,
    /// Passive DNS in the Common Output Format.
    PassiveDns,
    /// Results of zgrab2, Shodan or Censys.
    Scan,
    /// STIX, or JSON that nobody knows.
    Other,
}

/// What the first object of a text shows it to be. A text that is no JSON is [`Kind::Other`].
pub(crate) fn kind(text: &str) -> Kind {
    let Some(first) = first_object(text) else { return Kind::Other };
    let has = |name: &str| first.contains_key(name);
    let is = |name: &str, start: char| first.get(name).is_some_and(|value| value.get().starts_with(start));
    if has("objects") || has("type") && has("id") && has("spec_version") {
        return Kind::Other;
    }
    let event = has("Event") || has("Attribute") || has("Object") || has("ShadowAttribute");
    if event || is("response", '[') || is("response", '{') || has("threat_level_id") {
        return Kind::MispEvents;
    }
    if has("GalaxyCluster") || is("values", '[') && has("uuid") {
        return Kind::MispGalaxy;
    }
    if is("list", '[') && has("name") {
        return Kind::WarningList;
    }
    if has("rrname") && has("rrtype") && has("rdata") {
        return Kind::PassiveDns;
    }
    let zgrab = is("data", '{') && (has("ip") || has("domain"));
    let shodan = has("ip_str") && (has("port") || is("data", '['));
    let censys = has("ip") && is("services", '[');
    if zgrab || shodan || censys || within(&first, "result", "services") || within(&first, "host", "services")
    {
        return Kind::Scan;
    }
    if is_manifest(&first) {
        return Kind::MispManifest;
    }
    Kind::Other
}

/// Whether the object of this name has a field of that name.
fn within(fields: &BTreeMap<String, &RawValue>, name: &str, field: &str) -> bool {
    let inner = fields.get(name).filter(|value| value.get().starts_with('{'));
    let inner = inner.and_then(|value| serde_json::from_str::<BTreeMap<String, &RawValue>>(value.get()).ok());
    inner.is_some_and(|inner| inner.contains_key(field))
}

/// Whether the keys are ids of events and the values describe them.
fn is_manifest(fields: &BTreeMap<String, &RawValue>) -> bool {
    let Some((id, entry)) = fields.first_key_value() else { return false };
    let entry = serde_json::from_str::<BTreeMap<String, &RawValue>>(entry.get());
    let is_id = id.len() == 36 && id.bytes().filter(|b| *b == b'-').count() == 4;
    is_id && entry.is_ok_and(|entry| entry.contains_key("info"))
}

/// Lines that are searched for a first object; chosen here: a damaged line or two come first.
const LINES_TRIED: usize = 10;

/// The first object: of the text, of the list that it is, or of its lines.
fn first_object(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    let start = text.trim_start();
    let start = start.strip_prefix('[').unwrap_or(start);
    let first = |text| serde_json::Deserializer::from_str(text).into_iter().next()?.ok();
    first(start).or_else(|| text.lines().take(LINES_TRIED).find_map(first))
}

/// The values of a list, or a value a line, each with its place. Lines that are no JSON are handed
/// on as they are: their reader refuses them.
///
/// # Errors
/// As [`parse`], for a list.
pub(crate) fn values(text: &str) -> Result<Vec<(String, &str)>, ReadError> {
    if text.trim_start().starts_with('[') {
        let list: Vec<&RawValue> = parse(text)?;
        return Ok((1..).zip(list).map(|(n, value)| (format!("value {n}"), value.get())).collect());
    }
    // One value over many lines.
    if let Ok(value) = serde_json::from_str::<&RawValue>(text) {
        return Ok(vec![("value 1".to_owned(), value.get())]);
    }
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    Ok(lines.map(|(n, line)| (format!("line {n}"), line)).collect())
}

/// Parses the whole text.
///
/// # Errors
/// [`ReadError::CutOff`] or [`ReadError::NotJson`], with the place.
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        if error.is_eof() {
            return ReadError::CutOff { line, column, octet: text.len() };
        }
        ReadError::NotJson { line, column, detail: detail(&error) }
    })
}

/// The words of a JSON error without the place.
pub(crate) fn detail(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(words, _)| words.to_owned())
}
