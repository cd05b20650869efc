//! What left the victims of some cases, all clusters pooled.

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::finding::{Verdict, VictimTotal};
use rahdar_model::{Address, Estimate, Window};

use super::{Teller, dated};
use crate::exporters::{Part, estimate};
use crate::sweep::Party;
use crate::watch;

/// What left the victims of some cases: each, and all of them.
pub(crate) struct Totals {
    pub(crate) victims: Vec<VictimTotal>,
    pub(crate) octets_out: Estimate,
    pub(crate) octets_out_confirmed: Estimate,
}

/// The clusters on one victim, and their sessions by pair and place.
#[derive(Default)]
struct OnVictim {
    clusters: usize,
    sessions: BTreeSet<(usize, usize)>,
    confirmed: BTreeSet<(usize, usize)>,
}

impl<'a> Teller<'a> {
    /// The pooled octets that left each victim of these cases, and all of them. Cases that are
    /// merely possible do not count.
    pub(crate) fn totals(&self, cases: &[usize]) -> Totals {
        let mut victims: BTreeMap<Address, OnVictim> = BTreeMap::new();
        for case in cases.iter().map(|i| &self.cases[*i]).filter(|case| case.is_firm()) {
            let on = victims.entry(case.victim).or_default();
            on.clusters += 1;
            on.sessions.extend(case.sessions());
            on.confirmed.extend(case.sessions_from(Verdict::Confirmed));
        }
        let octets_out = self.pooled(victims.values().flat_map(|on| &on.sessions));
        let octets_out_confirmed = self.pooled(victims.values().flat_map(|on| &on.confirmed));
        let total = |(address, on): (Address, OnVictim)| VictimTotal {
            address,
            clusters: on.clusters,
            octets_out: self.pooled(&on.sessions),
            octets_out_confirmed: self.pooled(&on.confirmed),
        };
        Totals { victims: victims.into_iter().map(total).collect(), octets_out, octets_out_confirmed }
    }

    fn pooled<'s>(&self, sessions: impl IntoIterator<Item = &'s (usize, usize)>) -> Estimate {
        let parts: Vec<Part<'a>> =
            sessions.into_iter().flat_map(|(pair, session)| self.pairs[*pair].parts(*session)).collect();
        let exporters: BTreeSet<&str> = parts.iter().map(|part| &*part.contact().exporter).collect();
        let from = dated(&parts).map(|part| part.contact().start).min().unwrap_or_default();
        let until = dated(&parts).map(|part| part.contact().end).max().unwrap_or_default();
        let is_covered = dated(&parts).count() == parts.len()
            && watch::is_covered(Window::new(from, until), &exporters, self.coverage);
        estimate(parts, Party::Victim, is_covered)
    }
}
