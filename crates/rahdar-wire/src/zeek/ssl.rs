//! Zeek `ssl.log`: one row, one handshake.
//!
//! The certificate is the first of `cert_chain_fps` (SHA-256, Zeek 4.1 and later), else the
//! `resp_certificate_sha1` of a package. Older logs name it by file (`cert_chain_fuids`) only: [`super::files`] has it.

use rahdar_model::sink::SinkError;

use super::field::Field;
use super::talk::Talk;
use super::{Form, Log};
use crate::delivery::Delivery;
use crate::facts::{Facts, set_hash, set_server_name, set_text};
use crate::value::ValueError;

/// The values of one row. Texts and lists are as in the input, escapes and all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Row<'r> {
    talk: Talk,
    version: &'r [u8],
    server_name: &'r [u8],
    established: Option<bool>,
    fingerprints: &'r [u8],
    sha1: &'r [u8],
    subject: &'r [u8],
    issuer: &'r [u8],
    ja3: &'r [u8],
    ja3s: &'r [u8],
    ja4: &'r [u8],
}

impl<'r> super::Row<'r> for Row<'r> {
    const LOG: Log = Log::Ssl;

    fn set(&mut self, field: Field, value: &'r [u8]) -> Result<(), ValueError> {
        match field {
            Field::Established => {
                self.established = Some(match value {
                    b"T" | b"true" => true,
                    b"F" | b"false" => false,
                    _ => return Err(ValueError::wrong(field.name(), value)),
                });
            }
            Field::Version => self.version = value,
            Field::ServerName => self.server_name = value,
            Field::Fingerprints => self.fingerprints = value,
            Field::CertificateSha1 => self.sha1 = value,
            Field::Subject => self.subject = value,
            Field::Issuer => self.issuer = value,
            Field::Ja3 => self.ja3 = value,
            Field::Ja3s => self.ja3s = value,
            Field::Ja4 => self.ja4 = value,
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
        let handshake = self.talk.handshake(delivery, facts)?;
        handshake.established = self.established;
        let plain = |text: &[u8], into: &mut String| form.text(text, into);
        set_server_name(self.server_name, &mut handshake.server_name, &plain);
        for (text, into) in [
            (self.version, &mut handshake.version),
            (self.ja3, &mut handshake.ja3),
            (self.ja3s, &mut handshake.ja3s),
            (self.ja4, &mut handshake.ja4),
            (self.subject, &mut handshake.subject),
            (self.issuer, &mut handshake.issuer),
        ] {
            set_text(text, into, &plain);
        }
        set_hash(form.items(self.fingerprints).next().unwrap_or(self.sha1), &mut handshake.certificate);
        Ok(true)
    }

    fn give(&self, _: &impl Form, delivery: &mut Delivery<'_>, facts: &mut Facts) -> Result<(), SinkError> {
        facts.shaken(delivery)
    }
}
