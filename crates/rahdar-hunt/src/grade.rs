//! From evidence to a verdict (`methods.md` §2.4).
//!
//! | verdict | when |
//! |---|---|
//! | confirmed | p ≥ 0.90, G1 ≥ +8, G3 ≥ +3, and contact on two days or in three sessions |
//! | likely | p ≥ 0.90 and a gate is missing, or p ≥ 0.55; G1 ≥ +4 |
//! | possible | p ≥ 0.20 |
//! | discounted | otherwise, and whatever a kill rule names or has expired |
//!
//! Caps on p, so that the number never says more than the word: 0.95 until weights are calibrated
//! on local traffic and proven there, then what held-out examples support ([`crate::calibrate`]), 0.99 at most; below 0.90 where a gate is missing; below 0.55 where G1 < +4 (so also where
//! one direction was seen), or where the claim had lapsed by more than 30 days and nothing of the
//! same cluster is fresh: no other address of it inside a window, no sighting nearby; and where the claim
//! has a window and nobody knows when the flows were (chosen here: they may as well lie outside, since most
//! windows are shorter than most archives, and a stale address must not be *likely* because a clock is
//! broken); below 0.20 where discounted. The order of the verdicts is that of the numbers.
//!
//! ```
//! use rahdar_hunt::evidence::establishment::Exchange;
//! use rahdar_hunt::evidence::validity::Validity;
//! use rahdar_hunt::grade::{Gates, grade};
//! use rahdar_model::finding::Verdict;
//!
//! let gates = Gates {
//!     exchange: Exchange::Payload,
//!     validity: Validity::Stated,
//!     recurs: true,
//!     is_fresh: false,
//!     proven: None,
//!     is_killed: false,
//! };
//! assert_eq!(grade(20.0, &gates).verdict, Verdict::Confirmed);
//! assert_eq!(grade(20.0, &Gates { recurs: false, ..gates }).verdict, Verdict::Likely);
//! ```

use rahdar_model::finding::{Reason, Verdict};

use crate::evidence::establishment::Exchange;
use crate::evidence::validity::Validity;
use crate::evidence::{decibans, probability};

const CONFIRMED: f64 = 0.90;
const LIKELY: f64 = 0.55;
const POSSIBLE: f64 = 0.20;
/// Of default weights.
pub(crate) const MOST_UNCALIBRATED: f64 = 0.95;
/// No finding is certain.
const MOST: f64 = 0.99;
/// Just below a threshold: the highest confidence, in hundredths, that the lower word may have.
const BELOW: f64 = 0.01;

/// What a verdict needs beside the odds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gates {
    /// G1.
    pub exchange: Exchange,
    /// G3.
    pub validity: Validity,
    /// Whether there was contact on two days or in three sessions.
    pub recurs: bool,
    /// Whether something else of the cluster is fresh: another address inside a window, or a sighting nearby.
    pub is_fresh: bool,
    /// The highest probability that weights learned from local traffic have proved to support
    /// ([`crate::calibrate::Proof::most`]).
    pub proven: Option<f64>,
    /// Whether a kill rule holds, or the claim had expired.
    pub is_killed: bool,
}

/// A verdict and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grade {
    /// 1–99.
    pub confidence: u8,
    /// The word.
    pub verdict: Verdict,
}

/// The grade of evidence with these log-odds, in decibans.
pub fn grade(log_odds: f64, gates: &Gates) -> Grade {
    let mut p = probability(log_odds).min(gates.proven.unwrap_or(MOST_UNCALIBRATED)).min(MOST);
    if !missing(gates).is_empty() {
        p = p.min(CONFIRMED - BELOW);
    }
    p = capping(gates).fold(p, |p, (most, _)| p.min(most));
    let verdict = match p {
        CONFIRMED.. => Verdict::Confirmed,
        LIKELY.. => Verdict::Likely,
        POSSIBLE.. => Verdict::Possible,
        _ => Verdict::Discounted,
    };
    // Rounded down, so that 0.899 is 89 and likely, not 90.
    let confidence = (p * 100.0 + 1e-9).floor().clamp(1.0, 99.0) as u8;
    Grade { confidence, verdict }
}

/// What caps p below *likely* or *possible*, with words.
fn capping(gates: &Gates) -> impl Iterator<Item = (f64, &'static str)> {
    let is_stale = gates.validity.is_stale() && !gates.is_fresh;
    let rules = [
        (
            gates.exchange.weight() < Exchange::Silent.weight(),
            LIKELY - BELOW,
            "possible at most: no exchange in both directions was seen",
        ),
        (
            gates.validity == Validity::Unclocked,
            LIKELY - BELOW,
            "possible at most: no clock tells whether the claim held",
        ),
        (
            is_stale,
            LIKELY - BELOW,
            "possible at most: the claim had lapsed, and nothing else of its cluster is fresh",
        ),
        (
            gates.is_killed,
            POSSIBLE - BELOW,
            "not believed, whatever else speaks for it: the first reason rules it out",
        ),
    ];
    rules.into_iter().filter(|(holds, ..)| *holds).map(|(_, most, text)| (most, text))
}

/// Every cap that holds odds of this many decibans down, as a reason against: by how much, those before it considered.
///
/// ```
/// use rahdar_hunt::evidence::establishment::Exchange;
/// use rahdar_hunt::evidence::validity::Validity;
/// use rahdar_hunt::grade::{Gates, caps};
///
/// let gates = Gates {
///     exchange: Exchange::Payload,
///     validity: Validity::Unclocked,
///     recurs: true,
///     is_fresh: false,
///     proven: None,
///     is_killed: false,
/// };
/// assert_eq!(caps(20.0, &gates)[0].text, "possible at most: no clock tells whether the claim held");
/// assert!(caps(-20.0, &gates).is_empty());
/// ```
pub fn caps(log_odds: f64, gates: &Gates) -> Vec<Reason> {
    let mut left = log_odds;
    let lowers =
        capping(gates).map(|(most, text)| (decibans(most), text)).filter(|(most, _)| *most < log_odds);
    let reason = |(most, text): (f64, &str)| {
        let weight = (most - left).min(0.0);
        left += weight;
        Reason { kind: "cap", weight, text: text.to_owned() }
    };
    lowers.map(reason).collect()
}

/// The requirements of a confirmed finding that are not met, in words; the weight of the evidence aside.
///
/// ```
/// use rahdar_hunt::evidence::establishment::Exchange;
/// use rahdar_hunt::evidence::validity::Validity;
/// use rahdar_hunt::grade::{Gates, missing};
///
/// let gates = Gates {
///     exchange: Exchange::Payload,
///     validity: Validity::Stated,
///     recurs: false,
///     is_fresh: false,
///     proven: None,
///     is_killed: false,
/// };
/// assert_eq!(missing(&gates), ["an exchange of data on two days or in three sessions"]);
/// ```
///
/// What lies outside the windows, or said nothing, does not recur, on however many days it was: recurrence is then
/// named as part of what is lacking.
pub fn missing(gates: &Gates) -> Vec<&'static str> {
    let Gates { recurs, .. } = *gates;
    let (is_exchange, is_inside) = (gates.exchange.is_established(), gates.validity.holds());
    let exchange = match recurs || !is_inside {
        true => "an exchange of data in both directions",
        false => "an exchange of data in both directions, on two days or in three sessions",
    };
    let inside = match recurs {
        true => "contact inside the window of a claim",
        false => "contact inside the window of a claim, on two days or in three sessions",
    };
    let requirements = [
        (is_exchange, exchange),
        (is_inside, inside),
        (recurs || !is_exchange || !is_inside, "an exchange of data on two days or in three sessions"),
    ];
    requirements.into_iter().filter(|(is_met, _)| !is_met).map(|(_, text)| text).collect()
}

/// Why a finding is not confirmed, as a reason without weight; none of one that is, or is not believed.
pub fn requirement(log_odds: f64, grade: Grade, gates: &Gates) -> Option<Reason> {
    if !matches!(grade.verdict, Verdict::Likely | Verdict::Possible) {
        return None;
    }
    let mut missing = missing(gates);
    if probability(log_odds) < CONFIRMED {
        missing.push("evidence for a chance of 90 of 100");
    }
    let text = format!("to be validated it lacks {}", missing.join("; "));
    Some(Reason { kind: "requirement", weight: 0.0, text })
}

/// Admiralty credibility of information, 1 (confirmed) to 5 (improbable), from STIX confidence (STIX
/// 2.1, appendix A); 6 where it cannot be judged. Letters, for the reliability of a source, are not
/// ours to give.
///
/// ```
/// use rahdar_hunt::grade::credibility;
///
/// assert_eq!([95, 79, 40, 20, 1].map(|confidence| credibility(confidence, true)), [1, 2, 3, 4, 5]);
/// assert_eq!(credibility(95, false), 6);
/// ```
pub const fn credibility(confidence: u8, is_assessable: bool) -> u8 {
    match confidence {
        _ if !is_assessable => 6,
        80.. => 1,
        60..=79 => 2,
        40..=59 => 3,
        20..=39 => 4,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GATES: Gates = Gates {
        exchange: Exchange::Payload,
        validity: Validity::Stated,
        recurs: true,
        is_fresh: false,
        proven: None,
        is_killed: false,
    };

    fn check(log_odds: f64, gates: Gates, verdict: Verdict, confidence: u8) {
        assert_eq!(grade(log_odds, &gates), Grade { confidence, verdict }, "{log_odds} {gates:?}");
    }

    #[test]
    fn each_word_has_its_numbers() {
        check(35.0, GATES, Verdict::Confirmed, 95);
        check(35.0, Gates { proven: Some(0.995), ..GATES }, Verdict::Confirmed, 99);
        check(9.0, GATES, Verdict::Likely, 88);
        check(0.0, GATES, Verdict::Possible, 50);
        check(-20.0, GATES, Verdict::Discounted, 1);
    }

    #[test]
    fn what_a_finding_lacks_is_named() {
        let check = |odds: f64, gates: Gates, text: Option<&str>| {
            let reason = requirement(odds, grade(odds, &gates), &gates);
            assert_eq!(reason.map(|reason| reason.text).as_deref(), text);
        };
        check(35.0, GATES, None);
        check(-20.0, GATES, None);
        check(9.0, GATES, Some("to be validated it lacks evidence for a chance of 90 of 100"));
        let once = Gates { recurs: false, ..GATES };
        check(
            35.0,
            once,
            Some("to be validated it lacks an exchange of data on two days or in three sessions"),
        );
        let silent = Gates { exchange: Exchange::Silent, validity: Validity::Near { days: 3 }, ..GATES };
        let text = "to be validated it lacks an exchange of data in both directions; contact inside the window \
                    of a claim";
        check(35.0, silent, Some(text));
    }

    #[test]
    fn recurrence_is_asked_for_where_contact_would_count() {
        let check = |exchange, validity, expected: &[&str]| {
            assert_eq!(missing(&Gates { exchange, validity, recurs: false, ..GATES }), expected);
        };
        let (near, recurring) = (Validity::Near { days: 3 }, ", on two days or in three sessions");
        let inside = format!("contact inside the window of a claim{recurring}");
        let both_ways = "an exchange of data in both directions";
        check(Exchange::Payload, near, &[&inside]);
        check(Exchange::Handshake, near, &[both_ways, &inside]);
        check(Exchange::Handshake, Validity::Stated, &[&format!("{both_ways}{recurring}")]);
        check(Exchange::Payload, Validity::Stated, &["an exchange of data on two days or in three sessions"]);
    }

    #[test]
    fn a_missing_gate_lowers_the_word_however_strong_the_rest() {
        check(35.0, Gates { recurs: false, ..GATES }, Verdict::Likely, 89);
        check(35.0, Gates { validity: Validity::Near { days: 3 }, ..GATES }, Verdict::Likely, 89);
        check(35.0, Gates { validity: Validity::Unclocked, ..GATES }, Verdict::Possible, 54);
        check(35.0, Gates { validity: Validity::Unclocked, is_fresh: true, ..GATES }, Verdict::Possible, 54);
        check(35.0, Gates { exchange: Exchange::Silent, ..GATES }, Verdict::Likely, 89);
        check(35.0, Gates { exchange: Exchange::Slight, ..GATES }, Verdict::Possible, 54);
        check(35.0, Gates { validity: Validity::Far { days: 40 }, ..GATES }, Verdict::Possible, 54);
        check(
            35.0,
            Gates { validity: Validity::Far { days: 40 }, is_fresh: true, ..GATES },
            Verdict::Likely,
            89,
        );
        check(35.0, Gates { validity: Validity::Reassigned { days: 2 }, ..GATES }, Verdict::Possible, 54);
        check(35.0, Gates { is_killed: true, ..GATES }, Verdict::Discounted, 19);
    }

    #[test]
    fn every_cap_that_holds_is_named_and_lowers_once() {
        let gates = Gates { exchange: Exchange::OneWay, validity: Validity::Unclocked, ..GATES };
        let killed = caps(20.0, &Gates { is_killed: true, ..gates });
        assert_eq!(killed.len(), 3, "{killed:#?}");
        let sum = 20.0 + killed.iter().map(|cap| cap.weight).sum::<f64>();
        assert!((probability(sum) - 0.19).abs() < 1e-9 && killed[1].weight == 0.0, "{killed:#?}");
        assert!(caps(35.0, &Gates { recurs: false, ..GATES }).is_empty(), "a requirement says so");
    }

    proptest! {
        #[test]
        fn better_odds_never_lower_the_grade(odds in -40.0..40.0_f64, more in 0.0..20.0_f64, recurs: bool) {
            let gates = Gates { recurs, ..GATES };
            prop_assert!(grade(odds + more, &gates) >= grade(odds, &gates));
        }
    }
}
