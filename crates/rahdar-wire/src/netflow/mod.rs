//! Flow export: NetFlow v5 and v9 (Cisco, RFC 3954) and IPFIX (RFC 7011) into flow records.

use std::io::Read;
use std::sync::Arc;

use rahdar_model::address::Address;
use rahdar_model::flow::FlowRecord;
use rahdar_model::sink::{FlowSink, SinkError, Tally};
use rahdar_model::time::Timestamp;

use crate::{Options, WireError};

/// How an export datagram came here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// Who sent it.
    pub(crate) exporter: Address,
    /// The UDP port it was sent from: with the address, the transport session that templates belong to.
    pub(crate) port: u16,
    /// When it came, if somebody took the time.
    pub(crate) received: Option<Timestamp>,
    /// The packet of the capture, or the message of the file, from 1.
    pub(crate) packet: u64,
}

/// What is known of every exporter, so that its next datagram can be read.
pub(crate) struct Collector {}

impl Collector {
    /// A collector that knows nothing yet.
    pub(crate) fn new(_options: &Options) -> Self {
        Self {}
    }

    /// Whether `payload` is plausibly one export datagram: its version, lengths and sets agree.
    pub(crate) fn recognises(_payload: &[u8]) -> bool {
        false
    }

    /// Reads one export datagram and hands its flows to the sink.
    pub(crate) fn datagram(
        &mut self,
        _payload: &[u8],
        _arrival: &Arrival,
        _record: &mut FlowRecord,
        _sink: &mut dyn FlowSink,
        _tally: &mut Tally,
    ) -> Result<(), SinkError> {
        Ok(())
    }

    /// Releases what waits for a sampling rate and names what waits for a template.
    pub(crate) fn finish(
        &mut self,
        _record: &mut FlowRecord,
        _sink: &mut dyn FlowSink,
        _tally: &mut Tally,
    ) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Reads a file of concatenated export datagrams: an IPFIX file (RFC 5655), or raw payloads.
pub(crate) fn file(
    _input: &mut dyn Read,
    _source: Arc<str>,
    _options: &Options,
    _sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    Ok(Tally::default())
}
