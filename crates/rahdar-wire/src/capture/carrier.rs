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

/// The most export streams that are remembered. Chosen here: a national collector has some
/// hundred exporters of a few domains each. Beyond it every datagram must be clear by itself.
const STREAMS_MAX: usize = 4_096;

/// The export streams of a capture.
pub(crate) struct Carriers {
    streams: HashSet<Stream>,
}

/// One exporter's stream, as far as its datagrams tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Stream {
    sender: Address,
    port: u16,
    version: u16,
    domain: u32,
}

impl Carriers {
    pub(crate) fn new() -> Self {
        Self { streams: HashSet::new() }
    }

    /// Whether `datagram` is flow export, by itself or by what came before it.
    pub(crate) fn recognises(&mut self, sender: Address, transport: &Transport, datagram: &[u8]) -> bool {
        let Some((version, domain)) = version_and_domain(datagram) else { return false };
        let stream = Stream { sender, port: transport.dst_port, version, domain };
        if self.streams.contains(&stream) {
            return true;
        }
        if !Collector::recognises(datagram) {
            return false;
        }
        if self.streams.len() < STREAMS_MAX {
            self.streams.insert(stream);
        }
        true
    }
}

/// The version of an export datagram and the observation domain that its header names.
fn version_and_domain(datagram: &[u8]) -> Option<(u16, u32)> {
    let u16_at = |at: usize| Some(u16::from_be_bytes(*datagram.get(at..)?.first_chunk()?));
    let u32_at = |at: usize| Some(u32::from_be_bytes(*datagram.get(at..)?.first_chunk()?));
    let version = u16_at(0)?;
    let domain = match version {
        5 => u32::from(u16_at(20)?),
        9 => u32_at(16)?,
        10 => u32_at(12)?,
        _ => return None,
    };
    Some((version, domain))
}

/// Whether `datagram` is clearly sFlow version 5: it holds as many samples as it says, each as
/// long as it says.
///
/// Source: sFlow.org, "sFlow Version 5", July 2004, §5.
pub(crate) fn is_sflow(datagram: &[u8]) -> bool {
    let word = |at: usize| datagram.get(at..).and_then(<[u8]>::first_chunk).map(|w| u32::from_be_bytes(*w));
    let agent_octets = match (word(0), word(4)) {
        (Some(5), Some(1)) => 4,
        (Some(5), Some(2)) => 16,
        _ => return false,
    };
    // Agent address, then sub-agent, sequence number and uptime.
    let samples_at = 8 + agent_octets + 12;
    let Some(samples) = word(samples_at) else { return false };
    let mut at = samples_at + 4;
    for _ in 0..samples {
        match word(at + 4) {
            Some(length) if length % 4 == 0 => at = at.saturating_add(8).saturating_add(length as usize),
            _ => return false,
        }
        if at > datagram.len() {
            return false;
        }
    }
    samples > 0
}
