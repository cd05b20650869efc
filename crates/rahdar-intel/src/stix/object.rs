//! The parts of STIX objects that are read, and the envelope they come in.

use std::collections::BTreeMap;

use rahdar_model::Timestamp;
use rahdar_model::intelligence::Tlp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::reading::{ReadError, quote};

/// An object as it stands in the text.
pub(crate) type Raw<'a> = &'a RawValue;

/// Objects of a bundle at most (`reliability.md` §3).
const OBJECTS_MAX: usize = 1_000_000;

/// Octets of an id after its type at most; a UUID has 36.
const ID_MAX: usize = 100;

/// An object, as far as it is read. Which fields it has depends on its type.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) created: Option<Timestamp>,
    /// When this version of the object was made.
    pub(crate) version: Option<Timestamp>,
    pub(crate) revoked: bool,
    pub(crate) name: Option<String>,
    pub(crate) confidence: Option<u8>,
    pub(crate) created_by_ref: Option<String>,
    pub(crate) object_marking_refs: Vec<String>,
    pub(crate) pattern: Option<String>,
    pub(crate) pattern_type: Option<String>,
    pub(crate) valid_from: Option<Timestamp>,
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) relationship_type: Option<String>,
    pub(crate) source_ref: Option<String>,
    pub(crate) target_ref: Option<String>,
    pub(crate) start_time: Option<Timestamp>,
    pub(crate) stop_time: Option<Timestamp>,
    pub(crate) first_seen: Option<Timestamp>,
    pub(crate) last_seen: Option<Timestamp>,
    pub(crate) object_refs: Vec<String>,
    pub(crate) value: Option<String>,
    /// What a marking definition defines.
    pub(crate) tlp: Option<Tlp>,
}

/// The fields as JSON has them.
#[derive(Deserialize)]
struct Fields {
    r#type: String,
    id: String,
    created: Option<String>,
    modified: Option<String>,
    revoked: Option<bool>,
    name: Option<String>,
    confidence: Option<f64>,
    created_by_ref: Option<String>,
    object_marking_refs: Option<Vec<String>>,
    pattern: Option<String>,
    pattern_type: Option<String>,
    valid_from: Option<String>,
    valid_until: Option<String>,
    relationship_type: Option<String>,
    source_ref: Option<String>,
    target_ref: Option<String>,
    start_time: Option<String>,
    stop_time: Option<String>,
    first_seen: Option<String>,
    last_seen: Option<String>,
    object_refs: Option<Vec<String>>,
    value: Option<serde_json::Value>,
    definition: Option<serde_json::Value>,
    extensions: Option<serde_json::Value>,
}

/// The extension by which STIX 2.1 carries TLP 2.0 (OASIS, 2022).
const TLP_2_EXTENSION: &str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";

/// The marking of a well-known marking definition: TLP 1.0 (STIX 2.1 §7.2.1.4) and TLP 2.0
/// (OASIS, 2022).
pub(crate) fn known_marking(id: &str) -> Option<Tlp> {
    let tlp = match id.strip_prefix("marking-definition--")? {
        "613f2e26-407d-48c7-9eca-b8e91df99dc9" | "94868c89-83c2-464b-929b-a1a8aa3c8487" => Tlp::Clear,
        "34098fce-860f-48ae-8e50-ebd3cc5e41da" | "bab4a63c-aed9-4cf5-a766-dfca5abac2bb" => Tlp::Green,
        "f88d31f6-486f-44da-b317-01333bde0b82" | "55d920b0-5e8b-4f79-9ee9-91f868d9b421" => Tlp::Amber,
        "939a9414-2ddd-4d32-a0cd-375ea402b003" => Tlp::AmberStrict,
        "5e57c739-391a-4eb3-b6be-7d15ca92d5ed" | "e828b379-4e03-4974-9ac4-e53a884c97c1" => Tlp::Red,
        _ => return None,
    };
    Some(tlp)
}

/// Reads one object.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn read(raw: Raw<'_>) -> Result<Object, String> {
    let fields: Fields = serde_json::from_str(raw.get()).map_err(|error| without_place(&error))?;
    let rest = fields.id.strip_prefix(&fields.r#type).and_then(|rest| rest.strip_prefix("--"));
    let plain =
        |rest: &&str| (1..=ID_MAX).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_graphic());
    if rest.filter(plain).is_none() {
        return Err(format!("its id `{}` is none of a `{}`", quote(&fields.id), quote(&fields.r#type)));
    }
    let time = |name: &str, text: &Option<String>| match text {
        Some(text) => text.parse().map(Some).map_err(|_| format!("`{name}` is not a time: `{text}`")),
        None => Ok(None),
    };
    let confidence = match fields.confidence {
        Some(value) if !(0.0..=100.0).contains(&value) => {
            return Err(format!("confidence {value} is beyond 0 to 100"));
        }
        Some(value) => Some(value.round() as u8),
        None => None,
    };
    let created = time("created", &fields.created)?;
    let modified: Option<Timestamp> = time("modified", &fields.modified)?;
    Ok(Object {
        created,
        version: modified.or(created),
        revoked: fields.revoked.unwrap_or(false),
        name: fields.name,
        confidence,
        created_by_ref: fields.created_by_ref,
        object_marking_refs: fields.object_marking_refs.unwrap_or_default(),
        pattern: fields.pattern,
        pattern_type: fields.pattern_type,
        valid_from: time("valid_from", &fields.valid_from)?,
        valid_until: time("valid_until", &fields.valid_until)?,
        relationship_type: fields.relationship_type,
        source_ref: fields.source_ref,
        target_ref: fields.target_ref,
        start_time: time("start_time", &fields.start_time)?,
        stop_time: time("stop_time", &fields.stop_time)?,
        first_seen: time("first_seen", &fields.first_seen)?,
        last_seen: time("last_seen", &fields.last_seen)?,
        object_refs: fields.object_refs.unwrap_or_default(),
        value: fields.value.as_ref().and_then(|value| value.as_str()).map(str::to_owned),
        tlp: tlp(fields.definition.as_ref(), fields.extensions.as_ref()),
        kind: fields.r#type,
        id: fields.id,
    })
}

fn tlp(definition: Option<&serde_json::Value>, extensions: Option<&serde_json::Value>) -> Option<Tlp> {
    let first = definition.and_then(|definition| definition.get("tlp"));
    let second = || extensions?.get(TLP_2_EXTENSION)?.get("tlp_2_0");
    Tlp::from_word(first.or_else(second)?.as_str()?)
}

/// The objects of a text: a bundle, a TAXII envelope, a list, or one object.
pub(crate) fn raws(text: &str) -> Result<Vec<Raw<'_>>, ReadError> {
    let objects = if text.trim_start().starts_with('[') {
        parse::<Vec<Raw<'_>>>(text)?
    } else {
        let fields = match parse::<BTreeMap<String, Raw<'_>>>(text) {
            Err(ReadError::NotJson { .. }) if is_json_lines(text) => {
                return Err(ReadError::Unsupported {
                    what: "JSON lines",
                    remedy: "convert it to STIX 2.1 or CSV",
                });
            }
            fields => fields?,
        };
        match fields.get("objects") {
            Some(objects) if objects.get().starts_with('[') => parse_within(text, objects)?,
            _ => one_object(text, &fields)?,
        }
    };
    match objects.first().map(|first| serde_json::from_str::<BTreeMap<String, Raw<'_>>>(first.get())) {
        Some(Ok(first)) if !(first.contains_key("type") && first.contains_key("id")) => unsupported(&first),
        _ if objects.len() > OBJECTS_MAX => {
            Err(ReadError::TooLarge { limit: "OBJECTS_MAX", most: OBJECTS_MAX })
        }
        _ => Ok(objects),
    }
}

/// Whether each of the first two lines is JSON of its own.
fn is_json_lines(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut whole = || lines.next().is_some_and(|line| serde_json::from_str::<Raw<'_>>(line).is_ok());
    whole() && whole()
}

fn one_object<'a>(text: &'a str, fields: &BTreeMap<String, Raw<'a>>) -> Result<Vec<Raw<'a>>, ReadError> {
    match fields.get("type").map(|kind| kind.get()) {
        Some("\"bundle\"") => Ok(Vec::new()),
        Some(_) if fields.get("id").is_some_and(|id| id.get().contains("--")) => Ok(vec![parse(text)?]),
        _ => unsupported(fields),
    }
}

/// Names JSON that is no STIX, by its fields.
fn unsupported<T>(fields: &BTreeMap<String, Raw<'_>>) -> Result<T, ReadError> {
    let has = |name: &str| fields.contains_key(name);
    let event = has("Event") || has("Attribute") || has("ShadowAttribute") || has("Object");
    let (what, remedy) = if event || has("response") || has("threat_level_id") {
        ("a MISP event", "export it as STIX 2.1 or CSV")
    } else if has("values") && has("uuid") || has("GalaxyCluster") {
        ("a MISP galaxy", "import the intrusion sets of a STIX bundle instead")
    } else if has("list") && has("name") {
        ("a MISP warning list", "give its addresses as CSV with a `class` column")
    } else {
        ("JSON that is no STIX bundle", "convert it to STIX 2.1 or CSV")
    };
    Err(ReadError::Unsupported { what, remedy })
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| error_at(text, 0, &error))
}

/// Parses a part of the text; errors name places of the whole.
fn parse_within<'a, T: Deserialize<'a>>(text: &'a str, part: Raw<'a>) -> Result<T, ReadError> {
    serde_json::from_str(part.get()).map_err(|error| error_at(text, offset(text, part), &error))
}

fn error_at(text: &str, start: usize, error: &serde_json::Error) -> ReadError {
    let skipped = text[..start].matches('\n').count();
    let (line, column) = (error.line() + skipped, error.column());
    if error.is_eof() {
        return ReadError::CutOff { line, column, octet: text.len() };
    }
    ReadError::NotJson { line, column, detail: without_place(error) }
}

/// The words of a JSON error without the place, which is named in ours.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(words, _)| words.to_owned())
}

fn offset(text: &str, part: Raw<'_>) -> usize {
    (part.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len())
}

/// The lines on which objects stand, for objects that have no valid id.
pub(crate) struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, offset: 0, line: 1 }
    }

    /// Where an object stands. Objects are asked for in the order of the text.
    pub(crate) fn place(&mut self, raw: Raw<'_>) -> String {
        let offset = offset(self.text, raw).max(self.offset);
        let between = &self.text.as_bytes()[self.offset..offset];
        self.line += between.iter().filter(|octet| **octet == b'\n').count();
        self.offset = offset;
        format!("line {}", self.line)
    }
}
