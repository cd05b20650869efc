//! All judgement: flows and dated intelligence in, findings with reasons and bounds out.
//!
//! The doors: [`hunt`], from claims to findings; [`beacons::beacons`] and [`unusual::uploads`], which need no
//! claim; [`scanner`], who scans; [`mod@profile`], whose network a victim is in; [`examples`] and [`calibrate`],
//! weights learned from labelled traffic. Behind them, in the order of the work:
//!
//! * [`sweep`]: sightings become contacts of a victim with a claimed address; [`arrival`]: when they were,
//!   where no clock of theirs says so; [`repeats`]: what several inputs hold counts once; [`mod@mend`]: clocks
//!   and counters of exporters are put right;
//! * [`timeouts`]: when exporters end their records; [`mod@stitch`] and [`initiator`]: contacts become
//!   sessions, and who opened them;
//! * [`sampling`], [`exporters`], [`echo`] and [`completeness`]: what recorded octets say of all octets, of one total
//!   that several exporters saw, also by clocks that are apart, and of what was lost on the way;
//! * [`vantage`] and [`scanner`]: what the exporters could see, and who scans;
//! * [`evidence`]: what speaks for and against, group by group, and [`grade`]: what it amounts to;
//! * [`rhythm`], [`surge`], [`discovery`]: how regular, whether more since, and how many tests of
//!   many may be believed; [`beacons`]: who calls home regularly, without any claim; [`unusual`]: who
//!   uploads more than usual to networks it never dealt with, without any claim;
//! * [`calibrate`]: what labelled traffic teaches of those weights;
//! * [`exfil`], [`upload`], [`seen`], [`chronology`]: how much, of what pattern, since when, before
//!   or after what; [`watch`], [`holes`] and [`sight`]: when exporters recorded, when they did not though they
//!   should have, and what left no record;
//! * [`rival`], [`attribution`], [`overlap`], [`company`], [`role`]: what else may explain it, who may
//!   be behind it, who else is there, what the victim does;
//! * `marking`: how far what is told may travel; [`mod@profile`]: whose network that is, by public files, after the hunt.
//!
//! One method a file, each with its formula, its assumptions and when it is wrong. Everything is
//! a pure function over slices; flows come through [`FlowStore`], intelligence through a
//! [`Snapshot`]. The same flows and the same book give the same findings, in whatever order a
//! store answers.
//!
//! This crate knows no file, no clock, no network and no database.

pub mod arrival;
pub mod attribution;
pub mod beacons;
pub mod calibrate;
mod chance;
pub mod chronology;
pub mod company;
pub mod completeness;
pub mod discovery;
pub mod echo;
pub mod evidence;
pub mod exfil;
pub mod exporters;
mod finding;
pub mod grade;
pub mod holes;
pub mod initiator;
mod lead;
mod marking;
pub mod mend;
mod names;
pub mod overlap;
mod pair;
pub mod prevalence;
pub mod profile;
mod regular;
pub mod repeats;
pub mod rhythm;
pub mod rival;
pub mod role;
pub mod sampling;
pub mod scanner;
pub mod seen;
pub mod sight;
pub mod stitch;
pub mod surge;
pub mod sweep;
pub mod timeouts;
pub mod unusual;
pub mod upload;
pub mod vantage;
pub mod watch;

use std::collections::{BTreeMap, BTreeSet};

use rahdar_intel::index::Snapshot;
use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::finding::{Finding, Hunt, Verdict};
use rahdar_model::intelligence::{Claim, ClusterId, Event, Network};
use rahdar_model::store::StoreError;
use rahdar_model::{Address, FlowStore, Prefix, Timestamp, Window};
use thiserror::Error;

use crate::calibrate::{Calibration, Example};
use crate::completeness::Completeness;
use crate::finding::{Record, Teller, Totals};
use crate::holes::Ledger;
use crate::lead::{Affiliation, Lead};
use crate::pair::{Company, Pair, Surroundings};
use crate::stitch::{Habits, Session, stitch};
use crate::sweep::{Contact, Swept};

/// What to hunt for.
///
/// Victims and cluster narrow what is told, never how it is judged: a host that touches five
/// other clusters within the hour is a prober whatever was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Flows that started in this window.
    pub window: Window,
    /// Tell of victims in these networks only; of all, if there are none.
    pub victims: Vec<Prefix>,
    /// Tell of this cluster only.
    pub cluster: Option<ClusterId>,
    /// Weigh the evidence so; by the defaults, if there is none.
    pub calibration: Option<Calibration>,
}

/// Why a hunt did not end.
#[derive(Debug, Error)]
pub enum HuntError {
    /// The store failed. Its own error says whether trying again may help.
    #[error("the flow store did not answer")]
    Store(#[from] StoreError),
    /// The book holds nothing of the cluster that was asked for.
    #[error("the book holds no claim of cluster `{0}`: `rahdar intel list` names those it holds")]
    UnknownCluster(ClusterId),
}

/// Sweeps the window for every claim of the book and judges what was met.
///
/// With `networks`, only their addresses can be victims; others are told as discounted. Events
/// must have been registered before anybody looked: every believed finding is tested against each.
///
/// # Errors
/// See [`HuntError`].
pub fn hunt(
    store: &dyn FlowStore,
    book: &Snapshot,
    networks: &[Network],
    events: &[Event],
    request: &Request,
) -> Result<Hunt, HuntError> {
    if let Some(cluster) = &request.cluster
        && !is_known(book, cluster)
    {
        return Err(HuntError::UnknownCluster(cluster.clone()));
    }
    let scene = Scene { store, networks, window: request.window };
    scene.judge(book, request.calibration.as_ref(), |judged| tell(&scene, judged, events, request))
}

/// Every pair that a hunt of the window would judge, as examples to be labelled for
/// [`calibrate::learn`]: by victim, then address, then cluster.
///
/// # Errors
/// [`HuntError::Store`].
pub fn examples(
    store: &dyn FlowStore,
    book: &Snapshot,
    networks: &[Network],
    window: Window,
) -> Result<Vec<Example>, HuntError> {
    Scene { store, networks, window }.judge(book, None, |judged| {
        let example = |lead: &Lead<'_>| {
            let pair = &judged.pairs[lead.pair];
            Example {
                victim: pair.victim,
                remote: pair.remote,
                cluster: lead.affiliation.id(),
                first: lead.sessions.iter().map(|s| pair.sessions[*s].start).min().unwrap_or_default(),
                prior: lead.prior,
                states: lead.states.clone(),
            }
        };
        let monitored = judged.leads.iter().filter(|lead| judged.pairs[lead.pair].is_monitored);
        Ok(monitored.map(example).collect())
    })
}

/// What a hunt looks at.
struct Scene<'a> {
    store: &'a dyn FlowStore,
    networks: &'a [Network],
    window: Window,
}

/// What was met, judged.
struct Judged<'a> {
    book: &'a Snapshot,
    swept: &'a Swept,
    coverage: &'a [ExporterCoverage],
    ledgers: &'a [Ledger<'a>],
    surroundings: &'a Surroundings<'a>,
    pairs: &'a [Pair<'a>],
    leads: Vec<Lead<'a>>,
}

impl Scene<'_> {
    /// Judges what was met, and hands it on: all of it borrows from what is made here.
    fn judge<T>(
        &self,
        book: &Snapshot,
        calibration: Option<&Calibration>,
        hand_on: impl FnOnce(Judged<'_>) -> Result<T, HuntError>,
    ) -> Result<T, HuntError> {
        let Self { store, networks, window } = *self;
        let prefixes: Vec<Prefix> = networks.iter().map(|network| network.prefix).collect();
        let book = &*names::with_derived(store, book, &prefixes, window)?;
        let coverage = watch::coverage(store, window)?;
        let swept = sweep::sweep(store, book, window, &coverage)?;
        let scanners = scanners(store, &swept.contacts, &coverage, window)?;
        let active = if swept.contacts.is_empty() { 0 } else { store.active_hosts(&prefixes, window)? };

        let by_pair: Vec<&[Contact]> = swept.contacts.chunk_by(is_same_pair).collect();
        let habits = Habits::of(&swept.contacts);
        let is_documented = |address, port| book.claims_on(address).any(|claim| claim.port == Some(port));
        let sessions: Vec<Vec<Session>> =
            by_pair.iter().map(|contacts| stitch(contacts, &habits, &is_documented)).collect();
        let joined: Vec<(&[Contact], &[Session])> =
            by_pair.iter().zip(&sessions).map(|(contacts, sessions)| (*contacts, &sessions[..])).collect();
        let mut weights = exporters::weigh(&joined);
        exporters::make_up(&mut weights, &swept.contacts, &Completeness::of(&coverage));

        let pair_of = |contacts: &[Contact]| (contacts[0].victim, contacts[0].remote);
        let met = joined.iter().map(|(contacts, sessions)| (pair_of(contacts), *sessions)).collect();
        let names = names::names(store, book, &met, window)?;
        let surroundings = Surroundings::new(book, scanners, names, &coverage);
        let mut pairs = Vec::with_capacity(joined.len());
        let mut begin = 0;
        for (contacts, sessions) in joined {
            let weights = &weights[begin..begin + contacts.len()];
            begin += contacts.len();
            let is_monitored = is_host_of(networks, contacts[0].victim);
            pairs.push(Pair::new(contacts, weights, sessions, is_monitored, &surroundings));
        }
        let company = Company::of(&pairs, book, active);
        let leads = lead::leads(&pairs, &surroundings, &company, calibration);
        hand_on(Judged {
            book,
            swept: &swept,
            coverage: &coverage,
            ledgers: &holes::ledgers(&coverage),
            surroundings: &surroundings,
            pairs: &pairs,
            leads,
        })
    }
}

/// The findings of what was judged.
fn tell(
    scene: &Scene<'_>,
    judged: Judged<'_>,
    events: &[Event],
    request: &Request,
) -> Result<Hunt, HuntError> {
    let Scene { store, networks, window } = *scene;
    let Judged { book, swept, coverage, ledgers, surroundings, pairs, leads } = judged;
    let cases = finding::cases(leads, pairs);
    let record = Record { coverage, ledgers };
    let teller = Teller::new(pairs, &cases, book, networks, record, swept, events);
    let is_watched = |host: Address| is_host_of(networks, host);

    let is_told = |victim: Address, cluster: &ClusterId| {
        (request.victims.is_empty() || request.victims.iter().any(|prefix| prefix.contains(victim)))
            && request.cluster.as_ref().is_none_or(|asked| asked == cluster)
    };
    let told: Vec<usize> =
        (0..cases.len()).filter(|i| is_told(cases[*i].victim, &cases[*i].affiliation.id())).collect();
    let mut all = teller.unusable();
    all.extend(teller.resolved(&surroundings.names, &is_watched));
    let touched = all.iter().map(|finding| finding.cluster.id.clone());
    let touched = touched.chain(cases.iter().map(|case| case.affiliation.id())).collect();
    let cluster = request.cluster.as_ref();
    let asked = sight::Asked { book, window, cluster, met: &swept.met(), told: &touched };
    let mut not_seen = teller.not_seen(&asked);
    all.retain(|finding| is_told(finding.victim.address, &finding.cluster.id));
    let is_believed = |i: &usize| cases[*i].verdict() > Verdict::Discounted;
    let told_of: BTreeSet<Address> =
        told.iter().copied().filter(is_believed).map(|i| cases[i].victim).collect();
    let mut hosts: BTreeMap<Address, Timestamp> = BTreeMap::new();
    for i in (0..cases.len()).filter(|i| is_believed(i) && told_of.contains(&cases[*i].victim)) {
        let Some(seen) = teller.last_seen(i) else { continue };
        let last = hosts.entry(cases[i].victim).or_insert(Timestamp::MIN);
        *last = seen.max(*last);
    }
    let shown = role::shown(store, &hosts, window, coverage)?;
    for i in &told {
        let shown = if is_believed(i) { shown.get(&cases[*i].victim) } else { None };
        all.push(teller.finding(*i, shown, events));
    }
    all.sort_by(|a, b| order(a).cmp(&order(b)));
    let Totals { victims, octets_out, octets_out_confirmed } = teller.totals(&told);
    let (findings, discounted): (Vec<Finding>, Vec<Finding>) =
        all.into_iter().partition(|finding| finding.verdict > Verdict::Discounted);
    let clusters = attribution::accounts(&findings, &discounted, book);
    let mut marking = marking::of_hunt(findings.iter().chain(&discounted), &clusters, book);
    marking::keep_open(&mut marking, &mut not_seen, request.cluster.is_some());
    let companies = company::companies(&findings, &|a, b| teller.timing(a, b));
    Ok(Hunt {
        clusters,
        companies,
        calibration: request.calibration.as_ref().map(|calibration| calibration.name.clone()),
        window,
        flows_swept: store.count(window)?,
        claims_asked: request.cluster.as_ref().map_or(book.claims().len(), |id| of_cluster(book, id).count())
            as u64,
        intelligence_version: book.version(),
        table_version: store.version()?,
        findings,
        discounted,
        victims,
        octets_out,
        octets_out_confirmed,
        coverage: coverage.to_vec(),
        not_seen,
        marking,
    })
}

/// Confidence first, then victim, then cluster.
fn order(finding: &Finding) -> (std::cmp::Reverse<u8>, Address, &ClusterId) {
    (std::cmp::Reverse(finding.confidence), finding.victim.address, &finding.cluster.id)
}

fn is_same_pair(a: &Contact, b: &Contact) -> bool {
    (a.victim, a.remote) == (b.victim, b.remote)
}

/// Whether the address can be a victim: a host, and in a watched network if any is known.
fn is_host_of(networks: &[Network], address: Address) -> bool {
    !address.is_unroutable()
        && (networks.is_empty() || networks.iter().any(|network| network.prefix.contains(address)))
}

/// Whether any claim is told under this cluster.
fn is_known(book: &Snapshot, cluster: &ClusterId) -> bool {
    book.cluster(cluster).is_some() || of_cluster(book, cluster).next().is_some()
}

/// The claims that are told under this cluster.
fn of_cluster<'a>(book: &'a Snapshot, cluster: &'a ClusterId) -> impl Iterator<Item = &'a Claim> {
    book.claims().iter().filter(move |claim| Affiliation::of(claim).id() == *cluster)
}

/// When the ends of `contacts` scanned.
fn scanners(
    store: &dyn FlowStore,
    contacts: &[Contact],
    coverage: &[ExporterCoverage],
    window: Window,
) -> Result<BTreeMap<Address, Vec<Window>>, StoreError> {
    let ends: BTreeSet<Address> = contacts.iter().flat_map(|c| [c.victim, c.remote]).collect();
    if ends.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ends: Vec<Prefix> = ends.into_iter().map(Prefix::host).collect();
    scanner::times(store, &ends, window, coverage)
}
