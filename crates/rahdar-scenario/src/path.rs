//! Which exporters the packets of a conversation pass.
//!
//! Two border routers share the load by a hash of the 5-tuple; a transit router sees part of what
//! the first border sees. Shares of octets: E1 80 %, E2 50 %, both 42 %, so one of them 88 %;
//! E3 25 %, all of it inside E1 (`methods.md` §11.1).

use std::cmp::Reverse;

use crate::session::{LEAST_UPLOAD, Session};

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

    /// Its place in [`SHARES`].
    fn number(self) -> usize {
        SHARES.iter().position(|(path, _)| *path == self).unwrap_or(0)
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
        SHARES[0].0
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

/// Sends every session on the path that its hash chooses, as long as that path has room in its
/// share of `octets_of`; uploads without room take the path with most room.
///
/// Check-ins go by hash alone, for they are many and small. Then come the uploads, largest first,
/// so that what misses a share in the end is less than one of the smallest.
pub(crate) fn share_out(sessions: &mut [Session], octets_of: impl Fn(&Session) -> u64) {
    let total: u64 = sessions.iter().map(&octets_of).sum();
    let mut room =
        SHARES.map(|(_, share)| (i128::from(total) * i128::from(share) / i128::from(WHOLE)) as i64);
    let mut uploads = Vec::new();
    for (n, session) in sessions.iter_mut().enumerate() {
        let octets = octets_of(session);
        if octets >= LEAST_UPLOAD {
            uploads.push((octets, n));
        } else {
            session.path = Path::of_hash(session.tuple_hash());
            room[session.path.number()] -= octets as i64;
        }
    }
    uploads.sort_unstable_by_key(|&(octets, n)| (Reverse(octets), n));
    for (octets, n) in uploads {
        let hashed = Path::of_hash(sessions[n].tuple_hash());
        let path = if room[hashed.number()] >= octets as i64 {
            hashed
        } else {
            let most = (0..SHARES.len()).max_by_key(|&path| room[path]).unwrap_or(0);
            SHARES[most].0
        };
        sessions[n].path = path;
        room[path.number()] -= octets as i64;
    }
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
