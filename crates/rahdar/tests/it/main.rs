//! The end-to-end layer: the real binary, on files, as a user would run it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
mod collect;
mod compact;
mod corpus;
mod demo;
mod determinism;
mod disk;
mod feeds;
mod follow;
mod harness;
mod killed;
mod names;
mod networks;
mod pivot;
mod reports;
mod rivals;
mod road;
mod scanners;
mod uploads;
