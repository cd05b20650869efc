//! Whether the collector keeps up with what is sent to it.

use std::fmt;

use rahdar_model::Timestamp;
use rahdar_model::time::SECOND_US;

/// How long the collector is not ready after it met trouble. Chosen here: the kernel's drops are counted
/// once a second, so that less would flicker; more than five would tell of what is over
/// (reliability.md R5).
const REMEMBERED_US: i64 = 2 * SECOND_US;

/// Why datagrams are lost, or wait, here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The spool holds as much as it may.
    SpoolFull,
    /// The disk of the spool has no more than its reserve left.
    DiskLow,
    /// The spool cannot be written.
    SpoolFailed,
    /// The kernel's buffer of a socket was full.
    KernelDrops,
    /// The store does not take rows.
    StoreFailed,
    /// It was told to stop.
    Stopping,
}

impl Trouble {
    const ALL: [Self; 6] = [
        Self::SpoolFull,
        Self::DiskLow,
        Self::SpoolFailed,
        Self::KernelDrops,
        Self::StoreFailed,
        Self::Stopping,
    ];
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SpoolFull => "the spool is full: datagrams are dropped",
            Self::DiskLow => {
                "less than 5 % of the spool's disk (1 GiB at most) is free: datagrams are dropped; make room on it"
            }
            Self::SpoolFailed => "the spool cannot be written: datagrams may be lost",
            Self::KernelDrops => "the kernel drops datagrams: they are not read fast enough",
            Self::StoreFailed => "the flows cannot be stored: the spool keeps them",
            Self::Stopping => "the collector was told to stop",
        })
    }
}

/// What is wrong, and what was a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// When it was last met.
    met: [Option<Timestamp>; Trouble::ALL.len()],
    /// Whether it lasts until it is said to be over.
    lasts: [bool; Trouble::ALL.len()],
}

impl Health {
    /// Takes note of trouble that is over when it is not met again.
    pub(crate) fn met(&mut self, trouble: Trouble, now: Timestamp) {
        self.met[trouble as usize] = Some(now);
    }

    /// Takes note of whether trouble lasts.
    pub(crate) fn lasts(&mut self, trouble: Trouble, lasts: bool) {
        self.lasts[trouble as usize] = lasts;
    }

    /// What is wrong now, or was a moment ago.
    pub(crate) fn troubles(&self, now: Timestamp) -> Vec<Trouble> {
        let is_recent = |at: Timestamp| now.since(at).saturating_abs() < REMEMBERED_US;
        let is_met = |trouble: &Trouble| self.met[*trouble as usize].is_some_and(is_recent);
        Trouble::ALL.into_iter().filter(|trouble| self.lasts[*trouble as usize] || is_met(trouble)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_remembered_for_a_moment_or_until_it_is_over() {
        let mut health = Health::default();
        let at = Timestamp::from_seconds;
        assert_eq!(health.troubles(at(0)), []);
        health.met(Trouble::KernelDrops, at(10));
        health.met(Trouble::SpoolFull, at(11));
        assert_eq!(health.troubles(at(11)), [Trouble::SpoolFull, Trouble::KernelDrops]);
        assert_eq!(health.troubles(at(12)), [Trouble::SpoolFull]);
        assert_eq!(health.troubles(at(13)), []);
        health.lasts(Trouble::StoreFailed, true);
        assert_eq!(health.troubles(at(1_000)), [Trouble::StoreFailed]);
        health.lasts(Trouble::StoreFailed, false);
        assert_eq!(health.troubles(at(1_000)), []);
    }
}
