//! What packets say in clear: DNS, the first flights of TLS, requests of HTTP.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rahdar_fuzz::check_clear(input));
