//! G11: other addresses of the same cluster on the same victim (`methods.md` §2.2, amendment (c)).
//!
//! Two addresses whose claims held, each with G1 of +8 or more: +8. Three or more: +12 dB. Addresses
//! that follow from a claimed name are not counted: they are as many as it had. Assumes
//! that claims of one cluster were made apart from each other; wrong where one report lists a
//! whole hosting range.
//!
//! ```
//! use rahdar_hunt::evidence::corroboration::weight;
//!
//! assert_eq!([1, 2, 7].map(weight), [0.0, 8.0, 12.0]);
//! ```

use super::{Group, Row};

/// Decibans of this many established addresses.
pub const fn weight(addresses: usize) -> f64 {
    match addresses {
        0..=1 => 0.0,
        2 => 8.0,
        _ => 12.0,
    }
}

/// The reason, if it weighs.
pub fn row(addresses: usize) -> Option<Row> {
    let text = format!("the victim exchanges something with {addresses} addresses of this cluster");
    (addresses > 1).then(|| Row::new(Group::Corroboration, "corroboration", weight(addresses), text))
}
