//! What really happened: `truth.json`. No hunt reads it: the scorer does, and who calibrates on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rahdar_model::intelligence::ClusterId;
use rahdar_model::{Address, Day, Timestamp};
use serde::{Deserialize, Serialize};

use crate::actors::{Beacon, CLUSTERS, Cluster, Role, octets_from};
use crate::background::hosts;
use crate::decoys::DECOYS;
use crate::plan::{EVENTS, FIRST_DAY, LAST_DAY, NETWORKS, V1, V2, day};
use crate::session::Session;
use crate::telemetry::{Played, World};
use crate::{ScenarioError, Settings};

/// What really happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// `roshan-2021`.
    pub scenario: String,
    /// What it was made from.
    pub settings: Settings,
    /// First day.
    #[serde(with = "text")]
    pub first_day: Day,
    /// Last day.
    #[serde(with = "text")]
    pub last_day: Day,
    /// The hosts that clusters are on, in the order of addresses.
    pub victims: Vec<Victim>,
    /// The clusters, in the order of their first contact.
    pub clusters: Vec<ClusterTruth>,
    /// Who was on which victim: five pairs.
    pub pairs: Vec<Pair>,
    /// What looks like contact and is none.
    pub decoys: Vec<Decoy>,
    /// What every monitored address that is in use does.
    pub hosts: Vec<Host>,
    /// Registered events.
    pub events: Vec<Event>,
    /// What the files of telemetry hold.
    pub telemetry: Vec<Telemetry>,
    /// Every file but this one, so that a truth is not taken for that of another scenario.
    pub files: Vec<Content>,
}

/// A monitored host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// One of its addresses.
    #[serde(with = "text")]
    pub address: Address,
    /// `mail server`, `web server` or `client`.
    pub role: String,
}

/// A file, by what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Its place in the scenario's folder.
    pub file: String,
    /// BLAKE3 of its octets, in hexadecimal.
    pub blake3: String,
}

/// A host that clusters are on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Victim {
    /// Its address.
    #[serde(with = "text")]
    pub address: Address,
    /// Origin AS.
    pub asn: u32,
    /// Whose network.
    pub org: String,
    /// Sector.
    pub sector: String,
    /// Country.
    pub country: String,
    /// What it does, where its traffic shows that; empty otherwise.
    pub role: String,
}

/// A cluster, its servers and what was planted in its activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterTruth {
    /// Its name in all intelligence.
    pub name: String,
    /// Whether that is the name of a group.
    pub named: bool,
    /// Its servers.
    pub indicators: Vec<Indicator>,
    /// First day of a planted increase.
    #[serde(with = "text::optional")]
    pub change: Option<Day>,
    /// Seconds between check-ins on the mean; none without check-ins.
    pub beacon_s: Option<u64>,
    /// Whether check-ins keep a schedule; else each sleeps from the one before.
    pub keeps_clock: bool,
}

/// A command server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indicator {
    /// Its address.
    #[serde(with = "text")]
    pub address: Address,
    /// Its port.
    pub port: u16,
    /// First day of the claim.
    #[serde(with = "text")]
    pub valid_from: Day,
    /// First day after the claim.
    #[serde(with = "text")]
    pub valid_until: Day,
    /// `own`, `shared` with another cluster, or published `late`.
    pub class: String,
}

/// One cluster on one victim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The victim.
    #[serde(with = "text")]
    pub victim: Address,
    /// The cluster's name.
    pub cluster: String,
    /// First packet.
    #[serde(with = "text")]
    pub first_contact: Timestamp,
    /// Last packet.
    #[serde(with = "text")]
    pub last_contact: Timestamp,
    /// First packet that passed a sensor.
    #[serde(with = "text")]
    pub first_visible: Timestamp,
    /// Last packet that passed a sensor.
    #[serde(with = "text")]
    pub last_visible: Timestamp,
    /// All of it.
    pub real: Traffic,
    /// What passed one sensor at least while it was up, before sampling, each octet once.
    pub visible: Traffic,
    /// What passed each exporter while it was up, before sampling.
    pub exporters: Vec<Seen>,
    /// The same traffic by path, outages aside: what two exporters are on is told twice.
    pub paths: Vec<PathTruth>,
    /// Server by server, by address; those that no sensor saw are left out.
    pub servers: Vec<ServerTruth>,
    /// Day by day; days without contact are left out.
    pub days: Vec<DayTruth>,
}

/// What passed a sensor between a victim and one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerTruth {
    /// The server.
    #[serde(with = "text")]
    pub address: Address,
    /// First packet.
    #[serde(with = "text")]
    pub first_visible: Timestamp,
    /// Last packet.
    #[serde(with = "text")]
    pub last_visible: Timestamp,
    /// What passed.
    pub visible: Traffic,
}

/// Traffic between a victim and a cluster, in IP octets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Octets from the victim.
    pub octets_out: u64,
    /// Octets to the victim.
    pub octets_in: u64,
    /// Packets from the victim.
    pub packets_out: u64,
    /// Packets to the victim.
    pub packets_in: u64,
    /// Conversations, check-ins included.
    pub sessions: u64,
}

/// What passed one exporter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its name: E1, E2, E3.
    pub exporter: String,
    /// What passed.
    pub traffic: Traffic,
}

/// What took one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathTruth {
    /// The exporters on it; none on the path that nobody watches.
    pub exporters: Vec<String>,
    /// What took it.
    pub traffic: Traffic,
}

/// One day of contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayTruth {
    /// Which.
    #[serde(with = "text")]
    pub day: Day,
    /// All of it.
    pub real: Traffic,
    /// What passed a sensor.
    pub visible: Traffic,
}

/// What looks like contact and is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoy {
    /// What it is, in words.
    pub kind: String,
    /// What is listed and must not be believed, as text of an address or a network. None where
    /// the listed address is a true server and only the hosts are decoys.
    pub indicator: Option<String>,
    /// Whose it is said to be.
    pub cluster: Option<String>,
    /// Monitored hosts that must not be called victims, sorted.
    #[serde(with = "text::list")]
    pub hosts: Vec<Address>,
}

/// A registered event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    #[serde(with = "text")]
    pub date: Day,
    /// What.
    pub label: String,
}

/// What one file of telemetry holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telemetry {
    /// Its name in the folder.
    pub file: String,
    /// Who wrote it.
    pub exporter: String,
    /// One packet in this many was taken.
    pub sampling_interval: u32,
    /// Datagrams sent; 0 where there are none.
    pub datagrams: u64,
    /// Of these, datagrams that never arrived.
    pub datagrams_lost: u64,
    /// Flow records in the file.
    pub records: u64,
    /// Packets in these, both ways, as written.
    pub packets: u64,
    /// IP octets in these, both ways, as written.
    pub octets: u64,
}

impl Telemetry {
    pub(crate) fn new(file: String, exporter: &str, sampling_interval: u32) -> Self {
        Self {
            file,
            exporter: exporter.to_owned(),
            sampling_interval,
            datagrams: 0,
            datagrams_lost: 0,
            records: 0,
            packets: 0,
            octets: 0,
        }
    }
}

impl Truth {
    /// Reads `truth.json`.
    ///
    /// # Errors
    /// [`ScenarioError::Read`] or [`ScenarioError::NoTruth`].
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = fs::read(path).map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        serde_json::from_slice(&text)
            .map_err(|source| ScenarioError::NoTruth { path: path.to_owned(), source })
    }

    /// Whether the address is a server of this cluster, and the cluster is on the victim.
    pub fn is_contact(&self, victim: Address, remote: Address, cluster: &ClusterId) -> bool {
        let is_it = |name: &str| ClusterId::of_name(name) == *cluster;
        self.pairs.iter().any(|pair| pair.victim == victim && is_it(&pair.cluster))
            && self
                .clusters
                .iter()
                .filter(|cluster| is_it(&cluster.name))
                .any(|cluster| cluster.indicators.iter().any(|indicator| indicator.address == remote))
    }

    /// The truth about a world.
    pub(crate) fn of(world: &World, telemetry: Vec<Telemetry>) -> Self {
        Self {
            scenario: "roshan-2021".to_owned(),
            settings: world.settings,
            first_day: day(FIRST_DAY),
            last_day: day(LAST_DAY),
            victims: [(V2, ""), (V1, "mail server")].map(|(address, role)| victim(address, role)).to_vec(),
            clusters: CLUSTERS.iter().map(cluster).collect(),
            pairs: world.played.iter().map(|played| pair(world, played)).collect(),
            decoys: DECOYS
                .iter()
                .map(|decoy| Decoy {
                    kind: decoy.kind.word().to_owned(),
                    indicator: decoy.indicator().map(str::to_owned),
                    cluster: decoy.cluster.map(str::to_owned),
                    hosts: decoy.hosts(),
                })
                .collect(),
            events: EVENTS
                .iter()
                .map(|(date, label)| Event { date: day(date), label: (*label).to_owned() })
                .collect(),
            hosts: hosts().map(|(address, role)| Host { address, role: role.to_owned() }).collect(),
            telemetry,
            files: Vec::new(),
        }
    }
}

fn victim(address: Address, role: &str) -> Victim {
    let net = NETWORKS.iter().find(|net| net.prefix.contains(address));
    Victim {
        address,
        asn: net.map_or(0, |net| net.asn),
        org: net.map_or("", |net| net.org).to_owned(),
        sector: "telecom".to_owned(),
        country: "AF".to_owned(),
        role: role.to_owned(),
    }
}

fn cluster(cluster: &Cluster) -> ClusterTruth {
    ClusterTruth {
        name: cluster.name.to_owned(),
        named: cluster.named,
        indicators: cluster
            .servers
            .iter()
            .map(|server| Indicator {
                address: crate::plan::address(server.address),
                port: server.port,
                valid_from: day(server.claimed.0),
                valid_until: day(server.claimed.1),
                class: match server.role {
                    Role::Own => "own",
                    Role::Shared => "shared",
                    Role::Late => "late",
                }
                .to_owned(),
            })
            .collect(),
        change: cluster.change.as_ref().map(|change| day(change.on)),
        beacon_s: match cluster.beacon {
            Beacon::None => None,
            Beacon::Sleep(least, most) => Some((least + most) / 2),
            Beacon::Hourly(..) => Some(3_600),
        },
        keeps_clock: matches!(cluster.beacon, Beacon::Hourly(..)),
    }
}

fn pair(world: &World, played: &Played) -> Pair {
    let victim = played.campaign.victim;
    let mut real = Traffic::default();
    let mut visible = Traffic::default();
    let mut seen = vec![Traffic::default(); world.exporters.len()];
    let mut days: BTreeMap<Day, (Traffic, Traffic)> = BTreeMap::new();
    let mut contact = Span::default();
    let mut in_sight = Span::default();
    let mut servers: BTreeMap<Address, (Span, Traffic)> = BTreeMap::new();
    let mut paths: BTreeMap<Vec<&str>, Traffic> = BTreeMap::new();
    for session in &played.sessions {
        let whole = Traffic::of(session, victim, WHOLE);
        // A session that passes two exporters is seen whole as soon as one saw it whole.
        let shares: Vec<u64> =
            world.exporters.iter().map(|exporter| exporter.saw_millionths(session)).collect();
        let share = if shares.is_empty() { WHOLE } else { shares.iter().copied().max().unwrap_or(0) };
        let part = Traffic::of(session, victim, share);
        real.add(whole);
        visible.add(part);
        for (seen, share) in seen.iter_mut().zip(shares) {
            seen.add(Traffic::of(session, victim, share));
        }
        let on_path = world.exporters.iter().filter(|exporter| session.path.passes(exporter.index));
        paths.entry(on_path.map(|exporter| exporter.name).collect()).or_default().add(whole);
        let day = days.entry(session.start.day()).or_default();
        day.0.add(whole);
        day.1.add(part);
        contact.cover(session);
        if share > 0 {
            in_sight.cover(session);
            let server = if session.client.address == victim { session.server } else { session.client };
            let (span, traffic) = servers.entry(server.address).or_default();
            span.cover(session);
            traffic.add(part);
        }
    }
    Pair {
        victim,
        cluster: played.cluster.name.to_owned(),
        first_contact: contact.first,
        last_contact: contact.last,
        first_visible: in_sight.first,
        last_visible: in_sight.last,
        real,
        visible,
        exporters: world
            .exporters
            .iter()
            .zip(seen)
            .map(|(exporter, traffic)| Seen { exporter: exporter.name.to_owned(), traffic })
            .collect(),
        paths: paths
            .into_iter()
            .filter(|_| !world.exporters.is_empty())
            .map(|(exporters, traffic)| PathTruth {
                exporters: exporters.into_iter().map(str::to_owned).collect(),
                traffic,
            })
            .collect(),
        servers: servers
            .into_iter()
            .map(|(address, (span, visible))| ServerTruth {
                address,
                first_visible: span.first,
                last_visible: span.last,
                visible,
            })
            .collect(),
        days: days.into_iter().map(|(day, (real, visible))| DayTruth { day, real, visible }).collect(),
    }
}

/// All of a session, in millionths.
const WHOLE: u64 = 1_000_000;

impl Traffic {
    /// So many millionths of a session.
    fn of(session: &Session, victim: Address, millionths: u64) -> Self {
        let (out, back) = if session.client.address == victim {
            (&session.forward, &session.reverse)
        } else {
            (&session.reverse, &session.forward)
        };
        let part = |n: u64| (u128::from(n) * u128::from(millionths) / u128::from(WHOLE)) as u64;
        debug_assert_eq!(out.octets(), octets_from(session, victim));
        Self {
            octets_out: part(out.octets()),
            octets_in: part(back.octets()),
            packets_out: part(out.count()),
            packets_in: part(back.count()),
            sessions: u64::from(millionths > 0),
        }
    }

    fn add(&mut self, other: Self) {
        self.octets_out += other.octets_out;
        self.octets_in += other.octets_in;
        self.packets_out += other.packets_out;
        self.packets_in += other.packets_in;
        self.sessions += other.sessions;
    }
}

/// From the first packet to the last.
struct Span {
    first: Timestamp,
    last: Timestamp,
}

impl Default for Span {
    fn default() -> Self {
        Self { first: Timestamp::MAX, last: Timestamp::MIN }
    }
}

impl Span {
    fn cover(&mut self, session: &Session) {
        self.first = self.first.min(session.start);
        self.last = self.last.max(session.end());
    }
}

/// Days, times and addresses as their text.
mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }

    pub(super) mod optional {
        use super::{Deserialize, Deserializer, Display, Error, FromStr, Serializer};

        pub(in super::super) fn serialize<T: Display, S: Serializer>(
            value: &Option<T>,
            out: S,
        ) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => out.collect_str(value),
                None => out.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
        where
            T: FromStr<Err: Display>,
            D: Deserializer<'de>,
        {
            let text: Option<String> = Option::deserialize(from)?;
            text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
        }
    }

    pub(super) mod list {
        use super::{Deserialize, Deserializer, Display, Error, FromStr, Serializer};

        pub(in super::super) fn serialize<T: Display, S: Serializer>(
            values: &[T],
            out: S,
        ) -> Result<S::Ok, S::Error> {
            out.collect_seq(values.iter().map(T::to_string))
        }

        pub(in super::super) fn deserialize<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
        where
            T: FromStr<Err: Display>,
            D: Deserializer<'de>,
        {
            let texts: Vec<String> = Vec::deserialize(from)?;
            texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
        }
    }
}
