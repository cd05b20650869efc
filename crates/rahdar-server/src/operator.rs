//! What the operator knows of single exporters, and they do not say: a name, or how they really
//! sample.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rahdar_model::fact::Gap;
use rahdar_model::flow::SamplingSource;
use rahdar_model::{Address, FlowRecord, Quality};

/// What the operator says of one exporter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Its name in flows and gaps, in place of its address. Several may share one: a router has many addresses.
    pub name: Option<Arc<str>>,
    /// One packet in so many was metered, whatever the exporter says: some announce that they sample
    /// flows as if they sampled packets. 0 says nothing.
    pub sampling: Option<u32>,
}

/// What the operator says of exporters, by their addresses as flows give them.
#[derive(Debug, Default)]
pub(crate) struct Operator(HashMap<String, Told>);

impl Operator {
    pub(crate) fn new(told: &BTreeMap<Address, Told>) -> Self {
        Self(told.iter().map(|(address, told)| (address.to_string(), told.clone())).collect())
    }

    /// The flow as the operator corrects it.
    pub(crate) fn flow<'a>(&self, record: &'a FlowRecord) -> Cow<'a, FlowRecord> {
        let Some(told) = self.of(&record.exporter) else { return Cow::Borrowed(record) };
        let mut record = record.clone();
        if let Some(name) = &told.name {
            record.exporter.clone_from(name);
        }
        if let Some(interval) = told.sampling.filter(|interval| *interval > 0) {
            record.sampling_interval = Some(interval);
            record.sampling_source = Some(SamplingSource::Operator);
            record.quality = Quality::from_bits(record.quality.bits() & !Quality::RATE_UNKNOWN.bits());
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
        if self.0.is_empty() { None } else { self.0.get(exporter) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(name: Option<&str>, sampling: Option<u32>) -> Operator {
        let told = Told { name: name.map(Into::into), sampling };
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
    fn what_is_not_said_stays() {
        let record = untold("192.0.2.1");
        assert_eq!(operator(None, Some(0)).flow(&record).as_ref(), &record);
        assert_eq!(operator(Some("kabul-1"), None).flow(&record).quality, record.quality);
        let other = untold("192.0.2.2");
        assert!(matches!(operator(Some("kabul-1"), Some(2)).flow(&other), Cow::Borrowed(_)));
    }
}
