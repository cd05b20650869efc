//! The one real clock of the command line.

use std::time::{Duration, Instant};

use rahdar_model::time::{SECOND_US, TimeError, parse_relative};
use rahdar_model::{Clock, Timestamp, Window};

use crate::command::Period;

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

/// A time of the command line, or none.
pub(crate) fn time(text: Option<&str>) -> Result<Option<Timestamp>, TimeError> {
    text.map(|text| parse_relative(text, SystemClock.now())).transpose()
}

/// The end of a validity, or none. As in lists, a date alone and its last second both mean to the
/// end of that day.
pub(crate) fn validity_end(text: Option<&str>) -> Result<Option<Timestamp>, TimeError> {
    let is_date = text.is_some_and(|text| text.len() == "2021-08-15".len() && !text.starts_with('-'));
    let end = |at: Timestamp| {
        let day = at.day().window();
        if is_date || day.until.since(at) <= SECOND_US { day.until } else { at }
    };
    Ok(time(text)?.map(end))
}

/// The window of a period; an open end is the end of time.
pub(crate) fn window(period: &Period) -> Result<Window, TimeError> {
    Ok(Window {
        from: time(period.from.as_deref())?.unwrap_or(Timestamp::MIN),
        until: time(period.until.as_deref())?.unwrap_or(Timestamp::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validity_that_ends_on_a_date_holds_on_that_day() {
        let end = |text| validity_end(Some(text)).unwrap().unwrap().to_string();
        assert_eq!(end("2021-06-30"), "2021-07-01T00:00:00Z");
        assert_eq!(end("2021-06-30T23:59:59Z"), "2021-07-01T00:00:00Z");
        assert_eq!(end("2021-06-30T12:00:00Z"), "2021-06-30T12:00:00Z");
    }
}
