//! By which names hosts knew claimed addresses: what was resolved, what servers were called, and which certificates they
//! presented.

mod derived;
mod others;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rahdar_intel::index::Snapshot;
use rahdar_model::fact::{Answer, Handshake, Resolution};
use rahdar_model::finding::Reason;
use rahdar_model::intelligence::Claim;
use rahdar_model::marking::Marking;
use rahdar_model::store::{HandshakesAsked, StoreError};
use rahdar_model::time::{CLOCK_PLAUSIBLE, SECOND_US};
use rahdar_model::{Address, FlowStore, Prefix, Timestamp, Window};

use crate::evidence::naming::{LATE_S, Naming, OtherName};
use crate::evidence::validity::Validity;
use crate::lead::Affiliation;
use crate::stitch::Session;
use others::Others;

pub(crate) use derived::with_derived;
pub(crate) use others::Met;

/// What was said of names that claims are about, and of other names of claimed addresses.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// By the host that knew the name, and the address that it stood for.
    mentions: HashMap<(Address, Address), Vec<Mention>>,
    /// Other names, where the two met.
    others: Others,
    /// By the host that asked, and whose the claims are that may have held then.
    pub(crate) asked: BTreeMap<(Address, Affiliation), Asked>,
    /// The same where none of its claims held.
    pub(crate) lapsed: BTreeMap<(Address, Affiliation), Asked>,
}

/// A host knew an address by a name.
#[derive(Debug)]
struct Mention {
    /// Whose claims on the name may have held then.
    whose: BTreeSet<Affiliation>,
    /// Or the hash of a certificate.
    name: String,
    at: Timestamp,
    how: How,
}

#[derive(Debug)]
enum How {
    /// It was told the address, and may use it until then.
    Resolved { until: Timestamp },
    /// It called the server by that name, at this port.
    Called { port: u16 },
    /// The server presented the certificate of that hash, at this port.
    Presented { port: u16 },
}

/// What a host asked of the names of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) names: BTreeSet<String>,
    /// What was heard of it, by input.
    heard: BTreeMap<Arc<str>, Heard>,
    /// The first and the last time, as far as a clock tells them.
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    /// How the claim nearest to any question stood to it; of equals to the earliest question.
    pub(crate) standing: (Validity, Timestamp, Reason),
    answers: BTreeSet<Address>,
    /// The marking of the claims on these names.
    pub(crate) marking: Marking,
    /// Flows with answers that no claim is about.
    pub(crate) flows: u64,
}

/// How long after a question its answer may come. Chosen here: resolvers give up after less.
const ANSWERED_IN_US: i64 = 10 * SECOND_US;

/// Messages of one input, by their time and their place in it. Some inputs tell a question and its answer apart, some
/// as one; and of one answer there are as many resolutions as it has records.
#[derive(Debug, Clone, Default)]
struct Heard {
    questions: BTreeSet<(Timestamp, u64)>,
    answers: BTreeSet<(Timestamp, u64)>,
}

impl Heard {
    /// How often was asked: an answer soon after a question is that question's, and else tells of one itself.
    fn asked(&self) -> u64 {
        let is_told = |at: Timestamp| {
            let from = at.plus_micros(-ANSWERED_IN_US);
            self.questions.range((from, 0)..=(at, u64::MAX)).next().is_some()
        };
        let untold = self.answers.iter().filter(|(at, _)| !is_told(*at)).count();
        (self.questions.len() + untold) as u64
    }
}

/// Gathers what the window says of claimed names, and by what other names hosts knew the claimed addresses that they
/// met, when their sessions began.
pub(crate) fn names(
    store: &dyn FlowStore,
    book: &Snapshot,
    met: &Met<'_>,
    window: Window,
) -> Result<Names, StoreError> {
    let domains = book.domains();
    let domains: Vec<&str> = domains.iter().map(|name| &**name).collect();
    let remotes: BTreeSet<Prefix> = met.keys().map(|(_, remote)| Prefix::host(*remote)).collect();
    let remotes: Vec<Prefix> = remotes.into_iter().collect();
    let mut names = Names::default();
    if domains.is_empty() && remotes.is_empty() {
        return Ok(names);
    }
    let others = others::Gathering::new(book, met);
    let mut gathering = Gathering { book, names: &mut names, others };
    store.resolutions(&domains, &remotes, window, &mut |resolution| gathering.resolved(resolution))?;
    let asked = HandshakesAsked { names: &domains, networks: &remotes, certificates: &[] };
    store.handshakes(&asked, window, &mut |handshake| gathering.called(handshake))?;
    let others = gathering.others.done();
    names.others = others;
    names.count_flows(store, book, window)?;
    Ok(names)
}

/// Names in the making.
struct Gathering<'a> {
    book: &'a Snapshot,
    names: &'a mut Names,
    others: others::Gathering<'a>,
}

/// Whose claims these are, and how the best of each stood to that time.
fn standings<'a>(
    claims: impl IntoIterator<Item = &'a Claim>,
    at: Timestamp,
) -> BTreeMap<Affiliation, (Validity, &'a Claim)> {
    let mut standings: BTreeMap<Affiliation, (Validity, &Claim)> = BTreeMap::new();
    for claim in claims {
        // Facts have no marks: their time says by itself whether a clock can have told it.
        let validity = Validity::of(claim, at, at, !CLOCK_PLAUSIBLE.contains(at));
        let best = standings.entry(Affiliation::of(claim)).or_insert((validity, claim));
        if validity < best.0 {
            *best = (validity, claim);
        }
    }
    standings
}

/// Whose claims may have held.
fn open(standings: &BTreeMap<Affiliation, (Validity, &Claim)>) -> BTreeSet<Affiliation> {
    let open = standings.iter().filter(|(_, (validity, _))| validity.is_open());
    open.map(|(whose, _)| whose.clone()).collect()
}

impl Gathering<'_> {
    fn resolved(&mut self, resolution: Resolution) {
        let Resolution { time, client, ttl_s, .. } = resolution;
        let standings = standings(self.book.claims_naming(&resolution.name), time);
        let whose = open(&standings);
        for (affiliation, (validity, claim)) in standings {
            let Names { asked, lapsed, .. } = &mut *self.names;
            let asked = if validity.is_open() { asked } else { lapsed };
            let marking = affiliation.marking_of(self.book, &resolution.name);
            let standing = || (validity, time, validity.row(claim, time).reason);
            let asked = asked.entry((client, affiliation));
            let asked = asked.or_insert_with(|| Asked::of(standing()));
            let (nearest, at, reason) = &asked.standing;
            if (validity, time) <= (*nearest, *at) {
                let own = standing();
                if (validity, time, &own.2.text) < (*nearest, *at, &reason.text) {
                    asked.standing = own;
                }
            }
            asked.marking.and(&marking);
            asked.add(&resolution);
        }
        if let Answer::Address(address) = resolution.answer {
            let kept_s = i64::from(ttl_s.unwrap_or(0)) + LATE_S;
            let how = How::Resolved { until: time.plus_micros(kept_s * SECOND_US) };
            self.mention((client, address), Mention { whose, name: resolution.name, at: time, how });
        }
    }

    fn called(&mut self, handshake: Handshake) {
        let Handshake { time, client, server, server_port: port, server_name: name, certificate, .. } =
            handshake;
        let whose = open(&standings(self.book.claims_presenting(&certificate), time));
        if !whose.is_empty() && handshake.established != Some(false) {
            let how = How::Presented { port };
            self.mention((client, server), Mention { whose, name: certificate, at: time, how });
        }
        let whose = open(&standings(self.book.claims_naming(&name), time));
        self.mention((client, server), Mention { whose, name, at: time, how: How::Called { port } });
    }

    fn mention(&mut self, between: (Address, Address), mention: Mention) {
        if mention.whose.is_empty() {
            self.others.add(between, &mention);
        } else {
            self.names.mentions.entry(between).or_default().push(mention);
        }
    }
}

impl Names {
    /// Counts the flows with answers that no claim is about by itself; those with others are swept.
    fn count_flows(
        &mut self,
        store: &dyn FlowStore,
        book: &Snapshot,
        window: Window,
    ) -> Result<(), StoreError> {
        let answers: BTreeSet<Address> = self
            .asked
            .values()
            .chain(self.lapsed.values())
            .flat_map(|asked| asked.answers.iter().copied())
            .collect();
        let unclaimed = answers.into_iter().filter(|answer| book.claims_on(*answer).next().is_none());
        let networks: Vec<Prefix> = unclaimed.map(Prefix::host).collect();
        if networks.is_empty() {
            return Ok(());
        }
        let mut flows: HashMap<(Address, Address), u64> = HashMap::new();
        store.sightings(&networks, window, &mut |sighting| {
            *flows.entry((sighting.local(), sighting.remote())).or_default() += 1;
        })?;
        for ((client, _), asked) in self.asked.iter_mut().chain(&mut self.lapsed) {
            asked.flows = asked.answers.iter().filter_map(|answer| flows.get(&(*client, *answer))).sum();
        }
        Ok(())
    }

    /// How the victim knew the address when one of these sessions began, if a name of the cluster
    /// shows it. A name that was called says more than one that was resolved.
    pub(crate) fn naming<'s>(
        &self,
        victim: Address,
        remote: Address,
        whose: &Affiliation,
        sessions: impl Iterator<Item = &'s Session> + Clone,
    ) -> Option<Naming> {
        let mentions = self.mentions.get(&(victim, remote))?;
        let own = mentions.iter().filter(|mention| mention.whose.contains(whose));
        let explaining = |mention: &'_ Mention| {
            sessions.clone().filter(|session| mention.explains(session)).map(|s| mention.naming(s)).min()
        };
        own.filter_map(explaining).min()
    }

    /// The other name by which the victim knew the address when most of these of its sessions began, if it knew it by
    /// none that is claimed.
    pub(crate) fn other_name(
        &self,
        victim: Address,
        remote: Address,
        sessions: impl Iterator<Item = usize> + Clone,
    ) -> Option<OtherName<'_>> {
        let pair = (victim, remote);
        if self.mentions.contains_key(&pair) { None } else { self.others.of_most(pair, sessions) }
    }

    /// Whether the victim knew the address by a name of the cluster, and by another one when its session at this place
    /// began: then that session is not of the cluster's name.
    pub(crate) fn is_otherwise(
        &self,
        victim: Address,
        remote: Address,
        whose: &Affiliation,
        (place, session): (usize, &Session),
    ) -> bool {
        let Some(mentions) = self.mentions.get(&(victim, remote)) else { return false };
        let mut own = mentions.iter().filter(|mention| mention.whose.contains(whose)).peekable();
        self.others.is_named((victim, remote), place)
            && own.peek().is_some()
            && !own.any(|mention| mention.explains(session))
    }
}

impl Mention {
    /// Whether a handshake at this port of the server was part of the session. Port 0: its log tells no port.
    fn is_of(&self, session: &Session, port: u16) -> bool {
        // Handshakes are logged by another clock's second than flows.
        let begun = session.start.plus_micros(-SECOND_US);
        [0, session.remote_port].contains(&port) && begun <= self.at && self.at <= session.end
    }

    /// Whether the host knew the address by it when the session began.
    fn explains(&self, session: &Session) -> bool {
        match self.how {
            How::Called { port } | How::Presented { port } => self.is_of(session, port),
            How::Resolved { until } => self.at <= session.start && session.start <= until,
        }
    }

    /// How it knew it then.
    fn naming(&self, session: &Session) -> Naming {
        let name = self.name.clone();
        match self.how {
            How::Called { .. } => Naming::Called { name },
            How::Presented { .. } => Naming::Presented { certificate: name },
            How::Resolved { .. } => {
                Naming::Resolved { name, after_s: session.start.since(self.at) / SECOND_US }
            }
        }
    }
}

impl Asked {
    fn of(standing: (Validity, Timestamp, Reason)) -> Self {
        Self {
            names: BTreeSet::new(),
            heard: BTreeMap::new(),
            first: None,
            last: None,
            standing,
            answers: BTreeSet::new(),
            marking: Marking::default(),
            flows: 0,
        }
    }

    /// How often the host asked.
    pub(crate) fn questions(&self) -> u64 {
        self.heard.values().map(Heard::asked).sum()
    }

    fn add(&mut self, resolution: &Resolution) {
        let Resolution { time, name, answer, response, source, source_row, .. } = resolution;
        let time = *time;
        if !self.names.contains(name) {
            self.names.insert(name.clone());
        }
        let heard = self.heard.entry(source.clone()).or_default();
        let is_question = response.is_none() && *answer == Answer::None;
        let messages = if is_question { &mut heard.questions } else { &mut heard.answers };
        messages.insert((time, *source_row));
        if CLOCK_PLAUSIBLE.contains(time) {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = self.last.max(Some(time));
        }
        if let Answer::Address(address) = answer {
            self.answers.insert(*address);
        }
    }
}
