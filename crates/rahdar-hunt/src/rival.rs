//! What else could explain the traffic (`methods.md` §2.1).
//!
//! Every reason against command traffic speaks for something else. The reasons are gathered by
//! what they speak for; the rival is the explanation with the largest sum, in decibans:
//!
//! rival = argmax over explanations of Σ −weight of its reasons
//!
//! It is told for believed findings too: whoever denies one will name it first. The prior and the
//! caps speak for nothing. A rival is the best of the explanations that the evidence knows; one
//! that no group of evidence looks for is not found. That a resolver or a mail server calls for its clients is one
//! that no evidence weighs: it is told beside, as the reason `clients`.
//!
//! ```
//! use rahdar_hunt::rival::of;
//! use rahdar_model::finding::Reason;
//!
//! let reason = |kind, weight| Reason { kind, weight, text: String::new() };
//! let rival = of(&[reason("establishment", 12.0), reason("cdn", -25.0), reason("outside_window", -5.0)]);
//! assert_eq!(rival.map(|rival| (rival.kind, rival.weight)), Some(("service", 25.0)));
//! assert_eq!(of(&[reason("establishment", 12.0), reason("prior", -12.8)]), None);
//! ```

use std::collections::BTreeMap;

use rahdar_model::account::Rival;
use rahdar_model::finding::Reason;

/// Explanations: their word, what each would mean, and the kinds of the reasons that speak for it.
const RIVALS: [(&str, &str, &[&str]); 10] = [
    ("scanner", "the contact was part of a scan", &["scanner"]),
    ("backscatter", "somebody forged the victim's address, and the replies went to it", &["backscatter"]),
    ("attempt", "somebody tried to make contact and did not get through", &["no_payload", "no_answer"]),
    (
        "reassigned",
        "by the time of the traffic the address served somebody else",
        &["outside_window", "reassigned"],
    ),
    (
        "earlier holder",
        "at the time of the traffic the address was not yet theirs, and served somebody else",
        &["before_window"],
    ),
    (
        "service",
        "many unrelated users share the address, and the victim is one of them",
        &["pool", "shared_host", "cdn", "prevalence", "name_of_everybody", "other_name"],
    ),
    ("sinkhole", "defenders held the address: an infection without an attacker in control", &["sinkhole"]),
    ("prober", "a sandbox, a researcher or a tool tried addresses from lists", &["prober"]),
    ("delivery", "something was fetched from the address, and nothing commanded", &["download"]),
    (
        "other use",
        "the two had something else to do with each other",
        &["other_port", "inbound", "no_rhythm", "resolved"],
    ),
];

/// The explanation other than command traffic for which most speaks; none where nothing does.
pub fn of(reasons: &[Reason]) -> Option<Rival> {
    let mut sums: BTreeMap<usize, f64> = BTreeMap::new();
    for reason in reasons.iter().filter(|reason| reason.weight < 0.0) {
        if let Some(rival) = RIVALS.iter().position(|(_, _, kinds)| kinds.contains(&reason.kind)) {
            *sums.entry(rival).or_default() -= reason.weight;
        }
    }
    // Of equals the first of the table: `max_by` takes the last.
    let (rival, weight) = sums.into_iter().rev().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (kind, text, _) = RIVALS[rival];
    Some(Rival { kind, text: text.to_owned(), weight })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reasons: &[(&'static str, f64)], expected: Option<(&str, f64)>) {
        let reason =
            |(kind, weight): &(&'static str, f64)| Reason { kind, weight: *weight, text: String::new() };
        let reasons: Vec<Reason> = reasons.iter().map(reason).collect();
        let rival = of(&reasons);
        assert_eq!(rival.as_ref().map(|rival| (rival.kind, rival.weight)), expected);
    }

    #[test]
    fn reasons_for_one_explanation_are_added() {
        check(&[("scanner", -15.0), ("cdn", -8.0), ("prevalence", -12.0)], Some(("service", 20.0)));
        check(&[("scanner", -15.0), ("scanner", -15.0), ("cdn", -25.0)], Some(("scanner", 30.0)));
    }

    #[test]
    fn what_speaks_for_command_traffic_or_for_nothing_is_no_rival() {
        check(&[("establishment", 12.0), ("prior", -12.8), ("cap", -3.0), ("foreign", 0.0)], None);
    }
}
