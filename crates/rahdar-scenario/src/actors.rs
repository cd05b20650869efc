//! The four clusters: their servers, their habits, and every session they had.
//!
//! Windows, totals, activity and planted changes are those of `methods.md` §11.1. What the
//! articles do not say is invented: the start of the Winnti and PlugX clusters, all splits of
//! octets, all addresses.

use rahdar_model::flow::protocol;
use rahdar_model::time::{DAY_US, SECOND_US};
use rahdar_model::{Address, Day, Timestamp};

use crate::draw::Draw;
use crate::path::{Path, share_out};
use crate::plan::{V1, V2, address, day};
use crate::session::{
    Headers, LEAST_UPLOAD, Outcome, Packets, Service, Session, Socket, download, exchange, tunnel, upload,
};

/// A cluster of activity, under the name that intelligence and truth use.
pub(crate) struct Cluster {
    pub(crate) name: &'static str,
    /// Whether the name is that of a group.
    pub(crate) named: bool,
    /// Malware that its servers serve.
    pub(crate) tools: &'static [&'static str],
    pub(crate) servers: &'static [Server],
    pub(crate) known_by: Known,
    pub(crate) domains: &'static [&'static str],
    pub(crate) beacon: Beacon,
    /// Days in 1,000 on which uploads are fetched from outside, as through a web shell.
    pub(crate) inbound_per_mille: u64,
    /// Since when the activity is higher.
    pub(crate) change: Option<Change>,
    pub(crate) campaigns: &'static [Campaign],
}

/// What reports list of a cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Its servers, and domains beside them.
    Servers,
    /// Its domains alone: passive DNS tells the servers.
    Domains,
}

/// A command server and the days on which it is used.
pub(crate) struct Server {
    pub(crate) address: &'static str,
    pub(crate) port: u16,
    /// First day of use.
    pub(crate) from: &'static str,
    /// First day after use.
    pub(crate) until: &'static str,
    /// What a report says of it: first day, first day after.
    pub(crate) claimed: (&'static str, &'static str),
    pub(crate) role: Role,
}

/// What is special about a server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing.
    Own,
    /// Another cluster uses it too.
    Shared,
    /// Its report came when the activity was almost over.
    Late,
}

/// The rhythm of a check-in.
#[derive(Clone, Copy)]
pub(crate) enum Beacon {
    None,
    /// Sleeps a drawn time between these, in seconds, after each check-in.
    Sleep(u64, u64),
    /// At this minute of every hour, give or take these seconds.
    Hourly(i64, i64),
}

/// A planted increase.
pub(crate) struct Change {
    /// First day of it.
    pub(crate) on: &'static str,
    /// How much more an active day carries.
    pub(crate) factor: u64,
    /// Active days in 1,000 afterwards.
    pub(crate) active_per_mille: u64,
}

/// One cluster on one victim.
pub(crate) struct Campaign {
    pub(crate) victim: Address,
    /// First day of contact.
    pub(crate) first: &'static str,
    /// Last day of contact.
    pub(crate) last: &'static str,
    /// Active days in 1,000, before any change.
    pub(crate) active_per_mille: u64,
    /// IP octets from the victim, all in all.
    pub(crate) octets_out: u64,
    /// Whether servers that another cluster uses are used here.
    pub(crate) uses_shared: bool,
}

const fn server(
    address: &'static str,
    port: u16,
    (from, until): (&'static str, &'static str),
    claimed: (&'static str, &'static str),
) -> Server {
    Server { address, port, from, until, claimed, role: Role::Own }
}

/// The server that RedFoxtrot and the PlugX cluster share, and when.
pub(crate) const SHARED: &str = "192.0.2.140";

const SHARED_SERVER: Server = Server {
    address: SHARED,
    port: 443,
    from: "2021-04-01",
    until: "2021-05-16",
    claimed: ("2021-04-01", "2021-05-16"),
    role: Role::Shared,
};

/// Day-to-day correlation of activity, in 1,000.
const PERSISTENCE_PER_MILLE: u64 = 700;
/// Standard deviation of the logarithm of a day's octets.
const DAY_SIGMA: f64 = 0.9;
/// Octets of a day before they are scaled to the total. Only ratios matter.
const DAY_MEDIAN: u64 = 1_000_000;

/// Archives are sent in volumes of this many octets at most.
const MOST_UPLOAD: u64 = 20_000_000;

/// Active days in 1,000 on which an operator looks around through a tunnel. Chosen here: days enough to tell how
/// often a bound of a day holds, octets too few to matter in any total.
const TUNNEL_PER_MILLE: u64 = 250;

/// The clusters, in the order of their first contact.
pub(crate) const CLUSTERS: [Cluster; 4] = [
    Cluster {
        name: "Calypso",
        named: true,
        tools: &["PlugX", "Whitebird"],
        servers: &[
            server("192.0.2.11", 443, ("2020-07-06", "2020-10-04"), ("2020-07-04", "2020-10-07")),
            server("192.0.2.37", 8080, ("2020-10-04", "2021-01-02"), ("2020-10-02", "2021-01-04")),
            server("192.0.2.52", 443, ("2021-01-02", "2021-04-02"), ("2020-12-30", "2021-04-05")),
            server("192.0.2.88", 8080, ("2021-04-02", "2021-06-30"), ("2021-03-31", "2021-07-02")),
            server("192.0.2.119", 443, ("2021-06-30", "2021-09-28"), ("2021-06-28", "2021-09-28")),
        ],
        known_by: Known::Servers,
        domains: &[
            "mail.update-check.example.com",
            "www.membrane-news.example.net",
            "owa.kabul-mail.example.org",
            "ns1.telecom-support.example.com",
            "files.draft-exchange.example.net",
            "static.front-door.example.org",
        ],
        beacon: Beacon::Sleep(270, 330),
        inbound_per_mille: 0,
        change: Some(Change { on: "2021-08-02", factor: 5, active_per_mille: 950 }),
        campaigns: &[Campaign {
            victim: V1,
            first: "2020-07-06",
            last: "2021-09-26",
            active_per_mille: 500,
            octets_out: 2_050_000_000,
            uses_shared: false,
        }],
    },
    Cluster {
        name: "PlugX cluster",
        named: false,
        tools: &["PlugX"],
        servers: &[
            server("192.0.2.61", 8000, ("2020-11-02", "2021-04-20"), ("2020-11-01", "2021-04-24")),
            server("192.0.2.77", 443, ("2021-03-10", "2021-09-27"), ("2021-03-08", "2021-09-28")),
            SHARED_SERVER,
        ],
        known_by: Known::Servers,
        domains: &[],
        beacon: Beacon::None,
        inbound_per_mille: 0,
        change: None,
        campaigns: &[Campaign {
            victim: V1,
            first: "2020-11-02",
            last: "2021-09-26",
            active_per_mille: 450,
            octets_out: 1_040_000_000,
            uses_shared: true,
        }],
    },
    Cluster {
        name: "Winnti cluster",
        named: false,
        tools: &["Winnti"],
        servers: &[
            server("192.0.2.160", 443, ("2021-01-11", "2021-05-20"), ("2021-01-08", "2021-05-24")),
            server("192.0.2.171", 8443, ("2021-05-01", "2021-09-27"), ("2021-04-28", "2021-09-28")),
            Server {
                address: "192.0.2.183",
                port: 443,
                from: "2021-02-15",
                until: "2021-09-27",
                claimed: ("2021-02-12", "2021-09-28"),
                role: Role::Late,
            },
        ],
        known_by: Known::Servers,
        domains: &[],
        beacon: Beacon::Hourly(17, 60),
        inbound_per_mille: 0,
        change: Some(Change { on: "2021-08-09", factor: 7, active_per_mille: 900 }),
        campaigns: &[Campaign {
            victim: V1,
            first: "2021-01-11",
            last: "2021-09-26",
            active_per_mille: 400,
            octets_out: 1_960_000_000,
            uses_shared: false,
        }],
    },
    Cluster {
        name: "RedFoxtrot",
        named: true,
        tools: &["PCShare", "PlugX"],
        servers: &[
            server("192.0.2.101", 8080, ("2021-03-08", "2021-04-08"), ("2021-03-05", "2021-04-10")),
            server("192.0.2.118", 7788, ("2021-04-05", "2021-05-06"), ("2021-04-02", "2021-05-08")),
            server("192.0.2.133", 8080, ("2021-05-03", "2021-05-31"), ("2021-05-01", "2021-06-02")),
            SHARED_SERVER,
        ],
        known_by: Known::Domains,
        domains: &["cloud.dyn-service.example.net", "tel.dyn-service.example.net"],
        beacon: Beacon::Sleep(38, 60),
        inbound_per_mille: 200,
        change: None,
        campaigns: &[
            Campaign {
                victim: V1,
                first: "2021-03-08",
                last: "2021-05-23",
                active_per_mille: 600,
                octets_out: 650_000_000,
                uses_shared: true,
            },
            Campaign {
                victim: V2,
                first: "2021-03-15",
                last: "2021-05-30",
                active_per_mille: 600,
                octets_out: 230_000_000,
                uses_shared: false,
            },
        ],
    },
];

impl Cluster {
    /// Every session of a campaign of this cluster, in the order of time.
    ///
    /// The victim's octets add up to the campaign's total exactly, check-ins included.
    pub(crate) fn sessions(&self, campaign: &Campaign, seed: u64) -> Vec<Session> {
        let subject = campaign.subject(self);
        let (days, weights) = self.active_days(campaign, &mut Draw::of(seed, &format!("{subject}/days")));
        let mut sessions = Vec::new();
        for &day in &days {
            let mut draw = Draw::on(seed, &format!("{subject}/beacon"), day);
            self.check_ins(campaign, day, &mut draw, &mut sessions);
            let mut draw = Draw::on(seed, &format!("{subject}/tunnel"), day);
            self.tunnel(campaign, day, &mut draw, &mut sessions);
        }
        let small: u64 = sessions.iter().map(|session| octets_from(session, campaign.victim)).sum();
        // Every active day has an upload that can be made of whole packets.
        let least = LEAST_UPLOAD * days.len() as u64;
        let volumes = divide(campaign.octets_out.saturating_sub(small + least), &weights);
        for (&day, volume) in days.iter().zip(volumes) {
            let volume = volume + LEAST_UPLOAD;
            let mut draw = Draw::on(seed, &format!("{subject}/upload"), day);
            self.uploads(campaign, day, volume, &mut draw, &mut sessions);
        }
        sessions.sort_by_key(|session| (session.start, session.client, session.server));
        share_out(&mut sessions, |session| octets_from(session, campaign.victim));
        sessions
    }

    /// The days with contact, and how much of the total each carries.
    ///
    /// A chain of two states keeps the share of active days and correlates neighbours. The first
    /// and the last day are active, and so is the first of an increase, so that the dates of the plan are
    /// those of the traffic.
    fn active_days(&self, campaign: &Campaign, draw: &mut Draw) -> (Vec<Day>, Vec<u64>) {
        let (first, last) = (day(campaign.first), day(campaign.last));
        let mut days = Vec::new();
        let mut weights = Vec::new();
        let mut active = true;
        for day in (first.0..=last.0).map(Day) {
            let change = self.change.as_ref().filter(|change| day >= crate::plan::day(change.on));
            let share = change.map_or(campaign.active_per_mille, |change| change.active_per_mille);
            let stay = if active { PERSISTENCE_PER_MILLE } else { 0 };
            active = draw.below(1_000_000) < stay * 1_000 + share * (1_000 - PERSISTENCE_PER_MILLE);
            let weight = draw.log_normal(DAY_MEDIAN, DAY_SIGMA).max(1);
            active |= day == first || day == last;
            active |= change.is_some_and(|change| day == crate::plan::day(change.on));
            if active {
                days.push(day);
                weights.push(weight * change.map_or(1, |change| change.factor));
            }
        }
        (days, weights)
    }

    /// The check-ins of one day.
    fn check_ins(&self, campaign: &Campaign, day: Day, draw: &mut Draw, out: &mut Vec<Session>) {
        let Some(server) = self.server_on(campaign, day, None) else { return };
        let last = DAY_US - 10 * SECOND_US;
        let mut check_in = |at_us: i64, draw: &mut Draw| {
            let (forward, reverse) =
                exchange(draw.between(180, 420), draw.between(120, 300), Headers::V4_TCP);
            out.push(Session {
                start: day.start().plus_micros(at_us),
                duration_us: draw.span(400_000, 3 * SECOND_US),
                forward,
                reverse,
                ..self.contact(campaign, server, draw)
            });
        };
        match self.beacon {
            Beacon::None => {}
            Beacon::Sleep(least, most) => {
                let mut at_us = draw.below(most * SECOND_US as u64) as i64;
                while at_us < last {
                    check_in(at_us, draw);
                    at_us += draw.between(least * SECOND_US as u64, most * SECOND_US as u64) as i64;
                }
            }
            Beacon::Hourly(minute, jitter_s) => {
                for hour in 0..24 {
                    let off_us = draw.span(-jitter_s * SECOND_US, jitter_s * SECOND_US);
                    check_in((hour * 60 + minute) * 60 * SECOND_US + off_us, draw);
                }
            }
        }
    }

    /// On some days, a tunnel of a minute or a few.
    fn tunnel(&self, campaign: &Campaign, day: Day, draw: &mut Draw, out: &mut Vec<Session>) {
        let Some(server) = self.server_on(campaign, day, None) else { return };
        if !draw.chance(TUNNEL_PER_MILLE) {
            return;
        }
        let (forward, reverse) = tunnel(draw.between(40_000, 60_000) as u32);
        let duration_us = draw.span(60 * SECOND_US, 180 * SECOND_US);
        out.push(Session {
            start: day.start().plus_micros(draw.below((DAY_US - duration_us) as u64) as i64),
            duration_us,
            forward,
            reverse,
            ..self.contact(campaign, server, draw)
        });
    }

    /// The uploads of one day: together exactly `volume` octets from the victim.
    fn uploads(&self, campaign: &Campaign, day: Day, volume: u64, draw: &mut Draw, out: &mut Vec<Session>) {
        let inbound = draw.chance(self.inbound_per_mille);
        let mut parts = Vec::new();
        let mut rest = volume;
        while rest > MOST_UPLOAD + LEAST_UPLOAD {
            let part = draw.between(MOST_UPLOAD * 19 / 20, MOST_UPLOAD);
            parts.push(part);
            rest -= part;
        }
        let most = (rest / (2 * LEAST_UPLOAD)).clamp(1, 4);
        let count = draw.between(1, most);
        let shares: Vec<u64> = (0..count).map(|_| draw.between(500, 1_000)).collect();
        parts.extend(divide(rest, &shares));
        for octets in parts {
            let Some(server) = self.server_on(campaign, day, Some(draw.bits())) else { return };
            let duration_us = draw.span(300, 3_600) * SECOND_US + draw.span(0, SECOND_US - 1);
            let command = draw.between(600, 6_000);
            let contact = self.contact(campaign, server, draw);
            let (client, server, (forward, reverse)) = if inbound {
                let port = Socket { address: campaign.victim, port: 443 };
                let from = Socket { address: contact.server.address, port: contact.client.port };
                (from, port, download(octets, command))
            } else {
                (contact.client, contact.server, upload(octets, command))
            };
            out.push(Session {
                start: day.start().plus_micros(draw.below((DAY_US - duration_us) as u64) as i64),
                duration_us,
                client,
                server,
                forward,
                reverse,
                ..contact
            });
        }
    }

    /// The server in use on a day: the newest of the campaign's own, or the one that `pick` draws
    /// among all in use.
    fn server_on(&self, campaign: &Campaign, on: Day, pick: Option<u64>) -> Option<&Server> {
        let in_use: Vec<&Server> = self
            .servers
            .iter()
            .filter(|server| day(server.from) <= on && on < day(server.until))
            .filter(|server| match server.role {
                Role::Own => true,
                Role::Shared => campaign.uses_shared && pick.is_some(),
                Role::Late => pick.is_some(),
            })
            .collect();
        match pick {
            Some(pick) => in_use.get((pick % in_use.len().max(1) as u64) as usize).copied(),
            None => in_use.last().copied(),
        }
    }

    /// A contact from the victim to a server, still without packets.
    fn contact(&self, campaign: &Campaign, server: &Server, draw: &mut Draw) -> Session {
        Session {
            start: Timestamp::default(),
            duration_us: 0,
            client: Socket { address: campaign.victim, port: draw.between(49_152, 65_535) as u16 },
            server: Socket { address: address(server.address), port: server.port },
            protocol: protocol::TCP,
            forward: Packets::NONE,
            reverse: Packets::NONE,
            outcome: Outcome::Complete,
            service: if matches!(server.port, 443 | 8443) { Service::Tls } else { Service::None },
            path: Path::ALL,
        }
    }
}

impl Campaign {
    /// The name of its streams of chance.
    pub(crate) fn subject(&self, cluster: &Cluster) -> String {
        format!("{} on {}", cluster.name, self.victim)
    }
}

/// IP octets that `address` sent in a session.
pub(crate) fn octets_from(session: &Session, address: Address) -> u64 {
    if session.client.address == address { session.forward.octets() } else { session.reverse.octets() }
}

/// `total` in whole parts in the ratio of `weights`. The parts add up to `total`.
fn divide(total: u64, weights: &[u64]) -> Vec<u64> {
    let whole: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    let mut passed: u128 = 0;
    let mut given: u64 = 0;
    weights
        .iter()
        .map(|&weight| {
            passed += u128::from(weight);
            let until = (u128::from(total) * passed / whole.max(1)) as u64;
            let part = until - given;
            given = until;
            part
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rahdar_model::Window;

    use super::*;
    use crate::plan::{days, window};

    fn campaigns() -> impl Iterator<Item = (&'static Cluster, &'static Campaign)> {
        CLUSTERS.iter().flat_map(|cluster| cluster.campaigns.iter().map(move |campaign| (cluster, campaign)))
    }

    #[test]
    fn five_campaigns_take_exactly_what_is_planned() {
        let mut from_v1 = 0;
        for (cluster, campaign) in campaigns() {
            let sessions = cluster.sessions(campaign, 7);
            let octets: u64 = sessions.iter().map(|session| octets_from(session, campaign.victim)).sum();
            assert_eq!(octets, campaign.octets_out, "{}", campaign.subject(cluster));
            from_v1 += if campaign.victim == V1 { octets } else { 0 };
        }
        assert_eq!(campaigns().count(), 5);
        assert_eq!(from_v1, 5_700_000_000);
    }

    #[test]
    fn every_exporter_carries_its_share_of_every_campaign() {
        for seed in 1..4 {
            for (cluster, campaign) in campaigns() {
                let sessions = cluster.sessions(campaign, seed);
                let share = |passes: &dyn Fn(Path) -> bool| {
                    let passing = sessions.iter().filter(|session| passes(session.path));
                    passing.map(|session| octets_from(session, campaign.victim)).sum::<u64>() as f64
                        / campaign.octets_out as f64
                };
                for (got, target) in [
                    (share(&|path| path.passes(0)), 0.80),
                    (share(&|path| path.passes(1)), 0.50),
                    (share(&|path| path.passes(0) && path.passes(1)), 0.42),
                    (share(&|path| path.passes(0) || path.passes(1)), 0.88),
                    (share(&|path| path.passes(2)), 0.25),
                ] {
                    let subject = campaign.subject(cluster);
                    assert!((got - target).abs() < 0.01, "seed {seed}, {subject}: {got} is not {target}");
                }
            }
        }
    }

    #[test]
    fn contact_begins_and_ends_on_the_planned_days_inside_claims() {
        for (cluster, campaign) in campaigns() {
            let sessions = cluster.sessions(campaign, 7);
            assert_eq!(sessions.first().unwrap().start.day(), day(campaign.first));
            assert_eq!(sessions.last().unwrap().start.day(), day(campaign.last));
            for session in &sessions {
                assert_eq!(session.start.day(), session.end().day(), "a session stays within its day");
                let remote = if session.client.address == campaign.victim {
                    session.server.address
                } else {
                    session.client.address
                };
                let server = cluster.servers.iter().find(|server| address(server.address) == remote).unwrap();
                let Window { from, until } = window(server.claimed.0, server.claimed.1);
                assert!(from <= session.start && session.end() < until);
            }
        }
    }

    #[test]
    fn one_seed_differs_from_the_next() {
        let (cluster, campaign) = campaigns().next().unwrap();
        assert_eq!(cluster.sessions(campaign, 1), cluster.sessions(campaign, 1));
        assert_ne!(cluster.sessions(campaign, 1), cluster.sessions(campaign, 2));
    }

    #[test]
    fn an_increase_shows_and_the_control_has_none() {
        for (cluster, campaign) in campaigns().filter(|(_, campaign)| campaign.victim == V1) {
            let since = cluster.change.as_ref().map_or("2021-08-01", |change| change.on);
            let mut means = [0.0; 2];
            for seed in 0..8 {
                let sessions = cluster.sessions(campaign, seed);
                for (mean, after) in means.iter_mut().zip([false, true]) {
                    let on = |at: Day| (at >= day(since)) == after;
                    let octets: u64 = sessions
                        .iter()
                        .filter(|session| on(session.start.day()))
                        .map(|session| octets_from(session, campaign.victim))
                        .sum();
                    let span =
                        days().filter(|&at| on(at) && at >= day(campaign.first) && at <= day(campaign.last));
                    *mean += octets as f64 / span.count().max(1) as f64;
                }
            }
            let ratio = means[1] / means[0];
            match cluster.name {
                "Calypso" | "Winnti cluster" => assert!(ratio > 5.0, "{}: {ratio}", cluster.name),
                "PlugX cluster" => assert!((0.6..1.6).contains(&ratio), "{ratio}"),
                _ => assert_eq!(ratio, 0.0),
            }
        }
    }
}
