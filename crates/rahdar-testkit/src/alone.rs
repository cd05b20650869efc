//! A test in a process of its own, so that what it takes can be measured.

use std::env;
use std::fs;
use std::io::Write;
use std::process::Command;

/// Set in the process of a test that runs alone.
const ALONE: &str = "RAHDAR_TEST_ALONE";

/// Runs `measure` in a process in which nothing else runs, and lets be heard what it tells. `test` is the whole name of the test that calls
/// this, as libtest prints it.
///
/// # Panics
/// If `measure` does, with what it printed; or if there is no test of this name.
pub fn alone(test: &str, measure: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return measure();
    }
    let program = env::current_exe().expect("a test is a program");
    let mut command = Command::new(program);
    command.args([test, "--exact", "--nocapture", "--test-threads", "1"]).env(ALONE, "1");
    let output = command.output().expect("a test can be run once more");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "`{test}` alone: {said}");
    let _ = std::io::stderr().write_all(&output.stderr);
}

/// The most octets of addresses that this process has had, used or only reserved; none where the system
/// does not say (it is not Linux).
pub fn most_addresses() -> Option<u64> {
    status("VmPeak:")
}

/// The most octets of memory that this process has used; none where the system does not say.
pub fn most_memory() -> Option<u64> {
    status("VmHWM:")
}

/// Microseconds that this thread has run on a core, to within a tick of the kernel; none where the system
/// does not say. Other processes do not count, so it is a measure on a busy machine too.
pub fn run_us() -> Option<u64> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(stat.split(' ').next()?.parse::<u64>().ok()? / 1_000)
}

fn status(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB"))?;
    Some(kib.parse::<u64>().ok()? << 10)
}
