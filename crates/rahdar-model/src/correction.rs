//! What every reader of flows does to a flow before it hands it on: its times moved and mended, and the operator's word on
//! sampling set. What is doubtful about the times is marked.

use crate::flow::{FlowRecord, Quality, Sampler, SamplingSource};
use crate::time::{CALENDAR, CLOCK_PLAUSIBLE, Shift, Timestamp, Window};

/// What the operator corrects in every record of an input.
#[derive(Debug, Clone, Copy, Default)]
pub struct Correction {
    shift: Shift,
    sampling: Option<u32>,
    flows_sampled: bool,
}

impl Correction {
    /// Moves times; sets the sampling interval, unless it is 0; and says whether whole flows were sampled.
    pub const fn new(shift: Shift, sampling: Option<u32>, flows_sampled: bool) -> Self {
        let sampling = if let Some(0) = sampling { None } else { sampling };
        Self { shift, sampling, flows_sampled }
    }

    /// The window, moved as the times of records are.
    pub fn moved(self, window: Window) -> Window {
        Window::new(self.moved_time(window.from), self.moved_time(window.until))
    }

    /// The time, moved likewise. One beyond the calendar stops at its end.
    pub fn moved_time(self, time: Timestamp) -> Timestamp {
        within_calendar(self.shift.moved(time))
    }

    /// Moves and mends the times, marks what is doubtful about them, sets the operator's interval.
    #[inline]
    pub fn apply(self, record: &mut FlowRecord) {
        if self.shift != Shift::None {
            self.shift_times(record);
        }
        if record.end_time < record.start_time {
            record.end_time = record.start_time;
            record.quality |= Quality::END_BEFORE_START;
        }
        let are_plausible = CLOCK_PLAUSIBLE.contains(record.start_time)
            && CLOCK_PLAUSIBLE.contains(record.end_time)
            && record.export_time.is_none_or(|time| CLOCK_PLAUSIBLE.contains(time))
            && record.received_time.is_none_or(|time| CLOCK_PLAUSIBLE.contains(time));
        if !are_plausible {
            doubt(record);
        }
        if let Some(interval) = self.sampling {
            record.sampling_interval = Some(interval);
            record.sampling_source = Some(SamplingSource::Operator);
        }
        if self.flows_sampled {
            record.sampler = Some(Sampler::Flow);
        }
    }

    #[cold]
    fn shift_times(self, record: &mut FlowRecord) {
        if self.shift.moves(record.start_time) {
            record.quality |= Quality::TIME_SHIFTED;
        }
        for time in [&mut record.start_time, &mut record.end_time] {
            *time = self.shift.moved(*time);
        }
        for time in [&mut record.export_time, &mut record.received_time].into_iter().flatten() {
            *time = self.shift.moved(*time);
        }
    }
}

/// Marks a record whose times come from no real clock. Those beyond the calendar stop at its ends.
#[cold]
fn doubt(record: &mut FlowRecord) {
    let mut is_doubtful = !CLOCK_PLAUSIBLE.contains(record.start_time);
    let times = [Some(&mut record.start_time), Some(&mut record.end_time)];
    let others = [record.export_time.as_mut(), record.received_time.as_mut()];
    for time in times.into_iter().chain(others).flatten() {
        let possible = within_calendar(*time);
        is_doubtful |= possible != *time;
        *time = possible;
    }
    if is_doubtful {
        record.quality |= Quality::CLOCK_SUSPECT;
    }
}

fn within_calendar(time: Timestamp) -> Timestamp {
    time.clamp(CALENDAR.from, CALENDAR.until.plus_micros(-1))
}
