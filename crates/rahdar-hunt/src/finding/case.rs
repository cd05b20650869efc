//! A case: what the leads of one victim and one cluster amount to together.

use std::collections::BTreeMap;

use rahdar_model::Address;
use rahdar_model::finding::{Rhythm, Verdict};

use crate::evidence::rhythm::{self, Rhythm as Regularity};
use crate::lead::{Affiliation, Lead};
use crate::pair::Pair;

/// The leads of one victim and one cluster, the best first.
pub(crate) struct Case<'a> {
    pub(crate) victim: Address,
    pub(crate) affiliation: Affiliation,
    pub(super) leads: Vec<Lead<'a>>,
    /// How many of the first leads the case rests on.
    pub(super) believed: usize,
}

impl<'a> Case<'a> {
    pub(crate) fn verdict(&self) -> Verdict {
        self.leads[0].grade.verdict
    }

    pub(super) fn is_firm(&self) -> bool {
        self.verdict() >= Verdict::Likely
    }

    pub(super) fn id(&self) -> String {
        format!("{}@{}", self.affiliation.id(), self.victim)
    }

    /// The surest rhythm among those with its addresses; else that one was looked for, or why none
    /// could be.
    pub(super) fn rhythm(&self) -> Rhythm {
        let rank = |rhythm: &Regularity| match rhythm {
            Regularity::Found { p_value, .. } => (0, *p_value),
            Regularity::None { p_value, .. } => (1, *p_value),
            Regularity::NotAssessable(_) => (2, 0.0),
        };
        let (rhythms, leads) = (self.believed().iter().map(|lead| &lead.rhythm), self.believed());
        let surest = rhythms.zip(leads).min_by(|(a, of_a), (b, of_b)| {
            let (a, b) = (rank(a), rank(b));
            a.0.cmp(&b.0)
                .then(a.1.total_cmp(&b.1))
                .then(of_b.contact.len().cmp(&of_a.contact.len()))
                .then(of_a.pair.cmp(&of_b.pair))
        });
        surest.map_or_else(|| unjudged("nothing of it is believed"), |(rhythm, _)| told(rhythm))
    }

    pub(super) fn believed(&self) -> &[Lead<'a>] {
        &self.leads[..self.believed]
    }

    /// The sessions that the case tells of, by pair and place.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (usize, usize)> {
        self.sessions_from(Verdict::Discounted)
    }

    /// Those of leads that are believed this far by themselves.
    pub(super) fn sessions_from(&self, least: Verdict) -> impl Iterator<Item = (usize, usize)> {
        let is_believed = self.verdict() > Verdict::Discounted;
        let leads = self.believed().iter().filter(move |lead| lead.grade.verdict >= least);
        leads.flat_map(move |lead| {
            let sessions =
                if is_believed && !lead.contact.is_empty() { &lead.contact } else { &lead.sessions };
            sessions.iter().map(|session| (lead.pair, *session))
        })
    }
}

/// The cases that these leads make, in the order of victim and affiliation.
pub(crate) fn cases<'a>(leads: Vec<Lead<'a>>, pairs: &[Pair<'a>]) -> Vec<Case<'a>> {
    let mut groups: BTreeMap<(Address, Affiliation), Vec<Lead<'a>>> = BTreeMap::new();
    for lead in leads {
        groups.entry((pairs[lead.pair].victim, lead.affiliation.clone())).or_default().push(lead);
    }
    let case = |((victim, affiliation), mut leads): ((Address, Affiliation), Vec<Lead<'a>>)| {
        leads.sort_by(|a, b| {
            b.grade.cmp(&a.grade).then(b.log_odds.total_cmp(&a.log_odds)).then(a.pair.cmp(&b.pair))
        });
        let least = leads[0].grade.verdict.min(Verdict::Likely);
        let believed = leads.iter().filter(|lead| lead.grade.verdict >= least).count();
        Case { victim, affiliation, leads, believed }
    };
    groups.into_iter().map(case).collect()
}

pub(super) fn unjudged(why: &str) -> Rhythm {
    Rhythm { period_s: None, score: None, p_value: None, judged: false, why: why.to_owned() }
}

/// A rhythm in the form of a finding.
fn told(rhythm: &Regularity) -> Rhythm {
    match rhythm {
        Regularity::Found { beat, p_value, searched } => Rhythm {
            period_s: beat.told_s().map(thousandths),
            score: Some(thousandths(beat.score)),
            p_value: Some(millionths(*p_value)),
            judged: true,
            why: format!(
                "{searched}, {}jitter {:.0} %, p {} ({})",
                rhythm::unsure(beat),
                beat.jitter * 100.0,
                rhythm::chance(*p_value),
                beat.method.word()
            ),
        },
        Regularity::None { p_value, searched } => Rhythm {
            period_s: None,
            score: Some(0.0),
            p_value: Some(millionths(*p_value)),
            judged: true,
            why: format!("{searched} were searched"),
        },
        Regularity::NotAssessable(why) => unjudged(why),
    }
}

/// Digits beyond these say nothing, and differ between processors.
fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Rounded up: a chance is never made smaller than it was.
fn millionths(p_value: f64) -> f64 {
    (p_value * 1e6).ceil() / 1e6
}
