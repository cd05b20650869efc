//! Reports, feeds and lists into dated, sourced infrastructure: was this endpoint hostile *at
//! that time*, and who says so?
//!
//! * [`read`] takes the octets of a file and gives a [`Reading`]: claims, clusters, host facts,
//!   and every text that was refused, with its place and the reason.
//! * [`prose`] reads reports; what they say waits for a person as [`assertion::Proposal`]s.
//! * [`misp`] keeps MISP events whole, to be written again.
//! * [`sheet`] reads the two small tables that people keep themselves: networks and events.
//! * [`registry`]: public files about networks, each of a day: origins, organisations, sectors, countries.
//! * [`book`]: the append-only register of all that was ever claimed, as a trait.
//! * [`index`]: one version of the book as an immutable snapshot, ready to be asked.
//! * [`pdns`]: a claim on a domain becomes dated claims on the addresses that it had; [`alias`]: by way
//!   of other names; [`answers`]: as our own networks saw it. [`certificates`]: the same of certificates.
//! * [`listing`]: a list that is fetched again and again becomes dated claims.
//! * [`scan`]: rules over what scanners saw, and the versions of a list as intervals.
//! * [`benign`]: what is known to be harmless.
//! * [`pivot`]: what was run by the same hand, by rare traits that hosts share.
//! * [`age`]: what deserves attention first, now.
//!
//! This crate knows no file system, no network, no database and no wall clock: it is handed
//! octets and times.

pub mod age;
pub mod alias;
pub mod answers;
pub mod assertion;
pub mod benign;
pub mod book;
pub mod certificates;
pub mod index;
pub mod listing;
pub mod misp;
pub mod pdns;
pub mod pivot;
pub mod prose;
pub mod reading;
pub mod registry;
pub mod scan;
pub mod sheet;
pub mod stix;

mod attributions;
mod date;
mod detect;
mod draft;
mod find;
mod json;
mod list;
mod name;
mod naming;
mod refang;
mod rented;
mod rows;
mod source;
mod table;

use std::borrow::Cow;

use regex::Regex;

pub use detect::FILE_MAX;
pub use prose::Names;
pub use reading::{Format, ReadError, ReadOptions, Reading, Refusal};

/// Reads one file, told by its content, as it is or packed with gzip. The name may be a path: the
/// names of the file and of its folder say whose list it is, and when it was published, where the
/// content does not.
///
/// # Errors
/// [`ReadError`] if nothing of it can be read. Indicators that cannot be believed are no error:
/// see [`Reading::refused`].
pub fn read(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Reading, ReadError> {
    read_knowing(name, bytes, options, &Names::default())
}

/// Reads one file as [`read`] does; in a report, these names are known.
///
/// # Errors
/// As [`read`].
pub fn read_knowing(
    name: &str,
    bytes: &[u8],
    options: &ReadOptions,
    names: &Names,
) -> Result<Reading, ReadError> {
    let bytes = detect::unpack(bytes)?;
    let source = source::Source::of_path(name);
    if prose::is_pdf(&bytes) {
        return prose::read_pdf(&source, &bytes, options, names);
    }
    let text = detect::decode(&bytes)?;
    match detect::kind(&text)? {
        detect::Kind::Json => {
            return match json::kind(&text) {
                json::Kind::MispEvents => misp::read(&source, &text, options),
                json::Kind::MispManifest => misp::read_manifest(&source, &text, options),
                json::Kind::MispGalaxy => misp::read_galaxy(&source, &text, options),
                json::Kind::WarningList => benign::read(&source, &text, options),
                json::Kind::PassiveDns => pdns::read(&source, &text, options),
                json::Kind::Scan => scan::read(&source, &text, options),
                json::Kind::Other => stix::read(&source, &text, options),
            };
        }
        detect::Kind::Html => return prose::read_html(&source, &text, options, names),
        detect::Kind::Plain => {}
    }
    if misp::is_feed_hashes(&text) {
        return Err(ReadError::Unsupported {
            what: "the hashes of values of a MISP feed",
            remedy: "import the events of the feed",
        });
    }
    if attributions::is(&text) {
        return attributions::read(&source, &text, options);
    }
    if pivot::sheet::is_sheet(&text) {
        return pivot::sheet::read(&source, &text, options);
    }
    match table::layout(&text) {
        Some(layout) => table::read(&source, &text, &layout, options),
        None if prose::is_report(&source.shown, &text) => prose::read_text(&source, &text, options, names),
        None => list::read(&source, &text, options),
    }
}

/// Undoes gzip, within the limits that hold for files; other octets stay as they are.
///
/// # Errors
/// [`ReadError::TooLarge`] beyond [`FILE_MAX`], or at a ratio that no text has;
/// [`ReadError::Unsupported`] if it is damaged.
pub fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, ReadError> {
    detect::unpack(bytes)
}

/// What a person asks about, as the index knows it: defanging undone, white space taken off.
pub fn refanged(subject: &str) -> String {
    refang::refang(subject.trim()).text
}

/// A pattern of this crate, compiled.
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("every pattern is a constant that a test compiles")
}

#[cfg(test)]
mod tests {
    use rahdar_model::intelligence::Claim;

    /// A claim in one line, without its source.
    pub(crate) fn shown(claim: &Claim) -> String {
        let mut words = vec![claim.indicator.to_string()];
        words.extend(claim.port.map(|port| format!(":{port}")));
        words.extend(claim.protocol.map(|protocol| format!("/{protocol}")));
        words.push(format!("{:?}", claim.validity).replace("T00:00:00Z", ""));
        words.push(claim.basis.word().to_owned());
        words.extend(claim.cluster.as_ref().map(ToString::to_string));
        words.extend(claim.tools.iter().cloned());
        words.extend(claim.confidence.map(|confidence| confidence.to_string()));
        words.extend(claim.tlp.map(|tlp| tlp.word().to_owned()));
        words.push(claim.place.clone());
        words.join(" ")
    }
}
