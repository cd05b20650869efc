//! `tls` events: handshakes. Whether the session came about, Suricata does not tell.

use super::{Event, Failure};
use crate::delivery::Delivery;
use crate::facts::{Facts, set_hash, set_server_name, set_text};
use crate::json::{Members, Value, unescape};

/// Gives the handshake of an event to the sink.
pub(super) fn deliver(
    event: &Event<'_>,
    delivery: &mut Delivery<'_>,
    facts: &mut Facts,
) -> Result<(), Failure> {
    let (client, server) = event.ends()?;
    let handshake = facts.begin_handshake(event.time()?, delivery.record.source_row, delivery);
    handshake.client = client;
    handshake.client_port = event.src_port;
    handshake.server = server;
    handshake.server_port = event.dst_port;
    for member in event.body("tls")? {
        match member? {
            (b"sni", Value::Text(name)) => set_server_name(name, &mut handshake.server_name, &unescape),
            (b"version", Value::Text(version)) => set_text(version, &mut handshake.version, &unescape),
            (b"subject", Value::Text(subject)) => set_text(subject, &mut handshake.subject, &unescape),
            (b"issuerdn", Value::Text(issuer)) => set_text(issuer, &mut handshake.issuer, &unescape),
            (b"fingerprint", Value::Text(hash)) => set_hash(hash, &mut handshake.certificate),
            (b"ja4", Value::Text(ja4)) => set_text(ja4, &mut handshake.ja4, &unescape),
            (b"ja3", Value::Nested(object)) => set_inner_hash(object, &mut handshake.ja3),
            (b"ja3s", Value::Nested(object)) => set_inner_hash(object, &mut handshake.ja3s),
            _ => {}
        }
    }
    delivery.decode();
    facts.shaken(delivery).map_err(Failure::Sink)
}

/// Sets `into` to the `hash` of an object.
fn set_inner_hash(object: &[u8], into: &mut String) {
    for member in Members::new(object) {
        if let Ok((b"hash", Value::Text(hash))) = member {
            set_text(hash, into, &unescape);
        }
    }
}
