//! Since when, until when, and whether coverage cut it off (`methods.md` §7.6; `field.md` J3).
//!
//! The first contact is "at least since" where contact may have begun earlier: an exporter that
//! recorded it began to see no longer before it than the longest silence within the contact, or
//! than [`LEAST_MARGIN_US`]. Likewise the last. After a hole ([`crate::holes`]) an exporter begins to see anew, and
//! before it it ceases to. A host that calls every week and whose record
//! begins four days before its first call may well have called before.
//!
//! ```
//! use rahdar_hunt::seen::is_cut;
//! use rahdar_model::{Timestamp, Window};
//!
//! let day = |n: i64| Timestamp::from_seconds(n * 86_400);
//! let coverage = Window::new(day(0), day(100));
//! assert!(is_cut(Window::new(day(3), day(50)), 4 * 86_400_000_000, coverage));
//! assert!(!is_cut(Window::new(day(5), day(50)), 4 * 86_400_000_000, coverage));
//! ```

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::sight::Hole;
use rahdar_model::time::{CLOCK_PLAUSIBLE, DAY_US};
use rahdar_model::{Day, Timestamp, Window};

use crate::holes::Ledger;

/// A silence as long as this before the first contact says nothing: hosts sleep.
pub const LEAST_MARGIN_US: i64 = DAY_US;

/// Whether contact from `contact.from` to `contact.until`, with silences of up to
/// `longest_silence_us`, may have begun before `coverage` or gone on after it.
pub fn is_cut(contact: Window, longest_silence_us: i64, coverage: Window) -> bool {
    let margin = margin_us(longest_silence_us);
    let before = contact.from.since(coverage.from);
    let after = coverage.until.since(contact.until);
    (0..=margin).contains(&before) || (0..=margin).contains(&after)
}

/// The same for the exporters that recorded the contact, each of which began and ceased to see at every one of
/// its holes too.
pub fn is_cut_by_any(
    contact: Window,
    longest_silence_us: i64,
    exporters: &BTreeSet<&str>,
    ledgers: &[Ledger<'_>],
) -> bool {
    let own = ledgers.iter().filter(|ledger| exporters.contains(&*ledger.coverage.exporter));
    own.flat_map(|ledger| ledger.spans()).any(|span| is_cut(contact, longest_silence_us, span))
}

/// The time before the first contact, and after the last, in which nothing seen leaves the dates open.
pub fn margin_us(longest_silence_us: i64) -> i64 {
    longest_silence_us.max(LEAST_MARGIN_US)
}

/// The holes of one exporter that any of `window` lies in.
pub fn holes_in<'l>(ledger: &'l Ledger<'_>, window: Window) -> impl Iterator<Item = &'l Hole> {
    let begin = ledger.holes.partition_point(|hole| hole.window.until < window.from);
    ledger.holes[begin..].iter().take_while(move |hole| hole.window.from <= window.until)
}

/// Whether half of `day`, or more, is a hole of one of these exporters. Without a record such a day is no day
/// without contact.
pub fn is_holed(day: Day, exporters: &BTreeSet<&str>, ledgers: &[Ledger<'_>]) -> bool {
    let day = day.window();
    let own = ledgers.iter().filter(|ledger| exporters.contains(&*ledger.coverage.exporter));
    own.map(|ledger| holes_in(ledger, day).map(|hole| hole.window.intersect(day)))
        .any(|holes| holes.map(|hole| hole.until.since(hole.from).max(0)).sum::<i64>() >= DAY_US / 2)
}

/// Whether each of these exporters recorded half of `day`, or more: it had begun to, had not ceased to, and the day is
/// not [`is_holed`].
pub fn is_watched(day: Day, exporters: &BTreeSet<&str>, ledgers: &[Ledger<'_>]) -> bool {
    let mut recorded: BTreeMap<&str, Window> = BTreeMap::new();
    for ledger in ledgers.iter().filter(|ledger| exporters.contains(&*ledger.coverage.exporter)) {
        let own = ledger.coverage.window;
        let all = recorded.entry(&ledger.coverage.exporter).or_insert(own);
        *all = Window::new(all.from.min(own.from), all.until.max(own.until));
    }
    let lasts = |window: Window| window.until.since(window.from).max(0);
    recorded.into_values().all(|window| lasts(window.intersect(day.window())) >= DAY_US / 2)
        && !is_holed(day, exporters, ledgers)
}

/// The longest time between neighbours of these sorted times; 0 for fewer than two.
pub fn longest_silence_us(times: &[Timestamp]) -> i64 {
    times.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap_or(0)
}

/// These ledgers without what no clock tells: an exporter with one record of the year 9999 did not watch
/// until then. The window shrinks to the hours inside [`CLOCK_PLAUSIBLE`] in which it saw anything; where
/// there is none, it is left as it came, and holds nothing that has a date.
pub fn as_clocks_tell(mut coverage: Vec<ExporterCoverage>) -> Vec<ExporterCoverage> {
    for ledger in &mut coverage {
        let Window { from, until } = ledger.window;
        if CLOCK_PLAUSIBLE.from <= from && until <= CLOCK_PLAUSIBLE.until {
            continue;
        }
        let begins = std::iter::once(from).chain(ledger.silent.iter().map(|silent| silent.until));
        let ends = ledger.silent.iter().map(|silent| silent.from).chain([until]);
        let seen = begins.zip(ends).map(|(from, until)| Window::new(from, until).intersect(CLOCK_PLAUSIBLE));
        let seen: Vec<Window> = seen.filter(|seen| !seen.is_empty()).collect();
        if let (Some(first), Some(last)) = (seen.first(), seen.last()) {
            ledger.window = Window::new(first.from, last.until);
            ledger.silent.retain(|silent| silent.overlaps(ledger.window));
        }
    }
    coverage
}

/// Whether these exporters recorded all of `window`: it lies inside what each of them covers, and
/// none was silent for an hour of it, or lost any of it on the way to us.
///
/// Traffic that no exporter of ours carries is unknown all the same.
pub fn is_covered(window: Window, exporters: &BTreeSet<&str>, coverage: &[ExporterCoverage]) -> bool {
    coverage.iter().filter(|ledger| exporters.contains(&*ledger.exporter)).all(|ledger| {
        ledger.window.from <= window.from
            && window.until <= ledger.window.until
            && !ledger.silent.iter().chain(&ledger.gaps).any(|missing| missing.overlaps(window))
    })
}

/// Whether none of these exporters recorded anything at all during `window`.
pub fn is_blind(window: Window, exporters: &BTreeSet<&str>, coverage: &[ExporterCoverage]) -> bool {
    let mut own = coverage.iter().filter(|ledger| exporters.contains(&*ledger.exporter)).peekable();
    own.peek().is_some()
        && own.all(|ledger| {
            window.until <= ledger.window.from
                || ledger.window.until <= window.from
                || ledger
                    .silent
                    .iter()
                    .any(|silent| silent.from <= window.from && window.until <= silent.until)
        })
}

/// Which exporter started or stopped recording during a contact: what it adds would look like a change of
/// the contact. None if all of them saw all of it, give or take
/// [`LEAST_MARGIN_US`].
///
/// ```
/// use std::collections::BTreeSet;
///
/// use rahdar_hunt::seen::newcomer;
/// use rahdar_model::Window;
///
/// assert_eq!(newcomer(Window::ALL, &BTreeSet::from(["E1"]), &[]), None);
/// ```
pub fn newcomer(
    contact: Window,
    exporters: &BTreeSet<&str>,
    coverage: &[ExporterCoverage],
) -> Option<String> {
    let mut windows: BTreeMap<&str, Window> = BTreeMap::new();
    let is_dated = |ledger: &&ExporterCoverage| CLOCK_PLAUSIBLE.contains(ledger.window.from);
    let own = coverage.iter().filter(|ledger| exporters.contains(&*ledger.exporter));
    for ledger in own.filter(is_dated) {
        let window = windows.entry(&ledger.exporter).or_insert(ledger.window);
        *window = Window::new(window.from.min(ledger.window.from), window.until.max(ledger.window.until));
    }
    windows.into_iter().find_map(|(exporter, window)| {
        if window.from.since(contact.from) > LEAST_MARGIN_US {
            Some(format!(
                "exporter `{exporter}` started recording on {}, during the contact",
                window.from.day()
            ))
        } else if contact.until.since(window.until) > LEAST_MARGIN_US {
            Some(format!(
                "exporter `{exporter}` recorded nothing after {}, while the contact went on",
                window.until.day()
            ))
        } else {
            None
        }
    })
}
