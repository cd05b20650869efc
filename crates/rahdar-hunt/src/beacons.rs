//! What calls home without any indicator: all pairs of hosts whose contacts have a rhythm
//! (`methods.md` §3.3 and §3.4).
//!
//! 1. Records are counted for each monitored host and each address it met. Pairs with fewer than
//!    [`LEAST_CONTACTS`] are no question, nor are addresses that a tenth of the hosts talk to
//!    ([`Peers::is_common`]): services of the network.
//! 2. The records of the others are read, batch by batch, and stitched into sessions; those that
//!    the address opened do not count, and a connection counts once, however long it is held. Each pair is looked at for even intervals, in one pass.
//! 3. The [`MOST_QUESTIONS`] most even are searched by every method, and together with the other
//!    hosts that called the same address. The false-discovery rate is held over all pairs.
//!
//! Clocks, updates and monitors have rhythms too, and many people's work is on time: what is found
//! is a place to look, no finding. Under heavy sampling little is found.
//!
//! ```
//! use rahdar_hunt::beacons::{Ask, beacons};
//! use rahdar_model::{FlowStore, Timestamp, Window};
//! use rahdar_model::store::Input;
//! use rahdar_testkit::{NaiveStore, flow};
//!
//! // Every ten minutes for a day, give or take half a minute.
//! let store = NaiveStore::new();
//! let mut import = store.import().unwrap();
//! import.begin(&Input { id: "1".to_owned(), name: "1".into() }).unwrap();
//! for n in 0..144_i64 {
//!     let ends = format!("203.0.113.25:{} > 192.0.2.9:443", 50_000 + n);
//!     let at = Timestamp::from_seconds(1_600_000_000 + 600 * n + n * n % 61 - 30);
//!     import.flow(&flow(&ends).at_time(at).sent(6, 600).build()).unwrap();
//! }
//! import.commit().unwrap();
//! let ask = Ask { window: Window::ALL, hosts: vec!["203.0.113.0/24".parse().unwrap()] };
//! let found = beacons(&store, &ask).unwrap().found;
//! assert_eq!(found.len(), 1);
//! assert!((found[0].beat.period_s / 600.0 - 1.0).abs() < 0.02);
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rahdar_model::store::StoreError;
use rahdar_model::{Address, FlowStore, Prefix, Timestamp, Window};
use thiserror::Error;

use crate::evidence::peers::Peers;
use crate::evidence::rhythm::Rhythm;
use crate::regular::{MOST_QUESTIONS, Question, evenness, rhythms, series};
use crate::rhythm::Beat;
use crate::rhythm::series::LEAST_CONTACTS;
use crate::stitch::{Habits, stitch};
use crate::sweep::{Contact, Party, Rate};

/// Pairs that are counted. Chosen here: some 60 octets each, a quarter of a gigabyte.
pub const MOST_PAIRS: usize = 4_000_000;
/// Records of one pair that are read; a pair with more is no beacon but a service. Chosen here: a
/// check-in every half minute for a month, seen by two exporters.
pub const MOST_RECORDS: u32 = 200_000;
/// Records that are read at a time. Chosen here: some 250 octets each, 100 MB.
const BATCH: usize = 400_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Flows that started in this window.
    pub window: Window,
    /// Calls of hosts in these networks; of all hosts, if there are none.
    pub hosts: Vec<Prefix>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Beacons {
    /// The surest first.
    pub found: Vec<Beacon>,
    /// Pairs with enough contacts to be looked at.
    pub looked_at: usize,
    /// Addresses that were left out because a tenth of the hosts talk to them.
    pub common: usize,
}

/// Contacts of one host with one address that have a rhythm.
#[derive(Debug, Clone, PartialEq)]
pub struct Beacon {
    /// Who calls.
    pub host: Address,
    /// Who is called.
    pub remote: Address,
    /// Monitored hosts that call it.
    pub hosts: usize,
    /// Connections that the host opened, or may have.
    pub contacts: usize,
    /// The first of them.
    pub first: Timestamp,
    /// The start of the last.
    pub last: Timestamp,
    /// The rhythm.
    pub beat: Beat,
    /// The chance of it without a rhythm, of this pair alone.
    pub p_value: f64,
}

/// Why nothing was found out.
#[derive(Debug, Error)]
pub enum BeaconError {
    /// The store failed. Its own error says whether trying again may help.
    #[error("the flow store did not answer")]
    Store(#[from] StoreError),
    /// The window or the networks are too wide.
    #[error("more than {MOST_PAIRS} pairs of hosts: ask for a shorter time or for fewer hosts")]
    Pairs,
}

/// Looks for rhythms among all contacts of the hosts.
///
/// # Errors
/// See [`BeaconError`].
pub fn beacons(store: &dyn FlowStore, ask: &Ask) -> Result<Beacons, BeaconError> {
    let records = counted(store, ask)?;
    let hosts: BTreeSet<Address> = records.keys().map(|(_, host)| *host).collect();
    let mut looked_at = Vec::new();
    let (mut common, mut others) = (0, Vec::new());
    let mut batch: BTreeSet<(Address, Address)> = BTreeSet::new();
    let mut waiting = 0;
    let mut clients: HashMap<Address, usize> = HashMap::new();
    let by_remote: Vec<(&(Address, Address), &u32)> = records.iter().collect();
    for own in by_remote.chunk_by(|a, b| a.0.0 == b.0.0) {
        let peers =
            Peers { established: own.len() as u64, talkers: own.len() as u64, active: hosts.len() as u64 };
        if peers.is_common() {
            common += 1;
            continue;
        }
        clients.insert(own[0].0.0, own.len());
        for (pair, count) in own {
            if (LEAST_CONTACTS as u32..=MOST_RECORDS).contains(count) {
                batch.insert(**pair);
                waiting += **count as usize;
            }
        }
        if waiting >= BATCH {
            look(store, ask.window, &std::mem::take(&mut batch), &mut looked_at, &mut others)?;
            waiting = 0;
        }
    }
    look(store, ask.window, &batch, &mut looked_at, &mut others)?;

    let questions: Vec<Question<'_>> = looked_at.iter().map(Calls::question).collect();
    let answers = rhythms(&questions, &others);
    let mut found: Vec<Beacon> = looked_at
        .iter()
        .zip(answers)
        .filter_map(|(calls, answer)| match answer {
            Rhythm::Found { beat, p_value, .. } => Some(calls.beacon(beat, p_value, clients[&calls.remote])),
            Rhythm::None { .. } | Rhythm::NotAssessable(_) => None,
        })
        .collect();
    found.sort_by(|a, b| {
        let key = |beacon: &Beacon| (std::cmp::Reverse(beacon.contacts), beacon.host, beacon.remote);
        a.p_value.total_cmp(&b.p_value).then_with(|| key(a).cmp(&key(b)))
    });
    Ok(Beacons { found, looked_at: looked_at.len() + others.len(), common })
}

/// The records between each address and each host, the addresses first.
fn counted(store: &dyn FlowStore, ask: &Ask) -> Result<BTreeMap<(Address, Address), u32>, BeaconError> {
    const EVERYTHING: Prefix = Prefix::new(Address::from_bits(0), 0);
    let networks = if ask.hosts.is_empty() { vec![EVERYTHING] } else { ask.hosts.clone() };
    let mut records: HashMap<(Address, Address), u32> = HashMap::new();
    let mut is_full = false;
    store.sightings(&networks, ask.window, &mut |sighting| {
        // Here the end that was asked for is the host.
        let (host, remote) = (sighting.remote(), sighting.local());
        if host == remote || host.is_unroutable() || remote.is_unroutable() {
            return;
        }
        if records.len() < MOST_PAIRS || records.contains_key(&(remote, host)) {
            let count = records.entry((remote, host)).or_default();
            *count = count.saturating_add(1);
        } else {
            is_full = true;
        }
    })?;
    if is_full { Err(BeaconError::Pairs) } else { Ok(records.into_iter().collect()) }
}

/// The calls of one host to one address.
struct Calls {
    host: Address,
    remote: Address,
    starts: Vec<Timestamp>,
    rates: BTreeSet<(Arc<str>, Rate)>,
    /// The chance of intervals as even as these.
    even: f64,
}

impl Calls {
    fn question(&self) -> Question<'_> {
        Question {
            victim: self.host,
            remote: self.remote,
            starts: self.starts.clone(),
            rates: self.rates.iter().map(|(exporter, rate)| (&**exporter, *rate)).collect(),
            is_monitored: true,
        }
    }

    fn beacon(&self, beat: Beat, p_value: f64, hosts: usize) -> Beacon {
        let first = self.starts.iter().min().copied().unwrap_or_default();
        let last = self.starts.iter().max().copied().unwrap_or_default();
        let (host, remote, contacts) = (self.host, self.remote, self.starts.len());
        Beacon { host, remote, hosts, contacts, first, last, beat, p_value }
    }
}

/// Reads the records of these pairs, an address and a host each, and adds those with enough calls
/// to `looked_at`. Of more than [`MOST_QUESTIONS`] the least even go; their p stays in `others`.
fn look(
    store: &dyn FlowStore,
    window: Window,
    pairs: &BTreeSet<(Address, Address)>,
    looked_at: &mut Vec<Calls>,
    others: &mut Vec<f64>,
) -> Result<(), StoreError> {
    let mut remotes: Vec<Prefix> = pairs.iter().map(|(remote, _)| Prefix::host(*remote)).collect();
    remotes.dedup();
    if remotes.is_empty() {
        return Ok(());
    }
    let mut contacts = Vec::new();
    store.sightings(&remotes, window, &mut |sighting| {
        if pairs.contains(&(sighting.remote(), sighting.local())) {
            contacts.push(Contact::of(&sighting));
        }
    })?;
    contacts.sort();
    let habits = Habits::of(&contacts);
    for own in contacts.chunk_by(|a, b| (a.victim, a.remote) == (b.victim, b.remote)) {
        let sessions = stitch(own, &habits, &|_, _| false);
        let called = sessions.iter().filter(|s| s.begins() && s.opener != Some(Party::Remote));
        let mut calls = Calls {
            host: own[0].victim,
            remote: own[0].remote,
            starts: called.map(|session| session.start).collect(),
            rates: own.iter().map(|contact| (contact.exporter.clone(), contact.rate)).collect(),
            even: 1.0,
        };
        if let Ok(series) = series(&calls.question()) {
            calls.even = evenness(&series);
            looked_at.push(calls);
        }
    }
    looked_at.sort_by(|a, b| {
        let key = |calls: &Calls| (std::cmp::Reverse(calls.starts.len()), calls.host, calls.remote);
        a.even.total_cmp(&b.even).then_with(|| key(a).cmp(&key(b)))
    });
    let rest = looked_at.drain(looked_at.len().min(MOST_QUESTIONS)..);
    others.extend(rest.map(|calls| calls.even));
    Ok(())
}

#[cfg(test)]
mod tests {
    use rahdar_model::store::Input;
    use rahdar_testkit::{NaiveStore, flow};

    use super::*;
    use crate::chance::Chance;

    const DAY_S: usize = 86_400;

    fn store(calls: impl IntoIterator<Item = (String, i64)>) -> NaiveStore {
        let store = NaiveStore::new();
        let mut import = store.import().unwrap();
        import.begin(&Input { id: "1".to_owned(), name: "1".into() }).unwrap();
        for (ends, at) in calls {
            let at = Timestamp::from_seconds(1_600_000_000 + at);
            import.flow(&flow(&ends).at_time(at).sent(6, 600).build()).unwrap();
        }
        import.commit().unwrap();
        store
    }

    fn found(store: &NaiveStore) -> Vec<(String, String)> {
        let ask = Ask { window: Window::ALL, hosts: vec!["203.0.113.0/24".parse().unwrap()] };
        let found = beacons(store, &ask).unwrap().found;
        found.iter().map(|beacon| (beacon.host.to_string(), beacon.remote.to_string())).collect()
    }

    /// Each call has a port of its own.
    fn beacon(from: &str, to: &str) -> impl Iterator<Item = (String, i64)> + use<> {
        let (from, to) = (from.to_owned(), to.to_owned());
        (0..288).map(move |n| (format!("{from}:{} > {to}", 50_000 + n), n * 300 + n * n % 41))
    }

    fn chance(from: &str, to: &str) -> impl Iterator<Item = (String, i64)> + use<> {
        let mut chance = Chance::of("calls", &[from.as_bytes()]);
        beacon(from, to).map(move |(ends, _)| (ends, chance.below(DAY_S) as i64))
    }

    #[test]
    fn a_beacon_is_found_among_contacts_by_chance() {
        let others = (10..25).flat_map(|n| chance(&format!("203.0.113.{n}"), &format!("192.0.2.{n}:443")));
        let store = store(beacon("203.0.113.25", "192.0.2.9:443").chain(others));
        assert_eq!(found(&store), [("203.0.113.25".to_owned(), "192.0.2.9".to_owned())]);
    }

    #[test]
    fn neither_the_order_of_flows_nor_a_second_thread_changes_a_row() {
        let others = (10..25).flat_map(|n| chance(&format!("203.0.113.{n}"), &format!("192.0.2.{n}:443")));
        let two = beacon("203.0.113.25", "192.0.2.9:443").chain(beacon("203.0.113.26", "192.0.2.9:443"));
        let mut calls: Vec<(String, i64)> = two.chain(others).collect();
        let ask = Ask { window: Window::ALL, hosts: vec!["203.0.113.0/24".parse().unwrap()] };
        let alone = beacons(&store(calls.clone()), &ask).unwrap();
        assert_eq!(alone.found.len(), 2);
        let mut dice = Chance::of("order of calls", &[]);
        for place in (1..calls.len()).rev() {
            calls.swap(place, dice.below(place + 1));
        }
        let shuffled = store(calls);
        let again = || beacons(&shuffled, &ask).unwrap();
        let both = std::thread::scope(|scope| {
            let other = scope.spawn(again);
            (again(), other.join().unwrap())
        });
        assert_eq!(both, (alone.clone(), alone));
    }

    #[test]
    fn who_is_called_has_no_beacon_and_long_connections_none_either() {
        let called = beacon("192.0.2.9", "203.0.113.25:443");
        // One connection whose record is cut every minute.
        let cut = (0..1_440).map(|n| ("203.0.113.26:50000 > 192.0.2.10:443".to_owned(), n * 60));
        assert_eq!(found(&store(called.chain(cut))), []);
    }

    /// Three connections, begun eight hours apart and held for 30 days: a day's cut of each would be a beat.
    #[test]
    fn connections_held_for_weeks_are_no_beacon() {
        for (is_udp, surges) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut chance = Chance::of("a record of a tunnel", &[]);
            let store = NaiveStore::new();
            let mut import = store.import().unwrap();
            import.begin(&Input { id: "1".to_owned(), name: "1".into() }).unwrap();
            for connection in 0..3 {
                let mut at = connection * 8 * 3_600;
                while at < 30 * DAY_S {
                    let is_surge = surges && at / 7_200 % 11 == 0;
                    let next = at + if is_surge { 60 } else { 60 + chance.below(1_740) };
                    let ends = format!("203.0.113.25:{} > 192.0.2.9:4500", 50_000 + connection);
                    let start = Timestamp::from_seconds(1_600_000_000 + at as i64);
                    let octets = if is_surge { 9_000_000 } else { 600 };
                    let record = flow(&ends).at_time(start).sent(6, octets).answered(6, 700).flags(0x18);
                    // Datagrams that are silent for half a minute before the next record, TCP for all but a second.
                    let record = match is_udp {
                        true => record.udp().lasting_s((next - at) as i64 - 30),
                        false => record.lasting_s(1),
                    };
                    import.flow(&record.build()).unwrap();
                    at = next;
                }
            }
            import.commit().unwrap();
            let ask = Ask { window: Window::ALL, hosts: vec!["203.0.113.0/24".parse().unwrap()] };
            let told = beacons(&store, &ask).unwrap();
            assert_eq!((told.found, told.looked_at), (vec![], 0), "udp {is_udp}, surges {surges}");
        }
    }

    #[test]
    fn an_address_that_many_hosts_call_is_a_service() {
        let to_all = |n: usize| beacon(&format!("203.0.113.{n}"), "192.0.2.9:123");
        assert_eq!(found(&store((1..=25).flat_map(to_all))), []);
        assert_eq!(found(&store((1..=3).flat_map(to_all))).len(), 3);
    }
}
