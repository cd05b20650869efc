//! Whether a source samples as it says, by its own count of packets.
//!
//! Beside its rate N, every sample tells how many packets could have been sampled so far (its *pool*) and
//! how many samples there were. Over an interval of S samples, N′ = Δpool / Δsamples is what each of them
//! stood for (methods.md §1.5).
//!
//! * N′ < N·(1 − 5/√S): the source samples more than it says, and N would claim more than there was. The
//!   records get N′·(1 − 2/√S), which is too large for one draw in forty.
//! * N′ > N·(1 + 5/√S): it samples less, for lack of time or because it backed off. The records keep N: it
//!   claims less than there was.
//!
//! Either way nobody told the true rate, so that there is no upper bound: *rate unknown*. Told from
//! [`SAMPLES_LEAST`] samples on, over [`SAMPLES_MOST`] at most, older ones at half weight.
//!
//! Assumes that packets are sampled one by one, so that the pool grows by N ± N from one sample to the next. An agent
//! that does not count (its pool stands still, or grows by less than its samples) is believed. Where numbers jump
//! so far that the pool, 32 bits wide, may have wrapped, where they go back, and where N changes, the count begins anew:
//! an agent that starts again resets both (sFlow version 5, §5). Wrong for a pool that counts other packets than those sampled from.
//!
//! Source: sFlow.org, "sFlow Version 5", July 2004, §5, "flow_sample".

use super::sample::Sample;
use crate::netflow::{Damaged, Reader, Writer};

/// Samples before anything is said. Chosen here: a rate that is a quarter off then shows.
pub(super) const SAMPLES_LEAST: u64 = 400;

/// Samples after which all that was counted is halved. Chosen here: a rate that is a sixteenth off then shows, and
/// what an agent changed does too.
pub(super) const SAMPLES_MOST: u64 = 6_400;

/// Standard errors by which a count contradicts a rate. Chosen here: it is looked at after every sample, and of
/// twenty sources that sample as they say one reached four in 3,000 samples.
const CONTRADICTION: f64 = 5.0;

/// A pool that grows by more may have wrapped.
const GROWTH_MAX: u64 = 1 << 31;

/// What the count of a source says of its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing against it.
    AsTold,
    /// One packet in so many at least, fewer than it says.
    Fewer(u32),
    /// One in more than it says.
    More,
}

/// The count of a source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    told: u32,
    /// Number and pool of the last sample.
    number: u32,
    pool: u32,
    packets: u64,
    samples: u64,
    verdict: Verdict,
}

impl Pool {
    /// A source whose first sample this is.
    pub(super) fn new(first: &Sample<'_>) -> Self {
        Self {
            told: first.rate,
            number: first.sequence,
            pool: first.pool,
            packets: 0,
            samples: 0,
            verdict: Verdict::AsTold,
        }
    }

    /// What was found last.
    pub(super) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Takes note of a sample.
    pub(super) fn sample(&mut self, sample: &Sample<'_>) {
        let samples = u64::from(sample.sequence.wrapping_sub(self.number));
        let packets = u64::from(sample.pool.wrapping_sub(self.pool));
        (self.number, self.pool) = (sample.sequence, sample.pool);
        if sample.rate != self.told {
            *self = Self::new(sample);
            return;
        }
        let expected = samples.saturating_mul(self.told.into());
        if samples == 0 || packets >= GROWTH_MAX || expected >= GROWTH_MAX {
            (self.packets, self.samples) = (0, 0);
            return;
        }
        self.packets += packets;
        self.samples += samples;
        self.judge();
        if self.samples >= SAMPLES_MOST {
            self.packets /= 2;
            self.samples /= 2;
        }
    }

    /// Its numbers mean nothing: what it says is believed.
    pub(super) fn believe(&mut self) {
        (self.packets, self.samples, self.verdict) = (0, 0, Verdict::AsTold);
    }

    fn judge(&mut self) {
        if self.samples < SAMPLES_LEAST || self.told == 0 {
            return;
        }
        let spread = 1.0 / (self.samples as f64).sqrt();
        let each = self.packets as f64 / self.samples as f64;
        let told = f64::from(self.told);
        self.verdict = if self.packets < self.samples {
            Verdict::AsTold
        } else if each < told * (1.0 - CONTRADICTION * spread) {
            Verdict::Fewer(((each * (1.0 - 2.0 * spread)) as u32).max(1))
        } else if each > told * (1.0 + CONTRADICTION * spread) {
            Verdict::More
        } else {
            Verdict::AsTold
        };
    }

    /// Writes all of it.
    pub(super) fn save(&self, to: &mut Writer) {
        to.u32(self.told);
        to.u32(self.number);
        to.u32(self.pool);
        to.u64(self.packets);
        to.u64(self.samples);
        let (kind, interval) = match self.verdict {
            Verdict::AsTold => (0, 0),
            Verdict::Fewer(interval) => (1, interval),
            Verdict::More => (2, 0),
        };
        to.u8(kind);
        to.u32(interval);
    }

    /// Reads what [`Pool::save`] wrote.
    pub(super) fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let (told, number, pool) = (from.u32()?, from.u32()?, from.u32()?);
        let limited = |count: u64, most: u64| if count <= most { Ok(count) } else { Err(Damaged) };
        let packets = limited(from.u64()?, SAMPLES_MOST * GROWTH_MAX)?;
        let samples = limited(from.u64()?, GROWTH_MAX)?;
        let verdict = match (from.u8()?, from.u32()?) {
            (0, _) => Verdict::AsTold,
            (1, interval @ 1..) => Verdict::Fewer(interval),
            (2, _) => Verdict::More,
            _ => return Err(Damaged),
        };
        Ok(Self { told, number, pool, packets, samples, verdict })
    }
}
