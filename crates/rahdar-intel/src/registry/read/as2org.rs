//! CAIDA AS-to-organisation, from WHOIS: one table of organisations, one of AS, joined by the id of the
//! organisation. Today JSON lines, before 2020 fields between bars under lines of `# format:`.

use std::collections::HashMap;

use rahdar_model::Day;
use serde::Deserialize;

use super::{Read, Refusals, asn};
use crate::registry::error::{DumpError, LineError};
use crate::registry::number::{NUMBERS_MAX, NumberRows};
use crate::registry::{Dump, Part, Table, Topic};

const SOURCE: &str = "CAIDA as2org";
const FORMAT: &str = "# format:";

pub(super) fn is_format(line: &str) -> bool {
    line.strip_prefix(FORMAT).is_some_and(|columns| columns.contains('|') && columns.contains("org_id"))
}

pub(super) fn is_json(line: &str) -> bool {
    line.contains("\"organizationId\"")
}

/// One line of the JSON form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    asn: Option<String>,
    organization_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    country: String,
}

pub(super) fn read_json(text: &str, as_of: Day) -> Result<Read, DumpError> {
    let mut found = Found::default();
    for (number, line) in super::lines(text) {
        let line = serde_json::from_str::<Line>(line).map_err(|_| LineError::Json);
        let Some(line) = found.refusals.take(number, line) else { continue };
        match &line.asn {
            Some(asn) => found.number(number, asn, &line.organization_id)?,
            None => found.organisation(&line.organization_id, &line.name, &line.country)?,
        }
    }
    found.read(as_of)
}

pub(super) fn read_text(text: &str, as_of: Day) -> Result<Read, DumpError> {
    let mut found = Found::default();
    let mut columns: Vec<&str> = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if let Some(names) = line.strip_prefix(FORMAT) {
            columns = names.split('|').map(str::trim).collect();
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split('|').collect();
        let cell = |name: &str| {
            let at = columns.iter().position(|column| *column == name)?;
            fields.get(at).copied()
        };
        match (cell("aut"), cell("org_id")) {
            (Some(asn), Some(id)) => found.number(number, asn, id)?,
            (None, Some(id)) => {
                let text = |name| cell(name).unwrap_or_default();
                found.organisation(id, text("org_name"), text("country"))?;
            }
            _ => {
                found.refusals.take(number, Err::<(), _>(LineError::Fields(fields.len(), columns.len())));
            }
        }
    }
    found.read(as_of)
}

/// Both tables.
#[derive(Default)]
struct Found {
    refusals: Refusals,
    /// Name and country by id.
    organisations: HashMap<String, (String, String)>,
    numbers: Vec<(u32, String)>,
}

impl Found {
    fn number(&mut self, line: usize, number: &str, id: &str) -> Result<(), DumpError> {
        let Some(number) = self.refusals.take(line, asn(number)) else { return Ok(()) };
        self.numbers.push((number, id.to_owned()));
        within(self.numbers.len())
    }

    fn organisation(&mut self, id: &str, name: &str, country: &str) -> Result<(), DumpError> {
        self.organisations.insert(id.to_owned(), (name.to_owned(), country.to_owned()));
        within(self.organisations.len())
    }

    fn read(self, as_of: Day) -> Result<Read, DumpError> {
        let (mut names, mut seats) = (NumberRows::default(), NumberRows::default());
        for (asn, id) in &self.numbers {
            let Some((name, country)) = self.organisations.get(id) else { continue };
            names.add(*asn, name)?;
            if let Ok(country) = super::country(country) {
                seats.add(*asn, &country)?;
            }
        }
        let (names, seats) = (names.finish(), seats.finish());
        if names.is_empty() {
            return Err(DumpError::Empty);
        }
        let parts = [(Topic::Organisation, names), (Topic::Seat, seats)];
        let parts = parts.map(|(topic, table)| Part { topic, table: Table::Numbers(table) });
        Ok(self.refusals.with(Dump { source: SOURCE.to_owned(), as_of, parts: parts.into() }))
    }
}

fn within(rows: usize) -> Result<(), DumpError> {
    if rows > NUMBERS_MAX { Err(DumpError::TooLarge { most: NUMBERS_MAX, what: "rows" }) } else { Ok(()) }
}
