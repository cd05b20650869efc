//! What is told of the hours that stand out: their records, read again one by one, with everything that a hunt knows
//! of records (clocks, twins, sessions, several exporters).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::store::StoreError;
use rahdar_model::time::HOUR_US;
use rahdar_model::{Address, Estimate, FlowStore, Prefix, Quality, Timestamp, Window};

use super::holder::{Holder, Holders};
use super::{Share, Test, Upload};
use crate::exporters::{Part, Weight, estimate, weigh};
use crate::stitch::{Habits, Session, stitch};
use crate::sweep::{Contact, Party, settle};
use crate::watch;

type Key = (Address, Timestamp);

/// Tells these hours, in their order.
pub(super) fn told(
    store: &dyn FlowStore,
    standing: Vec<Test<'_>>,
    holders: &Holders,
    coverage: &[ExporterCoverage],
) -> Result<Vec<Upload>, StoreError> {
    let mut contacts = records(store, &standing)?;
    let upload = |test: Test<'_>| {
        let hour = test.hour.hour;
        let own = contacts.remove(&(test.host, hour)).unwrap_or_default();
        let seen = Seen::of(own, coverage);
        Upload {
            host: test.host,
            hour,
            octets: seen.octets(Window::new(hour, hour.plus_micros(HOUR_US)), coverage),
            opener: seen.opener(),
            to: seen.shares(holders, hour),
            baseline_days: test.baseline_days,
            measured: test.measured,
            record_of: test.record_of,
        }
    };
    Ok(standing.into_iter().map(upload).collect())
}

/// The records of these hours.
fn records(store: &dyn FlowStore, standing: &[Test<'_>]) -> Result<HashMap<Key, Vec<Contact>>, StoreError> {
    let mut contacts: HashMap<Key, Vec<Contact>> = HashMap::new();
    let remotes: BTreeSet<Address> =
        standing.iter().flat_map(|test| test.hour.remotes.iter().copied()).collect();
    let asked: HashMap<Key, &[Address]> =
        standing.iter().map(|test| ((test.host, test.hour.hour), &*test.hour.remotes)).collect();
    let hours = || standing.iter().map(|test| test.hour.hour);
    let (Some(first), Some(last)) = (hours().min(), hours().max()) else { return Ok(contacts) };
    let remotes: Vec<Prefix> = remotes.into_iter().map(Prefix::host).collect();
    store.sightings(&remotes, Window::new(first, last.plus_micros(HOUR_US)), &mut |sighting| {
        let key = (sighting.local(), sighting.flow.start_time.hour());
        let is_asked = asked.get(&key).is_some_and(|remotes| remotes.contains(&sighting.remote()));
        if is_asked && !sighting.flow.quality.intersects(Quality::UNUSABLE) {
            contacts.entry(key).or_default().push(Contact::of(&sighting));
        }
    })?;
    Ok(contacts)
}

/// The records of one hour of one host, by pair.
struct Seen {
    contacts: Vec<Contact>,
    sessions: Vec<Vec<Session>>,
    weights: Vec<Weight>,
}

impl Seen {
    fn of(mut contacts: Vec<Contact>, coverage: &[ExporterCoverage]) -> Self {
        settle(&mut contacts, coverage);
        let habits = Habits::of(&contacts);
        let pairs: Vec<&[Contact]> = contacts.chunk_by(|a, b| a.remote == b.remote).collect();
        let sessions: Vec<Vec<Session>> =
            pairs.iter().map(|pair| stitch(pair, &habits, &|_, _| false)).collect();
        let joined: Vec<(&[Contact], &[Session])> =
            pairs.into_iter().zip(sessions.iter().map(Vec::as_slice)).collect();
        let weights = weigh(&joined);
        Self { contacts, sessions, weights }
    }

    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.contacts.iter().zip(&self.weights).map(|(contact, weight)| Part::whole(contact, weight))
    }

    fn octets(&self, hour: Window, coverage: &[ExporterCoverage]) -> Estimate {
        let exporters = self.contacts.iter().map(|contact| &*contact.exporter).collect();
        estimate(self.parts(), Party::Victim, watch::is_covered(hour, &exporters, coverage))
    }

    /// Who opened the sessions by which most left; none if that cannot be told.
    fn opener(&self) -> Option<Party> {
        let mut octets: BTreeMap<Option<Party>, f64> = BTreeMap::new();
        let parts: Vec<Part<'_>> = self.parts().collect();
        let mut begin = 0;
        for (pair, sessions) in self.contacts.chunk_by(|a, b| a.remote == b.remote).zip(&self.sessions) {
            for session in sessions {
                let records = begin + session.records.start..begin + session.records.end;
                *octets.entry(session.opener).or_default() +=
                    parts[records].iter().map(|part| part.point(Party::Victim)).sum::<f64>();
            }
            begin += pair.len();
        }
        octets.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).and_then(|(opener, _)| opener)
    }

    /// What went to each holder.
    fn shares(&self, holders: &Holders, hour: Timestamp) -> Vec<Share> {
        let mut by_address: BTreeMap<Address, f64> = BTreeMap::new();
        for part in self.parts() {
            *by_address.entry(part.contact().remote).or_default() += part.point(Party::Victim);
        }
        let mut shares: BTreeMap<Holder, (Share, f64)> = BTreeMap::new();
        for (address, octets) in by_address {
            let holder = holders.told(address, hour.day());
            let (share, most) =
                shares.entry(holder).or_insert((Share { holder, address, octets: 0.0 }, f64::MIN));
            share.octets += octets;
            if octets > *most {
                (share.address, *most) = (address, octets);
            }
        }
        let mut shares: Vec<Share> = shares.into_values().map(|(share, _)| share).collect();
        shares.sort_by(|a, b| b.octets.total_cmp(&a.octets).then(a.holder.cmp(&b.holder)));
        shares
    }
}
