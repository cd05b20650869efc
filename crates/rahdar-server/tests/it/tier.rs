//! How long a bar of reliability.md is tried: briefly on every change, or as long as the bar says in
//! `make nightly`.

use std::env;
use std::time::Duration;

use rahdar_testkit::aloud::told;
use rahdar_testkit::is_nightly;

/// Seconds of one long run, in place of what the bar says.
const RUN_SECONDS: &str = "RAHDAR_RUN_SECONDS";

/// How thorough a run is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tier {
    of: &'static str,
    is_nightly: bool,
}

impl Tier {
    /// The tier of this run, said aloud for a test.
    pub(crate) fn of(test: &'static str) -> Self {
        let tier = Self { of: test, is_nightly: is_nightly() };
        tier.say("begins");
        tier
    }

    /// What this run needs of the two.
    pub(crate) fn choose<T>(self, on_change: T, nightly: T) -> T {
        if self.is_nightly { nightly } else { on_change }
    }

    /// How long one run lasts.
    pub(crate) fn lasting(self, on_change: Duration, nightly: Duration) -> Duration {
        let given = env::var(RUN_SECONDS).ok().and_then(|seconds| seconds.parse().ok());
        self.choose(on_change, given.map_or(nightly, Duration::from_secs))
    }

    /// Says what was measured.
    pub(crate) fn say(self, what: &str) {
        told(format_args!("{} at tier {}: {what}", self.of, self.choose("T1", "T2")));
    }
}
