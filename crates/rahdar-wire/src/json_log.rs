//! Logs of JSON objects: one object a line, or a document of them; as they were written, or wrapped by what
//! shipped them.
//!
//! Wrappers that are known hold the object as a text: `event.original` (modules of Filebeat, Logstash), `message`
//! (Filebeat, Logstash), `log` (Fluent Bit, Docker), `_raw` (Splunk), `full_log` (Wazuh). Exports of Elasticsearch and
//! of Splunk wrap these once more, in `_source` and `result`. Syslog puts words before each object.
//!
//! Sources: Elastic Common Schema, field `event.original`; Filebeat, Logstash, Fluent Bit, Splunk and Wazuh manuals;
//! RFC 3164 and RFC 5424.

use std::io::Read;

use rahdar_model::Tally;

use crate::WireError;
use crate::delivery::Delivery;
use crate::json::{Members, Value, unescape};
use crate::lines::{self, Text};
use crate::objects;

/// How the objects of a log stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// Whether each line is an object, so that the log can be read as it grows. Else the log is a document: an
    /// array, or objects that go over several lines.
    pub(crate) is_by_line: bool,
    /// Whether it begins as JSON does.
    pub(crate) is_json: bool,
    is_wrapped: bool,
    is_prefixed: bool,
}

impl Form {
    /// The form of a log that begins so.
    pub(crate) fn of(head: &[u8]) -> Self {
        let is_by_line = is_by_line(head);
        let is_wrapped = first_objects(head, is_by_line, |object| wrapped(object).map(|_| ()));
        let is_json = matches!(lines::of(head).next(), Some([b'{' | b'[', ..]));
        Self { is_by_line, is_json, is_wrapped: is_wrapped.is_some(), is_prefixed: is_prefixed(head) }
    }
}

/// Gives every object of `input` to `take`, without its wrapper.
pub(crate) fn read<'a>(
    form: Form,
    input: &mut dyn Read,
    delivery: Delivery<'a>,
    mut take: impl FnMut(&mut Delivery<'a>, Text<'_>) -> Result<(), WireError>,
) -> Result<Tally, WireError> {
    let mut unpacked = String::new();
    let take = |delivery: &mut Delivery<'a>, text: Text<'_>| {
        let line = if form.is_prefixed { unprefixed(text.line) } else { text.line };
        if form.is_wrapped
            && let Some(line) = unwrapped(line, &mut unpacked)
        {
            return take(delivery, Text { line, ..text });
        }
        take(delivery, Text { line, ..text })
    };
    if form.is_by_line { lines::read(input, delivery, take) } else { objects::read(input, delivery, take) }
}

/// What `see` says of the first object of a beginning that it says anything of, as it is and without its wrapper.
pub(crate) fn first_seen<T>(head: &[u8], see: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    first_objects(head, is_by_line(head), |object| {
        see(object).or_else(|| see(unwrapped(object, &mut String::new())?))
    })
}

/// What `see` says of the first object of a beginning that it says anything of, as it is.
fn first_objects<T>(head: &[u8], is_by_line: bool, see: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    if is_by_line { lines::of(head).map(unprefixed).find_map(see) } else { objects::find_map(head, see) }
}

/// Octets before an object that may be those of syslog. Chosen here: a name of a host, one of a program, a time and
/// some numbers stay below two hundred.
const PREFIX_OCTETS_MAX: usize = 256;

/// Whether a line is an object with words before it: of syslog not every line is an object.
pub(crate) fn is_prefixed(head: &[u8]) -> bool {
    lines::of(head).any(|line| unprefixed(line).len() < line.len())
}

/// A line from its object on, if one ends it and is not all of it.
fn unprefixed(line: &[u8]) -> &[u8] {
    if matches!(line.first(), None | Some(b'{' | b'[')) {
        return line;
    }
    let before = &line[..line.len().min(PREFIX_OCTETS_MAX)];
    match before.windows(3).position(|three| three == b" {\"").map(|at| &line[at + 1..]) {
        Some(object) if Members::new(object).all(|member| member.is_ok()) => object,
        _ => line,
    }
}

/// Whether objects stand one a line. A first line that is only part of an object may have been cut by a crash: then
/// the next one begins with an object again, which no line within an object does that follows its opening.
fn is_by_line(head: &[u8]) -> bool {
    let mut lines = lines::of(head);
    match lines.next() {
        Some([b'[', ..]) => false,
        Some(first) if objects::opening(first).is_some() => false,
        Some(first @ [b'{', ..]) => {
            Members::new(first).all(|member| member.is_ok())
                || lines.next().is_none_or(|next| next[0] == b'{')
        }
        _ => true,
    }
}

/// Wrappers around wrappers that are taken off. Chosen here: Splunk and Elasticsearch need two.
const WRAPPERS_MAX: usize = 4;

/// The object in its wrappers; none if it is in none. `unpacked` holds it then, if it was a text.
fn unwrapped<'l>(object: &'l [u8], unpacked: &'l mut String) -> Option<&'l [u8]> {
    let mut inner = wrapped(object)?;
    for _ in 1..WRAPPERS_MAX {
        match inner {
            Value::Nested(object) => match wrapped(object) {
                Some(next) => inner = next,
                None => return Some(object),
            },
            _ => break,
        }
    }
    unpacked.clear();
    unescape(inner.scalar()?, unpacked);
    Some(unpacked.as_bytes())
}

/// What an object wraps: an object, or the text of one.
fn wrapped(object: &[u8]) -> Option<Value<'_>> {
    let mut found = None;
    for member in Members::new(object) {
        let (key, value) = member.ok()?;
        match (key, value) {
            // What has one of these is a record itself.
            (b"event_type" | b"_path" | b"@stream" | b"ts", _) => return None,
            (b"_source" | b"result", Value::Nested(_)) => found = Some(value),
            (b"event", Value::Nested(event)) => found = original(event).or(found),
            (b"event.original", Value::Text(text)) if is_object(text) => found = Some(value),
            (b"message" | b"log" | b"_raw" | b"full_log", Value::Text(text)) if is_object(text) => {
                found = found.or(Some(value));
            }
            _ => {}
        }
    }
    found
}

/// The text of an object under `original`.
fn original(event: &[u8]) -> Option<Value<'_>> {
    let members = Members::new(event).filter_map(Result::ok);
    let mut originals = members.filter(|(key, _)| *key == b"original").map(|(_, value)| value);
    originals.find(|value| matches!(value, Value::Text(text) if is_object(text)))
}

/// Whether a text, its escapes unresolved, begins as an object does.
fn is_object(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_from_documents() {
        for (head, expected) in [
            ("{\"a\":1}\n{\"a\":2}\n", true),
            ("\u{feff}\n {\"a\":1}\r\n", true),
            ("{\"a\":1", true),
            ("{\"a\":1\n{\"a\":2}\n", true),
            ("1,\"b\":2}\n{\"a\":2}\n", true),
            ("", true),
            ("[{\"a\":1},{\"a\":2}]", false),
            ("\u{feff}[\n{\"a\":1},\n{\"a\":2}\n]", false),
            ("{\n  \"a\": 1\n}\n", false),
            ("{\"a\":1,\n\"b\":2}\n", false),
            ("{\"took\":1,\"hits\":{\"hits\":[{\"a\":1}]}}\n", false),
        ] {
            assert_eq!(Form::of(head.as_bytes()).is_by_line, expected, "{head}");
        }
    }

    #[test]
    fn words_of_syslog_are_taken_off_and_nothing_else() {
        for (line, expected) in [
            ("<134>Aug 15 00:00:02 fw suricata[7]: {\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"),
            ("2021-08-15T00:00:02Z fw zeek: @cee: {\"a\":1}", "{\"a\":1}"),
            ("{\"a\": {\"b\":1}}", "{\"a\": {\"b\":1}}"),
            ("1, \"c\": {\"b\":1}}", "1, \"c\": {\"b\":1}}"),
            ("no object", "no object"),
            ("", ""),
        ] {
            assert_eq!(unprefixed(line.as_bytes()), expected.as_bytes(), "{line}");
        }
    }

    #[test]
    fn wrappers_are_taken_off_down_to_the_record() {
        let record = r#"{"event_type":"flow","x":"\"}"}"#;
        let text = serde_json::to_string(record).unwrap();
        for wrapper in [
            format!(r#"{{"message":{text}}}"#),
            format!(r#"{{"message":"a flow","event":{{"kind":"event","original":{text}}}}}"#),
            format!(r#"{{"event.original":{text},"message":{{}}}}"#),
            format!(r#"{{"log":{text},"stream":"stdout"}}"#),
            format!(r#"{{"agent":{{"id":"001"}},"full_log":{text},"data":{{}}}}"#),
            format!(r#"{{"preview":false,"result":{{"_raw":{text}}}}}"#),
            format!(r#"{{"_index":"i","_source":{record}}}"#),
            format!(r#"{{"_index":"i","_source":{{"event":{{"original":{text}}}}}}}"#),
        ] {
            assert_eq!(
                unwrapped(wrapper.as_bytes(), &mut String::new()),
                Some(record.as_bytes()),
                "{wrapper}"
            );
        }
        for other in [
            record.to_owned(),
            r#"{"_path":"syslog","message":"{}"}"#.to_owned(),
            r#"{"message":"hello"}"#.to_owned(),
            r#"{"event":{"original":"<14>a"}}"#.to_owned(),
            format!(r#"{{"message":{text}"#),
            "[]".to_owned(),
        ] {
            assert_eq!(unwrapped(other.as_bytes(), &mut String::new()), None, "{other}");
        }
        let deep = format!("{}{record}{}", r#"{"_source":"#.repeat(6), "}".repeat(6));
        assert_eq!(unwrapped(deep.as_bytes(), &mut String::new()), None);
    }
}
