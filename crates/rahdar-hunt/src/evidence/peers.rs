//! G8: how many monitored hosts exchange something with the address (`methods.md` §2.2).
//!
//! 1–3 hosts +4 · 4–20 +1 · 21–200 −4 · more −12 dB. Where at least [`LEAST_ACTIVE_HOSTS`]
//! monitored hosts are active: a tenth of them −12, and three tenths are not believed, whatever
//! the number: that is a service, not a command server. Where fewer are active, few says nothing: of one host that is
//! watched, one talks to whatever it talks to.
//!
//! Hosts count with G1 of +8 or more; for the share also those that sent something without a
//! visible answer. Assumes that few hosts of a network are under one command. Wrong for a worm.
//!
//! ```
//! use rahdar_hunt::evidence::peers::Peers;
//!
//! let few = Peers { established: 2, talkers: 2, active: 40 };
//! let common = Peers { established: 12, talkers: 12, active: 40 };
//! assert_eq!((few.weight(), common.weight(), common.is_kill()), (4.0, -12.0, true));
//! assert_eq!(Peers { active: 15, ..few }.weight(), 0.0);
//! ```

use super::{Group, Row, counted};

/// Below this many active hosts a share says nothing.
pub const LEAST_ACTIVE_HOSTS: u64 = 20;
const COMMON_SHARE: f64 = 0.1;
const KILL_SHARE: f64 = 0.3;

/// How many monitored hosts talk to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peers {
    /// With an exchange both ways.
    pub established: u64,
    /// That sent it anything beyond knocking.
    pub talkers: u64,
    /// Monitored hosts that sent or received anything at all.
    pub active: u64,
}

impl Peers {
    fn share(self) -> f64 {
        if self.active < LEAST_ACTIVE_HOSTS { 0.0 } else { self.talkers as f64 / self.active as f64 }
    }

    /// Decibans.
    pub fn weight(self) -> f64 {
        let count = match self.established {
            0 => 0.0,
            1..=20 if self.active < LEAST_ACTIVE_HOSTS => 0.0,
            1..=3 => 4.0,
            4..=20 => 1.0,
            21..=200 => -4.0,
            _ => -12.0,
        };
        if self.share() >= COMMON_SHARE { -12.0 } else { count }
    }

    /// Whether it is a service that the network uses.
    pub fn is_kill(self) -> bool {
        self.share() >= KILL_SHARE
    }

    /// Whether so many talk to it that it may well be a service.
    pub fn is_common(self) -> bool {
        self.share() >= COMMON_SHARE
    }

    /// The reason, if it weighs.
    pub fn row(self) -> Option<Row> {
        let weight = self.weight();
        let hosts = counted(self.established, "monitored host");
        let (kind, text) = match weight {
            _ if self.is_common() => (
                "prevalence",
                format!("{} of {} active monitored hosts talk to it", self.talkers, self.active),
            ),
            ..0.0 => ("prevalence", format!("many are in exchange with it: {hosts}")),
            0.5.. => ("peers", format!("few are in exchange with it: {hosts}")),
            _ => return None,
        };
        Some(Row::new(Group::Peers, kind, weight, text))
    }
}
