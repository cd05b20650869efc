//! What a victim does, by its behaviour (`methods.md` §8).
//!
//! Each role has features, each feature a weight in decibans; the weights of a role are added, and no
//! role begins with more than another. The chance of a role is its odds over those of all:
//! `p = 10^(dB/10) / Σ 10^(dB/10)`, at most 0.95, since nothing has calibrated the weights. A role of 7 dB or
//! more is told; below, what was seen is as likely of a host without it.
//!
//! Looked at is the week of the last believed contact and the seven days before, thirty where packets were
//! sampled or where seven show no role. "Many" are ten distinct, under sampling five (§8). A port counts as used where more than a SYN or a refusal was
//! seen, and by twice as many as used telnet or SMB, which few serve and everybody scans.
//!
//! | role | decibans |
//! |---|---|
//! | mail server | many networks (/24, /48) call port 25 +8; many call 465, 587, 993, 995, 143, 110 +5 each, at most +10; it calls port 25 of many +8; many stay five minutes on 443 +2; what it sends there is four tenths more than what comes (producer-consumer ratio .2–.6) +1; a name such as `mail` or `owa` is its +6; it is somebody's mail exchanger +15; it is called `autodiscover` or so by TLS clients +6 |
//! | web server | many call 80, 443, 8080, 8443: +7 each, at most +14 |
//! | DNS resolver | many call 53 +8, and it calls 53 of many +8 |
//! | DNS server | (authoritative) many call 53 +8, and it calls 53 of few +4 |
//! | VPN gateway | many call 500, 4500, 1194, 1701, 1723, 51820: +7 each, at most +14; many send ESP or GRE +8 |
//! | NAT | as a client, it reaches 200 networks (sampled: 50) +6, 15 kinds of service (8) +6, in 100 flows of one minute (5) +6 |
//! | router | it tells many that time was exceeded +10; it speaks BGP, OSPF or their like +10 |
//! | telescope | many call it on 20 ports (sampled: 8), and it never sends +16 |
//! | endpoint | it calls others +4, and nobody calls it +6 |
//!
//! What §8 gives is taken from there; the rest was chosen here, so that two features make a role and one
//! makes it likely. Wrong for hosts that do several things (the runner-up says so), behind a proxy, and where exporters
//! see one direction alone: everything looks like a telescope there. A role that a person gave goes before
//! all of this.
//!
//! ```
//! use rahdar_hunt::role::{Role, chances};
//!
//! let chances = chances(&[(Role::MailServer, 26), (Role::WebServer, 14), (Role::Endpoint, 4)]);
//! assert_eq!(chances[0].0, Role::MailServer);
//! // 10^2.6 / (10^2.6 + 10^1.4 + 10^0.4 + 6 others of 1) = 0.922
//! assert!((chances[0].1 - 0.922).abs() < 0.001);
//! ```

mod activity;
mod known;
mod weigh;

use std::collections::BTreeMap;

use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::profile::{Behaviour, Chance};
use rahdar_model::store::{End, StoreError};
use rahdar_model::time::DAY_US;
use rahdar_model::{Address, Day, FlowStore, Prefix, Quality, Timestamp, Window};

use crate::role::activity::Activity;
use crate::role::known::Known;

/// What a host may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Takes mail in, hands it on, keeps it.
    MailServer,
    /// Serves pages or an interface.
    WebServer,
    /// Asks names for others.
    DnsResolver,
    /// Answers for names of its own.
    DnsAuthoritative,
    /// Others enter a network by it.
    VpnGateway,
    /// Many clients behind one address.
    Nat,
    /// Forwards packets.
    Router,
    /// Listens and never answers.
    Telescope,
    /// Somebody's machine.
    Endpoint,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 9] = [
        Self::MailServer,
        Self::WebServer,
        Self::DnsResolver,
        Self::DnsAuthoritative,
        Self::VpnGateway,
        Self::Nat,
        Self::Router,
        Self::Telescope,
        Self::Endpoint,
    ];

    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::MailServer => "mail server",
            Self::WebServer => "web server",
            Self::DnsResolver => "DNS resolver",
            Self::DnsAuthoritative => "DNS server",
            Self::VpnGateway => "VPN gateway",
            Self::Nat => "NAT",
            Self::Router => "router",
            Self::Telescope => "telescope",
            Self::Endpoint => "endpoint",
        }
    }
}

/// What a host shows of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its roles, the likeliest first. That of an endpoint is not among them: it says what a host is not.
    pub roles: Vec<Role>,
    /// The likeliest two, and what was seen.
    pub behaviour: Behaviour,
}

/// A role of less is not told, in decibans. Chosen here: a name alone, or one feature of NAT, is none.
const LEAST_DB: i32 = 7;
/// No chance is above it before weights are calibrated (`methods.md`, decision 3).
const P_MAX: f64 = 0.95;

/// Days that are looked at, before the week of the last contact, where nothing was sampled (`methods.md` §8).
const DAYS: i32 = 7;
/// Days that are looked at where something was (`methods.md` §8).
const DAYS_SAMPLED: i32 = 30;
/// Hosts whose last contact falls into the same week, counted from 1970, are looked at together, to the end of
/// that week.
const WEEK_DAYS: i32 = 7;

/// The chance of each role, by its decibans; roles that are not given have none. The likeliest first.
pub fn chances(weights: &[(Role, i32)]) -> Vec<(Role, f64)> {
    let odds = |role: Role| {
        let db = weights.iter().find(|(weighed, _)| *weighed == role).map_or(0, |(_, db)| *db);
        libm::pow(10.0, f64::from(db) / 10.0)
    };
    let sum: f64 = Role::ALL.into_iter().map(odds).sum();
    let mut chances: Vec<(Role, f64)> = Role::ALL.into_iter().map(|role| (role, odds(role) / sum)).collect();
    chances.sort_by(|(a, p), (b, q)| q.total_cmp(p).then(a.cmp(b)));
    chances
}

/// What each of `hosts` shows until the time beside it, in `window`. Hosts of which nothing was seen are left
/// out.
///
/// # Errors
/// Those of the store.
pub fn shown(
    store: &dyn FlowStore,
    hosts: &BTreeMap<Address, Timestamp>,
    window: Window,
    coverage: &[ExporterCoverage],
) -> Result<BTreeMap<Address, Shown>, StoreError> {
    let is_sampled = coverage.iter().any(|one| one.sampling.iter().any(|interval| *interval != Some(1)));
    let spans: &[i32] = if is_sampled { &[DAYS_SAMPLED] } else { &[DAYS, DAYS_SAMPLED] };
    let mut weeks: BTreeMap<i32, Vec<Address>> = BTreeMap::new();
    for (host, until) in hosts {
        weeks.entry(until.day().0.div_euclid(WEEK_DAYS)).or_default().push(*host);
    }
    let mut shown = BTreeMap::new();
    for (week, mut hosts) in weeks {
        let end = Day(week.saturating_add(1).saturating_mul(WEEK_DAYS));
        let last = Day(end.0.saturating_sub(1));
        for days in spans {
            let from = end.start().plus_micros(-i64::from(days + WEEK_DAYS) * DAY_US);
            let window = Window::new(from, end.start()).intersect(window);
            let known = Known::of(store, &hosts, window)?;
            for (host, activity) in activities(store, &hosts, window)? {
                let sum = weigh::weigh(&activity, known.of_host(host));
                shown.insert(host, sum.shown(last));
            }
            let is_open = |host: &Address| shown.get(host).is_none_or(|shown: &Shown| shown.roles.is_empty());
            hosts.retain(is_open);
            if hosts.is_empty() {
                break;
            }
        }
    }
    Ok(shown)
}

/// What was seen of these hosts.
fn activities(
    store: &dyn FlowStore,
    hosts: &[Address],
    window: Window,
) -> Result<BTreeMap<Address, Activity>, StoreError> {
    let networks: Vec<Prefix> = hosts.iter().copied().map(Prefix::host).collect();
    let mut activities: BTreeMap<Address, Activity> = BTreeMap::new();
    store.sightings(&networks, window, &mut |sighting| {
        if sighting.flow.quality.intersects(Quality::UNUSABLE) {
            return;
        }
        let is_source = sighting.end == End::Source;
        activities.entry(sighting.remote()).or_default().add(&sighting.flow, is_source);
    })?;
    Ok(activities)
}

/// Weights by role, and what was seen.
#[derive(Debug, Default)]
struct Sum {
    weights: Vec<(Role, i32)>,
    /// With the weight of each.
    reasons: Vec<(i32, Role, String)>,
}

impl Sum {
    fn add(&mut self, role: Role, db: i32, reason: String) {
        match self.weights.iter_mut().find(|(weighed, _)| *weighed == role) {
            Some((_, sum)) => *sum += db,
            None => self.weights.push((role, db)),
        }
        self.reasons.push((db, role, reason));
    }

    fn shown(mut self, until: Day) -> Shown {
        let chances = chances(&self.weights);
        let chance = |(role, p): (Role, f64)| Chance {
            role: role.word().to_owned(),
            p: (p.min(P_MAX) * 1_000.0).round() / 1_000.0,
        };
        let db =
            |role: Role| self.weights.iter().find(|(weighed, _)| *weighed == role).map_or(0, |(_, db)| *db);
        let is_told = |role: &Role| *role != Role::Endpoint && db(*role) >= LEAST_DB;
        let roles = chances.iter().map(|(role, _)| *role).filter(is_told).collect();
        let top = chances[0].0;
        self.reasons.sort_by_key(|(db, role, _)| (*role != top, std::cmp::Reverse(*db)));
        let reasons = self
            .reasons
            .into_iter()
            .map(|(db, role, reason)| format!("{}: {reason} ({db:+} dB)", role.word()));
        Shown {
            roles,
            behaviour: Behaviour {
                top: chance(chances[0]),
                runner_up: chance(chances[1]),
                reasons: reasons.collect(),
                until,
            },
        }
    }
}
