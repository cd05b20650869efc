//! Whether the hours of the day explain a rhythm.
//!
//! A person who reads mail at 9:00, 13:00 and 17:30, give or take half an hour, leaves intervals of 4, 4.5 and 15.5 h: more
//! even than chance, near multiples of one period, with a line at fractions of a day. What tells a program that sleeps from
//! people: its sleep goes on over night, and the next day begins where the last one left it. People begin each day anew.
//!
//! So the day is cut in the middle of the hours in which there never was contact, and the days with contact are put in random
//! order, each as it was:
//!
//! p = (1 + #{S* ≥ S}) / (1 + orders)
//!
//! S is the statistic of the method that tells the rhythm: −CV, the largest Z, or the power of the line. The rhythm is told
//! by the larger p of the two. Once [`ENOUGH`] orders are as good, no more are drawn (Besag and Clifford, Biometrika 78:301,
//! 1991).
//!
//! **Asked** only where people could be meant, of all of these:
//!
//! * half of the intervals last [`LEAST_S`] or longer;
//! * every day has the same [`NIGHT_S`] without contact;
//! * contacts are off the period by [`PUNCTUAL_S`] or more, by the median. Who is nearer is no person.
//!
//! Assumes that a person's days do not depend on one another, and are of one kind: then the test errs as often as it says. Wrong
//! for those who come at hours all around the clock, who may still be told, and for a program that starts afresh each
//! morning and is late by minutes, which is not told: nothing tells it from people.
//!
//! ```
//! use rahdar_hunt::rhythm::calendar::may_explain;
//!
//! // At 9:00 and 14:00 for two weeks, give or take some minutes; every five hours, day and night.
//! let hour = 3_600.0;
//! let visits = |n: i32| (24.0 * f64::from(n / 2) + [9.0, 14.0][n as usize % 2]) * hour + f64::from(n * n % 41) * 30.0;
//! let person: Vec<f64> = (0..28).map(visits).collect();
//! let program: Vec<f64> = (0..60).map(|n| f64::from(n) * 5.0 * hour + f64::from(n * n % 41) * 30.0).collect();
//! assert!(may_explain(&person, 600.0) && !may_explain(&program, 600.0));
//! assert!(!may_explain(&person, 20.0), "to the minute");
//! ```

use std::ops::Range;

use crate::chance::Chance;

use super::phase::ENOUGH;
use super::series::median;

/// The shortest median interval of people at their hours, in seconds. Chosen here: who calls more often all day is judged by
/// other tests.
pub const LEAST_S: f64 = 5_400.0;
/// The hours of every day in which people never call, in seconds. Chosen here: six, as people sleep.
pub const NIGHT_S: f64 = 6.0 * 3_600.0;
/// How far from its period a program is at most, in seconds. Chosen here: habits vary by ten minutes and more.
pub const PUNCTUAL_S: f64 = 300.0;

const DAY_S: f64 = 86_400.0;

/// Whether people at their hours could have left these times, in seconds and in order; `off_s` is how far they
/// are from a whole number of periods.
pub fn may_explain(times_s: &[f64], off_s: f64) -> bool {
    let mut intervals: Vec<f64> = times_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
    intervals.sort_unstable_by(f64::total_cmp);
    off_s >= PUNCTUAL_S
        && median(&intervals) >= LEAST_S
        && night(times_s).is_some_and(|night| night.1 >= NIGHT_S)
}

/// The middle of the longest part of the day without any contact, in seconds from midnight of the first, and its length.
fn night(times_s: &[f64]) -> Option<(f64, f64)> {
    let mut hours: Vec<f64> = times_s.iter().map(|time| time.rem_euclid(DAY_S)).collect();
    hours.sort_unstable_by(f64::total_cmp);
    let next = hours.iter().skip(1).copied().chain(hours.first().map(|first| first + DAY_S));
    let gaps = hours.iter().zip(next).map(|(from, until)| ((from + until) / 2.0, until - from));
    gaps.max_by(|a, b| a.1.total_cmp(&b.1))
}

/// The contacts of one client, by days.
struct Days<'a> {
    times_s: &'a [f64],
    /// When each day with contact began.
    begun_s: Vec<f64>,
    /// Its contacts.
    own: Vec<Range<usize>>,
}

impl<'a> Days<'a> {
    fn of(times_s: &'a [f64]) -> Self {
        let cut = night(times_s).map_or(0.0, |night| night.0);
        let begun = |time: &f64| ((time - cut) / DAY_S).floor() * DAY_S + cut;
        let mut days = Self { times_s, begun_s: Vec::new(), own: Vec::new() };
        let mut from = 0;
        for own in times_s.chunk_by(|a, b| begun(a) == begun(b)) {
            days.begun_s.push(begun(&own[0]));
            days.own.push(from..from + own.len());
            from += own.len();
        }
        days
    }

    /// The times, the days in this order.
    fn ordered(&self, order: &[usize]) -> Vec<f64> {
        let moved = order.iter().zip(&self.begun_s).flat_map(|(day, begun)| {
            let own = &self.times_s[self.own[*day].clone()];
            own.iter().map(move |time| time - self.begun_s[*day] + begun)
        });
        moved.collect()
    }
}

/// The chance of so high a `statistic` of the times of all clients were their days in any order, from up to `most` orders, and
/// whether none was as high. `id` names the question, so that it gets the same orders again.
pub(crate) fn p_value(
    clients: &[&[f64]],
    most: usize,
    id: &[u8],
    statistic: &mut dyn FnMut(&[Vec<f64>]) -> f64,
) -> (f64, bool) {
    let days: Vec<Days<'_>> = clients.iter().map(|times| Days::of(times)).collect();
    let told = statistic(&clients.iter().map(|times| times.to_vec()).collect::<Vec<_>>());
    // What differs by rounding alone is equal.
    let least = told - 1e-9 * told.abs();
    let mut orders: Vec<Vec<usize>> = days.iter().map(|days| (0..days.own.len()).collect()).collect();
    let mut chance = Chance::of("order of days", &[id]);
    let (mut as_high, mut drawn) = (0, 0);
    while drawn < most && as_high < ENOUGH {
        orders.iter_mut().for_each(|order| chance.shuffle(order));
        let times: Vec<Vec<f64>> =
            days.iter().zip(&orders).map(|(days, order)| days.ordered(order)).collect();
        drawn += 1;
        as_high += usize::from(statistic(&times) >= least);
    }
    let share = match as_high {
        ENOUGH.. => as_high as f64 / drawn as f64,
        _ => (1 + as_high) as f64 / (1 + drawn) as f64,
    };
    (share, as_high == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_S: f64 = 3_600.0;

    #[test]
    fn a_day_is_cut_where_nobody_calls() {
        // From 21:00 to 2:00, over midnight.
        let times: Vec<f64> = (0..20)
            .flat_map(|day| [21.0, 26.0].map(|hour| (24.0 * f64::from(day) + hour) * HOUR_S))
            .collect();
        assert_eq!(night(&times), Some((11.5 * HOUR_S, 19.0 * HOUR_S)));
        let days = Days::of(&times);
        assert!(days.own.iter().all(|own| own.len() == 2));
        let backward: Vec<usize> = (0..20).rev().collect();
        assert_eq!(days.ordered(&backward), times, "equal days");
    }

    #[test]
    fn what_goes_on_over_night_is_told_from_what_begins_anew() {
        // Five hours and a bit, three in four of the day: never at night, and its hours move on.
        let on = |time: &f64| time.rem_euclid(DAY_S) < 17.0 * HOUR_S;
        let sleeping: Vec<f64> = (0..300).map(|n| f64::from(n) * 5.1 * HOUR_S).filter(on).collect();
        let anew: Vec<f64> = (0..60)
            .flat_map(|day| {
                let late = f64::from(day * day % 37) / 60.0;
                [8.0, 13.0, 18.0].map(|hour| (24.0 * f64::from(day) + hour + late) * HOUR_S)
            })
            .collect();
        let line = |period_s: f64| {
            move |clients: &[Vec<f64>]| {
                let turns = clients[0].iter().map(|time| std::f64::consts::TAU * time / period_s);
                let (cos, sin) =
                    turns.fold((0.0, 0.0), |(cos, sin), turn| (cos + turn.cos(), sin + turn.sin()));
                cos * cos + sin * sin
            }
        };
        assert_eq!(p_value(&[&sleeping], 199, b"", &mut line(5.1 * HOUR_S)), (0.005, true));
        assert!(p_value(&[&anew], 199, b"", &mut line(24.0 * HOUR_S / 5.0)).0 > 0.05);
    }
}
