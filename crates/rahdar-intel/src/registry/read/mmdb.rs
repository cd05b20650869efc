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

/// Networks of a database that are visited at most: a small tree may point to itself many times. As many
/// as a table may have rows.
const NETWORKS_MAX: usize = crate::registry::prefix::ROWS_MAX;

pub(super) fn is_database(bytes: &[u8]) -> bool {
    let end = &bytes[bytes.len().saturating_sub(METADATA_OCTETS_MAX)..];
    end.windows(MARK.len()).any(|window| window == MARK)
}

/// What one record says. Many networks share one.
#[derive(Clone, Default)]
struct Record {
    country: Option<String>,
    asn: Option<(u32, String)>,
}

pub(super) fn read(
    bytes: &[u8],
    day: impl Fn(Option<Day>) -> Result<Day, DumpError>,
) -> Result<Read, DumpError> {
    let reader = Reader::from_source(bytes).map_err(damaged)?;
    let metadata = reader.metadata();
    let built = i64::try_from(metadata.build_epoch).ok().filter(|built| *built > 0);
    let as_of = day(built.map(|built| Timestamp::from_seconds(built).day()))?;
    let source = metadata.database_type.chars().filter(|c| !c.is_control()).take(SOURCE_CHARS_MAX).collect();

    let (mut places, mut origins) = (PrefixRows::default(), PrefixRows::default());
    let mut names = NumberRows::default();
    let mut records: HashMap<usize, Record> = HashMap::new();
    for (visited, found) in reader.networks(Default::default()).map_err(damaged)?.enumerate() {
        if visited >= NETWORKS_MAX {
            return Err(DumpError::TooLarge { limit: "NETWORKS_MAX", most: NETWORKS_MAX });
        }
        let found = found.map_err(damaged)?;
        let Some(offset) = found.offset() else { continue };
        let network = found.network().map_err(damaged)?;
        let base = if network.is_ipv4() { 96 } else { 0 };
        let network = Prefix::new(Address::from(network.ip()), base + network.prefix());
        let record = match records.get(&offset) {
            Some(record) => record,
            None => {
                let record = Record::of(&found)?;
                if let Some((asn, name)) = &record.asn {
                    names.add(*asn, name)?;
                }
                records.entry(offset).or_insert(record)
            }
        };
        if let Some(country) = &record.country {
            places.add_range(network.first(), network.last(), country)?;
        }
        if let Some((asn, _)) = &record.asn {
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

/// Characters of the name of a database that are kept; chosen here.
const SOURCE_CHARS_MAX: usize = 60;

impl Record {
    fn of(found: &LookupResult<'_, &[u8]>) -> Result<Self, DumpError> {
        let text = |path: &[&str]| text(found, path);
        let mut code = None;
        for path in [&["country", "iso_code"][..], &["country_code"], &["country"], &["geo", "country_code"]]
        {
            code = text(path).and_then(|text| country(&text).ok());
            if code.is_some() {
                break;
            }
        }
        let mut origin = None;
        for (number, name) in [
            (&["autonomous_system_number"][..], &["autonomous_system_organization"][..]),
            (&["asn"], &["as_name"]),
            (&["asn"], &["name"]),
            (&["as", "asn"], &["as", "name"]),
        ] {
            let number = whole(found, number).or_else(|| asn(&text(number)?).ok());
            if let Some(number) = number.filter(|number| *number > 0) {
                origin = Some((number, text(name).unwrap_or_default()));
                if text(name).is_some() {
                    break;
                }
            }
        }
        Ok(Self { country: code, asn: origin })
    }
}

/// A text of the record; none where it is not there, or something else is.
fn text(found: &LookupResult<'_, &[u8]>, path: &[&str]) -> Option<String> {
    let path: Vec<PathElement<'_>> = path.iter().map(|key| PathElement::Key(key)).collect();
    found.decode_path::<String>(&path).ok().flatten()
}

/// A number of the record.
fn whole(found: &LookupResult<'_, &[u8]>, path: &[&str]) -> Option<u32> {
    let path: Vec<PathElement<'_>> = path.iter().map(|key| PathElement::Key(key)).collect();
    found.decode_path::<u32>(&path).ok().flatten()
}

fn damaged(error: MaxMindDbError) -> DumpError {
    DumpError::Damaged { what: "a MaxMind database", why: error.to_string() }
}
