//! Whether contact increased: after registered events, at dates that nobody named, on single days
//! (`methods.md` §6).
//!
//! * [`series`]: octets a day over the life of a cluster on a victim;
//! * [`event`]: a date registered before anybody looked, and [`shift`]: which of two dates;
//! * [`change`]: an increase at a date that nobody named, and [`onset`]: the day it began;
//! * [`ratio`]: how many times as much, with its interval where date and days were chosen beforehand;
//! * [`spike`]: single days;
//! * [`windows`]: contact outside the windows of claims, held against all of these.
//!
//! Many victims, clusters and dates are tested in one hunt. What is told holds the
//! false-discovery rate over all of them ([`crate::discovery`]): registered events are one family,
//! found dates another, because the first were chosen beforehand. An event that was registered after a look at
//! the flows is tested with the first, and told as exploratory: nobody can say which dates its author passed over. A change of a part is told only if the
//! change that made the part is. Narrowing a hunt to one victim
//! or cluster narrows what is told, not the family.
//!
//! That there is no increase after an event is told only where one to twice as much would have been found
//! ([`event::power`]); else it is not assessable.
//!
//! A confirmed increase has a date of its own beside the event's: its [`onset`], told as an estimate.
//!
//! An event is that of an increase only if the onset lies within [`onset::MOST_OFF_DAYS`] of it: more came after every
//! date before the increase. Of several events that one increase would explain, the last before its onset is told; another is
//! told too if it stands out among the dates on its own side of that onset. Its ratio has no interval: the data chose
//! where its side ends.

mod blocks;
pub mod change;
pub mod event;
pub mod onset;
pub mod ratio;
pub mod series;
pub mod shift;
pub mod spike;
pub mod windows;

use std::borrow::Cow;
use std::ops::Range;

use rahdar_model::finding::{EventTest, Spike, Surge};
use rahdar_model::intelligence::Event;
use rahdar_model::{Day, Window};

use crate::discovery::{RATE, adjusted};
use crate::evidence::counted;

use change::Change;
use event::{NotAssessable, Test};
use series::Series;
use windows::Outside;

/// Events that are tested; of more, the latest. Chosen here: a list of a hundred dates is no list
/// of events any more, and every test costs the others power.
pub const MOST_EVENTS: usize = 100;

/// What a hunt says of one cluster on one victim.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// Confirmed increases: those after registered events first, each kind by date.
    pub surges: Vec<Surge>,
    /// Every registered event with its test, by date.
    pub tests: Vec<EventTest>,
    /// Single days.
    pub spikes: Vec<Spike>,
}

/// One cluster on one victim, tested.
#[derive(Debug, Clone)]
pub struct Study {
    id: String,
    /// Or why nothing can be said.
    series: Result<Series, String>,
    outside: Option<Outside>,
    tests: Vec<(Event, Result<Test, NotAssessable>)>,
    changes: Vec<Change>,
    spikes: Vec<Spike>,
}

impl Study {
    /// Tests a series, or takes down why there is none. `id` names the cluster and the victim;
    /// `outside` is octets a day of contact outside the windows, `low` the lower bound of a day's octets. Events in
    /// any order.
    pub fn new(
        id: &str,
        series: Result<Series, String>,
        outside: &[(Day, f64)],
        events: &[Event],
        low: &dyn Fn(Day) -> f64,
    ) -> Self {
        let mut events: Vec<&Event> = events.iter().collect();
        events.sort_by(|a, b| (a.at, &a.label).cmp(&(b.at, &b.label)));
        let events = events.split_off(events.len().saturating_sub(MOST_EVENTS));
        let outside = series.as_ref().ok().and_then(|series| Outside::of(series, outside));
        let (id, tests) = (id.to_owned(), Vec::new());
        let mut study = Self { id, series, outside, tests, changes: Vec::new(), spikes: Vec::new() };
        // A test that cannot be made for want of a series is told without one.
        let test = |event: &&Event| {
            let test = match &study.series {
                Ok(series) => event::test(series, event.at.day(), study.id.as_bytes())
                    .map(|test| study.tested_against(series, test)),
                Err(_) => Err(NotAssessable::Bursts(0)),
            };
            ((*event).clone(), test)
        };
        study.tests = events.iter().map(test).collect();
        if let Ok(series) = &study.series {
            let changes = change::changes(series, study.id.as_bytes());
            let changes = changes.into_iter().map(|change| study.found_against(series, change)).collect();
            let mut spikes = spike::spikes(series, low);
            if let Some(outside) = &study.outside {
                let among_all = spike::spikes(&outside.with_all(series), low);
                spikes.retain(|(day, _)| among_all.iter().any(|(other, _)| other == day));
            }
            study.changes = changes;
            study.spikes = spikes.into_iter().map(|(day, ratio)| Spike { day, ratio }).collect();
        }
        study
    }

    /// The series that an increase at `place` is tested on.
    fn against<'s>(&self, series: &'s Series, place: usize) -> Cow<'s, Series> {
        match &self.outside {
            Some(outside) => Cow::Owned(outside.against(series, place)),
            None => Cow::Borrowed(series),
        }
    }

    /// The same test, against all contact outside the windows.
    fn tested_against(&self, series: &Series, test: Test) -> Test {
        match &self.outside {
            Some(outside) => {
                let against = outside.against(series, test.place);
                event::again(&against, test, event::ORDERS, self.id.as_bytes())
            }
            None => test,
        }
    }

    /// The same change, its p that against all contact outside the windows where that is higher.
    fn found_against(&self, series: &Series, change: Change) -> Change {
        let Some(outside) = &self.outside else { return change };
        let against = outside.against(series, change.place);
        let p_value = change::p_at(&against, change.part.clone(), change.place, self.id.as_bytes());
        Change { p_value: p_value.max(change.p_value), is_least: false, ..change }
    }

    /// Every test of a registered event that could be made.
    fn event_tests(&self) -> impl Iterator<Item = Test> {
        self.tests.iter().filter_map(|(_, test)| test.as_ref().ok()).copied()
    }

    /// What is told, given its event tests and its changes, each with its adjusted p.
    fn told(
        &self,
        mut of_events: impl Iterator<Item = (Test, f64)>,
        of_changes: &[(Change, f64)],
        family: Family,
    ) -> Told {
        let mut told = Told { spikes: self.spikes.clone(), ..Told::default() };
        let mut confirmed = Vec::new();
        for (event, test) in &self.tests {
            let (tested, why) = match (&self.series, test) {
                (Err(why), _) => (None, Some(why.clone())),
                (_, Err(why)) => (None, Some(why.to_string())),
                (Ok(series), Ok(_)) => match of_events.next() {
                    Some((test, p)) if p <= RATE => {
                        confirmed.push((told.tests.len(), test, p));
                        (Some((test, p)), None)
                    }
                    tested => (tested, tested.and_then(|(test, _)| self.silence(series, test, family))),
                },
            };
            told.tests.push(EventTest {
                event: event.label.clone(),
                at: event.at,
                is_exploratory: event.is_exploratory,
                assessed: why.is_none(),
                p_value: tested.map(|(test, _)| test.p_value),
                p_adjusted: tested.map(|(_, p)| p),
                why: why.unwrap_or_default(),
            });
        }
        let Ok(series) = &self.series else { return told };
        let distinct = distinct(series, &confirmed);
        for (place, test, p_adjusted) in confirmed {
            let Some(part) = distinct.iter().find(|(own, _)| *own == place).map(|(_, part)| part) else {
                told.tests[place].why = match far_off(series, test.place).filter(|_| distinct.is_empty()) {
                    Some(why) => why,
                    None => "an earlier or later event explains the same increase better".to_owned(),
                };
                continue;
            };
            let event = &self.tests[place].0;
            let p = (test.p_value, p_adjusted);
            told.surges.push(self.surge(series, part.clone(), test.place, event.at.day(), p, Some(event)));
        }
        let mut is_told: Vec<bool> = Vec::new();
        for (change, p_adjusted) in of_changes {
            // A part of what was not divided is no part.
            is_told.push(*p_adjusted <= RATE && change.parent.is_none_or(|parent| is_told[parent]));
            if is_told.last() != Some(&true) {
                continue;
            }
            let from = series.days()[change.place];
            let p = (change.p_value, *p_adjusted);
            told.surges.push(self.surge(series, change.part.clone(), change.place, from, p, None));
        }
        told.surges.sort_by_key(|surge| (surge.event.is_none(), surge.window.from));
        told
    }

    /// Why it says nothing that this test found no increase; none where it does.
    fn silence(&self, series: &Series, test: Test, family: Family) -> Option<String> {
        if test.is_least {
            return Some(NotAssessable::Tests(family.tests).to_string());
        }
        let series = &*match &self.outside {
            Some(outside) => {
                let in_favour = outside.in_favour(series, test.place);
                let test = event::again(&in_favour, test, event::ORDERS, self.id.as_bytes());
                if test.p_value <= RATE {
                    return Some(NotAssessable::Windows.to_string());
                }
                self.against(series, test.place)
            }
            None => Cow::Borrowed(series),
        };
        let level = RATE * (family.told + 1) as f64 / family.tests.max(family.told + 1) as f64;
        let power = event::power(series, test.place, level, self.id.as_bytes());
        let hundredths = (power * 100.0).floor() as u64;
        (power < event::LEAST_POWER).then(|| NotAssessable::Power(hundredths).to_string())
    }

    fn surge(
        &self,
        series: &Series,
        part: Range<usize>,
        place: usize,
        from: Day,
        (p_value, p_adjusted): (f64, f64),
        event: Option<&Event>,
    ) -> Surge {
        let against = self.against(series, place);
        let mut ratio = match event {
            Some(_) if part.len() == series.days().len() => {
                ratio::of_event(&against, place, self.id.as_bytes())
            }
            _ => ratio::of_chosen_days(&against, part.clone(), place),
        };
        if let (Some(outside), true) = (&self.outside, ratio.high.is_finite()) {
            ratio.high = ratio::of_event(&outside.in_favour(series, place), place, self.id.as_bytes()).high;
        }
        let onset = onset::onset(&against.winsorised()[part.clone()]);
        let until = series.days()[part.end - 1].window().until;
        Surge {
            window: Window::new(from.start(), until),
            since: onset.map_or(from, |place| series.days()[part.start + place]),
            ratio: ratio.point,
            ratio_low: ratio.low,
            ratio_high: ratio.high,
            p_value,
            p_adjusted,
            event: event.map(|event| event.label.clone()),
            is_exploratory: event.is_some_and(|event| event.is_exploratory),
        }
    }
}

/// Why the event at `place` is not that of the increase of the whole series; none if it may be.
fn far_off(series: &Series, place: usize) -> Option<String> {
    let began = onset::onset(&series.winsorised()).filter(|began| !is_near(*began, place))?;
    let (days, side) = (began.abs_diff(place) as u64, if began < place { "before" } else { "after" });
    Some(format!("the increase began about {}, {} {side} it", series.days()[began], counted(days, "day")))
}

/// Whether an increase that began at the first place may be that of an event at the second.
fn is_near(began: usize, place: usize) -> bool {
    began.abs_diff(place) <= onset::MOST_OFF_DAYS
}

/// Of confirmed events, one for each increase that began near it, with the part of the series that it divides: the last
/// that came before the increase began.
fn distinct(series: &Series, confirmed: &[(usize, Test, f64)]) -> Vec<(usize, Range<usize>)> {
    let octets = series.winsorised();
    let mut told = Vec::new();
    let mut open = vec![(0..octets.len(), confirmed.to_vec())];
    while let Some((part, candidates)) = open.pop() {
        if candidates.is_empty() {
            continue;
        }
        let began = onset::onset(&octets[part.clone()]).map(|place| part.start + place);
        let came_before = |test: &Test| began.is_some_and(|began| test.place <= began + onset::NEAR_DAYS);
        let may_be =
            |(_, test, _): &&(usize, Test, f64)| began.is_none_or(|began| is_near(began, test.place));
        let mut near = candidates.iter().filter(may_be);
        let best = near.clone().rfind(|(_, test, _)| came_before(test)).or(near.next());
        told.extend(best.map(|(best, _, _)| (*best, part.clone())));
        let Some(began) = began.or(best.map(|(_, test, _)| test.place)) else { continue };
        let best = best.map(|(best, _, _)| *best);
        // Every event that is left is one more that may stand out by chance.
        let left = candidates.len() - usize::from(best.is_some());
        let least = RATE / left.max(1) as f64;
        for side in [part.start..began, began..part.end] {
            let stays = |place: usize| {
                place > side.start
                    && side.end.saturating_sub(place) >= event::LEAST_DAYS_AFTER
                    && shift::p_value(&octets[side.clone()], place - side.start) <= least
            };
            let is_left = |(other, test, _): &(usize, Test, f64)| Some(*other) != best && stays(test.place);
            open.push((side.clone(), candidates.iter().copied().filter(is_left).collect()));
        }
    }
    told
}

/// What is told of each study, the false-discovery rate held over all.
pub fn tell(studies: &[Study]) -> Vec<Told> {
    let events = all_events(studies);
    let family = Family { tests: events.len(), told: events.iter().filter(|(_, p)| *p <= RATE).count() };
    let mut events = events.into_iter();
    let mut changes = all_changes(studies).into_iter();
    studies
        .iter()
        .map(|study| {
            let of_events: Vec<(Test, f64)> = events.by_ref().take(study.event_tests().count()).collect();
            let of_changes: Vec<(Change, f64)> = changes.by_ref().take(study.changes.len()).collect();
            study.told(of_events.into_iter(), &of_changes, family)
        })
        .collect()
}

/// The tests of registered events of a hunt.
#[derive(Debug, Clone, Copy)]
struct Family {
    tests: usize,
    /// Those that found an increase.
    told: usize,
}

/// The event tests of all studies, in their order, with their adjusted p. Those that no order equalled are
/// made with more, where one more discovery among so many tests needs them.
fn all_events(studies: &[Study]) -> Vec<(Test, f64)> {
    let mut tests: Vec<Test> = studies.iter().flat_map(Study::event_tests).collect();
    let p_adjusted = |tests: &[Test]| adjusted(&tests.iter().map(|test| test.p_value).collect::<Vec<_>>());
    let known = p_adjusted(&tests);
    let told = known.iter().filter(|p| **p <= RATE).count();
    let needed = (event::LIBERAL * tests.len() as f64 / (RATE * (told + 1) as f64)).ceil() as usize;
    if needed > event::ORDERS {
        let whose = studies.iter().flat_map(|study| study.event_tests().map(move |_| study));
        for ((test, p), study) in tests.iter_mut().zip(&known).zip(whose) {
            if let (Ok(series), true) = (&study.series, test.is_least && *p > RATE) {
                let against = study.against(series, test.place);
                *test = event::again(&against, *test, needed, study.id.as_bytes());
            }
        }
    }
    let p_adjusted = p_adjusted(&tests);
    tests.into_iter().zip(p_adjusted).collect()
}

/// The changes of all studies, in their order, with their adjusted p. Those that no surrogate equalled are
/// tested with more, where one more discovery among so many tests needs them.
fn all_changes(studies: &[Study]) -> Vec<(Change, f64)> {
    let mut changes: Vec<Change> = studies.iter().flat_map(|study| study.changes.iter().cloned()).collect();
    let p_adjusted = |changes: &[Change]| adjusted(&changes.iter().map(|c| c.p_value).collect::<Vec<_>>());
    let known = p_adjusted(&changes);
    let told = known.iter().filter(|p| **p <= RATE).count();
    let needed = (changes.len() as f64 / (RATE * (told + 1) as f64)).ceil() as usize;
    if needed > change::MORE_SURROGATES {
        let whose = studies.iter().flat_map(|study| study.changes.iter().map(move |_| study));
        for ((change, p), study) in changes.iter_mut().zip(&known).zip(whose) {
            if let (Ok(series), true) = (&study.series, change.is_least && *p > RATE) {
                *change = change::again(series, change, needed, study.id.as_bytes());
            }
        }
    }
    let p_adjusted = p_adjusted(&changes);
    changes.into_iter().zip(p_adjusted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(day: i32) -> Event {
        Event::new(Day(day).start(), format!("day {day}"))
    }

    /// Every third day, by steps.
    fn study(steps: &'static [(i32, f64)], days: i32, events: &[Event]) -> Study {
        let octets = |day: i32| steps.iter().rev().find(|(from, _)| *from <= day).map_or(0.0, |step| step.1);
        let contact = (0..days).filter(|day| day * day % 7 < 3).map(|day| (Day(day), octets(day)));
        Study::new("cluster@victim", Ok(Series::of(contact, &|_| false).unwrap()), &[], events, &|_| 0.0)
    }

    #[test]
    fn an_increase_is_told_once_after_the_event_that_fits_it_best() {
        let told = &tell(&[study(&[(0, 1e6), (300, 8e6)], 360, &[event(330), event(300), event(345)])])[0];
        let of_events: Vec<&str> = told.surges.iter().filter_map(|surge| surge.event.as_deref()).collect();
        assert_eq!(of_events, ["day 300"], "{told:?}");
        let found = told.surges.last().unwrap();
        assert!(found.event.is_none() && found.window.from.day().0.abs_diff(300) <= 3);
        assert!(found.ratio > 5.0 && (found.ratio_low, found.ratio_high) == (0.0, f64::INFINITY));
        let of_event = &told.surges[0];
        assert!(of_event.ratio_low > 1.0 && of_event.ratio_low <= of_event.ratio, "{of_event:?}");
        assert_eq!(
            told.tests.iter().map(|test| test.event.as_str()).collect::<Vec<_>>(),
            ["day 300", "day 330", "day 345"]
        );
        assert!(told.tests.iter().all(|test| test.p_value.is_some()));
    }

    #[test]
    fn an_event_long_before_an_increase_is_not_that_of_it() {
        let told = &tell(&[study(&[(0, 1e6), (300, 8e6)], 360, &[event(226)])])[0];
        assert!(told.tests[0].p_adjusted.is_some_and(|p| p <= RATE), "{told:?}");
        assert!(told.surges.len() == 1 && told.surges[0].event.is_none(), "{told:?}");
        let why = &told.tests[0].why;
        assert!(why.starts_with("the increase began about ") && why.ends_with(" days after it"), "{why}");
        // Nor does it hide the one that is near.
        let told = &tell(&[study(&[(0, 1e6), (300, 8e6)], 360, &[event(226), event(295)])])[0];
        assert_eq!(told.surges[0].event.as_deref(), Some("day 295"), "{told:?}");
    }

    #[test]
    fn two_increases_are_told_each_after_its_event() {
        let steps = &[(0, 1e5), (200, 1e6), (340, 8e6)];
        let told = &tell(&[study(steps, 400, &[event(200), event(340)])])[0];
        let of_events: Vec<&str> = told.surges.iter().filter_map(|surge| surge.event.as_deref()).collect();
        assert_eq!(of_events, ["day 200", "day 340"], "{told:?}");
        let is_bounded: Vec<bool> = told.surges[..2].iter().map(|s| s.ratio_high.is_finite()).collect();
        assert_eq!(
            is_bounded.iter().filter(|is| **is).count(),
            1,
            "the data chose the days of one: {told:?}"
        );
    }

    #[test]
    fn what_ended_before_the_event_is_not_assessable() {
        let told = &tell(&[study(&[(0, 1e6)], 100, &[event(200)])])[0];
        assert!(told.surges.is_empty() && !told.tests[0].assessed);
        assert!(told.tests[0].why.ends_with("before the event"), "{}", told.tests[0].why);
    }

    #[test]
    fn a_series_that_cannot_be_judged_says_why_for_every_event() {
        let study = Study::new("c@v", Err("exporters changed".to_owned()), &[], &[event(5)], &|_| 0.0);
        assert_eq!(tell(&[study])[0].tests[0].why, "exporters changed");
    }

    #[test]
    fn the_only_increase_among_many_series_is_told() {
        let rise = study(&[(0, 1e5), (300, 1e7)], 360, &[]);
        let mut level = study(&[(0, 1e6)], 360, &[]);
        level.changes.truncate(1);
        let mut studies = vec![level; 150];
        studies.push(rise);
        let told = tell(&studies);
        assert!(
            told[150].surges.iter().any(|surge| surge.window.from.day().0.abs_diff(300) <= 3),
            "{told:?}"
        );
        assert!(told[..150].iter().all(|told| told.surges.is_empty()));
    }

    #[test]
    fn the_only_increase_among_many_event_tests_is_told() {
        let rise = study(&[(0, 1e5), (500, 1e7)], 600, &[event(500)]);
        let level = study(&[(0, 1e6)], 600, &[event(200), event(300), event(400), event(500)]);
        let mut studies = vec![level; 100];
        studies.push(rise);
        let told = tell(&studies);
        assert!(told[100].tests[0].p_adjusted.is_some_and(|p| p <= RATE), "{:?}", told[100]);
        assert!(told[100].surges[0].event.is_some(), "{:?}", told[100]);
        assert!(told[..100].iter().all(|told| told.surges.is_empty()));
    }

    #[test]
    fn no_increase_is_told_only_where_a_doubling_would_have_been_found() {
        let even = &tell(&[study(&[(0, 1e6)], 600, &[event(500)])])[0].tests[0];
        assert!(even.assessed && even.why.is_empty(), "{even:?}");
        let contact = (0..600).filter(|day| day % 40 == 0).map(|day| (Day(day), 1e6));
        let rare = Series::of(contact, &|_| false).unwrap();
        let rare = &tell(&[Study::new("c@v", Ok(rare), &[], &[event(500)], &|_| 0.0)])[0].tests[0];
        assert!(!rare.assessed && rare.p_value.is_some_and(|p| p > RATE), "{rare:?}");
        assert!(rare.why.starts_with("an increase to twice as much would have been found in "), "{rare:?}");
    }

    /// Contact that is `times` as much from day 300 on, with as much as `outside` says beside it.
    fn beside(times: f64, outside: impl Fn(i32) -> f64) -> Told {
        let is_active = |day: &i32| day * day % 7 < 3;
        let level = |day: i32| if day < 300 { 1e6 } else { times * 1e6 };
        let series = Series::of((0..360).filter(is_active).map(|day| (Day(day), level(day))), &|_| false);
        let outside: Vec<(Day, f64)> =
            (0..400).filter(is_active).map(|day| (Day(day), outside(day))).collect();
        let study = Study::new("c@v", Ok(series.unwrap()), &outside, &[event(300)], &|_| 0.0);
        tell(&[study]).remove(0)
    }

    #[test]
    fn what_a_window_made_is_no_increase() {
        assert_eq!(beside(3.0, |_| 0.0).surges.len(), 2);
        let made = beside(3.0, |day| if day < 300 { 2e6 } else { 0.0 });
        assert!(made.surges.is_empty(), "{made:?}");
        assert!(!made.tests[0].assessed || made.tests[0].why.is_empty(), "{made:?}");
    }

    #[test]
    fn an_increase_that_windows_cannot_have_made_is_told_by_the_least_ratio() {
        let told = beside(10.0, |day| if day < 300 { 1e6 } else { 0.0 });
        assert_eq!(told.surges.len(), 2, "{told:?}");
        let surge = &told.surges[0];
        assert!(
            (surge.ratio - 5.0).abs() < 0.5 && surge.ratio_low <= 5.0 && surge.ratio_high > 10.0,
            "{surge:?}"
        );
    }

    #[test]
    fn an_increase_that_windows_may_have_hidden_is_not_assessable() {
        let hidden = beside(1.0, |day| if day < 300 { 0.0 } else { 5e6 });
        assert!(hidden.surges.is_empty() && !hidden.tests[0].assessed, "{hidden:?}");
        let why = "contact with the same hosts outside the windows of claims would decide it";
        assert_eq!(hidden.tests[0].why, why);
    }

    #[test]
    fn one_more_level_series_in_the_hunt_never_lowers_a_p() {
        let rise = study(&[(0, 1e6), (300, 8e6)], 360, &[event(300)]);
        let level = study(&[(0, 1e6)], 360, &[event(300)]);
        let alone = tell(std::slice::from_ref(&rise))[0].tests[0].p_adjusted;
        let beside = tell(&[rise, level])[0].tests[0].p_adjusted;
        assert!(alone < beside);
    }
}
