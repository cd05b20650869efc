//! Weights learned from labelled traffic (`methods.md` §2.6).
//!
//! The default weights are judgement. Where somebody has labelled traffic of their own, each state of
//! each group of evidence gets the weight that the labels give it, drawn towards the default:
//!
//! LLR = 10·log10[ ((n₁ + a)/(N₁ + a·S)) / ((n₀ + a)/(N₀ + a·S)) ], a = ½
//!
//! weight = (n·LLR + 20·default)/(n + 20), n = n₁ + n₀
//!
//! with n₁ of N₁ examples of command traffic and n₀ of N₀ others in the state, and S states of the
//! group. Then the odds as a whole are set right on other examples, by one logistic regression,
//!
//! logit p' = α + β·logit p,
//!
//! where β below 1 takes back what groups say twice. It is drawn towards α = 0, β = 1 by a penalty of
//! ½(α² + (β − 1)²), so that a few examples without overlap give no infinite certainty.
//!
//! Examples are split by address and by time at once: addresses in the order of their first contact,
//! the first [`LEARN`] of a hundred teach weights, the next up to [`SETTLE`] teach α and β, the last are
//! held out. No address is in two parts, and what is held out comes last. There the scores are taken:
//! Brier (mean squared error), log-loss (nats) and the expected calibration error over ten bins of
//! equal mass. Each part needs [`LEAST_OF_A_KIND`] examples of either kind.
//!
//! **Proven** is a calibration whose log-loss on the held-out examples is below that of the defaults by more than
//! [`CLEARLY`] standard errors of the mean difference. It lets a confidence rise above 95 ([`crate::grade`]), to
//!
//! most = 1 − max(u(wrong₁, n₁), u(wrong₀, n₀)), 99 at most,
//!
//! with u the upper bound of Clopper and Pearson (1934), 95 % one-sided, on the share of n held-out examples of a kind
//! that lie on the wrong side of ½. Of 60 all right it is 95: as much as without. 99 takes 299 of either kind, all
//! right. A calibration that is not proven weighs all the same.
//!
//! Assumes that the labelled traffic resembles the traffic to come; wrong for another network, another
//! exporter, or labels that came from the weights themselves. That less of a hunt is command traffic than of the
//! labels is seen, and allowed for ([`prevalence`]). Kill rules and gates are not learned: no
//! calibration overrides them.
//!
//! ```
//! use rahdar_hunt::calibrate::llr;
//!
//! // Seen in 40 of 50 examples of command traffic and in 5 of 50 others, one of two states.
//! assert!((llr((40, 50), (5, 50), 2) - 8.67).abs() < 0.01);
//! ```

use std::collections::BTreeMap;

use rahdar_model::intelligence::ClusterId;
use rahdar_model::{Address, Timestamp};
use thiserror::Error;

use crate::evidence::{self, Group, Row};
use crate::grade::MOST_UNCALIBRATED;
use crate::prevalence;

/// Examples that a default weighs as much as (`methods.md` §2.6).
pub const PSEUDO_COUNT: f64 = 20.0;
/// a: what every state is given beforehand (`methods.md` §2.6).
const SMOOTHING: f64 = 0.5;
/// Of a hundred addresses, in the order of first contact: those that teach weights.
pub const LEARN: usize = 60;
/// Those before this place teach α and β.
pub const SETTLE: usize = 80;
/// Examples of either kind that each of the three parts needs. One incident has a handful of addresses. Few examples
/// change little, since weights are drawn towards their defaults by [`PSEUDO_COUNT`] and the regression is penalised;
/// and they prove nothing.
pub const LEAST_OF_A_KIND: usize = 1;
/// Standard errors that are beyond chance: 95 % one-sided.
const CLEARLY: f64 = 1.645;
/// The chance that a bound on the share of wrong calls is too low.
const WRONG_BOUND: f64 = 0.05;
/// Bins of the expected calibration error.
const BINS: usize = 10;
/// Examples that a bin needs; of fewer examples there are fewer bins. Chosen here: the mean of one says
/// nothing.
const LEAST_IN_BIN: usize = 5;
/// 10/ln 10.
const DECIBANS_A_NAT: f64 = 10.0 / std::f64::consts::LN_10;
/// Halvings that find a share to more digits than a double has.
const BISECTIONS: usize = 60;
/// Steps of Newton's method; it needs some six.
const STEPS: usize = 50;

/// One victim, one address, one cluster, with its label.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The monitored host.
    pub victim: Address,
    /// The address that a claim is about.
    pub remote: Address,
    /// Whose it is said to be.
    pub cluster: ClusterId,
    /// First contact.
    pub first: Timestamp,
    /// The prior, in decibans.
    pub prior: f64,
    /// The state of every group that has one, by its default weight in decibans.
    pub states: Vec<(Group, f64)>,
}

/// A state of a group: the group and its default weight in tenths of a deciban.
type State = (Group, i32);

fn state(group: Group, default: f64) -> State {
    (group, (default * 10.0).round() as i32)
}

/// What one state of one group weighs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learned {
    /// The group.
    pub group: Group,
    /// The default weight, by which the state is known.
    pub default: f64,
    /// The weight learned.
    pub weight: f64,
    /// Examples of command traffic in this state.
    pub real: u64,
    /// Other examples in it.
    pub other: u64,
}

/// How good probabilities are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// Mean squared error.
    pub brier: f64,
    /// Mean negative log-likelihood, in nats.
    pub log_loss: f64,
    /// Expected calibration error.
    pub ece: f64,
}

/// How a calibration did on examples that it had not seen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Proof {
    /// Examples of command traffic, and others.
    pub tried: [usize; 2],
    /// Of these, those on the wrong side of ½.
    pub wrong: [usize; 2],
    /// By how much the log-loss is below that of the defaults, in nats, at the mean.
    pub gain: f64,
    /// The standard error of that mean.
    pub gain_error: f64,
}

impl Proof {
    /// Of logits by the calibration and by the defaults, each with the label.
    fn of(judged: &[(f64, f64, bool)]) -> Self {
        let mut proof = Self::default();
        let mut gains = Vec::with_capacity(judged.len());
        for (own, default, is_real) in judged {
            let kind = usize::from(!is_real);
            proof.tried[kind] += 1;
            proof.wrong[kind] += usize::from((*own >= 0.0) != *is_real);
            let y = f64::from(u8::from(*is_real));
            gains.push(loss(sigmoid(*default), y) - loss(sigmoid(*own), y));
        }
        let count = gains.len() as f64;
        let mean = gains.iter().sum::<f64>() / count;
        let spread = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
        Self { gain: mean, gain_error: (spread / count).sqrt(), ..proof }
    }

    /// The highest probability that it supports, if any above that of the defaults.
    pub fn most(&self) -> Option<f64> {
        let is_better = self.gain > 0.0 && self.gain > CLEARLY * self.gain_error;
        let bounds = self.tried.iter().zip(self.wrong).map(|(tried, wrong)| most_wrong(wrong, *tried));
        let most = 1.0 - bounds.fold(0.0, f64::max);
        (is_better && most > MOST_UNCALIBRATED).then_some(most)
    }
}

/// The upper bound on a share of which `wrong` of `tried` were seen (Clopper and Pearson, 1934), 95 % one-sided: the
/// share at which as few have a chance of 5 in 100.
///
/// ```
/// use rahdar_hunt::calibrate::most_wrong;
///
/// assert!((most_wrong(0, 60) - 0.0487).abs() < 1e-4);
/// assert!((most_wrong(0, 299) - 0.00997).abs() < 1e-5);
/// assert!((most_wrong(2, 50) - 0.1206).abs() < 1e-4);
/// assert_eq!(most_wrong(0, 0), 1.0);
/// ```
pub fn most_wrong(wrong: usize, tried: usize) -> f64 {
    if wrong >= tried {
        return 1.0;
    }
    // The chance of `wrong` or fewer of `tried`.
    let chance = |share: f64| {
        let mut term = (tried as f64 * (-share).ln_1p()).exp();
        let mut sum = term;
        for k in 0..wrong {
            term *= (tried - k) as f64 / (k + 1) as f64 * share / (1.0 - share);
            sum += term;
        }
        sum
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..BISECTIONS {
        let middle = (low + high) / 2.0;
        if chance(middle) > WRONG_BOUND { low = middle } else { high = middle }
    }
    high
}

/// Learned weights, and how good they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// What a hunt that uses it calls it.
    pub name: String,
    /// Every state that was learned.
    pub states: Vec<Learned>,
    /// α, in nats.
    pub alpha: f64,
    /// β.
    pub beta: f64,
    /// The share of command traffic among the examples that taught α and β; older files do not say.
    pub share: Option<f64>,
    /// Examples: those that taught weights, those that taught α and β, those held out.
    pub examples: [usize; 3],
    /// How far the examples held out support it.
    pub proof: Proof,
    /// On the examples held out.
    pub held_out: Scores,
    /// What the defaults score on the same examples.
    pub defaults: Scores,
}

/// Why nothing was learned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CalibrateError {
    /// Too few examples of one kind in one part.
    #[error(
        "the examples {part} hold {real} of command traffic and {other} others: {least} of each is needed \
         at least; label more traffic", least = LEAST_OF_A_KIND
    )]
    TooFew {
        /// Which part.
        part: &'static str,
        /// Examples of command traffic.
        real: usize,
        /// Others.
        other: usize,
    },
}

impl Calibration {
    /// The weights of these rows.
    pub(crate) fn weigh(&self, rows: &mut [Row]) {
        for row in rows {
            let own = state(row.group, row.reason.weight);
            let known = self.states.iter().find(|learned| state(learned.group, learned.default) == own);
            if let Some(learned) = known {
                row.reason.weight = learned.weight;
            }
        }
    }

    /// How good its probabilities are on these examples.
    pub fn scores<'a>(&self, examples: impl IntoIterator<Item = &'a (Example, bool)>) -> Scores {
        let settled = |(example, is_real): &(Example, bool)| {
            (self.alpha + self.beta * logit(example, Some(self)), *is_real)
        };
        scores(&examples.into_iter().map(settled).collect::<Vec<_>>())
    }

    /// Log-odds set right, in decibans.
    pub fn settle(&self, log_odds: f64) -> f64 {
        self.alpha * DECIBANS_A_NAT + self.beta * log_odds
    }

    /// By how much these log-odds of all leads of a hunt, set right, must fall, in decibans, 0 or less: of a
    /// hunt less is command traffic than of the labels ([`prevalence`]).
    pub fn fall(&self, log_odds: impl Iterator<Item = f64>) -> f64 {
        let logits: Vec<f64> = log_odds.map(|decibans| decibans / DECIBANS_A_NAT).collect();
        self.share.map_or(0.0, |share| prevalence::shift(&logits, share) * DECIBANS_A_NAT)
    }
}

/// The log-likelihood ratio of a state, in decibans: seen in `real.0` of `real.1` examples of command
/// traffic and in `other.0` of `other.1` others, one of `states`.
pub fn llr(real: (u64, u64), other: (u64, u64), states: usize) -> f64 {
    let rate = |(seen, all): (u64, u64)| (seen as f64 + SMOOTHING) / (all as f64 + SMOOTHING * states as f64);
    10.0 * (rate(real) / rate(other)).log10()
}

/// Learns from examples, each with whether it is command traffic. `name` is what hunts will call it.
///
/// # Errors
/// [`CalibrateError`] where there is too little to learn from.
pub fn learn(name: &str, examples: &[(Example, bool)]) -> Result<Calibration, CalibrateError> {
    let [teaching, settling, held_out] = split(examples);
    enough("that teach weights", &teaching)?;
    enough("that teach how far to trust them", &settling)?;
    enough("that are held out", &held_out)?;
    let states = states(&teaching);
    let mut calibration = Calibration {
        name: name.to_owned(),
        states,
        alpha: 0.0,
        beta: 1.0,
        share: Some(share(&settling)),
        examples: [teaching.len(), settling.len(), held_out.len()],
        proof: Proof::default(),
        held_out: Scores { brier: 0.0, log_loss: 0.0, ece: 0.0 },
        defaults: Scores { brier: 0.0, log_loss: 0.0, ece: 0.0 },
    };
    let logits = |part: &[&(Example, bool)], calibration: Option<&Calibration>| -> Vec<(f64, bool)> {
        part.iter().map(|(example, is_real)| (logit(example, calibration), *is_real)).collect()
    };
    let (alpha, beta) = fitted(&logits(&settling, Some(&calibration)));
    (calibration.alpha, calibration.beta) = (alpha, beta);
    calibration.held_out = calibration.scores(held_out.iter().copied());
    calibration.defaults = scores(&logits(&held_out, None));
    let own = logits(&held_out, Some(&calibration)).into_iter().map(|(x, _)| alpha + beta * x);
    let judged = own.zip(logits(&held_out, None)).map(|(own, (default, is_real))| (own, default, is_real));
    calibration.proof = Proof::of(&judged.collect::<Vec<_>>());
    Ok(calibration)
}

/// The share of command traffic.
fn share(examples: &[&(Example, bool)]) -> f64 {
    examples.iter().filter(|(_, is_real)| *is_real).count() as f64 / examples.len() as f64
}

/// The three parts, by address in the order of first contact.
fn split(examples: &[(Example, bool)]) -> [Vec<&(Example, bool)>; 3] {
    let mut first: BTreeMap<Address, Timestamp> = BTreeMap::new();
    for (example, _) in examples {
        let seen = first.entry(example.remote).or_insert(example.first);
        *seen = example.first.min(*seen);
    }
    let mut order: Vec<(Timestamp, Address)> = first.into_iter().map(|(address, at)| (at, address)).collect();
    order.sort_unstable();
    let place: BTreeMap<Address, usize> =
        order.iter().enumerate().map(|(i, (_, address))| (*address, i * 100 / order.len())).collect();
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for example in examples {
        let part = match place[&example.0.remote] {
            ..LEARN => 0,
            LEARN..SETTLE => 1,
            _ => 2,
        };
        parts[part].push(example);
    }
    parts
}

fn enough(part: &'static str, examples: &[&(Example, bool)]) -> Result<(), CalibrateError> {
    let real = examples.iter().filter(|(_, is_real)| *is_real).count();
    let other = examples.len() - real;
    if real.min(other) < LEAST_OF_A_KIND {
        return Err(CalibrateError::TooFew { part, real, other });
    }
    Ok(())
}

/// Groups that a calibration weighs. The prior and the prober's rule are not evidence of a pair.
const GROUPS: [Group; 11] = [
    Group::Establishment,
    Group::Port,
    Group::Validity,
    Group::Host,
    Group::Persistence,
    Group::Rhythm,
    Group::Asymmetry,
    Group::Peers,
    Group::Scanning,
    Group::Naming,
    Group::Corroboration,
];

/// The weights of all states that occur. A group that says nothing is in a state too, whose weight
/// stays nothing: what it would teach is told by the others.
fn states(examples: &[&(Example, bool)]) -> Vec<Learned> {
    let mut counts: BTreeMap<State, [u64; 2]> = BTreeMap::new();
    let mut all = [0_u64; 2];
    for (example, is_real) in examples {
        all[usize::from(*is_real)] += 1;
        for group in GROUPS {
            let default = example.states.iter().find(|(own, _)| *own == group).map_or(0.0, |(_, w)| *w);
            counts.entry(state(group, default)).or_default()[usize::from(*is_real)] += 1;
        }
    }
    let kinds = |group: Group| counts.keys().filter(|(own, _)| *own == group).count();
    let learned =
        counts.iter().filter(|((_, tenths), _)| *tenths != 0).map(|(&(group, tenths), &[other, real])| {
            let default = f64::from(tenths) / 10.0;
            let count = (real + other) as f64;
            let llr = llr((real, all[1]), (other, all[0]), kinds(group));
            let weight = (count * llr + PSEUDO_COUNT * default) / (count + PSEUDO_COUNT);
            Learned { group, default, weight: (weight * 100.0).round() / 100.0, real, other }
        });
    learned.collect()
}

/// The logit of an example, by these weights or by the defaults.
fn logit(example: &Example, calibration: Option<&Calibration>) -> f64 {
    let row = |(group, weight): &(Group, f64)| Row::new(*group, "example", *weight, String::new());
    let mut rows: Vec<Row> = example.states.iter().map(row).collect();
    if let Some(calibration) = calibration {
        calibration.weigh(&mut rows);
    }
    let decibans = evidence::sum(evidence::probability(example.prior), rows).log_odds;
    decibans / DECIBANS_A_NAT
}

/// α and β of the logistic regression, by Newton's method.
fn fitted(examples: &[(f64, bool)]) -> (f64, f64) {
    let (mut alpha, mut beta) = (0.0, 1.0);
    for _ in 0..STEPS {
        // Gradient and Hessian of the penalised log-likelihood.
        let (mut ga, mut gb) = (-alpha, -(beta - 1.0));
        let (mut haa, mut hab, mut hbb) = (1.0, 0.0, 1.0);
        for (x, is_real) in examples {
            let p = sigmoid(alpha + beta * x);
            let miss = f64::from(u8::from(*is_real)) - p;
            let spread = p * (1.0 - p);
            ga += miss;
            gb += miss * x;
            haa += spread;
            hab += spread * x;
            hbb += spread * x * x;
        }
        let determinant = haa * hbb - hab * hab;
        let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
        (alpha, beta) = (alpha + da, beta + db);
        if da.abs().max(db.abs()) < 1e-10 {
            break;
        }
    }
    // Evidence that speaks against what it should speak for is not turned round.
    (alpha, beta.max(0.0))
}

/// What a probability costs in nats, for the label 0 or 1.
fn loss(p: f64, y: f64) -> f64 {
    // A probability of nothing at all would cost infinitely much.
    let p = p.clamp(1e-12, 1.0 - 1e-12);
    -(y * p.ln() + (1.0 - y) * (1.0 - p).ln())
}

pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Scores of logits with their labels.
///
/// ```
/// use rahdar_hunt::calibrate::scores;
///
/// let even = scores(&[(0.0, true), (0.0, false)]);
/// assert_eq!((even.brier, even.ece), (0.25, 0.0));
/// assert!((even.log_loss - 2.0_f64.ln()).abs() < 1e-12);
/// ```
pub fn scores(examples: &[(f64, bool)]) -> Scores {
    let mut pairs: Vec<(f64, f64)> =
        examples.iter().map(|(x, is_real)| (sigmoid(*x), f64::from(u8::from(*is_real)))).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let count = pairs.len().max(1) as f64;
    let brier = pairs.iter().map(|(p, y)| (p - y).powi(2)).sum::<f64>() / count;
    let log_loss = pairs.iter().map(|(p, y)| loss(*p, *y)).sum::<f64>() / count;
    let bins = BINS.min(pairs.len() / LEAST_IN_BIN).max(1);
    let gap = |bin: usize| {
        let own = &pairs[bin * pairs.len() / bins..(bin + 1) * pairs.len() / bins];
        own.iter().map(|(p, y)| p - y).sum::<f64>().abs()
    };
    let ece = (0..bins).map(gap).sum::<f64>() / count;
    Scores { brier, log_loss, ece }
}

/// Groups that are named in a calibration file, with their words.
pub fn groups() -> impl Iterator<Item = (Group, &'static str)> {
    GROUPS.into_iter().map(|group| (group, group.word()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use rahdar_model::Day;

    use super::*;

    fn example(n: u32, states: &[(Group, f64)]) -> Example {
        Example {
            victim: Address::from_v4_bits(0xcb00_7119),
            remote: Address::from_v4_bits(0xc000_0200 + n),
            cluster: ClusterId::of_name("a"),
            first: Day(n as i32).start(),
            prior: evidence::decibans(evidence::PRIOR),
            states: states.to_vec(),
        }
    }

    /// Command traffic has payload and a rhythm; the rest has a handshake, and payload once in ten.
    fn labelled(count: u32) -> Vec<(Example, bool)> {
        let real = [(Group::Establishment, 12.0), (Group::Validity, 8.0), (Group::Rhythm, 7.0)];
        let other = [(Group::Establishment, -3.0), (Group::Validity, 8.0)];
        let lucky = [(Group::Establishment, 12.0), (Group::Validity, 8.0), (Group::Rhythm, -2.0)];
        (0..count)
            .map(|n| match n % 10 {
                0..=3 => (example(n, &real), true),
                9 => (example(n, &lucky), false),
                _ => (example(n, &other), false),
            })
            .collect()
    }

    #[test]
    fn weights_move_from_the_default_by_as_much_as_was_seen() {
        let weight = |count, default| {
            let learned = learn("c", &labelled(count)).unwrap();
            learned
                .states
                .iter()
                .find(|one| (one.group, one.default) == (Group::Establishment, default))
                .unwrap()
                .weight
        };
        // Payload is seen in every tenth of the others: worth 7.8 dB, and not 12.
        assert!(weight(150, 12.0) > weight(500, 12.0));
        assert!((weight(5_000, 12.0) - 7.78).abs() < 0.15, "{}", weight(5_000, 12.0));
        assert!(weight(5_000, -3.0) < -20.0);
    }

    #[test]
    fn what_says_nothing_weighs_nothing() {
        let learned = learn("c", &labelled(5_000)).unwrap();
        let validity = learned.states.iter().find(|one| one.group == Group::Validity).unwrap();
        assert!(validity.weight.abs() < 0.1, "{validity:?}");
    }

    #[test]
    fn what_is_held_out_is_judged_better_than_by_the_defaults() {
        let learned = learn("c", &labelled(1_000)).unwrap();
        assert_eq!(learned.examples, [600, 200, 200]);
        assert!(learned.held_out.log_loss < learned.defaults.log_loss, "{learned:?}");
        assert!(learned.held_out.ece <= 0.05, "{learned:?}");
    }

    #[test]
    fn too_little_teaches_nothing() {
        let few = CalibrateError::TooFew { part: "that teach weights", real: 0, other: 0 };
        assert_eq!(
            few.to_string(),
            "the examples that teach weights hold 0 of command traffic and 0 others: 1 of each is needed at least; \
             label more traffic"
        );
        assert_eq!(learn("c", &[]), Err(few));
        let only_real: Vec<_> = labelled(1_000).into_iter().filter(|(_, is_real)| *is_real).collect();
        assert!(matches!(learn("c", &only_real), Err(CalibrateError::TooFew { other: 0, .. })));
    }

    #[test]
    fn what_is_held_out_needs_both_kinds() {
        // Of 150 examples the last thirty are held out: all of them are others.
        let mut examples = labelled(150);
        examples.iter_mut().skip(120).for_each(|(_, is_real)| *is_real = false);
        let few = CalibrateError::TooFew { part: "that are held out", real: 0, other: 30 };
        assert_eq!(learn("c", &examples), Err(few));
    }

    #[test]
    fn a_calibration_supports_as_much_as_held_out_examples_show() {
        let most = |tried, wrong, gain: f64| Proof { tried, wrong, gain, gain_error: 0.1 }.most();
        assert_eq!(most([60; 2], [0; 2], 0.2).map(|most| (most * 100.0) as u8), Some(95));
        assert_eq!(most([299; 2], [0; 2], 0.2).map(|most| (most * 100.0) as u8), Some(99));
        assert_eq!(most([299; 2], [0, 1], 0.2).map(|most| (most * 100.0) as u8), Some(98));
        for (tried, wrong, gain) in [
            ([299, 9], [0; 2], 0.2),
            ([299; 2], [0, 20], 0.2),
            ([299; 2], [0; 2], 0.1),
            ([0; 2], [0; 2], 0.2),
        ] {
            assert_eq!(most(tried, wrong, gain), None, "{tried:?} {wrong:?} {gain}");
        }
    }

    #[test]
    fn what_is_proven_was_seen_on_what_is_held_out() {
        let proof = |count| learn("c", &labelled(count)).unwrap().proof;
        assert_eq!((proof(1_000).tried, proof(1_000).wrong), ([80, 120], [0, 0]));
        assert!(proof(1_000).most().is_some_and(|most| most < 0.97), "{:?}", proof(1_000));
        assert_eq!(proof(300).most(), None);
    }

    #[test]
    fn no_address_teaches_and_is_judged() {
        let examples = labelled(100);
        let [a, b, c] = split(&examples);
        let addresses =
            |part: &[&(Example, bool)]| part.iter().map(|(one, _)| one.remote).collect::<BTreeSet<_>>();
        assert!(addresses(&a).is_disjoint(&addresses(&b)) && addresses(&b).is_disjoint(&addresses(&c)));
        let latest = a.iter().map(|(one, _)| one.first).max();
        assert!(c.iter().all(|(one, _)| Some(one.first) > latest));
    }

    #[test]
    fn certainty_without_overlap_stays_finite() {
        let (alpha, beta) = fitted(&[(5.0, true), (6.0, true), (-5.0, false), (-6.0, false)]);
        assert!(alpha.abs() < 1.0 && (0.5..3.0).contains(&beta), "{alpha} {beta}");
    }

    proptest! {
        #[test]
        fn scores_are_within_their_ranges(examples in vec((-30.0..30.0_f64, any::<bool>()), 0..60)) {
            let Scores { brier, log_loss, ece } = scores(&examples);
            prop_assert!((0.0..=1.0).contains(&brier) && (0.0..=1.0).contains(&ece) && log_loss >= 0.0);
        }
    }
}
