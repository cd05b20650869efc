//! What the objects of a bundle say about each other: who stands behind an indicator, and with
//! which malware.

use std::collections::{HashMap, HashSet};

use super::object::Object;

/// The relationships of a bundle.
pub(crate) struct Graph<'a> {
    by_id: HashMap<&'a str, &'a Object>,
    /// From the source of a relationship: its type and its target.
    out: HashMap<&'a str, Vec<(&'a str, &'a str)>>,
    /// From the target of a relationship: its type and its source.
    back: HashMap<&'a str, Vec<(&'a str, &'a str)>>,
    /// From an object to the reports that hold it.
    reports: HashMap<&'a str, Vec<&'a Object>>,
}

/// Relationships that are followed from an indicator to who stands behind it; chosen here:
/// indicator, infrastructure, malware, campaign, group.
const STEPS_MAX: usize = 4;

impl<'a> Graph<'a> {
    /// The graph of these objects. Revoked relationships say nothing.
    pub(crate) fn of(objects: &'a [Object]) -> Self {
        let mut graph = Self {
            by_id: HashMap::new(),
            out: HashMap::new(),
            back: HashMap::new(),
            reports: HashMap::new(),
        };
        for object in objects {
            graph.by_id.insert(&object.id, object);
            if let (Some(kind), Some(source), Some(target), false) =
                (&object.relationship_type, &object.source_ref, &object.target_ref, object.revoked)
            {
                graph.out.entry(source).or_default().push((kind, target));
                graph.back.entry(target).or_default().push((kind, source));
            }
            if object.kind == "report" || object.kind == "grouping" {
                for id in &object.object_refs {
                    graph.reports.entry(id).or_default().push(object);
                }
            }
        }
        graph
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
    pub(crate) fn clusters(&self, id: &str) -> Vec<&'a Object> {
        let mut seen = HashSet::from([id]);
        let mut level = vec![id];
        let mut campaign = None;
        for _ in 0..STEPS_MAX {
            let mut next = Vec::new();
            let mut groups: Vec<&Object> = Vec::new();
            let mut through_malware = false;
            for from in level {
                for to in self.behind(from) {
                    if !seen.insert(to) {
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
                            next.push(to);
                        }
                        "infrastructure" | "malware" | "tool" => next.push(to),
                        _ => {}
                    }
                }
            }
            if !groups.is_empty() {
                let told = !through_malware || groups.len() == 1;
                return if told { groups } else { campaign.into_iter().collect() };
            }
            level = next;
        }
        campaign.or_else(|| self.reported(id)).into_iter().collect()
    }

    /// The malware that is served or controlled by what this object indicates.
    pub(crate) fn tools(&self, id: &str) -> Vec<String> {
        let mut near = vec![id];
        near.extend(self.neighbours(id).filter(|to| is_kind(to, "infrastructure")));
        let mut names: Vec<String> = Vec::new();
        for from in near {
            names.extend(
                self.object(from).filter(|_| is_kind(from, "malware")).and_then(|object| object.name.clone()),
            );
            for to in self.neighbours(from).filter(|to| is_kind(to, "malware")) {
                names.extend(self.object(to).and_then(|object| object.name.clone()));
            }
        }
        names
    }

    /// The malware that a group uses.
    pub(crate) fn tools_of_group(&self, id: &str) -> Vec<String> {
        let used = self
            .out
            .get(id)
            .into_iter()
            .flatten()
            .filter(|(kind, to)| *kind == "uses" && is_kind(to, "malware"));
        used.filter_map(|(_, to)| self.object(to).and_then(|object| object.name.clone())).collect()
    }

    /// The objects one step towards who stands behind this one.
    fn behind(&self, id: &str) -> impl Iterator<Item = &'a str> {
        let forward = self.out.get(id).into_iter().flatten();
        let forward = forward.filter(|(kind, _)| {
            matches!(*kind, "indicates" | "attributed-to" | "authored-by" | "related-to" | "based-on")
        });
        let backward = self.back.get(id).into_iter().flatten();
        let backward = backward.filter(|(kind, _)| {
            matches!(
                *kind,
                "uses"
                    | "owns"
                    | "hosts"
                    | "controls"
                    | "related-to"
                    | "beacons-to"
                    | "exfiltrates-to"
                    | "consists-of"
            )
        });
        forward.chain(backward).map(|(_, to)| *to)
    }

    fn neighbours(&self, id: &str) -> impl Iterator<Item = &'a str> {
        let both = self.out.get(id).into_iter().chain(self.back.get(id)).flatten();
        both.map(|(_, to)| *to)
    }

    /// The group of the reports that hold this object, if they name one alone: an intrusion set,
    /// else a threat actor.
    fn reported(&self, id: &str) -> Option<&'a Object> {
        let refs = self.reports.get(id)?.iter().flat_map(|report| &report.object_refs);
        let refs: HashSet<&str> = refs.map(String::as_str).collect();
        ["intrusion-set", "threat-actor"].iter().find_map(|kind| {
            let mut of_kind = refs.iter().filter(|id| is_kind(id, kind)).filter_map(|id| self.object(id));
            match (of_kind.next(), of_kind.next()) {
                (Some(only), None) => Some(only),
                _ => None,
            }
        })
    }
}

/// Whether an id is that of an object of this type.
fn is_kind(id: &str, kind: &str) -> bool {
    id.strip_prefix(kind).is_some_and(|rest| rest.starts_with("--"))
}
