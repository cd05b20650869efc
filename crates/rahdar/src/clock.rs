//! The one real clock of the command line.

use std::time::{Duration, Instant};

use rahdar_model::time::{SECOND_US, TimeError, parse_relative};
use rahdar_model::{Clock, Timestamp, Window};

use crate::command::Period;
use crate::failure::Usage;

/// The machine's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the rim: the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
    }
}

/// Measures how long a command takes.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "durations shown to people are measured at the rim")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A time of the command line.
pub(crate) fn time(text: &str) -> Result<Timestamp, TimeError> {
    parse_relative(text, SystemClock.now())
}

/// The end of a validity. As in lists, a date alone and its last second both mean to the end of that day.
pub(crate) fn validity_end(text: &str) -> Result<Timestamp, TimeError> {
    let is_date = text.len() == "2021-08-15".len() && !text.starts_with('-');
    let at = time(text)?;
    let day = at.day().window();
    Ok(if is_date || day.until.since(at) <= SECOND_US { day.until } else { at })
}

/// The window of a period; an open end is the end of time.
pub(crate) fn window(period: &Period) -> Result<Window, Usage> {
    let Period { from, until } = period;
    let window = Window { from: from.unwrap_or(Timestamp::MIN), until: until.unwrap_or(Timestamp::MAX) };
    if window.from < window.until {
        return Ok(window);
    }
    Err(Usage(format!("nothing lies between --from {} and --until {}", window.from, window.until)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validity_that_ends_on_a_date_holds_on_that_day() {
        let end = |text| validity_end(text).unwrap().to_string();
        assert_eq!(end("2021-06-30"), "2021-07-01T00:00:00Z");
        assert_eq!(end("2021-06-30T23:59:59Z"), "2021-07-01T00:00:00Z");
        assert_eq!(end("2021-06-30T12:00:00Z"), "2021-06-30T12:00:00Z");
    }

    #[test]
    fn a_period_that_holds_nothing_is_a_mistake() {
        let [early, late] = ["2021-01-01", "2022-01-01"].map(|day| Some(time(day).unwrap()));
        assert!(window(&Period { from: early, until: late }).is_ok());
        for (from, until) in [(late, early), (early, early)] {
            assert!(window(&Period { from, until }).is_err());
        }
    }
}
