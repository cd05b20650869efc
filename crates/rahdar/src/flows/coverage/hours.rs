//! `rahdar flows coverage --hourly`: what each exporter recorded, hour by hour, and between which hours it did not.

use std::collections::BTreeSet;

use rahdar_hunt::{holes, watch};
use rahdar_model::coverage::{CoverageHour, ExporterCoverage, Lost};
use rahdar_model::flow::SamplingSource;
use rahdar_model::store::{Cell, Table};
use rahdar_model::time::{HOUR_US, SECOND_US};
use rahdar_model::{Timestamp, Window};

use super::{ByExporter, count, loss, marks_told, own_hours, rate, share, whole_hours};

/// What is known of whole hours of one exporter.
#[derive(Debug, PartialEq)]
struct Row<'a> {
    hours: Window,
    state: State<'a>,
    /// What was lost inside these hours.
    lost: Vec<Lost>,
    /// What was lost in these hours and others.
    shared: Vec<(Window, Lost)>,
}

/// How an exporter recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State<'a> {
    /// Flows of this hour.
    Recorded(&'a CoverageHour),
    /// Flows went on, and none began.
    WentOn,
    /// No flow was active, as may be.
    Silent,
    /// No flow was active, though there should have been ([`holes`]).
    Hole,
    /// Before the first flow or after the last.
    Outside,
}

impl State<'_> {
    const fn word(self) -> &'static str {
        match self {
            Self::Recorded(_) => "recorded",
            Self::WentOn => "none began",
            Self::Silent => "silent",
            Self::Hole => "hole",
            Self::Outside => "outside",
        }
    }
}

/// One row per hour in which flows began, and one per stretch of other hours, in the order of exporter and time. A
/// stretch ends where what is known of it changes.
pub(super) fn table(coverage: &[ExporterCoverage], by_hour: &ByExporter<'_>) -> Table {
    let columns = [
        "exporter",
        "observation_domain",
        "hour",
        "hours",
        "state",
        "flows",
        "sampling",
        "two_way_share",
        "clock_behind_s",
        "marks",
        "lost",
    ];
    let as_hunted = watch::as_clocks_tell(coverage.to_vec());
    let cells = coverage.iter().zip(&as_hunted).flat_map(|(exporter, as_hunted)| {
        let holes: Vec<Window> = holes::holes(as_hunted).into_iter().map(|hole| hole.window).collect();
        let rows = rows(exporter, &holes, own_hours(by_hour, exporter));
        rows.into_iter().map(|row| cells(exporter, &row)).collect::<Vec<_>>()
    });
    Table { rows: cells.collect(), columns: columns.map(str::to_owned).to_vec() }
}

/// The rows of one exporter, in the order of time.
fn rows<'a>(exporter: &ExporterCoverage, holes: &[Window], own: &[&'a CoverageHour]) -> Vec<Row<'a>> {
    let recorded = |hour: &CoverageHour| Window::new(hour.hour, hour.hour.plus_micros(HOUR_US));
    let watched = (exporter.flows > 0).then(|| whole(exporter.window));
    let losses: Vec<Window> = exporter.losses.iter().map(|(window, _)| whole(*window)).collect();
    let known = own.iter().map(|hour| recorded(hour)).chain(exporter.silent.iter().copied());
    let edges: BTreeSet<Timestamp> = known
        .chain(watched)
        .chain(losses.iter().copied())
        .flat_map(|window| [window.from, window.until])
        .collect();
    let edges: Vec<Timestamp> = edges.into_iter().collect();
    let state = |hours: Window| {
        let is_in = |windows: &[Window]| {
            let next = windows.partition_point(|window| window.until <= hours.from);
            windows.get(next).is_some_and(|window| window.from <= hours.from)
        };
        match own.binary_search_by_key(&hours.from, |hour| hour.hour) {
            Ok(place) => State::Recorded(own[place]),
            Err(_) if is_in(holes) => State::Hole,
            Err(_) if is_in(&exporter.silent) => State::Silent,
            Err(_) if watched.is_some_and(|watched| watched.contains(hours.from)) => State::WentOn,
            Err(_) => State::Outside,
        }
    };
    let stretches = edges.windows(2).map(|edge| Window::new(edge[0], edge[1]));
    let row = |hours: Window| Row { hours, state: state(hours), lost: Vec::new(), shared: Vec::new() };
    let mut rows: Vec<Row<'a>> = stretches.map(row).collect();
    for ((window, lost), hours) in exporter.losses.iter().zip(losses) {
        let first = rows.partition_point(|row| row.hours.from < hours.from);
        let last = rows.partition_point(|row| row.hours.from < hours.until);
        match &mut rows[first..last] {
            [row] => add(&mut row.lost, *lost),
            rows => rows.iter_mut().for_each(|row| row.shared.push((*window, *lost))),
        }
    }
    rows.retain(|row| row.state != State::Outside || !row.lost.is_empty() || !row.shared.is_empty());
    rows
}

/// The whole hours that hold all of `window`.
fn whole(window: Window) -> Window {
    let last = window.until.plus_micros(-1).max(window.from);
    Window::new(window.from.hour(), last.hour().plus_micros(HOUR_US))
}

fn add(sums: &mut Vec<Lost>, lost: Lost) {
    match sums.iter_mut().find(|sum| (sum.cause, sum.unit) == (lost.cause, lost.unit)) {
        Some(sum) => sum.count = sum.count.saturating_add(lost.count),
        None => sums.push(lost),
    }
    sums.sort_unstable();
}

fn cells(exporter: &ExporterCoverage, row: &Row<'_>) -> Vec<Cell> {
    let recorded = match row.state {
        State::Recorded(hour) => Some(hour),
        _ => None,
    };
    let said = |source: Option<SamplingSource>| source.map_or("", SamplingSource::word);
    let sampling = recorded.iter().flat_map(|hour| &hour.sampling);
    let sampling = sampling.map(|(interval, source)| format!("{} {}", rate(*interval), said(*source)));
    let behind_us = recorded.and_then(|hour| hour.clock_behind_us);
    let inside = row.lost.iter().map(loss);
    let shared =
        row.shared.iter().map(|(w, lost)| format!("part of {}, {} to {}", loss(lost), w.from, w.until));
    vec![
        Cell::Text(exporter.exporter.to_string()),
        Cell::Int(exporter.observation_domain.into()),
        Cell::Text(row.hours.from.to_string()),
        Cell::Int(whole_hours([&row.hours].into_iter())),
        Cell::Text(row.state.word().to_owned()),
        count(recorded.map_or(0, |hour| hour.flows)),
        Cell::Text(sampling.map(|text| text.trim_end().to_owned()).collect::<Vec<_>>().join(", ")),
        recorded.map_or(Cell::Null, |hour| share(hour.tcp_flows_two_way, hour.tcp_flows)),
        behind_us.map_or(Cell::Null, |us| Cell::Float(us as f64 / SECOND_US as f64)),
        Cell::Text(marks_told(recorded.iter().flat_map(|hour| hour.marks.iter().copied()))),
        Cell::Text(inside.chain(shared).collect::<Vec<_>>().join("; ")),
    ]
}

#[cfg(test)]
mod tests {
    use rahdar_model::fact::{Fact, Gap, Loss, Unit};
    use rahdar_model::store::{FlowStore, Input};
    use rahdar_testkit::{NaiveStore, flow, window};

    use super::super::by_exporter;
    use super::*;

    const ALL: Window = Window::ALL;

    fn gap(from: &str, until: &str, lost: u64) -> Gap {
        Gap {
            exporter: "e".into(),
            observation_domain: 0,
            window: window(from, until),
            lost,
            unit: Unit::Datagrams,
            cause: Loss::Sequence,
            source: "test".into(),
        }
    }

    /// Hour, hours, state, flows and losses of each row, of one flow at each of these times.
    fn told(begun: &[&str], lasting_s: i64, gaps: &[Gap]) -> Vec<String> {
        let flow = |at: &&str| flow("192.0.2.1:1 > 192.0.2.2:2").exporter("e").at(at).lasting_s(lasting_s);
        let store = NaiveStore::of(begun.iter().map(flow));
        store_gaps(&store, gaps);
        let (coverage, by_hour) = (store.coverage(ALL).unwrap(), store.coverage_hours(ALL).unwrap());
        let text = |cell: &Cell| match cell {
            Cell::Text(text) => text.clone(),
            Cell::Int(n) => n.to_string(),
            other => panic!("{other:?}"),
        };
        let row = |row: &Vec<Cell>| [2, 3, 4, 5, 10].map(|column| text(&row[column])).join(" ");
        table(&coverage, &by_exporter(&by_hour)).rows.iter().map(row).collect()
    }

    fn store_gaps(store: &NaiveStore, gaps: &[Gap]) {
        let mut import = store.import().unwrap();
        import.begin(&Input { id: "gaps".into(), name: "gaps".into() }).unwrap();
        gaps.iter().for_each(|gap| import.fact(Fact::Gap(gap)).unwrap());
        import.commit().unwrap();
    }

    const MORNING: &str = "2021-08-15T08:10:00Z";
    const EVENING: &str = "2021-08-15T20:10:00Z";

    #[test]
    fn hours_without_records_are_one_row() {
        assert_eq!(
            told(&[MORNING, EVENING], 1, &[]),
            [
                "2021-08-15T08:00:00Z 1 recorded 1 ",
                "2021-08-15T09:00:00Z 11 silent 0 ",
                "2021-08-15T20:00:00Z 1 recorded 1 ",
            ]
        );
    }

    #[test]
    fn hours_in_which_flows_went_on_are_not_silent() {
        assert_eq!(
            told(&[MORNING], 2 * 3_600, &[]),
            ["2021-08-15T08:00:00Z 1 recorded 1 ", "2021-08-15T09:00:00Z 2 none began 0 "]
        );
    }

    #[test]
    fn what_was_lost_inside_a_row_is_counted_there() {
        let gaps = [
            gap("2021-08-15T08:20:00Z", "2021-08-15T08:21:00Z", 3),
            gap("2021-08-15T08:59:00Z", "2021-08-15T09:00:00Z", 4),
        ];
        assert_eq!(told(&[MORNING], 1, &gaps), ["2021-08-15T08:00:00Z 1 recorded 1 sequence: 7 datagrams"]);
    }

    #[test]
    fn what_was_lost_over_hours_is_told_in_each_and_summed_in_none() {
        let gaps = [gap("2021-08-15T08:30:00Z", "2021-08-15T11:30:00Z", 900)];
        let part = "part of sequence: 900 datagrams, 2021-08-15T08:30:00Z to 2021-08-15T11:30:00Z";
        assert_eq!(
            told(&[MORNING, EVENING], 1, &gaps),
            [
                format!("2021-08-15T08:00:00Z 1 recorded 1 {part}"),
                format!("2021-08-15T09:00:00Z 3 hole 0 {part}"),
                "2021-08-15T12:00:00Z 8 hole 0 ".to_owned(),
                "2021-08-15T20:00:00Z 1 recorded 1 ".to_owned(),
            ]
        );
    }

    #[test]
    fn what_was_lost_before_and_after_has_rows_of_its_own() {
        let gaps = [
            gap("2021-08-15T05:30:00Z", "2021-08-15T05:31:00Z", 1),
            gap("2021-08-15T21:30:00Z", "2021-08-15T22:30:00Z", 2),
        ];
        assert_eq!(
            told(&[MORNING], 1, &gaps),
            [
                "2021-08-15T05:00:00Z 1 outside 0 sequence: 1 datagrams",
                "2021-08-15T08:00:00Z 1 recorded 1 ",
                "2021-08-15T21:00:00Z 2 outside 0 sequence: 2 datagrams",
            ]
        );
    }

    #[test]
    fn who_recorded_nothing_has_rows_for_what_was_lost() {
        let gaps = [gap("2021-08-15T05:30:00Z", "2021-08-15T05:30:00Z", 1)];
        assert_eq!(told(&[], 1, &gaps), ["2021-08-15T05:00:00Z 1 outside 0 sequence: 1 datagrams"]);
    }
}
