//! Captures: packets read from pcap and pcapng files and assembled into biflows.
//!
//! In reading order: [`mod@file`] finds the packets in a capture, [`mod@link`] what is behind the link header ([`wifi`]: of
//! radio), [`frame`] IP in that, [`tunnel`] the packet in a packet, [`assemble`] joins packets of one 5-tuple into a flow,
//! [`fragment`] finds the flow of a packet that has no ports of its own and joins the pieces of flow export, [`carrier`]
//! tells packets that carry flow export, [`stream`] joins the segments of TCP that do, [`clear`] reads what others say
//! of names and certificates. [`sampled`] reads the beginning of
//! a packet that an exporter sends.

mod assemble;
mod carrier;
mod clear;
mod file;
mod fragment;
pub(crate) mod frame;
pub(crate) mod link;
pub(crate) mod sampled;
mod stream;
pub(crate) mod tunnel;
mod wifi;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use rahdar_model::fact::{Fact, Gap, Loss, Unit};
use rahdar_model::flow::{FlowRecord, protocol, tcp};
use rahdar_model::sink::{Place, SinkError};
use rahdar_model::{Address, FlowSink, Tally, Timestamp, Window};

use crate::delivery::Delivery;
use crate::netflow::{Arrival, Collector};
use crate::sflow::Agents;
use crate::{Format, Options, WireError};
use assemble::{Assembler, Packet};
use carrier::{Carriers, Export};
use clear::Clear;
pub(crate) use file::is_capture;
use file::{CaptureFile, Dropped, Fault, Frame, Item};
use fragment::{CUT, Decided, Ends, Fragments, Head, Piece, Taken, carried};
use frame::{Content, Fragment, IpPacket, Transport};
use stream::{Connection, Event, Segment, Streams};
use tunnel::TUNNELS_MAX;

/// The exporter's name unless the operator gives one.
const EXPORTER: &str = "packets";

/// Reads a capture to its end.
///
/// A packet is a record. Packets that carry flow export are beside unless `options` ask for
/// packets: what they carry is decoded in their place.
pub(crate) fn decode(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let mut capture = CaptureFile::new(input);
    let delivery = Delivery::new(EXPORTER, source.clone(), options, sink);
    let mut reading = Reading {
        exports: FlowRecord::new("".into(), source),
        collector: Collector::new(options),
        joined: Collector::of_streams(options),
        streams: Streams::default(),
        agents: Agents::new(options),
        carriers: (options.format != Some(Format::Packets)).then(Carriers::default),
        assembler: Assembler::new(),
        fragments: Fragments::new(),
        clear: Clear::new(&delivery),
        not_read: BTreeMap::new(),
        goes_deeper: false,
        delivery,
    };
    let failure = loop {
        match capture.next() {
            Ok(Some(Item::Frame(frame))) => reading.frame(&frame)?,
            Ok(Some(Item::Dropped(dropped))) => reading.dropped(dropped)?,
            Ok(None) => break None,
            Err(Fault::Skipped { packet, why }) => {
                reading.delivery.refuse(Place::Packet(packet), format_args!("{why}"))
            }
            Err(Fault::Broken { octet, why }) => {
                reading.delivery.refuse(Place::Octet(octet), format_args!("{why}; nothing after it is read"));
                break None;
            }
            Err(Fault::Read(error)) => break Some(error),
        }
    };
    let tally = reading.finish()?;
    match failure {
        None => Ok(tally),
        Some(source) => Err(WireError::Read { tally, source }),
    }
}

/// What a packet is, as far as flow export goes.
enum Carried {
    /// No export.
    Traffic,
    /// Export.
    Export,
    /// Export that is not read, and why.
    Unread(&'static str),
}

/// The state of one capture being read.
struct Reading<'a> {
    delivery: Delivery<'a>,
    /// The record of flows that exporters sent, beside the one of flows assembled here.
    exports: FlowRecord,
    collector: Collector,
    /// The collector of what TCP carries.
    joined: Collector,
    streams: Streams,
    agents: Agents,
    /// None if carriers are to be read as packets.
    carriers: Option<Carriers>,
    assembler: Assembler,
    fragments: Fragments,
    clear: Clear,
    /// Link types that are not read: the first packet of each, and how many.
    not_read: BTreeMap<u16, (u64, u64)>,
    /// Whether tunnels were met that are nested too deep.
    goes_deeper: bool,
}

impl Reading<'_> {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), SinkError> {
        match link::content(frame.link, frame.octets, frame.length) {
            Content::Ip(packet) => self.packet(frame, &packet),
            Content::NoIp => {
                self.delivery.tally.beside += 1;
                Ok(())
            }
            Content::Malformed(why) => {
                self.delivery.refuse(Place::Packet(frame.number), format_args!("{why}"));
                Ok(())
            }
            Content::UnknownLink => {
                self.not_read.entry(frame.link).or_insert((frame.number, 0)).1 += 1;
                Ok(())
            }
        }
    }

    /// Gives packets that the capture did not get to the sink, as a gap.
    fn dropped(&mut self, dropped: Dropped) -> Result<(), SinkError> {
        let from = dropped.from.unwrap_or(dropped.until).min(dropped.until);
        let until = dropped.until.max(from.plus_micros(1));
        let gap = Gap {
            exporter: self.delivery.record.exporter.clone(),
            observation_domain: 0,
            window: Window::new(self.delivery.moved(from), self.delivery.moved(until)),
            cause: Loss::KernelDrop,
            unit: Unit::Packets,
            lost: dropped.packets,
            source: self.delivery.record.source.clone(),
        };
        self.delivery.fact(Fact::Gap(&gap))
    }

    fn packet(&mut self, frame: &Frame<'_>, outer: &IpPacket<'_>) -> Result<(), SinkError> {
        self.fragments.sweep(frame.time);
        let inner = tunnel::innermost(outer);
        if let (Some(_), Some(fragment)) = (inner, outer.fragment) {
            self.fragments.opened(outer, fragment, frame.time);
        }
        if inner.is_some_and(|inner| inner.goes_deeper) && !std::mem::replace(&mut self.goes_deeper, true) {
            let what = format_args!("tunnels are nested deeper than `{TUNNELS_MAX}`: the rest is not opened");
            self.delivery.note(Place::Packet(frame.number), what);
        }
        let ip = inner.as_ref().map_or(outer, |inner| &inner.packet);
        if let Some(fragment) = ip.fragment {
            return self.piece(frame, ip, fragment);
        }
        self.decide()?;
        let transport = Transport::of(ip);
        match self.export(frame, ip, &transport)? {
            Carried::Traffic => self.traffic(frame.number, frame.time, ip, transport),
            Carried::Export => {
                self.delivery.tally.beside += 1;
                Ok(())
            }
            Carried::Unread(why) => {
                self.delivery.refuse(Place::Packet(frame.number), format_args!("{why}"));
                Ok(())
            }
        }
    }

    /// Takes a packet that is a piece of one.
    fn piece(&mut self, frame: &Frame<'_>, ip: &IpPacket<'_>, fragment: Fragment) -> Result<(), SinkError> {
        let Self { carriers, fragments, .. } = self;
        let is_export = |transport: &Transport| {
            let Some((carriers, (beginning, octets))) = carriers.as_mut().zip(ip.udp_beginning()) else {
                return false;
            };
            let beginning = &beginning[..octets.min(beginning.len())];
            carriers.recognises_beginning(ip.src, transport, beginning, octets)
        };
        let taken = fragments.take(ip, fragment, frame.number, frame.time, is_export);
        self.decide()?;
        match taken {
            Taken::Traffic(head) => {
                let ip = IpPacket { protocol: head.protocol.unwrap_or(ip.protocol), ..*ip };
                self.traffic(frame.number, frame.time, &ip, head.transport)
            }
            Taken::Beside => {
                self.delivery.tally.beside += 1;
                Ok(())
            }
            Taken::Waits => Ok(()),
        }
    }

    /// Does what was decided of pieces that waited.
    fn decide(&mut self) -> Result<(), SinkError> {
        for decided in self.fragments.decided() {
            match decided {
                Decided::Traffic(ends, head, pieces) => self.pieces(ends, head, &pieces)?,
                Decided::Whole(ends, head, pieces) => self.whole(ends, head, &pieces)?,
                Decided::Refused(packet, pieces, why) => {
                    self.delivery.tally.beside += pieces.saturating_sub(1);
                    self.delivery.refuse(Place::Packet(packet), format_args!("{why}"));
                }
                Decided::Beside(pieces) => self.delivery.tally.beside += pieces,
            }
        }
        Ok(())
    }

    /// Takes pieces of one packet that are traffic.
    fn pieces(&mut self, ends: Ends, head: Head, pieces: &[Piece]) -> Result<(), SinkError> {
        for piece in pieces {
            let mut ip = piece.packet(ends);
            ip.protocol = head.protocol.unwrap_or(ip.protocol);
            let transport = if piece.is_first() { head.transport } else { fragment::later(head).transport };
            self.traffic(piece.number, piece.time, &ip, transport)?;
        }
        Ok(())
    }

    /// Decodes flow export that came in pieces, of which the last one has come now. What seemed to be export is
    /// traffic if all of it is none.
    fn whole(&mut self, ends: Ends, head: Head, pieces: &[Piece]) -> Result<(), SinkError> {
        let last = pieces.iter().max_by_key(|piece| piece.number);
        let (Some(carriers), Some(last)) = (&mut self.carriers, last) else { return Ok(()) };
        let Some(datagram) = carried(pieces) else { return self.pieces(ends, head, pieces) };
        let Some(export) = carriers.recognises(ends.src, &head.transport, &datagram) else {
            return self.pieces(ends, head, pieces);
        };
        self.delivery.tally.beside += pieces.len() as u64;
        self.read(export, &datagram, ends.src, &head.transport, last.time, last.number)
    }

    /// Takes one packet of traffic.
    fn traffic(
        &mut self,
        number: u64,
        time: Timestamp,
        ip: &IpPacket<'_>,
        transport: Transport,
    ) -> Result<(), SinkError> {
        self.delivery.tally.received += 1;
        self.delivery.tally.decoded += 1;
        let packet = Packet { number, time, ip, transport };
        self.clear.packet(&packet, &mut self.delivery)?;
        self.assembler.packet(&packet, &mut self.delivery)
    }

    /// Whether the packet carries flow export, which is decoded if all of it is there.
    fn export(
        &mut self,
        frame: &Frame<'_>,
        ip: &IpPacket<'_>,
        transport: &Transport,
    ) -> Result<Carried, SinkError> {
        let Some(carriers) = &mut self.carriers else { return Ok(Carried::Traffic) };
        let (datagram, octets) = match ip.protocol {
            protocol::TCP => return self.segment(frame, ip, transport),
            protocol::UDP => match ip.udp_beginning() {
                Some(beginning) => beginning,
                None => return Ok(Carried::Traffic),
            },
            _ => return Ok(Carried::Traffic),
        };
        let Some(datagram) = datagram.get(..octets) else {
            let is_export = carriers.recognises_beginning(ip.src, transport, datagram, octets);
            return Ok(if is_export { Carried::Unread(CUT) } else { Carried::Traffic });
        };
        let Some(export) = carriers.recognises(ip.src, transport, datagram) else {
            return Ok(Carried::Traffic);
        };
        self.read(export, datagram, ip.src, transport, frame.time, frame.number)?;
        Ok(Carried::Export)
    }

    /// Joins a segment of TCP to the stream of export that it belongs to, and decodes the messages that are whole.
    fn segment(
        &mut self,
        frame: &Frame<'_>,
        ip: &IpPacket<'_>,
        transport: &Transport,
    ) -> Result<Carried, SinkError> {
        let header_octets = transport.header_octets.map_or(usize::MAX, |octets| octets as usize);
        let Some(number) = ip.payload.get(4..).and_then(<[u8]>::first_chunk) else {
            return Ok(Carried::Traffic);
        };
        let segment = Segment {
            number: u32::from_be_bytes(*number),
            octets: ip.payload.get(header_octets..).unwrap_or_default(),
            packet: frame.number,
            time: frame.time,
        };
        let Transport { src_port, dst_port, tcp_flags, .. } = *transport;
        let connection = Connection { src: ip.src, src_port, dst: ip.dst, dst_port };
        let is_opening = tcp_flags.is_some_and(|flags| flags & tcp::SYN != 0);
        self.in_streams(|streams, take| {
            if is_opening {
                streams.opened(connection, take)?;
            }
            let is_export = streams.take(connection, &segment, take)?;
            Ok(if is_export { Carried::Export } else { Carried::Traffic })
        })
    }

    /// Calls with the streams of export, and with what decodes their messages.
    fn in_streams<T>(
        &mut self,
        call: impl FnOnce(
            &mut Streams,
            &mut dyn FnMut(Connection, Event<'_>) -> Result<(), SinkError>,
        ) -> Result<T, SinkError>,
    ) -> Result<T, SinkError> {
        let Self { streams, joined, exports, delivery, .. } = self;
        let mut take = |connection: Connection, event: Event<'_>| {
            let (exporter, port) = (connection.src, connection.src_port);
            match event {
                Event::Message { octets, packet, time } => {
                    let arrival = Arrival { exporter, port, received: Some(time), packet };
                    joined.datagram(octets, &arrival, exports, delivery.sink, &mut delivery.tally)
                }
                Event::Broken { packet } => {
                    let why = "octets of a stream of IPFIX are missing: it is read on at the next message that begins";
                    delivery.refuse(Place::Packet(packet), format_args!("{why}"));
                    Ok(())
                }
                Event::Unread { packet, segments } => {
                    let why = "segments of a connection that began as one of IPFIX hold no message";
                    delivery.tally.beside -= segments;
                    delivery.refuse_all(Place::Packet(packet), format_args!("{why}"), segments);
                    Ok(())
                }
                Event::Ended => {
                    joined.close(Some((exporter, port)), exports, delivery.sink, &mut delivery.tally)
                }
            }
        };
        call(streams, &mut take)
    }

    /// Decodes one datagram.
    fn read(
        &mut self,
        export: Export,
        datagram: &[u8],
        exporter: Address,
        transport: &Transport,
        time: Timestamp,
        packet: u64,
    ) -> Result<(), SinkError> {
        let arrival = Arrival { exporter, port: transport.src_port, received: Some(time), packet };
        let Delivery { sink, tally, .. } = &mut self.delivery;
        match export {
            Export::Netflow => self.collector.datagram(datagram, &arrival, &mut self.exports, *sink, tally),
            Export::Sflow => self.agents.datagram(datagram, &arrival, &mut self.exports, *sink, tally),
        }
    }

    fn finish(mut self) -> Result<Tally, SinkError> {
        self.fragments.finish();
        self.decide()?;
        self.assembler.finish(&mut self.delivery)?;
        self.in_streams(|streams, take| streams.finish(take))?;
        let Delivery { sink, tally, .. } = &mut self.delivery;
        self.collector.finish(&mut self.exports, *sink, tally)?;
        self.joined.finish(&mut self.exports, *sink, tally)?;
        self.agents.finish(&mut self.exports, *sink, tally)?;
        for (link, (packet, frames)) in self.not_read {
            let named = link::name(link).map_or(String::new(), |name| format!(" ({name})"));
            let why = format_args!("frames of link type `{link}`{named} are not read");
            self.delivery.refuse_all(Place::Packet(packet), why, frames);
        }
        Ok(self.delivery.close())
    }
}
