//! Flow records of nfdump 1.6: a common part, and behind it the extensions that a map lists.

use rahdar_model::address::Address;

use super::flow::{Origin, Scaled, Values};
use super::header::{u16_at, u32_at, u64_at};
use super::v2::v6_at;

/// Octets of the common part, of the first kind and of the one that has room for more exporters.
const SHORT: usize = 28;
const LONG: usize = 32;

/// Extensions of one map. nfdump 1.6 knows 49, and lists none twice.
const EXTENSIONS_MAX: usize = 64;

/// Flags of a record.
const V6: u8 = 0x01;
const LONG_PACKETS: u8 = 0x02;
const LONG_OCTETS: u8 = 0x04;
const SCALED: u8 = 0x80;

/// The maps of a file, by their numbers.
#[derive(Default)]
pub(super) struct Maps(Vec<Option<Map>>);

/// Which extensions follow the common part, in this order.
struct Map {
    steps: Vec<(Extension, usize)>,
    octets: usize,
}

/// What is read of an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    ShortInterfaces,
    Interfaces,
    ShortSystems,
    Systems,
    Multiple,
    ShortOutPackets,
    OutPackets,
    ShortOutOctets,
    OutOctets,
    ShortFlows,
    Flows,
    RouterV4,
    RouterV6,
    Received,
    FirewallEvent,
}

/// Why a record is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unread {
    /// It is shorter than it should be.
    Cut,
    /// Its map is not in the file, or cannot be used.
    NoMap(u16),
}

impl Maps {
    /// Takes in a map (type 2). None if it is cut, lists what has no known length, or says another
    /// length than that of its list.
    pub(super) fn announce(&mut self, record: &[u8]) -> Option<()> {
        let number = usize::from(u16_at(record, 4)?);
        if number >= self.0.len() {
            self.0.resize_with(number + 1, || None);
        }
        let octets = usize::from(u16_at(record, 6)?);
        self.0[number] = Map::compile(&record[8..]).filter(|map| map.octets == octets);
        self.0[number].as_ref().map(|_| ())
    }

    /// Reads a record with the short common part (type 1).
    pub(super) fn read_short(&self, record: &[u8], values: &mut Values) -> Result<(), Unread> {
        let common: &[u8; SHORT] = record.first_chunk().ok_or(Unread::Cut)?;
        *values = Values { exporter: common[5].into(), ..Values::default() };
        self.read(common, &record[SHORT..], values)
    }

    /// Reads a record with the long common part (type 10).
    pub(super) fn read_long(&self, record: &[u8], values: &mut Values) -> Result<(), Unread> {
        let long: &[u8; LONG] = record.first_chunk().ok_or(Unread::Cut)?;
        let origin = Origin::of(long[5]);
        *values = Values { exporter: u16_at(long, 28).ok_or(Unread::Cut)?, origin, ..Values::default() };
        // Those who do not write the origin do not write these either.
        if origin != Origin::Untold {
            values.biflow_direction = long[30];
            values.end_reason = long[31];
        }
        let common = long.first_chunk().ok_or(Unread::Cut)?;
        self.read(common, &record[LONG..], values)
    }

    /// Reads what both kinds have in common, and what follows.
    fn read(&self, common: &[u8; SHORT], rest: &[u8], values: &mut Values) -> Result<(), Unread> {
        let number = u16_at(common, 6).ok_or(Unread::Cut)?;
        let map = self.0.get(usize::from(number)).and_then(Option::as_ref).ok_or(Unread::NoMap(number))?;
        read_common(common, rest, map, values).ok_or(Unread::Cut)
    }
}

impl Map {
    fn compile(list: &[u8]) -> Option<Self> {
        let mut map = Self { steps: Vec::new(), octets: 0 };
        let ids = list.as_chunks::<2>().0.iter().map(|id| u16::from_le_bytes(*id));
        for (listed, id) in ids.take_while(|id| *id != 0).enumerate() {
            if listed == EXTENSIONS_MAX {
                return None;
            }
            let (octets, extension) = extension(id)?;
            map.steps.extend(extension.map(|extension| (extension, map.octets)));
            map.octets += octets;
        }
        Some(map)
    }
}

/// The length of an extension, and what is read of it. None if nfdump 1.6 has none of this number.
fn extension(id: u16) -> Option<(usize, Option<Extension>)> {
    use Extension::*;
    Some(match id {
        // Addresses and counters: always there, and not listed by right.
        1..=3 => (0, None),
        4 => (4, Some(ShortInterfaces)),
        5 => (8, Some(Interfaces)),
        6 => (4, Some(ShortSystems)),
        7 => (8, Some(Systems)),
        8 => (4, Some(Multiple)),
        // Next hops.
        9 | 11 => (4, None),
        10 | 12 => (16, None),
        // Virtual networks.
        13 => (4, None),
        14 => (4, Some(ShortOutPackets)),
        15 => (8, Some(OutPackets)),
        16 => (4, Some(ShortOutOctets)),
        17 => (8, Some(OutOctets)),
        18 => (4, Some(ShortFlows)),
        19 => (8, Some(Flows)),
        // Link-layer addresses, labels.
        20 | 21 => (16, None),
        22 => (40, None),
        23 => (4, Some(RouterV4)),
        24 => (16, Some(RouterV6)),
        // Engine; adjacent systems.
        25 => (4, None),
        26 => (8, None),
        27 => (8, Some(Received)),
        37 => (20, Some(FirewallEvent)),
        // Translated ports and addresses, rules, users.
        38 => (4, None),
        39 => (8, None),
        40 => (32, None),
        41 | 42 => (24, None),
        43 => (72, None),
        // Latencies; translation events, addresses and port blocks.
        45 => (24, None),
        46 => (12, None),
        47 | 48 => (8, None),
        _ => return None,
    })
}

/// Reads a record whose map is known. None if it is shorter than the map says.
fn read_common(common: &[u8; SHORT], rest: &[u8], map: &Map, values: &mut Values) -> Option<()> {
    let flags = common[4];
    let ms = |seconds_at, ms_at| {
        Some(u64::from(u32_at(common, seconds_at)?) * 1_000 + u64::from(u16_at(common, ms_at)?))
    };
    values.first_ms = ms(12, 8)?;
    values.last_ms = ms(16, 10)?;
    values.tcp_flags = common[21];
    values.protocol = common[22];
    values.src_port = u16_at(common, 24)?;
    values.dst_port = u16_at(common, 26)?;
    values.scaled = if flags & SCALED == 0 { Scaled::No } else { Scaled::Yes };
    let mut at;
    if flags & V6 != 0 {
        values.addresses = Some((v6_at(rest, 0)?, v6_at(rest, 16)?));
        at = 32;
    } else {
        let v4_at = |at| u32_at(rest, at).map(Address::from_v4_bits);
        values.addresses = Some((v4_at(0)?, v4_at(4)?));
        at = 8;
    }
    let mut counter = |is_long: bool| {
        let from = at;
        at += if is_long { 8 } else { 4 };
        if is_long { u64_at(rest, from) } else { u32_at(rest, from).map(u64::from) }
    };
    values.packets = counter(flags & LONG_PACKETS != 0)?;
    values.octets = counter(flags & LONG_OCTETS != 0)?;
    values.is_packets_short = flags & LONG_PACKETS == 0;
    values.is_octets_short = flags & LONG_OCTETS == 0;
    let extensions = rest.get(at..)?.get(..map.octets)?;
    for (extension, at) in &map.steps {
        read_extension(*extension, &extensions[*at..], values)?;
    }
    Some(())
}

fn read_extension(extension: Extension, body: &[u8], values: &mut Values) -> Option<()> {
    match extension {
        Extension::ShortInterfaces => {
            values.input = u16_at(body, 0)?.into();
            values.output = u16_at(body, 2)?.into();
        }
        Extension::Interfaces => {
            values.input = u32_at(body, 0)?;
            values.output = u32_at(body, 4)?;
        }
        Extension::ShortSystems => {
            values.src_as = u16_at(body, 0)?.into();
            values.dst_as = u16_at(body, 2)?.into();
        }
        Extension::Systems => {
            values.src_as = u32_at(body, 0)?;
            values.dst_as = u32_at(body, 4)?;
        }
        Extension::Multiple => values.is_egress = *body.get(1)? == 1,
        Extension::ShortOutPackets => values.out_packets = u32_at(body, 0)?.into(),
        Extension::OutPackets => values.out_packets = u64_at(body, 0)?,
        Extension::ShortOutOctets => values.out_octets = u32_at(body, 0)?.into(),
        Extension::OutOctets => values.out_octets = u64_at(body, 0)?,
        Extension::ShortFlows => values.flows = u32_at(body, 0)?.into(),
        Extension::Flows => values.flows = u64_at(body, 0)?,
        Extension::RouterV4 => values.router = Some(Address::from_v4_bits(u32_at(body, 0)?)),
        Extension::RouterV6 => values.router = Some(v6_at(body, 0)?),
        Extension::Received => values.received_ms = u64_at(body, 0)?,
        Extension::FirewallEvent => {
            values.event_ms = u64_at(body, 0)?;
            values.flow_id = u32_at(body, 8)?.into();
            values.icmp = u16_at(body, 12)?;
            values.firewall_event = *body.get(14)?;
        }
    }
    Some(())
}
