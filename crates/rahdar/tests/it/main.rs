//! The end-to-end layer: the real binary, on files, as a user would run it.

mod bad_input;
mod corpus;
mod demo;
mod harness;
mod killed;
mod road;
