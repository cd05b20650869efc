//! Objects into claims.
//!
//! Three kinds of objects accuse: an indicator, through its pattern; a relationship that says
//! what infrastructure consists of or what malware talks to; and a sighting of either, which
//! dates it once more. An observable alone accuses nobody: it may be the victim's.

use std::collections::HashSet;

use rahdar_model::intelligence::{Cluster, ClusterId, HostClass, Indicator, WindowBasis};
use rahdar_model::{Timestamp, Window};

use super::graph::{Behind, Graph};
use super::object::{
    self, Body, ExternalReference, Object, ObjectError, Relationship, Sighting, Time, Traffic, Words, seen,
};
use super::pattern::{self, Dated};
use crate::assertion::{Assertion, Kind, Relation};
use crate::draft::{Draft, Terms, published_on, tidy_name, tidy_tools};
use crate::find::{Endpoint, protocol};
use crate::name;
use crate::reading::{Origin, Reason};
use crate::source::Source;

/// Takes the claims, clusters and facts from the objects into the draft.
pub(super) fn read<'t, 'd>(
    source: &Source,
    latest: &[Object<'t>],
    earlier: &[Object<'t>],
    draft: Draft<'d>,
) -> Draft<'d> {
    let graph = Graph::of(latest);
    let mut reader = Reader { source, graph: &graph, draft, accused: HashSet::new() };
    for object in earlier.iter().chain(latest) {
        match &object.body {
            Body::Indicator(indicator) => reader.indicator(object, indicator),
            Body::Relationship(relationship) => reader.relationship(object, relationship),
            Body::Sighting(sighting) => reader.sighting(object, sighting),
            _ => {}
        }
    }
    for object in latest {
        match &object.body {
            Body::Named(_) if matches!(object.kind(), "intrusion-set" | "threat-actor") => {
                reader.group(object);
                reader.known_as(object, Kind::Group);
            }
            Body::Named(_) if matches!(object.kind(), "malware" | "tool") => {
                reader.known_as(object, Kind::Malware);
            }
            Body::Relationship(relationship) if relationship.relationship_type == "attributed-to" => {
                reader.attributed(object, relationship);
            }
            Body::Endpoint(_) | Body::Traffic(_) | Body::Certificate(_)
                if !reader.accused.contains(object.id()) =>
            {
                reader.draft.set_aside(&format!("{} (nothing accuses it)", object.kind()));
            }
            Body::Unknown => reader.draft.set_aside(&format!("{} (no type of STIX 2.1)", object.kind())),
            _ => {}
        }
    }
    reader.draft
}

/// Other names of one object that are kept; chosen here.
const ALIASES_MAX: usize = 200;

struct Reader<'a, 'd> {
    source: &'a Source,
    graph: &'a Graph<'a>,
    draft: Draft<'d>,
    /// Observables that a claim was made of.
    accused: HashSet<&'a str>,
}

impl<'a> Reader<'a, '_> {
    fn indicator(&mut self, object: &Object<'_>, indicator: &object::Indicator) {
        let place = object.id();
        let stated = seen(indicator.valid_from.as_ref(), indicator.valid_until.as_ref());
        let ends = |time: &Option<Time>| time.as_ref().and_then(|time| time.at);
        if let (Some(from), Some(until)) = (ends(&indicator.valid_from), ends(&indicator.valid_until))
            && from >= until
        {
            let window = Window::new(from, until);
            return self.draft.refuse(
                place,
                indicator.pattern.as_deref().unwrap_or_default(),
                Reason::Window(window),
            );
        }
        let Some(endpoints) = self.pattern(object, indicator) else { return };
        let mut terms = self.terms(object);
        terms.window =
            stated.filter(|_| !is_filled_in(object, indicator)).map(|window| (window, WindowBasis::Stated));
        match Meaning::of(indicator) {
            Meaning::Benign => self.draft.set_aside("benign indicator"),
            Meaning::Anonymizer => {
                for (Endpoint { indicator, .. }, _) in endpoints {
                    match indicator {
                        Indicator::Network(network) => self.draft.fact(network, HostClass::Pool, &terms),
                        _ => self.draft.set_aside("name of an anonymizer"),
                    }
                }
            }
            Meaning::Hostile => self.claims(place, endpoints, &terms),
        }
    }

    /// What flows can answer of an indicator's pattern. What they cannot is set aside or refused
    /// here.
    fn pattern(&mut self, object: &Object<'_>, indicator: &object::Indicator) -> Option<Vec<Dated>> {
        let place = object.id();
        let Some(text) = &indicator.pattern else {
            self.draft.refuse(place, "", Reason::Object(ObjectError::NoPattern));
            return None;
        };
        if let Some(kind) = indicator.pattern_type.as_deref().filter(|kind| *kind != "stix") {
            self.draft.set_aside(&format!("{kind} pattern"));
            return None;
        }
        let compiled = match text.parse().and_then(|pattern| pattern::compile(&pattern)) {
            Ok(compiled) => compiled,
            Err(error) => {
                self.draft.refuse(place, text, Reason::Pattern(error));
                return None;
            }
        };
        for left in &compiled.left {
            self.draft.set_aside(&left.to_string());
        }
        for (path, value) in compiled.wrong {
            self.draft.refuse(place, &value, Reason::NotOfType(path));
        }
        Some(compiled.endpoints)
    }

    /// `infrastructure consists-of address` and its like are claims.
    fn relationship(&mut self, object: &Object<'_>, relationship: &Relationship) {
        let Some((subject, endpoints)) = self.endpoints(relationship) else { return };
        let mut terms = self.terms(object);
        let Relationship { start_time, stop_time, .. } = relationship;
        let (first, last) = match &subject.body {
            Body::Named(named) => (named.first_seen.as_ref(), named.last_seen.as_ref()),
            _ => (None, None),
        };
        let window = seen(start_time.as_ref().or(first), stop_time.as_ref().or(last));
        terms.window = window.map(|window| (window, WindowBasis::Stated));
        terms.revoked |= subject.revoked();
        terms.tlp = terms.tlp.max(self.graph.tlp(subject));
        self.claims(subject.id(), endpoints, &terms);
    }

    /// The endpoints that a relationship gives to infrastructure or malware.
    fn endpoints(&mut self, relationship: &Relationship) -> Option<(&'a Object<'a>, Vec<Dated>)> {
        if !matches!(relationship.relationship_type.as_str(), "consists-of" | "communicates-with") {
            return None;
        }
        let subject = self.graph.object(&relationship.source_ref)?;
        if !matches!(subject.kind(), "infrastructure" | "malware") {
            return None;
        }
        let target = self.graph.object(&relationship.target_ref)?;
        Some((subject, self.observed(target)))
    }

    /// The endpoints of an observable, or of all that was observed together.
    fn observed(&mut self, object: &'a Object<'a>) -> Vec<Dated> {
        match &object.body {
            Body::ObservedData(data) => {
                let window = seen(data.first_observed.as_ref(), data.last_observed.as_ref());
                let objects: Vec<&'a Object<'a>> =
                    data.object_refs.0.iter().filter_map(|id| self.graph.object(id)).collect();
                let ends = objects.iter().filter_map(|object| match &object.body {
                    Body::Traffic(traffic) => Some(traffic),
                    _ => None,
                });
                // Whoever takes part in a connection is named by it, with the port and the side.
                let taking_part: HashSet<&str> = ends
                    .flat_map(|traffic| [&traffic.src_ref, &traffic.dst_ref])
                    .flatten()
                    .map(String::as_str)
                    .collect();
                let apart = objects.into_iter().filter(|object| !taking_part.contains(object.id()));
                let endpoints: Vec<Endpoint> = apart.flat_map(|object| self.observable(object)).collect();
                endpoints.into_iter().map(|endpoint| (endpoint, window)).collect()
            }
            _ => self.observable(object).into_iter().map(|endpoint| (endpoint, None)).collect(),
        }
    }

    fn observable(&mut self, object: &'a Object<'a>) -> Vec<Endpoint> {
        match &object.body {
            Body::Endpoint(endpoint) => self.named(object, endpoint).into_iter().collect(),
            Body::Traffic(traffic) => {
                self.accused.insert(object.id());
                self.answering(traffic).into_iter().collect()
            }
            Body::Certificate(certificate) => {
                self.accused.insert(object.id());
                let hashes = certificate.hashes.values().filter_map(|hash| Indicator::certificate(hash));
                hashes.map(|indicator| Endpoint { indicator, port: None, protocol: None }).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The address, name or URL that an observable is.
    fn named(&mut self, object: &'a Object<'a>, endpoint: &object::Endpoint) -> Option<Endpoint> {
        self.accused.insert(object.id());
        let value = endpoint.value.as_str();
        let indicator = match object.kind() {
            "domain-name" => name::domain(value).map(Indicator::Domain),
            "url" => Some(Indicator::Url(value.to_owned())),
            _ => value.parse().ok().map(Indicator::Network),
        };
        if indicator.is_none() {
            let reason = Reason::NotOfType(format!("{}:value", object.kind()));
            self.draft.refuse(object.id(), value, reason);
        }
        indicator.map(|indicator| Endpoint { indicator, port: None, protocol: None })
    }

    /// The side of a connection that answers, or the only side that is named.
    fn answering(&mut self, traffic: &'a Traffic) -> Option<Endpoint> {
        let (end, port) = match (&traffic.dst_ref, &traffic.src_ref) {
            (Some(end), _) => (end, traffic.dst_port),
            (None, Some(end)) => (end, traffic.src_port),
            (None, None) => return None,
        };
        let end = self.graph.object(end)?;
        let Body::Endpoint(endpoint) = &end.body else { return None };
        let Words(protocols) = &traffic.protocols;
        let protocol = protocols.iter().find_map(|word| protocol(word));
        Some(Endpoint { port, protocol, ..self.named(end, endpoint)? })
    }

    /// A sighting of an indicator or of infrastructure says once more when its endpoints were at
    /// work.
    fn sighting(&mut self, object: &Object<'_>, sighting: &Sighting) {
        let window = seen(sighting.first_seen.as_ref(), sighting.last_seen.as_ref());
        let Some(window) = window.filter(|_| sighting.count != Some(0)) else { return };
        let Some(subject) = self.graph.object(&sighting.sighting_of_ref) else { return };
        let endpoints = match &subject.body {
            Body::Indicator(indicator) if Meaning::of(indicator) == Meaning::Hostile => {
                let compiled = indicator.pattern.as_deref().unwrap_or_default().parse();
                // What is wrong with the pattern is said once, where the indicator is read.
                let compiled = compiled.and_then(|pattern| pattern::compile(&pattern));
                compiled.map(|compiled| compiled.endpoints).unwrap_or_default()
            }
            Body::Named(_) if subject.kind() == "infrastructure" => {
                let mut endpoints = Vec::new();
                for relationship in self.graph.endpoints(subject.id()) {
                    if let Body::Relationship(relationship) = &relationship.body {
                        endpoints
                            .extend(self.endpoints(relationship).into_iter().flat_map(|(_, found)| found));
                    }
                }
                endpoints
            }
            _ => return,
        };
        let mut terms = self.terms(object);
        terms.window = Some((window, WindowBasis::Stated));
        terms.revoked |= subject.revoked();
        terms.tlp = terms.tlp.max(self.graph.tlp(subject));
        let endpoints = endpoints.into_iter().map(|(endpoint, _)| (endpoint, None)).collect();
        self.claims(subject.id(), endpoints, &terms);
    }

    /// One claim per endpoint and per time that someone stands behind it. Where the endpoint is
    /// dated and its owner only for a part of that, the rest is a claim of no cluster.
    fn claims(&mut self, subject: &str, endpoints: Vec<Dated>, terms: &Terms) {
        let Some(subject) = self.graph.object(subject).map(Object::id) else { return };
        let (tools, tlp) = self.graph.tools(subject);
        let behind = self.graph.clusters(subject);
        let terms = Terms { tools, tlp: terms.tlp.max(tlp), ..terms.clone() };
        for (endpoint, own) in endpoints {
            let stated = narrowed(terms.window, own);
            let mut parts: Vec<Terms> = Vec::new();
            let mut unowned: Vec<Window> = stated.iter().map(|(window, _)| *window).collect();
            for Behind { object, window, tlp } in &behind {
                let held = match stated {
                    Some((stated, basis)) if stated.overlaps(*window) => {
                        Some((stated.intersect(*window), basis))
                    }
                    Some(_) => continue,
                    None if *window == Window::ALL => None,
                    None => Some((*window, WindowBasis::Stated)),
                };
                unowned = unowned.into_iter().flat_map(|part| without(part, *window)).collect();
                let cluster = Some((object.name().unwrap_or_default().to_owned(), Origin::Object));
                parts.push(Terms { window: held, cluster, tlp: terms.tlp.max(*tlp), ..terms.clone() });
            }
            let nobody = Terms { cluster: self.source.cluster.clone(), ..terms.clone() };
            if parts.is_empty() {
                parts.push(Terms { window: stated, ..nobody });
            } else if let Some((_, basis)) = stated {
                let rest = unowned.into_iter().map(|window| Some((window, basis)));
                parts.extend(rest.map(|window| Terms { window, ..nobody.clone() }));
            }
            for endpoint in with_address(endpoint) {
                for terms in &parts {
                    self.draft.claim(endpoint.clone(), terms);
                }
            }
        }
    }

    fn group(&mut self, object: &Object<'_>) {
        let name = object.name().map(tidy_name);
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return self.draft.refuse(object.id(), "", Reason::Object(ObjectError::NoName));
        };
        if object.revoked() {
            return;
        }
        let tools = tidy_tools(&self.graph.tools_of_group(object.id()));
        self.draft.cluster(Cluster { id: ClusterId::of_name(&name), name, named: true, tools });
    }

    /// What a name is, and its other names, each as a relation. ATT&CK's are those of groups that
    /// may overlap in part alone (attack.mitre.org, "Associated groups").
    fn known_as(&mut self, object: &Object<'_>, kind: Kind) {
        let name = object.name().map(tidy_name).unwrap_or_default();
        if name.is_empty() || object.revoked() {
            return;
        }
        let list = |property| object.property::<Vec<String>>(property).ok().flatten().unwrap_or_default();
        let references: Vec<ExternalReference> =
            object.property("external_references").ok().flatten().unwrap_or_default();
        let attack = references.iter().any(|reference| reference.source_name == "mitre-attack");
        let alias = if attack && kind == Kind::Group { Relation::Overlaps } else { Relation::SameAs };
        let terms = self.terms(object);
        let said = |relation, object: &str| Assertion {
            subject: name.clone(),
            relation,
            object: object.to_owned(),
            window: None,
            asserted_by: None,
            source: terms.source.clone().unwrap_or_else(|| self.draft.source()),
            published: terms.version,
            confidence: None,
            tlp: terms.tlp,
        };
        let mut assertions = vec![said(Relation::Is, kind.word())];
        let aliases =
            list("aliases").into_iter().chain(list("x_mitre_aliases")).map(|alias| tidy_name(&alias));
        assertions.extend(
            aliases.take(ALIASES_MAX).filter(|other| *other != name).map(|other| said(alias, &other)),
        );
        assertions.into_iter().for_each(|assertion| self.draft.assertion(assertion));
    }

    /// Whom a group is attributed to, as a relation of their names.
    fn attributed(&mut self, object: &Object<'_>, relationship: &Relationship) {
        let named = |id: &str, kinds: &[&str]| {
            let of = self.graph.object(id).filter(|of| kinds.contains(&of.kind()) && !of.revoked())?;
            Some((tidy_name(of.name()?), self.graph.tlp(of))).filter(|(name, _)| !name.is_empty())
        };
        let group = named(&relationship.source_ref, &["intrusion-set", "threat-actor"]);
        let actor = named(&relationship.target_ref, &["intrusion-set", "threat-actor", "identity"]);
        let Some(((subject, of_group), (other, of_actor))) = group.zip(actor) else { return };
        if object.revoked() || subject == other {
            return;
        }
        let terms = self.terms(object);
        self.draft.assertion(Assertion {
            subject,
            relation: Relation::AttributedTo,
            object: other,
            window: seen(relationship.start_time.as_ref(), relationship.stop_time.as_ref()),
            asserted_by: None,
            source: terms.source.clone().unwrap_or_else(|| self.draft.source()),
            published: terms.version,
            confidence: terms.confidence,
            tlp: terms.tlp.max(of_group).max(of_actor),
        });
    }

    fn terms(&self, object: &Object<'_>) -> Terms {
        let common = &object.common;
        let author = common.created_by_ref.as_deref().and_then(|id| self.graph.object(id));
        let author = author.and_then(Object::name);
        let created = common.created.as_ref().and_then(|time| time.at);
        let confidence = common.confidence.as_ref().and_then(serde_json::Number::as_f64);
        Terms {
            place: object.id().to_owned(),
            published: created.map(published_on),
            version: object.version(),
            source: author.map(|author| tidy_name(author).into()),
            confidence: confidence.map(|confidence| confidence.round() as u8),
            tlp: self.graph.tlp(object),
            revoked: object.revoked(),
            ..Terms::default()
        }
    }
}

/// What an indicator says of what it finds (STIX 2.1 §10.8; in STIX 2.0 a label says it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Hostile,
    /// Harmless: it is there to tell it from what is not.
    Benign,
    /// A proxy, a VPN or a relay: its user is someone else.
    Anonymizer,
}

impl Meaning {
    fn of(indicator: &object::Indicator) -> Self {
        let Words(types) = &indicator.indicator_types;
        let Words(labels) = &indicator.labels;
        let words: Vec<&str> = types.iter().chain(labels).map(String::as_str).collect();
        let hostile = ["malicious-activity", "compromised", "attribution", "anomalous-activity"];
        if hostile.iter().any(|word| words.contains(word)) {
            Self::Hostile
        } else if words.contains(&"benign") {
            Self::Benign
        } else if words.contains(&"anonymization") {
            Self::Anonymizer
        } else {
            Self::Hostile
        }
    }
}

/// Whether a tool filled in when an indicator begins to hold.
///
/// A `valid_from` without `valid_until` that repeats `created` to the millisecond is what a tool
/// filled in, and says when the object was made (`methods.md` §7.4). A midnight was typed by a
/// person.
fn is_filled_in(object: &Object<'_>, indicator: &object::Indicator) -> bool {
    let at = |time: Option<&Time>| time.and_then(|time| time.at);
    let from = at(indicator.valid_from.as_ref());
    let made = at(object.common.created.as_ref());
    indicator.valid_until.is_none()
        && from == made
        && from.is_some_and(|from: Timestamp| from != from.day().start())
}

/// The window of an indicator as a `START … STOP …` of its pattern narrows it. Where the two never
/// meet, the pattern is believed: it speaks of this endpoint.
fn narrowed(stated: Option<(Window, WindowBasis)>, own: Option<Window>) -> Option<(Window, WindowBasis)> {
    let Some(own) = own else { return stated };
    let window = match stated {
        Some((window, _)) if window.overlaps(own) => window.intersect(own),
        _ => own,
    };
    Some((window, WindowBasis::Stated))
}

/// What of a window lies outside another.
fn without(window: Window, other: Window) -> impl Iterator<Item = Window> {
    let before = Window::new(window.from, window.until.min(other.from));
    let after = Window::new(window.from.max(other.until), window.until);
    [before, after].into_iter().filter(|part| !part.is_empty())
}

/// A URL of an address is a claim on the address too.
fn with_address(endpoint: Endpoint) -> Vec<Endpoint> {
    let Indicator::Url(url) = &endpoint.indicator else { return vec![endpoint] };
    crate::find::of_url(url).unwrap_or_else(|| vec![endpoint])
}
