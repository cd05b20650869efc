//! One flow sample: a packet, and what the agent knows about it.

use rahdar_model::address::Address;
use rahdar_model::flow::{Direction, FlowRecord, Quality, protocol};

use super::datagram::{Kind, Words, next};
use crate::capture::{link, sampled};

/// Kinds of samples (§5, "sample_data").
const FLOW_SAMPLE: u32 = 1;
const EXPANDED_FLOW_SAMPLE: u32 = 3;

/// Kinds of records (§5, "flow_data").
const SAMPLED_HEADER: u32 = 1;
const SAMPLED_ETHERNET: u32 = 2;
const SAMPLED_IPV4: u32 = 3;
const SAMPLED_IPV6: u32 = 4;
const EXTENDED_GATEWAY: u32 = 1003;

/// The kind of a data source that is an interface.
const INTERFACE: u32 = 0;

/// The interfaces that are none: the packet came from the agent itself or was for it. The second is
/// for expanded samples (errata of version 5); many agents write the first there as well.
const INTERNAL: [u32; 2] = [0x3fff_ffff, 0xffff_ffff];

/// The bits of TCP flags in a word (RFC 9293 §3.1).
const TCP_FLAGS: u32 = 0x0fff;

/// A segment of an AS path whose order is that of the way (§5, "as_path_segment_type").
const AS_SEQUENCE: u32 = 2;

/// One flow sample, compact or expanded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample<'d> {
    /// Its number, counted by the data source.
    pub(super) sequence: u32,
    pub(super) source_kind: u32,
    pub(super) source: u32,
    /// One packet of how many; 0 if the agent does not know.
    pub(super) rate: u32,
    /// Packets that could have been sampled since the agent started; wraps.
    pub(super) pool: u32,
    /// Samples that the agent had to drop since it started.
    pub(super) drops: u32,
    in_if: Option<u32>,
    out_if: Option<u32>,
    /// How many records should follow.
    count: u32,
    records: Words<'d>,
}

/// What was found in a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// An IP packet: the record says which.
    Flow,
    /// A frame without IP, or no header at all.
    NoFlow,
    /// A packet that cannot be used, and why.
    Unreadable(&'static str),
    /// A header that begins with this protocol, which is not read.
    UnknownHeader(u32),
}

impl<'d> Sample<'d> {
    /// Reads the head of a sample; none if it is of another kind.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn read(kind: Kind, body: &'d [u8]) -> Option<Result<Self, &'static str>> {
        let sample = match kind.standard()? {
            FLOW_SAMPLE => Self::compact(body),
            EXPANDED_FLOW_SAMPLE => Self::expanded(body),
            _ => return None,
        };
        Some(sample.ok_or("the flow sample is shorter than its own head"))
    }

    fn compact(body: &'d [u8]) -> Option<Self> {
        let mut words = Words::new(body);
        let sequence = words.word()?;
        let source = words.word()?;
        let rate = words.word()?;
        let (pool, drops) = (words.word()?, words.word()?);
        let (input, output) = (words.word()?, words.word()?);
        Some(Self {
            sequence,
            source_kind: source >> 24,
            source: source & 0x00ff_ffff,
            rate,
            pool,
            drops,
            in_if: interface(input >> 30, input & 0x3fff_ffff),
            out_if: interface(output >> 30, output & 0x3fff_ffff),
            count: words.word()?,
            records: words,
        })
    }

    fn expanded(body: &'d [u8]) -> Option<Self> {
        let mut words = Words::new(body);
        let sequence = words.word()?;
        let (source_kind, source) = (words.word()?, words.word()?);
        let rate = words.word()?;
        let (pool, drops) = (words.word()?, words.word()?);
        let in_if = interface(words.word()?, words.word()?);
        let out_if = interface(words.word()?, words.word()?);
        Some(Self {
            sequence,
            source_kind,
            source,
            rate,
            pool,
            drops,
            in_if,
            out_if,
            count: words.word()?,
            records: words,
        })
    }

    /// On which side of the interface the packet was sampled: the source is where that was done.
    fn direction(&self) -> Option<Direction> {
        let source = (self.source_kind == INTERFACE).then_some(self.source)?;
        match (self.in_if == Some(source), self.out_if == Some(source)) {
            (true, false) => Some(Direction::Ingress),
            (false, true) => Some(Direction::Egress),
            _ => None,
        }
    }

    /// Fills the record with what the sample says of its packet. Where a sample is broken, what
    /// stands before is used.
    pub(super) fn fill(&self, record: &mut FlowRecord) -> Content {
        let mut words = self.records;
        let mut found = Found::default();
        for _ in 0..self.count {
            let Some((kind, body)) = next(&mut words) else {
                found.is_cut = true;
                break;
            };
            found.take(kind, body);
        }
        record.in_if = self.in_if;
        record.out_if = self.out_if;
        record.direction = self.direction();
        record.packets = 1;
        (record.src_as, record.dst_as) = found.systems;
        found.packet(record)
    }
}

/// An interface as a flow has it: its index. None for a reason why the packet was discarded, for
/// several interfaces, for the agent itself, and for what it does not know.
fn interface(format: u32, value: u32) -> Option<u32> {
    (format == 0 && value != 0 && !INTERNAL.contains(&value)).then_some(value)
}

/// What the records of a sample hold that a flow is made of.
#[derive(Debug, Default)]
struct Found<'d> {
    header: Option<Header<'d>>,
    talk: Option<Talk>,
    frame_octets: u32,
    systems: (Option<u32>, Option<u32>),
    is_cut: bool,
}

/// The beginning of a packet.
#[derive(Debug, Clone, Copy)]
struct Header<'d> {
    /// What it begins with.
    protocol: u32,
    /// Octets of the whole, without what the agent took off.
    length: usize,
    octets: &'d [u8],
}

/// Who talks to whom, told by the agent in place of the header.
#[derive(Debug, Clone, Copy)]
struct Talk {
    octets: u32,
    protocol: u32,
    src: Address,
    dst: Address,
    src_port: u32,
    dst_port: u32,
    tcp_flags: u32,
}

impl<'d> Found<'d> {
    /// Takes in one record. What is cut, or of no use here, changes nothing.
    fn take(&mut self, kind: Kind, body: &'d [u8]) {
        let mut words = Words::new(body);
        match kind.standard() {
            Some(SAMPLED_HEADER) => match Header::read(&mut words) {
                Some(header) => self.header = self.header.or(Some(header)),
                None => self.is_cut = true,
            },
            Some(SAMPLED_ETHERNET) => self.frame_octets = words.word().unwrap_or(0),
            Some(SAMPLED_IPV4) => self.talk = self.talk.or_else(|| Talk::read(&mut words, Words::v4)),
            Some(SAMPLED_IPV6) => self.talk = self.talk.or_else(|| Talk::read(&mut words, Words::v6)),
            Some(EXTENDED_GATEWAY) => self.systems = systems(&mut words),
            _ => {}
        }
    }

    /// Fills the record with the packet, from the best that there is.
    fn packet(&self, record: &mut FlowRecord) -> Content {
        let content = match self.header {
            None if self.is_cut => Content::Unreadable("the flow sample ends within a record"),
            None => Content::NoFlow,
            Some(header) => match header.link() {
                Some(link) => match sampled::fill(link, header.octets, header.length, record) {
                    sampled::Content::Flow => return Content::Flow,
                    sampled::Content::NoFlow => Content::NoFlow,
                    sampled::Content::Unreadable(why) => Content::Unreadable(why),
                },
                None => Content::UnknownHeader(header.protocol),
            },
        };
        match self.talk {
            Some(talk) => {
                talk.fill(self.frame_octets, record);
                Content::Flow
            }
            None => content,
        }
    }
}

impl<'d> Header<'d> {
    fn read(words: &mut Words<'d>) -> Option<Self> {
        let protocol = words.word()?;
        let frame_octets = words.word()?;
        let stripped = words.word()?;
        let octets = words.word()?;
        let length = frame_octets.saturating_sub(stripped) as usize;
        Some(Self { protocol, length, octets: words.opaque(octets)? })
    }

    /// What it begins with, as a link type; none if headers of this protocol are not read (§5,
    /// "header_protocol").
    fn link(&self) -> Option<u16> {
        match self.protocol {
            1 => Some(link::ETHERNET),
            7 => Some(link::PPP),
            11 => Some(link::IPV4),
            12 => Some(link::IPV6),
            13 => Some(link::MPLS),
            _ => None,
        }
    }
}

impl Talk {
    fn read<'d>(words: &mut Words<'d>, address: impl Fn(&mut Words<'d>) -> Option<Address>) -> Option<Self> {
        Some(Self {
            octets: words.word()?,
            protocol: words.word()?,
            src: address(words)?,
            dst: address(words)?,
            src_port: words.word()?,
            dst_port: words.word()?,
            tcp_flags: words.word()?,
        })
    }

    fn fill(&self, frame_octets: u32, record: &mut FlowRecord) {
        record.src = self.src;
        record.dst = self.dst;
        record.protocol = self.protocol as u8;
        record.octets = self.octets.into();
        if self.octets == 0 && frame_octets > 0 {
            record.octets = frame_octets.into();
            record.quality |= Quality::LAYER2_LENGTH;
        }
        if !matches!(record.protocol, protocol::ICMP | protocol::ICMPV6) {
            record.src_port = self.src_port as u16;
            record.dst_port = self.dst_port as u16;
        }
        if record.protocol == protocol::TCP {
            record.tcp_flags = Some((self.tcp_flags & TCP_FLAGS) as u16);
        }
    }
}

/// The systems of "extended gateway": the source's, and the last of the way to the destination. A
/// source that is 0, and a way of no steps, are the router's own (RFC 4271 §5.1.2; as Arista
/// exports them). None from where the record is cut, and for a way that ends in an unordered set.
fn systems(words: &mut Words<'_>) -> (Option<u32>, Option<u32>) {
    let sources = |words: &mut Words<'_>| {
        // The next hop comes first, the neighbour's system last.
        words.address()?;
        let (own, src) = (words.word()?, words.word()?);
        words.skip(1)?;
        Some((own, src))
    };
    let Some((own, src)) = sources(words) else { return (None, None) };
    let own = (own != 0).then_some(own);
    let dst = match last_system(words) {
        Some(0) => own,
        dst => dst,
    };
    ((src != 0).then_some(src).or(own), dst)
}

/// The last system of a path, 0 of an empty one. Its segments and their systems are counted in the
/// datagram, so each of them must be there.
fn last_system(words: &mut Words<'_>) -> Option<u32> {
    let segments = words.word()?;
    let mut last = Some(0);
    for _ in 0..segments {
        let kind = words.word()?;
        let systems = words.word()?;
        let path = words.opaque(systems.checked_mul(4)?)?;
        last = match path.last_chunk() {
            None => last,
            Some(system) if kind == AS_SEQUENCE || systems == 1 => Some(u32::from_be_bytes(*system)),
            Some(_) => None,
        };
    }
    last
}
