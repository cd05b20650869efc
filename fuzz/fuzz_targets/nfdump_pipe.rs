//! Pipe output of nfdump.
#![no_main]

use rahdar_wire::Format;

libfuzzer_sys::fuzz_target!(|input: &[u8]| rahdar_fuzz::check(input, Some(Format::NfdumpPipe)));
