//! How much of what an exporter recorded reached us (`methods.md` §1.7).
//!
//! κ = flow records that came / (flow records that came + flow records that are known to be missing)
//!
//! An estimate of octets is divided by the κ of the exporter that recorded them, on days on which some of its
//! records were lost. Bounds are not: low counts what came, and where anything was lost there is no high.
//!
//! Known where the exporter numbers its flow records (IPFIX, NetFlow v5). Where it numbers datagrams
//! (NetFlow v9) or samples (sFlow), nobody knows how many records a lost one held, and nothing is made
//! up for. Assumes that what was lost is like what came. Wrong where losses fall together with the
//! contact, in its busiest hours for example: the estimate then stays too low. Below [`LEAST`] nothing is made up
//! for either: most of the estimate would be a guess.
//!
//! ```
//! use rahdar_hunt::completeness::Completeness;
//! use rahdar_model::coverage::{ExporterCoverage, Lost};
//! use rahdar_model::fact::{Loss, Unit};
//! use rahdar_model::{Day, Window};
//!
//! // 98 records came of 100, and the gaps lie in the first week.
//! let week = Window::new(Day(0).start(), Day(7).start());
//! let ledger = ExporterCoverage {
//!     exporter: "E1".into(),
//!     observation_domain: 0,
//!     window: Window::new(Day(0).start(), Day(30).start()),
//!     flows: 98,
//!     sampling: vec![Some(512)],
//!     tcp_flows: 0,
//!     tcp_flows_two_way: 0,
//!     marked: 0,
//!     silent: Vec::new(),
//!     lost: vec![Lost { cause: Loss::Sequence, unit: Unit::Records, count: 2 }],
//!     gaps: vec![week],
//!     losses: vec![(week, Lost { cause: Loss::Sequence, unit: Unit::Records, count: 2 })],
//!     hours: Vec::new(),
//!     flow_sampled: 0,
//!     template_conflicts: 0,
//! };
//! let ledgers = [ledger];
//! let completeness = Completeness::of(&ledgers);
//! assert_eq!(completeness.on("E1", Window::new(Day(3).start(), Day(3).start())), 0.98);
//! assert_eq!(completeness.on("E1", Window::new(Day(9).start(), Day(9).start())), 1.0);
//! ```

use std::collections::BTreeMap;

use rahdar_model::Window;
use rahdar_model::coverage::{ExporterCoverage, joined};
use rahdar_model::fact::Unit;

use crate::watch::under_way;

/// The least κ that is made up for. Chosen here: as much came as was lost.
pub const LEAST: f64 = 0.5;

/// Of each exporter that lost records: κ, and when.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completeness<'a> {
    exporters: BTreeMap<&'a str, (f64, Vec<Window>)>,
}

impl<'a> Completeness<'a> {
    /// By these ledgers. Subdivisions of an exporter are one.
    pub fn of(coverage: &'a [ExporterCoverage]) -> Self {
        let mut sums: BTreeMap<&str, (u64, u64, Vec<Window>)> = BTreeMap::new();
        for ledger in coverage {
            let lost = ledger.lost.iter().filter(|lost| lost.unit == Unit::Records);
            let (came, missing, gaps) = sums.entry(&ledger.exporter).or_default();
            *came = came.saturating_add(ledger.flows);
            *missing = lost.fold(*missing, |sum, lost| sum.saturating_add(lost.count));
            let of_records = ledger.losses.iter().filter(|(_, lost)| lost.unit == Unit::Records);
            gaps.extend(of_records.map(|(gap, _)| under_way(*gap)));
        }
        let kappa = |(exporter, (came, missing, gaps)): (&'a str, (u64, u64, Vec<Window>))| {
            let kappa = came as f64 / (came as f64 + missing as f64);
            (missing > 0 && kappa >= LEAST).then(|| (exporter, (kappa, joined(gaps))))
        };
        Self { exporters: sums.into_iter().filter_map(kappa).collect() }
    }

    /// κ of an exporter for what it recorded in this time; 1 where it lost nothing on these days.
    pub fn on(&self, exporter: &str, time: Window) -> f64 {
        let Some((kappa, gaps)) = self.exporters.get(exporter) else { return 1.0 };
        let (from, until) = (time.from.day().window().from, time.until.day().window().until);
        let next = gaps.partition_point(|gap| gap.until < from);
        if gaps.get(next).is_some_and(|gap| gap.from < until) { *kappa } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use rahdar_model::coverage::Lost;
    use rahdar_model::fact::Loss;
    use rahdar_model::time::DAY_US;
    use rahdar_model::{Day, Timestamp};

    use super::*;

    fn check(flows: u64, lost: &[(Unit, u64)], expected: f64) {
        let count = |(unit, count): &(Unit, u64)| Lost { cause: Loss::Sequence, unit: *unit, count: *count };
        let noon =
            Window::new(Day(5).start().plus_micros(DAY_US / 2), Day(5).start().plus_micros(DAY_US / 2));
        let ledger = ExporterCoverage {
            exporter: "E1".into(),
            observation_domain: 0,
            window: Window::ALL,
            flows,
            sampling: Vec::new(),
            tcp_flows: 0,
            tcp_flows_two_way: 0,
            marked: 0,
            silent: Vec::new(),
            lost: lost.iter().map(count).collect(),
            gaps: vec![noon],
            losses: lost.iter().map(|lost| (noon, count(lost))).collect(),
            hours: Vec::new(),
            flow_sampled: 0,
            template_conflicts: 0,
        };
        let ledgers = [ledger];
        let completeness = Completeness::of(&ledgers);
        let at = |time: Timestamp| completeness.on("E1", Window::new(time, time));
        assert_eq!(at(Day(5).start().plus_micros(1)), expected);
        assert_eq!((at(Day(4).start()), at(Day(6).start()), at(Timestamp::MAX)), (1.0, 1.0, 1.0));
        assert_eq!(completeness.on("E2", Window::ALL), 1.0);
    }

    #[test]
    fn what_was_numbered_as_records_is_known_and_nothing_else() {
        check(980, &[(Unit::Records, 20)], 0.98);
        check(980, &[(Unit::Datagrams, 20), (Unit::Samples, 20)], 1.0);
        check(10, &[(Unit::Records, 11)], 1.0);
        check(0, &[(Unit::Records, u64::MAX)], 1.0);
        check(0, &[], 1.0);
    }
}
