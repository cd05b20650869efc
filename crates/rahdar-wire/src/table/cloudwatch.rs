//! AWS VPC flow logs as CloudWatch Logs hands them out: rows in the messages of JSON objects.
//!
//! A message is a row of version 2: for others nothing names the columns. Messages stand in `message` or `@message` of
//! an object, or of the items of its `logEvents` (subscriptions, Firehose) or `events` (`aws logs filter-log-events`).
//!
//! Answers to queries of Insights (`aws logs get-query-results`) have an object for each field: its name, its value.
//!
//! Source: CloudWatch Logs user guide, "Using subscription filters"; CloudWatch Logs API, `FilterLogEvents`, `GetQueryResults`.

use std::io::Read;
use std::sync::Arc;

use rahdar_model::{FlowSink, Tally};

use super::aws::Aws;
use super::{Rows, Tool};
use crate::delivery::Delivery;
use crate::json::{Items, Members, Value};
use crate::lines::Text;
use crate::{Options, WireError, objects};

/// Reads an export to its end.
pub(crate) fn decode(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let delivery = Delivery::new(Aws::EXPORTER, source, options, sink);
    let mut rows = Rows::<Aws>::new(options);
    let mut layout = None;
    let mut number = 0;
    objects::read(input, delivery, |delivery, text| {
        let before = number;
        for message in messages(text.line) {
            number += 1;
            // One group of logs may hold rows of several versions.
            if layout.is_none() {
                layout = Aws::unnamed(message);
            }
            match layout.as_ref().filter(|_| Aws::is_version_2(message)) {
                Some(layout) => rows.text(Text { line: message, number, ..text }, layout, delivery)?,
                None => {
                    let why = "the message is no row of version 2, and nothing names the columns of another";
                    delivery.refuse(text.place, format_args!("{why}"));
                }
            }
        }
        delivery.tally.beside += u64::from(number == before);
        Ok(())
    })
}

/// Whether an object holds a row.
pub(crate) fn is_log(object: &[u8]) -> bool {
    messages(object).any(|message| Aws::unnamed(message).is_some())
}

/// The messages of an object. There is no escape in a row.
fn messages(object: &[u8]) -> impl Iterator<Item = &[u8]> {
    Members::new(object).map_while(Result::ok).flat_map(|(key, value)| {
        let (own, events, results) = match (key, value) {
            (b"message" | b"@message", Value::Text(message)) => (Some(message), None, None),
            (b"logEvents" | b"events", Value::Nested(events)) => (None, Some(events), None),
            (b"results", Value::Nested(results)) => (None, None, Some(results)),
            _ => (None, None, None),
        };
        let events = events.into_iter().flat_map(Items::readable).filter_map(message);
        let results = results.into_iter().flat_map(Items::readable).filter_map(result);
        own.into_iter().chain(events).chain(results)
    })
}

/// The message of an item.
fn message(event: Value<'_>) -> Option<&[u8]> {
    let Value::Nested(event) = event else { return None };
    text(event, b"message")
}

/// The message of a result: an array of fields.
fn result(fields: Value<'_>) -> Option<&[u8]> {
    let Value::Nested(fields) = fields else { return None };
    Items::readable(fields).find_map(|field| match field {
        Value::Nested(field) if text(field, b"field") == Some(b"@message") => text(field, b"value"),
        _ => None,
    })
}

/// The text of this name in an object.
fn text<'o>(object: &'o [u8], name: &[u8]) -> Option<&'o [u8]> {
    Members::new(object).map_while(Result::ok).find_map(|(key, value)| match value {
        Value::Text(text) if key == name => Some(text),
        _ => None,
    })
}
