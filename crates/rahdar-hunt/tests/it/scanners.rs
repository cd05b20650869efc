//! Planted scanners among people, mail servers and the rest of a network: who is told, and who is not
//! (`methods.md` §4: precision 0.98, recall 0.95 from 20 destinations an hour, no mail server).

use std::collections::BTreeSet;

use rahdar_hunt::scanner::{Kind, facts};
use rahdar_model::flow::tcp;
use rahdar_model::time::{HOUR_US, SECOND_US};
use rahdar_model::{Address, FlowRecord, FlowStore, Prefix, Timestamp, Window};
use rahdar_testkit::{NaiveStore, flow, time};

const SYN: u16 = tcp::SYN;
const ACK: u16 = tcp::ACK;
const RST: u16 = tcp::RST;
const TALK: u16 = SYN | ACK | tcp::PSH | tcp::FIN;

const SEEDS: std::ops::Range<u64> = 1..6;

/// Chance that is the same everywhere (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    fn is(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// What a call meets.
#[derive(Clone, Copy)]
enum Meets {
    Service,
    Nobody,
    Refusal,
}

/// A day of a network whose scanners are known.
struct Day {
    chance: Chance,
    flows: Vec<FlowRecord>,
    /// With destinations an hour.
    scanners: Vec<(Address, u64)>,
    mail_servers: BTreeSet<Address>,
    attacked: BTreeSet<Address>,
    hosts: u32,
}

impl Day {
    fn of(seed: u64) -> Self {
        let mut day = Self {
            chance: Chance(seed),
            flows: Vec::new(),
            scanners: Vec::new(),
            mail_servers: BTreeSet::new(),
            attacked: BTreeSet::new(),
            hosts: 0,
        };
        (0..50).for_each(|_| day.client());
        (0..6).for_each(|n| day.mail_server(n));
        day.resolver();
        day.file_sharer();
        day.beacon();
        (0..2).for_each(|_| day.attack());
        for rate in [1, 2, 5, 10, 20, 20, 35, 50, 50, 80, 100, 150, 300, 1_000] {
            day.scanner(rate);
        }
        (0..2).for_each(|_| day.port_scanner());
        day
    }

    /// The next address of the network.
    fn host(&mut self) -> Address {
        self.hosts += 1;
        address(&format!("2001:db8:a::{:x}", self.hosts))
    }

    /// An address of the Internet, of as many as `among`.
    fn remote(&mut self, among: u64) -> Address {
        let n = self.chance.between(1, among);
        address(&format!("2001:db8:b::{:x}:{:x}", n >> 16, n & 0xffff))
    }

    fn at(&mut self, from_h: u64, hours: u64) -> Timestamp {
        let offset_us = self.chance.between(0, hours * HOUR_US as u64 - 1);
        time("2021-08-15").plus_micros((from_h * HOUR_US as u64 + offset_us) as i64)
    }

    fn call(&mut self, at: Timestamp, client: Address, server: Address, port: u16, meets: Meets) {
        let own = self.chance.between(32_768, 60_999);
        let call = flow(&format!("[{client}]:{own} > [{server}]:{port}")).at_time(at);
        let packets = self.chance.between(8, 60);
        self.flows.push(
            match meets {
                Meets::Service => call
                    .sent(packets, packets * 300)
                    .answered(packets, packets * 700)
                    .flags(TALK)
                    .answer_flags(TALK),
                Meets::Nobody => call.sent(3, 180).answered(0, 0).flags(SYN),
                Meets::Refusal => call.sent(1, 60).answered(1, 40).flags(SYN).answer_flags(RST | ACK),
            }
            .build(),
        );
    }

    fn ask(&mut self, at: Timestamp, client: Address, server: Address, port: u16, is_answered: bool) {
        let own = self.chance.between(1_024, 65_535);
        let ask = flow(&format!("[{client}]:{own} > [{server}]:{port}")).udp().at_time(at).sent(1, 80);
        self.flows.push(if is_answered { ask.answered(1, 160) } else { ask.answered(0, 0) }.build());
    }

    /// What a call in good faith meets, if `percent` of them fail.
    fn luck(&mut self, percent: u64) -> Meets {
        match (self.chance.is(percent), self.chance.is(30)) {
            (false, _) => Meets::Service,
            (true, true) => Meets::Refusal,
            (true, false) => Meets::Nobody,
        }
    }

    /// Somebody at work; every twentieth call or so fails.
    fn client(&mut self) {
        let (host, resolver) = (self.host(), self.remote(1));
        let failing = self.chance.between(2, 8);
        for _ in 0..self.chance.between(20, 80) {
            let (at, server, meets) = (self.at(4, 10), self.remote(4_000), self.luck(failing));
            let port = if self.chance.is(90) { 443 } else { 80 };
            self.call(at, host, server, port, meets);
            self.ask(at, host, resolver, 53, true);
        }
    }

    /// Of three kinds: with users and peers, with peers alone, sending only. 20 to 40 % of its
    /// peers are dead, and it does not give up at once.
    fn mail_server(&mut self, kind: usize) {
        let host = self.host();
        self.mail_servers.insert(host);
        let failing = self.chance.between(20, 40);
        for _ in 0..[400, 1_000, 2_000][kind % 3] {
            let (at, server, meets) = (self.at(0, 24), self.remote(3_000), self.luck(failing));
            self.call(at, host, server, 25, meets);
            if matches!(meets, Meets::Nobody) {
                self.call(at.plus_micros(900 * SECOND_US), host, server, 25, meets);
            }
        }
        let served: &[u16] = [&[25, 587, 993][..], &[25], &[]][kind % 3];
        for port in served {
            for _ in 0..60 {
                let (at, client) = (self.at(0, 24), self.remote(2_000));
                self.call(at, client, host, *port, Meets::Service);
            }
        }
    }

    /// Asks name servers everywhere, some of them dead.
    fn resolver(&mut self) {
        let host = self.host();
        for _ in 0..2_500 {
            let (at, server, answered) = (self.at(0, 24), self.remote(5_000), !self.chance.is(15));
            self.ask(at, host, server, 53, answered);
            let client = self.remote(40);
            self.ask(at, client, host, 53, true);
        }
    }

    /// Half of its peers are gone.
    fn file_sharer(&mut self) {
        let host = self.host();
        for _ in 0..1_500 {
            let (at, peer, answered) = (self.at(0, 10), self.remote(60_000), self.chance.is(50));
            self.ask(at, host, peer, 6881, answered);
        }
    }

    /// Calls one dead server all day.
    fn beacon(&mut self) {
        let (host, server) = (self.host(), self.remote(9));
        for n in 0..144 {
            let at = time("2021-08-15").plus_micros(n * 600 * SECOND_US);
            self.call(at, host, server, 443, Meets::Nobody);
        }
    }

    /// A server under a flood with forged senders, and its real clients.
    fn attack(&mut self) {
        let server = self.host();
        self.attacked.insert(server);
        for n in 0..300 {
            let (at, forged, port) = (self.at(9, 2), self.remote(60_000), self.chance.between(1_024, 65_535));
            let reply = flow(&format!("[{server}]:80 > [{forged}]:{port}")).at_time(at).answered(0, 0);
            let flags = [SYN | ACK, RST | ACK, RST][n % 3];
            self.flows.push(reply.sent(1, 60).flags(flags).answer_flags(0).build());
            if n % 10 == 0 {
                let client = self.remote(2_000);
                self.call(at, client, server, 80, Meets::Service);
            }
        }
    }

    /// For an hour or more, or all day if it is slow; one address in ten answers at most.
    fn scanner(&mut self, rate: u64) {
        let host = self.host();
        self.scanners.push((host, rate));
        let port = [22, 23, 445, 3_389, 6_379][self.chance.between(0, 4) as usize];
        let answering = self.chance.between(0, 10);
        let hours = if rate < 20 { 24 } else { self.chance.between(1, 2) };
        let from_h = self.chance.between(0, 24 - hours);
        for n in 0..rate * hours {
            let at =
                time("2021-08-15").plus_micros((from_h * HOUR_US as u64 + n * HOUR_US as u64 / rate) as i64);
            let (target, meets) = (self.remote(1_000_000), self.luck(100 - answering));
            self.call(at, host, target, port, meets);
        }
    }

    fn port_scanner(&mut self) {
        let (host, target) = (self.host(), self.remote(9));
        self.scanners.push((host, u64::MAX));
        for port in 1..=self.chance.between(60, 1_000) {
            let at = self.at(3, 2);
            self.call(at, host, target, port as u16, Meets::Refusal);
        }
    }
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// Each direction as a record of its own.
fn uniflows(flow: &FlowRecord) -> Vec<FlowRecord> {
    let mut there = flow.clone();
    (there.rev_packets, there.rev_octets, there.rev_tcp_flags) = (None, None, None);
    let mut back = there.clone();
    (back.src, back.dst) = (flow.dst, flow.src);
    (back.src_port, back.dst_port) = (flow.dst_port, flow.src_port);
    back.tcp_flags = flow.rev_tcp_flags;
    (back.packets, back.octets) = (flow.rev_packets.unwrap_or(0), flow.rev_octets.unwrap_or(0));
    if back.packets == 0 { vec![there] } else { vec![there, back] }
}

#[test]
fn scanners_are_told_and_nobody_else_is() {
    let (mut told_rightly, mut told_wrongly, mut fast, mut fast_told) = (0, BTreeSet::new(), 0, 0);
    for seed in SEEDS {
        let day = Day::of(seed);
        let whole = NaiveStore::of(day.flows.clone());
        let coverage = whole.coverage(Window::ALL).unwrap();
        // Every other day is exported as uniflows; the vantage is the same.
        let store = match seed % 2 {
            0 => NaiveStore::of(day.flows.iter().flat_map(uniflows)),
            _ => whole,
        };
        let told = facts(&store, &[], Window::ALL, &coverage).unwrap();
        let who = |kinds: &[Kind]| -> BTreeSet<Address> {
            told.facts.iter().filter(|fact| kinds.contains(&fact.kind)).map(|fact| fact.address).collect()
        };
        let scanning = who(&[Kind::Horizontal, Kind::Vertical, Kind::Slow]);
        let planted: BTreeSet<Address> = day.scanners.iter().map(|(address, _)| *address).collect();
        told_rightly += scanning.intersection(&planted).count();
        told_wrongly.extend(scanning.difference(&planted).map(|address| (seed, *address)));
        let is_fast = |(_, rate): &&(Address, u64)| *rate >= 20;
        fast += day.scanners.iter().filter(is_fast).count();
        fast_told +=
            day.scanners.iter().filter(is_fast).filter(|(address, _)| scanning.contains(address)).count();
        assert!(scanning.is_disjoint(&day.mail_servers), "seed {seed}: {:#?}", told.facts);
        assert_eq!(who(&[Kind::Backscatter]), day.attacked, "seed {seed}");
    }
    let precision = told_rightly as f64 / (told_rightly + told_wrongly.len()) as f64;
    let recall = f64::from(fast_told as u32) / fast as f64;
    assert!(precision >= 0.98, "precision {precision}: {told_wrongly:?}");
    assert!(recall >= 0.95, "recall {recall}");
}

#[test]
fn slow_scanners_are_told_at_every_pace_from_one_an_hour() {
    let day = Day::of(99);
    let store = NaiveStore::of(day.flows.clone());
    let coverage = store.coverage(Window::ALL).unwrap();
    let slow: Vec<(Address, u64)> = day.scanners.into_iter().filter(|(_, rate)| *rate < 100).collect();
    let sources: Vec<Prefix> = slow.iter().map(|(address, _)| Prefix::host(*address)).collect();
    let told = facts(&store, &sources, Window::ALL, &coverage).unwrap();
    for (address, rate) in slow {
        let kinds: Vec<Kind> =
            told.facts.iter().filter(|fact| fact.address == address).map(|fact| fact.kind).collect();
        assert_eq!(kinds, [Kind::Slow], "{rate} an hour");
    }
}
