//! STIX patterns: what is read prints as a pattern that is read as the same tree.
#![no_main]

use rahdar_intel::stix::pattern::Pattern;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(pattern) = text.parse::<Pattern>() {
        assert_eq!(pattern.to_string().parse(), Ok(pattern));
    }
});
