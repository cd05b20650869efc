//! When exporters end their records: active and idle timeouts, told by the records themselves
//! (`methods.md` §1.4).
//!
//! * **Active timeout.** T is the active timeout of an exporter if, of its records longer than
//!   [`LONG_US`], more than [`SHARE_AT`] and at least [`LEAST_AT`] last T ± [`NEAR_US`], and fewer than
//!   [`SHARE_BEYOND`] last longer than T + 2 s. A record was *cut*, so that its conversation went on, if its exporter says
//!   so (element 136 is 2), or says nothing and the record lasted [`CUT_SHARE`] of T or longer.
//! * **Idle timeout.** At least the longest silence that must be inside one of its records:
//!   (last − first) / (packets − 1) at most, over its records without TCP of which every packet was
//!   counted. The gaps between records tell it from above alone: a host that calls every five minutes leaves
//!   gaps of five minutes at any exporter.
//!
//! Assumes one configuration per exporter. Wrong where conversations of one length are the longest:
//! they are taken for cut, so that what follows their end more than four minutes later is joined to them.
//!
//! ```
//! use rahdar_hunt::sweep::Contact;
//! use rahdar_hunt::timeouts::Timeouts;
//! use rahdar_model::store::{End, Sighting};
//! use rahdar_testkit::flow;
//!
//! // Durations in seconds: an active timeout of 60 s, and one datagram after 14 s of silence.
//! let contacts = [7, 19, 33, 60, 60, 60, 61, 60].map(|seconds| {
//!     let flow = flow("203.0.113.25:50000 > 192.0.2.9:443").udp().lasting_s(seconds).sent(100, 9_000);
//!     Contact::of(&Sighting { end: End::Destination, flow: flow.build() })
//! });
//! let pause = flow("203.0.113.25:50000 > 192.0.2.9:443").udp().lasting_s(14).sent(2, 200).build();
//! let pause = Contact::of(&Sighting { end: End::Destination, flow: pause });
//! let timeouts = Timeouts::of(contacts.iter().chain([&pause]));
//! assert_eq!(timeouts.active_us("r1"), Some(60_000_000));
//! assert_eq!(timeouts.idle_us("r1"), 14_000_000);
//! assert!(timeouts.is_cut(&contacts[4]) && !timeouts.is_cut(&contacts[2]));
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use rahdar_model::flow::protocol;
use rahdar_model::time::SECOND_US;

use crate::sweep::{Contact, Rate};

/// Shorter records tell nothing of an active timeout (`methods.md` §1.4).
pub const LONG_US: i64 = 5 * SECOND_US;
/// How near to the timeout a record is cut (`methods.md` §1.4).
pub const NEAR_US: i64 = SECOND_US;
/// The share of long records that are cut (`methods.md` §1.4).
pub const SHARE_AT: f64 = 0.01;
/// The share of long records that may last longer (`methods.md` §1.4).
pub const SHARE_BEYOND: f64 = 1e-4;
/// Records that it takes to tell. Chosen here: of fewer long ones, one per cent is less than one.
pub const LEAST_AT: usize = 5;
/// The share of the timeout from which on a record was cut: exporters look at their caches now and then
/// (`methods.md` §1.4).
pub const CUT_SHARE: f64 = 0.9;

/// Element 136 of a record that ended because it was too old, though packets still came (IANA, IPFIX).
pub(crate) const ACTIVE: u8 = 2;

/// The timeouts of exporters, by name.
#[derive(Debug, Default)]
pub struct Timeouts {
    exporters: HashMap<Arc<str>, Habits>,
}

/// What the records of one exporter tell.
#[derive(Debug, Default)]
struct Habits {
    /// How long its long records lasted.
    lasted_us: Vec<i64>,
    active_us: Option<i64>,
    idle_us: i64,
}

impl Timeouts {
    /// What these contacts tell, in any order.
    pub fn of<'a>(contacts: impl IntoIterator<Item = &'a Contact>) -> Self {
        let mut exporters: HashMap<Arc<str>, Habits> = HashMap::new();
        for contact in contacts.into_iter().filter(|c| !c.clock_suspect && !c.by_arrival) {
            let lasted_us = contact.end.since(contact.start);
            let inner_us = longest_silence_us(contact, lasted_us);
            if lasted_us <= LONG_US && inner_us == 0 {
                continue;
            }
            let habits = match exporters.get_mut(&contact.exporter) {
                Some(habits) => habits,
                None => exporters.entry(contact.exporter.clone()).or_default(),
            };
            habits.idle_us = habits.idle_us.max(inner_us);
            if lasted_us > LONG_US {
                habits.lasted_us.push(lasted_us);
            }
        }
        for habits in exporters.values_mut() {
            habits.active_us = active_us(std::mem::take(&mut habits.lasted_us));
        }
        Self { exporters }
    }

    /// The active timeout of an exporter, where its records tell it.
    pub fn active_us(&self, exporter: &str) -> Option<i64> {
        self.exporters.get(exporter).and_then(|habits| habits.active_us)
    }

    /// The idle timeout of an exporter, at least.
    pub fn idle_us(&self, exporter: &str) -> i64 {
        self.exporters.get(exporter).map_or(0, |habits| habits.idle_us)
    }

    /// Whether a record ended though its conversation went on.
    pub fn is_cut(&self, contact: &Contact) -> bool {
        match (contact.end_reason, self.active_us(&contact.exporter)) {
            (Some(reason), _) => reason == ACTIVE,
            (None, Some(active_us)) => {
                contact.end.since(contact.start) as f64 >= CUT_SHARE * active_us as f64
            }
            (None, None) => false,
        }
    }
}

/// The silence that one between two packets of the record was no shorter than.
fn longest_silence_us(contact: &Contact, lasted_us: i64) -> i64 {
    if contact.protocol == protocol::TCP || contact.rate != Rate::Every {
        return 0;
    }
    let packets = contact.out.most_packets.saturating_add(contact.back.most_packets);
    match i64::try_from(packets) {
        Ok(packets @ 2..) => lasted_us.max(0) / (packets - 1),
        _ => 0,
    }
}

/// The active timeout that records which lasted so long tell.
fn active_us(mut lasted_us: Vec<i64>) -> Option<i64> {
    lasted_us.sort_unstable();
    let all = lasted_us.len();
    let beyond = (SHARE_BEYOND * all as f64).ceil() as usize;
    let top = *lasted_us.get(all.checked_sub(beyond.max(1))?)?;
    let before = |us: i64| lasted_us.partition_point(|lasted| *lasted < us);
    let at = |us: i64| before(us.saturating_add(NEAR_US + 1)) - before(us.saturating_sub(NEAR_US));
    // Of equals the shortest: `max_by_key` takes the last.
    let near_top = &lasted_us[before(top.saturating_sub(2 * NEAR_US))..];
    let most = near_top.iter().rev().copied().max_by_key(|us| at(*us))?;
    (at(most) >= LEAST_AT && at(most) as f64 > SHARE_AT * all as f64).then_some(most)
}

#[cfg(test)]
mod tests {
    use rahdar_model::store::{End, Sighting};
    use rahdar_testkit::builder::FlowBuilder;
    use rahdar_testkit::flow;

    use super::*;

    const ENDS: &str = "203.0.113.25:50000 > 192.0.2.9:443";

    fn contact(flow: FlowBuilder) -> Contact {
        Contact::of(&Sighting { end: End::Destination, flow: flow.build() })
    }

    #[track_caller]
    fn check_active(lasted_s: impl IntoIterator<Item = i64>, expected_s: Option<i64>) {
        let contacts: Vec<Contact> = lasted_s.into_iter().map(|s| contact(flow(ENDS).lasting_s(s))).collect();
        let told = Timeouts::of(&contacts).active_us("r1");
        assert_eq!(told, expected_s.map(|s| s * SECOND_US));
    }

    #[test]
    fn an_active_timeout_is_where_durations_end() {
        check_active((0..1_000).map(|n| n % 290).chain([300; 20]), Some(300));
        check_active([1_800; 5], Some(1_800));
        check_active((6..40).chain([59, 60, 60, 60, 61]), Some(60));
    }

    #[test]
    fn durations_without_an_end_tell_no_timeout() {
        check_active(6..400, None);
        check_active([1_800; 4], None);
        check_active([60; 50].into_iter().chain([90]), None);
        check_active([3; 500], None);
        check_active([], None);
    }

    #[test]
    fn one_record_in_twenty_thousand_may_last_longer() {
        check_active((0..20_000).map(|_| 60).chain([4_000]), Some(60));
    }

    #[test]
    fn what_an_exporter_says_of_a_record_goes_before_its_length() {
        let mut contacts: Vec<Contact> = (0..9).map(|_| contact(flow(ENDS).lasting_s(60))).collect();
        contacts[0].end_reason = Some(1);
        let mut short = contact(flow(ENDS).lasting_s(5));
        let timeouts = Timeouts::of(&contacts);
        assert!(!timeouts.is_cut(&contacts[0]) && timeouts.is_cut(&contacts[1]) && !timeouts.is_cut(&short));
        short.end_reason = Some(ACTIVE);
        assert!(timeouts.is_cut(&short));
    }

    #[test]
    fn an_idle_timeout_is_longer_than_any_silence_within_a_record() {
        let talk = |packets: u64, seconds: i64| flow(ENDS).udp().sent(packets, 200).lasting_s(seconds);
        let idle = |flow: FlowBuilder| Timeouts::of(&[contact(flow)]).idle_us("r1") / SECOND_US;
        assert_eq!(idle(talk(2, 40)), 40);
        assert_eq!(idle(talk(5, 40)), 10);
        assert_eq!(idle(talk(2, 40).answered(3, 300)), 10);
        assert_eq!(idle(talk(1, 0)), 0);
        assert_eq!(idle(talk(2, 40).sampled(100)), 0, "packets between were not sampled");
        assert_eq!(idle(flow(ENDS).sent(2, 200).lasting_s(40)), 0, "TCP has an idle timeout of its own");
    }

    #[test]
    fn each_exporter_has_its_own() {
        let contacts: Vec<Contact> = ["a", "b"]
            .into_iter()
            .flat_map(|name| (0..6).map(move |n| (name, n)))
            .map(|(name, n)| {
                contact(flow(ENDS).exporter(name).lasting_s(if name == "a" { 60 } else { 60 * n }))
            })
            .collect();
        let timeouts = Timeouts::of(&contacts);
        assert_eq!((timeouts.active_us("a"), timeouts.active_us("b")), (Some(60 * SECOND_US), None));
    }
}
