//! Hosts of every role, made, and what is said of them (`methods.md` §8).

use std::collections::BTreeMap;

use rahdar_hunt::role::{Role, shown};
use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::fact::{Answer, Fact, Handshake, Resolution};
use rahdar_model::flow::{Initiator, protocol, tcp};
use rahdar_model::store::{FlowStore, Input};
use rahdar_model::time::{DAY_US, SECOND_US};
use rahdar_model::{Address, Day, FlowRecord, Timestamp, Window};
use rahdar_testkit::NaiveStore;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Hosts of each role.
const HOSTS: usize = 12;
/// The first of thirty days.
const BEGIN: &str = "2021-08-02T00:00:00Z";
const DAYS: u64 = 30;

/// Makes the flows of hosts, sampled one packet in `interval`, both ways, as an exporter of uniflows would.
struct Maker {
    random: ChaCha8Rng,
    interval: u32,
    begin: Timestamp,
    flows: Vec<FlowRecord>,
}

/// One conversation: who opens it, to which port, packets and octets a packet there and back, seconds.
struct Talk {
    client: Address,
    server: Address,
    protocol: u8,
    port: u16,
    there: (u64, u64),
    back: (u64, u64),
    seconds: i64,
}

impl Maker {
    fn below(&mut self, n: u64) -> u64 {
        self.random.next_u64() % n
    }

    /// An address of the Internet of these tests: 512 networks.
    fn stranger(&mut self) -> Address {
        let host = self.below(1 << 17) as u32;
        Address::from_v4_bits(0xc612_0000 | host)
    }

    /// Of `n` packets, those that were sampled.
    fn sampled(&mut self, n: u64) -> u64 {
        if self.interval == 1 {
            return n;
        }
        (0..n).filter(|_| self.random.next_u32() < u32::MAX / self.interval).count() as u64
    }

    fn talk(&mut self, talk: &Talk) {
        let start = self.begin.plus_micros((self.random.next_u64() % (DAYS * DAY_US as u64)) as i64);
        let client_port = 32_768 + self.below(28_000) as u16;
        let is_in_vain = talk.back.0 == 0 && talk.protocol == protocol::TCP;
        let mut way = |src, src_port, dst, dst_port, (packets, size): (u64, u64), is_client: bool| {
            let seen = self.sampled(packets);
            if seen == 0 {
                return;
            }
            let mut record = FlowRecord::new("r1".into(), "made".into());
            (record.src, record.dst, record.protocol) = (src, dst, talk.protocol);
            if talk.protocol == protocol::TCP || talk.protocol == protocol::UDP {
                (record.src_port, record.dst_port) = (src_port, dst_port);
            }
            (record.packets, record.octets) = (seen, seen * size);
            (record.start_time, record.end_time) = (start, start.plus_micros(talk.seconds * SECOND_US));
            record.sampling_interval = Some(self.interval);
            if talk.protocol == protocol::TCP {
                let whole = if self.interval == 1 { tcp::SYN | tcp::FIN } else { 0 };
                let flags = if is_in_vain { tcp::SYN } else { whole | tcp::ACK | tcp::PSH };
                record.tcp_flags = Some(flags);
            }
            if is_client && self.interval == 1 {
                record.initiator = Some(Initiator::Source);
            }
            self.flows.push(record);
        };
        way(talk.client, client_port, talk.server, talk.port, talk.there, true);
        way(talk.server, talk.port, talk.client, client_port, talk.back, false);
    }

    /// So many strangers call a port.
    fn called(
        &mut self,
        host: Address,
        protocol: u8,
        port: u16,
        times: u64,
        there: (u64, u64),
        back: (u64, u64),
    ) {
        for _ in 0..times {
            let client = self.stranger();
            let seconds = if port == 443 && self.below(3) == 0 { 900 } else { 5 };
            self.talk(&Talk { client, server: host, protocol, port, there, back, seconds });
        }
    }

    /// It calls a port of so many strangers.
    fn calls(
        &mut self,
        host: Address,
        protocol: u8,
        port: u16,
        times: u64,
        there: (u64, u64),
        back: (u64, u64),
    ) {
        for _ in 0..times {
            let server = self.stranger();
            self.talk(&Talk { client: host, server, protocol, port, there, back, seconds: 5 });
        }
    }

    /// Scanners call everybody in vain, and a machine takes updates, names and the time.
    fn everybody(&mut self, host: Address) {
        for port in [22, 23, 25, 80, 443, 445, 3389, 8080] {
            self.called(host, protocol::TCP, port, 40, (1, 44), (0, 0));
        }
    }

    fn machine(&mut self, host: Address, much: u64) {
        self.calls(host, protocol::TCP, 443, 20 * much, (60, 200), (200, 1200));
        self.calls(host, protocol::TCP, 80, 4 * much, (20, 120), (60, 1100));
        self.calls(host, protocol::UDP, 123, 10 * much, (1, 76), (1, 76));
        for _ in 0..30 * much {
            let server = "192.0.2.53".parse().unwrap();
            let query = ((1, 70), (1, 160));
            let (there, back) = query;
            self.talk(&Talk {
                client: host,
                server,
                protocol: protocol::UDP,
                port: 53,
                there,
                back,
                seconds: 1,
            });
        }
    }

    fn host(&mut self, role: Role, host: Address) {
        if role != Role::Telescope {
            self.everybody(host);
        }
        // Traffic that a sample of one in a thousand can show is heavier.
        let much = if self.interval == 1 { 1 } else { 8 };
        let (tcp, udp) = (protocol::TCP, protocol::UDP);
        match role {
            Role::MailServer => {
                self.called(host, tcp, 25, 300 * much, (40, 900), (25, 60));
                self.calls(host, tcp, 25, 250 * much, (30, 800), (20, 70));
                self.calls(host, tcp, 25, 80 * much, (2, 44), (0, 0));
                if self.below(4) > 0 {
                    self.called(host, tcp, 993, 150 * much, (40, 90), (60, 700));
                    self.called(host, tcp, 587, 60 * much, (50, 700), (30, 70));
                }
                if self.below(2) > 0 {
                    self.called(host, tcp, 443, 100 * much, (40, 150), (80, 900));
                }
                self.machine(host, much);
            }
            Role::WebServer => {
                self.called(host, tcp, 443, 400 * much, (30, 120), (90, 1200));
                self.called(host, tcp, 80, 100 * much, (10, 110), (12, 400));
                self.machine(host, much);
            }
            Role::DnsResolver => {
                self.called(host, udp, 53, 400 * much, (2, 70), (2, 200));
                self.calls(host, udp, 53, 400 * much, (2, 75), (2, 220));
            }
            Role::DnsAuthoritative => {
                self.called(host, udp, 53, 600 * much, (2, 70), (2, 220));
                self.called(host, tcp, 53, 30 * much, (6, 80), (6, 400));
                self.calls(host, tcp, 443, 20 * much, (40, 150), (80, 1100));
            }
            Role::VpnGateway => {
                self.called(host, udp, 500, 60 * much, (8, 300), (8, 300));
                self.called(host, udp, 4500, 60 * much, (900, 600), (1200, 700));
                self.called(host, 50, 0, 20 * much, (700, 600), (700, 600));
                self.machine(host, much);
            }
            Role::Nat => {
                self.machine(host, 40);
                for port in [21, 22, 110, 143, 465, 587, 853, 993, 995, 8080, 8443, 1194, 500, 554, 636] {
                    self.calls(host, tcp, port, 40 * much, (40, 300), (60, 600));
                }
                // Evenings: hundreds of clients at once.
                let begin = self.begin;
                for _ in 0..250 * much {
                    let server = self.stranger();
                    self.talk(&Talk {
                        client: host,
                        server,
                        protocol: tcp,
                        port: 443,
                        there: (60, 200),
                        back: (200, 1200),
                        seconds: 5,
                    });
                }
                for flow in self.flows.iter_mut().rev().take(260) {
                    let evening = begin.plus_micros(27 * DAY_US + 20 * 3_600 * SECOND_US);
                    (flow.start_time, flow.end_time) = (evening, evening.plus_micros(5 * SECOND_US));
                }
            }
            Role::Router => {
                for _ in 0..60 * much * much {
                    let to = self.stranger();
                    let mut record = FlowRecord::new("r1".into(), "made".into());
                    (record.src, record.dst, record.protocol) = (host, to, protocol::ICMP);
                    (record.icmp_type, record.icmp_code) = (Some(11), Some(0));
                    (record.packets, record.octets) = (1, 56);
                    record.start_time =
                        self.begin.plus_micros((self.random.next_u64() % (DAYS * DAY_US as u64)) as i64);
                    record.end_time = record.start_time;
                    record.sampling_interval = Some(self.interval);
                    self.flows.push(record);
                }
                let peer = "192.0.2.179".parse().unwrap();
                for _ in 0..30 * much {
                    self.talk(&Talk {
                        client: peer,
                        server: host,
                        protocol: tcp,
                        port: 179,
                        there: (400, 80),
                        back: (400, 80),
                        seconds: 60,
                    });
                }
            }
            Role::Telescope => {
                for port in (1..60).chain([445, 3389, 8080]) {
                    self.called(host, tcp, port, 30 * much * much, (1, 44), (0, 0));
                }
            }
            Role::Endpoint => self.machine(host, much),
        }
    }
}

/// The roles of made hosts, and the role that each was said to have.
fn judged(roles: &[Role], interval: u32, seed: u64) -> Vec<(Role, Role)> {
    let begin: Timestamp = BEGIN.parse().unwrap();
    let mut maker = Maker { random: ChaCha8Rng::seed_from_u64(seed), interval, begin, flows: Vec::new() };
    let mut hosts: BTreeMap<Address, Role> = BTreeMap::new();
    for (i, role) in roles.iter().flat_map(|role| [role; HOSTS]).enumerate() {
        let host = Address::from_v4_bits(0xcb00_7101 + i as u32);
        hosts.insert(host, *role);
        maker.host(*role, host);
    }
    let store = NaiveStore::of(maker.flows);
    let until = begin.plus_micros(28 * DAY_US);
    let asked = hosts.keys().map(|host| (*host, until)).collect();
    let shown = shown(&store, &asked, Window::ALL, &[coverage(interval)]).unwrap();
    let said = |host: &Address| {
        let name = shown.get(host).map_or("endpoint", |shown| shown.behaviour.top.role.as_str());
        Role::ALL.into_iter().find(|role| role.word() == name).unwrap()
    };
    hosts.iter().map(|(host, role)| (*role, said(host))).collect()
}

/// What the maker's exporter says of itself. A naive store would compare all flows with all.
fn coverage(interval: u32) -> ExporterCoverage {
    ExporterCoverage {
        exporter: "r1".into(),
        observation_domain: 0,
        window: Window::ALL,
        flows: 0,
        sampling: vec![Some(interval)],
        tcp_flows: 0,
        tcp_flows_two_way: 0,
        marked: 0,
        silent: Vec::new(),
        lost: Vec::new(),
        gaps: Vec::new(),
        losses: Vec::new(),
        hours: Vec::new(),
        flow_sampled: 0,
        template_conflicts: 0,
    }
}

/// F1 of one role.
fn f1(judged: &[(Role, Role)], role: Role) -> f64 {
    let count = |is_such: &dyn Fn(&&(Role, Role)) -> bool| judged.iter().filter(is_such).count() as f64;
    let right = count(&|(is, said)| *is == role && *said == role);
    let wrong = count(&|(is, said)| (*is == role) != (*said == role));
    2.0 * right / (2.0 * right + wrong)
}

#[test]
fn roles_are_told_apart_without_sampling() {
    for seed in 1..=3 {
        let judged = judged(&Role::ALL, 1, seed);
        let scores: Vec<f64> = Role::ALL.into_iter().map(|role| f1(&judged, role)).collect();
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        eprintln!("seed {seed}: macro-F1 {mean:.3}: {scores:.3?}");
        assert!(mean >= 0.9, "seed {seed}");
    }
}

#[test]
fn mail_servers_are_found_in_one_packet_of_a_thousand() {
    let (mut found, mut all, mut wrong) = (0, 0, 0);
    for seed in 1..=5 {
        for (is, said) in judged(&[Role::MailServer, Role::WebServer, Role::Endpoint], 1_000, seed) {
            all += usize::from(is == Role::MailServer);
            found += usize::from(is == Role::MailServer && said == is);
            wrong += usize::from(is != Role::MailServer && said == Role::MailServer);
        }
    }
    eprintln!("{found} of {all} mail servers found, {wrong} others called so");
    assert!(found * 100 >= all * 95 && wrong == 0);
}

#[test]
fn names_tell_what_ports_do_not() {
    let host: Address = "203.0.113.25".parse().unwrap();
    let begin: Timestamp = BEGIN.parse().unwrap();
    let mut maker = Maker { random: ChaCha8Rng::seed_from_u64(1), interval: 1, begin, flows: Vec::new() };
    maker.machine(host, 1);
    let store = NaiveStore::of(maker.flows);
    let role = |store: &NaiveStore| {
        let hosts = [(host, begin.plus_micros(28 * DAY_US))].into();
        shown(store, &hosts, Window::ALL, &[coverage(1)]).unwrap().remove(&host).unwrap()
    };
    let before = role(&store);
    assert_eq!((before.behaviour.top.role.as_str(), before.roles.len()), ("endpoint", 0));

    let at = Day(begin.day().0 + 25).start();
    let resolution = |name: &str, question: u16, answer: Answer| {
        let mut resolution = Resolution::new("r1".into(), "dns".into());
        (resolution.time, resolution.name) = (at, name.to_owned());
        (resolution.question, resolution.answer) = (Some(question), answer);
        resolution
    };
    let mut import = store.import().unwrap();
    import.begin(&Input { id: "facts".to_owned(), name: "facts".into() }).unwrap();
    for fact in [
        resolution("mail.example.org", 1, Answer::Address(host)),
        resolution("example.org", 15, Answer::Text("10 mail.example.org".to_owned())),
        resolution("25.113.0.203.in-addr.arpa", 12, Answer::Text("mail.example.org".to_owned())),
    ] {
        import.fact(Fact::Resolution(&fact)).unwrap();
    }
    let mut handshake = Handshake::new("r1".into(), "ssl".into());
    (handshake.time, handshake.server, handshake.server_port) = (at, host, 443);
    handshake.server_name = "autodiscover.example.org".to_owned();
    import.fact(Fact::Handshake(&handshake)).unwrap();
    import.commit().unwrap();
    let after = role(&store);
    assert_eq!(after.roles, [Role::MailServer]);
    assert_eq!(
        after.behaviour.reasons[..3],
        [
            "mail server: mail for example.org goes to it (+15 dB)",
            "mail server: its name is mail.example.org (+6 dB)",
            "mail server: TLS clients called it autodiscover.example.org (+6 dB)",
        ]
    );
    assert_eq!((after.behaviour.top.p, after.behaviour.runner_up.role.as_str()), (0.95, "endpoint"));
}
