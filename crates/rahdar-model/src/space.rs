//! The space of a file system, and what flows leave free of it: a disk full of flows must still take
//! cases and the audit of what was done (reliability.md R8).

/// The most that is left free. Chosen there: more than a case needs, little to a large disk.
const RESERVE_OCTETS_MAX: u64 = 1 << 30;

/// One part of so many is left free: 5 %.
const RESERVE_PART: u64 = 20;

/// The space of a file system, in octets.
///
/// ```
/// use rahdar_model::space::Space;
///
/// let small = Space { size: 64 << 20, free: 4 << 20 };
/// assert_eq!(small.reserve(), (64 << 20) / 20);
/// assert!(small.room() > 0);
/// let large = Space { size: 1 << 40, free: 1 << 29 };
/// assert_eq!((large.reserve(), large.room()), (1 << 30, 0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All of it; 0 where the file system does not tell.
    pub size: u64,
    /// What a process without rights may still take.
    pub free: u64,
}

impl Space {
    /// What is left free: 5 %, at most 1 GiB.
    pub fn reserve(&self) -> u64 {
        RESERVE_OCTETS_MAX.min(self.size / RESERVE_PART)
    }

    /// What flows may still take. Without end where the file system does not tell its size.
    pub fn room(&self) -> u64 {
        if self.size == 0 { u64::MAX } else { self.free.saturating_sub(self.reserve()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_may_take_what_is_beyond_the_reserve() {
        let room = |size, free| Space { size, free }.room();
        assert_eq!(room(1_000, 51), 1);
        assert_eq!(room(1_000, 50), 0);
        assert_eq!(room(1_000, 0), 0);
        assert_eq!(room(1 << 40, (1 << 30) + 7), 7);
        assert_eq!(room(0, 0), u64::MAX);
    }
}
