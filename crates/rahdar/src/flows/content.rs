//! What a content is known by: the hash of its first octets, up to its end or to where it was read.

use std::collections::BTreeSet;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

/// The first octets of a content, by their number and their hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// How many.
    pub(crate) octets: u64,
    /// Their hash, as inputs are named by it; nothing of no octets.
    pub(crate) hash: String,
}

/// Hashes a content as it is read.
#[derive(Clone, Default)]
pub(crate) struct Hashing {
    hasher: blake3::Hasher,
    octets: u64,
}

impl Hashing {
    /// Octets hashed.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// What was read so far.
    pub(crate) fn mark(&self) -> Mark {
        match self.octets {
            0 => Mark::default(),
            octets => Mark { octets, hash: self.id() },
        }
    }

    /// The name of an input that holds this content.
    pub(crate) fn id(&self) -> String {
        format!("blake3:{}", self.hasher.finalize().to_hex())
    }

    /// Reads on to this octet; false if the content ends before it, or is damaged: it is then known by what can be
    /// read.
    pub(crate) fn read_to(&mut self, content: &mut dyn Read, until: u64) -> io::Result<bool> {
        let mut buffer = vec![0; 1 << 16];
        while self.octets < until {
            let wanted = buffer.len().min(usize::try_from(until - self.octets).unwrap_or(usize::MAX));
            match content.read(&mut buffer[..wanted]) {
                Ok(0) => return Ok(false),
                Ok(n) => {
                    self.hasher.update(&buffer[..n]);
                    self.octets += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if rahdar_wire::is_damage(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads on to the end; returns the longest of these marks that the content begins with.
    pub(crate) fn read_past(
        &mut self,
        content: &mut dyn Read,
        marks: &BTreeSet<Mark>,
    ) -> io::Result<Option<Mark>> {
        let mut met = None;
        for mark in marks.iter().filter(|mark| mark.octets > 0) {
            if !self.read_to(content, mark.octets)? {
                return Ok(met);
            }
            if self.mark() == *mark {
                met = Some(mark.clone());
            }
        }
        self.read_to(content, u64::MAX)?;
        Ok(met)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(text: &str) -> Mark {
        let mut hashing = Hashing::default();
        hashing.read_past(&mut text.as_bytes(), &BTreeSet::new()).unwrap();
        hashing.mark()
    }

    fn check(text: &str, marks: &[&str], expected: Option<&str>) {
        let marks = marks.iter().map(|text| mark(text)).collect();
        let mut hashing = Hashing::default();
        let met = hashing.read_past(&mut text.as_bytes(), &marks).unwrap();
        assert_eq!(met, expected.map(mark), "{text}");
        assert_eq!(hashing.mark(), mark(text), "it is hashed to its end");
    }

    #[test]
    fn a_content_is_known_by_the_longest_mark_that_it_begins_with() {
        check("one two", &["one", "one two", "one two three"], Some("one two"));
        check("one two", &["one", "two", "xxx"], Some("one"));
        check("one two", &["two", ""], None);
        check("", &["one"], None);
    }
}
