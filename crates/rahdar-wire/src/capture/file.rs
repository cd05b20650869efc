//! Packets in capture files: pcap in microseconds and nanoseconds, pcapng, both byte orders.
//!
//! Source: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng (IETF), which write down what
//! libpcap and Wireshark do.

use std::io::{self, Read};

use rahdar_model::Timestamp;

use crate::window::Window;

/// The largest packet: libpcap's own limit (`MAXIMUM_SNAPLEN`). A greater length is a broken file.
const PACKET_OCTETS_MAX: usize = 262_144;

/// The largest pcapng block that is looked into: a packet of the largest size and some options.
const BLOCK_OCTETS_MAX: usize = PACKET_OCTETS_MAX + 65_536;

/// The most interfaces of a pcapng section. Chosen here: `tcpdump -i any` on a large router has
/// some hundreds.
const INTERFACES_MAX: usize = 4_096;

/// Octets of a pcap file header, and of a pcap packet header.
const FILE_HEADER_OCTETS: usize = 24;
const PACKET_HEADER_OCTETS: usize = 16;

/// pcapng block types.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// Whether these are the first octets of a capture.
pub(crate) fn is_capture(head: &[u8]) -> bool {
    match head {
        [0x0a, 0x0d, 0x0d, 0x0a, _, _, _, _, magic @ ..] => section_order(magic).is_some(),
        _ => Magic::of(head).is_some(),
    }
}

/// One captured frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'f> {
    /// Its number in the capture, from 1.
    pub(crate) number: u64,
    /// When it was captured. The epoch where the file does not say.
    pub(crate) time: Timestamp,
    /// The link type (tcpdump.org/linktypes).
    pub(crate) link: u16,
    /// What was captured of it.
    pub(crate) octets: &'f [u8],
    /// Its length on the wire.
    pub(crate) length: usize,
}

/// What a capture holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item<'f> {
    Frame(Frame<'f>),
    Dropped(Dropped),
}

/// Packets of an interface that its capture did not get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropped {
    /// Since when, or since the first frame of the section; none if neither is told.
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Timestamp,
    pub(crate) packets: u64,
}

/// Why there is no next item.
#[derive(Debug)]
pub(crate) enum Fault {
    /// This packet cannot be used; the next one can.
    Skipped {
        packet: u64,
        why: &'static str,
    },
    /// From here on nothing can be found again.
    Broken {
        octet: u64,
        why: &'static str,
    },
    Read(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// A capture being read.
pub(crate) struct CaptureFile<'a> {
    window: Window<'a>,
    /// Octets of the view that the last frame used.
    used: usize,
    packets: u64,
    layout: Layout,
}

enum Layout {
    Unseen,
    Pcap { magic: Magic, link: u16 },
    Pcapng(Section),
}

/// A pcapng section, as far as it was read.
struct Section {
    order: Order,
    interfaces: Vec<Interface>,
    /// The time of the first frame that has one.
    first: Option<Timestamp>,
}

impl Section {
    fn new(order: Order) -> Self {
        Self { order, interfaces: Vec::new(), first: None }
    }
}

/// What a pcapng section says about an interface.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: u16,
    snap: u32,
    resolution: Resolution,
    offset_s: i64,
    /// Until when drops were counted, and how many there were.
    counted: Option<(Timestamp, u64)>,
}

/// Units of a pcapng timestamp in a second.
#[derive(Debug, Clone, Copy)]
enum Resolution {
    /// Ten to this power.
    Decimal(u8),
    /// Two to this power.
    Binary(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Big,
    Little,
}

impl Order {
    fn u16(self, octets: &[u8], at: usize) -> Option<u16> {
        let octets = *octets.get(at..)?.first_chunk()?;
        Some(if self == Self::Big { u16::from_be_bytes(octets) } else { u16::from_le_bytes(octets) })
    }

    fn u32(self, octets: &[u8], at: usize) -> Option<u32> {
        let octets = *octets.get(at..)?.first_chunk()?;
        Some(if self == Self::Big { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) })
    }

    fn u64(self, octets: &[u8], at: usize) -> Option<u64> {
        let octets = *octets.get(at..)?.first_chunk()?;
        Some(if self == Self::Big { u64::from_be_bytes(octets) } else { u64::from_le_bytes(octets) })
    }
}

/// What the first four octets of a pcap file say.
#[derive(Debug, Clone, Copy)]
struct Magic {
    order: Order,
    nanoseconds: bool,
}

impl Magic {
    fn of(head: &[u8]) -> Option<Self> {
        let (order, nanoseconds) = match head {
            [0xa1, 0xb2, 0xc3, 0xd4, ..] => (Order::Big, false),
            [0xd4, 0xc3, 0xb2, 0xa1, ..] => (Order::Little, false),
            [0xa1, 0xb2, 0x3c, 0x4d, ..] => (Order::Big, true),
            [0x4d, 0x3c, 0xb2, 0xa1, ..] => (Order::Little, true),
            _ => return None,
        };
        Some(Self { order, nanoseconds })
    }
}

fn section_order(magic: &[u8]) -> Option<Order> {
    match magic {
        [0x1a, 0x2b, 0x3c, 0x4d, ..] => Some(Order::Big),
        [0x4d, 0x3c, 0x2b, 0x1a, ..] => Some(Order::Little),
        _ => None,
    }
}

impl<'a> CaptureFile<'a> {
    /// The capture in `input`.
    pub(crate) fn new(input: &'a mut dyn Read) -> Self {
        Self { window: Window::new(input), used: 0, packets: 0, layout: Layout::Unseen }
    }

    /// The next frame, or word of frames that were dropped; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Item<'_>>, Fault> {
        self.window.pass(std::mem::take(&mut self.used));
        let is_joined = match self.layout {
            Layout::Unseen => true,
            Layout::Pcap { .. } | Layout::Pcapng(_) => self.begins_again()?,
        };
        if is_joined {
            self.begin()?;
        }
        let next = match &mut self.layout {
            Layout::Unseen => None,
            Layout::Pcap { magic, link } => {
                next_pcap(&mut self.window, *magic, *link, &mut self.packets)?.map(Next::Frame)
            }
            Layout::Pcapng(section) => next_pcapng(&mut self.window, section, &mut self.packets)?,
        };
        let found = match next {
            None => return Ok(None),
            Some(Next::Dropped(dropped)) => return Ok(Some(Item::Dropped(dropped))),
            Some(Next::Frame(found)) => found,
        };
        self.used = found.used;
        let view = self.window.view();
        Ok(Some(Item::Frame(Frame {
            number: self.packets,
            time: found.time.unwrap_or_default(),
            link: found.link,
            octets: &view[found.from..found.until],
            length: found.length,
        })))
    }

    /// Whether another file begins behind the frames of this one, as `cat` joins them. As a packet of this one, its
    /// header would be of 2055 or later, or of one moment of 2011.
    fn begins_again(&mut self) -> Result<bool, Fault> {
        /// Version 2.4, the only one that is written.
        const VERSIONS: [[u8; 4]; 2] = [[2, 0, 4, 0], [0, 2, 0, 4]];
        self.window.reach(FILE_HEADER_OCTETS)?;
        let head = self.window.view();
        let is_pcap =
            || Magic::of(head).is_some() && VERSIONS.iter().any(|version| head[4..].starts_with(version));
        let is_pcapng = || matches!(self.layout, Layout::Pcap { .. }) && is_capture(head);
        Ok(is_pcap() || (head.starts_with(&SECTION_HEADER.to_be_bytes()) && is_pcapng()))
    }

    fn begin(&mut self) -> Result<(), Fault> {
        let octet = self.window.offset();
        let broken = |why| Err(Fault::Broken { octet, why });
        self.window.reach(FILE_HEADER_OCTETS)?;
        let head = self.window.view();
        if head.starts_with(&SECTION_HEADER.to_be_bytes()) {
            self.layout = Layout::Pcapng(Section::new(Order::Little));
            return Ok(());
        }
        let Some(magic) = Magic::of(head) else { return broken("no capture begins here") };
        let Some(link) = magic.order.u32(head, 20) else {
            return broken(match octet {
                0 => "the file header is cut off",
                _ => "the header of a second capture is cut off",
            });
        };
        // The upper bits hold the length of a frame check sequence.
        self.layout = Layout::Pcap { magic, link: link as u16 };
        self.window.pass(FILE_HEADER_OCTETS);
        Ok(())
    }
}

/// What was found next.
enum Next {
    Frame(Found),
    Dropped(Dropped),
}

/// Where in the view a frame was found.
struct Found {
    from: usize,
    until: usize,
    used: usize,
    length: usize,
    /// None if the file does not say.
    time: Option<Timestamp>,
    link: u16,
}

fn next_pcap(
    window: &mut Window<'_>,
    magic: Magic,
    link: u16,
    packets: &mut u64,
) -> Result<Option<Found>, Fault> {
    let octet = window.offset();
    if !window.reach(PACKET_HEADER_OCTETS)? {
        return match window.view() {
            [] => Ok(None),
            _ => Err(Fault::Broken { octet, why: "the capture is cut off in a packet header" }),
        };
    }
    let field = |at| magic.order.u32(window.view(), at).unwrap_or(0);
    let (seconds, fraction, captured, length) = (field(0), field(4), field(8) as usize, field(12) as usize);
    if captured > PACKET_OCTETS_MAX {
        return Err(Fault::Broken { octet, why: "a packet is longer than any link allows" });
    }
    let used = PACKET_HEADER_OCTETS + captured;
    if !window.reach(used)? {
        return Err(Fault::Broken { octet, why: "the capture is cut off in a packet" });
    }
    *packets += 1;
    let fraction_us = if magic.nanoseconds { fraction / 1_000 } else { fraction };
    let time = Timestamp::from_seconds(seconds.into()).plus_micros(fraction_us.into());
    Ok(Some(Found { from: PACKET_HEADER_OCTETS, until: used, used, length, time: Some(time), link }))
}

fn next_pcapng(
    window: &mut Window<'_>,
    section: &mut Section,
    packets: &mut u64,
) -> Result<Option<Next>, Fault> {
    /// Octets of a block around its body: type, length, and the length again.
    const AROUND_OCTETS: usize = 12;
    loop {
        let octet = window.offset();
        let broken = |why| Fault::Broken { octet, why };
        if !window.reach(AROUND_OCTETS)? {
            return match window.view() {
                [] => Ok(None),
                _ => Err(broken("the capture is cut off between blocks")),
            };
        }
        let view = window.view();
        if view.starts_with(&SECTION_HEADER.to_be_bytes()) {
            let order = section_order(&view[8..]);
            *section = Section::new(order.ok_or_else(|| broken("a section header has no byte order"))?);
        }
        let Section { order, interfaces, first } = &mut *section;
        let kind = order.u32(view, 0).unwrap_or(0);
        // Writers disagree on whether the length includes the padding to four octets.
        let length = u64::from(order.u32(view, 4).unwrap_or(0)).next_multiple_of(4);
        if length < AROUND_OCTETS as u64 {
            return Err(broken("a block is shorter than its own frame"));
        }
        let is_packet = matches!(kind, PACKET | SIMPLE_PACKET | ENHANCED_PACKET);
        *packets += u64::from(is_packet);
        let is_of_interface = matches!(kind, INTERFACE_DESCRIPTION | INTERFACE_STATISTICS);
        if length > BLOCK_OCTETS_MAX as u64 || !(is_packet || is_of_interface) {
            if !window.skip(length)? {
                return Err(broken("the capture is cut off in a block"));
            }
            if is_packet {
                let why = "the packet is longer than any link allows";
                return Err(Fault::Skipped { packet: *packets, why });
            }
            continue;
        }
        let length = length as usize;
        if !window.reach(length)? {
            return Err(broken("the capture is cut off in a block"));
        }
        let body = &window.view()[8..length - 4];
        if kind == INTERFACE_DESCRIPTION {
            if interfaces.len() < INTERFACES_MAX
                && let Some(interface) = Interface::read(*order, body)
            {
                interfaces.push(interface);
            }
            window.pass(length);
            continue;
        }
        if kind == INTERFACE_STATISTICS {
            let dropped = statistics(*order, body, interfaces);
            window.pass(length);
            match dropped {
                Some(dropped) => {
                    return Ok(Some(Next::Dropped(Dropped { from: dropped.from.or(*first), ..dropped })));
                }
                None => continue,
            }
        }
        return match packet_block(*order, kind, body, interfaces) {
            Some(found) => {
                *first = first.or(found.time);
                let (from, until) = (found.from + 8, found.until + 8);
                Ok(Some(Next::Frame(Found { from, until, used: length, ..found })))
            }
            None => {
                window.pass(length);
                let why = "the packet block is inconsistent or of an unknown interface";
                Err(Fault::Skipped { packet: *packets, why })
            }
        };
    }
}

/// Finds the frame in the body of a packet block.
fn packet_block(order: Order, kind: u32, body: &[u8], interfaces: &[Interface]) -> Option<Found> {
    if kind == SIMPLE_PACKET {
        let interface = interfaces.first()?;
        let length = order.u32(body, 0)? as usize;
        let snap = if interface.snap == 0 { usize::MAX } else { interface.snap as usize };
        let until = 4 + length.min(snap).min(body.len() - 4);
        return Some(Found { from: 4, until, used: 0, length, time: None, link: interface.link });
    }
    // The old packet block has a drop counter where the new one has the upper half of the number.
    let number = if kind == PACKET { order.u16(body, 0)?.into() } else { order.u32(body, 0)? };
    let interface = interfaces.get(number as usize)?;
    let units = u64::from(order.u32(body, 4)?) << 32 | u64::from(order.u32(body, 8)?);
    let captured = order.u32(body, 12)? as usize;
    let length = order.u32(body, 16)? as usize;
    let until = 20usize.checked_add(captured).filter(|until| *until <= body.len())?;
    Some(Found { from: 20, until, used: 0, length, time: Some(interface.time(units)), link: interface.link })
}

/// What was dropped since the statistics before, by the body of a block of statistics; none if nothing was.
fn statistics(order: Order, body: &[u8], interfaces: &mut [Interface]) -> Option<Dropped> {
    /// Options of interface statistics.
    const ISB_STARTTIME: u16 = 2;
    const ISB_ENDTIME: u16 = 3;
    const ISB_IFDROP: u16 = 5;
    const ISB_OSDROP: u16 = 7;
    let interface = interfaces.get_mut(order.u32(body, 0)? as usize)?;
    let units = |octets: &[u8], at| {
        Some(u64::from(order.u32(octets, at)?) << 32 | u64::from(order.u32(octets, at + 4)?))
    };
    let time = |octets: &[u8], at| units(octets, at).map(|units| interface.time(units));
    let (mut from, mut until) = (None, time(body, 4)?);
    let mut drops: Option<u64> = None;
    for (code, value) in options(order, body, 12) {
        match code {
            ISB_STARTTIME => from = time(value, 0),
            ISB_ENDTIME => until = time(value, 0).unwrap_or(until),
            ISB_IFDROP | ISB_OSDROP => {
                // All ones are written for a count that is not known (Wireshark).
                let counted = order.u64(value, 0).filter(|counted| *counted < u64::MAX);
                drops = counted.map(|counted| drops.unwrap_or(0).saturating_add(counted)).or(drops);
            }
            _ => {}
        }
    }
    let drops = drops?;
    let before = interface.counted.replace((until, drops));
    // A count that fell began anew.
    let (from, packets) = match before {
        Some((time, before)) => (Some(time), drops.checked_sub(before).unwrap_or(drops)),
        None => (from, drops),
    };
    (packets > 0).then_some(Dropped { from, until, packets })
}

/// The options of a block, from `at` in its body on: each a code and a value.
fn options(order: Order, body: &[u8], at: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut at = at;
    std::iter::from_fn(move || {
        let (code, length) = (order.u16(body, at)?, order.u16(body, at + 2)?);
        let value = body.get(at + 4..at + 4 + usize::from(length)).unwrap_or_default();
        at += 4 + usize::from(length).next_multiple_of(4);
        (code != 0).then_some((code, value))
    })
}

impl Interface {
    fn read(order: Order, body: &[u8]) -> Option<Self> {
        /// Options of an interface description.
        const IF_TSRESOL: u16 = 9;
        const IF_TSOFFSET: u16 = 14;
        let mut interface = Self {
            link: order.u16(body, 0)?,
            snap: order.u32(body, 4)?,
            resolution: Resolution::Decimal(6),
            offset_s: 0,
            counted: None,
        };
        for (code, value) in options(order, body, 8) {
            match (code, value) {
                (IF_TSRESOL, [power]) if power & 0x80 != 0 => {
                    interface.resolution = Resolution::Binary(power & 0x7f)
                }
                (IF_TSRESOL, [power]) => interface.resolution = Resolution::Decimal(*power),
                (IF_TSOFFSET, _) => interface.offset_s = order.u64(value, 0).map_or(0, |s| s as i64),
                _ => {}
            }
        }
        Some(interface)
    }

    /// The time of a packet of this interface. Beyond the range of times it stops at its end.
    fn time(self, units: u64) -> Timestamp {
        let units = u128::from(units);
        let us = match self.resolution {
            Resolution::Decimal(power @ 0..=6) => units * 10u128.pow(6 - u32::from(power)),
            Resolution::Decimal(power @ 7..=25) => units / 10u128.pow(u32::from(power) - 6),
            Resolution::Binary(power @ 0..=63) => (units * 1_000_000) >> power,
            Resolution::Decimal(_) | Resolution::Binary(_) => 0,
        };
        let us = i64::try_from(us).unwrap_or(i64::MAX);
        Timestamp::from_seconds(self.offset_s).plus_micros(us)
    }
}
