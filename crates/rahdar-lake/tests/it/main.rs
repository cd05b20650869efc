//! The lake against the naive store, and against other processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cost;
mod imports;
mod merging;
mod oracle;
mod rivals;
