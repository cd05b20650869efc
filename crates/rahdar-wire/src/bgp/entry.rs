//! One record of a table: a prefix, and the routes to it.

use rahdar_model::{Address, Prefix};

/// The form of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One route of one peer, AS of two octets (RFC 6396 §4.2).
    Old {
        /// The family.
        is_v4: bool,
    },
    /// A prefix and all its routes, AS of four octets (RFC 6396 §4.3.2), with path identifiers (RFC 8050 §4) or
    /// without.
    Rib {
        /// The family.
        is_v4: bool,
        /// Whether each route has one.
        has_path_id: bool,
    },
    /// The peers of the collector.
    Peers,
    /// Multicast, or a family of its own.
    OtherFamily,
}

/// Distinct origins of one prefix that are told apart. Chosen here: the most anycast ones have some dozens.
const ORIGINS_MAX: usize = 64;

/// AS that stands for one of four octets (RFC 6793).
const AS_TRANS: u32 = 23_456;

/// The origins of one prefix, and how many routes lead to each.
#[derive(Debug, Default)]
pub(super) struct Origins {
    counts: Vec<(u32, u32)>,
    told: Vec<u32>,
    refused: u64,
}

impl Origins {
    /// Routes of the last record that could not be read.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// The origins, those of most routes first; of equals the lowest.
    pub(super) fn told(&mut self) -> &[u32] {
        self.counts.sort_by_key(|(asn, routes)| (std::cmp::Reverse(*routes), *asn));
        self.told.clear();
        self.told.extend(self.counts.iter().map(|(asn, _)| *asn));
        &self.told
    }

    fn clear(&mut self) {
        self.counts.clear();
        self.refused = 0;
    }

    /// Counts the origins of a route, or the route as one that cannot be read.
    fn add(&mut self, attributes: Option<&[u8]>, asn_octets: usize) {
        let Some(last) = attributes.and_then(|attributes| last_segment(attributes, asn_octets)) else {
            self.refused += 1;
            return;
        };
        for asn in last {
            match self.counts.iter().position(|(known, _)| *known == asn) {
                Some(place) => self.counts[place].1 += 1,
                None if self.counts.len() < ORIGINS_MAX => self.counts.push((asn, 1)),
                None => {}
            }
        }
    }
}

/// The prefix of a record; its routes go to `origins`, which hold nothing else. None if it cannot be read.
pub(super) fn route(form: Form, body: &[u8], origins: &mut Origins) -> Option<Prefix> {
    origins.clear();
    let mut octets = Octets(body);
    match form {
        Form::Old { is_v4 } => {
            octets.take(4)?; // View and sequence number.
            let address = octets.take(if is_v4 { 4 } else { 16 })?;
            let prefix = prefix(address, octets.number(1)?, is_v4)?;
            octets.take(5 + if is_v4 { 4 } else { 16 } + 2)?; // Status, time, peer and its AS.
            let length = octets.number(2)?;
            origins.add(octets.take(length), 2);
            Some(prefix)
        }
        Form::Rib { is_v4, has_path_id } => {
            octets.take(4)?; // Sequence number.
            let length = octets.number(1)?;
            let prefix = prefix(octets.take(length.div_ceil(8))?, length, is_v4)?;
            for _ in 0..octets.number(2)? {
                octets.take(6 + if has_path_id { 4 } else { 0 })?; // Peer, time, identifier.
                let length = octets.number(2)?;
                origins.add(octets.take(length), 4);
            }
            Some(prefix)
        }
        Form::Peers | Form::OtherFamily => None,
    }
}

/// The prefix of these octets and this length; octets that are not there are zero.
fn prefix(octets: &[u8], length: usize, is_v4: bool) -> Option<Prefix> {
    let most = if is_v4 { 32 } else { 128 };
    if length > most {
        return None;
    }
    let mut whole = [0_u8; 16];
    whole.get_mut(..octets.len())?.copy_from_slice(octets);
    let bits = u128::from_be_bytes(whole);
    let address = if is_v4 { Address::from_v4_bits((bits >> 96) as u32) } else { Address::from_bits(bits) };
    Some(Prefix::new(address, (128 - most + length) as u8))
}

/// The AS of the last segment of the path, if that is a set; its last AS, if that is a sequence; none of an
/// empty path, or without one. `None` if the attributes cannot be read.
fn last_segment(attributes: &[u8], asn_octets: usize) -> Option<Vec<u32>> {
    const EXTENDED_LENGTH: u8 = 0x10;
    const AS_PATH: usize = 2;
    const AS4_PATH: usize = 17;
    let (mut path, mut wide) = (None, None);
    let mut octets = Octets(attributes);
    while !octets.0.is_empty() {
        let flags = octets.take(1)?[0];
        let kind = octets.number(1)?;
        let length = octets.number(if flags & EXTENDED_LENGTH == 0 { 1 } else { 2 })?;
        let value = octets.take(length)?;
        match kind {
            AS_PATH => path = Some(origin(value, asn_octets)?),
            AS4_PATH => wide = origin(value, 4),
            _ => {}
        }
    }
    // Routes of other protocols have none.
    let path = path.unwrap_or_default();
    // What speaks two octets puts the true origin into an attribute beside (RFC 6793 §4.2.2).
    Some(if path == [AS_TRANS] { wide.unwrap_or(path) } else { path })
}

fn origin(path: &[u8], asn_octets: usize) -> Option<Vec<u32>> {
    /// Kinds of segments (RFC 4271 §4.3): of AS, in an order or not. Others are of confederations.
    const SET: usize = 1;
    const SEQUENCE: usize = 2;
    let mut origin = Vec::new();
    let mut octets = Octets(path);
    while !octets.0.is_empty() {
        let kind = octets.number(1)?;
        let count = octets.number(1)?;
        let asns = octets.take(count.checked_mul(asn_octets)?)?;
        let mut asns =
            asns.chunks_exact(asn_octets).map(|asn| asn.iter().fold(0, |sum, o| sum << 8 | u32::from(*o)));
        match kind {
            SET => origin = asns.collect(),
            SEQUENCE => origin = asns.next_back().into_iter().collect(),
            _ => {}
        }
    }
    Some(origin)
}

/// Octets, the first of which are taken off.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of one or two octets.
    fn number(&mut self, n: usize) -> Option<usize> {
        Some(self.take(n)?.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)))
    }
}
