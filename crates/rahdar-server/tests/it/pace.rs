//! Sending at a rate.

use std::thread;
use std::time::Duration;

use rahdar_model::Clock;

use crate::process::since;
use crate::running::RealClock;

/// How long to wait before the next datagrams are due.
const TICK: Duration = Duration::from_millis(5);

/// Calls `send` so many times a second for so long, each time with how often it was called before.
/// Returns how often that was. What a busy machine delays is made up for.
pub(crate) fn paced(per_second: u64, lasting: Duration, mut send: impl FnMut(u64)) -> u64 {
    let begun = RealClock.now();
    let mut sent = 0;
    loop {
        let passed = since(begun).min(lasting);
        let due = per_second * passed.as_micros() as u64 / 1_000_000;
        while sent < due {
            send(sent);
            sent += 1;
        }
        if passed == lasting {
            return sent;
        }
        thread::sleep(TICK);
    }
}
