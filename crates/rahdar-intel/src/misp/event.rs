//! An event as the JSON that it is, and what is read of it.
//!
//! Nothing is turned into fields of ours: an event that is written again is the event that was
//! read, with all that this crate does not know, numbers that came as text, and absences. What is
//! read, is read leniently: servers of ten years write times, flags and ids each in their way.

use std::borrow::Cow;

use rahdar_model::{Timestamp, Window};
use serde_json::{Map, Value};

use crate::date::{Instant, day_end, ends_day};
use crate::json;
use crate::reading::{ReadError, Reason};

/// Octets of a text of events at most; chosen here: the largest public events have 20 MiB, and a
/// tree of values takes ten times its text.
pub const EVENTS_MAX: usize = 64 << 20;

/// One MISP event (MISP core format, draft-dulaunoy-misp-core-format): all of it, also what rahdar
/// does not understand.
#[derive(Debug, Clone, PartialEq)]
pub struct Event(Map<String, Value>);

impl Event {
    /// The events of a text: one event, with or without its `Event` envelope, a list, the answer
    /// of a server, or bare attributes.
    ///
    /// # Errors
    /// [`ReadError::CutOff`], [`ReadError::NotJson`], or [`ReadError::TooLarge`] beyond
    /// [`EVENTS_MAX`].
    pub fn all(text: &str) -> Result<Vec<Self>, ReadError> {
        if text.len() > EVENTS_MAX {
            return Err(ReadError::TooLarge { most: EVENTS_MAX, what: "octets in one file of events" });
        }
        let mut events = Vec::new();
        unwrap(json::parse(text)?, &mut events);
        Ok(events)
    }

    /// The event as JSON, in its envelope.
    pub fn to_json(&self) -> Value {
        Value::Object(Map::from_iter([("Event".to_owned(), Value::Object(self.0.clone()))]))
    }

    pub(super) fn part(&self) -> Part<'_> {
        Part(&self.0)
    }
}

/// Takes events out of lists and envelopes. `json::parse` bounds the depth.
fn unwrap(value: Value, events: &mut Vec<Event>) {
    match value {
        Value::Array(values) => values.into_iter().for_each(|value| unwrap(value, events)),
        Value::Object(mut fields) => {
            if let Some(inner) = fields.remove("response").or_else(|| fields.remove("Event")) {
                return unwrap(inner, events);
            }
            if fields.contains_key("value") && fields.contains_key("type") {
                let attribute = Value::Array(vec![Value::Object(fields)]);
                fields = Map::from_iter([("Attribute".to_owned(), attribute)]);
            }
            events.push(Event(fields));
        }
        _ => {}
    }
}

/// An event, an attribute, an object, a sighting: fields by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a>(&'a Map<String, Value>);

impl<'a> Part<'a> {
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    /// The parts of a list; an object under that name is a list of one.
    pub(super) fn parts(self, name: &str) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let value = self.0.get(name);
        let list = value.and_then(Value::as_array).into_iter().flatten().filter_map(Part::of);
        list.chain(value.and_then(Part::of))
    }

    /// A text that is not empty; numbers are texts too.
    pub(super) fn text(self, name: &str) -> Option<Cow<'a, str>> {
        let text = match self.0.get(name)? {
            Value::String(text) => Cow::Borrowed(text.trim()),
            Value::Number(number) => Cow::Owned(number.to_string()),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// A flag: `true`, `1` or `"1"`. None where it is not given.
    pub(super) fn flag(self, name: &str) -> Option<bool> {
        match self.0.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) => Some(number.as_f64() != Some(0.0)),
            Value::String(text) => Some(matches!(text.as_str(), "1" | "true" | "True")),
            _ => None,
        }
    }

    /// A time: seconds since 1970 as number or text, or RFC 3339.
    ///
    /// # Errors
    /// [`Reason::Time`]
    pub(super) fn time(self, name: &str) -> Result<Option<Instant>, Reason> {
        let Some(text) = self.text(name) else { return Ok(None) };
        time(&text).map(Some).ok_or_else(|| Reason::Time(crate::reading::quote(&text)))
    }

    /// From `first_seen` to `last_seen`. One of them alone speaks for its day.
    pub(super) fn seen(self) -> Result<Option<Window>, Reason> {
        Ok(seen(self.time("first_seen")?, self.time("last_seen")?))
    }
}

/// Seconds below which a number is no time of an indicator: 2001-09-09. Servers write 0 for none.
const EARLIEST_S: i64 = 1_000_000_000;

/// A time as MISP writes it; none for zero too.
pub(super) fn time(text: &str) -> Option<Instant> {
    if let Ok(seconds) = text.parse::<f64>() {
        let at = Timestamp::from_micros((seconds * 1e6) as i64);
        return (seconds as i64 >= EARLIEST_S).then_some(Instant {
            at,
            day_only: false,
            ends_day: ends_day(at),
        });
    }
    let ends_its_day = text.get(11..19) == Some("23:59:59");
    text.parse().ok().map(|at| Instant {
        at,
        day_only: text.len() == "2021-08-15".len(),
        ends_day: ends_its_day,
    })
}

/// The window of a first and a last sighting.
pub(super) fn seen(first: Option<Instant>, last: Option<Instant>) -> Option<Window> {
    match (first, last) {
        (Some(first), Some(last)) => Some(Window::new(first.at, last.end_of_sighting())),
        (Some(first), None) => Some(Window::new(first.at, day_end(first.at))),
        (None, Some(last)) => Some(Window::new(last.at.day().start(), last.end_of_sighting())),
        (None, None) => None,
    }
}
