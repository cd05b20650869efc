//! PeeringDB: what networks say of themselves. Its API gives `{"data": [network, …]}`, with the
//! organisation inside where depth was asked for; CAIDA's dump has `{"net": {"data": […]}, "org": {"data": […]}}`.

use std::collections::HashMap;

use rahdar_model::{Day, Timestamp};
use serde::Deserialize;

use super::{Read, Refusals, country};
use crate::registry::error::DumpError;
use crate::registry::number::NumberRows;
use crate::registry::{Dump, Part, Table, Topic};

pub(super) fn is_dump(head: &str) -> bool {
    ["\"info_type\"", "\"net\"", "\"org_id\"", "\"netixlan\"", "\"irr_as_set\""]
        .iter()
        .any(|key| head.contains(key))
        || head.contains("\"data\"") && head.contains("\"meta\"")
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    data: Vec<Network>,
    net: Option<Networks>,
    org: Option<Organisations>,
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Networks {
    data: Vec<Network>,
}

#[derive(Deserialize)]
struct Organisations {
    data: Vec<Organisation>,
}

#[derive(Deserialize)]
struct Meta {
    /// Seconds since 1970.
    generated: Option<f64>,
}

#[derive(Deserialize)]
struct Network {
    asn: u32,
    #[serde(default)]
    name: String,
    #[serde(default)]
    info_type: String,
    org_id: Option<u64>,
    org: Option<Organisation>,
}

#[derive(Deserialize)]
struct Organisation {
    id: u64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    country: String,
}

pub(super) fn read(
    text: &str,
    day: impl Fn(Option<Day>) -> Result<Day, DumpError>,
) -> Result<Read, DumpError> {
    let damaged = |error: serde_json::Error| DumpError::Damaged { what: "PeeringDB", why: error.to_string() };
    let file: File = serde_json::from_str(text).map_err(damaged)?;
    let generated = file.meta.and_then(|meta| meta.generated);
    let as_of = day(generated.map(|seconds| Timestamp::from_seconds(seconds as i64).day()))?;
    let organisations = file.org.map(|org| org.data).unwrap_or_default();
    let organisations: HashMap<u64, Organisation> =
        organisations.into_iter().map(|org| (org.id, org)).collect();
    let (mut names, mut sectors, mut countries) =
        (NumberRows::default(), NumberRows::default(), NumberRows::default());
    for network in file.data.into_iter().chain(file.net.into_iter().flat_map(|net| net.data)) {
        let by_id = || organisations.get(&network.org_id?);
        let organisation = network.org.as_ref().or_else(by_id);
        let name = organisation.map(|org| org.name.as_str()).filter(|name| !name.is_empty());
        names.add(network.asn, name.unwrap_or(&network.name))?;
        if network.info_type != "Not Disclosed" {
            sectors.add(network.asn, &network.info_type)?;
        }
        if let Some(Ok(code)) = organisation.map(|org| country(&org.country)) {
            countries.add(network.asn, &code)?;
        }
    }
    let tables = [
        (Topic::Organisation, names.finish()),
        (Topic::Sector, sectors.finish()),
        (Topic::Operating, countries.finish()),
    ];
    let parts: Vec<Part> = tables
        .into_iter()
        .filter(|(_, table)| !table.is_empty())
        .map(|(topic, table)| Part { topic, table: Table::Numbers(table) })
        .collect();
    if parts.is_empty() {
        return Err(DumpError::Empty);
    }
    Ok(Refusals::default().with(Dump { source: "PeeringDB".to_owned(), as_of, parts }))
}
