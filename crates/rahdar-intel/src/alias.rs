//! Names that stand for other names (CNAME, RFC 1034 §3.6.2): a claim on the first holds for the
//! addresses of the last while every name of the chain stood for the next.
//!
//! The window of a chain is where the windows of its links overlap ([`pdns`](crate::pdns)), so that
//! one rented name in it keeps the whole from being widened. A claim on the target accuses none of
//! the names that stand for it: whoever likes may point at it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rahdar_model::Timestamp;
use rahdar_model::intelligence::Indicator;

use crate::index::Snapshot;

/// A name stood for another, from the first to the last time that this was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias {
    /// The name, as the book keeps names.
    pub name: String,
    /// What it stood for.
    pub target: String,
    /// When that was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// How often; none if the source does not say.
    pub count: Option<u64>,
    /// Who saw it.
    pub source: Arc<str>,
    /// Where in the file, or in whose log.
    pub place: String,
}

/// Aliases that one chain has at most; chosen here: content networks use two or three, and resolvers
/// give up after some more.
pub const CHAIN_MAX: usize = 8;

/// Chains that are followed to one name; chosen here: more names of others say nothing new of it.
const CHAINS_PER_NAME: usize = 64;

/// The aliases that claimed names led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aliases {
    by_target: HashMap<String, Vec<Alias>>,
}

impl Aliases {
    /// Adds aliases that a claimed domain leads to by [`CHAIN_MAX`] steps or fewer; others are left out.
    pub(crate) fn add(&mut self, book: &Snapshot, aliases: &[Alias]) {
        let known = std::mem::take(&mut self.by_target);
        let mut by_name: HashMap<String, HashSet<Alias>> = HashMap::new();
        for alias in known.into_values().flatten().chain(aliases.iter().cloned()) {
            by_name.entry(alias.name.clone()).or_default().insert(alias);
        }
        let is_claimed = |name: &str| {
            let claims = book.claims_naming(name);
            claims.iter().any(|claim| matches!(claim.indicator, Indicator::Domain(_)))
        };
        let mut reached: Vec<String> = by_name.keys().filter(|name| is_claimed(name)).cloned().collect();
        for _ in 0..CHAIN_MAX {
            let mut next = Vec::new();
            for alias in reached.iter().filter_map(|name| by_name.remove(name)).flatten() {
                next.push(alias.target.clone());
                self.by_target.entry(alias.target.clone()).or_default().push(alias);
            }
            reached = next;
        }
        self.by_target.values_mut().for_each(|known| known.sort_unstable());
    }

    /// The names that claimed names led to, in no order.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.by_target.keys().map(String::as_str)
    }

    /// Whether a claimed name led to this one.
    pub fn leads_to(&self, name: &str) -> bool {
        self.by_target.contains_key(name)
    }

    /// The chains that end at a name, each from its end to its beginning, the shortest first.
    pub(crate) fn chains_to(&self, name: &str) -> Vec<Vec<&Alias>> {
        let mut chains: Vec<Vec<&Alias>> = Vec::new();
        let mut next: usize = 0;
        let mut end = name;
        loop {
            let chain = next.checked_sub(1).map_or(&[][..], |at| &chains[at]).to_vec();
            let begins =
                |alias: &&Alias| alias.name != name && chain.iter().all(|link| link.name != alias.name);
            let longer = self.by_target.get(end).into_iter().flatten().filter(begins);
            let room = CHAINS_PER_NAME - chains.len();
            if chain.len() < CHAIN_MAX {
                let longer: Vec<_> = longer.take(room).map(|alias| [&chain[..], &[alias]].concat()).collect();
                chains.extend(longer);
            }
            let Some(chain) = chains.get(next) else { return chains };
            end = chain.last().map_or(name, |link| &link.name);
            next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use rahdar_model::intelligence::WindowBasis;

    use super::*;
    use crate::reading::{ReadOptions, Reading};
    use crate::tests::shown;

    /// Seconds of 10 May 2021 and so many days.
    fn day(n: i64) -> i64 {
        1_620_604_800 + n * 86_400
    }

    fn line(name: &str, kind: &str, data: &str, first: i64, last: i64) -> String {
        let (first, last) = (day(first), day(last));
        format!(
            r#"{{"rrname":"{name}","rrtype":"{kind}","rdata":"{data}","time_first":{first},"time_last":{last}}}"#
        )
    }

    fn read(name: &str, text: &str) -> Reading {
        crate::read(name, text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    /// What follows of these claimed domains.
    fn check(domains: &str, lines: &[String], claims: &[&str]) {
        let list = read("list.txt", domains);
        let passive = read("cof.json", &lines.join("\n"));
        let book = Snapshot::new(1, list.claims, list.clusters, Vec::new())
            .with_aliases(&passive.aliases)
            .with_resolutions(&passive.resolutions);
        let derived = book.claims().iter().filter(|claim| claim.basis == WindowBasis::Resolved);
        let told: Vec<String> = derived.map(|claim| shown(claim).replace(" resolved line 1", "")).collect();
        assert_eq!(told, claims, "{lines:?}");
    }

    #[test]
    fn an_alias_leads_to_addresses_while_both_held() {
        let lines = [
            line("c2.example.org.", "CNAME", "Front.Example.NET.", 0, 10),
            line("front.example.net", "A", "192.0.2.1", 5, 20),
            line("front.example.net", "A", "192.0.2.2", 15, 20),
        ];
        check(
            "c2.example.org",
            &lines,
            &[
                "192.0.2.1 [2021-05-14, 2021-05-21): c2.example.org, alias of front.example.net, cof.json, line 2",
            ],
        );
        check("front.example.com", &lines, &[]);
    }

    #[test]
    fn a_claim_on_the_target_accuses_no_alias_and_its_own_addresses_as_ever() {
        let lines = [
            line("shop.example.org", "CNAME", "c2.example.net", 0, 10),
            line("c2.example.net", "A", "192.0.2.1", 0, 10),
            line("shop.example.org", "A", "192.0.2.9", 0, 10),
        ];
        check(
            "c2.example.net",
            &lines,
            &["192.0.2.1 [2021-05-09, 2021-05-21): c2.example.net, cof.json, line 2"],
        );
    }

    #[test]
    fn a_rented_name_in_the_chain_keeps_it_from_being_widened() {
        let lines = [
            line("c2.example.org", "CNAME", "someone.mooo.com", 0, 2),
            line("someone.mooo.com", "A", "192.0.2.1", 0, 2),
        ];
        check(
            "c2.example.org",
            &lines,
            &[
                "192.0.2.1 [2021-05-10, 2021-05-12T01:00:00Z): c2.example.org, alias of someone.mooo.com, cof.json, \
               line 2",
            ],
        );
    }

    #[test]
    fn chains_end_after_so_many_aliases_and_circles_end_at_once() {
        let name = |n: usize| format!("n{n}.example.org");
        let chain = |aliases: usize| {
            let mut lines: Vec<String> =
                (0..aliases).map(|n| line(&name(n), "CNAME", &name(n + 1), 0, 10)).collect();
            lines.push(line(&name(aliases), "A", "192.0.2.1", 0, 10));
            lines.push(line(&name(aliases), "CNAME", &name(0), 0, 10));
            lines
        };
        let told = "192.0.2.1 [2021-05-09, 2021-05-21): n0.example.org, alias of";
        let derived = |aliases: usize| {
            let list = read("list.txt", "n0.example.org");
            let passive = read("cof.json", &chain(aliases).join("\n"));
            let book = Snapshot::new(1, list.claims, list.clusters, Vec::new())
                .with_aliases(&passive.aliases)
                .with_resolutions(&passive.resolutions);
            let derived = book.claims().iter().filter(|claim| claim.basis == WindowBasis::Resolved);
            let shown: Vec<String> =
                derived.map(|claim| shown(claim).replace(" resolved line 1", "")).collect();
            assert!(shown.iter().all(|claim| claim.starts_with(told)), "{shown:?}");
            shown.len()
        };
        assert_eq!([1, CHAIN_MAX, CHAIN_MAX + 1].map(derived), [1, 1, 0]);
    }

    #[test]
    fn a_name_of_a_thousand_aliases_is_followed_so_often_and_no_more() {
        let mut lines: Vec<String> = (0..1_000)
            .map(|n| line(&format!("n{n}.c2.example.org"), "CNAME", "front.example.net", 0, 10))
            .collect();
        lines.push(line("front.example.net", "A", "192.0.2.1", 0, 10));
        let list = read("list.txt", "c2.example.org");
        let passive = read("cof.json", &lines.join("\n"));
        let book = Snapshot::new(1, list.claims, list.clusters, Vec::new())
            .with_aliases(&passive.aliases)
            .with_resolutions(&passive.resolutions);
        assert_eq!(book.claims().len(), 1 + CHAINS_PER_NAME);
    }
}
