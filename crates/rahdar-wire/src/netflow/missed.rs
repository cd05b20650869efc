//! Losses by sequence number of all streams, told as gaps.
//!
//! What was dropped here is missing from the sequence as well. It is counted where it was dropped,
//! and taken off what the sequence shows, so that no loss counts twice. Where the sequence counts
//! records, that is by their mean per message, and so an estimate.

use std::collections::HashMap;

use rahdar_model::fact::{Fact, Gap, Loss, Unit};
use rahdar_model::sink::{Place, SinkError};
use rahdar_model::time::SECOND_US;
use rahdar_model::{Address, Timestamp};

use super::flow::Out;
use super::recent::Recent;
use super::saved::{Damaged, Reader, Writer};
use super::sequence::{Message, Missing, Rule, Sequence};

/// Streams whose numbers are followed, over all exporters: as many as there are observation domains.
const STREAMS_MAX: usize = 65_536;

/// Exporters of which it is remembered that something of theirs was dropped here. Chosen here:
/// more than a country has.
const DROPPED_MAX: usize = 4_096;

/// How long it is remembered: until every stream that missed it has told so.
const DROPPED_FOR_US: i64 = 180 * SECOND_US;

/// What numbers its messages: one protocol of one observation domain of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stream {
    pub(super) exporter: Address,
    pub(super) port: u16,
    pub(super) version: u8,
    pub(super) domain: u32,
}

impl Stream {
    fn rule(&self) -> Rule {
        if self.version == 9 { Rule::Messages } else { Rule::Records }
    }
}

/// The sequences of all streams.
pub(super) struct Missed {
    streams: Recent<Stream, Sequence>,
    dropped: HashMap<Address, Dropped>,
    /// Of which it is not known whose they were.
    dropped_of_any: Dropped,
}

/// Datagrams dropped here that no sequence has shown yet.
#[derive(Debug, Clone, Copy, Default)]
struct Dropped {
    datagrams: u64,
    last: Timestamp,
}

impl Dropped {
    fn add(&mut self, datagrams: u64, time: Timestamp) {
        if time.since(self.last) > DROPPED_FOR_US {
            self.datagrams = 0;
        }
        self.datagrams += datagrams;
        self.last = self.last.max(time);
    }

    /// Takes up to so many, unless it was too long before `time`.
    fn take(&mut self, wanted: u64, time: Timestamp) -> u64 {
        if time.since(self.last) > DROPPED_FOR_US {
            self.datagrams = 0;
        }
        let taken = wanted.min(self.datagrams);
        self.datagrams -= taken;
        taken
    }
}

impl Missed {
    pub(super) fn new() -> Self {
        Self {
            streams: Recent::new(STREAMS_MAX),
            dropped: HashMap::new(),
            dropped_of_any: Dropped::default(),
        }
    }

    /// Takes in the number of a message, and tells what is missing.
    pub(super) fn message(
        &mut self,
        stream: Stream,
        message: &Message,
        packet: u64,
        out: &mut Out<'_>,
    ) -> Result<(), SinkError> {
        let (sequence, gone) = self.streams.get_or_insert(stream, || Sequence::new(stream.rule()));
        let lesson = sequence.message(message);
        let gone = gone.and_then(|(stream, mut sequence)| Some((stream, sequence.tell()?)));
        let missing = lesson.missing.map(|missing| (stream, missing));
        for (stream, missing) in [gone, missing].into_iter().flatten() {
            self.tell(&stream, &missing, out)?;
        }
        if let Some(oddity) = lesson.oddity {
            let exporter = out.books.name(stream.exporter, stream.version.into());
            let domain = stream.domain;
            out.note(
                Place::Datagram { packet, octet: 0 },
                format_args!("domain `{domain}` of exporter `{exporter}` {oddity}"),
            );
        }
        Ok(())
    }

    /// Takes note that datagrams were dropped here.
    pub(super) fn dropped(&mut self, exporter: Option<Address>, datagrams: u64, time: Timestamp) {
        let known = exporter
            .filter(|exporter| self.dropped.contains_key(exporter) || self.dropped.len() < DROPPED_MAX);
        match known {
            Some(exporter) => self.dropped.entry(exporter).or_default().add(datagrams, time),
            None => self.dropped_of_any.add(datagrams, time),
        }
    }

    /// Tells all that is missing by now.
    pub(super) fn tell_all(&mut self, out: &mut Out<'_>) -> Result<(), SinkError> {
        let missing: Vec<(Stream, Missing)> = self
            .streams
            .iter_mut()
            .filter_map(|(stream, sequence)| Some((stream, sequence.tell()?)))
            .collect();
        missing.iter().try_for_each(|(stream, missing)| self.tell(stream, missing, out))
    }

    /// Ends the streams of the sessions, each an exporter and its port, that have ended.
    pub(super) fn close(
        &mut self,
        has_ended: impl Fn(Address, u16) -> bool,
        out: &mut Out<'_>,
    ) -> Result<(), SinkError> {
        let streams = self.streams.iter().map(|(stream, _)| stream);
        let ended: Vec<Stream> = streams.filter(|stream| has_ended(stream.exporter, stream.port)).collect();
        for stream in ended {
            let missing = self.streams.remove(stream).and_then(|mut sequence| sequence.tell());
            if let Some(missing) = missing {
                self.tell(&stream, &missing, out)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, stream: &Stream, missing: &Missing, out: &mut Out<'_>) -> Result<(), SinkError> {
        let lost = self.lost_elsewhere(stream.exporter, missing);
        if lost == 0 {
            return Ok(());
        }
        let account = out.books.accounts.of(stream.exporter);
        match missing.unit {
            Unit::Records => account.lost_records += lost,
            Unit::Datagrams | Unit::Samples => account.lost_messages += lost,
        }
        let gap = Gap {
            exporter: out.books.name(stream.exporter, stream.version.into()),
            observation_domain: stream.domain,
            window: out.books.moved(missing.window),
            cause: Loss::Sequence,
            unit: missing.unit,
            lost,
            source: out.record.source.clone(),
        };
        out.sink.fact(Fact::Gap(&gap))
    }

    /// How much of what is missing was lost before it came here.
    fn lost_elsewhere(&mut self, exporter: Address, missing: &Missing) -> u64 {
        let (messages, records) = missing.mean;
        let (messages, records) = match missing.unit {
            Unit::Records if records > 0 => (u128::from(messages), u128::from(records)),
            _ => (1, 1),
        };
        let saturated = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        let datagrams = saturated((u128::from(missing.lost) * messages).div_ceil(records));
        match self.not_dropped_here(exporter, datagrams, missing.window.until) {
            0 => 0,
            left => {
                let taken = u128::from(datagrams - left);
                missing.lost.saturating_sub(saturated(taken * records / messages))
            }
        }
    }

    /// Of so many datagrams that are missing at `time`, those that were not dropped here.
    pub(super) fn not_dropped_here(&mut self, exporter: Address, missing: u64, time: Timestamp) -> u64 {
        let own = self.dropped.get_mut(&exporter).map_or(0, |dropped| dropped.take(missing, time));
        missing - own - self.dropped_of_any.take(missing - own, time)
    }

    /// Writes all of it.
    pub(super) fn save(&self, to: &mut Writer) {
        self.streams.save(to, |to, stream, sequence| {
            to.u128(stream.exporter.bits());
            to.u16(stream.port);
            to.u8(stream.version);
            to.u32(stream.domain);
            sequence.save(to);
        });
        let dropped = |to: &mut Writer, dropped: &Dropped| {
            to.u64(dropped.datagrams);
            to.i64(dropped.last.micros());
        };
        to.list(self.dropped.iter(), |to, (exporter, of_exporter)| {
            to.u128(exporter.bits());
            dropped(to, of_exporter);
        });
        dropped(to, &self.dropped_of_any);
    }

    /// Reads what [`Missed::save`] wrote.
    pub(super) fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let streams = Recent::restore(STREAMS_MAX, from, |from| {
            let stream = Stream {
                exporter: Address::from_bits(from.u128()?),
                port: from.u16()?,
                version: from.u8()?,
                domain: from.u32()?,
            };
            Ok((stream, Sequence::restore(from)?))
        })?;
        let dropped = |from: &mut Reader<'_>| {
            Ok(Dropped { datagrams: from.u64()?, last: Timestamp::from_micros(from.i64()?) })
        };
        let of_exporters = from.list(|from| Ok((Address::from_bits(from.u128()?), dropped(from)?)))?;
        Ok(Self { streams, dropped: of_exporters.into_iter().collect(), dropped_of_any: dropped(from)? })
    }
}
