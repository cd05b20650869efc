//! Plain lists of hosts that are nobody's weapon, told by the name of their file.
//!
//! Maltrail ships such lists beside those of its families. Read as indicators they would accuse
//! everyone who was ever scanned, or who met a parked domain.

use rahdar_model::intelligence::HostClass;

/// How the names of such lists begin, and what their addresses are (Maltrail, `trails/static`, read
/// 2026-11-22).
const LISTS: [(&str, HostClass); 7] = [
    ("sinkhole", HostClass::Sinkhole),
    ("mass_scanner", HostClass::Scanner),
    ("parking_site", HostClass::Shared),
    ("suspended_domain", HostClass::Shared),
    ("free_web_hosting", HostClass::Shared),
    ("ipinfo", HostClass::Shared),
    ("dynamic_domain", HostClass::Pool),
];

/// What the addresses of a list of this path are, if they are harmless.
pub(crate) fn class(path: &str) -> Option<HostClass> {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase();
    LISTS.iter().find(|(begin, _)| file.starts_with(begin)).map(|(_, class)| *class)
}
