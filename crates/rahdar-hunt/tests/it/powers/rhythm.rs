//! Rhythms: what is found under jitter and loss, and how often chance is told (`methods.md` §3).

use rahdar_hunt::rhythm::periodogram::Periodogram;
use rahdar_hunt::rhythm::phase::{self, MORE_SURROGATES, MOST_SURROGATES, Phases, SURROGATES};
use rahdar_hunt::rhythm::rita::Scores;
use rahdar_hunt::rhythm::series::Series;
use rahdar_hunt::rhythm::{Finder, dispersion};
use rahdar_model::Timestamp;
use rahdar_model::time::SECOND_US;

use super::{Draw, draws, tolerance};

const WEEK_S: f64 = 604_800.0;
const HOUR_S: f64 = 3_600.0;

#[derive(Debug, Clone, Copy)]
enum Model {
    /// Sleeps s·(1 ± j); drift accumulates.
    Renewal,
    /// Sleeps s·(1 − j) to s.
    OneSided,
    /// Kept by the clock, each off by up to j·s.
    Clock,
}

/// A week of check-ins every 300 s, of which a part is lost, in seconds.
fn beacon(model: Model, jitter: f64, loss: f64, draw: &mut Draw) -> Vec<f64> {
    check_ins((model, 300.0), jitter, loss, WEEK_S, draw)
}

/// The same of any period and span.
fn check_ins(
    (model, period): (Model, f64),
    jitter: f64,
    loss: f64,
    span_s: f64,
    draw: &mut Draw,
) -> Vec<f64> {
    let mut times = Vec::new();
    let mut at = draw.between(0.0, period);
    let mut tick = 0.0;
    while at < span_s {
        if !draw.chance(loss) {
            times.push(at);
        }
        tick += period;
        at = match model {
            Model::Renewal => at + period * draw.between(1.0 - jitter, 1.0 + jitter),
            Model::OneSided => at + period * draw.between(1.0 - jitter, 1.0),
            Model::Clock => tick + period * draw.between(-jitter, jitter),
        };
    }
    times
}

/// Kinds of contact without a rhythm.
const NULLS: [&str; 7] = [
    "by chance",
    "by daytime",
    "by heavy tails",
    "in bursts",
    "in two bursts alone",
    "in office hours alone",
    "page by page",
];

/// About `n` contacts of this kind in `span_s`, which stands for a week.
fn null(kind: usize, n: f64, span_s: f64, draw: &mut Draw) -> Vec<f64> {
    let mean = span_s / n;
    let part = |share: f64, draw: &mut Draw| draw.between(0.0, share * span_s);
    match kind {
        4 => {
            let gap = draw.between(0.2, 0.9) * span_s;
            let mut times: Vec<f64> = (0..n as usize).map(|_| part(0.012, draw)).collect();
            times.iter_mut().skip(n as usize / 2).for_each(|time| *time += gap);
            return times;
        }
        5 => return (0..n as usize).map(|i| (i % 5) as f64 * span_s / 7.0 + part(0.048, draw)).collect(),
        _ => {}
    }
    let mut times = Vec::new();
    let mut at = 0.0;
    while at < span_s {
        match kind {
            0 => at += draw.exponential(mean),
            1 => {
                at += draw.exponential(mean / 2.0);
                let daylight = 0.5 - 0.5 * (7.0 * std::f64::consts::TAU * at / span_s).cos();
                if !draw.chance(daylight) {
                    continue;
                }
            }
            2 => at += mean * (draw.normal() - 0.5).exp(),
            _ => {
                // Calls of a page come a hundred times as fast as those of a burst.
                let within = if kind == 6 { 2e-6 } else { 2e-4 } * span_s / 6.0;
                at += draw.exponential(mean * 8.0);
                let mut inside = at;
                for _ in 0..1 + (draw.unit() * 14.0) as usize {
                    times.push(inside);
                    inside += draw.exponential(within);
                }
                at = inside;
                continue;
            }
        }
        times.push(at);
    }
    times
}

/// The p of a rhythm; 1 where there is too little.
fn p_of(times: &[f64], finder: &mut Finder, id: u64) -> (f64, f64) {
    let starts = times.iter().map(|s| Timestamp::from_micros((s * SECOND_US as f64) as i64));
    match Series::of(starts) {
        Ok(series) => {
            let found = finder.assess(&series, &id.to_le_bytes());
            (found.p_value, found.beat.period_s)
        }
        Err(_) => (1.0, 0.0),
    }
}

/// `methods.md` §3.2: the share found at 1 %, by the union of the three methods.
///
/// The thresholds of the table are those of its null draws, four kinds together. Ours hold 1 % on
/// each kind by itself, which finds less where a beacon is only just seen: the third number, where
/// there is one, is ours, measured 2026-11 with 100 draws (`docs/accuracy.md` says more of the first).
/// The clock with 98 in 100 lost pays for lines that no burst can make. With 25 % jitter and nine in ten
/// lost, equal weights of intervals found 0.59; weights that fade as the phase does find 0.95.
#[test]
fn the_table_of_methods() {
    let table = [
        (Model::Renewal, 0.10, 0.0, 1.0, None),
        (Model::Renewal, 0.10, 0.5, 1.0, None),
        (Model::Renewal, 0.10, 0.9, 1.0, None),
        (Model::Renewal, 0.10, 0.98, 0.10, None),
        (Model::Renewal, 0.25, 0.0, 1.0, None),
        (Model::Renewal, 0.25, 0.5, 1.0, None),
        (Model::Renewal, 0.25, 0.9, 0.88, None),
        (Model::Renewal, 0.25, 0.98, 0.02, None),
        (Model::Renewal, 0.50, 0.0, 1.0, None),
        (Model::Renewal, 0.50, 0.5, 1.0, None),
        (Model::Renewal, 0.50, 0.9, 0.18, Some(0.01)),
        (Model::Renewal, 0.50, 0.98, 0.02, None),
        (Model::OneSided, 0.37, 0.0, 1.0, None),
        (Model::OneSided, 0.37, 0.5, 1.0, None),
        (Model::OneSided, 0.37, 0.9, 1.0, None),
        (Model::OneSided, 0.37, 0.98, 0.0, None),
        (Model::Clock, 0.10, 0.98, 1.0, None),
        (Model::Clock, 0.25, 0.9, 1.0, None),
        (Model::Clock, 0.25, 0.98, 0.74, Some(0.52)),
        (Model::Clock, 0.50, 0.5, 1.0, None),
    ];
    let runs = draws(6, 400);
    let mut finder = Finder::new();
    let mut wrong = Vec::new();
    for (model, jitter, loss, stated, ours) in table {
        let mean = if matches!(model, Model::OneSided) { 300.0 * (1.0 - jitter / 2.0) } else { 300.0 };
        let mut off = Vec::new();
        for run in 0..runs {
            let mut draw = Draw::of(run as u64 * 1_000 + (loss * 100.0) as u64);
            let times = beacon(model, jitter, loss, &mut draw);
            let (p, period_s) = p_of(&times, &mut finder, run as u64);
            off.extend((p <= 0.01).then_some((period_s / mean - 1.0).abs()));
        }
        off.sort_by(f64::total_cmp);
        let (found, near) = (off.len(), off.iter().filter(|off| **off <= 0.02).count());
        let (share, expected) = (found as f64 / runs as f64, ours.unwrap_or(stated));
        let row =
            format!("{model:?} j={jitter} loss={loss}: {share:.2} ({stated}), period {near} of {found}");
        eprintln!("{row}");
        // More than the table has is no fault. With half a period of jitter there is a rhythm and hardly a period.
        let is_near = share < 0.9 || jitter >= 0.5 || off[found / 2] <= 0.02;
        if share < expected - tolerance(expected, runs, 0.05) || !is_near {
            wrong.push(row);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A period that is told is right, or it is not told: by period, jitter and loss, all that a rhythm was found of at 1 %.
/// Printed: how many are told, how many of these are within 2 % and 10 %, and how often the range holds the truth.
#[test]
fn a_period_that_is_told_is_right() {
    let runs = draws(2, 100);
    let mut finder = Finder::new();
    let mut wrong = Vec::new();
    for (period, span_s) in [(60.0, WEEK_S / 7.0), (300.0, WEEK_S / 7.0 * 4.0), (3_600.0, WEEK_S)] {
        let renewal = [0.0, 0.1, 0.2, 0.37, 0.5].map(|jitter| (Model::Renewal, jitter));
        let others =
            [(Model::OneSided, 0.37), (Model::OneSided, 0.5), (Model::Clock, 0.1), (Model::Clock, 0.25)];
        let losses = |(model, jitter)| [0.0, 0.3, 0.5, 0.9].map(|loss| (model, jitter, loss));
        for (model, jitter, loss) in renewal.into_iter().chain(others).flat_map(losses) {
            let mean = if matches!(model, Model::OneSided) { period * (1.0 - jitter / 2.0) } else { period };
            let (mut found, mut told, mut within, mut held) = (0, 0, [0; 2], 0);
            for run in 0..runs as u64 {
                let mut draw = Draw::of(17_000_000 + run);
                let mut times = check_ins((model, period), jitter, loss, span_s, &mut draw);
                times.sort_by(f64::total_cmp);
                let starts = times.iter().map(|s| Timestamp::from_micros((s * SECOND_US as f64) as i64));
                let Ok(series) = Series::of(starts) else { continue };
                let assessed = finder.assess(&series, &run.to_le_bytes());
                if assessed.p_value > 0.01 {
                    continue;
                }
                found += 1;
                let (from, to) = assessed.beat.within_s;
                held += usize::from((from * 0.999..=to * 1.001).contains(&mean));
                let Some(period_s) = assessed.beat.told_s() else { continue };
                told += 1;
                let off = (period_s / mean - 1.0).abs();
                within.iter_mut().zip([0.02, 0.1]).for_each(|(near, most)| *near += usize::from(off <= most));
            }
            let row = format!(
                "{model:?} of {period} s, j={jitter} loss={loss}: {told} of {found} told, {within:?} within 2 and \
                 10 %, {held} in range"
            );
            eprintln!("{row}");
            // Sleeps that are all seen are told: all but those of hours with strong jitter, of which a week has too few.
            let is_sleep = !matches!(model, Model::Clock);
            let is_known = is_sleep && loss == 0.0 && (jitter <= 0.2 || period < 3_600.0);
            // One of three or four that are told may be off.
            let is_near = within[0] as f64 >= 0.9 * told as f64 - f64::from(u8::from(told < 10));
            if told - within[1] > runs / 20 || !is_near || (is_known && told < found - runs / 20) {
                wrong.push(row);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The other columns of `methods.md` §3.2: RITA's timestamps, even intervals, the periodogram, the phase of
/// intervals, each by itself at 1 %. What a column finds (.75 and more) and what it misses (.25 and less) is
/// held to; what lies between depends on whose chance the threshold is of.
#[test]
fn the_columns_of_methods() {
    let table = [
        (Model::Renewal, 0.10, 0.0, [1.0, 1.0, 1.0, 1.0]),
        (Model::Renewal, 0.10, 0.5, [0.20, 1.0, 1.0, 1.0]),
        (Model::Renewal, 0.10, 0.9, [0.0, 0.26, 0.18, 1.0]),
        (Model::Renewal, 0.10, 0.98, [0.0, 0.06, 0.0, 0.14]),
        (Model::Renewal, 0.25, 0.0, [1.0, 1.0, 0.12, 1.0]),
        (Model::Renewal, 0.25, 0.5, [0.54, 1.0, 0.02, 1.0]),
        (Model::Renewal, 0.25, 0.9, [0.06, 0.38, 0.02, 0.76]),
        (Model::Renewal, 0.25, 0.98, [0.06, 0.02, 0.0, 0.02]),
        (Model::Renewal, 0.50, 0.0, [1.0, 1.0, 0.02, 1.0]),
        (Model::Renewal, 0.50, 0.5, [0.20, 1.0, 0.02, 1.0]),
        (Model::Renewal, 0.50, 0.9, [0.02, 0.34, 0.02, 0.04]),
        (Model::Renewal, 0.50, 0.98, [0.06, 0.04, 0.02, 0.02]),
        (Model::OneSided, 0.37, 0.0, [1.0, 1.0, 0.16, 1.0]),
        (Model::OneSided, 0.37, 0.5, [0.44, 1.0, 0.04, 1.0]),
        (Model::OneSided, 0.37, 0.9, [0.04, 0.14, 0.0, 0.98]),
        (Model::OneSided, 0.37, 0.98, [0.0, 0.02, 0.0, 0.0]),
        (Model::Clock, 0.10, 0.98, [0.0, 0.02, 1.0, 0.48]),
        (Model::Clock, 0.25, 0.9, [0.09, 0.23, 1.0, 1.0]),
        (Model::Clock, 0.25, 0.98, [0.0, 0.04, 0.81, 0.04]),
        (Model::Clock, 0.50, 0.5, [1.0, 1.0, 0.0, 0.06]),
    ];
    let runs = draws(4, 100);
    let (phases, mut periodogram) = (Phases::new(), Periodogram::new());
    let mut wrong = Vec::new();
    for (model, jitter, loss, stated) in table {
        let least = rita_threshold(WEEK_S / 300.0 * (1.0 - loss));
        let mut found = [0; 4];
        for run in 0..runs {
            let times =
                beacon(model, jitter, loss, &mut Draw::of(run as u64 * 1_000 + (loss * 100.0) as u64));
            let starts = times.iter().map(|s| Timestamp::from_micros((s * SECOND_US as f64) as i64));
            let Ok(series) = Series::of(starts) else { continue };
            let intervals = series.intervals();
            let phase = phase::search(&phases, &[&intervals], SURROGATES, &run.to_le_bytes());
            let p_values = [
                f64::from(u8::from(rita(&times) <= least)),
                dispersion::p_value(&intervals).unwrap_or(1.0),
                periodogram.search(&series, None).p_value,
                phase.map_or(1.0, |found| found.p_value),
            ];
            found.iter_mut().zip(p_values).for_each(|(found, p)| *found += usize::from(p <= 0.01));
        }
        let shares = found.map(|found| found as f64 / runs as f64);
        eprintln!("{model:?} j={jitter} loss={loss}: {shares:.2?} ({stated:?})");
        for (column, (share, stated)) in shares.into_iter().zip(stated).enumerate() {
            let slack = tolerance(stated, runs, 0.15);
            if (stated >= 0.75 && share < stated - slack) || (stated <= 0.25 && share > stated + slack) {
                wrong.push((model, jitter, loss, column, share, stated));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// How even, how clocked and how much in phase contacts are; none where they are too few.
fn statistics(times: &[f64], phases: &Phases, periodogram: &mut Periodogram, id: u64) -> Option<[f64; 3]> {
    let starts = times.iter().map(|s| Timestamp::from_micros((s * SECOND_US as f64) as i64));
    let series = Series::of(starts).ok()?;
    let intervals = series.intervals();
    let phase = phase::search(phases, &[&intervals], 1, &id.to_le_bytes());
    Some([
        1.0 - dispersion::cv(&intervals),
        periodogram.search(&series, None).power,
        phase.map_or(0.0, |found| found.z),
    ])
}

/// The two cells of `methods.md` §3.2 in which the hunt finds less, by the thresholds of that table: what all of 240
/// draws stay below, of four kinds of contact without a rhythm together, for each of the three methods at a third of
/// 1 %. The highest of 240 is a matter of luck (it alone moves the first cell between .04 and .16, the second between
/// .48 and .89), so several such thresholds are tried, and the mean is told.
#[test]
fn two_cells_by_the_thresholds_of_the_table() {
    let (phases, mut periodogram) = (Phases::new(), Periodogram::new());
    let (runs, tries) = (draws(20, 400), draws(2, 10));
    for (model, jitter, loss, stated) in [(Model::Renewal, 0.5, 0.9, 0.18), (Model::Clock, 0.25, 0.98, 0.74)]
    {
        let contacts = WEEK_S / 300.0 * (1.0 - loss);
        let beacons: Vec<[f64; 3]> = (0..runs as u64)
            .filter_map(|run| {
                let mut draw = Draw::of(run * 1_000 + (loss * 100.0) as u64);
                statistics(&beacon(model, jitter, loss, &mut draw), &phases, &mut periodogram, run)
            })
            .collect();
        let mut found = 0;
        for seed in 0..tries as u64 {
            let nulls = (0..240_u64).filter_map(|run| {
                let mut draw = Draw::of(7_000_000 + seed * 1_000_000 + run);
                let times = null((run % 4) as usize, contacts, WEEK_S, &mut draw);
                statistics(&times, &phases, &mut periodogram, run)
            });
            let highest = nulls.reduce(|a, b| [a[0].max(b[0]), a[1].max(b[1]), a[2].max(b[2])]).unwrap();
            let is_found = |own: &&[f64; 3]| own.iter().zip(highest).any(|(own, highest)| *own > highest);
            found += beacons.iter().filter(is_found).count();
        }
        let share = found as f64 / (runs * tries) as f64;
        eprintln!("{model:?} j={jitter} loss={loss}, by the table's thresholds: {share:.2} ({stated})");
        assert!(share >= stated - tolerance(stated, runs, 0.05), "{model:?}: {share} for {stated}");
    }
}

/// RITA's score of these times.
fn rita(times: &[f64]) -> f64 {
    let mut seconds: Vec<u32> = times.iter().map(|time| *time as u32).collect();
    seconds.sort_unstable();
    Scores::of(&seconds, &vec![1.0; times.len()], 0, WEEK_S as i64).map_or(0.0, |scores| scores.timestamps)
}

/// What 99 of 100 kinds of contact without a rhythm stay below, as the table has it: 240 draws of four kinds.
fn rita_threshold(contacts: f64) -> f64 {
    let mut scores: Vec<f64> = (0..240)
        .map(|run| rita(&null(run % 4, contacts, WEEK_S, &mut Draw::of(5_000_000 + run as u64))))
        .collect();
    scores.sort_by(f64::total_cmp);
    scores[237]
}

/// `methods.md` §3.5: false alarms at 1 % stay at 2 % or below, on each kind of contact by itself.
#[test]
fn contacts_without_a_rhythm_are_called_so() {
    const COUNTS: [f64; 3] = [60.0, 200.0, 800.0];
    no_alarms("a week", draws(30, 2_000), &|kind, run, draw| null(kind, COUNTS[run % 3], WEEK_S, draw));
}

/// What weighs most, p ≤ 10⁻⁴ (`evidence/rhythm.rs`), comes by chance once in 10,000 contacts of each kind, and no more
/// often by three standard errors: 7 of 20,000 at most. By all three methods, and as many surrogates as the largest hunt
/// draws, since fewer tell no such p.
#[test]
fn one_in_ten_thousand_is_no_more() {
    const COUNTS: [f64; 3] = [60.0, 200.0, 800.0];
    const SURE: f64 = 1e-4;
    let runs = draws(30, 20_000);
    let (phases, mut periodogram) = (Phases::new(), Periodogram::new());
    let expected = runs as f64 * SURE;
    let most = expected + 3.0 * expected.max(1.0).sqrt();
    let mut wrong = Vec::new();
    for (kind, name) in NULLS.iter().enumerate() {
        let mut alarms = [0; 4];
        for run in 0..runs {
            let mut draw = Draw::of(13_000_000 * (kind as u64 + 1) + run as u64);
            let times = null(kind, COUNTS[run % 3], WEEK_S, &mut draw);
            let starts = times.iter().map(|s| Timestamp::from_micros((s * SECOND_US as f64) as i64));
            let Ok(series) = Series::of(starts) else { continue };
            let phase = phase::search(&phases, &[&series.intervals()], MOST_SURROGATES, &run.to_le_bytes());
            let p_values = [
                dispersion::p_value(&series.intervals()).unwrap_or(1.0),
                periodogram.search(&series, None).p_value,
                phase.map_or(1.0, |found| found.p_value),
            ];
            let union = 3.0 * p_values.into_iter().fold(1.0, f64::min);
            for (alarms, p) in alarms.iter_mut().zip(p_values.into_iter().chain([union])) {
                *alarms += usize::from(p <= SURE);
            }
        }
        let [even, line, phase, union] = alarms;
        eprintln!("{name}, p ≤ 10⁻⁴ of {runs}: {union} (even {even}, periodogram {line}, phase {phase})");
        if union as f64 > most {
            wrong.push((name, union));
        }
    }
    assert!(wrong.is_empty(), "more than {most} of {runs}: {wrong:?}");
}

/// The same of contacts so near to one another that many are joined: an interval is never shorter than the
/// dead time, and is no more even for that.
#[test]
fn crowded_contacts_by_chance_are_called_so() {
    let runs = draws(20, 400);
    let mut finder = Finder::new();
    for (mean_s, contacts) in [(40.0, 1_500.0), (50.0, 3_000.0), (45.0, 8_000.0), (60.0, 8_000.0)] {
        let mut alarms = 0;
        for run in 0..runs {
            let times = null(0, contacts, mean_s * contacts, &mut Draw::of(9_000_000 + run as u64));
            alarms += usize::from(p_of(&times, &mut finder, run as u64).0 <= 0.01);
        }
        let share = alarms as f64 / runs as f64;
        eprintln!("{contacts} contacts by chance, every {mean_s} s: {share:.4}");
        assert!(share <= 0.02 + if runs < 1_000 { 0.05 } else { 0.0 }, "every {mean_s} s: {share}");
    }
}

/// Contacts at these hours of the first so many days of each of four weeks, each off by a normal deviation in hours.
fn at_hours(hours: &[f64], days: i32, deviation: f64, draw: &mut Draw) -> Vec<f64> {
    let mut times = Vec::new();
    for day in (0..28).filter(|day| day % 7 < days) {
        let at = |hour: &f64| (24.0 * f64::from(day) + hour + deviation * draw.normal()) * HOUR_S;
        times.extend(hours.iter().map(at));
    }
    times.sort_by(f64::total_cmp);
    times
}

/// People at the hours of their days, for four weeks: the calendar makes them even, and they are no beacon.
/// The last rows are the limits: hours all around the clock, and hours too many to be asked about.
#[test]
fn people_at_their_hours_are_called_so() {
    let runs = draws(20, 1_000);
    let mut finder = Finder::new();
    let mut wrong = Vec::new();
    for (hours, days, deviation, is_held) in [
        (&[9.0][..], 5, 0.5, true),
        (&[9.0], 5, 1.0, true),
        (&[9.0], 7, 0.5, true),
        (&[9.0, 14.0], 5, 0.5, true),
        (&[9.0, 14.0], 7, 0.5, true),
        (&[8.0, 20.0], 7, 0.5, true),
        (&[8.0, 12.0, 17.0], 5, 0.5, true),
        (&[8.0, 12.0, 17.0], 7, 0.5, true),
        (&[9.0, 13.0, 17.5], 5, 0.17, true),
        (&[9.0, 13.0, 17.5], 5, 0.33, true),
        (&[9.0, 13.0, 17.5], 5, 0.5, true),
        (&[22.0, 26.0, 30.5], 5, 0.33, true),
        (&[8.0, 10.0, 14.0, 16.0], 5, 0.25, true),
        (&[8.0, 10.0, 14.0, 16.0], 5, 0.5, true),
        (&[1.0, 7.0, 13.0, 19.0], 7, 0.5, false),
        (&[9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0], 5, 0.1, false),
    ] {
        let mut alarms = [0; 2];
        for run in 0..runs {
            let times = at_hours(hours, days, deviation, &mut Draw::of(11_000_000 + run as u64));
            let p = p_of(&times, &mut finder, run as u64).0;
            alarms.iter_mut().zip([0.01, 0.002]).for_each(|(told, level)| *told += usize::from(p <= level));
        }
        let [share, rare] = alarms.map(|told| told as f64 / runs as f64);
        let row =
            format!("at {hours:?} on {days} days of a week, ± {deviation} h: {share:.4}, {rare:.4} at .002");
        eprintln!("{row}");
        if is_held && share > 0.02 + if runs < 1_000 { 0.05 } else { 0.0 } {
            wrong.push(row);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The same of people where a schedule alone is looked for, since few packets are sampled: theirs are many.
#[test]
fn people_at_their_hours_keep_no_schedule() {
    let runs = draws(20, 1_000);
    let mut finder = Finder::new();
    for (hours, days, deviation) in [
        (&[9.0][..], 7, 0.5),
        (&[9.0, 14.0], 5, 0.5),
        (&[8.0, 12.0, 17.0], 7, 0.5),
        (&[9.0, 13.0, 17.5], 5, 0.33),
    ] {
        let mut alarms = 0;
        for run in 0..runs as u64 {
            let times = at_hours(hours, days, deviation, &mut Draw::of(14_000_000 + run));
            let starts = times.iter().map(|s| Timestamp::from_micros((s * SECOND_US as f64) as i64));
            let series = Series::of(starts).unwrap();
            let found = finder.assess_schedule(&series, None, MORE_SURROGATES, &run.to_le_bytes());
            alarms += usize::from(found.p_value <= 0.01);
        }
        let share = alarms as f64 / runs as f64;
        eprintln!("at {hours:?} on {days} days of a week, ± {deviation} h, a schedule: {share:.4}");
        assert!(share <= 0.02 + if runs < 1_000 { 0.05 } else { 0.0 }, "at {hours:?}: {share}");
    }
}

/// Several people of one office, at the same hours and one server: no fleet either.
#[test]
fn an_office_at_its_hours_is_no_fleet() {
    let runs = draws(10, 400);
    let mut finder = Finder::new();
    let mut alarms = 0;
    for run in 0..runs as u64 {
        let members: Vec<Series> = (0..4)
            .map(|member| at_hours(&[9.0, 13.0, 17.5], 5, 0.5, &mut Draw::of(12_000_000 + 10 * run + member)))
            .map(|times| {
                times.iter().map(|s| Timestamp::from_micros((s * SECOND_US as f64) as i64)).collect()
            })
            .map(|starts: Vec<Timestamp>| Series::of(starts).unwrap())
            .collect();
        let found = finder.assess_fleet(&members, MORE_SURROGATES, &run.to_le_bytes());
        alarms += usize::from(found.is_some_and(|found| found.p_value <= 0.01));
    }
    let share = alarms as f64 / runs as f64;
    eprintln!("an office of four: {share:.4}");
    assert!(share <= 0.02 + if runs < 400 { 0.11 } else { 0.01 }, "{share}");
}

/// Programs that call every few hours, for four weeks, are told from people: those that sleep on over night, and those on
/// time. Of a clock of eight hours that is late by up to half an hour nothing tells.
#[test]
fn programs_of_hours_are_told_from_people() {
    let runs = draws(8, 400);
    let mut finder = Finder::new();
    for (model, hours, jitter, least) in [
        (Model::Renewal, 2.0, 0.25, 1.0),
        (Model::Renewal, 4.5, 0.1, 1.0),
        (Model::Renewal, 4.5, 0.25, 1.0),
        (Model::Renewal, 8.0, 0.1, 0.95),
        (Model::OneSided, 6.0, 0.37, 0.95),
        (Model::Clock, 2.0, 0.25, 1.0),
        (Model::Clock, 4.0, 0.1, 1.0),
        (Model::Clock, 6.0, 0.1, 0.95),
        (Model::Clock, 8.0, 0.002, 1.0),
        (Model::Clock, 8.0, 0.0625, 0.0),
    ] {
        let mut found = 0;
        for run in 0..runs {
            let mut draw = Draw::of(run as u64);
            let times = check_ins((model, hours * HOUR_S), jitter, 0.0, 4.0 * WEEK_S, &mut draw);
            found += usize::from(p_of(&times, &mut finder, run as u64).0 <= 0.01);
        }
        let share = found as f64 / runs as f64;
        eprintln!("{model:?} of {hours} h, j={jitter}: {share:.3}");
        assert!(share >= least - tolerance(least, runs, 0.02), "{model:?} of {hours} h: {share}");
    }
}

/// The same of recordings of an hour, also by a clock that stamps whole seconds.
#[test]
fn short_recordings_without_a_rhythm_are_called_so() {
    const COUNTS: [f64; 3] = [30.0, 100.0, 400.0];
    let runs = draws(20, 600);
    no_alarms("an hour", runs, &|kind, run, draw| null(kind, COUNTS[run % 3], HOUR_S, draw));
    no_alarms("an hour of whole seconds", runs, &|kind, run, draw| {
        null(kind, COUNTS[run % 3], HOUR_S, draw).into_iter().map(f64::floor).collect()
    });
}

#[track_caller]
#[expect(clippy::print_stderr, reason = "a table is printed as it comes")]
fn no_alarms(span: &str, runs: usize, contacts: &dyn Fn(usize, usize, &mut Draw) -> Vec<f64>) {
    let mut finder = Finder::new();
    for (kind, name) in NULLS.iter().enumerate() {
        let mut alarms = 0;
        for run in 0..runs {
            let mut draw = Draw::of(7_000_000 * (kind as u64 + 1) + run as u64);
            let times = contacts(kind, run, &mut draw);
            alarms += usize::from(p_of(&times, &mut finder, run as u64).0 <= 0.01);
        }
        let share = alarms as f64 / runs as f64;
        eprintln!("{span}, {name}: {share:.4}");
        assert!(share <= 0.02 + if runs < 1_000 { 0.05 } else { 0.0 }, "{span}, {name}: {share}");
    }
}

/// What a recording of an hour shows.
#[test]
fn short_recordings_show_their_rhythm() {
    let runs = draws(6, 200);
    let mut finder = Finder::new();
    for (period, jitter, loss, least) in [
        (3.5, 0.1, 0.0, 1.0),
        (11.5, 0.25, 0.0, 1.0),
        (30.0, 0.5, 0.0, 1.0),
        (11.5, 0.1, 0.5, 1.0),
        (60.0, 0.1, 0.0, 1.0),
    ] {
        let (mut found, mut near) = (0, 0);
        for run in 0..runs {
            let mut draw = Draw::of(run as u64);
            let times = check_ins((Model::Renewal, period), jitter, loss, HOUR_S, &mut draw);
            let (p, period_s) = p_of(&times, &mut finder, run as u64);
            found += usize::from(p <= 0.01);
            near += usize::from(p <= 0.01 && (period_s / period - 1.0).abs() <= 0.03);
        }
        let share = found as f64 / runs as f64;
        eprintln!("an hour, every {period} s, j={jitter} loss={loss}: {share:.2}, period {near} of {found}");
        assert!(share >= least - tolerance(least, runs, 0.02), "{period} s: {share}");
    }
}

/// Where three to five in a hundred check-ins leave a record, sleeps are no schedule, and clocks are: at the p that a
/// hunt of twenty pairs asks for, and at 1 %.
#[test]
fn sampled_sleeps_have_no_schedule_and_clocks_have() {
    let seen = 0.047;
    let runs = draws(40, 2_000);
    let mut finder = Finder::new();
    let mut told = |of: (Model, f64), jitter: f64, loss: f64| {
        let mut p_values = Vec::new();
        for run in 0..runs {
            let times = check_ins(of, jitter, loss, WEEK_S, &mut Draw::of(run as u64));
            let starts = times.iter().map(|s| Timestamp::from_micros((s * SECOND_US as f64) as i64));
            let Ok(series) = Series::of(starts) else { continue };
            let found = finder.assess_schedule(&series, Some(seen), MORE_SURROGATES, &run.to_le_bytes());
            p_values.push(found.p_value);
        }
        let share =
            |least: f64| p_values.iter().filter(|p| **p <= least).count() as f64 / p_values.len() as f64;
        let (hunted, one) = (share(0.05 / 20.0), share(0.01));
        eprintln!("{of:?} j={jitter} loss={loss}: {hunted:.4} at .05/20, {one:.4} at .01");
        (hunted, one)
    };
    for (of, jitter, loss) in [
        ((Model::Renewal, 300.0), 0.10, 0.97),
        ((Model::Renewal, 300.0), 0.10, 0.953),
        ((Model::OneSided, 60.0), 0.37, 0.97),
        ((Model::OneSided, 60.0), 0.37, 0.953),
    ] {
        let (_, one) = told(of, jitter, loss);
        assert!(one <= 0.02 + if runs < 1_000 { 0.05 } else { 0.0 }, "{of:?}: {one}");
    }
    for (of, jitter, loss, least) in [
        ((Model::Clock, 300.0), 0.10, 0.953, 1.0),
        ((Model::Clock, 300.0), 0.25, 0.953, 1.0),
        ((Model::Clock, 600.0), 0.10, 0.953, 0.95),
    ] {
        let (hunted, _) = told(of, jitter, loss);
        assert!(hunted >= least - tolerance(least, runs, 0.05), "{of:?}: {hunted}");
    }
}

/// The table of [`dispersion`], by simulation.
#[test]
fn the_table_of_even_intervals() {
    let sets = draws(2_000, 100_000);
    // The rows of many contacts only at night, the rarest columns only where they come ten times.
    let is_told = |n: usize, p: f64| (n <= 200 || sets > 2_000) && p * sets as f64 >= 10.0;
    for (n, row) in dispersion::TABLE.into_iter().filter(|(n, _)| is_told(*n, 0.1)) {
        let mut draw = Draw::of(n as u64);
        let cvs: Vec<f64> = (0..sets)
            .map(|_| dispersion::cv(&(0..n).map(|_| draw.exponential(1.0)).collect::<Vec<_>>()))
            .collect();
        for (bound, p) in row.iter().zip(dispersion::COLUMNS).filter(|(_, p)| is_told(n, *p)) {
            let share = cvs.iter().filter(|cv| *cv <= bound).count() as f64 / sets as f64;
            // The table has an error of its own: that of 300,000 sets, or of more.
            let rare = 4.0 * (p / sets as f64 + p / 300_000.0).sqrt();
            let slack = if p < 0.01 { rare } else { tolerance(p, sets, 0.001) };
            assert!((share - p).abs() <= slack, "{n}: {share} is not {p}");
        }
    }
}
