//! G6: how regular contact is (`methods.md` §2.2 and §3).
//!
//! | state | dB |
//! |---|---|
//! | a rhythm, p ≤ 10⁻⁴ | +7 |
//! | a rhythm, p ≤ 0.01 | +4 |
//! | none, where one would have been found | −2 |
//! | anything between, or not assessable | 0 |
//!
//! p is that of the contacts themselves; how often chance has one of 10⁻⁴ is measured (the test
//! `one_in_ten_thousand_is_no_more`). A rhythm counts only where the false-discovery rate over
//! all that the hunt searched allows it to be called one. Weighs little and never alone: clocks
//! and updates have rhythms too. With persistence it is capped ([`super::CAPS`]).
//!
//! ```
//! use rahdar_hunt::evidence::rhythm::weight;
//!
//! assert_eq!([1e-5, 0.005, 0.03].map(|p| weight(Some(p))), [7.0, 4.0, 0.0]);
//! assert_eq!(weight(None), -2.0);
//! ```

use crate::rhythm::{Beat, Method};

use super::{Group, Row};

/// A rhythm at this or below is sure.
const SURE: f64 = 1e-4;
/// A rhythm at this or below weighs.
const WEIGHING: f64 = 0.01;

/// What is known of the rhythm of contact.
#[derive(Debug, Clone, PartialEq)]
pub enum Rhythm {
    /// There is one.
    Found {
        /// Which.
        beat: Beat,
        /// The chance of it without a rhythm, before correction for other tests.
        p_value: f64,
        /// What was searched: `168 contacts of the busiest week`.
        searched: String,
    },
    /// It was searched for, would have been found, and was not.
    None {
        /// The chance of what was seen without a rhythm.
        p_value: f64,
        /// What was searched: `168 contacts of the busiest week`.
        searched: String,
    },
    /// Nothing can be said, for this reason.
    NotAssessable(String),
}

/// Decibans of a rhythm with this p, or of none where one would have been found.
pub fn weight(found: Option<f64>) -> f64 {
    match found {
        Some(p_value) if p_value <= SURE => 7.0,
        Some(p_value) if p_value <= WEIGHING => 4.0,
        Some(_) => 0.0,
        None => -2.0,
    }
}

impl Rhythm {
    /// The reason, if it weighs.
    pub fn row(&self) -> Option<Row> {
        let (weight, kind, text) = match self {
            Self::Found { beat, p_value, searched } => {
                let together = match beat.method {
                    Method::Fleet => " by several hosts together",
                    _ => "",
                };
                let text = format!(
                    "{searched}{together} are consistent with a beacon every {} (p {})",
                    every(beat),
                    chance(*p_value)
                );
                (weight(Some(*p_value)), "rhythm", text)
            }
            Self::None { p_value, .. } if *p_value <= WEIGHING => return None,
            Self::None { searched, .. } => (weight(None), "no_rhythm", format!("{searched} have no rhythm")),
            Self::NotAssessable(_) => return None,
        };
        (weight != 0.0).then(|| Row::new(Group::Rhythm, kind, weight, text))
    }
}

/// The period; where it is not known well enough, from which to which it may be.
fn every(beat: &Beat) -> String {
    let (from, to) = beat.within_s;
    beat.told_s().map_or_else(|| format!("{} to {}", period(from), period(to)), period)
}

/// Words before others, where the period is not known well enough.
pub(crate) fn unsure(beat: &Beat) -> String {
    match beat.told_s() {
        Some(_) => String::new(),
        None => format!("every {}, ", every(beat)),
    }
}

/// `49 s`, `5 min`, `1 h`, `1.5 h`.
pub(crate) fn period(seconds: f64) -> String {
    let digits = |value: f64, unit: &str| {
        let text = format!("{value:.1}");
        format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
    };
    match seconds {
        s if s < 119.5 => format!("{s:.0} s"),
        s if s < 7_170.0 && !(3_420.0..=3_780.0).contains(&s) => digits(s / 60.0, "min"),
        s => digits(s / 3_600.0, "h"),
    }
}

/// `≤ 0.0001`, `≤ 0.004`: rounded up.
pub(crate) fn chance(p_value: f64) -> String {
    if p_value <= 1e-4 {
        return "≤ 0.0001".to_owned();
    }
    format!("≤ {:.3}", (p_value * 1_000.0).ceil() / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(p_value: f64) -> Rhythm {
        let within_s = (299.0, 301.0);
        let beat =
            Beat { method: Method::Phase, period_s: 300.2, within_s, score: 0.9, jitter: 0.05, seen: 1.0 };
        Rhythm::Found { beat, p_value, searched: "288 contacts".to_owned() }
    }

    #[test]
    fn each_state_has_its_weight_and_its_words() {
        let text = |rhythm: Rhythm| rhythm.row().map(|row| (row.reason.weight, row.reason.text));
        let sure = "288 contacts are consistent with a beacon every 5 min (p ≤ 0.0001)".to_owned();
        assert_eq!(text(found(3e-5)), Some((7.0, sure)));
        assert_eq!(text(found(0.0015)).map(|(weight, _)| weight), Some(4.0));
        assert_eq!(text(found(0.02)), None);
        let none = |p_value| Rhythm::None { p_value, searched: "50 contacts of the busiest week".to_owned() };
        let words = "50 contacts of the busiest week have no rhythm".to_owned();
        assert_eq!(text(none(0.4)), Some((-2.0, words)));
        assert_eq!(text(none(0.005)), None);
        assert_eq!(text(Rhythm::NotAssessable(String::new())), None);
    }

    #[test]
    fn a_period_that_is_not_known_is_told_as_a_range() {
        let Rhythm::Found { beat, p_value, searched } = found(1e-5) else { unreachable!() };
        let beat = Beat { within_s: (200.0, 310.0), ..beat };
        let text = Rhythm::Found { beat, p_value, searched }.row().unwrap().reason.text;
        assert!(text.contains("every 3.3 min to 5.2 min (p"), "{text}");
    }

    #[test]
    fn periods_are_told_in_the_unit_that_people_use() {
        assert_eq!(
            [49.2, 300.4, 90.0, 1_234.0, 3_600.0, 5_400.0, 43_200.0].map(period),
            ["49 s", "5 min", "90 s", "20.6 min", "1 h", "90 min", "12 h"]
        );
    }
}
