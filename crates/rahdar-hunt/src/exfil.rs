//! How many octets belong to which cluster, and to which day (`methods.md` §5).
//!
//! Only sessions of believed leads count. A session with an address that several believed
//! clusters claim for that time is *shared*: of cluster k
//!
//! * low is the lower bound of its exclusive sessions alone,
//! * high is the upper bound of exclusive and shared sessions together,
//! * point gives k the part r of each shared session, r ∝ the number of days within
//!   [`NEAR_DAYS`] on which k had exclusive sessions with the victim; equal parts where nobody
//!   had any.
//!
//! Parts are cut in whole octets: the points of the clusters add up to the victim's total, and no
//! octet is counted twice. Clusters believed less (`possible`) take no part of a session that a
//! cluster believed more (`likely`, `confirmed`) claims.
//!
//! A record that lasts over midnight is cut in proportion to time; the bounds of a day count it
//! not at all below, and whole above. A record that spans more than [`MOST_DAYS`] days belongs
//! to the day of its start.
//!
//! Octets are those of IP: headers, acknowledgements and retransmissions included. They are
//! traffic to an address, never "data stolen".
//!
//! ```
//! use rahdar_hunt::exfil::days;
//! use rahdar_model::Timestamp;
//!
//! // Three hours before midnight, one after: three quarters and one.
//! let hour = |n: i64| Timestamp::from_seconds(n * 3_600);
//! let cuts: Vec<u64> = days(hour(21), hour(25)).map(|(_, cut)| cut.of(1_000)).collect();
//! assert_eq!(cuts, [750, 250]);
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rahdar_model::finding::Daily;
use rahdar_model::{Day, Timestamp};

use crate::exporters::{Cut, Part, estimate};
use crate::sweep::Party;

/// Exclusive sessions this near in time speak for a cluster's part in a shared one.
pub const NEAR_DAYS: i32 = 30;
/// A record that spans more days than this has a doubtful clock, and many hostile ones would cost
/// memory. A month; a guess.
pub const MOST_DAYS: i32 = 31;

/// The days of a record from `start` to `end`, each with its cut.
pub fn days(start: Timestamp, end: Timestamp) -> impl Iterator<Item = (Day, Cut)> {
    let (first, last) = (start.day(), end.day());
    let whole = u64::try_from(end.since(start)).unwrap_or(0);
    let is_cut = last > first && last.0.saturating_sub(first.0) <= MOST_DAYS;
    let last = if is_cut { last } else { first };
    (first.0..=last.0).map(Day).map(move |day| {
        if !is_cut {
            return (day, Cut::ALL);
        }
        let mark = |time: Timestamp| u64::try_from(time.max(start).min(end).since(start)).unwrap_or(0);
        (day, Cut { from: mark(day.start()), to: mark(Day(day.0 + 1).start()), whole })
    })
}

/// The series of these parts, with the records of each day. `is_covered` says whether exporters
/// saw all of a day.
pub(crate) fn daily<'a>(
    parts: impl IntoIterator<Item = Part<'a>>,
    is_covered: &dyn Fn(Day) -> bool,
) -> Vec<Daily> {
    let mut by_day: BTreeMap<Day, (Vec<Part<'a>>, u64)> = BTreeMap::new();
    for part in parts {
        let contact = part.contact();
        for (day, cut) in days(contact.start, contact.end) {
            let (parts, flows) = by_day.entry(day).or_default();
            parts.push(part.of_day(cut));
            *flows += u64::from(day == contact.start.day());
        }
    }
    let one = |(day, (parts, flows)): (Day, (Vec<Part<'a>>, u64))| {
        let sent_by = |party| estimate(parts.iter().copied(), party, is_covered(day));
        Daily { day, octets_out: sent_by(Party::Victim), octets_in: sent_by(Party::Remote), flows }
    };
    by_day.into_iter().map(one).collect()
}

/// One believed cluster's claim on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stake {
    /// Any number that is the cluster's and the victim's own.
    pub(crate) case: usize,
    /// The session, by pair and place.
    pub(crate) session: (usize, usize),
    /// When it began.
    pub(crate) day: Day,
    /// Whether the cluster is believed to be likely or better.
    pub(crate) is_firm: bool,
}

/// Which part of each session belongs to which cluster.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    /// The cuts of contested sessions, by session and case.
    cuts: HashMap<((usize, usize), usize), Cut>,
    /// The days of the uncontested sessions of each case.
    exclusive: HashMap<usize, BTreeSet<Day>>,
}

impl Shares {
    pub(crate) fn of(stakes: &[Stake]) -> Self {
        let mut sessions: BTreeMap<(usize, usize), Vec<Stake>> = BTreeMap::new();
        for stake in stakes {
            sessions.entry(stake.session).or_default().push(*stake);
        }
        let mut shares = Self::default();
        for stakes in sessions.values_mut() {
            let has_firm = stakes.iter().any(|stake| stake.is_firm);
            let mut heirs = stakes.iter().filter(|stake| stake.is_firm == has_firm);
            if let (Some(heir), None) = (heirs.next(), heirs.next()) {
                shares.exclusive.entry(heir.case).or_default().insert(heir.day);
            }
            for loser in stakes.iter().filter(|stake| stake.is_firm != has_firm) {
                let nothing = Cut { from: 0, to: 0, whole: 1 };
                shares.cuts.insert((loser.session, loser.case), nothing);
            }
            stakes.retain(|stake| stake.is_firm == has_firm);
        }
        for heirs in sessions.values().filter(|heirs| heirs.len() > 1) {
            shares.cut(heirs);
        }
        shares
    }

    /// Cuts a session among several heirs, in their order.
    fn cut(&mut self, heirs: &[Stake]) {
        let mut weights: Vec<u64> = heirs.iter().map(|heir| self.days_near(heir)).collect();
        if weights.iter().all(|weight| *weight == 0) {
            weights.fill(1);
        }
        let whole = weights.iter().sum();
        let mut from = 0;
        for (heir, weight) in heirs.iter().zip(weights) {
            self.cuts.insert((heir.session, heir.case), Cut { from, to: from + weight, whole });
            from += weight;
        }
    }

    fn days_near(&self, heir: &Stake) -> u64 {
        let near = Day(heir.day.0.saturating_sub(NEAR_DAYS))..=Day(heir.day.0.saturating_add(NEAR_DAYS));
        self.exclusive.get(&heir.case).map_or(0, |days| days.range(near).count() as u64)
    }

    /// The part of a contested session that is this case's; none if nobody contests it.
    pub(crate) fn part(&self, case: usize, session: (usize, usize)) -> Option<Cut> {
        self.cuts.get(&(session, case)).copied()
    }

    /// Whether a case has a session that nobody contests.
    pub(crate) fn has_exclusive(&self, case: usize) -> bool {
        self.exclusive.contains_key(&case)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn stake(case: usize, session: usize, day: i32, is_firm: bool) -> Stake {
        Stake { case, session: (0, session), day: Day(day), is_firm }
    }

    fn check(stakes: &[Stake], session: usize, expected: &[Option<u64>]) {
        let shares = Shares::of(stakes);
        let parts: Vec<Option<u64>> = (0..expected.len())
            .map(|case| shares.part(case, (0, session)).map(|cut| cut.of(1_000)))
            .collect();
        assert_eq!(parts, expected);
    }

    #[test]
    fn a_session_that_nobody_contests_is_whole() {
        check(&[stake(0, 0, 1, true)], 0, &[None]);
    }

    #[test]
    fn a_shared_session_goes_by_the_exclusive_days_nearby() {
        let near = [stake(0, 1, 1, true), stake(0, 2, 2, true), stake(0, 3, 3, true), stake(1, 4, 1, true)];
        let shared = [stake(0, 0, 1, true), stake(1, 0, 1, true)];
        check(&[&near[..], &shared].concat(), 0, &[Some(750), Some(250)]);
        let far = [stake(0, 0, 100, true), stake(1, 0, 100, true)];
        check(&[&near[..], &far].concat(), 0, &[Some(500), Some(500)]);
    }

    #[test]
    fn who_is_believed_less_takes_nothing_from_who_is_believed_more() {
        check(&[stake(0, 0, 1, true), stake(1, 0, 1, false)], 0, &[None, Some(0)]);
        check(&[stake(0, 0, 1, false), stake(1, 0, 1, false)], 0, &[Some(500), Some(500)]);
    }

    #[test]
    fn a_record_of_absurd_length_belongs_to_its_first_day() {
        let end = Day(400_000).start();
        assert_eq!(days(Day(1).start(), end).collect::<Vec<_>>(), [(Day(1), Cut::ALL)]);
    }

    proptest! {
        /// Of every session, what belongs to the clusters that claim it adds up to it, octet for octet.
        #[test]
        fn no_octet_is_lost_or_counted_twice(
            claims in vec((0_usize..4, 0_usize..6, any::<bool>()), 1..20),
            octets in any::<u64>(),
        ) {
            let mut stakes: Vec<Stake> = Vec::new();
            for (case, session, is_firm) in claims {
                let is_new = |one: &Stake| (one.case, one.session) != (case, (0, session));
                if stakes.iter().all(is_new) {
                    stakes.push(stake(case, session, session as i32 * 20, is_firm));
                }
            }
            let shares = Shares::of(&stakes);
            let sessions: BTreeSet<(usize, usize)> = stakes.iter().map(|one| one.session).collect();
            for session in sessions {
                let own = stakes.iter().filter(|one| one.session == session);
                let parts = own.map(|one| shares.part(one.case, session).map_or(octets, |cut| cut.of(octets)));
                let sum: u128 = parts.map(u128::from).sum();
                prop_assert_eq!(sum, u128::from(octets));
            }
        }

        /// The same of the days of a record.
        #[test]
        fn days_of_a_record_add_up(start in 0_i64..200_000, lasts in 0_i64..2_000_000, octets in any::<u64>()) {
            let (start, end) = (Timestamp::from_seconds(start), Timestamp::from_seconds(start + lasts));
            let sum: u128 = days(start, end).map(|(_, cut)| u128::from(cut.of(octets))).sum();
            prop_assert_eq!(sum, u128::from(octets));
        }
    }
}
