//! TLS sessions with a server in one of many networks, or called by one of many names.

use rahdar_model::fact::Handshake;
use rahdar_model::store::StoreError;
use rahdar_model::{Prefix, Window};

use crate::Lake;
use crate::names::at_or_below;
use crate::networks::{NetworkSet, inside};

pub(crate) fn handshakes(
    lake: &Lake,
    names: &[&str],
    networks: &[Prefix],
    window: Window,
    visit: &mut dyn FnMut(Handshake),
) -> Result<(), StoreError> {
    let sql = "SELECT * FROM handshake WHERE called(server_name) OR serves(server_hi, server_lo)";
    let functions = [at_or_below("called", names), inside("serves", NetworkSet::of(networks).into())];
    lake.answer(&lake.handshakes, "looking for handshakes", window, functions, sql, |answer| {
        answer.each(&mut *visit)
    })
}
