//! Flow records of nfdump 1.7: a header and a list of elements, each with type and length.

use rahdar_model::address::Address;

use super::flow::{Origin, Scaled, Values};
use super::header::{u16_at, u32_at, u64_at};

/// Octets of the header of a record.
const HEADER: usize = 12;

/// Octets of the header of an element.
const ELEMENT_HEADER: usize = 4;

/// Flags of a record.
const SCALED: u8 = 0x2;
const ANONYMISED: u8 = 0x4;

/// Reads a record into values. None if its elements do not fit into it, or do not hold what they
/// should.
pub(super) fn read(record: &[u8], values: &mut Values) -> Option<()> {
    let header: &[u8; HEADER] = record.first_chunk()?;
    let origin = Origin::of(header[11]);
    *values = Values {
        exporter: u16_at(header, 8)?,
        origin,
        scaled: match origin {
            _ if header[10] & SCALED != 0 => Scaled::BySampler,
            Origin::Untold => Scaled::MarkLost,
            _ => Scaled::No,
        },
        is_anonymised: header[10] & ANONYMISED != 0,
        is_packets_short: origin.is_short(),
        is_octets_short: origin.is_short(),
        ..Values::default()
    };
    let mut both = Both::default();
    let mut left = &record[HEADER..];
    for _ in 0..u16_at(header, 4)? {
        let length = usize::from(u16_at(left, 2)?);
        if length < ELEMENT_HEADER || length > left.len() {
            return None;
        }
        let (element, rest) = left.split_at(length);
        read_element(u16_at(element, 0)?, &element[ELEMENT_HEADER..], values, &mut both)?;
        left = rest;
    }
    values.addresses = both.chosen();
    Some(())
}

/// The number of the exporter of a record, if it has one.
pub(super) fn exporter(record: &[u8]) -> Option<u16> {
    u16_at(record, 8).filter(|number| *number > 0)
}

/// The addresses of both families: some exporters have room for both in every record.
#[derive(Default)]
struct Both {
    v4: Option<(u32, u32)>,
    v6: Option<(Address, Address)>,
    version: u8,
}

impl Both {
    /// Those that the record means: by its IP version, or IPv4 if that has any.
    fn chosen(&self) -> Option<(Address, Address)> {
        let v4 = self.v4.map(|(src, dst)| (Address::from_v4_bits(src), Address::from_v4_bits(dst)));
        match (v4, self.v6, self.version) {
            (Some(_), Some(v6), 6) => Some(v6),
            (Some(_), Some(v6), 0) if self.v4 == Some((0, 0)) => Some(v6),
            (v4, v6, _) => v4.or(v6),
        }
    }
}

/// Reads one element. Those that say nothing of a flow as rahdar knows it are passed over.
#[inline]
fn read_element(kind: u16, body: &[u8], values: &mut Values, both: &mut Both) -> Option<()> {
    match kind {
        // Times, counters, ports.
        1 => {
            let body: &[u8; 48] = body.first_chunk()?;
            values.first_ms = u64_at(body, 0)?;
            values.last_ms = u64_at(body, 8)?;
            values.received_ms = u64_at(body, 16)?;
            values.packets = u64_at(body, 24)?;
            values.octets = u64_at(body, 32)?;
            values.src_port = u16_at(body, 40)?;
            values.dst_port = u16_at(body, 42)?;
            values.protocol = body[44];
            values.tcp_flags = body[45];
        }
        2 => both.v4 = Some((u32_at(body, 0)?, u32_at(body, 4)?)),
        3 => both.v6 = Some((v6_at(body, 0)?, v6_at(body, 16)?)),
        // Interfaces, direction, why it ended.
        4 => {
            let body: &[u8; 16] = body.first_chunk()?;
            values.input = u32_at(body, 0)?;
            values.output = u32_at(body, 4)?;
            values.is_egress = body[10] == 1;
            values.biflow_direction = body[12];
            values.end_reason = body[13];
            // Until 1.7.4, in flows that nfdump joined to biflows; zero since.
            values.out_tcp_flags = body[14];
        }
        5 => {
            values.flows = u64_at(body, 0)?;
            values.out_packets = u64_at(body, 8)?;
            values.out_octets = u64_at(body, 16)?;
        }
        7 => {
            values.src_as = u32_at(body, 0)?;
            values.dst_as = u32_at(body, 4)?;
        }
        // The router that sent it.
        12 => values.router = Some(Address::from_v4_bits(u32_at(body, 0)?)),
        13 => values.router = Some(v6_at(body, 0)?),
        18 => values.sampler = Some(u64_at(body, 0)?),
        // What a firewall did.
        19 => {
            values.event_ms = u64_at(body, 0)?;
            values.flow_id = u32_at(body, 8)?.into();
            values.firewall_event = *body.get(14)?;
        }
        // What a translator did.
        25 => values.event_ms = u64_at(body, 0)?,
        33 => values.domain = u32_at(body, 8)?,
        // Link layer, and the version of IP above it.
        38 => both.version = body.get(26).copied().unwrap_or(0),
        39 => values.flow_id = u64_at(body, 0)?,
        _ => {}
    }
    Some(())
}

/// An IPv6 address: two numbers, the upper half first.
pub(super) fn v6_at(octets: &[u8], at: usize) -> Option<Address> {
    let (high, low) = (u64_at(octets, at)?, u64_at(octets, at + 8)?);
    Some(Address::from_bits(u128::from(high) << 64 | u128::from(low)))
}
