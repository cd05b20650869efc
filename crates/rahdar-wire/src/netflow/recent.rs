//! A map that forgets what was not used lately, so that no exporter can fill the memory.

use std::collections::HashMap;
use std::hash::Hash;

use super::saved::{Damaged, Reader, Writer};

/// A map of at most `limit` entries. A new one takes the place of one that was not used since
/// the hand last passed it (the clock algorithm: Corbató, 1968): constant time whatever keys
/// an attacker chooses, and what is in use survives a flood of new keys.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    slots: Vec<Slot<K, V>>,
    places: HashMap<K, usize>,
    hand: usize,
    limit: usize,
}

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    value: V,
    is_used: bool,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    /// An empty map. `limit` is at least 1.
    pub(crate) fn new(limit: usize) -> Self {
        Self { slots: Vec::new(), places: HashMap::new(), hand: 0, limit: limit.max(1) }
    }

    /// The value of `key`, which counts as used.
    pub(crate) fn get(&mut self, key: K) -> Option<&mut V> {
        let slot = &mut self.slots[*self.places.get(&key)?];
        slot.is_used = true;
        Some(&mut slot.value)
    }

    /// Puts a value in; gives back the one that had to go, be it of the same key or another.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        match self.places.get(&key) {
            Some(place) => Some((key, std::mem::replace(&mut self.slots[*place].value, value))),
            None => self.put(key, value).1,
        }
    }

    /// The value of `key`, made if it is not there, and the one that had to go for it.
    pub(crate) fn get_or_insert(&mut self, key: K, make: impl FnOnce() -> V) -> (&mut V, Option<(K, V)>) {
        let (place, gone) = match self.places.get(&key) {
            Some(place) => {
                self.slots[*place].is_used = true;
                (*place, None)
            }
            None => self.put(key, make()),
        };
        (&mut self.slots[place].value, gone)
    }

    /// Puts in what is not there yet. It counts as used once it is asked for, and stays for a
    /// whole round of the hand in any case.
    fn put(&mut self, key: K, value: V) -> (usize, Option<(K, V)>) {
        let slot = Slot { key, value, is_used: false };
        if self.slots.len() < self.limit {
            self.places.insert(key, self.slots.len());
            self.slots.push(slot);
            return (self.slots.len() - 1, None);
        }
        let place = self.unused();
        let gone = std::mem::replace(&mut self.slots[place], slot);
        self.places.remove(&gone.key);
        self.places.insert(key, place);
        self.hand = place + 1;
        (place, Some((gone.key, gone.value)))
    }

    /// Takes the value of `key` out.
    pub(super) fn remove(&mut self, key: K) -> Option<V> {
        let place = self.places.remove(&key)?;
        let slot = self.slots.swap_remove(place);
        if let Some(moved) = self.slots.get(place) {
            self.places.insert(moved.key, place);
        }
        Some(slot.value)
    }

    /// Takes out an entry that was not used since the hand last passed it.
    pub(super) fn remove_unused(&mut self) -> Option<(K, V)> {
        if self.slots.is_empty() {
            return None;
        }
        let place = self.unused();
        let key = self.slots[place].key;
        self.remove(key).map(|value| (key, value))
    }

    /// Moves the hand to an entry that was not used since it last passed; if all were, to the one
    /// that it points at now. There is at least one entry.
    fn unused(&mut self) -> usize {
        loop {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            if !std::mem::take(&mut self.slots[self.hand].is_used) {
                return self.hand;
            }
            self.hand += 1;
        }
    }

    /// Every value, in no order.
    pub(super) fn into_values(self) -> impl Iterator<Item = V> {
        self.slots.into_iter().map(|slot| slot.value)
    }

    /// Writes every entry, and which of them would have to go first.
    pub(crate) fn save(&self, to: &mut Writer, mut write: impl FnMut(&mut Writer, K, &V)) {
        to.u64(self.hand as u64);
        to.list(self.slots.iter(), |to, slot| {
            to.u8(u8::from(slot.is_used));
            write(to, slot.key, &slot.value);
        });
    }

    /// Reads what [`Recent::save`] wrote.
    pub(crate) fn restore(
        limit: usize,
        from: &mut Reader<'_>,
        mut read: impl FnMut(&mut Reader<'_>) -> Result<(K, V), Damaged>,
    ) -> Result<Self, Damaged> {
        let mut map = Self::new(limit);
        map.hand = usize::try_from(from.u64()?).map_err(|_| Damaged)?;
        map.slots = from.list(|from| {
            let is_used = from.u8()? == 1;
            read(from).map(|(key, value)| Slot { key, value, is_used })
        })?;
        map.places = map.slots.iter().enumerate().map(|(place, slot)| (slot.key, place)).collect();
        if map.slots.len() > map.limit || map.places.len() < map.slots.len() {
            return Err(Damaged);
        }
        Ok(map)
    }

    /// Every entry, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.slots.iter().map(|slot| (slot.key, &slot.value))
    }

    /// Every entry, in no order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        self.slots.iter_mut().map(|slot| (slot.key, &mut slot.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_survives_a_flood() {
        let mut map = Recent::new(10);
        map.insert(0, "kept");
        for key in 1..1_000 {
            assert_eq!(map.get(0), Some(&mut "kept"), "before {key}");
            map.insert(key, "flood");
        }
        assert_eq!(map.iter_mut().count(), 10);
    }

    #[test]
    fn a_removed_entry_leaves_the_others_in_place() {
        let mut map = Recent::new(4);
        for key in 0..4 {
            map.insert(key, key * 10);
        }
        assert_eq!(map.remove(1), Some(10));
        assert_eq!(map.remove(1), None);
        for key in [0, 2, 3] {
            assert_eq!(map.get(key), Some(&mut (key * 10)));
        }
        assert_eq!(map.insert(2, 21), Some((2, 20)));
    }

    #[test]
    fn an_empty_map_has_nothing_to_remove() {
        assert!(Recent::<u8, u8>::new(1).remove_unused().is_none());
    }
}
