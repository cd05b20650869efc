//! What the operator knows of single exporters, and they do not say: a name, or how they really
//! sample.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rahdar_model::fact::Gap;
use rahdar_model::flow::{Sampler, SamplingSource};
use rahdar_model::{Address, FlowRecord, Quality};
use rahdar_wire::Options;

/// What the operator says of one exporter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Its name in flows and gaps, in place of its address. Several may share one: a router has many addresses.
    pub name: Option<Arc<str>>,
    /// One packet in so many was metered, whatever the exporter says. 0 says nothing.
    pub sampling: Option<u32>,
    /// One *flow* in the interval was kept, whole, in place of one packet: some announce both alike.
    pub flows_sampled: bool,
}

impl Told {
    /// The interval, if one is told.
    fn interval(&self) -> Option<u32> {
        self.sampling.filter(|interval| *interval > 0)
    }
}

/// What the operator says of exporters, by their addresses as flows give them.
#[derive(Debug, Default)]
pub(crate) struct Operator {
    told: HashMap<String, Told>,
    /// The exporters whose interval is told.
    sampling_known: BTreeSet<Address>,
}

impl Operator {
    pub(crate) fn new(told: &BTreeMap<Address, Told>) -> Self {
        let known = told.iter().filter(|(_, told)| told.interval().is_some());
        Self {
            told: told.iter().map(|(address, told)| (address.to_string(), told.clone())).collect(),
            sampling_known: known.map(|(address, _)| *address).collect(),
        }
    }

    /// What is said of all exporters, and of which of them nothing is waited for.
    pub(crate) fn options(&self, of_all: &Options) -> Options {
        Options { sampling_known: self.sampling_known.clone(), ..of_all.clone() }
    }

    /// The flow as the operator corrects it.
    pub(crate) fn flow<'a>(&self, record: &'a FlowRecord) -> Cow<'a, FlowRecord> {
        let Some(told) = self.of(&record.exporter) else { return Cow::Borrowed(record) };
        let mut record = record.clone();
        if let Some(name) = &told.name {
            record.exporter.clone_from(name);
        }
        if let Some(interval) = told.interval() {
            record.sampling_interval = Some(interval);
            record.sampling_source = Some(SamplingSource::Operator);
            record.quality = Quality::from_bits(record.quality.bits() & !Quality::RATE_UNKNOWN.bits());
        }
        if told.flows_sampled {
            record.sampler = Some(Sampler::Flow);
        }
        Cow::Owned(record)
    }

    /// The gap under the name of its exporter.
    pub(crate) fn gap<'a>(&self, gap: &'a Gap) -> Cow<'a, Gap> {
        match self.of(&gap.exporter).and_then(|told| told.name.clone()) {
            Some(exporter) => Cow::Owned(Gap { exporter, ..gap.clone() }),
            None => Cow::Borrowed(gap),
        }
    }

    fn of(&self, exporter: &str) -> Option<&Told> {
        if self.told.is_empty() { None } else { self.told.get(exporter) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(name: Option<&str>, sampling: Option<u32>) -> Operator {
        operator_of(Told { name: name.map(Into::into), sampling, ..Told::default() })
    }

    fn operator_of(told: Told) -> Operator {
        Operator::new(&BTreeMap::from([("192.0.2.1".parse().unwrap(), told)]))
    }

    fn untold(exporter: &str) -> FlowRecord {
        let mut record = FlowRecord::new(exporter.into(), "test".into());
        record.quality = Quality::RATE_UNKNOWN | Quality::MIDSTREAM;
        record
    }

    #[test]
    fn an_exporter_gets_its_name_and_its_rate() {
        let operator = operator(Some("kabul-1"), Some(512));
        let record = untold("192.0.2.1");
        let flow = operator.flow(&record);
        assert_eq!((&*flow.exporter, flow.sampling_interval), ("kabul-1", Some(512)));
        assert_eq!(flow.sampling_source, Some(SamplingSource::Operator));
        assert_eq!(flow.quality, Quality::MIDSTREAM, "the rate is known now, and nothing else");
    }

    #[test]
    fn an_exporter_that_samples_flows_keeps_the_interval_that_it_tells() {
        let operator = operator_of(Told { flows_sampled: true, ..Told::default() });
        let mut record = untold("192.0.2.1");
        record.sampling_interval = Some(100);
        record.sampler = Some(Sampler::Random);
        let flow = operator.flow(&record);
        assert_eq!((flow.sampling_interval, flow.sampler), (Some(100), Some(Sampler::Flow)));
        assert_eq!(flow.quality, record.quality, "the rate is no better known for it");
        assert_eq!(operator.flow(&untold("192.0.2.2")).sampler, None);
    }

    #[test]
    fn the_rate_of_an_exporter_is_known_if_an_interval_is_told() {
        let known = |told| operator_of(told).options(&Options::default()).sampling_known;
        let told = |sampling| Told { sampling, flows_sampled: true, ..Told::default() };
        assert_eq!(known(told(Some(512))), ["192.0.2.1".parse().unwrap()].into());
        assert!(known(told(None)).is_empty() && known(told(Some(0))).is_empty());
    }

    #[test]
    fn what_is_not_said_stays() {
        let record = untold("192.0.2.1");
        assert_eq!(operator(None, Some(0)).flow(&record).as_ref(), &record);
        assert_eq!(operator(Some("kabul-1"), None).flow(&record).quality, record.quality);
        let other = untold("192.0.2.2");
        assert!(matches!(operator(Some("kabul-1"), Some(2)).flow(&other), Cow::Borrowed(_)));
    }
}
