//! Public files about networks, by their content; and what is kept of them.
#![no_main]

use rahdar_intel::registry::{kind, packed, read};
use rahdar_model::Day;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Some(kind) = kind(input)
        && let Ok(read) = read(kind, "20210815", input, Some(Day(18_854)))
    {
        assert_eq!(packed::unpack(&packed::pack(&read.dump)).ok(), Some(read.dump));
    }
    let _ = packed::label(input);
    let _ = packed::unpack(input);
});
