//! The JSON form against its schema.

use rahdar_case::report::json;
use rahdar_model::account::Relation;
use rahdar_model::fact::Unit;
use rahdar_model::finding::Hunt;
use rahdar_model::intelligence::Tlp;
use rahdar_model::marking::Marking;
use rahdar_model::{Day, Timestamp};
use serde_json::Value;

use crate::fixture::{empty, estimate, roshan};

const SCHEMA: &str = include_str!("../../../../docs/hunt.schema.json");

/// The JSON of a hunt, which the schema must accept.
fn check(hunt: &Hunt) -> Value {
    let value = serde_json::to_value(json(hunt, 1.5)).unwrap();
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> =
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    value
}

#[test]
fn a_hunt_fits_the_schema() {
    check(&roshan());
    check(&empty());
}

#[test]
fn every_word_fits_the_schema() {
    let mut hunt = roshan();
    for relation in Relation::ALL {
        hunt.clusters[0].hypotheses[0].statements[0].relation = relation;
        check(&hunt);
    }
    let told = hunt.findings.iter().position(|finding| !finding.witness.holes.is_empty()).unwrap();
    for unit in Unit::ALL {
        hunt.findings[told].witness.holes[0].lost[0].unit = unit;
        check(&hunt);
    }
}

#[test]
fn the_schema_refuses_what_is_not_a_hunt() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut value = check(&roshan());
    assert!(validator.is_valid(&value));
    value["findings"][0]["verdict"] = "discounted".into();
    assert!(!validator.is_valid(&value), "a discounted finding among the believed");
    assert!(!validator.is_valid(&Value::Null));
}

#[test]
fn fields_stand_in_the_order_of_the_contract() {
    let mut hunt = roshan();
    hunt.findings.truncate(1);
    hunt.discounted.clear();
    hunt.victims.truncate(1);
    let finding = &mut hunt.findings[0];
    finding.daily.truncate(1);
    finding.infrastructure.truncate(1);
    finding.reasons.truncate(2);
    insta::assert_snapshot!(serde_json::to_string_pretty(&json(&hunt, 1.5)).unwrap());
}

#[test]
fn octets_are_whole_and_rounded_away_from_a_claim() {
    let mut hunt = roshan();
    hunt.octets_out = estimate(1.9, 2.5, Some(2.6));
    let octets = &check(&hunt)["totals"]["octets_out"];
    assert_eq!((&octets["low"], &octets["point"], &octets["high"]), (&1.into(), &3.into(), &3.into()));
}

#[test]
fn markings_are_told_for_each_finding_and_for_all() {
    let mut hunt = roshan();
    hunt.findings[0].marking = Marking { tlp: Some(Tlp::Red), sources: vec!["CERT X".into()] };
    hunt.marking = hunt.findings[0].marking.clone();
    let value = check(&hunt);
    let told = |of: &Value| (of["tlp"].clone(), of["tlp_sources"].clone());
    let red = (Value::from("RED"), Value::from(vec!["CERT X"]));
    assert_eq!((told(&value["hunt"]), told(&value["findings"][0])), (red.clone(), red));
    assert_eq!(told(&value["findings"][1]), (Value::from("AMBER"), Value::Array(Vec::new())));
}

#[test]
fn what_json_cannot_hold_is_null() {
    let mut hunt = roshan();
    let finding = &mut hunt.findings[0];
    finding.surges[0].ratio = f64::INFINITY;
    (finding.surges[0].ratio_low, finding.surges[0].ratio_high) = (0.0, f64::INFINITY);
    finding.first_seen = Some(Timestamp::MIN);
    finding.last_seen = None;
    finding.daily[0].day = Day(i32::MAX);
    let finding = &check(&hunt)["findings"][0];
    for end in ["ratio", "ratio_low", "ratio_high"] {
        assert!(finding["surges"][0][end].is_null(), "{end}");
    }
    assert!(finding["first_seen"].is_null() && finding["last_seen"].is_null());
    assert!(finding["daily"][0]["date"].is_null());
    assert!(check(&empty())["hunt"]["from"].is_null());
}

#[test]
fn foreign_text_is_handed_on_as_it_came() {
    let mut hunt = roshan();
    hunt.findings[0].cluster.name = "<b>\u{202e}".to_owned();
    assert_eq!(check(&hunt)["findings"][0]["cluster"]["name"], "<b>\u{202e}");
}
