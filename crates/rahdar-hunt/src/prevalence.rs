//! How much of what a hunt matched is command traffic, beside how much of the labelled traffic was (`methods.md` §2.6).
//!
//! A calibration fits its odds to the share of command traffic among its labels. A hunt with a worse list has a
//! smaller share, and every one of its odds would be too high. The share π of the hunt is estimated from the
//! hunt's own odds, by expectation and maximisation (Saerens, Latinne and Decaestecker, Neural Computation 14:21, 2002):
//!
//! rᵢ = odds(pᵢ)·q / (1 + odds(pᵢ)·q), q = odds(π) / odds(m)
//!
//! π = (Σ rᵢ + 20·m) / (n + 20)
//!
//! with m the share among the labels, which also counts as 20 leads: a hunt of few leads changes little. Then
//! every logit falls by ln q.
//!
//! It never rises. Odds that rose because the rest of a hunt looks real would let a finding be its own witness. Where
//! more is real than among the labels, odds are therefore too low.
//!
//! Assumes that command traffic looks as it did among the labels, and so does the rest: only their shares differ.
//!
//! ```
//! use rahdar_hunt::prevalence::shift;
//!
//! // Half of the labels were command traffic; of what this hunt matched nearly nothing looks so.
//! let fall = shift(&[-4.0; 200], 0.5);
//! assert!((fall + 3.03).abs() < 0.01);
//! assert_eq!(shift(&[4.0; 200], 0.5), 0.0);
//! assert_eq!(shift(&[], 0.5), 0.0);
//! ```

use crate::calibrate::{PSEUDO_COUNT, sigmoid};

/// Rounds at most. Chosen here: of forty thousand leads it needs some fifty.
const ROUNDS: usize = 1_000;
/// A round that changes the share by less is the last.
const ENOUGH: f64 = 1e-9;

/// What is added to the logit of every lead, in nats: 0 or less. `logits` are those that a calibration gives, in any
/// order; `share` is that of command traffic among its labels, above 0 and below 1.
pub fn shift(logits: &[f64], share: f64) -> f64 {
    let logit = |share: f64| (share / (1.0 - share)).ln();
    let (mut own, mut shift) = (share, 0.0);
    for _ in 0..ROUNDS {
        let real: f64 = logits.iter().map(|x| sigmoid(x + shift)).sum();
        let next = (real + PSEUDO_COUNT * share) / (logits.len() as f64 + PSEUDO_COUNT);
        shift = logit(next) - logit(share);
        let change = (next - own).abs();
        own = next;
        if change < ENOUGH {
            break;
        }
    }
    shift.min(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use crate::chance::Chance;

    use super::*;

    /// Logits of leads of which `share` are real, as a calibration gives them where half are: normal, four apart.
    fn leads(count: usize, share: f64) -> Vec<f64> {
        let mut chance = Chance::of("prevalence", &[]);
        // The sum of twelve uniform numbers, less six, is near enough to normal.
        let mut normal =
            || (0..12).map(|_| chance.below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0;
        (0..count)
            .map(|n| 2.0 * normal() + if (n as f64) < share * count as f64 { 2.0 } else { -2.0 })
            .collect()
    }

    #[test]
    fn the_share_of_a_worse_list_is_found() {
        for share in [0.02_f64, 0.1, 0.3] {
            let expected = (share / (1.0 - share)).ln();
            let found = shift(&leads(4_000, share), 0.5);
            assert!((found - expected).abs() < 0.35, "{share}: {found} for {expected}");
        }
    }

    #[test]
    fn a_better_list_lends_no_certainty() {
        assert_eq!(shift(&leads(4_000, 0.9), 0.5), 0.0);
    }

    #[test]
    fn few_leads_change_little() {
        assert!(shift(&[-6.0; 2], 0.5) > -0.25);
    }

    proptest! {
        #[test]
        fn odds_never_rise(logits in vec(-40.0..40.0_f64, 0..60), share in 0.01..0.99) {
            let shift = shift(&logits, share);
            prop_assert!(shift.is_finite() && shift <= 0.0);
        }
    }
}
