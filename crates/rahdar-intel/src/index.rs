//! The book as one immutable snapshot, ready to be asked.
//!
//! A snapshot never changes: who holds one gets the same answers for as long as they hold it.
//! New intelligence makes a new snapshot with a higher version; [`Live`] holds the newest.

mod live;
mod postings;
mod subject;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use rahdar_model::account::Attribution;
use rahdar_model::intelligence::{Claim, Cluster, ClusterId, HostFact, Indicator};
use rahdar_model::{Address, Prefix, Timestamp};

use crate::age::{self, Report};
use crate::alias::{Alias, Aliases};
use crate::assertion::Assertion;
use crate::attributions;
use crate::benign::{self, Note, Notes, resolvers};
use crate::certificates::Presented;
use crate::name;
use crate::pdns::{self, Record};
use crate::rented::is_rented;
pub use live::Live;
use postings::{Networks, Texts};
pub use subject::Subject;

/// Claims, clusters and host facts of one version of the book.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    version: u64,
    claims: Vec<Claim>,
    clusters: BTreeMap<ClusterId, Cluster>,
    facts: Vec<HostFact>,
    networks: Networks,
    fact_networks: Networks,
    /// Domains, URLs and hashes, each under its own text: a URL holds a slash, a hash no dot.
    names: Texts,
    /// URLs under their host.
    hosts: Texts,
    reports: BTreeMap<Indicator, Vec<Report>>,
    notes: Notes,
    /// When names that no claim is about were first seen on claimed addresses, by address.
    tenants: BTreeMap<Address, Vec<(Timestamp, String)>>,
    attributions: BTreeMap<ClusterId, Vec<Attribution>>,
    /// Names that claimed names led to.
    aliases: Aliases,
}

impl Snapshot {
    /// Indexes these claims, clusters and facts.
    ///
    /// Clusters of the same id become one: a group if any of them is, with the tools of all.
    /// Claims that were revoked, or superseded by a later version of the same STIX object, stay
    /// in [`Snapshot::claims`] and are found by no lookup.
    pub fn new(version: u64, claims: Vec<Claim>, clusters: Vec<Cluster>, facts: Vec<HostFact>) -> Self {
        let standing = standing(&claims);
        let claim = |i: u32| &claims[i as usize];
        let order = |i: u32| (claim(i).validity.from, claim(i).validity.until, i);
        let networks = Networks::of(
            standing.iter().filter_map(|i| match &claim(*i).indicator {
                Indicator::Network(prefix) => Some((*prefix, *i)),
                _ => None,
            }),
            order,
        );
        let names = standing.iter().filter_map(|i| Some((text(&claim(*i).indicator)?, *i)));
        let names = Texts::of(names, order);
        let hosts = standing.iter().filter_map(|i| match &claim(*i).indicator {
            Indicator::Url(url) => Some((name::url_host(url)?, *i)),
            _ => None,
        });
        let hosts = Texts::of(hosts, order);
        let on_network = (0..).zip(&facts).map(|(i, fact)| (fact.network, i));
        Self {
            version,
            networks,
            fact_networks: Networks::of(on_network, |i| i),
            names,
            hosts,
            clusters: merged(clusters),
            claims,
            facts,
            reports: BTreeMap::new(),
            notes: Notes::default(),
            tenants: BTreeMap::new(),
            attributions: BTreeMap::new(),
            aliases: Aliases::default(),
        }
    }

    /// The same book with what was said of names and accepted, of which it keeps who may be behind
    /// clusters.
    pub fn with_assertions(self, assertions: &[Assertion]) -> Self {
        Self { attributions: attributions::of(assertions), ..self }
    }

    /// What is said of who is behind a cluster, in the order of the book.
    pub fn attributions(&self, id: &ClusterId) -> impl Iterator<Item = &Attribution> {
        self.attributions.get(id).into_iter().flatten()
    }

    /// The same book with the names that lists warn of.
    pub fn with_notes(self, notes: Vec<Note>) -> Self {
        Self { notes: Notes::of(notes), ..self }
    }

    /// The same book with these names that stood for other names: those that a claimed name leads to.
    /// [`Snapshot::with_resolutions`] follows them.
    pub fn with_aliases(mut self, aliases: &[Alias]) -> Self {
        let mut known = std::mem::take(&mut self.aliases);
        known.add(&self, aliases);
        Self { aliases: known, ..self }
    }

    /// Names that claimed names led to, and how.
    pub fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// The same book with the claims that follow from where its domains pointed, behind its own
    /// ([`pdns::derive`]).
    pub fn with_resolutions(mut self, records: &[Record]) -> Self {
        let derived = pdns::derive(&self, records);
        let mut tenants = std::mem::take(&mut self.tenants);
        for (address, arrivals) in pdns::tenants(&self, records) {
            let known = tenants.entry(address).or_default();
            known.extend(arrivals);
            known.sort_unstable();
            known.dedup();
        }
        self.tenants = tenants;
        self.with_derived(derived)
    }

    /// The same book with the claims that follow from where its certificates were presented, behind its own
    /// ([`certificates`](crate::certificates)).
    pub fn with_presented(self, presented: &Presented) -> Self {
        let derived = presented.claims(&self);
        self.with_derived(derived)
    }

    fn with_derived(self, derived: Vec<Claim>) -> Self {
        if derived.is_empty() {
            return self;
        }
        let Self {
            version, mut claims, clusters, facts, reports, notes, tenants, attributions, aliases, ..
        } = self;
        claims.extend(derived);
        let clusters = clusters.into_values().collect();
        Self { reports, notes, tenants, attributions, aliases, ..Self::new(version, claims, clusters, facts) }
    }

    /// The first name, of a domain that no claim is about, that arrived at a claimed address after
    /// the end of a claim and before `until`: somebody else had it by then (`methods.md` §7.5).
    pub fn later_tenant(&self, address: Address, after: Timestamp, until: Timestamp) -> Option<&str> {
        let arrivals = self.tenants.get(&address)?;
        let next = arrivals.partition_point(|(at, _)| *at < after);
        arrivals.get(next).filter(|(at, _)| *at <= until).map(|(_, domain)| domain.as_str())
    }

    /// The same book with these reports. They move [`Snapshot::priority`] and nothing else.
    pub fn with_reports(mut self, reports: Vec<Report>) -> Self {
        for report in reports {
            self.reports.entry(report.indicator.clone()).or_default().push(report);
        }
        self
    }

    /// The version of the book that this is.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Every claim, in the order of the book, revoked and superseded ones too.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Every cluster, in the order of ids.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.values()
    }

    /// The cluster of this id.
    pub fn cluster(&self, id: &ClusterId) -> Option<&Cluster> {
        self.clusters.get(id)
    }

    /// The claims on every network that holds `address`: the narrowest network first, then by
    /// the start and the end of the window, then in the order of the book.
    ///
    /// Ports and times are not asked here: contact outside a window is evidence too.
    pub fn claims_on(&self, address: Address) -> impl Iterator<Item = &Claim> {
        self.networks.holding(address).map(|i| &self.claims[i as usize])
    }

    /// The claims on a domain or the domains above it, on URLs of that host, on that URL, or on
    /// what has that hash; the closest name first, then as [`Snapshot::claims_on`].
    ///
    /// A public suffix stands for itself alone: a claim on `duckdns.org` does not accuse its
    /// customers.
    pub fn claims_naming(&self, name: &str) -> Vec<&Claim> {
        let key = name::key(name);
        let host = name::url_host(&key).unwrap_or_else(|| key.clone());
        let mut found: Vec<&Claim> = self.named(&key).collect();
        if host != key {
            found.extend(self.named(&host));
        } else {
            let on_host = |claim: &&Claim| url_host_of(claim).is_some_and(|known| known == host);
            found.extend(self.hosts.on(&host).map(|i| &self.claims[i as usize]).filter(on_host));
        }
        found.extend(name::parents(&host).flat_map(|parent| self.named(parent)));
        found
    }

    /// The claims on exactly this text.
    fn named(&self, name: &str) -> impl Iterator<Item = &Claim> {
        let is_about = move |claim: &&Claim| text(&claim.indicator) == Some(name);
        self.names.on(name).map(|i| &self.claims[i as usize]).filter(is_about)
    }

    /// Every domain, and every host of a URL, that a claim stands on, sorted and distinct.
    pub fn domains(&self) -> Vec<Cow<'_, str>> {
        let claim = |i: u32| &self.claims[i as usize];
        let named = self.names.entries().filter_map(|i| match &claim(i).indicator {
            Indicator::Domain(name) => Some(Cow::Borrowed(name.as_str())),
            _ => None,
        });
        let hosts = self.hosts.entries().filter_map(|i| url_host_of(claim(i)).map(Cow::Owned));
        let mut domains: Vec<Cow<'_, str>> = named.chain(hosts).collect();
        domains.sort_unstable();
        domains.dedup();
        domains
    }

    /// The claims on the certificate of this hash, as [`Snapshot::claims_on`].
    pub fn claims_presenting(&self, certificate: &str) -> impl Iterator<Item = &Claim> {
        self.named(certificate).filter(|claim| matches!(claim.indicator, Indicator::Certificate(_)))
    }

    /// The hash of every certificate that a claim stands on, sorted and distinct.
    pub fn certificates(&self) -> Vec<&str> {
        let hashes = self.names.entries().filter_map(|i| match &self.claims[i as usize].indicator {
            Indicator::Certificate(hash) => Some(hash.as_str()),
            _ => None,
        });
        let mut hashes: Vec<&str> = hashes.collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    /// Every network that a claim stands on, sorted and distinct: what a sweep looks for.
    pub fn networks(&self) -> Vec<Prefix> {
        self.networks.keys()
    }

    /// The list by which a name is one that everybody asks for, if any is ([`benign::is_of_everybody`]).
    /// Names that are rented out are nobody's and everybody's: whoever has them may be hostile.
    pub fn list_of_everybody(&self, name: &str, at: Timestamp) -> Option<&str> {
        let lists = self.notes_on(name, at).into_iter().map(|note| &*note.source);
        lists.filter(|_| !is_rented(name)).find(|list| benign::is_of_everybody(list))
    }

    /// The lists that warn of a name at that time. A note accuses and excuses nobody.
    pub fn notes_on(&self, name: &str, at: Timestamp) -> Vec<&Note> {
        let key = name::key(name);
        self.notes.on(&name::url_host(&key).unwrap_or(key), at)
    }

    /// How urgent a claim is at that time, 0–100; none where nobody dated it ([`age`]).
    pub fn priority(&self, claim: &Claim, now: Timestamp) -> Option<f64> {
        age::priority(claim, self.reports.get(&claim.indicator).into_iter().flatten(), now)
    }

    /// What was left of a claim at contact from `start` to `end`, 0–1 ([`age::quality`]).
    pub fn quality(&self, claim: &Claim, start: Timestamp, end: Timestamp) -> f64 {
        age::quality(claim, self.reports.get(&claim.indicator).into_iter().flatten(), start, end)
    }

    /// Whether somebody saw the indicator at work between two times.
    pub fn is_sighted(&self, indicator: &Indicator, from: Timestamp, until: Timestamp) -> bool {
        let mut reports = self.reports.get(indicator).into_iter().flatten();
        reports
            .any(|report| report.kind == age::ReportKind::Sighting && report.at >= from && report.at <= until)
    }

    /// What is known of the host at `address` at that time: the narrowest network first, then in
    /// the order of the book; last what every book knows of it.
    pub fn facts_on(&self, address: Address, at: Timestamp) -> impl Iterator<Item = &HostFact> {
        self.facts_ever_on(address).filter(move |fact| fact.validity.contains(at))
    }

    /// What was ever known of the host at `address`, in the order of [`Snapshot::facts_on`]: for flows
    /// whose clock tells no time.
    pub fn facts_ever_on(&self, address: Address) -> impl Iterator<Item = &HostFact> {
        self.fact_networks.holding(address).map(|i| &self.facts[i as usize]).chain(resolvers::fact(address))
    }
}

/// The text under which an indicator is asked for by name.
fn text(indicator: &Indicator) -> Option<&str> {
    match indicator {
        Indicator::Network(_) => None,
        Indicator::Domain(text)
        | Indicator::Url(text)
        | Indicator::Hash(_, text)
        | Indicator::Certificate(text) => Some(text),
    }
}

fn url_host_of(claim: &Claim) -> Option<String> {
    match &claim.indicator {
        Indicator::Url(url) => name::url_host(url),
        _ => None,
    }
}

/// The claims that still stand, by their place in the book.
///
/// A claim from a STIX object carries the object's id as its place and the version's time as
/// its publication. The newest version speaks for the object.
fn standing(claims: &[Claim]) -> Vec<u32> {
    let mut newest: HashMap<&str, Option<Timestamp>> = HashMap::new();
    let has_versions = |claim: &Claim| !claim.basis.is_derived() && is_object_id(&claim.place);
    for claim in claims {
        if has_versions(claim) {
            let seen = newest.entry(&claim.place).or_default();
            *seen = claim.published.max(*seen);
        }
    }
    let stands = |claim: &Claim| {
        let is_newest = || newest.get(&*claim.place).is_none_or(|latest| *latest == claim.published);
        !claim.revoked && (!has_versions(claim) || is_newest())
    };
    (0..).zip(claims).filter(|(_, claim)| stands(claim)).map(|(i, _)| i).collect()
}

/// Whether a claim's place is the id of a STIX object, which later versions share.
pub(crate) fn is_object_id(place: &str) -> bool {
    place.contains("--")
}

/// One cluster per id.
fn merged(clusters: Vec<Cluster>) -> BTreeMap<ClusterId, Cluster> {
    let mut merged: BTreeMap<ClusterId, Cluster> = BTreeMap::new();
    for cluster in clusters {
        match merged.get_mut(&cluster.id) {
            Some(known) => absorb(known, cluster),
            None => {
                merged.insert(cluster.id.clone(), cluster);
            }
        }
    }
    merged
}

/// Adds what `other` knows about the same cluster. A name given for a group wins.
pub(crate) fn absorb(known: &mut Cluster, other: Cluster) {
    if other.named && !known.named {
        known.name = other.name;
        known.named = true;
    }
    known.tools.extend(other.tools);
    known.tools.sort();
    known.tools.dedup();
}

#[cfg(test)]
mod tests;
