//! Places on the page for times and for octets.

use rahdar_model::time::{DAY_US, HOUR_US};
use rahdar_model::{Day, Timestamp, Window};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Times, from left to right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeAxis {
    window: Window,
    grain: Grain,
    left: f64,
    right: f64,
}

/// How fine the marks of a figure are, and so the names of its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grain {
    /// A mark is a day.
    Day,
    /// A mark begins and ends at any time.
    Hour,
}

/// A place on the time axis that has a name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) x: f64,
    /// Hour, day, month or year.
    pub(crate) label: String,
    /// What it is part of, where that is new.
    pub(crate) under: Option<String>,
}

/// What lies between two ticks.
#[derive(Debug, Clone, Copy)]
enum Step {
    Hours(i64),
    Days(i32),
    Months(i32),
    Years(i32),
}

/// From fine to coarse. Weeks begin on Monday.
const STEPS: [Step; 18] = [
    Step::Hours(1),
    Step::Hours(3),
    Step::Hours(6),
    Step::Hours(12),
    Step::Days(1),
    Step::Days(2),
    Step::Days(7),
    Step::Days(14),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Years(1),
    Step::Years(2),
    Step::Years(5),
    Step::Years(10),
    Step::Years(100),
    Step::Years(1000),
];

/// Ticks at most. No step that leaves room makes more, unless the calendar ends.
const MOST_TICKS: usize = 64;

impl TimeAxis {
    /// The axis of `window`, widened to whole days, between two places.
    pub(crate) fn new(window: Window, grain: Grain, left: f64, right: f64) -> Self {
        let last = window.until.plus_micros(-1).max(window.from).day();
        let window = Window::new(window.from.day().start(), last.window().until);
        Self { window, grain, left, right }
    }

    pub(crate) fn window(&self) -> Window {
        self.window
    }

    /// The place of `time`; of the nearer end where it is outside.
    pub(crate) fn x(&self, time: Timestamp) -> f64 {
        let (from, until) = (self.window.from.micros() as f64, self.window.until.micros() as f64);
        let share = (time.micros() as f64 - from) / (until - from);
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// The place of a day's noon.
    pub(crate) fn noon(&self, day: Day) -> f64 {
        self.x(day.start().plus_micros(DAY_US / 2))
    }

    /// How wide a day is.
    pub(crate) fn day_width(&self) -> f64 {
        let days = self.window.until.since(self.window.from) as f64 / DAY_US as f64;
        (self.right - self.left) / days
    }

    /// The finest ticks that leave room for their labels.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        let room = |step: &Step| {
            // Days at least, and user units for a label: `06:00`, `15 Aug`, `Aug`, `2021`.
            let (days, label) = match *step {
                Step::Hours(n) => (n as f64 / 24.0, 40.0),
                Step::Days(n) => (f64::from(n), 44.0),
                Step::Months(n) => (f64::from(n) * 28.0, 30.0),
                Step::Years(n) => (f64::from(n) * 365.0, 36.0),
            };
            days * self.day_width() >= label && (self.grain == Grain::Hour || days >= 1.0)
        };
        let step = STEPS.iter().copied().find(room).unwrap_or(Step::Years(1000));
        let mut ticks: Vec<Tick> = Vec::new();
        let Some(first) = step.first_index(self.window.from) else { return ticks };
        let mut last_under = String::new();
        for index in first.. {
            let Some((time, label, under)) = step.tick(index) else { break };
            if time >= self.window.until || ticks.len() == MOST_TICKS {
                break;
            }
            if time < self.window.from {
                continue;
            }
            let is_new = under != last_under;
            last_under.clone_from(&under);
            ticks.push(Tick { x: self.x(time), label, under: is_new.then_some(under) });
        }
        ticks
    }
}

impl Step {
    /// The number of the last tick at or before `from`; none outside the calendar.
    fn first_index(self, from: Timestamp) -> Option<i64> {
        let day = from.day();
        Some(match self {
            Self::Hours(n) => from.micros().div_euclid(n * HOUR_US),
            Self::Days(n) => i64::from(day.0 - MONDAY).div_euclid(i64::from(n)),
            Self::Months(n) => {
                let (year, month, _) = day.to_date()?;
                (i64::from(year) * 12 + i64::from(month) - 1).div_euclid(i64::from(n))
            }
            Self::Years(n) => i64::from(day.to_date()?.0).div_euclid(i64::from(n)),
        })
    }

    /// Time, label and what it is part of, of the tick with this number.
    fn tick(self, index: i64) -> Option<(Timestamp, String, String)> {
        Some(match self {
            Self::Hours(n) => {
                let time = Timestamp::from_micros(index.checked_mul(n * HOUR_US)?);
                let hour = time.micros().rem_euclid(DAY_US) / HOUR_US;
                (time, format!("{hour:02}:00"), time.day().to_string())
            }
            Self::Days(n) => {
                let day = Day(i32::try_from(index * i64::from(n)).ok()?.checked_add(MONDAY)?);
                let (year, month, date) = day.to_date()?;
                (day.start(), format!("{date} {}", month_name(month)), year.to_string())
            }
            Self::Months(n) => {
                let month = index * i64::from(n);
                let (year, month) =
                    (i16::try_from(month.div_euclid(12)).ok()?, month.rem_euclid(12) as i8 + 1);
                let day = Day::from_date(year, month, 1)?;
                (day.start(), month_name(month).to_owned(), year.to_string())
            }
            Self::Years(n) => {
                let year = i16::try_from(index * i64::from(n)).ok()?;
                (Day::from_date(year, 1, 1)?.start(), year.to_string(), String::new())
            }
        })
    }
}

/// 1970-01-05 was a Monday.
const MONDAY: i32 = 4;

fn month_name(month: i8) -> &'static str {
    MONTHS[(month as usize + 11) % 12]
}

/// Octets, from bottom to top, from nothing to a round number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OctetAxis {
    top_octets: u64,
    step_octets: u64,
    top: f64,
    bottom: f64,
}

/// Ticks of the octet axis at most, nothing not counted.
const OCTET_TICKS: u64 = 5;

impl OctetAxis {
    /// The axis that holds `most` octets between two places.
    pub(crate) fn new(most: u64, top: f64, bottom: f64) -> Self {
        // A step beyond a tenth of all numbers could not be doubled.
        let most = most.clamp(OCTET_TICKS, u64::MAX / 16);
        let base = 10u64.pow((most / OCTET_TICKS).ilog10());
        let step_octets = [1, 2, 5]
            .map(|n| n * base)
            .into_iter()
            .find(|step| step * OCTET_TICKS >= most)
            .unwrap_or(10 * base);
        Self { top_octets: most.div_ceil(step_octets) * step_octets, step_octets, top, bottom }
    }

    pub(crate) fn y(&self, octets: u64) -> f64 {
        let share = (octets as f64 / self.top_octets as f64).min(1.0);
        self.bottom - share * (self.bottom - self.top)
    }

    /// Places and their names, all in one unit.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = (f64, String)> + use<'_> {
        let power = self.top_octets.ilog10() / 3;
        let unit = 1000u64.pow(power);
        let name = ["B", "kB", "MB", "GB", "TB", "PB", "EB"][power as usize];
        (0..=self.top_octets / self.step_octets).map(move |n| {
            let octets = n * self.step_octets;
            let (whole, rest) = (octets / unit, octets % unit);
            // Ticks are one digit and zeros, so one decimal is exact; nothing is nothing.
            let label = match (octets, rest) {
                (0, _) => "0".to_owned(),
                (_, 0) => format!("{whole} {name}"),
                _ => format!("{whole}.{} {name}", rest * 10 / unit),
            };
            (self.y(octets), label)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(grain: Grain, from: &str, until: &str) -> String {
        let window = Window::new(from.parse().unwrap(), until.parse().unwrap());
        let ticks = TimeAxis::new(window, grain, 100.0, 940.0).ticks();
        let words = ticks.iter().map(|tick| match &tick.under {
            Some(under) => format!("{}/{under}", tick.label),
            None => tick.label.clone(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_suit_the_span() {
        let (from, until) = ("2021-08-15T10:00:00Z", "2021-08-15T10:00:01Z");
        assert_eq!(
            labels(Grain::Hour, from, until),
            "00:00/2021-08-15 03:00 06:00 09:00 12:00 15:00 18:00 21:00"
        );
        assert_eq!(labels(Grain::Day, from, until), "15 Aug/2021");
        assert_eq!(labels(Grain::Day, "2021-12-30", "2022-01-03"), "30 Dec/2021 31 Dec 1 Jan/2022 2 Jan");
        assert_eq!(
            labels(Grain::Day, "2020-07-01", "2021-09-28"),
            "Jul/2020 Aug Sep Oct Nov Dec Jan/2021 Feb Mar Apr May Jun Jul Aug Sep"
        );
        assert_eq!(
            labels(Grain::Hour, "1970-01-01", "2021-09-28"),
            "1970 1975 1980 1985 1990 1995 2000 2005 2010 2015 2020"
        );
    }

    #[test]
    fn no_window_breaks_the_axis() {
        for window in [
            Window::ALL,
            Window::new(Timestamp::MAX, Timestamp::MIN),
            Window::new(Timestamp::MAX, Timestamp::MAX),
            Window::new(Timestamp::MIN, Timestamp::MIN),
        ] {
            let axis = TimeAxis::new(window, Grain::Hour, 0.0, 100.0);
            assert!(axis.ticks().len() <= MOST_TICKS);
            assert!((0.0..=100.0).contains(&axis.x(Timestamp::default())), "{window:?}");
            assert!((0.0..=100.0).contains(&axis.noon(Day(i32::MAX))), "{window:?}");
        }
    }

    fn check(most: u64, expected: &str) {
        let axis = OctetAxis::new(most, 0.0, 100.0);
        let labels: Vec<_> = axis.ticks().map(|(_, label)| label).collect();
        assert_eq!(labels.join(" "), expected, "{most}");
    }

    #[test]
    fn octets_have_round_ticks_in_one_unit() {
        check(0, "0 1 B 2 B 3 B 4 B 5 B");
        check(43_000_000, "0 10 MB 20 MB 30 MB 40 MB 50 MB");
        check(1_200_000_000, "0 0.5 GB 1 GB 1.5 GB");
        check(90_000, "0 20 kB 40 kB 60 kB 80 kB 100 kB");
        check(1_000_000, "0 0.2 MB 0.4 MB 0.6 MB 0.8 MB 1 MB");
        OctetAxis::new(u64::MAX, 0.0, 100.0).ticks().for_each(drop);
    }
}
