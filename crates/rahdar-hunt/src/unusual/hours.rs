//! Hours in which a host uploaded to holders that were new to it (`methods.md` §5).
//!
//! * A holder is *new* to a host in the first [`NEW_US`] after their first contact, whoever opened it. Holders that
//!   were not met for [`MEMORY_US`] are new again.
//! * An *upload* is what a host sent to an address within one hour, if its packets are larger than headers, anything
//!   came back, and more payload went out than came in: browsing, downloads and their acknowledgements are none, nor is
//!   what nobody answered. An answer is a packet back, or that the host acknowledged over TCP: so it is seen where only
//!   one direction is.
//! * Counted is payload: octets less the headers of their packets, as in [`crate::upload`]; all headers as those of
//!   TCP, the largest.
//! * Several exporters are never added: the *point* of an hour is that of the exporter with the most, the *low* the
//!   best lower bound of any one. A point of usual hours that is too high hides an hour, and accuses none.
//! * Everything is new at first. No upload counts within [`WARM_UP_US`] of the first record of the host, or of the
//!   exporter that saw it.
//!
//! Wrong where an address has another host every day (DHCP); where a holder was met while nobody recorded; and where
//! who means harm made a harmless call a week before. An hour is that in which a record began: octets of records
//! that last for hours are all in the first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rahdar_model::store::{End, Exchange, StoreError};
use rahdar_model::time::DAY_US;
use rahdar_model::{Address, FlowRecord, FlowStore, Prefix, Sighting, Timestamp, Window};

use super::holder::{Holder, Holders};
use crate::exporters::{Part, Weight};
use crate::stitch::is_large;
use crate::sweep::{Contact, Party};
use crate::upload::{MUCH_OCTETS, payload_low, payload_point};

/// How long a holder is new. Chosen here: from first contact to the end of what is carried off there are days.
pub const NEW_US: i64 = 7 * DAY_US;
/// After how long without contact a holder is new again. Chosen here: half a year. It bounds what a hunt has to read.
pub const MEMORY_US: i64 = 26 * 7 * DAY_US;
/// How long a host and an exporter are watched before what is new to them says anything. Chosen here: two weeks hold
/// every day of the week twice.
pub const WARM_UP_US: i64 = 14 * DAY_US;
/// Holders that one host deals with; one with more deals with everybody. Chosen here: each takes some 60 octets.
pub const MOST_HOLDERS: usize = 1_000_000;

/// What was read of one host.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hours {
    pub(crate) host: Address,
    /// From when on uploads count.
    pub(crate) since: Timestamp,
    /// Hours with an upload, in order.
    pub(crate) uploads: Vec<Hour>,
}

/// One hour with an upload to new holders.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hour {
    pub(crate) hour: Timestamp,
    /// Octets of payload, estimated.
    pub(crate) point: f64,
    /// At least; nothing is asked of hours that are not much, and theirs is 0.
    pub(crate) low: f64,
    /// To whom, of hours that are much.
    pub(crate) remotes: Box<[Address]>,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Hosts with uploads, by address.
    pub(crate) hosts: Vec<Hours>,
    /// Hosts that deal with everybody.
    pub(crate) too_many_holders: usize,
    /// Hours of all hosts.
    pub(crate) hours: usize,
}

/// Reads the hours of `hosts`. Exchanges with addresses in `own` are inside, and no uploads. `began` says when each
/// exporter did. Stops to take more beyond `most_hours`.
pub(crate) fn read(
    store: &dyn FlowStore,
    window: Window,
    hosts: &[Prefix],
    own: &[Prefix],
    holders: &Holders,
    began: &BTreeMap<Arc<str>, Timestamp>,
    most_hours: usize,
) -> Result<Read, StoreError> {
    let mut reader = Reader { own, holders, began, most_hours, host: None, read: Read::default() };
    store.exchanges(hosts, window, &mut |exchange| reader.take(&exchange))?;
    reader.end_host();
    Ok(reader.read)
}

struct Reader<'a> {
    own: &'a [Prefix],
    holders: &'a Holders,
    began: &'a BTreeMap<Arc<str>, Timestamp>,
    most_hours: usize,
    host: Option<Host>,
    read: Read,
}

/// The host that is being read.
struct Host {
    met: HashMap<Holder, Met>,
    hours: Hours,
    /// The hour that is being read, and its exchanges with new holders.
    hour: Timestamp,
    exchanges: Vec<Contact>,
    answered: Vec<bool>,
    has_too_many_holders: bool,
}

/// When a holder was met.
#[derive(Debug, Clone, Copy)]
struct Met {
    first: Timestamp,
    last: Timestamp,
}

impl Reader<'_> {
    fn take(&mut self, exchange: &Exchange) {
        let contact = contact(exchange);
        let is_inside = self.own.iter().any(|network| network.contains(exchange.remote));
        if is_inside
            || contact.clock_suspect
            || exchange.host.is_unroutable()
            || exchange.remote.is_unroutable()
            || self.read.hours > self.most_hours
        {
            return;
        }
        if self.host.as_ref().is_some_and(|host| host.hours.host != exchange.host) {
            self.end_host();
        }
        let hour = exchange.hour;
        let host = self.host.get_or_insert_with(|| Host::new(exchange.host, hour));
        if host.hour != hour {
            host.end_hour();
            host.hour = hour;
        }
        let is_new = host.meet(self.holders.of(exchange.remote, hour.day()), hour);
        let is_warm =
            self.began.get(&exchange.exporter).is_some_and(|began| hour.since(*began) >= WARM_UP_US);
        if is_new && is_warm && hour >= host.hours.since {
            host.answered.push(exchange.acknowledged || exchange.packets_in > 0);
            host.exchanges.push(contact);
        }
    }

    fn end_host(&mut self) {
        let Some(mut host) = self.host.take() else { return };
        host.end_hour();
        if host.has_too_many_holders {
            self.read.too_many_holders += 1;
        } else if !host.hours.uploads.is_empty() {
            self.read.hours += host.hours.uploads.len();
            self.read.hosts.push(host.hours);
        }
    }
}

impl Host {
    fn new(host: Address, hour: Timestamp) -> Self {
        Self {
            met: HashMap::new(),
            hours: Hours { host, since: hour.plus_micros(WARM_UP_US), uploads: Vec::new() },
            hour,
            exchanges: Vec::new(),
            answered: Vec::new(),
            has_too_many_holders: false,
        }
    }

    /// Meets whoever holds an address; whether all of them are new.
    fn meet(&mut self, holders: impl Iterator<Item = Holder>, hour: Timestamp) -> bool {
        let mut is_new = true;
        for holder in holders {
            if self.met.len() >= MOST_HOLDERS && !self.met.contains_key(&holder) {
                self.has_too_many_holders = true;
                return false;
            }
            let met = self.met.entry(holder).or_insert(Met { first: hour, last: hour });
            if hour.since(met.last) > MEMORY_US {
                met.first = hour;
            }
            met.last = hour;
            is_new &= hour.since(met.first) < NEW_US;
        }
        is_new
    }

    fn end_hour(&mut self) {
        let exchanges = std::mem::take(&mut self.exchanges);
        let answered = std::mem::take(&mut self.answered);
        let mut uploads: Vec<&Contact> = Vec::new();
        let mut begin = 0;
        for own in exchanges.chunk_by(|a, b| a.remote == b.remote) {
            let is_answered = answered[begin..begin + own.len()].contains(&true);
            begin += own.len();
            let carries = own.iter().any(|one| is_large(one.out.packets, one.out.octets));
            if is_answered && carries && point(own, Party::Victim) > point(own, Party::Remote) {
                uploads.extend(own);
            }
        }
        let point = point(uploads.iter().copied(), Party::Victim);
        if point <= 0.0 {
            return;
        }
        let (mut low, mut remotes) = (0.0, Vec::new());
        if point >= MUCH_OCTETS {
            let weight = Weight::default();
            low = payload_low(uploads.iter().map(|contact| Part::whole(contact, &weight)), Party::Victim);
            remotes.extend(uploads.iter().map(|contact| contact.remote));
            remotes.dedup();
        }
        self.hours.uploads.push(Hour {
            hour: self.hour,
            point,
            low: low.min(point),
            remotes: remotes.into(),
        });
    }
}

/// Octets of payload by the exporter with the most.
fn point<'a>(contacts: impl IntoIterator<Item = &'a Contact>, party: Party) -> f64 {
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for contact in contacts {
        *sums.entry(&contact.exporter).or_default() += payload_point(contact, party);
    }
    sums.into_values().fold(0.0, f64::max)
}

/// The exchange as if it were one record: its counters are brought to recorded IP octets in the same way.
fn contact(exchange: &Exchange) -> Contact {
    let mut flow = FlowRecord::new(exchange.exporter.clone(), exchange.exporter.clone());
    (flow.src, flow.dst) = (exchange.host, exchange.remote);
    (flow.start_time, flow.end_time) = (exchange.hour, exchange.hour);
    flow.protocol = rahdar_model::flow::protocol::TCP;
    (flow.octets, flow.packets) = (exchange.octets_out, exchange.packets_out);
    (flow.rev_octets, flow.rev_packets) = (Some(exchange.octets_in), Some(exchange.packets_in));
    (flow.sampling_interval, flow.sampler) = (exchange.sampling_interval, exchange.sampler);
    flow.quality = exchange.marks;
    Contact::of(&Sighting { end: End::Destination, flow })
}
