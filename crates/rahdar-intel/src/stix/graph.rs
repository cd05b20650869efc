//! What the objects of a bundle say about each other: who stands behind an indicator, when, and
//! with which malware.

use std::collections::{HashMap, HashSet};

use rahdar_model::Window;
use rahdar_model::intelligence::Tlp;

use super::marking;
use super::object::{Body, Object, Relationship, seen};

/// The relationships of a bundle, as far as they lead from indicators to groups and malware.
pub(super) struct Graph<'a> {
    by_id: HashMap<&'a str, &'a Object<'a>>,
    /// From an object one step towards who stands behind it. No step leads to an indicator, so
    /// that objects which thousands of indicators name stay cheap.
    behind: HashMap<&'a str, Vec<Step<'a>>>,
    /// From an object to the malware beside it.
    malware: HashMap<&'a str, Vec<Step<'a>>>,
    /// From an object to the infrastructure beside it.
    infrastructure: HashMap<&'a str, Vec<Step<'a>>>,
    /// From an object to the group that its first report names alone.
    reported: HashMap<&'a str, Behind<'a>>,
    /// From infrastructure and malware to the relationships that name their endpoints.
    endpoints: HashMap<&'a str, Vec<&'a Object<'a>>>,
}

/// A relationship as it is followed.
#[derive(Debug, Clone, Copy)]
struct Step<'a> {
    to: &'a str,
    /// When it held; all of time where it does not say.
    window: Window,
    /// How far it may travel.
    tlp: Option<Tlp>,
}

/// Who stands behind an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Behind<'a> {
    pub(super) object: &'a Object<'a>,
    /// When they did, as the relationships on the way say.
    pub(super) window: Window,
    /// The strictest marking on the way.
    pub(super) tlp: Option<Tlp>,
}

/// Relationships that are followed from an indicator to who stands behind it; chosen here:
/// indicator, infrastructure, malware, campaign, group.
const STEPS_MAX: usize = 4;
/// Objects that are visited on the way; chosen here.
const VISITS_MAX: usize = 1_000;
/// Names of malware that one claim may carry; chosen here.
const TOOLS_MAX: usize = 64;

impl<'a> Graph<'a> {
    /// The graph of these objects, each in one version. Revoked relationships say nothing, and
    /// those that end before they begin are for the reader to refuse.
    pub(super) fn of(objects: &'a [Object<'a>]) -> Self {
        let mut graph = Self {
            by_id: objects.iter().map(|object| (object.id(), object)).collect(),
            behind: HashMap::new(),
            malware: HashMap::new(),
            infrastructure: HashMap::new(),
            reported: HashMap::new(),
            endpoints: HashMap::new(),
        };
        for object in objects.iter().filter(|object| !object.revoked()) {
            match &object.body {
                Body::Relationship(relationship) => graph.relate(object, relationship),
                Body::Collection(report) if matches!(object.kind(), "report" | "grouping") => {
                    graph.report(object, &report.object_refs.0);
                }
                _ => {}
            }
        }
        graph
    }

    fn relate(&mut self, object: &'a Object<'a>, relationship: &'a Relationship) {
        let Relationship { relationship_type, source_ref, target_ref, start_time, stop_time } = relationship;
        let window = seen(start_time.as_ref(), stop_time.as_ref()).unwrap_or(Window::ALL);
        let kind = relationship_type.as_str();
        let forward =
            matches!(kind, "indicates" | "attributed-to" | "authored-by" | "related-to" | "based-on");
        let backward = matches!(
            kind,
            "uses"
                | "owns"
                | "hosts"
                | "controls"
                | "compromises"
                | "related-to"
                | "beacons-to"
                | "exfiltrates-to"
                | "consists-of"
        );
        let tlp = self.tlp(object);
        for (from, to, leads) in [(source_ref, target_ref, forward), (target_ref, source_ref, backward)] {
            let step = Step { to, window, tlp };
            if leads && LEADING.iter().any(|kind| is_kind(to, kind)) {
                self.behind.entry(from).or_default().push(step);
            }
            if is_kind(to, "malware") {
                self.malware.entry(from).or_default().push(step);
            }
            if is_kind(to, "infrastructure") {
                self.infrastructure.entry(from).or_default().push(step);
            }
        }
        if matches!(kind, "consists-of" | "communicates-with") {
            self.endpoints.entry(source_ref).or_default().push(object);
        }
    }

    /// Remembers the group of a report, if it names one alone: an intrusion set, else a threat
    /// actor.
    fn report(&mut self, report: &'a Object<'a>, object_refs: &'a [String]) {
        let only = |kind: &str| {
            let mut of_kind =
                object_refs.iter().filter(|id| is_kind(id, kind)).filter_map(|id| self.object(id));
            of_kind.next().filter(|_| of_kind.next().is_none())
        };
        if let Some(group) = only("intrusion-set").or_else(|| only("threat-actor")) {
            let tlp = self.tlp(report).max(self.tlp(group));
            let behind = Behind { object: group, window: Window::ALL, tlp };
            for id in object_refs {
                self.reported.entry(id).or_insert(behind);
            }
        }
    }

    pub(super) fn object(&self, id: &str) -> Option<&'a Object<'a>> {
        self.by_id.get(id).copied()
    }

    /// The strictest marking of what a claim takes from this object.
    pub(super) fn tlp(&self, object: &Object<'_>) -> Option<Tlp> {
        marking::strictest(object, |id| self.object(id))
    }

    /// The relationships that name the endpoints of this infrastructure or malware.
    pub(super) fn endpoints(&self, id: &str) -> &[&'a Object<'a>] {
        self.endpoints.get(id).map_or(&[], Vec::as_slice)
    }

    /// Who stands behind this object: the nearest groups; else the nearest campaign; else the one
    /// group of its report. Several groups that share nothing but malware are nobody: malware is
    /// shared.
    pub(super) fn clusters(&self, id: &'a str) -> Vec<Behind<'a>> {
        let mut seen = HashSet::from([id]);
        let mut level = vec![Step { to: id, window: Window::ALL, tlp: None }];
        let mut campaigns: Vec<Behind<'a>> = Vec::new();
        let mut visits = 0;
        for _ in 0..STEPS_MAX {
            let mut next: Vec<Step<'a>> = Vec::new();
            let mut groups: Vec<Behind<'a>> = Vec::new();
            let mut through_malware = false;
            for from in level {
                for step in self.behind.get(from.to).into_iter().flatten() {
                    let window = from.window.intersect(step.window);
                    if visits == VISITS_MAX || seen.contains(step.to) || window.is_empty() {
                        continue;
                    }
                    visits += 1;
                    let Some(object) = self.object(step.to).filter(|object| !object.revoked()) else {
                        continue;
                    };
                    let tlp = from.tlp.max(step.tlp).max(self.tlp(object));
                    match object.kind() {
                        "intrusion-set" | "threat-actor" => {
                            through_malware |= is_kind(from.to, "malware") || is_kind(from.to, "tool");
                            groups.push(Behind { object, window, tlp });
                        }
                        kind => {
                            let first = campaigns.first().map(|known| known.object.id());
                            if kind == "campaign" && first.is_none_or(|first| first == step.to) {
                                campaigns.push(Behind { object, window, tlp });
                            }
                            next.push(Step { to: step.to, window, tlp });
                        }
                    }
                }
            }
            if let Some(first) = groups.first() {
                let one = groups.iter().all(|group| group.object.id() == first.object.id());
                return if !through_malware || one { groups } else { campaigns };
            }
            seen.extend(next.iter().map(|step| step.to));
            level = next;
        }
        if campaigns.is_empty() { self.reported.get(id).copied().into_iter().collect() } else { campaigns }
    }

    /// The malware that is served or controlled by what this object indicates, and the strictest
    /// marking of what says so.
    pub(super) fn tools(&self, id: &'a str) -> (Vec<String>, Option<Tlp>) {
        let itself = Step { to: id, window: Window::ALL, tlp: None };
        let beside = self.infrastructure.get(id).into_iter().flatten().take(TOOLS_MAX);
        let near = std::iter::once(&itself).chain(beside);
        let of = |from: &Step<'a>| {
            let tlp = from.tlp;
            let steps = self.malware.get(from.to).into_iter().flatten().take(TOOLS_MAX);
            steps.map(move |step| Step { tlp: step.tlp.max(tlp), ..*step })
        };
        let own = is_kind(id, "malware").then_some(itself);
        self.names(own.into_iter().chain(near.flat_map(of)).take(TOOLS_MAX))
    }

    /// The malware that a group uses.
    pub(super) fn tools_of_group(&self, id: &str) -> Vec<String> {
        self.names(self.malware.get(id).into_iter().flatten().copied()).0
    }

    fn names(&self, malware: impl Iterator<Item = Step<'a>>) -> (Vec<String>, Option<Tlp>) {
        let mut names = Vec::new();
        let mut strictest = None;
        for step in malware {
            let Some(object) = self.object(step.to) else { continue };
            let Some(name) = object.name() else { continue };
            names.push(name.to_owned());
            strictest = strictest.max(step.tlp).max(self.tlp(object));
        }
        (names, strictest)
    }
}

/// The types of objects through which one comes to who stands behind an indicator.
const LEADING: [&str; 6] = ["intrusion-set", "threat-actor", "campaign", "infrastructure", "malware", "tool"];

/// Whether an id is that of an object of this type.
fn is_kind(id: &str, kind: &str) -> bool {
    id.strip_prefix(kind).is_some_and(|rest| rest.starts_with("--"))
}
