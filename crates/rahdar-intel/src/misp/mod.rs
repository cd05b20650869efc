//! MISP: events, galaxies and the files of a feed.
//!
//! * [`Event`] keeps an event whole, so that it can be written again;
//! * `about` reads tags and galaxies;
//! * this file makes claims of attributes and objects.
//!
//! `to_ids` counts where the author of an event used it: in an event with any attribute marked
//! so, the others are context. Vendors publish whole events without it, and meant every address.
//! Whether an event is published says what a server has sent, and nothing of what it says.
//! An attribute that was deleted takes back what was claimed before.

mod about;
mod event;
mod kinds;

use std::collections::BTreeMap;

use rahdar_model::intelligence::{Cluster, ClusterId, WindowBasis};
use rahdar_model::{Timestamp, Window};
use serde::Deserialize;

use crate::age::{Report, ReportKind};
use crate::assertion::{Assertion, Kind, Relation};
use crate::draft::{Draft, Terms, tidy_name};
use crate::find::Endpoint;
use crate::json;
use crate::reading::{Format, Origin, ReadError, ReadOptions, Reading, Reason};
use crate::source::Source;
use about::{About, Galaxy};
use event::Part;
pub use event::{EVENTS_MAX, Event};

/// Reads events, attributes, or the answer of a server.
pub(crate) fn read(source: &Source, text: &str, options: &ReadOptions) -> Result<Reading, ReadError> {
    let mut reader =
        Reader { source, draft: Draft::new(Format::Misp, &source.shown, options), attributes: 0 };
    for event in Event::all(text)? {
        reader.event(event.part());
    }
    reader.draft.finish()
}

struct Reader<'a> {
    source: &'a Source,
    draft: Draft<'a>,
    /// Attributes met so far.
    attributes: usize,
}

/// What holds for all attributes of an event.
struct Frame {
    about: About,
    terms: Terms,
    /// Whether the author marked what is an indicator.
    marked: bool,
}

/// Sightings that are read of one attribute; chosen here.
const SIGHTINGS_MAX: usize = 1_000;

impl Reader<'_> {
    fn event(&mut self, event: Part<'_>) {
        let author = event.parts("Orgc").chain(event.parts("Org")).find_map(|org| org.text("name"));
        let published = event.time("date").ok().flatten().map(|date| date.at.day().window());
        let objects = || event.parts("Object");
        let mut attributes = event.parts("Attribute").chain(objects().flat_map(|o| o.parts("Attribute")));
        let frame = Frame {
            about: About::of(event),
            marked: attributes.any(|attribute| attribute.flag("to_ids") == Some(true)),
            terms: Terms {
                published,
                source: author.map(|name| tidy_name(&name).into()),
                revoked: event.flag("deleted") == Some(true),
                ..Terms::default()
            },
        };
        for attribute in event.parts("Attribute") {
            self.attribute(attribute, &frame, &Around::default());
        }
        for object in objects() {
            let around = Around::of(object);
            for attribute in object.parts("Attribute") {
                self.attribute(attribute, &frame, &around);
            }
        }
    }

    fn attribute(&mut self, attribute: Part<'_>, frame: &Frame, around: &Around) {
        self.attributes += 1;
        let id = attribute.text("uuid");
        let place = match &id {
            Some(id) => format!("attribute--{id}"),
            None => format!("attribute {}", self.attributes),
        };
        let (Some(kind), Some(value)) = (attribute.text("type"), attribute.text("value")) else {
            return self.draft.refuse(&place, "", Reason::Malformed("it has no type or no value".to_owned()));
        };
        let endpoints = match kinds::endpoints(&kind, &value) {
            Ok(Some(endpoints)) => endpoints,
            Ok(None) => return self.draft.set_aside(&kind),
            Err(reason) => return self.draft.refuse(&place, &value, reason),
        };
        if frame.marked && attribute.flag("to_ids") != Some(true) {
            return self.draft.set_aside(&format!("{kind} that is not for detection (to_ids)"));
        }
        let window = match attribute.seen() {
            Ok(window) => window.or(around.window),
            Err(reason) => return self.draft.refuse(&place, &value, reason),
        };
        let about = About::of(attribute).within(&frame.about);
        let reports = reports(attribute);
        let terms = Terms {
            place,
            window: window.map(|window| (expired(window, &reports), WindowBasis::Stated)),
            // Orders the versions of an attribute that has an id to be known by.
            version: id.and_then(|_| attribute.time("timestamp").ok().flatten()).map(|time| time.at),
            tools: about.tools.clone(),
            tlp: about.tlp,
            confidence: about.confidence,
            revoked: frame.terms.revoked || around.deleted || attribute.flag("deleted") == Some(true),
            ..frame.terms.clone()
        };
        for endpoint in endpoints {
            for endpoint in around.with_ports(endpoint) {
                self.claims(&endpoint, &about, &terms);
                if !terms.revoked {
                    self.sightings(&endpoint, &about, &terms, &reports);
                }
            }
        }
    }

    /// One claim per group, or one of nobody's.
    fn claims(&mut self, endpoint: &Endpoint, about: &About, terms: &Terms) {
        let groups = about.named();
        if groups.is_empty() {
            let cluster = self.source.cluster.clone();
            self.draft.claim(endpoint.clone(), &Terms { cluster, ..terms.clone() });
        }
        for group in groups {
            let cluster = Some((group.clone(), Origin::Tag));
            self.draft.claim(endpoint.clone(), &Terms { cluster, ..terms.clone() });
        }
    }

    /// Who has seen it claims it for that day; every report moves its age.
    fn sightings(&mut self, endpoint: &Endpoint, about: &About, terms: &Terms, reports: &[Sighting]) {
        for (i, report) in reports.iter().enumerate() {
            let source = report.source.clone().or_else(|| terms.source.clone());
            if report.kind == ReportKind::Sighting {
                let terms = Terms {
                    place: format!("{}, sighting {}", terms.place.replace("--", " "), i + 1),
                    window: Some((report.at.day().window(), WindowBasis::Stated)),
                    version: None,
                    source: source.clone(),
                    ..terms.clone()
                };
                self.claims(endpoint, about, &terms);
            }
            self.draft.report(Report {
                indicator: endpoint.indicator.clone(),
                kind: report.kind,
                at: report.at,
                source: source.unwrap_or_else(|| self.source.shown.as_str().into()),
            });
        }
    }
}

/// What an object says about each of its attributes.
#[derive(Default)]
struct Around {
    window: Option<Window>,
    ports: Vec<u16>,
    protocol: Option<u8>,
    deleted: bool,
}

/// Ports that one object may name; chosen here.
const PORTS_MAX: usize = 64;

impl Around {
    fn of(object: Part<'_>) -> Self {
        let related = |names: &'static [&'static str]| {
            let is_one =
                move |a: &Part<'_>| a.text("object_relation").is_some_and(|name| names.contains(&&*name));
            object.parts("Attribute").filter(is_one).filter_map(|attribute| attribute.text("value"))
        };
        let time = |names| related(names).find_map(|text| event::time(&text));
        let told = event::seen(time(&["first-seen"]), time(&["last-seen"]));
        let ports = related(&["dst-port", "port"]).filter_map(|port| port.parse().ok());
        Self {
            window: object.seen().ok().flatten().or(told),
            ports: ports.filter(|port| *port > 0).take(PORTS_MAX).collect(),
            protocol: related(&["protocol", "layer4-protocol"]).find_map(|word| crate::find::protocol(&word)),
            deleted: object.flag("deleted") == Some(true),
        }
    }

    /// The endpoint on each port of its object, unless it has a port of its own.
    fn with_ports(&self, endpoint: Endpoint) -> Vec<Endpoint> {
        let endpoint = Endpoint { protocol: endpoint.protocol.or(self.protocol), ..endpoint };
        if endpoint.port.is_some() || self.ports.is_empty() {
            return vec![endpoint];
        }
        self.ports.iter().map(|port| Endpoint { port: Some(*port), ..endpoint.clone() }).collect()
    }
}

/// A report about an attribute.
struct Sighting {
    kind: ReportKind,
    at: Timestamp,
    source: Option<std::sync::Arc<str>>,
}

/// The sightings of an attribute (MISP: 0 seen, 1 false positive, 2 expiration), dated ones only.
fn reports(attribute: Part<'_>) -> Vec<Sighting> {
    let report = |sighting: Part<'_>| {
        let kind = match sighting.text("type").as_deref() {
            Some("0") | None => ReportKind::Sighting,
            Some("1") => ReportKind::FalsePositive,
            Some("2") => ReportKind::Expiration,
            Some(_) => return None,
        };
        let at = sighting.time("date_sighting").ok()??.at;
        let source = sighting.parts("Organisation").find_map(|org| org.text("name"));
        Some(Sighting { kind, at, source: source.map(|name| tidy_name(&name).into()) })
    };
    attribute.parts("Sighting").filter_map(report).take(SIGHTINGS_MAX).collect()
}

/// A stated window up to the first report that it has expired.
fn expired(window: Window, reports: &[Sighting]) -> Window {
    let ends = reports.iter().filter(|report| report.kind == ReportKind::Expiration).map(|report| report.at);
    let until = ends.filter(|at| *at > window.from).fold(window.until, Timestamp::min);
    Window::new(window.from, until)
}

/// An event that the manifest of a feed names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEvent {
    /// Its id: the feed keeps it as `<uuid>.json`.
    pub uuid: String,
    /// When it was last changed: what has this time in the book is not fetched again.
    pub changed: Option<Timestamp>,
    /// What it is about.
    pub info: String,
}

/// The events of a feed, by its `manifest.json`, in the order of ids.
///
/// # Errors
/// [`ReadError::CutOff`] or [`ReadError::NotJson`].
pub fn manifest(text: &str) -> Result<Vec<FeedEvent>, ReadError> {
    let entries: BTreeMap<String, serde_json::Value> = json::parse(text)?;
    let event = |(uuid, entry): (String, serde_json::Value)| {
        let entry = Part::of(&entry)?;
        let changed = entry.time("timestamp").ok().flatten().map(|time| time.at);
        Some(FeedEvent { uuid, changed, info: tidy_name(&entry.text("info").unwrap_or_default()) })
    };
    Ok(entries.into_iter().filter_map(event).collect())
}

/// Reads a manifest: it claims nothing, and says what the feed holds.
pub(crate) fn read_manifest(
    source: &Source,
    text: &str,
    options: &ReadOptions,
) -> Result<Reading, ReadError> {
    let mut draft = Draft::new(Format::Misp, &source.shown, options);
    for _ in manifest(text)? {
        draft.set_aside("name of an event in the manifest of its feed");
    }
    draft.finish()
}

/// Whether a text is the `hashes.csv` of a feed: hashes of the values of attributes, beside the
/// ids of events. They are no hashes of files.
pub(crate) fn is_feed_hashes(text: &str) -> bool {
    let is_row = |line: &str| {
        let parts = line.trim().split_once(',');
        parts.is_some_and(|(hash, id)| {
            hash.len() == 32
                && hash.bytes().all(|b| b.is_ascii_hexdigit())
                && id.len() == 36
                && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
        })
    };
    let mut lines = text.lines().take(10).peekable();
    lines.peek().is_some() && lines.all(is_row)
}

/// The file of a galaxy.
#[derive(Deserialize)]
struct GalaxyFile {
    #[serde(default)]
    r#type: String,
    #[serde(alias = "GalaxyCluster")]
    values: Vec<serde_json::Value>,
}

/// Synonyms of one name that are kept; chosen here: the most of any has 60.
const SYNONYMS_MAX: usize = 200;

/// The synonyms of a value of a galaxy, and who calls it so where that is told (`origin:NAME`).
fn synonyms(value: &serde_json::Value) -> Vec<(String, Option<String>)> {
    let meta = &value["meta"];
    let listed = meta["synonyms"].as_array().map_or(&[][..], Vec::as_slice);
    let named = listed.iter().take(SYNONYMS_MAX).filter_map(|name| name.as_str());
    let tidy = |name: &str| about::without_id(name);
    let origin = |name: &str| meta[format!("origin:{name}")].as_str().map(tidy_name);
    named.map(|name| (tidy(name), origin(name))).filter(|(name, _)| !name.is_empty()).collect()
}

/// Reads a galaxy: its names become known, and each of its synonyms a relation between two names,
/// by whom the galaxy says. It claims nothing.
pub(crate) fn read_galaxy(source: &Source, text: &str, options: &ReadOptions) -> Result<Reading, ReadError> {
    let file: GalaxyFile = json::parse(text)?;
    let mut draft = Draft::new(Format::Misp, &source.shown, options);
    for (n, value) in (1..).zip(&file.values) {
        let name = Part::of(value).and_then(|cluster| cluster.text("value"));
        let Some(name) = name.map(|name| about::without_id(&name)) else {
            draft.refuse(
                &format!("cluster {n}"),
                &value.to_string(),
                Reason::Malformed("it has no value".to_owned()),
            );
            continue;
        };
        let kind = match Galaxy::of_kind(&file.r#type) {
            Galaxy::Groups => Kind::Group,
            Galaxy::Tools => Kind::Malware,
            Galaxy::Other => {
                draft.set_aside(&format!("{} of a galaxy", file.r#type));
                continue;
            }
        };
        if kind == Kind::Group {
            let cluster =
                Cluster { id: ClusterId::of_name(&name), name: name.clone(), named: true, tools: Vec::new() };
            draft.cluster(cluster);
        }
        let said = |relation, object: &str, by| Assertion {
            subject: name.clone(),
            relation,
            object: object.to_owned(),
            window: None,
            asserted_by: by,
            source: draft.source(),
            published: options.published,
            confidence: None,
            tlp: options.tlp,
        };
        let mut assertions = vec![said(Relation::Is, kind.word(), None)];
        for (synonym, by) in synonyms(value) {
            if synonym != name {
                assertions.push(said(Relation::SameAs, &synonym, by));
            }
        }
        assertions.into_iter().for_each(|assertion| draft.assertion(assertion));
    }
    draft.finish()
}

#[cfg(test)]
mod tests;
