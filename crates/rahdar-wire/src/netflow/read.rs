//! The values of a record, read straight into the reused flow record.

use rahdar_model::address::Address;
use rahdar_model::flow::{Direction, FlowRecord, Initiator, Quality};

use super::element::Field;

/// Octets that must be readable before the first record of a set: a number is loaded as the
/// eight octets that end where it ends. The headers of message and set are longer.
pub(super) const READ_BEHIND: usize = 8;

/// The TCP flags of element 6: twelve bits, the data offset above them is none (RFC 7125 §3).
const TCP_FLAGS: u64 = 0x0fff;

/// What a record says beside the fields of a flow, as it was read.
///
/// Every record of one template fills the same fields, so nothing is emptied in between.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Values {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) observed: u64,
    pub(super) duration: u64,
    pub(super) system_init: u64,
    pub(super) left_octets: u64,
    pub(super) left_packets: u64,
    pub(super) interval: u64,
    pub(super) taken: u64,
    pub(super) left_out: u64,
    pub(super) sample: u64,
    pub(super) population: u64,
    pub(super) probability: f64,
    pub(super) slot: u64,
    pub(super) flows_taken: u64,
    pub(super) flows_left_out: u64,
    pub(super) flow_slot: u64,
    pub(super) sampling_mode: u64,
    pub(super) selector_algorithm: u64,
    pub(super) flow_algorithm: u64,
    pub(super) active_timeout_s: u64,
    pub(super) sampler_id: Option<u64>,
    pub(super) template_id: Option<u16>,
    pub(super) icmp: u16,
    pub(super) exporter: Option<Address>,
    pub(super) frame_octets: u64,
    pub(super) frame_kind: u64,
    pub(super) section_offset: u64,
    pub(super) section_octets: u64,
    /// Where the section of the packet begins and ends in the set.
    pub(super) section: (usize, usize),
}

/// One field to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    field: Field,
    /// Whether a zero leaves what an earlier step found.
    keep: bool,
    /// Where it ends, from the start of its run.
    end: u16,
    /// The bits of it in a load of eight octets.
    mask: u64,
}

impl Step {
    /// Reads a field of so many octets that ends at `end` of its run.
    pub(super) fn new(field: Field, keep: bool, end: u16, octets: u16) -> Self {
        Self { field, keep, end, mask: mask(octets) }
    }

    /// This step and `next` as one, if they read two halves of a pair that stands side by side.
    pub(super) fn joined(&self, next: &Self) -> Option<Self> {
        let octets = self.mask.count_ones() as u16 / 8;
        let field = self.field.with(next.field, octets)?;
        let is_side_by_side = next.end == self.end + octets && next.mask == self.mask;
        let is_plain = !self.keep && !next.keep;
        (is_side_by_side && is_plain).then(|| Self::new(field, false, next.end, 2 * octets))
    }

    /// Puts a value where it belongs, unless it is zero and an earlier step may have found more.
    #[inline]
    fn put<T>(&self, value: T, is_zero: bool, place: &mut T) {
        if !(self.keep && is_zero) {
            *place = value;
        }
    }
}

/// Where the fields are that nearly every template has. Only in templates of one run.
#[derive(Debug, Default)]
pub(super) struct Usual {
    addresses: Slot,
    ports: Slot,
    protocol: Slot,
    tcp_flags: Slot,
    packets: Slot,
    octets: Slot,
    start: Slot,
    end: Slot,
    interfaces: Slot,
    systems: Slot,
    direction: Slot,
}

impl Usual {
    /// Takes a step over, if it is a usual one.
    pub(super) fn take(&mut self, step: &Step) -> bool {
        let slot = match step.field {
            _ if step.keep => return false,
            Field::V4Pair => &mut self.addresses,
            Field::PortPair => &mut self.ports,
            Field::Protocol => &mut self.protocol,
            Field::TcpFlags => &mut self.tcp_flags,
            Field::Packets => &mut self.packets,
            Field::Octets => &mut self.octets,
            Field::Start => &mut self.start,
            Field::End => &mut self.end,
            Field::IfPair => &mut self.interfaces,
            Field::AsPair => &mut self.systems,
            Field::Direction => &mut self.direction,
            _ => return false,
        };
        *slot = Slot { end: step.end, mask: step.mask };
        true
    }

    /// Reads the fields. `data` is the record and [`READ_BEHIND`] octets before it.
    #[inline]
    pub(super) fn fill(&self, data: &[u8], record: &mut FlowRecord, values: &mut Values) {
        if let Some(value) = self.addresses.read(data) {
            addresses(value, record);
        }
        if let Some(value) = self.ports.read(data) {
            ports(value, record);
        }
        if let Some(value) = self.protocol.read(data) {
            record.protocol = value as u8;
        }
        if let Some(value) = self.tcp_flags.read(data) {
            record.tcp_flags = Some((value & TCP_FLAGS) as u16);
        }
        if let Some(value) = self.packets.read(data) {
            record.packets = counter(value, self.packets.mask, &mut record.quality);
        }
        if let Some(value) = self.octets.read(data) {
            record.octets = counter(value, self.octets.mask, &mut record.quality);
        }
        if let Some(value) = self.start.read(data) {
            values.start = value;
        }
        if let Some(value) = self.end.read(data) {
            values.end = value;
        }
        if let Some(value) = self.interfaces.read(data) {
            interfaces(value, self.interfaces.mask, record);
        }
        if let Some(value) = self.systems.read(data) {
            systems(value, self.systems.mask, record);
        }
        if let Some(value) = self.direction.read(data) {
            record.direction = u8::try_from(value).ok().and_then(Direction::from_code);
        }
    }
}

/// Where a number is, if it is there.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Where it ends.
    end: u16,
    /// The bits of it in a load of eight octets; none if it is not there.
    mask: u64,
}

impl Slot {
    #[inline]
    fn read(self, data: &[u8]) -> Option<u64> {
        (self.mask != 0).then(|| load(data, usize::from(self.end)) & self.mask)
    }
}

/// Reads the fields of a run. `data` is the run and [`READ_BEHIND`] octets before it.
#[inline]
pub(super) fn fill(steps: &[Step], data: &[u8], record: &mut FlowRecord, values: &mut Values) {
    for step in steps {
        let end = usize::from(step.end);
        let value = load(data, end) & step.mask;
        match step.field {
            Field::SrcV4 => step.put(Address::from_v4_bits(value as u32), value == 0, &mut record.src),
            Field::DstV4 => step.put(Address::from_v4_bits(value as u32), value == 0, &mut record.dst),
            Field::SrcV6 => {
                let address = v6(data, end, value);
                step.put(address, address == Address::UNSPECIFIED, &mut record.src);
            }
            Field::DstV6 => {
                let address = v6(data, end, value);
                step.put(address, address == Address::UNSPECIFIED, &mut record.dst);
            }
            Field::SrcPort => step.put(value as u16, value == 0, &mut record.src_port),
            Field::DstPort => step.put(value as u16, value == 0, &mut record.dst_port),
            Field::Protocol => step.put(value as u8, value == 0, &mut record.protocol),
            Field::TcpFlags => record.tcp_flags = Some((value & TCP_FLAGS) as u16),
            Field::RevTcpFlags => record.rev_tcp_flags = Some((value & TCP_FLAGS) as u16),
            Field::Octets => record.octets = counter(value, step.mask, &mut record.quality),
            Field::RevOctets => {
                record.rev_octets = Some(counter(value, step.mask, &mut record.quality));
            }
            Field::Packets => record.packets = counter(value, step.mask, &mut record.quality),
            Field::RevPackets => {
                record.rev_packets = Some(counter(value, step.mask, &mut record.quality));
            }
            Field::LeftOctets => values.left_octets = counter(value, step.mask, &mut record.quality),
            Field::LeftPackets => values.left_packets = counter(value, step.mask, &mut record.quality),
            Field::Payload => {
                record.payload_octets = Some(counter(value, step.mask, &mut record.quality));
            }
            Field::RevPayload => {
                record.rev_payload_octets = Some(counter(value, step.mask, &mut record.quality));
            }
            Field::InIf => record.in_if = Some(narrow(value)),
            Field::OutIf => record.out_if = Some(narrow(value)),
            Field::SrcAs => record.src_as = Some(narrow(value)),
            Field::DstAs => record.dst_as = Some(narrow(value)),
            Field::Direction => record.direction = u8::try_from(value).ok().and_then(Direction::from_code),
            Field::Initiator => record.initiator = u8::try_from(value).ok().and_then(Initiator::from_code),
            Field::EndReason => record.end_reason = Some(value as u8),
            Field::FlowId => decimal(value, &mut record.uid),
            Field::FirewallEvent => firewall_event(value, &mut record.state),
            Field::ExporterV4 => values.exporter = Some(Address::from_v4_bits(value as u32)),
            Field::ExporterV6 => values.exporter = Some(v6(data, end, value)),
            Field::IcmpBoth => values.icmp = value as u16,
            Field::IcmpType => values.icmp = values.icmp & 0x00ff | (value as u16) << 8,
            Field::IcmpCode => values.icmp = values.icmp & 0xff00 | value as u16 & 0x00ff,
            Field::Start => values.start = value,
            Field::End => values.end = value,
            Field::Observed => values.observed = value,
            Field::Duration => values.duration = value,
            Field::SystemInit => values.system_init = value,
            Field::Interval => values.interval = value,
            Field::Taken => values.taken = value,
            Field::LeftOut => values.left_out = value,
            Field::Sample => values.sample = value,
            Field::Population => values.population = value,
            Field::Probability => values.probability = float(value, step.mask),
            Field::Slot => values.slot = value,
            Field::FlowsTaken => values.flows_taken = value,
            Field::FlowsLeftOut => values.flows_left_out = value,
            Field::FlowSlot => values.flow_slot = value,
            Field::SamplingMode => values.sampling_mode = value,
            Field::SelectorAlgorithm => values.selector_algorithm = value,
            Field::FlowAlgorithm => values.flow_algorithm = value,
            Field::ActiveTimeout => values.active_timeout_s = value,
            Field::SamplerId => step.put(Some(value), value == 0, &mut values.sampler_id),
            Field::TemplateId => values.template_id = Some(value as u16),
            Field::FrameOctets => values.frame_octets = value,
            Field::FrameKind => values.frame_kind = value,
            Field::SectionOffset => values.section_offset = value,
            Field::SectionOctets => values.section_octets = value,
            Field::V4Pair => addresses(value, record),
            Field::PortPair => ports(value, record),
            Field::IfPair => interfaces(value, step.mask, record),
            Field::AsPair => systems(value, step.mask, record),
        }
    }
}

/// The bits of a number of so many octets, 1 to 8; more are read in parts of 8.
fn mask(octets: u16) -> u64 {
    u64::MAX >> (64 - 8 * octets.min(8))
}

/// The eight octets before `end` of a run.
#[inline]
fn load(data: &[u8], end: usize) -> u64 {
    let mut octets = [0; READ_BEHIND];
    octets.copy_from_slice(&data[end..end + READ_BEHIND]);
    u64::from_be_bytes(octets)
}

/// The address that ends at `end` of a run, whose lower half is known.
#[inline]
fn v6(data: &[u8], end: usize, low: u64) -> Address {
    Address::from_bits(u128::from(load(data, end - READ_BEHIND)) << 64 | u128::from(low))
}

#[inline]
fn addresses(pair: u64, record: &mut FlowRecord) {
    record.src = Address::from_v4_bits((pair >> 32) as u32);
    record.dst = Address::from_v4_bits(pair as u32);
}

#[inline]
fn ports(pair: u64, record: &mut FlowRecord) {
    record.src_port = (pair >> 16) as u16;
    record.dst_port = pair as u16;
}

#[inline]
fn interfaces(pair: u64, mask: u64, record: &mut FlowRecord) {
    let (first, second) = halves(pair, mask);
    record.in_if = Some(first);
    record.out_if = Some(second);
}

#[inline]
fn systems(pair: u64, mask: u64, record: &mut FlowRecord) {
    let (first, second) = halves(pair, mask);
    record.src_as = Some(first);
    record.dst_as = Some(second);
}

/// The halves of a pair of four or eight octets.
#[inline]
fn halves(pair: u64, mask: u64) -> (u32, u32) {
    if mask == u64::MAX {
        ((pair >> 32) as u32, pair as u32)
    } else {
        ((pair >> 16) as u32, pair as u32 & 0xffff)
    }
}

/// A float of eight octets, or of four (RFC 7011 §6.2).
fn float(bits: u64, mask: u64) -> f64 {
    if mask == u64::MAX { f64::from_bits(bits) } else { f32::from_bits(bits as u32).into() }
}

/// A counter as it is stored. One that stands at the end of its range says "this or more": at
/// the largest number of four or more octets, or beyond what the table holds.
#[inline]
fn counter(value: u64, mask: u64, quality: &mut Quality) -> u64 {
    if value > i64::MAX as u64 || (value == mask && mask >= u64::from(u32::MAX)) {
        *quality |= Quality::COUNTER_CLAMPED;
    }
    value.min(i64::MAX as u64)
}

#[inline]
fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Writes a number into a text that keeps its buffer.
pub(crate) fn decimal(mut value: u64, text: &mut String) {
    text.clear();
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    text.extend(digits[first..].iter().map(|digit| char::from(*digit)));
}

/// The word for a firewall event (IANA, element 233): a flow that was denied is no exchange.
pub(crate) fn firewall_event(value: u64, text: &mut String) {
    text.clear();
    text.push_str(match value {
        1 => "created",
        2 => "deleted",
        3 => "denied",
        4 => "alert",
        5 => "update",
        _ => "",
    });
}
