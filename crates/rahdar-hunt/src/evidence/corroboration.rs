//! G11: other indicators of the same cluster on the same victim (`methods.md` §2.2).
//!
//! Two indicators whose claims held, each with G1 of +8 or more: +8. Three or more: +12 dB. A network is one, however
//! many of its addresses were met; addresses that follow from a claimed name or certificate are not counted. Hosts
//! that have no cluster in common, but the list that they stand on, do not count: a list is no actor. Assumes
//! that claims of one cluster were made apart from each other; wrong where one report lists a
//! whole hosting range address by address.
//!
//! ```
//! use rahdar_hunt::evidence::corroboration::weight;
//!
//! assert_eq!([1, 2, 7].map(weight), [0.0, 8.0, 12.0]);
//! ```

use super::{Group, Row};

/// Decibans of this many indicators.
pub const fn weight(indicators: usize) -> f64 {
    match indicators {
        0..=1 => 0.0,
        2 => 8.0,
        _ => 12.0,
    }
}

/// The reason, if it weighs.
pub fn row(indicators: usize) -> Option<Row> {
    let text = format!("the victim exchanges something with {indicators} indicators of this cluster");
    (indicators > 1).then(|| Row::new(Group::Corroboration, "corroboration", weight(indicators), text))
}
