//! Packets that carry flow export.
//!
//! A capture of a collector's link holds the flows of the exporters, not the traffic that
//! matters: those packets are decoded as export. A datagram must be clearly an export to be
//! taken for one; what follows from the same exporter is then taken as well, so that a broken
//! datagram is counted as broken export and not as traffic.

use std::collections::HashSet;

use rahdar_model::Address;

use super::frame::Transport;
use crate::netflow::Collector;
use crate::sflow::Agents;

/// The most export streams that are remembered. Chosen here: a national collector has some
/// hundred exporters of a few domains each. Beyond it every datagram must be clear by itself.
const STREAMS_MAX: usize = 4_096;

/// The export streams of a capture.
pub(crate) struct Carriers {
    streams: HashSet<Stream>,
}

/// The two kinds of export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Export {
    /// NetFlow or IPFIX.
    Netflow,
    Sflow,
}

/// One exporter's stream, as far as its datagrams tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Stream {
    sender: Address,
    port: u16,
    export: Export,
    version: u16,
    domain: u32,
}

impl Carriers {
    pub(crate) fn new() -> Self {
        Self { streams: HashSet::new() }
    }

    /// What flow export `datagram` is, by itself or by what came before it.
    pub(crate) fn recognises(
        &mut self,
        sender: Address,
        transport: &Transport,
        datagram: &[u8],
    ) -> Option<Export> {
        let (export, version, domain) = kind(datagram)?;
        let stream = Stream { sender, port: transport.dst_port, export, version, domain };
        if self.streams.contains(&stream) {
            return Some(export);
        }
        let is_clear = match export {
            Export::Netflow => Collector::recognises(datagram),
            Export::Sflow => Agents::recognises(datagram),
        };
        if !is_clear {
            return None;
        }
        if self.streams.len() < STREAMS_MAX {
            self.streams.insert(stream);
        }
        Some(export)
    }
}

/// What a datagram seems to export, its version, and the observation domain that its header names.
fn kind(datagram: &[u8]) -> Option<(Export, u16, u32)> {
    let u16_at = |at: usize| Some(u16::from_be_bytes(*datagram.get(at..)?.first_chunk()?));
    let u32_at = |at: usize| Some(u32::from_be_bytes(*datagram.get(at..)?.first_chunk()?));
    if u32_at(0) == Some(5) {
        return Some((Export::Sflow, 5, 0));
    }
    let version = u16_at(0)?;
    let domain = match version {
        5 => u32::from(u16_at(20)?),
        7 => 0,
        9 => u32_at(16)?,
        10 => u32_at(12)?,
        _ => return None,
    };
    Some((Export::Netflow, version, domain))
}
