//! MaxMind databases, without the mark in which they are known.
#![no_main]

use rahdar_intel::registry::{Kind, packed, read};
use rahdar_model::Day;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(read) = read(Kind::Mmdb, "fuzz.mmdb", input, Some(Day(18_854))) {
        assert_eq!(packed::unpack(&packed::pack(&read.dump)).ok(), Some(read.dump));
    }
});
