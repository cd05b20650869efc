//! What exporters could see, and what is known to be missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fact::{Gap, Loss, Unit};
use crate::flow::{Quality, SamplingSource};
use crate::time::{Timestamp, Window};

/// What one exporter could see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExporterCoverage {
    /// Its name or address.
    pub exporter: Arc<str>,
    /// Its subdivision.
    pub observation_domain: u32,
    /// From the first packet to the last, whose time is the end.
    pub window: Window,
    /// Flow records.
    pub flows: u64,
    /// Every sampling interval it used, sorted; none is unknown.
    pub sampling: Vec<Option<u32>>,
    /// TCP flow records of three packets or more, both ways together.
    pub tcp_flows: u64,
    /// Of these, records with a reverse direction: biflows with reverse packets, and uniflows to
    /// which a uniflow between the same ends, the other way, started on the same UTC day.
    pub tcp_flows_two_way: u64,
    /// Records with any quality mark.
    pub marked: u64,
    /// Whole hours inside the window in which no record was active, neighbours joined, sorted.
    pub silent: Vec<Window>,
    /// What is known to be missing, per cause and unit, in that order.
    pub lost: Vec<Lost>,
    /// When it was lost, by arrival: neighbours and overlaps joined, sorted. In a hunt, when what is
    /// missing may have happened, with what was lost of anybody's.
    pub gaps: Vec<Window>,
    /// What was lost gap by gap, by arrival, sorted.
    pub losses: Vec<(Window, Lost)>,
    /// How much it recorded when, sorted.
    pub hours: Vec<RecordedHour>,
    /// Records of which whole flows were sampled, not packets.
    pub flow_sampled: u64,
    /// Records read by a template that was announced with another meaning before.
    pub template_conflicts: u64,
}

/// Flow records of one sampling interval that started in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordedHour {
    /// Start of the hour.
    pub hour: Timestamp,
    /// The sampling interval; none is unknown.
    pub interval: Option<u32>,
    /// How many.
    pub flows: u64,
    /// Of these, records whose packets are a multiple of the interval each way, and that are not marked
    /// [`Quality::ALREADY_SCALED`]. None where the interval is unknown.
    pub multiples: u64,
}

/// One hour of one exporter, in which flows started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageHour {
    /// Its name or address.
    pub exporter: Arc<str>,
    /// Its subdivision.
    pub observation_domain: u32,
    /// Start of the hour.
    pub hour: Timestamp,
    /// Flow records that started in it.
    pub flows: u64,
    /// Every sampling interval, and who said so; sorted, none is unknown.
    pub sampling: Vec<(Option<u32>, Option<SamplingSource>)>,
    /// TCP flow records of three packets or more, both ways together.
    pub tcp_flows: u64,
    /// Of these, records with a reverse direction; a uniflow has one if a uniflow between the same
    /// ends, the other way, started in the same hour.
    pub tcp_flows_two_way: u64,
    /// By how many microseconds the exporter's clock is behind ours, at most: the least time between
    /// export and arrival. Negative if it is ahead by at least as much. None if either is not known.
    pub clock_behind_us: Option<i64>,
    /// Records per quality mark, in the order of [`Quality::NAMES`]; marks that none has are left out.
    pub marks: Vec<(Quality, u64)>,
}

/// How much is missing for one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// Why.
    pub cause: Loss,
    /// In what it is counted.
    pub unit: Unit,
    /// How many.
    pub count: u64,
}

impl Lost {
    /// What each of these gaps counts, and when it was; sorted.
    pub fn each<'a>(gaps: impl IntoIterator<Item = &'a Gap>) -> Vec<(Window, Self)> {
        let of = |gap: &Gap| (gap.window, Self { cause: gap.cause, unit: gap.unit, count: gap.lost });
        let mut losses: Vec<(Window, Self)> = gaps.into_iter().map(of).collect();
        losses.sort_unstable();
        losses
    }

    /// What these gaps add up to, per cause and unit. Sums saturate.
    pub fn of<'a>(gaps: impl IntoIterator<Item = &'a Gap>) -> Vec<Self> {
        let mut sums: BTreeMap<(Loss, Unit), u64> = BTreeMap::new();
        for gap in gaps {
            let sum = sums.entry((gap.cause, gap.unit)).or_default();
            *sum = sum.saturating_add(gap.lost);
        }
        sums.into_iter().map(|((cause, unit), count)| Self { cause, unit, count }).collect()
    }
}

/// Windows with neighbours and overlaps joined, sorted. Empty ones stay: they are moments.
pub fn joined(windows: impl IntoIterator<Item = Window>) -> Vec<Window> {
    let mut sorted: Vec<Window> = windows.into_iter().collect();
    sorted.sort_unstable();
    let mut joined: Vec<Window> = Vec::new();
    for window in sorted {
        match joined.last_mut() {
            Some(last) if window.from <= last.until => last.until = last.until.max(window.until),
            _ => joined.push(window),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_touch_are_joined() {
        let window = |from, until| Window::new(Timestamp::from_seconds(from), Timestamp::from_seconds(until));
        assert_eq!(
            joined([window(7, 9), window(0, 2), window(2, 3), window(1, 2)]),
            [window(0, 3), window(7, 9)]
        );
    }
}
