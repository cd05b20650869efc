//! Patterns of STIX 2.1 §9 as a tree that prints what it was read from.
//!
//! * [`Pattern`] is the tree; [`str::parse`] reads it by the grammar, with a bounded depth.
//! * `compile` takes from it what flows can answer, and names the rest.
//!
//! Values keep the form they were written in: `007` is refused, `7.0` stays `7.0`.

mod compile;
mod parse;

use std::fmt;

use rahdar_model::Timestamp;
use thiserror::Error;

pub(crate) use compile::{Dated, compile};
pub use parse::{DEPTH_MAX, PATTERN_MAX};

/// A pattern: what must be observed for an indicator to speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(pub Observation);

/// What must be observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// `[ … ]`: one observation for which this comparison holds.
    Of(Comparison),
    /// Observations joined by one operator, in their order; two or more.
    Joined(ObservationOperator, Vec<Observation>),
    /// An observation with a qualifier behind it.
    Qualified(Box<Observation>, Qualifier),
}

/// What joins observations, the loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObservationOperator {
    /// The one after the other.
    FollowedBy,
    /// Any of them.
    Or,
    /// All of them.
    And,
}

/// What an observation must hold to in time and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Qualifier {
    /// All within this many seconds, as written: `5`, `.5`.
    Within(String),
    /// This many times.
    Repeats(u64),
    /// From the first moment until the second, which is not inside.
    StartStop(Moment, Moment),
}

/// A moment as a pattern writes it, and the time it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// `2021-08-15T12:30:00.5Z`.
    pub text: String,
    /// The time, to the microsecond.
    pub at: Timestamp,
}

/// What must hold within one observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// One test of one property.
    Test(Test),
    /// Comparisons joined by one operator, in their order; two or more.
    Joined(Junction, Vec<Comparison>),
}

/// What joins comparisons, the loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Junction {
    /// Any of them.
    Or,
    /// All of them.
    And,
}

/// A test of one property of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Which property.
    pub path: Path,
    /// Whether `NOT` turns it round.
    pub negated: bool,
    /// What must be true of it.
    pub relation: Relation,
}

/// What must be true of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// `=`, `<` and their like.
    Order(Order, Literal),
    /// `IN`: one of these, all of one kind; there may be none.
    In(Vec<Literal>),
    /// `LIKE` and its like.
    Text(TextOperator, String),
    /// `EXISTS`, which stands before the path.
    Exists,
}

/// Comparisons of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `=`, also written `==`.
    Equal,
    /// `!=`, also written `<>`.
    Unequal,
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `>`.
    Greater,
    /// `>=`.
    AtLeast,
}

/// Operators that take a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextOperator {
    /// `%` stands for any characters, `_` for one.
    Like,
    /// A regular expression.
    Matches,
    /// An address or network lies within this network.
    Subset,
    /// A network holds this address or network.
    Superset,
}

/// A value, in the form it was written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// `'…'`, unescaped.
    Text(String),
    /// `7`, `-7`, `+7.5`, `.5`.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// `t'…'`: a time in its form, if not in the calendar.
    Time(String),
    /// `h'…'`: hexadecimal digits.
    Hex(String),
    /// `b'…'`: Base64.
    Base64(String),
}

/// The path to a property: `network-traffic:dst_ref.value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The type of the object.
    pub object: String,
    /// The steps from the object to the property; the first is a key.
    pub steps: Vec<Step>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To the value of this key.
    Key(String),
    /// To this element of a list; from the end if negative.
    Index(i64),
    /// To any element of a list.
    Any,
}

/// Why a pattern cannot be read. Octets are counted from zero.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// Something is missing at the end.
    #[error("it ends where {expected} is expected")]
    Ends {
        /// What is missing.
        expected: &'static str,
    },
    /// Something else stands there.
    #[error("`{found}` at octet {at} stands where {expected} is expected")]
    Unexpected {
        /// Where.
        at: usize,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// A quote or a comment that is never closed.
    #[error("the {what} at octet {at} has no end")]
    Unclosed {
        /// Where it begins.
        at: usize,
        /// What it is.
        what: &'static str,
    },
    /// A value that is none of its kind.
    #[error("`{text}` at octet {at} is no {kind}")]
    Value {
        /// Where.
        at: usize,
        /// What stands there.
        text: String,
        /// What it should be.
        kind: &'static str,
    },
    /// A key with a hyphen that is not quoted.
    #[error("the key `{key}` at octet {at} holds a hyphen: write '{key}' in quotes")]
    Hyphen {
        /// Where.
        at: usize,
        /// The key.
        key: String,
    },
    /// A qualifier that the same observation already has (STIX 2.1 §9.5.1).
    #[error("the observation has a second {qualifier} at octet {at}")]
    Twice {
        /// Where the second stands.
        at: usize,
        /// Which.
        qualifier: &'static str,
    },
    /// A set of values of different kinds.
    #[error("the set at octet {at} holds values of different kinds")]
    Mixed {
        /// Where the set begins.
        at: usize,
    },
    /// Parentheses within each other without measure.
    #[error("it nests deeper than {DEPTH_MAX}")]
    Deep,
    /// More octets than a pattern needs.
    #[error("it is longer than {PATTERN_MAX} octets")]
    Long,
    /// `(a OR b) AND (c OR d) AND …` without measure.
    #[error("its alternatives multiply to more than {TERMS_MAX} terms")]
    Terms,
}

/// Comparisons that the alternatives of one pattern may multiply to; chosen here.
const TERMS_MAX: usize = 100_000;

impl Qualifier {
    /// Its keyword.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Within(_) => "WITHIN",
            Self::Repeats(_) => "REPEATS",
            Self::StartStop(..) => "START",
        }
    }
}

impl ObservationOperator {
    const fn word(self) -> &'static str {
        match self {
            Self::FollowedBy => "FOLLOWEDBY",
            Self::Or => "OR",
            Self::And => "AND",
        }
    }
}

impl Junction {
    const fn word(self) -> &'static str {
        match self {
            Self::Or => "OR",
            Self::And => "AND",
        }
    }
}

impl Order {
    const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }
}

impl TextOperator {
    const fn word(self) -> &'static str {
        match self {
            Self::Like => "LIKE",
            Self::Matches => "MATCHES",
            Self::Subset => "ISSUBSET",
            Self::Superset => "ISSUPERSET",
        }
    }
}

impl fmt::Display for Pattern {
    /// The pattern as the grammar has it; parsed again, it is the same tree.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(comparison) => write!(f, "[{comparison}]"),
            Self::Joined(operator, parts) => {
                let looser = |part: &Self| matches!(part, Self::Joined(inner, _) if inner <= operator);
                joined(f, &format!(" {} ", operator.word()), parts, looser)
            }
            Self::Qualified(inner, qualifier) => {
                if matches!(**inner, Self::Joined(..)) || inner.has(qualifier) {
                    write!(f, "({inner}) {qualifier}")
                } else {
                    write!(f, "{inner} {qualifier}")
                }
            }
        }
    }
}

impl Observation {
    /// Whether a qualifier of this kind stands at the end of it already.
    fn has(&self, qualifier: &Qualifier) -> bool {
        let mut at = self;
        while let Self::Qualified(inner, own) = at {
            if own.word() == qualifier.word() {
                return true;
            }
            at = inner;
        }
        false
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test(test) => test.fmt(f),
            Self::Joined(junction, parts) => {
                let looser = |part: &Self| matches!(part, Self::Joined(inner, _) if inner <= junction);
                joined(f, &format!(" {} ", junction.word()), parts, looser)
            }
        }
    }
}

/// Parts with a sign between them, those that bind more loosely in parentheses.
fn joined<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    between: &str,
    parts: &[T],
    looser: impl Fn(&T) -> bool,
) -> fmt::Result {
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            f.write_str(between)?;
        }
        if looser(part) { write!(f, "({part})")? } else { write!(f, "{part}")? }
    }
    Ok(())
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, negated, relation } = self;
        let not = if *negated { "NOT " } else { "" };
        match relation {
            Relation::Exists => write!(f, "{not}EXISTS {path}"),
            Relation::Order(order, literal) => write!(f, "{path} {not}{} {literal}", order.sign()),
            Relation::Text(operator, text) => {
                write!(f, "{path} {not}{} {}", operator.word(), Quoted(text))
            }
            Relation::In(literals) => {
                write!(f, "{path} {not}IN (")?;
                joined(f, ", ", literals, |_| false)?;
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => Quoted(text).fmt(f),
            Self::Number(text) => f.write_str(text),
            Self::Bool(value) => value.fmt(f),
            Self::Time(text) => write!(f, "t'{text}'"),
            Self::Hex(text) => write!(f, "h'{text}'"),
            Self::Base64(text) => write!(f, "b'{text}'"),
        }
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within(seconds) => write!(f, "WITHIN {seconds} SECONDS"),
            Self::Repeats(times) => write!(f, "REPEATS {times} TIMES"),
            Self::StartStop(start, stop) => write!(f, "START t'{}' STOP t'{}'", start.text, stop.text),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.object)?;
        for (i, step) in self.steps.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    f.write_str(if i == 0 { ":" } else { "." })?;
                    if is_plain_key(key) { f.write_str(key)? } else { Quoted(key).fmt(f)? }
                }
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Any => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

/// Whether a key may stand without quotes.
fn is_plain_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A text between quotes.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        for part in self.0.split_inclusive(['\'', '\\']) {
            match part.char_indices().next_back() {
                Some((end, sign @ ('\'' | '\\'))) => write!(f, "{}\\{sign}", &part[..end])?,
                _ => f.write_str(part)?,
            }
        }
        f.write_str("'")
    }
}

#[cfg(test)]
mod tests;
