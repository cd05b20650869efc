//! NetFlow version 9: header and templates. Source: RFC 3954 §5 and §6.

use rahdar_model::time::Timestamp;

use super::element::{INTERFACE, PADDING, TEMPLATE};
use super::message::{Announcement, Header, Protocol, u16_at, u32_at};
use super::template::Spec;

/// Octets of the header.
pub(super) const HEADER: usize = 20;

/// Reads a header; none if the datagram is shorter.
pub(super) fn header(payload: &[u8]) -> Option<Header> {
    Some(Header {
        protocol: Protocol::V9,
        uptime_ms: Some(u32_at(payload, 4)?),
        export: Timestamp::from_seconds(i64::from(u32_at(payload, 8)?)),
        sequence: u32_at(payload, 12)?,
        domain: u32_at(payload, 16)?,
        length: None,
    })
}

/// Reads the template at `at`: number, count of fields, fields. None if the set ends before it.
pub(super) fn template(body: &[u8], at: usize, specs: &mut Vec<Spec>) -> Option<Announcement> {
    let id = u16_at(body, at)?;
    let count = usize::from(u16_at(body, at + 2)?);
    if id == 0 && count == 0 {
        return Some(Announcement::End);
    }
    let end = at + 4 + 4 * count;
    for field in body.get(at + 4..end)?.chunks_exact(4) {
        specs.push(Spec::new(u16_at(field, 0)?, u16_at(field, 2)?));
    }
    Some(Announcement::Template { id, end })
}

/// Reads the options template at `at`: number, octets of scope fields, octets of option fields,
/// fields. None if the set ends before it.
pub(super) fn options_template(body: &[u8], at: usize, specs: &mut Vec<Spec>) -> Option<Announcement> {
    let id = u16_at(body, at)?;
    if id == 0 {
        return Some(Announcement::End);
    }
    let scope_octets = usize::from(u16_at(body, at + 2)?);
    let option_octets = usize::from(u16_at(body, at + 4)?);
    if !scope_octets.is_multiple_of(4) || !option_octets.is_multiple_of(4) {
        return Some(Announcement::Broken);
    }
    let options_at = at + 6 + scope_octets;
    let end = options_at + option_octets;
    for field in body.get(at + 6..options_at)?.chunks_exact(4) {
        specs.push(Spec::new(scope(u16_at(field, 0)?), u16_at(field, 2)?));
    }
    for field in body.get(options_at..end)?.chunks_exact(4) {
        specs.push(Spec::new(u16_at(field, 0)?, u16_at(field, 2)?));
    }
    Some(Announcement::Template { id, end })
}

/// The element that says the same as a scope. Scopes have numbers of their own (RFC 3954 §6.1).
fn scope(number: u16) -> u16 {
    match number {
        2 => INTERFACE,
        5 => TEMPLATE,
        _ => PADDING,
    }
}
