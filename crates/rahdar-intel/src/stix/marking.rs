//! How far what an object says may travel: markings of whole objects and of their parts, of TLP
//! 1.0 and 2.0.

use rahdar_model::intelligence::Tlp;
use serde::Deserialize;

use super::object::{Body, Object};

/// Properties whose words end in a claim. A marking of another part, such as the description,
/// does not bind it.
const TOLD: [&str; 20] = [
    "confidence",
    "created",
    "created_by_ref",
    "first_observed",
    "first_seen",
    "id",
    "last_observed",
    "last_seen",
    "modified",
    "name",
    "pattern",
    "relationship_type",
    "sighting_of_ref",
    "source_ref",
    "start_time",
    "stop_time",
    "target_ref",
    "valid_from",
    "valid_until",
    "value",
];

/// The strictest marking of what a claim takes from an object. `of` finds the object of an id.
/// A marking that nobody defines is none.
pub(super) fn strictest<'a>(object: &Object<'_>, of: impl Fn(&str) -> Option<&'a Object<'a>>) -> Option<Tlp> {
    let parts = object.common.granular_markings.0.iter().filter(|marking| {
        let part = |selector: &String| selector.split('.').next().unwrap_or_default().to_owned();
        marking.selectors.iter().any(|selector| TOLD.contains(&part(selector).as_str()))
    });
    let parts = parts.filter_map(|marking| marking.marking_ref.as_ref());
    let defined = |id: &str| match &of(id)?.body {
        Body::Marking(marking) => marking.tlp(),
        _ => None,
    };
    let refs = object.common.object_marking_refs.0.iter().chain(parts);
    refs.filter_map(|id| well_known(id).or_else(|| defined(id))).max()
}

/// The marking of a well-known marking definition: TLP 1.0 (STIX 2.1 §7.2.1.4) and TLP 2.0
/// (OASIS, 2022).
fn well_known(id: &str) -> Option<Tlp> {
    let tlp = match id.strip_prefix("marking-definition--")? {
        "613f2e26-407d-48c7-9eca-b8e91df99dc9" | "94868c89-83c2-464b-929b-a1a8aa3c8487" => Tlp::Clear,
        "34098fce-860f-48ae-8e50-ebd3cc5e41da" | "bab4a63c-aed9-4cf5-a766-dfca5abac2bb" => Tlp::Green,
        "f88d31f6-486f-44da-b317-01333bde0b82" | "55d920b0-5e8b-4f79-9ee9-91f868d9b421" => Tlp::Amber,
        "939a9414-2ddd-4d32-a0cd-375ea402b003" => Tlp::AmberStrict,
        "5e57c739-391a-4eb3-b6be-7d15ca92d5ed" | "e828b379-4e03-4974-9ac4-e53a884c97c1" => Tlp::Red,
        _ => return None,
    };
    Some(tlp)
}

/// `definition` of a marking definition, as far as it is a traffic light of TLP 1.0.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Definition {
    tlp: Option<String>,
}

impl Definition {
    pub(super) fn tlp(&self) -> Option<Tlp> {
        Tlp::from_word(self.tlp.as_deref()?)
    }
}

/// `extensions` of a marking definition, as far as they carry TLP 2.0 (OASIS, 2022).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Extensions {
    #[serde(rename = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d")]
    tlp_2: Option<Tlp2>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Tlp2 {
    tlp_2_0: Option<String>,
}

impl Extensions {
    pub(super) fn tlp(&self) -> Option<Tlp> {
        Tlp::from_word(self.tlp_2.as_ref()?.tlp_2_0.as_deref()?)
    }
}
