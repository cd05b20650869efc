//! Who scans, and who answers calls that others forged: facts about addresses (`methods.md` §4).
//!
//! * [`horizontal`]: many addresses, one port;
//! * [`vertical`]: many ports, one address;
//! * [`walk`]: too many first contacts fail, however slowly;
//! * [`backscatter`]: replies that nobody asked for.
//!
//! A mail server with dead peers and a resolver with dead name servers are never among them: at
//! [`SPARED_PORTS`] hosts in these roles are let off, whatever the rules say.

pub mod backscatter;
pub mod horizontal;
mod servers;
pub mod vertical;
pub mod walk;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::flow::protocol;
use rahdar_model::store::StoreError;
use rahdar_model::{Address, FlowStore, Prefix, Timestamp, Window};

use crate::scanner::walk::{HELD_US, Walks};
use crate::vantage::Vantage;

/// Mail and names: their servers call the dead in good faith.
pub const SPARED_PORTS: [u16; 2] = [25, 53];

/// Addresses of one kind that are told; the weakest beyond are counted. Chosen here: more than
/// anyone reads, 10 MB.
pub const MOST_OF_A_KIND: usize = 50_000;
/// Sources that a store follows contact by contact. Chosen here: a million, 16 MB.
pub const MOST_SOURCES: usize = 1_000_000;

/// What an address does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It scans many addresses at one port.
    Horizontal,
    /// It scans many ports of one address.
    Vertical,
    /// Its first contacts fail, at whatever pace.
    Slow,
    /// It replies to calls that others forged.
    Backscatter,
}

impl Kind {
    /// The word in output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Horizontal => "horizontal",
            Self::Vertical => "vertical",
            Self::Slow => "slow",
            Self::Backscatter => "backscatter",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// That an address does so, and why it is said. Where it does so several times, numbers beside
/// the flows and the times are those of the strongest.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The address.
    pub address: Address,
    /// What it does.
    pub kind: Kind,
    /// IP protocol.
    pub protocol: u8,
    /// The port it calls, or replies from; none where there are many or the protocol has none.
    pub port: Option<u16>,
    /// First packet.
    pub first_seen: Timestamp,
    /// Last packet.
    pub last_seen: Timestamp,
    /// Distinct destinations; of backscatter, receivers, an address and a port each.
    pub destinations: u64,
    /// Flow records, over all times.
    pub flows: u64,
    /// What decided: destinations in an hour, ports on a day, log-likelihood ratio, evenness.
    pub statistic: f64,
    /// The same in words.
    pub why: String,
    /// How often: hours, days and destinations, episodes, services.
    pub times: u64,
    /// When it holds: until a day after each time. Sorted, apart from one another.
    pub held: Vec<Window>,
    strength: u64,
}

/// What is told of many addresses.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// One for each address and kind, most destinations first.
    pub facts: Vec<Fact>,
    /// Addresses that were left out because there are too many.
    pub left_out: u64,
    /// Whether the walk could be made: some records are unsampled.
    pub is_walked: bool,
    /// Whether backscatter could be told: some exporter misses no call.
    pub is_backscatter_seen: bool,
}

/// What `sources` did in `window`; with no networks, what anyone did.
///
/// # Errors
/// Those of the store.
pub fn facts(
    store: &dyn FlowStore,
    sources: &[Prefix],
    window: Window,
    coverage: &[ExporterCoverage],
) -> Result<Facts, StoreError> {
    let vantage = Vantage::of(coverage);
    let mut scans = scans(store, sources, window, &vantage)?;
    let mut replies = Told::default();
    let witnesses = vantage.witnesses();
    if !witnesses.is_empty() {
        let mut visit = |service: rahdar_model::store::UnaskedReplies| {
            if backscatter::is_backscatter(&service.spread) {
                replies.add(Kind::Backscatter, backscatter::found(service));
            }
        };
        let least = backscatter::LEAST_REPLIES;
        replies.left_out +=
            store.unasked_replies(sources, witnesses, window, least, MOST_SOURCES, &mut visit)?;
    }
    // Who scans fast also fails often: that is one fact, not two.
    scans.slow.facts.retain(|address, _| !scans.horizontal.facts.contains_key(address));
    let mut all = Facts {
        facts: Vec::new(),
        left_out: 0,
        is_walked: vantage.is_any_unsampled(),
        is_backscatter_seen: !witnesses.is_empty(),
    };
    for told in [scans.horizontal, scans.vertical, scans.slow, replies] {
        let told = told.cut(MOST_OF_A_KIND);
        all.left_out += told.left_out;
        all.facts.extend(told.facts.into_values());
    }
    all.facts.sort_by_key(|fact| (Reverse(fact.destinations), fact.address, fact.kind));
    Ok(all)
}

/// When each of `sources` scanned, in whatever way: sorted, apart from one another.
pub(crate) fn times(
    store: &dyn FlowStore,
    sources: &[Prefix],
    window: Window,
    coverage: &[ExporterCoverage],
) -> Result<BTreeMap<Address, Vec<Window>>, StoreError> {
    let scans = scans(store, sources, window, &Vantage::of(coverage))?;
    let mut times: BTreeMap<Address, Vec<Window>> = BTreeMap::new();
    for told in [scans.horizontal, scans.vertical, scans.slow] {
        for (address, fact) in told.facts {
            times.entry(address).or_default().extend(fact.held);
        }
    }
    times.values_mut().for_each(join);
    Ok(times)
}

/// The three ways to scan.
struct Scans {
    horizontal: Told,
    vertical: Told,
    slow: Told,
}

fn scans(
    store: &dyn FlowStore,
    sources: &[Prefix],
    window: Window,
    vantage: &Vantage<'_>,
) -> Result<Scans, StoreError> {
    let (mut horizontal, mut vertical, mut slow) = (Spared::default(), Told::default(), Spared::default());
    let least = horizontal::least_destinations(vantage);
    store.fan_outs(sources, window, least, &mut |hour| {
        if horizontal::is_scan(&hour, vantage) {
            horizontal.add(Kind::Horizontal, horizontal::found(hour));
        }
    })?;
    store.port_sweeps(sources, window, vertical::LEAST_PORTS, &mut |sweep| {
        if vertical::is_scan(&sweep, vantage) {
            vertical.add(Kind::Vertical, vertical::found(sweep));
        }
    })?;
    if vantage.is_any_unsampled() {
        let mut walks = Walks::default();
        let mut visit = |contact| {
            for found in walks.step(&contact).into_iter().flatten() {
                slow.add(Kind::Slow, found);
            }
        };
        slow.others.left_out +=
            store.first_contacts(sources, window, walk::LEAST_FAILURES, MOST_SOURCES, &mut visit)?;
        if let Some(found) = walks.end() {
            slow.add(Kind::Slow, found);
        }
    }
    let hosts = horizontal.hosts().chain(slow.hosts()).collect();
    let servers = servers::among(store, hosts, window)?;
    let serves = |address: &Address| servers.contains(address);
    Ok(Scans { horizontal: horizontal.without(&serves), vertical, slow: slow.without(&serves) })
}

/// One time at which an address did so.
struct Found {
    address: Address,
    protocol: u8,
    port: Option<u16>,
    destinations: u64,
    flows: u64,
    start_time: Timestamp,
    end_time: Timestamp,
    statistic: f64,
    /// Comparable within a kind.
    strength: u64,
    why: String,
}

/// The port of a protocol that has ports.
fn at_port(ip_protocol: u8, port: u16) -> Option<u16> {
    matches!(ip_protocol, protocol::TCP | protocol::UDP).then_some(port)
}

/// Facts of one kind while they come in.
#[derive(Default)]
struct Told {
    facts: BTreeMap<Address, Fact>,
    left_out: u64,
}

impl Told {
    fn add(&mut self, kind: Kind, found: Found) {
        let fact = Fact::of(kind, found);
        self.put(fact);
        if self.facts.len() >= 2 * MOST_OF_A_KIND {
            *self = std::mem::take(self).cut(MOST_OF_A_KIND);
        }
    }

    fn put(&mut self, fact: Fact) {
        match self.facts.remove(&fact.address) {
            Some(known) => self.facts.insert(fact.address, known.and(fact)),
            None => self.facts.insert(fact.address, fact),
        };
    }

    /// The strongest `most`.
    fn cut(mut self, most: usize) -> Self {
        if self.facts.len() <= most {
            return self;
        }
        let mut facts: Vec<Fact> = self.facts.into_values().collect();
        facts.sort_by_key(|fact| (Reverse(fact.strength), fact.address));
        self.left_out += (facts.len() - most) as u64;
        facts.truncate(most);
        Self { facts: facts.into_iter().map(|fact| (fact.address, fact)).collect(), left_out: self.left_out }
    }
}

/// Facts of one kind, those at [`SPARED_PORTS`] apart until it is known who serves there.
#[derive(Default)]
struct Spared {
    doubtful: Told,
    others: Told,
}

impl Spared {
    fn add(&mut self, kind: Kind, found: Found) {
        let is_spared = found.port.is_some_and(|port| SPARED_PORTS.contains(&port));
        if is_spared { self.doubtful.add(kind, found) } else { self.others.add(kind, found) }
    }

    fn hosts(&self) -> impl Iterator<Item = Address> {
        self.doubtful.facts.keys().copied()
    }

    fn without(self, serves: &impl Fn(&Address) -> bool) -> Told {
        let mut told = self.others;
        told.left_out += self.doubtful.left_out;
        self.doubtful
            .facts
            .into_values()
            .filter(|fact| !serves(&fact.address))
            .for_each(|fact| told.put(fact));
        told
    }
}

impl Fact {
    fn of(kind: Kind, found: Found) -> Self {
        Self {
            address: found.address,
            kind,
            protocol: found.protocol,
            port: found.port,
            first_seen: found.start_time,
            last_seen: found.end_time,
            destinations: found.destinations,
            flows: found.flows,
            statistic: found.statistic,
            why: found.why,
            times: 1,
            held: vec![Window::new(found.start_time, found.end_time.plus_micros(HELD_US))],
            strength: found.strength,
        }
    }

    /// Both together, in the words of the stronger.
    fn and(self, other: Self) -> Self {
        let (mut stronger, weaker) =
            if other.strength > self.strength { (other, self) } else { (self, other) };
        stronger.first_seen = stronger.first_seen.min(weaker.first_seen);
        stronger.last_seen = stronger.last_seen.max(weaker.last_seen);
        stronger.flows = stronger.flows.saturating_add(weaker.flows);
        stronger.times += weaker.times;
        stronger.held.extend(weaker.held);
        join(&mut stronger.held);
        stronger
    }
}

/// Sorts windows and joins those that touch.
fn join(windows: &mut Vec<Window>) {
    windows.sort_unstable();
    windows.dedup_by(|next, last| {
        let touches = next.from <= last.until;
        if touches {
            last.until = last.until.max(next.until);
        }
        touches
    });
}

/// Whether all of `times`, and one at least, are inside sorted windows that are apart.
pub(crate) fn holds_at(windows: &[Window], times: impl IntoIterator<Item = Timestamp>) -> bool {
    let mut times = times.into_iter().peekable();
    let inside = |at: Timestamp| {
        let next = windows.partition_point(|window| window.until <= at);
        windows.get(next).is_some_and(|window| window.contains(at))
    };
    times.peek().is_some() && times.all(inside)
}
