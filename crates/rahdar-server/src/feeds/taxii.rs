//! TAXII 2.1 (OASIS, 10 June 2021) as a client speaks it, without a connection: what to ask next, and what
//! to make of the answer.
//!
//! The URL of an entry may be that of the discovery, of an API root or of a collection: the answer tells.
//! Pages are gathered into batches, because objects speak about each other: an indicator may lie on the first
//! page and whose it is on the last.
//!
//! What they speak about may have been added long before: what a batch names and does not hold is asked for by
//! its id.
//!
//! A position is a time for `added_after`. Where a collection was read to its end, it is that of the last
//! object. Where it was left in between, it is a moment earlier, since others may have been added at that very
//! moment and lie on the next page; the book takes nothing twice.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use rahdar_model::Timestamp;
use reqwest::Url;
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::outbound::guard::shown;
use crate::outbound::{Answer, Ask, Known};

/// What is understood, and asked for (TAXII 2.1 §1.6.8).
const MEDIA_TYPE: &str = "application/taxii+json;version=2.1";

/// Objects asked for at once; chosen here: servers give fewer if they like.
const PAGE_OBJECTS: &str = "1000";

/// Octets, and objects, after which a batch ends; chosen here: what is read at once without much memory, and
/// larger than most collections.
const BATCH_OCTETS: usize = 64 << 20;
const BATCH_OBJECTS: usize = 100_000;

/// Objects that one batch names and does not hold, at most, and how many are asked for at once; chosen here: new
/// intelligence names few old groups, and a URL has room for twenty ids.
const REFERENCES_MAX: usize = 1_000;
const IDS_AT_ONCE: usize = 20;

/// Pages of one collection at most; chosen here: a hundred million objects.
const PAGES_MAX: usize = 100_000;

/// Pages without an object that may follow each other; chosen here: a server that filters late has some.
const EMPTY_PAGES_MAX: usize = 10;

/// API roots, and collections, at most; chosen here: the largest servers have some dozens.
const ROOTS_MAX: usize = 100;
const COLLECTIONS_MAX: usize = 1_000;

/// An answer that cannot be made anything of.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Fault {
    #[error("`{url}` speaks TAXII 2.0; rahdar reads 2.1")]
    OldVersion { url: String },
    #[error(
        "`{url}` answers with `{found}`, which is no TAXII 2.1: the entry's `url` may be wrong, or a login page in front of it"
    )]
    MediaType { url: String, found: String },
    #[error("`{url}` answers with JSON that is cut off or broken: {detail}")]
    NotJson { url: String, detail: String },
    #[error("`{url}` is no discovery, API root or collection")]
    Unknown { url: String },
    #[error("the API root `{root}` is on another host: give it an entry of its own")]
    OtherHost { root: String },
    #[error("there is no collection `{0}` that may be read")]
    NoCollection(String),
    #[error("`{url}` announces another page but gives no `next`")]
    NoMore { url: String },
    #[error("`{url}` has more than {most} {what}")]
    TooMany { url: String, what: &'static str, most: usize },
}

/// Objects to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// The collection: its URL.
    pub(super) part: String,
    /// A name for people and for the claims: the id of the collection.
    pub(super) name: String,
    /// A bundle.
    pub(super) text: String,
    pub(super) objects: usize,
    /// How far the collection was read with it.
    pub(super) position: String,
}

/// A walk through all that a server has.
pub(super) struct Walk {
    home: Url,
    /// Ids, aliases or titles of the collections to read; none: all.
    wanted: Option<BTreeSet<String>>,
    /// Those of them that were not found yet.
    missing: BTreeSet<String>,
    reached: BTreeMap<String, String>,
    ahead: VecDeque<Place>,
    /// Collections met, so that two roots may name the same.
    met: BTreeSet<String>,
    faults: Vec<Fault>,
}

/// Where the walk stands.
enum Place {
    /// Some resource, told by its content.
    Any(Url),
    Collections(Url),
    Objects(Box<Reading>),
}

/// A collection that is being read.
struct Reading {
    url: Url,
    name: String,
    /// For `added_after`.
    after: Option<Timestamp>,
    next: Option<String>,
    pages: usize,
    empty: usize,
    /// When the last object that was read was added.
    last: Option<Timestamp>,
    gathered: String,
    objects: usize,
    /// Ids of the objects that were gathered, and of those that they name.
    held: HashSet<String>,
    named: BTreeSet<String>,
    /// What is asked for by its id before the batch is done, and whether there are further pages after it.
    missing: Vec<String>,
    more: bool,
}

/// What an object is called, and which objects it names whose words change what it means.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Names {
    id: String,
    created_by_ref: Option<String>,
    source_ref: Option<String>,
    target_ref: Option<String>,
    sighting_of_ref: Option<String>,
    observed_data_refs: Vec<String>,
    object_marking_refs: Vec<String>,
}

/// Any resource of TAXII, as far as it is needed.
#[derive(Deserialize)]
struct Resource {
    api_roots: Option<Vec<String>>,
    versions: Option<serde::de::IgnoredAny>,
    collections: Option<Vec<Collection>>,
    id: Option<String>,
    can_read: Option<bool>,
}

#[derive(Deserialize)]
struct Collection {
    id: String,
    title: Option<String>,
    alias: Option<String>,
    #[serde(default)]
    can_read: bool,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    more: bool,
    next: Option<serde_json::Value>,
    #[serde(borrow, default)]
    objects: Vec<&'a RawValue>,
}

impl Walk {
    /// From this URL on, through the collections of these ids, aliases or titles, or through all; each from
    /// where it was read to.
    pub(super) fn new(home: Url, wanted: &[String], reached: BTreeMap<String, String>) -> Self {
        let ahead = VecDeque::from([Place::Any(home.clone())]);
        let missing: BTreeSet<String> = wanted.iter().cloned().collect();
        let wanted = (!missing.is_empty()).then(|| missing.clone());
        Self { home, wanted, missing, reached, ahead, met: BTreeSet::new(), faults: Vec::new() }
    }

    /// What to ask next; none at the end.
    pub(super) fn ask(&self) -> Option<Ask> {
        let url = match self.ahead.front()? {
            Place::Any(url) | Place::Collections(url) => url.clone(),
            Place::Objects(reading) => reading.ask(),
        };
        Some(Ask { url, accept: MEDIA_TYPE, known: Known::default() })
    }

    /// Takes the answer to what was asked. What comes back is to be recorded.
    pub(super) fn answer(&mut self, answer: &Answer) -> Option<Batch> {
        let place = self.ahead.pop_front()?;
        match place {
            Place::Any(url) => {
                let found = parse(&url, answer).and_then(|resource| self.any(&url, resource));
                self.faults.extend(found.err());
                None
            }
            Place::Collections(url) => {
                let found = parse::<Resource>(&url, answer);
                let found =
                    found.and_then(|list| self.collections(&url, list.collections.unwrap_or_default()));
                self.faults.extend(found.err());
                None
            }
            Place::Objects(mut reading) => {
                let batch = reading.answer(answer, &mut self.faults);
                if !reading.is_done() {
                    self.ahead.push_front(Place::Objects(reading));
                }
                batch
            }
        }
    }

    /// Gives up what was asked: there is no answer. What was read of that collection is to be recorded.
    pub(super) fn give_up(&mut self) -> Option<Batch> {
        match self.ahead.pop_front()? {
            Place::Objects(mut reading) => {
                // Of what it names, only the words are missing.
                let is_in_between = reading.missing.is_empty() || reading.more;
                reading.batch(is_in_between)
            }
            Place::Any(_) | Place::Collections(_) => None,
        }
    }

    /// What could not be made anything of, once the walk is at its end.
    pub(super) fn faults(self) -> Vec<Fault> {
        let missing = self.missing.into_iter().map(Fault::NoCollection);
        // Of a server that could not be read at all, nothing more is to be said.
        if self.faults.is_empty() { missing.collect() } else { self.faults }
    }

    fn any(&mut self, url: &Url, resource: Resource) -> Result<(), Fault> {
        if let Some(roots) = resource.api_roots {
            if roots.len() > ROOTS_MAX {
                return Err(Fault::TooMany { url: shown(url), what: "API roots", most: ROOTS_MAX });
            }
            for root in roots {
                match self.home.join(&root) {
                    Ok(found) if found.origin() == self.home.origin() => {
                        self.ahead.push_back(Place::Collections(below(&found, &["collections"])));
                    }
                    _ => self.faults.push(Fault::OtherHost { root }),
                }
            }
            Ok(())
        } else if let (Some(id), Some(can_read)) = (resource.id, resource.can_read) {
            self.missing.clear();
            if !can_read {
                return Err(Fault::NoCollection(id));
            }
            self.collection(below(url, &["objects"]), &id);
            Ok(())
        } else if let Some(collections) = resource.collections {
            self.collections(url, collections)
        } else if resource.versions.is_some() {
            self.ahead.push_back(Place::Collections(below(url, &["collections"])));
            Ok(())
        } else {
            Err(Fault::Unknown { url: shown(url) })
        }
    }

    fn collections(&mut self, url: &Url, collections: Vec<Collection>) -> Result<(), Fault> {
        if collections.len() > COLLECTIONS_MAX {
            return Err(Fault::TooMany { url: shown(url), what: "collections", most: COLLECTIONS_MAX });
        }
        for collection in collections.into_iter().filter(|collection| collection.can_read) {
            let names = [Some(&collection.id), collection.alias.as_ref(), collection.title.as_ref()];
            let mut is_wanted = self.wanted.is_none();
            for name in names.into_iter().flatten() {
                is_wanted |= self.wanted.as_ref().is_some_and(|wanted| wanted.contains(name));
                self.missing.remove(name);
            }
            if is_wanted {
                self.collection(below(url, &[&collection.id, "objects"]), &collection.id);
            }
        }
        Ok(())
    }

    fn collection(&mut self, url: Url, id: &str) {
        if !self.met.insert(url.to_string()) {
            return;
        }
        let after = self.reached.get(url.as_str()).and_then(|position| position.parse().ok());
        self.ahead.push_back(Place::Objects(Box::new(Reading {
            name: id.to_owned(),
            after,
            next: None,
            pages: 0,
            empty: 0,
            last: None,
            gathered: String::new(),
            objects: 0,
            held: HashSet::new(),
            named: BTreeSet::new(),
            missing: Vec::new(),
            more: true,
            url,
        })));
    }
}

impl Reading {
    fn ask(&self) -> Url {
        let mut url = self.url.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("limit", PAGE_OBJECTS);
        if !self.missing.is_empty() {
            let ids = &self.missing[..self.missing.len().min(IDS_AT_ONCE)];
            query.append_pair("match[id]", &ids.join(","));
            drop(query);
            return url;
        }
        if let Some(after) = self.after {
            query.append_pair("added_after", &after.to_string());
        }
        if let Some(next) = &self.next {
            query.append_pair("next", next);
        }
        drop(query);
        url
    }

    /// Whether there is nothing more to ask.
    fn is_done(&self) -> bool {
        !self.more && self.missing.is_empty()
    }

    /// Takes an answer. A batch comes back when it is whole.
    fn answer(&mut self, answer: &Answer, faults: &mut Vec<Fault>) -> Option<Batch> {
        if !self.missing.is_empty() {
            self.found(answer);
        } else if let Err(fault) = self.page(answer) {
            faults.push(fault);
            self.more = false;
            return self.batch(true);
        } else {
            let is_full = self.gathered.len() >= BATCH_OCTETS || self.objects >= BATCH_OBJECTS;
            if self.more && !is_full {
                return None;
            }
            let unknown = std::mem::take(&mut self.named).into_iter().filter(|id| !self.held.contains(id));
            self.missing = unknown.take(REFERENCES_MAX).collect();
        }
        if self.missing.is_empty() { self.batch(self.more) } else { None }
    }

    /// Takes objects that were asked for by their ids. What does not come is not asked for again; a server that
    /// gives fewer at once is.
    fn found(&mut self, answer: &Answer) {
        let before = self.held.len();
        if let Ok(Envelope { objects, .. }) = parse(&self.url, answer) {
            self.gather(&objects);
        }
        if self.held.len() == before {
            self.missing.drain(..self.missing.len().min(IDS_AT_ONCE));
        }
        self.missing.retain(|id| !self.held.contains(id));
    }

    fn gather(&mut self, objects: &[&RawValue]) {
        for object in objects {
            self.gathered.push_str(if self.gathered.is_empty() { "\n" } else { ",\n" });
            self.gathered.push_str(object.get());
            // What has not this form is refused where it is read.
            let names: Names = serde_json::from_str(object.get()).unwrap_or_default();
            let named = [names.created_by_ref, names.source_ref, names.target_ref, names.sighting_of_ref];
            self.named.extend(named.into_iter().flatten());
            self.named.extend(names.observed_data_refs.into_iter().chain(names.object_marking_refs));
            self.held.insert(names.id);
        }
        self.objects += objects.len();
    }

    /// Takes a page.
    fn page(&mut self, answer: &Answer) -> Result<(), Fault> {
        let url = shown(&self.url);
        let Envelope { more, next, objects } = parse(&self.url, answer)?;
        self.pages += 1;
        self.empty = if objects.is_empty() { self.empty + 1 } else { 0 };
        self.gather(&objects);
        let last: Option<Timestamp> = answer.added_last.as_ref().and_then(|time| time.parse().ok());
        let newest = self.last.max(last);
        if more {
            if self.pages >= PAGES_MAX {
                return Err(Fault::TooMany { url, what: "pages", most: PAGES_MAX });
            }
            if self.empty >= EMPTY_PAGES_MAX {
                return Err(Fault::TooMany { url, what: "pages without an object", most: EMPTY_PAGES_MAX });
            }
            match next {
                Some(serde_json::Value::String(next)) => self.next = Some(next),
                Some(serde_json::Value::Number(next)) => self.next = Some(next.to_string()),
                // A server that names no next page is asked by time: for the last moment again, of which there may
                // be more, unless that is where it was asked from.
                _ if newest > self.after => {
                    let before = newest.map(|newest| newest.plus_micros(-1));
                    (self.after, self.next) = (if before > self.after { before } else { newest }, None);
                }
                _ => return Err(Fault::NoMore { url }),
            }
        }
        (self.last, self.more) = (newest, more);
        Ok(())
    }

    /// What was gathered; none if that is nothing.
    fn batch(&mut self, is_in_between: bool) -> Option<Batch> {
        (self.held, self.named, self.missing) = Default::default();
        let objects = std::mem::take(&mut self.objects);
        let text = std::mem::take(&mut self.gathered);
        if objects == 0 {
            return None;
        }
        let back = if is_in_between { -1 } else { 0 };
        let position = self.last.map(|last| last.plus_micros(back)).or(self.after);
        Some(Batch {
            part: self.url.to_string(),
            name: self.name.clone(),
            text: format!("{{\"type\": \"bundle\", \"objects\": [{text}\n]}}"),
            objects,
            position: position.map(|time| time.to_string()).unwrap_or_default(),
        })
    }
}

/// The URL of what lies below a resource.
fn below(url: &Url, names: &[&str]) -> Url {
    let mut below = url.clone();
    below.set_query(None);
    below.set_fragment(None);
    if let Ok(mut path) = below.path_segments_mut() {
        path.pop_if_empty().extend(names).push("");
    }
    below
}

/// Reads an answer, if it is TAXII 2.1.
fn parse<'a, T: Deserialize<'a>>(url: &Url, answer: &'a Answer) -> Result<T, Fault> {
    let found = answer.content_type.clone().unwrap_or_default();
    let mut parts = found.split(';').map(|part| part.trim().to_ascii_lowercase());
    let kind = parts.next().unwrap_or_default();
    let version =
        parts.find_map(|part| part.strip_prefix("version=").map(|v| v.trim_matches('"').to_owned()));
    match (kind.as_str(), version.as_deref()) {
        ("application/taxii+json", None | Some("2.1")) => {}
        ("application/vnd.oasis.taxii+json" | "application/vnd.oasis.stix+json", _)
        | ("application/taxii+json", _) => return Err(Fault::OldVersion { url: shown(url) }),
        _ => return Err(Fault::MediaType { url: shown(url), found }),
    }
    serde_json::from_slice(&answer.body)
        .map_err(|error| Fault::NotJson { url: shown(url), detail: error.to_string() })
}

#[cfg(test)]
mod tests;
