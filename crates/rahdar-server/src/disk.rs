//! The disk of the spool: how much of it there is, and how much flows may still take.

use std::path::Path;

use nix::sys::statvfs::statvfs;
use rahdar_model::reserve::reserve_octets;

/// The space of a file system, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    /// All of it; 0 where the file system does not tell.
    pub(crate) size: u64,
    /// What a process without rights may still take.
    pub(crate) free: u64,
}

impl Space {
    /// That of the disk of a folder; of no size if it cannot be asked.
    pub(crate) fn of(folder: &Path) -> Self {
        let Ok(disk) = statvfs(folder) else { return Self { size: 0, free: 0 } };
        let octets = |blocks: u64| blocks.saturating_mul(disk.fragment_size());
        Self { size: octets(disk.blocks()), free: octets(disk.blocks_available()) }
    }

    /// What flows leave free.
    pub(crate) fn reserve(&self) -> u64 {
        reserve_octets(self.size)
    }

    /// What flows may still take. Without end where the file system does not tell its size.
    pub(crate) fn room(&self) -> u64 {
        self.beyond(self.reserve())
    }

    /// What what is told of losses may still take: half of the reserve, beyond what flows may.
    pub(crate) fn room_for_losses(&self) -> u64 {
        self.beyond(self.reserve() / 2)
    }

    fn beyond(&self, left: u64) -> u64 {
        if self.size == 0 { u64::MAX } else { self.free.saturating_sub(left) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_reserve_may_be_taken() {
        let rooms = |size, free| {
            let space = Space { size, free };
            (space.room(), space.room_for_losses())
        };
        assert_eq!(rooms(1_000, 51), (1, 26));
        assert_eq!(rooms(1_000, 50), (0, 25));
        assert_eq!(rooms(1_000, 0), (0, 0));
        assert_eq!(rooms(1 << 40, (1 << 30) + 7), (7, (1 << 29) + 7));
        assert_eq!(rooms(0, 0), (u64::MAX, u64::MAX));
    }
}
