//! The synthetic market of `methods.md` §7.3: thirty operators that rent at the same hosters and run the same kits,
//! among six hundred who run one server each.
//!
//! A host has its operator's certificate, key and names, each with the probability below, or what the kit and the
//! hoster give everyone; and it lives a while. Nothing here is taken from the weights that are tested.

use std::collections::BTreeMap;

use rahdar_model::time::DAY_US;
use rahdar_model::{Address, Day, Timestamp, Window};

use super::linkage;
use super::rarity::{Telling, World};
use super::traits::{Kind, Node};
use crate::pdns::Record;

const OPERATORS: u64 = 30;
/// Those who run one server: nobody is to be joined with them.
const SMALL: u64 = 600;
const HOSTERS: u64 = 8;
const KITS: u64 = 6;
/// Days that the market lasts, and the first.
const SPAN: u64 = 540;
const BEGIN: Day = Day(18_500);

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn percent(&mut self, of: u64) -> bool {
        self.below(100) < of
    }
}

struct Host {
    node: Node,
    operator: u64,
    life: Window,
}

/// A market, and who runs what.
struct Market {
    telling: Telling,
    hosts: Vec<Host>,
}

fn days(from: u64, until: u64) -> Window {
    let at = |day: u64| BEGIN.start().plus_micros(i64::try_from(day).unwrap() * DAY_US);
    Window::new(at(from), at(until))
}

/// A host of a network of 64 bits.
fn address(network: u64, host: u64) -> Address {
    Address::from_bits(0x2001_0db8 << 96 | u128::from(network) << 64 | u128::from(host))
}

impl Market {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let mut market = Self { telling: Telling::default(), hosts: Vec::new() };
        let mut records = Vec::new();
        for operator in 0..OPERATORS {
            let kit = chance.below(KITS);
            let begun = chance.below(SPAN - 200);
            let preferred = [chance.below(HOSTERS), chance.below(HOSTERS)];
            for _ in 0..4 + chance.below(9) {
                let hoster = preferred[usize::from(chance.percent(40))];
                let from = begun + chance.below(45);
                let life = days(from, from + 90 + chance.below(120));
                let address = address(hoster << 16 | chance.below(64), chance.next());
                let node = Node::Address(address);
                market.host(&mut chance, operator, kit, hoster, &node, life);
                for _ in 0..1 + chance.below(3) {
                    // A few names of its own, in turn at its hosts.
                    let name = format!("n{}.op{operator}.example", chance.below(4));
                    let (first, last) = (life.from, life.until);
                    let (source, place) = ("pdns".into(), String::new());
                    records.push(Record { name, address, first, last, count: None, source, place });
                }
                market.hosts.push(Host { node, operator, life });
            }
        }
        for operator in OPERATORS..OPERATORS + SMALL {
            let (kit, hoster) = (chance.below(KITS), chance.below(HOSTERS));
            let from = chance.below(SPAN - 160);
            let life = days(from, from + 40 + chance.below(120));
            let node = Node::Address(address(hoster << 16 | chance.below(64), chance.next()));
            market.host(&mut chance, operator, kit, hoster, &node, life);
            market.hosts.push(Host { node, operator, life });
        }
        // Names of many operators were parked at one address.
        let parking = address(u64::from(u32::MAX), 1);
        for operator in 0..OPERATORS {
            let name = format!("n0.op{operator}.example");
            let (first, last) = (days(0, 1).from, days(0, SPAN).until);
            records.push(Record {
                name,
                address: parking,
                first,
                last,
                count: None,
                source: "pdns".into(),
                place: String::new(),
            });
        }
        market.telling.resolutions(&records, Timestamp::MAX);
        market
    }

    fn host(&mut self, chance: &mut Chance, operator: u64, kit: u64, hoster: u64, node: &Node, life: Window) {
        // One operator in four takes more care.
        let careful = if operator.is_multiple_of(4) { [50, 80, 90, 65] } else { [85, 85, 95, 95] };
        let mut see = |kind, value: String| self.telling.see(node, kind, &value, life, 1.0);
        see(Kind::Asn, format!("{}", 64_500 + hoster));
        see(Kind::Family, format!("kit{kit}"));
        see(
            Kind::Jarm,
            if chance.percent(80) { format!("jarm-kit{kit}") } else { format!("jarm-op{operator}") },
        );
        see(
            Kind::Certificate,
            match chance.below(100) {
                part if part < careful[0] => format!("cert-op{operator}-0"),
                part if part < careful[1] => format!("cert-op{operator}-1"),
                part if part < careful[2] => format!("cert-kit{kit}"),
                _ => format!("cert-alone-{node}"),
            },
        );
        let cloned = if operator < OPERATORS { 10 } else { 40 };
        see(
            Kind::SshKey,
            match chance.below(100) {
                // The image of a hoster, cloned for its customers.
                part if part < cloned => format!("key-hoster{hoster}"),
                part if part < careful[3] => format!("key-op{operator}"),
                _ => format!("key-alone-{node}"),
            },
        );
        self.telling.hostile(node, None);
    }

    /// Gives the default certificate of a kit to as many hosts of each of these operators.
    fn share(&mut self, operators: u64, hosts: usize) {
        for operator in 0..operators {
            let theirs = self.hosts.iter().filter(|host| host.operator == operator).take(hosts);
            for host in theirs {
                self.telling.see(&host.node, Kind::Certificate, "cert-of-the-kit", host.life, 1.0);
                self.telling.see(&host.node, Kind::Jarm, "jarm-of-the-kit", host.life, 1.0);
            }
        }
    }

    /// The clusters found, as the operators of their hosts.
    fn clusters(self) -> Vec<Vec<u64>> {
        let world: World = self.telling.world();
        let operators: BTreeMap<u32, u64> =
            self.hosts.iter().map(|host| (world.find(&host.node).unwrap(), host.operator)).collect();
        let nodes: Vec<u32> = operators.keys().copied().collect();
        let linkage = linkage::link(&world, &nodes);
        linkage.clusters.iter().map(|nodes| nodes.iter().map(|node| operators[node]).collect()).collect()
    }
}

/// Pairwise precision, recall, and the adjusted Rand index (Hubert and Arabie 1985).
fn score(clusters: &[Vec<u64>]) -> (f64, f64, f64) {
    let pairs = |n: usize| (n * n.saturating_sub(1) / 2) as f64;
    let mut by_operator: BTreeMap<u64, usize> = BTreeMap::new();
    let (mut same, mut found) = (0.0, 0.0);
    for cluster in clusters {
        let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
        for operator in cluster {
            *counts.entry(*operator).or_default() += 1;
            *by_operator.entry(*operator).or_default() += 1;
        }
        same += counts.values().map(|n| pairs(*n)).sum::<f64>();
        found += pairs(cluster.len());
    }
    let truth: f64 = by_operator.values().map(|n| pairs(*n)).sum();
    let all = pairs(by_operator.values().sum());
    let expected = found * truth / all;
    (same / found, same / truth, (same - expected) / ((found + truth) / 2.0 - expected))
}

/// Pairs of different operators in one cluster.
fn mixed(clusters: &[Vec<u64>]) -> usize {
    let pairs = |cluster: &Vec<u64>| {
        let others = |i: usize| cluster[i + 1..].iter().filter(|other| **other != cluster[i]).count();
        (0..cluster.len()).map(others).sum::<usize>()
    };
    clusters.iter().map(pairs).sum()
}

#[test]
fn operators_of_a_market_are_told_apart() {
    for seed in 1..=10 {
        let clusters = Market::new(seed).clusters();
        let (precision, recall, rand) = score(&clusters);
        let told = format!("seed {seed}: precision {precision:.3}, recall {recall:.3}, ARI {rand:.3}");
        eprintln!("{told}");
        assert!(precision >= 0.98 && recall >= 0.7 && rand >= 0.8, "{told}");
    }
}

#[test]
fn a_shared_certificate_of_a_kit_merges_nobody() {
    for seed in 1..=5 {
        let before = mixed(&Market::new(seed).clusters());
        for hosts in [1, 2, 3, 4, usize::MAX] {
            let mut market = Market::new(seed);
            market.share(5, hosts);
            assert_eq!(
                mixed(&market.clusters()),
                before,
                "seed {seed}, {hosts} hosts of each of five operators"
            );
        }
    }
}

#[test]
fn scores_of_known_partitions() {
    assert_eq!(score(&[vec![1, 1], vec![2, 2]]), (1.0, 1.0, 1.0));
    let (precision, recall, rand) = score(&[vec![1, 1, 2, 2]]);
    assert!((precision - 1.0 / 3.0).abs() < 1e-9 && recall == 1.0 && rand.abs() < 1e-9);
}
