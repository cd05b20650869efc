//! A reading in the making: what every reader of a format hands in, and the rules about what is believed.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rahdar_model::intelligence::{
    Claim, Cluster, ClusterId, HostClass, HostFact, Indicator, Tlp, WindowBasis,
};
use rahdar_model::time::DAY_US;
use rahdar_model::{Prefix, Timestamp, Window};

use crate::age::Report;
use crate::alias::Alias;
use crate::assertion::{Assertion, Proposal};
use crate::benign::{Matching, Note};
use crate::book::Identity;
use crate::date::day_end;
use crate::find::Endpoint;
use crate::index::absorb;
use crate::pdns::Record;
use crate::pivot::Trait;
use crate::reading::{
    CLAIMS_MAX, Format, IPV4_BROADEST, IPV4_OWNED, IPV6_BROADEST, IPV6_OWNED, Naming, Origin, REFUSALS_KEPT,
    ReadError, ReadOptions, Reading, Reason, Refusal, TRAITS_MAX, quote,
};

/// Kinds that are counted apart when set aside; chosen here.
const KINDS_MAX: usize = 1_000;

/// What a source says about one indicator, beside the indicator itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// Where it stands.
    pub(crate) place: String,
    /// When it holds, and how that is known.
    pub(crate) window: Option<(Window, WindowBasis)>,
    /// The day, or the days of which one, it was published on.
    pub(crate) published: Option<Window>,
    /// When this version of a STIX object was made: what orders its versions.
    pub(crate) version: Option<Timestamp>,
    /// Whose it is, and where that stood.
    pub(crate) cluster: Option<(String, Origin)>,
    pub(crate) tools: Vec<String>,
    pub(crate) source: Option<Arc<str>>,
    pub(crate) confidence: Option<u8>,
    pub(crate) tlp: Option<Tlp>,
    pub(crate) revoked: bool,
}

/// How far before its publication an otherwise undated claim is believed (`methods.md` §7.4).
pub(crate) const PUBLISHED_REACH_US: i64 = 90 * DAY_US;

/// A reading in the making: the readers of all formats end here, so that every rule about what is believed
/// stands in one place.
pub(crate) struct Draft<'a> {
    options: &'a ReadOptions,
    source: Arc<str>,
    reading: Reading,
    clusters: BTreeMap<ClusterId, Cluster>,
    seen: HashSet<Identity>,
    named: HashSet<(ClusterId, Origin)>,
    /// Texts that many claims share, each kept once.
    shared: HashSet<Arc<str>>,
    /// Whether there were more claims than are taken.
    full: bool,
}

impl<'a> Draft<'a> {
    /// An empty reading of the file of this name.
    pub(crate) fn new(format: Format, name: &str, options: &'a ReadOptions) -> Self {
        Self {
            options,
            source: options.source.as_deref().unwrap_or(name).into(),
            reading: Reading {
                format,
                claims: Vec::new(),
                clusters: Vec::new(),
                facts: Vec::new(),
                refused: Vec::new(),
                refused_count: 0,
                set_aside: BTreeMap::new(),
                remarks: Vec::new(),
                namings: Vec::new(),
                reports: Vec::new(),
                resolutions: Vec::new(),
                traits: Vec::new(),
                aliases: Vec::new(),
                notes: Vec::new(),
                assertions: Vec::new(),
                proposals: Vec::new(),
            },
            clusters: BTreeMap::new(),
            seen: HashSet::new(),
            named: HashSet::new(),
            shared: HashSet::new(),
            full: false,
        }
    }

    /// Counts something that is understood and that flows cannot answer.
    pub(crate) fn set_aside(&mut self, kind: &str) {
        let kinds = &mut self.reading.set_aside;
        let kind = if kinds.len() < KINDS_MAX || kinds.contains_key(kind) {
            quote(kind)
        } else {
            "other".to_owned()
        };
        *kinds.entry(kind).or_default() += 1;
    }

    /// Says what the file as a whole decided.
    pub(crate) fn remark(&mut self, text: String) {
        self.reading.remarks.push(text);
    }

    /// Refuses a text, with the place and the reason.
    pub(crate) fn refuse(&mut self, place: &str, text: &str, reason: Reason) {
        self.reading.refused_count += 1;
        if self.reading.refused.len() < REFUSALS_KEPT {
            self.reading.refused.push(Refusal { place: place.to_owned(), text: quote(text), reason });
        }
    }

    /// Adds a cluster, or what is new about it.
    pub(crate) fn cluster(&mut self, cluster: Cluster) {
        match self.clusters.get_mut(&cluster.id) {
            Some(known) => absorb(known, cluster),
            None => {
                self.clusters.insert(cluster.id.clone(), cluster);
            }
        }
    }

    /// Adds one claim, or refuses it.
    pub(crate) fn claim(&mut self, endpoint: Endpoint, terms: &Terms) {
        let Endpoint { indicator, port, protocol } = endpoint;
        let (validity, basis) = self.validity(terms);
        if let Err(reason) = believable(&indicator, validity) {
            return self.refuse(&terms.place, &indicator.to_string(), reason);
        }
        let tools = tidy_tools(&terms.tools);
        let published = terms.version.or_else(|| self.published(terms).map(|window| window.from));
        let cluster = self.name_cluster(terms, &tools);
        let source = self.source_of(terms);
        let claim = Claim {
            indicator,
            port,
            protocol,
            validity,
            basis,
            cluster,
            tools,
            source,
            place: terms.place.clone(),
            published,
            confidence: self.options.confidence.or(terms.confidence),
            tlp: self.options.tlp.max(terms.tlp),
            revoked: terms.revoked,
        };
        if self.reading.claims.len() == CLAIMS_MAX {
            self.full = true;
        } else if self.seen.insert(Identity::of(&claim)) {
            self.reading.claims.push(claim);
        }
    }

    /// Adds one host fact, or refuses it.
    pub(crate) fn fact(&mut self, network: Prefix, class: HostClass, terms: &Terms) {
        let (validity, _) = self.validity(terms);
        let broadest = if network.first().is_v4() { 96 + IPV4_OWNED } else { IPV6_OWNED };
        let wrong = if network.bits() < broadest {
            Some(Reason::TooBroadToOwn)
        } else if validity.is_empty() {
            Some(Reason::Window(validity))
        } else {
            None
        };
        if let Some(reason) = wrong {
            return self.refuse(&terms.place, &network.to_string(), reason);
        }
        let source = self.source_of(terms);
        let fact = HostFact { network, class, validity, source };
        self.reading.facts.push(fact);
    }

    /// Adds a report about an indicator.
    pub(crate) fn report(&mut self, report: Report) {
        self.reading.reports.push(report);
    }

    /// Adds a name that a list warns of.
    pub(crate) fn note(&mut self, matching: Matching, terms: &Terms) {
        let (validity, _) = self.validity(terms);
        let source = self.source_of(terms);
        self.reading.notes.push(Note { matching, validity, source });
    }

    /// Adds what is said of a name.
    pub(crate) fn assertion(&mut self, assertion: Assertion) {
        self.reading.assertions.push(assertion);
    }

    /// Takes out the claims so far: those of a report wait elsewhere.
    pub(crate) fn take_claims(&mut self) -> Vec<Claim> {
        std::mem::take(&mut self.reading.claims)
    }

    /// The reading of a report that makes these proposals.
    ///
    /// # Errors
    /// [`ReadError::Nothing`] if there are none and nothing was refused or set aside.
    pub(crate) fn finish_report(mut self, proposals: Vec<Proposal>) -> Result<Reading, ReadError> {
        // Clusters of claims that wait are none yet.
        self.clusters.clear();
        self.reading.proposals = proposals;
        self.finish()
    }

    /// Adds a name and its address.
    pub(crate) fn resolution(&mut self, record: Record) {
        self.reading.resolutions.push(record);
    }

    /// Adds what was seen of a host or a name.
    ///
    /// # Errors
    /// [`ReadError::TooLarge`] beyond [`TRAITS_MAX`].
    pub(crate) fn trait_seen(&mut self, one: Trait) -> Result<(), ReadError> {
        if self.reading.traits.len() == TRAITS_MAX {
            return Err(ReadError::TooLarge { most: TRAITS_MAX, what: "traits in one file" });
        }
        self.reading.traits.push(one);
        Ok(())
    }

    /// Adds a name that stood for another.
    pub(crate) fn alias(&mut self, alias: Alias) {
        self.reading.aliases.push(alias);
    }

    /// Who says what the file says, where it does not say so itself.
    pub(crate) fn source(&self) -> Arc<str> {
        self.source.clone()
    }

    /// The reading.
    ///
    /// # Errors
    /// [`ReadError::Nothing`] if nothing was taken, refused, set aside or described;
    /// [`ReadError::TooLarge`] if there are more than [`CLAIMS_MAX`] claims.
    pub(crate) fn finish(mut self) -> Result<Reading, ReadError> {
        self.reading.clusters = self.clusters.into_values().collect();
        let reading = self.reading;
        if self.full {
            return Err(ReadError::TooLarge { most: CLAIMS_MAX, what: "claims in one file" });
        }
        let empty = reading.claims.is_empty()
            && reading.facts.is_empty()
            && reading.clusters.is_empty()
            && reading.resolutions.is_empty()
            && reading.traits.is_empty()
            && reading.notes.is_empty()
            && reading.assertions.is_empty()
            && reading.proposals.is_empty()
            && reading.aliases.is_empty()
            && reading.refused_count == 0
            && reading.set_aside.is_empty();
        if empty { Err(ReadError::Nothing) } else { Ok(reading) }
    }

    fn source_of(&mut self, terms: &Terms) -> Arc<str> {
        match (&self.options.source, &terms.source) {
            (None, Some(source)) => self.share(source.clone()),
            _ => self.source.clone(),
        }
    }

    fn share(&mut self, text: Arc<str>) -> Arc<str> {
        match self.shared.get(&text) {
            Some(known) => known.clone(),
            None => {
                self.shared.insert(text.clone());
                text
            }
        }
    }

    fn published(&self, terms: &Terms) -> Option<Window> {
        self.options.published.map(|at| at.day().window()).or(terms.published)
    }

    /// When a claim holds (`methods.md` §7.4): as the operator says, else as the source says, else
    /// the ninety days before its publication, else for all time.
    fn validity(&self, terms: &Terms) -> (Window, WindowBasis) {
        let (window, basis) = match (terms.window, self.published(terms)) {
            (Some(stated), _) => stated,
            (None, Some(published)) => {
                let from = published.from.plus_micros(-PUBLISHED_REACH_US);
                (Window::new(from, published.until), WindowBasis::Published)
            }
            (None, None) => (Window::ALL, WindowBasis::Undated),
        };
        let (from, until) = (self.options.valid_from, self.options.valid_until);
        if from.is_none() && until.is_none() {
            return (window, basis);
        }
        // A derived or missing window does not limit what a person says.
        let known = matches!(basis, WindowBasis::Stated | WindowBasis::Heading);
        let window = if known { window } else { Window::ALL };
        let window = Window::new(from.unwrap_or(window.from), until.unwrap_or(window.until));
        (window, WindowBasis::Operator)
    }

    fn name_cluster(&mut self, terms: &Terms, tools: &[String]) -> Option<ClusterId> {
        let (name, origin) = match (&self.options.cluster, &terms.cluster) {
            (Some(name), _) => (tidy_name(name), Origin::Operator),
            (None, Some((name, origin))) => (tidy_name(name), *origin),
            (None, None) => return None,
        };
        let id = ClusterId::of_name(&name);
        if id.0.is_empty() {
            return None;
        }
        let id = ClusterId(self.share(id.0));
        let cluster = Cluster { id: id.clone(), name, named: false, tools: tools.to_vec() };
        self.cluster(cluster);
        if self.named.insert((id.clone(), origin)) {
            self.reading.namings.push(Naming { cluster: id.clone(), origin });
        }
        Some(id)
    }
}

/// The window of publication for a moment of publication.
pub(crate) fn published_on(at: Timestamp) -> Window {
    Window::new(at, day_end(at))
}

/// Whether an indicator and its window can be believed at all.
fn believable(indicator: &Indicator, validity: Window) -> Result<(), Reason> {
    if validity.is_empty() {
        return Err(Reason::Window(validity));
    }
    let Indicator::Network(network) = indicator else { return Ok(()) };
    let broadest = if network.first().is_v4() { 96 + IPV4_BROADEST } else { IPV6_BROADEST };
    if network.bits() < broadest {
        return Err(Reason::TooBroad);
    }
    if network.first().is_unroutable() { Err(Reason::Unroutable) } else { Ok(()) }
}

/// The longest name that is kept of a cluster, a tool or a source, in characters; chosen here.
const NAME_MAX: usize = 200;

/// A name as it is kept: without control characters and the space around it, and not too long.
pub(crate) fn tidy_name(name: &str) -> String {
    let spaced: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(NAME_MAX).collect();
    spaced.trim().to_owned()
}

/// Names of tools as a claim keeps them: sorted, each once, none empty.
pub(crate) fn tidy_tools(tools: &[String]) -> Vec<String> {
    let mut tools: Vec<String> =
        tools.iter().map(|tool| tidy_name(tool)).filter(|tool| !tool.is_empty()).collect();
    tools.sort();
    tools.dedup();
    tools
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Endpoint {
        Endpoint { indicator: Indicator::Network(text.parse().unwrap()), port: None, protocol: None }
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn check_window(options: ReadOptions, terms: Terms, window: &str, basis: WindowBasis) {
        let mut draft = Draft::new(Format::List, "a file", &options);
        draft.claim(network("192.0.2.1"), &terms);
        let claim = draft.finish().unwrap().claims.remove(0);
        assert_eq!(format!("{:?}", claim.validity).replace("T00:00:00Z", ""), window);
        assert_eq!(claim.basis, basis);
    }

    #[test]
    fn a_window_is_the_operators_the_sources_or_derived_from_publication() {
        let stated = Window::new(time("2021-05-01"), time("2021-07-01"));
        let terms = Terms { window: Some((stated, WindowBasis::Stated)), ..Terms::default() };
        let published = ReadOptions { published: Some(time("2021-06-16")), ..ReadOptions::default() };
        let from = ReadOptions { valid_from: Some(time("2021-06-01")), ..published.clone() };
        check_window(
            ReadOptions::default(),
            Terms::default(),
            "[the beginning, the end)",
            WindowBasis::Undated,
        );
        check_window(published.clone(), Terms::default(), "[2021-03-18, 2021-06-17)", WindowBasis::Published);
        check_window(published, terms.clone(), "[2021-05-01, 2021-07-01)", WindowBasis::Stated);
        check_window(from.clone(), terms, "[2021-06-01, 2021-07-01)", WindowBasis::Operator);
        check_window(from, Terms::default(), "[2021-06-01, the end)", WindowBasis::Operator);
    }

    fn check_refused(endpoint: Endpoint, terms: Terms, message: &str) {
        let options = ReadOptions::default();
        let mut draft = Draft::new(Format::List, "a file", &options);
        draft.claim(endpoint, &Terms { place: "line 3".to_owned(), ..terms });
        let reading = draft.finish().unwrap();
        assert!(reading.claims.is_empty());
        assert_eq!(reading.refused[0].to_string(), message);
    }

    #[test]
    fn what_cannot_be_believed_is_refused_with_place_and_reason() {
        let broad = "the network is too broad to accuse: IPv4 /16 and IPv6 /32 are the broadest";
        let nowhere = "the address is unspecified, loopback, link-local, multicast or reserved";
        check_refused(network("10.0.0.0/8"), Terms::default(), &format!("line 3: `10.0.0.0/8`: {broad}"));
        check_refused(network("2001::/16"), Terms::default(), &format!("line 3: `2001::/16`: {broad}"));
        for address in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::1", "ff02::1"] {
            check_refused(network(address), Terms::default(), &format!("line 3: `{address}`: {nowhere}"));
        }
        let backwards = Window::new(time("2021-12-29"), time("2021-02-17"));
        let terms = Terms { window: Some((backwards, WindowBasis::Stated)), ..Terms::default() };
        check_refused(
            network("192.0.2.1"),
            terms,
            "line 3: `192.0.2.1`: the window ends before it begins: [2021-12-29T00:00:00Z, 2021-02-17T00:00:00Z)",
        );
    }

    #[test]
    fn private_space_and_the_broadest_networks_are_allowed() {
        let options = ReadOptions::default();
        let mut draft = Draft::new(Format::List, "a file", &options);
        for text in ["192.168.0.4", "10.0.0.0/16", "2001:db8::/32"] {
            draft.claim(network(text), &Terms::default());
        }
        assert_eq!(draft.finish().unwrap().claims.len(), 3);
    }

    #[test]
    fn an_identical_claim_is_taken_once_and_the_stricter_marking_holds() {
        let options = ReadOptions { tlp: Some(Tlp::Green), ..ReadOptions::default() };
        let mut draft = Draft::new(Format::List, "a file", &options);
        let terms = |place: &str| Terms { place: place.to_owned(), tlp: Some(Tlp::Red), ..Terms::default() };
        draft.claim(network("192.0.2.1"), &terms("line 1"));
        draft.claim(network("192.0.2.1"), &terms("line 2"));
        let reading = draft.finish().unwrap();
        assert_eq!(reading.claims.len(), 1);
        assert_eq!((reading.claims[0].tlp, &*reading.claims[0].place), (Some(Tlp::Red), "line 1"));
    }

    #[test]
    fn nothing_at_all_is_an_error() {
        let options = ReadOptions::default();
        assert_eq!(Draft::new(Format::List, "a file", &options).finish(), Err(ReadError::Nothing));
    }
}
