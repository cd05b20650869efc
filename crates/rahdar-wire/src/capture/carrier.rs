//! Packets that carry flow export.
//!
//! A capture of a collector's link holds the flows of the exporters, not the traffic that
//! matters: those packets are decoded as export. A datagram must be clearly an export to be
//! taken for one, or say so by its version and by the port that it goes to; what follows from the same exporter is
//! then taken as well, so that a broken datagram is counted as broken export and not as traffic.
//!
//! Datagrams that the capture cut are not read, and are refused. IPFIX over TCP is found elsewhere ([`super::stream`]).

use std::collections::HashSet;

use rahdar_model::Address;

use super::frame::Transport;
use crate::netflow::Collector;
use crate::sflow::Agents;

/// The most export streams that are remembered. Chosen here: a national collector has some
/// hundred exporters of a few domains each. Beyond it every datagram must be clear by itself.
const STREAMS_MAX: usize = 4_096;

/// Where collectors listen: IPFIX (IANA, 4739), sFlow (IANA, 6343), and what exporters of NetFlow are set to by their
/// manuals.
const EXPORT_PORTS: [u16; 8] = [2055, 2056, 4739, 6343, 9555, 9995, 9996, 9997];

/// Ports below are of services, whose answers may go to any port.
const SERVICES_END: u16 = 1_024;

/// The export streams of a capture.
#[derive(Default)]
pub(crate) struct Carriers {
    streams: HashSet<Stream>,
    /// Who sends them to which port.
    senders: HashSet<(Address, u16)>,
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
            return is_export_port(transport).then_some(export);
        }
        if self.streams.len() < STREAMS_MAX {
            self.streams.insert(stream);
            self.senders.insert((sender, transport.dst_port));
        }
        Some(export)
    }

    /// Whether a datagram of `octets`, of which this is the beginning, is flow export.
    pub(crate) fn recognises_beginning(
        &mut self,
        sender: Address,
        transport: &Transport,
        beginning: &[u8],
        octets: usize,
    ) -> bool {
        if self.has_sent(sender, transport) || (is_export_port(transport) && kind(beginning).is_some()) {
            return true;
        }
        let is_clear = Collector::recognises_beginning(beginning, octets)
            || Agents::recognises_beginning(beginning, octets);
        if is_clear && self.senders.len() < STREAMS_MAX {
            self.senders.insert((sender, transport.dst_port));
        }
        is_clear
    }

    /// Whether flow export went from this sender to this port before.
    fn has_sent(&self, sender: Address, transport: &Transport) -> bool {
        self.senders.contains(&(sender, transport.dst_port))
    }
}

/// Whether a datagram goes to a port where collectors listen, and does not come from a port of a service: what has
/// a version of export there is export, however its lengths and counts lie.
fn is_export_port(transport: &Transport) -> bool {
    transport.src_port >= SERVICES_END && EXPORT_PORTS.contains(&transport.dst_port)
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
