//! SIGTERM and SIGINT end the collector in order; a second one ends it at once.

use std::io;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::server::Stop;

/// What a shell says of a process that was interrupted.
const INTERRUPTED: i32 = 130;

/// A stop that SIGTERM and SIGINT give. At the second signal the process exits at once: what is in the
/// spool is stored at the next start.
///
/// # Errors
/// What the kernel fails with.
pub fn stop_on_signals() -> io::Result<Stop> {
    let stop = Stop::new();
    for signal in [SIGTERM, SIGINT] {
        // Asked before the stop is given: only a second signal finds it given.
        flag::register_conditional_shutdown(signal, INTERRUPTED, stop.flag())?;
        flag::register(signal, stop.flag())?;
    }
    Ok(stop)
}
