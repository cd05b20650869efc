//! Captures: pcap and pcapng, and the packets in them; exports that packets carry, whole and in pieces.
#![no_main]

use rahdar_wire::Format;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    rahdar_fuzz::check(input, Some(Format::Packets));
    rahdar_fuzz::check(input, None);
});
