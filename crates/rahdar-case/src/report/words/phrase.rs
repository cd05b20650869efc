//! Parts of sentences.

use rahdar_figure::legible;
use rahdar_figure::octets::{self, Whole};
use rahdar_model::finding::{Finding, Victim};
use rahdar_model::intelligence::Cluster;
use rahdar_model::{Estimate, Timestamp};

/// Names in one list at most; the others are counted. Chosen here: what a reader takes in.
const MOST_NAMES: usize = 8;

/// Small numbers as words, others as digits.
pub(super) fn number(count: usize) -> String {
    const WORDS: [&str; 11] =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    WORDS.get(count).map_or_else(|| octets::count(count as u64), |word| (*word).to_owned())
}

/// So many things: `one cluster`, `four clusters`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// `a, b, c and 4 more`.
pub(in crate::report) fn list(mut names: Vec<String>) -> String {
    let rest = names.len().saturating_sub(MOST_NAMES);
    names.truncate(MOST_NAMES);
    let list = names.join(", ");
    if rest > 0 { format!("{list} and {rest} more") } else { list }
}

/// `this is so, that is so, and the other`.
pub(super) fn clauses(parts: &[String]) -> String {
    match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{}, and {last}", rest.join(", ")),
        _ => parts.concat(),
    }
}

/// The text with its first letter large.
pub(super) fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// What is known of a victim beside its address: `mail server, telecom, AF`.
pub(super) fn traits(victim: &Victim) -> Vec<String> {
    let role = victim.roles.first().map_or("", String::as_str);
    let known = [role, &victim.sector, &victim.country].into_iter().filter(|part| !part.is_empty());
    known.map(legible::name).collect()
}

/// `203.0.113.25 (mail server, telecom, AF)`.
pub fn victim(victim: &Victim) -> String {
    let traits = traits(victim);
    if traits.is_empty() {
        return victim.address.to_string();
    }
    format!("{} ({})", victim.address, traits.join(", "))
}

/// What the victim is, in one word that is sure.
pub(super) fn host(victim: &Victim) -> &'static str {
    match victim.roles.first() {
        Some(role) if role.ends_with("server") => "server",
        _ => "host",
    }
}

/// Whose infrastructure, with the caveat that fits.
pub(super) fn infrastructure_of(cluster: &Cluster) -> String {
    let name = legible::name(&cluster.name);
    if cluster.named {
        format!("infrastructure attributed to {name}")
    } else {
        format!("infrastructure of an unattributed cluster ({name})")
    }
}

/// `on at least 212 days between at least 2020-07-06 and at least 2021-09-26`.
pub(super) fn when(finding: &Finding) -> String {
    let Finding { days_active: days, first_seen, last_seen, at_least, .. } = *finding;
    let Some((first, last)) = first_seen.zip(last_seen) else {
        return "at times that no clock tells".to_owned();
    };
    let at_least = if at_least { "at least " } else { "" };
    let (first, last) = (first.day(), last.day());
    match days {
        0 | 1 if first == last => format!("on {first}"),
        0 => format!("between {at_least}{first} and {at_least}{last}"),
        1 => format!("on {at_least}1 day between {at_least}{first} and {at_least}{last}"),
        days => format!("on {at_least}{days} days between {at_least}{first} and {at_least}{last}"),
    }
}

/// A day, or that no clock tells it.
pub(in crate::report) fn day(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "not known".to_owned(), |at| at.day().to_string())
}

/// `at least 1 GB left for it`, or why that cannot be said.
pub(super) fn left_for_it(octets_out: &Estimate) -> String {
    let octets = Whole::from(octets_out);
    match (octets.low, octets.point) {
        (0, 0) => "nothing was seen to leave for it".to_owned(),
        (0, _) => "what left for it has no lower bound".to_owned(),
        (low, _) => format!("at least {} left for it", octets::in_prose(low)),
    }
}
