//! One session told twice, because two exporters' clocks are apart (`methods.md` §1.6, §1.7).
//!
//! Records of one session are joined where they overlap in time. If the clock of one exporter is off by more than a
//! session's longest silence (local time taken for UTC: 4 h 30 min in Kabul), what both saw becomes two sessions, and
//! "at least" would be twice the truth.
//!
//! An *echo* of a session is another between the same hosts and ports, with the same packets and octets both ways, that
//! begins [`LONGEST_SHIFT_US`] later at most, and that none of the same unsampled observers recorded. It counts as one where
//! at least [`LEAST_ECHOES`] of the echoes between two observers, and half of all, lie within [`SLACK_US`] of one shift,
//! their median. Then the later is left out.
//!
//! Assumes that both observers saw all packets of a session, or it has other counters and counts twice. Wrong where
//! two observers take turns, and hosts repeat the same exchange from the same port after the same time: what they
//! saw apart then counts once, so that the bound from below is lower than it need be, never higher.
//!
//! ```
//! use rahdar_hunt::echo::shift_us;
//!
//! let hour = 3_600_000_000;
//! assert_eq!(shift_us(&[hour, hour + 1_000, hour, 5]), Some(hour));
//! assert_eq!(shift_us(&[hour, 5 * hour, 9 * hour]), None);
//! ```

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::time::{DAY_US, SECOND_US};

use crate::stitch::Session;
use crate::sweep::Contact;

/// The longest shift looked for: no two time zones are farther apart than 26 h, and few exporters than 14.
pub const LONGEST_SHIFT_US: i64 = DAY_US;
/// Sessions that two observers must have told at the same shift. Chosen here: three by chance take a habit.
pub const LEAST_ECHOES: usize = 3;
/// How exactly the shift is kept: clocks drift, and exporters round to seconds.
pub const SLACK_US: i64 = 5 * SECOND_US;

/// Who recorded a session: exporter and observer.
type Observer<'a> = (&'a str, u32);

/// A session and its echo.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    /// The pair of hosts.
    pair: usize,
    /// The later session of it.
    session: usize,
    shift_us: i64,
}

/// The shift that enough of these shifts agree on, if there is one.
pub fn shift_us(shifts: &[i64]) -> Option<i64> {
    let mut sorted = shifts.to_vec();
    sorted.sort_unstable();
    let median = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
    let agreeing = sorted.iter().filter(|shift| (**shift - median).abs() <= SLACK_US).count();
    (agreeing >= LEAST_ECHOES && 2 * agreeing >= sorted.len()).then_some(median)
}

/// The sessions that are told a second time, by their places: the pair of hosts, and the session of it.
pub(crate) fn echoes(pairs: &[(&[Contact], &[Session])]) -> BTreeSet<(usize, usize)> {
    let mut candidates: BTreeMap<(Observer<'_>, Observer<'_>), Vec<Candidate>> = BTreeMap::new();
    for (pair, (contacts, sessions)) in pairs.iter().enumerate() {
        for (session, later) in sessions.iter().enumerate() {
            let Some(second) = sole(contacts, later) else { continue };
            // Sessions of one 5-tuple are neighbours, in the order of time.
            let before = sessions[..session].iter().rev();
            let near = before.take_while(|earlier| {
                is_same_flow(earlier, later) && gap(earlier, later) <= LONGEST_SHIFT_US
            });
            for earlier in near.filter(|earlier| counters(earlier) == counters(later)) {
                match sole(contacts, earlier) {
                    Some(first) if first != second => {
                        let shift_us = gap(earlier, later);
                        candidates.entry((first, second)).or_default().push(Candidate {
                            pair,
                            session,
                            shift_us,
                        });
                    }
                    _ => {}
                }
            }
        }
    }
    let agreed = candidates.into_values().filter_map(|own| {
        let shifts: Vec<i64> = own.iter().map(|candidate| candidate.shift_us).collect();
        let shift = shift_us(&shifts)?;
        Some(own.into_iter().filter(move |one| (one.shift_us - shift).abs() <= SLACK_US))
    });
    agreed.flatten().map(|one| (one.pair, one.session)).collect()
}

/// The only observer of a session, if it did not sample.
fn sole<'a>(contacts: &'a [Contact], session: &Session) -> Option<Observer<'a>> {
    let records = &contacts[session.records.clone()];
    let observer = records.first()?.seen_by();
    records.iter().all(|record| record.seen_by() == observer && !record.is_sampled()).then_some(observer)
}

fn is_same_flow(a: &Session, b: &Session) -> bool {
    let key = |s: &Session| (s.protocol, s.victim_port, s.remote_port);
    key(a) == key(b)
}

fn gap(earlier: &Session, later: &Session) -> i64 {
    later.start.since(earlier.start)
}

/// Packets and octets both ways.
fn counters(session: &Session) -> [u64; 4] {
    let (out, back) = (session.out, session.back);
    [out.packets, out.octets, back.packets, back.octets]
}

#[cfg(test)]
mod tests {
    use rahdar_model::store::{End, Sighting};
    use rahdar_testkit::builder::FlowBuilder;
    use rahdar_testkit::{flow, time};

    use super::*;
    use crate::exporters::{Part, estimate, weigh};
    use crate::stitch::{Habits, stitch};
    use crate::sweep::Party;

    const KABUL_US: i64 = 16_200 * SECOND_US;

    /// What left at least, of these flows to one server.
    fn low(flows: impl IntoIterator<Item = FlowBuilder>) -> f64 {
        let contact =
            |flow: FlowBuilder| Contact::of(&Sighting { end: End::Destination, flow: flow.build() });
        let mut contacts: Vec<Contact> = flows.into_iter().map(contact).collect();
        contacts.sort();
        let sessions = stitch(&contacts, &Habits::of(&contacts), &|_, _| false);
        let weights = weigh(&[(&contacts[..], &sessions[..])]);
        estimate(contacts.iter().zip(&weights).map(|(c, w)| Part::whole(c, w)), Party::Victim, true).low
    }

    /// Session `n`, as told by an exporter whose clock is ahead.
    fn told(exporter: &str, n: u64, ahead_us: i64) -> FlowBuilder {
        let start = time("2021-08-15").plus_micros(n as i64 * 7_000 * SECOND_US + ahead_us);
        flow(&format!("203.0.113.25:{} > 192.0.2.9:443", 50_000 + n))
            .at_time(start)
            .exporter(exporter)
            .sent(10 + n, 9_000 + n)
    }

    #[test]
    fn what_two_clocks_tell_of_one_session_counts_once() {
        let both = (0..4).flat_map(|n| [told("a", n, 0), told("b", n, KABUL_US)]);
        assert_eq!(low(both), 36_006.0);
        let drifting = (0..4).flat_map(|n| [told("a", n, 0), told("b", n, KABUL_US + n as i64 * SECOND_US)]);
        assert_eq!(low(drifting), 36_006.0);
    }

    #[test]
    fn sessions_that_only_look_alike_count_each() {
        // Two are no shift; nor are counters that differ, or one exporter that saw both.
        assert_eq!(low((0..2).flat_map(|n| [told("a", n, 0), told("b", n, KABUL_US)])), 36_002.0);
        let other = (0..4).flat_map(|n| [told("a", n, 0), told("b", n, KABUL_US).sent(10 + n, 8_000)]);
        assert_eq!(low(other), 36_006.0 + 32_000.0);
        let same = (0..4).flat_map(|n| [told("a", n, 0), told("a", n, KABUL_US)]);
        assert_eq!(low(same), 72_012.0);
    }
}
