//! How an exporter says that it samples, and which rate a record was sampled at.
//!
//! A rate comes with the record, or in an options record for a sampler, a template, an
//! interface or everything. Source: RFC 3954 §8 (34, 35, 48 to 50), RFC 5477 §8.2 (302 to
//! 310), methods.md §1.7; shapes as in nfdump #101 and #410, akvorado #89.

use std::collections::HashMap;

use rahdar_model::flow::{Direction, FlowRecord, Sampler};

use super::read::Values;
use super::saved::{Damaged, Reader, Writer};

/// Rates that are kept of one observation domain. A large router has some hundred interfaces;
/// what comes on top is not kept, and its records are marked as of unknown rate.
const RATES_MAX: usize = 4_096;

/// The largest interval that the flow table holds.
const INTERVAL_MAX: u64 = i32::MAX as u64;

/// One packet of how many, and how it was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// Packets per sampled packet; 1 is unsampled.
    pub(super) interval: u32,
    pub(super) sampler: Option<Sampler>,
}

impl Rate {
    /// The rate that a record tells. None if it tells none: an interval of 0 says nothing.
    ///
    /// `(taken, left out)` is one of `(taken + left out) / taken`, rounded: 1 taken and 9,999
    /// left out is one of 10,000.
    pub(super) fn of(values: &Values) -> Option<Self> {
        let interval = if values.interval != 0 {
            values.interval
        } else if values.taken != 0 {
            ratio(values.taken.saturating_add(values.left_out), values.taken)
        } else if values.sample != 0 {
            ratio(values.population, values.sample)
        } else {
            0
        };
        if !(1..=INTERVAL_MAX).contains(&interval) {
            return None;
        }
        let sampler = match (values.selector_algorithm, values.sampling_mode) {
            (1 | 2, _) | (0, 1) => Some(Sampler::Systematic),
            (3 | 4, _) | (0, 2) => Some(Sampler::Random),
            (0, 0) => None,
            _ => Some(Sampler::Unknown),
        };
        Some(Self { interval: interval as u32, sampler })
    }

    fn save(to: &mut Writer, rate: Self) {
        to.u32(rate.interval);
        to.option(rate.sampler, |to, sampler| to.u8(sampler.code()));
    }

    fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let interval = from.u32()?;
        let sampler = from.option(|from| Sampler::from_code(from.u8()?).ok_or(Damaged))?;
        Ok(Self { interval, sampler })
    }
}

fn ratio(whole: u64, part: u64) -> u64 {
    whole.saturating_add(part / 2) / part
}

/// How many samplers have which interval, so that one look tells whether all agree.
#[derive(Debug, Default)]
pub(crate) struct Intervals(HashMap<u32, usize>);

impl Intervals {
    /// A sampler has this interval; `before` is the one that it had.
    pub(crate) fn set(&mut self, before: Option<u32>, now: u32) {
        *self.0.entry(now).or_default() += 1;
        if let Some(before) = before
            && let Some(samplers) = self.0.get_mut(&before)
        {
            *samplers -= 1;
            if *samplers == 0 {
                self.0.remove(&before);
            }
        }
    }

    /// Whether all samplers have the same.
    pub(crate) fn agree(&self) -> bool {
        self.0.len() == 1
    }
}

/// The rates that one observation domain announced.
#[derive(Debug, Default)]
pub(super) struct Rates {
    whole: Option<Rate>,
    samplers: HashMap<u64, Rate>,
    templates: HashMap<u16, Rate>,
    interfaces: HashMap<u32, Rate>,
    intervals: Intervals,
    /// The rate of all samplers, as long as they agree.
    agreed: Option<Rate>,
}

impl Rates {
    /// Takes in an options record. Returns whether it told a rate.
    pub(super) fn announce(&mut self, values: &Values, interface: Option<u32>) -> bool {
        let Some(rate) = Rate::of(values) else { return false };
        let room = self.samplers.len() + self.templates.len() + self.interfaces.len() < RATES_MAX;
        if let Some(id) = values.sampler_id {
            if room || self.samplers.contains_key(&id) {
                let before = self.samplers.insert(id, rate).map(|rate| rate.interval);
                self.intervals.set(before, rate.interval);
                self.agreed = self.intervals.agree().then_some(rate);
            }
        } else if let Some(id) = values.template_id {
            if room || self.templates.contains_key(&id) {
                self.templates.insert(id, rate);
            }
        } else if let Some(index) = interface.filter(|index| *index != 0) {
            if room || self.interfaces.contains_key(&index) {
                self.interfaces.insert(index, rate);
            }
        } else {
            self.whole = Some(rate);
        }
        true
    }

    /// Writes all of it.
    pub(super) fn save(&self, to: &mut Writer) {
        to.option(self.whole, Rate::save);
        to.list(self.samplers.iter(), |to, (id, rate)| {
            to.u64(*id);
            Rate::save(to, *rate);
        });
        to.list(self.templates.iter(), |to, (id, rate)| {
            to.u16(*id);
            Rate::save(to, *rate);
        });
        to.list(self.interfaces.iter(), |to, (index, rate)| {
            to.u32(*index);
            Rate::save(to, *rate);
        });
        to.option(self.agreed, Rate::save);
    }

    /// Reads what [`Rates::save`] wrote.
    pub(super) fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let whole = from.option(Rate::restore)?;
        let samplers: HashMap<u64, Rate> =
            from.list(|from| Ok((from.u64()?, Rate::restore(from)?)))?.into_iter().collect();
        let mut intervals = Intervals::default();
        samplers.values().for_each(|rate| intervals.set(None, rate.interval));
        Ok(Self {
            whole,
            samplers,
            intervals,
            templates: from.list(|from| Ok((from.u16()?, Rate::restore(from)?)))?.into_iter().collect(),
            interfaces: from.list(|from| Ok((from.u32()?, Rate::restore(from)?)))?.into_iter().collect(),
            agreed: from.option(Rate::restore)?,
        })
    }

    /// The octets that it takes in memory, about.
    pub(super) fn octets(&self) -> usize {
        const ENTRY: usize = 2 * size_of::<(u64, Rate)>();
        ENTRY * (self.samplers.len() + self.templates.len() + self.interfaces.len())
    }

    /// Whether every record of one template that names no sampler has the same rate, so that it
    /// need be looked up only once.
    pub(super) fn is_uniform(&self) -> bool {
        self.interfaces.is_empty()
    }

    /// The rate of a record: by its sampler, its template, its interface, or for everything.
    ///
    /// A record that names no sampler has the rate of all samplers, if they agree. What one
    /// sampler does says nothing about another.
    pub(super) fn of(&self, template: u16, sampler: Option<u64>, record: &FlowRecord) -> Option<Rate> {
        let interface = match record.direction {
            Some(Direction::Egress) => record.out_if,
            _ => record.in_if,
        };
        let unnamed = sampler.is_none_or(|id| id == 0);
        let by_sampler = sampler.and_then(|id| self.samplers.get(&id));
        by_sampler
            .or_else(|| self.templates.get(&template))
            .or_else(|| self.interfaces.get(&interface?))
            .or(self.whole.as_ref())
            .or(self.agreed.as_ref().filter(|_| unnamed))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: Values, interval: Option<u32>) {
        assert_eq!(Rate::of(&values).map(|rate| rate.interval), interval);
    }

    #[test]
    fn every_way_to_tell_a_rate_is_understood() {
        let none = Values::default();
        check(Values { interval: 512, ..none }, Some(512));
        check(Values { taken: 1, left_out: 9_999, ..none }, Some(10_000));
        check(Values { taken: 1, left_out: 0, ..none }, Some(1));
        check(Values { taken: 2, left_out: 6, ..none }, Some(4));
        check(Values { sample: 10, population: 1_000, ..none }, Some(100));
    }

    #[test]
    fn what_tells_no_rate_is_none() {
        let none = Values::default();
        check(none, None);
        check(Values { left_out: 9, ..none }, None);
        check(Values { sample: 9, population: 0, ..none }, None);
        check(Values { interval: u64::MAX, ..none }, None);
        check(Values { taken: u64::MAX, left_out: u64::MAX, ..none }, Some(1));
    }

    fn flow() -> FlowRecord {
        let mut record = FlowRecord::new("r1".into(), "s".into());
        record.in_if = Some(7);
        record.out_if = Some(8);
        record
    }

    fn announced(of: &[(Values, Option<u32>)]) -> Rates {
        let mut rates = Rates::default();
        for (values, interface) in of {
            assert!(rates.announce(values, *interface));
        }
        rates
    }

    fn interval(rates: &Rates, sampler: Option<u64>) -> Option<u32> {
        rates.of(256, sampler, &flow()).map(|rate| rate.interval)
    }

    fn sampler(id: u64, interval: u64) -> (Values, Option<u32>) {
        (Values { sampler_id: Some(id), interval, ..Values::default() }, None)
    }

    #[test]
    fn a_sampler_speaks_for_its_own_records() {
        let rates = announced(&[sampler(1, 100), sampler(2, 1_000)]);
        assert_eq!(interval(&rates, Some(1)), Some(100));
        assert_eq!(interval(&rates, Some(2)), Some(1_000));
        assert_eq!(interval(&rates, Some(3)), None);
        assert_eq!(interval(&rates, None), None, "the samplers do not agree");
    }

    #[test]
    fn a_record_without_a_sampler_has_the_rate_that_all_samplers_have() {
        let rates = announced(&[sampler(1, 100), sampler(2, 100)]);
        assert_eq!(interval(&rates, None), Some(100));
        assert_eq!(interval(&rates, Some(0)), Some(100));
        assert_eq!(interval(&rates, Some(3)), None);
    }

    #[test]
    fn samplers_that_change_one_by_one_agree_again() {
        let mut rates = announced(&[sampler(1, 100), sampler(2, 100)]);
        rates.announce(&sampler(1, 200).0, None);
        assert_eq!(interval(&rates, None), None, "one of them has changed");
        let mut writer = Writer::default();
        rates.save(&mut writer);
        for mut rates in [Rates::restore(&mut Reader::new(&writer.into_octets())).unwrap(), rates] {
            rates.announce(&sampler(2, 200).0, None);
            assert_eq!(interval(&rates, None), Some(200));
        }
    }

    #[test]
    fn the_narrower_word_counts() {
        let of = |interval, template_id| Values { interval, template_id, ..Values::default() };
        let rates = announced(&[(of(1, None), None), (of(20, None), Some(7)), (of(30, Some(300)), None)]);
        assert_eq!(interval(&rates, None), Some(20), "its interface");
        assert_eq!(rates.of(300, None, &flow()).map(|rate| rate.interval), Some(30), "its template");
        let mut out = flow();
        out.direction = Some(Direction::Egress);
        assert_eq!(rates.of(256, None, &out).map(|rate| rate.interval), Some(1), "everything");
    }

    #[test]
    fn rates_are_bounded() {
        let mut rates = Rates::default();
        for id in 0..2 * RATES_MAX as u64 {
            rates.announce(&sampler(id, 10).0, None);
        }
        assert_eq!(rates.samplers.len(), RATES_MAX);
    }
}
