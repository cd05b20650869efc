//! When no exporter was looking: absence of contact then says nothing.

use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::time::HOUR_US;
use rahdar_model::{Timestamp, Window};

/// The parts of `window` in which no exporter saw anything, in order: before the first of them
/// began, after the last ended, and where all of them were silent at once.
pub fn blind(coverage: &[ExporterCoverage], window: Window) -> Vec<Window> {
    let mut seen: Vec<Window> = coverage.iter().flat_map(seen_by).collect();
    seen.sort_by_key(|seen| (seen.from, seen.until));
    let mut blind = Vec::new();
    let mut until = window.from;
    for seen in seen.iter().chain([&Window::new(window.until, Timestamp::MAX)]) {
        let gap = Window::new(until, seen.from.min(window.until));
        if !gap.is_empty() {
            blind.push(gap);
        }
        until = until.max(seen.until);
    }
    blind
}

/// The whole hours of `windows` together, rounded up.
pub fn hours(windows: &[Window]) -> u64 {
    let us: i64 = windows.iter().fold(0, |sum, window| sum.saturating_add(window.until.since(window.from)));
    us.max(0).unsigned_abs().div_ceil(HOUR_US.unsigned_abs())
}

/// When one exporter saw something.
fn seen_by(exporter: &ExporterCoverage) -> Vec<Window> {
    let mut seen = Vec::with_capacity(exporter.silent.len() + 1);
    let mut from = exporter.window.from;
    for silent in &exporter.silent {
        seen.push(Window::new(from, silent.from.min(exporter.window.until)));
        from = from.max(silent.until);
    }
    seen.push(Window::new(from, exporter.window.until));
    seen.retain(|window| !window.is_empty());
    seen
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Hours of 1970-01-01 as a window.
    fn hour(from: i64, until: i64) -> Window {
        Window::new(Timestamp::from_micros(from * HOUR_US), Timestamp::from_micros(until * HOUR_US))
    }

    fn exporter(window: Window, silent: &[Window]) -> ExporterCoverage {
        ExporterCoverage {
            exporter: "e".into(),
            observation_domain: 0,
            window,
            flows: 1,
            sampling: vec![Some(1)],
            tcp_flows: 0,
            tcp_flows_two_way: 0,
            marked: 0,
            silent: silent.to_vec(),
            lost: Vec::new(),
            gaps: Vec::new(),
            losses: Vec::new(),
            hours: Vec::new(),
            flow_sampled: 0,
            template_conflicts: 0,
        }
    }

    fn check(coverage: &[ExporterCoverage], expected: &[Window]) {
        assert_eq!(blind(coverage, hour(0, 24)), expected);
    }

    #[test]
    fn without_exporters_all_is_dark() {
        check(&[], &[hour(0, 24)]);
    }

    #[test]
    fn it_is_dark_before_between_and_after() {
        check(
            &[exporter(hour(3, 8), &[]), exporter(hour(12, 20), &[])],
            &[hour(0, 3), hour(8, 12), hour(20, 24)],
        );
        check(&[exporter(hour(-9, 99), &[])], &[]);
    }

    #[test]
    fn one_pair_of_eyes_is_enough() {
        let one = exporter(hour(0, 24), &[hour(2, 6), hour(6, 7), hour(20, 21)]);
        check(std::slice::from_ref(&one), &[hour(2, 7), hour(20, 21)]);
        check(&[one, exporter(hour(4, 24), &[hour(5, 6)])], &[hour(2, 4), hour(5, 6)]);
    }

    proptest! {
        /// Hour by hour: dark is where nobody has a window, or all who have one are silent.
        #[test]
        fn dark_is_where_nobody_sees(
            exporters in vec((-2i64..26, 0i64..26, vec((0i64..24, 1i64..5), 0..4)), 0..4),
        ) {
            let coverage: Vec<ExporterCoverage> = exporters
                .iter()
                .map(|(from, length, silent)| {
                    let mut silent: Vec<Window> = silent.iter().map(|(at, n)| hour(*at, at + n)).collect();
                    silent.sort_by_key(|silent| silent.from);
                    exporter(hour(*from, from + length), &silent)
                })
                .collect();
            let dark = blind(&coverage, hour(0, 24));
            for at in 0..24 {
                let time = hour(at, at).from;
                let sees = |exporter: &ExporterCoverage| {
                    exporter.window.contains(time) && !exporter.silent.iter().any(|silent| silent.contains(time))
                };
                prop_assert_eq!(dark.iter().any(|dark| dark.contains(time)), !coverage.iter().any(sees));
            }
            prop_assert!(dark.windows(2).all(|pair| pair[0].until < pair[1].from));
        }
    }

    #[test]
    fn hours_are_counted_and_begun_ones_too() {
        assert_eq!(hours(&[]), 0);
        assert_eq!(hours(&[hour(2, 7), hour(20, 21)]), 6);
        let begun = Window::new(Timestamp::from_micros(0), Timestamp::from_micros(1));
        assert_eq!(hours(&[begun]), 1);
        assert_eq!(hours(&[Window::ALL, Window::ALL]), 2_562_047_789);
    }
}
