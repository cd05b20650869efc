//! What flows leave free of a disk for what must always be written: the book, and counts of losses
//! (`reliability.md` R8).

/// Flows leave a twentieth of their disk.
const SHARE: u64 = 20;

/// They leave no more than this: the book is small, and disks are large.
const MOST_OCTETS: u64 = 1 << 30;

/// How many octets of a disk of this size flows leave free.
///
/// ```
/// use rahdar_model::reserve::reserve_octets;
///
/// assert_eq!(reserve_octets(64 << 20), 3_355_443);
/// assert_eq!(reserve_octets(1 << 40), 1 << 30);
/// ```
pub const fn reserve_octets(disk_octets: u64) -> u64 {
    let share = disk_octets / SHARE;
    if share < MOST_OCTETS { share } else { MOST_OCTETS }
}
