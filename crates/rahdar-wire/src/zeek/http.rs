//! Zeek `http.log`: one row, one request in clear. It is kept as a handshake is, for the name by which
//! the client called the server; what was asked for and answered is not kept.

use rahdar_model::sink::SinkError;

use super::field::Field;
use super::talk::Talk;
use super::{Form, Log};
use crate::delivery::Delivery;
use crate::facts::{Facts, set_name, set_text};
use crate::value::{ValueError, address};

/// The values of one row.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Row<'r> {
    talk: Talk,
    host: &'r [u8],
    version: &'r [u8],
}

impl<'r> super::Row<'r> for Row<'r> {
    const LOG: Log = Log::Http;

    fn set(&mut self, field: Field, value: &'r [u8]) -> Result<(), ValueError> {
        match field {
            Field::Host => self.host = value,
            Field::Version => self.version = value,
            _ => self.talk.set(field, value)?,
        }
        Ok(())
    }

    fn fill(
        &self,
        form: &impl Form,
        delivery: &mut Delivery<'_>,
        facts: &mut Facts,
    ) -> Result<bool, ValueError> {
        let Some(name) = name(self.host) else { return Ok(false) };
        let handshake = self.talk.handshake(delivery, facts)?;
        let plain = |text: &[u8], into: &mut String| form.text(text, into);
        set_name(name, &mut handshake.server_name, &plain);
        set_text(self.version, &mut handshake.version, &|text, into| {
            into.push_str("HTTP/");
            form.text(text, into);
        });
        Ok(true)
    }

    fn give(&self, _: &impl Form, delivery: &mut Delivery<'_>, facts: &mut Facts) -> Result<(), SinkError> {
        facts.shaken(delivery)
    }
}

/// The name in a `Host` header (RFC 9110 §7.2): without the port; none if it is an address.
fn name(host: &[u8]) -> Option<&[u8]> {
    let end = host.iter().position(|octet| *octet == b':').unwrap_or(host.len());
    let name = &host[..end];
    let is_name = !name.is_empty() && !name.starts_with(b"[") && address(host).is_none();
    (is_name && address(name).is_none()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_header_is_a_name_a_port_or_an_address() {
        assert_eq!(name(b"www.example.org"), Some(&b"www.example.org"[..]));
        assert_eq!(name(b"www.example.org:8080"), Some(&b"www.example.org"[..]));
        for host in ["", ":80", "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1"] {
            assert_eq!(name(host.as_bytes()), None, "{host}");
        }
    }
}
