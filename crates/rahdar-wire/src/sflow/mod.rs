//! sFlow version 5: sampled packets of switches, hosts and routers into flow records.
//!
//! In reading order:
//!
//! * [`Agents`]: one for all agents; takes datagrams, gives flows. [`file()`] does the same for
//!   datagrams in a file.
//! * `datagram`: words, header and samples as they are on the wire.
//! * `sample`: what one flow sample says.
//! * `loss`: what the numbers of datagrams and samples say is missing; `rate`: whether they agree with the
//!   rate that is told.
//!
//! Source: sFlow.org, "sFlow Version 5", July 2004.
//!
//! # What is read
//! A flow sample, compact or expanded, is one packet and makes one record: addresses, ports and
//! flags from the sampled header, or from the records "sampled IPv4" and "sampled IPv6" where an
//! agent sends those instead; systems from "extended gateway". Tunnels are opened as in captures.
//! VLANs, next hops, users and URLs have no column and are stepped over, as is what vendors add.
//!
//! # What is counted
//! A flow sample of an IP packet is a record. Counter samples, discarded packets, frames without IP
//! and samples without any header are beside. A sample that is cut, or whose IP header is, is
//! refused.
//!
//! # Who and when
//! The exporter is the agent that the datagram names: its sender may be a relay. The sub-agent is
//! the observation domain. sFlow has no wall clock: a record is as old as its datagram, which an agent
//! must send within a second of the sample. In a file of bare datagrams nobody took the arrival: times
//! are then those since the agent started, from 1970 on, and marked; `--time-offset` places them.
//!
//! # Octets
//! Those of the IP header, so they hold no frame and no padding. Where it leaves its length to the
//! network card, the length of the frame without what was stripped and what stands before IP.
//! Where not even that is told, the length of the whole frame, marked so.
//!
//! # Rate
//! That of the sample's header, as long as the agent's own count of packets does not speak against it
//! (`rate`). What an agent drops for lack of time is told as a gap, not multiplied into the records.

mod datagram;
mod file;
mod loss;
mod rate;
mod sample;

use std::sync::Arc;

use rahdar_model::address::Address;
use rahdar_model::flow::{FlowRecord, Sampler, SamplingSource};
use rahdar_model::sink::{FlowSink, Place, SinkError, Tally};
use rahdar_model::time::Timestamp;

pub(crate) use file::{detect, file};

use crate::Options;
use crate::netflow::{Arrival, Books, Damaged, Out, Reader, Recent, Writer};
use datagram::{Header, Words};
use loss::{Agent, Order, Source, SourceKey};
use rate::Verdict;
use sample::{Content, Sample};

/// The exporter's name where neither datagram, sender nor operator give one.
const NAMELESS: &str = "sflow";

/// Agents that are remembered, each sub-agent for itself: as many as observation domains of
/// NetFlow. All of them take some 20 MiB.
const AGENTS_MAX: usize = 65_536;

/// Interfaces and other data sources that are remembered, over all agents. Chosen here: four for
/// every agent, some 40 MiB; what is forgotten costs one comparison of numbers.
const SOURCES_MAX: usize = 4 * AGENTS_MAX;

/// What is known of every agent, so that losses show.
pub(crate) struct Agents {
    books: Books,
    nameless: Arc<str>,
    agents: Recent<Speaker, Agent>,
    sources: Recent<SourceKey, Source>,
    /// Agents so far: the number of the last one.
    met: u64,
}

/// Whose numbers these are. The sender is part of it: two networks behind relays may use the
/// same private address. Its port is not: agents change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Speaker {
    sender: Address,
    agent: Address,
    sub_agent: u32,
}

impl Agents {
    /// Knows no agent yet.
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            books: Books::new(options),
            nameless: options.exporter.clone().unwrap_or_else(|| NAMELESS.into()),
            agents: Recent::new(AGENTS_MAX),
            sources: Recent::new(SOURCES_MAX),
            met: 0,
        }
    }

    /// Begins an input: problems are named again.
    pub(crate) fn begin(&mut self) {
        self.books.begin();
    }

    /// The number of the last record.
    pub(crate) fn rows_mut(&mut self) -> &mut u64 {
        self.books.rows_mut()
    }

    /// Says what was counted and not named.
    pub(crate) fn end(&mut self, record: &mut FlowRecord, sink: &mut dyn FlowSink, tally: &mut Tally) {
        Out { record, sink, tally, books: &mut self.books }.tell_unnamed();
    }

    /// Whether `payload` is by itself clearly one sFlow datagram: its lengths and counts agree.
    pub(crate) fn recognises(payload: &[u8]) -> bool {
        datagram::is_clear(payload)
    }

    /// Whether `beginning` is by itself clearly that of an sFlow datagram of so many octets.
    pub(crate) fn recognises_beginning(beginning: &[u8], octets: usize) -> bool {
        datagram::begins(beginning, octets)
    }

    /// Reads one datagram and hands its flows, and what was lost before it, to the sink.
    ///
    /// It never fails on what it is given: what was not understood is a problem and is counted.
    /// `record` is filled anew for every flow and keeps only its source.
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
        let place = |octet| Place::Datagram { packet: arrival.packet, octet };
        let mut words = Words::new(payload);
        let Some(header) = Header::read(&mut words) else {
            let mut out = Out { record, sink, tally, books: &mut self.books };
            out.refuse(place(0), 1, format_args!("the datagram has no whole header of sFlow version 5"));
            return Ok(());
        };
        let time = arrival
            .received
            .unwrap_or_else(|| Timestamp::default().plus_micros(i64::from(header.uptime_ms) * 1_000));

        let speaker = Speaker { sender: arrival.exporter, agent: header.agent, sub_agent: header.sub_agent };
        let (agent, gone) = self.agents.get_or_insert(speaker, || {
            self.met += 1;
            let address = if header.agent == Address::UNSPECIFIED { arrival.exporter } else { header.agent };
            let name = match address {
                Address::UNSPECIFIED => self.nameless.clone(),
                address => self.books.name(address, 0),
            };
            Agent::new(self.met, name, &header, time)
        });
        let mut out = Out { record, sink, tally, books: &mut self.books };
        if let Some((_, gone)) = gone {
            gone.close(&mut out)?;
        }
        let order = agent.datagram(header.sequence, time, &mut out)?;

        for samples in 0..header.samples {
            let at = words.at();
            let Some((kind, body)) = datagram::next(&mut words) else {
                let promised = header.samples;
                let why = format_args!("the header says `{promised}` samples, `{samples}` are whole");
                out.refuse(place(at), 1, why);
                break;
            };
            match Sample::read(kind, body) {
                None => out.tally.beside += 1,
                Some(Err(why)) => out.refuse(place(at), 1, format_args!("{why}")),
                Some(Ok(sample)) => {
                    let key = SourceKey::of(agent, &sample);
                    let mut verdict =
                        self.sources.get(key).map_or(Verdict::AsTold, |source| source.verdict());
                    if order == Order::Next {
                        let (source, _) =
                            self.sources.get_or_insert(key, || Source::new(&sample, agent.breaks));
                        let lost = source.sample(&sample, agent.breaks);
                        let before = std::mem::replace(&mut verdict, source.verdict());
                        agent.samples_lost(lost, time, &mut out)?;
                        if let Some(what) = contradiction(before, verdict) {
                            let Sample { source, rate, .. } = sample;
                            let agent = &agent.name;
                            let told = format_args!(
                                "source `{source}` of agent `{agent}` says one packet in `{rate}`, and by its count {what}"
                            );
                            out.note(place(at), told);
                        }
                    }
                    flow(&sample, verdict, agent, time, arrival, place(at), &mut out)?;
                }
            }
        }
        Ok(())
    }

    /// Writes down what is remembered.
    pub(crate) fn save(&self, to: &mut Writer) {
        to.u64(self.met);
        self.agents.save(to, |to, speaker, agent| {
            to.u128(speaker.sender.bits());
            to.u128(speaker.agent.bits());
            to.u32(speaker.sub_agent);
            agent.save(to);
        });
        self.sources.save(to, |to, key, source| {
            key.save(to);
            source.save(to);
        });
    }

    /// Gives agents of whom nothing is known what [`Agents::save`] wrote down.
    ///
    /// # Errors
    /// [`Damaged`] if that is not whole. The agents are then of no use.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), Damaged> {
        self.met = from.u64()?;
        self.agents = Recent::restore(AGENTS_MAX, from, |from| {
            let sender = Address::from_bits(from.u128()?);
            let agent = Address::from_bits(from.u128()?);
            let speaker = Speaker { sender, agent, sub_agent: from.u32()? };
            Ok((speaker, Agent::restore(from)?))
        })?;
        self.sources = Recent::restore(SOURCES_MAX, from, |from| {
            Ok((SourceKey::restore(from)?, Source::restore(from)?))
        })?;
        Ok(())
    }

    /// Tells what is known to be lost and was not told yet.
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
        for (_, agent) in self.agents.iter_mut() {
            agent.finish(&mut out)?;
        }
        out.tell_unnamed();
        Ok(())
    }
}

/// What to say of a verdict that is another than before.
fn contradiction(before: Verdict, now: Verdict) -> Option<&'static str> {
    match (before, now) {
        (Verdict::Fewer(_), Verdict::Fewer(_)) | (_, Verdict::AsTold) => None,
        (_, Verdict::Fewer(_)) => Some("it is one in fewer: its records count for less"),
        (Verdict::More, Verdict::More) => None,
        (_, Verdict::More) => Some("it is one in more: its records have no upper bound"),
    }
}

/// Gives the packet of a sample to the sink, if it is one of IP.
fn flow(
    sample: &Sample<'_>,
    verdict: Verdict,
    agent: &Agent,
    time: Timestamp,
    arrival: &Arrival,
    place: Place,
    out: &mut Out<'_>,
) -> Result<(), SinkError> {
    let record = &mut *out.record;
    record.reset();
    record.exporter.clone_from(&agent.name);
    record.observation_domain = agent.sub_agent;
    record.start_time = time;
    record.end_time = time;
    record.received_time = arrival.received;
    record.sampler = Some(Sampler::Random);
    if sample.rate > 0 {
        let interval = match verdict {
            Verdict::Fewer(interval) => sample.rate.min(interval),
            Verdict::AsTold | Verdict::More => sample.rate,
        };
        record.sampling_interval = Some(interval.min(i32::MAX as u32));
        record.sampling_source = Some(SamplingSource::Header);
    }
    if sample.rate == 0 || verdict != Verdict::AsTold {
        record.quality |= out.books.untold;
    }
    match sample.fill(record) {
        Content::Flow => out.give()?,
        Content::NoFlow => out.tally.beside += 1,
        Content::Unreadable(why) => out.refuse(place, 1, format_args!("{why}")),
        Content::UnknownHeader(protocol) => {
            out.refuse(place, 1, format_args!("sampled headers of protocol `{protocol}` are not read"));
        }
    }
    Ok(())
}
