//! TLS sessions with a server in one of many networks, called by one of many names, or with one of many certificates.

use rahdar_model::Window;
use rahdar_model::fact::Handshake;
use rahdar_model::store::{HandshakesAsked, StoreError};

use crate::Lake;
use crate::names::at_or_below;
use crate::networks::{NetworkSet, inside};

pub(crate) fn handshakes(
    lake: &Lake,
    asked: &HandshakesAsked<'_>,
    window: Window,
    visit: &mut dyn FnMut(Handshake),
) -> Result<(), StoreError> {
    let sql = "SELECT * FROM handshake \
               WHERE called(server_name) OR serves(server_hi, server_lo) OR presented(certificate)";
    let functions = [
        at_or_below("called", asked.names),
        inside("serves", NetworkSet::of(asked.networks).into()),
        // A hash has no dot, so nothing is below it.
        at_or_below("presented", asked.certificates),
    ];
    lake.answer(&lake.handshakes, "looking for handshakes", window, functions, sql, |answer| {
        answer.each(&mut *visit)
    })
}
