//! Reports as web pages.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rahdar_fuzz::check_said(
    "report.html",
    &[b"<html>", input].concat()
));
