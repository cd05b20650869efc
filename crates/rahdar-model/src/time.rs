//! When: microsecond UTC timestamps, days, half-open windows, and the clock as a trait.

use std::fmt;
use std::str::FromStr;

use jiff::civil;
use jiff::tz::TimeZone;
use thiserror::Error;

/// Microseconds in a second.
pub const SECOND_US: i64 = 1_000_000;
/// Microseconds in an hour.
pub const HOUR_US: i64 = 3_600 * SECOND_US;
/// Microseconds in a day. UTC days of flow data have no leap seconds.
pub const DAY_US: i64 = 24 * HOUR_US;

/// A point in time: microseconds since 1970-01-01T00:00:00 UTC.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Earlier than every flow. Prints as `the beginning`.
    pub const MIN: Self = Self(i64::MIN);
    /// Later than every flow. Prints as `the end`.
    pub const MAX: Self = Self(i64::MAX);

    /// The time this many microseconds after the epoch.
    pub const fn from_micros(us: i64) -> Self {
        Self(us)
    }

    /// The time this many seconds after the epoch.
    pub const fn from_seconds(s: i64) -> Self {
        Self(s.saturating_mul(SECOND_US))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The UTC day that holds this time.
    pub const fn day(self) -> Day {
        Day(self.0.div_euclid(DAY_US) as i32)
    }

    /// The start of the UTC hour that holds this time.
    pub const fn hour(self) -> Self {
        Self(self.0.div_euclid(HOUR_US) * HOUR_US)
    }

    /// This time moved by `us` microseconds; stops at the ends of the range.
    pub const fn plus_micros(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// Microseconds from `earlier` to here; stops at the ends of the range.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    fn to_jiff(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_microsecond(self.0).ok()
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many fractional digits as needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MIN => f.write_str("the beginning"),
            Self::MAX => f.write_str("the end"),
            _ => match self.to_jiff() {
                Some(time) => time.fmt(f),
                None => write!(f, "{} µs", self.0),
            },
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a time: write 2021-08-15, 2021-08-15T12:30:00Z or -7d")]
pub struct TimeError(String);

impl FromStr for Timestamp {
    type Err = TimeError;

    /// Reads RFC 3339 with any offset, `2021-08-15 12:30:00` (taken as UTC), `2021-08-15T12:30Z`
    /// and `2021-08-15` (its first moment).
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(time.as_microsecond()));
        }
        let bare = text.strip_suffix(['Z', 'z']).unwrap_or(text);
        bare.parse::<civil::DateTime>()
            .ok()
            .and_then(|local| local.to_zoned(TimeZone::UTC).ok())
            .map(|zoned| Self(zoned.timestamp().as_microsecond()))
            .ok_or_else(|| TimeError(text.to_owned()))
    }
}

/// A UTC day: days since 1970-01-01.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// The first moment of the day; stops at the ends of the range.
    pub const fn start(self) -> Timestamp {
        Timestamp((self.0 as i64).saturating_mul(DAY_US))
    }

    /// The whole day.
    pub const fn window(self) -> Window {
        Window { from: self.start(), until: Self(self.0.saturating_add(1)).start() }
    }

    /// The day of this calendar date; none if there is no such date.
    pub fn from_date(year: i16, month: i8, day: i8) -> Option<Self> {
        let date = civil::Date::new(year, month, day).ok()?;
        let zoned = date.to_zoned(TimeZone::UTC).ok()?;
        Some(Timestamp(zoned.timestamp().as_microsecond()).day())
    }

    /// Its year, month and day of the month; none outside the years -9999 to 9999.
    pub fn to_date(self) -> Option<(i16, i8, i8)> {
        let date = self.start().to_jiff()?.to_zoned(TimeZone::UTC).date();
        Some((date.year(), date.month(), date.day()))
    }
}

impl fmt::Display for Day {
    /// ISO 8601, `2021-08-15`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.start().to_jiff() {
            Some(time) => time.to_zoned(TimeZone::UTC).date().fmt(f),
            None => write!(f, "day {}", self.0),
        }
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Day {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        text.parse::<Timestamp>().map(Timestamp::day)
    }
}

/// A half-open interval of time, `[from, until)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first moment inside.
    pub from: Timestamp,
    /// The first moment after.
    pub until: Timestamp,
}

impl Window {
    /// All of time.
    pub const ALL: Self = Self { from: Timestamp::MIN, until: Timestamp::MAX };

    /// The window of these ends. It is empty unless `from < until`.
    pub const fn new(from: Timestamp, until: Timestamp) -> Self {
        Self { from, until }
    }

    /// Whether `time` is inside.
    pub fn contains(self, time: Timestamp) -> bool {
        self.from <= time && time < self.until
    }

    /// Whether no time is inside.
    pub fn is_empty(self) -> bool {
        self.from >= self.until
    }

    /// The times that are in both windows.
    pub fn intersect(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }

    /// Whether some time is in both windows.
    pub fn overlaps(self, other: Self) -> bool {
        !self.intersect(other).is_empty()
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.from, self.until)
    }
}

/// Tells the time. Only the rim of the program owns a real one; all else is handed it.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;
}

/// Reads a time as the command line takes it: everything that [`Timestamp`] parses, and
/// `-7d`, `-12h`, `-30m`, `-45s`, `-2w` counted back from `now`.
///
/// # Errors
/// [`TimeError`] quotes the text and shows the accepted forms.
pub fn parse_relative(text: &str, now: Timestamp) -> Result<Timestamp, TimeError> {
    let error = || TimeError(text.to_owned());
    let Some(back) = text.strip_prefix('-') else {
        return text.parse();
    };
    let unit = back.chars().next_back().ok_or_else(error)?;
    let count: i64 = back[..back.len() - unit.len_utf8()].parse().map_err(|_| error())?;
    let unit_us = match unit {
        's' => SECOND_US,
        'm' => 60 * SECOND_US,
        'h' => HOUR_US,
        'd' => DAY_US,
        'w' => 7 * DAY_US,
        _ => return Err(error()),
    };
    let back_us = count.checked_mul(unit_us).ok_or_else(error)?;
    Ok(now.plus_micros(-back_us))
}

/// Before this no flow was exported: 1990-01-01, older than NetFlow, pcap and Zeek. Earlier times come from clocks that
/// count from some second 0 of their own.
const EARLIEST_CLOCK: Timestamp = Timestamp::from_seconds(631_152_000);

/// Times outside of this come from no real clock: until 2100-01-01.
pub const CLOCK_PLAUSIBLE: Window = Window::new(EARLIEST_CLOCK, Timestamp::from_seconds(4_102_444_800));

/// The times that a table can hold, from 0001-01-01 until 9999-12-31: days outside have no name that all engines read.
pub const CALENDAR: Window =
    Window::new(Timestamp::from_seconds(-62_135_596_800), Timestamp::from_seconds(253_402_214_400));

/// How the operator moves the times of an input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shift {
    /// Not at all.
    #[default]
    None,
    /// Every time, by so many microseconds.
    By(i64),
    /// The times of clocks that count from their own second 0, which was at this time. Those from the start of
    /// [`CLOCK_PLAUSIBLE`] on stay: they are dates already.
    Zero(Timestamp),
}

impl Shift {
    /// The time, moved.
    pub fn moved(self, time: Timestamp) -> Timestamp {
        match self {
            Self::By(us) => time.plus_micros(us),
            Self::Zero(zero) if time < EARLIEST_CLOCK => time.plus_micros(zero.micros()),
            Self::Zero(_) | Self::None => time,
        }
    }

    /// Whether it moves this time.
    pub fn moves(self, time: Timestamp) -> bool {
        self.moved(time) != time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str) {
        assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), shown, "{text}");
    }

    #[test]
    fn times_are_read_in_every_accepted_form() {
        check("2021-08-15", "2021-08-15T00:00:00Z");
        check("2021-08-15T12:30:00Z", "2021-08-15T12:30:00Z");
        check("2021-08-15T12:30:00.25+04:30", "2021-08-15T08:00:00.25Z");
        check("2021-08-15 12:30:00", "2021-08-15T12:30:00Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!("2021-13-01".parse::<Timestamp>().is_err());
    }

    #[test]
    fn relative_times_count_back_from_now() {
        let now: Timestamp = "2021-08-15".parse().unwrap();
        assert_eq!(parse_relative("-7d", now).unwrap().to_string(), "2021-08-08T00:00:00Z");
        assert_eq!(parse_relative("2021-01-01", now).unwrap().to_string(), "2021-01-01T00:00:00Z");
        for wrong in ["-", "-d", "-7", "-7y", "-9223372036854775807w"] {
            assert!(parse_relative(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_before_the_epoch_are_days_too() {
        assert_eq!(Timestamp::from_micros(-1).day(), Day(-1));
        assert_eq!(Day(-1).to_string(), "1969-12-31");
        assert_eq!(Day::from_date(2021, 8, 15).unwrap().to_string(), "2021-08-15");
        assert_eq!(Day::from_date(2021, 2, 29), None);
        assert_eq!(Day(-1).to_date(), Some((1969, 12, 31)));
        for end in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(end.day().to_date(), None);
            assert!(end.day().window().contains(end.plus_micros(-1)));
        }
    }

    #[test]
    fn a_date_places_only_clocks_that_count_from_their_own_zero() {
        let [early, late, zero] =
            ["1970-01-01T00:00:07Z", "2021-08-15", "2021-01-01"].map(|t| t.parse().unwrap());
        assert_eq!(Shift::Zero(zero).moved(early).to_string(), "2021-01-01T00:00:07Z");
        assert_eq!(Shift::Zero(zero).moved(late), late);
        assert_eq!(Shift::By(-DAY_US).moved(late).to_string(), "2021-08-14T00:00:00Z");
        assert!(Shift::By(1).moves(late) && !Shift::Zero(zero).moves(late) && !Shift::None.moves(early));
    }

    #[test]
    fn a_window_holds_its_start_but_not_its_end() {
        let day = Day(18_000).window();
        assert!(day.contains(day.from) && !day.contains(day.until));
        assert!(!day.overlaps(Day(18_001).window()));
        assert!(day.overlaps(Window::ALL));
    }
}
