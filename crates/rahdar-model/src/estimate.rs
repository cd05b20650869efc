//! A number with its bounds.

/// Octets (or packets, or flows) as an interval: what was seen, and what that allows.
///
/// `low` and `high` bound the truth from two sides at 95 % together. "At least" in a sentence is
/// `low`, rounded down. The invariant `low ≤ point`, and `point ≤ high` where there is a `high`,
/// is kept by [`Estimate::new`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// As recorded, unscaled, of each session by the exporter that recorded most of it. Not below
    /// `low` where nothing was sampled.
    pub observed: u64,
    /// Lower bound.
    pub low: f64,
    /// Unbiased estimate.
    pub point: f64,
    /// Upper bound; none where coverage is unknown, so that nothing bounds the truth from above.
    pub high: Option<f64>,
}

impl Estimate {
    /// An estimate with its bounds put in order.
    pub fn new(observed: u64, low: f64, point: f64, high: Option<f64>) -> Self {
        Self { observed, low: low.min(point).max(0.0), point, high: high.map(|high| high.max(point)) }
    }

    /// A complete count: all bounds are the count itself.
    pub fn exact(count: u64) -> Self {
        let exact = count as f64;
        Self { observed: count, low: exact, point: exact, high: Some(exact) }
    }
}
