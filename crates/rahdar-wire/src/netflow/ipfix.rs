//! IPFIX: header and templates. Source: RFC 7011 §3.

use rahdar_model::time::Timestamp;

use super::message::{Announcement, Header, Protocol, u16_at, u32_at};
use super::template::Spec;

/// Octets of the header.
pub(super) const HEADER: usize = 16;

/// The bit of an element's number that says that an enterprise number follows (RFC 7011 §3.2).
const ENTERPRISE: u16 = 1 << 15;

/// Reads a header; none if the message is shorter.
pub(super) fn header(payload: &[u8]) -> Option<Header> {
    Some(Header {
        protocol: Protocol::Ipfix,
        uptime_ms: None,
        length: Some(usize::from(u16_at(payload, 2)?)),
        export: Timestamp::from_seconds(i64::from(u32_at(payload, 4)?)),
        sequence: u32_at(payload, 8)?,
        domain: u32_at(payload, 12)?,
    })
}

/// Reads the template at `at`: number, count of fields, for options the count of scope fields,
/// fields. Without fields it is a withdrawal (RFC 7011 §8.1). None if the set ends before it.
pub(super) fn template(
    body: &[u8],
    at: usize,
    is_options: bool,
    specs: &mut Vec<Spec>,
) -> Option<Announcement> {
    let id = u16_at(body, at)?;
    let count = u16_at(body, at + 2)?;
    let mut end = at + 4;
    match (id, count) {
        (0, 0) => return Some(Announcement::End),
        (_, 0) => return Some(Announcement::Withdrawal { id, end }),
        _ if is_options => end += 2,
        _ => {}
    }
    for _ in 0..count {
        let element = u16_at(body, end)?;
        let length = u16_at(body, end + 2)?;
        end += 4;
        let mut spec = Spec::new(element & !ENTERPRISE, length);
        if element & ENTERPRISE != 0 {
            spec.enterprise = u32_at(body, end)?;
            end += 4;
        }
        specs.push(spec);
    }
    Some(Announcement::Template { id, end })
}
