//! Suricata EVE: one JSON object, one event; a line each, or a document of them, wrapped or not ([`json_log`]).
//!
//! * `flow`: a biflow, the client its source.
//! * `netflow`: a uniflow; two of them tell of one flow. A sensor may log both kinds of the same
//!   flows: then the kind that comes first counts and the other is beside.
//! * `dns` and `tls`: resolutions and handshakes.
//! * `stats`: gaps, of packets that were dropped before the sensor got them.
//!
//! All other events are beside. Suricata sees every packet of its link, and counts the octets of
//! frames with their link headers.
//!
//! Source: Suricata user guide, "EVE JSON Format"; `etc/schema.json`.

mod dns;
mod flow;
mod stats;
mod tls;

use std::io::Read;
use std::sync::Arc;

use rahdar_model::sink::SinkError;
use rahdar_model::{Address, FlowSink, Tally, Timestamp};

use crate::delivery::Delivery;
use crate::exporters::Exporters;
use crate::facts::Facts;
use crate::json::{Members, ObjectError, Value};
use crate::json_log;
use crate::value::{ValueError, address, count, protocol, short, time};
use crate::{Options, WireError};
use flow::Told;
use stats::Processes;

/// The exporter's name where the event has no `host` (Suricata's `sensor-name`), unless the operator gives one.
const EXPORTER: &str = "suricata";

/// Reads a log to its end.
pub(crate) fn decode(
    form: json_log::Form,
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let mut delivery = Delivery::new(EXPORTER, source, options, sink);
    let mut facts = Facts::new(&delivery);
    let mut exporters = Exporters::new(options);
    let mut told = Told::default();
    let mut processes = Processes::default();
    if let Some(event) = &options.counted_before {
        stats::remember(event, &mut exporters, &mut delivery.record, &mut processes);
    }
    json_log::read(form, input, delivery, |delivery, text| {
        let event = match Event::read(text.line) {
            Ok(Some(event)) => event,
            Ok(None) => {
                delivery.tally.beside += 1;
                return Ok(());
            }
            Err(error) => {
                delivery.refuse(text.place, format_args!("{error}"));
                return Ok(());
            }
        };
        delivery.record.reset();
        delivery.record.source_row = text.number;
        exporters.name(event.host.unwrap_or(EXPORTER.as_bytes()), &mut delivery.record);
        let delivered = match event.kind {
            Kind::Flow => flow::deliver_flow(&event, delivery, &mut told),
            Kind::Netflow => flow::deliver_netflow(&event, delivery, &mut told),
            Kind::Dns => dns::deliver(&event, delivery, &mut facts),
            Kind::Tls => tls::deliver(&event, delivery, &mut facts),
            Kind::Stats => stats::deliver(&event, delivery, &mut processes).map_err(Failure::Sink),
        };
        match delivered {
            Ok(()) => {}
            Err(Failure::Event(error)) => delivery.refuse(text.place, format_args!("{error}")),
            Err(Failure::Sink(error)) => return Err(error.into()),
        }
        Ok(())
    })
}

/// Why an event did not get to the sink.
enum Failure {
    /// It is refused.
    Event(ObjectError),
    /// The sink takes no more.
    Sink(SinkError),
}

impl<E: Into<ObjectError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Event(error.into())
    }
}

/// The kinds of event that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Flow,
    Netflow,
    Dns,
    Tls,
    Stats,
}

/// What all events have, and the objects of those that are read, not looked into.
#[derive(Debug, Clone, Copy, Default)]
struct Event<'l> {
    kind: Kind,
    time: Option<Timestamp>,
    flow_id: &'l [u8],
    host: Option<&'l [u8]>,
    src: Option<Address>,
    dst: Option<Address>,
    src_port: u16,
    dst_port: u16,
    protocol: Option<u8>,
    icmp_type: Option<u8>,
    icmp_code: Option<u8>,
    service: &'l [u8],
    community_id: &'l [u8],
    tcp: Option<&'l [u8]>,
    /// The object that is called as the event is.
    body: Option<&'l [u8]>,
}

impl<'l> Event<'l> {
    /// Reads an event; none if it is of a type that is not read.
    fn read(line: &'l [u8]) -> Result<Option<Self>, ObjectError> {
        let mut event = Self::default();
        let mut kind = None;
        let mut bodies = [None; 5];
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        for member in Members::new(line) {
            match member? {
                (b"event_type", Value::Text(word)) => {
                    kind = Some(match word {
                        b"flow" => Kind::Flow,
                        b"netflow" => Kind::Netflow,
                        b"dns" => Kind::Dns,
                        b"tls" => Kind::Tls,
                        b"stats" => Kind::Stats,
                        _ => return Ok(None),
                    });
                }
                (key, Value::Nested(object)) => match key {
                    b"flow" => bodies[Kind::Flow as usize] = Some(object),
                    b"netflow" => bodies[Kind::Netflow as usize] = Some(object),
                    b"dns" => bodies[Kind::Dns as usize] = Some(object),
                    b"tls" => bodies[Kind::Tls as usize] = Some(object),
                    b"stats" => bodies[Kind::Stats as usize] = Some(object),
                    b"tcp" => event.tcp = Some(object),
                    _ => {}
                },
                (key, Value::Text(value) | Value::Bare(value)) => event.set(key, value)?,
                (_, Value::Null) => {}
            }
        }
        event.kind = kind.ok_or_else(|| ValueError::missing("event_type"))?;
        event.body = bodies[event.kind as usize];
        Ok(Some(event))
    }

    fn set(&mut self, key: &[u8], value: &'l [u8]) -> Result<(), ValueError> {
        match key {
            b"timestamp" => self.time = Some(needed("timestamp", value, time)?),
            b"flow_id" => self.flow_id = value,
            b"host" => self.host = Some(value),
            b"src_ip" => self.src = Some(needed("src_ip", value, address)?),
            b"dest_ip" => self.dst = Some(needed("dest_ip", value, address)?),
            b"src_port" => self.src_port = needed("src_port", value, short)?,
            b"dest_port" => self.dst_port = needed("dest_port", value, short)?,
            b"proto" => self.protocol = Some(needed("proto", value, protocol)?),
            b"icmp_type" => self.icmp_type = Some(needed("icmp_type", value, octet)?),
            b"icmp_code" => self.icmp_code = Some(needed("icmp_code", value, octet)?),
            b"app_proto" => self.service = value,
            b"community_id" => self.community_id = value,
            _ => {}
        }
        Ok(())
    }

    /// When the event was logged.
    fn time(&self) -> Result<Timestamp, ValueError> {
        self.time.ok_or_else(|| ValueError::missing("timestamp"))
    }

    /// Who sent and who received.
    fn ends(&self) -> Result<(Address, Address), ValueError> {
        let src = self.src.ok_or_else(|| ValueError::missing("src_ip"))?;
        let dst = self.dst.ok_or_else(|| ValueError::missing("dest_ip"))?;
        Ok((src, dst))
    }

    /// The object that is called as the event is.
    fn body(&self, name: &'static str) -> Result<Members<'l>, ValueError> {
        self.body.map(Members::new).ok_or_else(|| ValueError::missing(name))
    }
}

/// A value that must be readable.
fn needed<T>(name: &'static str, value: &[u8], read: fn(&[u8]) -> Option<T>) -> Result<T, ValueError> {
    read(value).ok_or_else(|| ValueError::wrong(name, value))
}

fn octet(text: &[u8]) -> Option<u8> {
    count(text).and_then(|number| u8::try_from(number).ok())
}

/// Whether a line is an event.
pub(crate) fn is_event(line: &[u8]) -> bool {
    Members::new(line).any(|member| matches!(member, Ok((b"event_type", Value::Text(_)))))
}
