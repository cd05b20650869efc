//! IPFIX over TCP (RFC 7011 §10.4): the segments of a connection joined in order, and cut into messages.
//!
//! A connection is one of export from the first segment on that begins with a message; what came before it is traffic. One
//! in which no message is found over [`LOST_OCTETS_MAX`] is traffic again: its segments since the last message are refused.
//! Segments that come early wait for those before them, and octets that come twice count once. Where octets are
//! missing for good, what is left of their message is given up, and the stream goes on at the next message that begins:
//! its number tells how many records were lost, as with datagrams.
//!
//! When it is wrong: a segment that comes later than [`AGE_US`] or [`WAITING_OCTETS_MAX`] after those behind it is
//! missing. Checksums are not looked at: they are often left to the network card.

use std::collections::BTreeMap;

use rahdar_model::sink::SinkError;
use rahdar_model::time::DAY_US;
use rahdar_model::{Address, Timestamp};

use crate::netflow::Collector;

/// The most connections at once; then the one that was idle for longest is ended. Chosen here: a collector has some
/// dozens of exporters over TCP.
const CONNECTIONS_MAX: usize = 256;

/// The most octets of a connection that wait for those before them. Chosen here: four messages of the largest size.
const WAITING_OCTETS_MAX: usize = 256 << 10;

/// What a segment that waits costs beside its octets. Chosen here: about what it does.
const SEGMENT_OCTETS: usize = 64;

/// How long segments wait for those before them, by the clock of the capture: 15 s, as pieces of packets do.
const AGE_US: i64 = 15_000_000;

/// The farthest that a number may be ahead of the one that is expected: the largest window of TCP (RFC 7323 §2.3). Beyond
/// it the ports are of another connection, whose beginning is not in the capture.
const WINDOW_MAX: u32 = 1 << 30;

/// The farthest that it may be behind, as of octets that come again. Chosen here: what waits for the acknowledgement of a
/// collector stays below; beyond it the connection is another one likewise.
const AGAIN_MAX: u32 = 4 << 20;

/// The most octets without a message, after some that were missing or were none. Chosen here: two messages of the largest
/// size, within which another begins.
const LOST_OCTETS_MAX: usize = 128 << 10;

/// How far the clock of an exporter may be from that of the capture. Chosen here: any two octets may begin a segment,
/// and a date of this year is what other protocols do not have there.
const CLOCK_US: i64 = DAY_US;

/// Octets of the header of a message, and of that and the header of its first set (RFC 7011 §3.1, §3.3.2).
const HEADER_OCTETS: usize = 16;
const BEGINNING_OCTETS: usize = HEADER_OCTETS + 4;

/// Who sends to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Connection {
    pub(crate) src: Address,
    pub(crate) src_port: u16,
    pub(crate) dst: Address,
    pub(crate) dst_port: u16,
}

/// A segment of one, with its octets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment<'s> {
    /// The number of its first octet.
    pub(crate) number: u32,
    pub(crate) octets: &'s [u8],
    /// Its packet, and when that came.
    pub(crate) packet: u64,
    pub(crate) time: Timestamp,
}

/// A message, or word of one that was lost.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event<'s> {
    /// A message, in the packet that completed it.
    Message { octets: &'s [u8], packet: u64, time: Timestamp },
    /// Octets of the connection are missing, or are no message, as of this packet.
    Broken { packet: u64 },
    /// No message came in so many segments, up to this packet.
    Unread { packet: u64, segments: u64 },
    /// The connection is over: what it said holds no longer.
    Ended,
}

/// Takes the events of one connection.
type Own<'t> = &'t mut dyn FnMut(Event<'_>) -> Result<(), SinkError>;

/// Takes those of all.
type Take<'t> = &'t mut dyn FnMut(Connection, Event<'_>) -> Result<(), SinkError>;

/// The connections of a capture that carry export.
#[derive(Default)]
pub(crate) struct Streams(BTreeMap<Connection, Stream>);

impl Streams {
    /// Takes a segment; false if it belongs to no stream of export, or to one no more.
    pub(crate) fn take(
        &mut self,
        connection: Connection,
        segment: &Segment<'_>,
        take: Take<'_>,
    ) -> Result<bool, SinkError> {
        if self.0.get(&connection).is_some_and(Stream::is_no_export) {
            self.end(Some(connection), take)?;
        }
        let is_known = self.0.contains_key(&connection);
        if segment.octets.is_empty() || !(is_known || begins_message(segment.octets, segment.time)) {
            return Ok(false);
        }
        if !is_known && self.0.len() == CONNECTIONS_MAX {
            let idle = self.0.iter().min_by_key(|(_, stream)| stream.packet).map(|(idle, _)| *idle);
            self.end(idle, take)?;
        }
        let stream = self.0.entry(connection).or_insert_with(|| Stream::begin(segment.number));
        stream.take(segment, &mut |event| take(connection, event))?;
        Ok(true)
    }

    /// A connection begins: one of the same ports is over.
    pub(crate) fn opened(&mut self, connection: Connection, take: Take<'_>) -> Result<(), SinkError> {
        self.end(Some(connection), take)
    }

    /// Gives up what waits at the end of the capture.
    pub(crate) fn finish(&mut self, take: Take<'_>) -> Result<(), SinkError> {
        for (connection, stream) in &mut self.0 {
            stream.give_up(&mut |event| take(*connection, event))?;
        }
        Ok(())
    }

    fn end(&mut self, connection: Option<Connection>, take: Take<'_>) -> Result<(), SinkError> {
        let Some(connection) = connection else { return Ok(()) };
        let Some(mut stream) = self.0.remove(&connection) else { return Ok(()) };
        stream.give_up(&mut |event| take(connection, event))?;
        take(connection, Event::Ended)
    }
}

/// Whether octets are clearly the beginning of a message of about this time.
fn begins_message(octets: &[u8], time: Timestamp) -> bool {
    let [0, 10, high, low, seconds @ ..] = octets else { return false };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let exported = seconds.first_chunk().map_or(0, |seconds| i64::from(u32::from_be_bytes(*seconds)));
    Timestamp::from_seconds(exported).since(time).saturating_abs() <= CLOCK_US
        && Collector::recognises_beginning(&octets[..length.min(octets.len())], length)
}

/// One connection.
struct Stream {
    /// The number of the octet behind `joined`, not wrapped.
    next: u64,
    /// Octets in order, from the beginning of a message on.
    joined: Vec<u8>,
    /// Whether octets before `joined` are missing: it need not begin with a message.
    is_lost: bool,
    /// Octets without a message since then.
    lost_octets: usize,
    /// Segments joined since the last message.
    unread: u64,
    /// Segments behind octets that are missing, by their numbers.
    early: BTreeMap<u64, Vec<u8>>,
    /// What they cost.
    waiting_octets: usize,
    /// Since when the first of them waits.
    since: Timestamp,
    /// The newest packet, and when it came.
    packet: u64,
    time: Timestamp,
}

impl Stream {
    fn begin(number: u32) -> Self {
        Self {
            // Far enough from 0 for segments from before.
            next: u64::from(number) + (1 << 32),
            joined: Vec::new(),
            is_lost: false,
            lost_octets: 0,
            unread: 0,
            early: BTreeMap::new(),
            waiting_octets: 0,
            since: Timestamp::default(),
            packet: 0,
            time: Timestamp::default(),
        }
    }

    /// Whether too much of it is no message.
    fn is_no_export(&self) -> bool {
        self.is_lost && self.lost_octets > LOST_OCTETS_MAX
    }

    fn take(&mut self, segment: &Segment<'_>, take: Own<'_>) -> Result<(), SinkError> {
        (self.packet, self.time) = (segment.packet, segment.time);
        let ahead = segment.number.wrapping_sub(self.next as u32).cast_signed();
        let most = if ahead < 0 { AGAIN_MAX } else { WINDOW_MAX };
        if ahead.unsigned_abs() > most {
            self.give_up(take)?;
            *self =
                Self { is_lost: true, packet: self.packet, time: self.time, ..Self::begin(segment.number) };
            return self.join(segment.octets, take);
        }
        match u64::try_from(ahead) {
            Err(_) => {
                let before = ahead.unsigned_abs() as usize;
                self.join(segment.octets.get(before..).unwrap_or_default(), take)?;
            }
            Ok(0) => self.join(segment.octets, take)?,
            Ok(ahead) => self.keep(self.next + ahead, segment),
        }
        let is_late = |stream: &Self| {
            !stream.early.is_empty()
                && (stream.waiting_octets > WAITING_OCTETS_MAX || stream.time.since(stream.since) > AGE_US)
        };
        while is_late(self) {
            self.skip(take)?;
        }
        Ok(())
    }

    /// Keeps a segment until those before it are there.
    fn keep(&mut self, number: u64, segment: &Segment<'_>) {
        if self.early.get(&number).is_some_and(|known| known.len() >= segment.octets.len()) {
            return;
        }
        if self.early.is_empty() {
            self.since = segment.time;
        }
        self.waiting_octets += segment.octets.len() + SEGMENT_OCTETS;
        if let Some(shorter) = self.early.insert(number, segment.octets.to_vec()) {
            self.waiting_octets -= shorter.len() + SEGMENT_OCTETS;
        }
    }

    /// Takes octets that are next, and those that waited for them.
    fn join(&mut self, octets: &[u8], take: Own<'_>) -> Result<(), SinkError> {
        self.append(octets, take)?;
        while let Some(first) = self.early.first_entry().filter(|first| *first.key() <= self.next) {
            let (number, octets) = first.remove_entry();
            self.waiting_octets -= octets.len() + SEGMENT_OCTETS;
            // What was waited for is there: what still waits does so for something else.
            self.since = self.time;
            let known = usize::try_from(self.next - number).unwrap_or(usize::MAX);
            self.append(octets.get(known..).unwrap_or_default(), take)?;
        }
        Ok(())
    }

    fn append(&mut self, octets: &[u8], take: Own<'_>) -> Result<(), SinkError> {
        self.next += octets.len() as u64;
        self.unread += u64::from(!octets.is_empty());
        self.joined.extend_from_slice(octets);
        let mut at = 0;
        loop {
            let left = &self.joined[at..];
            if self.is_lost {
                let starts = 0..(left.len() + 1).saturating_sub(BEGINNING_OCTETS);
                let Some(begin) = starts.into_iter().find(|at| begins_message(&left[*at..], self.time))
                else {
                    let passed = (left.len() + 1).saturating_sub(BEGINNING_OCTETS);
                    self.lost_octets += passed;
                    at += passed;
                    break;
                };
                self.lost_octets += begin;
                at += begin;
                self.is_lost = false;
                continue;
            }
            let [zero, version, high, low, ..] = *left else { break };
            let length = usize::from(u16::from_be_bytes([high, low]));
            if [zero, version] != [0, 10] || length < HEADER_OCTETS {
                self.is_lost = true;
                take(Event::Broken { packet: self.packet })?;
                continue;
            }
            let Some(octets) = left.get(..length) else { break };
            take(Event::Message { octets, packet: self.packet, time: self.time })?;
            (self.lost_octets, self.unread) = (0, 0);
            at += length;
        }
        self.joined.drain(..at);
        Ok(())
    }

    /// Gives up what is missing before the first segment that waits.
    fn skip(&mut self, take: Own<'_>) -> Result<(), SinkError> {
        let Some((number, _)) = self.early.first_key_value() else { return Ok(()) };
        self.next = *number;
        self.joined.clear();
        self.is_lost = true;
        take(Event::Broken { packet: self.packet })?;
        self.join(&[], take)
    }

    /// Gives up whatever is missing, the message that is not whole, and what came since the last one.
    fn give_up(&mut self, take: Own<'_>) -> Result<(), SinkError> {
        while !self.early.is_empty() {
            self.skip(take)?;
        }
        match self.joined[..] {
            _ if self.is_lost && self.unread > 0 => {
                take(Event::Unread { packet: self.packet, segments: self.unread })
            }
            [] => Ok(()),
            _ if self.is_lost => Ok(()),
            _ => take(Event::Broken { packet: self.packet }),
        }
    }
}
