//! Why a file, or a line of it, was refused.

use thiserror::Error;

/// A line that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct BadLine {
    /// Which, from 1.
    pub line: usize,
    /// Why.
    pub reason: LineError,
}

/// Why a line was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineError {
    /// Too few fields.
    #[error("it has {0} fields, {1} are needed")]
    Fields(usize, usize),
    /// The prefix is none.
    #[error("`{0}` is not a prefix such as 192.0.2.0/24")]
    Prefix(String),
    /// The range ends before it begins, or mixes families.
    #[error("`{0}` is not a range of addresses")]
    Range(String),
    /// The AS number is none.
    #[error("`{0}` is not an AS number such as 64496")]
    Asn(String),
    /// The country is no two-letter code.
    #[error("`{0}` is not a two-letter country code such as AF")]
    Country(String),
    /// No JSON.
    #[error("it is not a JSON object")]
    Json,
    /// A quote that never closes.
    #[error("a quote in it does not close")]
    Quote,
}

/// Why nothing of a file was taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DumpError {
    /// It does not say of which day it is.
    #[error("it does not say of which day it is; give --as-of DATE")]
    Undated,
    /// It holds nothing.
    #[error("it holds no row that says anything: is it whole?")]
    Empty,
    /// It breaks a named limit.
    #[error("it holds more than {most} {what}")]
    TooLarge {
        /// The most that is taken.
        most: usize,
        /// Of what.
        what: &'static str,
    },
    /// It is not what it looks like, or damaged.
    #[error("it looks like {what}, but cannot be read: {why}; fetch it again")]
    Damaged {
        /// The kind.
        what: &'static str,
        /// How that shows.
        why: String,
    },
}
