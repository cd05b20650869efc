//! AS numbers with a text each.

use crate::registry::error::DumpError;
use crate::registry::texts::Texts;

/// Rows of one table at most. Chosen here: 120,000 numbers are assigned (2026); eight times that.
pub(crate) const NUMBERS_MAX: usize = 1_000_000;

/// AS numbers with a text each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NumberTable {
    asns: Vec<u32>,
    numbers: Vec<u32>,
    texts: Vec<Box<str>>,
}

impl NumberTable {
    /// The table of these columns; none unless numbers ascend and their texts are there.
    pub(crate) fn of(asns: Vec<u32>, numbers: Vec<u32>, texts: Vec<Box<str>>) -> Option<Self> {
        let ascends = asns.is_sorted_by(|a, b| a < b);
        let is_known = numbers.iter().all(|number| (*number as usize) < texts.len());
        (ascends && is_known && asns.len() == numbers.len()).then_some(Self { asns, numbers, texts })
    }

    /// The text of this AS.
    pub fn get(&self, asn: u32) -> Option<&str> {
        let row = self.asns.binary_search(&asn).ok()?;
        Some(&self.texts[self.numbers[row] as usize])
    }

    /// How many AS.
    pub fn len(&self) -> usize {
        self.asns.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.asns.is_empty()
    }

    /// Rows in their order: the AS, the number of the text.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u32, u32)> {
        self.asns.iter().copied().zip(self.numbers.iter().copied())
    }

    /// The texts, by their numbers.
    pub(crate) fn texts(&self) -> &[Box<str>] {
        &self.texts
    }
}

/// Rows on their way into a table, in any order. The first text of an AS counts.
#[derive(Debug, Default)]
pub struct NumberRows {
    rows: Vec<(u32, u32)>,
    texts: Texts,
}

impl NumberRows {
    /// Adds an AS; without a text, it is left out.
    ///
    /// # Errors
    /// [`DumpError::TooLarge`].
    pub fn add(&mut self, asn: u32, text: &str) -> Result<(), DumpError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        if self.rows.len() >= NUMBERS_MAX {
            return Err(DumpError::TooLarge { most: NUMBERS_MAX, what: "AS numbers" });
        }
        self.rows.push((asn, self.texts.number(text)?));
        Ok(())
    }

    /// The table; it may be empty.
    pub fn finish(mut self) -> NumberTable {
        self.rows.sort_by_key(|(asn, _)| *asn);
        self.rows.dedup_by_key(|(asn, _)| *asn);
        let (asns, numbers) = self.rows.into_iter().unzip();
        NumberTable { asns, numbers, texts: self.texts.into_inner() }
    }
}
