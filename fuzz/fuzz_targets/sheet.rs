//! What people write themselves: networks, events, labels, and rules over scans.
#![no_main]

use rahdar_intel::scan::rule::Rules;
use rahdar_intel::sheet::{events, labels, networks};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _ = networks(input);
    let _ = events(input);
    let _ = labels(input);
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = Rules::parse(text);
    }
});
