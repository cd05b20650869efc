//! Chance: one ChaCha20 sub-stream per subject, and the few distributions the scenario needs.
//!
//! Every draw is made of `next_u64` and exact arithmetic (or of `libm`, which is the same code on
//! every machine), so that a seed means the same octets everywhere. Subjects do not share a
//! stream: one more subject leaves the draws of all others as they were.

use rahdar_model::Day;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Fills the key beside the seed, so that no other use of the seed meets these streams.
const KEY: &[u8; 24] = b"rahdar scenario roshan21";

/// A stream of chance that belongs to one subject.
pub(crate) struct Draw(ChaCha20Rng);

impl Draw {
    /// The stream of this subject.
    pub(crate) fn of(seed: u64, subject: &str) -> Self {
        Self::stream(seed, hash(subject.as_bytes()))
    }

    /// The stream of this subject on this day.
    pub(crate) fn on(seed: u64, subject: &str, day: Day) -> Self {
        Self::stream(seed, hash_on(hash(subject.as_bytes()), &day.0.to_le_bytes()))
    }

    fn stream(seed: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..].copy_from_slice(KEY);
        let mut rng = ChaCha20Rng::from_seed(key);
        rng.set_stream(stream);
        Self(rng)
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..n`; 0 if there is none. Its bias, below `n / 2^64`, is beyond notice.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// A number in `low..=high`, signed.
    pub(crate) fn span(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high.abs_diff(low) + 1) as i64
    }

    /// True in `per_mille` of 1,000 cases.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// A number in `[0, 1)`.
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A log-normal number with this median and this standard deviation of its logarithm.
    ///
    /// The normal deviate is the sum of twelve uniform ones (Irwin–Hall): its tails end at six,
    /// which suits volumes of a day.
    pub(crate) fn log_normal(&mut self, median: u64, sigma: f64) -> u64 {
        let deviate = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        libm::round(median as f64 * libm::exp(sigma * deviate)) as u64
    }

    /// How many of `n` packets a sampler takes that takes each with probability `1 / interval`.
    ///
    /// Exact: the sum over pieces of 16 intervals, each by inversion.
    pub(crate) fn sampled(&mut self, n: u64, interval: u32) -> u64 {
        if interval <= 1 {
            return n;
        }
        let piece = 16 * u64::from(interval);
        let mut sampled = 0;
        let mut left = n;
        while left > 0 {
            let take = left.min(piece);
            sampled += self.binomial(take, 1.0 / f64::from(interval));
            left -= take;
        }
        sampled
    }

    /// A binomial number by inversion. The mean `n * p` must be small: 16 at most here.
    fn binomial(&mut self, n: u64, p: f64) -> u64 {
        let odds = p / (1.0 - p);
        let mut probability = power(1.0 - p, n);
        let mut rest = self.unit();
        let mut k = 0;
        while rest >= probability && k < n {
            rest -= probability;
            probability *= odds * (n - k) as f64 / (k + 1) as f64;
            k += 1;
        }
        k
    }

    /// `count` different numbers of `0..n`, sorted; all of them if `count` is `n` or more.
    pub(crate) fn choose(&mut self, count: u64, n: u64) -> Vec<u64> {
        if count >= n {
            return (0..n).collect();
        }
        // Floyd: each step adds one number that was not there.
        let mut chosen = std::collections::BTreeSet::new();
        for last in n - count..n {
            let pick = self.below(last + 1);
            if !chosen.insert(pick) {
                chosen.insert(last);
            }
        }
        chosen.into_iter().collect()
    }
}

/// `base^n` by squaring: the same on every machine, which `f64::powf` is not.
fn power(mut base: f64, mut n: u64) -> f64 {
    let mut result = 1.0;
    while n > 0 {
        if n & 1 == 1 {
            result *= base;
        }
        base *= base;
        n >>= 1;
    }
    result
}

/// FNV-1a of 64 bits, mixed once more so that near inputs part.
pub(crate) fn hash(octets: &[u8]) -> u64 {
    hash_on(0xcbf2_9ce4_8422_2325, octets)
}

/// Goes on hashing from `state`.
pub(crate) fn hash_on(state: u64, octets: &[u8]) -> u64 {
    let mut state = state;
    for &octet in octets {
        state = (state ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    state ^= state >> 32;
    state = state.wrapping_mul(0xd6e8_feb8_6659_fd93);
    state ^ state >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_a_stream_of_its_own() {
        let first = |seed, subject| Draw::of(seed, subject).bits();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(Draw::on(1, "a", Day(1)).bits(), Draw::on(1, "a", Day(2)).bits());
    }

    #[test]
    fn numbers_stay_in_their_range_and_reach_its_ends() {
        let mut draw = Draw::of(1, "range");
        let numbers: Vec<u64> = (0..1_000).map(|_| draw.between(3, 7)).collect();
        assert_eq!((numbers.iter().min(), numbers.iter().max()), (Some(&3), Some(&7)));
        assert!((0..1_000).map(|_| draw.span(-2, 2)).all(|n| (-2..=2).contains(&n)));
        assert_eq!(draw.below(0), 0);
    }

    #[test]
    fn a_sampler_takes_its_share_with_the_spread_of_a_binomial() {
        let mut draw = Draw::of(1, "sampler");
        let (n, interval, runs) = (100_000_u64, 512_u32, 2_000);
        let counts: Vec<f64> = (0..runs).map(|_| draw.sampled(n, interval) as f64).collect();
        let mean = counts.iter().sum::<f64>() / f64::from(runs);
        let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / f64::from(runs - 1);
        let expected = n as f64 / f64::from(interval);
        assert!((mean / expected - 1.0).abs() < 0.01, "{mean}");
        assert!((variance / (expected * (1.0 - 1.0 / 512.0)) - 1.0).abs() < 0.15, "{variance}");
        assert_eq!(draw.sampled(17, 1), 17);
    }

    #[test]
    fn a_log_normal_number_has_its_median_and_its_mean() {
        let mut draw = Draw::of(1, "volume");
        let mut numbers: Vec<u64> = (0..20_000).map(|_| draw.log_normal(1_000_000, 0.9)).collect();
        numbers.sort_unstable();
        let mean = numbers.iter().sum::<u64>() as f64 / 20_000.0;
        assert!((numbers[10_000] as f64 / 1e6 - 1.0).abs() < 0.03);
        assert!((mean / (1e6 * libm::exp(0.405)) - 1.0).abs() < 0.03);
    }

    #[test]
    fn a_choice_holds_different_numbers() {
        let mut draw = Draw::of(1, "choice");
        let chosen = draw.choose(50, 60);
        assert_eq!(chosen.len(), 50);
        assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]) && chosen[49] < 60);
        assert_eq!(draw.choose(9, 3), [0, 1, 2]);
    }
}
