//! Sending at a rate.

use std::thread;
use std::time::Duration;

use rahdar_model::Clock;

use crate::process::since;
use crate::running::RealClock;

/// How long to wait before the next datagrams are due.
const TICK: Duration = Duration::from_millis(5);

/// What is made up for when the machine had other things to do: more would come at once, and be more than the
/// rate.
const CATCH_UP: Duration = Duration::from_millis(100);

/// Calls `send` so many times a second for so long, each time with how often it was called before.
/// Returns how often that was.
pub(crate) fn paced(per_second: u64, lasting: Duration, mut send: impl FnMut(u64)) -> u64 {
    let begun = RealClock.now();
    let (mut passed, mut due_millionths, mut sent) = (Duration::ZERO, 0, 0);
    while passed < lasting {
        thread::sleep(TICK);
        let now = since(begun).min(lasting);
        due_millionths += per_second * (now - passed).min(CATCH_UP).as_micros() as u64;
        passed = now;
        while due_millionths >= 1_000_000 {
            due_millionths -= 1_000_000;
            send(sent);
            sent += 1;
        }
    }
    sent
}
