//! Dumps of routing tables, compressed or not.
#![no_main]

use std::ops::ControlFlow;

use rahdar_wire::bgp::{Opened, open};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut input = input;
    if let Ok(Opened::Rib(rib)) = open(&mut input) {
        let _ = rib.read(&mut |prefix, origins| {
            assert!(prefix.bits() <= 128 && !origins.is_empty());
            ControlFlow::Continue(())
        });
    }
});
