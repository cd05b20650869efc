//! STIX 2.1 bundles, and 2.0 as far as the same reading serves.
//!
//! Objects are read one by one: a malformed one is refused and the others are kept. Of several
//! versions of an object the latest counts. What the objects say about each other gives a claim
//! its cluster and its tools.

mod graph;
mod object;
mod pattern;

use std::collections::HashMap;

use rahdar_model::intelligence::{Cluster, ClusterId, Indicator, Tlp, WindowBasis};
use rahdar_model::{Timestamp, Window};

use crate::find::Endpoint;
use crate::reading::{
    Draft, Format, Origin, ReadError, ReadOptions, Reading, Reason, Terms, published_on, tidy_name,
    tidy_tools,
};
use crate::source::Source;
use graph::Graph;
use object::{Object, Raw};

/// Reads a bundle, a TAXII envelope, a list of objects, or one object.
pub(crate) fn read(source: &Source, text: &str, options: &ReadOptions) -> Result<Reading, ReadError> {
    let raws = object::raws(text)?;
    let mut draft = Draft::new(Format::Stix, &source.shown, options);
    let objects = latest(text, raws, &mut draft);
    let graph = Graph::of(&objects);
    let mut reader = Reader { source, graph: &graph, draft };
    for object in &objects {
        match object.kind.as_str() {
            "indicator" => reader.indicator(object),
            "relationship" => reader.relationship(object),
            "intrusion-set" | "threat-actor" => reader.group(object),
            _ => {}
        }
    }
    reader.draft.finish()
}

/// The latest version of each object, in the order of the bundle. Malformed objects are refused.
fn latest(text: &str, raws: Vec<Raw<'_>>, draft: &mut Draft<'_>) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut lines = object::Lines::of(text);
    for raw in raws {
        match object::read(raw) {
            Ok(object) => match places.get(&object.id) {
                Some(at) if objects[*at].version > object.version => {}
                Some(at) => objects[*at] = object,
                None => {
                    places.insert(object.id.clone(), objects.len());
                    objects.push(object);
                }
            },
            Err(detail) => {
                draft.refuse(&lines.place(raw), raw.get(), Reason::Object(detail));
            }
        }
    }
    objects
}

struct Reader<'a> {
    source: &'a Source,
    graph: &'a Graph<'a>,
    draft: Draft<'a>,
}

impl Reader<'_> {
    fn indicator(&mut self, object: &Object) {
        let Some(text) = &object.pattern else {
            return self.draft.refuse(&object.id, "", Reason::Object("it has no pattern".to_owned()));
        };
        if let Some(kind) = object.pattern_type.as_deref().filter(|kind| *kind != "stix") {
            return self.draft.set_aside(&format!("{kind} pattern"));
        }
        let pattern = match pattern::read(text) {
            Ok(pattern) => pattern,
            Err(detail) => return self.draft.refuse(&object.id, text, Reason::Pattern(detail)),
        };
        for path in &pattern.unanswerable {
            self.draft.set_aside(path);
        }
        for (path, value) in pattern.wrong {
            self.draft.refuse(&object.id, &value, Reason::NotOfType(path));
        }
        let mut terms = self.terms(object);
        terms.window = validity(object).map(|window| (window, WindowBasis::Stated));
        if let Some(observed) = pattern.window {
            let window = match terms.window {
                Some((window, _)) if window.overlaps(observed) => window.intersect(observed),
                _ => observed,
            };
            terms.window = Some((window, WindowBasis::Stated));
        }
        for endpoint in pattern.endpoints {
            self.claims(&object.id, with_address(endpoint), &terms);
        }
    }

    /// `infrastructure consists-of address` and its like are claims too.
    fn relationship(&mut self, object: &Object) {
        let kind = object.relationship_type.as_deref().unwrap_or_default();
        if !matches!(kind, "consists-of" | "communicates-with") {
            return;
        }
        let (Some(subject), Some(target)) = (self.graph.source(object), self.graph.target(object)) else {
            return;
        };
        if !matches!(subject.kind.as_str(), "infrastructure" | "malware") {
            return;
        }
        let Some(value) = target.value.as_deref() else { return };
        let indicator = match target.kind.as_str() {
            "ipv4-addr" | "ipv6-addr" => value.parse().ok().map(Indicator::Network),
            "domain-name" => crate::name::domain(value).map(Indicator::Domain),
            "url" => Some(Indicator::Url(value.to_owned())),
            _ => return,
        };
        let Some(indicator) = indicator else {
            return self.draft.refuse(&target.id, value, Reason::NotAddress);
        };
        let mut terms = self.terms(object);
        let from = object.start_time.or(subject.first_seen);
        let until = object.stop_time.or(subject.last_seen);
        if from.is_some() || until.is_some() {
            let window = Window::new(from.unwrap_or(Timestamp::MIN), until.unwrap_or(Timestamp::MAX));
            terms.window = Some((window, WindowBasis::Stated));
        }
        terms.revoked |= subject.revoked;
        self.claims(&subject.id, with_address(Endpoint { indicator, port: None, protocol: None }), &terms);
    }

    /// One claim per endpoint and cluster.
    fn claims(&mut self, subject: &str, endpoints: Vec<Endpoint>, terms: &Terms) {
        let tools = self.graph.tools(subject);
        let clusters = self.graph.clusters(subject);
        for endpoint in endpoints {
            if clusters.is_empty() {
                let terms =
                    Terms { tools: tools.clone(), cluster: self.source.cluster.clone(), ..terms.clone() };
                self.draft.claim(endpoint.clone(), &terms);
            }
            for cluster in &clusters {
                let cluster = Some((cluster.name.clone().unwrap_or_default(), Origin::Object));
                self.draft.claim(endpoint.clone(), &Terms { tools: tools.clone(), cluster, ..terms.clone() });
            }
        }
    }

    fn group(&mut self, object: &Object) {
        let name = object.name.as_deref().map(tidy_name);
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return self.draft.refuse(&object.id, "", Reason::Object("it has no name".to_owned()));
        };
        if object.revoked {
            return;
        }
        let tools = tidy_tools(&self.graph.tools_of_group(&object.id));
        self.draft.cluster(Cluster { id: ClusterId::of_name(&name), name, named: true, tools });
    }

    fn terms(&self, object: &Object) -> Terms {
        let author = object.created_by_ref.as_deref().and_then(|id| self.graph.object(id));
        let author = author.and_then(|identity| identity.name.as_deref());
        Terms {
            place: object.id.clone(),
            published: object.created.map(published_on),
            version: object.version,
            source: author.map(|author| tidy_name(author).into()),
            confidence: object.confidence,
            tlp: object.object_marking_refs.iter().filter_map(|id| self.marking(id)).max(),
            revoked: object.revoked,
            ..Terms::default()
        }
    }

    fn marking(&self, id: &str) -> Option<Tlp> {
        let defined = || self.graph.object(id).and_then(|object| object.tlp);
        object::known_marking(id).or_else(defined)
    }
}

/// The window that an indicator states.
///
/// A `valid_from` without `valid_until` that repeats `created` to the millisecond is what a tool
/// filled in, and says when the object was made (`methods.md` §7.4). A midnight was typed by a
/// person.
fn validity(object: &Object) -> Option<Window> {
    let from = object.valid_from?;
    let filled_in =
        object.valid_until.is_none() && object.created == Some(from) && from != from.day().start();
    (!filled_in).then(|| Window::new(from, object.valid_until.unwrap_or(Timestamp::MAX)))
}

/// A URL of an address is a claim on the address too.
fn with_address(endpoint: Endpoint) -> Vec<Endpoint> {
    let Indicator::Url(url) = &endpoint.indicator else { return vec![endpoint] };
    crate::find::of_url(url).unwrap_or_else(|| vec![endpoint])
}

#[cfg(test)]
mod tests;
