//! `rahdar flows sql`: one read-only SELECT over the views of the four tables.

use std::time::Duration;

use rahdar_model::FlowStore;
use rahdar_model::store::QueryLimits;

use crate::Outcome;
use crate::command::{FlowsSql, Format};
use crate::home::Home;
use crate::output;

/// Runs the query and prints its rows.
pub(crate) fn run(home: &Home, args: &FlowsSql, format: Format) -> anyhow::Result<Outcome> {
    let limits = QueryLimits {
        rows: args.max_rows,
        memory: args.max_memory.saturating_mul(1 << 20),
        time: Duration::from_secs(args.max_seconds),
    };
    output::print(&home.lake_at(args.table_version)?.query(&args.sql, limits)?, format)?;
    Ok(Outcome::Done)
}
