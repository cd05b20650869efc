//! A hunt like Roshan-2021, written down in every form.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod fixture;
mod html;
mod json;
mod words;
