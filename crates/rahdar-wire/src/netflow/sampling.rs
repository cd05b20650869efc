//! How an exporter says that it samples, and which rate a record was sampled at.
//!
//! A rate comes with the record, or in an options record for a sampler, a template, an
//! interface or everything. Source: RFC 3954 §8 (34, 35, 48 to 50), RFC 5477 §8.2 (302 to
//! 311), RFC 7014 §7 (390, 396 to 399), methods.md §1.7; shapes as in nfdump #101 and #410, akvorado #89.
//!
//! Only what was chosen by chance or by counting stands for others. Filters, hashes, slots of time and choices by
//! the state of a flow (algorithms 2 and 5 to 9) take what they take: nobody can say how much is
//! behind a record, so that it counts for itself.

use std::collections::HashMap;
use std::hash::Hash;

use rahdar_model::flow::{Direction, FlowRecord, Sampler};

use super::read::Values;
use super::saved::{Damaged, Reader, Writer};

/// Rates that are kept of one observation domain. A large router has some hundred interfaces;
/// what comes on top is not kept, and its records are marked as of unknown rate.
const RATES_MAX: usize = 4_096;

/// The largest interval that the flow table holds.
const INTERVAL_MAX: u64 = i32::MAX as u64;

/// How much is less than a rounded number: (1,000.5 − 1,000) / 1,000. Chosen here: a float of four octets
/// is off by less, and no bound is as narrow.
const ROUNDED: f64 = 5e-4;

/// What one chosen packet, or flow, stands for, and how it was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// Packets per sampled packet, or flows per sampled flow; 1 is unsampled. None was not chosen by chance: it
    /// stands for itself alone.
    pub(super) interval: Option<u32>,
    /// Whether more than that may stand behind it, for the interval is no whole number.
    pub(super) has_more: bool,
    pub(super) sampler: Option<Sampler>,
}

/// How packets or flows are chosen, by the numbers that 304 and 390 share (IANA, "PSAMP Parameters";
/// RFC 7014 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Untold,
    ByCount,
    ByTime,
    ByChance,
    /// Filters, hashes, the state of a flow.
    ByContent,
    /// Told by a number that means nothing here.
    Other,
}

impl Algorithm {
    fn of(number: u64) -> Self {
        match number {
            0 => Self::Untold,
            1 => Self::ByCount,
            2 => Self::ByTime,
            3 | 4 => Self::ByChance,
            5..=9 => Self::ByContent,
            _ => Self::Other,
        }
    }
}

impl Rate {
    /// What is not chosen by chance.
    const OF_ITSELF: Self = Self { interval: None, has_more: false, sampler: Some(Sampler::Unknown) };

    /// One packet of a whole number.
    pub(super) fn one_in(interval: u32, sampler: Option<Sampler>) -> Self {
        Self { interval: Some(interval), has_more: false, sampler }
    }

    /// The rate that a record tells. None if it tells none: an interval of 0 says nothing.
    pub(super) fn of(values: &Values) -> Option<Self> {
        let of_flows = Algorithm::of(values.flow_algorithm);
        if of_flows != Algorithm::Untold || values.flows_taken != 0 || values.flow_slot != 0 {
            return Self::of_flows(of_flows, values);
        }
        let algorithm = Algorithm::of(values.selector_algorithm);
        if algorithm == Algorithm::ByContent {
            return Some(Self::OF_ITSELF);
        }
        let sampler = match (algorithm, values.sampling_mode) {
            (Algorithm::ByCount | Algorithm::ByTime, _) | (Algorithm::Untold, 1) => Some(Sampler::Systematic),
            (Algorithm::ByChance, _) | (Algorithm::Untold, 2) => Some(Sampler::Random),
            (Algorithm::Untold, 0) => None,
            _ => Some(Sampler::Unknown),
        };
        let rate = Self::counted(values, (values.taken, values.left_out), sampler);
        // Packets of one slot of time are neighbours, which no bound allows for.
        rate.or((values.slot != 0).then_some(Self::OF_ITSELF))
    }

    /// The rate of a choice of whole flows (RFC 7014).
    fn of_flows(algorithm: Algorithm, values: &Values) -> Option<Self> {
        if matches!(algorithm, Algorithm::ByTime | Algorithm::ByContent) {
            return Some(Self::OF_ITSELF);
        }
        let flows = (values.flows_taken, values.flows_left_out);
        let cycle = if flows.0 != 0 { flows } else { (values.taken, values.left_out) };
        let rate = Self::counted(values, cycle, Some(Sampler::Flow));
        rate.or((values.flow_slot != 0).then_some(Self::OF_ITSELF))
    }

    /// By an interval, by (taken, left out), by a sample of a population, or by a probability. 1
    /// taken and 9,999 left out is one of 10,000.
    ///
    /// What is no whole number is rounded down, so that nothing counts for more than it stands for.
    fn counted(values: &Values, cycle: (u64, u64), sampler: Option<Sampler>) -> Option<Self> {
        let (whole, part) = if values.interval != 0 {
            (values.interval as f64, 1.0)
        } else if cycle.0 != 0 {
            (cycle.0 as f64 + cycle.1 as f64, cycle.0 as f64)
        } else if values.sample != 0 {
            (values.population as f64, values.sample as f64)
        } else {
            (1.0, values.probability)
        };
        let ratio = whole / part;
        let interval =
            if (ratio - ratio.round()).abs() <= ROUNDED * ratio { ratio.round() } else { ratio.floor() };
        // What is nearly all is not all.
        let has_more = (ratio - interval).abs() > ROUNDED * ratio || (interval == 1.0 && ratio > 1.0);
        let is_possible = (1.0..=INTERVAL_MAX as f64).contains(&interval);
        is_possible.then_some(Self { interval: Some(interval as u32), has_more, sampler })
    }

    fn scale(self) -> Scale {
        (self.interval, self.has_more, self.sampler == Some(Sampler::Flow))
    }

    fn save(to: &mut Writer, rate: Self) {
        to.option(rate.interval, Writer::u32);
        to.u8(u8::from(rate.has_more));
        to.option(rate.sampler, |to, sampler| to.u8(sampler.code()));
    }

    fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let interval = from.option(Reader::u32)?;
        let has_more = from.u8()? == 1;
        let sampler = from.option(|from| Sampler::from_code(from.u8()?).ok_or(Damaged))?;
        Ok(Self { interval, has_more, sampler })
    }
}

/// How a rate scales: its interval, whether it has more than that, whether whole flows were sampled.
type Scale = (Option<u32>, bool, bool);

/// How many samplers have which rate, so that one look tells whether all agree.
#[derive(Debug)]
pub(crate) struct Agreement<R>(HashMap<R, usize>);

impl<R> Default for Agreement<R> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<R: Eq + Hash> Agreement<R> {
    /// A sampler has this rate; `before` is the one that it had.
    pub(crate) fn set(&mut self, before: Option<R>, now: R) {
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
    scales: Agreement<Scale>,
    /// The rate of all samplers, as long as they scale alike.
    agreed: Option<Rate>,
}

impl Rates {
    /// Takes in an options record. Returns whether it told a rate.
    pub(super) fn announce(&mut self, values: &Values, interface: Option<u32>) -> bool {
        let Some(rate) = Rate::of(values) else { return false };
        let room = self.samplers.len() + self.templates.len() + self.interfaces.len() < RATES_MAX;
        if let Some(id) = values.sampler_id {
            if room || self.samplers.contains_key(&id) {
                let before = self.samplers.insert(id, rate).map(Rate::scale);
                self.scales.set(before, rate.scale());
                self.agreed = self.scales.agree().then_some(rate);
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
        let mut scales = Agreement::default();
        samplers.values().for_each(|rate| scales.set(None, rate.scale()));
        Ok(Self {
            whole,
            samplers,
            scales,
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
        assert_eq!(Rate::of(&values).and_then(|rate| rate.interval), interval);
    }

    #[test]
    fn every_way_to_tell_a_rate_is_understood() {
        let none = Values::default();
        check(Values { interval: 512, ..none }, Some(512));
        check(Values { taken: 1, left_out: 9_999, ..none }, Some(10_000));
        check(Values { taken: 1, left_out: 0, ..none }, Some(1));
        check(Values { taken: 2, left_out: 6, ..none }, Some(4));
        check(Values { sample: 10, population: 1_000, ..none }, Some(100));
        check(Values { probability: 0.01, ..none }, Some(100));
        check(Values { probability: f64::from(0.001_f32), ..none }, Some(1_000));
        check(Values { probability: 1.0, ..none }, Some(1));
    }

    #[test]
    fn what_is_no_whole_number_is_rounded_down_and_open_above() {
        let of = |values| Rate::of(&values).map(|rate| (rate.interval, rate.has_more));
        let none = Values::default();
        assert_eq!(of(Values { taken: 2, left_out: 1, ..none }), Some((Some(1), true)));
        assert_eq!(of(Values { sample: 3, population: 11, ..none }), Some((Some(3), true)));
        assert_eq!(of(Values { probability: 0.3, ..none }), Some((Some(3), true)));
        assert_eq!(of(Values { sample: 3, population: 12, ..none }), Some((Some(4), false)));
        assert_eq!(of(Values { sample: 9_999, population: 10_000, ..none }), Some((Some(1), true)));
    }

    #[test]
    fn whole_flows_are_told_apart_from_packets() {
        let of = |values| Rate::of(&values).map(|rate| (rate.interval, rate.sampler));
        let none = Values::default();
        let flows = |interval| Some((Some(interval), Some(Sampler::Flow)));
        assert_eq!(of(Values { flow_algorithm: 1, flows_taken: 1, flows_left_out: 99, ..none }), flows(100));
        assert_eq!(of(Values { flows_taken: 2, flows_left_out: 6, ..none }), flows(4));
        assert_eq!(of(Values { flow_algorithm: 3, sample: 1, population: 50, ..none }), flows(50));
        assert_eq!(of(Values { flow_algorithm: 4, probability: 0.05, ..none }), flows(20));
        assert_eq!(of(Values { flow_algorithm: 1, interval: 10, ..none }), flows(10));
        assert_eq!(of(Values { flow_algorithm: 1, ..none }), None, "a choice without its numbers");
    }

    #[test]
    fn what_is_not_chosen_by_chance_stands_for_itself() {
        let of = |values| Rate::of(&values).map(|rate| (rate.interval, rate.sampler));
        let none = Values::default();
        let itself = Some((None, Some(Sampler::Unknown)));
        for number in 5..=9 {
            assert_eq!(of(Values { selector_algorithm: number, interval: 100, ..none }), itself);
            assert_eq!(
                of(Values { flow_algorithm: number, flows_taken: 1, flows_left_out: 9, ..none }),
                itself
            );
        }
        assert_eq!(of(Values { selector_algorithm: 2, slot: 1_000, ..none }), itself);
        assert_eq!(of(Values { flow_algorithm: 2, flow_slot: 1_000, ..none }), itself);
        assert_eq!(
            of(Values { selector_algorithm: 2, interval: 100, ..none }).and_then(|rate| rate.0),
            Some(100)
        );
    }

    #[test]
    fn what_tells_no_rate_is_none() {
        let none = Values::default();
        check(none, None);
        check(Values { left_out: 9, ..none }, None);
        check(Values { sample: 9, population: 0, ..none }, None);
        check(Values { interval: u64::MAX, ..none }, None);
        check(Values { probability: 1.5, ..none }, None);
        check(Values { probability: f64::NAN, ..none }, None);
        check(Values { probability: -0.1, ..none }, None);
        check(Values { taken: u64::MAX, left_out: u64::MAX, ..none }, Some(2));
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
        rates.of(256, sampler, &flow()).and_then(|rate| rate.interval)
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
    fn samplers_of_packets_and_of_flows_do_not_agree() {
        let (flows, _) = sampler(2, 0);
        let flows = Values { flow_algorithm: 1, flows_taken: 1, flows_left_out: 99, ..flows };
        let rates = announced(&[sampler(1, 100), (flows, None)]);
        assert_eq!(interval(&rates, Some(2)), Some(100));
        assert_eq!(interval(&rates, None), None);
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
        assert_eq!(rates.of(300, None, &flow()).and_then(|rate| rate.interval), Some(30), "its template");
        let mut out = flow();
        out.direction = Some(Direction::Egress);
        assert_eq!(rates.of(256, None, &out).and_then(|rate| rate.interval), Some(1), "everything");
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
