//! For whom senders speak: the exporters whose flows they send.
//!
//! A sender's losses are counted by its address. Its flows may have another name: that of the sFlow agent, or of the
//! exporter that a record names. Who reads the table `gaps` looks for the name of flows, so a gap gets that name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use rahdar_model::Address;
use rahdar_model::fact::Gap;

/// Senders that are remembered. Chosen here: as many as have an account of their own.
const SENDERS_MAX: usize = 65_536;

/// Octets of a sender in the saved form, without the name.
const HEAD_OCTETS: usize = 18;

/// For whom each sender speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Voices {
    /// The one name of its flows; none for a sender of several exporters' flows.
    of: BTreeMap<Address, Option<Arc<str>>>,
    /// What was learnt last.
    last: Option<(Address, Arc<str>)>,
}

impl Voices {
    /// Takes note that `sender` sent a flow of `exporter`.
    pub(crate) fn learn(&mut self, sender: Address, exporter: &Arc<str>) {
        if self.last.as_ref().is_some_and(|(address, name)| *address == sender && name == exporter) {
            return;
        }
        self.last = Some((sender, exporter.clone()));
        if self.of.len() >= SENDERS_MAX && !self.of.contains_key(&sender) {
            return;
        }
        let name = self.of.entry(sender).or_insert_with(|| Some(exporter.clone()));
        if name.as_ref().is_some_and(|name| name != exporter) {
            *name = None;
        }
    }

    /// The gap under the name of the flows that are missing; under `sender ADDRESS` if they may be of several.
    pub(crate) fn gap<'a>(&self, gap: &'a Gap) -> Cow<'a, Gap> {
        let Some(name) = gap.exporter.parse().ok().and_then(|sender: Address| self.of.get(&sender)) else {
            return Cow::Borrowed(gap);
        };
        match name {
            Some(name) if *name == gap.exporter => Cow::Borrowed(gap),
            Some(name) => Cow::Owned(Gap { exporter: name.clone(), ..gap.clone() }),
            None => Cow::Owned(Gap { exporter: format!("sender {}", gap.exporter).into(), ..gap.clone() }),
        }
    }

    /// Writes all of it: each sender, the octets of the name, the name. Several have none.
    pub(crate) fn save(&self) -> Vec<u8> {
        let mut to = Vec::new();
        for (sender, name) in &self.of {
            let name = name.as_deref().unwrap_or_default();
            to.extend(sender.bits().to_be_bytes());
            to.extend((name.len() as u16).to_be_bytes());
            to.extend(name.as_bytes());
        }
        to
    }

    /// Reads what [`Voices::save`] wrote.
    pub(crate) fn restore(mut from: &[u8]) -> Option<Self> {
        let mut voices = Self::default();
        while !from.is_empty() {
            let (head, rest) = from.split_first_chunk::<HEAD_OCTETS>()?;
            let (sender, octets) = head.split_at(HEAD_OCTETS - 2);
            let octets = u16::from_be_bytes(octets.try_into().ok()?);
            let (name, rest) = rest.split_at_checked(octets.into())?;
            let name = (octets > 0).then_some(str::from_utf8(name).ok()?).map(Arc::from);
            voices.of.insert(Address::from_bits(u128::from_be_bytes(sender.try_into().ok()?)), name);
            from = rest;
        }
        Some(voices)
    }
}

#[cfg(test)]
mod tests {
    use rahdar_model::fact::{Loss, Unit, is_anybodys};
    use rahdar_model::{Timestamp, Window};

    use super::*;

    fn named(voices: &Voices, exporter: &str) -> String {
        let gap = Gap {
            exporter: exporter.into(),
            observation_domain: 0,
            window: Window::new(Timestamp::from_seconds(0), Timestamp::from_seconds(1)),
            cause: Loss::QueueDrop,
            unit: Unit::Datagrams,
            lost: 1,
            source: "spool/1".into(),
        };
        voices.gap(&gap).exporter.to_string()
    }

    #[test]
    fn a_gap_has_the_name_of_the_flows_that_are_missing() {
        let mut voices = Voices::default();
        let [own, agent, relay] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|text| text.parse().unwrap());
        voices.learn(own, &"192.0.2.1".into());
        voices.learn(agent, &"203.0.113.9".into());
        for exporter in ["198.51.100.1", "198.51.100.2", "198.51.100.1"] {
            voices.learn(relay, &exporter.into());
        }
        for voices in [&voices, &Voices::restore(&voices.save()).unwrap()] {
            assert_eq!(named(voices, "192.0.2.1"), "192.0.2.1");
            assert_eq!(named(voices, "192.0.2.2"), "203.0.113.9");
            assert!(is_anybodys(&named(voices, "192.0.2.3")), "of which of the two is not known");
            assert_eq!(named(voices, "192.0.2.4"), "192.0.2.4", "nothing is known of it");
            assert_eq!(named(voices, "udp 192.0.2.2:2055"), "udp 192.0.2.2:2055");
        }
        assert_eq!(Voices::restore(&voices.save()[1..]), None);
    }
}
