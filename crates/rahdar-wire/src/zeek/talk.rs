//! What a row of every log says: when, and who talked to whom.

use rahdar_model::fact::Handshake;
use rahdar_model::{Address, Timestamp};

use super::field::Field;
use crate::delivery::Delivery;
use crate::facts::Facts;
use crate::value::{ValueError, address, short, time, unit};

/// Time and ends of a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Talk {
    time: Option<Timestamp>,
    orig: Option<Address>,
    resp: Option<Address>,
    pub(super) orig_port: u16,
    pub(super) resp_port: u16,
    /// In what its time counts, if not in seconds.
    pub(super) unit: Option<&'static str>,
}

impl Talk {
    /// Takes a value, if it is one of these. Others are passed over.
    pub(super) fn set(&mut self, field: Field, value: &[u8]) -> Result<(), ValueError> {
        let wrong = || ValueError::wrong(field.name(), value);
        match field {
            Field::Ts => {
                self.time = Some(time(value).ok_or_else(wrong)?);
                self.unit = unit(value);
            }
            Field::OrigH => self.orig = Some(address(value).ok_or_else(wrong)?),
            Field::RespH => self.resp = Some(address(value).ok_or_else(wrong)?),
            Field::OrigP => self.orig_port = short(value).ok_or_else(wrong)?,
            Field::RespP => self.resp_port = short(value).ok_or_else(wrong)?,
            _ => {}
        }
        Ok(())
    }

    /// When it was, the originator, the responder: no row may lack them.
    pub(super) fn who(&self) -> Result<(Timestamp, Address, Address), ValueError> {
        let time = self.time.ok_or(ValueError::missing(Field::Ts.name()))?;
        let orig = self.orig.ok_or(ValueError::missing(Field::OrigH.name()))?;
        let resp = self.resp.ok_or(ValueError::missing(Field::RespH.name()))?;
        Ok((time, orig, resp))
    }

    /// Begins the handshake of a row: when it was, and who called whom.
    pub(super) fn handshake<'f>(
        &self,
        delivery: &Delivery<'_>,
        facts: &'f mut Facts,
    ) -> Result<&'f mut Handshake, ValueError> {
        let (time, client, server) = self.who()?;
        let handshake = facts.begin_handshake(time, delivery.record.source_row, delivery);
        handshake.client = client;
        handshake.client_port = self.orig_port;
        handshake.server = server;
        handshake.server_port = self.resp_port;
        Ok(handshake)
    }
}
