//! Prefixes with a text each, to be asked for the longest that holds an address.
//!
//! Rows are sorted by first address, then by length; each knows the next wider row that holds it. The last
//! row that begins at or before an address either holds it, and is then the longest that does, or
//! lies inside every row that does: so the way leads up. One binary search, and at most 128 steps. For IPv4, the
//! search begins among the rows of the same first 16 bits.
//!
//! ```
//! use rahdar_intel::registry::prefix::{PrefixRows, Same};
//!
//! let mut rows = PrefixRows::default();
//! rows.add("203.0.113.0/24".parse().unwrap(), "64500").unwrap();
//! rows.add("203.0.113.64/26".parse().unwrap(), "64501").unwrap();
//! let table = rows.finish(Same::First).unwrap();
//! let asked = |address: &str| table.longest(address.parse().unwrap()).map(|(prefix, text)| (prefix.to_string(), text.to_owned()));
//! assert_eq!(asked("203.0.113.65"), Some(("203.0.113.64/26".to_owned(), "64501".to_owned())));
//! assert_eq!(asked("203.0.113.200"), Some(("203.0.113.0/24".to_owned(), "64500".to_owned())));
//! assert_eq!(asked("198.51.100.1"), None);
//! ```

use rahdar_model::{Address, Prefix};

use crate::registry::error::DumpError;
use crate::registry::texts::Texts;

/// Rows of one table at most, in memory 25 octets each, and 256 KiB. Chosen here: all that is announced is 1.3 million
/// prefixes (2026), a database of places has 5 million.
pub(crate) const ROWS_MAX: usize = 8_000_000;

/// No row holds this one.
const NO_PARENT: u32 = u32::MAX;

/// Prefixes with a text each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrefixTable {
    firsts: Vec<u128>,
    bits: Vec<u8>,
    numbers: Vec<u32>,
    parents: Vec<u32>,
    /// Where the rows of each block of IPv4 begin, and where those of the last end.
    blocks: Vec<u32>,
    texts: Vec<Box<str>>,
}

/// Blocks of IPv4 that are found at once: /16.
const BLOCKS: u32 = 1 << 16;

impl PrefixTable {
    /// The table of these columns; none unless rows are sorted, each once, and their texts are there.
    pub(crate) fn of(
        firsts: Vec<u128>,
        bits: Vec<u8>,
        numbers: Vec<u32>,
        texts: Vec<Box<str>>,
    ) -> Option<Self> {
        let mut parents = Vec::with_capacity(firsts.len());
        let mut open: Vec<u32> = Vec::new();
        for row in 0..firsts.len() {
            let (first, length) = (firsts[row], bits[row]);
            let is_whole =
                length <= 128 && Prefix::new(Address::from_bits(first), length).first().bits() == first;
            let follows = row == 0 || (firsts[row - 1], bits[row - 1]) < (first, length);
            if !is_whole || !follows || numbers[row] as usize >= texts.len() {
                return None;
            }
            let holds = |wider: &u32| {
                prefix(firsts[*wider as usize], bits[*wider as usize]).contains(Address::from_bits(first))
            };
            while open.last().is_some_and(|wider| !holds(wider)) {
                open.pop();
            }
            parents.push(open.last().copied().unwrap_or(NO_PARENT));
            open.push(row as u32);
        }
        let begins = |block: u32| match block {
            BLOCKS => firsts.partition_point(|first| *first <= Address::from_v4_bits(u32::MAX).bits()),
            block => firsts.partition_point(|first| *first < Address::from_v4_bits(block << 16).bits()),
        };
        let blocks = (0..=BLOCKS).map(|block| begins(block) as u32).collect();
        Some(Self { firsts, bits, numbers, parents, blocks, texts })
    }

    /// The longest prefix that holds `address`, and its text.
    pub fn longest(&self, address: Address) -> Option<(Prefix, &str)> {
        let mut row = self.after(address).checked_sub(1)?;
        loop {
            let found = prefix(self.firsts[row], self.bits[row]);
            if found.contains(address) {
                return Some((found, &self.texts[self.numbers[row] as usize]));
            }
            match self.parents[row] {
                NO_PARENT => return None,
                parent => row = parent as usize,
            }
        }
    }

    /// The first row that begins after `address`.
    fn after(&self, address: Address) -> usize {
        let block =
            address.v4_bits().and_then(|bits| self.blocks.get((bits >> 16) as usize..)?.first_chunk());
        let (from, until) = match block {
            Some(&[from, until]) => (from as usize, until as usize),
            None => (0, self.firsts.len()),
        };
        from + self.firsts[from..until].partition_point(|first| *first <= address.bits())
    }

    /// How many prefixes.
    pub fn len(&self) -> usize {
        self.firsts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.firsts.is_empty()
    }

    /// Rows in their order: first address, bits of 128, the number of the text.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u128, u8, u32)> {
        self.firsts
            .iter()
            .zip(&self.bits)
            .zip(&self.numbers)
            .map(|((first, bits), number)| (*first, *bits, *number))
    }

    /// The texts, by their numbers.
    pub(crate) fn texts(&self) -> &[Box<str>] {
        &self.texts
    }
}

fn prefix(first: u128, bits: u8) -> Prefix {
    Prefix::new(Address::from_bits(first), bits)
}

/// What becomes of a prefix that was given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Same {
    /// The first text counts.
    First,
    /// The words of all texts, each once.
    All,
}

/// Rows on their way into a table, in any order.
#[derive(Debug, Default)]
pub struct PrefixRows {
    rows: Vec<(Prefix, u32)>,
    texts: Texts,
    /// Addresses that follow each other and have the same text: first, last, number.
    run: Option<(u128, u128, u32)>,
}

impl PrefixRows {
    /// Adds a prefix.
    ///
    /// # Errors
    /// [`DumpError::TooLarge`].
    pub fn add(&mut self, prefix: Prefix, text: &str) -> Result<(), DumpError> {
        let number = self.texts.number(text)?;
        self.push(prefix, number)
    }

    /// Adds all addresses from `first` to `last`. Ranges that follow each other and have the same text
    /// become one, so what a row of the table spans is no registered block.
    ///
    /// # Errors
    /// [`DumpError::TooLarge`].
    pub(crate) fn add_range(&mut self, first: Address, last: Address, text: &str) -> Result<(), DumpError> {
        let number = self.texts.number(text)?;
        let (first, last) = (first.bits(), last.bits());
        if let Some((_, end, same)) = &mut self.run
            && *same == number
            && end.checked_add(1) == Some(first)
        {
            *end = last;
            return Ok(());
        }
        self.end_run()?;
        self.run = Some((first, last, number));
        Ok(())
    }

    /// The table.
    ///
    /// # Errors
    /// [`DumpError::TooLarge`]; [`DumpError::Empty`] if nothing was added.
    pub fn finish(mut self, same: Same) -> Result<PrefixTable, DumpError> {
        self.end_run()?;
        self.rows.sort_by_key(|(prefix, _)| (prefix.first(), prefix.bits()));
        let mut texts = self.texts;
        let mut kept: Vec<(Prefix, u32)> = Vec::new();
        for (prefix, number) in self.rows {
            match kept.last_mut() {
                Some((last, first)) if *last == prefix => {
                    if same == Same::All && *first != number {
                        let both = joined(texts.get(*first), texts.get(number));
                        *first = texts.number(&both)?;
                    }
                }
                _ => kept.push((prefix, number)),
            }
        }
        let firsts = kept.iter().map(|(prefix, _)| prefix.first().bits()).collect();
        let bits = kept.iter().map(|(prefix, _)| prefix.bits()).collect();
        let numbers = kept.iter().map(|(_, number)| *number).collect();
        let table = PrefixTable::of(firsts, bits, numbers, texts.into_inner());
        table.filter(|table| !table.is_empty()).ok_or(DumpError::Empty)
    }

    fn push(&mut self, prefix: Prefix, number: u32) -> Result<(), DumpError> {
        if self.rows.len() >= ROWS_MAX {
            return Err(DumpError::TooLarge { most: ROWS_MAX, what: "rows" });
        }
        self.rows.push((prefix, number));
        Ok(())
    }

    /// Cuts the run into prefixes: at each step the widest that begins there and does not go beyond.
    fn end_run(&mut self) -> Result<(), DumpError> {
        let Some((mut first, last, number)) = self.run.take() else { return Ok(()) };
        loop {
            let mut free = first.trailing_zeros().min(128);
            while free > 0
                && (free == 128 || first | ((1 << free) - 1) > last)
                && !(free == 128 && last == u128::MAX)
            {
                free -= 1;
            }
            let found = prefix(first, (128 - free) as u8);
            self.push(found, number)?;
            match found.last().bits().checked_add(1) {
                Some(next) if next <= last => first = next,
                _ => return Ok(()),
            }
        }
    }
}

/// The words of both, each once, in their order.
fn joined(one: &str, other: &str) -> String {
    let mut words: Vec<&str> = one.split(' ').collect();
    for word in other.split(' ') {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(rows: &[(Prefix, String)]) -> PrefixTable {
        let mut builder = PrefixRows::default();
        for (prefix, text) in rows {
            builder.add(*prefix, text).unwrap();
        }
        builder.finish(Same::First).unwrap()
    }

    proptest! {
        /// The table answers as a search through all rows does.
        #[test]
        fn the_longest_prefix_is_found(
            rows in prop::collection::vec((any::<u16>(), 0_u8..=16), 1..60),
            asked in prop::collection::vec(any::<u16>(), 20),
            shift in prop::sample::select(vec![112, 20, 8, 0]),
        ) {
            // IPv6, and IPv4 across blocks and within.
            let base = if shift == 112 { 1 } else { Address::from_v4_bits(0xcb00_0000).bits() };
            let address = |n: u16| Address::from_bits((u128::from(n) << shift) | base);
            let rows: Vec<(Prefix, String)> =
                rows.iter().enumerate().map(|(i, (n, bits))| (Prefix::new(address(*n), *bits + 112 - shift), i.to_string())).collect();
            let table = table(&rows);
            for n in asked {
                let longest = rows.iter().filter(|(prefix, _)| prefix.contains(address(n))).map(|(prefix, _)| prefix.bits()).max();
                // Of equal prefixes the first counts.
                let expected = longest.and_then(|bits| {
                    rows.iter().find(|(prefix, _)| prefix.bits() == bits && prefix.contains(address(n)))
                });
                let expected = expected.map(|(prefix, text)| (*prefix, text.as_str()));
                prop_assert_eq!(table.longest(address(n)), expected);
            }
        }

        /// A range becomes prefixes that hold its addresses and no others.
        #[test]
        fn a_range_is_cut_exactly(a in any::<u16>(), b in any::<u16>(), asked in any::<u16>()) {
            let (first, last) = (a.min(b), a.max(b));
            let address = |n: u16| Address::from_v4_bits(0xcb00_0000 | u32::from(n));
            let mut rows = PrefixRows::default();
            rows.add_range(address(first), address(last), "AF").unwrap();
            let table = rows.finish(Same::First).unwrap();
            let is_inside = (first..=last).contains(&asked);
            prop_assert_eq!(table.longest(address(asked)).is_some(), is_inside);
            prop_assert!(table.len() <= 30);
        }
    }

    #[test]
    fn ranges_that_follow_each_other_are_one() {
        let mut rows = PrefixRows::default();
        let address = |text: &str| text.parse::<Address>().unwrap();
        rows.add_range(address("203.0.113.0"), address("203.0.113.127"), "AF").unwrap();
        rows.add_range(address("203.0.113.128"), address("203.0.113.255"), "AF").unwrap();
        let table = rows.finish(Same::First).unwrap();
        assert_eq!(
            (table.len(), table.longest(address("203.0.113.9")).unwrap().0.to_string()),
            (1, "203.0.113.0/24".to_owned())
        );
        let mut all = PrefixRows::default();
        all.add_range(Address::from_bits(0), Address::from_bits(u128::MAX), "x").unwrap();
        assert_eq!(all.finish(Same::First).unwrap().len(), 1);
    }

    #[test]
    fn texts_of_a_prefix_given_twice_are_joined_where_asked() {
        let mut rows = PrefixRows::default();
        for text in ["64500 64501", "64502 64500"] {
            rows.add("203.0.113.0/24".parse().unwrap(), text).unwrap();
        }
        let table = rows.finish(Same::All).unwrap();
        assert_eq!(table.longest("203.0.113.9".parse().unwrap()).unwrap().1, "64500 64501 64502");
        assert_eq!(PrefixRows::default().finish(Same::All), Err(DumpError::Empty));
    }
}
