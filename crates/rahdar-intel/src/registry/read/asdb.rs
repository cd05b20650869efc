//! ASdb (Ziv et al., IMC 2021): sectors of AS by NAICSlite, two layers a category:
//! `ASN,Category 1 - Layer 1,Category 1 - Layer 2,Category 2 - Layer 1,…`.

use rahdar_model::Day;

use super::{Read, Refusals, asn};
use crate::registry::error::{DumpError, LineError};
use crate::registry::number::NumberRows;
use crate::registry::{Dump, Part, Table, Topic};
use crate::rows::{Delimiter, rows};

pub(super) fn is_header(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.trim_start_matches('"').starts_with("asn") && line.contains("layer 1")
}

pub(super) fn read(text: &str, as_of: Day) -> Result<Read, DumpError> {
    let mut refusals = Refusals::default();
    let mut sectors = NumberRows::default();
    for row in rows(text, Delimiter::Char(',')).skip(1) {
        let number = if row.broken { Err(LineError::Quote) } else { asn(&row.cells[0]) };
        if let Some(number) = refusals.take(row.line, number) {
            sectors.add(number, &told(&row.cells[1..]))?;
        }
    }
    let sectors = sectors.finish();
    if sectors.is_empty() {
        return Err(DumpError::Empty);
    }
    let parts = vec![Part { topic: Topic::Sector, table: Table::Numbers(sectors) }];
    Ok(refusals.with(Dump { source: "ASdb".to_owned(), as_of, parts }))
}

/// Each category by its finer layer; by its coarser one where the finer says nothing.
fn told(layers: &[String]) -> String {
    let mut told: Vec<&str> = Vec::new();
    for category in layers.chunks(2) {
        let coarse = category[0].trim();
        let fine = category.get(1).map_or("", |fine| fine.trim());
        let says = |text: &str| !text.is_empty() && !text.eq_ignore_ascii_case("other");
        let name = if says(fine) { fine } else { coarse };
        if !name.is_empty() && !told.contains(&name) {
            told.push(name);
        }
    }
    told.join("; ")
}
