//! How much, since when, in how many sessions.

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::finding::{Finding, Infrastructure};
use rahdar_model::{Address, Day, Estimate, Timestamp};

use crate::Sampling;
use crate::truth::{Pair, Victim};

use super::{Judge, Line, line};

/// "At least 4 GB" is what was published; telemetry that is not thin supports it.
const AT_LEAST_OCTETS: f64 = 4e9;
/// Of whom it was published: who lost as much. Of less, samples tell no estimate as near.
const AT_LEAST_OF: u64 = 4_000_000_000;
/// How far an estimate may lie from what was visible.
const POINT_TOLERANCE: f64 = 0.10;
/// In how many of 100 seeds a 95 % bound holds, with slack for 200 of them.
const BOUND_PERCENT: u32 = 92;
/// How far dates may be off: sampling misses first packets. At 1:4000 and above much longer.
const DATE_TOLERANCE_DAYS: u32 = 2;
const THIN_DATE_TOLERANCE_DAYS: u32 = 12;
const THIN_INTERVAL: u32 = 4_000;
/// Of the sessions told, the part that were; of those that were, the part told.
const SESSION_PRECISION: f64 = 0.99;
const SESSION_RECALL: f64 = 0.98;
/// A day on which so much passed a sensor must be told, in nine cases of ten.
const DAY_OCTETS: u64 = 5_000_000;
const DAY_RECALL: f64 = 0.9;
/// Of days on which so much came in, lower bounds hold as often as all do.
const DAY_OCTETS_IN: u64 = 2_000_000;
/// Sums of the same parts in another order.
const ROUNDING: f64 = 1e-9;

impl Judge<'_> {
    /// Where every session is known, how many of them were told and how many that were none: by
    /// victim and server.
    pub(super) fn sessions(&self) -> Vec<Line> {
        if !self.is_exact() {
            return Vec::new();
        }
        let mut real: BTreeMap<(Address, Address), u64> = BTreeMap::new();
        for pair in &self.truth.pairs {
            for server in &pair.servers {
                *real.entry((pair.victim, server.address)).or_default() += server.visible.sessions;
            }
        }
        let mut told: BTreeMap<(Address, Address), u64> = BTreeMap::new();
        for ((victim, address, ..), sessions) in self.endpoints() {
            *told.entry((victim, address)).or_default() += sessions;
        }
        let both: u64 = real.iter().map(|(at, n)| n.min(told.get(at).unwrap_or(&0))).sum();
        let part = |item: &str, of: u64, least: f64| {
            let share = both as f64 / of.max(1) as f64;
            line(item, format!("{least} or more"), format!("{share:.4}"), share >= least)
        };
        vec![
            part("sessions told that were", told.values().sum(), SESSION_PRECISION),
            part("sessions that were told", real.values().sum(), SESSION_RECALL),
        ]
    }

    /// Records of every endpoint of every victim, each once though two clusters share it.
    fn endpoints(&self) -> BTreeMap<(Address, Address, u8, u16), u64> {
        let mut endpoints = BTreeMap::new();
        for finding in &self.believed {
            for one in &finding.infrastructure {
                let at = (finding.victim.address, one.address, one.protocol, one.port);
                let flows = endpoints.entry(at).or_insert(0);
                *flows = one.flows.max(*flows);
            }
        }
        endpoints
    }

    /// How many of the days on which much passed a sensor are told.
    pub(super) fn days(&self) -> Line {
        let (mut told, mut real) = (0_u32, 0_u32);
        for pair in &self.truth.pairs {
            let days: BTreeSet<Day> = self
                .finding(pair)
                .map(|finding| finding.daily.iter().map(|daily| daily.day).collect())
                .unwrap_or_default();
            for day in pair.days.iter().filter(|day| day.visible.octets_out >= DAY_OCTETS) {
                real += 1;
                told += u32::from(days.contains(&day.day));
            }
        }
        let share = f64::from(told) / f64::from(real.max(1));
        line(
            "days of 5 MB or more that were told",
            format!("{DAY_RECALL} or more"),
            format!("{share:.3}"),
            share >= DAY_RECALL,
        )
    }

    /// On how many of the days on which much came in no more is told than came: always where all is known, else as
    /// often as bounds must hold. Days are many, and most saw one session and one path: here a bound that is too
    /// narrow shows, where the slack of a total, of which no exporter sees all, hides it.
    pub(super) fn lower_bounds_of_days(&self) -> Line {
        let (mut held, mut told) = (0_u32, 0_u32);
        for pair in &self.truth.pairs {
            let daily: BTreeMap<Day, f64> = self
                .finding(pair)
                .map(|finding| finding.daily.iter().map(|daily| (daily.day, daily.octets_in.low)).collect())
                .unwrap_or_default();
            for day in pair.days.iter().filter(|day| day.visible.octets_in >= DAY_OCTETS_IN) {
                let Some(low) = daily.get(&day.day) else { continue };
                told += 1;
                held += u32::from(*low <= day.visible.octets_in as f64);
            }
        }
        let least = if self.is_exact() { 1.0 } else { f64::from(BOUND_PERCENT) / 100.0 };
        let share = f64::from(held) / f64::from(told.max(1));
        line(
            "days of 2 MB or more received, lower bound",
            format!("{least} or more"),
            format!("{share:.3} of {told}"),
            share >= least,
        )
    }

    /// Servers that were reported when all was almost over: the same sessions as ever, no others.
    pub(super) fn late_reports(&self) -> Vec<Line> {
        let clusters = self.truth.clusters.iter();
        let late =
            clusters.flat_map(|c| c.indicators.iter().filter(|i| i.class == "late").map(move |i| (c, i)));
        late.flat_map(|(cluster, indicator)| {
            let pairs = self.truth.pairs.iter().filter(|pair| pair.cluster == cluster.name);
            pairs.filter_map(|pair| {
                let server = pair.servers.iter().find(|server| server.address == indicator.address)?;
                let got = self.finding(pair).and_then(|finding| {
                    finding.infrastructure.iter().find(|one| one.address == indicator.address)
                });
                let (first, last) = (server.first_visible.day(), server.last_visible.day());
                let told = |n: u64, first: Day, last: Day| format!("{n}, {first} to {last}");
                let is_inside = days(got).is_some_and(|(from, until)| from >= first && until <= last);
                let is_all = got.is_some_and(|got| got.flows == server.visible.sessions)
                    && days(got) == Some((first, last));
                Some(line(
                    format!("sessions of the late report of {}", indicator.address),
                    if self.is_exact() {
                        told(server.visible.sessions, first, last)
                    } else {
                        format!("some, {first} to {last} at most")
                    },
                    got.zip(days(got)).map_or_else(
                        || "none".to_owned(),
                        |(got, (from, until))| told(got.flows, from, until),
                    ),
                    if self.is_exact() { is_all } else { is_inside },
                ))
            })
        })
        .collect()
    }

    /// All octets that left a victim, over all clusters.
    pub(super) fn total(&self, victim: &Victim, got: Option<Estimate>) -> Vec<Line> {
        let item = format!("octets from {}", victim.address);
        let on_victim = || self.truth.pairs.iter().filter(|pair| pair.victim == victim.address);
        let visible: u64 = on_victim().map(|pair| pair.visible.octets_out).sum();
        let truth = visible as f64;
        let Some(got) = got else { return vec![line(item, gigabytes(truth), "no total", false)] };
        let mut lines = vec![
            line(
                format!("{item}, lower bound"),
                format!("{} or less", gigabytes(truth)),
                gigabytes(got.low),
                got.low <= truth,
            )
            .in_percent(if self.is_exact() { super::ALWAYS } else { BOUND_PERCENT }),
        ];
        if visible >= AT_LEAST_OF && !self.is_thin() {
            lines.push(line(
                format!("{item}, at least"),
                format!("{} or more", gigabytes(AT_LEAST_OCTETS)),
                gigabytes(got.low),
                got.low >= AT_LEAST_OCTETS,
            ));
        }
        if self.is_exact() {
            let exact = [Some(got.low), Some(got.point), got.high].iter().all(|bound| *bound == Some(truth));
            lines.push(line(format!("{item}, exactly"), visible, interval(got), exact));
        } else if visible >= AT_LEAST_OF {
            let ratio = got.point / truth;
            let pass = (ratio - 1.0).abs() <= POINT_TOLERANCE;
            let expected = format!("{} within 10 %", gigabytes(truth));
            let estimate = line(format!("{item}, estimate"), expected, gigabytes(got.point), pass);
            lines.push(Line { ratio: Some(ratio), ..estimate });
        }
        let sum: f64 = on_victim().filter_map(|pair| self.finding(pair)).map(|f| f.octets_out.point).sum();
        let is_sum = (sum - got.point).abs() <= got.point * ROUNDING;
        lines.push(line(format!("{item}, sum of clusters"), gigabytes(got.point), gigabytes(sum), is_sum));
        lines
    }

    /// How much, since when and until when one cluster was on one victim.
    pub(super) fn pair(&self, pair: &Pair) -> Vec<Line> {
        let item = |what| format!("{} on {}, {what}", pair.cluster, pair.victim);
        let Some(finding) = self.finding(pair) else {
            return vec![line(item("finding"), "one", "none", false)];
        };
        let mut lines = self.octets(pair, finding);
        lines.push(self.date(item("first contact"), pair.first_visible, finding.first_seen));
        lines.push(self.date(item("last contact"), pair.last_visible, finding.last_seen));
        lines
    }

    fn octets(&self, pair: &Pair, finding: &Finding) -> Vec<Line> {
        let item = |what| format!("{} on {}, {what}", pair.cluster, pair.victim);
        let visible = pair.visible.octets_out;
        let got = finding.octets_out;
        if !self.is_exact() {
            let bound = |what, expected: String, bound: f64, pass| {
                line(item(what), expected, format!("{bound:.0}"), pass).in_percent(BOUND_PERCENT)
            };
            let truth = visible as f64;
            let low = bound("lower bound of octets", format!("{visible} or less"), got.low, got.low <= truth);
            // Where an exporter was down, or datagrams were lost, a hunt may leave the upper end open.
            let high = got
                .high
                .map(|high| bound("upper end of octets", format!("{visible} or more"), high, high >= truth));
            return std::iter::once(low).chain(high).collect();
        }
        // What shared servers took may be this cluster's, or another's: bounds leave it open.
        let (own, shared) = self.shared(pair);
        let (low, high) = (visible - own, visible - own + shared);
        let is_exact = (got.low, got.high) == (low as f64, Some(high as f64));
        let is_inside = (low as f64..=high as f64).contains(&got.point);
        vec![line(item("octets"), format!("{low} to {high}"), interval(got), is_exact && is_inside)]
    }

    /// What this cluster's uploads to servers that another shares took, and what all such uploads of
    /// the victim took, if the cluster has such a server.
    fn shared(&self, pair: &Pair) -> (u64, u64) {
        let is_shared = |address: Address, cluster: &str| {
            let own = self.truth.clusters.iter().find(|one| one.name == cluster);
            own.is_some_and(|own| own.indicators.iter().any(|i| i.address == address && i.class == "shared"))
        };
        let of = |other: &Pair| -> u64 {
            let shared = other.servers.iter().filter(|server| is_shared(server.address, &pair.cluster));
            shared.map(|server| server.visible.octets_out).sum()
        };
        let same_victim = self.truth.pairs.iter().filter(|other| other.victim == pair.victim);
        (of(pair), same_victim.map(of).sum())
    }

    /// Whether all exporters keep so few packets that dates and bounds are far from the truth.
    fn is_thin(&self) -> bool {
        matches!(self.truth.settings.sampling, Sampling::Uniform(THIN_INTERVAL..))
    }

    fn date(&self, item: String, expected: Timestamp, got: Option<Timestamp>) -> Line {
        let tolerance_days = match self.truth.settings.sampling {
            Sampling::Unsampled => 0,
            _ if self.is_thin() => THIN_DATE_TOLERANCE_DAYS,
            Sampling::Uniform(_) | Sampling::Exporters => DATE_TOLERANCE_DAYS,
        };
        let (expected, got) = (expected.day(), got.map(Timestamp::day));
        let pass = got.is_some_and(|got| expected.0.abs_diff(got.0) <= tolerance_days);
        let got = got.map_or_else(|| "none".to_owned(), |got| got.to_string());
        line(item, format!("{expected} ± {tolerance_days} d"), got, pass)
    }
}

/// The days of first and last contact with an endpoint, where clocks tell them.
fn days(endpoint: Option<&Infrastructure>) -> Option<(Day, Day)> {
    let endpoint = endpoint?;
    Some((endpoint.first_seen?.day(), endpoint.last_seen?.day()))
}

fn gigabytes(octets: f64) -> String {
    format!("{:.3} GB", octets / 1e9)
}

fn interval(estimate: Estimate) -> String {
    let high = estimate.high.map_or_else(|| "unknown".to_owned(), |high| format!("{high:.0}"));
    format!("{:.0} to {high}", estimate.low)
}
