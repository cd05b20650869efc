//! `rahdar flows`: import, query, coverage.

pub(crate) mod coverage;
pub(crate) mod follow;
pub(crate) mod import;
pub(crate) mod sql;
