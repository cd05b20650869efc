//! `rahdar flows`: collect, import, query, coverage, scanners.

pub(crate) mod collect;
pub(crate) mod coverage;
pub(crate) mod follow;
pub(crate) mod import;
pub(crate) mod scanners;
pub(crate) mod sql;
