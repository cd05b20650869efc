//! What a segment of the spool looks like on disk: a head, then entries, each with its length and
//! checksum. Integers are big-endian.
//!
//! ```text
//! head    magic "rahdarSP" · version u32 · number u64 · begun i64 (µs) · CRC-32 of these, u32
//! entry   octets of the body u32 · CRC-32 of the body u32 · body
//! body    kind u8 · what the kind has
//! ```
//!
//! A segment is known by the hash of its content. A segment that was being written when the machine
//! stopped ends somewhere: what follows its last whole entry is not read.

use std::io::{self, ErrorKind, Read};

use rahdar_model::fact::Loss;
use rahdar_model::{Address, Timestamp, Window};
use serde::{Deserialize, Serialize};

/// The first octets of every segment.
const MAGIC: &[u8; 8] = b"rahdarSP";

/// The version that is written and read here.
const VERSION: u32 = 1;

/// Octets of a head.
pub(crate) const HEAD_OCTETS: usize = 32;

/// Octets before the body of an entry.
const PREFIX_OCTETS: usize = 8;

/// Octets of the longest body: the longest UDP payload or IPFIX message, and what is said of it.
const BODY_OCTETS_MAX: usize = 65_535 + 64;

/// Octets of the longest name of a socket: `udp [`, an IPv6 address with its scope, a port.
const SOCKET_OCTETS_MAX: usize = 255;

/// One thing that happened to a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    /// An export datagram came.
    Datagram(Received<'a>),
    /// A message came on a stream.
    Message(Received<'a>),
    /// A stream ended.
    Closed { peer: Address, port: u16 },
    /// Datagrams came, or would have come, and were dropped.
    Dropped(Dropped),
    /// The collector was started: every stream of before has ended.
    Started,
    /// The collector was told to stop: what waits for nothing but a word is read now.
    Drained,
}

/// What came, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received<'a> {
    pub(crate) time: Timestamp,
    pub(crate) peer: Address,
    pub(crate) port: u16,
    pub(crate) payload: &'a [u8],
}

/// Datagrams that were dropped before anybody could read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) cause: Loss,
    pub(crate) whose: Whose,
    pub(crate) window: Window,
    pub(crate) datagrams: u64,
    /// Of a socket that outlives the collector: up to where its drops are counted with these.
    pub(crate) counter: Option<Counter>,
}

/// The kernel's count of what it dropped of one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counter {
    /// The boot of the machine: inodes begin anew with each.
    pub(crate) boot: u128,
    /// The inode of the socket.
    pub(crate) inode: u64,
    /// The count since the socket was made. It has 32 bits and wraps.
    pub(crate) drops: u32,
}

/// Whose datagrams were dropped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    /// Of this exporter.
    Exporter(Address),
    /// Of any that sent to this socket.
    Socket(String),
    /// Of senders that may not send.
    Strangers,
}

mod kind {
    pub(super) const DATAGRAM: u8 = 1;
    pub(super) const MESSAGE: u8 = 2;
    pub(super) const CLOSED: u8 = 3;
    pub(super) const DROPPED: u8 = 4;
    pub(super) const DRAINED: u8 = 5;
    pub(super) const STARTED: u8 = 6;
}

/// Appends the head of a segment.
pub(crate) fn write_head(number: u64, begun: Timestamp, to: &mut Vec<u8>) {
    let at = to.len();
    to.extend(MAGIC);
    to.extend(VERSION.to_be_bytes());
    to.extend(number.to_be_bytes());
    to.extend(begun.micros().to_be_bytes());
    let sum = crc32fast::hash(&to[at..]);
    to.extend(sum.to_be_bytes());
}

impl Entry<'_> {
    /// Appends the entry.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        let at = to.len();
        to.extend([0; PREFIX_OCTETS]);
        match self {
            Self::Datagram(received) => received.write(kind::DATAGRAM, to),
            Self::Message(received) => received.write(kind::MESSAGE, to),
            Self::Closed { peer, port } => {
                to.push(kind::CLOSED);
                to.extend(peer.bits().to_be_bytes());
                to.extend(port.to_be_bytes());
            }
            Self::Dropped(dropped) => dropped.write(to),
            Self::Started => to.push(kind::STARTED),
            Self::Drained => to.push(kind::DRAINED),
        }
        let body = &to[at + PREFIX_OCTETS..];
        let (octets, sum) = (body.len() as u32, crc32fast::hash(body));
        to[at..at + 4].copy_from_slice(&octets.to_be_bytes());
        to[at + 4..at + PREFIX_OCTETS].copy_from_slice(&sum.to_be_bytes());
    }

    fn read(body: &[u8]) -> Option<Entry<'_>> {
        let (kind, rest) = body.split_first()?;
        match *kind {
            kind::DATAGRAM => Some(Entry::Datagram(Received::read(rest)?)),
            kind::MESSAGE => Some(Entry::Message(Received::read(rest)?)),
            kind::CLOSED => {
                let (peer, rest) = address(rest)?;
                Some(Entry::Closed { peer, port: u16::from_be_bytes(rest.try_into().ok()?) })
            }
            kind::DROPPED => Some(Entry::Dropped(Dropped::read(rest)?)),
            kind::STARTED if rest.is_empty() => Some(Entry::Started),
            kind::DRAINED if rest.is_empty() => Some(Entry::Drained),
            _ => None,
        }
    }
}

impl Received<'_> {
    fn write(&self, kind: u8, to: &mut Vec<u8>) {
        to.push(kind);
        to.extend(self.time.micros().to_be_bytes());
        to.extend(self.peer.bits().to_be_bytes());
        to.extend(self.port.to_be_bytes());
        to.extend(self.payload);
    }

    fn read(rest: &[u8]) -> Option<Received<'_>> {
        let (time, rest) = time(rest)?;
        let (peer, rest) = address(rest)?;
        let (port, payload) = rest.split_first_chunk()?;
        Some(Received { time, peer, port: u16::from_be_bytes(*port), payload })
    }
}

impl Dropped {
    fn write(&self, to: &mut Vec<u8>) {
        to.push(kind::DROPPED);
        to.extend(self.window.from.micros().to_be_bytes());
        to.extend(self.window.until.micros().to_be_bytes());
        to.extend(self.datagrams.to_be_bytes());
        let cause = self.cause.word();
        to.push(cause.len() as u8);
        to.extend(cause.as_bytes());
        match &self.whose {
            Whose::Exporter(exporter) => {
                to.push(0);
                to.extend(exporter.bits().to_be_bytes());
            }
            Whose::Socket(name) => {
                match self.counter {
                    None => to.push(1),
                    Some(counter) => {
                        to.push(3);
                        to.extend(counter.boot.to_be_bytes());
                        to.extend(counter.inode.to_be_bytes());
                        to.extend(counter.drops.to_be_bytes());
                    }
                }
                to.extend(&name.as_bytes()[..name.len().min(SOCKET_OCTETS_MAX)]);
            }
            Whose::Strangers => to.push(2),
        }
    }

    fn read(rest: &[u8]) -> Option<Self> {
        let (from, rest) = time(rest)?;
        let (until, rest) = time(rest)?;
        let (datagrams, rest) = rest.split_first_chunk()?;
        let (octets, rest) = rest.split_first()?;
        let (cause, rest) = rest.split_at_checked(usize::from(*octets))?;
        let (whose, rest) = rest.split_first()?;
        let (counter, rest) = match whose {
            3 => Counter::read(rest).map(|(counter, rest)| (Some(counter), rest))?,
            _ => (None, rest),
        };
        Some(Self {
            cause: Loss::from_word(str::from_utf8(cause).ok()?)?,
            whose: match whose {
                0 => Whose::Exporter(address(rest)?.0),
                1 | 3 => Whose::Socket(str::from_utf8(rest).ok()?.to_owned()),
                2 => Whose::Strangers,
                _ => return None,
            },
            window: Window::new(from, until),
            datagrams: u64::from_be_bytes(*datagrams),
            counter,
        })
    }
}

impl Counter {
    fn read(octets: &[u8]) -> Option<(Self, &[u8])> {
        let (boot, rest) = octets.split_first_chunk()?;
        let (inode, rest) = rest.split_first_chunk()?;
        let (drops, rest) = rest.split_first_chunk()?;
        let (boot, inode) = (u128::from_be_bytes(*boot), u64::from_be_bytes(*inode));
        Some((Self { boot, inode, drops: u32::from_be_bytes(*drops) }, rest))
    }
}

fn time(octets: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (micros, rest) = octets.split_first_chunk()?;
    Some((Timestamp::from_micros(i64::from_be_bytes(*micros)), rest))
}

fn address(octets: &[u8]) -> Option<(Address, &[u8])> {
    let (bits, rest) = octets.split_first_chunk()?;
    Some((Address::from_bits(u128::from_be_bytes(*bits)), rest))
}

/// Reads the entries of a segment.
pub(crate) struct Entries<R> {
    input: R,
    body: Vec<u8>,
    /// Octets of the head and of the whole entries read so far.
    octets: u64,
}

impl<R: Read> Entries<R> {
    /// The entries behind the head of `input`; none if that is no whole head of this version.
    ///
    /// # Errors
    /// What reading fails with.
    pub(crate) fn open(mut input: R) -> io::Result<Option<Self>> {
        let mut head = [0; HEAD_OCTETS];
        if !filled(&mut input, &mut head)? {
            return Ok(None);
        }
        let (said, sum) = head.split_at(HEAD_OCTETS - 4);
        let is_head = said.starts_with(MAGIC)
            && said[8..12] == VERSION.to_be_bytes()
            && *sum == crc32fast::hash(said).to_be_bytes();
        Ok(is_head.then(|| Self { input, body: Vec::new(), octets: HEAD_OCTETS as u64 }))
    }

    /// The next entry; none at the end, or where the rest is no entry.
    ///
    /// # Errors
    /// What reading fails with.
    pub(crate) fn next(&mut self) -> io::Result<Option<Entry<'_>>> {
        let mut prefix = [0; PREFIX_OCTETS];
        if !filled(&mut self.input, &mut prefix)? {
            return Ok(None);
        }
        let [a, b, c, d, sum @ ..] = prefix;
        let octets = u32::from_be_bytes([a, b, c, d]) as usize;
        if octets > BODY_OCTETS_MAX {
            return Ok(None);
        }
        self.body.resize(octets, 0);
        if !filled(&mut self.input, &mut self.body)? || crc32fast::hash(&self.body).to_be_bytes() != sum {
            return Ok(None);
        }
        let entry = Entry::read(&self.body);
        if entry.is_some() {
            self.octets += (PREFIX_OCTETS + octets) as u64;
        }
        Ok(entry)
    }

    /// Octets of the head and of the whole entries read so far.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }
}

/// Fills the buffer; false if the input ends before.
fn filled(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry<'static>> {
        let window = Window::new(Timestamp::from_seconds(3), Timestamp::from_seconds(4));
        let dropped = |cause, whose| Dropped { cause, whose, window, datagrams: 1 << 40, counter: None };
        let counter = Some(Counter { boot: 1 << 100, inode: 1 << 40, drops: u32::MAX });
        let socket = Whose::Socket("udp 192.0.2.1:2055".to_owned());
        let received = |payload| Received {
            time: Timestamp::from_micros(-5),
            peer: "2001:db8::7".parse().unwrap(),
            port: 4_739,
            payload,
        };
        vec![
            Entry::Started,
            Entry::Datagram(received(b"an export")),
            Entry::Datagram(received(b"")),
            Entry::Message(received(b"a message")),
            Entry::Closed { peer: "192.0.2.1".parse().unwrap(), port: 9 },
            Entry::Dropped(dropped(Loss::QueueDrop, Whose::Exporter("192.0.2.1".parse().unwrap()))),
            Entry::Dropped(dropped(Loss::KernelDrop, socket.clone())),
            Entry::Dropped(Dropped { counter, ..dropped(Loss::KernelDrop, socket) }),
            Entry::Dropped(dropped(Loss::Rejected, Whose::Strangers)),
            Entry::Drained,
        ]
    }

    fn written() -> Vec<u8> {
        let mut octets = Vec::new();
        write_head(7, Timestamp::from_seconds(1), &mut octets);
        for entry in entries() {
            entry.write(&mut octets);
        }
        octets
    }

    /// How many entries come back, all of them as they were written.
    fn read(octets: &[u8]) -> Option<usize> {
        let mut read = Entries::open(octets).unwrap()?;
        let mut count = 0;
        for written in entries() {
            match read.next().unwrap() {
                Some(entry) => assert_eq!(entry, written),
                None => break,
            }
            count += 1;
        }
        assert!(read.octets() <= octets.len() as u64);
        Some(count)
    }

    #[test]
    fn what_is_written_comes_back() {
        assert_eq!(read(&written()), Some(entries().len()));
    }

    #[test]
    fn a_segment_may_end_anywhere() {
        let octets = written();
        let mut before = 0;
        for end in HEAD_OCTETS..octets.len() {
            let count = read(&octets[..end]).unwrap();
            assert!(count == before || count == before + 1, "{end}");
            before = count;
        }
        assert_eq!(before, entries().len() - 1);
        assert_eq!(read(&octets[..HEAD_OCTETS - 1]), None);
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let octets = written();
        for bit in 0..8 * octets.len() {
            let mut flipped = octets.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&flipped).is_none_or(|count| count < entries().len()), "{bit}");
        }
    }
}
