//! Traffic that looks like contact and is none. Each decoy says what it is, so that the scorer can
//! tell who was taken in.

use rahdar_model::flow::protocol;
use rahdar_model::time::{HOUR_US, SECOND_US};
use rahdar_model::{Address, Day};

use crate::background::{BACKUP, HOSTS, RESOLVER, conversation, host, question, second_host, with_payload};
use crate::draw::Draw;
use crate::path::Path;
use crate::plan::{V1, address, day, v4};
use crate::session::{Outcome, Service, Session, Socket, backscatter, half_open, probe};

/// What a decoy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A listed address that only scans the mail server.
    Scanner,
    /// A true command server answers packets that others forged in our name.
    Backscatter,
    /// A content delivery network in front of a true domain, known as such.
    Cdn,
    /// The same, and nobody told: only how many talk to it gives it away.
    UnknownCdn,
    /// A host that serves 300 names, one of them hostile.
    SharedHosting,
    /// An address that was hostile once and belongs to a webmail provider since.
    Reassigned,
    /// A server that defenders took over.
    Sinkhole,
    /// Names that were asked for and never contacted.
    LookupOnly,
    /// A scanner that probes everybody for research.
    ResearchScanner,
    /// A network that a typing error made of an address.
    TypingError,
    /// Storage for everybody, from which malware was fetched once; our backup goes there, and doubles
    /// when the clusters send more.
    CloudStorage,
}

impl Kind {
    /// The word in the truth.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Scanner => "scanner",
            Self::Backscatter => "backscatter",
            Self::Cdn => "cdn",
            Self::UnknownCdn => "unknown cdn",
            Self::SharedHosting => "shared hosting",
            Self::Reassigned => "reassigned address",
            Self::Sinkhole => "sinkhole",
            Self::LookupOnly => "lookup only",
            Self::ResearchScanner => "research scanner",
            Self::TypingError => "typing error",
            Self::CloudStorage => "cloud storage",
        }
    }
}

/// One decoy.
pub(crate) struct Decoy {
    pub(crate) kind: Kind,
    /// Whose contact it looks like.
    pub(crate) cluster: Option<&'static str>,
    /// What intelligence lists for it, and nobody must believe. None where the listed address is a
    /// true server, and only the other end is a decoy.
    pub(crate) listed: Option<Listed>,
    /// The days of its traffic: first, first after.
    traffic: (&'static str, &'static str),
}

/// An entry of intelligence that misleads.
pub(crate) struct Listed {
    pub(crate) indicator: &'static str,
    pub(crate) port: Option<u16>,
    /// First day, first day after.
    pub(crate) claimed: (&'static str, &'static str),
}

const fn listed(
    kind: Kind,
    cluster: Option<&'static str>,
    indicator: &'static str,
    port: Option<u16>,
    claimed: (&'static str, &'static str),
    traffic: (&'static str, &'static str),
) -> Decoy {
    Decoy { kind, cluster, listed: Some(Listed { indicator, port, claimed }), traffic }
}

/// The true server behind the backscatter: Calypso's second, in its window.
const FORGED_AGAINST: (&str, u16) = ("192.0.2.37", 8080);

/// Every decoy.
pub(crate) const DECOYS: [Decoy; 14] = [
    listed(
        Kind::Scanner,
        Some("Calypso"),
        "192.0.2.201",
        None,
        ("2020-09-01", "2021-09-28"),
        ("2020-09-10", "2021-08-01"),
    ),
    listed(
        Kind::Scanner,
        Some("Winnti cluster"),
        "192.0.2.202",
        None,
        ("2021-01-05", "2021-09-28"),
        ("2021-01-20", "2021-09-20"),
    ),
    listed(
        Kind::Scanner,
        Some("PlugX cluster"),
        "192.0.2.203",
        None,
        ("2020-11-01", "2021-09-28"),
        ("2020-12-01", "2021-07-01"),
    ),
    Decoy {
        kind: Kind::Backscatter,
        cluster: Some("Calypso"),
        listed: None,
        traffic: ("2020-11-20", "2020-11-22"),
    },
    listed(
        Kind::Cdn,
        Some("Calypso"),
        "198.18.200.10",
        Some(443),
        ("2020-07-04", "2021-09-28"),
        ("2020-07-06", "2021-09-28"),
    ),
    listed(
        Kind::Cdn,
        Some("Calypso"),
        "198.18.200.11",
        Some(443),
        ("2020-07-04", "2021-09-28"),
        ("2020-07-06", "2021-09-28"),
    ),
    listed(
        Kind::UnknownCdn,
        Some("PlugX cluster"),
        "198.19.77.5",
        Some(443),
        ("2020-11-01", "2021-09-28"),
        ("2020-07-01", "2021-09-28"),
    ),
    listed(
        Kind::SharedHosting,
        Some("RedFoxtrot"),
        "198.18.210.80",
        Some(8443),
        ("2021-02-01", "2021-06-15"),
        ("2021-02-01", "2021-06-15"),
    ),
    listed(
        Kind::Reassigned,
        Some("RedFoxtrot"),
        "192.0.2.150",
        Some(443),
        ("2020-07-01", "2020-11-01"),
        ("2021-03-10", "2021-09-28"),
    ),
    listed(
        Kind::Sinkhole,
        Some("Calypso"),
        "192.0.2.66",
        Some(443),
        ("2020-12-01", "2021-09-28"),
        ("2021-06-08", "2021-09-28"),
    ),
    Decoy {
        kind: Kind::LookupOnly,
        cluster: Some("RedFoxtrot"),
        listed: None,
        traffic: ("2021-03-20", "2021-05-20"),
    },
    listed(
        Kind::ResearchScanner,
        None,
        "192.0.2.190",
        None,
        ("2021-05-01", "2021-07-01"),
        ("2020-07-02", "2021-09-28"),
    ),
    listed(
        Kind::TypingError,
        Some("Winnti cluster"),
        "198.18.0.0/8",
        None,
        ("2021-01-08", "2021-09-28"),
        ("2020-07-01", "2021-09-28"),
    ),
    listed(
        Kind::CloudStorage,
        None,
        BACKUP,
        None,
        ("2020-07-01", "2021-10-01"),
        ("2020-07-01", "2021-09-28"),
    ),
];

/// Hosts that use the known content delivery network.
const CDN_HOSTS: u64 = 40;
/// Hosts that use the unknown one: far above the 30 % of active hosts at which no indicator can be
/// a command server (`methods.md` §2.2).
const UNKNOWN_CDN_HOSTS: u64 = 150;
/// The same in the second telecom.
const UNKNOWN_CDN_SECOND_HOSTS: u64 = 20;
/// Hosts with pages on the shared host.
const SHARED_HOSTS: u64 = 10;
/// Hosts whose people read webmail at the reassigned address.
const WEBMAIL_HOSTS: u64 = 12;
/// The one host that still calls the sinkhole.
const SINKHOLE_HOST: u64 = 47;
/// Hosts that ask for hostile names.
const LOOKUP_HOSTS: u64 = 6;

/// Ports that the mail server answers.
const OPEN_PORTS: [u16; 4] = [25, 443, 587, 993];

impl Decoy {
    /// The name of its streams of chance.
    pub(crate) fn subject(&self) -> String {
        format!("{} {}", self.kind.word(), self.indicator().unwrap_or("not listed"))
    }

    /// What intelligence lists.
    pub(crate) fn indicator(&self) -> Option<&'static str> {
        self.listed.as_ref().map(|listed| listed.indicator)
    }

    /// The monitored addresses that must not be called victims because of it, sorted. The mail
    /// server is not among them: others are on it.
    pub(crate) fn hosts(&self) -> Vec<Address> {
        let mut hosts: Vec<Address> = match self.kind {
            Kind::Scanner | Kind::TypingError | Kind::CloudStorage => Vec::new(),
            Kind::Backscatter | Kind::ResearchScanner => (0..HOSTS).map(host).collect(),
            Kind::Cdn => (0..CDN_HOSTS).map(|n| host(n * 3)).collect(),
            Kind::UnknownCdn => (0..UNKNOWN_CDN_HOSTS)
                .map(host)
                .chain((0..UNKNOWN_CDN_SECOND_HOSTS).map(second_host))
                .collect(),
            Kind::SharedHosting => (0..SHARED_HOSTS).map(|n| host(n * 7 + 1)).collect(),
            Kind::Reassigned => (0..WEBMAIL_HOSTS).map(|n| host(n * 11 + 2)).collect(),
            Kind::Sinkhole => vec![host(SINKHOLE_HOST)],
            Kind::LookupOnly => (0..LOOKUP_HOSTS).map(|n| host(n * 17 + 5)).collect(),
        };
        hosts.sort();
        hosts
    }

    /// Its traffic of one day, in no order.
    pub(crate) fn on(&self, seed: u64, today: Day, out: &mut Vec<Session>) {
        let (from, until) = (day(self.traffic.0), day(self.traffic.1));
        if today < from || today >= until {
            return;
        }
        let first = out.len();
        let mut draw = Draw::on(seed, &self.subject(), today);
        // A network has no traffic of its own: the rest of the Internet is in it. What goes to the storage is
        // the backup.
        let remote = self.indicator().and_then(|indicator| indicator.parse::<Address>().ok());
        match (self.kind, remote) {
            (Kind::Scanner, Some(remote)) => scan_one(today, remote, &mut draw, out),
            (Kind::ResearchScanner, Some(remote)) => scan_all(today, remote, &mut draw, out),
            (Kind::Cdn, Some(remote)) => {
                for host in self.hosts().into_iter().chain([V1]) {
                    browse(today, host, (remote, 443), 130, &mut draw, out);
                }
            }
            (Kind::UnknownCdn, Some(remote)) => {
                for host in self.hosts().into_iter().chain([V1]) {
                    browse(today, host, (remote, 443), 100, &mut draw, out);
                }
            }
            (Kind::SharedHosting, Some(remote)) => {
                for host in self.hosts() {
                    browse(today, host, (remote, 443), 150, &mut draw, out);
                }
            }
            (Kind::Reassigned, Some(remote)) => {
                for host in self.hosts() {
                    browse(today, host, (remote, 443), 300, &mut draw, out);
                }
                let mail = conversation(today, V1, (remote, 25), 20, &mut draw);
                out.push(with_payload(mail, draw.log_normal(18_000, 1.0), 900, Service::Smtp));
            }
            (Kind::Sinkhole, Some(remote)) => call_sinkhole(today, remote, &mut draw, out),
            (Kind::Backscatter, _) => answer_forgeries(today, &self.hosts(), &mut draw, out),
            (Kind::LookupOnly, _) => {
                for host in self.hosts() {
                    if draw.chance(300) {
                        let lookup = conversation(today, host, (RESOLVER, 53), 1, &mut draw);
                        out.push(question(lookup, 48, 160, Service::Dns));
                    }
                }
            }
            _ => {}
        }
        for session in &mut out[first..] {
            session.path = Path::of_hash(session.tuple_hash());
        }
    }
}

/// Once in a while a page: `per_mille` is the chance of a day.
fn browse(
    day: Day,
    host: Address,
    server: (Address, u16),
    per_mille: u64,
    draw: &mut Draw,
    out: &mut Vec<Session>,
) {
    if draw.chance(per_mille) {
        let session = conversation(day, host, server, 180, draw);
        out.push(with_payload(session, 6_000, draw.log_normal(500_000, 0.8), Service::Tls));
    }
}

/// A scanner at the mail server: 40 ports on every third day or so, most of them filtered.
fn scan_one(day: Day, scanner: Address, draw: &mut Draw, out: &mut Vec<Session>) {
    if !draw.chance(330) {
        return;
    }
    let begin = draw.below(20 * HOUR_US as u64) as i64;
    for n in 0..40 {
        let port = match n {
            0..4 => OPEN_PORTS[n as usize],
            _ => draw.between(1, 10_000) as u16,
        };
        let session = Session {
            start: day.start().plus_micros(begin + n * SECOND_US),
            ..conversation(day, scanner, (V1, port), 1, draw)
        };
        out.push(probed(session, OPEN_PORTS.contains(&port)));
    }
}

/// A research scanner: every address of the first telecom, one port, once a week.
fn scan_all(day: Day, scanner: Address, draw: &mut Draw, out: &mut Vec<Session>) {
    if day.0 % 7 != 3 {
        return;
    }
    let begin = draw.below(20 * HOUR_US as u64) as i64;
    for n in 1..255 {
        let target = v4(203, 0, 113, n);
        let session = Session {
            start: day.start().plus_micros(begin + i64::from(n) * SECOND_US / 4),
            ..conversation(day, scanner, (target, 443), 1, draw)
        };
        out.push(probed(session, target == V1));
    }
}

fn probed(session: Session, open: bool) -> Session {
    let (outcome, duration_us, (forward, reverse)) =
        if open { (Outcome::HalfOpen, 200_000, half_open()) } else { (Outcome::Unanswered, 0, probe()) };
    Session { outcome, duration_us, forward, reverse, ..session }
}

/// The host that nobody cleaned calls the sinkhole every ten minutes or so, on two days of three.
fn call_sinkhole(day: Day, sinkhole: Address, draw: &mut Draw, out: &mut Vec<Session>) {
    if !draw.chance(660) {
        return;
    }
    for n in 0..140 {
        let session = Session {
            start: day.start().plus_micros(n * 600 * SECOND_US + draw.span(0, 60 * SECOND_US)),
            ..conversation(day, host(SINKHOLE_HOST), (sinkhole, 443), 2, draw)
        };
        out.push(with_payload(session, 250, 120, Service::Tls));
    }
}

/// Answers to a flood that somebody sent to a true server in the name of our hosts.
fn answer_forgeries(day: Day, hosts: &[Address], draw: &mut Draw, out: &mut Vec<Session>) {
    let (server, port) = FORGED_AGAINST;
    for &host in hosts {
        for _ in 0..10 {
            let (forward, reverse) = backscatter(draw.between(1, 5) as u32);
            out.push(Session {
                start: day.start().plus_micros(13 * HOUR_US + draw.below(2 * HOUR_US as u64) as i64),
                duration_us: draw.span(0, 7 * SECOND_US),
                client: Socket { address: host, port: draw.between(1_024, 65_535) as u16 },
                server: Socket { address: address(server), port },
                protocol: protocol::TCP,
                forward,
                reverse,
                outcome: Outcome::Backscatter,
                service: Service::None,
                path: Path::ALL,
            });
        }
    }
}
