//! `rahdar flows`: collect, import, follow, query, coverage, scanners, compact.

pub(crate) mod collect;
mod content;
pub(crate) mod coverage;
pub(crate) mod follow;
pub(crate) mod import;
mod notebook;
pub(crate) mod scanners;
pub(crate) mod sql;
pub(crate) mod upkeep;
