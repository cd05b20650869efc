//! Which entries stand on which network, and on which text.
//!
//! Both are sorted arrays. A book has millions of claims and is built in one go, never changed: an
//! array takes a quarter of what a map of lists does, and needs no hash of what a stranger wrote.
//!
//! Addresses of IPv4, which most claims are about, stand behind a bitmap of the /24 networks that hold
//! any (`methods.md` §10.2): most addresses of a flow end there, after one look at memory.

use std::hash::{BuildHasher, RandomState};

use rahdar_model::{Address, Prefix};

/// Which entries stand on which network. Entries of one network are in the order they are given.
#[derive(Debug, Clone, Default)]
pub(super) struct Networks {
    hosts: Hosts,
    /// The lengths (of 128) of all other networks, longest first, each with where its networks end.
    lengths: Vec<(u8, usize)>,
    /// By length, sorted; one for each entry.
    networks: Vec<Address>,
    entries: Vec<u32>,
}

impl Networks {
    /// Sorts entries by network, and those of one network by `order`.
    pub(super) fn of<K: Ord>(entries: impl Iterator<Item = (Prefix, u32)>, order: impl Fn(u32) -> K) -> Self {
        let mut hosts: Vec<(u32, u32)> = Vec::new();
        let mut others: Vec<(std::cmp::Reverse<u8>, Address, u32)> = Vec::new();
        for (prefix, entry) in entries {
            match prefix.first().v4_bits().filter(|_| prefix.is_host()) {
                Some(address) => hosts.push((address, entry)),
                None => others.push((std::cmp::Reverse(prefix.bits()), prefix.first(), entry)),
            }
        }
        hosts.sort_unstable();
        for run in hosts.chunk_by_mut(|a, b| a.0 == b.0) {
            run.sort_unstable_by_key(|(_, entry)| order(*entry));
        }
        others.sort_unstable();
        for run in others.chunk_by_mut(|a, b| (a.0, a.1) == (b.0, b.1)) {
            run.sort_unstable_by_key(|(_, _, entry)| order(*entry));
        }
        let mut networks = Self { hosts: Hosts::of(&hosts), ..Self::default() };
        for (bits, network, entry) in others {
            networks.networks.push(network);
            networks.entries.push(entry);
            let end = networks.entries.len();
            match networks.lengths.last_mut() {
                Some((last, last_end)) if *last == bits.0 => *last_end = end,
                _ => networks.lengths.push((bits.0, end)),
            }
        }
        networks.networks.shrink_to_fit();
        networks.entries.shrink_to_fit();
        networks
    }

    /// The entries of every network that holds `address`, longest prefix first.
    pub(super) fn holding(&self, address: Address) -> impl Iterator<Item = u32> {
        let on_host = address.v4_bits().map_or(&[][..], |bits| self.hosts.on(bits));
        let above = self.lengths.iter().scan(0, move |begin, (bits, end)| {
            let network = Prefix::new(address, *bits).first();
            let of_length = &self.networks[*begin..*end];
            let first = *begin + of_length.partition_point(|known| *known < network);
            let last = *begin + of_length.partition_point(|known| *known <= network);
            *begin = *end;
            Some(&self.entries[first..last])
        });
        std::iter::once(on_host).chain(above).flatten().copied()
    }

    /// Every network, sorted and distinct.
    pub(super) fn keys(&self) -> Vec<Prefix> {
        let hosts = self.hosts.addresses.chunk_by(|a, b| a == b);
        let mut keys: Vec<Prefix> = hosts.map(|run| Prefix::host(Address::from_v4_bits(run[0]))).collect();
        let mut begin = 0;
        for (bits, end) in &self.lengths {
            keys.extend(self.networks[begin..*end].iter().map(|network| Prefix::new(*network, *bits)));
            begin = *end;
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// Entries on single addresses of IPv4.
///
/// The bit of a /24 says whether any stands there. How many bits are set before it says where its
/// entries begin.
#[derive(Debug, Clone, Default)]
struct Hosts {
    /// One bit for each /24: 2 MiB. Empty if there are few entries.
    occupied: Vec<u64>,
    /// Bits set before each word of it: 1 MiB.
    ranks: Vec<u32>,
    /// Where the entries of each occupied /24 begin, and where the last ends.
    starts: Vec<u32>,
    /// Sorted; one for each entry.
    addresses: Vec<u32>,
    entries: Vec<u32>,
}

/// Networks of 24 bits.
const SLASH_24S: usize = 1 << 24;

/// Entries below which the bitmap is larger than what it stands before; chosen here: they fill a megabyte.
const FEW: usize = 1 << 17;

impl Hosts {
    /// Those of pairs that are sorted by address.
    fn of(sorted: &[(u32, u32)]) -> Self {
        let addresses = sorted.iter().map(|(address, _)| *address).collect();
        let entries = sorted.iter().map(|(_, entry)| *entry).collect();
        if sorted.len() < FEW {
            return Self { addresses, entries, ..Self::default() };
        }
        let mut occupied = vec![0_u64; SLASH_24S / 64];
        let mut starts = Vec::new();
        let mut begin = 0;
        for run in sorted.chunk_by(|a, b| a.0 >> 8 == b.0 >> 8) {
            let (word, bit) = place(run[0].0);
            occupied[word] |= bit;
            starts.push(begin);
            begin += run.len() as u32;
        }
        starts.push(begin);
        let ranks = occupied
            .iter()
            .scan(0, |before, word| {
                let rank = *before;
                *before += word.count_ones();
                Some(rank)
            })
            .collect();
        Self { occupied, ranks, starts, addresses, entries }
    }

    fn on(&self, address: u32) -> &[u32] {
        let (begin, end) = if self.occupied.is_empty() {
            (0, self.addresses.len())
        } else {
            let (word, bit) = place(address);
            let occupied = self.occupied[word];
            if occupied & bit == 0 {
                return &[];
            }
            let rank = (self.ranks[word] + (occupied & (bit - 1)).count_ones()) as usize;
            (self.starts[rank] as usize, self.starts[rank + 1] as usize)
        };
        let beside = &self.addresses[begin..end];
        let first = begin + beside.partition_point(|known| *known < address);
        let last = begin + beside.partition_point(|known| *known <= address);
        &self.entries[first..last]
    }
}

/// The word and the bit of an address's /24.
fn place(address: u32) -> (usize, u64) {
    ((address >> 14) as usize, 1 << (address >> 8 & 63))
}

/// Which entries may stand under a text: all that do, and by a rare chance one that does not.
///
/// The texts stay where they are. Their hashes are keyed anew in each index, so that nobody can
/// write names that meet.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    state: RandomState,
    /// Sorted; one for each entry.
    hashes: Vec<u64>,
    entries: Vec<u32>,
}

impl Texts {
    /// Sorts entries by the hash of their text, and those of one hash by `order`.
    pub(super) fn of<T: AsRef<str>, K: Ord>(
        entries: impl Iterator<Item = (T, u32)>,
        order: impl Fn(u32) -> K,
    ) -> Self {
        let state = RandomState::new();
        let mut hashed: Vec<(u64, u32)> =
            entries.map(|(text, entry)| (state.hash_one(text.as_ref()), entry)).collect();
        hashed.sort_unstable();
        for run in hashed.chunk_by_mut(|a, b| a.0 == b.0) {
            run.sort_unstable_by_key(|(_, entry)| order(*entry));
        }
        let hashes = hashed.iter().map(|(hash, _)| *hash).collect();
        Self { state, hashes, entries: hashed.iter().map(|(_, entry)| *entry).collect() }
    }

    pub(super) fn on(&self, text: &str) -> impl Iterator<Item = u32> {
        let hash = self.state.hash_one(text);
        let first = self.hashes.partition_point(|known| *known < hash);
        let last = self.hashes.partition_point(|known| *known <= hash);
        self.entries[first..last].iter().copied()
    }

    /// All entries, in no order that means anything.
    pub(super) fn entries(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bitmap_finds_what_a_plain_search_finds() {
        // Runs of neighbours, some addresses twice, both ends of the space.
        let address = |i: u32| (i / 3 * 3).wrapping_mul(0x0061_c887).rotate_left(7) & 0xff3f_ffff;
        let ends = [(0, 7), (u32::MAX, 8), (u32::MAX, 9)];
        let mut sorted: Vec<(u32, u32)> = (0..FEW as u32).map(|i| (address(i), i)).chain(ends).collect();
        sorted.sort_unstable();
        let hosts = Hosts::of(&sorted);
        assert!(!hosts.occupied.is_empty());
        let plain = Hosts { occupied: Vec::new(), ..hosts.clone() };
        for (address, _) in sorted.iter().step_by(7).chain(&ends) {
            for asked in [*address, address ^ 1, address ^ 0x100, address ^ 0x0040_0000] {
                assert_eq!(hosts.on(asked), plain.on(asked), "{asked:x}");
            }
        }
        assert_eq!(hosts.on(u32::MAX), [8, 9]);
    }
}
