//! The corpus, read whole; what a new user does with it; and files cut anywhere.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod corpus;
mod cut;
mod malformed;
mod networks;
mod prose;
mod python;
mod sources;
mod stix;
mod story;
