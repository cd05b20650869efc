//! MISP events: kept whole, and written again as they stood.
#![no_main]

use rahdar_intel::misp::Event;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(events) = Event::all(text) {
        for event in &events {
            let written = event.to_json().to_string();
            let again = Event::all(&written).expect("what was written can be read");
            assert_eq!(again.iter().map(|event| event.to_json().to_string()).collect::<Vec<_>>(), [written]);
        }
    }
    rahdar_fuzz::check_said("misp.json", input);
});
