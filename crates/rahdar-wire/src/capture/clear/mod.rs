//! What packets say in clear beside their headers: names that are asked for ([`dns`]), names and certificates of
//! servers ([`tls`]), names of requests ([`http`]).
//!
//! A packet is a flow's whatever stands in it. What is not understood here, or not in clear, says nothing; it is no
//! problem of the input.

mod beginning;
mod dns;
mod http;
mod tls;

use rahdar_model::flow::{protocol, tcp};
use rahdar_model::sink::SinkError;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use self::beginning::{Beginnings, First};
use self::dns::Message;
use self::tls::{Flight, Untold};
use super::assemble::Packet;
use super::stream::{Connection, Segment};
use crate::delivery::Delivery;
use crate::facts::{Facts, host_name, set_name, set_server_name, set_text};

/// The port of name servers (IANA).
const DNS: u16 = 53;

/// Reads what packets say in clear.
pub(super) struct Clear {
    facts: Facts,
    beginnings: Beginnings,
}

impl Clear {
    pub(super) fn new(delivery: &Delivery<'_>) -> Self {
        Self { facts: Facts::new(delivery), beginnings: Beginnings::default() }
    }

    /// Gives what one packet says, with those before it, to the sink.
    pub(super) fn packet(
        &mut self,
        packet: &Packet<'_>,
        delivery: &mut Delivery<'_>,
    ) -> Result<(), SinkError> {
        let ip = packet.ip;
        if ip.fragment.is_some_and(|piece| !piece.first) {
            return Ok(());
        }
        match ip.protocol {
            protocol::UDP if is_dns(packet) => match ip.udp_beginning() {
                Some((octets, length)) => {
                    let message = Message::read(&octets[..octets.len().min(length)]);
                    message.map_or(Ok(()), |message| self.message(&message, packet, delivery))
                }
                None => Ok(()),
            },
            protocol::TCP => self.segment(packet, delivery),
            _ => Ok(()),
        }
    }

    fn segment(&mut self, packet: &Packet<'_>, delivery: &mut Delivery<'_>) -> Result<(), SinkError> {
        let transport = &packet.transport;
        let header_octets = transport.header_octets.map_or(usize::MAX, |octets| octets as usize);
        let (Some(number), Some(octets)) = (
            packet.ip.payload.get(4..).and_then(<[u8]>::first_chunk),
            packet.ip.payload.get(header_octets..).filter(|octets| !octets.is_empty()),
        ) else {
            return Ok(());
        };
        if is_dns(packet) {
            let messages = dns::of_segment(octets);
            if !messages.is_empty() {
                return messages.iter().try_for_each(|message| self.message(message, packet, delivery));
            }
        }
        if let Some(request) = http::Request::of(octets) {
            return self.request(&request, packet, delivery);
        }
        let connection = Connection {
            src: packet.ip.src,
            src_port: transport.src_port,
            dst: packet.ip.dst,
            dst_port: transport.dst_port,
        };
        // What a SYN carries stands behind it (RFC 9293 §3.4).
        let is_opening = transport.tcp_flags.is_some_and(|flags| flags & tcp::SYN != 0);
        let number = u32::from_be_bytes(*number).wrapping_add(u32::from(is_opening));
        let segment = Segment { number, octets, packet: packet.number, time: packet.time };
        let Self { facts, beginnings } = self;
        beginnings.take(connection, &segment, tls::begins, |stream, first| match tls::read(stream) {
            Ok(flight) => told(facts, &flight, connection, first, delivery).map(|()| false),
            Err(why) => Ok(why == Untold::Unfinished),
        })
    }

    /// Gives the question or the answers of a message to the sink.
    fn message(
        &mut self,
        message: &Message<'_>,
        packet: &Packet<'_>,
        delivery: &mut Delivery<'_>,
    ) -> Result<(), SinkError> {
        let ip = packet.ip;
        let (from, to) = (packet.transport.src_port, packet.transport.dst_port);
        if DNS != if message.is_response { from } else { to } {
            return Ok(());
        }
        let resolution = self.facts.begin_resolution(packet.time, packet.number, delivery);
        (resolution.client, resolution.server) =
            if message.is_response { (ip.dst, ip.src) } else { (ip.src, ip.dst) };
        set_name(message.name.as_bytes(), &mut resolution.name, &plain);
        resolution.question = Some(message.kind);
        resolution.response = message.is_response.then_some(message.response);
        let mut is_answered = false;
        for record in message.answers() {
            is_answered = true;
            self.facts.resolution.ttl_s = Some(record.ttl_s);
            match record.data {
                dns::Data::Address(address) => self.facts.answer_address(address),
                dns::Data::Name(name) => {
                    self.facts.answer_by(|into| set_name(name.as_bytes(), into, &plain));
                }
                dns::Data::Text(text) => self.facts.answer_by(|into| set_text(&text, into, &plain)),
            }
            self.facts.resolved(delivery)?;
        }
        if !is_answered {
            self.facts.resolved(delivery)?;
        }
        Ok(())
    }

    /// Gives the name that a request calls its server by to the sink.
    fn request(
        &mut self,
        request: &http::Request<'_>,
        packet: &Packet<'_>,
        delivery: &mut Delivery<'_>,
    ) -> Result<(), SinkError> {
        let Some(name) = host_name(request.host) else { return Ok(()) };
        let (ip, transport) = (packet.ip, &packet.transport);
        let handshake = self.facts.begin_handshake(packet.time, packet.number, delivery);
        (handshake.client, handshake.client_port) = (ip.src, transport.src_port);
        (handshake.server, handshake.server_port) = (ip.dst, transport.dst_port);
        set_name(name, &mut handshake.server_name, &plain);
        plain(request.version, &mut handshake.version);
        self.facts.shaken(delivery)
    }
}

/// Whether a packet comes from a name server or goes to one.
fn is_dns(packet: &Packet<'_>) -> bool {
    [packet.transport.src_port, packet.transport.dst_port].contains(&DNS)
}

/// Gives what one side said of a TLS session to the sink. A certificate is told twice, by each of the hashes that
/// claims are about.
fn told(
    facts: &mut Facts,
    flight: &Flight,
    connection: Connection,
    first: First,
    delivery: &mut Delivery<'_>,
) -> Result<(), SinkError> {
    let Connection { src, src_port, dst, dst_port } = connection;
    let handshake = facts.begin_handshake(first.time, first.packet, delivery);
    match flight {
        Flight::Client { server_name } => {
            (handshake.client, handshake.client_port) = (src, src_port);
            (handshake.server, handshake.server_port) = (dst, dst_port);
            set_server_name(server_name, &mut handshake.server_name, &plain);
            facts.shaken(delivery)
        }
        Flight::Server { version, certificate } => {
            (handshake.client, handshake.client_port) = (dst, dst_port);
            (handshake.server, handshake.server_port) = (src, src_port);
            handshake.version.push_str(version);
            handshake.certificate = hexadecimal(&Sha256::digest(certificate));
            facts.shaken(delivery)?;
            facts.handshake.certificate = hexadecimal(&Sha1::digest(certificate));
            facts.shaken(delivery)
        }
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A text of a packet: what is no UTF-8 in it is replaced.
fn plain(text: &[u8], into: &mut String) {
    into.push_str(&String::from_utf8_lossy(text));
}
