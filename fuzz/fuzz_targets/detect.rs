//! Any input, its kind seen by content, compressed or not.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rahdar_fuzz::check(input, None));
