//! Ranges of addresses, without a header: `first,last,AS,name` or `first,last,country` (ip-location-db),
//! or with tabs and the country between: `first last AS country name` (iptoasn). AS 0 announces nothing.

use rahdar_model::Day;

use super::{Read, Refusals, asn, country, lines, range};
use crate::registry::error::{DumpError, LineError};
use crate::registry::number::NumberRows;
use crate::registry::prefix::{PrefixRows, Same};
use crate::registry::{Dump, Part, Table, Topic};
use crate::rows::{Delimiter, Row, rows};

pub(super) fn is_line(line: &str) -> bool {
    rows(line, delimiter(line)).next().is_some_and(|row| self::row(&row).is_ok())
}

fn delimiter(line: &str) -> Delimiter {
    Delimiter::Char(if line.contains('\t') { '\t' } else { ',' })
}

/// What is said of a range.
enum Said {
    Origin(u32, String),
    Country(String),
}

pub(super) fn read(text: &str, as_of: Day) -> Result<Read, DumpError> {
    let first = lines(text).next().map_or("", |(_, line)| line);
    let mut refusals = Refusals::default();
    let (mut origins, mut places) = (PrefixRows::default(), PrefixRows::default());
    let mut names = NumberRows::default();
    let (mut v4, mut v6, mut is_of_places) = (false, false, false);
    for row in rows(text, delimiter(first)).filter(|row| !row.cells[0].starts_with('#')) {
        let Some((from, to, said)) = refusals.take(row.line, self::row(&row)) else { continue };
        if from.is_v4() {
            v4 = true
        } else {
            v6 = true
        }
        match said {
            Said::Origin(0, _) => {}
            Said::Origin(asn, name) => {
                origins.add_range(from, to, &asn.to_string())?;
                names.add(asn, &name)?;
            }
            Said::Country(code) => {
                is_of_places = true;
                places.add_range(from, to, &code)?;
            }
        }
    }
    let families = match (v4, v6) {
        (true, false) => ", IPv4",
        (false, true) => ", IPv6",
        _ => "",
    };
    let (source, parts) = if is_of_places {
        (
            "ranges of countries",
            vec![Part { topic: Topic::Geolocated, table: Table::Prefixes(places.finish(Same::First)?) }],
        )
    } else {
        let mut parts =
            vec![Part { topic: Topic::Origin, table: Table::Prefixes(origins.finish(Same::All)?) }];
        let names = names.finish();
        if !names.is_empty() {
            parts.push(Part { topic: Topic::Organisation, table: Table::Numbers(names) });
        }
        ("ranges of AS", parts)
    };
    Ok(refusals.with(Dump { source: format!("{source}{families}"), as_of, parts }))
}

fn row(row: &Row) -> Result<(rahdar_model::Address, rahdar_model::Address, Said), LineError> {
    if row.broken {
        return Err(LineError::Quote);
    }
    let [first, last, third, rest @ ..] = &row.cells[..] else {
        return Err(LineError::Fields(row.cells.len(), 3));
    };
    let (from, to) = range(first, last)?;
    let is_number = third.bytes().any(|b| b.is_ascii_digit());
    let said = if is_number {
        Said::Origin(asn(third)?, rest.last().cloned().unwrap_or_default())
    } else {
        Said::Country(country(third)?)
    };
    Ok((from, to, said))
}
