//! The versions of a list, such as the commits of a feed's repository, as intervals.
//!
//! What stands in a version is claimed from its time until the first version without it; what
//! stands in the last, to the end of its day. What comes back has two intervals. A version in
//! which nothing can be read says nothing: a feed that failed for a day accused nobody of leaving.
//!
//! The times of the versions are the windows, whatever the list says of dates: a list that is
//! edited every day says best what it held when.

use std::collections::BTreeMap;

use rahdar_model::intelligence::{Claim, ClusterId, Indicator, WindowBasis};
use rahdar_model::{Timestamp, Window};

use crate::reading::{ReadError, ReadOptions, Reading};

/// One version of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Since when it stood.
    pub at: Timestamp,
    /// Its octets.
    pub bytes: Vec<u8>,
}

/// What makes an entry the same in two versions.
type Entry = (Indicator, Option<u16>, Option<u8>, Option<ClusterId>, Vec<String>);

/// Reads the versions of one list, oldest first. The name is that of the list, as for
/// [`crate::read`]. What is refused or set aside is told of the last version that could be read.
///
/// # Errors
/// [`ReadError::Nothing`] if no version can be read; any error of a version but
/// [`ReadError::Nothing`]; [`ReadError::Order`] if a version is older than the one before.
pub fn read(
    name: &str,
    versions: impl IntoIterator<Item = Version>,
    options: &ReadOptions,
) -> Result<Reading, ReadError> {
    let mut open: BTreeMap<Entry, Claim> = BTreeMap::new();
    let mut closed: Vec<Claim> = Vec::new();
    let mut last: Option<(Timestamp, Reading)> = None;
    for version in versions {
        if last.as_ref().is_some_and(|(at, _)| version.at < *at) {
            return Err(ReadError::Order);
        }
        let mut reading = match crate::read(name, &version.bytes, options) {
            Ok(reading) => reading,
            Err(ReadError::Nothing) => continue,
            Err(error) => return Err(error),
        };
        let mut still: BTreeMap<Entry, Claim> = BTreeMap::new();
        for mut claim in std::mem::take(&mut reading.claims).into_iter().filter(|claim| !claim.revoked) {
            let entry = (
                claim.indicator.clone(),
                claim.port,
                claim.protocol,
                claim.cluster.clone(),
                claim.tools.clone(),
            );
            claim.validity.from = open.get(&entry).map_or(version.at, |known| known.validity.from);
            // The first claim of a version speaks: its others differ in nothing that is kept.
            still.entry(entry).or_insert(claim);
        }
        for (entry, claim) in std::mem::replace(&mut open, still) {
            if !open.contains_key(&entry) {
                closed.push(until(claim, version.at));
            }
        }
        last = Some((version.at, reading));
    }
    let Some((at, mut reading)) = last else { return Err(ReadError::Nothing) };
    let end = at.day().window().until;
    closed.extend(open.into_values().map(|claim| until(claim, end)));
    closed.retain(|claim| !claim.validity.is_empty());
    closed.sort_by(|a, b| (&a.indicator, a.validity.from).cmp(&(&b.indicator, b.validity.from)));
    reading.claims = closed;
    Ok(reading)
}

fn until(claim: Claim, until: Timestamp) -> Claim {
    let validity = Window::new(claim.validity.from, until);
    Claim { validity, basis: WindowBasis::Stated, published: None, ..claim }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(versions: &[(&str, &str)], claims: &[&str]) {
        let versions = versions
            .iter()
            .map(|(day, text)| Version { at: day.parse().unwrap(), bytes: text.as_bytes().to_vec() });
        let reading = read("feed/PlugX.txt", versions, &ReadOptions::default()).unwrap();
        let told: Vec<String> = reading
            .claims
            .iter()
            .map(|claim| format!("{} {:?}", claim.indicator, claim.validity).replace("T00:00:00Z", ""))
            .collect();
        assert_eq!(told, claims, "{claims:?}");
        assert!(reading.claims.iter().all(|claim| claim.basis == WindowBasis::Stated));
    }

    #[test]
    fn an_entry_holds_from_its_first_version_to_the_first_without_it() {
        check(
            &[
                ("2023-01-01", "192.0.2.1\n192.0.2.2\n"),
                ("2023-01-08", "192.0.2.2\n"),
                ("2023-01-15", "192.0.2.1\n192.0.2.2\n"),
            ],
            &[
                "192.0.2.1 [2023-01-01, 2023-01-08)",
                "192.0.2.1 [2023-01-15, 2023-01-16)",
                "192.0.2.2 [2023-01-01, 2023-01-16)",
            ],
        );
    }

    #[test]
    fn a_version_that_says_nothing_ends_nothing() {
        check(
            &[("2023-01-01", "192.0.2.1\n"), ("2023-01-02", ""), ("2023-01-03", "192.0.2.1\n")],
            &["192.0.2.1 [2023-01-01, 2023-01-04)"],
        );
    }

    #[test]
    fn versions_out_of_order_and_empty_histories_are_errors() {
        let version = |day: &str| Version { at: day.parse().unwrap(), bytes: b"192.0.2.1\n".to_vec() };
        let options = ReadOptions::default();
        let backwards = [version("2023-01-02"), version("2023-01-01")];
        assert_eq!(read("a", backwards, &options).unwrap_err(), ReadError::Order);
        assert_eq!(read("a", [], &options).unwrap_err(), ReadError::Nothing);
    }
}
