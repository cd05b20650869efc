//! What a test says though it passes. What passing tests print, libtest keeps to itself.

use std::fmt::Display;
use std::io::Write;

/// Says on standard error that something is not tried on this machine, and why.
///
/// # Panics
/// Where `RAHDAR_SKIPS` is `fail`, as in CI, which has all that tests need.
pub fn skipped(why: impl Display) {
    assert!(std::env::var_os("RAHDAR_SKIPS").is_none_or(|skips| skips != "fail"), "not tried: {why}");
    told(format_args!("skipped: {why}"));
}

/// Says on standard error what a test found out, and which test it is.
pub fn told(what: impl Display) {
    let thread = std::thread::current();
    // libtest names the thread for the test, unless it runs one test after the other.
    let test = thread.name().filter(|name| *name != "main").map_or(String::new(), |name| format!("{name}: "));
    // Not by `eprintln!`: libtest would catch it. If nobody hears it, the test goes on.
    let _ = writeln!(std::io::stderr(), "{test}{what}");
}
