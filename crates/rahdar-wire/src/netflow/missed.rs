//! Losses by sequence number of all streams, told as gaps.
//!
//! What was dropped here is missing from the sequence as well. What is known to be the exporter's was counted when it
//! was dropped, and is taken off what the sequence shows. Of what a socket dropped nobody knows whose it was:
//! what the sequence shows meanwhile is told as the exporter's share of it, up to all of it. So every loss that a
//! sequence shows is told under its exporter once, and a flood that a socket could not hold hides none. Where the
//! sequence counts records, the parts are by their mean per message, and so an estimate.

use std::collections::{BTreeSet, HashMap};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// The same streams, so that those of a session lie together.
    in_order: BTreeSet<Stream>,
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

/// Where something that is missing was lost, as far as it was not counted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    /// By the network or the exporter.
    pub(crate) elsewhere: u64,
    /// With what a socket dropped.
    pub(crate) of_socket: u64,
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
            in_order: BTreeSet::new(),
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
        let (sequence, gone) = self.streams.get_or_insert(stream, || {
            self.in_order.insert(stream);
            Sequence::new(stream.rule())
        });
        if let Some((gone, _)) = &gone {
            self.in_order.remove(gone);
        }
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

    /// Ends the streams that an exporter sent from this port.
    pub(super) fn close(&mut self, exporter: Address, port: u16, out: &mut Out<'_>) -> Result<(), SinkError> {
        let first = Stream { exporter, port, version: 0, domain: 0 };
        let last = Stream { version: u8::MAX, domain: u32::MAX, ..first };
        self.end(self.in_order.range(first..=last).copied().collect(), out)
    }

    /// Ends every stream.
    pub(super) fn close_all(&mut self, out: &mut Out<'_>) -> Result<(), SinkError> {
        self.end(self.in_order.iter().copied().collect(), out)
    }

    fn end(&mut self, streams: Vec<Stream>, out: &mut Out<'_>) -> Result<(), SinkError> {
        for stream in streams {
            self.in_order.remove(&stream);
            let missing = self.streams.remove(stream).and_then(|mut sequence| sequence.tell());
            if let Some(missing) = missing {
                self.tell(&stream, &missing, out)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, stream: &Stream, missing: &Missing, out: &mut Out<'_>) -> Result<(), SinkError> {
        let shares = self.shares(stream.exporter, missing);
        let account = out.books.accounts.of(stream.exporter);
        match missing.unit {
            Unit::Records => account.lost_records += shares.elsewhere,
            Unit::Datagrams | Unit::Samples | Unit::Packets => account.lost_messages += shares.elsewhere,
        }
        for (cause, lost) in [(Loss::Sequence, shares.elsewhere), (Loss::KernelDrop, shares.of_socket)] {
            if lost == 0 {
                continue;
            }
            let gap = Gap {
                exporter: out.books.name(stream.exporter, stream.version.into()),
                observation_domain: stream.domain,
                window: out.books.moved(missing.window),
                cause,
                unit: missing.unit,
                lost,
                source: out.record.source.clone(),
            };
            out.sink.fact(Fact::Gap(&gap))?;
        }
        Ok(())
    }

    /// Where what is missing was lost, in its unit.
    fn shares(&mut self, exporter: Address, missing: &Missing) -> Shares {
        let (messages, records) = missing.mean;
        let (messages, records) = match missing.unit {
            Unit::Records if records > 0 => (u128::from(messages), u128::from(records)),
            _ => (1, 1),
        };
        let saturated = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        let datagrams = saturated((u128::from(missing.lost) * messages).div_ceil(records));
        let left = self.shares_of(exporter, datagrams, missing.window.until);
        let known = datagrams - left.elsewhere - left.of_socket;
        let in_unit = |datagrams: u64| saturated(u128::from(datagrams) * records / messages);
        // What all datagrams of a kind hold is not rounded.
        let unknown = if known == 0 { missing.lost } else { missing.lost.saturating_sub(in_unit(known)) };
        let unknown = if left.elsewhere + left.of_socket == 0 { 0 } else { unknown };
        let of_socket = if left.elsewhere == 0 { unknown } else { in_unit(left.of_socket).min(unknown) };
        Shares { elsewhere: unknown - of_socket, of_socket }
    }

    /// Of so many datagrams that are missing at `time`, those that were not dropped here as the exporter's own.
    pub(super) fn shares_of(&mut self, exporter: Address, missing: u64, time: Timestamp) -> Shares {
        let own = self.dropped.get_mut(&exporter).map_or(0, |dropped| dropped.take(missing, time));
        let of_socket = self.dropped_of_any.take(missing - own, time);
        Shares { elsewhere: missing - own - of_socket, of_socket }
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
        let in_order = streams.iter().map(|(stream, _)| stream).collect();
        Ok(Self {
            streams,
            in_order,
            dropped: of_exporters.into_iter().collect(),
            dropped_of_any: dropped(from)?,
        })
    }
}
