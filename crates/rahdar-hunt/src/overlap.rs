//! Several clusters on one victim, one cluster on several victims (`methods.md` §7.6, first form).
//!
//! Counted over findings that are likely or better. A cluster of which every believed session
//! goes to addresses that another believed cluster claims for that time cannot be told from it:
//! then there are "k clusters or fewer".
//!
//! What is said names clusters and counts victims: a report to one victim must not tell of
//! another.
//!
//! ```
//! use rahdar_hunt::overlap::on_victim;
//!
//! let text = on_victim(&["RedFoxtrot".to_owned()], true).map(|reason| reason.text);
//! assert_eq!(text.as_deref(), Some("1 other cluster on this victim: RedFoxtrot"));
//! ```

use rahdar_model::Day;
use rahdar_model::finding::Reason;

use crate::evidence::{counted, listed};

/// Other clusters that are believed to be on the same victim, by name. `is_distinct` says whether
/// some session tells this cluster from them.
pub fn on_victim(others: &[String], is_distinct: bool) -> Option<Reason> {
    if others.is_empty() {
        return None;
    }
    let count = counted(others.len() as u64, "other cluster");
    let mut text = format!("{count} on this victim: {}", listed(others));
    if !is_distinct {
        text.push_str("; no contact is with an address of this one alone, so that they may be fewer");
    }
    Some(Reason { kind: "overlap", weight: 0.0, text })
}

/// When there was contact with addresses that no other cluster claims, beside contact with those that one does: by
/// these dates alone the cluster is told from others.
pub fn alone(days: u64, first: Day, last: Day) -> Reason {
    let days = counted(days, "day");
    let when = if first == last { format!("on {first}") } else { format!("on {days}, {first} to {last}") };
    let text = format!("contact with addresses that no other cluster claims was {when}");
    Reason { kind: "overlap", weight: 0.0, text }
}

/// Other victims that the cluster is believed to be on.
pub fn on_victims(others: usize) -> Option<Reason> {
    let count = counted(others as u64, "other victim");
    let text = format!("this cluster is also on {count}");
    (others > 0).then_some(Reason { kind: "overlap", weight: 0.0, text })
}
