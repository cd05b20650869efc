//! Zeek `files.log`: the certificate of a server is a handshake, whatever other file is beside.
//!
//! Zeek before 4.1 names certificates in `ssl.log` by file only (`cert_chain_fuids`). Their hashes are here, with who
//! presented them to whom, so that nothing has to be joined: neither the order of the logs nor their rotation
//! matters (docs/decisions/0022-certificates-of-files-log.md). Later Zeek writes certificates here where
//! `X509::log_x509_in_files_log` is set, and adds the SHA-1 to the SHA-256 of `ssl.log`.
//!
//! Source: Zeek, `base/frameworks/files`, `base/files/x509`, and `tls-handshake-analyzer.pac`, which calls the first
//! certificate of a chain one of a user and the others those of authorities.

use rahdar_model::sink::SinkError;

use super::field::Field;
use super::talk::Talk;
use super::{Form, Log};
use crate::delivery::Delivery;
use crate::facts::{Facts, set_hash};
use crate::value::ValueError;

/// How the kind of the first certificate of a chain ends.
const FIRST_OF_CHAIN: &[u8] = b"x-x509-user-cert";

/// The values of one row. Lists are as in the input.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Row<'r> {
    /// The ends, where the log has columns for them.
    talk: Talk,
    /// Who sent the file, and who received it, where it has not. No ports then.
    senders: &'r [u8],
    receivers: &'r [u8],
    source: &'r [u8],
    kind: &'r [u8],
    is_of_responder: bool,
    sha1: &'r [u8],
    sha256: &'r [u8],
}

impl Row<'_> {
    /// Whether the file is the own certificate of a server.
    fn is_certificate(&self) -> bool {
        self.source == b"SSL"
            && self.is_of_responder
            && self.kind.ends_with(FIRST_OF_CHAIN)
            && !(self.sha1.is_empty() && self.sha256.is_empty())
    }

    /// When it was, and who presented it to whom.
    fn talk(&self, form: &impl Form) -> Result<Talk, ValueError> {
        let mut talk = self.talk;
        for (hosts, field, end) in
            [(self.senders, Field::Senders, Field::RespH), (self.receivers, Field::Receivers, Field::OrigH)]
        {
            let mut hosts = form.items(hosts);
            if let (Some(host), None) = (hosts.next(), hosts.next()) {
                talk.set(end, host).map_err(|_| ValueError::wrong(field.name(), host))?;
            }
        }
        Ok(talk)
    }
}

impl<'r> super::Row<'r> for Row<'r> {
    const LOG: Log = Log::Files;

    fn set(&mut self, field: Field, value: &'r [u8]) -> Result<(), ValueError> {
        match field {
            Field::Senders => self.senders = value,
            Field::Receivers => self.receivers = value,
            Field::Source => self.source = value,
            Field::Kind => self.kind = value,
            Field::IsOrig => self.is_of_responder = matches!(value, b"F" | b"false"),
            Field::Sha1 => self.sha1 = value,
            Field::Sha256 => self.sha256 = value,
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
        if !self.is_certificate() {
            return Ok(false);
        }
        self.talk(form)?.handshake(delivery, facts)?;
        Ok(true)
    }

    /// One handshake for each hash: claims are about either.
    fn give(&self, _: &impl Form, delivery: &mut Delivery<'_>, facts: &mut Facts) -> Result<(), SinkError> {
        for hash in [self.sha256, self.sha1] {
            set_hash(hash, &mut facts.handshake.certificate);
            if !facts.handshake.certificate.is_empty() {
                facts.shaken(delivery)?;
            }
        }
        Ok(())
    }
}
