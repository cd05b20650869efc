//! Objects: each as it stands in the text, and beside it what of it is understood.
//!
//! The text is the object; the typed view is read from it and never written over it. So whatever
//! rahdar does not know, or knows only in part, is kept as it came, and a number or a time keeps
//! its form. A view can be written too: what it writes equals what it was read from.

use std::collections::BTreeMap;

use rahdar_model::intelligence::Tlp;
use rahdar_model::{Timestamp, Window};
use serde::de::{DeserializeOwned, Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use super::bundle::without_place;
use super::marking;
use crate::date::day_end;
use crate::reading::quote;

/// Objects and lists within each other at most (`reliability.md` §3).
pub(crate) const DEPTH_MAX: usize = 64;
/// Octets of a text at most (`reliability.md` §3).
pub(crate) const STRING_MAX: usize = 1 << 20;
/// Elements of a list of references or markings at most; chosen here: as many as objects.
pub const LIST_MAX: usize = super::bundle::OBJECTS_MAX;
/// Octets of an id after its type at most; a UUID has 36.
const ID_MAX: usize = 100;

/// One object.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    raw: &'a RawValue,
    /// What every object may have.
    pub common: Common,
    /// What its type adds.
    pub body: Body,
}

/// The properties that objects of all types share (STIX 2.1 §3.2), as far as they are read at
/// once. Others are read when asked for: [`Object::property`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an object")]
pub struct Common {
    /// `indicator`, `ipv4-addr`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The type, two hyphens, and a UUID.
    pub id: String,
    /// When the first version was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Time>,
    /// When this version was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<Time>,
    /// The identity that says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by_ref: Option<String>,
    /// Whether it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<bool>,
    /// How sure its author is, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<serde_json::Number>,
    /// Markings that hold for the whole object.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub object_marking_refs: List<String>,
    /// Markings that hold for parts of it.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub granular_markings: List<GranularMarking>,
}

/// A marking of parts of an object (STIX 2.1 §7.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GranularMarking {
    /// The marking definition; none where only a language is marked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marking_ref: Option<String>,
    /// The language of these parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// Paths to the parts: `description`, `labels.[1]`.
    pub selectors: Vec<String>,
}

/// A pointer to what is said outside STIX (STIX 2.1 §2.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalReference {
    /// Whose: `mitre-attack`, the name of a publisher.
    pub source_name: String,
    /// Words about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its id there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// A step of an attack in someone's model of attacks (STIX 2.1 §2.11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillChainPhase {
    /// The model: `lockheed-martin-cyber-kill-chain`.
    pub kill_chain_name: String,
    /// The step: `command-and-control`.
    pub phase_name: String,
}

/// What a type adds to the common properties.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// `indicator`.
    Indicator(Indicator),
    /// `relationship`.
    Relationship(Relationship),
    /// `sighting`.
    Sighting(Sighting),
    /// `observed-data`.
    ObservedData(ObservedData),
    /// `report`, `grouping`, `note`, `opinion`: what others are put together in.
    Collection(Collection),
    /// `marking-definition`.
    Marking(MarkingDefinition),
    /// `ipv4-addr`, `ipv6-addr`, `domain-name`, `url`.
    Endpoint(Endpoint),
    /// `network-traffic`.
    Traffic(Traffic),
    /// `x509-certificate`.
    Certificate(Certificate),
    /// Any other domain object of the standard: groups, malware, infrastructure, identities, …
    Named(Named),
    /// Other observables and meta objects of the standard.
    Kept,
    /// A type that the standard does not have.
    Unknown,
}

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Indicator {
    /// The pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Its language; none in STIX 2.0, where it is always STIX's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern_type: Option<String>,
    /// When it begins to be worth looking for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Time>,
    /// When it ceases to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Time>,
    /// What it shows: `malicious-activity`, `benign`, …
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub indicator_types: Words,
    /// The same in STIX 2.0; anything in 2.1.
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub labels: Words,
}

/// That one object stands to another as its type says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relationship {
    /// `indicates`, `uses`, `consists-of`, …
    pub relationship_type: String,
    /// From this object.
    pub source_ref: String,
    /// To this object.
    pub target_ref: String,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_time: Option<Time>,
}

/// That something was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// What.
    pub sighting_of_ref: String,
    /// First.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Time>,
    /// Last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Time>,
    /// How often; zero says that it was looked for and not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What was observed.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub observed_data_refs: List<String>,
}

/// What was observed, with the observables it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservedData {
    /// First.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_observed: Option<Time>,
    /// Last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_observed: Option<Time>,
    /// The observables; STIX 2.0 holds them inside, and they are not read.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub object_refs: List<String>,
}

/// An object that puts others together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collection {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Time>,
    /// The others.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub object_refs: List<String>,
}

/// A domain object with a name and perhaps a span of activity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was first seen at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Time>,
    /// When it was last seen at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Time>,
}

/// What a marking means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MarkingDefinition {
    /// `tlp` or `statement`; none where an extension defines it, as TLP 2.0 is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition_type: Option<String>,
    /// TLP 1.0.
    #[serde(default, skip_serializing)]
    definition: Option<marking::Definition>,
    /// TLP 2.0.
    #[serde(default, skip_serializing)]
    extensions: Option<marking::Extensions>,
}

/// An address, a name or a URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The address, the name or the URL.
    pub value: String,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Who sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_ref: Option<String>,
    /// Who received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_ref: Option<String>,
    /// From which port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_port: Option<u16>,
    /// To which port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_port: Option<u16>,
    /// Protocols, the outermost first.
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub protocols: Words,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its hashes by the name of the function: `SHA-1`, `SHA-256`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hashes: BTreeMap<String, String>,
}

/// Why an object cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObjectError {
    /// A property is missing or of another JSON type than the standard says.
    #[error("{0}")]
    Form(String),
    /// An id that does not name the type of its object.
    #[error("its id `{id}` is none of a `{kind}`")]
    Id {
        /// The id.
        id: String,
        /// The type.
        kind: String,
    },
    /// A time that is none.
    #[error("`{property}` is not a time: `{text}`")]
    Time {
        /// Where.
        property: &'static str,
        /// What stands there.
        text: String,
    },
    /// A confidence beyond the scale.
    #[error("confidence {0} is beyond 0 to 100")]
    Confidence(serde_json::Number),
    /// An indicator without a pattern.
    #[error("it has no pattern")]
    NoPattern,
    /// A group without a name.
    #[error("it has no name")]
    NoName,
    /// Objects and lists within each other without measure.
    #[error("it nests deeper than {DEPTH_MAX}")]
    Deep,
    /// A text longer than any needs to be.
    #[error("it holds a text of more than {STRING_MAX} octets")]
    LongText,
}

impl<'a> Object<'a> {
    /// Reads one object.
    ///
    /// # Errors
    /// [`ObjectError`]: a type that is known must have what is read of it in the right form.
    pub fn read(raw: &'a RawValue) -> Result<Self, ObjectError> {
        measure(raw.get())?;
        let common: Common = view(raw)?;
        let rest = common.id.strip_prefix(&common.kind).and_then(|rest| rest.strip_prefix("--"));
        let plain =
            |rest: &&str| (1..=ID_MAX).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_graphic());
        if rest.filter(plain).is_none() {
            return Err(ObjectError::Id { id: quote(&common.id), kind: quote(&common.kind) });
        }
        if let Some(confidence) = &common.confidence
            && !confidence.as_f64().is_some_and(|value| (0.0..=100.0).contains(&value))
        {
            return Err(ObjectError::Confidence(confidence.clone()));
        }
        let body = match common.kind.as_str() {
            "indicator" => Body::Indicator(view(raw)?),
            "relationship" => Body::Relationship(view(raw)?),
            "sighting" => Body::Sighting(view(raw)?),
            "observed-data" => Body::ObservedData(view(raw)?),
            "report" | "grouping" | "note" | "opinion" => Body::Collection(view(raw)?),
            "marking-definition" => Body::Marking(view(raw)?),
            "ipv4-addr" | "ipv6-addr" | "domain-name" | "url" => Body::Endpoint(view(raw)?),
            "network-traffic" => Body::Traffic(view(raw)?),
            "x509-certificate" => Body::Certificate(view(raw)?),
            kind if NAMED.contains(&kind) => Body::Named(view(raw)?),
            kind if KEPT.contains(&kind) => Body::Kept,
            _ => Body::Unknown,
        };
        let object = Self { raw, common, body };
        for (property, time) in object.times() {
            if let Some(Time { text, at: None }) = time {
                return Err(ObjectError::Time { property, text: quote(text) });
            }
        }
        Ok(object)
    }

    /// The object as it stands in the text.
    pub fn raw(&self) -> &'a RawValue {
        self.raw
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.common.id
    }

    /// Its type.
    pub fn kind(&self) -> &str {
        &self.common.kind
    }

    /// When this version was made, which orders the versions of an object. Observables have none.
    pub fn version(&self) -> Option<Timestamp> {
        let made = self.common.modified.as_ref().or(self.common.created.as_ref());
        made.and_then(|time| time.at)
    }

    /// Whether it was taken back.
    pub fn revoked(&self) -> bool {
        self.common.revoked == Some(true)
    }

    /// Its name, if its type has one.
    pub fn name(&self) -> Option<&str> {
        match &self.body {
            Body::Named(named) => named.name.as_deref(),
            Body::Collection(collection) => collection.name.as_deref(),
            _ => None,
        }
    }

    /// Any property, read as what the caller asks for: `external_references`,
    /// `kill_chain_phases`, those of extensions.
    ///
    /// # Errors
    /// [`ObjectError::Form`] if it is there and of another form.
    pub fn property<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ObjectError> {
        let form = |error| ObjectError::Form(without_place(&error));
        let properties: BTreeMap<&str, &RawValue> = serde_json::from_str(self.raw.get()).map_err(form)?;
        properties.get(name).map(|raw| serde_json::from_str(raw.get()).map_err(form)).transpose()
    }

    /// Every time that is read, under its name.
    fn times(&self) -> [(&'static str, Option<&Time>); 4] {
        let [third, fourth] = match &self.body {
            Body::Indicator(i) => [("valid_from", &i.valid_from), ("valid_until", &i.valid_until)],
            Body::Relationship(r) => [("start_time", &r.start_time), ("stop_time", &r.stop_time)],
            Body::Sighting(s) => [("first_seen", &s.first_seen), ("last_seen", &s.last_seen)],
            Body::Named(n) => [("first_seen", &n.first_seen), ("last_seen", &n.last_seen)],
            Body::ObservedData(o) => {
                [("first_observed", &o.first_observed), ("last_observed", &o.last_observed)]
            }
            Body::Collection(c) => [("published", &c.published), ("published", &None)],
            _ => [("", &None), ("", &None)],
        };
        [
            ("created", self.common.created.as_ref()),
            ("modified", self.common.modified.as_ref()),
            (third.0, third.1.as_ref()),
            (fourth.0, fourth.1.as_ref()),
        ]
    }
}

/// Domain objects of STIX 2.1 that have no view of their own (§4).
const NAMED: [&str; 13] = [
    "attack-pattern",
    "campaign",
    "course-of-action",
    "identity",
    "incident",
    "infrastructure",
    "intrusion-set",
    "location",
    "malware",
    "malware-analysis",
    "threat-actor",
    "tool",
    "vulnerability",
];

/// Observables (§6) and meta objects (§7) of STIX 2.1 of which nothing is read.
const KEPT: [&str; 14] = [
    "artifact",
    "autonomous-system",
    "directory",
    "email-addr",
    "email-message",
    "file",
    "mac-addr",
    "mutex",
    "process",
    "software",
    "user-account",
    "windows-registry-key",
    "extension-definition",
    "language-content",
];

impl MarkingDefinition {
    /// The traffic light that it sets, if it sets one: of TLP 1.0 or 2.0.
    pub fn tlp(&self) -> Option<Tlp> {
        let first = || self.definition.as_ref()?.tlp();
        first().or_else(|| self.extensions.as_ref()?.tlp())
    }
}

fn view<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, ObjectError> {
    serde_json::from_str(raw.get()).map_err(|error| ObjectError::Form(without_place(&error)))
}

/// Holds an object to the limits of depth and length, in one pass without recursion.
fn measure(text: &str) -> Result<(), ObjectError> {
    let mut depth = 0;
    let mut bytes = text.bytes().enumerate();
    while let Some((start, byte)) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(ObjectError::Deep);
                }
            }
            b'}' | b']' => depth -= 1,
            b'"' => {
                let end = loop {
                    match bytes.next() {
                        Some((_, b'\\')) => drop(bytes.next()),
                        Some((end, b'"')) => break end,
                        Some(_) => {}
                        None => return Ok(()),
                    }
                };
                if end - start > STRING_MAX {
                    return Err(ObjectError::LongText);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A time as an object writes it, and what it means; none if it is no time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    /// The text, with the digits it has.
    pub text: String,
    /// The time, to the microsecond.
    pub at: Option<Timestamp>,
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self { at: text.parse().ok(), text })
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// The window from one time to another. A single moment speaks for its day: a feed writes
/// the same time twice when it saw something once. None if neither is known.
pub(super) fn seen(first: Option<&Time>, last: Option<&Time>) -> Option<Window> {
    let (first, last) = (first.and_then(|time| time.at), last.and_then(|time| time.at));
    match (first, last) {
        (None, None) => None,
        (Some(first), Some(last)) if first == last => Some(Window::new(first, day_end(last))),
        (first, last) => Some(Window::new(first.unwrap_or(Timestamp::MIN), last.unwrap_or(Timestamp::MAX))),
    }
}

/// A list of at most [`LIST_MAX`] elements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct List<T>(pub Vec<T>);

impl<T> List<T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Take<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Vec<T>, E> {
                Ok(Vec::new())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    if items.len() == LIST_MAX {
                        return Err(A::Error::custom(format_args!(
                            "a list of more than {LIST_MAX} elements"
                        )));
                    }
                    items.push(item);
                }
                Ok(items)
            }
        }
        deserializer.deserialize_any(Take(std::marker::PhantomData)).map(Self)
    }
}

/// Words of a list. What is no word is passed over: an odd label is no reason to refuse an
/// indicator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Words(pub Vec<String>);

impl Words {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let word = |raw: &&RawValue| serde_json::from_str::<String>(raw.get()).ok();
        let List(words) = serde_json::from_str(raw.get()).unwrap_or_else(|_| List(vec![raw]));
        Ok(Self(words.iter().filter_map(word).collect()))
    }
}
