//! Increases that windows make: contact outside the windows of claims, held against that inside.
//!
//! Contact is counted while a claim held. Where a window begins or ends during the life of contact, traffic that goes
//! on all the same looks like a change of it. Which sessions outside are the cluster's as well nobody knows. So a date
//! is tested as if they were, in the way that speaks most
//!
//! * *against* an increase: all that lie before the date are added to what was counted;
//! * *in favour* of one: all that lie after it.
//!
//! An increase is told if it is found against all of them. That there is none is told if none is found in their
//! favour either. Between the two it is not assessable. The ratio is that against them; its interval begins with theirs
//! and ends with that in their favour.
//!
//! Whichever sessions outside were the cluster's, p against them is not lower than p would be without those that were
//! not: what is added before the date, and left out after it, is the least that the true order has after the date,
//! and any other order has at least as much of it. (Winsorised days and the length of blocks change a little with it.)
//!
//! Not held against: what passive DNS gives to somebody else, and what defenders or content networks held. That is
//! known not to be the cluster's. Wrong where a cluster moves to addresses that a list has from an address that no
//! list has: nothing shows that traffic.
//!
//! ```
//! use rahdar_hunt::surge::series::Series;
//! use rahdar_hunt::surge::windows::Outside;
//! use rahdar_model::Day;
//!
//! let series = Series::of((0..4).map(|day| (Day(day), 1.0)), &|_| false).unwrap();
//! // The day after contact ended is no day of its life.
//! let outside = Outside::of(&series, &[(Day(1), 5.0), (Day(3), 7.0), (Day(4), 9.0)]).unwrap();
//! assert_eq!(outside.against(&series, 2).octets(), [1.0, 6.0, 1.0, 1.0]);
//! assert_eq!(outside.in_favour(&series, 2).octets(), [1.0, 1.0, 1.0, 8.0]);
//! ```

use rahdar_model::Day;

use super::series::Series;

/// Octets outside the windows, for each day of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Outside(Vec<f64>);

impl Outside {
    /// Of contact with so many octets on these days; none if no octet of it lies on a day of the series.
    pub fn of(series: &Series, contact: &[(Day, f64)]) -> Option<Self> {
        let mut octets = vec![0.0; series.days().len()];
        for (day, of_day) in contact {
            if let Ok(place) = series.days().binary_search(day) {
                octets[place] += of_day;
            }
        }
        octets.iter().any(|octets| *octets > 0.0).then_some(Self(octets))
    }

    /// The series with all that lies before `place`.
    pub fn against(&self, series: &Series, place: usize) -> Series {
        series.plus(&self.0, 0..place)
    }

    /// The series with all that lies from `place` on.
    pub fn in_favour(&self, series: &Series, place: usize) -> Series {
        series.plus(&self.0, place..self.0.len())
    }

    /// The series with all of it.
    pub fn with_all(&self, series: &Series) -> Series {
        series.plus(&self.0, 0..self.0.len())
    }
}
