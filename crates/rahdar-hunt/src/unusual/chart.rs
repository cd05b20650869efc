//! Uploads that are a little more than usual hour after hour: an exponentially weighted moving average
//! (Roberts, Technometrics 1:239, 1959; `methods.md` §5).
//!
//! S ← (1 − λ)^Δ·S + λ·z, with Δ the hours since the last upload and z held within ±[`MOST_Z`];
//! told is S / √(λ / (2 − λ)), S in its own deviations.
//!
//! Hours without an upload are as usual, z = 0. One hour alone says little here, however much it held: that is what
//! its own z is for. Wrong where one upload lasts for hours: they are counted as several.
//!
//! ```
//! use rahdar_hunt::unusual::chart::Chart;
//! use rahdar_model::Timestamp;
//!
//! let mut chart = Chart::default();
//! let told: Vec<f64> = (0..8).map(|n| chart.add(Timestamp::from_seconds(3_600 * n), 2.0)).collect();
//! assert!(told[0] < 1.0 && told[7] > 3.5);
//! ```

use rahdar_model::Timestamp;
use rahdar_model::time::HOUR_US;

/// λ, the weight of the newest hour. Chosen here: half of what is told is of the last seven hours.
pub const NEWEST: f64 = 0.1;
/// The most that one hour counts for, in deviations. Chosen here.
pub const MOST_Z: f64 = 4.0;

/// The average so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Chart {
    average: f64,
    last: Option<Timestamp>,
}

impl Chart {
    /// Adds an hour, none before the last, and tells the average in its own deviations.
    pub fn add(&mut self, hour: Timestamp, z: f64) -> f64 {
        let hours = self.last.map_or(0, |last| hour.since(last) / HOUR_US);
        self.average =
            self.average * libm::pow(1.0 - NEWEST, hours as f64) + NEWEST * z.clamp(-MOST_Z, MOST_Z);
        self.last = Some(hour);
        self.average / (NEWEST / (2.0 - NEWEST)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(hours: impl IntoIterator<Item = (i64, f64)>) -> f64 {
        let mut chart = Chart::default();
        hours.into_iter().fold(0.0, |_, (hour, z)| chart.add(Timestamp::from_micros(hour * HOUR_US), z))
    }

    #[test]
    fn one_hour_alone_does_not_stand_out_and_many_do() {
        assert!(told([(0, 100.0)]) < 2.0);
        assert!(told((0..24).map(|n| (n, 1.5))) > 5.0);
        assert!(told((0..24).map(|n| (n, if n % 2 == 0 { 2.0 } else { -2.0 }))).abs() < 1.0);
    }

    #[test]
    fn what_was_days_ago_is_forgotten() {
        let before = (0..24).map(|n| (n, 3.0));
        let (kept, new) = (told(before.chain([(24 + 96, 1.0)])), told([(24 + 96, 1.0)]));
        assert!((kept - new).abs() < 0.01);
    }
}
