//! A victim and an address that a claim is about, with all that passed between them, and what
//! the pairs of a hunt say of each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rahdar_intel::index::Snapshot;
use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::intelligence::ClusterId;
use rahdar_model::{Address, Window};

use crate::evidence::establishment::{self, Establishment, Exchange};
use crate::evidence::peers::Peers;
use crate::evidence::prober;
use crate::exporters::{Part, Weight};
use crate::names::Names;
use crate::regular::Question;
use crate::scanner::holds_at;
use crate::sight::Trace;
use crate::stitch::Session;
use crate::sweep::{Contact, Party, Rate};
use crate::vantage;

/// A victim and an address, with all that passed between them.
pub(crate) struct Pair<'a> {
    pub(crate) victim: Address,
    pub(crate) remote: Address,
    contacts: &'a [Contact],
    weights: &'a [Weight],
    pub(crate) sessions: &'a [Session],
    /// What each session shows.
    pub(crate) exchanges: Vec<Exchange>,
    /// What they amount to, at any time.
    whole: Establishment,
    /// Whether its vantage often misses one direction.
    pub(crate) sees_one_way: bool,
    /// Whether the victim can be one.
    pub(crate) is_monitored: bool,
}

impl<'a> Pair<'a> {
    pub(crate) fn new(
        contacts: &'a [Contact],
        weights: &'a [Weight],
        sessions: &'a [Session],
        is_monitored: bool,
        surroundings: &Surroundings<'_>,
    ) -> Self {
        let (victim, remote) = (contacts[0].victim, contacts[0].remote);
        let sees_one_way = contacts.iter().all(|c| surroundings.asymmetric.contains(&*c.exporter));
        let victim_scans = surroundings.is_victim_scanning(victim, sessions);
        Self {
            victim,
            remote,
            contacts,
            weights,
            sessions,
            exchanges: sessions.iter().map(|s| establishment::of_session(s, sees_one_way)).collect(),
            whole: establishment::of_sessions(sessions, sees_one_way, victim_scans),
            sees_one_way,
            is_monitored,
        }
    }

    /// The records of a session, whole.
    pub(crate) fn parts(&self, session: usize) -> impl Iterator<Item = Part<'a>> {
        let (contacts, weights) = (self.contacts, self.weights);
        let (own, whole) = (self.exchanges[session], self.whole.exchange);
        let is_attempt = establishment::is_attempt(&self.sessions[session], own, whole);
        self.sessions[session].records.clone().map(move |i| {
            let part = Part::whole(&contacts[i], &weights[i]);
            if is_attempt { part.in_vain() } else { part }
        })
    }

    /// What a session left at the exporter that saw most of it; none of nothing.
    pub(crate) fn trace(&self, session: usize) -> Option<Trace> {
        let session = &self.sessions[session];
        let packets = session.out.packets.saturating_add(session.back.packets);
        let intervals =
            self.contacts[session.records.clone()].iter().filter_map(|contact| match contact.rate {
                Rate::OneIn(interval) => Some(interval),
                Rate::Every | Rate::Unknown => None,
            });
        (packets > 0).then(|| match (session.out.sampled || session.back.sampled, intervals.min()) {
            (false, _) => Trace::Packets(packets),
            (true, Some(interval)) => Trace::Sampled(packets, interval),
            (true, None) => Trace::Unknown,
        })
    }

    /// What is asked of the rhythm of these sessions.
    pub(crate) fn question(&self, sessions: Vec<usize>) -> Question<'a> {
        let contacts: &'a [Contact] = self.contacts;
        let rates = contacts.iter().map(|contact| (&*contact.exporter, contact.rate));
        Question {
            victim: self.victim,
            remote: self.remote,
            starts: sessions.into_iter().map(|s| self.sessions[s].start).collect(),
            rates: rates.collect(),
            is_monitored: self.is_monitored,
        }
    }

    /// Whether the victim sent the address anything beyond knocking.
    fn is_talk(&self) -> bool {
        let spoke = |(session, exchange): (&Session, &Exchange)| match exchange {
            Exchange::Payload | Exchange::Answered | Exchange::Slight => true,
            Exchange::OneWay => session.out.seen(),
            _ => false,
        };
        self.whole.exchange.is_established() || self.sessions.iter().zip(&self.exchanges).any(spoke)
    }
}

/// What is known beside the contacts.
pub(crate) struct Surroundings<'a> {
    pub(crate) book: &'a Snapshot,
    /// When each address scanned.
    pub(crate) scanners: BTreeMap<Address, Vec<Window>>,
    pub(crate) names: Names,
    /// Exporters that see asymmetric routes.
    asymmetric: BTreeSet<&'a str>,
}

impl<'a> Surroundings<'a> {
    pub(crate) fn new(
        book: &'a Snapshot,
        scanners: BTreeMap<Address, Vec<Window>>,
        names: Names,
        coverage: &'a [ExporterCoverage],
    ) -> Self {
        Self { book, scanners, names, asymmetric: vantage::one_way(coverage) }
    }

    /// Whether the victim scanned whenever these sessions began, so that scanning explains them all.
    pub(crate) fn is_victim_scanning<'s>(
        &self,
        victim: Address,
        sessions: impl IntoIterator<Item = &'s Session>,
    ) -> bool {
        let windows = self.scanners.get(&victim).map_or(&[][..], Vec::as_slice);
        holds_at(windows, sessions.into_iter().map(|session| session.start))
    }
}

/// What the pairs say of each other.
pub(crate) struct Company {
    /// By remote.
    pub(crate) peers: HashMap<Address, Peers>,
    /// By victim.
    probing: HashMap<Address, Vec<Window>>,
}

impl Company {
    /// `active` counts the monitored hosts that sent or received anything.
    pub(crate) fn of(pairs: &[Pair<'_>], book: &Snapshot, active: u64) -> Self {
        let mut peers: HashMap<Address, Peers> = HashMap::new();
        let mut numbers: BTreeMap<Option<&ClusterId>, usize> = BTreeMap::new();
        let mut knocks: HashMap<Address, Vec<prober::Knock>> = HashMap::new();
        for pair in pairs {
            let counts = peers.entry(pair.remote).or_insert(Peers { established: 0, talkers: 0, active });
            counts.established += u64::from(pair.is_monitored && pair.whole.exchange.is_established());
            counts.talkers += u64::from(pair.is_monitored && pair.is_talk());
            let is_silent = pair.whole.exchange == Exchange::Silent;
            let is_knock = is_silent || pair.whole.exchange == Exchange::Sent;
            if !is_knock && pair.whole.exchange.weight() > Exchange::Handshake.weight() {
                continue;
            }
            let claim = book.claims_on(pair.remote).next();
            let next = numbers.len();
            let cluster = *numbers.entry(claim.and_then(|claim| claim.cluster.as_ref())).or_insert(next);
            let called = pair.sessions.iter().zip(&pair.exchanges).filter(|(session, exchange)| {
                matches!(exchange, Exchange::Unanswered | Exchange::Sent | Exchange::Handshake)
                    && session.begins()
                    && session.opener != Some(Party::Remote)
            });
            let called = called.map(|(session, _)| prober::Knock {
                at: session.start,
                remote: pair.remote,
                cluster,
                is_silent,
            });
            knocks.entry(pair.victim).or_default().extend(called);
        }
        let probing = knocks.into_iter().map(|(victim, knocks)| (victim, prober::hours(knocks)));
        Self { peers, probing: probing.collect() }
    }

    /// Whether the victim probed when the session began.
    pub(crate) fn is_probing(&self, victim: Address, session: &Session) -> bool {
        let hours = self.probing.get(&victim).map_or(&[][..], Vec::as_slice);
        let next = hours.partition_point(|hour| hour.until <= session.start);
        hours.get(next).is_some_and(|hour| hour.contains(session.start))
    }
}
