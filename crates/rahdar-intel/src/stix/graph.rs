//! What the objects of a bundle say about each other: who stands behind an indicator, and with
//! which malware.

use std::collections::{HashMap, HashSet};

use super::object::Object;

/// The relationships of a bundle, as far as they lead from indicators to groups and malware.
pub(crate) struct Graph<'a> {
    by_id: HashMap<&'a str, &'a Object>,
    /// From an object one step towards who stands behind it. No step leads to an indicator, so
    /// that objects which thousands of indicators name stay cheap.
    behind: HashMap<&'a str, Vec<&'a str>>,
    /// From an object to the malware beside it.
    malware: HashMap<&'a str, Vec<&'a str>>,
    /// From an object to the infrastructure beside it.
    infrastructure: HashMap<&'a str, Vec<&'a str>>,
    /// From an object to the group that its first report names alone.
    reported: HashMap<&'a str, &'a Object>,
}

/// Relationships that are followed from an indicator to who stands behind it; chosen here:
/// indicator, infrastructure, malware, campaign, group.
const STEPS_MAX: usize = 4;
/// Objects that are visited on the way; chosen here.
const VISITS_MAX: usize = 1_000;
/// Names of malware that one claim may carry; chosen here.
const TOOLS_MAX: usize = 64;

impl<'a> Graph<'a> {
    /// The graph of these objects. Revoked relationships say nothing.
    pub(crate) fn of(objects: &'a [Object]) -> Self {
        let mut graph = Self {
            by_id: objects.iter().map(|object| (&*object.id, object)).collect(),
            behind: HashMap::new(),
            malware: HashMap::new(),
            infrastructure: HashMap::new(),
            reported: HashMap::new(),
        };
        for object in objects.iter().filter(|object| !object.revoked) {
            match (&object.relationship_type, &object.source_ref, &object.target_ref) {
                (Some(kind), Some(source), Some(target)) => graph.relate(kind, source, target),
                _ if matches!(object.kind.as_str(), "report" | "grouping") => graph.report(object),
                _ => {}
            }
        }
        graph
    }

    fn relate(&mut self, kind: &str, source: &'a str, target: &'a str) {
        let forward =
            matches!(kind, "indicates" | "attributed-to" | "authored-by" | "related-to" | "based-on");
        let backward = matches!(
            kind,
            "uses"
                | "owns"
                | "hosts"
                | "controls"
                | "related-to"
                | "beacons-to"
                | "exfiltrates-to"
                | "consists-of"
        );
        for (from, to, leads) in [(source, target, forward), (target, source, backward)] {
            if leads && LEADING.iter().any(|kind| is_kind(to, kind)) {
                self.behind.entry(from).or_default().push(to);
            }
            if is_kind(to, "malware") {
                self.malware.entry(from).or_default().push(to);
            }
            if is_kind(to, "infrastructure") {
                self.infrastructure.entry(from).or_default().push(to);
            }
        }
    }

    /// Remembers the group of a report, if it names one alone: an intrusion set, else a threat
    /// actor.
    fn report(&mut self, report: &'a Object) {
        let only = |kind: &str| {
            let mut of_kind =
                report.object_refs.iter().filter(|id| is_kind(id, kind)).filter_map(|id| self.object(id));
            of_kind.next().filter(|_| of_kind.next().is_none())
        };
        if let Some(group) = only("intrusion-set").or_else(|| only("threat-actor")) {
            for id in &report.object_refs {
                self.reported.entry(id).or_insert(group);
            }
        }
    }

    pub(crate) fn object(&self, id: &str) -> Option<&'a Object> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn source(&self, relationship: &Object) -> Option<&'a Object> {
        self.object(relationship.source_ref.as_deref()?)
    }

    pub(crate) fn target(&self, relationship: &Object) -> Option<&'a Object> {
        self.object(relationship.target_ref.as_deref()?)
    }

    /// Who stands behind this object: the nearest groups; else the nearest campaign; else the one
    /// group of its report. Several groups that share nothing but malware are nobody: malware is
    /// shared.
    pub(crate) fn clusters(&self, id: &'a str) -> Vec<&'a Object> {
        let mut seen = HashSet::from([id]);
        let mut level = vec![id];
        let mut campaign = None;
        for _ in 0..STEPS_MAX {
            let mut next = Vec::new();
            let mut groups: Vec<&Object> = Vec::new();
            let mut through_malware = false;
            for from in level {
                for to in self.behind.get(from).into_iter().flatten() {
                    if seen.len() == VISITS_MAX || !seen.insert(to) {
                        continue;
                    }
                    let Some(object) = self.object(to).filter(|object| !object.revoked) else { continue };
                    match object.kind.as_str() {
                        "intrusion-set" | "threat-actor" => {
                            through_malware |= is_kind(from, "malware") || is_kind(from, "tool");
                            groups.push(object);
                        }
                        "campaign" => {
                            campaign = campaign.or(Some(object));
                            next.push(*to);
                        }
                        _ => next.push(*to),
                    }
                }
            }
            if !groups.is_empty() {
                let told = !through_malware || groups.len() == 1;
                return if told { groups } else { campaign.into_iter().collect() };
            }
            level = next;
        }
        campaign.or_else(|| self.reported.get(id).copied()).into_iter().collect()
    }

    /// The malware that is served or controlled by what this object indicates.
    pub(crate) fn tools(&self, id: &'a str) -> Vec<String> {
        let beside = self.infrastructure.get(id).into_iter().flatten().take(TOOLS_MAX);
        let near = std::iter::once(&id).chain(beside);
        let of = |from: &&'a str| self.malware.get(*from).into_iter().flatten().take(TOOLS_MAX);
        let itself = is_kind(id, "malware").then_some(&id);
        let malware = itself.into_iter().chain(near.flat_map(of)).take(TOOLS_MAX);
        malware.filter_map(|id| self.object(id)?.name.clone()).collect()
    }

    /// The malware that a group uses.
    pub(crate) fn tools_of_group(&self, id: &str) -> Vec<String> {
        let beside = self.malware.get(id).into_iter().flatten();
        beside.filter_map(|id| self.object(id)?.name.clone()).collect()
    }
}

/// The types of objects through which one comes to who stands behind an indicator.
const LEADING: [&str; 6] = ["intrusion-set", "threat-actor", "campaign", "infrastructure", "malware", "tool"];

/// Whether an id is that of an object of this type.
fn is_kind(id: &str, kind: &str) -> bool {
    id.strip_prefix(kind).is_some_and(|rest| rest.starts_with("--"))
}
