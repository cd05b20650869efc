//! What scanners saw: rules over their results make dated claims that are bound to a port.
//!
//! * `observe`: zgrab2, Shodan and Censys into host observations;
//! * [`rule`]: the language of the rules;
//! * [`history`]: the versions of a list into intervals;
//! * `carried`: what a host shares with others, for [`crate::pivot`];
//! * this file joins observations into windows.
//!
//! An observation speaks for its day. Two that match the same rule on the same port are one window
//! if they lie no further apart than the rule's gap, and nobody saw something else there between
//! them. The server stood longer than it was looked at: a window is what was seen.
//!
//! With or without rules, what hosts carry is kept: certificates, keys and fingerprints accuse nobody.
//! Fingerprints such as JARM and JA4S are compared as given and never computed. rahdar scans nothing.

mod carried;
pub mod history;
mod observe;
pub mod rule;

use std::collections::BTreeMap;

use rahdar_model::intelligence::{Indicator, WindowBasis};
use rahdar_model::{Address, Prefix, Timestamp, Window};

use crate::draft::{Draft, Terms};
use crate::find::Endpoint;
use crate::json;
use crate::reading::{Format, Origin, ReadError, ReadOptions, Reading};
use crate::source::Source;
use observe::Observation;
use rule::{Rule, Rules};

/// Observations that one file may hold; chosen here: one port of a large country.
const OBSERVATIONS_MAX: usize = 5_000_000;

/// Where something answered: address, port and IP protocol, as far as the scan says.
type Place = (Address, Option<u16>, Option<u8>);

/// Which rules an observation matched.
struct Seen {
    at: Timestamp,
    place: String,
    matched: Vec<usize>,
}

/// Reads the results of a scan: a host a line, or a list of hosts.
pub(crate) fn read(source: &Source, text: &str, options: &ReadOptions) -> Result<Reading, ReadError> {
    let mut draft = Draft::new(Format::Scan, &source.shown, options);
    let rules = options.rules.as_ref().map_or(&[][..], Rules::all);
    let mut hosts: BTreeMap<Place, Vec<Seen>> = BTreeMap::new();
    let mut carried = carried::Gathered::default();
    let mut taken = 0;
    for (place, text) in json::values(text)? {
        match observe::observations(text) {
            Ok(observations) => {
                for observation in observations {
                    taken += 1;
                    if taken > OBSERVATIONS_MAX {
                        return Err(ReadError::TooLarge {
                            most: OBSERVATIONS_MAX,
                            what: "observations in one file",
                        });
                    }
                    carried.add(&observation, &place)?;
                    let seen = Seen::of(&observation, place.clone(), rules);
                    tell_aside(&mut draft, rules, &seen);
                    let Observation { address, port, protocol, .. } = observation;
                    hosts.entry((address, port, protocol)).or_default().push(seen);
                }
            }
            Err(reason) => draft.refuse(&place, text, reason),
        }
    }
    for (place, mut seen) in hosts {
        seen.sort_by_key(|seen| seen.at);
        for (i, rule) in rules.iter().enumerate() {
            for (window, line) in windows(&seen, i, rule) {
                claim(&mut draft, place, rule, window, line);
            }
        }
    }
    carried.tell(&mut draft, options.confidence)?;
    draft.finish()
}

impl Seen {
    fn of(observation: &Observation, place: String, rules: &[Rule]) -> Self {
        let matched = rules.iter().enumerate().filter(|(_, rule)| rule.matches(observation));
        Self { at: observation.at, place, matched: matched.map(|(i, _)| i).collect() }
    }
}

fn tell_aside(draft: &mut Draft<'_>, rules: &[Rule], seen: &Seen) {
    if rules.is_empty() {
        draft.set_aside("host observation, and no rules were given");
    } else if seen.matched.is_empty() {
        draft.set_aside("host observation that no rule matches");
    }
}

/// The windows in which a rule matched, each with the place of its first observation.
fn windows<'a>(seen: &'a [Seen], rule: usize, told: &Rule) -> Vec<(Window, &'a str)> {
    let mut windows: Vec<(Window, &str)> = Vec::new();
    let mut last: Option<Timestamp> = None;
    for one in seen {
        if !one.matched.contains(&rule) {
            last = None;
            continue;
        }
        let day = one.at.day().window();
        match windows.last_mut() {
            Some((window, _)) if last.is_some_and(|last| one.at.since(last) <= told.gap_us) => {
                window.until = day.until;
            }
            _ => windows.push((day, &one.place)),
        }
        last = Some(one.at);
    }
    windows
}

fn claim(draft: &mut Draft<'_>, (address, port, protocol): Place, rule: &Rule, window: Window, line: &str) {
    let indicator = Indicator::Network(Prefix::host(address));
    let terms = Terms {
        place: format!("{line}, rule {}", rule.name),
        window: Some((window, WindowBasis::Stated)),
        cluster: rule.cluster.clone().map(|cluster| (cluster, Origin::Rule)),
        tools: rule.tools.clone(),
        confidence: rule.confidence,
        ..Terms::default()
    };
    draft.claim(Endpoint { indicator, port, protocol }, &terms);
}

#[cfg(test)]
mod tests;
