//! Stories told to `hunt` through a `NaiveStore`: what is found, what is not, and why.

mod names;
mod octets;
mod order;
mod stories;
mod world;
