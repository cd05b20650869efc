//! When a flow was, from what its exporter says: uptimes that wrap, NTP times, offsets,
//! durations, and clocks that cannot be right.
//!
//! Source: methods.md §1.7; RFC 3954 §5.1; RFC 7011 §6.1.7 to §6.1.10; RFC 5102 §5.9.

use rahdar_model::flow::Quality;
use rahdar_model::time::{DAY_US, HOUR_US, SECOND_US, Timestamp};

use super::element::Form;
use super::read::Values;
use super::template::{Plan, Purpose};

/// How far a flow may lie after its own export: from this offset on methods.md §1.7 calls a
/// clock wrong.
pub(crate) const AHEAD_US: i64 = 300 * SECOND_US;

/// How long before its export a flow may have ended, where times are uptimes (methods.md §1.7).
const LATE_US: i64 = 6 * HOUR_US;

/// The longest flow that is believed, where times are uptimes: softflowd reports a flow after
/// 7 days at the latest, other exporters after hours.
const LONGEST_US: i64 = 7 * DAY_US;

/// An end that lies less than this before its start is swapped with it (methods.md §1.7).
pub(crate) const SWAP_US: i64 = 2 * SECOND_US;

/// 2000-01-01. NetFlow v9 and IPFIX are younger: an earlier clock was never set.
const CLOCK_SET: Timestamp = Timestamp::from_seconds(946_684_800);

/// 2106-02-07, when the clock of every header is full. A later time is none.
const CLOCK_FULL: Timestamp = Timestamp::from_seconds(u32::MAX as i64);

/// Seconds from the epoch of NTP, 1900, to that of Unix.
const NTP_TO_UNIX_S: i64 = 2_208_988_800;

/// The clocks behind one datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// The time of export: the exporter's, or that of arrival if the exporter's was never set.
    reference_us: i64,
    /// What stands in for a time that cannot be right: the arrival, or else the export.
    instead_us: i64,
    /// Milliseconds that the exporter had been up at the export.
    uptime_ms: Option<u32>,
    /// Whether the exporter's clock was ever set.
    is_set: bool,
}

/// When a flow was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) quality: Quality,
}

impl Clock {
    /// The clocks of a datagram: its export time, the uptime in its header, its arrival.
    pub(super) fn new(export: Timestamp, uptime_ms: Option<u32>, received: Option<Timestamp>) -> Self {
        let arrival = received.filter(|time| *time >= CLOCK_SET);
        let is_set = export >= CLOCK_SET;
        let reference = if is_set { export } else { arrival.unwrap_or(export) };
        Self {
            reference_us: reference.micros(),
            instead_us: arrival.unwrap_or(reference).micros(),
            uptime_ms,
            is_set,
        }
    }

    /// Milliseconds that the exporter had been up at the export, as its header says.
    pub(super) fn uptime_ms(&self) -> Option<u32> {
        self.uptime_ms
    }

    /// The same clocks for the sets of an exporter that told apart from them when it started.
    pub(super) fn for_set(mut self, system_init_ms: Option<u64>) -> Self {
        self.uptime_ms = self.uptime_ms.or_else(|| system_init_ms.map(|ms| self.uptime_since(ms)));
        self
    }

    /// When the flow of a record was.
    #[inline]
    pub(super) fn span(&self, plan: &Plan, values: &Values) -> Span {
        let uptime_ms = match values.system_init {
            0 => self.uptime_ms,
            ms => Some(self.uptime_since(ms)),
        };
        let start = self.moment(plan.start, values.start, uptime_ms);
        let end = self.moment(plan.end, values.end, uptime_ms);
        let (Some(start), Some(end)) = (start, end) else {
            return self.span_of_one(plan, values, start, end);
        };
        self.settled(plan, start, end)
    }

    /// When the flow was of a record that tells one end, or none.
    fn span_of_one(&self, plan: &Plan, values: &Values, start: Option<i64>, end: Option<i64>) -> Span {
        let observed = self.moment(plan.observed, values.observed, None);
        let duration_us = duration_us(plan, values);
        match (start, end.or(observed)) {
            (Some(start), end) => {
                let end = duration_us.map(|us| start.saturating_add(us)).or(end);
                self.settled(plan, start, end.unwrap_or(start))
            }
            (None, Some(end)) => self.settled(plan, end.saturating_sub(duration_us.unwrap_or(0)), end),
            // A packet is as old as the message that brings it: an exporter sends it at once.
            (None, None) if plan.purpose == Purpose::Packets && self.is_set => {
                Span { quality: Quality::NONE, ..self.instead(0) }
            }
            (None, None) => self.instead(duration_us.unwrap_or(0)),
        }
    }

    /// The times of a flow, mended if need be.
    #[inline]
    fn settled(&self, plan: &Plan, start: i64, end: i64) -> Span {
        if !self.believes(plan, start, end) {
            return self.instead(end.saturating_sub(start));
        }
        let mut quality = if self.is_set { Quality::NONE } else { Quality::CLOCK_SUSPECT };
        let (start, end) = if start <= end {
            (start, end)
        } else {
            quality |= Quality::END_BEFORE_START;
            if start - end < SWAP_US { (end, start) } else { (start, start) }
        };
        Span { start: Timestamp::from_micros(start), end: Timestamp::from_micros(end), quality }
    }

    /// Milliseconds from `system_init_ms` to the export, modulo 2³² as exporters count them.
    fn uptime_since(&self, system_init_ms: u64) -> u32 {
        (self.reference_us / 1_000).wrapping_sub(system_init_ms as i64) as u32
    }

    /// A time in microseconds; none if it is not there, is zero, or counts from an unknown start.
    #[inline]
    fn moment(&self, form: Form, value: u64, uptime_ms: Option<u32>) -> Option<i64> {
        let number = i64::try_from(value).unwrap_or(i64::MAX);
        match form {
            Form::Absent | Form::Micros => None,
            Form::BeforeExport => Some(self.reference_us.saturating_sub(number)),
            Form::Uptime => match u32::try_from(value) {
                // The difference is taken modulo 2³² and read as signed: right across the wrap
                // after 49.7 days, and for packets a moment younger than the header.
                Ok(ms) => {
                    let before_ms = uptime_ms?.wrapping_sub(ms) as i32;
                    Some(self.reference_us.saturating_sub(i64::from(before_ms) * 1_000))
                }
                // Eight octets of a full date where an uptime should be.
                Err(_) => Some(number.saturating_mul(1_000)),
            },
            _ if value == 0 => None,
            Form::Seconds => Some(number.saturating_mul(SECOND_US)),
            Form::Millis => Some(number.saturating_mul(1_000)),
            Form::Ntp => Some(ntp_us(value)),
        }
    }

    /// Whether the times can be right, given when they were exported.
    #[inline]
    fn believes(&self, plan: &Plan, start: i64, end: i64) -> bool {
        if !self.is_set {
            // Nothing to measure by; but a time must be one.
            let possible = -LONGEST_US..=CLOCK_FULL.micros();
            return possible.contains(&start) && possible.contains(&end);
        }
        let set = CLOCK_SET.micros();
        let (first_start, first_end) = if plan.has_uptimes {
            (self.reference_us - LONGEST_US, self.reference_us - LATE_US)
        } else {
            (set, set)
        };
        start >= first_start && end >= first_end && start.max(end) <= self.reference_us + AHEAD_US
    }

    /// The best that can be said where the times cannot be right.
    fn instead(&self, duration_us: i64) -> Span {
        let duration_us = if (0..=LONGEST_US).contains(&duration_us) { duration_us } else { 0 };
        Span {
            start: Timestamp::from_micros(self.instead_us - duration_us),
            end: Timestamp::from_micros(self.instead_us),
            quality: Quality::CLOCK_SUSPECT,
        }
    }
}

/// How long the flow lasted, if the record says so: as a duration, or as two uptimes.
fn duration_us(plan: &Plan, values: &Values) -> Option<i64> {
    match (plan.duration, plan.start, plan.end) {
        (Form::Millis, ..) => Some(i64::try_from(values.duration).unwrap_or(i64::MAX).saturating_mul(1_000)),
        (Form::Micros, ..) => Some(i64::try_from(values.duration).unwrap_or(i64::MAX)),
        (_, Form::Uptime, Form::Uptime) => {
            Some(i64::from((values.end as u32).wrapping_sub(values.start as u32)) * 1_000)
        }
        _ => None,
    }
}

/// An NTP time. One before 1970 belongs to the era that begins in 2036 (RFC 5905 §6).
fn ntp_us(value: u64) -> i64 {
    let mut seconds = (value >> 32) as i64 - NTP_TO_UNIX_S;
    if seconds < 0 {
        seconds += 1 << 32;
    }
    let fraction_us = ((value & 0xffff_ffff) * 1_000_000) >> 32;
    seconds * SECOND_US + fraction_us as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netflow::template::Spec;

    /// 2021-08-15T12:00:00Z.
    const EXPORT_S: i64 = 1_629_028_800;

    fn export() -> Timestamp {
        Timestamp::from_seconds(EXPORT_S)
    }

    fn seconds_before_export(span: Span) -> (i64, i64) {
        let before = |time: Timestamp| export().since(time) / SECOND_US;
        (before(span.start), before(span.end))
    }

    #[track_caller]
    fn check(
        elements: [u16; 2],
        clock: Clock,
        values: Values,
        before_export_s: (i64, i64),
        quality: Quality,
    ) {
        let plan = Plan::compile(&elements.map(|element| Spec::new(element, 8)), false).unwrap();
        let span = clock.span(&plan, &values);
        assert_eq!(seconds_before_export(span), before_export_s);
        assert_eq!(span.quality, quality);
    }

    fn times(start: u64, end: u64) -> Values {
        Values { start, end, ..Values::default() }
    }

    #[test]
    fn uptimes_count_back_from_the_export() {
        let clock = Clock::new(export(), Some(100_000), None);
        check([22, 21], clock, times(40_000, 90_000), (60, 10), Quality::NONE);
    }

    #[test]
    fn uptimes_are_right_across_the_wrap_after_49_days() {
        let clock = Clock::new(export(), Some(5_000), None);
        check([22, 21], clock, times(u64::from(u32::MAX) - 54_999, 3_000), (60, 2), Quality::NONE);
    }

    #[test]
    fn a_packet_may_be_a_moment_younger_than_the_header() {
        let clock = Clock::new(export(), Some(100_000), None);
        check([22, 21], clock, times(99_000, 102_000), (1, -2), Quality::NONE);
    }

    #[test]
    fn an_uptime_in_seconds_is_not_believed() {
        let received = export().plus_micros(7 * SECOND_US);
        let clock = Clock::new(export(), Some(86_400), Some(received));
        check([22, 21], clock, times(86_390_000, 86_395_000), (-2, -7), Quality::CLOCK_SUSPECT);
    }

    #[test]
    fn eight_octets_of_a_date_in_place_of_an_uptime_are_a_date() {
        let ms = EXPORT_S as u64 * 1_000;
        let clock = Clock::new(export(), Some(100_000), None);
        check([22, 21], clock, times(ms - 9_000, ms - 4_000), (9, 4), Quality::NONE);
    }

    #[test]
    fn every_form_of_a_time_is_the_same_time() {
        let clock = Clock::new(export(), None, None);
        let s = EXPORT_S as u64;
        check([152, 153], clock, times((s - 9) * 1_000, (s - 4) * 1_000), (9, 4), Quality::NONE);
        check([150, 151], clock, times(s - 9, s - 4), (9, 4), Quality::NONE);
        let ntp = |s: u64| (s + NTP_TO_UNIX_S as u64) << 32;
        check([154, 155], clock, times(ntp(s - 9), ntp(s - 4)), (9, 4), Quality::NONE);
        check([156, 157], clock, times(ntp(s - 9), ntp(s - 4)), (9, 4), Quality::NONE);
        check([158, 159], clock, times(9_000_000, 4_000_000), (9, 4), Quality::NONE);
    }

    #[test]
    fn an_ntp_time_keeps_its_fraction_and_its_era() {
        assert_eq!(ntp_us((NTP_TO_UNIX_S as u64) << 32 | 1 << 31), 500_000);
        assert_eq!(ntp_us(0), ((1 << 32) - NTP_TO_UNIX_S) * SECOND_US);
    }

    #[test]
    fn a_duration_gives_the_other_end() {
        let clock = Clock::new(export(), None, None);
        let ms = EXPORT_S as u64 * 1_000;
        let values = Values { start: ms - 9_000, duration: 5_000, ..Values::default() };
        check([152, 161], clock, values, (9, 4), Quality::NONE);
        let values = Values { end: ms - 4_000, duration: 5_000_000, ..Values::default() };
        check([153, 162], clock, values, (9, 4), Quality::NONE);
    }

    #[test]
    fn an_event_time_is_the_end_where_nothing_else_is() {
        let clock = Clock::new(export(), None, None);
        let ms = EXPORT_S as u64 * 1_000;
        let values = Values { start: ms - 9_000, observed: ms - 4_000, ..Values::default() };
        check([152, 323], clock, values, (9, 4), Quality::NONE);
    }

    #[test]
    fn uptimes_of_an_unknown_start_keep_their_duration() {
        let clock = Clock::new(export(), None, None);
        check([22, 21], clock, times(1_000, 6_000), (5, 0), Quality::CLOCK_SUSPECT);
    }

    #[test]
    fn an_end_before_its_start_is_mended() {
        let clock = Clock::new(export(), Some(100_000), None);
        check([22, 21], clock, times(91_000, 90_000), (10, 9), Quality::END_BEFORE_START);
        check([22, 21], clock, times(95_000, 90_000), (5, 5), Quality::END_BEFORE_START);
    }

    #[test]
    fn a_date_in_the_future_of_its_export_is_not_believed() {
        let clock = Clock::new(export(), None, None);
        let ms = EXPORT_S as u64 * 1_000;
        check([152, 153], clock, times(ms + 400_000, ms + 401_000), (1, 0), Quality::CLOCK_SUSPECT);
        check([152, 153], clock, times(ms + 200_000, ms + 201_000), (-200, -201), Quality::NONE);
    }

    #[test]
    fn old_dates_are_believed_because_files_are_exported_again() {
        let clock = Clock::new(export(), None, None);
        let ms = EXPORT_S as u64 * 1_000;
        let year_s = 365 * 86_400;
        check(
            [152, 153],
            clock,
            times(ms - year_s * 1_000, ms - year_s * 1_000),
            (year_s as i64, year_s as i64),
            Quality::NONE,
        );
        check([152, 153], clock, times(0, 0), (0, 0), Quality::CLOCK_SUSPECT);
    }

    #[test]
    fn times_beyond_every_clock_are_not_believed() {
        let unset = Timestamp::from_seconds(502);
        let plan = Plan::compile(&[Spec::new(150, 8), Spec::new(21, 4)], false).unwrap();
        let values = times(u64::MAX / 2, 4_000_000_000);
        let span = Clock::new(unset, Some(1_000), None).span(&plan, &values);
        assert_eq!((span.start, span.end, span.quality), (unset, unset, Quality::CLOCK_SUSPECT));
    }

    #[test]
    fn an_exporter_whose_clock_was_never_set_is_placed_by_its_arrival() {
        let clock = Clock::new(Timestamp::from_seconds(502), Some(100_000), Some(export()));
        check([22, 21], clock, times(40_000, 90_000), (60, 10), Quality::CLOCK_SUSPECT);
    }
}
