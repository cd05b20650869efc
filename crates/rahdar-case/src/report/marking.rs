//! How far a hunt may travel.

use rahdar_figure::legible;
use rahdar_model::intelligence::Tlp;
use rahdar_model::marking::Marking;

use super::words::list;

/// The marking below which nothing about a victim goes: it names hosts whose owners may not have been told.
pub const LEAST: Tlp = Tlp::Amber;

/// The marking of what is told: that of what it rests on, and no less than `least`.
pub fn tlp(marking: &Marking, least: Tlp) -> Tlp {
    marking.tlp.map_or(least, |tlp| tlp.max(least))
}

/// The sources that make it stricter than `least`.
pub fn sources(marking: &Marking, least: Tlp) -> impl Iterator<Item = &str> {
    marking.sources.iter().map(|source| &**source).filter(move |_| marking.tlp > Some(least))
}

/// Who made it stricter than `least`; none where nobody did.
///
/// > TLP:RED, as Example Lab marked claims that this rests on.
pub fn sentence(marking: &Marking, least: Tlp) -> Option<String> {
    let sources: Vec<String> = sources(marking, least).map(legible::name).collect();
    (!sources.is_empty()).then(|| {
        let tlp = tlp(marking, least).word();
        format!("TLP:{tlp}, as {} marked claims that this rests on.", list(sources))
    })
}
