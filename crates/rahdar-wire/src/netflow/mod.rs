//! Flow export: NetFlow v5, v7 and v9 (Cisco, RFC 3954) and IPFIX (RFC 7011) into flow records.
//!
//! In reading order:
//!
//! * [`Collector`]: one for all exporters; takes datagrams, gives flows. [`file`] does the same
//!   for messages in a file.
//! * `v5`, `v7`, `v9`, `ipfix`: headers and templates as they are on the wire; `message`: what the
//!   latter two share.
//! * `element`, `template`, `read`: what is read of a record, compiled once into a plan.
//! * `flow`, `clock`, `sampling`: what the values mean.
//! * `domain`, `waiting`, `recent`: what is remembered of an exporter, and how much.
//!
//! # What is remembered
//! Templates and sampling belong to one transport session and observation domain: the sender's
//! address, its port, the protocol and the domain (RFC 7011 §8). Nothing that one of them says
//! changes how another is read. All of it together stays below [`MEMORY_MAX`].
//!
//! # What is counted
//! A data record of a flow is a record. Templates, options records, and records that have not
//! both addresses (counters, translations of one address, link-layer flows, pieces of packets)
//! are no flows: they are counted beside, and a problem names their template. A record with both
//! addresses is a flow even if it counts nothing: somebody saw the two talk.
//!
//! A data set that cannot be read yet is held. It counts as one record held, whatever it holds;
//! as soon as it is read, its records count in its place.
//!
//! # When a set is held
//! Until its template comes. And until the first word about sampling, because exporters announce
//! it late and a rate cannot be added afterwards: flows of a domain that has not said how it
//! samples wait for ten minutes of the exporter's clock at most (methods.md §1.7), or until
//! [`Collector::finish`]. Who never says a word is read ten minutes late, once; its records are
//! marked as of unknown rate.

mod clock;
mod domain;
mod element;
mod file;
mod flow;
mod ipfix;
mod message;
mod read;
mod recent;
mod sampling;
mod template;
mod v5;
mod v7;
mod v9;
mod waiting;

use rahdar_model::Timestamp;
use rahdar_model::address::Address;
use rahdar_model::flow::FlowRecord;
use rahdar_model::sink::{FlowSink, Place, SinkError, Tally};

pub(crate) use clock::{AHEAD_US, SWAP_US};
pub(crate) use file::{detect, file};
pub(crate) use flow::{Books, Out, has_wrapped, is_impossible};
pub(crate) use read::{decimal, firewall_event};
pub(crate) use recent::Recent;

use crate::Options;
use clock::Clock;
use domain::{Domain, Patience, Transport};
use flow::{Known, Origin, Sampling, is_rate_given};
use message::{At, Kind, Protocol};
use read::READ_BEHIND;
use template::Plan;

/// Observation domains that are remembered, over all exporters. Chosen here: a country has some
/// thousand routers of a few line cards; an empty domain takes half a kilobyte.
const DOMAINS_MAX: usize = 65_536;

/// Octets that all exporters together may take. What was not used lately has to go. A quarter of
/// what an import may take (performance.md §5).
const MEMORY_MAX: usize = 128 << 20;

/// Sets of one message that are read. One set for every record, as H3C sends them, makes some 800 of
/// the longest message.
const SETS_MAX: usize = 1_024;

/// How an export datagram came here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// Who sent it.
    pub(crate) exporter: Address,
    /// The UDP port it was sent from.
    pub(crate) port: u16,
    /// When it came, if somebody took the time; not moved by the operator.
    pub(crate) received: Option<Timestamp>,
    /// The packet of the capture, or the message of the file, from 1.
    pub(crate) packet: u64,
}

/// What is known of every exporter, so that its next datagram can be read.
pub(crate) struct Collector {
    books: Books,
    domains: Recent<Session, Domain>,
    /// What all domains take.
    octets: usize,
    v5: Plan,
    v7: Plan,
    transport: Transport,
    patience: Patience,
}

/// Whose templates and sampling these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Session {
    exporter: Address,
    port: u16,
    protocol: Protocol,
    domain: u32,
}

impl Collector {
    /// A collector that knows nothing yet.
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            books: Books::new(options),
            domains: Recent::new(DOMAINS_MAX),
            octets: 0,
            v5: v5::plan(),
            v7: v7::plan(),
            transport: Transport::Datagrams,
            patience: if is_rate_given(options) { Patience::Over } else { Patience::Fresh },
        }
    }

    /// Whether `payload` is by itself clearly one export datagram: its lengths and counts agree.
    pub(crate) fn recognises(payload: &[u8]) -> bool {
        if let [0, 5 | 7, ..] = payload {
            return v5::Header::read(payload).is_some_and(|header| {
                header.count > 0 && payload.len() == v5::HEADER + header.record * usize::from(header.count)
            });
        }
        let Some(header) = message::Header::read(payload) else { return false };
        if header.length.is_some_and(|length| length != payload.len()) {
            return false;
        }
        let mut at = header.octets();
        let mut sets = 0;
        loop {
            match message::set_at(header.protocol, payload, at) {
                At::Set(set) if set.missing == 0 && !matches!(set.kind, Kind::Reserved(_)) => at = set.end,
                At::End => return sets > 0,
                At::Set(_) | At::Broken { .. } => return false,
            }
            sets += 1;
        }
    }

    /// Reads one export datagram and hands its flows to the sink.
    ///
    /// It never fails on what it is given: what was not understood is a problem and is counted.
    /// `record` is filled anew for every flow and keeps only its source. `tally` has to be the
    /// same at every call, as sets that were held are taken off it when they are read.
    ///
    /// # Errors
    /// [`SinkError`] if the sink takes no more.
    pub(crate) fn datagram(
        &mut self,
        payload: &[u8],
        arrival: &Arrival,
        record: &mut FlowRecord,
        sink: &mut dyn FlowSink,
        tally: &mut Tally,
    ) -> Result<(), SinkError> {
        let mut out = Out { record, sink, tally, books: &mut self.books };
        match payload {
            [0, 5, ..] => v5_datagram(payload, &self.v5, arrival, &mut out),
            [0, 7, ..] => v5_datagram(payload, &self.v7, arrival, &mut out),
            [0, 9 | 10, ..] => self.sets(payload, arrival, record, sink, tally),
            _ => {
                let version = message::u16_at(payload, 0).unwrap_or_default();
                let place = Place::Datagram { packet: arrival.packet, octet: 0 };
                out.refuse(place, 1, format_args!("version `{version}` is no export that is read"));
                Ok(())
            }
        }
    }

    /// Reads what still waits for a word about sampling, and names the templates that did not
    /// come. What waits for them stays held.
    ///
    /// # Errors
    /// [`SinkError`] if the sink takes no more.
    pub(crate) fn finish(
        &mut self,
        record: &mut FlowRecord,
        sink: &mut dyn FlowSink,
        tally: &mut Tally,
    ) -> Result<(), SinkError> {
        let mut out = Out { record, sink, tally, books: &mut self.books };
        for (_, domain) in self.domains.iter_mut() {
            domain.tell(&mut out)?;
            domain.tell_missing(&mut out);
        }
        out.tell_unnamed();
        Ok(())
    }

    /// Reads the sets of a message.
    fn sets(
        &mut self,
        payload: &[u8],
        arrival: &Arrival,
        record: &mut FlowRecord,
        sink: &mut dyn FlowSink,
        tally: &mut Tally,
    ) -> Result<(), SinkError> {
        let octets = payload.len();
        let mut out = Out { record, sink, tally, books: &mut self.books };
        let place = |octet| Place::Datagram { packet: arrival.packet, octet };
        let Some(header) = message::Header::read(payload) else {
            out.refuse(place(0), 1, format_args!("the datagram ends within its header"));
            return Ok(());
        };
        let end = match header.length {
            Some(length) if length < header.octets() => {
                out.refuse(place(2), 1, format_args!("a message cannot have `{length}` octets"));
                return Ok(());
            }
            Some(length) if length < octets => {
                let extra = octets - length;
                out.note(place(length), format_args!("`{extra}` octets follow the end of the message"));
                length
            }
            Some(length) if length > octets => {
                let missing = length - octets;
                out.note(
                    place(octets),
                    format_args!("the last `{missing}` octets of the message are missing"),
                );
                octets
            }
            _ => octets,
        };
        let message = &payload[..end];

        let session = Session {
            exporter: arrival.exporter,
            port: arrival.port,
            protocol: header.protocol,
            domain: header.domain,
        };
        let version = match header.protocol {
            Protocol::V9 => 9,
            Protocol::Ipfix => 10,
        };
        let (domain, gone) = self.domains.get_or_insert(session, || {
            let name = out.books.name(arrival.exporter, version);
            Domain::new(name, header.domain, header.protocol, self.transport, self.patience)
        });
        let before = domain.octets();
        let origin = |octet| Origin {
            export: header.export,
            received: arrival.received,
            clock: Clock::new(header.export, header.uptime_ms, arrival.received),
            packet: arrival.packet,
            octet,
        };
        let mut at = header.octets();
        let mut sets = 0;
        loop {
            let set = match message::set_at(header.protocol, message, at) {
                At::Set(_) if sets == SETS_MAX => {
                    out.refuse(place(at), 1, format_args!("more than `{SETS_MAX}` sets in a message"));
                    break;
                }
                At::Set(set) => set,
                At::End => break,
                At::Broken { length } => {
                    out.refuse(place(at), 1, format_args!("a set cannot have `{length}` octets"));
                    break;
                }
            };
            let origin = origin(at);
            let body = at + message::SET_HEADER;
            at = set.end;
            sets += 1;
            match set.kind {
                Kind::Templates => domain.announce(&message[body..set.end], false, &origin, &mut out)?,
                Kind::OptionsTemplates => {
                    domain.announce(&message[body..set.end], true, &origin, &mut out)?;
                }
                Kind::Data(template) => {
                    let refused = out.tally.refused;
                    domain.data(template, &message[body - READ_BEHIND..set.end], &origin, &mut out)?;
                    if set.missing > 0 && out.tally.refused == refused {
                        let missing = set.missing;
                        out.refuse(
                            origin.place(0),
                            1,
                            format_args!("the last `{missing}` octets of the set are missing"),
                        );
                    }
                }
                Kind::Reserved(id) => {
                    out.tally.beside += 1;
                    out.note(
                        origin.place(0),
                        format_args!("a set of the reserved number `{id}` is passed over"),
                    );
                }
            }
        }
        domain.end_message(&mut out)?;
        let after = domain.octets();
        self.octets = self.octets + after - before;
        if let Some((_, gone)) = gone {
            self.octets -= gone.octets();
            gone.close(&mut out)?;
        }
        while self.octets > MEMORY_MAX && self.domains.len() > 1 {
            match self.domains.remove_unused() {
                Some((key, domain)) if key == session => {
                    self.domains.insert(key, domain);
                }
                Some((_, domain)) => {
                    self.octets -= domain.octets();
                    domain.close(&mut out)?;
                }
                None => break,
            }
        }
        Ok(())
    }
}

/// Reads a datagram of NetFlow v5 or v7.
fn v5_datagram(payload: &[u8], plan: &Plan, arrival: &Arrival, out: &mut Out<'_>) -> Result<(), SinkError> {
    let place = |octet| Place::Datagram { packet: arrival.packet, octet };
    let octets = payload.len();
    let Some(header) = v5::Header::read(payload) else {
        out.refuse(place(0), 1, format_args!("the datagram ends within its header"));
        return Ok(());
    };
    let count = usize::from(header.count);
    let present = count.min((octets - v5::HEADER) / header.record);
    let end = v5::HEADER + header.record * present;
    let origin = Origin {
        export: header.export,
        received: arrival.received,
        clock: Clock::new(header.export, Some(header.uptime_ms), arrival.received),
        packet: arrival.packet,
        octet: 0,
    };
    let known = Known {
        exporter: &out.books.name(arrival.exporter, 5),
        domain: u32::from(header.engine),
        sampling: Sampling::Header(header.rate),
        system_init_ms: None,
    };
    out.flows(0, plan, &origin, &payload[v5::HEADER - READ_BEHIND..end], &known)?;
    if present < count {
        // A count beyond what a datagram holds is no count: it says that something is missing,
        // not how much.
        let missing = if count > v5::RECORDS_MAX { 1 } else { count - present };
        let why = format_args!("the header says `{count}` records, `{present}` are there");
        out.refuse(place(2), missing as u64, why);
    } else if end < octets {
        let extra = octets - end;
        out.note(place(end), format_args!("`{extra}` octets follow the `{count}` records of the header"));
    }
    Ok(())
}
