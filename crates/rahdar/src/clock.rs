//! The one real clock of the command line.

use std::time::{Duration, Instant};

use rahdar_model::time::{TimeError, parse_relative};
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

/// The window of a period; an open end is the end of time.
pub(crate) fn window(period: &Period) -> Result<Window, TimeError> {
    Ok(Window {
        from: time(period.from.as_deref())?.unwrap_or(Timestamp::MIN),
        until: time(period.until.as_deref())?.unwrap_or(Timestamp::MAX),
    })
}
