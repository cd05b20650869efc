//! Reports, feeds and lists into dated, sourced infrastructure: was this endpoint hostile *at
//! that time*, and who says so?
//!
//! * [`index`]: the book as one immutable snapshot, ready to be asked.
//!
//! This crate knows no file system, no network, no database and no wall clock: it is handed
//! octets and times.

pub mod index;

mod name;
