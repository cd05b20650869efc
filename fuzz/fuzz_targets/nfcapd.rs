//! Files of nfdump: the first octet chooses the layout, what follows is the file behind its magic.
#![no_main]

use rahdar_wire::Format;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((layout, rest)) = input.split_first() else { return };
    let magic = [0x0c, 0xa5, 1 + (layout & 1), 0];
    rahdar_fuzz::check(&[&magic, rest].concat(), Some(Format::Nfcapd));
});
