//! The book as one immutable snapshot, ready to be asked.
//!
//! A snapshot never changes: who holds one gets the same answers for as long as they hold it.
//! New intelligence makes a new snapshot with a higher version.

use std::collections::{BTreeMap, HashMap};

use rahdar_model::account::Attribution;
use rahdar_model::intelligence::{Claim, Cluster, ClusterId, HostFact, Indicator, WindowBasis};
use rahdar_model::{Address, Prefix, Timestamp};

use crate::age::{self, Report};
use crate::alias::{Alias, Aliases};
use crate::assertion::Assertion;
use crate::attributions;
use crate::benign::{Note, Notes};
use crate::name;
use crate::pdns::{self, Record};

/// Claims, clusters and host facts of one version of the book.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    version: u64,
    claims: Vec<Claim>,
    clusters: BTreeMap<ClusterId, Cluster>,
    facts: Vec<HostFact>,
    networks: Postings,
    fact_networks: Postings,
    /// Domains, URLs and hashes, each under its own text. The three never collide: a URL holds
    /// a slash, a hash no dot.
    names: HashMap<String, Vec<u32>>,
    /// URLs under their host.
    hosts: HashMap<String, Vec<u32>>,
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
        let mut networks = Vec::new();
        let mut names: HashMap<String, Vec<u32>> = HashMap::new();
        let mut hosts: HashMap<String, Vec<u32>> = HashMap::new();
        for (i, claim) in standing(&claims) {
            match &claim.indicator {
                Indicator::Network(prefix) => networks.push((*prefix, i)),
                Indicator::Domain(text) | Indicator::Hash(_, text) => {
                    names.entry(text.clone()).or_default().push(i);
                }
                Indicator::Url(text) => {
                    names.entry(text.clone()).or_default().push(i);
                    if let Some(host) = name::url_host(text) {
                        hosts.entry(host).or_default().push(i);
                    }
                }
            }
        }
        let by_window = |a: &u32, b: &u32| {
            let key = |i: u32| (claims[i as usize].validity.from, claims[i as usize].validity.until, i);
            key(*a).cmp(&key(*b))
        };
        networks.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| by_window(&a.1, &b.1)));
        for ids in names.values_mut().chain(hosts.values_mut()) {
            ids.sort_by(by_window);
        }
        let mut fact_networks: Vec<_> = (0..).zip(&facts).map(|(i, fact)| (fact.network, i)).collect();
        fact_networks.sort();
        Self {
            version,
            networks: Postings::of(networks),
            fact_networks: Postings::of(fact_networks),
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
        if derived.is_empty() {
            return Self { tenants, ..self };
        }
        let claims = self.claims.into_iter().chain(derived).collect();
        let clusters = self.clusters.into_values().collect();
        let (reports, notes, attributions, aliases) =
            (self.reports, self.notes, self.attributions, self.aliases);
        Self {
            reports,
            notes,
            tenants,
            attributions,
            aliases,
            ..Self::new(self.version, claims, clusters, self.facts)
        }
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
    /// that file hash; the closest name first, then as [`Snapshot::claims_on`].
    ///
    /// A public suffix stands for itself alone: a claim on `duckdns.org` does not accuse its
    /// customers.
    pub fn claims_naming(&self, name: &str) -> Vec<&Claim> {
        let key = name::key(name);
        let host = name::url_host(&key).unwrap_or_else(|| key.clone());
        let mut ids: Vec<u32> = Vec::new();
        let mut add = |found: Option<&Vec<u32>>| ids.extend(found.into_iter().flatten());
        add(self.names.get(&key));
        if host != key {
            add(self.names.get(&host));
        } else {
            add(self.hosts.get(&host));
        }
        for parent in name::parents(&host) {
            add(self.names.get(parent));
        }
        ids.into_iter().map(|i| &self.claims[i as usize]).collect()
    }

    /// Every domain, and every host of a URL, that a claim stands on, sorted and distinct.
    pub fn domains(&self) -> Vec<&str> {
        let is_domain = |ids: &&Vec<u32>| {
            ids.iter().any(|i| matches!(self.claims[*i as usize].indicator, Indicator::Domain(_)))
        };
        let named = self.names.iter().filter(|(_, ids)| is_domain(ids)).map(|(name, _)| name.as_str());
        let mut domains: Vec<&str> = named.chain(self.hosts.keys().map(String::as_str)).collect();
        domains.sort_unstable();
        domains.dedup();
        domains
    }

    /// Every network that a claim stands on, sorted and distinct: what a sweep looks for.
    pub fn networks(&self) -> Vec<Prefix> {
        self.networks.keys.iter().map(|(prefix, _)| *prefix).collect()
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
    /// the order of the book.
    pub fn facts_on(&self, address: Address, at: Timestamp) -> impl Iterator<Item = &HostFact> {
        self.fact_networks
            .holding(address)
            .map(|i| &self.facts[i as usize])
            .filter(move |fact| fact.validity.contains(at))
    }
}

/// The claims that still stand, with their place in the book.
///
/// A claim from a STIX object carries the object's id as its place and the version's time as
/// its publication. The newest version speaks for the object.
fn standing(claims: &[Claim]) -> impl Iterator<Item = (u32, &Claim)> {
    let mut newest: HashMap<&str, Option<Timestamp>> = HashMap::new();
    let has_versions = |claim: &Claim| claim.basis != WindowBasis::Resolved && is_object_id(&claim.place);
    for claim in claims {
        if has_versions(claim) {
            let seen = newest.entry(&claim.place).or_default();
            *seen = claim.published.max(*seen);
        }
    }
    (0..).zip(claims).filter(|(_, claim)| !claim.revoked).filter(move |(_, claim)| {
        !has_versions(claim) || newest.get(&*claim.place).is_none_or(|latest| *latest == claim.published)
    })
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

/// Which entries stand on which network.
#[derive(Debug, Clone, Default)]
struct Postings {
    /// Distinct networks, sorted, each with where its entries end in `entries`.
    keys: Vec<(Prefix, u32)>,
    /// Entries, grouped by network.
    entries: Vec<u32>,
    /// The prefix lengths (of 128) that occur, longest first.
    lengths: Vec<u8>,
}

impl Postings {
    /// Groups entries that are sorted by network.
    fn of(sorted: Vec<(Prefix, u32)>) -> Self {
        let mut postings = Self::default();
        for (prefix, entry) in sorted {
            postings.entries.push(entry);
            let end = postings.entries.len() as u32;
            match postings.keys.last_mut() {
                Some((last, last_end)) if *last == prefix => *last_end = end,
                _ => postings.keys.push((prefix, end)),
            }
            postings.lengths.push(prefix.bits());
        }
        postings.lengths.sort_unstable_by(|a, b| b.cmp(a));
        postings.lengths.dedup();
        postings
    }

    /// The entries of every network that holds `address`, longest prefix first.
    fn holding(&self, address: Address) -> impl Iterator<Item = u32> {
        self.lengths.iter().flat_map(move |bits| self.on(Prefix::new(address, *bits))).copied()
    }

    fn on(&self, prefix: Prefix) -> &[u32] {
        let Ok(i) = self.keys.binary_search_by(|(key, _)| key.cmp(&prefix)) else {
            return &[];
        };
        let start = if i == 0 { 0 } else { self.keys[i - 1].1 };
        &self.entries[start as usize..self.keys[i].1 as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rahdar_model::intelligence::{HashKind, HostClass, WindowBasis};
    use rahdar_model::{Day, Window};

    use super::*;
    use crate::age::ReportKind;

    fn claim(indicator: Indicator, place: &str) -> Claim {
        Claim {
            indicator,
            port: None,
            protocol: None,
            validity: Window::ALL,
            basis: WindowBasis::Undated,
            cluster: None,
            tools: Vec::new(),
            source: "a report".into(),
            place: place.to_owned(),
            published: None,
            confidence: None,
            tlp: None,
            revoked: false,
        }
    }

    fn on(network: &str, place: &str) -> Claim {
        claim(Indicator::Network(network.parse().unwrap()), place)
    }

    fn snapshot(claims: Vec<Claim>) -> Snapshot {
        Snapshot::new(1, claims, Vec::new(), Vec::new())
    }

    fn check_address(claims: Vec<Claim>, address: &str, places: &[&str]) {
        let snapshot = snapshot(claims);
        let found: Vec<_> = snapshot.claims_on(address.parse().unwrap()).map(|c| &*c.place).collect();
        assert_eq!(found, places, "{address}");
    }

    #[test]
    fn every_nested_network_answers_the_narrowest_first() {
        let claims =
            || vec![on("192.0.2.0/24", "wide"), on("192.0.2.7", "host"), on("192.0.2.0/28", "narrow")];
        check_address(claims(), "192.0.2.7", &["host", "narrow", "wide"]);
        check_address(claims(), "192.0.2.16", &["wide"]);
        check_address(claims(), "192.0.3.7", &[]);
        check_address(vec![on("2001:db8::/32", "v6")], "2001:db8::1", &["v6"]);
    }

    #[test]
    fn many_dated_claims_on_one_address_stand_side_by_side_in_order_of_time() {
        let mut late = on("192.0.2.7", "late");
        late.validity = Day(100).window();
        let mut early = on("192.0.2.7", "early");
        early.validity = Day(1).window();
        check_address(vec![late, early], "192.0.2.7", &["early", "late"]);
    }

    #[test]
    fn a_revoked_claim_answers_no_lookup_but_stays_in_the_book() {
        let mut gone = on("192.0.2.7", "line 1");
        gone.revoked = true;
        check_address(vec![gone.clone()], "192.0.2.7", &[]);
        assert_eq!(snapshot(vec![gone]).claims().len(), 1);
    }

    #[test]
    fn the_newest_version_of_a_stix_object_speaks_for_it_whatever_came_first() {
        let version = |network: &str, day: i32| Claim {
            published: Some(Day(day).start()),
            ..on(network, "indicator--1")
        };
        let mut revoked = version("192.0.2.7", 3);
        revoked.revoked = true;
        check_address(vec![version("192.0.2.7", 2), version("192.0.2.7", 1)], "192.0.2.7", &["indicator--1"]);
        check_address(vec![version("192.0.2.7", 1), version("192.0.2.8", 2)], "192.0.2.7", &[]);
        check_address(vec![revoked, version("192.0.2.7", 1)], "192.0.2.7", &[]);
    }

    #[test]
    fn names_are_found_by_themselves_their_parents_and_the_host_of_a_url() {
        let domain = |name: &str| claim(Indicator::Domain(name.to_owned()), name);
        let url = claim(Indicator::Url("http://c2.example.org:8080/x".to_owned()), "url");
        let hash = claim(Indicator::Hash(HashKind::Md5, "0".repeat(32)), "hash");
        let book =
            snapshot(vec![domain("example.org"), domain("c2.example.org"), domain("duckdns.org"), url, hash]);
        let check = |name: &str, places: &[&str]| {
            let found: Vec<_> = book.claims_naming(name).iter().map(|c| c.place.as_str()).collect();
            assert_eq!(found, places, "{name}");
        };
        check("C2.Example.ORG.", &["c2.example.org", "url", "example.org"]);
        check("http://c2.example.org:8080/x", &["url", "c2.example.org", "example.org"]);
        check("www.example.org", &["example.org"]);
        check("duckdns.org", &["duckdns.org"]);
        check("someone.duckdns.org", &[]);
        check(&"0".repeat(32), &["hash"]);
        check("example.net", &[]);
    }

    #[test]
    fn clusters_of_one_id_are_one() {
        let cluster = |name: &str, named, tools: &[&str]| Cluster {
            id: ClusterId::of_name(name),
            name: name.to_owned(),
            named,
            tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
        };
        let clusters =
            vec![cluster("redfoxtrot", false, &["PlugX"]), cluster("RedFoxtrot", true, &["Icefog", "PlugX"])];
        let snapshot = Snapshot::new(1, Vec::new(), clusters, Vec::new());
        let known: Vec<_> = snapshot.clusters().cloned().collect();
        assert_eq!(known, [cluster("RedFoxtrot", true, &["Icefog", "PlugX"])]);
        assert!(snapshot.cluster(&ClusterId::of_name("RedFoxtrot")).is_some());
    }

    #[test]
    fn reports_move_the_priority_of_a_claim_and_no_answer_about_history() {
        let held =
            Claim { validity: Window::new(Day(0).start(), Day(30).start()), ..on("192.0.2.7", "line 1") };
        let report = |kind| Report {
            indicator: held.indicator.clone(),
            kind,
            at: Day(40).start(),
            source: "another".into(),
        };
        let reports = vec![report(ReportKind::FalsePositive), report(ReportKind::Expiration)];
        let (without, with) =
            (snapshot(vec![held.clone()]), snapshot(vec![held.clone()]).with_reports(reports));
        let address = "192.0.2.7".parse().unwrap();
        let told = |book: &Snapshot| -> Vec<Claim> { book.claims_on(address).cloned().collect() };
        assert_eq!(told(&without), told(&with));
        assert_eq!(without.networks(), with.networks());
        let priority = |book: &Snapshot, day| book.priority(&held, Day(day).start());
        assert_eq!((priority(&without, 60), priority(&with, 60)), (Some(40.0), Some(0.0)));
        assert_eq!(priority(&without, 35), priority(&with, 35));
    }

    #[test]
    fn facts_hold_in_their_window_only() {
        let fact = HostFact {
            network: "192.0.2.0/24".parse().unwrap(),
            class: HostClass::Pool,
            validity: Day(5).window(),
            source: Arc::from("a list"),
        };
        let snapshot = Snapshot::new(1, Vec::new(), Vec::new(), vec![fact]);
        let at = |day: i32| snapshot.facts_on("192.0.2.9".parse().unwrap(), Day(day).start()).count();
        assert_eq!((at(4), at(5), at(6)), (0, 1, 0));
    }

    #[test]
    fn a_sweep_looks_for_each_network_once() {
        let claims = vec![on("192.0.2.7", "a"), on("198.51.100.0/24", "b"), on("192.0.2.7", "c")];
        let networks: Vec<_> = snapshot(claims).networks().iter().map(Prefix::to_string).collect();
        assert_eq!(networks, ["192.0.2.7", "198.51.100.0/24"]);
    }
}
