//! Findings that no case tells of: records that cannot be true, and names that were asked for and no more.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rahdar_intel::index::Snapshot;
use rahdar_model::Address;
use rahdar_model::account::Upload;
use rahdar_model::finding::{Attempts, Finding, Reason, Verdict};
use rahdar_model::marking::Marking;
use rahdar_model::sight::Witness;

use super::Teller;
use super::case::unjudged;
use super::notes::{left_out, resolved_only};
use crate::exporters::estimate;
use crate::grade::credibility;
use crate::lead::Affiliation;
use crate::names::{Asked, Names};
use crate::sweep::{Party, Swept, Tally};

impl Teller<'_> {
    /// Findings of records that cannot be true, where no case tells of them.
    pub(crate) fn unusable(&self) -> Vec<Finding> {
        let untold = self.unusable.iter().filter(|(key, _)| !self.is_told(key));
        let finding = |((victim, affiliation), unusable): (&(Address, Affiliation), &Unusable)| {
            self.untrue(*victim, affiliation, left_out(unusable), unusable.tally, &unusable.marking)
        };
        untold.map(finding).collect()
    }

    /// Discounted findings of watched hosts that asked for names of a cluster and of whom no more is told:
    /// while a claim on a name may have held, else at other times.
    pub(crate) fn resolved(&self, names: &Names, is_watched: &dyn Fn(Address) -> bool) -> Vec<Finding> {
        let lapsed = names.lapsed.iter().filter(|(key, _)| !names.asked.contains_key(*key));
        let asked = names.asked.iter().chain(lapsed).filter(|((host, _), _)| is_watched(*host));
        let untold = asked.filter(|(key, _)| !self.is_told(key) && !self.unusable.contains_key(*key));
        let finding = |((victim, affiliation), asked): (&(Address, Affiliation), &Asked)| {
            let tally = Tally { flows: asked.flows, first: asked.first, last: asked.last };
            self.untrue(*victim, affiliation, resolved_only(asked), tally, &asked.marking)
        };
        untold.map(finding).collect()
    }

    fn is_told(&self, (victim, affiliation): &(Address, Affiliation)) -> bool {
        let key = (victim, affiliation);
        self.cases.binary_search_by(|case| (&case.victim, &case.affiliation).cmp(&key)).is_ok()
    }

    fn untrue(
        &self,
        victim: Address,
        affiliation: &Affiliation,
        reason: Reason,
        tally: Tally,
        marking: &Marking,
    ) -> Finding {
        let mut all = self.tools.get(&affiliation.id()).cloned().unwrap_or_default();
        all.and(marking);
        Finding {
            id: format!("{}@{victim}", affiliation.id()),
            victim: self.victim(victim, None),
            cluster: self.cluster(affiliation),
            verdict: Verdict::Discounted,
            confidence: 1,
            credibility: credibility(1, false),
            reasons: vec![reason],
            first_seen: tally.first,
            last_seen: tally.last,
            at_least: false,
            witness: Witness::none("no contact is believed"),
            is_distinct: false,
            days_active: 0,
            flows: tally.flows,
            exporters: Vec::new(),
            octets_out: estimate([], Party::Victim, false),
            octets_out_confirmed: estimate([], Party::Victim, false),
            octets_in: estimate([], Party::Remote, false),
            attempts: Attempts::default(),
            repeated: 0,
            rhythm: unjudged("nothing of it is believed"),
            surges: Vec::new(),
            event_tests: Vec::new(),
            spikes: Vec::new(),
            daily: Vec::new(),
            infrastructure: Vec::new(),
            rival: None,
            upload: Upload::default(),
            chronology: Vec::new(),
            marking: all,
        }
    }
}

/// Records that cannot be true.
pub(super) struct Unusable {
    pub(super) tally: Tally,
    /// The marking of the claims that they met.
    pub(super) marking: Marking,
}

/// Records that cannot be true, by victim and by whose the claims are.
pub(super) fn unusable(swept: &Swept, book: &Snapshot) -> BTreeMap<(Address, Affiliation), Unusable> {
    let mut unusable: BTreeMap<(Address, Affiliation), Unusable> = BTreeMap::new();
    for ((victim, remote), tally) in &swept.unusable {
        let Some(affiliation) = book.claims_on(*remote).map(Affiliation::of).min() else { continue };
        let marking =
            Marking::of(book.claims_on(*remote).filter(|claim| Affiliation::of(claim) == affiliation));
        match unusable.entry((*victim, affiliation)) {
            Entry::Vacant(place) => drop(place.insert(Unusable { tally: *tally, marking })),
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.tally = known.tally.and(*tally);
                known.marking.and(&marking);
            }
        }
    }
    unusable
}
