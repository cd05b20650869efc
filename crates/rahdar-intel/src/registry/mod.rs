//! Public files about the networks of the Internet, each of a day: who announces a prefix, whose the AS
//! is, of which sector and in which country (`methods.md` §8).
//!
//! * [`kind`] and [`read()`] take the octets of a file, told by its content; a dump of a routing table,
//!   which is too large for that, comes prefix by prefix into [`Routes`]. Both give a [`Dump`].
//! * [`packed`]: a dump as octets to be kept, and back; its [`Label`] can be read without the rest.
//! * [`prefix`] and [`number`]: the tables inside.
//! * [`ask`] answers questions of an address on a day: the latest dump of each source that is not after
//!   that day. Dumps are taken from a [`Shelf`] one at a time.
//!
//! Nothing here decides between sources. Every answer says whose it is and of which day.

mod ask;
mod date;
mod error;
pub mod number;
pub mod packed;
pub mod prefix;
mod read;
mod routes;
mod texts;

use rahdar_model::Day;

pub use ask::{Answer, Question, Shelf, ask};
pub use error::{BadLine, DumpError, LineError};
pub use packed::{Damaged, Label};
pub use read::{DUMP_OCTETS_MAX, Kind, kind, read};
pub use routes::Routes;

use crate::registry::number::NumberTable;
use crate::registry::prefix::PrefixTable;

/// What one file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// Whose word it is, such as `CAIDA pfx2as, IPv4`. Dumps of one source follow each other.
    pub source: String,
    /// As of which day.
    pub as_of: Day,
    /// What it tells, a topic once.
    pub parts: Vec<Part>,
}

/// What a dump says on one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What about.
    pub topic: Topic,
    /// The rows.
    pub table: Table,
}

/// The rows of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Table {
    /// By prefix.
    Prefixes(PrefixTable),
    /// By AS.
    Numbers(NumberTable),
}

impl Table {
    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Prefixes(table) => table.len(),
            Self::Numbers(table) => table.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Which AS announces a prefix: their numbers, with a space between.
    Origin,
    /// In which country a prefix is registered.
    Registered,
    /// In which country a database of places has a prefix.
    Geolocated,
    /// Whose an AS is.
    Organisation,
    /// In which country that organisation is registered.
    Seat,
    /// In which country the operator of an AS says it works.
    Operating,
    /// Of which sector an AS is.
    Sector,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 7] = [
        Self::Origin,
        Self::Registered,
        Self::Geolocated,
        Self::Organisation,
        Self::Seat,
        Self::Operating,
        Self::Sector,
    ];

    /// The word kept and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Registered => "registered",
            Self::Geolocated => "geolocated",
            Self::Organisation => "organisation",
            Self::Seat => "seat",
            Self::Operating => "operating",
            Self::Sector => "sector",
        }
    }

    /// The topic of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.word() == word)
    }

    /// Whether its tables are by prefix, not by AS.
    pub(crate) const fn is_by_prefix(self) -> bool {
        matches!(self, Self::Origin | Self::Registered | Self::Geolocated)
    }
}

#[cfg(test)]
mod tests;
