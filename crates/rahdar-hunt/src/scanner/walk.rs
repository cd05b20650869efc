//! How many first contacts fail: the threshold random walk (`methods.md` §4).
//!
//! Of a host that knows whom it calls, first contacts succeed with probability θ0 = 0.8; of a
//! scanner, with θ1 = 0.2. Each first contact moves the log-likelihood ratio
//!
//! Λ += ln(θ1/θ0) = −1.386 if it succeeds, ln((1 − θ1)/(1 − θ0)) = +1.386 if it fails
//!
//! until Λ ≥ ln((1 − β)/α) = 4.595, a scanner, or Λ ≤ −4.595, a benign host, with α = β = 0.01:
//! four net failures decide. A verdict holds for a day; then the walk begins anew.
//!
//! One host in a hundred may be called a scanner wrongly, on every day. So a scanner is told only
//! if the contacts of the walk and of the day after it, together, come to [`TOLD`]: a ratio of
//! 60,000 to one, which eight net failures reach. That threshold is chosen here.
//!
//! A walk is one source at one TCP port (chosen here: an infected client browses as well, and its
//! successes at 443 must not excuse its failures at 445). Mail servers meet dead peers, in 20 to
//! 40 % of their calls, and so do resolvers: at [`SPARED_PORTS`] θ0 is 0.5 for
//! everybody, and hosts in these roles are let off there.
//!
//! Success is that the caller acknowledged: who is accepted must, who is refused or unheard cannot,
//! and who scans half-open does not want to. The caller's own flags tell it, so the walk stands
//! where routes are asymmetric; sampled records and records without flags are not read.
//!
//! Assumes that first contacts are independent. Wrong for hosts that lost their uplink for as long
//! as eight calls, for clients of a service that is gone, and for scans of ports that answer.
//!
//! Source: J. Jung, V. Paxson, A. Berger, H. Balakrishnan, "Fast Portscan Detection Using
//! Sequential Hypothesis Testing", IEEE S&P 2004.
//!
//! ```
//! use rahdar_hunt::scanner::walk::{Odds, Verdict, Walk};
//! use rahdar_model::Timestamp;
//! use rahdar_model::store::Outcome;
//!
//! let mut walk = Walk::new(Odds::USUAL);
//! let second = |n: i64| Timestamp::from_seconds(1_629_000_000 + n);
//! let verdicts = [0, 1, 2, 3].map(|n| {
//!     walk.step(second(n), Outcome::Failed, 1);
//!     walk.verdict()
//! });
//! assert_eq!(verdicts, [None, None, None, Some(Verdict::Scanner)]);
//! ```

use rahdar_model::flow::protocol;
use rahdar_model::store::{FirstContact, Outcome};
use rahdar_model::time::{DAY_US, HOUR_US};
use rahdar_model::{Address, Timestamp};

use super::{Found, SPARED_PORTS};

/// ln((1 − β)/α) with α = β = 0.01: from here a source is a scanner, from its negative benign.
pub const DECIDED: f64 = 4.595_119_850_134_59;
/// From here a scanner is told, and weighs: odds of 60,000 to one.
pub const TOLD: f64 = 11.0;
/// Failures that [`TOLD`] takes: eight times ln 4 is 11.09.
pub const LEAST_FAILURES: u64 = 8;
/// How long a verdict holds, and how long after its last contact a scanner is one.
pub const HELD_US: i64 = DAY_US;

/// How often first contacts succeed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Odds {
    /// Of benign hosts: θ0.
    pub benign: f64,
    /// Of scanners: θ1.
    pub scanner: f64,
}

impl Odds {
    /// Those of the paper.
    pub const USUAL: Self = Self { benign: 0.8, scanner: 0.2 };
    /// Those of mail and names, where every second peer may be dead.
    pub const SPARED: Self = Self { benign: 0.5, scanner: 0.2 };

    /// Those that hold at a port.
    pub fn at(port: u16) -> Self {
        if SPARED_PORTS.contains(&port) { Self::SPARED } else { Self::USUAL }
    }

    /// By how much a first contact moves the ratio.
    ///
    /// ```
    /// use rahdar_hunt::scanner::walk::Odds;
    /// use rahdar_model::store::Outcome;
    ///
    /// assert!((Odds::USUAL.of(Outcome::Failed) - 1.386).abs() < 0.001);
    /// assert!((Odds::USUAL.of(Outcome::Established) + 1.386).abs() < 0.001);
    /// ```
    pub fn of(self, outcome: Outcome) -> f64 {
        match outcome {
            Outcome::Established => (self.scanner / self.benign).ln(),
            Outcome::Failed => ((1.0 - self.scanner) / (1.0 - self.benign)).ln(),
        }
    }
}

/// What a walk has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It calls at random.
    Scanner,
    /// It knows whom it calls.
    Benign,
}

/// One source at one port.
#[derive(Debug, Clone)]
pub struct Walk {
    odds: Odds,
    episode: Episode,
    decided: Option<(Verdict, Timestamp)>,
}

/// The contacts of a walk and of the time in which its verdict holds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Episode {
    /// Log-likelihood ratio of all of them.
    pub ratio: f64,
    /// First contacts.
    pub contacts: u64,
    /// Of these, failures.
    pub failures: u64,
    /// Flow records of the failures.
    pub flows: u64,
    /// The first contact.
    pub start_time: Timestamp,
    /// The last failure.
    pub end_time: Timestamp,
}

impl Walk {
    /// A walk that nothing is known of.
    pub fn new(odds: Odds) -> Self {
        Self { odds, episode: Episode::default(), decided: None }
    }

    /// Takes the next first contact, in the order of time, with its flow records. Returns the
    /// episode that is over with it, if that was one of a scanner.
    pub fn step(&mut self, at: Timestamp, outcome: Outcome, flows: u64) -> Option<Episode> {
        let is_over = self.decided.is_some_and(|(_, since)| at.since(since) >= HELD_US);
        let ended = if is_over { self.end() } else { None };
        let episode = &mut self.episode;
        if episode.contacts == 0 {
            episode.start_time = at;
        }
        episode.contacts += 1;
        episode.ratio += self.odds.of(outcome);
        if outcome == Outcome::Failed {
            episode.failures += 1;
            episode.flows = episode.flows.saturating_add(flows);
            episode.end_time = at;
        }
        if self.decided.is_none() {
            let verdict = match episode.ratio {
                ratio if ratio >= DECIDED => Some(Verdict::Scanner),
                ratio if ratio <= -DECIDED => Some(Verdict::Benign),
                _ => None,
            };
            self.decided = verdict.map(|verdict| (verdict, at));
        }
        ended
    }

    /// What holds now.
    pub fn verdict(&self) -> Option<Verdict> {
        self.decided.map(|(verdict, _)| verdict)
    }

    /// Ends the walk and begins anew. Returns the episode, if it was one of a scanner.
    pub fn end(&mut self) -> Option<Episode> {
        let episode = std::mem::take(&mut self.episode);
        let decided = self.decided.take();
        decided.is_some_and(|(verdict, _)| verdict == Verdict::Scanner).then_some(episode)
    }
}

impl Episode {
    /// Whether it is told.
    pub fn is_told(&self) -> bool {
        self.ratio >= TOLD
    }
}

/// The walks of many sources and ports, whose contacts come in the order of [`FirstContact`].
#[derive(Debug, Default)]
pub(super) struct Walks {
    current: Option<((Address, u16), Walk)>,
}

impl Walks {
    /// Takes the next contact; returns an episode that is over and worth telling.
    pub(super) fn step(&mut self, contact: &FirstContact) -> [Option<Found>; 2] {
        let key = (contact.source, contact.port);
        let left = match &self.current {
            Some((own, _)) if *own == key => None,
            _ => self.end(),
        };
        let (_, walk) = self.current.get_or_insert_with(|| (key, Walk::new(Odds::at(key.1))));
        let ended = walk.step(contact.start_time, contact.outcome, contact.flows);
        [left, ended.and_then(|episode| found(key, episode))]
    }

    /// Ends the last walk.
    pub(super) fn end(&mut self) -> Option<Found> {
        let (key, mut walk) = self.current.take()?;
        walk.end().and_then(|episode| found(key, episode))
    }
}

/// An episode as it is told, if it is.
fn found((address, port): (Address, u16), episode: Episode) -> Option<Found> {
    let Episode { ratio, contacts, failures, start_time, end_time, .. } = episode;
    let hours = end_time.since(start_time).div_euclid(HOUR_US) + 1;
    episode.is_told().then(|| Found {
        address,
        protocol: protocol::TCP,
        port: Some(port),
        destinations: contacts,
        flows: episode.flows,
        start_time,
        end_time,
        statistic: (ratio * 10.0).round() / 10.0,
        strength: failures,
        why: format!("{failures} of {contacts} first contacts failed within {hours} h, Λ = {ratio:.1}"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    const START_S: i64 = 1_629_000_000;

    fn walked(odds: Odds, outcomes: &str, apart_s: i64) -> Walk {
        let mut walk = Walk::new(odds);
        for (n, letter) in (0..).zip(outcomes.chars()) {
            let outcome = if letter == 'x' { Outcome::Failed } else { Outcome::Established };
            walk.step(Timestamp::from_seconds(START_S + n * apart_s), outcome, 1);
        }
        walk
    }

    fn check(outcomes: &str, expected: Option<Verdict>) {
        assert_eq!(walked(Odds::USUAL, outcomes, 60).verdict(), expected, "{outcomes}");
    }

    #[test]
    fn four_net_failures_or_successes_decide() {
        check("xxx", None);
        check("xxxx", Some(Verdict::Scanner));
        check("xoxxxox", None);
        check("xoxxxoxx", Some(Verdict::Scanner));
        check("ooo", None);
        check("oooo", Some(Verdict::Benign));
    }

    #[test]
    fn a_verdict_holds_for_a_day() {
        check("ooooxxxxxxxxxxxx", Some(Verdict::Benign));
        let days_apart = walked(Odds::USUAL, "ooooxxxx", 24 * 3_600);
        assert_eq!(days_apart.verdict(), Some(Verdict::Scanner));
    }

    #[test]
    fn eight_net_failures_are_told() {
        let told = |outcomes| walked(Odds::USUAL, outcomes, 60).end().is_some_and(|ended| ended.is_told());
        assert!(!told("xxxxxxx"));
        assert!(told("xxxxxxxx"));
        assert!(!told("xxxxxxxxo"));
        assert!(told("xxxxxxxxox"));
    }

    #[test]
    fn a_slow_scan_is_told_and_a_dead_peer_a_day_is_not() {
        let told = |apart_h: i64| {
            walked(Odds::USUAL, "xxxxxxxxx", apart_h * 3_600).end().is_some_and(|ended| ended.is_told())
        };
        assert!(told(4));
        assert!(!told(24));
    }

    #[test]
    fn mail_that_fails_two_times_in_five_is_benign() {
        assert_eq!(Odds::at(25), Odds::SPARED);
        assert_eq!(walked(Odds::SPARED, &"xoxoo".repeat(10), 60).verdict(), Some(Verdict::Benign));
        assert_eq!(walked(Odds::SPARED, "xxxxxxxxxx", 60).verdict(), Some(Verdict::Scanner));
    }

    proptest! {
        #[test]
        fn the_ratio_is_the_sum_of_its_steps(outcomes in vec(select(vec!['x', 'o']), 1..60)) {
            let text: String = outcomes.iter().collect();
            let walk = walked(Odds::USUAL, &text, 1);
            let failed = outcomes.iter().filter(|letter| **letter == 'x').count() as f64;
            let net = 2.0 * failed - outcomes.len() as f64;
            prop_assert!((walk.episode.ratio - net * 4.0_f64.ln()).abs() < 1e-9);
        }
    }
}
