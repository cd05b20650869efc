//! Delegated (extended) statistics (RIR statistics exchange format): what registries gave to whom:
//! `ripencc|AF|ipv4|203.0.113.0|256|20050101|allocated|id`. The first line has the version, the registry
//! and the last day. AS numbers, and what was given to nobody, are left out.

use rahdar_model::{Address, Day, Prefix};

use super::{Read, Refusals, country, lines};
use crate::registry::error::{DumpError, LineError};
use crate::registry::prefix::{PrefixRows, Same};
use crate::registry::{Dump, Part, Table, Topic};

const REGISTRIES: [&str; 6] = ["afrinic", "apnic", "arin", "lacnic", "ripencc", "nro"];

pub(super) fn is_line(line: &str) -> bool {
    let fields: Vec<&str> = line.split('|').collect();
    is_header(&fields) || fields.len() >= 6 && REGISTRIES.contains(&fields[0])
}

fn is_header(fields: &[&str]) -> bool {
    fields.len() >= 6 && REGISTRIES.contains(&fields[1]) && fields[0].parse::<f32>().is_ok()
}

fn is_block(fields: &[&str]) -> bool {
    fields.len() >= 7 && REGISTRIES.contains(&fields[0]) && matches!(fields[2], "ipv4" | "ipv6")
}

pub(super) fn read(
    text: &str,
    day: impl Fn(Option<Day>) -> Result<Day, DumpError>,
) -> Result<Read, DumpError> {
    let mut refusals = Refusals::default();
    let mut rows = PrefixRows::default();
    let (mut registry, mut until) = (None, None);
    for (number, line) in lines(text) {
        let fields: Vec<&str> = line.split('|').collect();
        if is_header(&fields) {
            registry = registry.or(Some(fields[1]));
            until = until.or_else(|| self::day(fields[5]));
            continue;
        }
        if fields.last() == Some(&"summary") || fields.get(2) == Some(&"asn") {
            continue;
        }
        if !is_block(&fields) {
            refusals.take(number, Err::<(), _>(LineError::Fields(fields.len(), 7)));
            continue;
        }
        registry = registry.or(Some(fields[0]));
        if fields[1].is_empty() || fields[1] == "ZZ" {
            continue;
        }
        let Some(block) = refusals.take(number, block(&fields)) else { continue };
        match block {
            (code, Block::Range(first, last)) => rows.add_range(first, last, &code)?,
            (code, Block::Prefix(prefix)) => rows.add(prefix, &code)?,
        }
    }
    let as_of = day(until)?;
    let source = format!("delegated, {}", registry.ok_or(DumpError::Empty)?);
    let table = Table::Prefixes(rows.finish(Same::First)?);
    Ok(refusals.with(Dump { source, as_of, parts: vec![Part { topic: Topic::Registered, table }] }))
}

enum Block {
    /// IPv4 counts addresses.
    Range(Address, Address),
    /// IPv6 has a length.
    Prefix(Prefix),
}

fn block(fields: &[&str]) -> Result<(String, Block), LineError> {
    let code = country(fields[1])?;
    let wrong = || LineError::Prefix(format!("{}/{}", fields[3], fields[4]));
    let first: Address = fields[3].parse().map_err(|_| wrong())?;
    let value: u64 = fields[4].parse().map_err(|_| wrong())?;
    let block = match first.v4_bits() {
        Some(bits) => {
            let last =
                u64::from(bits).checked_add(value).and_then(|end| end.checked_sub(1)).filter(|_| value > 0);
            let last = last.and_then(|last| u32::try_from(last).ok()).ok_or_else(wrong)?;
            Block::Range(first, Address::from_v4_bits(last))
        }
        None => match u8::try_from(value) {
            Ok(length) if (1..=128).contains(&length) => Block::Prefix(Prefix::new(first, length)),
            _ => return Err(wrong()),
        },
    };
    Ok((code, block))
}

/// `20210815`.
fn day(text: &str) -> Option<Day> {
    let is_date = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    let part = |from: usize, to: usize| text[from..to].parse::<i16>().ok();
    let (year, month, day) = if is_date { (part(0, 4)?, part(4, 6)?, part(6, 8)?) } else { return None };
    Day::from_date(year, month.try_into().ok()?, day.try_into().ok()?)
}
