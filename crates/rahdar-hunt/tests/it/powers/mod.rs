//! The tables of `methods.md` measured again: what each method finds, and how often it errs.
//!
//! Small in every run, with wide margins; with `RAHDAR_TIER=nightly` as many draws as the tables
//! were made of, within their stated tolerance. `--nocapture` prints the tables.

mod increases;
mod initiator;
mod rhythm;
mod sampling;

use rahdar_testkit::is_nightly;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

struct Draw(ChaCha8Rng);

impl Draw {
    fn of(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    /// Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }
}

/// Draws in a run of every day, and in the nightly one.
fn draws(few: usize, many: usize) -> usize {
    if is_nightly() { many } else { few }
}

/// Four standard errors of a share over `n` draws, and what the tables themselves may be off by.
fn tolerance(share: f64, n: usize, stated: f64) -> f64 {
    stated + 4.0 * (share.clamp(0.02, 0.98) * (1.0 - share.clamp(0.02, 0.98)) / n as f64).sqrt()
}
