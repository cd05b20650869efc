//! The envelope that objects come in, and back: what is read is written again octet for octet,
//! but for the white space between objects.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::object::{Object, ObjectError};
use crate::reading::ReadError;

/// Objects of a bundle at most (`reliability.md` §3).
pub const OBJECTS_MAX: usize = 1_000_000;
/// Keys of an envelope at most; chosen here: a bundle has four.
pub(crate) const ENVELOPE_MAX: usize = 1_000;
/// What [`OBJECTS_MAX`] counts, in words.
const OBJECTS: &str = "objects in one bundle";

/// A bundle, a TAXII envelope, a list of objects or one object, as it stands in a text.
#[derive(Debug, Clone)]
pub struct Bundle<'a> {
    text: &'a str,
    form: Form<'a>,
    objects: Vec<&'a RawValue>,
}

#[derive(Debug, Clone)]
enum Form<'a> {
    /// An object with these keys, the list of objects among them where there is one.
    Envelope(Vec<(String, &'a RawValue)>),
    List,
    One,
}

impl<'a> Bundle<'a> {
    /// Takes a text apart, and no object in it.
    ///
    /// # Errors
    /// [`ReadError`] where the text is no JSON, is cut off, or is JSON of another kind.
    pub fn parse(text: &'a str) -> Result<Self, ReadError> {
        let (form, objects) = if text.trim_start().starts_with('[') {
            (Form::List, parse::<Limited<'_, Elements>>(text)?.within(OBJECTS_MAX, OBJECTS)?)
        } else {
            let keys = match parse::<Limited<'_, Keys>>(text) {
                Err(ReadError::NotJson { .. }) if is_json_lines(text) => {
                    return Err(ReadError::Unsupported {
                        what: "JSON lines",
                        remedy: "convert it to STIX 2.1 or CSV",
                    });
                }
                keys => keys?.within(ENVELOPE_MAX, "keys around the objects")?,
            };
            match value(&keys, "objects") {
                Some(objects) if objects.get().starts_with('[') => {
                    let objects = parse_within::<Limited<'_, Elements>>(text, objects)?;
                    (Form::Envelope(keys), objects.within(OBJECTS_MAX, OBJECTS)?)
                }
                _ => match value(&keys, "type").map(RawValue::get) {
                    Some("\"bundle\"") => (Form::Envelope(keys), Vec::new()),
                    Some(_) if value(&keys, "id").is_some_and(|id| id.get().contains("--")) => {
                        (Form::One, vec![parse(text)?])
                    }
                    _ => return unsupported(),
                },
            }
        };
        let first = objects.first().map(|first| serde_json::from_str::<Limited<'_, Keys>>(first.get()));
        if let Some(Ok(Limited { items: first, .. })) = first
            && (value(&first, "type").is_none() || value(&first, "id").is_none())
        {
            return unsupported();
        }
        Ok(Self { text, form, objects })
    }

    /// How many objects it holds.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether it holds no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The objects in their order, each read or refused with the line it begins on, from 1.
    pub fn objects(&self) -> impl Iterator<Item = Result<Object<'a>, Flaw<'a>>> {
        let mut lines = Lines { text: self.text, offset: 0, line: 1 };
        self.objects.iter().map(move |raw| {
            Object::read(raw).map_err(|error| Flaw { line: lines.of(raw), text: raw.get(), error })
        })
    }

    /// The text again: every key and every value as it stood, in its order.
    pub fn write(&self) -> String {
        let objects = || self.objects.iter().map(|raw| raw.get()).collect::<Vec<_>>().join(",\n");
        match &self.form {
            Form::One => objects(),
            Form::List => format!("[\n{}\n]", objects()),
            Form::Envelope(keys) => {
                let mut fields = Vec::with_capacity(keys.len());
                for (key, raw) in keys {
                    // The last of several keys counts, as everywhere in JSON.
                    let is_objects =
                        value(keys, "objects").is_some_and(|objects| std::ptr::eq(objects, *raw));
                    let key = serde_json::Value::from(key.as_str());
                    fields.push(match is_objects && raw.get().starts_with('[') {
                        true => format!("{key}: [\n{}\n]", objects()),
                        false => format!("{key}: {}", raw.get()),
                    });
                }
                format!("{{{}}}", fields.join(", "))
            }
        }
    }
}

/// An object that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw<'a> {
    /// The line it begins on, from 1.
    pub line: usize,
    /// The object as it stands.
    pub text: &'a str,
    /// Why not.
    pub error: ObjectError,
}

/// The value of a key; of several the last.
fn value<'a>(keys: &[(String, &'a RawValue)], key: &str) -> Option<&'a RawValue> {
    keys.iter().rev().find(|(name, _)| name == key).map(|(_, raw)| *raw)
}

/// The first items of a list or of an object; the others are counted and not kept.
struct Limited<'a, K: Kind<'a>> {
    items: Vec<K::Item>,
    more: bool,
}

impl<'a, K: Kind<'a>> Limited<'a, K> {
    fn within(self, most: usize, what: &'static str) -> Result<Vec<K::Item>, ReadError> {
        if self.more { Err(ReadError::TooLarge { most, what }) } else { Ok(self.items) }
    }
}

/// What is limited.
trait Kind<'a> {
    type Item;
}

struct Elements;
struct Keys;

impl<'a> Kind<'a> for Elements {
    type Item = &'a RawValue;
}

impl<'a> Kind<'a> for Keys {
    type Item = (String, &'a RawValue);
}

impl<'de: 'a, 'a> Deserialize<'de> for Limited<'a, Elements> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = (Vec<&'de RawValue>, bool);

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while items.len() < OBJECTS_MAX {
                    let Some(item) = list.next_element()? else { return Ok((items, false)) };
                    items.push(item);
                }
                let mut more = false;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    more = true;
                }
                Ok((items, more))
            }
        }
        let (items, more) = deserializer.deserialize_seq(Take)?;
        Ok(Self { items, more })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Limited<'a, Keys> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = (Vec<(String, &'de RawValue)>, bool);

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while items.len() < ENVELOPE_MAX {
                    let Some(item) = map.next_entry()? else { return Ok((items, false)) };
                    items.push(item);
                }
                let mut more = false;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    more = true;
                }
                Ok((items, more))
            }
        }
        let (items, more) = deserializer.deserialize_map(Take)?;
        Ok(Self { items, more })
    }
}

/// Whether each of the first two lines is JSON of its own.
fn is_json_lines(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut whole = || lines.next().is_some_and(|line| serde_json::from_str::<&RawValue>(line).is_ok());
    whole() && whole()
}

/// JSON that is no STIX, and that no other reader took.
fn unsupported<T>() -> Result<T, ReadError> {
    Err(ReadError::Unsupported {
        what: "JSON that is no STIX bundle",
        remedy: "convert it to STIX 2.1 or CSV",
    })
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| error_at(text, 0, &error))
}

/// Parses a part of the text; errors name places of the whole.
fn parse_within<'a, T: Deserialize<'a>>(text: &'a str, part: &'a RawValue) -> Result<T, ReadError> {
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
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(words, _)| words.to_owned())
}

fn offset(text: &str, part: &RawValue) -> usize {
    (part.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len())
}

/// Counts lines up to objects, which are asked for in the order of the text.
struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl Lines<'_> {
    fn of(&mut self, raw: &RawValue) -> usize {
        let offset = offset(self.text, raw).max(self.offset);
        let between = &self.text.as_bytes()[self.offset..offset];
        self.line += between.iter().filter(|octet| **octet == b'\n').count();
        self.offset = offset;
        self.line
    }
}
