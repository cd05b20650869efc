//! Sentences that claim no more than was seen.
//!
//! [`finding`] says what is known of one victim and one cluster, [`account`] how that stands up to a
//! denial; `profile` what is known of the victim's network; [`sight`] what could have been seen; [`hunt`] puts them together.
//! The rules (`methods.md` §0, §2.5, §11.4):
//!
//! * "At least" comes from a lower bound alone, rounded down to one digit.
//! * "The true figure may be much higher" stands only where no upper bound is known or nobody
//!   was looking for a while, and says which.
//! * A verdict picks the verb; nothing upgrades it.
//! * A likelihood word and a confidence level never share a sentence (ICD-203).
//! * Foreign text is made legible ([`rahdar_figure::legible`]). Sentences are plain text: whoever
//!   writes HTML must escape them.

mod phrase;

pub mod account;
pub mod finding;
pub mod hunt;
pub(super) mod profile;
pub mod sight;

pub use finding::headline;
pub use hunt::summary;
pub use phrase::victim;
pub(super) use phrase::{day, list};

/// What flow telemetry cannot show, said once in every report.
pub const CANNOT_SHOW: [&str; 4] = [
    "Flow records hold addresses, times and counts. They do not hold content: what left is not known.",
    "They cannot show how a host was first entered, whether other hosts were reached from it, or who sat at \
     the far end.",
    "Contact that no exporter saw, and contact with infrastructure that nobody had claimed, is not in this \
     report. Its absence here is not proof of absence.",
    "Octets are IP octets at the exporters. They include headers and retransmissions.",
];
