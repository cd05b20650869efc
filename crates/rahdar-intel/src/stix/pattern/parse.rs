//! From text to tree, by the grammar of STIX 2.1 §9.
//!
//! What the grammar leaves open is read, what it forbids is an error with its place. Three things
//! that people write are read although it forbids them: names of hash functions without quotes
//! (`file:hashes.SHA-256`), a backslash before an ordinary character, which then stands for
//! itself, and a `START` and `STOP` of STIX 2.0, which lack the `t`.

use std::str::FromStr;

use super::{
    Comparison, Junction, Literal, Moment, Observation, ObservationOperator, Order, Path, Pattern,
    PatternError, Qualifier, Relation, Step, Test, TextOperator, is_plain_key,
};

/// Parentheses within each other at most (`reliability.md` §3).
pub const DEPTH_MAX: usize = 32;
/// Octets of a pattern at most; chosen here: a pattern of a thousand hashes is 80 kB.
pub const PATTERN_MAX: usize = 1 << 20;
/// Characters of a pattern that an error quotes.
const FOUND_MAX: usize = 40;

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_MAX {
            return Err(PatternError::Long);
        }
        let mut parser = Parser { text, at: 0, depth: 0 };
        let root = parser.followed()?;
        parser.blank()?;
        if parser.at == text.len() { Ok(Self(root)) } else { parser.unexpected("the end") }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Steps over white space and comments.
    fn blank(&mut self) -> Result<(), PatternError> {
        loop {
            self.at = self.text.len() - self.rest().trim_start().len();
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find(['\r', '\n']).unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let end = rest.find("*/").ok_or(PatternError::Unclosed { at: self.at, what: "comment" })?;
                self.at += end + 2;
            } else {
                return Ok(());
            }
        }
    }

    /// The word that stands here, without taking it; empty if none does.
    fn word(&self) -> &'a str {
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return "";
        }
        &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c)).unwrap_or(rest.len())]
    }

    fn unexpected<T>(&self, expected: &'static str) -> Result<T, PatternError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Err(PatternError::Ends { expected }) };
        let length = match self.word().len() {
            0 => first.len_utf8(),
            length => length,
        };
        let found: String = rest[..length].chars().take(FOUND_MAX).collect();
        Err(PatternError::Unexpected { at: self.at, found, expected })
    }

    fn take(&mut self, sign: &str) -> Result<bool, PatternError> {
        self.blank()?;
        let is = self.rest().starts_with(sign);
        self.at += if is { sign.len() } else { 0 };
        Ok(is)
    }

    fn expect(&mut self, sign: &'static str, named: &'static str) -> Result<(), PatternError> {
        if self.take(sign)? { Ok(()) } else { self.unexpected(named) }
    }

    fn take_word(&mut self, word: &str) -> Result<bool, PatternError> {
        self.blank()?;
        let is = self.word() == word;
        self.at += if is { word.len() } else { 0 };
        Ok(is)
    }

    fn expect_word(&mut self, word: &'static str, named: &'static str) -> Result<(), PatternError> {
        if self.take_word(word)? { Ok(()) } else { self.unexpected(named) }
    }

    fn deeper(&mut self) -> Result<(), PatternError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(PatternError::Deep) } else { Ok(()) }
    }

    fn followed(&mut self) -> Result<Observation, PatternError> {
        self.observations(ObservationOperator::FollowedBy, |parser| {
            parser.observations(ObservationOperator::Or, |parser| {
                parser.observations(ObservationOperator::And, Self::observation)
            })
        })
    }

    /// Observations of the next tighter kind, joined by this operator.
    fn observations(
        &mut self,
        operator: ObservationOperator,
        tighter: fn(&mut Self) -> Result<Observation, PatternError>,
    ) -> Result<Observation, PatternError> {
        let first = tighter(self)?;
        let mut parts = vec![first];
        while self.take_word(operator.word())? {
            parts.push(tighter(self)?);
        }
        Ok(only(&mut parts).unwrap_or(Observation::Joined(operator, parts)))
    }

    fn observation(&mut self) -> Result<Observation, PatternError> {
        let mut observation = if self.take("(")? {
            self.deeper()?;
            let inner = self.followed()?;
            self.expect(")", "`)`")?;
            self.depth -= 1;
            inner
        } else {
            self.expect("[", "`[`")?;
            let comparison = self.comparisons(Junction::Or)?;
            self.expect("]", "`]`")?;
            Observation::Of(comparison)
        };
        let mut seen: Vec<&'static str> = Vec::new();
        loop {
            self.blank()?;
            let at = self.at;
            let Some(qualifier) = self.qualifier()? else { return Ok(observation) };
            if seen.contains(&qualifier.word()) {
                return Err(PatternError::Twice { at, qualifier: qualifier.word() });
            }
            seen.push(qualifier.word());
            observation = Observation::Qualified(Box::new(observation), qualifier);
        }
    }

    fn qualifier(&mut self) -> Result<Option<Qualifier>, PatternError> {
        if self.take_word("START")? {
            let start = self.moment()?;
            self.expect_word("STOP", "`STOP`")?;
            return Ok(Some(Qualifier::StartStop(start, self.moment()?)));
        }
        if self.take_word("WITHIN")? {
            let (at, text) = self.count()?;
            if !text.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
                return Err(PatternError::Value { at, text, kind: "number of seconds" });
            }
            self.expect_word("SECONDS", "`SECONDS`")?;
            return Ok(Some(Qualifier::Within(text)));
        }
        if self.take_word("REPEATS")? {
            let (at, text) = self.count()?;
            let times = text.trim_start_matches('+').parse().ok().filter(|times| *times > 0);
            let Some(times) = times else { return Err(PatternError::Value { at, text, kind: "count" }) };
            self.expect_word("TIMES", "`TIMES`")?;
            return Ok(Some(Qualifier::Repeats(times)));
        }
        Ok(None)
    }

    /// A number that is not negative, and where it stands.
    fn count(&mut self) -> Result<(usize, String), PatternError> {
        self.blank()?;
        let at = self.at;
        match self.number()? {
            Some(text) if !text.starts_with('-') => Ok((at, text)),
            Some(text) => Err(PatternError::Value { at, text, kind: "positive number" }),
            None => self.unexpected("a number"),
        }
    }

    fn moment(&mut self) -> Result<Moment, PatternError> {
        self.blank()?;
        let at = self.at;
        self.at += usize::from(self.rest().starts_with("t'"));
        if !self.rest().starts_with('\'') {
            return self.unexpected("a time");
        }
        let text = self.quoted("time")?;
        match text.parse() {
            Ok(time) if is_time(&text) => Ok(Moment { text, at: time }),
            _ => Err(PatternError::Value { at, text, kind: "time" }),
        }
    }

    /// Comparisons joined by this junction, or by the tighter one alone.
    fn comparisons(&mut self, junction: Junction) -> Result<Comparison, PatternError> {
        let mut parts = Vec::new();
        loop {
            parts.push(match junction {
                Junction::Or => self.comparisons(Junction::And)?,
                Junction::And => self.comparison()?,
            });
            if !self.take_word(junction.word())? {
                return Ok(only(&mut parts).unwrap_or(Comparison::Joined(junction, parts)));
            }
        }
    }

    fn comparison(&mut self) -> Result<Comparison, PatternError> {
        if self.take("(")? {
            self.deeper()?;
            let inner = self.comparisons(Junction::Or)?;
            self.expect(")", "`)`")?;
            self.depth -= 1;
            return Ok(inner);
        }
        let before = self.take_word("NOT")?;
        if self.take_word("EXISTS")? {
            return Ok(Comparison::Test(Test {
                path: self.path()?,
                negated: before,
                relation: Relation::Exists,
            }));
        }
        if before {
            return self.unexpected("`EXISTS`");
        }
        let path = self.path()?;
        let negated = self.take_word("NOT")?;
        Ok(Comparison::Test(Test { path, negated, relation: self.relation()? }))
    }

    fn relation(&mut self) -> Result<Relation, PatternError> {
        const ORDERS: [(&str, Order); 8] = [
            ("==", Order::Equal),
            ("=", Order::Equal),
            ("!=", Order::Unequal),
            ("<>", Order::Unequal),
            ("<=", Order::AtMost),
            ("<", Order::Less),
            (">=", Order::AtLeast),
            (">", Order::Greater),
        ];
        self.blank()?;
        if let Some((sign, order)) = ORDERS.iter().find(|(sign, _)| self.rest().starts_with(sign)) {
            self.at += sign.len();
            self.blank()?;
            let at = self.at;
            let literal = self.literal()?;
            let ordered = matches!(order, Order::Equal | Order::Unequal);
            return match literal {
                Literal::Bool(value) if !ordered => {
                    Err(PatternError::Value { at, text: value.to_string(), kind: "value with an order" })
                }
                literal => Ok(Relation::Order(*order, literal)),
            };
        }
        if self.take_word("IN")? {
            return Ok(Relation::In(self.set()?));
        }
        let operators =
            [TextOperator::Like, TextOperator::Matches, TextOperator::Subset, TextOperator::Superset];
        for operator in operators {
            if self.take_word(operator.word())? {
                self.blank()?;
                if !self.rest().starts_with('\'') {
                    return self.unexpected("a text");
                }
                return Ok(Relation::Text(operator, self.quoted("text")?));
            }
        }
        self.unexpected("an operator")
    }

    fn set(&mut self) -> Result<Vec<Literal>, PatternError> {
        self.expect("(", "`(`")?;
        let start = self.at - 1;
        let mut literals: Vec<Literal> = Vec::new();
        if self.take(")")? {
            return Ok(literals);
        }
        loop {
            let literal = self.literal()?;
            let alike = |first: &Literal| std::mem::discriminant(first) == std::mem::discriminant(&literal);
            if !literals.first().is_none_or(alike) {
                return Err(PatternError::Mixed { at: start });
            }
            literals.push(literal);
            if !self.take(",")? {
                self.expect(")", "`)`")?;
                return Ok(literals);
            }
        }
    }

    fn literal(&mut self) -> Result<Literal, PatternError> {
        self.blank()?;
        let at = self.at;
        let rest = self.rest();
        if rest.starts_with('\'') {
            return Ok(Literal::Text(self.quoted("text")?));
        }
        if rest.get(1..2) == Some("'") && rest.starts_with(['t', 'h', 'b']) {
            self.at += 1;
            let text = self.quoted("value")?;
            let wrong = |kind| Err(PatternError::Value { at, text: shortened(&text), kind });
            return match &rest[..1] {
                "t" if !is_time(&text) => wrong("time"),
                "t" => Ok(Literal::Time(text)),
                "h" if !is_hex(&text) => wrong("hexadecimal value"),
                "h" => Ok(Literal::Hex(text)),
                _ if !is_base64(&text) => wrong("Base64 value"),
                _ => Ok(Literal::Base64(text)),
            };
        }
        if let Some(number) = self.number()? {
            return Ok(Literal::Number(number));
        }
        for value in [true, false] {
            if self.take_word(if value { "true" } else { "false" })? {
                return Ok(Literal::Bool(value));
            }
        }
        self.unexpected("a value")
    }

    /// A number: a sign, digits without leading zeros, or digits around a point.
    fn number(&mut self) -> Result<Option<String>, PatternError> {
        let rest = self.rest();
        let unsigned = rest.strip_prefix(['-', '+']).unwrap_or(rest);
        let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let whole = digits(unsigned);
        let fraction = unsigned[whole..].strip_prefix('.').map_or(0, digits);
        let length = match (whole, fraction) {
            (0, 0) => return Ok(None),
            (_, 0) => whole,
            _ => whole + 1 + fraction,
        };
        let text = &rest[..rest.len() - unsigned.len() + length];
        let after = rest[text.len()..].starts_with('.');
        if after || fraction == 0 && whole > 1 && unsigned.starts_with('0') {
            let word = rest.find(|c: char| c.is_whitespace() || ",)]".contains(c)).unwrap_or(rest.len());
            let text = shortened(&rest[..word]);
            return Err(PatternError::Value { at: self.at, text, kind: "number" });
        }
        self.at += text.len();
        Ok(Some(text.to_owned()))
    }

    fn path(&mut self) -> Result<Path, PatternError> {
        self.blank()?;
        let object = self.word();
        if object.is_empty() {
            return self.unexpected("an object path");
        }
        let start = self.at;
        self.at += object.len();
        if !self.take(":")? {
            self.at = start;
            return self.unexpected("an object path");
        }
        let mut path = Path { object: object.to_owned(), steps: vec![self.key(None)?] };
        loop {
            if self.take(".")? {
                let step = self.key(path.steps.last())?;
                path.steps.push(step);
            } else if self.take("[")? {
                path.steps.push(self.index()?);
                self.expect("]", "`]`")?;
            } else {
                return Ok(path);
            }
        }
    }

    fn key(&mut self, before: Option<&Step>) -> Result<Step, PatternError> {
        self.blank()?;
        if self.rest().starts_with('\'') {
            return Ok(Step::Key(self.quoted("key")?));
        }
        let key = self.word();
        let hash = matches!(before, Some(Step::Key(before)) if before == "hashes") && is_hash_name(key);
        if key.is_empty() {
            return self.unexpected("a key");
        }
        if !is_plain_key(key) && !hash {
            return Err(PatternError::Hyphen { at: self.at, key: shortened(key) });
        }
        self.at += key.len();
        Ok(Step::Key(key.to_owned()))
    }

    fn index(&mut self) -> Result<Step, PatternError> {
        if self.take("*")? {
            return Ok(Step::Any);
        }
        self.blank()?;
        let at = self.at;
        let Some(text) = self.number()? else { return self.unexpected("an index") };
        match text.trim_start_matches('+').parse() {
            Ok(index) => Ok(Step::Index(index)),
            Err(_) => Err(PatternError::Value { at, text, kind: "index" }),
        }
    }

    /// A text between single quotes, which begins here; `\'` and `\\` are unescaped.
    fn quoted(&mut self, what: &'static str) -> Result<String, PatternError> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((i, c)) = chars.next() {
            match c {
                '\\' => text.push(chars.next_if(|(_, c)| matches!(c, '\'' | '\\')).map_or('\\', |(_, c)| c)),
                '\'' => {
                    self.at += i + 1;
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err(PatternError::Unclosed { at: self.at, what })
    }
}

/// The one part, if there is one alone.
fn only<T>(parts: &mut Vec<T>) -> Option<T> {
    if parts.len() == 1 { parts.pop() } else { None }
}

/// The hash functions whose names have a hyphen (STIX 2.1 §10.6).
fn is_hash_name(key: &str) -> bool {
    ["SHA-1", "SHA-256", "SHA-512", "SHA3-256", "SHA3-512"].iter().any(|name| key.eq_ignore_ascii_case(name))
}

/// A text as an error quotes it.
fn shortened(text: &str) -> String {
    text.chars().take(FOUND_MAX).collect()
}

/// Whether a text has the form of a time, which the grammar asks for; whether there is such a day
/// it does not ask.
fn is_time(text: &str) -> bool {
    let Some((whole, fraction)) =
        text.strip_suffix('Z').map(|text| text.split_once('.').unwrap_or((text, "0")))
    else {
        return false;
    };
    let form = whole.len() == 19
        && whole.bytes().zip("dddd-dd-ddTdd:dd:dd".bytes()).all(|(b, form)| match form {
            b'd' => b.is_ascii_digit(),
            sign => b == sign,
        });
    let part = |at: usize, least: u32, most: u32| {
        whole.get(at..at + 2).and_then(|part| part.parse().ok()).is_some_and(|n| (least..=most).contains(&n))
    };
    form && part(5, 1, 12)
        && part(8, 1, 31)
        && part(11, 0, 23)
        && part(14, 0, 59)
        && part(17, 0, 60)
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit())
}

fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a text is Base64 with its padding (RFC 4648 §4).
fn is_base64(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - bare.len() <= 2
        && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}
