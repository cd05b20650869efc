//! Each distinct text once.

use std::collections::HashMap;

use crate::registry::error::DumpError;

/// Distinct texts of one table at most. Chosen here: there are 80,000 AS and as many ways to announce
/// with another (2026); ten times that.
pub(crate) const TEXTS_MAX: usize = 1_000_000;
/// Octets of one text at most; more is cut. Chosen here: the longest names of organisations have 120.
pub(crate) const TEXT_OCTETS_MAX: usize = 240;

/// Texts by their number.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    numbers: HashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
}

impl Texts {
    /// The number of this text.
    pub(crate) fn number(&mut self, text: &str) -> Result<u32, DumpError> {
        let text = cut(text);
        if let Some(number) = self.numbers.get(text) {
            return Ok(*number);
        }
        if self.texts.len() >= TEXTS_MAX {
            return Err(DumpError::TooLarge { most: TEXTS_MAX, what: "different texts" });
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        Ok(number)
    }

    /// The text of a number that was given out.
    pub(crate) fn get(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }

    /// All of them.
    pub(crate) fn into_inner(self) -> Vec<Box<str>> {
        self.texts
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_OCTETS_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
