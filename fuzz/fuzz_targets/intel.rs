//! Anything that may be said of infrastructure: lists, tables, STIX, MISP, passive DNS, scans, reports.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rahdar_fuzz::check_said("fuzz", input));
