//! Which exporters the packets of a conversation pass.
//!
//! Two border routers share the load by a hash of the 5-tuple; a transit router sees part of what
//! the first border sees. Shares of octets: E1 80 %, E2 50 %, both 42 %, so one of them 88 %;
//! E3 25 %, all of it inside E1 (`methods.md` §11.1).

use crate::session::Session;

/// A set of exporters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path(u8);

impl Path {
    /// Every exporter.
    pub(crate) const ALL: Self = Self(0b111);

    /// Whether the exporter of this number (0 is E1) sees the packets.
    pub(crate) const fn passes(self, exporter: usize) -> bool {
        self.0 >> exporter & 1 == 1
    }

    /// The share of traffic that passes an exporter, in parts of 100,000.
    pub(crate) fn share_of(exporter: usize) -> u64 {
        SHARES.iter().filter(|(path, _)| path.passes(exporter)).map(|(_, share)| *share as u64).sum()
    }

    /// The path that a hash chooses.
    pub(crate) fn of_hash(hash: u64) -> Self {
        let mut point = (hash % WHOLE) as i64;
        for (path, share) in SHARES {
            point -= share;
            if point < 0 {
                return path;
            }
        }
        Self(0)
    }
}

/// Parts in the whole.
const WHOLE: u64 = 100_000;

/// The share of each path.
const SHARES: [(Path, i64); 6] = [
    (Path(0b001), 26_125),
    (Path(0b101), 11_875),
    (Path(0b011), 28_875),
    (Path(0b111), 13_125),
    (Path(0b010), 8_000),
    (Path(0b000), 12_000),
];

/// Parts of the whole by which a share may miss its target: well below the 1 % that is promised.
const TOLERANCE: u64 = 100;

/// Sends every session on the path that its hash chooses, then moves sessions until each path
/// carries its share of `octets_of`.
///
/// Each step moves one session from the path that carries most too much to the one that carries
/// most too little, and lessens the sum of both errors; so it ends.
pub(crate) fn share_out(sessions: &mut [Session], octets_of: impl Fn(&Session) -> u64) {
    let total: u64 = sessions.iter().map(&octets_of).sum();
    let mut errors = SHARES.map(|(_, share)| -target(total, share));
    for session in sessions.iter_mut() {
        session.path = Path::of_hash(session.tuple_hash());
        errors[index_of(session.path)] += octets_of(session) as i64;
    }
    let tolerated = target(total, TOLERANCE as i64);
    loop {
        let (most, excess) = extreme(&errors, |error| error);
        let (least, deficit) = extreme(&errors, |error| -error);
        if excess.max(deficit) <= tolerated {
            return;
        }
        let wanted = excess.min(deficit).max(1);
        let best = sessions
            .iter_mut()
            .filter(|session| index_of(session.path) == most)
            .map(|session| (octets_of(session) as i64, session))
            .filter(|(octets, _)| *octets > 0 && *octets < excess + deficit)
            .min_by_key(|(octets, _)| octets.abs_diff(wanted));
        let Some((octets, session)) = best else { return };
        session.path = SHARES[least].0;
        errors[most] -= octets;
        errors[least] += octets;
    }
}

fn target(total: u64, share: i64) -> i64 {
    (i128::from(total) * i128::from(share) / i128::from(WHOLE)) as i64
}

fn index_of(path: Path) -> usize {
    SHARES.iter().position(|(known, _)| *known == path).unwrap_or(SHARES.len() - 1)
}

fn extreme(errors: &[i64; 6], rank: impl Fn(i64) -> i64) -> (usize, i64) {
    let mut best = (0, i64::MIN);
    for (index, &error) in errors.iter().enumerate() {
        if rank(error) > best.1 {
            best = (index, rank(error));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_make_up_the_whole_and_the_exporters() {
        assert_eq!(SHARES.iter().map(|(_, share)| share).sum::<i64>(), WHOLE as i64);
        assert_eq!([0, 1, 2].map(Path::share_of), [80_000, 50_000, 25_000]);
        assert!(SHARES.iter().all(|(path, _)| !path.passes(2) || path.passes(0)));
    }
}
