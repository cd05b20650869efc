//! What else the networks do: a mail server at work, 200 hosts beside it, a second telecom.
//!
//! `Settings::flows` says how many background conversations there are. Each kind has a share of
//! them, spread over days and hours as people work in Kabul. The rest is regular and does not
//! scale: time and updates (benign beacons), and the nightly backup, four times what the clusters
//! take and doubled from August 2021 on (a benign increase).
//!
//! For sampling exporters, conversations are drawn as they were recorded: each left one record at
//! least. The many that left none are not generated, since nobody could tell.

use rahdar_model::flow::protocol;
use rahdar_model::time::{DAY_US, HOUR_US, SECOND_US};
use rahdar_model::{Address, Day};

use crate::draw::Draw;
use crate::path::Path;
use crate::plan::{V1, V2, address, days, v4};
use crate::session::{
    Headers, Outcome, Packets, Service, Session, Socket, exchange, refused, unanswered, upload,
};

/// Local time is four and a half hours ahead of UTC.
const LOCAL_OFFSET_US: i64 = 4 * HOUR_US + HOUR_US / 2;

/// How much of a day's traffic falls into each local hour.
const HOUR_WEIGHTS: [u64; 24] = [2, 1, 1, 1, 1, 2, 4, 7, 10, 11, 11, 10, 8, 9, 10, 9, 7, 5, 5, 5, 5, 5, 4, 3];

/// Hosts beside the mail server that are in use.
pub(crate) const HOSTS: u64 = 200;
/// The first of them is 203.0.113.30.
const FIRST_HOST: u64 = 30;
/// Hosts of the second telecom that are in use.
const SECOND_HOSTS: u64 = 30;
/// The first of them is 198.51.100.60.
const FIRST_SECOND_HOST: u64 = 60;
/// The first hosts serve pages.
const WEB_SERVERS: u64 = 3;
/// One host in so many has IPv6 as well.
const V6_EVERY: u64 = 5;

/// A resolver and a time server outside.
pub(crate) const RESOLVER: Address = v4(198, 18, 0, 53);
const TIME_SERVER: Address = v4(198, 18, 0, 123);
const UPDATES: Address = v4(198, 18, 240, 7);
/// Where the backup goes; a list names it too.
pub(crate) const BACKUP: &str = "198.18.250.20";

/// IP octets of a nightly backup.
const NIGHTLY_OCTETS: u64 = 25_000_000;
/// IP octets of the full backup on Fridays.
const WEEKLY_OCTETS: u64 = 200_000_000;

/// A kind of background traffic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    MailIn,
    MailOut,
    Imap,
    Submission,
    Webmail,
    Lookup,
    Web,
    PlainWeb,
    HostLookup,
    Hosting,
    Portal,
    SecondWeb,
}

/// Every kind, and its share of the background in 1,000.
const KINDS: [(Kind, &str, u64); 12] = [
    (Kind::MailIn, "mail in", 160),
    (Kind::MailOut, "mail out", 120),
    (Kind::Imap, "imap", 100),
    (Kind::Submission, "submission", 40),
    (Kind::Webmail, "webmail", 80),
    (Kind::Lookup, "lookup", 40),
    (Kind::Web, "web", 270),
    (Kind::PlainWeb, "plain web", 30),
    (Kind::HostLookup, "host lookup", 60),
    (Kind::Hosting, "hosting", 40),
    (Kind::Portal, "portal", 30),
    (Kind::SecondWeb, "second web", 30),
];

/// Outbound mail that fails, in 1,000: dead exchangers and refusals.
const FAILED_MAIL_PER_MILLE: u64 = 300;

/// A monitored host by number, `0..HOSTS`.
pub(crate) fn host(n: u64) -> Address {
    v4(203, 0, 113, (FIRST_HOST + n % HOSTS) as u8)
}

/// A host of the second telecom by number.
pub(crate) fn second_host(n: u64) -> Address {
    v4(198, 51, 100, (FIRST_SECOND_HOST + n % SECOND_HOSTS) as u8)
}

/// Every monitored address in use, with what it does.
pub(crate) fn hosts() -> impl Iterator<Item = (Address, &'static str)> {
    let first = (0..HOSTS).map(|n| (host(n), if n < WEB_SERVERS { "web server" } else { "client" }));
    let v6 = (0..HOSTS).step_by(V6_EVERY as usize).map(|n| (v6(HOSTS_V6, host(n)), "client"));
    let second = (0..SECOND_HOSTS).map(|n| (second_host(n), "client"));
    [(V1, "mail server"), (V2, "web server")].into_iter().chain(first).chain(v6).chain(second)
}

/// An address of the Internet by number: 198.18.`first`.0 and the `networks` /24s that follow.
fn remote(first: u64, networks: u64, n: u64) -> Address {
    let network = first + n % networks;
    let last = 1 + (n / networks) % 254;
    v4(198, 18, network as u8, last as u8)
}

/// The address that a host or a site has beside its IPv4 address.
fn v6(prefix: u128, address: Address) -> Address {
    Address::from_bits(prefix | address.bits() & 0xffff)
}

const HOSTS_V6: u128 = 0x2001_0db8_0500_0000 << 64;
const SITES_V6: u128 = 0x2001_0db8_f000_0000 << 64;

/// The background that scales with `Settings::flows`.
pub(crate) struct Background {
    seed: u64,
    flows: u64,
    /// Weight of all days before each day, and of all days at the end.
    passed: Vec<u64>,
}

impl Background {
    pub(crate) fn new(seed: u64, flows: u64) -> Self {
        let mut passed = vec![0];
        let mut sum = 0;
        for day in days() {
            sum += weekday_weight(day);
            passed.push(sum);
        }
        Self { seed, flows, passed }
    }

    /// The conversations of the day with this number, kind by kind.
    pub(crate) fn on(&self, number: usize, day: Day, out: &mut Vec<Session>) {
        for (kind, name, per_mille) in KINDS {
            let total = self.flows / 1_000 * per_mille + self.flows % 1_000 * per_mille / 1_000;
            let until = |days: usize| {
                let whole = u128::from(self.passed[self.passed.len() - 1]);
                (u128::from(total) * u128::from(self.passed[days]) / whole) as u64
            };
            let mut draw = Draw::on(self.seed, name, day);
            for _ in until(number)..until(number + 1) {
                out.push(kind.conversation(day, &mut draw));
            }
        }
    }
}

/// How much of a week's traffic falls on a day: Friday is the day of rest, Thursday is short.
fn weekday_weight(day: Day) -> u64 {
    // Day 0, 1970-01-01, was a Thursday.
    match day.0.rem_euclid(7) {
        0 => 8,
        1 => 4,
        _ => 10,
    }
}

/// A conversation without packets, at a time of day when people work.
pub(crate) fn conversation(
    day: Day,
    client: Address,
    server: (Address, u16),
    longest_s: i64,
    draw: &mut Draw,
) -> Session {
    let mut point = draw.below(HOUR_WEIGHTS.iter().sum());
    let mut hour = 0;
    while point >= HOUR_WEIGHTS[hour] {
        point -= HOUR_WEIGHTS[hour];
        hour += 1;
    }
    let local_us = hour as i64 * HOUR_US + draw.below(HOUR_US as u64) as i64;
    let duration_us = draw.span(50_000, longest_s * SECOND_US);
    let start_us = (local_us - LOCAL_OFFSET_US).rem_euclid(DAY_US).min(DAY_US - duration_us - 1);
    Session {
        start: day.start().plus_micros(start_us),
        duration_us,
        client: Socket { address: client, port: draw.between(32_768, 60_999) as u16 },
        server: Socket { address: server.0, port: server.1 },
        protocol: protocol::TCP,
        forward: Packets::NONE,
        reverse: Packets::NONE,
        outcome: Outcome::Complete,
        service: Service::None,
        path: Path::ALL,
    }
}

/// A conversation over TCP that carries this much payload each way.
pub(crate) fn with_payload(session: Session, asked: u64, answered: u64, service: Service) -> Session {
    let (forward, reverse) = exchange(asked, answered, Headers::of(session.protocol, session.client.address));
    Session { forward, reverse, service, ..session }
}

/// A question and an answer in one datagram each.
pub(crate) fn question(session: Session, asked: u32, answered: u32, service: Service) -> Session {
    let header = Headers::of(protocol::UDP, session.client.address).data;
    Session {
        protocol: protocol::UDP,
        duration_us: session.duration_us.min(SECOND_US / 20),
        forward: Packets::like(1, header + asked, 0),
        reverse: Packets::like(1, header + answered, 0),
        service,
        ..session
    }
}

impl Kind {
    fn conversation(self, day: Day, draw: &mut Draw) -> Session {
        let bits = draw.bits();
        match self {
            Self::MailIn => {
                let session = conversation(day, remote(16, 40, bits % 400), (V1, 25), 40, draw);
                with_payload(session, draw.log_normal(14_000, 1.3), 900, Service::Smtp)
            }
            Self::MailOut => {
                let session = conversation(day, V1, (remote(16, 40, bits % 600), 25), 40, draw);
                if draw.chance(FAILED_MAIL_PER_MILLE) {
                    return failed(session, draw);
                }
                with_payload(session, draw.log_normal(18_000, 1.3), 900, Service::Smtp)
            }
            Self::Imap => {
                let session = conversation(day, remote(64, 60, bits % 900), (V1, 993), 600, draw);
                with_payload(session, 4_000, draw.log_normal(30_000, 1.2), Service::Tls)
            }
            Self::Submission => {
                let session = conversation(day, remote(64, 60, bits % 900), (V1, 587), 30, draw);
                with_payload(session, draw.log_normal(40_000, 1.2), 3_000, Service::Tls)
            }
            Self::Webmail => {
                let session = conversation(day, remote(64, 60, bits % 900), (V1, 443), 900, draw);
                with_payload(session, 6_000, draw.log_normal(50_000, 1.2), Service::Tls)
            }
            Self::Lookup => {
                let session = conversation(day, V1, (RESOLVER, 53), 1, draw);
                question(session, 40, 180, Service::Dns)
            }
            Self::Web => {
                let (host, site) = (host(bits), remote(130, 60, (bits >> 16) % 3_000));
                let (host, site) = match bits % V6_EVERY {
                    0 => (v6(HOSTS_V6, host), v6(SITES_V6, site)),
                    _ => (host, site),
                };
                let session = conversation(day, host, (site, 443), 120, draw);
                with_payload(session, 3_000, draw.log_normal(60_000, 1.4), Service::Tls)
            }
            Self::PlainWeb => {
                let session = conversation(day, host(bits), (remote(130, 60, bits >> 16), 80), 30, draw);
                with_payload(session, 800, draw.log_normal(30_000, 1.4), Service::Http)
            }
            Self::HostLookup => {
                let session = conversation(day, host(bits), (RESOLVER, 53), 1, draw);
                question(session, 40, 180, Service::Dns)
            }
            Self::Hosting => {
                let session =
                    conversation(day, remote(64, 60, bits >> 16), (host(bits % WEB_SERVERS), 443), 60, draw);
                with_payload(session, 2_000, draw.log_normal(80_000, 1.2), Service::Tls)
            }
            Self::Portal => {
                let session = conversation(day, remote(64, 60, bits % 900), (V2, 443), 60, draw);
                with_payload(session, 2_000, draw.log_normal(40_000, 1.2), Service::Tls)
            }
            Self::SecondWeb => {
                let site = remote(130, 60, (bits >> 16) % 3_000);
                let session = conversation(day, second_host(bits), (site, 443), 120, draw);
                with_payload(session, 3_000, draw.log_normal(60_000, 1.4), Service::Tls)
            }
        }
    }
}

/// A conversation that did not come about.
fn failed(session: Session, draw: &mut Draw) -> Session {
    let (outcome, duration_us, (forward, reverse)) = if draw.chance(800) {
        (Outcome::Unanswered, 3 * SECOND_US, unanswered(Headers::V4_TCP))
    } else {
        (Outcome::Refused, SECOND_US / 10, refused(Headers::V4_TCP))
    };
    let duration_us = duration_us.min(session.duration_us.max(SECOND_US / 10));
    Session { outcome, duration_us, forward, reverse, ..session }
}

/// What the mail server does by the clock: time every hour, updates every four, the backup at
/// night. It does not scale.
pub(crate) fn regular(seed: u64, day: Day, out: &mut Vec<Session>) {
    let first = out.len();
    let mut draw = Draw::on(seed, "regular", day);
    let at = |session: Session, us: i64| Session { start: day.start().plus_micros(us), ..session };
    for hour in 0..24 {
        let session = conversation(day, V1, (TIME_SERVER, 123), 1, &mut draw);
        let us = hour * HOUR_US + draw.span(0, 2 * SECOND_US);
        out.push(at(question(session, 48, 48, Service::Ntp), us));
        if hour % 4 == 1 {
            let session = conversation(day, V1, (UPDATES, 443), 20, &mut draw);
            let us = hour * HOUR_US + draw.span(0, 5 * SECOND_US);
            out.push(at(with_payload(session, 1_500, 60_000, Service::Tls), us));
        }
    }
    // A single month would be told by no test that is sound: the line could not see it.
    let doubled = day >= crate::plan::day("2021-08-01");
    let nightly = if weekday_weight(day) == 4 { WEEKLY_OCTETS } else { NIGHTLY_OCTETS };
    let octets = draw.between(nightly * 9 / 10, nightly * 11 / 10) * if doubled { 2 } else { 1 };
    let (forward, reverse) = upload(octets, 20_000);
    let session = conversation(day, V1, (address(BACKUP), 443), 1, &mut draw);
    out.push(Session {
        // Half past one in the night, in Kabul.
        start: day.start().plus_micros(21 * HOUR_US),
        duration_us: draw.span(3_600, 7_200) * SECOND_US,
        forward,
        reverse,
        service: Service::Tls,
        ..session
    });
    for session in &mut out[first..] {
        session.path = Path::of_hash(session.tuple_hash());
    }
}
