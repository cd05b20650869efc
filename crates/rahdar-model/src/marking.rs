//! How far an answer may travel, and by whose word.

use std::sync::Arc;

use crate::intelligence::{Claim, Tlp};

/// The strictest marking of what an answer rests on (TLP 2.0, FIRST): whoever hands the answer on hands on all
/// of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marking {
    /// The marking; none where nothing it rests on has one.
    pub tlp: Option<Tlp>,
    /// The sources that marked so strictly, in order.
    pub sources: Vec<Arc<str>>,
}

impl Marking {
    /// The marking of what rests on these claims.
    pub fn of<'a>(claims: impl IntoIterator<Item = &'a Claim>) -> Self {
        let mut marking = Self::default();
        for claim in claims {
            marking.add(claim.tlp, &claim.source);
        }
        marking
    }

    /// Adds what a source marked.
    pub fn add(&mut self, tlp: Option<Tlp>, source: &Arc<str>) {
        if tlp.is_none() || tlp < self.tlp {
            return;
        }
        if tlp > self.tlp {
            self.tlp = tlp;
            self.sources.clear();
        }
        if let Err(place) = self.sources.binary_search(source) {
            self.sources.insert(place, source.clone());
        }
    }

    /// Adds what rests on something else as well.
    pub fn and(&mut self, other: &Self) {
        for source in &other.sources {
            self.add(other.tlp, source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(marks: &[(Option<Tlp>, &str)], tlp: Option<Tlp>, sources: &[&str]) {
        let mut marking = Marking::default();
        for (tlp, source) in marks {
            marking.add(*tlp, &Arc::from(*source));
        }
        let told: Vec<&str> = marking.sources.iter().map(|source| &**source).collect();
        assert_eq!((marking.tlp, told.as_slice()), (tlp, sources));
    }

    #[test]
    fn the_strictest_speaks_and_names_who_said_so() {
        check(&[], None, &[]);
        check(&[(None, "a")], None, &[]);
        let red = Some(Tlp::Red);
        check(&[(Some(Tlp::Green), "a"), (red, "c"), (None, "d"), (red, "b"), (red, "b")], red, &["b", "c"]);
    }

    #[test]
    fn two_answers_together_are_as_closed_as_the_closer() {
        let of = |tlp, source: &str| Marking { tlp: Some(tlp), sources: vec![source.into()] };
        let mut both = of(Tlp::Amber, "a");
        both.and(&of(Tlp::Red, "b"));
        both.and(&of(Tlp::AmberStrict, "c"));
        both.and(&Marking::default());
        assert_eq!(both, of(Tlp::Red, "b"));
    }
}
