//! G5: on how many days there was contact (`methods.md` §2.2).
//!
//! 1 day 0 · 2–4 days +3 · 5–14 days +6 · 15 days or more +7 dB. A day is the UTC day on which a
//! record began. Assumes that chance contact does not come back; wrong for addresses that serve
//! something popular, which G8 and G4 weigh.
//!
//! ```
//! use rahdar_hunt::evidence::persistence::weight;
//!
//! assert_eq!([1, 2, 5, 15].map(weight), [0.0, 3.0, 6.0, 7.0]);
//! ```

use super::{Group, Row};

/// Decibans of contact on this many days.
pub const fn weight(days: usize) -> f64 {
    match days {
        0..=1 => 0.0,
        2..=4 => 3.0,
        5..=14 => 6.0,
        _ => 7.0,
    }
}

/// The reason, if it weighs.
pub fn row(days: usize) -> Option<Row> {
    (days > 1)
        .then(|| Row::new(Group::Persistence, "persistence", weight(days), format!("contact on {days} days")))
}
