//! `rahdar flows`: collect, import, query, coverage.

pub(crate) mod collect;
pub(crate) mod coverage;
pub(crate) mod follow;
pub(crate) mod import;
pub(crate) mod sql;
