//! Logs as JSON objects, of one log or of several; a line each, or a document of them, wrapped or not
//! ([`json_log`]).
//!
//! Field names come as Zeek writes them (`id.orig_h`), with `_` for `.` as log shippers have
//! it, or nested (`"id": {"orig_h": …}`). Which log an object is of, `_path` or `@stream` say, or
//! else a field that one log alone has. Objects of logs that are not read are beside, and the logs are named.

use std::io::Read;
use std::sync::Arc;

use rahdar_model::{FlowSink, Tally};

use super::field::Field;
use super::{EXPORTER, Form, Log, conn, deliver, dns, files, http, other_log, ssl};
use crate::delivery::Delivery;
use crate::facts::Facts;
use crate::json::{Items, Keys, Members, ObjectError, Value, unescape};
use crate::json_log;
use crate::lines::Text;
use crate::{Options, WireError};

/// Reads a log to its end.
pub(crate) fn decode(
    form: json_log::Form,
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let delivery = Delivery::new(EXPORTER, source, options, sink);
    let mut facts = Facts::new(&delivery);
    let mut log = Log::Conn;
    let mut keys = Log::ALL.map(|_| Keys::new());
    json_log::read(form, input, delivery, |delivery, text| {
        if text.line.trim_ascii().is_empty() {
            delivery.tally.beside += 1;
            return Ok(());
        }
        // Objects are mostly of the same log as the one before: one look at most of them is enough.
        for _ in 0..2 {
            let keys = &mut keys[log as usize];
            let other = match log {
                Log::Conn => object::<conn::Row<'_>>(text, keys, delivery, &mut facts)?,
                Log::Dns => object::<dns::Row<'_>>(text, keys, delivery, &mut facts)?,
                Log::Ssl => object::<ssl::Row<'_>>(text, keys, delivery, &mut facts)?,
                Log::Http => object::<http::Row<'_>>(text, keys, delivery, &mut facts)?,
                Log::Files => object::<files::Row<'_>>(text, keys, delivery, &mut facts)?,
            };
            match other {
                Seen::Done => return Ok(()),
                Seen::Of(other) => log = other,
                Seen::Unread(path) => {
                    delivery.pass(path);
                    return Ok(());
                }
            }
        }
        delivery.tally.beside += 1;
        Ok(())
    })
}

/// What came of a look at an object as one of a certain log.
enum Seen<'l> {
    /// It is of that log, and delivered or refused.
    Done,
    /// It is of another log.
    Of(Log),
    /// It is of a log that is not read, of this path.
    Unread(&'l [u8]),
}

/// Reads one object and gives what it says to the sink, or refuses it.
fn object<'l, R: super::Row<'l>>(
    text: Text<'l>,
    keys: &mut Keys<Meaning>,
    delivery: &mut Delivery<'_>,
    facts: &mut Facts,
) -> Result<Seen<'l>, WireError> {
    let mut row = R::default();
    match read(text.line, keys, &mut row) {
        Ok(None) => deliver(&row, text, &Json, delivery, facts)?,
        Ok(Some(other)) => return Ok(other),
        Err(error) => delivery.refuse(text.place, format_args!("{error}")),
    }
    Ok(Seen::Done)
}

/// What a key of an object stands for.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// An object with the endpoints.
    Endpoints,
    /// The path of the log.
    Stream,
    Field(Field),
    /// Nothing that is read.
    Other,
}

impl Meaning {
    fn of(key: &[u8]) -> Self {
        match key {
            b"id" => Self::Endpoints,
            key if is_stream_key(key) => Self::Stream,
            key => Field::from_name(key).map_or(Self::Other, Self::Field),
        }
    }
}

/// Fills the row with an object; what the object is instead, if it is of another log.
fn read<'l, R: super::Row<'l>>(
    line: &'l [u8],
    keys: &mut Keys<Meaning>,
    row: &mut R,
) -> Result<Option<Seen<'l>>, ObjectError> {
    let mut is_named = false;
    let mut marked = None;
    let mut members = Members::new(line);
    keys.begin();
    while let Some((meaning, value)) = members.next_of(keys, Meaning::of)? {
        match (meaning, value) {
            (Meaning::Endpoints, Value::Nested(endpoints)) => {
                for member in Members::new(endpoints) {
                    let (key, value) = member?;
                    if let (Some(field), Some(value)) = (endpoint(key), value.scalar()) {
                        row.set(field, value)?;
                    }
                }
            }
            (Meaning::Stream, Value::Text(stream)) => match Log::from_path(stream) {
                Some(log) if log == R::LOG => is_named = true,
                Some(log) => return Ok(Some(Seen::Of(log))),
                None => return Ok(Some(Seen::Unread(stream))),
            },
            (Meaning::Field(field), value) => {
                marked = marked.or(field.mark());
                match value {
                    Value::Text(value) | Value::Bare(value) => row.set(field, value)?,
                    Value::Nested(list) if field.is_list() => row.set(field, list)?,
                    Value::Nested(_) | Value::Null => {}
                }
            }
            (Meaning::Endpoints | Meaning::Stream | Meaning::Other, _) => {}
        }
    }
    let log = marked.unwrap_or(Log::Conn);
    Ok((!is_named && log != R::LOG).then_some(Seen::Of(log)))
}

/// Texts with escapes of JSON, lists as arrays.
struct Json;

impl Form for Json {
    fn text(&self, text: &[u8], into: &mut String) {
        unescape(text, into);
    }

    fn items<'v>(&self, list: &'v [u8]) -> impl Iterator<Item = &'v [u8]> {
        Items::readable(list).map(|item| item.scalar().unwrap_or_default())
    }
}

/// Keys under which log shippers say which Zeek log an object is of.
fn is_stream_key(key: &[u8]) -> bool {
    matches!(key, b"_path" | b"@stream")
}

/// The field of a member of a nested `id`.
fn endpoint(key: &[u8]) -> Option<Field> {
    Some(match key {
        b"orig_h" => Field::OrigH,
        b"orig_p" => Field::OrigP,
        b"resp_h" => Field::RespH,
        b"resp_p" => Field::RespP,
        _ => return None,
    })
}

/// What an object is, by its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of a log that is read.
    Read,
    /// Of another Zeek log, in words.
    OtherZeek(&'static str),
    /// Something else.
    Other,
}

/// Sees what the object in `line` is; none if it is no JSON object.
pub(crate) fn kind(line: &[u8]) -> Option<Kind> {
    let (mut endpoints, mut scripts) = (false, false);
    let (mut stream, mut first, mut marked) = (None, None, None);
    for member in Members::new(line) {
        let (key, value) = member.ok()?;
        first = first.or(Some(key));
        match (key, value) {
            (b"id", Value::Nested(_)) => endpoints = true,
            (b"name", Value::Text(name)) => scripts = name.ends_with(b".zeek"),
            (key, Value::Text(path)) if is_stream_key(key) => stream = Some(path),
            _ => {}
        }
        let field = Field::from_name(key);
        endpoints |= matches!(field, Some(Field::OrigH | Field::Senders));
        marked = marked.or(field.and_then(Field::mark));
    }
    Some(match stream {
        Some(path) if Log::from_path(path).is_some() => Kind::Read,
        Some(path) => Kind::OtherZeek(other_log(path)),
        None if endpoints && marked.is_some() => Kind::Read,
        // Zeek writes the time first, in every log that has one.
        None if first == Some(b"ts") => Kind::OtherZeek(other_log(b"")),
        None if scripts => Kind::OtherZeek(other_log(b"loaded_scripts")),
        None => Kind::Other,
    })
}
