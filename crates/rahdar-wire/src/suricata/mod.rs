//! Suricata EVE.

use crate::json::{Members, Value};

/// Whether a line is an event.
pub(crate) fn is_event(line: &[u8]) -> bool {
    Members::new(line).any(|member| matches!(member, Ok((b"event_type", Value::Text(_)))))
}
