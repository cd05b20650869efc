//! What a collector saved of exporters, damaged: it begins without it, or reads on.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    rahdar_fuzz::check_saved(input);
});
