//! Stories told to `hunt` through a `NaiveStore`: what is found, what is not, and why.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod counting;
mod coverage;
mod increases;
mod judgement;
mod marking;
mod names;
mod octets;
mod order;
mod powers;
mod roles;
mod scanners;
mod stories;
mod table;
mod world;
