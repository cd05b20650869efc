//! What is known of a victim: whose network, where, and what the host does; each with who says so, and
//! as of which day.

use std::sync::Arc;

use crate::address::Prefix;
use crate::time::Day;

/// What one source says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated<T> {
    /// What.
    pub value: T,
    /// Who.
    pub source: Arc<str>,
    /// As of which day; none for the operator, whose word holds until it is changed.
    pub as_of: Option<Day>,
}

impl<T> Stated<T> {
    /// Whether the other is of the same source: of one file, or of the files of two registries, only one of which has a
    /// network at a time (`delegated, ripencc` and `delegated, apnic`).
    pub fn is_of_source_of(&self, other: &Self) -> bool {
        const REGISTRIES: &str = "delegated, ";
        self.source == other.source || [self, other].iter().all(|said| said.source.starts_with(REGISTRIES))
    }
}

/// The longest prefix that was announced, and by which AS. Several where several announced it, or where
/// the path ended in a set: nobody can tell which of them had the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What was announced.
    pub prefix: Prefix,
    /// By which, in the order of the source.
    pub asns: Vec<u32>,
}

/// Where a network is. Three questions, whose answers may differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Countries {
    /// Where its registry has it.
    pub registered: Vec<Stated<String>>,
    /// Where a database of places has it.
    pub geolocated: Vec<Stated<String>>,
    /// Where its operator works.
    pub operating: Vec<Stated<String>>,
}

impl Countries {
    /// Whether two statements of one time name different countries, at the first contact or at the last. What
    /// one source says of two days is a move, and so is what two registries say of two days.
    pub fn disagree(&self) -> bool {
        let differ = |is_of_that_time: fn(&Stated<String>, &[Stated<String>]) -> bool| {
            let all = [&self.operating, &self.registered, &self.geolocated].into_iter();
            let by_source = all.flat_map(|said| said.chunk_by(Stated::is_of_source_of));
            let mut then =
                by_source.flat_map(|same| same.iter().filter(move |said| is_of_that_time(said, same)));
            then.next().is_some_and(|first| then.any(|other| other.value != first.value))
        };
        differ(|said, same| said.as_of == same[0].as_of)
            || differ(|said, same| said.as_of == same[same.len() - 1].as_of)
    }

    /// Whether a source names one country on one day and another on a later one.
    pub fn moved(&self) -> bool {
        [&self.operating, &self.registered, &self.geolocated].into_iter().any(|said| {
            said.windows(2).any(|two| {
                let is_later = two[0].as_of != two[1].as_of;
                two[0].is_of_source_of(&two[1]) && is_later && two[0].value != two[1].value
            })
        })
    }
}

/// A role, and the chance that it is the host's.
#[derive(Debug, Clone, PartialEq)]
pub struct Chance {
    /// Such as `mail server`.
    pub role: String,
    /// 0–1; with the others that were weighed, 1.
    pub p: f64,
}

/// What the behaviour of a host says of its role (`methods.md` §8).
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// The likeliest.
    pub top: Chance,
    /// The next.
    pub runner_up: Chance,
    /// What was seen, heaviest first.
    pub reasons: Vec<String>,
    /// The last day that was looked at.
    pub until: Day,
}

/// Everything known of one victim, at its first believed contact.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// The prefix and its origin, the newest source first; of a source where it moved until the last
    /// contact, both, by date.
    pub origins: Vec<Stated<Origin>>,
    /// Whose network. The first is told.
    pub orgs: Vec<Stated<String>>,
    /// Of which sector. The first is told.
    pub sectors: Vec<Stated<String>>,
    /// Where.
    pub countries: Countries,
    /// What a person says it does; told instead of its behaviour.
    pub role: Option<Stated<String>>,
    /// What it was seen to do; none where nothing was seen of it.
    pub behaviour: Option<Behaviour>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_disagree_where_two_are_named() {
        let stated = |code: &str| Stated { value: code.to_owned(), source: "x".into(), as_of: None };
        let mut countries = Countries::default();
        assert!(!countries.disagree());
        countries.registered = vec![stated("AF")];
        countries.operating = vec![stated("AF")];
        assert!(!countries.disagree());
        countries.geolocated = vec![stated("AE")];
        assert!(countries.disagree());
    }

    #[test]
    fn a_move_is_no_disagreement() {
        let stated = |code: &str, source: &str, day: i32| Stated {
            value: code.to_owned(),
            source: source.into(),
            as_of: Some(Day(day)),
        };
        let moved = |source: &str| vec![stated("AF", source, 1), stated("PK", source, 60)];
        let mut countries = Countries { geolocated: moved("places"), ..Countries::default() };
        assert!(!countries.disagree() && countries.moved());
        countries.registered = moved("registry");
        assert!(!countries.disagree());
        countries.registered = vec![stated("AF", "registry", 1)];
        assert!(countries.disagree(), "the registry did not follow");
        countries.registered = Vec::new();
        countries.geolocated = vec![stated("AF", "places", 1), stated("PK", "places", 1)];
        assert!(countries.disagree());
        countries.geolocated = vec![stated("AF", "places", 1), stated("PK", "others", 60)];
        assert!(countries.disagree());
        countries.geolocated = Vec::new();
        let registries =
            |day| vec![stated("AF", "delegated, ripencc", 1), stated("PK", "delegated, apnic", day)];
        countries.registered = registries(60);
        assert!(!countries.disagree() && countries.moved(), "from one registry to another");
        countries.registered = registries(1);
        assert!(countries.disagree());
    }
}
