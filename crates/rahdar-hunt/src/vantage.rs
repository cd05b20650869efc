//! What the exporters' place in the network lets anyone say (`methods.md` §1.2, §4).
//!
//! b = TCP flows with a reverse direction / TCP flows of three packets or more. An exporter with
//! b < 0.5 sees asymmetric routes: that it saw no answer says nothing. Neither does it where
//! packets are sampled, since the answer may not have been.
//!
//! Assumes that an exporter stays where it is. Wrong for one that carries almost nothing but
//! conversations of one direction by nature, such as streams of logs: it is taken for one-way.
//!
//! ```
//! use rahdar_hunt::vantage::Vantage;
//! use rahdar_model::FlowStore;
//! use rahdar_model::Window;
//! use rahdar_testkit::{NaiveStore, flow};
//!
//! let talk = flow("192.0.2.1:40000 > 203.0.113.9:443").sent(9, 900).answered(9, 900);
//! let coverage = NaiveStore::of([talk.clone()]).coverage(Window::ALL).unwrap();
//! assert_eq!(Vantage::of(&coverage).witnesses(), ["r1"]);
//! let coverage = NaiveStore::of([talk.sampled(512)]).coverage(Window::ALL).unwrap();
//! assert!(Vantage::of(&coverage).is_all_sampled());
//! ```

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::coverage::ExporterCoverage;

/// An exporter with fewer TCP records of three packets or more is taken to see both directions:
/// a telescope or a quiet link has none (`methods.md` §1.2).
const LEAST_TCP_FLOWS: u64 = 20;

/// Which exporters see what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vantage<'a> {
    all_sampled: bool,
    any_unsampled: bool,
    exporters: usize,
    witnesses: Vec<&'a str>,
}

impl<'a> Vantage<'a> {
    /// The vantage of exporters with this coverage.
    pub fn of(coverage: &'a [ExporterCoverage]) -> Self {
        let mut rates: BTreeMap<&str, Vec<Option<u32>>> = BTreeMap::new();
        for ledger in coverage {
            rates.entry(&ledger.exporter).or_default().extend(&ledger.sampling);
        }
        rates.retain(|_, rates| !rates.is_empty());
        let one_way = one_way(coverage);
        let is_every = |rates: &[Option<u32>]| rates.iter().all(|rate| *rate == Some(1));
        let witnesses = rates.iter().filter(|(name, rates)| is_every(rates) && !one_way.contains(*name));
        let mut all = rates.values().flatten();
        Self {
            all_sampled: !rates.is_empty() && all.all(|rate| rate.is_some_and(|interval| interval > 1)),
            any_unsampled: rates.values().flatten().any(|rate| *rate == Some(1)),
            exporters: rates.len(),
            witnesses: witnesses.map(|(name, _)| *name).collect(),
        }
    }

    /// Whether every exporter samples, so that few packets of a connection say nothing.
    pub fn is_all_sampled(&self) -> bool {
        self.all_sampled
    }

    /// Whether some records are known to show every packet.
    pub fn is_any_unsampled(&self) -> bool {
        self.any_unsampled
    }

    /// Exporters that sample nothing and see both directions: what they did not see was not there.
    pub fn witnesses(&self) -> &[&'a str] {
        &self.witnesses
    }

    /// Whether all exporters are witnesses, so that no answer was missed.
    pub fn sees_answers(&self) -> bool {
        self.exporters > 0 && self.witnesses.len() == self.exporters
    }
}

/// The exporters that see asymmetric routes.
pub fn one_way(coverage: &[ExporterCoverage]) -> BTreeSet<&str> {
    let mut two_way: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for ledger in coverage {
        let sums = two_way.entry(&ledger.exporter).or_default();
        *sums = (sums.0 + ledger.tcp_flows, sums.1 + ledger.tcp_flows_two_way);
    }
    two_way
        .into_iter()
        .filter(|(_, (all, both))| *all >= LEAST_TCP_FLOWS && both * 2 < *all)
        .map(|(exporter, _)| exporter)
        .collect()
}

#[cfg(test)]
mod tests {
    use rahdar_model::{FlowStore, Window};
    use rahdar_testkit::builder::FlowBuilder;
    use rahdar_testkit::{NaiveStore, flow};

    use super::*;

    fn check(flows: impl IntoIterator<Item = FlowBuilder>, witnesses: &[&str], sees_answers: bool) {
        let coverage = NaiveStore::of(flows).coverage(Window::ALL).unwrap();
        let vantage = Vantage::of(&coverage);
        assert_eq!((vantage.witnesses(), vantage.sees_answers()), (witnesses, sees_answers));
    }

    fn talk(exporter: &str) -> FlowBuilder {
        flow("192.0.2.1:40000 > 203.0.113.9:443").answered(9, 900).exporter(exporter)
    }

    #[test]
    fn a_witness_samples_nothing_and_sees_both_directions() {
        let one_way = |n: u16| flow(&format!("192.0.2.1:{} > 203.0.113.9:443", 40_000 + n)).exporter("west");
        check([talk("east")], &["east"], true);
        check([talk("east"), talk("west").sampled(100)], &["east"], false);
        check([talk("east"), talk("west").rate_unknown()], &["east"], false);
        check((0..20).map(one_way).chain([talk("east")]), &["east"], false);
        check((0..19).map(one_way), &["west"], true);
        check([], &[], false);
    }
}
