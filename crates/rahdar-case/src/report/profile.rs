//! The JSON form of a profile: every statement with its source and day.

use rahdar_model::profile::{Chance, Origin, Profile, Stated};
use serde::Serialize;

use super::json::date;

#[derive(Debug, Serialize)]
pub(super) struct ProfileJson<'a> {
    origins: Vec<OriginJson<'a>>,
    orgs: Vec<StatedJson<'a>>,
    sectors: Vec<StatedJson<'a>>,
    countries: CountriesJson<'a>,
    role: RoleJson<'a>,
}

#[derive(Debug, Serialize)]
struct StatedJson<'a> {
    value: &'a str,
    source: &'a str,
    as_of: Option<String>,
}

#[derive(Debug, Serialize)]
struct OriginJson<'a> {
    prefix: String,
    asns: &'a [u32],
    source: &'a str,
    as_of: Option<String>,
}

#[derive(Debug, Serialize)]
struct CountriesJson<'a> {
    registered: Vec<StatedJson<'a>>,
    geolocated: Vec<StatedJson<'a>>,
    operating: Vec<StatedJson<'a>>,
    disagree: bool,
}

#[derive(Debug, Serialize)]
struct RoleJson<'a> {
    stated: Option<StatedJson<'a>>,
    top: Option<ChanceJson<'a>>,
    runner_up: Option<ChanceJson<'a>>,
    until: Option<String>,
    reasons: &'a [String],
}

#[derive(Debug, Serialize)]
struct ChanceJson<'a> {
    role: &'a str,
    p: f64,
}

impl<'a> From<&'a Profile> for ProfileJson<'a> {
    fn from(profile: &'a Profile) -> Self {
        let countries = &profile.countries;
        let behaviour = profile.behaviour.as_ref();
        Self {
            origins: profile.origins.iter().map(OriginJson::from).collect(),
            orgs: list(&profile.orgs),
            sectors: list(&profile.sectors),
            countries: CountriesJson {
                registered: list(&countries.registered),
                geolocated: list(&countries.geolocated),
                operating: list(&countries.operating),
                disagree: countries.disagree(),
            },
            role: RoleJson {
                stated: profile.role.as_ref().map(StatedJson::from),
                top: behaviour.map(|behaviour| (&behaviour.top).into()),
                runner_up: behaviour.map(|behaviour| (&behaviour.runner_up).into()),
                until: behaviour.and_then(|behaviour| date(behaviour.until)),
                reasons: behaviour.map_or(&[], |behaviour| &behaviour.reasons),
            },
        }
    }
}

fn list(said: &[Stated<String>]) -> Vec<StatedJson<'_>> {
    said.iter().map(StatedJson::from).collect()
}

impl<'a> From<&'a Stated<String>> for StatedJson<'a> {
    fn from(said: &'a Stated<String>) -> Self {
        Self { value: &said.value, source: &said.source, as_of: said.as_of.and_then(date) }
    }
}

impl<'a> From<&'a Stated<Origin>> for OriginJson<'a> {
    fn from(said: &'a Stated<Origin>) -> Self {
        Self {
            prefix: said.value.prefix.to_string(),
            asns: &said.value.asns,
            source: &said.source,
            as_of: said.as_of.and_then(date),
        }
    }
}

impl<'a> From<&'a Chance> for ChanceJson<'a> {
    fn from(chance: &'a Chance) -> Self {
        Self { role: &chance.role, p: chance.p }
    }
}
