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
//! * `sessions`, `domain`, `waiting`, `recent`: what is remembered of exporters, and how much; `saved`:
//!   how it is written down.
//! * `sequence`, `missed`: what never came.
//!
//! # What is remembered
//! Templates and sampling belong to one transport session and observation domain: the sender's
//! address, its port, the protocol and the domain (RFC 7011 §8). Nothing that one of them says
//! changes how another is read, and however much one says, another is not forgotten for it (`sessions`).
//!
//! # What is counted
//! A data record of a flow is a record. Templates, options records, and records that have not
//! both addresses (counters, translations of one address, link-layer flows) are no flows: they are
//! counted beside, and a problem names their template. A record with both addresses is a flow even if it
//! counts nothing: somebody saw the two talk.
//!
//! A record without addresses that holds the beginning of a packet is one sampled packet, as in sFlow: it
//! is read from there, with the octets of its IP header. One without IP is beside; one whose header is cut
//! is refused.
//!
//! A data set that cannot be read yet is held. It counts as one record held, whatever it holds;
//! as soon as it is read, its records count in its place.
//!
//! # When a set is held
//! Until its template comes. And until the first word about sampling, because exporters announce
//! it late and a rate cannot be added afterwards: flows of a domain that has not said how it
//! samples wait for ten minutes of the exporter's clock at most (methods.md §1.7), or until
//! [`Collector::finish`]. An exporter that never announces a rate is delayed once, by ten minutes; its
//! records are marked as of unknown rate. Where the operator has told the rate, nothing waits.

mod clock;
mod domain;
mod element;
mod file;
mod flow;
mod ipfix;
mod message;
mod missed;
mod read;
mod recent;
mod sampling;
mod saved;
mod sequence;
mod sessions;
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
pub(crate) use flow::{Books, Out, size};
pub(crate) use read::{decimal, firewall_event};
pub(crate) use recent::Recent;
pub(crate) use sampling::Agreement;
pub use saved::Damaged;
pub(crate) use saved::{Reader, Writer};

use crate::Options;
use crate::account::Account;
use clock::Clock;
use domain::{Domain, Transport};
use flow::{Known, Origin, Sampling};
use message::{At, Kind};
use missed::{Missed, Shares, Stream};
use read::READ_BEHIND;
use sequence::Message;
use sessions::{Session, Sessions};
use template::Plan;

/// Sets of one message that are read. One set for every record, as H3C sends them, makes some 800 of
/// the longest message.
const SETS_MAX: usize = 1_024;

/// How an export datagram came here.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Who sent it.
    pub exporter: Address,
    /// The port it was sent from.
    pub port: u16,
    /// When it came, if somebody took the time; not moved by the operator.
    pub received: Option<Timestamp>,
    /// The packet of the capture, or the message of the file or segment, from 1.
    pub packet: u64,
}

/// What is known of every exporter, so that its next datagram can be read.
pub(crate) struct Collector {
    books: Books,
    sessions: Sessions,
    missed: Missed,
    v5: Plan,
    v7: Plan,
    transport: Transport,
}

impl Collector {
    /// A collector that knows nothing yet.
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            books: Books::new(options),
            sessions: Sessions::new(),
            missed: Missed::new(),
            v5: v5::plan(),
            v7: v7::plan(),
            transport: Transport::Datagrams,
        }
    }

    /// A collector of streams: what they withdraw is gone.
    pub(crate) fn of_streams(options: &Options) -> Self {
        Self { transport: Transport::Stream, ..Self::new(options) }
    }

    /// Begins an input: problems are named again.
    pub(crate) fn begin(&mut self) {
        self.books.begin();
    }

    /// The number of the last data record.
    pub(crate) fn rows_mut(&mut self) -> &mut u64 {
        self.books.rows_mut()
    }

    /// Of so many datagrams that are missing, those that were not dropped here as the exporter's own.
    pub(crate) fn shares_of(&mut self, exporter: Address, missing: u64, time: Timestamp) -> Shares {
        self.missed.shares_of(exporter, missing, time)
    }

    /// Whether `payload` is by itself clearly one export datagram: its lengths and counts agree.
    pub(crate) fn recognises(payload: &[u8]) -> bool {
        Self::recognises_beginning(payload, payload.len())
    }

    /// Whether `beginning` is by itself clearly that of an export datagram of so many octets.
    pub(crate) fn recognises_beginning(beginning: &[u8], octets: usize) -> bool {
        if let [0, 5 | 7, ..] = beginning {
            return v5::Header::read(beginning).is_some_and(|header| {
                header.count > 0 && octets == v5::HEADER + header.record * usize::from(header.count)
            });
        }
        let Some(header) = message::Header::read(beginning) else { return false };
        if header.length.is_some_and(|length| length != octets) {
            return false;
        }
        let mut at = header.octets();
        let mut sets = 0;
        loop {
            match message::set_at(header.protocol, beginning, at) {
                At::Set(set) if matches!(set.kind, Kind::Reserved(_)) => return false,
                At::Set(set) if set.end + set.missing > octets => return false,
                At::Set(set) => at = set.end,
                At::End => return sets > 0,
                At::Broken { .. } => return false,
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
        let before = *out.tally;
        let untold = out.books.accounts.of(arrival.exporter).untold;
        let mut read = match payload {
            [0, 5, ..] => v5_datagram(payload, &self.v5, arrival, &mut out)?,
            [0, 7, ..] => v5_datagram(payload, &self.v7, arrival, &mut out)?,
            [0, 9 | 10, ..] => {
                let reading = Reading { sessions: &mut self.sessions, transport: self.transport };
                reading.message(payload, arrival, &mut out)?
            }
            _ => {
                let version = message::u16_at(payload, 0).unwrap_or_default();
                let place = Place::Datagram { packet: arrival.packet, octet: 0 };
                out.refuse(place, 1, format_args!("version `{version}` is no export that is read"));
                Read::default()
            }
        };
        if let Some((stream, message)) = read.number.take() {
            self.missed.message(stream, &message, arrival.packet, &mut out)?;
        }
        let account = out.books.accounts.of(arrival.exporter);
        account.charge(&before, out.tally);
        account.messages += 1;
        // Sets that waited too long were refused now, but were not of this message.
        *if out.tally.refused - before.refused > account.untold - untold {
            &mut account.in_error
        } else if read.waits {
            &mut account.waiting
        } else {
            &mut account.understood
        } += 1;
        close(read.gone, &mut out)?;
        close(self.sessions.take_excess(), &mut out)
    }

    /// Reads what still waits for a word about sampling, tells what is missing, and names the
    /// templates that did not come. What waits for them stays held.
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
        self.sessions.for_each(|domain| {
            let before = *out.tally;
            domain.tell(&mut out)?;
            domain.tell_missing(&mut out);
            out.books.accounts.of(domain.address()).charge(&before, out.tally);
            Ok::<(), SinkError>(())
        })?;
        self.missed.tell_all(&mut out)?;
        out.tell_unnamed();
        Ok(())
    }

    /// Says what was counted and not named.
    pub(crate) fn end(&mut self, record: &mut FlowRecord, sink: &mut dyn FlowSink, tally: &mut Tally) {
        Out { record, sink, tally, books: &mut self.books }.tell_unnamed();
    }

    /// Forgets what was said in the session that an exporter had from this port; without one, in every session. What waits
    /// is read or refused.
    ///
    /// # Errors
    /// [`SinkError`] if the sink takes no more.
    pub(crate) fn close(
        &mut self,
        session: Option<(Address, u16)>,
        record: &mut FlowRecord,
        sink: &mut dyn FlowSink,
        tally: &mut Tally,
    ) -> Result<(), SinkError> {
        let mut out = Out { record, sink, tally, books: &mut self.books };
        match session {
            Some((exporter, port)) => {
                close(self.sessions.take_ended(exporter, port), &mut out)?;
                self.missed.close(exporter, port, &mut out)
            }
            None => {
                close(self.sessions.take_all(), &mut out)?;
                self.missed.close_all(&mut out)
            }
        }
    }

    /// Takes note that datagrams were dropped before they came here.
    pub(crate) fn dropped(&mut self, exporter: Option<Address>, datagrams: u64, time: Timestamp) {
        self.missed.dropped(exporter, datagrams, time);
    }

    /// What became of what each exporter sent, in no order.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (Address, &Account)> {
        self.books.accounts.iter()
    }

    /// Sets that wait.
    pub(crate) fn held(&self) -> u64 {
        self.sessions.iter().map(|(_, domain)| domain.held()).sum()
    }

    /// Writes down what is remembered.
    pub(crate) fn save(&self, to: &mut Writer) {
        self.sessions.save(to);
        self.missed.save(to);
    }

    /// Gives a collector that knows nothing what [`Collector::save`] wrote down.
    ///
    /// # Errors
    /// [`Damaged`] if that is not whole. The collector is then of no use.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), Damaged> {
        let (books, transport) = (&mut self.books, self.transport);
        self.sessions = Sessions::restore(from, |session| open(session, books, transport))?;
        for (session, domain) in self.sessions.iter() {
            let account = books.accounts.of(session.exporter);
            account.tally.received += domain.held();
            account.tally.held += domain.held();
            account.messages += domain.messages_waiting();
            account.waiting += domain.messages_waiting();
        }
        self.missed = Missed::restore(from)?;
        Ok(())
    }
}

/// The domain of a session, of which nothing is known yet.
fn open(session: &Session, books: &mut Books, transport: Transport) -> Domain {
    let name = books.name(session.exporter, session.protocol.version().into());
    let rate_known = books.rate_known(session.exporter);
    Domain::new(session.exporter, name, session.domain, session.protocol, transport, rate_known)
}

/// Reads or refuses what waits in domains that are forgotten.
fn close(domains: Vec<Domain>, out: &mut Out<'_>) -> Result<(), SinkError> {
    for domain in domains {
        let (exporter, before) = (domain.address(), *out.tally);
        domain.close(out)?;
        out.books.accounts.of(exporter).charge(&before, out.tally);
    }
    Ok(())
}

/// What a message was, beside its records.
#[derive(Default)]
struct Read {
    /// Its number, if it has one.
    number: Option<(Stream, Message)>,
    /// Whether it waits for a template.
    waits: bool,
    /// The domains that had to go for that of the message.
    gone: Vec<Domain>,
}

/// The reading of one message of NetFlow v9 or IPFIX.
struct Reading<'a> {
    sessions: &'a mut Sessions,
    transport: Transport,
}

impl Reading<'_> {
    fn message(self, payload: &[u8], arrival: &Arrival, out: &mut Out<'_>) -> Result<Read, SinkError> {
        let octets = payload.len();
        let place = |octet| Place::Datagram { packet: arrival.packet, octet };
        let Some(header) = message::Header::read(payload) else {
            out.refuse(place(0), 1, format_args!("the datagram ends within its header"));
            return Ok(Read::default());
        };
        let end = match header.length {
            Some(length) if length < header.octets() => {
                out.refuse(place(2), 1, format_args!("a message cannot have `{length}` octets"));
                return Ok(Read::default());
            }
            Some(length) if length < octets => {
                let extra = octets - length;
                out.note(place(length), format_args!("`{extra}` octets follow the end of the message"));
                length
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
        let transport = self.transport;
        let (domain, gone) = self.sessions.get_or_insert(session, || open(&session, out.books, transport));
        let before = domain.octets();
        let first_waiting = domain.next_waiting();
        let refused = out.tally.refused;
        let origin = |octet| Origin {
            export: header.export,
            received: arrival.received,
            clock: Clock::new(header.export, header.uptime_ms, arrival.received),
            packet: arrival.packet,
            octet,
        };
        let untold = out.books.accounts.of(arrival.exporter).untold;
        let mut at = header.octets();
        let mut sets = 0;
        // How many data records there are; none once that cannot be told.
        let mut records = Some(0);
        let mut is_set_cut = false;
        loop {
            let set = match message::set_at(header.protocol, message, at) {
                At::Set(_) if sets == SETS_MAX => {
                    out.refuse(place(at), 1, format_args!("more than `{SETS_MAX}` sets in a message"));
                    records = None;
                    break;
                }
                At::Set(set) => set,
                At::End => break,
                At::Broken { length } => {
                    out.refuse(place(at), 1, format_args!("a set cannot have `{length}` octets"));
                    records = None;
                    break;
                }
            };
            let origin = origin(at);
            let body = at + message::SET_HEADER;
            at = set.end;
            sets += 1;
            match set.kind {
                Kind::Templates => domain.announce(&message[body..set.end], false, &origin, out)?,
                Kind::OptionsTemplates => domain.announce(&message[body..set.end], true, &origin, out)?,
                Kind::Data(template) => {
                    if set.missing > 0 {
                        is_set_cut = true;
                        records = None;
                        if !domain.knows(template) {
                            let why = "the set is cut, and its template is not known";
                            out.refuse(origin.place(0), 1, format_args!("{why}"));
                            continue;
                        }
                    }
                    let of_set =
                        domain.data(template, &message[body - READ_BEHIND..set.end], &origin, out)?;
                    records = records.zip(of_set).map(|(records, of_set)| records + of_set);
                    // A record that is cut is refused as soon as it is read.
                    if set.missing > 0 && of_set.is_some() {
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
        if let Some(missing) = header.length.and_then(|length| length.checked_sub(octets)).filter(|n| *n > 0)
        {
            records = None;
            if !is_set_cut && out.tally.refused == refused {
                let why = format_args!("the last `{missing}` octets of the message are missing");
                out.refuse(place(octets), 1, why);
            }
        }
        let untold = out.books.accounts.of(arrival.exporter).untold - untold;
        let is_sound = out.tally.refused - refused == untold;
        let waits = is_sound && domain.mark_last_since(first_waiting);
        domain.end_message(out)?;
        let after = domain.octets();
        self.sessions.changed(session.exporter, before, after);
        let version = header.protocol.version();
        let stream =
            Stream { exporter: arrival.exporter, port: arrival.port, version, domain: header.domain };
        let numbered = Message {
            number: header.sequence,
            records: records.and_then(|records| u32::try_from(records).ok()),
            uptime_ms: header.uptime_ms,
            time: arrival.received.unwrap_or(header.export),
        };
        Ok(Read { number: Some((stream, numbered)), waits, gone })
    }
}

/// Reads a datagram of NetFlow v5 or v7.
fn v5_datagram(payload: &[u8], plan: &Plan, arrival: &Arrival, out: &mut Out<'_>) -> Result<Read, SinkError> {
    let place = |octet| Place::Datagram { packet: arrival.packet, octet };
    let octets = payload.len();
    let Some(header) = v5::Header::read(payload) else {
        out.refuse(place(0), 1, format_args!("the datagram ends within its header"));
        return Ok(Read::default());
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
        active_timeout_s: 0,
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
    let stream = Stream {
        exporter: arrival.exporter,
        port: arrival.port,
        version: payload[1],
        domain: u32::from(header.engine),
    };
    let numbered = Message {
        number: header.sequence,
        records: (count <= v5::RECORDS_MAX).then_some(u32::from(header.count)),
        uptime_ms: Some(header.uptime_ms),
        time: arrival.received.unwrap_or(header.export),
    };
    Ok(Read { number: Some((stream, numbered)), ..Read::default() })
}
