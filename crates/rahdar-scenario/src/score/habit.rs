//! Whether there was more since a date, and how regularly the cluster called.

use std::collections::BTreeSet;

use rahdar_model::Day;
use rahdar_model::finding::{Finding, Hunt, Surge};

use crate::truth::{Event, Pair};

use crate::Sampling;

use super::{Judge, Line, line, list};

/// How far the date of an increase may be off.
const CHANGE_TOLERANCE_DAYS: u32 = 7;
/// Increases are told at this rate of false discoveries.
const DISCOVERY: f64 = 0.05;
/// A planted increase is found, and dated, in so many of 100 seeds.
const FOUND_PERCENT: u32 = 90;
/// A series without one is called so: flagged in three of twenty at most.
const LEVEL_PERCENT: u32 = 85;
/// Packets of which one is sampled from which on no sleep is seen from both its ends: the rate of the densest exporter.
const SLEEPS_LOST: u32 = 512;
/// How far the period of a beacon may be off.
const PERIOD_TOLERANCE: f64 = 0.02;

impl Judge<'_> {
    /// The day of a planted increase.
    fn planted(&self, pair: &Pair) -> Option<Day> {
        self.truth.clusters.iter().find(|cluster| cluster.name == pair.cluster)?.change
    }

    /// The last registered event before all planted increases: the one that they follow.
    fn event(&self) -> Option<&Event> {
        let first = self.truth.clusters.iter().filter_map(|cluster| cluster.change).min()?;
        self.truth.events.iter().filter(|event| event.date <= first).max_by_key(|event| event.date)
    }

    /// Whether there was more after the event, and since when.
    pub(super) fn change(&self, pair: &Pair) -> Vec<Line> {
        let (Some(finding), Some(event)) = (self.finding(pair), self.event()) else { return Vec::new() };
        let item = |what: &str| format!("{} on {}, {what}", pair.cluster, pair.victim);
        let after = item(&format!("after {}", event.date));
        let test = finding.event_tests.iter().find(|test| test.at.day() == event.date);
        let got = match test {
            None => "not tested".to_owned(),
            Some(test) => match test.p_adjusted {
                Some(p) => format!("p = {p:.4}"),
                None => "not assessable".to_owned(),
            },
        };
        let p = test.and_then(|test| test.p_adjusted);
        let Some(planted) = self.planted(pair) else {
            // Told at a rate of false discoveries too, on one pair of several.
            let told: BTreeSet<Day> = finding.surges.iter().map(|surge| surge.since).collect();
            let level =
                line(item("increases"), "none", list(&told), told.is_empty()).in_percent(LEVEL_PERCENT);
            if pair.last_contact.day() < event.date {
                let pass = test.is_some_and(|test| !test.assessed);
                return vec![line(after, "not assessable", got, pass), level];
            }
            let pass = p.is_some_and(|p| p > DISCOVERY);
            let after = line(after, format!("p > {DISCOVERY}"), got, pass).in_percent(LEVEL_PERCENT);
            return vec![after, level];
        };
        // That of the event's increase; where another event explains it better, of that; else of the one
        // found.
        let told = |is_it: &dyn Fn(&Surge) -> bool| finding.surges.iter().find(|surge| is_it(surge));
        let nearest = told(&|surge| surge.event.as_ref() == Some(&event.label))
            .or_else(|| told(&|surge| surge.event.is_some() && surge.window.from.day() > event.date))
            .or_else(|| told(&|surge| surge.event.is_none()))
            .map(|surge| surge.since);
        let pass = nearest.is_some_and(|day| day.0.abs_diff(planted.0) <= CHANGE_TOLERANCE_DAYS);
        let got_day = nearest.map_or_else(|| "none".to_owned(), |day| day.to_string());
        let expected = format!("{planted} ± {CHANGE_TOLERANCE_DAYS} d");
        vec![
            line(after, format!("p ≤ {DISCOVERY}"), got, p.is_some_and(|p| p <= DISCOVERY))
                .in_percent(FOUND_PERCENT),
            line(item("date of the increase"), expected, got_day, pass).in_percent(FOUND_PERCENT),
        ]
    }

    /// How regularly the cluster called. Where packets were sampled as the exporters do it, or thinner, sleeps between
    /// check-ins cannot be told, nor that there are none; a clock may be.
    pub(super) fn rhythm(&self, pair: &Pair) -> Option<Line> {
        let finding = self.finding(pair)?;
        let cluster = self.truth.clusters.iter().find(|cluster| cluster.name == pair.cluster)?;
        let period_s = cluster.beacon_s? as f64;
        let rhythm = &finding.rhythm;
        let is_right = rhythm.period_s.is_some_and(|got| (got / period_s - 1.0).abs() <= PERIOD_TOLERANCE);
        let is_silent = rhythm.period_s.is_none() && !rhythm.judged;
        let item = format!("{} on {}, beacon", pair.cluster, pair.victim);
        let got = match rhythm.period_s {
            Some(got) => format!("{got:.1} s"),
            None if rhythm.score.is_some_and(|score| score > 0.0) => "of no certain period".to_owned(),
            None if rhythm.judged => "none".to_owned(),
            None => "not assessable".to_owned(),
        };
        let right = format!("{period_s} s within {:.0} %", PERIOD_TOLERANCE * 100.0);
        Some(match (self.truth.settings.sampling, cluster.keeps_clock) {
            (Sampling::Unsampled, _) => line(item, right, got, is_right),
            (Sampling::Uniform(..SLEEPS_LOST), _) | (_, true) => {
                line(item, format!("{right}, or not assessable"), got, is_right || is_silent)
            }
            (_, false) => line(item, "not assessable", got, is_silent),
        })
    }

    /// Increases are told of nobody else: not of the backup that doubled, whose storage is listed.
    pub(super) fn increases_elsewhere(&self, hunt: &Hunt) -> Line {
        let is_pair = |finding: &&Finding| {
            let pairs = &self.truth.pairs;
            pairs.iter().any(|p| p.victim == finding.victim.address && p.cluster == finding.cluster.name)
        };
        let others = hunt.findings.iter().filter(|finding| !is_pair(finding) && !finding.surges.is_empty());
        let told: BTreeSet<&str> = others.map(|finding| finding.id.as_str()).collect();
        line("increases elsewhere", "none", list(&told), told.is_empty())
    }
}
