//! `rahdar flows coverage`: which exporter saw what, when, at which sampling.

use rahdar_model::FlowStore;
use rahdar_model::finding::ExporterCoverage;
use rahdar_model::store::{Cell, Table};
use rahdar_model::time::HOUR_US;

use crate::clock;
use crate::command::{Format, Period};
use crate::home::Home;
use crate::{Outcome, output};

/// Prints one row per exporter and observation domain.
pub(crate) fn run(home: &Home, period: &Period, format: Format) -> anyhow::Result<Outcome> {
    let coverage = home.lake()?.coverage(clock::window(period)?)?;
    output::print(&table(&coverage), format)?;
    Ok(Outcome::Done)
}

fn table(coverage: &[ExporterCoverage]) -> Table {
    let columns = [
        "exporter",
        "observation_domain",
        "from",
        "until",
        "flows",
        "sampling",
        "two_way_share",
        "marked",
        "silent_hours",
    ];
    Table { columns: columns.map(str::to_owned).to_vec(), rows: coverage.iter().map(row).collect() }
}

fn row(exporter: &ExporterCoverage) -> Vec<Cell> {
    let count = |n: u64| Cell::Int(n.try_into().unwrap_or(i64::MAX));
    let sampling: Vec<String> = exporter
        .sampling
        .iter()
        .map(|interval| interval.map_or("unknown".to_owned(), |n| format!("1:{n}")))
        .collect();
    let two_way = match exporter.tcp_flows {
        0 => Cell::Null,
        all => Cell::Float((exporter.tcp_flows_two_way as f64 / all as f64 * 1000.0).round() / 1000.0),
    };
    let silent_hours: i64 = exporter.silent.iter().map(|gap| gap.until.since(gap.from) / HOUR_US).sum();
    vec![
        Cell::Text(exporter.exporter.to_string()),
        Cell::Int(exporter.observation_domain.into()),
        Cell::Text(exporter.window.from.to_string()),
        Cell::Text(exporter.window.until.to_string()),
        count(exporter.flows),
        Cell::Text(sampling.join(" ")),
        two_way,
        count(exporter.marked),
        Cell::Int(silent_hours),
    ]
}
