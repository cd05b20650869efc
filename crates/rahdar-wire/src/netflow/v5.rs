//! NetFlow version 5: a header of 24 octets and up to some thirty records of 48.
//!
//! Source: Cisco, "NetFlow Export Datagram Format". The sampling field of the header has two
//! bits of mode (1: every n-th packet, 2: random) and fourteen of interval. Whether an interval
//! of 0 means "not sampled" or "not told" cannot be seen: many that sample leave it empty, so
//! the rate is unknown. An interval counts whatever the mode, as Juniper sends mode 0.

use rahdar_model::flow::Sampler;
use rahdar_model::time::Timestamp;

use super::element::PADDING;
use super::sampling::Rate;
use super::template::{Icmp, Plan, Spec};
use super::v7;

/// Octets of the header.
pub(super) const HEADER: usize = 24;

/// Octets of a record.
pub(super) const RECORD: usize = 48;

/// Records that the longest datagram holds. Cisco sends 30 at most; others follow the link.
pub(super) const RECORDS_MAX: usize = (65_535 - HEADER) / RECORD;

/// The header of a datagram, of version 5 or 7.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    /// Octets of each record.
    pub(super) record: usize,
    /// How many records should follow.
    pub(super) count: u16,
    pub(super) export: Timestamp,
    pub(super) uptime_ms: u32,
    /// Flows sent before.
    pub(super) sequence: u32,
    /// Engine type and id: the nearest that v5 has to an observation domain.
    pub(super) engine: u16,
    pub(super) rate: Option<Rate>,
}

impl Header {
    /// Reads a header; none if the datagram is shorter.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let header = payload.first_chunk::<HEADER>()?;
        let u16_at = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) << 16 | u32::from(u16_at(at + 2));
        let nanos_us = i64::from(u32_at(12)) / 1_000;
        // In version 7 the last four octets say nothing.
        let (record, engine, sampling) =
            if u16_at(0) == 7 { (v7::RECORD, 0, 0) } else { (RECORD, u16_at(20), u16_at(22)) };
        let interval = u32::from(sampling & 0x3fff);
        let sampler = match sampling >> 14 {
            1 => Some(Sampler::Systematic),
            2 => Some(Sampler::Random),
            _ => None,
        };
        Some(Self {
            record,
            count: u16_at(2),
            export: Timestamp::from_seconds(i64::from(u32_at(8))).plus_micros(nanos_us),
            uptime_ms: u32_at(4),
            engine,
            sequence: u32_at(16),
            rate: (interval > 0).then_some(Rate::one_in(interval, sampler)),
        })
    }
}

/// The fields of a record.
pub(super) const FIELDS: &[Spec] = &[
    Spec::new(8, 4),
    Spec::new(12, 4),
    // The next hop.
    Spec::new(15, 4),
    Spec::new(10, 2),
    Spec::new(14, 2),
    Spec::new(2, 4),
    Spec::new(1, 4),
    Spec::new(22, 4),
    Spec::new(21, 4),
    Spec::new(7, 2),
    Spec::new(11, 2),
    Spec::new(PADDING, 1),
    Spec::new(6, 1),
    Spec::new(4, 1),
    Spec::new(5, 1),
    Spec::new(16, 2),
    Spec::new(17, 2),
    Spec::new(9, 1),
    Spec::new(13, 1),
    Spec::new(PADDING, 2),
];

/// The record, as a template would describe it.
pub(super) fn plan() -> Plan {
    plan_of(FIELDS)
}

/// Records of these fields.
pub(super) fn plan_of(fields: &[Spec]) -> Plan {
    let mut plan = Plan::compile(fields, false).expect("some twenty fields of fixed length are a template");
    // Type and code are in the destination port by definition: 0 is an echo reply.
    plan.icmp = Icmp::InElementOrPort;
    plan
}
