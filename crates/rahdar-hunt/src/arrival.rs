//! When a flow was, where its own clock is not to be trusted.
//!
//! | the record's clock | its times are | and |
//! |---|---|---|
//! | trusted | its own | |
//! | *clock suspect*, and its arrival is known | those of arrival: its last packet came just before | they count like others |
//! | *clock suspect*, arrival unknown, and the time of its export can be one | those of export | they count like others |
//! | *clock suspect*, and nothing else is known | its own | they say what came after what, and no date |
//!
//! A flow lasted as long as its own clock says, if that is no more than [`LONGEST_US`]: the difference of
//! two wrong times may be right.
//!
//! Assumes that what was exported was soon sent on. Wrong for captures that were played again years after
//! with times that cannot be: they are dated by the second time. So contact is missed, and none invented:
//! windows of claims lie in the past.
//!
//! ```
//! use rahdar_hunt::arrival::{By, When};
//! use rahdar_model::Quality;
//! use rahdar_testkit::{flow, time};
//!
//! let mut record = flow("203.0.113.25 > 192.0.2.9").at("1970-01-01T00:05:00Z").lasting_s(30).build();
//! record.quality = Quality::CLOCK_SUSPECT;
//! assert_eq!(When::of(&record).by, By::Nobody);
//! record.received_time = Some(time("2021-08-15T12:00:00Z"));
//! let when = When::of(&record);
//! assert_eq!((when.start, when.by), (time("2021-08-15T11:59:30Z"), By::Arrival));
//! ```

use rahdar_model::time::{CLOCK_PLAUSIBLE, DAY_US};
use rahdar_model::{FlowRecord, Quality, Timestamp};

/// A flow that is told to have lasted longer was cut by no exporter. Chosen here, as in the decoder of NetFlow.
pub const LONGEST_US: i64 = 7 * DAY_US;

/// When a flow was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// First packet.
    pub start: Timestamp,
    /// Last packet.
    pub end: Timestamp,
    /// By whose word.
    pub by: By,
}

/// By whose word a time is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// The record's.
    Record,
    /// That of whoever took it in, or sent it.
    Arrival,
    /// Nobody's: the times compare with each other and with nothing else.
    Nobody,
}

impl When {
    /// When this flow was.
    pub fn of(flow: &FlowRecord) -> Self {
        let (start, end) = (flow.start_time, flow.end_time.max(flow.start_time));
        if !flow.quality.contains(Quality::CLOCK_SUSPECT) {
            return Self { start, end, by: By::Record };
        }
        let known = [flow.received_time, flow.export_time].into_iter().flatten();
        match known.into_iter().find(|time| CLOCK_PLAUSIBLE.contains(*time)) {
            None => Self { start, end, by: By::Nobody },
            Some(arrival) => {
                let lasted_us = Some(end.since(start)).filter(|us| *us <= LONGEST_US).unwrap_or(0);
                Self { start: arrival.plus_micros(-lasted_us), end: arrival, by: By::Arrival }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rahdar_testkit::{flow, time};

    use super::*;

    fn check(received: Option<&str>, export: Option<&str>, expected: (&str, By)) {
        let mut record = flow("203.0.113.25 > 192.0.2.9").at("9999-12-30T00:00:00Z").lasting_s(10).build();
        record.quality = Quality::CLOCK_SUSPECT;
        (record.received_time, record.export_time) = (received.map(time), export.map(time));
        let When { end, by, .. } = When::of(&record);
        assert_eq!((end, by), (time(expected.0), expected.1));
    }

    #[test]
    fn arrival_goes_before_export_and_both_before_nothing() {
        let (arrived, sent) = ("2021-08-15T12:00:00Z", "2021-08-15T11:00:00Z");
        check(Some(arrived), Some(sent), (arrived, By::Arrival));
        check(None, Some(sent), (sent, By::Arrival));
        check(Some("1970-01-02"), Some(sent), (sent, By::Arrival));
        check(Some("1970-01-02"), None, ("9999-12-30T00:00:10Z", By::Nobody));
        check(None, None, ("9999-12-30T00:00:10Z", By::Nobody));
    }

    #[test]
    fn a_clock_that_is_trusted_is_left_alone() {
        let mut record = flow("203.0.113.25 > 192.0.2.9").at("2021-08-15").build();
        record.received_time = Some(time("2026-01-01"));
        assert_eq!(When::of(&record).by, By::Record);
        assert_eq!(When::of(&record).start, time("2021-08-15"));
    }

    #[test]
    fn a_length_that_cannot_be_is_none() {
        let mut record = flow("203.0.113.25 > 192.0.2.9").at("1970-01-01").build();
        record.end_time = time("2021-01-01");
        record.quality = Quality::CLOCK_SUSPECT;
        record.received_time = Some(time("2021-08-15"));
        assert_eq!(When::of(&record).start, time("2021-08-15"));
    }
}
