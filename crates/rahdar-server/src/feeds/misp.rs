//! A MISP feed: a folder with a manifest that says which events there are, and when each last changed.
//!
//! Only events that are new or changed are fetched, one by one, each recorded with the time of its change.
//! `hashes.csv` is not asked for: it serves to compare feeds, and says nothing that the events do not.

use std::collections::BTreeMap;

use rahdar_intel::misp::FeedEvent;
use reqwest::Url;

/// Events of one feed at most; chosen here: the largest public feeds have some thousands.
const EVENTS_MAX: usize = 100_000;

/// The manifest of a feed whose entry names its folder, or the manifest itself.
pub(super) fn manifest(home: &Url) -> Url {
    if home.path().ends_with("/manifest.json") {
        return home.clone();
    }
    let mut manifest = home.clone();
    if let Ok(mut path) = manifest.path_segments_mut() {
        path.pop_if_empty().push("manifest.json");
    }
    manifest
}

/// An event to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) id: String,
    pub(super) url: Url,
    /// What is recorded with it: when it last changed.
    pub(super) position: String,
}

/// What is new or changed, in the order of ids, and how many entries are no events. Ids come from outside
/// and become part of a URL: what is no UUID is left alone.
pub(super) fn wanted(
    manifest: &Url,
    events: Vec<FeedEvent>,
    reached: &BTreeMap<String, String>,
) -> Result<(Vec<Wanted>, usize), super::FeedError> {
    if events.len() > EVENTS_MAX {
        return Err(super::FeedError::TooManyEvents { most: EVENTS_MAX });
    }
    let listed = events.len();
    let events: Vec<FeedEvent> = events.into_iter().filter(|event| is_uuid(&event.uuid)).collect();
    let strange = listed - events.len();
    let wanted = events.into_iter().filter_map(|event| {
        let position = event.changed.map(|at| at.to_string()).unwrap_or_default();
        // An event that does not say when it changed is fetched once.
        let is_known = reached.get(&event.uuid) == Some(&position);
        let url = manifest.join(&format!("{}.json", event.uuid)).ok()?;
        (!is_known).then_some(Wanted { id: event.uuid, url, position })
    });
    Ok((wanted.collect(), strange))
}

/// Whether this is a UUID as RFC 9562 writes it.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5a7b1c2e-0000-4000-8000-0123456789ab";

    fn event(uuid: &str, changed: Option<&str>) -> FeedEvent {
        let changed = changed.map(|day| day.parse().unwrap());
        FeedEvent { uuid: uuid.to_owned(), changed, info: String::new() }
    }

    fn check(event: FeedEvent, known: Option<&str>, fetched: Option<&str>) {
        let manifest = Url::parse("https://example.org/feed/manifest.json").unwrap();
        let known = known.map(|at| (ID.to_owned(), at.to_owned())).into_iter().collect();
        let (wanted, _) = wanted(&manifest, vec![event], &known).unwrap();
        assert_eq!(wanted.first().map(|wanted| wanted.url.as_str()), fetched);
    }

    #[test]
    fn what_is_new_or_changed_is_fetched_and_nothing_else() {
        let url = Some("https://example.org/feed/5a7b1c2e-0000-4000-8000-0123456789ab.json");
        check(event(ID, Some("2021-06-01")), None, url);
        check(event(ID, Some("2021-06-02")), Some("2021-06-01T00:00:00Z"), url);
        check(event(ID, Some("2021-06-01")), Some("2021-06-01T00:00:00Z"), None);
        check(event(ID, None), None, url);
        check(event(ID, None), Some(""), None);
    }

    #[test]
    fn an_id_that_is_none_is_no_part_of_a_url() {
        for id in ["../../admin", "http://192.0.2.1/a", "", "5a7b1c2e-0000-4000-8000-0123456789a/"] {
            check(event(id, None), None, None);
        }
    }

    #[test]
    fn the_manifest_lies_in_the_folder_of_the_feed() {
        for home in [
            "https://example.org/feed",
            "https://example.org/feed/",
            "https://example.org/feed/manifest.json",
        ] {
            let found = manifest(&Url::parse(home).unwrap());
            assert_eq!(found.as_str(), "https://example.org/feed/manifest.json");
        }
    }
}
