//! `flow` and `netflow` events: flows.

use std::collections::HashMap;

use rahdar_model::flow::size::doubt;
use rahdar_model::flow::{DROPPED, Initiator, SamplingSource, protocol, tcp};
use rahdar_model::{FlowRecord, Quality, Timestamp};

use super::{Event, Failure, Kind, needed};
use crate::delivery::Delivery;
use crate::json::{Members, ObjectError, Value, unescape};
use crate::value::{ValueError, count, hexadecimal, time};

/// The longest text of a flow that is kept; the rest of a longer one is cut off. Chosen here:
/// Suricata's own texts stay below a hundred octets.
const TEXT_OCTETS_MAX: usize = 256;

/// What `flow` or `netflow` holds.
#[derive(Default)]
struct Counters<'l> {
    packets: Option<u64>,
    octets: Option<u64>,
    rev_packets: Option<u64>,
    rev_octets: Option<u64>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    state: &'l [u8],
    reason: &'l [u8],
    is_dropped: bool,
}

/// Gives the biflow of a `flow` event to the sink.
pub(super) fn deliver_flow(
    event: &Event<'_>,
    delivery: &mut Delivery<'_>,
    told: &mut Told,
) -> Result<(), Failure> {
    let counters = Counters::read(event, "flow")?;
    let record = &mut delivery.record;
    fill(event, &counters, record)?;
    record.rev_packets = Some(counters.rev_packets.unwrap_or(0));
    record.rev_octets = Some(counters.rev_octets.unwrap_or(0));
    record.initiator = Some(Initiator::Source);
    record.quality |= doubt(counters.rev_packets, counters.rev_octets);
    if let Some(object) = event.tcp {
        record.tcp_flags = flags(object, b"tcp_flags_ts")?;
        record.rev_tcp_flags = flags(object, b"tcp_flags_tc")?;
        if let (Some(there), Some(back)) = (record.tcp_flags, record.rev_tcp_flags)
            && (there | back) & tcp::SYN == 0
        {
            record.quality |= Quality::MIDSTREAM | Quality::DIRECTION_GUESSED;
        }
    }
    record.end_reason = match (counters.state, counters.reason) {
        (b"closed", b"timeout") | (_, b"tcp_reuse") => Some(END_DETECTED),
        (_, b"timeout") => Some(IDLE),
        (_, b"forced" | b"shutdown") => Some(FORCED),
        _ => None,
    };
    unescape(&counters.state[..counters.state.len().min(TEXT_OCTETS_MAX)], &mut record.state);
    if counters.is_dropped {
        if !record.state.is_empty() {
            record.state.push(' ');
        }
        record.state.push_str(DROPPED);
    }
    deliver(event, delivery, told)
}

/// Gives the uniflow of a `netflow` event to the sink.
pub(super) fn deliver_netflow(
    event: &Event<'_>,
    delivery: &mut Delivery<'_>,
    told: &mut Told,
) -> Result<(), Failure> {
    let counters = Counters::read(event, "netflow")?;
    fill(event, &counters, &mut delivery.record)?;
    if let Some(object) = event.tcp {
        delivery.record.tcp_flags = flags(object, b"tcp_flags")?;
    }
    deliver(event, delivery, told)
}

/// Gives the record to the sink, unless an event of the other kind has told of the flow.
fn deliver(event: &Event<'_>, delivery: &mut Delivery<'_>, told: &mut Told) -> Result<(), Failure> {
    if let Some(flow_id) = count(event.flow_id)
        && told.first(flow_id, event.kind) != event.kind
    {
        delivery.tally.beside += 1;
        return Ok(());
    }
    delivery.decode();
    delivery.flow().map_err(Failure::Sink)
}

/// IPFIX element 136, flowEndReason.
const IDLE: u8 = 1;
const END_DETECTED: u8 = 3;
const FORCED: u8 = 4;

/// Fills what both kinds of event have.
fn fill(event: &Event<'_>, counters: &Counters<'_>, record: &mut FlowRecord) -> Result<(), ValueError> {
    (record.src, record.dst) = event.ends()?;
    record.protocol = event.protocol.ok_or_else(|| ValueError::missing("proto"))?;
    record.start_time = counters.start.ok_or_else(|| ValueError::missing("start"))?;
    record.end_time = counters.end.unwrap_or(record.start_time);
    if matches!(record.protocol, protocol::ICMP | protocol::ICMPV6) {
        record.icmp_type = event.icmp_type;
        record.icmp_code = event.icmp_code;
    } else {
        record.src_port = event.src_port;
        record.dst_port = event.dst_port;
    }
    record.packets = counters.packets.unwrap_or(0);
    record.octets = counters.octets.unwrap_or(0);
    record.sampling_interval = Some(1);
    record.sampling_source = Some(SamplingSource::Assumed);
    record.quality |= Quality::LAYER2_LENGTH | doubt(counters.packets, counters.octets);
    // `failed` says that the protocol was not recognised.
    let service: &[u8] = if event.service == b"failed" { b"" } else { event.service };
    for (text, into) in [
        (event.flow_id, &mut record.uid),
        (event.community_id, &mut record.community_id),
        (service, &mut record.service),
    ] {
        unescape(&text[..text.len().min(TEXT_OCTETS_MAX)], into);
    }
    Ok(())
}

impl<'l> Counters<'l> {
    fn read(event: &Event<'l>, name: &'static str) -> Result<Self, ObjectError> {
        let mut counters = Self::default();
        for member in event.body(name)? {
            let (key, Value::Text(value) | Value::Bare(value)) = member? else { continue };
            match key {
                b"pkts_toserver" => counters.packets = Some(needed("pkts_toserver", value, count)?),
                b"pkts" => counters.packets = Some(needed("pkts", value, count)?),
                b"bytes_toserver" => counters.octets = Some(needed("bytes_toserver", value, count)?),
                b"bytes" => counters.octets = Some(needed("bytes", value, count)?),
                b"pkts_toclient" => counters.rev_packets = Some(needed("pkts_toclient", value, count)?),
                b"bytes_toclient" => counters.rev_octets = Some(needed("bytes_toclient", value, count)?),
                b"start" => counters.start = Some(needed("start", value, time)?),
                b"end" => counters.end = Some(needed("end", value, time)?),
                b"state" => counters.state = value,
                b"reason" => counters.reason = value,
                b"action" => counters.is_dropped = value == DROPPED.as_bytes(),
                _ => {}
            }
        }
        Ok(counters)
    }
}

/// The flags that the `tcp` object holds under `name`, in hexadecimal.
fn flags(object: &[u8], name: &[u8]) -> Result<Option<u16>, ObjectError> {
    for member in Members::new(object) {
        if let (key, Value::Text(value)) = member?
            && key == name
        {
            let flags = hexadecimal(value).and_then(|flags| u16::try_from(flags).ok());
            return flags.map(Some).ok_or_else(|| ValueError::wrong("tcp_flags", value).into());
        }
    }
    Ok(None)
}

/// Flows of which the kind of event is remembered, at least. Chosen here: the events of one flow
/// are logged one after the other, by as many threads as the sensor has.
const TOLD_MIN: usize = 1 << 16;

/// Which kind of event told of a flow first: lately, and before.
#[derive(Default)]
pub(super) struct Told {
    lately: HashMap<u64, Kind>,
    before: HashMap<u64, Kind>,
}

impl Told {
    /// The kind of event that told of the flow first; `kind`, if it is this one.
    fn first(&mut self, flow_id: u64, kind: Kind) -> Kind {
        if let Some(first) = self.before.get(&flow_id) {
            return *first;
        }
        if self.lately.len() == TOLD_MIN {
            std::mem::swap(&mut self.lately, &mut self.before);
            self.lately.clear();
        }
        *self.lately.entry(flow_id).or_insert(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_told_of_a_flow_is_remembered_for_a_while_and_then_forgotten() {
        let mut told = Told::default();
        let many = TOLD_MIN as u64;
        assert_eq!(told.first(0, Kind::Flow), Kind::Flow);
        for flow_id in 1..=many {
            told.first(flow_id, Kind::Netflow);
        }
        assert_eq!(told.first(0, Kind::Netflow), Kind::Flow);
        for flow_id in many..3 * many {
            told.first(flow_id, Kind::Netflow);
            assert!(told.lately.len() + told.before.len() <= 2 * TOLD_MIN);
        }
        assert_eq!(told.first(0, Kind::Netflow), Kind::Netflow);
    }
}
