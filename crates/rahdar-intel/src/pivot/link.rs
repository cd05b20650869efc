//! What two nodes share, and what that weighs (`methods.md` §7.3).
//!
//! Each shared value weighs its decibans ([`super::rarity`]) times the overlap in time, times the reliability of the
//! weaker source. Of each group the strongest counts, groups add up. Between many nodes it is the mean over all pairs,
//! group by group. Evidence of one group that carries stays below a link, however strong; without any it is none.
//!
//! Overlap is |windows ∩| / the shorter window. What a scanner saw bounds what there was, so windows that miss each
//! other by less than thirty days still count, for half at most, falling to nothing (the specification says only
//! "0 if disjoint > 30 d"; the half is chosen here).
//!
//! Assumes that the groups that carry are independent given two operators. Wrong where a hoster clones images that hold
//! a key and a certificate; so [`super::linkage`] asks what is left without each trait.

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::time::DAY_US;
use rahdar_model::{Timestamp, Window};

use super::rarity::{Carried, World};
use super::traits::{Group, Kind};

/// Decibans of a link (`methods.md` §7.3, rule a).
pub(crate) const LINK_DB: f64 = 15.0;
/// Decibans of one group at most. Chosen here: just below a link, since that takes two.
pub(crate) const ONE_GROUP_DB: f64 = 14.0;
/// Decibans from which a group counts as one of two. Chosen here: twice as likely.
pub(crate) const GROUP_DB: f64 = 3.0;
/// A gap between windows from which on nothing is shared (`methods.md` §7.3).
const GAP_US: i64 = 30 * DAY_US;
/// Weight of windows that touch. Chosen here.
const TOUCHING: f64 = 0.5;
/// How far apart two neighbours appeared (`methods.md` §7.3: "registered ≤ 7 d apart").
const APPEARED_US: i64 = 7 * DAY_US;

/// What two nodes share.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Link {
    /// In the order of values.
    pub shared: Vec<Shared>,
}

/// A value that two nodes share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shared {
    /// Its number in the world.
    pub value: u32,
    /// What kind of trait.
    pub kind: Kind,
    /// What it weighs between these two.
    pub db: f64,
    /// From when to when either had it.
    pub seen: Window,
}

impl Link {
    /// What these two share. The same for both orders.
    pub fn between(world: &World, a: u32, b: u32) -> Self {
        let (mut left, mut right) = (&world.known(a).carried[..], &world.known(b).carried[..]);
        let mut shared = Vec::new();
        while let ([one, left_rest @ ..], [other, right_rest @ ..]) = (left, right) {
            match one.value.cmp(&other.value) {
                std::cmp::Ordering::Less => left = left_rest,
                std::cmp::Ordering::Greater => right = right_rest,
                std::cmp::Ordering::Equal => {
                    shared.extend(weighed(world, one, other));
                    (left, right) = (left_rest, right_rest);
                }
            }
        }
        Self { shared }
    }

    /// Its weight in decibans.
    pub fn db(&self) -> f64 {
        self.weight(None).db()
    }

    /// Its weight by groups, with or without a value.
    pub(super) fn weight(&self, without: Option<u32>) -> Weight {
        let mut weight = Weight::default();
        for shared in self.shared.iter().filter(|shared| Some(shared.value) != without) {
            let db = weight.groups.entry(shared.kind.group()).or_default();
            *db = db.max(shared.db);
        }
        if weight.carries() { weight } else { Weight::default() }
    }
}

/// Decibans by groups, of one pair or of many.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Weight {
    groups: BTreeMap<Group, f64>,
}

impl Weight {
    /// The sum of weights.
    pub(super) fn sum(weights: impl Iterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        weights.for_each(|weight| sum.add(&weight));
        sum
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (group, db) in &other.groups {
            *self.groups.entry(*group).or_default() += db;
        }
    }

    /// The mean of a sum over so many pairs.
    pub(super) fn mean(&self, pairs: usize) -> Self {
        Self { groups: self.groups.iter().map(|(group, db)| (*group, db / pairs as f64)).collect() }
    }

    /// What it is worth: below a link unless two groups carry it.
    pub(super) fn db(&self) -> f64 {
        let carrying = self.groups.iter().filter(|(group, db)| group.carries() && **db >= GROUP_DB).count();
        self.total().min(if carrying > 1 { f64::MAX } else { ONE_GROUP_DB })
    }

    /// All of it, whatever carries it.
    pub(super) fn total(&self) -> f64 {
        self.groups.values().sum()
    }

    /// The groups in it.
    pub(super) fn groups(&self) -> BTreeSet<Group> {
        self.groups.keys().copied().collect()
    }

    fn carries(&self) -> bool {
        self.groups.keys().any(|group| group.carries())
    }
}

fn weighed(world: &World, one: &Carried, other: &Carried) -> Option<Shared> {
    let kind = world.kind(one.value);
    let time = match kind {
        Kind::Neighbourhood => {
            f64::from(one.seen.from.since(other.seen.from).saturating_abs() <= APPEARED_US)
        }
        _ => overlap(one.seen, other.seen),
    };
    let db = world.db(one.value)? * time * one.reliability.min(other.reliability);
    let seen = Window::new(one.seen.from.min(other.seen.from), one.seen.until.max(other.seen.until));
    (db > 0.0).then_some(Shared { value: one.value, kind, db, seen })
}

/// How far two windows speak of the same time, 0–1.
pub fn overlap(a: Window, b: Window) -> f64 {
    let length = |window: Window| span(window.from, window.until);
    let common = span(a.from.max(b.from), a.until.min(b.until));
    let shorter = length(a).min(length(b));
    let share = if shorter > 0.0 { (common / shorter).clamp(0.0, 1.0) } else { 0.0 };
    let gap = (-common).max(0.0);
    share.max(TOUCHING * (1.0 - gap / GAP_US as f64)).max(0.0)
}

/// Microseconds from one time to another, however far apart.
fn span(from: Timestamp, until: Timestamp) -> f64 {
    (i128::from(until.micros()) - i128::from(from.micros())) as f64
}
