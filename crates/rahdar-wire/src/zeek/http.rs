//! Zeek `http.log`: one row, one request in clear. It is kept as a handshake is, for the name by which
//! the client called the server; what was asked for and answered is not kept.

use rahdar_model::sink::SinkError;

use super::field::Field;
use super::talk::Talk;
use super::{Form, Log};
use crate::delivery::Delivery;
use crate::facts::{Facts, host_name, set_name, set_text};
use crate::value::ValueError;

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
        let Some(name) = host_name(self.host) else { return Ok(false) };
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
