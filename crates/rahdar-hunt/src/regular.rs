//! Which contacts of a hunt are searched for a rhythm, and what comes of it (`methods.md` §3).
//!
//! Every lead that no kill rule has ended and that has enough contacts is a question. Questions
//! about the same contacts are one. All are looked at for even intervals, which takes one pass;
//! at most [`MOST_QUESTIONS`] are searched by every method, those with the most even intervals. The
//! others are not assessable, and say so. Where so little was seen that intervals tell nothing, a
//! schedule alone is searched for. Where several victims called one address, they are
//! searched together too. The false-discovery rate is held over everything that was looked at.

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::{Address, Timestamp};

use crate::discovery::{RATE, adjusted};
use crate::evidence::rhythm::Rhythm;
use crate::rhythm::series::{LEAST_CONTACTS, Series};
use crate::rhythm::{Assessment, Finder, LEAST_SEEN, LEAST_TELLING, METHODS, dispersion, seen};
use crate::sweep::Rate;

/// Questions that one hunt searches by every method. Chosen here: at some 30 ms each (measured
/// 2026-11) half a minute.
pub(crate) const MOST_QUESTIONS: usize = 1_000;
/// Victims of one address that are searched together; of more, those with the lowest addresses.
/// Chosen here: a fleet of a hundred shows what a thousand would, and each costs time.
const MOST_FLEET: usize = 100;

/// The contacts of one lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question<'a> {
    pub(crate) victim: Address,
    pub(crate) remote: Address,
    /// When the victim called.
    pub(crate) starts: Vec<Timestamp>,
    /// Who looked, at which rates.
    pub(crate) rates: BTreeSet<(&'a str, Rate)>,
    pub(crate) is_monitored: bool,
}

impl Question<'_> {
    /// The share of check-ins that its exporters would have recorded, each at its best rate.
    fn seen(&self) -> f64 {
        let mut best: BTreeMap<&str, Rate> = BTreeMap::new();
        for (exporter, rate) in &self.rates {
            let known = best.entry(exporter).or_insert(*rate);
            *known = (*known).min(*rate);
        }
        seen(best.into_values())
    }

    /// Whether intervals would tell a period.
    fn is_telling(&self) -> bool {
        self.seen() >= LEAST_TELLING
    }

    /// Why silence says nothing; none where it would.
    fn blindness(&self) -> Option<String> {
        let seen = self.seen();
        if seen >= LEAST_SEEN {
            return None;
        }
        let finest = self.rates.iter().filter_map(|(_, rate)| match rate {
            Rate::OneIn(interval) => Some(*interval),
            Rate::Every | Rate::Unknown => None,
        });
        Some(match finest.min() {
            Some(interval) => {
                format!("sampled 1:{interval}, about {:.1} % of check-ins leave a record", seen * 100.0)
            }
            None => "at which rate the traffic was sampled is not known".to_owned(),
        })
    }

    fn id(&self) -> [u8; 32] {
        let mut id = [0; 32];
        id[..16].copy_from_slice(&self.victim.bits().to_be_bytes());
        id[16..].copy_from_slice(&self.remote.bits().to_be_bytes());
        id
    }
}

/// The answer to each question, in their order. `others` are the p of pairs that were looked at for
/// even intervals and are not asked about: they count among the tests.
pub(crate) fn rhythms(questions: &[Question<'_>], others: &[f64]) -> Vec<Rhythm> {
    let series: Vec<Result<Series, String>> = questions.iter().map(series).collect();
    let even: Vec<f64> = series.iter().map(|series| series.as_ref().map_or(1.0, evenness)).collect();
    let chosen = chosen(questions, &series, &even);
    let mut finder = None;
    let mut assessed: BTreeMap<usize, Assessment> = BTreeMap::new();
    let mut fleets: BTreeMap<Address, Assessment> = BTreeMap::new();
    for place in &chosen {
        let same = assessed.iter().find(|(other, _)| questions[**other] == questions[*place]);
        if let Some((_, known)) = same {
            let known = *known;
            assessed.insert(*place, known);
        } else if let Ok(series) = &series[*place] {
            let (finder, question) = (finder.get_or_insert_with(Finder::new), &questions[*place]);
            let assessment = match question.is_telling() {
                true => finder.assess(series, &question.id()),
                false => finder.assess_schedule(series, Some(question.seen()).filter(|seen| *seen > 0.0)),
            };
            assessed.insert(*place, assessment);
        }
    }
    let is_long = |place: &usize| series[*place].as_ref().is_ok_and(|series| !series.is_short());
    let long: BTreeSet<usize> = chosen.iter().copied().filter(is_long).collect();
    for (remote, members) in fleet_members(questions, &long) {
        let members: Vec<Series> =
            members.into_iter().filter_map(|place| series[place].clone().ok()).collect();
        let finder = finder.get_or_insert_with(Finder::new);
        if let Some(fleet) = finder.assess_fleet(&members, &remote.bits().to_be_bytes()) {
            fleets.insert(remote, fleet);
        }
    }

    let left = (0..questions.len()).filter(|place| series[*place].is_ok() && !chosen.contains(place));
    let left = left.map(|place| even[place]).chain(others.iter().copied());
    let searched = assessed.values().chain(fleets.values()).map(|one| one.p_value);
    let p_values: Vec<f64> = searched.chain(left).collect();
    let mut p_adjusted = adjusted(&p_values).into_iter();
    let found: BTreeMap<usize, bool> =
        assessed.keys().map(|place| (*place, p_adjusted.next().is_some_and(|p| p <= RATE))).collect();
    fleets.retain(|_, _| p_adjusted.next().is_some_and(|p| p <= RATE));

    let answer = |(place, question): (usize, &Question<'_>)| {
        let contacts = series[place].as_ref().map_or(0, Series::len);
        let Some(own) = assessed.get(&place) else {
            let why = match &series[place] {
                Err(why) => why.clone(),
                Ok(_) => format!("{MOST_QUESTIONS} pairs with more even contacts were searched"),
            };
            return Rhythm::NotAssessable(why);
        };
        if found[&place] {
            return Rhythm::Found { beat: own.beat, p_value: own.p_value, contacts };
        }
        if let Some(fleet) = fleets.get(&question.remote) {
            return Rhythm::Found { beat: fleet.beat, p_value: fleet.p_value, contacts };
        }
        let is_short = series[place].as_ref().is_ok_and(Series::is_short);
        match question.blindness() {
            Some(why) => Rhythm::NotAssessable(why),
            None if is_short => Rhythm::NotAssessable("all contacts lie within six hours".to_owned()),
            None => Rhythm::None { p_value: own.p_value, contacts },
        }
    };
    questions.iter().enumerate().map(answer).collect()
}

/// What is searched, or why there is nothing to search.
pub(crate) fn series(question: &Question<'_>) -> Result<Series, String> {
    if question.starts.len() < LEAST_CONTACTS
        && let Some(why) = question.blindness()
    {
        return Err(why);
    }
    Series::of(question.starts.iter().copied()).map_err(|too_little| too_little.to_string())
}

/// The chance of intervals as even as these, as one of several methods; 1 where it cannot be asked.
pub(crate) fn evenness(series: &Series) -> f64 {
    dispersion::p_value(&series.slowed()).map_or(1.0, |p| (METHODS * p).min(1.0))
}

/// The questions that are searched by every method: those with the most even intervals, of equals
/// those with the most contacts.
fn chosen(questions: &[Question<'_>], series: &[Result<Series, String>], even: &[f64]) -> BTreeSet<usize> {
    let mut places: Vec<usize> = (0..questions.len()).filter(|place| series[*place].is_ok()).collect();
    places.sort_by(|a, b| {
        let key = |place: usize| {
            let question = &questions[place];
            (std::cmp::Reverse(question.starts.len()), question.victim, question.remote)
        };
        even[*a].total_cmp(&even[*b]).then_with(|| key(*a).cmp(&key(*b)))
    });
    places.truncate(MOST_QUESTIONS);
    places.into_iter().collect()
}

/// The questions of each address that several monitored victims called, one for each victim.
fn fleet_members(questions: &[Question<'_>], chosen: &BTreeSet<usize>) -> BTreeMap<Address, Vec<usize>> {
    let mut fleets: BTreeMap<Address, BTreeMap<Address, usize>> = BTreeMap::new();
    let is_member = |question: &Question<'_>| question.is_monitored && question.is_telling();
    for place in chosen.iter().filter(|place| is_member(&questions[**place])) {
        let question = &questions[*place];
        fleets.entry(question.remote).or_default().entry(question.victim).or_insert(*place);
    }
    fleets.retain(|_, members| members.len() > 1);
    fleets
        .into_iter()
        .map(|(remote, members)| (remote, members.into_values().take(MOST_FLEET).collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    fn question(victim: u32, starts: impl IntoIterator<Item = i64>, rate: Rate) -> Question<'static> {
        Question {
            victim: Address::from_v4_bits(victim),
            remote: Address::from_v4_bits(9),
            starts: starts.into_iter().map(Timestamp::from_seconds).collect(),
            rates: BTreeSet::from([("exporter", rate)]),
            is_monitored: true,
        }
    }

    fn by_chance(subject: &str, contacts: usize) -> Vec<i64> {
        let mut chance = Chance::of("contacts", &[subject.as_bytes()]);
        (0..contacts).map(|_| chance.below(604_800) as i64).collect()
    }

    #[test]
    fn a_beacon_is_found_and_chance_is_none() {
        let beacon = question(1, (0..300).map(|n| n * 1_800 + n * n % 60), Rate::Every);
        let chance =
            Question { remote: Address::from_v4_bits(8), ..question(2, by_chance("a", 300), Rate::Every) };
        let answers = rhythms(&[beacon, chance], &[]);
        assert!(
            matches!(&answers[0], Rhythm::Found { beat, .. } if (beat.period_s / 1_800.0 - 1.0).abs() < 0.02)
        );
        assert!(matches!(answers[1], Rhythm::None { contacts: 299 | 300, .. }), "{:?}", answers[1]);
    }

    #[test]
    fn nothing_is_called_none_that_could_not_have_been_seen() {
        let why = |question| match rhythms(&[question], &[]).remove(0) {
            Rhythm::NotAssessable(why) => why,
            other => panic!("{other:?}"),
        };
        let sampled = "sampled 1:1000, about 1.5 % of check-ins leave a record";
        assert_eq!(why(question(1, by_chance("b", 100), Rate::OneIn(1_000))), sampled);
        assert_eq!(why(question(1, [0, 1], Rate::OneIn(1_000))), sampled);
        assert!(why(question(1, by_chance("c", 100), Rate::Unknown)).contains("not known"));
        assert_eq!(
            why(question(1, [0, 86_400], Rate::Every)),
            "2 contacts at most within 30 days; 8 are needed"
        );
    }

    #[test]
    fn the_order_of_questions_changes_no_answer() {
        let mut questions: Vec<Question<'_>> = (0..6)
            .map(|n| question(n, by_chance(&n.to_string(), 40).into_iter().chain([0, 86_400]), Rate::Every))
            .collect();
        let forward = rhythms(&questions, &[]);
        questions.reverse();
        let mut backward = rhythms(&questions, &[]);
        backward.reverse();
        assert_eq!(forward, backward);
    }
}
