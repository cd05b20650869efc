//! Since when, until when, and whether coverage cut it off (`methods.md` §7.6; `field.md` J3).
//!
//! The first contact is "at least since" where contact may have begun earlier: an exporter that
//! recorded it began to see no longer before it than the longest silence within the contact, or
//! than [`LEAST_MARGIN_US`]. Likewise the last. After a hole ([`crate::holes`]) an exporter begins to see anew, and
//! before it it ceases to. A host that calls every week and whose record
//! begins four days before its first call may well have called before.
//!
//! ```
//! use rahdar_hunt::seen::is_cut;
//! use rahdar_model::{Timestamp, Window};
//!
//! let day = |n: i64| Timestamp::from_seconds(n * 86_400);
//! let coverage = Window::new(day(0), day(100));
//! assert!(is_cut(Window::new(day(3), day(50)), 4 * 86_400_000_000, coverage));
//! assert!(!is_cut(Window::new(day(5), day(50)), 4 * 86_400_000_000, coverage));
//! ```

use std::collections::BTreeSet;

use rahdar_model::time::DAY_US;
use rahdar_model::{Timestamp, Window};

use crate::holes::Ledger;

/// A silence as long as this before the first contact says nothing: hosts sleep.
pub const LEAST_MARGIN_US: i64 = DAY_US;

/// Whether contact from `contact.from` to `contact.until`, with silences of up to
/// `longest_silence_us`, may have begun before `coverage` or gone on after it.
pub fn is_cut(contact: Window, longest_silence_us: i64, coverage: Window) -> bool {
    let margin = margin_us(longest_silence_us);
    let before = contact.from.since(coverage.from);
    let after = coverage.until.since(contact.until);
    (0..=margin).contains(&before) || (0..=margin).contains(&after)
}

/// The same for the exporters that recorded the contact, each of which began and ceased to see at every one of
/// its holes too.
pub fn is_cut_by_any(
    contact: Window,
    longest_silence_us: i64,
    exporters: &BTreeSet<&str>,
    ledgers: &[Ledger<'_>],
) -> bool {
    let own = ledgers.iter().filter(|ledger| exporters.contains(&*ledger.coverage.exporter));
    own.flat_map(|ledger| ledger.spans()).any(|span| is_cut(contact, longest_silence_us, span))
}

/// The time before the first contact, and after the last, in which nothing seen leaves the dates open.
pub fn margin_us(longest_silence_us: i64) -> i64 {
    longest_silence_us.max(LEAST_MARGIN_US)
}

/// The longest time between neighbours of these sorted times; 0 for fewer than two.
pub fn longest_silence_us(times: &[Timestamp]) -> i64 {
    times.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap_or(0)
}
