//! Which contacts of a hunt are searched for a rhythm, and what comes of it (`methods.md` §3).
//!
//! Every lead that no kill rule has ended and that has enough contacts is a question. Questions
//! about the same contacts are one. All are looked at for even intervals, which takes one pass;
//! at most [`MOST_QUESTIONS`] are searched by every method, those with the most even intervals. The
//! others are not assessable, and say so. Where so little was seen that intervals tell nothing, a
//! schedule alone is searched for. Where several victims called one address, they are
//! searched together too. The false-discovery rate is held over everything that was looked at.
//!
//! p from surrogates has a least value: 3 in 2,000 at first, too much for the only rhythm among 34 questions.
//! Where none of the surrogates was as good, more are drawn, as many as one more discovery needs, up to
//! [`MOST_SURROGATES`] each and [`MOST_MOVES`] in all. Where these are too few as well, rhythm is not
//! assessable: it is not said that there is none.
//!

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::{Address, Timestamp};

use crate::discovery::{RATE, adjusted};
use crate::evidence::rhythm::Rhythm;
use crate::rhythm::phase::{MORE_SURROGATES, MOST_INTERVALS, MOST_SURROGATES};
use crate::rhythm::series::{LEAST_CONTACTS, Series};
use crate::rhythm::{Assessment, Finder, LEAST_SEEN, LEAST_TELLING, METHODS, dispersion, seen};
use crate::sweep::Rate;

/// Questions that one hunt searches by every method. Chosen here: at some 30 ms each (measured
/// 2026-11) half a minute.
pub(crate) const MOST_QUESTIONS: usize = 1_000;
/// Intervals that further surrogates of one hunt move. Chosen here: some twenty seconds.
pub(crate) const MOST_MOVES: usize = 60_000_000;
/// Victims of one address that are searched together; of more, those with the lowest addresses.
/// Chosen here: a fleet of a hundred shows what a thousand would, and each costs time.
const MOST_FLEET: usize = 100;

/// The contacts of one lead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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
    let mut places: BTreeMap<&Question<'_>, usize> = BTreeMap::new();
    let mut asked = Vec::new();
    let place_of = |question| {
        *places.entry(question).or_insert_with(|| {
            asked.push(question);
            asked.len() - 1
        })
    };
    let own: Vec<usize> = questions.iter().map(place_of).collect();
    let answers = answers(&asked, others);
    own.into_iter().map(|place| answers[place].clone()).collect()
}

/// The same of questions of which no two are equal.
fn answers(questions: &[&Question<'_>], others: &[f64]) -> Vec<Rhythm> {
    let mut search = Search::of(questions);
    let even: Vec<f64> = search.series.iter().map(|s| s.as_ref().map_or(1.0, evenness)).collect();
    let chosen = chosen(questions, &search.series, &even);
    let is_long = |place: &usize| search.series[*place].as_ref().is_ok_and(|series| !series.is_short());
    let long: BTreeSet<usize> = chosen.iter().copied().filter(is_long).collect();
    search.fleets = fleet_members(questions, &long);
    let subjects = chosen.iter().map(|place| Subject::Question(*place));
    let subjects: Vec<Subject> = subjects.chain(search.fleets.keys().copied().map(Subject::Fleet)).collect();
    let mut assessed: BTreeMap<Subject, Assessment> = BTreeMap::new();
    for subject in subjects {
        assessed.extend(search.assess(subject, MORE_SURROGATES).map(|assessment| (subject, assessment)));
    }

    let left = (0..questions.len()).filter(|place| search.series[*place].is_ok() && !chosen.contains(place));
    let left: Vec<f64> = left.map(|place| even[place]).chain(others.iter().copied()).collect();
    let tests = assessed.len() + left.len();
    search.again(&mut assessed, &left);
    let found = found(&assessed, &left);

    let answer = |(place, question): (usize, &&Question<'_>)| {
        let searched = || search.series[place].as_ref().map(Series::searched).unwrap_or_default();
        let (one, fleet) = (Subject::Question(place), Subject::Fleet(question.remote));
        let Some(own) = assessed.get(&one) else {
            let why = match &search.series[place] {
                Err(why) => why.clone(),
                Ok(_) => format!("{MOST_QUESTIONS} pairs with more even contacts were searched"),
            };
            return Rhythm::NotAssessable(why);
        };
        if let Some(told) = [one, fleet].iter().find(|subject| found.contains(subject)) {
            let Assessment { beat, p_value, .. } = assessed[told];
            return Rhythm::Found { beat, p_value, searched: searched() };
        }
        let is_short = search.series[place].as_ref().is_ok_and(Series::is_short);
        match question.blindness() {
            Some(why) => Rhythm::NotAssessable(why),
            None if is_short => Rhythm::NotAssessable("all contacts lie within six hours".to_owned()),
            None if search.series[place].as_ref().is_ok_and(Series::is_rare) => Rhythm::NotAssessable(
                "most contacts are more than twelve hours apart, as those of people are".to_owned(),
            ),
            None if own.is_daily => {
                Rhythm::NotAssessable("contact keeps to hours of the day, as that of people does".to_owned())
            }
            None if own.is_least => Rhythm::NotAssessable(format!(
                "{tests} pairs were searched at once, and more random draws would be needed than are made"
            )),
            None => Rhythm::None { p_value: own.p_value, searched: searched() },
        }
    };
    questions.iter().enumerate().map(answer).collect()
}

/// What is searched for a rhythm of its own. Questions come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// By its place.
    Question(usize),
    /// All that called this address.
    Fleet(Address),
}

/// What is searched, and with what.
struct Search<'a> {
    questions: &'a [&'a Question<'a>],
    series: Vec<Result<Series, String>>,
    /// The places of the members.
    fleets: BTreeMap<Address, Vec<usize>>,
    finder: Option<Finder>,
}

impl<'a> Search<'a> {
    fn of(questions: &'a [&'a Question<'a>]) -> Self {
        let series = questions.iter().map(|question| series(question)).collect();
        Self { questions, series, fleets: BTreeMap::new(), finder: None }
    }

    /// By every method that can tell, with up to `most` surrogates.
    fn assess(&mut self, subject: Subject, most: usize) -> Option<Assessment> {
        let finder = self.finder.get_or_insert_with(Finder::new);
        match subject {
            Subject::Question(place) => {
                let (question, series) = (self.questions[place], self.series[place].as_ref().ok()?);
                let seen = question.seen();
                Some(match question.is_telling() {
                    true => finder.assess_by(series, most, &question.id()),
                    false => {
                        let seen = Some(seen).filter(|seen| *seen > 0.0);
                        finder.assess_schedule(series, seen, most, &question.id())
                    }
                })
            }
            Subject::Fleet(remote) => {
                let members = self.fleets.get(&remote)?.iter();
                let members: Vec<Series> =
                    members.filter_map(|place| self.series[*place].clone().ok()).collect();
                finder.assess_fleet(&members, most, &remote.bits().to_be_bytes())
            }
        }
    }

    /// Asks again, with more surrogates, what might be found with more of them: as many as the false-discovery
    /// rate wants of one more that is found. `left` are the p of what is not searched.
    fn again(&mut self, assessed: &mut BTreeMap<Subject, Assessment>, left: &[f64]) {
        let told = found(assessed, left);
        let tests = (assessed.len() + left.len()) as f64;
        let needed = METHODS * tests / (RATE * (told.len() + 1) as f64);
        let most = (needed.ceil() as usize).min(MOST_SURROGATES);
        if most <= MORE_SURROGATES {
            return;
        }
        let is_open = |subject: &Subject| assessed[subject].is_least && !told.contains(subject);
        let mut open: Vec<Subject> = assessed.keys().copied().filter(is_open).collect();
        open.sort_by(|a, b| {
            let key = |subject: &Subject| self.key(*subject);
            assessed[a].p_value.total_cmp(&assessed[b].p_value).then_with(|| key(a).cmp(&key(b)))
        });
        let mut moves = MOST_MOVES;
        for subject in open {
            let cost = most.saturating_mul(self.contacts(subject));
            if cost <= moves {
                moves -= cost;
                assessed.extend(self.assess(subject, most).map(|assessment| (subject, assessment)));
            }
        }
    }

    /// An order that does not depend on that of questions.
    fn key(&self, subject: Subject) -> (usize, Option<Address>, Address) {
        match subject {
            Subject::Question(place) => {
                let question = self.questions[place];
                (self.contacts(subject), Some(question.victim), question.remote)
            }
            Subject::Fleet(remote) => (self.contacts(subject), None, remote),
        }
    }

    /// Contacts whose intervals a surrogate moves.
    fn contacts(&self, subject: Subject) -> usize {
        let of = |place: &usize| self.series[*place].as_ref().map_or(0, Series::len).min(MOST_INTERVALS);
        match subject {
            Subject::Question(place) => of(&place),
            Subject::Fleet(remote) => self.fleets.get(&remote).into_iter().flatten().map(of).sum(),
        }
    }
}

/// What is found, the false-discovery rate held over all that was searched and all that is left.
fn found(assessed: &BTreeMap<Subject, Assessment>, left: &[f64]) -> BTreeSet<Subject> {
    let searched = assessed.values().map(|one| one.p_value);
    let p_values: Vec<f64> = searched.chain(left.iter().copied()).collect();
    let p_adjusted = adjusted(&p_values);
    let is_found = |(subject, p): (&Subject, f64)| (p <= RATE).then_some(*subject);
    assessed.keys().zip(p_adjusted).filter_map(is_found).collect()
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
fn chosen(questions: &[&Question<'_>], series: &[Result<Series, String>], even: &[f64]) -> BTreeSet<usize> {
    let mut places: Vec<usize> = (0..questions.len()).filter(|place| series[*place].is_ok()).collect();
    places.sort_by(|a, b| {
        let key = |place: usize| {
            let question = questions[place];
            (std::cmp::Reverse(question.starts.len()), question.victim, question.remote)
        };
        even[*a].total_cmp(&even[*b]).then_with(|| key(*a).cmp(&key(*b)))
    });
    places.truncate(MOST_QUESTIONS);
    places.into_iter().collect()
}

/// The questions of each address that several monitored victims called, one for each victim.
fn fleet_members(questions: &[&Question<'_>], chosen: &BTreeSet<usize>) -> BTreeMap<Address, Vec<usize>> {
    let mut fleets: BTreeMap<Address, BTreeMap<Address, usize>> = BTreeMap::new();
    let is_member = |question: &Question<'_>| question.is_monitored && question.is_telling();
    for place in chosen.iter().filter(|place| is_member(questions[**place])) {
        let question = questions[*place];
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
        assert!(
            matches!(&answers[1], Rhythm::None { searched, .. } if ["299 contacts", "300 contacts"].contains(&&**searched)),
            "{:?}",
            answers[1]
        );
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

    /// Sleeps of 600 s ± 25 % of which four in five are lost: the phase of intervals alone tells them.
    fn lossy_sleeps(victim: u32) -> Question<'static> {
        let mut chance = Chance::of("lossy sleeps", &[&victim.to_le_bytes()]);
        let mut at = 0;
        let starts = (0..1_000).filter_map(|_| {
            at += 450 + chance.below(301) as i64;
            (chance.below(5) == 0).then_some(at)
        });
        question(victim, starts.collect::<Vec<_>>(), Rate::Every)
    }

    #[test]
    fn the_only_rhythm_among_many_questions_is_found() {
        let answers = rhythms(&[lossy_sleeps(1)], &[0.5; 99]);
        assert!(
            matches!(&answers[0], Rhythm::Found { beat, p_value, .. }
                if (beat.period_s / 600.0 - 1.0).abs() < 0.05 && *p_value <= 0.0005),
            "{answers:?}"
        );
    }

    #[test]
    fn a_rhythm_is_not_denied_for_want_of_surrogates() {
        let answers = rhythms(&[lossy_sleeps(1)], &[0.5; 4_999]);
        assert!(
            matches!(&answers[0], Rhythm::NotAssessable(why) if why.starts_with("5000 pairs")),
            "{answers:?}"
        );
    }

    #[test]
    fn a_daily_call_is_neither_a_beacon_nor_none() {
        let daily = question(1, (0..30).map(|day| day * 86_400 + day * 37 % 61 * 60), Rate::Every);
        let answers = rhythms(&[daily], &[]);
        assert!(
            matches!(&answers[0], Rhythm::NotAssessable(why) if why.contains("twelve hours")),
            "{answers:?}"
        );
    }

    #[test]
    fn people_at_their_hours_are_neither_a_beacon_nor_none() {
        let visits = |person: u8| {
            let mut chance = Chance::of("late by up to half an hour", &[&[person]]);
            let workdays = (0..28).filter(|day| day % 7 < 5);
            let visits = workdays.flat_map(|day| [510, 750, 1_020].map(|minute| day * 86_400 + minute * 60));
            visits.map(|at| at + chance.below(3_600) as i64).collect::<Vec<i64>>()
        };
        let answers: Vec<Rhythm> =
            (0..20).flat_map(|person| rhythms(&[question(1, visits(person), Rate::Every)], &[])).collect();
        let by_hours = |answer: &&Rhythm| matches!(answer, Rhythm::NotAssessable(why) if why.contains("hours of the day"));
        // Each is a hunt of its own, of which one in twenty may err.
        assert!(answers.iter().filter(by_hours).count() >= 17, "{answers:?}");
    }

    #[test]
    fn equal_questions_are_one_test() {
        let weak = || question(1, by_chance("even", 40).into_iter().chain([0, 86_400]), Rate::Every);
        let one = rhythms(&[lossy_sleeps(2), weak()], &[0.5; 31]);
        let thrice = rhythms(&[lossy_sleeps(2), weak(), weak(), weak()], &[0.5; 31]);
        assert_eq!(one[0], thrice[0]);
        assert_eq!((&thrice[1], &thrice[2]), (&one[1], &one[1]));
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
