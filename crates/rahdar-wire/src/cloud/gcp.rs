//! VPC flow logs of Google Cloud, as Cloud Logging exports them: one entry an object.
//!
//! An entry is a uniflow: what `src_ip` sent to `dest_ip`. Where both ends are in the cloud, each
//! reports the same packets, and `reporter` says which one: it is part of the exporter's name (`gcp src`, `gcp dest`),
//! so that nobody adds the two. Packets are sampled at a rate that is not told, and counters are
//! multiplied already. Google does not say whether octets are of frames or of IP packets, and neither
//! is assumed: they are marked as of unknown layer.
//!
//! Firewalls log connections in entries of the same shape, without times and counters: these are beside, and named.
//!
//! Source: Google Cloud, "VPC firewall rules logging format"; "VPC Flow Logs records" (`bytes_sent`: "amount of bytes sent", no more), as it
//! was in November 2026.

use std::io::Read;
use std::sync::Arc;

use rahdar_model::flow::Direction;
use rahdar_model::flow::size::doubt;
use rahdar_model::{Address, FlowSink, Quality, Tally, Timestamp};

use super::TEXT_OCTETS_MAX;
use crate::delivery::Delivery;
use crate::exporters::Exporters;
use crate::json::{Members, ObjectError, Value};
use crate::objects;
use crate::value::{ValueError, address, count, protocol, short, time};
use crate::{Options, WireError};

/// The exporter's name, unless the operator gives one.
const EXPORTER: &str = "gcp";

/// Entries that tell of a connection and are no flows, in words.
const OF_FIREWALL: &[u8] = b"entries of firewall rules";

/// Reads a log to its end.
pub(crate) fn decode(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let delivery = Delivery::new(EXPORTER, source, options, sink);
    let is_rate_given = options.sampling.is_some_and(|interval| interval > 0);
    let mut exporters = Exporters::new(options);
    let mut name = Vec::new();
    objects::read(input, delivery, |delivery, text| {
        delivery.record.reset();
        delivery.record.source_row = text.number;
        match Entry::read(text.line).and_then(|entry| Ok((entry, entry.fill(delivery)?))) {
            Ok((entry, false)) if entry.is_of_firewall => delivery.pass(OF_FIREWALL),
            Ok((_, false)) => delivery.tally.beside += 1,
            Ok((entry, true)) => {
                name.clear();
                name.extend_from_slice(EXPORTER.as_bytes());
                if !entry.reporter.is_empty() {
                    name.push(b' ');
                    name.extend(entry.reporter.iter().take(TEXT_OCTETS_MAX).map(u8::to_ascii_lowercase));
                }
                exporters.name(&name, &mut delivery.record);
                if !is_rate_given {
                    delivery.record.quality |= Quality::RATE_UNKNOWN;
                }
                delivery.decode();
                delivery.flow()?;
            }
            Err(error) => delivery.refuse(text.place, format_args!("{error}")),
        }
        Ok(())
    })
}

/// What an entry says.
#[derive(Debug, Clone, Copy, Default)]
struct Entry<'o> {
    is_flow: bool,
    is_of_firewall: bool,
    src: Option<Address>,
    dst: Option<Address>,
    src_port: u16,
    dst_port: u16,
    protocol: Option<u8>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    packets: Option<u64>,
    octets: Option<u64>,
    reporter: &'o [u8],
}

impl<'o> Entry<'o> {
    fn read(object: &'o [u8]) -> Result<Self, ObjectError> {
        let mut entry = Self::default();
        for member in Members::new(object) {
            let (b"jsonPayload", Value::Nested(payload)) = member? else { continue };
            for member in Members::new(payload) {
                match member? {
                    (b"connection", Value::Nested(connection)) => {
                        entry.is_flow = true;
                        for member in Members::new(connection) {
                            let (key, Value::Text(value) | Value::Bare(value)) = member? else { continue };
                            entry.set_end(key, value)?;
                        }
                    }
                    (b"rule_details", Value::Nested(_)) => entry.is_of_firewall = true,
                    (key, Value::Text(value) | Value::Bare(value)) => entry.set(key, value)?,
                    _ => {}
                }
            }
        }
        entry.is_flow &= !entry.is_of_firewall;
        Ok(entry)
    }

    fn set_end(&mut self, key: &[u8], value: &[u8]) -> Result<(), ValueError> {
        let wrong = |name: &'static str| ValueError::wrong(name, value);
        match key {
            b"src_ip" => self.src = Some(address(value).ok_or_else(|| wrong("src_ip"))?),
            b"dest_ip" => self.dst = Some(address(value).ok_or_else(|| wrong("dest_ip"))?),
            b"src_port" => self.src_port = short(value).ok_or_else(|| wrong("src_port"))?,
            b"dest_port" => self.dst_port = short(value).ok_or_else(|| wrong("dest_port"))?,
            b"protocol" => self.protocol = Some(protocol(value).ok_or_else(|| wrong("protocol"))?),
            _ => {}
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &'o [u8]) -> Result<(), ValueError> {
        let wrong = |name: &'static str| ValueError::wrong(name, value);
        match key {
            b"start_time" => self.start = Some(time(value).ok_or_else(|| wrong("start_time"))?),
            b"end_time" => self.end = Some(time(value).ok_or_else(|| wrong("end_time"))?),
            b"bytes_sent" => self.octets = Some(count(value).ok_or_else(|| wrong("bytes_sent"))?),
            b"packets_sent" => self.packets = Some(count(value).ok_or_else(|| wrong("packets_sent"))?),
            b"reporter" => self.reporter = value,
            b"disposition" => self.is_of_firewall = true,
            _ => {}
        }
        Ok(())
    }

    /// Fills the record; false if the entry is no flow.
    fn fill(&self, delivery: &mut Delivery<'_>) -> Result<bool, ValueError> {
        if !self.is_flow {
            return Ok(false);
        }
        let record = &mut delivery.record;
        record.src = self.src.ok_or_else(|| ValueError::missing("src_ip"))?;
        record.dst = self.dst.ok_or_else(|| ValueError::missing("dest_ip"))?;
        record.start_time = self.start.ok_or_else(|| ValueError::missing("start_time"))?;
        record.end_time = self.end.unwrap_or(record.start_time);
        record.protocol = self.protocol.unwrap_or(0);
        record.src_port = self.src_port;
        record.dst_port = self.dst_port;
        record.packets = self.packets.unwrap_or(0);
        record.octets = self.octets.unwrap_or(0);
        record.direction = match self.reporter {
            reporter if reporter.starts_with(b"SRC") => Some(Direction::Egress),
            reporter if reporter.starts_with(b"DEST") => Some(Direction::Ingress),
            _ => None,
        };
        record.quality |= Quality::ALREADY_SCALED | Quality::LAYER_UNKNOWN | doubt(self.packets, self.octets);
        Ok(true)
    }
}
