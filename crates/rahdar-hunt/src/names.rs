//! By which names hosts knew claimed addresses: what was resolved, what servers were called, and which certificates they
//! presented.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use rahdar_intel::alias::CHAIN_MAX;
use rahdar_intel::answers::Answers;
use rahdar_intel::certificates::Presented;
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

/// What was said of names that claims are about, and of names that everybody asks for.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// By the host that knew the name, and the address that it stood for.
    mentions: HashMap<(Address, Address), Vec<Mention>>,
    /// The same of names that everybody asks for, where the two met.
    of_everybody: HashMap<(Address, Address), Vec<Mention>>,
    /// The same of other names that no claim is about.
    of_others: HashMap<(Address, Address), Vec<Mention>>,
    /// By the host that asked, and whose the claims are that may have held then.
    pub(crate) asked: BTreeMap<(Address, Affiliation), Asked>,
    /// The same where none of its claims held.
    pub(crate) lapsed: BTreeMap<(Address, Affiliation), Asked>,
}

/// A host knew an address by a name.
#[derive(Debug)]
struct Mention {
    /// Whose claims are about the name; nobody's of a name that everybody asks for.
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
    pub(crate) questions: u64,
    /// The first and the last time, as far as a clock tells them.
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    /// How the claim nearest to any question stood to it.
    pub(crate) standing: (Validity, Reason),
    answers: BTreeSet<Address>,
    /// The marking of the claims on these names.
    pub(crate) marking: Marking,
    /// Flows with answers that no claim is about.
    pub(crate) flows: u64,
}

/// Names that claimed names lead to by one more step, and that are asked for; chosen here: a claimed
/// name has a handful.
const TARGETS_MAX: usize = 10_000;

/// The book with the claims that follow from where its names pointed, which servers were called by them, and where its
/// certificates were presented, in our own networks (`methods.md` §7.5), as far as the window shows; itself if none do.
/// Whoever calls a host of `own` may call it what they like.
pub(crate) fn with_derived<'a>(
    store: &dyn FlowStore,
    book: &'a Snapshot,
    own: &[Prefix],
    window: Window,
) -> Result<Cow<'a, Snapshot>, StoreError> {
    let resolved = with_resolved(store, book, own, window)?;
    let hashes = book.certificates();
    if hashes.is_empty() {
        return Ok(resolved);
    }
    let mut presented = Presented::default();
    let asked = HandshakesAsked { certificates: &hashes, ..HandshakesAsked::default() };
    store.handshakes(&asked, window, &mut |handshake| presented.add(&handshake))?;
    if presented.is_empty() {
        return Ok(resolved);
    }
    Ok(Cow::Owned(resolved.into_owned().with_presented(&presented)))
}

fn with_resolved<'a>(
    store: &dyn FlowStore,
    book: &'a Snapshot,
    own: &[Prefix],
    window: Window,
) -> Result<Cow<'a, Snapshot>, StoreError> {
    let mut answers = Answers::default();
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let mut names: BTreeSet<String> = book
        .domains()
        .into_iter()
        .chain(book.aliases().targets().map(Cow::Borrowed))
        .map(Cow::into_owned)
        .collect();
    // Once for the claimed names, then for those that they led to.
    for _ in 0..=CHAIN_MAX {
        if names.is_empty() {
            break;
        }
        let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
        store.resolutions(&wanted, &[], window, &mut |resolution| answers.add(&resolution))?;
        let calls = HandshakesAsked { names: &wanted, ..HandshakesAsked::default() };
        store.handshakes(&calls, window, &mut |handshake| {
            if goes_out(&handshake, own) {
                answers.call(&handshake);
            }
        })?;
        asked.append(&mut names);
        let new = answers.targets().into_iter().filter(|target| !asked.contains(*target));
        names = new.take(TARGETS_MAX).map(str::to_owned).collect();
    }
    let networks: Vec<Prefix> = answers.addresses().map(Prefix::host).collect();
    if networks.is_empty() {
        return Ok(Cow::Borrowed(book));
    }
    // Other names at these addresses end the windows. Those that were claimed come once more.
    let mut all = Answers::default();
    store.resolutions(&[], &networks, window, &mut |resolution| all.add(&resolution))?;
    let records = [all.records(), answers.calls()].concat();
    Ok(Cow::Owned(book.clone().with_aliases(&answers.aliases()).with_resolutions(&records)))
}

/// Whether a host of our networks called another; where nobody says which these are, a private one a public one.
fn goes_out(handshake: &Handshake, own: &[Prefix]) -> bool {
    let is_private = |address: Address| match address.to_ip() {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    };
    let is_own = |address| own.iter().any(|network| network.contains(address));
    match own {
        [] => is_private(handshake.client) && !is_private(handshake.server),
        _ => !is_own(handshake.server),
    }
}

/// Mentions of one address to one host by names that no claim is about; chosen here: more explain nothing new.
const OF_OTHERS_MAX: usize = 256;

/// Gathers what the window says of claimed names, and by what other names hosts knew the claimed
/// addresses that they `met`.
pub(crate) fn names(
    store: &dyn FlowStore,
    book: &Snapshot,
    met: &HashSet<(Address, Address)>,
    window: Window,
) -> Result<Names, StoreError> {
    let domains = book.domains();
    let domains: Vec<&str> = domains.iter().map(|name| &**name).collect();
    let remotes: BTreeSet<Prefix> = met.iter().map(|(_, remote)| Prefix::host(*remote)).collect();
    let remotes: Vec<Prefix> = remotes.into_iter().collect();
    let mut names = Names::default();
    if domains.is_empty() && remotes.is_empty() {
        return Ok(names);
    }
    let mut gathering = Gathering { book, met, names: &mut names, lists: HashMap::new() };
    store.resolutions(&domains, &remotes, window, &mut |resolution| gathering.resolved(resolution))?;
    let asked = HandshakesAsked { names: &domains, networks: &remotes, certificates: &[] };
    store.handshakes(&asked, window, &mut |handshake| gathering.called(handshake))?;
    names.count_flows(store, book, window)?;
    Ok(names)
}

/// Names in the making.
struct Gathering<'a> {
    book: &'a Snapshot,
    met: &'a HashSet<(Address, Address)>,
    names: &'a mut Names,
    /// Whether everybody asks for a name: many rows are about few names.
    lists: HashMap<String, bool>,
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
        let Resolution { time, client, name, answer, ttl_s, .. } = resolution;
        let standings = standings(self.book.claims_naming(&name), time);
        let whose = open(&standings);
        for (affiliation, (validity, claim)) in standings {
            let Names { asked, lapsed, .. } = &mut *self.names;
            let asked = if validity.is_open() { asked } else { lapsed };
            let marking = affiliation.marking_of(self.book, &name);
            let asked = asked.entry((client, affiliation));
            let asked = asked.or_insert_with(|| Asked::of((validity, validity.row(claim, time).reason)));
            if validity < asked.standing.0 {
                asked.standing = (validity, validity.row(claim, time).reason);
            }
            asked.marking.and(&marking);
            asked.add(&name, time, &answer);
        }
        if let Answer::Address(address) = answer {
            let kept_s = i64::from(ttl_s.unwrap_or(0)) + LATE_S;
            let how = How::Resolved { until: time.plus_micros(kept_s * SECOND_US) };
            self.mention((client, address), Mention { whose, name, at: time, how });
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
        if !mention.whose.is_empty() {
            return self.names.mentions.entry(between).or_default().push(mention);
        }
        if !self.met.contains(&between) {
            return;
        }
        let (book, at) = (self.book, mention.at);
        let is_of_everybody = match self.lists.get(&mention.name) {
            Some(known) => *known,
            None => {
                let known = book.list_of_everybody(&mention.name, at).is_some();
                self.lists.insert(mention.name.clone(), known);
                known
            }
        };
        let is_claimed = || self.book.claims_naming(&mention.name).into_iter().next().is_some();
        if mention.name.is_empty() || (!is_of_everybody && is_claimed()) {
            return;
        }
        let Names { of_everybody, of_others, .. } = &mut *self.names;
        let known = if is_of_everybody { of_everybody } else { of_others }.entry(between).or_default();
        known.extend((known.len() < OF_OTHERS_MAX).then_some(mention));
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
        own.filter_map(|mention| sessions.clone().filter_map(|session| mention.explains(session)).min()).min()
    }

    /// The other name by which the victim knew the address when most of these sessions began, if it knew it by none that
    /// is claimed.
    pub(crate) fn other_name<'s>(
        &self,
        victim: Address,
        remote: Address,
        sessions: impl Iterator<Item = &'s Session> + Clone,
    ) -> Option<OtherName<'_>> {
        let pair = (victim, remote);
        if self.mentions.contains_key(&pair) {
            return None;
        }
        let of_everybody = most_used(self.of_everybody.get(&pair), sessions.clone());
        let of_everybody = of_everybody.map(OtherName::OfEverybody);
        of_everybody.or_else(|| most_used(self.of_others.get(&pair), sessions).map(OtherName::Unclaimed))
    }
}

/// The first of the names that explain most of the sessions together.
fn most_used<'n, 's>(
    mentions: Option<&'n Vec<Mention>>,
    sessions: impl Iterator<Item = &'s Session>,
) -> Option<&'n str> {
    let mentions = mentions?;
    let name_at = |session: &Session| {
        let explaining = mentions.iter().filter(|mention| mention.explains(session).is_some());
        explaining.map(|mention| mention.name.as_str()).min()
    };
    let named: Vec<Option<&str>> = sessions.map(name_at).collect();
    let explained = named.iter().flatten().count();
    if 2 * explained > named.len() { named.into_iter().flatten().min() } else { None }
}

impl Mention {
    /// Whether a handshake at this port of the server was part of the session. Port 0: its log tells no port.
    fn is_of(&self, session: &Session, port: u16) -> bool {
        // Handshakes are logged by another clock's second than flows.
        let begun = session.start.plus_micros(-SECOND_US);
        [0, session.remote_port].contains(&port) && begun <= self.at && self.at <= session.end
    }

    fn explains(&self, session: &Session) -> Option<Naming> {
        let name = self.name.clone();
        match self.how {
            How::Called { port } => self.is_of(session, port).then_some(Naming::Called { name }),
            How::Presented { port } => {
                self.is_of(session, port).then_some(Naming::Presented { certificate: name })
            }
            How::Resolved { until } => {
                let after_s = session.start.since(self.at) / SECOND_US;
                let is_used = self.at <= session.start && session.start <= until;
                is_used.then_some(Naming::Resolved { name, after_s })
            }
        }
    }
}

impl Asked {
    fn of(standing: (Validity, Reason)) -> Self {
        Self {
            names: BTreeSet::new(),
            questions: 0,
            first: None,
            last: None,
            standing,
            answers: BTreeSet::new(),
            marking: Marking::default(),
            flows: 0,
        }
    }

    fn add(&mut self, name: &str, time: Timestamp, answer: &Answer) {
        if !self.names.contains(name) {
            self.names.insert(name.to_owned());
        }
        self.questions += 1;
        if CLOCK_PLAUSIBLE.contains(time) {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = self.last.max(Some(time));
        }
        if let Answer::Address(address) = answer {
            self.answers.insert(*address);
        }
    }
}
