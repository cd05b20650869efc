//! From known infrastructure to what was run by the same hand: rare traits that hosts and names share
//! (`methods.md` §7.3).
//!
//! * [`traits`]: what hosts and names carry, in groups, and what each kind is worth;
//! * `sheet`: a table of traits, for those that no scan tells;
//! * [`rarity`]: how common a value is among hosts of adversaries;
//! * [`link`]: what two nodes share, in decibans;
//! * [`linkage`]: nodes that belong together, and merges that one trait alone would make;
//! * [`candidate`]: nodes around known ones, each with its reasons;
//! * [`propose`]: what a person is asked.
//!
//! Everything comes from files that were imported. Nothing is asked of any host, and nothing joins by itself.

pub mod candidate;
pub mod link;
pub mod linkage;
pub mod propose;
pub mod rarity;
pub(crate) mod sheet;
pub mod traits;

#[cfg(test)]
mod market;
#[cfg(test)]
mod tests;

pub use candidate::{Candidate, Pivot, Reason, pivot};
pub use rarity::World;
pub use traits::{Group, Kind, Node, Trait};
