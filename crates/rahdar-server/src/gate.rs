//! Who may send, and how much.

use std::collections::HashMap;

use rahdar_model::time::SECOND_US;
use rahdar_model::{Address, Prefix, Timestamp};

/// Exporters that are let in at the same time. Chosen here: more than a country has. It bounds what
/// is kept where anybody may send. One that may send a whole burst again is forgotten where another needs its place.
const EXPORTERS_MAX: usize = 4_096;

/// How often it is looked whom to forget. Chosen here: whoever forges a million senders a second costs a hundredth of
/// it.
const FORGET_US: i64 = 1_000;

/// How far a time may lie before the last one of the same exporter and be that of a datagram that was overtaken.
/// Beyond, the clock was set back. Chosen here: sockets are read within milliseconds.
const OVERTAKEN_US: i64 = 5 * SECOND_US;

/// Whose export is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exporters {
    /// Those of these networks.
    Only(Vec<Prefix>),
    /// Anybody's. UDP senders are not authenticated: for loopback and for networks that filter.
    Any,
}

/// How much one exporter may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Datagrams a second.
    pub per_second: u32,
    /// Datagrams at once, after a pause.
    pub burst: u32,
}

impl Default for Rate {
    /// 50,000 a second, ten seconds' worth at once. Chosen here: some million flows a second, more
    /// than one router sends, and what one socket takes in on two cores (reliability.md §4).
    fn default() -> Self {
        Self { per_second: 50_000, burst: 500_000 }
    }
}

/// What becomes of a datagram at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    /// Its sender may send, and has sent too much.
    RateLimited,
    /// Its sender may not send.
    Rejected,
}

/// Lets datagrams in.
#[derive(Debug)]
pub(crate) struct Gate {
    exporters: Exporters,
    rate: Rate,
    /// What each exporter may still send, in datagrams times a million.
    known: HashMap<Address, Credit>,
    /// When it was last looked whom to forget.
    forgot_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Credit {
    left: u64,
    at: Timestamp,
}

impl Credit {
    /// What is left at `time`, of `most`.
    fn at(&self, time: Timestamp, rate: Rate, most: u64) -> u64 {
        let passed = u64::try_from(time.since(self.at)).unwrap_or(0);
        passed.saturating_mul(rate.per_second.into()).saturating_add(self.left).min(most)
    }
}

impl Gate {
    pub(crate) fn new(exporters: Exporters, rate: Rate) -> Self {
        Self { exporters, rate, known: HashMap::new(), forgot_at: None }
    }

    /// Judges a datagram that came at `time`. Nothing is remembered of senders that may not send.
    pub(crate) fn admit(&mut self, sender: Address, time: Timestamp) -> Verdict {
        const DATAGRAM: u64 = SECOND_US as u64;
        let most = u64::from(self.rate.burst.max(1)) * DATAGRAM;
        let is_known = self.known.contains_key(&sender);
        if !is_known && !self.may_send(sender) {
            return Verdict::Rejected;
        }
        if !is_known && self.known.len() >= EXPORTERS_MAX {
            self.forget(time, most);
            if self.known.len() >= EXPORTERS_MAX {
                return Verdict::Rejected;
            }
        }
        let credit = self.known.entry(sender).or_insert(Credit { left: most, at: time });
        credit.left = credit.at(time, self.rate, most);
        let was_set_back = credit.at.since(time) > OVERTAKEN_US;
        credit.at = if was_set_back { time } else { credit.at.max(time) };
        match credit.left.checked_sub(DATAGRAM) {
            Some(left) => {
                credit.left = left;
                Verdict::Accepted
            }
            None => Verdict::RateLimited,
        }
    }

    /// Forgets who may send a whole burst: it is to be treated as if it came for the first time.
    fn forget(&mut self, time: Timestamp, most: u64) {
        if self.forgot_at.is_none_or(|at| time.since(at).saturating_abs() >= FORGET_US) {
            self.forgot_at = Some(time);
            let rate = self.rate;
            self.known.retain(|_, credit| credit.at(time, rate, most) < most);
        }
    }

    /// Whether a sender may send at all.
    pub(crate) fn may_send(&self, sender: Address) -> bool {
        match &self.exporters {
            Exporters::Any => true,
            Exporters::Only(networks) => networks.iter().any(|network| network.contains(sender)),
        }
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Address {
        Address::from_v4_bits(0xc000_0200 + n)
    }

    fn only(network: &str) -> Exporters {
        Exporters::Only(vec![network.parse().unwrap()])
    }

    fn at_ms(ms: i64) -> Timestamp {
        Timestamp::from_micros(1_628_985_600_000_000 + ms * 1_000)
    }

    #[test]
    fn unknown_senders_leave_nothing_behind() {
        let mut gate = Gate::new(only("198.51.100.0/24"), Rate::default());
        for n in 0..1_000_000 {
            assert_eq!(gate.admit(Address::from_v4_bits(n % 10_000), at_ms(0)), Verdict::Rejected);
        }
        assert_eq!(gate.remembered(), 0);
    }

    #[test]
    fn where_anybody_may_send_so_many_do() {
        let mut gate = Gate::new(Exporters::Any, Rate::default());
        let accepted =
            (0..100_000).filter(|n| gate.admit(address(*n), at_ms(0)) == Verdict::Accepted).count();
        assert_eq!((accepted, gate.remembered()), (EXPORTERS_MAX, EXPORTERS_MAX));
        assert_eq!(gate.admit(address(0), at_ms(1)), Verdict::Accepted, "it was there before");
    }

    /// Whoever forges senders does not keep out those that come later.
    #[test]
    fn who_sent_long_ago_makes_room() {
        let mut gate = Gate::new(only("192.0.0.0/8"), Rate { per_second: 10, burst: 2 });
        for n in 0..5_000 {
            gate.admit(address(n), at_ms(0));
        }
        gate.admit(address(0), at_ms(60));
        assert_eq!(gate.admit(address(9_000), at_ms(99)), Verdict::Rejected, "nobody may send a burst again");
        assert_eq!(gate.admit(address(9_000), at_ms(101)), Verdict::Accepted);
        assert_eq!(gate.remembered(), 2, "the other one has sent more");
    }

    #[test]
    fn a_clock_that_is_set_back_starves_nobody() {
        let mut gate = Gate::new(only("192.0.2.0/24"), Rate { per_second: 100, burst: 10 });
        let mut accepted =
            |ms| (0..50).filter(|_| gate.admit(address(1), at_ms(ms)) == Verdict::Accepted).count();
        assert_eq!((accepted(0), accepted(-3_600_000)), (10, 0));
        assert_eq!(accepted(-3_600_000 + 30), 3, "the rate holds from there on");
    }

    #[test]
    fn the_rate_is_exact() {
        let mut gate = Gate::new(only("192.0.2.0/24"), Rate { per_second: 100, burst: 10 });
        let mut accepted =
            |ms| (0..50).filter(|_| gate.admit(address(1), at_ms(ms)) == Verdict::Accepted).count();
        assert_eq!(accepted(0), 10, "the burst");
        assert_eq!(accepted(5), 0, "half a datagram's time");
        assert_eq!(accepted(10), 1, "the other half");
        assert_eq!(accepted(40), 3);
        assert_eq!(accepted(60_000), 10, "no more than the burst");
        assert_eq!(accepted(59_000), 0, "a clock that went back gives nothing");
        assert_eq!(accepted(60_010), 1, "and takes nothing");
    }

    #[test]
    fn exporters_do_not_share_their_rate() {
        let mut gate = Gate::new(only("192.0.2.0/24"), Rate { per_second: 1, burst: 1 });
        assert_eq!(gate.admit(address(1), at_ms(0)), Verdict::Accepted);
        assert_eq!(gate.admit(address(1), at_ms(0)), Verdict::RateLimited);
        assert_eq!(gate.admit(address(2), at_ms(0)), Verdict::Accepted);
    }
}
