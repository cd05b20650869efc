//! How thorough a run of the tests is: brief on every change, or as long as the bars of
//! `docs/reliability.md` say.

use std::env;

/// Whether this is the long run, `make nightly` (T2), and not that of every change (T1).
pub fn is_nightly() -> bool {
    env::var_os("RAHDAR_TIER").is_some_and(|tier| tier == "nightly")
}
