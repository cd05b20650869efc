//! sFlow version 5: datagrams, one after the other.
#![no_main]

use rahdar_wire::Format;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    rahdar_fuzz::check(&[&[0, 0, 0, 5], input].concat(), Some(Format::Sflow));
});
