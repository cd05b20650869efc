//! STIX bundles: read into claims, and written again as they stood.
#![no_main]

use rahdar_intel::stix::Bundle;
use rahdar_intel::{ReadOptions, read};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(bundle) = Bundle::parse(text) {
        let written = bundle.write();
        let again = Bundle::parse(&written).expect("what was written can be read");
        assert_eq!(again.len(), bundle.len());
        assert_eq!(again.write(), written);
        if let Ok(reading) = read("fuzz.json", input, &ReadOptions::default()) {
            assert!(reading.refused.len() <= reading.refused_count);
            assert!(reading.claims.iter().all(|claim| !claim.validity.is_empty()));
        }
    }
});
