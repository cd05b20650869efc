//! Chance that can be had again: one stream of ChaCha per subject, its seed made of the subject's
//! own ids. The same question gets the same draws, whatever was asked before it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Tells these streams from any other use of the same ids.
const KEY: u64 = u64::from_le_bytes(*b"rahdar/s");

/// A stream of chance.
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of this subject: what is asked, and of which ids.
    pub(crate) fn of(question: &str, ids: &[&[u8]]) -> Self {
        let mut seed = [0; 32];
        let mut state = hash(KEY, question.as_bytes());
        for id in ids {
            // The length parts the ids: `ab`, `c` is not `a`, `bc`.
            state = hash(hash(state, &(id.len() as u64).to_le_bytes()), id);
        }
        for (i, octets) in seed.chunks_exact_mut(8).enumerate() {
            octets.copy_from_slice(&hash(state, &[i as u8]).to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(seed))
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..n`; 0 if there is none. Its bias, below `n / 2^64`, is beyond notice.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Shuffles in place (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// FNV-1a of 64 bits from `state`, mixed once more so that near inputs part.
fn hash(state: u64, octets: &[u8]) -> u64 {
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
        let first = |question, ids: &[&[u8]]| Chance::of(question, ids).bits();
        assert_eq!(first("a", &[b"x", b"y"]), first("a", &[b"x", b"y"]));
        assert_ne!(first("a", &[b"x", b"y"]), first("b", &[b"x", b"y"]));
        assert_ne!(first("a", &[b"x", b"y"]), first("a", &[b"xy", b""]));
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_reaches_every_order() {
        let mut chance = Chance::of("shuffle", &[]);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let mut items = [1, 2, 3];
            chance.shuffle(&mut items);
            seen.insert(items);
        }
        assert_eq!(seen.len(), 6);
    }
}
