//! Data sets that cannot be read yet: their template, or the rate they were sampled at, has
//! not come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::flow::Origin;
use super::read::READ_BEHIND;
use super::saved::{Damaged, Reader, Writer};
use super::template::Plan;

/// Octets of waiting sets that are kept of one observation domain, with what each takes beside its octets.
/// Holds ten minutes of some 500 flows a second, as long as flows wait for a word about sampling
/// (methods.md §1.7). Their number needs no limit of its own, as each counts for more than its octets.
pub(super) const WAITING_OCTETS_MAX: usize = 16 << 20;

/// What a waiting set takes beside its octets.
const SET_OVERHEAD: usize = size_of::<WaitingSet>() + 64;

/// A data set that waits.
#[derive(Debug)]
pub(super) struct WaitingSet {
    pub(super) template: u16,
    /// Its template, if it only waits for a rate. It stays the one that was in force when the
    /// set came, whatever the exporter announces meanwhile.
    pub(super) plan: Option<Arc<Plan>>,
    pub(super) origin: Origin,
    /// The set without its header, and what is read behind it.
    pub(super) body: Box<[u8]>,
    /// Whether it is the last set of its message that waits for a template: it stands for the
    /// message in the exporter's account.
    pub(super) is_last_of_message: bool,
}

impl WaitingSet {
    /// Writes all of it.
    pub(super) fn save(&self, to: &mut Writer) {
        to.u16(self.template);
        to.option(self.plan.as_ref(), |to, plan| plan.save(to));
        self.origin.save(to);
        to.octets(&self.body);
        to.u8(u8::from(self.is_last_of_message));
    }

    /// Reads what [`WaitingSet::save`] wrote.
    pub(super) fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let set = Self {
            template: from.u16()?,
            plan: from.option(|from| Plan::restore(from).map(Arc::new))?,
            origin: Origin::restore(from)?,
            body: from.octets()?.into(),
            is_last_of_message: from.u8()? == 1,
        };
        if set.body.len() < READ_BEHIND { Err(Damaged) } else { Ok(set) }
    }
}

/// The waiting sets of one observation domain, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    sets: BTreeMap<u64, WaitingSet>,
    /// Those without a template, by template.
    untold: BTreeSet<(u16, u64)>,
    octets: usize,
    next: u64,
}

impl Waiting {
    /// Keeps a set.
    pub(super) fn push(&mut self, set: WaitingSet) {
        self.octets += cost(&set);
        if set.plan.is_none() {
            self.untold.insert((set.template, self.next));
        }
        self.sets.insert(self.next, set);
        self.next += 1;
    }

    /// The number of the next set.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Of the sets from number `first` on, marks the last one that waits for a template; says
    /// whether there is one.
    pub(super) fn mark_last_since(&mut self, first: u64) -> bool {
        let last = self.sets.range_mut(first..).rev().find(|(_, set)| set.plan.is_none());
        last.map(|(_, set)| set.is_last_of_message = true).is_some()
    }

    /// Every set, in the order in which they came.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &WaitingSet> {
        self.sets.values()
    }

    /// The octets that all of it takes.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// Takes out the set that waits longest, if there are more octets than may be kept.
    pub(super) fn pop_excess(&mut self) -> Option<WaitingSet> {
        if self.octets <= WAITING_OCTETS_MAX {
            return None;
        }
        self.pop_first()
    }

    /// Takes out the set that waits longest.
    pub(super) fn pop_first(&mut self) -> Option<WaitingSet> {
        let number = *self.sets.first_key_value()?.0;
        self.take(number)
    }

    /// Takes out the sets that wait for this template.
    pub(super) fn take_untold(&mut self, template: u16) -> Vec<WaitingSet> {
        let range = (template, 0)..=(template, u64::MAX);
        let numbers: Vec<u64> = self.untold.range(range).map(|(_, number)| *number).collect();
        numbers.into_iter().filter_map(|number| self.take(number)).collect()
    }

    /// Takes out the sets that wait only for a rate.
    pub(super) fn take_told(&mut self) -> Vec<WaitingSet> {
        let told = self.sets.iter().filter(|(_, set)| set.plan.is_some());
        let numbers: Vec<u64> = told.map(|(number, _)| *number).collect();
        numbers.into_iter().filter_map(|number| self.take(number)).collect()
    }

    /// For every template that is waited for: the first set, and how many there are.
    pub(super) fn untold(&self) -> Vec<(&WaitingSet, u64)> {
        let mut missing: Vec<(&WaitingSet, u64)> = Vec::new();
        for (template, number) in &self.untold {
            match missing.last_mut().filter(|(set, _)| set.template == *template) {
                Some((_, count)) => *count += 1,
                None => missing.extend(self.sets.get(number).map(|set| (set, 1))),
            }
        }
        missing
    }

    fn take(&mut self, number: u64) -> Option<WaitingSet> {
        let set = self.sets.remove(&number)?;
        self.octets -= cost(&set);
        self.untold.remove(&(set.template, number));
        Some(set)
    }
}

fn cost(set: &WaitingSet) -> usize {
    set.body.len() + SET_OVERHEAD
}
