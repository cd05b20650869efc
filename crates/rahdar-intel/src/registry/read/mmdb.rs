//! MaxMind databases (MaxMind DB File Format 2.0): countries (GeoLite2 and others: `country.iso_code`; IPinfo:
//! `country_code`, or `country` as a text) and AS (`autonomous_system_number`, `asn`). The database
//! knows the day on which it was built.

use std::collections::HashMap;

use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader};
use rahdar_model::{Address, Day, Prefix, Timestamp};

use super::{Read, Refusals, asn, country};
use crate::registry::error::DumpError;
use crate::registry::number::NumberRows;
use crate::registry::prefix::{PrefixRows, Same};
use crate::registry::{Dump, Part, Table, Topic};

/// What stands before the metadata, within the last 128 KiB of the file.
const MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";
const METADATA_OCTETS_MAX: usize = 128 << 10;

/// Networks of a database that are visited at most: as many as a table may have rows.
const NETWORKS_MAX: usize = crate::registry::prefix::ROWS_MAX;

/// Steps through a search tree at most, ends without data among them. A branch that others share is walked once
/// for each, so that a hundred nodes can make 2¹⁰⁰ ways. Chosen here: two steps for each of the most networks, and the IPv4
/// branch that a database of IPv6 shares with three others.
const STEPS_MAX: u32 = 8 * NETWORKS_MAX as u32;
/// What [`STEPS_MAX`] counts, in words.
const STEPS: &str = "steps through its tree";

/// Octets of names that are read of all records together: many may share one name.
const NAMES_OCTETS_MAX: usize = super::DUMP_OCTETS_MAX;

pub(super) fn is_database(bytes: &[u8]) -> bool {
    let end = &bytes[bytes.len().saturating_sub(METADATA_OCTETS_MAX)..];
    end.windows(MARK.len()).any(|window| window == MARK)
}

/// What one record says. Many networks share one.
struct Record {
    country: Option<String>,
    asn: Option<u32>,
}

pub(super) fn read(
    bytes: &[u8],
    day: impl Fn(Option<Day>) -> Result<Day, DumpError>,
) -> Result<Read, DumpError> {
    let reader = Reader::from_source(bytes).map_err(damaged)?;
    let metadata = reader.metadata();
    walkable(bytes, metadata.node_count as usize, metadata.record_size)?;
    let built = i64::try_from(metadata.build_epoch).ok().filter(|built| *built > 0);
    let as_of = day(built.map(|built| Timestamp::from_seconds(built).day()))?;
    let source = metadata.database_type.chars().filter(|c| !c.is_control()).take(SOURCE_CHARS_MAX).collect();

    let (mut places, mut origins) = (PrefixRows::default(), PrefixRows::default());
    let mut names = NumberRows::default();
    let mut records: HashMap<usize, Record> = HashMap::new();
    let mut names_octets = 0;
    for (visited, found) in reader.networks(Default::default()).map_err(damaged)?.enumerate() {
        if visited >= NETWORKS_MAX {
            return Err(DumpError::TooLarge { most: NETWORKS_MAX, what: "networks" });
        }
        let found = found.map_err(damaged)?;
        let Some(offset) = found.offset() else { continue };
        let network = found.network().map_err(damaged)?;
        let base = if network.is_ipv4() { 96 } else { 0 };
        let network = Prefix::new(Address::from(network.ip()), base + network.prefix());
        let record = match records.get(&offset) {
            Some(record) => record,
            None => {
                let (record, name) = Record::of(&found);
                names_octets += name.len();
                if names_octets > NAMES_OCTETS_MAX {
                    return Err(DumpError::TooLarge { most: NAMES_OCTETS_MAX, what: "octets of names" });
                }
                if let Some(asn) = record.asn {
                    names.add(asn, name)?;
                }
                records.entry(offset).or_insert(record)
            }
        };
        if let Some(country) = &record.country {
            places.add_range(network.first(), network.last(), country)?;
        }
        if let Some(asn) = record.asn {
            origins.add(network, &asn.to_string())?;
        }
    }
    let mut parts = Vec::new();
    for (topic, rows) in [(Topic::Geolocated, places), (Topic::Origin, origins)] {
        match rows.finish(Same::First) {
            Ok(table) => parts.push(Part { topic, table: Table::Prefixes(table) }),
            Err(DumpError::Empty) => {}
            Err(error) => return Err(error),
        }
    }
    let names = names.finish();
    if !names.is_empty() {
        parts.push(Part { topic: Topic::Organisation, table: Table::Numbers(names) });
    }
    if parts.is_empty() {
        return Err(DumpError::Empty);
    }
    Ok(Refusals::default().with(Dump { source, as_of, parts }))
}

/// Whether the search tree can be walked to all of its ends: it leads back to no node, and is not walked for
/// ever. Steps are counted once for each node, from the ends to the root.
fn walkable(bytes: &[u8], nodes: usize, record_bits: u16) -> Result<(), DumpError> {
    /// Nodes that are being counted have this many; one that leads to them leads back.
    const UNDER_WAY: u32 = u32::MAX;
    let mut steps = vec![0; nodes];
    let mut way = Vec::from_iter((nodes > 0).then_some(0));
    while let Some(&node) = way.last() {
        let branches = branches(bytes, node, record_bits).map(|branch| Some(branch).filter(|at| *at < nodes));
        if steps[node] == 0 {
            steps[node] = UNDER_WAY;
            for branch in branches.into_iter().flatten() {
                match steps[branch] {
                    0 => way.push(branch),
                    UNDER_WAY => return Err(leads_back()),
                    _ => {}
                }
            }
            continue;
        }
        way.pop();
        if steps[node] == UNDER_WAY {
            let below = branches.map(|branch| branch.map_or(1, |branch| steps[branch]));
            steps[node] = below[0].saturating_add(below[1]).saturating_add(1).min(UNDER_WAY - 1);
        }
    }
    if steps.first().is_some_and(|steps| *steps > STEPS_MAX) {
        return Err(DumpError::TooLarge { most: STEPS_MAX as usize, what: STEPS });
    }
    Ok(())
}

/// Where the two branches of a node lead: to a node, or beyond all of them. A node has two records of 24, 28
/// or 32 bits; of 28, their highest four share the octet in the middle.
fn branches(bytes: &[u8], node: usize, record_bits: u16) -> [usize; 2] {
    let octets = usize::from(record_bits) / 4;
    let at = |from: usize, count: usize| {
        let octets = bytes.get(node * octets + from..node * octets + from + count);
        octets.map_or(usize::MAX, |octets| octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)))
    };
    match record_bits {
        28 => [at(0, 3) | (at(3, 1) >> 4) << 24, at(4, 3) | (at(3, 1) & 15) << 24],
        _ => [at(0, octets / 2), at(octets / 2, octets / 2)],
    }
}

fn leads_back() -> DumpError {
    DumpError::Damaged { what: "a MaxMind database", why: "a branch of its tree leads back".to_owned() }
}

/// Characters of the name of a database that are kept; chosen here.
const SOURCE_CHARS_MAX: usize = 60;

impl Record {
    /// The record, and the name of its AS.
    fn of<'a>(found: &LookupResult<'a, &[u8]>) -> (Self, &'a str) {
        let text = |path: &[&str]| text(found, path);
        let mut code = None;
        for path in [&["country", "iso_code"][..], &["country_code"], &["country"], &["geo", "country_code"]]
        {
            code = text(path).and_then(|text| country(text).ok());
            if code.is_some() {
                break;
            }
        }
        let mut origin: Option<(u32, &str)> = None;
        for (number, name) in [
            (&["autonomous_system_number"][..], &["autonomous_system_organization"][..]),
            (&["asn"], &["as_name"]),
            (&["asn"], &["name"]),
            (&["as", "asn"], &["as", "name"]),
        ] {
            let number = whole(found, number).or_else(|| asn(text(number)?).ok());
            if let Some(number) = number.filter(|number| *number > 0) {
                let name = text(name);
                origin = Some((number, name.unwrap_or_default()));
                if name.is_some() {
                    break;
                }
            }
        }
        let name = origin.map_or("", |(_, name)| name);
        (Self { country: code, asn: origin.map(|(number, _)| number) }, name)
    }
}

/// A text of the record; none where it is not there, or something else is.
fn text<'a>(found: &LookupResult<'a, &[u8]>, path: &[&str]) -> Option<&'a str> {
    let path: Vec<PathElement<'_>> = path.iter().map(|key| PathElement::Key(key)).collect();
    found.decode_path::<&str>(&path).ok().flatten()
}

/// A number of the record.
fn whole(found: &LookupResult<'_, &[u8]>, path: &[&str]) -> Option<u32> {
    let path: Vec<PathElement<'_>> = path.iter().map(|key| PathElement::Key(key)).collect();
    found.decode_path::<u32>(&path).ok().flatten()
}

fn damaged(error: MaxMindDbError) -> DumpError {
    DumpError::Damaged { what: "a MaxMind database", why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text, as a database has it.
    fn string(text: &str) -> Vec<u8> {
        [&[0x40 | text.len() as u8], text.as_bytes()].concat()
    }

    /// A number of four octets.
    fn number(number: u32) -> Vec<u8> {
        [&[0xc4], &number.to_be_bytes()[..]].concat()
    }

    /// A number of two octets.
    fn short(number: u16) -> Vec<u8> {
        [&[0xa2], &number.to_be_bytes()[..]].concat()
    }

    /// A database of IPv4 with these nodes and data: a branch is a node, or none.
    fn database(nodes: &[[Option<u32>; 2]], record_bits: u16, data: &[u8]) -> Vec<u8> {
        let count = nodes.len() as u32;
        let mut bytes = Vec::new();
        for node in nodes {
            let [left, right] = node.map(|branch| branch.unwrap_or(count));
            match record_bits {
                24 => bytes.extend([&left.to_be_bytes()[1..], &right.to_be_bytes()[1..]].concat()),
                28 => {
                    let shared = ((left >> 24) << 4 | right >> 24) as u8;
                    bytes.extend([&left.to_be_bytes()[1..], &[shared], &right.to_be_bytes()[1..]].concat());
                }
                _ => bytes.extend([left.to_be_bytes(), right.to_be_bytes()].concat()),
            }
        }
        bytes.extend([&[0; 16], data, MARK, &[0xe9]].concat());
        for (key, value) in [
            ("node_count", number(count)),
            ("record_size", short(record_bits)),
            ("ip_version", short(4)),
            ("binary_format_major_version", short(2)),
            ("binary_format_minor_version", short(0)),
            ("build_epoch", vec![4, 2, 0x61, 0x18, 0x59, 0x00]),
            ("database_type", string("Example")),
            ("languages", vec![0, 4]),
            ("description", vec![0xe0]),
        ] {
            bytes.extend([string(key), value].concat());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Read, DumpError> {
        super::super::read(super::super::Kind::Mmdb, "fuzz.mmdb", bytes, None)
    }

    #[test]
    fn networks_have_what_their_record_says() {
        let record =
            [&[0xe2][..], &string("asn"), &number(64_496), &string("country"), &string("AF")].concat();
        for record_bits in [24, 28, 32] {
            // Data begin sixteen octets behind the number of nodes.
            let database = database(&[[Some(1), None], [Some(18), Some(18)]], record_bits, &record);
            let dump = read(&database).unwrap().dump;
            assert_eq!(dump.as_of, "2021-08-15".parse::<Timestamp>().unwrap().day());
            let rows: Vec<_> = dump.parts.iter().map(|part| (part.topic, part.table.len())).collect();
            // Ranges of one country that touch are one.
            assert_eq!(rows, [(Topic::Geolocated, 1), (Topic::Origin, 2)], "{record_bits}");
        }
    }

    #[test]
    fn a_tree_whose_branches_meet_again_and_again_is_refused() {
        for record_bits in [24, 28, 32] {
            let mut nodes: Vec<_> = (1..32).map(|next| [Some(next); 2]).collect();
            nodes.push([None; 2]);
            let refused = read(&database(&nodes, record_bits, &[])).unwrap_err();
            assert!(matches!(refused, DumpError::TooLarge { what: STEPS, .. }), "{refused:?}");
        }
    }

    #[test]
    fn a_tree_that_leads_back_is_refused() {
        for nodes in [vec![[Some(0); 2]], vec![[Some(1), None], [None, Some(2)], [Some(1), None]]] {
            assert_eq!(read(&database(&nodes, 24, &[])).unwrap_err(), leads_back());
        }
    }
}
