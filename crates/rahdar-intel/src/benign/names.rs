//! Names that warning lists hold, and the lists that hold a name.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rahdar_model::{Timestamp, Window};
use regex::{Regex, RegexBuilder};

use crate::name;
use crate::reading::Reason;

/// A list warns of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Of which names.
    pub matching: Matching,
    /// When.
    pub validity: Window,
    /// Which list.
    pub source: Arc<str>,
}

/// How the entry of a list meets a name (misp-warninglists, `type`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matching {
    /// `string`: it is the name.
    Whole(String),
    /// `hostname`, or an entry with a leading dot: it is the name or stands above it.
    Above(String),
    /// `substring`: it is part of the name.
    Part(String),
    /// `regex`: it is a pattern of names.
    Pattern(String),
}

/// Octets of a pattern (`reliability.md` §3).
const PATTERN_MAX: usize = 1 << 10;
/// Octets that a compiled pattern may take (`reliability.md` §3).
const PROGRAM_MAX: usize = 1 << 20;

impl Matching {
    /// Reads an entry of a list of this type.
    ///
    /// # Errors
    /// [`Reason::NotOfType`] for an entry that can match no name.
    pub(super) fn of(kind: &str, entry: &str) -> Result<Self, Reason> {
        let wrong = || Reason::NotOfType(kind.to_owned());
        if kind == "regex" {
            pattern(entry).ok_or_else(wrong)?;
            return Ok(Self::Pattern(entry.to_owned()));
        }
        if kind == "substring" {
            return Ok(Self::Part(entry.to_ascii_lowercase()));
        }
        // Entries of lists of URLs: their host.
        let host = entry.split_once("://").map_or(entry, |(_, rest)| rest).split('/').next();
        let host = host.unwrap_or_default();
        let bare = host.strip_prefix("*.").unwrap_or(host).trim_matches('.').to_lowercase();
        let kept = name::domain(&bare).or_else(|| {
            // A list of suffixes holds names of one label.
            let is_label = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            (!bare.is_empty() && bare.bytes().all(is_label)).then(|| bare.clone())
        });
        let kept = kept.ok_or_else(wrong)?;
        let above = kind == "hostname" || host.starts_with('.') || host.starts_with("*.");
        Ok(if above { Self::Above(kept) } else { Self::Whole(kept) })
    }

    /// The word of its kind and its text, as they are stored.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Whole(text) => ("whole", text),
            Self::Above(text) => ("above", text),
            Self::Part(text) => ("part", text),
            Self::Pattern(text) => ("pattern", text),
        }
    }

    /// From the word and the text of [`Matching::parts`].
    pub fn from_parts(word: &str, text: String) -> Option<Self> {
        match word {
            "whole" => Some(Self::Whole(text)),
            "above" => Some(Self::Above(text)),
            "part" => Some(Self::Part(text)),
            "pattern" => Some(Self::Pattern(text)),
            _ => None,
        }
    }
}

impl fmt::Display for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.parts().1)
    }
}

/// A pattern as the lists write it, `/…/i`; none if it is none or too large.
fn pattern(entry: &str) -> Option<Regex> {
    let body = entry.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    let (body, flags) = body.unwrap_or((entry, "i"));
    let mut builder = RegexBuilder::new(body);
    let builder = builder.case_insensitive(flags.contains('i')).size_limit(PROGRAM_MAX);
    builder.build().ok().filter(|_| entry.len() <= PATTERN_MAX)
}

/// All notes of a book, ready to be asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    notes: Vec<Note>,
    /// Whole names and names above, each under its text.
    by_name: HashMap<String, Vec<u32>>,
    /// Parts and patterns, which are tried one by one.
    others: Vec<(u32, Option<Regex>)>,
}

/// Parts and patterns that are tried at most; chosen here: public lists hold a few hundred.
const OTHERS_MAX: usize = 10_000;

impl Notes {
    pub(crate) fn of(notes: Vec<Note>) -> Self {
        let mut all = Self::default();
        for (i, note) in (0..).zip(&notes) {
            match &note.matching {
                Matching::Whole(name) | Matching::Above(name) => {
                    all.by_name.entry(name.clone()).or_default().push(i);
                }
                Matching::Part(_) if all.others.len() < OTHERS_MAX => all.others.push((i, None)),
                Matching::Pattern(text) if all.others.len() < OTHERS_MAX => {
                    all.others.extend(pattern(text).map(|pattern| (i, Some(pattern))));
                }
                _ => {}
            }
        }
        Self { notes, ..all }
    }

    /// The notes on a name at that time: on itself, on the names above it, then the others.
    pub(crate) fn on(&self, name: &str, at: Timestamp) -> Vec<&Note> {
        let of = |name: &str| self.by_name.get(name).into_iter().flatten().map(|i| &self.notes[*i as usize]);
        let above = std::iter::successors(name.split_once('.'), |(_, rest)| rest.split_once('.'));
        let above = above.flat_map(|(_, above)| of(above));
        let above = above.filter(|note| matches!(note.matching, Matching::Above(_)));
        let others = self.others.iter().filter_map(|(i, pattern)| {
            let note = &self.notes[*i as usize];
            let met = match pattern {
                Some(pattern) => pattern.is_match(name),
                None => name.contains(note.matching.parts().1),
            };
            met.then_some(note)
        });
        of(name).chain(above).chain(others).filter(|note| note.validity.contains(at)).collect()
    }
}
