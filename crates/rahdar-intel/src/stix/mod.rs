//! STIX 2.1 bundles, and 2.0 as far as the same reading serves.
//!
//! * [`bundle`]: the envelope, and writing it again without loss.
//! * [`object`]: one object as it stands, with a typed view beside it.
//! * [`pattern`]: patterns as trees, and what flows can answer of them.
//! * `marking`: how far an object may travel.
//! * `graph`: what the objects say about each other, which gives a claim its cluster and tools.
//! * `claims`: objects into claims.
//!
//! Objects are read one by one: a malformed one is refused and the others are kept. Of several
//! versions of an object the latest speaks; the claims of earlier ones go into the book as
//! history, where the latest supersedes them. `docs/stix.md` says what is read, compiled and kept.

pub mod bundle;
pub mod object;
pub mod pattern;

mod claims;
mod graph;
mod marking;

use std::collections::HashMap;

pub use bundle::Bundle;
pub use object::Object;

use crate::draft::Draft;
use crate::reading::{Format, ReadError, ReadOptions, Reading, Reason};
use crate::source::Source;

/// Reads a bundle, a TAXII envelope, a list of objects, or one object.
pub(crate) fn read(source: &Source, text: &str, options: &ReadOptions) -> Result<Reading, ReadError> {
    let bundle = Bundle::parse(text)?;
    let mut draft = Draft::new(Format::Stix, &source.shown, options);
    let mut objects = Vec::with_capacity(bundle.len());
    for object in bundle.objects() {
        match object {
            Ok(object) => objects.push(object),
            Err(flaw) => {
                draft.refuse(&format!("line {}", flaw.line), flaw.text, Reason::Object(flaw.error));
            }
        }
    }
    let (latest, earlier) = versions(objects);
    claims::read(source, &latest, &earlier, draft).finish()
}

/// The latest version of each object, in the order of the bundle, and the versions before them.
/// Of two copies of one version the later one counts.
fn versions(objects: Vec<Object<'_>>) -> (Vec<Object<'_>>, Vec<Object<'_>>) {
    let mut latest: Vec<Object<'_>> = Vec::with_capacity(objects.len());
    let mut earlier = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for object in objects {
        let Some(at) = places.get(object.id()) else {
            places.insert(object.id().to_owned(), latest.len());
            latest.push(object);
            continue;
        };
        let known = &mut latest[*at];
        if known.version() > object.version() {
            earlier.push(object);
        } else {
            let before = std::mem::replace(known, object);
            if before.version() < latest[*at].version() {
                earlier.push(before);
            }
        }
    }
    (latest, earlier)
}

#[cfg(test)]
mod tests;
