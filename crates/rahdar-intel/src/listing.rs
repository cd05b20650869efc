//! A list that is fetched again and again, as dated claims.
//!
//! A plain list says what is hostile now, and not since when. What it holds when it is fetched is claimed
//! from the ninety days before (`methods.md` §7.4, as of any publication) and for as long as it is listed;
//! when it is found listed no more, the claim ends. What comes back begins anew. Claims that the list
//! dates itself are left as they are.
//!
//! Nothing is edited: the claim that ends is a later version of the one that was open, and speaks for it
//! ([`crate::index::Snapshot`]). The open ones are known by the book alone, so that nothing is lost or
//! doubled, whatever is killed when.

use std::collections::{BTreeMap, HashMap};

use rahdar_model::intelligence::{Claim, ClusterId, Indicator, WindowBasis};
use rahdar_model::{Timestamp, Window};

use crate::draft::PUBLISHED_REACH_US;
use crate::index::Snapshot;
use crate::reading::Reading;

/// What the places of such claims begin with; the two strokes make versions of them.
const PLACE: &str = "listed--";

/// Digits of the hash that tells lists apart, and of the one that tells entries apart; chosen here: no two
/// meet by chance in a book of billions.
const LIST_DIGITS: usize = 16;
const ENTRY_DIGITS: usize = 32;

/// What makes an entry the same in two versions.
type Entry = (Indicator, Option<u16>, Option<u8>, Option<ClusterId>, Vec<String>);

/// Of what a list holds at `at`, what the book does not know: entries that are new, and the ends of those
/// that are gone. `list` names the list, the same each time.
pub fn changes(list: &str, mut reading: Reading, book: &Snapshot, at: Timestamp) -> Reading {
    let prefix = format!("{PLACE}{}-", digits(list.as_bytes(), LIST_DIGITS));
    let mut open = open(&prefix, book);
    // A clock that went back must not have earlier versions speak.
    let newest = open.values().filter_map(|claim| claim.published).max();
    let at = newest.map_or(at, |newest| at.max(newest.plus_micros(1)));
    let mut listed: BTreeMap<Entry, Claim> = BTreeMap::new();
    let mut claims = Vec::new();
    for claim in std::mem::take(&mut reading.claims) {
        if claim.basis == WindowBasis::Undated {
            // The first claim of a version speaks: its others differ in nothing that is kept.
            listed.entry(entry(&claim)).or_insert(claim);
        } else {
            claims.push(claim);
        }
    }
    for (entry, claim) in listed {
        if open.remove(&entry).is_some() {
            continue;
        }
        let id = digits(format!("{entry:?} {at}").as_bytes(), ENTRY_DIGITS);
        claims.push(Claim {
            validity: Window::new(at.plus_micros(-PUBLISHED_REACH_US), Timestamp::MAX),
            basis: WindowBasis::Published,
            place: format!("{prefix}{id}"),
            published: Some(at),
            ..claim
        });
    }
    let mut gone: Vec<&Claim> = open.into_values().collect();
    gone.sort_by_key(|claim| &claim.place);
    claims.extend(gone.into_iter().map(|claim| Claim {
        validity: Window::new(claim.validity.from, at),
        published: Some(at),
        ..claim.clone()
    }));
    reading.claims = claims;
    reading
}

/// The claims of a list that no version has ended.
fn open<'a>(prefix: &str, book: &'a Snapshot) -> HashMap<Entry, &'a Claim> {
    let mut latest: HashMap<&str, &Claim> = HashMap::new();
    for claim in book.claims().iter().filter(|claim| claim.place.starts_with(prefix)) {
        let known = latest.entry(&claim.place).or_insert(claim);
        if known.published < claim.published {
            *known = claim;
        }
    }
    let open = latest.into_values().filter(|claim| claim.validity.until == Timestamp::MAX);
    open.map(|claim| (entry(claim), claim)).collect()
}

fn entry(claim: &Claim) -> Entry {
    let Claim { indicator, port, protocol, cluster, tools, .. } = claim;
    (indicator.clone(), *port, *protocol, cluster.clone(), tools.clone())
}

fn digits(octets: &[u8], count: usize) -> String {
    blake3::hash(octets).to_hex()[..count].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::ReadOptions;

    /// A book that has seen these versions of a list, and what each of them added.
    fn seen(versions: &[(&str, &str)]) -> (Snapshot, Vec<usize>) {
        let mut claims = Vec::new();
        let mut added = Vec::new();
        for (day, text) in versions {
            let book = Snapshot::new(1, claims.clone(), Vec::new(), Vec::new());
            let read = crate::read("feed/list.txt", text.as_bytes(), &ReadOptions::default()).unwrap();
            let changes = changes("feed", read, &book, day.parse().unwrap());
            added.push(changes.claims.len());
            claims.extend(changes.claims);
        }
        (Snapshot::new(1, claims, Vec::new(), Vec::new()), added)
    }

    fn check(versions: &[(&str, &str)], added: &[usize], address: &str, windows: &[&str]) {
        let (book, counts) = seen(versions);
        assert_eq!(counts, added);
        let found = book.claims_on(address.parse().unwrap());
        let told: Vec<_> =
            found.map(|claim| format!("{:?}", claim.validity).replace("T00:00:00Z", "")).collect();
        assert_eq!(told, windows, "{address}");
    }

    #[test]
    fn an_entry_holds_while_it_is_listed() {
        let both = "192.0.2.1\n192.0.2.2\n";
        check(&[("2021-06-01", both)], &[2], "192.0.2.1", &["[2021-03-03, the end)"]);
        let versions = [("2021-06-01", both), ("2021-06-02", both), ("2021-06-03", "192.0.2.2\n")];
        check(&versions, &[2, 0, 1], "192.0.2.1", &["[2021-03-03, 2021-06-03)"]);
        check(&versions, &[2, 0, 1], "192.0.2.2", &["[2021-03-03, the end)"]);
    }

    #[test]
    fn what_comes_back_begins_anew() {
        let versions = [
            ("2021-01-01", "192.0.2.1\n192.0.2.2\n"),
            ("2021-02-01", "192.0.2.2\n"),
            ("2021-12-01", "192.0.2.1\n192.0.2.2\n"),
        ];
        let windows = ["[2020-10-03, 2021-02-01)", "[2021-09-02, the end)"];
        check(&versions, &[2, 1, 1], "192.0.2.1", &windows);
    }

    #[test]
    fn a_clock_that_goes_back_ends_what_is_gone_all_the_same() {
        let versions = [("2021-06-02", "192.0.2.1\n192.0.2.2\n"), ("2021-06-01", "192.0.2.2\n")];
        check(&versions, &[2, 1], "192.0.2.1", &["[2021-03-04, 2021-06-02T00:00:00.000001Z)"]);
    }

    #[test]
    fn rows_that_the_list_dates_are_left_as_they_are() {
        let table = "indicator,valid_from,valid_until\n192.0.2.1,2021-01-01,2021-01-31\n";
        check(&[("2021-06-01", table)], &[1], "192.0.2.1", &["[2021-01-01, 2021-02-01)"]);
    }

    #[test]
    fn lists_do_not_end_what_others_hold() {
        let (book, _) = seen(&[("2021-06-01", "192.0.2.1\n")]);
        let read = crate::read("b", b"192.0.2.2\n", &ReadOptions::default()).unwrap();
        let changes = changes("another", read, &book, "2021-06-02".parse().unwrap());
        assert_eq!(changes.claims.len(), 1);
    }
}
