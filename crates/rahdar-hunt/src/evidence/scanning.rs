//! G9: whether one of the two scans (`methods.md` §2.2, §4).
//!
//! The victim scanned whenever it met the address, by any rule of [`crate::scanner`] and until a
//! day after: −12. The address scans, at any time, and nothing was established, or it was the one
//! who called and less than 1 MB left: −15 dB. Two things are chosen here: what a victim did on
//! days on which it did not scan is not explained by scanning; and ports that answer a scanner
//! exchange greetings with it.
//!
//! ```
//! use rahdar_hunt::evidence::scanning::{is_knock, row};
//!
//! let knock = is_knock(false, true, 20_000.0);
//! assert_eq!(row(false, true, knock).map(|row| row.reason.weight), Some(-15.0));
//! // A caller to whom 103 MB left read no banner.
//! assert!(row(false, true, is_knock(false, true, 103e6)).is_none());
//! ```

use super::port::WEB_SHELL_OCTETS;
use super::{Group, Row};

/// Whether no more was seen than what a scanner meets: nothing was established, or the address called
/// and less than 1 MB left, at least.
pub fn is_knock(is_nothing_established: bool, is_inbound: bool, out_low: f64) -> bool {
    is_nothing_established || (is_inbound && out_low < WEB_SHELL_OCTETS)
}

/// The reason, if one of them scans. `is_knock` says that nothing but knocking was seen.
pub fn row(victim_scans: bool, remote_scans: bool, is_knock: bool) -> Option<Row> {
    let (weight, text) = match (victim_scans, remote_scans && is_knock) {
        (_, true) => (-15.0, "the address scans, and the victim is one of many"),
        (true, false) => (-12.0, "the victim scans, and the address is one of many"),
        (false, false) => return None,
    };
    Some(Row::new(Group::Scanning, "scanner", weight, text.to_owned()))
}
