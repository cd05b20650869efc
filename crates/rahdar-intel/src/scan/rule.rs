//! The language of the rules, in YAML.
//!
//! ```yaml
//! rules:
//!   - name: a panel of the kit       # told with every claim
//!     cluster: Example Group         # optional
//!     tools: [ExampleRAT]            # optional
//!     confidence: 70                 # optional, 0–100
//!     gap_days: 7                    # optional: how far apart two sightings are one; 14
//!     when:
//!       all:
//!         - http.title: Sign in      # is this, whatever the case
//!         - port: [443, 8443]        # is one of these
//!         - banner: {contains: Team}
//!         - any:
//!             - jarm: 07d14d16d21d21d07c42d41d00041d24a458a375eef0c576d23a7bab9a9fb1
//!             - tls.cert.subject: {regex: "^CN=[a-z]{8}$"}
//!         - not: {http.header.server: nginx}
//! ```
//!
//! A condition is `all`, `any`, `not`, or the name of a field; several in one map must all hold.
//! A field with many values matches if one does; a field that is missing matches nothing. The
//! fields are those of `docs/intelligence.md`, with `port` and `address`.

use std::fmt;
use std::sync::Arc;

use rahdar_model::time::DAY_US;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::observe::Observation;

/// Octets of a file of rules at most; chosen here.
const RULES_TEXT_MAX: usize = 1 << 20;
/// Rules of one file; chosen here: each is tried on each observation.
const RULES_MAX: usize = 10_000;
/// Conditions inside conditions (`reliability.md` §3).
const DEPTH_MAX: usize = 32;
/// Octets of a pattern (`reliability.md` §3).
const PATTERN_MAX: usize = 1 << 10;
/// Octets that a compiled pattern may take (`reliability.md` §3).
const PROGRAM_MAX: usize = 1 << 20;
/// Octets that its automaton may take while it runs (`reliability.md` §3).
const AUTOMATON_MAX: usize = 8 << 20;
/// Days between two sightings of one window, unless a rule says otherwise; chosen here: two missed
/// weekly scans.
const GAP_DAYS: u16 = 14;

/// The rules of a file, ready to be tried.
#[derive(Clone)]
pub struct Rules {
    text: Arc<str>,
    rules: Arc<[Rule]>,
}

/// What is wrong with a file of rules.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleError {
    /// It is no YAML, or not of this form.
    #[error("line {line}, column {column}: {detail}")]
    Form {
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What is wrong there.
        detail: String,
    },
    /// A rule that cannot be tried.
    #[error("rule `{name}`: {detail}")]
    Rule {
        /// Its name.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
    /// More than a named limit allows.
    #[error("more than {most} {what}: split it")]
    TooLarge {
        /// The most that is taken.
        most: usize,
        /// Of what.
        what: &'static str,
    },
}

impl Rules {
    /// Reads a file of rules.
    ///
    /// # Errors
    /// See [`RuleError`].
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        if text.len() > RULES_TEXT_MAX {
            return Err(RuleError::TooLarge { most: RULES_TEXT_MAX, what: "octets in one file of rules" });
        }
        let file: File = serde_saphyr::from_str(text).map_err(|error| form(&error))?;
        if file.rules.len() > RULES_MAX {
            return Err(RuleError::TooLarge { most: RULES_MAX, what: "rules in one file" });
        }
        let rules: Result<Vec<Rule>, RuleError> = file.rules.into_iter().map(Rule::of).collect();
        Ok(Self { text: text.into(), rules: rules?.into() })
    }

    pub(super) fn all(&self) -> &[Rule] {
        &self.rules
    }
}

fn form(error: &serde_saphyr::Error) -> RuleError {
    let place = error.location();
    let text = error.without_snippet().to_string();
    RuleError::Form {
        line: place.map_or(1, |place| place.line()),
        column: place.map_or(1, |place| place.column()),
        detail: text.lines().next().unwrap_or_default().to_owned(),
    }
}

/// Two files of rules are equal if their texts are.
impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Rules {}

impl fmt::Debug for Rules {
    /// The text: what is read by other rules is another reading.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<RuleText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    name: String,
    cluster: Option<String>,
    #[serde(default)]
    tools: Vec<String>,
    confidence: Option<u8>,
    gap_days: Option<u16>,
    when: Value,
}

/// One rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) cluster: Option<String>,
    pub(super) tools: Vec<String>,
    pub(super) confidence: Option<u8>,
    pub(super) gap_us: i64,
    when: Condition,
}

impl Rule {
    fn of(text: RuleText) -> Result<Self, RuleError> {
        let wrong = |detail| RuleError::Rule { name: text.name.clone(), detail };
        if let Some(confidence) = text.confidence.filter(|confidence| *confidence > 100) {
            return Err(wrong(format!("`{confidence}` is no confidence from 0 to 100")));
        }
        let when = Condition::of(&text.when, 0).map_err(wrong)?;
        Ok(Self {
            name: text.name,
            cluster: text.cluster,
            tools: text.tools,
            confidence: text.confidence,
            gap_us: i64::from(text.gap_days.unwrap_or(GAP_DAYS)) * DAY_US,
            when,
        })
    }

    pub(super) fn matches(&self, observation: &Observation) -> bool {
        self.when.holds(observation)
    }
}

#[derive(Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Field(String, Test),
}

#[derive(Debug)]
enum Test {
    /// Is one of these, whatever the case.
    Is(Vec<String>),
    /// Holds this, whatever the case.
    Contains(String),
    Regex(Regex),
}

impl Condition {
    fn of(value: &Value, depth: usize) -> Result<Self, String> {
        if depth > DEPTH_MAX {
            return Err(format!("conditions are nested more than {DEPTH_MAX} deep"));
        }
        let map = value.as_object().filter(|map| !map.is_empty());
        let map = map.ok_or_else(|| format!("`{value}` is no condition: write `field: value`"))?;
        let mut parts = Vec::with_capacity(map.len());
        for (name, value) in map {
            parts.push(match name.as_str() {
                "all" => Self::All(Self::list(value, depth)?),
                "any" => Self::Any(Self::list(value, depth)?),
                "not" => Self::Not(Box::new(Self::of(value, depth + 1)?)),
                field => Self::Field(field.to_owned(), Test::of(field, value)?),
            });
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Self::All(parts),
        })
    }

    fn list(value: &Value, depth: usize) -> Result<Vec<Self>, String> {
        let list = value.as_array().filter(|list| !list.is_empty());
        let list = list.ok_or("`all` and `any` take a list of conditions")?;
        list.iter().map(|value| Self::of(value, depth + 1)).collect()
    }

    fn holds(&self, observation: &Observation) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(observation)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(observation)),
            Self::Not(part) => !part.holds(observation),
            Self::Field(name, test) => match name.as_str() {
                "port" => observation.port.is_some_and(|port| test.holds(&port.to_string())),
                "address" => test.holds(&observation.address.to_string()),
                name => observation.values(name).iter().any(|value| test.holds(value)),
            },
        }
    }
}

impl Test {
    fn of(field: &str, value: &Value) -> Result<Self, String> {
        if let Some(text) = scalar(value) {
            return Ok(Self::Is(vec![text]));
        }
        if let Some(list) = value.as_array().filter(|list| !list.is_empty()) {
            let texts: Option<Vec<String>> = list.iter().map(scalar).collect();
            return texts.map(Self::Is).ok_or_else(|| format!("`{field}` takes a list of texts"));
        }
        let pair = value.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
        let pair = pair.and_then(|(verb, value)| Some((verb.as_str(), scalar(value)?)));
        match pair {
            Some(("equals", text)) => Ok(Self::Is(vec![text])),
            Some(("contains", text)) if !text.is_empty() => Ok(Self::Contains(text.to_lowercase())),
            Some(("regex", text)) => regex(&text).map(Self::Regex),
            _ => Err(format!("`{field}` takes a text, a list, `equals`, `contains` or `regex`")),
        }
    }

    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Is(texts) => texts.iter().any(|text| text.eq_ignore_ascii_case(value)),
            Self::Contains(text) => value.to_lowercase().contains(text.as_str()),
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn regex(text: &str) -> Result<Regex, String> {
    if text.len() > PATTERN_MAX {
        return Err(format!("a pattern is longer than {PATTERN_MAX} octets"));
    }
    let built = RegexBuilder::new(text).size_limit(PROGRAM_MAX).dfa_size_limit(AUTOMATON_MAX).build();
    built.map_err(|error| {
        // The last line says what; those before show where.
        let told = error.to_string();
        format!("`{text}` is no pattern: {}", told.lines().last().unwrap_or_default())
    })
}
