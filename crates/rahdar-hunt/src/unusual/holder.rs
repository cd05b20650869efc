//! Who holds an address, for asking whether a host has dealt with them before.
//!
//! The AS that announced the longest prefix around the address, by the latest routing table of each source that
//! is not after the day of the flow; before the earliest table, by that one. Where several announced it, it is
//! all of theirs. And always the smallest block that can be announced by itself: the /24 or the /48 around the
//! address, beyond which routes are filtered (RFC 7454 §6.1.3). A host has dealt with a holder if it has dealt with
//! the AS or with the block: a network that moves to another AS, or whose first table comes late, is not new again.
//!
//! Where no table tells of an address, the block is all there is: the networks of one holder are then many, and
//! more of them are new, before the hour and in it.
//!
//! ```
//! use rahdar_hunt::unusual::holder::Holders;
//! use rahdar_model::Day;
//!
//! let holders = Holders::default();
//! let all: Vec<String> =
//!     holders.of("192.0.2.9".parse().unwrap(), Day(18_800)).map(|holder| holder.to_string()).collect();
//! assert_eq!(all, ["192.0.2.0/24"]);
//! ```

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use rahdar_intel::registry::{Dump, Label, Question, Shelf, Topic, ask};
use rahdar_model::{Address, Day, Prefix};

/// The longest IPv4 prefix that is commonly routed, of 128 bits: a /24.
const BLOCK_V4: u8 = 96 + 24;
/// The same of IPv6.
const BLOCK_V6: u8 = 48;
/// Addresses that are asked of one table at a time. Chosen here: some 300 octets an answer.
const BATCH: usize = 200_000;

/// Who holds an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// An autonomous system.
    As(u32),
    /// The smallest block that is routed by itself.
    Block(Prefix),
}

impl Holder {
    fn block(address: Address) -> Self {
        Self::Block(Prefix::new(address, if address.is_v4() { BLOCK_V4 } else { BLOCK_V6 }))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::As(asn) => write!(f, "AS{asn}"),
            Self::Block(prefix) => prefix.fmt(f),
        }
    }
}

/// The days of which there is a routing table, sorted and distinct.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableDays(Vec<Day>);

impl TableDays {
    /// Those of a shelf with these labels.
    pub fn of(labels: &[Label]) -> Self {
        let days: BTreeSet<Day> =
            labels.iter().filter(|label| label.tells(Topic::Origin)).map(|label| label.as_of).collect();
        Self(days.into_iter().collect())
    }

    /// Whether there is no table.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The day of the earliest table.
    pub fn earliest(&self) -> Option<Day> {
        self.0.first().copied()
    }

    /// The day of the newest table that is not after `day`, or else of the earliest.
    pub fn before(&self, day: Day) -> Option<Day> {
        let place = self.0.partition_point(|table| *table <= day);
        self.0.get(place.saturating_sub(1)).copied()
    }
}

/// Who held which address when.
#[derive(Debug, Clone, Default)]
pub struct Holders {
    days: TableDays,
    /// By address and day of the table. Those that no table tells of are left out.
    origins: HashMap<(Address, Day), Vec<u32>>,
}

impl Holders {
    /// Asks the tables of the shelf for these addresses, each as of the day of a table.
    ///
    /// # Errors
    /// Those of the shelf.
    pub fn ask<S: Shelf>(shelf: &S, addresses: &BTreeSet<(Day, Address)>) -> Result<Self, S::Error> {
        let routes = Routes::of(shelf);
        let mut holders = Self { days: TableDays::of(&routes.labels), origins: HashMap::new() };
        let addresses: Vec<&(Day, Address)> = addresses.iter().collect();
        for batch in addresses.chunks(BATCH) {
            let question =
                |(at, address): &&(Day, Address)| Question { address: *address, at: *at, asn: None };
            let questions: Vec<Question> = batch.iter().map(question).collect();
            for (question, answer) in questions.iter().zip(ask(&routes, &questions)?) {
                let all = answer.origins.iter().flat_map(|origin| origin.value.asns.iter().copied());
                let mut asns: Vec<u32> = Vec::new();
                for asn in all {
                    if !asns.contains(&asn) {
                        asns.push(asn);
                    }
                }
                if !asns.is_empty() {
                    holders.origins.insert((question.address, question.at), asns);
                }
            }
        }
        Ok(holders)
    }

    /// Who held the address on that day: each AS, and the block.
    pub fn of(&self, address: Address, day: Day) -> impl Iterator<Item = Holder> {
        let asns = self.days.before(day).and_then(|at| self.origins.get(&(address, at)));
        asns.into_iter().flatten().map(|asn| Holder::As(*asn)).chain([Holder::block(address)])
    }

    /// Who is told to have held it: the first AS, or else the block.
    pub fn told(&self, address: Address, day: Day) -> Holder {
        self.of(address, day).next().unwrap_or(Holder::block(address))
    }
}

/// The routing tables of a shelf, and nothing else that stands there.
struct Routes<'a, S> {
    shelf: &'a S,
    labels: Vec<Label>,
    places: Vec<usize>,
}

impl<'a, S: Shelf> Routes<'a, S> {
    fn of(shelf: &'a S) -> Self {
        let all = shelf.labels().iter().enumerate();
        let (places, labels) =
            all.filter(|(_, label)| label.tells(Topic::Origin)).map(|(i, label)| (i, label.clone())).unzip();
        Self { shelf, labels, places }
    }
}

impl<S: Shelf> Shelf for Routes<'_, S> {
    type Error = S::Error;

    fn labels(&self) -> &[Label] {
        &self.labels
    }

    fn take(&self, place: usize) -> Result<Dump, S::Error> {
        self.shelf.take(self.places[place])
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use rahdar_intel::registry;

    use super::*;

    struct Dumps(Vec<Label>, Vec<Dump>);

    impl Shelf for Dumps {
        type Error = Infallible;

        fn labels(&self) -> &[Label] {
            &self.0
        }

        fn take(&self, place: usize) -> Result<Dump, Infallible> {
            Ok(self.1[place].clone())
        }
    }

    fn table(day: i32, asns: &[u32]) -> Dump {
        let mut routes = registry::Routes::default();
        routes.add("192.0.2.0/24".parse().unwrap(), asns).unwrap();
        routes.finish("routes", Day(day)).unwrap()
    }

    #[test]
    fn an_address_is_held_by_who_announced_it_on_the_day() {
        let dumps = vec![table(100, &[64_500]), table(200, &[64_501, 64_502])];
        let shelf = Dumps(dumps.iter().map(Label::of).collect(), dumps);
        let days = TableDays::of(shelf.labels());
        let address: Address = "192.0.2.9".parse().unwrap();
        let other: Address = "2001:db8::9".parse().unwrap();
        let asked: BTreeSet<(Day, Address)> = [50, 100, 199, 200, 300]
            .into_iter()
            .flat_map(|day| [address, other].map(|address| (days.before(Day(day)).unwrap(), address)))
            .collect();
        assert_eq!(asked.len(), 4, "a table is asked of an address once");
        let holders = Holders::ask(&shelf, &asked).unwrap();
        let check = |day: i32, address, expected: &[&str]| {
            let all: Vec<String> = holders.of(address, Day(day)).map(|holder| holder.to_string()).collect();
            assert_eq!(all, expected);
        };
        check(50, address, &["AS64500", "192.0.2.0/24"]);
        check(199, address, &["AS64500", "192.0.2.0/24"]);
        check(200, address, &["AS64501", "AS64502", "192.0.2.0/24"]);
        check(200, other, &["2001:db8::/48"]);
        assert_eq!(holders.told(address, Day(250)), Holder::As(64_501));
    }
}
