//! When exporters recorded, and when they did not, as a hunt reads it (`methods.md` §1.4).
//!
//! Gaps are dated by arrival, and contacts by the exporter's meter. A flow record tells of what went on until the
//! active timeout before it was sent, so a gap is taken to reach back by [`UNDER_WAY_US`] ([`in_flow_time`]). A gap of
//! which nobody knows whose it was, because a socket of ours was full, is every exporter's. Both make bounds wider than they
//! might be, and never narrower than they are.

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::coverage::{ExporterCoverage, joined};
use rahdar_model::fact::is_anybodys;
use rahdar_model::sight::Hole;
use rahdar_model::store::StoreError;
use rahdar_model::time::{CLOCK_PLAUSIBLE, DAY_US, SECOND_US};
use rahdar_model::{Day, FlowStore, Window};

use crate::holes::Ledger;
use crate::seen::LEAST_MARGIN_US;

/// How long a record may have been under way when it was lost: what it tells of may have begun so much earlier.
/// 30 minutes, the active timeout of Cisco's exporters unless they are told otherwise (Cisco IOS NetFlow
/// Command Reference, `ip flow-cache timeout active`), and the longest in common use.
pub const UNDER_WAY_US: i64 = 1_800 * SECOND_US;

/// What exporters could see in `window`, as a hunt reads it: [`as_clocks_tell`], then [`in_flow_time`]. Gaps that
/// arrived up to [`UNDER_WAY_US`] after the window, or began up to a day before, count too.
///
/// # Errors
/// What the store fails with.
pub fn coverage(store: &dyn FlowStore, window: Window) -> Result<Vec<ExporterCoverage>, StoreError> {
    let mut coverage = store.coverage(window)?;
    let after = Window::new(window.until, window.until.plus_micros(UNDER_WAY_US));
    let before = Window::new(window.from.plus_micros(-DAY_US), window.from);
    for edge in [before, after].into_iter().filter(|edge| !edge.is_empty()) {
        for gap in store.gaps(edge)?.into_iter().filter(|gap| gap.window.until > window.from) {
            let own = (&gap.exporter, gap.observation_domain);
            match coverage.iter_mut().find(|of| (&of.exporter, of.observation_domain) == own) {
                Some(of) => of.gaps.push(gap.window),
                None if is_anybodys(&gap.exporter) => {
                    let of_all = coverage.iter_mut().filter(|of| !is_anybodys(&of.exporter));
                    of_all.for_each(|of| of.gaps.push(gap.window));
                }
                None => {}
            }
        }
    }
    Ok(in_flow_time(as_clocks_tell(coverage)))
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

/// These ledgers with their gaps in the time of flows: each reaches back by [`UNDER_WAY_US`], and
/// what is missing of anybody's flows ([`is_anybodys`]) is missing of every exporter's.
pub fn in_flow_time(mut coverage: Vec<ExporterCoverage>) -> Vec<ExporterCoverage> {
    let of_nobody = coverage.iter().filter(|ledger| is_anybodys(&ledger.exporter));
    let anybodys: Vec<Window> = of_nobody.flat_map(|ledger| ledger.gaps.iter().copied()).collect();
    for ledger in &mut coverage {
        let others = if is_anybodys(&ledger.exporter) { &[][..] } else { &anybodys };
        ledger.gaps = joined(ledger.gaps.iter().chain(others).map(|gap| under_way(*gap)));
    }
    coverage
}

/// The time that records which were lost in `gap` may tell of.
pub fn under_way(gap: Window) -> Window {
    Window::new(gap.from.plus_micros(-UNDER_WAY_US), gap.until)
}

/// Whether these exporters recorded all of `window`: it lies inside what each of them covers, and
/// none was silent for an hour of it, or lost any of it on the way to us.
///
/// Traffic that no exporter of ours carries is unknown all the same. The ledgers are those of [`in_flow_time`].
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

/// Which exporter started or stopped recording during a contact: what it adds would look like a change of
/// the contact. None if all of them saw all of it, give or take
/// [`LEAST_MARGIN_US`].
///
/// ```
/// use std::collections::BTreeSet;
///
/// use rahdar_hunt::watch::newcomer;
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
