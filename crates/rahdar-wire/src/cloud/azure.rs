//! Flow logs of Azure: of network security groups (NSG, versions 1 and 2) and of virtual networks (VNet, version 4).
//!
//! A tuple is a flow at one network interface, whose hardware address is the exporter, since its tuple before:
//! begun (B), going on (C) or ended (E). Tuples are biflows with one time, at their end; they begin at that of the tuple
//! before, where the same file has it. One that begins has no counters yet,
//! and one that was denied never has any; both are kept, as flows of no packets. Version 1 counts nothing at all,
//! which is marked as a content gap.
//!
//! Octets are of frames. Microsoft says only that they include header and payload; but in its own example a
//! TCP flow of one packet each way has 66 octets each way, which is an Ethernet frame around an opening of 52
//! octets of IP, and no packet of IP alone that one segment each way could be.
//!
//! Source: Azure Network Watcher, "NSG flow logs overview" and "Virtual network flow logs".

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::sync::Arc;

use rahdar_model::flow::size::doubt;
use rahdar_model::flow::{Direction, Initiator, SamplingSource, protocol as ip};
use rahdar_model::sink::{Place, SinkError};
use rahdar_model::{Address, FlowRecord, FlowSink, Quality, Tally, Timestamp};

use crate::delivery::Delivery;
use crate::exporters::Exporters;
use crate::json::{Items, Malformed, Members, Value};
use crate::lines::Text;
use crate::objects;
use crate::value::{ValueError, address, count, short};
use crate::{Options, WireError};

/// Flows of one file that are known to go on, at most. Chosen here: some 80 MiB.
const FLOWS_MAX: usize = 1 << 19;

/// Octets of an interface's name that tell flows apart. Chosen here: a hardware address of 64 bits takes 23 with its
/// dashes.
const MAC_OCTETS: usize = 24;

/// The exporter's name where no interface is named, unless the operator gives one.
const EXPORTER: &str = "azure";

/// Reads a log to its end.
pub(crate) fn decode(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let delivery = Delivery::new(EXPORTER, source, options, sink);
    let mut reader = Reader { exporters: Exporters::new(options), going_on: HashMap::new(), row: 0 };
    objects::read(input, delivery, |delivery, text| {
        let before = reader.row;
        match reader.record(text, delivery) {
            Ok(()) if reader.row == before => delivery.tally.beside += 1,
            Ok(()) => {}
            Err(Failure::Malformed(error)) => delivery.refuse(text.place, format_args!("{error}")),
            Err(Failure::Sink(error)) => return Err(error.into()),
        }
        Ok(())
    })
}

/// Why an object was not read to its end.
enum Failure {
    /// It is no JSON from some octet on. The tuples before it are given.
    Malformed(Malformed),
    /// The sink takes no more.
    Sink(SinkError),
}

impl From<Malformed> for Failure {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

struct Reader {
    exporters: Exporters,
    /// When flows that go on had their last tuple.
    going_on: HashMap<Flow, Timestamp>,
    /// Tuples met.
    row: u64,
}

impl Reader {
    /// Gives the flows of one object of `records` to the sink.
    fn record(&mut self, text: Text<'_>, delivery: &mut Delivery<'_>) -> Result<(), Failure> {
        let mut mac: &[u8] = b"";
        let (mut groups, mut flows) = (None, None);
        for member in Members::new(text.line) {
            match member? {
                (b"macAddress", Value::Text(address)) => mac = address,
                (b"properties", Value::Nested(object)) => groups = Some(object),
                (b"flowRecords", Value::Nested(object)) => flows = Some(object),
                _ => {}
            }
        }
        if let Some(object) = flows {
            for flow in list(object, b"flows")? {
                for group in list(flow?, b"flowGroups")? {
                    self.tuples(group?, mac, Version::Vnet, text, delivery)?;
                }
            }
        }
        if let Some(object) = groups {
            let version = nsg_version(object)?;
            for rule in list(object, b"flows")? {
                for flow in list(rule?, b"flows")? {
                    self.tuples(flow?, mac, version, text, delivery)?;
                }
            }
        }
        Ok(())
    }

    /// Gives the flows of an object with `flowTuples` to the sink.
    fn tuples(
        &mut self,
        object: &[u8],
        mac: &[u8],
        version: Version,
        text: Text<'_>,
        delivery: &mut Delivery<'_>,
    ) -> Result<(), Failure> {
        let mut mac = mac;
        let mut tuples = None;
        for member in Members::new(object) {
            match member? {
                (b"mac", Value::Text(address)) => mac = address,
                (b"flowTuples", Value::Nested(list)) => tuples = Some(list),
                _ => {}
            }
        }
        let exporter = if mac.is_empty() { EXPORTER.as_bytes() } else { mac };
        for tuple in Items::new(tuples.unwrap_or(b"[]")) {
            let Value::Text(tuple) = tuple? else { continue };
            self.row += 1;
            delivery.record.reset();
            delivery.record.source_row = self.row;
            self.exporters.name(exporter, &mut delivery.record);
            match fill(tuple, version, &mut delivery.record) {
                Ok(()) => {
                    self.begin(mac, &mut delivery.record);
                    delivery.decode();
                    delivery.flow().map_err(Failure::Sink)?;
                }
                Err(error) => delivery.refuse(place_of(tuple, text), format_args!("{error}")),
            }
        }
        Ok(())
    }
}

impl Reader {
    /// Lets a tuple begin where the one before of its flow was.
    fn begin(&mut self, mac: &[u8], record: &mut FlowRecord) {
        let (flow, at) = (Flow::of(mac, record), record.start_time);
        let goes_on = record.state.ends_with(['B', 'C']) && !record.state.starts_with('D');
        let before = match goes_on {
            true if self.going_on.len() < FLOWS_MAX || self.going_on.contains_key(&flow) => {
                self.going_on.insert(flow, at)
            }
            _ => self.going_on.remove(&flow),
        };
        if let Some(before) = before.filter(|before| *before < at && !record.state.ends_with('B')) {
            record.start_time = before;
        }
    }
}

/// What the tuples of one flow at one interface have in common.
#[derive(PartialEq, Eq, Hash)]
struct Flow {
    mac: [u8; MAC_OCTETS],
    src: Address,
    dst: Address,
    src_port: u16,
    dst_port: u16,
    protocol: u8,
    direction: Option<Direction>,
}

impl Flow {
    fn of(mac: &[u8], record: &FlowRecord) -> Self {
        let mut name = [0; MAC_OCTETS];
        let octets = mac.len().min(MAC_OCTETS);
        name[..octets].copy_from_slice(&mac[..octets]);
        Self {
            mac: name,
            src: record.src,
            dst: record.dst,
            src_port: record.src_port,
            dst_port: record.dst_port,
            protocol: record.protocol,
            direction: record.direction,
        }
    }
}

/// Where a part of an object begins in the input.
fn place_of(part: &[u8], object: Text<'_>) -> Place {
    match object.place {
        Place::Octet(at) => Place::Octet(at + (part.as_ptr().addr() - object.line.as_ptr().addr()) as u64),
        place => place,
    }
}

/// The version that the properties of a security group name.
fn nsg_version(properties: &[u8]) -> Result<Version, Malformed> {
    for member in Members::new(properties) {
        if let (b"Version", Value::Bare(b"2") | Value::Text(b"2")) = member? {
            return Ok(Version::Nsg2);
        }
    }
    Ok(Version::Nsg)
}

/// The objects in the list that an object has under `name`.
fn list<'o>(
    object: &'o [u8],
    name: &[u8],
) -> Result<impl Iterator<Item = Result<&'o [u8], Malformed>> + use<'o>, Malformed> {
    let mut found: &[u8] = b"[]";
    for member in Members::new(object) {
        if let (key, Value::Nested(list)) = member?
            && key == name
        {
            found = list;
        }
    }
    Ok(Items::new(found).filter_map(|item| match item {
        Ok(Value::Nested(object)) => Some(Ok(object)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    }))
}

/// How a tuple is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Time, ends, ports, protocol as a letter, direction, decision.
    Nsg,
    /// Behind these state and counters.
    Nsg2,
    /// Time, ends, ports, protocol as a number, direction, state, encryption, counters.
    Vnet,
}

/// Columns of a tuple, and of one of version 1.
const COLUMNS: usize = 13;
const COLUMNS_1: usize = 8;

/// Why a tuple is refused.
enum Refusal {
    Columns { columns: usize, needed: usize },
    Value(ValueError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Columns { columns, needed } => write!(f, "the tuple has {columns} of {needed} columns"),
            Self::Value(error) => error.fmt(f),
        }
    }
}

impl From<ValueError> for Refusal {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

/// Fills the record with a tuple.
fn fill(tuple: &[u8], version: Version, record: &mut FlowRecord) -> Result<(), Refusal> {
    let columns = tuple.split(|c| *c == b',').count();
    let needed = if version == Version::Nsg && columns <= COLUMNS_1 { COLUMNS_1 } else { COLUMNS };
    if columns < needed {
        return Err(Refusal::Columns { columns, needed });
    }
    fill_values(tuple, version, record)?;
    Ok(())
}

/// Fills the record with a tuple that has all columns.
fn fill_values(tuple: &[u8], version: Version, record: &mut FlowRecord) -> Result<(), ValueError> {
    let mut values = tuple.split(|c| *c == b',');
    let mut next = |name: &'static str| values.next().ok_or_else(|| ValueError::missing(name));
    let wrong = ValueError::wrong;

    let value = next("time")?;
    record.start_time = time(value).ok_or_else(|| wrong("time", value))?;
    record.end_time = record.start_time;
    let value = next("source address")?;
    record.src = address(value).ok_or_else(|| wrong("source address", value))?;
    let value = next("destination address")?;
    record.dst = address(value).ok_or_else(|| wrong("destination address", value))?;
    let value = next("source port")?;
    record.src_port = short_or_none(value).ok_or_else(|| wrong("source port", value))?;
    let value = next("destination port")?;
    record.dst_port = short_or_none(value).ok_or_else(|| wrong("destination port", value))?;
    let value = next("protocol")?;
    record.protocol = protocol(value).ok_or_else(|| wrong("protocol", value))?;
    record.direction = match next("direction")? {
        b"I" => Some(Direction::Ingress),
        b"O" => Some(Direction::Egress),
        value => return Err(wrong("direction", value)),
    };
    record.initiator = Some(Initiator::Source);
    record.sampling_interval = Some(1);
    record.sampling_source = Some(SamplingSource::Assumed);

    let first = next(if version == Version::Vnet { "state" } else { "decision" })?;
    record.state.push(letter(first).ok_or_else(|| wrong("decision or state", first))?);
    match (version, values.next()) {
        (Version::Nsg | Version::Nsg2, None) => {
            record.quality |= Quality::CONTENT_GAP;
            return Ok(());
        }
        (Version::Nsg | Version::Nsg2, Some(state)) => {
            record.state.push(' ');
            record.state.push(letter(state).ok_or_else(|| wrong("state", state))?);
        }
        (Version::Vnet, _) => {}
    }
    let mut counter = |name: &'static str| match values.next() {
        None | Some(b"") => Ok(0),
        Some(value) => count(value).ok_or_else(|| wrong(name, value)),
    };
    record.packets = counter("packets sent")?;
    record.octets = counter("bytes sent")?;
    let (packets, octets) = (counter("packets received")?, counter("bytes received")?);
    record.rev_packets = Some(packets);
    record.rev_octets = Some(octets);
    if record.octets > 0 || octets > 0 {
        record.quality |= Quality::LAYER2_LENGTH;
    }
    record.quality |= doubt(Some(record.packets), Some(record.octets)) | doubt(Some(packets), Some(octets));
    Ok(())
}

/// Seconds or milliseconds since the epoch: seconds have ten digits until the year 2286, milliseconds thirteen.
fn time(text: &[u8]) -> Option<Timestamp> {
    const MILLISECONDS_MIN: u64 = 100_000_000_000;
    let number = count(text)?;
    let us = number.checked_mul(if number < MILLISECONDS_MIN { 1_000_000 } else { 1_000 })?;
    Some(Timestamp::from_micros(i64::try_from(us).ok()?))
}

/// A port, or none where the protocol has none.
fn short_or_none(text: &[u8]) -> Option<u16> {
    if text.is_empty() { Some(0) } else { short(text) }
}

fn protocol(text: &[u8]) -> Option<u8> {
    match text {
        b"T" => Some(ip::TCP),
        b"U" => Some(ip::UDP),
        number => count(number).and_then(|number| u8::try_from(number).ok()),
    }
}

/// A decision (allowed, denied) or a state (begun, continuing, ended).
fn letter(text: &[u8]) -> Option<char> {
    match text {
        [letter @ (b'A' | b'B' | b'C' | b'D' | b'E')] => Some(*letter as char),
        _ => None,
    }
}
