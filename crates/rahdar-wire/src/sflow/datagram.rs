//! A datagram as it is on the wire: XDR words (RFC 4506), a header, then samples.
//!
//! Source: sFlow.org, "sFlow Version 5", July 2004, §5.

use rahdar_model::Address;

/// The version that is read.
const VERSION: u32 = 5;

/// Octets of the shortest sample: its format and its length.
const SAMPLE_HEADER: usize = 8;

/// Words, read one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'d> {
    octets: &'d [u8],
    at: usize,
}

impl<'d> Words<'d> {
    pub(super) fn new(octets: &'d [u8]) -> Self {
        Self { octets, at: 0 }
    }

    /// The octet that is read next, from 0.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next word; none if not all of it is there.
    pub(super) fn word(&mut self) -> Option<u32> {
        let word = u32::from_be_bytes(*self.octets.get(self.at..)?.first_chunk()?);
        self.at += 4;
        Some(word)
    }

    /// The next `octets`, which are padded to whole words; none if not all of them are there.
    /// The padding may be missing at the very end.
    pub(super) fn opaque(&mut self, octets: u32) -> Option<&'d [u8]> {
        let rest = self.octets.get(self.at..)?;
        let octets = octets as usize;
        let taken = rest.get(..octets)?;
        self.at += octets.next_multiple_of(4).min(rest.len());
        Some(taken)
    }

    /// Steps over `count` words; none if not all of them are there.
    pub(super) fn skip(&mut self, count: u32) -> Option<()> {
        self.opaque(count.checked_mul(4)?).map(drop)
    }

    /// An IPv4 address.
    pub(super) fn v4(&mut self) -> Option<Address> {
        self.word().map(Address::from_v4_bits)
    }

    /// An IPv6 address.
    pub(super) fn v6(&mut self) -> Option<Address> {
        let octets = self.opaque(16)?.first_chunk()?;
        Some(Address::from_bits(u128::from_be_bytes(*octets)))
    }

    /// An address of either family, or of none: the kind comes first.
    pub(super) fn address(&mut self) -> Option<Address> {
        match self.word()? {
            0 => Some(Address::UNSPECIFIED),
            1 => self.v4(),
            2 => self.v6(),
            _ => None,
        }
    }
}

/// The header of a datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    /// Who sampled; [`Address::UNSPECIFIED`] if it does not say.
    pub(super) agent: Address,
    pub(super) sub_agent: u32,
    /// The number of the datagram, counted by the sub-agent.
    pub(super) sequence: u32,
    /// Milliseconds since the agent started.
    pub(super) uptime_ms: u32,
    /// How many samples should follow.
    pub(super) samples: u32,
}

impl Header {
    /// Reads a header; none if it is cut, of another version, or its agent has no address that
    /// could be one.
    pub(super) fn read(words: &mut Words<'_>) -> Option<Self> {
        if words.word()? != VERSION {
            return None;
        }
        Some(Self {
            agent: words.address()?,
            sub_agent: words.word()?,
            sequence: words.word()?,
            uptime_ms: words.word()?,
            samples: words.word()?,
        })
    }
}

/// What kind a sample or a record is: a number, and who gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(u32);

impl Kind {
    /// The number of a kind of sFlow.org; none of another's.
    pub(super) fn standard(self) -> Option<u32> {
        (self.0 >> 12 == 0).then_some(self.0 & 0xfff)
    }
}

/// The next sample of a datagram, or record of a sample: its kind and what is in it. None if not
/// all of it is there.
pub(super) fn next<'d>(words: &mut Words<'d>) -> Option<(Kind, &'d [u8])> {
    let kind = Kind(words.word()?);
    let octets = words.word()?;
    Some((kind, words.opaque(octets)?))
}

/// How long the datagram is that `octets` begin with, or what is there of it; none if they begin
/// with something else.
pub(super) fn length(octets: &[u8]) -> Option<usize> {
    let mut words = Words::new(octets);
    if words.word()? != VERSION {
        return None;
    }
    let mut words = Words::new(octets);
    let Some(header) = Header::read(&mut words) else {
        // Cut within its header, or none: another kind of address is not known.
        return (octets.len() < 40).then_some(octets.len());
    };
    for _ in 0..header.samples {
        if next(&mut words).is_none() {
            return Some(octets.len());
        }
    }
    Some(words.at())
}

/// Whether `payload` is by itself clearly one datagram: it names its agent and holds as many
/// samples as it says, each as long as it says.
pub(super) fn is_clear(payload: &[u8]) -> bool {
    let mut words = Words::new(payload);
    let Some(samples) = promised(&mut words, payload.len()) else { return false };
    (0..samples).all(|_| next(&mut words).is_some()) && words.at().is_multiple_of(4)
}

/// Whether `beginning` is by itself clearly that of a datagram of so many octets: it names its agent and
/// promises no more samples than such a datagram holds.
pub(super) fn begins(beginning: &[u8], octets: usize) -> bool {
    promised(&mut Words::new(beginning), octets).is_some()
}

/// How many samples a header promises; none if it names no agent, or samples that so many octets cannot hold.
fn promised(words: &mut Words<'_>, octets: usize) -> Option<usize> {
    let header = Header::read(words)?;
    let samples = header.samples as usize;
    let is_possible = samples > 0 && samples <= octets / SAMPLE_HEADER;
    (is_possible && header.agent != Address::UNSPECIFIED).then_some(samples)
}
