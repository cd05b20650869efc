//! What came first: contact, or an event that somebody registered (`methods.md` §0, §6.5).
//!
//! days = first UTC day of believed contact − UTC day of the event
//!
//! | order | when |
//! |---|---|
//! | before | contact was seen on an earlier day; that holds whatever else was not seen |
//! | same day | on the same UTC day: telemetry has hours, dates of events seldom do |
//! | after | on a later day, and an exporter that recorded the contact saw the day before the event and all since |
//! | not covered | on a later day, and none did: contact may have begun before; or contact on the event's day or before it is on record, outside the windows of the claims |
//!
//! An order in time is no cause. Flow data cannot show how a host was entered, what was said, or
//! where it went from there; "26 days after the disclosure" says that and no more. Under sampling,
//! contact may have begun earlier and left no record: then that is said beside.
//!
//! Assumes that the event was registered before anybody looked, with its own date and not that of a
//! report about it.
//!
//! ```
//! use rahdar_hunt::chronology::{First, Watch, order};
//! use rahdar_model::account::Order;
//! use rahdar_model::intelligence::Event;
//! use rahdar_model::{Timestamp, Window};
//!
//! let time = |text: &str| text.parse::<Timestamp>().unwrap();
//! let event = Event::new(time("2021-03-02"), "ProxyLogon disclosed");
//! let watch = Watch {
//!     window: Window::new(time("2021-01-01"), time("2021-12-31")),
//!     missing: Vec::new(),
//!     is_sampled: false,
//! };
//! let first = First { at: time("2021-03-28T04:00:00Z"), outside: None };
//! let told = order(&event, first, &[watch]);
//! assert_eq!((told.order, told.days), (Order::After, 26));
//! assert_eq!(order(&event, first, &[]).order, Order::NotCovered);
//! ```

use std::collections::BTreeSet;

use rahdar_model::account::{Chronology, Order};
use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::intelligence::Event;
use rahdar_model::time::DAY_US;
use rahdar_model::{Timestamp, Window};

/// First contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct First {
    /// The first that is believed.
    pub at: Timestamp,
    /// The first with the same hosts outside the windows of all claims, if it came earlier.
    pub outside: Option<Timestamp>,
}

/// What an exporter that recorded the contact could see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// From its first record to its last.
    pub window: Window,
    /// When it saw nothing, or lost something on the way to us.
    pub missing: Vec<Window>,
    /// Whether it sampled, or nobody knows.
    pub is_sampled: bool,
}

impl Watch {
    /// The watches of these exporters.
    pub fn of(exporters: &BTreeSet<&str>, coverage: &[ExporterCoverage]) -> Vec<Self> {
        let own = coverage.iter().filter(|ledger| exporters.contains(&*ledger.exporter));
        own.map(|ledger| Self {
            window: ledger.window,
            missing: ledger.silent.iter().chain(&ledger.gaps).copied().collect(),
            is_sampled: ledger.sampling.iter().any(|interval| *interval != Some(1)),
        })
        .collect()
    }

    fn holds(&self, span: Window) -> bool {
        self.window.from <= span.from && span.until <= self.window.until
    }

    fn is_whole(&self, span: Window) -> bool {
        !self.missing.iter().any(|missing| missing.overlaps(span))
    }
}

/// Where first contact stands to `event`.
pub fn order(event: &Event, first: First, watches: &[Watch]) -> Chronology {
    let First { at: first, outside } = first;
    let (day, event_day) = (first.day(), event.at.day());
    let days = i64::from(day.0) - i64::from(event_day.0);
    let told = |order, why: &str| Chronology {
        event: event.label.clone(),
        at: event.at,
        order,
        days,
        why: why.to_owned(),
    };
    match days {
        ..0 => return told(Order::Before, ""),
        0 => return told(Order::SameDay, ""),
        _ => {}
    }
    let outside = outside.filter(|outside| *outside < first).map(Timestamp::day);
    if let Some(outside) = outside.filter(|outside| *outside <= event_day) {
        let why = format!(
            "contact with the same hosts is on record since {outside}, outside the windows of the claims"
        );
        return told(Order::NotCovered, &why);
    }
    // A day before the event: who begins to see on that day cannot tell what was new.
    let span = Window::new(event_day.start().plus_micros(-DAY_US), first);
    let holding: Vec<&Watch> = watches.iter().filter(|watch| watch.holds(span)).collect();
    if holding.is_empty() {
        let begin = watches.iter().map(|watch| watch.window.from).min();
        let why = match begin {
            Some(begin) if begin > span.from => format!("the telemetry begins on {}", begin.day()),
            _ => "no exporter that recorded it saw all of the time between".to_owned(),
        };
        return told(Order::NotCovered, &why);
    }
    if let Some(outside) = outside {
        let why = format!("contact with the same hosts outside the windows of the claims began on {outside}");
        return told(Order::After, &why);
    }
    let whole: Vec<&&Watch> = holding.iter().filter(|watch| watch.is_whole(span)).collect();
    if whole.is_empty() {
        return told(Order::After, "exporters were silent or lost records for some of the time between");
    }
    if whole.iter().all(|watch| watch.is_sampled) {
        return told(Order::After, "packets were sampled, and earlier contact may have left no record");
    }
    told(Order::After, "")
}

/// Where first contact stands to each event, by date.
pub(crate) fn orders(
    events: &[Event],
    first: First,
    exporters: &BTreeSet<&str>,
    coverage: &[ExporterCoverage],
) -> Vec<Chronology> {
    let watches = Watch::of(exporters, coverage);
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort();
    let events = events.split_off(events.len().saturating_sub(crate::surge::MOST_EVENTS));
    events.into_iter().map(|event| order(event, first, &watches)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn watch(from: &str, missing: &[(&str, &str)], is_sampled: bool) -> Watch {
        let window = |(from, until): &(&str, &str)| Window::new(time(from), time(until));
        Watch {
            window: window(&(from, "2022-01-01")),
            missing: missing.iter().map(window).collect(),
            is_sampled,
        }
    }

    fn check(first: &str, watches: &[Watch], expected: (Order, i64), why: &str) {
        check_beside(first, None, watches, expected, why);
    }

    fn check_beside(
        first: &str,
        outside: Option<&str>,
        watches: &[Watch],
        expected: (Order, i64),
        why: &str,
    ) {
        let event = Event::new(time("2021-03-02"), "disclosed");
        let order = order(&event, First { at: time(first), outside: outside.map(time) }, watches);
        assert_eq!(((order.order, order.days), order.why.as_str()), (expected, why));
    }

    #[test]
    fn contact_outside_the_windows_that_came_first_leaves_the_order_open() {
        let watches = [watch("2021-01-01", &[], false)];
        let (first, at) = ("2021-03-28T04:00:00Z", "2021-02-01T00:00:00Z");
        let why =
            "contact with the same hosts is on record since 2021-02-01, outside the windows of the claims";
        check_beside(first, Some(at), &watches, (Order::NotCovered, 26), why);
        let why = "contact with the same hosts outside the windows of the claims began on 2021-03-10";
        check_beside(first, Some("2021-03-10"), &watches, (Order::After, 26), why);
        check_beside(first, Some("2021-04-10"), &watches, (Order::After, 26), "");
    }

    #[test]
    fn contact_before_the_event_needs_no_coverage() {
        check("2021-02-27T23:59:00Z", &[], (Order::Before, -3), "");
        check("2021-03-02T00:00:00Z", &[], (Order::SameDay, 0), "");
    }

    #[test]
    fn contact_after_the_event_is_later_only_where_somebody_watched() {
        let after = (Order::After, 26);
        let unknown = (Order::NotCovered, 26);
        check("2021-03-28T04:00:00Z", &[watch("2021-03-01", &[], false)], after, "");
        check(
            "2021-03-28T04:00:00Z",
            &[watch("2021-03-02", &[], false)],
            unknown,
            "the telemetry begins on 2021-03-02",
        );
        let why = "packets were sampled, and earlier contact may have left no record";
        check("2021-03-28T04:00:00Z", &[watch("2021-01-01", &[], true)], after, why);
        let broken = watch("2021-01-01", &[("2021-03-05", "2021-03-06")], false);
        let why = "exporters were silent or lost records for some of the time between";
        check("2021-03-28T04:00:00Z", std::slice::from_ref(&broken), after, why);
        check("2021-03-28T04:00:00Z", &[broken, watch("2021-01-01", &[], false)], after, "");
    }
}
