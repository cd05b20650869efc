//! What a sample of packets says about all packets (`methods.md` §1.5).
//!
//! One packet in N is seen, each with the same chance p = 1/N, from a set of packets fixed before
//! looking. With sampled packets of b octets each:
//!
//! * estimate Ŷ = N·Σb, in octets, unbiased (Horvitz–Thompson);
//! * variance V = N(N−1)·Σb², in octets², unbiased;
//! * bounds: the gamma interval of Fay and Feuer (Statistics in Medicine 16:791, 1997) for a
//!   weighted sum of Poisson counts, which keeps its level for any weights:
//!   low = V/2Y·χ²(α; 2Y²/V), high = V*/2Y*·χ²(1−α; 2Y*²/V*) with Y* = Y + w, V* = V + w² and
//!   w = N·(largest packet).
//!
//! A flow record gives the packets p and the octets B of a sample, not the single b. Σb² is
//! therefore taken as large as p, B and the sizes of packets allow ([`largest_square_sum`]); the
//! mean, B²/p, lets bounds fail in one case of four.
//!
//! **Large packets.** A path carries packets of up to 1,500 octets, unless records show more: where the mean of a record is
//! larger, or that of any record of its exporter, packets may be as large as the next of 1,600 (tunnels and tags), 9,000 (jumbo
//! frames) and 65,535 octets (segments that a host records before its card cuts them). What no record shows is not
//! known: a jumbo packet among many small ones has no mean that tells of it, and the information element
//! maximumIpTotalLength is not used.
//!
//! Wrong when: jumbo packets are rare on a path whose records do not show them; N is wrong (everything scales with it), sampling is by time, or the set of packets
//! was chosen by looking at the sample. Systematic sampling is approximated
//! ([`SYSTEMATIC_INFLATION`]).
//!
//! ```
//! use rahdar_hunt::sampling::{PacketSizes, SampledSum};
//!
//! // Five records of (packets, octets), sampled one packet in a thousand.
//! let sizes = PacketSizes { least: 40, most: 1_500 };
//! let mut sum = SampledSum::default();
//! for (packets, octets) in [(1, 1_500), (3, 4_500), (2, 1_560), (10, 15_000), (1, 60)] {
//!     sum.add_packets(1_000, packets, octets, sizes);
//! }
//! assert_eq!(sum.octets, 22_620_000.0);
//! assert!((sum.low(0.05) / 13.987e6 - 1.0).abs() < 1e-4);
//! assert!((sum.high(0.05) / 34.758e6 - 1.0).abs() < 1e-4);
//! ```

use rahdar_model::flow::protocol;
use statrs::distribution::{ContinuousCDF, Gamma, Normal};

/// The largest IP packet of an Ethernet path: its MTU (RFC 894).
pub const ETHERNET_MTU: u64 = 1_500;

/// What packets are at most where records show that they are larger than Ethernet's: with the headers of tunnels and tags,
/// as jumbo frames, or at all (RFC 791). The first two are chosen here, as what equipment is usually set to.
pub const LARGER: [u64; 3] = [1_600, 9_000, 65_535];

/// Every N-th packet is not every packet with chance 1/N: its variance is taken a tenth larger.
/// Chosen here (`methods.md` §1.5).
pub const SYSTEMATIC_INFLATION: f64 = 1.1;

/// Above this shape a gamma quantile is taken by the cube-root normal approximation of Wilson and
/// Hilferty (1931), there good to 1e-7; the exact inversion grows slow.
const LARGE_SHAPE: f64 = 1e5;

/// How small and how large one packet can be, in IP octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketSizes {
    /// Headers alone.
    pub least: u64,
    /// The path's MTU.
    pub most: u64,
}

impl PacketSizes {
    /// The sizes for this protocol: IPv4 or IPv6 header plus TCP or UDP header, up to the MTU of
    /// Ethernet.
    pub fn of(is_v4: bool, ip_protocol: u8) -> Self {
        let network = if is_v4 { 20 } else { 40 };
        let transport = match ip_protocol {
            protocol::TCP => 20,
            protocol::UDP => 8,
            _ => 0,
        };
        Self { least: network + transport, most: ETHERNET_MTU }
    }

    /// The same where packets of so many octets are known to pass.
    ///
    /// ```
    /// use rahdar_hunt::sampling::PacketSizes;
    ///
    /// let sizes = PacketSizes::of(true, 6);
    /// assert_eq!([1_500, 1_501, 4_530, 9_001].map(|octets| sizes.holding(octets).most), [1_500, 1_600, 9_000, 65_535]);
    /// ```
    pub fn holding(self, octets: u64) -> Self {
        let known = [self.most].into_iter().chain(LARGER).find(|most| octets <= *most);
        Self { most: known.unwrap_or(octets).max(self.most), ..self }
    }
}

/// The largest Σb² that `packets` packets of `octets` octets together allow.
///
/// As many packets as possible are as large as possible, one takes the rest, the others are as
/// small as possible. Where the mean itself lies outside `sizes`, the sizes give way ([`PacketSizes::holding`]).
///
/// ```
/// use rahdar_hunt::sampling::{PacketSizes, largest_square_sum};
///
/// let sizes = PacketSizes { least: 40, most: 1_500 };
/// assert_eq!(largest_square_sum(2, 1_560, sizes), 1_500.0 * 1_500.0 + 60.0 * 60.0);
/// ```
pub fn largest_square_sum(packets: u64, octets: u64, sizes: PacketSizes) -> f64 {
    let sizes = sizes.holding(octets.div_ceil(packets.max(1)));
    let count = packets.max(1) as f64;
    let total = octets as f64;
    let mean = total / count;
    let least = (sizes.least as f64).min(mean.floor());
    let most = (sizes.most as f64).max(mean.ceil());
    if most <= least {
        return count * mean * mean;
    }
    let full = ((total - count * least) / (most - least)).floor().clamp(0.0, count);
    if full >= count {
        return count * most * most;
    }
    let rest = total - full * most - (count - full - 1.0) * least;
    full * most * most + rest * rest + (count - full - 1.0) * least * least
}

/// A total estimated from samples, of one rate or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SampledSum {
    /// Ŷ: octets, scaled.
    pub octets: f64,
    /// V: octets².
    pub variance: f64,
    /// w: what one more sampled packet could have added, in octets.
    pub heaviest: f64,
}

impl SampledSum {
    /// Adds a record of a packet sampler: `packets` and `octets` as sampled, one in `interval`.
    pub fn add_packets(&mut self, interval: u32, packets: u64, octets: u64, sizes: PacketSizes) {
        let sizes = sizes.holding(octets.div_ceil(packets.max(1)));
        self.add(interval, octets, largest_square_sum(packets, octets, sizes), sizes.most);
    }

    /// Adds a record of a flow sampler: one flow in `interval` was recorded, and whole. The
    /// sampled unit is the flow, so its octets are squared as they are.
    pub fn add_flow(&mut self, interval: u32, octets: u64) {
        self.add(interval, octets, (octets as f64).powi(2), octets);
    }

    /// Adds so many sampled packets, one in `interval`, each of which counts for `each`.
    pub fn add_equal(&mut self, interval: u32, packets: u64, each: f64) {
        let (n, count) = (f64::from(interval), packets as f64);
        self.octets += n * count * each;
        self.variance += n * (n - 1.0) * count * each * each;
        self.heaviest = self.heaviest.max(n * each);
    }

    fn add(&mut self, interval: u32, octets: u64, square_sum: f64, largest: u64) {
        let n = f64::from(interval);
        self.octets += n * octets as f64;
        self.variance += n * (n - 1.0) * square_sum;
        self.heaviest = self.heaviest.max(n * largest as f64);
    }

    /// What the truth exceeds with a probability of 1 − `alpha`, in octets.
    pub fn low(&self, alpha: f64) -> f64 {
        gamma_low(self.octets, self.variance, alpha)
    }

    /// What the truth stays below with a probability of 1 − `alpha`, in octets.
    pub fn high(&self, alpha: f64) -> f64 {
        gamma_high(self.octets, self.variance, self.heaviest, alpha)
    }
}

/// The lower bound of Fay and Feuer: `sum` = Σ w·x and `variance` = Σ w²·x of Poisson counts x
/// with weights w, one-sided at `alpha`.
pub fn gamma_low(sum: f64, variance: f64, alpha: f64) -> f64 {
    if sum <= 0.0 || variance <= 0.0 {
        return sum.max(0.0);
    }
    variance / sum * gamma_quantile(sum * sum / variance, alpha)
}

/// The upper bound of Fay and Feuer, with `heaviest` the largest weight that one more count could
/// have, one-sided at `alpha`.
///
/// ```
/// use rahdar_hunt::sampling::gamma_high;
///
/// // Nothing sampled at 1:1,000 still allows 4.49 MB, at 95 %.
/// assert!((gamma_high(0.0, 0.0, 1_000.0 * 1_500.0, 0.05) / 4.4936e6 - 1.0).abs() < 1e-4);
/// ```
pub fn gamma_high(sum: f64, variance: f64, heaviest: f64, alpha: f64) -> f64 {
    let sum = sum + heaviest;
    let variance = variance + heaviest * heaviest;
    if sum <= 0.0 || variance <= 0.0 {
        return sum.max(0.0);
    }
    variance / sum * gamma_quantile(sum * sum / variance, 1.0 - alpha)
}

/// The quantile of the gamma distribution of this shape and scale 1: half the quantile of χ² with
/// twice the degrees of freedom.
fn gamma_quantile(shape: f64, probability: f64) -> f64 {
    if shape < LARGE_SHAPE
        && let Ok(gamma) = Gamma::new(shape, 1.0)
    {
        return gamma.inverse_cdf(probability);
    }
    let z = Normal::standard().inverse_cdf(probability);
    let ninth = 1.0 / (9.0 * shape);
    shape * (1.0 - ninth + z * ninth.sqrt()).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETHERNET: PacketSizes = PacketSizes { least: 40, most: 1_500 };

    fn check(value: f64, expected: f64, relative: f64) {
        assert!((value / expected - 1.0).abs() < relative, "{value} is not {expected}");
    }

    #[test]
    fn the_largest_square_sums_are_those_of_the_specification() {
        for (packets, octets, expected) in [
            (1, 1_500, 2_250_000.0),
            (3, 4_500, 6_750_000.0),
            (2, 1_560, 2_253_600.0),
            (10, 15_000, 22_500_000.0),
            (1, 60, 3_600.0),
        ] {
            assert_eq!(largest_square_sum(packets, octets, ETHERNET), expected, "{packets} of {octets}");
        }
    }

    #[test]
    fn sizes_give_way_to_what_was_measured() {
        check(largest_square_sum(2, 18_000, ETHERNET), 2.0 * 9_000.0 * 9_000.0, 1e-12);
        check(largest_square_sum(2, 9_060, ETHERNET), 9_000.0 * 9_000.0 + 60.0 * 60.0, 1e-12);
        check(largest_square_sum(3, 60, ETHERNET), 3.0 * 20.0 * 20.0, 1e-12);
        assert_eq!(largest_square_sum(0, 0, ETHERNET), 0.0);
        assert!(largest_square_sum(u64::MAX, u64::MAX, ETHERNET).is_finite());
    }

    #[test]
    fn the_published_rates_of_down_syndrome_have_the_published_interval() {
        let cases = [0.0, 8.0, 63.0, 112.0, 262.0, 295.0];
        let births = [327.0, 30_666.0, 123_419.0, 149_919.0, 104_088.0, 34_392.0];
        let standard = [319_933.0, 931_318.0, 786_511.0, 488_235.0, 237_863.0, 61_313.0];
        let everyone: f64 = standard.iter().sum();
        let weights: Vec<f64> = births.iter().zip(standard).map(|(n, s)| s / (n * everyone)).collect();
        let sum: f64 = cases.iter().zip(&weights).map(|(x, w)| x * w).sum();
        let variance: f64 = cases.iter().zip(&weights).map(|(x, w)| x * w * w).sum();
        let heaviest = weights.iter().copied().fold(0.0, f64::max);
        check(sum * 1e5, 75.529, 1e-5);
        check(gamma_low(sum, variance, 0.025) * 1e5, 67.702, 1e-5);
        check(gamma_high(sum, variance, heaviest, 0.025) * 1e5, 188.300, 1e-5);
    }

    #[test]
    fn the_standard_error_is_that_of_the_sflow_example() {
        // 1,000 of 2,500 samples of a million packets: 400,000 ± 19,208. The example knows the
        // number of samples; sampling each packet by chance alone has the larger error
        // 1.96·N·√c = 24,792 before the factor √(1 − c/n) that this knowledge is worth.
        let mut sum = SampledSum::default();
        sum.add_packets(400, 1_000, 1_000, PacketSizes { least: 1, most: 1 });
        assert_eq!(sum.octets, 400_000.0);
        let error = 1.96 * sum.variance.sqrt() * (400.0_f64 / 399.0).sqrt() * (1.0_f64 - 0.4).sqrt();
        check(error, 19_208.0, 1e-3);
    }

    #[test]
    fn few_samples_bound_as_little_as_the_specification_says() {
        const FULL: PacketSizes = PacketSizes { least: 1_500, most: 1_500 };
        let of = |count: u64| {
            let mut sum = SampledSum::default();
            sum.add_packets(1_000, count, 1_500 * count, FULL);
            sum
        };
        for (count, part) in
            [(1, 0.05), (5, 0.39), (10, 0.54), (30, 0.72), (100, 0.84), (400, 0.92), (1_000, 0.95)]
        {
            let low = of(count).low(0.05) / of(count).octets;
            assert!((low - part).abs() < 0.005, "{count}: {low} is not {part}");
        }
        // Four clusters of a hundred packets: each by itself, all together, each at a quarter of 5 %.
        check(4.0 * of(100).low(0.05), 0.505e9, 1e-3);
        check(of(400).low(0.05), 0.552e9, 1e-3);
        check(4.0 * of(100).low(0.0125), 0.474e9, 2e-3);
    }

    #[test]
    fn four_gigabytes_need_the_published_estimates() {
        for (interval, gigabytes) in [(100, 4.04), (512, 4.09), (1_000, 4.12), (4_000, 4.25), (10_000, 4.40)]
        {
            let packets = (gigabytes * 1e9 / 1_400.0 / f64::from(interval)) as u64;
            let mut sum = SampledSum::default();
            sum.add_packets(interval, packets, packets * 1_400, PacketSizes { least: 40, most: 1_400 });
            check(sum.low(0.05), 4e9, 3e-3);
        }
    }

    #[test]
    fn large_and_small_shapes_meet() {
        let exact = Gamma::new(LARGE_SHAPE - 1.0, 1.0).unwrap();
        for probability in [0.001, 0.025, 0.5, 0.975] {
            check(gamma_quantile(LARGE_SHAPE + 1.0, probability) - 2.0, exact.inverse_cdf(probability), 1e-6);
        }
        check(gamma_quantile(1e12, 0.025), 1e12, 1e-5);
    }

    /// Of a stream of jumbo packets and acknowledgements, half each, two packets are sampled and recorded together.
    #[test]
    fn jumbo_packets_widen_the_bounds() {
        let of = |packets: &[(u64, u64)]| {
            let mut sum = SampledSum::default();
            packets.iter().for_each(|(packets, octets)| sum.add_packets(1_000, *packets, *octets, ETHERNET));
            sum
        };
        let (joined, apart) = (of(&[(2, 9_060)]), of(&[(1, 9_000), (1, 60)]));
        assert!(joined.low(0.05) <= apart.low(0.05) * (1.0 + 1e-9), "{joined:?} {apart:?}");
        assert!(joined.high(0.05) >= apart.high(0.05) * (1.0 - 1e-9), "{joined:?} {apart:?}");
    }

    #[test]
    fn what_is_not_sampled_is_exact() {
        let mut sum = SampledSum::default();
        sum.add_packets(1, 10, 9_000, ETHERNET);
        assert_eq!((sum.octets, sum.low(0.025)), (9_000.0, 9_000.0));
    }
}
