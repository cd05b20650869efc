//! What the fuzz targets do: read, and hold what was read to what must be true of any input.
//!
//! `flows`: telemetry, and the collector with a restart between two datagrams. Here: intelligence.

use std::sync::LazyLock;

use rahdar_intel::ReadOptions;
use rahdar_intel::scan::rule::Rules;

mod flows;

pub use flows::{check, check_clear, check_live, check_saved};

/// What makes a host of a scan hostile, so that scans claim something.
const RULE: &str =
    "rules: [{name: fuzz, cluster: Example Group, when: {any: [{port: 443}, {http.title: a}]}}]";

/// Reads what others say of infrastructure, and holds it to what must be true of any reading.
///
/// # Panics
/// If the reader does, or if what it gives contradicts itself: both are bugs.
pub fn check_said(name: &str, input: &[u8]) {
    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::parse(RULE).expect("this is a rule"));
    let options = ReadOptions { rules: Some(RULES.clone()), ..ReadOptions::default() };
    let Ok(reading) = rahdar_intel::read(name, input, &options) else { return };
    assert!(reading.refused.len() <= reading.refused_count);
    assert!(reading.claims.iter().all(|claim| !claim.validity.is_empty()));
}
