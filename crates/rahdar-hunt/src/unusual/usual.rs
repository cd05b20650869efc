//! What a host usually uploads to holders that are new to it, and how far an hour stands out (`methods.md` §5).
//!
//! Of the six weeks before the day of the hour, those hours count in which the host uploaded to new holders at
//! all, n of them; of each the logarithm of its octets, y = ln(octets):
//!
//! * z = (y − median) / (1.4826·MAD + ε), with MAD the median of |y − median| and ε = [`LEAST_SPREAD`];
//! * p = P(T > z / √(1 + π/2n)), T of Student with ν = 0.37·(n − 1) degrees of freedom.
//!
//! **Logarithms**, because octets of uploads spread over orders of magnitude (Downey, MASCOTS 2001: files are log-normal):
//! on the scale of octets themselves eight hours of a hundred would stand 3.5 deviations out. Their unit then does
//! not matter. **Hours with an upload alone**, because most hosts upload to nobody new in most hours: median and MAD of
//! all hours would be nothing. **ν and π/2n** say how little a few hours know: the median of n values has the
//! variance π/2n of one, and 1.4826·MAD is as sure as a standard deviation of 0.37·n values (Rousseeuw and Croux,
//! JASA 88:1273, 1993).
//!
//! Six weeks hold six values of one hour of the week. The narrowest pool with [`LEAST_HOURS`] values is taken:
//! hours of the week within [`NEIGHBOURS`] hours, hours of the day within as many, all hours of the host, all
//! hours of all hosts that were asked about.
//!
//! Wrong where logarithms have tails heavier than Student's: `docs/judgement.md` says how often that gives a false
//! alarm. Where a host changes its work, it stands out for as long as the new is less than half of six weeks.
//!
//! ```
//! use rahdar_hunt::unusual::usual::{Pool, Usual};
//!
//! // Twenty-one hours of 100 kB to 300 kB, then 50 MB.
//! let usual = Usual::of(Pool::AllHours, (0..21).map(|n| 1e5 + 1e4 * f64::from(n))).unwrap();
//! assert_eq!((usual.median.round(), usual.hours), (2e5, 21));
//! assert!(usual.z(50e6) > 9.0 && usual.p_value(usual.z(50e6)) < 1e-4);
//! assert!(usual.p_value(usual.z(3e5)) > 0.05);
//! ```

use std::f64::consts::FRAC_PI_2;

use rahdar_model::Timestamp;
use rahdar_model::time::HOUR_US;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Values that a median and a deviation are taken of. Chosen here: ν is then 7, and five deviations out still mean
/// one hour in a thousand.
pub const LEAST_HOURS: usize = 20;
/// Hours before and after that count as the same. Chosen here: people shift their work by so much.
pub const NEIGHBOURS: i64 = 2;
/// ε, added to every deviation, in logarithms. Chosen here: twice the usual is then never more than 3.5 deviations
/// out, however even the usual is.
pub const LEAST_SPREAD: f64 = 0.2;

/// 1.4826·MAD of normal values is their standard deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// The efficiency of MAD beside the standard deviation, of normal values.
const MAD_EFFICIENCY: f64 = 0.37;

const DAY_HOURS: i64 = 24;
const WEEK_HOURS: i64 = 7 * DAY_HOURS;

/// Which hours an hour is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pool {
    /// Of the host, about the same hour of the week.
    HourOfWeek,
    /// Of the host, about the same hour of the day.
    HourOfDay,
    /// Of the host, all.
    AllHours,
    /// Of all hosts.
    AllHosts,
}

impl Pool {
    /// Pools of the host itself, the narrowest first.
    pub const OWN: [Self; 3] = [Self::HourOfWeek, Self::HourOfDay, Self::AllHours];

    /// The words shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::HourOfWeek => "this hour of the week",
            Self::HourOfDay => "this hour of the day",
            Self::AllHours => "all hours of the host",
            Self::AllHosts => "all hours of all hosts",
        }
    }

    /// Whether an hour is compared with another.
    pub fn holds(self, hour: Timestamp, other: Timestamp) -> bool {
        let near = |cycle: i64| {
            let apart = (hour.since(other) / HOUR_US).rem_euclid(cycle);
            apart <= NEIGHBOURS || cycle - apart <= NEIGHBOURS
        };
        match self {
            Self::HourOfWeek => near(WEEK_HOURS),
            Self::HourOfDay => near(DAY_HOURS),
            Self::AllHours | Self::AllHosts => true,
        }
    }
}

/// What is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// Of which hours.
    pub pool: Pool,
    /// How many of them had an upload.
    pub hours: usize,
    /// Octets, the median of these.
    pub median: f64,
    /// MAD, in logarithms: half of the hours lie within e^MAD times more or less than the median.
    pub mad: f64,
}

impl Usual {
    /// The usual of hours with these octets; none of fewer than [`LEAST_HOURS`]. Order does not matter.
    pub fn of(pool: Pool, octets: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut logarithms: Vec<f64> = octets.into_iter().filter(|n| *n > 0.0).map(libm::log).collect();
        if logarithms.len() < LEAST_HOURS {
            return None;
        }
        let center = median(&mut logarithms);
        let mut apart: Vec<f64> = logarithms.iter().map(|y| (y - center).abs()).collect();
        let mad = median(&mut apart);
        Some(Self { pool, hours: logarithms.len(), median: libm::exp(center), mad })
    }

    /// By how many deviations these octets are more than usual.
    pub fn z(&self, octets: f64) -> f64 {
        if octets <= 0.0 {
            return f64::NEG_INFINITY;
        }
        libm::log(octets / self.median) / (MAD_TO_DEVIATION * self.mad + LEAST_SPREAD)
    }

    /// The chance of as many deviations or more.
    pub fn p_value(&self, z: f64) -> f64 {
        let n = self.hours as f64;
        let spread = (1.0 + FRAC_PI_2 / n).sqrt();
        let freedom = MAD_EFFICIENCY * (n - 1.0);
        match StudentsT::new(0.0, 1.0, freedom) {
            Ok(student) if z.is_finite() => student.sf(z / spread),
            _ => 1.0,
        }
    }
}

/// The median of at least one value; of an even number the mean of the middle two.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len().is_multiple_of(2) { (values[half - 1] + values[half]) / 2.0 } else { values[half] }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn hour(n: i64) -> Timestamp {
        Timestamp::from_micros(n * HOUR_US)
    }

    fn check(pool: Pool, apart: i64, expected: bool) {
        assert_eq!(pool.holds(hour(1_000), hour(1_000 - apart)), expected, "{pool:?} {apart}");
    }

    #[test]
    fn hours_are_compared_with_their_neighbours_of_the_week_and_of_the_day() {
        for (apart, of_week, of_day) in
            [(168, true, true), (166, true, true), (170, true, true), (165, false, false), (24, false, true)]
        {
            check(Pool::HourOfWeek, apart, of_week);
            check(Pool::HourOfDay, apart, of_day);
            check(Pool::AllHours, apart, true);
        }
    }

    #[test]
    fn uploads_that_are_all_alike_leave_room_for_twice_as_much() {
        let usual = Usual::of(Pool::AllHours, [1e6; 30]).unwrap();
        assert_eq!(usual.mad, 0.0);
        assert!(usual.z(2e6) < 3.5 && usual.z(2.1e6) > 3.5);
        assert!(Usual::of(Pool::AllHours, [1e6; LEAST_HOURS - 1]).is_none());
    }

    proptest! {
        /// In which unit octets are counted changes nothing, nor does their order.
        #[test]
        fn unit_and_order_do_not_matter(
            mut octets in vec(1.0..1e9_f64, LEAST_HOURS..60),
            asked in 1.0..1e9_f64,
            unit in 1e-3..1e3_f64,
        ) {
            let z = Usual::of(Pool::AllHours, octets.iter().copied()).unwrap().z(asked);
            let scaled = Usual::of(Pool::AllHours, octets.iter().map(|n| n * unit)).unwrap();
            prop_assert!((scaled.z(asked * unit) - z).abs() < 1e-9 * (1.0 + z.abs()));
            octets.reverse();
            prop_assert_eq!(Usual::of(Pool::AllHours, octets).unwrap().z(asked), z);
        }

        /// More octets never stand out less, nor are they likelier.
        #[test]
        fn more_stands_out_more(octets in vec(1.0..1e9_f64, LEAST_HOURS..60), a in 1.0..1e9_f64, b in 1.0..1e9_f64) {
            let usual = Usual::of(Pool::AllHours, octets).unwrap();
            let (less, more) = (usual.z(a.min(b)), usual.z(a.max(b)));
            prop_assert!(less <= more && usual.p_value(less) >= usual.p_value(more));
        }
    }
}
