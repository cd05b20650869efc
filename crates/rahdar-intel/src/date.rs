//! Dates as people write them: windows in headings, times in tables.

use rahdar_model::time::{DAY_US, SECOND_US};
use rahdar_model::{Day, Timestamp, Window};

/// A window that a text speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// When.
    pub(crate) window: Window,
    /// Whether it is one day or one month, as a date of publication is, and no range.
    pub(crate) single: bool,
}

/// The first date or range of dates in a heading, such as `May-June 2021`, `since 3 May 2021`,
/// `Dec 2020 - Jan 2021`, `between May and June 2021`, `2021-05-12 to 2021-06-01` or `Q2 2021`.
///
/// Ends are inclusive as people mean them: `May-June 2021` ends with the last moment of June. A
/// bare year counts only where the text uses it as a date: in brackets, after a word such as
/// `since` or `in`, in a range of years, or alone.
pub(crate) fn span(text: &str) -> Option<Span> {
    let tokens = tokens(text);
    (0..tokens.len()).find_map(|start| span_at(&tokens, start)).map(|(span, _)| span)
}

/// The window from the first to the last of all dates in a text.
pub(crate) fn hull(text: &str) -> Option<Window> {
    let tokens = tokens(text);
    let mut hull: Option<Window> = None;
    let mut at = 0;
    while at < tokens.len() {
        let Some((span, next)) = span_at(&tokens, at) else {
            at += 1;
            continue;
        };
        let window = span.window;
        hull = Some(hull.map_or(window, |h| Window::new(h.from.min(window.from), h.until.max(window.until))));
        at = next;
    }
    hull
}

/// Whether a text holds a date and nothing else.
pub(crate) fn is_only_date(text: &str) -> bool {
    let tokens = tokens(text);
    let first = tokens
        .iter()
        .position(|token| matches!(token, Token::Number(..) | Token::Month(_) | Token::Quarter(..)));
    let others = tokens.iter().filter(|token| matches!(token, Token::Other)).count();
    first.is_some() && others == 0 && span(text).is_some()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// A number and its digits.
    Number(u32, u8),
    Month(u8),
    /// First and last month.
    Quarter(u8, u8),
    /// A dash or `to` between two dates.
    To,
    /// `until`: between two dates, or before the end of a window without a start.
    UntilEnd,
    /// `since`, `after`.
    Since,
    /// `before`.
    Before,
    /// `in`, `from`, `during`, `of`, an opening bracket.
    In,
    /// `and`, `&`.
    And,
    Slash,
    Comma,
    /// Any other word or sign.
    Other,
}

/// The longest heading that is searched, in octets: longer ones are prose.
const HEADING_MAX: usize = 400;

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let end = text.char_indices().map(|(i, _)| i).take_while(|i| *i <= HEADING_MAX).last().unwrap_or(0);
    let mut rest = if text.len() > HEADING_MAX { &text[..end] } else { text };
    while let Some(c) = rest.chars().next() {
        let take = |keep: fn(char) -> bool| rest.find(|c| !keep(c)).unwrap_or(rest.len());
        let length = if c.is_ascii_digit() {
            take(|c| c.is_ascii_digit())
        } else if c.is_alphabetic() {
            take(char::is_alphanumeric)
        } else {
            c.len_utf8()
        };
        let (word, after) = rest.split_at(length);
        let ordinal = matches!(tokens.last(), Some(Token::Number(_, 1..=2)))
            && ["st", "nd", "rd", "th"].iter().any(|s| word.eq_ignore_ascii_case(s));
        if !c.is_whitespace() && !")].".contains(c) && !ordinal {
            tokens.push(token(word, c));
        }
        rest = after;
    }
    tokens
}

fn token(word: &str, first: char) -> Token {
    if first.is_ascii_digit() {
        return match word.parse() {
            Ok(number) if word.len() <= 4 => Token::Number(number, word.len() as u8),
            _ => Token::Other,
        };
    }
    if let Some(month) = month(word) {
        return Token::Month(month);
    }
    match word.to_ascii_lowercase().as_str() {
        "-" | "–" | "—" | "‑" | "−" | "to" => Token::To,
        "through" | "thru" | "till" | "until" => Token::UntilEnd,
        "since" | "after" | "starting" => Token::Since,
        "before" => Token::Before,
        "and" | "&" => Token::And,
        "in" | "from" | "during" | "of" | "(" | "[" | "as" => Token::In,
        "/" => Token::Slash,
        "," => Token::Comma,
        "q1" => Token::Quarter(1, 3),
        "q2" => Token::Quarter(4, 6),
        "q3" => Token::Quarter(7, 9),
        "q4" => Token::Quarter(10, 12),
        "h1" => Token::Quarter(1, 6),
        "h2" => Token::Quarter(7, 12),
        _ => Token::Other,
    }
}

/// The month of this English name or abbreviation.
fn month(word: &str) -> Option<u8> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = word.to_ascii_lowercase();
    let long_enough = word.len() >= 3;
    NAMES
        .iter()
        .position(|name| {
            long_enough && (*name == word || name[..3] == *word || *name == "september" && word == "sept")
        })
        .map(|i| i as u8 + 1)
}

/// A date of which some parts may be missing.
#[derive(Debug, Clone, Copy, Default)]
struct Partial {
    year: Option<u32>,
    months: Option<(u8, u8)>,
    day: Option<u8>,
}

impl Partial {
    fn window(self) -> Option<Window> {
        let year = i16::try_from(self.year?).ok()?;
        let start =
            |year: i16, month: u8, day: u8| Day::from_date(year, month as i8, day as i8).map(Day::start);
        let (first, last) = self.months.unwrap_or((1, 12));
        if let Some(day) = self.day {
            return Day::from_date(year, first as i8, day as i8).map(Day::window);
        }
        let until = if last == 12 { start(year + 1, 1, 1) } else { start(year, last + 1, 1) };
        Some(Window::new(start(year, first, 1)?, until?))
    }
}

/// The date or range that begins at this token, and the token after it.
fn span_at(tokens: &[Token], start: usize) -> Option<(Span, usize)> {
    let before = start.checked_sub(1).map(|i| tokens[i]);
    let (mut first, at) = partial(tokens, start)?;
    let years = first.months.is_none() && first.day.is_none();
    let divided = match tokens.get(at) {
        Some(Token::To | Token::UntilEnd) => true,
        Some(Token::Slash) => years,
        // `between May and June 2021`; two whole dates beside each other are no range.
        Some(Token::And) => first.year.is_none(),
        _ => false,
    };
    let ranged = divided.then(|| partial(tokens, at + 1)).flatten();
    if let Some((mut last, end)) = ranged {
        last.months = last.months.or(if last.day.is_some() { first.months } else { None });
        first.months = first.months.or(if first.day.is_some() { last.months } else { None });
        if last.year.is_none() {
            // `May 12-20, 2021`: the year stands after both. `June 2021 - July`: before both.
            last.year = first.year;
        }
        first.year = first.year.or(last.year);
        let whole_years = first.months.is_none() && last.months.is_none();
        if (first.months.is_some() || whole_years)
            && let (Some(from), Some(until)) = (first.window(), last.window())
        {
            let from = match from.from < until.until {
                true => from.from,
                // `December-January 2021` began the year before.
                false => Partial { year: first.year.map(|y| y - 1), ..first }.window()?.from,
            };
            if from < until.until {
                return Some((Span { window: Window::new(from, until.until), single: false }, end));
            }
        }
    }
    let window = first.window()?;
    let open = |from, until| Some((Span { window: Window::new(from, until), single: false }, at));
    match before {
        Some(Token::Since) => return open(window.from, Timestamp::MAX),
        Some(Token::Before) => return open(Timestamp::MIN, window.from),
        Some(Token::UntilEnd) => return open(Timestamp::MIN, window.until),
        _ => {}
    }
    let bare_year = first.months.is_none();
    if bare_year && !(tokens.len() == 1 || matches!(before, Some(Token::In))) {
        return None;
    }
    let quarter = first.months.is_some_and(|(first, last)| first != last);
    Some((Span { window, single: !bare_year && !quarter }, at))
}

/// The longest date at this place, and the place after it.
fn partial(tokens: &[Token], at: usize) -> Option<(Partial, usize)> {
    use Token::{Comma, Month, Number, Quarter, Slash, To};
    let year = |number: u32| (1990..=2100).contains(&number).then_some(number);
    let day = |number: u32| (1..=31).contains(&number).then_some(number as u8);
    let month = |number: u32| (1..=12).contains(&number).then_some((number as u8, number as u8));
    let get = |i: usize| tokens.get(at + i).copied().unwrap_or(Token::Other);
    let year_at = |i: usize| match (get(i), get(i + 1)) {
        (Number(y, 4), _) => year(y).map(|y| (y, i + 1)),
        (Comma, Number(y, 4)) => year(y).map(|y| (y, i + 2)),
        _ => None,
    };
    let of = |year: Option<(u32, usize)>, months, day, else_at| {
        let (year, after) = year.map_or((None, else_at), |(year, after)| (Some(year), after));
        Some((Partial { year, months, day }, at + after))
    };
    match (get(0), get(1), get(2)) {
        // 2021-05-12, 2021/05/12, 2021-05
        (Number(y, 4), sep @ (To | Slash), Number(m, 2)) if year(y).is_some() && month(m).is_some() => {
            match (get(3), get(4)) {
                (again, Number(d, 2)) if again == sep && day(d).is_some() => {
                    of(Some((y, 5)), month(m), day(d), 5)
                }
                _ => of(Some((y, 3)), month(m), None, 3),
            }
        }
        (Number(d, 1..=2), Month(m), _) => of(year_at(2), Some((m, m)), Some(day(d)?), 2),
        (Month(m), Number(d, 1..=2), _) => of(year_at(2), Some((m, m)), Some(day(d)?), 2),
        (Month(m), _, _) => of(year_at(1), Some((m, m)), None, 1),
        (Quarter(a, b), _, _) => of(Some(year_at(1)?), Some((a, b)), None, 1),
        (Number(y, 4), _, _) => of(Some((year(y)?, 1)), None, None, 1),
        (Number(d, 1..=2), _, _) => of(year_at(1), None, Some(day(d)?), 1),
        _ => None,
    }
}

/// A point in time, and how finely it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant {
    /// Its first moment.
    pub(crate) at: Timestamp,
    /// Whether only the day was given.
    pub(crate) day_only: bool,
    /// Whether its clock, where it was written, stood in the last second of a day.
    pub(crate) ends_day: bool,
}

impl Instant {
    /// The end of a window whose last moment this is: a bare day lasts to its end, and so does a
    /// day written as 23:59:59, of whatever zone. Anything else is the end itself.
    pub(crate) fn end(self) -> Timestamp {
        if self.day_only {
            return self.at.day().window().until;
        }
        let second = self.at.micros().div_euclid(SECOND_US);
        if self.ends_day { Timestamp::from_seconds(second + 1) } else { self.at }
    }

    /// The end of a window that includes a sighting at this time: a second later, or the end of
    /// the day.
    pub(crate) fn end_of_sighting(self) -> Timestamp {
        let end = self.end();
        if end == self.at { self.at.plus_micros(SECOND_US) } else { end }
    }
}

/// Which number comes first in `05/06/2021`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum NumberOrder {
    /// Nobody tells: a date that could be two is none.
    #[default]
    Untold,
    /// The month.
    MonthFirst,
    /// The day.
    DayFirst,
}

/// Which order the dates of one file have: a number above twelve tells. Where two rows tell
/// different orders, neither tells that of a third.
pub(crate) fn number_order<'a>(dates: impl Iterator<Item = &'a str>) -> NumberOrder {
    let mut told = NumberOrder::Untold;
    for text in dates {
        let mut parts = text.trim().split(['/', '-']);
        let mut number = || parts.next().filter(|part| part.len() <= 2)?.parse::<u32>().ok();
        let order = match (number(), number()) {
            (Some(13..=31), Some(1..=12)) => NumberOrder::DayFirst,
            (Some(1..=12), Some(13..=31)) => NumberOrder::MonthFirst,
            _ => continue,
        };
        if told != NumberOrder::Untold && told != order {
            return NumberOrder::Untold;
        }
        told = order;
    }
    told
}

/// Whether a text is a date that the order of its numbers would make another.
pub(crate) fn needs_order(text: &str) -> bool {
    instant(text, NumberOrder::Untold).is_none() && instant(text, NumberOrder::DayFirst).is_some()
}

/// Reads one time of a table: RFC 3339 and its loose forms, `2021/08/15 12:30:00`, `Aug 27, 2021`,
/// `27-Aug-2021`, `15/08/2021`, `3.4.2021` (nobody writes the month first with points), and seconds or
/// milliseconds since 1970. Without an offset it is UTC. None too where only `order` could tell the day from
/// the month, and it does not.
pub(crate) fn instant(text: &str, order: NumberOrder) -> Option<Instant> {
    let text = text.trim().trim_matches(['"', '\'']).trim();
    let text = text.strip_suffix("UTC").or_else(|| text.strip_suffix("GMT")).unwrap_or(text).trim();
    if text.len() > 40 || !text.is_ascii() {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return bare_number(text);
    }
    let (date, clock) = split_clock(text);
    let day = date_of(date.trim_end_matches([',', ' ']), order)?;
    let Some(clock) = clock else {
        return Some(Instant { at: day.start(), day_only: true, ends_day: true });
    };
    let (clock, offset_us) = split_offset(clock)?;
    let clock_us = clock_us(clock)?;
    let at = day.start().plus_micros(clock_us - offset_us);
    Some(Instant { at, day_only: false, ends_day: clock_us >= DAY_US - SECOND_US })
}

fn bare_number(text: &str) -> Option<Instant> {
    let number: i64 = text.parse().ok()?;
    let at = match text.len() {
        8 => {
            let day =
                Day::from_date((number / 10_000) as i16, (number / 100 % 100) as i8, (number % 100) as i8)?;
            return Some(Instant { at: day.start(), day_only: true, ends_day: true });
        }
        9 | 10 => Timestamp::from_seconds(number),
        13 => Timestamp::from_micros(number * 1_000),
        _ => return None,
    };
    Some(Instant { at, day_only: false, ends_day: ends_day(at) })
}

/// Whether a time stands in the last second of its day of UTC.
pub(crate) fn ends_day(at: Timestamp) -> bool {
    at.day().window().until.since(at) <= SECOND_US
}

/// Parts a date from the clock behind `T`, a space, or the colon of web server logs.
fn split_clock(text: &str) -> (&str, Option<&str>) {
    let Some(colon) = text.find(':') else { return (text, None) };
    let Some(start) = text[..colon].rfind(|c: char| !c.is_ascii_digit()).filter(|_| colon > 0) else {
        return (text, None);
    };
    if matches!(text.as_bytes()[start], b'/' | b'-') {
        // 01/Aug/2018:09:49:41
        return (&text[..colon], Some(&text[colon + 1..]));
    }
    (&text[..start], Some(&text[start + 1..]))
}

/// Parts `09:49:41 +02:00` into the clock and the offset in microseconds.
fn split_offset(clock: &str) -> Option<(&str, i64)> {
    let clock = clock.trim();
    if let Some(bare) = clock.strip_suffix(['Z', 'z']) {
        return Some((bare.trim(), 0));
    }
    let Some(sign) = clock.find(['+', '-']) else { return Some((clock, 0)) };
    let digits: String = clock[sign + 1..].chars().filter(|c| *c != ':').collect();
    let minutes = match digits.len() {
        2 => digits.parse::<i64>().ok()? * 60,
        4 => digits[..2].parse::<i64>().ok()? * 60 + digits[2..].parse::<i64>().ok()?,
        _ => return None,
    };
    let minutes = if clock.as_bytes()[sign] == b'-' { -minutes } else { minutes };
    (minutes.abs() < 24 * 60).then_some((clock[..sign].trim(), minutes * 60 * SECOND_US))
}

/// Microseconds from midnight to `12:30`, `12:30:00`, `12:30:00.25` or `1:30 PM`.
fn clock_us(clock: &str) -> Option<i64> {
    let lower = clock.to_ascii_lowercase();
    let (clock, add) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(rest), _) => (rest.trim(), Some(0)),
        (_, Some(rest)) => (rest.trim(), Some(12)),
        _ => (lower.as_str(), None),
    };
    let mut parts = clock.split(':');
    let mut hour: i64 = parts.next()?.trim().parse().ok()?;
    if let Some(add) = add {
        hour = hour % 12 + add;
    }
    let minute: i64 = parts.next()?.parse().ok()?;
    let (second, fraction) = parts.next().unwrap_or("0").split_once('.').unwrap_or((clock_second(clock), ""));
    let second: i64 = second.parse().ok()?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) || parts.next().is_some() {
        return None;
    }
    let fraction_us: i64 = format!("{:0<6}", fraction.get(..6).unwrap_or(fraction)).parse().ok()?;
    let inside = (0..=23).contains(&hour) && (0..=59).contains(&minute) && (0..=60).contains(&second);
    inside.then(|| ((hour * 60 + minute) * 60 + second) * SECOND_US + fraction_us)
}

fn clock_second(clock: &str) -> &str {
    clock.split(':').nth(2).unwrap_or("0")
}

fn date_of(text: &str, order: NumberOrder) -> Option<Day> {
    let parts: Vec<&str> =
        text.split([' ', ',', '/', '-', '.', 'T']).filter(|part| !part.is_empty()).collect();
    // `Mon, 14 Sep 2015`: the day of the week says nothing new.
    let parts = match parts.as_slice() {
        [weekday, rest @ ..] if rest.len() == 3 && weekday.bytes().all(|b| b.is_ascii_alphabetic()) => rest,
        all => all,
    };
    let number = |text: &str| text.parse::<i16>().ok().filter(|_| text.len() <= 4);
    let [a, b, c] = parts else { return None };
    let (year, month, day) = match (month(a), month(b)) {
        (Some(m), _) => (number(c)?, m as i16, number(b)?),
        (_, Some(m)) if a.len() == 4 => (number(a)?, m as i16, number(c)?),
        (_, Some(m)) => (number(c)?, m as i16, number(a)?),
        _ if a.len() == 4 => (number(a)?, number(b)?, number(c)?),
        _ if c.len() != 4 => return None,
        _ => match (number(a)?, number(b)?, order) {
            (a, b, _) if a > 12 => (number(c)?, b, a),
            (a, b, _) if b > 12 || a == b => (number(c)?, a, b),
            (a, b, _) if text.contains('.') => (number(c)?, b, a),
            (a, b, NumberOrder::MonthFirst) => (number(c)?, a, b),
            (a, b, NumberOrder::DayFirst) => (number(c)?, b, a),
            (_, _, NumberOrder::Untold) => return None,
        },
    };
    if !(1970..=2200).contains(&year) {
        return None;
    }
    Day::from_date(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?)
}

/// The last moment a window reaches when published on the day that holds `at`.
pub(crate) fn day_end(at: Timestamp) -> Timestamp {
    at.day().start().plus_micros(DAY_US)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_span(text: &str, window: &str) {
        let shown = span(text)
            .map_or_else(String::new, |span| format!("{:?}", span.window).replace("T00:00:00Z", ""));
        assert_eq!(shown, window, "{text}");
    }

    #[test]
    fn headings_speak_of_days_months_ranges_and_open_ends() {
        check_span("C2 IP Addresses (May-June 2021):", "[2021-05-01, 2021-07-01)");
        check_span("Servers, May – June 2021", "[2021-05-01, 2021-07-01)");
        check_span("Servers May 2021", "[2021-05-01, 2021-06-01)");
        check_span("active Dec 2020 - Feb 2021", "[2020-12-01, 2021-03-01)");
        check_span("active December through February 2021", "[2020-12-01, 2021-03-01)");
        check_span("Sept. 2020 to March 2021", "[2020-09-01, 2021-04-01)");
        check_span("12 May 2021", "[2021-05-12, 2021-05-13)");
        check_span("May 12th, 2021", "[2021-05-12, 2021-05-13)");
        check_span("May 12-20, 2021", "[2021-05-12, 2021-05-21)");
        check_span("12-20 May 2021", "[2021-05-12, 2021-05-21)");
        check_span("May 12 - June 3, 2021", "[2021-05-12, 2021-06-04)");
        check_span("28 December 2020 – 3 January 2021", "[2020-12-28, 2021-01-04)");
        check_span("2021-05-12 to 2021-06-01", "[2021-05-12, 2021-06-02)");
        check_span("2021/05/12", "[2021-05-12, 2021-05-13)");
        check_span("seen 2021-05", "[2021-05-01, 2021-06-01)");
        check_span("since May 2021", "[2021-05-01, the end)");
        check_span("before May 2021", "[the beginning, 2021-05-01)");
        check_span("active until May 2021", "[the beginning, 2021-06-01)");
        check_span("Servers (2020-2021)", "[2020-01-01, 2022-01-01)");
        check_span("The campaign (2020/2021)", "[2020-01-01, 2022-01-01)");
        check_span("between May and June 2021", "[2021-05-01, 2021-07-01)");
        check_span("Servers from May 2021", "[2021-05-01, 2021-06-01)");
        check_span("New infrastructure in 2023", "[2023-01-01, 2024-01-01)");
        check_span("Q2 2021", "[2021-04-01, 2021-07-01)");
        check_span("2020-08-20 (THURSDAY) - INFECTION", "[2020-08-20, 2020-08-21)");
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "CVE-2021-26855",
            "it may be 7",
            "C2 Domains:",
            "(last 1 month)",
            "Unit 69010",
            "March",
            "12 servers",
            "",
        ] {
            check_span(text, "");
        }
        check_span("February 30, 2021", "");
    }

    fn check_instant(text: &str, shown: &str) {
        let found = instant(text, NumberOrder::MonthFirst).map_or_else(String::new, |found| {
            format!("{}{}", found.at, if found.day_only { " (day)" } else { "" })
        });
        assert_eq!(found, shown, "{text}");
    }

    #[test]
    fn tables_give_times_in_many_forms() {
        check_instant("2021-08-15", "2021-08-15T00:00:00Z (day)");
        check_instant("2021/08/15", "2021-08-15T00:00:00Z (day)");
        check_instant("2020/12/15 13:17:41", "2020-12-15T13:17:41Z");
        check_instant("2021-08-15T12:30:00.25+04:30", "2021-08-15T08:00:00.25Z");
        check_instant("2015-10-20T06:14:00+0000", "2015-10-20T06:14:00Z");
        check_instant("2024-12-30T08:26:05-06:00", "2024-12-30T14:26:05Z");
        check_instant("2019-04-01 03:13:20Z", "2019-04-01T03:13:20Z");
        check_instant("2021-06-07 10:00:00 UTC", "2021-06-07T10:00:00Z");
        check_instant("Aug 27, 2021", "2021-08-27T00:00:00Z (day)");
        check_instant("27-Aug-2021", "2021-08-27T00:00:00Z (day)");
        check_instant("01/Aug/2018:09:49:41 +0200", "2018-08-01T07:49:41Z");
        check_instant("Mon, 14 Sep 2015 04:39:22 GMT", "2015-09-14T04:39:22Z");
        check_instant("05/06/2021", "2021-05-06T00:00:00Z (day)");
        check_instant("25/06/2021", "2021-06-25T00:00:00Z (day)");
        check_instant("6/25/2021 1:05 PM", "2021-06-25T13:05:00Z");
        check_instant("1441008970", "2015-08-31T08:16:10Z");
        check_instant("1441008970123", "2015-08-31T08:16:10.123Z");
        check_instant("20210815", "2021-08-15T00:00:00Z (day)");
        for wrong in [
            "",
            "-",
            "soon",
            "2021-13-01",
            "2021-02-30",
            "2021-08-15T25:00:00Z",
            "443",
            "99/99/2021",
            ":",
            "1:2",
        ] {
            check_instant(wrong, "");
        }
    }

    #[test]
    fn a_number_above_twelve_tells_the_order_and_nothing_else_does() {
        assert_eq!(number_order(["05/06/2021", "25/06/2021"].into_iter()), NumberOrder::DayFirst);
        assert_eq!(number_order(["05/06/2021", "06/25/2021"].into_iter()), NumberOrder::MonthFirst);
        assert_eq!(number_order(["25/06/2021", "06/25/2021"].into_iter()), NumberOrder::Untold);
        assert_eq!(number_order(["2021-06-25", "05/06/2021"].into_iter()), NumberOrder::Untold);
    }

    #[test]
    fn a_date_that_could_be_two_is_none() {
        let read = |text: &str| instant(text, NumberOrder::Untold).map(|found| found.at.day().to_string());
        for text in ["03/04/2021", "03-04-2021", "3/4/2021 10:00"] {
            assert_eq!((read(text), needs_order(text)), (None, true), "{text}");
        }
        for (text, day) in [
            ("04/04/2021", "2021-04-04"),
            ("13/04/2021", "2021-04-13"),
            ("04/13/2021", "2021-04-13"),
            ("03.04.2021", "2021-04-03"),
            ("2021/03/04", "2021-03-04"),
        ] {
            assert_eq!((read(text).as_deref(), needs_order(text)), (Some(day), false), "{text}");
        }
        assert!(!needs_order("soon"));
    }

    #[test]
    fn a_last_day_lasts_to_its_end() {
        let end = |text| instant(text, NumberOrder::MonthFirst).unwrap().end().to_string();
        assert_eq!(end("2021-06-30"), "2021-07-01T00:00:00Z");
        assert_eq!(end("2021-06-30T23:59:59Z"), "2021-07-01T00:00:00Z");
        assert_eq!(end("2021-06-30T12:00:00Z"), "2021-06-30T12:00:00Z");
        assert_eq!(end("2021-05-20T23:59:59-05:00"), "2021-05-21T05:00:00Z");
        assert_eq!(end("2021-05-20T23:59:59.999+04:30"), "2021-05-20T19:30:00Z");
        assert_eq!(end("2021-05-20T18:59:59-05:00"), "2021-05-20T23:59:59Z");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,60}") {
            span(&text);
            instant(&text, NumberOrder::DayFirst);
        }

        #[test]
        fn dates_made_of_their_own_parts_are_read_without_panic(text in "[0-9a-zA-Z /:,+\\-]{0,30}") {
            span(&text);
            instant(&text, NumberOrder::MonthFirst);
        }
    }
}
