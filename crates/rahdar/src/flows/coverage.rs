//! `rahdar flows coverage`: which exporter saw what, when, at which sampling, and what was lost.

use rahdar_model::FlowStore;
use rahdar_model::coverage::{CoverageHour, ExporterCoverage, Lost};
use rahdar_model::flow::SamplingSource;
use rahdar_model::store::{Cell, Table};
use rahdar_model::time::{HOUR_US, SECOND_US};

use crate::clock;
use crate::command::{Format, Period};
use crate::home::Home;
use crate::{Outcome, output};

/// Prints one row per exporter and observation domain, or one per hour of each.
pub(crate) fn run(home: &Home, period: &Period, hourly: bool, format: Format) -> anyhow::Result<Outcome> {
    let (lake, window) = (home.lake()?, clock::window(period)?);
    let table =
        if hourly { hours(&lake.coverage_hours(window)?) } else { exporters(&lake.coverage(window)?) };
    output::print(&table, format)?;
    Ok(Outcome::Done)
}

fn exporters(coverage: &[ExporterCoverage]) -> Table {
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
        "lost",
    ];
    let row = |exporter: &ExporterCoverage| {
        let sampling: Vec<String> = exporter.sampling.iter().map(|interval| rate(*interval)).collect();
        let silent: i64 = exporter.silent.iter().map(|gap| gap.until.since(gap.from) / HOUR_US).sum();
        vec![
            Cell::Text(exporter.exporter.to_string()),
            Cell::Int(exporter.observation_domain.into()),
            Cell::Text(exporter.window.from.to_string()),
            Cell::Text(exporter.window.until.to_string()),
            count(exporter.flows),
            Cell::Text(sampling.join(" ")),
            share(exporter.tcp_flows_two_way, exporter.tcp_flows),
            count(exporter.marked),
            Cell::Int(silent),
            Cell::Text(lost(&exporter.lost)),
        ]
    };
    Table { columns: columns.map(str::to_owned).to_vec(), rows: coverage.iter().map(row).collect() }
}

fn hours(hours: &[CoverageHour]) -> Table {
    let columns = [
        "exporter",
        "observation_domain",
        "hour",
        "flows",
        "sampling",
        "two_way_share",
        "clock_behind_s",
        "marks",
        "lost",
    ];
    let row = |hour: &CoverageHour| {
        let said = |source: Option<SamplingSource>| source.map_or("", SamplingSource::word);
        let sampling =
            hour.sampling.iter().map(|(interval, source)| format!("{} {}", rate(*interval), said(*source)));
        let marks = hour
            .marks
            .iter()
            .flat_map(|(mark, flows)| mark.names().map(move |name| format!("{name}: {flows}")));
        vec![
            Cell::Text(hour.exporter.to_string()),
            Cell::Int(hour.observation_domain.into()),
            Cell::Text(hour.hour.to_string()),
            count(hour.flows),
            Cell::Text(sampling.map(|text| text.trim_end().to_owned()).collect::<Vec<_>>().join(", ")),
            share(hour.tcp_flows_two_way, hour.tcp_flows),
            hour.clock_behind_us.map_or(Cell::Null, |us| Cell::Float(us as f64 / SECOND_US as f64)),
            Cell::Text(marks.collect::<Vec<_>>().join(", ")),
            Cell::Text(lost(&hour.lost)),
        ]
    };
    Table { columns: columns.map(str::to_owned).to_vec(), rows: hours.iter().map(row).collect() }
}

fn count(n: u64) -> Cell {
    Cell::Int(n.try_into().unwrap_or(i64::MAX))
}

/// `1:512`, or `unknown`.
fn rate(interval: Option<u32>) -> String {
    interval.map_or("unknown".to_owned(), |n| format!("1:{n}"))
}

/// A share with three places; null of nothing.
fn share(part: u64, all: u64) -> Cell {
    match all {
        0 => Cell::Null,
        all => Cell::Float((part as f64 / all as f64 * 1000.0).round() / 1000.0),
    }
}

/// `sequence: 12 datagrams, kernel_drop: 3 datagrams`.
fn lost(lost: &[Lost]) -> String {
    let words = lost.iter().map(|lost| format!("{}: {} {}", lost.cause, lost.count, lost.unit));
    words.collect::<Vec<_>>().join(", ")
}
