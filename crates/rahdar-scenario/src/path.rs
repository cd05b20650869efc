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

/// Sends every session on the path that its hash chooses; an upload only as long as that path has
/// not had its share of `octets_of` yet, else on the path that lacks most.
///
/// Check-ins go by hash alone, for they are many and small. Then come the uploads, largest first:
/// so the shares hold among large ones as among small ones, and what misses a share in the end is
/// less than one of the smallest.
pub(crate) fn share_out(sessions: &mut [Session], octets_of: impl Fn(&Session) -> u64) {
    // What each path lacks of its share of all octets so far, in parts of an octet.
    let mut lacking = [0_i64; SHARES.len()];
    let mut carry = |path: Path, octets: u64| {
        for (lacking, (other, share)) in lacking.iter_mut().zip(SHARES) {
            let carried = if other == path { WHOLE as i64 } else { 0 };
            *lacking += (share - carried) * octets as i64;
        }
        lacking
    };
    let mut lacks = [0; SHARES.len()];
    let mut uploads = Vec::new();
    for (n, session) in sessions.iter_mut().enumerate() {
        session.path = Path::of_hash(session.tuple_hash());
        match octets_of(session) {
            octets if octets < LEAST_UPLOAD => lacks = carry(session.path, octets),
            octets => uploads.push((Reverse(octets), n)),
        }
    }
    uploads.sort_unstable();
    for (Reverse(octets), n) in uploads {
        let path = &mut sessions[n].path;
        if lacks[path.number()] < 0 {
            let most = (0..SHARES.len()).max_by_key(|&path| lacks[path]).unwrap_or(0);
            *path = SHARES[most].0;
        }
        lacks = carry(*path, octets);
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
