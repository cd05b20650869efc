//! A routing table on its way in, prefix by prefix.

use rahdar_model::{Day, Prefix};

use crate::registry::error::DumpError;
use crate::registry::prefix::{PrefixRows, Same};
use crate::registry::{Dump, Part, Table, Topic};

/// The widest IPv4 prefix that is believed: nobody holds more than a /8 (IANA IPv4 address space
/// registry). Wider ones are default routes and leaks, and would hold whatever has no other.
const WIDEST_V4: u8 = 8;
/// The widest IPv6 prefix that is believed: the widest block given to one holder is a /16 (IANA IPv6
/// global unicast assignments, 6to4; ARIN gave another in 2024).
const WIDEST_V6: u8 = 16;

/// Gathers announcements into a dump.
#[derive(Debug, Default)]
pub struct Routes {
    rows: PrefixRows,
    too_wide: u64,
    text: String,
}

impl Routes {
    /// Adds what was seen of one prefix: its origins, in the order in which they are to be told.
    ///
    /// # Errors
    /// [`DumpError::TooLarge`].
    pub fn add(&mut self, prefix: Prefix, asns: &[u32]) -> Result<(), DumpError> {
        let widest = if prefix.first().is_v4() { WIDEST_V4 } else { WIDEST_V6 };
        if prefix.length() < widest || prefix.bits() < WIDEST_V6 {
            self.too_wide += 1;
            return Ok(());
        }
        self.text.clear();
        for asn in asns.iter().take(ORIGINS_MAX) {
            if !self.text.is_empty() {
                self.text.push(' ');
            }
            self.text.push_str(&asn.to_string());
        }
        if self.text.is_empty() { Ok(()) } else { self.rows.add(prefix, &self.text) }
    }

    /// Prefixes left out because nobody holds so much.
    pub fn too_wide(&self) -> u64 {
        self.too_wide
    }

    /// The dump.
    ///
    /// # Errors
    /// [`DumpError::Empty`], [`DumpError::TooLarge`].
    pub fn finish(self, source: &str, as_of: Day) -> Result<Dump, DumpError> {
        let table = Table::Prefixes(self.rows.finish(Same::All)?);
        Ok(Dump { source: source.to_owned(), as_of, parts: vec![Part { topic: Topic::Origin, table }] })
    }
}

/// Origins of one prefix that are kept; chosen here: anycast prefixes have a dozen, and the text of more
/// would be cut within a number.
const ORIGINS_MAX: usize = 20;
