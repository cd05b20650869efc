//! Periods that sentences speak of: `since at least July 2020`, `from March through May of this year`.
//!
//! A phrase is cut out and read by [`date::span`], as headings are. What it leaves open is taken
//! from publication: a month without a year is the last one before it, and what goes on "since"
//! is known until that day.

use std::ops::Range;
use std::sync::LazyLock;

use rahdar_model::time::DAY_US;
use rahdar_model::{Timestamp, Window};
use regex::Regex;

use crate::date;

/// A period and the author's words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) window: Window,
    /// Where the words stand in the sentence.
    pub(crate) words: Range<usize>,
}

const MONTH: &str = r"(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?";
const YEAR: &str = r"(?:,?\s+(?:of\s+)?(?:(?:19|20)\d\d\b|(?:this|last|the same) year\b))";
const LEAD: &str = r"since|from|between|until|till|through|before|after|in|during|on|by|around|as early as|as of|dat(?:es?|ed|ing) (?:back )?(?:to|from)|back to|(?:began|begun|beginning|started|starting|commenc\w+) (?:in|on|from)|(?:this|last)";

/// A date, alone or with its other end.
static PHRASE: LazyLock<Regex> = LazyLock::new(|| {
    let part = r"(?:(?:at least|late|early|mid|the end of|the beginning of|around|about)[- ]+)*";
    let date = format!(
        r"(?:\d{{4}}-\d\d(?:-\d\d)?\b|Q[1-4],?\s+(?:of\s+)?\d{{4}}\b|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{MONTH}{YEAR}?|{MONTH}(?:\s+\d{{1,2}}(?:st|nd|rd|th)?\b)?{YEAR}?|(?:19|20)\d\d\b)"
    );
    let lead = format!(r"(?i:\b(?:{LEAD})\s+)");
    crate::pattern(&format!(
        r"(?:(?P<lead>{lead}){part})?(?P<first>\b{date})(?:\s*(?P<join>-|–|—|\bto\b|\bthrough\b|\buntil\b|\btill\b|\band\b(?:\s+into\b)?)\s*{part}(?P<last>{date}))?"
    ))
});
/// `within the past year`, `over the last three months`
static PAST: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(?:with)?(?:in|over|during|for) the (?:past|last) (?:(two|three|four|five|six|nine|ten|twelve|\d{1,2}) )?(year|month|week|day)s?\b",
    )
});

/// Periods of one sentence at most; chosen here.
const PERIODS_MAX: usize = 16;

/// The periods of a sentence in a document published then, in order. A beginning and an end that
/// belong together (`since July 2020 and … through September 2021`) are one.
pub(crate) fn periods(sentence: &str, published: Option<Window>) -> Vec<Period> {
    let mut periods: Vec<Period> = Vec::new();
    for found in PHRASE.captures_iter(sentence).take(PERIODS_MAX) {
        let Some(whole) = found.get(0) else { continue };
        let part = |name| found.name(name).map_or("", |part| part.as_str());
        // `CVE-2021-26855`, `10.2021`
        let inside = |c: char| c.is_alphanumeric() || "-/.:#_".contains(c);
        if sentence[..whole.start()].ends_with(inside) || sentence[whole.end()..].starts_with(['-', '/', '_'])
        {
            continue;
        }
        let Some(window) = window(part("lead"), part("first"), part("join"), part("last"), published) else {
            continue;
        };
        let words = whole.range();
        match periods.last_mut() {
            Some(last) if last.window.until == Timestamp::MAX && window.from == Timestamp::MIN => {
                if last.window.from < window.until {
                    *last = Period {
                        window: Window::new(last.window.from, window.until),
                        words: last.words.start..words.end,
                    };
                }
            }
            _ => periods.push(Period { window, words }),
        }
    }
    if let Some(published) = published {
        periods.extend(
            PAST.captures_iter(sentence).filter_map(|found| past(&found, published)).take(PERIODS_MAX),
        );
    }
    for period in &mut periods {
        // Nobody knows what comes after publication.
        if let Some(published) = published
            .filter(|published| period.window.until == Timestamp::MAX && period.window.from < published.until)
        {
            period.window = Window::new(period.window.from, published.until);
        }
    }
    periods.retain(|period| !period.window.is_empty());
    periods
}

fn window(lead: &str, first: &str, join: &str, last: &str, published: Option<Window>) -> Option<Window> {
    let lead = lead.trim().to_lowercase();
    let alone = first.bytes().all(|b| b.is_ascii_alphabetic() || b == b'.');
    // `May` and `March` are verbs too, and a bare number may be of anything.
    let bare_year = first.len() == 4 && first.bytes().all(|b| b.is_ascii_digit());
    if (alone || bare_year) && lead.is_empty() && last.is_empty()
        || (lead == "by" || lead == "this" || lead == "last") && !alone
    {
        return None;
    }
    let lead_word = match lead.as_str() {
        "since" | "after" | "as early as" => "since ",
        "until" | "till" | "through" | "by" => "until ",
        "before" => "before ",
        "" | "on" | "this" | "last" | "around" | "as of" => "in ",
        lead if lead.starts_with("dat") || lead == "back to" => "since ",
        lead if ["beg", "start", "commenc"].iter().any(|word| lead.starts_with(word)) => "since ",
        _ => "in ",
    };
    let year = published
        .map(|published| published.from.day().to_string())
        .and_then(|day| day[..4].parse::<i32>().ok());
    let dated = |date: &str, year: Option<i32>| -> Option<String> {
        let mut text = date.replace(" of ", " ");
        for (words, back) in [("this year", 0), ("last year", 1), ("the same year", 0)] {
            if text.contains(words) {
                text = text.replace(words, &(year? - back).to_string());
            }
        }
        Some(text.replace(',', " "))
    };
    let has_year = |date: &str| {
        date.contains("year") || date.as_bytes().windows(4).any(|w| w.iter().all(u8::is_ascii_digit))
    };
    let phrase = |year_of_none: Option<i32>| -> Option<Window> {
        let mut text = format!("{lead_word}{}", dated(first, year)?);
        let year_of_none = year_of_none.map_or_else(String::new, |year| format!(" {year}"));
        let open = !has_year(first) && !has_year(last);
        if last.is_empty() {
            if open {
                text.push_str(&year_of_none);
            }
        } else {
            let join = if join.starts_with("and") { "and" } else { "to" };
            text = format!("{} {join} {}", dated(first, year)?, dated(last, year)?);
            if open {
                text.push_str(&year_of_none);
            }
        }
        date::span(&text).map(|span| span.window)
    };
    if has_year(first) || has_year(last) {
        return phrase(None);
    }
    // The last such month that had begun when this was published.
    let year = year?;
    let published = published?;
    let begun = |window: &Window| {
        let start =
            if window.from == Timestamp::MIN { window.until.plus_micros(-DAY_US) } else { window.from };
        start < published.until
    };
    [year, year - 1].into_iter().find_map(|year| phrase(Some(year)).filter(begun))
}

fn past(found: &regex::Captures<'_>, published: Window) -> Option<Period> {
    let count = match found.get(1).map_or("one", |count| count.as_str()).to_lowercase().as_str() {
        "one" => 1,
        "two" => 2,
        "three" => 3,
        "four" => 4,
        "five" => 5,
        "six" => 6,
        "nine" => 9,
        "ten" => 10,
        "twelve" => 12,
        number => number.parse().ok()?,
    };
    let days = match found[2].to_lowercase().as_str() {
        "year" => 365,
        "month" => 30,
        "week" => 7,
        _ => 1,
    };
    let window = Window::new(published.from.plus_micros(-count * days * DAY_US), published.until);
    Some(Period { window, words: found.get(0)?.range() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(sentence: &str, expected: &[&str]) {
        let published = date::span("2021-09-28").map(|span| span.window);
        let found: Vec<String> = periods(sentence, published)
            .into_iter()
            .map(|period| {
                format!("{:?} {}", period.window, &sentence[period.words]).replace("T00:00:00Z", "")
            })
            .collect();
        assert_eq!(found, expected, "{sentence}");
    }

    #[test]
    fn periods_are_read_as_people_mean_them() {
        check(
            "It has targeted them since at least July 2020, it says.",
            &["[2020-07-01, 2021-09-29) since at least July 2020"],
        );
        check(
            "That appears to date back to at least July of 2020 and was ongoing through September 2021, with more in August and September of this year.",
            &[
                "[2020-07-01, 2021-10-01) date back to at least July of 2020 and was ongoing through September 2021",
                "[2021-08-01, 2021-10-01) in August and September of this year",
            ],
        );
        check(
            "seen from at least March through May of this year",
            &["[2021-03-01, 2021-06-01) from at least March through May of this year"],
        );
        check(
            "from at least March through May",
            &["[2021-03-01, 2021-06-01) from at least March through May"],
        );
        check("more in August and September, just as", &["[2021-08-01, 2021-10-01) in August and September"]);
        check("in November and December", &["[2020-11-01, 2021-01-01) in November and December"]);
        check("between May and June 2021", &["[2021-05-01, 2021-07-01) between May and June 2021"]);
        check("On March 2, 2021, it began", &["[2021-03-02, 2021-03-03) On March 2, 2021"]);
        check("In 2019, it described", &["[2019-01-01, 2020-01-01) In 2019"]);
        check("until June 2021", &["[the beginning, 2021-07-01) until June 2021"]);
        check("released this August", &["[2021-08-01, 2021-09-01) this August"]);
        check("within the past year", &["[2020-09-28, 2021-09-29) within the past year"]);
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "It may march on.",
            "May be so.",
            "in the 1990s",
            "CVE-2021-26855",
            "more than 2021 hosts",
            "port 2020",
        ] {
            check(text, &[]);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(since |in |May |2021|, | and |of this year|\\PC){0,20}") {
            periods(&text, date::span("2021-09-28").map(|span| span.window));
            periods(&text, None);
        }
    }
}
