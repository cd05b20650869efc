//! What tests of every room share. Never part of the program.
//!
//! * [`builder`]: flows written in one line.
//! * [`naive`]: [`NaiveStore`], the store that answers with nested loops. What it answers is
//!   right by inspection, so the lake is checked against it.
//! * [`strategy`]: flows, networks and windows for property tests, with the values at which
//!   code breaks.

pub mod builder;
pub mod naive;
pub mod strategy;

pub use builder::{flow, prefix, time, window};
pub use naive::{Guard, Keep, NaiveStore};
