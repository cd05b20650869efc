//! The collector behind the door for live export: two datagrams, such as a template and its data.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    rahdar_fuzz::check_live(input);
});
