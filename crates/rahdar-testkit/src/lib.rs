//! What tests of every room share. Never part of the program.
//!
//! * [`builder`]: flows written in one line.
//! * [`naive`]: [`NaiveStore`], the store that answers with nested loops. What it answers is
//!   right by inspection, so the lake is checked against it.
//! * [`aloud`]: what a test says though it passes: that it was skipped, and why.
//! * [`alone`](mod@alone): a test in a process of its own, and what it took.
//! * [`corpus`](mod@corpus): real data, where it lies.
//! * [`prose`]: what no text of ours may say.
//! * [`strategy`]: flows, networks and windows for property tests, with the values at which
//!   code breaks.
//! * [`tier`]: whether a run is brief or as long as the bars say.

pub mod alone;
pub mod aloud;
pub mod builder;
pub mod corpus;
pub mod naive;
pub mod prose;
pub mod strategy;
pub mod tier;

pub use alone::alone;
pub use aloud::skipped;
pub use builder::{flow, prefix, time, window};
pub use corpus::corpus;
pub use naive::{Guard, Keep, NaiveStore};
pub use tier::is_nightly;
