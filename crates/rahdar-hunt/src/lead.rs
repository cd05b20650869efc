//! One victim, one address, one cluster: the unit that evidence is weighed for
//! (`methods.md` §2.1).
//!
//! A lead is judged by its *body*: the sessions in the best standing towards the claims of the
//! cluster. If any lie inside a window they are the body, and later sessions with whoever holds
//! the address by then neither help nor harm; else those nearby; else those far off. Sessions
//! with an address while defenders or a content network held it stand behind all others.
//!
//! Claims without a cluster follow the source that has the most matched addresses on the victim,
//! so that five lists of one address are one lead; and they take only sessions that no cluster's
//! claim covers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rahdar_intel::index::Snapshot;
use rahdar_model::finding::{Reason, Verdict};
use rahdar_model::intelligence::{Claim, Cluster, ClusterId, HostClass, Indicator, WindowBasis};
use rahdar_model::marking::Marking;
use rahdar_model::time::DAY_US;
use rahdar_model::{Address, Day, Timestamp, Window};

use crate::calibrate::Calibration;
use crate::evidence::asymmetry::{self, Flow};
use crate::evidence::establishment::{self, Establishment, Exchange};
use crate::evidence::host::Host;
use crate::evidence::naming;
use crate::evidence::port::{self, Port, WEB_SHELL_OCTETS};
use crate::evidence::rhythm::Rhythm;
use crate::evidence::validity::Validity;
use crate::evidence::{self, Group, Row, corroboration, persistence, prober, scanning};
use crate::exporters::estimate;
use crate::grade::{Gates, Grade, caps, grade, requirement};
use crate::pair::{Company, Pair, Surroundings};
use crate::regular::{self, Question};
use crate::stitch::Session;
use crate::sweep::Party;

/// The quality of a claim never counts for less: a source that doubts itself still says something.
const LEAST_QUALITY: f64 = 0.1;
/// A sighting as near as this to a session is fresh: the days that count as near a window.
const FRESH_US: i64 = 30 * DAY_US;
/// The quality of a claim whose window nobody stated (`methods.md` §7.4).
const UNSTATED_QUALITY: f64 = 0.5;

/// Sessions that make contact recur, if they fall on one day.
const RECURRING_SESSIONS: u64 = 3;
/// Days that make contact recur.
const RECURRING_DAYS: usize = 2;

/// Whose a lead is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Affiliation {
    /// A claim's cluster.
    Cluster(ClusterId),
    /// Nobody's: the claims of this source name no cluster.
    Source(Arc<str>),
}

impl Affiliation {
    /// Whose a claim is.
    pub(crate) fn of(claim: &Claim) -> Self {
        match &claim.cluster {
            Some(id) => Self::Cluster(id.clone()),
            None => Self::Source(claim.source.clone()),
        }
    }

    /// The marking of its claims on a name.
    pub(crate) fn marking_of(&self, book: &Snapshot, name: &str) -> Marking {
        let claims = book.claims_naming(name).into_iter();
        Marking::of(claims.filter(|claim| Self::of(claim) == *self))
    }

    /// The cluster as the book knows it, or made up of what is known.
    pub(crate) fn cluster(&self, book: &Snapshot) -> Cluster {
        let name = match self {
            Self::Cluster(id) => match book.cluster(id) {
                Some(known) => return known.clone(),
                None => id.to_string(),
            },
            Self::Source(source) => source.to_string(),
        };
        Cluster { id: self.id(), name, named: false, tools: Vec::new() }
    }

    /// The cluster's id; of a source, a derived one.
    pub(crate) fn id(&self) -> ClusterId {
        match self {
            Self::Cluster(id) => id.clone(),
            Self::Source(source) => {
                let slug = format!("unattributed-{}", ClusterId::of_name(source));
                ClusterId(slug.trim_end_matches('-').into())
            }
        }
    }
}

/// A graded lead.
pub(crate) struct Lead<'a> {
    /// Which pair.
    pub(crate) pair: usize,
    pub(crate) affiliation: Affiliation,
    /// All sessions that the claims are about.
    pub(crate) sessions: Vec<usize>,
    /// Those of the body that the victim took part in.
    pub(crate) contact: Vec<usize>,
    /// Those beside the body that exchanged something.
    pub(crate) beside: Vec<Beside>,
    /// The best claim.
    pub(crate) claim: &'a Claim,
    /// Heaviest first; then caps, the prior last. Of a discounted lead the rival first.
    pub(crate) reasons: Vec<Reason>,
    pub(crate) log_odds: f64,
    pub(crate) grade: Grade,
    /// How regular its contact is.
    pub(crate) rhythm: Rhythm,
    /// The state of every group that has one, by its default weight, and the prior: what a
    /// calibration learns from.
    pub(crate) states: Vec<(Group, f64)>,
    pub(crate) prior: f64,
    /// How far it may travel: the marking of its claims, and of those on the name by which it is known.
    pub(crate) marking: Marking,
}

/// A session that exchanged something and does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// It lies outside the windows.
    Outside(usize),
    /// The victim knew the address by another name than the claimed one.
    Otherwise(usize),
    /// Defenders or a content network held the address.
    Held(usize),
}

/// All leads, graded, in the order of pairs.
pub(crate) fn leads<'a>(
    pairs: &[Pair<'a>],
    surroundings: &Surroundings<'a>,
    company: &Company,
    calibration: Option<&Calibration>,
) -> Vec<Lead<'a>> {
    let mut weighed: Vec<Weighed<'a>> = Vec::new();
    let mut begin = 0;
    for own in pairs.chunk_by(|a, b| a.victim == b.victim) {
        let drafts = drafts(begin, own, surroundings.book);
        weighed.extend(drafts.into_iter().map(|draft| draft.weigh(pairs, surroundings, company)));
        begin += own.len();
    }
    let questions: Vec<Question<'_>> = weighed.iter().map(|one| one.question(pairs)).collect();
    let rhythms = regular::rhythms(&questions, &[]);
    let mut sums: BTreeMap<(Address, Affiliation), Sum> = BTreeMap::new();
    let key = |one: &Weighed<'_>| (pairs[one.draft.pair].victim, one.draft.affiliation.clone());
    for one in &weighed {
        sums.entry(key(one)).or_default().add(one);
    }
    let settled: Vec<Settled<'a>> = weighed
        .into_iter()
        .zip(rhythms)
        .map(|(one, rhythm)| {
            let sum = &sums[&key(&one)];
            one.settle(sum, rhythm, calibration)
        })
        .collect();
    let fall = calibration.map_or(0.0, |known| known.fall(settled.iter().map(|one| one.log_odds)));
    settled.into_iter().map(|one| one.grade(fall)).collect()
}

/// The claims on one address, by whose they are.
struct Claims<'a> {
    clusters: BTreeMap<ClusterId, Vec<&'a Claim>>,
    sources: BTreeMap<Arc<str>, Vec<&'a Claim>>,
}

impl<'a> Claims<'a> {
    fn on(book: &'a Snapshot, address: Address) -> Self {
        let mut claims = Self { clusters: BTreeMap::new(), sources: BTreeMap::new() };
        for claim in book.claims_on(address) {
            match &claim.cluster {
                Some(id) => claims.clusters.entry(id.clone()).or_default().push(claim),
                None => claims.sources.entry(claim.source.clone()).or_default().push(claim),
            }
        }
        claims
    }
}

/// A lead before anything is weighed.
struct Draft<'a> {
    pair: usize,
    affiliation: Affiliation,
    claims: Vec<&'a Claim>,
    sessions: Vec<usize>,
}

/// The leads of one victim, whose pairs are numbered from `begin`.
fn drafts<'a>(begin: usize, pairs: &[Pair<'a>], book: &'a Snapshot) -> Vec<Draft<'a>> {
    let claims: Vec<Claims<'a>> = pairs.iter().map(|pair| Claims::on(book, pair.remote)).collect();
    let mut addresses: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    for source in claims.iter().flat_map(|claims| claims.sources.keys()) {
        *addresses.entry(source).or_default() += 1;
    }
    let mut drafts = Vec::new();
    for (pair, (own, on)) in (begin..).zip(pairs.iter().zip(&claims)) {
        for (id, claims) in &on.clusters {
            drafts.push(Draft {
                pair,
                affiliation: Affiliation::Cluster(id.clone()),
                claims: claims.clone(),
                sessions: (0..own.sessions.len()).collect(),
            });
        }
        // Of the sources with the most addresses, the first by name: `max_by_key` takes the last.
        let source = on.sources.keys().rev().max_by_key(|source| addresses[source]);
        drafts.extend(source.and_then(|source| unattributed(pair, own, on, source)));
    }
    drafts
}

/// The lead of claims without a cluster: sessions that no cluster's claim covers.
fn unattributed<'a>(pair: usize, own: &Pair<'a>, on: &Claims<'a>, source: &Arc<str>) -> Option<Draft<'a>> {
    let affiliation = Affiliation::Source(source.clone());
    let first = on.sources[source].iter();
    let others = on.sources.iter().filter(|(name, _)| *name != source).flat_map(|(_, claims)| claims);
    let claims: Vec<&Claim> = first.chain(others).copied().collect();
    let is_open = |s: usize, claim: &Claim| {
        let session = &own.sessions[s];
        Validity::of(claim, session.start, session.end, session.clock_suspect).is_open()
    };
    let is_covered = |s: usize| on.clusters.values().flatten().any(|claim| is_open(s, claim));
    let sessions: Vec<usize> = (0..own.sessions.len()).filter(|s| !is_covered(*s)).collect();
    let is_lead =
        on.clusters.is_empty() || sessions.iter().any(|s| claims.iter().any(|claim| is_open(*s, claim)));
    is_lead.then_some(Draft { pair, affiliation, claims, sessions })
}

/// A session's standing towards the claims of a lead.
struct Standing<'a> {
    session: usize,
    validity: Validity,
    claim: &'a Claim,
    facts: BTreeSet<HostClass>,
    /// Whether the claim follows from a name, by which the victim knew the address, and it was another one by which it
    /// knew it in this session.
    is_otherwise: bool,
}

impl Standing<'_> {
    fn is_held(&self) -> bool {
        Host::of(self.facts.iter().copied()).is_kill(false)
    }

    /// What it is if it does not count.
    fn beside(&self) -> Beside {
        match self {
            _ if self.is_held() => Beside::Held(self.session),
            _ if self.is_otherwise => Beside::Otherwise(self.session),
            _ => Beside::Outside(self.session),
        }
    }

    /// Equal for the sessions that are judged together; the smallest are the body.
    fn rank(&self) -> u8 {
        match self.validity {
            _ if self.is_held() => 5,
            _ if self.is_otherwise => 4,
            Validity::Stated | Validity::Derived | Validity::Unclocked => 0,
            Validity::Near { .. } => 1,
            Validity::Far { .. } | Validity::Reassigned { .. } => 2,
            Validity::Expired { .. } | Validity::Never => 3,
        }
    }
}

impl<'a> Draft<'a> {
    fn weigh(self, pairs: &[Pair<'a>], surroundings: &Surroundings<'a>, company: &Company) -> Weighed<'a> {
        let pair = &pairs[self.pair];
        let standings: Vec<Standing<'a>> =
            self.sessions.iter().map(|s| self.standing(pair, *s, surroundings)).collect();
        let rank = standings.iter().map(Standing::rank).min().unwrap_or(u8::MAX);
        let (body, beside): (Vec<_>, Vec<_>) = standings.into_iter().partition(|s| s.rank() == rank);
        let shown = |standing: &&Standing<'_>| pair.exchanges[standing.session];
        let contact: Vec<usize> = body.iter().filter(|s| shown(s).is_contact()).map(|s| s.session).collect();
        let beside: Vec<Beside> =
            beside.iter().filter(|s| shown(s).is_established()).map(Standing::beside).collect();

        let of = |sessions: &[usize]| sessions.iter().map(|s| &pair.sessions[*s]).collect::<Vec<_>>();
        let all: Vec<usize> = body.iter().map(|standing| standing.session).collect();
        let victim_scans = surroundings.is_victim_scanning(pair.victim, of(&all));
        let establishment = establishment::of_sessions(of(&all), pair.sees_one_way, victim_scans);
        let best = best_standing(&body, pair);
        let (validity, claim) =
            best.map_or((Validity::Never, self.claims[0]), |best| (best.validity, best.claim));
        let book = surroundings.book;
        let quality = best.map_or(LEAST_QUALITY, |best| quality(best, pair, book));
        let is_sighted = best.is_some_and(|best| is_sighted(best, pair, book));
        let host = Host::of(body.iter().flat_map(|standing| standing.facts.iter().copied()));
        let peers = company.peers[&pair.remote];

        let out = direction(pair, &contact, Party::Victim);
        let back = direction(pair, &contact, Party::Remote);
        let is_web_shell = host.is_dedicated() && out.low >= WEB_SHELL_OCTETS;
        let port = port::of_sessions(of(&spoken(pair, &all)), &self.claims, is_web_shell);
        let is_nothing = establishment.exchange.weight() <= 0.0;
        let is_knock = scanning::is_knock(is_nothing, matches!(port, Port::Inbound(_)), out.low);
        let remote_scans = surroundings.scanners.contains_key(&pair.remote)
            || body.iter().any(|standing| standing.facts.contains(&HostClass::Scanner));
        let days: BTreeSet<_> = contact.iter().flat_map(|s| &pair.sessions[*s].days).collect();
        let is_probing = all.iter().any(|s| company.is_probing(pair.victim, &pair.sessions[*s]));

        let seen_until = best.map_or(Timestamp::MAX, |best| pair.sessions[best.session].end);
        let outside = validity.row(claim, seen_until);
        let outside_kind = outside.reason.kind;
        let mut rows = vec![establishment.row(), port.row(), outside];
        rows.extend(host.row());
        rows.extend(persistence::row(days.len()));
        // Of contact that said nothing, sizes say nothing.
        rows.extend(asymmetry::row(out, back).filter(|_| establishment.exchange.carries()));
        rows.extend(peers.row());
        rows.extend(scanning::row(victim_scans, remote_scans, is_knock));
        let begun = contact.iter().map(|s| &pair.sessions[*s]);
        let naming = surroundings.names.naming(pair.victim, pair.remote, &self.affiliation, begun);
        rows.extend(naming.as_ref().map(naming::row));
        let mut marking = Marking::of(self.claims.iter().copied());
        if let Some(naming) = &naming {
            marking.and(&self.affiliation.marking_of(book, naming.subject()));
        }
        let begun = contact.iter().copied().filter(|s| pair.sessions[*s].begins());
        let other_name = surroundings.names.other_name(pair.victim, pair.remote, begun);
        rows.extend(other_name.and_then(|other| other.row(claim.basis)));
        rows.extend(is_probing.then(prober::row));
        let is_called = naming.is_some_and(|naming| naming.is_of_handshake());
        let kill = [
            (!pair.is_monitored).then_some("foreign"),
            host.is_kill(is_called).then(|| host.row()).flatten().map(|row| row.reason.kind),
            (peers.is_kill() && !is_called).then_some("prevalence"),
            validity.is_kill().then_some(outside_kind),
        ];
        Weighed {
            kill: kill.into_iter().flatten().next(),
            quality,
            is_sighted,
            draft: self,
            contact,
            beside,
            establishment,
            validity,
            claim,
            rows,
            marking,
        }
    }

    fn standing(&self, pair: &Pair<'_>, session: usize, surroundings: &Surroundings<'_>) -> Standing<'a> {
        let book = surroundings.book;
        let Session { start, end, clock_suspect, .. } = pair.sessions[session];
        let of = |claim: &Claim| Validity::of(claim, start, end, clock_suspect);
        // The first of equals: the narrowest network.
        let best = self.claims.iter().min_by_key(|claim| of(claim));
        let claim = best.expect("a draft is made of one claim at least");
        let validity = match book.later_tenant(pair.remote, claim.validity.until, start) {
            Some(_) => of(claim).reassigned(),
            None => of(claim),
        };
        let known = book.facts_ever_on(pair.remote);
        let known = known.filter(|fact| clock_suspect || fact.validity.contains(start));
        let facts = known.map(|fact| fact.class).collect();
        let placed = (session, &pair.sessions[session]);
        let is_otherwise = claim.basis == WindowBasis::Resolved
            && surroundings.names.is_otherwise(pair.victim, pair.remote, &self.affiliation, placed);
        Standing { session, validity, claim, facts, is_otherwise }
    }
}

/// The best standing in the body; of equals one whose claim names the port used.
fn best_standing<'s, 'a>(body: &'s [Standing<'a>], pair: &Pair<'_>) -> Option<&'s Standing<'a>> {
    body.iter().min_by_key(|standing| {
        let used = pair.sessions[standing.session].remote_port;
        (standing.validity, standing.claim.port != Some(used))
    })
}

/// How good a claim was when the flow was seen, of 1 (`methods.md` §2.1, q).
fn quality(best: &Standing<'_>, pair: &Pair<'_>, book: &Snapshot) -> f64 {
    let stated = match best.claim.basis {
        WindowBasis::Stated | WindowBasis::Heading | WindowBasis::Operator => 1.0,
        WindowBasis::Published | WindowBasis::Resolved | WindowBasis::Presented | WindowBasis::Undated => {
            UNSTATED_QUALITY
        }
    };
    let session = &pair.sessions[best.session];
    // A clock that lies tells no distance from a window.
    let Window { from, until } = best.claim.validity;
    let (start, end) = if session.clock_suspect { (from, until) } else { (session.start, session.end) };
    stated * book.quality(best.claim, start, end).clamp(LEAST_QUALITY, 1.0)
}

/// Whether somebody saw the indicator at work near the session: then its claim is fresh.
fn is_sighted(best: &Standing<'_>, pair: &Pair<'_>, book: &Snapshot) -> bool {
    let session = &pair.sessions[best.session];
    let (from, until) = (session.start.plus_micros(-FRESH_US), session.end.plus_micros(FRESH_US));
    !session.clock_suspect && book.is_sighted(&best.claim.indicator, from, until)
}

/// Of these sessions, those that show an exchange; if none does, those that the victim took part
/// in; else all.
fn spoken(pair: &Pair<'_>, sessions: &[usize]) -> Vec<usize> {
    let only = |keep: &dyn Fn(Exchange) -> bool| -> Vec<usize> {
        sessions.iter().copied().filter(|s| keep(pair.exchanges[*s])).collect()
    };
    let levels = [
        only(&|exchange| exchange.weight() >= 0.0 && exchange.is_contact()),
        only(&|exchange| exchange.is_contact()),
        sessions.to_vec(),
    ];
    levels.into_iter().find(|level| !level.is_empty()).unwrap_or_default()
}

/// What went one way in these sessions.
fn direction(pair: &Pair<'_>, sessions: &[usize], party: Party) -> Flow {
    let parts = || sessions.iter().flat_map(|s| pair.parts(*s));
    let estimate = estimate(parts(), party, false);
    let packets = parts().map(|part| part.packets(party)).sum();
    Flow { octets: estimate.point, low: estimate.low, packets }
}

/// A lead with its evidence, before the rest of its cluster is known.
struct Weighed<'a> {
    draft: Draft<'a>,
    contact: Vec<usize>,
    beside: Vec<Beside>,
    establishment: Establishment,
    validity: Validity,
    claim: &'a Claim,
    quality: f64,
    is_sighted: bool,
    /// The kind of the reason that no other evidence can outweigh.
    kill: Option<&'static str>,
    rows: Vec<Row>,
    marking: Marking,
}

/// What the leads of one cluster on one victim amount to together.
#[derive(Debug, Default)]
struct Sum<'a> {
    /// What claims that held are about, with which something was exchanged.
    indicators: BTreeSet<&'a Indicator>,
    /// Sessions, those of one connection once, and their days, while a claim may have held.
    sessions: u64,
    days: BTreeSet<Day>,
}

impl<'a> Sum<'a> {
    fn add(&mut self, one: &Weighed<'a>) {
        if one.kill.is_some() || !one.establishment.exchange.is_established() {
            return;
        }
        // Addresses that one claimed name or certificate led to are no more than that. What has nothing in common
        // but who lists it does not bear witness to each other.
        let is_own =
            !one.claim.basis.is_derived() && matches!(one.draft.affiliation, Affiliation::Cluster(_));
        if one.validity.holds() && is_own {
            self.indicators.insert(&one.claim.indicator);
        }
        if one.validity.is_open() {
            self.sessions += one.establishment.sessions;
            self.days.extend(&one.establishment.days);
        }
    }

    fn recurs(&self) -> bool {
        self.sessions >= RECURRING_SESSIONS || self.days.len() >= RECURRING_DAYS
    }
}

impl<'a> Weighed<'a> {
    /// What is asked of its rhythm: nothing where a kill rule has spoken.
    fn question(&self, pairs: &[Pair<'a>]) -> Question<'a> {
        let pair = &pairs[self.draft.pair];
        let called = |s: &&usize| {
            let session = &pair.sessions[**s];
            session.begins() && session.opener != Some(Party::Remote)
        };
        let sessions: Vec<usize> = match self.kill {
            Some(_) => Vec::new(),
            None => self.contact.iter().filter(called).copied().collect(),
        };
        pair.question(sessions)
    }

    /// Adds up the evidence, and sets the odds right.
    fn settle(mut self, sum: &Sum<'_>, rhythm: Rhythm, calibration: Option<&Calibration>) -> Settled<'a> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.extend(rhythm.row());
        rows.extend(corroboration::row(sum.indicators.len()));
        let states = rows.iter().map(|row| (row.group, row.reason.weight)).collect();
        if let Some(calibration) = calibration {
            calibration.weigh(&mut rows);
        }
        let prior = evidence::PRIOR * self.quality;
        let evidence::Sum { mut reasons, mut log_odds } = evidence::sum(prior, rows);
        if let Some(calibration) = calibration {
            let settled = calibration.settle(log_odds);
            let text =
                "labelled traffic of this network shows how far such evidence can be trusted".to_owned();
            reasons.push(Reason { kind: "calibration", weight: settled - log_odds, text });
            log_odds = settled;
        }
        let gates = Gates {
            exchange: self.establishment.exchange,
            validity: self.validity,
            recurs: sum.recurs(),
            is_fresh: self.is_sighted || !sum.indicators.is_empty(),
            proven: calibration.and_then(|calibration| calibration.proof.most()),
            is_killed: self.kill.is_some(),
        };
        Settled { one: self, rhythm, states, prior: evidence::decibans(prior), reasons, log_odds, gates }
    }
}

/// A lead whose odds are known, but for what the other leads of the hunt say of them.
struct Settled<'a> {
    /// Without its rows.
    one: Weighed<'a>,
    rhythm: Rhythm,
    states: Vec<(Group, f64)>,
    prior: f64,
    reasons: Vec<Reason>,
    log_odds: f64,
    gates: Gates,
}

impl<'a> Settled<'a> {
    /// `fall` in decibans, 0 or less.
    fn grade(self, fall: f64) -> Lead<'a> {
        let Self { one, rhythm, states, prior, mut reasons, mut log_odds, gates } = self;
        if fall < 0.0 {
            log_odds += fall;
            let text =
                "of what this hunt matched, less looks like command traffic than of the labelled traffic";
            reasons.push(Reason { kind: "base_rate", weight: fall, text: text.to_owned() });
        }
        let grade = grade(log_odds, &gates);
        reasons.extend(requirement(log_odds, grade, &gates));
        reasons.extend(caps(log_odds, &gates));
        reasons.sort_by(|a, b| {
            let last = |reason: &Reason| match reason.kind {
                "prior" => 2,
                "cap" => 1,
                _ => 0,
            };
            let heavier = b.weight.abs().total_cmp(&a.weight.abs());
            last(a).cmp(&last(b)).then(heavier)
        });
        if grade.verdict == Verdict::Discounted {
            name_rival(&mut reasons, one.kill);
        }
        Lead {
            pair: one.draft.pair,
            affiliation: one.draft.affiliation,
            sessions: one.draft.sessions,
            contact: one.contact,
            beside: one.beside,
            claim: one.claim,
            reasons,
            log_odds,
            grade,
            rhythm,
            states,
            prior,
            marking: one.marking,
        }
    }
}

/// Puts the reason of the kill rule first, else the heaviest against it.
fn name_rival(reasons: &mut Vec<Reason>, kill: Option<&'static str>) {
    let is_rival = |reason: &Reason| match kill {
        Some(kind) => reason.kind == kind,
        None => reason.weight < 0.0 && !matches!(reason.kind, "calibration" | "base_rate" | "cap" | "prior"),
    };
    let rival = match reasons.iter().position(is_rival) {
        Some(at) => reasons.remove(at),
        None if kill == Some("foreign") => Reason {
            kind: "foreign",
            weight: 0.0,
            text: "the host is in none of the monitored networks".to_owned(),
        },
        None => Reason { kind: "weak", weight: 0.0, text: "too little speaks for it".to_owned() },
    };
    reasons.insert(0, rival);
}
