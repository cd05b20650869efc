//! `rahdar flows coverage`: which exporter saw what, when, at which sampling, and what was lost.

mod hours;

use std::collections::{BTreeMap, BTreeSet};

use rahdar_hunt::{holes, watch};
use rahdar_model::coverage::{CoverageHour, ExporterCoverage, Lost};
use rahdar_model::flow::SamplingSource;
use rahdar_model::store::{Cell, Table};
use rahdar_model::time::{HOUR_US, SECOND_US};
use rahdar_model::{FlowStore, Quality, Window};

use crate::clock;
use crate::command::{Format, Period};
use crate::home::Home;
use crate::{Outcome, output};

/// A clock whose hours differ by no more is one clock: by as much a right one may be off (`methods.md` §1.7).
const STEADY_US: i64 = 2 * SECOND_US;

/// Hours of each exporter and observation domain, in order.
type ByExporter<'a> = BTreeMap<(&'a str, u32), Vec<&'a CoverageHour>>;

/// Prints one row per exporter and observation domain, or one per hour of each.
pub(crate) fn run(home: &Home, period: &Period, hourly: bool, format: Format) -> anyhow::Result<Outcome> {
    // Two questions of one version, whatever is imported meanwhile.
    let (lake, window) = (home.lake()?.pinned()?, clock::window(period)?);
    let (coverage, by_hour) = (lake.coverage(window)?, lake.coverage_hours(window)?);
    let mut table = match hourly {
        true => hours::table(&coverage, &by_exporter(&by_hour)),
        false => exporters(&coverage, &by_exporter(&by_hour)),
    };
    if format == Format::Table {
        drop_empty(&mut table);
    }
    output::print(&table, format)?;
    Ok(Outcome::Done)
}

fn by_exporter(by_hour: &[CoverageHour]) -> ByExporter<'_> {
    let mut hours = ByExporter::new();
    for hour in by_hour {
        hours.entry((&hour.exporter, hour.observation_domain)).or_default().push(hour);
    }
    hours
}

fn own_hours<'a, 'b>(by_hour: &'b ByExporter<'a>, exporter: &'a ExporterCoverage) -> &'b [&'a CoverageHour] {
    let own = by_hour.get(&(&*exporter.exporter, exporter.observation_domain));
    own.map_or(&[], Vec::as_slice)
}

/// Leaves out the columns that say nothing in any row.
fn drop_empty(table: &mut Table) {
    let is_empty = |cell: &Cell| match cell {
        Cell::Text(text) => text.is_empty(),
        cell => *cell == Cell::Null,
    };
    for column in (0..table.columns.len()).rev() {
        if !table.rows.is_empty() && table.rows.iter().all(|row| is_empty(&row[column])) {
            table.columns.remove(column);
            table.rows.iter_mut().for_each(|row| drop(row.remove(column)));
        }
    }
}

fn exporters(coverage: &[ExporterCoverage], by_hour: &ByExporter<'_>) -> Table {
    let columns = [
        "exporter",
        "observation_domain",
        "from",
        "until",
        "flows",
        "sampling",
        "sampling_source",
        "two_way_share",
        "clock_behind_s",
        "clock_known_by",
        "marked",
        "marks",
        "silent_hours",
        "hole_hours",
        "lost",
    ];
    let as_hunted = watch::as_clocks_tell(coverage.to_vec());
    let row = |(exporter, as_hunted): (&ExporterCoverage, &ExporterCoverage)| {
        let own = own_hours(by_hour, exporter);
        let sampling: Vec<String> = exporter.sampling.iter().map(|interval| rate(*interval)).collect();
        let holes = holes::holes(as_hunted);
        let (behind_s, known_by) = clock(own);
        vec![
            Cell::Text(exporter.exporter.to_string()),
            Cell::Int(exporter.observation_domain.into()),
            Cell::Text(exporter.window.from.to_string()),
            Cell::Text(exporter.window.until.to_string()),
            count(exporter.flows),
            Cell::Text(sampling.join(" ")),
            Cell::Text(sources(own)),
            share(exporter.tcp_flows_two_way, exporter.tcp_flows),
            behind_s,
            Cell::Text(known_by),
            count(exporter.marked),
            Cell::Text(marks(own)),
            Cell::Int(whole_hours(exporter.silent.iter())),
            Cell::Int(whole_hours(holes.iter().map(|hole| &hole.window))),
            Cell::Text(lost(&exporter.lost)),
        ]
    };
    Table {
        columns: columns.map(str::to_owned).to_vec(),
        rows: coverage.iter().zip(&as_hunted).map(row).collect(),
    }
}

fn whole_hours<'a>(windows: impl Iterator<Item = &'a Window>) -> i64 {
    windows.map(|window| window.until.since(window.from) / HOUR_US).fold(0, i64::saturating_add)
}

/// Who gave the sampling intervals: `header, operator`; `none` where nobody said.
fn sources(own: &[&CoverageHour]) -> String {
    let said = own.iter().flat_map(|hour| &hour.sampling).map(|(_, source)| *source);
    let said: BTreeSet<Option<SamplingSource>> = said.collect();
    let words = said.into_iter().map(|source| source.map_or("none", SamplingSource::word));
    words.collect::<Vec<_>>().join(", ")
}

/// By how many seconds the clock is behind ours: the median of its hours, and from what that is known.
fn clock(own: &[&CoverageHour]) -> (Cell, String) {
    let mut behind_us: Vec<i64> = own.iter().filter_map(|hour| hour.clock_behind_us).collect();
    behind_us.sort_unstable();
    let seconds = |us: i64| us as f64 / SECOND_US as f64;
    let (Some(least), Some(most)) = (behind_us.first(), behind_us.last()) else {
        return (Cell::Null, String::new());
    };
    let hours = match behind_us.len() {
        1 => "1 hour".to_owned(),
        hours => format!("{hours} hours"),
    };
    let range = match most.saturating_sub(*least) > STEADY_US {
        true => format!(", from {:.1} to {:.1} s", seconds(*least), seconds(*most)),
        false => String::new(),
    };
    let median = behind_us[(behind_us.len() - 1) / 2];
    (Cell::Float(seconds(median)), format!("arrival in {hours}{range}"))
}

/// Records per mark: `end before start: 3, template conflict: 12`.
fn marks(own: &[&CoverageHour]) -> String {
    let mut sums: BTreeMap<Quality, u64> = BTreeMap::new();
    for (mark, flows) in own.iter().flat_map(|hour| &hour.marks) {
        let sum = sums.entry(*mark).or_default();
        *sum = sum.saturating_add(*flows);
    }
    marks_told(sums)
}

fn marks_told(marks: impl IntoIterator<Item = (Quality, u64)>) -> String {
    let each = |(mark, flows): (Quality, u64)| {
        mark.names().map(|name| format!("{name}: {flows}")).collect::<Vec<_>>().join(", ")
    };
    marks.into_iter().map(each).collect::<Vec<_>>().join(", ")
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
    lost.iter().map(loss).collect::<Vec<_>>().join(", ")
}

fn loss(lost: &Lost) -> String {
    format!("{}: {} {}", lost.cause, lost.count, lost.unit)
}

#[cfg(test)]
mod tests {
    use rahdar_model::Timestamp;

    use super::*;

    fn hour(n: i64, behind_ms: Option<i64>) -> CoverageHour {
        CoverageHour {
            exporter: "e".into(),
            observation_domain: 0,
            hour: Timestamp::from_micros(n * HOUR_US),
            flows: 10,
            sampling: vec![(Some(512), Some(SamplingSource::OptionTemplate)), (Some(1_000), None)],
            tcp_flows: 0,
            tcp_flows_two_way: 0,
            clock_behind_us: behind_ms.map(|ms| ms * 1_000),
            marks: vec![(Quality::END_BEFORE_START, 2), (Quality::TEMPLATE_CONFLICT, 1)],
        }
    }

    #[track_caller]
    fn check(behind_ms: &[Option<i64>], seconds: Cell, known_by: &str) {
        let hours: Vec<CoverageHour> = (0..).zip(behind_ms).map(|(n, ms)| hour(n, *ms)).collect();
        assert_eq!(clock(&hours.iter().collect::<Vec<_>>()), (seconds, known_by.to_owned()));
    }

    #[test]
    fn a_clock_is_known_by_what_arrived() {
        check(&[None, None], Cell::Null, "");
        check(&[Some(1_500)], Cell::Float(1.5), "arrival in 1 hour");
        check(&[Some(-300), None, Some(900), Some(200)], Cell::Float(0.2), "arrival in 3 hours");
        check(&[Some(0), Some(9_000)], Cell::Float(0.0), "arrival in 2 hours, from 0.0 to 9.0 s");
    }

    #[test]
    fn hours_add_up_to_their_exporter() {
        let hours = [hour(0, None), hour(1, None)];
        let own: Vec<&CoverageHour> = hours.iter().collect();
        assert_eq!(marks(&own), "end before start: 4, template conflict: 2");
        assert_eq!(sources(&own), "none, option template");
    }

    #[test]
    fn a_column_that_says_nothing_is_left_out() {
        let row = |text: &str| vec![Cell::Text(text.to_owned()), Cell::Null, Cell::Int(0)];
        let columns = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut table = Table { columns: columns.clone(), rows: vec![row(""), row("")] };
        drop_empty(&mut table);
        assert_eq!((table.columns, table.rows), (vec!["c".to_owned()], vec![vec![Cell::Int(0)]; 2]));
        let mut empty = Table { columns: columns.clone(), rows: Vec::new() };
        drop_empty(&mut empty);
        assert_eq!(empty.columns, columns);
    }
}
