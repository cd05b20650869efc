//! Reports in PDF: what follows the mark.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rahdar_fuzz::check_said(
    "report.pdf",
    &[b"%PDF-1.", input].concat()
));
