//! What hosts carry: certificates, keys and fingerprints, each from its first to its last sighting.

use std::collections::BTreeMap;

use rahdar_model::{Address, Window};

use super::observe::Observation;
use crate::draft::Draft;
use crate::pivot::{Kind, Node, Trait};
use crate::reading::{ReadError, TRAITS_MAX};

/// Which fields are which traits. Of several hashes of one thing the first that is given counts.
const FIELDS: [(Kind, &[&str]); 9] = [
    (Kind::Certificate, &["tls.cert.sha256", "tls.cert.sha1", "tls.cert.md5"]),
    (Kind::SshKey, &["ssh.key_sha256"]),
    (Kind::Jarm, &["jarm"]),
    (Kind::Ja3s, &["ja3s"]),
    (Kind::Ja4s, &["ja4s"]),
    (Kind::Ja4x, &["ja4x"]),
    (Kind::Hassh, &["ssh.hassh"]),
    (Kind::Page, &["http.body_sha256", "http.html_hash"]),
    (Kind::Asn, &["asn"]),
];

/// Values of one field that are taken; chosen here: a service shows one of each, a list of
/// answers a few.
const VALUES_MAX: usize = 16;

/// Traits in the making.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    seen: BTreeMap<(Address, Kind, String), (Window, String)>,
}

impl Gathered {
    /// Adds what an observation shows.
    ///
    /// # Errors
    /// [`ReadError::TooLarge`] beyond [`TRAITS_MAX`].
    pub(super) fn add(&mut self, observation: &Observation, place: &str) -> Result<(), ReadError> {
        if observation.address.is_unroutable() {
            return Ok(());
        }
        let day = observation.at.day().window();
        for (kind, fields) in FIELDS {
            let given =
                fields.iter().map(|field| observation.values(field)).find(|values| !values.is_empty());
            for value in given.into_iter().flatten().take(VALUES_MAX).filter_map(|value| kind.tidy(value)) {
                let seen = self.seen.entry((observation.address, kind, value));
                let (window, _) = seen.or_insert_with(|| (day, place.to_owned()));
                *window = Window::new(window.from.min(day.from), window.until.max(day.until));
            }
        }
        if self.seen.len() > TRAITS_MAX {
            return Err(ReadError::TooLarge { most: TRAITS_MAX, what: "traits in one file" });
        }
        Ok(())
    }

    /// Tells them, in the order of addresses.
    ///
    /// # Errors
    /// As [`Gathered::add`].
    pub(super) fn tell(self, draft: &mut Draft<'_>, confidence: Option<u8>) -> Result<(), ReadError> {
        for ((address, kind, value), (seen, place)) in self.seen {
            let subject = Node::Address(address);
            let source = draft.source();
            draft.trait_seen(Trait { subject, kind, value, seen, confidence, source, place })?;
        }
        Ok(())
    }
}
